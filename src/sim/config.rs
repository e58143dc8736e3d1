//! The simulator's script: which protocols it offers, who may log in, which phones there are, what goes wrong.
//! `docs/simulator.md` shows it in full.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::fault::Fault;
use super::phone::{Phone, Phones};
use crate::codec::smpp::{Alphabet, VERSION_3_4};
use crate::smsc::duration::{deserialize, deserialize_some};

/// Everything that a simulated SMSC is told.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The SMSC as a whole.
    pub centre: Centre,
    /// SMPP, if it is offered.
    pub smpp: Option<Smpp>,
    /// CIMD2, if it is offered.
    pub cimd2: Option<Cimd2>,
    /// Who may log in.
    #[serde(rename = "account")]
    pub accounts: Vec<Account>,
    /// Phones that are not named by a [`Phone`].
    pub phones: Phones,
    /// Phones with a behaviour of their own.
    #[serde(rename = "phone")]
    pub named_phones: Vec<Phone>,
    /// What goes wrong.
    #[serde(rename = "fault")]
    pub faults: Vec<Fault>,
}

/// Why a script cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {why}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// The file is no script.
    #[error("{}: {why}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Where, and what would be right.
        why: Box<toml::de::Error>,
    },
    /// It is one, and makes no sense.
    #[error("{option}: {why}")]
    Senseless {
        /// Which option.
        option: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl Config {
    /// Reads a script from a file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|why| ConfigError::Unreadable {
            path: path.into(),
            why,
        })?;
        toml::from_str(&text).map_err(|why| ConfigError::Malformed {
            path: path.into(),
            why: Box::new(why),
        })
    }

    /// Whether it makes sense as a whole.
    pub fn check(&self) -> Result<(), ConfigError> {
        let senseless = |option, why: String| Err(ConfigError::Senseless { option, why });
        let offered = self.smpp.is_some() || self.cimd2.is_some();
        if !offered {
            return senseless("smpp, cimd2", "neither is offered; give one of them".into());
        }
        if let Some(cimd2) = &self.cimd2
            && cimd2.listen.is_none()
            && cimd2.pty.is_none()
        {
            return senseless("cimd2", "give listen, pty, or both".into());
        }
        if self.accounts.is_empty() {
            return senseless("account", "nobody could log in; give at least one".into());
        }
        for (index, account) in self.accounts.iter().enumerate() {
            if self.accounts[..index]
                .iter()
                .any(|other| other.name == account.name)
            {
                return senseless("account", format!("{:?} is there twice", account.name));
            }
            for (option, number) in [
                ("account.window", account.window),
                ("account.sessions", account.sessions),
                ("account.delivery_window", account.delivery_window),
            ] {
                if number == 0 {
                    return senseless(option, "is 0; at least 1 is needed".into());
                }
            }
        }
        for fault in &self.faults {
            fault.check().map_err(|why| ConfigError::Senseless {
                option: "fault",
                why,
            })?;
        }
        Ok(())
    }
}

/// The SMSC as a whole.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Centre {
    /// What it calls itself.
    pub name: String,
    /// How long each answer takes, apart from faults.
    #[serde(deserialize_with = "deserialize")]
    pub answer_after: Duration,
    /// How far its clock is ahead of UTC.
    pub utc_offset_minutes: i32,
    /// How many messages it remembers, for questions about them and for what phones received.
    pub keep: usize,
    /// How long it waits before it delivers again what was refused for now.
    #[serde(deserialize_with = "deserialize")]
    pub deliver_again_after: Duration,
}

impl Default for Centre {
    fn default() -> Self {
        Self {
            name: "sluice-sim".into(),
            answer_after: Duration::ZERO,
            utc_offset_minutes: 0,
            keep: 10_000,
            deliver_again_after: Duration::from_secs(2),
        }
    }
}

