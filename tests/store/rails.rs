//! The eight guard rails around sled, each under its number.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sluice::store::{
    Alarm, Batch, Engine, Guarded, MAX_KEY, MAX_VALUE, Purpose, Store, StoreError,
};

use crate::chance::{Chance, from_environment};
use crate::engines::{DISK, Machine, changes, everything, put, small, text};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("store");
    (folder, directory)
}

/// Copies a directory and what is in it.
fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copied(&entry.path(), &place),
            false => fs::copy(entry.path(), place).map(|_| ()).unwrap(),
        }
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A store of some records that was stopped cleanly, so with an export.
fn stopped(directory: &Path, records: u32) {
    let store = Machine::new().store(directory).unwrap();
    for n in 0..records {
        let value = format!("value {n}");
        store
            .commit(&changes(&format!("key {n:04}"), &value))
            .unwrap();
    }
    store.close().unwrap();
}

#[test]
fn rail_1_durable_is_a_sync_of_our_own() {
    let (_folder, directory) = folder();
    let machine = Machine::new();
    let store = Store::new(machine.store(&directory).unwrap());
    let before = machine.syncs();
    store.submit(put("a", "1")).unwrap().wait().unwrap();
    assert_eq!(machine.syncs(), before + 1);
    store.submit(put("b", "2")).unwrap().wait().unwrap();
    assert_eq!(machine.syncs(), before + 2);
    machine.breaks();
    let told = store.submit(put("c", "3")).unwrap().wait().unwrap_err();
    assert!(told.to_string().contains("syncing failed"), "{told}");
    assert!(store.submit(put("d", "4")).is_err());
    assert!(store.read(b"a").is_err());
    assert!(
        store.close().is_err(),
        "what is not durable is not exported as if it were"
    );
    drop(store);
    // Opened anew it tells what the disk has.
    let store = Machine::new().store(&directory).unwrap();
    assert_eq!(text(store.read(b"a")), Some("1".into()));
    assert_eq!(text(store.read(b"b")), Some("2".into()));
    assert_eq!(text(store.read(b"d")), None);
}

#[test]
fn rail_2_lazy_puts_wait_for_no_sync_and_reach_the_file_by_themselves() {
    let (folder, directory) = folder();
    let machine = Machine::new();
    let store = Store::new(machine.store(&directory).unwrap());
    let before = machine.syncs();
    store
        .put_lazily(&put("lazy", "a value that is easily found"))
        .unwrap();
    assert_eq!(machine.syncs(), before);
    let log = directory.join("db").join("db");
    let is_written = || {
        let octets = fs::read(&log).unwrap();
        octets
            .windows(28)
            .any(|found| found == b"a value that is easily found")
    };
    while !is_written() {
        std::thread::sleep(Duration::from_millis(5));
    }
    // What a kill would leave now.
    let killed = folder.path().join("killed");
    copied(&directory, &killed);
    let store = machine.store(&killed).unwrap();
    assert_eq!(
        text(store.read(b"lazy")),
        Some("a value that is easily found".into())
    );
}

#[test]
fn rail_3_nobody_calls_flush_async() {
    fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => sources(&path, found),
                false => found.push(path),
            }
        }
    }
    let mut found = Vec::new();
    sources(Path::new("src/store"), &mut found);
    assert!(found.len() > 10);
    for path in found {
        let source = fs::read_to_string(&path).unwrap();
        let calls = source
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let calls =
            calls.filter(|line| line.contains("flush_async") || line.contains(".transaction("));
        assert_eq!(
            calls.count(),
            0,
            "{}: sled's flush_async deadlocks",
            path.display()
        );
    }
}

#[test]
fn rail_4_a_half_made_snapshot_is_taken_away_and_everything_is_there() {
    let (_folder, directory) = folder();
    stopped(&directory, 50);
    let half = directory
        .join("db")
        .join("snap.00000000000A0000.generating");
    fs::write(&half, b"half a snapshot").unwrap();
    let store = Machine::new().store(&directory).unwrap();
    assert_eq!(store.health().alarms, []);
    assert_eq!(everything(&store).len(), 50);
    assert!(!half.exists());
}

