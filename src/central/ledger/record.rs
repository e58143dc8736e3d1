//! What the ledger writes down: letters, tracks, parts and strays, as JSON, so that a newer program may add to them.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::super::config::CentralConfig;
use super::super::cutting::Letter;
use crate::clock::WallTime;
use crate::message::{
    CarrierAddress, Outcome, Party, PhoneNumber, Priority, Refused, ReportState, ReportWish,
    SenderName, ShortCode, SmscId, UserName,
};
use crate::private::Private;
use crate::store::StoreError;

/// A party, as it is written down.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::central) enum Named {
    Phone(PhoneNumber),
    Code(ShortCode),
    Name(String),
    User(UserName),
    Carrier(u8, u8, Vec<u8>),
}

impl From<&Party> for Named {
    fn from(party: &Party) -> Self {
        match party {
            Party::Phone(number) => Self::Phone(number.clone()),
            Party::ShortCode(code) => Self::Code(code.clone()),
            Party::Name(name) => Self::Name(name.as_str().to_owned()),
            Party::User(name) => Self::User(name.clone()),
            Party::Carrier(address) => {
                Self::Carrier(address.ton, address.npi, address.octets().to_vec())
            }
        }
    }
}

impl TryFrom<Named> for Party {
    type Error = Refused;
    fn try_from(named: Named) -> Result<Self, Refused> {
        Ok(match named {
            Named::Phone(number) => Self::Phone(number),
            Named::Code(code) => Self::ShortCode(code),
            Named::Name(name) => Self::Name(SenderName::new(&name)?),
            Named::User(name) => Self::User(name),
            Named::Carrier(ton, npi, octets) => {
                Self::Carrier(CarrierAddress::new(ton, npi, octets.into())?)
            }
        })
    }
}

/// A letter in the backlog.
#[derive(Serialize, Deserialize)]
pub(super) struct LetterRecord {
    id: u128,
    from: Named,
    to: Named,
    text: String,
    report: u8,
    priority: u8,
    #[serde(default)]
    valid_until: Option<WallTime>,
}

impl LetterRecord {
    pub(super) fn of(letter: &Letter) -> Self {
        Self {
            id: letter.id,
            from: (&letter.sender).into(),
            to: (&letter.recipient).into(),
            text: letter.text.expose().clone(),
            report: letter.report.number(),
            priority: letter.priority.number(),
            valid_until: letter.valid_until,
        }
    }

    pub(super) fn letter(self) -> Result<Letter, StoreError> {
        let odd = |why: Refused| unreadable("a waiting text", why);
        Ok(Letter {
            id: self.id,
            sender: self.from.try_into().map_err(odd)?,
            recipient: self.to.try_into().map_err(odd)?,
            text: Private::new(self.text),
            report: ReportWish::from_number(self.report).unwrap_or_default(),
            priority: Priority::from_number(self.priority).unwrap_or_default(),
            valid_until: self.valid_until,
        })
    }
}

/// How a message fared.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(in crate::central) struct Track {
    pub(in crate::central) from: Named,
    pub(in crate::central) to: Named,
    /// The key that it was handed in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::central) key: Option<String>,
    /// Whether its fate is wanted.
    pub(in crate::central) wish: bool,
    /// It is the IM service's, which is told one fate of it, in any case.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::central) of_service: bool,
    /// The IM service was told that fate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::central) told: bool,
    /// When it was taken.
    pub(in crate::central) taken_at: WallTime,
    /// The lane that it was put on, with its ring's epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::central) lane: Option<(String, u64)>,
    /// Its parts, once it is on a lane.
    #[serde(default)]
    pub(in crate::central) parts: Vec<PartTrack>,
    /// What became of it before it was put on a lane, or last.
    #[serde(default)]
    pub(in crate::central) state: State,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(in crate::central) why: String,
    /// When it can go.
    pub(in crate::central) expires: WallTime,
}

/// One part on its lane.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(in crate::central) struct PartTrack {
    pub(in crate::central) sequence: u64,
    pub(in crate::central) placed_at: WallTime,
    /// When it was put on the link, and when the edge had it; nothing if central was restarted between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::central) sent_at: Option<WallTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::central) confirmed_at: Option<WallTime>,
    /// How it ended at the SMSC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::central) ended: Option<Ending>,
    /// The carrier's last word on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::central) report: Option<Told>,
}

/// The SMSC's answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(in crate::central) struct Ending {
    pub(in crate::central) at: WallTime,
    pub(in crate::central) outcome: String,
    /// Under which name the carrier has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::central) id: Vec<u8>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(in crate::central) why: String,
}

impl Ending {
    pub(super) fn of(outcome: &Outcome, at: WallTime) -> Self {
        let (id, why) = match outcome {
            Outcome::Accepted(id) => (id.octets().to_vec(), String::new()),
            Outcome::Refused(refusal) => (Vec::new(), refusal.to_string()),
            Outcome::Expired | Outcome::Doubtful | Outcome::Lost => (Vec::new(), String::new()),
        };
        Self {
            at,
            outcome: outcome.as_str().to_owned(),
            id,
            why,
        }
    }
}

/// A report on one part.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(in crate::central) struct Told {
    pub(in crate::central) at: WallTime,
    pub(in crate::central) state: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::central) error: Option<u32>,
}

