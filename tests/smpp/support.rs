//! Octets as they are written in these tests, and random valid PDUs.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use sluice::clock::{Moment, WallTime};
use sluice::codec::smpp::{
    Address, Alert, Bind, BindResp, COctets, Cancel, Data, Empty, Frame, Framer, IdResp, MAX_FRAME,
    Message, Named, Outbind, Pdu, Query, QueryResp, Replace, ShortText, Status, Tag, Time, TlvList,
};

use sluice::message::{Body, Coding, PhoneNumber, ShortCode, ShortMessage, UserDataHeader};
use sluice::smsc::session::{
    Answer, Delivery, DeliveryTurn, Down, Event, Session as _, SubmitAnswer, SubmitTurn,
};
use sluice::smsc::smpp::{BindKind, Config, Session};

/// Octets from hexadecimal digits and `"text"`; blanks separate, nothing more.
pub(super) fn octets(written: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = written;
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '"' => {
                let end = rest[1..].find('"').expect("a text ends") + 1;
                octets.extend_from_slice(&rest.as_bytes()[1..end]);
                &rest[end + 1..]
            }
            blank if blank.is_whitespace() => &rest[1..],
            _ => {
                octets.push(u8::from_str_radix(&rest[..2], 16).expect("two digits"));
                &rest[2..]
            }
        };
    }
    octets
}

/// The only frame in these octets.
pub(super) fn frame(octets: &[u8]) -> Frame {
    let mut framer = Framer::new(MAX_FRAME);
    framer.push(octets);
    let frame = framer
        .next_frame()
        .expect("its length is right")
        .expect("it is whole");
    assert_eq!(framer.buffered(), 0, "nothing follows");
    frame
}

/// A string that every implementation takes: printable ASCII.
fn c_octets<const MOST: usize>() -> impl Strategy<Value = COctets<MOST>> {
    prop::collection::vec(0x20_u8..0x7F, 0..MOST)
        .prop_map(|octets| COctets::new("string", &octets).unwrap())
}

fn named<const MOST: usize>() -> impl Strategy<Value = Named<MOST>> {
    c_octets().prop_map(Named)
}

fn address<const MOST: usize>() -> impl Strategy<Value = Address<MOST>> {
    // data_sm's addresses have 65 octets by the specification; the other implementation takes 21.
    (
        any::<u8>(),
        any::<u8>(),
        prop::collection::vec(0x20_u8..0x7F, 0..MOST.min(21)),
    )
        .prop_map(|(ton, npi, octets)| Address::new("address", ton, npi, &octets).unwrap())
}

fn time() -> impl Strategy<Value = Time> {
    prop_oneof![
        Just(Time::NONE),
        (0_u64..4_000_000)
            .prop_map(|seconds| Time::relative(std::time::Duration::from_secs(seconds))),
        (946_684_800_000_u64..4_000_000_000_000, -48_i8..=48)
            .prop_map(|(ms, quarters)| Time::absolute(WallTime::from_unix_ms(ms), quarters)),
    ]
}

fn text() -> impl Strategy<Value = ShortText> {
    prop::collection::vec(any::<u8>(), 0..=254)
        .prop_map(|octets| ShortText::new(octets.into()).unwrap())
}

/// TLVs as both sides know them, and vendors' own.
fn tlvs() -> impl Strategy<Value = TlvList> {
    let one = prop_oneof![
        any::<u16>()
            .prop_map(|number| (Tag::USER_MESSAGE_REFERENCE, number.to_be_bytes().to_vec())),
        any::<u16>().prop_map(|number| (Tag::SAR_MSG_REF_NUM, number.to_be_bytes().to_vec())),
        any::<u8>().prop_map(|number| (Tag::SAR_TOTAL_SEGMENTS, vec![number])),
        any::<u8>().prop_map(|number| (Tag::SAR_SEGMENT_SEQNUM, vec![number])),
        (0_u8..10).prop_map(|number| (Tag::MESSAGE_STATE, vec![number])),
        any::<u32>().prop_map(|number| (Tag::QOS_TIME_TO_LIVE, number.to_be_bytes().to_vec())),
        c_octets::<65>()
            .prop_map(|id| (Tag::RECEIPTED_MESSAGE_ID, [id.as_slice(), b"\0"].concat())),
        (1_u8..9, any::<u16>()).prop_map(|(network, code)| {
            let [high, low] = code.to_be_bytes();
            (Tag::NETWORK_ERROR_CODE, vec![network, high, low])
        }),
        prop::collection::vec(any::<u8>(), 1..1000)
            .prop_map(|payload| (Tag::MESSAGE_PAYLOAD, payload)),
        (
            0x1400_u16..0x4000,
            prop::collection::vec(any::<u8>(), 1..40)
        )
            .prop_map(|(tag, value)| (Tag(tag), value)),
    ];
    prop::collection::vec(one, 0..6).prop_map(|all| {
        let mut tlvs = TlvList::new();
        for (tag, value) in all {
            tlvs.octets(tag, &value).unwrap();
        }
        tlvs
    })
}

fn maybe_version() -> impl Strategy<Value = TlvList> {
    prop_oneof![Just(None), any::<u8>().prop_map(Some)].prop_map(|version| {
        let mut tlvs = TlvList::new();
        if let Some(version) = version {
            tlvs.octet(Tag::SC_INTERFACE_VERSION, version);
        }
        tlvs
    })
}

