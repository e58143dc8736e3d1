//! The codec against `rusmpp`, another implementation, on valid PDUs: each reads what the other wrote, field by field,
//! and writes the same octets again. It gets exact frames only; from a stream it can lose its place.

use bytes::BytesMut;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use rusmpp::decode::DecodeWithLength;
use rusmpp::encode::{Encode, Length};
use rusmpp::pdus::{
    BindTransceiver, BindTransceiverResp, DeliverSm, QuerySmResp, SubmitSm, SubmitSmResp,
};
use rusmpp::types::{COctetString, EmptyOrFullCOctetString, OctetString};
use rusmpp::values::{
    DataCoding, EsmClass, InterfaceVersion, MessageState as TheirState, Npi, PriorityFlag,
    RegisteredDelivery, ReplaceIfPresentFlag, ServiceType, Ton,
};
use rusmpp::{Command, CommandStatus, Pdu as Theirs};
use sluice::codec::smpp::{Message, MessageView, Pdu, PduView, Status};

use super::random::{message, pdu};
use super::support::frame;

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 1024,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}

/// What they read in exactly these octets.
fn read_by_them(octets: &[u8]) -> Command {
    let mut rest = BytesMut::from(&octets[4..]);
    let (command, size) =
        Command::decode(&mut rest, octets.len() - 4).expect("they read what is valid");
    assert_eq!(size, octets.len() - 4, "they read all of it");
    command
}

/// What they write.
fn written_by_them(command: &Command) -> Vec<u8> {
    let length = command.length();
    let mut octets = vec![0; 4 + length];
    octets[..4].copy_from_slice(&u32::try_from(4 + length).unwrap().to_be_bytes());
    assert_eq!(command.encode(&mut octets[4..]), length);
    octets
}

fn c_string<const MOST: usize>(octets: &[u8]) -> COctetString<1, MOST> {
    COctetString::from_slice(&[octets, b"\0"].concat()).unwrap()
}

fn their_time(octets: &[u8]) -> EmptyOrFullCOctetString<17> {
    EmptyOrFullCOctetString::from_slice(&[octets, b"\0"].concat()).unwrap()
}

