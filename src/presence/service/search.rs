//! P13: users by their presence, as far as the searcher sees it.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use super::{Now, Service};
use crate::message::UserName;
use crate::presence::entry::Entry;
use crate::presence::name::{AttributeName, Chosen};
use crate::presence::record::{Key, Record};
use crate::presence::refusal::Refusal;
use crate::presence::value::MAX_VALUE;

/// Most conditions of a search.
pub const MAX_CONDITIONS: usize = 8;
/// Most users in an answer.
pub const MAX_FOUND: usize = 50;
/// Most users that one search looks at, so that it takes no longer than a few milliseconds.
const MOST_EXAMINED: usize = 2_000;

/// What is searched for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// All of these have to be seen by the searcher, capitals or not.
    pub conditions: Vec<(AttributeName, Arc<str>)>,
    /// At most so many.
    pub limit: usize,
    /// Where the answer before said to go on.
    pub after: Option<String>,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// Users.
    pub users: Vec<UserName>,
    /// Where to go on, if not all were looked at.
    pub next: Option<String>,
}

/// Who shows what, of searchable attributes.
#[derive(Debug, Default)]
pub(super) struct Index {
    people: HashMap<(AttributeName, Arc<str>), BTreeSet<u32>>,
}

fn folded(text: &Arc<str>) -> Arc<str> {
    if text.chars().any(char::is_uppercase) {
        text.to_lowercase().into()
    } else {
        text.clone()
    }
}

impl Service {
    /// Users of whom `searcher` sees all that is asked for. A user who keeps out of searches is not among them.
    pub fn search_users(
        &mut self,
        now: &Now<'_>,
        searcher: &UserName,
        query: &Query,
    ) -> Result<Found, Refusal> {
        if query.conditions.is_empty() {
            return Err(Refusal::malformed("conditions", "are none"));
        }
        if query.conditions.len() > MAX_CONDITIONS {
            return Err(Refusal::too_many("conditions", MAX_CONDITIONS));
        }
        if query
            .conditions
            .iter()
            .any(|(_, text)| text.len() > MAX_VALUE)
        {
            return Err(Refusal::malformed(
                "conditions",
                format!("have more than {MAX_VALUE} octets"),
            ));
        }
        if !(1..=MAX_FOUND).contains(&query.limit) {
            return Err(Refusal::malformed("limit", format!("is 1 to {MAX_FOUND}")));
        }
        let after = match query.after.as_deref().map(str::parse::<u32>) {
            None => Bound::Unbounded,
            Some(Ok(after)) => Bound::Excluded(after),
            Some(Err(_)) => return Err(Refusal::malformed("after", "is not what an answer said")),
        };
        let conditions: Vec<(AttributeName, Arc<str>)> = query
            .conditions
            .iter()
            .map(|(name, text)| (name.clone(), folded(text)))
            .collect();
        if !conditions.iter().any(|(name, _)| self.is_searchable(name)) {
            return Err(Refusal::malformed(
                "conditions",
                "have no attribute that can be searched by",
            ));
        }
        let sets = conditions
            .iter()
            .filter(|(name, _)| self.is_searchable(name));
        let fewest = sets
            .map(|condition| self.index.people.get(condition))
            .min_by_key(|set| set.map_or(0, BTreeSet::len))
            .flatten();
        let Some(set) = fewest else {
            return Ok(Found::default());
        };
        let mut rest = set.range((after, Bound::Unbounded));
        let examined: Vec<u32> = rest.by_ref().take(MOST_EXAMINED).copied().collect();
        let mut has_more = rest.next().is_some();
        let mut found = Found::default();
        let mut last = None;
        for id in examined {
            if found.users.len() == query.limit {
                has_more = true;
                break;
            }
            last = Some(id);
            if self.is_found(now, searcher, id, &conditions) {
                found.users.push(self.people[id].name.clone());
            }
        }
        found.next = last.filter(|_| has_more).map(|id| id.to_string());
        Ok(found)
    }

    fn is_found(
        &mut self,
        now: &Now<'_>,
        searcher: &UserName,
        id: u32,
        conditions: &[(AttributeName, Arc<str>)],
    ) -> bool {
        if self.people[id].is_hidden || self.people[id].name == *searcher {
            return false;
        }
        self.freshen(id, now);
        let (mask, _) = self.seen_by(now, searcher, id, &Chosen::All);
        let seen: Vec<&Entry> = self.people[id]
            .entries
            .iter()
            .enumerate()
            .filter(|(place, entry)| mask & 1 << place != 0 && !entry.validity.is_invalid())
            .map(|(_, entry)| entry)
            .collect();
        conditions.iter().all(|(name, text)| {
            seen.iter()
                .any(|entry| entry.name == *name && folded(&entry.shown) == *text)
        })
    }

    /// Keeps a user out of searches, or lets it be found again.
    pub fn keep_out_of_searches(&mut self, user: &UserName, out: bool) {
        let id = self.make_person(user);
        if self.people[id].is_hidden != out {
            self.people[id].is_hidden = out;
            let owner = user.clone();
            if out {
                self.keep(Record::Hidden { owner }, true);
            } else {
                self.drop_key(Key::Hidden { owner }, true);
            }
        }
        self.tidy(id);
    }

    /// Whether a user keeps out of searches.
    pub fn is_out_of_searches(&self, user: &UserName) -> bool {
        self.person(user)
            .is_some_and(|id| self.people[id].is_hidden)
    }

    pub(super) fn is_searchable(&self, name: &AttributeName) -> bool {
        self.registry
            .definition(name)
            .is_some_and(|definition| definition.searchable)
    }

    fn searchable(&self, id: u32) -> Vec<(AttributeName, Arc<str>)> {
        let entries = self.people[id].entries.iter();
        let found =
            entries.filter(|entry| !entry.validity.is_invalid() && self.is_searchable(&entry.name));
        found
            .map(|entry| (entry.name.clone(), folded(&entry.shown)))
            .collect()
    }

    /// Takes a user out of the index, before what it shows changes.
    pub(super) fn unindex(&mut self, id: u32) {
        for key in self.searchable(id) {
            if let Some(people) = self.index.people.get_mut(&key) {
                people.remove(&id);
                if people.is_empty() {
                    self.index.people.remove(&key);
                }
            }
        }
    }

    /// Puts it back.
    pub(super) fn reindex(&mut self, id: u32) {
        for key in self.searchable(id) {
            self.index.people.entry(key).or_default().insert(id);
        }
    }
}
