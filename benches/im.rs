//! The IM service with its store and its door: acknowledgement, rate, idle connections, a large group.

#[allow(unreachable_pub, dead_code, reason = "the benchmark uses its part")]
#[path = "../tests/support/im_client.rs"]
mod im_client;
mod support;

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use im_client::ImClient;
use serde_json::{Value, json};
use sluice::clock::Clock;
use sluice::im::auth;
use sluice::im::chance::Chance;
use sluice::im::change::Change;
use sluice::im::config::Config;
use sluice::im::door::Door;
use sluice::im::door::config::DoorConfig;
use sluice::im::door::keep::Keep;
use sluice::im::effects::{Effects, Now};
use sluice::im::names::{ClientName, ConnectionId, GroupName, ScreenName};
use sluice::im::primitive::{self, GroupKind, GroupProperties, Role};
use sluice::im::record::{GroupRecord, MemberRecord};
use sluice::im::register;
use sluice::im::service::Service;
use sluice::message::UserName;
use sluice::store::im::ImStore;
use sluice::store::memory::Memory;
use sluice::store::{Store, StoreConfig};
use support::{Goal, figure, median};

const USERS: usize = 1000;
const PASSWORD: &str = "correct horse";
const SCHEME: &str = "argon2id-hmac-sha-256";
/// The process that holds idle connections.
const HOLDER: &str = "SLUICE_BENCH_HOLD";

fn main() {
    if let Ok(address) = std::env::var(HOLDER) {
        return hold(&address);
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let disk = |name: &str| {
            let directory = folder.path().join(name);
            Store::open(&directory, &StoreConfig::default()).unwrap()
        };
        rate("im_rate_memory", Store::new(Memory::default()), 60_000.0).await;
        rate("im_rate_disk", disk("rate"), 20_000.0).await;
        acknowledgement(disk("acknowledgement"), folder.path()).await;
        group(disk("group")).await;
        idle().await;
    });
}

fn config() -> Config {
    Config {
        password_memory_kib: 64,
        password_passes: 1,
        messages_per_second: 1_000_000,
        ..Config::default()
    }
}

fn user(n: usize) -> UserName {
    UserName::new(&format!("user{n}")).unwrap()
}

/// Registers users and the client `desk`; gives the client's id.
async fn people(records: &ImStore, how_many: usize) -> String {
    let now = Clock::system().wall();
    let mut chance = Chance::new([3; 32]);
    for n in 0..how_many {
        let added = register::add_user(records, &config(), &mut chance, now, &user(n), PASSWORD);
        records.hand_over(&added.unwrap()).unwrap();
    }
    let client = ClientName::new("desk").unwrap();
    let (changes, id) = register::add_client(records, &mut chance, now, &client).unwrap();
    records.hand_over(&changes).unwrap();
    records.store(Vec::new()).unwrap().await.unwrap();
    id
}

/// The service and its store without sockets: requests in as JSON, primitives out as JSON, durable before they go.
struct Bare {
    service: Service,
    records: ImStore,
    clock: Clock,
    under_way: VecDeque<(sluice::im::door::keep::Durable, Effects)>,
    said: usize,
}

impl Bare {
    fn handle(&mut self, connection: usize, request: &Value) -> Effects {
        let now = Now {
            moment: self.clock.now(),
            wall: self.clock.wall(),
        };
        let request = primitive::read(request.to_string().as_bytes());
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
        let effects = self.handle(n, &login);
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
        let effects = self.handle(n, &login);
        assert!(effects.sends[0].1.to_json().contains("SignedIn"));
    }
}

