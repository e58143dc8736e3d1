//! What deliveries become: messages with all that the carrier said, and parts of long ones.

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use sluice::codec::item;
use sluice::codec::smpp::{
    Address, Alphabet, Data, Frame, Message, Pdu, ShortText, Status, Tag, TlvList, Tlvs,
};
use sluice::message::{Class, Coding, Item, Party, Priority, ShortMessage};
use sluice::smsc::session::Delivery;
use sluice::smsc::smpp::Config;
use sluice::text;

use super::line::{Line, config, deliver, delivered, delivered_with, only};

fn text_of(message: &ShortMessage) -> String {
    text::read(&message.body).text().expose().clone()
}

#[test]
fn a_plain_message_has_all_that_the_carrier_said() {
    let mut tlvs = TlvList::new();
    tlvs.u16(Tag::USER_MESSAGE_REFERENCE, 7);
    tlvs.octets(Tag(0x1400), b"vendor").unwrap();
    let (delivery, notes) = delivered(Message {
        protocol_id: 0x41,
        priority_flag: 1,
        data_coding: 0xF1,
        tlvs: tlvs.clone(),
        ..deliver(b"Hello")
    });
    let message = only(delivery);
    assert!(notes.is_empty());
    assert_eq!(
        (message.sender.exposed(), message.sender.kind()),
        ("+358401234567".into(), "phone")
    );
    assert_eq!(
        (message.recipient.exposed(), message.recipient.kind()),
        ("12345".into(), "short code")
    );
    assert_eq!((message.protocol, message.priority), (0x41, Priority::High));
    assert_eq!(
        (message.body.coding(), message.body.class()),
        (Coding::Gsm7, Some(Class::Phone))
    );
    let carrier = message.carrier.as_ref().unwrap();
    assert_eq!((carrier.esm_class, carrier.data_coding), (0, 0xF1));
    assert_eq!(
        (
            carrier.source.ton,
            carrier.source.npi,
            &carrier.source.octets()[..]
        ),
        (1, 1, &b"358401234567"[..])
    );
    assert_eq!(&carrier.extra()[..], tlvs.as_tlvs().octets());
}

#[test]
fn every_octet_value_of_the_raw_fields_passes_unchanged() {
    for value in 0..=255_u8 {
        for field in 0..6 {
            // Receipts are reports; their esm_class is read, not passed on.
            if field == 0 && matches!(value & 0x3C, 0x04 | 0x20) {
                continue;
            }
            let mut message = deliver(b"\x01Hello");
            match field {
                0 => message.esm_class = value,
                1 => message.data_coding = value,
                2 => message.source.ton = value,
                3 => message.source.npi = value,
                4 => message.destination.ton = value,
                _ => message.destination.npi = value,
            }
            let (delivery, _) = delivered(message.clone());
            let item = &delivery.items[0];
            let Ok(Item::Message(stored)) = item::decode(&item::encode(item).unwrap()) else {
                panic!("it is stored");
            };
            let carrier = stored.carrier.unwrap();
            let there = match field {
                0 => carrier.esm_class,
                1 => carrier.data_coding,
                2 => carrier.source.ton,
                3 => carrier.source.npi,
                4 => carrier.destination.ton,
                _ => carrier.destination.npi,
            };
            assert_eq!(there, value);
            assert_eq!(carrier.source.octets()[..], b"358401234567"[..]);
        }
    }
}

#[test]
fn a_part_is_known_by_its_header_or_by_its_tlvs() {
    let (delivery, _) = delivered(Message {
        esm_class: 0x40,
        ..deliver(b"\x05\x00\x03\xAA\x02\x01Hello")
    });
    let part = only(delivery);
    assert_eq!(text_of(&part), "Hello");
    let concat = part.body.header().as_concat().unwrap();
    assert_eq!((concat.reference, concat.total, concat.part), (0xAA, 2, 1));

    let sar = |total, part| {
        let mut tlvs = TlvList::new();
        tlvs.u16(Tag::SAR_MSG_REF_NUM, 0x1234);
        tlvs.octet(Tag::SAR_TOTAL_SEGMENTS, total);
        tlvs.octet(Tag::SAR_SEGMENT_SEQNUM, part);
        only(
            delivered(Message {
                tlvs,
                ..deliver(b"Hello")
            })
            .0,
        )
    };
    let concat = sar(3, 2).body.header().as_concat().unwrap();
    assert_eq!(
        (concat.reference, concat.total, concat.part, concat.wide),
        (0x1234, 3, 2, true)
    );
    // Numbers that make no sense: a single message.
    for (total, part) in [(0, 0), (2, 0), (2, 3)] {
        assert!(sar(total, part).body.header().is_none());
    }
}

