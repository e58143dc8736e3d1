//! How a message for the SMSC ended: what *Processed* carries back to its origin.

use std::fmt;

use super::SmscId;

/// Why a message will never go.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// The SMSC's code in its own protocol; `None` if it never came to the SMSC.
    pub code: Option<u32>,
    /// The SMSC's text, or ours; at most [`Refusal::MAX_TEXT`] octets.
    text: String,
}

impl Refusal {
    /// Longest text that is kept: CIMD2's longest error text.
    pub const MAX_TEXT: usize = 64;

    /// A refusal; the text is cut at a character's border if it is too long.
    pub fn new(code: Option<u32>, text: &str) -> Self {
        let mut end = text.len().min(Self::MAX_TEXT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        Self {
            code,
            text: text[..end].into(),
        }
    }

    /// The reason in words.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refusal({:?}, {:?})", self.code, self.text)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "{code} {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// How a message ended at the far end of its way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// Passed on: the SMSC accepted it under this name, or the inbox has it (then without a name).
    Accepted(SmscId),
    /// It will never go, and why.
    Refused(Refusal),
    /// Its validity ended before it could be passed on.
    Expired,
    /// It may or may not have been accepted, and the operator's policy is not to offer it again.
    Doubtful,
    /// Damaged at both ends; declared lost by name.
    Lost,
}

impl Outcome {
    /// The number it has in ring slots and on the link.
    pub const fn number(&self) -> u8 {
        match self {
            Self::Accepted(_) => 1,
            Self::Refused(_) => 2,
            Self::Expired => 3,
            Self::Doubtful => 4,
            Self::Lost => 5,
        }
    }

    /// In one word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Refused(_) => "refused",
            Self::Expired => "expired",
            Self::Doubtful => "doubtful",
            Self::Lost => "lost",
        }
    }
}
