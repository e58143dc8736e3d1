//! The seam between primitives and the presence service (P2–P5, P13), which is a machine of its own: requests are handed
//! on, refusals become `Status`, changes go the way of all changes.

use std::sync::Arc;
use std::time::Duration;

use super::draft::{Answer, Draft, Refusal};
use super::reach::{is_phone, reachable, user_of};
use super::{Caller, Service};
use crate::im::config::Config;
use crate::im::effects::Now;
use crate::im::names::GroupName;
use crate::im::primitive::{
    AuthorizePres, Contact, FromClient, GetPresence, JoinGroup, ModifyJoin, Presence,
    RequestPresAuth, SearchUsers, Status, SubsPresence, Subscribed, UnsubsPresence, UpdatePresence,
    UsersFound,
};
use crate::im::shelf::{Shelf, Shelved};
use crate::im::status::Code;
use crate::message::UserName;
use crate::presence::{
    self, Address, Authorise, Chosen, MAX_FOUND, Membership, PresValue, Query, RefusalKind,
};

/// Whoever has a connection is there: doors close those that are silent, and say so. The presence service waits longer.
const SILENCE: Duration = Duration::from_hours(24 * 365 * 10);

/// Groups, as the shelf has them.
pub(super) struct ShelfGroups<'a>(pub(super) &'a dyn Shelf);

impl Membership for ShelfGroups<'_> {
    fn is_member(&self, user: &UserName, group: &presence::GroupName) -> bool {
        let Ok(group) = GroupName::new(group.as_str()) else {
            return false;
        };
        match self.0.members(&group) {
            Ok(members) => members.get(user).is_some(),
            Err(why) => {
                // Who cannot be looked up sees nothing.
                tracing::error!("{why}; a member of a group does not see what members see");
                false
            }
        }
    }
}

pub(super) const fn at<'a>(now: Now, groups: &'a dyn Membership) -> presence::Now<'a> {
    presence::Now {
        moment: now.moment,
        wall: now.wall,
        groups,
    }
}

/// A group as presence names it: in its one form.
pub(super) fn named(group: &GroupName) -> presence::GroupName {
    presence::GroupName::new(group.as_str()).expect("a group's name prints, and is not too long")
}

pub(super) fn client_named(name: &str) -> presence::ClientName {
    presence::ClientName::new(name).expect("a client's name prints, and is not too long")
}

/// The service without anything.
pub(super) fn empty(config: &Config) -> presence::Service {
    let settings = presence::Config {
        silence: SILENCE,
        ..config.presence.clone()
    };
    presence::Service::new(settings, Arc::clone(&config.attributes))
}

/// Whether a primitive changes something of presence: its answer is remembered, so that it acts once.
pub(super) const fn acts(primitive: &FromClient) -> bool {
    matches!(
        primitive,
        FromClient::UpdatePresence(_)
            | FromClient::RequestPresAuth(_)
            | FromClient::AuthorizePres(_)
            | FromClient::SubsPresence(_)
            | FromClient::UnsubsPresence(_)
    )
}

impl From<presence::Refusal> for Refusal {
    fn from(why: presence::Refusal) -> Self {
        let code = match why.kind {
            RefusalKind::Malformed
            | RefusalKind::Circular
            | RefusalKind::Stale
            | RefusalKind::Exists => Code::BadPresence,
            RefusalKind::Foreign | RefusalKind::ReadOnly => Code::NotPermitted,
            RefusalKind::Missing => Code::UnknownValue,
            RefusalKind::TooMany => Code::QuotaFull,
            RefusalKind::Settled => Code::UnknownQuestion,
        };
        // As the primitives call it.
        let element = match &*why.element {
            "owner" => "user",
            "duration" => "seconds",
            "conditions" => "presence",
            "after" => "from",
            other => other,
        };
        Status::saying(code, format!("{element}: {}", why.reason))
            .at(element)
            .into()
    }
}

/// An address with its group in the one form that groups have.
fn canonical(element: &'static str, address: Address) -> Result<Address, Refusal> {
    match address {
        Address::Group(group) => GroupName::new(group.as_str())
            .map(|group| Address::Group(named(&group)))
            .map_err(|why| Status::bad_element(element, &why.to_string()).into()),
        other => Ok(other),
    }
}

fn canonical_list(
    element: &'static str,
    list: Option<Vec<Address>>,
) -> Result<Option<Vec<Address>>, Refusal> {
    let each = |list: Vec<Address>| {
        list.into_iter()
            .map(|one| canonical(element, one))
            .collect()
    };
    list.map(each).transpose()
}

/// What clients ask for.
impl Service {
    /// Whether a user may change something of presence now: each change is looked at for all of its watchers.
    fn presence_pace(&mut self, draft: &Draft<'_>, user: &UserName) -> Result<(), Refusal> {
        self.presence_rates
            .take(user, draft.now.moment)
            .map_err(|wait| Status::of(Code::TooFast).retry_after(wait).into())
    }

