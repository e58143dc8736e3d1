//! What can be set for a CIMD2 session.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::answers::Exceptions;
use crate::codec::cimd2::{Bounded, DeliveryMode, Login, Printable};
use crate::message::Refused;
use crate::private::Private;

/// The settings of one CIMD2 session. All have defaults but `username` and `password`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The account (user identity): 1 to 32 printable characters. No default.
    pub username: String,
    /// Its password: 1 to 32 printable characters. No default.
    #[serde(deserialize_with = "private")]
    pub password: Private<String>,
    /// Which instance of the account this session is, 0 to 9, where one account may have several. Default none.
    pub subaddress: Option<u16>,
    /// After a login refused because the account has too many sessions, log that session out over this line, and log in
    /// again, once. For serial lines, where no connection ends the old session. Default no.
    pub free_old_session: bool,

    /// How long an answer of the SMSC may take; then the connection ends, and a message without its answer is in doubt.
    /// Default 60 s.
    #[serde(deserialize_with = "crate::smsc::duration::deserialize")]
    pub response_timeout: Duration,
    /// After how long without a packet of ours the SMSC is told that we live. SMSCs log idle sessions out, none says
    /// after how long. Default 30 s.
    #[serde(deserialize_with = "crate::smsc::duration::deserialize")]
    pub alive_interval: Duration,
    /// How long the answer to our logout may take. Default 5 s.
    #[serde(deserialize_with = "crate::smsc::duration::deserialize")]
    pub logout_timeout: Duration,
    /// Whether a packet without a checksum counts as damaged. Default no; a checksum that is there is always checked.
    pub demand_checksums: bool,

    /// How often to ask for messages that wait; for accounts that get nothing unasked (*querying* ones). Default never.
    #[serde(deserialize_with = "crate::smsc::duration::deserialize_some")]
    pub delivery_request_interval: Option<Duration>,
    /// What to ask for: `all`, or `one`, and the next as soon as that is stored. Default `all`.
    pub delivery_request: Asking,
    /// What the SMSC hears of a delivery that cannot be taken now: `withhold` the answer, so that it delivers again, or
    /// `refuse` with code 710, which only newer releases know. Default `withhold`.
    pub not_now: NotNow,
    /// How many deliveries may wait here while one is being stored; then reading stops. An SMSC that keeps to the
    /// protocol has one. Default 16.
    pub max_waiting_deliveries: usize,

    /// What stands before a phone's international number in a destination: `+`, `00` or nothing. Default `+`.
    pub international_prefix: String,
    /// The country of numbers that the SMSC delivers in national form. Default none: they are kept as they are.
    pub country_code: Option<String>,
    /// Whether a message carries its sender. If not, the account's own address is shown. Default yes.
    pub send_originator: bool,
    /// The account's own address, which the SMSC puts before a sender's number, and which is therefore taken off from
    /// the front of it. Default empty: the number is sent as it is.
    pub account_address: String,
    /// Tariff class of all messages, as agreed with the operator: 0 to 99. Default none.
    pub tariff_class: Option<u16>,
    /// Service description of all messages, as agreed with the operator: 0 to 9. Default none.
    pub service_description: Option<u16>,
    /// Priority for low, normal, high and urgent: 1 (most urgent) to 9, 0 for the account's own. Default 9, 0, 3, 1.
    pub priorities: [u8; 4],
    /// Whether a message's validity is told to the SMSC. Default yes.
    pub send_validity: bool,
    /// The longest validity that the carrier takes; longer ones are cut to it. Default 63 weeks, the longest that can be
    /// said.
    #[serde(deserialize_with = "crate::smsc::duration::deserialize")]
    pub max_validity: Duration,
    /// How many of a destination's last digits name a message in its report, together with the time stamp: for SMSCs
    /// that write the number otherwise in reports than in answers. At least 7. Default all, without a leading `+`.
    pub report_digits: Option<usize>,
    /// What error codes mean at this carrier, where it differs from the table: `{ 323 = "transient" }`. Default none.
    pub answers: Exceptions,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            username: String::new(),
            password: Private::default(),
            subaddress: None,
            free_old_session: false,
            response_timeout: Duration::from_secs(60),
            alive_interval: Duration::from_secs(30),
            logout_timeout: Duration::from_secs(5),
            demand_checksums: false,
            delivery_request_interval: None,
            delivery_request: Asking::All,
            not_now: NotNow::Withhold,
            max_waiting_deliveries: 16,
            international_prefix: "+".into(),
            country_code: None,
            send_originator: true,
            account_address: String::new(),
            tariff_class: None,
            service_description: None,
            priorities: [9, 0, 3, 1],
            send_validity: true,
            max_validity: Duration::from_secs(63 * 7 * 86_400),
            report_digits: None,
            answers: Exceptions::default(),
        }
    }
}

/// What a querying account asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asking {
    /// Everything that waits.
    All,
    /// One message; the next is asked for when it is stored.
    One,
}

impl Asking {
    pub(super) const fn mode(self) -> DeliveryMode {
        match self {
            Self::All => DeliveryMode::All,
            Self::One => DeliveryMode::One,
        }
    }
}

/// What the SMSC hears of a delivery that cannot be taken now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotNow {
    /// Nothing.
    Withhold,
    /// A negative answer.
    Refuse,
}

/// Shorter than any line answers.
const LEAST_WAIT: Duration = Duration::from_millis(10);
/// Longer than any operator waits.
const MOST_WAIT: Duration = Duration::from_secs(86_400);
/// Fewer digits would take many phones for one.
const LEAST_DIGITS: usize = 7;

