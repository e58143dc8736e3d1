//! By what a slot of an MT origin names the message that it is a part of.
//!
//! A message goes from the backlog (in the store) to a ring (in its file), and no transaction spans the two. So the
//! slot itself says which message it holds: when central starts again and finds a message both in the backlog and in a
//! ring, the ring has it, and it is not put on a lane a second time. The place for it is the slot's delivery key, which
//! an origin of this direction has no other use for, which outlives *processed* by a whole lap, and which does not
//! travel.

use crate::message::DeliveryKey;

/// What the first octet of such a key is; keys of deliveries are digests, and never lie in an MT origin.
const KIND: u8 = 0xB1;

/// Which message, and which part of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Mark {
    /// The message's identity in the backlog.
    pub id: u128,
    /// Which part, from 1.
    pub part: u8,
    /// Of how many.
    pub total: u8,
}

impl Mark {
    /// As it lies in the slot.
    pub fn key(self) -> DeliveryKey {
        let mut octets = [0; 24];
        octets[0] = KIND;
        octets[1] = self.part;
        octets[2] = self.total;
        octets[4..20].copy_from_slice(&self.id.to_be_bytes());
        DeliveryKey(octets)
    }

    /// What a slot says; `None` if it holds nothing of ours.
    pub fn read(key: DeliveryKey) -> Option<Self> {
        let [KIND, part, total, 0, rest @ ..] = key.0 else {
            return None;
        };
        let (id, spare) = rest.split_first_chunk::<16>()?;
        let sound = (1..=total).contains(&part) && spare.iter().all(|&octet| octet == 0);
        sound.then(|| Self {
            id: u128::from_be_bytes(*id),
            part,
            total,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_back_and_nothing_else_reads_as_one() {
        let mark = Mark {
            id: 0x0123_4567_89AB_CDEF_0123_4567_89AB_CDEF,
            part: 2,
            total: 3,
        };
        assert_eq!(Mark::read(mark.key()), Some(mark));
        assert_eq!(Mark::read(DeliveryKey::NONE), None);
        assert_eq!(Mark::read(DeliveryKey([0xB1; 24])), None);
        let absurd = Mark { part: 4, ..mark };
        assert_eq!(Mark::read(absurd.key()), None);
    }
}
