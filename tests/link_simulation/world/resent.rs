//! Whether what has to go again goes when that can be known, and not only when it counts as forgotten.
//!
//! That all arrives in the end does not show it: after four round trips and two seconds whatever was not confirmed goes
//! again, for whatever reason. So what both ends put on the line is read along, and two things of the protocol's
//! sections 6 and 7 are held against the clock: a message whose last packet was passed by an acknowledged one goes again,
//! and so does, on a new connection, what was under way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use sluice::clock::Moment;
use sluice::lane::Sequence;
use sluice::link::frame::{Ack, Frame};
use sluice::link::packet::{self, Packet};

use super::{Found, World, end_name};

/// A message on a connection: its ring and its number.
type Message = (usize, Sequence);

/// What a machine may need beside what the line costs: its own timers, and what goes before.
const SLACK: Duration = Duration::from_millis(500);
/// So long an acknowledgment may be held back, and so long the machine may gather.
const HELD_BACK: Duration = Duration::from_millis(30);
/// On longer lines what is forgotten goes again so soon that one cannot tell.
const LONGEST_RESYNC: Duration = Duration::from_millis(300);

/// One end of a connection, read along from outside.
#[derive(Default)]
pub struct Resent {
    /// Messages of packets that were not acknowledged, by number.
    packets: BTreeMap<u64, (Moment, Vec<Message>)>,
    /// Of these, those that an acknowledged one has passed, and when that was known here.
    passed: BTreeMap<u64, Moment>,
    /// The packet that carried a message last.
    carried: BTreeMap<Message, u64>,
    /// A packet with these was acknowledged.
    arrived: BTreeSet<Message>,
    largest: u64,
    /// The first of what was under way when a ring was opened, and since when it waits.
    resync: BTreeMap<usize, (Moment, Sequence)>,
}

fn frames(octets: &Bytes) -> Option<(u64, Vec<Frame>)> {
    let Ok(Packet::Frames { number, mut frames }) = packet::decode(octets.clone()) else {
        return None;
    };
    let mut found = Vec::new();
    while !frames.is_empty() {
        found.push(Frame::decode(&mut frames).expect("what a machine writes can be read"));
    }
    Some((number, found))
}

impl Resent {
    /// This end put a packet on the line.
    pub fn sent(&mut self, now: Moment, octets: &Bytes) {
        let Some((number, frames)) = frames(octets) else {
            return;
        };
        let mut messages = Vec::new();
        for frame in frames {
            match frame {
                Frame::Data {
                    index,
                    first,
                    messages: all,
                } => {
                    let each = (0..all.len() as u64).map(|step| first.plus(step));
                    messages.extend(each.map(|sequence| (index as usize, sequence)));
                }
                // It goes once more as a whole, of which this is the beginning.
                Frame::Part {
                    index,
                    copy: false,
                    part,
                } if part.number == 0 => messages.push((index as usize, part.sequence)),
                _ => {}
            }
        }
        for &message in &messages {
            self.carried.insert(message, number);
            if self
                .resync
                .get(&message.0)
                .is_some_and(|it| it.1 == message.1)
            {
                self.resync.remove(&message.0);
            }
        }
        if !messages.is_empty() {
            self.packets.insert(number, (now, messages));
        }
    }

    /// A packet came to this end.
    pub fn came(&mut self, now: Moment, octets: &Bytes) {
        // An acknowledgment stands first.
        if let Ok(Packet::Frames { mut frames, .. }) = packet::decode(octets.clone())
            && let Ok(Frame::Ack(ack)) = Frame::decode(&mut frames)
        {
            self.acknowledged(now, &ack);
        }
    }

