//! P3 and P5: looks, and subscriptions.

use std::time::Duration;

use super::{Now, Picture, Service, Subscription, WallTimer};
use crate::clock::WallTime;
use crate::message::UserName;
use crate::presence::name::Chosen;
use crate::presence::record::{Key, Record};
use crate::presence::refusal::{Refusal, RefusalKind};

/// The shortest subscription.
const SHORTEST: Duration = Duration::from_mins(1);
/// The longest subscription.
const LONGEST: Duration = Duration::from_hours(400 * 24);

impl Service {
    /// What `watcher` sees of the chosen values of `owner` now. Where the owner has said nothing, it is asked.
    pub fn presence(
        &mut self,
        now: &Now<'_>,
        watcher: &UserName,
        owner: &UserName,
        chosen: &Chosen,
    ) -> Picture {
        self.ask_by_the_way(now, watcher, owner, chosen);
        self.glance(now, watcher, owner, chosen)
    }

    /// The same, without asking.
    pub fn glance(
        &mut self,
        now: &Now<'_>,
        watcher: &UserName,
        owner: &UserName,
        chosen: &Chosen,
    ) -> Picture {
        let Some(id) = self.person(owner) else {
            return Picture::default();
        };
        self.freshen(id, now);
        let (mask, stamp) = self.seen_by(now, watcher, id, chosen);
        self.picture(id, watcher == owner, mask, stamp)
    }

    /// Subscribes `watcher` to the chosen values of `owner`, or renews; without a duration until it is ended. Gives the
    /// time at which it lapses, if it does; the first picture is polled next.
    pub fn subscribe(
        &mut self,
        now: &Now<'_>,
        watcher: &UserName,
        owner: &UserName,
        chosen: &Chosen,
        duration: impl Into<Option<Duration>>,
    ) -> Result<Option<WallTime>, Refusal> {
        let duration = duration.into();
        if duration.is_some_and(|duration| !(SHORTEST..=LONGEST).contains(&duration)) {
            return Err(Refusal::malformed("duration", "is a minute to 400 days"));
        }
        if chosen.is_none() {
            return Err(Refusal::malformed(
                "values",
                "are none; choose some, or all",
            ));
        }
        self.see_clock(now);
        let there = self.subscription(watcher, owner);
        if there.is_none() {
            let watching = self
                .person(watcher)
                .map_or(0, |id| self.people[id].watching.len());
            if watching >= self.config.max_watched {
                return Err(Refusal::too_many("owner", self.config.max_watched));
            }
            let watchers = self
                .person(owner)
                .map_or(0, |id| self.people[id].watchers.len());
            if watchers >= self.config.max_watchers {
                return Err(Refusal::too_many("owner", self.config.max_watchers));
            }
        }
        let until = duration.map(|duration| now.wall + duration);
        let id = match there {
            Some(id) => {
                self.choose(id, chosen);
                id
            }
            None => self.put_subscription(watcher, owner, chosen),
        };
        self.lapse_at(id, until);
        self.subscriptions[id].told = None;
        self.mark(id, now.moment);
        self.keep(
            Record::Subscription {
                watcher: watcher.clone(),
                owner: owner.clone(),
                chosen: chosen.clone(),
                until,
            },
            false,
        );
        self.ask_by_the_way(now, watcher, owner, chosen);
        Ok(until)
    }

    /// Ends a subscription.
    pub fn unsubscribe(&mut self, watcher: &UserName, owner: &UserName) -> Result<(), Refusal> {
        match self.subscription(watcher, owner) {
            Some(id) => {
                self.end_subscription(id);
                Ok(())
            }
            None => Err(Refusal::new(
                RefusalKind::Missing,
                "owner",
                "is not subscribed to",
            )),
        }
    }

    /// Whom a user watches, and until when.
    pub fn watching(&self, watcher: &UserName) -> Vec<(UserName, Option<WallTime>)> {
        let person = self.person(watcher).map(|id| &self.people[id]);
        let subscriptions = person.into_iter().flat_map(|person| &person.watching);
        subscriptions
            .map(|(owner, id)| {
                (
                    self.people[*owner].name.clone(),
                    self.subscriptions[*id].until,
                )
            })
            .collect()
    }

