//! Receipts as reports: by TLVs, by text, in any letters; and whose message they are about.

use std::collections::BTreeMap;

use sluice::codec::smpp::{Message, MessageState, Pdu, ShortText, Status, Tag, TlvList};
use sluice::message::{Item, PhoneNews, Report, ReportState};
use sluice::smsc::session::Delivery;
use sluice::smsc::smpp::{Config, IdForm, IdRules, PhoneMeaning, State};

use super::line::{Line, accepted, config, deliver, delivered, delivered_with, hello, only};

fn report(delivery: Delivery) -> Report {
    match <[Item; 1]>::try_from(delivery.items) {
        Ok([Item::Report(report)]) => report,
        other => panic!("one report, not {other:?}"),
    }
}

const RECEIPT: &[u8] =
    b"id:A1B2 sub:001 dlvrd:001 submit date:2611211013 done date:2611211014 stat:UNDELIV err:029 text:Hi";

fn receipt(esm_class: u8, text: &'static [u8], tlvs: TlvList) -> Message {
    Message {
        esm_class,
        tlvs,
        ..deliver(text)
    }
}

#[test]
fn a_receipt_by_its_text() {
    for esm_class in [0x04, 0x07, 0x20, 0x84] {
        let report = report(delivered(receipt(esm_class, RECEIPT, TlvList::new())).0);
        assert_eq!(report.id.to_string(), "A1B2");
        assert_eq!(
            (report.state, report.error),
            (ReportState::Undeliverable, Some(29))
        );
        assert_eq!(
            (&report.done_at[..], &report.text[..]),
            (&b"2611211014"[..], RECEIPT)
        );
        // Swapped against the submit.
        assert_eq!(report.sender.unwrap().exposed(), "12345");
        assert_eq!(report.recipient.unwrap().exposed(), "+358401234567");
    }
}

#[test]
fn a_receipt_by_its_tlvs_and_without_a_text() {
    let mut tlvs = TlvList::new();
    tlvs.c_octets(Tag::RECEIPTED_MESSAGE_ID, b"B7").unwrap();
    tlvs.octet(Tag::MESSAGE_STATE, MessageState::Delivered.number());
    tlvs.octets(Tag::NETWORK_ERROR_CODE, &[3, 0, 34]).unwrap();
    for (esm_class, text) in [(0x04, &b""[..]), (0, b""), (0x04, RECEIPT)] {
        let report = report(delivered(receipt(esm_class, text, tlvs.clone())).0);
        assert_eq!(
            (report.id.to_string(), report.state, report.error),
            ("B7".into(), ReportState::Delivered, Some(34))
        );
    }
    let mut four = TlvList::new();
    four.c_octets(Tag::RECEIPTED_MESSAGE_ID, b"B7").unwrap();
    four.octets(Tag::NETWORK_ERROR_CODE, &[3, 0, 1, 0]).unwrap();
    let report = report(delivered(receipt(0x04, b"", four)).0);
    assert_eq!(
        (report.state, report.error),
        (ReportState::Unknown, Some(256))
    );
}

#[test]
fn a_receipt_that_says_so_only_in_its_text_needs_the_option() {
    let plain = receipt(0, RECEIPT, TlvList::new());
    assert_eq!(
        only(delivered(plain.clone()).0).carrier.unwrap().esm_class,
        0
    );
    let by_text = Config {
        receipts_by_text: true,
        ..config()
    };
    let id = report(delivered_with(by_text.clone(), &Pdu::DeliverSm(plain)).0).id;
    assert_eq!(id.to_string(), "A1B2");
    // A person who writes about a receipt has no state.
    only(delivered_with(by_text, &Pdu::DeliverSm(deliver(b"id: what is that?"))).0);
}

#[test]
fn receipts_with_a_header_and_in_ucs2_are_read() {
    let text = [&b"\x05\x00\x03\xAA\x01\x01"[..], RECEIPT].concat();
    let with_header = Message {
        esm_class: 0x44,
        short_message: ShortText::new(text.into()).unwrap(),
        ..deliver(b"")
    };
    assert_eq!(report(delivered(with_header).0).id.to_string(), "A1B2");
    let mut tlvs = TlvList::new();
    let wide: Vec<u8> = RECEIPT.iter().flat_map(|&octet| [0, octet]).collect();
    tlvs.octets(Tag::MESSAGE_PAYLOAD, &wide).unwrap();
    let in_ucs2 = Message {
        data_coding: 8,
        ..receipt(0x04, b"", tlvs)
    };
    assert_eq!(report(delivered(in_ucs2).0).id.to_string(), "A1B2");
}

