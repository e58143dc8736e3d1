//! What an owner's values are at a moment (P8): functions of time, of place and of one another.

use std::sync::Arc;
use std::time::Duration;

use super::entry::Entry;
use super::name::{AttributeName, ClientName};
use super::place::{self, Location};
use super::refusal::{Refusal, RefusalKind};
use super::rule::Rule;
use super::words::{Format, Validity};
use crate::clock::WallTime;

/// Longest chain of values that depend on one another.
pub const MAX_CHAIN: usize = 4;

/// What the server says of connections, best first.
pub(super) const REACHABLE: &str = "reachable";
pub(super) const IDLE: &str = "idle";
pub(super) const PHONE_OFF: &str = "phone-off";
pub(super) const ABSENT: &str = "absent";
pub(super) const UNREACHABLE: &str = "unreachable";
const BEST_FIRST: [&str; 5] = [REACHABLE, IDLE, PHONE_OFF, ABSENT, UNREACHABLE];

/// A value at a moment.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Seen {
    pub(super) text: Arc<str>,
    pub(super) validity: Validity,
    /// Since when.
    pub(super) time: WallTime,
    /// When it may be another, at the earliest.
    pub(super) next: Option<WallTime>,
}

/// One look at all values of an owner.
pub(super) struct Look<'a> {
    entries: &'a [Entry],
    is_connected: &'a dyn Fn(&ClientName) -> bool,
    reachability: &'a AttributeName,
    at: WallTime,
    seen: Vec<Option<Seen>>,
}

fn sooner(one: Option<WallTime>, other: Option<WallTime>) -> Option<WallTime> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// All values of an owner at a moment.
pub(super) fn look(
    entries: &[Entry],
    reachability: &AttributeName,
    is_connected: &dyn Fn(&ClientName) -> bool,
    at: WallTime,
) -> Vec<Seen> {
    let mut look = Look {
        entries,
        is_connected,
        reachability,
        at,
        seen: vec![None; entries.len()],
    };
    (0..entries.len())
        .map(|place| look.value(place, 0))
        .collect()
}

