//! No answer before its sync: for each message that was answered the slot was written, and after that a sync began and
//! returned; and none is answered while one before it is not on its way to the disk.

mod support;

use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sluice::lane::{RingName, SLOTS, Sequence};
use sluice::ring::page;
use sluice::ring::{Array, Ring, RingFile, StoreError};
use support::gate::{Event, Gate, gated, reopened};
use support::messages::{parcel, text, wait};

const MO: &str = "oslo/carrier-1:mo:origin";
const MT: &str = "oslo/carrier-1:mt:mirror";

fn name(ring: &str) -> RingName {
    ring.parse().unwrap()
}

fn crowd() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap()
}

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

/// A ring with some messages waiting, and a disk that is busy with another ring.
fn busy(messages: u64) -> (Gate, RingFile, Ring, std::thread::JoinHandle<()>) {
    let (gate, file) = gated(&[name(MO), name(MT)]);
    let ring = file.ring(&name(MO)).unwrap();
    let parcels = (1..=messages).map(|number| parcel(&number.to_string()));
    wait(ring.append_all(parcels.collect())).unwrap();
    ring.process_up_to(Sequence::new(3)).unwrap();
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
    // With 255 messages the next address is used again, and the state has to be written before.
    for messages in [5, SLOTS] {
        let (gate, _file, ring, leader) = busy(messages);
        let mut second = pin!(ring.append(parcel("answered")));
        {
            let mut first = pin!(ring.append(parcel("given up")));
            begin(first.as_mut());
            begin(second.as_mut());
            gate.open();
            leader.join().unwrap();
        }
        let answered = wait(second).unwrap();
        let opened = reopened(&gate);
        assert!(opened.rings[0].remarks.is_empty());
        let found = opened.file.ring(&name(MO)).unwrap();
        assert_eq!(text(&found, answered.get()), "answered");
        assert_eq!(found.look(Array::accepted), answered);
    }
}

#[test]
fn a_message_given_up_is_stored_by_the_idle_flush_and_leaves_no_hole() {
    let (gate, file, ring, leader) = busy(5);
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
    while ring.look(|array| array.marks().retrieved.up_to()) < Sequence::new(6) {
        wait(async { tokio::time::timeout(Duration::from_secs(20), changes.changed()).await })
            .expect("the idle flush takes it along")
            .expect("the ring is held");
    }
    flushing.abort();
    let opened = reopened(&gate);
    assert_eq!(text(&opened.file.ring(&name(MO)).unwrap(), 6), "given up");
}

#[test]
fn slots_of_an_origin_are_written_in_the_order_of_their_numbers() {
    let (gate, file) = gated(&[name(MO)]);
    let ring = file.ring(&name(MO)).unwrap();
    let runtime = crowd();
    for lap in 1..=150 {
        let from = gate.now();
        let tasks: Vec<_> = (0..15)
            .map(|_| {
                let ring = ring.clone();
                runtime.spawn(async move {
                    for _ in 0..17 {
                        ring.append(parcel("in order")).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            wait(task).unwrap();
        }
        let first = page::slot_offset(0, Sequence::FIRST.address());
        let written: Vec<u64> = gate.events()[from..]
            .iter()
            .filter_map(|event| match event {
                Event::Written(offset) => Some(*offset),
                Event::SyncBegins | Event::SyncEnds => None,
            })
            .filter(|&offset| offset >= first)
            .collect();
        assert_eq!(written.len() as u64, SLOTS);
        assert!(
            written.is_sorted(),
            "lap {lap}: one with a higher number could be answered while one before it is not even written"
        );
        ring.process_up_to(Sequence::new(lap * SLOTS)).unwrap();
    }
}
