//! Buddy lists, blocking, and what a user shows of itself (P10, P13).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::message::Contact;
use crate::im::limits::MAX_NAMES;
use crate::im::names::ListName;

/// `CreateList`: a new buddy list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateList {
    /// Its name, among the user's own lists.
    pub list: ListName,
    /// Who is on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_NAMES))]
    pub buddies: Vec<Contact>,
}

/// `ModifyList`: changes a buddy list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModifyList {
    /// Which.
    pub list: ListName,
    /// Whom to put on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_NAMES))]
    pub add: Vec<Contact>,
    /// Whom to take off it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_NAMES))]
    pub remove: Vec<Contact>,
    /// Its new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rename: Option<ListName>,
}

/// `DeleteList`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteList {
    /// Which.
    pub list: ListName,
}

/// `GetLists`: the user's own lists.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetLists {
    /// One of them; left out, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<ListName>,
}

/// `Lists`: the answer to `GetLists`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lists {
    /// In order of their names.
    pub lists: Vec<BuddyList>,
}

/// A buddy list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BuddyList {
    /// Its name.
    pub list: ListName,
    /// Who is on it.
    pub buddies: Vec<Contact>,
}

/// `ModifyBlocks`: whom the user wants to hear nothing of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModifyBlocks {
    /// Whom to block.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_NAMES))]
    pub add: Vec<Contact>,
    /// Whom to hear again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_NAMES))]
    pub remove: Vec<Contact>,
}

/// `GetBlocks`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetBlocks {}

/// `Blocks`: the answer to `GetBlocks`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Blocks {
    /// Who is blocked.
    pub blocked: Vec<Contact>,
}

/// From whom a user takes messages and invitations.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// From everybody that is not blocked.
    #[default]
    Everybody,
    /// From those on a buddy list only. To all others it is as if there were no such user.
    Buddies,
}

/// What a user shows of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Who reaches the user.
    pub reach: Reach,
    /// Whether searches find the user.
    pub searchable: bool,
    /// Whether searches for groups by member find the user's public groups.
    pub groups_searchable: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            reach: Reach::Everybody,
            searchable: true,
            groups_searchable: false,
        }
    }
}

/// `GetSettings`; the answer is `Settings`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetSettings {}

/// `ModifySettings`: what is left out stays.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModifySettings {
    /// Who reaches the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
    /// Whether searches find the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searchable: Option<bool>,
    /// Whether searches for groups by member find the user's public groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_searchable: Option<bool>,
}
