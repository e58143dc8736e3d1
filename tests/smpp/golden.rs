//! PDUs octet for octet, put together by hand from the tables of the specification (SMPP v3.4, chapters 3 to 5).

use sluice::codec::smpp::{
    Address, Bind, BindResp, COctets, Cancel, CommandId, Data, Empty, IdResp, Message,
    MessageState, Named, Outbind, Pdu, PduView, Query, QueryResp, Receipt, Replace, Status, Tag,
    Time, TlvList,
};

use super::support::{frame, octets, short};

fn id<const MOST: usize>(written: &str) -> COctets<MOST> {
    COctets::new("id", written.as_bytes()).unwrap()
}

/// Both ways: the strict value gives these octets, and they are read as that value.
#[track_caller]
fn same(pdu: &Pdu, status: Status, sequence: u32, written: &str) {
    let expected = octets(written);
    assert_eq!(pdu.to_bytes(status, sequence), expected);
    let frame = frame(&expected);
    assert_eq!(
        (frame.id, frame.status, frame.sequence),
        (pdu.id(), status, sequence)
    );
    let mut body = Vec::new();
    let view = frame.view().unwrap();
    view.put(&mut body);
    assert_eq!(body, frame.body, "what is read is written again");
    assert_eq!(view.id(), pdu.id());
}

#[test]
fn the_bind_of_the_specification() {
    // 3.2.5 shows these very octets.
    let bind = Bind {
        system_id: id("SMPP3TEST"),
        password: id("secret08"),
        system_type: id("SUBMIT1"),
        interface_version: 0,
        address_range: Address::new("range", 1, 1, b"").unwrap(),
        tlvs: TlvList::new(),
    };
    same(
        &Pdu::BindTransmitter(bind),
        Status::OK,
        1,
        "0000002F 00000002 00000000 00000001  534D50503354455354 00  7365637265743038 00  5355424D495431 00  00 01 01 00",
    );
}

#[test]
fn binds_and_their_answers() {
    let bind = Bind {
        system_id: id("sluice"),
        password: id("pw"),
        interface_version: 0x34,
        ..Bind::default()
    };
    let body = r#""sluice" 00  "pw" 00  00  34 00 00 00"#;
    same(
        &Pdu::BindReceiver(bind.clone()),
        Status::OK,
        1,
        &format!("0000001F 00000001 00000000 00000001 {body}"),
    );
    same(
        &Pdu::BindTransceiver(bind),
        Status::OK,
        2,
        &format!("0000001F 00000009 00000000 00000002 {body}"),
    );
    let mut tlvs = TlvList::new();
    tlvs.octet(Tag::SC_INTERFACE_VERSION, 0x34);
    let resp = BindResp {
        system_id: Named(id("SMSC")),
        tlvs,
    };
    same(
        &Pdu::BindTransceiverResp(resp),
        Status::OK,
        2,
        r#"0000001A 80000009 00000000 00000002  "SMSC" 00  0210 0001 34"#,
    );
    same(
        &Pdu::BindReceiverResp(BindResp::default()),
        Status::INVALID_PASSWORD,
        3,
        "00000011 80000001 0000000E 00000003 00",
    );
    same(
        &Pdu::Outbind(Outbind {
            system_id: id("SMSC"),
            password: id("pw"),
            tlvs: TlvList::new(),
        }),
        Status::OK,
        0,
        r#"00000018 0000000B 00000000 00000000  "SMSC" 00  "pw" 00"#,
    );
}

#[test]
fn pdus_of_a_header_only() {
    for (pdu, command) in [
        (Pdu::GenericNack(Empty), "80000000"),
        (Pdu::Unbind(Empty), "00000006"),
        (Pdu::UnbindResp(Empty), "80000006"),
        (Pdu::EnquireLink(Empty), "00000015"),
        (Pdu::EnquireLinkResp(Empty), "80000015"),
        (Pdu::CancelSmResp(Empty), "80000008"),
        (Pdu::ReplaceSmResp(Empty), "80000007"),
    ] {
        same(
            &pdu,
            Status::OK,
            0x7FFF_FFFF,
            &format!("00000010 {command} 00000000 7FFFFFFF"),
        );
    }
    same(
        &Pdu::GenericNack(Empty),
        Status::INVALID_COMMAND_ID,
        9,
        "00000010 80000000 00000003 00000009",
    );
}

