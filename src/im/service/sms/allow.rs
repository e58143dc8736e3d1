//! Who may see a phone's user: it is asked by one SMS, and allows or denies by another; and takes back by the same (P4).
//!
//! What a client is asked with `RequestPresAuth` a phone that is its own user is asked as a text, once for each who asks,
//! and what it answers goes the way of `AuthorizePres`. Without an answer nothing is granted, and the question lapses.

use super::super::Service;
use super::super::draft::Draft;
use super::super::messages::{known_by_now, known_phone};
use super::super::presence::at;
use super::super::reach::{contact_of, is_phone, phone_of, reachable};
use super::Turn;
use super::buddies::Told;
use super::names::{meant, nobody_called, shown_contact};
use super::sight::{owner, shared};
use crate::im::primitive::{AuthorizePres, Contact};
use crate::im::shelf::Shelved;
use crate::im::sms::{Person, Place, Say, Telling, folded};
use crate::message::UserName;
use crate::presence::{Address, Chosen, NoGroups, QuestionId};

impl Service {
    /// Who has an open question to a user.
    pub(in crate::im::service) fn askers(
        &self,
        draft: &Draft<'_>,
        user: &UserName,
    ) -> Vec<(QuestionId, UserName)> {
        self.presence.askers(&at(draft.now, &NoGroups), user)
    }

    /// The open question of somebody to the phone's user.
    pub(super) fn question_of(
        &self,
        draft: &Draft<'_>,
        turn: &Turn<'_>,
        from: &UserName,
    ) -> Option<QuestionId> {
        let askers = self.askers(draft, &turn.caller.user);
        let found = askers.into_iter().find(|(_, asker)| asker == from);
        found.map(|(question, _)| question)
    }

    /// A phone that is its own user has no point that would be asked: it is asked by a text, if it was not before. That is
    /// one of the texts of the user who asks.
    pub(in crate::im::service) fn ask_phone(
        &mut self,
        draft: &mut Draft<'_>,
        from: &UserName,
        to: &UserName,
        asked_before: &[(QuestionId, UserName)],
    ) -> Shelved<()> {
        let Some(number) = phone_of(to) else {
            return Ok(());
        };
        let is_new = |asker: &(QuestionId, UserName)| asker.1 == *from;
        if asked_before.iter().any(is_new) || !self.askers(draft, to).iter().any(is_new) {
            return Ok(());
        }
        let Some(record) = known_by_now(draft, &number)? else {
            return Ok(());
        };
        if record.takes_texts() && self.may_text(from, draft.now.moment) {
            let shown = shown_contact(&record, &contact_of(from));
            self.tell(
                draft,
                &number,
                &Telling::new(Say::Asked).with(Place::Name, shown),
            )?;
        }
        Ok(())
    }

    /// Who has asked while the phone got no texts.
    pub(super) fn tell_who_asks(&mut self, draft: &mut Draft<'_>, turn: &Turn<'_>) -> Shelved<()> {
        let record = known_phone(draft, &turn.phone)?;
        if !is_phone(&turn.caller.user) || !record.takes_texts() {
            return Ok(());
        }
        let askers = self.askers(draft, &turn.caller.user);
        let mut shown: Vec<String> = askers
            .iter()
            .map(|(_, asker)| shown_contact(&record, &contact_of(asker)))
            .collect();
        let telling = match shown.len() {
            0 => return Ok(()),
            1 => Telling::new(Say::Asked).with(Place::Name, shown.remove(0)),
            _ => Telling::new(Say::Asking).listing(shown),
        };
        self.answer(draft, turn, &telling)
    }

    /// Somebody may see the phone's user, or may not, whether or not it has asked.
    pub(super) fn allow(
        &mut self,
        draft: &mut Draft<'_>,
        turn: &Turn<'_>,
        person: Option<&Person>,
        is_allowed: bool,
    ) -> Shelved<Told> {
        let record = known_phone(draft, &turn.phone)?;
        let askers = self.askers(draft, &turn.caller.user);
        let shown = |user: &UserName| shown_contact(&record, &contact_of(user));
        let contact = match person {
            Some(person) => match named_so(&askers, person, shown) {
                Some(asker) => Some(contact_of(asker)),
                None => meant(turn.phones, &record, person),
            },
            None => match askers.as_slice() {
                [] => return Ok(Told::doubtful(Telling::new(Say::NobodyAsks))),
                [(_, asker)] => Some(contact_of(asker)),
                several => {
                    let all = several.iter().map(|(_, asker)| shown(asker)).collect();
                    return Ok(Telling::new(Say::Asking).listing(all).into());
                }
            },
        };
        let is_asker = |user: &UserName| askers.iter().any(|(_, asker)| asker == user);
        let is_there = match &contact {
            // What is taken back may be from somebody who is there no longer.
            Some(Contact::User(user)) => {
                !is_allowed
                    || is_asker(user)
                    || reachable(draft, &turn.caller.user, user)?.is_some()
            }
            Some(Contact::Phone(_)) => true,
            None => false,
        };
        let Some(contact) = contact.filter(|_| is_there) else {
            let word = person.map_or("", Person::as_str);
            let telling = nobody_called(draft, turn, &record, word)?;
            return Ok(Told::doubtful(telling));
        };
        let watcher = owner(&contact);
        let (grant, refuse) = if is_allowed {
            (shared(), Chosen::none())
        } else {
            (Chosen::none(), Chosen::All)
        };
        let said = AuthorizePres {
            question: self.question_of(draft, turn, &watcher),
            to: Some(Address::User(watcher)),
            grant,
            refuse,
            forget: Chosen::none(),
        };
        let say = match self.request(draft, turn, said.into())? {
            Ok(()) if is_allowed => Say::Allowed,
            Ok(()) => Say::Denied,
            Err(_) => Say::Failed,
        };
        let shown = shown_contact(&record, &contact);
        Ok(Telling::new(say).with(Place::Name, shown).into())
    }
}

/// Who of those who ask is called so, also by a name that was too long for one SMS and ends in stops.
fn named_so<'a>(
    askers: &'a [(QuestionId, UserName)],
    person: &Person,
    shown: impl Fn(&UserName) -> String,
) -> Option<&'a UserName> {
    let Person::Called(written) = person else {
        return None;
    };
    let written = folded(written.trim_end_matches('.'));
    let all = askers.iter().map(|(_, asker)| asker);
    let (same, begun): (Vec<_>, Vec<_>) = all
        .filter(|asker| folded(&shown(asker)).starts_with(&written))
        .partition(|asker| folded(&shown(asker)) == written);
    match (same.as_slice(), begun.as_slice()) {
        ([asker], _) | ([], [asker]) => Some(asker),
        _ => None,
    }
}
