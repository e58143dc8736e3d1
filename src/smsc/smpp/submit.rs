//! A message as submit_sm.

use std::time::Duration;

use crate::codec::smpp::{COctets, ESM_UDHI, Message, ShortText, Tag, Time, TlvList};
use crate::message::{Priority, Refused, ReportWish, ShortMessage};

use super::config::Config;
use super::options::{ConcatForm, Oversize};
use super::party::{self, Role};
use super::text;

/// registered_delivery (5.2.17) of a wish.
const fn registered_delivery(wish: ReportWish) -> u8 {
    match wish {
        ReportWish::None => 0x00,
        ReportWish::Failure => 0x02,
        ReportWish::Final => 0x01,
        ReportWish::All => 0x11,
    }
}

const fn priority_flag(config: &Config, priority: Priority) -> u8 {
    config.priorities[priority.number() as usize]
}

/// Writes a message for a carrier; `tlvs` tells whether its SMSC takes TLVs.
pub(super) fn write(
    config: &Config,
    tlvs: bool,
    message: &ShortMessage,
    validity: Option<Duration>,
) -> Result<Message, Refused> {
    let body = &message.body;
    let written = text::write(config, body)?;
    let mut header = body.header().octets().clone();
    let mut list = if tlvs {
        config.extra()?
    } else {
        TlvList::new()
    };
    if config.concat == ConcatForm::Sar
        && tlvs
        && body.header().elements().count() == 1
        && let Some(concat) = body.header().as_concat()
    {
        list.u16(Tag::SAR_MSG_REF_NUM, concat.reference);
        list.octet(Tag::SAR_TOTAL_SEGMENTS, concat.total);
        list.octet(Tag::SAR_SEGMENT_SEQNUM, concat.part);
        header.clear();
    }
    let esm_class = if header.is_empty() { 0 } else { ESM_UDHI };
    let octets = if header.is_empty() {
        written.octets
    } else {
        [&header[..], &written.octets].concat().into()
    };
    let short_message = if written.fits {
        ShortText::new(octets)?
    } else if config.oversize == Oversize::Refuse {
        return Err(Refused::new(
            "text",
            "is longer than one SMS carries; cut it into parts",
        ));
    } else if !tlvs {
        return Err(Refused::new(
            "text",
            "is longer than one SMS carries, and the SMSC takes no message_payload",
        ));
    } else {
        list.octets(Tag::MESSAGE_PAYLOAD, &octets)?;
        ShortText::default()
    };
    let validity_period = match validity {
        Some(validity) if config.send_validity => Time::relative(validity.min(config.max_validity)),
        _ => Time::NONE,
    };
    Ok(Message {
        service_type: COctets::new("service_type", config.service_type.as_bytes())?,
        source: party::write(config, Role::Sender, &message.sender)?,
        destination: party::write(config, Role::Recipient, &message.recipient)?,
        esm_class,
        protocol_id: message.protocol,
        priority_flag: priority_flag(config, message.priority),
        schedule_delivery_time: Time::NONE,
        validity_period,
        registered_delivery: registered_delivery(message.report),
        replace_if_present_flag: 0,
        data_coding: written.data_coding,
        sm_default_msg_id: 0,
        short_message,
        tlvs: list,
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::codec::smpp::Tlvs;
    use crate::message::{Body, Coding, Concat, PhoneNumber, ShortCode, UserDataHeader};

    fn message(coding: Coding, header: UserDataHeader, data: Vec<u8>) -> ShortMessage {
        ShortMessage::new(
            ShortCode::new("12345").unwrap().into(),
            PhoneNumber::new("358401234567").unwrap().into(),
            Body::new(coding, header, data.into()).unwrap(),
        )
    }

    fn part() -> UserDataHeader {
        UserDataHeader::concat(Concat {
            reference: 0xAA,
            wide: false,
            total: 2,
            part: 1,
        })
    }

    #[test]
    fn wishes_are_said() {
        let mut urgent = message(Coding::Gsm7, UserDataHeader::NONE, b"Hello".to_vec());
        urgent.priority = Priority::Urgent;
        urgent.report = ReportWish::All;
        urgent.protocol = 0x41;
        let config = Config {
            service_type: "CMT".into(),
            max_validity: Duration::from_secs(3600),
            ..Config::default()
        };
        let pdu = write(&config, true, &urgent, Some(Duration::from_secs(7200))).unwrap();
        assert_eq!(
            (pdu.priority_flag, pdu.registered_delivery, pdu.protocol_id),
            (3, 0x11, 0x41)
        );
        assert_eq!(pdu.validity_period.octets(), b"000000010000000R");
        assert_eq!(pdu.service_type.as_slice(), b"CMT");
        assert_eq!(
            (pdu.esm_class, &pdu.short_message.octets()[..]),
            (0, &b"Hello"[..])
        );
        let silent = Config {
            send_validity: false,
            ..config
        };
        let pdu = write(&silent, true, &urgent, Some(Duration::from_secs(7200))).unwrap();
        assert_eq!(pdu.validity_period, Time::NONE);
    }

    #[test]
    fn parts_go_by_header_or_by_tlvs() {
        let first = message(Coding::Gsm7, part(), b"Hello".to_vec());
        let pdu = write(&Config::default(), true, &first, None).unwrap();
        assert_eq!(pdu.esm_class, 0x40);
        assert_eq!(
            pdu.short_message.octets()[..],
            b"\x05\x00\x03\xAA\x02\x01Hello"[..]
        );
        let sar = Config {
            concat: ConcatForm::Sar,
            ..Config::default()
        };
        let pdu = write(&sar, true, &first, None).unwrap();
        assert_eq!(
            (pdu.esm_class, &pdu.short_message.octets()[..]),
            (0, &b"Hello"[..])
        );
        let tlvs: Tlvs<'_> = pdu.tlvs.as_tlvs();
        assert_eq!(tlvs.u16(Tag::SAR_MSG_REF_NUM), Some(0xAA));
        assert_eq!(tlvs.octet(Tag::SAR_TOTAL_SEGMENTS), Some(2));
        assert_eq!(tlvs.octet(Tag::SAR_SEGMENT_SEQNUM), Some(1));
        // The SMSC takes no TLVs, or the header says more than that: by header.
        assert_eq!(write(&sar, false, &first, None).unwrap().esm_class, 0x40);
        let ports =
            UserDataHeader::new(vec![11, 0, 3, 1, 2, 1, 5, 4, 0x15, 0x82, 0, 0].into()).unwrap();
        let both = message(Coding::Octets, ports, vec![1]);
        assert_eq!(write(&sar, true, &both, None).unwrap().esm_class, 0x40);
    }

    #[test]
    fn what_one_sms_cannot_carry_goes_as_payload_or_not_at_all() {
        let long = message(Coding::Ucs2, UserDataHeader::NONE, vec![0x04; 320]);
        let pdu = write(&Config::default(), true, &long, None).unwrap();
        assert!(pdu.short_message.octets().is_empty());
        assert_eq!(
            pdu.tlvs.as_tlvs().find(Tag::MESSAGE_PAYLOAD),
            Some(&[0x04; 320][..])
        );
        assert!(write(&Config::default(), false, &long, None).is_err());
        let refuse = Config {
            oversize: Oversize::Refuse,
            ..Config::default()
        };
        assert_eq!(write(&refuse, true, &long, None).unwrap_err().field, "text");
    }

    #[test]
    fn the_longest_texts_fit_short_message() {
        for length in 0..=160 {
            let text = message(Coding::Gsm7, UserDataHeader::NONE, vec![b'a'; length]);
            assert_eq!(
                write(&Config::default(), true, &text, None)
                    .unwrap()
                    .short_message
                    .octets()
                    .len(),
                length
            );
        }
        let octets = message(Coding::Octets, part(), Bytes::from(vec![1; 134]).into());
        assert_eq!(
            write(&Config::default(), true, &octets, None)
                .unwrap()
                .short_message
                .octets()
                .len(),
            140
        );
    }

    #[test]
    fn a_carriers_own_tlvs_go_with_every_submit() {
        let config: Config =
            toml::from_str("extra_tlvs = [{ tag = 0x1400, text = '1101' }]").unwrap();
        let text = message(Coding::Gsm7, UserDataHeader::NONE, b"Hi".to_vec());
        let pdu = write(&config, true, &text, None).unwrap();
        assert_eq!(pdu.tlvs.as_tlvs().c_octets(Tag(0x1400)), Some(&b"1101"[..]));
        assert!(
            write(&config, false, &text, None)
                .unwrap()
                .tlvs
                .as_tlvs()
                .octets()
                .is_empty()
        );
    }
}
