//! What the SMSC delivers, as items to be stored: messages from phones, and reports.

use bytes::{BufMut, Bytes};
use sha2::{Digest, Sha256};

use super::config::Config;
use super::{party, submit};
use crate::codec::Malformed;
use crate::codec::cimd2::{
    Content, DeliverView, ErrorCode, Field, Operation, Packet, Parameter, StatusCode,
    StatusReportView,
};
use crate::message::{
    Body, CarrierFields, Coding, DeliveryKey, Item, MAX_CHARACTERS, Report, ReportState,
    ShortMessage, UserDataHeader,
};
use crate::smsc::reach;
use crate::smsc::session::{Delivery, Recognition};
use crate::text::{self, Reference};

/// Longest time stamp that is kept. Twelve digits are right; some peers write fourteen.
const MAX_TIME_STAMP: usize = 32;

/// Octets of raw parameters that a message's carrier fields may have.
const MAX_EXTRA: usize = 2048;

/// A delivery that was read.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) delivery: Delivery,
    /// What was odd about it; holds nothing of the subscriber's.
    pub(super) odd: Vec<&'static str>,
}

/// Why a delivery is not taken, and what the SMSC is told.
#[derive(Debug)]
pub(super) struct NotTaken {
    pub(super) code: ErrorCode,
    pub(super) why: Malformed,
}

/// Reads a delivery of either kind.
pub(super) fn read(config: &Config, packet: &Packet) -> Result<Arrived, NotTaken> {
    if packet.operation() == Operation::DELIVER_STATUS_REPORT {
        report(config, packet)
    } else {
        message(config, packet)
    }
}

fn syntax(why: Malformed) -> NotTaken {
    NotTaken {
        code: ErrorCode::SYNTAX,
        why,
    }
}

fn value<'a>(field: Option<Field<'a>>) -> &'a [u8] {
    field.map_or(&[], |field| field.value)
}

