//! From a text to what it means. The form alone decides, never what happens to be known of buddies and groups; where the
//! form leaves two meanings, the reading says so, and whoever knows more decides. `docs/phone-sms.md` is the grammar for
//! people.
//!
//! Nothing is lost: what is no command is [`Reading::Message`], the text as it stands.

use super::fold::{bare, fold, is_unseen, key};
use super::keyword::Keyword;
use super::language::{Availability, Language, Languages, MOST_WORDS};
use super::tokens::{Tokens, digits_of};

/// To which of our numbers a text came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Door {
    /// The number that phones write to: commands are read.
    Main,
    /// A number that leads to one person: all is for that person, but for `/` with a command, and STOP alone.
    Reply,
}

/// A person, as a phone names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Person {
    /// By a name or nickname.
    Called(String),
    /// By a number: digits, with `+` before them if it was written so.
    Number(String),
}

impl Person {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Called(name) | Self::Number(name) => name,
        }
    }
}

/// How a text is addressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// By `@`, or by a word for sending after `/`: it is for that name, or for nobody.
    Sign,
    /// By a name and a colon or comma, or by a word for sending without a sign: if the name is known.
    Likely,
    /// A name may have lost its `@`: if it is known, and nobody else can be meant.
    Perhaps,
}

/// What a phone says of its user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mood {
    /// It asks.
    Show,
    /// Nothing any more.
    Clear,
    /// This.
    Set {
        /// Whether it wants to be disturbed.
        availability: Option<Availability>,
        /// In its own words.
        text: Option<String>,
    },
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// What can be done, or how one thing is.
    Help(Option<Keyword>),
    /// Who is online.
    Who,
    /// Who the buddies are.
    Buddies,
    /// A buddy, and the nickname for it.
    Add(Person, Option<String>),
    /// No buddy any more.
    Remove(Person),
    /// To hear nothing of somebody.
    Block(Person),
    /// To hear of somebody again.
    Unblock(Person),
    /// Somebody may see the user; without a name, who asked.
    Allow(Option<Person>),
    /// Somebody may not, or no longer.
    Deny(Option<Person>),
    /// What others see.
    Status(Mood),
    /// Into a group.
    Join(String),
    /// Out of a group.
    Leave(String),
    /// The groups.
    Groups,
    /// A text to a group.
    ToGroup(String, String),
    /// Messages come.
    SignIn,
    /// Messages wait.
    SignOut,
    /// Another language, by its name, or which there are.
    Language(Option<String>),
    /// No message comes any more.
    Stop,
    /// They come again.
    Start,
}

/// What a text means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reading {
    /// It is a message, as it stands.
    Message,
    /// It is a message that looks like this command with something wrong.
    MessageNear(Keyword),
    /// It is a command.
    Command(Command),
    /// It is for somebody.
    Addressed {
        /// For whom.
        to: Person,
        /// What it says.
        text: String,
        /// How sure that is.
        how: How,
    },
    /// It says that it is a command, and there is none of this name.
    Unknown {
        /// What was written.
        word: String,
        /// What looks like it.
        nearest: Option<Keyword>,
    },
    /// It is a command without what belongs to it.
    Incomplete(Keyword),
}

/// What a text means to a phone of this language. `all` are those in which a phone may ask for another one.
pub fn read(text: &str, door: Door, language: &Language, all: &Languages) -> Reading {
    let text = text.trim_matches(|c: char| c.is_whitespace() || is_unseen(c));
    let parser = Parser { language, all };
    match (first_sign(text), door) {
        (Some('/'), _) => parser.signed(Tokens::of(rest_behind_sign(text)), door),
        (_, Door::Reply) => parser.to_reply_address(text),
        (Some('@'), Door::Main) => addressed(rest_behind_sign(text)),
        (Some('#'), Door::Main) => to_group(rest_behind_sign(text)),
        (_, Door::Main) => parser.unsigned(text),
    }
}

fn first_sign(text: &str) -> Option<char> {
    text.chars().next().map(|sign| match sign {
        '／' => '/',
        '＠' => '@',
        '＃' => '#',
        sign => sign,
    })
}

fn rest_behind_sign(text: &str) -> &str {
    let mut characters = text.chars();
    characters.next();
    characters.as_str()
}

/// `@bob Lunch?`, behind the sign.
fn addressed(text: &str) -> Reading {
    let mut tokens = Tokens::of(text);
    let Some(to) = tokens.person() else {
        return Reading::Incomplete(Keyword::Send);
    };
    tokens.skip_colon();
    match tokens.rest() {
        "" => Reading::Incomplete(Keyword::Send),
        text => Reading::Addressed {
            to,
            text: text.into(),
            how: How::Sign,
        },
    }
}

