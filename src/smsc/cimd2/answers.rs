//! What an answer of the SMSC means: one table of error codes, and a carrier's own exceptions from it.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::codec::cimd2::{ErrorCode, Failure};
use crate::message::Refusal;
use crate::smsc::session::{Pause, Retry, SubmitAnswer};

/// Who must act on an error code, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// We are too fast: everything pauses, the same message goes again, no try is counted.
    Throttled,
    /// The SMSC's queue is full: as throttled, but longer.
    QueueFull,
    /// A passing fault: the same message goes again, tries are counted.
    Transient,
    /// It says little: three tries, then never.
    Unclear,
    /// This message will never go.
    Permanent,
    /// The session is not what we believe: log in again, then the same message.
    Session,
    /// This message will not go, and an operator must look at our settings or the account.
    Configuration,
    /// This message will not go, and it is our fault.
    Bug,
}

impl Class {
    /// The class of a code in the answer to a submit, where nothing else is configured.
    pub const fn of(code: ErrorCode) -> Self {
        match code {
            ErrorCode::CONGESTION => Self::Throttled,

            ErrorCode::CONNECTION_LOST | ErrorCode::NO_RESPONSE | ErrorCode::SYSTEM => {
                Self::Transient
            }

            ErrorCode::FAILED | ErrorCode::NOT_FOUND => Self::Unclear,

            // An answer to a login, or "not expected here": we are not logged in as we believe. The next login tells.
            ErrorCode::UNEXPECTED_OPERATION
            | ErrorCode::LOGIN_INVALID
            | ErrorCode::WRONG_ACCESS_TYPE
            | ErrorCode::TOO_MANY_SESSIONS
            | ErrorCode::LOGIN_REFUSED
            | ErrorCode::WINDOW_SIZE
            | ErrorCode::WINDOWING_DISABLED
            | ErrorCode::VIRTUAL_SMSC
            | ErrorCode::SUBADDRESS
            | ErrorCode::ALIAS_ACCOUNT => Self::Session,

            ErrorCode::DESTINATION
            | ErrorCode::VALIDITY
            | ErrorCode::PROTOCOL_IDENTIFIER
            | ErrorCode::FIRST_DELIVERY
            | ErrorCode::REPLY_PATH
            | ErrorCode::CLOSED_USER_GROUP => Self::Permanent,

            ErrorCode::UNSUPPORTED_PARAMETER
            | ErrorCode::ORIGINATOR
            | ErrorCode::STATUS_REPORT_REQUEST
            | ErrorCode::CANCEL_ENABLED
            | ErrorCode::PRIORITY
            | ErrorCode::TARIFF_CLASS
            | ErrorCode::SERVICE_DESCRIPTION
            | ErrorCode::NAME_NOT_USABLE
            | ErrorCode::NAME_CONTENTS
            | ErrorCode::LICENCE => Self::Configuration,

            ErrorCode::SYNTAX
            | ErrorCode::BAD_PARAMETER
            | ErrorCode::DESTINATION_COUNT
            | ErrorCode::USER_DATA
            | ErrorCode::DATA_COMBINATION
            | ErrorCode::DATA_CODING_SCHEME
            | ErrorCode::TRANSPORT_TYPE
            | ErrorCode::MESSAGE_TYPE
            | ErrorCode::MORE_MESSAGES
            | ErrorCode::OPERATION_TIMER
            | ErrorCode::DIALOGUE_ID => Self::Bug,

            // What is left of this range speaks of the message too.
            ErrorCode(300..=399) => Self::Permanent,
            // Codes of other operations, and those that we do not know.
            ErrorCode(_) => Self::Unclear,
        }
    }
}

/// A carrier's exceptions from the table, as configured: `"323" = "transient"`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Exceptions(BTreeMap<u16, Class>);

impl Exceptions {
    /// The class of a code at this carrier.
    pub fn class_of(&self, code: ErrorCode) -> Class {
        self.0.get(&code.0).copied().unwrap_or(Class::of(code))
    }
}

