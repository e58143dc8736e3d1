//! Which module of a crate names which other, and what it names from outside.

use std::collections::{BTreeMap, BTreeSet};

use super::lexer::{Token, tokens, without_tests};

/// A path that a module names, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// Who names it, as `ring::file`; the crate's root is `lib`.
    pub by: String,
    /// A module of the crate, or a path from outside.
    pub what: What,
    /// The file's line.
    pub line: usize,
}

/// What is named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// A module of this crate.
    Module(String),
    /// A path that begins with another crate's name.
    Outside(Vec<String>),
}

/// The name of the module that a file is; `None` for files outside `src`.
pub fn module_of(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let mut parts: Vec<String> = path.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    if parts == ["lib"] {
        parts.clear();
    }
    Some(parts)
}

/// As people write a module's path.
pub fn written(module: &[String]) -> String {
    if module.is_empty() {
        "lib".into()
    } else {
        module.join("::")
    }
}

/// A path found in a source, before it is known what it leads to.
struct Found {
    segments: Vec<String>,
    line: usize,
    /// The module it stands in, modules within the file included.
    inside: Vec<String>,
    /// For `use`: the name that it brings in, and whether it hands it on.
    import: Option<(String, bool)>,
}

/// Everything that the modules of these sources name, tests aside.
pub fn names(sources: &[(String, String)]) -> Vec<Named> {
    let mut files = BTreeMap::new();
    for (path, text) in sources {
        if let Some(module) = module_of(path) {
            files.insert(
                module.clone(),
                paths(&module, &without_tests(&tokens(text))),
            );
        }
    }
    // A folder is a module also where its first page is not among the sources.
    let modules: BTreeSet<Vec<String>> = files
        .keys()
        .flat_map(|module| (0..=module.len()).map(|length| module[..length].to_vec()))
        .collect();
    let mut handed_on: BTreeMap<(Vec<String>, String), Vec<String>> = BTreeMap::new();
    let mut imports: BTreeMap<(Vec<String>, String), Vec<String>> = BTreeMap::new();
    for (module, found) in &files {
        for path in found {
            let Some((name, public)) = &path.import else {
                continue;
            };
            let Some(absolute) = absolute(path, &modules, &BTreeMap::new(), module) else {
                continue;
            };
            if *public {
                handed_on.insert((module.clone(), name.clone()), absolute.clone());
            }
            imports.insert((module.clone(), name.clone()), absolute);
        }
    }
    let mut named = Vec::new();
    for (module, found) in &files {
        for path in found {
            let what = match absolute(path, &modules, &imports, module) {
                None => What::Outside(path.segments.clone()),
                Some(target) => {
                    // What a folder's first page hands on from its own parts is its table of contents.
                    let own = target.len() > module.len() && target.starts_with(module);
                    if own && matches!(path.import, Some((_, true))) {
                        continue;
                    }
                    let end = resolve(&target, &modules, &handed_on, 0);
                    if end == *module {
                        continue;
                    }
                    What::Module(written(&end))
                }
            };
            named.push(Named {
                by: written(module),
                what,
                line: path.line,
            });
        }
    }
    named
}

/// The path from the crate's root; `None` if it leads out of the crate.
fn absolute(
    path: &Found,
    modules: &BTreeSet<Vec<String>>,
    imports: &BTreeMap<(Vec<String>, String), Vec<String>>,
    file: &[String],
) -> Option<Vec<String>> {
    let (first, rest) = path.segments.split_first()?;
    let mut base = path.inside.clone();
    let mut rest = rest;
    match first.as_str() {
        "crate" | "sluice" => base.clear(),
        "self" => {}
        "super" => {
            base.pop();
            while rest.first().is_some_and(|next| next == "super") {
                base.pop();
                rest = &rest[1..];
            }
        }
        name => {
            base.push(name.to_owned());
            if !modules.contains(&base) {
                base.clone_from(imports.get(&(file.to_vec(), name.to_owned()))?);
            }
        }
    }
    base.extend_from_slice(rest);
    Some(base)
}

/// The module in which a path ends, through what modules hand on.
fn resolve(
    path: &[String],
    modules: &BTreeSet<Vec<String>>,
    handed_on: &BTreeMap<(Vec<String>, String), Vec<String>>,
    steps: usize,
) -> Vec<String> {
    let mut at = Vec::new();
    for (index, segment) in path.iter().enumerate() {
        let mut child = at.clone();
        child.push(segment.clone());
        if modules.contains(&child) {
            at = child;
            continue;
        }
        if let Some(target) = handed_on.get(&(at.clone(), segment.clone()))
            && steps < 16
        {
            let mut target = target.clone();
            target.extend_from_slice(&path[index + 1..]);
            return resolve(&target, modules, handed_on, steps + 1);
        }
        break;
    }
    at
}

fn is_name(token: &str) -> bool {
    token
        .chars()
        .next()
        .is_some_and(|c| c.is_alphabetic() || c == '_')
}

/// All paths in a file's tokens.
fn paths(module: &[String], tokens: &[Token]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut inside = module.to_vec();
    let mut depth = 0_usize;
    let mut opened: Vec<usize> = Vec::new();
    let mut at = 0;
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    while at < tokens.len() {
        match text(at) {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if opened.last() == Some(&depth) {
                    opened.pop();
                    inside.pop();
                }
            }
            "mod" if is_name(text(at + 1)) && text(at + 2) == "{" => {
                inside.push(text(at + 1).to_owned());
                opened.push(depth);
                depth += 1;
                at += 2;
            }
            "use" if is_name(text(at + 1)) || text(at + 1) == "::" || text(at + 1) == "{" => {
                let public = at > 0 && matches!(text(at - 1), "pub" | ")");
                at = tree(tokens, at + 1, &[], &inside, public, &mut found);
                continue;
            }
            name if is_name(name)
                && text(at + 1) == "::"
                && (at == 0 || !matches!(text(at - 1), "::" | ".")) =>
            {
                let line = tokens[at].line;
                let mut segments = vec![name.to_owned()];
                while text(at + 1) == "::" && is_name(text(at + 2)) {
                    segments.push(text(at + 2).to_owned());
                    at += 2;
                }
                found.push(Found {
                    segments,
                    line,
                    inside: inside.clone(),
                    import: None,
                });
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// One tree of a `use`; gives the place after it.
fn tree(
    tokens: &[Token],
    mut at: usize,
    before: &[String],
    inside: &[String],
    public: bool,
    found: &mut Vec<Found>,
) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut segments = before.to_vec();
    let line = tokens.get(at).map_or(0, |token| token.line);
    loop {
        match text(at) {
            "::" => at += 1,
            "{" => {
                at += 1;
                while !matches!(text(at), "}" | "") {
                    at = tree(tokens, at, &segments, inside, public, found);
                    if text(at) == "," {
                        at += 1;
                    }
                }
                return at + 1;
            }
            "*" => {
                at += 1;
                break;
            }
            "self" if !segments.is_empty() => at += 1,
            name if is_name(name) && name != "as" => {
                segments.push(name.to_owned());
                at += 1;
            }
            _ => break,
        }
    }
    let mut name = segments.last().cloned().unwrap_or_default();
    if text(at) == "as" {
        text(at + 1).clone_into(&mut name);
        at += 2;
    }
    found.push(Found {
        segments,
        line,
        inside: inside.to_vec(),
        import: Some((name, public)),
    });
    at
}
