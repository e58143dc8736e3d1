//! Phones of a user: registering one, proving it by the code that it was sent, taking it off again (G16).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::message::PhoneNumber;

/// When a phone gets what is written to its user.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Forward {
    /// Always.
    Always,
    /// When the user has no other point.
    #[default]
    WhenAway,
    /// Never; the phone is for writing only.
    Never,
}

/// `AddPhone`: the phone is sent a code. The answer says nothing about whose it has been.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddPhone {
    /// Which phone.
    pub phone: PhoneNumber,
}

/// `ProvePhone`: gives the code back; the phone is the user's from then on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvePhone {
    /// Which phone.
    pub phone: PhoneNumber,
    /// The code.
    #[schemars(length(max = 16))]
    pub code: String,
}

/// `ModifyPhone`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModifyPhone {
    /// Which phone.
    pub phone: PhoneNumber,
    /// When it gets what is written to the user.
    pub forward: Forward,
}

/// `RemovePhone`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemovePhone {
    /// Which phone.
    pub phone: PhoneNumber,
}

/// `GetPhones`; the answer is `Phones`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetPhones {}

/// `Phones`: the user's phones.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Phones {
    /// All of them.
    pub phones: Vec<OwnPhone>,
}

/// One phone of the user.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnPhone {
    /// Which.
    pub phone: PhoneNumber,
    /// When it gets what is written to the user.
    pub forward: Forward,
    /// Whether it is signed in; its user does that by SMS.
    pub signed_in: bool,
}
