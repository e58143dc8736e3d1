//! What an answer of the SMSC means: one table of command_status, and a carrier's own exceptions from it.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::codec::smpp::{Status, Tag, Tlvs};
use crate::message::Refusal;
use crate::smsc::session::{Pause, Retry, SubmitAnswer};

/// Who must act on a status, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The SMSC has the message.
    Accepted,
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
    /// The session is not what we believe: bind again, then the same message.
    Session,
    /// This message will not go, and an operator must look at our settings.
    Configuration,
    /// This message will not go, and it is our fault.
    Bug,
}

impl Class {
    /// The class of a status where nothing else is configured. Reserved and vendors' own are unclear.
    pub const fn of(status: Status) -> Self {
        match status {
            Status::OK => Self::Accepted,

            Status::THROTTLED => Self::Throttled,
            Status::QUEUE_FULL => Self::QueueFull,

            Status::SYSTEM_ERROR
            | Status::TEMPORARY_APPLICATION_ERROR
            | Status::SERVICE_UNAVAILABLE => Self::Transient,

            Status::SUBMIT_FAILED | Status::DELIVERY_FAILED | Status::UNKNOWN_ERROR => {
                Self::Unclear
            }

            Status::WRONG_BIND_STATE | Status::ALREADY_BOUND => Self::Session,

            Status::BIND_FAILED
            | Status::INVALID_PASSWORD
            | Status::INVALID_SYSTEM_ID
            | Status::INVALID_SYSTEM_TYPE
            | Status::INVALID_PRIORITY
            | Status::INVALID_REGISTERED_DELIVERY
            | Status::INVALID_SOURCE
            | Status::INVALID_SOURCE_TON
            | Status::INVALID_SOURCE_NPI
            | Status::INVALID_DESTINATION_TON
            | Status::INVALID_DESTINATION_NPI => Self::Configuration,

            Status::INVALID_COMMAND_LENGTH
            | Status::INVALID_COMMAND_ID
            | Status::INVALID_MESSAGE_LENGTH
            | Status::INVALID_TLV_STREAM
            | Status::TLV_NOT_ALLOWED
            | Status::INVALID_TLV_LENGTH
            | Status::MISSING_TLV
            | Status::INVALID_TLV_VALUE => Self::Bug,

            Status::INVALID_DESTINATION
            | Status::INVALID_MESSAGE_ID
            | Status::CANCEL_FAILED
            | Status::REPLACE_FAILED
            | Status::INVALID_SERVICE_TYPE
            | Status::INVALID_DESTINATION_COUNT
            | Status::INVALID_LIST_NAME
            | Status::INVALID_DESTINATION_FLAG
            | Status::INVALID_REPLACE_REQUEST
            | Status::INVALID_ESM_CLASS
            | Status::CANNOT_SUBMIT_TO_LIST
            | Status::INVALID_REPLACE_FLAG
            | Status::INVALID_MESSAGE_COUNT
            | Status::INVALID_SCHEDULE
            | Status::INVALID_EXPIRY
            | Status::INVALID_DEFAULT_MESSAGE
            | Status::PERMANENT_APPLICATION_ERROR
            | Status::REJECTED_BY_APPLICATION
            | Status::QUERY_FAILED
            | Status(0x100..=0x112) => Self::Permanent,

            Status(_) => Self::Unclear,
        }
    }
}

/// A carrier's exceptions from the table, as configured: `"0x401" = "throttled"`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Exceptions(BTreeMap<u32, Class>);

impl Exceptions {
    /// The class of a status at this carrier.
    pub fn class_of(&self, status: Status) -> Class {
        self.0.get(&status.0).copied().unwrap_or(Class::of(status))
    }
}

