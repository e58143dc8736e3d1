//! Links, rings and their messages as status shows them, at either end: what both modes have in common of it.

pub mod trace;

use std::time::Duration;

use crate::clock::WallTime;
use crate::lane::Side;
use crate::link::driver::{Alarm, LinkStatus, Phase, RingStanding};
use crate::ring::life::Rings;
use crate::status::snapshot::{FarPointers, LinkView, RingView};

/// How many lost messages of a ring are shown.
const LOST: usize = 100;

/// A link to `far`, as it is called if it did not say so itself.
pub fn link(far: &str, status: &LinkStatus) -> LinkView {
    let up = matches!(status.phase, Phase::Up | Phase::Silent);
    let line = status.line.as_ref();
    let now = line.filter(|_| up);
    LinkView {
        far: status
            .far
            .as_ref()
            .map_or_else(|| far.to_owned(), |far| far.identity.clone()),
        up,
        phase: status.phase.as_str().to_owned(),
        since_unix_ms: Some(status.since.as_unix_ms()),
        carrier: now.map(|line| line.carrier.as_str().to_owned()),
        remote: now.map(|line| line.address.to_string()),
        program: status.far.as_ref().map(|far| far.program.clone()),
        round_trip_us: now
            .and_then(|line| line.round_trip)
            .map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
        loss: now.map_or(0.0, |line| line.loss),
        octets_per_s: now.map_or(0, |line| line.rate),
        octets_sent: line.map_or(0, |line| line.octets_sent),
        packets_sent: line.map_or(0, |line| line.packets_sent),
        packets_received: line.map_or(0, |line| line.packets_received),
        outages: status.outages,
        down_ms: u64::try_from(status.outage_time.as_millis()).unwrap_or(u64::MAX),
        last_error: status
            .last_reason
            .as_ref()
            .filter(|_| !up)
            .map(|(_, why)| why.clone()),
        needs_operator: status.phase == Phase::Refused,
        contested: false,
        worry: None,
    }
}

/// All rings of a process, with what its links and their alarms say of them.
pub fn rings<'a>(
    rings: &Rings,
    links: impl IntoIterator<Item = &'a LinkStatus> + Clone,
    alarms: &[Alarm],
    now: WallTime,
) -> Vec<RingView> {
    let Rings::Open(file) = rings else {
        return Vec::new();
    };
    file.rings()
        .iter()
        .map(|ring| {
            let mut view = RingView::of(ring, now);
            let told = links
                .clone()
                .into_iter()
                .flat_map(|link| &link.rings)
                .find(|status| status.name == *ring.name());
            if let Some(told) = told {
                let is_origin = ring.name().side == Side::Origin;
                view.far = Some(FarPointers {
                    retrieved: is_origin.then(|| told.far.retrieved.up_to().get()),
                    processed: told.far.processed.up_to().get(),
                });
                if let RingStanding::Shut(why) = &told.standing {
                    view.shut = Some(why.clone());
                }
            }
            view.lost = alarms
                .iter()
                .filter_map(|alarm| match alarm {
                    Alarm::Lost { ring: of, sequence } if of == ring.name() => Some(sequence.get()),
                    _ => None,
                })
                .take(LOST)
                .collect();
            view
        })
        .collect()
}

/// A duration as the documents have it.
pub fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
