//! `[im.door]` of the configuration: where and how clients come in, and the limits of connections.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::message::Refused;

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

impl DoorConfig {
    /// What makes no sense, with the option to change.
    pub fn check(&self) -> Result<(), Refused> {
        let refuse = |field, reason: &str| Err(Refused::new(field, reason));
        match (&self.certificate, &self.key) {
            (None, None) if !self.listen.ip().is_loopback() => {
                return refuse(
                    "listen",
                    "can be reached by others than this machine, and without TLS all they say could be read on the way; \
                     give `certificate` and `key`, or listen on 127.0.0.1 with something in front that speaks TLS",
                );
            }
            (Some(_), None) => return refuse("certificate", "needs its `key`, too"),
            (None, Some(_)) => return refuse("key", "needs its `certificate`, too"),
            (Some(_), Some(_)) | (None, None) => {}
        }
        for (field, path) in [("certificate", &self.certificate), ("key", &self.key)] {
            if path.as_ref().is_some_and(|path| !path.is_absolute()) {
                return refuse(
                    field,
                    "depends on where the service is started; write the whole path",
                );
            }
        }
        if self.max_connections == 0 {
            return refuse("max_connections", "is 0; nobody could come in");
        }
        for (field, time) in [
            ("greeting", self.greeting),
            ("sign_in", self.sign_in),
            ("ping", self.ping),
            ("reading", self.reading),
        ] {
            if time.is_zero() {
                return refuse(field, "is nothing; every connection would end at once");
            }
        }
        if self.silence <= self.ping {
            return refuse(
                "silence",
                "is not longer than `ping`, so a client could not answer in time",
            );
        }
        Ok(())
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
        "[im.door] listen = {0}: others than this machine can reach it, and no certificate is configured; give \
         certificate and key, or listen on 127.0.0.1"
    )]
    Plain(SocketAddr),
    /// Half of what TLS needs.
    #[error("[im.door] certificate and key belong together; one of them is missing")]
    Half,
    /// The certificate or its key cannot be used.
    #[error("[im.door] {path}: {why}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It cannot listen there.
    #[error("[im.door] listen = {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The service's thread cannot be started.
    #[error("the thread of the IM service cannot be started: {0}")]
    Thread(std::io::Error),
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

    #[test]
    fn what_makes_no_sense_is_refused_by_its_option() {
        let refused = |written: &str| {
            let config: DoorConfig = toml::from_str(written).unwrap();
            config.check().map_err(|why| why.field)
        };
        assert_eq!(refused(""), Ok(()));
        assert_eq!(refused("listen = '0.0.0.0:24780'"), Err("listen"));
        assert_eq!(
            refused("listen = '0.0.0.0:24780'\ncertificate = '/a'\nkey = '/b'"),
            Ok(())
        );
        assert_eq!(refused("certificate = '/a'"), Err("certificate"));
        assert_eq!(refused("key = '/b'"), Err("key"));
        assert_eq!(refused("certificate = '/a'\nkey = 'b'"), Err("key"));
        assert_eq!(refused("max_connections = 0"), Err("max_connections"));
        assert_eq!(refused("sign_in = '0s'"), Err("sign_in"));
        assert_eq!(refused("silence = '60s'"), Err("silence"));
    }
}
