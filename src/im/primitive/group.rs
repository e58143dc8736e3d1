//! Groups: private ones by invitation, public ones by topic (P11, P12).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_false;
use crate::clock::WallTime;
use crate::im::limits::{MAX_NAMES, MAX_NOTE};
use crate::im::names::{GroupName, InviteId, ScreenName, Topic};
use crate::message::UserName;
use crate::presence::Chosen;

/// How people come into a group.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GroupKind {
    /// By invitation. Who is neither a member nor invited does not see that the group exists.
    Private,
    /// By its name or topic.
    Public,
}

/// What a member may do.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Reads, writes, shares content.
    Member,
    /// Also invites, removes members, and changes topic and description.
    Moderator,
    /// Everything; one in each group.
    Owner,
}

/// What describes a group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupProperties {
    /// How people come into it.
    pub kind: GroupKind,
    /// What it talks about; public groups are joined and found by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = MAX_NOTE))]
    pub description: String,
    /// What a new member is told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = MAX_NOTE))]
    pub welcome: String,
    /// Whether searches find it. Private groups are found by their members only.
    pub searchable: bool,
    /// Whether members that are not moderators may invite.
    pub members_invite: bool,
    /// How many members it takes.
    pub most_members: u32,
}

/// `CreateGroup`. Who creates it owns it, and is its first member.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateGroup {
    /// Its name; no two groups have the same.
    pub group: GroupName,
    /// How people come into it.
    pub kind: GroupKind,
    /// How its owner is called in it; left out, by the user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screen_name: Option<ScreenName>,
    /// The rest; left out, as the service has it by default.
    #[serde(default, skip_serializing_if = "GroupWishes::is_empty")]
    pub properties: GroupWishes,
}

/// Properties of a group to set; what is left out stays.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupWishes {
    /// What it talks about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MAX_NOTE))]
    pub description: Option<String>,
    /// What a new member is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MAX_NOTE))]
    pub welcome: Option<String>,
    /// Whether searches find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searchable: Option<bool>,
    /// Whether members that are not moderators may invite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members_invite: Option<bool>,
    /// How many members it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_members: Option<u32>,
}

impl GroupWishes {
    /// Whether nothing is wished.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `GetGroupInfo`; the answer is `GroupInfo`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetGroupInfo {
    /// Which group.
    pub group: GroupName,
    /// Members after this one, by screen name; left out, from the first. Members only see members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ScreenName>,
}

/// `GroupInfo`: a group as its reader may see it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupInfo {
    /// Its name.
    pub group: GroupName,
    /// What describes it.
    pub properties: GroupProperties,
    /// How many members it has.
    pub members: u32,
    /// When it was made.
    pub made_at: WallTime,
    /// The reader's own membership, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<MemberInfo>,
    /// Members, in order of their screen names; a page of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub page: Vec<MemberInfo>,
    /// Whether there are more behind this page.
    #[serde(default, skip_serializing_if = "is_false")]
    pub more: bool,
}

/// A member of a group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberInfo {
    /// How it is called in the group.
    pub name: ScreenName,
    /// The user, if the member shows it, and always to the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserName>,
    /// What it may do.
    pub role: Role,
}

/// `ModifyGroup`: changes properties, members and roles.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModifyGroup {
    /// Which group.
    pub group: GroupName,
    /// Properties to set.
    #[serde(default, skip_serializing_if = "GroupWishes::is_empty")]
    pub properties: GroupWishes,
    /// Members to remove.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_NAMES))]
    pub remove: Vec<ScreenName>,
    /// Whether those who are removed stay out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ban: bool,
    /// Users who may come back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_NAMES))]
    pub unban: Vec<UserName>,
    /// Members whose role changes. A new owner takes the place of the one who asks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_NAMES))]
    pub roles: Vec<RoleChange>,
}

/// A member's new role.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleChange {
    /// Who.
    pub name: ScreenName,
    /// What it may do from now on.
    pub role: Role,
}

/// `DeleteGroup`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteGroup {
    /// Which group.
    pub group: GroupName,
}

/// `InviteGroup`: asks users into a group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteGroup {
    /// Into which.
    pub group: GroupName,
    /// Whom.
    #[schemars(length(min = 1, max = MAX_NAMES))]
    pub users: Vec<UserName>,
    /// What they are told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = MAX_NOTE))]
    pub text: String,
}

/// `InviteUser`: the invitation, as the invited gets it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteUser {
    /// Which invitation.
    pub invite: InviteId,
    /// Into which group.
    pub group: GroupName,
    /// Who invites.
    pub from: UserName,
    /// What is said with it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = MAX_NOTE))]
    pub text: String,
    /// Until when it is good.
    pub valid_until: WallTime,
}

/// `InviteInfo`, from the invited: refuses an invitation (it is accepted by `JoinGroup`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefuseInvite {
    /// Which invitation.
    pub invite: InviteId,
    /// What the one who invited is told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = MAX_NOTE))]
    pub text: String,
}

/// `InviteInfo`, to the one who invited: what became of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteInfo {
    /// Which invitation.
    pub invite: InviteId,
    /// Into which group.
    pub group: GroupName,
    /// Who was invited.
    pub user: UserName,
    /// Whether the user has joined.
    pub joined: bool,
    /// What the user says to it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = MAX_NOTE))]
    pub text: String,
}

/// `JoinGroup`. The answer is `GroupInfo`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinGroup {
    /// Which group; left out, a public one with this topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    /// The topic of a public group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// How to be called there; left out, by the user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screen_name: Option<ScreenName>,
    /// Whether other members see the screen name only.
    #[serde(default, skip_serializing_if = "is_false")]
    pub anonymous: bool,
    /// Presence values that the other members may see from now on, as long as one is a member.
    #[serde(default = "Chosen::none", skip_serializing_if = "Chosen::is_none")]
    pub presence: Chosen,
}

/// `ModifyJoin`: changes one's own membership; what is left out stays.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModifyJoin {
    /// In which group.
    pub group: GroupName,
    /// How to be called there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screen_name: Option<ScreenName>,
    /// Whether other members see the screen name only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<bool>,
    /// The presence values that the other members may see, in place of those before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence: Option<Chosen>,
}

/// `LeaveGroup`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaveGroup {
    /// Which group.
    pub group: GroupName,
}

/// Why somebody is no longer in a group.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LeftBecause {
    /// By its own wish, from one of its points.
    Left,
    /// The owner or a moderator removed it.
    Removed,
    /// The group is no more.
    Deleted,
}

/// `GroupLeft`: the user is no longer in a group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupLeft {
    /// Which group.
    pub group: GroupName,
    /// Why.
    pub because: LeftBecause,
}

/// `GroupChange`: what happened in a group, for the members that have a point. Who comes back asks `GetGroupInfo`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupChange {
    /// Which group.
    pub group: GroupName,
    /// Who has joined, or is called or allowed otherwise than before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<MemberInfo>,
    /// Who has left, by the screen name it had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<ScreenName>,
    /// The properties, if they changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<GroupProperties>,
}
