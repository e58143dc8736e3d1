//! The clients, in a process of their own: light ones, which make no more of what they hear than they must.

use std::io::{BufRead, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sluice::im::auth;
use sluice::im::names::ClientName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::people::{CALLED, PASSWORD, allow_files, user};

/// Who signs in at once.
const AT_ONCE: usize = 64;
/// Connections from one address of this machine: an address has 28,000 ports, and finding a free one among the last of them
/// takes milliseconds.
const FROM_ONE: usize = 4000;
const SCHEME: &str = "argon2id-hmac-sha-256";
/// Messages of each user that are under way.
const AHEAD: usize = 8;
/// Entries after which a client confirms.
const CONFIRMS_EACH: u64 = 50;
/// How long they write to one another.
const WRITING: Duration = Duration::from_secs(5);
/// How often a client looks whether all have heard everything.
const LOOK_EACH: Duration = Duration::from_millis(50);

/// Whether this process was called to be the clients; then it was.
pub(crate) fn called() -> bool {
    let Ok(what) = std::env::var(CALLED) else {
        return false;
    };
    let words: Vec<&str> = what.split(' ').collect();
    let [what, address, count, id] = words[..] else {
        panic!("{words:?}");
    };
    let (address, count) = (address.parse().unwrap(), count.parse().unwrap());
    allow_files(count + 1000);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut clients = Vec::new();
        while clients.len() < count {
            let some = clients.len()..(clients.len() + AT_ONCE).min(count);
            let some = some.map(|n| Client::sign_in(address, n, people(what, count), id));
            clients.extend(join_all(some).await);
        }
        tell("ready");
        match what {
            "hold" => {
                let _ended = ordered();
            }
            "group" => group(clients).await,
            "lines" => lines(clients).await,
            other => panic!("nobody can {other}"),
        }
    });
    true
}

fn tell(word: &str) {
    println!("{word}");
    std::io::stdout().flush().unwrap();
}

/// The next order; false when there is none.
fn ordered() -> bool {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap() > 0
}

/// How many users they are: of those who do nothing each has ten devices.
fn people(what: &str, count: usize) -> usize {
    match what {
        "hold" => count.div_ceil(10),
        _ => count,
    }
}

fn greeting(address: SocketAddr) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// A frame, masked with zeros.
fn frame(json: &str, into: &mut Vec<u8>) {
    into.push(0x81);
    match u8::try_from(json.len()) {
        Ok(short) if short < 126 => into.push(0x80 | short),
        _ => {
            into.push(0x80 | 126);
            into.extend_from_slice(&u16::try_from(json.len()).unwrap().to_be_bytes());
        }
    }
    into.extend_from_slice(&[0; 4]);
    into.extend_from_slice(json.as_bytes());
}

/// Where the first frame's payload begins and ends, if it is there.
fn first(octets: &[u8]) -> Option<(usize, usize)> {
    let (start, length) = match *octets.get(1)? {
        126 => (
            4,
            u16::from_be_bytes([*octets.get(2)?, *octets.get(3)?]).into(),
        ),
        short => (2, usize::from(short)),
    };
    (octets.len() >= start + length).then_some((start, start + length))
}

