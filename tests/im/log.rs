//! The log under everything at once: lines that break with things under way, restarts, several points for each user,
//! requests that are sent again. Each point sees each entry once and in order; each message that was accepted is in its
//! recipient's log once.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use sluice::clock::{Moment, WallTime};
use sluice::im::auth::{client_key, make_keys, proof};
use sluice::im::chance::Chance;
use sluice::im::config::Config;
use sluice::im::effects::{Effects, Now};
use sluice::im::log::Logged;
use sluice::im::memory::MemoryShelf;
use sluice::im::names::{ClientName, ConnectionId, Position, SessionId, TransactionId};
use sluice::im::primitive::{
    FromClient, Login, Message, Outgoing, Proof, Read, Received, Recipient, Request, Resume,
    Saying, Tag, ToClient, Word,
};
use sluice::im::register;
use sluice::im::service::Service;
use sluice::im::shelf::Shelf;
use sluice::message::UserName;

const USERS: [&str; 2] = ["alice", "bob"];
/// Points of each user.
const POINTS: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    /// A point writes to the other user, so many messages one after the other.
    Write(usize, u8),
    /// A point confirms what it has.
    Confirm(usize),
    /// A point says that everything was read.
    Read(usize),
    /// The line of a point goes dead; neither end knows.
    Dead(usize),
    /// The point comes back, and asks again what was not answered.
    Back(usize),
    /// The service is killed and starts again.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let point = 0..USERS.len() * POINTS;
    prop_oneof![
        6 => (point.clone(), 1..4_u8).prop_map(|(point, count)| Step::Write(point, count)),
        1 => (point.clone(), 100..200_u8).prop_map(|(point, count)| Step::Write(point, count)),
        4 => point.clone().prop_map(Step::Confirm),
        1 => point.clone().prop_map(Step::Read),
        2 => point.clone().prop_map(Step::Dead),
        3 => point.prop_map(Step::Back),
        1 => Just(Step::Restart),
    ]
}

/// A client as it should be.
struct Client {
    user: UserName,
    session: SessionId,
    token: String,
    connection: ConnectionId,
    is_dead: bool,
    /// The last entry that it has.
    position: u64,
    count: u32,
    /// Asked and not answered.
    open: BTreeMap<TransactionId, FromClient>,
}

struct World {
    service: Service,
    shelf: MemoryShelf,
    config: Config,
    clients: Vec<Client>,
    connections: u64,
    lives: u8,
    clock: u64,
    /// A crash loses what is not urgent; here it never arrives.
    is_lazy_lost: bool,
    accepted: Vec<String>,
}

impl World {
    fn new(is_lazy_lost: bool) -> Self {
        let config = Config {
            password_memory_kib: 8,
            password_passes: 1,
            messages_per_second: 1_000_000,
            ..Config::default()
        };
        let mut world = Self {
            service: Service::new(config.clone(), [1; 32], [2; 32]).unwrap(),
            shelf: MemoryShelf::new(),
            config,
            clients: Vec::new(),
            connections: 0,
            lives: 0,
            clock: 0,
            is_lazy_lost,
            accepted: Vec::new(),
        };
        let mut chance = Chance::new([3; 32]);
        for user in USERS {
            let user = UserName::new(user).unwrap();
            let wall = WallTime::from_unix_ms(0);
            let config = &world.config;
            let changes =
                register::add_user(&world.shelf, config, &mut chance, wall, &user, "password");
            world.shelf.apply_all(&changes.unwrap());
            let client = ClientName::new(user.as_str()).unwrap();
            let (changes, id) =
                register::add_client(&world.shelf, &mut chance, wall, &client).unwrap();
            world.shelf.apply_all(&changes);
            for _ in 0..POINTS {
                world.sign_in(&user, &client, &id);
            }
        }
        world
    }

    fn now(&mut self) -> Now {
        self.clock += 1;
        Now {
            moment: Moment::from_micros(self.clock * 1000),
            wall: WallTime::from_unix_ms(self.clock),
        }
    }