/// `#chess Your move`, behind the sign.
fn to_group(text: &str) -> Reading {
    let mut tokens = Tokens::of(text);
    let Some(group) = tokens.name() else {
        return Reading::Incomplete(Keyword::Send);
    };
    tokens.skip_colon();
    match tokens.rest() {
        "" => Reading::Incomplete(Keyword::Send),
        text => Reading::Command(Command::ToGroup(group, text.into())),
    }
}

/// Words that call a command, and what follows them.
struct Called<'a> {
    keyword: Keyword,
    behind: Tokens<'a>,
    /// A colon stood behind the last word.
    has_colon: bool,
}

/// What follows a keyword.
enum Fit {
    /// It belongs to it.
    Whole(Reading),
    /// Something that belongs to it is missing.
    Missing,
    /// It is something else.
    Other,
}

struct Parser<'a> {
    language: &'a Language,
    all: &'a Languages,
}

impl Parser<'_> {
    /// Behind a `/`.
    fn signed(&self, tokens: Tokens<'_>, door: Door) -> Reading {
        let Some(called) = self.called(&tokens) else {
            let word = bare(tokens.peek().unwrap_or_default());
            let nearest = self.nearest(&key(word), 2);
            // Where all is for a person, a stroke alone is no command.
            if door == Door::Reply && nearest.is_none() {
                return Reading::Message;
            }
            return Reading::Unknown {
                word: word.into(),
                nearest,
            };
        };
        match self.fit(&called, true) {
            Fit::Whole(reading) => reading,
            Fit::Missing | Fit::Other => Reading::Incomplete(called.keyword),
        }
    }

    /// To one person: only what carriers demand is taken out, and only if there is nothing else.
    fn to_reply_address(&self, text: &str) -> Reading {
        let word = text.trim_end_matches(['.', ' ']);
        let is_plain = word.chars().all(|c| c.is_alphanumeric() || c == ' ');
        let is_stop = |phrase: &[String]| {
            let words: Vec<String> = word.split_whitespace().map(key).collect();
            words == phrase
        };
        let stops = is_plain
            && self.language.phrases().iter().any(|phrase| {
                let is_everyday = matches!(phrase.words[0].as_str(), "end" | "cancel" | "quit");
                phrase.keyword == Keyword::Stop && !is_everyday && is_stop(&phrase.words)
            });
        if stops {
            return Reading::Command(Command::Stop);
        }
        Reading::Message
    }

    /// To the main number, without a sign.
    fn unsigned(&self, text: &str) -> Reading {
        let text = text.trim_start_matches(['¡', '¿']);
        let begins = text.chars().next();
        let is_word = begins.is_some_and(|c| c.is_alphanumeric() || c == '+');
        if !is_word {
            // Whatever else stands before it makes it a message, so that every word can be sent.
            return Reading::Message;
        }
        let tokens = Tokens::of(text);
        if let Some(called) = self.called(&tokens) {
            match self.fit(&called, false) {
                Fit::Whole(reading) => return reading,
                Fit::Missing => return Reading::MessageNear(called.keyword),
                Fit::Other => {}
            }
        } else if let Some(near) = self.mistyped(&tokens) {
            return Reading::MessageNear(near);
        }
        likely(tokens)
    }

    /// The command that the words at the beginning call.
    fn called<'t>(&self, tokens: &Tokens<'t>) -> Option<Called<'t>> {
        // The first words as they are compared, and what is behind each.
        let mut behind = tokens.clone();
        let mut words = Vec::with_capacity(MOST_WORDS);
        while words.len() < MOST_WORDS
            && let Some(token) = behind.take()
        {
            words.push((key(token), token.ends_with(':'), behind.clone()));
        }
        let own = self.language.phrases().iter();
        // Who does not understand the language that it gets must be able to say so.
        let other = self.all.iter().flat_map(|language| {
            let phrases = language.phrases().iter();
            phrases.filter(|phrase| phrase.keyword == Keyword::Language)
        });
        own.chain(other).find_map(|phrase| {
            let (_, has_colon, behind) = words.get(phrase.words.len() - 1)?;
            let mut pairs = phrase.words.iter().zip(&words);
            if !pairs.all(|(wanted, (word, ..))| wanted == word) {
                return None;
            }
            let mut behind = behind.clone();
            behind.skip_unseen();
            Some(Called {
                keyword: phrase.keyword,
                has_colon: *has_colon || behind.peek() == Some(":"),
                behind,
            })
        })
    }

    /// Whether what follows a keyword belongs to it.
    fn fit(&self, called: &Called<'_>, is_signed: bool) -> Fit {
        let mut behind = called.behind.clone();
        let keyword = called.keyword;
        if !keyword.takes_words() {
            behind.skip_marks();
            return if behind.is_done() {
                Fit::Whole(Reading::Command(without_words(keyword)))
            } else {
                Fit::Other
            };
        }
        match keyword {
            Keyword::Help => self.fit_help(behind),
            Keyword::Send => fit_send(behind, is_signed),
            Keyword::Status => self.fit_status(behind, is_signed || called.has_colon),
            Keyword::Language => fit_language(behind),
            Keyword::Add => self.fit_add(behind),
            Keyword::Allow => fit_answer(behind, Command::Allow),
            Keyword::Deny => fit_answer(behind, Command::Deny),
            Keyword::Join | Keyword::Leave => {
                behind.skip_sign('#');
                let group = behind.name();
                fit_one(behind, group, |group| match keyword {
                    Keyword::Join => Command::Join(group),
                    _ => Command::Leave(group),
                })
            }
            _ => {
                behind.skip_sign('@');
                let person = behind.person();
                fit_one(behind, person, |person| match keyword {
                    Keyword::Remove => Command::Remove(person),
                    Keyword::Block => Command::Block(person),
                    _ => Command::Unblock(person),
                })
            }
        }
    }

    fn fit_help(&self, mut behind: Tokens<'_>) -> Fit {
        behind.skip_marks();
        if behind.is_done() {
            return Fit::Whole(Reading::Command(Command::Help(None)));
        }
        behind.skip_sign('/');
        match self.called(&behind) {
            Some(mut called) => {
                called.behind.skip_marks();
                if called.behind.is_done() {
                    Fit::Whole(Reading::Command(Command::Help(Some(called.keyword))))
                } else {
                    Fit::Other
                }
            }
            None => Fit::Other,
        }
    }

    /// `add bob`, `add +358401234567 as mum`, `add mum +358401234567`.
    fn fit_add(&self, mut behind: Tokens<'_>) -> Fit {
        behind.skip_sign('@');
        let Some(person) = behind.person() else {
            return if behind.is_done() {
                Fit::Missing
            } else {
                Fit::Other
            };
        };
        behind.skip_marks();
        if behind.is_done() {
            return Fit::Whole(Reading::Command(Command::Add(person, None)));
        }
        let mut named = behind.clone();
        if let (Person::Called(nickname), Some(number)) = (&person, named.number()) {
            named.skip_marks();
            if named.is_done() {
                let add = Command::Add(Person::Number(number), Some(nickname.clone()));
                return Fit::Whole(Reading::Command(add));
            }
        }
        if !behind
            .take()
            .is_some_and(|word| word == "=" || self.language.is_under(&key(word)))
        {
            return Fit::Other;
        }
        let nickname = behind.name();
        fit_one(behind, nickname, |nickname| {
            Command::Add(person, Some(nickname))
        })
    }

    /// `status`, `status busy`, `status busy In a meeting`, `status: Lunch`, `status none`.
    fn fit_status(&self, mut behind: Tokens<'_>, is_sure: bool) -> Fit {
        let status = |mood| Fit::Whole(Reading::Command(Command::Status(mood)));
        let mut whole = behind.clone();
        whole.skip_marks();
        if whole.is_done() {
            return status(Mood::Show);
        }
        let text = whole.rest().to_owned();
        let first = behind.take().map(key).unwrap_or_default();
        behind.skip_marks();
        if behind.is_done() && self.language.is_clear(&first) {
            return status(Mood::Clear);
        }
        if let Some(availability) = self.language.availability(&first) {
            let text = Some(behind.rest().to_owned()).filter(|text| !text.is_empty());
            return status(Mood::Set {
                availability: Some(availability),
                text,
            });
        }
        if is_sure {
            return status(Mood::Set {
                availability: None,
                text: Some(text),
            });
        }
        Fit::Other
    }

    /// The keyword that a word looks like.
    fn nearest(&self, word: &str, most: usize) -> Option<Keyword> {
        if word.is_empty() {
            return None;
        }
        let phrases = self.language.phrases().iter();
        let single = phrases.filter(|phrase| phrase.words.len() == 1);
        let written = word.chars().count();
        let near = single.filter_map(|phrase| {
            let length = phrase.words[0].chars().count();
            if length.abs_diff(written) > most {
                return None;
            }
            let distance = strsim::osa_distance(word, &phrase.words[0]);
            // Two letters of four wrong is another word.
            (distance <= most && distance * 2 < length).then_some((distance, phrase.keyword))
        });
        near.min_by_key(|(distance, _)| *distance)
            .map(|(_, keyword)| keyword)
    }

    /// A command with one letter wrong, in a form that only it has. Short words are too near to others.
    fn mistyped(&self, tokens: &Tokens<'_>) -> Option<Keyword> {
        let mut behind = tokens.clone();
        let word = key(behind.take()?);
        let keyword = self.nearest(&word, 1)?;
        let is_long = word.chars().count() >= 5;
        let is_swapped = self.language.phrases().iter().any(|phrase| {
            phrase.words.len() == 1
                && phrase.keyword == keyword
                && is_same_letters(&phrase.words[0], &word)
        });
        if !is_long && !is_swapped {
            return None;
        }
        let called = Called {
            keyword,
            behind,
            has_colon: false,
        };
        matches!(self.fit(&called, false), Fit::Whole(_)).then_some(keyword)
    }
}

