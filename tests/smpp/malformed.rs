//! What is lenient, what is malformed, and that neither loses the stream.

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use sluice::codec::smpp::{
    BadLength, CommandId, Frame, Framer, MAX_FRAME, Pdu, PduView, Receipt, Status, TimeView, Tlvs,
};

use super::random::pdu;
use super::support::{frame, octets};

const GOOD: [u8; 16] = [0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 7];

fn lenient() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}

/// Everything a session may do with a frame; none of it may panic.
fn read_all(frame: &Frame) {
    let Ok(view) = frame.view() else {
        return;
    };
    let mut body = Vec::new();
    view.put(&mut body);
    assert_eq!(
        body, frame.body,
        "a body that can be read is written again octet for octet"
    );
    let _shown = format!("{view:?} {frame:?}");
    match view {
        PduView::DeliverSm(message) | PduView::SubmitSm(message) => {
            let _read = (
                Receipt::scan(message.short_message),
                TimeView::parse(message.validity_period),
            );
            assert!(message.tlvs.ignored() <= message.tlvs.octets().len());
        }
        PduView::QuerySmResp(answer) => {
            let _read = TimeView::parse(answer.final_date);
        }
        _ => {}
    }
}

fn all_frames(framer: &mut Framer) -> Result<Vec<Frame>, BadLength> {
    let mut frames = Vec::new();
    while let Some(frame) = framer.next_frame()? {
        read_all(&frame);
        frames.push(frame);
    }
    Ok(frames)
}

