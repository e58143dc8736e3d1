//! Languages: what calls the commands, and the words of the answers. Three come with the program; an operator adds
//! others as files of the same form. Everything is checked when it is read, so that no phone ever gets half a sentence.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::compose::{Piece, Telling, fill, is_one, most};
use super::fold::key;
use super::keyword::Keyword;
use super::words::{Place, Say};
use crate::im::names::LanguageCode;
use crate::text::gsm;

/// The languages that come with the program.
const SHIPPED: &[&str] = &[
    include_str!("languages/en.toml"),
    include_str!("languages/de.toml"),
    include_str!("languages/es.toml"),
];

/// Most languages: each is a few kilobytes, and all of their names are offered in one SMS.
const MOST_LANGUAGES: usize = 32;

/// Most words that call a command at once, as in *who is online*.
pub(super) const MOST_WORDS: usize = 4;

/// Whether somebody wants to be disturbed, as presence has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Availability {
    /// Gladly.
    Available,
    /// Only if it matters.
    Busy,
    /// Not at the device.
    Away,
}

impl Availability {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Available, Self::Busy, Self::Away];

    /// The value of `sluice:availability`.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Busy => "busy",
            Self::Away => "away",
        }
    }
}

/// A language file that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("language {language}: {key}: {reason}")]
pub struct LanguageRefused {
    /// Which, as far as it is known.
    pub language: String,
    /// Where in it.
    pub key: String,
    /// Why.
    pub reason: String,
}

/// A language file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    code: String,
    name: String,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    beyond_gsm: bool,
    commands: BTreeMap<String, Vec<String>>,
    words: WrittenWords,
    help: BTreeMap<String, String>,
    answers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenWords {
    #[serde(rename = "as")]
    under: Vec<String>,
    available: Vec<String>,
    busy: Vec<String>,
    away: Vec<String>,
    clear: Vec<String>,
}

/// What calls a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Phrase {
    /// Folded.
    pub(super) words: Vec<String>,
    pub(super) keyword: Keyword,
}

/// A language.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Language {
    code: LanguageCode,
    name: String,
    names: Vec<String>,
    is_gsm: bool,
    /// Longest first, so that the first that fits is the one that is meant.
    phrases: Vec<Phrase>,
    /// The first phrase of each, as it is shown.
    shown: BTreeMap<Keyword, String>,
    /// What stands between a name and the nickname for it.
    under: Vec<String>,
    availability: Vec<(String, Availability)>,
    shown_availability: BTreeMap<Availability, String>,
    clear: Vec<String>,
    help: BTreeMap<Keyword, String>,
    answers: BTreeMap<Say, Vec<Piece>>,
}

impl Language {
    /// From a file's text.
    pub fn read(written: &str) -> Result<Self, LanguageRefused> {
        let written: Written = toml::from_str(written).map_err(|why| LanguageRefused {
            language: "?".into(),
            key: "file".into(),
            reason: why.to_string().trim_end().into(),
        })?;
        Reader {
            language: written.code.clone(),
        }
        .read(written)
    }

    /// Its code, as in `en`.
    pub const fn code(&self) -> &LanguageCode {
        &self.code
    }

    /// Its own name for itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How a command is called, as it is shown.
    pub fn shown(&self, keyword: Keyword) -> &str {
        self.shown.get(&keyword).map_or("", String::as_str)
    }

    /// How an availability is called.
    pub fn shown_availability(&self, availability: Availability) -> &str {
        self.shown_availability
            .get(&availability)
            .map_or("", String::as_str)
    }

    /// What a command does and how it is written, as one SMS.
    pub fn help(&self, keyword: Keyword) -> &str {
        self.help.get(&keyword).map_or("", String::as_str)
    }

    pub(super) const fn is_gsm(&self) -> bool {
        self.is_gsm
    }

    pub(super) fn pieces(&self, say: Say) -> &[Piece] {
        self.answers.get(&say).map_or(&[], Vec::as_slice)
    }

    pub(super) fn phrases(&self) -> &[Phrase] {
        &self.phrases
    }

    pub(super) fn is_under(&self, folded: &str) -> bool {
        self.under.iter().any(|word| word == folded)
    }

