//! The link's machine, two ends at a time, in a time that only the test moves.

mod support;

use std::time::Duration;

use bytes::Bytes;
use sluice::clock::{Moment, WallTime};
use sluice::codec::checksum::crc32c;
use sluice::lane::{Direction, Epoch, Lane, SLOTS, Sequence, Side};
use sluice::link::frame::{Ack, Carried, Frame, Showing};
use sluice::link::packet::{self, Hello};
use sluice::link::{Action, Config, Peer, Reason, RingView, Role, ShutReason};
use sluice::message::{DeliveryKey, Outcome, Refusal, SmscId};
use sluice::ring::page::{Broken, Fence, Found, Slot, State};
use sluice::ring::recovery::{Evidence, recover};
use sluice::ring::{Array, Mark, Marks, Parcel};
use support::link::{BareRing, CENTRAL, EDGE, Line, Pair, bare_rings, config, ring_name};

const MO: usize = 0;
const MT: usize = 1;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn parcel_of(octets: usize, number: u64) -> Parcel {
    let mut item = vec![b'.'; octets.max(8)];
    item[..8].copy_from_slice(&number.to_le_bytes());
    let sum = crc32c(&item);
    let at = WallTime::from_unix_ms(1_795_248_785_000 + number);
    Parcel::received(item.into(), sum, at, DeliveryKey::NONE).unwrap()
}

fn parcel(number: u64) -> Parcel {
    parcel_of(180, number)
}

fn pair(rtt: u64) -> Pair {
    Pair::new(1, 1, &Line::new(ms(rtt) / 2, 0))
}

fn open_pair(rtt: u64) -> Pair {
    let mut pair = pair(rtt);
    pair.run(ms(3 * rtt + 20));
    assert!(pair.peers.iter().all(Peer::is_open));
    for end in [EDGE, CENTRAL] {
        pair.actions[end].clear();
    }
    pair
}

fn at(number: u64) -> Sequence {
    Sequence::new(number)
}

fn up_to(number: u64) -> Mark {
    let mut mark = Mark::default();
    mark.raise(at(number));
    mark
}

fn marks_of(ring: &BareRing) -> Marks {
    ring.look(|array| *array.marks())
}

/// The reason for which an end's connection closed, and whether the far end said so.
fn closed(pair: &Pair, end: usize) -> Option<(Reason, bool)> {
    pair.actions[end].iter().find_map(|action| match action {
        Action::Closed { reason, by_far_end } => Some((reason.clone(), *by_far_end)),
        _ => None,
    })
}

fn shut(pair: &Pair, end: usize) -> Option<(usize, ShutReason, bool)> {
    pair.actions[end].iter().find_map(|action| match action {
        Action::RingShut { ring, shut } => Some((*ring, shut.reason.clone(), shut.by_far_end)),
        _ => None,
    })
}

#[test]
fn messages_go_both_ways_and_end_processed_at_both_ends() {
    let mut pair = pair(100);
    for number in 1..=100 {
        assert!(pair.offer(MO, parcel(number)) && pair.offer(MT, parcel(number)));
    }
    pair.run(ms(2000));
    for (end, ring) in [(CENTRAL, MO), (EDGE, MT)] {
        assert_eq!(pair.handed_on[end][ring], 100);
        let origin = marks_of(&pair.rings[1 - end][ring]);
        let mirror = marks_of(&pair.rings[end][ring]);
        assert_eq!(origin.processed, up_to(100));
        assert_eq!(origin.confirmed, up_to(100));
        assert_eq!(mirror.processed, up_to(100));
    }
}

#[test]
fn g7_a_message_lies_at_the_same_address_at_both_ends() {
    let mut pair = pair(100);
    pair.hand_on = false;
    for number in 1..=255 {
        assert!(pair.offer(MO, parcel(number)));
    }
    assert!(
        !pair.offer(MO, parcel(256)),
        "G8: a full ring takes nothing"
    );
    pair.run(ms(1000));
    let [edge, central] = [&pair.rings[EDGE][MO], &pair.rings[CENTRAL][MO]];
    for number in 1..=255 {
        let there = central.look(|array| array.get(at(number)).cloned());
        assert_eq!(edge.look(|array| array.get(at(number)).cloned()), there);
        assert_eq!(there, Some(parcel(number)));
    }
}

#[test]
fn nothing_is_confirmed_before_the_store_has_answered() {
    let mut pair = open_pair(20);
    pair.disk = ms(5000);
    for number in 1..=20 {
        pair.offer(MO, parcel(number));
    }
    pair.run(ms(4000));
    let marks = marks_of(&pair.rings[EDGE][MO]);
    assert_eq!(
        (marks.sent.up_to(), marks.confirmed.up_to()),
        (at(20), at(0))
    );
    pair.run(ms(3000));
    assert_eq!(marks_of(&pair.rings[EDGE][MO]).confirmed.up_to(), at(20));
}

