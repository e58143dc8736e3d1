//! The ring file as a file: what it survives, what it refuses and in which words, and how it grows.

mod support;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use sluice::codec::checksum::seal;
use sluice::lane::{Address, RingName, SLOTS, Sequence};
use sluice::ring::page::{self, PAGE};
use sluice::ring::storage::MemoryStorage;
use sluice::ring::{Array, RingError, RingFile, StoreError};
use support::gate::{Gate, gated, reopened};
use support::messages::{parcel, text, wait};

const MO: &str = "oslo/carrier-1:mo:origin";
const MT: &str = "oslo/carrier-1:mt:mirror";

fn name(ring: &str) -> RingName {
    ring.parse().unwrap()
}

/// The sentence that people see, with the file's name made short.
fn sentence<T>(result: Result<T, RingError>, path: &Path) -> String {
    let Err(why) = result else {
        panic!("it must be refused")
    };
    why.to_string().replace(&path.display().to_string(), "FILE")
}

fn overwrite(path: &Path, offset: u64, octets: &[u8]) {
    File::options()
        .write(true)
        .open(path)
        .and_then(|file| file.write_all_at(octets, offset))
        .unwrap();
}

mod refusals {
    use super::*;

    #[test]
    fn a_missing_file_tells_how_to_make_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rings");
        assert_eq!(
            sentence(RingFile::open(&path), &path),
            "FILE: there is no ring file here; make one with `sluice ring create FILE RING…`"
        );
        assert!(!path.exists(), "opening makes nothing");
    }

    #[test]
    fn a_folder_that_is_missing_is_not_taken_for_a_missing_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowhere/rings");
        assert_eq!(
            sentence(RingFile::create(&path, &[name(MO)]), &path),
            "FILE: making the file failed: its folder does not exist; make the folder first"
        );
    }

    #[test]
    fn a_file_is_never_made_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rings");
        std::fs::write(&path, "a letter").unwrap();
        assert_eq!(
            sentence(RingFile::create(&path, &[name(MO)]), &path),
            "FILE: a file of this name is here already; a ring file is never made over another"
        );
        assert_eq!(std::fs::read(&path).unwrap(), b"a letter");
    }

    #[test]
    fn what_is_no_ring_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rings");
        for (content, why) in [
            (
                vec![],
                "the file has 0 octets, less than a header and a directory",
            ),
            (
                b"a letter".to_vec(),
                "the file has 8 octets, less than a header and a directory",
            ),
            (vec![b'x'; 2 << 20], "it does not begin with its mark"),
            (vec![0; 2 << 20], "it does not begin with its mark"),
        ] {
            std::fs::write(&path, &content).unwrap();
            assert_eq!(
                sentence(RingFile::open_or_create(&path, &[name(MO)]), &path),
                format!(
                    "FILE: this is no ring file: neither copy of its header can be read ({why}); \
                     restore the file or move it away and make a new one"
                )
            );
            assert_eq!(std::fs::read(&path).unwrap(), content);
        }
    }

    #[test]
    fn a_file_of_another_version_is_left_to_the_program_that_wrote_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rings");
        drop(RingFile::create(&path, &[name(MO)]).unwrap());
        let mut header = std::fs::read(&path).unwrap()[..PAGE].to_vec();
        header[8..10].copy_from_slice(&2_u16.to_le_bytes());
        seal(&mut header);
        overwrite(&path, page::header_offset(0), &header);
        overwrite(&path, page::header_offset(1), &header);
        assert_eq!(
            sentence(RingFile::open(&path), &path),
            "FILE: this ring file is of version 2, this program reads version 1; \
             use the program that wrote it, or one that is newer"
        );
    }

    #[test]
    fn a_file_that_was_cut_off_names_the_first_slot_that_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rings");
        drop(RingFile::create(&path, &[name(MO), name(MT)]).unwrap());
        let whole = std::fs::metadata(&path).unwrap().len();
        let cut = page::slot_offset(1, Address::new(78).unwrap()) + 5;
        let file = File::options().write(true).open(&path).unwrap();
        file.set_len(cut).unwrap();
        assert_eq!(
            sentence(RingFile::open(&path), &path),
            format!(
                "FILE: the file ends at octet {cut}, in slot 78 of ring {MT}, and should have {whole}; \
                 it was cut off: restore it, or renew its rings with `sluice ring renew FILE`"
            )
        );
    }

    #[test]
    fn a_second_process_finds_the_file_locked_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rings");
        let first = RingFile::create(&path, &[name(MO)]).unwrap();
        assert_eq!(
            sentence(RingFile::open(&path), &path),
            "FILE: another process has this ring file open; stop it first (`lsof FILE` names it)"
        );
        // A ring alone keeps it open too.
        let ring = first.file.ring(&name(MO)).unwrap();
        drop(first);
        assert!(RingFile::open(&path).is_err());
        drop(ring);
        assert!(RingFile::open(&path).is_ok());
    }

    #[test]
    fn a_file_that_another_process_is_making_is_left_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rings");
        let making = folder.path().join("rings.new");
        std::fs::write(&making, "half made").unwrap();
        let other = File::open(&making).unwrap();
        other.lock().unwrap();
        assert!(matches!(
            RingFile::create(&path, &[name(MO)]),
            Err(RingError::InUse { .. })
        ));
        assert_eq!(std::fs::read(&making).unwrap(), b"half made");
        // What one that was killed left behind is no hindrance.
        drop(other);
        assert!(RingFile::create(&path, &[name(MO)]).is_ok());
        assert!(!making.exists());
    }

    #[test]
    fn many_that_make_a_file_at_once_make_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rings");
        let made: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| RingFile::open_or_create(&path, &[name(MO)])))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        let whole: Vec<_> = made.iter().filter_map(|made| made.as_ref().ok()).collect();
        assert_eq!(whole.len(), 1, "one has it, the others find it taken");
        let ring = whole[0].file.ring(&name(MO)).unwrap();
        assert_eq!(wait(ring.append(parcel("mine"))), Ok(Sequence::FIRST));
        drop((ring, made));
        let opened = RingFile::open(&path).unwrap();
        assert_eq!(text(&opened.file.rings()[0], 1), "mine");
    }

    #[test]
    fn a_ring_named_twice_and_too_many_rings_make_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rings");
        assert_eq!(
            sentence(RingFile::create(&path, &[name(MO), name(MO)]), &path),
            format!("FILE: ring {MO} is named twice")
        );
        let many: Vec<RingName> = (0..1025)
            .map(|number| name(&format!("oslo/{number}:mo:origin")))
            .collect();
        assert_eq!(
            sentence(RingFile::create(&path, &many), &path),
            "FILE: 1025 rings are too many, a file holds 1024"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_full_disk_is_met_while_the_file_is_made() {
        let gate = Gate::default();
        gate.full_after(page::file_length(1) - 1);
        let why = sluice::ring::format(&gate, &[name(MO)], &mut || 1).unwrap_err();
        assert_eq!(why.kind(), std::io::ErrorKind::StorageFull);

        // Adding a ring meets it too, and the rings that are there go on.
        let (gate, file) = gated(&[name(MO)]);
        gate.full_after(page::file_length(1));
        let why = file.add(&[name(MT)]).unwrap_err();
        assert_eq!(
            why.to_string(),
            format!(
                "(gate): the disk is full: a file of {} octets for 2 rings does not fit; \
                 free some room there, then start again what needs it; a service that runs tries by itself \
             (no message was accepted)",
                page::file_length(2)
            )
        );
        let ring = file.ring(&name(MO)).unwrap();
        assert_eq!(wait(ring.append(parcel("on"))), Ok(Sequence::FIRST));
        drop((file, ring));
        let opened = reopened(&gate);
        assert_eq!(opened.file.rings().len(), 1);
        assert_eq!(text(&opened.file.rings()[0], 1), "on");
    }
}

