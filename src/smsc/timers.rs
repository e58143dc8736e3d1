//! The timers of a session, in one table.

use std::collections::BTreeMap;

use crate::clock::Moment;

/// When each timer that runs is due. Of several that are due the least comes first.
#[derive(Clone, Debug)]
pub(super) struct Timers<T> {
    due: BTreeMap<T, Moment>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self {
            due: BTreeMap::new(),
        }
    }
}

impl<T: Copy + Ord> Timers<T> {
    pub(super) fn set(&mut self, timer: T, at: Moment) {
        self.due.insert(timer, at);
    }

    pub(super) fn stop(&mut self, timer: T) {
        self.due.remove(&timer);
    }

    pub(super) fn stop_all(&mut self) {
        self.due.clear();
    }

    pub(super) fn is_running(&self, timer: T) -> bool {
        self.due.contains_key(&timer)
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Moment> {
        self.due.values().min().copied()
    }

    /// One that is due, which stops it.
    pub(super) fn take_due(&mut self, now: Moment) -> Option<T> {
        let (&timer, _) = self.due.iter().find(|(_, at)| **at <= now)?;
        self.stop(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_timers_come_out_once_and_in_their_order() {
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        enum Timer {
            First,
            Second,
        }
        let mut timers = Timers::default();
        assert_eq!(timers.next(), None);
        timers.set(Timer::Second, Moment::from_micros(5));
        timers.set(Timer::First, Moment::from_micros(7));
        assert_eq!(timers.next(), Some(Moment::from_micros(5)));
        assert_eq!(timers.take_due(Moment::from_micros(4)), None);
        let late = Moment::from_micros(9);
        assert_eq!(timers.take_due(late), Some(Timer::First));
        assert!(timers.is_running(Timer::Second));
        assert_eq!(timers.take_due(late), Some(Timer::Second));
        assert_eq!(timers.take_due(late), None);
        timers.set(Timer::First, late);
        timers.stop_all();
        assert_eq!(timers.next(), None);
    }
}
