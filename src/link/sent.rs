//! Packets on their way: what each carried, whether it arrived, whether it is lost.

use std::collections::VecDeque;
use std::time::Duration;

use super::frame::Ack;
use super::gauge::{Gauge, Stamp};
use super::rtt::Rtt;
use crate::clock::Moment;
use crate::lane::Sequence;

/// So many later packets acknowledged mean that one is lost, until overtaking was seen.
const FIRST_GAP: u64 = 3;
const LARGEST_GAP: u64 = 64;

/// A fact that is said again until its saying was acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fact {
    Showing,
    Refused,
    Confirmed,
    Taken,
}

/// What a packet carried, by the ring's place among the ports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cargo {
    Message {
        port: usize,
        sequence: Sequence,
    },
    Part {
        port: usize,
        sequence: Sequence,
    },
    Outcomes {
        port: usize,
        first: Sequence,
        count: u64,
    },
    Said {
        port: usize,
        fact: Fact,
        version: u64,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Waiting,
    Acknowledged,
    Lost,
}

#[derive(Debug)]
struct Packet {
    at: Moment,
    /// Octets; zero if nobody acknowledges it (it held acknowledgments only).
    size: u64,
    fate: Fate,
    stamp: Stamp,
    cargo: Vec<Cargo>,
}

/// What an acknowledgment or the clock brought.
#[derive(Default, Debug)]
pub(super) struct Fates {
    pub(super) arrived: Vec<Cargo>,
    /// With the number of the packet that is lost.
    pub(super) lost: Vec<(u64, Cargo)>,
}

/// An acknowledgment of a packet that was never sent.
#[derive(Debug)]
pub(super) struct NeverSent(pub(super) u64);

/// Packets that are remembered from the oldest unsettled one on: two seconds of 30,000 a second. A far end that goes on
/// speaking and acknowledges nothing would let them grow without end.
pub(super) const MOST_UNSETTLED: usize = 60_000;

/// How long a packet may take that others have passed.
fn patience(rtt: &Rtt) -> Duration {
    let usual = rtt.smoothed().max(rtt.latest());
    usual + usual / 8 + Duration::from_millis(1)
}

/// All packets that are not settled.
#[derive(Debug)]
pub(super) struct Sent {
    /// The number of the first one kept.
    base: u64,
    packets: VecDeque<Packet>,
    largest_acknowledged: u64,
    /// All below are settled.
    unsettled: u64,
    in_flight: u64,
    gap: u64,
    last_at: Moment,
    spare: Vec<Vec<Cargo>>,
}

impl Sent {
    pub(super) const fn new() -> Self {
        Self {
            base: 1,
            packets: VecDeque::new(),
            largest_acknowledged: 0,
            unsettled: 1,
            in_flight: 0,
            gap: FIRST_GAP,
            last_at: Moment::START,
            spare: Vec::new(),
        }
    }

    /// The number of the next packet.
    pub(super) fn next_number(&self) -> u64 {
        self.base + self.packets.len() as u64
    }

    /// Whether the far end takes what we send and acknowledges none of it.
    pub(super) fn is_ignored(&self) -> bool {
        self.packets.len() >= MOST_UNSETTLED
    }

    /// Octets that are on their way.
    pub(super) const fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// When the last packet went that has to be acknowledged.
    pub(super) const fn last_at(&self) -> Moment {
        self.last_at
    }

    /// A list for the next packet's cargo.
    pub(super) fn cargo(&mut self) -> Vec<Cargo> {
        self.spare.pop().unwrap_or_default()
    }

    /// A packet goes out. Size zero: nobody acknowledges it.
    pub(super) fn push(&mut self, now: Moment, size: u64, stamp: Stamp, cargo: Vec<Cargo>) {
        if size > 0 {
            self.last_at = now;
        }
        self.in_flight += size;
        self.packets.push_back(Packet {
            at: now,
            size,
            fate: if size == 0 {
                Fate::Acknowledged
            } else {
                Fate::Waiting
            },
            stamp,
            cargo,
        });
        if size == 0 && self.packets.len() == 1 {
            self.trim();
        }
    }

    fn recycle(&mut self, mut cargo: Vec<Cargo>) {
        if self.spare.len() < 256 && cargo.capacity() > 0 {
            cargo.clear();
            self.spare.push(cargo);
        }
    }

