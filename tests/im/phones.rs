//! What holds of whatever phones write: no text is lost, no answer is more than one SMS, nothing is done twice, and machines
//! that answer each other come to an end (G17).

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use sluice::im::config::Config;
use sluice::im::log::Logged;
use sluice::im::names::Position;
use sluice::im::phone::TextToPhone;
use sluice::im::shelf::Shelf;
use sluice::im::sms::{Keyword, Languages, Place, Say, Telling};
use sluice::message::{Party, UserName};
use sluice::text::{Cost, Width};

use super::stage::{Stage, usual};
use super::stories::all_stories;

const PHONE: &str = "358401234567";
const OTHER: &str = "358407654321";

/// A service with people, groups and a partner for the phone; with answers enough for the test.
fn town(answers: u32) -> Stage {
    let mut config: Config = usual();
    let phones = config.phones.as_mut().unwrap();
    phones.answers_per_hour = answers;
    phones.texts_per_hour = 100_000;
    phones.country_code = Some("358".into());
    let mut stage = Stage::new(config);
    for line in [
        "! users alice bob carol",
        "! alice signs in",
        "! bob signs in",
        r#"> alice: CreateGroup {"group":"chess","kind":"public"}"#,
        r#"> alice: Message {"to":{"phone":"358401234567"},"saying":{"text":"Hello"}}"#,
    ] {
        stage.play(line);
    }
    stage
}

/// How many messages of a phone were taken.
fn taken(stage: &Stage, phone: &str) -> usize {
    let user = UserName::new(phone).unwrap();
    let mut after = Position::START;
    let mut sent = 0;
    loop {
        let entries = stage.shelf.entries(&user, after, 100).unwrap();
        let Some((last, _)) = entries.last() else {
            return sent;
        };
        after = *last;
        let is_sent = |entry: &Logged| matches!(entry, Logged::Sent(_));
        sent += entries
            .iter()
            .filter(|(_, entry)| is_sent(entry.logged()))
            .count();
    }
}

fn is_one(text: &TextToPhone) -> bool {
    Cost::of(text.text.expose(), Width::Narrow).parts == 1
}

/// Pieces of which people make texts, and what nobody thinks of.
fn piece() -> impl Strategy<Value = String> {
    let mut words: Vec<String> = [
        "@",
        "#",
        "/",
        ":",
        ",",
        ".",
        "?",
        "bob",
        "alice",
        "@bob",
        "@carol",
        "mum",
        "chess",
        "#chess",
        "dave",
        "as",
        "als",
        "como",
        "busy",
        "weg",
        "nada",
        "none",
        "+358407654321",
        "0407654321",
        "de",
        "english",
        "español",
        "Hello",
        "salt",
        "it’s",
        "…",
        "\n",
        "\u{200B}",
        "😀",
        "é",
    ]
    .map(String::from)
    .into();
    for language in Languages::shipped().iter() {
        words.extend(
            Keyword::ALL
                .iter()
                .map(|&keyword| language.shown(keyword).to_owned()),
        );
    }
    prop_oneof![
        6 => prop::sample::select(words),
        1 => "\\PC{0,12}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    (
        prop::collection::vec(piece(), 0..6),
        prop::bool::weighted(0.8),
    )
        .prop_map(|(pieces, spaced)| pieces.join(if spaced { " " } else { "" }))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 192,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn g17_no_text_of_a_phone_is_lost(
        texts in prop::collection::vec((text(), 0..4_u8), 1..12)
    ) {
        let mut stage = town(100_000);
        for (number, (text, code)) in texts.iter().enumerate() {
            let code = ["17000", "17000", "17100", "17101"][usize::from(*code)];
            // Each text differs, so that none is taken for a machine's.
            stage.pass(std::time::Duration::from_secs(3601));
            let (before, told_before) = (taken(&stage, PHONE), stage.texts().len());
            stage.phone_writes(PHONE, code, text, None);
            let told = &stage.texts()[told_before..];
            let to_it = told.iter().filter(|told| told.recipient.digits() == PHONE).count();
            let went = taken(&stage, PHONE) - before;
            prop_assert!(went + to_it >= 1, "{number}: {text:?} to {code} is lost");
            prop_assert!(went <= 1, "{number}: {text:?} to {code} went {went} times");
            let from_service = |told: &&TextToPhone| {
                matches!(&told.sender, Party::ShortCode(code) if code.digits() == "17000")
                    && told.recipient.digits() == PHONE
            };
            for told in told.iter().filter(from_service) {
                prop_assert!(is_one(told), "{:?}", told.text.expose());
            }
            // It comes again, and nothing is done or answered twice.
            let (taken_now, told_now) = (taken(&stage, PHONE), stage.texts().len());
            let key = stage.written();
            stage.phone_writes(PHONE, code, text, Some(key));
            prop_assert_eq!(taken(&stage, PHONE), taken_now);
            prop_assert_eq!(stage.texts().len(), told_now);
        }
    }
}