#[test]
fn ports_stay_beside_the_number_from_tlvs() {
    let mut tlvs = TlvList::new();
    tlvs.u16(Tag::SAR_MSG_REF_NUM, 1);
    tlvs.octet(Tag::SAR_TOTAL_SEGMENTS, 2);
    tlvs.octet(Tag::SAR_SEGMENT_SEQNUM, 2);
    let (delivery, _) = delivered(Message {
        esm_class: 0x40,
        data_coding: 4,
        tlvs,
        ..deliver(b"\x06\x05\x04\x15\x82\x00\x00data")
    });
    let part = only(delivery);
    assert_eq!(part.body.header().as_concat().unwrap().part, 2);
    assert_eq!(part.body.header().elements().count(), 2);
    assert_eq!(part.body.data()[..], b"data"[..]);
}

#[test]
fn a_header_longer_than_the_text_is_survived() {
    for text in [&b"\xFFabc"[..], b"", b"\x05\x00\x03\xAA\x02"] {
        let (delivery, notes) = delivered(Message {
            esm_class: 0x40,
            short_message: ShortText::new(Bytes::copy_from_slice(text)).unwrap(),
            ..deliver(b"")
        });
        let message = only(delivery);
        assert_eq!(
            (message.body.coding(), &message.body.data()[..]),
            (Coding::Octets, text)
        );
        assert_eq!(notes.len(), 1);
    }
}

#[test]
fn alphabets_of_carriers_become_ours() {
    let in_alphabet = |alphabet, data_coding, text: &'static [u8]| {
        let config = Config {
            deliver_alphabet: alphabet,
            ..config()
        };
        let pdu = Pdu::DeliverSm(Message {
            data_coding,
            ..deliver(text)
        });
        text_of(&only(delivered_with(config, &pdu).0))
    };
    assert_eq!(in_alphabet(Alphabet::Gsm7, 0, b"\x00\x1B\x65\x05"), "@€é");
    assert_eq!(in_alphabet(Alphabet::Latin1, 0, b"@\xE9_"), "@é_");
    assert_eq!(in_alphabet(Alphabet::Ascii, 0, b"@_{"), "@_{");
    assert_eq!(
        in_alphabet(Alphabet::Gsm7Packed, 0, &[0xE8, 0x32, 0x9B, 0xFD, 0x06]),
        "hello"
    );
    assert_eq!(in_alphabet(Alphabet::Gsm7, 3, b"\xA9"), "©");
    assert_eq!(
        in_alphabet(Alphabet::Latin1, 8, b"\x04\x10\xD8\x3D\xDE\x00"),
        "А😀"
    );
    assert_eq!(
        in_alphabet(Alphabet::Gsm7, 0, b"caf\xE9"),
        "café",
        "a sender that means Latin-1"
    );
}

#[test]
fn a_text_in_message_payload_is_taken() {
    let mut tlvs = TlvList::new();
    tlvs.octets(Tag::MESSAGE_PAYLOAD, b"Payload").unwrap();
    let (delivery, notes) = delivered(Message {
        tlvs: tlvs.clone(),
        ..deliver(b"")
    });
    assert_eq!(
        (text_of(&only(delivery)), notes.len()),
        ("Payload".into(), 0)
    );
    let (delivery, notes) = delivered(Message {
        tlvs: tlvs.clone(),
        ..deliver(b"Short")
    });
    assert_eq!(
        (text_of(&only(delivery)), notes.len()),
        ("Payload".into(), 1)
    );
    let data = Data {
        source: Address::new("source", 1, 1, b"358401234567").unwrap(),
        destination: Address::new("destination", 3, 0, b"12345").unwrap(),
        tlvs,
        ..Data::default()
    };
    let message = only(delivered_with(config(), &Pdu::DataSm(data)).0);
    assert_eq!(text_of(&message), "Payload");
    assert!(
        message.carrier.unwrap().extra().is_empty(),
        "the text is not kept twice"
    );
}

fn payload(data_coding: u8, text: &[u8]) -> Pdu {
    let mut tlvs = TlvList::new();
    tlvs.octets(Tag::MESSAGE_PAYLOAD, text).unwrap();
    Pdu::DeliverSm(Message {
        data_coding,
        tlvs,
        ..deliver(b"")
    })
}

