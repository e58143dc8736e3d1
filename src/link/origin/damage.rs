//! Slots that cannot be read, at either end: copies asked for and given, and what no copy is left of.

use super::Origin;
use crate::lane::Sequence;
use crate::link::action::{Action, Actions};
use crate::link::frame::{Carried, Part};
use crate::link::loading::At;
use crate::link::port::Assembly;
use crate::link::reason::Reason;
use crate::link::view::RingView;
use crate::message::DeliveryKey;
use crate::ring::Parcel;

impl Origin {
    pub(in crate::link) fn ask_again(&mut self) {
        self.asking.values_mut().for_each(|due| *due = true);
    }

    /// The mirror's slot is damaged.
    pub(in crate::link) fn asked_origin<R: RingView>(
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
            self.declare(at.place, sequence, actions);
        }
        Ok(())
    }

    pub(in crate::link) fn take_no_copy<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        sequence: Sequence,
        actions: &mut Actions,
    ) {
        if self.asking.remove(&sequence).is_some() {
            self.declare(at.place, sequence, actions);
        }
    }

    pub(in crate::link) fn take_copy<R: RingView>(
        &mut self,
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
        match parcel {
            Some(parcel) => {
                // Asked for twice it may come twice, and is put back once. If that fails, so does the ring.
                self.asking.remove(&sequence);
                actions.push(Action::Repair {
                    ring: at.place,
                    sequence,
                    parcel,
                });
            }
            None => actions.push(Action::BadChecksum {
                ring: at.place,
                sequence,
            }),
        }
    }

    pub(in crate::link) fn take_copy_part<R: RingView>(
        &mut self,
        at: &At<'_, R>,
        part: &Part,
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

    /// No copy is left: the mirror is to know, again if it asks again, and an operator, once.
    pub(super) fn declare(&mut self, place: usize, sequence: Sequence, actions: &mut Actions) {
        self.again.insert(sequence);
        if self.lost.insert(sequence) {
            actions.push(Action::Lost {
                ring: place,
                sequence,
            });
        }
    }
}
