//! The machine: states, and what our side does in them. See the table in the page of this module.

use std::time::Duration;

use bytes::Bytes;

use super::config::Config;
use super::deliveries::Deliveries;
use super::outbox::Outbox;
use super::peer::PeerNumbers;
use super::requests::{Request, Requests};
use super::submit;
use super::timer::{Timer, Timers};
use crate::clock::Moment;
use crate::codec::cimd2::{DeliveryRequest, Framer, Login, Number, Packet, Plain, Submit, Write};
use crate::message::{Refusal, Refused, ShortMessage};
use crate::smsc::events::Events;
use crate::smsc::session::{Answer, DeliveryTurn, Down, Event, Retry, SubmitAnswer, SubmitTurn};

/// How long to wait before a request goes out again whose answer came damaged: a line that has just been noisy gets
/// quiet, and an SMSC that notices the same sends its answer again by itself.
pub(super) const RESEND_AFTER: Duration = Duration::from_secs(1);

/// Where the session stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// No connection, or one that is over.
    Closed,
    /// Our login is unanswered.
    LoggingIn,
    /// Logged in.
    Up,
    /// Our logout is unanswered.
    LoggingOut,
}

/// Where the lane of our submits stands.
#[derive(Debug)]
pub(super) enum Submitting {
    /// Nobody may submit.
    Nobody,
    /// The driver has the turn.
    Offered,
    /// A message waits for the answer to a request of another kind.
    Waiting(Box<Submit>),
    /// A message's submit is the outstanding request; the destination that it was sent to.
    Asked(Bytes),
}

/// A CIMD2 session from the application's side; see the page of this module.
#[derive(Debug)]
pub struct Session {
    pub(super) config: Config,
    login: Login,
    pub(super) state: State,
    /// We want to end: nothing new is submitted, and the logout goes out as soon as nothing is outstanding.
    pub(super) is_leaving: bool,
    /// Counts connections; a turn names its own.
    pub(super) connection: u64,
    framer: Framer,
    pub(super) requests: Requests,
    pub(super) peer: PeerNumbers,
    pub(super) submitting: Submitting,
    pub(super) deliveries: Deliveries,
    /// It is time to ask for messages that wait.
    pub(super) is_poll_due: bool,
    /// Whether an older session was logged out on this connection already.
    pub(super) has_freed_old_session: bool,
    pub(super) timers: Timers,
    outbox: Outbox,
    pub(super) events: Events,
}

impl Session {
    /// A session for an account.
    pub fn new(config: Config) -> Result<Self, Refused> {
        config.check()?;
        Ok(Self {
            login: config.login()?,
            state: State::Closed,
            is_leaving: false,
            connection: 0,
            framer: Framer::new(),
            requests: Requests::new(),
            peer: PeerNumbers::new(),
            submitting: Submitting::Nobody,
            deliveries: Deliveries::new(config.max_waiting_deliveries),
            is_poll_due: false,
            has_freed_old_session: false,
            timers: Timers::default(),
            outbox: Outbox::default(),
            events: Events::default(),
            config,
        })
    }

    /// How many octets of the peer's are held: packets that wait for their rest, deliveries that wait for their turn,
    /// and the last request, by which its repetition is known.
    pub fn held_octets(&self) -> usize {
        self.framer.buffered() + self.deliveries.held_octets() + self.peer.held_octets()
    }

    pub(super) fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    /// Whether what the peer sends is read. If not, its answers may lie unread, so no timer may end the connection for
    /// their absence.
    fn is_reading(&self) -> bool {
        self.is_open() && self.deliveries.have_room()
    }

    fn timeout_of(&self, request: Request) -> Duration {
        match request {
            Request::Logout => self.config.logout_timeout,
            Request::Login
            | Request::FreeOldSession
            | Request::Submit
            | Request::Alive
            | Request::Poll => self.config.response_timeout,
        }
    }

    /// A packet of ours leaves, or has just been heard: the SMSC knows for a while that we live.
    pub(super) fn stay_alive(&mut self, now: Moment) {
        self.timers
            .set(Timer::Alive, now + self.config.alive_interval);
    }

