//! What the IM service keeps, against its model in memory: random changes, on their way or durable, through restarts.

use std::sync::Arc;

use bytes::Bytes;
use sluice::clock::WallTime;
use sluice::im::change::Change;
use sluice::im::door::keep::Keep;
use sluice::im::log::{Due, Entry, Logged};
use sluice::im::memory::MemoryShelf;
use sluice::im::names::{
    ClientName, ContentName, ContentType, GroupName, InviteId, ListName, MessageId, Needle,
    Position, ScreenName, SessionId, TextId, Topic, TransactionId, UploadId,
};
use sluice::im::phone::OnceKey;
use sluice::im::primitive::{
    Contact, Forward, GroupKind, GroupProperties, Incoming, Recipient, Role, Saying, Sender,
};
use sluice::im::record::{
    ClientRecord, ContentRecord, GroupRecord, InviteRecord, Key, ListRecord, MemberRecord,
    PhoneRecord, Remembered, ReplyRecord, SessionMark, SessionRecord, TextRecord, UploadRecord,
    UserRecord, WhoRecord,
};
use sluice::im::shelf::Shelf;
use sluice::message::{PhoneNumber, UserName};
use sluice::store::im::{ImStore, Pending};
use sluice::store::memory::Memory;
use sluice::store::{Store, Submitted};

use crate::chance::{Chance, from_environment};
use crate::engines::Machine;
use crate::presence;

const USERS: u64 = 4;
const GROUPS: u64 = 3;

/// Small worlds make for many encounters.
struct World {
    chance: Chance,
    model: MemoryShelf,
    /// Uploads that were begun, and how many chunks they have.
    uploads: Vec<(UploadId, u32)>,
    made: u64,
}

fn user(n: u64) -> UserName {
    UserName::new(&format!("user{n}")).unwrap()
}

fn group(n: u64) -> GroupName {
    GroupName::new(&format!("group{n}")).unwrap()
}

fn phone(n: u64) -> PhoneNumber {
    PhoneNumber::new(&format!("35840{n}")).unwrap()
}

fn session(n: u64) -> SessionId {
    SessionId::from_octets([n as u8; 16])
}

/// Names of which one is too long for a key.
fn list(n: u64) -> ListName {
    match n {
        0 => ListName::new("friends").unwrap(),
        n => ListName::new(&format!("{}{n}", "\u{1F600}".repeat(60))).unwrap(),
    }
}

fn content(n: u64) -> ContentName {
    match n {
        0 => ContentName::new("a picture.png").unwrap(),
        n => ContentName::new(&format!("{}{n}", "\u{e4}".repeat(100))).unwrap(),
    }
}

fn topic(n: u64) -> Topic {
    Topic::new(["chess", "\u{e4}\u{e4}ni"][n as usize % 2]).unwrap()
}

fn at(n: u64) -> WallTime {
    WallTime::from_unix_ms(1_795_248_785_000 + n)
}

