//! `docs/requirements.md` is held to what the repository has: every code stands there once, and what is claimed is
//! shown by tests that exist.

mod house;

use std::collections::BTreeMap;

use house::{files, lexer};

/// Every group of codes, and how many it has.
const CODES: &[(&str, u32)] = &[
    ("G", 18),
    ("P", 15),
    ("M", 4),
    ("H", 11),
    ("S", 6),
    ("A", 4),
];

/// One row of the page.
#[derive(Debug)]
struct Row {
    line: usize,
    code: String,
    state: String,
    places: Vec<String>,
    tests: Vec<String>,
}

/// What the repository has.
struct Repository {
    files: Vec<String>,
    tests: Vec<String>,
}

impl Repository {
    fn read() -> Self {
        let tests = ["src", "tests"]
            .iter()
            .flat_map(|folder| files::rust_sources(folder))
            .flat_map(|(_, text)| lexer::tests_in(&text))
            .collect();
        Self {
            files: files::below(""),
            tests,
        }
    }

    fn has_place(&self, place: &str) -> bool {
        let folder = format!("{}/", place.trim_end_matches('/'));
        self.files
            .iter()
            .any(|file| file == place || file.starts_with(&folder))
    }

    fn has_test(&self, name: &str) -> bool {
        self.tests.iter().any(|test| test == name)
    }

    fn has_test_of(&self, code: &str) -> bool {
        let lead = format!("{}_", code.to_ascii_lowercase());
        self.tests.iter().any(|test| test.starts_with(&lead))
    }
}

fn all_codes() -> impl Iterator<Item = String> {
    CODES
        .iter()
        .flat_map(|(group, count)| (1..=*count).map(move |number| format!("{group}{number}")))
}