    pub(super) fn update_presence(
        &mut self,
        draft: &Draft<'_>,
        caller: &Caller,
        update: UpdatePresence,
    ) -> Answer {
        let owner = update.user.unwrap_or_else(|| caller.user.clone());
        self.set_presence(draft, caller, &owner, update.values)?;
        Ok(Status::done().into())
    }

    /// Sets, makes and removes values of `owner`, as a client or a phone asks; a phone has no session.
    pub(super) fn set_presence(
        &mut self,
        draft: &Draft<'_>,
        caller: &Caller,
        owner: &UserName,
        values: Vec<PresValue>,
    ) -> Result<(), Refusal> {
        self.presence_pace(draft, &caller.user)?;
        let client = Self::client_of(draft, caller)?;
        let values: Vec<PresValue> = values
            .into_iter()
            .map(|value| {
                Ok(PresValue {
                    allowed: canonical_list("allowed", value.allowed)?,
                    restricted: canonical_list("restricted", value.restricted)?,
                    ..value
                })
            })
            .collect::<Result<_, Refusal>>()?;
        let groups = ShelfGroups(draft.shelf);
        let now = at(draft.now, &groups);
        self.presence
            .update(&now, &caller.user, client.as_ref(), owner, &values)?;
        Ok(())
    }

    /// The client from which a request comes.
    fn client_of(
        draft: &Draft<'_>,
        caller: &Caller,
    ) -> Result<Option<presence::ClientName>, Refusal> {
        let Some(session) = caller.session else {
            return Ok(None);
        };
        let record = draft.shelf.session(&session)?;
        Ok(record.map(|record| client_named(record.client.as_str())))
    }

    pub(super) fn get_presence(
        &mut self,
        draft: &mut Draft<'_>,
        caller: &Caller,
        get: GetPresence,
    ) -> Answer {
        let groups = ShelfGroups(draft.shelf);
        let now = at(draft.now, &groups);
        let asked_before = self.askers_of_phone(draft, &get.user);
        let picture = self
            .presence
            .presence(&now, &caller.user, &get.user, &get.values);
        self.ask_phone(draft, &caller.user, &get.user, &asked_before)?;
        Ok(Presence {
            user: get.user,
            values: picture.to_vec(),
        }
        .into())
    }

    /// Who asks a user who is a phone; others have points that are asked.
    fn askers_of_phone(
        &self,
        draft: &Draft<'_>,
        user: &UserName,
    ) -> Vec<(presence::QuestionId, UserName)> {
        if is_phone(user) {
            self.askers(draft, user)
        } else {
            Vec::new()
        }
    }

    pub(super) fn request_pres_auth(
        &mut self,
        draft: &mut Draft<'_>,
        caller: &Caller,
        request: &RequestPresAuth,
    ) -> Answer {
        self.presence_pace(draft, &caller.user)?;
        let groups = ShelfGroups(draft.shelf);
        let now = at(draft.now, &groups);
        let asked_before = self.askers_of_phone(draft, &request.user);
        self.presence
            .request_authorisation(&now, &caller.user, &request.user, &request.values)?;
        self.ask_phone(draft, &caller.user, &request.user, &asked_before)?;
        Ok(Status::done().into())
    }

    pub(super) fn authorize_pres(
        &mut self,
        draft: &Draft<'_>,
        caller: &Caller,
        said: AuthorizePres,
    ) -> Answer {
        self.presence_pace(draft, &caller.user)?;
        let groups = ShelfGroups(draft.shelf);
        let to = said.to.map(|to| canonical("to", to)).transpose()?;
        let said = Authorise {
            question: said.question,
            to,
            grant: said.grant,
            refuse: said.refuse,
            forget: said.forget,
        };
        self.presence
            .authorise(&at(draft.now, &groups), &caller.user, &said)?;
        Ok(Status::done().into())
    }

    pub(super) fn subs_presence(
        &mut self,
        draft: &mut Draft<'_>,
        caller: &Caller,
        subs: SubsPresence,
    ) -> Answer {
        let groups = ShelfGroups(draft.shelf);
        let asked_before = self.askers_of_phone(draft, &subs.user);
        let until = self.presence.subscribe(
            &at(draft.now, &groups),
            &caller.user,
            &subs.user,
            &subs.values,
            subs.seconds.map(Duration::from_secs),
        )?;
        self.ask_phone(draft, &caller.user, &subs.user, &asked_before)?;
        Ok(Subscribed {
            user: subs.user,
            until,
        }
        .into())
    }

    pub(super) fn unsubs_presence(&mut self, caller: &Caller, unsubs: &UnsubsPresence) -> Answer {
        match self.presence.unsubscribe(&caller.user, &unsubs.user) {
            Ok(()) => Ok(Status::done().into()),
            Err(_) => Err(Status::of(Code::UnknownSubscription).at("user").into()),
        }
    }

