//! The rules of the storage study, broken one at a time between ring and disk.

use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use sluice::lane::{Address, SLOTS, Sequence};
use sluice::ring::page::{self, PAGE, Place, State};
use sluice::ring::storage::Storage;

use super::disk::SimulatedDisk;

/// A rule to be broken between ring and disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutant {
    /// No rule is broken.
    None,
    /// Rule 1: an address is used again before *processed* of its former message is durable.
    ReuseUnrecorded,
    /// Rule 2: flags are rewritten inside the slot of a living message.
    FlagsInSlot,
    /// Rule 3: the unacknowledged tail is not wiped at recovery.
    NoWipe,
    /// Rule 4: a state page tells of messages that are still being written.
    InFlightInState,
    /// Rule 5: one state page instead of two by turns.
    OneStatePage,
}

/// The disk with a rule broken.
pub struct Breaking {
    disk: SimulatedDisk,
    mutant: Mutant,
    /// The marks that were written last, for rule 2.
    last_state: Mutex<Option<(State, Vec<u8>)>>,
}

impl Breaking {
    /// A disk in whose way this rule is broken.
    pub fn new(disk: SimulatedDisk, mutant: Mutant) -> Self {
        Self {
            disk,
            mutant,
            last_state: Mutex::default(),
        }
    }
}

fn slot_address(offset: u64) -> Option<Address> {
    let first = page::slot_offset(0, Address::from_index(0));
    let index = offset.checked_sub(first)? / PAGE as u64;
    (index < SLOTS).then(|| Address::from_index(index as usize))
}

fn place_of(record: &[u8]) -> Option<Place> {
    let epoch = u64::from_le_bytes(record.get(8..16)?.try_into().ok()?);
    Some(Place {
        ring: 0,
        epoch: sluice::lane::Epoch::new(epoch)?,
    })
}

impl Storage for Breaking {
    fn length(&self) -> io::Result<u64> {
        self.disk.length()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.read_at(offset, out)
    }

    fn write_at(&self, offset: u64, octets: &[u8]) -> io::Result<()> {
        let is_state = octets.starts_with(b"RST1");
        let slot = slot_address(offset).filter(|_| octets.len() == PAGE);
        match self.mutant {
            Mutant::ReuseUnrecorded if is_state => Ok(()),
            Mutant::NoWipe if slot.is_some() && page::is_empty(octets) => Ok(()),
            Mutant::OneStatePage if is_state => {
                self.disk.write_at(page::state_offset(0, 0), octets)?;
                self.disk.write_at(page::state_offset(0, 1), &[0; PAGE])
            }
            Mutant::InFlightInState => {
                self.disk.write_at(offset, octets)?;
                let mut last = self
                    .last_state
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                if is_state {
                    let place = place_of(octets).unwrap();
                    *last = State::decode(octets, place)
                        .ok()
                        .map(|state| (state, vec![]));
                }
                if let (Some((state, _)), Some(_), Some(place)) =
                    (last.as_mut(), slot, place_of(octets))
                    && octets.starts_with(b"RSL1")
                {
                    let sequence = u64::from_le_bytes(octets[16..24].try_into().unwrap());
                    let Some(address) = slot else { return Ok(()) };
                    let found = page::decode_slot(&Bytes::copy_from_slice(octets), place, address);
                    if let page::Found::Slot(found) = found {
                        state.marks.merge(&found.marks);
                        state.marks.retrieved.raise(Sequence::new(sequence));
                        state.number += 2;
                        let offset = page::state_offset(0, state.number);
                        return self.disk.write_at(offset, &state.encode(place));
                    }
                }
                Ok(())
            }
            Mutant::FlagsInSlot => {
                self.disk.write_at(offset, octets)?;
                // The new marks are put into the slot of the message before as well, which lives.
                if octets.starts_with(b"RSL1")
                    && let (Some(address), Some(place)) = (slot, place_of(octets))
                    && address.index() > 0
                {
                    let before = Address::from_index(address.index() - 1);
                    let offset = page::slot_offset(0, before);
                    let mut old = vec![0; PAGE];
                    self.disk.read_at(offset, &mut old)?;
                    let bytes = Bytes::copy_from_slice(octets);
                    let marks = match page::decode_slot(&bytes, place, address) {
                        page::Found::Slot(slot) => slot.marks,
                        _ => return Ok(()),
                    };
                    if let page::Found::Slot(slot) =
                        page::decode_slot(&Bytes::from(old), place, before)
                    {
                        let again = page::encode_slot(place, slot.sequence, &marks, &slot.parcel);
                        return self.disk.write_at(offset, &again);
                    }
                }
                Ok(())
            }
            _ => self.disk.write_at(offset, octets),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.sync()
    }
}