impl<'de> Deserialize<'de> for Exceptions {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        BTreeMap::<String, Class>::deserialize(from)?
            .into_iter()
            .map(|(written, class)| match written.parse() {
                Ok(code @ 1..=999) => Ok((code, class)),
                _ => Err(D::Error::custom(format!(
                    "{written:?} is no error code; write it as in \"323\", from 1 to 999"
                ))),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// What a refused submit comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Verdict {
    /// For the driver.
    pub(super) answer: SubmitAnswer,
    /// Whether we must log in anew.
    pub(super) log_in_again: bool,
    /// A line for the log, where a human must look.
    pub(super) remark: Option<String>,
}

/// Sorts the negative answer to a submit.
pub(super) fn verdict(exceptions: &Exceptions, failure: &Failure) -> Verdict {
    let class = failure
        .code
        .map_or(Class::Unclear, |code| exceptions.class_of(code));
    let refusal = refusal(failure);
    let remark = match class {
        Class::Configuration => Some(format!(
            "the SMSC refuses a message with {}: look at the settings of this lane and the account",
            code_of(failure)
        )),
        Class::Bug => Some(format!(
            "the SMSC refuses the form of a message with {}: this should not happen",
            code_of(failure)
        )),
        _ => None,
    };
    let again = |pause, refusal| SubmitAnswer::TryAgain { pause, refusal };
    let answer = match class {
        Class::Throttled => again(Pause::Throttled, refusal),
        Class::QueueFull => again(Pause::QueueFull, refusal),
        Class::Transient | Class::Session => again(Pause::Transient, refusal),
        Class::Unclear => again(Pause::Unclear, refusal),
        Class::Permanent | Class::Configuration | Class::Bug => SubmitAnswer::Never(refusal),
    };
    Verdict {
        answer,
        log_in_again: class == Class::Session,
        remark,
    }
}

/// The code with its meaning, for people. The SMSC's own words are left out: they may name a subscriber.
pub(super) fn code_of(failure: &Failure) -> String {
    match failure.code {
        Some(code) => code.to_string(),
        None => "a code that is no number".into(),
    }
}

/// The SMSC's code, with its own words if it gave some, else with the code's meaning.
fn refusal(failure: &Failure) -> Refusal {
    let code = failure.code.map(|code| u32::from(code.0));
    let text = match failure.code.and_then(ErrorCode::name) {
        Some(name) if failure.text.is_empty() => name,
        _ => &failure.text,
    };
    Refusal::new(code, text)
}

/// When to come back after a refused login.
pub(super) const fn retry_of_login(code: Option<ErrorCode>) -> Retry {
    match code {
        Some(ErrorCode::TOO_MANY_SESSIONS) => Retry::OldSessionLives,
        // It says little, or that it may pass.
        None
        | Some(
            ErrorCode::CONNECTION_LOST
            | ErrorCode::NO_RESPONSE
            | ErrorCode::SYSTEM
            | ErrorCode::FAILED
            | ErrorCode::CONGESTION
            | ErrorCode::LOGIN_REFUSED
            | ErrorCode::UNEXPECTED_OPERATION,
        ) => Retry::Soon,
        // Wrong settings, and what else our login cannot cure by being sent again.
        Some(_) => Retry::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: u16, text: &str) -> Failure {
        Failure {
            code: Some(ErrorCode(code)),
            text: text.into(),
        }
    }

    #[test]
    fn every_known_code_is_sorted_as_the_table_says() {
        let classes: Vec<(u16, Class)> = ErrorCode::KNOWN
            .iter()
            .map(|code| (code.0, Class::of(*code)))
            .collect();
        let of = |wanted: Class| -> Vec<u16> {
            let all = classes.iter().filter(|(_, class)| *class == wanted);
            all.map(|(code, _)| *code).collect()
        };
        assert_eq!(of(Class::Throttled), [10]);
        assert_eq!(of(Class::Transient), [4, 5, 6]);
        assert_eq!(
            of(Class::Session),
            [1, 100, 101, 102, 103, 104, 105, 106, 107, 108]
        );
        assert_eq!(of(Class::Permanent), [300, 305, 307, 308, 309, 323]);
        assert_eq!(
            of(Class::Configuration),
            [3, 306, 310, 311, 312, 313, 314, 321, 322, 324]
        );
        assert_eq!(
            of(Class::Bug),
            [2, 8, 301, 302, 303, 304, 315, 316, 318, 319, 320]
        );
        assert_eq!(
            of(Class::Unclear),
            [
                0, 7, 9, 400, 401, 500, 501, 502, 600, 601, 602, 603, 700, 710, 711, 712, 730, 800,
                801, 900
            ]
        );
        assert_eq!(Class::of(ErrorCode(317)), Class::Permanent);
        assert_eq!(Class::of(ErrorCode(999)), Class::Unclear);
    }

    #[test]
    fn a_refusal_has_the_smscs_words_or_the_meaning_of_its_code() {
        let exceptions = Exceptions::default();
        let never = |code, text| match verdict(&exceptions, &failure(code, text)).answer {
            SubmitAnswer::Never(refusal) => refusal.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(never(300, "no such phone"), "300 no such phone");
        assert_eq!(never(300, ""), "300 destination address wrong");
        let unreadable = Failure {
            code: None,
            text: "odd".into(),
        };
        let verdict = verdict(&exceptions, &unreadable);
        assert!(matches!(
            verdict.answer,
            SubmitAnswer::TryAgain {
                pause: Pause::Unclear,
                ..
            }
        ));
    }

    #[test]
    fn a_carriers_exceptions_come_before_the_table() {
        let exceptions: BTreeMap<String, Exceptions> =
            toml::from_str("answers = { 323 = 'throttled' }").unwrap();
        let exceptions = &exceptions["answers"];
        assert_eq!(exceptions.class_of(ErrorCode(323)), Class::Throttled);
        assert_eq!(exceptions.class_of(ErrorCode(300)), Class::Permanent);
        for wrong in ["0", "1000", "x"] {
            let written = format!("answers = {{ {wrong} = 'throttled' }}");
            assert!(toml::from_str::<BTreeMap<String, Exceptions>>(&written).is_err());
        }
    }

    #[test]
    fn a_refused_login_tells_when_to_come_back() {
        let retry = |code| retry_of_login(Some(ErrorCode(code)));
        assert_eq!(retry(102), Retry::OldSessionLives);
        for code in [100, 101, 104, 105, 106, 107, 108, 2, 3, 8] {
            assert_eq!(retry(code), Retry::Refused, "{code}");
        }
        for code in [1, 4, 5, 6, 9, 10, 103] {
            assert_eq!(retry(code), Retry::Soon, "{code}");
        }
        assert_eq!(retry_of_login(None), Retry::Soon);
    }
}
