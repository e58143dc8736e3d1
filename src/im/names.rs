//! Names and numbers that the service gives and takes: strings and counters with rules, each a type of its own.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::WallTime;
use crate::message::Refused;

/// Which characters a name may have.
#[derive(Clone, Copy)]
enum Alphabet {
    /// Letters, digits and `. _ - @`; capitals are folded.
    Plain,
    /// What people write: anything but control characters, no space at either end.
    People,
    /// The same, folded to small letters, since it is searched for.
    Folded,
    /// Printable ASCII without spaces.
    Token,
}

impl Alphabet {
    fn takes(self, character: char) -> bool {
        match self {
            Self::Plain => matches!(character, 'a'..='z' | '0'..='9' | '.' | '_' | '-' | '@'),
            Self::People | Self::Folded => !character.is_control(),
            Self::Token => character.is_ascii_graphic(),
        }
    }

    const fn allowed(self) -> &'static str {
        match self {
            Self::Plain => "letters, digits and . _ - @ are allowed",
            Self::People | Self::Folded => "control characters are not allowed",
            Self::Token => "printable ASCII without spaces is allowed",
        }
    }

    const fn pattern(self) -> &'static str {
        match self {
            Self::Plain => "^[A-Za-z0-9._@-]*$",
            Self::People | Self::Folded => "^\\P{Cc}*$",
            Self::Token => "^[!-~]*$",
        }
    }

    fn read(self, field: &'static str, written: &str, most: usize) -> Result<Arc<str>, Refused> {
        let name = match self {
            Self::Plain => Cow::Owned(written.to_ascii_lowercase()),
            Self::Folded => Cow::Owned(written.trim().to_lowercase()),
            Self::People => Cow::Borrowed(written.trim()),
            Self::Token => Cow::Borrowed(written),
        };
        if name.is_empty() {
            return Err(Refused::new(
                field,
                format!("is empty; give 1 to {most} characters"),
            ));
        }
        let length = name.chars().count();
        if length > most {
            return Err(Refused::new(
                field,
                format!("has {length} characters; {most} are allowed"),
            ));
        }
        if let Some(wrong) = name.chars().find(|&character| !self.takes(character)) {
            return Err(Refused::new(
                field,
                format!("holds {wrong:?}; {}", self.allowed()),
            ));
        }
        Ok(name.into())
    }
}

macro_rules! names {
    ($($(#[doc = $doc:literal])* $name:ident: $field:literal, $alphabet:ident, $most:literal;)*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The most characters that it has.
            pub const MOST: usize = $most;

            /// From what was written.
            pub fn new(written: &str) -> Result<Self, Refused> {
                Alphabet::$alphabet.read($field, written, $most).map(Self)
            }

            /// As it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::new(&Cow::<'de, str>::deserialize(from)?).map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "description": concat!($($doc),*).trim(),
                    "minLength": 1,
                    "maxLength": $most,
                    "pattern": Alphabet::$alphabet.pattern(),
                })
            }
        }
    )*};
}

names! {
    /// A client: a program or device that is registered and has a secret id. Public, unlike that id.
    ClientName: "client name", Plain, 64;
    /// A group.
    GroupName: "group name", Plain, 64;
    /// A buddy list, among those of one owner.
    ListName: "list name", People, 64;
    /// How a member is called within a group.
    ScreenName: "screen name", People, 64;
    /// What a group talks about.
    Topic: "topic", Folded, 64;
    /// A piece of content of a group.
    ContentName: "content name", People, 128;
    /// The kind of a text or of content, as in `text/plain`.
    ContentType: "content type", Token, 100;
    /// What ties an answer to its request; each side chooses its own.
    TransactionId: "transaction id", Token, 64;
    /// A conversation, as clients name it to one another.
    ConversationName: "conversation", Token, 64;
    /// How a user calls one of its devices.
    PointName: "point name", People, 40;
    /// A digest scheme.
    SchemeName: "scheme", Token, 40;
    /// Where a search goes on; what it says only the service knows.
    Cursor: "cursor", Token, 128;
    /// What a phone calls a buddy.
    Nickname: "nickname", Folded, 20;
    /// A language that phones are answered in, as in `en`.
    LanguageCode: "language", Plain, 16;
    /// Part of a name, to search for.
    Needle: "search text", Folded, 64;
}