    /// An acknowledgment came.
    pub(super) fn acknowledged(
        &mut self,
        now: Moment,
        ack: &Ack,
        rtt: &mut Rtt,
        gauge: &mut Gauge,
        fates: &mut Fates,
    ) -> Result<(), NeverSent> {
        if ack.largest >= self.next_number() {
            return Err(NeverSent(ack.largest));
        }
        let in_flight_before = self.in_flight;
        let mut octets = 0;
        let mut newest: Option<(u64, Stamp, Moment)> = None;
        let mut high = ack.largest;
        let mut low = high - ack.run;
        let mut runs = ack.runs.iter();
        loop {
            let mut number = high;
            while number >= low.max(self.base) {
                if let Some((size, stamp, at)) = self.arrived(number, gauge, fates) {
                    octets += size;
                    if newest.is_none() {
                        newest = Some((number, stamp, at));
                    }
                }
                number -= 1;
            }
            let Some((missing, there)) = runs.next() else {
                break;
            };
            high = low - missing - 1;
            low = high + 1 - there;
        }
        if let Some((number, stamp, at)) = newest {
            if number == ack.largest {
                let held_back = Duration::from_micros(ack.delay.min(1 << 24) * 64);
                rtt.measured(now, now - at, held_back);
            }
            self.largest_acknowledged = self.largest_acknowledged.max(number);
            gauge.acknowledged(now, octets, stamp, at, in_flight_before, rtt);
        }
        self.look_for_losses(now, rtt, gauge, fates);
        Ok(())
    }

    fn arrived(
        &mut self,
        number: u64,
        gauge: &mut Gauge,
        fates: &mut Fates,
    ) -> Option<(u64, Stamp, Moment)> {
        let packet = &mut self.packets[(number - self.base) as usize];
        match packet.fate {
            Fate::Acknowledged => None,
            Fate::Lost => {
                // It was only overtaken: wait longer before the next one is called lost.
                packet.fate = Fate::Acknowledged;
                self.gap = (self.gap * 2).min(LARGEST_GAP);
                gauge.not_lost();
                None
            }
            Fate::Waiting => {
                packet.fate = Fate::Acknowledged;
                let found = (packet.size, packet.stamp, packet.at);
                let cargo = std::mem::take(&mut packet.cargo);
                self.in_flight -= found.0;
                fates.arrived.extend_from_slice(&cargo);
                self.recycle(cargo);
                gauge.fate(false);
                Some(found)
            }
        }
    }

    /// Settles what must be lost by now.
    pub(super) fn look_for_losses(
        &mut self,
        now: Moment,
        rtt: &Rtt,
        gauge: &mut Gauge,
        fates: &mut Fates,
    ) {
        let patience = patience(rtt);
        let mut number = self.unsettled.max(self.base);
        while number < self.largest_acknowledged {
            let packet = &mut self.packets[(number - self.base) as usize];
            if packet.fate == Fate::Waiting {
                let passed = self.largest_acknowledged - number >= self.gap;
                if !passed && now < packet.at + patience {
                    break;
                }
                packet.fate = Fate::Lost;
                self.in_flight -= packet.size;
                let cargo = std::mem::take(&mut packet.cargo);
                fates
                    .lost
                    .extend(cargo.iter().map(|&cargo| (number, cargo)));
                self.recycle(cargo);
                gauge.fate(true);
            }
            number += 1;
        }
        self.unsettled = number;
        self.trim_settled(now, patience);
    }

    fn trim(&mut self) {
        while self
            .packets
            .front()
            .is_some_and(|packet| packet.fate == Fate::Acknowledged)
        {
            self.packets.pop_front();
            self.base += 1;
        }
    }

    fn trim_settled(&mut self, now: Moment, patience: Duration) {
        while let Some(packet) = self.packets.front() {
            let gone = match packet.fate {
                Fate::Acknowledged => true,
                // A while longer, to see whether it was only overtaken.
                Fate::Lost => now > packet.at + 2 * patience,
                Fate::Waiting => false,
            };
            if !gone {
                break;
            }
            self.packets.pop_front();
            self.base += 1;
        }
    }

    /// When a packet that was passed by others has to be called lost.
    pub(super) fn loss_at(&self, rtt: &Rtt) -> Option<Moment> {
        let mut number = self.unsettled.max(self.base);
        while number < self.largest_acknowledged {
            let packet = &self.packets[(number - self.base) as usize];
            if packet.fate == Fate::Waiting {
                return Some(packet.at + patience(rtt));
            }
            number += 1;
        }
        None
    }

    /// When the oldest packet that is waited for was sent.
    pub(super) fn waits_since(&self) -> Option<Moment> {
        self.waiting().next().map(|packet| packet.at)
    }

    fn waiting(&self) -> impl Iterator<Item = &Packet> {
        let from = (self.unsettled.max(self.base) - self.base) as usize;
        self.packets
            .range(from.min(self.packets.len())..)
            .filter(|packet| packet.fate == Fate::Waiting)
    }

    /// What the oldest packets carried that are waited for: it goes again when nothing is heard.
    pub(super) fn oldest(&self, count: usize) -> Vec<Cargo> {
        self.waiting()
            .take(count)
            .flat_map(|packet| packet.cargo.iter().copied())
            .collect()
    }
}
