//! message_id in one form, where a carrier writes it one way in submit_sm_resp and another way in its receipts.

use bytes::Bytes;
use serde::Deserialize;

use crate::message::{MAX_SMSC_ID, SmscId};

/// How a carrier writes its message ids in one place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdForm {
    /// Any string; taken as it is.
    #[default]
    AsIs,
    /// A decimal number; leading zeros do not count.
    Dec,
    /// A hexadecimal number; leading zeros and capitals do not count.
    Hex,
}

/// How a carrier writes its message ids. Numbers are kept as hexadecimal digits in small letters without leading
/// zeros, whichever way they came, so that both places give the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdRules {
    /// In the answer to a submit. Default `as_is`.
    pub submit: IdForm,
    /// In receipts. Default `as_is`.
    pub receipt: IdForm,
    /// Whether leading zeros are taken off ids that are no numbers. Default no.
    pub trim_zeros: bool,
    /// Whether capitals become small letters in ids that are no numbers. Default no.
    pub fold_case: bool,
}

impl IdRules {
    /// The id in the answer to a submit.
    pub(super) fn of_submit(&self, octets: &[u8]) -> SmscId {
        self.one_form(self.submit, octets)
    }

    /// The id in a receipt.
    pub(super) fn of_receipt(&self, octets: &[u8]) -> SmscId {
        self.one_form(self.receipt, octets)
    }

    fn one_form(&self, form: IdForm, octets: &[u8]) -> SmscId {
        // More than the specification allows; what is cut is the same in both places.
        let octets = &octets[..octets.len().min(MAX_SMSC_ID)];
        let number = match form {
            IdForm::AsIs => None,
            IdForm::Dec => hex_of(octets, 10),
            IdForm::Hex => hex_of(octets, 16),
        };
        let octets = number.unwrap_or_else(|| self.as_string(octets));
        SmscId::new(Bytes::from(octets))
            .expect("it was cut to what is allowed, and its number is not longer")
    }

    fn as_string(&self, octets: &[u8]) -> Vec<u8> {
        let zeros = if self.trim_zeros {
            octets.iter().take_while(|&&octet| octet == b'0').count()
        } else {
            0
        };
        // An id of zeros only keeps one.
        let mut octets = octets[zeros.min(octets.len().saturating_sub(1))..].to_vec();
        if self.fold_case {
            octets.make_ascii_lowercase();
        }
        octets
    }
}

/// The hexadecimal digits of a number of any size; `None` if it is none. Ids of 20 decimal digits occur, so no machine
/// integer would do.
fn hex_of(digits: &[u8], base: u8) -> Option<Vec<u8>> {
    if digits.is_empty() {
        return None;
    }
    // Digits of the result, the lowest first.
    let mut result: Vec<u8> = Vec::with_capacity(digits.len());
    for digit in digits {
        let mut carry = u32::from(char::from(*digit).to_digit(u32::from(base))? as u8);
        for place in &mut result {
            let value = u32::from(*place) * u32::from(base) + carry;
            *place = (value % 16) as u8;
            carry = value / 16;
        }
        while carry > 0 {
            result.push((carry % 16) as u8);
            carry /= 16;
        }
    }
    if result.is_empty() {
        result.push(0);
    }
    Some(
        result
            .iter()
            .rev()
            .map(|digit| b"0123456789abcdef"[usize::from(*digit)])
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(id: SmscId) -> String {
        id.to_string()
    }

    #[test]
    fn hexadecimal_and_decimal_meet() {
        let rules = IdRules {
            submit: IdForm::Hex,
            receipt: IdForm::Dec,
            ..IdRules::default()
        };
        assert_eq!(text(rules.of_submit(b"00A1B2C3")), "a1b2c3");
        assert_eq!(text(rules.of_receipt(b"0010597059")), "a1b2c3");
        // 20 digits, more than 64 bits hold.
        assert_eq!(
            text(rules.of_receipt(b"98765432109876543210")),
            "55aa54d38e5267eea"
        );
        assert_eq!(text(rules.of_receipt(b"0")), "0");
        // No number: as it is.
        assert_eq!(text(rules.of_receipt(b"3f-9")), "3f-9");
        assert_eq!(text(rules.of_receipt(b"")), "");
    }

    #[test]
    fn strings_change_only_when_told() {
        let plain = IdRules::default();
        assert_eq!(text(plain.of_submit(b"00Ab")), "00Ab");
        let rules = IdRules {
            trim_zeros: true,
            fold_case: true,
            ..plain
        };
        assert_eq!(text(rules.of_submit(b"00Ab-")), "ab-");
        assert_eq!(text(rules.of_receipt(b"000")), "0");
        assert_eq!(plain.of_submit(&[b'9'; 80]).octets().len(), 64);
        let wide = IdRules {
            submit: IdForm::Dec,
            ..plain
        };
        assert!(wide.of_submit(&[b'9'; 64]).octets().len() < 64);
    }
}
