//! Reading the shelf in memory.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::MemoryShelf;
use super::pairs::Pairs;
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
use crate::message::{PhoneNumber, UserName};

impl MemoryShelf {
    fn works(&self) -> Shelved<()> {
        if self.fails {
            return Err(ShelfFailed("it was told to fail".into()));
        }
        Ok(())
    }

    fn give<T>(&self, read: impl FnOnce(&Self) -> T) -> Shelved<T> {
        self.works()?;
        self.reads.count();
        Ok(read(self))
    }
}

fn groups<A: std::hash::Hash + Eq + Clone>(
    pairs: &Pairs<A, GroupName, ()>,
    first: &A,
    after: Option<&GroupName>,
    most: usize,
) -> Vec<GroupName> {
    pairs
        .behind(first, after)
        .take(most)
        .map(|(group, ())| group.clone())
        .collect()
}

impl Shelf for MemoryShelf {
    fn user(&self, user: &UserName) -> Shelved<Option<UserRecord>> {
        self.give(|all| all.users.get(user).cloned())
    }

    fn users_called(
        &self,
        prefix: &Needle,
        after: Option<&UserName>,
        most: usize,
    ) -> Shelved<Vec<UserName>> {
        let Ok(first) = UserName::new(prefix.as_str()) else {
            return Ok(Vec::new());
        };
        let start = match after {
            Some(after) if *after >= first => Bound::Excluded(after),
            _ => Bound::Included(&first),
        };
        self.give(|all| {
            all.users
                .range::<UserName, _>((start, Bound::Unbounded))
                .take_while(|(user, _)| user.as_str().starts_with(prefix.as_str()))
                .take(most)
                .map(|(user, _)| user.clone())
                .collect()
        })
    }

    fn credentials(&self, user: &UserName) -> Shelved<Option<Credentials>> {
        self.give(|all| all.credentials.get(user).cloned())
    }

    fn client(&self, client: &ClientName) -> Shelved<Option<ClientRecord>> {
        self.give(|all| all.clients.get(client).cloned())
    }

    fn session(&self, session: &SessionId) -> Shelved<Option<SessionRecord>> {
        self.give(|all| all.sessions.get(session).cloned())
    }

    fn sessions_of(&self, user: &UserName) -> Shelved<Vec<(SessionId, SessionRecord)>> {
        self.give(|all| {
            all.sessions_of
                .under(user)
                .filter_map(|(session, ())| Some((*session, all.sessions.get(session)?.clone())))
                .collect()
        })
    }

    fn confirmed(&self, session: &SessionId) -> Shelved<Option<SessionMark>> {
        self.give(|all| all.confirmed.get(session).copied())
    }

    fn remembered(&self, session: &SessionId) -> Shelved<Vec<Remembered>> {
        self.give(|all| {
            all.remembered
                .under(session)
                .map(|(_, remembered)| remembered.clone())
                .collect()
        })
    }

    fn log(&self, user: &UserName) -> Shelved<LogHead> {
        self.give(|all| all.logs.get(user).map(|log| log.head).unwrap_or_default())
    }

    fn entries(
        &self,
        user: &UserName,
        after: Position,
        most: usize,
    ) -> Shelved<Vec<(Position, Arc<Entry>)>> {
        self.give(|all| {
            let Some(log) = all.logs.get(user) else {
                return Vec::new();
            };
            log.entries
                .range(after.next()..)
                .take(most)
                .map(|(position, entry)| (*position, Arc::clone(entry)))
                .collect()
        })
    }

    fn due(&self, user: &UserName, up_to: Position, most: usize) -> Shelved<Vec<(Position, Due)>> {
        self.give(|all| {
            let Some(log) = all.logs.get(user) else {
                return Vec::new();
            };
            log.due
                .range(..=up_to)
                .take(most)
                .map(|(position, due)| (*position, due.clone()))
                .collect()
        })
    }

    fn due_at(&self, user: &UserName, position: Position) -> Shelved<Option<Due>> {
        self.give(|all| all.logs.get(user)?.due.get(&position).cloned())
    }

