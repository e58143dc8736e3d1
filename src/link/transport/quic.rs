//! QUIC as a carrier: packets are datagrams (RFC 9221), which QUIC neither resends nor orders.
//!
//! The welcome is the only thing on a stream. What quinn would do on its own and is not wanted is turned off: it
//! drops old datagrams for new ones when its buffer is full, so we ask for room first; it gives a connection up after
//! some silence, so that time is long, and those above decide.

use std::future::Future as _;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use quinn::congestion::{BbrConfig, CubicConfig};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    ConnectionError, Endpoint, EndpointConfig, SendDatagramError, TokioRuntime, TransportConfig,
    TransportErrorCode, VarInt,
};
use tokio_rustls::rustls;

use super::config::{Congestion, Tuning};
use super::connection::{Ended, LEAST_PACKET, SendError, Stats};
use super::frame::{self, Code};
use crate::link::pki::alert_words;

/// Octets that may wait here for being fetched: a full ring of full packets twice over. When there are more, the
/// oldest is dropped, and the far end sends it again.
const RECEIVE_BUFFER: usize = 1 << 20;
/// Octets that a new connection may have on their way before anything is known of the line: enough for a hundred
/// short messages in the first round trip, and not so much that a slow line (50 kbit/s) is buried for minutes, as
/// quinn's own 240 kB would do.
const FIRST_WINDOW: u64 = 32 << 10;
/// How long a close may take to leave.
const FLUSH: Duration = Duration::from_secs(2);
/// Crypto errors of QUIC are TLS alerts from this number on (RFC 9001, 4.8).
const FIRST_ALERT: u64 = 0x100;

/// What both ends ask of QUIC.
fn transport(tuning: Tuning, streams_in: u8) -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    let idle = u32::try_from(tuning.idle_timeout.as_millis()).unwrap_or(u32::MAX);
    config
        .max_idle_timeout(Some(VarInt::from_u32(idle).into()))
        .keep_alive_interval(Some(tuning.keep_alive))
        .datagram_send_buffer_size(tuning.send_buffer)
        .datagram_receive_buffer_size(Some(RECEIVE_BUFFER))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(streams_in.into()));
    match tuning.congestion {
        Congestion::Bbr => {
            let mut bbr = BbrConfig::default();
            bbr.initial_window(FIRST_WINDOW);
            config.congestion_controller_factory(Arc::new(bbr));
        }
        Congestion::Cubic => {
            config.congestion_controller_factory(Arc::new(CubicConfig::default()));
        }
    }
    Arc::new(config)
}

/// QUIC for who calls.
pub(super) fn client(tls: rustls::ClientConfig, tuning: Tuning) -> quinn::ClientConfig {
    let tls = QuicClientConfig::try_from(tls).expect("our TLS is 1.3 with AES-128-GCM");
    let mut config = quinn::ClientConfig::new(Arc::new(tls));
    // One stream from central: the welcome.
    config.transport_config(transport(tuning, 1));
    config
}

/// QUIC for who listens.
pub(super) fn server(tls: rustls::ServerConfig, tuning: Tuning) -> quinn::ServerConfig {
    let tls = QuicServerConfig::try_from(tls).expect("our TLS is 1.3 with AES-128-GCM");
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(tls));
    config
        .transport_config(transport(tuning, 0))
        .migration(true)
        .max_incoming(super::doorman::MAX_HANDSHAKES);
    config
}

/// An endpoint on a socket.
pub(super) fn endpoint(
    socket: std::net::UdpSocket,
    server: Option<quinn::ServerConfig>,
) -> std::io::Result<Endpoint> {
    Endpoint::new(
        EndpointConfig::default(),
        server,
        socket,
        Arc::new(TokioRuntime),
    )
}

/// A code as QUIC carries it.
pub(super) fn code(code: Code) -> VarInt {
    VarInt::from_u32(code.number().into())
}

/// Whether the far end's program, and not its QUIC, closed the connection during the handshake: an edge whose other attempt
/// was faster, or that was stopped. What it would have said travels only after the handshake.
pub(super) fn is_given_up(error: &ConnectionError) -> bool {
    matches!(error, ConnectionError::ConnectionClosed(close)
        if close.error_code == TransportErrorCode::APPLICATION_ERROR)
}

/// Why a connection is over, from what quinn says.
pub(super) fn ended(error: &ConnectionError, here: Option<&str>) -> Ended {
    match error {
        ConnectionError::LocallyClosed => {
            Ended::Here(here.unwrap_or("this end has stopped").to_owned())
        }
        ConnectionError::ApplicationClosed(close) => {
            let said = frame::words(&close.reason);
            match Code::of(close.error_code.into_inner()) {
                Code::Closed => Ended::Far(said),
                Code::Refused => Ended::Refused(said),
            }
        }
        ConnectionError::ConnectionClosed(close) => {
            if is_given_up(error) {
                return Ended::Far(String::from(
                    "the far end gave up the call before it was answered",
                ));
            }
            let number = u64::from(close.error_code);
            match number.checked_sub(FIRST_ALERT).map(u8::try_from) {
                Some(Ok(alert)) => Ended::Refused(alert_words(alert.into())),
                _ => Ended::Lost(format!(
                    "the far end's QUIC gave it up ({})",
                    frame::words(close.to_string().as_bytes())
                )),
            }
        }
        ConnectionError::TransportError(error) => Ended::Lost(format!(
            "what came is not what the protocol allows ({})",
            frame::words(error.to_string().as_bytes())
        )),
        ConnectionError::Reset => Ended::Lost(String::from(
            "the far end knows nothing of this connection; it was restarted",
        )),
        ConnectionError::TimedOut => {
            Ended::Lost(String::from("nothing was heard for the idle timeout"))
        }
        ConnectionError::VersionMismatch => {
            Ended::Lost(String::from("the far end speaks another version of QUIC"))
        }
        ConnectionError::CidsExhausted => Ended::Lost(String::from("no connection number is left")),
    }
}

