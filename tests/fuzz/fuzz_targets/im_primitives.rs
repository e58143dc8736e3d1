//! Whatever clients send: it is read, or answered; and the service takes what was read without falling over.
//!
//! An input is a dialogue: each line goes to the service, over the connection that its first octet names: one of Alice, one
//! of Bob, one of nobody. Each input begins with the same world, so what was found once is found again.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use sluice::clock::{Moment, WallTime};
use sluice::im::auth::token_digest;
use sluice::im::chance::Chance;
use sluice::im::change::Change;
use sluice::im::config::Config;
use sluice::im::effects::{Effects, Now};
use sluice::im::limits::MAX_PRIMITIVE;
use sluice::im::memory::MemoryShelf;
use sluice::im::names::{ClientName, ConnectionId, SessionId};
use sluice::im::primitive::{FromClient, Tag, read};
use sluice::im::record::SessionRecord;
use sluice::im::register;
use sluice::im::service::Service;
use sluice::message::UserName;

const BEGINNING: u64 = 1_795_510_800_000;
const USERS: [&str; 2] = ["alice", "bob"];
const TOKEN: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=";

/// Made once: to read the attributes and languages of the program takes longer than a dialogue.
fn config() -> Config {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    let made = CONFIG.get_or_init(|| Config {
        sign_up: true,
        password_memory_kib: 8,
        password_passes: 1,
        messages_per_second: 1_000_000,
        ..Config::default()
    });
    made.clone()
}

/// What is kept when each dialogue begins: two users with a session each, a group and a list.
fn shelf() -> MemoryShelf {
    static SHELF: OnceLock<MemoryShelf> = OnceLock::new();
    let made = SHELF.get_or_init(|| {
        let mut world = World::of(users());
        for line in [
            r#"{"primitive":"CreateGroup","transaction":"g","elements":{"group":"chess","kind":"public"}}"#,
            r#"{"primitive":"CreateList","transaction":"l","elements":{"list":"friends","buddies":[{"user":"bob"}]}}"#,
        ] {
            let effects = world.handle(ConnectionId(1), line.as_bytes());
            assert!(!effects.changes.is_empty());
        }
        world.shelf
    });
    made.clone()
}

fn users() -> MemoryShelf {
    let mut shelf = MemoryShelf::new();
    let mut chance = Chance::new([3; 32]);
    let wall = WallTime::from_unix_ms(BEGINNING);
    for (n, name) in USERS.iter().enumerate() {
        let user = UserName::new(name).expect("a name");
        let added = register::add_user(&shelf, &config(), &mut chance, wall, &user, "password");
        shelf.apply_all(&added.expect("it is new"));
        let record = SessionRecord {
            user: user.clone(),
            client: ClientName::new("desk").expect("a name"),
            point: None,
            token: token_digest(TOKEN),
            made_at: wall,
            accepts: None,
        };
        let session = SessionId::from_octets([n as u8 + 1; 16]);
        shelf.apply(&Change::Session(session, user, Some(record)));
    }
    shelf
}

struct World {
    service: Service,
    shelf: MemoryShelf,
    clock: u64,
}

impl World {
    fn of(shelf: MemoryShelf) -> Self {
        let service = Service::new(config(), [1; 32], [2; 32]).expect("the usual makes sense");
        let mut world = Self {
            service,
            shelf,
            clock: 0,
        };
        for number in 1..=3 {
            let from = "192.0.2.1".parse().expect("an address");
            world.service.connected(ConnectionId(number), from);
        }
        for number in 1..=2_u8 {
            let session = SessionId::from_octets([number; 16]);
            let resume = format!(
                r#"{{"primitive":"Resume","transaction":"r","elements":{{"session":"{session}","token":"{TOKEN}"}}}}"#
            );
            let effects = world.handle(ConnectionId(number.into()), resume.as_bytes());
            assert_eq!(effects.sends[0].1.word.name(), "SignedIn");
        }
        world
    }

    fn handle(&mut self, connection: ConnectionId, octets: &[u8]) -> Effects {
        self.clock += 1;
        let now = Now {
            moment: Moment::from_micros(self.clock * 100_000),
            wall: WallTime::from_unix_ms(BEGINNING + self.clock * 100),
        };
        let request = read(octets);
        let effects = self.service.handle(now, &self.shelf, connection, request);
        self.shelf.apply_all(&effects.changes);
        effects
    }
}

fuzz_target!(|octets: &[u8]| {
    let mut world = World::of(shelf());
    for line in octets.split(|octet| *octet == b'\n').take(16) {
        let Some((who, line)) = line.split_first() else {
            continue;
        };
        let request = read(line);
        let mut is_answered = true;
        match &request {
            Ok(request) => {
                // Written and read again it is the same.
                let elements = request.primitive.elements_json();
                let again = FromClient::from_json(request.primitive.name(), &elements)
                    .expect("its name is known")
                    .expect("what was written can be read");
                assert_eq!(again, request.primitive);
                // These are answers themselves.
                is_answered = !matches!(
                    request.primitive,
                    FromClient::Status(_) | FromClient::Received(_)
                );
            }
            Err(why) => assert!(!why.status.code.is_done()),
        }
        if line.len() > MAX_PRIMITIVE {
            assert!(request.is_err());
        }
        let connection = ConnectionId(u64::from(who % 3) + 1);
        let effects = world.handle(connection, line);
        let mut answers = 0;
        for (to, outgoing) in effects.sends {
            let is_answer = matches!(outgoing.tag, Tag::Answer(_) | Tag::Unknown);
            answers += usize::from(is_answer && to == connection);
            let json = outgoing.to_json();
            let _whole: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
        }
        if is_answered {
            assert_eq!(answers, 1, "each request has one answer");
        }
    }
});
