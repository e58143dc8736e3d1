//! The files of this repository.

use std::fs;
use std::path::{Path, PathBuf};

/// The top of the repository.
pub fn top() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder of the repository (`""` for the whole), as paths from its top, in order. What is built
/// and what git keeps for itself are left out.
pub fn below(folder: &str) -> Vec<String> {
    let top = top();
    let mut found = Vec::new();
    let mut folders = vec![top.join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("a folder's entry can be read").path();
            let name = path.file_name().and_then(|name| name.to_str());
            match name {
                Some(".git" | "target") => {}
                _ if path.is_dir() => folders.push(path),
                _ => found.push(from_top(&top, &path)),
            }
        }
    }
    found.sort();
    found
}

fn from_top(top: &Path, path: &Path) -> String {
    let path = path.strip_prefix(top).expect("found below the top");
    path.to_str()
        .expect("names of files in the repository are UTF-8")
        .replace('\\', "/")
}

/// A file's text; `None` when it is not text.
pub fn text(path: &str) -> Option<String> {
    let octets = fs::read(top().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"));
    String::from_utf8(octets).ok()
}

/// The Rust sources below a folder, with their texts.
pub fn rust_sources(folder: &str) -> Vec<(String, String)> {
    below(folder)
        .into_iter()
        .filter(|path| path.ends_with(".rs"))
        .map(|path| {
            let text = text(&path).unwrap_or_else(|| panic!("{path} is not UTF-8"));
            (path, text)
        })
        .collect()
}