mod healing {
    use super::*;

    #[test]
    fn one_damaged_copy_of_header_or_directory_is_healed_from_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rings");
        drop(RingFile::create(&path, &[name(MO), name(MT)]).unwrap());
        let whole = std::fs::read(&path).unwrap();
        let head = page::area_offset(0) as usize;
        for (offset, line) in [
            (
                page::header_offset(0),
                "copy 0 of the file header was damaged; healed from the other",
            ),
            (
                page::header_offset(1),
                "copy 1 of the file header was damaged; healed from the other",
            ),
            (
                page::entry_offset(0, 1),
                "copy 0 of directory entry 1 was damaged; healed from the other",
            ),
            (
                page::entry_offset(1, 0),
                "copy 1 of directory entry 0 was damaged; healed from the other",
            ),
        ] {
            overwrite(&path, offset + 9, b"garbage");
            let opened = RingFile::open(&path).unwrap();
            assert_eq!(opened.healed, [line]);
            assert_eq!(opened.file.rings().len(), 2);
            drop(opened);
            assert_eq!(std::fs::read(&path).unwrap()[..head], whole[..head]);
            assert!(RingFile::open(&path).unwrap().healed.is_empty());
        }
    }

    #[test]
    fn a_directory_entry_damaged_in_both_copies_keeps_the_file_shut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rings");
        drop(RingFile::create(&path, &[name(MO)]).unwrap());
        for copy in 0..2 {
            overwrite(&path, page::entry_offset(copy, 0) + 9, b"garbage");
        }
        assert_eq!(
            sentence(RingFile::open(&path), &path),
            "FILE: reading the name of ring 0: both copies are damaged; failed: its checksum does not fit; \
             look at the disk (`dmesg`, `df`) and at the owner and rights of the file"
        );
    }

    #[test]
    fn a_live_file_that_is_missing_or_garbage_costs_no_message() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rings");
        let live = folder.path().join("rings.live");
        let opened = RingFile::create(&path, &[name(MO)]).unwrap();
        let ring = opened.file.ring(&name(MO)).unwrap();
        for number in 1..=5 {
            wait(ring.append(parcel(&number.to_string()))).unwrap();
        }
        ring.process_up_to(Sequence::new(2)).unwrap();
        wait(ring.flush()).unwrap();
        drop((opened, ring));
        let whole = std::fs::read(&live).unwrap();
        let torn = [&whole[..100], &[0; 412][..]].concat();
        for content in [None, Some(vec![]), Some(vec![0xA5; 700]), Some(torn)] {
            match content {
                None => std::fs::remove_file(&live).unwrap(),
                Some(octets) => std::fs::write(&live, octets).unwrap(),
            }
            let opened = RingFile::open(&path).unwrap();
            assert!(opened.rings[0].remarks.is_empty());
            let ring = opened.file.ring(&name(MO)).unwrap();
            let marks = ring.look(|array| *array.marks());
            assert_eq!(marks.retrieved.up_to(), Sequence::new(5));
            assert_eq!(marks.processed.up_to(), Sequence::new(2));
            assert_eq!(text(&ring, 5), "5");
        }
    }
}

