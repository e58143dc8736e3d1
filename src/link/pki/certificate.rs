//! What a certificate says, and making new ones.

use std::fmt;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::error::PkiError;
use crate::clock::WallTime;
use crate::lane;

/// What an edge's name begins with in its certificate.
const EDGE: &str = "sluice://edge/";
/// What a central's name ends with in its certificate.
const CENTRAL: &str = ".central.sluice";
/// Octets of a serial number: random, so that no two are the same and none can be foretold.
const SERIAL: usize = 16;
/// How much earlier than now a certificate begins to be good: the clock of a machine in a rack may lag.
const LAG: Duration = Duration::from_hours(1);

/// Whose certificate it is, by the name in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Owner {
    /// An edge of that name.
    Edge(String),
    /// A central of that name.
    Central(String),
    /// Nobody of ours.
    Unnamed,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edge(name) => write!(f, "edge {name}"),
            Self::Central(name) => write!(f, "central {name}"),
            Self::Unnamed => f.write_str("nobody that this product names"),
        }
    }
}

/// What we need of a certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Facts {
    /// Whose it is.
    pub owner: Owner,
    /// Its number at its authority, in hexadecimal.
    pub serial: String,
    /// From when it is good.
    pub from: WallTime,
    /// Until when it is good.
    pub until: WallTime,
}

impl Facts {
    /// Reads them from a certificate's octets. That it is genuine is for others to say.
    pub fn read(der: &[u8]) -> Result<Self, String> {
        let (_, certificate) =
            X509Certificate::from_der(der).map_err(|error| format!("no certificate: {error}"))?;
        let mut names = Vec::new();
        let alternative = certificate
            .subject_alternative_name()
            .map_err(|error| format!("names cannot be read: {error}"))?;
        for name in alternative
            .iter()
            .flat_map(|list| &list.value.general_names)
        {
            match name {
                GeneralName::URI(uri) => {
                    if let Some(name) = uri.strip_prefix(EDGE) {
                        names.push(Owner::Edge(name.to_owned()));
                    }
                }
                GeneralName::DNSName(name) => {
                    if let Some(name) = name.strip_suffix(CENTRAL) {
                        names.push(Owner::Central(name.to_owned()));
                    }
                }
                _ => {}
            }
        }
        // Two names would be a choice, and nobody is there to choose.
        let owner = match (names.pop(), names.is_empty()) {
            (Some(owner), true) => owner,
            _ => Owner::Unnamed,
        };
        let time = |seconds: i64| {
            WallTime::from_unix_ms(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000))
        };
        Ok(Self {
            owner,
            serial: hexadecimal(certificate.raw_serial()),
            from: time(certificate.validity().not_before.timestamp()),
            until: time(certificate.validity().not_after.timestamp()),
        })
    }
}

/// The DNS name under which a central of that name shows itself.
pub(super) fn central_dns(name: &str) -> String {
    format!("{name}{CENTRAL}")
}

fn hexadecimal(octets: &[u8]) -> String {
    let first = octets.iter().position(|o| *o != 0).unwrap_or(0);
    octets[first..].iter().map(|o| format!("{o:02x}")).collect()
}

fn random_serial() -> [u8; SERIAL] {
    let mut serial = [0; SERIAL];
    getrandom::fill(&mut serial).expect("the kernel has random octets");
    // A serial number is positive and has no leading zeros.
    serial[0] = serial[0] & 0x7f | 0x40;
    serial
}

/// A fresh pair, as PEM.
pub(super) struct Made {
    pub(super) certificate: String,
    pub(super) key: String,
    pub(super) facts: Facts,
}

fn validity(params: &mut CertificateParams, now: WallTime, life: Duration) {
    // In whole seconds, as a certificate has them. The epoch carries the type over from `time` to ours.
    let at = |time: WallTime| {
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(time.as_unix_ms() / 1000)
    };
    let from = now.as_unix_ms().saturating_sub(LAG.as_millis() as u64);
    params.not_before = at(WallTime::from_unix_ms(from));
    params.not_after = at(now + life);
}

fn finish(params: &CertificateParams, made: &rcgen::Certificate, key: &KeyPair) -> Made {
    debug_assert!(params.serial_number.is_some());
    Made {
        certificate: made.pem(),
        key: key.serialize_pem(),
        facts: Facts::read(made.der()).expect("what was just made can be read"),
    }
}

/// A new authority. Its subject holds a random word, so that two authorities are never taken for one another.
pub(super) fn make_authority(now: WallTime, life: Duration) -> Result<Made, PkiError> {
    let serial = random_serial();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(
        DnType::CommonName,
        format!("Sluice authority {}", hexadecimal(&serial[..4])),
    );
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    validity(&mut params, now, life);
    let key = KeyPair::generate()?;
    let made = params.self_signed(&key)?;
    Ok(finish(&params, &made, &key))
}