/// A connection by QUIC.
pub(super) struct Line {
    connection: quinn::Connection,
    /// The endpoint of a caller, who has one for each connection: a fresh port passes NATs that lost the old one.
    endpoint: Option<Endpoint>,
    reason: OnceLock<String>,
    send_buffer: usize,
    taken: AtomicU64,
    received: AtomicU64,
}

impl Line {
    pub(super) fn new(
        connection: quinn::Connection,
        endpoint: Option<Endpoint>,
        tuning: Tuning,
    ) -> Self {
        Self {
            connection,
            endpoint,
            reason: OnceLock::new(),
            send_buffer: tuning.send_buffer,
            taken: AtomicU64::new(0),
            received: AtomicU64::new(0),
        }
    }

    pub(super) fn remote_address(&self) -> SocketAddr {
        self.connection.remote_address()
    }

    pub(super) fn send(&self, packet: Bytes) -> Result<(), SendError> {
        // Asked once, it tells whether there is room, and takes the packet only if there is.
        let sending = pin!(self.send_when_room(packet));
        match sending.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => done,
            Poll::Pending => Err(SendError::Full),
        }
    }

    pub(super) async fn send_when_room(&self, packet: Bytes) -> Result<(), SendError> {
        let length = packet.len();
        let wrong = || SendError::Length {
            length,
            max: self.max_packet(),
        };
        if length == 0 {
            return Err(wrong());
        }
        match self.connection.send_datagram_wait(packet).await {
            Ok(()) => {
                self.taken.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(SendDatagramError::TooLarge) => Err(wrong()),
            Err(
                SendDatagramError::ConnectionLost(_)
                | SendDatagramError::Disabled
                | SendDatagramError::UnsupportedByPeer,
            ) => Err(SendError::Over),
        }
    }

    pub(super) fn room(&self) -> usize {
        match self.connection.close_reason() {
            None => self.connection.datagram_send_buffer_space(),
            Some(_) => 0,
        }
    }

    pub(super) fn queued(&self) -> usize {
        // quinn keeps room for the description of one datagram aside.
        let empty = self.send_buffer.saturating_sub(size_of::<Bytes>());
        empty.saturating_sub(self.connection.datagram_send_buffer_space())
    }

    pub(super) async fn recv(&self) -> Result<Bytes, Ended> {
        match self.connection.read_datagram().await {
            Ok(packet) => {
                self.received.fetch_add(1, Ordering::Relaxed);
                Ok(packet)
            }
            Err(error) => Err(self.because(&error)),
        }
    }

    pub(super) fn max_packet(&self) -> usize {
        self.connection
            .max_datagram_size()
            .unwrap_or(LEAST_PACKET)
            .max(LEAST_PACKET)
    }

    pub(super) fn rtt(&self) -> Duration {
        self.connection.rtt()
    }

    pub(super) fn stats(&self) -> Stats {
        let stats = self.connection.stats();
        Stats {
            packets_taken: self.taken.load(Ordering::Relaxed),
            packets_received: self.received.load(Ordering::Relaxed),
            octets_sent: stats.udp_tx.bytes,
            octets_received: stats.udp_rx.bytes,
            datagrams_sent: Some(stats.path.sent_packets),
            datagrams_lost: Some(stats.path.lost_packets),
            congestion_window: Some(stats.path.cwnd),
        }
    }

    pub(super) fn close(&self, number: Code, reason: &str) {
        let reason = frame::cut(reason);
        if self.connection.close_reason().is_none() {
            let reason = self.reason.get_or_init(|| reason.to_owned());
            self.connection.close(code(number), reason.as_bytes());
        }
    }

    pub(super) async fn flushed(&self) {
        if let Some(endpoint) = &self.endpoint {
            let _ = tokio::time::timeout(FLUSH, endpoint.wait_idle()).await;
        }
    }

    fn because(&self, error: &ConnectionError) -> Ended {
        ended(error, self.reason.get().map(String::as_str))
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        self.connection
            .close_reason()
            .map(|error| self.because(&error))
    }

    pub(super) async fn closed(&self) -> Ended {
        self.because(&self.connection.closed().await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_was_given_up_is_told_from_a_quic_that_failed() {
        let closed = |error_code| {
            ConnectionError::ConnectionClosed(quinn::ConnectionClose {
                error_code,
                frame_type: None,
                reason: Bytes::new(),
            })
        };
        let given_up = closed(TransportErrorCode::APPLICATION_ERROR);
        assert!(is_given_up(&given_up));
        assert!(matches!(ended(&given_up, None), Ended::Far(said) if said.contains("gave up")));
        let failed = closed(TransportErrorCode::PROTOCOL_VIOLATION);
        assert!(!is_given_up(&failed));
        assert!(matches!(ended(&failed, None), Ended::Lost(_)));
    }
}