    pub(super) fn availability(&self, folded: &str) -> Option<Availability> {
        let found = self.availability.iter().find(|(word, _)| word == folded);
        found.map(|(_, availability)| *availability)
    }

    pub(super) fn is_clear(&self, folded: &str) -> bool {
        self.clear.iter().any(|word| word == folded)
    }

    /// Whether a word chooses it.
    fn is_called(&self, folded: &str) -> bool {
        self.code.as_str() == folded || self.names.iter().any(|name| name == folded)
    }
}

/// Reads and checks one file.
struct Reader {
    language: String,
}

impl Reader {
    fn refuse(&self, key: &str, reason: impl Into<String>) -> LanguageRefused {
        LanguageRefused {
            language: self.language.clone(),
            key: key.into(),
            reason: reason.into(),
        }
    }

    fn read(&self, written: Written) -> Result<Language, LanguageRefused> {
        let code =
            LanguageCode::new(&written.code).map_err(|why| self.refuse("code", why.reason))?;
        let is_gsm = !written.beyond_gsm;
        let mut names = vec![key(&written.name)];
        names.extend(written.names.iter().map(|name| key(name)));
        if names.iter().any(String::is_empty) {
            return Err(self.refuse("names", "has a name without a letter"));
        }
        let (phrases, shown) = self.commands(&written.commands)?;
        let words = &written.words;
        let mut availability = Vec::new();
        let mut shown_availability = BTreeMap::new();
        for (which, list) in [
            (Availability::Available, &words.available),
            (Availability::Busy, &words.busy),
            (Availability::Away, &words.away),
        ] {
            let folded = self.words(which.key(), list)?;
            availability.extend(folded.into_iter().map(|word| (word, which)));
            shown_availability.insert(which, list.first().cloned().unwrap_or_default());
        }
        let clear = self.words("clear", &words.clear)?;
        let under = self.words("as", &words.under)?;
        self.distinct(
            "words",
            availability.iter().map(|(word, _)| word).chain(&clear),
        )?;
        let mut language = Language {
            code,
            name: written.name,
            names,
            is_gsm,
            phrases,
            shown,
            under,
            availability,
            shown_availability,
            clear,
            help: BTreeMap::new(),
            answers: BTreeMap::new(),
        };
        self.alphabet(&language, "name", &language.name)?;
        self.helps(&mut language, written.help)?;
        self.answers(&mut language, written.answers)?;
        Ok(language)
    }

    fn words(&self, name: &str, list: &[String]) -> Result<Vec<String>, LanguageRefused> {
        let folded: Vec<String> = list.iter().map(|word| key(word)).collect();
        if folded.is_empty() {
            return Err(self.refuse(name, "has no word"));
        }
        match folded
            .iter()
            .position(|word| word.is_empty() || word.contains(char::is_whitespace))
        {
            Some(at) => Err(self.refuse(name, format!("{:?} is not one word", list[at]))),
            None => Ok(folded),
        }
    }