    fn connect(&mut self) -> ConnectionId {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.service
            .connected(connection, "192.0.2.1".parse().unwrap());
        connection
    }

    fn ask(&mut self, connection: ConnectionId, id: &str, primitive: FromClient) -> Effects {
        let request = Request {
            transaction: TransactionId::new(id).unwrap(),
            session: None,
            fingerprint: 7,
            primitive,
        };
        let now = self.now();
        let effects = self
            .service
            .handle(now, &self.shelf, connection, Ok(request));
        for change in &effects.changes {
            if change.is_urgent() || !self.is_lazy_lost {
                self.shelf.apply(change);
            }
        }
        effects
    }

    fn sign_in(&mut self, user: &UserName, client: &ClientName, id: &str) {
        let connection = self.connect();
        let mut login = Login {
            user: user.clone(),
            client: client.clone(),
            schemes: vec![sluice::im::names::SchemeName::new("argon2id-hmac-sha-256").unwrap()],
            proof: None,
            point: None,
            accepts: None,
            position: Some(Position::START),
        };
        let effects = self.ask(connection, "1", login.clone().into());
        let Word::Own(ToClient::Status(status)) = &effects.sends[0].1.word else {
            panic!("a challenge");
        };
        let challenge = status.challenge.clone().expect("a challenge");
        let keys = make_keys("password", challenge.password.as_ref().unwrap()).unwrap();
        let digest = proof(&keys, &client_key(id), &challenge.nonce, user, client);
        login.proof = Some(Proof {
            scheme: challenge.scheme,
            nonce: challenge.nonce,
            digest,
        });
        let effects = self.ask(connection, "2", login.into());
        let Word::Own(ToClient::SignedIn(signed_in)) = &effects.sends[0].1.word else {
            panic!("{:?}", effects.sends);
        };
        self.clients.push(Client {
            user: user.clone(),
            session: signed_in.session,
            token: signed_in.token.clone().unwrap(),
            connection,
            is_dead: false,
            position: 0,
            count: 0,
            open: BTreeMap::new(),
        });
        assert_eq!(effects.sends.len(), 1);
    }

    fn release(&mut self, effects: Effects) {
        for (connection, outgoing) in effects.sends {
            let client = self
                .clients
                .iter_mut()
                .find(|client| client.connection == connection && !client.is_dead);
            if let Some(client) = client {
                client.gets(&outgoing, &mut self.accepted);
            }
        }
    }

    /// A client asks, and asks again until it is answered.
    fn request(&mut self, at: usize, primitive: FromClient) {
        let client = &mut self.clients[at];
        if client.open.len() > 100 {
            // As many as are remembered for sure.
            return;
        }
        client.count += 1;
        let id = format!("t{}", client.count);
        client
            .open
            .insert(TransactionId::new(&id).unwrap(), primitive.clone());
        let connection = client.connection;
        // On a dead line some still arrive, and their answers get lost.
        if !client.is_dead || client.count.is_multiple_of(2) {
            let effects = self.ask(connection, &id, primitive);
            self.release(effects);
        }
    }

    fn back(&mut self, at: usize) {
        let old = self.clients[at].connection;
        let connection = self.connect();
        let client = &mut self.clients[at];
        client.connection = connection;
        client.is_dead = false;
        let resume = Resume {
            session: client.session,
            token: client.token.clone(),
            position: Some(Position(client.position)),
            accepts: None,
        };
        let effects = self.ask(connection, "r", resume.into());
        let is_back = matches!(effects.sends[0].1.word, Word::Own(ToClient::SignedIn(_)));
        assert!(is_back, "{:?}", effects.sends[0]);
        self.release(effects);
        // The end of the old connection is noticed late.
        let now = self.now();
        let effects = self.service.disconnected(now, old);
        self.shelf.apply_all(&effects.changes);
        let open: Vec<_> = self.clients[at].open.clone().into_iter().collect();
        for (id, primitive) in open {
            let effects = self.ask(connection, id.as_str(), primitive);
            self.release(effects);
        }
    }

