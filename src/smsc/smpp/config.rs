//! What a carrier's account needs: login, timers, and the many ways in which carriers differ.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::answers::Exceptions;
use super::ids::IdRules;
use super::options::{
    BindKind, ConcatForm, ExtraTlv, Numbering, Oversize, PhoneMeaning, State, TlvUse, Unmappable,
    Version,
};
use crate::codec::smpp::{Alphabet, COctets, HEADER, MAX_FRAME, Status, Tag, TlvList};
use crate::message::Refused;
use crate::private::Private;

/// The settings of one SMPP session. All have defaults but `system_id`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who logs in: 1 to 15 octets. No default.
    pub system_id: String,
    /// The password: up to 8 octets by the specification, up to 64 as carriers hand out. Default empty.
    #[serde(deserialize_with = "private")]
    pub password: Private<String>,
    /// Which kind of ESME; most carriers want it empty. Default empty.
    pub system_type: String,
    /// Whether the session submits, receives, or both. Default `transceiver`.
    pub bind: BindKind,
    /// The version that is offered. Default `3.4`.
    pub interface_version: Version,
    /// Which addresses the session serves, where the carrier asks for it: type of number. Default 0.
    pub addr_ton: u8,
    /// The same: numbering plan. Default 0.
    pub addr_npi: u8,
    /// The same: the addresses, up to 40 octets. Default empty.
    pub address_range: String,

    /// How long the answer to our bind may take. Default 10 s.
    #[serde(deserialize_with = "crate::smsc::duration::deserialize")]
    pub session_init_timeout: Duration,
    /// After how long a silence of the peer the line is probed; up to a tenth earlier, so that lanes do not probe all at
    /// once. Carriers cut idle sessions after 30 s to 5 min. Default 20 s.
    #[serde(deserialize_with = "crate::smsc::duration::deserialize")]
    pub enquire_link_interval: Duration,
    /// How long the answer to a probe may take; then the connection ends. Default 10 s.
    #[serde(deserialize_with = "crate::smsc::duration::deserialize")]
    pub enquire_link_timeout: Duration,
    /// How long the answer to a submit may take; then the connection ends, and the message is in doubt. Default 30 s.
    #[serde(deserialize_with = "crate::smsc::duration::deserialize")]
    pub submit_timeout: Duration,
    /// After how long without an octet the connection ends, whatever else waits. Default `enquire_link_interval` and
    /// the longest one of the three timeouts above.
    #[serde(deserialize_with = "crate::smsc::duration::deserialize_some")]
    pub inactivity_timeout: Option<Duration>,
    /// How long the rest of a begun PDU may take. Default 10 s.
    #[serde(deserialize_with = "crate::smsc::duration::deserialize")]
    pub partial_pdu_timeout: Duration,
    /// How long the answer to our unbind may take. Default 5 s.
    #[serde(deserialize_with = "crate::smsc::duration::deserialize")]
    pub unbind_timeout: Duration,
    /// The longest PDU that is taken, in octets. Default 70,000.
    pub max_pdu: usize,

    /// How many deliveries of the SMSC may wait here while one is being stored; then reading stops. Default 64.
    pub max_waiting_deliveries: usize,
    /// How many parts one delivery may be cut into; a longer one is refused for good. Default 64, at most 255: the
    /// parts must fit into the ring together.
    pub max_parts: usize,
    /// The command_status that asks the SMSC to deliver again later. Default 0x64 (RX_T_APPN).
    pub not_now_status: u32,
    /// The command_status of the answer to a delivery that cannot be read. Default 0x02 (RINVCMDLEN).
    pub malformed_status: u32,
    /// Whether a delivery whose text looks like a receipt (`id:` and `stat:`) is one, though esm_class does not say so.
    /// Default no.
    pub receipts_by_text: bool,
    /// What the words (or names of TLV states) in receipts mean at this carrier, where it is not what they say:
    /// `{ ACCEPTD = "delivered" }`. Default none.
    pub receipt_states: BTreeMap<String, State>,
    /// What the reasons in receipts (`err:`, or the number in network_error_code) say of the phone at this carrier:
    /// `off`, `absent`, `reachable` or `nothing`, as in `{ 027 = "absent" }`. Default none; then only GSM's own numbers in
    /// network_error_code say something.
    pub receipt_errors: BTreeMap<String, PhoneMeaning>,
    /// How message ids are written. Default as they are, in both places.
    pub message_id: IdRules,

    /// What data_coding 0 means in what the SMSC delivers. Default `gsm7`.
    pub deliver_alphabet: Alphabet,
    /// What data_coding 0 means in what we submit. Default `gsm7`.
    pub submit_alphabet: Alphabet,
    /// The data_coding that stands for that alphabet in what we submit. Default 0.
    pub submit_data_coding: u8,
    /// What becomes of a text that this alphabet does not have. Default `ucs2`.
    pub unmappable: Unmappable,
    /// How parts of long messages are marked in what we submit. Default `udh`.
    pub concat: ConcatForm,
    /// What becomes of a message that one SMS cannot carry. Default `payload`.
    pub oversize: Oversize,
    /// Whether TLVs are sent. Default `auto`: if the SMSC said that it speaks 3.4 or later.
    pub tlvs: TlvUse,
    /// TLVs that go with every submit, as some carriers demand. Default none.
    pub extra_tlvs: Vec<ExtraTlv>,

    /// How phones' numbers are marked in what we submit. Default 1, 1 (international).
    pub phone: Numbering,
    /// How short codes are marked. Default 3, 0 (network specific).
    pub short_code: Numbering,
    /// How names are marked. Default 5, 0 (alphanumeric).
    pub name: Numbering,
    /// The country of numbers that the SMSC delivers in national form. Default none: they are kept as they are.
    pub country_code: Option<String>,

    /// service_type of what we submit, up to 5 octets. Default empty.
    pub service_type: String,
    /// priority_flag for low, normal, high and urgent. Default 0, 0, 2, 3.
    pub priorities: [u8; 4],
    /// Whether a message's validity is told to the SMSC. Default yes.
    pub send_validity: bool,
    /// The longest validity that the carrier takes; longer ones are cut to it. Default 31 days, the longest that can be
    /// said.
    #[serde(deserialize_with = "crate::smsc::duration::deserialize")]
    pub max_validity: Duration,
    /// What command_status means at this carrier, where it differs from the table: `{ "0x401" = "throttled" }`. Default
    /// none.
    pub answers: Exceptions,
}

