//! JSON and XML forms, both ways.

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use sluice::clock::WallTime;
use sluice::presence::calendar::{Calendar, CalendarWritten};
use sluice::presence::place::Place;
use sluice::presence::xml::{self, Document};
use sluice::presence::{
    Address, Class, Format, Operation, PresValue, Privacy, Rule, Scope, Validity, While,
};

use crate::support::{client, name, user};

/// The requirement's fields, all at once, as docs/presence.md shows them.
const XML: &str = r#"<presvalue>
  <operation>set</operation>
  <name>sluice:availability</name>
  <class>availability</class>
  <scope>user</scope>
  <format>enumeration</format>
  <value>available</value>
  <privacy>granted</privacy>
  <allowed>user:anna</allowed>
  <allowed>group:anglers</allowed>
  <restricted>user:boss</restricted>
  <time>2026-11-24T08:00:00.000Z</time>
  <until>2026-11-24T16:00:00.000Z</until>
  <rule value="busy"><calendar zone="Europe/Helsinki" days="mon tue" from="09:00" to="11:30"/></rule>
  <rule value="busy"><place latitude="60.17" longitude="24.94" radius="200"/></rule>
  <rule value="away"><while name="sluice:reachability" is="unreachable"/></rule>
</presvalue>
"#;

/// The block of the document that begins with this line.
fn block(document: &str, fence: &str) -> String {
    let inside = document
        .split_once(&format!("```{fence}\n"))
        .expect("the document has it")
        .1;
    inside.split_once("```").expect("and it ends").0.to_string()
}

#[test]
fn p6_the_samples_of_the_document_are_the_same_value() {
    let document = include_str!("../../docs/presence.md");
    assert_eq!(block(document, "xml"), XML);
    let from_xml = xml::read(XML).unwrap();
    assert_eq!(from_xml.values.len(), 1);
    let from_json = PresValue::from_json(block(document, "json").as_bytes()).unwrap();
    assert_eq!(from_xml.values[0], from_json);
    assert_eq!(xml::write_value(&from_json), XML);
    assert_eq!(from_json.operation, Some(Operation::Set));
    assert_eq!(from_json.rules.len(), 3);
}

#[test]
fn the_schema_of_a_value_names_all_its_fields() {
    let schema = serde_json::to_value(schemars::schema_for!(PresValue)).unwrap();
    let fields = schema["properties"].as_object().unwrap();
    for field in [
        "operation",
        "name",
        "class",
        "scope",
        "format",
        "value",
        "privacy",
        "allowed",
        "restricted",
        "time",
    ] {
        assert!(fields.contains_key(field), "{field}");
    }
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], serde_json::json!(["name"]));
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~\n\tåäö€😀]{0,40}",
        "[<>&\"']{1,10}",
        Just(" blanks at both ends ".to_string())
    ]
}

fn address() -> impl Strategy<Value = Address> {
    prop_oneof![
        "[a-z0-9._@-]{1,20}".prop_map(|name| Address::User(user(&name))),
        "[!-~]([ -~]{0,10}[!-~])?".prop_map(|name| Address::new(&format!("group:{name}")).unwrap()),
        Just(Address::Everyone),
    ]
}

fn time() -> impl Strategy<Value = WallTime> {
    (0..4_102_444_800_000_u64).prop_map(WallTime::from_unix_ms)
}

fn calendar() -> impl Strategy<Value = Calendar> {
    let day = || "20[23][0-9]-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])";
    (
        prop::sample::select(vec!["UTC", "Europe/Helsinki", "America/St_Johns"]),
        prop::sample::subsequence(vec!["mon", "tue", "wed", "thu", "fri", "sat", "sun"], 0..=7),
        (0..1440_u16, 0..1440_u16),
        prop::option::of(day()),
        prop::collection::vec(day(), 0..4),
    )
        .prop_filter_map(
            "begins when it ends",
            |(zone, days, (from, to), first, except)| {
                let time = |minutes: u16| Some(format!("{:02}:{:02}", minutes / 60, minutes % 60));
                Calendar::try_from(CalendarWritten {
                    zone: zone.into(),
                    days: days.into_iter().map(String::from).collect(),
                    from: time(from),
                    to: time(to),
                    last: first.clone(),
                    first,
                    except,
                })
                .ok()
            },
        )
}

