//! Values that parameters carry when we write them: each is valid or does not exist.

use std::fmt;

use crate::message::Refused;

/// An address: digits and `+`, at most 20.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address {
    octets: [u8; 20],
    length: u8,
}

impl Address {
    /// From digits, with or without a `+`.
    pub fn new(address: &[u8]) -> Result<Self, Refused> {
        let complain = |reason: String| Err(Refused::new("address", reason));
        if address.is_empty() {
            return complain("is empty; digits are needed".into());
        }
        if !address
            .iter()
            .all(|octet| matches!(octet, b'0'..=b'9' | b'+' | b'-'))
        {
            return complain("holds something else than digits and '+'".into());
        }
        let mut octets = [0; 20];
        let Some(room) = octets.get_mut(..address.len()) else {
            return complain(format!("has {} characters; 20 are allowed", address.len()));
        };
        room.copy_from_slice(address);
        Ok(Self {
            octets,
            length: address.len() as u8,
        })
    }

    /// As it is written.
    pub fn octets(&self) -> &[u8] {
        &self.octets[..usize::from(self.length)]
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<address of {} characters>", self.length)
    }
}

/// Printable ASCII, 1 to `MAX` characters, no blank at either end.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Printable<const MAX: usize>(String);

impl<const MAX: usize> Printable<MAX> {
    /// From text.
    pub fn new(field: &'static str, text: &str) -> Result<Self, Refused> {
        let complain = |reason: String| Err(Refused::new(field, reason));
        if text.is_empty() {
            return complain(format!("is empty; give 1 to {MAX} characters"));
        }
        if !text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
            return complain("holds something else than printable ASCII".into());
        }
        if text.len() > MAX {
            return complain(format!("has {} characters; {MAX} are allowed", text.len()));
        }
        if text.trim() != text {
            return complain("begins or ends with a blank".into());
        }
        Ok(Self(text.into()))
    }

    /// Whatever of a text can be written: other characters become `?`, and what is too long is cut off. Nothing if
    /// that leaves nothing.
    pub fn nearest(text: &str) -> Option<Self> {
        let kept: String = text
            .trim()
            .chars()
            .map(|character| match character {
                ' '..='~' => character,
                _ => '?',
            })
            .take(MAX)
            .collect();
        let kept = kept.trim_end();
        (!kept.is_empty()).then(|| Self(kept.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Debug for Printable<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Passwords are among them.
        write!(f, "<{} characters>", self.0.len())
    }
}

/// A number from `LEAST` to `MOST`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Bounded<const LEAST: u16, const MOST: u16>(u16);

impl<const LEAST: u16, const MOST: u16> Bounded<LEAST, MOST> {
    /// From a plain number.
    pub fn new(field: &'static str, number: u16) -> Result<Self, Refused> {
        if (LEAST..=MOST).contains(&number) {
            Ok(Self(number))
        } else {
            Err(Refused::new(
                field,
                format!("is {number}; {LEAST} to {MOST} are allowed"),
            ))
        }
    }

    /// The plain number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_beyond_their_limits_are_refused() {
        assert!(Address::new(b"+358401111111").is_ok());
        assert!(Address::new(&[b'1'; 20]).is_ok());
        assert!(Address::new(&[b'1'; 21]).is_err());
        assert!(Address::new(b"").is_err());
        assert!(Address::new(b"12\t3").is_err());
        assert!(Printable::<4>::new("password", "abcd").is_ok());
        for wrong in ["abcde", "", " a", "a\t", "\u{e5}"] {
            let refused = Printable::<4>::new("password", wrong).unwrap_err();
            assert_eq!(refused.field, "password");
        }
        assert_eq!(
            Printable::<4>::nearest(" \u{e5}b c ").unwrap().as_str(),
            "?b c"
        );
        assert_eq!(Printable::<2>::nearest("a  b").unwrap().as_str(), "a");
        assert_eq!(Printable::<2>::nearest("  "), None);
        assert!(Bounded::<1, 9>::new("priority", 0).is_err());
        assert_eq!(Bounded::<1, 9>::new("priority", 9).unwrap().get(), 9);
    }
}
