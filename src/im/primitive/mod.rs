//! Primitives: what clients and the service say to each other, as types and as JSON (P15).
//!
//! A primitive has a name, a transaction id and elements. In JSON:
//!
//! ```json
//! {"primitive": "Read", "transaction": "12", "elements": {"position": 40}}
//! ```
//!
//! [`read()`] makes a [`Request`] of what a client sent. What cannot be read gives [`Unreadable`], which holds the
//! `Status` to answer with, under the transaction id if one could be found: nothing is dropped in silence. Unknown names
//! and unknown elements are refused by name. [`Outgoing`] is what goes to a client.
//!
//! `docs/protocol-im.md` has an example of each; `docs/protocol-im.schema.json` is made from these types.

mod answer;
mod content;
mod group;
mod list;
mod message;
mod octets;
mod outgoing;
mod phone;
mod presence;
mod read;
mod schema;
mod search;
mod sign_in;

pub use answer::{Failed, Limit, Status};
pub use content::{
    BeginContent, ContentChunk, ContentDescription, ContentInfo, ContentTaken, DeleteContent,
    GetContent, GetContentInfo, ReceiveContent, Rights, StoreContent, Who,
};
pub use group::{
    CreateGroup, DeleteGroup, GetGroupInfo, GroupChange, GroupInfo, GroupKind, GroupLeft,
    GroupProperties, GroupWishes, InviteGroup, InviteInfo, InviteUser, JoinGroup, LeaveGroup,
    LeftBecause, MemberInfo, ModifyGroup, ModifyJoin, RefuseInvite, Role, RoleChange,
};
pub use list::{
    Blocks, BuddyList, CreateList, DeleteList, GetBlocks, GetLists, GetSettings, Lists,
    ModifyBlocks, ModifyList, ModifySettings, Reach, Settings,
};
pub use message::{
    Accepted, Contact, Delivered, Fate, GetHistory, History, Incoming, MemberAddress, Message,
    PastEntry, Read, Received, Recipient, Saying, Sender, Sent,
};
pub use octets::Octets;
pub use outgoing::{Outgoing, Tag, Word};
pub use phone::{
    AddPhone, Forward, GetPhones, ModifyPhone, OwnPhone, Phones, ProvePhone, RemovePhone,
};
pub use presence::{
    AuthorizePres, GetPresence, PresAuthRequest, PresAuthSettled, Presence, RequestPresAuth,
    SubsPresence, Subscribed, UnsubsPresence, UpdatePresence,
};
pub use read::{Request, Unreadable, read};
pub use schema::schema;
pub use search::{
    GroupFound, GroupQuery, GroupsFound, PresenceIs, SearchGroup, SearchUsers, UsersFound,
};
pub use sign_in::{
    Challenge, ItemKind, LogState, Login, Logout, NewClient, NewUser, PasswordCost, Proof, Resume,
    SignUp, SignedIn,
};

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if hands over a reference"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

