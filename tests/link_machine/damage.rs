//! Slots that cannot be read, at either end.

use bytes::Bytes;
use sluice::clock::WallTime;
use sluice::lane::{Direction, Epoch, SLOTS, Side};
use sluice::link::frame::{Carried, Frame};
use sluice::link::{Action, RingView};
use sluice::message::{Outcome, SmscId};
use sluice::ring::Marks;
use sluice::ring::page::{Broken, Found, Slot, State};
use sluice::ring::recovery::{Evidence, recover};

use super::lies::inject;
use super::rings::rings_with;
use super::{MO, at, closed, marks_of, ms, open_pair, parcel, up_to};
use crate::support::link::{BareRing, CENTRAL, EDGE, ring_name};

/// A ring that held these messages, of which some are damaged now.
fn damaged(side: Side, retrieved: u64, confirmed: u64, damaged: &[u64]) -> BareRing {
    let marks = Marks {
        retrieved: up_to(retrieved),
        sent: up_to(if side == Side::Mirror {
            retrieved
        } else {
            confirmed
        }),
        confirmed: up_to(confirmed),
        ..Marks::default()
    };
    let slots = (1..=SLOTS)
        .map(|number| match number {
            _ if damaged.contains(&number) => Found::Broken(Broken::Checksum),
            _ if number <= retrieved => Found::Slot(Slot {
                sequence: at(number),
                marks,
                parcel: parcel(number),
            }),
            _ => Found::Empty,
        })
        .collect();
    let state = State {
        number: 1,
        clean: false,
        fence: None,
        marks,
    };
    let recovered = recover(Evidence {
        side,
        epoch: Epoch::new(7).unwrap(),
        states: [Some(state), None],
        live: None,
        slots,
    });
    assert_eq!(recovered.fence, None);
    let name = ring_name("lane-0", Direction::Mo, side);
    BareRing::with(name, recovered.array)
}

#[test]
fn a_damaged_slot_of_the_mirror_is_asked_back_from_the_origin() {
    let origin = damaged(Side::Origin, 5, 5, &[]);
    let mirror = damaged(Side::Mirror, 5, 5, &[2, 4]);
    let mut pair = rings_with(origin, mirror.clone());
    for line in &mut pair.lines {
        line.loss = 200_000;
    }
    pair.run(ms(10_000));
    assert_eq!(mirror.look(|array| array.damaged().count()), 0);
    assert_eq!(pair.handed_on[CENTRAL][MO], 5);
    assert_eq!(marks_of(&mirror).processed, up_to(5));
}

#[test]
fn a_damaged_slot_of_the_origin_is_asked_back_from_the_mirror() {
    let origin = damaged(Side::Origin, 5, 5, &[1, 3]);
    let mirror = damaged(Side::Mirror, 5, 5, &[]);
    let mut pair = rings_with(origin.clone(), mirror);
    pair.hand_on = false;
    pair.run(ms(3000));
    assert_eq!(origin.look(|array| array.damaged().count()), 0);
    assert_eq!(
        origin.look(|array| array.get(at(3)).cloned()),
        Some(parcel(3))
    );
    pair.hand_on(CENTRAL, MO);
    pair.run(ms(1000));
    assert_eq!(marks_of(&origin).processed, up_to(5));
}

#[test]
fn a_message_without_any_copy_is_named_lost_and_holds_up_nobody() {
    // Damaged at the origin and never sent, or damaged at both ends.
    for (held, damaged_there) in [(1, vec![]), (5, vec![2])] {
        let origin = damaged(Side::Origin, 5, held, &[2]);
        let mirror = damaged(Side::Mirror, held, held, &damaged_there);
        let mut pair = rings_with(origin.clone(), mirror.clone());
        pair.run(ms(5000));
        pair.hand_on(CENTRAL, MO);
        pair.run(ms(5000));
        let lost = Action::Lost {
            ring: 0,
            sequence: at(2),
        };
        for end in [EDGE, CENTRAL] {
            let named = pair.actions[end].iter().filter(|it| **it == lost).count();
            assert_eq!(named, 1, "once at each end");
        }
        assert_eq!(pair.handed_on[CENTRAL][MO], 4);
        assert_eq!(marks_of(&origin).processed, up_to(5));
        assert_eq!(marks_of(&mirror).processed, up_to(5));
        assert_eq!(pair.outcomes, [(EDGE, 0, at(2), Outcome::Lost)]);
    }
}

#[test]
fn a_loss_that_could_not_be_written_down_is_told_again() {
    // Damaged at the origin and never sent, or damaged at both ends; of the latter the mirror asks, of the former nobody.
    for (held, damaged_there) in [(1, vec![]), (5, vec![2])] {
        let origin = damaged(Side::Origin, 5, held, &[2]);
        let mirror = damaged(Side::Mirror, held, held, &damaged_there);
        let mut pair = rings_with(origin.clone(), mirror.clone());
        pair.failing = 3;
        pair.run(ms(15_000));
        pair.hand_on(CENTRAL, MO);
        pair.run(ms(1000));
        assert_eq!(pair.failing, 0);
        let lost =
            |it: &&Action| matches!(it, Action::Lost { ring: 0, sequence } if *sequence == at(2));
        let named = pair.actions[EDGE].iter().filter(lost).count();
        assert_eq!(named, 1, "once, however often it is told");
        assert_eq!(pair.handed_on[CENTRAL][MO], 4);
        assert_eq!(marks_of(&origin).processed, up_to(5));
        assert_eq!(marks_of(&mirror).processed, up_to(5));
        assert_eq!(pair.outcomes, [(EDGE, 0, at(2), Outcome::Lost)]);
        assert_eq!(closed(&pair, EDGE), None, "and on the same connection");
    }
}

#[test]
fn a_message_that_was_stored_after_all_is_handed_on_though_it_was_declared_lost() {
    let mut pair = open_pair(10);
    for line in &mut pair.lines {
        line.cut = true;
    }
    pair.offer(MO, parcel(1));
    pair.disk = ms(50);
    let lost = Frame::Lost {
        index: 0,
        sequence: at(1),
    };
    inject(&mut pair, CENTRAL, &[lost]);
    pair.settle();
    // Another connection had given the message itself to the store.
    let mirror = pair.rings[CENTRAL][MO].clone();
    mirror.store(at(1), parcel(1)).unwrap();
    pair.run(ms(200));
    assert_eq!(pair.handed_on[CENTRAL][MO], 1);
    let outcome = mirror.outcome(at(1));
    assert_eq!(outcome, Some(Outcome::Accepted(SmscId::NONE)));
}

#[test]
fn a_message_that_its_checksum_does_not_fit_is_not_stored() {
    let mut pair = open_pair(10);
    let frame = Frame::Data {
        index: 0,
        first: at(1),
        messages: vec![Carried {
            retrieved_at: WallTime::from_unix_ms(5),
            checksum: 1,
            item: Bytes::from_static(b"something"),
        }],
    };
    inject(&mut pair, CENTRAL, &[frame]);
    pair.run(ms(100));
    let alarm = Action::BadChecksum {
        ring: 0,
        sequence: at(1),
    };
    assert_eq!(pair.actions[CENTRAL].first(), Some(&alarm));
    assert_eq!(marks_of(&pair.rings[CENTRAL][MO]).retrieved, up_to(0));
}
