//! A session with a time that only the test moves, and what it does in words.

use std::time::Duration;

use bytes::Bytes;
use sluice::clock::Moment;
use sluice::codec::smpp::{Address, COctets, IdResp, Message, Named, Pdu, Status, TlvList};
use sluice::message::{Body, Coding, Item, PhoneNumber, ShortCode, ShortMessage, UserDataHeader};
use sluice::smsc::session::{
    Answer, Delivery, DeliveryTurn, Down, Event, Session as _, SubmitAnswer, SubmitTurn,
};
use sluice::smsc::smpp::{BindKind, Config, Session};

use super::support::{frame, octets, short};

/// A session, and what it does in words: `>` is written, the rest are events.
pub(super) struct Line {
    pub(super) session: Session,
    pub(super) now: Moment,
    /// The turns that the session gave and that were not used yet.
    pub(super) submit_turn: Option<SubmitTurn>,
    pub(super) delivery_turn: Option<DeliveryTurn>,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) answers: Vec<SubmitAnswer>,
    pub(super) notes: Vec<String>,
    pub(super) downs: Vec<Down>,
    said: Vec<String>,
}

impl Line {
    /// Not connected.
    pub(super) fn closed(config: Config) -> Self {
        Self {
            session: Session::new(config, 7).unwrap(),
            now: Moment::from_micros(1_000_000),
            submit_turn: None,
            delivery_turn: None,
            deliveries: Vec::new(),
            answers: Vec::new(),
            notes: Vec::new(),
            downs: Vec::new(),
            said: Vec::new(),
        }
    }

    /// Connected; the bind has left.
    pub(super) fn binding(config: Config) -> Self {
        let mut line = Self::closed(config);
        line.connect();
        line.said();
        line
    }

    /// Logged in at an SMSC of version 3.4; what happened so far is forgotten.
    pub(super) fn bound(config: Config) -> Self {
        let response = config.bind_response();
        let mut line = Self::binding(config);
        line.receive(&response);
        line.said();
        line
    }

    pub(super) fn connect(&mut self) {
        self.session.handle_connected(self.now);
        self.drain();
    }

    pub(super) fn receive(&mut self, octets: &[u8]) {
        self.session.handle_bytes(self.now, octets);
        self.drain();
    }

    pub(super) fn receive_pdu(&mut self, pdu: &Pdu, status: Status, sequence: u32) {
        self.receive(&pdu.to_bytes(status, sequence));
    }

    pub(super) fn disconnect(&mut self) {
        self.session.handle_disconnected(self.now, "the line broke");
        self.drain();
    }

    /// Moves the time on, stopping wherever a timer is due.
    pub(super) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.session.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    pub(super) fn submit(&mut self, message: &ShortMessage) {
        let turn = self.submit_turn.take().expect("it is our turn");
        self.session.submit(self.now, turn, message, None);
        self.drain();
    }

    pub(super) fn answer(&mut self, answer: Answer) {
        let turn = self.delivery_turn.take().expect("there is a delivery");
        self.session.answer(self.now, turn, answer);
        self.drain();
    }

    pub(super) fn close(&mut self) {
        self.session.close(self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(octets) = self.session.poll_transmit() {
            let frame = frame(&octets);
            let status = if frame.id.is_response() {
                format!(" {}", frame.status)
            } else {
                String::new()
            };
            self.said
                .push(format!("> {} {}{status}", frame.id, frame.sequence));
        }
        while let Some(event) = self.session.poll_event() {
            let said = match event {
                Event::Up { peer } => format!("up: {peer}"),
                Event::MaySubmit(turn) => {
                    assert!(self.submit_turn.is_none(), "there is one turn at most");
                    self.submit_turn = Some(turn);
                    "may submit".into()
                }
                Event::Answered(answer) => {
                    let said = match &answer {
                        SubmitAnswer::Accepted(id) => format!("accepted as {id}"),
                        SubmitAnswer::TryAgain { pause, refusal } => {
                            format!("try again, {pause:?}: {refusal}")
                        }
                        SubmitAnswer::Never(refusal) => format!("never: {refusal}"),
                        SubmitAnswer::InDoubt => "in doubt".into(),
                        SubmitAnswer::NotSent => "not sent".into(),
                    };
                    self.answers.push(answer);
                    said
                }
                Event::Delivered(turn, delivery) => {
                    assert!(
                        self.delivery_turn.is_none(),
                        "there is one delivery at most"
                    );
                    self.delivery_turn = Some(turn);
                    let said = format!("delivered {}", delivery.items.len());
                    self.deliveries.push(delivery);
                    said
                }
                Event::Noted(note) => {
                    let said = format!("noted: {}", note.what);
                    self.notes.push(note.what);
                    said
                }
                Event::Ended(down) => {
                    // Turns of a connection that is over do nothing.
                    (self.submit_turn, self.delivery_turn) = (None, None);
                    let said = format!("ended, {:?}: {}", down.retry, down.reason);
                    self.downs.push(down);
                    said
                }
            };
            self.said.push(said);
        }
    }

    /// What happened since this was asked last.
    pub(super) fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }
}

/// What a test's SMSC answers to this configuration's bind.
pub(super) trait BindResponse {
    fn bind_response(&self) -> Vec<u8>;
}

impl BindResponse for Config {
    fn bind_response(&self) -> Vec<u8> {
        let command = match self.bind {
            BindKind::Transceiver => "80000009",
            BindKind::Transmitter => "80000002",
            BindKind::Receiver => "80000001",
        };
        octets(&format!(
            r#"0000001A {command} 00000000 00000001  "SMSC" 00  0210 0001 34"#
        ))
    }
}

/// A usual account.
pub(super) fn config() -> Config {
    Config {
        system_id: "sluice".into(),
        ..Config::default()
    }
}

/// A short message for a phone.
pub(super) fn hello() -> ShortMessage {
    ShortMessage::new(
        ShortCode::new("12345").unwrap().into(),
        PhoneNumber::new("358401234567").unwrap().into(),
        Body::new(
            Coding::Gsm7,
            UserDataHeader::NONE,
            Bytes::from_static(b"Hello"),
        )
        .unwrap(),
    )
}

/// A message from a phone.
pub(super) fn deliver(text: &'static [u8]) -> Message {
    Message {
        source: Address::new("source", 1, 1, b"358401234567").unwrap(),
        destination: Address::new("destination", 3, 0, b"12345").unwrap(),
        short_message: short(text),
        ..Message::default()
    }
}

/// The SMSC's answer to a submit.
pub(super) fn accepted(id: &str) -> Pdu {
    Pdu::SubmitSmResp(IdResp {
        message_id: Named(COctets::new("id", id.as_bytes()).unwrap()),
        tlvs: TlvList::new(),
    })
}

/// What the session makes of a delivery.
pub(super) fn delivered_with(config: Config, pdu: &Pdu) -> (Delivery, Vec<String>) {
    let mut line = Line::bound(config);
    line.receive_pdu(pdu, Status::OK, 1);
    assert_eq!(line.deliveries.len(), 1, "{:?}", line.said());
    (line.deliveries.remove(0), line.notes)
}

pub(super) fn delivered(message: Message) -> (Delivery, Vec<String>) {
    delivered_with(config(), &Pdu::DeliverSm(message))
}

pub(super) fn only(delivery: Delivery) -> ShortMessage {
    match <[Item; 1]>::try_from(delivery.items) {
        Ok([Item::Message(message)]) => message,
        other => panic!("one message, not {other:?}"),
    }
}
