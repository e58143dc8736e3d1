//! Invitations to groups (P11).

use super::Caller;
use super::draft::{Answer, Draft};
use super::groups::membership;
use super::lists::{check_count, check_note};
use super::members::tell_inviter;
use super::reach::reachable;
use crate::im::chance::Chance;
use crate::im::change::Change;
use crate::im::log::{Entry, Logged};
use crate::im::names::{GroupName, InviteId};
use crate::im::primitive::{
    Failed, InviteGroup, InviteUser, Recipient, RefuseInvite, Role, Status,
};
use crate::im::record::InviteRecord;
use crate::im::shelf::Shelved;
use crate::im::status::Code;
use crate::message::UserName;

pub(super) fn invite(
    draft: &mut Draft<'_>,
    caller: &Caller,
    chance: &mut Chance,
    invite: InviteGroup,
) -> Answer {
    check_count("users", invite.users.len())?;
    check_note("text", &invite.text)?;
    if invite.users.is_empty() {
        return Err(Status::bad_element("users", "is empty").into());
    }
    let membership = membership(draft, caller, &invite.group)?;
    if !membership.record.properties.members_invite {
        membership.at_least(Role::Moderator)?;
    }
    let mut failed = Vec::new();
    let mut users = invite.users;
    users.sort_unstable();
    users.dedup();
    for user in users {
        let member = membership.members.get(&user);
        if member.is_some_and(|member| !member.anonymous) {
            let recipient = Recipient::User(user);
            failed.push(Failed {
                recipient,
                code: Code::AlreadyMember,
            });
            continue;
        }
        let is_member = member.is_some();
        if let Some(code) = cannot_invite(draft, caller, &invite.group, &user)? {
            let recipient = Recipient::User(user);
            failed.push(Failed { recipient, code });
            continue;
        }
        if is_member {
            // Whoever is there without a name looks like somebody who was invited and has not answered.
            continue;
        }
        let id = InviteId::new(draft.now.wall, chance.octets());
        let valid_until = draft.now.wall + draft.config.groups.invite_good_for;
        let record = InviteRecord {
            invite: id,
            from: caller.user.clone(),
            valid_until,
        };
        draft.changes.push(Change::Invite(
            user.clone(),
            invite.group.clone(),
            Some(record),
        ));
        let told = InviteUser {
            invite: id,
            group: invite.group.clone(),
            from: caller.user.clone(),
            text: invite.text.clone(),
            valid_until,
        };
        let entry = Entry::new(draft.now.wall, Logged::InviteUser(told));
        draft.append(&user, &entry, None)?;
    }
    if failed.is_empty() {
        return Ok(Status::done().into());
    }
    let mut status = Status::of(Code::PartlyDone);
    status.failed = failed;
    Ok(status.into())
}

/// Why a user cannot be invited, if so. Who is banned looks like who is not there: only moderators know of bans.
fn cannot_invite(
    draft: &mut Draft<'_>,
    caller: &Caller,
    group: &GroupName,
    user: &UserName,
) -> Shelved<Option<Code>> {
    let is_reached = reachable(draft, &caller.user, user)?.is_some();
    // Looked for in any case: it tells the same however long it takes.
    let is_banned = draft.shelf.is_banned(group, user)?;
    if !is_reached || is_banned {
        return Ok(Some(Code::UnknownRecipient));
    }
    let most = draft.config.groups.max_invites as usize;
    let mut open = draft.shelf.invites_of(user, most)?;
    // What has lapsed makes room.
    let now = draft.now.wall;
    open.retain(|(to, invite)| {
        let is_open = now <= invite.valid_until;
        if !is_open && to != group {
            draft
                .changes
                .push(Change::Invite(user.clone(), to.clone(), None));
        }
        is_open
    });
    let is_again = open.iter().any(|(to, _)| to == group);
    if open.len() >= most && !is_again {
        return Ok(Some(Code::InboxFull));
    }
    Ok(draft.is_full(user)?.then_some(Code::InboxFull))
}

pub(super) fn refuse(draft: &mut Draft<'_>, caller: &Caller, refuse: RefuseInvite) -> Answer {
    check_note("text", &refuse.text)?;
    let most = draft.config.groups.max_invites as usize;
    let open = draft.shelf.invites_of(&caller.user, most)?;
    let found = open
        .into_iter()
        .find(|(_, invite)| invite.invite == refuse.invite);
    let Some((group, invite)) = found else {
        return Err(Status::of(Code::UnknownInvite).at("invite").into());
    };
    draft
        .changes
        .push(Change::Invite(caller.user.clone(), group.clone(), None));
    tell_inviter(draft, caller, &group, invite, false, refuse.text)?;
    Ok(Status::done().into())
}
