//! Who is who: hellos, identities, epochs, fences.

use bytes::Bytes;
use sluice::clock::Moment;
use sluice::lane::{Direction, Epoch, Lane, Side};
use sluice::link::packet::Hello;
use sluice::link::{Action, Peer, Reason, RingView, Role, ShutReason, packet};
use sluice::ring::Array;
use sluice::ring::page::Fence;

use super::{MO, MT, at, closed, marks_of, ms, open_pair, pair, parcel, shut, up_to};
use crate::support::link::{BareRing, CENTRAL, EDGE, Line, Pair, bare_rings, config, ring_name};

fn hello(lowest: u8, highest: u8, identity: &str) -> Bytes {
    Hello {
        lowest,
        highest,
        role: 1,
        instance: 1,
        identity: identity.into(),
        program: "sluice 9.9".into(),
    }
    .encode()
    .into()
}

fn refusal(peer: &mut Peer<BareRing>) -> (Reason, Reason) {
    let said =
        std::iter::from_fn(|| peer.poll_transmit(Moment::from_micros(2_000_000), 1200)).last();
    let Ok(packet::Packet::Refusal { reason, .. }) = packet::decode(said.expect("it answers"))
    else {
        panic!("that was no refusal");
    };
    let Some(Action::Closed {
        reason: ours,
        by_far_end: false,
    }) = peer.poll_action()
    else {
        panic!("the connection is not closed");
    };
    (ours, reason)
}

fn central() -> Peer<BareRing> {
    let [_, rings] = bare_rings(1);
    Peer::new(Moment::from_micros(2_000_000), config(Role::Central), rings)
}

#[test]
fn no_common_version_names_the_end_to_upgrade() {
    let now = Moment::from_micros(2_000_000);
    let mut peer = central();
    peer.handle_packet(now, hello(2, 3, "oslo"));
    let (ours, told) = refusal(&mut peer);
    assert_eq!(ours, told);
    assert_eq!(
        told.to_string(),
        "no common version: central speaks versions 1 to 1 of the link, oslo (sluice 9.9) speaks 2 to 3; upgrade central"
    );
    let mut peer = central();
    peer.handle_packet(now, hello(0, 0, "oslo"));
    assert!(refusal(&mut peer).1.words().ends_with("upgrade oslo"));
    // A newer end that still speaks ours is welcome.
    let mut peer = central();
    peer.handle_packet(now, hello(1, 9, "oslo"));
    assert!(peer.is_open());
}

#[test]
fn another_identity_than_the_certificate_says_is_refused() {
    let mut peer = central();
    peer.handle_packet(Moment::from_micros(2_000_000), hello(1, 1, "bergen"));
    let (ours, told) = refusal(&mut peer);
    assert_eq!(ours, told);
    assert!(
        matches!(told, Reason::Identity(words) if words.contains("bergen") && words.contains("oslo"))
    );
}

#[test]
fn a_ring_that_one_end_does_not_know_is_refused_and_the_others_go_on() {
    let [edge, mut central] = bare_rings(2);
    central.truncate(2);
    let mut pair = Pair::with(1, [edge, central], &Line::new(ms(10), 0));
    pair.run(ms(500));
    let refused = pair.actions[EDGE]
        .iter()
        .filter(|it| matches!(it, Action::RingShut { shut, .. } if shut.reason == ShutReason::Unknown && shut.by_far_end));
    assert_eq!(refused.count(), 2);
    pair.offer(MO, parcel(1));
    pair.run(ms(500));
    assert_eq!(pair.handed_on[CENTRAL][MO], 1);
}

#[test]
fn an_edge_gets_no_lane_of_another_edge() {
    let now = Moment::from_micros(2_000_000);
    let bergen = |side| {
        let lane = Lane::new("bergen", "a").unwrap();
        BareRing::new(sluice::lane::RingName::new(lane, Direction::Mo, side), 5)
    };
    let mut pair = pair(10);
    pair.peers[EDGE] = Peer::new(now, config(Role::Edge), vec![bergen(Side::Origin)]);
    pair.peers[CENTRAL] = Peer::new(now, config(Role::Central), vec![bergen(Side::Mirror)]);
    pair.run(ms(500));
    let (ring, reason, by_far_end) = shut(&pair, EDGE).expect("it is refused");
    assert_eq!((ring, by_far_end), (0, true));
    assert!(reason.to_string().contains("another edge"), "{reason}");
    assert_eq!(pair.peers[CENTRAL].ring_standing(0), Ok(false));
}

