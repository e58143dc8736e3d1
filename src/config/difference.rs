//! What a changed configuration changes, and what it takes for that to come about.

use std::collections::BTreeSet;
use std::fmt;

use super::tree::{Node, Step, Value};

/// What a change takes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Effect {
    /// It is taken up at once; no session notices.
    AtOnce,
    /// The SMSC session of this lane is made anew; the other lanes go on.
    Session,
    /// The link is made anew; SMSC sessions go on.
    Link,
    /// It waits for the next start.
    Restart,
}

impl Effect {
    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::AtOnce => "taken up at once",
            Self::Session => "the lane's SMSC session is made anew",
            Self::Link => "the link is made anew",
            Self::Restart => "waits for a restart",
        }
    }
}

/// Options by pattern, the first that fits counts. `*` is any name or number, a row also stands for all below it.
pub type Effects = &'static [(&'static str, Effect)];

/// One option that changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The option, as in `lane[carrier-1].throughput`.
    pub option: String,
    /// The lane or section of a list that it is about.
    pub section: Option<String>,
    /// What it was.
    pub before: String,
    /// What it is now.
    pub after: String,
    /// What it takes.
    pub effect: Effect,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            option,
            before,
            after,
            effect,
            ..
        } = self;
        write!(f, "{option}: {before} -> {after} ({})", effect.words())
    }
}

/// All options that differ, in order.
pub(super) fn between(before: &Node, after: &Node, effects: Effects) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(
        Some(before),
        Some(after),
        &mut Vec::new(),
        effects,
        &mut changes,
    );
    changes
}

/// A step, with lists of sections by name so that order does not matter.
#[derive(Clone)]
enum Named {
    Key(String),
    Section(String),
}

fn compare(
    before: Option<&Node>,
    after: Option<&Node>,
    way: &mut Vec<Named>,
    effects: Effects,
    changes: &mut Vec<Change>,
) {
    if let Some(steps) = parts(before, after) {
        for step in steps {
            let (before, after) = (
                before.and_then(|node| at(node, &step)),
                after.and_then(|node| at(node, &step)),
            );
            way.push(step);
            compare(before, after, way, effects, changes);
            way.pop();
        }
        return;
    }
    let (old, new) = (
        before.map(|node| &node.value),
        after.map(|node| &node.value),
    );
    if same(old, new) {
        return;
    }
    let (before, after) = match (old, new) {
        (Some(Value::Secret(_)), Some(Value::Secret(_))) => {
            (String::from("a secret"), String::from("another secret"))
        }
        _ => (shown(old), shown(new)),
    };
    changes.push(Change {
        option: written(way),
        section: way.iter().rev().find_map(|step| match step {
            Named::Section(name) => Some(name.clone()),
            Named::Key(_) => None,
        }),
        before,
        after,
        effect: effect(way, effects),
    });
}

/// The parts that both or one of them have; nothing if these are values and no sections.
fn parts(before: Option<&Node>, after: Option<&Node>) -> Option<Vec<Named>> {
    let mut keys = BTreeSet::new();
    let mut sections: Vec<String> = Vec::new();
    for node in [before, after].into_iter().flatten() {
        match &node.value {
            Value::Table(entries) => keys.extend(entries.keys().cloned()),
            Value::List(nodes)
                if !nodes.is_empty() && nodes.iter().all(|node| node.name().is_some()) =>
            {
                for name in nodes.iter().filter_map(Node::name) {
                    if !sections.iter().any(|known| known == name) {
                        sections.push(name.to_owned());
                    }
                }
            }
            _ => return None,
        }
    }
    let keys = keys.into_iter().map(Named::Key);
    Some(
        keys.chain(sections.into_iter().map(Named::Section))
            .collect(),
    )
}

fn at<'n>(node: &'n Node, step: &Named) -> Option<&'n Node> {
    match (step, &node.value) {
        (Named::Key(key), _) => node.step(&Step::Key(key.clone())),
        (Named::Section(name), Value::List(nodes)) => {
            nodes.iter().find(|node| node.name() == Some(name))
        }
        (Named::Section(_), _) => None,
    }
}

fn same(one: Option<&Value>, other: Option<&Value>) -> bool {
    match (one, other) {
        (Some(Value::List(one)), Some(Value::List(other))) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| same(Some(&one.value), Some(&other.value)))
        }
        (Some(Value::Table(one)), Some(Value::Table(other))) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|((key, one), (same_key, other))| {
                        key == same_key && same(Some(&one.node.value), Some(&other.node.value))
                    })
        }
        (one, other) => one == other,
    }
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => String::from("default"),
        Some(Value::Text(text)) => format!("{text:?}"),
        Some(Value::Secret(_)) => String::from("a secret"),
        Some(Value::Integer(number)) => number.to_string(),
        Some(Value::Float(number)) => number.to_string(),
        Some(Value::Boolean(boolean)) => boolean.to_string(),
        Some(Value::Time(time)) => time.clone(),
        Some(Value::List(nodes)) => {
            let nodes: Vec<String> = nodes.iter().map(|node| shown(Some(&node.value))).collect();
            format!("[{}]", nodes.join(", "))
        }
        Some(Value::Table(entries)) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, entry)| format!("{key} = {}", shown(Some(&entry.node.value))))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

fn written(way: &[Named]) -> String {
    let mut told = String::new();
    for step in way {
        match step {
            Named::Key(key) if told.is_empty() => told.push_str(key),
            Named::Key(key) => told.push_str(&format!(".{key}")),
            Named::Section(name) => told.push_str(&format!("[{name}]")),
        }
    }
    told
}

fn effect(way: &[Named], effects: Effects) -> Effect {
    let steps: Vec<&str> = way
        .iter()
        .map(|step| match step {
            Named::Key(key) => key.as_str(),
            Named::Section(_) => "*",
        })
        .collect();
    effects
        .iter()
        .find(|(pattern, _)| {
            let pattern: Vec<&str> = pattern.split('.').collect();
            pattern.len() <= steps.len()
                && pattern.iter().zip(&steps).all(|(one, other)| one == other)
        })
        // What nobody thought of waits for a restart: that is always right.
        .map_or(Effect::Restart, |(_, effect)| *effect)
}