#[test]
fn nothing_is_processed_before_the_owner_has_kept_the_outcome() {
    let mut pair = open_pair(20);
    pair.keep = false;
    pair.offer(MO, parcel(1));
    pair.run(ms(3000));
    assert_eq!(marks_of(&pair.rings[CENTRAL][MO]).processed.up_to(), at(1));
    let marks = marks_of(&pair.rings[EDGE][MO]);
    assert_eq!(
        (marks.confirmed.up_to(), marks.processed.up_to()),
        (at(1), at(0))
    );
    let asked = pair.actions[EDGE]
        .iter()
        .filter(|it| matches!(it, Action::Outcomes { .. }));
    assert_eq!(asked.count(), 1, "asked once, not at each repetition");
    pair.peers[EDGE].outcomes_taken(pair.now, MO, &[at(1)]);
    pair.run(ms(100));
    assert_eq!(marks_of(&pair.rings[EDGE][MO]).processed.up_to(), at(1));
    assert_eq!(pair.peers[CENTRAL].far(MO).processed, up_to(1));
}

#[test]
fn g10_a_new_connection_sends_from_last_confirmed_up_to_last_sent() {
    let mut pair = open_pair(100);
    pair.hand_on = false;
    for number in 1..=30 {
        pair.offer(MO, parcel(number));
    }
    pair.run(ms(500));
    for line in &mut pair.lines {
        line.cut = true;
    }
    for number in 31..=70 {
        pair.offer(MO, parcel(number));
    }
    pair.run(ms(200));
    let before = marks_of(&pair.rings[EDGE][MO]);
    assert_eq!(
        (before.confirmed.up_to(), before.sent.up_to()),
        (at(30), at(70))
    );
    for line in &mut pair.lines {
        line.cut = false;
    }
    pair.reconnect();
    let sent = pair.peers[EDGE].statistics().item_octets_sent;
    pair.run(ms(1000));
    assert_eq!(
        pair.peers[EDGE].statistics().item_octets_sent - sent,
        40 * 180
    );
    assert_eq!(marks_of(&pair.rings[CENTRAL][MO]).retrieved, up_to(70));
    assert_eq!(marks_of(&pair.rings[EDGE][MO]).confirmed, up_to(70));
}

#[test]
fn what_came_before_the_break_is_not_sent_again() {
    let mut pair = open_pair(100);
    pair.hand_on = false;
    // Confirmations are lost, and two messages in between.
    pair.lines[CENTRAL].cut = true;
    for number in 1..=30 {
        pair.offer(MO, parcel(number));
    }
    pair.run(ms(90));
    assert_eq!(marks_of(&pair.rings[CENTRAL][MO]).retrieved, up_to(30));
    pair.lines[CENTRAL].cut = false;
    pair.reconnect();
    pair.run(ms(1000));
    assert_eq!(pair.peers[EDGE].statistics().item_octets_sent, 0);
    assert_eq!(marks_of(&pair.rings[EDGE][MO]).confirmed, up_to(30));
}

#[test]
fn many_laps_go_over_a_line_that_loses_doubles_and_overtakes() {
    let mut line = Line::new(ms(20), 80_000);
    line.doubled = 50_000;
    line.jitter = ms(30);
    let mut pair = Pair::new(3, 1, &line);
    let mut offered = 0;
    while offered < 2000 {
        while offered < 2000 && pair.offer(MO, parcel(offered + 1)) {
            offered += 1;
        }
        pair.run(ms(10));
        assert!(
            pair.now < Moment::from_micros(60_000_000),
            "{offered} after a minute"
        );
    }
    pair.run(ms(3000));
    assert_eq!(pair.handed_on[CENTRAL][MO], 2000);
    assert_eq!(marks_of(&pair.rings[EDGE][MO]).processed, up_to(2000));
}

#[test]
fn a_message_goes_at_once_when_the_link_is_idle() {
    let mut pair = open_pair(300);
    pair.run(ms(1000));
    let before = pair.peers[EDGE].statistics().item_octets_sent;
    pair.offer(MO, parcel(1));
    pair.settle();
    assert_eq!(pair.peers[EDGE].statistics().item_octets_sent - before, 180);
}

#[test]
fn small_messages_share_packets() {
    let mut pair = open_pair(300);
    pair.run(ms(1000));
    let before = pair.peers[EDGE].statistics().packets_sent;
    for number in 1..=100 {
        assert!(pair.offer(MO, parcel_of(100, number)));
    }
    pair.run(ms(140));
    let packets = pair.peers[EDGE].statistics().packets_sent - before;
    assert_eq!(marks_of(&pair.rings[EDGE][MO]).sent.up_to(), at(100));
    assert!(packets <= 13, "{packets} packets for 10,000 octets");
}

