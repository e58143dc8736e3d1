//! A shelf in memory: for tests, for measuring the service without a disk, and as the model of what a store does.
//!
//! [`MemoryShelf::apply`] is the meaning of each [`Change`], written as plainly as it can be.

mod pairs;
mod reads;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use self::pairs::Pairs;
use super::change::Change;
use super::limits::REMEMBERED;
use super::log::{Due, Entry, LogHead};
use super::names::{
    ClientName, ContentName, GroupName, ListName, Position, SessionId, TextId, Topic, UploadId,
};
use super::phone::OnceKey;
use super::primitive::Contact;
use super::record::{
    ClientRecord, ContentRecord, Credentials, GroupRecord, InviteRecord, ListRecord, Members,
    PhoneRecord, ProofRecord, Remembered, ReplyRecord, SessionMark, SessionRecord, TextRecord,
    UploadRecord, UserRecord,
};
use crate::message::{PhoneNumber, UserName};

/// One user's log.
#[derive(Clone, Debug, Default)]
struct Log {
    head: LogHead,
    entries: BTreeMap<Position, Arc<Entry>>,
    due: BTreeMap<Position, Due>,
}

/// Everything, in maps.
#[derive(Clone, Debug, Default)]
pub struct MemoryShelf {
    users: BTreeMap<UserName, UserRecord>,
    credentials: HashMap<UserName, Credentials>,
    clients: HashMap<ClientName, ClientRecord>,
    sessions: HashMap<SessionId, SessionRecord>,
    sessions_of: Pairs<UserName, SessionId, ()>,
    confirmed: HashMap<SessionId, SessionMark>,
    remembered: Pairs<SessionId, u64, Remembered>,
    logs: HashMap<UserName, Log>,
    lists: Pairs<UserName, ListName, ListRecord>,
    blocked: Pairs<UserName, Contact, ()>,
    groups: BTreeMap<GroupName, GroupRecord>,
    owned: Pairs<UserName, GroupName, ()>,
    topics: Pairs<Topic, GroupName, ()>,
    members: HashMap<GroupName, Arc<Members>>,
    groups_of: Pairs<UserName, GroupName, ()>,
    banned: Pairs<GroupName, UserName, ()>,
    invites: Pairs<UserName, GroupName, InviteRecord>,
    invited: Pairs<GroupName, UserName, ()>,
    uploads: BTreeMap<UploadId, UploadRecord>,
    uploads_of: Pairs<UserName, UploadId, ()>,
    chunks: Pairs<UploadId, u32, Bytes>,
    contents: Pairs<GroupName, ContentName, (UploadId, ContentRecord)>,
    stored: HashSet<UploadId>,
    phones: HashMap<PhoneNumber, PhoneRecord>,
    phones_of: Pairs<UserName, PhoneNumber, ()>,
    proofs: HashMap<(UserName, PhoneNumber), ProofRecord>,
    replies: Pairs<PhoneNumber, u32, ReplyRecord>,
    texts: BTreeMap<TextId, TextRecord>,
    taken: HashSet<OnceKey>,
    presence: BTreeMap<crate::presence::Key, crate::presence::Record>,
    fails: bool,
    reads: Reads,
}

/// How often it was read.
#[derive(Debug, Default)]
struct Reads(AtomicU64);

impl Reads {
    fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Clone for Reads {
    fn clone(&self) -> Self {
        Self(self.0.load(Ordering::Relaxed).into())
    }
}

impl MemoryShelf {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// How often it was read so far: what a request costs, whatever it is answered.
    pub fn reads(&self) -> u64 {
        self.reads.0.load(Ordering::Relaxed)
    }

    /// From now on every read fails, or none does.
    pub const fn fail(&mut self, fails: bool) {
        self.fails = fails;
    }

    /// All that is kept of presence, to load it from.
    pub fn presence(&self) -> impl Iterator<Item = &crate::presence::Record> {
        self.presence.values()
    }

    /// Does what changes say, in order.
    pub fn apply_all(&mut self, changes: &[Change]) {
        for change in changes {
            self.apply(change);
        }
    }

