//! Any order of events, made of any octets, and what must hold whatever they are. Property tests and the fuzz target
//! share it.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use sluice::clock::Moment;
use sluice::codec::cimd2::{
    Checksum, Framer, MAX_PACKET, Number, Operation, Packet, Parameter, checksum,
};
use sluice::message::{Body, Coding, PhoneNumber, ShortCode, ShortMessage, UserDataHeader};
use sluice::private::Private;
use sluice::smsc::cimd2::{Asking, Config, NotNow, Session};
use sluice::smsc::session::{Answer, DeliveryTurn, Event, Session as _, SubmitAnswer, SubmitTurn};

/// The most octets that the driver reads at once here.
const CHUNK: usize = 512;

/// How often one request may leave: once, and again three times.
const MOST_TIMES: u32 = 4;

/// Octets that decide.
struct Dice<'a>(&'a [u8]);

impl<'a> Dice<'a> {
    fn octet(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn some(&mut self, most: usize) -> &'a [u8] {
        let length = usize::from(self.octet()).min(most).min(self.0.len());
        let (some, rest) = self.0.split_at(length);
        self.0 = rest;
        some
    }
}

/// A request of ours that has left.
struct Asked {
    operation: Operation,
    number: Number,
    /// Everything behind its number, which stays the same when it leaves again.
    parameters: Vec<u8>,
    times: u32,
}

/// What is known of the conversation from outside.
struct World {
    session: Session,
    /// Cuts what the session gets, to know what it was told.
    shadow: Framer,
    most_held: usize,
    demands_checksums: bool,
    now: Moment,
    is_connected: bool,
    is_up: bool,
    /// Our request on this connection that is unanswered.
    unanswered: Option<Asked>,
    /// The number of the last one, answered or not.
    last_number: Option<Number>,
    /// Odd numbers that nacks have asked for on this connection.
    nacked: HashSet<Number>,
    /// Numbers of deliveries that were confirmed on this connection.
    confirmed: HashSet<Number>,
    /// Numbers of deliveries in the octets that are just being received.
    coming: HashSet<Number>,
    /// Deliveries that we called stored and whose confirmation has not left.
    stored: u32,
    submit_turn: Option<SubmitTurn>,
    delivery_turn: Option<DeliveryTurn>,
    /// Turns of connections that are over.
    stale_submit: Option<SubmitTurn>,
    stale_delivery: Option<DeliveryTurn>,
    /// Whether a message was submitted and not answered, and whether its packet left.
    submitted: Option<bool>,
}

/// Plays what the octets say.
pub(crate) fn run(octets: &[u8]) {
    let mut dice = Dice(octets);
    let choice = dice.octet();
    let config = Config {
        username: "sluice".into(),
        password: Private::new("secret".into()),
        max_waiting_deliveries: usize::from(choice & 3) + 1,
        demand_checksums: choice & 4 != 0,
        delivery_request_interval: (choice & 8 != 0).then_some(Duration::from_secs(9)),
        delivery_request: if choice & 0x10 == 0 {
            Asking::All
        } else {
            Asking::One
        },
        not_now: if choice & 0x20 == 0 {
            NotNow::Withhold
        } else {
            NotNow::Refuse
        },
        free_old_session: choice & 0x80 != 0,
        ..Config::default()
    };
    // What waits, what the driver has, the last request with its answer, and a partial packet.
    let most_held = MAX_PACKET * (config.max_waiting_deliveries + 4) + CHUNK;
    let mut world = World {
        demands_checksums: config.demand_checksums,
        session: Session::new(config).expect("the configuration is right"),
        shadow: Framer::new(),
        most_held,
        now: Moment::START,
        is_connected: false,
        is_up: false,
        unanswered: None,
        last_number: None,
        nacked: HashSet::new(),
        confirmed: HashSet::new(),
        coming: HashSet::new(),
        stored: 0,
        submit_turn: None,
        delivery_turn: None,
        stale_submit: None,
        stale_delivery: None,
        submitted: None,
    };
    world.connect();
    // Mostly a conversation begins well.
    if choice & 0x40 == 0 {
        world.reply(b"");
    }
    while !dice.0.is_empty() {
        world.step(&mut dice);
        world.check();
    }
}

