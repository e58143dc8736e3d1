//! Presence: values, who may see them, and watching them. `docs/presence.md` tells what they mean.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::WallTime;
use crate::message::UserName;
use crate::presence::{Address, Chosen, PresValue, QuestionId};

const fn all() -> Chosen {
    Chosen::All
}

/// `UpdatePresence`: all that is named is set, made or removed, or nothing; the answer is `Status`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdatePresence {
    /// Whose values; nobody else's than one's own can be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserName>,
    /// The values.
    pub values: Vec<PresValue>,
}

/// `GetPresence`; the answer is `Presence`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetPresence {
    /// Whose.
    pub user: UserName,
    /// Which.
    #[serde(default = "all")]
    pub values: Chosen,
}

/// `Presence`: all that one sees of the chosen values. Empty for whoever refused, has not answered, or is not there.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Presence {
    /// Whose.
    pub user: UserName,
    /// The values, by name.
    pub values: Vec<PresValue>,
}

/// `RequestPresAuth` from a client: asks a user to let one see values; the answer is `Status`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestPresAuth {
    /// Whose.
    pub user: UserName,
    /// Which.
    #[serde(default = "all")]
    pub values: Chosen,
}

/// `RequestPresAuth` to a client: somebody asks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PresAuthRequest {
    /// The question's number, for `AuthorizePres`.
    pub question: QuestionId,
    /// Who asks.
    pub user: UserName,
    /// For which values.
    pub values: Chosen,
}

/// `PresAuthSettled`: a question has its answer; points need not show it any more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PresAuthSettled {
    /// The question's number.
    pub question: QuestionId,
}

/// `AuthorizePres`: lets somebody see values or not, as an answer or ahead; the answer is `Status`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthorizePres {
    /// The question that this answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<QuestionId>,
    /// To whom; left out with a question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Address>,
    /// May be seen.
    #[serde(default = "Chosen::none", skip_serializing_if = "Chosen::is_none")]
    pub grant: Chosen,
    /// May not.
    #[serde(default = "Chosen::none", skip_serializing_if = "Chosen::is_none")]
    pub refuse: Chosen,
    /// Nothing is said about these any more.
    #[serde(default = "Chosen::none", skip_serializing_if = "Chosen::is_none")]
    pub forget: Chosen,
}

/// `SubsPresence`, also to renew; the answer is `Subscribed`, and `Presence` follows, now and at every update.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubsPresence {
    /// Whom.
    pub user: UserName,
    /// Which values.
    #[serde(default = "all")]
    pub values: Chosen,
    /// For how long, in seconds; left out, until `UnsubsPresence`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 34_560_000))]
    pub seconds: Option<u64>,
}

/// `Subscribed`: the subscription is there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscribed {
    /// To whom.
    pub user: UserName,
    /// When it lapses, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<WallTime>,
}

/// `UnsubsPresence`; the answer is `Status`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnsubsPresence {
    /// From whom.
    pub user: UserName,
}
