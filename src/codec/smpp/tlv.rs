//! TLVs (5.3): tag, length, value, after the mandatory fields, in any order.

use std::fmt;

use bytes::BufMut;

use super::field::{Cursor, Field, Sketch, take_rest};
use super::numbered::numbered;
use crate::codec::Malformed;
use crate::message::Refused;

numbered! {
    /// Which TLV it is.
    Tag(u16, 6) {
        /// Which part of the phone it is for.
        DEST_ADDR_SUBUNIT = 0x0005 "dest_addr_subunit",
        /// How long the message may live, in seconds.
        QOS_TIME_TO_LIVE = 0x0017 "qos_time_to_live",
        /// What the payload is.
        PAYLOAD_TYPE = 0x0019 "payload_type",
        /// More about a status, in words.
        ADDITIONAL_STATUS_INFO_TEXT = 0x001D "additional_status_info_text",
        /// Which message a receipt is about.
        RECEIPTED_MESSAGE_ID = 0x001E "receipted_message_id",
        /// Whether the phone shall show that a message waits.
        MS_MSG_WAIT_FACILITIES = 0x0030 "ms_msg_wait_facilities",
        /// How private the message is.
        PRIVACY_INDICATOR = 0x0201 "privacy_indicator",
        /// Subaddress of the sender.
        SOURCE_SUBADDRESS = 0x0202 "source_subaddress",
        /// Subaddress of the recipient.
        DEST_SUBADDRESS = 0x0203 "dest_subaddress",
        /// The sender's own number for the message.
        USER_MESSAGE_REFERENCE = 0x0204 "user_message_reference",
        /// Application port of the sender.
        SOURCE_PORT = 0x020A "source_port",
        /// Application port of the recipient.
        DESTINATION_PORT = 0x020B "destination_port",
        /// Common to the parts of a long message.
        SAR_MSG_REF_NUM = 0x020C "sar_msg_ref_num",
        /// Which language the text is in.
        LANGUAGE_INDICATOR = 0x020D "language_indicator",
        /// How many parts a long message has.
        SAR_TOTAL_SEGMENTS = 0x020E "sar_total_segments",
        /// Which part this is.
        SAR_SEGMENT_SEQNUM = 0x020F "sar_segment_seqnum",
        /// Which version the SMSC speaks.
        SC_INTERFACE_VERSION = 0x0210 "sc_interface_version",
        /// A number to call back.
        CALLBACK_NUM = 0x0381 "callback_num",
        /// Whether the phone can be reached.
        MS_AVAILABILITY_STATUS = 0x0422 "ms_availability_status",
        /// The network's own reason.
        NETWORK_ERROR_CODE = 0x0423 "network_error_code",
        /// The text, in place of short_message.
        MESSAGE_PAYLOAD = 0x0424 "message_payload",
        /// Why delivery failed.
        DELIVERY_FAILURE_REASON = 0x0425 "delivery_failure_reason",
        /// Whether more follow for the same recipient.
        MORE_MESSAGES_TO_SEND = 0x0426 "more_messages_to_send",
        /// How far a message has come.
        MESSAGE_STATE = 0x0427 "message_state",
        /// v5: how busy the SMSC is, in hundredths.
        CONGESTION_STATE = 0x0428 "congestion_state",
        /// Operation of a USSD dialogue.
        USSD_SERVICE_OP = 0x0501 "ussd_service_op",
    }
}

/// One TLV, its value as received.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// Which one.
    pub tag: Tag,
    /// Its octets, of any length.
    pub value: &'a [u8],
}

impl fmt::Debug for Tlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} of {} octets>", self.tag, self.value.len())
    }
}

/// What stands after the mandatory fields: TLVs, as far as they are such.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Tlvs<'a>(&'a [u8]);

impl<'a> Tlvs<'a> {
    /// From octets that are believed to be TLVs.
    pub const fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// The octets as received.
    pub const fn octets(&self) -> &'a [u8] {
        self.0
    }

    /// Each in turn, up to the end or the first that overruns it.
    pub const fn iter(&self) -> TlvIter<'a> {
        TlvIter { rest: self.0 }
    }

    /// How many octets at the end belong to no TLV.
    pub fn ignored(&self) -> usize {
        let mut tlvs = self.iter();
        while tlvs.next().is_some() {}
        tlvs.rest.len()
    }

    /// The value of the first with this tag.
    pub fn find(&self, tag: Tag) -> Option<&'a [u8]> {
        self.iter().find(|tlv| tlv.tag == tag).map(|tlv| tlv.value)
    }

    /// The value as one octet; `None` also when it has another length.
    pub fn octet(&self, tag: Tag) -> Option<u8> {
        match self.find(tag) {
            Some(&[value]) => Some(value),
            _ => None,
        }
    }

    /// The value as two octets; `None` also when it has another length.
    pub fn u16(&self, tag: Tag) -> Option<u16> {
        match self.find(tag) {
            Some(&[high, low]) => Some(u16::from_be_bytes([high, low])),
            _ => None,
        }
    }

    /// The value up to its NUL, or all of it where the NUL was forgotten.
    pub fn c_octets(&self, tag: Tag) -> Option<&'a [u8]> {
        self.find(tag)
            .map(|value| value.split(|&octet| octet == 0).next().unwrap_or_default())
    }
}

