//! Messages that wait for a phone which is signed out, and come when it signs in: oldest first, a few at a time, since each
//! costs a text.

use super::super::Service;
use super::super::draft::Draft;
use super::super::messages::known_phone;
use super::super::reach::is_phone;
use super::super::texts::Carried;
use super::Turn;
use super::acts::change;
use crate::im::change::Change;
use crate::im::log::Logged;
use crate::im::names::Position;
use crate::im::primitive::{Contact, Recipient};
use crate::im::shelf::Shelved;
use crate::im::sms::{Place, Say, Telling};
use crate::message::PhoneNumber;

/// So many messages come with a sign-in: a screen full, and what it costs is foreseen. Each *sign in* brings as many again.
const AT_SIGN_IN: usize = 10;

/// So many come before a new message, as long as older ones wait: more than one, so that they come to an end, and few, so
/// that nobody is made to pay for many by one.
pub(in crate::im::service) const BEFORE_NEW: usize = 2;

/// Most entries of a log that are looked at in one go.
const MOST_LOOKED_AT: usize = 1000;

/// Entries read at a time.
const PAGE: usize = 64;

/// How far it has come.
pub(in crate::im::service) struct Fed {
    /// How many messages still wait, as far as was looked.
    waiting: u64,
    /// Whether none does.
    pub(in crate::im::service) is_done: bool,
}

impl Service {
    pub(super) fn phone_signs_in(&mut self, draft: &mut Draft<'_>, turn: &Turn<'_>) -> Shelved<()> {
        change(draft, turn, |record| record.signed_in = true)?;
        let held = draft.to_phones.len();
        let fed = self.feed_phone(draft, &turn.phone, AT_SIGN_IN)?;
        // The answer goes before what it announces.
        let behind = draft.to_phones.split_off(held);
        let telling = if fed.waiting == 0 {
            Telling::new(Say::SignedIn)
        } else {
            Telling::new(Say::SignedInWaiting).with(Place::Count, fed.waiting.to_string())
        };
        self.answer(draft, turn, &telling)?;
        self.tell_who_asks(draft, turn)?;
        draft.to_phones.extend(behind);
        Ok(())
    }

    /// Sends a phone some of the messages that wait for it.
    pub(in crate::im::service) fn feed_phone(
        &mut self,
        draft: &mut Draft<'_>,
        phone: &PhoneNumber,
        most: usize,
    ) -> Shelved<Fed> {
        let record = known_phone(draft, phone)?;
        let Some(from) = record.waits_from else {
            return Ok(Fed {
                waiting: 0,
                is_done: true,
            });
        };
        let user = record.user.clone();
        let is_own = is_phone(&user);
        let head = draft.head(&user)?;
        let mut at = Position(from.0.saturating_sub(1)).max(head.trimmed);
        if !is_own {
            // What another point of its user has got needs no text any more.
            at = at.max(head.received);
        }
        let mut waits_from = None;
        let (mut sent, mut waiting, mut looked) = (0, 0, 0);
        'log: loop {
            let page = draft.shelf.entries(&user, at, PAGE)?;
            if page.is_empty() {
                break;
            }
            for (position, entry) in page {
                looked += 1;
                if looked > MOST_LOOKED_AT {
                    waits_from = waits_from.or(Some(position));
                    break 'log;
                }
                at = position;
                let Logged::Message(incoming) = entry.logged() else {
                    continue;
                };
                let may =
                    waits_from.is_none() && sent < most && self.may_text(&user, draft.now.moment);
                if !may {
                    waits_from = waits_from.or(Some(position));
                    waiting += 1;
                    continue;
                }
                sent += 1;
                let due = draft.shelf.due_at(&user, position)?;
                let address = match &due {
                    Some(due) => due.recipient.clone(),
                    None => Recipient::from(Contact::Phone(phone.clone())),
                };
                let carried = Carried {
                    sender: due.as_ref().map_or(&user, |due| &due.sender),
                    message: incoming.message,
                    from: &incoming.from,
                    text: incoming.saying.text.expose(),
                    report: due.is_some(),
                    valid_until: None,
                };
                // A phone that is a user has nothing but this text, so its fate is the message's.
                let log = (!is_own).then(|| (user.clone(), position));
                if is_own && due.is_some() {
                    draft.changes.push(Change::Settled(user.clone(), position));
                }
                self.text(draft, phone, &carried, address, log)?;
            }
        }
        if is_own {
            let up_to = waits_from.map_or(at, |from| Position(from.0 - 1));
            draft.received(&user, up_to)?;
        }
        let mut after = known_phone(draft, phone)?;
        after.waits_from = waits_from;
        draft
            .changes
            .push(Change::Phone(phone.clone(), Some(after)));
        Ok(Fed {
            waiting,
            is_done: waits_from.is_none(),
        })
    }
}
