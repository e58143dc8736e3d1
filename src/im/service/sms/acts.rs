//! What a command does. Each acts by the request that a client would make.

use super::super::Service;
use super::super::draft::Draft;
use super::super::messages::known_phone;
use super::super::reach::reachable;
use super::buddies::Told;
use super::names::{meant, nobody_called, shown_to};
use super::{Hears, Turn};
use crate::im::change::Change;
use crate::im::limits::MAX_PAGE;
use crate::im::names::GroupName;
use crate::im::primitive::{Contact, JoinGroup, LeaveGroup, Recipient};
use crate::im::record::PhoneRecord;
use crate::im::shelf::Shelved;
use crate::im::sms::{Command, How, Person, Place, Say, Telling};
use crate::im::status::Code;
use crate::presence::Chosen;

impl Service {
    /// Does what a command says, and answers it.
    pub(super) fn act(
        &mut self,
        draft: &mut Draft<'_>,
        turn: &Turn<'_>,
        command: Command,
    ) -> Shelved<()> {
        // Who wants nothing more is heard, whatever else.
        if command != Command::Stop && !self.answers.has(&turn.phone, draft.now.moment) {
            return self.answer(draft, turn, &Telling::new(Say::Quiet));
        }
        let told = match command {
            Command::Help(None) => Telling::new(Say::Help).into(),
            Command::Help(Some(keyword)) => return self.explain(draft, turn, keyword),
            Command::Who => self.tell_online(draft, turn)?,
            Command::Buddies => self.tell_buddies(draft, turn)?,
            Command::Add(person, nickname) => {
                self.add_buddy(draft, turn, &person, nickname.as_deref())?
            }
            Command::Remove(person) => self.remove_buddy(draft, turn, &person)?,
            Command::Block(person) => self.block(draft, turn, &person, true)?,
            Command::Unblock(person) => self.block(draft, turn, &person, false)?,
            Command::Allow(person) => self.allow(draft, turn, person.as_ref(), true)?,
            Command::Deny(person) => self.allow(draft, turn, person.as_ref(), false)?,
            Command::Status(mood) => self.mood(draft, turn, mood)?,
            Command::Join(group) => self.join(draft, turn, &group)?,
            Command::Leave(group) => self.leave(draft, turn, &group)?,
            Command::Groups => tell_groups(draft, turn)?,
            Command::ToGroup(group, text) => {
                return self.write_to_group(draft, turn, &group, &text);
            }
            Command::SignIn => return self.phone_signs_in(draft, turn),
            Command::SignOut => {
                change(draft, turn, |record| record.signed_in = false)?;
                Telling::new(Say::SignedOut).into()
            }
            Command::Language(name) => choose_language(draft, turn, name.as_deref())?,
            Command::Stop => {
                change(draft, turn, |record| record.stopped = true)?;
                Telling::new(Say::Stopped).into()
            }
            Command::Start => {
                change(draft, turn, |record| record.stopped = false)?;
                self.answer(draft, turn, &Telling::new(Say::Started))?;
                return self.tell_who_asks(draft, turn);
            }
        };
        self.tell_done(draft, turn, &told)
    }

    /// The answer; with the word that nothing was sent, where it may have been meant for somebody.
    fn tell_done(&mut self, draft: &mut Draft<'_>, turn: &Turn<'_>, told: &Told) -> Shelved<()> {
        let partner = turn.partner.as_ref();
        let Some(partner) = partner.filter(|_| told.is_doubtful && !turn.is_marked()) else {
            return self.answer(draft, turn, &told.telling);
        };
        let record = known_phone(draft, &turn.phone)?;
        let not_sent = Telling::new(Say::NotSentTo).with(Place::Name, shown_to(&record, partner));
        self.answer_both(draft, turn, &told.telling, Some(&not_sent))
    }

    /// A text that says for whom it is, or may say so.
    pub(super) fn addressed(
        &mut self,
        draft: &mut Draft<'_>,
        turn: &Turn<'_>,
        to: &Person,
        text: &str,
        how: How,
    ) -> Shelved<()> {
        let record = known_phone(draft, &turn.phone)?;
        let contact = meant(turn.phones, &record, to);
        if how == How::Sign {
            return self.write_to_person(draft, turn, to, contact, text);
        }
        let contact = match contact {
            Some(contact) if is_own(draft, turn, &record, &contact)? => contact,
            // A sentence like others.
            _ => return self.pass_on(draft, turn, Hears::IfElsewhere),
        };
        let recipient = Recipient::from(contact);
        let other = turn
            .partner
            .clone()
            .filter(|other| !is_same(other, &recipient));
        match (how, other) {
            (How::Perhaps, Some(other)) => {
                let telling = Telling::new(Say::ForWhom)
                    .with(Place::Name, shown_to(&record, &recipient))
                    .with(Place::Other, shown_to(&record, &other));
                self.answer(draft, turn, &telling)
            }
            // It is for the partner in any case, so that nothing of it need be taken off.
            (How::Perhaps, None) if turn.partner.is_some() => {
                self.pass_on(draft, turn, Hears::IfElsewhere)
            }
            _ => self.write_to(draft, turn, recipient, text.to_owned(), Hears::IfElsewhere),
        }
    }