impl<'a> IntoIterator for Tlvs<'a> {
    type Item = Tlv<'a>;
    type IntoIter = TlvIter<'a>;
    fn into_iter(self) -> TlvIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Tlvs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Goes through TLVs.
#[derive(Clone, Debug)]
pub struct TlvIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for TlvIter<'a> {
    type Item = Tlv<'a>;
    fn next(&mut self) -> Option<Tlv<'a>> {
        let (&[tag_high, tag_low, length_high, length_low], after) =
            self.rest.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes([length_high, length_low]));
        let value = after.get(..length)?;
        self.rest = &after[length..];
        Some(Tlv {
            tag: Tag(u16::from_be_bytes([tag_high, tag_low])),
            value,
        })
    }
}

/// TLVs to be sent, in their order.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct TlvList(Vec<u8>);

impl TlvList {
    /// None.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds one of one octet.
    pub fn octet(&mut self, tag: Tag, value: u8) {
        self.put(tag, &[value], 1);
    }

    /// Adds one of two octets.
    pub fn u16(&mut self, tag: Tag, value: u16) {
        self.put(tag, &value.to_be_bytes(), 2);
    }

    /// Adds one of four octets.
    pub fn u32(&mut self, tag: Tag, value: u32) {
        self.put(tag, &value.to_be_bytes(), 4);
    }

    /// Adds one of any octets.
    pub fn octets(&mut self, tag: Tag, value: &[u8]) -> Result<(), Refused> {
        let length = u16::try_from(value.len()).map_err(|_| {
            Refused::new(
                "TLV",
                format!("{tag} has {} octets; 65535 are allowed", value.len()),
            )
        })?;
        self.put(tag, value, length);
        Ok(())
    }

    /// Adds one that ends in NUL.
    pub fn c_octets(&mut self, tag: Tag, value: &[u8]) -> Result<(), Refused> {
        if value.contains(&0) {
            return Err(Refused::new(
                "TLV",
                format!("{tag} holds a NUL, which would end it"),
            ));
        }
        self.octets(tag, &[value, b"\0"].concat())
    }

    /// Those that are given, as received.
    pub fn extend(&mut self, tlvs: Tlvs<'_>) {
        let whole = tlvs.octets().len() - tlvs.ignored();
        self.0.put_slice(&tlvs.octets()[..whole]);
    }

    fn put(&mut self, tag: Tag, value: &[u8], length: u16) {
        self.0.put_u16(tag.0);
        self.0.put_u16(length);
        self.0.put_slice(value);
    }

    /// For reading.
    pub fn as_tlvs(&self) -> Tlvs<'_> {
        Tlvs(&self.0)
    }
}

impl fmt::Debug for TlvList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_tlvs().fmt(f)
    }
}

impl Field for TlvList {
    type Raw<'a> = Tlvs<'a>;
    fn raw(&self) -> Tlvs<'_> {
        self.as_tlvs()
    }
    fn take<'a>(from: &mut Cursor<'a>, _field: &'static str) -> Result<Tlvs<'a>, Malformed> {
        Ok(Tlvs(take_rest(from)))
    }
    fn put(raw: Tlvs<'_>, out: &mut Vec<u8>) {
        out.put_slice(raw.octets());
    }
    fn sketch(raw: Tlvs<'_>) -> Sketch {
        Sketch::Octets(raw.octets().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overruns_ends_the_tlvs_and_is_counted() {
        // user_message_reference, an unknown one, one that says 9 octets and has 1.
        let octets = b"\x02\x04 \x00\x02 \x00\x07  \x14\x01 \x00\x00  \x04\x27 \x00\x09 \x02";
        let octets: Vec<u8> = octets
            .iter()
            .copied()
            .filter(|&octet| octet != b' ')
            .collect();
        let tlvs = Tlvs::new(&octets);
        assert_eq!(tlvs.iter().count(), 2);
        assert_eq!(tlvs.ignored(), 5);
        assert_eq!(tlvs.u16(Tag::USER_MESSAGE_REFERENCE), Some(7));
        assert_eq!(
            tlvs.octet(Tag::USER_MESSAGE_REFERENCE),
            None,
            "another length"
        );
        assert_eq!(tlvs.find(Tag(0x1401)), Some(&b""[..]));
        assert_eq!(tlvs.octet(Tag::MESSAGE_STATE), None);
    }

    #[test]
    fn a_list_is_read_back_as_it_was_made() {
        let mut list = TlvList::new();
        list.octet(Tag::MESSAGE_STATE, 2);
        list.u16(Tag::SAR_MSG_REF_NUM, 0x0102);
        list.u32(Tag::QOS_TIME_TO_LIVE, 3600);
        list.c_octets(Tag::RECEIPTED_MESSAGE_ID, b"A1").unwrap();
        assert!(list.c_octets(Tag::RECEIPTED_MESSAGE_ID, b"A\0B").is_err());
        assert!(list.octets(Tag::MESSAGE_PAYLOAD, &vec![0; 65_536]).is_err());
        let tlvs = list.as_tlvs();
        assert_eq!(tlvs.octet(Tag::MESSAGE_STATE), Some(2));
        assert_eq!(tlvs.u16(Tag::SAR_MSG_REF_NUM), Some(0x0102));
        assert_eq!(tlvs.find(Tag::QOS_TIME_TO_LIVE), Some(&[0, 0, 14, 16][..]));
        assert_eq!(tlvs.c_octets(Tag::RECEIPTED_MESSAGE_ID), Some(&b"A1"[..]));
        assert_eq!(tlvs.ignored(), 0);
    }
}