#[test]
fn rail_4_what_cannot_be_opened_is_restored_with_an_alarm() {
    let (_folder, directory) = folder();
    stopped(&directory, 50);
    fs::write(
        directory.join("db").join("conf"),
        b"segment_size: no number",
    )
    .unwrap();
    let store = Machine::new().store(&directory).unwrap();
    let alarms = store.health().alarms;
    let [
        Alarm::Restored {
            lost: Some(0),
            aside: Some(aside),
            ..
        },
    ] = &alarms[..]
    else {
        panic!("{alarms:?}");
    };
    assert!(aside.join("db").exists());
    assert!(
        alarms[0]
            .to_string()
            .contains("nothing that was acknowledged is lost"),
        "{}",
        alarms[0]
    );
    assert_eq!(everything(&store).len(), 50);
    // It goes on from there, and the next opening is an ordinary one.
    store.commit(&changes("more", "x")).unwrap();
    drop(store);
    let store = Machine::new().store(&directory).unwrap();
    assert_eq!(store.health().alarms, []);
    assert_eq!(everything(&store).len(), 51);
}

#[test]
fn rail_4_without_a_whole_export_nothing_is_touched_and_nothing_begun_anew() {
    let (_folder, directory) = folder();
    stopped(&directory, 5);
    fs::write(directory.join("db").join("conf"), b"no number").unwrap();
    for name in names(&directory)
        .iter()
        .filter(|name| name.starts_with("export"))
    {
        fs::write(directory.join(name), b"SLUICEST and no more").unwrap();
    }
    let before = names(&directory);
    for _ in 0..2 {
        let told = Machine::new().store(&directory).err().unwrap();
        assert!(matches!(told, StoreError::Lost { .. }), "{told}");
        let now: Vec<String> = names(&directory)
            .into_iter()
            .filter(|name| name != "db.new")
            .collect();
        assert_eq!(now, before);
    }
    // Nor is it when the database is gone altogether.
    fs::remove_dir_all(directory.join("db")).unwrap();
    let told = Machine::new().store(&directory).err().unwrap();
    assert!(told.to_string().contains("its database is gone"), "{told}");
}

#[test]
fn rail_4_a_database_that_is_gone_comes_back_from_the_older_export_if_the_newest_is_damaged() {
    let (_folder, directory) = folder();
    stopped(&directory, 50);
    stopped(&directory, 60);
    let exports = names(&directory)
        .into_iter()
        .filter(|name| name.starts_with("export"));
    let newest = directory.join(exports.max().unwrap());
    let mut octets = fs::read(&newest).unwrap();
    octets[100] ^= 1;
    fs::write(&newest, octets).unwrap();
    fs::remove_dir_all(directory.join("db")).unwrap();
    let store = Machine::new().store(&directory).unwrap();
    assert_eq!(everything(&store).len(), 50);
    let alarms = store.health().alarms;
    let [
        Alarm::Restored {
            lost: Some(lost),
            aside: None,
            ..
        },
    ] = &alarms[..]
    else {
        panic!("{alarms:?}");
    };
    assert!(*lost >= 60, "{lost}");
}

#[test]
fn rail_4_a_full_disk_or_another_process_says_nothing_about_the_database() {
    let (_folder, directory) = folder();
    stopped(&directory, 5);
    let before = names(&directory);
    let machine = Machine::new();
    machine.free(1 << 20);
    let told = machine.store(&directory).err().unwrap();
    assert!(matches!(told, StoreError::NoRoom { .. }), "{told}");
    machine.free(DISK);
    let open = machine.store(&directory).unwrap();
    let told = machine.store(&directory).err().unwrap();
    assert!(matches!(told, StoreError::InUse { .. }), "{told}");
    drop(open);
    assert_eq!(names(&directory), before);
    assert_eq!(everything(&machine.store(&directory).unwrap()).len(), 5);
}

