//! The registry of attributes (P7): what is known of each, named within the entity that registers it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::name::AttributeName;
use super::place::Location;
use super::refusal::{Refusal, shown};
use super::value::MAX_VALUE;
use super::words::{Class, Format};
use crate::clock::WallTime;

/// The attributes within the program.
const BASE: &str = include_str!("registry.toml");

/// Most attributes in a registry: more is a mistake in a file.
const MAX_DEFINITIONS: usize = 10_000;

/// What an attribute is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// What belongs together on a screen.
    pub group: String,
    /// For people.
    pub description: String,
    /// What it is about.
    pub class: Class,
    /// What its text is.
    pub format: Format,
    /// The words that are allowed, each with its description.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub enumeration: BTreeMap<String, String>,
    /// Whether it may be searched by.
    #[serde(default)]
    pub searchable: bool,
    /// Whether only the server sets it.
    #[serde(default)]
    pub by_server: bool,
    /// How long a value lasts if its owner does not say.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "human_duration",
        serialize_with = "write_duration"
    )]
    #[schemars(with = "Option<String>")]
    pub lifetime: Option<Duration>,
}

fn human_duration<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let written = String::deserialize(from)?;
    humantime::parse_duration(&written)
        .map(Some)
        .map_err(serde::de::Error::custom)
}

fn write_duration<S: serde::Serializer>(
    lifetime: &Option<Duration>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match lifetime {
        Some(lifetime) => to.collect_str(&humantime::format_duration(*lifetime)),
        None => to.serialize_none(),
    }
}

/// A file that is no registry, and why.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {entry}: {reason}")]
pub struct BadRegistry {
    /// The line, from 1.
    pub line: usize,
    /// The entry, as in `sluice.mood`; `registry` for the file as a whole.
    pub entry: String,
    /// What is wrong with it.
    pub reason: String,
}

/// All attributes that are known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registry {
    definitions: HashMap<AttributeName, Definition>,
}

impl Registry {
    /// The attributes within the program.
    pub fn base() -> Self {
        let mut registry = Self {
            definitions: HashMap::new(),
        };
        registry.add(BASE).expect("a test reads this file");
        registry
    }

    /// Adds those of a file; none of it if anything is wrong.
    pub fn add(&mut self, text: &str) -> Result<(), BadRegistry> {
        let entities: BTreeMap<String, BTreeMap<String, Spanned<Definition>>> =
            toml::from_str(text).map_err(|why| unreadable(text, &why))?;
        let mut added = Vec::new();
        for (entity, definitions) in entities {
            for (name, definition) in definitions {
                let bad = |reason: String| BadRegistry {
                    line: line_of(text, definition.span().start),
                    entry: format!("{entity}.{name}"),
                    reason,
                };
                let known = AttributeName::new(&format!("{entity}:{name}"))
                    .map_err(|why| bad(why.reason))?;
                definition.get_ref().check().map_err(bad)?;
                let is_twice = added.iter().any(|(other, _)| *other == known);
                if is_twice || self.definitions.contains_key(&known) {
                    return Err(bad("is defined already".into()));
                }
                added.push((known, definition.into_inner()));
            }
        }
        if self.definitions.len() + added.len() > MAX_DEFINITIONS {
            return Err(BadRegistry {
                line: 1,
                entry: "registry".into(),
                reason: format!("has more than {MAX_DEFINITIONS} attributes"),
            });
        }
        self.definitions.extend(added);
        Ok(())
    }

    /// What is known of an attribute.
    pub fn definition(&self, name: &AttributeName) -> Option<&Definition> {
        self.definitions.get(name)
    }

    /// The shared copy of a name, if it is known: the same string then stands at all of its places.
    pub(super) fn shared(&self, name: &AttributeName) -> Option<AttributeName> {
        self.definitions
            .get_key_value(name)
            .map(|(name, _)| name.clone())
    }

    /// All of them, by name.
    pub fn definitions(&self) -> Vec<(&AttributeName, &Definition)> {
        let mut all: Vec<_> = self.definitions.iter().collect();
        all.sort_unstable_by_key(|(name, _)| *name);
        all
    }
}

/// The line in which an octet of a text stands, from 1.
fn line_of(text: &str, at: usize) -> usize {
    let before = &text.as_bytes()[..at.min(text.len())];
    before.iter().filter(|&&octet| octet == b'\n').count() + 1
}

/// The table in which a line of a file stands, as in `sluice.mood`.
fn table_of(text: &str, line: usize) -> Option<&str> {
    let above = text.lines().take(line).filter_map(|line| {
        let header = line.trim().strip_prefix('[')?;
        header.split(']').next()
    });
    above.last()
}

/// What is said of a file that is no TOML, or has keys or values that are none.
fn unreadable(text: &str, why: &toml::de::Error) -> BadRegistry {
    let line = line_of(text, why.span().map_or(0, |span| span.start));
    let message = why.message();
    BadRegistry {
        line,
        entry: table_of(text, line).unwrap_or("registry").into(),
        reason: nearest(message).unwrap_or_else(|| message.into()),
    }
}

/// For a key or a word that is none: the nearest that is one.
fn nearest(message: &str) -> Option<String> {
    let words: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (wrong, known) = words.split_first()?;
    let is_unknown = message.starts_with("unknown field") || message.starts_with("unknown variant");
    let distance = |known: &&&str| strsim::damerau_levenshtein(wrong, known);
    let nearest = known.iter().min_by_key(distance).filter(|_| is_unknown)?;
    Some(format!(
        "there is no {wrong:?}; the nearest is {nearest:?}, of {}",
        known.join(", ")
    ))
}