/// Certificate and key of a listener, in PEM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate, with what leads to its root.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// How SMPP is offered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Smpp {
    /// Where; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// Over TLS.
    pub tls: Option<Tls>,
    /// A serial line besides, as a pseudo-terminal.
    pub pty: Option<Pty>,
    /// What stands in sc_interface_version.
    pub version: u8,
    /// How long a connection may be without a bind.
    #[serde(deserialize_with = "deserialize")]
    pub login_within: Duration,
    /// How long a session may be silent.
    #[serde(deserialize_with = "deserialize_some")]
    pub idle: Option<Duration>,
    /// How long the ESME may take to answer.
    #[serde(deserialize_with = "deserialize")]
    pub answer_within: Duration,
    /// How often the SMSC itself asks whether anybody is there.
    #[serde(deserialize_with = "deserialize_some")]
    pub probe: Option<Duration>,
}

/// Any free port of this machine.
const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

impl Default for Smpp {
    fn default() -> Self {
        Self {
            listen: ANY_PORT,
            tls: None,
            pty: None,
            version: VERSION_3_4,
            login_within: Duration::from_secs(10),
            idle: None,
            answer_within: Duration::from_secs(30),
            probe: None,
        }
    }
}

/// How CIMD2 is offered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cimd2 {
    /// Where; port 0 takes any that is free. Without, only the serial line is offered.
    pub listen: Option<SocketAddr>,
    /// Over TLS.
    pub tls: Option<Tls>,
    /// A serial line, as a pseudo-terminal.
    pub pty: Option<Pty>,
    /// Whether a line of greeting is sent before anything else.
    pub greeting: bool,
    /// Whether packets without a checksum are refused.
    pub demand_checksums: bool,
    /// How long a connection may be without a login.
    #[serde(deserialize_with = "deserialize")]
    pub login_within: Duration,
    /// How long a session may be silent before it is logged out.
    #[serde(deserialize_with = "deserialize_some")]
    pub idle: Option<Duration>,
    /// How long the application may take to answer.
    #[serde(deserialize_with = "deserialize")]
    pub answer_within: Duration,
    /// What happens when it takes longer.
    pub on_silence: Silence,
    /// How often the SMSC itself asks whether anybody is there.
    #[serde(deserialize_with = "deserialize_some")]
    pub probe: Option<Duration>,
}

impl Default for Cimd2 {
    fn default() -> Self {
        Self {
            listen: Some(ANY_PORT),
            tls: None,
            pty: None,
            greeting: true,
            demand_checksums: false,
            login_within: Duration::from_secs(10),
            idle: None,
            answer_within: Duration::from_secs(60),
            on_silence: Silence::Drop,
            probe: None,
        }
    }
}

/// A serial line that exists in the kernel only.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pty {
    /// A symbolic link to its device, which has another name each time.
    pub link: Option<PathBuf>,
}

/// What an SMSC does when a delivery is not answered in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// It ends the connection, and delivers again on the next.
    #[default]
    Drop,
    /// It sends the same octets again, up to three times, then it ends the connection.
    Retransmit,
}

/// Who may log in, and what for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its name: user identity, system_id.
    pub name: String,
    /// Its password.
    pub password: String,
    /// How many of its requests may be unanswered. With CIMD2, what it may ask for at most.
    #[serde(default = "one")]
    pub window: usize,
    /// Whether a request beyond the window is refused; it is counted as a breach in any case.
    #[serde(default)]
    pub refuse_beyond_window: bool,
    /// How many sessions it may have at once.
    #[serde(default = "one")]
    pub sessions: usize,
    /// How many deliveries may be unanswered.
    #[serde(default = "one")]
    pub delivery_window: usize,
    /// Which senders it may use: numbers, names, or beginnings with a `*`. Empty: any.
    #[serde(default)]
    pub senders: Vec<String>,
    /// Which numbers of phones' messages are for it; `17*` means all that begin so. Empty: all that nobody else has.
    #[serde(default)]
    pub numbers: Vec<String>,
    /// CIMD2: its own address, to which the originator of a submit is appended.
    #[serde(default)]
    pub address: String,
    /// CIMD2: how it gets its messages.
    #[serde(default)]
    pub kind: Kind,
    /// CIMD2: whether operation 08 may change its password.
    #[serde(default)]
    pub may_change_password: bool,
    /// The most messages a second that are taken from it; more are throttled.
    #[serde(default)]
    pub throughput: Option<u32>,
    /// The most undelivered messages and reports that wait for it; its submits are refused beyond that.
    #[serde(default)]
    pub queue: Option<usize>,
    /// SMPP: what data_coding 0 means.
    #[serde(default)]
    pub alphabet: Alphabet,
    /// SMPP: how a phone's long text is delivered.
    #[serde(default)]
    pub long: Long,
    /// How its reports look.
    #[serde(default)]
    pub reports: super::report::Style,
}

