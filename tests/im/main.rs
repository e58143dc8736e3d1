//! The IM service: its primitives, its dialogues, its log.

mod bad;
mod log;
mod phones;
mod primitives;
mod stage;
mod stories;
mod validator;