pub(crate) fn rings_with(edge: BareRing, central: BareRing) -> Pair {
    Pair::with(1, [vec![edge], vec![central]], &Line::new(ms(10), 0))
}

pub(crate) fn mo(side: Side, epoch: u64) -> BareRing {
    BareRing::new(ring_name("lane-0", Direction::Mo, side), epoch)
}

#[test]
fn two_lives_of_a_ring_do_not_meet() {
    let origin = mo(Side::Origin, 7);
    origin.append(parcel(1));
    let mirror = mo(Side::Mirror, 8);
    mirror.store(at(1), parcel(9)).unwrap();
    let mut pair = rings_with(origin.clone(), mirror.clone());
    pair.run(ms(1000));
    let (_, reason, by_far_end) = shut(&pair, CENTRAL).unwrap();
    assert!(matches!(reason, ShutReason::Epoch { .. }) && !by_far_end);
    let (_, reason, by_far_end) = shut(&pair, EDGE).unwrap();
    assert!(reason.to_string().contains("sluice ring renew") && by_far_end);
    assert_eq!(
        marks_of(&mirror).retrieved,
        up_to(1),
        "and neither is touched"
    );
    assert_eq!(
        mirror.look(|array| array.get(at(1)).cloned()),
        Some(parcel(9))
    );
    assert_eq!(marks_of(&origin).sent, up_to(0));
    assert!(closed(&pair, EDGE).is_none(), "other rings would go on");
}

#[test]
fn a_mirror_that_was_never_used_takes_its_origins_epoch() {
    // Whichever end it lies at.
    for direction in [Direction::Mo, Direction::Mt] {
        let name = |side| ring_name("lane-0", direction, side);
        let origin = BareRing::new(name(Side::Origin), 7);
        let mirror = BareRing::new(name(Side::Mirror), 8);
        let (end, rings) = match direction {
            Direction::Mo => (CENTRAL, [vec![origin.clone()], vec![mirror]]),
            Direction::Mt => (EDGE, [vec![mirror], vec![origin.clone()]]),
        };
        origin.append(parcel(1));
        let mut pair = Pair::with(1, rings, &Line::new(ms(10), 0));
        pair.run(ms(300));
        let adopt = pair.actions[end].iter().find_map(|action| match action {
            Action::Adopt { ring: 0, epoch } => Some(*epoch),
            _ => None,
        });
        assert_eq!(adopt, Epoch::new(7));
        let renewed = BareRing::new(name(Side::Mirror), 7);
        pair.rings[end][0] = renewed.clone();
        pair.peers[end].adopted(pair.now, 0, renewed.clone());
        pair.run(ms(2000));
        assert_eq!(marks_of(&renewed).processed, up_to(1), "{direction}");
        assert_eq!(marks_of(&origin).processed, up_to(1));
    }
}

#[test]
fn a_mirror_that_took_its_epoch_elsewhere_shows_it_again_when_its_ring_opens() {
    // The edge shows its unused mirror; while that is under way, an older connection brings the origin's epoch to it.
    let name = |side| ring_name("lane-0", Direction::Mt, side);
    let mirror = BareRing::new(name(Side::Mirror), 8);
    let origin = BareRing::new(name(Side::Origin), 7);
    origin.append(parcel(1));
    let mut pair = rings_with(mirror.clone(), origin.clone());
    pair.run(ms(2));
    mirror.change(|array| *array = Array::new(Side::Mirror, Epoch::new(7).unwrap()));
    pair.run(ms(1000));
    for end in [EDGE, CENTRAL] {
        assert_eq!(pair.peers[end].ring_standing(0), Ok(true));
        let adopt = |it: &Action| matches!(it, Action::Adopt { .. });
        assert!(!pair.actions[end].iter().any(adopt), "it has it already");
    }
    assert_eq!(marks_of(&mirror).processed, up_to(1));
    assert_eq!(marks_of(&origin).processed, up_to(1));
}

