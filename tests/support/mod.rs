//! What tests share.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

pub mod breaking;
pub mod chance;
pub mod disk;
pub mod gate;
pub mod keys;
pub mod link;
pub mod messages;
