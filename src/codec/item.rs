//! An item as octets: what lies in a slot of the ring file and travels over the link, the same at both ends.
//!
//! `docs/ring-file.md` draws it. All numbers have their low octet first. Extensions stand at the end, each with tag
//! and length, so that a newer end may add some: an older one skips what it does not know.

use bytes::{BufMut, Bytes};

use super::{Malformed, Reader};
use crate::clock::WallTime;
use crate::message::{
    Body, CarrierAddress, CarrierFields, Class, Coding, Item, Party, PhoneNews, PhoneNumber,
    Priority, Refused, Report, ReportState, ReportWish, SenderName, ShortCode, ShortMessage,
    SmscId, UserDataHeader, UserName,
};

/// The form of items that this program writes, in the high half of the first octet.
const VERSION: u8 = 1;

/// Longest encoded item: what a slot holds beside its header.
pub const MAX_ITEM: usize = 3836;

const KIND_MESSAGE: u8 = 1;
const KIND_REPORT: u8 = 2;

const PARTY_NONE: u8 = 0;
const PARTY_PHONE: u8 = 1;
const PARTY_SHORT_CODE: u8 = 2;
const PARTY_NAME: u8 = 3;
const PARTY_USER: u8 = 4;
const PARTY_CARRIER: u8 = 5;

const NO_CLASS: u8 = 0xFF;

const EXTENSION_VALID_UNTIL: u8 = 1;
const EXTENSION_CARRIER: u8 = 2;
const EXTENSION_PHONE: u8 = 3;

/// The octets of an item.
pub fn encode(item: &Item) -> Result<Bytes, Refused> {
    let mut out = Vec::with_capacity(256);
    match item {
        Item::Message(message) => encode_message(&mut out, message),
        Item::Report(report) => encode_report(&mut out, report)?,
    }
    if out.len() > MAX_ITEM {
        return Err(Refused::new(
            "message",
            format!("takes {} octets; a slot holds {MAX_ITEM}", out.len()),
        ));
    }
    Ok(out.into())
}

/// The item of octets.
pub fn decode(octets: &Bytes) -> Result<Item, Malformed> {
    let mut reader = Reader::new(octets.clone());
    let first = reader.octet("item kind")?;
    if first >> 4 != VERSION {
        return Err(reader.complain(
            1,
            "item version",
            format!("is {}; this program knows {VERSION}", first >> 4),
        ));
    }
    match first & 0x0F {
        KIND_MESSAGE => decode_message(&mut reader).map(Item::Message),
        KIND_REPORT => decode_report(&mut reader).map(Item::Report),
        other => Err(reader.complain(1, "item kind", format!("{other} is unknown"))),
    }
}

fn encode_message(out: &mut Vec<u8>, message: &ShortMessage) {
    out.put_u8(VERSION << 4 | KIND_MESSAGE);
    out.put_u8(message.body.coding().number());
    out.put_u8(message.body.class().map_or(NO_CLASS, Class::number));
    out.put_u8(message.report.number() | message.priority.number() << 4);
    out.put_u8(message.protocol);
    put_party(out, Some(&message.sender));
    put_party(out, Some(&message.recipient));
    put_short(out, message.body.header().octets());
    put_long(out, message.body.data());
    if let Some(until) = message.valid_until {
        out.put_u8(EXTENSION_VALID_UNTIL);
        put_long(out, &until.as_unix_ms().to_le_bytes());
    }
    if let Some(carrier) = &message.carrier {
        let mut fields = Vec::with_capacity(64);
        put_address(&mut fields, &carrier.source);
        put_address(&mut fields, &carrier.destination);
        fields.put_u8(carrier.esm_class);
        fields.put_u8(carrier.data_coding);
        put_short(&mut fields, carrier.time_stamp());
        put_long(&mut fields, carrier.extra());
        out.put_u8(EXTENSION_CARRIER);
        put_long(out, &fields);
    }
}

