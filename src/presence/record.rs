//! What is kept of the service: records under keys. Written over one another in order, they are the state.

use serde::{Deserialize, Serialize};

use super::name::{Address, AttributeName, Chosen, ClientName};
use super::permission::Permission;
use super::value::PresValue;
use crate::clock::WallTime;
use crate::message::UserName;

/// The number of a question to an owner; none is used twice.
pub type QuestionId = u64;

/// One thing that is kept.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Record {
    /// A value of an owner.
    Value {
        /// Whose.
        owner: UserName,
        /// All that was written of it.
        value: PresValue,
    },
    /// What an owner lets an address see.
    Permission {
        /// Whose values.
        owner: UserName,
        /// Who sees them.
        to: Address,
        /// Which.
        permission: Permission,
    },
    /// A watcher's subscription.
    Subscription {
        /// Who watches.
        watcher: UserName,
        /// Whom.
        owner: UserName,
        /// Which values.
        chosen: Chosen,
        /// When it lapses, if it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<WallTime>,
    },
    /// An open question.
    Question {
        /// Who is asked.
        owner: UserName,
        /// Its number.
        id: QuestionId,
        /// Who asks.
        from: UserName,
        /// For which values.
        chosen: Chosen,
        /// Since when.
        asked: WallTime,
    },
    /// A user who keeps out of searches.
    Hidden {
        /// Who.
        owner: UserName,
    },
    /// A user whom others see as if it were not there.
    Shut {
        /// Who.
        owner: UserName,
    },
}

/// Under which key a record is kept.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Key {
    /// Of a value.
    Value {
        /// Whose.
        owner: UserName,
        /// Which client's, if not the user's own.
        client: Option<ClientName>,
        /// The attribute.
        name: AttributeName,
    },
    /// Of a permission.
    Permission {
        /// Whose values.
        owner: UserName,
        /// Who sees them.
        to: Address,
    },
    /// Of a subscription.
    Subscription {
        /// Who watches.
        watcher: UserName,
        /// Whom.
        owner: UserName,
    },
    /// Of a question.
    Question {
        /// Who is asked.
        owner: UserName,
        /// Its number.
        id: QuestionId,
    },
    /// Of a user who keeps out of searches.
    Hidden {
        /// Who.
        owner: UserName,
    },
    /// Of a user whom others see as if it were not there.
    Shut {
        /// Who.
        owner: UserName,
    },
}

impl Record {
    /// Its key.
    pub fn key(&self) -> Key {
        match self {
            Self::Value { owner, value } => Key::Value {
                owner: owner.clone(),
                client: value.client.clone(),
                name: value.name.clone(),
            },
            Self::Permission { owner, to, .. } => Key::Permission {
                owner: owner.clone(),
                to: to.clone(),
            },
            Self::Subscription { watcher, owner, .. } => Key::Subscription {
                watcher: watcher.clone(),
                owner: owner.clone(),
            },
            Self::Question { owner, id, .. } => Key::Question {
                owner: owner.clone(),
                id: *id,
            },
            Self::Hidden { owner } => Key::Hidden {
                owner: owner.clone(),
            },
            Self::Shut { owner } => Key::Shut {
                owner: owner.clone(),
            },
        }
    }
}

/// What is to be kept from now on.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// This, in the place of what was under its key.
    Put {
        /// The record.
        record: Box<Record>,
        /// Whether it, and all before it, must be durable before the request is answered.
        urgent: bool,
    },
    /// Nothing any more under this key.
    Drop {
        /// The key.
        key: Key,
        /// Whether it, and all before it, must be durable before the request is answered.
        urgent: bool,
    },
}

impl Change {
    /// Whether others see a user as if it were not there.
    pub fn shut(user: &UserName, is_shut: bool) -> Self {
        let owner = user.clone();
        match is_shut {
            true => Self::Put {
                record: Box::new(Record::Shut { owner }),
                urgent: true,
            },
            false => Self::Drop {
                key: Key::Shut { owner },
                urgent: true,
            },
        }
    }

    /// Whether it, and all before it, must be durable before the request is answered: what it hides must not be seen
    /// again after a crash.
    pub const fn is_urgent(&self) -> bool {
        match self {
            Self::Put { urgent, .. } | Self::Drop { urgent, .. } => *urgent,
        }
    }

    /// The key that it is about.
    pub fn key(&self) -> Key {
        match self {
            Self::Put { record, .. } => record.key(),
            Self::Drop { key, .. } => key.clone(),
        }
    }

    /// What is under the key from now on.
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::Put { record, .. } => Some(record),
            Self::Drop { .. } => None,
        }
    }
}
