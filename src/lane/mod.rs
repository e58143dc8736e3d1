//! Words for places: edge, lane, direction, side, and the numbers that order messages on a ring.
//!
//! A *lane* is one SMSC session of an edge, with a ring in each direction at both ends. Numbers that count
//! ([`Sequence`], [`Lap`]) and numbers that place ([`Address`]) are different types; each step from one to the
//! other is a function with a name.

mod name;
mod sequence;

pub use name::{Direction, Lane, NameError, RingName, Side, checked};
pub use sequence::{Address, Epoch, Lap, SLOTS, Sequence};
