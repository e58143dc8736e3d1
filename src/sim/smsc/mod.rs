//! The SMSC's side of a session, as machines without I/O: bytes and time in, bytes out. All sessions share one
//! [`Network`](super::network).
//!
//! What a session does, in either protocol:
//!
//! | it | does |
//! |---|---|
//! | reads a request | counts a breach if one is unanswered already; plays a fault if the script says so; answers |
//! | has a letter for its account | delivers it, as many at once as the account's window allows |
//! | reads an answer | counts a breach if none or another was due; puts the letter away, or back |
//! | hears nothing for too long | ends |
//! | ends | gives the letters that are unanswered back, in their order |

pub(super) mod cimd2;
mod outlet;
mod play;
pub(super) mod smpp;

use bytes::Bytes;

use super::event::Event;
use super::network::{Letter, Network, Now, Waiting};
use super::report::Report;
use crate::clock::Moment;

/// What a session wants done to its line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Out {
    /// Octets, in one write with what follows if that comes at once.
    Write(Bytes),
    /// Octets, in a write of their own.
    Alone(Bytes),
    /// The end of the connection, and why.
    Close(String),
}

/// The SMSC's side of one connection.
pub(super) trait Session: Send {
    /// The line is there.
    fn handle_connected(&mut self, now: Now, network: &mut Network);

    /// Octets came.
    fn handle_bytes(&mut self, now: Now, network: &mut Network, bytes: &[u8]);

    /// The moment of [`Session::poll_timeout`] has come, or the network named this session. Too early does no harm.
    fn handle_timeout(&mut self, now: Now, network: &mut Network);

    /// The line is gone; the session's last call.
    fn handle_disconnected(&mut self, now: Now, network: &mut Network, why: &str);

    /// The SMSC ends the session as its protocol says.
    fn logout(&mut self, now: Now, network: &mut Network);

    /// What is to be done now.
    fn poll_transmit(&mut self, now: Now, network: &mut Network) -> Option<Out>;

    /// When to call [`Session::handle_timeout`].
    fn poll_timeout(&self, network: &Network) -> Option<Moment>;

    /// Whether octets are to be read.
    fn wants_bytes(&self, now: Now) -> bool;
}

/// What is recorded of a delivery; `name` tells what the protocol calls the message of a report.
fn delivery_event(number: u32, waiting: &Waiting, name: impl FnOnce(&Report) -> String) -> Event {
    match &waiting.letter {
        Letter::FromPhone(letter) => Event::Delivery {
            number,
            from: letter.from.clone(),
            to: letter.to.clone(),
            text: letter.content.text(),
            again: waiting.again,
        },
        Letter::Report(report) => Event::Report {
            number,
            id: name(report),
            state: report.state.word(),
            again: waiting.again,
        },
    }
}
