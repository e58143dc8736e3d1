//! The courier takes messages of an MT ring to the SMSC, one at a time and in order, and decides what to do with each
//! answer (G12). A machine without I/O: it is told of turns, answers and time, and says the next step.
//!
//! | state | what comes | next |
//! |---|---|---|
//! | idle | a turn and a message | offer it |
//! | idle | a turn and a message in doubt from before | by policy: offer it again, hold it, drop it |
//! | offered | accepted | done with the SMSC's name for it |
//! | offered | never | done with the SMSC's refusal |
//! | offered | try again | pause, then offer the same one; order is kept |
//! | offered | in doubt | by policy, as above |
//! | offered | not sent | offer it on the next connection |
//! | held | resend or drop, by an operator | offer it, or done as doubtful |

use std::time::Duration;

use serde::Deserialize;

use super::session::{Pause, SubmitAnswer};
use crate::clock::Moment;
use crate::lane::Sequence;
use crate::message::{Outcome, Refusal};

/// What becomes of a message that the SMSC may or may not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InDoubt {
    /// It is offered again: it arrives at least once.
    #[default]
    Resend,
    /// The lane waits until an operator decides.
    Hold,
    /// It is not offered again: it arrives at most once. Its outcome is *doubtful*.
    Drop,
}

/// How a lane offers messages.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Manner {
    /// What becomes of a message in doubt.
    pub in_doubt: InDoubt,
    /// Most messages a second; `None` for as fast as the SMSC answers.
    pub throughput: Option<f64>,
}

/// What is to be done next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Nothing before that moment, or before something happens.
    Wait(Option<Moment>),
    /// Offer this message to the SMSC.
    Offer(Sequence),
    /// This message is done with, as doubtful.
    GiveUp(Sequence),
}

/// What an answer means for its message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is done with.
    Done(Outcome),
    /// It will be offered again, for the reason that the SMSC gave.
    Again(Option<Refusal>),
    /// It is in doubt; what follows is by policy.
    InDoubt,
}

/// Pauses when the SMSC says that we are too fast, and when its queue is full: from the first to the longest,
/// doubling, and the first again after a message was accepted.
const THROTTLED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
const QUEUE_FULL: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(180));

/// Pauses after passing faults, by the number of the try; the last one is repeated while the message is valid.
const TRANSIENT: [Duration; 4] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
];

/// After so many tries a code that says little means never.
const UNCLEAR_TRIES: usize = 3;

/// The rate never falls below this when the SMSC throttles: slower than one message in ten seconds is an outage.
const SLOWEST: f64 = 0.1;

/// One lane's courier.
#[derive(Debug)]
pub struct Courier {
    manner: Manner,
    offered: Option<Sequence>,
    /// The message whose fate is known not to be in doubt although it is marked as offered: the SMSC refused it for
    /// now, or it never left.
    settled: Option<Sequence>,
    held: Option<Sequence>,
    released: Option<Sequence>,
    not_before: Option<Moment>,
    throttles: u32,
    tries: usize,
    /// Adapted between [`SLOWEST`] and the ceiling: halved when throttled, raised a little by each acceptance.
    rate: Option<f64>,
    suspended: bool,
}

impl Courier {
    /// A courier that has not offered anything yet.
    pub const fn new(manner: Manner) -> Self {
        Self {
            rate: manner.throughput,
            manner,
            offered: None,
            settled: None,
            held: None,
            released: None,
            not_before: None,
            throttles: 0,
            tries: 0,
            suspended: false,
        }
    }

    /// The message that is with the SMSC now.
    pub const fn offered(&self) -> Option<Sequence> {
        self.offered
    }

    /// The message that waits for an operator's word.
    pub const fn held(&self) -> Option<Sequence> {
        self.held
    }

    /// The rate that it keeps to now, messages a second.
    pub const fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// Until when it pauses, if it does.
    pub fn pausing(&self, now: Moment) -> Option<Moment> {
        self.not_before.filter(|&moment| moment > now)
    }

    /// Whether an operator has stopped it.
    pub const fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// An operator stops it, or lets it go on.
    pub const fn suspend(&mut self, suspended: bool) {
        self.suspended = suspended;
    }

    /// Another manner from now on. A message that is held stays so until an operator decides.
    pub const fn change(&mut self, manner: Manner) {
        self.rate = manner.throughput;
        self.manner = manner;
    }

    /// An operator decides that the held message is to be offered again. Tells whether there was one.
    pub const fn resend_held(&mut self) -> bool {
        self.released = self.held.take();
        self.released.is_some()
    }