mod growing {
    use super::*;

    #[test]
    fn rings_added_to_a_file_leave_the_old_ones_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rings");
        let opened = RingFile::create(&path, &[name(MO)]).unwrap();
        let ring = opened.file.ring(&name(MO)).unwrap();
        for number in 1..=3 {
            wait(ring.append(parcel(&number.to_string()))).unwrap();
        }
        ring.confirm(Sequence::new(2)).unwrap();
        let epoch = ring.look(Array::epoch);
        let marks = ring.look(|array| *array.marks());
        drop((opened, ring));

        let opened = RingFile::open_or_create(&path, &[name(MT), name(MO)]).unwrap();
        let names: Vec<String> = opened
            .file
            .rings()
            .iter()
            .map(|ring| ring.name().to_string())
            .collect();
        assert_eq!(names, [MO, MT], "in the file's order");
        let ring = opened.file.ring(&name(MO)).unwrap();
        assert_eq!(ring.look(Array::epoch), epoch);
        assert_eq!(ring.look(|array| *array.marks()), marks);
        assert_eq!(text(&ring, 3), "3");
        assert_eq!(wait(ring.append(parcel("4"))), Ok(Sequence::new(4)));
        let fresh = opened.file.ring(&name(MT)).unwrap();
        assert!(fresh.look(Array::is_idle));
        assert_ne!(fresh.look(Array::epoch), epoch);
        drop((opened, ring, fresh));
        let again = RingFile::open_or_create(&path, &[name(MO), name(MT)]).unwrap();
        assert_eq!(again.rings.len(), 2, "nothing is added twice");
    }

    #[test]
    fn a_file_keeps_its_size_over_a_hundred_laps() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rings");
        let live = folder.path().join("rings.live");
        let opened = RingFile::create(&path, &[name(MO)]).unwrap();
        let size = |path: &Path| std::fs::metadata(path).unwrap().len();
        let (whole, whole_live) = (size(&path), size(&live));
        assert_eq!(whole, page::file_length(1));
        let ring = opened.file.ring(&name(MO)).unwrap();
        for lap in 1..=100 {
            let parcels = (0..SLOTS).map(|_| parcel("round and round")).collect();
            wait(ring.append_all(parcels)).unwrap();
            assert_eq!(
                wait(ring.append(parcel("too much"))),
                Err(StoreError::Full(sluice::ring::Full))
            );
            ring.process_up_to(Sequence::new(lap * SLOTS)).unwrap();
            assert_eq!((size(&path), size(&live)), (whole, whole_live));
        }
        drop((opened, ring));
        let opened = RingFile::open(&path).unwrap();
        let ring = opened.file.ring(&name(MO)).unwrap();
        assert_eq!(ring.look(Array::accepted), Sequence::new(100 * SLOTS));
        assert!(ring.look(Array::is_idle));
    }
}