#[test]
fn an_origin_older_than_what_was_sent_from_it_is_fenced() {
    let origin = mo(Side::Origin, 7);
    origin.append(parcel(1));
    let mirror = mo(Side::Mirror, 7);
    for number in 1..=3 {
        mirror.store(at(number), parcel(number)).unwrap();
    }
    let mut pair = rings_with(origin.clone(), mirror.clone());
    pair.run(ms(1000));
    let fence = Action::Fence {
        ring: 0,
        fence: Fence::FarEndAhead,
    };
    assert!(pair.actions[EDGE].contains(&fence));
    assert!(
        !pair.actions[CENTRAL].contains(&fence),
        "the mirror is in order"
    );
    assert!(shut(&pair, CENTRAL).is_some_and(|(_, _, by_far_end)| by_far_end));
    assert_eq!(marks_of(&origin).confirmed, up_to(0));
}

#[test]
fn an_older_origin_that_took_other_messages_since_is_fenced() {
    // Messages 1 to 4 crossed; then the edge's disk was put back, and its SMSC brought six others.
    let edge = mo(Side::Origin, 1000);
    for number in 101..=106 {
        assert!(edge.append(parcel(number)));
    }
    let central = mo(Side::Mirror, 1000);
    for number in 1..=4 {
        central.store(at(number), parcel(number)).unwrap();
        central.process(at(number)).unwrap();
    }
    let mut pair = rings_with(edge.clone(), central);
    pair.run(ms(500));
    let (_, reason, by_far_end) = shut(&pair, EDGE).expect("it is shut");
    assert_eq!(reason, ShutReason::Fenced(Fence::FarEndAhead));
    assert!(!by_far_end);
    let marks = marks_of(&edge);
    assert_eq!(
        (marks.confirmed.up_to(), marks.processed.up_to()),
        (at(0), at(0))
    );
}

#[test]
fn a_mirror_older_than_what_it_confirmed_is_fenced() {
    let origin = mo(Side::Origin, 7);
    for number in 1..=5 {
        origin.append(parcel(number));
    }
    origin.confirm_up_to(at(3)).unwrap();
    let mirror = mo(Side::Mirror, 7);
    mirror.store(at(1), parcel(1)).unwrap();
    let mut pair = rings_with(origin.clone(), mirror);
    pair.run(ms(1000));
    let fence = Action::Fence {
        ring: 0,
        fence: Fence::FarEndAhead,
    };
    assert!(pair.actions[CENTRAL].contains(&fence));
    assert!(
        !pair.actions[EDGE].contains(&fence),
        "the origin is in order"
    );
    assert!(shut(&pair, EDGE).is_some_and(|(_, _, by_far_end)| by_far_end));
}

#[test]
fn a_fenced_ring_takes_no_part_and_both_ends_say_why() {
    for end in [EDGE, CENTRAL] {
        let rings = bare_rings(1);
        rings[end][MO].fence_with(Fence::OlderCopy);
        let mut pair = Pair::with(1, rings, &Line::new(ms(10), 0));
        pair.run(ms(1000));
        let there = shut(&pair, 1 - end).expect("the other end is told");
        assert!(
            there.1.to_string().contains("older than what was promised"),
            "{}",
            there.1
        );
        assert!(pair.peers[end].ring_standing(MO).is_err());
        pair.offer(MT, parcel(1));
        pair.run(ms(500));
        assert_eq!(pair.handed_on[EDGE][MT], 1, "the other ring goes on");
    }
}

#[test]
fn marks_that_a_mirror_lost_with_the_power_come_back_from_its_origin() {
    let mut pair = open_pair(10);
    for number in 1..=9 {
        pair.offer(MO, parcel(number));
    }
    pair.run(ms(500));
    // The mirror forgets what it handed on, not what it holds.
    let mirror = mo(Side::Mirror, 1000);
    for number in 1..=9 {
        mirror.store(at(number), parcel(number)).unwrap();
    }
    pair.rings[CENTRAL][MO] = mirror.clone();
    pair.reconnect();
    pair.hand_on = false;
    pair.run(ms(500));
    assert_eq!(marks_of(&mirror).processed, up_to(9));
}
