//! What bounds a joiner, and its short memory of what was complete.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::time::Duration;

use super::super::MAX_PARTS;
use super::{Joiner, Key, LapseReason, Open, Part, Ticket};
use crate::clock::Moment;
use crate::message::Party;

/// How many long messages may wait for parts. Parts of one message mostly follow each other within seconds, so what is
/// open for longer has lost one; a healthy network does not leave a thousand such within hours. It is few enough to
/// look through all of them when a new one is opened.
pub const MAX_OPEN: usize = 1024;

/// How many of them may be from one sender: whoever sends beginnings only pushes out at most a quarter of the others.
pub const MAX_OPEN_OF_SENDER: usize = MAX_OPEN / 4;

/// How many parts may wait in all. A part holds on to no more than the 4,096 octets of the slot that it was read from,
/// so this is 32 MiB at the worst. It must be more than one long message can have.
pub const MAX_HELD_PARTS: usize = 8192;

const _: () = assert!(MAX_HELD_PARTS > MAX_PARTS && MAX_OPEN_OF_SENDER > 0);

impl<T> Joiner<T> {
    /// Lets the oldest lapse until the limits are kept. The youngest alone is always within them.
    pub(super) fn make_room(&mut self) {
        while self.open.len() > MAX_OPEN || self.held > MAX_HELD_PARTS {
            let (&oldest, _) = self
                .open
                .first_key_value()
                .expect("what is too much is not empty");
            self.lapse(oldest, LapseReason::Crowded);
        }
    }

    /// Lets the sender's own oldest lapse if it has as many as it may have.
    pub(super) fn make_room_for_sender(&mut self, sender: &Party) {
        let mut count = 0;
        let mut oldest: Option<Ticket> = None;
        for (&ticket, open) in &self.open {
            if open.key.sender == *sender {
                count += 1;
                oldest = oldest.or(Some(ticket));
            }
        }
        if let Some(oldest) = oldest.filter(|_| count >= MAX_OPEN_OF_SENDER) {
            self.lapse(oldest, LapseReason::Crowded);
        }
    }
}

/// Long messages that were complete a short while ago, so that late repetitions of their parts can be told from parts
/// of new ones. It only explains what lapses: nothing is held back because of it.
#[derive(Default)]
pub(super) struct Echoes {
    complete: HashMap<Key, Complete>,
    /// Keys by the time of their completion; one that was complete again stands twice.
    by_age: VecDeque<(Moment, Key)>,
}

struct Complete {
    at: Moment,
    /// Digests of the bodies, by number of part less one. They are of 64 bits and not secure: all that a sender can win
    /// with an equal one is that a fragment of its own is taken for an echo.
    digests: Vec<u64>,
}

impl Echoes {
    /// Whether this part is among those of a message that was complete.
    pub(super) fn has<T>(&self, key: &Key, part: &Part<T>) -> bool {
        self.complete.get(key).is_some_and(|complete| {
            complete.digests.get(usize::from(part.number) - 1) == Some(&digest(part))
        })
    }

    /// A message with all its parts.
    pub(super) fn remember<T>(&mut self, now: Moment, whole: &Open<T>) {
        let digests = whole.parts.values().map(digest).collect();
        self.complete
            .insert(whole.key.clone(), Complete { at: now, digests });
        self.by_age.push_back((now, whole.key.clone()));
        while self.by_age.len() > MAX_OPEN {
            self.forget_oldest();
        }
    }

    /// What is older than `patience` is no longer expected to be repeated.
    pub(super) fn forget(&mut self, now: Moment, patience: Duration) {
        while self
            .by_age
            .front()
            .is_some_and(|&(at, _)| at + patience <= now)
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((at, key)) = self.by_age.pop_front()
            && self
                .complete
                .get(&key)
                .is_some_and(|complete| complete.at == at)
        {
            self.complete.remove(&key);
        }
    }
}

fn digest<T>(part: &Part<T>) -> u64 {
    let mut hasher = DefaultHasher::new();
    part.message.body.hash(&mut hasher);
    hasher.finish()
}
