//! Round trips: smoothed, their deviation, the shortest of late; and the waits that follow from them.

use std::time::Duration;

use crate::clock::Moment;

/// Assumed before the first measurement.
const FIRST_GUESS: Duration = Duration::from_millis(500);
/// How long the far end may hold an acknowledgment back, at most.
pub(super) const LONGEST_ACK_DELAY: Duration = Duration::from_millis(25);
/// How long a shortest round trip is believed.
const SHORTEST_LIVES: Duration = Duration::from_secs(10);

/// What is known of the line's round trip.
#[derive(Clone, Debug)]
pub(super) struct Rtt {
    smoothed: Option<Duration>,
    deviation: Duration,
    latest: Duration,
    shortest: Duration,
    shortest_at: Moment,
    /// While the shortest is looked for anew: the shortest seen since.
    looking: Option<Duration>,
}

impl Rtt {
    pub(super) const fn new() -> Self {
        Self {
            smoothed: None,
            deviation: Duration::ZERO,
            latest: FIRST_GUESS,
            shortest: Duration::MAX,
            shortest_at: Moment::START,
            looking: None,
        }
    }

    /// A packet was acknowledged that long after it was sent, of which the far end held the ack back so long.
    pub(super) fn measured(&mut self, now: Moment, whole: Duration, held_back: Duration) {
        if let Some(seen) = &mut self.looking {
            *seen = whole.min(*seen);
        }
        if whole <= self.shortest {
            self.shortest = whole;
        }
        // A little more than the shortest is the shortest with some chance in it.
        if whole <= self.shortest + self.shortest / 16 {
            self.shortest_at = now;
        }
        // A far end that claims to have waited longer than the round trip would make it shorter than the line is.
        let held_back = held_back.min(4 * LONGEST_ACK_DELAY);
        let sample = if whole >= self.shortest + held_back {
            whole - held_back
        } else {
            whole
        };
        self.latest = sample;
        match self.smoothed {
            None => {
                self.smoothed = Some(sample);
                self.deviation = sample / 2;
            }
            Some(smoothed) => {
                let off = smoothed.abs_diff(sample);
                self.deviation = (3 * self.deviation + off) / 4;
                self.smoothed = Some((7 * smoothed + sample) / 8);
            }
        }
    }

    pub(super) const fn is_known(&self) -> bool {
        self.smoothed.is_some()
    }

    pub(super) fn smoothed(&self) -> Duration {
        self.smoothed.unwrap_or(FIRST_GUESS)
    }

    pub(super) const fn latest(&self) -> Duration {
        self.latest
    }

    pub(super) fn shortest(&self) -> Duration {
        match self.smoothed {
            Some(_) => self.shortest,
            None => FIRST_GUESS,
        }
    }

    /// Whether the shortest round trip has not been seen for so long that it has to be looked for.
    pub(super) fn shortest_is_stale(&self, now: Moment) -> bool {
        self.is_known() && now - self.shortest_at > SHORTEST_LIVES
    }

    /// Looks for the shortest anew: the line may have become longer, and the flow has made room for it to show.
    pub(super) const fn look_for_shortest(&mut self) {
        self.looking = Some(Duration::MAX);
    }

    /// What was seen while looking is the shortest now.
    pub(super) fn settle_shortest(&mut self, now: Moment) {
        if let Some(seen) = self.looking.take()
            && seen < Duration::MAX
        {
            self.shortest = seen;
            self.shortest_at = now;
        }
    }

    /// Whether packets wait in a queue somewhere on the line.
    pub(super) fn shows_a_queue(&self) -> bool {
        self.is_known()
            && self.latest > self.shortest + self.shortest / 8 + Duration::from_millis(8)
    }

    /// Within this an acknowledgment should have come.
    pub(super) fn answer_within(&self) -> Duration {
        let spread = (4 * self.deviation).max(Duration::from_millis(1));
        self.smoothed() + spread + LONGEST_ACK_DELAY
    }

    /// How long a packet that is not full may wait for company. On the shortest lines so long as an end needs to hand
    /// on what it was just sent.
    pub(super) fn gather(&self) -> Duration {
        if self.is_known() {
            (self.smoothed() / 128).clamp(Duration::from_micros(50), Duration::from_millis(3))
        } else {
            Duration::ZERO
        }
    }

    /// How long an acknowledgment waits for something to ride with.
    pub(super) fn ack_delay(&self) -> Duration {
        (self.smoothed() / 8).clamp(Duration::from_micros(100), LONGEST_ACK_DELAY)
    }

    /// How long after its first sending something is carried a second time, while loss is measured.
    pub(super) fn repeat_after(&self) -> Duration {
        (self.smoothed() / 16).clamp(Duration::from_millis(5), Duration::from_millis(40))
    }

    /// How long nothing may be heard. Half-open connections have to be noticed within three round trips and a second.
    pub(super) fn silence(&self) -> Duration {
        if self.is_known() {
            3 * self.smoothed() + Duration::from_millis(950)
        } else {
            Duration::from_secs(10)
        }
    }

    /// How long nothing may be heard before another connection is made beside this one: whoever worries has asked, and
    /// the answer should have come.
    pub(super) fn suspicion(&self) -> Duration {
        let answered = self.worry().0 + self.smoothed() + Duration::from_millis(100);
        answered.min(self.silence())
    }

    /// When to worry, and how often to ask then.
    pub(super) fn worry(&self) -> (Duration, Duration) {
        (
            self.smoothed() + Duration::from_millis(500),
            (self.smoothed() / 2).max(Duration::from_millis(150)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn it_follows_the_line_and_takes_off_what_the_far_end_waited() {
        let mut rtt = Rtt::new();
        assert_eq!(rtt.silence(), Duration::from_secs(10));
        let mut now = Moment::START;
        for _ in 0..50 {
            now = now + ms(100);
            rtt.measured(now, ms(300), ms(0));
            rtt.measured(now, ms(320), ms(20));
        }
        assert!(rtt.smoothed().abs_diff(ms(300)) < ms(2));
        assert!(!rtt.shows_a_queue());
        assert_eq!(rtt.silence(), 3 * rtt.smoothed() + ms(950));
        assert!(rtt.answer_within() < ms(335));
        rtt.measured(now, ms(900), ms(0));
        assert!(rtt.shows_a_queue());
    }

    #[test]
    fn the_shortest_is_forgotten_after_a_while() {
        let mut rtt = Rtt::new();
        rtt.measured(Moment::START, ms(50), ms(0));
        let later = Moment::START + ms(10_001);
        rtt.measured(later, ms(400), ms(0));
        assert!(rtt.shortest_is_stale(later));
        rtt.look_for_shortest();
        rtt.measured(later, ms(420), ms(0));
        rtt.measured(later, ms(400), ms(0));
        rtt.settle_shortest(later);
        assert_eq!(rtt.shortest(), ms(400));
    }
}
