//! The manual names every key that there is, and its samples load.

use std::collections::BTreeSet;

use sluice::central::config::CentralConfig;
use sluice::config::Document;
use sluice::edge::config::EdgeConfig;

use super::support::Folder;

/// The keys of a section, from what is said about one that is none.
fn keys<D: Document>(folder: &Folder, before: &str) -> Vec<String> {
    let told = folder.told::<D>(&format!("{before}zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz = 1\n"));
    let (_, list) = told
        .split_once("there is no such key; there are ")
        .unwrap_or_else(|| panic!("{before}: {told}"));
    list.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_manual_names_every_key() {
    let page = include_str!("../../docs/configuration.md");
    let folder = Folder::new();
    let lane = "name = 'oslo'\n[[lane]]\nname = 'a'\n";
    let mut known = BTreeSet::new();
    for before in [
        "",
        "name = 'oslo'\n[rings]\n",
        "name = 'oslo'\n[link]\n",
        lane,
        &format!("{lane}[lane.smsc]\n"),
        &format!("{lane}[lane.smpp]\n"),
        &format!("{lane}[lane.cimd2]\n"),
        "name = 'oslo'\n[status]\n",
        "name = 'oslo'\n[log]\n",
    ] {
        known.extend(keys::<EdgeConfig>(&folder, before));
    }
    for before in [
        "",
        "[link]\n",
        "[[edge]]\n",
        "[[edge]]\n[[edge.lane]]\n",
        "[[route]]\n",
        "[store]\n",
        "[backlog]\n",
        "[tracking]\n",
        "[desk]\n",
        "[im]\n",
        "[im.door]\n",
        "[im.phones]\nnumber = '17000'\n",
        "[im.presence]\n",
        "[im.groups]\n",
        "[im.content]\n",
    ] {
        known.extend(keys::<CentralConfig>(&folder, before));
    }
    assert!(known.len() > 100, "{}", known.len());
    for key in known {
        let is_named = [
            format!("| `{key}` |"),
            format!("`[{key}]`"),
            format!("`[[{key}]]`"),
        ]
        .iter()
        .any(|form| page.contains(form));
        assert!(is_named, "docs/configuration.md lacks `{key}`");
    }
}

#[test]
fn samples_in_the_manual_load() {
    let page = include_str!("../../docs/configuration.md");
    let folder = Folder::new();
    let mut seen = 0;
    for block in page.split("```toml\n").skip(1) {
        let sample = block.split("```").next().unwrap();
        let whole = format!(
            "name = 'oslo'\n{sample}smsc = {{ transport = 'tcp', host = 'smsc', port = 2000 }}\n\
             smpp = {{ system_id = 'sluice' }}\n"
        );
        assert_eq!(folder.told::<EdgeConfig>(&whole), "");
        seen += 1;
    }
    assert!(seen > 0);
}
