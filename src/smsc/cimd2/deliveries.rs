//! The SMSC's deliveries: one is with the driver, further ones wait in their order, and there is a limit to them (G1).

use std::collections::VecDeque;

use crate::codec::cimd2::Packet;

/// A delivery that the driver has and has not answered.
#[derive(Debug)]
struct Open {
    /// Counted on this connection, so that a turn of an earlier one cannot answer it.
    count: u64,
    packet: Packet,
}

/// The deliveries of one connection.
#[derive(Debug)]
pub(super) struct Deliveries {
    waiting: VecDeque<Packet>,
    most: usize,
    open: Option<Open>,
    given: u64,
}

impl Deliveries {
    /// At most so many wait.
    pub(super) const fn new(most: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            most,
            open: None,
            given: 0,
        }
    }

    /// Whether another one can be taken.
    pub(super) fn have_room(&self) -> bool {
        self.waiting.len() < self.most
    }

    /// How many octets of packets wait.
    pub(super) fn held_octets(&self) -> usize {
        self.open
            .iter()
            .map(|open| &open.packet)
            .chain(&self.waiting)
            .map(|packet| packet.octets().len())
            .sum()
    }

    /// Whether this very packet is among those that are not answered yet.
    pub(super) fn hold(&self, packet: &Packet) -> bool {
        self.open
            .iter()
            .map(|open| &open.packet)
            .chain(&self.waiting)
            .any(|held| held.octets() == packet.octets())
    }

    /// Takes one that came.
    pub(super) fn push(&mut self, packet: Packet) {
        self.waiting.push_back(packet);
    }

    /// The next one, unless the driver has one.
    pub(super) fn next(&mut self) -> Option<Packet> {
        if self.open.is_some() {
            return None;
        }
        self.waiting.pop_front()
    }

    /// The driver gets this one; gives its number.
    pub(super) fn open(&mut self, packet: Packet) -> u64 {
        assert!(self.open.is_none(), "one delivery at a time");
        self.given += 1;
        self.open = Some(Open {
            count: self.given,
            packet,
        });
        self.given
    }

    /// The driver answers the one of this count; `None` if it is not the open one.
    pub(super) fn close(&mut self, count: u64) -> Option<Packet> {
        self.open
            .take_if(|open| open.count == count)
            .map(|open| open.packet)
    }

    /// The connection is over; the SMSC will deliver again what was not answered.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.open = None;
    }
}
