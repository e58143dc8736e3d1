//! The numbers of a ring. G4 gives it 255 slots; addresses and sequences count from 1.

use std::fmt;

/// How many slots a ring has.
pub const SLOTS: u64 = 255;

/// A message's number on its ring: from 1, growing for as long as the epoch lives, never reused.
///
/// `Sequence::NONE` (zero) is no message; as a pointer it says "none yet".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sequence(u64);

impl Sequence {
    /// Before the first message.
    pub const NONE: Self = Self(0);
    /// The first message of a ring.
    pub const FIRST: Self = Self(1);

    /// From the plain number, zero meaning none.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The plain number, zero meaning none.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether this names no message.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The message after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The message before this one; none before the first.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The message so and so many places later.
    #[must_use]
    pub const fn plus(self, steps: u64) -> Self {
        Self(self.0.saturating_add(steps))
    }

    /// The message one lap earlier, at the same address; none in the first lap.
    #[must_use]
    pub const fn lap_before(self) -> Self {
        Self(self.0.saturating_sub(SLOTS))
    }

    /// How many messages lie from `earlier` (not counted) to this one (counted).
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The slot that this message lies in; the same at both ends (G7).
    ///
    /// # Panics
    /// On [`Sequence::NONE`], which lies nowhere.
    pub const fn address(self) -> Address {
        assert!(self.0 > 0, "only a message has an address");
        Address(((self.0 - 1) % SLOTS) as u8 + 1)
    }

    /// How often the ring had gone round when this message was taken.
    ///
    /// # Panics
    /// On [`Sequence::NONE`].
    pub const fn lap(self) -> Lap {
        assert!(self.0 > 0, "only a message lies in a lap");
        Lap((self.0 - 1) / SLOTS)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// A slot's number, 1 to 255.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(u8);

impl Address {
    /// From a plain number; zero is no address.
    pub const fn new(number: u8) -> Option<Self> {
        if number == 0 {
            None
        } else {
            Some(Self(number))
        }
    }

    /// The plain number, 1 to 255.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The place in an array that counts from zero.
    pub const fn index(self) -> usize {
        self.0 as usize - 1
    }

    /// The address of a place in an array that counts from zero.
    ///
    /// # Panics
    /// At 255 and beyond.
    pub const fn from_index(index: usize) -> Self {
        assert!(index < SLOTS as usize, "a ring has 255 slots");
        Self(index as u8 + 1)
    }

    /// How many steps round the ring it is to another one, 0 to 254.
    pub const fn steps_to(self, other: Self) -> u64 {
        (other.0 as u64 + SLOTS - self.0 as u64) % SLOTS
    }

    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=u8::MAX).map(Self)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

/// How often a ring has gone round, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Lap(u64);

impl Lap {
    /// The plain number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The identity of one life of a ring. Both ends compare it before anything else; never zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// From the plain number; zero is no epoch.
    pub const fn new(number: u64) -> Option<Self> {
        if number == 0 {
            None
        } else {
            Some(Self(number))
        }
    }

    /// The plain number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_run_from_1_to_255_and_round() {
        assert_eq!(Sequence::new(1).address().get(), 1);
        assert_eq!(Sequence::new(255).address().get(), 255);
        assert_eq!(Sequence::new(256).address().get(), 1);
        assert_eq!(Sequence::new(255).lap().get(), 0);
        assert_eq!(Sequence::new(256).lap().get(), 1);
        assert_eq!(Sequence::new(300).lap_before(), Sequence::new(45));
        assert_eq!(Sequence::new(255).lap_before(), Sequence::NONE);
        assert_eq!(Address::all().count(), 255);
    }
}
