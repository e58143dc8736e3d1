//! `[im.listen]` of the configuration: where and how clients come in, and the limits of connections.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// The listener of IM clients.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DoorConfig {
    /// Where it listens. Without a certificate only an address of this machine is allowed.
    pub listen: SocketAddr,
    /// The certificate with its chain, as PEM.
    pub certificate: Option<PathBuf>,
    /// Its key, as PEM.
    pub key: Option<PathBuf>,
    /// Most connections at a time. Default 50000.
    pub max_connections: usize,
    /// Most connections at a time of one address (of one network, with IPv6). Where something in front of Sluice speaks TLS,
    /// all connections come from its address; then this is to be as much as `max_connections`. Default 1000.
    pub max_connections_an_address: usize,
    /// How long the greetings of TLS and WebSocket may take. Default 10 s.
    #[serde(with = "humantime_text")]
    pub greeting: Duration,
    /// How long a connection may stay without a sign-in. Default 60 s.
    #[serde(with = "humantime_text")]
    pub sign_in: Duration,
    /// After so long a silence the client is asked whether it is still there. Default 60 s.
    #[serde(with = "humantime_text")]
    pub ping: Duration,
    /// After so long a silence the connection is given up. Default 150 s.
    #[serde(with = "humantime_text")]
    pub silence: Duration,
    /// How long a client may take to read what is sent to it. Default 30 s.
    #[serde(with = "humantime_text")]
    pub reading: Duration,
}

impl Default for DoorConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 24_780)),
            certificate: None,
            key: None,
            max_connections: 50_000,
            max_connections_an_address: 1000,
            greeting: Duration::from_secs(10),
            sign_in: Duration::from_secs(60),
            ping: Duration::from_secs(60),
            silence: Duration::from_secs(150),
            reading: Duration::from_secs(30),
        }
    }
}

mod humantime_text {
    use std::time::Duration;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let written = String::deserialize(from)?;
        humantime::parse_duration(&written).map_err(|why| {
            D::Error::custom(format!(
                "{written:?} is no duration ({why}); write it as in 30s"
            ))
        })
    }
}

/// The door cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// Plain text for all the world.
    #[error(
        "[im.listen] listen = {0}: others than this machine can reach it, and no certificate is configured; give \
         certificate and key, or listen on 127.0.0.1"
    )]
    Plain(SocketAddr),
    /// Half of what TLS needs.
    #[error("[im.listen] certificate and key belong together; one of them is missing")]
    Half,
    /// The certificate or its key cannot be used.
    #[error("[im.listen] {path}: {why}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It cannot listen there.
    #[error("[im.listen] listen = {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The service's configuration does not fit.
    #[error("[im] {0}")]
    Service(#[from] crate::message::Refused),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_its_default() {
        let config: DoorConfig = toml::from_str("ping = '20s'\nmax_connections = 5").unwrap();
        assert_eq!(config.ping, Duration::from_secs(20));
        assert_eq!(config.silence, Duration::from_secs(150));
        let why = toml::from_str::<DoorConfig>("ping = '20'").unwrap_err();
        assert!(why.message().contains("write it as in 30s"), "{why}");
        assert!(toml::from_str::<DoorConfig>("pings = '20s'").is_err());
    }
}