    fn distinct<'a>(
        &self,
        name: &str,
        words: impl Iterator<Item = &'a String>,
    ) -> Result<(), LanguageRefused> {
        let mut seen = std::collections::BTreeSet::new();
        for word in words {
            if !seen.insert(word) {
                return Err(self.refuse(name, format!("{word:?} stands for two things")));
            }
        }
        Ok(())
    }

    fn commands(
        &self,
        written: &BTreeMap<String, Vec<String>>,
    ) -> Result<(Vec<Phrase>, BTreeMap<Keyword, String>), LanguageRefused> {
        self.known_keys("commands", written.keys(), |name| {
            Keyword::ALL.iter().any(|keyword| keyword.key() == name)
        })?;
        let mut phrases: Vec<Phrase> = Vec::new();
        let mut shown = BTreeMap::new();
        for &keyword in Keyword::ALL {
            let list = written
                .get(keyword.key())
                .filter(|list| !list.is_empty())
                .ok_or_else(|| {
                    self.refuse("commands", format!("{} has no words", keyword.key()))
                })?;
            shown.insert(keyword, list[0].clone());
            for phrase in list {
                phrases.push(self.phrase(keyword, phrase)?);
            }
        }
        for &keyword in Keyword::ALL {
            for &phrase in keyword.universal() {
                let phrase = self.phrase(keyword, phrase)?;
                if !phrases.contains(&phrase) {
                    phrases.push(phrase);
                }
            }
        }
        for (number, phrase) in phrases.iter().enumerate() {
            for other in &phrases[number + 1..] {
                self.unambiguous(phrase, other)?;
                self.unambiguous(other, phrase)?;
            }
        }
        phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.words.len()));
        Ok((phrases, shown))
    }

    fn phrase(&self, keyword: Keyword, written: &str) -> Result<Phrase, LanguageRefused> {
        let words: Vec<String> = written.split_whitespace().map(key).collect();
        if words.is_empty() || words.len() > MOST_WORDS || words.iter().any(String::is_empty) {
            return Err(self.refuse(
                keyword.key(),
                format!("{written:?} is not 1 to {MOST_WORDS} words"),
            ));
        }
        Ok(Phrase { words, keyword })
    }

    /// Nothing may be read in two ways: neither the same words, nor words with something behind them.
    fn unambiguous(&self, phrase: &Phrase, other: &Phrase) -> Result<(), LanguageRefused> {
        let begins = other.words.starts_with(&phrase.words);
        if !begins || phrase.keyword == other.keyword && phrase.words != other.words {
            return Ok(());
        }
        let is_same = phrase.words == other.words;
        if is_same || phrase.keyword.takes_words() {
            return Err(self.refuse(
                other.keyword.key(),
                format!(
                    "{:?} could also be {}",
                    other.words.join(" "),
                    phrase.keyword.key()
                ),
            ));
        }
        Ok(())
    }

    fn known_keys<'a>(
        &self,
        table: &str,
        mut keys: impl Iterator<Item = &'a String>,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<(), LanguageRefused> {
        match keys.find(|name| !is_known(name)) {
            Some(name) => Err(self.refuse(table, format!("there is no {name:?}"))),
            None => Ok(()),
        }
    }

    fn alphabet(&self, language: &Language, name: &str, text: &str) -> Result<(), LanguageRefused> {
        let wrong = text
            .chars()
            .find(|character| gsm::septets_of(*character).is_none());
        match wrong {
            Some(wrong) if language.is_gsm => Err(self.refuse(
                name,
                format!(
                    "{wrong:?} is not in the GSM alphabet and would make an SMS hold 70 characters; write it \
                     otherwise, or set beyond_gsm"
                ),
            )),
            _ => Ok(()),
        }
    }

    fn helps(
        &self,
        language: &mut Language,
        written: BTreeMap<String, String>,
    ) -> Result<(), LanguageRefused> {
        self.known_keys("help", written.keys(), |name| {
            Keyword::ALL.iter().any(|keyword| keyword.key() == name)
        })?;
        for &keyword in Keyword::ALL {
            let name = format!("help.{}", keyword.key());
            let text = written
                .get(keyword.key())
                .ok_or_else(|| self.refuse(&name, "is missing"))?;
            let pieces = self.pieces(language, &name, text, &[])?;
            let text = fill(&pieces, &Telling::new(Say::Help), language.is_gsm);
            self.fits(&name, &text)?;
            language.help.insert(keyword, text);
        }
        Ok(())
    }

    fn answers(
        &self,
        language: &mut Language,
        written: BTreeMap<String, String>,
    ) -> Result<(), LanguageRefused> {
        self.known_keys("answers", written.keys(), |name| {
            Say::ALL.iter().any(|say| say.key() == name)
        })?;
        for &say in Say::ALL {
            let name = format!("answers.{}", say.key());
            let text = written
                .get(say.key())
                .ok_or_else(|| self.refuse(&name, "is missing"))?;
            let pieces = self.pieces(language, &name, text, say.places())?;
            self.fits(&name, &longest(&pieces, say, language.is_gsm))?;
            language.answers.insert(say, pieces);
        }
        Ok(())
    }

    fn fits(&self, name: &str, text: &str) -> Result<(), LanguageRefused> {
        if text.is_empty() {
            return Err(self.refuse(name, "is empty"));
        }
        if !is_one(text) {
            return Err(self.refuse(
                name,
                format!("does not fit one SMS when it is as long as it gets: {text:?}"),
            ));
        }
        Ok(())
    }

    /// A text with `{name}` for what is put in, and `{ADD}` for what a command is called in this language.
    fn pieces(
        &self,
        language: &Language,
        name: &str,
        text: &str,
        places: &[Place],
    ) -> Result<Vec<Piece>, LanguageRefused> {
        let mut pieces = Vec::new();
        let mut rest = text;
        let mut plain = String::new();
        while let Some((before, behind)) = rest.split_once('{') {
            plain.push_str(before);
            let Some((inner, after)) = behind.split_once('}') else {
                return Err(self.refuse(name, "has a { without a }"));
            };
            rest = after;
            let keyword = Keyword::ALL
                .iter()
                .find(|keyword| keyword.key().to_uppercase() == inner);
            let place = places.iter().find(|place| place.key() == inner);
            match (keyword, place) {
                (Some(keyword), _) => plain.push_str(&language.shown(*keyword).to_uppercase()),
                (None, Some(place)) => {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.push(Piece::Place(*place));
                }
                (None, None) => {
                    return Err(self.refuse(name, format!("does not know {{{inner}}}")));
                }
            }
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        for piece in &pieces {
            if let Piece::Text(text) = piece {
                self.alphabet(language, name, text)?;
            }
        }
        Ok(pieces)
    }
}

