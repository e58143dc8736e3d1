//! A bit for each address of a ring.

use crate::lane::Address;

/// 255 bits, one an address.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Bits([u64; 4]);

impl Bits {
    /// No bit set.
    pub const NONE: Self = Self([0; 4]);

    const fn place(address: Address) -> (usize, u64) {
        let index = address.index();
        (index / 64, 1 << (index % 64))
    }

    /// Whether an address's bit is set.
    pub const fn has(&self, address: Address) -> bool {
        let (word, bit) = Self::place(address);
        self.0[word] & bit != 0
    }

    /// Sets an address's bit; tells whether it was unset.
    pub const fn set(&mut self, address: Address) -> bool {
        let (word, bit) = Self::place(address);
        let fresh = self.0[word] & bit == 0;
        self.0[word] |= bit;
        fresh
    }

    /// Clears an address's bit; tells whether it was set.
    pub const fn clear(&mut self, address: Address) -> bool {
        let (word, bit) = Self::place(address);
        let was = self.0[word] & bit != 0;
        self.0[word] &= !bit;
        was
    }

    /// Whether no bit is set.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// How many are set.
    pub fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// The addresses whose bits are set, in order.
    pub fn iter(&self) -> impl Iterator<Item = Address> + use<> {
        let mut words = self.0;
        std::iter::from_fn(move || {
            let (place, word) = words.iter_mut().enumerate().find(|(_, word)| **word != 0)?;
            let bit = word.trailing_zeros() as usize;
            *word &= *word - 1;
            Some(Address::from_index(place * 64 + bit))
        })
    }

    /// The bits from an address on, and those before it.
    fn split_at(&self, from: Address) -> (Self, Self) {
        let (place, bit) = Self::place(from);
        let (mut later, mut earlier) = (*self, *self);
        for word in 0..4 {
            let before = match word.cmp(&place) {
                std::cmp::Ordering::Less => u64::MAX,
                std::cmp::Ordering::Equal => bit - 1,
                std::cmp::Ordering::Greater => 0,
            };
            later.0[word] &= !before;
            earlier.0[word] &= before;
        }
        (later, earlier)
    }

    /// The addresses whose bits are set, beginning with an address and going round.
    pub fn iter_from(&self, from: Address) -> impl Iterator<Item = Address> + use<> {
        let (later, earlier) = self.split_at(from);
        later.iter().chain(earlier.iter())
    }

    fn last(&self) -> Option<Address> {
        let (place, word) = self.0.iter().enumerate().rfind(|(_, word)| **word != 0)?;
        let bit = 63 - word.leading_zeros() as usize;
        Some(Address::from_index(place * 64 + bit))
    }

    /// The last one of [`Bits::iter_from`].
    pub fn last_from(&self, from: Address) -> Option<Address> {
        let (later, earlier) = self.split_at(from);
        earlier.last().or_else(|| later.last())
    }

    /// 32 octets, the low bit of the first one being address 1.
    pub fn to_octets(self) -> [u8; 32] {
        let mut octets = [0; 32];
        for (chunk, word) in octets.chunks_exact_mut(8).zip(self.0) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        octets
    }

    /// From 32 octets; `None` if the bit that no address has is set.
    pub fn from_octets(octets: &[u8; 32]) -> Option<Self> {
        let mut words = [0; 4];
        for (word, chunk) in words.iter_mut().zip(octets.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*chunk);
        }
        (words[3] >> 63 == 0).then_some(Self(words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_round_trip_and_the_256th_bit_belongs_to_nobody() {
        let mut bits = Bits::NONE;
        let first = Address::new(1).unwrap();
        let last = Address::new(255).unwrap();
        assert!(bits.set(first) && bits.set(last) && !bits.set(last));
        let octets = bits.to_octets();
        assert_eq!((octets[0], octets[31]), (0x01, 0x40));
        assert_eq!(Bits::from_octets(&octets), Some(bits));
        assert_eq!(bits.iter().collect::<Vec<_>>(), [first, last]);
        let second = Address::new(2).unwrap();
        assert_eq!(bits.iter_from(second).collect::<Vec<_>>(), [last, first]);
        assert_eq!(bits.last_from(second), Some(first));
        assert_eq!(bits.last_from(first), Some(last));
        let mut foreign = octets;
        foreign[31] = 0x80;
        assert_eq!(Bits::from_octets(&foreign), None);
        assert!(bits.clear(last) && !bits.clear(last));
        assert_eq!(bits.count(), 1);
    }
}
