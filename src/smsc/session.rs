//! One face for both protocols: what a lane's driver sees of an SMSC session.
//!
//! A session is a value. Bytes and time go in through `handle_*`; what our side wants goes in through verbs; what is
//! to be done comes out of `poll_*`, which the driver drains after each change. It lives through any number of
//! connections, one after the other.
//!
//! G1 is kept by types. A message can be submitted only with a [`SubmitTurn`], and there is never more than one of
//! them; a delivery can be answered only with its [`DeliveryTurn`], and the next delivery comes out only after that.
//! Neither can be copied, and each is used up by its use. A turn of a connection that has ended does nothing.

use std::time::Duration;

use bytes::Bytes;

use crate::clock::Moment;
use crate::message::{DeliveryKey, Item, Refusal, ShortMessage, SmscId};

/// The right to submit one message. There is at most one for each session.
#[derive(PartialEq, Eq, Debug)]
#[must_use = "nothing else can be submitted until this turn is used"]
pub struct SubmitTurn {
    connection: u64,
}

impl SubmitTurn {
    /// Made by a session's machine alone, for its connection of that number.
    pub(super) const fn of(connection: u64) -> Self {
        Self { connection }
    }

    /// The number of the connection that it belongs to.
    pub(super) const fn connection(&self) -> u64 {
        self.connection
    }
}

/// The duty to answer one delivery. There is at most one for each session.
#[derive(PartialEq, Eq, Debug)]
#[must_use = "the SMSC waits until this delivery is answered"]
pub struct DeliveryTurn {
    connection: u64,
    number: u64,
}

impl DeliveryTurn {
    /// Made by a session's machine alone: for the connection, and the delivery's number on it.
    pub(super) const fn of(connection: u64, number: u64) -> Self {
        Self { connection, number }
    }

    /// The number of the connection that it belongs to.
    pub(super) const fn connection(&self) -> u64 {
        self.connection
    }

    /// The delivery's number on its connection, as the machine chose it.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }
}

/// What the SMSC delivered in one operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// What is to be stored, all of it, before the answer leaves. More than one item only where a delivery is longer
    /// than a slot and was cut into parts.
    pub items: Vec<Item>,
    /// What recognises a repetition of this delivery.
    pub key: DeliveryKey,
    /// How far the key can be trusted.
    pub recognition: Recognition,
}

/// How far a delivery's key recognises a repetition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recognition {
    /// The key names the message (it holds the SMSC's own stamp): the same key among those lately stored is a
    /// repetition.
    Recent,
    /// The key is made from the content alone. It is a repetition only if this is the first delivery of a connection
    /// and the very last item stored has the same key: then the answer to that one may have been lost.
    FirstAfterReconnect,
}

/// Our answer to a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It is durably stored (G2), or was already.
    Stored,
    /// It cannot be taken now; the SMSC shall keep it and try later.
    NotNow,
}

/// What became of a submitted message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SubmitAnswer {
    /// The SMSC has it, under this name.
    Accepted(SmscId),
    /// The same message may be offered again after a pause.
    TryAgain {
        /// What kind of pause.
        pause: Pause,
        /// The SMSC's code and text.
        refusal: Refusal,
    },
    /// This message will never go; the SMSC's (or our) reason.
    Never(Refusal),
    /// It was handed to the transport and no answer came: the SMSC may or may not have it.
    InDoubt,
    /// The connection ended before any of it was handed to the transport.
    NotSent,
}

/// Why a message is to be offered again later, which tells how long to wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pause {
    /// We are too fast: everything on this lane waits, and this does not count as a try.
    Throttled,
    /// The SMSC's queue is full: as throttled, but longer.
    QueueFull,
    /// A passing fault at the SMSC; tries are counted.
    Transient,
    /// A code that says little: at most three tries, then never.
    Unclear,
}

/// What a session tells its driver.
#[derive(PartialEq, Eq, Debug)]
pub enum Event {
    /// Logged in; the peer's description of itself, as far as it gave one.
    Up {
        /// For people.
        peer: String,
    },
    /// A message may be submitted now.
    MaySubmit(SubmitTurn),
    /// The answer to the message submitted last.
    Answered(SubmitAnswer),
    /// The SMSC delivers; answer with the turn once it is stored.
    Delivered(DeliveryTurn, Delivery),
    /// Something odd that an operator may want to see; the session goes on.
    Noted(Note),
    /// The connection is over, or must be ended now: the driver closes the transport, and connects again as
    /// [`Down::retry`] says. Always the last event of a connection.
    Ended(Down),
}

/// A line for the log: what was odd, and where. Never holds texts or numbers of subscribers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// What was seen.
    pub what: String,
    /// Where in the frame, counted in octets from its start.
    pub offset: Option<usize>,
    /// In which field.
    pub field: Option<&'static str>,
}

/// Why a connection is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Down {
    /// In words, for log and status.
    pub reason: String,
    /// When to come back.
    pub retry: Retry,
}

/// When to connect again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    /// With growing pauses from a second to a minute: the line broke, or the peer closed.
    Soon,
    /// With growing pauses from 15 s to two minutes: the SMSC still holds our old session.
    OldSessionLives,
    /// A minute and longer: the SMSC refuses our login, and may lock the account. An operator must look.
    Refused,
    /// Not at all: we closed.
    Never,
}

/// An SMSC session: see the page of this module.
pub trait Session: Send {
    /// The transport is connected. Begins a new connection, and the login.
    fn handle_connected(&mut self, now: Moment);

    /// Bytes came. An empty slice does nothing.
    fn handle_bytes(&mut self, now: Moment, bytes: &[u8]);

    /// The transport has ended, for the reason given.
    fn handle_disconnected(&mut self, now: Moment, reason: &str);

    /// The moment of [`Session::poll_timeout`] has come. Too early does no harm.
    fn handle_timeout(&mut self, now: Moment);

    /// Offers a message; its answer comes as [`Event::Answered`], also if it cannot be written in this protocol. It
    /// may wait within the session while a probe of the line is unanswered. `validity` is what is left of it.
    fn submit(
        &mut self,
        now: Moment,
        turn: SubmitTurn,
        message: &ShortMessage,
        validity: Option<Duration>,
    );

    /// Answers a delivery.
    fn answer(&mut self, now: Moment, turn: DeliveryTurn, answer: Answer);

    /// Ends the session as its protocol says, after the outstanding operation; [`Event::Ended`] comes when it is done.
    fn close(&mut self, now: Moment);

    /// Bytes to be written now.
    fn poll_transmit(&mut self) -> Option<Bytes>;

    /// What the driver should know.
    fn poll_event(&mut self) -> Option<Event>;

    /// When to call [`Session::handle_timeout`]; `None` while nothing waits. Every state in which something is
    /// awaited has one.
    fn poll_timeout(&self) -> Option<Moment>;

    /// Whether bytes are welcome. While this is false the driver leaves them unread, and the peer feels it.
    fn wants_bytes(&self) -> bool;

    /// Whether the session is logged in.
    fn is_up(&self) -> bool;
}
