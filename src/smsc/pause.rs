//! When to connect again: growing pauses with jitter, which begin anew only after a session has been up for a while.

use std::time::Duration;

use super::session::Retry;
use crate::clock::Moment;

/// A session that was up for so long was a good one: the next pause is the first again. Shorter ones flap, and a
/// carrier counts logins.
const STABLE: Duration = Duration::from_secs(60);

/// The pauses between connections to one SMSC.
#[derive(Clone, Debug)]
pub struct Pauses {
    failures: u32,
    up_since: Option<Moment>,
}

impl Default for Pauses {
    fn default() -> Self {
        Self::new()
    }
}

impl Pauses {
    /// Nothing has failed yet.
    pub const fn new() -> Self {
        Self {
            failures: 0,
            up_since: None,
        }
    }

    /// The session logged in.
    pub const fn up(&mut self, now: Moment) {
        self.up_since = Some(now);
    }

    /// A connection ended or never came to be. Gives the pause before the next one, `None` if there shall be none.
    /// `chance` is any number; the pause is between half of its length and all of it.
    pub fn down(&mut self, now: Moment, retry: Retry, chance: u64) -> Option<Duration> {
        if self
            .up_since
            .take()
            .is_some_and(|since| now - since >= STABLE)
        {
            self.failures = 0;
        }
        let (first, longest) = match retry {
            Retry::Soon => (Duration::from_secs(1), Duration::from_secs(60)),
            Retry::OldSessionLives => (Duration::from_secs(15), Duration::from_secs(120)),
            // Carriers lock accounts that try often.
            Retry::Refused => (Duration::from_secs(60), Duration::from_secs(900)),
            Retry::Never => return None,
        };
        let whole = first
            .saturating_mul(1 << self.failures.min(10))
            .min(longest);
        self.failures = self.failures.saturating_add(1);
        let half = whole / 2;
        let micros = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
        Some(half + Duration::from_micros(chance % micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn pauses_grow_to_their_longest_and_vary() {
        let mut pauses = Pauses::new();
        let mut last = Duration::ZERO;
        for _ in 0..12 {
            let pause = pauses.down(at(0), Retry::Soon, u64::MAX).unwrap();
            assert!(pause >= last / 2, "they grow, but for the jitter");
            last = pause;
        }
        assert!((Duration::from_secs(30)..=Duration::from_secs(60)).contains(&last));
        assert_eq!(
            pauses.down(at(0), Retry::Soon, 0),
            Some(Duration::from_secs(30))
        );
        assert!(pauses.down(at(0), Retry::Refused, 0).unwrap() >= Duration::from_secs(30));
        assert_eq!(pauses.down(at(0), Retry::Never, 0), None);
    }

    #[test]
    fn only_a_stable_session_begins_anew() {
        let mut pauses = Pauses::new();
        for _ in 0..5 {
            pauses.down(at(0), Retry::Soon, 0);
        }
        pauses.up(at(10));
        let flapped = pauses.down(at(11), Retry::Soon, 0).unwrap();
        assert!(flapped >= Duration::from_secs(8));
        pauses.up(at(100));
        let stable = pauses.down(at(161), Retry::Soon, 0).unwrap();
        assert_eq!(stable, Duration::from_millis(500));
    }
}
