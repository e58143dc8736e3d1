//! The origin's side of a ring: sends what is not confirmed, again where it was lost, and takes outcomes.
//!
//! Here is what it knows, and what it learns from the mirror. `sending` puts messages into packets; `damage` is about
//! slots that cannot be read.

mod damage;
mod sending;

use std::collections::{BTreeMap, BTreeSet};

use super::action::Actions;
use super::frame::{Frame, Showing};
use super::loading::{At, Loading, ask};
use super::port::{Assembly, ByAddress, Said, impossible, misstep};
use super::reason::Reason;
use super::sent::{Cargo, Fact};
use super::view::RingView;
use crate::clock::Moment;
use crate::lane::{SLOTS, Sequence};
use crate::message::Outcome;
use crate::ring::Mark;
use crate::ring::page::Fence;

/// A message that was sent and is not confirmed.
#[derive(Clone, Copy, Debug)]
struct Flight {
    /// The packet that carried it last.
    packet: u64,
    at: Moment,
    times: u8,
    /// A packet that carried it was acknowledged.
    arrived: bool,
}

/// A long message on its way into packets.
#[derive(Clone, Copy, Debug)]
struct Parting {
    sequence: Sequence,
    /// Its next part.
    next: usize,
    /// The packet that carried its first one, once there is one.
    since: Option<u64>,
}

impl Parting {
    const fn begin(sequence: Sequence) -> Self {
        Self {
            sequence,
            next: 0,
            since: None,
        }
    }
}

/// What an origin keeps for one connection. All that has to live longer is in the ring.
#[derive(Debug, Default)]
pub(super) struct Origin {
    flights: ByAddress<Flight>,
    /// To be sent again, in order.
    again: BTreeSet<Sequence>,
    /// Due to be carried a second time if there is room.
    spare: BTreeSet<Sequence>,
    /// The long message that is being sent.
    parting: Option<Parting>,
    /// Outcomes that the owner is keeping.
    taking: BTreeMap<Sequence, Outcome>,
    /// Damaged here, asked for; whether to ask now.
    asking: BTreeMap<Sequence, bool>,
    /// Asked for by a mirror that confirmed it and cannot read it any more.
    asked: BTreeSet<Sequence>,
    /// No copy is left anywhere.
    lost: BTreeSet<Sequence>,
    copies: BTreeMap<Sequence, Assembly>,
    pub(super) taken: Said,
    /// What the mirror holds, as far as it said.
    pub(super) far_retrieved: Mark,
    /// What the mirror told the outcomes of.
    pub(super) far_processed: Mark,
}

impl Origin {
    pub(super) fn has_news(&self) -> bool {
        self.taken.is_fresh() || self.asking.values().any(|&due| due)
    }

    /// A packet with it arrived.
    pub(super) fn arrived(&mut self, sequence: Sequence) {
        if let Some(flight) = self.flights.get_mut(sequence) {
            flight.arrived = true;
        }
        self.spare.remove(&sequence);
        self.again.remove(&sequence);
    }

    /// A packet with it is lost.
    pub(super) fn lost(&mut self, packet: u64, sequence: Sequence) -> bool {
        let sole = self
            .flights
            .get(sequence)
            .is_some_and(|flight| flight.packet == packet && !flight.arrived);
        if sole {
            self.again.insert(sequence);
        }
        sole
    }

    /// The oldest packets get no answer: what they carried goes again.
    pub(super) fn probe(&mut self, sequence: Sequence) {
        if self.flights.get(sequence).is_some() {
            self.again.insert(sequence);
        }
    }

    /// It is time to carry it a second time, if that is still of use. Tells whether it is.
    pub(super) fn repeat(&mut self, sequence: Sequence, most: u8) -> bool {
        let useful = self
            .flights
            .get(sequence)
            .is_some_and(|flight| !flight.arrived && flight.times <= most);
        if useful {
            self.spare.insert(sequence);
        }
        useful
    }

    pub(super) fn forget_spare(&mut self) {
        self.spare.clear();
    }

    pub(super) fn has_spare(&self) -> bool {
        !self.spare.is_empty()
    }

    fn flies(&mut self, sequence: Sequence, now: Moment, packet: u64) -> u8 {
        let times = self.flights.get(sequence).map_or(0, |flight| flight.times);
        let times = times.saturating_add(1);
        let flight = Flight {
            packet,
            at: now,
            times,
            arrived: false,
        };
        self.flights.put(sequence, flight);
        times
    }
}