#[test]
fn a_submit_with_header_validity_and_tlvs() {
    let mut tlvs = TlvList::new();
    tlvs.u16(Tag::USER_MESSAGE_REFERENCE, 0x0102);
    let submit = Message {
        service_type: id("CMT"),
        source: Address::new("source", 5, 0, b"Sluice").unwrap(),
        destination: Address::new("destination", 1, 1, b"358401234567").unwrap(),
        esm_class: 0x40,
        protocol_id: 0x41,
        priority_flag: 1,
        schedule_delivery_time: Time::NONE,
        validity_period: Time::relative(std::time::Duration::from_secs(2 * 86_400)),
        registered_delivery: 1,
        replace_if_present_flag: 0,
        data_coding: 0xF0,
        sm_default_msg_id: 0,
        short_message: short(b"\x05\x00\x03\xAA\x02\x01Hello"),
        tlvs,
    };
    // 16 header, 4 service type, 9 source, 15 destination, 3, 1 + 17 times, 4, 1 + 11 text, 6 TLV: 87 = 0x57.
    same(
        &Pdu::SubmitSm(submit),
        Status::OK,
        7,
        r#"00000057 00000004 00000000 00000007  "CMT" 00  05 00 "Sluice" 00  01 01 "358401234567" 00
           40 41 01  00  "000002000000000R" 00  01 00 F0 00  0B 050003AA0201 "Hello"  0204 0002 0102"#,
    );
}

#[test]
fn answers_that_name_a_message() {
    let named = IdResp {
        message_id: Named(id("A1B2-3")),
        tlvs: TlvList::new(),
    };
    same(
        &Pdu::SubmitSmResp(named.clone()),
        Status::OK,
        7,
        r#"00000017 80000004 00000000 00000007 "A1B2-3" 00"#,
    );
    same(
        &Pdu::DataSmResp(named),
        Status::OK,
        7,
        r#"00000017 80000103 00000000 00000007 "A1B2-3" 00"#,
    );
    // One NUL, with an error status too.
    same(
        &Pdu::DeliverSmResp(IdResp::default()),
        Status::TEMPORARY_APPLICATION_ERROR,
        0xFFFF_FFFF,
        "00000011 80000005 00000064 FFFFFFFF 00",
    );
}

#[test]
fn a_delivery_receipt() {
    let text = br"id:A1 sub:001 dlvrd:001 submit date:2611211013 done date:2611211014 stat:DELIVRD err:000 text:Hi";
    let mut tlvs = TlvList::new();
    tlvs.c_octets(Tag::RECEIPTED_MESSAGE_ID, b"A1").unwrap();
    tlvs.octet(Tag::MESSAGE_STATE, 2);
    let deliver = Message {
        source: Address::new("source", 1, 1, b"358401234567").unwrap(),
        destination: Address::new("destination", 0, 1, b"12345").unwrap(),
        esm_class: 0x04,
        short_message: short(text),
        tlvs,
        ..Message::default()
    };
    // 16 + 1 + 15 + 8 + 3 + 2 + 4 + 1 + 96 + 7 + 5 = 158 = 0x9E.
    let written = format!(
        r#"0000009E 00000005 00000000 00000001  00  01 01 "358401234567" 00  00 01 "12345" 00  04 00 00  00 00  00 00 00 00
           60 "{}"  001E 0003 "A1" 00  0427 0001 02"#,
        std::str::from_utf8(text).unwrap()
    );
    same(&Pdu::DeliverSm(deliver), Status::OK, 1, &written);
    let frame = frame(&octets(&written));
    let Ok(PduView::DeliverSm(view)) = frame.view() else {
        panic!("it is a deliver_sm");
    };
    let receipt = Receipt::scan(view.short_message);
    assert_eq!(receipt.state(), Some(MessageState::Delivered));
    assert_eq!(receipt.id, view.tlvs.c_octets(Tag::RECEIPTED_MESSAGE_ID));
}

