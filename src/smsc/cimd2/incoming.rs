//! What comes from the SMSC: damaged packets, answers to what we asked, and its own requests.

use bytes::Bytes;

use super::answers::{self, Verdict};
use super::config::{Asking, NotNow};
use super::machine::{RESEND_AFTER, Session, State, Submitting};
use super::peer::{Arrival, PeerNumbers};
use super::requests::{Reply, Request};
use super::timer::Timer;
use super::{deliver, submit};
use crate::clock::Moment;
use crate::codec::Malformed;
use crate::codec::cimd2::{
    Checksum, ErrorCode, Negative, Operation, Packet, Plain, SubmittedView, Write,
};
use crate::smsc::session::{Answer, DeliveryTurn, Event, Note, Retry, Session as _, SubmitAnswer};

/// A finding for the log.
fn note(why: Malformed) -> Note {
    Note {
        what: why.reason.into_owned(),
        offset: Some(why.offset),
        field: Some(why.field),
    }
}

impl Session {
    /// A packet that cannot be read: damaged, so it is nacked.
    pub(super) fn lost_packet(&mut self, now: Moment, why: Malformed) {
        self.events.note(note(why));
        self.nack(now);
    }

    /// 99 asks for the packet again, under the number that we expect.
    fn nack(&mut self, now: Moment) {
        let octets = Plain::NACK.to_bytes(self.peer.expected());
        self.send_answer(now, octets);
    }

    /// A frame came.
    pub(super) fn take(&mut self, now: Moment, frame: Bytes) {
        let packet = match Packet::read(frame) {
            Ok(packet) => packet,
            Err(why) => return self.lost_packet(now, why),
        };
        match packet.checksum() {
            Checksum::Right => {}
            Checksum::Absent if !self.config.demand_checksums => {}
            Checksum::Absent | Checksum::Wrong { .. } => return self.damaged(now, &packet),
        }
        if packet.operation().is_request() {
            self.take_request(now, packet);
        } else {
            self.take_response(now, &packet);
        }
    }

    /// A packet whose number cannot be trusted. If it looks like an answer, the request goes out again after a while:
    /// the SMSC should answer again and not do it twice. If it looks like a request, it is nacked.
    fn damaged(&mut self, now: Moment, packet: &Packet) {
        let operation = packet.operation();
        self.events
            .remark(format!("the checksum of {operation} is wrong or missing"));
        if operation.is_request() {
            self.nack(now);
        } else if self.requests.outstanding().is_some_and(|it| it.is_out) {
            self.requests.answer_was_damaged();
            if !self.timers.is_running(Timer::Resend) {
                self.timers.set(Timer::Resend, now + RESEND_AFTER);
            }
        }
    }

    fn take_response(&mut self, now: Moment, packet: &Packet) {
        match self.requests.take_reply(packet) {
            Reply::To(request) => {
                self.timers.stop(Timer::Response);
                self.timers.stop(Timer::Resend);
                match request {
                    Request::Login => self.login_answered(now, packet),
                    // Whatever it says, we log in again; that answer tells.
                    Request::FreeOldSession => self.log_in(now),
                    Request::Submit => self.submit_answered(now, packet),
                    Request::Alive => self.go_on(now),
                    Request::Poll => self.poll_answered(now, packet),
                    Request::Logout => self.end(Retry::Never, "logged out"),
                }
            }
            Reply::Again(number) => {
                self.events
                    .remark(format!("the SMSC nacks our request and expects {number}"));
                self.ask_again(now, Some(number));
            }
            Reply::GeneralError => {
                let code = packet.failure().map(|failure| answers::code_of(&failure));
                let code = code.unwrap_or_else(|| "no code".into());
                self.end(
                    Retry::Soon,
                    format!("the SMSC sent a general error: {code}"),
                );
            }
            Reply::WrongOperation => {
                let operation = packet.operation();
                self.end(
                    Retry::Soon,
                    format!("the SMSC answered our request with {operation}"),
                );
            }
            Reply::Stray => {
                let (operation, number) = (packet.operation(), packet.number());
                self.events
                    .remark(format!("nobody waits for {operation}, number {number}"));
            }
        }
    }

    fn login_answered(&mut self, now: Moment, packet: &Packet) {
        let Some(failure) = packet.failure() else {
            self.state = State::Up;
            // The login has reset the SMSC's numbers; nothing before it counts, but for deliveries that overtook it.
            if self.deliveries.held_octets() == 0 {
                self.peer = PeerNumbers::new();
            }
            self.stay_alive(now);
            // The SMSC says nothing of itself that means anything: the greeting stands outside of packets.
            let peer = String::new();
            self.events.push(Event::Up { peer });
            self.deliver_next(now);
            self.is_poll_due = self.config.delivery_request_interval.is_some();
            return self.go_on(now);
        };
        let free = self.config.free_old_session
            && failure.code == Some(ErrorCode::TOO_MANY_SESSIONS)
            && !self.has_freed_old_session
            && !self.is_leaving;
        if free {
            self.has_freed_old_session = true;
            self.ask(now, Request::FreeOldSession, &Plain::LOGOUT);
            return;
        }
        self.end(
            answers::retry_of_login(failure.code),
            format!("the SMSC refuses our login: {}", answers::code_of(&failure)),
        );
    }

