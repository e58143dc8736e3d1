//! The SMSC's side of a CIMD2 session. It is strict about numbers and checksums; the application expects what it
//! sends to be answered like this:
//!
//! | comes | is answered |
//! |---|---|
//! | a request with the number expected | done, or refused; the number expected moves on |
//! | the request before, the same octets | as before, and not done again |
//! | the number before, other octets | done: better twice than lost |
//! | another number, a wrong checksum, no packet | 99 with the number expected |
//! | an operation that does not exist | 98 |
//! | anything before a login | refused, 900:1 |
//!
//! and what it answers:
//!
//! | comes | then |
//! |---|---|
//! | the answer to the oldest delivery | the letter is put away, or back |
//! | the answer to another delivery | the same, and a breach |
//! | an answer to nothing | a breach |
//! | an answer with a wrong checksum | the same octets again |
//! | 99 with the delivery's number | the same octets again, three times |
//! | 99 with another number | the same under that number, which counts on |

mod deliver;
mod requests;
mod submit;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::outlet::{Manner, Outlet};
use super::play::Play;
use super::{Out, Session};
use crate::clock::{Moment, WallTime};
use crate::codec::cimd2::{
    Checksum, Framer, Number, Operation, Packet, Plain, TimeStamp, Write, Writer, checksum,
};
use crate::sim::config::{Cimd2, Config};
use crate::sim::event::{Event, Protocol};
use crate::sim::fault::Point;
use crate::sim::network::{Network, Now, Waiting};

/// How often the same octets are sent before the SMSC gives up.
const MOST_TRIES: u32 = 3;

/// An operation that does not exist.
const NO_OPERATION: Operation = Operation(33);

/// The number of an SMSC's first request.
fn first_number() -> Number {
    Number::new(0).expect("zero is a number")
}

/// What was left of a packet when its session ended, and how another one began.
const HALF_FRAME: &[u8] =
    b"60:261121061342\t033:from a session that has ended\t5F\x03\x0220:002\t021:1";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Open,
    LoggedIn { account: usize, window: usize },
}

/// A request of ours that waits for its answer.
struct Awaited {
    number: Number,
    response: Option<Operation>,
    /// As it was sent, without any fault.
    octets: Bytes,
    sent: Moment,
    tries: u32,
    what: Asked,
}

enum Asked {
    Letter {
        waiting: Waiting,
        duplicate: bool,
    },
    Alive,
    Logout,
    /// Whatever comes back is right.
    Nothing,
}

/// One connection, or a session on a serial line.
pub(in crate::sim) struct Cimd2Session {
    config: Arc<Config>,
    settings: Cimd2,
    number: u64,
    /// Whether the line is a serial one: no connection marks a session's begin and end.
    serial: bool,
    framer: Framer,
    outlet: Outlet,
    state: State,
    /// The number that the application's next request must have.
    expected: Number,
    /// The last request that was done, and its answer.
    last: Option<(Bytes, Bytes)>,
    /// A request that was not seen; its repetition is no new request.
    unseen: Option<Bytes>,
    next: Number,
    awaited: VecDeque<Awaited>,
    /// A half packet was sent. A nack asks for it again, so an answer may come that answers nothing: our fault.
    misled: bool,
    /// How many letters a querying application has asked for.
    asked_for: usize,
    opened: Moment,
    heard: Moment,
    probed: Moment,
}

impl Cimd2Session {
    pub(in crate::sim) fn new(
        config: Arc<Config>,
        settings: Cimd2,
        number: u64,
        serial: bool,
    ) -> Self {
        Self {
            config,
            settings,
            number,
            serial,
            framer: Framer::new(),
            outlet: Outlet::default(),
            state: State::Open,
            expected: Number::LOGIN,
            last: None,
            unseen: None,
            next: first_number(),
            awaited: VecDeque::new(),
            misled: false,
            asked_for: 0,
            opened: Moment::START,
            heard: Moment::START,
            probed: Moment::START,
        }
    }

    const fn account(&self) -> Option<usize> {
        match self.state {
            State::Open => None,
            State::LoggedIn { account, .. } => Some(account),
        }
    }

    fn play(&self, now: Now, network: &mut Network, point: Point) -> Play {
        Play::of(network.play(now, self.number, point, Protocol::Cimd2, self.account()))
    }