#[test]
fn g18_hexadecimal_in_the_answer_and_decimal_in_the_receipt_are_one_id() {
    let config = Config {
        message_id: IdRules {
            submit: IdForm::Hex,
            receipt: IdForm::Dec,
            ..IdRules::default()
        },
        ..config()
    };
    let mut line = Line::bound(config);
    line.submit(&hello());
    // The receipt comes before the answer.
    let early = receipt(0x04, b"id:0010597059 stat:DELIVRD err:000", TlvList::new());
    line.receive_pdu(&Pdu::DeliverSm(early), Status::OK, 1);
    line.receive_pdu(&accepted("00A1B2C3"), Status::OK, 2);
    let report = report(line.deliveries.remove(0));
    assert_eq!(
        line.answers,
        [sluice::smsc::session::SubmitAnswer::Accepted(report.id)]
    );
}

#[test]
fn words_mean_what_the_carrier_means() {
    let state = |config: &Config, text: &'static [u8]| {
        report(
            delivered_with(
                config.clone(),
                &Pdu::DeliverSm(receipt(0x04, text, TlvList::new())),
            )
            .0,
        )
        .state
    };
    let plain = config();
    for (text, expected) in [
        (&b"id:1 stat:ENROUTE"[..], ReportState::EnRoute),
        (b"id:1 stat:DELIVRD", ReportState::Delivered),
        (b"id:1 stat:EXPIRED", ReportState::Expired),
        (b"id:1 stat:DELETED", ReportState::Deleted),
        (b"id:1 stat:ACCEPTD", ReportState::Accepted),
        (b"id:1 stat:REJECTD", ReportState::Rejected),
        (b"id:1 stat:BUFFRED", ReportState::EnRoute),
        (b"id:1 stat:FAILED", ReportState::Undeliverable),
        (b"id:1 stat:SKIPPED", ReportState::Undeliverable),
        (b"id:1 stat:HALFWAY", ReportState::Unknown),
        (b"no receipt at all", ReportState::Unknown),
    ] {
        assert_eq!(state(&plain, text), expected);
    }
    let own = Config {
        receipt_states: BTreeMap::from([
            ("acceptd".into(), State::Delivered),
            ("HALFWAY".into(), State::EnRoute),
        ]),
        ..plain
    };
    assert_eq!(state(&own, b"id:1 stat:ACCEPTD"), ReportState::Delivered);
    assert_eq!(state(&own, b"id:1 stat:halfway"), ReportState::EnRoute);
    let mut tlvs = TlvList::new();
    tlvs.octet(Tag::MESSAGE_STATE, MessageState::Accepted.number());
    let by_number = report(delivered_with(own, &Pdu::DeliverSm(receipt(0x04, b"", tlvs))).0);
    assert_eq!(by_number.state, ReportState::Delivered);
}

#[test]
fn a_reason_says_of_the_phone_what_the_network_or_the_carrier_means_by_it() {
    let said = |config: &Config, text: &'static [u8], network: Option<&[u8]>| {
        let mut tlvs = TlvList::new();
        if let Some(network) = network {
            tlvs.octets(Tag::NETWORK_ERROR_CODE, network).unwrap();
        }
        let receipt = Pdu::DeliverSm(receipt(0x04, text, tlvs));
        report(delivered_with(config.clone(), &receipt).0).phone
    };
    let plain = config();
    let own = Config {
        receipt_errors: BTreeMap::from([
            ("027".into(), PhoneMeaning::Nothing),
            ("33".into(), PhoneMeaning::Off),
            ("x1".into(), PhoneMeaning::Absent),
        ]),
        ..plain.clone()
    };
    let (off, absent) = (Some(PhoneNews::Off), Some(PhoneNews::Absent));
    let expired = &b"id:1 stat:EXPIRED err:033"[..];
    for (config, text, network, expected) in [
        (
            &plain,
            &b"id:1 stat:DELIVRD err:000"[..],
            None,
            Some(PhoneNews::Reached),
        ),
        (&plain, expired, None, None),
        // Type 3 is GSM; another network numbers otherwise.
        (&plain, expired, Some(&[3, 0, 27][..]), absent),
        (&plain, expired, Some(&[2, 0, 27][..]), None),
        (&plain, b"id:1 stat:ENROUTE", Some(&[3, 0, 6][..]), absent),
        (&own, expired, None, off),
        (&own, b"id:1 stat:UNDELIV err:X1", None, absent),
        (&own, b"id:1 stat:UNDELIV err:34", None, None),
        // The carrier's own meaning goes before the standard's, and a delivery before all.
        (&own, expired, Some(&[3, 0, 27][..]), None),
        (&own, expired, Some(&[3, 0, 6][..]), absent),
        (
            &own,
            b"id:1 stat:DELIVRD err:033",
            None,
            Some(PhoneNews::Reached),
        ),
    ] {
        assert_eq!(
            said(config, text, network),
            expected,
            "{}",
            text.escape_ascii()
        );
    }
}

#[test]
fn other_types_of_messages_are_messages() {
    for esm_class in [0x08, 0x10, 0x18] {
        let message = only(delivered(receipt(esm_class, b"read", TlvList::new())).0);
        assert_eq!(message.carrier.unwrap().esm_class, esm_class);
    }
}