fn parts_of(delivery: &Delivery) -> Vec<&ShortMessage> {
    delivery
        .items
        .iter()
        .map(|item| match item {
            Item::Message(message) => message,
            Item::Report(_) => panic!("it is no report"),
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_long_text_is_cut_into_parts_that_make_it_again(text in "[a-z€{}@àéА-Я😀 ]{1,1500}") {
        let (coding, octets) = text::encode(&text);
        let data_coding = if coding == Coding::Ucs2 { 8 } else { 0 };
        let (delivery, _) = delivered_with(config(), &payload(data_coding, &octets));
        let parts = parts_of(&delivery);
        let total = parts.len();
        let mut again = String::new();
        for (number, part) in (1..).zip(&parts) {
            if total > 1 {
                let concat = part.body.header().as_concat().unwrap();
                prop_assert_eq!((concat.total, concat.part), (u8::try_from(total).unwrap(), number));
                prop_assert!(part.body.fits_one_part());
            }
            again.push_str(&text_of(part));
            prop_assert!(item::encode(&Item::Message((*part).clone())).is_ok());
        }
        prop_assert_eq!(again, text);
        // The same delivery again is cut in the same way.
        let (repeated, _) = delivered_with(config(), &payload(data_coding, &octets));
        prop_assert_eq!(&repeated.items, &delivery.items);
        prop_assert_eq!(repeated.key, delivery.key);
    }

    #[test]
    fn whatever_is_delivered_fits_slots(
        esm_class in any::<u8>(), data_coding in any::<u8>(), text in prop::collection::vec(any::<u8>(), 0..600),
        source in prop::collection::vec(1_u8.., 0..20), extra in prop::collection::vec(any::<u8>(), 0..3000),
    ) {
        let mut tlvs = TlvList::new();
        tlvs.octets(Tag(0x1400), &extra).unwrap();
        tlvs.octets(Tag::MESSAGE_PAYLOAD, &text).unwrap();
        let (delivery, _) = delivered(Message {
            source: Address::new("source", 5, 0, &source).unwrap(),
            esm_class,
            data_coding,
            tlvs,
            ..deliver(b"")
        });
        for item in &delivery.items {
            let stored = item::encode(item).unwrap();
            prop_assert_eq!(&item::decode(&stored).unwrap(), item);
        }
    }
}

#[test]
fn a_part_that_is_too_long_itself_is_cut_anew() {
    let text = [&b"\x05\x00\x03\xAA\x02\x01"[..], &[b'x'; 300]].concat();
    let mut tlvs = TlvList::new();
    tlvs.octets(Tag::MESSAGE_PAYLOAD, &text).unwrap();
    let (delivery, notes) = delivered(Message {
        esm_class: 0x40,
        tlvs,
        ..deliver(b"")
    });
    assert_eq!(parts_of(&delivery).len(), 2);
    assert_eq!(notes.len(), 1);
}

#[test]
fn a_text_of_too_many_parts_is_refused_for_good() {
    let mut line = Line::bound(config());
    line.receive_pdu(&payload(0, &[b'x'; 152 * 64]), Status::OK, 1);
    assert_eq!(line.deliveries[0].items.len(), 64);
    let mut line = Line::bound(config());
    line.receive_pdu(&payload(0, &[b'x'; 152 * 64 + 1]), Status::OK, 1);
    let said = line.said();
    assert_eq!(said[0], "> deliver_sm_resp 1 RINVMSGLEN");
    assert!(
        said[1].contains("needs 65 parts; max_parts allows 64"),
        "{said:?}"
    );
    let mut line = Line::bound(Config {
        max_parts: 255,
        ..config()
    });
    line.receive_pdu(&payload(0, &[b'x'; 65_000]), Status::OK, 1);
    assert_eq!(line.said()[0], "> deliver_sm_resp 1 RINVMSGLEN");
}

#[test]
fn addresses_beyond_all_limits_are_cut_and_told() {
    let body = [
        &b"\0\x05\0"[..],
        &[b'x'; 100],
        b"\0\x03\0",
        b"12345\0",
        &[0; 9],
        &[5],
        b"Hello",
    ]
    .concat();
    let frame = Frame {
        id: sluice::codec::smpp::CommandId::DELIVER_SM,
        status: Status::OK,
        sequence: 1,
        body: body.into(),
    };
    let mut line = Line::bound(config());
    let mut octets = Vec::new();
    frame.put(&mut octets);
    line.receive(&octets);
    assert_eq!(
        line.notes,
        ["an address is longer than 64 octets; it was cut"]
    );
    let message = only(line.deliveries.remove(0));
    assert_eq!(message.carrier.unwrap().source.octets().len(), 64);
    assert!(matches!(message.sender, Party::Carrier(_)));
}

#[test]
fn more_tlvs_than_a_slot_holds_are_left_out_and_told() {
    let mut tlvs = TlvList::new();
    tlvs.octets(Tag(0x1400), &[1; 1000]).unwrap();
    tlvs.octets(Tag(0x1401), &[2; 2000]).unwrap();
    let (delivery, notes) = delivered(Message {
        tlvs,
        ..deliver(b"Hello")
    });
    let carrier = only(delivery).carrier.unwrap();
    assert_eq!(Tlvs::new(carrier.extra()).iter().count(), 1);
    assert_eq!(notes.len(), 1);
}