/// An answer when all that it names is as long as it gets.
pub(super) fn longest(pieces: &[Piece], say: Say, is_gsm: bool) -> String {
    let mut telling = Telling::new(say);
    for &place in say.places() {
        // A list takes what is left, so only its least counts.
        telling = telling.with(place, "x".repeat(most(place, is_gsm)));
    }
    let pieces: Vec<Piece> = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Place(Place::List) => Piece::Text("x".repeat(most(Place::List, is_gsm))),
            other => other.clone(),
        })
        .collect();
    fill(&pieces, &telling, is_gsm)
}

/// All languages that phones may choose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Languages {
    all: Vec<Language>,
}

impl Default for Languages {
    fn default() -> Self {
        Self::shipped()
    }
}

impl Languages {
    /// Those that come with the program.
    pub fn shipped() -> Self {
        let mut languages = Self { all: Vec::new() };
        for written in SHIPPED {
            languages
                .add(written)
                .expect("what is shipped is checked by the tests");
        }
        languages
    }

    /// One more, from a file's text; or another one in place of one of the same code.
    pub fn add(&mut self, written: &str) -> Result<(), LanguageRefused> {
        let language = Language::read(written)?;
        let same = self
            .all
            .iter()
            .position(|other| other.code == language.code);
        let others = self
            .all
            .iter()
            .enumerate()
            .filter(|(number, _)| Some(*number) != same);
        for (_, other) in others {
            let taken = std::iter::once(language.code.as_str())
                .chain(language.names.iter().map(String::as_str))
                .find(|name| other.is_called(name));
            if let Some(name) = taken {
                return Err(LanguageRefused {
                    language: language.code.as_str().into(),
                    key: "names".into(),
                    reason: format!("{name:?} is a name of {}", other.code),
                });
            }
        }
        match same {
            Some(same) => self.all[same] = language,
            None if self.all.len() >= MOST_LANGUAGES => {
                return Err(LanguageRefused {
                    language: language.code.as_str().into(),
                    key: "file".into(),
                    reason: format!("there are {MOST_LANGUAGES} languages already"),
                });
            }
            None => self.all.push(language),
        }
        Ok(())
    }

    /// The one of a code; if there is none any more, the first.
    pub fn of(&self, code: &LanguageCode) -> &Language {
        let found = self.all.iter().find(|language| language.code == *code);
        found.unwrap_or(&self.all[0])
    }

    /// The one that is called so: by its code, or by a name in any language.
    pub fn called(&self, word: &str) -> Option<&Language> {
        let folded = key(word);
        self.all.iter().find(|language| language.is_called(&folded))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Language> {
        self.all.iter()
    }
}

#[cfg(test)]
mod tests;
