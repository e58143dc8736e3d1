//! What can be set for the status socket and the metrics.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de::Error};

use crate::message::Refused;

/// Where sockets lie.
pub const RUN: &str = "/run/sluice";

/// The `[status]` section. Every key may be left out.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatusConfig {
    /// The socket. Default `/run/sluice/edge.sock` or `/run/sluice/central.sock`.
    pub socket: Option<PathBuf>,
    /// Who may use it, as `chmod` writes it. Default `0660`: owner and group. Orders go over it too.
    #[serde(deserialize_with = "mode")]
    pub mode: u32,
    /// The group that it is given to; the service must belong to it. Default: that of the service.
    pub group: Option<String>,
    /// How many may be connected at once. Default 32.
    pub connections: usize,
}

impl Default for StatusConfig {
    fn default() -> Self {
        Self {
            socket: None,
            mode: 0o660,
            group: None,
            connections: 32,
        }
    }
}

impl StatusConfig {
    /// The socket's path in this mode.
    pub fn socket(&self, mode: &str) -> PathBuf {
        match &self.socket {
            Some(socket) => socket.clone(),
            None => PathBuf::from(RUN).join(format!("{mode}.sock")),
        }
    }

    /// Whether it makes sense.
    pub fn check(&self) -> Result<(), Refused> {
        if let Some(socket) = &self.socket {
            // sun_path has 108 octets, one of them the end.
            if socket.as_os_str().len() > 107 {
                return Err(Refused::new(
                    "socket",
                    "has more than the 107 characters that a socket's path may have",
                ));
            }
            if !socket.is_absolute() {
                return Err(Refused::new(
                    "socket",
                    "depends on where the service is started; write the whole path",
                ));
            }
        }
        if self.mode & 0o007 != 0 {
            return Err(Refused::new(
                "mode",
                "would let everybody on this machine give orders; let them be in the group instead, as with \"0660\"",
            ));
        }
        if !(1..=1024).contains(&self.connections) {
            return Err(Refused::new("connections", "is not between 1 and 1024"));
        }
        Ok(())
    }
}

/// A mode as `chmod` takes it; for sections that have one.
pub fn mode<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let written = String::deserialize(from)?;
    match u32::from_str_radix(&written, 8) {
        Ok(mode) if mode <= 0o777 && written.len() >= 3 => Ok(mode),
        _ => Err(D::Error::custom(format!(
            "{written:?} is no mode; write it as chmod takes it, as in \"0660\""
        ))),
    }
}

/// The `[metrics]` section.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// Where OpenMetrics are served over HTTP, a loopback address. Default nowhere; the status socket has them too.
    pub listen: Option<SocketAddr>,
}

impl MetricsConfig {
    /// Whether it makes sense.
    pub fn check(&self) -> Result<(), Refused> {
        match self.listen {
            Some(address) if !address.ip().is_loopback() => Err(Refused::new(
                "listen",
                format!(
                    "{address} can be reached from outside, and there is no sign-in; listen on 127.0.0.1 or [::1] and let \
                     a collector on this machine pass it on"
                ),
            )),
            _ => Ok(()),
        }
    }
}
