//! The section `[im.presence]` of central's configuration.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// How presence is to behave. Everything has a default.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Files with further attributes, in the form of `src/presence/registry.toml`.
    pub registry: Vec<PathBuf>,
    /// Pictures a second that a watcher gets, once it had as many as `burst`.
    pub pictures_a_second: u32,
    /// Pictures that a watcher gets at once.
    pub burst: u32,
    /// A point of which nothing was heard for so long is gone; not to be set where whoever has the connections says so.
    #[serde(skip)]
    pub silence: Duration,
    /// Most subscriptions of a watcher.
    pub max_watched: usize,
    /// Most subscriptions to an owner.
    pub max_watchers: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            registry: Vec::new(),
            pictures_a_second: 20,
            burst: 200,
            silence: Duration::from_secs(90),
            max_watched: 1_000,
            max_watchers: 20_000,
        }
    }
}

impl Config {
    /// The time between two pictures of a watcher, beyond its burst.
    pub(super) fn interval(&self) -> Duration {
        Duration::from_secs(1) / self.pictures_a_second.max(1)
    }

    /// How far ahead of its rate a watcher may be.
    pub(super) fn ahead(&self) -> Duration {
        self.interval() * self.burst.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_an_error() {
        let config: Config = toml::from_str("max_watchers = 20\nburst = 5").unwrap();
        assert_eq!((config.max_watchers, config.burst), (20, 5));
        assert_eq!(config.max_watched, 1_000);
        assert!(toml::from_str::<Config>("max_watcher = 20").is_err());
    }
}