proptest! {
    #![proptest_config(lenient())]

    #[test]
    fn each_prefix_is_incomplete(pdu in pdu()) {
        let whole = pdu.to_bytes(Status::OK, 1);
        for end in 0..whole.len() {
            let mut framer = Framer::new(MAX_FRAME);
            framer.push(&whole[..end]);
            prop_assert_eq!(framer.next_frame(), Ok(None));
        }
    }

    #[test]
    fn each_shortened_body_is_read_or_malformed_and_the_next_pdu_is_there(pdu in pdu()) {
        let whole = pdu.to_bytes(Status::OK, 1);
        for end in 16..whole.len() {
            let mut cut = whole[..end].to_vec();
            let length = u32::try_from(end).unwrap();
            cut[..4].copy_from_slice(&length.to_be_bytes());
            let mut framer = Framer::new(MAX_FRAME);
            framer.push(&cut);
            framer.push(&GOOD);
            let frames = all_frames(&mut framer).unwrap();
            prop_assert_eq!(frames.len(), 2);
            prop_assert_eq!((frames[1].id, frames[1].sequence), (CommandId::ENQUIRE_LINK, 7));
        }
    }

    #[test]
    fn each_flipped_bit_is_read_or_malformed_and_the_next_pdu_is_there(pdu in pdu()) {
        let whole = pdu.to_bytes(Status::OK, 1);
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.to_vec();
            flipped[bit / 8] ^= 0x80 >> (bit % 8);
            let mut framer = Framer::new(MAX_FRAME);
            framer.push(&flipped);
            framer.push(&GOOD);
            let frames = all_frames(&mut framer);
            // Only a length that is wrong can lose what follows.
            if bit >= 32 {
                let frames = frames.unwrap();
                prop_assert_eq!(frames.len(), 2);
                prop_assert_eq!((frames[1].id, frames[1].sequence), (CommandId::ENQUIRE_LINK, 7));
            }
        }
    }

    #[test]
    fn any_body_under_any_command_is_read_or_malformed(
        command in prop::sample::select(CommandId::KNOWN.to_vec()),
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        read_all(&Frame { id: command, status: Status::OK, sequence: 1, body: body.into() });
    }

    #[test]
    fn any_text_may_be_scanned_for_a_receipt(
        text in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            "(id:|stat:|ID: |err:|text:|done date:| |[a-z0-9]{1,4}){0,40}".prop_map(String::into_bytes),
        ],
    ) {
        let _read = Receipt::scan(&text);
        let _read = TimeView::parse(&text);
        let tlvs = Tlvs::new(&text);
        prop_assert!(tlvs.iter().map(|tlv| tlv.value.len() + 4).sum::<usize>() + tlvs.ignored() == text.len());
    }

    #[test]
    fn frames_come_out_the_same_however_they_are_split(
        pdus in prop::collection::vec(pdu(), 1..8),
        cuts in prop::collection::vec(1_usize..200, 1..50),
    ) {
        let mut stream = Vec::new();
        for (sequence, pdu) in (1..).zip(&pdus) {
            pdu.encode(Status::OK, sequence, &mut stream);
        }
        let mut framer = Framer::new(MAX_FRAME);
        let mut again = Vec::new();
        let mut rest = &stream[..];
        for cut in cuts.iter().cycle() {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            framer.push(now);
            for frame in all_frames(&mut framer).unwrap() {
                frame.put(&mut again);
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(again, stream);
        prop_assert_eq!(framer.buffered(), 0);
    }
}

#[test]
fn odd_addresses_are_kept() {
    // é in an alphanumeric sender; a destination of 30 digits with a plus.
    let deliver = frame(&octets(
        r#"00000043 00000005 00000000 00000001  00  05 00 "caf" E9 00  01 01 "+12345678901234567890123456789" 00
           00 00 00 00 00 00 00 00 00  00"#,
    ));
    let Ok(PduView::DeliverSm(view)) = deliver.view() else {
        panic!("it is a deliver_sm");
    };
    assert_eq!(view.source.octets, b"caf\xE9");
    assert_eq!(view.destination.octets.len(), 30);
}

#[test]
fn answers_without_a_body_are_answers() {
    for command in [
        "80000004", "80000005", "80000009", "80000001", "80000002", "80000103", "80000003",
        "80000006",
    ] {
        let frame = frame(&octets(&format!("00000010 {command} 00000008 00000001")));
        assert!(frame.view().is_ok(), "{command}");
    }
    // A message id without its NUL ends with the body, and takes nothing of the next PDU.
    let bare = frame(&octets(r#"00000013 80000004 00000000 00000001 "abc""#));
    let Ok(PduView::SubmitSmResp(answer)) = bare.view() else {
        panic!("it is an answer");
    };
    assert_eq!(answer.message_id.octets(), Some(&b"abc"[..]));
    // Stray octets mean nothing.
    let stray = frame(&octets("00000012 80000015 00000000 00000001 00 00"));
    let Ok(PduView::EnquireLinkResp(answer)) = stray.view() else {
        panic!("it is an answer");
    };
    assert_eq!(answer.ignored, [0, 0]);
}

#[test]
fn a_mandatory_field_that_is_not_there_is_named() {
    let cut = frame(&octets(
        r#"0000001B 00000005 00000000 00000001  00  01 01 "3584012 ""#,
    ));
    let why = cut.view().unwrap_err();
    assert_eq!((why.offset, why.field), (19, "source"));
    let text = octets(
        r#"00000025 00000005 00000000 00000001  00  00 00 00  00 00 00  00 00 00 00 00 00 00 00 00  05 "Hell""#,
    );
    let why = frame(&text).view().unwrap_err();
    assert_eq!((why.offset, why.field), (33, "short_message"));
}

#[test]
fn every_octet_value_passes() {
    let base = octets(
        r#"00000025 00000005 00000000 00000001  00  00 00 00  00 00 00  00 00 00 00 00 00 00 00 00  04 "Hell""#,
    );
    // TON and NPI of both addresses, esm_class, protocol, priority, registered delivery, replace, coding, default.
    for place in [17, 18, 20, 21, 23, 24, 25, 28, 29, 30, 31] {
        for value in 0..=255 {
            let mut octets = base.clone();
            octets[place] = value;
            let frame = frame(&octets);
            let view = frame.view().unwrap();
            let mut body = Vec::new();
            view.put(&mut body);
            assert_eq!(body, octets[16..]);
            let PduView::DeliverSm(message) = view else {
                panic!("it is a deliver_sm");
            };
            let there = match place {
                17 => message.source.ton,
                18 => message.source.npi,
                20 => message.destination.ton,
                21 => message.destination.npi,
                23 => message.esm_class,
                24 => message.protocol_id,
                25 => message.priority_flag,
                28 => message.registered_delivery,
                29 => message.replace_if_present_flag,
                30 => message.data_coding,
                _ => message.sm_default_msg_id,
            };
            assert_eq!(there, value);
        }
    }
}

#[test]
fn debug_shows_no_text_number_or_password() {
    let pdu = frame(&octets(
        r#"00000035 00000005 00000000 00000001  00  01 01 "358401234567" 00  00 00 00  00 00 00  00 00 00 00 00 00  06 "SECRET"
           00 00"#,
    ));
    let shown = format!("{:?} {:?}", pdu, pdu.view().unwrap());
    assert!(
        !shown.contains("3584") && !shown.contains("SECRET"),
        "{shown}"
    );
    let bind = Pdu::BindReceiver(sluice::codec::smpp::Bind {
        password: sluice::codec::smpp::COctets::new("password", b"hushhush").unwrap(),
        ..Default::default()
    });
    assert!(!format!("{bind:?}").contains("hush"));
}
