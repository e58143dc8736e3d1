//! Names: of attributes, clients and groups, and the addresses that lists are made of.
//!
//! All of them are shared strings, since the same name stands in many places.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::refusal::{Refusal, shown};
use crate::message::UserName;

/// Longest name of a client or a group, in octets.
pub const MAX_NAME: usize = 64;

/// Longest half of an attribute's name, in octets.
const MAX_HALF: usize = 32;

/// An attribute, named within the entity that registers it: `entity:name`, each half 1 to 32 of `a-z 0-9 . _ -`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeName(Arc<str>);

/// One client of a user, by the name that it signs in with (a phone: its number).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientName(Arc<str>);

/// A group, by the name that the IM service gives it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(Arc<str>);

const fn is_plain(c: char) -> bool {
    matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-')
}

impl AttributeName {
    /// From `entity:name`; capitals are folded.
    pub fn new(written: &str) -> Result<Self, Refusal> {
        let wrong = || {
            Refusal::malformed(
                "name",
                format!(
                    "{} is no attribute; write entity:name, with a-z 0-9 . _ - in both",
                    shown(written)
                ),
            )
        };
        let folded = written.to_ascii_lowercase();
        let (entity, name) = folded.split_once(':').ok_or_else(wrong)?;
        let fits = |half: &str| (1..=MAX_HALF).contains(&half.len()) && half.chars().all(is_plain);
        if fits(entity) && fits(name) {
            Ok(Self(folded.into()))
        } else {
            Err(wrong())
        }
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names that people and programs choose: no blanks at the ends, nothing that does not print.
fn free(element: &'static str, written: &str) -> Result<Arc<str>, Refusal> {
    let prints = |c: char| !c.is_control();
    if (1..=MAX_NAME).contains(&written.len())
        && written.chars().all(prints)
        && written.trim() == written
    {
        return Ok(written.into());
    }
    Err(Refusal::malformed(
        element,
        format!(
            "{} is no name; 1 to {MAX_NAME} octets that print are allowed",
            shown(written)
        ),
    ))
}

impl ClientName {
    /// From text.
    pub fn new(written: &str) -> Result<Self, Refusal> {
        free("client", written).map(Self)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ClientName {
    /// What a watcher is told instead of a name.
    pub(super) fn device(number: usize) -> Self {
        Self(format!("device {number}").into())
    }
}

impl GroupName {
    /// From text.
    pub fn new(written: &str) -> Result<Self, Refusal> {
        free("group", written).map(Self)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whom a list or a permission is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Address {
    /// One user.
    User(UserName),
    /// All who are in this group at the moment of looking.
    Group(GroupName),
    /// All users.
    Everyone,
}

impl Address {
    /// From `user:…`, `group:…` or `everyone`.
    pub fn new(written: &str) -> Result<Self, Refusal> {
        if written == "everyone" {
            return Ok(Self::Everyone);
        }
        match written.split_once(':') {
            Some(("user", name)) => UserName::new(name)
                .map(Self::User)
                .map_err(|why| Refusal::malformed("address", why.to_string())),
            Some(("group", name)) => GroupName::new(name).map(Self::Group),
            _ => Err(Refusal::malformed(
                "address",
                format!(
                    "{} is no address; write user:NAME, group:NAME or everyone",
                    shown(written)
                ),
            )),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user:{}", name.as_str()),
            Self::Group(name) => write!(f, "group:{}", name.as_str()),
            Self::Everyone => f.write_str("everyone"),
        }
    }
}

impl fmt::Display for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// A phone's client name is its number, so these show their length only.
impl fmt::Debug for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<client of {} characters>", self.0.len())
    }
}

impl fmt::Debug for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<group of {} characters>", self.0.len())
    }
}

macro_rules! as_string {
    ($($word:ident named $named:literal by $written:expr, $pattern:literal, $description:literal;)*) => {$(
        impl Serialize for $word {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                let written: fn(&Self) -> Cow<'_, str> = $written;
                to.serialize_str(&written(self))
            }
        }

        impl<'de> Deserialize<'de> for $word {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let written = Cow::<'de, str>::deserialize(from)?;
                Self::new(&written).map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $word {
            fn schema_name() -> Cow<'static, str> {
                $named.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "description": $description, "pattern": $pattern})
            }
        }
    )*};
}

