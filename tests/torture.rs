//! The real binary, killed while it is busy, again and again on the same file: what it acknowledged is there, unaltered,
//! at its place, and every pointer stands where it was told or at the step that was being made.
//!
//! `SLUICE_KILLS` sets how many kills (200), `SLUICE_SEED` the moments and orders.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sluice::demo::chance::Chance;
use sluice::demo::prey;
use sluice::demo::promises::Promises;
use sluice::ring::RingFile;
use tempfile::TempDir;

const LANES: u16 = 3;

/// A copy of the binary, the same for all tests that run at once: a build that goes on beside them must not change it
/// between two kills. It goes away with the last of them.
fn program() -> (Arc<TempDir>, PathBuf) {
    static COPY: Mutex<Weak<TempDir>> = Mutex::new(Weak::new());
    let mut copy = COPY.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = copy.upgrade().unwrap_or_else(|| {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        std::fs::copy(env!("CARGO_BIN_EXE_sluice"), folder.path().join("sluice")).unwrap();
        *copy = Arc::downgrade(&folder);
        folder
    });
    let program = folder.path().join("sluice");
    (folder, program)
}

fn from_environment(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(number) => number
            .parse()
            .unwrap_or_else(|why| panic!("{name}={number}: {why}")),
        Err(_unset) => default,
    }
}

#[test]
fn killed_at_any_moment_nothing_acknowledged_is_lost_and_no_pointer_runs_back() {
    let kills = from_environment("SLUICE_KILLS", 200);
    let seed = from_environment("SLUICE_SEED", u64::from(getrandom::u32().unwrap()));
    println!("SLUICE_SEED={seed} SLUICE_KILLS={kills}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rings");
    let (_copy, program) = program();
    let mut chance = Chance::new(seed);
    let mut promises = Promises::default();
    let (mut looks, mut rings, mut exact, mut untold) = (0, 0, 0, 0);
    for kill in 1..=kills {
        // One in four comes while the process before it is still being recovered from: nobody looks in between.
        let hurried = chance.percent(25) && kill < kills;
        let after = match hurried {
            true => 3 + chance.below(20),
            false => 3 + chance.below(248),
        };
        let remains = prey::hunt(
            &program,
            &file,
            LANES,
            chance.number(),
            Duration::from_millis(after),
        )
        .unwrap_or_else(|why| panic!("kill {kill} after {after} ms: {why}"));
        assert_eq!(
            remains.complaints, "",
            "kill {kill} after {after} ms: it complained"
        );
        remains.lines.iter().for_each(|line| promises.hear(line));
        promises.killed();
        // The very first kills may come before there is a file.
        if hurried || !file.exists() {
            continue;
        }
        let opened = RingFile::open(&file)
            .unwrap_or_else(|why| panic!("kill {kill} after {after} ms: {why}"));
        let seen = promises.check(&opened);
        assert!(
            seen.broken.is_empty(),
            "kill {kill} after {after} ms:\n{}",
            seen.broken.join("\n")
        );
        looks += 1;
        rings += seen.rings;
        exact += seen.exact;
        untold += seen.untold;
    }
    let told = promises.told;
    println!(
        "{kills} kills, {looks} looks at {rings} rings: {} messages and {} steps acknowledged, none lost; pointers \
         exactly as told {exact} times, {untold} steps done and not told",
        told.messages, told.steps
    );
    assert!(
        told.messages > kills,
        "the process got to work between the kills"
    );
}

#[test]
fn the_check_notices_what_must_not_be() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rings");
    let (_copy, program) = program();
    let remains = prey::hunt(&program, &file, 1, 5, Duration::from_millis(300)).unwrap();
    let checked = |lines: &[String], prepare: &dyn Fn()| {
        prepare();
        let mut promises = Promises::default();
        lines.iter().for_each(|line| promises.hear(line));
        promises.killed();
        promises.check(&RingFile::open(&file).unwrap()).broken
    };
    let nothing = || {};
    assert_eq!(checked(&remains.lines, &nothing), Vec::<String>::new());

    let last = remains
        .lines
        .iter()
        .filter(|line| line.starts_with("retrieved exercise/1:mo:origin"))
        .count() as u64;
    let more = |line: String| {
        let mut lines = remains.lines.clone();
        lines.push(line);
        lines
    };
    // A promise that was never kept.
    let far = last + 20;
    let missing = more(format!("retrieved exercise/1:mo:origin {far}"));
    assert!(checked(&missing, &nothing)[0].contains("was told as retrieved and is not"));
    let wrong_step = more(format!("processed exercise/1:mo:origin {far}"));
    assert!(!checked(&wrong_step, &nothing).is_empty());
    // A number given out twice.
    let twice = more(format!("retrieved exercise/1:mo:origin {last}"));
    assert!(checked(&twice, &nothing)[0].contains("twice"));
    // Much more than could have been under way.
    let early: Vec<String> = remains.lines[..remains.lines.len() / 2].to_vec();
    assert!(
        checked(&early, &nothing)
            .iter()
            .any(|broken| broken.contains("that nobody told of"))
    );
    // Words that no exercise says.
    assert!(!checked(&more(String::from("retrieved 7")), &nothing).is_empty());
    assert!(
        !checked(
            &more(String::from("eaten exercise/1:mo:origin 7")),
            &nothing
        )
        .is_empty()
    );
}