    /// An operator decides that the held message is not to be offered again; it is then done with as doubtful.
    pub const fn drop_held(&mut self) -> Option<Sequence> {
        self.held.take()
    }

    /// What to do, if a turn to submit is at hand. `next` is the first message that is not processed, `in_doubt` the
    /// one that is marked as offered and not processed.
    pub fn next(
        &mut self,
        now: Moment,
        next: Option<Sequence>,
        in_doubt: Option<Sequence>,
    ) -> Step {
        let Some(next) = next else {
            return Step::Wait(None);
        };
        if self.suspended || self.offered.is_some() || self.held.is_some() {
            return Step::Wait(None);
        }
        if let Some(moment) = self.pausing(now) {
            return Step::Wait(Some(moment));
        }
        let doubtful =
            in_doubt == Some(next) && self.settled != Some(next) && self.released != Some(next);
        if doubtful {
            match self.manner.in_doubt {
                InDoubt::Resend => {}
                InDoubt::Hold => {
                    self.held = Some(next);
                    return Step::Wait(None);
                }
                InDoubt::Drop => return Step::GiveUp(next),
            }
        }
        self.offered = Some(next);
        self.settled = None;
        self.released = None;
        if let Some(rate) = self.rate {
            self.not_before = Some(now + Duration::from_secs_f64(1.0 / rate));
        }
        Step::Offer(next)
    }

    /// The offered message did not go to the SMSC after all: it is done with, or expired.
    pub const fn unused(&mut self) {
        self.offered = None;
    }

    /// The SMSC's answer to the offered message.
    pub fn answered(&mut self, now: Moment, answer: SubmitAnswer) -> Verdict {
        let offered = self.offered.take();
        match answer {
            SubmitAnswer::Accepted(id) => {
                self.throttles = 0;
                self.tries = 0;
                if let (Some(rate), Some(ceiling)) = (&mut self.rate, self.manner.throughput) {
                    *rate = (*rate * 1.02).min(ceiling);
                }
                Verdict::Done(Outcome::Accepted(id))
            }
            SubmitAnswer::Never(refusal) => {
                self.tries = 0;
                Verdict::Done(Outcome::Refused(refusal))
            }
            SubmitAnswer::TryAgain { pause, refusal } => {
                self.settled = offered;
                self.pause(now, pause, refusal)
            }
            SubmitAnswer::InDoubt => Verdict::InDoubt,
            SubmitAnswer::NotSent => {
                self.settled = offered;
                Verdict::Again(None)
            }
        }
    }

