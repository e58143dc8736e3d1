//! The service's shelf.

use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::keys::{self, Key, Kind};
use super::write::{NamedContent, NamedList};
use super::{ImStore, Inner, OVERHEAD, unreadable};
use crate::clock::WallTime;
use crate::im::log::{Due, Entry, LogHead};
use crate::im::names::{
    ClientName, ContentName, GroupName, ListName, Needle, Position, SessionId, TextId, Topic,
    UploadId,
};
use crate::im::phone::OnceKey;
use crate::im::primitive::Contact;
use crate::im::record::{
    ClientRecord, ContentRecord, ContentUse, Credentials, GroupRecord, InviteRecord, ListRecord,
    Members, PhoneRecord, ProofRecord, Remembered, ReplyRecord, SessionMark, SessionRecord,
    TextRecord, UploadRecord, UserRecord,
};
use crate::im::shelf::{Shelf, ShelfFailed, Shelved};
use crate::message::{PhoneNumber, Refused, UserName};
use crate::store::{MOST_SCANNED, Range, StoreError};

impl ImStore {
    fn give<T>(&self, read: impl FnOnce(&mut Inner) -> Result<T, StoreError>) -> Shelved<T> {
        // Most of it lies in memory; what does not, the store reads as something that blocks.
        read(&mut self.inner()).map_err(|why| ShelfFailed(why.to_string()))
    }
}

impl ImStore {
    /// Users behind one, in order, at most so many.
    pub fn users(
        &self,
        after: Option<&UserName>,
        most: usize,
    ) -> Result<Vec<UserName>, StoreError> {
        let after = after.map(|after| Key::new(Kind::User).user(after).made());
        let inner = self.inner();
        inner.page_of(&Key::new(Kind::User).made(), after, most, UserName::new)
    }

    /// Clients behind one, in order, at most so many.
    pub fn clients(
        &self,
        after: Option<&ClientName>,
        most: usize,
    ) -> Result<Vec<ClientName>, StoreError> {
        let after = after.map(|after| Key::new(Kind::Client).client(after).made());
        let inner = self.inner();
        inner.page_of(&Key::new(Kind::Client).made(), after, most, ClientName::new)
    }
}

/// The value of a record.
fn decode<T: DeserializeOwned>(octets: &[u8], what: &'static str) -> Result<T, StoreError> {
    serde_json::from_slice(octets).map_err(unreadable(what))
}

/// A name at the end of a key.
fn named<T>(key: &[u8], read: impl FnOnce(&str) -> Result<T, Refused>) -> Result<T, StoreError> {
    let wrong = |why: String| StoreError::Record {
        what: "a name",
        why,
    };
    let name = keys::last_name(key).ok_or_else(|| wrong("its key is damaged".into()))?;
    read(name).map_err(|why| wrong(why.to_string()))
}

impl Inner {
    pub(super) fn has_session(&mut self, session: &SessionId) -> Result<bool, StoreError> {
        let key = Key::new(Kind::Session).session(session);
        Ok(self.get::<SessionRecord>(key, "a session")?.is_some())
    }

    pub(super) fn members_of(&mut self, group: &GroupName) -> Result<Arc<Members>, StoreError> {
        self.set_of(Key::new(Kind::Member).group(group), |inner, prefix| {
            let mut members = Members::default();
            let mut range = Range::prefix(prefix);
            loop {
                let page = inner.overlay.scan(&range, MOST_SCANNED)?;
                let Some(last) = page.last() else {
                    break;
                };
                range = range.after(&last.key);
                for record in page {
                    let user = named(&record.key, UserName::new)?;
                    members.insert(user, decode(&record.value, "a member")?);
                }
            }
            let size = members.len() * 2 * OVERHEAD;
            Ok((members, size))
        })
    }

    pub(super) fn contents_of(&self, group: &GroupName) -> Result<Vec<NamedContent>, StoreError> {
        let mut range = Range::prefix(&Key::new(Kind::Content).group(group).made());
        let mut all = Vec::new();
        loop {
            let page = self.overlay.scan(&range, MOST_SCANNED)?;
            let Some(last) = page.last() else {
                return Ok(all);
            };
            range = range.after(&last.key);
            for record in page {
                all.push(decode(&record.value, "content")?);
            }
        }
    }

