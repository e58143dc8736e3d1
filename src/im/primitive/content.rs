//! Content that a group shares (P14). Large pieces travel in chunks, so that nobody holds one in memory.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_false;
use super::octets::Octets;
use crate::clock::WallTime;
use crate::im::limits::MAX_NAMES;
use crate::im::names::{ContentName, ContentType, GroupName, ScreenName, UploadId};

/// Who may do something with a piece of content. Its author may do everything, and so may the group's owner.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// All members.
    Members,
    /// Moderators.
    Moderators,
    /// Nobody else.
    Author,
    /// These members.
    Only(#[schemars(length(max = MAX_NAMES))] Vec<ScreenName>),
}

/// Access rights.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rights {
    /// Who may see and get it.
    pub read: Who,
    /// Who may replace and delete it.
    pub change: Who,
}

impl Default for Rights {
    fn default() -> Self {
        Self {
            read: Who::Members,
            change: Who::Moderators,
        }
    }
}

/// `StoreContent`: first with `begin`, then one chunk after the other. Each is answered by `ContentTaken`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StoreContent {
    /// Says what is to come.
    Begin(BeginContent),
    /// The next octets.
    Chunk(ContentChunk),
}

/// A piece of content that is to come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginContent {
    /// For which group.
    pub group: GroupName,
    /// Under which name. One that is there is replaced when the last chunk has arrived, and not before.
    pub name: ContentName,
    /// What kind of content.
    #[serde(rename = "type")]
    pub kind: ContentType,
    /// How many octets.
    pub size: u64,
    /// Who may see and change it; left out, as it was, or as is usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rights: Option<Rights>,
}

/// Octets of a piece of content.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContentChunk {
    /// Which piece, as `ContentTaken` named it.
    pub upload: UploadId,
    /// Where these octets begin.
    pub offset: u64,
    /// The octets, in base64. All chunks but the last are of the size that `ContentTaken` names.
    pub data: Octets,
}

/// `ContentTaken`: so much of it is stored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContentTaken {
    /// Which piece.
    pub upload: UploadId,
    /// Where the next chunk begins.
    pub offset: u64,
    /// How many octets a chunk has.
    pub chunk: u32,
    /// Whether this was the last one: the group has it now.
    #[serde(default, skip_serializing_if = "is_false")]
    pub complete: bool,
}

/// `GetContentInfo`; the answer is `ContentInfo`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetContentInfo {
    /// Of which group.
    pub group: GroupName,
    /// Which piece; left out, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ContentName>,
    /// Those after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ContentName>,
}

/// `ContentInfo`: the answer to `GetContentInfo`; unasked, what was stored or deleted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContentInfo {
    /// Of which group.
    pub group: GroupName,
    /// In order of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contents: Vec<ContentDescription>,
    /// What is no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deleted: Vec<ContentName>,
    /// Where to go on; left out at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ContentName>,
}

/// A piece of content, described.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContentDescription {
    /// Its name.
    pub name: ContentName,
    /// What kind of content.
    #[serde(rename = "type")]
    pub kind: ContentType,
    /// How many octets.
    pub size: u64,
    /// Who stored it, as the member is called now; left out if it has left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<ScreenName>,
    /// When it was stored.
    pub stored_at: WallTime,
    /// Which storing this was: another one after each replacement.
    pub version: UploadId,
    /// Who may see and change it.
    pub rights: Rights,
}

/// `GetContent`: asks for octets; the answer is `ReceiveContent`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetContent {
    /// Of which group.
    pub group: GroupName,
    /// Which piece.
    pub name: ContentName,
    /// From where on; a multiple of the chunk's size.
    #[serde(default)]
    pub offset: u64,
    /// Of this storing only; so that a replacement in between does not mix two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<UploadId>,
}

/// `ReceiveContent`: one chunk.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiveContent {
    /// Of which group.
    pub group: GroupName,
    /// Which piece.
    pub name: ContentName,
    /// Which storing of it.
    pub version: UploadId,
    /// How many octets all of it has.
    pub size: u64,
    /// Where these begin.
    pub offset: u64,
    /// The octets, in base64.
    pub data: Octets,
    /// Whether these are the last.
    #[serde(default, skip_serializing_if = "is_false")]
    pub complete: bool,
}

/// `DeleteContent`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteContent {
    /// Of which group.
    pub group: GroupName,
    /// Which piece.
    pub name: ContentName,
}
