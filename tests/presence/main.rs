//! The presence service through its public face: stories, its forms, what it refuses, and a simple model of all it promises.

#![allow(unreachable_pub, reason = "modules of one test")]

mod acts;
mod bad;
mod forms;
mod model;
mod random;
mod stories;
mod support;