/// A macro, since their two types of message have the same fields and no common trait.
macro_rules! assert_fields {
    ($theirs:expr, $ours:expr) => {{
        let (theirs, ours) = ($theirs, $ours);
        prop_assert_eq!(
            theirs.service_type.value().as_str().as_bytes(),
            ours.service_type
        );
        prop_assert_eq!(u8::from(theirs.source_addr_ton), ours.source.ton);
        prop_assert_eq!(u8::from(theirs.source_addr_npi), ours.source.npi);
        prop_assert_eq!(theirs.source_addr.as_str().as_bytes(), ours.source.octets);
        prop_assert_eq!(u8::from(theirs.dest_addr_ton), ours.destination.ton);
        prop_assert_eq!(u8::from(theirs.dest_addr_npi), ours.destination.npi);
        prop_assert_eq!(
            theirs.destination_addr.as_str().as_bytes(),
            ours.destination.octets
        );
        prop_assert_eq!(u8::from(theirs.esm_class), ours.esm_class);
        prop_assert_eq!(theirs.protocol_id, ours.protocol_id);
        prop_assert_eq!(u8::from(theirs.priority_flag), ours.priority_flag);
        prop_assert_eq!(
            theirs.schedule_delivery_time.as_str().as_bytes(),
            ours.schedule_delivery_time
        );
        prop_assert_eq!(
            theirs.validity_period.as_str().as_bytes(),
            ours.validity_period
        );
        prop_assert_eq!(
            u8::from(theirs.registered_delivery),
            ours.registered_delivery
        );
        prop_assert_eq!(
            u8::from(theirs.replace_if_present_flag),
            ours.replace_if_present_flag
        );
        prop_assert_eq!(u8::from(theirs.data_coding), ours.data_coding);
        prop_assert_eq!(theirs.sm_default_msg_id, ours.sm_default_msg_id);
        prop_assert_eq!(theirs.short_message().as_ref(), ours.short_message);
        let tags: Vec<u16> = theirs.tlvs().iter().map(|tlv| tlv.tag().into()).collect();
        prop_assert_eq!(
            tags,
            ours.tlvs.iter().map(|tlv| tlv.tag.0).collect::<Vec<_>>()
        );
        let lengths: Vec<usize> = theirs
            .tlvs()
            .iter()
            .map(|tlv| usize::from(tlv.value_length()))
            .collect();
        prop_assert_eq!(
            lengths,
            ours.tlvs
                .iter()
                .map(|tlv| tlv.value.len())
                .collect::<Vec<_>>()
        );
    }};
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn they_read_what_we_write(pdu in pdu(), sequence in any::<u32>(), status in prop::sample::select(Status::KNOWN.to_vec())) {
        let octets = pdu.to_bytes(status, sequence);
        let command = read_by_them(&octets);
        prop_assert_eq!(u32::from(command.id()), pdu.id().0);
        prop_assert_eq!(u32::from(command.status()), status.0);
        prop_assert_eq!(command.sequence_number(), sequence);
        match (command.pdu(), &pdu) {
            (Some(Theirs::SubmitSm(theirs)), Pdu::SubmitSm(ours)) => assert_fields!(theirs, ours.view()),
            (Some(Theirs::DeliverSm(theirs)), Pdu::DeliverSm(ours)) => assert_fields!(theirs, ours.view()),
            (Some(Theirs::BindTransceiver(theirs)), Pdu::BindTransceiver(ours)) => {
                prop_assert_eq!(theirs.system_id.as_str().as_bytes(), ours.system_id.as_slice());
                prop_assert_eq!(theirs.password.as_str().as_bytes(), ours.password.as_slice());
                prop_assert_eq!(theirs.system_type.as_str().as_bytes(), ours.system_type.as_slice());
                prop_assert_eq!(u8::from(theirs.interface_version), ours.interface_version);
                prop_assert_eq!(theirs.address_range.as_str().as_bytes(), ours.address_range.octets.as_slice());
            }
            (Some(Theirs::CancelSm(theirs)), Pdu::CancelSm(ours)) => {
                prop_assert_eq!(theirs.message_id.as_str().as_bytes(), ours.message_id.as_slice());
                prop_assert_eq!(theirs.source_addr.as_str().as_bytes(), ours.source.octets.as_slice());
                prop_assert_eq!(theirs.destination_addr.as_str().as_bytes(), ours.destination.octets.as_slice());
            }
            (Some(Theirs::ReplaceSm(theirs)), Pdu::ReplaceSm(ours)) => {
                prop_assert_eq!(theirs.short_message().as_ref(), ours.short_message.octets());
                prop_assert_eq!(theirs.validity_period.as_str().as_bytes(), ours.validity_period.octets());
            }
            (Some(Theirs::DataSm(theirs)), Pdu::DataSm(ours)) => {
                prop_assert_eq!(theirs.destination_addr.as_str().as_bytes(), ours.destination.octets.as_slice());
                prop_assert_eq!(u8::from(theirs.data_coding), ours.data_coding);
                prop_assert_eq!(theirs.tlvs().len(), ours.tlvs.as_tlvs().iter().count());
            }
            (Some(_), _) => {}
            (None, _) => prop_assert!(octets.len() == 16, "a body was not read"),
        }
        prop_assert_eq!(written_by_them(&command), octets);
    }

    #[test]
    fn we_read_the_messages_that_they_write(message in message(), sequence in any::<u32>(), deliver in any::<bool>()) {
        let (theirs, octets) = their_message(&message, sequence, deliver);
        let frame = frame(&octets);
        prop_assert_eq!(frame.sequence, sequence);
        let view = match frame.view() {
            Ok(PduView::SubmitSm(view)) if !deliver => view,
            Ok(PduView::DeliverSm(view)) if deliver => view,
            other => return Err(TestCaseError::fail(format!("read as {other:?}"))),
        };
        match &theirs {
            Theirs::SubmitSm(theirs) => assert_fields!(theirs, view),
            Theirs::DeliverSm(theirs) => assert_fields!(theirs, view),
            _ => unreachable!("only these are made"),
        }
        let without_tlvs = Message { tlvs: sluice::codec::smpp::TlvList::new(), ..message };
        prop_assert_eq!(view, MessageView { ..without_tlvs.view() });
    }

    #[test]
    fn we_read_the_binds_and_answers_that_they_write(
        system_id in "[ -~]{0,15}", password in "[ -~]{0,8}", version in any::<u8>(), id in "[ -~]{0,64}", state in 0_u8..10,
    ) {
        let bind = BindTransceiver::builder()
            .system_id(c_string(system_id.as_bytes()))
            .password(c_string(password.as_bytes()))
            .interface_version(InterfaceVersion::from(version))
            .build();
        let octets = written_by_them(&Command::new(CommandStatus::EsmeRok, 1, bind));
        let frame_of_bind = frame(&octets);
        let Ok(PduView::BindTransceiver(view)) = frame_of_bind.view() else {
            return Err(TestCaseError::fail("it is a bind"));
        };
        prop_assert_eq!((view.system_id, view.password), (system_id.as_bytes(), password.as_bytes()));
        prop_assert_eq!(view.interface_version, version);

        let resp = BindTransceiverResp::new(c_string(system_id.as_bytes()), Some(InterfaceVersion::from(version)));
        let octets = written_by_them(&Command::new(CommandStatus::EsmeRok, 1, resp));
        let frame_of_resp = frame(&octets);
        let Ok(PduView::BindTransceiverResp(view)) = frame_of_resp.view() else {
            return Err(TestCaseError::fail("it is a response"));
        };
        prop_assert_eq!(view.system_id.octets(), Some(system_id.as_bytes()));
        prop_assert_eq!(view.tlvs.octet(sluice::codec::smpp::Tag::SC_INTERFACE_VERSION), Some(version));

        let resp = SubmitSmResp::new(c_string(id.as_bytes()), Vec::new());
        let octets = written_by_them(&Command::new(CommandStatus::EsmeRthrottled, 1, resp));
        let frame_of_resp = frame(&octets);
        prop_assert_eq!(frame_of_resp.status, Status::THROTTLED);
        let Ok(PduView::SubmitSmResp(view)) = frame_of_resp.view() else {
            return Err(TestCaseError::fail("it is a response"));
        };
        prop_assert_eq!(view.message_id.octets(), Some(id.as_bytes()));

        let resp = QuerySmResp::builder()
            .message_id(c_string(id.as_bytes()))
            .message_state(TheirState::from(state))
            .build();
        let octets = written_by_them(&Command::new(CommandStatus::EsmeRok, 1, resp));
        let frame_of_resp = frame(&octets);
        let Ok(PduView::QuerySmResp(view)) = frame_of_resp.view() else {
            return Err(TestCaseError::fail("it is a response"));
        };
        prop_assert_eq!((view.message_id, view.message_state), (id.as_bytes(), state));
    }
}

