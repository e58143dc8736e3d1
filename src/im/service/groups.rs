//! Groups: making, describing, changing, deleting them (P12).

use std::collections::HashSet;
use std::sync::Arc;

use super::Caller;
use super::draft::{Answer, Draft, Refusal, Volatile};
use super::lists::{check_count, check_note};
use super::messages::not_a_member;
use crate::im::change::Change;
use crate::im::limits::MAX_PAGE;
use crate::im::log::{Entry, Logged};
use crate::im::names::{GroupName, ScreenName};
use crate::im::primitive::{
    CreateGroup, DeleteGroup, GetGroupInfo, GroupChange, GroupInfo, GroupKind, GroupLeft,
    GroupProperties, GroupWishes, ItemKind, LeftBecause, MemberInfo, ModifyGroup, Role, RoleChange,
    Status, ToClient,
};
use crate::im::record::{GroupRecord, MemberRecord, Members};
use crate::im::shelf::Shelved;
use crate::im::status::Code;
use crate::message::UserName;

/// A group in which the one who asks is a member.
pub(super) struct Membership {
    pub(super) record: GroupRecord,
    pub(super) members: Arc<Members>,
    pub(super) own: MemberRecord,
}

/// The group, if the one who asks is a member.
pub(super) fn membership(
    draft: &Draft<'_>,
    caller: &Caller,
    group: &GroupName,
) -> Result<Membership, Refusal> {
    let members = draft.shelf.members(group)?;
    let record = draft.shelf.group(group)?;
    match (record, members.get(&caller.user).cloned()) {
        (Some(record), Some(own)) => Ok(Membership {
            record,
            members,
            own,
        }),
        _ => Err(not_a_member(draft, group)?),
    }
}

impl Membership {
    /// Refuses who has less to say than that.
    pub(super) fn at_least(&self, role: Role) -> Result<(), Refusal> {
        if self.own.role < role {
            return Err(Code::NotPermitted.into());
        }
        Ok(())
    }
}

/// How a user may be called in a group that does not say how.
pub(super) fn default_name(user: &UserName) -> ScreenName {
    ScreenName::new(user.as_str()).expect("a user's name fits a screen name")
}

/// A member, as another one sees it.
pub(super) fn member_info(user: &UserName, member: &MemberRecord, sees_all: bool) -> MemberInfo {
    MemberInfo {
        name: member.name.clone(),
        user: (sees_all || !member.anonymous).then(|| user.clone()),
        role: member.role,
    }
}

/// Tells all members that have a point, but not the one who asked.
pub(super) fn tell(draft: &mut Draft<'_>, members: &Members, caller: &Caller, change: GroupChange) {
    let word: Arc<ToClient> = Arc::new(change.into());
    for (user, _) in members.iter() {
        draft.volatile.push(Volatile {
            user: user.clone(),
            except: caller.session,
            kind: ItemKind::Group,
            word: Arc::clone(&word),
        });
    }
}

/// Nothing has changed yet.
pub(super) const fn no_change(group: GroupName) -> GroupChange {
    GroupChange {
        group,
        joined: Vec::new(),
        left: Vec::new(),
        properties: None,
    }
}

/// Refuses what a user may not have more of.
pub(super) fn check_room_for_groups(draft: &Draft<'_>, user: &UserName) -> Result<(), Refusal> {
    let most = draft.config.groups.max_groups;
    let of = draft.shelf.groups_of(user, None, most as usize)?;
    if of.len() >= most as usize {
        return Err(Refusal::limit(
            Code::QuotaFull,
            "groups.max_groups",
            u64::from(most),
        ));
    }
    Ok(())
}

fn check_room_for_owned(draft: &Draft<'_>, user: &UserName) -> Result<(), Refusal> {
    let most = draft.config.groups.max_owned;
    let owned = draft.shelf.groups_owned(user, None, most as usize)?;
    if owned.len() >= most as usize {
        return Err(Refusal::limit(
            Code::QuotaFull,
            "groups.max_owned",
            u64::from(most),
        ));
    }
    Ok(())
}