    fn acknowledged(&mut self, now: Moment, ack: &Ack) {
        let (mut high, mut low) = (ack.largest, ack.largest - ack.run);
        let mut runs = ack.runs.iter();
        loop {
            let there: Vec<u64> = self.packets.range(low..=high).map(|it| *it.0).collect();
            for number in there {
                let (_, messages) = self.packets.remove(&number).expect("it was found there");
                self.passed.remove(&number);
                self.arrived.extend(messages);
            }
            let Some((missing, there)) = runs.next() else {
                break;
            };
            high = low - missing - 1;
            low = high + 1 - there;
        }
        self.largest = self.largest.max(ack.largest);
        for (&number, _) in self.packets.range(..self.largest) {
            self.passed.entry(number).or_insert(now);
        }
    }

    /// A ring is open at its origin, and the first message that was under way and that its mirror does not hold is this.
    pub fn resyncs(&mut self, now: Moment, ring: usize, first: Sequence) {
        self.resync.insert(ring, (now, first));
    }

    /// What should have gone by now: because it was lost, and because it was under way.
    fn late(
        &mut self,
        now: Moment,
        patience: Duration,
        rtt: Duration,
    ) -> Vec<(Message, &'static str)> {
        let mut late = Vec::new();
        for (number, passed) in std::mem::take(&mut self.passed) {
            let (sent, messages) = &self.packets[&number];
            if now <= (*sent + patience).max(passed) + SLACK + rtt {
                self.passed.insert(number, passed);
                continue;
            }
            for message in messages {
                if self.carried[message] == number && !self.arrived.contains(message) {
                    late.push((*message, "is lost and did not go again"));
                }
            }
            self.packets.remove(&number);
        }
        for (ring, (since, first)) in std::mem::take(&mut self.resync) {
            if now <= since + SLACK + rtt {
                self.resync.insert(ring, (since, first));
            } else {
                late.push(((ring, first), "was under way and did not go again"));
            }
        }
        late
    }
}

impl World {
    /// Whether nothing but loss troubles the line, so that one can tell when a message has to go again.
    pub(super) fn is_plain(&self) -> bool {
        self.reads_along
            && self.line.rate == 0
            && self.line.loss <= 60_000
            && self.heal_at.is_none()
    }

    /// A ring takes part at one end. At its origin's, what was under way has to go again.
    pub(super) fn resyncs(&mut self, number: usize, end: usize, ring: usize) {
        let there = &self.ends[1 - end];
        let is_short = 2 * self.line.delay <= LONGEST_RESYNC;
        if Self::origin(ring) != end || !there.is_up() || !self.is_plain() || !is_short {
            return;
        }
        let held = there.rings[ring].look(|array| array.marks().retrieved);
        let first = self.ends[end].rings[ring]
            .look(|array| array.unconfirmed().find(|&sequence| !held.has(sequence)));
        if let Some(first) = first {
            self.connections[number].resent[end].resyncs(self.now, ring, first);
        }
    }

    /// Something happened to the line or to an end: what was waited for may be gone for good reason.
    pub(super) fn forget_resent(&mut self) {
        for connection in &mut self.connections {
            connection.resent = Default::default();
        }
    }

    pub(super) fn check_resent(&mut self) -> Found {
        if !self.reads_along {
            return Ok(());
        }
        let rtt = 2 * self.line.delay;
        let round_trip = rtt + 2 * self.line.jitter + HELD_BACK;
        let patience = round_trip + round_trip / 8;
        for connection in &mut self.connections {
            for end in [0, 1] {
                let is_open = connection.peers[end]
                    .as_ref()
                    .is_some_and(sluice::link::Peer::is_open);
                if !is_open {
                    connection.resent[end] = Resent::default();
                    continue;
                }
                for ((ring, sequence), what) in connection.resent[end].late(self.now, patience, rtt)
                {
                    let waits = self.ends[end].rings[ring].look(|array| {
                        let marks = array.marks();
                        !marks.confirmed.has(sequence)
                            && !marks.processed.has(sequence)
                            && array.get(sequence).is_some()
                    });
                    if waits {
                        return Err(format!(
                            "message {sequence} of way {ring} {what} in time at {}",
                            end_name(end)
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}
