//! Durations in configuration, as people write them: `500ms`, `30s`, `1h 30m`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};

/// For `#[serde(deserialize_with = "…")]` on a `Duration`.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let written = String::deserialize(from)?;
    humantime::parse_duration(&written).map_err(|why| {
        D::Error::custom(format!(
            "{written:?} is no duration ({why}); write it as in 30s or 1h 30m"
        ))
    })
}

/// For `#[serde(deserialize_with = "…")]` on an `Option<Duration>`; use it with a default.
pub fn deserialize_some<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    deserialize(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Debug)]
    struct Timers {
        #[serde(deserialize_with = "deserialize")]
        probe: Duration,
        #[serde(default, deserialize_with = "deserialize_some")]
        most: Option<Duration>,
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        let timers: Timers = toml::from_str("probe = '1m 30s'\nmost = '500ms'").unwrap();
        assert_eq!(timers.probe, Duration::from_secs(90));
        assert_eq!(timers.most, Some(Duration::from_millis(500)));
        let timers: Timers = toml::from_str("probe = '1m'").unwrap();
        assert_eq!(timers.most, None);
    }

    #[test]
    fn a_number_without_a_unit_says_how_to_write_it() {
        let why = toml::from_str::<Timers>("probe = '30'").unwrap_err();
        assert!(why.message().contains("\"30\" is no duration"), "{why}");
        assert!(why.message().contains("as in 30s"), "{why}");
    }
}
