//! Buddy lists, blocks and settings (P10, P13). All of them are their owner's alone.

use super::Caller;
use super::draft::{Answer, Draft, Refusal};
use super::reach::canonical;
use crate::im::change::Change;
use crate::im::limits::MAX_NAMES;
use crate::im::names::ListName;
use crate::im::primitive::{
    Blocks, BuddyList, Contact, CreateList, DeleteList, GetLists, Lists, ModifyBlocks, ModifyList,
    ModifySettings, Status,
};
use crate::im::record::{ListRecord, UserRecord};
use crate::im::status::Code;

/// Refuses more names than one request may carry.
pub(super) fn check_count(element: &str, count: usize) -> Result<(), Refusal> {
    if count > MAX_NAMES {
        return Err(
            Status::bad_element(element, "has more names than one request may carry")
                .within("max_names", MAX_NAMES as u64)
                .into(),
        );
    }
    Ok(())
}

/// Refuses a description that is too long.
pub(super) fn check_note(element: &str, note: &str) -> Result<(), Refusal> {
    let most = crate::im::limits::MAX_NOTE;
    if note.len() > most {
        return Err(Status::of(Code::TextTooLong)
            .at(element)
            .within("max_note", most as u64)
            .into());
    }
    Ok(())
}

fn add(record: &mut ListRecord, buddies: Vec<Contact>) {
    for buddy in buddies.into_iter().map(canonical) {
        if !record.buddies.contains(&buddy) {
            record.buddies.push(buddy);
        }
    }
}

fn check_size(draft: &Draft<'_>, record: &ListRecord) -> Result<(), Refusal> {
    let most = draft.config.max_buddies;
    if record.buddies.len() > most as usize {
        return Err(Refusal::limit(
            Code::QuotaFull,
            "max_buddies",
            u64::from(most),
        ));
    }
    Ok(())
}

fn list_of(draft: &Draft<'_>, caller: &Caller, list: &ListName) -> Result<ListRecord, Refusal> {
    let record = draft.shelf.list(&caller.user, list)?;
    record.ok_or_else(|| Status::of(Code::UnknownList).at("list").into())
}

pub(super) fn create(draft: &mut Draft<'_>, caller: &Caller, create: CreateList) -> Answer {
    check_count("buddies", create.buddies.len())?;
    if draft.shelf.list(&caller.user, &create.list)?.is_some() {
        return Err(Status::of(Code::ListExists).at("list").into());
    }
    let most = draft.config.max_lists;
    if draft.shelf.lists(&caller.user)?.len() >= most as usize {
        return Err(Refusal::limit(
            Code::QuotaFull,
            "max_lists",
            u64::from(most),
        ));
    }
    let mut record = ListRecord::default();
    add(&mut record, create.buddies);
    check_size(draft, &record)?;
    draft
        .changes
        .push(Change::List(caller.user.clone(), create.list, Some(record)));
    Ok(Status::done().into())
}

pub(super) fn modify(draft: &mut Draft<'_>, caller: &Caller, modify: ModifyList) -> Answer {
    check_count("add", modify.add.len())?;
    check_count("remove", modify.remove.len())?;
    let mut record = list_of(draft, caller, &modify.list)?;
    let gone: Vec<Contact> = modify.remove.into_iter().map(canonical).collect();
    record.buddies.retain(|buddy| !gone.contains(buddy));
    add(&mut record, modify.add);
    check_size(draft, &record)?;
    let name = match modify.rename {
        Some(name) if name != modify.list => {
            if draft.shelf.list(&caller.user, &name)?.is_some() {
                return Err(Status::of(Code::ListExists).at("rename").into());
            }
            draft
                .changes
                .push(Change::List(caller.user.clone(), modify.list, None));
            name
        }
        _ => modify.list,
    };
    draft
        .changes
        .push(Change::List(caller.user.clone(), name, Some(record)));
    Ok(Status::done().into())
}

pub(super) fn delete(draft: &mut Draft<'_>, caller: &Caller, delete: DeleteList) -> Answer {
    list_of(draft, caller, &delete.list)?;
    draft
        .changes
        .push(Change::List(caller.user.clone(), delete.list, None));
    Ok(Status::done().into())
}

pub(super) fn get(draft: &Draft<'_>, caller: &Caller, get: GetLists) -> Answer {
    let lists = match get.list {
        Some(list) => {
            let buddies = list_of(draft, caller, &list)?.buddies;
            vec![BuddyList { list, buddies }]
        }
        None => draft
            .shelf
            .lists(&caller.user)?
            .into_iter()
            .map(|(list, ListRecord { buddies })| BuddyList { list, buddies })
            .collect(),
    };
    Ok(Lists { lists }.into())
}

pub(super) fn modify_blocks(
    draft: &mut Draft<'_>,
    caller: &Caller,
    modify: ModifyBlocks,
) -> Answer {
    check_count("add", modify.add.len())?;
    check_count("remove", modify.remove.len())?;
    let user = &caller.user;
    for other in modify.remove.into_iter().map(canonical) {
        draft
            .changes
            .push(Change::Blocked(user.clone(), other, false));
    }
    let most = draft.config.max_blocked as usize;
    let known = draft.shelf.blocked(user, most + 1)?.len();
    if known + modify.add.len() > most {
        return Err(Refusal::limit(Code::QuotaFull, "max_blocked", most as u64));
    }
    for other in modify.add.into_iter().map(canonical) {
        draft
            .changes
            .push(Change::Blocked(user.clone(), other, true));
    }
    Ok(Status::done().into())
}

pub(super) fn get_blocks(draft: &Draft<'_>, caller: &Caller) -> Answer {
    let most = draft.config.max_blocked as usize;
    let blocked = draft.shelf.blocked(&caller.user, most)?;
    Ok(Blocks { blocked }.into())
}

fn own_record(draft: &Draft<'_>, caller: &Caller) -> Result<UserRecord, Refusal> {
    let record = draft.shelf.user(&caller.user)?;
    record.ok_or_else(|| Code::UnknownSession.into())
}

pub(super) fn modify_settings(
    draft: &mut Draft<'_>,
    caller: &Caller,
    modify: &ModifySettings,
) -> Answer {
    let mut record = own_record(draft, caller)?;
    let settings = &mut record.settings;
    settings.reach = modify.reach.unwrap_or(settings.reach);
    settings.searchable = modify.searchable.unwrap_or(settings.searchable);
    settings.groups_searchable = modify
        .groups_searchable
        .unwrap_or(settings.groups_searchable);
    draft
        .changes
        .push(Change::User(caller.user.clone(), Some(record)));
    Ok(Status::done().into())
}

pub(super) fn get_settings(draft: &Draft<'_>, caller: &Caller) -> Answer {
    Ok(own_record(draft, caller)?.settings.into())
}
