//! Changes: what has to be durable before what goes out with them goes out.
//!
//! Each change is a record put under its key, or a key whose record is gone. Applying one twice is applying it once, and
//! none needs to know what was there before; so a store needs no locks across users, and may retry. Changes of one
//! [`Effects`](super::effects::Effects) belong together: all of them, or none.

use std::sync::Arc;

use bytes::Bytes;

use super::log::{Due, Entry};
use super::names::{
    ClientName, ContentName, GroupName, ListName, Position, SessionId, TextId, UploadId,
};
use super::phone::OnceKey;
use super::primitive::Contact;
use super::record::{
    ClientRecord, ContentRecord, Credentials, GroupRecord, InviteRecord, ListRecord, MemberRecord,
    PhoneRecord, ProofRecord, Remembered, ReplyRecord, SessionMark, SessionRecord, TextRecord,
    UploadRecord, UserRecord,
};
use crate::clock::WallTime;
use crate::message::{PhoneNumber, UserName};

/// One change of what is kept. `None` in place of a record means that it is gone.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// A user.
    User(UserName, Option<UserRecord>),
    /// What a user's proofs are checked with.
    Credentials(UserName, Option<Credentials>),
    /// A client.
    Client(ClientName, Option<ClientRecord>),
    /// A session. When it goes, so do its mark and its remembered answers.
    Session(SessionId, UserName, Option<SessionRecord>),
    /// How far a session has come.
    Confirmed(SessionId, SessionMark),
    /// An answer to remember, at `number` modulo [`super::limits::REMEMBERED`].
    Remembered(SessionId, Arc<Remembered>),

    /// An entry at the end of a user's log: moves [`super::log::LogHead::last`].
    Append {
        /// Whose log.
        user: UserName,
        /// Where: right behind the last one.
        position: Position,
        /// What.
        entry: Arc<Entry>,
        /// Who waits for a report on it.
        due: Option<Due>,
    },
    /// Moves [`super::log::LogHead::received`].
    Received(UserName, Position),
    /// Moves [`super::log::LogHead::read`].
    Read(UserName, Position),
    /// Takes back the [`Due`] of an entry, which stays.
    Settled(UserName, Position),
    /// Entries up to here are no longer kept: moves [`super::log::LogHead::trimmed`].
    Trimmed(UserName, Position),

    /// A buddy list.
    List(UserName, ListName, Option<ListRecord>),
    /// Whether the first hears nothing of the second.
    Blocked(UserName, Contact, bool),

    /// A group. When it goes, so do its members, bans, invitations and content.
    Group(GroupName, Option<GroupRecord>),
    /// A membership.
    Member(GroupName, UserName, Option<MemberRecord>),
    /// Whether a user stays out of a group.
    Banned(GroupName, UserName, bool),
    /// The invitation of a user to a group.
    Invite(UserName, GroupName, Option<InviteRecord>),

    /// A piece of content on its way. When it goes, its chunks go, unless it was stored.
    Upload(UploadId, Option<UploadRecord>),
    /// One chunk of it, by its number from 0.
    Chunk(UploadId, u32, Bytes),
    /// A piece of content is stored, and what the upload brought belongs to it; or it is gone, with its chunks. What was
    /// there under this name goes, with its chunks.
    Content(GroupName, ContentName, Option<(UploadId, ContentRecord)>),

    /// A phone.
    Phone(PhoneNumber, Option<PhoneRecord>),
    /// A code on its way from a user to a phone.
    Proof(UserName, PhoneNumber, Option<ProofRecord>),
    /// Whom a reply address of a phone leads to, by its number in the range.
    Reply(PhoneNumber, u32, Option<ReplyRecord>),
    /// A text that was given to the carrier.
    Text(TextId, Option<TextRecord>),
    /// Something of presence.
    Presence(Box<crate::presence::Change>),
    /// What came under this key was taken, at this time.
    Once(OnceKey, WallTime),
}

impl Change {
    /// Whether it must be durable before anything else goes out. The others may be lost with a crash, in order: they
    /// save work, or can be known again.
    pub const fn is_urgent(&self) -> bool {
        match self {
            Self::Confirmed(..) | Self::Trimmed(..) => false,
            Self::Presence(change) => change.is_urgent(),
            _ => true,
        }
    }
}
