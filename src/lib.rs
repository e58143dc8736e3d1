//! Sluice, an SMSC buffer gateway.
//!
//! A line of stations; a message from a phone passes them from left to right, one to a phone from right to left:
//!
//! ```text
//! SMSC - smsc::session - ring (origin) - link - ring (mirror) - central::router - im inbox
//! ```
//!
//! Modules lie in tiers, and a module names only what lies below it (`tests/architecture.rs` keeps that):
//! words ([`message`], [`lane`], [`private`], [`clock`]), bytes ([`text`], [`codec`]), machines without I/O
//! ([`smsc`] sessions, the [`ring`] array and its recovery), doors (ring file, transports), and the whole
//! ([`edge`], [`central`], [`config`], [`status`], [`log`], [`cli`], [`sim`]).
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)
)]

pub mod central;
pub mod cli;
pub mod clock;
pub mod codec;
pub mod config;
pub mod demo;
pub mod edge;
mod file_lock;
pub mod im;
pub mod lane;
pub mod link;
pub mod log;
pub mod message;
pub mod notify;
pub mod presence;
pub mod private;
pub mod progress;
pub mod ring;
pub mod sim;
pub mod smsc;
pub mod status;
pub mod store;
pub mod text;
pub mod view;
