//! An answer in the words of a language: always one SMS, in the GSM alphabet wherever the language has it.

use super::fold::fold;
use super::language::Language;
use super::words::{Place, Say};
use crate::text::{Cost, Width, gsm, lookalike};

/// An answer, with what it names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Telling {
    say: Say,
    named: Vec<(Place, String)>,
    list: Vec<String>,
}

impl Telling {
    /// An answer.
    pub const fn new(say: Say) -> Self {
        Self {
            say,
            named: Vec::new(),
            list: Vec::new(),
        }
    }

    /// Which one.
    pub const fn say(&self) -> Say {
        self.say
    }

    /// It names this.
    #[must_use]
    pub fn with(mut self, place: Place, named: impl Into<String>) -> Self {
        self.named.push((place, named.into()));
        self
    }

    /// It counts, and lists what was counted.
    #[must_use]
    pub fn listing(mut self, list: Vec<String>) -> Self {
        self.named.push((Place::Count, list.len().to_string()));
        self.list = list;
        self
    }

    fn of(&self, place: Place) -> &str {
        let found = self.named.iter().find(|(at, _)| *at == place);
        found.map_or("", |(_, named)| named)
    }
}

/// A part of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Piece {
    Text(String),
    Place(Place),
}

/// The most that a place takes, in units: septets, or UTF-16 units where a language needs UCS-2, of which one SMS holds 70.
pub(super) const fn most(place: Place, is_gsm: bool) -> usize {
    match (place, is_gsm) {
        // Names may have 64 characters; by these a person knows which.
        (Place::Name | Place::Other | Place::Group | Place::Word | Place::Command, true) => 20,
        (Place::Name | Place::Other | Place::Group | Place::Word | Place::Command, false) => 12,
        // More than a million of something is a million.
        (Place::Count, _) => 6,
        (Place::Code, _) => 8,
        (Place::Status, true) => 100,
        (Place::Status, false) => 30,
        // A list needs room for a name at least, and takes all that is left.
        (Place::List, true) => 30,
        (Place::List, false) => 18,
    }
}

/// In place of what was cut off.
const CUT: &str = "..";

/// How much a text takes: septets, or UTF-16 units.
fn units(text: &str, is_gsm: bool) -> usize {
    if is_gsm {
        text.chars()
            .map(|character| gsm::septets_of(character).unwrap_or(1))
            .sum()
    } else {
        text.encode_utf16().count()
    }
}

/// No place takes more than 100 units, and few characters take none: what stands behind so many is not looked at, so that
/// a word of forty thousand characters costs no more than a long one.
const LOOKED_AT: usize = 400;

/// As the alphabet has it: with letters that look alike, then without accents, then with a question mark.
fn plain(text: &str, is_gsm: bool) -> String {
    let text = match text.char_indices().nth(LOOKED_AT) {
        Some((end, _)) => &text[..end],
        None => text,
    };
    if !is_gsm || gsm::can_encode(text) {
        return text.to_owned();
    }
    if let Some(replaced) = lookalike::replace(text) {
        return replaced.text;
    }
    let mut plain = String::with_capacity(text.len());
    let mut buffer = [0; 4];
    for character in text.chars() {
        let written: &str = character.encode_utf8(&mut buffer);
        if gsm::septets_of(character).is_some() {
            plain.push(character);
        } else if let Some(replaced) = lookalike::replace(written) {
            plain.push_str(&replaced.text);
        } else {
            let folded = fold(written);
            let is_there = folded.is_empty() || gsm::can_encode(&folded);
            plain.push_str(if is_there { &folded } else { "?" });
        }
    }
    plain
}

/// At most so many units, with two stops in place of what is cut off.
fn shortened(text: &str, most: usize, is_gsm: bool) -> String {
    if units(text, is_gsm) <= most {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut used = units(CUT, is_gsm);
    let mut buffer = [0; 4];
    for character in text.chars() {
        used += units(character.encode_utf8(&mut buffer), is_gsm);
        if used > most {
            break;
        }
        short.push(character);
    }
    short.truncate(short.trim_end().len());
    short.push_str(CUT);
    short
}

/// As many names as there is room for, then how many more.
fn listed(list: &[String], room: usize, is_gsm: bool) -> String {
    let mut written = String::new();
    for (number, name) in list.iter().enumerate() {
        let left = list.len() - number - 1;
        let tail = if left == 0 {
            String::new()
        } else {
            format!(", +{left}")
        };
        let between = if written.is_empty() { "" } else { ", " };
        let name = shortened(&plain(name, is_gsm), most(Place::Name, is_gsm), is_gsm);
        let next = format!("{written}{between}{name}");
        if units(&next, is_gsm) + units(&tail, is_gsm) > room {
            let between = if written.is_empty() { "" } else { ", " };
            return format!("{written}{between}+{}", left + 1);
        }
        written = next;
    }
    written
}

/// What one SMS holds.
const fn room(is_gsm: bool) -> usize {
    if is_gsm { 160 } else { 70 }
}

/// Whether it is one SMS.
pub(super) fn is_one(text: &str) -> bool {
    Cost::of(text, Width::Narrow).parts == 1
}

/// The pieces of an answer with what it names.
pub(super) fn fill(pieces: &[Piece], telling: &Telling, is_gsm: bool) -> String {
    let short = |place: Place| {
        let named = plain(telling.of(place), is_gsm);
        shortened(&named, most(place, is_gsm), is_gsm)
    };
    let with_list = |list: &str| -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Place(Place::List) => list.to_owned(),
            Piece::Place(place) => short(*place),
        };
        pieces.iter().map(piece).collect()
    };
    let without = with_list("");
    if !pieces.contains(&Piece::Place(Place::List)) {
        return without;
    }
    let left = room(is_gsm).saturating_sub(units(&without, is_gsm));
    with_list(&listed(&telling.list, left, is_gsm))
}

impl Language {
    /// An answer, as one SMS.
    pub fn tell(&self, telling: &Telling) -> String {
        fill(self.pieces(telling.say), telling, self.is_gsm())
    }

    /// An answer and another one behind it, if both fit one SMS; else the first.
    pub fn tell_both(&self, first: &Telling, second: &Telling) -> String {
        let told = self.tell(first);
        let both = format!("{told} {}", self.tell(second));
        if is_one(&both) { both } else { told }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_takes_what_fits_and_counts_the_rest() {
        let names: Vec<String> = ["alice", "bob", "carol", "dave"].map(String::from).into();
        assert_eq!(listed(&names, 160, true), "alice, bob, carol, dave");
        assert_eq!(listed(&names, 23, true), "alice, bob, carol, dave");
        assert_eq!(listed(&names, 22, true), "alice, bob, carol, +1");
        assert_eq!(listed(&names, 14, true), "alice, bob, +2");
        assert_eq!(listed(&names, 5, true), "+4");
        assert_eq!(listed(&[], 5, true), "");
    }

    #[test]
    fn names_are_shortened_and_written_in_the_alphabet() {
        assert_eq!(shortened("alexandrina", 8, true), "alexan..");
        assert_eq!(shortened("{}{}{}", 8, true), "{}{..");
        assert_eq!(plain("Zoë’s café", true), "Zoe's café");
        assert_eq!(plain("Олег 5", true), "???? 5");
        assert_eq!(plain("Олег 5", false), "Олег 5");
    }
}
