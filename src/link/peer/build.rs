//! Builds packets: what goes, in which order, and whether now.

use bytes::Bytes;

use super::{GOODBYES, GREET_AGAIN, Peer, Repetition, Role, State};
use crate::clock::Moment;
use crate::lane::Sequence;
use crate::link::frame::{Frame, ack_cost};
use crate::link::gauge::Stamp;
use crate::link::loading::{At, Loading};
use crate::link::packet::{self, HIGHEST_VERSION, Hello, LOWEST_VERSION, MIN_PACKET};
use crate::link::port::{Part, Standing};
use crate::link::reason::Reason;
use crate::link::sent::{Cargo, Fact};
use crate::link::timer::Timer;
use crate::link::view::RingView;

/// Octets that a ring frame takes at most: kind, index, lane, epoch, four marks, imprint.
const SHOWING_COST: usize = 1 + 2 + 1 + 64 + 8 + 4 * (10 + 1 + 32) + 4;
/// Octets that a refusal of a ring takes at most.
const REFUSAL_COST: usize = 1 + 2 + 1 + 1 + 200;

/// Why a packet would go now.
#[derive(Default)]
struct Wish {
    /// A fact, a ping, a refusal: it does not wait for the pace.
    facts: bool,
    /// An acknowledgment whose time has come.
    ack: bool,
    /// Messages, and whether they fill a packet.
    messages: bool,
    full: bool,
    /// Only repetitions.
    spare: bool,
}

impl<R: RingView> Peer<R> {
    /// The next packet, if one should go now and the transport takes `room` octets. It may be called as often as one
    /// likes; when it gives none, [`Peer::poll_timeout`] says when to ask again.
    pub fn poll_transmit(&mut self, now: Moment, room: usize) -> Option<Bytes> {
        let limit = room.min(self.config.max_packet);
        if limit < MIN_PACKET {
            return None;
        }
        let packet = match &self.state {
            State::Gone | State::Waiting => None,
            State::Closing { .. } => self.build_goodbye(now),
            State::Dialling | State::Open if self.greet => Some(self.build_hello(now)),
            State::Dialling | State::Open => self.build_frames(now, limit),
        }?;
        self.statistics.packets_sent += 1;
        self.statistics.octets_sent += packet.len() as u64;
        Some(packet.into())
    }

    fn build_hello(&mut self, now: Moment) -> Vec<u8> {
        self.greet = false;
        if self.state == State::Dialling {
            self.timers.set(Timer::Greet, now + GREET_AGAIN);
        }
        Hello {
            lowest: LOWEST_VERSION,
            highest: HIGHEST_VERSION,
            role: self.config.role.number(),
            instance: self.config.instance,
            identity: self.config.identity.clone(),
            program: self.config.program.clone(),
        }
        .encode()
    }

    fn build_goodbye(&mut self, now: Moment) -> Option<Vec<u8>> {
        if !std::mem::take(&mut self.greet) {
            return None;
        }
        let State::Closing { reason, left } = &mut self.state else {
            return None;
        };
        if *left == 0 {
            self.state = State::Gone;
            self.timers.clear_all();
            return None;
        }
        *left -= 1;
        let first = *left + 1 == GOODBYES;
        let early = matches!(reason, Reason::Version(_) | Reason::Identity(_));
        let reason = reason.clone();
        let wait = self.rtt.smoothed().max(GREET_AGAIN) / if first { 4 } else { 1 };
        self.timers.set(Timer::Greet, now + wait);
        if early {
            return Some(packet::encode_refusal(&reason));
        }
        let number = self.sent.next_number();
        self.sent.push(now, 0, Stamp::default(), Vec::new());
        Some(packet::encode_frames(number, &[Frame::Goodbye(reason)]))
    }

