//! What a lane's driver shows of itself: counters that only grow, and the state in words.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::{Moment, WallTime};

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
    /// How fast messages to phones are done with.
    pub mt_rate: Meter,
    /// How fast messages from phones come.
    pub mo_rate: Meter,
    /// From a submit to its answer.
    pub round_trip: RoundTrip,
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

/// For so many seconds a rate is taken.
const SPAN: u64 = 10;

/// Messages a second, over the last ten whole seconds.
#[derive(Default)]
pub struct Meter(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    /// The second that is being counted.
    second: u64,
    /// By second modulo their number.
    counts: [u64; SPAN as usize + 1],
}

impl Counts {
    fn turn(&mut self, second: u64) {
        let gone = second.saturating_sub(self.second).min(SPAN + 1);
        for past in 1..=gone {
            self.counts[((self.second + past) % (SPAN + 1)) as usize] = 0;
        }
        self.second = self.second.max(second);
    }
}

impl Meter {
    /// One more.
    pub fn count(&self, now: Moment) {
        let second = now.as_micros() / 1_000_000;
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.turn(second);
        let at = (counts.second % (SPAN + 1)) as usize;
        counts.counts[at] += 1;
    }

    /// The rate now, by the clock that it is counted with.
    pub fn per_second(&self, now: Moment) -> f64 {
        let second = now.as_micros() / 1_000_000;
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.turn(second);
        let unfinished = counts.counts[(counts.second % (SPAN + 1)) as usize];
        let all: u64 = counts.counts.iter().sum();
        (all - unfinished) as f64 / SPAN as f64
    }
}

/// A time that is measured again and again, smoothed as TCP does it.
#[derive(Default)]
pub struct RoundTrip(AtomicU64);

impl RoundTrip {
    /// One measurement.
    pub fn measured(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let smoothed = match self.0.load(Ordering::Relaxed) {
            0 => took,
            before => (before - before / 8).saturating_add(took / 8).max(1),
        };
        self.0.store(smoothed, Ordering::Relaxed);
    }

    /// In microseconds, once it was measured.
    pub fn micros(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|&micros| micros > 0)
    }
}

/// What a lane is doing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State {
    /// In one word.
    pub phase: Phase,
    /// Since when.
    pub since: WallTime,
    /// The SMSC's description of itself, while logged in.
    pub peer: String,
    /// Why the last connection ended, until the next one is up.
    pub last_error: Option<String>,
    /// The message, by sequence, that waits for an operator's decision.
    pub held: Option<u64>,
    /// Whether nothing is offered now on purpose: the rate is kept, or the SMSC asked us to wait.
    pub pausing: bool,
    /// What the SMSC last said when it asked us to wait.
    pub deferred_because: Option<String>,
}

/// The phases of a lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_last_ten_whole_seconds() {
        let meter = Meter::default();
        let at = |ms: u64| Moment::from_micros(ms * 1000);
        for n in 0..200 {
            meter.count(at(n * 100));
        }
        assert_eq!(meter.per_second(at(20_000)), 10.0);
        assert_eq!(meter.per_second(at(25_000)), 5.0);
        assert_eq!(meter.per_second(at(60_000)), 0.0);
        meter.count(at(60_500));
        assert_eq!(meter.per_second(at(60_900)), 0.0);
        assert_eq!(meter.per_second(at(61_000)), 0.1);
    }

    #[test]
    fn a_round_trip_follows_what_is_measured() {
        let trip = RoundTrip::default();
        assert_eq!(trip.micros(), None);
        trip.measured(Duration::from_millis(8));
        assert_eq!(trip.micros(), Some(8000));
        for _ in 0..100 {
            trip.measured(Duration::from_millis(2));
        }
        assert!(trip.micros().unwrap() < 2100);
    }
}