#[test]
fn long_messages_go_in_parts_and_arrive_whole() {
    let mut line = Line::new(ms(20), 100_000);
    line.jitter = ms(10);
    let mut pair = Pair::new(5, 1, &line);
    pair.hand_on = false;
    let lengths = [961, 1920, 1921, 3836, 100, 960, 2000];
    for (number, length) in (1..).zip(lengths) {
        assert!(pair.offer(MO, parcel_of(length, number)));
        assert!(pair.offer(MT, parcel_of(length, number)));
    }
    pair.run(ms(10_000));
    for (number, length) in (1..).zip(lengths) {
        for (end, ring) in [(CENTRAL, MO), (EDGE, MT)] {
            let there = pair.rings[end][ring].look(|array| array.get(at(number)).cloned());
            assert_eq!(there, Some(parcel_of(length, number)));
        }
    }
}

/// How many of 255 messages a round trip come through.
fn share(seed: u64, rtt: u64, loss: u64) -> f64 {
    let mut line = Line::new(ms(rtt / 2), loss);
    line.jitter = ms(rtt / 200);
    let mut pair = Pair::new(seed, 1, &line);
    pair.run_full(ms(20 * rtt), &[MO], &parcel(1));
    let before = pair.handed_on[CENTRAL][MO];
    pair.run_full(ms(100 * rtt), &[MO], &parcel(1));
    (pair.handed_on[CENTRAL][MO] - before) as f64 / (100.0 * 255.0)
}

#[test]
fn loss_is_hidden_where_the_line_has_room() {
    for (rtt, loss, least) in [
        (300, 0, 0.95),
        (300, 10_000, 0.90),
        (300, 30_000, 0.80),
        (800, 10_000, 0.88),
    ] {
        let mut shares: Vec<f64> = (1..=3).map(|seed| share(seed, rtt, loss)).collect();
        shares.sort_by(f64::total_cmp);
        assert!(
            shares[1] >= least,
            "{rtt} ms, {loss} of a million lost: {shares:?}"
        );
    }
}

#[test]
fn a_slow_line_never_flaps_and_is_used() {
    // 50 kbit/s, 600 ms, a queue of ten seconds: whoever fills it is not heard in time.
    let mut line = Line::new(ms(300), 0);
    line.rate = 6250;
    line.queue = 62_500;
    let mut pair = Pair::new(1, 1, &line);
    for _ in 0..300 {
        pair.run_full(ms(1000), &[MO, MT], &parcel(1));
        assert_eq!(closed(&pair, EDGE), None);
        assert_eq!(closed(&pair, CENTRAL), None);
    }
    for (end, ring) in [(CENTRAL, MO), (EDGE, MT)] {
        let octets = pair.handed_on[end][ring] * 180;
        let share = octets as f64 / (300.0 * 6250.0);
        assert!(share > 0.6, "way {ring} used {share:.2} of the line");
    }
    let round_trip = pair.peers[EDGE].statistics().round_trip.unwrap();
    assert!(round_trip < ms(4000), "{round_trip:?}");
}

#[test]
fn an_idle_link_does_not_flap_on_a_bad_line() {
    let mut line = Line::new(ms(150), 100_000);
    line.jitter = ms(100);
    let mut pair = Pair::new(8, 1, &line);
    pair.run(Duration::from_secs(600));
    assert_eq!(closed(&pair, EDGE), None);
    assert_eq!(closed(&pair, CENTRAL), None);
}

#[test]
fn a_half_open_connection_is_noticed_within_three_round_trips_and_a_second() {
    for rtt in [2, 50, 300, 800] {
        for direction in [EDGE, CENTRAL] {
            let mut pair = open_pair(rtt);
            pair.run(ms(10_000 + 37 * rtt));
            pair.lines[direction].cut = true;
            let cut_at = pair.now;
            // The last packet on its way still arrives; from then on it counts.
            let deaf = 1 - direction;
            while closed(&pair, deaf).is_none() {
                assert!(pair.step(cut_at + ms(60_000)), "it was never noticed");
            }
            let noticed = pair.now - cut_at;
            let limit = ms(3 * rtt + 1000) + ms(rtt) / 2;
            assert!(noticed <= limit, "{rtt} ms: noticed after {noticed:?}");
            let (reason, by_far_end) = closed(&pair, deaf).unwrap();
            assert!(matches!(reason, Reason::Silence(_)) && !by_far_end);
        }
    }
}

