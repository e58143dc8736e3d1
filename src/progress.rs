//! Whether something moves that should. A process may be alive, its task scheduled, its socket open, and still nothing
//! gets done; so what is watched is progress, and nothing else. A machine without I/O: it is shown how far a thing has
//! come, and says whether it is stuck.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Moment;

/// How far something has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Whether there is anything to do that could be done now. While nothing is, nothing is expected to move.
    pub due: bool,
    /// Any number that changes with each step: a sum of pointers and counters.
    pub steps: u64,
}

/// What a look brought to light.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Motion {
    /// Nothing was to be done.
    Idle,
    /// It moves, or has not stood long enough to say.
    Moving,
    /// It has stood for so long although there was something to do.
    Stuck(Duration),
}

/// Watches one thing.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    patience: Duration,
    steps: u64,
    since: Option<Moment>,
}

impl Watch {
    /// Calls stuck what has not moved for `patience`.
    pub const fn new(patience: Duration) -> Self {
        Self {
            patience,
            steps: 0,
            since: None,
        }
    }

    /// Looks at it.
    pub fn look(&mut self, now: Moment, progress: Progress) -> Motion {
        if !progress.due {
            self.since = None;
            self.steps = progress.steps;
            return Motion::Idle;
        }
        match self.since {
            Some(since) if progress.steps == self.steps => {
                let stood = now - since;
                if stood >= self.patience {
                    Motion::Stuck(stood)
                } else {
                    Motion::Moving
                }
            }
            _ => {
                self.steps = progress.steps;
                self.since = Some(now);
                Motion::Moving
            }
        }
    }

    /// It was restarted: it gets its whole time again.
    pub const fn restarted(&mut self) {
        self.since = None;
    }
}

/// How far back a rate looks.
const SPAN: Duration = Duration::from_secs(10);

/// How often something happens, over the last ten seconds, by a counter that is noted now and then.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    /// At most one for each second of the span, and one before.
    noted: VecDeque<(Moment, u64)>,
}

impl Rate {
    /// The counter stands here.
    pub fn note(&mut self, now: Moment, count: u64) {
        if let Some(&(last, _)) = self.noted.back()
            && now - last < Duration::from_secs(1)
        {
            return;
        }
        self.noted.push_back((now, count));
        while self.noted.len() > 1 && now - self.noted[1].0 >= SPAN {
            self.noted.pop_front();
        }
    }

    /// How often a second.
    pub fn per_second(&self, now: Moment) -> f64 {
        let (Some(&(first, before)), Some(&(_, after))) = (self.noted.front(), self.noted.back())
        else {
            return 0.0;
        };
        let time = (now - first).as_secs_f64();
        if time > 0.0 {
            after.saturating_sub(before) as f64 / time
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::START + Duration::from_secs(seconds)
    }

    const fn due(steps: u64) -> Progress {
        Progress { due: true, steps }
    }

    #[test]
    fn what_stands_with_work_before_it_is_stuck() {
        let mut watch = Watch::new(Duration::from_secs(60));
        assert_eq!(watch.look(at(0), due(7)), Motion::Moving);
        assert_eq!(watch.look(at(59), due(7)), Motion::Moving);
        assert_eq!(
            watch.look(at(61), due(7)),
            Motion::Stuck(Duration::from_secs(61))
        );
        // One step is enough.
        assert_eq!(watch.look(at(62), due(8)), Motion::Moving);
        assert_eq!(watch.look(at(121), due(8)), Motion::Moving);
        watch.restarted();
        assert_eq!(watch.look(at(500), due(8)), Motion::Moving);
        assert_eq!(watch.look(at(559), due(8)), Motion::Moving);
    }

    #[test]
    fn what_has_nothing_to_do_may_stand_for_ever() {
        let mut watch = Watch::new(Duration::from_secs(60));
        let idle = Progress {
            due: false,
            steps: 7,
        };
        assert_eq!(watch.look(at(0), idle), Motion::Idle);
        assert_eq!(watch.look(at(10_000), idle), Motion::Idle);
        // Its time begins with the work.
        assert_eq!(watch.look(at(10_001), due(7)), Motion::Moving);
        assert_eq!(watch.look(at(10_060), due(7)), Motion::Moving);
        assert!(matches!(watch.look(at(10_061), due(7)), Motion::Stuck(_)));
    }

    #[test]
    fn a_rate_is_of_the_last_ten_seconds() {
        let mut rate = Rate::default();
        assert_eq!(rate.per_second(at(0)), 0.0);
        for second in 0..100 {
            rate.note(at(second), second * 50);
        }
        assert!((rate.per_second(at(99)) - 50.0).abs() < 0.1);
        // It fades when nothing more happens.
        for second in 100..120 {
            rate.note(at(second), 99 * 50);
        }
        assert_eq!(rate.per_second(at(119)), 0.0);
    }
}