fn decode_message(reader: &mut Reader) -> Result<ShortMessage, Malformed> {
    let coding = reader.octet("coding")?;
    let coding =
        Coding::from_number(coding).map_err(|why| reader.complain(1, why.field, why.reason))?;
    let class = match reader.octet("class")? {
        NO_CLASS => None,
        number @ 0..=3 => Some(Class::from_low_bits(number)),
        other => return Err(reader.complain(1, "class", format!("{other} is unknown"))),
    };
    let wishes = reader.octet("wishes")?;
    let report = ReportWish::from_number(wishes & 0x0F)
        .ok_or_else(|| reader.complain(1, "report wish", format!("{} is unknown", wishes & 15)))?;
    let priority = Priority::from_number(wishes >> 4)
        .ok_or_else(|| reader.complain(1, "priority", format!("{} is unknown", wishes >> 4)))?;
    let protocol = reader.octet("protocol identifier")?;
    let sender = take_party(reader, "sender")?;
    let recipient = take_party(reader, "recipient")?;
    let (Some(sender), Some(recipient)) = (sender, recipient) else {
        return Err(reader.complain(0, "recipient", "a message has a sender and a recipient"));
    };
    let header = reader.short_string("user data header")?;
    let length = header.len();
    let header = UserDataHeader::new(header)
        .map_err(|why| reader.complain(length, why.field, why.reason))?;
    let data = reader.long_string("text")?;
    let length = data.len();
    let body = Body::new(coding, header, data)
        .map_err(|why| reader.complain(length, why.field, why.reason))?
        .with_class(class);
    let mut message = ShortMessage::new(sender, recipient, body);
    message.report = report;
    message.priority = priority;
    message.protocol = protocol;
    while !reader.is_empty() {
        let tag = reader.octet("extension")?;
        let value = reader.long_string("extension")?;
        match tag {
            EXTENSION_VALID_UNTIL => {
                let ms = Reader::new(value).u64_le("validity")?;
                message.valid_until = Some(WallTime::from_unix_ms(ms));
            }
            EXTENSION_CARRIER => {
                let length = value.len();
                let fields = decode_carrier(Reader::new(value)).map_err(|mut inner| {
                    inner.offset += reader.offset() - length;
                    inner
                })?;
                message.carrier = Some(Box::new(fields));
            }
            _ => {}
        }
    }
    Ok(message)
}

fn decode_carrier(mut reader: Reader) -> Result<CarrierFields, Malformed> {
    let source = take_address(&mut reader, "carrier source")?;
    let destination = take_address(&mut reader, "carrier destination")?;
    let esm_class = reader.octet("esm_class")?;
    let data_coding = reader.octet("data_coding")?;
    let time_stamp = reader.short_string("time stamp")?;
    let extra = reader.long_string("carrier fields")?;
    let length = extra.len();
    let mut fields = CarrierFields::new(source, destination, time_stamp, extra)
        .map_err(|why| reader.complain(length, why.field, why.reason))?;
    fields.esm_class = esm_class;
    fields.data_coding = data_coding;
    Ok(fields)
}

fn encode_report(out: &mut Vec<u8>, report: &Report) -> Result<(), Refused> {
    out.put_u8(VERSION << 4 | KIND_REPORT);
    out.put_u8(report.state.number());
    out.put_u8(u8::from(report.error.is_some()));
    out.put_u32_le(report.error.unwrap_or_default());
    put_party(out, report.sender.as_ref());
    put_party(out, report.recipient.as_ref());
    put_short(out, report.id.octets());
    if report.done_at.len() > usize::from(u8::MAX) {
        return Err(Refused::new("done date", "is longer than 255 octets"));
    }
    put_short(out, &report.done_at);
    if report.text.len() > MAX_ITEM {
        return Err(Refused::new("report text", "is longer than a slot"));
    }
    put_long(out, &report.text);
    if let Some(news) = report.phone {
        out.put_u8(EXTENSION_PHONE);
        put_long(out, &[news.number()]);
    }
    Ok(())
}

