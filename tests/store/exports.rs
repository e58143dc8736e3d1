//! Exports: taken while the store works, loaded, and by command.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sluice::store::{Batch, Engine, Guarded};

use crate::chance::Chance;
use crate::engines::{Machine, changes, everything, small};

/// Two pages of an export, and more.
const FILLING: u64 = 2500;

/// Ends those who look at it, also when a test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn an_export_taken_during_work_is_the_state_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let store = Machine::new().store(&folder.path().join("store")).unwrap();
    // Two numbers under two keys far from each other, always changed together; between them enough for many pages.
    let mut filling = Batch::new();
    (0..FILLING).for_each(|n| filling.put(format!("m{n:06}"), vec![0; 40]));
    store.commit(filling.changes()).unwrap();
    let stop = AtomicBool::new(false);
    let written = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let _stops = Stop(&stop);
        scope.spawn(|| {
            let mut chance = Chance::new(7);
            let mut number = 0;
            while !stop.load(Ordering::SeqCst) {
                number += 1;
                let mut batch = Batch::new();
                batch.put("a", format!("{number}"));
                batch.put("z", format!("{number}"));
                // A key that comes and goes, told by the number.
                let odd = number % 2 == 1;
                for key in ["b", "m000500x", "y"] {
                    match odd {
                        true => batch.put(key, "odd"),
                        false => batch.delete(key),
                    }
                }
                let place = format!("m{:06}", chance.below(FILLING));
                batch.put(place, format!("{number}"));
                store.commit(batch.changes()).unwrap();
                written.store(number, Ordering::SeqCst);
            }
        });
        for round in 0..10 {
            let before = written.load(Ordering::SeqCst);
            let exported = store.export().unwrap();
            let after = written.load(Ordering::SeqCst);
            let copy = folder.path().join(format!("copy {round}"));
            let imported = Guarded::import(&exported.path, &copy, false, &small()).unwrap();
            assert_eq!(imported.summary, exported.summary);
            let copy = Machine::new().store(&copy).unwrap();
            let number = |key: &[u8]| -> u64 {
                let value = copy.read(key).unwrap().unwrap_or_else(|| "0".into());
                std::str::from_utf8(&value).unwrap().parse().unwrap()
            };
            let (a, z) = (number(b"a"), number(b"z"));
            assert_eq!(a, z, "round {round}: half a batch");
            assert!(
                (before..=after + 1).contains(&a),
                "round {round}: {before} {a} {after}"
            );
            for key in [&b"b"[..], b"m000500x", b"y"] {
                let odd = copy.read(key).unwrap().is_some();
                assert_eq!(odd, a % 2 == 1, "round {round}: {key:?} at {a}");
            }
            let newest = everything(&copy)
                .into_iter()
                .filter(|(key, _)| key.len() == 7 && key[0] == b'm');
            let newest = newest.filter(|(_, value)| value.len() < 40);
            let newest = newest
                .map(|(_, value)| std::str::from_utf8(&value).unwrap().parse::<u64>().unwrap());
            assert_eq!(newest.max().unwrap_or_default(), a, "round {round}");
        }
    });
}

fn sluice(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_sluice");
    Command::new(program).args(arguments).output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8([&output.stdout[..], &output.stderr[..]].concat()).unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_store_is_exported_checked_and_imported_by_command() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("store");
    let file = folder.path().join("all.sluice");
    let missing = sluice(&["store", "check", path(&directory)]);
    assert_eq!(missing.status.code(), Some(74));
    assert!(
        told(&missing).contains("there is no store here"),
        "{}",
        told(&missing)
    );
    assert!(!directory.exists());

    let store = Machine::new().store(&directory).unwrap();
    (0..10).for_each(|n| store.commit(&changes(&format!("k{n}"), "v")).unwrap());
    let in_use = sluice(&["store", "export", path(&directory), path(&file)]);
    assert_eq!(in_use.status.code(), Some(74));
    assert!(
        told(&in_use).contains("another process has this store open"),
        "{}",
        told(&in_use)
    );
    store.close().unwrap();
    drop(store);

    let exported = sluice(&["store", "export", path(&directory), path(&file)]);
    assert_eq!(exported.status.code(), Some(0), "{}", told(&exported));
    assert!(
        told(&exported).contains("11 records"),
        "{}",
        told(&exported)
    );
    let again = sluice(&["store", "export", path(&directory), path(&file)]);
    assert_eq!(again.status.code(), Some(74));
    let checked = sluice(&["store", "check", path(&directory)]);
    assert_eq!(checked.status.code(), Some(0), "{}", told(&checked));
    assert!(
        told(&checked).contains("sound: 12 records"),
        "{}",
        told(&checked)
    );

    let copy = folder.path().join("copy");
    let imported = sluice(&["store", "import", path(&file), path(&copy)]);
    assert_eq!(imported.status.code(), Some(0), "{}", told(&imported));
    let twice = sluice(&["store", "import", path(&file), path(&copy)]);
    assert_eq!(twice.status.code(), Some(74));
    assert!(told(&twice).contains("--replace"), "{}", told(&twice));
    let replaced = sluice(&["store", "import", "--replace", path(&file), path(&copy)]);
    assert_eq!(replaced.status.code(), Some(0), "{}", told(&replaced));
    let copy = Machine::new().store(&copy).unwrap();
    assert_eq!(copy.health().alarms, []);
    assert_eq!(everything(&copy).len(), 10);

    // An export that is damaged is told, and is not loaded.
    let mut octets = fs::read(&file).unwrap();
    octets[60] ^= 1;
    fs::write(&file, octets).unwrap();
    let other = folder.path().join("other");
    let damaged = sluice(&["store", "import", path(&file), path(&other)]);
    assert_eq!(damaged.status.code(), Some(74));
    assert!(
        told(&damaged).contains("this is no whole export"),
        "{}",
        told(&damaged)
    );
    let newest = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let newest = newest
        .filter(|path| path.extension().is_some_and(|end| end == "sluice"))
        .max();
    fs::copy(&file, newest.unwrap()).unwrap();
    let checked = sluice(&["store", "check", path(&directory)]);
    assert_eq!(checked.status.code(), Some(1), "{}", told(&checked));

    // A store that is damaged is left as it is.
    fs::write(directory.join("db").join("conf"), b"no number").unwrap();
    let checked = sluice(&["store", "check", path(&directory)]);
    assert_eq!(checked.status.code(), Some(74));
    assert!(told(&checked).contains("restores it from its newest export when it starts"));
    assert!(directory.join("db").join("conf").exists());
}
