//! What the SMSC delivers, as items to be stored: deliver_sm and data_sm alike.

use bytes::{BufMut, Bytes};
use sha2::{Digest, Sha256};

use crate::codec::Malformed;
use crate::codec::smpp::{AddressView, DataCoding, ESM_UDHI, Frame, PduView, Status, Tag, Tlvs};
use crate::message::{
    Body, CarrierFields, Coding, Concat, DeliveryKey, Item, MAX_CHARACTERS, Priority, ShortMessage,
    UserDataHeader,
};
use crate::smsc::session::{Delivery, Recognition};
use crate::text::{self, Reference};

use super::config::Config;
use super::{party, receipts};

/// A delivery's fields, whichever PDU it came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival<'a> {
    pub(super) source: AddressView<'a>,
    pub(super) destination: AddressView<'a>,
    pub(super) esm_class: u8,
    pub(super) data_coding: u8,
    protocol_id: u8,
    priority_flag: u8,
    /// With its header, wherever it stood.
    pub(super) text: &'a [u8],
    pub(super) tlvs: Tlvs<'a>,
    /// Whether short_message has a text beside the one in message_payload.
    has_two_texts: bool,
}

impl<'a> Arrival<'a> {
    fn new(view: PduView<'a>) -> Option<Self> {
        let mut arrival = match view {
            PduView::DeliverSm(message) => Self {
                source: message.source,
                destination: message.destination,
                esm_class: message.esm_class,
                data_coding: message.data_coding,
                protocol_id: message.protocol_id,
                priority_flag: message.priority_flag,
                text: message.short_message,
                tlvs: message.tlvs,
                has_two_texts: false,
            },
            PduView::DataSm(data) => Self {
                source: data.source,
                destination: data.destination,
                esm_class: data.esm_class,
                data_coding: data.data_coding,
                protocol_id: 0,
                priority_flag: 0,
                text: &[],
                tlvs: data.tlvs,
                has_two_texts: false,
            },
            _ => return None,
        };
        if let Some(payload) = arrival.tlvs.find(Tag::MESSAGE_PAYLOAD)
            && !payload.is_empty()
        {
            arrival.has_two_texts = !arrival.text.is_empty();
            arrival.text = payload;
        }
        Some(arrival)
    }

    /// The user data header, and the text behind it; `None` if a header is announced and does not fit.
    fn parts(&self) -> Option<(UserDataHeader, &'a [u8])> {
        if self.esm_class & ESM_UDHI == 0 {
            return Some((UserDataHeader::NONE, self.text));
        }
        let length = usize::from(*self.text.first()?) + 1;
        let (header, text) = self.text.split_at_checked(length)?;
        let header = UserDataHeader::new(Bytes::copy_from_slice(header)).ok()?;
        Some((header, text))
    }

    /// The text behind its header, or all of it if that makes no sense.
    pub(super) fn behind_header(&self) -> &'a [u8] {
        self.parts().map_or(self.text, |(_, text)| text)
    }

    /// What the sar TLVs say, if all three are there and make sense.
    fn sar(&self) -> Option<Concat> {
        let concat = Concat {
            reference: self.tlvs.u16(Tag::SAR_MSG_REF_NUM)?,
            wide: true,
            total: self.tlvs.octet(Tag::SAR_TOTAL_SEGMENTS)?,
            part: self.tlvs.octet(Tag::SAR_SEGMENT_SEQNUM)?,
        };
        (1..=concat.total).contains(&concat.part).then_some(concat)
    }

    /// What recognises a repetition: everything but the number of the PDU.
    fn key(&self) -> DeliveryKey {
        let mut hash = Sha256::new();
        let mut field = |octets: &[u8]| {
            hash.update(
                u32::try_from(octets.len())
                    .unwrap_or(u32::MAX)
                    .to_be_bytes(),
            );
            hash.update(octets);
        };
        for address in [self.source, self.destination] {
            field(&[address.ton, address.npi]);
            field(address.octets);
        }
        field(&[self.esm_class, self.data_coding]);
        field(self.text);
        field(self.tlvs.octets());
        let digest = hash.finalize();
        DeliveryKey(*digest.first_chunk().expect("a digest of 32 octets has 24"))
    }
}

/// A delivery that was read.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) delivery: Delivery,
    /// What was odd about it; holds nothing of the subscriber's.
    pub(super) odd: Vec<&'static str>,
    /// Octets behind the last TLV.
    pub(super) trailing: usize,
}

/// Why a delivery is not taken, and what the SMSC is told.
#[derive(Debug)]
pub(super) struct NotTaken {
    pub(super) status: Status,
    pub(super) why: Malformed,
}

/// Reads a deliver_sm or a data_sm.
pub(super) fn read(config: &Config, frame: &Frame) -> Result<Arrived, NotTaken> {
    let malformed = |why| NotTaken {
        status: Status(config.malformed_status),
        why,
    };
    let view = frame.view().map_err(malformed)?;
    let arrival = Arrival::new(view)
        .ok_or_else(|| malformed(Malformed::new(4, "command_id", "delivers nothing")))?;
    let mut odd = Vec::new();
    if arrival.has_two_texts {
        odd.push(
            "a delivery has text in short_message and in message_payload; the latter was taken",
        );
    }
    let key = arrival.key();
    let items = match receipts::read(config, &arrival) {
        Some(report) => vec![Item::Report(report)],
        None => messages(config, &arrival, key, &mut odd).map_err(|why| NotTaken {
            status: Status::INVALID_MESSAGE_LENGTH,
            why,
        })?,
    };
    Ok(Arrived {
        delivery: Delivery {
            items,
            key,
            recognition: Recognition::FirstAfterReconnect,
        },
        odd,
        trailing: arrival.tlvs.ignored(),
    })
}

