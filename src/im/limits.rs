//! The limits of the service, each with its reason. What an operator may want otherwise is in [`super::config`].

/// Longest primitive that is read, in octets: a chunk of content in base64, and its names.
pub const MAX_PRIMITIVE: usize = 96 * 1024;

/// How deep a primitive's JSON may nest: presence values with their lists need six, and nobody needs sixteen.
pub const MAX_DEPTH: usize = 16;

/// Longest text of a message, in octets: a few screens full; what is longer is content of a group.
pub const MAX_TEXT: usize = 16 * 1024;

/// Longest text that describes or explains something (a group, an invitation), in octets.
pub const MAX_NOTE: usize = 1024;

/// Most octets in one chunk of content, before base64.
pub const MAX_CHUNK: usize = 48 * 1024;

/// Most names that one request may carry in a list: members to add, users to invite, values to ask for.
pub const MAX_NAMES: usize = 256;

/// Most entries of anything in one answer; the rest is asked for with `after`.
pub const MAX_PAGE: usize = 100;

/// How many entries of its log a point is sent ahead of what it confirmed: enough for a second of the fastest reader,
/// and a bound on what a connection holds in memory.
pub const WINDOW: u64 = 256;

/// How many answers of a session are remembered, so that a request that is sent again acts once. A client must not have
/// more unanswered requests than that when it resumes.
pub const REMEMBERED: u16 = 128;

/// Most users that one connection signs in at a time: a client that serves several is a gateway or a family's tablet.
pub const MAX_SESSIONS_A_CONNECTION: usize = 64;

/// How many sign-ins of one connection may be between challenge and answer.
pub const MAX_CHALLENGES: usize = 8;

/// Longest digest, nonce, salt or key that is read, in characters of base64.
pub const MAX_PROOF: usize = 256;

/// Octets of log entries in one answer, beyond the first of them: a request of a hundred octets must not bring megabytes.
pub const MAX_PAGE_OCTETS: usize = 64 * 1024;

/// How many octets of its log a point is sent ahead of what it confirmed, beyond one entry: the same as [`WINDOW`] where
/// texts are long.
pub const WINDOW_OCTETS: usize = 256 * 1024;

/// To how many one request tells something for the price of one more message: the rate of messages is one of work, and a
/// message to a thousand is a thousand entries.
pub const TOLD_FOR_ONE: usize = 10;