/// The names between backticks, or nothing where a dash stands.
fn names(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The rows of the page; a table's row that cannot be read is a finding.
fn rows(page: &str) -> (Vec<Row>, Vec<String>) {
    let mut rows = Vec::new();
    let mut findings = Vec::new();
    for (index, text) in page.lines().enumerate() {
        let line = index + 1;
        let Some(inner) = text
            .strip_prefix('|')
            .and_then(|text| text.trim_end().strip_suffix('|'))
        else {
            continue;
        };
        let cells: Vec<&str> = inner.split('|').map(str::trim).collect();
        match cells[..] {
            ["code", ..] => {}
            [rule, ..] if rule.starts_with("---") => {}
            [code, meaning, state, places, tests] => {
                if meaning.is_empty() {
                    findings.push(format!("line {line}: {code} has no meaning"));
                }
                rows.push(Row {
                    line,
                    code: code.to_owned(),
                    state: state.to_owned(),
                    places: names(places),
                    tests: names(tests),
                });
            }
            _ => findings.push(format!(
                "line {line}: {} cells; code, means, state, where, tests are wanted",
                cells.len()
            )),
        }
    }
    (rows, findings)
}

/// What is wrong with the page, as sentences.
fn findings(page: &str, repository: &Repository) -> Vec<String> {
    let (rows, mut findings) = rows(page);
    let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &rows {
        let Row { line, code, .. } = row;
        if let Some(first) = lines.insert(code, *line) {
            findings.push(format!("line {line}: {code} stands in line {first} too"));
        }
        if !all_codes().any(|known| known == *code) {
            findings.push(format!("line {line}: {code} is no requirement"));
        }
        let claimed = match row.state.as_str() {
            "open" => false,
            "part" | "done" => true,
            other => {
                findings.push(format!(
                    "line {line}: {code} is {other:?}; open, part or done is wanted"
                ));
                false
            }
        };
        if claimed && row.places.is_empty() {
            findings.push(format!("line {line}: {code} does not say where"));
        }
        if claimed && row.tests.is_empty() && !repository.has_test_of(code) {
            findings.push(format!("line {line}: {code} is shown by no test"));
        }
        for place in row
            .places
            .iter()
            .filter(|place| !repository.has_place(place))
        {
            findings.push(format!(
                "line {line}: {code} names {place}, which is not there"
            ));
        }
        for test in row.tests.iter().filter(|test| !repository.has_test(test)) {
            findings.push(format!(
                "line {line}: {code} names {test}, which is no test"
            ));
        }
    }
    for code in all_codes() {
        if !lines.contains_key(code.as_str()) {
            findings.push(format!("{code} is missing"));
        }
    }
    findings
}

#[test]
fn every_requirement_has_its_row_and_what_is_claimed_is_shown() {
    let page = files::text("docs/requirements.md").expect("the page is text");
    let repository = Repository::read();
    assert!(
        repository.tests.len() > 20,
        "the tests of the repository were not found"
    );
    let findings = findings(&page, &repository);
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

mod the_checker {
    use super::*;

    fn repository() -> Repository {
        Repository {
            files: vec!["src/ring/array.rs".into()],
            tests: vec!["g1_one_at_a_time".into(), "full_ring_waits".into()],
        }
    }

    fn page(change: impl Fn(&str) -> Option<String>) -> String {
        all_codes()
            .filter_map(|code| change(&code))
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn open(code: &str) -> String {
        format!("| {code} | means something | open | – | – |")
    }

    fn found_with(special: &str, row: &str) -> Vec<String> {
        let page = page(|code| {
            Some(if code == special {
                row.into()
            } else {
                open(code)
            })
        });
        findings(&page, &repository())
    }

    #[test]
    fn is_content_with_a_page_of_open_rows() {
        assert_eq!(
            findings(&page(|code| Some(open(code))), &repository()),
            Vec::<String>::new()
        );
        assert_eq!(all_codes().count(), 58);
    }

    #[test]
    fn sees_a_missing_code() {
        let page = page(|code| (code != "H11").then(|| open(code)));
        assert_eq!(findings(&page, &repository()), ["H11 is missing"]);
    }

    #[test]
    fn sees_a_claim_without_a_test() {
        let row = "| G2 | x | done | `src/ring` | – |";
        assert_eq!(found_with("G2", row), ["line 2: G2 is shown by no test"]);
        // The tests of G10 and beyond do not speak for G1.
        let found = findings(
            &page(|code| Some(open(code))).replace(
                "| G1 | means something | open | – |",
                "| G1 | x | part | `src/ring` |",
            ),
            &Repository {
                tests: vec!["g10_resends".into()],
                ..repository()
            },
        );
        assert_eq!(found, ["line 1: G1 is shown by no test"]);
    }

    #[test]
    fn takes_a_test_by_its_lead_or_by_its_name() {
        let lead = "| G1 | x | done | `src/ring/array.rs` | – |";
        assert_eq!(found_with("G1", lead), Vec::<String>::new());
        let named = "| G8 | x | part | `src/ring/` | `full_ring_waits` |";
        assert_eq!(found_with("G8", named), Vec::<String>::new());
    }

    #[test]
    fn sees_a_test_or_a_place_that_is_not_there() {
        let row = "| G8 | x | part | `src/rings` | `full_ring_wait` |";
        assert_eq!(
            found_with("G8", row),
            [
                "line 8: G8 names src/rings, which is not there",
                "line 8: G8 names full_ring_wait, which is no test"
            ]
        );
    }

    #[test]
    fn sees_odd_rows() {
        for row in [
            "| G8 | x | nearly | – | – |",
            "| G8 | x | open | – |",
            "| G8 |  | open | – | – |",
            "| G8 | x | open | – | – |\n| G8 | x | open | – | – |",
            "| G8 | x | open | – | – |\n| G19 | x | open | – | – |",
            "| G8 | x | done | – | `full_ring_waits` |",
        ] {
            assert!(!found_with("G8", row).is_empty(), "{row}");
        }
    }
}
