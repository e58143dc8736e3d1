//! Parties between this product's words and a carrier's addresses.

use bytes::Bytes;

use crate::codec::smpp::{AddressView, SmAddress};
use crate::message::{
    CarrierAddress, MAX_CARRIER_ADDRESS, Party, PhoneNumber, Refused, SenderName, ShortCode,
};
use crate::smsc::numbering::{MOST_OF_SHORT_CODE, national};

use super::config::Config;
use super::options::Numbering;

/// Type of number (5.2.5): international.
const INTERNATIONAL: u8 = 1;
/// National.
const NATIONAL: u8 = 2;
/// Alphanumeric.
const ALPHANUMERIC: u8 = 5;
/// A number of the country that was dialled; also says nothing.
const UNKNOWN: u8 = 0;

/// A received address as written; what is longer than any specification allows is cut.
pub(super) fn raw(address: AddressView<'_>) -> CarrierAddress {
    let octets = &address.octets[..address.octets.len().min(MAX_CARRIER_ADDRESS)];
    CarrierAddress::new(address.ton, address.npi, Bytes::copy_from_slice(octets))
        .expect("it was cut to what is allowed")
}

/// Whom a received address means. What fits no word is kept as it is.
pub(super) fn read(config: &Config, address: AddressView<'_>) -> Party {
    std::str::from_utf8(address.octets)
        .ok()
        .and_then(|written| known(config, address.ton, written))
        .unwrap_or_else(|| Party::Carrier(raw(address)))
}

fn known(config: &Config, ton: u8, written: &str) -> Option<Party> {
    let phone = |digits: &str| PhoneNumber::new(digits).ok().map(Party::from);
    let name = |text: &str| SenderName::new(text).ok().map(Party::from);
    let digits = written.strip_prefix('+').unwrap_or(written);
    if ton == ALPHANUMERIC || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return name(written);
    }
    if written.starts_with('+') {
        return phone(digits);
    }
    match ton {
        INTERNATIONAL => phone(digits.strip_prefix("00").unwrap_or(digits)),
        NATIONAL => national(config.country_code.as_deref(), digits),
        _ if digits.len() <= MOST_OF_SHORT_CODE => ShortCode::new(digits).ok().map(Party::from),
        UNKNOWN => match digits.strip_prefix("00") {
            Some(international) => phone(international),
            None => phone(digits).or_else(|| national(config.country_code.as_deref(), digits)),
        },
        _ => phone(digits),
    }
}

/// Which of the two addresses of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Sender,
    Recipient,
}

impl Role {
    const fn field(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Recipient => "recipient",
        }
    }
}

/// The address of a party, as the carrier wants it.
pub(super) fn write(config: &Config, role: Role, party: &Party) -> Result<SmAddress, Refused> {
    let field = role.field();
    let marked = |numbering: Numbering, octets: &str| {
        SmAddress::new(field, numbering.ton, numbering.npi, octets.as_bytes())
    };
    match party {
        Party::Phone(number) => marked(config.phone, number.digits()),
        Party::ShortCode(code) => marked(config.short_code, code.digits()),
        Party::Name(name) if role == Role::Sender => marked(config.name, name.as_str()),
        Party::Name(_) => Err(Refused::new(
            field,
            "is a name, by which nobody can be reached",
        )),
        Party::User(_) => Err(Refused::new(
            field,
            "is a user of the IM service and has no number here",
        )),
        Party::Carrier(address) => {
            SmAddress::new(field, address.ton, address.npi, address.octets())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as(config: &Config, ton: u8, octets: &[u8]) -> String {
        let party = read(
            config,
            AddressView {
                ton,
                npi: 1,
                octets,
            },
        );
        format!("{} {}", party.kind(), party.exposed())
    }

    #[test]
    fn addresses_are_read_as_far_as_they_make_sense() {
        let plain = Config::default();
        for (ton, octets, expected) in [
            (1, &b"358401234567"[..], "phone +358401234567"),
            (1, b"+358401234567", "phone +358401234567"),
            (1, b"00358401234567", "phone +358401234567"),
            (0, b"+358401234567", "phone +358401234567"),
            (0, b"00358401234567", "phone +358401234567"),
            (0, b"358401234567", "phone +358401234567"),
            (0, b"12345", "short code 12345"),
            (3, b"12345", "short code 12345"),
            (6, b"0123", "short code 0123"),
            (5, b"Sluice", "name Sluice"),
            (0, b"Sluice", "name Sluice"),
            (5, b"caf\xE9", "carrier address caf\u{E9}"),
            (5, b"twelve chars", "carrier address twelve chars"),
            (2, b"0401234567", "carrier address 0401234567"),
            (0, b"0401234567", "carrier address 0401234567"),
            (1, b"", "carrier address "),
            (1, b"1234567890123456", "carrier address 1234567890123456"),
        ] {
            assert_eq!(read_as(&plain, ton, octets), expected);
        }
        let finland = Config {
            country_code: Some("358".into()),
            ..plain
        };
        assert_eq!(read_as(&finland, 2, b"0401234567"), "phone +358401234567");
        assert_eq!(read_as(&finland, 2, b"401234567"), "phone +358401234567");
        assert_eq!(read_as(&finland, 0, b"0401234567"), "phone +358401234567");
        let long = [b'x'; 80];
        let cut = raw(AddressView {
            ton: 5,
            npi: 0,
            octets: &long,
        });
        assert_eq!(cut.octets().len(), 64);
    }

    #[test]
    fn parties_are_written_as_configured() {
        let config = Config::default();
        let address = |role, party: Party| {
            let address = write(&config, role, &party)?;
            Ok((address.ton, address.npi, address.octets.as_slice().to_vec()))
        };
        let phone = Party::from(PhoneNumber::new("+358401234567").unwrap());
        assert_eq!(
            address(Role::Recipient, phone),
            Ok((1, 1, b"358401234567".to_vec()))
        );
        let code = Party::from(ShortCode::new("12345").unwrap());
        assert_eq!(address(Role::Sender, code), Ok((3, 0, b"12345".to_vec())));
        let name = Party::from(SenderName::new("Sluice").unwrap());
        assert_eq!(
            address(Role::Sender, name.clone()),
            Ok((5, 0, b"Sluice".to_vec()))
        );
        let refused: Result<_, Refused> = address(Role::Recipient, name);
        assert_eq!(refused.unwrap_err().field, "recipient");
        let user = Party::from(crate::message::UserName::new("anna").unwrap());
        assert!(address(Role::Sender, user).is_err());
        let odd = |octets: &'static [u8]| {
            Party::Carrier(CarrierAddress::new(9, 8, Bytes::from_static(octets)).unwrap())
        };
        assert_eq!(
            address(Role::Sender, odd(b"caf\xE9")),
            Ok((9, 8, b"caf\xE9".to_vec()))
        );
        assert!(address(Role::Sender, odd(b"a\0b")).is_err());
        assert!(address(Role::Sender, odd(b"123456789012345678901")).is_err());
    }
}
