//! The SMSC's side of an SMPP session.
//!
//! | state | request | answer |
//! |---|---|---|
//! | open | a bind | bound, or why not; then the connection ends |
//! | open | anything else | 0x04 |
//! | bound | what its bind allows | done |
//! | bound | what its bind does not allow, another bind | 0x04; 0x05 for the bind |
//! | bound | unbind | done, then the connection ends |
//! | any | unknown | generic_nack, 0x03 |
//! | any | a length that no frame has | generic_nack, 0x02, then the connection ends |

mod deliver;
mod requests;
mod submit;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::outlet::{Manner, Outlet};
use super::play::{Play, Refused};
use super::{Out, Session};
use crate::clock::Moment;
use crate::codec::smpp::{CommandId, Empty, Frame, Framer, MAX_FRAME, Pdu, Status};
use crate::sim::config::{Config, Smpp};
use crate::sim::event::{Event, Protocol};
use crate::sim::fault::Point;
use crate::sim::network::{Network, Now, Waiting};

/// An operation that does not exist.
const NO_OPERATION: CommandId = CommandId(0x01FF);

/// The last sequence number; 1 follows it.
const LAST_SEQUENCE: u32 = 0x7FFF_FFFF;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Open,
    Bound(Bound),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Bound {
    account: usize,
    submits: bool,
    receives: bool,
}

/// A request of ours that waits for its answer.
struct Awaited {
    sequence: u32,
    response: CommandId,
    sent: Moment,
    what: Asked,
}

enum Asked {
    Letter {
        waiting: Waiting,
        /// Whether it is delivered once more after it was taken.
        duplicate: bool,
    },
    Alive,
    Unbind,
    /// Whatever comes back is right.
    Nothing,
}

/// One connection.
pub(in crate::sim) struct SmppSession {
    config: Arc<Config>,
    settings: Smpp,
    number: u64,
    /// Whether the line is a serial one: no connection marks a session's begin and end.
    serial: bool,
    framer: Framer,
    outlet: Outlet,
    state: State,
    next_sequence: u32,
    /// The number of the request that is being served.
    asked: u32,
    awaited: VecDeque<Awaited>,
    /// A piece of a PDU was sent, and the stream was lost by our fault: what is answered to it is no breach.
    misled: bool,
    opened: Moment,
    heard: Moment,
    probed: Moment,
}

impl SmppSession {
    pub(in crate::sim) fn new(
        config: Arc<Config>,
        settings: Smpp,
        number: u64,
        serial: bool,
    ) -> Self {
        Self {
            config,
            settings,
            number,
            serial,
            framer: Framer::new(MAX_FRAME),
            outlet: Outlet::default(),
            state: State::Open,
            next_sequence: 1,
            asked: 0,
            awaited: VecDeque::new(),
            misled: false,
            opened: Moment::START,
            heard: Moment::START,
            probed: Moment::START,
        }
    }

    const fn account(&self) -> Option<usize> {
        match self.state {
            State::Open => None,
            State::Bound(bound) => Some(bound.account),
        }
    }

    fn play(&self, now: Now, network: &mut Network, point: Point) -> Play {
        Play::of(network.play(now, self.number, point, Protocol::Smpp, self.account()))
    }

    /// Reads what has come, as far as it may be read now.
    fn work(&mut self, now: Now, network: &mut Network) {
        while !self.outlet.is_closing() && !self.outlet.is_frozen(now.moment) {
            match self.framer.next_frame() {
                Ok(None) => break,
                Ok(Some(frame)) if frame.id.is_response() => self.response(now, network, &frame),
                Ok(Some(frame)) => self.request(now, network, &frame),
                Err(lost) => {
                    network.odd(now, self.number, || lost.to_string());
                    let nack = Pdu::GenericNack(Empty)
                        .to_bytes(Status::INVALID_COMMAND_LENGTH, lost.sequence.unwrap_or(0));
                    self.outlet.write(nack, Manner::Whole);
                    self.outlet.close("a length that no frame has");
                }
            }
        }
        self.pump(now, network);
    }

    /// Back to how a connection begins; letters that are unanswered go back, in their order.
    fn reset(&mut self, network: &mut Network) {
        if let State::Bound(bound) = self.state {
            network.logout(self.number, bound.account);
            for awaited in self.awaited.drain(..).rev() {
                if let Asked::Letter { waiting, .. } = awaited.what {
                    network.give_back(bound.account, waiting);
                }
            }
        }
        self.state = State::Open;
        self.awaited.clear();
        self.next_sequence = 1;
    }

    /// What a fault does to the line and to our own numbers, before anything else.
    fn disturb(&mut self, now: Now, play: &Play) {
        if play.half_frame {
            self.misled = true;
            // Ten octets of an enquire_link: the stream is lost from here on.
            let whole = Pdu::EnquireLink(Empty).to_bytes(Status::OK, 1);
            self.outlet.write(whole.slice(..10), Manner::Alone);
        }
        if play.restart {
            self.next_sequence = 1;
        }
        for _ in 0..play.jump {
            self.sequence();
        }
        if play.unknown_operation {
            let sequence = self.sequence();
            let mut out = Vec::new();
            Frame {
                id: NO_OPERATION,
                status: Status::OK,
                sequence,
                body: Bytes::new(),
            }
            .put(&mut out);
            self.outlet.write(out.into(), Manner::Whole);
            self.expect(now, sequence, NO_OPERATION, Asked::Nothing);
        }
        if let Some(wait) = play.freeze {
            self.outlet.freeze(now.moment + wait);
        }
        if play.logout {
            self.unbind(now);
        }
    }

