//! Presence: what users let others know about themselves. `docs/presence.md` tells all of it.
//!
//! What this part promises:
//!
//! - A watcher sees what its owner lets it see ([`permission`]) and nothing else. What is refused, unanswered, withdrawn
//!   or not there looks the same, and what a watcher may not see does not even show by the time of a picture.
//! - Values move by themselves with time and place; nothing is given as valid that is not, at the moment of the answer.
//! - A watcher's pictures come at a bounded rate, each complete and the newest; an owner's update costs a mark for each
//!   watcher, and nothing more until a picture's turn has come.
//! - Everything that must outlive the process comes out as a [`Change`], and [`Service::load`] takes it back.
//!
//! What it leaves to others: who is in a group ([`Membership`]), signing in, points' sockets, and what primitives look like
//! (`im`); keeping the changes (`store`).
//!
//! [`Service`] is a machine without I/O. Verbs take requests, `point_*` and `phone_*` what the system notices, and
//! `handle_timeout` the passing of time; after each the driver drains [`Service::poll_change`] and
//! [`Service::poll_notice`], and comes back at [`Service::poll_timeout`].

mod arena;
pub mod calendar;
pub mod config;
mod entry;
mod look;
pub mod name;
pub mod permission;
pub mod place;
mod record;
pub mod refusal;
pub mod registry;
pub mod rule;
mod service;
mod shared;
mod value;
mod wheel;
mod words;
pub mod xml;

pub use config::Config;
pub use look::MAX_CHAIN;
pub use name::{Address, AttributeName, Chosen, ClientName, GroupName, MAX_CHOSEN};
pub use permission::{MAX_PERMISSIONS, Membership, NoGroups, Permission};
pub use record::{Change, Key, QuestionId, Record};
pub use refusal::{Refusal, RefusalKind};
pub use registry::{BadRegistry, Definition, Registry};
pub use rule::{MAX_RULES, Rule, While};
pub use service::{
    Authorise, Counts, Found, MAX_CLIENTS, MAX_CONDITIONS, MAX_FOUND, MAX_POINTS, MAX_QUESTIONS,
    MAX_VALUES, Notice, Now, PhoneState, Picture, PointId, PointSeen, QUESTION_LIFE, Query,
    Service,
};
pub use value::{MAX_ADDRESSES, MAX_FADES, MAX_VALUE, PresValue};
pub use words::{Class, Format, Operation, Privacy, Scope, Validity};