    fn lists_of(&mut self, owner: &UserName) -> Result<Arc<Vec<NamedList>>, StoreError> {
        self.set_of(Key::new(Kind::List).user(owner), |inner, prefix| {
            let found = inner.overlay.scan(&Range::prefix(prefix), MOST_SCANNED)?;
            let mut size = 0;
            let mut lists = Vec::with_capacity(found.len());
            for record in found {
                size += record.value.len() + OVERHEAD;
                lists.push(decode::<NamedList>(&record.value, "a list")?);
            }
            lists.sort_by(|one, other| one.0.cmp(&other.0));
            Ok((lists, size))
        })
    }

    fn session_ids(&mut self, user: &UserName) -> Result<Arc<Vec<SessionId>>, StoreError> {
        self.set_of(Key::new(Kind::SessionOf).user(user), |inner, prefix| {
            let found = inner.all_keys(prefix)?;
            let ids = found.iter().filter_map(|key| keys::last_id(key));
            let ids: Vec<SessionId> = ids.map(SessionId::from_octets).collect();
            let size = ids.len() * 16;
            Ok((ids, size))
        })
    }

    fn phone_numbers(&mut self, user: &UserName) -> Result<Arc<Vec<PhoneNumber>>, StoreError> {
        self.set_of(Key::new(Kind::PhoneOf).user(user), |inner, prefix| {
            let found = inner.all_keys(prefix)?;
            let numbers = found.iter().map(|key| named(key, PhoneNumber::new));
            let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
            let size = numbers.len() * OVERHEAD;
            Ok((numbers, size))
        })
    }

    /// Names that end the keys that begin so, behind another such key.
    fn page_of<T>(
        &self,
        prefix: &[u8],
        after: Option<Bytes>,
        most: usize,
        read: impl Fn(&str) -> Result<T, Refused>,
    ) -> Result<Vec<T>, StoreError> {
        let range = Range::prefix(prefix);
        let range = match after {
            Some(after) if after[..] >= *prefix => range.after(&after),
            _ => range,
        };
        let found = self.overlay.keys(&range, most)?;
        found.iter().map(|key| named(key, &read)).collect()
    }

    fn log_entries(
        &mut self,
        user: &UserName,
        after: Position,
        most: usize,
    ) -> Result<Vec<(Position, Arc<Entry>)>, StoreError> {
        let tail = self.tail(user)?;
        if after >= tail.head.last {
            return Ok(Vec::new());
        }
        let from = after.max(tail.head.trimmed).next();
        if let Some((first, _)) = tail.entries.front()
            && *first <= from
        {
            let recent = tail
                .entries
                .iter()
                .skip_while(|(position, _)| *position < from);
            return Ok(recent.take(most).cloned().collect());
        }
        let range = Range::prefix(&keys::entries(user).made()).starting(&keys::entry(user, from));
        let found = self.overlay.scan(&range, most)?;
        let mut entries = Vec::with_capacity(found.len());
        for record in found {
            let position = keys::last_number(&record.key)
                .map(Position)
                .unwrap_or_default();
            entries.push((position, self.entry_of(&record.value)?));
        }
        Ok(entries)
    }
}

impl Shelf for ImStore {
    fn user(&self, user: &UserName) -> Shelved<Option<UserRecord>> {
        self.give(|inner| inner.own(Key::new(Kind::User).user(user), "a user"))
    }

    fn users_called(
        &self,
        prefix: &Needle,
        after: Option<&UserName>,
        most: usize,
    ) -> Shelved<Vec<UserName>> {
        if UserName::new(prefix.as_str()).is_err() {
            return Ok(Vec::new());
        }
        let beginning = Key::new(Kind::User).beginning(prefix.as_str());
        let after = after.map(|after| Key::new(Kind::User).user(after).made());
        self.give(|inner| inner.page_of(&beginning, after, most, UserName::new))
    }

    fn credentials(&self, user: &UserName) -> Shelved<Option<Credentials>> {
        self.give(|inner| inner.own(Key::new(Kind::Credentials).user(user), "credentials"))
    }

    fn client(&self, client: &ClientName) -> Shelved<Option<ClientRecord>> {
        self.give(|inner| inner.own(Key::new(Kind::Client).client(client), "a client"))
    }

    fn session(&self, session: &SessionId) -> Shelved<Option<SessionRecord>> {
        self.give(|inner| inner.own(Key::new(Kind::Session).session(session), "a session"))
    }