#[test]
fn rail_4_damage_anywhere_never_loses_a_record_in_silence() {
    let seed = from_environment("SLUICE_SEED", u64::from(getrandom::u32().unwrap()));
    println!("SLUICE_SEED={seed}");
    let mut chance = Chance::new(seed);
    let (folder, directory) = folder();
    stopped(&directory, 300);
    let whole = everything(&Machine::new().store(&directory).unwrap());
    let (mut unharmed, mut restored) = (0, 0);
    for round in 0..40 {
        let place = folder.path().join(format!("damaged {round}"));
        copied(&directory, &place);
        let log = place.join("db").join("db");
        let mut octets = fs::read(&log).unwrap();
        // Most of the file was never written; damage goes where something is.
        let end = octets.iter().rposition(|&octet| octet != 0).unwrap() as u64 + 1;
        match chance.below(3) {
            0 => octets.truncate(chance.below(end) as usize),
            1 => {
                let at = chance.below(end) as usize;
                octets[at] ^= 1 << chance.below(8);
            }
            _ => {
                let at = chance.below(end) as usize;
                let to = (at + 4096).min(octets.len());
                octets[at..to].fill_with(|| chance.number() as u8);
            }
        }
        fs::write(&log, octets).unwrap();
        let store = Machine::new().store(&place).unwrap();
        let alarms = store.health().alarms;
        match &alarms[..] {
            [] => unharmed += 1,
            [Alarm::Restored { .. }] => restored += 1,
            other => panic!("round {round}: {other:?}"),
        }
        assert_eq!(everything(&store), whole, "round {round}: {alarms:?}");
    }
    println!("{unharmed} unharmed, {restored} restored");
    assert!(restored > 0);
}

#[test]
fn rail_5_exports_come_every_hour_and_at_a_clean_stop_and_two_are_kept() {
    let (_folder, directory) = folder();
    let mut config = small();
    let exports = || {
        let names = names(&directory).into_iter();
        names.filter(|name| name.starts_with("export")).count()
    };
    let store = Guarded::open(&directory, &config, Machine::new().outside()).unwrap();
    store.commit(&changes("a", "1")).unwrap();
    // None was ever made, so the first round makes one; the next is due in an hour.
    for _ in 0..2 {
        store.keep_house();
        store.export_ended();
        assert_eq!(exports(), 1);
    }
    store.close().unwrap();
    assert_eq!(exports(), 2);
    drop(store);
    config.export_every = Duration::ZERO;
    let store = Guarded::open(&directory, &config, Machine::new().outside()).unwrap();
    for _ in 0..3 {
        store.keep_house();
        store.export_ended();
        assert_eq!(exports(), 2);
    }
    assert!(store.health().exported_at.is_some());
    assert_eq!(
        store.health().logical,
        Some(11),
        "the schema's record and ours"
    );
}

#[test]
fn rail_6_an_older_database_is_noticed_and_restored() {
    let (folder, directory) = folder();
    let older = folder.path().join("older");
    let store = Machine::new().store(&directory).unwrap();
    store.commit(&changes("a", "1")).unwrap();
    drop(store);
    copied(&directory.join("db"), &older);
    let store = Machine::new().store(&directory).unwrap();
    store.commit(&changes("b", "2")).unwrap();
    store.export().unwrap();
    store.commit(&changes("c", "3")).unwrap();
    drop(store);
    fs::remove_dir_all(directory.join("db")).unwrap();
    copied(&older, &directory.join("db"));
    let store = Machine::new().store(&directory).unwrap();
    let alarms = store.health().alarms;
    let [
        Alarm::Restored {
            why, lost: Some(1), ..
        },
    ] = &alarms[..]
    else {
        panic!("{alarms:?}");
    };
    assert_eq!(why, "it ends with batch 2, and 4 was durable");
    assert!(
        alarms[0]
            .to_string()
            .contains("the 1 batches acknowledged after it are lost")
    );
    assert_eq!(text(store.read(b"b")), Some("2".into()));
    assert_eq!(text(store.read(b"c")), None);
}

#[test]
fn rail_6_a_lost_generation_file_is_told() {
    let (_folder, directory) = folder();
    stopped(&directory, 5);
    fs::remove_file(directory.join("generation")).unwrap();
    let store = Machine::new().store(&directory).unwrap();
    assert_eq!(store.health().alarms, [Alarm::GenerationUnknown]);
    assert_eq!(everything(&store).len(), 5);
    drop(store);
    fs::write(directory.join("generation"), b"damaged").unwrap();
    let store = Machine::new().store(&directory).unwrap();
    assert_eq!(store.health().alarms, [Alarm::GenerationUnknown]);
    drop(store);
    let store = Machine::new().store(&directory).unwrap();
    assert_eq!(store.health().alarms, []);
}

