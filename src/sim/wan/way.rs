//! One direction of the line: what happens to each packet, and when. No sockets, no clock; chance comes from a seed.

use super::weather::{Share, Weather};
use crate::clock::Moment;

/// A piece of a stream is sent again at most so often; then it arrives whatever was drawn.
const MOST_RESENDS: u32 = 8;

/// What becomes of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It arrives then.
    Arrives(Moment),
    /// It arrives at both moments.
    Twice(Moment, Moment),
    /// It is lost on the way.
    Lost,
    /// The queue before the slow part has no room.
    Dropped,
}

/// When a stream may put its next piece on the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Room {
    /// At once.
    Now,
    /// When the queue before the slow part has become shorter.
    At(Moment),
    /// When the line is up again.
    WhenUp,
}

/// One direction, shared by all that passes that way.
#[derive(Clone, Debug)]
pub(super) struct Way {
    chance: u64,
    /// When the slow part has passed everything that it took so far.
    free_at: Moment,
}

impl Way {
    /// A direction whose fates come from that seed.
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            chance: seed,
            free_at: Moment::START,
        }
    }

    /// The fate of a datagram of that length that enters now.
    pub(super) fn datagram(&mut self, weather: &Weather, now: Moment, length: usize) -> Fate {
        // Drawn always, so that one datagram's fate does not hang on another's weather.
        let (lost, twice, jitter, again) = (self.draw(), self.draw(), self.draw(), self.draw());
        if weather.down || weather.udp_blocked {
            return Fate::Lost;
        }
        if self.free_at - now > weather.queue {
            return Fate::Dropped;
        }
        let passed = self.occupy(weather, now, length);
        if weather.loss.holds(lost) {
            return Fate::Lost;
        }
        let arrives = |jitter: f64| passed + weather.delay + weather.jitter.mul_f64(jitter);
        match weather.duplication.holds(twice) {
            true => Fate::Twice(arrives(jitter), arrives(again)),
            false => Fate::Arrives(arrives(jitter)),
        }
    }

    /// Whether a stream may put its next piece on the way.
    pub(super) fn room(&self, weather: &Weather, now: Moment) -> Room {
        if weather.down {
            return Room::WhenUp;
        }
        match self.free_at - now > weather.queue {
            true => Room::At(Moment::from_micros(
                self.free_at.as_micros() - weather.queue.as_micros() as u64,
            )),
            false => Room::Now,
        }
    }

    /// When a piece of a stream arrives that enters now. A piece that is lost comes a round trip later, each time.
    pub(super) fn piece(&mut self, weather: &Weather, now: Moment, length: usize) -> Moment {
        let jitter = self.draw();
        let mut resends = 0;
        while weather.loss > Share::NONE
            && resends < MOST_RESENDS
            && weather.loss.holds(self.draw())
        {
            resends += 1;
        }
        self.occupy(weather, now, length)
            + weather.delay
            + weather.jitter.mul_f64(jitter)
            + resends * weather.round_trip()
    }

    /// Takes the slow part for so many octets and tells when they have passed it.
    fn occupy(&mut self, weather: &Weather, now: Moment, length: usize) -> Moment {
        self.free_at = self.free_at.max(now) + weather.rate.time_of(length);
        self.free_at
    }

    /// A number from 0 to just below 1 (SplitMix64).
    fn draw(&mut self) -> f64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::weather::Rate;
    use super::*;

    fn fates(seed: u64, weather: &Weather, count: u64) -> Vec<Fate> {
        let mut way = Way::new(seed);
        (0..count)
            .map(|n| way.datagram(weather, Moment::from_micros(n * 1000), 1000))
            .collect()
    }

    fn jittery() -> Weather {
        Weather {
            loss: Share::percent(30.0),
            duplication: Share::percent(10.0),
            jitter: Duration::from_millis(20),
            ..Weather::delayed(150)
        }
    }

    #[test]
    fn the_same_seed_means_the_same_fates() {
        let weather = jittery();
        assert_eq!(fates(7, &weather, 500), fates(7, &weather, 500));
        assert_ne!(fates(7, &weather, 500), fates(8, &weather, 500));
    }

    #[test]
    fn loss_and_doubling_are_as_often_as_asked_for() {
        let weather = Weather {
            duplication: Share::percent(20.0),
            ..Weather::default().losing(Share::percent(10.0))
        };
        let fates = fates(1, &weather, 10_000);
        let count = |is: fn(&Fate) -> bool| fates.iter().filter(|fate| is(fate)).count();
        assert!((900..1100).contains(&count(|fate| *fate == Fate::Lost)));
        assert!((1650..1950).contains(&count(|fate| matches!(fate, Fate::Twice(..)))));
    }

    #[test]
    fn jitter_delays_within_its_bounds_and_makes_datagrams_overtake() {
        let mut arrivals = Vec::new();
        for (n, fate) in fates(3, &jittery(), 1000).into_iter().enumerate() {
            if let Fate::Arrives(at) = fate {
                let took = at - Moment::from_micros(n as u64 * 1000);
                assert!((150..=170).contains(&took.as_millis()));
                arrivals.push(at);
            }
        }
        assert!(!arrivals.is_sorted());
    }

    #[test]
    fn without_jitter_nothing_overtakes_anything() {
        let mut last = Moment::START;
        for fate in fates(3, &Weather::delayed(150), 1000) {
            let Fate::Arrives(at) = fate else {
                panic!("{fate:?}");
            };
            assert!(at > last);
            last = at;
        }
    }

    #[test]
    fn a_slow_line_queues_and_then_drops() {
        let weather = Weather {
            rate: Rate::Bits(8000),
            queue: Duration::from_millis(2500),
            ..Weather::delayed(100)
        };
        let mut way = Way::new(1);
        let now = Moment::from_micros(0);
        let second = Duration::from_secs(1);
        let delay = Duration::from_millis(100);
        for n in 1..=3 {
            let fate = way.datagram(&weather, now, 1000);
            assert_eq!(fate, Fate::Arrives(now + n * second + delay));
        }
        assert_eq!(way.datagram(&weather, now, 1000), Fate::Dropped);
        let room = Moment::from_micros(500_000);
        assert_eq!(way.room(&weather, now), Room::At(room));
        assert_eq!(way.room(&weather, room), Room::Now);
        let later = now + second;
        let fate = way.datagram(&weather, later, 1000);
        assert_eq!(fate, Fate::Arrives(now + 4 * second + delay));
    }

    #[test]
    fn a_line_that_is_down_passes_nothing() {
        let weather = Weather {
            down: true,
            ..Weather::default()
        };
        let fates = fates(1, &weather, 50);
        assert!(fates.iter().all(|fate| *fate == Fate::Lost));
        assert_eq!(
            Way::new(1).room(&weather, Moment::START),
            Room::WhenUp,
            "streams wait"
        );
    }

    #[test]
    fn a_lost_piece_of_a_stream_comes_a_round_trip_later() {
        let weather = Weather::delayed(50).losing(Share::percent(10.0));
        let mut way = Way::new(1);
        let (mut at_once, mut late) = (0, 0);
        for _ in 0..1000 {
            match way.piece(&weather, Moment::START, 1000).as_micros() {
                50_000 => at_once += 1,
                more => {
                    assert_eq!((more - 50_000) % 100_000, 0);
                    late += 1;
                }
            }
        }
        assert!((860..940).contains(&at_once) && late > 60);
    }
}
