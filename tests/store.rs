//! The store: group commit, the guard rails around sled, kills.

#[allow(unreachable_pub, dead_code, reason = "each test uses its part")]
#[path = "support/chance.rs"]
mod chance;
#[path = "store/engines.rs"]
mod engines;
#[path = "store/exports.rs"]
mod exports;
#[path = "store/groups.rs"]
mod groups;
#[path = "store/kills.rs"]
mod kills;
#[path = "store/post.rs"]
mod post;
#[path = "store/presence.rs"]
mod presence;
#[path = "store/rails.rs"]
mod rails;
#[path = "store/service.rs"]
mod service;