/// The same message built with their types (without TLVs), and its octets.
fn their_message(ours: &Message, sequence: u32, deliver: bool) -> (Theirs, Vec<u8>) {
    macro_rules! build {
        ($type:ident) => {
            $type::builder()
                .service_type(ServiceType::new(c_string(ours.service_type.as_slice())))
                .source_addr_ton(Ton::from(ours.source.ton))
                .source_addr_npi(Npi::from(ours.source.npi))
                .source_addr(c_string(ours.source.octets.as_slice()))
                .dest_addr_ton(Ton::from(ours.destination.ton))
                .dest_addr_npi(Npi::from(ours.destination.npi))
                .destination_addr(c_string(ours.destination.octets.as_slice()))
                .esm_class(EsmClass::from(ours.esm_class))
                .protocol_id(ours.protocol_id)
                .priority_flag(PriorityFlag::from(ours.priority_flag))
                .schedule_delivery_time(their_time(ours.schedule_delivery_time.octets()))
                .validity_period(their_time(ours.validity_period.octets()))
                .registered_delivery(RegisteredDelivery::from(ours.registered_delivery))
                .replace_if_present_flag(ReplaceIfPresentFlag::from(ours.replace_if_present_flag))
                .data_coding(DataCoding::from(ours.data_coding))
                .sm_default_msg_id(ours.sm_default_msg_id)
                .short_message(OctetString::from_slice(ours.short_message.octets()).unwrap())
                .build()
        };
    }
    let theirs = if deliver {
        Theirs::DeliverSm(build!(DeliverSm))
    } else {
        Theirs::SubmitSm(build!(SubmitSm))
    };
    let octets = written_by_them(&Command::new(
        CommandStatus::EsmeRok,
        sequence,
        theirs.clone(),
    ));
    (theirs, octets)
}
