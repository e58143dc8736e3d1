//! Rules: what a value is instead, by time, place and other values.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calendar::{Calendar, CalendarWritten};
use super::name::AttributeName;
use super::place::Place;
use super::refusal::Refusal;

/// Most rules of a value.
pub const MAX_RULES: usize = 8;

/// What a value is while all of its conditions hold. It has at least one.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it is then.
    #[serde(with = "super::shared")]
    #[schemars(with = "String")]
    pub value: Arc<str>,
    /// By time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<CalendarWritten>")]
    pub calendar: Option<Calendar>,
    /// By place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// By another value of the same owner.
    #[serde(default, rename = "while", skip_serializing_if = "Option::is_none")]
    pub while_is: Option<While>,
}

/// Another value of the same owner is this.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct While {
    /// Which value.
    pub name: AttributeName,
    /// And what it has to be.
    #[serde(with = "super::shared")]
    #[schemars(with = "String")]
    pub is: Arc<str>,
}

impl Rule {
    /// Whether it can be one. That its value fits its definition is looked at elsewhere.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if let Some(place) = &self.place {
            place.check()?;
        }
        if self.calendar.is_none() && self.place.is_none() && self.while_is.is_none() {
            return Err(Refusal::malformed(
                "rules",
                "a rule has a condition: calendar, place or while",
            ));
        }
        Ok(())
    }
}
