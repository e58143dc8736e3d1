//! One ring's part in a connection, and what both sides of a ring have in common.

use super::frame::Showing;
use super::mirror::Mirror;
use super::origin::Origin;
use super::reason::{Reason, Shut, ShutReason};
use super::sent::Fact;
use super::view::RingView;
use crate::clock::Moment;
use crate::lane::{Sequence, Side};
use crate::ring::{Mark, Misstep};

/// Something that is said until a packet that carried it was acknowledged. Only the newest version counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    version: u64,
    sent: u64,
    acknowledged: u64,
    /// The packet that carried it last.
    packet: u64,
    /// When it was said last, and how often this version.
    pub(super) at: Moment,
    times: u8,
}

impl Said {
    /// There is something new to say.
    pub(super) const fn change(&mut self) {
        self.version += 1;
        self.times = 0;
    }

    /// Whether a packet should go for it.
    pub(super) const fn is_fresh(&self) -> bool {
        self.version > self.sent
    }

    pub(super) const fn is_settled(&self) -> bool {
        self.acknowledged == self.version
    }

    /// It goes with that packet; gives the version.
    pub(super) const fn say(&mut self, now: Moment, packet: u64) -> u64 {
        self.sent = self.version;
        self.packet = packet;
        self.at = now;
        self.times = self.times.saturating_add(1);
        self.version
    }

    /// Whether this version was said and may be repeated.
    pub(super) const fn wants_repetition(&self, version: u64, most: u8) -> bool {
        self.version == version && self.acknowledged < version && self.times <= most
    }

    /// Let it be said once more.
    pub(super) const fn again(&mut self) {
        self.sent = self.acknowledged;
        if self.is_settled() {
            self.version += 1;
        }
    }

    pub(super) fn arrived(&mut self, version: u64) {
        self.acknowledged = self.acknowledged.max(version);
    }

    pub(super) const fn lost(&mut self, packet: u64) {
        if self.packet == packet && self.acknowledged < self.sent {
            self.sent = self.acknowledged;
        }
    }
}

/// Where a ring stands on this connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// The far end has not shown it yet.
    Waiting,
    /// A mirror that takes its origin's epoch; then what the origin showed is looked at again.
    Adopting(Box<Showing>),
    /// It takes part.
    Open,
    /// It does not, and why.
    Shut(Shut),
}

/// What differs by side.
#[derive(Debug)]
pub(super) enum Part {
    Origin(Box<Origin>),
    Mirror(Box<Mirror>),
}

/// One ring on a connection.
#[derive(Debug)]
pub(super) struct Port<R> {
    pub(super) ring: R,
    /// Its number on this connection.
    pub(super) index: Option<u64>,
    pub(super) standing: Standing,
    pub(super) showing: Said,
    pub(super) refused: Said,
    pub(super) part: Part,
    /// Whether it stands in the list of those that have something to say.
    pub(super) speaks: bool,
    /// Whether it stands in the list of those that have messages to send.
    pub(super) hungers: bool,
}

