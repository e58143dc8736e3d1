//! What a simulated SMSC saw and did, one event after the other: for programs as JSON lines, for tests as values.
//!
//! The texts and numbers in here belong to simulated phones; a record is made only if somebody asks for it.

use serde::{Deserialize, Serialize};

use super::fault::{Kind, Point};
use crate::clock::Moment;

/// Which protocol a session speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// CIMD2.
    Cimd2,
    /// SMPP.
    Smpp,
}

/// One event, with its time and session.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Record {
    /// Milliseconds since the simulator's start.
    pub ms: f64,
    /// Which connection, counted from 1; 0 is the SMSC itself.
    pub session: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

impl Record {
    pub(super) fn new(now: Moment, session: u64, event: Event) -> Self {
        Self {
            ms: now.as_micros() as f64 / 1000.0,
            session,
            event,
        }
    }
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Somebody connected.
    Connect {
        /// How it will speak.
        protocol: Protocol,
        /// From where.
        peer: String,
    },
    /// A login was answered.
    Login {
        /// Who.
        account: String,
        /// 0, or why not.
        code: u32,
    },
    /// A message came.
    Submit {
        /// Its request's number.
        number: u32,
        /// Who wrote it, as written.
        from: String,
        /// For whom it is, as written.
        to: String,
        /// Its text.
        text: String,
    },
    /// A request was answered; recorded when the answer left.
    Answer {
        /// Which request.
        to: Point,
        /// Its number.
        number: u32,
        /// 0, or the refusal.
        code: u32,
        /// What the message is called from now on.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// A phone's message was delivered.
    Delivery {
        /// Its request's number.
        number: u32,
        /// Which phone.
        from: String,
        /// Which number of ours.
        to: String,
        /// Its text.
        text: String,
        /// Whether it was delivered before.
        again: bool,
    },
    /// A report was delivered.
    Report {
        /// Its request's number.
        number: u32,
        /// Which message.
        id: String,
        /// Its state, as SMPP's word.
        state: &'static str,
        /// Whether it was delivered before.
        again: bool,
    },
    /// A delivery or report was answered.
    Taken {
        /// Its request's number.
        number: u32,
        /// 0, or the refusal.
        code: u32,
    },
    /// A phone got a message.
    Phone {
        /// What the SMSC calls it.
        id: u64,
        /// From whom.
        from: String,
        /// Which phone.
        to: String,
        /// Its text.
        text: String,
    },
    /// A fault was played.
    Fault {
        /// What.
        kind: Kind,
        /// When.
        on: Point,
    },
    /// The one-at-a-time rule was broken.
    Breach {
        /// How.
        why: String,
    },
    /// Something the protocol does not allow, other than a breach; it was answered as the protocol says.
    Odd {
        /// What.
        why: String,
    },
    /// A session logged out.
    Logout,
    /// A connection ended.
    End {
        /// Why.
        why: String,
    },
}

/// How often what happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub connections: u64,
    pub logins: u64,
    pub logins_refused: u64,
    pub submits: u64,
    pub accepted: u64,
    pub refused: u64,
    pub alives: u64,
    pub deliveries: u64,
    pub deliveries_taken: u64,
    pub deliveries_refused: u64,
    pub reports: u64,
    pub reports_taken: u64,
    pub received_by_phones: u64,
    pub written_by_phones: u64,
    pub faults: u64,
    pub odd: u64,
    pub breaches: u64,
}
