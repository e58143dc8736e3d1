//! The steps of messages that are durable already: flags that are set and pointers that follow, each with its time. They go
//! into the live record at once and into the file with what is written next.

use super::{Body, Ring};
use crate::clock::WallTime;
use crate::lane::Sequence;
use crate::message::Outcome;
use crate::ring::array::{Array, Misstep};
use crate::ring::times::Times;

impl Ring {
    /// Changes the array, and notes when.
    pub(super) fn change<T>(
        &self,
        step: impl FnOnce(&mut Array) -> Result<T, Misstep>,
        note: impl FnOnce(&mut Body, &T, WallTime),
    ) -> Result<T, Misstep> {
        let mut body = self.shared.body();
        let done = step(&mut body.unfenced()?.array)?;
        note(&mut body, &done, self.shared.clock.wall());
        self.tell(body);
        Ok(done)
    }

    /// A step for each of these; whoever waits for a change hears of all at once.
    fn change_all<S>(
        &self,
        steps: impl IntoIterator<Item = S>,
        step: impl Fn(&mut Body, S, WallTime) -> Result<(), Misstep>,
    ) -> Result<(), Misstep> {
        let mut body = self.shared.body();
        let now = self.shared.clock.wall();
        let body_now = body.unfenced()?;
        let done = steps
            .into_iter()
            .try_for_each(|one| step(body_now, one, now));
        self.tell(body);
        done
    }

    /// *Sent*: it was put on the link.
    pub fn mark_sent(&self, sequence: Sequence) -> Result<bool, Misstep> {
        let note = |body: &mut Body, fresh: &bool, now| {
            if *fresh {
                body.times.of(sequence).sent = Some(now);
            }
        };
        self.change(|array| array.mark_sent(sequence), note)
    }

    /// *Sent*, for all of these, at the price of one. The first that cannot be is the last that is tried.
    pub fn mark_all_sent(&self, sequences: &[Sequence]) -> Result<(), Misstep> {
        self.change_all(sequences, |body, &sequence, now| {
            if body.array.mark_sent(sequence)? {
                body.times.of(sequence).sent = Some(now);
            }
            Ok(())
        })
    }

    /// *Confirmed*: the far end has it durably.
    pub fn confirm(&self, sequence: Sequence) -> Result<bool, Misstep> {
        let note = |body: &mut Body, fresh: &bool, now| {
            if *fresh {
                body.times.of(sequence).confirmed = Some(now);
            }
        };
        self.change(|array| array.confirm(sequence), note)
    }

    /// *Confirmed*, for all up to here.
    pub fn confirm_up_to(&self, sequence: Sequence) -> Result<(), Misstep> {
        let confirm = |array: &mut Array| {
            let before = array.marks().confirmed;
            array.confirm_up_to(sequence).map(|()| before)
        };
        self.change(confirm, |body, before, now| {
            body.times.confirmed_up_to(before, sequence, now);
        })?;
        Ok(())
    }

    /// *Processed*: it was passed on at the far end.
    pub fn process(&self, sequence: Sequence) -> Result<bool, Misstep> {
        let note = |body: &mut Body, fresh: &bool, now| {
            if *fresh {
                body.times.of(sequence).processed = Some(now);
            }
        };
        self.change(|array| array.process(sequence), note)
    }

    /// Origin: *processed*, for all of these, at the price of one. The first that cannot be is the last that is tried. How
    /// they ended at the far end their owner has kept; here it is remembered, if it is known, until the next message comes
    /// to the address or the process ends, for those who look.
    pub fn process_all(&self, ended: Vec<(Sequence, Option<Outcome>)>) -> Result<(), Misstep> {
        self.change_all(ended, |body, (sequence, outcome), now| {
            if body.array.process(sequence)? {
                body.times.of(sequence).processed = Some(now);
                let place = &mut body.outcomes[sequence.address().index()];
                *place = outcome.map(|outcome| (sequence, outcome));
            }
            Ok(())
        })
    }

    /// *Processed*, for all up to here.
    pub fn process_up_to(&self, sequence: Sequence) -> Result<(), Misstep> {
        self.change(|array| array.process_up_to(sequence), |_, (), _| {})
    }

    /// When what happened to a message at this end, as far as it happened since the start and no other came to its address.
    pub fn times(&self, sequence: Sequence) -> Option<Times> {
        self.shared.body().times.get(sequence)
    }
}
