//! Time, in the two forms that the product knows, and the only place that asks the machine for it.
//!
//! A [`Moment`] is monotonic and has no meaning outside this process: timers and round trips are made of it.
//! A [`WallTime`] is what people and files mean by a time; it may jump, so nothing is scheduled by it alone.
//! Machines take a `Moment` as an argument and never ask; drivers hold a [`Clock`].

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// A point of monotonic time: microseconds since the start of its [`Clock`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Moment(u64);

impl Moment {
    /// The start of every clock.
    pub const START: Self = Self(0);

    /// A moment so and so many microseconds after the start.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the start.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; nothing if it lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;
    fn add(self, wait: Duration) -> Self {
        let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

impl Sub for Moment {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

/// A point of civil time: milliseconds since 1970, UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct WallTime(u64);

impl WallTime {
    /// So and so many milliseconds after the beginning of 1970.
    pub const fn from_unix_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the beginning of 1970.
    pub const fn as_unix_ms(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; nothing if it lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for WallTime {
    type Output = Self;
    fn add(self, wait: Duration) -> Self {
        let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(ms))
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(self.0);
        humantime::format_rfc3339_millis(time).fmt(f)
    }
}

/// A text that is no time.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is no time; write it in UTC, as in 2026-11-21T08:13:05.123Z")]
pub struct NoTime(String);

impl FromStr for WallTime {
    type Err = NoTime;

    fn from_str(written: &str) -> Result<Self, NoTime> {
        let wrong = || NoTime(written.chars().take(MOST_SHOWN).collect());
        let time = humantime::parse_rfc3339(written).map_err(|_| wrong())?;
        let since = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_err(|_| wrong())?;
        u64::try_from(since.as_millis())
            .map(Self)
            .map_err(|_| wrong())
    }
}

/// How many characters of what is no time are shown again.
const MOST_SHOWN: usize = 32;

/// How far the civil time of this process is ahead of the machine's, in milliseconds.
static AHEAD_MS: AtomicI64 = AtomicI64::new(0);

/// From now on the civil time of this whole process is so much ahead of the machine's, or behind it: what a program goes
/// through when somebody sets the clock, or a battery is dead. Moments go on as they did. Only a test does this.
pub fn jump_to(ahead_ms: i64) {
    AHEAD_MS.store(ahead_ms, Ordering::Relaxed);
}

/// Where a driver gets its time from. Copies tell the same time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// The machine's own clock; its moments count from now.
    pub fn system() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// The present moment.
    pub fn now(&self) -> Moment {
        let micros = self.start.elapsed().as_micros();
        Moment(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// The present civil time. A clock set before 1970 reads as 1970.
    pub fn wall(&self) -> WallTime {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        WallTime(ms.saturating_add_signed(AHEAD_MS.load(Ordering::Relaxed)))
    }

    /// The machine's instant for a moment, for timers of the event loop.
    pub fn instant(&self, moment: Moment) -> Instant {
        self.start + Duration::from_micros(moment.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_count_forward_and_never_below_nothing() {
        let early = Moment::from_micros(5);
        let late = early + Duration::from_millis(1);
        assert_eq!(late - early, Duration::from_millis(1));
        assert_eq!(early - late, Duration::ZERO);
    }

    #[test]
    fn wall_time_reads_like_a_time() {
        let time = WallTime::from_unix_ms(1_795_248_785_123);
        assert_eq!(time.to_string(), "2026-11-21T08:13:05.123Z");
    }
}
