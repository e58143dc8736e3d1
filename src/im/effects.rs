//! What the service gives back, and the times that it is told.

use std::net::IpAddr;

use super::change::Change;
use super::names::ConnectionId;
use super::phone::TextToPhone;
use super::primitive::Outgoing;
use crate::clock::{Moment, WallTime};

/// What is to be done after the service was told something, in this order: `changes` and `to_phones` durably and
/// together, then `sends`, then `closes`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Effects {
    /// What must be durable.
    pub changes: Vec<Change>,
    /// Texts to phones, durable together with the changes.
    pub to_phones: Vec<TextToPhone>,
    /// What goes to which connection, in order.
    pub sends: Vec<(ConnectionId, Outgoing)>,
    /// Connections to close when that was sent.
    pub closes: Vec<ConnectionId>,
}

impl Effects {
    /// What others bring, behind what is there.
    pub(super) fn append(&mut self, other: Self) {
        self.changes.extend(other.changes);
        self.to_phones.extend(other.to_phones);
        self.sends.extend(other.sends);
        self.closes.extend(other.closes);
    }

    /// Whether anything has to be durable before the sends are released.
    pub fn is_urgent(&self) -> bool {
        !self.to_phones.is_empty() || self.changes.iter().any(Change::is_urgent)
    }
}

/// The present, on both clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Now {
    /// For pauses and limits of rate.
    pub moment: Moment,
    /// For what people and records mean by a time.
    pub wall: WallTime,
}

/// Where a connection comes from, as far as it matters for slowing down: IPv6 by its network, since one customer has
/// all of that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Origin(IpAddr);

impl Origin {
    /// Of an address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let [network @ .., _, _, _, _] = address.segments();
                let mut segments = [0; 8];
                segments[..4].copy_from_slice(&network);
                Self(IpAddr::V6(segments.into()))
            }
            address @ IpAddr::V4(_) => Self(address),
        }
    }
}
