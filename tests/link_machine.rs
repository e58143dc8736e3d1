//! The link's machine, two ends at a time, in a time that only the test moves.

#[path = "link_machine/chaos.rs"]
mod chaos;
#[path = "link_machine/damage.rs"]
mod damage;
#[path = "link_machine/lies.rs"]
mod lies;
#[path = "link_machine/line.rs"]
mod line;
#[path = "link_machine/messages.rs"]
mod messages;
#[path = "link_machine/outage.rs"]
mod outage;
#[path = "link_machine/random.rs"]
mod random;
#[path = "link_machine/rings.rs"]
mod rings;
mod support;

use std::time::Duration;

use sluice::clock::WallTime;
use sluice::codec::checksum::crc32c;
use sluice::lane::Sequence;
use sluice::link::{Action, Peer, Reason, RingView, ShutReason};
use sluice::message::DeliveryKey;
use sluice::ring::{Mark, Marks, Parcel};
use support::link::{BareRing, CENTRAL, EDGE, Line, Pair};

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