impl Origin {
    /// The far end showed its mirror of this origin (section 6 of the document). Tells why the ring must be fenced,
    /// if it must.
    pub(super) fn resync<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        far: &Showing,
        actions: &mut Actions,
    ) -> Result<Option<Fence>, Reason> {
        let highest = far.retrieved.highest();
        let (marks, damaged, imprint): (_, Vec<Sequence>, _) = at.ring.look(|array| {
            let damaged = array.damaged().collect();
            (*array.marks(), damaged, array.imprint(highest))
        });
        // An older file that has taken new messages since may have come as far as the mirror, with other messages.
        let differs = far.imprint != 0 && imprint.is_some_and(|ours| ours != far.imprint);
        if highest > marks.retrieved.highest() || differs {
            return Ok(Some(Fence::FarEndAhead));
        }
        self.far_retrieved = far.retrieved;
        self.far_processed = far.processed;
        self.confirm_all(at, &far.retrieved)?;
        // From last confirmed to last sent (G10): what of it the mirror does not hold goes again.
        let open: Vec<Sequence> = at.ring.look(|array| array.unconfirmed().collect());
        self.again.extend(open);
        for sequence in damaged {
            if far.processed.has(sequence) {
                continue;
            }
            if far.retrieved.has(sequence) {
                self.asking.insert(sequence, true);
            } else {
                self.declare(at.place, sequence, actions);
            }
        }
        self.taken.change();
        Ok(None)
    }

    fn confirm_all<R: RingView>(&mut self, at: &At<'_, R>, held: &Mark) -> Result<(), Reason> {
        let (retrieved, confirmed) = at.ring.look(|array| {
            let marks = array.marks();
            (marks.retrieved.highest(), marks.confirmed)
        });
        let highest = held.highest();
        if highest > retrieved {
            return Err(impossible(
                at.ring,
                format_args!(
                    "confirmed up to {highest}, and {retrieved} is the last one retrieved"
                ),
            ));
        }
        if held.up_to() > confirmed.up_to() {
            let done = at.ring.confirm_up_to(held.up_to());
            done.map_err(|why| misstep(at.ring, why))?;
        }
        if !held.ahead().is_empty() {
            for sequence in held.ahead_sequences().filter(|&it| !confirmed.has(it)) {
                let done = at.ring.confirm(sequence);
                done.map_err(|why| misstep(at.ring, why))?;
            }
        }
        if !self.again.is_empty() {
            let (lost, asked) = (&self.lost, &self.asked);
            self.again.retain(|sequence| {
                !held.has(*sequence) || lost.contains(sequence) || asked.contains(sequence)
            });
        }
        if !self.spare.is_empty() {
            self.spare.retain(|&sequence| !held.has(sequence));
        }
        Ok(())
    }

    pub(super) fn take_confirmed<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        held: &Mark,
    ) -> Result<(), Reason> {
        self.confirm_all(at, held)?;
        if held.up_to() >= self.far_retrieved.up_to() {
            self.far_retrieved = *held;
        }
        Ok(())
    }

    pub(super) fn take_outcomes<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        told: Vec<(Sequence, Outcome)>,
        actions: &mut Actions,
    ) -> Result<(), Reason> {
        let (retrieved, processed) = at
            .ring
            .look(|array| (array.marks().retrieved, array.marks().processed));
        for (sequence, _) in &told {
            if !retrieved.has(*sequence) {
                return Err(impossible(
                    at.ring,
                    format_args!(
                        "told how message {sequence} ended, and {} is the last one retrieved",
                        retrieved.highest()
                    ),
                ));
            }
        }
        for (sequence, outcome) in told {
            if processed.has(sequence) || self.taking.contains_key(&sequence) {
                continue;
            }
            self.taking.insert(sequence, outcome.clone());
            self.far_processed_has(sequence);
            actions.outcome(at.place, sequence, outcome);
        }
        Ok(())
    }

    fn far_processed_has(&mut self, sequence: Sequence) {
        let mark = &mut self.far_processed;
        if sequence.since(mark.up_to()) > SLOTS {
            mark.raise(sequence.lap_before());
        }
        mark.set(sequence);
    }

    /// The owner has kept these outcomes: the messages are processed, and the mirror may forget.
    pub(super) fn outcomes_taken<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        sequences: &[Sequence],
    ) -> Result<(), Reason> {
        let mut ended = Vec::with_capacity(sequences.len());
        for &sequence in sequences {
            ended.push((sequence, self.taking.remove(&sequence)));
            self.flights.remove(sequence);
            self.again.remove(&sequence);
            self.spare.remove(&sequence);
            self.asking.remove(&sequence);
            self.lost.remove(&sequence);
        }
        let done = at.ring.process_all(ended);
        done.map_err(|why| misstep(at.ring, why))?;
        self.taken.change();
        Ok(())
    }

    /// Messages that arrived long ago and are not confirmed, and lost ones of which no outcome came: the far end could not
    /// take them then.
    pub(super) fn stale<R: RingView>(&mut self, ring: &R, before: Moment) -> bool {
        let mut open: Vec<Sequence> = ring.look(|array| array.unconfirmed().collect());
        open.extend(&self.lost);
        let mut found = false;
        for sequence in open {
            let waits = self
                .flights
                .get(sequence)
                .is_none_or(|flight| flight.at < before);
            if waits && self.again.insert(sequence) {
                found = true;
            }
        }
        found
    }

    /// Puts what this side has to say into a packet, messages aside. Tells whether all of it found room.
    pub(super) fn speak<R: RingView>(&mut self, at: &At<'_, R>, loading: &mut Loading<'_>) -> bool {
        if self.taken.is_fresh() {
            if loading.room() < 48 {
                return false;
            }
            let mark = at.ring.look(|array| array.marks().processed);
            Frame::Taken {
                index: at.index,
                mark,
            }
            .encode(loading.out);
            let version = self.taken.say(loading.now, loading.number);
            loading.cargo.push(Cargo::Said {
                port: at.place,
                fact: Fact::Taken,
                version,
            });
        }
        ask(&mut self.asking, at.index, loading)
    }
}
