//! The four pointers of a ring, the flags ahead of them, and the mark *offered* (G6).
//!
//! A flag is set on a single message, in any order; a pointer means "up to here, without a gap" and follows when the
//! gap closes. So a flag is a pointer's tail or a bit in its bitmap, never both, and nothing is stored twice.

use super::bits::Bits;
use crate::lane::{Address, SLOTS, Sequence};

/// A pointer with the flags that are ahead of it.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    up_to: Sequence,
    ahead: Bits,
}

impl Mark {
    /// Up to here without a gap, and the flags beyond. `None` if the very next message's bit is set: then the pointer
    /// would have followed.
    pub fn new(up_to: Sequence, ahead: Bits) -> Option<Self> {
        (!ahead.has(up_to.next().address())).then_some(Self { up_to, ahead })
    }

    /// The pointer: up to here, without a gap.
    pub const fn up_to(&self) -> Sequence {
        self.up_to
    }

    /// The flags ahead of the pointer.
    pub const fn ahead(&self) -> &Bits {
        &self.ahead
    }

    /// Whether that message's flag is on. Only sequences at most 255 after the pointer can be told apart.
    pub fn has(&self, sequence: Sequence) -> bool {
        sequence <= self.up_to
            || (sequence.since(self.up_to) <= SLOTS && self.ahead.has(sequence.address()))
    }

    /// Sets one message's flag and lets the pointer follow; tells whether the flag was off.
    ///
    /// # Panics
    /// If the message lies more than 255 after the pointer: no ring holds it.
    pub fn set(&mut self, sequence: Sequence) -> bool {
        if sequence <= self.up_to {
            return false;
        }
        assert!(
            sequence.since(self.up_to) <= SLOTS,
            "{sequence:?} lies beyond a ring that stands at {:?}",
            self.up_to
        );
        if !self.ahead.set(sequence.address()) {
            return false;
        }
        self.follow();
        true
    }

    /// Moves the pointer there at once, as far as it lies behind; flags beyond stay.
    pub fn raise(&mut self, up_to: Sequence) {
        while self.up_to < up_to {
            if up_to.since(self.up_to) > SLOTS {
                // Every bit belongs to a message that the pointer passes.
                self.ahead = Bits::NONE;
                self.up_to = up_to;
                break;
            }
            self.up_to = self.up_to.next();
            self.ahead.clear(self.up_to.address());
        }
        self.follow();
    }

    fn follow(&mut self) {
        while self.ahead.clear(self.up_to.next().address()) {
            self.up_to = self.up_to.next();
        }
    }

    /// The sequences whose flags are ahead, in order.
    pub fn ahead_sequences(&self) -> impl Iterator<Item = Sequence> + use<> {
        let first = self.up_to.next();
        let from = first.address();
        self.ahead
            .iter_from(from)
            .map(move |address| first.plus(from.steps_to(address)))
    }

    /// The last message whose flag is on.
    pub fn highest(&self) -> Sequence {
        let first = self.up_to.next();
        let from = first.address();
        match self.ahead.last_from(from) {
            Some(last) => first.plus(from.steps_to(last)),
            None => self.up_to,
        }
    }

    /// Takes over what another record of the same mark knows more.
    pub fn merge(&mut self, other: &Self) {
        let (mut higher, lower) = if other.up_to > self.up_to {
            (*other, *self)
        } else {
            (*self, *other)
        };
        for sequence in lower.ahead_sequences() {
            // A bit of an old record may lie beyond what the newer pointer can express only if it is behind it.
            if sequence > higher.up_to {
                higher.set(sequence);
            }
        }
        *self = higher;
    }
}

impl std::fmt::Debug for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.up_to)?;
        match self.ahead.count() {
            0 => Ok(()),
            count => write!(f, "+{count}"),
        }
    }
}

/// All marks of a ring.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Marks {
    /// Durably stored here.
    pub retrieved: Mark,
    /// Put on the link.
    pub sent: Mark,
    /// Stored at the far end.
    pub confirmed: Mark,
    /// Passed on at the far end.
    pub processed: Mark,
    /// The SMSC may have seen messages up to here.
    pub offered: Sequence,
}

/// Octets of a marks record.
pub const MARKS_LENGTH: usize = 168;

impl Marks {
    /// Whether `processed ≤ confirmed ≤ sent ≤ retrieved ≤ processed + 255`, and nothing is offered that is not there.
    pub fn are_in_order(&self) -> bool {
        self.processed.up_to() <= self.confirmed.up_to()
            && self.confirmed.up_to() <= self.sent.up_to()
            && self.sent.up_to() <= self.retrieved.up_to()
            && self.retrieved.highest().since(self.processed.up_to()) <= SLOTS
            && self.sent.highest() <= self.retrieved.highest()
            && self.confirmed.highest() <= self.retrieved.highest()
            && self.processed.highest() <= self.retrieved.highest()
            && self.offered <= self.retrieved.highest()
    }

    /// Takes over what another record of the same ring knows more.
    pub fn merge(&mut self, other: &Self) {
        self.retrieved.merge(&other.retrieved);
        self.sent.merge(&other.sent);
        self.confirmed.merge(&other.confirmed);
        self.processed.merge(&other.processed);
        self.offered = self.offered.max(other.offered);
    }