#[test]
fn a_message_as_data() {
    let mut tlvs = TlvList::new();
    tlvs.octets(Tag::MESSAGE_PAYLOAD, b"Hello").unwrap();
    let data = Data {
        service_type: id("WAP"),
        source: Address::new("source", 1, 1, b"358401234567").unwrap(),
        destination: Address::new("destination", 3, 0, b"12345").unwrap(),
        esm_class: 0,
        registered_delivery: 0x11,
        data_coding: 0x03,
        tlvs,
    };
    same(
        &Pdu::DataSm(data),
        Status::OK,
        1,
        r#"00000037 00000103 00000000 00000001  "WAP" 00  01 01 "358401234567" 00  03 00 "12345" 00  00 11 03
           0424 0005 "Hello""#,
    );
}

#[test]
fn what_is_asked_about_a_message() {
    let source = Address::new("source", 3, 0, b"123").unwrap();
    same(
        &Pdu::QuerySm(Query {
            message_id: id("A1"),
            source,
            tlvs: TlvList::new(),
        }),
        Status::OK,
        1,
        r#"00000019 00000003 00000000 00000001  "A1" 00  03 00 "123" 00"#,
    );
    same(
        &Pdu::QuerySmResp(QueryResp {
            message_id: id("A1"),
            final_date: Time::absolute(sluice::clock::WallTime::from_unix_ms(1_795_248_785_100), 8),
            message_state: MessageState::Delivered.number(),
            error_code: 0,
            tlvs: TlvList::new(),
        }),
        Status::OK,
        1,
        r#"00000026 80000003 00000000 00000001  "A1" 00  "261121101305108+" 00  02 00"#,
    );
    same(
        &Pdu::CancelSm(Cancel {
            service_type: id(""),
            message_id: id("A1"),
            source,
            destination: Address::new("destination", 1, 1, b"358401234567").unwrap(),
            tlvs: TlvList::new(),
        }),
        Status::OK,
        1,
        r#"00000029 00000008 00000000 00000001  00  "A1" 00  03 00 "123" 00  01 01 "358401234567" 00"#,
    );
    same(
        &Pdu::ReplaceSm(Replace {
            message_id: id("A1"),
            source,
            registered_delivery: 1,
            short_message: short(b"New"),
            ..Replace::default()
        }),
        Status::OK,
        1,
        r#"00000021 00000007 00000000 00000001  "A1" 00  03 00 "123" 00  00 00  01 00  03 "New""#,
    );
}

#[test]
fn a_phone_became_reachable() {
    let frame = frame(&octets(
        r#"0000002B 00000102 00000000 00000004  01 01 "358401234567" 00  00 00 "esme" 00  0422 0001 00"#,
    ));
    let Ok(PduView::AlertNotification(alert)) = frame.view() else {
        panic!("it is an alert");
    };
    assert_eq!(
        (alert.source.octets, alert.esme.octets),
        (&b"358401234567"[..], &b"esme"[..])
    );
    assert_eq!(alert.tlvs.octet(Tag::MS_AVAILABILITY_STATUS), Some(0));
}

#[test]
fn names_of_numbers() {
    assert_eq!(Status::THROTTLED.to_string(), "RTHROTTLED");
    assert_eq!(Status(0x401).to_string(), "0x00000401");
    assert_eq!(CommandId::SUBMIT_SM.response(), CommandId::SUBMIT_SM_RESP);
    assert!(CommandId::GENERIC_NACK.is_response());
    assert_eq!(Tag(0x1400).to_string(), "0x1400");
    for known in Status::KNOWN {
        assert!(known.name().is_some());
    }
}
