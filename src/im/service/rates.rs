//! How often somebody may do something.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::clock::Moment;

/// One rate for each of many. Who has not done it lately takes no room.
#[derive(Debug)]
pub(super) struct Rates<K> {
    every: Duration,
    at_once: u32,
    /// Until when each has used up its share, if it went on at the even rate.
    used_until: HashMap<K, Moment>,
}

impl<K: Hash + Eq + Clone> Rates<K> {
    /// So often within a time; as much as that at once.
    pub(super) fn new(count: u32, within: Duration, at_once: u32) -> Self {
        Self {
            every: within / count.max(1),
            at_once,
            used_until: HashMap::new(),
        }
    }

    /// Does it once, or says how long to wait.
    pub(super) fn take(&mut self, who: &K, now: Moment) -> Result<(), Duration> {
        let used_until = self.used_until.get(who).copied().unwrap_or(now).max(now);
        let ahead = used_until.since(now);
        let most = self.every.saturating_mul(self.at_once.saturating_sub(1));
        if ahead > most {
            return Err(ahead - most);
        }
        let until = used_until + self.every;
        match self.used_until.get_mut(who) {
            Some(known) => *known = until,
            None => {
                self.used_until.insert(who.clone(), until);
            }
        }
        Ok(())
    }

    /// Uses up more of somebody's share, whether or not there is as much.
    pub(super) fn charge(&mut self, who: &K, count: u32, now: Moment) {
        if count == 0 {
            return;
        }
        let used_until = self.used_until.get(who).copied().unwrap_or(now).max(now);
        let until = used_until + self.every.saturating_mul(count);
        self.used_until.insert(who.clone(), until);
    }

    /// Whether it could be done now.
    pub(super) fn has(&self, who: &K, now: Moment) -> bool {
        let most = self.every.saturating_mul(self.at_once.saturating_sub(1));
        let used_until = self.used_until.get(who);
        used_until.is_none_or(|until| (*until).max(now).since(now) <= most)
    }

    /// Forgets those who have a full share again.
    pub(super) fn sweep(&mut self, now: Moment) {
        self.used_until.retain(|_, until| *until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_used_at_once_and_comes_back_evenly() {
        let mut rates = Rates::new(10, Duration::from_secs(1), 3);
        let now = Moment::from_micros(1_000_000);
        for _ in 0..3 {
            assert_eq!(rates.take(&"alice", now), Ok(()));
        }
        assert_eq!(rates.take(&"alice", now), Err(Duration::from_millis(100)));
        assert_eq!(rates.take(&"bob", now), Ok(()));
        assert!(!rates.has(&"alice", now) && rates.has(&"carol", now));
        let later = now + Duration::from_millis(100);
        assert!(rates.has(&"alice", later));
        assert_eq!(rates.take(&"alice", later), Ok(()));
        assert!(rates.take(&"alice", later).is_err());
        // Who was charged waits for it.
        rates.charge(&"alice", 10, later);
        assert_eq!(
            rates.take(&"alice", later),
            Err(Duration::from_millis(1100))
        );
        rates.sweep(later + Duration::from_secs(9));
        assert!(rates.used_until.is_empty());
    }
}
