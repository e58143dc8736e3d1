//! Configuration: one TOML file for each mode, drop-ins beside it, and types that refuse what makes no sense.
//!
//! `edge.toml` is read first, then `edge.d/*.toml` in the order of their names; each is laid over those before
//! ([docs/configuration.md](../../docs/configuration.md) says how). What stands there is typed: an unknown key, a wrong
//! value and a secret written in plain are refused with file, line, column, and what would be right. The types of a
//! section belong to the module that uses it; this part knows none of them.

mod difference;
mod fault;
mod read;
mod secret;
mod tree;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

pub use difference::{Change, Effect, Effects};
pub use fault::{ConfigError, Fault};
use tree::{Place, Step, Tree};

use crate::message::Refused;

/// Longest configuration file, in octets: a thousand lanes are a tenth of it.
const MAX_FILE: u64 = 4 << 20;

/// What a file holds when it is read.
pub trait Document: DeserializeOwned {
    /// The mode that reads it, as in `edge`.
    const MODE: &'static str;
    /// What the change of an option takes.
    const EFFECTS: Effects;
    /// The other mode, and sections that only that has: who names its file is told so.
    const OTHER: (&'static str, &'static [&'static str]);

    /// What types alone cannot say: values that do not fit one another, names that are none.
    fn check(&self, findings: &mut Findings<'_>);
}

/// A configuration that can be run, and the files that it came from.
#[derive(Debug)]
pub struct Loaded<D> {
    /// The options.
    pub config: D,
    /// What is allowed, and what an operator should know of all the same.
    pub warnings: Vec<Fault>,
    tree: Tree,
}

impl<D: Document> Loaded<D> {
    /// The files, in the order in which they were read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.tree.sources.iter().map(|source| source.path.as_path())
    }

    /// What a newer configuration changes.
    pub fn difference(&self, newer: &Self) -> Vec<Change> {
        difference::between(&self.tree.root, &newer.tree.root, D::EFFECTS)
    }
}

/// Collects what a document's check finds, each with its place.
#[derive(Debug)]
pub struct Findings<'t> {
    tree: &'t Tree,
    way: Vec<Step>,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
}

impl Findings<'_> {
    /// Goes into a section.
    pub fn within(&mut self, key: &str, look: impl FnOnce(&mut Self)) {
        self.way.push(Step::Key(key.to_owned()));
        look(self);
        self.way.pop();
    }

    /// Goes through a list of sections.
    pub fn each<'s, S: 's>(
        &mut self,
        key: &str,
        sections: impl IntoIterator<Item = &'s S>,
        mut look: impl FnMut(&mut Self, &'s S),
    ) {
        self.way.push(Step::Key(key.to_owned()));
        for (index, section) in sections.into_iter().enumerate() {
            self.way.push(Step::Index(index));
            look(self, section);
            self.way.pop();
        }
        self.way.pop();
    }

    /// An option of this section cannot be as it is. An empty key speaks of the section itself.
    pub fn refuse(&mut self, key: &str, what: impl Into<String>) {
        let fault = self.fault(key, what.into());
        self.faults.push(fault);
    }

    /// An option of this section may be as it is, and an operator should know.
    pub fn warn(&mut self, key: &str, what: impl Into<String>) {
        let fault = self.fault(key, what.into());
        self.warnings.push(fault);
    }

    /// What a section's own check said.
    pub fn take(&mut self, checked: Result<(), Refused>) {
        if let Err(refused) = checked {
            self.refuse(refused.field, refused.reason);
        }
    }

    /// The same, of a section whose check speaks of options within sections of its own, as in `phones.number`.
    pub fn take_deep(&mut self, checked: Result<(), Refused>) {
        let Err(Refused { field, reason }) = checked else {
            return;
        };
        let mut way: Vec<&str> = field.split('.').collect();
        let key = way.pop().unwrap_or_default();
        let depth = self.way.len();
        let steps = way.into_iter().map(|key| Step::Key(key.to_owned()));
        self.way.extend(steps);
        self.refuse(key, reason);
        self.way.truncate(depth);
    }

    fn fault(&self, key: &str, what: String) -> Fault {
        let mut way = self.way.clone();
        if !key.is_empty() {
            way.push(Step::Key(key.to_owned()));
        }
        let place: Place = self.tree.place(&way);
        if secret::is_secret(key) {
            way.pop();
            way.push(Step::Key(format!("{key}_file")));
        }
        self.tree.fault(Some(place), &way, what)
    }
}

/// Reads a configuration: the file, its drop-ins, and the secrets that they name.
pub fn load<D: Document>(file: &Path) -> Result<Loaded<D>, ConfigError> {
    load_with(file, secret::credentials().as_deref())
}

/// The same, with the directory where credentials lie.
pub fn load_with<D: Document>(
    file: &Path,
    credentials: Option<&Path>,
) -> Result<Loaded<D>, ConfigError> {
    let one = |fault| ConfigError::Faults(vec![fault]);
    let mut tree = Tree::empty();
    let beside = drop_ins(&file.with_extension("d")).map_err(|(file, source)| {
        let mode = D::MODE;
        ConfigError::Read { file, mode, source }
    })?;
    for path in std::iter::once(file.to_owned()).chain(beside) {
        let text = text(&path).map_err(|source| ConfigError::Read {
            file: path.clone(),
            mode: D::MODE,
            source,
        })?;
        tree.lay_over(path, text).map_err(one)?;
    }
    secret::fetch(&mut tree, credentials).map_err(ConfigError::Faults)?;
    let config: D = read::read(&tree).map_err(|mut fault| {
        let (other, theirs) = D::OTHER;
        if theirs.iter().any(|section| tree.has(section)) {
            fault.what.push_str(&format!(
                "; this is a configuration of {other}: `sluice check {other}`, `sluice {other}`"
            ));
        }
        one(fault)
    })?;
    let mut findings = Findings {
        tree: &tree,
        way: Vec::new(),
        faults: Vec::new(),
        warnings: Vec::new(),
    };
    config.check(&mut findings);
    let Findings {
        faults, warnings, ..
    } = findings;
    if !faults.is_empty() {
        return Err(ConfigError::Faults(faults));
    }
    Ok(Loaded {
        config,
        warnings,
        tree,
    })
}

fn text(path: &Path) -> io::Result<String> {
    let length = fs::metadata(path)?.len();
    if length > MAX_FILE {
        return Err(io::Error::other(format!(
            "it has {length} octets, more than any configuration ({MAX_FILE})"
        )));
    }
    fs::read_to_string(path)
}

/// The drop-ins of a directory, in the order of their names; none if it is not there.
fn drop_ins(directory: &Path) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    let failed = |source| (directory.to_owned(), source);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(failed(why)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.extension().is_some_and(|ending| ending == "toml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
