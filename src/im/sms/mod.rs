//! What phones write, and how they are answered: the grammar of commands, and the languages (G17).
//!
//! Pure: a text comes in, its meaning comes out; an answer comes in, one SMS comes out. What is done about it is
//! [`super::service`]'s. The page for people is `docs/phone-sms.md`.
//!
//! - [`read()`] says what a text means. No text is lost: what is no command is a message.
//! - [`Languages`] hold what commands are called and what answers say, checked when they are read.
//! - [`Telling`] is an answer, [`Language::tell`] makes one SMS of it, whatever it names.

mod compose;
mod fold;
mod grammar;
mod keyword;
mod language;
#[cfg(test)]
mod tests;
mod tokens;
mod words;

pub use compose::Telling;
pub use grammar::{Command, Door, How, Mood, Person, Reading, folded, read};
pub use keyword::Keyword;
pub use language::{Availability, Language, LanguageRefused, Languages};
pub use words::{Place, Say};
