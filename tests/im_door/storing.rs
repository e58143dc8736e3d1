//! What goes out rests on what is durable.

use serde_json::json;
use sluice::store::{Purpose, Store};

use crate::engines::{Machine, gated};
use crate::town::{Town, anywhere, message, soon, text_of};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_out_before_what_it_rests_on_is_durable() {
    let (gate, store) = gated();
    let town = Town::of(store, &["alice", "bob"], anywhere()).await;
    let (mut alice, _) = town.sign_in("alice").await;
    let (mut bob, _) = town.sign_in("bob").await;
    gate.close();
    let transaction = alice.say("Message", message("bob", "hello")).await.unwrap();
    let there = gate.clone();
    tokio::task::spawn_blocking(move || there.await_commit())
        .await
        .unwrap();
    // It is applied, and not synced: neither hears of it.
    let quiet = std::time::Duration::from_millis(100);
    assert!(tokio::time::timeout(quiet, bob.hear()).await.is_err());
    assert!(tokio::time::timeout(quiet, alice.hear()).await.is_err());
    gate.open();
    let accepted = soon(alice.answer(&transaction)).await.unwrap();
    assert_eq!(accepted["primitive"], "Accepted");
    assert_eq!(text_of(&soon(bob.hear()).await.unwrap()), Some("hello"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_stored_was_never_said_and_all_goes_on_when_there_is_room() {
    let (gate, store) = gated();
    let town = Town::of(store, &["alice", "bob"], anywhere()).await;
    let (mut alice, alices) = town.sign_in("alice").await;
    let (mut bob, bobs) = town.sign_in("bob").await;
    alice.ask("Message", message("bob", "first")).await.unwrap();
    assert_eq!(text_of(&soon(bob.hear()).await.unwrap()), Some("first"));
    gate.full_for(Some(Purpose::Intake));
    let transaction = alice
        .say("Message", message("bob", "second"))
        .await
        .unwrap();
    // All connections end, and the message was heard of by nobody.
    assert_eq!(soon(alice.answer(&transaction)).await, None);
    assert_eq!(soon(bob.hear()).await, None);
    gate.full_for(None);
    // They come back; what is asked in the meantime is not taken.
    let (mut alice, mut bob) = soon(async {
        loop {
            let (mut alice, mut bob) = (town.stranger().await, town.stranger().await);
            let resumed = (alice.resume(&alices, 1).await, bob.resume(&bobs, 1).await);
            if let (Some(_), Some(_)) = resumed {
                return (alice, bob);
            }
        }
    })
    .await;
    let accepted = alice
        .ask("Message", message("bob", "second"))
        .await
        .unwrap();
    assert_eq!(accepted["primitive"], "Accepted");
    let mut heard = bob.unasked.first().cloned();
    if heard.is_none() {
        heard = soon(bob.hear()).await;
    }
    let heard = heard.unwrap();
    assert_eq!(
        (text_of(&heard), &heard["position"]),
        (Some("second"), &json!(2))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_taken_up_again_after_central_was_started_again_from_disk() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("store");
    let machine = Machine::new();
    let open = || Store::new(machine.store(&directory).unwrap());
    let mut town = Town::of(open(), &["alice", "bob"], anywhere()).await;
    let (mut alice, _) = town.sign_in("alice").await;
    let (mut bob, session) = town.sign_in("bob").await;
    for n in 1..=5 {
        alice
            .ask("Message", message("bob", &format!("m{n}")))
            .await
            .unwrap();
    }
    for n in 1..=3 {
        assert_eq!(
            text_of(&soon(bob.hear()).await.unwrap()),
            Some(&format!("m{n}")[..])
        );
    }
    drop(bob);
    for n in 6..=9 {
        alice
            .ask("Message", message("bob", &format!("m{n}")))
            .await
            .unwrap();
    }
    town.close().await;
    town.store.close().unwrap();
    // Nobody else holds it; the lock is free.
    town.store = Store::new(sluice::store::memory::Memory::default());
    town.store = open();
    town.open().await;
    let mut bob = town.stranger().await;
    let resumed = soon(bob.resume(&session, 3)).await.unwrap();
    assert_eq!(resumed["primitive"], "SignedIn", "{resumed}");
    let mut heard: Vec<String> = bob
        .unasked
        .iter()
        .filter_map(text_of)
        .map(String::from)
        .collect();
    while heard.len() < 6 {
        let next = soon(bob.hear()).await.unwrap();
        heard.extend(text_of(&next).map(String::from));
    }
    assert_eq!(heard, ["m4", "m5", "m6", "m7", "m8", "m9"]);
}
