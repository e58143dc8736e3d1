//! The circular array of 255 slots in memory: every transition of a message, without I/O (G4 to G6).
//!
//! The array gives out numbers, keeps the flags and pointers, and says what may be done next. It writes nothing: its
//! owner makes a message durable and tells it with [`Array::stored`]; until then the message is neither sent nor
//! confirmed nor handed on.

use super::bits::Bits;
use super::marks::{Mark, Marks};
use super::page::Fence;
use super::parcel::Parcel;
use crate::lane::{Address, Epoch, SLOTS, Sequence, Side};
use crate::message::DeliveryKey;

/// All 255 slots hold messages that are not yet processed (G8).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the ring is full: {SLOTS} messages wait to be processed")]
pub struct Full;

/// A step that is not taken, mostly since somebody spoke of a message that this ring cannot have: the far end lies or is
/// confused. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Misstep {
    /// Beyond what was ever retrieved here.
    #[error("message {said} is not held: this ring stands at {retrieved}")]
    NotHeld {
        /// The message spoken of.
        said: Sequence,
        /// What this ring holds durably.
        retrieved: Sequence,
    },
    /// A mirror was sent a message that its origin cannot have sent before others were processed.
    #[error("message {said} lies beyond the 255 after {processed}, the last one processed")]
    Beyond {
        /// The message spoken of.
        said: Sequence,
        /// Where *processed* stands.
        processed: Sequence,
    },
    /// The slot is not damaged, so there is nothing to repair.
    #[error("message {0} is not damaged")]
    NotDamaged(Sequence),
    /// The ring is shut: memory stays as the file is.
    #[error("the ring is fenced: {0}")]
    Fenced(Fence),
    /// What belongs to the step cannot be written.
    #[error("the ring file takes nothing more, a write to it has failed")]
    Stopped,
}

/// What a mirror does with a message that came over the link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// It is new and lies in its slot; make it durable, then say [`Array::stored`].
    New,
    /// It is being made durable already; its confirmation will follow.
    Pending,
    /// It is held, durably: confirm it again.
    Held,
    /// It was processed: say so again.
    Done,
}

/// The flags of one message (G5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags {
    /// Durably stored here.
    pub retrieved: bool,
    /// Put on the link.
    pub sent: bool,
    /// Stored at the far end.
    pub confirmed: bool,
    /// Passed on at the far end.
    pub processed: bool,
}

/// By address − 1: a sequence and its message's imprint.
pub(super) type Imprints = Box<[(Sequence, u32)]>;

/// One ring in memory.
#[derive(Debug)]
pub struct Array {
    side: Side,
    epoch: Epoch,
    marks: Marks,
    /// Last number given out (origin), or highest one taken (mirror); ahead of *retrieved* by what is being written.
    accepted: Sequence,
    /// By address − 1; `None` once processed, or while damaged.
    slots: Box<[Option<Parcel>]>,
    /// By address − 1: the delivery keys of the last 255 messages. They outlive *processed*, since an SMSC may repeat
    /// a delivery whose message has long been passed on.
    keys: Box<[DeliveryKey]>,
    /// By address − 1: the last message that was stored there, and its imprint. They outlive *processed* too: a far end
    /// that shows another imprint has another message under that number.
    imprints: Imprints,
    /// Messages whose slot on disk is unreadable; each is unprocessed, so its address cannot come up again.
    damaged: Bits,
    /// *Processed* as a crash would find it. An address is used again only behind this.
    recorded: Sequence,
}

impl Array {
    /// An empty ring of a new epoch.
    pub fn new(side: Side, epoch: Epoch) -> Self {
        Self {
            side,
            epoch,
            marks: Marks::default(),
            accepted: Sequence::NONE,
            slots: vec![None; SLOTS as usize].into_boxed_slice(),
            keys: vec![DeliveryKey::NONE; SLOTS as usize].into_boxed_slice(),
            imprints: vec![(Sequence::NONE, 0); SLOTS as usize].into_boxed_slice(),
            damaged: Bits::NONE,
            recorded: Sequence::NONE,
        }
    }