fn private<'de, D: Deserializer<'de>>(from: D) -> Result<Private<String>, D::Error> {
    let secret =
        String::deserialize(from).map_err(|_| D::Error::custom("a password is a string"))?;
    Ok(Private::new(secret))
}

impl Config {
    /// Whether a session can be made of it; names the option to change.
    pub fn check(&self) -> Result<(), Refused> {
        self.login()?;
        for (option, duration) in [
            ("response_timeout", Some(self.response_timeout)),
            ("alive_interval", Some(self.alive_interval)),
            ("logout_timeout", Some(self.logout_timeout)),
            ("delivery_request_interval", self.delivery_request_interval),
        ] {
            if duration.is_some_and(|duration| !(LEAST_WAIT..=MOST_WAIT).contains(&duration)) {
                return Err(Refused::new(option, "is not between 10ms and 1 day"));
            }
        }
        if !(1..=256).contains(&self.max_waiting_deliveries) {
            return Err(Refused::new(
                "max_waiting_deliveries",
                "is not between 1 and 256",
            ));
        }
        if !matches!(self.international_prefix.as_str(), "+" | "00" | "") {
            return Err(Refused::new(
                "international_prefix",
                "is neither \"+\" nor \"00\" nor \"\"",
            ));
        }
        let are_digits = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
        if let Some(code) = &self.country_code
            && !((1..=3).contains(&code.len()) && are_digits(code) && !code.starts_with('0'))
        {
            return Err(Refused::new(
                "country_code",
                "is not one to three digits, as in 358",
            ));
        }
        let account = self.account_address.trim_start_matches('+');
        if account.len() > 20 || !are_digits(account) {
            return Err(Refused::new(
                "account_address",
                "is not a number of at most 20 digits",
            ));
        }
        self.tariff_class()?;
        self.service_description()?;
        if self.priorities.iter().any(|&priority| priority > 9) {
            return Err(Refused::new(
                "priorities",
                "has one that is not between 0 and 9",
            ));
        }
        if self
            .report_digits
            .is_some_and(|digits| digits < LEAST_DIGITS)
        {
            return Err(Refused::new(
                "report_digits",
                "is less than 7, which would take many phones for one",
            ));
        }
        Ok(())
    }

    pub(super) fn login(&self) -> Result<Login, Refused> {
        Ok(Login {
            user: Printable::new("username", &self.username)?,
            password: Printable::new("password", self.password.expose())?,
            subaddress: self
                .subaddress
                .map(|number| Bounded::new("subaddress", number))
                .transpose()?,
            // Without it the window is one, which is what is wanted.
            window: None,
        })
    }

    pub(super) fn tariff_class(&self) -> Result<Option<Bounded<0, 99>>, Refused> {
        self.tariff_class
            .map(|class| Bounded::new("tariff_class", class))
            .transpose()
    }

    pub(super) fn service_description(&self) -> Result<Option<Bounded<0, 9>>, Refused> {
        self.service_description
            .map(|description| Bounded::new("service_description", description))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(written: &str) -> Config {
        toml::from_str(&format!(
            "username = 'sluice'\npassword = 'secret'\n{written}"
        ))
        .unwrap()
    }

    #[test]
    fn an_account_and_its_password_are_enough() {
        assert_eq!(read("").check(), Ok(()));
        assert_eq!(Config::default().check().unwrap_err().field, "username");
        assert!(!format!("{:?}", read("")).contains("secret"));
    }

    #[test]
    fn every_option_can_be_written() {
        let config = read(
            r#"
            subaddress = 3
            free_old_session = true
            response_timeout = "20s"
            alive_interval = "1m"
            logout_timeout = "2s"
            demand_checksums = true
            delivery_request_interval = "10s"
            delivery_request = "one"
            not_now = "refuse"
            max_waiting_deliveries = 4
            international_prefix = "00"
            country_code = "358"
            send_originator = true
            account_address = "400"
            tariff_class = 7
            service_description = 1
            priorities = [0, 0, 2, 1]
            send_validity = false
            max_validity = "2days"
            report_digits = 9
            answers = { 323 = "transient" }
            "#,
        );
        assert_eq!(config.check(), Ok(()));
        assert_eq!(config.delivery_request.mode(), DeliveryMode::One);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (written, option) in [
            ("subaddress = 10", "subaddress"),
            ("response_timeout = '0s'", "response_timeout"),
            ("alive_interval = '2days'", "alive_interval"),
            ("logout_timeout = '1ms'", "logout_timeout"),
            (
                "delivery_request_interval = '0s'",
                "delivery_request_interval",
            ),
            ("max_waiting_deliveries = 0", "max_waiting_deliveries"),
            ("international_prefix = '011'", "international_prefix"),
            ("country_code = '+358'", "country_code"),
            ("account_address = '4oo'", "account_address"),
            ("tariff_class = 100", "tariff_class"),
            ("service_description = 10", "service_description"),
            ("priorities = [1, 2, 3, 10]", "priorities"),
            ("report_digits = 6", "report_digits"),
        ] {
            assert_eq!(read(written).check().unwrap_err().field, option);
        }
        let long = Config {
            password: Private::new("x".repeat(33)),
            ..read("")
        };
        assert_eq!(long.check().unwrap_err().field, "password");
        let unknown = toml::from_str::<Config>("user_name = 'a'").unwrap_err();
        assert!(unknown.message().contains("user_name"), "{unknown}");
        let secret = toml::from_str::<Config>("password = 12345678").unwrap_err();
        assert!(!secret.message().contains("12345678"), "{secret}");
    }
}