async fn rate(name: &str, store: Store, goal: f64) {
    let records = ImStore::new(store, None).unwrap();
    let id = people(&records, USERS).await;
    let mut bare = Bare {
        service: Service::new(config(), [1; 32], [2; 32]).unwrap(),
        records,
        clock: Clock::system(),
        under_way: VecDeque::new(),
        said: 0,
    };
    (0..USERS).for_each(|n| bare.sign_in(n, &id));
    let bare = std::sync::Arc::new(std::sync::Mutex::new(bare));
    // One task makes turns, another one lets them out: as the door does.
    let (groups, mut waiting) =
        tokio::sync::mpsc::channel::<(sluice::im::door::keep::Durable, Vec<Effects>)>(64);
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
    let mut accepted = 0_u64;
    let mut number = 0_usize;
    let mut chance = 1_usize;
    let mut confirmed = vec![0_u64; USERS];
    while started.elapsed() < Duration::from_secs(8) {
        let (durable, turn) = {
            let mut bare = bare.lock().unwrap();
            let mut turn = Vec::with_capacity(140);
            for _ in 0..128 {
                number += 1;
                chance = chance
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let (from, to) = (number % USERS, (chance >> 33) % USERS);
                let to = if to == from { (to + 1) % USERS } else { to };
                let message = json!({"primitive": "Message", "transaction": format!("m{number}"), "elements":
                    {"to": {"user": user(to).as_str()}, "saying": {"text": "A text of forty letters, as people write."}}});
                let effects = bare.handle(from, &message);
                for (connection, outgoing) in &effects.sends {
                    let entry = &mut confirmed[connection.0 as usize];
                    *entry = outgoing.position.map_or(*entry, |position| position.0);
                    // Each point confirms now and then.
                    if *entry % 64 == 0 && *entry > 0 {
                        let received = json!({"primitive": "Received", "transaction": "r", "elements": {"position": *entry}});
                        turn.push(bare.handle(connection.0 as usize, &received));
                    }
                }
                accepted += u64::from(!effects.changes.is_empty());
                turn.push(effects);
            }
            (bare.records.store(Vec::new()).unwrap(), turn)
        };
        groups.send((durable, turn)).await.unwrap();
    }
    drop(groups);
    let (octets, sends) = letting_out.await.unwrap();
    let took = started.elapsed().as_secs_f64();
    println!(
        "{name}: {accepted} messages in {took:.1} s, {sends} primitives of {octets} octets let out"
    );
    assert!(
        sends as u64 >= accepted,
        "{} said",
        bare.lock().unwrap().said
    );
    figure(
        name,
        accepted as f64 / took,
        "messages/s",
        Goal::AtLeast(goal),
    );
}

async fn door(store: Store, people_there: usize) -> (Door, String, ImStore) {
    let records = ImStore::new(store, None).unwrap();
    let id = people(&records, people_there).await;
    let listen = DoorConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        ..DoorConfig::default()
    };
    let secret = records.secret().unwrap();
    let door = Door::open(&listen, config(), records.clone(), secret, Clock::system());
    (door.await.unwrap(), id, records)
}

async fn acknowledgement(store: Store, folder: &Path) {
    let (door, id, _) = door(store, 2).await;
    let mut alice = ImClient::connect(door.address()).await.unwrap();
    alice.sign_in("user0", "desk", &id, PASSWORD).await.unwrap();
    let mut bob = ImClient::connect(door.address()).await.unwrap();
    bob.sign_in("user1", "desk", &id, PASSWORD).await.unwrap();
    let mut file = std::fs::File::create(folder.join("sync")).unwrap();
    let (mut syncs, mut acknowledged) = (Vec::new(), Vec::new());
    for n in 0..400 {
        let begun = Instant::now();
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
        syncs.push(begun.elapsed().as_secs_f64() * 1000.0);
        let begun = Instant::now();
        let message = json!({"to": {"user": "user1"}, "saying": {"text": "hello"}});
        let answer = alice.ask("Message", message).await.unwrap();
        acknowledged.push(begun.elapsed().as_secs_f64() * 1000.0);
        assert_eq!(answer["primitive"], "Accepted");
        bob.hear().await.unwrap();
        if n % 50 == 49 {
            bob.say("Received", json!({"position": n + 1})).await;
        }
    }
    let (sync, acknowledged) = (median(&mut syncs), median(&mut acknowledged));
    println!("acknowledged after {acknowledged:.3} ms, a data sync takes {sync:.3} ms");
    figure(
        "im_acknowledged_beyond_a_sync",
        acknowledged - sync,
        "ms",
        Goal::AtMost(3.0),
    );
    door.close().await;
}

