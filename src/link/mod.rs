//! The link between edge and central: a windowed stream of messages that no outage can hurt (G3, G10).
//!
//! What it promises: a message that lies durably in an origin's ring comes to lie, once, at the same address of its
//! mirror (G7), and how it ended comes back; whatever the line loses, doubles or reorders. It never says *confirmed*
//! before the mirror's store has answered, and never acts on a claim that cannot be.
//! What it leaves to others: sockets, TLS and the dialling itself (the transports), storing (the ring's owner), and
//! what becomes of a message once it lies in the mirror.
//!
//! [`Peer`] is the machine of one connection's end; `docs/protocol-link.md` draws packets, states and resync.
//! [`Redial`] says when and where to connect next. [`pki`] is the identity of both ends; [`transport`] carries packets;
//! [`driver`] puts them together, and is what an edge and central hold.

mod action;
pub mod driver;
pub mod frame;
mod gauge;
mod loading;
mod mirror;
mod origin;
pub mod packet;
mod peer;
pub mod pki;
mod port;
mod reason;
mod received;
mod redial;
mod ring_handle;
mod rtt;
mod sent;
mod timer;
pub mod transport;
mod view;
mod wire;

pub use action::Action;
pub use peer::{Config, Far, Peer, Role, Statistics};
pub use reason::{REPLACED, Reason, RingRefusal, Shut, ShutReason};
pub use redial::{Redial, RedialConfig};
pub use view::{RingView, is_lost_placeholder};
