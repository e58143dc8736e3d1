//! Buddies by SMS: adding, removing, blocking.

use super::super::Service;
use super::super::draft::Draft;
use super::super::messages::known_phone;
use super::super::reach::reachable;
use super::Turn;
use super::names::{buddies, meant, nobody_called, shown_contact};
use crate::im::change::Change;
use crate::im::names::{ListName, Nickname};
use crate::im::primitive::{Contact, CreateList, ModifyBlocks, ModifyList};
use crate::im::record::PhoneRecord;
use crate::im::shelf::Shelved;
use crate::im::sms::{Person, Place, Say, Telling};
use crate::im::status::Code;

/// The list to which phones add.
const LIST: &str = "buddies";

/// Most nicknames of a phone: as many as a phone's own book had when phones had nothing but SMS.
const MOST_NICKNAMES: usize = 250;

/// What a command about a person comes to: an answer, and whether it failed because nobody is meant.
pub(super) struct Told {
    pub(super) telling: Telling,
    /// Nothing was done, since what it names is not there: it may have been meant otherwise.
    pub(super) is_doubtful: bool,
}

impl From<Telling> for Told {
    fn from(telling: Telling) -> Self {
        Self {
            telling,
            is_doubtful: false,
        }
    }
}

impl Told {
    pub(super) const fn doubtful(telling: Telling) -> Self {
        Self {
            telling,
            is_doubtful: true,
        }
    }
}

fn own_list() -> ListName {
    ListName::new(LIST).expect("it is a name")
}

impl Service {
    /// Somebody becomes a buddy, perhaps under a nickname.
    pub(super) fn add_buddy(
        &mut self,
        draft: &mut Draft<'_>,
        turn: &Turn<'_>,
        person: &Person,
        nickname: Option<&str>,
    ) -> Shelved<Told> {
        let record = known_phone(draft, &turn.phone)?;
        let contact = meant(turn.phones, &record, person);
        let is_there = match &contact {
            Some(Contact::User(user)) => reachable(draft, &turn.caller.user, user)?.is_some(),
            Some(Contact::Phone(_)) => true,
            None => false,
        };
        let Some(contact) = contact.filter(|_| is_there) else {
            let telling = nobody_called(draft, turn, &record, person.as_str())?;
            return Ok(Told::doubtful(telling));
        };
        let user = turn.caller.user.clone();
        if !draft.shelf.is_buddy(&user, &contact)? {
            let list = own_list();
            let primitive = if draft.shelf.list(&user, &list)?.is_some() {
                ModifyList {
                    list,
                    add: vec![contact.clone()],
                    remove: Vec::new(),
                    rename: None,
                }
                .into()
            } else {
                CreateList {
                    list,
                    buddies: vec![contact.clone()],
                }
                .into()
            };
            if let Err(status) = self.request(draft, turn, primitive)? {
                let say = match status.code {
                    Code::QuotaFull => Say::BuddiesFull,
                    _ => Say::Failed,
                };
                return Ok(Telling::new(say).into());
            }
        }
        self.share_sight(draft, turn, &contact)?;
        let plain = shown_contact(&without_nickname(&record, &contact), &contact);
        let Some(nickname) = nickname.and_then(|name| Nickname::new(name).ok()) else {
            let shown = shown_contact(&record, &contact);
            return Ok(Telling::new(Say::Added).with(Place::Name, shown).into());
        };
        let mut named = without_nickname(&record, &contact);
        named.nicknames.retain(|(other, _)| *other != nickname);
        if named.nicknames.len() >= MOST_NICKNAMES {
            return Ok(Telling::new(Say::BuddiesFull).into());
        }
        named.nicknames.push((nickname.clone(), contact));
        draft
            .changes
            .push(Change::Phone(turn.phone.clone(), Some(named)));
        Ok(Telling::new(Say::AddedAs)
            .with(Place::Name, plain)
            .with(Place::Other, nickname.as_str())
            .into())
    }

    /// Somebody is a buddy no longer, on whichever list.
    pub(super) fn remove_buddy(
        &mut self,
        draft: &mut Draft<'_>,
        turn: &Turn<'_>,
        person: &Person,
    ) -> Shelved<Told> {
        let record = known_phone(draft, &turn.phone)?;
        let not_one = || {
            let telling = Telling::new(Say::NotABuddy).with(Place::Word, person.as_str());
            Ok(Told::doubtful(telling))
        };
        let Some(contact) = meant(turn.phones, &record, person) else {
            return not_one();
        };
        let shown = shown_contact(&record, &contact);
        let mut was_one = false;
        for (list, of_list) in draft.shelf.lists(&turn.caller.user)? {
            if !of_list.buddies.contains(&contact) {
                continue;
            }
            was_one = true;
            let modify = ModifyList {
                list,
                add: Vec::new(),
                remove: vec![contact.clone()],
                rename: None,
            };
            if self.request(draft, turn, modify.into())?.is_err() {
                return Ok(Telling::new(Say::Failed).into());
            }
        }
        let without = without_nickname(&record, &contact);
        if without != record {
            was_one = true;
            draft
                .changes
                .push(Change::Phone(turn.phone.clone(), Some(without)));
        }
        if !was_one {
            return not_one();
        }
        self.end_sight(draft, turn, &contact)?;
        Ok(Telling::new(Say::Removed).with(Place::Name, shown).into())
    }

    /// Nothing is heard of somebody, or something again. Whether there is somebody of that name is not told.
    pub(super) fn block(
        &mut self,
        draft: &mut Draft<'_>,
        turn: &Turn<'_>,
        person: &Person,
        is_blocked: bool,
    ) -> Shelved<Told> {
        let record = known_phone(draft, &turn.phone)?;
        let Some(contact) = meant(turn.phones, &record, person) else {
            let telling = nobody_called(draft, turn, &record, person.as_str())?;
            return Ok(Told::doubtful(telling));
        };
        let shown = shown_contact(&record, &contact);
        let (add, remove) = if is_blocked {
            (vec![contact], Vec::new())
        } else {
            (Vec::new(), vec![contact])
        };
        let modify = ModifyBlocks { add, remove };
        let say = match self.request(draft, turn, modify.into())? {
            Ok(()) if is_blocked => Say::Blocked,
            Ok(()) => Say::Unblocked,
            Err(status) if status.code == Code::QuotaFull => Say::BlocksFull,
            Err(_) => Say::Failed,
        };
        Ok(Telling::new(say).with(Place::Name, shown).into())
    }

    /// Who the buddies are.
    pub(super) fn tell_buddies(&self, draft: &mut Draft<'_>, turn: &Turn<'_>) -> Shelved<Told> {
        let record = known_phone(draft, &turn.phone)?;
        let all = buddies(draft, &turn.caller.user)?;
        if all.is_empty() {
            return Ok(Telling::new(Say::NoBuddies).into());
        }
        let shown = all.iter().map(|contact| shown_contact(&record, contact));
        Ok(Telling::new(Say::Buddies).listing(shown.collect()).into())
    }
}

fn without_nickname(record: &PhoneRecord, contact: &Contact) -> PhoneRecord {
    let mut record = record.clone();
    record.nicknames.retain(|(_, other)| other != contact);
    record
}
