//! Messages: to a user, a phone, a list, a group, a member (P9).
//!
//! First it is found out who gets it and who cannot; then the sender's own log gets it, for its other points; then each
//! recipient's. A message to many is one entry, shared.

use std::sync::Arc;

use super::draft::{Answer, Draft, Refusal, Reply};
use super::reach::{canonical, contact_of, is_phone, phone_of, reachable, user_of};
use super::sms::waiting::BEFORE_NEW;
use super::texts::Carried;
use super::{Caller, Service};
use crate::clock::WallTime;
use crate::im::change::Change;
use crate::im::log::{Due, Entry, Logged};
use crate::im::names::{GroupName, ListName, MessageId, Position, TransactionId};
use crate::im::primitive::{
    Accepted, Contact, Failed, Forward, Incoming, MemberAddress, Message, Recipient, Saying,
    Sender, Sent, Settings, Status,
};
use crate::im::record::{PhoneRecord, UserRecord};
use crate::im::shelf::Shelved;
use crate::im::status::Code;
use crate::message::{PhoneNumber, UserName};

/// One recipient, found.
struct Target {
    user: UserName,
    record: UserRecord,
    /// The phone that was addressed; its user may have others.
    phone: Option<(PhoneNumber, PhoneRecord)>,
    /// As the sender addressed it.
    address: Recipient,
}

/// The phone that a member of a group is.
enum PhoneTarget {
    /// None, or this one; one that is signed out gets it later.
    Is(Option<(PhoneNumber, PhoneRecord)>),
    /// It wants nothing.
    Stopped,
    /// The sender has used up its texts.
    TooFast,
}

/// Everybody who gets a message.
struct Targets {
    /// As whom they see the sender.
    from: Sender,
    found: Vec<Target>,
    failed: Vec<Failed>,
    /// Whether one that fails fails the request.
    is_single: bool,
}

impl Targets {
    const fn new(from: Sender, is_single: bool) -> Self {
        Self {
            from,
            found: Vec::new(),
            failed: Vec::new(),
            is_single,
        }
    }

    fn fail(&mut self, recipient: Recipient, code: Code) {
        self.failed.push(Failed { recipient, code });
    }
}

impl Service {
    pub(super) fn message(
        &mut self,
        draft: &mut Draft<'_>,
        caller: &Caller,
        transaction: &TransactionId,
        message: Message,
    ) -> Answer {
        check_saying(draft, &message.saying)?;
        self.messages
            .take(&caller.user, draft.now.moment)
            .map_err(|wait| Status::of(Code::TooFast).retry_after(wait))?;
        let Message {
            to,
            saying,
            report,
            valid_until,
        } = message;
        if valid_until.is_some_and(|until| until <= draft.now.wall) {
            return Err(Status::bad_element("valid_until", "is over already").into());
        }
        let targets = self.targets(draft, caller, &to)?;
        if targets.is_single
            && let Some(failed) = targets.failed.first()
        {
            return Err(Status::of(failed.code).at("to").into());
        }
        let id = MessageId::new(draft.now.wall, self.chance.octets());
        let sent = Sent {
            message: id,
            to,
            saying: saying.clone(),
            transaction: transaction.clone(),
        };
        let entry = Entry::new(draft.now.wall, Logged::Sent(sent));
        let position = draft.append(&caller.user, &entry, None)?;
        let carried = Carried {
            sender: &caller.user,
            message: id,
            from: &targets.from,
            text: saying.text.expose(),
            report,
            valid_until,
        };
        let incoming = Incoming {
            message: id,
            from: targets.from.clone(),
            saying: saying.clone(),
        };
        let entry = Entry::new(draft.now.wall, Logged::Message(incoming));
        let recipients = u32::try_from(targets.found.len()).unwrap_or(u32::MAX);
        for target in targets.found {
            self.deliver(draft, &carried, &entry, target)?;
        }
        Ok(Reply {
            word: Accepted {
                message: id,
                recipients,
                failed: targets.failed,
            }
            .into(),
            stands_for: Some(position),
        })
    }

