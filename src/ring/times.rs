//! When what happened to the messages of a ring, for people who ask after one. It is kept in memory, by address, until the
//! next message comes there; a restart forgets it, and nothing rests on it.

use super::marks::Mark;
use crate::clock::WallTime;
use crate::lane::{SLOTS, Sequence};

/// When what happened to one message at this end. What happened before the last start is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Times {
    /// It was durable here.
    pub stored: Option<WallTime>,
    /// It was put on the link; at an origin.
    pub sent: Option<WallTime>,
    /// The far end said that it is durable there; at an origin.
    pub confirmed: Option<WallTime>,
    /// It was offered to the SMSC; at the mirror of an edge.
    pub offered: Option<WallTime>,
    /// It was passed on here, or the far end said that it was.
    pub processed: Option<WallTime>,
}

/// The times of a ring's messages.
pub(super) struct Timetable(Box<[(Sequence, Times)]>);

impl Default for Timetable {
    fn default() -> Self {
        Self(vec![(Sequence::NONE, Times::default()); SLOTS as usize].into())
    }
}

impl Timetable {
    /// The times of a message, to be filled in; those of its address's former message are forgotten.
    pub(super) fn of(&mut self, sequence: Sequence) -> &mut Times {
        let entry = &mut self.0[sequence.address().index()];
        if entry.0 != sequence {
            *entry = (sequence, Times::default());
        }
        &mut entry.1
    }

    /// What is known of a message.
    pub(super) fn get(&self, sequence: Sequence) -> Option<Times> {
        if sequence.is_none() {
            return None;
        }
        let (of, times) = &self.0[sequence.address().index()];
        (*of == sequence).then_some(*times)
    }

    /// All up to here that the mark did not have before.
    pub(super) fn confirmed_up_to(&mut self, before: &Mark, sequence: Sequence, now: WallTime) {
        let first = before.up_to().get() + 1;
        for number in first..=sequence.get() {
            let sequence = Sequence::new(number);
            if !before.has(sequence) {
                self.of(sequence).confirmed = Some(now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_one_message_and_gone_with_the_next_at_its_address() {
        let mut table = Timetable::default();
        let (first, next) = (Sequence::new(7), Sequence::new(7 + SLOTS));
        let at = WallTime::from_unix_ms;
        assert_eq!(table.get(first), None);
        table.of(first).sent = Some(at(1));
        table.confirmed_up_to(&Mark::default(), Sequence::new(8), at(2));
        let known = table.get(first).unwrap();
        assert_eq!((known.sent, known.confirmed), (Some(at(1)), Some(at(2))));
        assert_eq!(table.get(next), None);
        table.of(next).stored = Some(at(3));
        assert_eq!(table.get(first), None);
        assert_eq!(table.get(next).unwrap().sent, None);
    }

    #[test]
    fn what_was_confirmed_ahead_keeps_its_time() {
        let mut table = Timetable::default();
        let at = WallTime::from_unix_ms;
        let mut before = Mark::default();
        before.set(Sequence::new(2));
        table.of(Sequence::new(2)).confirmed = Some(at(1));
        table.confirmed_up_to(&before, Sequence::new(3), at(5));
        let confirmed = |number| table.get(Sequence::new(number)).unwrap().confirmed;
        assert_eq!(
            [confirmed(1), confirmed(2), confirmed(3)],
            [Some(at(5)), Some(at(1)), Some(at(5))]
        );
    }
}
