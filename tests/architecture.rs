//! The rules of the house: which module may name which, where the outside world may be touched, how long a file may
//! grow, and what must not stand in the repository. The tables of the rules are in `house/rules.rs`.

mod house;

use std::collections::{BTreeMap, BTreeSet};

use house::files;
use house::modules::{Named, What, module_of, names, written};
use house::rules::{
    EVENT_LOOP, FILES, GROWN_TOGETHER, LONG_FILES, MOST_LINES, SLED, TIERS, TIME, Tier,
    WITHOUT_CIRCLES_WITHIN,
};

fn covers(row: &str, module: &str) -> bool {
    match row.strip_suffix("::*") {
        Some(folder) => {
            module == folder
                || module
                    .strip_prefix(folder)
                    .is_some_and(|rest| rest.starts_with("::"))
        }
        None => row == module,
    }
}

fn is_among(rows: &[&str], module: &str) -> bool {
    rows.iter().any(|row| covers(row, module))
}

fn tier(module: &str) -> Option<Tier> {
    TIERS
        .iter()
        .flat_map(|(tier, rows)| rows.iter().map(move |row| (row, *tier)))
        .filter(|(row, _)| covers(row, module))
        .max_by_key(|(row, _)| row.len() + usize::from(!row.ends_with('*')))
        .map(|(_, tier)| tier)
}

/// Everything in these sources that breaks a rule, as sentences.
fn findings(sources: &[(String, String)]) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, _) in sources {
        if let Some(module) = module_of(path)
            && tier(&written(&module)).is_none()
        {
            findings.push(format!(
                "{path}: no row of TIERS covers {}; choose its tier",
                written(&module)
            ));
        }
    }
    let named = names(sources);
    for name in &named {
        match &name.what {
            What::Module(module) => {
                if let (Some(own), Some(other)) = (tier(&name.by), tier(module))
                    && other > own
                {
                    findings.push(format!(
                        "{}, line {}: {own:?} names {module}, which is of the {other:?}",
                        name.by, name.line
                    ));
                }
            }
            What::Outside(path) => findings.extend(
                wrong_outside(&name.by, path)
                    .map(|why| format!("{}, line {}: {why}", name.by, name.line)),
            ),
        }
    }
    findings.extend(circles(&named));
    findings
}

/// What is wrong with naming this path from outside, if anything.
fn wrong_outside(by: &str, path: &[String]) -> Option<String> {
    let first = path.first()?.as_str();
    let shown = path.join("::");
    if EVENT_LOOP.contains(&first) && tier(by).is_some_and(|tier| tier < Tier::Doors) {
        return Some(format!("{shown} belongs to the doors and the whole"));
    }
    let files = matches!(first, "std" | "tokio" | "rustix") && path.iter().any(|part| part == "fs");
    if files && !is_among(FILES, by) {
        return Some(format!("{shown} touches files; only {FILES:?} may"));
    }
    if first == "sled" && !is_among(SLED, by) {
        return Some(format!("{shown} belongs to {SLED:?}"));
    }
    let asks_time = path
        .iter()
        .zip(path.iter().skip(1))
        .any(|(kind, ask)| matches!(kind.as_str(), "Instant" | "SystemTime") && ask == "now");
    if asks_time && !is_among(TIME, by) {
        return Some(format!("{shown} asks for the time; only {TIME:?} may"));
    }
    None
}

/// Circles between folders, and between the parts of some.
fn circles(named: &[Named]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut folders = Graph::default();
    let mut parts = Graph::default();
    let mut needed = BTreeSet::new();
    for name in named {
        let What::Module(other) = &name.what else {
            continue;
        };
        let folder = |module: &str| module.split("::").next().unwrap_or_default().to_owned();
        let (from, to) = (folder(&name.by), folder(other));
        if from != to {
            folders.add(from, to, name);
        } else if WITHOUT_CIRCLES_WITHIN.contains(&from.as_str()) {
            let part = |module: &str| module.split("::").take(2).collect::<Vec<_>>().join("::");
            let (from, to) = (part(&name.by), part(other));
            if from == to {
                continue;
            }
            let together = GROWN_TOGETHER
                .iter()
                .position(|(one, two, _)| (from.as_str(), to.as_str()) == (*one, *two));
            match together {
                Some(index) => {
                    needed.insert(index);
                }
                None => parts.add(from, to, name),
            }
        }
    }
    let is_there = |module: &str| named.iter().any(|name| name.by == module);
    for (index, (one, two, _)) in GROWN_TOGETHER.iter().enumerate() {
        if is_there(one) && is_there(two) && !needed.contains(&index) {
            findings.push(format!(
                "{one} no longer names {two}: take it out of GROWN_TOGETHER"
            ));
        }
    }
    findings.extend(folders.circle());
    findings.extend(parts.circle());
    findings
}

/// Who names whom, with one example each.
#[derive(Default)]
struct Graph {
    edges: BTreeMap<String, BTreeMap<String, String>>,
}

