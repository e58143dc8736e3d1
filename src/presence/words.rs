//! The small words of a presence value: what is to be done with it, what it is about, what its text is, who may see it.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::refusal::{Refusal, shown};

macro_rules! words {
    ($(
        $(#[$about:meta])*
        $kind:ident in $element:literal { $( $(#[$doc:meta])* $variant:ident = $word:literal, )* }
    )*) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
        pub enum $kind {
            $( $(#[$doc])* #[serde(rename = $word)] $variant, )*
        }

        impl $kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word, as it is written in every form.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// From its word.
            pub fn from_word(written: &str) -> Result<Self, Refusal> {
                Self::ALL.iter().copied().find(|one| one.word() == written).ok_or_else(|| {
                    let words: Vec<&str> = Self::ALL.iter().map(|one| one.word()).collect();
                    Refusal::malformed(
                        $element,
                        format!("{} is none of {}", shown(written), words.join(", ")),
                    )
                })
            }
        }
    )*};
}

words! {
    /// What an update does with a value.
    Operation in "operation" {
        /// Makes it, or changes it.
        Set = "set",
        /// Makes it; refused if it is there.
        Create = "create",
        /// Removes it.
        Remove = "remove",
    }

    /// What an attribute is about. What the registry does not know is shown by this.
    Class in "class" {
        /// Whether and how its owner can be reached.
        Reachability = "reachability",
        /// Whether its owner wants to be disturbed.
        Availability = "availability",
        /// How its owner feels, what it does.
        PersonalStatus = "personal-status",
        /// Numbers and addresses.
        ContactInformation = "contact-information",
        /// Where its owner is.
        Location = "location",
        /// What a client can do.
        ClientCapability = "client-capability",
        /// Nobody said.
        Unknown = "unknown",
    }

    /// Whose value it is.
    Scope in "scope" {
        /// The user's.
        User = "user",
        /// One client's of the user.
        Client = "client",
    }

    /// What the text of a value is.
    Format in "format" {
        /// Anything.
        Text = "text",
        /// A whole number.
        Integer = "integer",
        /// A number.
        Number = "number",
        /// `true` or `false`.
        Boolean = "boolean",
        /// One of the words that the attribute's definition lists.
        Enumeration = "enumeration",
        /// A time in UTC.
        Time = "time",
        /// A URI.
        Uri = "uri",
        /// A geo URI.
        Location = "location",
    }

    /// Who sees a value, as far as no list says otherwise.
    Privacy in "privacy" {
        /// Everybody.
        Public = "public",
        /// Whom the owner has granted it.
        Granted = "granted",
        /// Nobody but the owner.
        Private = "private",
    }
}

/// Whether a value still holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Validity(u8);

impl Validity {
    /// It does not hold.
    pub const INVALID: Self = Self(0);
    /// It holds.
    pub const VALID: Self = Self(100);
    /// Probabilities are told in steps of so many hundredths: finer ones would tell watchers more often than it is worth.
    pub const STEP: u8 = 5;

    /// It holds with this probability, rounded down to a step: nothing is given as more valid than it is.
    pub fn of(probability: f64) -> Self {
        if probability >= 1.0 {
            return Self::VALID;
        }
        // What is not a number, or below nothing, is no probability: invalid.
        let hundredths = (probability.max(0.0) * 100.0) as u8;
        Self(hundredths - hundredths % Self::STEP)
    }

    /// In hundredths, 0 to 100.
    pub const fn hundredths(self) -> u8 {
        self.0
    }

    /// Whether it does not hold at all.
    pub const fn is_invalid(self) -> bool {
        self.0 == 0
    }

    /// How likely the contrary is.
    pub(super) const fn contrary(self) -> Self {
        Self(100 - self.0)
    }

    /// From `valid`, `invalid` or a probability.
    pub fn from_word(written: &str) -> Result<Self, Refusal> {
        match written {
            "valid" => Ok(Self::VALID),
            "invalid" => Ok(Self::INVALID),
            _ => {
                let hundredths = (1..=100 / Self::STEP).map(|step| Self(step * Self::STEP));
                hundredths
                    .into_iter()
                    .find(|validity| validity.to_string() == written)
                    .ok_or_else(|| {
                        Refusal::malformed(
                            "validity",
                            format!(
                                "{} is no validity; valid, invalid, or 0.05 to 0.95 in steps of 0.05",
                                shown(written)
                            ),
                        )
                    })
            }
        }
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("invalid"),
            100 => f.write_str("valid"),
            hundredths => write!(f, "0.{hundredths:02}"),
        }
    }
}

impl Serialize for Validity {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            0 | 100 => to.collect_str(self),
            hundredths => to.serialize_f64(f64::from(hundredths) / 100.0),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ValidityWritten<'a> {
    Word(#[serde(borrow)] Cow<'a, str>),
    Probability(f64),
}

impl<'de> Deserialize<'de> for Validity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match ValidityWritten::deserialize(from)? {
            ValidityWritten::Word(word) => Self::from_word(&word).map_err(D::Error::custom),
            // Half a hundredth over, since 0.15 is no sum of powers of two.
            ValidityWritten::Probability(p) if (0.0..=1.0).contains(&p) => Ok(Self::of(p + 0.005)),
            ValidityWritten::Probability(_) => Err(D::Error::custom(
                "validity: a probability lies between 0 and 1",
            )),
        }
    }
}

impl JsonSchema for Validity {
    fn schema_name() -> Cow<'static, str> {
        "Validity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Whether the value still holds, or with which probability.",
            "anyOf": [
                {"enum": ["valid", "invalid"]},
                {"type": "number", "minimum": 0, "maximum": 1},
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_is_rounded_down_and_comes_back() {
        assert_eq!(Validity::of(0.999).to_string(), "0.95");
        assert_eq!(Validity::of(0.04).to_string(), "invalid");
        assert_eq!(Validity::of(f64::NAN), Validity::INVALID);
        for step in 0..=20 {
            let validity = Validity(step * Validity::STEP);
            assert_eq!(Validity::from_word(&validity.to_string()), Ok(validity));
            let json = serde_json::to_string(&validity).unwrap();
            assert_eq!(serde_json::from_str::<Validity>(&json).unwrap(), validity);
        }
        assert!(Validity::from_word("0.5").is_err());
        assert!(serde_json::from_str::<Validity>("1.5").is_err());
    }
}
