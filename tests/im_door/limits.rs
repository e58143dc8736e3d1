//! Who does not read, does not speak, does not sign in, or says too much.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use sluice::clock::Clock;
use sluice::im::door::Door;
use sluice::im::door::config::{DoorConfig, DoorError};
use sluice::store::Store;
use sluice::store::im::ImStore;
use sluice::store::memory::Memory;

use crate::im_client::ImClient;
use crate::town::{Town, anywhere, message, service, soon, text_of};

fn memory() -> Store {
    Store::new(Memory::default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_let_go_and_disturbs_nobody() {
    let config = DoorConfig {
        reading: Duration::from_millis(300),
        ..anywhere()
    };
    let town = Town::of(memory(), &["alice", "bob", "carol"], config).await;
    let (mut lazy, session) = town.sign_in("carol").await;
    let (mut alice, _) = town.sign_in("alice").await;
    let (mut bob, _) = town.sign_in("bob").await;
    for _ in 0..10 {
        let long = message("carol", &"x".repeat(16_000));
        assert_eq!(
            soon(alice.ask("Message", long)).await.unwrap()["primitive"],
            "Accepted"
        );
    }
    // It asks for much and reads nothing: its line is full before long, and then its time is over.
    let asks = tokio::spawn(async move {
        let history = json!({"after": 0, "most": 10});
        while lazy.say("GetHistory", history.clone()).await.is_some() {}
    });
    let counts = town.door().counts();
    let mut n = 0;
    while counts.slow.load(Ordering::Relaxed) == 0 {
        n += 1;
        let text = format!("m{n}");
        soon(alice.ask("Message", message("bob", &text)))
            .await
            .unwrap();
        assert_eq!(text_of(&soon(bob.hear()).await.unwrap()), Some(&text[..]));
        bob.say("Received", json!({"position": n})).await;
    }
    asks.abort();
    let _ended = asks.await;
    // It comes back as if nothing had been.
    let mut lazy = town.stranger().await;
    assert_eq!(
        soon(lazy.resume(&session, 0)).await.unwrap()["primitive"],
        "SignedIn"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_sign_in_is_let_go() {
    let config = DoorConfig {
        sign_in: Duration::from_millis(100),
        ..anywhere()
    };
    let town = Town::of(memory(), &["alice"], config).await;
    let mut stranger = town.stranger().await;
    let answer = soon(stranger.ask("GetSettings", json!({}))).await.unwrap();
    assert_eq!(answer["elements"]["code"], 420);
    assert_eq!(soon(stranger.hear()).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_silent_is_asked_and_then_let_go() {
    let config = DoorConfig {
        ping: Duration::from_millis(20),
        silence: Duration::from_millis(200),
        ..anywhere()
    };
    let town = Town::of(memory(), &["alice"], config).await;
    let (mut lively, _) = town.sign_in("alice").await;
    let (dead, _) = town.sign_in("alice").await;
    let counts = town.door().counts();
    // The one reads, and so answers what the line itself asks; the other one does not.
    let reads = tokio::spawn(async move { lively.hear().await });
    soon(async {
        while counts.connections.load(Ordering::Relaxed) > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert!(!reads.is_finished());
    reads.abort();
    drop(dead);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_connections_are_turned_away_and_the_others_stay() {
    let config = DoorConfig {
        max_connections: 2,
        ..anywhere()
    };
    let town = Town::of(memory(), &["alice"], config).await;
    let (mut alice, _) = town.sign_in("alice").await;
    let second = town.stranger().await;
    assert!(ImClient::connect(town.door().address()).await.is_none());
    assert!(town.door().counts().turned_away.load(Ordering::Relaxed) >= 1);
    assert!(soon(alice.ask("GetSettings", json!({}))).await.is_some());
    drop(second);
    // There is room again.
    soon(async {
        while ImClient::connect(town.door().address()).await.is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_primitive_is_answered() {
    let town = Town::of(memory(), &["alice"], anywhere()).await;
    let (mut alice, _) = town.sign_in("alice").await;
    for (frame, code) in [
        ("{".to_string(), 400),
        (format!("{{\"a\":\"{}\"}}", "x".repeat(100_000)), 406),
        ("[".repeat(50), 407),
        (r#"{"primitive":"Fly","transaction":"9"}"#.to_string(), 402),
    ] {
        assert!(alice.write(frame).await);
        let answer = soon(alice.hear()).await.unwrap();
        assert_eq!(answer["elements"]["code"], code, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_ten_thousand_sign_ins_disturbs_nobody_who_is_signed_in() {
    /// By so many at once, each over so many connections; on each so many go without waiting for an answer.
    const STRANGERS: usize = 20;
    const CONNECTIONS: usize = 20;
    const AT_ONCE: usize = 25;
    let mut town = Town::of(memory(), &["alice", "bob"], anywhere()).await;
    let (mut alice, _) = town.sign_in("alice").await;
    let (mut bob, _) = town.sign_in("bob").await;
    let address = town.door().address();
    let begun = std::time::Instant::now();
    let storm: Vec<_> = (0..STRANGERS)
        .map(|n| {
            tokio::spawn(async move {
                let mut answered = 0;
                for m in 0..CONNECTIONS {
                    let Some(mut stranger) = ImClient::connect(address).await else {
                        continue;
                    };
                    let mut asked = Vec::new();
                    for k in 0..AT_ONCE {
                        // Half of them try a password with a nonce that nobody gave.
                        let proof = json!({
                            "scheme": "argon2id-hmac-sha-256", "nonce": "bm9ib2R5IGdhdmUgdGhpcw==",
                            "digest": "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=",
                        });
                        let mut login = json!({
                            "user": format!("nobody{n}-{m}-{k}"), "client": "desk",
                            "schemes": ["argon2id-hmac-sha-256"],
                        });
                        if k % 2 == 1 {
                            login["proof"] = proof;
                        }
                        asked.push(stranger.say("Login", login).await.unwrap());
                    }
                    for transaction in asked {
                        let answer = stranger.answer(&transaction).await.unwrap();
                        let code = answer["elements"]["code"].as_u64().unwrap();
                        // A challenge, a refusal, or a time to wait: nobody comes in, and nobody is left without a word.
                        assert!((422..=426).contains(&code), "{answer}");
                        answered += 1;
                    }
                }
                answered
            })
        })
        .collect();
    for n in 1..=50 {
        let text = format!("m{n}");
        soon(alice.ask("Message", message("bob", &text)))
            .await
            .unwrap();
        assert_eq!(text_of(&soon(bob.hear()).await.unwrap()), Some(&text[..]));
        bob.say("Received", json!({"position": n})).await;
    }
    let mut answered = 0;
    for stranger in storm {
        answered += soon(stranger).await.unwrap();
    }
    assert_eq!(answered, STRANGERS * CONNECTIONS * AT_ONCE);
    println!("{answered} sign-ins were answered in {:?}", begun.elapsed());
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_text_stays_on_this_machine() {
    let open = |config: DoorConfig| async move {
        let records = ImStore::new(memory(), None).unwrap();
        Door::open(&config, service(), records, [1; 32], Clock::system()).await
    };
    let everywhere = DoorConfig {
        listen: "0.0.0.0:0".parse().unwrap(),
        ..anywhere()
    };
    let refused = open(everywhere.clone()).await.err().unwrap();
    assert!(matches!(refused, DoorError::Plain(_)), "{refused}");
    let half = DoorConfig {
        certificate: Some("/nowhere/cert.pem".into()),
        ..everywhere.clone()
    };
    assert!(matches!(open(half).await.err().unwrap(), DoorError::Half));

    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let (certificate, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let config = DoorConfig {
        certificate: Some(certificate),
        key: Some(key),
        ..anywhere()
    };
    let door = open(config).await.unwrap();
    // A plain greeting is none that it understands.
    assert!(ImClient::connect(door.address()).await.is_none());
    let mut roots = tokio_rustls::rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = tokio_rustls::rustls::crypto::ring::default_provider();
    let tls = tokio_rustls::rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let line = tokio::net::TcpStream::connect(door.address())
        .await
        .unwrap();
    let name = tokio_rustls::rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(tls));
    let line = connector.connect(name, line).await.unwrap();
    let greeted = tokio_tungstenite::client_async("wss://localhost/", line).await;
    assert!(greeted.is_ok());
    door.close().await;
}
