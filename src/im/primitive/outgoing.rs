//! A primitive on its way to a client.

use std::fmt::{self, Write};
use std::sync::Arc;

use super::ToClient;
use crate::clock::WallTime;
use crate::im::log::Entry;
use crate::im::names::{Position, SessionId, TransactionId};

/// The transaction id of what goes to a client.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Tag {
    /// The answer to this transaction of the client.
    Answer(TransactionId),
    /// What could not be read had none.
    Unknown,
    /// An entry of the log; written `p` and its position.
    Log(Position),
    /// Something that is not kept; written `v` and a number.
    Volatile(u64),
}

/// What it says.
#[derive(Clone, PartialEq, Debug)]
pub enum Word {
    /// For this client alone.
    Own(ToClient),
    /// An entry of the log, shared with all who get it.
    Logged(Arc<Entry>),
    /// Something that is not kept, shared with all who get it.
    Shared(Arc<ToClient>),
}

/// A primitive to a client.
#[derive(Clone, PartialEq, Debug)]
pub struct Outgoing {
    /// What ties it to its request, or its answer to it.
    pub tag: Tag,
    /// Whose it is, where the connection has several sessions.
    pub session: Option<SessionId>,
    /// The entry of the log that it is, or stands for.
    pub position: Option<Position>,
    /// What it says.
    pub word: Word,
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(transaction) => transaction.fmt(f),
            Self::Unknown => f.write_str("?"),
            Self::Log(position) => write!(f, "p{position}"),
            Self::Volatile(number) => write!(f, "v{number}"),
        }
    }
}

impl Word {
    /// The primitive's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Own(word) => word.name(),
            Self::Shared(word) => word.name(),
            Self::Logged(entry) => entry.logged().name(),
        }
    }

    fn at(&self) -> Option<WallTime> {
        match self {
            Self::Own(_) | Self::Shared(_) => None,
            Self::Logged(entry) => Some(entry.at()),
        }
    }
}

impl Outgoing {
    /// As it is written on the line.
    pub fn to_json(&self) -> String {
        let own;
        let elements = match &self.word {
            Word::Own(word) => {
                own = word.elements_json();
                &own
            }
            Word::Shared(word) => {
                own = word.elements_json();
                &own
            }
            Word::Logged(entry) => entry.elements_json(),
        };
        let mut json = String::with_capacity(elements.len() + 160);
        json.push_str("{\"primitive\":\"");
        json.push_str(self.word.name());
        json.push('"');
        // Transaction ids may hold quotation marks; nothing else here can.
        if self.tag != Tag::Unknown {
            let tag = self.tag.to_string();
            let tag = serde_json::to_string(&tag).expect("a string is JSON");
            write(&mut json, format_args!(",\"transaction\":{tag}"));
        }
        if let Some(session) = self.session {
            write(&mut json, format_args!(",\"session\":\"{session}\""));
        }
        if let Some(position) = self.position {
            write(&mut json, format_args!(",\"position\":{position}"));
        }
        if let Some(at) = self.word.at() {
            write(&mut json, format_args!(",\"at\":\"{at}\""));
        }
        json.push_str(",\"elements\":");
        json.push_str(elements);
        json.push('}');
        json
    }
}

fn write(json: &mut String, what: fmt::Arguments<'_>) {
    json.write_fmt(what).expect("a string takes everything");
}