    fn submit_answered(&mut self, now: Moment, packet: &Packet) {
        let Submitting::Asked(destination) =
            std::mem::replace(&mut self.submitting, Submitting::Nobody)
        else {
            unreachable!("a submit is outstanding only while it is asked");
        };
        let verdict = packet
            .failure()
            .map(|failure| answers::verdict(&self.config.answers, &failure));
        let Some(Verdict {
            answer,
            log_in_again,
            remark,
        }) = verdict
        else {
            return self.accepted(now, packet, &destination);
        };
        if let Some(remark) = remark {
            self.events.remark(remark);
        }
        self.events.push(Event::Answered(answer));
        if log_in_again {
            self.end(Retry::Soon, "the SMSC does not know our session any more");
        } else {
            self.go_on(now);
        }
    }

    fn accepted(&mut self, now: Moment, packet: &Packet, destination: &[u8]) {
        let view = SubmittedView::read(packet).unwrap_or_else(|why| {
            self.events.note(note(why));
            SubmittedView::default()
        });
        let id = submit::id_of_answer(&self.config, &view, destination);
        if id.is_none() {
            self.events.remark(
                "the SMSC accepted a message without a usable name; no report can be matched",
            );
        }
        self.events
            .push(Event::Answered(SubmitAnswer::Accepted(id)));
        self.go_on(now);
    }

    /// A positive answer means that messages follow; that nothing waits is a refusal as well.
    fn poll_answered(&mut self, now: Moment, packet: &Packet) {
        if let Some(failure) = packet.failure()
            && failure.code != Some(ErrorCode::NOT_FOUND)
        {
            self.events.remark(format!(
                "the SMSC refuses our delivery request: {}",
                answers::code_of(&failure)
            ));
        }
        self.go_on(now);
    }

    /// A request of the SMSC: answered at once, whatever of ours is outstanding, but for deliveries, which are
    /// answered when they are stored.
    fn take_request(&mut self, now: Moment, packet: Packet) {
        let (operation, number) = (packet.operation(), packet.number());
        if self.deliveries.hold(&packet) {
            self.events
                .remark(format!("the SMSC repeats {operation} before our answer"));
            return;
        }
        match self.peer.judge(&packet) {
            Arrival::New => {}
            Arrival::Jumped { expected } => self.events.remark(format!(
                "the SMSC's numbers jump: {operation} has {number}, {expected} was expected"
            )),
            Arrival::SameNumber => self.events.remark(format!(
                "the SMSC uses number {number} twice for different packets; both are taken"
            )),
            Arrival::Repeated(answer) => {
                self.events
                    .remark(format!("the SMSC repeats {operation}; so does our answer"));
                return self.send_answer(now, answer);
            }
            // Held deliveries are known by now, and all else is answered at once.
            Arrival::StillOpen => return,
            Arrival::WrongSide => {
                self.events.remark(format!(
                    "{operation} has number {number}, which is none of the SMSC's"
                ));
                return self.nack(now);
            }
        }
        match operation {
            Operation::ALIVE => self.reply(now, &packet, &Plain::ALIVE_TOO),
            Operation::LOGOUT => {
                self.reply(now, &packet, &Plain::LOGGED_OUT);
                self.end(Retry::Soon, "the SMSC logged us out");
            }
            Operation::DELIVER | Operation::DELIVER_STATUS_REPORT if self.is_up() => {
                self.deliveries.push(packet);
                self.deliver_next(now);
            }
            // It overtook the answer to our login. Refused, an SMSC may drop it for good; so it waits for the login.
            Operation::DELIVER | Operation::DELIVER_STATUS_REPORT
                if self.state == State::LoggingIn =>
            {
                self.deliveries.push(packet);
            }
            // Before the login, or of the other side.
            known if known.name().is_some() => {
                self.events
                    .remark(format!("{operation} is not the SMSC's to ask now"));
                let refusal = Negative::to(operation, ErrorCode::UNEXPECTED_OPERATION);
                self.reply(now, &packet, &refusal);
            }
            unknown => {
                self.events.remark(format!("{unknown} is no operation"));
                // It asks for the packet again, so it shall be judged again when it comes.
                self.peer.forget(&packet);
                self.nack(now);
            }
        }
    }

    /// Gives the driver the next delivery, unless it has one. Those that cannot be read are refused on the way.
    pub(super) fn deliver_next(&mut self, now: Moment) {
        while let Some(packet) = self.deliveries.next() {
            match deliver::read(&self.config, &packet) {
                Ok(arrived) => {
                    for odd in arrived.odd {
                        self.events.remark(odd);
                    }
                    let count = self.deliveries.open(packet);
                    let turn = DeliveryTurn::of(self.connection, count);
                    self.events.push(Event::Delivered(turn, arrived.delivery));
                    return;
                }
                Err(not_taken) => {
                    self.events.note(note(not_taken.why));
                    let refusal = Negative::to(packet.operation(), not_taken.code);
                    self.reply(now, &packet, &refusal);
                }
            }
        }
    }

    /// The driver's word on a delivery, as the protocol says it.
    pub(super) fn answer_delivery(&mut self, now: Moment, packet: &Packet, answer: Answer) {
        let operation = packet.operation();
        match (answer, operation) {
            (Answer::Stored, Operation::DELIVER) => {
                self.reply(now, packet, &Plain::DELIVERY_TAKEN);
                if self.config.delivery_request_interval.is_some()
                    && self.config.delivery_request == Asking::One
                {
                    self.is_poll_due = true;
                    self.go_on(now);
                }
            }
            (Answer::Stored, _) => self.reply(now, packet, &Plain::REPORT_TAKEN),
            (Answer::NotNow, _) => {
                // No release knows a refused report.
                if operation == Operation::DELIVER && self.config.not_now == NotNow::Refuse {
                    let refusal = Negative::to(operation, ErrorCode::DELIVERY_FAILED);
                    self.reply(now, packet, &refusal);
                }
                // When it comes again it is to be offered again.
                self.peer.forget(packet);
            }
        }
    }
}