/// As the service makes them: they begin with their time, by which they are swept.
fn text_id(n: u64) -> TextId {
    TextId::new(at(n), [n as u8; 10])
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            chance: Chance::new(seed),
            model: MemoryShelf::new(),
            uploads: Vec::new(),
            made: 0,
        }
    }

    fn number(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    fn octets(&mut self) -> [u8; 10] {
        let mut octets = [0; 10];
        octets.fill_with(|| self.chance.number() as u8);
        octets
    }

    /// A text: most are short, some longer than a record takes.
    fn text(&mut self) -> String {
        let length = match self.chance.below(10) {
            0 => 16_000,
            1 => 4000 + self.chance.below(200),
            _ => self.chance.below(100),
        };
        "x\"".repeat(length as usize / 2)
    }

    fn contact(&mut self) -> Contact {
        match self.chance.below(2) {
            0 => Contact::User(user(self.chance.below(USERS))),
            _ => Contact::Phone(phone(self.chance.below(3))),
        }
    }

    fn maybe<T>(&mut self, made: impl FnOnce(&mut Self) -> T) -> Option<T> {
        match self.chance.percent(70) {
            true => Some(made(self)),
            false => None,
        }
    }

    fn entry(&mut self) -> Arc<Entry> {
        let incoming = Incoming {
            message: MessageId::new(at(self.made), self.octets()),
            from: Sender::User(user(self.chance.below(USERS))),
            saying: Saying::plain(self.text()),
        };
        Entry::new(at(self.number()), Logged::Message(incoming))
    }

    fn content_record(&mut self) -> ContentRecord {
        ContentRecord {
            kind: ContentType::new("image/png").unwrap(),
            size: self.chance.below(100_000),
            chunk: 48 << 10,
            author: user(self.chance.below(USERS)),
            stored_at: at(self.number()),
            read: WhoRecord::Members,
            change: WhoRecord::Only(vec![user(1)]),
        }
    }

    /// One change that the service could make.
    fn change(&mut self) -> Change {
        let who = user(self.chance.below(USERS));
        let which = group(self.chance.below(GROUPS));
        let head = self.model.log(&who).unwrap();
        match self.chance.below(30) {
            0 => Change::User(
                who,
                self.maybe(|world| UserRecord {
                    made_at: at(world.number()),
                    settings: Default::default(),
                    is_shut: false,
                    has_phones: false,
                }),
            ),
            1 => Change::Client(
                ClientName::new("laptop").unwrap(),
                self.maybe(|world| ClientRecord {
                    made_at: at(world.number()),
                    key: Key([7; 32]),
                }),
            ),
            2 | 3 => {
                let n = self.chance.below(6);
                // A session is one user's for ever.
                let who = user(n % USERS);
                let record = self.maybe(|world| SessionRecord {
                    user: user(n % USERS),
                    client: ClientName::new("laptop").unwrap(),
                    point: None,
                    token: Key([1; 32]),
                    made_at: at(world.number()),
                    accepts: None,
                });
                Change::Session(session(n), who, record)
            }
            4 => Change::Confirmed(
                session(self.chance.below(6)),
                SessionMark {
                    confirmed: Position(self.chance.below(30)),
                    seen_at: at(self.number()),
                },
            ),
            5 => {
                let n = self.chance.below(6);
                match self.model.session(&session(n)).unwrap() {
                    // Only sessions have answers.
                    None => Change::Received(who, head.last),
                    Some(_) => Change::Remembered(
                        session(n),
                        Arc::new(Remembered {
                            number: self.chance.below(300),
                            transaction: TransactionId::new("t1").unwrap(),
                            fingerprint: self.chance.number(),
                            position: None,
                            primitive: "Accepted".into(),
                            elements: self.text(),
                        }),
                    ),
                }
            }
            6..=12 => Change::Append {
                user: who,
                position: head.last.next(),
                entry: self.entry(),
                due: self.maybe(|world| Due {
                    sender: user(0),
                    message: MessageId::new(at(1), world.octets()),
                    recipient: Recipient::User(user(1)),
                }),
            },
            13 => Change::Received(who, Position(self.chance.below(head.last.0 + 1))),
            14 => Change::Read(who, Position(self.chance.below(head.last.0 + 1))),
            15 => Change::Settled(who, Position(self.chance.below(head.last.0 + 1))),
            16 => Change::Trimmed(who, Position(self.chance.below(head.received.0 + 1))),
            17 => {
                let record = self.maybe(|world| ListRecord {
                    buddies: (0..world.chance.below(100))
                        .map(|_| world.contact())
                        .collect(),
                });
                Change::List(who, list(self.chance.below(3)), record)
            }
            18 => Change::Blocked(who, self.contact(), self.chance.percent(60)),
            19 => Change::Group(
                which,
                self.maybe(|world| GroupRecord {
                    owner: user(world.chance.below(USERS)),
                    made_at: at(world.number()),
                    properties: GroupProperties {
                        kind: GroupKind::Public,
                        topic: world.maybe(|world| topic(world.chance.below(2))),
                        description: String::new(),
                        welcome: String::new(),
                        searchable: true,
                        members_invite: true,
                        most_members: 10,
                    },
                }),
            ),
            20 => {
                let record = self.maybe(|world| MemberRecord {
                    name: ScreenName::new(&format!("name of {}", who.as_str())).unwrap(),
                    role: Role::Member,
                    anonymous: false,
                    joined_at: at(world.number()),
                });
                Change::Member(which, who, record)
            }
            21 => Change::Banned(which, who, self.chance.percent(60)),
            22 => Change::Invite(
                who,
                which,
                self.maybe(|world| InviteRecord {
                    invite: InviteId::new(at(1), world.octets()),
                    from: user(0),
                    valid_until: at(world.number()),
                }),
            ),
            23 | 24 => self.upload(),
            25 => {
                let record = self.maybe(|world| {
                    PhoneRecord::of(user(world.chance.below(USERS)), Forward::Always)
                });
                Change::Phone(phone(self.chance.below(3)), record)
            }
            26 => match self.chance.below(2) {
                0 => Change::Once(
                    OnceKey::new(&format!("ring/1/{}", self.chance.below(20))).unwrap(),
                    at(self.number()),
                ),
                _ => Change::Text(
                    text_id(self.chance.below(3)),
                    self.maybe(|world| TextRecord {
                        phone: phone(1),
                        message: None,
                        at: at(world.number()),
                    }),
                ),
            },
            27 | 28 => {
                let other = user(self.chance.below(USERS));
                let change = presence::change(&mut self.chance, who, other);
                Change::Presence(Box::new(change))
            }
            _ => Change::Reply(
                phone(self.chance.below(3)),
                self.chance.below(300) as u32,
                self.maybe(|world| ReplyRecord {
                    partner: Recipient::User(user(world.chance.below(USERS))),
                    used_at: at(world.number()),
                }),
            ),
        }
    }

    fn upload(&mut self) -> Change {
        let which = group(self.chance.below(GROUPS));
        let name = content(self.chance.below(3));
        let open = self.uploads.len() as u64;
        match self.chance.below(if open == 0 { 1 } else { 6 }) {
            0 => {
                let upload = UploadId::new(at(self.number()), self.octets());
                self.uploads.push((upload, 0));
                let content = self.content_record();
                let record = UploadRecord {
                    group: which,
                    name,
                    content,
                };
                Change::Upload(upload, Some(record))
            }
            1..=3 => {
                let (upload, chunks) = &mut self.uploads[self.chance.below(open) as usize];
                *chunks += 1;
                let data = vec![*chunks as u8; self.chance.below(20_000) as usize];
                Change::Chunk(*upload, *chunks - 1, Bytes::from(data))
            }
            4 => {
                let (upload, _) = self.uploads.remove(self.chance.below(open) as usize);
                let record = self.content_record();
                Change::Content(which, name, Some((upload, record)))
            }
            _ => match self.chance.below(2) {
                0 => Change::Content(which, name, None),
                _ => {
                    let (upload, _) = self.uploads.remove(self.chance.below(open) as usize);
                    Change::Upload(upload, None)
                }
            },
        }
    }
}

