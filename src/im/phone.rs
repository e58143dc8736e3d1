//! Texts to and from phones, as plain values: all that crosses between the service and who carries them.
//!
//! The service knows no link and no SMSC. Whoever carries a [`TextToPhone`] makes it durable together with the changes
//! that it came with, cuts it into parts, joins the parts' fates and gives back one [`TextFate`]. A [`TextFromPhone`] is
//! whole; its key recognises it when it is handed over again.

use crate::clock::WallTime;
use crate::im::names::TextId;
use crate::im::primitive::Fate;
use crate::message::{Party, PhoneNews, PhoneNumber, Refused, ShortCode};
use crate::private::Private;

/// A text for a phone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextToPhone {
    /// Which one; its fate comes back under this id.
    pub id: TextId,
    /// What the phone shows as sender, and answers to.
    pub sender: Party,
    /// Which phone.
    pub recipient: PhoneNumber,
    /// The text: one SMS where it could be made so, never cut by the service.
    pub text: Private<String>,
    /// Whether its final fate is wanted. If not, what is known by then is told all the same.
    pub report: bool,
    /// After this time it is of no use.
    pub valid_until: Option<WallTime>,
}

/// A text from a phone, joined from its parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextFromPhone {
    /// Which phone.
    pub sender: PhoneNumber,
    /// To which number of ours.
    pub recipient: ShortCode,
    /// The text.
    pub text: Private<String>,
    /// Recognises the same text when it comes again.
    pub key: OnceKey,
}

/// What became of a text for a phone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextFate {
    /// Which one.
    pub id: TextId,
    /// How it ended.
    pub fate: Fate,
    /// The carrier's reason.
    pub reason: Option<String>,
    /// Which phone, and what the carrier said of it with this.
    pub phone: Option<(PhoneNumber, PhoneNews)>,
}

/// Recognises what was taken before: made of ring, epoch and sequence by whoever knows of such things.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OnceKey(Box<str>);

impl OnceKey {
    /// The most octets that it has.
    pub const MOST: usize = 200;

    /// From text.
    pub fn new(written: &str) -> Result<Self, Refused> {
        if written.is_empty() || written.len() > Self::MOST {
            return Err(Refused::new(
                "key",
                format!(
                    "has {} octets; 1 to {} are allowed",
                    written.len(),
                    Self::MOST
                ),
            ));
        }
        Ok(Self(written.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
