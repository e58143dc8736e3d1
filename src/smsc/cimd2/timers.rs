//! The timers of a session, in one table.

use crate::clock::Moment;

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Timer {
    /// The answer to our outstanding request, of whatever kind. When it comes, the connection ends: a later answer
    /// would be worth nothing, since the SMSC may have given us up.
    Response,
    /// The answer to our request came damaged; the same request goes out again.
    Resend,
    /// Nothing of ours has left for so long that the SMSC may log us out.
    Alive,
    /// It is time to ask for messages that wait, on accounts that do not get them unasked.
    Poll,
}

/// In the order in which they are acted upon when several are due.
const ALL: [Timer; 4] = [Timer::Response, Timer::Resend, Timer::Poll, Timer::Alive];

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
        timers.set(Timer::Alive, Moment::from_micros(5));
        timers.set(Timer::Response, Moment::from_micros(7));
        assert_eq!(timers.next(), Some(Moment::from_micros(5)));
        assert_eq!(timers.take_due(Moment::from_micros(4)), None);
        let late = Moment::from_micros(9);
        assert_eq!(timers.take_due(late), Some(Timer::Response));
        assert!(timers.is_running(Timer::Alive));
        assert_eq!(timers.take_due(late), Some(Timer::Alive));
        assert_eq!(timers.take_due(late), None);
    }
}
