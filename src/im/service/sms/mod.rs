//! Texts from phones: whom they are for, without their users typing a name where that is possible (G16), and the commands
//! among them, each of which does what a primitive does (G17). `docs/phone-sms.md` is the page for people.
//!
//! Whatever a phone writes is one of three: a message that is delivered, a command that is answered, or a refusal that is
//! told. [`crate::im::sms`] says what a text means; here it is done. The limits on what is answered, and on machines that
//! answer machines, are in [`loops`].

mod acts;
mod allow;
mod buddies;
pub(super) mod loops;
mod names;
mod sight;
pub(super) mod waiting;

use std::sync::Arc;

use self::loops::Pass;
use super::draft::{Draft, Refusal};
use super::messages::known_phone;
use super::reach::is_phone;
use super::replies::{number_in, used};
use super::texts::phone_caller;
use super::{Caller, Service};
use crate::im::change::Change;
use crate::im::config::PhoneConfig;
use crate::im::effects::{Effects, Now};
use crate::im::names::TransactionId;
use crate::im::phone::TextFromPhone;
use crate::im::primitive::{FromClient, Message, Recipient, Saying, Status, ToClient};
use crate::im::record::PhoneRecord;
use crate::im::shelf::{Shelf, Shelved};
use crate::im::sms::{Command, Door, Keyword, Place, Reading, Say, Telling, read};
use crate::im::status::Code;
use crate::message::PhoneNumber;
use crate::presence::PhoneState;

/// A text from a phone while it is seen to.
struct Turn<'a> {
    phones: &'a PhoneConfig,
    phone: PhoneNumber,
    caller: Caller,
    text: String,
    door: Door,
    /// Whom a message without an address is for.
    partner: Option<Recipient>,
    /// The number that it was written to has led somewhere once.
    leads_nowhere: bool,
}

impl Turn<'_> {
    /// Whether it says itself that it is a command, or for whom it is.
    fn is_marked(&self) -> bool {
        let begins = self.text.trim_start().chars().next();
        begins.is_some_and(|sign| !sign.is_alphanumeric())
    }
}

/// What the phone hears of a message that was delivered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hears {
    /// That it went elsewhere than the one before.
    IfElsewhere,
    /// Nothing: it said itself for whom it is.
    Nothing,
    /// That it may have been meant as a command.
    Near(Keyword),
}

