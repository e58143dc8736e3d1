//! Which messages go into a packet, and how they are written there.

use super::{Origin, Parting};
use crate::lane::Sequence;
use crate::link::frame::{DataRun, Frame, PART, data_cost, part_of, parts};
use crate::link::loading::{At, Loading};
use crate::link::port::sure;
use crate::link::sent::Cargo;
use crate::link::view::RingView;
use crate::ring::Array;

/// Octets of messages that a ring sends before the next one has its turn.
const TURN: usize = 600;

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

impl Origin {
    /// How many octets of messages wait, at least up to `enough`.
    pub(in crate::link) fn load<R: RingView>(&self, ring: &R, enough: usize) -> usize {
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
    pub(in crate::link) fn load_messages<R: RingView>(
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
            if !went.is_empty() {
                sure(at.ring, at.ring.mark_all_sent(&went));
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
                Loaded::Long => self.parting = Some(Parting::begin(sequence)),
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
                        self.parting = Some(Parting::begin(sequence));
                        return;
                    }
                    Loaded::Full => return,
                }
                next = next_new(array, sequence.next());
            }
        });
    }

    /// What the connection keeps of a message that goes.
    fn note_sent<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        sequence: Sequence,
        loading: &mut Loading<'_>,
    ) {
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
        let Some(mut parting) = self.parting.take() else {
            return true;
        };
        let sequence = parting.sequence;
        let parcel = at.ring.look(|array| array.get(sequence).cloned());
        let Some(parcel) = parcel else { return true };
        while parting.next < parts(parcel.octets().len()) {
            let part = part_of(sequence, &parcel, parting.next);
            if loading.room() < 40 + part.octets.len() {
                self.parting = Some(parting);
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
            parting.since.get_or_insert(loading.number);
            parting.next += 1;
        }
        sure(at.ring, at.ring.mark_sent(sequence));
        self.flies(sequence, loading.now, loading.number);
        true
    }

    /// Carries messages a second time in what room is left.
    pub(in crate::link) fn load_spare<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        loading: &mut Loading<'_>,
    ) {
        let mut run = None;
        while let Some(&sequence) = self.spare.first() {
            let loaded = at
                .ring
                .look(|array| self.load_one(at.index, array, sequence, &mut run, loading));
            match loaded {
                // It was marked as sent when it went the first time.
                Loaded::In => self.note_sent(at, sequence, loading),
                Loaded::Gone | Loaded::Long => {}
                Loaded::Full => return,
            }
            self.spare.remove(&sequence);
        }
    }

    /// Part of a long message is lost, with that packet: all of it goes again. While it is still being sent, only a part
    /// of this time counts.
    pub(in crate::link) fn part_lost<R: RingView>(
        &mut self,
        ring: &R,
        packet: u64,
        sequence: Sequence,
    ) -> bool {
        let open = ring
            .look(|array| array.get(sequence).is_some() && !array.marks().confirmed.has(sequence));
        let goes_already = self.parting.is_some_and(|parting| {
            parting.sequence == sequence && parting.since.is_none_or(|since| packet < since)
        });
        open && !goes_already && self.again.insert(sequence)
    }
}
