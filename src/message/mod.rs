//! Words for what is carried: parties, short messages, reports, outcomes.
//!
//! Everything here is a valid value or does not exist: constructors refuse what does not fit and name the field.
//! How values look as bytes is told by [`crate::codec`]; which characters an alphabet has, by [`crate::text`].
//! What comes from a carrier and fits no clean word is still kept, octet for octet, in [`CarrierAddress`] and
//! [`CarrierFields`]: a message must not be lost because its sender's address is odd.

mod body;
mod carrier;
mod json;
mod outcome;
mod party;
mod report;
mod wishes;

pub use body::{
    Body, Class, Coding, Concat, HeaderElement, MAX_CHARACTERS, MAX_HEADER, UserDataHeader,
};
pub use carrier::{CarrierAddress, CarrierFields, DeliveryKey, MAX_CARRIER_ADDRESS};
pub use outcome::{Outcome, Refusal};
pub use party::{Party, PhoneNumber, SenderName, ShortCode, UserName};
pub use report::{MAX_SMSC_ID, PhoneNews, Report, ReportState, SmscId};
pub use wishes::{Priority, ReportWish};

use crate::clock::WallTime;

/// A value that was refused: which field, and why.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct Refused {
    /// The field that does not fit.
    pub field: &'static str,
    /// What is wrong with it, and what would be right.
    pub reason: String,
}

impl Refused {
    /// A refusal of `field` because of `reason`.
    pub fn new(field: &'static str, reason: impl Into<String>) -> Self {
        Self {
            field,
            reason: reason.into(),
        }
    }
}

/// One short message, as it lies in a slot (G5: sender, recipient, message).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShortMessage {
    /// Who wrote it.
    pub sender: Party,
    /// Who shall read it.
    pub recipient: Party,
    /// The text or data.
    pub body: Body,
    /// Which reports its sender wants.
    pub report: ReportWish,
    /// How urgent it is.
    pub priority: Priority,
    /// After this time it is of no use; `None` leaves that to the carrier.
    pub valid_until: Option<WallTime>,
    /// GSM 03.40 protocol identifier; 0 for an ordinary message.
    pub protocol: u8,
    /// What the carrier said beyond that, kept as received.
    pub carrier: Option<Box<CarrierFields>>,
}

impl ShortMessage {
    /// A plain message without special wishes.
    pub const fn new(sender: Party, recipient: Party, body: Body) -> Self {
        Self {
            sender,
            recipient,
            body,
            report: ReportWish::None,
            priority: Priority::Normal,
            valid_until: None,
            protocol: 0,
            carrier: None,
        }
    }
}

/// What a slot of a ring holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Item {
    /// A message, in either direction.
    Message(ShortMessage),
    /// The SMSC's later word on a message's fate (MO direction only).
    Report(Report),
}
