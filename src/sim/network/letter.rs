//! What passes through the network: messages of accounts, messages of phones, reports.

use std::time::Duration;

use bytes::Bytes;

use super::{Report, Written};
use crate::clock::Moment;
use crate::codec::smpp::{MessageState, TextForm};
use crate::message::UserDataHeader;
use crate::text::septets::{self, Fill};
use crate::text::{gsm, ucs2};

/// What a message says: of any length, as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::sim) struct Content {
    /// How the data is to be read.
    pub(in crate::sim) form: TextForm,
    /// data_coding or data coding scheme.
    pub(in crate::sim) scheme: u8,
    /// The user data header.
    pub(in crate::sim) header: UserDataHeader,
    /// The text or data behind it.
    pub(in crate::sim) data: Bytes,
}

impl Content {
    /// For people.
    pub(in crate::sim) fn text(&self) -> String {
        let latin = |octets: &[u8]| octets.iter().map(|&octet| char::from(octet)).collect();
        match self.form {
            TextForm::Gsm7 => gsm::decode(&self.data),
            TextForm::Gsm7Packed => {
                let fill = Fill::behind_header(&self.header);
                let count = septets::likely_count(&self.data, fill);
                septets::unpack(&self.data, count, fill)
                    .map_or_else(|_| latin(&self.data), |septets| gsm::decode(&septets))
            }
            TextForm::Ucs2 => ucs2::decode(&self.data),
            TextForm::Latin1 | TextForm::Ascii | TextForm::Octets => latin(&self.data),
        }
    }

    /// What reports quote of it.
    pub(super) fn beginning(&self) -> Bytes {
        self.data.slice(..self.data.len().min(20))
    }
}

/// Which reports a sender wishes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::sim) struct Wishes {
    pub(in crate::sim) delivered: bool,
    pub(in crate::sim) expired: bool,
    pub(in crate::sim) deleted: bool,
    /// Any other bad end.
    pub(in crate::sim) failed: bool,
    /// A passing fault.
    pub(in crate::sim) intermediate: bool,
    /// Whether it may be cancelled later.
    pub(in crate::sim) cancellable: bool,
}

impl Wishes {
    pub(super) const fn any(self) -> bool {
        self.delivered || self.expired || self.deleted || self.failed || self.intermediate
    }

    /// Whether a report of this state is wished for.
    pub(super) const fn want(self, state: MessageState) -> bool {
        match state {
            MessageState::Delivered | MessageState::Accepted => self.delivered,
            MessageState::Expired => self.expired,
            MessageState::Deleted => self.deleted,
            MessageState::Undeliverable
            | MessageState::Unknown
            | MessageState::Rejected
            | MessageState::Skipped => self.failed,
            MessageState::Scheduled | MessageState::EnRoute => self.intermediate,
        }
    }
}

/// A message that an account offers.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Offered {
    pub(in crate::sim) source: Written,
    pub(in crate::sim) destination: Written,
    pub(in crate::sim) content: Content,
    pub(in crate::sim) wishes: Wishes,
    pub(in crate::sim) validity: Option<Duration>,
}

/// A message that a phone wrote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::sim) struct FromPhone {
    /// The phone's number without `+`.
    pub(in crate::sim) from: String,
    /// As it was dialled.
    pub(in crate::sim) to: String,
    pub(in crate::sim) content: Content,
    /// Its service centre time stamp, in seconds of the SMSC's clock. It stays through all repetitions.
    pub(in crate::sim) stamp: u64,
}

/// What is delivered to an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::sim) enum Letter {
    FromPhone(FromPhone),
    Report(Report),
}

/// A letter in an account's queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::sim) struct Waiting {
    pub(in crate::sim) letter: Letter,
    /// Whether it was delivered before.
    pub(in crate::sim) again: bool,
    pub(super) not_before: Moment,
}

impl Waiting {
    pub(super) const fn new(letter: Letter) -> Self {
        Self {
            letter,
            again: false,
            not_before: Moment::START,
        }
    }
}

/// A message that a phone received.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    /// What the SMSC calls it.
    pub id: u64,
    /// Which account sent it.
    pub account: String,
    /// Its sender as shown.
    pub from: String,
    /// The phone's number as written.
    pub to: String,
    pub(in crate::sim) content: Content,
}

impl Received {
    /// Its text, as its coding says; data reads as Latin-1.
    pub fn text(&self) -> String {
        self.content.text()
    }

    /// The text's octets as submitted, without the header.
    pub const fn data(&self) -> &Bytes {
        &self.content.data
    }

    /// Its user data header.
    pub const fn header(&self) -> &UserDataHeader {
        &self.content.header
    }

    /// data_coding, or data coding scheme, as submitted.
    pub const fn scheme(&self) -> u8 {
        self.content.scheme
    }
}