    fn sessions_of(&self, user: &UserName) -> Shelved<Vec<(SessionId, SessionRecord)>> {
        self.give(|inner| {
            let ids = inner.session_ids(user)?;
            let mut sessions = Vec::with_capacity(ids.len());
            for id in ids.iter() {
                let record = inner.own(Key::new(Kind::Session).session(id), "a session")?;
                sessions.extend(record.map(|record| (*id, record)));
            }
            Ok(sessions)
        })
    }

    fn confirmed(&self, session: &SessionId) -> Shelved<Option<SessionMark>> {
        self.give(|inner| {
            inner.own(
                Key::new(Kind::Confirmed).session(session),
                "a session's mark",
            )
        })
    }

    fn remembered(&self, session: &SessionId) -> Shelved<Vec<Remembered>> {
        self.give(|inner| {
            let prefix = Key::new(Kind::Remembered).session(session).made();
            let found = inner.overlay.scan(&Range::prefix(&prefix), MOST_SCANNED)?;
            let answers = found
                .iter()
                .map(|record| decode(&record.value, "an answer"));
            answers.collect()
        })
    }

    fn log(&self, user: &UserName) -> Shelved<LogHead> {
        self.give(|inner| Ok(inner.tail(user)?.head))
    }

    fn entries(
        &self,
        user: &UserName,
        after: Position,
        most: usize,
    ) -> Shelved<Vec<(Position, Arc<Entry>)>> {
        self.give(|inner| inner.log_entries(user, after, most))
    }

    fn due(&self, user: &UserName, up_to: Position, most: usize) -> Shelved<Vec<(Position, Due)>> {
        self.give(|inner| {
            let prefix = || Key::new(Kind::Due).user(user);
            let end = prefix().number(up_to.next().0).made();
            let range = Range::prefix(&prefix().made()).before(&end);
            let found = inner.overlay.scan(&range, most)?;
            let dues = found.iter().map(|record| {
                let position = keys::last_number(&record.key)
                    .map(Position)
                    .unwrap_or_default();
                Ok((position, decode(&record.value, "a wish for a report")?))
            });
            dues.collect()
        })
    }

    fn due_at(&self, user: &UserName, position: Position) -> Shelved<Option<Due>> {
        self.give(|inner| {
            let key = Key::new(Kind::Due).user(user).number(position.0).made();
            let found = inner.overlay.get(&key)?;
            found
                .map(|octets| decode(&octets, "a wish for a report"))
                .transpose()
        })
    }

    fn list(&self, owner: &UserName, list: &ListName) -> Shelved<Option<ListRecord>> {
        self.give(|inner| {
            let key = Key::new(Kind::List).user(owner).list(list);
            let found = inner.get::<NamedList>(key, "a list")?;
            Ok(found.map(|found| found.1.clone()))
        })
    }

    fn lists(&self, owner: &UserName) -> Shelved<Vec<(ListName, ListRecord)>> {
        self.give(|inner| inner.lists_of(owner).map(|lists| lists.to_vec()))
    }

    fn is_buddy(&self, owner: &UserName, buddy: &Contact) -> Shelved<bool> {
        self.give(|inner| {
            let lists = inner.lists_of(owner)?;
            Ok(lists.iter().any(|(_, list)| list.buddies.contains(buddy)))
        })
    }

    fn is_blocked(&self, owner: &UserName, other: &Contact) -> Shelved<bool> {
        self.give(|inner| {
            let key = Key::new(Kind::Blocked).user(owner).contact(other);
            Ok(inner.get::<Contact>(key, "a blocked one")?.is_some())
        })
    }

    fn blocked(&self, owner: &UserName, most: usize) -> Shelved<Vec<Contact>> {
        self.give(|inner| {
            let prefix = Key::new(Kind::Blocked).user(owner).made();
            let found = inner.overlay.scan(&Range::prefix(&prefix), most)?;
            let blocked = found
                .iter()
                .map(|record| decode(&record.value, "a blocked one"));
            blocked.collect()
        })
    }

    fn group(&self, group: &GroupName) -> Shelved<Option<GroupRecord>> {
        self.give(|inner| inner.own(Key::new(Kind::Group).group(group), "a group"))
    }

    fn members(&self, group: &GroupName) -> Shelved<Arc<Members>> {
        self.give(|inner| inner.members_of(group))
    }

