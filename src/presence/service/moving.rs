//! P8: values that move by themselves, lapses, and the passing of time.

use super::points::is_connected;
use super::{Now, PaceTimer, Service, WallTimer};
use crate::clock::{Moment, WallTime};
use crate::presence::look::look;
use std::time::Duration;

/// The civil time may jump, so it is looked at this often if anything waits for it.
const LOOK_AT_THE_CLOCK: Duration = Duration::from_secs(30);

/// A step back of the clock that is larger than this is no correction of its rate: all is looked at again.
const SET_BACK: Duration = Duration::from_secs(1);

/// Most timers that fire in one call, so that whoever waits for the service does not wait long.
const MOST_FIRED: usize = 10_000;

impl Service {
    /// Time has passed: what is due happens. [`Service::poll_timeout`] says whether more is due already.
    pub fn handle_timeout(&mut self, now: &Now<'_>) {
        self.see_clock(now);
        let wall = now.wall.as_unix_ms();
        for _ in 0..MOST_FIRED {
            let Some(timer) = self.by_wall.take(wall) else {
                break;
            };
            match timer {
                WallTimer::Look(id) => {
                    let person = &mut self.people[id];
                    (person.timer, person.look_at) = (None, None);
                    if self.look_again(id, now.wall) {
                        self.mark_watchers(id, now.moment);
                    }
                }
                WallTimer::Lapse(id) => {
                    self.subscriptions[id].lapse = None;
                    self.end_subscription(id);
                }
                WallTimer::Questions(id) => {
                    self.people[id].lapse_of_questions = None;
                    self.lapse_questions(id, now.wall);
                }
            }
        }
        let ms = now.moment.as_micros() / 1000;
        for _ in 0..MOST_FIRED {
            match self.by_moment.take(ms) {
                None => break,
                Some(PaceTimer::Rate(id)) => {
                    self.people[id].pace = None;
                    self.make_ready(id, now.moment);
                }
                Some(PaceTimer::Silence(id, point)) => self.may_be_silent(now, id, point),
            }
        }
    }

    /// When [`Service::handle_timeout`] has something to do at the latest, if no request comes before.
    pub fn poll_timeout(&self, now: &Now<'_>) -> Option<Moment> {
        let by_moment = self
            .by_moment
            .next()
            .map(|ms| Moment::from_micros(ms.saturating_mul(1000)));
        let by_wall = self.by_wall.next().map(|ms| {
            let wait = WallTime::from_unix_ms(ms).since(now.wall);
            now.moment + wait.min(LOOK_AT_THE_CLOCK)
        });
        match (by_moment, by_wall) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// Notices a clock that was set back.
    pub(super) fn see_clock(&mut self, now: &Now<'_>) {
        if now.wall >= self.wall {
            self.wall = now.wall;
            return;
        }
        if self.wall.since(now.wall) < SET_BACK {
            return;
        }
        self.wall = now.wall;
        self.by_wall.rewind(now.wall.as_unix_ms());
        let ids: Vec<u32> = self.people.ids().collect();
        for id in ids {
            if !self.people[id].entries.is_empty() && self.look_again(id, now.wall) {
                self.mark_watchers(id, now.moment);
            }
        }
    }

    /// Looks at an owner's values if they may have changed by now.
    pub(super) fn freshen(&mut self, id: u32, now: &Now<'_>) {
        self.see_clock(now);
        if self.people[id].look_at.is_some_and(|at| at <= now.wall) && self.look_again(id, now.wall)
        {
            self.mark_watchers(id, now.moment);
        }
    }

    /// Looks at all values of an owner, and when to look next. Tells whether any is shown differently from now on.
    pub(super) fn look_again(&mut self, id: u32, wall: WallTime) -> bool {
        let person = &self.people[id];
        let seen = look(
            &person.entries,
            &self.reachability,
            &|client| is_connected(&person.points, client),
            wall,
        );
        let next = seen.iter().filter_map(|seen| seen.next).min();
        let moved: Vec<usize> = seen
            .iter()
            .zip(&person.entries)
            .enumerate()
            .filter(|(_, (seen, entry))| {
                seen.text != entry.shown
                    || seen.validity != entry.validity
                    || seen.time != entry.time
            })
            .map(|(place, _)| place)
            .collect();
        let is_found = |place: &usize| self.is_searchable(&person.entries[*place].name);
        let reindex = moved.iter().any(is_found);
        if reindex {
            self.unindex(id);
        }
        for place in &moved {
            self.last_change += 1;
            let entry = &mut self.people[id].entries[*place];
            let seen = &seen[*place];
            entry.shown = seen.text.clone();
            (entry.validity, entry.time) = (seen.validity, seen.time);
            entry.changed = self.last_change;
        }
        if reindex {
            self.reindex(id);
        }
        self.look_at(id, next);
        !moved.is_empty()
    }

    fn look_at(&mut self, id: u32, next: Option<WallTime>) {
        let person = &mut self.people[id];
        if person.look_at == next && person.timer.is_some() == next.is_some() {
            return;
        }
        if let Some(timer) = person.timer.take() {
            self.by_wall.disarm(timer);
        }
        person.look_at = next;
        person.timer = next.map(|at| self.by_wall.arm(at.as_unix_ms(), WallTimer::Look(id)));
    }
}
