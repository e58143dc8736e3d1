//! What carries the link's packets between an edge and central.
//!
//! What it promises: a [`Connection`] exists only between an edge and its central, each of which has proved who it is
//! ([`super::pki`]); it carries opaque packets up to [`Connection::max_packet`] octets, never blocks its sender, never
//! drops a packet that it took without telling (except that the line may lose it), and ends with a reason in words at
//! both ends. What it leaves to others: what is in the packets, resending, and deciding that a line is dead; a packet
//! may be lost, doubled and reordered, on any carrier, as far as those above are concerned.
//!
//! - [`Connector`] is the edge's door, [`Listener`] central's.
//! - Two carriers: QUIC datagrams with BBR, and, where UDP does not get through, the same packets over TLS on TCP.
//!   Both use one port number. Mutual TLS 1.3 on both, and nothing else listens.
//! - After the handshake central decides whether the edge is admitted, and greets it or refuses it in words. An edge
//!   has a connection only once it was greeted.
//! - The limits stand in `doorman`, what a TCP stream looks like in `frame`; `docs/pairing.md` is for operators.

mod config;
mod connection;
mod connector;
mod doorman;
mod frame;
mod listener;
mod preference;
mod quic;
mod race;
mod socket;
mod stream;

pub use config::{Choice, Congestion, ConnectorConfig, DEFAULT_PORT, ListenerConfig};
pub use connection::{Carrier, Connection, Ended, LEAST_PACKET, SendError, Stats};
pub(in crate::link) use connector::FailureLog;
pub use connector::{Attempt, ConnectError, Connector, Failure, Resolver};
pub use listener::{ListenError, Listener};
