//! Reports on messages, and the dialects in which carriers tell them.

use bytes::Bytes;
use serde::{Deserialize, Deserializer};

use crate::clock::WallTime;
use crate::codec::cimd2::StatusCode;
use crate::codec::smpp::{Civil, MessageState};

/// How an account's reports look.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Style {
    /// SMPP: where the report is told.
    pub form: Form,
    /// SMPP: how its text is written.
    pub text: Template,
    /// SMPP: how the answer to a submit writes the message's id.
    pub id_in_answer: IdForm,
    /// SMPP: how a report writes it.
    pub id_in_report: IdForm,
    /// SMPP: which operation carries it.
    pub carrier: Carrier,
    /// SMPP: whether esm_class says that it is a report.
    pub marked: bool,
    /// Whether a report that is due at once comes before the answer to its submit.
    pub before_answer: bool,
    /// CIMD2: how it writes the destination.
    pub plus: Plus,
    /// CIMD2: whether it names the originator, as newer releases do.
    pub originator: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            form: Form::default(),
            text: Template::default(),
            id_in_answer: IdForm::default(),
            id_in_report: IdForm::default(),
            carrier: Carrier::default(),
            marked: true,
            before_answer: false,
            plus: Plus::default(),
            originator: false,
        }
    }
}

/// Where an SMPP report is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// In its text only.
    Text,
    /// In TLVs only.
    Tlv,
    /// In both.
    #[default]
    Both,
}

/// Which SMPP operation carries a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carrier {
    /// deliver_sm.
    #[default]
    DeliverSm,
    /// data_sm.
    DataSm,
}

/// How a CIMD2 report writes an international destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plus {
    /// As the submit did.
    #[default]
    AsSubmitted,
    /// With a `+`.
    With,
    /// Without.
    Without,
}

impl Plus {
    /// The address as this says.
    pub(super) fn write(self, submitted: &[u8]) -> Vec<u8> {
        let plain = submitted.strip_prefix(b"+").unwrap_or(submitted);
        match self {
            Self::AsSubmitted => submitted.to_vec(),
            Self::Without => plain.to_vec(),
            Self::With => [b"+", plain].concat(),
        }
    }
}

/// How an SMPP message id is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdForm {
    /// `1234`.
    #[default]
    Decimal,
    /// `0000001234`.
    PaddedDecimal,
    /// `4d2`.
    Hex,
    /// `4D2`.
    UpperHex,
    /// `000004D2`.
    PaddedHex,
}

impl IdForm {
    /// An id as octets.
    pub fn write(self, id: u64) -> Vec<u8> {
        match self {
            Self::Decimal => format!("{id}"),
            Self::PaddedDecimal => format!("{id:010}"),
            Self::Hex => format!("{id:x}"),
            Self::UpperHex => format!("{id:X}"),
            Self::PaddedHex => format!("{id:08X}"),
        }
        .into_bytes()
    }

    /// The id of octets in this form.
    pub fn read(self, octets: &[u8]) -> Option<u64> {
        let text = std::str::from_utf8(octets).ok()?;
        match self {
            Self::Decimal | Self::PaddedDecimal => text.parse().ok(),
            Self::Hex | Self::UpperHex | Self::PaddedHex => u64::from_str_radix(text, 16).ok(),
        }
    }
}

/// The text of an SMPP report: `{id}`, `{sub}`, `{dlvrd}`, `{submit}` and `{done}` (10 digits), `{submit12}` and
/// `{done12}` (12), `{done14}` (with the century), `{state}`, `{err}`, `{text}` stand for what they say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Template(String);

impl Template {
    const STANDARD: &str = "id:{id} sub:{sub} dlvrd:{dlvrd} submit date:{submit} done date:{done} stat:{state} err:{err} text:{text}";
    const SHORT: &str = "id:{id} done date:{done12} stat:{state} err:{err}";
    const REORDERED: &str =
        "Stat:{state} ID:{id} Err:{err} Done Date:{done14} Submit Date:{submit12} Text:{text}";
}

impl Default for Template {
    fn default() -> Self {
        Self(Self::STANDARD.into())
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = String::deserialize(from)?;
        Ok(Self(match written.as_str() {
            "standard" => Self::STANDARD.into(),
            "short" => Self::SHORT.into(),
            "reordered" => Self::REORDERED.into(),
            own if own.contains("{id}") => own.into(),
            other => {
                return Err(serde::de::Error::custom(format!(
                    "{other:?} is no text of a report: write standard, short, reordered, or a text with {{id}} in it"
                )));
            }
        }))
    }
}

/// What is to be told of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Which message.
    pub id: u64,
    /// Its service centre time stamp: seconds of the SMSC's local time.
    pub stamp: u64,
    /// Who wrote it, as submitted.
    pub source: Written,
    /// For whom it was, as submitted.
    pub destination: Written,
    /// How far it has come.
    pub state: MessageState,
    /// Whether more is to come.
    pub intermediate: bool,
    /// Whether its sender took it out.
    pub cancelled: bool,
    /// The network's reason.
    pub error: u16,
    /// When it was submitted, as the SMSC's clock shows it.
    pub submitted: WallTime,
    /// When it came to this state, as the SMSC's clock shows it.
    pub done: WallTime,
    /// How it begins.
    pub text: Bytes,
}