impl<R: RingView> Port<R> {
    pub(super) fn new(ring: R, index: Option<u64>) -> Self {
        let part = match ring.look(crate::ring::Array::side) {
            Side::Origin => Part::Origin(Box::default()),
            Side::Mirror => Part::Mirror(Box::default()),
        };
        let standing = match ring.fence() {
            Some(fence) => Standing::Shut(Shut {
                reason: ShutReason::Fenced(fence),
                by_far_end: false,
            }),
            None => Standing::Waiting,
        };
        Self {
            ring,
            index,
            standing,
            showing: Said::default(),
            refused: Said::default(),
            part,
            speaks: false,
            hungers: false,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.standing == Standing::Open
    }

    /// The ring as it is shown to the far end now.
    pub(super) fn show(&self, index: u64) -> Showing {
        let name = self.ring.name();
        self.ring.look(|array| Showing {
            index,
            lane: name.lane.clone(),
            direction: name.direction,
            side: name.side,
            epoch: array.epoch(),
            retrieved: array.marks().retrieved,
            sent: array.marks().sent,
            confirmed: array.marks().confirmed,
            processed: array.marks().processed,
            imprint: array
                .imprint(array.marks().retrieved.highest())
                .unwrap_or_default(),
        })
    }

    /// The fact of a kind, if this side has one.
    pub(super) fn fact(&mut self, fact: Fact) -> Option<&mut Said> {
        match (fact, &mut self.part) {
            (Fact::Showing, _) => Some(&mut self.showing),
            (Fact::Refused, _) => Some(&mut self.refused),
            (Fact::Confirmed, Part::Mirror(mirror)) => Some(&mut mirror.confirmed),
            (Fact::Taken, Part::Origin(origin)) => Some(&mut origin.taken),
            (Fact::Confirmed, Part::Origin(_)) | (Fact::Taken, Part::Mirror(_)) => None,
        }
    }

    /// Whether there is anything that a packet should go for, messages aside.
    pub(super) fn has_news(&self) -> bool {
        if self.showing.is_fresh() || self.refused.is_fresh() {
            return true;
        }
        self.is_open()
            && match &self.part {
                Part::Origin(origin) => origin.has_news(),
                Part::Mirror(mirror) => mirror.has_news(),
            }
    }
}

/// A claim that cannot be, in words that name the ring.
pub(super) fn impossible(ring: &impl RingView, claim: impl std::fmt::Display) -> Reason {
    Reason::Impossible(format!("{}: {claim}", ring.name()))
}

/// The ring would not take a step: the far end's claim cannot be, or the ring was shut at this very moment, which is
/// not the far end's fault.
pub(super) fn misstep(ring: &impl RingView, why: Misstep) -> Reason {
    match why {
        Misstep::NotHeld { .. } | Misstep::Beyond { .. } | Misstep::NotDamaged(_) => {
            impossible(ring, why)
        }
        Misstep::Fenced(_) | Misstep::Stopped => Reason::Storage(format!("{}: {why}", ring.name())),
    }
}

/// A step with something that is surely held. It fails only on a ring that was shut at this very moment; the machine is
/// told of that next.
pub(super) fn sure<T>(ring: &impl RingView, step: Result<T, Misstep>) {
    if let Err(why) = step {
        assert!(
            matches!(why, Misstep::Fenced(_) | Misstep::Stopped),
            "{}: what is held takes every step: {why}",
            ring.name()
        );
    }
}

/// All flags of a mark, from after `from` on.
pub(super) fn after(mark: Mark, from: Sequence) -> impl Iterator<Item = Sequence> {
    (from.get() + 1..=mark.up_to().get())
        .map(Sequence::new)
        .chain(
            mark.ahead_sequences()
                .filter(move |&sequence| sequence > from),
        )
}

/// Whether every flag of one mark is on in another.
pub(super) fn is_within(inner: &Mark, outer: &Mark) -> bool {
    inner.up_to() <= outer.up_to() && inner.ahead_sequences().all(|sequence| outer.has(sequence))
}

/// Puts the parts of a long message together.
#[derive(Debug)]
pub(super) struct Assembly {
    whole: Vec<u8>,
    missing: u8,
    checksum: u32,
    retrieved_at: crate::clock::WallTime,
}

impl Assembly {
    pub(super) fn of(part: &super::frame::Part) -> Self {
        Self {
            whole: vec![0; part.length],
            missing: ((1_u16 << super::frame::parts(part.length)) - 1) as u8,
            checksum: part.checksum,
            retrieved_at: part.retrieved_at,
        }
    }

    /// Whether the part belongs to the same whole.
    pub(super) fn fits(&self, part: &super::frame::Part) -> bool {
        self.whole.len() == part.length
            && self.checksum == part.checksum
            && self.retrieved_at == part.retrieved_at
    }

    /// Adds a part; gives the whole once it is complete.
    pub(super) fn add(&mut self, part: &super::frame::Part) -> Option<super::frame::Carried> {
        let start = part.number * super::frame::PART;
        self.whole[start..start + part.octets.len()].copy_from_slice(&part.octets);
        self.missing &= !(1 << part.number);
        (self.missing == 0).then(|| super::frame::Carried {
            retrieved_at: self.retrieved_at,
            checksum: self.checksum,
            item: std::mem::take(&mut self.whole).into(),
        })
    }
}

/// What belongs to each of the 255 addresses of a ring.
#[derive(Debug)]
pub(super) struct ByAddress<T>(Box<[Option<(Sequence, T)>]>);

impl<T> Default for ByAddress<T> {
    fn default() -> Self {
        Self((0..crate::lane::SLOTS).map(|_| None).collect())
    }
}

impl<T> ByAddress<T> {
    pub(super) fn get(&self, sequence: Sequence) -> Option<&T> {
        match &self.0[sequence.address().index()] {
            Some((of, found)) if *of == sequence => Some(found),
            _ => None,
        }
    }

    pub(super) fn get_mut(&mut self, sequence: Sequence) -> Option<&mut T> {
        match &mut self.0[sequence.address().index()] {
            Some((of, found)) if *of == sequence => Some(found),
            _ => None,
        }
    }

    pub(super) fn put(&mut self, sequence: Sequence, value: T) {
        self.0[sequence.address().index()] = Some((sequence, value));
    }

    pub(super) fn remove(&mut self, sequence: Sequence) -> Option<T> {
        let place = &mut self.0[sequence.address().index()];
        match place {
            Some((of, _)) if *of == sequence => place.take().map(|(_, value)| value),
            _ => None,
        }
    }
}
