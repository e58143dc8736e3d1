//! The access log: one line for each message and each change of its state, with lane, direction, sequence, address and
//! how long after it was retrieved. Parties and texts never come near it.
//!
//! A [`Follower`] reads them off a ring: it compares the marks with those that it saw last. It runs beside the lane in a
//! task of its own, so a slow log delays nothing; if it lags, changes come in one go, none is left out, and only how long
//! it took is unknown of a message that came and went between two looks.

use std::time::Duration;

use crate::clock::WallTime;
use crate::lane::{Direction, Lane, SLOTS, Sequence, Side};
use crate::message::Outcome;
use crate::ring::{Mark, Marks, Ring};

/// The target of access lines; what is logged of it is chosen by `access` in `[log]`.
pub const TARGET: &str = "sluice_access";

/// One change of one message.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Its lane.
    pub lane: &'a Lane,
    /// From the phone or to it.
    pub direction: Direction,
    /// Its number.
    pub sequence: Sequence,
    /// What happened, in one word.
    pub what: &'a str,
    /// How long after it was retrieved.
    pub after: Option<Duration>,
    /// The carrier's code and the like; never a number or a text of a subscriber.
    pub detail: Option<&'a str>,
}

/// Writes a line.
pub fn note(step: &Step<'_>) {
    tracing::info!(
        target: TARGET,
        lane = %step.lane,
        direction = %step.direction,
        sequence = %step.sequence,
        address = %step.sequence.address(),
        after_us = step.after.map(|after| u64::try_from(after.as_micros()).unwrap_or(u64::MAX)),
        detail = step.detail,
        "{}",
        step.what
    );
}

/// Follows one ring.
pub struct Follower {
    ring: Ring,
    seen: Marks,
    /// By address: when the message there was retrieved; it is asked for when the message is gone.
    retrieved_at: Box<[WallTime]>,
}

impl Follower {
    /// Begins with what is there: what happened before is not told again.
    pub fn new(ring: Ring) -> Self {
        let mut retrieved_at = vec![WallTime::default(); SLOTS as usize].into_boxed_slice();
        let seen = ring.look(|array| {
            for address in crate::lane::Address::all() {
                if let Some(parcel) = array.get(array.at(address)) {
                    retrieved_at[address.index()] = parcel.retrieved_at;
                }
            }
            *array.marks()
        });
        Self {
            ring,
            seen,
            retrieved_at,
        }
    }

    /// Tells what has happened since.
    pub fn step(&mut self, now: WallTime) {
        let before = self.seen;
        let retrieved_at = &mut self.retrieved_at;
        self.seen = self.ring.look(|array| {
            let after = *array.marks();
            for sequence in between(&before.retrieved, &after.retrieved) {
                if let Some(parcel) = array.get(sequence) {
                    retrieved_at[sequence.address().index()] = parcel.retrieved_at;
                }
            }
            after
        });
        let after = self.seen;
        for sequence in between(&before.retrieved, &after.retrieved) {
            self.tell(sequence, "retrieved", now, None);
        }
        if self.ring.name().side == Side::Origin {
            for sequence in between(&before.sent, &after.sent) {
                self.tell(sequence, "sent", now, None);
            }
        }
        for sequence in between(&before.confirmed, &after.confirmed) {
            self.tell(sequence, "confirmed", now, None);
        }
        for number in before.offered.get() + 1..=after.offered.get() {
            self.tell(Sequence::new(number), "offered", now, None);
        }
        for sequence in between(&before.processed, &after.processed) {
            let outcome = self.ring.outcome(sequence);
            let detail = match &outcome {
                // The SMSC's words may name a number; its code does not.
                Some(Outcome::Refused(refusal)) => {
                    refusal.code.map(|code| format!("refused {code}"))
                }
                Some(outcome) => Some(outcome.as_str().to_owned()),
                None => None,
            };
            self.tell(sequence, "processed", now, detail.as_deref());
        }
    }

    /// Follows until the task is ended.
    pub async fn run(mut self, clock: crate::clock::Clock) {
        let mut changes = self.ring.changes();
        while changes.changed().await.is_ok() {
            self.step(clock.wall());
        }
    }

    fn tell(&self, sequence: Sequence, what: &str, now: WallTime, detail: Option<&str>) {
        let name = self.ring.name();
        let at = self.retrieved_at[sequence.address().index()];
        note(&Step {
            lane: &name.lane,
            direction: name.direction,
            sequence,
            what,
            after: (at != WallTime::default()).then(|| now.since(at)),
            detail,
        });
    }
}

/// What a mark has now and had not before.
fn between<'m>(before: &'m Mark, after: &'m Mark) -> impl Iterator<Item = Sequence> + 'm {
    (before.up_to().get() + 1..=after.highest().get())
        .map(Sequence::new)
        .filter(|&sequence| after.has(sequence) && !before.has(sequence))
}
