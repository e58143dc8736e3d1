//! Which packets came: what an acknowledgment tells.

use super::frame::{Ack, MAX_RUNS};
use crate::clock::Moment;

/// So many packets below the largest are told apart; older ones count as seen before.
const REMEMBERED: u64 = 1024;
const WORDS: usize = (REMEMBERED / 64) as usize;

/// The last packets that came.
#[derive(Clone, Debug)]
pub(super) struct Received {
    largest: u64,
    largest_at: Moment,
    /// Bit n mod 1,024 for packet n.
    seen: [u64; WORDS],
    /// Whether something came that the sender waits to have acknowledged.
    owed_since: Option<Moment>,
}

impl Received {
    pub(super) const fn new() -> Self {
        Self {
            largest: 0,
            largest_at: Moment::START,
            seen: [0; WORDS],
            owed_since: None,
        }
    }

    const fn place(number: u64) -> (usize, u64) {
        let bit = number % REMEMBERED;
        ((bit / 64) as usize, 1 << (bit % 64))
    }

    /// Whether that packet is known to have come.
    pub(super) fn has(&self, number: u64) -> bool {
        let (word, bit) = Self::place(number);
        number > 0
            && number <= self.largest
            && number + REMEMBERED > self.largest
            && self.seen[word] & bit != 0
    }

    /// A packet came; tells whether it is new. One that is older than what is remembered may be either, and counts as
    /// new: frames do no harm when they are taken twice.
    pub(super) fn take(&mut self, now: Moment, number: u64) -> bool {
        if number > self.largest {
            let from = self.largest + 1;
            if number - self.largest >= REMEMBERED {
                self.seen = [0; WORDS];
            } else {
                for skipped in from..number {
                    let (word, bit) = Self::place(skipped);
                    self.seen[word] &= !bit;
                }
            }
            self.largest = number;
            self.largest_at = now;
        } else if self.has(number) {
            return false;
        } else if number + REMEMBERED <= self.largest {
            return true;
        }
        let (word, bit) = Self::place(number);
        self.seen[word] |= bit;
        true
    }

    /// Something came that wants an acknowledgment.
    pub(super) fn owe(&mut self, now: Moment) {
        self.owed_since.get_or_insert(now);
    }

    /// Since when an acknowledgment is owed.
    pub(super) const fn owed_since(&self) -> Option<Moment> {
        self.owed_since
    }

    /// The acknowledgment of all that came; nothing is owed after it is sent.
    pub(super) fn ack(&mut self, now: Moment) -> Option<Ack> {
        if self.largest == 0 {
            return None;
        }
        self.owed_since = None;
        let floor = self.largest.saturating_sub(255).max(1);
        let mut number = self.largest;
        let mut stretch = |there: bool| {
            let from = number;
            while number >= floor && self.has(number) == there {
                number -= 1;
            }
            from - number
        };
        let run = stretch(true) - 1;
        let mut runs = Vec::new();
        while runs.len() < MAX_RUNS {
            let missing = stretch(false);
            let there = stretch(true);
            if there == 0 {
                break;
            }
            runs.push((missing, there));
        }
        let delay = (now - self.largest_at).as_micros() as u64 / 64;
        Some(Ack {
            largest: self.largest,
            delay,
            run,
            runs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_what_came_and_what_is_missing() {
        let mut received = Received::new();
        let now = Moment::START;
        assert_eq!(received.ack(now), None);
        for number in [1, 2, 3, 6, 8, 9] {
            assert!(received.take(now, number));
        }
        assert!(!received.take(now, 6));
        let ack = received.ack(now).unwrap();
        assert_eq!((ack.largest, ack.run), (9, 1));
        assert_eq!(ack.runs, [(1, 1), (2, 3)]);
        assert!(received.take(now, 7));
        assert_eq!(received.ack(now).unwrap().run, 3);
    }

    #[test]
    fn numbers_far_ahead_forget_what_lies_behind() {
        let mut received = Received::new();
        let now = Moment::START;
        for number in 1..=2000 {
            assert!(received.take(now, number));
        }
        assert_eq!(received.ack(now).unwrap().run, 255);
        assert!(received.take(now, 10_000));
        assert!(received.take(now, 9_999));
        assert!(!received.take(now, 9_999));
        let ack = received.ack(now).unwrap();
        assert_eq!((ack.run, ack.runs.len()), (1, 0));
    }
}
