//! Texts to phones: how a message looks as SMS, from which number it comes, and what becomes of it.

use std::time::Duration;

use super::draft::Draft;
use super::messages::{known_by_now, known_phone};
use super::noticed::state_of;
use super::reach::phone_of;
use super::replies::{ReplyAddress, reply_address};
use super::{Caller, Service};
use crate::clock::WallTime;
use crate::im::change::Change;
use crate::im::effects::{Effects, Now};
use crate::im::log::{Entry, Logged};
use crate::im::names::{MessageId, Position, TextId};
use crate::im::phone::{TextFate, TextToPhone};
use crate::im::primitive::{Delivered, Fate, MemberAddress, Recipient, Sender};
use crate::im::record::{PhoneRecord, TextMessage, TextRecord};
use crate::im::shelf::{Shelf, Shelved};
use crate::im::sms::{Place, Say, Telling};
use crate::message::{Party, PhoneNumber, UserName};
use crate::private::Private;
use crate::text::{Cost, Width, lookalike};

/// How long a word on a text is waited for: it comes at the latest when whoever carries texts forgets it, which is after the
/// longest validity (63 weeks) and the longest time for which that is kept (366 days).
const TEXTS_KEPT_FOR: Duration = Duration::from_hours((63 * 7 + 366) * 24);

/// Texts that lapse at once.
const TEXTS_LAPSED: usize = 500;

/// How soon the next ones lapse.
const SWEEP_AGAIN: Duration = Duration::from_secs(1);

/// A message on its way to one or many.
#[derive(Clone, Copy)]
pub(super) struct Carried<'a> {
    pub(super) sender: &'a UserName,
    pub(super) message: MessageId,
    pub(super) from: &'a Sender,
    pub(super) text: &'a str,
    pub(super) report: bool,
    pub(super) valid_until: Option<WallTime>,
}

impl Service {
    /// One message to one phone.
    pub(super) fn text(
        &mut self,
        draft: &mut Draft<'_>,
        number: &PhoneNumber,
        carried: &Carried<'_>,
        address: Recipient,
        log: Option<(UserName, Position)>,
    ) -> Shelved<()> {
        let Some(config) = &self.config.phones else {
            return Ok(());
        };
        let partner = partner_of(carried.from);
        let ReplyAddress { sender, is_known } = match &partner {
            Some(partner) => reply_address(draft, config, number, partner)?,
            None => ReplyAddress {
                sender: config.number.clone(),
                is_known: false,
            },
        };
        let mut phone = known_phone(draft, number)?;
        if partner.is_some() && phone.last_partner != partner {
            phone.last_partner = partner;
            draft
                .changes
                .push(Change::Phone(number.clone(), Some(phone)));
        }
        let text = compose(
            &shown(carried.from),
            carried.text,
            is_known,
            config.lookalikes,
        );
        let id = TextId::new(draft.now.wall, self.chance.octets());
        if carried.report {
            // Nobody asks what became of the others.
            let record = TextRecord {
                phone: number.clone(),
                message: Some(TextMessage {
                    sender: carried.sender.clone(),
                    message: carried.message,
                    recipient: address,
                    report: true,
                    log,
                }),
                at: draft.now.wall,
            };
            draft.changes.push(Change::Text(id, Some(record)));
        }
        draft.to_phones.push(TextToPhone {
            id,
            sender: Party::ShortCode(sender),
            recipient: number.clone(),
            text: Private::new(text),
            report: carried.report,
            valid_until: carried.valid_until,
        });
        Ok(())
    }

    /// Something that the service itself says to a phone.
    pub(super) fn say(&mut self, draft: &mut Draft<'_>, number: &PhoneNumber, text: String) {
        let Some(config) = &self.config.phones else {
            return;
        };
        let id = TextId::new(draft.now.wall, self.chance.octets());
        draft.to_phones.push(TextToPhone {
            id,
            sender: Party::ShortCode(config.number.clone()),
            recipient: number.clone(),
            text: Private::new(text),
            report: false,
            valid_until: None,
        });
    }