fn is_same_letters(word: &str, other: &str) -> bool {
    let sorted = |word: &str| {
        let mut letters: Vec<char> = word.chars().collect();
        letters.sort_unstable();
        letters
    };
    sorted(word) == sorted(other)
}

const fn without_words(keyword: Keyword) -> Command {
    match keyword {
        Keyword::Who => Command::Who,
        Keyword::Buddies => Command::Buddies,
        Keyword::Groups => Command::Groups,
        Keyword::SignIn => Command::SignIn,
        Keyword::SignOut => Command::SignOut,
        Keyword::Stop => Command::Stop,
        Keyword::Start => Command::Start,
        _ => Command::Help(None),
    }
}

/// One thing, and nothing behind it.
fn fit_one<T>(mut behind: Tokens<'_>, thing: Option<T>, make: impl FnOnce(T) -> Command) -> Fit {
    behind.skip_marks();
    match (thing, behind.is_done()) {
        (Some(thing), true) => Fit::Whole(Reading::Command(make(thing))),
        (None, true) => Fit::Missing,
        _ => Fit::Other,
    }
}

/// `allow bob`, and `allow` alone.
fn fit_answer(mut behind: Tokens<'_>, make: fn(Option<Person>) -> Command) -> Fit {
    behind.skip_sign('@');
    let person = behind.person();
    match fit_one(behind, person, |person| make(Some(person))) {
        Fit::Missing => Fit::Whole(Reading::Command(make(None))),
        fit => fit,
    }
}