    fn send_request(&mut self, now: Moment, request: Request, octets: Bytes) {
        self.stay_alive(now);
        self.timers.stop(Timer::Resend);
        self.timers
            .set(Timer::Response, now + self.timeout_of(request));
        self.outbox.request(octets);
    }

    /// Sends a request and waits for its answer.
    pub(super) fn ask(&mut self, now: Moment, request: Request, content: &impl Write) {
        let octets = self
            .requests
            .begin(request, |number| content.to_bytes(number));
        self.send_request(now, request, octets);
    }

    /// Sends the outstanding request again, under its own number or the one that the SMSC expects.
    pub(super) fn ask_again(&mut self, now: Moment, number: Option<Number>) {
        let Some(outstanding) = self.requests.outstanding() else {
            return;
        };
        let request = outstanding.request;
        let octets = match number {
            Some(number) => self.requests.repeat_as(number),
            None => self.requests.repeat(),
        };
        match octets {
            Ok(octets) => self.send_request(now, request, octets),
            Err(why) => self.end(Retry::Soon, why),
        }
    }

    /// Answers a request of the SMSC. A request that comes again gets the same answer.
    pub(super) fn reply(&mut self, now: Moment, request: &Packet, content: &impl Write) {
        let octets = content.to_bytes(request.number());
        self.peer.answered(request, &octets);
        self.send_answer(now, octets);
    }

    pub(super) fn send_answer(&mut self, now: Moment, octets: Bytes) {
        self.stay_alive(now);
        self.outbox.answer(octets);
    }

    /// Logs in, as the first thing on a connection.
    pub(super) fn log_in(&mut self, now: Moment) {
        self.state = State::LoggingIn;
        self.requests.restart();
        let login = self.login.clone();
        self.ask(now, Request::Login, &login);
    }

    /// What is next for our side, whenever nothing is outstanding.
    pub(super) fn go_on(&mut self, now: Moment) {
        if self.state != State::Up || self.requests.outstanding().is_some() {
            return;
        }
        if self.is_leaving {
            self.state = State::LoggingOut;
            self.ask(now, Request::Logout, &Plain::LOGOUT);
            return;
        }
        match std::mem::replace(&mut self.submitting, Submitting::Nobody) {
            Submitting::Waiting(submit) => return self.send_submit(now, &submit),
            other => self.submitting = other,
        }
        if self.is_poll_due {
            self.poll(now);
        } else if matches!(self.submitting, Submitting::Nobody) {
            self.submitting = Submitting::Offered;
            let turn = SubmitTurn::of(self.connection);
            self.events.push(Event::MaySubmit(turn));
        }
    }

    fn send_submit(&mut self, now: Moment, submit: &Submit) {
        let destination = Bytes::copy_from_slice(submit.destination.octets());
        self.submitting = Submitting::Asked(destination);
        self.ask(now, Request::Submit, submit);
    }

    fn poll(&mut self, now: Moment) {
        self.is_poll_due = false;
        if let Some(interval) = self.config.delivery_request_interval {
            self.timers.set(Timer::Poll, now + interval);
        }
        let mode = self.config.delivery_request.mode();
        self.ask(now, Request::Poll, &DeliveryRequest { mode });
    }

    /// Takes the packets that have come, as long as there is room for deliveries.
    pub(super) fn read(&mut self, now: Moment) {
        while self.is_reading() {
            match self.framer.next_frame() {
                Ok(Some(frame)) => self.take(now, frame),
                Ok(None) => break,
                Err(why) => self.lost_packet(now, why),
            }
        }
    }

