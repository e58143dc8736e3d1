//! Parts of long messages, joined again.
//!
//! A part waits for the others under its key: sender, recipient, reference, its width, number of parts. What can happen
//! to a message that comes in:
//!
//! | it is | and | then |
//! |---|---|---|
//! | no part, or part 1 of 1 | | [`Joined::Single`] |
//! | a part | its key is not open | a long message is opened: [`Joined::Waiting`] |
//! | a part | its number is missing in the open one | it is added; the last missing one makes it [`Joined::Complete`] |
//! | a part | its number is there with an equal body | [`Joined::Repeated`]; the first copy stays |
//! | a part | its number is there with another body | the reference was used again: the open one lapses, the part opens a new one |
//!
//! What is open lapses when no new part came for the joiner's patience, or when there is too much of it; it comes out of
//! [`Joiner::poll_lapsed`] with what is missing. Nothing is dropped.

mod room;
mod types;

pub use room::{MAX_HELD_PARTS, MAX_OPEN, MAX_OPEN_OF_SENDER};
pub use types::{GAP, Joined, LapseReason, Lapsed, LongMessage, Part};

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use super::Reference;
use crate::clock::Moment;
use crate::message::{Party, ShortMessage};
use room::Echoes;

/// What the parts of one long message have in common.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    sender: Party,
    recipient: Party,
    reference: Reference,
    total: u8,
}

/// Numbers the long messages by when they last got a part; the lowest one is the next to lapse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Ticket(u64);

/// A long message that is not complete.
struct Open<T> {
    key: Key,
    /// By number; never empty, never all.
    parts: BTreeMap<u8, Part<T>>,
    /// When the last part was added.
    touched: Moment,
    /// Whether each part so far equals that of a long message under this key that was complete a short while ago.
    echo: bool,
}

impl<T> Open<T> {
    fn missing(&self) -> Vec<u8> {
        (1..=self.key.total)
            .filter(|number| !self.parts.contains_key(number))
            .collect()
    }
}

/// Joins parts that come in any order, twice or never.
///
/// Each part comes with a tag, by which the caller knows where it is kept: the entry of a ring, the key of a store.
/// The joiner gives back every tag exactly once. **The joiner keeps nothing**: what it holds is gone after a crash. So
/// the caller keeps a part in durable storage until its tag has come back, and feeds what it kept to a new joiner, in
/// the old order. Each kept part is fed once; a copy under another tag is a repetition, and comes back as one.
///
/// The entries of a ring are not a good place to wait in for long: a part whose entry is not processed holds up the
/// ring's pointer, and the ring stands still 255 messages later. A consumer with a store of its own moves the parts
/// there, marks their entries processed, and uses the store's keys as tags.
///
/// After each call, drain [`Joiner::poll_lapsed`]; when [`Joiner::poll_timeout`] is due, call
/// [`Joiner::handle_timeout`].
pub struct Joiner<T> {
    patience: Duration,
    /// In the order in which they lapse. Each has its ticket in `tickets` under its key, and there is no other.
    open: BTreeMap<Ticket, Open<T>>,
    tickets: HashMap<Key, Ticket>,
    next_ticket: u64,
    /// How many parts all of `open` hold.
    held: usize,
    echoes: Echoes,
    lapsed: VecDeque<Lapsed<T>>,
}

impl<T> Joiner<T> {
    /// A joiner that holds nothing. A long message lapses when none of its missing parts came for `patience`; networks
    /// repeat a part for hours when the phone that sends it loses its cell.
    pub fn new(patience: Duration) -> Self {
        Self {
            patience,
            open: BTreeMap::new(),
            tickets: HashMap::new(),
            next_ticket: 0,
            held: 0,
            echoes: Echoes::default(),
            lapsed: VecDeque::new(),
        }
    }

    /// Takes a message. What is too old by now lapses first.
    pub fn take(&mut self, now: Moment, message: ShortMessage, tag: T) -> Joined<T> {
        self.handle_timeout(now);
        let concat = message.body.header().as_concat();
        let Some(concat) = concat.filter(|concat| concat.total > 1) else {
            return Joined::Single { message, tag };
        };
        let key = Key {
            sender: message.sender.clone(),
            recipient: message.recipient.clone(),
            reference: Reference::of(concat),
            total: concat.total,
        };
        let part = Part {
            number: concat.part,
            message,
            tag,
        };
        if let Some(held) = self.part(&key, part.number) {
            if held.message.body == part.message.body {
                return Joined::Repeated {
                    message: part.message,
                    tag: part.tag,
                };
            }
            self.lapse(self.tickets[&key], LapseReason::ReferenceReused);
        }
        let mut open = match self.tickets.get(&key).copied() {
            Some(ticket) => self.close(ticket),
            None => {
                self.make_room_for_sender(&key.sender);
                Open {
                    echo: true,
                    key,
                    parts: BTreeMap::new(),
                    touched: now,
                }
            }
        };
        open.touched = now;
        open.echo &= self.echoes.has(&open.key, &part);
        open.parts.insert(part.number, part);
        if open.parts.len() == usize::from(open.key.total) {
            self.echoes.remember(now, &open);
            return Joined::Complete(LongMessage::new(
                open.key.reference,
                open.parts.into_values().collect(),
            ));
        }
        self.reopen(open);
        self.make_room();
        Joined::Waiting
    }

    /// Lets lapse what waited too long. Too early a call does no harm.
    pub fn handle_timeout(&mut self, now: Moment) {
        while let Some(oldest) = self.open.first_entry()
            && oldest.get().touched + self.patience <= now
        {
            let ticket = *oldest.key();
            self.lapse(ticket, LapseReason::TimedOut);
        }
        self.echoes.forget(now, self.patience);
    }

    /// When the next long message lapses; `None` if nothing waits.
    pub fn poll_timeout(&self) -> Option<Moment> {
        let (_, oldest) = self.open.first_key_value()?;
        Some(oldest.touched + self.patience)
    }

    /// The next long message that lapsed.
    pub fn poll_lapsed(&mut self) -> Option<Lapsed<T>> {
        self.lapsed.pop_front()
    }

    /// How many long messages wait for parts.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// How many parts they hold.
    pub const fn held_parts(&self) -> usize {
        self.held
    }

    fn part(&self, key: &Key, number: u8) -> Option<&Part<T>> {
        let open = self.open.get(self.tickets.get(key)?)?;
        open.parts.get(&number)
    }

    /// Takes an open long message out.
    fn close(&mut self, ticket: Ticket) -> Open<T> {
        let open = self
            .open
            .remove(&ticket)
            .expect("a ticket belongs to an open long message");
        self.tickets.remove(&open.key);
        self.held -= open.parts.len();
        open
    }

    /// Puts it back as the youngest.
    fn reopen(&mut self, open: Open<T>) {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.held += open.parts.len();
        self.tickets.insert(open.key.clone(), ticket);
        self.open.insert(ticket, open);
    }

    fn lapse(&mut self, ticket: Ticket, reason: LapseReason) {
        let open = self.close(ticket);
        self.lapsed.push_back(Lapsed {
            reference: open.key.reference,
            total: open.key.total,
            missing: open.missing(),
            reason,
            echo: open.echo,
            parts: open.parts.into_values().collect(),
        });
    }
}

#[cfg(test)]
mod tests;