impl Default for Config {
    fn default() -> Self {
        let numbering = |ton, npi| Numbering { ton, npi };
        Self {
            system_id: String::new(),
            password: Private::default(),
            system_type: String::new(),
            bind: BindKind::Transceiver,
            interface_version: Version::V3_4,
            addr_ton: 0,
            addr_npi: 0,
            address_range: String::new(),
            session_init_timeout: Duration::from_secs(10),
            enquire_link_interval: Duration::from_secs(20),
            enquire_link_timeout: Duration::from_secs(10),
            submit_timeout: Duration::from_secs(30),
            inactivity_timeout: None,
            partial_pdu_timeout: Duration::from_secs(10),
            unbind_timeout: Duration::from_secs(5),
            max_pdu: MAX_FRAME,
            max_waiting_deliveries: 64,
            max_parts: 64,
            not_now_status: Status::TEMPORARY_APPLICATION_ERROR.0,
            malformed_status: Status::INVALID_COMMAND_LENGTH.0,
            receipts_by_text: false,
            receipt_states: BTreeMap::new(),
            receipt_errors: BTreeMap::new(),
            message_id: IdRules::default(),
            deliver_alphabet: Alphabet::Gsm7,
            submit_alphabet: Alphabet::Gsm7,
            submit_data_coding: 0,
            unmappable: Unmappable::Ucs2,
            concat: ConcatForm::Udh,
            oversize: Oversize::Payload,
            tlvs: TlvUse::Auto,
            extra_tlvs: Vec::new(),
            phone: numbering(1, 1),
            short_code: numbering(3, 0),
            name: numbering(5, 0),
            country_code: None,
            service_type: String::new(),
            priorities: [0, 0, 2, 3],
            send_validity: true,
            max_validity: Duration::from_secs(31 * 86_400),
            answers: Exceptions::default(),
        }
    }
}