    /// A mark of a later step says that the earlier ones were taken too.
    pub fn close(&mut self) {
        fn imply(earlier: &mut Mark, later: &Mark) {
            earlier.raise(later.up_to());
            for sequence in later.ahead_sequences() {
                if sequence > earlier.up_to() {
                    earlier.set(sequence);
                }
            }
        }
        imply(&mut self.confirmed, &self.processed);
        imply(&mut self.sent, &self.confirmed);
        imply(&mut self.retrieved, &self.sent);
    }

    /// As octets, see `docs/ring-file.md` section 2.
    pub fn encode(&self, out: &mut [u8; MARKS_LENGTH]) {
        let pointers = [
            self.retrieved.up_to(),
            self.sent.up_to(),
            self.confirmed.up_to(),
            self.processed.up_to(),
            self.offered,
        ];
        let (numbers, bitmaps) = out.split_at_mut(8 * pointers.len());
        for (place, pointer) in numbers.chunks_exact_mut(8).zip(pointers) {
            place.copy_from_slice(&pointer.get().to_le_bytes());
        }
        let ahead = [self.retrieved, self.sent, self.confirmed, self.processed];
        for (place, mark) in bitmaps.chunks_exact_mut(32).zip(ahead) {
            place.copy_from_slice(&mark.ahead().to_octets());
        }
    }

    /// From octets; `None` if they cannot be marks of any ring.
    pub fn decode(octets: &[u8; MARKS_LENGTH]) -> Option<Self> {
        let (numbers, bitmaps) = octets.split_at(40);
        let number = |n: usize| {
            let (chunks, _) = numbers.as_chunks::<8>();
            Sequence::new(u64::from_le_bytes(chunks[n]))
        };
        let mark = |n: usize| {
            let (chunks, _) = bitmaps.as_chunks::<32>();
            // A pointer at the very end of numbers would have no next; no ring comes near.
            (number(n).get() < u64::MAX - 2 * SLOTS)
                .then(|| Bits::from_octets(&chunks[n]))
                .flatten()
                .and_then(|ahead| Mark::new(number(n), ahead))
        };
        let marks = Self {
            retrieved: mark(0)?,
            sent: mark(1)?,
            confirmed: mark(2)?,
            processed: mark(3)?,
            offered: number(4),
        };
        marks.are_in_order().then_some(marks)
    }

    /// The sequence of the window after *processed* that lies at an address.
    pub fn in_window(&self, address: Address) -> Sequence {
        let first = self.processed.up_to().next();
        let from = u64::from(first.address().get());
        let to = u64::from(address.get());
        first.plus((to + SLOTS - from) % SLOTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: u64) -> Sequence {
        Sequence::new(number)
    }

    #[test]
    fn a_pointer_follows_when_the_gap_closes() {
        let mut mark = Mark::default();
        assert!(mark.set(at(2)) && mark.set(at(3)));
        assert_eq!(mark.up_to(), at(0));
        assert!(mark.has(at(2)) && !mark.has(at(1)));
        assert!(mark.set(at(1)) && !mark.set(at(1)));
        assert_eq!(mark.up_to(), at(3));
        assert!(mark.ahead().is_empty());
    }

    #[test]
    fn the_whole_ring_may_be_ahead() {
        let mut mark = Mark::default();
        for number in (2..=255).rev() {
            assert!(mark.set(at(number)));
        }
        assert_eq!(mark.highest(), at(255));
        assert!(mark.set(at(1)));
        assert_eq!(mark.up_to(), at(255));
    }

    #[test]
    fn merging_keeps_what_either_knows() {
        let mut old = Mark::default();
        old.set(at(5));
        old.set(at(300 - 255));
        let mut new = Mark::default();
        new.raise(at(10));
        new.set(at(12));
        let mut merged = old;
        merged.merge(&new);
        assert_eq!(merged.up_to(), at(10));
        assert!(
            merged.has(at(5)) && merged.has(at(12)) && merged.has(at(45)) && !merged.has(at(11))
        );
        let mut other_way = new;
        other_way.merge(&old);
        assert_eq!(merged, other_way);
    }

    #[test]
    fn raising_far_ahead_drops_the_bits_it_passes() {
        let mut mark = Mark::default();
        mark.set(at(7));
        mark.raise(at(1000));
        assert_eq!((mark.up_to(), mark.ahead().count()), (at(1000), 0));
    }

    #[test]
    fn marks_round_trip_and_impossible_ones_are_refused() {
        let mut marks = Marks::default();
        marks.retrieved.raise(at(300));
        marks.sent.raise(at(290));
        marks.confirmed.raise(at(280));
        marks.confirmed.set(at(285));
        marks.processed.raise(at(270));
        marks.offered = at(271);
        let mut octets = [0; MARKS_LENGTH];
        marks.encode(&mut octets);
        assert_eq!(Marks::decode(&octets), Some(marks));
        // Processed beyond retrieved.
        octets[24..32].copy_from_slice(&400_u64.to_le_bytes());
        assert_eq!(Marks::decode(&octets), None);
    }

    #[test]
    fn each_address_has_one_sequence_in_the_window() {
        let mut marks = Marks::default();
        marks.retrieved.raise(at(300));
        marks.sent.raise(at(300));
        marks.confirmed.raise(at(300));
        marks.processed.raise(at(300));
        for address in Address::all() {
            let sequence = marks.in_window(address);
            assert_eq!(sequence.address(), address);
            assert!((301..=555).contains(&sequence.get()));
        }
    }
}