/// `send bob Lunch?`, `send #chess Your move`.
fn fit_send(mut behind: Tokens<'_>, is_signed: bool) -> Fit {
    let is_group = behind.skip_sign('#');
    let has_at = behind.skip_sign('@');
    if behind.is_done() {
        return Fit::Missing;
    }
    if is_group {
        return Fit::Whole(to_group(behind.rest()));
    }
    let Some(to) = behind.person() else {
        return Fit::Other;
    };
    behind.skip_colon();
    let how = if has_at || is_signed {
        How::Sign
    } else {
        How::Likely
    };
    match behind.rest() {
        "" if how == How::Sign => Fit::Missing,
        "" => Fit::Other,
        text => Fit::Whole(Reading::Addressed {
            to,
            text: text.into(),
            how,
        }),
    }
}

fn fit_language(mut behind: Tokens<'_>) -> Fit {
    behind.skip_marks();
    if behind.is_done() {
        return Fit::Whole(Reading::Command(Command::Language(None)));
    }
    let name = behind.take().map(bare).filter(|name| !name.is_empty());
    fit_one(behind, name, |name| {
        Command::Language(Some(name.to_owned()))
    })
}

/// `bob: Lunch?`, and `bob Lunch?`, which may be just a sentence.
fn likely(mut tokens: Tokens<'_>) -> Reading {
    let Some(first) = tokens.peek() else {
        return Reading::Message;
    };
    let begins_with_digits = digits_of(first).is_some();
    let begun = tokens.clone();
    let Some(to) = tokens.person() else {
        return Reading::Message;
    };
    let has_colon = begun.last_before(&tokens).ends_with([':', ',']) || tokens.peek() == Some(":");
    let how = if has_colon {
        How::Likely
    } else if begins_with_digits && matches!(to, Person::Called(_)) {
        // Sentences begin with numbers, too.
        return Reading::Message;
    } else {
        How::Perhaps
    };
    tokens.skip_colon();
    match tokens.rest() {
        "" => Reading::Message,
        text => Reading::Addressed {
            to,
            text: text.into(),
            how,
        },
    }
}

/// Folds a name as names are compared.
pub fn folded(name: &str) -> String {
    fold(name)
}