fn apply(
    draft: &Draft<'_>,
    properties: &mut GroupProperties,
    wishes: GroupWishes,
) -> Result<(), Refusal> {
    if let Some(topic) = wishes.topic {
        properties.topic = Some(topic);
    }
    if let Some(description) = wishes.description {
        check_note("properties", &description)?;
        properties.description = description;
    }
    if let Some(welcome) = wishes.welcome {
        check_note("properties", &welcome)?;
        properties.welcome = welcome;
    }
    if let Some(most) = wishes.most_members {
        let allowed = draft.config.groups.max_members;
        if !(1..=allowed).contains(&most) {
            return Err(Status::bad_element("properties", "takes 1 member at least")
                .within("groups.max_members", u64::from(allowed))
                .into());
        }
        properties.most_members = most;
    }
    properties.searchable = wishes.searchable.unwrap_or(properties.searchable);
    properties.members_invite = wishes.members_invite.unwrap_or(properties.members_invite);
    Ok(())
}

pub(super) fn create(draft: &mut Draft<'_>, caller: &Caller, create: CreateGroup) -> Answer {
    if draft.shelf.group(&create.group)?.is_some() {
        return Err(Status::of(Code::GroupExists).at("group").into());
    }
    check_room_for_owned(draft, &caller.user)?;
    check_room_for_groups(draft, &caller.user)?;
    let is_public = create.kind == GroupKind::Public;
    let mut properties = GroupProperties {
        kind: create.kind,
        topic: None,
        description: String::new(),
        welcome: String::new(),
        searchable: is_public,
        members_invite: is_public,
        most_members: draft.config.groups.max_members,
    };
    apply(draft, &mut properties, create.properties)?;
    let record = GroupRecord {
        owner: caller.user.clone(),
        made_at: draft.now.wall,
        properties,
    };
    let own = MemberRecord {
        name: create
            .screen_name
            .unwrap_or_else(|| default_name(&caller.user)),
        role: Role::Owner,
        anonymous: false,
        joined_at: draft.now.wall,
    };
    let group = create.group;
    draft
        .changes
        .push(Change::Group(group.clone(), Some(record.clone())));
    draft.changes.push(Change::Member(
        group.clone(),
        caller.user.clone(),
        Some(own.clone()),
    ));
    let own = member_info(&caller.user, &own, true);
    Ok(GroupInfo {
        group,
        properties: record.properties,
        members: 1,
        made_at: record.made_at,
        own: Some(own.clone()),
        page: vec![own],
        more: false,
    }
    .into())
}

/// A group as one of its members sees it, or somebody who may see it at all.
pub(super) fn info(
    group: GroupName,
    record: GroupRecord,
    members: &Members,
    reader: &UserName,
    after: Option<&ScreenName>,
) -> GroupInfo {
    let own = members.get(reader);
    let sees_all = own.is_some_and(|own| own.role == Role::Owner);
    let mut page: Vec<MemberInfo> = Vec::new();
    let mut more = false;
    if own.is_some() {
        page = members
            .after(after)
            .take(MAX_PAGE + 1)
            .map(|(user, member)| member_info(user, member, sees_all || user == reader))
            .collect();
        more = page.len() > MAX_PAGE;
        page.truncate(MAX_PAGE);
    }
    GroupInfo {
        group,
        properties: record.properties,
        members: u32::try_from(members.len()).unwrap_or(u32::MAX),
        made_at: record.made_at,
        own: own.map(|own| member_info(reader, own, true)),
        page,
        more,
    }
}

/// Whether an invitation lets its holder see a group.
pub(super) fn is_invited(draft: &Draft<'_>, user: &UserName, group: &GroupName) -> Shelved<bool> {
    let invite = draft.shelf.invite(user, group)?;
    Ok(invite.is_some_and(|invite| draft.now.wall <= invite.valid_until))
}

pub(super) fn get_info(draft: &Draft<'_>, caller: &Caller, get: GetGroupInfo) -> Answer {
    let record = draft.shelf.group(&get.group)?;
    let members = draft.shelf.members(&get.group)?;
    let is_member = members.get(&caller.user).is_some();
    let is_invited = is_invited(draft, &caller.user, &get.group)?;
    let Some(record) = record.filter(|record| !record.is_private() || is_member || is_invited)
    else {
        return Err(Status::of(Code::UnknownGroup).at("group").into());
    };
    Ok(info(
        get.group,
        record,
        &members,
        &caller.user,
        get.after.as_ref(),
    )
    .into())
}

