//! Any octets as a stream of packets: no panic, no packet lost behind a bad one, and what is read is written again.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sluice::codec::cimd2::{
    Checksum, DeliverView, Framer, MAX_PACKET, Number, Packet, Parameter, RelativeTime,
    StatusReportView, SubmitView, UserData, UserDataView, Write, Writer, text,
};
use sluice::message::Coding;

/// What follows the octets of the fuzzer; it is always found.
const GOOD: &[u8] = b"\x0240:036\t42\x03";

fuzz_target!(|octets: &[u8]| {
    let Some((&split, octets)) = octets.split_first() else {
        return;
    };
    let mut framer = Framer::new();
    let (first, second) = octets.split_at(usize::from(split).min(octets.len()));
    let mut last = None;
    for piece in [first, second, GOOD] {
        framer.push(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => {
                    assert!(frame.len() <= MAX_PACKET);
                    if let Ok(packet) = Packet::read(frame.clone()) {
                        read(&packet);
                    }
                    last = Some(frame);
                }
                Ok(None) => break,
                Err(why) => assert!(why.offset <= MAX_PACKET),
            }
        }
        assert!(framer.buffered() < MAX_PACKET);
    }
    if octets.len() < MAX_PACKET - GOOD.len() {
        assert_eq!(last.as_deref(), Some(GOOD));
    }
    as_text(octets);
});

fn read(packet: &Packet) {
    let _failure = packet.failure();
    let fields: Result<Vec<_>, _> = packet.fields().collect();
    let Ok(fields) = fields else {
        assert!(SubmitView::read(packet).is_err());
        return;
    };
    // Written again from its parameters it is the same, as far as digits of the checksum have no case.
    let mut again = Vec::new();
    let mut writer = Writer::begin(&mut again, packet.operation(), packet.number());
    for field in &fields {
        writer.field(field);
        let _values = (field.integer(), field.octet(), field.flag());
        let _period = RelativeTime::read(field);
        if let Ok(octets) = field.hex() {
            assert_eq!(octets.len() * 2, field.value.len());
        }
    }
    match packet.checksum() {
        Checksum::Absent => {
            writer.end_without_checksum();
            assert_eq!(again[..], packet.octets()[..]);
        }
        Checksum::Right => {
            writer.end();
            assert!(again.eq_ignore_ascii_case(packet.octets()));
        }
        Checksum::Wrong { .. } => {
            writer.end();
            assert!(!again.eq_ignore_ascii_case(packet.octets()));
        }
    }
    let moved = Packet::read(packet.under(Number::LOGIN)).expect("only its number has changed");
    assert_eq!(moved.checksum(), Checksum::Right);
    assert!(moved.fields().eq(packet.fields()));
    let _report = StatusReportView::read(packet).expect("all parameters can be read");
    let submit = SubmitView::read(packet).expect("all parameters can be read");
    let deliver = DeliverView::read(packet).expect("all parameters can be read");
    content(submit.user_data());
    content(deliver.user_data());
    assert_eq!(
        packet.field(Parameter::DESTINATION),
        submit.destination,
        "the first of them"
    );
}

fn content(view: UserDataView<'_>) {
    let Ok(content) = view.content() else { return };
    let Ok(body) = content.into_body() else { return };
    let Ok(data) = UserData::new(body) else { return };
    // What fits one SMS comes back as it was.
    let destination = sluice::codec::cimd2::Address::new(b"1").expect("an address");
    let submit = sluice::codec::cimd2::Submit::new(destination, Some(data.clone()));
    let packet = Packet::read(submit.to_bytes(Number::LOGIN)).expect("we wrote it");
    let again = SubmitView::read(&packet).expect("we wrote it").user_data();
    let body = again.content().expect("we wrote it").into_body();
    assert_eq!(body.as_ref(), Ok(data.body()));
}

fn as_text(octets: &[u8]) {
    let (coding, data) = text::decode(octets);
    if coding == Coding::Gsm7 {
        let value = text::to_value(&data).expect("they are septets");
        assert_eq!(text::decode(&value), (Coding::Gsm7, Bytes::clone(&data)));
    } else {
        assert!(data.len().is_multiple_of(2));
    }
}
