//! What the product is built on: the libraries that were asked for, and others only with a line that says why (A3).

mod house;

use std::collections::BTreeSet;

use house::files;
use house::lexer::tokens;

/// The libraries that were asked for.
const NAMED: [&str; 9] = [
    "tokio",
    "tokio-serial",
    "bytes",
    "crc",
    "sled",
    "tracing",
    "clap",
    "serde",
    "humantime",
];

/// The libraries of a section of a manifest, and whether a comment stands above each or above its run of lines.
fn libraries(manifest: &str, section: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut is_explained = false;
    let lines = manifest.lines().skip_while(|line| *line != section);
    for line in lines.skip(1).take_while(|line| !line.starts_with('[')) {
        match line.split_once('=') {
            _ if line.starts_with('#') => is_explained = true,
            Some((name, _)) => found.push((name.trim().to_owned(), is_explained)),
            None => is_explained = false,
        }
    }
    found
}

#[test]
fn a3_the_named_libraries_carry_the_product() {
    let manifest = files::text("Cargo.toml").expect("the manifest");
    let libraries = libraries(&manifest, "[dependencies]");
    let words: BTreeSet<String> = files::rust_sources("src")
        .iter()
        .flat_map(|(_, text)| tokens(text))
        .map(|token| token.text)
        .collect();
    for name in NAMED {
        assert!(
            libraries.iter().any(|(library, _)| library == name),
            "{name} was asked for and is no dependency"
        );
    }
    for (name, is_explained) in &libraries {
        assert!(is_explained, "{name}: say above it in Cargo.toml what for");
        let used = match name.as_str() {
            "md-5" => "md5".to_owned(),
            other => other.replace('-', "_"),
        };
        assert!(words.contains(&used), "{name}: no source names it");
    }
}

#[test]
fn a_library_without_a_word_is_seen() {
    let manifest = "[dependencies]\n# Why.\none = \"1\"\ntwo = { version = \"2\" }\n\nthree = \"3\"\n[lints]\nfour = \"4\"\n";
    let found = libraries(manifest, "[dependencies]");
    let found: Vec<(&str, bool)> = found
        .iter()
        .map(|(name, is)| (name.as_str(), *is))
        .collect();
    assert_eq!(found, [("one", true), ("two", true), ("three", false)]);
}