    fn list(&self, owner: &UserName, list: &ListName) -> Shelved<Option<ListRecord>> {
        self.give(|all| all.lists.get(owner, list).cloned())
    }

    fn lists(&self, owner: &UserName) -> Shelved<Vec<(ListName, ListRecord)>> {
        self.give(|all| {
            all.lists
                .under(owner)
                .map(|(list, record)| (list.clone(), record.clone()))
                .collect()
        })
    }

    fn is_buddy(&self, owner: &UserName, buddy: &Contact) -> Shelved<bool> {
        self.give(|all| {
            all.lists
                .under(owner)
                .any(|(_, list)| list.buddies.contains(buddy))
        })
    }

    fn is_blocked(&self, owner: &UserName, other: &Contact) -> Shelved<bool> {
        self.give(|all| all.blocked.get(owner, other).is_some())
    }

    fn blocked(&self, owner: &UserName, most: usize) -> Shelved<Vec<Contact>> {
        self.give(|all| {
            all.blocked
                .under(owner)
                .take(most)
                .map(|(other, ())| other.clone())
                .collect()
        })
    }

    fn group(&self, group: &GroupName) -> Shelved<Option<GroupRecord>> {
        self.give(|all| all.groups.get(group).cloned())
    }

    fn members(&self, group: &GroupName) -> Shelved<Arc<Members>> {
        self.give(|all| all.members.get(group).cloned().unwrap_or_default())
    }

    fn groups_of(
        &self,
        user: &UserName,
        after: Option<&GroupName>,
        most: usize,
    ) -> Shelved<Vec<GroupName>> {
        self.give(|all| groups(&all.groups_of, user, after, most))
    }

    fn groups_owned(
        &self,
        user: &UserName,
        after: Option<&GroupName>,
        most: usize,
    ) -> Shelved<Vec<GroupName>> {
        self.give(|all| groups(&all.owned, user, after, most))
    }

    fn groups_about(
        &self,
        topic: &Topic,
        after: Option<&GroupName>,
        most: usize,
    ) -> Shelved<Vec<GroupName>> {
        self.give(|all| groups(&all.topics, topic, after, most))
    }

    fn groups_called(
        &self,
        prefix: &Needle,
        after: Option<&GroupName>,
        most: usize,
    ) -> Shelved<Vec<GroupName>> {
        let Ok(first) = GroupName::new(prefix.as_str()) else {
            return Ok(Vec::new());
        };
        let start = match after {
            Some(after) if *after >= first => Bound::Excluded(after),
            _ => Bound::Included(&first),
        };
        self.give(|all| {
            all.groups
                .range::<GroupName, _>((start, Bound::Unbounded))
                .take_while(|(group, _)| group.as_str().starts_with(prefix.as_str()))
                .take(most)
                .map(|(group, _)| group.clone())
                .collect()
        })
    }

    fn is_banned(&self, group: &GroupName, user: &UserName) -> Shelved<bool> {
        self.give(|all| all.banned.get(group, user).is_some())
    }

    fn invite(&self, user: &UserName, group: &GroupName) -> Shelved<Option<InviteRecord>> {
        self.give(|all| all.invites.get(user, group).cloned())
    }

    fn invites_of(&self, user: &UserName, most: usize) -> Shelved<Vec<(GroupName, InviteRecord)>> {
        self.give(|all| {
            all.invites
                .under(user)
                .take(most)
                .map(|(group, record)| (group.clone(), record.clone()))
                .collect()
        })
    }

    fn upload(&self, upload: &UploadId) -> Shelved<Option<UploadRecord>> {
        self.give(|all| all.uploads.get(upload).cloned())
    }

    fn uploads_before(&self, time: WallTime, most: usize) -> Shelved<Vec<UploadId>> {
        self.give(|all| {
            all.uploads
                .keys()
                .take_while(|upload| upload.made_at() < time)
                .take(most)
                .copied()
                .collect()
        })
    }

