//! The machine behind the face that all protocols share.

use std::time::Duration;

use bytes::Bytes;

use crate::clock::Moment;
use crate::message::ShortMessage;
use crate::smsc::session::{Answer, DeliveryTurn, Event, Retry, SubmitAnswer, SubmitTurn};

use super::bind::{self, Peer};
use super::deliveries::Deliveries;
use super::machine::{Session, State, Submitting};
use super::requests::{Request, Requests};

impl crate::smsc::session::Session for Session {
    fn handle_connected(&mut self, now: Moment) {
        if self.is_open() {
            self.end(Retry::Soon, "another connection was begun");
        }
        self.connection += 1;
        self.is_leaving = false;
        self.is_congested = false;
        self.requests = Requests::new();
        self.deliveries = Deliveries::new(self.config.max_waiting_deliveries);
        self.outbox.clear();
        self.peer = Peer::default();
        self.state = State::Binding;
        self.heard(now);
        let request = Request::Bind(self.config.bind.command());
        self.ask(now, request, &bind::write(&self.config));
    }

    fn handle_bytes(&mut self, now: Moment, bytes: &[u8]) {
        if !self.is_open() || bytes.is_empty() {
            return;
        }
        self.heard(now);
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
        if turn.connection() == self.connection && matches!(self.submitting, Submitting::Offered) {
            self.take_submit(now, message, validity);
        }
    }

    fn answer(&mut self, now: Moment, turn: DeliveryTurn, answer: Answer) {
        if turn.connection() != self.connection {
            return;
        }
        if let Some(open) = self.deliveries.close(turn.number()) {
            self.answer_delivery(&open, answer);
            self.deliver_next();
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
            State::Binding | State::Unbinding => {}
            State::Bound => {
                if matches!(self.submitting, Submitting::Waiting(_)) {
                    self.submitting = Submitting::Nobody;
                    self.events.push(Event::Answered(SubmitAnswer::NotSent));
                }
                self.go_on(now);
            }
        }
    }

    fn poll_transmit(&mut self) -> Option<Bytes> {
        let (octets, request) = self.outbox.take()?;
        if let Some(sequence) = request {
            self.requests.went_out(sequence);
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
        matches!(self.state, State::Bound | State::Unbinding)
    }
}