fn rule() -> impl Strategy<Value = Rule> {
    // Of as many digits as places have: `serde_json` reads these exactly.
    let place = (
        -9_000_000..=9_000_000_i32,
        -18_000_000..=18_000_000_i32,
        1..1000_i32,
    )
        .prop_map(|(latitude, longitude, radius)| Place {
            latitude: f64::from(latitude) / 100_000.0,
            longitude: f64::from(longitude) / 100_000.0,
            radius: f64::from(radius),
        });
    let other = text().prop_map(|is| While {
        name: name("acme:other"),
        is: is.into(),
    });
    (
        text(),
        prop::option::of(calendar()),
        prop::option::of(place),
        prop::option::of(other),
    )
        .prop_map(|(value, calendar, place, while_is)| Rule {
            value: value.into(),
            calendar,
            place,
            while_is,
        })
}

fn one_of<T: Copy + std::fmt::Debug + 'static>(
    all: &'static [T],
) -> impl Strategy<Value = Option<T>> {
    prop::option::of(prop::sample::select(all))
}

fn value() -> impl Strategy<Value = PresValue> {
    let words = (
        one_of(Operation::ALL),
        one_of(Class::ALL),
        one_of(Scope::ALL),
        one_of(Format::ALL),
        one_of(Privacy::ALL),
        prop::option::of((0..=20_u8).prop_map(|step| Validity::of(f64::from(step) * 0.05 + 0.001))),
    );
    let list = || prop::option::of(prop::collection::vec(address(), 0..4));
    (
        words,
        "[a-z0-9._-]{1,12}:[a-z0-9._-]{1,12}",
        prop::option::of(text()),
        (list(), list()),
        (
            prop::option::of(time()),
            prop::option::of(time()),
            prop::option::of(1..1000_u32),
        ),
        prop::collection::vec(rule(), 0..4),
        prop::option::of("[!-~]{1,12}"),
    )
        .prop_map(
            |(words, named, value, (allowed, restricted), (time, until, fades), rules, at)| {
                PresValue {
                    operation: words.0,
                    name: name(&named),
                    class: words.1,
                    scope: words.2,
                    client: at.map(|at| client(&at)),
                    format: words.3,
                    value: value.map(Into::into),
                    privacy: words.4,
                    allowed,
                    restricted,
                    time,
                    until,
                    fades,
                    rules,
                    validity: words.5,
                }
            },
        )
}

fn cases() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::with_cases(crate::support::cases_or(500))
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn p6_both_forms_come_back_as_they_were(values in prop::collection::vec(value(), 0..4), owned in any::<bool>()) {
        for value in &values {
            prop_assert_eq!(&PresValue::from_json(value.to_json().as_bytes()).unwrap(), value);
            let written = xml::write_value(value);
            prop_assert_eq!(&xml::read(&written).unwrap().values[0], value, "{}", written);
        }
        let document = Document { owner: owned.then(|| user("anna")), values };
        let written = xml::write(&document);
        prop_assert_eq!(xml::read(&written).unwrap(), document, "{}", written);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}", cut in 0..900_usize, put in "[<>&;/a-z\"= !\\[\\]-]{0,6}") {
        let _refused = xml::read(&text);
        // A good document with something in the middle of it.
        let mut broken = XML.to_string();
        broken.insert_str(cut.min(XML.len()), &put);
        if let Ok(document) = xml::read(&broken) {
            prop_assert_eq!(xml::read(&xml::write(&document)).unwrap(), document);
        }
    }
}
