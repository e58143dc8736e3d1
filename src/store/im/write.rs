//! What each change does to the records.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::keys::{self, Key, Kind};
use super::{Inner, OVERHEAD, TAIL, unreadable};
use crate::im::change::Change;
use crate::im::limits::REMEMBERED;
use crate::im::log::{Due, Entry};
use crate::im::names::{ContentName, GroupName, Position, SessionId, UploadId};
use crate::im::record::{
    ContentRecord, ContentUse, GroupRecord, MemberRecord, Members, PhoneRecord, Remembered,
    SessionMark, UploadRecord,
};
use crate::message::UserName;
use crate::store::{Range, StoreError};

/// A list, with its name: the key may have a part of it only.
pub(super) type NamedList = (crate::im::names::ListName, crate::im::record::ListRecord);

/// A piece of content, with its name.
pub(super) type NamedContent = (ContentName, UploadId, ContentRecord);

/// From so many octets on an entry is kept once, however many logs it lies in.
const SHARED_FROM: usize = 1024;

/// How what is kept of such an entry begins; an entry as JSON begins with a brace.
const SHARED: u8 = b's';

/// The name of a long entry.
fn shared(kept: &[u8]) -> Option<[u8; 16]> {
    match kept.split_first() {
        Some((&SHARED, id)) => id.try_into().ok(),
        _ => None,
    }
}

/// Entries that are trimmed at once.
const TRIMMED: usize = 512;

impl Inner {
    /// Does what one change says.
    pub(super) fn write(&mut self, change: &Change) -> Result<(), StoreError> {
        match change {
            Change::User(user, record) => self.set(Key::new(Kind::User).user(user), record.clone()),
            Change::Credentials(user, record) => {
                self.set(Key::new(Kind::Credentials).user(user), record.clone())
            }
            Change::Client(client, record) => {
                self.set(Key::new(Kind::Client).client(client), record.clone())
            }
            Change::Session(session, user, record) => {
                self.set(Key::new(Kind::Session).session(session), record.clone())?;
                let mark = record.as_ref().map(|_| ());
                self.set(Key::new(Kind::SessionOf).user(user).session(session), mark)?;
                self.forget(Key::new(Kind::SessionOf).user(user));
                match record {
                    Some(_) => Ok(()),
                    None => self.end_session(session),
                }
            }
            Change::Confirmed(session, mark) => match self.has_session(session)? {
                true => self.set(Key::new(Kind::Confirmed).session(session), Some(*mark)),
                false => Ok(()),
            },
            Change::Remembered(session, remembered) => self.remember(session, remembered),
            Change::Append {
                user,
                position,
                entry,
                due,
            } => self.append(user, *position, entry, due.as_ref()),
            Change::Received(user, position) => self.set_head(user, |head| {
                head.received = head.received.max(*position);
            }),
            Change::Read(user, position) => self.set_head(user, |head| {
                head.read = head.read.max(*position);
            }),
            Change::Settled(user, position) => {
                let due = Key::new(Kind::Due).user(user).number(position.0);
                self.overlay.delete(due.made())
            }
            Change::Trimmed(user, position) => self.trim(user, *position),
            Change::List(owner, list, record) => {
                let record = record.clone().map(|record| (list.clone(), record));
                self.set::<NamedList>(Key::new(Kind::List).user(owner).list(list), record)?;
                self.forget(Key::new(Kind::List).user(owner));
                Ok(())
            }
            Change::Blocked(owner, other, is_blocked) => {
                let key = Key::new(Kind::Blocked).user(owner).contact(other);
                self.set(key, is_blocked.then(|| other.clone()))
            }
            Change::Group(group, record) => self.set_group(group, record.as_ref()),
            Change::Member(group, user, record) => self.set_member(group, user, record.as_ref()),
            Change::Banned(group, user, is_banned) => self.set(
                Key::new(Kind::Banned).group(group).user(user),
                is_banned.then_some(()),
            ),
            Change::Invite(user, group, record) => {
                let mark = record.as_ref().map(|_| ());
                self.set(Key::new(Kind::Invited).group(group).user(user), mark)?;
                self.set(
                    Key::new(Kind::Invite).user(user).group(group),
                    record.clone(),
                )
            }
            Change::Upload(upload, record) => self.set_upload(upload, record.as_ref()),
            Change::Chunk(upload, number, data) => {
                self.overlay.put(keys::chunk(upload, *number), data);
                self.count_chunk(upload, *number)
            }
            Change::Content(group, name, record) => self.set_content(group, name, record.clone()),
            Change::Phone(phone, record) => {
                let key = || Key::new(Kind::Phone).phone(phone);
                let before = self.get::<PhoneRecord>(key(), "a phone")?;
                if let Some(before) = before {
                    self.set::<()>(
                        Key::new(Kind::PhoneOf).user(&before.user).phone(phone),
                        None,
                    )?;
                    self.forget(Key::new(Kind::PhoneOf).user(&before.user));
                }
                if let Some(record) = record {
                    self.set(
                        Key::new(Kind::PhoneOf).user(&record.user).phone(phone),
                        Some(()),
                    )?;
                    self.forget(Key::new(Kind::PhoneOf).user(&record.user));
                }
                self.set(key(), record.clone())
            }
            Change::Proof(user, phone, record) => self.set(
                Key::new(Kind::Proof).user(user).phone(phone),
                record.clone(),
            ),
            Change::Reply(phone, number, record) => {
                let key = Key::new(Kind::Reply)
                    .phone(phone)
                    .octets(&number.to_be_bytes());
                self.set(key, record.clone())
            }
            Change::Text(text, record) => self.set(Key::new(Kind::Text).text(text), record.clone()),
            Change::Presence(change) => self.write_presence(change),
            Change::Once(key, at) => {
                self.set(
                    Key::new(Kind::OnceAt).number(at.as_unix_ms()).taken(key),
                    Some(()),
                )?;
                self.set(Key::new(Kind::Once).taken(key), Some(()))
            }
        }
    }

