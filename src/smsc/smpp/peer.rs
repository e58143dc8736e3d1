//! What the peer sends: its answers to us, and its requests, which are answered even while ours waits.

use std::time::Duration;

use bytes::Bytes;

use crate::clock::Moment;
use crate::codec::smpp::{
    BadLength, BindRespView, CommandId, Empty, Frame, IdRespView, Pdu, Status, Tag, Tlvs,
};
use crate::message::{Refusal, ShortMessage};
use crate::smsc::session::{Answer, Delivery, DeliveryTurn, Event, Note, Retry, SubmitAnswer};

use super::answers::verdict;
use super::deliveries::{Open, response};
use super::machine::{Session, State, Submitting};
use super::requests::{Reply, Request};
use super::timer::Timer;
use super::{bind, deliver, submit};

/// congestion_state (v5, 4.8.4.18) from which an SMSC is nearly congested.
const NEARLY_CONGESTED: u8 = 90;

impl Session {
    /// A whole PDU came.
    pub(super) fn take(&mut self, now: Moment, frame: Frame) {
        if frame.id.is_response() {
            return self.take_reply(now, &frame);
        }
        let sequence = frame.sequence;
        match frame.id {
            CommandId::ENQUIRE_LINK => {
                self.outbox
                    .answer(&Pdu::EnquireLinkResp(Empty), Status::OK, sequence)
            }
            CommandId::UNBIND => {
                self.outbox
                    .answer(&Pdu::UnbindResp(Empty), Status::OK, sequence);
                self.end(Retry::Soon, "the SMSC ended the session with unbind");
            }
            CommandId::DELIVER_SM | CommandId::DATA_SM if self.may_deliver() => {
                self.deliveries.push(frame);
                self.deliver_next();
            }
            // It overtook the answer to our bind. Refused, an SMSC may drop it for good; so it waits for the bind.
            CommandId::DELIVER_SM | CommandId::DATA_SM
                if self.state == State::Binding && self.config.bind.receives() =>
            {
                self.deliveries.push(frame);
            }
            CommandId::DELIVER_SM | CommandId::DATA_SM => {
                self.refuse(&frame, "is not allowed in this session");
                self.outbox
                    .answer(&response(frame.id), Status::WRONG_BIND_STATE, sequence);
            }
            CommandId::ALERT_NOTIFICATION => self.counters.alerts += 1,
            CommandId::OUTBIND => {
                self.refuse(
                    &frame,
                    "asks us to bind; this side binds by itself, and refuses",
                );
                self.outbox
                    .answer(&Pdu::GenericNack(Empty), Status::WRONG_BIND_STATE, sequence);
            }
            CommandId::BIND_TRANSCEIVER
            | CommandId::BIND_TRANSMITTER
            | CommandId::BIND_RECEIVER
            | CommandId::SUBMIT_SM
            | CommandId::QUERY_SM
            | CommandId::CANCEL_SM
            | CommandId::REPLACE_SM => {
                self.refuse(&frame, "is what an ESME asks of an SMSC");
                self.outbox
                    .answer_raw(&error_response(&frame, Status::WRONG_BIND_STATE));
            }
            _ => {
                self.refuse(&frame, "is not known here");
                self.outbox.answer(
                    &Pdu::GenericNack(Empty),
                    Status::INVALID_COMMAND_ID,
                    sequence,
                );
            }
        }
    }

    fn refuse(&mut self, frame: &Frame, why: &str) {
        self.counters.refused_requests += 1;
        self.events.remark(format!("{} {why}", frame.id));
    }

    const fn may_deliver(&self) -> bool {
        matches!(self.state, State::Bound | State::Unbinding) && self.config.bind.receives()
    }

    /// Where the next PDU begins is not known any more.
    pub(super) fn lose_framing(&mut self, bad: &BadLength) {
        let sequence = bad.sequence.unwrap_or(0);
        self.outbox.answer(
            &Pdu::GenericNack(Empty),
            Status::INVALID_COMMAND_LENGTH,
            sequence,
        );
        self.end(Retry::Soon, format!("framing is lost: {bad}"));
    }

    fn take_reply(&mut self, now: Moment, frame: &Frame) {
        let reply = self.requests.take_reply(frame);
        if reply == Reply::Stray {
            self.counters.stray_responses += 1;
            let (id, sequence, status) = (frame.id, frame.sequence, frame.status);
            self.events.remark(format!(
                "{id} {status} of sequence {sequence} answers nothing; it is ignored"
            ));
            return;
        }
        self.timers.stop(Timer::Response);
        let is_nack = matches!(reply, Reply::Nack(_));
        match reply {
            Reply::To(Request::Bind(_)) | Reply::Nack(Request::Bind(_)) => {
                self.take_bind_answer(now, frame, is_nack)
            }
            Reply::To(Request::Submit) | Reply::Nack(Request::Submit) => {
                self.take_submit_answer(now, frame, is_nack)
            }
            Reply::Nack(Request::Probe) if frame.status == Status::INVALID_COMMAND_LENGTH => {
                self.end(
                    Retry::Soon,
                    "the SMSC lost the framing: it nacked a probe with RINVCMDLEN",
                );
            }
            Reply::To(Request::Probe) | Reply::Nack(Request::Probe)
                if frame.status == Status::WRONG_BIND_STATE =>
            {
                self.end(
                    Retry::Soon,
                    "the SMSC answered a probe with RINVBNDSTS: binding anew",
                );
            }
            // Whatever else it says, it was heard.
            Reply::To(Request::Probe) | Reply::Nack(Request::Probe) => {
                self.counters.probes += 1;
                self.go_on(now);
            }
            Reply::To(Request::Unbind) | Reply::Nack(Request::Unbind) => {
                self.end(Retry::Never, "closed with unbind")
            }
            Reply::Stray => unreachable!("it was handled above"),
        }
    }

