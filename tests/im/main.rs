//! The IM service: its primitives, its dialogues, its log.

mod primitives;
mod validator;
