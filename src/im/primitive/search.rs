//! Searches, which find only those who want to be found (P13).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_false;
use crate::im::names::{Cursor, GroupName, Needle, Topic};
use crate::message::UserName;

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

/// `SearchUsers`; the answer is `UsersFound`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchUsers {
    /// Those whose name begins so.
    pub name: Needle,
    /// Where the page before ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
}

/// `UsersFound`: a page of users.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsersFound {
    /// In order of their names.
    pub users: Vec<UserName>,
    /// Where to go on; left out at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
}
