//! Configuration of both doors: the `[link]` section at each end.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// The port for UDP and TCP alike, unless another is configured.
pub const DEFAULT_PORT: u16 = 25500;

/// Which carrier an edge uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// QUIC, and TCP a moment later if QUIC does not answer; what worked is remembered.
    #[default]
    Auto,
    /// QUIC alone.
    Quic,
    /// TLS on TCP alone.
    Tcp,
}

/// What decides how fast a connection sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Congestion {
    /// By measured rate and round trip; random loss does not slow it down. On TCP it is asked for where the kernel
    /// has it.
    #[default]
    Bbr,
    /// By loss, as most of the internet does; on TCP, whatever the kernel uses.
    Cubic,
}

/// How an edge reaches central. Every key may be left out.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectorConfig {
    /// The pairing bundle that was carried here. Default `/etc/sluice/edge.pair`.
    pub bundle: PathBuf,
    /// `auto`, `quic` or `tcp`. Default `auto`.
    pub transport: Choice,
    /// Where central is, as `host:port`, the best first. Default: what the bundle says.
    pub addresses: Vec<String>,
    /// The local address to call from. Default: the system chooses.
    pub bind: Option<IpAddr>,
    /// How long one attempt may take, from the name's look-up to central's greeting. Default 10s: three round trips
    /// of a slow line (600 ms), each lost once.
    #[serde(with = "human")]
    pub connect_timeout: Duration,
    /// How long QUIC has for itself before TCP is tried beside it. Default 1s.
    #[serde(with = "human")]
    pub quic_head_start: Duration,
    /// How long an address has for itself before the next one is tried beside it. Default 2s.
    #[serde(with = "human")]
    pub address_pause: Duration,
    /// The longest time between two attempts while nothing answers; the first ones come sooner. Default 1s.
    #[serde(with = "human")]
    pub redial_interval: Duration,
    /// `bbr` or `cubic`. Default `bbr`.
    pub congestion: Congestion,
    /// Octets that wait here for the line at most, in packets not yet put on it. Default 65536.
    pub send_buffer: usize,
    /// How often an idle connection shows that it lives, which keeps its place in NATs. Default 15s.
    #[serde(with = "human")]
    pub keep_alive: Duration,
    /// After how long a silence the transport itself gives a connection up. Long before, those above have noticed by
    /// their own measure; this only ends what nobody looks after. Default 5m.
    #[serde(with = "human")]
    pub idle_timeout: Duration,
}

impl Default for ConnectorConfig {
    fn default() -> Self {
        let tuning = Tuning::DEFAULT;
        Self {
            bundle: PathBuf::from("/etc/sluice/edge.pair"),
            transport: Choice::Auto,
            addresses: Vec::new(),
            bind: None,
            connect_timeout: Duration::from_secs(10),
            quic_head_start: Duration::from_secs(1),
            address_pause: Duration::from_secs(2),
            redial_interval: Duration::from_secs(1),
            congestion: tuning.congestion,
            send_buffer: tuning.send_buffer,
            keep_alive: tuning.keep_alive,
            idle_timeout: tuning.idle_timeout,
        }
    }
}

/// How central listens. Every key may be left out.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerConfig {
    /// The authority's directory. Default `/var/lib/sluice/pki`.
    pub directory: PathBuf,
    /// Where to listen, UDP and TCP. Default `[::]:25500`, which takes IPv4 too.
    pub listen: SocketAddr,
    /// Connections at the same time, of all edges. Default 1024; an edge has one, and a second while it changes over.
    pub max_connections: usize,
    /// How long a handshake may take. Default 15s: longer than an edge waits.
    #[serde(with = "human")]
    pub handshake_timeout: Duration,
    /// How often the register is looked at. Default 1s; so long a revoked edge may stay.
    #[serde(with = "human")]
    pub reread_interval: Duration,
    /// `bbr` or `cubic`. Default `bbr`.
    pub congestion: Congestion,
    /// As for an edge. Default 65536.
    pub send_buffer: usize,
    /// As for an edge. Default 15s.
    #[serde(with = "human")]
    pub keep_alive: Duration,
    /// As for an edge. Default 5m.
    #[serde(with = "human")]
    pub idle_timeout: Duration,
}

impl Default for ListenerConfig {
    fn default() -> Self {
        let tuning = Tuning::DEFAULT;
        Self {
            directory: PathBuf::from(crate::link::pki::DIRECTORY),
            listen: SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), DEFAULT_PORT),
            max_connections: 1024,
            handshake_timeout: Duration::from_secs(15),
            reread_interval: Duration::from_secs(1),
            congestion: tuning.congestion,
            send_buffer: tuning.send_buffer,
            keep_alive: tuning.keep_alive,
            idle_timeout: tuning.idle_timeout,
        }
    }
}

/// What both ends set on a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tuning {
    pub(super) congestion: Congestion,
    pub(super) send_buffer: usize,
    pub(super) keep_alive: Duration,
    pub(super) idle_timeout: Duration,
}

impl Tuning {
    const DEFAULT: Self = Self {
        congestion: Congestion::Bbr,
        send_buffer: 65536,
        keep_alive: Duration::from_secs(15),
        idle_timeout: Duration::from_secs(300),
    };

    /// Fewest octets that a send buffer may have: some packets of either carrier.
    const LEAST_BUFFER: usize = 16384;

    fn checked(self) -> Self {
        Self {
            send_buffer: self.send_buffer.max(Self::LEAST_BUFFER),
            // QUIC counts both in milliseconds of 62 bits, and nothing is gained by more than a day.
            idle_timeout: self.idle_timeout.min(Duration::from_hours(24)),
            keep_alive: self.keep_alive.max(Duration::from_millis(100)),
            ..self
        }
    }
}

impl From<&ConnectorConfig> for Tuning {
    fn from(config: &ConnectorConfig) -> Self {
        Self {
            congestion: config.congestion,
            send_buffer: config.send_buffer,
            keep_alive: config.keep_alive,
            idle_timeout: config.idle_timeout,
        }
        .checked()
    }
}

impl From<&ListenerConfig> for Tuning {
    fn from(config: &ListenerConfig) -> Self {
        Self {
            congestion: config.congestion,
            send_buffer: config.send_buffer,
            keep_alive: config.keep_alive,
            idle_timeout: config.idle_timeout,
        }
        .checked()
    }
}

/// Durations as people write them.
mod human {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, de::Error as _};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        humantime::parse_duration(&text)
            .map_err(|error| D::Error::custom(format!("{text:?} is no duration: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_may_be_left_out_and_none_may_be_strange() {
        assert_eq!(
            toml::from_str::<ConnectorConfig>("").unwrap(),
            ConnectorConfig::default()
        );
        let config: ConnectorConfig =
            toml::from_str("transport = \"tcp\"\nconnect_timeout = \"1m 5s\"").unwrap();
        assert_eq!(config.transport, Choice::Tcp);
        assert_eq!(config.connect_timeout, Duration::from_secs(65));
        let config: ListenerConfig = toml::from_str("listen = \"127.0.0.1:1\"").unwrap();
        assert_eq!(config.listen.port(), 1);
        assert!(toml::from_str::<ListenerConfig>("lisen = 1").is_err());
        let error = toml::from_str::<ConnectorConfig>("connect_timeout = \"soon\"").unwrap_err();
        assert!(error.to_string().contains("\"soon\" is no duration"));
    }
}