/// Sets octets of both copies of the directory as a cut while rings were added would leave them.
fn grown_and_cut(keep_in_first: &[u16], keep_in_second: &[u16]) -> Vec<u8> {
    let names: Vec<RingName> = (0..6)
        .map(|n| name(&format!("oslo/{n}:mo:origin")))
        .collect();
    let storage = Arc::new(MemoryStorage::default());
    let mut number = 0;
    let mut random = || {
        number += 1;
        number
    };
    sluice::ring::format(storage.as_ref(), &names[..3], &mut random).unwrap();
    let opened = RingFile::open_on(Path::new("(grown)"), storage.clone(), None).unwrap();
    opened.file.add(&names[3..]).unwrap();
    let mut octets = storage.to_vec();
    for (copy, keep) in [(0, keep_in_first), (1, keep_in_second)] {
        for ring in 3..6 {
            if !keep.contains(&ring) {
                let start = page::entry_offset(copy, ring) as usize;
                octets[start..start + page::ENTRY].fill(0);
            }
        }
    }
    octets
}

#[test]
fn a_cut_while_rings_are_added_leaves_a_file_that_opens() {
    for first in [&[][..], &[3], &[4], &[5], &[3, 5], &[4, 5], &[3, 4, 5]] {
        for second in [&[][..], &[3], &[4], &[5], &[3, 5]] {
            if !second.is_empty() && first.len() < 3 {
                // The second copy is begun when the first is durable.
                continue;
            }
            let storage = Arc::new(MemoryStorage::new(grown_and_cut(first, second)));
            let path = Path::new("(grown)");
            let opened = RingFile::open_on(path, storage.clone(), None)
                .unwrap_or_else(|why| panic!("{first:?}, {second:?}: {why}"));
            let count = opened.rings.len();
            assert!(count >= 3);
            let again: RingName = name("oslo/again:mo:origin");
            opened.file.add(std::slice::from_ref(&again)).unwrap();
            drop(opened);
            let opened = RingFile::open_on(path, storage, None).unwrap();
            assert_eq!(opened.rings.len(), count + 1, "{first:?}, {second:?}");
            assert!(opened.healed.is_empty());
            assert!(opened.file.ring(&again).is_some());
        }
    }
}

#[test]
fn a_file_that_somebody_else_is_making_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rings");
    let making = folder.path().join("rings.new");
    std::fs::write(&making, "half made").unwrap();
    let other = std::fs::File::open(&making).unwrap();
    other.lock().unwrap();
    let refused = RingFile::create(&path, &[name("oslo/a:mo:origin")]);
    assert!(matches!(refused, Err(RingError::InUse { .. })));
    assert_eq!(std::fs::read(&making).unwrap(), b"half made");
    // Who made it went away: what is left of it is made anew.
    drop(other);
    RingFile::create(&path, &[name("oslo/a:mo:origin")]).unwrap();
    assert!(!making.exists());
}