    fn end_session(&mut self, session: &SessionId) -> Result<(), StoreError> {
        self.set::<SessionMark>(Key::new(Kind::Confirmed).session(session), None)?;
        let remembered = Key::new(Kind::Remembered).session(session).made();
        for key in self.all_keys(&remembered)? {
            self.overlay.delete(key)?;
        }
        Ok(())
    }

    fn remember(&mut self, session: &SessionId, remembered: &Remembered) -> Result<(), StoreError> {
        let slot = remembered.number % u64::from(REMEMBERED);
        let key = Key::new(Kind::Remembered)
            .session(session)
            .octets(&[slot as u8]);
        let octets = serde_json::to_vec(remembered).map_err(unreadable("an answer"))?;
        self.overlay.put(key.made(), &octets);
        Ok(())
    }

    fn append(
        &mut self,
        user: &UserName,
        position: Position,
        entry: &Arc<Entry>,
        due: Option<&Due>,
    ) -> Result<(), StoreError> {
        let kept = self.kept_entry(entry)?;
        if let Some(id) = shared(&kept) {
            self.overlay.put(keys::reference(&id, user, position), &[]);
        }
        if let Some(due) = due {
            let key = Key::new(Kind::Due).user(user).number(position.0);
            let octets = serde_json::to_vec(due).map_err(unreadable("a wish for a report"))?;
            self.overlay.put(key.made(), &octets);
        }
        let tail = self.tail(user)?;
        tail.head.last = tail.head.last.max(position);
        let is_next = tail
            .entries
            .back()
            .is_none_or(|(last, _)| last.next() == position);
        if !is_next {
            tail.entries = VecDeque::new();
        }
        tail.entries.push_back((position, entry.clone()));
        if tail.entries.len() > TAIL {
            tail.entries.pop_front();
        } else {
            self.logs.grow(user, kept.len() + OVERHEAD);
        }
        self.overlay.put(keys::entry(user, position), &kept);
        Ok(())
    }

