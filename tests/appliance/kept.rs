//! Presence and a central that is killed: what was answered is there again, and nobody sees what was not granted.

use std::time::Duration;

use serde_json::{Value, json};
use sluice::clock::Clock;

use crate::im_client::ImClient;
use crate::people::{Town, unasked};
use crate::world::Setting;

/// How often central is killed: once after each kind of change.
const MOODS: [&str; 4] = ["curious", "rested", "tired", "glad"];

async fn asks(client: &mut ImClient, primitive: &str, elements: Value) -> Value {
    let answer = client.ask(primitive, elements).await.expect("an answer");
    let code = answer["elements"]["code"].as_u64().unwrap_or(200);
    assert_eq!(code, 200, "{answer}");
    answer
}

/// The next picture of anna: what it shows, and how valid that is.
async fn seen(client: &mut ImClient) -> Vec<(String, Value)> {
    loop {
        let heard = unasked(client).await;
        if heard["primitive"] == "Presence" && heard["elements"]["user"] == "anna" {
            let values = heard["elements"]["values"].as_array().expect("values");
            let shown = values.iter().map(|value| {
                let text = value["value"].as_str().expect("a text");
                (text.to_owned(), value["validity"].clone())
            });
            return shown.collect();
        }
    }
}

async fn sees_nothing(client: &mut ImClient) {
    let get = json!({"user": "anna"});
    let picture = asks(client, "GetPresence", get).await;
    assert_eq!(picture["elements"]["values"], json!([]), "{picture}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p4_what_was_granted_and_what_was_not_outlive_the_kill_of_central() {
    let town = Town::new(&["anna", "bob", "carol"], Setting::default());
    let mut central = town.world.start("central");
    let (mut anna, _) = town.sign_in("anna").await;
    let (mut bob, session) = town.sign_in("bob").await;
    let grant = json!({"to": "user:bob", "grant": ["sluice:mood", "sluice:activity"]});
    asks(&mut anna, "AuthorizePres", grant).await;
    let subscribe = json!({"user": "anna", "values": ["sluice:mood", "sluice:activity"]});
    asks(&mut bob, "SubsPresence", subscribe).await;
    let valid = json!("valid");

    // Each mood is answered, and central killed at once; it is there again, for him alone.
    for mood in MOODS {
        let feels = json!({"values": [{"name": "sluice:mood", "value": mood}]});
        asks(&mut anna, "UpdatePresence", feels).await;
        drop((anna, bob));
        central.kill();
        central = town.world.start("central");
        bob = town.resume(&session).await;
        assert_eq!(seen(&mut bob).await, [(mood.to_owned(), valid.clone())]);
        let (mut carol, _) = town.sign_in("carol").await;
        sees_nothing(&mut carol).await;
        (anna, _) = town.sign_in("anna").await;
    }

    // A value that ends while central is dead is not valid when it is back; and the end of another one still comes by itself.
    let now = Clock::system().wall();
    let soon = now + Duration::from_millis(1500);
    let later = now + Duration::from_secs(8);
    let ends = json!({"values": [
        {"name": "sluice:mood", "value": "hasty", "until": soon.to_string()},
        {"name": "sluice:activity", "value": "to the ferry", "until": later.to_string()},
    ]});
    asks(&mut anna, "UpdatePresence", ends).await;
    drop((anna, bob));
    central.kill();
    crate::until("the end of a mood", || {
        (Clock::system().wall() > soon).then_some(())
    });
    central = town.world.start("central");
    bob = town.resume(&session).await;
    loop {
        let seen = seen(&mut bob).await;
        let is_over = |text: &str| {
            let found = seen.iter().find(|(shown, _)| shown == text);
            found.is_none_or(|(_, validity)| *validity == "invalid")
        };
        assert!(is_over("hasty"), "{seen:?}");
        if is_over("to the ferry") {
            assert!(Clock::system().wall() >= later, "{seen:?}");
            break;
        }
    }

    // What was taken back stays taken back, however soon central died after it.
    let (mut anna, _) = town.sign_in("anna").await;
    let refuse = json!({"to": "user:bob", "refuse": "all"});
    asks(&mut anna, "AuthorizePres", refuse).await;
    drop((anna, bob));
    central.kill();
    central = town.world.start("central");
    bob = town.resume(&session).await;
    assert_eq!(seen(&mut bob).await, []);
    sees_nothing(&mut bob).await;
    central.terminate();
    let log = town.world.log("central");
    assert!(!log.contains("ERROR"), "{log}");
}
