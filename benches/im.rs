//! The IM service with its store and its door: `cargo bench --bench im`. The sketch is in docs/performance.md.
//!
//! Clients live in a process of their own (this program, called by itself), so that what is measured of memory is the
//! server's. They still share its two processors.

#[path = "im/bare.rs"]
mod bare;
#[path = "im/crowd.rs"]
mod crowd;
#[allow(unreachable_pub, dead_code, reason = "the benchmark uses its part")]
#[path = "../tests/support/im_client.rs"]
mod im_client;
#[path = "im/people.rs"]
mod people;
mod support;

use std::io::Write;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use im_client::ImClient;
use people::{Helper, PASSWORD, USERS, open, user};
use serde_json::json;
use sluice::clock::Clock;
use sluice::im::change::Change;
use sluice::im::names::{GroupName, ScreenName};
use sluice::im::primitive::{GroupKind, GroupProperties, Role};
use sluice::im::record::{GroupRecord, MemberRecord};
use sluice::store::memory::Memory;
use sluice::store::{Store, StoreConfig};
use support::{Goal, figure, median, percentile};

/// Connections that do nothing.
const IDLE: usize = 20_000;
/// Messages a second with records in memory, and on disk: asked of the service by itself, and over connections.
const RATE_MEMORY: f64 = 60_000.0;
const RATE_DISK: f64 = 20_000.0;

fn main() {
    if crowd::called() {
        return;
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let disk = |name: &str| {
        let directory = folder.path().join(name);
        let config = StoreConfig {
            // A machine on which things are built is fuller than central's.
            least_free_percent: 1,
            ..StoreConfig::default()
        };
        Store::open(&directory, &config).unwrap()
    };
    let only = std::env::args().nth(1).filter(|only| only != "--bench");
    let is_on = |part: &str| only.as_ref().is_none_or(|only| part.starts_with(only));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        if is_on("idle") {
            // First, while the allocator has nothing to give back.
            idle(disk("idle")).await;
        }
        if is_on("acknowledged") {
            acknowledged(disk("acknowledged"), folder.path()).await;
        }
        if is_on("group") {
            group(disk("group")).await;
        }
        let memory = || Store::new(Memory::default());
        if is_on("rate.memory") {
            bare::rate("im.rate_memory", memory(), RATE_MEMORY).await;
        }
        if is_on("rate.disk") {
            bare::rate("im.rate_disk", disk("rate"), RATE_DISK).await;
        }
        if is_on("lines.memory") {
            lines("im.lines_memory", memory(), RATE_MEMORY).await;
        }
        if is_on("lines.disk") {
            lines("im.lines_disk", disk("lines"), RATE_DISK).await;
        }
    });
}

/// One after the other: a message, its acknowledgement as durable, its arrival at the other.
async fn acknowledged(store: Store, folder: &Path) {
    let (door, id) = open(store, 2).await;
    let mut alice = ImClient::connect(door.address()).await.unwrap();
    alice.sign_in("user0", "desk", &id, PASSWORD).await.unwrap();
    let mut bob = ImClient::connect(door.address()).await.unwrap();
    bob.sign_in("user1", "desk", &id, PASSWORD).await.unwrap();
    let mut file = std::fs::File::create(folder.join("sync")).unwrap();
    let (mut syncs, mut acknowledged, mut heard) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..1000_u64 {
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
        heard.push(begun.elapsed().as_secs_f64() * 1000.0);
        if n % 50 == 49 {
            bob.say("Received", json!({"position": n + 1})).await;
            alice.say("Received", json!({"position": n + 1})).await;
        }
    }
    let (sync, median_of) = (median(&mut syncs), median(&mut acknowledged));
    println!(
        "acknowledged after {median_of:.3} ms (p99 {:.3}), heard after {:.3}; a write and a data sync take {sync:.3} ms",
        percentile(&mut acknowledged, 0.99),
        median(&mut heard),
    );
    figure(
        "im.acknowledged_beyond_a_sync",
        median_of - sync,
        "ms",
        Goal::AtMost(3.0),
    );
    door.close().await;
}

/// A message to a group of a thousand, all of them present: from its being sent to its being heard by the last.
async fn group(store: Store) {
    let (door, id) = open(store, USERS).await;
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
    let mut crowd = Helper::start(&format!("group {} {USERS} {id}", door.address()));
    crowd.expect("ready");
    let mut times = Vec::new();
    for _ in 0..20 {
        // The crowd writes, hears, and tells how long it took until the last heard.
        crowd.say("write");
        times.push(crowd.number());
    }
    println!(
        "a group of {USERS}: the last heard it after {:.1} ms at best",
        percentile(&mut times, 0.0)
    );
    figure(
        "im.group_of_1000",
        median(&mut times),
        "ms",
        Goal::AtMost(100.0),
    );
    crowd.end();
    door.close().await;
}

/// A thousand users write to one another over their connections, a few messages under way from each. The clients take their
/// part of the same processors.
async fn lines(name: &str, store: Store, goal: f64) {
    let (door, id) = open(store, USERS).await;
    let mut crowd = Helper::start(&format!("lines {} {USERS} {id}", door.address()));
    crowd.expect("ready");
    crowd.say("write");
    let rate = crowd.number();
    figure(name, rate, "messages/s", Goal::AtLeast(goal));
    crowd.end();
    door.close().await;
}

/// What a connection costs whose user is signed in and does nothing.
async fn idle(store: Store) {
    let wanted = people::allow_files(IDLE + 1000).min(IDLE);
    let (door, id) = open(store, 2 * USERS).await;
    // Whatever comes once comes before.
    let mut first = Helper::start(&format!("hold {} 500 {id}", door.address()));
    first.expect("ready");
    let before = people::resident();
    let mut crowd = Helper::start(&format!("hold {} {wanted} {id}", door.address()));
    crowd.expect("ready");
    let each = (people::resident() - before) / wanted as f64 / 1024.0;
    println!("{wanted} connections that do nothing");
    figure("im.idle_connection", each, "KiB", Goal::AtMost(12.0));
    let counts = door.counts();
    let open = || counts.connections.load(Ordering::Relaxed);
    assert!(open() >= wanted, "{} of {wanted}", open());
    crowd.end();
    while open() > 500 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    first.end();
    door.close().await;
}
