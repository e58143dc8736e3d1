//! From a phone: whom an answer is for, without its user typing a name (G16).
//!
//! Where the operator has a range of numbers, each partner of a phone has one of them, and an answer to it goes to that
//! partner. A text to the main number goes to whoever wrote last; the phone is told where that is another one than it
//! wrote to before.

use std::sync::Arc;

use super::draft::{Draft, Refusal};
use super::messages::known_phone;
use super::reach::is_phone;
use super::texts::{phone_caller, shown_partner};
use super::{Caller, Service};
use crate::im::change::Change;
use crate::im::config::PhoneConfig;
use crate::im::effects::{Effects, Now};
use crate::im::names::{Position, TransactionId};
use crate::im::phone::TextFromPhone;
use crate::im::primitive::{Message, Recipient, Saying};
use crate::im::record::{PhoneRecord, ReplyRecord};
use crate::im::shelf::{Shelf, Shelved};
use crate::im::status::Code;
use crate::message::{PhoneNumber, ShortCode};
use crate::presence::PhoneState;

/// The number that a text comes from.
pub(super) struct ReplyAddress {
    pub(super) sender: ShortCode,
    /// The phone has had texts of this partner from this number before.
    pub(super) is_known: bool,
}

/// The number from which a partner's texts come to a phone: its own, a free one, or the one unused for longest.
pub(super) fn reply_address(
    draft: &mut Draft<'_>,
    config: &PhoneConfig,
    phone: &PhoneNumber,
    partner: &Recipient,
) -> Shelved<ReplyAddress> {
    let Some(first) = &config.reply_first else {
        return Ok(ReplyAddress {
            sender: config.number.clone(),
            is_known: false,
        });
    };
    let mut in_use = draft.shelf.replies(phone)?;
    in_use.retain(|(number, _)| *number < config.reply_count);
    let own = in_use.iter().find(|(_, reply)| reply.partner == *partner);
    let is_known = own.is_some();
    let number = own.map_or_else(
        || free_or_oldest(&in_use, config.reply_count),
        |(number, _)| *number,
    );
    let record = ReplyRecord {
        partner: partner.clone(),
        used_at: draft.now.wall,
    };
    draft
        .changes
        .push(Change::Reply(phone.clone(), number, Some(record)));
    Ok(ReplyAddress {
        sender: nth(first, number),
        is_known,
    })
}

fn free_or_oldest(in_use: &[(u32, ReplyRecord)], count: u32) -> u32 {
    let free = (0..count).find(|number| in_use.iter().all(|(used, _)| used != number));
    let oldest = || in_use.iter().min_by_key(|(_, reply)| reply.used_at);
    free.or_else(|| oldest().map(|(number, _)| *number))
        .unwrap_or_default()
}

/// A number of the range.
fn nth(first: &ShortCode, number: u32) -> ShortCode {
    let digits = first.digits();
    let start: u64 = digits.parse().unwrap_or_default();
    let written = format!(
        "{:0width$}",
        start + u64::from(number),
        width = digits.len()
    );
    ShortCode::new(&written).unwrap_or_else(|_| first.clone())
}

/// Which number of the range it is.
fn number_in(config: &PhoneConfig, recipient: &ShortCode) -> Option<u32> {
    let first = config.reply_first.as_ref()?;
    if first.digits().len() != recipient.digits().len() {
        return None;
    }
    let start: u64 = first.digits().parse().ok()?;
    let number: u64 = recipient.digits().parse().ok()?;
    let number = u32::try_from(number.checked_sub(start)?).ok()?;
    (number < config.reply_count).then_some(number)
}

