//! `[im]` of the configuration: what an operator may want otherwise.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::auth::HistoricalScheme;
use super::door::config::DoorConfig;
use super::limits::MAX_TEXT;
use super::names::LanguageCode;
use super::record::PhoneRecord;
use super::sms::{Language, Languages};
use crate::message::{Refused, ShortCode};
use crate::presence::{self, Registry};

/// The IM service.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether people register users and clients themselves. Default false: the operator does.
    pub sign_up: bool,
    /// Digest schemes beside the modern one, for old clients: `sha-1`, `md5`. Default none.
    pub historical_schemes: Vec<HistoricalScheme>,
    /// What the slow hash of new passwords costs: memory, in KiB. Default 19456, as OWASP recommends with two passes.
    pub password_memory_kib: u32,
    /// The same: how often it is gone over. Default 2.
    pub password_passes: u32,
    /// How long a nonce is good. Default 60 s.
    #[serde(deserialize_with = "duration")]
    pub nonce_good_for: Duration,
    /// After so long without a connection a session ends. Default 30 days.
    #[serde(deserialize_with = "duration")]
    pub session_lapses_after: Duration,
    /// Most points at a time, of all users. Default 100000.
    pub max_points: u32,
    /// Most sessions of a user. When there are as many, the one that was away longest makes room. Default 32.
    pub max_sessions: u32,
    /// Longest text of a message, in octets. Default 16384, which is also the most.
    pub max_text: u32,
    /// How many messages a user may send in a second, on average; ten times that at once. All that tells others something
    /// counts; what tells many counts one more for each ten of them. Default 100.
    pub messages_per_second: u32,
    /// How many entries of a log are kept, of those that a point of the user has received. Default 10000.
    pub log_entries: u64,
    /// How long they are kept. Default 90 days.
    #[serde(deserialize_with = "duration")]
    pub log_age: Duration,
    /// How many entries may wait for a user of whom no point receives them. Default 10000.
    pub max_waiting: u64,
    /// Most buddy lists of a user. Default 64.
    pub max_lists: u32,
    /// Most buddies on a list. Default 500.
    pub max_buddies: u32,
    /// Most blocked contacts of a user. Default 1000.
    pub max_blocked: u32,
    /// Where and how clients come in.
    pub door: DoorConfig,
    /// A point whose user has done nothing for so long is idle. Default 10 min.
    #[serde(deserialize_with = "duration")]
    pub idle_after: Duration,
    /// How often a user may change or authorise presence in a second, on average; ten times that at once. Default 10.
    pub presence_per_second: u32,
    /// Presence.
    pub presence: presence::Config,
    /// The attributes of presence: those within the program, and those of the files that `presence.registry` names. Whoever
    /// reads the configuration reads these.
    #[serde(skip)]
    pub attributes: Arc<Registry>,
    /// Groups.
    pub groups: GroupConfig,
    /// Content of groups.
    pub content: ContentConfig,
    /// Phones. Without this section none is reached.
    pub phones: Option<PhoneConfig>,
}

/// `[im.groups]`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupConfig {
    /// Most members of a group. Default 1000.
    pub max_members: u32,
    /// Most groups that a user is a member of. Default 200.
    pub max_groups: u32,
    /// Most groups that a user owns. Default 50.
    pub max_owned: u32,
    /// Most open invitations of a user. Default 100.
    pub max_invites: u32,
    /// How long an invitation is good. Default 7 days.
    #[serde(deserialize_with = "duration")]
    pub invite_good_for: Duration,
}

/// `[im.content]`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContentConfig {
    /// Largest piece, in octets. Default 100 MiB.
    pub max_size: u64,
    /// Most octets of all pieces of a group. Default 1 GiB.
    pub max_total: u64,
    /// Most pieces of a group. Default 1000.
    pub max_pieces: u64,
    /// Most pieces that a session brings at a time. Default 4.
    pub max_uploads: u32,
    /// How long bringing one may take. Default 1 day.
    #[serde(deserialize_with = "duration")]
    pub upload_good_for: Duration,
}