macro_rules! primitives {
    ($(#[doc = $doc:literal])* $set:ident: $($name:literal $variant:ident($elements:ty),)*) => {
        $(#[doc = $doc])*
        #[derive(Clone, PartialEq, Debug)]
        pub enum $set {
            $(
                #[doc = concat!("`", $name, "`.")]
                $variant($elements),
            )*
        }

        impl $set {
            /// All names.
            pub const NAMES: &[&str] = &[$($name),*];

            /// The primitive's name.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }

            /// The primitive of a name, from its elements in JSON; `None` if there is no such primitive.
            pub fn from_json(name: &str, elements: &str) -> Option<Result<Self, serde_json::Error>> {
                Some(match name {
                    $($name => serde_json::from_str(elements).map(Self::$variant),)*
                    _ => return None,
                })
            }

            /// Its elements as JSON.
            pub fn elements_json(&self) -> String {
                let written = match self {
                    $(Self::$variant(elements) => serde_json::to_string(elements),)*
                };
                written.expect("primitives have string keys and no values that fail")
            }

            /// The schema of the elements of each name.
            fn schemas(generator: &mut schemars::SchemaGenerator) -> Vec<(&'static str, schemars::Schema)> {
                vec![$(($name, generator.subschema_for::<$elements>())),*]
            }
        }

        $(
            impl From<$elements> for $set {
                fn from(elements: $elements) -> Self {
                    Self::$variant(elements)
                }
            }
        )*
    };
}

primitives! {
    /// What a client sends.
    FromClient:
    "Login" Login(Login),
    "Resume" Resume(Resume),
    "Logout" Logout(Logout),
    "SignUp" SignUp(SignUp),
    "Message" Message(Message),
    "Received" Received(Received),
    "Read" Read(Read),
    "GetHistory" GetHistory(GetHistory),
    "CreateList" CreateList(CreateList),
    "ModifyList" ModifyList(ModifyList),
    "DeleteList" DeleteList(DeleteList),
    "GetLists" GetLists(GetLists),
    "ModifyBlocks" ModifyBlocks(ModifyBlocks),
    "GetBlocks" GetBlocks(GetBlocks),
    "ModifySettings" ModifySettings(ModifySettings),
    "GetSettings" GetSettings(GetSettings),
    "CreateGroup" CreateGroup(CreateGroup),
    "GetGroupInfo" GetGroupInfo(GetGroupInfo),
    "ModifyGroup" ModifyGroup(ModifyGroup),
    "DeleteGroup" DeleteGroup(DeleteGroup),
    "InviteGroup" InviteGroup(InviteGroup),
    "InviteInfo" RefuseInvite(RefuseInvite),
    "JoinGroup" JoinGroup(JoinGroup),
    "ModifyJoin" ModifyJoin(ModifyJoin),
    "LeaveGroup" LeaveGroup(LeaveGroup),
    "SearchGroup" SearchGroup(SearchGroup),
    "SearchUsers" SearchUsers(SearchUsers),
    "UpdatePresence" UpdatePresence(UpdatePresence),
    "GetPresence" GetPresence(GetPresence),
    "RequestPresAuth" RequestPresAuth(RequestPresAuth),
    "AuthorizePres" AuthorizePres(AuthorizePres),
    "SubsPresence" SubsPresence(SubsPresence),
    "UnsubsPresence" UnsubsPresence(UnsubsPresence),
    "StoreContent" StoreContent(StoreContent),
    "GetContentInfo" GetContentInfo(GetContentInfo),
    "GetContent" GetContent(GetContent),
    "DeleteContent" DeleteContent(DeleteContent),
    "AddPhone" AddPhone(AddPhone),
    "ProvePhone" ProvePhone(ProvePhone),
    "ModifyPhone" ModifyPhone(ModifyPhone),
    "RemovePhone" RemovePhone(RemovePhone),
    "GetPhones" GetPhones(GetPhones),
    "Status" Status(Status),
}

primitives! {
    /// What the service sends: answers, and what nobody asked for.
    ToClient:
    "Status" Status(Status),
    "SignedIn" SignedIn(SignedIn),
    "Message" Message(Incoming),
    "Accepted" Accepted(Accepted),
    "Sent" Sent(Sent),
    "Delivered" Delivered(Delivered),
    "Read" Read(Read),
    "History" History(History),
    "Lists" Lists(Lists),
    "Blocks" Blocks(Blocks),
    "Settings" Settings(Settings),
    "GroupInfo" GroupInfo(GroupInfo),
    "GroupChange" GroupChange(GroupChange),
    "GroupLeft" GroupLeft(GroupLeft),
    "InviteUser" InviteUser(InviteUser),
    "InviteInfo" InviteInfo(InviteInfo),
    "GroupsFound" GroupsFound(GroupsFound),
    "UsersFound" UsersFound(UsersFound),
    "Presence" Presence(Presence),
    "RequestPresAuth" RequestPresAuth(PresAuthRequest),
    "PresAuthSettled" PresAuthSettled(PresAuthSettled),
    "Subscribed" Subscribed(Subscribed),
    "ContentTaken" ContentTaken(ContentTaken),
    "ContentInfo" ContentInfo(ContentInfo),
    "ReceiveContent" ReceiveContent(ReceiveContent),
    "Phones" Phones(Phones),
}