/// How far a message has come, all its parts together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::central) enum State {
    /// It waits for a lane.
    #[default]
    Waiting,
    /// It is on a lane.
    UnderWay,
    /// The SMSC has all of it.
    Sent,
    /// The phone has all of it.
    Delivered,
    /// The SMSC does not take it, or no route leads there.
    Refused,
    /// Its validity ended.
    Expired,
    /// The phone cannot be reached, for good.
    Undeliverable,
    /// Somebody took it out.
    Deleted,
    /// The network refused it.
    Rejected,
    /// The SMSC may or may not have it, and it is not offered again.
    Doubtful,
    /// It was damaged at both ends.
    Lost,
}

impl State {
    /// As it is told.
    pub(in crate::central) const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::UnderWay => "under_way",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Undeliverable => "undeliverable",
            Self::Deleted => "deleted",
            Self::Rejected => "rejected",
            Self::Doubtful => "doubtful",
            Self::Lost => "lost",
        }
    }

    const fn of_report(state: ReportState) -> Option<Self> {
        Some(match state {
            ReportState::Delivered => Self::Delivered,
            ReportState::Expired => Self::Expired,
            ReportState::Deleted => Self::Deleted,
            ReportState::Undeliverable => Self::Undeliverable,
            ReportState::Rejected => Self::Rejected,
            ReportState::EnRoute | ReportState::Accepted | ReportState::Unknown => return None,
        })
    }

    fn of_outcome(word: &str) -> Self {
        match word {
            "accepted" => Self::Sent,
            "refused" => Self::Refused,
            "expired" => Self::Expired,
            "lost" => Self::Lost,
            _ => Self::Doubtful,
        }
    }
}

impl PartTrack {
    fn state(&self) -> State {
        let reported = self
            .report
            .as_ref()
            .and_then(|told| ReportState::from_number(told.state))
            .and_then(State::of_report);
        match (&self.ended, reported) {
            (_, Some(state)) => state,
            (Some(ended), None) => State::of_outcome(&ended.outcome),
            (None, None) => State::UnderWay,
        }
    }
}

impl Track {
    /// Of a text that is taken now.
    pub(super) fn of(letter: &Letter, now: WallTime, config: &CentralConfig) -> Self {
        Self {
            from: (&letter.sender).into(),
            to: (&letter.recipient).into(),
            key: None,
            wish: letter.report != ReportWish::None,
            of_service: false,
            told: false,
            taken_at: now,
            lane: None,
            parts: Vec::new(),
            state: State::Waiting,
            why: String::new(),
            expires: letter.valid_until.unwrap_or(now) + config.tracking.retention,
        }
    }

    /// How far all parts together have come. A part that will never arrive decides for all; else the one that is
    /// furthest behind.
    pub(super) fn of_parts(&self) -> State {
        let states = || self.parts.iter().map(PartTrack::state);
        if let Some(bad) = states().find(|state| {
            !matches!(
                state,
                State::Waiting | State::UnderWay | State::Sent | State::Delivered
            )
        }) {
            return bad;
        }
        if states().any(|state| state == State::UnderWay) {
            State::UnderWay
        } else if states().any(|state| state == State::Sent) {
            State::Sent
        } else {
            State::Delivered
        }
    }

    /// The SMSC's or the network's reason, for people.
    pub(super) fn reason(&self) -> String {
        let reason = self.parts.iter().find_map(|part| {
            let error = part.report.as_ref().and_then(|told| told.error);
            match (&part.ended, error) {
                (Some(ended), _) if !ended.why.is_empty() => Some(ended.why.clone()),
                (_, Some(error)) if error != 0 => Some(format!("network error {error}")),
                _ => None,
            }
        });
        reason.unwrap_or_default()
    }
}

/// A part of a long message, kept until the others come.
#[derive(Serialize, Deserialize)]
pub(super) struct PartRecord {
    pub(super) lane: String,
    /// The item as it lay in the slot.
    pub(super) item: Vec<u8>,
}

/// Something that belongs to nobody.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(in crate::central) struct Stray {
    pub(in crate::central) at: WallTime,
    pub(in crate::central) lane: String,
    /// The item as it lay in the slot.
    pub(in crate::central) item: Vec<u8>,
    /// Why nobody has it, in words.
    pub(in crate::central) why: String,
}

/// What is counted, so that nobody has to walk over all of it at a start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Counters {
    pub(super) waiting: u64,
    pub(super) last_entry: u64,
    pub(super) first_entry: u64,
    #[serde(default)]
    pub(super) last_errand: u64,
    /// Of those that wait, the IM service's.
    #[serde(default)]
    pub(super) of_service: u64,
}

pub(super) fn write(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value)
        .expect("records have a JSON form")
        .into()
}

pub(super) fn read<T: DeserializeOwned>(
    what: &'static str,
    value: &Bytes,
) -> Result<T, StoreError> {
    serde_json::from_slice(value).map_err(|why| unreadable(what, why))
}

fn unreadable(what: &'static str, why: impl std::fmt::Display) -> StoreError {
    StoreError::Record {
        what,
        why: why.to_string(),
    }
}

/// The name in the form of an index, of one that was written down.
pub(super) fn smsc_id(octets: &[u8]) -> SmscId {
    SmscId::new(Bytes::copy_from_slice(octets)).unwrap_or_default()
}
