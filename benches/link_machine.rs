//! What the link's machine makes of a line, in simulated time, and what it costs: `cargo bench --bench link_machine`.

mod support;
#[path = "../tests/support/mod.rs"]
mod test_support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use sluice::clock::WallTime;
use sluice::message::{
    Body, Coding, DeliveryKey, Item, PhoneNumber, ShortCode, ShortMessage, UserDataHeader,
};
use sluice::ring::Parcel;
use support::{Goal, figure};
use test_support::link::{CENTRAL, EDGE, Line, Pair};

/// A message of 160 characters.
fn parcel() -> Parcel {
    let text = Bytes::from_static(&[b'x'; 160]);
    let body = Body::new(Coding::Gsm7, UserDataHeader::NONE, text).expect("160 characters fit");
    let message = ShortMessage::new(
        PhoneNumber::new("358401234567").expect("a number").into(),
        ShortCode::new("12345").expect("a code").into(),
        body,
    );
    let at = WallTime::from_unix_ms(1_795_248_785_123);
    Parcel::pack(&Item::Message(message), at, DeliveryKey::NONE).expect("it fits")
}

/// The rate of one lane, and its share of 255 messages a round trip.
fn line(seed: u64, rtt: u64, loss: u64, lines: impl Fn(&mut Line)) -> (f64, f64, Pair) {
    let mut one = Line::new(Duration::from_millis(rtt / 2), loss);
    one.jitter = Duration::from_millis(rtt / 200);
    lines(&mut one);
    let mut pair = Pair::new(seed, 1, &one);
    let parcel = parcel();
    let warm = Duration::from_millis(20 * rtt);
    pair.run_full(warm, &[0], &parcel);
    let before = pair.handed_on[CENTRAL][0];
    let time = Duration::from_millis(200 * rtt);
    pair.run_full(time, &[0], &parcel);
    let rate = (pair.handed_on[CENTRAL][0] - before) as f64 / time.as_secs_f64();
    let ceiling = 255.0 * 1000.0 / rtt as f64;
    (rate, rate / ceiling, pair)
}

fn main() {
    for (name, rtt, loss, goal) in [
        ("link_share_300ms_0", 300, 0, 0.95),
        ("link_share_300ms_1", 300, 10_000, 0.90),
        ("link_share_300ms_3", 300, 30_000, 0.80),
        ("link_share_800ms_1", 800, 10_000, 0.88),
    ] {
        let mut shares: Vec<f64> = (0..5).map(|seed| line(seed, rtt, loss, |_| ()).1).collect();
        let share = support::median(&mut shares);
        let (_, _, pair) = line(9, rtt, loss, |_| ());
        let statistics = pair.peers[EDGE].statistics();
        println!(
            "# {name}: shares {shares:.3?}, rtt {:?}, loss seen {:.4}",
            statistics.round_trip, statistics.loss
        );
        figure(name, share, "of 255/rtt", Goal::AtLeast(goal));
    }
    overhead();
    cpu();
}

/// Octets beside the items, both ways together, for each message.
fn overhead() {
    for (name, lanes, rate, rtt) in [
        ("link_overhead_octets", 8, 2_000_000, 20),
        ("link_overhead_octets_one_lane_300ms", 1, 0, 300),
    ] {
        let mut line = Line::new(Duration::from_millis(rtt / 2), 0);
        line.rate = rate;
        let mut pair = Pair::new(1, lanes, &line);
        let rings: Vec<usize> = (0..lanes).map(|lane| 2 * lane).collect();
        pair.run_full(Duration::from_secs(10), &rings, &parcel());
        let messages: u64 = pair.handed_on[CENTRAL].iter().sum();
        let mut spent = 0;
        for peer in &pair.peers {
            let seen = peer.statistics();
            spent += seen.octets_sent - seen.item_octets_sent;
        }
        let octets = spent as f64 / messages as f64;
        println!(
            "# {messages} messages in 10 s, {:?}",
            pair.peers[EDGE].statistics()
        );
        figure(name, octets, "octets", Goal::AtMost(32.0));
    }
}

/// Messages a second through both machines in one thread, with arrays in memory.
fn cpu() {
    let lanes = 8;
    let mut line = Line::new(Duration::from_micros(200), 0);
    line.wrapping = 0;
    let mut pair = Pair::new(1, lanes, &line);
    let rings: Vec<usize> = (0..lanes).map(|lane| 2 * lane).collect();
    let parcel = parcel();
    pair.run_full(Duration::from_millis(200), &rings, &parcel);
    let before: u64 = pair.handed_on[CENTRAL].iter().sum();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        pair.run_full(Duration::from_millis(20), &rings, &parcel);
    }
    let messages = pair.handed_on[CENTRAL].iter().sum::<u64>() - before;
    let rate = messages as f64 / start.elapsed().as_secs_f64();
    println!("# {:?}", pair.peers[EDGE].statistics());
    figure(
        "link_machine_rate",
        rate,
        "messages/s",
        Goal::AtLeast(100_000.0),
    );
}