impl Service {
    /// A phone wrote. What was taken under its key before changes nothing, and is not answered again.
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
        let record = known_phone(&mut draft, &text.sender)?;
        let number = number_in(phones, &text.recipient);
        let by_address = match number {
            Some(number) => used(&mut draft, &text.sender, number)?,
            None => None,
        };
        let turn = Turn {
            phones,
            caller: phone_caller(&record),
            phone: text.sender,
            text: text.text.into_exposed(),
            door: if by_address.is_some() {
                Door::Reply
            } else {
                Door::Main
            },
            leads_nowhere: number.is_some() && by_address.is_none(),
            partner: by_address.or_else(|| record.last_partner.clone()),
        };
        self.take_turn(&mut draft, &turn, &record)?;
        has_all(&mut draft, &turn)?;
        Ok(self.release(draft, Effects::default()))
    }

    fn take_turn(
        &mut self,
        draft: &mut Draft<'_>,
        turn: &Turn<'_>,
        record: &PhoneRecord,
    ) -> Shelved<()> {
        let language = turn.phones.language_of(record);
        let reading = read(&turn.text, turn.door, language, &turn.phones.languages);
        if record.stopped {
            // It has asked for silence; only what it can undo that with is done.
            let is_heard = matches!(
                &reading,
                Reading::Command(Command::Start | Command::Stop | Command::Help(_))
            );
            if !is_heard {
                return self.answer(draft, turn, &Telling::new(Say::IsStopped));
            }
        }
        match reading {
            Reading::Message => self.pass_on(draft, turn, Hears::IfElsewhere),
            Reading::MessageNear(keyword) if turn.partner.is_some() && !turn.leads_nowhere => {
                self.pass_on(draft, turn, Hears::Near(keyword))
            }
            Reading::MessageNear(keyword) | Reading::Incomplete(keyword) => {
                self.explain(draft, turn, keyword)
            }
            Reading::Addressed { to, text, how } => self.addressed(draft, turn, &to, &text, how),
            Reading::Unknown { word, nearest } => {
                let telling = match nearest {
                    Some(near) => Telling::new(Say::UnknownNear)
                        .with(Place::Command, language.shown(near).to_uppercase()),
                    None => Telling::new(Say::Unknown),
                };
                self.answer(draft, turn, &telling.with(Place::Word, format!("/{word}")))
            }
            Reading::Command(Command::ToGroup(group, text)) => {
                self.write_to_group(draft, turn, &group, &text)
            }
            Reading::Command(command) => self.act(draft, turn, command),
        }
    }

    /// A message as it stands, to whom it is for without saying so.
    fn pass_on(&mut self, draft: &mut Draft<'_>, turn: &Turn<'_>, hears: Hears) -> Shelved<()> {
        if turn.leads_nowhere {
            return self.answer(draft, turn, &Telling::new(Say::NobodyHere));
        }
        let Some(partner) = turn.partner.clone() else {
            return self.answer(draft, turn, &Telling::new(Say::Nobody));
        };
        let text = turn.text.clone();
        self.write_to(draft, turn, partner, text, hears)
    }

    /// A message to somebody.
    fn write_to(
        &mut self,
        draft: &mut Draft<'_>,
        turn: &Turn<'_>,
        partner: Recipient,
        text: String,
        hears: Hears,
    ) -> Shelved<()> {
        match self
            .loops
            .writes(&turn.phone, &partner, &text, draft.now.moment)
        {
            Pass::Goes => {}
            Pass::Ends => return self.answer(draft, turn, &Telling::new(Say::Repeated)),
            // It was told, and what comes since is the same.
            Pass::Silent => return Ok(()),
        }
        let record = known_phone(draft, &turn.phone)?;
        let shown = names::shown_to(&record, &partner);
        let message = Message {
            to: partner.clone(),
            saying: Saying::plain(text),
            report: false,
            valid_until: None,
        };
        if let Err(status) = self.request(draft, turn, message.into())? {
            let telling = refused(status.code, &partner, &shown);
            return self.answer(draft, turn, &telling);
        }
        let is_by_address = turn.door == Door::Reply;
        let mut after = known_phone(draft, &turn.phone)?;
        let is_elsewhere = after
            .last_written
            .as_ref()
            .is_some_and(|before| *before != partner);
        let before = after.clone();
        after.last_written = Some(partner.clone());
        if !is_by_address {
            after.last_partner = Some(partner);
        }
        if after != before {
            draft
                .changes
                .push(Change::Phone(turn.phone.clone(), Some(after)));
        }
        let telling = match hears {
            Hears::Near(keyword) => {
                let language = turn.phones.language_of(&record);
                Telling::new(Say::SentNear)
                    .with(Place::Command, language.shown(keyword).to_uppercase())
            }
            _ if !record.signed_in => Telling::new(Say::SentWhileOut),
            Hears::IfElsewhere if is_elsewhere && !is_by_address => Telling::new(Say::SentTo),
            _ => return Ok(()),
        };
        self.answer(draft, turn, &telling.with(Place::Name, shown))
    }

    /// A request as a client would make it, by the same way.
    fn request(
        &mut self,
        draft: &mut Draft<'_>,
        turn: &Turn<'_>,
        primitive: FromClient,
    ) -> Shelved<Result<(), Status>> {
        Ok(self.ask(draft, turn, primitive)?.map(drop))
    }

    /// The same, with what is answered.
    fn ask(
        &mut self,
        draft: &mut Draft<'_>,
        turn: &Turn<'_>,
        primitive: FromClient,
    ) -> Shelved<Result<ToClient, Status>> {
        let transaction = TransactionId::new("sms").expect("a transaction id");
        match self.dispatch(draft, &turn.caller, &transaction, primitive) {
            Ok(reply) => Ok(Ok(reply.word)),
            Err(Refusal::Shelf(why)) => Err(why),
            Err(Refusal::Status(status)) => Ok(Err(*status)),
        }
    }

    /// An answer, if the phone may have another one. Beyond that it is told once that there is silence now.
    fn answer(&mut self, draft: &mut Draft<'_>, turn: &Turn<'_>, telling: &Telling) -> Shelved<()> {
        self.answer_both(draft, turn, telling, None)
    }

    /// An answer, and a second one in the same SMS if there is room.
    fn answer_both(
        &mut self,
        draft: &mut Draft<'_>,
        turn: &Turn<'_>,
        telling: &Telling,
        behind: Option<&Telling>,
    ) -> Shelved<()> {
        if !self.may_answer(draft, turn)? {
            return Ok(());
        }
        let record = known_phone(draft, &turn.phone)?;
        let language = turn.phones.language_of(&record);
        let text = match behind {
            Some(behind) => language.tell_both(telling, behind),
            None => language.tell(telling),
        };
        self.say(draft, &turn.phone, text);
        Ok(())
    }

    /// Takes one of the answers that a phone has.
    fn may_answer(&mut self, draft: &mut Draft<'_>, turn: &Turn<'_>) -> Shelved<bool> {
        let now = draft.now.moment;
        if self.answers.take(&turn.phone, now).is_ok() {
            self.quiet.remove(&turn.phone);
            return Ok(true);
        }
        if self.quiet.insert(turn.phone.clone()) {
            let record = known_phone(draft, &turn.phone)?;
            let language = turn.phones.language_of(&record);
            let text = language.tell(&Telling::new(Say::Quiet));
            self.say(draft, &turn.phone, text);
        }
        Ok(false)
    }

    /// How one command is written.
    fn explain(&mut self, draft: &mut Draft<'_>, turn: &Turn<'_>, keyword: Keyword) -> Shelved<()> {
        if !self.may_answer(draft, turn)? {
            return Ok(());
        }
        let record = known_phone(draft, &turn.phone)?;
        let text = turn.phones.language_of(&record).help(keyword);
        self.say(draft, &turn.phone, text.to_owned());
        Ok(())
    }
}

/// Why a message was not delivered.
fn refused(code: Code, to: &Recipient, shown: &str) -> Telling {
    let say = match code {
        Code::EmptyText => Say::Empty,
        Code::TextTooLong => Say::TooLong,
        Code::TooFast => Say::TooFast,
        Code::InboxFull => Say::RecipientFull,
        Code::NotAMember | Code::UnknownGroup if matches!(to, Recipient::Group(_)) => {
            return Telling::new(Say::NotIn).with(Place::Word, shown);
        }
        Code::StorageFailed | Code::Overloaded => Say::Failed,
        _ => Say::NotDelivered,
    };
    Telling::new(say).with(Place::Name, shown)
}

/// A phone that is a user has no point that would confirm what its log holds: it has everything, since it gets its
/// messages as texts, unless some of them wait. Without this they would count as too much one day.
fn has_all(draft: &mut Draft<'_>, turn: &Turn<'_>) -> Shelved<()> {
    if !is_phone(&turn.caller.user) || known_phone(draft, &turn.phone)?.waits_from.is_some() {
        return Ok(());
    }
    let last = draft.head(&turn.caller.user)?.last;
    draft.received(&turn.caller.user, last)?;
    Ok(())
}