    fn pause(&mut self, now: Moment, pause: Pause, refusal: Refusal) -> Verdict {
        let wait = match pause {
            Pause::Throttled | Pause::QueueFull => {
                let (first, longest) = if pause == Pause::Throttled {
                    THROTTLED
                } else {
                    QUEUE_FULL
                };
                let wait = first
                    .saturating_mul(1 << self.throttles.min(10))
                    .min(longest);
                self.throttles = self.throttles.saturating_add(1);
                if let Some(rate) = &mut self.rate {
                    *rate = (*rate / 2.0).max(SLOWEST);
                }
                wait
            }
            Pause::Unclear if self.tries + 1 >= UNCLEAR_TRIES => {
                self.tries = 0;
                self.settled = None;
                return Verdict::Done(Outcome::Refused(refusal));
            }
            Pause::Transient | Pause::Unclear => {
                let wait = TRANSIENT[self.tries.min(TRANSIENT.len() - 1)];
                self.tries += 1;
                wait
            }
        };
        self.not_before = Some(now + wait);
        Verdict::Again(Some(refusal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::SmscId;

    const FIRST: Sequence = Sequence::FIRST;

    fn courier(in_doubt: InDoubt) -> Courier {
        Courier::new(Manner {
            in_doubt,
            throughput: None,
        })
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    fn again(pause: Pause) -> SubmitAnswer {
        SubmitAnswer::TryAgain {
            pause,
            refusal: Refusal::new(Some(0x58), "throttled"),
        }
    }

    #[test]
    fn one_message_at_a_time() {
        let mut courier = courier(InDoubt::Resend);
        assert_eq!(courier.next(at(0), Some(FIRST), None), Step::Offer(FIRST));
        assert_eq!(
            courier.next(at(0), Some(FIRST), Some(FIRST)),
            Step::Wait(None)
        );
        let done = courier.answered(at(1), SubmitAnswer::Accepted(SmscId::NONE));
        assert_eq!(done, Verdict::Done(Outcome::Accepted(SmscId::NONE)));
        let second = Sequence::new(2);
        assert_eq!(courier.next(at(1), Some(second), None), Step::Offer(second));
    }

    #[test]
    fn throttling_pauses_longer_and_longer_and_is_no_doubt() {
        let mut courier = courier(InDoubt::Drop);
        let mut now = at(0);
        for expected in [1, 2, 4, 8, 16, 30, 30] {
            assert_eq!(
                courier.next(now, Some(FIRST), Some(FIRST).filter(|_| now > at(0))),
                Step::Offer(FIRST)
            );
            assert!(matches!(
                courier.answered(now, again(Pause::Throttled)),
                Verdict::Again(Some(_))
            ));
            let until = now + Duration::from_secs(expected);
            assert_eq!(
                courier.next(now, Some(FIRST), Some(FIRST)),
                Step::Wait(Some(until))
            );
            now = until;
        }
    }

    #[test]
    fn an_unclear_code_is_tried_three_times() {
        let mut courier = courier(InDoubt::Resend);
        let mut now = at(0);
        for attempt in 1..=3 {
            assert_eq!(courier.next(now, Some(FIRST), None), Step::Offer(FIRST));
            let verdict = courier.answered(now, again(Pause::Unclear));
            assert_eq!(
                matches!(verdict, Verdict::Done(Outcome::Refused(_))),
                attempt == 3
            );
            now = now + Duration::from_secs(1000);
        }
    }

    #[test]
    fn a_message_in_doubt_goes_by_policy() {
        for (policy, expected) in [
            (InDoubt::Resend, Step::Offer(FIRST)),
            (InDoubt::Hold, Step::Wait(None)),
            (InDoubt::Drop, Step::GiveUp(FIRST)),
        ] {
            // After a crash.
            let mut fresh = courier(policy);
            assert_eq!(fresh.next(at(0), Some(FIRST), Some(FIRST)), expected);
            // After a lost answer.
            let mut courier = courier(policy);
            assert_eq!(courier.next(at(0), Some(FIRST), None), Step::Offer(FIRST));
            assert_eq!(
                courier.answered(at(1), SubmitAnswer::InDoubt),
                Verdict::InDoubt
            );
            assert_eq!(courier.next(at(2), Some(FIRST), Some(FIRST)), expected);
        }
    }

    #[test]
    fn a_held_message_waits_for_an_operator() {
        let mut courier = courier(InDoubt::Hold);
        courier.next(at(0), Some(FIRST), Some(FIRST));
        assert_eq!(courier.held(), Some(FIRST));
        assert!(courier.resend_held());
        assert_eq!(
            courier.next(at(0), Some(FIRST), Some(FIRST)),
            Step::Offer(FIRST)
        );
        courier.answered(at(0), SubmitAnswer::InDoubt);
        courier.next(at(0), Some(FIRST), Some(FIRST));
        assert_eq!(courier.drop_held(), Some(FIRST));
    }

    #[test]
    fn the_ceiling_is_kept_and_adapted() {
        let mut courier = Courier::new(Manner {
            in_doubt: InDoubt::Resend,
            throughput: Some(10.0),
        });
        assert_eq!(courier.next(at(0), Some(FIRST), None), Step::Offer(FIRST));
        courier.answered(at(0), SubmitAnswer::Accepted(SmscId::NONE));
        let second = Sequence::new(2);
        let tenth = Moment::from_micros(100_000);
        assert_eq!(
            courier.next(at(0), Some(second), None),
            Step::Wait(Some(tenth))
        );
        assert_eq!(courier.next(tenth, Some(second), None), Step::Offer(second));
        courier.answered(tenth, again(Pause::Throttled));
        assert_eq!(courier.rate(), Some(5.0));
    }

    #[test]
    fn another_manner_counts_from_the_next_message_on() {
        let mut courier = courier(InDoubt::Hold);
        assert_eq!(courier.next(at(0), Some(FIRST), None), Step::Offer(FIRST));
        courier.change(Manner {
            in_doubt: InDoubt::Resend,
            throughput: Some(1.0),
        });
        courier.answered(at(0), SubmitAnswer::InDoubt);
        assert_eq!(
            courier.next(at(1), Some(FIRST), Some(FIRST)),
            Step::Offer(FIRST)
        );
        assert_eq!(courier.rate(), Some(1.0));
    }

    #[test]
    fn a_suspended_lane_offers_nothing() {
        let mut courier = courier(InDoubt::Resend);
        courier.suspend(true);
        assert_eq!(courier.next(at(0), Some(FIRST), None), Step::Wait(None));
        courier.suspend(false);
        assert_eq!(courier.next(at(0), Some(FIRST), None), Step::Offer(FIRST));
    }
}