    /// What should go, and the moment at which to look again if nothing goes now.
    fn wish(&mut self, now: Moment, limit: usize) -> (Wish, Option<Moment>) {
        let mut wish = Wish {
            facts: self.ping || !self.strangers.is_empty() || !self.speaking.is_empty(),
            ..Wish::default()
        };
        let mut later = None;
        if let Some(since) = self.received.owed_since() {
            let due = since + self.rtt.ack_delay();
            wish.ack = due <= now;
            later = Some(due);
        }
        let permitted = self.state == State::Open
            && self.sent.in_flight() + limit as u64 <= self.gauge.flight(&self.rtt)
            || self.probing;
        if permitted {
            let load = self.load(limit);
            wish.messages = load > 0;
            wish.full = load >= limit - limit / 8;
            if load == 0 {
                self.gauge.nothing_to_send(self.sent.in_flight());
                wish.spare = !self.spare.is_empty() && !self.rtt.shows_a_queue();
            }
            if (wish.messages || wish.spare) && self.gauge.next_at() > now {
                later = earlier(later, self.gauge.next_at());
                (wish.messages, wish.full, wish.spare) = (false, false, false);
            }
        }
        (wish, later)
    }

    /// Octets of messages that wait, at least up to `enough`. Ports that have none leave the list.
    fn load(&mut self, enough: usize) -> usize {
        let mut load = 0;
        for _ in 0..self.hungry.len() {
            let place = self.hungry[0];
            let port = &mut self.ports[place];
            let here = match &port.part {
                Part::Origin(origin) if port.standing == Standing::Open => {
                    origin.load(&port.ring, enough - load)
                }
                Part::Origin(_) | Part::Mirror(_) => 0,
            };
            if here == 0 {
                port.hungers = false;
                self.hungry.pop_front();
                continue;
            }
            load += here;
            if load >= enough {
                break;
            }
            self.hungry.rotate_left(1);
        }
        load
    }

    fn build_frames(&mut self, now: Moment, limit: usize) -> Option<Vec<u8>> {
        let (wish, later) = self.wish(now, limit);
        let mut later = later;
        let go = if wish.full {
            true
        } else if wish.facts || wish.messages || wish.spare {
            // A packet that is not full waits for company, if one has just gone.
            let due = self.spoke_at + self.rtt.gather();
            later = earlier(later, due);
            due <= now
        } else {
            false
        };
        if !go && !wish.ack {
            self.timers.put(Timer::Send, later.filter(|&at| at > now));
            return None;
        }
        let mut out = Vec::with_capacity(limit);
        let number = self.sent.next_number();
        packet::start_frames(&mut out, number);
        let head = out.len();
        let mut cargo = self.sent.cargo();
        let mut repeatable = Vec::new();
        if self.received.owed_since().is_some()
            && let Some(ack) = self.received.ack(now)
        {
            debug_assert!(ack_cost(&ack) < limit / 4, "it leaves room for the rest");
            Frame::Ack(ack).encode(&mut out);
        }
        let after_ack = out.len();
        self.probing = false;
        if std::mem::take(&mut self.ping) {
            Frame::Ping.encode(&mut out);
        }
        let mut loading = Loading {
            now,
            number,
            out: &mut out,
            limit,
            cargo: &mut cargo,
            repeatable: &mut repeatable,
            items: 0,
        };
        self.load_strangers(&mut loading);
        self.load_facts(&mut loading);
        let before_messages = loading.out.len();
        if wish.messages {
            self.load_messages(&mut loading);
        }
        if wish.spare || wish.messages && self.hungry.is_empty() && !self.rtt.shows_a_queue() {
            self.load_spare(&mut loading);
        }
        let paced = loading.out.len() > before_messages;
        self.statistics.item_octets_sent += loading.items;
        if out.len() == head {
            // What was wished for had settled itself; look again soon.
            self.timers
                .set(Timer::Send, now + std::time::Duration::from_millis(1));
            return None;
        }
        let eliciting = out.len() > after_ack;
        let size = if eliciting { out.len() as u64 } else { 0 };
        let stamp = if eliciting {
            self.spoke_at = now;
            self.gauge
                .sent(now, size, self.sent.in_flight(), paced, &self.rtt)
        } else {
            Stamp::default()
        };
        self.note_repetitions(now, &cargo, repeatable);
        self.sent.push(now, size, stamp, cargo);
        self.schedule(now);
        // Whatever is left is looked at when the driver asks again.
        self.timers.set(Timer::Send, now);
        Some(out)
    }

