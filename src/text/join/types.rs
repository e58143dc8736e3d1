//! What comes out of a joiner.

use bytes::Bytes;

use super::super::parts::{Reading, read_data};
use super::Reference;
use crate::message::{Coding, ShortMessage};
use crate::private::Private;

/// What stands in the text of a lapsed message for parts that are missing.
pub const GAP: &str = "[...]";

/// One part of a long message, and where its keeper has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part<T> {
    /// Its number, from 1.
    pub number: u8,
    /// As it arrived.
    pub message: ShortMessage,
    /// As it was given with the message.
    pub tag: T,
}

/// A long message with all its parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LongMessage<T> {
    reference: Reference,
    /// Two or more, by number, none missing.
    parts: Vec<Part<T>>,
}

impl<T> LongMessage<T> {
    pub(super) fn new(reference: Reference, parts: Vec<Part<T>>) -> Self {
        Self { reference, parts }
    }

    /// What its parts had in common.
    pub const fn reference(&self) -> Reference {
        self.reference
    }

    /// The parts by number.
    pub fn parts(&self) -> &[Part<T>] {
        &self.parts
    }

    /// The parts by number, given away.
    pub fn into_parts(self) -> Vec<Part<T>> {
        self.parts
    }

    /// The first part, whose sender, recipient and wishes stand for the whole.
    pub fn first(&self) -> &ShortMessage {
        &self.parts[0].message
    }

    /// The whole text. A pair that a careless sender tore between two parts is whole again.
    pub fn text(&self) -> Reading {
        text_of(&self.parts)
    }

    /// The whole data, if all parts have the same coding.
    pub fn data(&self) -> Option<(Coding, Bytes)> {
        let coding = self.first().body.coding();
        let same = |part: &Part<T>| part.message.body.coding() == coding;
        self.parts
            .iter()
            .all(same)
            .then(|| (coding, data_of(&self.parts).into()))
    }
}

/// Why a long message lapsed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LapseReason {
    /// No missing part came in time.
    TimedOut,
    /// There were too many parts or long messages, in all or of this sender, and this one waited longest.
    Crowded,
    /// A part of another long message with the same reference came.
    ReferenceReused,
}

/// A long message that is given up. Its parts are all that there is; they are to be shown as they are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lapsed<T> {
    /// What its parts had in common.
    pub reference: Reference,
    /// How many parts it should have.
    pub total: u8,
    /// The numbers of those that never came, in order.
    pub missing: Vec<u8>,
    /// Why it was given up.
    pub reason: LapseReason,
    /// Whether each part equals one of a long message with the same key that was complete shortly before: a late
    /// repetition by the network, in which nobody misses anything.
    pub echo: bool,
    /// Those that came, by number; at least one.
    pub parts: Vec<Part<T>>,
}

impl<T> Lapsed<T> {
    /// The first part that came, whose sender and recipient are those of the whole.
    pub fn first(&self) -> &ShortMessage {
        &self.parts[0].message
    }

    /// What there is of the text, with [`GAP`] wherever parts are missing.
    pub fn text(&self) -> Reading {
        let mut text = String::new();
        let mut certain = true;
        let mut next = 1;
        for run in self
            .parts
            .chunk_by(|one, other| other.number == one.number + 1)
        {
            if run[0].number != next {
                text.push_str(GAP);
            }
            let reading = text_of(run);
            certain &= reading.is_certain();
            text.push_str(reading.text().expose());
            next = run[run.len() - 1].number.saturating_add(1);
        }
        if self.missing.last() == Some(&self.total) {
            text.push_str(GAP);
        }
        reading(text, certain)
    }
}

/// What became of a message that was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Joined<T> {
    /// It is no part of a longer one.
    Single {
        /// As it was taken.
        message: ShortMessage,
        /// Its tag.
        tag: T,
    },
    /// It was the last missing part.
    Complete(LongMessage<T>),
    /// Its tag comes back later, with the others.
    Waiting,
    /// The joiner holds an equal part; this copy is not needed any more.
    Repeated {
        /// As it was taken.
        message: ShortMessage,
        /// Its tag.
        tag: T,
    },
}

/// Parts that follow one another, as one text. Neighbours of the same coding are decoded together.
fn text_of<T>(parts: &[Part<T>]) -> Reading {
    let coding = |part: &Part<T>| part.message.body.coding();
    let mut text = String::new();
    let mut certain = true;
    for run in parts.chunk_by(|one, other| coding(one) == coding(other)) {
        let reading = read_data(coding(&run[0]), &data_of(run));
        certain &= reading.is_certain();
        text.push_str(reading.text().expose());
    }
    reading(text, certain)
}

fn reading(text: String, certain: bool) -> Reading {
    if certain {
        Reading::Text(Private::new(text))
    } else {
        Reading::Guess(Private::new(text))
    }
}

fn data_of<T>(parts: &[Part<T>]) -> Vec<u8> {
    let data: Vec<&[u8]> = parts
        .iter()
        .map(|part| &part.message.body.data()[..])
        .collect();
    data.concat()
}
