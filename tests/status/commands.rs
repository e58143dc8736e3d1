//! What people type and read, as stored transcripts. With `SLUICE_TELL=1` they are written anew.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use sluice::status::Snapshot;

use super::stage::{bad, central, show, well};

fn typed(socket: &Path, line: &str) -> String {
    let mut words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    words.extend([OsString::from("--socket"), socket.as_os_str().to_owned()]);
    let mut out = Vec::new();
    let ended = sluice::cli::run(words, &mut out);
    let mut told = String::from_utf8(out).unwrap();
    let exit = ended.unwrap_or_else(|failure| {
        told.push_str(&format!("sluice: {failure}\n"));
        failure.exit()
    });
    told.push_str(&format!("[exit {}]\n", exit.code()));
    told.replace(&socket.display().to_string(), "SOCKET")
}

fn story(name: &str, snapshot: Snapshot, lines: &[&str]) {
    let shown = show(snapshot);
    let told: String = lines
        .iter()
        .map(|line| format!("$ {line}\n{}\n", typed(&shown.socket, line)))
        .collect();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/status/{name}.txt"));
    if std::env::var_os("SLUICE_TELL").is_some() {
        fs::write(&path, &told).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(told, stored, "{}", path.display());
}

#[test]
fn a_good_day_at_an_edge() {
    story("well", well(), &["sluice status", "sluice indoubt ls"]);
}

#[test]
fn a_bad_day_at_an_edge() {
    story(
        "bad",
        bad(),
        &[
            "sluice status",
            "sluice indoubt ls",
            "sluice indoubt resend oslo/carrier-1",
        ],
    );
}

#[test]
fn a_central() {
    story(
        "central",
        central(),
        &["sluice status", "sluice trace m-17", "sluice trace m-18"],
    );
}

#[test]
fn orders() {
    story(
        "orders",
        well(),
        &[
            "sluice lane suspend oslo/carrier-1",
            "sluice status",
            "sluice lane resume oslo/carrier-1",
            "sluice lane drain oslo",
            "sluice reload",
            "sluice status --ask sessions",
            "sluice status --ask nonsense",
        ],
    );
}

#[test]
fn json_is_what_the_socket_gives() {
    let shown = show(well());
    let told = typed(&shown.socket, "sluice status --json");
    let document = told.strip_suffix("[exit 0]\n").unwrap();
    assert_eq!(serde_json::from_str::<Snapshot>(document).unwrap(), well());
}

#[test]
fn nobody_at_home_is_down() {
    let folder = tempfile::tempdir().unwrap();
    let told = typed(&folder.path().join("none.sock"), "sluice status");
    assert_eq!(
        told,
        "sluice: SOCKET: No such file or directory (os error 2); is the service running (`systemctl status 'sluice-*'`)?\n\
         [exit 2]\n"
    );
}
