//! A door with some people behind it.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use sluice::clock::Clock;
use sluice::im::config::Config;
use sluice::im::door::Door;
use sluice::im::door::config::DoorConfig;
use sluice::im::names::ClientName;
use sluice::im::register;
use sluice::message::UserName;
use sluice::store::Store;
use sluice::store::im::ImStore;

use crate::im_client::{ImClient, Session};

const PASSWORD: &str = "correct horse";

/// An open door on a store, which outlives it.
pub(crate) struct Town {
    pub(crate) store: Store,
    pub(crate) config: DoorConfig,
    pub(crate) service: Config,
    door: Option<Door>,
    client_id: String,
}

/// A service that is quick to sign in to.
pub(crate) fn service() -> Config {
    Config {
        password_memory_kib: 64,
        password_passes: 1,
        messages_per_second: 100_000,
        ..Config::default()
    }
}

/// A door on a port of this machine.
pub(crate) fn anywhere() -> DoorConfig {
    DoorConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        ..DoorConfig::default()
    }
}

impl Town {
    /// These people live there, each with the client `desk`.
    pub(crate) async fn of(store: Store, people: &[&str], config: DoorConfig) -> Self {
        let mut town = Self {
            store,
            config,
            service: service(),
            door: None,
            client_id: String::new(),
        };
        town.open().await;
        let handle = town.door().handle();
        let mut chance = sluice::im::chance::Chance::new([3; 32]);
        let now = Clock::system().wall();
        for person in people {
            let user = UserName::new(person).unwrap();
            let mut chance = sluice::im::chance::Chance::new([user.as_str().len() as u8; 32]);
            handle
                .change(move |shelf| {
                    register::add_user(shelf, &service(), &mut chance, now, &user, PASSWORD)
                        .map_err(|why| why.to_string())
                })
                .await
                .unwrap();
        }
        if people.is_empty() {
            return town;
        }
        let (told, id) = tokio::sync::oneshot::channel();
        handle
            .change(move |shelf| {
                let client = ClientName::new("desk").unwrap();
                let (changes, id) = register::add_client(shelf, &mut chance, now, &client)
                    .map_err(|why| why.to_string())?;
                told.send(id).unwrap();
                Ok(changes)
            })
            .await
            .unwrap();
        town.client_id = id.await.unwrap();
        town
    }

    pub(crate) fn door(&self) -> &Door {
        self.door.as_ref().unwrap()
    }

    /// Opens the door.
    pub(crate) async fn open(&mut self) {
        let records = ImStore::new(self.store.clone(), None).unwrap();
        let secret = records.secret().unwrap();
        let service = self.service.clone();
        let door = Door::open(&self.config, service, records, secret, Clock::system());
        self.door = Some(door.await.unwrap());
    }

    /// Closes it.
    pub(crate) async fn close(&mut self) {
        self.door.take().unwrap().close().await;
    }

    /// A connection that is not signed in.
    pub(crate) async fn stranger(&self) -> ImClient {
        ImClient::connect(self.door().address()).await.unwrap()
    }

    /// Signs somebody in.
    pub(crate) async fn sign_in(&self, who: &str) -> (ImClient, Session) {
        let mut client = self.stranger().await;
        let session = client.sign_in(who, "desk", &self.client_id, PASSWORD).await;
        (client, session.expect("the sign-in is right"))
    }
}

/// Elements of a message to somebody.
pub(crate) fn message(to: &str, text: &str) -> Value {
    json!({"to": {"user": to}, "saying": {"text": text}})
}

/// The text of a message that came, if it is one.
pub(crate) fn text_of(heard: &Value) -> Option<&str> {
    (heard["primitive"] == "Message").then(|| heard["elements"]["saying"]["text"].as_str().unwrap())
}

/// Gives up when something takes so long that it will never come.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what)
        .await
        .expect("it comes")
}