    /// A ring as recovery found it: all of `marks` is on disk, and `slots` are the messages that are not processed.
    pub(super) fn recovered(
        side: Side,
        epoch: Epoch,
        marks: Marks,
        slots: Box<[Option<Parcel>]>,
        keys: Box<[DeliveryKey]>,
        imprints: Imprints,
        damaged: Bits,
    ) -> Self {
        assert_eq!(slots.len() as u64, SLOTS, "a ring has 255 slots");
        assert_eq!(keys.len() as u64, SLOTS, "and a key for each");
        let array = Self {
            side,
            epoch,
            accepted: marks.retrieved.highest(),
            recorded: marks.processed.up_to(),
            marks,
            slots,
            keys,
            imprints,
            damaged,
        };
        array.check();
        array
    }

    /// Which end this is.
    pub const fn side(&self) -> Side {
        self.side
    }

    /// Whose life this is.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// All marks.
    pub const fn marks(&self) -> &Marks {
        &self.marks
    }

    /// The last message that has a number, durable or not.
    pub const fn accepted(&self) -> Sequence {
        self.accepted
    }

    /// How many more messages find room.
    pub const fn room(&self) -> u64 {
        SLOTS - self.accepted.since(self.marks.processed.up_to())
    }

    /// Whether all messages were processed.
    pub fn is_idle(&self) -> bool {
        self.accepted == self.marks.processed.up_to()
    }

    /// One message's flags.
    pub fn flags(&self, sequence: Sequence) -> Flags {
        Flags {
            retrieved: self.marks.retrieved.has(sequence),
            sent: self.marks.sent.has(sequence),
            confirmed: self.marks.confirmed.has(sequence),
            processed: self.marks.processed.has(sequence),
        }
    }

    /// A message that is not processed, if its content is here.
    pub fn get(&self, sequence: Sequence) -> Option<&Parcel> {
        let waits = sequence > self.marks.processed.up_to() && sequence <= self.accepted;
        waits
            .then(|| self.slots[sequence.address().index()].as_ref())
            .flatten()
    }

    /// The imprint of a message that was stored, also when it was processed since; none if it is not known any more.
    pub fn imprint(&self, sequence: Sequence) -> Option<u32> {
        if sequence.is_none() {
            return None;
        }
        let (of, imprint) = self.imprints[sequence.address().index()];
        (of == sequence).then_some(imprint)
    }

    /// The sequence that lies, or lay last, at an address; none before its first use.
    pub fn at(&self, address: Address) -> Sequence {
        let candidate = self.marks.in_window(address);
        if candidate <= self.accepted {
            candidate
        } else {
            candidate.lap_before()
        }
    }

    /// Origin: takes a message from its source into the next slot. Make it durable, then say [`Array::stored`].
    pub fn accept(&mut self, parcel: Parcel) -> Result<Sequence, Full> {
        debug_assert_eq!(self.side, Side::Origin, "a mirror takes what it is sent");
        if self.room() == 0 {
            return Err(Full);
        }
        let sequence = self.accepted.next();
        self.accepted = sequence;
        self.slots[sequence.address().index()] = Some(parcel);
        Ok(sequence)
    }

    /// Mirror: takes a message that came over the link, at its own address (G7), once (G10).
    pub fn take(&mut self, sequence: Sequence, parcel: Parcel) -> Result<Taken, Misstep> {
        debug_assert_eq!(self.side, Side::Mirror, "an origin gives its own numbers");
        if sequence.is_none() || self.marks.processed.has(sequence) {
            return Ok(Taken::Done);
        }
        if self.damaged.has(sequence.address()) && self.at(sequence.address()) == sequence {
            return self.repair(sequence, parcel).map(|()| Taken::New);
        }
        if self.marks.retrieved.has(sequence) {
            return Ok(Taken::Held);
        }
        if sequence.since(self.marks.processed.up_to()) > SLOTS {
            return Err(Misstep::Beyond {
                said: sequence,
                processed: self.marks.processed.up_to(),
            });
        }
        let slot = &mut self.slots[sequence.address().index()];
        if slot.is_some() {
            return Ok(Taken::Pending);
        }
        *slot = Some(parcel);
        self.accepted = self.accepted.max(sequence);
        Ok(Taken::New)
    }

