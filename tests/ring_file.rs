//! The ring file as a file: what it survives, what it refuses and in which words, and that no answer comes before
//! its sync.

mod support;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use sluice::clock::WallTime;
use sluice::codec::checksum::seal;
use sluice::lane::{Address, RingName, SLOTS, Sequence};
use sluice::message::{
    Body, Coding, DeliveryKey, Item, PhoneNumber, ShortCode, ShortMessage, UserDataHeader,
};
use sluice::ring::page::{self, PAGE};
use sluice::ring::storage::MemoryStorage;
use sluice::ring::{Array, Opened, Parcel, Ring, RingError, RingFile, StoreError};
use support::gate::{Event, Gate};

const MO: &str = "oslo/carrier-1:mo:origin";
const MT: &str = "oslo/carrier-1:mt:mirror";

fn name(ring: &str) -> RingName {
    ring.parse().unwrap()
}

fn parcel(text: &str) -> Parcel {
    let body = Body::new(
        Coding::Octets,
        UserDataHeader::NONE,
        Bytes::copy_from_slice(text.as_bytes()),
    )
    .unwrap();
    let message = ShortMessage::new(
        PhoneNumber::new("358401234567").unwrap().into(),
        ShortCode::new("12345").unwrap().into(),
        body,
    );
    let item = Item::Message(message);
    Parcel::pack(&item, WallTime::from_unix_ms(1), DeliveryKey::NONE).unwrap()
}

