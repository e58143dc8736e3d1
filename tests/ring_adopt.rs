//! A mirror that was never used takes its origin's epoch, whatever happens meanwhile.

mod support;

use std::path::Path;
use std::sync::Arc;

use sluice::lane::{Epoch, Sequence, Side};
use sluice::ring::page::Fence;
use sluice::ring::{Array, NotAdopted, Opened, RingFile, StoreError, Taken};
use support::chance::Chance;
use support::disk::SimulatedDisk;
use support::messages::{parcel, ring_name, text, wait};

fn epoch() -> Epoch {
    Epoch::new(0x5EED).unwrap()
}

fn fresh(side: Side) -> SimulatedDisk {
    let disk = SimulatedDisk::default();
    let mut chance = Chance::new(1);
    sluice::ring::format(&disk, &[ring_name(side)], &mut || chance.number()).unwrap();
    disk
}

fn open(disk: &SimulatedDisk) -> Opened {
    let live = Arc::new(SimulatedDisk::default());
    RingFile::open_on(Path::new("(test)"), Arc::new(disk.clone()), Some(live)).unwrap()
}

#[test]
fn an_adopted_epoch_is_there_after_a_restart() {
    let disk = fresh(Side::Mirror);
    let ring = open(&disk).file.rings().remove(0);
    let other = ring.clone();
    assert_ne!(ring.look(Array::epoch), epoch());
    wait(ring.adopt(epoch())).unwrap();
    assert_eq!(other.look(Array::epoch), epoch(), "all handles see it");
    wait(ring.adopt(epoch())).unwrap();
    let stored = wait(ring.store(vec![(Sequence::new(1), parcel("first"))])).unwrap();
    assert_eq!(stored, [Ok(Taken::New)]);
    disk.cut_after(Some(0));
    disk.power_returns(&mut Chance::new(7));

    let opened = open(&disk);
    assert!(opened.healed.is_empty(), "{:?}", opened.healed);
    let report = &opened.rings[0];
    assert!(report.noted.is_empty(), "{:?}", report.noted);
    assert!(report.damaged.is_empty() && report.fence.is_none());
    let ring = opened.file.rings().remove(0);
    assert_eq!(ring.look(Array::epoch), epoch());
    assert_eq!(text(&ring, 1), "first");
}

#[test]
fn whatever_was_used_or_shut_keeps_its_epoch() {
    let disk = fresh(Side::Mirror);
    let ring = open(&disk).file.rings().remove(0);
    let before = ring.look(Array::epoch);
    wait(ring.store(vec![(Sequence::new(3), parcel("ahead"))])).unwrap();
    assert_eq!(wait(ring.adopt(epoch())), Err(NotAdopted::Used));
    assert_eq!(ring.look(Array::epoch), before);

    let ring = open(&fresh(Side::Origin)).file.rings().remove(0);
    assert_eq!(wait(ring.adopt(epoch())), Err(NotAdopted::Used));

    let ring = open(&fresh(Side::Mirror)).file.rings().remove(0);
    wait(ring.shut(Fence::Asked)).unwrap();
    let refused = wait(ring.adopt(epoch()));
    assert_eq!(refused, Err(NotAdopted::Fenced(Fence::Asked)));
}

#[test]
fn the_power_may_go_at_any_step() {
    for step in 0.. {
        for seed in 0..20 {
            let disk = fresh(Side::Mirror);
            let ring = open(&disk).file.rings().remove(0);
            let before = ring.look(Array::epoch);
            disk.cut_after(Some(step));
            let adopted = wait(ring.adopt(epoch()));
            if let Err(why) = &adopted {
                assert!(
                    matches!(why, NotAdopted::Failed(StoreError::Failed(_))),
                    "{why}"
                );
                // Nothing may be stored under an epoch that the directory does not name durably.
                let refused = wait(ring.store(vec![(Sequence::new(1), parcel("late"))]));
                assert!(refused.is_err());
            }
            let mut chance = Chance::new(seed);
            disk.power_returns(&mut chance);
            let opened = open(&disk);
            let report = &opened.rings[0];
            assert!(report.damaged.is_empty() && report.fence.is_none());
            let ring = opened.file.rings().remove(0);
            let now = ring.look(Array::epoch);
            assert!(now == before || now == epoch());
            if adopted.is_ok() {
                assert_eq!(now, epoch());
            }
            // Either way it goes on from there, and the next opening agrees.
            wait(ring.adopt(epoch())).unwrap();
            wait(ring.store(vec![(Sequence::new(1), parcel("first"))])).unwrap();
            let opened = open(&disk);
            assert!(opened.healed.is_empty(), "{:?}", opened.healed);
            let ring = opened.file.rings().remove(0);
            assert_eq!(ring.look(Array::epoch), epoch());
            assert_eq!(text(&ring, 1), "first");
            if adopted.is_ok() && seed == 19 {
                assert!(step >= 4, "two entries and two syncs at least");
                return;
            }
        }
    }
}