async fn group(store: Store) {
    let (door, id, records) = door(store, USERS).await;
    let name = GroupName::new("crowd").unwrap();
    let now = Clock::system().wall();
    let record = GroupRecord {
        owner: user(0),
        made_at: now,
        properties: GroupProperties {
            kind: GroupKind::Public,
            topic: None,
            description: String::new(),
            welcome: String::new(),
            searchable: true,
            members_invite: true,
            most_members: 2000,
        },
    };
    let mut changes = vec![Change::Group(name.clone(), Some(record))];
    for n in 0..USERS {
        let member = MemberRecord {
            name: ScreenName::new(user(n).as_str()).unwrap(),
            role: if n == 0 { Role::Owner } else { Role::Member },
            anonymous: false,
            joined_at: now,
        };
        changes.push(Change::Member(name.clone(), user(n), Some(member)));
    }
    door.handle().change(move |_| Ok(changes)).await.unwrap();
    drop(records);
    let mut clients = Vec::new();
    for n in 0..USERS {
        let mut client = ImClient::connect(door.address()).await.unwrap();
        client
            .sign_in(user(n).as_str(), "desk", &id, PASSWORD)
            .await
            .unwrap();
        clients.push(client);
    }
    let mut author = clients.remove(0);
    let mut times = Vec::new();
    for _ in 0..15 {
        let begun = Instant::now();
        let message = json!({"to": {"group": "crowd"}, "saying": {"text": "To all of you."}});
        author.say("Message", message).await.unwrap();
        for client in &mut clients {
            while client.hear().await.unwrap()["primitive"] != "Message" {}
        }
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    figure(
        "im_group_of_1000",
        median(&mut times),
        "ms",
        Goal::AtMost(100.0),
    );
    door.close().await;
}

fn resident_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn idle() {
    let (door, _, _) = door(Store::new(Memory::default()), 1).await;
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    let files: usize = files
        .split_whitespace()
        .nth(3)
        .unwrap()
        .parse()
        .unwrap_or(20_100);
    let wanted = 20_000.min(files.saturating_sub(100));
    let before = resident_kib();
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .env(HOLDER, format!("{} {wanted}", door.address()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = holder.stdout.take().unwrap();
    let ready = tokio::task::spawn_blocking(move || {
        let mut ready = [0; 5];
        out.read_exact(&mut ready).map(|()| ready)
    });
    assert_eq!(ready.await.unwrap().unwrap(), *b"ready");
    let each = (resident_kib() - before) / wanted as f64;
    println!("{wanted} idle connections");
    figure("im_idle_connection", each, "KiB", Goal::AtMost(12.0));
    drop(holder.stdin.take());
    holder.wait().unwrap();
    door.close().await;
}

/// Holds idle connections until its input ends.
fn hold(what: &str) {
    let (address, wanted) = what.split_once(' ').unwrap();
    let wanted: usize = wanted.parse().unwrap();
    let held: Vec<TcpStream> = (0..wanted)
        .map(|_| {
            let mut line = TcpStream::connect(address).unwrap();
            let greeting = format!(
                "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            );
            line.write_all(greeting.as_bytes()).unwrap();
            let mut answer = [0; 512];
            let read = line.read(&mut answer).unwrap();
            assert!(answer[..read].starts_with(b"HTTP/1.1 101"));
            line
        })
        .collect();
    std::io::stdout().write_all(b"ready").unwrap();
    std::io::stdout().flush().unwrap();
    let _ended = std::io::stdin().read(&mut [0]);
    drop(held);
}