/// A phone that answers whatever comes, to the number that it came from. Gives how many texts that made in an hour.
fn answers_itself(stage: &mut Stage, machines: &[(&str, &str)]) -> usize {
    let begun = stage.texts().len();
    for next in begun - 1..begun + 5000 {
        let Some(text) = stage.texts().get(next).cloned() else {
            break;
        };
        let machine = machines
            .iter()
            .find(|(phone, _)| text.recipient.digits() == *phone);
        let (Some((phone, says)), Party::ShortCode(from)) = (machine, &text.sender) else {
            continue;
        };
        stage.pass(std::time::Duration::from_millis(500));
        stage.phone_writes(phone, from.digits(), says, None);
    }
    stage.texts().len() - begun
}

#[test]
fn g17_two_machines_that_answer_each_other_come_to_an_end() {
    let mut stage = town(60);
    stage.phone_writes(OTHER, "17000", "@+358401234567 Hello", None);
    let made = answers_itself(
        &mut stage,
        &[(PHONE, "I am away"), (OTHER, "Driving, back at 5")],
    );
    assert!((10..40).contains(&made), "{made} texts");
}

#[test]
fn g17_a_machine_that_answers_the_service_comes_to_an_end() {
    let mut stage = town(60);
    // Nobody has written to this one, so each of its texts is answered by the service.
    stage.phone_writes("358409999999", "17000", "I am away", None);
    let made = answers_itself(&mut stage, &[("358409999999", "I am away")]);
    assert_eq!(made, 60, "59 more answers, and the last word");
    let mut stage = town(60);
    stage.phone_writes(PHONE, "17000", "help", None);
    assert!(answers_itself(&mut stage, &[(PHONE, "help")]) <= 60);
}

#[test]
fn g17_every_answer_is_in_a_story() {
    let languages = Languages::shipped();
    let english = languages.called("en").unwrap();
    let mut told: Vec<String> = Vec::new();
    let mut written: Vec<String> = Vec::new();
    for path in all_stories() {
        for line in std::fs::read_to_string(path).unwrap().lines() {
            if line.starts_with("  text ") {
                told.push(line.to_owned());
            } else if line.starts_with("! phone ") {
                written.push(line.to_owned());
            }
        }
    }
    let mut missing = BTreeSet::new();
    for &say in Say::ALL {
        let mut telling = Telling::new(say);
        for &place in say.places() {
            telling = telling.with(place, "¤");
        }
        if say.places().contains(&Place::List) {
            telling = telling.listing(vec!["¤".into()]);
        }
        let text = english.tell(&telling);
        let parts: Vec<&str> = text.split('¤').collect();
        let is_told = |line: &String| {
            let mut rest = line.as_str();
            parts.iter().all(|part| match rest.find(part) {
                Some(at) => {
                    rest = &rest[at + part.len()..];
                    true
                }
                None => false,
            })
        };
        if !told.iter().any(is_told) {
            missing.insert(say.key());
        }
    }
    // It cannot happen with a store that works.
    let missing: Vec<_> = missing.into_iter().collect();
    assert_eq!(missing, ["failed"], "in no story");
    for &keyword in Keyword::ALL {
        let shown = english.shown(keyword);
        let is_written = |line: &String| line.to_lowercase().contains(&format!(": {shown}"));
        assert!(written.iter().any(is_written), "{shown} is in no story");
    }
}
