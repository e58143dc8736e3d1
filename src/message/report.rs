//! Reports: what the SMSC later says of a message's fate (G18).

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Party, Refused};

/// Longest message id that an SMSC may give, in octets: SMPP's C65 without its NUL.
pub const MAX_SMSC_ID: usize = 64;

/// Under which name the SMSC knows a message. SMPP: its message_id as received. CIMD2 has none; there it is the
/// destination and the time stamp of the submit's answer, written `destination/time stamp`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SmscId(Bytes);

impl SmscId {
    /// No name: the SMSC accepted and gave none, so no report can be matched.
    pub const NONE: Self = Self(Bytes::new());

    /// From octets as received.
    pub fn new(octets: Bytes) -> Result<Self, Refused> {
        if octets.len() > MAX_SMSC_ID {
            return Err(Refused::new(
                "message id",
                format!("has {} octets; {MAX_SMSC_ID} are allowed", octets.len()),
            ));
        }
        Ok(Self(octets))
    }

    /// The octets as received.
    pub const fn octets(&self) -> &Bytes {
        &self.0
    }

    /// Whether the SMSC gave no name.
    pub const fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for SmscId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for SmscId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A CIMD2 name holds a subscriber's number.
        write!(f, "<id of {} octets>", self.0.len())
    }
}

/// How far a message has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ReportState {
    /// On its way.
    EnRoute,
    /// The phone has it.
    Delivered,
    /// Its validity ended first.
    Expired,
    /// Taken out by its sender or an operator.
    Deleted,
    /// The phone cannot be reached, for good.
    Undeliverable,
    /// Taken by somebody for the phone.
    Accepted,
    /// The SMSC does not know.
    Unknown,
    /// Refused on the way.
    Rejected,
}

impl ReportState {
    /// The number it has in ring slots and on the link: SMPP's message_state.
    pub const fn number(self) -> u8 {
        match self {
            Self::EnRoute => 1,
            Self::Delivered => 2,
            Self::Expired => 3,
            Self::Deleted => 4,
            Self::Undeliverable => 5,
            Self::Accepted => 6,
            Self::Unknown => 7,
            Self::Rejected => 8,
        }
    }

    /// The state of a number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::EnRoute),
            2 => Some(Self::Delivered),
            3 => Some(Self::Expired),
            4 => Some(Self::Deleted),
            5 => Some(Self::Undeliverable),
            6 => Some(Self::Accepted),
            7 => Some(Self::Unknown),
            8 => Some(Self::Rejected),
            _ => None,
        }
    }

    /// Whether nothing else is to come.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Delivered
            | Self::Expired
            | Self::Deleted
            | Self::Undeliverable
            | Self::Rejected => true,
            Self::EnRoute | Self::Accepted | Self::Unknown => false,
        }
    }
}

/// What a report says of the phone itself, beside its message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhoneNews {
    /// It took a message.
    Reached,
    /// It is switched off.
    Off,
    /// It is not in the network, or nobody answers there.
    Absent,
}

impl PhoneNews {
    /// The number it has in ring slots and on the link.
    pub const fn number(self) -> u8 {
        match self {
            Self::Reached => 1,
            Self::Off => 2,
            Self::Absent => 3,
        }
    }

    /// The news of a number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Reached),
            2 => Some(Self::Off),
            3 => Some(Self::Absent),
            _ => None,
        }
    }
}

/// The SMSC's word on a message that it had accepted. Fields that the SMSC left out are empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Which message.
    pub id: SmscId,
    /// Who had written it, as far as the SMSC says.
    pub sender: Option<Party>,
    /// Who was to read it, as far as the SMSC says.
    pub recipient: Option<Party>,
    /// How far it has come.
    pub state: ReportState,
    /// The network's reason, as the protocol numbers it.
    pub error: Option<u32>,
    /// What it says of the phone, if anything; sorted where the protocol is known.
    pub phone: Option<PhoneNews>,
    /// When that was, as the SMSC writes it (its local time).
    pub done_at: Bytes,
    /// The report's own text as received, raw.
    pub text: Bytes,
}
