//! Why connections end and rings are refused: as octets, and in sentences for operators.

use std::fmt;

use crate::lane::Epoch;
use crate::ring::page::Fence;

/// How [`Reason::Replaced`] reads, for those who look for it in words.
pub const REPLACED: &str = "another connection took over";

/// Why a connection ended. The words are for people, and name what was wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The program stops in order.
    Stopping,
    /// Another connection of the same pair took over.
    Replaced,
    /// No version that both know.
    Version(String),
    /// The far end is another than expected.
    Identity(String),
    /// A packet that nobody writes.
    Malformed(String),
    /// A claim that cannot be.
    Impossible(String),
    /// Nothing was heard.
    Silence(String),
    /// Messages cannot be stored.
    Storage(String),
    /// A reason that a later version may give.
    Other(u8, String),
}

impl Reason {
    /// The number it has in packets.
    pub const fn number(&self) -> u8 {
        match self {
            Self::Stopping => 1,
            Self::Replaced => 2,
            Self::Version(_) => 3,
            Self::Identity(_) => 4,
            Self::Malformed(_) => 5,
            Self::Impossible(_) => 6,
            Self::Silence(_) => 7,
            Self::Storage(_) => 8,
            Self::Other(number, _) => *number,
        }
    }

    /// What is said beyond the number.
    pub fn words(&self) -> &str {
        match self {
            Self::Stopping | Self::Replaced => "",
            Self::Version(words)
            | Self::Identity(words)
            | Self::Malformed(words)
            | Self::Impossible(words)
            | Self::Silence(words)
            | Self::Storage(words)
            | Self::Other(_, words) => words,
        }
    }

    pub(super) fn from_parts(number: u8, words: String) -> Self {
        match number {
            1 => Self::Stopping,
            2 => Self::Replaced,
            3 => Self::Version(words),
            4 => Self::Identity(words),
            5 => Self::Malformed(words),
            6 => Self::Impossible(words),
            7 => Self::Silence(words),
            8 => Self::Storage(words),
            other => Self::Other(other, words),
        }
    }

    /// Whether the far end answered and would not have us: then dialling again at once is of no use.
    pub const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Version(_) | Self::Identity(_) | Self::Malformed(_) | Self::Impossible(_)
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Stopping => "stopping in order",
            Self::Replaced => REPLACED,
            Self::Version(_) => "no common version",
            Self::Identity(_) => "another identity than expected",
            Self::Malformed(_) => "malformed packet",
            Self::Impossible(_) => "impossible claim",
            Self::Silence(_) => "silence",
            Self::Storage(_) => "messages cannot be stored",
            Self::Other(number, _) => return write!(f, "reason {number}: {}", self.words()),
        };
        f.write_str(what)?;
        match self.words() {
            "" => Ok(()),
            words => write!(f, ": {words}"),
        }
    }
}

/// Why one ring is refused on a connection; the others go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RingRefusal {
    /// The number: 1 unknown, 2 fenced, 3 another epoch, 4 of another edge, 5 same side, 6 storage failed.
    pub number: u8,
    /// The same for people.
    pub words: String,
}

/// A ring that does not take part in a connection, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shut {
    /// What is wrong.
    pub reason: ShutReason,
    /// Whether the far end found it.
    pub by_far_end: bool,
}

/// What keeps a ring out of a connection.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ShutReason {
    /// The other end has no such ring.
    #[error("the other end has no ring of this name; name it in the configuration there")]
    Unknown,
    /// It is fenced on disk.
    #[error("the ring is fenced: {0}")]
    Fenced(Fence),
    /// Two lives of one ring.
    #[error(
        "the epochs differ (here {ours}, there {theirs}): one end was made anew; \
         renew the other too with `sluice ring renew`"
    )]
    Epoch {
        /// Here.
        ours: Epoch,
        /// There.
        theirs: Epoch,
    },
    /// An edge named another edge's lane.
    #[error("the lane belongs to another edge than the one that asks for it")]
    Foreign,
    /// Both ends call themselves origin, or mirror.
    #[error("both ends have the same side of this ring")]
    SameSide,
    /// The store failed.
    #[error("the ring cannot store: {0}")]
    Storage(String),
    /// The far end refused it.
    #[error("the far end refused it: {0}")]
    Refused(String),
}

impl ShutReason {
    pub(super) fn refusal(&self) -> RingRefusal {
        let number = match self {
            Self::Unknown => 1,
            Self::Fenced(_) => 2,
            Self::Epoch { .. } => 3,
            Self::Foreign => 4,
            Self::SameSide => 5,
            Self::Storage(_) => 6,
            // Nothing new to the far end; it keeps its own reason.
            Self::Refused(_) => 2,
        };
        RingRefusal {
            number,
            words: super::wire::cut(&self.to_string()).to_owned(),
        }
    }
}
