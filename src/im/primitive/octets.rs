//! Octets as base64.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::im::limits::MAX_CHUNK;

/// Octets that are written as base64; at most [`MAX_CHUNK`] of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Octets(pub Bytes);

/// Their length in base64.
const MAX_WRITTEN: usize = MAX_CHUNK.div_ceil(3) * 4;

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} octets>", self.0.len())
    }
}

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = Cow::<'de, str>::deserialize(from)?;
        if written.len() > MAX_WRITTEN {
            return Err(D::Error::custom(format_args!(
                "more than {MAX_CHUNK} octets in one chunk"
            )));
        }
        STANDARD
            .decode(written.as_bytes())
            .map(|octets| Self(octets.into()))
            .map_err(|why| D::Error::custom(format_args!("this is not base64: {why}")))
    }
}

impl JsonSchema for Octets {
    fn schema_name() -> Cow<'static, str> {
        "Octets".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "contentEncoding": "base64",
            "description": "Octets in base64.",
            "maxLength": MAX_WRITTEN,
        })
    }
}
