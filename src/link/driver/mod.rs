//! Drives links: puts the machine, the carriers, the rings and their owner together, at both ends.
//!
//! What it promises: as long as an [`EdgeLink`] or a [`CentralLinks`] lives, everything durable in an origin's ring
//! goes to its mirror and how it ended comes back, across any number of connections (G10). It never waits for a disk
//! or for its owner while packets wait, and takes next to nothing at rest. It decides nothing: what is sent, stored or
//! given up says the machine ([`Peer`](super::Peer)), when to dial says [`Redial`](super::Redial).
//! What it leaves to others: the rings themselves, and what is done with messages ([`Keeper`] and the owner's tasks on
//! the same ring handles).
//!
//! # For owners
//!
//! - An edge calls [`EdgeLink::start`] with its connector, its rings (the MO origins and MT mirrors of all lanes) and
//!   a [`Keeper`]. Central calls [`CentralLinks::start`] with its listener and a way from an edge's name to its rings
//!   (MO mirrors and MT origins).
//! - From then on the owner only works on its rings: it appends to origins, and at mirrors waits for
//!   [`Ring::changes`](crate::ring::Ring::changes), hands on
//!   [`Array::next_to_process`](crate::ring::Array::next_to_process) (passing by what
//!   [`is_lost_placeholder`](super::is_lost_placeholder) says) and calls
//!   [`Ring::process_with`](crate::ring::Ring::process_with). The link sees every change by itself.
//! - How messages of an origin ended comes through [`Keeper::keep`], before their slots become free.
//! - [`LinkStatus`] is there to be read at any moment, and can be waited on (`watch`).
//! - `stop` says goodbye, waits until the far end has heard it, and takes four seconds at most. Dropping a link stops
//!   it too, without waiting.
//! - The tasks run on the runtime of the caller, which should have several threads: a ring's sync blocks one.
//!
//! # Parts
//!
//! `session` is one connection's loop; `waking` its timer; `jobs` what it has others do meanwhile; `edge` and `central` keep connections
//! coming; `status` is what they show.

mod central;
mod edge;
mod jobs;
mod keeper;
mod session;
mod status;
mod waking;

pub use central::CentralLinks;
pub use edge::EdgeLink;
pub use keeper::{Alarm, Keeper};
pub use status::{
    FarEnd, LineStatus, LinkStatus, Outage, Phase, RECENT_OUTAGES, RingStanding, RingStatus,
};

/// How this program calls itself to the far end, for people.
const PROGRAM: &str = concat!("sluice ", env!("CARGO_PKG_VERSION"));

/// How long an orderly stop may take: the last words of the connections (a second), and their way out (two).
const STOP: std::time::Duration = std::time::Duration::from_secs(4);

/// A number nobody foresees, for spreading pauses and for telling one start of the program from the next.
fn chance() -> u64 {
    getrandom::u64().expect("the kernel gives random numbers")
}