/// An address as a client wrote it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Written {
    /// Type of number; 0 in CIMD2.
    pub ton: u8,
    /// Numbering plan; 0 in CIMD2.
    pub npi: u8,
    /// Its octets.
    pub octets: Bytes,
}

impl Written {
    /// For people, and for looking up a phone.
    pub fn text(&self) -> String {
        self.octets.iter().map(|&octet| char::from(octet)).collect()
    }
}

impl Report {
    /// An absent subscriber, in CIMD2's numbers.
    pub(super) const ABSENT: u16 = 29;
    /// The same, in those of GSM's networks, which SMPP carries.
    const ABSENT_IN_GSM: u16 = 27;

    /// The reason as SMPP tells it: a phone that is away for a while has its own number there.
    pub(super) const fn error_in_smpp(&self) -> u16 {
        if self.intermediate && self.error == Self::ABSENT {
            Self::ABSENT_IN_GSM
        } else {
            self.error
        }
    }

    /// Its text in a dialect.
    pub(super) fn write(&self, style: &Style) -> Vec<u8> {
        let delivered = u8::from(self.state == MessageState::Delivered);
        let (submitted, done) = (Civil::of(self.submitted, 0), Civil::of(self.done, 0));
        let id = String::from_utf8_lossy(&style.id_in_report.write(self.id)).into_owned();
        let beginning: String = self.text.iter().map(|&octet| char::from(octet)).collect();
        let filled = style
            .text
            .0
            .replace("{id}", &id)
            .replace("{sub}", "001")
            .replace("{dlvrd}", &format!("{delivered:03}"))
            .replace("{submit}", &submitted.digits()[..10])
            .replace("{submit12}", &submitted.digits())
            .replace("{done}", &done.digits()[..10])
            .replace("{done12}", &done.digits())
            .replace("{done14}", &format!("20{}", done.digits()))
            .replace("{state}", self.state.word())
            .replace("{err}", &format!("{:03}", self.error_in_smpp()))
            .replace("{text}", &beginning);
        filled
            .chars()
            .map(|c| u8::try_from(c).unwrap_or(b'?'))
            .collect()
    }

    /// CIMD2's word for the state.
    pub(super) const fn status(&self) -> StatusCode {
        Self::status_of(self.state, self.cancelled)
    }

    /// CIMD2's word for a state.
    pub(super) const fn status_of(state: MessageState, cancelled: bool) -> StatusCode {
        match state {
            MessageState::Scheduled | MessageState::EnRoute => StatusCode::IN_PROCESS,
            MessageState::Delivered | MessageState::Accepted => StatusCode::DELIVERED,
            MessageState::Expired => StatusCode::EXPIRED,
            MessageState::Deleted if cancelled => StatusCode::DELETED_BY_CANCEL,
            MessageState::Deleted => StatusCode::DELETED_BY_OPERATOR,
            MessageState::Undeliverable | MessageState::Rejected | MessageState::Skipped => {
                StatusCode::FAILED
            }
            MessageState::Unknown => StatusCode::NO_RESPONSE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::smpp::Receipt;

    fn report() -> Report {
        Report {
            id: 1234,
            stamp: 0,
            source: Written::default(),
            destination: Written::default(),
            state: MessageState::Undeliverable,
            intermediate: false,
            cancelled: false,
            error: 29,
            submitted: WallTime::from_unix_ms(1_795_248_785_000),
            done: WallTime::from_unix_ms(1_795_248_845_000),
            text: Bytes::from_static(b"Hello"),
        }
    }

    #[test]
    fn each_dialect_says_the_same_in_its_own_way() {
        for text in [
            "standard",
            "short",
            "reordered",
            "{state}: id:{id} stat:{state}",
        ] {
            let style: Style =
                toml::from_str(&format!("text = '{text}'\nid_in_report = 'hex'")).unwrap();
            let written = report().write(&style);
            let read = Receipt::scan(&written);
            assert_eq!(read.id, Some(&b"4d2"[..]), "{text}");
            assert_eq!(read.state(), Some(MessageState::Undeliverable), "{text}");
        }
        assert_eq!(
            report().write(&Style::default()),
            b"id:1234 sub:001 dlvrd:000 submit date:2611210813 done date:2611210814 stat:UNDELIV err:029 text:Hello"
        );
        assert!(toml::from_str::<Style>("text = 'nothing'").is_err());
    }

    #[test]
    fn ids_are_read_as_they_are_written() {
        for form in [
            IdForm::Decimal,
            IdForm::PaddedDecimal,
            IdForm::Hex,
            IdForm::UpperHex,
            IdForm::PaddedHex,
        ] {
            assert_eq!(form.read(&form.write(0xABCD)), Some(0xABCD));
        }
        assert_eq!(IdForm::PaddedHex.write(1234), b"000004D2");
    }
}
