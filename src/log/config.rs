//! What can be set for the logs.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use crate::message::Refused;

/// The `[log]` section. Every key may be left out.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Where the log goes. Default `auto`.
    pub to: Target,
    /// What is logged: `error`, `warn`, `info`, `debug`, `trace`, or `target=level,…`. Default `info`.
    pub filter: String,
    /// Whether each message and each change of its state gets a line. Default yes.
    pub access: bool,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            to: Target::Auto,
            filter: String::from("info"),
            access: true,
        }
    }
}

/// Where the log goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// To journald when systemd has started us, else to the standard error.
    #[default]
    Auto,
    /// To the standard error in the form that journald reads priorities from.
    Journald,
    /// To the standard error, for people.
    Stderr,
}

impl LogConfig {
    /// Whether it makes sense.
    pub fn check(&self) -> Result<(), Refused> {
        match EnvFilter::try_new(&self.filter) {
            Ok(_) => Ok(()),
            Err(why) => Err(Refused::new(
                "filter",
                format!(
                    "{:?} is no filter ({why}); write a level, as in \"info\"",
                    self.filter
                ),
            )),
        }
    }
}