fn decode_report(reader: &mut Reader) -> Result<Report, Malformed> {
    let state = reader.octet("report state")?;
    let state = ReportState::from_number(state)
        .ok_or_else(|| reader.complain(1, "report state", format!("{state} is unknown")))?;
    let has_error = reader.octet("report error")? != 0;
    let error = reader.u32_le("report error")?;
    let sender = take_party(reader, "sender")?;
    let recipient = take_party(reader, "recipient")?;
    let id = reader.short_string("message id")?;
    let length = id.len();
    let id = SmscId::new(id).map_err(|why| reader.complain(length, why.field, why.reason))?;
    let done_at = reader.short_string("done date")?;
    let text = reader.long_string("report text")?;
    let mut phone = None;
    while !reader.is_empty() {
        let tag = reader.octet("extension")?;
        let value = reader.long_string("extension")?;
        if tag == EXTENSION_PHONE {
            // What a newer writer may say there is nothing that this one knows.
            phone = PhoneNews::from_number(Reader::new(value).octet("phone")?);
        }
    }
    Ok(Report {
        id,
        sender,
        recipient,
        state,
        error: has_error.then_some(error),
        phone,
        done_at,
        text,
    })
}

fn put_party(out: &mut Vec<u8>, party: Option<&Party>) {
    match party {
        None => out.put_u8(PARTY_NONE),
        Some(Party::Phone(number)) => put_tagged(out, PARTY_PHONE, number.digits()),
        Some(Party::ShortCode(code)) => put_tagged(out, PARTY_SHORT_CODE, code.digits()),
        Some(Party::Name(name)) => put_tagged(out, PARTY_NAME, name.as_str()),
        Some(Party::User(name)) => put_tagged(out, PARTY_USER, name.as_str()),
        Some(Party::Carrier(address)) => {
            out.put_u8(PARTY_CARRIER);
            put_address(out, address);
        }
    }
}

fn put_tagged(out: &mut Vec<u8>, tag: u8, text: &str) {
    out.put_u8(tag);
    put_short(out, text.as_bytes());
}

fn put_address(out: &mut Vec<u8>, address: &CarrierAddress) {
    out.put_u8(address.ton);
    out.put_u8(address.npi);
    put_short(out, address.octets());
}

/// Octets of at most 255, their length in one octet before them.
fn put_short(out: &mut Vec<u8>, octets: &[u8]) {
    out.put_u8(u8::try_from(octets.len()).expect("the words' own limits keep it below 256"));
    out.put_slice(octets);
}

/// Octets of at most 65,535, their length in two octets before them.
fn put_long(out: &mut Vec<u8>, octets: &[u8]) {
    out.put_u16_le(u16::try_from(octets.len()).expect("the words' own limits keep it below 65536"));
    out.put_slice(octets);
}

fn take_address(reader: &mut Reader, field: &'static str) -> Result<CarrierAddress, Malformed> {
    let ton = reader.octet(field)?;
    let npi = reader.octet(field)?;
    let octets = reader.short_string(field)?;
    let length = octets.len();
    CarrierAddress::new(ton, npi, octets).map_err(|why| reader.complain(length, field, why.reason))
}

