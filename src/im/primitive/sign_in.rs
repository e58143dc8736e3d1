//! Signing in and out, taking a session up again, signing up (P1).
//!
//! Neither a password nor a client id travels. `docs/protocol-im.md` tells how the proofs are made.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::WallTime;
use crate::im::limits::MAX_PROOF;
use crate::im::names::{ClientName, PointName, Position, SchemeName, SessionId};
use crate::message::UserName;

/// What a point takes. A point that does not say takes everything.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ItemKind {
    /// Messages, and what was sent from elsewhere.
    Message,
    /// Delivery reports and read marks.
    Report,
    /// Invitations and what happens in groups.
    Group,
    /// Notices of content.
    Content,
    /// Presence and requests for it.
    Presence,
}

/// `Login`: first without a proof, naming the schemes that the client knows; then with the proof that the challenge
/// asked for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Who signs in.
    pub user: UserName,
    /// From which client.
    pub client: ClientName,
    /// The digest schemes that the client knows, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub schemes: Vec<SchemeName>,
    /// The answer to the challenge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// How the user calls this point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<PointName>,
    /// What the point takes; left out, everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub accepts: Option<Vec<ItemKind>>,
    /// The last entry of the log that the client has; left out, the last one that some point of the user has received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

/// The answer to a challenge.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The scheme that the challenge chose.
    pub scheme: SchemeName,
    /// The nonce of the challenge.
    #[schemars(length(max = MAX_PROOF))]
    pub nonce: String,
    /// The digest, in base64.
    #[schemars(length(max = MAX_PROOF))]
    pub digest: String,
}

/// What to answer: stands in `Status` with code 422.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// The scheme that the server chose among those that were named.
    pub scheme: SchemeName,
    /// A digest over client id, time and a secret of the server, with that time before it. Good for one sign-in.
    #[schemars(length(max = MAX_PROOF))]
    pub nonce: String,
    /// How the password becomes a key, in schemes that have a slow password hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordCost>,
    /// How long the nonce is good.
    pub good_for_ms: u64,
}

/// Salt and cost of the slow password hash.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordCost {
    /// The salt, in base64.
    #[schemars(length(max = MAX_PROOF))]
    pub salt: String,
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// How often it is gone over.
    pub passes: u32,
    /// How many lanes.
    pub lanes: u32,
}

/// `SignedIn`: the result of `Login` and of `Resume`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedIn {
    /// The session. Requests name it where a connection has more than one.
    pub session: SessionId,
    /// With it the session is taken up again on another connection; only after `Login`. Keep it as a password is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MAX_PROOF))]
    pub token: Option<String>,
    /// After so long without a connection the session ends.
    pub lapses_after_ms: u64,
    /// The server's own proof, in schemes that have one: it, too, knows the password's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MAX_PROOF))]
    pub server_proof: Option<String>,
    /// The log, as it is now.
    pub log: LogState,
    /// The server's time.
    pub now: WallTime,
}

/// Where a user's log begins, ends, and is read up to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogState {
    /// The first entry that is kept.
    pub first: Position,
    /// The last entry; one less than `first` if there is none.
    pub last: Position,
    /// Read up to here, at whichever point.
    pub read: Position,
    /// After which entry this point is fed. Later than what was asked for if entries in between are no longer kept.
    pub fed_from: Position,
}

/// `Resume`: takes a session up again after its connection broke.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// Which session.
    pub session: SessionId,
    /// Its token.
    #[schemars(length(max = MAX_PROOF))]
    pub token: String,
    /// The last entry of the log that the client has; left out, the last one that it confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// What the point takes; left out, as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub accepts: Option<Vec<ItemKind>>,
}

/// `Logout`: ends the session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Logout {}

/// `SignUp`: registers a user, a client, or both, where the operator lets people do that themselves.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignUp {
    /// The user, with what the password was made into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<NewUser>,
    /// The client, with what its id was made into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<NewClient>,
}

/// A user that signs up. The keys are made by the client, so that the password does not travel here either.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The name.
    pub name: UserName,
    /// With which salt and cost the keys were made.
    pub password: PasswordCost,
    /// The key that proofs of the user are checked with, in base64.
    #[schemars(length(max = MAX_PROOF))]
    pub stored_key: String,
    /// The key that the server proves itself with, in base64.
    #[schemars(length(max = MAX_PROOF))]
    pub server_key: String,
}

/// A client that signs up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClient {
    /// The name.
    pub name: ClientName,
    /// The SHA-256 of its id, in base64.
    #[schemars(length(max = MAX_PROOF))]
    pub key: String,
}