/// A message that every implementation takes.
pub(super) fn message() -> impl Strategy<Value = Message> {
    // Values with reserved bits do not survive the other implementation; the codec's own tests have all values.
    let esm_class = prop::sample::select(vec![0x00_u8, 0x03, 0x04, 0x40, 0x80, 0xC0, 0x44, 0x20]);
    (
        (
            c_octets(),
            address(),
            address(),
            esm_class,
            any::<u8>(),
            any::<u8>(),
        ),
        (
            time(),
            time(),
            0_u8..0x20,
            0_u8..2,
            any::<u8>(),
            any::<u8>(),
            text(),
            tlvs(),
        ),
    )
        .prop_map(
            |(
                (service_type, source, destination, esm_class, protocol_id, priority_flag),
                (
                    schedule_delivery_time,
                    validity_period,
                    registered_delivery,
                    replace,
                    data_coding,
                    default,
                    text,
                    tlvs,
                ),
            )| Message {
                service_type,
                source,
                destination,
                esm_class,
                protocol_id,
                priority_flag,
                schedule_delivery_time,
                validity_period,
                registered_delivery,
                replace_if_present_flag: replace,
                data_coding,
                sm_default_msg_id: default,
                short_message: text,
                tlvs,
            },
        )
}

fn bind() -> impl Strategy<Value = Bind> {
    (
        c_octets(),
        c_octets::<9>(),
        c_octets(),
        any::<u8>(),
        address(),
    )
        .prop_map(
            |(system_id, password, system_type, interface_version, address_range)| Bind {
                system_id,
                password: COctets::new("password", password.as_slice()).unwrap(),
                system_type,
                interface_version,
                address_range,
                tlvs: TlvList::new(),
            },
        )
}

fn bind_resp() -> impl Strategy<Value = BindResp> {
    (named(), maybe_version()).prop_map(|(system_id, tlvs)| BindResp { system_id, tlvs })
}

fn id_resp() -> impl Strategy<Value = IdResp> {
    named().prop_map(|message_id| IdResp {
        message_id,
        tlvs: TlvList::new(),
    })
}

fn data() -> impl Strategy<Value = Data> {
    (
        c_octets(),
        address(),
        address(),
        0_u8..0x20,
        any::<u8>(),
        tlvs(),
    )
        .prop_map(
            |(service_type, source, destination, registered_delivery, data_coding, tlvs)| Data {
                service_type,
                source,
                destination,
                esm_class: 0x40,
                registered_delivery,
                data_coding,
                tlvs,
            },
        )
}

fn replace() -> impl Strategy<Value = Replace> {
    (
        c_octets(),
        address(),
        time(),
        time(),
        0_u8..0x20,
        any::<u8>(),
        text(),
    )
        .prop_map(
            |(
                message_id,
                source,
                schedule,
                validity_period,
                registered_delivery,
                sm_default_msg_id,
                short_message,
            )| {
                Replace {
                    message_id,
                    source,
                    schedule_delivery_time: schedule,
                    validity_period,
                    registered_delivery,
                    sm_default_msg_id,
                    short_message,
                    tlvs: TlvList::new(),
                }
            },
        )
}

/// Any PDU of which the other implementation knows the layout too.
pub(super) fn pdu() -> impl Strategy<Value = Pdu> {
    prop_oneof![
        Just(Pdu::GenericNack(Empty)),
        Just(Pdu::Unbind(Empty)),
        Just(Pdu::UnbindResp(Empty)),
        Just(Pdu::EnquireLink(Empty)),
        Just(Pdu::EnquireLinkResp(Empty)),
        Just(Pdu::CancelSmResp(Empty)),
        Just(Pdu::ReplaceSmResp(Empty)),
        bind().prop_map(Pdu::BindReceiver),
        bind().prop_map(Pdu::BindTransmitter),
        bind().prop_map(Pdu::BindTransceiver),
        bind_resp().prop_map(Pdu::BindReceiverResp),
        bind_resp().prop_map(Pdu::BindTransmitterResp),
        bind_resp().prop_map(Pdu::BindTransceiverResp),
        (c_octets(), c_octets()).prop_map(|(system_id, password)| {
            Pdu::Outbind(Outbind {
                system_id,
                password,
                tlvs: TlvList::new(),
            })
        }),
        message().prop_map(Pdu::SubmitSm),
        message().prop_map(Pdu::DeliverSm),
        id_resp().prop_map(Pdu::SubmitSmResp),
        id_resp().prop_map(Pdu::DeliverSmResp),
        id_resp().prop_map(Pdu::DataSmResp),
        data().prop_map(Pdu::DataSm),
        replace().prop_map(Pdu::ReplaceSm),
        (c_octets(), address()).prop_map(|(message_id, source)| {
            Pdu::QuerySm(Query {
                message_id,
                source,
                tlvs: TlvList::new(),
            })
        }),
        (c_octets(), time(), 0_u8..10, any::<u8>()).prop_map(
            |(message_id, final_date, message_state, error_code)| {
                Pdu::QuerySmResp(QueryResp {
                    message_id,
                    final_date,
                    message_state,
                    error_code,
                    tlvs: TlvList::new(),
                })
            }
        ),
        (c_octets(), c_octets(), address(), address()).prop_map(
            |(service_type, message_id, source, destination)| {
                Pdu::CancelSm(Cancel {
                    service_type,
                    message_id,
                    source,
                    destination,
                    tlvs: TlvList::new(),
                })
            }
        ),
        (address(), address()).prop_map(|(source, esme)| {
            Pdu::AlertNotification(Alert {
                source,
                esme,
                tlvs: TlvList::new(),
            })
        }),
    ]
}

/// A short text as `Message` takes it.
pub(super) fn short(text: &'static [u8]) -> ShortText {
    ShortText::new(Bytes::from_static(text)).unwrap()
}

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