fn text(ring: &Ring, number: u64) -> String {
    let item = ring.look(|array| {
        array
            .get(Sequence::new(number))
            .map(|parcel| parcel.unpack().unwrap())
    });
    match item {
        Some(Item::Message(message)) => String::from_utf8(message.body.data().to_vec()).unwrap(),
        Some(Item::Report(_)) => String::from("a report"),
        None => String::from("nothing"),
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn crowd() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap()
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

/// A file of these rings on storage that waits, counts and fails.
fn gated(rings: &[RingName]) -> (Gate, RingFile) {
    let gate = Gate::default();
    let mut number = 0;
    let mut random = || {
        number += 1;
        number
    };
    sluice::ring::format(&gate, rings, &mut random).unwrap();
    let opened = RingFile::open_on(Path::new("(gate)"), Arc::new(gate.clone()), None).unwrap();
    (gate, opened.file)
}

fn reopened(gate: &Gate) -> Opened {
    let storage = Arc::new(MemoryStorage::new(gate.contents()));
    RingFile::open_on(Path::new("(gate)"), storage, None).unwrap()
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
                 free some room and start again (no message was accepted)",
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
            "FILE: reading the name of ring 0: both copies are damaged; failed: its checksum does not fit"
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

mod syncs {
    use super::*;

    #[test]
    fn after_a_failed_sync_nothing_is_answered_and_nothing_tried_until_the_file_is_opened_anew() {
        let (gate, file) = gated(&[name(MO), name(MT)]);
        let ring = file.ring(&name(MO)).unwrap();
        wait(ring.append(parcel("before"))).unwrap();
        // One message's sync waits, two more messages wait for the next; then the disk fails.
        gate.close();
        let runtime = crowd();
        let appends: Vec<_> = (0..3)
            .map(|number| {
                let ring = ring.clone();
                let append = runtime.spawn(async move { ring.append(parcel("lost")).await });
                if number == 0 {
                    gate.await_sync();
                }
                append
            })
            .collect();
        let tried = gate.syncs_tried();
        gate.fail_syncs(1);
        gate.open();
        let failed = "syncing the ring file failed: Input/output error (os error 5)";
        for append in appends {
            let why = wait(append).unwrap().unwrap_err();
            assert_eq!(
                why.to_string(),
                format!("{failed}; nothing more is accepted until the ring file was opened anew")
            );
        }
        assert_eq!(
            gate.syncs_tried(),
            tried,
            "no second sync after the one that failed"
        );
        assert_eq!(file.failure().as_deref(), Some(failed));
        assert_eq!(
            ring.look(|array| array.marks().retrieved.up_to()),
            Sequence::FIRST
        );
        assert!(wait(ring.append(parcel("after"))).is_err());
        assert!(wait(ring.flush()).is_err());
        let other = file.ring(&name(MT)).unwrap();
        assert!(wait(other.close()).is_err(), "no ring of the file goes on");
        wait(ring.room());
        assert_eq!(gate.syncs_tried(), tried);
        let marked = ring.mark_sent(Sequence::FIRST);
        assert_eq!(marked, Ok(true), "marks go on in memory");
        assert!(matches!(
            wait(file.flush_when_idle()),
            StoreError::Failed(_)
        ));
        assert_eq!(gate.syncs_tried(), tried);

        drop((file, ring, other));
        let opened = RingFile::open_on(Path::new("(gate)"), Arc::new(gate.clone()), None).unwrap();
        let ring = opened.file.ring(&name(MO)).unwrap();
        assert_eq!(text(&ring, 1), "before");
        let next = ring.look(Array::accepted).next();
        assert_eq!(wait(ring.append(parcel("again"))), Ok(next));
    }

    /// When each answer was given: the offset of its slot, and how much had happened by then.
    type Answers = Arc<Mutex<Vec<(u64, usize)>>>;

    fn each_answer_follows_its_sync(gate: &Gate, answers: &Answers) {
        let events = gate.events();
        let answers = answers.lock().unwrap();
        for &(slot, answered) in answers.iter() {
            let past = &events[..answered];
            let written = past
                .iter()
                .rposition(|event| *event == Event::Written(slot))
                .expect("the slot was written before its answer");
            let began = past[written..]
                .iter()
                .position(|event| *event == Event::SyncBegins)
                .expect("a sync began after the write had ended")
                + written;
            assert!(
                past[began..].contains(&Event::SyncEnds),
                "and returned before the answer"
            );
        }
        let syncs: Vec<_> = events
            .iter()
            .filter(|event| !matches!(event, Event::Written(_)))
            .collect();
        assert!(
            syncs
                .chunks(2)
                .all(|pair| *pair == [&Event::SyncBegins, &Event::SyncEnds]),
            "one sync at a time, so the one that returned is the one that began"
        );
    }

    fn exercise(lanes: u16, messages: u64) {
        let names: Vec<RingName> = (0..lanes)
            .map(|number| name(&format!("oslo/{number}:mo:origin")))
            .collect();
        let (gate, file) = gated(&names);
        let answers = Answers::default();
        let runtime = crowd();
        let tasks: Vec<_> = (0..lanes)
            .zip(file.rings())
            .map(|(index, ring)| {
                let (gate, answers) = (gate.clone(), answers.clone());
                runtime.spawn(async move {
                    for _ in 0..messages {
                        let sequence = ring.append(parcel("proof")).await.unwrap();
                        let slot = page::slot_offset(index, sequence.address());
                        answers.lock().unwrap().push((slot, gate.now()));
                        if sequence.get().is_multiple_of(200) {
                            ring.process_up_to(sequence).unwrap();
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            wait(task).unwrap();
        }
        assert_eq!(
            answers.lock().unwrap().len() as u64,
            u64::from(lanes) * messages
        );
        each_answer_follows_its_sync(&gate, &answers);
    }

    #[test]
    fn an_answer_comes_after_a_sync_that_began_after_the_slot_was_written() {
        exercise(1, 600);
    }

    #[test]
    fn sixteen_lanes_that_share_syncs_get_no_answer_too_early() {
        exercise(16, 300);
    }

    /// A ring whose next address needs its state written first, and a disk that is busy with another ring.
    fn busy() -> (Gate, RingFile, Ring, std::thread::JoinHandle<()>) {
        let (gate, file) = gated(&[name(MO), name(MT)]);
        let ring = file.ring(&name(MO)).unwrap();
        wait(ring.append_all((1..=SLOTS).map(|n| parcel(&n.to_string())).collect())).unwrap();
        ring.process_up_to(Sequence::new(9)).unwrap();
        gate.close();
        let other = file.ring(&name(MT)).unwrap();
        let leader = std::thread::spawn(move || wait(other.flush()).unwrap());
        gate.await_sync();
        (gate, file, ring, leader)
    }

    fn begin(future: std::pin::Pin<&mut impl Future<Output = Result<Sequence, StoreError>>>) {
        let polled = future.poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Pending);
    }

    #[test]
    fn a_message_answered_after_another_was_given_up_survives() {
        let (gate, _file, ring, leader) = busy();
        let mut second = pin!(ring.append(parcel("answered")));
        {
            let mut first = pin!(ring.append(parcel("given up")));
            begin(first.as_mut());
            begin(second.as_mut());
            gate.open();
            leader.join().unwrap();
        }
        assert_eq!(wait(second), Ok(Sequence::new(257)));
        let opened = reopened(&gate);
        let found = opened.file.ring(&name(MO)).unwrap();
        assert_eq!(text(&found, 257), "answered");
        assert_eq!(text(&found, 256), "given up", "nobody knows, so it stays");
    }

    #[test]
    fn a_message_given_up_leaves_no_hole() {
        let (gate, file, ring, leader) = busy();
        {
            let mut first = pin!(ring.append(parcel("given up")));
            begin(first.as_mut());
        }
        gate.open();
        leader.join().unwrap();
        let runtime = crowd();
        let idle = file.clone();
        let flushing = runtime.spawn(async move { idle.flush_when_idle().await });
        let mut changes = ring.changes();
        while ring.look(|array| array.marks().retrieved.up_to()) < Sequence::new(256) {
            let change = async {
                tokio::time::timeout(std::time::Duration::from_secs(20), changes.changed()).await
            };
            wait(change)
                .expect("the idle flush takes it along")
                .expect("the ring is held");
        }
        flushing.abort();
        assert_eq!(
            text(&reopened(&gate).file.ring(&name(MO)).unwrap(), 256),
            "given up"
        );
    }
}
