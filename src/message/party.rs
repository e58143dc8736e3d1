//! Who writes and who reads. Numbers are subscribers' data: `Debug` shows their kind and length only.

use std::fmt;
use std::sync::Arc;

use super::{CarrierAddress, Refused};

/// A phone's number in E.164 form: digits without `+`, 3 to 15 of them, the first not zero.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber(String);

/// A number that is valid at one carrier only: 1 to 8 digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortCode(String);

/// A sender shown as text: 1 to 11 characters that every SMSC can carry (printable ASCII).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SenderName(String);

/// A user of the IM service: 1 to 64 characters of `a-z 0-9 . _ - @`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(Arc<str>);

fn digits(field: &'static str, number: &str, least: usize, most: usize) -> Result<(), Refused> {
    if number.is_empty() {
        return Err(Refused::new(field, "is empty; a number is needed"));
    }
    if let Some(wrong) = number.chars().find(|c| !c.is_ascii_digit()) {
        return Err(Refused::new(
            field,
            format!("holds {wrong:?}; only digits are allowed"),
        ));
    }
    if !(least..=most).contains(&number.len()) {
        return Err(Refused::new(
            field,
            format!("has {} digits; {least} to {most} are allowed", number.len()),
        ));
    }
    Ok(())
}

impl PhoneNumber {
    /// From digits, with or without a leading `+`.
    pub fn new(number: &str) -> Result<Self, Refused> {
        let number = number.strip_prefix('+').unwrap_or(number);
        digits("phone number", number, 3, 15)?;
        if number.starts_with('0') {
            return Err(Refused::new(
                "phone number",
                "begins with 0; write it with its country code",
            ));
        }
        Ok(Self(number.into()))
    }

    /// The digits, without `+`.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl ShortCode {
    /// From digits.
    pub fn new(number: &str) -> Result<Self, Refused> {
        digits("short code", number, 1, 8)?;
        Ok(Self(number.into()))
    }

    /// The digits.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl SenderName {
    /// From text.
    pub fn new(name: &str) -> Result<Self, Refused> {
        let field = "sender name";
        if name.is_empty() {
            return Err(Refused::new(field, "is empty; give 1 to 11 characters"));
        }
        if let Some(wrong) = name.chars().find(|c| !matches!(c, ' '..='~')) {
            return Err(Refused::new(
                field,
                format!("holds {wrong:?}; only printable ASCII is allowed"),
            ));
        }
        if name.len() > 11 {
            return Err(Refused::new(
                field,
                format!("has {} characters; 11 are allowed", name.len()),
            ));
        }
        Ok(Self(name.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl UserName {
    /// From text; capitals are folded, since people type them.
    pub fn new(name: &str) -> Result<Self, Refused> {
        let field = "user name";
        let name = name.to_ascii_lowercase();
        if name.is_empty() {
            return Err(Refused::new(field, "is empty; give 1 to 64 characters"));
        }
        if let Some(wrong) = name
            .chars()
            .find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-' | '@'))
        {
            return Err(Refused::new(
                field,
                format!("holds {wrong:?}; letters, digits and . _ - @ are allowed"),
            ));
        }
        if name.len() > 64 {
            return Err(Refused::new(
                field,
                format!("has {} characters; 64 are allowed", name.len()),
            ));
        }
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A sender or a recipient.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Party {
    /// A phone, by its international number.
    Phone(PhoneNumber),
    /// A carrier's short code.
    ShortCode(ShortCode),
    /// A sender shown as text; nobody can be reached by it.
    Name(SenderName),
    /// A user of the IM service.
    User(UserName),
    /// An address that a carrier used and that is none of the above, kept octet for octet.
    Carrier(CarrierAddress),
}

impl Party {
    /// What people call its kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Phone(_) => "phone",
            Self::ShortCode(_) => "short code",
            Self::Name(_) => "name",
            Self::User(_) => "user",
            Self::Carrier(_) => "carrier address",
        }
    }

    /// For people who may see it (never for logs): `+358…`, digits, text or a user's name.
    pub fn exposed(&self) -> String {
        match self {
            Self::Phone(number) => format!("+{}", number.0),
            Self::ShortCode(code) => code.0.clone(),
            Self::Name(name) => name.0.clone(),
            Self::User(name) => name.0.as_ref().into(),
            Self::Carrier(address) => address.exposed(),
        }
    }
}

impl From<PhoneNumber> for Party {
    fn from(number: PhoneNumber) -> Self {
        Self::Phone(number)
    }
}

impl From<ShortCode> for Party {
    fn from(code: ShortCode) -> Self {
        Self::ShortCode(code)
    }
}

impl From<SenderName> for Party {
    fn from(name: SenderName) -> Self {
        Self::Name(name)
    }
}

impl From<UserName> for Party {
    fn from(name: UserName) -> Self {
        Self::User(name)
    }
}

impl fmt::Debug for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = match self {
            Self::Phone(number) => number.0.len(),
            Self::ShortCode(code) => code.0.len(),
            Self::Name(name) => name.0.len(),
            Self::User(name) => name.0.len(),
            Self::Carrier(address) => address.octets().len(),
        };
        write!(f, "<{} of {length} characters>", self.kind())
    }
}

macro_rules! private_debug {
    ($($word:ident),*) => {$(
        impl fmt::Debug for $word {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "<{} characters>", self.0.len())
            }
        }
    )*};
}
private_debug!(PhoneNumber, ShortCode, SenderName, UserName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_letters_is_refused_with_its_field() {
        let refused = PhoneNumber::new("+35840x123").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "phone number: holds 'x'; only digits are allowed"
        );
        assert_eq!(ShortCode::new("12a").unwrap_err().field, "short code");
    }

    #[test]
    fn an_empty_party_is_refused() {
        assert_eq!(PhoneNumber::new("").unwrap_err().field, "phone number");
        assert_eq!(PhoneNumber::new("+").unwrap_err().field, "phone number");
        assert_eq!(SenderName::new("").unwrap_err().field, "sender name");
        assert_eq!(UserName::new("").unwrap_err().field, "user name");
    }

    #[test]
    fn lengths_are_kept() {
        assert!(PhoneNumber::new("+358401234567").is_ok());
        assert!(PhoneNumber::new("0401234567").is_err());
        assert!(PhoneNumber::new(&"1".repeat(16)).is_err());
        assert!(ShortCode::new("123456789").is_err());
        assert!(SenderName::new("Sluice Demo!").is_err());
        assert!(SenderName::new("Sluice").is_ok());
        assert_eq!(UserName::new("Anna").unwrap().as_str(), "anna");
    }

    #[test]
    fn debug_never_shows_a_number() {
        let party = Party::from(PhoneNumber::new("+358401234567").unwrap());
        assert_eq!(format!("{party:?}"), "<phone of 12 characters>");
        assert_eq!(party.exposed(), "+358401234567");
    }
}