    /// An entry as it is kept: as JSON, or, if it is long, under a name that is made of what it says, by which all logs
    /// that it lies in find it.
    fn kept_entry(&mut self, entry: &Arc<Entry>) -> Result<Bytes, StoreError> {
        if let Some((last, kept)) = &self.last_entry
            && Arc::ptr_eq(last, entry)
        {
            return Ok(kept.clone());
        }
        let octets = entry.kept_json().into_bytes();
        let kept = match octets.len() > SHARED_FROM {
            true => {
                let digest = Sha256::digest(&octets);
                let id: [u8; 16] = *digest.first_chunk().expect("a digest has 32 octets");
                self.overlay.put(keys::body(&id), &octets);
                Bytes::from([&[SHARED], &id[..]].concat())
            }
            false => octets.into(),
        };
        self.last_entry = Some((entry.clone(), kept.clone()));
        Ok(kept)
    }

    /// What an entry is, of what is kept of it.
    pub(super) fn entry_of(&self, kept: &[u8]) -> Result<Arc<Entry>, StoreError> {
        let body;
        let octets = match shared(kept) {
            Some(id) => {
                body = self.overlay.get(&keys::body(&id))?.unwrap_or_default();
                &body[..]
            }
            None => kept,
        };
        let entry = serde_json::from_slice(octets).map_err(unreadable("an entry of a log"))?;
        Ok(Arc::new(entry))
    }

    fn trim(&mut self, user: &UserName, position: Position) -> Result<(), StoreError> {
        let trimmed = self.tail(user)?.head.trimmed;
        let end = position.next();
        for prefix in [keys::entries(user), Key::new(Kind::Due).user(user)] {
            let prefix = prefix.made();
            let key = |position: Position| [&prefix[..], &position.0.to_be_bytes()].concat();
            let mut range = Range::prefix(&prefix)
                .starting(&key(trimmed))
                .before(&key(end));
            loop {
                let page = self.overlay.scan(&range, TRIMMED)?;
                let Some(last) = page.last() else {
                    break;
                };
                range = range.after(&last.key);
                for record in page {
                    if let Some(id) = shared(&record.value)
                        && let Some(number) = keys::last_number(&record.key)
                    {
                        let reference = keys::reference(&id, user, Position(number));
                        self.overlay.delete(reference)?;
                        self.set(Key::new(Kind::SweptBody).octets(&id), Some(()))?;
                    }
                    self.overlay.delete(record.key)?;
                }
            }
        }
        let tail = self.tail(user)?;
        while tail
            .entries
            .front()
            .is_some_and(|(first, _)| *first <= position)
        {
            tail.entries.pop_front();
        }
        self.set_head(user, |head| head.trimmed = head.trimmed.max(position))
    }

    fn set_group(
        &mut self,
        group: &GroupName,
        record: Option<&GroupRecord>,
    ) -> Result<(), StoreError> {
        let key = || Key::new(Kind::Group).group(group);
        if let Some(before) = self.get::<GroupRecord>(key(), "a group")? {
            self.set::<()>(Key::new(Kind::Owned).user(&before.owner).group(group), None)?;
            if let Some(topic) = &before.properties.topic {
                self.set::<()>(Key::new(Kind::About).topic(topic).group(group), None)?;
            }
        }
        self.set(key(), record.cloned())?;
        if let Some(record) = record {
            self.set(
                Key::new(Kind::Owned).user(&record.owner).group(group),
                Some(()),
            )?;
            if let Some(topic) = &record.properties.topic {
                self.set(Key::new(Kind::About).topic(topic).group(group), Some(()))?;
            }
            return Ok(());
        }
        for (user, _) in self.members_of(group)?.iter() {
            self.set::<()>(Key::new(Kind::GroupOf).user(user).group(group), None)?;
            self.overlay
                .delete(Key::new(Kind::Member).group(group).user(user).made())?;
        }
        self.forget(Key::new(Kind::Member).group(group));
        for kind in [Kind::Banned, Kind::Invited] {
            for key in self.all_keys(&Key::new(kind).group(group).made())? {
                if let Kind::Invited = kind
                    && let Some(Ok(user)) = keys::last_name(&key).map(UserName::new)
                {
                    let invite = Key::new(Kind::Invite).user(&user).group(group);
                    self.set::<crate::im::record::InviteRecord>(invite, None)?;
                }
                self.records.remove(&key);
                self.overlay.delete(key)?;
            }
        }
        for (name, _, _) in self.contents_of(group)? {
            self.set_content(group, &name, None)?;
        }
        Ok(())
    }