    /// To the person that is named, to a group of that name, or to nobody.
    fn write_to_person(
        &mut self,
        draft: &mut Draft<'_>,
        turn: &Turn<'_>,
        to: &Person,
        contact: Option<Contact>,
        text: &str,
    ) -> Shelved<()> {
        let is_there = match &contact {
            Some(Contact::User(user)) => reachable(draft, &turn.caller.user, user)?.is_some(),
            Some(Contact::Phone(_)) => true,
            None => false,
        };
        if let Some(contact) = contact.filter(|_| is_there) {
            return self.write_to(draft, turn, contact.into(), text.to_owned(), Hears::Nothing);
        }
        if let Ok(group) = GroupName::new(to.as_str())
            && draft
                .shelf
                .members(&group)?
                .get(&turn.caller.user)
                .is_some()
        {
            return self.write_to_group(draft, turn, to.as_str(), text);
        }
        let record = known_phone(draft, &turn.phone)?;
        let telling = nobody_called(draft, turn, &record, to.as_str())?;
        self.answer(draft, turn, &telling)
    }

    /// To a group.
    pub(super) fn write_to_group(
        &mut self,
        draft: &mut Draft<'_>,
        turn: &Turn<'_>,
        group: &str,
        text: &str,
    ) -> Shelved<()> {
        match GroupName::new(group) {
            Ok(group) => {
                let to = Recipient::Group(group);
                self.write_to(draft, turn, to, text.to_owned(), Hears::Nothing)
            }
            Err(_) => {
                let telling = Telling::new(Say::NotIn).with(Place::Word, group);
                self.answer(draft, turn, &telling)
            }
        }
    }

    fn join(&mut self, draft: &mut Draft<'_>, turn: &Turn<'_>, written: &str) -> Shelved<Told> {
        let unknown = || Told::doubtful(Telling::new(Say::UnknownGroup).with(Place::Word, written));
        let Ok(group) = GroupName::new(written) else {
            return Ok(unknown());
        };
        let join = JoinGroup {
            group: Some(group.clone()),
            topic: None,
            screen_name: None,
            anonymous: false,
            presence: Chosen::none(),
        };
        let say = match self.request(draft, turn, join.into())? {
            Ok(()) => Say::Joined,
            Err(status) => match status.code {
                Code::AlreadyMember => Say::AlreadyIn,
                Code::GroupFull => Say::GroupFull,
                Code::QuotaFull => Say::GroupsFull,
                Code::ScreenNameTaken => Say::NameTaken,
                _ => return Ok(unknown()),
            },
        };
        Ok(Telling::new(say).with(Place::Group, group.as_str()).into())
    }

    fn leave(&mut self, draft: &mut Draft<'_>, turn: &Turn<'_>, written: &str) -> Shelved<Told> {
        let unknown = || Told::doubtful(Telling::new(Say::NotIn).with(Place::Word, written));
        let Ok(group) = GroupName::new(written) else {
            return Ok(unknown());
        };
        let leave = LeaveGroup {
            group: group.clone(),
        };
        let say = match self.request(draft, turn, leave.into())? {
            Ok(()) => Say::Left,
            Err(status) if status.code == Code::OwnerStays => Say::OwnerStays,
            Err(_) => return Ok(unknown()),
        };
        Ok(Telling::new(say).with(Place::Group, group.as_str()).into())
    }
}

/// Changes what is kept of the phone.
pub(super) fn change(
    draft: &mut Draft<'_>,
    turn: &Turn<'_>,
    how: impl FnOnce(&mut PhoneRecord),
) -> Shelved<()> {
    let before = known_phone(draft, &turn.phone)?;
    let mut after = before.clone();
    how(&mut after);
    if after != before {
        draft
            .changes
            .push(Change::Phone(turn.phone.clone(), Some(after)));
    }
    Ok(())
}

/// Whether a name in a sentence is surely meant: it is a buddy's, or a nickname.
fn is_own(
    draft: &Draft<'_>,
    turn: &Turn<'_>,
    record: &PhoneRecord,
    contact: &Contact,
) -> Shelved<bool> {
    let is_nickname = record.nicknames.iter().any(|(_, other)| other == contact);
    Ok(is_nickname || draft.shelf.is_buddy(&turn.caller.user, contact)?)
}

/// Whether two recipients are one person; a phone that is a user has two ways to be written.
fn is_same(one: &Recipient, other: &Recipient) -> bool {
    let plain = |recipient: &Recipient| match recipient {
        Recipient::User(user) => Recipient::from(super::super::reach::contact_of(user)),
        other => other.clone(),
    };
    plain(one) == plain(other)
}

fn tell_groups(draft: &Draft<'_>, turn: &Turn<'_>) -> Shelved<Told> {
    let groups = draft.shelf.groups_of(&turn.caller.user, None, MAX_PAGE)?;
    if groups.is_empty() {
        return Ok(Telling::new(Say::NoGroups).into());
    }
    let shown = groups.iter().map(|group| group.as_str().to_owned());
    Ok(Telling::new(Say::Groups).listing(shown.collect()).into())
}

fn choose_language(draft: &mut Draft<'_>, turn: &Turn<'_>, name: Option<&str>) -> Shelved<Told> {
    let languages = &turn.phones.languages;
    let Some(language) = name.and_then(|name| languages.called(name)) else {
        let all = languages
            .iter()
            .map(|language| format!("{} {}", language.code(), language.name()));
        let telling = Telling::new(Say::UnknownLanguage).listing(all.collect());
        return Ok(telling.into());
    };
    let code = language.code().clone();
    change(draft, turn, |record| record.language = Some(code))?;
    Ok(Telling::new(Say::LanguageIs).into())
}
