//! Secrets stand in files of their own, or come from systemd; the configuration names them and never holds them.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::fault::Fault;
use super::tree::{Entry, Node, Place, Step, Tree, Value};

/// Options that are secrets; the key that is written has `_file` behind it.
const SECRETS: &[&str] = &["password", "secret"];
/// What stands before the name of a credential.
const CREDENTIAL: &str = "credential:";
/// Where root puts secrets for the units, which load all of it under this name.
const HANDED_OVER: &str = "/etc/sluice/credentials";
const WHOLE: &str = "sluice";
/// Longest secret, in octets: several times what any protocol here takes; a wrong file named by mistake is noticed.
const MAX_SECRET: u64 = 4096;

/// Whether an option is a secret.
pub(super) fn is_secret(key: &str) -> bool {
    SECRETS.contains(&key)
}

/// Reads all secrets that the tree names, and puts them where the types expect them.
pub(super) fn fetch(tree: &mut Tree, credentials: Option<&Path>) -> Result<(), Vec<Fault>> {
    let mut wrong = Vec::new();
    let mut root = tree.root.clone();
    walk(&mut root, credentials, &mut Vec::new(), &mut wrong);
    if wrong.is_empty() {
        tree.root = root;
        return Ok(());
    }
    Err(wrong
        .into_iter()
        .map(|(place, way, what)| tree.fault(Some(place), &way, what))
        .collect())
}

type Wrong = Vec<(Place, Vec<Step>, String)>;

fn walk(node: &mut Node, credentials: Option<&Path>, way: &mut Vec<Step>, wrong: &mut Wrong) {
    match &mut node.value {
        Value::List(nodes) => {
            for (index, node) in nodes.iter_mut().enumerate() {
                way.push(Step::Index(index));
                walk(node, credentials, way, wrong);
                way.pop();
            }
        }
        Value::Table(entries) => {
            for (key, entry) in entries.iter_mut() {
                way.push(Step::Key(key.clone()));
                if is_secret(key) {
                    wrong.push((entry.key, way.clone(), inline(key)));
                } else {
                    walk(&mut entry.node, credentials, way, wrong);
                }
                way.pop();
            }
            for &secret in SECRETS {
                let key = format!("{secret}_file");
                let Some(entry) = entries.remove(&key) else {
                    continue;
                };
                way.push(Step::Key(key));
                match read(&entry.node, credentials) {
                    Ok(value) => {
                        let node = Node {
                            place: entry.node.place,
                            value: Value::Secret(value),
                        };
                        let entry = Entry { node, ..entry };
                        entries.insert(secret.to_owned(), entry);
                    }
                    Err(what) => wrong.push((entry.node.place, way.clone(), what)),
                }
                way.pop();
            }
        }
        _ => {}
    }
}

fn inline(key: &str) -> String {
    format!(
        "secrets do not stand in a configuration; put it into {HANDED_OVER}/NAME and write {key}_file = \
         \"credential:NAME\", or into a file that only the service reads and write {key}_file = \"/etc/sluice/NAME.secret\""
    )
}

fn read(node: &Node, credentials: Option<&Path>) -> Result<String, String> {
    let Value::Text(named) = &node.value else {
        return Err(String::from(
            "a secret is named by its file, as in \"/etc/sluice/NAME.secret\" or \"credential:NAME\"",
        ));
    };
    let Some(name) = named.strip_prefix(CREDENTIAL) else {
        return read_file(Path::new(named), true);
    };
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        return Err(format!(
            "{name:?} is no name of a credential; write it as in \"credential:carrier-1\""
        ));
    }
    let Some(directory) = credentials else {
        return Err(format!(
            "credential {name} comes from systemd, and this process has none; the unit hands over what lies in \
             {HANDED_OVER}, or name a file here"
        ));
    };
    // A directory that is loaded as a whole stands before the name.
    let whole = directory.join(format!("{WHOLE}_{name}"));
    let path = if whole.exists() {
        whole
    } else {
        directory.join(name)
    };
    read_file(&path, false).map_err(|why| {
        format!("{why}; it belongs into {HANDED_OVER}/{name}, from where the unit hands it over")
    })
}

fn read_file(path: &Path, guarded: bool) -> Result<String, String> {
    let shown = path.display();
    if !path.is_absolute() {
        return Err(format!(
            "{shown} depends on where the service is started; write the whole path, as in /etc/sluice/{shown}"
        ));
    }
    let failed = |why: std::io::Error| match why.kind() {
        std::io::ErrorKind::PermissionDenied => format!(
            "cannot read {shown}: {why}; give it to the service's group (`chgrp sluice`, `chmod 640`), or run this as root"
        ),
        _ => format!("cannot read {shown}: {why}"),
    };
    let file = fs::File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode() & 0o7777;
    if guarded && mode & 0o007 != 0 {
        return Err(format!(
            "{shown} has mode {mode:04o}, so everybody on this machine can read it; run `chmod 640` on it, and ask for \
             another secret if somebody did"
        ));
    }
    let mut octets = Vec::new();
    file.take(MAX_SECRET + 1)
        .read_to_end(&mut octets)
        .map_err(failed)?;
    if octets.len() as u64 > MAX_SECRET {
        return Err(format!(
            "{shown} is longer than any secret ({MAX_SECRET} octets)"
        ));
    }
    let text = String::from_utf8(octets).map_err(|_| format!("{shown} holds more than text"))?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    match secret {
        "" => Err(format!("{shown} is empty")),
        lines if lines.contains('\n') => Err(format!("{shown} has more than one line")),
        secret => Ok(secret.to_owned()),
    }
}

/// Where systemd put this process's credentials, if it gave it any.
pub(super) fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}