    /// Reads what has come, as far as it may be read now.
    fn work(&mut self, now: Now, network: &mut Network) {
        while !self.outlet.is_closing() && !self.outlet.is_frozen(now.moment) {
            let packet = match self.framer.next_frame() {
                Ok(None) => break,
                Ok(Some(octets)) => Packet::read(octets),
                Err(why) => Err(why),
            };
            match packet {
                Err(why) => {
                    network.odd(now, self.number, || why.to_string());
                    self.nack(self.expected);
                }
                Ok(packet) => self.packet(now, network, &packet),
            }
        }
        self.pump(now, network);
    }

    fn packet(&mut self, now: Now, network: &mut Network, packet: &Packet) {
        let whole = match packet.checksum() {
            Checksum::Right => true,
            Checksum::Absent => !self.settings.demand_checksums,
            Checksum::Wrong { .. } => false,
        };
        let operation = packet.operation();
        if !whole {
            network.odd(now, self.number, || {
                format!("{operation} {}: bad checksum", packet.number())
            });
        }
        // A nack asks for nothing, so it is not answered by one.
        match (operation, whole) {
            (Operation::NACK, true) => self.nacked(now, network, packet.number()),
            (Operation::NACK, false) => {}
            (_, true) if operation.is_request() => self.request(now, network, packet),
            (_, false) if operation.is_request() => self.nack(self.expected),
            (_, true) => self.response(now, network, packet),
            (_, false) => self.send_again(now, network),
        }
    }

    fn nack(&mut self, expected: Number) {
        let nack = Plain::NACK.to_bytes(expected);
        self.outlet.write(nack, Manner::Whole);
    }

    /// What a fault does to the line and to our own numbers, before anything else.
    fn disturb(&mut self, now: Now, play: &Play) {
        if play.half_frame {
            self.misled = true;
            self.outlet
                .write(Bytes::from_static(HALF_FRAME), Manner::Alone);
        }
        if play.restart {
            self.next = first_number();
        }
        for _ in 0..play.jump {
            self.next = self.next.next();
        }
        if play.unknown_operation {
            let mut out = Vec::new();
            Writer::begin(&mut out, NO_OPERATION, self.next).end();
            self.ask(
                now,
                out.into(),
                None,
                Asked::Nothing,
                &Play::default(),
                None,
            );
        }
        if let Some(wait) = play.freeze {
            self.outlet.freeze(now.moment + wait);
        }
        if play.logout {
            self.send_logout(now);
        }
    }

    fn send_logout(&mut self, now: Now) {
        let logout = Plain::LOGOUT.to_bytes(self.next);
        let response = Operation::LOGOUT.response();
        self.ask(now, logout, response, Asked::Logout, &Play::default(), None);
    }

    /// Sends a request of ours, which has the next number.
    fn ask(
        &mut self,
        now: Now,
        octets: Bytes,
        response: Option<Operation>,
        what: Asked,
        play: &Play,
        event: Option<Event>,
    ) {
        let sent = if play.wrong_checksum {
            spoiled(&octets)
        } else {
            octets.clone()
        };
        // Some clients take a segment for a packet.
        self.outlet
            .write_told(sent, play.manner_or(Manner::Alone), event);
        self.awaited.push_back(Awaited {
            number: self.next,
            response,
            octets,
            sent: now.moment,
            tries: 1,
            what,
        });
        self.next = self.next.next();
    }

    /// Back to how a connection begins; letters that are unanswered go back, in their order.
    fn reset(&mut self, network: &mut Network) {
        if let State::LoggedIn { account, .. } = self.state {
            network.logout(self.number, account);
            for awaited in self.awaited.drain(..).rev() {
                if let Asked::Letter { waiting, .. } = awaited.what {
                    network.give_back(account, waiting);
                }
            }
        }
        self.state = State::Open;
        self.expected = Number::LOGIN;
        self.last = None;
        self.unseen = None;
        self.next = first_number();
        self.awaited.clear();
        self.asked_for = 0;
    }

    /// When this session ends for lack of a login or of any sign of life.
    fn ends_at(&self) -> Option<(Moment, &'static str)> {
        match self.state {
            State::Open if self.serial => None,
            State::Open => Some((self.opened + self.settings.login_within, "no login in time")),
            State::LoggedIn { .. } => self
                .settings
                .idle
                .map(|idle| (self.heard + idle, "silent for too long")),
        }
    }

    fn answer_due(&self) -> Option<Moment> {
        let awaited = self.awaited.front()?;
        Some(awaited.sent + self.settings.answer_within)
    }

