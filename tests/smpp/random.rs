//! Random PDUs that are valid for every implementation.

use std::time::Duration;

use proptest::prelude::*;
use sluice::clock::WallTime;
use sluice::codec::smpp::{
    Address, Alert, Bind, BindResp, COctets, Cancel, Data, Empty, IdResp, Message, Named, Outbind,
    Pdu, Query, QueryResp, Replace, ShortText, Tag, Time, TlvList,
};

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
        (0_u64..4_000_000).prop_map(|seconds| Time::relative(Duration::from_secs(seconds))),
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