    /// Whether the slot of a message may be written: its former message is known as processed on disk too. If not,
    /// the state has to be written first.
    pub const fn may_write(&self, sequence: Sequence) -> bool {
        sequence.get() <= SLOTS || sequence.get() - SLOTS <= self.recorded.get()
    }

    /// A write that carried this *processed* pointer is durable.
    pub fn recorded(&mut self, processed: Sequence) {
        self.recorded = self.recorded.max(processed);
    }

    /// A message is durable: *Retrieved*.
    pub fn stored(&mut self, sequence: Sequence) {
        assert!(
            sequence <= self.accepted,
            "{sequence:?} was never accepted, the ring stands at {:?}",
            self.accepted
        );
        let fresh = self.marks.retrieved.set(sequence);
        let index = sequence.address().index();
        if fresh && let Some(parcel) = &self.slots[index] {
            self.keys[index] = parcel.key;
            self.imprints[index] = (sequence, parcel.imprint());
        }
        if fresh && self.side == Side::Mirror {
            self.marks.sent.set(sequence);
        }
        self.check();
    }

    /// The next message to put on the link: durable, not yet sent, readable.
    pub fn next_to_send(&self) -> Option<Sequence> {
        self.first_open(&self.marks.sent)
    }

    /// The next message to hand on: at a mirror, the first one not processed. Order is kept, so while it is missing
    /// or damaged nothing behind it is handed on.
    pub fn next_to_process(&self) -> Option<Sequence> {
        let next = self.marks.processed.up_to().next();
        let ready = next <= self.accepted
            && self.marks.retrieved.has(next)
            && self.slots[next.address().index()].is_some();
        ready.then_some(next)
    }

    fn first_open(&self, mark: &Mark) -> Option<Sequence> {
        let mut next = mark.up_to().next();
        while next <= self.accepted && self.marks.retrieved.has(next) {
            if !mark.has(next) && self.slots[next.address().index()].is_some() {
                return Some(next);
            }
            next = next.next();
        }
        None
    }

