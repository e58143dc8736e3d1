//! One connection between an edge and central, whatever carries it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::frame::Code;
use super::{quic, stream};

/// What every connection carries at least in one packet, in octets: the smallest path that QUIC is made for, less
/// its own header.
pub const LEAST_PACKET: usize = 1100;

/// What carries packets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Carrier {
    /// QUIC datagrams: what is lost stays lost, and nothing waits for it.
    Quic,
    /// TLS on TCP: nothing is lost while the connection lives, and everything waits for what the line loses.
    Tcp,
}

impl Carrier {
    /// One word, as it is shown and configured.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Tcp => "tcp",
        }
    }
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a connection is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    /// We closed it, for the reason given.
    Here(String),
    /// The far end closed it, in its words.
    Far(String),
    /// The far end does not admit us, or does so no more, in its words. An operator must look.
    Refused(String),
    /// The line or the far end is gone.
    Lost(String),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(reason) => write!(f, "closed here: {reason}"),
            Self::Far(reason) => write!(f, "closed by the far end: {reason}"),
            Self::Refused(reason) => write!(f, "refused by the far end: {reason}"),
            Self::Lost(reason) => write!(f, "lost: {reason}"),
        }
    }
}

/// Why a packet was not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendError {
    /// No room now: the line is slower than what is sent.
    #[error("the send buffer is full")]
    Full,
    /// Longer than the connection carries at this time, or empty.
    #[error("the packet has {length} octets, 1 to {max} can be carried")]
    Length {
        /// What it has.
        length: usize,
        /// The largest now.
        max: usize,
    },
    /// The connection is over.
    #[error("the connection is over")]
    Over,
}

/// What a connection has done so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Packets of ours that it took.
    pub packets_taken: u64,
    /// Packets of the far end that were handed to us.
    pub packets_received: u64,
    /// Octets put on the line, with all overhead; of TCP, those of its payload.
    pub octets_sent: u64,
    /// Octets that came from the line.
    pub octets_received: u64,
    /// UDP datagrams sent, of QUIC.
    pub datagrams_sent: Option<u64>,
    /// UDP datagrams found lost, of QUIC; the kernel keeps TCP's to itself.
    pub datagrams_lost: Option<u64>,
    /// Octets that may be on their way at the same time, of QUIC.
    pub congestion_window: Option<u64>,
}

/// A connection between an edge and its central. Copies are the same connection; when the last is gone, it closes.
#[derive(Clone)]
pub struct Connection {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) peer: String,
    pub(super) remote: SocketAddr,
    pub(super) body: Body,
}

pub(super) enum Body {
    Quic(quic::Line),
    Tcp(stream::Line),
}

impl Inner {
    pub(super) fn end(&self, code: Code, reason: &str) {
        match &self.body {
            Body::Quic(line) => line.close(code, reason),
            Body::Tcp(line) => line.close(code, reason),
        }
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        match &self.body {
            Body::Quic(line) => line.ended(),
            Body::Tcp(line) => line.ended(),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end(Code::Closed, "nobody holds this connection any more");
    }
}

impl Connection {
    pub(super) fn new(peer: String, remote: SocketAddr, body: Body) -> Self {
        Self {
            inner: Arc::new(Inner { peer, remote, body }),
        }
    }

    /// Who is at the far end, as its certificate says: the edge's name at central, central's name at an edge.
    pub fn peer_name(&self) -> &str {
        &self.inner.peer
    }

    /// What carries it.
    pub fn carrier(&self) -> Carrier {
        match self.inner.body {
            Body::Quic(_) => Carrier::Quic,
            Body::Tcp(_) => Carrier::Tcp,
        }
    }

    /// Where the far end is, as we see it now; with QUIC it may move.
    pub fn remote_address(&self) -> SocketAddr {
        match &self.inner.body {
            Body::Quic(line) => line.remote_address(),
            Body::Tcp(_) => self.inner.remote,
        }
    }

    /// Hands a packet over, without waiting. What it took is sent in order, and never dropped for want of room; the
    /// line may lose it.
    pub fn send(&self, packet: Bytes) -> Result<(), SendError> {
        match &self.inner.body {
            Body::Quic(line) => line.send(packet),
            Body::Tcp(line) => line.send(packet),
        }
    }

    /// The same, once there is room. If the future is dropped before it is done, the packet was not taken.
    pub async fn send_when_room(&self, packet: Bytes) -> Result<(), SendError> {
        match &self.inner.body {
            Body::Quic(line) => line.send_when_room(packet).await,
            Body::Tcp(line) => line.send_when_room(packet).await,
        }
    }

    /// Octets that it would take now. A few more than a packet's own count for each packet.
    pub fn room(&self) -> usize {
        match &self.inner.body {
            Body::Quic(line) => line.room(),
            Body::Tcp(line) => line.room(),
        }
    }

    /// Octets that it took and that wait here for the line. On a slow line, whoever sends keeps this short: what is
    /// urgent stands behind it.
    pub fn queued(&self) -> usize {
        match &self.inner.body {
            Body::Quic(line) => line.queued(),
            Body::Tcp(line) => line.queued(),
        }
    }

    /// The next packet from the far end. Nothing is lost if the future is dropped before it is done.
    pub async fn recv(&self) -> Result<Bytes, Ended> {
        match &self.inner.body {
            Body::Quic(line) => line.recv().await,
            Body::Tcp(line) => line.recv().await,
        }
    }

    /// The longest packet that it carries now, in octets. With QUIC this grows as the path is found out and shrinks
    /// when the path changes; it is never below [`LEAST_PACKET`].
    pub fn max_packet(&self) -> usize {
        match &self.inner.body {
            Body::Quic(line) => line.max_packet(),
            Body::Tcp(line) => line.max_packet(),
        }
    }

    /// The round trip as the transport measures it, smoothed: a first guess for those above, who measure their own.
    pub fn rtt(&self) -> Duration {
        match &self.inner.body {
            Body::Quic(line) => line.rtt(),
            Body::Tcp(line) => line.rtt(),
        }
    }

    /// What it has done so far.
    pub fn stats(&self) -> Stats {
        match &self.inner.body {
            Body::Quic(line) => line.stats(),
            Body::Tcp(line) => line.stats(),
        }
    }

    /// Ends it; the far end hears the reason if the line still carries it. The first reason counts.
    pub fn close(&self, reason: &str) {
        self.inner.end(Code::Closed, reason);
    }

    /// Waits until a close has reached the line, or two seconds. Before a process ends, for the far end to hear why.
    pub async fn flushed(&self) {
        match &self.inner.body {
            Body::Quic(line) => line.flushed().await,
            Body::Tcp(line) => line.flushed().await,
        }
    }

    /// Why it is over, if it is.
    pub fn ended(&self) -> Option<Ended> {
        self.inner.ended()
    }

    /// Waits until it is over, and tells why.
    pub async fn closed(&self) -> Ended {
        match &self.inner.body {
            Body::Quic(line) => line.closed().await,
            Body::Tcp(line) => line.closed().await,
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.inner.peer)
            .field("carrier", &self.carrier())
            .field("remote", &self.remote_address())
            .field("ended", &self.ended())
            .finish()
    }
}