/// `[im.phones]`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhoneConfig {
    /// The number that phones write to.
    pub number: ShortCode,
    /// Numbers that lead to one partner each: the first of them. With the number that phones write to they belong to the
    /// operator. Without them a phone answers to whoever wrote last.
    #[serde(default)]
    pub reply_first: Option<ShortCode>,
    /// How many they are. Default 0.
    #[serde(default)]
    pub reply_count: u32,
    /// Most texts an hour that one user's messages may cost. Default 200.
    #[serde(default = "texts_per_hour")]
    pub texts_per_hour: u32,
    /// Most codes an hour that one user may have sent, and that one phone may be sent. Default 3.
    #[serde(default = "codes_per_hour")]
    pub codes_per_hour: u32,
    /// How long a code is good. Default 10 min.
    #[serde(default = "code_good_for", deserialize_with = "duration")]
    pub code_good_for: Duration,
    /// Most answers an hour that one phone gets to what it writes. Default 60.
    #[serde(default = "answers_per_hour")]
    pub answers_per_hour: u32,
    /// The country of numbers that phones write in national form, as in `358`. Default none: `040…` is nobody.
    #[serde(default)]
    pub country_code: Option<String>,
    /// In which language a phone is answered that has chosen none. Default `en`.
    #[serde(default = "language")]
    pub language: LanguageCode,
    /// Files with further languages, or with other words for those that come with the program. Default none.
    #[serde(default)]
    pub language_files: Vec<PathBuf>,
    /// The languages: those within the program, and those of `language_files`. Whoever reads the configuration reads these.
    #[serde(skip)]
    pub languages: Arc<Languages>,
    /// Whether letters that the GSM alphabet lacks may be replaced by ones that look alike, where that makes one SMS of
    /// several. Default true.
    #[serde(default = "yes")]
    pub lookalikes: bool,
}

const fn texts_per_hour() -> u32 {
    200
}

const fn codes_per_hour() -> u32 {
    3
}

const fn answers_per_hour() -> u32 {
    60
}

fn language() -> LanguageCode {
    LanguageCode::new("en").expect("it is a code")
}

const fn code_good_for() -> Duration {
    Duration::from_secs(600)
}

const fn yes() -> bool {
    true
}

const DAY: Duration = Duration::from_secs(24 * 3600);

impl Default for Config {
    fn default() -> Self {
        Self {
            sign_up: false,
            historical_schemes: Vec::new(),
            password_memory_kib: 19_456,
            password_passes: 2,
            nonce_good_for: Duration::from_secs(60),
            session_lapses_after: DAY * 30,
            max_points: 100_000,
            max_sessions: 32,
            max_text: 16_384,
            messages_per_second: 100,
            log_entries: 10_000,
            log_age: DAY * 90,
            max_waiting: 10_000,
            max_lists: 64,
            max_buddies: 500,
            max_blocked: 1000,
            door: DoorConfig::default(),
            idle_after: Duration::from_secs(600),
            presence_per_second: 10,
            presence: presence::Config::default(),
            attributes: Arc::new(Registry::base()),
            groups: GroupConfig::default(),
            content: ContentConfig::default(),
            phones: None,
        }
    }
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            max_members: 1000,
            max_groups: 200,
            max_owned: 50,
            max_invites: 100,
            invite_good_for: DAY * 7,
        }
    }
}

impl Default for ContentConfig {
    fn default() -> Self {
        Self {
            max_size: 100 << 20,
            max_total: 1 << 30,
            max_pieces: 1000,
            max_uploads: 4,
            upload_good_for: DAY,
        }
    }
}

impl PhoneConfig {
    /// With a number, and everything else as usual.
    pub fn new(number: ShortCode) -> Self {
        Self {
            number,
            reply_first: None,
            reply_count: 0,
            texts_per_hour: texts_per_hour(),
            codes_per_hour: codes_per_hour(),
            answers_per_hour: answers_per_hour(),
            country_code: None,
            language: language(),
            language_files: Vec::new(),
            languages: Arc::default(),
            code_good_for: code_good_for(),
            lookalikes: true,
        }
    }
}

impl PhoneConfig {
    /// Whether there is the language in which phones are answered that have chosen none; to be asked when the files with
    /// languages have been read.
    pub fn check_language(&self) -> Result<(), Refused> {
        if self
            .languages
            .iter()
            .any(|other| *other.code() == self.language)
        {
            return Ok(());
        }
        let codes: Vec<&str> = self
            .languages
            .iter()
            .map(|language| language.code().as_str())
            .collect();
        let reason = format!(
            "{} is no language; there are {}",
            self.language,
            codes.join(", ")
        );
        Err(Refused::new("phones.language", reason))
    }

    /// In which language a phone is answered.
    pub fn language_of(&self, phone: &PhoneRecord) -> &Language {
        self.languages
            .of(phone.language.as_ref().unwrap_or(&self.language))
    }
}