fn message() -> ShortMessage {
    let body = Body::new(
        Coding::Gsm7,
        UserDataHeader::NONE,
        Bytes::from_static(b"Hello"),
    );
    ShortMessage::new(
        ShortCode::new("12345").expect("a short code").into(),
        PhoneNumber::new("358401234567").expect("a number").into(),
        body.expect("it is short"),
    )
}

/// A packet, with its checksum unless that is not wanted.
fn packet(operation: u8, number: u16, parameters: &[u8], has_checksum: bool) -> Vec<u8> {
    let mut octets = format!("\x02{:02}:{:03}\t", operation % 100, number % 1000).into_bytes();
    // What ends a packet would only make it shorter.
    octets.extend(
        parameters
            .iter()
            .copied()
            .filter(|octet| !matches!(octet, 2 | 3)),
    );
    if octets.last() != Some(&9) {
        octets.push(9);
    }
    if has_checksum {
        let sum = checksum(&octets);
        octets.extend_from_slice(format!("{sum:02X}").as_bytes());
    }
    octets.push(3);
    octets
}

impl World {
    fn step(&mut self, dice: &mut Dice<'_>) {
        let what = dice.octet();
        match what % 16 {
            0 => self.receive(dice.some(CHUNK)),
            1 | 2 => {
                let code = [
                    &b""[..],
                    b"021:+358401234567\t060:261121061305\t",
                    b"900:10\t",
                    b"900:300\t",
                    b"900:102\t",
                    b"900:7\t",
                    b"900:1\t",
                    b"900:x\t901:odd\t",
                ];
                self.reply(code[usize::from(what >> 4 & 7)]);
            }
            3 | 4 => self.deliver(dice, what),
            5 => {
                let number = u16::from(dice.octet());
                self.receive(&packet(40, number, b"", what & 0x10 == 0));
            }
            6 => {
                let operation = dice.octet();
                let number = u16::from_be_bytes([dice.octet() & 3, dice.octet()]);
                let parameters = dice.some(80);
                self.receive(&packet(operation, number, parameters, what & 0x10 == 0));
            }
            7 => self.pass(Duration::from_millis(1 << (what >> 4))),
            8 => self.pass(Duration::from_secs(u64::from(what >> 4) * 5)),
            9 | 10 => self.submit(what & 0x10 != 0),
            11 | 12 => self.answer(if what & 0x10 == 0 {
                Answer::Stored
            } else {
                Answer::NotNow
            }),
            13 if what & 0x30 == 0 => {
                self.session.close(self.now);
                self.drain();
            }
            13 => self.nack_or_damage(dice, what),
            14 if what & 0x20 == 0 => {
                if let Some(turn) = self.stale_submit.take() {
                    self.session.submit(self.now, turn, &message(), None);
                }
                if let Some(turn) = self.stale_delivery.take() {
                    self.session.answer(self.now, turn, Answer::Stored);
                }
                self.drain();
            }
            14 if what & 0x40 == 0 => {
                self.session.handle_disconnected(self.now, "the line broke");
                self.drain();
                assert!(!self.is_connected, "a broken line ends the connection");
            }
            _ if !self.is_connected => self.connect(),
            _ => self.pass(Duration::from_millis(10)),
        }
    }

    fn connect(&mut self) {
        if self.is_connected {
            return;
        }
        self.is_connected = true;
        self.shadow = Framer::new();
        self.unanswered = None;
        self.last_number = None;
        self.nacked.clear();
        self.confirmed.clear();
        self.stale_submit = self.submit_turn.take().or(self.stale_submit.take());
        self.stale_delivery = self.delivery_turn.take().or(self.stale_delivery.take());
        self.session.handle_connected(self.now);
        self.drain();
    }

    /// Reads as a driver does: only while octets are welcome. A second framer tells what they say.
    fn receive(&mut self, octets: &[u8]) {
        if !self.is_connected || !self.session.wants_bytes() {
            return;
        }
        self.shadow.push(octets);
        loop {
            let packet = match self.shadow.next_frame() {
                Ok(Some(frame)) => Packet::read(frame),
                Ok(None) => break,
                Err(_) => continue,
            };
            if let Ok(packet) = packet {
                self.foresee(&packet);
            }
        }
        self.session.handle_bytes(self.now, octets);
        self.drain();
    }

