//! What carriers' numbers mean, whatever the protocol.

use crate::message::{Party, PhoneNumber};

/// A short code has at most so many digits; what is longer is a phone's number.
pub(super) const MOST_OF_SHORT_CODE: usize = 8;

/// A number as it is dialled within a country, with the country's code before it, where that is configured.
pub(super) fn national(country_code: Option<&str>, digits: &str) -> Option<Party> {
    let code = country_code?;
    let digits = digits.strip_prefix('0').unwrap_or(digits);
    PhoneNumber::new(&format!("{code}{digits}"))
        .ok()
        .map(Party::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_the_country_gets_its_code() {
        let known = |code, digits| national(code, digits).map(|party| party.exposed().to_string());
        assert_eq!(
            known(Some("358"), "0501234567").as_deref(),
            Some("+358501234567")
        );
        assert_eq!(
            known(Some("358"), "501234567").as_deref(),
            Some("+358501234567")
        );
        assert_eq!(known(None, "0501234567"), None);
        assert_eq!(known(Some("358"), "0501234567890123"), None);
    }
}
