//! The log: one for each user, in order, and everything a user's points are fed from.
//!
//! What lies in it is what was said to the user and what the user said and did, each entry at its [`Position`]. Being
//! offline, having several devices and coming back after days are positions in the same log.

use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::names::{MessageId, Position};
use super::primitive::{
    ContentInfo, Delivered, GroupLeft, Incoming, InviteInfo, InviteUser, ItemKind, LeftBecause,
    Read, Recipient, Sent,
};
use crate::clock::WallTime;
use crate::message::UserName;

/// What an entry says: a primitive to the client.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "primitive", content = "elements")]
pub enum Logged {
    /// Somebody wrote.
    Message(Incoming),
    /// The user wrote.
    Sent(Sent),
    /// What became of what the user wrote.
    Delivered(Delivered),
    /// The user has read up to a position.
    Read(Read),
    /// The user is asked into a group.
    InviteUser(InviteUser),
    /// What became of an invitation of the user.
    InviteInfo(InviteInfo),
    /// The user is no longer in a group.
    GroupLeft(GroupLeft),
    /// Content of a group of the user.
    ContentInfo(ContentInfo),
}

impl Logged {
    /// The primitive's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Message(_) => "Message",
            Self::Sent(_) => "Sent",
            Self::Delivered(_) => "Delivered",
            Self::Read(_) => "Read",
            Self::InviteUser(_) => "InviteUser",
            Self::InviteInfo(_) => "InviteInfo",
            Self::GroupLeft(_) => "GroupLeft",
            Self::ContentInfo(_) => "ContentInfo",
        }
    }

    /// Which points want it.
    pub const fn kind(&self) -> ItemKind {
        match self {
            Self::Message(_) | Self::Sent(_) => ItemKind::Message,
            Self::Delivered(_) | Self::Read(_) => ItemKind::Report,
            Self::InviteUser(_) | Self::InviteInfo(_) | Self::GroupLeft(_) => ItemKind::Group,
            Self::ContentInfo(_) => ItemKind::Content,
        }
    }

    /// Whether the user itself did it.
    pub const fn is_own(&self) -> bool {
        matches!(
            self,
            Self::Sent(_)
                | Self::Read(_)
                | Self::GroupLeft(GroupLeft {
                    because: LeftBecause::Left,
                    ..
                })
        )
    }

    /// About how many octets it has as JSON.
    pub fn octets(&self) -> usize {
        // What names, ids and numbers take.
        const REST: usize = 256;
        REST + match self {
            Self::Message(Incoming { saying, .. }) | Self::Sent(Sent { saying, .. }) => {
                saying.text.expose().len()
            }
            Self::InviteUser(InviteUser { text, .. })
            | Self::InviteInfo(InviteInfo { text, .. }) => text.len(),
            Self::ContentInfo(ContentInfo {
                contents, deleted, ..
            }) => REST * (contents.len() + deleted.len()),
            Self::Delivered(_) | Self::Read(_) | Self::GroupLeft(_) => 0,
        }
    }

    fn elements_json(&self) -> String {
        let written = match self {
            Self::Message(elements) => serde_json::to_string(elements),
            Self::Sent(elements) => serde_json::to_string(elements),
            Self::Delivered(elements) => serde_json::to_string(elements),
            Self::Read(elements) => serde_json::to_string(elements),
            Self::InviteUser(elements) => serde_json::to_string(elements),
            Self::InviteInfo(elements) => serde_json::to_string(elements),
            Self::GroupLeft(elements) => serde_json::to_string(elements),
            Self::ContentInfo(elements) => serde_json::to_string(elements),
        };
        written.expect("primitives have string keys and no values that fail")
    }
}

/// An entry of a log. A message to many is one entry in many logs, and is written as JSON once.
#[derive(Debug)]
pub struct Entry {
    at: WallTime,
    logged: Logged,
    elements: OnceLock<String>,
}

impl Entry {
    /// What is said now.
    pub fn new(at: WallTime, logged: Logged) -> Arc<Self> {
        Arc::new(Self {
            at,
            logged,
            elements: OnceLock::new(),
        })
    }

    /// When it came to the log.
    pub const fn at(&self) -> WallTime {
        self.at
    }

    /// What it says.
    pub const fn logged(&self) -> &Logged {
        &self.logged
    }

    /// About how many octets it takes on the line.
    pub fn octets(&self) -> usize {
        self.logged.octets()
    }

    /// The elements of its primitive as JSON, made once however many read it.
    pub fn elements_json(&self) -> &str {
        self.elements.get_or_init(|| self.logged.elements_json())
    }

    /// As it is kept: its elements stand there as they do on the line, so that they are written once.
    pub fn kept_json(&self) -> String {
        let elements = self.elements_json();
        let mut kept = String::with_capacity(elements.len() + 80);
        let name = self.logged.name();
        write!(
            kept,
            r#"{{"at":"{}","primitive":"{name}","elements":{elements}}}"#,
            self.at
        )
        .expect("a string takes everything");
        kept
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at && self.logged == other.logged
    }
}

/// As it is kept, see [`Entry::kept_json`].
#[derive(Deserialize)]
struct Kept {
    at: WallTime,
    #[serde(flatten)]
    logged: Logged,
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let kept = Kept::deserialize(from)?;
        Ok(Self {
            at: kept.at,
            logged: kept.logged,
            elements: OnceLock::new(),
        })
    }
}

/// How far a log has come. All four move forward only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LogHead {
    /// Everything up to here is no longer kept.
    pub trimmed: Position,
    /// The last entry.
    pub last: Position,
    /// A point of the user has confirmed everything up to here.
    pub received: Position,
    /// The user has read up to here.
    pub read: Position,
}

impl LogHead {
    /// The first entry that is kept.
    pub const fn first(&self) -> Position {
        self.trimmed.next()
    }
}

/// That somebody waits for a report on an entry.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Due {
    /// Who.
    pub sender: UserName,
    /// On which message.
    pub message: MessageId,
    /// As whom the sender addressed the reader of this log; a member of a group stays one.
    pub recipient: Recipient,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_kept_as_json_and_comes_back() {
        let read = Logged::Read(Read {
            position: Position(7),
        });
        let entry = Entry::new(WallTime::from_unix_ms(1_795_248_785_123), read);
        let kept = entry.kept_json();
        assert_eq!(
            kept,
            r#"{"at":"2026-11-21T08:13:05.123Z","primitive":"Read","elements":{"position":7}}"#
        );
        assert_eq!(serde_json::from_str::<Entry>(&kept).unwrap(), *entry);
        assert_eq!(entry.elements_json(), r#"{"position":7}"#);
    }
}
