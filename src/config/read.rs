//! Hands the tree to the types, and finds the place again of what they refuse.

use std::fmt;

use serde::Deserializer;
use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::fault::{Fault, unknown, unknown_word};
use super::tree::{Entry, Node, Place, Step, Tree, Value};

/// Reads a value of the whole tree.
pub(super) fn read<T: DeserializeOwned>(tree: &Tree) -> Result<T, Fault> {
    T::deserialize(At(&tree.root)).map_err(|trouble| {
        let way: Vec<Step> = trouble.way.into_iter().rev().collect();
        tree.fault(trouble.place.or(Some(tree.root.place)), &way, trouble.what)
    })
}

/// What a type refused; the way is from the value outwards.
#[derive(Debug)]
struct Trouble {
    place: Option<Place>,
    way: Vec<Step>,
    what: String,
}

impl Trouble {
    fn within(mut self, place: Place, step: Step) -> Self {
        self.place.get_or_insert(place);
        self.way.push(step);
        self
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Trouble {}

impl From<String> for Trouble {
    fn from(what: String) -> Self {
        Self {
            place: None,
            way: Vec::new(),
            what,
        }
    }
}

/// Types say what they expect in the words of the language; operators get others.
fn expected(wanted: &dyn de::Expected) -> String {
    let wanted = wanted.to_string();
    let plain = match wanted.as_str() {
        "a string" | "string" => "a text in quotes",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a section",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number from 0 on",
        "i64" | "i32" => "a whole number",
        "f64" | "f32" => "a number",
        "path string" => "a path in quotes",
        other if other.starts_with("struct ") => "a section",
        other if other.starts_with("enum ") || other.starts_with("string or map") => {
            "a word in quotes"
        }
        other => other,
    };
    plain.to_owned()
}

fn found(unexpected: &Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(boolean) => boolean.to_string(),
        Unexpected::Unsigned(number) => number.to_string(),
        Unexpected::Signed(number) => number.to_string(),
        Unexpected::Float(number) => number.to_string(),
        Unexpected::Str(text) => format!("{text:?}"),
        Unexpected::Seq => String::from("a list"),
        Unexpected::Map => String::from("a section"),
        other => other.to_string(),
    }
}

impl de::Error for Trouble {
    fn custom<T: fmt::Display>(what: T) -> Self {
        match what.to_string().as_str() {
            // The words of the standard library.
            "invalid socket address syntax" => String::from(
                "is no address with a port; write it as in \"127.0.0.1:9000\" or \"[::]:9000\"",
            ),
            told => told.to_owned(),
        }
        .into()
    }

    fn invalid_type(unexpected: Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        let wanted = expected(wanted);
        let found = found(&unexpected);
        let hint = match unexpected {
            Unexpected::Signed(_) | Unexpected::Unsigned(_) if wanted == "a text in quotes" => {
                format!(", as in \"{found}\" or, for a time, \"{found}s\"")
            }
            _ => String::new(),
        };
        format!("is {found}, and {wanted} is expected{hint}").into()
    }

    fn invalid_value(unexpected: Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        format!(
            "is {}, and {} is expected",
            found(&unexpected),
            expected(wanted)
        )
        .into()
    }

    fn invalid_length(length: usize, wanted: &dyn de::Expected) -> Self {
        format!("has {length} entries, and {} is expected", expected(wanted)).into()
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        unknown_word(word, known).into()
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        unknown(key, known).into()
    }

    fn missing_field(key: &'static str) -> Self {
        format!("`{key}` is missing, and has no default").into()
    }

    fn duplicate_field(key: &'static str) -> Self {
        format!("`{key}` is there twice").into()
    }
}

/// A place in the tree, as types read it.
#[derive(Clone, Copy)]
struct At<'t>(&'t Node);

impl<'de> Deserializer<'de> for At<'_> {
    type Error = Trouble;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Trouble> {
        match &self.0.value {
            Value::Text(text) => visitor.visit_str(text),
            // What is said about a secret must not repeat it.
            Value::Secret(secret) => visitor.visit_string(secret.clone()).map_err(|_: Trouble| {
                String::from("a secret is a text, and something else is expected").into()
            }),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(boolean) => visitor.visit_bool(*boolean),
            Value::Time(time) => Err(format!(
                "{time} is a date, and no option takes one; write texts in quotes"
            )
            .into()),
            Value::List(nodes) => visitor.visit_seq(Nodes { next: 0, nodes }),
            Value::Table(entries) => visitor.visit_map(Entries::of(entries)),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Trouble> {
        match self.0.value {
            Value::Integer(number) => visitor.visit_f64(number as f64),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Trouble> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Trouble> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Trouble> {
        match &self.0.value {
            Value::Text(word) => visitor.visit_enum(word.as_str().into_deserializer()),
            // Some choices are numbers, as a character's bits.
            Value::Integer(number) => visitor.visit_enum(number.to_string().into_deserializer()),
            Value::Table(entries) => {
                visitor.visit_enum(MapAccessDeserializer::new(Entries::of(entries)))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

struct Nodes<'t> {
    next: usize,
    nodes: &'t [Node],
}

impl<'de> de::SeqAccess<'de> for Nodes<'_> {
    type Error = Trouble;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Trouble> {
        let index = self.next;
        let Some(node) = self.nodes.get(index) else {
            return Ok(None);
        };
        self.next += 1;
        seed.deserialize(At(node))
            .map(Some)
            .map_err(|trouble| trouble.within(node.place, Step::Index(index)))
    }
}

struct Entries<'t> {
    entries: std::collections::btree_map::Iter<'t, String, Entry>,
    value: Option<(&'t String, &'t Node)>,
}

impl<'t> Entries<'t> {
    fn of(entries: &'t std::collections::BTreeMap<String, Entry>) -> Self {
        Self {
            entries: entries.iter(),
            value: None,
        }
    }
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = Trouble;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Trouble> {
        let Some((key, entry)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some((key, &entry.node));
        let written: StringDeserializer<Trouble> = key.clone().into_deserializer();
        seed.deserialize(written)
            .map(Some)
            .map_err(|trouble| trouble.within(entry.key, Step::Key(key.clone())))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Trouble> {
        let (key, node) = self
            .value
            .take()
            .expect("a value is asked for after its key");
        seed.deserialize(At(node))
            .map_err(|trouble| trouble.within(node.place, Step::Key(key.clone())))
    }
}
