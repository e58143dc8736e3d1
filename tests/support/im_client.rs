//! A client of the IM service over a real WebSocket.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use sluice::im::auth;
use sluice::im::names::ClientName;
use sluice::im::primitive::PasswordCost;
use sluice::message::UserName;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

static NUMBER: AtomicU64 = AtomicU64::new(1);

/// A connection.
pub struct ImClient {
    socket: WebSocketStream<TcpStream>,
    /// What came unasked while an answer was waited for.
    pub unasked: Vec<Value>,
}

/// A session, to be taken up again.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: String,
    pub token: String,
}

impl ImClient {
    /// Connects; `None` if the door does not let it in.
    pub async fn connect(address: SocketAddr) -> Option<Self> {
        let line = TcpStream::connect(address).await.ok()?;
        line.set_nodelay(true).unwrap();
        let url = format!("ws://{address}/");
        let (socket, _) = tokio_tungstenite::client_async(url, line).await.ok()?;
        Some(Self {
            socket,
            unasked: Vec::new(),
        })
    }

    /// Writes a text frame.
    pub async fn write(&mut self, text: String) -> bool {
        self.socket.send(Message::Text(text.into())).await.is_ok()
    }

    /// Puts a request on the line without waiting for anything.
    pub async fn say(&mut self, primitive: &str, elements: Value) -> Option<String> {
        // A session remembers what was asked under a name, whatever connection that was on.
        let transaction = format!("t{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let request =
            json!({"primitive": primitive, "transaction": transaction, "elements": elements});
        self.write(request.to_string()).await.then_some(transaction)
    }

    /// The next primitive; `None` when the connection has ended.
    pub async fn hear(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => return serde_json::from_str(&text).ok(),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The answer to a transaction.
    pub async fn answer(&mut self, transaction: &str) -> Option<Value> {
        loop {
            let heard = self.hear().await?;
            if heard["transaction"] == transaction {
                return Some(heard);
            }
            self.unasked.push(heard);
        }
    }

    /// Asks and hears the answer.
    pub async fn ask(&mut self, primitive: &str, elements: Value) -> Option<Value> {
        let transaction = self.say(primitive, elements).await?;
        self.answer(&transaction).await
    }

    /// Signs in.
    pub async fn sign_in(
        &mut self,
        user: &str,
        client: &str,
        id: &str,
        password: &str,
    ) -> Option<Session> {
        let scheme = "argon2id-hmac-sha-256";
        let first = json!({"user": user, "client": client, "schemes": [scheme]});
        let challenge = self.ask("Login", first).await?;
        let challenge = &challenge["elements"]["challenge"];
        let cost: PasswordCost = serde_json::from_value(challenge["password"].clone()).ok()?;
        let nonce = challenge["nonce"].as_str()?;
        let keys = auth::make_keys(password, &cost).ok()?;
        let digest = auth::proof(
            &keys,
            &auth::client_key(id),
            nonce,
            &UserName::new(user).ok()?,
            &ClientName::new(client).ok()?,
        );
        let second = json!({
            "user": user, "client": client, "position": 0,
            "proof": {"scheme": scheme, "nonce": nonce, "digest": digest},
        });
        let signed_in = self.ask("Login", second).await?;
        let elements = &signed_in["elements"];
        Some(Session {
            id: elements["session"].as_str()?.into(),
            token: elements["token"].as_str()?.into(),
        })
    }

    /// Takes a session up again.
    pub async fn resume(&mut self, session: &Session, position: u64) -> Option<Value> {
        let elements = json!({"session": session.id, "token": session.token, "position": position});
        self.ask("Resume", elements).await
    }
}