    fn groups_of(
        &self,
        user: &UserName,
        after: Option<&GroupName>,
        most: usize,
    ) -> Shelved<Vec<GroupName>> {
        let key = || Key::new(Kind::GroupOf).user(user);
        let after = after.map(|after| key().group(after).made());
        self.give(|inner| inner.page_of(&key().made(), after, most, GroupName::new))
    }

    fn groups_owned(
        &self,
        user: &UserName,
        after: Option<&GroupName>,
        most: usize,
    ) -> Shelved<Vec<GroupName>> {
        let key = || Key::new(Kind::Owned).user(user);
        let after = after.map(|after| key().group(after).made());
        self.give(|inner| inner.page_of(&key().made(), after, most, GroupName::new))
    }

    fn groups_about(
        &self,
        topic: &Topic,
        after: Option<&GroupName>,
        most: usize,
    ) -> Shelved<Vec<GroupName>> {
        let key = || Key::new(Kind::About).topic(topic);
        let after = after.map(|after| key().group(after).made());
        self.give(|inner| inner.page_of(&key().made(), after, most, GroupName::new))
    }

    fn groups_called(
        &self,
        prefix: &Needle,
        after: Option<&GroupName>,
        most: usize,
    ) -> Shelved<Vec<GroupName>> {
        if GroupName::new(prefix.as_str()).is_err() {
            return Ok(Vec::new());
        }
        let beginning = Key::new(Kind::Group).beginning(prefix.as_str());
        let after = after.map(|after| Key::new(Kind::Group).group(after).made());
        self.give(|inner| inner.page_of(&beginning, after, most, GroupName::new))
    }

    fn is_banned(&self, group: &GroupName, user: &UserName) -> Shelved<bool> {
        self.give(|inner| inner.has(Key::new(Kind::Banned).group(group).user(user)))
    }

    fn invite(&self, user: &UserName, group: &GroupName) -> Shelved<Option<InviteRecord>> {
        self.give(|inner| {
            inner.own(
                Key::new(Kind::Invite).user(user).group(group),
                "an invitation",
            )
        })
    }

    fn invites_of(&self, user: &UserName, most: usize) -> Shelved<Vec<(GroupName, InviteRecord)>> {
        self.give(|inner| {
            let prefix = Key::new(Kind::Invite).user(user).made();
            let found = inner.overlay.scan(&Range::prefix(&prefix), most)?;
            let invites = found.iter().map(|record| {
                let group = named(&record.key, GroupName::new)?;
                Ok((group, decode(&record.value, "an invitation")?))
            });
            invites.collect()
        })
    }

    fn upload(&self, upload: &UploadId) -> Shelved<Option<UploadRecord>> {
        self.give(|inner| inner.own(Key::new(Kind::Upload).upload(upload), "an upload"))
    }

    fn uploads_before(&self, time: WallTime, most: usize) -> Shelved<Vec<UploadId>> {
        self.give(|inner| {
            // Ids are in the order of their times.
            let end = Key::new(Kind::Upload)
                .upload(&UploadId::new(time, [0; 10]))
                .made();
            let range = Range::prefix(&Key::new(Kind::Upload).made()).before(&end);
            let found = inner.overlay.keys(&range, most)?;
            let ids = found.iter().filter_map(|key| keys::last_id(key));
            Ok(ids.map(UploadId::from_octets).collect())
        })
    }

    fn uploads_of(&self, author: &UserName, most: usize) -> Shelved<Vec<UploadId>> {
        self.give(|inner| {
            let prefix = Key::new(Kind::UploadOf).user(author).made();
            let found = inner.overlay.keys(&Range::prefix(&prefix), most)?;
            let ids = found.iter().filter_map(|key| keys::last_id(key));
            Ok(ids.map(UploadId::from_octets).collect())
        })
    }

    fn chunks(&self, upload: &UploadId) -> Shelved<u32> {
        self.give(|inner| {
            let found = inner.own(Key::new(Kind::Chunks).upload(upload), "a number of chunks")?;
            Ok(found.unwrap_or_default())
        })
    }

    fn chunk(&self, upload: &UploadId, number: u32) -> Shelved<Option<Bytes>> {
        self.give(
            |inner| match inner.has(Key::new(Kind::Swept).upload(upload))? {
                true => Ok(None),
                false => inner.overlay.get(&keys::chunk(upload, number)),
            },
        )
    }

