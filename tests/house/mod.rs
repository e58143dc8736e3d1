//! What the tests of the house's own rules share: reading Rust sources well enough to judge them.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test uses its part; a module of a test has no outside"
)]

pub mod files;
pub mod lexer;
pub mod modules;
pub mod rules;
