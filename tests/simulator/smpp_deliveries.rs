//! What SMPP delivers: phones' messages, and receipts in the dialects of carriers.

use sluice::codec::smpp::{
    CommandId, ESM_INTERMEDIATE, ESM_RECEIPT, ESM_UDHI, Empty, Message, MessageState, Pdu, PduView,
    Receipt, Status, Tag,
};

use super::PLAIN;
use super::smpp::{address, id_of, message, take, text_of};
use super::support::{Wire, bind, simulator};

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
