//! The real process, killed while it is busy, again and again on the same store: every batch that was acknowledged is
//! there, wholly; what was put lazily is there if it came early enough.
//!
//! `SLUICE_STORE_KILLS` sets how many kills (60), `SLUICE_SEED` the moments.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use sluice::store::{Batch, Engine, Store};

use crate::chance::{Chance, from_environment};
use crate::engines::{Machine, everything, small};

const WRITERS: u64 = 8;
/// Each writer keeps so many pairs, and takes older ones away.
const KEPT: u64 = 40;
const PREY: &str = "SLUICE_STORE_PREY";

/// Not a test by itself: the process that is killed.
#[test]
fn prey() {
    let Ok(directory) = std::env::var(PREY) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = Store::open(Path::new(&directory), &small()).unwrap();
        assert_eq!(store.health().alarms, []);
        let writers = (0..WRITERS).map(|writer| tokio::spawn(write(store.clone(), writer)));
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
    });
}

fn key(half: &str, writer: u64, number: u64) -> String {
    format!("{half}/{writer}/{number:010}")
}

async fn write(store: Store, writer: u64) {
    let last = sluice::store::Range::prefix(format!("a/{writer}/").as_bytes()).backwards();
    let last = store.scan(&last, 1).unwrap();
    let mut number = last.first().map_or(0, |record| {
        let key = std::str::from_utf8(&record.key).unwrap();
        key.rsplit('/').next().unwrap().parse().unwrap()
    });
    loop {
        number += 1;
        let mut batch = Batch::new();
        let size = 20 + (number % 50) as usize * 20;
        batch.put(key("a", writer, number), vec![number as u8; size]);
        batch.put(key("b", writer, number), vec![number as u8; size]);
        if number > KEPT {
            batch.delete(key("a", writer, number - KEPT));
            batch.delete(key("b", writer, number - KEPT));
        }
        store.commit(batch).await.unwrap();
        let mut out = std::io::stdout().lock();
        // Whoever listened was killed too.
        if writeln!(out, "durable {writer} {number}").is_err() {
            return;
        }
    }
}

#[test]
fn killed_at_any_moment_no_acknowledged_batch_is_lost_or_halved() {
    let kills = from_environment("SLUICE_STORE_KILLS", 60);
    let seed = from_environment("SLUICE_SEED", u64::from(getrandom::u32().unwrap()));
    println!("SLUICE_SEED={seed} SLUICE_STORE_KILLS={kills}");
    let mut chance = Chance::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("store");
    let (mut told, mut untold) = (0, 0);
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    for kill in 1..=kills {
        let after = Duration::from_millis(10 + chance.below(200));
        for (writer, number) in hunt(&directory, after) {
            let before = last.insert(writer, number).unwrap_or_default();
            assert!(before < number, "kill {kill}: {number} after {before}");
            told += number - before;
        }
        let store = Machine::new().store(&directory).unwrap();
        assert_eq!(store.health().alarms, [], "kill {kill}");
        for writer in 0..WRITERS {
            untold += check(
                &store,
                kill,
                writer,
                last.get(&writer).copied().unwrap_or_default(),
            );
        }
    }
    println!("{kills} kills, {told} batches acknowledged, none lost; {untold} there and not told");
    assert!(told > kills, "it got to work between the kills");
}

/// What each writer told last before it was killed.
fn hunt(directory: &Path, after: Duration) -> BTreeMap<u64, u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kills::prey", "--nocapture"])
        .env(PREY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The moments count from when it is at work; the first kills may come before.
    let mut told = BTreeMap::new();
    let mut hear = |line: &str| {
        if let Some(rest) = line.strip_prefix("durable ") {
            let (writer, number) = rest.split_once(' ').unwrap();
            told.insert(writer.parse().unwrap(), number.parse().unwrap());
        }
    };
    for line in lines.by_ref().map(Result::unwrap) {
        hear(&line);
        if line.starts_with("durable") {
            break;
        }
    }
    std::thread::sleep(after);
    child.kill().unwrap();
    lines.map_while(Result::ok).for_each(|line| hear(&line));
    child.wait().unwrap();
    told
}

/// How many batches are there beyond the last that was told.
fn check(store: &dyn Engine, kill: u64, writer: u64, told: u64) -> u64 {
    let numbers = |half: &str| -> Vec<u64> {
        let prefix = format!("{half}/{writer}/");
        let records = everything(store).into_iter();
        let ours = records.filter(|(key, _)| key.starts_with(prefix.as_bytes()));
        ours.map(|(key, value)| {
            let number = std::str::from_utf8(&key[prefix.len()..]).unwrap();
            let number: u64 = number.parse().unwrap();
            let size = 20 + (number % 50) as usize * 20;
            assert_eq!(value, vec![number as u8; size], "kill {kill}: {key:?}");
            number
        })
        .collect()
    };
    let there = numbers("a");
    assert_eq!(there, numbers("b"), "kill {kill}: half a batch");
    let newest = there.last().copied().unwrap_or_default();
    assert!(
        newest >= told,
        "kill {kill}: writer {writer} was told {told}, {newest} is there"
    );
    let expected: Vec<u64> = (newest.saturating_sub(KEPT) + 1..=newest).collect();
    assert_eq!(there, expected, "kill {kill}: writer {writer}");
    newest - told
}
