//! An SMPP session from the ESME's side: a machine without I/O, for one lane, over any number of connections.
//!
//! What it promises:
//!
//! - Of our requests, whatever their kind, one at most is unanswered (G1); of the SMSC's deliveries the driver has one
//!   at most. Both are independent: the SMSC's requests are answered while ours waits, and the other way round.
//! - A delivery is answered with status 0 only by [`Answer::Stored`](super::session::Answer::Stored) (G2).
//! - A request that is not answered in its time ends the connection, since a late answer could be taken for the next
//!   request's. A submit that was handed to the transport is then in doubt; one that was not is not.
//! - No body can lose the stream: what cannot be read is answered as the protocol says, and the next PDU is read.
//!
//! A lane with separate transmitter and receiver runs two of these machines. Reassembly of long messages, matching of
//! reports with messages and all pauses are others' business.
//!
//! | event | Closed | Binding | Bound | Bound, leaving | Unbinding |
//! |---|---|---|---|---|---|
//! | connected | bind out: Binding | ended; bind out: Binding | ended; bind out: Binding | ended; bind out: Binding | ended; bind out: Binding |
//! | disconnected | – | ended | in doubt or not sent; ended | in doubt or not sent; ended | ended |
//! | response to our bind, 0 | – | up; Bound (leaving: unbind out) | stray | stray | stray |
//! | response to our bind, other; nack | – | ended, by its status | stray | stray | stray |
//! | submit_sm_resp, nack to submit | – | stray | answered; next turn (0x04, 0x05, nack 0x02: ended) | answered; unbind out (0x04, 0x05, nack 0x02: ended) | stray |
//! | enquire_link_resp, nack to probe | – | stray | waiting submit goes out (0x04, nack 0x02: ended) | unbind out (0x04, nack 0x02: ended) | stray |
//! | unbind_resp, nack to unbind | – | stray | stray | stray | ended |
//! | any other response | – | stray | stray | stray | stray |
//! | enquire_link | – | answered | answered | answered | answered |
//! | unbind | – | answered; ended | answered; in doubt; ended | answered; in doubt; ended | answered; ended |
//! | deliver_sm, data_sm (receiving) | – | waits for the bind | delivered, or waits | delivered, or waits | delivered, or waits |
//! | deliver_sm, data_sm (transmitter) | – | refused, 0x04 | refused, 0x04 | refused, 0x04 | refused, 0x04 |
//! | alert_notification | – | counted | counted | counted | counted |
//! | outbind, requests to an SMSC | – | refused, 0x04 | refused, 0x04 | refused, 0x04 | refused, 0x04 |
//! | unknown request | – | nack, 0x03 | nack, 0x03 | nack, 0x03 | nack, 0x03 |
//! | length not 16 to `max_pdu` | – | nack, 0x02; ended | nack, 0x02; in doubt; ended | nack, 0x02; in doubt; ended | nack, 0x02; ended |
//! | response timer | – | ended | in doubt; ended | in doubt; ended | ended |
//! | partial, inactivity timer | – | ended | in doubt; ended | in doubt; ended | ended |
//! | probe timer | – | – | enquire_link out, if nothing is outstanding | – | – |
//! | submit | – | – | submit_sm out, or waits for a probe; never | not sent | not sent |
//! | answer | – | – | response out; next delivery | response out; next delivery | response out; next delivery |
//! | close | ended | leaving | leaving; unbind out if nothing is outstanding | – | – |
//!
//! "Stray" is counted, noted and ignored; "ended" is [`Event::Ended`](super::session::Event::Ended), after what the
//! submit came to. After "ended" the last answers (to unbind, or the nack) are still to be written before the transport
//! is closed. While deliveries fill their queue nothing is read, and the response and inactivity timers start again
//! when they are due: what they wait for may lie unread.

mod answers;
mod bind;
mod config;
mod counters;
mod deliver;
mod deliveries;
mod face;
mod ids;
mod jitter;
mod machine;
mod options;
mod outbox;
mod party;
mod peer;
mod receipts;
mod requests;
mod submit;
mod text;
mod timer;

pub use answers::{Class, Exceptions};
pub use config::Config;
pub use counters::Counters;
pub use ids::{IdForm, IdRules};
pub use machine::Session;
pub use options::{
    BindKind, ConcatForm, ExtraTlv, Numbering, Oversize, PhoneMeaning, State, TlvUse, Unmappable,
    Version,
};
