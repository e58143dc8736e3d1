//! What stands in the files, each value with its place: files are laid over one another here, before types are asked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Fault;

/// Where something stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// Which of the sources.
    file: usize,
    /// Octets from its beginning.
    at: usize,
}

/// A value with its place.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// A value.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Value {
    /// A text.
    Text(String),
    /// A secret that came out of a file of its own.
    Secret(String),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// Yes or no.
    Boolean(bool),
    /// A date or time, as it is written; no option takes one.
    Time(String),
    /// A list.
    List(Vec<Node>),
    /// A section. Keys are in order.
    Table(BTreeMap<String, Entry>),
}

/// A key's place, and what it is set to.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Entry {
    pub(super) key: Place,
    pub(super) node: Node,
}

/// One step on the way to a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Into a section.
    Key(String),
    /// To an entry of a list, counted from 0.
    Index(usize),
}

/// A file's path and what it holds.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// The files, laid over one another.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) sources: Vec<Source>,
    pub(super) root: Node,
}

impl Tree {
    /// A file without anything.
    pub(super) const fn empty() -> Self {
        Self {
            sources: Vec::new(),
            root: Node {
                place: Place { file: 0, at: 0 },
                value: Value::Table(BTreeMap::new()),
            },
        }
    }

    /// Whether there is a section of this name.
    pub(super) fn has(&self, section: &str) -> bool {
        match &self.root.value {
            Value::Table(sections) => sections.contains_key(section),
            _ => false,
        }
    }

    /// Lays a file over what is there: its sections are merged, its values replace those before; an entry of a list
    /// of sections is merged with the one of the same `name`, and added if there is none.
    pub(super) fn lay_over(&mut self, path: PathBuf, text: String) -> Result<(), Fault> {
        let file = self.sources.len();
        let parsed = DeTable::parse(&text);
        // A file that cannot be read is named in what is said about it, so it counts before it is known to be good.
        let found = match &parsed {
            Ok(table) => Ok(node(
                file,
                table.span().start,
                &DeValue::Table(table.get_ref().clone()),
            )),
            Err(why) => Err((why.span().map(|span| span.start), plain(why.message()))),
        };
        drop(parsed);
        self.sources.push(Source { path, text });
        let found = found.and_then(|node| node).map_err(|(at, what)| {
            let place = at.map(|at| Place { file, at });
            self.fault(place, &[], what)
        })?;
        merge(&mut self.root, found);
        Ok(())
    }

    /// A sentence about a place.
    pub(super) fn fault(&self, place: Option<Place>, way: &[Step], what: String) -> Fault {
        let place = place.unwrap_or(self.root.place);
        let source = self.sources.get(place.file);
        let (line, column) = source.map_or((1, 1), |source| position(&source.text, place.at));
        Fault {
            file: source.map_or_else(PathBuf::new, |source| source.path.clone()),
            line,
            column,
            option: self.written(way),
            what,
        }
    }

    /// A way as people write it: lists of sections by name where they have one.
    pub(super) fn written(&self, way: &[Step]) -> String {
        let mut told = String::new();
        let mut at = Some(&self.root);
        for step in way {
            at = at.and_then(|node| node.step(step));
            match step {
                Step::Key(key) => {
                    if !told.is_empty() {
                        told.push('.');
                    }
                    told.push_str(key);
                }
                Step::Index(index) => match at.and_then(Node::name) {
                    Some(name) => told.push_str(&format!("[{name}]")),
                    None => told.push_str(&format!("[{}]", index + 1)),
                },
            }
        }
        told
    }

    /// Where the value at the end of a way stands; where it is left to its default, the section that it belongs to.
    pub(super) fn place(&self, way: &[Step]) -> Place {
        let mut at = &self.root;
        let mut place = at.place;
        for step in way {
            match at.step(step) {
                Some(next) => at = next,
                None => break,
            }
            place = at.place;
        }
        place
    }
}

impl Node {
    pub(super) fn step(&self, step: &Step) -> Option<&Self> {
        match (&self.value, step) {
            (Value::Table(entries), Step::Key(key)) => entries.get(key).map(|entry| &entry.node),
            (Value::List(nodes), Step::Index(index)) => nodes.get(*index),
            _ => None,
        }
    }

    /// What a section is called, if it is.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.step(&Step::Key(String::from("name")))?.value {
            Value::Text(name) => Some(name),
            _ => None,
        }
    }
}

type Found = Result<Node, (Option<usize>, String)>;

fn node(file: usize, at: usize, value: &DeValue<'_>) -> Found {
    let place = Place { file, at };
    let beyond = |what: &str| {
        Err((
            Some(at),
            format!("{what} is larger than any number here may be"),
        ))
    };
    let value = match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => {
            match i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()) {
                Ok(number) => Value::Integer(number),
                Err(_) => return beyond(&number.to_string()),
            }
        }
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(number) => Value::Float(number),
            Err(_) => return beyond(number.as_str()),
        },
        DeValue::Boolean(boolean) => Value::Boolean(*boolean),
        DeValue::Datetime(time) => Value::Time(time.to_string()),
        DeValue::Array(nodes) => Value::List(
            nodes
                .iter()
                .map(|spanned| node(file, spanned.span().start, spanned.get_ref()))
                .collect::<Result<_, _>>()?,
        ),
        DeValue::Table(entries) => Value::Table(
            entries
                .iter()
                .map(|(key, value)| entry(file, key, value))
                .collect::<Result<_, _>>()?,
        ),
    };
    Ok(Node { place, value })
}

fn entry(
    file: usize,
    key: &Spanned<std::borrow::Cow<'_, str>>,
    value: &Spanned<DeValue<'_>>,
) -> Result<(String, Entry), (Option<usize>, String)> {
    let place = Place {
        file,
        at: key.span().start,
    };
    let node = node(file, value.span().start, value.get_ref())?;
    Ok((key.get_ref().to_string(), Entry { key: place, node }))
}

fn merge(below: &mut Node, above: Node) {
    let Node { place, value } = above;
    match (&mut below.value, value) {
        (Value::Table(entries), Value::Table(above)) => {
            for (key, entry) in above {
                match entries.get_mut(&key) {
                    Some(below) => {
                        below.key = entry.key;
                        merge(&mut below.node, entry.node);
                    }
                    None => {
                        entries.insert(key, entry);
                    }
                }
            }
            below.place = place;
        }
        (Value::List(nodes), Value::List(above)) if are_named(nodes) && are_named(&above) => {
            for section in above {
                match nodes.iter_mut().find(|node| node.name() == section.name()) {
                    Some(same) => merge(same, section),
                    None => nodes.push(section),
                }
            }
        }
        (_, value) => *below = Node { place, value },
    }
}

/// Whether a list is one of sections, each with a name of its own.
fn are_named(nodes: &[Node]) -> bool {
    let names: std::collections::BTreeSet<_> = nodes.iter().filter_map(Node::name).collect();
    !nodes.is_empty() && names.len() == nodes.len()
}

/// Line and column, counted from 1; columns are characters.
fn position(text: &str, at: usize) -> (usize, usize) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    (line, column)
}

/// The parser's words, in one line.
fn plain(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
