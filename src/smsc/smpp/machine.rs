//! The machine: states, and what each event does in them. See the table in the page of this module.

use std::time::Duration;

use crate::clock::Moment;
use crate::codec::smpp::{Empty, Framer, Message, Pdu};
use crate::message::Refused;
use crate::smsc::events::Events;
use crate::smsc::session::{Down, Event, Retry, SubmitAnswer, SubmitTurn};

use super::bind::Peer;
use super::config::Config;
use super::counters::Counters;
use super::deliveries::Deliveries;

use super::jitter::Jitter;
use super::outbox::Outbox;
use super::requests::{Request, Requests};
use super::timer::{Timer, Timers};

/// Where the session stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// No connection, or one that is over.
    Closed,
    /// Our bind is unanswered.
    Binding,
    /// Logged in.
    Bound,
    /// Our unbind is unanswered.
    Unbinding,
}

/// Where the lane of our submits stands.
#[derive(Debug)]
pub(super) enum Submitting {
    /// Nobody may submit.
    Nobody,
    /// The driver has the turn.
    Offered,
    /// A message waits for the answer to a probe.
    Waiting(Box<Message>),
    /// A message's submit_sm is the outstanding request.
    Asked,
}

/// An SMPP session from the ESME's side; see the page of this module.
#[derive(Debug)]
pub struct Session {
    pub(super) config: Config,
    jitter: Jitter,
    pub(super) state: State,
    /// We want to end: nothing new is submitted, and unbind goes out as soon as nothing is outstanding.
    pub(super) is_leaving: bool,
    /// Counts connections; a turn names its own.
    pub(super) connection: u64,
    pub(super) framer: Framer,
    pub(super) requests: Requests,
    pub(super) submitting: Submitting,
    pub(super) deliveries: Deliveries,
    pub(super) timers: Timers,
    pub(super) outbox: Outbox,
    pub(super) events: Events,
    pub(super) counters: Counters,
    pub(super) peer: Peer,
    /// Whether the SMSC said that it is nearly congested.
    pub(super) is_congested: bool,
}

impl Session {
    /// A session for an account; chance (for the times of probes) comes from the seed.
    pub fn new(config: Config, seed: u64) -> Result<Self, Refused> {
        config.check()?;
        Ok(Self {
            jitter: Jitter::new(seed),
            state: State::Closed,
            is_leaving: false,
            connection: 0,
            framer: Framer::new(config.max_pdu),
            requests: Requests::new(),
            submitting: Submitting::Nobody,
            deliveries: Deliveries::new(config.max_waiting_deliveries),
            timers: Timers::default(),
            outbox: Outbox::default(),
            events: Events::default(),
            counters: Counters::default(),
            peer: Peer::default(),
            is_congested: false,
            config,
        })
    }

    /// Oddities of the peer, counted over all connections.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// How many octets of the peer's are held: frames that wait for their rest, and deliveries that wait for their turn.
    pub fn held_octets(&self) -> usize {
        self.framer.buffered() + self.deliveries.held_octets()
    }

    pub(super) fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    /// Whether what the peer sends is read. If not, its answers may lie unread, so no timer may end the connection for
    /// their absence.
    pub(super) fn is_reading(&self) -> bool {
        self.is_open() && self.deliveries.have_room()
    }

    fn timeout_of(&self, request: Request) -> Duration {
        match request {
            Request::Bind(_) => self.config.session_init_timeout,
            Request::Submit => self.config.submit_timeout,
            Request::Probe => self.config.enquire_link_timeout,
            Request::Unbind => self.config.unbind_timeout,
        }
    }

    /// Sends a request and waits for its answer.
    pub(super) fn ask(&mut self, now: Moment, request: Request, pdu: &Pdu) {
        let sequence = self.requests.begin(request);
        self.outbox.request(pdu, sequence);
        self.timers
            .set(Timer::Response, now + self.timeout_of(request));
    }

    /// What is next for our side, whenever nothing is outstanding.
    pub(super) fn go_on(&mut self, now: Moment) {
        if self.state != State::Bound || self.requests.outstanding().is_some() {
            return;
        }
        if self.is_leaving {
            self.state = State::Unbinding;
            self.ask(now, Request::Unbind, &Pdu::Unbind(Empty));
            return;
        }
        match std::mem::replace(&mut self.submitting, Submitting::Nobody) {
            Submitting::Waiting(message) => {
                self.submitting = Submitting::Asked;
                self.ask(now, Request::Submit, &Pdu::SubmitSm(*message));
            }
            Submitting::Nobody if self.config.bind.submits() => {
                self.submitting = Submitting::Offered;
                self.events
                    .push(Event::MaySubmit(SubmitTurn::of(self.connection)));
            }
            other => self.submitting = other,
        }
    }

    /// The peer lives.
    pub(super) fn heard(&mut self, now: Moment) {
        let quiet = self.jitter.shorten(self.config.enquire_link_interval);
        self.timers.set(Timer::Probe, now + quiet);
        self.timers
            .set(Timer::Inactivity, now + self.config.inactivity());
    }