    /// A user's groups have changed: what it sees may have, too.
    pub fn membership_changed(&mut self, now: &Now<'_>, user: &UserName) {
        if let Some(id) = self.person(user) {
            let watching: Vec<u32> = self.people[id].watching.iter().map(|(_, id)| *id).collect();
            for id in watching {
                self.mark(id, now.moment);
            }
        }
    }

    pub(super) fn subscription(&self, watcher: &UserName, owner: &UserName) -> Option<u32> {
        let (watcher, owner) = (self.person(watcher)?, self.person(owner)?);
        let watching = &self.people[watcher].watching;
        let place = watching
            .binary_search_by_key(&owner, |(owner, _)| *owner)
            .ok()?;
        Some(watching[place].1)
    }

    /// Makes a subscription that is not there yet. It has no end yet.
    pub(super) fn put_subscription(
        &mut self,
        watcher: &UserName,
        owner: &UserName,
        chosen: &Chosen,
    ) -> u32 {
        let (watcher, owner) = (self.make_person(watcher), self.make_person(owner));
        let place = u32::try_from(self.people[owner].watchers.len()).expect("there is a limit");
        let chosen = self.shared_choice(chosen);
        let id = self.subscriptions.insert(Subscription {
            watcher,
            owner,
            place,
            chosen,
            until: None,
            lapse: None,
            told: None,
            is_marked: false,
        });
        self.people[owner].watchers.push(id);
        let watching = &mut self.people[watcher].watching;
        let at = watching.partition_point(|(other, _)| *other < owner);
        watching.insert(at, (owner, id));
        id
    }

    pub(super) fn lapse_at(&mut self, id: u32, until: Option<WallTime>) {
        let subscription = &mut self.subscriptions[id];
        subscription.until = until;
        if let Some(timer) = subscription.lapse.take() {
            self.by_wall.disarm(timer);
        }
        subscription.lapse =
            until.map(|until| self.by_wall.arm(until.as_unix_ms(), WallTimer::Lapse(id)));
    }

    /// Ends a subscription, wherever it stands.
    pub(super) fn end_subscription(&mut self, id: u32) {
        let Some(subscription) = self.subscriptions.remove(id) else {
            return;
        };
        if let Some(timer) = subscription.lapse {
            self.by_wall.disarm(timer);
        }
        self.release_choice(subscription.chosen);
        let (watcher, owner) = (subscription.watcher, subscription.owner);
        let watchers = &mut self.people[owner].watchers;
        watchers.swap_remove(subscription.place as usize);
        if let Some(moved) = watchers.get(subscription.place as usize) {
            self.subscriptions[*moved].place = subscription.place;
        }
        let person = &mut self.people[watcher];
        person.watching.retain(|(_, other)| *other != id);
        if subscription.is_marked {
            person.marked.retain(|other| *other != id);
        }
        let key = Key::Subscription {
            watcher: self.people[watcher].name.clone(),
            owner: self.people[owner].name.clone(),
        };
        self.drop_key(key, false);
        self.tidy(watcher);
        self.tidy(owner);
    }

    fn choose(&mut self, id: u32, chosen: &Chosen) {
        let chosen = self.shared_choice(chosen);
        let before = std::mem::replace(&mut self.subscriptions[id].chosen, chosen);
        self.release_choice(before);
    }

    /// The one copy of a choice.
    fn shared_choice(&mut self, chosen: &Chosen) -> Chosen {
        let Chosen::Names(names) = chosen else {
            return Chosen::All;
        };
        if let Some(shared) = self.choices.get(names) {
            return Chosen::Names(shared.clone());
        }
        let shared: Vec<_> = names
            .iter()
            .map(|name| self.registry.shared(name).unwrap_or_else(|| name.clone()))
            .collect();
        let shared: std::sync::Arc<[_]> = shared.into();
        self.choices.insert(shared.clone());
        Chosen::Names(shared)
    }

    fn release_choice(&mut self, chosen: Chosen) {
        if let Chosen::Names(names) = chosen {
            // This one, and the one that is shared.
            if std::sync::Arc::strong_count(&names) == 2 {
                self.choices.remove(&names);
            }
        }
    }
}