fn private<'de, D: Deserializer<'de>>(from: D) -> Result<Private<String>, D::Error> {
    let secret =
        String::deserialize(from).map_err(|_| D::Error::custom("a password is a string"))?;
    Ok(Private::new(secret))
}

impl Config {
    /// Whether a session can be made of it; names the option to change.
    pub fn check(&self) -> Result<(), Refused> {
        if self.system_id.is_empty() {
            return Err(Refused::new("system_id", "is empty; the carrier gives it"));
        }
        COctets::<16>::new("system_id", self.system_id.as_bytes())?;
        COctets::<65>::new("password", self.password.expose().as_bytes())?;
        COctets::<13>::new("system_type", self.system_type.as_bytes())?;
        COctets::<41>::new("address_range", self.address_range.as_bytes())?;
        COctets::<6>::new("service_type", self.service_type.as_bytes())?;
        for (option, duration) in [
            ("session_init_timeout", self.session_init_timeout),
            ("enquire_link_interval", self.enquire_link_interval),
            ("enquire_link_timeout", self.enquire_link_timeout),
            ("submit_timeout", self.submit_timeout),
            ("inactivity_timeout", self.inactivity()),
            ("partial_pdu_timeout", self.partial_pdu_timeout),
            ("unbind_timeout", self.unbind_timeout),
        ] {
            if !(LEAST_WAIT..=MOST_WAIT).contains(&duration) {
                return Err(Refused::new(option, "is not between 10ms and 1 day"));
            }
        }
        // A header must always come through, and the length is one of 32 bits.
        if !(HEADER..=MOST_PDU).contains(&self.max_pdu) {
            return Err(Refused::new("max_pdu", "is not between 16 and 1048576"));
        }
        if !(1..=4096).contains(&self.max_waiting_deliveries) {
            return Err(Refused::new(
                "max_waiting_deliveries",
                "is not between 1 and 4096",
            ));
        }
        if !(1..=255).contains(&self.max_parts) {
            return Err(Refused::new("max_parts", "is not between 1 and 255"));
        }
        for (option, status) in [
            ("not_now_status", self.not_now_status),
            ("malformed_status", self.malformed_status),
        ] {
            if status == 0 {
                return Err(Refused::new(
                    option,
                    "is 0, which would accept what is not stored",
                ));
            }
        }
        if let Some(code) = &self.country_code
            && !((1..=3).contains(&code.len())
                && code.bytes().all(|digit| digit.is_ascii_digit())
                && !code.starts_with('0'))
        {
            return Err(Refused::new(
                "country_code",
                "is not one to three digits, as in 358",
            ));
        }
        self.extra().map(|_| ())
    }

    /// What an operator should know though it is allowed.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.password.expose().len() > 8 {
            warnings.push(
                "password has more than the 8 octets that SMPP allows; not every SMSC takes that"
                    .into(),
            );
        }
        warnings
    }

    /// How long nothing at all may be heard.
    pub(super) fn inactivity(&self) -> Duration {
        self.inactivity_timeout.unwrap_or_else(|| {
            let longest = self
                .submit_timeout
                .max(self.enquire_link_timeout)
                .max(self.session_init_timeout);
            self.enquire_link_interval.saturating_add(longest)
        })
    }

    /// The TLVs of every submit.
    pub(super) fn extra(&self) -> Result<TlvList, Refused> {
        let mut tlvs = TlvList::new();
        for extra in &self.extra_tlvs {
            match (&extra.text, &extra.hex) {
                (Some(text), None) => tlvs.c_octets(Tag(extra.tag), text.as_bytes())?,
                (None, Some(hex)) => {
                    let octets = octets_of(hex).ok_or_else(|| {
                        Refused::new("extra_tlvs", "hex is not pairs of hexadecimal digits")
                    })?;
                    tlvs.octets(Tag(extra.tag), &octets)?;
                }
                _ => return Err(Refused::new("extra_tlvs", "needs either text or hex")),
            }
        }
        Ok(tlvs)
    }
}

