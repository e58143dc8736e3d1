//! Texts between a carrier's alphabets and the codings of this product.
//!
//! What comes in becomes septets, UTF-16 or octets, without loss: an alphabet that is neither goes through Unicode,
//! and what fits no alphabet stays octets. What goes out becomes what the carrier takes for its default alphabet.

use bytes::Bytes;

use crate::codec::smpp::{Alphabet, DataCoding, TextForm};
use crate::message::{Body, Coding, MAX_CHARACTERS, Refused, UserDataHeader};
use crate::text::septets::{self, Fill};
use crate::text::{gsm, room_behind, ucs2};

use super::config::Config;
use super::options::Unmappable;

/// A received text.
pub(super) struct Incoming {
    pub(super) coding: Coding,
    pub(super) data: Bytes,
    /// What was odd about it.
    pub(super) odd: Option<&'static str>,
}

/// Reads a text behind its header.
pub(super) fn read(form: TextForm, octets: &[u8], header: &UserDataHeader) -> Incoming {
    let plain = |coding, odd| Incoming {
        coding,
        data: Bytes::copy_from_slice(octets),
        odd,
    };
    match form {
        TextForm::Gsm7 if octets.iter().all(u8::is_ascii) => plain(Coding::Gsm7, None),
        TextForm::Gsm7 => latin1(
            octets,
            Some("a GSM text holds octets over 0x7F; it was read as Latin-1"),
        ),
        TextForm::Gsm7Packed => {
            let fill = Fill::behind_header(header);
            let count = septets::likely_count(octets, fill);
            match septets::unpack(octets, count, fill) {
                Ok(data) => Incoming {
                    coding: Coding::Gsm7,
                    data,
                    odd: None,
                },
                Err(_) => plain(
                    Coding::Octets,
                    Some("a packed text has stray octets; it was kept as data"),
                ),
            }
        }
        TextForm::Latin1 => latin1(octets, None),
        TextForm::Ascii if octets.is_ascii() => latin1(octets, None),
        TextForm::Ascii => latin1(
            octets,
            Some("an ASCII text holds octets over 0x7F; it was read as Latin-1"),
        ),
        TextForm::Ucs2 if octets.len().is_multiple_of(2) => plain(Coding::Ucs2, None),
        TextForm::Ucs2 => plain(
            Coding::Octets,
            Some("a UCS-2 text ends within a unit; it was kept as data"),
        ),
        TextForm::Octets => plain(Coding::Octets, None),
    }
}

/// One octet is one character, so both ways without loss. Septets if the alphabet has all of it, unless the escapes
/// would make two messages of one.
fn latin1(octets: &[u8], odd: Option<&'static str>) -> Incoming {
    let text: String = octets.iter().map(|&octet| char::from(octet)).collect();
    let septets = gsm::encode(&text)
        .ok()
        .filter(|septets| septets.len() <= MAX_CHARACTERS || octets.len() > MAX_CHARACTERS);
    let (coding, data) = match septets {
        Some(septets) => (Coding::Gsm7, septets),
        None => (Coding::Ucs2, ucs2::encode(&text)),
    };
    Incoming { coding, data, odd }
}

/// A text as it is submitted.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// The text without its header.
    pub(super) octets: Bytes,
    pub(super) data_coding: u8,
    /// Whether one SMS carries it, header included.
    pub(super) fits: bool,
}

