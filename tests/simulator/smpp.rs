//! SMPP dialogues.

use std::time::Duration;

use bytes::Bytes;
use sluice::codec::smpp::{
    Address, COctets, Cancel, CommandId, Data, ESM_INTERMEDIATE, ESM_RECEIPT, ESM_UDHI, Empty,
    Frame, IdResp, Message, MessageState, Pdu, PduView, Query, Receipt, Replace, ShortText,
    SmAddress, Status, Tag, TlvList,
};
use sluice::sim::{Account, Cimd2, Config, Event, Simulator, Smpp};

use super::PLAIN;
use super::support::{Wire, bind, simulator, within};

fn address(ton: u8, npi: u8, octets: &str) -> SmAddress {
    Address::new("address", ton, npi, octets.as_bytes()).unwrap()
}

pub(super) fn message(text: &[u8]) -> Message {
    Message {
        source: address(0, 1, "12345"),
        destination: address(1, 1, "358401111111"),
        short_message: ShortText::new(Bytes::copy_from_slice(text)).unwrap(),
        ..Message::default()
    }
}

/// The id in an answer to a submit.
pub(super) fn id_of(answer: &Frame) -> String {
    assert_eq!(answer.status, Status::OK, "{answer:?}");
    match answer.view().unwrap() {
        PduView::SubmitSmResp(resp) | PduView::DataSmResp(resp) => {
            String::from_utf8(resp.message_id.octets().unwrap().to_vec()).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

/// Answers a delivery.
pub(super) async fn take(wire: &mut Wire, delivery: &Frame, status: Status) {
    assert!(matches!(
        delivery.id,
        CommandId::DELIVER_SM | CommandId::DATA_SM
    ));
    let resp = match delivery.id {
        CommandId::DATA_SM => Pdu::DataSmResp(IdResp::default()),
        _ => Pdu::DeliverSmResp(IdResp::default()),
    };
    wire.send(&resp.to_bytes(status, delivery.sequence)).await;
}

/// The text of a delivery, with its esm_class and data_coding.
pub(super) fn text_of(delivery: &Frame) -> (Vec<u8>, u8, u8) {
    match delivery.view().unwrap() {
        PduView::DeliverSm(message) => (
            message
                .tlvs
                .find(Tag::MESSAGE_PAYLOAD)
                .unwrap_or(message.short_message)
                .to_vec(),
            message.esm_class,
            message.data_coding,
        ),
        PduView::DataSm(data) => (
            data.tlvs
                .find(Tag::MESSAGE_PAYLOAD)
                .unwrap_or_default()
                .to_vec(),
            data.esm_class,
            data.data_coding,
        ),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_session_goes_from_bind_to_unbind() {
    let simulator = simulator(PLAIN).await;
    let mut wire = Wire::smpp(&simulator).await;
    // Nothing is done before a bind.
    let early = wire.ask(Pdu::SubmitSm(message(b"early")), 1).await;
    assert_eq!(early.status, Status::WRONG_BIND_STATE);
    // bind_transceiver, as octets.
    wire.send(
        b"\0\0\0\x23 \0\0\0\x09 \0\0\0\0 \0\0\0\x02 sluice\0 secret\0 \0 \x34 \0 \0 \0"
            .split(|&octet| octet == b' ')
            .collect::<Vec<_>>()
            .concat()
            .as_slice(),
    )
    .await;
    let bound = wire.frame().await;
    assert_eq!(
        (bound.id, bound.status, bound.sequence),
        (CommandId::BIND_TRANSCEIVER_RESP, Status::OK, 2)
    );
    assert_eq!(bound.body[..], *b"sluice-sim\0\x02\x10\0\x01\x34");
    let again = wire
        .ask(Pdu::BindTransceiver(bind("sluice", "secret")), 3)
        .await;
    assert_eq!(again.status, Status::ALREADY_BOUND);
    let first = id_of(&wire.ask(Pdu::SubmitSm(message(b"hello \x00")), 4).await);
    let second = id_of(&wire.ask(Pdu::SubmitSm(message(b"again")), 5).await);
    assert_ne!(first, second);
    let alive = wire.ask(Pdu::EnquireLink(Empty), 6).await;
    assert_eq!(
        (alive.id, alive.body.len()),
        (CommandId::ENQUIRE_LINK_RESP, 0)
    );
    let unbound = wire.ask(Pdu::Unbind(Empty), 7).await;
    assert_eq!(
        (unbound.id, unbound.status),
        (CommandId::UNBIND_RESP, Status::OK)
    );
    assert!(wire.is_closed().await);
    let received = simulator.received();
    assert_eq!(received[0].text(), "hello @");
    assert_eq!(
        (received[0].from.as_str(), received[0].to.as_str()),
        ("12345", "358401111111")
    );
    assert_eq!(simulator.breaches(), [] as [String; 0]);
}

#[tokio::test]
async fn binds_are_refused_with_the_codes_of_the_protocol() {
    let simulator = simulator(PLAIN).await;
    for (name, password, status) in [
        ("sluice", "wrong", Status::INVALID_PASSWORD),
        ("other", "secret", Status::INVALID_SYSTEM_ID),
    ] {
        let mut wire = Wire::smpp(&simulator).await;
        let answer = wire
            .ask(Pdu::BindTransmitter(bind(name, password)), 1)
            .await;
        assert_eq!(
            (answer.id, answer.status),
            (CommandId::BIND_TRANSMITTER_RESP, status)
        );
        assert!(wire.is_closed().await);
    }
    let mut first = Wire::smpp(&simulator).await;
    first.bind().await;
    let mut second = Wire::smpp(&simulator).await;
    let answer = second
        .ask(Pdu::BindReceiver(bind("sluice", "secret")), 1)
        .await;
    assert_eq!(answer.status, Status::ALREADY_BOUND);
}

#[tokio::test]
async fn a_bind_says_which_way_messages_go() {
    let simulator = simulator(&format!("{PLAIN}sessions = 2")).await;
    let mut transmitter = Wire::smpp(&simulator).await;
    transmitter
        .ask(Pdu::BindTransmitter(bind("sluice", "secret")), 1)
        .await;
    let mut receiver = Wire::smpp(&simulator).await;
    receiver
        .ask(Pdu::BindReceiver(bind("sluice", "secret")), 1)
        .await;
    let refused = receiver.ask(Pdu::SubmitSm(message(b"x")), 2).await;
    assert_eq!(refused.status, Status::WRONG_BIND_STATE);
    // The receipt for what one submitted comes to the other.
    let wished = Message {
        registered_delivery: 1,
        ..message(b"x")
    };
    let id = id_of(&transmitter.ask(Pdu::SubmitSm(wished), 2).await);
    let receipt = receiver.frame().await;
    let (text, esm_class, _) = text_of(&receipt);
    assert_eq!(esm_class, ESM_RECEIPT);
    assert_eq!(Receipt::scan(&text).id, Some(id.as_bytes()));
}

#[tokio::test]
async fn what_is_wrong_with_a_submit_is_told() {
    let simulator = simulator(&format!(
        "{PLAIN}senders = ['12345']\n[[phone]]\nnumber = '358409'\nfate = 'refused'"
    ))
    .await;
    let mut wire = Wire::smpp(&simulator).await;
    wire.bind().await;
    let mut payload = TlvList::new();
    payload.octets(Tag::MESSAGE_PAYLOAD, b"x").unwrap();
    let to = |number| address(1, 1, number);
    let time = |written: &str| {
        // An expired time can be written only by hand: strict values hold none.
        sluice::codec::smpp::Time::relative(Duration::from_secs(written.len() as u64))
    };
    let cases = [
        (
            Message {
                destination: to(""),
                ..message(b"x")
            },
            Status::INVALID_DESTINATION,
        ),
        (
            Message {
                destination: to("12x"),
                ..message(b"x")
            },
            Status::INVALID_DESTINATION,
        ),
        (
            Message {
                destination: to("358409"),
                ..message(b"x")
            },
            Status::INVALID_DESTINATION,
        ),
        (
            Message {
                source: to("666"),
                ..message(b"x")
            },
            Status::INVALID_SOURCE,
        ),
        (
            Message {
                priority_flag: 5,
                ..message(b"x")
            },
            Status::INVALID_PRIORITY,
        ),
        (
            Message {
                replace_if_present_flag: 2,
                ..message(b"x")
            },
            Status::INVALID_REPLACE_FLAG,
        ),
        (
            Message {
                sm_default_msg_id: 1,
                ..message(b"x")
            },
            Status::INVALID_DEFAULT_MESSAGE,
        ),
        (
            Message {
                registered_delivery: 3,
                ..message(b"x")
            },
            Status::INVALID_REGISTERED_DELIVERY,
        ),
        (
            Message {
                esm_class: ESM_UDHI,
                ..message(b"\x09x")
            },
            Status::INVALID_ESM_CLASS,
        ),
        (
            Message {
                data_coding: 8,
                ..message(b"abc")
            },
            Status::INVALID_MESSAGE_LENGTH,
        ),
        (
            Message {
                tlvs: payload,
                ..message(b"x")
            },
            Status::INVALID_TLV_VALUE,
        ),
        (
            Message {
                validity_period: time("x"),
                ..message(b"good")
            },
            Status::OK,
        ),
    ];
    for (sequence, (message, status)) in (2..).zip(cases) {
        let answer = wire.ask(Pdu::SubmitSm(message), sequence).await;
        assert_eq!((answer.status, answer.sequence), (status, sequence));
    }
    // A body that ends too early; an operation that nobody has; a length that no frame has.
    let mut cut = Pdu::SubmitSm(message(b"x")).to_bytes(Status::OK, 90)[..20].to_vec();
    cut[3] = 20;
    wire.send(&cut).await;
    assert_eq!(wire.frame().await.status, Status::INVALID_COMMAND_LENGTH);
    wire.send(b"\0\0\0\x10\0\0\x01\xff\0\0\0\0\0\0\0\x5b").await;
    let nack = wire.frame().await;
    assert_eq!(
        (nack.id, nack.status, nack.sequence),
        (CommandId::GENERIC_NACK, Status::INVALID_COMMAND_ID, 0x5B)
    );
    wire.send(b"\0\0\0\x0f\0\0\0\x15\0\0\0\0\0\0\0\x5c").await;
    let nack = wire.frame().await;
    assert_eq!(
        (nack.id, nack.status, nack.sequence),
        (
            CommandId::GENERIC_NACK,
            Status::INVALID_COMMAND_LENGTH,
            0x5C
        )
    );
    assert!(wire.is_closed().await);
    assert_eq!(simulator.received().len(), 1);
}

#[tokio::test]
async fn texts_arrive_in_every_coding() {
    let simulator = simulator(&format!("{PLAIN}alphabet = 'latin1'")).await;
    let mut wire = Wire::smpp(&simulator).await;
    wire.bind().await;
    let mut payload = TlvList::new();
    payload.octets(Tag::MESSAGE_PAYLOAD, &[b'x'; 1000]).unwrap();
    let header = [&[5, 0, 3, 7, 2, 1][..], b"part"].concat();
    for (sequence, (message, text)) in (2..).zip([
        (message(b"caf\xe9"), "café".to_owned()),
        (
            Message {
                data_coding: 8,
                ..message(b"\x04\x1f")
            },
            "П".into(),
        ),
        (
            Message {
                data_coding: 0xF0,
                ..message(b"\x00")
            },
            "@".into(),
        ),
        (
            Message {
                esm_class: ESM_UDHI,
                ..message(&header)
            },
            "part".into(),
        ),
        (
            Message {
                tlvs: payload.clone(),
                ..message(b"")
            },
            "x".repeat(1000),
        ),
    ]) {
        id_of(&wire.ask(Pdu::SubmitSm(message), sequence).await);
        assert_eq!(simulator.received().pop().unwrap().text(), text);
    }
    let received = simulator.received();
    assert_eq!(received[3].header().as_concat().unwrap().total, 2);
    let data = Data {
        destination: Address::new("destination", 1, 1, b"358401111111").unwrap(),
        tlvs: payload,
        ..Data::default()
    };
    let answer = wire.ask(Pdu::DataSm(data), 20).await;
    assert_eq!(answer.id, CommandId::DATA_SM_RESP);
    id_of(&answer);
}

#[tokio::test]
async fn phones_write_in_the_way_of_their_carrier() {
    for (settings, pieces) in [
        ("long = 'header'", 2),
        ("long = 'sar'", 2),
        ("long = 'payload'", 1),
    ] {
        let simulator = simulator(&format!("{PLAIN}{settings}")).await;
        let mut wire = Wire::smpp(&simulator).await;
        wire.bind().await;
        let written = "é".repeat(300);
        simulator.phone_sends("+358501234567", "12345", &written);
        let mut text = Vec::new();
        for part in 1..=pieces {
            let delivery = wire.frame().await;
            let (octets, esm_class, _) = text_of(&delivery);
            let PduView::DeliverSm(message) = delivery.view().unwrap() else {
                panic!("{delivery:?}");
            };
            assert_eq!(message.source.octets, b"358501234567");
            assert_eq!((message.source.ton, message.source.npi), (1, 1));
            assert_eq!(message.destination.octets, b"12345");
            match settings {
                "long = 'header'" => {
                    assert_eq!(esm_class, ESM_UDHI);
                    assert_eq!(octets[4..6], [2, part]);
                    text.extend_from_slice(&octets[6..]);
                }
                _ => {
                    let sar = message.tlvs.octet(Tag::SAR_SEGMENT_SEQNUM);
                    assert_eq!(sar, (pieces > 1).then_some(part));
                    text.extend_from_slice(&octets);
                }
            }
            take(&mut wire, &delivery, Status::OK).await;
        }
        assert_eq!(text, vec![5; 300], "septets of é");
    }
}

#[tokio::test]
async fn deliveries_are_answered_one_by_one_or_refused_for_now() {
    let simulator = simulator(&format!("{PLAIN}[centre]\ndeliver_again_after = '50ms'")).await;
    let mut wire = Wire::smpp(&simulator).await;
    simulator.phone_sends("1", "2", "first");
    simulator.phone_sends("1", "2", "second");
    wire.bind().await;
    let first = wire.frame().await;
    assert_eq!((text_of(&first).0, first.sequence), (b"first".to_vec(), 1));
    take(&mut wire, &first, Status::TEMPORARY_APPLICATION_ERROR).await;
    let again = wire.frame().await;
    assert_eq!((text_of(&again).0, again.sequence), (b"first".to_vec(), 2));
    // A refusal for good: it is gone, and the next one comes.
    take(&mut wire, &again, Status::REJECTED_BY_APPLICATION).await;
    let second = wire.frame().await;
    assert_eq!(text_of(&second).0, b"second");
    drop(wire);
    let mut wire = Wire::smpp(&simulator).await;
    let bind = Pdu::BindTransceiver(bind("sluice", "secret"));
    let mut answer = wire.ask(bind.clone(), 1).await;
    while answer.status == Status::ALREADY_BOUND {
        // The SMSC has not yet seen the old connection end.
        wire = Wire::smpp(&simulator).await;
        answer = wire.ask(bind.clone(), 1).await;
    }
    let redelivered = wire.frame().await;
    assert_eq!(text_of(&redelivered).0, b"second");
    take(&mut wire, &redelivered, Status::OK).await;
    wire.ask(Pdu::EnquireLink(Empty), 2).await;
    let counts = simulator.counts();
    assert_eq!((counts.deliveries_taken, counts.deliveries_refused), (1, 2));
}

#[tokio::test]
async fn receipts_come_in_the_dialect_of_the_carrier() {
    struct Seen {
        id: Vec<u8>,
        state: MessageState,
    }
    for (style, marked, texts, tlvs, hex) in [
        ("", true, true, true, false),
        ("form = 'text'", true, true, false, false),
        ("form = 'tlv'", true, false, true, false),
        (
            "text = 'short'\nform = 'text'\nmarked = false",
            false,
            true,
            false,
            false,
        ),
        (
            "text = 'reordered'\ncarrier = 'data_sm'",
            true,
            true,
            true,
            false,
        ),
        ("id_in_answer = 'padded_hex'", true, true, true, true),
    ] {
        let simulator = simulator(&format!("{PLAIN}[account.reports]\n{style}")).await;
        let mut wire = Wire::smpp(&simulator).await;
        wire.bind().await;
        let wished = Message {
            registered_delivery: 1,
            ..message(b"hello")
        };
        let id = id_of(&wire.ask(Pdu::SubmitSm(wished), 2).await);
        let receipt = wire.frame().await;
        let (text, esm_class, _) = text_of(&receipt);
        assert_eq!(esm_class == ESM_RECEIPT, marked, "{style}");
        assert_eq!(receipt.id == CommandId::DATA_SM, style.contains("data_sm"));
        let (source, found) = match receipt.view().unwrap() {
            PduView::DeliverSm(message) => (message.source, message.tlvs),
            PduView::DataSm(data) => (data.source, data.tlvs),
            other => panic!("{other:?}"),
        };
        assert_eq!(source.octets, b"358401111111", "who got it tells it");
        assert_eq!(found.octet(Tag::MESSAGE_STATE).is_some(), tlvs, "{style}");
        assert_eq!(!text.is_empty(), texts, "{style}");
        let seen = if texts {
            let read = Receipt::scan(&text);
            Seen {
                id: read.id.unwrap().to_vec(),
                state: read.state().unwrap(),
            }
        } else {
            Seen {
                id: found.c_octets(Tag::RECEIPTED_MESSAGE_ID).unwrap().to_vec(),
                state: MessageState::from_number(found.octet(Tag::MESSAGE_STATE).unwrap()).unwrap(),
            }
        };
        assert_eq!(seen.state, MessageState::Delivered);
        let seen = String::from_utf8(seen.id).unwrap();
        if hex {
            assert_eq!(id.len(), 8, "{id}");
            assert_eq!(u64::from_str_radix(&id, 16).unwrap().to_string(), seen);
        } else {
            assert_eq!(seen, id, "{style}");
        }
    }
}

#[tokio::test]
async fn a_receipt_may_come_before_the_answer_to_its_submit() {
    let simulator = simulator(&format!("{PLAIN}[account.reports]\nbefore_answer = true")).await;
    let mut wire = Wire::smpp(&simulator).await;
    wire.bind().await;
    let wished = Message {
        registered_delivery: 1,
        ..message(b"hello")
    };
    let receipt = wire.ask(Pdu::SubmitSm(wished), 2).await;
    assert_eq!(receipt.id, CommandId::DELIVER_SM);
    let answer = wire.frame().await;
    let id = id_of(&answer);
    assert_eq!(Receipt::scan(&text_of(&receipt).0).id, Some(id.as_bytes()));
}

#[tokio::test]
async fn phones_that_are_away_or_gone_are_told_of() {
    let simulator = simulator(&format!(
        "{PLAIN}[[phone]]\nnumber = '358401111111'\nfate = 'undeliverable'\nerror = 27\naway = '30ms'\nafter = '30ms'\n\
         [[phone]]\nnumber = '2'\nanswers = 'you wrote {{text}}'"
    ))
    .await;
    let mut wire = Wire::smpp(&simulator).await;
    wire.bind().await;
    let wished = Message {
        registered_delivery: 0x11,
        ..message(b"hello")
    };
    let answer = wire.ask(Pdu::SubmitSm(wished), 2).await;
    assert_eq!(answer.status, Status::OK);
    let away = wire.frame().await;
    assert_eq!(text_of(&away).1, ESM_INTERMEDIATE);
    assert_eq!(
        Receipt::scan(&text_of(&away).0).state(),
        Some(MessageState::EnRoute)
    );
    take(&mut wire, &away, Status::OK).await;
    let gone = wire.frame().await;
    let (text, ..) = text_of(&gone);
    let receipt = Receipt::scan(&text);
    assert_eq!(receipt.state(), Some(MessageState::Undeliverable));
    assert_eq!(receipt.error(), Some(27));
    take(&mut wire, &gone, Status::OK).await;
    assert_eq!(simulator.received().len(), 0);
    let to_two = Message {
        destination: address(1, 1, "2"),
        ..message(b"hello")
    };
    wire.ask(Pdu::SubmitSm(to_two), 3).await;
    assert_eq!(text_of(&wire.frame().await).0, b"you wrote hello");
}

#[tokio::test]
async fn questions_about_messages_are_answered() {
    let simulator = simulator(&format!("{PLAIN}[phones]\nafter = '1h'")).await;
    let mut wire = Wire::smpp(&simulator).await;
    wire.bind().await;
    let wished = Message {
        registered_delivery: 1,
        ..message(b"hello")
    };
    let id = id_of(&wire.ask(Pdu::SubmitSm(wished), 2).await);
    let message_id = COctets::new("message_id", id.as_bytes()).unwrap();
    let query = Query {
        message_id,
        ..Query::default()
    };
    let state = |answer: &Frame| match answer.view().unwrap() {
        PduView::QuerySmResp(resp) => resp.message_state,
        other => panic!("{other:?}"),
    };
    let answer = wire.ask(Pdu::QuerySm(query.clone()), 3).await;
    assert_eq!(state(&answer), MessageState::EnRoute.number());
    let cancel = Cancel {
        message_id,
        ..Cancel::default()
    };
    let answer = wire.ask(Pdu::CancelSm(cancel.clone()), 4).await;
    assert_eq!(answer.status, Status::OK);
    let receipt = wire.frame().await;
    assert_eq!(
        Receipt::scan(&text_of(&receipt).0).state(),
        Some(MessageState::Deleted)
    );
    take(&mut wire, &receipt, Status::OK).await;
    let answer = wire.ask(Pdu::QuerySm(query), 5).await;
    assert_eq!(state(&answer), MessageState::Deleted.number());
    let answer = wire.ask(Pdu::CancelSm(cancel), 6).await;
    assert_eq!(answer.status, Status::CANCEL_FAILED);
    let answer = wire.ask(Pdu::QuerySm(Query::default()), 7).await;
    assert_eq!(answer.status, Status::QUERY_FAILED);
    let answer = wire.ask(Pdu::ReplaceSm(Replace::default()), 8).await;
    assert_eq!(answer.status, Status::REPLACE_FAILED);
}

#[tokio::test]
async fn breaches_of_the_sequential_rule_are_counted() {
    let simulator = simulator(&format!("{PLAIN}refuse_beyond_window = true")).await;
    let mut wire = Wire::smpp(&simulator).await;
    wire.bind().await;
    let both = [
        Pdu::SubmitSm(message(b"a")).to_bytes(Status::OK, 2),
        Pdu::SubmitSm(message(b"b")).to_bytes(Status::OK, 3),
    ]
    .concat();
    wire.send(&both).await;
    assert_eq!(wire.frame().await.status, Status::OK);
    assert_eq!(wire.frame().await.status, Status::THROTTLED);
    wire.send_pdu(Pdu::DeliverSmResp(IdResp::default()), 77)
        .await;
    wire.ask(Pdu::EnquireLink(Empty), 4).await;
    assert_eq!(
        simulator.breaches(),
        [
            "session 1: submit_sm 3 came while 1 unanswered, 1 allowed",
            "session 1: deliver_sm_resp 77 answers nothing",
        ]
    );
}

#[tokio::test]
async fn a_window_as_agreed_is_no_breach() {
    let simulator = simulator(&format!("{PLAIN}window = 2")).await;
    let mut wire = Wire::smpp(&simulator).await;
    wire.bind().await;
    let three: Vec<u8> = (2..5)
        .flat_map(|sequence| Pdu::SubmitSm(message(b"x")).to_bytes(Status::OK, sequence))
        .collect();
    wire.send(&three).await;
    for _ in 0..3 {
        id_of(&wire.frame().await);
    }
    assert_eq!(simulator.counts().breaches, 1);
}

#[tokio::test]
async fn silent_sessions_end_and_quiet_ones_are_probed() {
    let script = PLAIN.replace(
        "[smpp]",
        "[smpp]\nprobe = '30ms'\nanswer_within = '100ms'\nlogin_within = '100ms'",
    );
    let simulator = simulator(&script).await;
    let mut unbound = Wire::smpp(&simulator).await;
    assert!(unbound.is_closed().await, "no bind in time");
    let mut wire = Wire::smpp(&simulator).await;
    wire.bind().await;
    let probe = wire.frame().await;
    assert_eq!((probe.id, probe.sequence), (CommandId::ENQUIRE_LINK, 1));
    wire.send_pdu(Pdu::EnquireLinkResp(Empty), 1).await;
    assert_eq!(wire.frame().await.sequence, 2);
    assert!(wire.is_closed().await, "its probe was not answered");
    assert_eq!(simulator.breaches(), [] as [String; 0]);
}

#[tokio::test]
async fn everything_is_told_as_it_happens() {
    let simulator = simulator(PLAIN).await;
    let mut events = simulator.events();
    let mut wire = Wire::smpp(&simulator).await;
    wire.bind().await;
    let wished = Message {
        registered_delivery: 1,
        ..message(b"hello")
    };
    let id = id_of(&wire.ask(Pdu::SubmitSm(wished), 2).await);
    let receipt = wire.frame().await;
    take(&mut wire, &receipt, Status::OK).await;
    wire.ask(Pdu::Unbind(Empty), 3).await;
    let mut told = Vec::new();
    loop {
        let record = within("a record", events.next()).await.unwrap();
        let line = serde_json::to_value(&*record).unwrap();
        assert!(line["ms"].is_number());
        told.push(line["event"].as_str().unwrap().to_owned());
        match &record.event {
            Event::Submit {
                from,
                to,
                text,
                number,
            } => {
                assert_eq!((from.as_str(), to.as_str()), ("12345", "358401111111"));
                assert_eq!((text.as_str(), *number), ("hello", 2));
            }
            Event::Answer {
                id: Some(named), ..
            } => assert_eq!(*named, id),
            Event::End { .. } => break,
            _ => {}
        }
    }
    assert_eq!(
        told,
        [
            "connect", "login", "answer", "submit", "phone", "answer", "report", "taken", "logout",
            "answer", "end"
        ]
    );
}

#[tokio::test]
async fn tls_is_offered() {
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let (certificate, key) = (folder.path().join("certificate"), folder.path().join("key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let config = Config {
        smpp: Some(Smpp {
            tls: Some(sluice::sim::Tls { certificate, key }),
            ..Smpp::default()
        }),
        cimd2: Some(Cimd2::default()),
        accounts: vec![Account::new("sluice", "secret")],
        ..Config::default()
    };
    let simulator = Simulator::start(config).await.unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let stream = tokio::net::TcpStream::connect(simulator.addresses().smpp.unwrap())
        .await
        .unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut wire = Wire::on(connector.connect(name, stream).await.unwrap());
    wire.bind().await;
    id_of(&wire.ask(Pdu::SubmitSm(message(b"sealed")), 2).await);
    assert_eq!(simulator.received()[0].text(), "sealed");
}
