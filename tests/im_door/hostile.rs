//! Who means harm: too many connections, greetings that never end, frames without end, answers that nobody reads. Others
//! notice at most as much as the limits let through, counted in what the service does, not in time.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use sluice::im::door::config::DoorConfig;
use sluice::store::Store;
use sluice::store::memory::Memory;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::engines::gated;
use crate::im_client::ImClient;
use crate::town::{Town, anywhere, message, soon, text_of};

fn memory() -> Store {
    Store::new(Memory::default())
}

/// Until something is so.
async fn until(is_so: impl Fn() -> bool) {
    soon(async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// A line on which WebSocket is spoken by hand.
async fn by_hand(address: SocketAddr) -> TcpStream {
    let mut line = TcpStream::connect(address).await.unwrap();
    let greeting = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    line.write_all(greeting.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        soon(line.read_buf(&mut answer)).await.unwrap();
    }
    line
}

/// A frame of a client, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | short as u8),
        long => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&u16::try_from(long).unwrap().to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// Waits until the door has closed the line.
async fn is_let_go(line: &mut TcpStream) {
    let mut rest = vec![0; 4096];
    soon(async { while matches!(line.read(&mut rest).await, Ok(1..)) {} }).await;
}

/// One message from one to the other, and how many primitives the service took meanwhile.
async fn one_message(town: &Town, alice: &mut ImClient, bob: &mut ImClient, n: u64) -> u64 {
    let counts = town.door().counts();
    let before = counts.heard.load(Ordering::Relaxed);
    let text = format!("m{n}");
    let answer = soon(alice.ask("Message", message("bob", &text))).await;
    assert_eq!(answer.unwrap()["primitive"], "Accepted");
    assert_eq!(text_of(&soon(bob.hear()).await.unwrap()), Some(&text[..]));
    bob.say("Received", json!({"position": n})).await;
    counts.heard.load(Ordering::Relaxed) - before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_has_so_many_connections_and_no_more() {
    let config = DoorConfig {
        max_connections_an_address: 3,
        ..anywhere()
    };
    let town = Town::of(memory(), &["alice"], config).await;
    let (mut alice, _) = town.sign_in("alice").await;
    let (second, third) = (town.stranger().await, town.stranger().await);
    let counts = town.door().counts();
    for _ in 0..50 {
        assert!(ImClient::connect(town.door().address()).await.is_none());
    }
    assert!(counts.turned_away.load(Ordering::Relaxed) >= 50);
    assert!(soon(alice.ask("GetSettings", json!({}))).await.is_some());
    drop((second, third));
    until(|| counts.connections.load(Ordering::Relaxed) == 1).await;
    assert!(ImClient::connect(town.door().address()).await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn greetings_that_never_end_are_let_go_and_disturb_nobody() {
    let config = DoorConfig {
        greeting: Duration::from_millis(300),
        ..anywhere()
    };
    let town = Town::of(memory(), &["alice", "bob"], config).await;
    let (mut alice, _) = town.sign_in("alice").await;
    let (mut bob, _) = town.sign_in("bob").await;
    let counts = town.door().counts();
    let mut half_open = Vec::new();
    for n in 0..200 {
        let mut line = TcpStream::connect(town.door().address()).await.unwrap();
        match n % 3 {
            0 => {}
            1 => line.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap(),
            _ => {
                // Header after header, without an end.
                let _late = line.write_all(&b"X-Y: Z\r\n".repeat(500)).await;
            }
        }
        half_open.push(line);
    }
    for n in 1..=5 {
        let took = one_message(&town, &mut alice, &mut bob, n).await;
        assert!(took <= 4, "nobody else said anything: {took}");
    }
    until(|| counts.connections.load(Ordering::Relaxed) == 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_without_end_wait_behind_themselves() {
    let (gate, store) = gated();
    let town = Town::of(store, &["alice", "bob"], anywhere()).await;
    let (mut alice, _) = town.sign_in("alice").await;
    let (mut bob, _) = town.sign_in("bob").await;
    let counts = town.door().counts();
    let heard = || counts.heard.load(Ordering::Relaxed);
    let floods: Vec<_> = (0..4)
        .map(|n| {
            let address = town.door().address();
            tokio::spawn(async move {
                let line = by_hand(address).await;
                let (mut from, mut to) = line.into_split();
                let reads = tokio::spawn(async move {
                    let mut rest = vec![0; 64 << 10];
                    while matches!(from.read(&mut rest).await, Ok(1..)) {}
                });
                // Requests, pings, or a frame that never ends.
                let request = frame(0x81, br#"{"primitive":"Logout","transaction":"1"}"#);
                let many = match n {
                    0 | 1 => request.repeat(100),
                    2 => frame(0x89, b"").repeat(500),
                    _ => [frame(0x01, b""), frame(0x00, b"").repeat(500)].concat(),
                };
                while to.write_all(&many).await.is_ok() {}
                reads.abort();
            })
        })
        .collect();
    until(|| heard() > 1000).await;
    // While nothing can be stored, no answer goes out; so each of the floods gets as many requests in as may be under way,
    // and alice's message has no more than these before it, whenever it comes.
    gate.close();
    let before = heard();
    let transaction = alice.say("Message", message("bob", "m1")).await.unwrap();
    let there = gate.clone();
    tokio::task::spawn_blocking(move || there.await_commit())
        .await
        .unwrap();
    let stored = heard();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let most = stored.max(before) + 2 * 16 + 2;
    assert!(heard() <= most, "{} after {before} and {stored}", heard());
    gate.open();
    let accepted = soon(alice.answer(&transaction)).await.unwrap();
    assert_eq!(accepted["primitive"], "Accepted");
    assert_eq!(text_of(&soon(bob.hear()).await.unwrap()), Some("m1"));
    for n in 2..=10 {
        one_message(&town, &mut alice, &mut bob, n).await;
    }
    floods.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_longer_than_is_read_is_not_even_waited_for() {
    let town = Town::of(memory(), &["alice"], anywhere()).await;
    // It says that it will be a gigabyte.
    let mut line = by_hand(town.door().address()).await;
    let mut head = vec![0x81, 0x80 | 127];
    head.extend_from_slice(&(1_u64 << 30).to_be_bytes());
    head.extend_from_slice(&[0; 4]);
    line.write_all(&head).await.unwrap();
    is_let_go(&mut line).await;
    // It says so little by little.
    let mut line = by_hand(town.door().address()).await;
    line.write_all(&frame(0x01, &[b' '; 30_000])).await.unwrap();
    for _ in 0..7 {
        let _closed = line.write_all(&frame(0x00, &[b' '; 30_000])).await;
    }
    is_let_go(&mut line).await;
    // Not masked, reserved bits, an opcode that is none.
    for wrong in [[0x81, 0x00], [0xF1, 0x80], [0x83, 0x80]] {
        let mut line = by_hand(town.door().address()).await;
        line.write_all(&wrong).await.unwrap();
        line.write_all(&[0; 4]).await.unwrap();
        is_let_go(&mut line).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_nobody_reads_cost_a_limited_memory() {
    let config = DoorConfig {
        reading: Duration::from_secs(1),
        ..anywhere()
    };
    let town = Town::of(memory(), &["alice", "bob", "carol"], config).await;
    let (mut alice, _) = town.sign_in("alice").await;
    let (mut bob, _) = town.sign_in("bob").await;
    for _ in 0..20 {
        let long = message("carol", &"x".repeat(16_000));
        soon(alice.ask("Message", long)).await.unwrap();
    }
    let (mut lazy, _) = town.sign_in("carol").await;
    // Each of these hundred octets is answered with a hundred thousand.
    let asks = tokio::spawn(async move {
        let history = json!({"after": 0});
        while lazy.say("GetHistory", history.clone()).await.is_some() {}
        lazy
    });
    let counts = town.door().counts();
    let (mut n, mut most) = (0, 0);
    while counts.slow.load(Ordering::Relaxed) == 0 {
        n += 1;
        one_message(&town, &mut alice, &mut bob, n).await;
        most = most.max(counts.waiting_octets.load(Ordering::Relaxed));
    }
    // Sixteen answers, of which each has 64 KiB and the entry that passed them.
    assert!(most <= 16 * 90 * 1024, "{most} octets waited");
    asks.abort();
    let _ended = asks.await;
    until(|| counts.connections.load(Ordering::Relaxed) == 2).await;
    until(|| counts.waiting_octets.load(Ordering::Relaxed) == 0).await;
}
