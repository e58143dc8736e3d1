//! Who is registered on the stage, and how they sign in: the client's half of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sluice::im::auth::{
    HistoricalScheme, PasswordKeys, client_key, historical_digest, historical_password, make_keys,
    proof, server_proof,
};
use sluice::im::names::ClientName;
use sluice::im::primitive::PasswordCost;
use sluice::im::register;
use sluice::message::UserName;

use super::{Stage, password};

impl Stage {
    pub(super) fn add_user(&mut self, name: &str) {
        let user = UserName::new(name).unwrap();
        let word = password(name);
        let changes = register::add_user(
            &self.shelf,
            &self.config,
            &mut self.chance,
            self.wall,
            &user,
            &word,
        )
        .unwrap();
        self.shelf.apply_all(&changes);
        let client = format!("{name}-pc");
        let (changes, id) = register::add_client(
            &self.shelf,
            &mut self.chance,
            self.wall,
            &ClientName::new(&client).unwrap(),
        )
        .unwrap();
        self.shelf.apply_all(&changes);
        self.client_ids.insert(client, id);
    }

    /// All of the sign-in, of which only what follows it is shown.
    pub(super) fn sign_in(&mut self, user: &str, name: &str, elements: &str) {
        if self
            .lines
            .get(name)
            .is_none_or(|line| line.connection.is_none())
        {
            self.connect(name, user);
        }
        let client = format!("{user}-pc");
        let login = json!({"user": user, "client": client, "schemes": ["argon2id-hmac-sha-256"]});
        self.send(name, Some("-".into()), "Login", &login.to_string());
        let mut login = self.second_login(
            name,
            user,
            &client,
            "argon2id-hmac-sha-256",
            &password(user),
            None,
        );
        if let Ok(Value::Object(more)) = serde_json::from_str(elements) {
            login.as_object_mut().unwrap().extend(more);
        }
        self.send(name, Some("-".into()), "Login", &login.to_string());
        self.out.retain(|line| {
            !line.contains(" [-]") || !(line.contains("SignedIn") || line.contains("\"code\":422"))
        });
    }

    pub(super) fn second_login(
        &self,
        name: &str,
        user: &str,
        client: &str,
        scheme: &str,
        password: &str,
        nonce: Option<String>,
    ) -> Value {
        let challenge = &self.lines[name].challenge;
        let nonce = nonce.unwrap_or_else(|| challenge["nonce"].as_str().unwrap_or_default().into());
        let unknown = String::from("no such client");
        let id = client_key(self.client_ids.get(client).unwrap_or(&unknown));
        let user_name = UserName::new(user).unwrap();
        let digest = match scheme {
            "sha-1" | "md5" => {
                let scheme = if scheme == "md5" {
                    HistoricalScheme::Md5
                } else {
                    HistoricalScheme::Sha1
                };
                let word = historical_password(scheme, &user_name, password);
                historical_digest(scheme, &word, &id, &nonce)
            }
            _ => {
                let keys = self.keys(challenge, password);
                let client_name = ClientName::new(client).unwrap();
                proof(&keys, &id, &nonce, &user_name, &client_name)
            }
        };
        json!({
            "user": user,
            "client": client,
            "proof": {"scheme": scheme, "nonce": nonce, "digest": digest},
        })
    }

    pub(super) fn keys(&self, challenge: &Value, password: &str) -> PasswordKeys {
        let cost: PasswordCost = serde_json::from_value(challenge["password"].clone())
            .expect("a challenge says what the password costs");
        make_keys(password, &cost).unwrap()
    }

    pub(super) fn prove(
        &mut self,
        who: &str,
        user: &str,
        client: &str,
        scheme: &str,
        password: &str,
        nonce: Option<String>,
    ) {
        let login = self.second_login(who, user, client, scheme, password, nonce);
        let shown = self.shown(&format!("  {who} > Login {login}"));
        self.out.push(shown);
        let before = self.lines[who].challenge.clone();
        self.send(who, None, "Login", &login.to_string());
        // A modern sign-in proves the server, too.
        let proven = self
            .out
            .iter()
            .any(|line| line.contains("\"server_proof\""));
        if scheme.starts_with("argon2id") && proven {
            let keys = self.keys(&before, password);
            let id = client_key(&self.client_ids[client]);
            let right = server_proof(
                &keys.server,
                &id,
                login["proof"]["nonce"].as_str().unwrap(),
                &UserName::new(user).unwrap(),
                &ClientName::new(client).unwrap(),
            );
            assert!(
                self.names.iter().any(|(_, real)| *real == right),
                "the server proved itself"
            );
        }
    }

    pub(super) fn resume(&mut self, who: &str, with_position: bool) {
        let user = self.lines[who].user.clone();
        self.connect(who, &user);
        let line = &self.lines[who];
        let mut elements = json!({"session": line.session, "token": line.token});
        if with_position {
            elements["position"] = line.position.into();
        }
        self.send(who, None, "Resume", &elements.to_string());
    }
}

/// The keys that a client makes when it signs up.
pub(super) fn sign_up_elements(user: &str, client: &str) -> Value {
    let cost = PasswordCost {
        salt: STANDARD.encode(b"a salt of her own"),
        memory_kib: 8192,
        passes: 1,
        lanes: 1,
    };
    let keys = make_keys(&password(user), &cost).unwrap();
    json!({
        "user": {
            "name": user,
            "password": cost,
            "stored_key": STANDARD.encode(keys.stored.0),
            "server_key": STANDARD.encode(keys.server.0),
        },
        "client": {"name": client, "key": STANDARD.encode(client_key("id").0)},
    })
}