pub(super) fn modify(draft: &mut Draft<'_>, caller: &Caller, modify: ModifyGroup) -> Answer {
    check_count("remove", modify.remove.len())?;
    check_count("unban", modify.unban.len())?;
    check_count("roles", modify.roles.len())?;
    let mut membership = membership(draft, caller, &modify.group)?;
    membership.at_least(Role::Moderator)?;
    let group = modify.group;
    let wishes = modify.properties;
    let is_owners = wishes.searchable.is_some()
        || wishes.members_invite.is_some()
        || wishes.most_members.is_some()
        || !modify.roles.is_empty();
    if is_owners {
        membership.at_least(Role::Owner)?;
    }
    check_once("roles", modify.roles.iter().map(|change| &change.name))?;
    check_once("remove", modify.remove.iter())?;
    let mut told = no_change(group.clone());
    if !wishes.is_empty() {
        apply(draft, &mut membership.record.properties, wishes)?;
        told.properties = Some(membership.record.properties.clone());
    }
    let owner_before = membership.record.owner.clone();
    change_roles(
        draft,
        caller,
        &group,
        &mut membership,
        modify.roles,
        &mut told,
    )?;
    if told.properties.is_some() || membership.record.owner != owner_before {
        draft.changes.push(Change::Group(
            group.clone(),
            Some(membership.record.clone()),
        ));
    }
    for name in modify.remove {
        remove(draft, &group, &membership, name, modify.ban, &mut told)?;
    }
    for user in modify.unban {
        draft
            .changes
            .push(Change::Banned(group.clone(), user, false));
    }
    if told != no_change(group) {
        let mut others = Members::clone(&membership.members);
        for user in told
            .left
            .iter()
            .filter_map(|name| membership.members.called(name))
        {
            others.remove(user.0);
        }
        tell(draft, &others, caller, told);
    }
    Ok(Status::done().into())
}

/// Refuses a list that names a member twice: what it asks for would depend on the order, or be done twice.
fn check_once<'a>(
    element: &str,
    names: impl Iterator<Item = &'a ScreenName>,
) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Status::bad_element(element, "names a member twice").into());
        }
    }
    Ok(())
}

fn unknown_member(element: &str) -> Refusal {
    Status::of(Code::UnknownMember).at(element).into()
}

fn change_roles(
    draft: &mut Draft<'_>,
    caller: &Caller,
    group: &GroupName,
    membership: &mut Membership,
    roles: Vec<RoleChange>,
    told: &mut GroupChange,
) -> Result<(), Refusal> {
    for RoleChange { name, role } in roles {
        let Some((user, member)) = membership.members.called(&name) else {
            return Err(unknown_member("roles"));
        };
        if *user == caller.user {
            return Err(Status::of(Code::OwnerStays).at("roles").into());
        }
        let changed = MemberRecord {
            role,
            ..member.clone()
        };
        told.joined.push(member_info(user, &changed, false));
        draft
            .changes
            .push(Change::Member(group.clone(), user.clone(), Some(changed)));
        if role == Role::Owner {
            if membership.own.role != Role::Owner {
                return Err(Code::NotPermitted.into());
            }
            check_room_for_owned(draft, user)?;
            membership.record.owner = user.clone();
            membership.own.role = Role::Moderator;
            told.joined
                .push(member_info(&caller.user, &membership.own, false));
            draft.changes.push(Change::Member(
                group.clone(),
                caller.user.clone(),
                Some(membership.own.clone()),
            ));
        }
    }
    Ok(())
}

fn remove(
    draft: &mut Draft<'_>,
    group: &GroupName,
    membership: &Membership,
    name: ScreenName,
    ban: bool,
    told: &mut GroupChange,
) -> Result<(), Refusal> {
    let Some((user, member)) = membership.members.called(&name) else {
        return Err(unknown_member("remove"));
    };
    if member.role >= membership.own.role || *user == membership.record.owner {
        return Err(Status::of(Code::NotPermitted).at("remove").into());
    }
    draft
        .changes
        .push(Change::Member(group.clone(), user.clone(), None));
    if ban {
        draft
            .changes
            .push(Change::Banned(group.clone(), user.clone(), true));
    }
    let left = GroupLeft {
        group: group.clone(),
        because: LeftBecause::Removed,
    };
    let entry = Entry::new(draft.now.wall, Logged::GroupLeft(left));
    draft.append(user, &entry, None)?;
    told.left.push(name);
    Ok(())
}

pub(super) fn delete(draft: &mut Draft<'_>, caller: &Caller, delete: DeleteGroup) -> Answer {
    let membership = membership(draft, caller, &delete.group)?;
    membership.at_least(Role::Owner)?;
    draft
        .changes
        .push(Change::Group(delete.group.clone(), None));
    let left = GroupLeft {
        group: delete.group,
        because: LeftBecause::Deleted,
    };
    let entry = Entry::new(draft.now.wall, Logged::GroupLeft(left));
    for (user, _) in membership.members.iter() {
        draft.append(user, &entry, None)?;
    }
    Ok(Status::done().into())
}
