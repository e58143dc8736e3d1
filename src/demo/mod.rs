//! What Sluice promises, tried out on this machine by the real program.
//!
//! [`exercise`] moves messages round rings and tells each step that was acknowledged; [`promises`] keeps what was told
//! and compares it with what a ring file holds; [`prey`] runs the one as a process and kills it; [`story`] makes a
//! demonstration of it. The torture test uses the same three. [`appliance`] is the whole of it, from phone to inbox.

pub mod appliance;
pub mod chance;
pub mod contents;
pub mod exercise;
pub mod prey;
pub mod promises;
pub mod story;

use std::io;

use crate::lane::{RingName, Sequence};
use crate::ring::{Misstep, RingError, StoreError};

/// Why an exercise or a demonstration came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The ring file cannot be used.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// A ring does not take messages.
    #[error("ring {ring}: {why}")]
    Store {
        /// Which one.
        ring: RingName,
        /// Why not.
        why: StoreError,
    },
    /// The file takes nothing more.
    #[error("{0}")]
    File(StoreError),
    /// A ring gave out a number that was not its next.
    #[error("ring {ring} gave number {given} to message {expected}")]
    Number {
        /// Which one.
        ring: RingName,
        /// The number it gave.
        given: Sequence,
        /// The number it should have given.
        expected: Sequence,
    },
    /// The line that tells of a step could not be written.
    #[error("writing the output failed: {0}")]
    Telling(io::Error),
    /// Something around the exercise failed.
    #[error("{doing} failed: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// The process ended before it was killed.
    #[error("the exercise ended by itself: {0}")]
    Ended(String),
    /// What was acknowledged is not there, or is not what it was.
    #[error("{count} promises were broken, the first: {first}; the files are kept in {kept}")]
    Broken {
        /// How many.
        count: usize,
        /// The first of them.
        first: String,
        /// Where to look.
        kept: String,
    },
}

impl DemoError {
    fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    fn misstep(ring: &RingName) -> impl Fn(Misstep) -> Self {
        let ring = ring.clone();
        move |why| Self::Store {
            ring: ring.clone(),
            why: why.into(),
        }
    }
}
