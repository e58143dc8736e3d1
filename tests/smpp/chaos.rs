//! Any order of events, made of any octets, and what must hold whatever they are. Property tests and the fuzz target
//! share it.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use sluice::clock::Moment;
use sluice::codec::smpp::{
    Address, CommandId, Data, Frame, Framer, MAX_FRAME, Message, Pdu, ShortText, Status, TlvList,
};
use sluice::message::{Body, Coding, PhoneNumber, ShortCode, ShortMessage, UserDataHeader};
use sluice::smsc::session::{Answer, DeliveryTurn, Event, Session as _, SubmitAnswer, SubmitTurn};
use sluice::smsc::smpp::{BindKind, Config, Session};

/// The most octets that the driver reads at once here.
const CHUNK: usize = 512;

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

/// What is known of the conversation from outside.
struct World {
    session: Session,
    /// Cuts what the session gets, to know what it was told.
    shadow: Framer,
    most_frame: usize,
    bind: BindKind,
    most_held: usize,
    most_waiting: usize,
    now: Moment,
    is_connected: bool,
    is_up: bool,
    /// Our requests that left on this connection and are unanswered.
    unanswered: Vec<(CommandId, u32)>,
    next_sequence: u32,
    /// Deliveries that were sent to the session on this connection, by their number.
    deliveries: HashMap<u32, u32>,
    /// How many deliveries were answered with "stored" by us, and how many of such answers left.
    stored: u64,
    accepted: u64,
    submit_turn: Option<SubmitTurn>,
    delivery_turn: Option<DeliveryTurn>,
    /// Turns of connections that are over.
    stale_submit: Option<SubmitTurn>,
    stale_delivery: Option<DeliveryTurn>,
    /// Whether a message was submitted and not answered, and whether its PDU left.
    submitted: Option<bool>,
}

/// Plays what the octets say.
pub(crate) fn run(octets: &[u8]) {
    let mut dice = Dice(octets);
    let choice = dice.octet();
    let bind = [
        BindKind::Transceiver,
        BindKind::Transceiver,
        BindKind::Transmitter,
        BindKind::Receiver,
    ][usize::from(choice & 3)];
    let config = Config {
        system_id: "sluice".into(),
        bind,
        max_waiting_deliveries: usize::from(choice >> 2 & 3) + 1,
        max_pdu: if choice & 0x10 == 0 { MAX_FRAME } else { 600 },
        receipts_by_text: choice & 0x20 != 0,
        ..Config::default()
    };
    let most_frame = config.max_pdu;
    let most_waiting = config.max_waiting_deliveries;
    let most_held = config.max_pdu * (config.max_waiting_deliveries + 1) + CHUNK;
    let mut world = World {
        session: Session::new(config, u64::from(choice)).expect("the configuration is right"),
        shadow: Framer::new(most_frame),
        most_frame,
        bind,
        most_held,
        most_waiting,
        now: Moment::START,
        is_connected: false,
        is_up: false,
        unanswered: Vec::new(),
        next_sequence: 1,
        deliveries: HashMap::new(),
        stored: 0,
        accepted: 0,
        submit_turn: None,
        delivery_turn: None,
        stale_submit: None,
        stale_delivery: None,
        submitted: None,
    };
    world.connect();
    // Mostly a conversation begins well.
    if choice & 0x40 == 0 {
        world.reply(0, Status::OK, b"SMSC\0");
    }
    while !dice.0.is_empty() {
        world.step(&mut dice);
        world.check();
    }
}

impl World {
    fn step(&mut self, dice: &mut Dice<'_>) {
        let what = dice.octet();
        match what % 16 {
            0 => self.receive(dice.some(CHUNK)),
            1 | 2 => {
                let status = [
                    Status::OK,
                    Status::OK,
                    Status::THROTTLED,
                    Status(u32::from(dice.octet())),
                ];
                self.reply(
                    what >> 4 & 1,
                    status[usize::from(what >> 5 & 3)],
                    dice.some(20),
                );
            }
            3 | 4 => self.deliver(dice, what),
            5 => self.request(dice, CommandId::ENQUIRE_LINK),
            6 => {
                let id = CommandId::KNOWN[usize::from(dice.octet()) % CommandId::KNOWN.len()];
                self.request(dice, id);
            }
            7 => self.pass(Duration::from_millis(1 << (what >> 4))),
            8 => self.pass(Duration::from_secs(u64::from(what >> 4) * 3)),
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
            13 | 14 if what & 0x20 == 0 => {
                if let Some(turn) = self.stale_submit.take() {
                    self.session.submit(self.now, turn, &message(), None);
                }
                if let Some(turn) = self.stale_delivery.take() {
                    self.session.answer(self.now, turn, Answer::Stored);
                }
                self.drain();
            }
            14 => {
                self.session.handle_disconnected(self.now, "the line broke");
                self.drain();
                assert!(!self.is_connected, "a broken line ends the connection");
            }
            _ if !self.is_connected => self.connect(),
            _ => self.pass(Duration::from_millis(10)),
        }
    }