impl<'de> Deserialize<'de> for Exceptions {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        BTreeMap::<String, Class>::deserialize(from)?
            .into_iter()
            .map(|(written, class)| {
                let number = match written.strip_prefix("0x") {
                    Some(digits) => u32::from_str_radix(digits, 16),
                    None => written.parse(),
                };
                match (number, class) {
                    (Err(_), _) => Err(D::Error::custom(format!(
                        "{written:?} is no command_status; write it as in \"0x58\" or \"88\""
                    ))),
                    (Ok(0), _) => Err(D::Error::custom(
                        "command_status 0 means accepted and nothing else",
                    )),
                    (Ok(_), Class::Accepted) => Err(D::Error::custom(format!(
                        "only command_status 0 means accepted; {written} cannot"
                    ))),
                    (Ok(number), class) => Ok((number, class)),
                }
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// What an answer to a submit comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Verdict {
    /// For the driver; `None` stands for accepted, with the id that the caller reads from the body.
    pub(super) answer: Option<SubmitAnswer>,
    /// Whether the session must be bound anew.
    pub(super) bind_again: bool,
    /// A line for the log, where a human must look.
    pub(super) remark: Option<String>,
}

/// Sorts the answer to a submit.
pub(super) fn verdict(
    exceptions: &Exceptions,
    status: Status,
    tlvs: Tlvs<'_>,
    is_nack: bool,
) -> Verdict {
    let class = match status {
        // A nack without an error accepts nothing; and a peer that has lost the framing says little about the message.
        Status::OK | Status::INVALID_COMMAND_LENGTH if is_nack => Class::Unclear,
        Status::DELIVERY_FAILED => by_failure_reason(tlvs.octet(Tag::DELIVERY_FAILURE_REASON))
            .unwrap_or(exceptions.class_of(status)),
        other => exceptions.class_of(other),
    };
    let refusal = || refusal(status, tlvs);
    let again = |pause| {
        Some(SubmitAnswer::TryAgain {
            pause,
            refusal: refusal(),
        })
    };
    let answer = match class {
        Class::Accepted => None,
        Class::Throttled => again(Pause::Throttled),
        Class::QueueFull => again(Pause::QueueFull),
        Class::Transient | Class::Session => again(Pause::Transient),
        Class::Unclear => again(Pause::Unclear),
        Class::Permanent | Class::Configuration | Class::Bug => {
            Some(SubmitAnswer::Never(refusal()))
        }
    };
    let remark = match class {
        Class::Configuration => Some(format!(
            "the SMSC refuses a message with {status}: look at the settings of this lane"
        )),
        Class::Bug => Some(format!(
            "the SMSC refuses the form of a message with {status}: this should not happen"
        )),
        _ => None,
    };
    Verdict {
        answer,
        bind_again: class == Class::Session
            || (is_nack && status == Status::INVALID_COMMAND_LENGTH),
        remark,
    }
}

/// delivery_failure_reason (5.3.2.33): unavailable and temporary may pass, invalid and permanent do not.
const fn by_failure_reason(reason: Option<u8>) -> Option<Class> {
    match reason {
        Some(0 | 3) => Some(Class::Transient),
        Some(1 | 2) => Some(Class::Permanent),
        _ => None,
    }
}

/// The SMSC's code, with its own words if it gave some, else with the code's name.
fn refusal(status: Status, tlvs: Tlvs<'_>) -> Refusal {
    let text = match tlvs.c_octets(Tag::ADDITIONAL_STATUS_INFO_TEXT) {
        Some(words) if !words.is_empty() => words.escape_ascii().to_string(),
        _ => status.to_string(),
    };
    Refusal::new(Some(status.0), &text)
}

/// When to come back after a refused bind.
pub(super) const fn retry_of_bind(status: Status) -> Retry {
    match status {
        Status::ALREADY_BOUND => Retry::OldSessionLives,
        Status::BIND_FAILED
        | Status::INVALID_PASSWORD
        | Status::INVALID_SYSTEM_ID
        | Status::INVALID_SYSTEM_TYPE
        | Status::PROHIBITED => Retry::Refused,
        _ => Retry::Soon,
    }
}

/// What a refused bind means, for people.
pub(super) const fn reason_of_bind(status: Status) -> &'static str {
    match status {
        Status::ALREADY_BOUND => "the SMSC still holds a session of this system_id",
        Status::INVALID_PASSWORD => "the password is wrong",
        Status::INVALID_SYSTEM_ID => "the system_id is unknown",
        Status::INVALID_SYSTEM_TYPE => "the system_type is wrong",
        Status::BIND_FAILED => "the login is not allowed, without saying why",
        Status::THROTTLED => "we bind too often",
        Status::INVALID_COMMAND_ID => {
            "it does not know this kind of bind; set bind to transmitter or receiver"
        }
        _ => "the bind failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(status: Status) -> Verdict {
        verdict(&Exceptions::default(), status, Tlvs::default(), false)
    }

    #[test]
    fn every_known_status_has_the_class_of_the_table() {
        use Class::{
            Accepted, Bug, Configuration, Permanent, QueueFull, Session, Throttled, Transient,
            Unclear,
        };
        // In the order of their numbers.
        let expected = [
            Accepted,
            Bug,
            Bug,
            Bug,
            Session,
            Session,
            Configuration,
            Configuration,
            Transient,
            Configuration,
            Permanent,
            Permanent,
            Configuration,
            Configuration,
            Configuration,
            Permanent,
            Permanent,
            QueueFull,
            Permanent,
            Permanent,
            Permanent,
            Permanent,
            Permanent,
            Permanent,
            Permanent,
            Unclear,
            Configuration,
            Configuration,
            Configuration,
            Configuration,
            Configuration,
            Permanent,
            Permanent,
            Throttled,
            Permanent,
            Permanent,
            Permanent,
            Transient,
            Permanent,
            Permanent,
            Permanent,
            Bug,
            Bug,
            Bug,
            Bug,
            Bug,
            Unclear,
            Unclear,
        ];
        let (known, v5) = Status::KNOWN.split_at(expected.len());
        for (status, class) in known.iter().zip(expected) {
            assert_eq!(Class::of(*status), class, "{status}");
        }
        for status in v5 {
            let passes = *status == Status::SERVICE_UNAVAILABLE;
            assert_eq!(Class::of(*status) == Transient, passes, "{status}");
        }
        assert_eq!(Class::of(Status(0x400)), Unclear);
    }

    #[test]
    fn answers_say_what_is_to_be_done() {
        let again = |status, pause| {
            let verdict = sorted(status);
            matches!(verdict.answer, Some(SubmitAnswer::TryAgain { pause: found, .. }) if found == pause)
        };
        assert!(again(Status::THROTTLED, Pause::Throttled));
        assert!(again(Status::QUEUE_FULL, Pause::QueueFull));
        assert!(again(Status::SYSTEM_ERROR, Pause::Transient));
        assert!(again(Status::SUBMIT_FAILED, Pause::Unclear));
        assert!(
            again(Status::WRONG_BIND_STATE, Pause::Transient)
                && sorted(Status::WRONG_BIND_STATE).bind_again
        );
        let never = sorted(Status::INVALID_DESTINATION);
        assert_eq!(
            never.answer,
            Some(SubmitAnswer::Never(Refusal::new(Some(0x0B), "RINVDSTADR")))
        );
        assert_eq!((never.bind_again, never.remark), (false, None));
        assert!(sorted(Status::INVALID_SOURCE).remark.is_some());
        assert_eq!(sorted(Status::OK).answer, None);
    }

    #[test]
    fn a_nack_never_accepts() {
        let nack = |status| verdict(&Exceptions::default(), status, Tlvs::default(), true);
        assert!(matches!(
            nack(Status::OK).answer,
            Some(SubmitAnswer::TryAgain { .. })
        ));
        assert!(nack(Status::INVALID_COMMAND_LENGTH).bind_again);
        assert!(!nack(Status::THROTTLED).bind_again);
    }

    #[test]
    fn tlvs_tell_more() {
        let mut tlvs = crate::codec::smpp::TlvList::new();
        tlvs.octet(Tag::DELIVERY_FAILURE_REASON, 1);
        tlvs.c_octets(Tag::ADDITIONAL_STATUS_INFO_TEXT, b"No such user")
            .unwrap();
        let verdict = verdict(
            &Exceptions::default(),
            Status::DELIVERY_FAILED,
            tlvs.as_tlvs(),
            false,
        );
        assert_eq!(
            verdict.answer,
            Some(SubmitAnswer::Never(Refusal::new(
                Some(0xFE),
                "No such user"
            )))
        );
    }

    #[test]
    fn a_carriers_exceptions_come_first_and_cannot_accept() {
        #[derive(Deserialize)]
        struct Lane {
            answers: Exceptions,
        }
        let lane: Lane =
            toml::from_str("answers = { '0x401' = 'throttled', '11' = 'transient' }").unwrap();
        assert_eq!(lane.answers.class_of(Status(0x401)), Class::Throttled);
        assert_eq!(
            lane.answers.class_of(Status::INVALID_DESTINATION),
            Class::Transient
        );
        assert_eq!(lane.answers.class_of(Status(0x402)), Class::Unclear);
        for wrong in [
            "'x' = 'throttled'",
            "'0' = 'transient'",
            "'1' = 'accepted'",
            "'1' = 'sometimes'",
        ] {
            assert!(toml::from_str::<Lane>(&format!("answers = {{ {wrong} }}")).is_err());
        }
    }

    #[test]
    fn refused_binds_are_told_apart() {
        assert_eq!(retry_of_bind(Status::ALREADY_BOUND), Retry::OldSessionLives);
        assert_eq!(retry_of_bind(Status::INVALID_PASSWORD), Retry::Refused);
        assert_eq!(retry_of_bind(Status::SYSTEM_ERROR), Retry::Soon);
        assert_eq!(
            reason_of_bind(Status::INVALID_PASSWORD),
            "the password is wrong"
        );
    }
}