#[test]
fn lanes_share_a_narrow_line_evenly() {
    let mut line = Line::new(ms(20), 0);
    line.rate = 40_000;
    line.queue = 40_000;
    let lanes = 5;
    let mut pair = Pair::new(1, lanes, &line);
    let rings: Vec<usize> = (0..lanes).map(|lane| 2 * lane).collect();
    pair.run_full(ms(20_000), &rings, &parcel(1));
    let counts: Vec<u64> = rings
        .iter()
        .map(|&ring| pair.handed_on[CENTRAL][ring])
        .collect();
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(*least > 400 && most - least <= 260, "{counts:?}");
}

#[test]
fn overhead_stays_below_32_octets_a_message() {
    for (lanes, rate, rtt) in [(8, 2_000_000, 20), (1, 0, 300)] {
        let mut line = Line::new(ms(rtt / 2), 0);
        line.rate = rate;
        let mut pair = Pair::new(1, lanes, &line);
        let rings: Vec<usize> = (0..lanes).map(|lane| 2 * lane).collect();
        pair.run_full(ms(5000), &rings, &parcel(1));
        let messages: u64 = pair.handed_on[CENTRAL].iter().sum();
        let spent: u64 = pair
            .peers
            .iter()
            .map(|peer| peer.statistics().octets_sent - peer.statistics().item_octets_sent)
            .sum();
        let each = spent as f64 / messages as f64;
        assert!(each <= 32.0, "{each:.1} octets a message");
    }
}

#[test]
fn outcomes_come_back_as_they_were_told() {
    let mut line = Line::new(ms(20), 150_000);
    line.jitter = ms(20);
    let mut pair = Pair::new(2, 1, &line);
    pair.hand_on = false;
    let outcomes: Vec<Outcome> = (1..=200_u32)
        .map(|number| match number % 6 {
            0 => Outcome::Accepted(SmscId::new(Bytes::from(format!("35840/{number}"))).unwrap()),
            1 => Outcome::Refused(Refusal::new(Some(number), "throttled")),
            2 => Outcome::Refused(Refusal::new(None, "no such party")),
            3 => Outcome::Expired,
            4 => Outcome::Doubtful,
            _ => Outcome::Accepted(SmscId::NONE),
        })
        .collect();
    for number in 1..=200 {
        pair.offer(MT, parcel(number));
    }
    pair.run(ms(3000));
    let mirror = pair.rings[EDGE][MT].clone();
    // In any order.
    for number in (1..=200).rev() {
        let outcome = outcomes[number as usize - 1].clone();
        mirror.process_with(at(number), outcome).unwrap();
        pair.peers[EDGE].ring_changed(pair.now, MT);
        pair.run(ms(3));
    }
    pair.run(ms(5000));
    let mut told: Vec<(Sequence, Outcome)> = pair
        .outcomes
        .iter()
        .map(|(end, ring, sequence, outcome)| {
            assert_eq!((*end, *ring), (CENTRAL, MT));
            (*sequence, outcome.clone())
        })
        .collect();
    told.sort_by_key(|told| told.0);
    let expected: Vec<(Sequence, Outcome)> = (1..)
        .map(at)
        .zip(outcomes)
        .filter(|(_, outcome)| *outcome != Outcome::Accepted(SmscId::NONE))
        .collect();
    assert_eq!(told, expected);
    assert_eq!(marks_of(&pair.rings[CENTRAL][MT]).processed, up_to(200));
    assert_eq!(pair.peers[EDGE].far(MT).processed, up_to(200));
}

#[test]
fn an_orderly_end_is_named_at_both_ends_though_packets_are_lost() {
    let mut pair = Pair::new(4, 1, &Line::new(ms(20), 300_000));
    pair.run(ms(500));
    pair.peers[EDGE].close(pair.now, Reason::Stopping);
    pair.run(ms(3000));
    assert_eq!(closed(&pair, EDGE), Some((Reason::Stopping, false)));
    assert_eq!(closed(&pair, CENTRAL), Some((Reason::Stopping, true)));
    assert!(pair.peers.iter().all(Peer::is_gone));
}

// ---- who is who -------------------------------------------------------------------------------------------------

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

// ---- epochs, fences -----------------------------------------------------------------------------------------------

fn rings_with(edge: BareRing, central: BareRing) -> Pair {
    Pair::with(1, [vec![edge], vec![central]], &Line::new(ms(10), 0))
}

fn mo(side: Side, epoch: u64) -> BareRing {
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

// ---- damage -------------------------------------------------------------------------------------------------------

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

// ---- lies ---------------------------------------------------------------------------------------------------------

/// Gives an end frames that its far end never sent.
fn inject(pair: &mut Pair, end: usize, frames: &[Frame]) {
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
