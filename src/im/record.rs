//! Records: what is kept of users, clients, sessions, groups and the rest, each under a key of its own.
//!
//! All of them are serde values; a field that comes later has a default, so that older records can be read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::names::{
    ClientName, ContentType, GroupName, InviteId, LanguageCode, ListName, MessageId, Nickname,
    PointName, Position, SchemeName, ScreenName, Topic, TransactionId, UploadId,
};
use super::primitive::{
    Contact, Forward, GroupKind, GroupProperties, ItemKind, PasswordCost, Recipient, Role, Settings,
};
use crate::clock::WallTime;
use crate::message::{PhoneNumber, UserName};

/// A key or a digest of 32 octets. It shows nothing of itself.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(pub [u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<key>")
    }
}

/// A user.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UserRecord {
    /// Since when.
    pub made_at: WallTime,
    /// What the user shows of itself.
    pub settings: Settings,
    /// The operator has shut it: it cannot sign in, and to others it is as if it did not exist.
    pub is_shut: bool,
    /// Whether phones are registered as its own, so that nobody looks for them in vain.
    #[serde(default)]
    pub has_phones: bool,
}

/// What a user's proofs are checked with. No password can be read out of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Credentials {
    /// With which salt and cost the password was made into keys.
    pub password: PasswordCost,
    /// The digest of the key that the client proves to have.
    pub stored_key: Key,
    /// The key that the server proves to have.
    pub server_key: Key,
    /// For each historical scheme that the operator has switched on: what stands for the password in it.
    #[serde(default)]
    pub historical: BTreeMap<SchemeName, String>,
}

/// A client.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClientRecord {
    /// Since when.
    pub made_at: WallTime,
    /// The SHA-256 of its id.
    pub key: Key,
}

/// A session: one user at one client, over any number of connections.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Who.
    pub user: UserName,
    /// From which client.
    pub client: ClientName,
    /// How the user calls it.
    pub point: Option<PointName>,
    /// The SHA-256 of its token.
    pub token: Key,
    /// Since when.
    pub made_at: WallTime,
    /// What it takes; `None` is everything.
    pub accepts: Option<Vec<ItemKind>>,
}

/// How far a session has come: what its point has confirmed, and when it last had one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SessionMark {
    /// Everything up to here.
    pub confirmed: Position,
    /// When that was.
    pub seen_at: WallTime,
}

/// An answer that a session got, for the case that it asks again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Remembered {
    /// Counts the session's answers.
    pub number: u64,
    /// Which request.
    pub transaction: TransactionId,
    /// What the request said.
    pub fingerprint: u64,
    /// The entry of the log that the answer stands for.
    pub position: Option<Position>,
    /// The answer's name.
    pub primitive: Cow<'static, str>,
    /// The answer's elements, as JSON.
    pub elements: String,
}

/// A buddy list.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ListRecord {
    /// Who is on it, in the order in which they came.
    pub buddies: Vec<Contact>,
}

/// A group, without its members.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GroupRecord {
    /// Who owns it. Always one of its members.
    pub owner: UserName,
    /// When it was made.
    pub made_at: WallTime,
    /// What describes it.
    pub properties: GroupProperties,
}

impl GroupRecord {
    /// Whether only members and invited people may see it.
    pub fn is_private(&self) -> bool {
        self.properties.kind == GroupKind::Private
    }
}

/// A membership.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MemberRecord {
    /// How the member is called; no other member of the group is.
    pub name: ScreenName,
    /// What it may do.
    pub role: Role,
    /// Whether others see the screen name only.
    pub anonymous: bool,
    /// Since when.
    pub joined_at: WallTime,
}

/// All members of a group. A store may keep it made up, and hand out the same one as long as nothing changes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Members {
    by_user: BTreeMap<UserName, MemberRecord>,
    by_name: BTreeMap<ScreenName, UserName>,
}

impl Members {
    /// Puts a member in, or in place of what is known of it.
    pub fn insert(&mut self, user: UserName, member: MemberRecord) {
        self.remove(&user);
        self.by_name.insert(member.name.clone(), user.clone());
        self.by_user.insert(user, member);
    }