macro_rules! ids {
    ($($(#[doc = $doc:literal])* $name:ident;)*) => {$(
        $(#[doc = $doc])*
        ///
        /// The first six octets are the time at which it was made, so ids in order are in order of time; the others are
        /// chance.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Made now, from chance.
            pub fn new(at: WallTime, chance: [u8; 10]) -> Self {
                let [_, _, time @ ..] = at.as_unix_ms().to_be_bytes();
                let mut octets = [0; 16];
                octets[..6].copy_from_slice(&time);
                octets[6..].copy_from_slice(&chance);
                Self(octets)
            }

            /// From its octets.
            pub const fn from_octets(octets: [u8; 16]) -> Self {
                Self(octets)
            }

            /// Its octets.
            pub const fn octets(&self) -> &[u8; 16] {
                &self.0
            }

            /// When it was made.
            pub fn made_at(&self) -> WallTime {
                let mut time = [0; 8];
                time[2..].copy_from_slice(&self.0[..6]);
                WallTime::from_unix_ms(u64::from_be_bytes(time))
            }

            /// From 32 hexadecimal digits.
            pub fn read(written: &str) -> Result<Self, Refused> {
                read_hex(written).map(Self).ok_or_else(|| {
                    Refused::new("id", "is not 32 hexadecimal digits")
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, |text| f.write_str(text))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                write_hex(&self.0, |text| to.serialize_str(text))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::read(&Cow::<'de, str>::deserialize(from)?).map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "description": concat!($($doc),*).trim(),
                    "pattern": "^[0-9a-f]{32}$",
                })
            }
        }
    )*};
}

ids! {
    /// A message between users.
    MessageId;
    /// What goes on from sign-in to sign-out of one user from one client, over any number of connections.
    SessionId;
    /// An invitation to a group.
    InviteId;
    /// A piece of content on its way to the store, and its octets there.
    UploadId;
    /// A text to a phone.
    TextId;
}

fn write_hex<T>(octets: &[u8; 16], write: impl FnOnce(&str) -> T) -> T {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0_u8; 32];
    for (pair, octet) in text.chunks_exact_mut(2).zip(octets) {
        pair[0] = DIGITS[usize::from(octet >> 4)];
        pair[1] = DIGITS[usize::from(octet & 15)];
    }
    write(std::str::from_utf8(&text).expect("hexadecimal digits are ASCII"))
}

fn read_hex(written: &str) -> Option<[u8; 16]> {
    let digits = written.as_bytes();
    if digits.len() != 32 {
        return None;
    }
    let mut octets = [0; 16];
    for (octet, pair) in octets.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *octet = u8::try_from(high * 16 + low).ok()?;
    }
    Some(octets)
}

/// A place in a user's log, from 1, without gaps; 0 is before the first.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct Position(pub u64);

impl Position {
    /// Before the first entry.
    pub const START: Self = Self(0);

    /// The place behind this one.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// How many entries lie behind `earlier`, up to this one.
    pub const fn behind(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A connection, as its door numbers it. Never used again within one run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnectionId(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_and_checked() {
        assert_eq!(GroupName::new("Chess").unwrap().as_str(), "chess");
        assert_eq!(ListName::new(" Mes amis ").unwrap().as_str(), "Mes amis");
        let why = ListName::new("a\nb").unwrap_err().to_string();
        assert!(why.starts_with("list name: holds"), "{why}");
        let why = TransactionId::new(&"x".repeat(65)).unwrap_err().to_string();
        assert_eq!(why, "transaction id: has 65 characters; 64 are allowed");
        assert!(ScreenName::new("  ").is_err());
    }

    #[test]
    fn ids_are_in_order_of_their_time() {
        let early = MessageId::new(WallTime::from_unix_ms(1_000), [255; 10]);
        let late = MessageId::new(WallTime::from_unix_ms(1_001), [0; 10]);
        assert!(early < late);
        assert_eq!(late.made_at(), WallTime::from_unix_ms(1_001));
        assert_eq!(early.to_string(), "0000000003e8ffffffffffffffffffff");
        assert_eq!(MessageId::read(&early.to_string()).unwrap(), early);
        assert!(MessageId::read("0000").is_err());
        assert!(MessageId::read(&"é".repeat(16)).is_err());
    }
}
