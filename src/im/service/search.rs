//! Searches. Each goes along one index, looks at a bounded number of names, and says where to go on (P13).

use super::Caller;
use super::cursor;
use super::draft::{Answer, Draft, Refusal};
use super::reach::reachable;
use crate::im::limits::MAX_PAGE;
use crate::im::names::{Cursor, GroupName};
use crate::im::primitive::{
    GroupFound, GroupQuery, GroupsFound, SearchGroup, SearchUsers, Status, UsersFound,
};
use crate::im::record::GroupRecord;
use crate::im::shelf::Shelved;
use crate::im::status::Code;
use crate::message::{Refused, UserName};

/// The name behind which a search goes on.
fn behind<T>(
    secret: &[u8; 32],
    after: Option<&Cursor>,
    read: impl FnOnce(&str) -> Result<T, Refused>,
) -> Result<Option<T>, Refusal> {
    let Some(after) = after else {
        return Ok(None);
    };
    let name = cursor::open(secret, after)?;
    let name = read(&name).map_err(|why| Status::bad_element("after", &why.to_string()))?;
    Ok(Some(name))
}

/// Whether somebody's groups are looked through: of others only if they are reached and allow it.
fn lets_look(draft: &Draft<'_>, caller: &Caller, user: &UserName) -> Shelved<bool> {
    let record = reachable(draft, &caller.user, user)?;
    let allows = record.is_some_and(|record| record.settings.groups_searchable);
    Ok(*user == caller.user || allows)
}

pub(super) fn groups(
    draft: &Draft<'_>,
    caller: &Caller,
    secret: &[u8; 32],
    search: SearchGroup,
) -> Answer {
    let after = behind(secret, search.after.as_ref(), GroupName::new)?;
    let after = after.as_ref();
    let shelf = draft.shelf;
    let names = match &search.by {
        GroupQuery::Topic(topic) => shelf.groups_about(topic, after, MAX_PAGE)?,
        GroupQuery::Name(prefix) => shelf.groups_called(prefix, after, MAX_PAGE)?,
        GroupQuery::Owner(user) if lets_look(draft, caller, user)? => {
            shelf.groups_owned(user, after, MAX_PAGE)?
        }
        GroupQuery::Member(user) if lets_look(draft, caller, user)? => {
            shelf.groups_of(user, after, MAX_PAGE)?
        }
        GroupQuery::Owner(_) | GroupQuery::Member(_) => Vec::new(),
    };
    let is_full = names.len() == MAX_PAGE;
    let last = names.last().filter(|_| is_full);
    let last = last.map(|name| cursor::seal(secret, name.as_str()));
    let of_member = match search.by {
        GroupQuery::Owner(user) | GroupQuery::Member(user) if user != caller.user => Some(user),
        _ => None,
    };
    let mut found = Vec::new();
    for group in names {
        let Some(record) = shelf.group(&group)? else {
            continue;
        };
        let members = shelf.members(&group)?;
        let is_own = members.get(&caller.user).is_some();
        let is_hidden = of_member
            .as_ref()
            .and_then(|user| members.get(user))
            .is_some_and(|member| member.anonymous);
        if is_found(&record, is_own) && !is_hidden {
            found.push(found_group(group, &record, members.len())?);
        }
    }
    Ok(GroupsFound {
        groups: found,
        after: last,
    }
    .into())
}

/// One's own groups are always found; others if they want to be.
fn is_found(record: &GroupRecord, is_own: bool) -> bool {
    is_own || (!record.is_private() && record.properties.searchable)
}

fn found_group(group: GroupName, record: &GroupRecord, members: usize) -> Shelved<GroupFound> {
    Ok(GroupFound {
        group,
        topic: record.properties.topic.clone(),
        members: u32::try_from(members).unwrap_or(u32::MAX),
        open: !record.is_private() && members < record.properties.most_members as usize,
    })
}

/// By name alone.
pub(super) fn users(
    draft: &Draft<'_>,
    caller: &Caller,
    secret: &[u8; 32],
    search: &SearchUsers,
) -> Answer {
    let Some(name) = &search.name else {
        return Err(Status::of(Code::MissingElement).at("name").into());
    };
    let after = behind(secret, search.after.as_ref(), UserName::new)?;
    let names = draft.shelf.users_called(name, after.as_ref(), MAX_PAGE)?;
    let is_full = names.len() == MAX_PAGE;
    let last = names.last().filter(|_| is_full);
    let last = last.map(|name| cursor::seal(secret, name.as_str()));
    // As much is read for a page of nobody as for one of people who hid: how long it takes tells nothing of them.
    for _ in names.len()..MAX_PAGE {
        reachable(draft, &caller.user, &caller.user)?;
    }
    let mut users = Vec::new();
    for user in names {
        let record = reachable(draft, &caller.user, &user)?;
        // A phone's number is found by who knows it already.
        let wants = record.is_some_and(|record| record.settings.searchable);
        if wants && !super::reach::is_phone(&user) {
            users.push(user);
        }
    }
    Ok(UsersFound {
        users,
        after: last,
        from: None,
    }
    .into())
}
