//! Messages go, are stored, handed on and told of; what is lost goes again.

use bytes::Bytes;
use sluice::clock::Moment;
use sluice::lane::Sequence;
use sluice::link::RingView;
use sluice::link::{Action, Peer, Reason};
use sluice::message::{Outcome, Refusal, SmscId};

use super::{MO, MT, at, closed, marks_of, ms, open_pair, pair, parcel, parcel_of, up_to};
use crate::support::link::{CENTRAL, EDGE, Line, Pair};

#[test]
fn a_long_message_of_which_a_part_is_lost_while_it_is_sent_goes_again_at_once() {
    let mut pair = open_pair(20);
    pair.offer(MO, parcel_of(3000, 1));
    // The carrier takes two parts, loses the first, and has no room for the others.
    let next_part = |pair: &mut Pair| loop {
        match pair.peers[EDGE].poll_transmit(pair.now, usize::MAX) {
            Some(packet) if packet.len() > 900 => return packet,
            Some(_) => {}
            None => {
                pair.now = pair.now + ms(1);
                pair.peers[EDGE].handle_timeout(pair.now);
            }
        }
    };
    let _lost = next_part(&mut pair);
    let second = next_part(&mut pair);
    pair.now = pair.now + ms(10);
    pair.peers[CENTRAL].handle_packet(pair.now, second);
    pair.now = pair.now + ms(25);
    pair.peers[CENTRAL].handle_timeout(pair.now);
    let answer = pair.peers[CENTRAL].poll_transmit(pair.now, usize::MAX);
    pair.now = pair.now + ms(10);
    pair.peers[EDGE].handle_packet(pair.now, answer.expect("it acknowledges"));
    pair.now = pair.now + ms(100);
    pair.peers[EDGE].handle_timeout(pair.now);
    // Now that the first part is known to be lost, the carrier has room again.
    pair.run(ms(200));
    assert_eq!(pair.handed_on[CENTRAL][MO], 1);
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
