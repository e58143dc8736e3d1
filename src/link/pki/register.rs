//! The list of what an authority gave out: who is enrolled, until when, and who is so no more.
//!
//! It is a plain file in the authority's directory, in TOML, so that an operator can read it. Central reads it again
//! whenever it changes. A certificate that is not in it is not enrolled, whoever signed it.

use serde::{Deserialize, Serialize};

use super::times;
use crate::clock::WallTime;

/// One certificate that was given to an edge.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolled {
    /// The edge.
    pub edge: String,
    /// The certificate's number, in hexadecimal.
    pub serial: String,
    /// When it was made.
    #[serde(with = "times")]
    pub issued: WallTime,
    /// Until when it is good.
    #[serde(with = "times")]
    pub expires: WallTime,
    /// When it ends because a newer one replaces it.
    #[serde(
        with = "times::maybe",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub retires: Option<WallTime>,
    /// When it was taken away.
    #[serde(
        with = "times::maybe",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub revoked: Option<WallTime>,
    /// Why it was taken away, in the operator's words, which the edge hears too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

impl Enrolled {
    /// Whether it lets an edge in at that time.
    pub fn is_good(&self, now: WallTime) -> bool {
        self.revoked.is_none() && now < self.expires && self.retires.is_none_or(|at| now < at)
    }
}

/// All certificates that were given to edges, in the order in which they were made.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    #[serde(rename = "certificate", default)]
    certificates: Vec<Enrolled>,
}

/// What the file begins with.
const HEAD: &str = "\
# Certificates that this authority gave to edges. Written by `sluice pair`, read by central whenever it changes.
# Change it with `sluice pair enrol`, `renew` and `revoke`.

";

impl Register {
    /// Reads a register's file.
    pub fn read(text: &str) -> Result<Self, String> {
        let register: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for (index, one) in register.certificates.iter().enumerate() {
            if let Some(other) = register.certificates[..index]
                .iter()
                .find(|other| other.serial == one.serial)
            {
                return Err(format!(
                    "certificate {} is listed twice, for {} and for {}",
                    one.serial, other.edge, one.edge
                ));
            }
        }
        Ok(register)
    }

    /// What [`Register::read`] reads.
    pub fn write(&self) -> String {
        let body = toml::to_string(self).expect("a register is plain text, times and numbers");
        format!("{HEAD}{body}")
    }

    /// All certificates.
    pub fn certificates(&self) -> &[Enrolled] {
        &self.certificates
    }

    /// The certificate of that number.
    pub fn by_serial(&self, serial: &str) -> Option<&Enrolled> {
        self.certificates.iter().find(|one| one.serial == serial)
    }

    /// All certificates of an edge, the newest last.
    pub fn of<'a>(&'a self, edge: &'a str) -> impl DoubleEndedIterator<Item = &'a Enrolled> {
        self.certificates.iter().filter(move |one| one.edge == edge)
    }

    /// Names that were ever enrolled, each once, sorted.
    pub fn edges(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.certificates.iter().map(|c| c.edge.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Enters a new certificate.
    pub(super) fn enter(&mut self, new: Enrolled) {
        assert!(
            self.by_serial(&new.serial).is_none(),
            "serial numbers are random and never repeat"
        );
        self.certificates.push(new);
    }

    /// From then on, what the edge has is replaced.
    pub(super) fn retire(&mut self, edge: &str, now: WallTime, at: WallTime) {
        for one in &mut self.certificates {
            if one.edge == edge && one.is_good(now) {
                one.retires = Some(one.retires.map_or(at, |earlier| earlier.min(at)));
            }
        }
    }

    /// Takes everything away from an edge; how many certificates that were.
    pub(super) fn revoke(&mut self, edge: &str, now: WallTime, because: Option<&str>) -> usize {
        let mut count = 0;
        for one in &mut self.certificates {
            if one.edge == edge && one.revoked.is_none() {
                one.revoked = Some(now);
                one.because = because.map(str::to_owned);
                count += 1;
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: WallTime = WallTime::from_unix_ms(1_795_248_785_000);

    fn one(edge: &str, serial: &str) -> Enrolled {
        Enrolled {
            edge: edge.to_owned(),
            serial: serial.to_owned(),
            issued: NOW,
            expires: NOW + Duration::from_hours(24),
            retires: None,
            revoked: None,
            because: None,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut register = Register::default();
        assert_eq!(Register::read(&register.write()), Ok(register.clone()));
        register.enter(one("oslo", "01"));
        register.enter(one("bergen", "02"));
        register.retire("oslo", NOW, NOW + Duration::from_secs(5));
        assert_eq!(register.revoke("bergen", NOW, Some("stolen \"box\"\n")), 1);
        assert_eq!(Register::read(&register.write()), Ok(register.clone()));
        assert_eq!(register.edges(), ["bergen", "oslo"]);
    }

    #[test]
    fn a_register_with_a_strange_line_is_refused_with_its_place() {
        let error = Register::read("[[certificate]]\nedge = \"oslo\"\ncolour = 3\n").unwrap_err();
        assert!(
            error.contains("line 3") && error.contains("colour"),
            "{error}"
        );
        let mut register = Register::default();
        register.enter(one("oslo", "01"));
        let twice = format!("{}{}", register.write(), &register.write()[HEAD.len()..]);
        assert!(Register::read(&twice).unwrap_err().contains("twice"));
    }

    #[test]
    fn a_certificate_is_good_until_it_ends_in_one_of_three_ways() {
        let mut register = Register::default();
        register.enter(one("oslo", "01"));
        let good = |register: &Register, now| register.certificates()[0].is_good(now);
        assert!(good(&register, NOW));
        assert!(!good(&register, NOW + Duration::from_hours(24)));
        register.retire("oslo", NOW, NOW + Duration::from_secs(9));
        // A second renewal does not lengthen what the first one shortened.
        register.retire("oslo", NOW, NOW + Duration::from_secs(90));
        assert!(good(&register, NOW + Duration::from_secs(8)));
        assert!(!good(&register, NOW + Duration::from_secs(9)));
        register.revoke("oslo", NOW, None);
        assert!(!good(&register, NOW));
        assert_eq!(register.revoke("oslo", NOW, None), 0);
    }
}