    /// Notes what a packet that the session gets may cause.
    fn foresee(&mut self, packet: &Packet) {
        let is_whole = match packet.checksum() {
            Checksum::Right => true,
            Checksum::Absent => !self.demands_checksums,
            Checksum::Wrong { .. } => false,
        };
        if !is_whole {
            return;
        }
        let number = packet.number();
        match packet.operation() {
            Operation::NACK => {
                self.nacked.insert(number);
            }
            Operation::DELIVER | Operation::DELIVER_STATUS_REPORT => {
                self.coming.insert(number);
            }
            operation => {
                // Held back by a full queue it is read later, and nothing else can leave before that.
                self.unanswered.take_if(|asked| {
                    asked.operation.response() == Some(operation) && asked.number == number
                });
            }
        }
    }

    /// Answers what is outstanding.
    fn reply(&mut self, parameters: &[u8]) {
        if let Some(asked) = &self.unanswered {
            let operation = asked.operation.0 + 50;
            let octets = packet(operation, asked.number.get(), parameters, true);
            self.receive(&octets);
        }
    }

    /// Nacks what is outstanding, under its number or another, or damages its answer.
    fn nack_or_damage(&mut self, dice: &mut Dice<'_>, what: u8) {
        let Some(asked) = &self.unanswered else {
            return;
        };
        let octets = if what & 0x80 == 0 {
            let number = match what & 0x40 {
                0 => asked.number.get(),
                _ => u16::from(dice.octet()),
            };
            packet(99, number, b"", true)
        } else {
            let mut octets = packet(asked.operation.0 + 50, asked.number.get(), b"", true);
            let digit = octets.len() - 2;
            octets[digit] = if octets[digit] == b'0' { b'1' } else { b'0' };
            octets
        };
        self.receive(&octets);
    }