/// The number behind a word.
fn number(heard: &[u8], word: &[u8]) -> Option<u64> {
    let at = heard.windows(word.len()).position(|part| part == word)? + word.len();
    let digits = heard[at..]
        .iter()
        .take_while(|octet| octet.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

struct Client {
    line: tokio::net::TcpStream,
    heard: Vec<u8>,
    position: u64,
    confirmed: u64,
}

impl Client {
    /// The `number`th connection, of one of so many users.
    async fn sign_in(address: SocketAddr, number: usize, people: usize, id: &str) -> Self {
        let from = Ipv4Addr::new(127, 0, 0, u8::try_from(2 + number / FROM_ONE).unwrap());
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((from, 0))).unwrap();
        let mut line = socket.connect(address).await.unwrap();
        line.set_nodelay(true).unwrap();
        line.write_all(greeting(address).as_bytes()).await.unwrap();
        let mut answer = [0; 512];
        let read = line.read(&mut answer).await.unwrap();
        assert!(answer[..read].ends_with(b"\r\n\r\n"));
        let mut client = Self {
            line,
            heard: Vec::new(),
            position: 0,
            confirmed: 0,
        };
        let name = user(number % people);
        let asks = serde_json::json!({"primitive": "Login", "transaction": "1", "elements":
            {"user": name.as_str(), "client": "desk", "schemes": [SCHEME]}});
        client.write(&asks.to_string()).await;
        let answer: serde_json::Value = serde_json::from_slice(&client.hear().await).unwrap();
        let challenge = &answer["elements"]["challenge"];
        let cost = serde_json::from_value(challenge["password"].clone()).unwrap();
        let keys = auth::make_keys(PASSWORD, &cost).unwrap();
        let nonce = challenge["nonce"].as_str().unwrap();
        let desk = ClientName::new("desk").unwrap();
        let digest = auth::proof(&keys, &auth::client_key(id), nonce, &name, &desk);
        let proves = serde_json::json!({"primitive": "Login", "transaction": "2", "elements":
            {"user": name.as_str(), "client": "desk",
             "proof": {"scheme": SCHEME, "nonce": nonce, "digest": digest}}});
        client.write(&proves.to_string()).await;
        assert!(
            client
                .hear()
                .await
                .starts_with(br#"{"primitive":"SignedIn""#)
        );
        client
    }

    async fn write(&mut self, json: &str) {
        let mut octets = Vec::new();
        frame(json, &mut octets);
        self.line.write_all(&octets).await.unwrap();
    }

    /// Puts what has come into `heard`.
    async fn read(&mut self) {
        assert!(
            self.line.read_buf(&mut self.heard).await.unwrap() > 0,
            "it is let go"
        );
    }

    async fn hear(&mut self) -> Vec<u8> {
        loop {
            if let Some((start, end)) = first(&self.heard) {
                let payload = self.heard[start..end].to_vec();
                self.heard.drain(..end);
                return payload;
            }
            self.read().await;
        }
    }

    /// Goes through what has come; gives how many were accepted and how many messages came.
    fn take(&mut self) -> (usize, usize) {
        let (mut accepted, mut came, mut at) = (0, 0, 0);
        while let Some((start, end)) = first(&self.heard[at..]) {
            let heard = &self.heard[at + start..at + end];
            let name = &heard[14..];
            if name.starts_with(b"Accepted") {
                accepted += 1;
            } else if name.starts_with(b"Message") {
                came += 1;
            } else {
                panic!("{}", String::from_utf8_lossy(heard));
            }
            self.position = number(heard, br#""position":"#).unwrap_or(self.position);
            at += end;
        }
        self.heard.drain(..at);
        (accepted, came)
    }

    fn confirmation(&mut self, into: &mut Vec<u8>) {
        if self.position >= self.confirmed + CONFIRMS_EACH {
            self.confirmed = self.position;
            let position = self.position;
            frame(
                &format!(
                    r#"{{"primitive":"Received","transaction":"c","elements":{{"position":{position}}}}}"#
                ),
                into,
            );
        }
    }
}

/// At each order the first one writes to the group, and the time is told after which the last one had it.
async fn group(mut clients: Vec<Client>) {
    // What is asked under a name that was used before is answered as before, and nobody hears it.
    let mut transaction = 0;
    while ordered() {
        let begun = Instant::now();
        transaction += 1;
        clients[0]
            .write(&format!(
                r#"{{"primitive":"Message","transaction":"g{transaction}","elements":{{"to":{{"group":"crowd"}},"saying":{{"text":"To all of you."}}}}}}"#
            ))
            .await;
        let all = clients.iter_mut().map(|client| async {
            let mut heard = 0;
            while heard == 0 {
                client.read().await;
                let (accepted, came) = client.take();
                heard += accepted + came;
            }
            Instant::now()
        });
        let last = join_all(all).await.into_iter().max().unwrap();
        let mut octets = Vec::new();
        for client in &mut clients {
            client.confirmation(&mut octets);
            client.line.write_all(&octets).await.unwrap();
            octets.clear();
        }
        tell(&format!("{}", (last - begun).as_secs_f64() * 1000.0));
    }
}

/// All write to one another for a while, each with a few messages under way, until all that was accepted was also heard by
/// whom it was for; tells how many a second that were.
async fn lines(clients: Vec<Client>) {
    assert!(ordered());
    let people = clients.len();
    let begun = Instant::now();
    let accepted = Arc::new(AtomicUsize::new(0));
    let heard = Arc::new(AtomicUsize::new(0));
    let writing = Arc::new(AtomicUsize::new(people));
    let all = clients.into_iter().enumerate().map(|(n, mut client)| {
        let (accepted, heard, writing) = (accepted.clone(), heard.clone(), writing.clone());
        tokio::spawn(async move {
            let (mut sent, mut under_way) = (0_usize, 0_usize);
            let mut chance = n as u64 + 1;
            let mut octets = Vec::new();
            let mut is_writing = true;
            loop {
                let is_over = begun.elapsed() > WRITING;
                while under_way < AHEAD && !is_over {
                    chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let to = ((chance >> 33) as usize % (people - 1) + n + 1) % people;
                    frame(
                        &format!(
                            r#"{{"primitive":"Message","transaction":"m{sent}","elements":{{"to":{{"user":"user{to}"}},"saying":{{"text":"A text of forty letters, as people write."}}}}}}"#
                        ),
                        &mut octets,
                    );
                    sent += 1;
                    under_way += 1;
                }
                client.confirmation(&mut octets);
                if !octets.is_empty() {
                    client.line.write_all(&octets).await.unwrap();
                    octets.clear();
                }
                if is_over && under_way == 0 && is_writing {
                    is_writing = false;
                    writing.fetch_sub(1, Ordering::Relaxed);
                }
                let is_done = || heard.load(Ordering::Relaxed) == accepted.load(Ordering::Relaxed);
                if !is_writing && writing.load(Ordering::Relaxed) == 0 && is_done() {
                    return client;
                }
                // In the end others may still write to this one, or not.
                let reading = tokio::time::timeout(LOOK_EACH, client.read());
                if reading.await.is_ok() {
                    let (taken, came) = client.take();
                    under_way -= taken;
                    accepted.fetch_add(taken, Ordering::Relaxed);
                    heard.fetch_add(came, Ordering::Relaxed);
                }
            }
        })
    });
    let _still_there = join_all(all).await;
    let took = begun.elapsed().as_secs_f64();
    tell(&format!(
        "{}",
        accepted.load(Ordering::Relaxed) as f64 / took
    ));
    let _ended = ordered();
}
