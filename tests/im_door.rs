//! The door of IM clients: real connections, the real service, and stores that are slow, full or started again.

#[allow(unreachable_pub, dead_code, reason = "each test uses its part")]
#[path = "support/chance.rs"]
mod chance;
#[allow(dead_code, reason = "each test uses its part")]
#[path = "store/engines.rs"]
mod engines;
#[path = "im_door/hostile.rs"]
mod hostile;
#[allow(unreachable_pub, dead_code, reason = "each test uses its part")]
#[path = "support/im_client.rs"]
mod im_client;
#[path = "im_door/inbox.rs"]
mod inbox;
#[path = "im_door/limits.rs"]
mod limits;
#[path = "im_door/people.rs"]
mod people;
#[path = "im_door/presence.rs"]
mod presence;
#[path = "im_door/storing.rs"]
mod storing;
#[path = "im_door/town.rs"]
mod town;