fn take_party(reader: &mut Reader, field: &'static str) -> Result<Option<Party>, Malformed> {
    let kind = reader.octet(field)?;
    let offset = reader.offset();
    let words = |text: Bytes, make: fn(&str) -> Result<Party, Refused>| {
        std::str::from_utf8(&text)
            .map_err(|_| Malformed::new(offset, field, "is not text"))
            .and_then(|text| {
                make(text).map_err(|why| Malformed::new(offset, field, why.to_string()))
            })
            .map(Some)
    };
    match kind {
        PARTY_NONE => Ok(None),
        PARTY_PHONE => words(reader.short_string(field)?, |text| {
            PhoneNumber::new(text).map(Party::from)
        }),
        PARTY_SHORT_CODE => words(reader.short_string(field)?, |text| {
            ShortCode::new(text).map(Party::from)
        }),
        PARTY_NAME => words(reader.short_string(field)?, |text| {
            SenderName::new(text).map(Party::from)
        }),
        PARTY_USER => words(reader.short_string(field)?, |text| {
            UserName::new(text).map(Party::from)
        }),
        PARTY_CARRIER => take_address(reader, field).map(|address| Some(Party::Carrier(address))),
        other => Err(reader.complain(1, field, format!("party kind {other} is unknown"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> ShortMessage {
        let body = Body::new(
            Coding::Gsm7,
            UserDataHeader::NONE,
            Bytes::from_static(b"Hello"),
        )
        .unwrap();
        ShortMessage::new(
            PhoneNumber::new("358401234567").unwrap().into(),
            ShortCode::new("12345").unwrap().into(),
            body,
        )
    }

    #[test]
    fn a_message_has_these_octets() {
        let octets = encode(&Item::Message(message())).unwrap();
        let expected = [
            &[0x11, 0, 0xFF, 0x10, 0][..], // version and kind, coding, no class, wishes, protocol
            &[1, 12],
            b"358401234567",
            &[2, 5],
            b"12345",
            &[0],    // no header
            &[5, 0], // text
            b"Hello",
        ]
        .concat();
        assert_eq!(octets, expected);
        assert_eq!(decode(&octets), Ok(Item::Message(message())));
    }

    #[test]
    fn every_field_comes_back() {
        let mut full = message();
        full.valid_until = Some(WallTime::from_unix_ms(1_795_248_785_123));
        full.report = ReportWish::All;
        full.priority = Priority::Urgent;
        full.protocol = 0x41;
        full.sender =
            Party::Carrier(CarrierAddress::new(5, 9, Bytes::from_static(b"caf\xe9")).unwrap());
        let mut fields = CarrierFields::new(
            CarrierAddress::default(),
            CarrierAddress::default(),
            Bytes::from_static(b"261121061342"),
            Bytes::from_static(&[2, 4, 0, 2, 0, 7]),
        )
        .unwrap();
        fields.esm_class = 0x44;
        fields.data_coding = 0xF5;
        full.carrier = Some(Box::new(fields));
        let item = Item::Message(full);
        assert_eq!(decode(&encode(&item).unwrap()), Ok(item));
        let report = Item::Report(Report {
            id: SmscId::new(Bytes::from_static(b"00ABCDEF")).unwrap(),
            sender: None,
            recipient: Some(PhoneNumber::new("358401234567").unwrap().into()),
            state: ReportState::Undeliverable,
            error: Some(29),
            phone: Some(PhoneNews::Absent),
            done_at: Bytes::from_static(b"2611211200"),
            text: Bytes::from_static(b"id:00ABCDEF stat:UNDELIV"),
        });
        assert_eq!(decode(&encode(&report).unwrap()), Ok(report));
    }

    #[test]
    fn a_report_of_an_older_writer_says_nothing_of_the_phone() {
        let report = Report {
            id: SmscId::NONE,
            sender: None,
            recipient: None,
            state: ReportState::Delivered,
            error: None,
            phone: None,
            done_at: Bytes::new(),
            text: Bytes::new(),
        };
        let old = encode(&Item::Report(report.clone())).unwrap();
        let expected = [&[0x12, 2, 0, 0, 0, 0, 0, 0, 0][..], &[0, 0], &[0, 0]].concat();
        assert_eq!(old, expected);
        assert_eq!(decode(&old), Ok(Item::Report(report.clone())));
        for (number, phone) in [(1, PhoneNews::Reached), (2, PhoneNews::Off)] {
            let new = [&expected[..], &[3, 1, 0, number]].concat();
            let said = Report {
                phone: Some(phone),
                ..report.clone()
            };
            assert_eq!(decode(&new.into()), Ok(Item::Report(said)));
        }
        let unknown = [&expected[..], &[3, 1, 0, 9]].concat();
        assert_eq!(decode(&unknown.into()), Ok(Item::Report(report)));
    }

    #[test]
    fn unknown_extensions_of_a_newer_end_are_skipped() {
        let mut octets = encode(&Item::Message(message())).unwrap().to_vec();
        octets.extend_from_slice(&[0x7F, 3, 0, 1, 2, 3]);
        assert_eq!(decode(&octets.into()), Ok(Item::Message(message())));
    }

    #[test]
    fn each_prefix_and_each_flipped_bit_is_a_value_or_malformed() {
        let octets = encode(&Item::Message(message())).unwrap();
        for end in 0..octets.len() {
            assert!(decode(&octets.slice(..end)).is_err(), "prefix of {end}");
        }
        for bit in 0..octets.len() * 8 {
            let mut flipped = octets.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _value_or_malformed = decode(&flipped.into());
        }
    }

    #[test]
    fn malformed_names_octet_and_field() {
        let mut octets = encode(&Item::Message(message())).unwrap().to_vec();
        octets[1] = 5;
        let why = decode(&octets.into()).unwrap_err();
        assert_eq!((why.offset, why.field), (1, "coding"));
    }
}