    /// What was sent and is not confirmed: what a new connection begins with (G10).
    pub fn unconfirmed(&self) -> impl Iterator<Item = Sequence> + '_ {
        let first = self.marks.confirmed.up_to().next().get();
        (first..=self.marks.sent.highest().get())
            .map(Sequence::new)
            .filter(|&sequence| {
                self.marks.sent.has(sequence)
                    && !self.marks.confirmed.has(sequence)
                    && self.get(sequence).is_some()
            })
    }

    /// It was put on the link.
    pub fn mark_sent(&mut self, sequence: Sequence) -> Result<bool, Misstep> {
        self.held(sequence)?;
        let fresh = self.marks.sent.set(sequence);
        self.check();
        Ok(fresh)
    }

    /// The far end has it (origin), or was told that we have it (mirror).
    pub fn confirm(&mut self, sequence: Sequence) -> Result<bool, Misstep> {
        self.held(sequence)?;
        self.marks.sent.set(sequence);
        let fresh = self.marks.confirmed.set(sequence);
        self.check();
        Ok(fresh)
    }

    /// The far end has all up to here.
    pub fn confirm_up_to(&mut self, sequence: Sequence) -> Result<(), Misstep> {
        self.all_held(sequence)?;
        self.marks.sent.raise(sequence);
        self.marks.confirmed.raise(sequence);
        self.check();
        Ok(())
    }

    /// It was passed on at the far end; its slot is free as soon as no gap is before it (G11).
    pub fn process(&mut self, sequence: Sequence) -> Result<bool, Misstep> {
        self.held(sequence)?;
        self.marks.sent.set(sequence);
        self.marks.confirmed.set(sequence);
        let fresh = self.marks.processed.set(sequence);
        if fresh {
            self.release(sequence);
        }
        self.check();
        Ok(fresh)
    }

    /// All up to here was passed on at the far end.
    pub fn process_up_to(&mut self, sequence: Sequence) -> Result<(), Misstep> {
        self.all_held(sequence)?;
        let mut next = self.marks.processed.up_to().next();
        while next <= sequence {
            self.process(next)?;
            next = next.next();
        }
        Ok(())
    }

    fn release(&mut self, sequence: Sequence) {
        self.slots[sequence.address().index()] = None;
        self.damaged.clear(sequence.address());
    }

    /// Whether steps of that message may be spoken of.
    pub(super) fn held(&self, sequence: Sequence) -> Result<(), Misstep> {
        if !sequence.is_none() && self.marks.retrieved.has(sequence) {
            Ok(())
        } else {
            Err(Misstep::NotHeld {
                said: sequence,
                retrieved: self.marks.retrieved.highest(),
            })
        }
    }

    /// Who speaks of all up to a message speaks of each of them: none may be missing here.
    fn all_held(&self, sequence: Sequence) -> Result<(), Misstep> {
        if !sequence.is_none() && sequence <= self.marks.retrieved.up_to() {
            Ok(())
        } else {
            Err(Misstep::NotHeld {
                said: sequence,
                retrieved: self.marks.retrieved.up_to(),
            })
        }
    }

    /// Mirror of the MT direction: the SMSC is about to see this message. Make the mark durable before it does.
    pub fn offer(&mut self, sequence: Sequence) -> Result<(), Misstep> {
        self.held(sequence)?;
        self.marks.offered = self.marks.offered.max(sequence);
        Ok(())
    }

    /// The message that was offered to the SMSC and of which no answer is known: at most one.
    pub fn in_doubt(&self) -> Option<Sequence> {
        let next = self.marks.processed.up_to().next();
        (next <= self.marks.offered).then_some(next)
    }

    /// Messages whose slot is unreadable and that wait for repair.
    pub fn damaged(&self) -> impl Iterator<Item = Sequence> + '_ {
        self.damaged.iter().map(|address| self.at(address))
    }

    /// Puts the far copy of a damaged message back. Make it durable before relying on it: write its slot anew.
    pub fn repair(&mut self, sequence: Sequence, parcel: Parcel) -> Result<(), Misstep> {
        let address = sequence.address();
        if !self.damaged.has(address) || self.at(address) != sequence {
            return Err(Misstep::NotDamaged(sequence));
        }
        self.imprints[address.index()] = (sequence, parcel.imprint());
        self.slots[address.index()] = Some(parcel);
        self.damaged.clear(address);
        Ok(())
    }

    /// No copy of a damaged message is left: it counts as processed from here on, and its loss is its owner's to
    /// declare.
    pub fn declare_lost(&mut self, sequence: Sequence) -> Result<(), Misstep> {
        if !self.damaged.has(sequence.address()) || self.at(sequence.address()) != sequence {
            return Err(Misstep::NotDamaged(sequence));
        }
        self.process(sequence).map(|_fresh| ())
    }

    /// The delivery keys of the last 255 messages that are durable, newest first. One that is still being written does
    /// not count: an SMSC that repeats it must not hear that it is safe.
    pub fn recent_keys(&self) -> impl Iterator<Item = DeliveryKey> + '_ {
        let newest = self.marks.retrieved.up_to().get();
        (newest.saturating_sub(SLOTS - 1).max(1)..=newest)
            .rev()
            .map(|number| self.keys[Sequence::new(number).address().index()])
    }

    /// Pointers out of order mean that this program is wrong; then it must not go on with people's messages.
    fn check(&self) {
        let marks = &self.marks;
        assert!(
            marks.processed.up_to() <= marks.confirmed.up_to()
                && marks.confirmed.up_to() <= marks.sent.up_to()
                && marks.sent.up_to() <= marks.retrieved.up_to()
                && self.accepted.since(marks.processed.up_to()) <= SLOTS,
            "pointers out of order: {marks:?}, accepted {:?}",
            self.accepted
        );
        debug_assert!(marks.are_in_order(), "flags out of order: {marks:?}");
    }
}
