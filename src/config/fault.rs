//! What is wrong with a configuration, so that who wrote it finds the place and knows what to write instead.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Something that is wrong, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// The option, as in `lane[carrier-1].smpp.system_id`; empty for the file as a whole.
    pub option: String,
    /// What is wrong with it, and what would be right.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            option,
            what,
        } = self;
        write!(f, "{}:{line}:{column}: ", file.display())?;
        if !option.is_empty() {
            write!(f, "{option}: ")?;
        }
        f.write_str(what)
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}; `--config FILE` names another configuration of this {mode}", file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// For which mode it was to be read.
        mode: &'static str,
        /// What the machine said.
        source: io::Error,
    },
    /// What stands in it makes no sense.
    #[error("{}", lines(.0))]
    Faults(Vec<Fault>),
}

fn lines(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(Fault::to_string).collect();
    lines.join("\n")
}

/// A wrong key may be so far from a right one for it to be what was meant: more is another word.
fn is_near(distance: usize, key: &str) -> bool {
    distance <= 1 + key.chars().count() / 4
}

/// What to say of a key that is none.
pub(super) fn unknown(key: &str, known: &[&str]) -> String {
    // What is written is the file, never the secret itself.
    let mut known: Vec<String> = known
        .iter()
        .map(|known| match super::secret::is_secret(known) {
            true => format!("{known}_file"),
            false => (*known).to_owned(),
        })
        .collect();
    known.sort_unstable();
    let distance = |known: &String| strsim::damerau_levenshtein(&key.to_lowercase(), known);
    let nearest = known.iter().min_by_key(|known| distance(known));
    match nearest {
        None => String::from("there is no such key, and none may stand here"),
        Some(nearest) if is_near(distance(nearest), nearest) => {
            format!("there is no such key; the nearest is `{nearest}`")
        }
        Some(_) => format!("there is no such key; there are {}", list(&known)),
    }
}

/// What to say of a word that is none of those that may stand there.
pub(super) fn unknown_word(word: &str, known: &[&str]) -> String {
    let known: Vec<String> = known.iter().map(|known| (*known).to_owned()).collect();
    format!("{word:?} is none of {}", list(&known))
}

fn list(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        [] => String::from("nothing"),
        [one] => one.clone(),
        [some @ .., last] => format!("{} and {last}", some.join(", ")),
    }
}
