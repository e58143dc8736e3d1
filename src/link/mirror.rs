//! The mirror's side of a ring: has messages stored, says what it holds, and tells how they ended.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::action::{Action, Actions};
use super::frame::{
    Carried, Frame, OutcomeRun, PART, Showing, is_plain, outcome_cost, part_of, parts,
};
use super::loading::{At, Loading, ask};
use super::port::{Assembly, ByAddress, Said, after, impossible, is_within, misstep, sure};
use super::reason::Reason;
use super::sent::Cargo;
use super::view::{RingView, is_lost_placeholder};
use crate::clock::{Moment, WallTime};
use crate::lane::{SLOTS, Sequence};
use crate::message::{DeliveryKey, Outcome};
use crate::ring::page::Fence;
use crate::ring::{Array, Mark, Parcel};

/// An outcome that the origin has not said *taken* of.
#[derive(Clone, Debug)]
struct Telling {
    outcome: Outcome,
    /// The packet that told it last.
    packet: u64,
    times: u8,
    arrived: bool,
    /// A packet should go for it.
    due: bool,
}

/// What a mirror keeps for one connection. All that has to live longer is in the ring.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    /// Given to the store, not yet durable.
    storing: BTreeSet<Sequence>,
    /// Of these, the ones that stand for a message of which no copy is left.
    placeholders: BTreeSet<Sequence>,
    /// Damaged here, asked for; whether to ask now.
    asking: BTreeMap<Sequence, bool>,
    /// Asked for by the origin, whose slot is damaged; with the next part to give, if it is long.
    asked: BTreeMap<Sequence, usize>,
    assemblies: BTreeMap<Sequence, Assembly>,
    pub(super) confirmed: Said,
    /// *Retrieved* as it was said last.
    retrieved: Mark,
    /// *Processed* as far as outcomes were put on the list to be told.
    processed: Mark,
    /// What the origin has taken of it.
    pub(super) taken: Mark,
    telling: ByAddress<Telling>,
    due: usize,
}

impl Mirror {
    pub(super) fn has_news(&self) -> bool {
        self.confirmed.is_fresh()
            || self.due > 0
            || !self.asked.is_empty()
            || self.asking.values().any(|&due| due)
    }

    pub(super) fn ask_again(&mut self) {
        self.asking.values_mut().for_each(|due| *due = true);
    }

    fn told(&self, first: Sequence, count: u64) -> impl Iterator<Item = Sequence> + use<> {
        (0..count).map(move |step| first.plus(step))
    }

    /// A packet with these outcomes arrived.
    pub(super) fn arrived(&mut self, first: Sequence, count: u64) {
        for sequence in self.told(first, count) {
            if let Some(telling) = self.telling.get_mut(sequence) {
                telling.arrived = true;
                if std::mem::take(&mut telling.due) {
                    self.due -= 1;
                }
            }
        }
    }

    /// A packet with these outcomes is lost (or gets no answer, for packet zero).
    pub(super) fn lost(&mut self, packet: u64, first: Sequence, count: u64) {
        for sequence in self.told(first, count) {
            if let Some(telling) = self.telling.get_mut(sequence)
                && (telling.packet == packet || packet == 0)
                && !telling.arrived
                && !telling.due
            {
                telling.due = true;
                self.due += 1;
            }
        }
    }

    /// It is time to tell these a second time, if that is still of use.
    pub(super) fn repeat(&mut self, first: Sequence, count: u64, most: u8) {
        for sequence in self.told(first, count) {
            if let Some(telling) = self.telling.get_mut(sequence)
                && !telling.arrived
                && !telling.due
                && telling.times <= most
            {
                telling.due = true;
                self.due += 1;
            }
        }
    }

