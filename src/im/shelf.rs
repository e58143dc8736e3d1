//! What the service reads: records by their keys, and pages of them in order. A store implements it.
//!
//! Reads see every change that was handed over, durable or not yet: the service makes the next change from what the one
//! before has made. Nothing here walks over all users or all groups; what gives several has a limit.

use std::sync::Arc;

use bytes::Bytes;

use super::log::{Due, Entry, LogHead};
use super::names::{
    ClientName, ContentName, GroupName, ListName, Needle, Position, SessionId, TextId, Topic,
    UploadId,
};
use super::phone::OnceKey;
use super::primitive::Contact;
use super::record::{
    ClientRecord, ContentRecord, ContentUse, Credentials, GroupRecord, InviteRecord, ListRecord,
    Members, PhoneRecord, ProofRecord, Remembered, ReplyRecord, SessionMark, SessionRecord,
    TextRecord, UploadRecord, UserRecord,
};
use crate::clock::WallTime;
use crate::message::{PhoneNumber, UserName};

/// The store could not be read. The request is answered with `Status` 500, and nothing is done.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the store could not be read: {0}")]
pub struct ShelfFailed(pub String);

/// What a read gives.
pub type Shelved<T> = Result<T, ShelfFailed>;

/// Everything that is kept.
pub trait Shelf {
    /// A user.
    fn user(&self, user: &UserName) -> Shelved<Option<UserRecord>>;
    /// Users whose name begins so, behind `after`, in order, at most so many.
    fn users_called(
        &self,
        prefix: &Needle,
        after: Option<&UserName>,
        most: usize,
    ) -> Shelved<Vec<UserName>>;
    /// What a user's proofs are checked with.
    fn credentials(&self, user: &UserName) -> Shelved<Option<Credentials>>;
    /// A client.
    fn client(&self, client: &ClientName) -> Shelved<Option<ClientRecord>>;
    /// A session.
    fn session(&self, session: &SessionId) -> Shelved<Option<SessionRecord>>;
    /// All sessions of a user.
    fn sessions_of(&self, user: &UserName) -> Shelved<Vec<(SessionId, SessionRecord)>>;
    /// How far a session has come, if that is known.
    fn confirmed(&self, session: &SessionId) -> Shelved<Option<SessionMark>>;
    /// The answers of a session that are remembered, in any order.
    fn remembered(&self, session: &SessionId) -> Shelved<Vec<Remembered>>;

    /// How far a user's log has come. A user without entries has a head of zeroes.
    fn log(&self, user: &UserName) -> Shelved<LogHead>;
    /// Entries of a log behind a position, in order, at most so many.
    fn entries(
        &self,
        user: &UserName,
        after: Position,
        most: usize,
    ) -> Shelved<Vec<(Position, Arc<Entry>)>>;
    /// Entries up to a position on which somebody waits for a report, in order, at most so many.
    fn due(&self, user: &UserName, up_to: Position, most: usize) -> Shelved<Vec<(Position, Due)>>;
    /// Who waits for a report on one entry.
    fn due_at(&self, user: &UserName, position: Position) -> Shelved<Option<Due>>;

    /// A buddy list.
    fn list(&self, owner: &UserName, list: &ListName) -> Shelved<Option<ListRecord>>;
    /// All buddy lists of a user, in order of their names.
    fn lists(&self, owner: &UserName) -> Shelved<Vec<(ListName, ListRecord)>>;
    /// Whether somebody is on one of a user's lists.
    fn is_buddy(&self, owner: &UserName, buddy: &Contact) -> Shelved<bool>;
    /// Whether the first hears nothing of the second.
    fn is_blocked(&self, owner: &UserName, other: &Contact) -> Shelved<bool>;
    /// Of whom a user hears nothing, at most so many.
    fn blocked(&self, owner: &UserName, most: usize) -> Shelved<Vec<Contact>>;