/// Writes a body's text in what the carrier takes.
pub(super) fn write(config: &Config, body: &Body) -> Result<Outgoing, Refused> {
    let data_coding = |coding| DataCoding::write(coding, body.class(), config.submit_data_coding);
    let same = |octets: Bytes| Outgoing {
        octets,
        data_coding: data_coding(body.coding()),
        fits: body.fits_one_part(),
    };
    if body.coding() != Coding::Gsm7 {
        return Ok(same(body.data().clone()));
    }
    // With a class, data_coding itself says GSM, whatever the default alphabet is.
    let alphabet = match (config.submit_alphabet, body.class()) {
        (Alphabet::Latin1 | Alphabet::Ascii, Some(_)) => Alphabet::Gsm7,
        (alphabet, _) => alphabet,
    };
    let most = match alphabet {
        Alphabet::Gsm7 => return Ok(same(body.data().clone())),
        Alphabet::Gsm7Packed => {
            return Ok(same(septets::pack(
                body.data(),
                Fill::behind_header(body.header()),
            )));
        }
        Alphabet::Latin1 => '\u{FF}',
        Alphabet::Ascii => '\u{7F}',
    };
    let text = gsm::decode(body.data());
    if text.chars().all(|character| character <= most) {
        let octets: Vec<u8> = text
            .chars()
            .filter_map(|character| u8::try_from(character).ok())
            .collect();
        return Ok(same(octets.into()));
    }
    match config.unmappable {
        Unmappable::Refuse => Err(Refused::new(
            "text",
            "has characters that the SMSC's alphabet does not have",
        )),
        Unmappable::Ucs2 => {
            let octets = ucs2::encode(&text);
            let room = room_behind(Coding::Ucs2, body.header().octets().len());
            Ok(Outgoing {
                fits: octets.len() / 2 <= room,
                octets,
                data_coding: data_coding(Coding::Ucs2),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Class, Concat};

    fn incoming(form: TextForm, octets: &[u8]) -> (Coding, Vec<u8>, bool) {
        let text = read(form, octets, &UserDataHeader::NONE);
        (text.coding, text.data.to_vec(), text.odd.is_some())
    }

    #[test]
    fn received_texts_lose_nothing() {
        assert_eq!(
            incoming(TextForm::Gsm7, b"\0hi"),
            (Coding::Gsm7, b"\0hi".to_vec(), false)
        );
        assert_eq!(
            incoming(TextForm::Gsm7, b"caf\xE9"),
            (Coding::Gsm7, b"caf\x05".to_vec(), true)
        );
        assert_eq!(
            incoming(TextForm::Latin1, b"@_\xA3"),
            (Coding::Gsm7, vec![0x00, 0x11, 0x01], false)
        );
        assert_eq!(
            incoming(TextForm::Latin1, b"\xA9"),
            (Coding::Ucs2, vec![0, 0xA9], false)
        );
        assert_eq!(
            incoming(TextForm::Ascii, b"{"),
            (Coding::Gsm7, vec![0x1B, 0x28], false)
        );
        assert!(incoming(TextForm::Ascii, b"\xE9").2);
        assert_eq!(
            incoming(TextForm::Ucs2, b"\x04\x10"),
            (Coding::Ucs2, vec![4, 0x10], false)
        );
        assert_eq!(
            incoming(TextForm::Ucs2, b"\x04"),
            (Coding::Octets, vec![4], true)
        );
        assert_eq!(
            incoming(TextForm::Gsm7Packed, &[0xE8, 0x32, 0x9B, 0xFD, 0x06]).1,
            b"hello"
        );
        assert_eq!(
            incoming(TextForm::Octets, b"\xFF"),
            (Coding::Octets, vec![0xFF], false)
        );
    }

    #[test]
    fn escapes_do_not_make_two_messages_of_one() {
        let (coding, data, _) = incoming(TextForm::Latin1, "{".repeat(160).as_bytes());
        assert_eq!((coding, data.len()), (Coding::Ucs2, 320));
        let (coding, data, _) = incoming(TextForm::Latin1, "{".repeat(161).as_bytes());
        assert_eq!((coding, data.len()), (Coding::Gsm7, 322));
    }

    fn body(septets: &'static [u8]) -> Body {
        Body::new(
            Coding::Gsm7,
            UserDataHeader::NONE,
            Bytes::from_static(septets),
        )
        .unwrap()
    }

    #[test]
    fn submitted_texts_are_in_the_carriers_alphabet() {
        let written = |alphabet, septets| {
            let config = Config {
                submit_alphabet: alphabet,
                ..Config::default()
            };
            let text = write(&config, &body(septets)).unwrap();
            (text.octets.to_vec(), text.data_coding)
        };
        assert_eq!(written(Alphabet::Gsm7, b"\x00\x05"), (vec![0, 5], 0));
        assert_eq!(
            written(Alphabet::Latin1, b"\x00\x05"),
            (b"@\xE9".to_vec(), 0)
        );
        assert_eq!(written(Alphabet::Ascii, b"\x00"), (b"@".to_vec(), 0));
        assert_eq!(
            written(Alphabet::Ascii, b"\x05"),
            (vec![0, 0xE9], 8),
            "é is not ASCII"
        );
        assert_eq!(
            written(Alphabet::Latin1, b"\x1B\x65"),
            (vec![0x20, 0xAC], 8),
            "the euro is not Latin-1"
        );
        assert_eq!(
            written(Alphabet::Gsm7Packed, b"hello"),
            (vec![0xE8, 0x32, 0x9B, 0xFD, 0x06], 0)
        );
        let refuse = Config {
            submit_alphabet: Alphabet::Ascii,
            unmappable: Unmappable::Refuse,
            ..Config::default()
        };
        assert_eq!(write(&refuse, &body(b"\x05")).unwrap_err().field, "text");
    }

    #[test]
    fn a_class_is_said_in_the_gsm_alphabet() {
        let config = Config {
            submit_alphabet: Alphabet::Latin1,
            ..Config::default()
        };
        let flash = body(b"\x05").with_class(Some(Class::Flash));
        let text = write(&config, &flash).unwrap();
        assert_eq!((&text.octets[..], text.data_coding), (&[5][..], 0xF0));
    }

    #[test]
    fn packed_text_stands_at_a_border_of_septets_behind_a_header() {
        let config = Config {
            submit_alphabet: Alphabet::Gsm7Packed,
            ..Config::default()
        };
        let header = UserDataHeader::concat(Concat {
            reference: 1,
            wide: false,
            total: 2,
            part: 1,
        });
        let part = Body::new(Coding::Gsm7, header.clone(), Bytes::from_static(b"a")).unwrap();
        let text = write(&config, &part).unwrap();
        assert_eq!(text.octets[..], [0xC2]);
        assert_eq!(read(TextForm::Gsm7Packed, &text.octets, &header).data, "a");
    }

    #[test]
    fn what_one_sms_cannot_carry_is_told() {
        let ucs2 = Body::new(Coding::Ucs2, UserDataHeader::NONE, vec![0; 142].into()).unwrap();
        assert!(!write(&Config::default(), &ucs2).unwrap().fits);
        let config = Config {
            submit_alphabet: Alphabet::Ascii,
            ..Config::default()
        };
        let long = Body::new(Coding::Gsm7, UserDataHeader::NONE, vec![5; 71].into()).unwrap();
        assert!(
            !write(&config, &long).unwrap().fits,
            "71 characters in UCS-2"
        );
    }
}
