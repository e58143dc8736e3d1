//! The choices that a carrier's account has.

use serde::Deserialize;

use crate::message::{PhoneNews, ReportState};

/// What a session is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BindKind {
    /// It submits and receives.
    Transceiver,
    /// It submits; deliveries come on a receiver.
    Transmitter,
    /// It receives; submits go on a transmitter.
    Receiver,
}

impl BindKind {
    /// Whether messages may be submitted on it.
    pub const fn submits(self) -> bool {
        matches!(self, Self::Transceiver | Self::Transmitter)
    }

    /// Whether the SMSC may deliver on it.
    pub const fn receives(self) -> bool {
        matches!(self, Self::Transceiver | Self::Receiver)
    }
}

/// A version of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Version {
    #[serde(rename = "3.3")]
    V3_3,
    #[serde(rename = "3.4")]
    V3_4,
    #[serde(rename = "5.0")]
    V5_0,
}

/// What becomes of a text that the SMSC's default alphabet does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unmappable {
    /// It goes as UCS-2.
    Ucs2,
    /// It is refused.
    Refuse,
}

/// How parts of long messages are marked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConcatForm {
    /// By a user data header before the text.
    Udh,
    /// By the sar TLVs, where the header says nothing else and the SMSC takes TLVs; else by the header.
    Sar,
}

/// What becomes of a message that one SMS cannot carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Oversize {
    /// It goes in message_payload, and the SMSC cuts it; refused if the SMSC takes no TLVs.
    Payload,
    /// It is refused.
    Refuse,
}

/// Whether TLVs are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlvUse {
    /// If the SMSC said that it speaks 3.4 or later.
    Auto,
    /// Whatever it said.
    Always,
    /// Not at all.
    Never,
}

/// Type of number and numbering plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbering {
    /// Type of number.
    pub ton: u8,
    /// Numbering plan.
    pub npi: u8,
}

/// A state in a receipt, as configuration names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they are those of the report")]
pub enum State {
    EnRoute,
    Delivered,
    Expired,
    Deleted,
    Undeliverable,
    Accepted,
    Unknown,
    Rejected,
}

impl From<State> for ReportState {
    fn from(state: State) -> Self {
        match state {
            State::EnRoute => Self::EnRoute,
            State::Delivered => Self::Delivered,
            State::Expired => Self::Expired,
            State::Deleted => Self::Deleted,
            State::Undeliverable => Self::Undeliverable,
            State::Accepted => Self::Accepted,
            State::Unknown => Self::Unknown,
            State::Rejected => Self::Rejected,
        }
    }
}

/// What a reason in a receipt says of the phone, as configuration names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhoneMeaning {
    /// It is switched off.
    Off,
    /// It is not in the network, or nobody answers there.
    Absent,
    /// It is there.
    Reachable,
    /// Nothing.
    Nothing,
}

impl PhoneMeaning {
    pub(super) const fn news(self) -> Option<PhoneNews> {
        match self {
            Self::Off => Some(PhoneNews::Off),
            Self::Absent => Some(PhoneNews::Absent),
            Self::Reachable => Some(PhoneNews::Reached),
            Self::Nothing => None,
        }
    }
}

/// A TLV that goes with every submit.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtraTlv {
    /// Which one.
    pub tag: u16,
    /// Its value, which gets a NUL at its end.
    pub text: Option<String>,
    /// Or its value as hexadecimal digits.
    pub hex: Option<String>,
}