impl Graph {
    fn add(&mut self, from: String, to: String, example: &Named) {
        let shown = format!("{} line {}", example.by, example.line);
        self.edges
            .entry(from)
            .or_default()
            .entry(to)
            .or_insert(shown);
    }

    /// One circle, if there is any, as a sentence.
    fn circle(&self) -> Option<String> {
        let mut done = BTreeSet::new();
        self.edges
            .keys()
            .find_map(|start| self.walk(start, &mut Vec::new(), &mut done))
    }

    fn walk<'a>(
        &'a self,
        at: &'a str,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<String> {
        if let Some(start) = way.iter().position(|passed| *passed == at) {
            let mut told = String::from("a circle:");
            let circle: Vec<&str> = way[start..].iter().copied().chain([at]).collect();
            for pair in circle.windows(2) {
                let example = &self.edges[pair[0]][pair[1]];
                told += &format!(" {} names {} ({example});", pair[0], pair[1]);
            }
            return Some(told);
        }
        if !done.insert(at) {
            return None;
        }
        way.push(at);
        let found = self
            .edges
            .get(at)
            .and_then(|next| next.keys().find_map(|next| self.walk(next, way, done)));
        way.pop();
        found
    }
}

fn too_long(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    let excused = LONG_FILES.iter().any(|(long, _)| *long == path);
    (lines > MOST_LINES && !excused)
        .then(|| format!("{path} has {lines} lines; split it by part ({MOST_LINES} are allowed)"))
}

/// Beginnings of absolute paths that exist on one machine only. Put together here, so that this file has none.
fn foreign_paths() -> [String; 4] {
    ["work", "root", "home", "Users"].map(|folder| format!("/{folder}/"))
}

fn names_a_machine(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for foreign in foreign_paths() {
            let absolute = line.match_indices(&foreign).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}'))
            });
            if absolute {
                findings.push(format!(
                    "{path}, line {}: {foreign} is a place on one machine only",
                    number + 1
                ));
            }
        }
    }
    findings
}

fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn modules_name_only_what_lies_below_them() {
    let sources = files::rust_sources("src");
    assert!(sources.len() > 10, "the sources were not found");
    let named = names(&sources);
    assert!(named.len() > 20, "the reader of sources found nothing");
    assert_none(&findings(&sources));
}

#[test]
fn every_row_covers_a_module() {
    let modules: Vec<String> = files::rust_sources("src")
        .iter()
        .filter_map(|(path, _)| module_of(path).map(|module| written(&module)))
        .collect();
    let found: Vec<String> = TIERS
        .iter()
        .flat_map(|(_, rows)| rows.iter())
        .filter(|row| !modules.iter().any(|module| covers(row, module)))
        .map(|row| format!("{row} covers no module: take it out of TIERS"))
        .collect();
    assert_none(&found);
}

#[test]
fn no_file_grows_without_end() {
    let sources: Vec<_> = ["src", "tests", "benches"]
        .iter()
        .flat_map(|folder| files::rust_sources(folder))
        .collect();
    let mut found: Vec<String> = sources
        .iter()
        .filter_map(|(path, text)| too_long(path, text))
        .collect();
    for (excused, _) in LONG_FILES {
        let needed = sources
            .iter()
            .any(|(path, text)| path == excused && text.lines().count() > MOST_LINES);
        if !needed {
            found.push(format!(
                "{excused} is not too long: take it out of LONG_FILES"
            ));
        }
    }
    assert_none(&found);
}

#[test]
fn nothing_names_a_place_on_one_machine() {
    let all = files::below("");
    assert!(all.iter().any(|path| path == "Cargo.toml"));
    let found: Vec<String> = all
        .iter()
        .filter_map(|path| files::text(path).map(|text| names_a_machine(path, &text)))
        .flatten()
        .collect();
    assert_none(&found);
}

mod the_checker {
    use super::*;