#[test]
fn rail_7_no_node_ever_leaves_the_file_that_is_synced() {
    let (_folder, directory) = folder();
    let store = Machine::new().store(&directory).unwrap();
    let mut chance = Chance::new(3);
    // The longest keys and values there are, written in both orders and at random, with deletions, so that leaves are
    // split and merged.
    let key = |n: u64| format!("{n:0>width$}", width = MAX_KEY);
    let mut kept = std::collections::BTreeSet::new();
    for round in 0..120 {
        let mut batch = Batch::new();
        for step in 0..20 {
            let n = match round % 3 {
                0 => round * 20 + step,
                1 => 100_000 - round * 20 - step,
                _ => chance.below(100_000),
            };
            batch.put(key(n), vec![n as u8; MAX_VALUE]);
            kept.insert(n);
            if chance.percent(60) {
                let gone = *kept
                    .iter()
                    .nth(chance.below(kept.len() as u64) as usize)
                    .unwrap();
                batch.delete(key(gone));
                kept.remove(&gone);
            }
        }
        store.commit(batch.changes()).unwrap();
    }
    store.close().unwrap();
    let blobs = directory.join("db").join("blobs");
    assert_eq!(names(&blobs), Vec::<String>::new());
    assert_eq!(everything(&store).len(), kept.len());
    drop(store);
    let db = sled::Config::new()
        .path(directory.join("db"))
        .open()
        .unwrap();
    assert!(db.tree_names().len() <= 8);
    drop(db);
    assert_eq!(
        everything(&Machine::new().store(&directory).unwrap()).len(),
        kept.len()
    );
}

#[test]
fn rail_8_little_room_stops_intake_then_draining_and_both_come_back() {
    let (_folder, directory) = folder();
    let machine = Machine::new();
    let store = Store::new(machine.store(&directory).unwrap());
    let drains = || {
        let mut batch = put("drain", "x");
        batch.drains();
        store.submit(batch).unwrap().wait()
    };
    let takes_in = || store.submit(put("intake", "x")).unwrap().wait();
    takes_in().unwrap();
    // Ten percent of 10 GiB.
    machine.free((1 << 30) - 10);
    assert!(matches!(takes_in(), Err(StoreError::NoRoom { .. })));
    drains().unwrap();
    let alarms = store.health().alarms;
    assert!(matches!(alarms[..], [Alarm::NoRoom { .. }]), "{alarms:?}");
    machine.free((1 << 28) - 10);
    assert!(matches!(drains(), Err(StoreError::NoRoom { .. })));
    machine.free(1 << 30);
    takes_in().unwrap();
    assert_eq!(store.health().alarms, []);

    // On a small file system the fixed number counts.
    let mut config = small();
    config.least_free_percent = 1;
    drop(store);
    let store = Guarded::open(&directory, &config, machine.outside()).unwrap();
    machine.free((256 << 20) - 1);
    assert!(store.room(Purpose::Intake).is_err());
    machine.free(256 << 20);
    assert!(store.room(Purpose::Intake).is_ok());
}

#[test]
fn rail_8_a_bloated_database_is_rebuilt_when_it_is_opened() {
    let (_folder, directory) = folder();
    let mut outside = Machine::new().outside();
    outside.watched_from = 2 << 20;
    let opened = || Guarded::open(&directory, &small(), outside.clone()).unwrap();
    let store = opened();
    let keys: Vec<String> = (0..5000).map(|n| format!("{n:05}")).collect();
    for some in keys.chunks(500) {
        let mut batch = Batch::new();
        some.iter()
            .for_each(|key| batch.put(key.clone(), vec![7; 4000]));
        store.commit(batch.changes()).unwrap();
    }
    for some in keys[20..].chunks(500) {
        let mut batch = Batch::new();
        some.iter().for_each(|key| batch.delete(key.clone()));
        store.commit(batch.changes()).unwrap();
    }
    let large = store.health().on_disk;
    store.close().unwrap();
    let alarms = store.health().alarms;
    assert!(matches!(alarms[..], [Alarm::Bloated { .. }]), "{alarms:?}");
    drop(store);
    let store = opened();
    let after = store.health().on_disk;
    assert!(after < large / 5, "{after} of {large}");
    assert_eq!(store.health().alarms, []);
    assert_eq!(everything(&store).len(), 20);
    store.commit(&changes("more", "x")).unwrap();
}