impl Config {
    /// What makes no sense, with the option to change.
    pub fn check(&self) -> Result<(), Refused> {
        let refuse = |field, reason: &str| Err(Refused::new(field, reason));
        if self.max_text == 0 || self.max_text as usize > MAX_TEXT {
            return refuse("max_text", "is not within 1 to 16384");
        }
        if self.max_sessions == 0 {
            return refuse("max_sessions", "is 0; nobody could sign in");
        }
        if self.messages_per_second == 0 {
            return refuse("messages_per_second", "is 0; nobody could write");
        }
        if self.presence_per_second == 0 {
            return refuse("presence_per_second", "is 0; nobody could say where it is");
        }
        if self.nonce_good_for.is_zero() {
            return refuse("nonce_good_for", "is nothing; nobody could sign in");
        }
        let Some(phones) = &self.phones else {
            return Ok(());
        };
        if phones.answers_per_hour == 0 {
            return refuse(
                "phones.answers_per_hour",
                "is 0; no phone would be answered",
            );
        }
        let is_country = |code: &String| {
            (1..=3).contains(&code.len()) && code.bytes().all(|c| c.is_ascii_digit())
        };
        if phones
            .country_code
            .as_ref()
            .is_some_and(|code| !is_country(code) || code.starts_with('0'))
        {
            return refuse("phones.country_code", "is no country; write it as in 358");
        }
        let Some(first) = &phones.reply_first else {
            if phones.reply_count > 0 {
                return refuse("phones.reply_count", "needs phones.reply_first");
            }
            return Ok(());
        };
        if phones.reply_count == 0 {
            return refuse("phones.reply_first", "needs phones.reply_count");
        }
        if phones.reply_count > MAX_REPLY_ADDRESSES {
            return refuse(
                "phones.reply_count",
                "is more than 1000; a phone has no more partners at a time",
            );
        }
        let digits = first.digits();
        let start: u64 = digits.parse().unwrap_or(0);
        let last = start + u64::from(phones.reply_count - 1);
        if last.to_string().len() > digits.len() {
            return refuse(
                "phones.reply_count",
                "leads to numbers with more digits than phones.reply_first",
            );
        }
        let main: u64 = phones.number.digits().parse().unwrap_or(0);
        let same_length = phones.number.digits().len() == digits.len();
        if same_length && (start..=last).contains(&main) {
            return refuse(
                "phones.reply_first",
                "begins a range that holds phones.number",
            );
        }
        Ok(())
    }
}

impl PhoneConfig {
    /// Which one of the range of reply addresses a number is.
    pub fn reply_number(&self, number: &ShortCode) -> Option<u32> {
        let first = self.reply_first.as_ref()?;
        if first.digits().len() != number.digits().len() {
            return None;
        }
        let start: u64 = first.digits().parse().ok()?;
        let number: u64 = number.digits().parse().ok()?;
        let number = u32::try_from(number.checked_sub(start)?).ok()?;
        (number < self.reply_count).then_some(number)
    }

    /// Whether what phones write to this number is for the service.
    pub fn leads_here(&self, number: &ShortCode) -> bool {
        self.number == *number || self.reply_number(number).is_some()
    }
}

/// All reply addresses of a phone are looked at when one is needed.
const MAX_REPLY_ADDRESSES: u32 = 1000;

fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let written = String::deserialize(from)?;
    humantime::parse_duration(&written).map_err(|why| {
        D::Error::custom(format!(
            "{written:?} is no duration ({why}); write it as in 30s or 7days"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_what_an_empty_section_gives_and_make_sense() {
        let config: Config = toml::from_str("").unwrap();
        assert_eq!(config, Config::default());
        assert_eq!(config.check(), Ok(()));
        assert!(toml::from_str::<Config>("colour = 'red'").is_err());
    }

    #[test]
    fn a_range_of_reply_addresses_must_not_hold_the_main_number() {
        let with = |phones: &str| {
            let config: Config =
                toml::from_str(&format!("[phones]\nnumber = '17000'\n{phones}")).unwrap();
            config.check().map_err(|why| why.field)
        };
        assert_eq!(with(""), Ok(()));
        assert_eq!(with("reply_first = '17001'\nreply_count = 99"), Ok(()));
        assert_eq!(
            with("reply_first = '16990'\nreply_count = 99"),
            Err("phones.reply_first")
        );
        assert_eq!(
            with("reply_first = '99990'\nreply_count = 99"),
            Err("phones.reply_count")
        );
        assert_eq!(with("reply_first = '17001'"), Err("phones.reply_first"));
        assert_eq!(with("reply_count = 5"), Err("phones.reply_count"));
        assert_eq!(with("country_code = '358'"), Ok(()));
        assert_eq!(with("country_code = '+358'"), Err("phones.country_code"));
        assert_eq!(with("answers_per_hour = 0"), Err("phones.answers_per_hour"));
        let phones: PhoneConfig =
            toml::from_str("number = '17000'\nreply_first = '17001'\nreply_count = 99").unwrap();
        let leads = |number: &str| phones.leads_here(&ShortCode::new(number).unwrap());
        assert!(leads("17000") && leads("17001") && leads("17099"));
        assert!(!leads("17100") && !leads("16999") && !leads("017001"));
    }
}