    fn targets(
        &mut self,
        draft: &mut Draft<'_>,
        caller: &Caller,
        to: &Recipient,
    ) -> Result<Targets, Refusal> {
        let own = || match contact_of(&caller.user) {
            Contact::User(user) => Sender::User(user),
            Contact::Phone(phone) => Sender::Phone(phone),
        };
        match to {
            Recipient::User(user) => {
                let mut targets = Targets::new(own(), true);
                self.add(draft, caller, contact_of(user), to.clone(), &mut targets)?;
                Ok(targets)
            }
            Recipient::Phone(phone) => {
                let mut targets = Targets::new(own(), true);
                let contact = Contact::Phone(phone.clone());
                self.add(draft, caller, contact, to.clone(), &mut targets)?;
                Ok(targets)
            }
            Recipient::List(list) => {
                let mut targets = Targets::new(own(), false);
                self.add_list(draft, caller, list, &mut targets)?;
                Ok(targets)
            }
            Recipient::Group(group) => self.group_targets(draft, caller, group),
            Recipient::Member(member) => self.member_targets(draft, caller, member),
        }
    }

    /// A user or a phone, if the sender reaches it.
    fn add(
        &mut self,
        draft: &mut Draft<'_>,
        caller: &Caller,
        contact: Contact,
        address: Recipient,
        targets: &mut Targets,
    ) -> Result<(), Refusal> {
        let (user, phone) = match contact {
            Contact::User(user) => (user, None),
            Contact::Phone(number) => {
                if self.config.phones.is_none() {
                    targets.fail(address, Code::PhonesOff);
                    return Ok(());
                }
                let record = known_phone(draft, &number)?;
                (record.user.clone(), Some((number, record)))
            }
        };
        let Some(record) = self.who(draft, &caller.user, &user)? else {
            targets.fail(address, Code::UnknownRecipient);
            return Ok(());
        };
        if draft.is_full(&user)? {
            targets.fail(address, Code::InboxFull);
            return Ok(());
        }
        if phone.as_ref().is_some_and(|(_, phone)| phone.stopped) && is_phone(&user) {
            // It wants nothing, and has nothing else to be reached by.
            targets.fail(address, Code::UnknownRecipient);
            return Ok(());
        }
        if phone.as_ref().is_some_and(|(_, phone)| phone.takes_texts())
            && !self.may_text(&caller.user, draft.now.moment)
        {
            targets.fail(address, Code::TooFast);
            return Ok(());
        }
        targets.found.push(Target {
            user,
            record,
            phone,
            address,
        });
        Ok(())
    }

    /// A user whom the sender reaches; one that this request is about to make among them.
    fn who(
        &self,
        draft: &Draft<'_>,
        from: &UserName,
        to: &UserName,
    ) -> Shelved<Option<UserRecord>> {
        let made = draft.changes.iter().rev().find_map(|change| match change {
            Change::User(user, Some(record)) if user == to => Some(record.clone()),
            _ => None,
        });
        match made {
            Some(record) => Ok(Some(record)),
            None => reachable(draft, from, to),
        }
    }

    fn add_list(
        &mut self,
        draft: &mut Draft<'_>,
        caller: &Caller,
        list: &ListName,
        targets: &mut Targets,
    ) -> Result<(), Refusal> {
        let Some(record) = draft.shelf.list(&caller.user, list)? else {
            return Err(Status::of(Code::UnknownList).at("to").into());
        };
        for buddy in record.buddies {
            let address = buddy.clone().into();
            self.add(draft, caller, canonical(buddy), address, targets)?;
        }
        Ok(())
    }

