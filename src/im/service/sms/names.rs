//! Whom a name means that a phone wrote.

use super::super::draft::Draft;
use super::super::reach::{canonical, contact_of, is_phone};
use super::super::texts::shown_partner;
use super::Turn;
use crate::im::config::PhoneConfig;
use crate::im::primitive::{Contact, Recipient};
use crate::im::record::PhoneRecord;
use crate::im::shelf::Shelved;
use crate::im::sms::{Person, Place, Say, Telling, folded};
use crate::message::{PhoneNumber, UserName};

/// Most buddies that are looked at for one command: all of the lists that an operator usually allows one to have, and a
/// bound on what one SMS costs.
pub(super) const MOST_LOOKED_AT: usize = 1000;

/// Whom a name means; nobody may be reached by it.
pub(super) fn meant(
    config: &PhoneConfig,
    record: &PhoneRecord,
    person: &Person,
) -> Option<Contact> {
    match person {
        Person::Called(name) => {
            let name = folded(name);
            let mut own = record.nicknames.iter();
            if let Some((_, contact)) = own.find(|(own, _)| folded(own.as_str()) == name) {
                return Some(contact.clone());
            }
            // Digits are a phone's name only if they are a number; a short code is nobody.
            let user = UserName::new(&name).ok().filter(|user| !is_phone(user))?;
            Some(contact_of(&user))
        }
        Person::Number(number) => international(config, number).map(Contact::Phone),
    }
}

/// A number with its country.
fn international(config: &PhoneConfig, number: &str) -> Option<PhoneNumber> {
    let with_country = if number.starts_with('+') {
        number.to_owned()
    } else if let Some(rest) = number.strip_prefix("00") {
        rest.to_owned()
    } else if let Some(national) = number.strip_prefix('0') {
        format!("{}{national}", config.country_code.as_ref()?)
    } else {
        number.to_owned()
    };
    PhoneNumber::new(&with_country).ok()
}

/// How a contact is shown to a phone: by its nickname, if it has one.
pub(super) fn shown_contact(record: &PhoneRecord, contact: &Contact) -> String {
    let mut own = record.nicknames.iter();
    match own.find(|(_, other)| other == contact) {
        Some((nickname, _)) => nickname.as_str().into(),
        None => shown_partner(&contact.clone().into()),
    }
}

/// How a partner is shown to a phone.
pub(super) fn shown_to(record: &PhoneRecord, partner: &Recipient) -> String {
    match partner {
        Recipient::User(user) => shown_contact(record, &contact_of(user)),
        Recipient::Phone(phone) => shown_contact(record, &Contact::Phone(phone.clone())),
        other => shown_partner(other),
    }
}

/// All buddies, each once, in the order of the lists.
pub(super) fn buddies(draft: &Draft<'_>, user: &UserName) -> Shelved<Vec<Contact>> {
    let mut all: Vec<Contact> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (_, list) in draft.shelf.lists(user)? {
        for buddy in list.buddies.into_iter().map(canonical) {
            if all.len() < MOST_LOOKED_AT && seen.insert(buddy.clone()) {
                all.push(buddy);
            }
        }
    }
    Ok(all)
}

/// Nobody is called so; perhaps a buddy nearly is.
pub(super) fn nobody_called(
    draft: &Draft<'_>,
    turn: &Turn<'_>,
    record: &PhoneRecord,
    word: &str,
) -> Shelved<Telling> {
    let name = folded(word);
    let all = buddies(draft, &turn.caller.user)?;
    let shown = all.iter().map(|contact| shown_contact(record, contact));
    let near = shown
        .map(|shown| (strsim::osa_distance(&name, &folded(&shown)), shown))
        .filter(|(distance, _)| *distance <= 2 && *distance * 2 < name.chars().count())
        .min();
    let telling = match near {
        Some((_, near)) => Telling::new(Say::UnknownNameNear).with(Place::Name, near),
        None => Telling::new(Say::UnknownName),
    };
    Ok(telling.with(Place::Word, word))
}
