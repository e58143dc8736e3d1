//! A presence value as it is written and read, from owners and for watchers.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::name::{Address, AttributeName, ClientName};
use super::refusal::Refusal;
use super::rule::Rule;
use super::words::{Class, Format, Operation, Privacy, Scope, Validity};
use crate::clock::WallTime;

/// Longest text of a value, in octets.
pub const MAX_VALUE: usize = 1024;

/// Most addresses on a list of a value.
pub const MAX_ADDRESSES: usize = 64;

/// Longest time in which a value fades, in seconds: 400 days.
pub const MAX_FADES: u32 = 400 * 24 * 3600;

/// A presence value (P6). `docs/presence.md` says which fields an owner writes and which a watcher sees.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PresValue {
    /// What is to be done; `set` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// The attribute.
    pub name: AttributeName,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// Whose it is; the user's if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Which client's, in scope `client`. Only told, never asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientName>,
    /// What the text is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The text.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "super::shared::option"
    )]
    #[schemars(with = "Option<String>", length(max = MAX_VALUE))]
    pub value: Option<Arc<str>>,
    /// Who sees it, as far as no list says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Privacy>,
    /// Who sees it anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MAX_ADDRESSES))]
    pub allowed: Option<Vec<Address>>,
    /// Who does not see it in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MAX_ADDRESSES))]
    pub restricted: Option<Vec<Address>>,
    /// Since when it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<WallTime>,
    /// When it ages out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<WallTime>,
    /// In how many seconds it becomes worthless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_FADES))]
    pub fades: Option<u32>,
    /// What it is instead, by time and place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = super::rule::MAX_RULES))]
    pub rules: Vec<Rule>,
    /// Whether it still holds. Only told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validity: Option<Validity>,
}

impl PresValue {
    /// A value with nothing but its name.
    pub const fn named(name: AttributeName) -> Self {
        Self {
            operation: None,
            name,
            class: None,
            scope: None,
            client: None,
            format: None,
            value: None,
            privacy: None,
            allowed: None,
            restricted: None,
            time: None,
            until: None,
            fades: None,
            rules: Vec::new(),
            validity: None,
        }
    }

    /// Sets an attribute to a text, and says nothing else.
    pub fn set(name: AttributeName, value: &str) -> Self {
        Self {
            value: Some(value.into()),
            ..Self::named(name)
        }
    }

    /// Reads the JSON form.
    pub fn from_json(written: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(written)
            .map_err(|why| Refusal::malformed("presvalue", why.to_string()))
    }

    /// Writes the JSON form.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("its keys are strings, and its numbers are finite")
    }
}