impl Definition {
    fn check(&self) -> Result<(), String> {
        let has_words = !self.enumeration.is_empty();
        if has_words != (self.format == Format::Enumeration) {
            return Err("an enumeration has words, and nothing else has".into());
        }
        let too_long = |word: &&String| word.is_empty() || word.len() > MAX_VALUE;
        if let Some(word) = self.enumeration.keys().find(too_long) {
            return Err(format!("the word {} is empty or too long", shown(word)));
        }
        if self.lifetime.is_some_and(|life| life.is_zero()) {
            return Err("a lifetime is longer than nothing".into());
        }
        Ok(())
    }
}

/// Whether a text is what a format says; `definition` knows the words of an enumeration.
pub(super) fn check_text(
    format: Format,
    definition: Option<&Definition>,
    text: &str,
) -> Result<(), Refusal> {
    if text.len() > MAX_VALUE {
        return Err(Refusal::malformed(
            "value",
            format!("has {} octets; {MAX_VALUE} are allowed", text.len()),
        ));
    }
    // Nothing that XML cannot carry, or that plays with a terminal.
    if let Some(wrong) = text
        .chars()
        .find(|c| c.is_control() && !matches!(c, '\n' | '\t'))
    {
        return Err(Refusal::malformed(
            "value",
            format!("holds {wrong:?}, which does not print"),
        ));
    }
    if text.contains(['\u{fffe}', '\u{ffff}']) {
        return Err(Refusal::malformed("value", "holds what is no character"));
    }
    let fits = match format {
        Format::Text => true,
        Format::Integer => text.parse::<i64>().is_ok(),
        Format::Number => text.parse::<f64>().is_ok_and(f64::is_finite),
        Format::Boolean => matches!(text, "true" | "false"),
        Format::Enumeration => match definition {
            Some(definition) => definition.enumeration.contains_key(text),
            // Nobody knows the words; one word it has to be.
            None => !text.is_empty() && !text.contains(char::is_whitespace),
        },
        Format::Time => text.parse::<WallTime>().is_ok(),
        Format::Uri => {
            text.split_once(':')
                .is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty())
                && !text.contains(char::is_whitespace)
        }
        Format::Location => return Location::new(text).map(|_| ()),
    };
    if fits {
        return Ok(());
    }
    let reason = match definition.filter(|_| format == Format::Enumeration) {
        Some(definition) => {
            let words: Vec<&str> = definition.enumeration.keys().map(String::as_str).collect();
            format!("{} is none of {}", shown(text), words.join(", "))
        }
        None => format!("{} does not read as {}", shown(text), format.word()),
    };
    Err(Refusal::malformed("value", reason))
}

fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_registry_has_all_classes_and_describes_its_words() {
        let registry = Registry::base();
        let all = registry.definitions();
        for class in Class::ALL.iter().filter(|class| **class != Class::Unknown) {
            assert!(all.iter().any(|(_, one)| one.class == *class), "{class:?}");
        }
        for (name, definition) in all {
            assert!(definition.description.len() > 5, "{name}");
            assert!(
                definition
                    .enumeration
                    .values()
                    .all(|about| !about.is_empty())
            );
        }
    }

    #[test]
    fn operators_add_attributes_and_cannot_break_what_is_there() {
        let mut registry = Registry::base();
        let good = "[acme.desk]\ngroup = \"office\"\ndescription = \"Number of the desk\"\nclass = \"location\"\nformat = \"integer\"\n";
        registry.add(good).unwrap();
        let name = AttributeName::new("acme:desk").unwrap();
        assert_eq!(registry.definition(&name).unwrap().format, Format::Integer);
        let again = registry.add(good).unwrap_err();
        assert_eq!(again.to_string(), "line 1: acme.desk: is defined already");
        let no_words = good
            .replace("integer", "enumeration")
            .replace("desk", "room");
        assert_eq!(registry.add(&no_words).unwrap_err().entry, "acme.room");
        let before = "# Ours.\n[acme.seat]\ngroup = \"office\"\ndescription = \"Which\"\nclass = \"location\"\nformat = \"text\"\n\n";
        for (wrong, told) in [
            (
                good.replace("group", "gruop"),
                "line 9: acme.desk: there is no \"gruop\"; the nearest is \"group\", of",
            ),
            (
                good.replace("location", "locations"),
                "line 11: acme.desk: there is no \"locations\"; the nearest is \"location\", of",
            ),
            (
                good.replace("description", "# description"),
                "line 8: acme.desk: missing field `description`",
            ),
            (
                good.replace("integer", "enumeration"),
                "line 8: acme.desk: an enumeration has words, and nothing else has",
            ),
            (good.replace("desk]", "desk"), "line 8: "),
            (
                good.replace("acme.desk", "acme.\"a desk\""),
                "line 8: acme.a desk: ",
            ),
        ] {
            let why = registry.add(&format!("{before}{wrong}")).unwrap_err();
            assert!(why.to_string().starts_with(told), "{why}");
        }
        // Nothing of a file with something wrong in it is taken.
        let seat = AttributeName::new("acme:seat").unwrap();
        assert!(registry.definition(&seat).is_none());
    }

    #[test]
    fn texts_fit_their_format() {
        for (format, good, bad) in [
            (Format::Integer, "-5", "5.0"),
            (Format::Number, "5.5", "inf"),
            (Format::Boolean, "true", "yes"),
            (Format::Time, "2026-11-24T08:00:00Z", "now"),
            (Format::Uri, "tel:+358401234567", "no uri"),
            (Format::Location, "geo:60,25", "here"),
            (Format::Text, "any\nthing", "bell\u{7}"),
            (Format::Enumeration, "word", "two words"),
        ] {
            assert_eq!(check_text(format, None, good), Ok(()));
            let why = check_text(format, None, bad).unwrap_err();
            assert_eq!(why.element, "value");
        }
    }
}