/// The message, or its parts if it is longer than a slot.
fn messages(
    config: &Config,
    arrival: &Arrival<'_>,
    key: DeliveryKey,
    odd: &mut Vec<&'static str>,
) -> Result<Vec<Item>, Malformed> {
    let coding = DataCoding::read(arrival.data_coding, config.deliver_alphabet);
    let (header, text) = match arrival.parts() {
        Some((header, text)) => {
            let text = super::text::read(coding.form, text, &header);
            (header, text)
        }
        None => {
            odd.push("a user data header is announced and does not fit; the text was kept as data");
            let form = crate::codec::smpp::TextForm::Octets;
            (
                UserDataHeader::NONE,
                super::text::read(form, arrival.text, &UserDataHeader::NONE),
            )
        }
    };
    odd.extend(text.odd);
    let header = match arrival.sar() {
        Some(concat) if header.as_concat().is_none() => {
            with_concat(concat, &header).unwrap_or(header)
        }
        _ => header,
    };
    let unit = if text.coding == Coding::Ucs2 { 2 } else { 1 };
    let bodies = if text.data.len() / unit <= MAX_CHARACTERS {
        Body::new(text.coding, header, text.data).map(|body| vec![body])
    } else {
        let header = if header.as_concat().is_some() {
            odd.push("a part of a long message is itself longer than an SMS; it was cut anew");
            without_concat(&header)
        } else {
            header
        };
        // The same delivery again gets the same reference.
        let reference = Reference::Wide(u16::from_be_bytes([key.0[0], key.0[1]]));
        match text::cut_data(text.coding, &header, &text.data, reference) {
            Ok(bodies) if bodies.len() <= config.max_parts => Ok(bodies),
            failed if header.is_none() => failed,
            _ => {
                odd.push(
                    "a user data header leaves too little room for its text; all was kept as data",
                );
                let all = Bytes::copy_from_slice(arrival.text);
                text::cut_data(Coding::Octets, &UserDataHeader::NONE, &all, reference)
            }
        }
    };
    let bodies = bodies.map_err(|why| Malformed::new(0, why.field, why.reason))?;
    if bodies.len() > config.max_parts {
        let why = format!(
            "needs {} parts; max_parts allows {}",
            bodies.len(),
            config.max_parts
        );
        return Err(Malformed::new(0, "message_payload", why));
    }
    let carrier = carrier_fields(arrival, odd);
    Ok(bodies
        .into_iter()
        .map(|body| {
            let mut message = ShortMessage::new(
                party::read(config, arrival.source),
                party::read(config, arrival.destination),
                body.with_class(coding.class),
            );
            message.priority = priority(arrival.priority_flag);
            message.protocol = arrival.protocol_id;
            message.carrier = Some(Box::new(carrier.clone()));
            Item::Message(message)
        })
        .collect())
}

const fn priority(flag: u8) -> Priority {
    match flag {
        0 => Priority::Normal,
        1 | 2 => Priority::High,
        _ => Priority::Urgent,
    }
}

/// The part's number, then what the header says beside; `None` if there is no room for it.
fn with_concat(concat: Concat, header: &UserDataHeader) -> Option<UserDataHeader> {
    let number = UserDataHeader::concat(concat);
    let rest = header.octets().get(1..).unwrap_or_default();
    let mut octets = [&number.octets()[..], rest].concat();
    octets[0] = u8::try_from(octets.len() - 1).ok()?;
    UserDataHeader::new(octets.into()).ok()
}

/// What the header says beside the part's number.
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

/// What the SMSC said, raw: addresses, esm_class, data_coding, and the TLVs but the text.
fn carrier_fields(arrival: &Arrival<'_>, odd: &mut Vec<&'static str>) -> CarrierFields {
    /// Octets of TLVs that the carrier's fields may have.
    const MOST: usize = 2048;
    let mut extra = Vec::new();
    for tlv in arrival
        .tlvs
        .iter()
        .filter(|tlv| tlv.tag != Tag::MESSAGE_PAYLOAD)
    {
        if extra.len() + 4 + tlv.value.len() > MOST {
            odd.push("a delivery has more TLVs than a slot holds; some were left out");
            break;
        }
        extra.put_u16(tlv.tag.0);
        extra.put_u16(u16::try_from(tlv.value.len()).expect("it was two octets in the PDU"));
        extra.put_slice(tlv.value);
    }
    for address in [arrival.source, arrival.destination] {
        if address.octets.len() > crate::message::MAX_CARRIER_ADDRESS {
            odd.push("an address is longer than 64 octets; it was cut");
        }
    }
    let source = party::raw(arrival.source);
    let destination = party::raw(arrival.destination);
    let mut fields = CarrierFields::new(source, destination, Bytes::new(), extra.into())
        .expect("its TLVs are no longer than it takes");
    fields.esm_class = arrival.esm_class;
    fields.data_coding = arrival.data_coding;
    fields
}