    fn take_bind_answer(&mut self, now: Moment, frame: &Frame, is_nack: bool) {
        if is_nack || !frame.status.is_ok() {
            let down = bind::refused(frame.status);
            return self.end(down.retry, down.reason);
        }
        // Decoding it cannot fail: what is not there is empty.
        let answer = BindRespView::decode(&frame.body).unwrap_or_default();
        self.peer = bind::read(&self.config, &answer);
        self.state = State::Bound;
        self.events.push(Event::Up {
            peer: self.peer.description.clone(),
        });
        self.deliver_next();
        self.go_on(now);
    }

    /// The driver offers a message.
    pub(super) fn take_submit(
        &mut self,
        now: Moment,
        message: &ShortMessage,
        validity: Option<Duration>,
    ) {
        self.submitting = Submitting::Nobody;
        if self.state != State::Bound || self.is_leaving {
            self.events.push(Event::Answered(SubmitAnswer::NotSent));
            return;
        }
        match submit::write(&self.config, self.peer.takes_tlvs, message, validity) {
            Ok(message) => self.submitting = Submitting::Waiting(Box::new(message)),
            Err(why) => {
                let refusal = Refusal::new(None, &why.to_string());
                self.events
                    .push(Event::Answered(SubmitAnswer::Never(refusal)));
            }
        }
        self.go_on(now);
    }

    fn take_submit_answer(&mut self, now: Moment, frame: &Frame, is_nack: bool) {
        let answer = if is_nack {
            IdRespView::default()
        } else {
            // Decoding it cannot fail: what is not there is empty.
            IdRespView::decode(&frame.body).unwrap_or_default()
        };
        self.watch_congestion(answer.tlvs);
        let verdict = verdict(&self.config.answers, frame.status, answer.tlvs, is_nack);
        if let Some(remark) = verdict.remark {
            self.events.remark(remark);
        }
        let answered = verdict.answer.unwrap_or_else(|| {
            let id = answer.message_id.octets().unwrap_or_default();
            SubmitAnswer::Accepted(self.config.message_id.of_submit(id))
        });
        self.submitting = Submitting::Nobody;
        self.events.push(Event::Answered(answered));
        if verdict.bind_again {
            let status = frame.status;
            return self.end(
                Retry::Soon,
                format!("the SMSC answered a submit with {status}: binding anew"),
            );
        }
        self.go_on(now);
    }

    fn watch_congestion(&mut self, tlvs: Tlvs<'_>) {
        let Some(state) = tlvs.octet(Tag::CONGESTION_STATE) else {
            return;
        };
        let is_congested = state >= NEARLY_CONGESTED;
        if is_congested != self.is_congested {
            self.is_congested = is_congested;
            let word = if is_congested {
                "nearly congested"
            } else {
                "not congested any more"
            };
            self.events
                .remark(format!("the SMSC is {word}: congestion_state is {state}"));
        }
    }

    /// Gives the driver the next delivery that can be read. One that cannot is answered at once, and the stream goes on.
    pub(super) fn deliver_next(&mut self) {
        while let Some(frame) = self.deliveries.next() {
            match deliver::read(&self.config, &frame) {
                Ok(arrived) => {
                    self.counters.trailing_octets += arrived.trailing as u64;
                    self.counters.odd_deliveries += u64::from(!arrived.odd.is_empty());
                    for odd in arrived.odd {
                        self.events.remark(odd);
                    }
                    self.give(&frame, arrived.delivery);
                }
                Err(not_taken) => {
                    self.counters.malformed_deliveries += 1;
                    let why = not_taken.why;
                    self.events.note(Note {
                        what: format!(
                            "{} of sequence {} was not taken: {why}",
                            frame.id, frame.sequence
                        ),
                        offset: Some(why.offset),
                        field: Some(why.field),
                    });
                    self.outbox
                        .answer(&response(frame.id), not_taken.status, frame.sequence);
                }
            }
        }
    }

    fn give(&mut self, frame: &Frame, delivery: Delivery) {
        let number = self.deliveries.open(frame);
        let turn = DeliveryTurn::of(self.connection, number);
        self.events.push(Event::Delivered(turn, delivery));
    }

    pub(super) fn answer_delivery(&mut self, open: &Open, answer: Answer) {
        let status = match answer {
            Answer::Stored => Status::OK,
            Answer::NotNow => Status(self.config.not_now_status),
        };
        self.outbox.answer(&open.response(), status, open.sequence);
    }
}

/// A response that only says that something went wrong. Where a string would stand, there is an empty one: some peers
/// take a bare header for broken.
fn error_response(request: &Frame, status: Status) -> Frame {
    let body = match request.id {
        CommandId::QUERY_SM | CommandId::CANCEL_SM | CommandId::REPLACE_SM => Bytes::new(),
        _ => Bytes::from_static(b"\0"),
    };
    Frame {
        id: request.id.response(),
        status,
        sequence: request.sequence,
        body,
    }
}
