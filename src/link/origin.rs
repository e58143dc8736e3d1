//! The origin's side of a ring: sends what is not confirmed, again where it was lost, and takes outcomes.

use std::collections::{BTreeMap, BTreeSet};

use super::action::{Action, Actions};
use super::frame::{Carried, DataRun, Frame, PART, Showing, data_cost, part_of, parts};
use super::port::{Assembly, ByAddress, Said, impossible, misstep};
use super::reason::Reason;
use super::sent::{Cargo, Fact};
use super::view::RingView;
use crate::clock::Moment;
use crate::lane::{SLOTS, Sequence};
use crate::message::{DeliveryKey, Outcome};
use crate::ring::page::Fence;
use crate::ring::{Array, Mark, Parcel};

/// Octets of messages that a ring sends before the next one has its turn.
const TURN: usize = 600;

/// A message that was sent and is not confirmed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    /// The packet that carried it last.
    packet: u64,
    at: Moment,
    times: u8,
    /// A packet that carried it was acknowledged.
    arrived: bool,
}

/// What an origin keeps for one connection. All that has to live longer is in the ring.
#[derive(Debug, Default)]
pub(super) struct Origin {
    flights: ByAddress<Flight>,
    /// To be sent again, in order.
    again: BTreeSet<Sequence>,
    /// Due to be carried a second time if there is room.
    spare: BTreeSet<Sequence>,
    /// The long message that is being sent, and its next part.
    parting: Option<(Sequence, usize)>,
    /// Outcomes that the owner is keeping.
    taking: BTreeSet<Sequence>,
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

    pub(super) fn ask_again(&mut self) {
        self.asking.values_mut().for_each(|due| *due = true);
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

/// Asks for the copies that are due. Tells whether all found room.
pub(super) fn ask(
    asking: &mut BTreeMap<Sequence, bool>,
    index: u64,
    loading: &mut Loading<'_>,
) -> bool {
    for (&sequence, due) in asking.iter_mut().filter(|(_, due)| **due) {
        if loading.room() < 16 {
            return false;
        }
        Frame::Ask { index, sequence }.encode(loading.out);
        *due = false;
    }
    true
}

/// The next message to be put on the link for the first time.
fn next_new(array: &Array, from: Sequence) -> Option<Sequence> {
    let marks = array.marks();
    let mut next = from.max(marks.sent.up_to().next());
    while next <= array.accepted() && marks.retrieved.has(next) {
        if !marks.sent.has(next) && array.get(next).is_some() {
            return Some(next);
        }
        next = next.next();
    }
    None
}

/// The packet that is being built, as far as messages concern it.
pub(super) struct Loading<'a> {
    pub(super) now: Moment,
    pub(super) number: u64,
    pub(super) out: &'a mut Vec<u8>,
    pub(super) limit: usize,
    pub(super) cargo: &'a mut Vec<Cargo>,
    /// Messages that went for the first or second time, to be carried once more later.
    pub(super) repeatable: &'a mut Vec<(usize, Sequence)>,
    /// Octets of items so far.
    pub(super) items: u64,
}

impl Loading<'_> {
    pub(super) fn room(&self) -> usize {
        self.limit.saturating_sub(self.out.len())
    }
}

/// Which ring, where it stands among the ports, and its number on this connection.
pub(super) struct At<'a, R> {
    pub(super) ring: &'a R,
    pub(super) place: usize,
    pub(super) index: u64,
}

/// What became of a message that was to be put into a packet.
enum Loaded {
    /// It is in.
    In,
    /// It needs none any more.
    Gone,
    /// It is long, and goes in parts.
    Long,
    /// There is no room.
    Full,
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
        let (marks, damaged): (_, Vec<Sequence>) = at
            .ring
            .look(|array| (*array.marks(), array.damaged().collect()));
        if far.retrieved.highest() > marks.retrieved.highest() {
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
                declare(at.place, self, sequence, actions);
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
            if processed.has(sequence) || !self.taking.insert(sequence) {
                continue;
            }
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
        for &sequence in sequences {
            self.taking.remove(&sequence);
            self.flights.remove(sequence);
            self.again.remove(&sequence);
            self.spare.remove(&sequence);
            self.asking.remove(&sequence);
            self.lost.remove(&sequence);
            let done = at.ring.process(sequence);
            done.map_err(|why| misstep(at.ring, why))?;
        }
        self.taken.change();
        Ok(())
    }