/// Shorter than any line answers.
const LEAST_WAIT: Duration = Duration::from_millis(10);
/// Longer than any operator waits.
const MOST_WAIT: Duration = Duration::from_secs(86_400);
/// Beyond any SMSC's; bounds the memory that a peer can claim.
const MOST_PDU: usize = 1 << 20;

fn octets_of(hex: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let digit = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    rest.is_empty()
        .then(|| {
            pairs
                .iter()
                .map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?))
                .collect()
        })
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(written: &str) -> Config {
        toml::from_str(written).unwrap()
    }

    #[test]
    fn a_system_id_is_enough() {
        let config = read("system_id = 'sluice'");
        assert_eq!(config.check(), Ok(()));
        assert_eq!(config.inactivity(), Duration::from_secs(50));
        assert!(config.warnings().is_empty());
        assert_eq!(Config::default().check().unwrap_err().field, "system_id");
    }

    #[test]
    fn every_option_can_be_written() {
        let config = read(
            r#"
            system_id = "sluice"
            password = "longer than eight"
            system_type = "VMS"
            bind = "receiver"
            interface_version = "5.0"
            addr_ton = 1
            addr_npi = 1
            address_range = "^123"
            session_init_timeout = "5s"
            enquire_link_interval = "1m"
            enquire_link_timeout = "5s"
            submit_timeout = "1m"
            inactivity_timeout = "3m"
            partial_pdu_timeout = "5s"
            unbind_timeout = "2s"
            max_pdu = 5000
            max_waiting_deliveries = 8
            max_parts = 10
            not_now_status = 0x08
            malformed_status = 0x65
            receipts_by_text = true
            receipt_states = { ACCEPTD = "delivered" }
            receipt_errors = { 027 = "absent", 033 = "off", 006 = "nothing" }
            message_id = { submit = "hex", receipt = "dec" }
            deliver_alphabet = "latin1"
            submit_alphabet = "gsm7_packed"
            submit_data_coding = 0xF1
            unmappable = "refuse"
            concat = "sar"
            oversize = "refuse"
            tlvs = "always"
            extra_tlvs = [{ tag = 0x1400, text = "1101" }, { tag = 0x1401, hex = "00fF" }]
            phone = { ton = 0, npi = 1 }
            short_code = { ton = 0, npi = 0 }
            name = { ton = 5, npi = 1 }
            country_code = "358"
            service_type = "CMT"
            priorities = [0, 1, 1, 1]
            send_validity = false
            max_validity = "2days"
            answers = { "0x401" = "throttled" }
            "#,
        );
        assert_eq!(config.check(), Ok(()));
        assert_eq!(config.warnings().len(), 1);
        assert_eq!(
            config.extra().unwrap().as_tlvs().octets(),
            b"\x14\x00\x00\x051101\0\x14\x01\x00\x02\x00\xFF"
        );
        assert!(!format!("{config:?}").contains("eight"));
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (written, option) in [
            ("system_id = 'sixteen letters!'", "system_id"),
            ("system_id = 'a'\nnot_now_status = 0", "not_now_status"),
            ("system_id = 'a'\nmax_pdu = 15", "max_pdu"),
            ("system_id = 'a'\nmax_parts = 256", "max_parts"),
            (
                "system_id = 'a'\nmax_waiting_deliveries = 0",
                "max_waiting_deliveries",
            ),
            ("system_id = 'a'\nsubmit_timeout = '0s'", "submit_timeout"),
            ("system_id = 'a'\ncountry_code = '+358'", "country_code"),
            ("system_id = 'a'\nextra_tlvs = [{ tag = 1 }]", "extra_tlvs"),
            (
                "system_id = 'a'\nextra_tlvs = [{ tag = 1, hex = '0' }]",
                "extra_tlvs",
            ),
            ("system_id = 'a'\nservice_type = 'toolong'", "service_type"),
        ] {
            assert_eq!(read(written).check().unwrap_err().field, option);
        }
        let unknown = toml::from_str::<Config>("system_id = 'a'\nsystemid = 'b'").unwrap_err();
        assert!(unknown.message().contains("systemid"), "{unknown}");
        let secret = toml::from_str::<Config>("password = 12345678").unwrap_err();
        assert!(!secret.message().contains("12345678"), "{secret}");
    }
}
