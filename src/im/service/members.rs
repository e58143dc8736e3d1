//! Membership: joining, changing how one is called, leaving (P11).

use super::Caller;
use super::draft::{Answer, Draft, Refusal};
use super::groups::{
    check_room_for_groups, default_name, info, member_info, membership, no_change, tell,
};
use crate::im::change::Change;
use crate::im::limits::MAX_PAGE;
use crate::im::log::{Entry, Logged};
use crate::im::names::{GroupName, Topic};
use crate::im::primitive::{
    GroupInfo, GroupLeft, InviteInfo, JoinGroup, LeaveGroup, LeftBecause, ModifyJoin, Role, Status,
};
use crate::im::record::{GroupRecord, InviteRecord, MemberRecord, Members};
use crate::im::status::Code;

/// How many pages of groups with one topic are looked through for one that takes another member.
const MOST_PAGES: usize = 10;

pub(super) fn join(
    draft: &mut Draft<'_>,
    caller: &Caller,
    join: JoinGroup,
) -> Result<GroupInfo, Refusal> {
    check_room_for_groups(draft, &caller.user)?;
    let group = match (join.group, join.topic) {
        (Some(group), _) => group,
        (None, Some(topic)) => by_topic(draft, caller, &topic)?,
        (None, None) => return Err(Status::of(Code::MissingElement).at("group").into()),
    };
    let record = draft.shelf.group(&group)?;
    let invite = draft.shelf.invite(&caller.user, &group)?;
    let is_banned = draft.shelf.is_banned(&group, &caller.user)?;
    let members = draft.shelf.members(&group)?;
    let record = may_join(draft, caller, record, invite.as_ref(), is_banned, &members)?;
    let name = join
        .screen_name
        .unwrap_or_else(|| default_name(&caller.user));
    if members.called(&name).is_some() {
        return Err(Status::of(Code::ScreenNameTaken).at("screen_name").into());
    }
    let own = MemberRecord {
        name,
        role: Role::Member,
        anonymous: join.anonymous,
        joined_at: draft.now.wall,
    };
    draft.changes.push(Change::Member(
        group.clone(),
        caller.user.clone(),
        Some(own.clone()),
    ));
    if let Some(invite) = invite {
        draft
            .changes
            .push(Change::Invite(caller.user.clone(), group.clone(), None));
        tell_inviter(draft, caller, &group, invite, true, String::new())?;
    }
    let mut now = Members::clone(&members);
    now.insert(caller.user.clone(), own.clone());
    let mut told = no_change(group.clone());
    told.joined.push(member_info(&caller.user, &own, false));
    tell(draft, &now, caller, told);
    Ok(info(group, record, &now, &caller.user, None))
}

/// The group, if the one who asks may come into it.
fn may_join(
    draft: &Draft<'_>,
    caller: &Caller,
    record: Option<GroupRecord>,
    invite: Option<&InviteRecord>,
    is_banned: bool,
    members: &Members,
) -> Result<GroupRecord, Refusal> {
    let unknown = || Status::of(Code::UnknownGroup).at("group");
    let record = record.ok_or_else(unknown)?;
    if members.get(&caller.user).is_some() {
        return Err(Code::AlreadyMember.into());
    }
    if record.is_private() {
        match invite {
            None => return Err(unknown().into()),
            Some(invite) if draft.now.wall > invite.valid_until => {
                return Err(Code::UnknownInvite.into());
            }
            Some(_) => {}
        }
    }
    if is_banned {
        let code = if record.is_private() {
            Code::UnknownGroup
        } else {
            Code::NotPermitted
        };
        return Err(Status::of(code).at("group").into());
    }
    if members.len() >= record.properties.most_members as usize {
        return Err(Code::GroupFull.into());
    }
    Ok(record)
}

/// A public group with a topic that takes another member.
fn by_topic(draft: &Draft<'_>, caller: &Caller, topic: &Topic) -> Result<GroupName, Refusal> {
    let mut after: Option<GroupName> = None;
    for _ in 0..MOST_PAGES {
        let page = draft.shelf.groups_about(topic, after.as_ref(), MAX_PAGE)?;
        for group in &page {
            let Some(record) = draft.shelf.group(group)? else {
                continue;
            };
            let members = draft.shelf.members(group)?;
            let is_open = !record.is_private()
                && members.len() < record.properties.most_members as usize
                && members.get(&caller.user).is_none();
            if is_open && !draft.shelf.is_banned(group, &caller.user)? {
                return Ok(group.clone());
            }
        }
        match page.last() {
            Some(last) if page.len() == MAX_PAGE => after = Some(last.clone()),
            _ => break,
        }
    }
    Err(Status::of(Code::UnknownGroup).at("topic").into())
}

/// What became of an invitation, for the one who invited.
pub(super) fn tell_inviter(
    draft: &mut Draft<'_>,
    caller: &Caller,
    group: &GroupName,
    invite: InviteRecord,
    joined: bool,
    text: String,
) -> Result<(), Refusal> {
    let told = InviteInfo {
        invite: invite.invite,
        group: group.clone(),
        user: caller.user.clone(),
        joined,
        text,
    };
    let entry = Entry::new(draft.now.wall, Logged::InviteInfo(told));
    draft.append(&invite.from, &entry, None)?;
    Ok(())
}

pub(super) fn modify(draft: &mut Draft<'_>, caller: &Caller, modify: ModifyJoin) -> Answer {
    let membership = membership(draft, caller, &modify.group)?;
    let mut own = membership.own;
    let before = own.name.clone();
    if let Some(name) = modify.screen_name
        && name != own.name
    {
        if membership.members.called(&name).is_some() {
            return Err(Status::of(Code::ScreenNameTaken).at("screen_name").into());
        }
        own.name = name;
    }
    own.anonymous = modify.anonymous.unwrap_or(own.anonymous);
    draft.changes.push(Change::Member(
        modify.group.clone(),
        caller.user.clone(),
        Some(own.clone()),
    ));
    let mut told = no_change(modify.group);
    if own.name != before {
        told.left.push(before);
    }
    told.joined.push(member_info(&caller.user, &own, false));
    tell(draft, &membership.members, caller, told);
    Ok(Status::done().into())
}

pub(super) fn leave(draft: &mut Draft<'_>, caller: &Caller, leave: LeaveGroup) -> Answer {
    let membership = membership(draft, caller, &leave.group)?;
    if membership.own.role == Role::Owner {
        return Err(Code::OwnerStays.into());
    }
    draft.changes.push(Change::Member(
        leave.group.clone(),
        caller.user.clone(),
        None,
    ));
    let mut told = no_change(leave.group.clone());
    told.left.push(membership.own.name);
    let mut others = Members::clone(&membership.members);
    others.remove(&caller.user);
    tell(draft, &others, caller, told);
    let left = GroupLeft {
        group: leave.group,
        because: LeftBecause::Left,
    };
    let entry = Entry::new(draft.now.wall, Logged::GroupLeft(left));
    let position = draft.append(&caller.user, &entry, None)?;
    let mut reply: super::Reply = Status::done().into();
    reply.stands_for = Some(position);
    Ok(reply)
}