    fn deliver(&mut self, dice: &mut Dice<'_>, what: u8) {
        let number = u16::from(dice.octet() & 0x0E);
        let text = dice.some(254);
        let octets = if what & 0x80 == 0 {
            let start = b"021:12345\t023:+358501234567\t060:261121061342\t033:";
            packet(20, number, &[&start[..], text].concat(), true)
        } else {
            packet(23, number, b"021:1\t060:261121061305\t061:4\t", true)
        };
        let cut = usize::from(what >> 4) * 7 % octets.len();
        self.receive(&octets[..cut]);
        self.receive(&octets[cut..]);
    }

    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.session.handle_timeout(self.now);
            self.drain();
            assert!(
                self.session
                    .poll_timeout()
                    .is_none_or(|next| next > self.now),
                "it would never rest"
            );
        }
        self.now = end;
    }

    fn submit(&mut self, is_slow: bool) {
        let Some(turn) = self.submit_turn.take() else {
            return;
        };
        if self.is_connected {
            assert!(self.submitted.is_none(), "one message at a time");
            self.submitted = Some(false);
        }
        self.session.submit(self.now, turn, &message(), None);
        // A slow driver has not yet written when the next thing happens.
        if !is_slow {
            self.drain();
        }
    }

    fn answer(&mut self, answer: Answer) {
        let Some(turn) = self.delivery_turn.take() else {
            return;
        };
        self.stored += u32::from(answer == Answer::Stored && self.is_connected);
        self.session.answer(self.now, turn, answer);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(octets) = self.session.poll_transmit() {
            self.written(octets);
        }
        while let Some(event) = self.session.poll_event() {
            self.happened(event);
        }
        // Packets that wait unread may still be answered later.
        if self.session.wants_bytes() {
            self.coming.clear();
        }
    }

    fn written(&mut self, octets: Bytes) {
        let packet = Packet::read(octets.clone()).expect("what we write can be read");
        assert_eq!(packet.checksum(), Checksum::Right);
        assert!(octets.len() <= MAX_PACKET && packet.fields().all(|field| field.is_ok()));
        let (operation, number) = (packet.operation(), packet.number());
        if operation.is_request() {
            self.asked(operation, number, &octets);
        } else if matches!(
            operation,
            Operation::DELIVER_RESPONSE | Operation::DELIVER_STATUS_REPORT_RESPONSE
        ) && packet.field(Parameter::ERROR_CODE).is_none()
        {
            if self.stored > 0 {
                self.stored -= 1;
                self.confirmed.insert(number);
            } else {
                assert!(
                    self.confirmed.contains(&number) && self.coming.contains(&number),
                    "confirmed before it was stored"
                );
            }
        }
    }

    fn asked(&mut self, operation: Operation, number: Number, octets: &Bytes) {
        assert!(number.is_odd() && number.get() <= Number::MAX);
        let parameters = &octets[8..octets.len() - 3];
        match &mut self.unanswered {
            Some(asked) => {
                assert_eq!(asked.operation, operation, "two requests outstanding");
                assert_eq!(
                    asked.parameters, parameters,
                    "only the same request leaves again"
                );
                assert!(
                    asked.number == number || self.nacked.contains(&number),
                    "a number that nobody asked for"
                );
                asked.number = number;
                asked.times += 1;
                assert!(asked.times <= MOST_TIMES, "it leaves again and again");
            }
            None => {
                let expected = match operation {
                    Operation::LOGIN => Number::LOGIN,
                    _ => self.last_number.expect("the login is first").next(),
                };
                assert_eq!(number, expected, "numbers grow by two");
                self.unanswered = Some(Asked {
                    operation,
                    number,
                    parameters: parameters.to_vec(),
                    times: 1,
                });
                if operation == Operation::SUBMIT {
                    assert_eq!(
                        self.submitted,
                        Some(false),
                        "only what was submitted leaves, and once"
                    );
                    self.submitted = Some(true);
                }
            }
        }
        self.last_number = Some(number);
    }

    fn happened(&mut self, event: Event) {
        assert!(
            self.is_connected || matches!(event, Event::Noted(_) | Event::Ended(_)),
            "after the end: {event:?}"
        );
        match event {
            Event::Up { .. } => {
                assert!(!self.is_up);
                self.is_up = true;
            }
            Event::MaySubmit(turn) => {
                assert!(self.is_up);
                assert!(
                    self.submit_turn.is_none() && self.submitted.is_none(),
                    "one turn at a time"
                );
                self.submit_turn = Some(turn);
            }
            Event::Answered(answer) => {
                let has_left = self.submitted.take().expect("something was submitted");
                match answer {
                    SubmitAnswer::InDoubt => assert!(has_left, "in doubt, and never left"),
                    SubmitAnswer::NotSent => assert!(!has_left, "it has left"),
                    SubmitAnswer::Accepted(_) | SubmitAnswer::TryAgain { .. } => assert!(has_left),
                    SubmitAnswer::Never(_) => {}
                }
            }
            Event::Delivered(turn, delivery) => {
                assert!(self.is_up);
                assert!(self.delivery_turn.is_none(), "one delivery at a time");
                assert!(!delivery.items.is_empty() && !delivery.key.is_none());
                for item in &delivery.items {
                    sluice::codec::item::encode(item).expect("what is delivered fits a slot");
                }
                self.delivery_turn = Some(turn);
            }
            Event::Noted(_) => {}
            Event::Ended(_) => {
                assert!(
                    self.submitted.is_none(),
                    "what became of the submit is told first"
                );
                // A session that is closed twice without a connection says so again.
                self.is_connected = false;
                self.is_up = false;
                // What was stored and not yet said to be is void.
                self.stored = 0;
                self.unanswered = None;
                self.stale_submit = self.submit_turn.take().or(self.stale_submit.take());
                self.stale_delivery = self.delivery_turn.take().or(self.stale_delivery.take());
            }
        }
    }

    fn check(&self) {
        assert_eq!(
            self.session.poll_timeout().is_some(),
            self.is_connected,
            "there is a time for everything that is awaited"
        );
        assert!(
            self.session.held_octets() <= self.most_held,
            "it holds {} octets",
            self.session.held_octets()
        );
        if !self.is_connected {
            assert!(!self.session.is_up() && !self.session.wants_bytes());
        }
    }
}