    fn group_targets(
        &mut self,
        draft: &Draft<'_>,
        caller: &Caller,
        group: &GroupName,
    ) -> Result<Targets, Refusal> {
        let members = draft.shelf.members(group)?;
        let Some(own) = members.get(&caller.user) else {
            return Err(not_a_member(draft, group)?);
        };
        let address = |name: &crate::im::names::ScreenName| MemberAddress {
            group: group.clone(),
            name: name.clone(),
        };
        let mut targets = Targets::new(Sender::Group(address(&own.name)), false);
        let contact = contact_of(&caller.user);
        for (user, member) in members.iter() {
            if *user == caller.user || draft.shelf.is_blocked(user, &contact)? {
                continue;
            }
            let Some(record) = draft.shelf.user(user)?.filter(|record| !record.is_shut) else {
                continue;
            };
            let recipient = Recipient::Member(address(&member.name));
            if draft.is_full(user)? {
                targets.fail(recipient, Code::InboxFull);
                continue;
            }
            match self.phone_target(draft, caller, user)? {
                // A phone that wants nothing gets nothing, and nobody need know.
                PhoneTarget::Stopped => {}
                PhoneTarget::TooFast => targets.fail(recipient, Code::TooFast),
                PhoneTarget::Is(phone) => targets.found.push(Target {
                    user: user.clone(),
                    record,
                    phone,
                    address: recipient,
                }),
            }
        }
        Ok(targets)
    }

    fn member_targets(
        &mut self,
        draft: &Draft<'_>,
        caller: &Caller,
        to: &MemberAddress,
    ) -> Result<Targets, Refusal> {
        let members = draft.shelf.members(&to.group)?;
        let Some(own) = members.get(&caller.user) else {
            return Err(not_a_member(draft, &to.group)?);
        };
        let from = MemberAddress {
            group: to.group.clone(),
            name: own.name.clone(),
        };
        let mut targets = Targets::new(Sender::Member(from), true);
        let address = Recipient::Member(to.clone());
        let Some((user, _)) = members.called(&to.name) else {
            targets.fail(address, Code::UnknownMember);
            return Ok(targets);
        };
        let is_blocked = draft.shelf.is_blocked(user, &contact_of(&caller.user))?;
        let record = draft.shelf.user(user)?.filter(|record| !record.is_shut);
        match record {
            // Who is seen in the group and cannot be written to: this tells no more than that.
            Some(record) if !is_blocked => {
                if draft.is_full(user)? {
                    targets.fail(address, Code::InboxFull);
                    return Ok(targets);
                }
                match self.phone_target(draft, caller, user)? {
                    PhoneTarget::Stopped => targets.fail(address, Code::UnknownRecipient),
                    PhoneTarget::TooFast => targets.fail(address, Code::TooFast),
                    PhoneTarget::Is(phone) => targets.found.push(Target {
                        user: user.clone(),
                        record,
                        phone,
                        address,
                    }),
                }
            }
            _ => targets.fail(address, Code::UnknownRecipient),
        }
        Ok(targets)
    }

    /// The phone that a user is, if a text to it may be paid for.
    fn phone_target(
        &mut self,
        draft: &Draft<'_>,
        caller: &Caller,
        user: &UserName,
    ) -> Shelved<PhoneTarget> {
        let Some(number) = phone_of(user) else {
            return Ok(PhoneTarget::Is(None));
        };
        let record = draft.shelf.phone(&number)?;
        let Some(record) = record.filter(|record| record.user == *user) else {
            return Ok(PhoneTarget::Is(None));
        };
        if record.stopped {
            return Ok(PhoneTarget::Stopped);
        }
        let is_paid = !record.signed_in || self.may_text(&caller.user, draft.now.moment);
        Ok(if is_paid {
            PhoneTarget::Is(Some((number, record)))
        } else {
            PhoneTarget::TooFast
        })
    }

