//! Who reaches whom.
//!
//! The same is read, and the same answered, whether a user does not exist, is shut, has blocked the asker, or is reached
//! by buddies only.

use super::draft::Draft;
use crate::im::primitive::{Contact, Reach};
use crate::im::record::UserRecord;
use crate::im::shelf::Shelved;
use crate::message::{PhoneNumber, UserName};

/// Whether a name is one of a phone: digits only.
pub(super) fn is_phone(user: &UserName) -> bool {
    user.as_str().bytes().all(|octet| octet.is_ascii_digit())
}

/// The phone that a user is.
pub(super) fn phone_of(user: &UserName) -> Option<PhoneNumber> {
    if !is_phone(user) {
        return None;
    }
    PhoneNumber::new(user.as_str()).ok()
}

/// The user that a phone is, if nobody registered it.
pub(super) fn user_of(phone: &PhoneNumber) -> UserName {
    UserName::new(phone.digits()).expect("digits are a name")
}

/// As whom others know a user.
pub(super) fn contact_of(user: &UserName) -> Contact {
    phone_of(user).map_or_else(|| Contact::User(user.clone()), Contact::Phone)
}

/// A contact in the one form in which it is kept.
pub(super) fn canonical(contact: Contact) -> Contact {
    match contact {
        Contact::User(user) => contact_of(&user),
        phone @ Contact::Phone(_) => phone,
    }
}

/// A user whom another one reaches.
pub(super) fn reachable(
    draft: &Draft<'_>,
    from: &UserName,
    to: &UserName,
) -> Shelved<Option<UserRecord>> {
    let contact = contact_of(from);
    let record = draft.shelf.user(to)?;
    let is_blocked = draft.shelf.is_blocked(to, &contact)?;
    let is_buddy = draft.shelf.is_buddy(to, &contact)?;
    let is_self = from == to;
    Ok(record.filter(|record| {
        let takes = record.settings.reach == Reach::Everybody || is_buddy;
        !record.is_shut && (is_self || (takes && !is_blocked))
    }))
}