/// Everything that can be read, as text.
fn told(shelf: &dyn Shelf, uploads: &[(UploadId, u32)]) -> String {
    let mut told = Vec::new();
    let mut tell = |what: &dyn std::fmt::Debug| told.push(format!("{what:?}"));
    for n in 0..USERS {
        let who = user(n);
        tell(&(
            shelf.user(&who),
            shelf.log(&who),
            shelf.lists(&who),
            shelf.blocked(&who, 3),
        ));
        tell(&shelf.sessions_of(&who));
        let first = shelf.log(&who).unwrap().trimmed;
        let entries = shelf.entries(&who, first, 7).unwrap();
        tell(
            &entries
                .iter()
                .map(|(position, entry)| (position, entry.elements_json()))
                .collect::<Vec<_>>(),
        );
        let middle = Position((first.0 + shelf.log(&who).unwrap().last.0) / 2);
        let entries = shelf.entries(&who, middle, 1000).unwrap();
        tell(
            &entries
                .iter()
                .map(|(position, entry)| (position, entry.elements_json()))
                .collect::<Vec<_>>(),
        );
        tell(&(
            shelf.due(&who, middle, 5),
            shelf.due(&who, Position(10_000), 1000),
        ));
        for n in 0..3 {
            tell(&(
                shelf.list(&who, &list(n)),
                shelf.phone(&phone(n)),
                shelf.is_buddy(&who, &Contact::Phone(phone(n))),
            ));
        }
        tell(&(
            shelf.groups_of(&who, None, 2),
            shelf.groups_of(&who, Some(&group(0)), 9),
        ));
        tell(&(
            shelf.groups_owned(&who, None, 9),
            shelf.phones_of(&who),
            shelf.uploads_of(&who, 9),
            shelf.due_at(&who, middle),
            shelf.invites_of(&who, 2),
        ));
        for n in 0..GROUPS {
            tell(&(
                shelf.is_banned(&group(n), &who),
                shelf.invite(&who, &group(n)),
            ));
        }
    }
    for n in 0..6 {
        let mut remembered = shelf.remembered(&session(n)).unwrap();
        remembered.sort_by_key(|answer| answer.number);
        tell(&(
            shelf.session(&session(n)),
            shelf.confirmed(&session(n)),
            remembered,
        ));
    }
    for n in 0..GROUPS {
        let which = group(n);
        tell(&(
            shelf.group(&which),
            shelf.members(&which),
            shelf.content_use(&which),
        ));
        tell(&(
            shelf.groups_about(&topic(n), None, 1),
            shelf.groups_about(&topic(n), Some(&group(0)), 5),
        ));
        let mut contents = shelf.contents(&which, None, 100).unwrap();
        // Names that are too long for a key have an order of their own.
        contents.sort_by(|one, other| one.0.cmp(&other.0));
        for (_, upload, _) in &contents {
            let chunks = shelf.chunks(upload).unwrap();
            tell(
                &(0..chunks)
                    .map(|n| shelf.chunk(upload, n))
                    .collect::<Vec<_>>(),
            );
        }
        tell(&contents);
    }
    for (upload, chunks) in uploads {
        tell(&(shelf.upload(upload), shelf.chunks(upload), chunks));
    }
    tell(&(
        shelf.uploads_before(at(50), 3),
        shelf.client(&ClientName::new("laptop").unwrap()),
    ));
    let needle = |text: &str| Needle::new(text).unwrap();
    tell(&(
        shelf.users_called(&needle("us"), None, 2),
        shelf.users_called(&needle("user"), Some(&user(1)), 9),
    ));
    tell(&(
        shelf.users_called(&needle("x y"), None, 2),
        shelf.groups_called(&needle("gr"), Some(&group(0)), 9),
    ));
    for n in 0..3 {
        tell(&(
            shelf.replies(&phone(n)),
            shelf.reply(&phone(n), 7),
            shelf.text(&text_id(n)),
        ));
    }
    for n in 0..20 {
        tell(&shelf.was_taken(&OnceKey::new(&format!("ring/1/{n}")).unwrap()));
    }
    told.join("\n")
}

