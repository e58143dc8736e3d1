//! Dialogues as stories, in the files beside this one. With `SLUICE_TELL=1` what is found is written in place of what is
//! there; read the difference before it is kept.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sluice::im::config::Config;
use sluice::im::primitive::{FromClient, ToClient};
use sluice::im::status::Code;

use super::stage::{Stage, usual};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/im")
}

pub(super) fn all_stories() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    found.sort();
    assert!(found.len() > 5, "the stories were not found");
    found
}

/// A story with what came of each line in place of what is written there; and what was seen.
fn told(story: &str) -> (String, Vec<String>) {
    let mut stage = Stage::new(usual());
    let mut told = String::new();
    for line in story.lines().filter(|line| !line.starts_with("  ")) {
        told += line;
        told.push('\n');
        for came in stage.play(line) {
            told += &came;
            told.push('\n');
        }
    }
    (told, stage.seen)
}

#[test]
fn p15_the_stories_go_as_they_are_written() {
    let tell = std::env::var_os("SLUICE_TELL").is_some();
    for path in all_stories() {
        let written = std::fs::read_to_string(&path).unwrap();
        let (told, _) = told(&written);
        if tell {
            std::fs::write(&path, told).unwrap();
            continue;
        }
        for (number, (found, wanted)) in told.lines().zip(written.lines()).enumerate() {
            assert_eq!(found, wanted, "{}:{}", path.display(), number + 1);
        }
        assert_eq!(told, written, "{}", path.display());
    }
}

#[test]
fn p15_every_primitive_and_every_code_is_in_a_story() {
    let mut seen = BTreeSet::new();
    for path in all_stories() {
        let (_, of_story) = told(&std::fs::read_to_string(&path).unwrap());
        seen.extend(of_story);
    }
    let mut wanted: Vec<String> = Vec::new();
    wanted.extend(FromClient::NAMES.iter().map(|name| format!("> {name}")));
    wanted.extend(ToClient::NAMES.iter().map(|name| format!("< {name}")));
    wanted.extend(
        Code::ALL
            .iter()
            .map(|code| format!("code {}", code.number())),
    );
    wanted.retain(|name| !seen.contains(name));
    assert_eq!(wanted, Vec::<String>::new(), "in no story");
}

#[test]
fn a_phone_that_only_writes_can_still_be_written_to() {
    let mut stage = Stage::new(Config {
        max_waiting: 3,
        ..usual()
    });
    stage.play("! users alice");
    stage.play("! alice signs in");
    let write = r#"> alice: Message {"to":{"phone":"358401234567"},"saying":{"text":"Well?"}}"#;
    stage.play(write);
    for _ in 0..5 {
        stage.play("! phone 358401234567 writes to 17100: Still here");
        stage.play("! alice confirms");
    }
    let came = stage.play(write);
    assert!(came[0].starts_with("  text 2 to +358401234567"), "{came:?}");
}
