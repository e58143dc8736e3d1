//! Presence at the door: it is kept over restarts, and a flood of it delays no message.

use std::time::Duration;

use serde_json::{Value, json};
use sluice::im::config::Config;
use sluice::presence;
use sluice::store::Store;
use sluice::store::memory::Memory;

use crate::im_client::ImClient;
use crate::town::{Town, anywhere, message, service, soon, text_of};

/// What comes to a client next.
async fn next(client: &mut ImClient) -> Value {
    match client.unasked.is_empty() {
        false => client.unasked.remove(0),
        true => soon(client.hear()).await.unwrap(),
    }
}

/// The mood in a picture, if it is one.
fn mood(heard: &Value) -> Option<&str> {
    let picture = (heard["primitive"] == "Presence").then(|| &heard["elements"]["values"])?;
    let mood = picture.as_array().unwrap().first();
    Some(mood.map_or("", |value| value["value"].as_str().unwrap()))
}

async fn until_mood(client: &mut ImClient, wanted: &str) {
    while mood(&next(client).await) != Some(wanted) {}
}

fn feels(text: &str) -> Value {
    json!({"values": [{"name": "sluice:mood", "value": text}]})
}

async fn asks(client: &mut ImClient, primitive: &str, elements: Value) -> Value {
    soon(client.ask(primitive, elements)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p5_values_grants_and_subscriptions_are_there_after_a_restart() {
    let store = Store::new(Memory::default());
    let mut town = Town::of(store, &["anna", "bob", "carol"], anywhere()).await;
    let (mut anna, _) = town.sign_in("anna").await;
    let (mut bob, session) = town.sign_in("bob").await;
    assert_eq!(
        asks(&mut anna, "UpdatePresence", feels("curious")).await["elements"]["code"],
        200
    );
    let subscribed = asks(&mut bob, "SubsPresence", json!({"user": "anna"})).await;
    assert_eq!(subscribed["primitive"], "Subscribed");
    until_mood(&mut bob, "").await;
    // Anna is asked, and answers once.
    let asked = next(&mut anna).await;
    assert_eq!(asked["primitive"], "RequestPresAuth");
    let grant = json!({"question": asked["elements"]["question"], "grant": ["sluice:mood"]});
    assert_eq!(
        asks(&mut anna, "AuthorizePres", grant.clone()).await["elements"]["code"],
        200
    );
    until_mood(&mut bob, "curious").await;
    drop((anna, bob));

    town.close().await;
    town.open().await;
    let mut bob = town.stranger().await;
    let resumed = soon(bob.resume(&session, 0)).await.unwrap();
    assert_eq!(resumed["primitive"], "SignedIn");
    until_mood(&mut bob, "curious").await;
    let (mut anna, _) = town.sign_in("anna").await;
    asks(&mut anna, "UpdatePresence", feels("rested")).await;
    until_mood(&mut bob, "rested").await;
    // What was answered stays answered.
    let again = asks(&mut anna, "AuthorizePres", grant).await;
    assert_eq!(again["elements"]["code"], 492);
    let (mut carol, _) = town.sign_in("carol").await;
    let seen = asks(&mut carol, "GetPresence", json!({"user": "anna"})).await;
    assert_eq!(seen["elements"]["values"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_presence_delays_no_message_and_its_newest_picture_comes() {
    /// Updates, pipelined; a message goes after each twenty.
    const UPDATES: usize = 1000;
    let store = Store::new(Memory::default());
    let mut town = Town::of(store, &["anna", "bob", "carol"], anywhere()).await;
    town.close().await;
    town.service = Config {
        presence_per_second: 100_000,
        presence: presence::Config {
            pictures_a_second: 4,
            burst: 4,
            ..presence::Config::default()
        },
        ..service()
    };
    town.open().await;
    let (mut anna, _) = town.sign_in("anna").await;
    let (mut bob, _) = town.sign_in("bob").await;
    let (mut carol, _) = town.sign_in("carol").await;
    let everyone = json!({"to": "everyone", "grant": "all"});
    asks(&mut anna, "AuthorizePres", everyone).await;
    let chosen = json!({"user": "anna", "values": ["sluice:mood"]});
    asks(&mut bob, "SubsPresence", chosen).await;
    until_mood(&mut bob, "").await;

    // Nobody waits for the answers until all is on the line, so that all comes at once.
    let mut waited = Vec::new();
    for n in 0..UPDATES {
        waited.push(
            anna.say("UpdatePresence", feels(&format!("mood {n}")))
                .await
                .unwrap(),
        );
        if n % 20 == 0 {
            carol.say("Message", message("bob", &format!("m{n}"))).await;
        }
    }
    let answers = tokio::spawn(async move {
        for transaction in waited {
            let answer = soon(anna.answer(&transaction)).await.unwrap();
            assert_eq!(answer["elements"]["code"], 200);
        }
    });
    let newest = format!("mood {}", UPDATES - 1);
    let (mut pictures, mut texts) = (Vec::new(), Vec::new());
    while pictures.last() != Some(&newest) || texts.len() < UPDATES / 20 {
        let heard = next(&mut bob).await;
        pictures.extend(mood(&heard).map(String::from));
        texts.extend(text_of(&heard).map(String::from));
    }
    soon(answers).await.unwrap();
    let wanted: Vec<String> = (0..UPDATES).step_by(20).map(|n| format!("m{n}")).collect();
    assert_eq!(texts, wanted);
    // Each picture is newer than the one before it, and few were worth sending.
    let numbers: Vec<usize> = pictures
        .iter()
        .map(|mood| mood[5..].parse().unwrap())
        .collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    assert!(numbers.len() < UPDATES / 2, "{} pictures", numbers.len());
    // When it is quiet, nothing comes twice.
    let more = tokio::time::timeout(Duration::from_millis(300), bob.hear()).await;
    assert!(more.is_err(), "{more:?}");
}
