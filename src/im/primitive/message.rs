//! Messages, their reports, and the log that they lie in (P9).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_false;
use crate::clock::WallTime;
use crate::im::limits::MAX_TEXT;
use crate::im::log::Logged;
use crate::im::names::{
    ContentType, ConversationName, GroupName, ListName, MessageId, Position, ScreenName,
    TransactionId,
};
use crate::message::{PhoneNumber, UserName};
use crate::private::Private;

/// A user or a phone: who can be a buddy, be blocked, and be written to alone.
#[derive(
    Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Contact {
    /// A user.
    User(UserName),
    /// A phone.
    Phone(PhoneNumber),
}

/// To whom a message goes.
#[derive(
    Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Recipient {
    /// A user.
    User(UserName),
    /// A phone.
    Phone(PhoneNumber),
    /// Everybody on one of the sender's buddy lists. Each gets it alone, and sees no list.
    List(ListName),
    /// All members of a group.
    Group(GroupName),
    /// One member of a group, by its screen name.
    Member(MemberAddress),
}

impl From<Contact> for Recipient {
    fn from(contact: Contact) -> Self {
        match contact {
            Contact::User(user) => Self::User(user),
            Contact::Phone(phone) => Self::Phone(phone),
        }
    }
}

/// A member of a group.
#[derive(
    Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct MemberAddress {
    /// The group.
    pub group: GroupName,
    /// How the member is called there.
    pub name: ScreenName,
}

/// From whom a message comes. What stands here can be written back to.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sender {
    /// A user.
    User(UserName),
    /// A phone.
    Phone(PhoneNumber),
    /// A member, to the whole group.
    Group(MemberAddress),
    /// A member, to one other member alone.
    Member(MemberAddress),
    /// The service itself; nobody can write back to it.
    Service,
}

/// What a message says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Saying {
    /// The text.
    #[serde(with = "exposed")]
    #[schemars(with = "String", length(max = MAX_TEXT))]
    pub text: Private<String>,
    /// What kind of text; left out, plain.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ContentType>,
    /// To which conversation it belongs, as clients name it to one another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationName>,
}

impl Saying {
    /// A plain text.
    pub fn plain(text: impl Into<String>) -> Self {
        Self {
            text: Private::new(text.into()),
            kind: None,
            conversation: None,
        }
    }
}

/// A text that is written out because it goes to whom it belongs.
mod exposed {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::private::Private;

    pub(super) fn serialize<S: Serializer>(
        text: &Private<String>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(text.expose())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Private<String>, D::Error> {
        String::deserialize(from).map(Private::new)
    }
}

/// `Message`, from a client.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// To whom.
    pub to: Recipient,
    /// What it says.
    pub saying: Saying,
    /// Whether `Delivered` is wanted, one for each recipient.
    #[serde(default, skip_serializing_if = "is_false")]
    pub report: bool,
    /// After this time it is of no use; it matters for phones that are off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<WallTime>,
}

/// `Message`, to a client.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Incoming {
    /// Which message; the same for all its recipients.
    pub message: MessageId,
    /// From whom.
    pub from: Sender,
    /// What it says.
    pub saying: Saying,
}

/// `Accepted`: the answer to `Message`. It is stored for all but those that are named.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// Which message.
    pub message: MessageId,
    /// For how many recipients it is stored.
    pub recipients: u32,
    /// Those for whom it is not, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<super::Failed>,
}

/// `Sent`: what the user wrote, for the user's other points. The point that wrote it gets `Accepted` in its place,
/// with the position.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    /// Which message.
    pub message: MessageId,
    /// To whom.
    pub to: Recipient,
    /// What it says.
    pub saying: Saying,
    /// Under which transaction it was asked for.
    pub transaction: TransactionId,
}

/// How a message ended for one recipient.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// A point of the recipient has confirmed it, or the phone has it.
    Delivered,
    /// The carrier has taken it, and says no more.
    Accepted,
    /// Its time was over first.
    Expired,
    /// It cannot be delivered, or was refused on the way.
    Failed,
    /// It may or may not have arrived; nobody can say.
    Doubtful,
}

/// `Delivered`: the report for one recipient.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delivered {
    /// Which message.
    pub message: MessageId,
    /// For whom.
    pub recipient: Recipient,
    /// How it ended.
    pub fate: Fate,
    /// The carrier's reason, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reason: Option<String>,
}

/// `Received`: the client has kept everything up to here. It is not answered, being an answer itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Received {
    /// Up to here.
    pub position: Position,
}

/// `Read`, from a client: the user has read up to here. To a client: so the user has, at some point.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// Up to here. It moves forward only.
    pub position: Position,
}

/// `GetHistory`: entries of the log again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetHistory {
    /// Those after this one.
    pub after: Position,
    /// How many at most; left out, as many as one answer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u32>,
}

/// `History`: entries of the log.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// In order.
    pub entries: Vec<PastEntry>,
    /// The last entry of the log.
    pub last: Position,
}

/// One entry of the log.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PastEntry {
    /// Where it lies.
    pub position: Position,
    /// When it came there.
    pub at: WallTime,
    /// The primitive that it is.
    pub entry: Logged,
}
