//! The service and its store without sockets: requests in as JSON, primitives out as JSON, durable before they go, in
//! a thread and a task as at the door.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice::clock::Clock;
use sluice::im::auth;
use sluice::im::door::keep::{Durable, Keep};
use sluice::im::effects::{Effects, Now};
use sluice::im::names::{ClientName, ConnectionId};
use sluice::im::primitive;
use sluice::im::service::Service;
use sluice::store::Store;
use sluice::store::im::ImStore;

use super::people::{PASSWORD, USERS, config, register, user};
use super::support::{Goal, figure};

const SCHEME: &str = "argon2id-hmac-sha-256";
/// Requests that the door takes in one turn.
const TURN: usize = 128;
/// How long it is measured.
const WRITING: Duration = Duration::from_secs(5);

struct Bare {
    service: Service,
    records: ImStore,
    clock: Clock,
}

impl Bare {
    fn handle(&mut self, connection: usize, request: &str) -> Effects {
        let now = Now {
            moment: self.clock.now(),
            wall: self.clock.wall(),
        };
        let request = primitive::read(request.as_bytes());
        let connection = ConnectionId(connection as u64);
        let effects = self.service.handle(now, &self.records, connection, request);
        self.records.hand_over(&effects.changes).unwrap();
        effects
    }

    fn sign_in(&mut self, n: usize, id: &str) {
        self.service
            .connected(ConnectionId(n as u64), [127, 0, 0, 1].into());
        let name = user(n);
        let login = json!({"primitive": "Login", "transaction": "1", "elements":
            {"user": name.as_str(), "client": "desk", "schemes": [SCHEME]}});
        let effects = self.handle(n, &login.to_string());
        let answer: Value = serde_json::from_str(&effects.sends[0].1.to_json()).unwrap();
        let challenge = &answer["elements"]["challenge"];
        let cost = serde_json::from_value(challenge["password"].clone()).unwrap();
        let keys = auth::make_keys(PASSWORD, &cost).unwrap();
        let nonce = challenge["nonce"].as_str().unwrap();
        let client = ClientName::new("desk").unwrap();
        let digest = auth::proof(&keys, &auth::client_key(id), nonce, &name, &client);
        let login = json!({"primitive": "Login", "transaction": "2", "elements":
            {"user": name.as_str(), "client": "desk",
             "proof": {"scheme": SCHEME, "nonce": nonce, "digest": digest}}});
        let effects = self.handle(n, &login.to_string());
        assert!(effects.sends[0].1.to_json().contains("SignedIn"));
    }
}

/// A thousand users write to one another, as fast as it goes.
pub(crate) async fn rate(name: &str, store: Store, goal: f64) {
    let records = ImStore::new(store, None).unwrap();
    let id = register(&records, USERS).await;
    let mut bare = Bare {
        service: Service::new(config(), [1; 32], [2; 32]).unwrap(),
        records,
        clock: Clock::system(),
    };
    (0..USERS).for_each(|n| bare.sign_in(n, &id));
    let (groups, mut waiting) = tokio::sync::mpsc::channel::<(Durable, Vec<Effects>)>(64);
    let letting_out = tokio::spawn(async move {
        let (mut octets, mut sends) = (0, 0);
        while let Some((durable, turn)) = waiting.recv().await {
            durable.await.unwrap();
            for (_, outgoing) in turn.iter().flat_map(|effects| &effects.sends) {
                octets += outgoing.to_json().len();
                sends += 1;
            }
        }
        (octets, sends)
    });
    let started = Instant::now();
    let working = std::thread::spawn(move || {
        let (mut accepted, mut number, mut chance) = (0_u64, 0_usize, 1_usize);
        let mut positions = vec![0_u64; USERS];
        while started.elapsed() < WRITING {
            let mut turn = Vec::with_capacity(TURN + 8);
            while turn.len() < TURN {
                number += 1;
                chance = chance
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let from = number % USERS;
                let to = ((chance >> 33) % (USERS - 1) + from + 1) % USERS;
                let message = format!(
                    r#"{{"primitive":"Message","transaction":"m{number}","elements":{{"to":{{"user":"user{to}"}},"saying":{{"text":"A text of forty letters, as people write."}}}}}}"#
                );
                let effects = bare.handle(from, &message);
                for (connection, outgoing) in &effects.sends {
                    let who = connection.0 as usize;
                    positions[who] = outgoing
                        .position
                        .map_or(positions[who], |position| position.0);
                    // Each point confirms now and then.
                    let position = positions[who];
                    if position.is_multiple_of(64) && position > 0 {
                        let received = format!(
                            r#"{{"primitive":"Received","transaction":"r","elements":{{"position":{position}}}}}"#
                        );
                        turn.push(bare.handle(who, &received));
                    }
                }
                accepted += u64::from(!effects.changes.is_empty());
                turn.push(effects);
            }
            let durable = bare.records.store(Vec::new()).unwrap();
            groups.blocking_send((durable, turn)).unwrap();
        }
        // What was kept in memory is given back when nobody waits for it.
        (accepted, bare)
    });
    let (octets, sends) = letting_out.await.unwrap();
    let took = started.elapsed().as_secs_f64();
    let (accepted, bare) = tokio::task::block_in_place(|| working.join()).unwrap();
    drop(bare);
    println!("{name}: {accepted} messages, {sends} primitives of {octets} octets let out");
    assert!(sends as u64 >= 2 * accepted);
    figure(
        name,
        accepted as f64 / took,
        "messages/s",
        Goal::AtLeast(goal),
    );
}
