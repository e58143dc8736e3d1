//! The timers of a session, in one table.

use crate::clock::Moment;

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Timer {
    /// The answer to our outstanding request, of whatever kind. When it comes, the connection ends: a later answer could
    /// be taken for the next request's.
    Response,
    /// The peer was silent; ask whether it is there.
    Probe,
    /// Nothing at all was heard for so long that the connection is dead, whatever else waits.
    Inactivity,
    /// A PDU was begun and its rest does not come.
    Partial,
}

/// In the order in which they are acted upon when several are due.
const ALL: [Timer; 4] = [
    Timer::Response,
    Timer::Partial,
    Timer::Inactivity,
    Timer::Probe,
];

/// When each is due, if it runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    due: [Option<Moment>; ALL.len()],
}

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, at: Moment) {
        self.due[timer as usize] = Some(at);
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        self.due[timer as usize] = None;
    }

    pub(super) fn stop_all(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_running(&self, timer: Timer) -> bool {
        self.due[timer as usize].is_some()
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Moment> {
        self.due.iter().flatten().min().copied()
    }

    /// One that is due, which stops it.
    pub(super) fn take_due(&mut self, now: Moment) -> Option<Timer> {
        let timer = ALL
            .into_iter()
            .find(|timer| self.due[*timer as usize].is_some_and(|at| at <= now))?;
        self.stop(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_timers_come_out_once_and_in_their_order() {
        let mut timers = Timers::default();
        assert_eq!(timers.next(), None);
        timers.set(Timer::Probe, Moment::from_micros(5));
        timers.set(Timer::Response, Moment::from_micros(7));
        assert_eq!(timers.next(), Some(Moment::from_micros(5)));
        assert_eq!(timers.take_due(Moment::from_micros(4)), None);
        let late = Moment::from_micros(9);
        assert_eq!(timers.take_due(late), Some(Timer::Response));
        assert!(timers.is_running(Timer::Probe));
        assert_eq!(timers.take_due(late), Some(Timer::Probe));
        assert_eq!(timers.take_due(late), None);
    }
}
