//! What is known of one message, told: from the ledger by its identity, from the rings by its place.

use super::ledger::{PartTrack, Track};
use crate::clock::WallTime;
use crate::lane::{Direction, Sequence};
use crate::message::ReportState;
use crate::ring::Ring;
use crate::ring::life::Rings;
use crate::status::snapshot::{PartView, StepView, TraceView};
pub(super) use crate::view::trace::placed;
use crate::view::trace::{flags_without_time, step};

/// A text to a phone, as the ledger and the rings know it.
pub(super) fn tracked(id: &str, track: &Track, rings: &Rings, now: WallTime) -> TraceView {
    let lane = track.lane.as_ref().map(|(lane, _)| lane.clone());
    let taken = || step(track.taken_at, "central", "taken", None);
    let mut parts: Vec<PartView> = track
        .parts
        .iter()
        .map(|part| {
            let sequence = Sequence::new(part.sequence);
            let mut steps = vec![taken()];
            steps.extend(way(part, ring(rings, track, sequence).as_ref(), now));
            PartView {
                lane: lane.clone(),
                direction: String::from("mt"),
                sequence: Some(part.sequence),
                address: Some(sequence.address().get()),
                smsc_id: part
                    .ended
                    .as_ref()
                    // CIMD2 names by the phone's number, which is nobody's business here.
                    .filter(|ended| !ended.id.is_empty() && !ended.id.contains(&b'/'))
                    .map(|ended| ended.id.escape_ascii().to_string()),
                report: part
                    .report
                    .as_ref()
                    .and_then(|told| ReportState::from_number(told.state))
                    .map(|state| format!("{state:?}").to_lowercase()),
                steps,
            }
        })
        .collect();
    if parts.is_empty() {
        parts.push(PartView {
            lane: None,
            direction: String::from("mt"),
            sequence: None,
            address: None,
            smsc_id: None,
            report: None,
            steps: vec![taken()],
        });
    }
    TraceView {
        id: id.to_owned(),
        state: track.state.as_str().replace('_', " "),
        parts,
    }
}

/// What happened to a part since it lies on its lane; `ring` as long as its slot is not another's.
fn way(part: &PartTrack, ring: Option<&Ring>, now: WallTime) -> Vec<StepView> {
    let sequence = Sequence::new(part.sequence);
    let times = ring.and_then(|ring| ring.times(sequence));
    let times = times.unwrap_or_default();
    let mut steps = vec![step(part.placed_at, "central", "retrieved", None)];
    let sent = part.sent_at.or(times.sent);
    steps.extend(sent.map(|at| step(at, "central", "sent", None)));
    let confirmed = part.confirmed_at.or(times.confirmed);
    steps.extend(confirmed.map(|at| step(at, "edge", "confirmed", None)));
    if let Some(ended) = &part.ended {
        let detail = Some(ended.outcome.clone());
        steps.push(step(ended.at, "edge", "processed", detail));
    }
    if let Some(told) = &part.report {
        let state = ReportState::from_number(told.state);
        let detail = state.map(|state| format!("{state:?}").to_lowercase());
        steps.push(step(told.at, "central", "reported", detail));
    }
    let untimed = ring.and_then(|ring| flags_without_time(ring, sequence));
    steps.extend(untimed.map(|flags| step(now, "central", "now", Some(flags))));
    steps
}

/// The ring that a message lies on, while its slot is not free.
fn ring(rings: &Rings, track: &Track, sequence: Sequence) -> Option<Ring> {
    let Rings::Open(file) = rings else {
        return None;
    };
    let (lane, epoch) = track.lane.as_ref()?;
    let ring = file.rings().into_iter().find(|ring| {
        let name = ring.name();
        name.lane.as_str() == lane && name.direction == Direction::Mt
    })?;
    let is_there =
        ring.look(|array| array.epoch().get() == *epoch && array.get(sequence).is_some());
    is_there.then_some(ring)
}
