//! Claims that cannot be, octets that are no packet, and calls that come too early.

use bytes::Bytes;
use sluice::clock::WallTime;
use sluice::codec::checksum::crc32c;
use sluice::lane::{Direction, Epoch, Lane, Side};
use sluice::link::frame::{Ack, Carried, Frame, Showing};
use sluice::link::{Config, Reason, Role, ShutReason, packet};
use sluice::message::Outcome;
use sluice::ring::Array;

use super::rings::{mo, rings_with};
use super::{MO, MT, at, closed, marks_of, ms, open_pair, parcel, shut, up_to};
use crate::support::link::{BareRing, CENTRAL, EDGE, Pair, config, ring_name};

/// Gives an end frames that its far end never sent.
pub(crate) fn inject(pair: &mut Pair, end: usize, frames: &[Frame]) {
    let packet = packet::encode_frames(100_000, frames);
    pair.peers[end].handle_packet(pair.now, packet.into());
}

/// The end hears the frame, cuts the connection off, and both ends know why; no ring is touched.
fn is_cut_off(end: usize, frame: Frame, words: &str) {
    let mut pair = open_pair(10);
    pair.hand_on = false;
    for number in 1..=3 {
        pair.offer(MO, parcel(number));
        pair.offer(MT, parcel(number));
    }
    pair.run(ms(500));
    let before = [0, 1].map(|end| [0, 1].map(|ring| marks_of(&pair.rings[end][ring])));
    inject(&mut pair, end, std::slice::from_ref(&frame));
    pair.run(ms(2000));
    let (ours, by_far_end) = closed(&pair, end).unwrap_or_else(|| panic!("{frame:?} was believed"));
    assert!(!by_far_end && ours.to_string().contains(words), "{ours}");
    let (theirs, by_far_end) = closed(&pair, 1 - end).expect("the other end is told");
    assert!(by_far_end, "{theirs}");
    assert_eq!(ours, theirs);
    let after = [0, 1].map(|end| [0, 1].map(|ring| marks_of(&pair.rings[end][ring])));
    assert_eq!(before, after, "no ring is harmed by {frame:?}");
}

#[test]
fn a_far_end_that_lies_is_cut_off_with_the_reason_named_at_both_ends() {
    let message = Carried {
        retrieved_at: WallTime::from_unix_ms(5),
        checksum: crc32c(b"x"),
        item: Bytes::from_static(b"x"),
    };
    // MO has index 0 and its origin at the edge; three messages are there.
    is_cut_off(
        EDGE,
        Frame::Confirmed {
            index: 0,
            mark: up_to(4),
        },
        "confirmed up to 4, and 3 is the last",
    );
    let mut ahead = up_to(1);
    ahead.set(at(200));
    is_cut_off(
        EDGE,
        Frame::Confirmed {
            index: 0,
            mark: ahead,
        },
        "confirmed up to 200",
    );
    is_cut_off(
        EDGE,
        Frame::Outcomes {
            index: 0,
            told: vec![(at(4), Outcome::Expired)],
        },
        "told how message 4 ended",
    );
    is_cut_off(
        CENTRAL,
        Frame::Data {
            index: 0,
            first: at(255),
            messages: vec![message.clone(), message.clone()],
        },
        "sent message 256, which lies beyond the 255 after 0",
    );
    is_cut_off(
        CENTRAL,
        Frame::Lost {
            index: 0,
            sequence: at(300),
        },
        "sent message 300",
    );
    is_cut_off(
        CENTRAL,
        Frame::Taken {
            index: 0,
            mark: up_to(1),
        },
        "took how messages ended up to 1",
    );
    is_cut_off(
        EDGE,
        Frame::Data {
            index: 0,
            first: at(4),
            messages: vec![message],
        },
        "the other side of a ring",
    );
    is_cut_off(
        EDGE,
        Frame::Confirmed {
            index: 9,
            mark: up_to(0),
        },
        "ring 9, which was never named",
    );
    is_cut_off(
        EDGE,
        Frame::Ack(Ack {
            largest: 90_000,
            delay: 0,
            run: 0,
            runs: vec![],
        }),
        "packet 90000, which was never sent",
    );
    let showing = |lane: &str, retrieved| {
        Frame::Ring(Box::new(Showing {
            index: 0,
            lane: Lane::new("oslo", lane).unwrap(),
            direction: Direction::Mo,
            side: Side::Origin,
            epoch: Epoch::new(1000).unwrap(),
            retrieved: up_to(retrieved),
            sent: up_to(3),
            confirmed: up_to(3),
            processed: up_to(0),
            imprint: 0,
        }))
    };
    is_cut_off(CENTRAL, showing("other", 3), "and is now called oslo/other");
    is_cut_off(CENTRAL, showing("lane-0", 2), "pointers out of order");
}

