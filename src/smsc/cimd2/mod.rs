//! A CIMD2 session from the application's side: a machine without I/O, for one lane, over any number of connections.
//!
//! What it promises:
//!
//! - Of our requests, whatever their kind, one at most is unanswered (G1); of the SMSC's deliveries the driver has one
//!   at most. Both are independent: the SMSC's requests are answered while ours waits, and the other way round.
//! - A delivery is answered positively only by [`Answer::Stored`](super::session::Answer::Stored) (G2).
//! - A request said again is known within a connection by number and octets, over connections by its delivery key;
//!   it is never recognised by its number alone, so nothing is taken for a repetition that is none.
//! - A request that is not answered in its time ends the connection. A submit that was handed to the transport is then
//!   in doubt; one that was not is not.
//! - Every packet of ours has a checksum, and every checksum that comes is checked. What is damaged is not acted upon.
//!
//! Reassembly of long messages, matching of reports with messages and all pauses are others' business.
//!
//! | event | Closed | LoggingIn | Up | Up, leaving | LoggingOut |
//! |---|---|---|---|---|---|
//! | connected | login out: LoggingIn | ended; login out: LoggingIn | ended; login out: LoggingIn | ended; login out: LoggingIn | ended; login out: LoggingIn |
//! | disconnected | – | ended | in doubt or not sent; ended | in doubt or not sent; ended | ended |
//! | 51, positive | – | up; Up (leaving: logout out) | stray | stray | stray |
//! | 51, 900 | – | ended, by its code (102: perhaps logout and login, once) | stray | stray | stray |
//! | 53 | – | stray | answered; next turn (not logged in: ended) | answered; logout out (not logged in: ended) | stray |
//! | 55, 90 | – | stray | waiting submit goes out, else next turn | logout out | stray |
//! | 52 | – | stray (our own: login out) | stray | stray | ended |
//! | right number, wrong operation | – | ended | in doubt; ended | in doubt; ended | ended |
//! | another number | – | stray | stray | stray | stray |
//! | 98 | – | ended | in doubt; ended | in doubt; ended | ended |
//! | 99, an odd number | – | login again | request again, as expected; after three times in doubt, ended | the same | logout again |
//! | 99, nothing outstanding or even | – | stray | stray | stray | stray |
//! | 40 | – | answered | answered | answered | answered |
//! | 02 | – | answered; ended | answered; in doubt; ended | answered; in doubt; ended | answered; ended |
//! | 20, 23 | – | waits for the login | delivered, or waits | delivered, or waits | delivered, or waits |
//! | 20, 23 again, not answered yet | – | ignored | ignored | ignored | ignored |
//! | any request again, answered | – | answered the same | answered the same | answered the same | answered the same |
//! | 20, 23, not readable | – | waits for the login | refused, 2 or 8 | refused, 2 or 8 | refused, 2 or 8 |
//! | requests to an SMSC | – | refused, 1 | refused, 1 | refused, 1 | refused, 1 |
//! | unknown operation, odd number | – | nack | nack | nack | nack |
//! | lost or wrong end of a packet, no header | – | nack | nack | nack | nack |
//! | wrong checksum, a request | – | nack | nack | nack | nack |
//! | wrong checksum, an answer | – | login again after 1 s | request again after 1 s | request again after 1 s | logout again after 1 s |
//! | response timer | – | ended | in doubt; ended | in doubt; ended | ended |
//! | alive timer | – | – | 40 out, if nothing is outstanding | – | – |
//! | poll timer | – | – | 05 out, as soon as nothing is outstanding | – | – |
//! | submit | – | – | 03 out, or waits; never | not sent | not sent |
//! | answer: stored | – | – | 70 or 73 out; next delivery | 70 or 73 out; next delivery | 70 or 73 out; next delivery |
//! | answer: not now | – | – | nothing, or 70 with 710; next delivery | the same | the same |
//! | close | ended | leaving | leaving; logout out if nothing is outstanding | – | – |
//!
//! "Stray" is noted and ignored; "ended" is [`Event::Ended`](super::session::Event::Ended), after what the submit came
//! to. After "ended" the last answers are still to be written before the transport is closed. While deliveries fill
//! their queue nothing is read, and the response timer starts again when it is due: what it waits for may lie unread.
//! A submit that waits for another request's answer is not sent when the session is closed.

mod answers;
mod config;
mod deliver;
mod deliveries;
mod incoming;
mod machine;
mod outbox;
mod party;
mod peer;
mod requests;
mod submit;
mod timer;

pub use answers::{Class, Exceptions};
pub use config::{Asking, Config, NotNow};
pub use machine::Session;
