//! The primitives as JSON: examples of the document, the schema, and what is wrong and must be answered.

use serde_json::Value;
use sluice::im::limits::{MAX_DEPTH, MAX_PRIMITIVE};
use sluice::im::primitive::{FromClient, ToClient, read, schema};
use sluice::im::status::Code;

use super::validator::fits;

const DOCUMENT: &str = include_str!("../../docs/protocol-im.md");
const SCHEMA: &str = include_str!("../../docs/protocol-im.schema.json");

/// The examples of one side: each line of the blocks that are marked so.
fn examples(side: &str) -> Vec<&'static str> {
    let fence = format!("```json {side}");
    let mut inside = false;
    let mut found = Vec::new();
    for line in DOCUMENT.lines() {
        match line {
            _ if line == fence => inside = true,
            "```" => inside = false,
            _ if inside => found.push(line),
            _ => {}
        }
    }
    found
}

#[test]
fn p15_every_primitive_has_an_example_that_can_be_read_and_fits_the_schema() {
    let schema = schema();
    let mut from_client: Vec<&str> = FromClient::NAMES.to_vec();
    for example in examples("client") {
        let request = read(example.as_bytes()).unwrap_or_else(|why| panic!("{example}: {why:?}"));
        from_client.retain(|&name| name != request.primitive.name());
        let value: Value = serde_json::from_str(example).unwrap();
        fits(&schema, &schema["$defs"]["FromClient"], &value)
            .unwrap_or_else(|why| panic!("{example}: {why}"));
        // Written again it is what it was.
        let again: Value = serde_json::from_str(&request.primitive.elements_json()).unwrap();
        let again = read(
            serde_json::json!({
                "primitive": value["primitive"], "transaction": value["transaction"], "elements": again
            })
            .to_string()
            .as_bytes(),
        )
        .unwrap();
        assert_eq!(again.primitive, request.primitive, "{example}");
    }
    assert!(from_client.is_empty(), "no example of {from_client:?}");
    let mut to_client: Vec<&str> = ToClient::NAMES.to_vec();
    for example in examples("server") {
        let value: Value = serde_json::from_str(example).unwrap();
        let name = value["primitive"].as_str().unwrap();
        let elements = value["elements"].to_string();
        let word = ToClient::from_json(name, &elements)
            .unwrap_or_else(|| panic!("{example}: there is no {name}"))
            .unwrap_or_else(|why| panic!("{example}: {why}"));
        to_client.retain(|&other| other != name);
        fits(&schema, &schema["$defs"]["ToClient"], &value)
            .unwrap_or_else(|why| panic!("{example}: {why}"));
        let again: Value = serde_json::from_str(&word.elements_json()).unwrap();
        assert_eq!(again, value["elements"], "{example}");
    }
    assert!(to_client.is_empty(), "no example of {to_client:?}");
}

#[test]
fn the_schema_in_the_documents_is_that_of_the_types() {
    let made = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if made != SCHEMA {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/protocol-im.schema.json");
        if std::env::var_os("SLUICE_TELL").is_some() {
            std::fs::write(path, made).unwrap();
            return;
        }
        panic!(
            "docs/protocol-im.schema.json is not that of the types; SLUICE_TELL=1 writes it anew"
        );
    }
}

#[test]
fn the_codes_in_the_document_are_those_of_the_code() {
    let rows: Vec<String> = Code::ALL
        .iter()
        .map(|code| {
            format!(
                "| {} | {} | {} |",
                code.number(),
                code.name(),
                code.sentence()
            )
        })
        .collect();
    let written: Vec<&str> = DOCUMENT
        .lines()
        .filter(|line| {
            line.starts_with("| ") && line[2..].starts_with(|c: char| c.is_ascii_digit())
        })
        .collect();
    assert_eq!(written, rows);
}

/// The code, the transaction id and the element of the answer to something unreadable.
fn answer(json: &str) -> (Code, Option<String>, Option<String>) {
    let why = read(json.as_bytes()).expect_err(json);
    (
        why.status.code,
        why.transaction.map(|id| id.to_string()),
        why.status.element,
    )
}

