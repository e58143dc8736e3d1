//! Any octets, any text, any value.

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use sluice::codec::cimd2::{
    Address, Framer, MAX_PACKET, Number, Packet, Parameter, Submit, SubmitView, UserData, Write,
    text,
};
use sluice::message::{Body, Class, Coding, UserDataHeader};

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}

/// Octets rich in what means something to a framer.
fn wire() -> impl Strategy<Value = Vec<u8>> {
    let octet = prop_oneof![
        Just(0x02u8),
        Just(0x03),
        Just(0x09),
        Just(b':'),
        b'0'..=b'9',
        any::<u8>()
    ];
    prop::collection::vec(octet, 0..600)
}

fn body() -> impl Strategy<Value = Body> {
    let class = prop::option::of((0u8..4).prop_map(Class::from_low_bits));
    let header = prop::option::of(prop::collection::vec(any::<u8>(), 0..20)).prop_map(|octets| {
        octets.map_or(UserDataHeader::NONE, |mut octets| {
            octets.insert(0, octets.len() as u8);
            UserDataHeader::new(octets.into()).unwrap()
        })
    });
    let data = prop_oneof![
        prop::collection::vec(0u8..0x80, 0..=160).prop_map(|data| (Coding::Gsm7, data)),
        prop::collection::vec(any::<u8>(), 0..=140).prop_map(|data| (Coding::Octets, data)),
        prop::collection::vec(any::<[u8; 2]>(), 0..=70)
            .prop_map(|data| (Coding::Ucs2, data.concat())),
    ];
    (class, header, data).prop_map(|(class, header, (coding, data))| {
        Body::new(coding, header, data.into())
            .unwrap()
            .with_class(class)
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn frames_do_not_depend_on_how_octets_arrive(wire in wire(), step in 1usize..50) {
        let drain = |framer: &mut Framer| {
            std::iter::from_fn(|| framer.next_frame().transpose()).collect::<Vec<_>>()
        };
        let mut at_once = Framer::new();
        at_once.push(&wire);
        let whole = drain(&mut at_once);
        let mut framer = Framer::new();
        let mut pieces = Vec::new();
        for piece in wire.chunks(step) {
            framer.push(piece);
            pieces.extend(drain(&mut framer));
            prop_assert!(framer.buffered() < MAX_PACKET);
        }
        prop_assert_eq!(pieces, whole);
    }

    #[test]
    fn septets_come_back_from_their_character_form(septets in prop::collection::vec(0u8..0x80, 0..200)) {
        let value = text::to_value(&septets).unwrap();
        prop_assert!(value.len() <= septets.len() * 3);
        prop_assert!(value.iter().all(|octet| !matches!(octet, 0..=3 | 9 | 0x80..)));
        prop_assert_eq!(text::decode(&value), (Coding::Gsm7, Bytes::from(septets)));
    }

    #[test]
    fn any_value_of_033_reads_as_a_text(value in prop::collection::vec(any::<u8>(), 0..500)) {
        let (coding, data) = text::decode(&value);
        match coding {
            Coding::Gsm7 => prop_assert!(data.iter().all(|&octet| octet < 0x80)),
            _ => prop_assert!(data.len().is_multiple_of(2)),
        }
    }

    #[test]
    fn a_body_comes_back_from_its_packet(body in body()) {
        let destination = Address::new(b"+358401111111").unwrap();
        match UserData::new(body.clone()) {
            Err(_) => prop_assert!(!body.fits_one_part()),
            Ok(user_data) => {
                let submit = Submit::new(destination, Some(user_data));
                let octets = submit.to_bytes(Number::LOGIN);
                prop_assert!(octets.len() < MAX_PACKET);
                let packet = Packet::read(octets).unwrap();
                for field in packet.fields() {
                    let field = field.unwrap();
                    let (_, most) = field.parameter.form().unwrap();
                    prop_assert!(field.value.len() <= most, "{:?}", field);
                }
                let view = SubmitView::read(&packet).unwrap();
                let again = view.user_data().content().unwrap().into_body().unwrap();
                prop_assert_eq!(again, body);
                prop_assert!(packet.field(Parameter::DESTINATION).is_some());
            }
        }
    }

    #[test]
    fn no_order_of_events_breaks_what_is_promised(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        super::chaos::run(&octets);
    }
}

/// Orders of events that have broken a promise once, as the fuzzer found them.
#[test]
fn orders_that_failed_once_hold_now() {
    // An alive under the number of a delivery that is with the driver, said again after the delivery was stored: its
    // answer must be its own.
    super::chaos::run(b"\xFF\x01\x04\x00\x00\x25\x00\x8B\x25\x00");
}
