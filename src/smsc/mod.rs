//! The carrier's side: sessions with an SMSC over CIMD2 or SMPP, strictly one operation at a time (G1).
//!
//! [`session`] is the one face of both protocols; [`cimd2`] and [`smpp`] are machines without I/O that wear it.
//! The drivers and transports around them carry bytes and keep time, and decide nothing.

pub mod cimd2;
pub mod courier;
pub mod driver;
pub mod duration;
mod events;
mod numbering;
pub mod pause;
pub mod probe;
mod reach;
pub mod session;
pub mod smpp;
pub mod status;
mod thread;
mod timers;
pub mod transport;