    /// Does what one change says.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::User(user, record) => match record {
                Some(record) => {
                    self.users.insert(user.clone(), record.clone());
                }
                None => {
                    self.users.remove(user);
                }
            },
            Change::Credentials(user, record) => {
                set(&mut self.credentials, user, record.as_ref());
            }
            Change::Client(client, record) => set(&mut self.clients, client, record.as_ref()),
            Change::Session(session, user, record) => {
                set(&mut self.sessions, session, record.as_ref());
                self.sessions_of
                    .set(user, session, record.as_ref().map(|_| ()));
                if record.is_none() {
                    self.confirmed.remove(session);
                    self.remembered.take(session);
                }
            }
            Change::Confirmed(session, mark) => {
                if self.sessions.contains_key(session) {
                    self.confirmed.insert(*session, *mark);
                }
            }
            Change::Remembered(session, remembered) => {
                let slot = remembered.number % u64::from(REMEMBERED);
                self.remembered
                    .set(session, &slot, Some((**remembered).clone()));
            }
            Change::Append {
                user,
                position,
                entry,
                due,
            } => {
                let log = self.log_of(user);
                log.entries.insert(*position, Arc::clone(entry));
                if let Some(due) = due {
                    log.due.insert(*position, due.clone());
                }
                forward(&mut log.head.last, *position);
            }
            Change::Received(user, position) => {
                forward(&mut self.log_of(user).head.received, *position);
            }
            Change::Read(user, position) => forward(&mut self.log_of(user).head.read, *position),
            Change::Settled(user, position) => {
                self.log_of(user).due.remove(position);
            }
            Change::Trimmed(user, position) => {
                let log = self.log_of(user);
                log.entries = log.entries.split_off(&position.next());
                log.due = log.due.split_off(&position.next());
                forward(&mut log.head.trimmed, *position);
            }
            Change::List(owner, list, record) => {
                self.lists.set(owner, list, record.clone());
            }
            Change::Blocked(owner, other, is_blocked) => {
                self.blocked.set(owner, other, is_blocked.then_some(()));
            }
            Change::Group(..)
            | Change::Member(..)
            | Change::Banned(..)
            | Change::Invite(..)
            | Change::Upload(..)
            | Change::Chunk(..)
            | Change::Content(..) => self.apply_to_group(change),
            Change::Phone(phone, record) => {
                if let Some(before) = self.phones.remove(phone) {
                    self.phones_of.set(&before.user, phone, None);
                }
                if let Some(record) = record {
                    self.phones_of.set(&record.user, phone, Some(()));
                    self.phones.insert(phone.clone(), record.clone());
                }
            }
            Change::Proof(user, phone, record) => {
                let key = (user.clone(), phone.clone());
                set(&mut self.proofs, &key, record.as_ref());
            }
            Change::Reply(phone, number, record) => {
                self.replies.set(phone, number, record.clone());
            }
            Change::Text(text, record) => {
                match record {
                    Some(record) => self.texts.insert(*text, record.clone()),
                    None => self.texts.remove(text),
                };
            }
            Change::Presence(change) => match change.record() {
                Some(record) => drop(self.presence.insert(change.key(), record.clone())),
                None => drop(self.presence.remove(&change.key())),
            },
            Change::Once(key, _) => {
                self.taken.insert(key.clone());
            }
        }
    }

    fn apply_to_group(&mut self, change: &Change) {
        match change {
            Change::Group(group, record) => self.set_group(group, record.as_ref()),
            Change::Member(group, user, record) => {
                let members = Arc::make_mut(self.members.entry(group.clone()).or_default());
                match record {
                    Some(record) => members.insert(user.clone(), record.clone()),
                    None => members.remove(user),
                }
                self.groups_of.set(user, group, record.as_ref().map(|_| ()));
            }
            Change::Banned(group, user, is_banned) => {
                self.banned.set(group, user, is_banned.then_some(()));
            }
            Change::Invite(user, group, record) => {
                self.invited.set(group, user, record.as_ref().map(|_| ()));
                self.invites.set(user, group, record.clone());
            }
            Change::Upload(upload, record) => {
                if let Some(before) = self.uploads.remove(upload) {
                    self.uploads_of.set(&before.content.author, upload, None);
                }
                if let Some(record) = record {
                    self.uploads_of
                        .set(&record.content.author, upload, Some(()));
                    self.uploads.insert(*upload, record.clone());
                }
                if record.is_none() && !self.stored.contains(upload) {
                    self.chunks.take(upload);
                }
            }
            Change::Chunk(upload, number, data) => {
                self.chunks.set(upload, number, Some(data.clone()));
            }
            Change::Content(group, name, record) => {
                let before = self.contents.set(group, name, record.clone());
                let now = record.as_ref().map(|(upload, _)| *upload);
                if let Some((before, _)) = before
                    && Some(before) != now
                {
                    self.stored.remove(&before);
                    self.chunks.take(&before);
                }
                self.stored.extend(now);
            }
            _ => unreachable!("only changes of groups are handed over"),
        }
    }

    fn set_group(&mut self, group: &GroupName, record: Option<&GroupRecord>) {
        if let Some(before) = self.groups.remove(group) {
            self.owned.set(&before.owner, group, None);
            if let Some(topic) = &before.properties.topic {
                self.topics.set(topic, group, None);
            }
        }
        if let Some(record) = record {
            self.owned.set(&record.owner, group, Some(()));
            if let Some(topic) = &record.properties.topic {
                self.topics.set(topic, group, Some(()));
            }
            self.groups.insert(group.clone(), record.clone());
            return;
        }
        if let Some(members) = self.members.remove(group) {
            for (user, _) in members.iter() {
                self.groups_of.set(user, group, None);
            }
        }
        self.banned.take(group);
        for user in self.invited.take(group).into_keys() {
            self.invites.set(&user, group, None);
        }
        for (upload, _) in self.contents.take(group).into_values() {
            self.stored.remove(&upload);
            self.chunks.take(&upload);
        }
    }

    fn log_of(&mut self, user: &UserName) -> &mut Log {
        self.logs.entry(user.clone()).or_default()
    }
}

fn forward(mark: &mut Position, to: Position) {
    *mark = (*mark).max(to);
}

fn set<K: Hash + Eq + Clone, V: Clone>(map: &mut HashMap<K, V>, key: &K, record: Option<&V>) {
    match record {
        Some(record) => map.insert(key.clone(), record.clone()),
        None => map.remove(key),
    };
}