/// A new certificate for an edge or a central, with a key of its own. It is not longer good than its authority.
pub(super) fn make_leaf(
    issuer: &Issuer<'_, KeyPair>,
    owner: &Owner,
    now: WallTime,
    life: Duration,
) -> Result<Made, PkiError> {
    let serial = random_serial();
    let (subject, name, purpose) = match owner {
        Owner::Edge(name) => (
            format!("Sluice edge {name}"),
            SanType::URI(format!("{EDGE}{name}").try_into()?),
            ExtendedKeyUsagePurpose::ClientAuth,
        ),
        Owner::Central(name) => (
            format!("Sluice central {name}"),
            SanType::DnsName(central_dns(name).try_into()?),
            ExtendedKeyUsagePurpose::ServerAuth,
        ),
        Owner::Unnamed => unreachable!("certificates are made for those with names"),
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject);
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    params.subject_alt_names = vec![name];
    params.use_authority_key_identifier_extension = true;
    validity(&mut params, now, life);
    let key = KeyPair::generate()?;
    let made = params.signed_by(&key, issuer)?;
    Ok(finish(&params, &made, &key))
}

/// Checks the name of an edge or central.
pub(super) fn check_name(name: &str) -> Result<(), PkiError> {
    let wrong = |source| PkiError::Name {
        name: name.to_owned(),
        source,
    };
    lane::checked(name).map_err(wrong)?;
    Ok(())
}

/// Checks the name of a central, which is a DNS label too.
pub(super) fn check_central(name: &str) -> Result<(), PkiError> {
    check_name(name)?;
    match name.chars().find(|c| matches!(c, '.' | '_')) {
        Some(character) => Err(PkiError::Name {
            name: name.to_owned(),
            source: lane::NameError::Character(character),
        }),
        None if name.starts_with('-') || name.ends_with('-') => Err(PkiError::Name {
            name: name.to_owned(),
            source: lane::NameError::Character('-'),
        }),
        None => Ok(()),
    }
}

/// How long it is until then, in whole units, for people; or how long it has been.
pub(super) fn distance(from: WallTime, to: WallTime) -> String {
    let coarse = |length: Duration| {
        let seconds = length.as_secs();
        let (count, unit) = match seconds {
            0..120 => (seconds, "seconds"),
            120..7200 => (seconds / 60, "minutes"),
            7200..172_800 => (seconds / 3600, "hours"),
            172_800..63_072_000 => (seconds / 86_400, "days"),
            _ => (seconds / 31_557_600, "years"),
        };
        format!("{count} {unit}")
    };
    match from <= to {
        true => format!("in {}", coarse(to.since(from))),
        false => format!("{} ago", coarse(from.since(to))),
    }
}

/// The machine's civil time for the library that verifies.
pub(super) fn unix(time: WallTime) -> Duration {
    Duration::from_secs(time.as_unix_ms() / 1000)
}

/// The civil time that the verifying library gave us.
pub(super) fn wall(since: Duration) -> WallTime {
    WallTime::from_unix_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime::from_unix_ms(1_795_248_785_000);

    #[test]
    fn a_certificate_says_whose_it_is_and_how_long() {
        let authority = make_authority(NOW, Duration::from_hours(48)).unwrap();
        assert_eq!(authority.facts.owner, Owner::Unnamed);
        let key = KeyPair::from_pem(&authority.key).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&authority.certificate, key).unwrap();
        let owner = Owner::Edge(String::from("oslo_2.north"));
        let made = make_leaf(&issuer, &owner, NOW, Duration::from_hours(24)).unwrap();
        assert_eq!(made.facts.owner, owner);
        assert_eq!(made.facts.serial.len(), 2 * SERIAL);
        assert_eq!(made.facts.from.as_unix_ms(), 1_795_245_185_000);
        assert_eq!(made.facts.until, NOW + Duration::from_hours(24));
        let other = make_leaf(&issuer, &owner, NOW, Duration::from_hours(24)).unwrap();
        assert_ne!(other.facts.serial, made.facts.serial);
    }

    #[test]
    fn a_central_is_a_dns_label() {
        assert!(check_central("main-2").is_ok());
        for wrong in ["a.b", "a_b", "-a", "a-", "", "A"] {
            assert!(check_central(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_certificate_says_so() {
        assert!(Facts::read(b"nonsense").is_err());
        assert!(Facts::read(b"").is_err());
    }

    #[test]
    fn distances_read_like_people_say_them() {
        let later = NOW + Duration::from_hours(49);
        assert_eq!(distance(NOW, later), "in 2 days");
        assert_eq!(distance(later, NOW), "2 days ago");
        assert_eq!(distance(NOW, NOW + Duration::from_secs(5)), "in 5 seconds");
    }
}
