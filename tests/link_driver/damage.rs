//! Disks that fail or forget, under a real connection.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use sluice::lane::Sequence;
use sluice::link::driver::{Alarm, Phase};
use sluice::link::pki::Bundle;
use sluice::link::transport::Choice;
use sluice::message::Outcome;
use sluice::ring::page::slot_offset;
use sluice::ring::{Array, Parcel};

use crate::support::disk::SimulatedDisk;
use crate::support::messages::parcel;
use crate::world::{
    End, Operator, alarmed, central, edge, ended, loopback, names, text, until, up,
};

/// The ring of an end that these tests damage: MO of the only lane.
const MO: usize = 0;

/// Octets of a slot are overwritten while its process is down.
fn overwrite(path: &Path, sequence: u64) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let offset = slot_offset(MO as u16, Sequence::new(sequence).address()) + 300;
    file.write_all_at(&[0xA5; 64], offset).unwrap();
}

async fn flush(end: &End) {
    for ring in &end.rings {
        ring.flush().await.unwrap();
    }
}

fn damaged(array: &Array) -> Vec<u64> {
    array.damaged().map(Sequence::get).collect()
}

/// Five messages lie at both ends, confirmed and not handed on; then both ends are killed, and these slots overwritten.
async fn after_damage(operator: &Operator, here: &[u64], there: &[u64]) -> (Bundle, End, End) {
    let edge_file = operator.path("edge.ring");
    let main_file = operator.path("main.ring");
    let near = End::start(edge_file.clone(), &names("oslo", 1, true));
    let far = End::start_holding(main_file.clone(), &names("oslo", 1, false));
    let links = central(operator, loopback(0), "oslo", &far).await;
    let to = [links.local_address()];
    let bundle = operator.enrol("oslo");
    let link = edge(operator.connector(&bundle, &to, Choice::Quic), &near);
    near.offer_up_to(5);
    near.until_ring(MO, |array| array.marks().confirmed.up_to().get() == 5)
        .await;
    flush(&near).await;
    flush(&far).await;
    let near = near
        .kill_and(link, || {
            here.iter().for_each(|it| overwrite(&edge_file, *it))
        })
        .await;
    let far = far
        .kill_and(links, || {
            there.iter().for_each(|it| overwrite(&main_file, *it))
        })
        .await;
    assert_eq!(near.rings[MO].look(damaged), here);
    assert_eq!(far.rings[MO].look(damaged), there);
    (bundle, near, far)
}

fn content(end: &End, sequence: u64) -> Option<Parcel> {
    end.rings[MO].look(|array| array.get(Sequence::new(sequence)).cloned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_damaged_at_one_end_is_repaired_from_the_other() {
    for (here, there) in [(&[2, 3][..], &[][..]), (&[], &[2, 3]), (&[2], &[4])] {
        let operator = Operator::new();
        let (bundle, near, far) = after_damage(&operator, here, there).await;
        let links = central(&operator, loopback(0), "oslo", &far).await;
        let to = [links.local_address()];
        let link = edge(operator.connector(&bundle, &to, Choice::Quic), &near);
        near.until_ring(MO, |array| damaged(array).is_empty()).await;
        far.until_ring(MO, |array| damaged(array).is_empty()).await;
        for sequence in 1..=5 {
            let expected = parcel(&text(&near.rings[MO], sequence));
            for end in [&near, &far] {
                let found = content(end, sequence).expect("it is there again");
                assert_eq!(found.octets(), expected.octets(), "message {sequence}");
            }
        }
        far.hand_on();
        far.has_handed_on(5).await;
        near.knows_the_end_of(5).await;
        for end in [&near, &far] {
            let lost = |it: &Alarm| matches!(it, Alarm::Lost { .. });
            assert!(!end.book.alarms.borrow().iter().any(lost));
        }
        link.stop().await;
        links.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_damaged_at_both_ends_is_named_lost_at_both_and_the_others_go_on() {
    let operator = Operator::new();
    let (bundle, near, far) = after_damage(&operator, &[3], &[3]).await;
    far.hand_on();
    let links = central(&operator, loopback(0), "oslo", &far).await;
    let to = [links.local_address()];
    let link = edge(operator.connector(&bundle, &to, Choice::Quic), &near);
    near.until_ring(MO, |array| array.marks().processed.up_to().get() == 5)
        .await;
    for end in [&near, &far] {
        alarmed(&end.book, "message 3 (address 3) is lost: no copy is left").await;
    }
    let name = near.rings[MO].name().to_string();
    let kept = near.book.outcomes.borrow().clone();
    for number in 1..=5 {
        let expected = if number == 3 {
            Outcome::Lost
        } else {
            ended(number)
        };
        assert_eq!(kept[&(name.clone(), Sequence::new(number))], expected);
    }
    let came = far.handed_on.borrow()[&far.rings[MO].name().to_string()].clone();
    let expected = [1, 2, 4, 5].map(|number| text(&far.rings[MO], number));
    assert_eq!(came, expected);
    // And what comes after it finds its way.
    near.offer_up_to(300);
    near.until_ring(MO, |array| array.marks().processed.up_to().get() == 300)
        .await;
    link.stop().await;
    links.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ring_file_that_fails_confirms_nothing_more_and_after_its_return_nothing_is_missing() {
    let operator = Operator::new();
    let near = End::start(operator.path("edge.ring"), &names("oslo", 1, true));
    let disk = SimulatedDisk::default();
    let far = End::start_on(disk.clone(), &names("oslo", 1, false));
    let links = central(&operator, loopback(0), "oslo", &far).await;
    let to = links.local_address();
    let bundle = operator.enrol("oslo");
    let link = edge(operator.connector(&bundle, &[to], Choice::Quic), &near);
    near.offer_up_to(100);
    far.has_handed_on(100).await;
    near.knows_the_end_of(100).await;

    disk.cut_after(Some(0));
    near.offer_up_to(200);
    alarmed(&far.book, "the power is off").await;
    alarmed(&near.book, "the far end says: ").await;
    near.until_ring(MO, |array| array.marks().retrieved.up_to().get() == 200)
        .await;
    let marks = near.rings[MO].look(|array| *array.marks());
    assert_eq!(marks.confirmed.highest().get(), 100, "{marks:?}");
    assert_eq!(link.status().phase, Phase::Up, "other rings would go on");

    // As its owner does after a failure: everything is let go of, and the file opened anew.
    disk.process_returns();
    let far = far.kill(links).await;
    let links = central(&operator, to, "oslo", &far).await;
    let mut seen = link.watch();
    until(&mut seen, |status| status.connections > 1).await;
    up(&mut seen).await;
    far.has_handed_on(200).await;
    near.knows_the_end_of(200).await;
    link.stop().await;
    links.stop().await;
}
