//! Phones, as far as an SMSC knows them: what becomes of messages to them, and what they write.

use std::time::Duration;

use serde::Deserialize;

use crate::smsc::duration::{deserialize, deserialize_some};

/// What becomes of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The phone gets it.
    #[default]
    Delivered,
    /// It cannot be delivered.
    Undeliverable,
    /// The phone does not come back before its validity ends.
    Expired,
    /// An operator takes it out.
    Deleted,
    /// The network refuses it.
    Rejected,
    /// Somebody takes it for the phone.
    Accepted,
    /// The SMSC loses sight of it.
    Unknown,
    /// Nothing is heard of it again; the phone gets it.
    Silent,
    /// The SMSC refuses it at once: no such subscriber.
    Refused,
}

/// How a phone behaves.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Phones {
    /// What becomes of messages to it.
    pub fate: Fate,
    /// How long that takes.
    #[serde(deserialize_with = "deserialize")]
    pub after: Duration,
    /// The network's reason, in reports of a bad end.
    pub error: Option<u16>,
    /// How long it cannot be reached before that; whoever wishes to hear of passing faults does.
    #[serde(deserialize_with = "deserialize_some")]
    pub away: Option<Duration>,
    /// What it writes back to whatever it gets; `{text}` stands for that.
    pub answers: Option<String>,
}

/// A phone with a behaviour of its own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Phone {
    /// Its number.
    pub number: String,
    /// What becomes of messages to it.
    pub fate: Fate,
    /// How long that takes.
    #[serde(deserialize_with = "deserialize")]
    pub after: Duration,
    /// The network's reason, in reports of a bad end.
    pub error: Option<u16>,
    /// How long it cannot be reached before that.
    #[serde(deserialize_with = "deserialize_some")]
    pub away: Option<Duration>,
    /// What it writes back to whatever it gets.
    pub answers: Option<String>,
    /// What it writes by itself.
    pub says: Vec<Says>,
}

impl Phone {
    pub(super) fn behaviour(&self) -> Phones {
        Phones {
            fate: self.fate,
            after: self.after,
            error: self.error,
            away: self.away,
            answers: self.answers.clone(),
        }
    }
}

/// Something that a phone writes by itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Says {
    /// To whom.
    pub to: String,
    /// What; `{n}` stands for how often it was said, from 1.
    pub text: String,
    /// When first, counted from the simulator's start.
    #[serde(default, deserialize_with = "deserialize")]
    pub at: Duration,
    /// How often; without, once. `0s` means as fast as it is taken.
    #[serde(default, deserialize_with = "deserialize_some")]
    pub every: Option<Duration>,
    /// How many times; without, for ever.
    #[serde(default)]
    pub times: Option<u64>,
}

impl Says {
    /// The text of the time of this number.
    pub(super) fn text_of(&self, number: u64) -> String {
        self.text.replace("{n}", &number.to_string())
    }

    /// How many times at most.
    pub(super) fn most(&self) -> u64 {
        match self.every {
            None => 1,
            Some(_) => self.times.unwrap_or(u64::MAX),
        }
    }
}

/// A number without its `+`: two ways to write one phone.
pub(super) fn canonical(number: &str) -> &str {
    number.strip_prefix('+').unwrap_or(number)
}