    fn note_repetitions(&mut self, now: Moment, cargo: &[Cargo], messages: Vec<(usize, Sequence)>) {
        if self.gauge.repetitions() == 0 {
            self.repetitions.clear();
            return;
        }
        let wait = self.rtt.repeat_after();
        if wait >= self.rtt.smoothed() {
            return;
        }
        let at = now + wait;
        for (place, sequence) in messages {
            self.repetitions
                .push_back((at, Repetition::Message(place, sequence)));
        }
        for &cargo in cargo {
            if matches!(cargo, Cargo::Said { .. } | Cargo::Outcomes { .. }) {
                self.repetitions.push_back((at, Repetition::Cargo(cargo)));
            }
        }
    }

    fn load_strangers(&mut self, loading: &mut Loading<'_>) {
        while loading.room() >= REFUSAL_COST
            && let Some((index, reason)) = self.strangers.pop_front()
        {
            let refusal = reason.refusal();
            Frame::RingRefused { index, refusal }.encode(loading.out);
        }
    }

    fn load_facts(&mut self, loading: &mut Loading<'_>) {
        for _ in 0..self.speaking.len() {
            let place = self.speaking[0];
            if !self.speak(place, loading) {
                return;
            }
            self.ports[place].speaks = false;
            self.speaking.pop_front();
        }
    }

    /// Puts all that a port has to say into the packet; false if it does not fit.
    fn speak(&mut self, place: usize, loading: &mut Loading<'_>) -> bool {
        let port = &mut self.ports[place];
        let Some(index) = port.index else { return true };
        if port.showing.is_fresh() {
            if loading.room() < SHOWING_COST {
                return false;
            }
            Frame::Ring(Box::new(port.show(index))).encode(loading.out);
            let version = port.showing.say(loading.now, loading.number);
            loading.cargo.push(Cargo::Said {
                port: place,
                fact: Fact::Showing,
                version,
            });
        }
        if self.state != State::Open {
            return true;
        }
        if let Standing::Shut(shut) = &port.standing {
            if port.refused.is_fresh() && !shut.by_far_end {
                if loading.room() < REFUSAL_COST {
                    return false;
                }
                let refusal = shut.reason.refusal();
                Frame::RingRefused { index, refusal }.encode(loading.out);
            }
            let version = port.refused.say(loading.now, loading.number);
            loading.cargo.push(Cargo::Said {
                port: place,
                fact: Fact::Refused,
                version,
            });
            return true;
        }
        if port.standing != Standing::Open {
            return true;
        }
        let at = At {
            ring: &port.ring,
            place,
            index,
        };
        match &mut port.part {
            Part::Mirror(mirror) => mirror.speak(&at, loading),
            Part::Origin(origin) => origin.speak(&at, loading),
        }
    }

    fn load_messages(&mut self, loading: &mut Loading<'_>) {
        // Each ring in turn; who still has some stands at the end of the line.
        let mut idle = 0;
        while let Some(place) = self.hungry.pop_front() {
            let before = loading.out.len();
            let port = &mut self.ports[place];
            let at = At {
                ring: &port.ring,
                place,
                index: port.index.unwrap_or_default(),
            };
            let more = match &mut port.part {
                Part::Origin(origin) if port.standing == Standing::Open => {
                    origin.load_messages(&at, loading)
                }
                Part::Origin(_) | Part::Mirror(_) => false,
            };
            let took = loading.out.len() > before;
            if more {
                // Without room for its next message it keeps its turn for the next packet.
                if took {
                    self.hungry.push_back(place);
                } else {
                    self.hungry.push_front(place);
                    return;
                }
            } else {
                port.hungers = false;
            }
            idle = if took { 0 } else { idle + 1 };
            if idle > self.hungry.len() {
                return;
            }
        }
    }

    fn load_spare(&mut self, loading: &mut Loading<'_>) {
        while let Some(&place) = self.spare.front() {
            let port = &mut self.ports[place];
            let at = At {
                ring: &port.ring,
                place,
                index: port.index.unwrap_or_default(),
            };
            if let Part::Origin(origin) = &mut port.part {
                if port.standing == Standing::Open {
                    origin.load_spare(&at, loading);
                } else {
                    origin.forget_spare();
                }
                if origin.has_spare() {
                    return;
                }
            }
            self.spare.pop_front();
        }
    }

    /// Whether this end dialled.
    pub fn role(&self) -> Role {
        self.config.role
    }
}

fn earlier(one: Option<Moment>, other: Moment) -> Option<Moment> {
    Some(one.map_or(other, |one| one.min(other)))
}