    /// Texts on which no word came: their senders are told so, and they are forgotten.
    pub(super) fn lapsed_texts(&mut self, now: Now, shelf: &dyn Shelf) -> Effects {
        let config = std::sync::Arc::clone(&self.config);
        let mut draft = Draft::new(shelf, &config, now);
        let kept_for = TEXTS_KEPT_FOR.as_millis() as u64;
        let before = WallTime::from_unix_ms(now.wall.as_unix_ms().saturating_sub(kept_for));
        match lapse(&mut draft, before) {
            Ok(count) if count == TEXTS_LAPSED => self.next_sweep = now.moment + SWEEP_AGAIN,
            Ok(_) => {}
            Err(why) => {
                tracing::error!("{why}; texts on which no word came stay for now");
                return Effects::default();
            }
        }
        self.release(draft, Effects::default())
    }

    /// The same, unasked: not to a phone that wants nothing.
    pub(super) fn tell(
        &mut self,
        draft: &mut Draft<'_>,
        number: &PhoneNumber,
        telling: &Telling,
    ) -> Shelved<()> {
        let phone = known_by_now(draft, number)?;
        if phone.as_ref().is_some_and(|phone| phone.stopped) {
            return Ok(());
        }
        let Some(config) = &draft.config.phones else {
            return Ok(());
        };
        let chosen = phone.as_ref().and_then(|phone| phone.language.as_ref());
        let language = config.languages.of(chosen.unwrap_or(&config.language));
        let text = language.tell(telling);
        self.say(draft, number, text);
        Ok(())
    }

    /// Phones that are users hear of invitations by text; each is one of the texts of the user that invites.
    pub(super) fn tell_invited_phones(
        &mut self,
        draft: &mut Draft<'_>,
        caller: &Caller,
    ) -> Shelved<()> {
        let invited: Vec<_> = draft
            .appended
            .iter()
            .filter_map(|appended| match appended.entry.logged() {
                Logged::InviteUser(invite) => {
                    Some((phone_of(&appended.user)?, invite.group.clone()))
                }
                _ => None,
            })
            .collect();
        for (number, group) in invited {
            let takes = known_by_now(draft, &number)?.is_some_and(|phone| phone.takes_texts());
            if takes && self.may_text(&caller.user, draft.now.moment) {
                let telling = Telling::new(Say::Invited)
                    .with(Place::Name, caller.user.as_str())
                    .with(Place::Group, group.as_str());
                self.tell(draft, &number, &telling)?;
            }
        }
        Ok(())
    }

    /// The carrier's word on a text: its sender gets a report, if it wants one (G18).
    pub fn fate(&mut self, now: Now, shelf: &dyn Shelf, fate: TextFate) -> Shelved<Effects> {
        let config = std::sync::Arc::clone(&self.config);
        let mut draft = Draft::new(shelf, &config, now);
        if let Some((phone, news)) = &fate.phone {
            self.phone_seen(now, shelf, phone, state_of(*news));
        }
        if let Some(record) = shelf.text(&fate.id)? {
            draft.changes.push(Change::Text(fate.id, None));
            if let Some(text) = record.message {
                report(&mut draft, text, fate)?;
            }
        }
        Ok(self.release(draft, Effects::default()))
    }
}

/// Ends the oldest texts that were given to the carrier before; tells how many they were.
fn lapse(draft: &mut Draft<'_>, before: WallTime) -> Shelved<usize> {
    let lapsed = draft.shelf.texts_before(before, TEXTS_LAPSED)?;
    for &id in &lapsed {
        draft.changes.push(Change::Text(id, None));
        let record = draft.shelf.text(&id)?;
        if let Some(text) = record.and_then(|record| record.message) {
            let fate = TextFate {
                id,
                fate: Fate::Doubtful,
                reason: Some("the carrier never said".into()),
                phone: None,
            };
            report(draft, text, fate)?;
        }
    }
    Ok(lapsed.len())
}

