//! What a link's owner does for it.

use std::fmt;
use std::future::Future;

use crate::lane::{RingName, Sequence};
use crate::message::Outcome;
use crate::ring::Ring;

/// The owner of a link's rings, as the link sees it.
pub trait Keeper: Send + Sync + 'static {
    /// Keeps how these messages of an origin ended, durably: when it returns, their slots become free and the mirror
    /// forgets. Until then the ring still holds the messages themselves.
    ///
    /// - A batch holds what came since the last one of the same ring; of one ring there is one call at a time on a
    ///   connection. Order within a batch is that of arrival, which may be any.
    /// - The same outcome may come again: after a crash, and when a connection takes over from another one. The key
    ///   is (ring, epoch, sequence); the epoch is that of [`Ring::look`].
    /// - If it fails, it is called again with the same batch a second later. An owner that can wait inside may.
    /// - The future may be dropped when the connection ends; the batch then comes again on the next one.
    fn keep(
        &self,
        ring: &Ring,
        told: &[(Sequence, Outcome)],
    ) -> impl Future<Output = Result<(), String>> + Send;

    /// Something that a human must look at. It is in the log already; here it is for the owner's alarms and counters.
    /// Returns at once.
    fn alarm(&self, alarm: Alarm) {
        let _logged = alarm;
    }
}

/// What a human must look at.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Alarm {
    /// No copy of this message is left at either end. Its slot becomes free by itself.
    Lost {
        /// Where it lay.
        ring: RingName,
        /// Its number.
        sequence: Sequence,
    },
    /// A message came over the link that does not fit its checksum. It was not stored; the origin will send it again.
    BadChecksum {
        /// Where it belongs.
        ring: RingName,
        /// Its number.
        sequence: Sequence,
    },
    /// This ring does not take part in the connection; the others do.
    Shut {
        /// Which.
        ring: RingName,
        /// Why, in words.
        why: String,
    },
    /// Messages could not be stored, or outcomes not be kept.
    NotKept {
        /// Of which ring.
        ring: RingName,
        /// Why, in words.
        why: String,
    },
    /// One end refused the other: certificate, identity, version; or cut it off for a claim that cannot be.
    Refused {
        /// Why, in words that name who refused whom.
        why: String,
    },
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { ring, sequence } => write!(
                f,
                "{ring}: message {sequence} (address {}) is lost: no copy is left at either end",
                sequence.address()
            ),
            Self::BadChecksum { ring, sequence } => write!(
                f,
                "{ring}: message {sequence} came damaged and was not stored; it will come again"
            ),
            Self::Shut { ring, why } => write!(f, "{ring} does not take part in the link: {why}"),
            Self::NotKept { ring, why } => write!(f, "{ring}: {why}"),
            Self::Refused { why } => f.write_str(why),
        }
    }
}
