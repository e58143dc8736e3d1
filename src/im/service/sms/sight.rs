//! Presence by SMS: what a phone's user sees of its buddies, lets them see, and says of itself (G17). All of it is what
//! clients do by the primitives of presence; each fits one SMS.

use super::super::Service;
use super::super::draft::Draft;
use super::super::reach::user_of;
use super::Turn;
use super::buddies::Told;
use super::names::{buddies, shown_contact};
use crate::im::primitive::{
    AuthorizePres, Contact, GetPresence, RequestPresAuth, ToClient, UpdatePresence,
};
use crate::im::shelf::Shelved;
use crate::im::sms::{Availability, Language, Mood, Place, Say, Telling};
use crate::message::UserName;
use crate::presence::{Address, AttributeName, Chosen, Operation, PresValue};

const REACHABILITY: &str = "sluice:reachability";
const AVAILABILITY: &str = "sluice:availability";
/// What somebody is doing, in its own words.
const ACTIVITY: &str = "sluice:activity";

fn attribute(name: &str) -> AttributeName {
    AttributeName::new(name).expect("the registry has it")
}

fn chosen(names: &[&str]) -> Chosen {
    Chosen::names(names.iter().map(|name| attribute(name)).collect()).expect("they are few")
}

/// What buddies see of one another: whether one is there, wants to be disturbed, and what it says of itself.
pub(super) fn shared() -> Chosen {
    chosen(&[REACHABILITY, AVAILABILITY, ACTIVITY])
}

pub(super) fn owner(contact: &Contact) -> UserName {
    match contact {
        Contact::User(user) => user.clone(),
        Contact::Phone(phone) => user_of(phone),
    }
}

fn availability_of(word: &str) -> Option<Availability> {
    Availability::ALL
        .iter()
        .copied()
        .find(|availability| availability.key() == word)
}

/// What the user says of itself.
#[derive(Default)]
struct Own {
    availability: Option<Availability>,
    text: Option<String>,
}

impl Own {
    fn tell(&self, language: &Language) -> Told {
        let availability = self
            .availability
            .map(|availability| language.shown_availability(availability).to_owned());
        let said: Vec<String> = availability.into_iter().chain(self.text.clone()).collect();
        let telling = if said.is_empty() {
            Telling::new(Say::StatusNone)
        } else {
            Telling::new(Say::StatusIs).with(Place::Status, said.join(", "))
        };
        telling.into()
    }
}

impl Service {
    /// Who of the buddies is online, as far as they let this user see it; with how far they want to be disturbed.
    pub(super) fn tell_online(&mut self, draft: &mut Draft<'_>, turn: &Turn<'_>) -> Shelved<Told> {
        let record = super::super::messages::known_phone(draft, &turn.phone)?;
        let all = buddies(draft, &turn.caller.user)?;
        if all.is_empty() {
            return Ok(Telling::new(Say::NoBuddies).into());
        }
        let language = turn.phones.language_of(&record);
        let seen = self.buddies_present(draft.now, draft.shelf, &turn.caller.user)?;
        let online = all.iter().filter_map(|contact| {
            let seen = seen.iter().find(|seen| seen.buddy == *contact)?;
            let is_there = matches!(seen.reachability.as_deref(), Some("reachable" | "idle"));
            if !is_there {
                return None;
            }
            let shown = shown_contact(&record, contact);
            // Who is there and says nothing else is available.
            let said = seen.availability.as_deref().and_then(availability_of);
            let said = said.filter(|availability| *availability != Availability::Available);
            Some(match said {
                Some(said) => format!("{shown} {}", language.shown_availability(said)),
                None => shown,
            })
        });
        let online: Vec<String> = online.collect();
        if online.is_empty() {
            let telling = Telling::new(Say::NobodyOnline);
            return Ok(telling.with(Place::Count, all.len().to_string()).into());
        }
        Ok(Telling::new(Say::Online).listing(online).into())
    }

    /// A buddy may see the user, and is asked whether the user may see it. Whether that is done tells nothing to the phone:
    /// an answer may come in a week.
    pub(super) fn share_sight(
        &mut self,
        draft: &mut Draft<'_>,
        turn: &Turn<'_>,
        buddy: &Contact,
    ) -> Shelved<()> {
        let grant = AuthorizePres {
            // It may have asked before; then it has its answer.
            question: self.question_of(draft, turn, &owner(buddy)),
            to: Some(Address::User(owner(buddy))),
            grant: shared(),
            refuse: Chosen::none(),
            forget: Chosen::none(),
        };
        let _granted = self.request(draft, turn, grant.into())?;
        let ask = RequestPresAuth {
            user: owner(buddy),
            values: shared(),
        };
        let _asked = self.request(draft, turn, ask.into())?;
        Ok(())
    }

    /// One who is a buddy no longer sees no more of the user than others do.
    pub(super) fn end_sight(
        &mut self,
        draft: &mut Draft<'_>,
        turn: &Turn<'_>,
        buddy: &Contact,
    ) -> Shelved<()> {
        let forget = AuthorizePres {
            question: None,
            to: Some(Address::User(owner(buddy))),
            grant: Chosen::none(),
            refuse: Chosen::none(),
            forget: shared(),
        };
        let _forgotten = self.request(draft, turn, forget.into())?;
        Ok(())
    }

    /// What others see of the user, as the phone says.
    pub(super) fn mood(
        &mut self,
        draft: &mut Draft<'_>,
        turn: &Turn<'_>,
        mood: Mood,
    ) -> Shelved<Told> {
        let record = super::super::messages::known_phone(draft, &turn.phone)?;
        let language = turn.phones.language_of(&record);
        let before = self.own(draft, turn)?;
        let after = match mood {
            Mood::Show => return Ok(before.tell(language)),
            Mood::Clear => Own::default(),
            Mood::Set {
                availability: None,
                text,
            } => Own {
                availability: before.availability,
                text,
            },
            Mood::Set { availability, text } => Own { availability, text },
        };
        let mut values = Vec::new();
        let mut change = |name: &str, before: Option<&str>, after: Option<&str>| match after {
            Some(after) => values.push(PresValue::set(attribute(name), after)),
            None if before.is_some() => values.push(PresValue {
                operation: Some(Operation::Remove),
                ..PresValue::named(attribute(name))
            }),
            None => {}
        };
        change(
            AVAILABILITY,
            before.availability.map(Availability::key),
            after.availability.map(Availability::key),
        );
        change(ACTIVITY, before.text.as_deref(), after.text.as_deref());
        if !values.is_empty() {
            let update = UpdatePresence { user: None, values };
            if self.request(draft, turn, update.into())?.is_err() {
                return Ok(Telling::new(Say::StatusRefused).into());
            }
        }
        Ok(after.tell(language))
    }

    fn own(&mut self, draft: &mut Draft<'_>, turn: &Turn<'_>) -> Shelved<Own> {
        let get = GetPresence {
            user: turn.caller.user.clone(),
            values: chosen(&[AVAILABILITY, ACTIVITY]),
        };
        let mut own = Own::default();
        if let Ok(ToClient::Presence(presence)) = self.ask(draft, turn, get.into())? {
            for value in presence.values {
                let text = value.value.as_deref().unwrap_or_default();
                match value.name.as_str() {
                    _ if value.client.is_some() => {}
                    AVAILABILITY => own.availability = availability_of(text),
                    ACTIVITY => own.text = Some(text.to_owned()),
                    _ => {}
                }
            }
        }
        Ok(own)
    }
}
