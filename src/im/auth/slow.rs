//! Pauses after wrong tries: the first few are free, then each doubles the wait.
//!
//! The table is bounded. When it is full, those who may try again soonest make room: a flood of made-up names can push
//! out small pauses, but not one that was earned by many wrong tries.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::clock::Moment;

/// How fast it becomes slow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::im) struct SlowRule {
    /// So many wrong tries cost nothing.
    pub(in crate::im) free: u32,
    /// The first pause; each further wrong try doubles it.
    pub(in crate::im) first: Duration,
    /// The longest pause.
    pub(in crate::im) longest: Duration,
    /// Without a wrong try for so long, all is forgotten.
    pub(in crate::im) forget_after: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Tries {
    wrong: u32,
    last: Moment,
    free_at: Moment,
}

/// Most that are kept; at about 100 octets each.
const MAX_KEPT: usize = 100_000;

/// Who has to wait.
#[derive(Debug)]
pub(in crate::im) struct Slow<K> {
    rule: SlowRule,
    tries: HashMap<K, Tries>,
}

impl<K: Hash + Eq + Clone> Slow<K> {
    pub(in crate::im) fn new(rule: SlowRule) -> Self {
        Self {
            rule,
            tries: HashMap::new(),
        }
    }

    /// How long to wait before the next try, if at all.
    pub(in crate::im) fn wait(&self, who: &K, now: Moment) -> Option<Duration> {
        let wait = self.tries.get(who)?.free_at.since(now);
        (!wait.is_zero()).then_some(wait)
    }

    /// A wrong try.
    pub(in crate::im) fn wrong(&mut self, who: &K, now: Moment) {
        if self.tries.len() >= MAX_KEPT && !self.tries.contains_key(who) {
            self.make_room(now);
        }
        let tries = self.tries.entry(who.clone()).or_insert(Tries {
            wrong: 0,
            last: now,
            free_at: now,
        });
        if now.since(tries.last) > self.rule.forget_after {
            tries.wrong = 0;
        }
        tries.wrong = tries.wrong.saturating_add(1);
        tries.last = now;
        let beyond = tries.wrong.saturating_sub(self.rule.free);
        if beyond > 0 {
            let pause = self
                .rule
                .first
                .saturating_mul(1 << (beyond - 1).min(20))
                .min(self.rule.longest);
            tries.free_at = now + pause;
        }
    }

    /// A right try: all is forgotten.
    pub(in crate::im) fn right(&mut self, who: &K) {
        self.tries.remove(who);
    }

    /// Forgets what is long ago.
    pub(in crate::im) fn sweep(&mut self, now: Moment) {
        let forget_after = self.rule.forget_after;
        self.tries
            .retain(|_, tries| now.since(tries.last) <= forget_after);
    }

    fn make_room(&mut self, now: Moment) {
        self.sweep(now);
        if self.tries.len() < MAX_KEPT {
            return;
        }
        let mut free_at: Vec<Moment> = self.tries.values().map(|tries| tries.free_at).collect();
        let middle = free_at.len() / 2;
        let (_, &mut median, _) = free_at.select_nth_unstable(middle);
        // Half of them at least, so that making room stays rare.
        self.tries.retain(|_, tries| tries.free_at > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: SlowRule = SlowRule {
        free: 2,
        first: Duration::from_secs(1),
        longest: Duration::from_secs(60),
        forget_after: Duration::from_secs(3600),
    };

    #[test]
    fn each_wrong_try_beyond_the_free_ones_doubles_the_wait() {
        let mut slow = Slow::new(RULE);
        let now = Moment::from_micros(1_000_000);
        let mut waits = Vec::new();
        for _ in 0..10 {
            slow.wrong(&"eve", now);
            waits.push(slow.wait(&"eve", now).map_or(0, |wait| wait.as_secs()));
        }
        assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(slow.wait(&"alice", now), None);
        assert_eq!(slow.wait(&"eve", now + Duration::from_secs(60)), None);
        slow.wrong(&"eve", now + Duration::from_secs(3601));
        assert_eq!(slow.wait(&"eve", now + Duration::from_secs(3601)), None);
        slow.right(&"eve");
        slow.sweep(now);
        assert!(slow.tries.is_empty());
    }

    #[test]
    fn a_flood_of_names_does_not_free_who_has_to_wait() {
        let mut slow = Slow::new(RULE);
        let now = Moment::from_micros(1_000_000);
        for _ in 0..9 {
            slow.wrong(&u64::MAX, now);
        }
        for name in 0..250_000 {
            slow.wrong(&name, now);
        }
        assert!(slow.tries.len() <= MAX_KEPT);
        assert!(slow.wait(&u64::MAX, now).is_some());
    }
}