    fn probe_at(&self) -> Option<Moment> {
        let logged_in = matches!(self.state, State::LoggedIn { .. });
        self.settings
            .probe
            .filter(|_| logged_in && self.awaited.is_empty())
            .map(|probe| self.heard.max(self.probed) + probe)
    }
}

/// The same with another checksum.
fn spoiled(octets: &Bytes) -> Bytes {
    let mut spoiled = octets.to_vec();
    if let [.., low, _etx] = &mut spoiled[..] {
        *low = if *low == b'0' { b'1' } else { b'0' };
    }
    spoiled.into()
}

/// The same under another number.
fn renumbered(octets: &Bytes, number: Number) -> Bytes {
    const DIGITS: std::ops::Range<usize> = 4..7;
    const CHECKSUM_AND_ETX: usize = 3;
    let mut octets = octets.to_vec();
    octets[DIGITS].copy_from_slice(number.to_string().as_bytes());
    let sum = checksum(&octets[..octets.len() - CHECKSUM_AND_ETX]);
    let end = octets.len() - CHECKSUM_AND_ETX;
    octets[end..end + 2].copy_from_slice(format!("{sum:02X}").as_bytes());
    octets.into()
}

/// A time stamp of seconds of the SMSC's clock.
fn stamp(seconds: u64) -> TimeStamp {
    TimeStamp::of(WallTime::from_unix_ms(seconds.saturating_mul(1000)))
}

impl Session for Cimd2Session {
    fn handle_connected(&mut self, now: Now, network: &mut Network) {
        self.opened = now.moment;
        self.heard = now.moment;
        network.counts_mut().connections += 1;
        if self.settings.greeting && !self.serial {
            let greeting = format!(
                "CIMD2-A ConnectionInfo: SessionId = {0} PortId = {0} Time = {1} AccessType = TCPIP_SOCKET PIN = {0}\r\n",
                self.number,
                TimeStamp::of(now.wall)
            );
            self.outlet.write(greeting.into(), Manner::Alone);
        }
        let play = self.play(now, network, Point::Connect);
        self.disturb(now, &play);
    }

    fn handle_bytes(&mut self, now: Now, network: &mut Network, bytes: &[u8]) {
        self.heard = now.moment;
        self.framer.push(bytes);
        self.work(now, network);
    }

    fn handle_timeout(&mut self, now: Now, network: &mut Network) {
        self.outlet.thaw(now.moment);
        if self.outlet.is_closing() || self.outlet.is_frozen(now.moment) {
            return;
        }
        if let Some((at, why)) = self.ends_at()
            && at <= now.moment
        {
            self.outlet.close(why);
            return;
        }
        if self.answer_due().is_some_and(|due| due <= now.moment) {
            self.silence(now, network);
        }
        if self.probe_at().is_some_and(|at| at <= now.moment) {
            self.probed = now.moment;
            let alive = Plain::ALIVE.to_bytes(self.next);
            let response = Operation::ALIVE.response();
            self.ask(now, alive, response, Asked::Alive, &Play::default(), None);
        }
        self.work(now, network);
    }

    fn handle_disconnected(&mut self, now: Now, network: &mut Network, why: &str) {
        self.reset(network);
        network.record(now, self.number, || Event::End { why: why.into() });
    }

    fn logout(&mut self, now: Now, _network: &mut Network) {
        match self.state {
            State::LoggedIn { .. } => self.send_logout(now),
            State::Open => self.outlet.close("ended before a login"),
        }
    }

    fn poll_transmit(&mut self, now: Now, network: &mut Network) -> Option<Out> {
        self.outlet.poll(now, self.number, network)
    }

    fn poll_timeout(&self, network: &Network) -> Option<Moment> {
        if self.outlet.is_closing() {
            return None;
        }
        if let Some(until) = self.outlet.frozen_until() {
            return Some(until);
        }
        let letter = match self.state {
            State::LoggedIn { account, .. } if self.may_deliver(network) => {
                network.next_letter(account)
            }
            _ => None,
        };
        let ends = self.ends_at().map(|(at, _)| at);
        [ends, self.answer_due(), self.probe_at(), letter]
            .into_iter()
            .flatten()
            .chain(self.outlet.next())
            .min()
    }

    fn wants_bytes(&self, now: Now) -> bool {
        !self.outlet.is_frozen(now.moment)
    }
}
