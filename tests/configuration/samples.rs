//! Every file that comes with the program can be run.

use std::path::PathBuf;

use sluice::central::config::CentralConfig;
use sluice::config::Document;
use sluice::edge::config::EdgeConfig;

use super::support::Folder;

fn samples() -> Vec<PathBuf> {
    let top = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("firmware-config");
    let mut found = Vec::new();
    for folder in [top.clone(), top.join("examples")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn is_for<D: Document>(path: &std::path::Path) -> bool {
    path.file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .starts_with(D::MODE)
}

#[test]
fn every_sample_loads_without_a_warning() {
    let folder = Folder::new();
    let mut seen = (0, 0);
    for path in samples() {
        let warnings = if is_for::<EdgeConfig>(&path) {
            seen.0 += 1;
            folder
                .load::<EdgeConfig>(&path)
                .map(|loaded| loaded.warnings)
        } else if is_for::<CentralConfig>(&path) {
            seen.1 += 1;
            folder
                .load::<CentralConfig>(&path)
                .map(|loaded| loaded.warnings)
        } else {
            panic!("{} belongs to no mode", path.display());
        };
        assert_eq!(warnings.unwrap_or_else(|why| panic!("{why}")), []);
    }
    assert!(seen.0 >= 3 && seen.1 >= 1, "{seen:?}");
}

/// The comments say that they show defaults.
#[test]
fn options_that_are_commented_out_may_be_switched_on() {
    let folder = Folder::new();
    for path in samples() {
        let text = std::fs::read_to_string(&path).unwrap();
        // "#key = value" without a blank is an option, "# words" a comment.
        let mut options = 0;
        let switched: Vec<String> = text
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(option) if option.starts_with(|first: char| first.is_ascii_lowercase()) => {
                    options += 1;
                    option.to_owned()
                }
                _ => line.to_owned(),
            })
            .collect();
        // The reserve of the sample names an edge that is not there.
        let switched = switched
            .join("\n")
            .replace("reserve = [\"bergen/carrier-2\"]", "");
        let name = path.file_name().unwrap().to_str().unwrap();
        let file = folder.write(&format!("switched/{name}"), &switched);
        let told = if is_for::<EdgeConfig>(&path) {
            folder.load::<EdgeConfig>(&file).map(drop)
        } else {
            folder.load::<CentralConfig>(&file).map(drop)
        };
        told.unwrap_or_else(|why| panic!("{why}"));
        assert!(
            options > 0 || path.to_str().unwrap().contains("examples"),
            "{name} shows no default"
        );
    }
}