    fn connect(&mut self) {
        assert!(!self.is_connected);
        self.is_connected = true;
        self.shadow = Framer::new(self.most_frame);
        self.unanswered.clear();
        self.deliveries.clear();
        self.next_sequence = 1;
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
        self.session.handle_bytes(self.now, octets);
        self.shadow.push(octets);
        while let Ok(Some(frame)) = self.shadow.next_frame() {
            let is_answer = |&(command, sequence): &(CommandId, u32)| {
                (frame.id == command.response() && frame.sequence == sequence)
                    || (frame.id == CommandId::GENERIC_NACK
                        && [0, sequence].contains(&frame.sequence))
            };
            self.unanswered.retain(|request| !is_answer(request));
            if matches!(frame.id, CommandId::DELIVER_SM | CommandId::DATA_SM) {
                *self.deliveries.entry(frame.sequence).or_default() += 1;
            }
        }
        self.drain();
    }

    fn receive_frame(&mut self, frame: &Frame) {
        let mut octets = Vec::new();
        frame.put(&mut octets);
        self.receive(&octets);
    }

    /// Answers what is outstanding, or nacks it.
    fn reply(&mut self, nack: u8, status: Status, body: &[u8]) {
        if let Some(&(command, sequence)) = self.unanswered.last() {
            let id = if nack == 0 {
                command.response()
            } else {
                CommandId::GENERIC_NACK
            };
            let body = Bytes::copy_from_slice(body);
            self.receive_frame(&Frame {
                id,
                status,
                sequence,
                body,
            });
        }
    }

    fn request(&mut self, dice: &mut Dice<'_>, id: CommandId) {
        let sequence = u32::from(dice.octet());
        let body = Bytes::copy_from_slice(dice.some(60));
        self.receive_frame(&Frame {
            id,
            status: Status::OK,
            sequence,
            body,
        });
    }

    fn deliver(&mut self, dice: &mut Dice<'_>, what: u8) {
        let sequence = u32::from(dice.octet());
        let esm_class = dice.octet();
        let data_coding = dice.octet();
        let text = dice.some(254);
        let address = |octets: &'static [u8]| {
            Address::new("address", what >> 4, 1, octets).expect("it is short")
        };
        let pdu = if what & 0x80 == 0 {
            Pdu::DeliverSm(Message {
                source: address(b"358401234567"),
                esm_class,
                data_coding,
                short_message: ShortText::new(Bytes::copy_from_slice(text)).expect("it is short"),
                ..Message::default()
            })
        } else {
            let mut tlvs = TlvList::new();
            tlvs.octets(sluice::codec::smpp::Tag::MESSAGE_PAYLOAD, &text.repeat(3))
                .expect("it is short");
            Pdu::DataSm(Data {
                esm_class,
                data_coding,
                tlvs,
                ..Data::default()
            })
        };
        let octets = pdu.to_bytes(Status::OK, sequence);
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
        self.stored += u64::from(answer == Answer::Stored && self.is_connected);
        self.session.answer(self.now, turn, answer);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(octets) = self.session.poll_transmit() {
            self.written(&octets);
        }
        while let Some(event) = self.session.poll_event() {
            self.happened(event);
        }
    }

    fn written(&mut self, octets: &[u8]) {
        let mut framer = Framer::new(MAX_FRAME);
        framer.push(octets);
        let frame = framer
            .next_frame()
            .expect("a right length")
            .expect("one PDU a write");
        assert_eq!(framer.buffered(), 0, "one PDU a write");
        frame.view().expect("what we write can be read");
        if frame.id.is_response() {
            if matches!(
                frame.id,
                CommandId::DELIVER_SM_RESP | CommandId::DATA_SM_RESP
            ) {
                assert_eq!(frame.body[..], [0], "an empty message id");
                self.accepted += u64::from(frame.status.is_ok());
                assert!(
                    self.accepted <= self.stored,
                    "accepted before it was stored"
                );
                let left = self
                    .deliveries
                    .get_mut(&frame.sequence)
                    .expect("there was such a delivery");
                *left = left.checked_sub(1).expect("each is answered once");
            }
            return;
        }
        assert_eq!(frame.sequence, self.next_sequence, "numbers grow by one");
        self.next_sequence += 1;
        assert!(
            self.unanswered.is_empty(),
            "two requests outstanding: {:?} and {}",
            self.unanswered,
            frame.id
        );
        self.unanswered.push((frame.id, frame.sequence));
        if frame.id == CommandId::SUBMIT_SM {
            assert_eq!(
                self.submitted,
                Some(false),
                "only what was submitted leaves, and once"
            );
            self.submitted = Some(true);
        }
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
                assert!(self.is_up && self.bind.submits());
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
                assert!(self.is_up && self.bind.receives());
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
                self.stored = self.accepted;
                self.stale_submit = self.submit_turn.take().or(self.stale_submit.take());
                self.stale_delivery = self.delivery_turn.take().or(self.stale_delivery.take());
            }
        }
    }

    fn check(&self) {
        assert!(
            self.session.held_octets() <= self.most_held,
            "memory is bounded"
        );
        // One is with the driver, the others wait.
        let unanswered: u32 = self.deliveries.values().sum();
        if unanswered as usize > self.most_waiting {
            assert!(!self.session.wants_bytes(), "the queue is full");
        }
        assert_eq!(
            self.session.poll_timeout().is_some(),
            self.is_connected,
            "what waits has a time"
        );
        assert_eq!(self.session.is_up(), self.is_up);
        if !self.is_connected {
            assert!(!self.session.wants_bytes());
        }
    }
}

fn message() -> ShortMessage {
    ShortMessage::new(
        ShortCode::new("12345").expect("digits").into(),
        PhoneNumber::new("358401234567").expect("digits").into(),
        Body::new(
            Coding::Gsm7,
            UserDataHeader::NONE,
            Bytes::from_static(b"Hello"),
        )
        .expect("it is short"),
    )
}
