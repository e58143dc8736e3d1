//! What the line is like, and what it costs: loss hidden, slow lines, outages, fairness, overhead.

use std::time::Duration;

use sluice::link::Reason;

use super::{MO, MT, closed, ms, open_pair, parcel};
use crate::support::link::{CENTRAL, EDGE, Line, Pair};

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
                // What the step led to is seen at its own time, not at that of the next one.
                pair.settle();
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