    /// Takes the frames that have come, as long as there is room for deliveries.
    pub(super) fn read(&mut self, now: Moment) {
        let mut took_one = false;
        while self.is_reading() {
            match self.framer.next_frame() {
                Ok(Some(frame)) => {
                    took_one = true;
                    self.take(now, frame);
                }
                Ok(None) => break,
                Err(bad) => return self.lose_framing(&bad),
            }
        }
        let is_partial = self.is_reading() && self.framer.buffered() > 0;
        if !is_partial {
            self.timers.stop(Timer::Partial);
        } else if took_one || !self.timers.is_running(Timer::Partial) {
            self.timers
                .set(Timer::Partial, now + self.config.partial_pdu_timeout);
        }
    }

    /// The connection is over. What the message's submit came to is told first.
    pub(super) fn end(&mut self, retry: Retry, reason: impl Into<String>) {
        let outstanding = self.requests.abandon();
        match std::mem::replace(&mut self.submitting, Submitting::Nobody) {
            Submitting::Asked => {
                let is_out = outstanding.is_some_and(|outstanding| outstanding.is_out);
                let answer = if is_out {
                    SubmitAnswer::InDoubt
                } else {
                    SubmitAnswer::NotSent
                };
                self.events.push(Event::Answered(answer));
            }
            Submitting::Waiting(_) => self.events.push(Event::Answered(SubmitAnswer::NotSent)),
            Submitting::Nobody | Submitting::Offered => {}
        }
        // What was not written must not be written any more, or "not sent" would be wrong.
        self.outbox.drop_requests();
        self.deliveries.clear();
        self.timers.stop_all();
        self.framer = Framer::new(self.config.max_pdu);
        self.state = State::Closed;
        let retry = if self.is_leaving { Retry::Never } else { retry };
        self.events.push(Event::Ended(Down {
            reason: reason.into(),
            retry,
        }));
    }

    pub(super) fn act_on(&mut self, now: Moment, timer: Timer) {
        let written = humantime::format_duration;
        match timer {
            Timer::Response => {
                let Some(outstanding) = self.requests.outstanding() else {
                    return;
                };
                let wait = self.timeout_of(outstanding.request);
                if self.is_reading() {
                    let command = outstanding.request.command();
                    self.end(
                        Retry::Soon,
                        format!("the SMSC did not answer {command} within {}", written(wait)),
                    );
                } else {
                    self.timers.set(Timer::Response, now + wait);
                }
            }
            Timer::Partial => {
                let wait = written(self.config.partial_pdu_timeout);
                self.end(
                    Retry::Soon,
                    format!("the SMSC began a PDU and did not finish it within {wait}"),
                );
            }
            Timer::Inactivity => {
                let wait = self.config.inactivity();
                if self.is_reading() {
                    self.end(
                        Retry::Soon,
                        format!("nothing was heard of the SMSC for {}", written(wait)),
                    );
                } else {
                    self.timers.set(Timer::Inactivity, now + wait);
                }
            }
            // While something is outstanding its own timer is the probe, and its answer starts this one again.
            Timer::Probe if self.requests.outstanding().is_some() => {}
            Timer::Probe if self.is_reading() => {
                self.ask(now, Request::Probe, &Pdu::EnquireLink(Empty));
            }
            Timer::Probe => self
                .timers
                .set(Timer::Probe, now + self.config.enquire_link_interval),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::codec::smpp::{CommandId, Frame, IdResp, Status};
    use crate::message::{Body, Coding, PhoneNumber, ShortMessage, UserDataHeader};
    use crate::smsc::session::Session as _;

    /// What is written next: its number.
    fn sequence(session: &mut Session) -> u32 {
        let octets = session.poll_transmit().expect("something is written");
        u32::from_be_bytes(*octets[12..].first_chunk().expect("a header"))
    }

    #[test]
    fn our_numbers_begin_again_after_the_last_and_answers_still_match() {
        let config = Config {
            system_id: "sluice".into(),
            ..Config::default()
        };
        let mut session = Session::new(config, 1).unwrap();
        let now = Moment::START;
        session.handle_connected(now);
        assert_eq!(sequence(&mut session), 1);
        let answer = |session: &mut Session, id: CommandId, sequence| {
            let mut octets = Vec::new();
            let body = Bytes::from_static(b"\0");
            let status = Status::OK;
            Frame {
                id,
                status,
                sequence,
                body,
            }
            .put(&mut octets);
            session.handle_bytes(now, &octets);
        };
        answer(&mut session, CommandId::BIND_TRANSCEIVER_RESP, 1);
        // Two thousand million requests later.
        session.requests = Requests::starting_at(0x7FFF_FFFE);
        let number = PhoneNumber::new("358401234567").unwrap();
        let body = Body::new(Coding::Gsm7, UserDataHeader::NONE, Bytes::new()).unwrap();
        let message = ShortMessage::new(number.clone().into(), number.into(), body);
        let mut given = Vec::new();
        let mut accepted = 0;
        while given.len() < 4 {
            match session.poll_event().expect("our turn comes") {
                Event::MaySubmit(turn) => {
                    session.submit(now, turn, &message, None);
                    let number = sequence(&mut session);
                    given.push(number);
                    answer(
                        &mut session,
                        Pdu::SubmitSmResp(IdResp::default()).id(),
                        number,
                    );
                }
                Event::Answered(SubmitAnswer::Accepted(_)) => accepted += 1,
                _ => {}
            }
        }
        assert_eq!(given, [0x7FFF_FFFE, 0x7FFF_FFFF, 1, 2]);
        assert_eq!(accepted, 3, "the last answer is still to be told");
    }
}