/// What recognises a repetition: the operation, and those of its parameters that stay the same. With a time stamp they
/// name the delivery; without, only the content speaks.
fn key(operation: Operation, fields: &[Option<Field<'_>>]) -> DeliveryKey {
    let mut hash = Sha256::new();
    hash.update([operation.0]);
    for field in fields {
        let length = field.map_or(u32::MAX, |field| field.value.len() as u32);
        hash.update(length.to_be_bytes());
        hash.update(value(*field));
    }
    let digest = hash.finalize();
    DeliveryKey(*digest.first_chunk().expect("a digest of 32 octets has 24"))
}

fn recognition(time_stamp: Option<Field<'_>>) -> Recognition {
    if value(time_stamp).is_empty() {
        Recognition::FirstAfterReconnect
    } else {
        Recognition::Recent
    }
}

fn message(config: &Config, packet: &Packet) -> Result<Arrived, NotTaken> {
    let view = DeliverView::read(packet).map_err(syntax)?;
    let content = view.user_data().content().map_err(|why| NotTaken {
        code: ErrorCode::BAD_PARAMETER,
        why,
    })?;
    let mut odd = Vec::new();
    let key = key(
        Operation::DELIVER,
        &[
            view.time_stamp,
            view.destination,
            view.originator,
            view.header,
            view.text,
            view.binary,
        ],
    );
    if view.text.is_some() && view.binary.is_some() {
        odd.push("a delivery has both text and binary data; the text is kept raw");
    }
    let protocol = match view.protocol.map(|field| field.octet()) {
        None => 0,
        Some(Ok(protocol)) => protocol,
        Some(Err(_)) => {
            odd.push("the protocol identifier of a delivery is no number");
            0
        }
    };
    let sender = match (view.originator, view.name) {
        (Some(field), _) | (None, Some(field)) => field.value,
        (None, None) => {
            odd.push("a delivery does not say whom it is from");
            &[]
        }
    };
    if view.destination.is_none() {
        odd.push("a delivery does not say whom it is for");
    }
    let recipient = value(view.destination);
    let carrier = carrier_fields(packet, &view, content.scheme.0, &mut odd);
    let class = content.scheme.class();
    let bodies = bodies(content, key, &mut odd).map_err(|why| NotTaken {
        code: ErrorCode::BAD_PARAMETER,
        why,
    })?;
    let items = bodies
        .into_iter()
        .map(|body| {
            let mut message = ShortMessage::new(
                party::read(config, sender),
                party::read(config, recipient),
                body.with_class(class),
            );
            message.protocol = protocol;
            message.carrier = Some(Box::new(carrier.clone()));
            Item::Message(message)
        })
        .collect();
    Ok(Arrived {
        delivery: Delivery {
            items,
            key,
            recognition: recognition(view.time_stamp),
        },
        odd,
    })
}

/// The body, or the parts of one that is longer than a slot takes.
fn bodies(
    content: Content,
    key: DeliveryKey,
    odd: &mut Vec<&'static str>,
) -> Result<Vec<Body>, Malformed> {
    let unit = if content.coding == Coding::Ucs2 { 2 } else { 1 };
    if content.data.len() / unit <= MAX_CHARACTERS {
        return content
            .into_body()
            .map(|body| vec![body])
            .map_err(|why| Malformed::new(0, why.field, why.reason));
    }
    odd.push("a delivery is longer than an SMS; it was cut into parts");
    // The same delivery again gets the same reference.
    let reference = Reference::Wide(u16::from_be_bytes([key.0[0], key.0[1]]));
    let header = without_concat(&content.header);
    text::cut_data(content.coding, &header, &content.data, reference)
        .or_else(|_no_room| {
            text::cut_data(
                content.coding,
                &UserDataHeader::NONE,
                &content.data,
                reference,
            )
        })
        .map_err(|why| Malformed::new(0, why.field, why.reason))
}

/// What the header says beside a part's number; the number of a part that is itself too long makes no sense any more.
fn without_concat(header: &UserDataHeader) -> UserDataHeader {
    let mut octets = vec![0];
    for element in header
        .elements()
        .filter(|element| !matches!(element.id, 0 | 8))
    {
        octets.put_u8(element.id);
        octets.put_u8(u8::try_from(element.data.len()).expect("it was one octet in the header"));
        octets.put_slice(element.data);
    }
    octets[0] = u8::try_from(octets.len() - 1).expect("it is shorter than before");
    if octets.len() == 1 {
        return UserDataHeader::NONE;
    }
    UserDataHeader::new(octets.into()).expect("its length is right")
}

/// What the SMSC said, raw: addresses, scheme, time stamp, and each parameter that a message has no word for.
fn carrier_fields(
    packet: &Packet,
    view: &DeliverView<'_>,
    scheme: u8,
    odd: &mut Vec<&'static str>,
) -> CarrierFields {
    let source = value(view.originator);
    let destination = value(view.destination);
    let time_stamp = value(view.time_stamp);
    let mut extra = Vec::new();
    let mut seen_destination = false;
    for field in packet.fields().map_while(Result::ok) {
        let has_a_word = match field.parameter {
            Parameter::ORIGINATOR
            | Parameter::DATA_CODING_SCHEME
            | Parameter::USER_DATA_HEADER
            | Parameter::USER_DATA_BINARY => true,
            Parameter::USER_DATA => view.binary.is_none(),
            Parameter::TIME_STAMP => time_stamp.len() <= MAX_TIME_STAMP,
            Parameter::DESTINATION => !std::mem::replace(&mut seen_destination, true),
            _ => false,
        };
        if has_a_word {
            continue;
        }
        if extra.len() + 4 + field.value.len() > MAX_EXTRA {
            odd.push("a delivery has more parameters than a slot holds; some were left out");
            break;
        }
        extra.put_u16(field.parameter.0);
        extra.put_u16(u16::try_from(field.value.len()).expect("a packet has 4096 octets at most"));
        extra.put_slice(field.value);
    }
    let time_stamp = match time_stamp.len() {
        0..=MAX_TIME_STAMP => Bytes::copy_from_slice(time_stamp),
        _ => Bytes::new(),
    };
    let mut fields = CarrierFields::new(
        party::raw(source),
        party::raw(destination),
        time_stamp,
        extra.into(),
    )
    .expect("time stamp and parameters were cut to what is allowed");
    fields.data_coding = scheme;
    fields
}

/// Parameter 061 in our words.
const fn state(status: StatusCode) -> ReportState {
    match status {
        StatusCode::IN_PROCESS | StatusCode::NO_RESPONSE => ReportState::EnRoute,
        StatusCode::EXPIRED => ReportState::Expired,
        StatusCode::FAILED | StatusCode::LAST_NO_RESPONSE => ReportState::Undeliverable,
        StatusCode::DELIVERED => ReportState::Delivered,
        StatusCode::CANCELLED | StatusCode::DELETED_BY_OPERATOR | StatusCode::DELETED_BY_CANCEL => {
            ReportState::Deleted
        }
        // 0, and whatever a newer release may add.
        _ => ReportState::Unknown,
    }
}

fn report(config: &Config, packet: &Packet) -> Result<Arrived, NotTaken> {
    let view = StatusReportView::read(packet).map_err(syntax)?;
    let mut odd = Vec::new();
    let key = key(
        Operation::DELIVER_STATUS_REPORT,
        &[
            view.time_stamp,
            view.destination,
            view.originator,
            view.status,
            view.error,
            view.discharged,
        ],
    );
    let status = match view.status.map(|field| field.octet()) {
        Some(Ok(status)) => StatusCode(status),
        None | Some(Err(_)) => {
            odd.push("a report does not say what it reports");
            StatusCode::UNKNOWN
        }
    };
    let error = match view.error.map(|field| field.integer()) {
        None => None,
        Some(Ok(error)) => u32::try_from(error).ok(),
        Some(Err(_)) => {
            odd.push("the error of a report is no number");
            None
        }
    };
    let id = submit::id(config, value(view.destination), value(view.time_stamp));
    if id.is_none() {
        odd.push("a report does not say which message it is about");
    }
    let discharged = value(view.discharged);
    let party = |field: Option<Field<'_>>| field.map(|field| party::read(config, field.value));
    let come = state(status);
    let report = Report {
        id,
        sender: party(view.originator),
        recipient: party(view.destination),
        state: come,
        error,
        phone: reach::of_cimd2(come, status, error),
        done_at: Bytes::copy_from_slice(&discharged[..discharged.len().min(MAX_TIME_STAMP)]),
        text: Bytes::new(),
    };
    Ok(Arrived {
        delivery: Delivery {
            items: vec![Item::Report(report)],
            key,
            recognition: recognition(view.time_stamp),
        },
        odd,
    })
}