fn same(real: &ImStore, world: &World, when: &str) {
    presence::same(real, &world.model, when);
    let (real, model) = (
        told(real, &world.uploads),
        told(&world.model, &world.uploads),
    );
    if let Some((real, model)) = real
        .lines()
        .zip(model.lines())
        .find(|(real, model)| real != model)
    {
        let differs = real
            .chars()
            .zip(model.chars())
            .take_while(|(real, model)| real == model);
        let from = differs.count().saturating_sub(100);
        let some = |line: &str| line.chars().skip(from).take(400).collect::<String>();
        panic!("{when}:\nreal  {}\nmodel {}", some(real), some(model));
    }
    assert_eq!(real.len(), model.len(), "{when}");
}

/// What is on its way is settled, in order.
fn settle(real: &ImStore, under_way: &mut Vec<(Submitted, Pending)>) {
    for (submitted, pending) in under_way.drain(..) {
        submitted.wait().unwrap();
        real.settled(pending);
    }
}

fn story(store: Store, seed: u64, steps: u64) {
    let mut world = World::new(seed);
    let mut real = ImStore::new(store.clone(), None).unwrap();
    let mut under_way = Vec::new();
    for step in 0..steps {
        let when = format!("seed {seed}, step {step}");
        let change = world.change();
        let mut changes = vec![change.clone()];
        if let Change::Content(_, _, Some((upload, _))) = &change {
            changes.push(Change::Upload(*upload, None));
        }
        world.model.apply_all(&changes);
        real.hand_over(&changes).unwrap();
        match world.chance.below(12) {
            0 => same(&real, &world, &when),
            1..=3 => {
                let (batch, pending) = real.take();
                under_way.push((store.submit(batch).unwrap(), pending));
            }
            4 => settle(&real, &mut under_way),
            5 => {
                let _more = real.sweep(at(0)).unwrap();
            }
            6 if world.chance.percent(30) => {
                let (batch, pending) = real.take();
                under_way.push((store.submit(batch).unwrap(), pending));
                settle(&real, &mut under_way);
                // A restart: nothing is in memory.
                real = ImStore::new(store.clone(), None).unwrap();
                same(&real, &world, &when);
            }
            _ => {}
        }
    }
    same(&real, &world, &format!("seed {seed}, at the end"));
    // What belongs to nothing goes at last, and takes nothing else along.
    loop {
        let more = real.sweep(at(0)).unwrap();
        let (batch, pending) = real.take();
        under_way.push((store.submit(batch).unwrap(), pending));
        settle(&real, &mut under_way);
        if !more {
            break;
        }
    }
    same(&real, &world, &format!("seed {seed}, swept"));
}

#[test]
fn what_the_service_keeps_is_what_its_model_keeps() {
    let seed = from_environment("SLUICE_SEED", u64::from(getrandom::u32().unwrap()));
    for round in 0..12 {
        story(Store::new(Memory::default()), seed + round, 600);
    }
}

#[test]
fn what_the_service_keeps_is_on_disk_too() {
    let seed = from_environment("SLUICE_SEED", u64::from(getrandom::u32().unwrap()));
    let folder = tempfile::tempdir().unwrap();
    let guarded = Machine::new().store(&folder.path().join("store")).unwrap();
    story(Store::new(guarded), seed, 800);
}

#[test]
fn a_key_of_what_was_taken_is_forgotten_after_a_week() {
    let store = Store::new(Memory::default());
    let real = ImStore::new(store.clone(), None).unwrap();
    const DAY: u64 = 24 * 3600 * 1000;
    let now = at(900 * DAY);
    let key = |name: &str| OnceKey::new(name).unwrap();
    real.hand_over(&[
        Change::Once(key("old"), at(890 * DAY)),
        Change::Once(key("young"), at(895 * DAY)),
    ])
    .unwrap();
    // Asked for before, they are known in memory, too.
    assert!(real.was_taken(&key("old")).unwrap());
    assert!(!real.sweep(now).unwrap());
    assert!(!real.was_taken(&key("old")).unwrap());
    assert!(real.was_taken(&key("young")).unwrap());
}
