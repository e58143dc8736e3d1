//! What a running edge or central shows of itself, and the orders that it takes (A2).
//!
//! A Unix socket ([`StatusDoor`]) answers one request line with one JSON document; [`snapshot`] is its form, described
//! in [docs/status.md](../../docs/status.md). Whoever runs, edge or central, implements [`Subject`] and fills the views;
//! what is wrong and what to do about it ([`trouble`]), metrics ([`metrics`]) and the screen for people ([`screen`]) are
//! made from these, so they never disagree. Nothing here knows lanes or links: it cannot slow them.

pub mod changes;
pub mod client;
pub mod config;
mod http;
pub mod metrics;
pub mod screen;
mod server;
pub mod snapshot;
mod socket;
mod subject;
pub mod trouble;
pub mod watch;
mod words;

pub use http::MetricsDoor;
pub use server::{ErrorView, Names, Sessions, StatusDoor};
pub use snapshot::Snapshot;
pub use socket::SocketError;
pub use subject::{Done, NO_PEOPLE, Order, Part, REQUESTS, Register, Request, Subject};
