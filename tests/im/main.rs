//! The IM service: its primitives, its dialogues, its log.

mod bad;
mod log;
mod primitives;
mod stage;
mod stories;
mod validator;
