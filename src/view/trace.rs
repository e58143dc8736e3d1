//! One message by its place: what its ring at this end knows of it, with times.

use crate::clock::WallTime;
use crate::lane::{Direction, Lane, Sequence, Side};
use crate::message::Outcome;
use crate::ring::life::Rings;
use crate::ring::{Flags, Ring, Times};
use crate::status::snapshot::{PartView, StepView, TraceView};

/// Something that happened to a message.
pub fn step(at: WallTime, end: &str, what: &str, detail: Option<String>) -> StepView {
    StepView {
        at_unix_ms: at.as_unix_ms(),
        end: end.to_owned(),
        what: what.to_owned(),
        detail,
    }
}

/// The message at a place, written `edge/lane:mo:SEQUENCE`; nothing if its ring is not here, or another message has come
/// to its address since.
pub fn placed(rings: &Rings, id: &str, end: &str, now: WallTime) -> Option<TraceView> {
    let (lane, direction, sequence) = place(id)?;
    let Rings::Open(file) = rings else {
        return None;
    };
    let ring = file.rings().into_iter().find(|ring| {
        let name = ring.name();
        name.lane == lane && name.direction == direction
    })?;
    let (held, retrieved, flags) = ring.look(|array| {
        let retrieved = array.marks().retrieved.has(sequence);
        (
            array.get(sequence).cloned(),
            retrieved,
            array.flags(sequence),
        )
    });
    let times = ring.times(sequence);
    if !retrieved || (held.is_none() && times.is_none()) {
        return None;
    }
    let times = times.unwrap_or_default();
    // The origin's slot says when it was taken; the mirror has that from the far end, and not when it came here.
    let taken = held
        .filter(|_| ring.name().side == Side::Origin)
        .map(|parcel| parcel.retrieved_at);
    let far = if end == "edge" { "central" } else { "edge" };
    let is_origin = ring.name().side == Side::Origin;
    // What happens behind the ring is the far end's to tell; at a mirror this is the far end.
    let behind = if is_origin { far } else { end };
    let outcome = ring.outcome(sequence).map(|outcome| in_words(&outcome));
    let steps = [
        times
            .stored
            .or(taken)
            .map(|at| step(at, end, "retrieved", None)),
        times.sent.map(|at| step(at, end, "sent", None)),
        times
            .confirmed
            .map(|at| step(at, behind, "confirmed", None)),
        times.offered.map(|at| step(at, end, "offered", None)),
        times
            .processed
            .map(|at| step(at, behind, "processed", outcome.clone())),
        flags_without_time(&ring, sequence).map(|flags| step(now, end, "now", Some(flags))),
    ];
    Some(TraceView {
        id: id.to_owned(),
        state: state(flags, outcome),
        parts: vec![PartView {
            lane: Some(lane.to_string()),
            direction: direction.as_str().to_owned(),
            sequence: Some(sequence.get()),
            address: Some(sequence.address().get()),
            smsc_id: None,
            report: None,
            steps: steps.into_iter().flatten().collect(),
        }],
    })
}

fn place(id: &str) -> Option<(Lane, Direction, Sequence)> {
    let (ring, sequence) = id.rsplit_once(':')?;
    let (lane, direction) = ring.rsplit_once(':')?;
    let direction = [Direction::Mo, Direction::Mt]
        .into_iter()
        .find(|known| known.as_str() == direction)?;
    let sequence = Sequence::new(sequence.parse().ok()?);
    (!sequence.is_none()).then_some((lane.parse().ok()?, direction, sequence))
}

/// The SMSC's words may name a number; its code does not.
fn in_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Refused(refusal) => match refusal.code {
            Some(code) => format!("refused {code}"),
            None => outcome.as_str().to_owned(),
        },
        _ => outcome.as_str().to_owned(),
    }
}

fn state(flags: Flags, outcome: Option<String>) -> String {
    let word = match flags {
        Flags {
            processed: true, ..
        } => return outcome.unwrap_or_else(|| "processed".into()),
        Flags {
            confirmed: true, ..
        } => "confirmed",
        Flags { sent: true, .. } => "sent",
        _ => "retrieved",
    };
    word.to_owned()
}

/// Flags of a message that were set before the last start: the ring knows that they are, and not since when.
pub fn flags_without_time(ring: &Ring, sequence: Sequence) -> Option<String> {
    let flags = ring.look(|array| array.flags(sequence));
    let Times {
        stored,
        sent,
        confirmed,
        processed,
        ..
    } = ring.times(sequence).unwrap_or_default();
    // What a mirror holds it was sent and has confirmed by that.
    let (sent, confirmed) = match ring.name().side {
        Side::Origin => (sent, confirmed),
        Side::Mirror => (stored, confirmed.or(stored)),
    };
    let untimed: Vec<&str> = [
        (flags.retrieved && stored.is_none(), "retrieved"),
        (flags.sent && sent.is_none(), "sent"),
        (flags.confirmed && confirmed.is_none(), "confirmed"),
        (flags.processed && processed.is_none(), "processed"),
    ]
    .into_iter()
    .filter_map(|(untimed, name)| untimed.then_some(name))
    .collect();
    (!untimed.is_empty()).then(|| untimed.join(", "))
}