    /// Takes a member out.
    pub fn remove(&mut self, user: &UserName) {
        if let Some(member) = self.by_user.remove(user) {
            self.by_name.remove(&member.name);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_user.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_user.is_empty()
    }

    /// A member.
    pub fn get(&self, user: &UserName) -> Option<&MemberRecord> {
        self.by_user.get(user)
    }

    /// The member that is called so.
    pub fn called(&self, name: &ScreenName) -> Option<(&UserName, &MemberRecord)> {
        let user = self.by_name.get(name)?;
        Some((user, self.by_user.get(user)?))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&UserName, &MemberRecord)> {
        self.by_user.iter()
    }

    /// Those behind a screen name, in order of these names.
    pub fn after(
        &self,
        name: Option<&ScreenName>,
    ) -> impl Iterator<Item = (&UserName, &MemberRecord)> {
        use std::ops::Bound;
        let start = name.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_name
            .range::<ScreenName, _>((start, Bound::Unbounded))
            .filter_map(|(_, user)| Some((user, self.by_user.get(user)?)))
    }
}

/// An open invitation; a user has at most one to a group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InviteRecord {
    /// Its id.
    pub invite: InviteId,
    /// Who invited.
    pub from: UserName,
    /// Until when it is good.
    pub valid_until: WallTime,
}

/// Who may do something with a piece of content. Members by their user, since screen names change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhoRecord {
    /// All members.
    Members,
    /// Moderators.
    Moderators,
    /// Its author.
    Author,
    /// These users.
    Only(Vec<UserName>),
}

/// What a piece of content is, stored or on its way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ContentRecord {
    /// What kind of content.
    pub kind: ContentType,
    /// How many octets.
    pub size: u64,
    /// How many octets a chunk of it has, but for the last.
    pub chunk: u32,
    /// Who stored it.
    pub author: UserName,
    /// When it was stored, or begun.
    pub stored_at: WallTime,
    /// Who may see it.
    pub read: WhoRecord,
    /// Who may change it.
    pub change: WhoRecord,
}

/// A piece of content on its way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UploadRecord {
    /// For which group.
    pub group: GroupName,
    /// Under which name.
    pub name: super::names::ContentName,
    /// What it will be.
    pub content: ContentRecord,
}

/// What a group's content takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ContentUse {
    /// How many pieces.
    pub pieces: u64,
    /// How many octets.
    pub octets: u64,
}

/// A phone that is a user, or is one of a user's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PhoneRecord {
    /// Whose. A phone that nobody registered is a user of its own, named by its digits.
    pub user: UserName,
    /// When it gets what is written to the user.
    pub forward: Forward,
    /// Whether it is signed in; its user does that by SMS.
    pub signed_in: bool,
    /// Who wrote last, or was written to by name since: where a text without an address goes.
    pub last_partner: Option<Recipient>,
    /// Whom the phone wrote to last: it is told when the last partner is another one.
    pub last_written: Option<Recipient>,
    /// Whether it wants no text at all, as it says by STOP.
    #[serde(default)]
    pub stopped: bool,
    /// The first entry of its user's log that waits for it to sign in.
    #[serde(default)]
    pub waits_from: Option<Position>,
    /// In which language it is answered; `None` is the operator's.
    #[serde(default)]
    pub language: Option<LanguageCode>,
    /// What it calls people, each by one name.
    #[serde(default)]
    pub nicknames: Vec<(Nickname, Contact)>,
}

impl PhoneRecord {
    /// A phone of a user, signed in.
    pub const fn of(user: UserName, forward: Forward) -> Self {
        Self {
            user,
            forward,
            signed_in: true,
            last_partner: None,
            last_written: None,
            stopped: false,
            waits_from: None,
            language: None,
            nicknames: Vec::new(),
        }
    }

    /// Whether texts go to it.
    pub const fn takes_texts(&self) -> bool {
        self.signed_in && !self.stopped
    }
}

/// A code on its way to a phone and back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProofRecord {
    /// A digest of the code.
    pub code: Key,
    /// Until when it is good.
    pub valid_until: WallTime,
    /// How many wrong tries there were.
    pub wrong: u32,
}

/// Whom a reply address of a phone leads to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReplyRecord {
    /// The partner.
    pub partner: Recipient,
    /// When it was last used.
    pub used_at: WallTime,
}

/// A text that was given to the carrier: whose it is, for the word on its fate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TextRecord {
    /// To which phone.
    pub phone: PhoneNumber,
    /// Who wrote it, and on which message; `None` for what the service itself says.
    pub message: Option<TextMessage>,
    /// When it was given.
    pub at: WallTime,
}

/// The message that a text carries.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TextMessage {
    /// Who wrote it.
    pub sender: UserName,
    /// Which one.
    pub message: MessageId,
    /// As whom the sender addressed the phone.
    pub recipient: Recipient,
    /// Whether the sender wants a report.
    pub report: bool,
    /// Where it lies in a log as well, if the phone is one of a user who has other points.
    pub log: Option<(UserName, Position)>,
}

/// The key of a list.
pub type ListKey = (UserName, ListName);

/// Groups by what they talk about.
pub type TopicKey = (Topic, GroupName);

/// The key of a piece of content that is on its way, or was stored.
pub type ChunkKey = (UploadId, u32);
