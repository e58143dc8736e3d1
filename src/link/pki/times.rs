//! Civil times in pairing files, as people read them.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serializer};

use crate::clock::WallTime;

/// To the second, as certificates count.
pub(super) fn written(time: WallTime) -> String {
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(time.as_unix_ms());
    humantime::format_rfc3339_seconds(time).to_string()
}

/// What [`written`] wrote.
pub(super) fn read(text: &str) -> Option<WallTime> {
    let time = humantime::parse_rfc3339(text).ok()?;
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(WallTime::from_unix_ms(
        u64::try_from(since.as_millis()).ok()?,
    ))
}

pub(super) fn serialize<S: Serializer>(time: &WallTime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&written(*time))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<WallTime, D::Error> {
    let text = String::deserialize(from)?;
    read(&text).ok_or_else(|| {
        serde::de::Error::custom(format!(
            "{text:?} is no time; it is written 2026-11-21T08:13:05Z"
        ))
    })
}

/// The same for a time that may be missing.
pub(super) mod maybe {
    use super::{Deserializer, Serializer, WallTime};

    #[expect(clippy::ref_option, reason = "the signature is serde's")]
    pub(in super::super) fn serialize<S: Serializer>(
        time: &Option<WallTime>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => super::serialize(time, to),
            None => to.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<WallTime>, D::Error> {
        super::deserialize(from).map(Some)
    }
}