#[test]
fn what_cannot_be_read_is_answered_by_name() {
    let t = || Some("7".to_owned());
    let element = |name: &str| Some(name.to_owned());
    for (json, code, transaction, blamed) in [
        ("", Code::NotJson, None, None),
        ("{", Code::NotJson, None, None),
        ("hello", Code::NotJson, None, None),
        ("[1, 2]", Code::NotAPrimitive, None, None),
        (
            r#"["Logout", "7", null, null]"#,
            Code::NotAPrimitive,
            None,
            None,
        ),
        ("[1, 2", Code::NotJson, None, None),
        ("17", Code::NotAPrimitive, None, None),
        ("{}", Code::BadTransaction, None, element("transaction")),
        (
            r#"{"primitive": "Logout"}"#,
            Code::BadTransaction,
            None,
            element("transaction"),
        ),
        (
            r#"{"primitive": "Logout", "transaction": ""}"#,
            Code::BadTransaction,
            None,
            element("transaction"),
        ),
        (
            r#"{"primitive": "Logout", "transaction": 7}"#,
            Code::BadTransaction,
            None,
            element("transaction"),
        ),
        (r#"{"transaction": "7"}"#, Code::NotAPrimitive, t(), None),
        (
            r#"{"primitive": "Logout", "transaction": "7", "more": 1}"#,
            Code::NotAPrimitive,
            t(),
            None,
        ),
        (
            r#"{"primitive": "Dance", "transaction": "7"}"#,
            Code::UnknownPrimitive,
            t(),
            None,
        ),
        (
            r#"{"primitive": "SignedIn", "transaction": "7"}"#,
            Code::NotARequest,
            t(),
            None,
        ),
        (
            r#"{"primitive": "Read", "transaction": "7"}"#,
            Code::MissingElement,
            t(),
            element("position"),
        ),
        (
            r#"{"primitive": "Read", "transaction": "7", "elements": {"position": 1, "x": 2}}"#,
            Code::UnknownElement,
            t(),
            element("x"),
        ),
        (
            r#"{"primitive": "Read", "transaction": "7", "elements": {"position": "one"}}"#,
            Code::BadElement,
            t(),
            element("position"),
        ),
        (
            r#"{"primitive": "Read", "transaction": "7", "elements": [1]}"#,
            Code::BadElement,
            t(),
            None,
        ),
        (
            r#"{"primitive": "Message", "transaction": "7",
                "elements": {"to": {"user": "no one"}, "saying": {"text": "x"}}}"#,
            Code::BadElement,
            t(),
            element("to"),
        ),
        (
            r#"{"primitive": "Message", "transaction": "7",
                "elements": {"to": {"user": "bob"}, "saying": {"text": 5}}}"#,
            Code::BadElement,
            t(),
            element("saying"),
        ),
        (
            r#"{"primitive": "Read", "transaction": "7", "elements": {"position": 1, "position": 2}}"#,
            Code::BadElement,
            t(),
            None,
        ),
    ] {
        let found = answer(json);
        assert_eq!((found.0, found.1), (code, transaction), "{json}");
        if blamed.is_some() {
            assert_eq!(found.2, blamed, "{json}");
        }
    }
}

#[test]
fn what_is_too_long_or_too_deep_is_not_built() {
    let deep = |depth: usize| {
        format!(
            r#"{{"primitive": "Read", "transaction": "7", "elements": {}{}}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    assert_eq!(answer(&deep(MAX_DEPTH)).0, Code::TooDeep);
    assert_eq!(answer(&deep(MAX_DEPTH - 1)).0, Code::BadElement);
    // Even a depth that would exhaust a stack is found out in one pass, and the id is saved.
    let bomb = format!(r#"{{"transaction": "7", "x": {}"#, "[".repeat(90_000));
    assert_eq!(answer(&bomb).0, Code::TooDeep);
    // Brackets in a text are no depth.
    let text = "[".repeat(1000);
    let json = format!(
        r#"{{"primitive": "Message", "transaction": "7", "elements": {{"to": {{"user": "bob"}}, "saying": {{"text": "\"{text}"}}}}}}"#
    );
    assert!(read(json.as_bytes()).is_ok());
    assert_eq!(answer(&" ".repeat(MAX_PRIMITIVE + 1)).0, Code::TooLarge);
    let latin = read(b"{\"primitive\": \"\xE4\"}").unwrap_err();
    assert_eq!(latin.status.code, Code::NotJson);
}

#[test]
fn texts_do_not_show_when_primitives_are_printed() {
    let json = r#"{"primitive": "Message", "transaction": "7",
        "elements": {"to": {"phone": "+358401234567"}, "saying": {"text": "a secret"}}}"#;
    let shown = format!("{:?}", read(json.as_bytes()).unwrap());
    assert!(
        !shown.contains("secret") && !shown.contains("4012345"),
        "{shown}"
    );
}