    fn crate_of(files: &[(&str, &str)]) -> Vec<(String, String)> {
        files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect()
    }

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        findings(&crate_of(files))
    }

    #[test]
    fn lets_a_module_name_what_lies_below() {
        assert_eq!(
            found(&[
                ("src/message/mod.rs", "pub struct Item;"),
                (
                    "src/smsc/session.rs",
                    "use crate::message::Item; fn f(_: Item) {}"
                ),
            ]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn sees_a_word_that_names_a_machine() {
        for naming in [
            "use crate::smsc::session::Session;",
            "use crate::{clock, smsc::session as s};",
            "fn f() { crate::smsc::session::f() }",
            "use crate::smsc; fn f() { smsc::session::f() }",
            "use super::smsc::session;",
            "mod inner { use super::super::smsc::session; }",
        ] {
            let found = found(&[
                ("src/clock.rs", ""),
                ("src/private.rs", naming),
                ("src/smsc/mod.rs", "pub mod session;"),
                ("src/smsc/session.rs", ""),
            ]);
            assert!(
                found.iter().any(|line| line.contains("private, line 1")),
                "{naming}: {found:?}"
            );
        }
    }

    #[test]
    fn looks_through_what_a_folder_hands_on() {
        let found = found(&[
            (
                "src/ring/mod.rs",
                "mod array; mod file; pub use array::Array; pub use file::RingFile;",
            ),
            ("src/ring/array.rs", "pub struct Array;"),
            ("src/ring/file.rs", "use super::Array; pub struct RingFile;"),
            ("src/smsc/session.rs", "use crate::ring::Array;"),
            ("src/smsc/pause.rs", "use crate::ring::RingFile;"),
        ]);
        assert_eq!(
            found,
            ["smsc::pause, line 1: Machines names ring::file, which is of the Doors"]
        );
    }

    #[test]
    fn passes_over_tests_comments_and_strings() {
        let text = r##"
            //! crate::smsc::session
            /* crate::smsc::session /* nested */ */
            const A: &str = "crate::smsc::session";
            const B: &str = r#"crate::"smsc"::session"#;
            fn f<'a>(_: &'a str) { let _ = ('"', '\'', b'"'); }
            #[cfg(test)]
            mod tests { use crate::smsc::session; fn g() { std::time::Instant::now(); } }
            #[cfg(test)]
            use crate::smsc::session;
        "##;
        assert_eq!(
            found(&[("src/private.rs", text), ("src/smsc/session.rs", "")]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn sees_what_stands_behind_tests_and_in_code_that_is_not_for_tests() {
        let text = "#[cfg(test)] mod tests { } #[cfg(not(test))] use crate::smsc::session;";
        assert_eq!(
            found(&[("src/private.rs", text), ("src/smsc/session.rs", "")]).len(),
            1
        );
    }

    #[test]
    fn sees_a_circle_between_folders() {
        let found = found(&[
            ("src/text/mod.rs", "use crate::codec::Reader;"),
            (
                "src/codec/mod.rs",
                "use crate::text::gsm; pub struct Reader;",
            ),
            ("src/text/gsm.rs", ""),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("codec names text"), "{found:?}");
        assert!(found[0].contains("text names codec"), "{found:?}");
    }

    #[test]
    fn sees_a_circle_between_parts_of_the_ring() {
        let found = found(&[
            ("src/ring/array.rs", "use super::bits;"),
            ("src/ring/bits.rs", "use super::marks;"),
            ("src/ring/marks.rs", "use super::array;"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("a circle: ring::array names"));
    }

    #[test]
    fn wants_exceptions_that_are_needed() {
        let found = found(&[
            ("src/ring/commit.rs", "use crate::clock;"),
            ("src/ring/handle.rs", "use super::commit;"),
            ("src/clock.rs", ""),
        ]);
        assert_eq!(
            found,
            ["ring::commit no longer names ring::handle: take it out of GROWN_TOGETHER"]
        );
    }

    #[test]
    fn sees_a_file_that_no_row_covers() {
        assert_eq!(
            found(&[("src/gadget.rs", "")]),
            ["src/gadget.rs: no row of TIERS covers gadget; choose its tier"]
        );
        assert_eq!(found(&[("src/ring/gadget.rs", "")]).len(), 1);
    }

    #[test]
    fn sees_the_outside_world_where_it_does_not_belong() {
        let cases = [
            ("src/smsc/session.rs", "use tokio::sync::watch;", 1),
            ("src/smsc/driver.rs", "use tokio::sync::watch;", 0),
            ("src/smsc/driver.rs", "use tokio::fs;", 1),
            ("src/smsc/driver.rs", "use std::{io, fs::File};", 1),
            ("src/ring/storage.rs", "use std::{io, fs::File};", 0),
            ("src/edge/mod.rs", "fn f() { sled::open(\"x\"); }", 1),
            ("src/store/mod.rs", "fn f() { sled::open(\"x\"); }", 0),
            (
                "src/edge/mod.rs",
                "fn f() { std::time::Instant::now(); }",
                1,
            ),
            ("src/edge/mod.rs", "fn f() { SystemTime::now(); }", 1),
            (
                "src/edge/mod.rs",
                "fn f() { tokio::time::Instant::now(); }",
                1,
            ),
            ("src/clock.rs", "fn f() { Instant::now(); }", 0),
        ];
        for (path, text, expected) in cases {
            let found = found(&[(path, text)]);
            assert_eq!(found.len(), expected, "{path} {text}: {found:?}");
        }
    }

    #[test]
    fn sees_a_long_file_and_a_machines_path() {
        assert!(too_long("src/x.rs", &"\n".repeat(MOST_LINES + 1)).is_some());
        assert!(too_long("src/x.rs", &"\n".repeat(MOST_LINES)).is_none());
        let [work, ..] = foreign_paths();
        assert_eq!(names_a_machine("a", &format!("see {work}x")).len(), 1);
        assert_eq!(names_a_machine("a", &format!("see frame{work}x")).len(), 0);
    }

    #[test]
    fn knows_tests_from_helpers() {
        let text = "fn helper() {} #[test] fn one() {} #[tokio::test(flavor = \"x\")] async fn two() {} \
            #[cfg(test)] mod tests { fn three() {} #[test] #[ignore] fn four() {} }";
        assert_eq!(house::lexer::tests_in(text), ["one", "two", "four"]);
    }
}