    fn content(
        &self,
        group: &GroupName,
        name: &ContentName,
    ) -> Shelved<Option<(UploadId, ContentRecord)>> {
        self.give(|inner| {
            let key = Key::new(Kind::Content).group(group).content(name);
            let found = inner.own::<NamedContent>(key, "content")?;
            Ok(found.map(|(_, upload, record)| (upload, record)))
        })
    }

    fn contents(
        &self,
        group: &GroupName,
        after: Option<&ContentName>,
        most: usize,
    ) -> Shelved<Vec<(ContentName, UploadId, ContentRecord)>> {
        self.give(|inner| {
            let key = || Key::new(Kind::Content).group(group);
            let range = Range::prefix(&key().made());
            let range = match after {
                Some(after) => range.after(&key().content(after).made()),
                None => range,
            };
            let found = inner.overlay.scan(&range, most)?;
            let contents = found.iter().map(|record| decode(&record.value, "content"));
            contents.collect()
        })
    }

    fn content_use(&self, group: &GroupName) -> Shelved<ContentUse> {
        self.give(|inner| {
            let found = inner.own(Key::new(Kind::Use).group(group), "the use of content")?;
            Ok(found.unwrap_or_default())
        })
    }

    fn phone(&self, phone: &PhoneNumber) -> Shelved<Option<PhoneRecord>> {
        self.give(|inner| inner.own(Key::new(Kind::Phone).phone(phone), "a phone"))
    }

    fn phones_of(&self, user: &UserName) -> Shelved<Vec<(PhoneNumber, PhoneRecord)>> {
        self.give(|inner| {
            let numbers = inner.phone_numbers(user)?;
            let mut phones = Vec::with_capacity(numbers.len());
            for number in numbers.iter() {
                let record = inner.own(Key::new(Kind::Phone).phone(number), "a phone")?;
                phones.extend(record.map(|record| (number.clone(), record)));
            }
            Ok(phones)
        })
    }

    fn proof(&self, user: &UserName, phone: &PhoneNumber) -> Shelved<Option<ProofRecord>> {
        self.give(|inner| inner.own(Key::new(Kind::Proof).user(user).phone(phone), "a proof"))
    }

    fn proofs_of(&self, user: &UserName, most: usize) -> Shelved<Vec<(PhoneNumber, ProofRecord)>> {
        self.give(|inner| {
            let prefix = Key::new(Kind::Proof).user(user).made();
            let found = inner.overlay.scan(&Range::prefix(&prefix), most)?;
            let proofs = found.iter().map(|record| {
                let phone = named(&record.key, PhoneNumber::new)?;
                Ok((phone, decode(&record.value, "a proof")?))
            });
            proofs.collect()
        })
    }

    fn reply(&self, phone: &PhoneNumber, number: u32) -> Shelved<Option<ReplyRecord>> {
        self.give(|inner| {
            let key = Key::new(Kind::Reply)
                .phone(phone)
                .octets(&number.to_be_bytes());
            inner.own(key, "a reply address")
        })
    }

    fn replies(&self, phone: &PhoneNumber) -> Shelved<Vec<(u32, ReplyRecord)>> {
        self.give(|inner| {
            let prefix = Key::new(Kind::Reply).phone(phone).made();
            let found = inner.overlay.scan(&Range::prefix(&prefix), MOST_SCANNED)?;
            let replies = found.iter().map(|record| {
                let number = record.key.last_chunk().copied().map(u32::from_be_bytes);
                Ok((
                    number.unwrap_or_default(),
                    decode(&record.value, "a reply address")?,
                ))
            });
            replies.collect()
        })
    }

    fn text(&self, text: &TextId) -> Shelved<Option<TextRecord>> {
        self.give(|inner| inner.own(Key::new(Kind::Text).text(text), "a text"))
    }

    fn texts_before(&self, time: WallTime, most: usize) -> Shelved<Vec<TextId>> {
        self.give(|inner| {
            // Ids are in the order of their times.
            let end = Key::new(Kind::Text)
                .text(&TextId::new(time, [0; 10]))
                .made();
            let range = Range::prefix(&Key::new(Kind::Text).made()).before(&end);
            let found = inner.overlay.keys(&range, most)?;
            let ids = found.iter().filter_map(|key| keys::last_id(key));
            Ok(ids.map(TextId::from_octets).collect())
        })
    }

    fn was_taken(&self, key: &OnceKey) -> Shelved<bool> {
        self.give(|inner| inner.has(Key::new(Kind::Once).taken(key)))
    }
}
