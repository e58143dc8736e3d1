//! Logs: where they go, and the access line of each message.

pub mod config;