const fn one() -> usize {
    1
}

impl Account {
    /// One that may do everything, one thing at a time.
    pub fn new(name: &str, password: &str) -> Self {
        Self {
            name: name.into(),
            password: password.into(),
            window: 1,
            refuse_beyond_window: false,
            sessions: 1,
            delivery_window: 1,
            senders: Vec::new(),
            numbers: Vec::new(),
            address: String::new(),
            kind: Kind::default(),
            may_change_password: false,
            throughput: None,
            queue: None,
            alphabet: Alphabet::default(),
            long: Long::default(),
            reports: super::report::Style::default(),
        }
    }

    /// Whether it may use this sender.
    pub(super) fn may_send_as(&self, sender: &str) -> bool {
        self.senders.is_empty() || self.senders.iter().any(|pattern| fits(pattern, sender))
    }

    /// Whether this number is one of its own.
    pub(super) fn has_number(&self, number: &str) -> bool {
        self.numbers.iter().any(|pattern| fits(pattern, number))
    }
}

/// Whether a number or name is the pattern, or begins with what stands before its `*`.
fn fits(pattern: &str, value: &str) -> bool {
    let plain = |number: &str| number.trim_start_matches('+').to_owned();
    match pattern.strip_suffix('*') {
        Some(start) => plain(value).starts_with(&plain(start)),
        None => plain(value) == plain(pattern),
    }
}

/// CIMD2: what an account may do, as the SMSC's profile has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Messages come unasked.
    #[default]
    Receiving,
    /// It asks for them with operation 05.
    Querying,
    /// It gets none.
    SendOnly,
}

/// SMPP: how a long text travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Long {
    /// In parts, each with a user data header.
    #[default]
    Header,
    /// In parts, numbered by TLVs.
    Sar,
    /// Whole, in message_payload.
    Payload,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn senseless(text: &str) -> String {
        let config: Config = toml::from_str(text).unwrap();
        config.check().unwrap_err().to_string()
    }

    #[test]
    fn a_short_script_is_enough() {
        let config: Config =
            toml::from_str("[smpp]\n[cimd2]\n[[account]]\nname = 'sluice'\npassword = 'secret'\n")
                .unwrap();
        config.check().unwrap();
        assert_eq!(config.accounts[0].window, 1);
        assert_eq!(config.smpp.unwrap().listen.port(), 0);
    }

    #[test]
    fn senseless_scripts_say_what_would_make_sense() {
        assert_eq!(
            senseless(""),
            "smpp, cimd2: neither is offered; give one of them"
        );
        assert_eq!(
            senseless("[smpp]"),
            "account: nobody could log in; give at least one"
        );
        let account = "[[account]]\nname = 'a'\npassword = ''\n";
        assert_eq!(
            senseless(&format!("[smpp]\n{account}{account}")),
            "account: \"a\" is there twice"
        );
        assert_eq!(
            senseless(&format!("[smpp]\n{account}window = 0")),
            "account.window: is 0; at least 1 is needed"
        );
        let unknown = toml::from_str::<Config>("[smpp]\nlistne = ''").unwrap_err();
        assert!(unknown.message().contains("listne"), "{unknown}");
    }

    #[test]
    fn patterns_fit_with_and_without_plus() {
        let mut account = Account::new("a", "");
        assert!(account.may_send_as("anybody"));
        account.senders = vec!["17*".into(), "Sluice".into(), "+4670".into()];
        assert!(account.may_send_as("1712"));
        assert!(account.may_send_as("Sluice"));
        assert!(account.may_send_as("4670"));
        assert!(!account.may_send_as("46701"));
    }
}
