//! Parties between this product's words and CIMD2's addresses.

use bytes::Bytes;

use super::config::Config;
use crate::codec::cimd2::{Address, Originator, Printable};
use crate::message::{
    CarrierAddress, MAX_CARRIER_ADDRESS, Party, PhoneNumber, Refused, SenderName, ShortCode,
};
use crate::smsc::numbering::{MOST_OF_SHORT_CODE, national};

/// A received address as written; what is longer than any protocol allows is cut.
pub(super) fn raw(octets: &[u8]) -> CarrierAddress {
    let octets = &octets[..octets.len().min(MAX_CARRIER_ADDRESS)];
    CarrierAddress::new(0, 0, Bytes::copy_from_slice(octets))
        .expect("it was cut to what is allowed")
}

/// Whom a received address means. What fits no word is kept as it is.
pub(super) fn read(config: &Config, octets: &[u8]) -> Party {
    std::str::from_utf8(octets)
        .ok()
        .and_then(|written| known(config, written))
        .unwrap_or_else(|| Party::Carrier(raw(octets)))
}

fn known(config: &Config, written: &str) -> Option<Party> {
    let phone = |digits: &str| PhoneNumber::new(digits).ok().map(Party::from);
    if let Some(digits) = written.strip_prefix('+') {
        return phone(digits);
    }
    if !written.bytes().all(|octet| octet.is_ascii_digit()) {
        return SenderName::new(written).ok().map(Party::from);
    }
    if written.len() <= MOST_OF_SHORT_CODE {
        return ShortCode::new(written).ok().map(Party::from);
    }
    match written.strip_prefix("00") {
        Some(digits) => phone(digits),
        None => phone(written).or_else(|| national(config.country_code.as_deref(), written)),
    }
}

/// The digits of a number, as far as the party has one.
fn digits<'a>(field: &'static str, party: &'a Party) -> Result<&'a str, Refused> {
    match party {
        Party::Phone(number) => Ok(number.digits()),
        Party::ShortCode(code) => Ok(code.digits()),
        Party::Carrier(address) => std::str::from_utf8(address.octets())
            .map_err(|_| Refused::new(field, "is an address that is no text")),
        Party::Name(_) | Party::User(_) => Err(Refused::new(
            field,
            format!("is a {}; a number is needed", party.kind()),
        )),
    }
}

fn address(field: &'static str, written: &str) -> Result<Address, Refused> {
    Address::new(written.as_bytes()).map_err(|why| Refused::new(field, why.reason))
}

/// The address of whom a message is for.
pub(super) fn destination(config: &Config, party: &Party) -> Result<Address, Refused> {
    let field = "recipient";
    let digits = digits(field, party)?;
    match party {
        Party::Phone(_) => address(field, &format!("{}{digits}", config.international_prefix)),
        _ => address(field, digits),
    }
}

/// How a sender is shown: as a number behind the account's own address, which the SMSC puts before it; as a text; or
/// not at all, which shows the account's address alone.
pub(super) fn originator(config: &Config, party: &Party) -> Result<Option<Originator>, Refused> {
    let field = "sender";
    if !config.send_originator {
        return Ok(None);
    }
    if let Party::Name(name) = party {
        let name = Printable::new(field, name.as_str())?;
        return Ok(Some(Originator::Name(name)));
    }
    let digits = digits(field, party)?;
    let account = config.account_address.trim_start_matches('+');
    match digits.trim_start_matches('+').strip_prefix(account) {
        _ if account.is_empty() => {}
        Some("") => return Ok(None),
        Some(rest) => return address(field, rest).map(|rest| Some(Originator::Address(rest))),
        None => {}
    }
    address(field, digits).map(|address| Some(Originator::Address(address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(digits: &str) -> Party {
        PhoneNumber::new(digits).unwrap().into()
    }

    fn code(digits: &str) -> Party {
        ShortCode::new(digits).unwrap().into()
    }

    fn name(text: &str) -> Party {
        SenderName::new(text).unwrap().into()
    }

    #[test]
    fn addresses_are_read_as_what_they_look_like() {
        let config = Config {
            country_code: Some("358".into()),
            ..Config::default()
        };
        for (written, party) in [
            ("+358501234567", phone("358501234567")),
            ("00358501234567", phone("358501234567")),
            ("358501234567", phone("358501234567")),
            ("0501234567", phone("358501234567")),
            ("12345", code("12345")),
            ("12345678", code("12345678")),
            ("Sluice", name("Sluice")),
        ] {
            assert_eq!(read(&config, written.as_bytes()), party, "{written}");
        }
        for odd in ["", "+12", "+35850x", "0501234567890123", "caf\u{e9}"] {
            let party = read(&config, odd.as_bytes());
            assert_eq!(party, Party::Carrier(raw(odd.as_bytes())), "{odd}");
        }
        let abroad = read(&Config::default(), b"0501234567");
        assert_eq!(abroad, Party::Carrier(raw(b"0501234567")));
        let long = read(&config, &[b'1'; 100]);
        assert_eq!(long, Party::Carrier(raw(&[b'1'; 64])));
    }

    #[test]
    fn destinations_are_written_as_the_smsc_wants_them() {
        let written = |config: &Config, party: &Party| {
            let address = destination(config, party).unwrap();
            String::from_utf8(address.octets().to_vec()).unwrap()
        };
        let usual = Config::default();
        assert_eq!(written(&usual, &phone("358501234567")), "+358501234567");
        assert_eq!(written(&usual, &code("12345")), "12345");
        let plain = Config {
            international_prefix: "00".into(),
            ..Config::default()
        };
        assert_eq!(written(&plain, &phone("358501234567")), "00358501234567");
        let raw = Party::Carrier(raw(b"0501234567"));
        assert_eq!(written(&usual, &raw), "0501234567");
        let refused = destination(&usual, &name("Sluice")).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "recipient: is a name; a number is needed"
        );
    }

    #[test]
    fn a_sender_is_a_subaddress_of_the_account_a_text_or_nothing() {
        let shown = |config: &Config, party: &Party| match originator(config, party).unwrap() {
            None => "-".into(),
            Some(Originator::Name(name)) => format!("027:{}", name.as_str()),
            Some(Originator::Address(address)) => {
                format!("023:{}", String::from_utf8_lossy(address.octets()))
            }
        };
        let usual = Config::default();
        assert_eq!(shown(&usual, &code("12345")), "023:12345");
        assert_eq!(shown(&usual, &phone("358501234567")), "023:358501234567");
        assert_eq!(shown(&usual, &name("Sluice")), "027:Sluice");
        let account = Config {
            account_address: "400".into(),
            ..Config::default()
        };
        assert_eq!(shown(&account, &code("400600")), "023:600");
        assert_eq!(shown(&account, &code("400")), "-");
        assert_eq!(shown(&account, &code("500")), "023:500");
        let silent = Config {
            send_originator: false,
            ..Config::default()
        };
        assert_eq!(shown(&silent, &code("12345")), "-");
        assert!(originator(&usual, &name(" blank")).is_err());
    }
}
