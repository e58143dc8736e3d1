//! What watchers are told: marks, queues, rates, and pictures built when their turn has come.
//!
//! An update marks its watchers' subscriptions and builds nothing. A picture is built from what is true when it is polled,
//! so no older one can follow a newer one, and what was withdrawn meanwhile is not in it.

use std::sync::Arc;

use super::{Now, PaceTimer, Person, Service};
use crate::clock::Moment;
use crate::message::UserName;
use crate::presence::entry::Entry;
use crate::presence::name::{Chosen, ClientName};
use crate::presence::permission::Judge;
use crate::presence::record::QuestionId;
use crate::presence::value::PresValue;

/// All that a watcher sees of the chosen values, by name and client.
pub type Picture = Arc<[PresValue]>;

/// What is to be told to a user, at all of its points.
#[derive(Clone, PartialEq, Debug)]
pub enum Notice {
    /// A subscription's newest picture. It takes the place of the one before.
    Presence {
        /// Who watches.
        to: UserName,
        /// Whom.
        owner: UserName,
        /// What is seen.
        picture: Picture,
    },
    /// Somebody asks to see values.
    Question {
        /// Whose values.
        to: UserName,
        /// The question's number, for the answer.
        id: QuestionId,
        /// Who asks.
        from: UserName,
        /// For which.
        chosen: Chosen,
    },
    /// A question needs no answer any more: it has one.
    Settled {
        /// Who was asked.
        to: UserName,
        /// The question's number.
        id: QuestionId,
    },
}

/// Pictures that were built lately: most watchers of an owner see the same.
#[derive(Debug)]
pub(super) struct Pictures {
    places: Vec<Option<(u64, Picture)>>,
}

/// Pictures kept, as a power of two: as many as are under way at the same time.
const KEPT: usize = 1 << 12;

impl Pictures {
    pub(super) fn new() -> Self {
        Self {
            places: vec![None; KEPT],
        }
    }
}

/// Whether an entry is the server's word on one client; it is seen by whom the user's own is seen.
fn judged_by<'a>(
    person: &'a Person,
    entry: &'a Entry,
    reachability: &crate::presence::AttributeName,
) -> &'a Entry {
    if entry.client.is_none() || entry.name != *reachability {
        return entry;
    }
    person
        .entries
        .iter()
        .find(|other| other.is_at(None, reachability))
        .unwrap_or(entry)
}

/// A client's name is its owner's secret (a phone's is its number); watchers only tell one device from another.
fn number_clients(values: &mut [PresValue]) {
    let mut known: Vec<ClientName> = Vec::new();
    for value in values {
        let Some(client) = value.client.take() else {
            continue;
        };
        let place = known
            .iter()
            .position(|other| *other == client)
            .unwrap_or_else(|| {
                known.push(client);
                known.len() - 1
            });
        value.client = Some(ClientName::device(place + 1));
    }
}

