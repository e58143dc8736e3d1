//! People that an operator registered by command sign in.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use sluice::store::{Store, StoreConfig};

use crate::im_client::ImClient;
use crate::town::{Town, anywhere, soon};

fn sluice(arguments: &[&str], input: &str, store: &Path) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(arguments)
        .arg("--store")
        .arg(store)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may not want to know.
    let _unread = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8([&output.stdout[..], &output.stderr[..]].concat()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_registered_by_command_signs_in_and_who_was_shut_out_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let missing = sluice(&["user", "add", "alice"], "secret word\n", &store);
    assert_eq!(missing.status.code(), Some(74));
    assert!(
        told(&missing).contains("there is no store here"),
        "{}",
        told(&missing)
    );
    std::fs::create_dir(&store).unwrap();
    let added = sluice(&["user", "add", "Alice"], "secret word\n", &store);
    assert_eq!(told(&added), "alice is registered\n");
    let short = sluice(&["user", "add", "bob"], "short\n", &store);
    assert_eq!(short.status.code(), Some(64), "{}", told(&short));
    let none = sluice(&["user", "add", "bob"], "", &store);
    assert!(
        told(&none).contains("the password is missing"),
        "{}",
        told(&none)
    );
    let twice = sluice(&["user", "add", "alice"], "secret word\n", &store);
    assert!(told(&twice).contains("is taken"), "{}", told(&twice));
    let client = told(&sluice(&["client", "add", "desk"], "", &store));
    let (sentence, id) = client.trim().rsplit_once(' ').unwrap();
    assert_eq!(sentence, "desk is registered; its id is");
    assert_eq!(told(&sluice(&["client", "ls"], "", &store)), "desk\n");
    assert_eq!(told(&sluice(&["user", "ls"], "", &store)), "alice\n");

    let open = || Store::open(&store, &StoreConfig::default()).unwrap();
    let mut town = Town::of(open(), &[], anywhere()).await;
    let in_use = sluice(&["user", "ls"], "", &store);
    assert_eq!(in_use.status.code(), Some(74), "{}", told(&in_use));
    let mut alice = town.stranger().await;
    assert!(
        soon(alice.sign_in("alice", "desk", id, "secret word"))
            .await
            .is_some()
    );
    drop(alice);
    town.close().await;
    drop(town);

    assert_eq!(
        told(&sluice(&["user", "shut", "alice"], "", &store)),
        "alice is shut out\n"
    );
    assert_eq!(told(&sluice(&["user", "ls"], "", &store)), "alice (shut)\n");
    let town = Town::of(open(), &[], anywhere()).await;
    let mut alice: ImClient = town.stranger().await;
    assert!(
        soon(alice.sign_in("alice", "desk", id, "secret word"))
            .await
            .is_none()
    );
}
