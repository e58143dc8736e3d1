//! What is said at the desk: requests, replies, entries of the inbox, as lines of JSON. `docs/desk.md` shows them.

use serde::{Deserialize, Serialize};

/// What is asked of the desk, one object a line.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "do")]
pub enum Request {
    /// Send a text to a phone.
    Send(Hand),
    /// Give what came, from after this number on, and go on with what comes.
    Inbox {
        /// The number of the last entry that is known.
        #[serde(default)]
        after: u64,
    },
    /// Everything up to this number can go.
    Taken {
        /// The number of the last entry that is not needed any more.
        up_to: u64,
    },
}

/// A text for a phone.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hand {
    /// Sent once more under the same key it is the same text, and goes once. At most 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Who is shown as its sender: a short code, a number with `+`, or a name. Default: the first short code of a lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The phone, as in `+358401234567`.
    pub to: String,
    /// The text.
    pub text: String,
    /// Whether its fate is told in the inbox. Default no.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub report: bool,
    /// How long it is worth sending, as in `2h`. Default: as configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validity: Option<String>,
}

/// What the desk answers, one object a line.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The text is durable, under this identity.
    Stored {
        /// Its identity, for `sluice trace`.
        id: String,
        /// The key that it was given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// It was not taken.
    Refused {
        /// Why.
        why: String,
        /// The key that it was given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// Whether it may be taken later.
        later: bool,
    },
    /// Up to here the inbox is empty now.
    Taken {
        /// That number.
        up_to: u64,
    },
    /// An entry of the inbox.
    Entry(Entry),
}

/// One entry of the inbox.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1.
    pub number: u64,
    /// When it came, RFC 3339.
    pub at: String,
    /// What it is.
    #[serde(flatten)]
    pub what: What,
}

/// What an entry of the inbox is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A phone wrote.
    Message {
        /// The phone.
        from: String,
        /// What it wrote to.
        to: String,
        /// The text; where parts of it never came, `[...]` stands for them.
        text: String,
        /// Over which lane it came.
        lane: String,
        /// Which parts never came, if any.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missing: Vec<u8>,
    },
    /// How far a text has come.
    Fate {
        /// Its identity.
        id: String,
        /// The key that it was handed in with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// `sent`, `delivered`, `refused`, `expired`, `undeliverable`, `doubtful`, `lost` …
        state: String,
        /// More about it, in words.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        why: String,
    },
}
