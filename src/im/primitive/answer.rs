//! `Status`, which may stand for any answer, in either direction.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::message::Recipient;
use super::sign_in::Challenge;
use crate::im::status::Code;

/// How a request ended, where no result of its own says it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// The code.
    pub code: Code,
    /// What it means, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub text: String,
    /// The element that is to blame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub element: Option<String>,
    /// The limit that was met, and what it allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// When to try again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// What to answer, with code 422.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Box<Challenge>>,
    /// Those for whom it was not done, with code 201.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub failed: Vec<Failed>,
    /// Where the next chunk of content begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

/// A limit by its name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Its name, as the manual has it.
    #[schemars(length(max = 64))]
    pub name: String,
    /// What it allows.
    pub allowed: u64,
}

/// One for whom it was not done, and why.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// Who.
    pub recipient: Recipient,
    /// Why.
    pub code: Code,
}

impl Status {
    /// A code with the sentence that belongs to it.
    pub fn of(code: Code) -> Self {
        Self::saying(code, code.sentence())
    }

    /// Done, and no more to say.
    pub fn done() -> Self {
        Self::of(Code::Done)
    }

    /// A code with a sentence for this case.
    pub fn saying(code: Code, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            element: None,
            limit: None,
            retry_after_ms: None,
            challenge: None,
            failed: Vec::new(),
            offset: None,
        }
    }

    /// An element that does not fit, and why.
    pub fn bad_element(element: &str, why: &str) -> Self {
        Self::saying(Code::BadElement, why).at(element)
    }

    /// With the element that is to blame.
    #[must_use]
    pub fn at(mut self, element: &str) -> Self {
        self.element = Some(element.into());
        self
    }

    /// With the limit that was met.
    #[must_use]
    pub fn within(mut self, name: &str, allowed: u64) -> Self {
        self.limit = Some(Limit {
            name: name.into(),
            allowed,
        });
        self
    }

    /// With the time to wait.
    #[must_use]
    pub fn retry_after(mut self, wait: std::time::Duration) -> Self {
        let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.retry_after_ms = Some(ms.max(1));
        self
    }
}

impl From<Code> for Status {
    fn from(code: Code) -> Self {
        Self::of(code)
    }
}