    /// The far end showed the origin of this mirror (section 6 of the document).
    pub(super) fn resync<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        far: &Showing,
    ) -> Result<Option<Fence>, Reason> {
        let (marks, damaged, placeholders) = at.ring.look(|array| {
            let marks = *array.marks();
            let damaged: Vec<Sequence> = array.damaged().collect();
            let placeholders: Vec<Sequence> = after(marks.retrieved, marks.processed.up_to())
                .filter(|&sequence| array.get(sequence).is_some_and(is_lost_placeholder))
                .collect();
            (marks, damaged, placeholders)
        });
        if !is_within(&far.confirmed, &marks.retrieved)
            || !is_within(&far.processed, &marks.retrieved)
        {
            return Ok(Some(Fence::FarEndAhead));
        }
        // It was our own word that went with the power.
        for sequence in after(far.processed, marks.processed.up_to()) {
            if !marks.processed.has(sequence) {
                let done = at.ring.process(sequence);
                done.map_err(|why| misstep(at.ring, why))?;
            }
        }
        for sequence in placeholders {
            let done = at.ring.process_with(sequence, Outcome::Lost);
            done.map_err(|why| misstep(at.ring, why))?;
        }
        self.asking.extend(
            damaged
                .into_iter()
                .filter(|&sequence| !far.processed.has(sequence))
                .map(|sequence| (sequence, true)),
        );
        self.taken = far.processed;
        self.processed = far.processed;
        self.confirmed.change();
        self.look_again(at);
        Ok(None)
    }

    /// The ring changed: something more is held, or was passed on.
    pub(super) fn look_again<R: RingView>(&mut self, at: &At<'_, R>) {
        let (retrieved, processed) = at
            .ring
            .look(|array| (array.marks().retrieved, array.marks().processed));
        if retrieved != self.retrieved {
            self.retrieved = retrieved;
            self.confirmed.change();
        }
        if processed == self.processed {
            return;
        }
        // Whatever lies further back was told on another connection: the origin's window has passed it.
        let floor = processed.highest().lap_before();
        let from = self.processed.up_to().max(floor);
        for sequence in after(processed, from) {
            if self.processed.has(sequence) || self.taken.has(sequence) {
                continue;
            }
            let Some(outcome) = at.ring.outcome(sequence) else {
                continue;
            };
            if let Some(before) = self.telling.get(sequence)
                && before.due
            {
                self.due -= 1;
            }
            self.telling.put(
                sequence,
                Telling {
                    outcome,
                    packet: 0,
                    times: 0,
                    arrived: false,
                    due: true,
                },
            );
            self.due += 1;
        }
        self.processed = processed;
    }

    /// Takes messages; tells whether all of them were held before.
    pub(super) fn take_data<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        first: Sequence,
        messages: Vec<Carried>,
        actions: &mut Actions,
    ) -> Result<bool, Reason> {
        let marks = at.ring.look(|array| *array.marks());
        let last = first.plus(messages.len() as u64 - 1);
        self.check_window(at, &marks.processed, last)?;
        let mut known = true;
        for (step, carried) in messages.into_iter().enumerate() {
            let sequence = first.plus(step as u64);
            if self.wants(&marks.retrieved, &marks.processed, sequence) {
                self.take_message(at, sequence, carried, actions);
            }
            known &= marks.retrieved.has(sequence) || marks.processed.has(sequence);
        }
        Ok(known)
    }

    fn check_window<R: RingView>(
        &self,
        at: &At<'_, R>,
        processed: &Mark,
        last: Sequence,
    ) -> Result<(), Reason> {
        if last.since(processed.up_to()) > SLOTS {
            return Err(impossible(
                at.ring,
                format_args!(
                    "sent message {last}, which lies beyond the 255 after {}, the last one processed",
                    processed.up_to()
                ),
            ));
        }
        Ok(())
    }

    /// Whether a message is missing here (G10: each is taken once).
    fn wants(&self, retrieved: &Mark, processed: &Mark, sequence: Sequence) -> bool {
        !processed.has(sequence)
            && (!retrieved.has(sequence) || self.asking.contains_key(&sequence))
            && !self.storing.contains(&sequence)
    }

    fn take_message<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        sequence: Sequence,
        carried: Carried,
        actions: &mut Actions,
    ) {
        let parcel = Parcel::received(
            carried.item,
            carried.checksum,
            carried.retrieved_at,
            DeliveryKey::NONE,
        );
        match parcel {
            Some(parcel) => {
                self.storing.insert(sequence);
                actions.store(at.place, sequence, parcel);
            }
            None => actions.push(Action::BadChecksum {
                ring: at.place,
                sequence,
            }),
        }
    }

    pub(super) fn take_part<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        part: &super::frame::Part,
        actions: &mut Actions,
    ) -> Result<(), Reason> {
        let marks = at.ring.look(|array| *array.marks());
        self.check_window(at, &marks.processed, part.sequence)?;
        if !self.wants(&marks.retrieved, &marks.processed, part.sequence) {
            return Ok(());
        }
        let assembly = self
            .assemblies
            .entry(part.sequence)
            .or_insert_with(|| Assembly::of(part));
        if !assembly.fits(part) {
            *assembly = Assembly::of(part);
        }
        if let Some(whole) = assembly.add(part) {
            self.assemblies.remove(&part.sequence);
            self.take_message(at, part.sequence, whole, actions);
        }
        Ok(())
    }

    /// The origin has no copy, and neither have we: an empty message takes its place, and keeps the order.
    pub(super) fn take_lost<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        sequence: Sequence,
        actions: &mut Actions,
    ) -> Result<(), Reason> {
        let marks = at.ring.look(|array| *array.marks());
        self.check_window(at, &marks.processed, sequence)?;
        if self.wants(&marks.retrieved, &marks.processed, sequence) {
            let nothing = Parcel::received(
                Bytes::new(),
                crate::codec::checksum::crc32c(&[]),
                WallTime::default(),
                DeliveryKey::NONE,
            )
            .expect("the checksum was made of it");
            self.storing.insert(sequence);
            self.placeholders.insert(sequence);
            actions.push(Action::Lost {
                ring: at.place,
                sequence,
            });
            actions.store(at.place, sequence, nothing);
        }
        Ok(())
    }

    /// The store has made these durable: now, and not before, they are confirmed (G11).
    pub(super) fn stored<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        sequences: &[Sequence],
    ) -> Result<(), Reason> {
        for &sequence in sequences {
            self.storing.remove(&sequence);
            self.asking.remove(&sequence);
            // The message itself may have been stored meanwhile, by another connection: then it is not lost.
            let is_placeholder = |array: &Array| {
                array.flags(sequence).retrieved
                    && array.get(sequence).is_some_and(is_lost_placeholder)
            };
            if self.placeholders.remove(&sequence) && at.ring.look(is_placeholder) {
                let done = at.ring.process_with(sequence, Outcome::Lost);
                done.map_err(|why| misstep(at.ring, why))?;
            }
        }
        self.look_again(at);
        Ok(())
    }

    /// The store could not take these; they may come again.
    pub(super) fn not_stored(&mut self, sequences: &[Sequence]) {
        for sequence in sequences {
            self.storing.remove(sequence);
            self.placeholders.remove(sequence);
        }
    }

    pub(super) fn take_taken<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        taken: &Mark,
    ) -> Result<(), Reason> {
        let processed = at.ring.look(|array| array.marks().processed);
        if !is_within(taken, &processed) {
            return Err(impossible(
                at.ring,
                format_args!(
                    "took how messages ended up to {}, and {processed:?} is what was processed here",
                    taken.highest()
                ),
            ));
        }
        if taken.up_to() < self.taken.up_to() {
            return Ok(());
        }
        let before = self.taken;
        for sequence in after(*taken, before.up_to()) {
            if let Some(telling) = self.telling.remove(sequence)
                && telling.due
            {
                self.due -= 1;
            }
        }
        let mut merged = *taken;
        merged.merge(&before);
        self.taken = merged;
        Ok(())
    }

    pub(super) fn asked_mirror(&mut self, sequence: Sequence) {
        // An origin has no more damaged slots than that; what does not find room is asked for again.
        if self.asked.len() < SLOTS as usize {
            self.asked.entry(sequence).or_insert(0);
        }
    }

    /// Puts what this side has to say into a packet. Tells whether something is left.
    pub(super) fn speak<R: RingView>(&mut self, at: &At<'_, R>, loading: &mut Loading<'_>) -> bool {
        self.say_confirmed(at, loading)
            && self.tell_outcomes(at, loading)
            && ask(&mut self.asking, at.index, loading)
            && self.give_copies(at, loading)
    }

    fn say_confirmed<R: RingView>(&mut self, at: &At<'_, R>, loading: &mut Loading<'_>) -> bool {
        if !self.confirmed.is_fresh() {
            return true;
        }
        if loading.room() < 48 {
            return false;
        }
        let (retrieved, confirmed) = at
            .ring
            .look(|array| (array.marks().retrieved, array.marks().confirmed));
        Frame::Confirmed {
            index: at.index,
            mark: retrieved,
        }
        .encode(loading.out);
        let version = self.confirmed.say(loading.now, loading.number);
        loading.cargo.push(Cargo::Said {
            port: at.place,
            fact: super::sent::Fact::Confirmed,
            version,
        });
        // At a mirror, *confirmed* says that it was put on the link.
        if retrieved.up_to() > confirmed.up_to() {
            sure(at.ring, at.ring.confirm_up_to(retrieved.up_to()));
        }
        if !retrieved.ahead().is_empty() {
            for sequence in retrieved.ahead_sequences().filter(|&it| !confirmed.has(it)) {
                sure(at.ring, at.ring.confirm(sequence));
            }
        }
        true
    }

    /// Tells the outcomes that are due. Plain ones go along as often as a packet goes: they cost next to nothing.
    fn tell_outcomes<R: RingView>(&mut self, at: &At<'_, R>, loading: &mut Loading<'_>) -> bool {
        if self.due == 0 {
            return true;
        }
        let mut run = OutcomeRun::new(at.index);
        let mut stretch: Option<(Sequence, u64)> = None;
        let mut whole = true;
        let room = loading.room();
        for sequence in after(self.processed, self.taken.up_to()) {
            let Some(telling) = self.telling.get_mut(sequence) else {
                continue;
            };
            if !telling.due && !is_plain(&telling.outcome) {
                continue;
            }
            if run.length() + outcome_cost(&telling.outcome) > room {
                whole = false;
                break;
            }
            run.push(sequence, &telling.outcome);
            telling.packet = loading.number;
            telling.times = telling.times.saturating_add(1);
            if std::mem::take(&mut telling.due) {
                self.due -= 1;
            }
            match &mut stretch {
                Some((first, count)) if first.plus(*count) == sequence => *count += 1,
                _ => {
                    if let Some((first, count)) = stretch {
                        loading.cargo.push(Cargo::Outcomes {
                            port: at.place,
                            first,
                            count,
                        });
                    }
                    stretch = Some((sequence, 1));
                }
            }
        }
        if let Some((first, count)) = stretch {
            loading.cargo.push(Cargo::Outcomes {
                port: at.place,
                first,
                count,
            });
        }
        if !run.is_empty() {
            run.encode(loading.out);
        }
        whole
    }

    /// Answers an origin whose slots are damaged.
    fn give_copies<R: RingView>(&mut self, at: &At<'_, R>, loading: &mut Loading<'_>) -> bool {
        while let Some((&sequence, &number)) = self.asked.first_key_value() {
            if loading.room() < PART + 60 {
                return false;
            }
            let (parcel, waits) = at.ring.look(|array| {
                let flags = array.flags(sequence);
                let pending = !flags.retrieved && array.get(sequence).is_some();
                let parcel = array.get(sequence).filter(|_| flags.retrieved).cloned();
                (parcel, pending || flags.processed)
            });
            let index = at.index;
            match parcel {
                Some(parcel) if parcel.octets().len() <= PART => Frame::Copy {
                    index,
                    sequence,
                    message: Carried {
                        retrieved_at: parcel.retrieved_at,
                        checksum: parcel.checksum(),
                        item: parcel.octets().clone(),
                    },
                }
                .encode(loading.out),
                Some(parcel) => {
                    Frame::Part {
                        index,
                        copy: true,
                        part: part_of(sequence, &parcel, number),
                    }
                    .encode(loading.out);
                    if number + 1 < parts(parcel.octets().len()) {
                        self.asked.insert(sequence, number + 1);
                        continue;
                    }
                }
                // Its outcome, or its confirmation, is on the way.
                None if waits => {}
                None => Frame::NoCopy { index, sequence }.encode(loading.out),
            }
            self.asked.remove(&sequence);
        }
        true
    }

    /// Whether the origin sends again what was confirmed long ago: then it may have missed that.
    pub(super) fn missed(&mut self, now: Moment, patience: std::time::Duration) {
        if now - self.confirmed.at > patience {
            self.confirmed.again();
        }
    }
}