    fn unbind(&mut self, now: Now) {
        let sequence = self.sequence();
        let unbind = Pdu::Unbind(Empty).to_bytes(Status::OK, sequence);
        self.outlet.write(unbind, Manner::Whole);
        self.expect(now, sequence, CommandId::UNBIND, Asked::Unbind);
    }

    const fn sequence(&mut self) -> u32 {
        let sequence = self.next_sequence;
        self.next_sequence = if sequence == LAST_SEQUENCE {
            1
        } else {
            sequence + 1
        };
        sequence
    }

    fn expect(&mut self, now: Now, sequence: u32, request: CommandId, what: Asked) {
        self.awaited.push_back(Awaited {
            sequence,
            response: request.response(),
            sent: now.moment,
            what,
        });
    }

    /// Answers a request: by a PDU, or by its bare header where there is an error to tell.
    #[expect(
        clippy::too_many_arguments,
        reason = "one place for all that makes an answer"
    )]
    fn answer(
        &mut self,
        now: Now,
        network: &Network,
        request: &Frame,
        point: Point,
        play: &Play,
        outcome: Result<Pdu, Status>,
        id: Option<String>,
    ) {
        let status = outcome.as_ref().err().copied().unwrap_or(Status::OK);
        let sequence = request.sequence.wrapping_add(u32::from(play.wrong_number));
        let bytes = match outcome {
            Ok(pdu) => pdu.to_bytes(Status::OK, sequence),
            Err(status) => bare(request.id.response(), status, sequence),
        };
        if play.silent {
            return;
        }
        let event = network.is_observed().then_some(Event::Answer {
            to: point,
            number: request.sequence,
            code: status.0,
            id,
        });
        let wait = self.config.centre.answer_after + play.wait;
        self.outlet
            .answer(now.moment, wait, bytes, play.manner, event);
    }

    fn nack(&mut self, now: Now, network: &Network, request: &Frame, point: Point, status: Status) {
        let bytes = Pdu::GenericNack(Empty).to_bytes(status, request.sequence);
        let event = network.is_observed().then_some(Event::Answer {
            to: point,
            number: request.sequence,
            code: status.0,
            id: None,
        });
        let wait = self.config.centre.answer_after;
        self.outlet
            .answer(now.moment, wait, bytes, Manner::Whole, event);
    }

    fn deadlines(&self) -> impl Iterator<Item = Moment> {
        let login =
            matches!(self.state, State::Open).then(|| self.opened + self.settings.login_within);
        let idle = self.settings.idle.map(|idle| self.heard + idle);
        let answer = self
            .awaited
            .front()
            .map(|awaited| awaited.sent + self.settings.answer_within);
        [login, idle, answer].into_iter().flatten()
    }

    fn probe_at(&self) -> Option<Moment> {
        let bound = matches!(self.state, State::Bound(_));
        let probed = self
            .awaited
            .iter()
            .any(|awaited| matches!(awaited.what, Asked::Alive));
        self.settings
            .probe
            .filter(|_| bound && !probed)
            .map(|probe| self.heard.max(self.probed) + probe)
    }
}

/// A response of its header alone.
fn bare(id: CommandId, status: Status, sequence: u32) -> Bytes {
    let mut out = Vec::new();
    Frame {
        id,
        status,
        sequence,
        body: Bytes::new(),
    }
    .put(&mut out);
    out.into()
}

/// What a fault's refusal is in this protocol.
const fn status_of(refused: Refused) -> Status {
    match refused {
        Refused::Throttled => Status::THROTTLED,
        Refused::QueueFull => Status::QUEUE_FULL,
        Refused::Code(code) => Status(code),
    }
}

impl Session for SmppSession {
    fn handle_connected(&mut self, now: Now, network: &mut Network) {
        self.opened = now.moment;
        self.heard = now.moment;
        network.counts_mut().connections += 1;
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
        if self.deadlines().any(|deadline| deadline <= now.moment) {
            self.outlet.close(match self.state {
                State::Open => "no bind in time",
                State::Bound(_) if self.awaited.is_empty() => "silent for too long",
                State::Bound(_) => "no answer in time",
            });
            return;
        }
        if self.probe_at().is_some_and(|at| at <= now.moment) {
            self.probed = now.moment;
            let sequence = self.sequence();
            let probe = Pdu::EnquireLink(Empty).to_bytes(Status::OK, sequence);
            self.outlet.write(probe, Manner::Whole);
            self.expect(now, sequence, CommandId::ENQUIRE_LINK, Asked::Alive);
        }
        self.work(now, network);
    }

    fn handle_disconnected(&mut self, now: Now, network: &mut Network, why: &str) {
        self.reset(network);
        network.record(now, self.number, || Event::End { why: why.into() });
    }

    fn logout(&mut self, now: Now, _network: &mut Network) {
        if let State::Bound(_) = self.state {
            self.unbind(now);
        } else {
            self.outlet.close("ended before a bind");
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
            State::Bound(bound) if self.may_deliver(network) => network.next_letter(bound.account),
            _ => None,
        };
        self.deadlines()
            .chain(self.outlet.next())
            .chain(self.probe_at())
            .chain(letter)
            .min()
    }

    fn wants_bytes(&self, now: Now) -> bool {
        !self.outlet.is_frozen(now.moment)
    }
}
