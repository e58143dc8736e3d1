//! A session whose SMSC and whose time are the test's, and what it does in words.

use std::time::Duration;

use bytes::Bytes;
use sluice::clock::Moment;
use sluice::codec::cimd2::{Packet, Parameter, checksum};
use sluice::message::{Body, Coding, Item, PhoneNumber, ShortCode, ShortMessage, UserDataHeader};
use sluice::private::Private;
use sluice::smsc::cimd2::{Config, Session};
use sluice::smsc::session::{
    Answer, Delivery, DeliveryTurn, Down, Event, Session as _, SubmitAnswer, SubmitTurn,
};

/// The octets of a packet written with `·` for TAB, its checksum added: `40:000`, `53:003·021:1·060:261121061305`.
pub(super) fn wire(line: &str) -> Vec<u8> {
    let mut octets = vec![0x02];
    octets.extend_from_slice(line.replace('·', "\t").as_bytes());
    octets.push(0x09);
    let sum = checksum(&octets);
    octets.extend_from_slice(format!("{sum:02X}").as_bytes());
    octets.push(0x03);
    octets
}

/// The same with a checksum that is wrong.
pub(super) fn damaged(line: &str) -> Vec<u8> {
    let mut octets = wire(line);
    let digit = octets.len() - 2;
    octets[digit] = if octets[digit] == b'0' { b'1' } else { b'0' };
    octets
}

/// A packet without its checksum, written with `·` for TAB.
pub(super) fn written(octets: &Bytes) -> String {
    let end = octets.len() - 4;
    String::from_utf8_lossy(&octets[1..end]).replace('\t', "·")
}

pub(super) fn config() -> Config {
    Config {
        username: "sluice".into(),
        password: Private::new("secret".into()),
        ..Config::default()
    }
}

pub(super) fn hello() -> ShortMessage {
    message(Coding::Gsm7, b"Hello")
}

pub(super) fn message(coding: Coding, data: &'static [u8]) -> ShortMessage {
    let body = Body::new(coding, UserDataHeader::NONE, Bytes::from_static(data)).unwrap();
    ShortMessage::new(
        ShortCode::new("12345").unwrap().into(),
        PhoneNumber::new("358401111111").unwrap().into(),
        body,
    )
}

/// A delivery of that number and text, as an SMSC sends it.
pub(super) fn delivery(number: u16, text: &str) -> String {
    format!("20:{number:03}·021:12345·023:+358501234567·060:261121061342·033:{text}")
}

/// The answer to the first submit of a connection.
pub(super) const ACCEPTED: &str = "53:003·021:+358401111111·060:261121061305";

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
    pub(super) sent: Vec<Bytes>,
    said: Vec<String>,
}

impl Line {
    /// Not connected.
    pub(super) fn closed(config: Config) -> Self {
        Self {
            session: Session::new(config).unwrap(),
            now: Moment::from_micros(1_000_000),
            submit_turn: None,
            delivery_turn: None,
            deliveries: Vec::new(),
            answers: Vec::new(),
            notes: Vec::new(),
            downs: Vec::new(),
            sent: Vec::new(),
            said: Vec::new(),
        }
    }

    /// Connected; the login has left.
    pub(super) fn logging_in(config: Config) -> Self {
        let mut line = Self::closed(config);
        line.connect();
        line.said();
        line
    }

    /// Logged in, and our turn; what happened so far is forgotten.
    pub(super) fn up(config: Config) -> Self {
        let mut line = Self::logging_in(config);
        line.receive("51:001");
        line.said();
        line.sent.clear();
        line
    }

    pub(super) fn connect(&mut self) {
        self.session.handle_connected(self.now);
        self.drain();
    }

    /// A packet of the SMSC, with its checksum.
    pub(super) fn receive(&mut self, line: &str) {
        self.receive_octets(&wire(line));
    }

    pub(super) fn receive_octets(&mut self, octets: &[u8]) {
        self.session.handle_bytes(self.now, octets);
        self.drain();
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

    pub(super) fn seconds(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
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
            let packet = Packet::read(octets.clone()).unwrap();
            let code = packet
                .field(Parameter::ERROR_CODE)
                .map_or_else(String::new, |code| format!(" 900:{}", code.printable()));
            let (operation, number) = (packet.operation().0, packet.number());
            self.said.push(format!("> {operation:02}:{number}{code}"));
            self.sent.push(octets);
        }
        while let Some(event) = self.session.poll_event() {
            let said = self.hear(event);
            self.said.push(said);
        }
    }

    fn hear(&mut self, event: Event) -> String {
        match event {
            Event::Up { peer } => format!("up{peer}"),
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
                let kind = match delivery.items[0] {
                    Item::Message(_) => "a message",
                    Item::Report(_) => "a report",
                };
                self.deliveries.push(delivery);
                format!("delivered {kind}")
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
        }
    }

    /// What happened since this was asked last.
    pub(super) fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }
}