    /// The mirror's slot is damaged.
    pub(super) fn asked_origin<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        sequence: Sequence,
        actions: &mut Actions,
    ) -> Result<(), Reason> {
        let (here, waits) = at.ring.look(|array| {
            let flags = array.flags(sequence);
            (
                array.get(sequence).is_some(),
                flags.retrieved && !flags.processed,
            )
        });
        if here {
            self.asked.insert(sequence);
            self.again.insert(sequence);
        } else if waits {
            self.asking.remove(&sequence);
            declare(at.place, self, sequence, actions);
        }
        Ok(())
    }

    pub(super) fn take_no_copy<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        sequence: Sequence,
        actions: &mut Actions,
    ) {
        if self.asking.remove(&sequence).is_some() {
            declare(at.place, self, sequence, actions);
        }
    }

    pub(super) fn take_copy<R: RingView>(
        &self,
        at: &At<'_, R>,
        sequence: Sequence,
        carried: Carried,
        actions: &mut Actions,
    ) {
        if !self.asking.contains_key(&sequence) {
            return;
        }
        let parcel = Parcel::received(
            carried.item,
            carried.checksum,
            carried.retrieved_at,
            DeliveryKey::NONE,
        );
        actions.push(match parcel {
            Some(parcel) => Action::Repair {
                ring: at.place,
                sequence,
                parcel,
            },
            None => Action::BadChecksum {
                ring: at.place,
                sequence,
            },
        });
    }

    pub(super) fn take_copy_part<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        part: &super::frame::Part,
        actions: &mut Actions,
    ) {
        if !self.asking.contains_key(&part.sequence) {
            return;
        }
        let assembly = self
            .copies
            .entry(part.sequence)
            .or_insert_with(|| Assembly::of(part));
        if !assembly.fits(part) {
            *assembly = Assembly::of(part);
        }
        if let Some(whole) = assembly.add(part) {
            self.copies.remove(&part.sequence);
            self.take_copy(at, part.sequence, whole, actions);
        }
    }

    pub(super) fn repaired(&mut self, sequence: Sequence) {
        self.asking.remove(&sequence);
    }

    /// Messages that arrived long ago and are not confirmed: the far end could not take them then.
    pub(super) fn stale<R: RingView>(&mut self, ring: &R, before: Moment) -> bool {
        let open: Vec<Sequence> = ring.look(|array| array.unconfirmed().collect());
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

    /// How many octets of messages wait, at least up to `enough`.
    pub(super) fn load<R: RingView>(&self, ring: &R, enough: usize) -> usize {
        ring.look(|array| {
            let mut load = 0;
            for &sequence in &self.again {
                load += array
                    .get(sequence)
                    .map_or(0, |parcel| parcel.octets().len() + 9);
                if load >= enough {
                    return load;
                }
            }
            if self.parting.is_some() {
                return enough;
            }
            load += self.lost.len();
            let mut next = next_new(array, Sequence::NONE);
            while let Some(sequence) = next.filter(|_| load < enough) {
                load += array
                    .get(sequence)
                    .map_or(0, |parcel| parcel.octets().len() + 9);
                next = next_new(array, sequence.next());
            }
            load
        })
    }

    /// Puts messages into a packet: those that go again, then new ones, up to a turn. Tells whether some are left.
    pub(super) fn load_messages<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        loading: &mut Loading<'_>,
    ) -> bool {
        if self.load_parts(at, loading) {
            let until = loading.out.len() + TURN;
            let mut run = None;
            let mut went = Vec::new();
            self.load_again(at, until, &mut run, &mut went, loading);
            if self.again.is_empty() && self.parting.is_none() {
                self.load_new(at, until, &mut run, &mut went, loading);
            }
            for sequence in went {
                self.note_sent(at, sequence, loading);
            }
            self.load_parts(at, loading);
        }
        self.parting.is_some()
            || !self.again.is_empty()
            || at
                .ring
                .look(|array| next_new(array, Sequence::NONE).is_some())
    }

    fn load_again<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        until: usize,
        run: &mut Option<DataRun>,
        went: &mut Vec<Sequence>,
        loading: &mut Loading<'_>,
    ) {
        while let Some(&sequence) = self.again.first() {
            if loading.out.len() >= until || self.parting.is_some() {
                return;
            }
            let loaded = at
                .ring
                .look(|array| self.load_one(at.index, array, sequence, run, loading));
            match loaded {
                Loaded::In => went.push(sequence),
                Loaded::Gone => {}
                Loaded::Long => self.parting = Some((sequence, 0)),
                Loaded::Full => return,
            }
            self.again.remove(&sequence);
            self.asked.remove(&sequence);
        }
    }

    fn load_new<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        until: usize,
        run: &mut Option<DataRun>,
        went: &mut Vec<Sequence>,
        loading: &mut Loading<'_>,
    ) {
        at.ring.look(|array| {
            let mut next = next_new(array, Sequence::NONE);
            while let Some(sequence) = next.filter(|_| loading.out.len() < until) {
                match self.load_one(at.index, array, sequence, run, loading) {
                    Loaded::In => went.push(sequence),
                    Loaded::Gone => {}
                    Loaded::Long => {
                        self.parting = Some((sequence, 0));
                        return;
                    }
                    Loaded::Full => return,
                }
                next = next_new(array, sequence.next());
            }
        });
    }

    fn note_sent<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        sequence: Sequence,
        loading: &mut Loading<'_>,
    ) {
        at.ring
            .mark_sent(sequence)
            .expect("what is sent was retrieved");
        let times = self.flies(sequence, loading.now, loading.number);
        loading.cargo.push(Cargo::Message {
            port: at.place,
            sequence,
        });
        if times <= 2 {
            loading.repeatable.push((at.place, sequence));
        }
    }

    /// Writes one message, if it fits.
    fn load_one(
        &self,
        index: u64,
        array: &Array,
        sequence: Sequence,
        run: &mut Option<DataRun>,
        loading: &mut Loading<'_>,
    ) -> Loaded {
        if array.marks().processed.has(sequence) {
            return Loaded::Gone;
        }
        let Some(parcel) = array.get(sequence) else {
            if !self.lost.contains(&sequence) {
                return Loaded::Gone;
            }
            if loading.room() < 16 {
                return Loaded::Full;
            }
            *run = None;
            Frame::Lost { index, sequence }.encode(loading.out);
            return Loaded::In;
        };
        let item = parcel.octets();
        if item.len() > PART {
            return Loaded::Long;
        }
        if loading.room() < data_cost(item.len()) {
            return Loaded::Full;
        }
        let goes_on = |run: &&mut DataRun| run.next() == sequence && !run.is_full();
        let run = match run.as_mut().filter(goes_on) {
            Some(run) => run,
            None => run.insert(DataRun::new(index, sequence)),
        };
        run.push(loading.out, parcel.retrieved_at, parcel.checksum(), item);
        loading.items += item.len() as u64;
        Loaded::In
    }

    /// Writes parts of the long message; tells whether all have gone.
    fn load_parts<R: RingView>(&mut self, at: &At<'_, R>, loading: &mut Loading<'_>) -> bool {
        let Some((sequence, mut number)) = self.parting.take() else {
            return true;
        };
        let parcel = at.ring.look(|array| array.get(sequence).cloned());
        let Some(parcel) = parcel else { return true };
        while number < parts(parcel.octets().len()) {
            let part = part_of(sequence, &parcel, number);
            if loading.room() < 40 + part.octets.len() {
                self.parting = Some((sequence, number));
                return false;
            }
            Frame::Part {
                index: at.index,
                copy: false,
                part,
            }
            .encode(loading.out);
            loading.cargo.push(Cargo::Part {
                port: at.place,
                sequence,
            });
            number += 1;
        }
        at.ring
            .mark_sent(sequence)
            .expect("what is sent was retrieved");
        self.flies(sequence, loading.now, loading.number);
        true
    }

    /// Carries messages a second time in what room is left.
    pub(super) fn load_spare<R: RingView>(&mut self, at: &At<'_, R>, loading: &mut Loading<'_>) {
        let mut run = None;
        while let Some(&sequence) = self.spare.first() {
            let loaded = at
                .ring
                .look(|array| self.load_one(at.index, array, sequence, &mut run, loading));
            match loaded {
                Loaded::In => self.note_sent(at, sequence, loading),
                Loaded::Gone | Loaded::Long => {}
                Loaded::Full => return,
            }
            self.spare.remove(&sequence);
        }
    }

    /// Part of a long message is lost: all of it goes again.
    pub(super) fn part_lost<R: RingView>(&mut self, ring: &R, sequence: Sequence) -> bool {
        let open = ring
            .look(|array| array.get(sequence).is_some() && !array.marks().confirmed.has(sequence));
        open && self.parting.is_none_or(|(of, _)| of != sequence) && self.again.insert(sequence)
    }
}

fn declare(place: usize, origin: &mut Origin, sequence: Sequence, actions: &mut Actions) {
    if origin.lost.insert(sequence) {
        origin.again.insert(sequence);
        actions.push(Action::Lost {
            ring: place,
            sequence,
        });
    }
}