    /// A group.
    fn group(&self, group: &GroupName) -> Shelved<Option<GroupRecord>>;
    /// Its members; none if there is no such group.
    fn members(&self, group: &GroupName) -> Shelved<Arc<Members>>;
    /// Groups of which a user is a member, behind `after`, in order, at most so many.
    fn groups_of(
        &self,
        user: &UserName,
        after: Option<&GroupName>,
        most: usize,
    ) -> Shelved<Vec<GroupName>>;
    /// Groups that a user owns, likewise.
    fn groups_owned(
        &self,
        user: &UserName,
        after: Option<&GroupName>,
        most: usize,
    ) -> Shelved<Vec<GroupName>>;
    /// Groups with a topic, likewise.
    fn groups_about(
        &self,
        topic: &Topic,
        after: Option<&GroupName>,
        most: usize,
    ) -> Shelved<Vec<GroupName>>;
    /// Groups whose name begins so, likewise.
    fn groups_called(
        &self,
        prefix: &Needle,
        after: Option<&GroupName>,
        most: usize,
    ) -> Shelved<Vec<GroupName>>;
    /// Whether a user stays out of a group.
    fn is_banned(&self, group: &GroupName, user: &UserName) -> Shelved<bool>;
    /// The invitation of a user to a group.
    fn invite(&self, user: &UserName, group: &GroupName) -> Shelved<Option<InviteRecord>>;
    /// The invitations of a user, at most so many.
    fn invites_of(&self, user: &UserName, most: usize) -> Shelved<Vec<(GroupName, InviteRecord)>>;

    /// A piece of content on its way.
    fn upload(&self, upload: &UploadId) -> Shelved<Option<UploadRecord>>;
    /// Pieces on their way that were begun before, oldest first, at most so many.
    fn uploads_before(&self, time: WallTime, most: usize) -> Shelved<Vec<UploadId>>;
    /// Pieces on their way that a user has begun, at most so many.
    fn uploads_of(&self, author: &UserName, most: usize) -> Shelved<Vec<UploadId>>;
    /// How many chunks of a piece there are, without a gap from the first.
    fn chunks(&self, upload: &UploadId) -> Shelved<u32>;
    /// One chunk.
    fn chunk(&self, upload: &UploadId, number: u32) -> Shelved<Option<Bytes>>;
    /// A piece of content of a group.
    fn content(
        &self,
        group: &GroupName,
        name: &ContentName,
    ) -> Shelved<Option<(UploadId, ContentRecord)>>;
    /// The content of a group, behind `after`, in order of its names, at most so many.
    fn contents(
        &self,
        group: &GroupName,
        after: Option<&ContentName>,
        most: usize,
    ) -> Shelved<Vec<(ContentName, UploadId, ContentRecord)>>;
    /// What the content of a group takes.
    fn content_use(&self, group: &GroupName) -> Shelved<ContentUse>;

    /// A phone.
    fn phone(&self, phone: &PhoneNumber) -> Shelved<Option<PhoneRecord>>;
    /// The phones of a user.
    fn phones_of(&self, user: &UserName) -> Shelved<Vec<(PhoneNumber, PhoneRecord)>>;
    /// A code on its way from a user to a phone.
    fn proof(&self, user: &UserName, phone: &PhoneNumber) -> Shelved<Option<ProofRecord>>;
    /// The codes on their way from a user, at most so many.
    fn proofs_of(&self, user: &UserName, most: usize) -> Shelved<Vec<(PhoneNumber, ProofRecord)>>;
    /// Whom a reply address of a phone leads to.
    fn reply(&self, phone: &PhoneNumber, number: u32) -> Shelved<Option<ReplyRecord>>;
    /// All reply addresses of a phone that are in use.
    fn replies(&self, phone: &PhoneNumber) -> Shelved<Vec<(u32, ReplyRecord)>>;
    /// A text that was given to the carrier.
    fn text(&self, text: &TextId) -> Shelved<Option<TextRecord>>;
    /// Texts that were given to the carrier before, oldest first, at most so many.
    fn texts_before(&self, time: WallTime, most: usize) -> Shelved<Vec<TextId>>;
    /// Whether what came under this key was taken.
    fn was_taken(&self, key: &OnceKey) -> Shelved<bool>;
}