/// The report for the sender of a message that went out as a text.
fn report(draft: &mut Draft<'_>, text: TextMessage, fate: TextFate) -> Shelved<()> {
    if !text.report {
        return Ok(());
    }
    if let Some((user, position)) = text.log {
        // It lies in a log, too: who was first, phone or point, reports; and what a phone did not get still waits.
        let is_due = draft.shelf.due_at(&user, position)?.is_some();
        if !is_due || fate.fate != Fate::Delivered {
            return Ok(());
        }
        draft.changes.push(Change::Settled(user, position));
    }
    let delivered = Delivered {
        message: text.message,
        recipient: text.recipient,
        fate: fate.fate,
        reason: fate.reason,
    };
    let entry = Entry::new(draft.now.wall, Logged::Delivered(delivered));
    draft.append(&text.sender, &entry, None)?;
    Ok(())
}

/// To whom an answer goes.
fn partner_of(from: &Sender) -> Option<Recipient> {
    Some(match from {
        Sender::User(user) => Recipient::User(user.clone()),
        Sender::Phone(phone) => Recipient::Phone(phone.clone()),
        Sender::Group(MemberAddress { group, .. }) => Recipient::Group(group.clone()),
        Sender::Member(member) => Recipient::Member(member.clone()),
        Sender::Service => return None,
    })
}

/// How a sender is shown before its text.
fn shown(from: &Sender) -> String {
    match from {
        Sender::User(user) => user.as_str().into(),
        Sender::Phone(phone) => format!("+{}", phone.digits()),
        Sender::Group(MemberAddress { group, name }) => format!("{name}@{group}"),
        Sender::Member(MemberAddress { group, name }) => format!("{name} ({group})"),
        Sender::Service => String::new(),
    }
}

/// How a partner is shown to the phone that writes to it.
pub(super) fn shown_partner(partner: &Recipient) -> String {
    match partner {
        Recipient::User(user) => user.as_str().into(),
        Recipient::Phone(phone) => format!("+{}", phone.digits()),
        Recipient::List(list) => list.as_str().into(),
        Recipient::Group(group) => group.as_str().into(),
        Recipient::Member(MemberAddress { group, name }) => format!("{name} ({group})"),
    }
}

/// The text of one SMS, if there is a way: with the name, with letters that look alike, without a name that the phone
/// knows by the number it comes from. Else as it is, in several.
fn compose(name: &str, text: &str, is_known: bool, lookalikes: bool) -> String {
    let whole = if name.is_empty() {
        text.to_owned()
    } else {
        format!("{name}: {text}")
    };
    let fits = |text: &str| Cost::of(text, Width::Narrow).parts == 1;
    if fits(&whole) {
        return whole;
    }
    let alike = |text: &str| {
        let replaced = lookalikes.then(|| lookalike::replace(text)).flatten()?;
        fits(&replaced.text).then_some(replaced.text)
    };
    if let Some(replaced) = alike(&whole) {
        return replaced;
    }
    if is_known {
        if fits(text) {
            return text.to_owned();
        }
        if let Some(replaced) = alike(text) {
            return replaced;
        }
    }
    // Several it is; then at least not more than it needs.
    match lookalikes.then(|| lookalike::replace(&whole)).flatten() {
        Some(replaced)
            if Cost::of(&replaced.text, Width::Narrow).parts
                < Cost::of(&whole, Width::Narrow).parts =>
        {
            replaced.text
        }
        _ => whole,
    }
}

/// A phone as somebody who asks.
pub(super) fn phone_caller(phone: &PhoneRecord) -> Caller {
    Caller {
        user: phone.user.clone(),
        session: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_sms_where_there_is_a_way() {
        assert_eq!(compose("bob", "Lunch?", false, true), "bob: Lunch?");
        let long = "x".repeat(158);
        assert_eq!(compose("bob", &long, true, true), long);
        assert_eq!(compose("bob", &long, false, true), format!("bob: {long}"));
        // A typographic apostrophe would make it UCS-2, and three SMS.
        let fancy = format!("It’s {}", "y".repeat(140));
        assert_eq!(
            compose("bob", &fancy, false, true),
            format!("bob: It's {}", "y".repeat(140))
        );
        assert_eq!(
            compose("bob", &fancy, false, false),
            format!("bob: {fancy}")
        );
        let longer = format!("It’s {}", "y".repeat(200));
        assert_eq!(
            Cost::of(&compose("bob", &longer, false, true), Width::Narrow).parts,
            2
        );
    }
}
