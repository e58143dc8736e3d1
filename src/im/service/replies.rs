//! Reply addresses: where the operator has a range of numbers, each partner of a phone has one of them, and an answer to it
//! goes to that partner (G16).

use super::draft::Draft;
use crate::im::change::Change;
use crate::im::config::PhoneConfig;
use crate::im::primitive::Recipient;
use crate::im::record::ReplyRecord;
use crate::im::shelf::Shelved;
use crate::message::{PhoneNumber, ShortCode};

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
pub(super) fn number_in(config: &PhoneConfig, recipient: &ShortCode) -> Option<u32> {
    let first = config.reply_first.as_ref()?;
    if first.digits().len() != recipient.digits().len() {
        return None;
    }
    let start: u64 = first.digits().parse().ok()?;
    let number: u64 = recipient.digits().parse().ok()?;
    let number = u32::try_from(number.checked_sub(start)?).ok()?;
    (number < config.reply_count).then_some(number)
}

/// Whom a number of the range leads to, for a phone that has written to it; from now on it is the one used last.
pub(super) fn used(
    draft: &mut Draft<'_>,
    phone: &PhoneNumber,
    number: u32,
) -> Shelved<Option<Recipient>> {
    let Some(reply) = draft.shelf.reply(phone, number)? else {
        return Ok(None);
    };
    let record = ReplyRecord {
        partner: reply.partner.clone(),
        used_at: draft.now.wall,
    };
    draft
        .changes
        .push(Change::Reply(phone.clone(), number, Some(record)));
    Ok(Some(reply.partner))
}