    fn play(&mut self, step: &Step) {
        match *step {
            Step::Write(at, count) => {
                let other = USERS[1 - at / POINTS];
                for _ in 0..count {
                    let text = format!("{at}/{}", self.clients[at].count + 1);
                    let message = Message {
                        to: Recipient::User(UserName::new(other).unwrap()),
                        saying: Saying::plain(text),
                        report: count < 3,
                        valid_until: None,
                    };
                    self.request(at, message.into());
                }
            }
            Step::Confirm(at) => self.confirm(at),
            Step::Read(at) => {
                let position = Position(self.clients[at].position);
                self.request(at, Read { position }.into());
            }
            Step::Dead(at) => self.clients[at].is_dead = true,
            Step::Back(at) => self.back(at),
            Step::Restart => {
                self.lives += 1;
                let seed = [10 + self.lives; 32];
                self.service = Service::new(self.config.clone(), [1; 32], seed).unwrap();
                for client in &mut self.clients {
                    client.is_dead = true;
                }
            }
        }
    }

    fn confirm(&mut self, at: usize) {
        let client = &self.clients[at];
        if client.is_dead {
            return;
        }
        let position = Position(client.position);
        let effects = self.ask(client.connection, "c", Received { position }.into());
        self.release(effects);
    }

    fn last(&self, user: &UserName) -> u64 {
        self.shelf.log(user).unwrap().last.0
    }

    /// All come back, and confirm until nothing is left.
    fn settle(&mut self) {
        for at in 0..self.clients.len() {
            self.back(at);
        }
        for _ in 0..100 {
            for at in 0..self.clients.len() {
                self.confirm(at);
            }
        }
    }

    fn check(&self) {
        for client in &self.clients {
            assert_eq!(
                client.position,
                self.last(&client.user),
                "nothing is missed"
            );
            assert!(client.open.is_empty());
        }
        let mut heard = BTreeMap::new();
        for user in USERS {
            let user = UserName::new(user).unwrap();
            let entries = self
                .shelf
                .entries(&user, Position::START, usize::MAX)
                .unwrap();
            assert_eq!(entries.len() as u64, self.last(&user), "no gaps");
            for (_, entry) in entries {
                if let Logged::Message(message) = entry.logged() {
                    *heard
                        .entry(message.saying.text.expose().clone())
                        .or_insert(0) += 1;
                }
            }
            assert!(
                self.shelf
                    .due(&user, Position(u64::MAX), 1)
                    .unwrap()
                    .is_empty()
            );
        }
        for text in &self.accepted {
            assert_eq!(heard.get(text), Some(&1), "{text}");
        }
        assert_eq!(heard.len(), self.accepted.len());
    }
}

impl Client {
    fn gets(&mut self, outgoing: &Outgoing, accepted: &mut Vec<String>) {
        if let Some(position) = outgoing.position {
            let is_again = matches!(outgoing.tag, Tag::Answer(_)) && position.0 <= self.position;
            assert!(
                is_again || position.0 == self.position + 1,
                "{} has {} and gets {position}",
                self.user.as_str(),
                self.position
            );
            self.position = self.position.max(position.0);
        }
        let Tag::Answer(transaction) = &outgoing.tag else {
            return;
        };
        let Some(asked) = self.open.remove(transaction) else {
            return;
        };
        match (&outgoing.word, asked) {
            (Word::Own(ToClient::Accepted(_)), FromClient::Message(message)) => {
                accepted.push(message.saying.text.expose().clone());
            }
            (Word::Own(ToClient::Status(status)), FromClient::Read(_)) => {
                assert!(status.code.is_done(), "{status:?}");
            }
            (word, asked) => panic!("{asked:?} is answered by {word:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn m3_each_point_sees_each_entry_once_and_in_order(
        steps in proptest::collection::vec(step(), 1..60),
        is_lazy_lost in any::<bool>(),
    ) {
        let mut world = World::new(is_lazy_lost);
        for step in &steps {
            world.play(step);
        }
        world.settle();
        world.check();
    }
}
