//! Who lives in the benchmark's town, and the process in which their clients are.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use sluice::clock::Clock;
use sluice::im::chance::Chance;
use sluice::im::config::Config;
use sluice::im::door::Door;
use sluice::im::door::config::DoorConfig;
use sluice::im::door::keep::Keep;
use sluice::im::names::ClientName;
use sluice::im::register;
use sluice::message::UserName;
use sluice::store::Store;
use sluice::store::im::ImStore;

/// Users of a town.
pub(crate) const USERS: usize = 1000;
/// Of all of them.
pub(crate) const PASSWORD: &str = "correct horse";
/// Tells the process that it holds clients, and which.
pub(crate) const CALLED: &str = "SLUICE_BENCH_IM";

/// A service that is quick to sign in to, and as it is otherwise.
pub(crate) fn config() -> Config {
    Config {
        password_memory_kib: 64,
        password_passes: 1,
        messages_per_second: 1_000_000,
        ..Config::default()
    }
}

pub(crate) fn user(n: usize) -> UserName {
    UserName::new(&format!("user{n}")).unwrap()
}

/// Registers users and the client `desk`; gives the client's id.
pub(crate) async fn register(records: &ImStore, how_many: usize) -> String {
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

/// An open door with so many users behind it, and their client's id.
pub(crate) async fn open(store: Store, how_many: usize) -> (Door, String) {
    let records = ImStore::new(store, None).unwrap();
    let id = register(&records, how_many).await;
    let listen = DoorConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        max_connections_an_address: 50_000,
        // Nobody goes while it is measured, nor answers a ping.
        sign_in: Duration::from_secs(600),
        ping: Duration::from_secs(600),
        silence: Duration::from_secs(1200),
        ..DoorConfig::default()
    };
    let secret = records.secret().unwrap();
    let door = Door::open(&listen, config(), records, secret, Clock::system());
    (door.await.unwrap(), id)
}

/// Resident memory of this process, in octets.
pub(crate) fn resident() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux tells it");
    let pages = pages.split(' ').nth(1).expect("the second number");
    pages.parse::<f64>().expect("a number") * 4096.0
}

/// Asks for so many files, and tells how many connections there may be.
pub(crate) fn allow_files(wanted: usize) -> usize {
    let pid = std::process::id().to_string();
    // It belongs to util-linux, which every Linux has; where it may not, fewer connections are measured.
    let _refused = Command::new("prlimit")
        .args(["--pid", &pid, &format!("--nofile={wanted}:{wanted}")])
        .output();
    let limits = std::fs::read_to_string("/proc/self/limits").expect("Linux tells it");
    let files = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    files.unwrap_or(wanted).saturating_sub(400)
}

/// A process of clients.
pub(crate) struct Helper {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Helper {
    pub(crate) fn start(what: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(CALLED, what)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    pub(crate) fn say(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        tokio::task::block_in_place(|| self.output.read_line(&mut line)).unwrap();
        line.trim().to_owned()
    }

    pub(crate) fn expect(&mut self, line: &str) {
        assert_eq!(self.hear(), line);
    }

    pub(crate) fn number(&mut self) -> f64 {
        self.hear().parse().unwrap()
    }

    /// Ends it.
    pub(crate) fn end(mut self) {
        self.input = None;
        tokio::task::block_in_place(|| self.child.wait()).unwrap();
    }
}
