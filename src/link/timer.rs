//! The timers of a connection, in one table.

use crate::clock::Moment;

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Timer {
    /// To say hello, or goodbye, again.
    Greet,
    /// To give the far end up: nothing was heard for too long.
    Silence,
    /// To ping: nothing was sent or heard for a while.
    Ping,
    /// To send what waits: an acknowledgment, a packet that waits for company, or for the pace.
    Send,
    /// To carry something a second time.
    Repeat,
    /// To call packets lost that others have passed.
    Loss,
    /// To send the oldest packets' contents again: no acknowledgment came at all.
    Probe,
    /// To look for messages that arrived and are not confirmed, and for damaged slots to ask about.
    Stale,
}

impl Timer {
    pub(super) const ALL: [Self; 8] = [
        Self::Greet,
        Self::Silence,
        Self::Ping,
        Self::Send,
        Self::Repeat,
        Self::Loss,
        Self::Probe,
        Self::Stale,
    ];
}

/// When each timer is due.
#[derive(Debug, Default)]
pub(super) struct Timers([Option<Moment>; Timer::ALL.len()]);

impl Timers {
    pub(super) const fn set(&mut self, timer: Timer, at: Moment) {
        self.0[timer as usize] = Some(at);
    }

    pub(super) const fn put(&mut self, timer: Timer, at: Option<Moment>) {
        self.0[timer as usize] = at;
    }

    pub(super) const fn clear(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    pub(super) const fn clear_all(&mut self) {
        self.0 = [None; Timer::ALL.len()];
    }

    /// The next one.
    pub(super) fn next(&self) -> Option<Moment> {
        self.0.iter().flatten().min().copied()
    }

    /// Takes one that is due.
    pub(super) fn take_due(&mut self, now: Moment) -> Option<Timer> {
        let due = Timer::ALL
            .into_iter()
            .find(|&timer| self.0[timer as usize].is_some_and(|at| at <= now))?;
        self.clear(due);
        Some(due)
    }
}