impl Look<'_> {
    fn value(&mut self, place: usize, depth: usize) -> Seen {
        if let Some(seen) = &self.seen[place] {
            return seen.clone();
        }
        // Circles were refused; should one be here all the same, it ends.
        let entry = &self.entries[place];
        let seen = if depth > MAX_CHAIN {
            Seen {
                text: entry.base.clone(),
                validity: Validity::INVALID,
                time: entry.time,
                next: None,
            }
        } else if entry.name == *self.reachability && entry.client.is_none() {
            self.best_client(entry)
        } else {
            self.function(entry, depth)
        };
        self.seen[place] = Some(seen.clone());
        seen
    }

    /// The user's reachability: the best of its clients'.
    fn best_client(&mut self, entry: &Entry) -> Seen {
        let mut best = Seen {
            text: UNREACHABLE.into(),
            validity: Validity::VALID,
            time: entry.time,
            next: None,
        };
        let mut best_rank = usize::MAX;
        let mut next = None;
        for place in 0..self.entries.len() {
            let client = &self.entries[place];
            if client.name != *self.reachability || client.client.is_none() {
                continue;
            }
            let seen = self.value(place, 1);
            next = sooner(next, seen.next);
            let rank = BEST_FIRST.iter().position(|word| *word == &*seen.text);
            let rank = rank.unwrap_or(BEST_FIRST.len());
            let is_better = rank < best_rank || rank == best_rank && seen.validity > best.validity;
            if !seen.validity.is_invalid() && is_better {
                (best, best_rank) = (seen, rank);
            }
        }
        Seen { next, ..best }
    }

    fn function(&mut self, entry: &Entry, depth: usize) -> Seen {
        let (mut validity, mut next) = self.age(entry);
        if let Some(client) = &entry.client
            && entry.name != *self.reachability
            && !(self.is_connected)(client)
        {
            validity = Validity::INVALID;
        }
        let mut text = None;
        let mut certainty = Validity::VALID;
        for rule in &entry.rare().rules {
            let (holds, sure, again) = self.condition(rule, depth);
            next = sooner(next, again);
            certainty = certainty.min(sure);
            if holds {
                text = Some(rule.value.clone());
                break;
            }
        }
        let text = match text {
            Some(text) => text,
            None if entry.format == Format::Location => match self.carried(entry) {
                Some((location, again)) => {
                    next = sooner(next, Some(again));
                    location
                }
                None => {
                    validity = Validity::INVALID;
                    entry.base.clone()
                }
            },
            None => entry.base.clone(),
        };
        let validity = validity.min(certainty);
        Seen {
            text,
            validity,
            time: entry.time,
            next,
        }
    }

    /// What its age has left of a value.
    fn age(&self, entry: &Entry) -> (Validity, Option<WallTime>) {
        let rare = entry.rare();
        if rare.until.is_some_and(|until| until <= self.at) {
            return (Validity::INVALID, None);
        }
        let Some(fades) = rare.fades else {
            return (Validity::VALID, rare.until);
        };
        // Each step shows its end.
        let steps = 100 / u64::from(Validity::STEP);
        let fades = u64::from(fades) * 1000;
        let age = self.at.as_unix_ms().saturating_sub(entry.time.as_unix_ms());
        let step = age.saturating_mul(steps) / fades;
        if step + 1 >= steps {
            return (Validity::INVALID, None);
        }
        let left = (steps - 1 - step) as f64 / steps as f64;
        let end = ((step + 1) * fades).div_ceil(steps);
        let end = entry.time + Duration::from_millis(end);
        // Half a hundredth over, since 0.15 is no sum of powers of two.
        (Validity::of(left + 0.005), sooner(rare.until, Some(end)))
    }

    fn carried(&self, entry: &Entry) -> Option<(Arc<str>, WallTime)> {
        let location = Location::new(&entry.base).ok()?;
        let carried = location.carried(self.at.since(entry.time))?;
        Some((
            carried.location.to_string().into(),
            entry.time + carried.until,
        ))
    }

    /// Whether a rule holds, how sure that is, and when to look again.
    fn condition(&mut self, rule: &Rule, depth: usize) -> (bool, Validity, Option<WallTime>) {
        let mut all = (true, Validity::VALID, None);
        // A rule does not hold as surely as its surest condition does not; it holds as surely as its least sure one.
        let mut fails = Validity::INVALID;
        let mut add = |(holds, sure, again): (bool, Validity, Option<WallTime>)| {
            all.2 = sooner(all.2, again);
            if holds {
                all.1 = all.1.min(sure);
                fails = fails.max(sure.contrary());
            } else {
                all.0 = false;
                fails = fails.max(sure);
            }
        };
        if let Some(calendar) = &rule.calendar {
            let (is_within, again) = calendar.look(self.at);
            add((is_within, Validity::VALID, again));
        }
        if let Some(place) = &rule.place {
            add(match self.location(depth) {
                Some((location, validity, again)) => {
                    let (is_within, sure) = place::is_within(&location, place);
                    (is_within, sure.min(validity), again)
                }
                // Where it is, nobody knows.
                None => (false, Validity::VALID, None),
            });
        }
        if let Some(other) = &rule.while_is {
            let mut found = (false, Validity::VALID, None);
            if let Some(seen) = self.newest(depth, |entry| entry.name == other.name) {
                let holds = seen.text == other.is && !seen.validity.is_invalid();
                let sure = if seen.validity.is_invalid() {
                    Validity::VALID
                } else {
                    seen.validity
                };
                found = (holds, sure, seen.next);
            }
            add(found);
        }
        let (holds, sure, again) = all;
        (holds, if holds { sure } else { fails }, again)
    }

    fn location(&mut self, depth: usize) -> Option<(Location, Validity, Option<WallTime>)> {
        let seen = self.newest(depth, |entry| entry.format == Format::Location)?;
        let location = Location::new(&seen.text).ok()?;
        (!seen.validity.is_invalid()).then_some((location, seen.validity, seen.next))
    }

    /// The newest of the values that fit, preferring one that is not invalid.
    fn newest(&mut self, depth: usize, fits: impl Fn(&Entry) -> bool) -> Option<Seen> {
        let fitting: Vec<usize> = (0..self.entries.len())
            .filter(|place| fits(&self.entries[*place]))
            .collect();
        let seen = fitting
            .into_iter()
            .map(|place| self.value(place, depth + 1));
        seen.max_by_key(|seen| (!seen.validity.is_invalid(), seen.time))
    }
}

/// Whether a value depends on itself, or on too long a chain.
pub(super) fn check_chains(entries: &[&Entry]) -> Result<(), Refusal> {
    let depends = |one: &Entry, other: &Entry| {
        one.rare().rules.iter().any(|rule| {
            rule.place.is_some() && other.format == Format::Location
                || rule
                    .while_is
                    .as_ref()
                    .is_some_and(|is| is.name == other.name)
        })
    };
    // How long the chain below each is, found from those that depend on nothing upwards.
    let mut length: Vec<Option<usize>> = vec![None; entries.len()];
    for _ in 0..=MAX_CHAIN {
        for place in 0..entries.len() {
            if length[place].is_some() {
                continue;
            }
            if entries[place].rare().rules.is_empty() {
                length[place] = Some(0);
                continue;
            }
            let mut longest = Some(0);
            for (other, entry) in entries.iter().enumerate() {
                if depends(entries[place], entry) {
                    longest = match (longest, length[other]) {
                        (Some(longest), Some(below)) => Some(longest.max(below + 1)),
                        _ => None,
                    };
                }
            }
            length[place] = longest;
        }
    }
    let wrong = entries
        .iter()
        .zip(&length)
        .find(|(_, length)| length.is_none_or(|length| length > MAX_CHAIN));
    match wrong {
        None => Ok(()),
        Some((entry, _)) => Err(Refusal::new(
            RefusalKind::Circular,
            "rules",
            format!(
                "of {} depend on itself, or on a chain of more than {MAX_CHAIN} values",
                entry.name
            ),
        )),
    }
}