    /// Into a group, with the values that its other members may see.
    pub(super) fn join_group(
        &mut self,
        draft: &mut Draft<'_>,
        caller: &Caller,
        join: JoinGroup,
    ) -> Answer {
        let granted = join.presence.clone();
        let info = super::members::join(draft, caller, join)?;
        if !granted.is_none() {
            self.grant_to_group(draft, caller, &info.group, granted)?;
        }
        Ok(info.into())
    }

    pub(super) fn modify_join(
        &mut self,
        draft: &mut Draft<'_>,
        caller: &Caller,
        modify: ModifyJoin,
    ) -> Answer {
        let (group, granted) = (modify.group.clone(), modify.presence.clone());
        let reply = super::members::modify(draft, caller, modify)?;
        if let Some(granted) = granted {
            self.grant_to_group(draft, caller, &group, granted)?;
        }
        Ok(reply)
    }

    /// What a group's members may see, in place of what was said to them before.
    fn grant_to_group(
        &mut self,
        draft: &Draft<'_>,
        caller: &Caller,
        group: &GroupName,
        granted: Chosen,
    ) -> Result<(), Refusal> {
        let groups = ShelfGroups(draft.shelf);
        let said = Authorise {
            grant: granted,
            forget: Chosen::All,
            ..Authorise::to(Address::Group(named(group)))
        };
        self.presence
            .authorise(&at(draft.now, &groups), &caller.user, &said)?;
        Ok(())
    }

    /// `SearchUsers` by presence: as far as the searcher sees it, and those who are found want to be.
    pub(super) fn search_presence(
        &mut self,
        draft: &Draft<'_>,
        caller: &Caller,
        search: SearchUsers,
    ) -> Answer {
        let groups = ShelfGroups(draft.shelf);
        let conditions = search
            .presence
            .into_iter()
            .map(|condition| (condition.name, condition.value.into()));
        let query = Query {
            conditions: conditions.collect(),
            limit: MAX_FOUND,
            after: search.from,
        };
        let now = at(draft.now, &groups);
        let found = self.presence.search_users(&now, &caller.user, &query)?;
        let mut users = Vec::new();
        for user in found.users {
            let record = reachable(draft, &caller.user, &user)?;
            let wants = record.is_some_and(|record| record.settings.searchable);
            let fits = search
                .name
                .as_ref()
                .is_none_or(|name| user.as_str().starts_with(name.as_str()));
            if wants && fits && !super::reach::is_phone(&user) {
                users.push(user);
            }
        }
        Ok(UsersFound {
            users,
            after: None,
            from: found.next,
        }
        .into())
    }

    /// How a user's buddies are, as it sees them (P10): the reachability and availability of those who show any. Nobody is
    /// asked for what is not shown.
    pub fn buddies_present(
        &mut self,
        now: Now,
        shelf: &dyn Shelf,
        user: &UserName,
    ) -> Shelved<Vec<BuddySeen>> {
        let chosen = Chosen::names(BUDDY_SHOWS.iter().map(|name| attribute(name)).collect())
            .expect("two are not too many");
        let groups = ShelfGroups(shelf);
        let now = at(now, &groups);
        let mut buddies: Vec<Contact> = Vec::new();
        for (_, list) in shelf.lists(user)? {
            buddies.extend(list.buddies);
        }
        buddies.sort_unstable();
        buddies.dedup();
        let mut seen = Vec::new();
        for buddy in buddies {
            let owner = match &buddy {
                Contact::User(user) => user.clone(),
                Contact::Phone(phone) => user_of(phone),
            };
            let picture = self.presence.glance(&now, user, &owner, &chosen);
            let shown = |name: &str| {
                let value = picture.iter().find(|value| {
                    value.name.as_str() == name
                        && value.client.is_none()
                        && value.validity.is_none_or(|validity| !validity.is_invalid())
                });
                value.and_then(|value| value.value.clone())
            };
            let [reachability, availability] = BUDDY_SHOWS.map(shown);
            if reachability.is_some() || availability.is_some() {
                seen.push(BuddySeen {
                    buddy,
                    reachability,
                    availability,
                });
            }
        }
        Ok(seen)
    }
}

/// What is looked at of buddies, in the order of [`BuddySeen`].
const BUDDY_SHOWS: [&str; 2] = ["sluice:reachability", "sluice:availability"];

fn attribute(name: &str) -> presence::AttributeName {
    presence::AttributeName::new(name).expect("the registry has it")
}

/// A buddy as its user sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BuddySeen {
    /// Who.
    pub buddy: Contact,
    /// `reachable`, `idle`, `phone-off`, `absent`, `unreachable`; none if it is not shown.
    pub reachability: Option<Arc<str>>,
    /// `available`, `away`, `busy`; none if it is not shown.
    pub availability: Option<Arc<str>>,
}
