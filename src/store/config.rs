//! The section `[store]` of central's configuration.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// How the store is kept.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// Its directory. Default `/var/lib/sluice/store`.
    pub directory: PathBuf,
    /// Memory for pages that were read lately, in MiB; the process takes up to three times as much for it. Default 64.
    pub cache_mib: u32,
    /// Nothing new is taken when less than this share of the file system is free, in percent. Default 10.
    pub least_free_percent: u8,
    /// Nothing new is taken when less than this is free, in MiB. Default 256.
    pub least_free_mib: u32,
    /// How often everything is exported to a file of its own. Default 1h.
    #[serde(deserialize_with = "humantime_duration")]
    pub export_every: Duration,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("/var/lib/sluice/store"),
            cache_mib: 64,
            least_free_percent: 10,
            least_free_mib: 256,
            export_every: Duration::from_hours(1),
        }
    }
}

fn humantime_duration<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let written = String::deserialize(from)?;
    humantime::parse_duration(&written).map_err(|why| {
        serde::de::Error::custom(format!(
            "{written:?} is no duration ({why}); write it as in 30m or 1h"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_its_default_and_what_is_unknown_is_refused() {
        let config: StoreConfig = toml::from_str("export_every = '30m'\ncache_mib = 16").unwrap();
        assert_eq!(config.export_every, Duration::from_mins(30));
        assert_eq!(config.least_free_mib, 256);
        assert!(toml::from_str::<StoreConfig>("cache = 16").is_err());
        let why = toml::from_str::<StoreConfig>("export_every = '30'").unwrap_err();
        assert!(why.message().contains("write it as in 30m"), "{why}");
    }
}