as_string! {
    AttributeName named "AttributeName" by |name| name.as_str().into(), "^[A-Za-z0-9._-]{1,32}:[A-Za-z0-9._-]{1,32}$",
        "An attribute, named within the entity that registers it: entity:name.";
    ClientName named "PresenceClient" by |name| name.as_str().into(), "^.{1,64}$", "A client of a user.";
    GroupName named "PresenceGroup" by |name| name.as_str().into(), "^.{1,64}$", "A group.";
    Address named "PresenceAddress" by |address| address.to_string().into(), "^(user:.+|group:.+|everyone)$",
        "Whom it is about: user:NAME, group:NAME or everyone.";
}

/// Which attributes are meant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Chosen {
    /// All of them, also those that come later.
    All,
    /// These, in order and each once.
    Names(Arc<[AttributeName]>),
}

/// Most attributes in a choice: as many as an owner can have values.
pub const MAX_CHOSEN: usize = 64;

impl Chosen {
    /// None at all.
    pub fn none() -> Self {
        Self::Names(Arc::from([]))
    }

    /// These attributes.
    pub fn names(mut names: Vec<AttributeName>) -> Result<Self, Refusal> {
        if names.len() > MAX_CHOSEN {
            return Err(Refusal::too_many("values", MAX_CHOSEN));
        }
        names.sort_unstable();
        names.dedup();
        Ok(Self::Names(names.into()))
    }

    /// Whether this attribute is among them.
    pub fn covers(&self, name: &AttributeName) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => names.binary_search(name).is_ok(),
        }
    }

    /// Whether it is none.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::Names(names) if names.is_empty())
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum AllWord {
    All,
}

/// As it is written: the word `all`, or a list.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum ChosenWritten {
    All(AllWord),
    Names(#[schemars(length(max = MAX_CHOSEN))] Vec<AttributeName>),
}

impl Serialize for Chosen {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => to.serialize_str("all"),
            Self::Names(names) => to.collect_seq(names.iter()),
        }
    }
}

impl<'de> Deserialize<'de> for Chosen {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match ChosenWritten::deserialize(from)? {
            ChosenWritten::All(AllWord::All) => Ok(Self::All),
            ChosenWritten::Names(names) => Self::names(names).map_err(D::Error::custom),
        }
    }
}

impl JsonSchema for Chosen {
    fn schema_name() -> Cow<'static, str> {
        "Chosen".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        ChosenWritten::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_is_named_within_its_entity() {
        let name = AttributeName::new("Sluice:Mood").unwrap();
        assert_eq!(name.as_str(), "sluice:mood");
        for wrong in [
            "mood",
            ":mood",
            "sluice:",
            "a:b:c",
            "sluice:mo od",
            "é:mood",
        ] {
            assert_eq!(AttributeName::new(wrong).unwrap_err().element, "name");
        }
    }

    #[test]
    fn addresses_are_written_as_they_are_read() {
        for written in ["user:anna", "group:Anglers of Oulu", "everyone"] {
            assert_eq!(Address::new(written).unwrap().to_string(), written);
        }
        assert!(Address::new("anna").is_err());
        assert!(Address::new("user:no one").is_err());
    }

    #[test]
    fn a_choice_is_all_or_a_list() {
        let all: Chosen = serde_json::from_str("\"all\"").unwrap();
        assert_eq!(all, Chosen::All);
        let some: Chosen = serde_json::from_str(r#"["b:b","a:a","b:b"]"#).unwrap();
        assert_eq!(serde_json::to_string(&some).unwrap(), r#"["a:a","b:b"]"#);
        assert!(some.covers(&AttributeName::new("a:a").unwrap()));
        assert!(!some.covers(&AttributeName::new("c:c").unwrap()));
        assert!(serde_json::from_str::<Chosen>("\"some\"").is_err());
    }
}