    fn uploads_of(&self, author: &UserName, most: usize) -> Shelved<Vec<UploadId>> {
        self.give(|all| {
            let uploads = all.uploads_of.under(author).take(most);
            uploads.map(|(upload, ())| *upload).collect()
        })
    }

    fn chunks(&self, upload: &UploadId) -> Shelved<u32> {
        self.give(|all| {
            let count = (0..)
                .zip(all.chunks.under(upload))
                .take_while(|(at, (number, _))| at == *number)
                .count();
            u32::try_from(count).unwrap_or(u32::MAX)
        })
    }

    fn chunk(&self, upload: &UploadId, number: u32) -> Shelved<Option<Bytes>> {
        self.give(|all| all.chunks.get(upload, &number).cloned())
    }

    fn content(
        &self,
        group: &GroupName,
        name: &ContentName,
    ) -> Shelved<Option<(UploadId, ContentRecord)>> {
        self.give(|all| all.contents.get(group, name).cloned())
    }

    fn contents(
        &self,
        group: &GroupName,
        after: Option<&ContentName>,
        most: usize,
    ) -> Shelved<Vec<(ContentName, UploadId, ContentRecord)>> {
        self.give(|all| {
            all.contents
                .behind(group, after)
                .take(most)
                .map(|(name, (upload, record))| (name.clone(), *upload, record.clone()))
                .collect()
        })
    }

    fn content_use(&self, group: &GroupName) -> Shelved<ContentUse> {
        self.give(|all| {
            let mut sum = ContentUse::default();
            for (_, (_, record)) in all.contents.under(group) {
                sum.pieces += 1;
                sum.octets += record.size;
            }
            sum
        })
    }

    fn phone(&self, phone: &PhoneNumber) -> Shelved<Option<PhoneRecord>> {
        self.give(|all| all.phones.get(phone).cloned())
    }

    fn phones_of(&self, user: &UserName) -> Shelved<Vec<(PhoneNumber, PhoneRecord)>> {
        self.give(|all| {
            all.phones_of
                .under(user)
                .filter_map(|(phone, ())| Some((phone.clone(), all.phones.get(phone)?.clone())))
                .collect()
        })
    }

    fn proof(&self, user: &UserName, phone: &PhoneNumber) -> Shelved<Option<ProofRecord>> {
        self.give(|all| all.proofs.get(&(user.clone(), phone.clone())).cloned())
    }

    fn proofs_of(&self, user: &UserName, most: usize) -> Shelved<Vec<(PhoneNumber, ProofRecord)>> {
        self.give(|all| {
            let of_user = all.proofs.iter().filter(|((of, _), _)| of == user);
            let mut proofs: Vec<_> = of_user
                .map(|((_, phone), proof)| (phone.clone(), proof.clone()))
                .collect();
            proofs.sort_unstable_by(|one, other| one.0.cmp(&other.0));
            proofs.truncate(most);
            proofs
        })
    }

    fn reply(&self, phone: &PhoneNumber, number: u32) -> Shelved<Option<ReplyRecord>> {
        self.give(|all| all.replies.get(phone, &number).cloned())
    }

    fn replies(&self, phone: &PhoneNumber) -> Shelved<Vec<(u32, ReplyRecord)>> {
        self.give(|all| {
            all.replies
                .under(phone)
                .map(|(number, record)| (*number, record.clone()))
                .collect()
        })
    }

    fn text(&self, text: &TextId) -> Shelved<Option<TextRecord>> {
        self.give(|all| all.texts.get(text).cloned())
    }

    fn texts_before(&self, time: WallTime, most: usize) -> Shelved<Vec<TextId>> {
        self.give(|all| {
            let before = |text: &&TextId| text.made_at() < time;
            all.texts
                .keys()
                .take_while(before)
                .take(most)
                .copied()
                .collect()
        })
    }

    fn was_taken(&self, key: &OnceKey) -> Shelved<bool> {
        self.give(|all| all.taken.contains(key))
    }
}