    /// Into the recipient's log, and to its phones.
    fn deliver(
        &mut self,
        draft: &mut Draft<'_>,
        carried: &Carried<'_>,
        entry: &Arc<Entry>,
        target: Target,
    ) -> Result<(), Refusal> {
        let Target {
            user,
            record,
            phone,
            address,
        } = target;
        let is_phone = is_phone(&user);
        let by_text = match &phone {
            // What waits goes first, as far as one message may pay for that; else this one waits as well.
            Some((number, phone)) if phone.takes_texts() => {
                self.feed_phone(draft, number, BEFORE_NEW)?.is_done
            }
            _ => false,
        };
        // A phone that gets it now reports by the carrier; everybody else by confirming the entry.
        let due = (carried.report && !(is_phone && by_text)).then(|| Due {
            sender: carried.sender.clone(),
            message: carried.message,
            recipient: address.clone(),
        });
        let position = draft.append(&user, entry, due)?;
        if let Some((number, _)) = phone {
            if by_text {
                let log = (!is_phone).then(|| (user.clone(), position));
                self.text(draft, &number, carried, address, log)?;
                if is_phone {
                    draft.received(&user, position)?;
                }
            } else {
                wait(draft, &number, position)?;
            }
            return Ok(());
        }
        if !record.has_phones || self.config.phones.is_none() {
            return Ok(());
        }
        for (number, phone) in draft.shelf.phones_of(&user)? {
            let is_wanted = match phone.forward {
                Forward::Always => true,
                Forward::WhenAway => !self.points.has(&user),
                Forward::Never => false,
            };
            if !is_wanted || phone.stopped {
                continue;
            }
            if !phone.signed_in || !self.feed_phone(draft, &number, BEFORE_NEW)?.is_done {
                wait(draft, &number, position)?;
                continue;
            }
            // Beyond its sender's share it waits in the log.
            if self.may_text(carried.sender, draft.now.moment) {
                let log = Some((user.clone(), position));
                self.text(draft, &number, carried, address.clone(), log)?;
            }
        }
        Ok(())
    }
}

/// An entry waits for a phone until it signs in.
fn wait(draft: &mut Draft<'_>, number: &PhoneNumber, position: Position) -> Shelved<()> {
    let mut record = known_phone(draft, number)?;
    if record.waits_from.is_none() {
        record.waits_from = Some(position);
        draft
            .changes
            .push(Change::Phone(number.clone(), Some(record)));
    }
    Ok(())
}

/// A text is there, and not too long.
fn check_saying(draft: &Draft<'_>, saying: &Saying) -> Result<(), Refusal> {
    let text = saying.text.expose();
    if text.trim().is_empty() {
        return Err(Status::of(Code::EmptyText).at("saying").into());
    }
    if text.len() > draft.config.max_text as usize {
        let most = u64::from(draft.config.max_text);
        return Err(Status::of(Code::TextTooLong)
            .at("saying")
            .within("max_text", most)
            .into());
    }
    Ok(())
}

/// What somebody is told who is not in a group: of a private one, not even that it exists.
pub(super) fn not_a_member(draft: &Draft<'_>, group: &GroupName) -> Shelved<Refusal> {
    let record = draft.shelf.group(group)?;
    Ok(match record {
        Some(record) if !record.is_private() => Code::NotAMember.into(),
        _ => Code::UnknownGroup.into(),
    })
}

/// A phone, if it is known, with what this request has changed of it.
pub(super) fn known_by_now(
    draft: &Draft<'_>,
    number: &PhoneNumber,
) -> Shelved<Option<PhoneRecord>> {
    let made = draft.changes.iter().rev().find_map(|change| match change {
        Change::Phone(phone, Some(record)) if phone == number => Some(record.clone()),
        _ => None,
    });
    match made {
        Some(record) => Ok(Some(record)),
        None => draft.shelf.phone(number),
    }
}

/// A phone; one that nobody knew becomes a user of its own.
pub(super) fn known_phone(draft: &mut Draft<'_>, number: &PhoneNumber) -> Shelved<PhoneRecord> {
    if let Some(record) = known_by_now(draft, number)? {
        return Ok(record);
    }
    let user = user_of(number);
    let record = PhoneRecord::of(user.clone(), Forward::Always);
    if draft.shelf.user(&user)?.is_none() {
        let made = new_user(draft.now.wall);
        draft.changes.push(Change::User(user, Some(made)));
    }
    draft
        .changes
        .push(Change::Phone(number.clone(), Some(record.clone())));
    Ok(record)
}

fn new_user(now: WallTime) -> UserRecord {
    UserRecord {
        made_at: now,
        settings: Settings::default(),
        is_shut: false,
        has_phones: false,
    }
}