    fn set_member(
        &mut self,
        group: &GroupName,
        user: &UserName,
        record: Option<&MemberRecord>,
    ) -> Result<(), StoreError> {
        let key = Key::new(Kind::Member).group(group).user(user).made();
        // The set is changed in place where nobody else holds it: a group of a thousand is made up once.
        let mut members = self.members_of(group)?;
        self.forget(Key::new(Kind::Member).group(group));
        let changed = Arc::make_mut(&mut members);
        match record {
            Some(record) => {
                let octets = serde_json::to_vec(record).map_err(unreadable("a member"))?;
                self.overlay.put(key, &octets);
                changed.insert(user.clone(), record.clone());
            }
            None => {
                self.overlay.delete(key)?;
                changed.remove(user);
            }
        }
        self.keep_members(group, members);
        let mark = record.map(|_| ());
        self.set(Key::new(Kind::GroupOf).user(user).group(group), mark)
    }

    pub(super) fn keep_members(&mut self, group: &GroupName, members: Arc<Members>) {
        let key = Key::new(Kind::Member).group(group).made();
        let size = members.len() * 2 * super::OVERHEAD;
        self.records.insert(key, Some(members), size);
    }

    fn set_upload(
        &mut self,
        upload: &UploadId,
        record: Option<&UploadRecord>,
    ) -> Result<(), StoreError> {
        let key = || Key::new(Kind::Upload).upload(upload);
        if let Some(before) = self.get::<UploadRecord>(key(), "an upload")? {
            let of = Key::new(Kind::UploadOf)
                .user(&before.content.author)
                .upload(upload);
            self.set::<()>(of, None)?;
        }
        if let Some(record) = record {
            let of = Key::new(Kind::UploadOf)
                .user(&record.content.author)
                .upload(upload);
            self.set(of, Some(()))?;
        }
        self.set(key(), record.cloned())?;
        match record {
            None if !self.has(Key::new(Kind::Stored).upload(upload))? => self.drop_chunks(upload),
            _ => Ok(()),
        }
    }

    /// The chunks of this one go, some at a time; nobody sees them any more.
    fn drop_chunks(&mut self, upload: &UploadId) -> Result<(), StoreError> {
        self.set::<u32>(Key::new(Kind::Chunks).upload(upload), None)?;
        self.set(Key::new(Kind::Swept).upload(upload), Some(()))
    }

    fn count_chunk(&mut self, upload: &UploadId, number: u32) -> Result<(), StoreError> {
        let key = || Key::new(Kind::Chunks).upload(upload);
        let before = self.own::<u32>(key(), "a number of chunks")?;
        let mut count = before.unwrap_or_default();
        if number != count {
            return Ok(());
        }
        count += 1;
        // One that came early counts from now on.
        while self.overlay.get(&keys::chunk(upload, count))?.is_some() {
            count += 1;
        }
        self.set(key(), Some(count))
    }

    fn set_content(
        &mut self,
        group: &GroupName,
        name: &ContentName,
        record: Option<(UploadId, ContentRecord)>,
    ) -> Result<(), StoreError> {
        let key = || Key::new(Kind::Content).group(group).content(name);
        let before = self.own::<NamedContent>(key(), "content")?;
        let total = || Key::new(Kind::Use).group(group);
        let mut used = self
            .own::<ContentUse>(total(), "the use of content")?
            .unwrap_or_default();
        if let Some((_, _, before)) = &before {
            used.pieces = used.pieces.saturating_sub(1);
            used.octets = used.octets.saturating_sub(before.size);
        }
        if let Some((upload, record)) = &record {
            used.pieces += 1;
            used.octets += record.size;
            self.set(Key::new(Kind::Stored).upload(upload), Some(()))?;
        }
        self.set(total(), (used != ContentUse::default()).then_some(used))?;
        let now = record.as_ref().map(|(upload, _)| *upload);
        if let Some((_, upload, _)) = before
            && Some(upload) != now
        {
            self.set::<()>(Key::new(Kind::Stored).upload(&upload), None)?;
            self.drop_chunks(&upload)?;
        }
        let record = record.map(|(upload, record)| (name.clone(), upload, record));
        self.set::<NamedContent>(key(), record)
    }
}
