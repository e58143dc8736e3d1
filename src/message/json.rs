//! Words that are one string in JSON and other serde forms: names and numbers, checked as their constructors check them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{PhoneNumber, ShortCode, UserName};
use crate::clock::WallTime;

macro_rules! as_string {
    ($($word:ident by $read:ident: $pattern:literal, $description:literal;)*) => {$(
        impl Serialize for $word {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.$read())
            }
        }

        impl<'de> Deserialize<'de> for $word {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let written = Cow::<'de, str>::deserialize(from)?;
                Self::new(&written).map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $word {
            fn schema_name() -> Cow<'static, str> {
                stringify!($word).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "description": $description, "pattern": $pattern})
            }
        }
    )*};
}

as_string! {
    UserName by as_str: "^[A-Za-z0-9._@-]{1,64}$",
        "A user of the IM service: 1 to 64 letters, digits and . _ - @; capitals are folded.";
    PhoneNumber by digits: "^\\+?[1-9][0-9]{2,14}$",
        "A phone's international number: 3 to 15 digits, a leading + may stand before them.";
    ShortCode by digits: "^[0-9]{1,8}$",
        "A number that is valid at one carrier only: 1 to 8 digits.";
}

impl Serialize for WallTime {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WallTime {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(from)?
            .parse()
            .map_err(D::Error::custom)
    }
}

impl JsonSchema for WallTime {
    fn schema_name() -> Cow<'static, str> {
        "WallTime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "date-time",
            "description": "A time in UTC, as in 2026-11-21T08:13:05.123Z.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_strings_and_checked_as_they_come_in() {
        let name: UserName = serde_json::from_str("\"Alice\"").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"alice\"");
        let number: PhoneNumber = serde_json::from_str("\"+358401234567\"").unwrap();
        assert_eq!(serde_json::to_string(&number).unwrap(), "\"358401234567\"");
        let why = serde_json::from_str::<UserName>("\"no one\"").unwrap_err();
        assert!(why.to_string().starts_with("user name: holds ' '"), "{why}");
    }

    #[test]
    fn times_are_written_as_people_read_them() {
        let time = WallTime::from_unix_ms(1_795_248_785_123);
        let written = serde_json::to_string(&time).unwrap();
        assert_eq!(written, "\"2026-11-21T08:13:05.123Z\"");
        assert_eq!(serde_json::from_str::<WallTime>(&written).unwrap(), time);
        let why = serde_json::from_str::<WallTime>("\"yesterday\"").unwrap_err();
        assert!(why.to_string().contains("is no time"), "{why}");
    }
}