impl Service {
    /// A phone wrote. What was taken under its key before changes nothing.
    pub fn from_phone(
        &mut self,
        now: Now,
        shelf: &dyn Shelf,
        text: TextFromPhone,
    ) -> Shelved<Effects> {
        if shelf.was_taken(&text.key)? {
            return Ok(Effects::default());
        }
        let config = Arc::clone(&self.config);
        let mut draft = Draft::new(shelf, &config, now);
        draft.changes.push(Change::Once(text.key.clone(), now.wall));
        let Some(phones) = &config.phones else {
            tracing::warn!(
                "a text from a phone came, and [im.phones] is not configured; it is taken and not passed on"
            );
            return Ok(self.release(draft, Effects::default()));
        };
        self.phone_seen(now, shelf, &text.sender, PhoneState::Reached);
        let phone = known_phone(&mut draft, &text.sender)?;
        let number = number_in(phones, &text.recipient);
        let by_address = match number {
            Some(number) => shelf
                .reply(&text.sender, number)?
                .map(|reply| reply.partner),
            None => None,
        };
        if let (Some(number), Some(partner)) = (number, &by_address) {
            // One that is answered to is in use.
            let record = ReplyRecord {
                partner: partner.clone(),
                used_at: now.wall,
            };
            let phone = text.sender.clone();
            draft
                .changes
                .push(Change::Reply(phone, number, Some(record)));
        }
        let is_by_address = by_address.is_some();
        let partner = by_address.or_else(|| phone.last_partner.clone());
        let Some(partner) = partner else {
            self.say(&mut draft, &text.sender, words::NOBODY.into());
            return Ok(self.release(draft, Effects::default()));
        };
        self.write_to(&mut draft, &text, &phone, partner, is_by_address)?;
        Ok(self.release(draft, Effects::default()))
    }

    fn write_to(
        &mut self,
        draft: &mut Draft<'_>,
        text: &TextFromPhone,
        phone: &PhoneRecord,
        partner: Recipient,
        is_by_address: bool,
    ) -> Shelved<()> {
        let message = Message {
            to: partner.clone(),
            saying: Saying::plain(text.text.expose().as_str()),
            report: false,
            valid_until: None,
        };
        let transaction = TransactionId::new("sms").expect("a transaction id");
        let caller = phone_caller(phone);
        let shown = shown_partner(&partner);
        match self.message(draft, &caller, &transaction, message) {
            Ok(reply) => saw_own(draft, &caller, reply.stands_for)?,
            Err(Refusal::Shelf(why)) => return Err(why),
            Err(Refusal::Status(status)) => {
                let told = if status.code == Code::EmptyText {
                    words::EMPTY.into()
                } else {
                    format!("{}{shown}", words::NOT_DELIVERED)
                };
                self.say(draft, &text.sender, told);
                return Ok(());
            }
        }
        if !is_by_address
            && phone
                .last_written
                .as_ref()
                .is_some_and(|before| *before != partner)
        {
            self.say(draft, &text.sender, format!("{}{shown}", words::SENT_TO));
        }
        if phone.last_written.as_ref() != Some(&partner) {
            let record = PhoneRecord {
                last_written: Some(partner),
                ..known_phone(draft, &text.sender)?
            };
            draft
                .changes
                .push(Change::Phone(text.sender.clone(), Some(record)));
        }
        Ok(())
    }
}

/// A phone that is a user has no point that would confirm what it wrote itself; without this it would wait forever, and
/// count as too much one day.
fn saw_own(draft: &mut Draft<'_>, caller: &Caller, written: Option<Position>) -> Shelved<()> {
    let Some(position) = written.filter(|_| is_phone(&caller.user)) else {
        return Ok(());
    };
    if draft.head(&caller.user)?.received.next() == position {
        draft.received(&caller.user, position)?;
    }
    Ok(())
}

/// What the service says to phones.
mod words {
    pub(super) const NOBODY: &str = "Nobody has written to you yet, so there is nobody to answer.";
    pub(super) const EMPTY: &str = "There was no text in your message; it was not sent.";
    pub(super) const NOT_DELIVERED: &str = "Not delivered; cannot be reached: ";
    pub(super) const SENT_TO: &str = "Sent to ";
}
