//! A text as words, each of which can be taken off the front while the rest stays as it was written.

use super::fold::{bare, is_unseen};
use super::grammar::Person;
use crate::im::names::GroupName;

/// What is left of a text.
#[derive(Clone, Debug)]
pub(super) struct Tokens<'a> {
    rest: &'a str,
}

fn is_between(character: char) -> bool {
    character.is_whitespace() || is_unseen(character)
}

/// Whether a word is nothing but marks: `:`, `!`, `-`.
pub(super) fn is_mark(word: &str) -> bool {
    word.chars().all(|c| {
        matches!(
            c,
            '.' | '!' | '?' | '¡' | '¿' | ',' | ';' | ':' | '-' | '–' | '—' | '…'
        )
    })
}

/// The digits of a word that is part of a telephone number.
pub(super) fn digits_of(word: &str) -> Option<String> {
    let word = word.trim_end_matches([':', ',', '.', ';', '!', '?']);
    let digits = word.strip_prefix('+').unwrap_or(word);
    let is_number = digits
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '-' | '/' | '(' | ')'));
    if !is_number || !digits.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let plus = if word.starts_with('+') { "+" } else { "" };
    let only: String = digits.chars().filter(char::is_ascii_digit).collect();
    Some(format!("{plus}{only}"))
}

/// The fewest digits that are read as a number: fewer have short codes, hours and prices, and no phone with its country.
const FEWEST_DIGITS: usize = 7;

/// Most words that are read as one number.
const MOST_PARTS: usize = 8;

impl<'a> Tokens<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self {
            rest: text.trim_matches(is_between),
        }
    }

    pub(super) const fn rest(&self) -> &'a str {
        self.rest
    }

    pub(super) const fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next word.
    pub(super) fn peek(&self) -> Option<&'a str> {
        let end = self
            .rest
            .find(char::is_whitespace)
            .unwrap_or(self.rest.len());
        Some(&self.rest[..end]).filter(|word| !word.is_empty())
    }

    pub(super) fn take(&mut self) -> Option<&'a str> {
        let word = self.peek()?;
        self.rest = self.rest[word.len()..].trim_start_matches(is_between);
        Some(word)
    }

    pub(super) fn skip_unseen(&mut self) {
        self.rest = self.rest.trim_start_matches(is_between);
    }

    /// Marks that stand alone.
    pub(super) fn skip_marks(&mut self) {
        while let Some(word) = self.peek().filter(|word| is_mark(word)) {
            self.rest = self.rest[word.len()..].trim_start_matches(is_between);
        }
    }

    /// One mark between a name and what is said to it. What is said may begin with marks of its own.
    pub(super) fn skip_colon(&mut self) {
        if let Some(word) = self
            .peek()
            .filter(|word| matches!(*word, ":" | "," | ";" | "-" | "–" | "—"))
        {
            self.rest = self.rest[word.len()..].trim_start_matches(is_between);
        }
    }

    /// A sign before a name.
    pub(super) fn skip_sign(&mut self, sign: char) -> bool {
        let behind = self.rest.strip_prefix(sign);
        let has_sign = behind.is_some();
        if let Some(behind) = behind {
            self.rest = behind.trim_start_matches(is_between);
        }
        has_sign
    }

    /// A telephone number, also with spaces in it.
    pub(super) fn number(&mut self) -> Option<String> {
        let mut ahead = self.clone();
        let mut number = String::new();
        for _ in 0..MOST_PARTS {
            let Some(part) = ahead.peek() else { break };
            let Some(digits) = digits_of(part) else { break };
            if !number.is_empty() && digits.starts_with('+') {
                break;
            }
            number.push_str(&digits);
            ahead.take();
            // A mark ends it.
            if part.ends_with([':', ',', ';', '.', '!', '?']) {
                break;
            }
        }
        let count = number.trim_start_matches('+').len();
        if count < FEWEST_DIGITS {
            return None;
        }
        *self = ahead;
        Some(number)
    }

    /// A name of one word: what stands around it is not part of it, and a colon ends it.
    pub(super) fn name(&mut self) -> Option<String> {
        let word = self.peek()?;
        let end = word.find([':', ',']).map_or(word.len(), |at| at + 1);
        let name = bare(&word[..end]);
        let length = name.chars().count();
        if name.is_empty() || length > GroupName::MOST {
            return None;
        }
        self.rest = self.rest[end..].trim_start_matches(is_between);
        Some(name.to_owned())
    }

    /// A person, by number or name.
    pub(super) fn person(&mut self) -> Option<Person> {
        if let Some(number) = self.number() {
            return Some(Person::Number(number));
        }
        self.name().map(Person::Called)
    }

    /// The last word that was taken between this and a later state of the same text.
    pub(super) fn last_before(&self, later: &Self) -> &'a str {
        let taken = &self.rest[..self.rest.len() - later.rest.len()];
        let taken = taken.trim_end_matches(is_between);
        taken.rsplit(char::is_whitespace).next().unwrap_or(taken)
    }
}
