//! What a lane's driver shows of itself: counters that only grow, and the state in words.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// Counters and state of one lane, shared between its driver and whoever looks.
#[derive(Default)]
pub struct LaneStatus {
    state: Mutex<State>,
    /// Messages that the SMSC accepted.
    pub submitted: Counter,
    /// Messages that the SMSC refused for good.
    pub refused: Counter,
    /// Answers that asked us to try again.
    pub deferred: Counter,
    /// Messages that were in doubt at some time.
    pub doubtful: Counter,
    /// Messages whose validity ended before they could be offered.
    pub expired: Counter,
    /// Messages and reports taken from the SMSC and stored.
    pub delivered: Counter,
    /// Deliveries that the SMSC repeated and that were answered without storing them again.
    pub repeated: Counter,
    /// Deliveries that had to wait for a free slot.
    pub withheld: Counter,
    /// Connections that were made.
    pub connections: Counter,
    /// Oddities in the SMSC's protocol.
    pub oddities: Counter,
    /// How often the driver woke up; an idle lane does so less than once a second.
    pub wakeups: Counter,
}

/// A number that only grows.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a lane is doing.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct State {
    /// In one word.
    pub phase: Phase,
    /// The SMSC's description of itself, while logged in.
    pub peer: String,
    /// Why the last connection ended, until the next one is up.
    pub last_error: Option<String>,
    /// The message, by sequence, that waits for an operator's decision.
    pub held: Option<u64>,
    /// What the SMSC last said when it asked us to wait.
    pub deferred_because: Option<String>,
}

/// The phases of a lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Not begun yet.
    #[default]
    Idle,
    /// Opening the transport, or logging in.
    Connecting,
    /// Logged in.
    Up,
    /// Waiting to connect again.
    Waiting,
    /// The SMSC refuses our login; an operator must look.
    Refused,
    /// Stopped.
    Closed,
}

impl LaneStatus {
    /// The state now.
    pub fn state(&self) -> State {
        self.locked().clone()
    }

    /// Changes the state.
    pub(super) fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.locked());
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