#[test]
fn octets_that_are_no_packet_end_the_connection_as_malformed() {
    for octets in [
        &b""[..],
        b"\x77",
        b"\x01",
        b"\x01\x05\xEE",
        b"\xC5SLNX",
        b"\xC6SLNK\x01",
    ] {
        let mut pair = open_pair(10);
        pair.peers[CENTRAL].handle_packet(pair.now, Bytes::copy_from_slice(octets));
        pair.run(ms(1000));
        let (reason, _) = closed(&pair, CENTRAL).unwrap_or_else(|| panic!("{octets:?} was taken"));
        assert!(matches!(reason, Reason::Malformed(_)), "{reason}");
        assert_eq!(closed(&pair, EDGE), Some((reason, true)));
    }
}

#[test]
fn a_store_that_failed_shuts_its_ring_only() {
    let mut pair = open_pair(10);
    pair.peers[CENTRAL].ring_failed(pair.now, MO, "syncing the ring file failed");
    pair.run(ms(500));
    let (ring, reason, by_far_end) = shut(&pair, EDGE).unwrap();
    assert_eq!((ring, by_far_end), (MO, true));
    assert!(reason.to_string().contains("syncing the ring file failed"));
    pair.offer(MO, parcel(1));
    pair.offer(MT, parcel(1));
    pair.run(ms(500));
    assert_eq!(marks_of(&pair.rings[EDGE][MO]).sent, up_to(0));
    assert_eq!(pair.handed_on[EDGE][MT], 1);
}

#[test]
fn a_timeout_called_too_early_does_no_harm() {
    let mut pair = open_pair(100);
    for number in 1..=50 {
        pair.offer(MO, parcel(number));
    }
    let until = pair.now + ms(1000);
    while pair.step(until) {
        let now = pair.now;
        for peer in &mut pair.peers {
            peer.handle_timeout(now);
            peer.handle_timeout(now);
        }
    }
    assert_eq!(pair.handed_on[CENTRAL][MO], 50);
    let statistics = pair.peers[EDGE].statistics();
    assert!(statistics.packets_sent < 40, "{statistics:?}");
}

#[test]
fn nothing_is_built_without_room_in_the_transport() {
    let mut pair = open_pair(10);
    pair.offer(MO, parcel(1));
    assert_eq!(pair.peers[EDGE].poll_transmit(pair.now, 1000), None);
    assert!(
        pair.peers[EDGE]
            .poll_transmit(pair.now, 1100)
            .is_some_and(|it| it.len() <= 1100)
    );
}

#[test]
fn an_array_of_the_other_side_does_not_open() {
    let mut pair = rings_with(
        mo(Side::Origin, 7),
        BareRing::with(
            ring_name("lane-0", Direction::Mo, Side::Origin),
            Array::new(Side::Origin, Epoch::new(7).unwrap()),
        ),
    );
    pair.run(ms(500));
    assert!(matches!(
        shut(&pair, CENTRAL),
        Some((0, ShutReason::SameSide, false))
    ));
    let _: &Config = &config(Role::Edge);
}

#[test]
fn a_far_end_that_acknowledges_nothing_is_given_up_and_costs_little() {
    let mut pair = open_pair(10);
    for number in 100_000..500_000 {
        let packet = packet::encode_frames(number, &[Frame::Ping]);
        pair.now = pair.now + ms(40);
        pair.peers[CENTRAL].handle_packet(pair.now, packet.into());
        pair.peers[CENTRAL].handle_timeout(pair.now);
        while pair.peers[CENTRAL]
            .poll_transmit(pair.now, usize::MAX)
            .is_some()
        {}
        if !pair.peers[CENTRAL].is_open() {
            break;
        }
    }
    while let Some(action) = pair.peers[CENTRAL].poll_action() {
        pair.actions[CENTRAL].push(action);
    }
    let (reason, _) = closed(&pair, CENTRAL).expect("it was given up");
    assert!(
        reason.to_string().contains("acknowledges nothing"),
        "{reason}"
    );
}

#[test]
fn asks_without_end_are_not_remembered_without_end() {
    let mut pair = open_pair(10);
    for number in 0..200 {
        let frames: Vec<Frame> = (1..=200)
            .map(|step| Frame::Ask {
                index: 0,
                sequence: at(number * 200 + step),
            })
            .collect();
        let packet = packet::encode_frames(100_000 + number, &frames);
        pair.peers[CENTRAL].handle_packet(pair.now, packet.into());
    }
    let size = format!("{:?}", pair.peers[CENTRAL]).len();
    assert!(size < 200_000, "a machine of {size} octets of description");
}