/// Spreads a number over all bits.
const fn spread(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Service {
    /// Which entries a watcher sees, as a mask, and a stamp that differs whenever what it sees does.
    pub(super) fn seen_by(
        &self,
        now: &Now<'_>,
        watcher: &UserName,
        owner: u32,
        chosen: &Chosen,
    ) -> (u128, u64) {
        let person = &self.people[owner];
        let judge = Judge::new(&person.name, person.book.as_deref(), watcher, now.groups);
        let (mut mask, mut stamp) = (0, u64::from(judge.is_owner()));
        if person.is_shut && !judge.is_owner() {
            return (mask, stamp);
        }
        for (place, entry) in person.entries.iter().enumerate() {
            if chosen.covers(&entry.name)
                && judge.sees(judged_by(person, entry, &self.reachability))
            {
                mask |= 1 << place;
                // A sum, since the order of entries means nothing.
                stamp = stamp.wrapping_add(spread(entry.changed));
                if judge.is_owner() {
                    stamp = stamp.wrapping_add(spread(!entry.edited));
                }
            }
        }
        (mask, stamp)
    }

    /// The picture for a mask of [`Self::seen_by`].
    pub(super) fn picture(
        &mut self,
        owner: u32,
        is_owner: bool,
        mask: u128,
        stamp: u64,
    ) -> Picture {
        let place = (spread(stamp) as usize) % KEPT;
        if let Some((kept, picture)) = &self.pictures.places[place]
            && *kept == stamp
        {
            return picture.clone();
        }
        let entries = self.people[owner].entries.iter().enumerate();
        let mut values: Vec<PresValue> = entries
            .filter(|(place, _)| mask & 1 << place != 0)
            .map(|(_, entry)| {
                if is_owner {
                    entry.owned()
                } else {
                    entry.told()
                }
            })
            .collect();
        values.sort_unstable_by(|one, other| {
            (&one.name, &one.client).cmp(&(&other.name, &other.client))
        });
        if !is_owner {
            number_clients(&mut values);
        }
        let picture: Picture = values.into();
        self.pictures.places[place] = Some((stamp, picture.clone()));
        picture
    }

    /// Marks all subscriptions to an owner.
    pub(super) fn mark_watchers(&mut self, owner: u32, moment: Moment) {
        let watchers = std::mem::take(&mut self.people[owner].watchers);
        for id in &watchers {
            self.mark(*id, moment);
        }
        self.people[owner].watchers = watchers;
    }

    /// Marks a subscription: there may be something new to tell.
    pub(super) fn mark(&mut self, id: u32, moment: Moment) {
        let subscription = &mut self.subscriptions[id];
        if subscription.is_marked {
            return;
        }
        subscription.is_marked = true;
        let watcher = subscription.watcher;
        self.people[watcher].marked.push_back(id);
        self.make_ready(watcher, moment);
    }

    /// Puts a watcher in the queue of those who get something, if there is something, somewhere to send it, and room in
    /// its rate; arms a timer for when there is room.
    pub(super) fn make_ready(&mut self, id: u32, moment: Moment) {
        let (interval, ahead) = (self.config.interval(), self.config.ahead());
        let person = &mut self.people[id];
        let has_nothing = person.marked.is_empty() && person.told_of_questions.is_empty();
        if person.is_ready || person.pace.is_some() || person.points.is_empty() || has_nothing {
            return;
        }
        let next = person.rate + interval;
        if next <= moment + ahead {
            person.is_ready = true;
            self.ready.push_back(id);
            return;
        }
        let wait = next.since(moment + ahead);
        let ms = (moment + wait).as_micros().div_ceil(1000);
        person.pace = Some(self.by_moment.arm(ms, PaceTimer::Rate(id)));
    }

    /// The next thing to be told. The driver takes it when it has nothing more urgent.
    pub fn poll_notice(&mut self, now: &Now<'_>) -> Option<Notice> {
        while let Some(id) = self.ready.pop_front() {
            self.people[id].is_ready = false;
            if self.people[id].points.is_empty() {
                self.tidy(id);
                continue;
            }
            let notice = self
                .question_notice(id)
                .or_else(|| self.picture_notice(now, id));
            if notice.is_some() {
                let person = &mut self.people[id];
                person.rate = person.rate.max(now.moment) + self.config.interval();
                self.make_ready(id, now.moment);
                return notice;
            }
        }
        None
    }

    fn question_notice(&mut self, id: u32) -> Option<Notice> {
        let person = &mut self.people[id];
        let to = person.name.clone();
        while let Some(number) = person.told_of_questions.pop_front() {
            let found = person
                .questions
                .iter()
                .find(|question| question.id == number);
            if let Some(question) = found {
                return Some(match question.answered {
                    Some(_) => Notice::Settled { to, id: number },
                    None => Notice::Question {
                        to,
                        id: number,
                        from: question.from.clone(),
                        chosen: question.chosen.clone(),
                    },
                });
            }
        }
        None
    }

    fn picture_notice(&mut self, now: &Now<'_>, id: u32) -> Option<Notice> {
        while let Some(number) = self.people[id].marked.pop_front() {
            self.subscriptions[number].is_marked = false;
            let subscription = &self.subscriptions[number];
            let owner = subscription.owner;
            if subscription.until.is_some_and(|until| until <= now.wall) {
                self.end_subscription(number);
                // It may have been all that was there.
                self.people.get(id)?;
                continue;
            }
            self.freshen(owner, now);
            let subscription = &self.subscriptions[number];
            let watcher = &self.people[id];
            let (mask, stamp) = self.seen_by(now, &watcher.name, owner, &subscription.chosen);
            if subscription.told == Some(stamp) {
                continue;
            }
            let picture = self.picture(owner, id == owner, mask, stamp);
            self.subscriptions[number].told = Some(stamp);
            return Some(Notice::Presence {
                to: self.people[id].name.clone(),
                owner: self.people[owner].name.clone(),
                picture,
            });
        }
        None
    }
}