    /// The connection is over. What the message's submit came to is told first.
    pub(super) fn end(&mut self, retry: Retry, reason: impl Into<String>) {
        let outstanding = self.requests.abandon();
        match std::mem::replace(&mut self.submitting, Submitting::Nobody) {
            Submitting::Asked(_) => {
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
        self.framer.clear();
        self.state = State::Closed;
        let retry = if self.is_leaving { Retry::Never } else { retry };
        self.events.push(Event::Ended(Down {
            reason: reason.into(),
            retry,
        }));
    }

    fn act_on(&mut self, now: Moment, timer: Timer) {
        match timer {
            Timer::Response => {
                let Some(request) = self.requests.outstanding().map(|it| it.request) else {
                    return;
                };
                let wait = self.timeout_of(request);
                if self.is_reading() {
                    let operation = request.operation();
                    let wait = humantime::format_duration(wait);
                    self.end(
                        Retry::Soon,
                        format!("the SMSC did not answer {operation} within {wait}"),
                    );
                } else {
                    self.timers.set(Timer::Response, now + wait);
                }
            }
            Timer::Resend => self.ask_again(now, None),
            Timer::Alive if self.state == State::Up => {
                // While something of ours is outstanding, that is the sign of life; and where nothing is read, its
                // answer would not be either.
                if self.requests.outstanding().is_none() && self.is_reading() {
                    self.ask(now, Request::Alive, &Plain::ALIVE);
                } else {
                    self.stay_alive(now);
                }
            }
            Timer::Alive => {}
            Timer::Poll => {
                self.is_poll_due = true;
                self.go_on(now);
            }
        }
    }
}

impl crate::smsc::session::Session for Session {
    fn handle_connected(&mut self, now: Moment) {
        if self.is_open() {
            self.end(Retry::Soon, "another connection was begun");
        }
        self.connection += 1;
        self.is_leaving = false;
        self.framer.clear();
        self.requests = Requests::new();
        self.peer = PeerNumbers::new();
        self.deliveries = Deliveries::new(self.config.max_waiting_deliveries);
        self.is_poll_due = false;
        self.has_freed_old_session = false;
        self.outbox.clear();
        self.log_in(now);
    }

    fn handle_bytes(&mut self, now: Moment, bytes: &[u8]) {
        if !self.is_open() || bytes.is_empty() {
            return;
        }
        self.framer.push(bytes);
        self.read(now);
    }

    fn handle_disconnected(&mut self, _now: Moment, reason: &str) {
        if self.is_open() {
            self.end(Retry::Soon, reason);
        }
        // Nobody is there to read them.
        self.outbox.clear();
    }

    fn handle_timeout(&mut self, now: Moment) {
        while let Some(timer) = self.timers.take_due(now) {
            self.act_on(now, timer);
        }
    }

    fn submit(
        &mut self,
        now: Moment,
        turn: SubmitTurn,
        message: &ShortMessage,
        validity: Option<Duration>,
    ) {
        if turn.connection() != self.connection || !matches!(self.submitting, Submitting::Offered) {
            return;
        }
        self.submitting = Submitting::Nobody;
        match submit::write(&self.config, message, validity) {
            Ok(submit) if !self.is_leaving => {
                self.submitting = Submitting::Waiting(Box::new(submit));
            }
            Ok(_) => self.events.push(Event::Answered(SubmitAnswer::NotSent)),
            Err(refused) => {
                let refusal = Refusal::new(None, &refused.to_string());
                let answer = SubmitAnswer::Never(refusal);
                self.events.push(Event::Answered(answer));
            }
        }
        self.go_on(now);
    }

    fn answer(&mut self, now: Moment, turn: DeliveryTurn, answer: Answer) {
        if turn.connection() != self.connection {
            return;
        }
        if let Some(packet) = self.deliveries.close(turn.number()) {
            self.answer_delivery(now, &packet, answer);
            self.deliver_next(now);
            // There is room for what was left unread.
            self.read(now);
        }
    }

    fn close(&mut self, now: Moment) {
        if self.is_leaving {
            return;
        }
        self.is_leaving = true;
        match self.state {
            State::Closed => self.end(Retry::Never, "closed before it was connected"),
            State::LoggingIn | State::LoggingOut => {}
            State::Up => {
                if matches!(self.submitting, Submitting::Waiting(_)) {
                    self.submitting = Submitting::Nobody;
                    self.events.push(Event::Answered(SubmitAnswer::NotSent));
                }
                self.go_on(now);
            }
        }
    }

    fn poll_transmit(&mut self) -> Option<Bytes> {
        let (octets, is_request) = self.outbox.take()?;
        if is_request {
            self.requests.went_out();
        }
        Some(octets)
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.take()
    }

    fn poll_timeout(&self) -> Option<Moment> {
        self.timers.next()
    }

    fn wants_bytes(&self) -> bool {
        self.is_reading()
    }

    fn is_up(&self) -> bool {
        matches!(self.state, State::Up | State::LoggingOut)
    }
}
