//! Searches, which find only those who want to be found (P13).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_false;
use crate::im::names::{Cursor, GroupName, Needle, Topic};
use crate::message::UserName;
use crate::presence::AttributeName;

/// What groups are looked for by. One at a time: each is an index.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GroupQuery {
    /// Those with this topic.
    Topic(Topic),
    /// Those whose name begins so.
    Name(Needle),
    /// Those that this user owns: one's own; of another, if that user allows it, the public ones.
    Owner(UserName),
    /// Those that this user is a member of: one's own; of another, if that user allows it, the public ones.
    Member(UserName),
}

/// `SearchGroup`; the answer is `GroupsFound`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchGroup {
    /// What to look for.
    pub by: GroupQuery,
    /// Where the page before ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
}

/// `GroupsFound`: a page of groups.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupsFound {
    /// In order of their names.
    pub groups: Vec<GroupFound>,
    /// Where to go on; left out at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
}

/// A group that was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupFound {
    /// Its name.
    pub group: GroupName,
    /// What it talks about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// How many members it has.
    pub members: u32,
    /// Whether it takes another one without an invitation.
    #[serde(default, skip_serializing_if = "is_false")]
    pub open: bool,
}

/// A presence value that the searcher sees is this.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PresenceIs {
    /// The attribute.
    pub name: AttributeName,
    /// Its text, capitals or not.
    #[schemars(length(max = 1024))]
    pub value: String,
}

/// `SearchUsers`, by name, by presence, or by both; the answer is `UsersFound`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchUsers {
    /// Those whose name begins so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Needle>,
    /// Those whose presence is all of this, as far as one sees it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = crate::presence::MAX_CONDITIONS))]
    pub presence: Vec<PresenceIs>,
    /// Where the page before ended, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
    /// From where the answer before said to go on, by presence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub from: Option<String>,
}

/// `UsersFound`: a page of users.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsersFound {
    /// By name: in order of their names.
    pub users: Vec<UserName>,
    /// Where to go on, by name; left out at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
    /// Where to go on, by presence; left out at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub from: Option<String>,
}
