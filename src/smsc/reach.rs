//! What carriers' reports say of the phone itself, beside its message: one table for both protocols.
//!
//! The protocols number their reasons each in its own way, and only the edge knows which of them it speaks. So a reason is
//! sorted here, once, and goes on as a word ([`PhoneNews`]). What is not in the table says nothing: a phone with a full
//! memory, a barred subscriber, a network in trouble.

use crate::codec::cimd2::{StatusCode, StatusError};
use crate::message::{PhoneNews, ReportState};

/// What a report says, as its protocol has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Said {
    /// How far the message has come, in either protocol.
    State(ReportState),
    /// CIMD2's status code, parameter 061, where no error is given.
    Status(StatusCode),
    /// CIMD2's status error code, parameter 062. From 80 on these are the absent subscriber diagnostics of 3GPP TS 29.002,
    /// less 80.
    Error(StatusError),
    /// SMPP's network_error_code of a GSM network: the user errors of 3GPP TS 29.002.
    Gsm(u32),
}

/// network_error_code of a GSM network.
pub(super) const GSM: u8 = 3;

#[rustfmt::skip]
const TABLE: &[(Said, PhoneNews)] = &[
    (Said::State(ReportState::Delivered),        PhoneNews::Reached),
    (Said::Status(StatusCode::NO_RESPONSE),      PhoneNews::Absent),
    (Said::Status(StatusCode::LAST_NO_RESPONSE), PhoneNews::Absent),
    (Said::Error(StatusError::ABSENT),           PhoneNews::Absent),
    (Said::Error(StatusError::NO_PAGING),        PhoneNews::Absent),
    (Said::Error(StatusError::NO_PAGING_MSC),    PhoneNews::Absent),
    // A phone that is switched off says so to the network.
    (Said::Error(StatusError::IMSI_DETACHED),    PhoneNews::Off),
    (Said::Error(StatusError::ROAMING),          PhoneNews::Absent),
    (Said::Error(StatusError::DEREGISTERED_GSM), PhoneNews::Absent),
    (Said::Error(StatusError::PURGED_GSM),       PhoneNews::Absent),
    (Said::Error(StatusError::NO_PAGING_SGSN),   PhoneNews::Absent),
    (Said::Error(StatusError::GPRS_DETACHED),    PhoneNews::Off),
    (Said::Error(StatusError::DEREGISTERED_GPRS), PhoneNews::Absent),
    (Said::Error(StatusError::PURGED_GPRS),      PhoneNews::Absent),
    (Said::Error(StatusError::UNIDENTIFIED_MSC), PhoneNews::Absent),
    (Said::Error(StatusError::UNIDENTIFIED_SGSN), PhoneNews::Absent),
    // absentSubscriberSM, absentSubscriber.
    (Said::Gsm(6),                               PhoneNews::Absent),
    (Said::Gsm(27),                              PhoneNews::Absent),
];

fn sorted(said: Said) -> Option<PhoneNews> {
    let row = TABLE.iter().find(|(known, _)| *known == said);
    row.map(|(_, news)| *news)
}

/// Of a CIMD2 status report.
pub(super) fn of_cimd2(
    state: ReportState,
    status: StatusCode,
    error: Option<u32>,
) -> Option<PhoneNews> {
    let error = error.and_then(|error| u16::try_from(error).ok());
    let error = error.filter(|error| *error != StatusError::NONE.0);
    sorted(Said::State(state)).or_else(|| match error {
        Some(error) => sorted(Said::Error(StatusError(error))),
        None => sorted(Said::Status(status)),
    })
}

/// Of an SMPP receipt with a network_error_code: which kind of network, and its reason.
pub(super) fn of_smpp(state: ReportState, network: Option<(u8, u32)>) -> Option<PhoneNews> {
    sorted(Said::State(state)).or_else(|| match network {
        Some((GSM, code)) => sorted(Said::Gsm(code)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_stands_once() {
        for (number, (said, _)) in TABLE.iter().enumerate() {
            assert!(
                TABLE[number + 1..].iter().all(|(other, _)| other != said),
                "{said:?}"
            );
        }
    }

    #[test]
    fn what_was_delivered_was_reached_whatever_else_is_said() {
        let reached = Some(PhoneNews::Reached);
        let delivered = ReportState::Delivered;
        assert_eq!(
            of_cimd2(delivered, StatusCode::DELIVERED, Some(29)),
            reached
        );
        assert_eq!(of_smpp(delivered, Some((GSM, 27))), reached);
    }

    #[test]
    fn an_error_says_more_than_a_status() {
        let undeliverable = ReportState::Undeliverable;
        let last = StatusCode::LAST_NO_RESPONSE;
        let absent = Some(PhoneNews::Absent);
        assert_eq!(of_cimd2(undeliverable, last, None), absent);
        assert_eq!(of_cimd2(undeliverable, last, Some(0)), absent);
        assert_eq!(of_cimd2(undeliverable, last, Some(22)), None);
        assert_eq!(
            of_cimd2(undeliverable, StatusCode::FAILED, Some(81)),
            Some(PhoneNews::Off)
        );
        assert_eq!(
            of_cimd2(undeliverable, StatusCode::FAILED, Some(65_565)),
            None
        );
        // Passing faults count as well: that is when it matters.
        assert_eq!(
            of_cimd2(ReportState::EnRoute, StatusCode::IN_PROCESS, Some(29)),
            absent
        );
    }

    #[test]
    fn a_number_of_another_network_says_nothing() {
        let expired = ReportState::Expired;
        assert_eq!(of_smpp(expired, Some((GSM, 6))), Some(PhoneNews::Absent));
        assert_eq!(of_smpp(expired, Some((GSM, 29))), None);
        assert_eq!(of_smpp(expired, Some((2, 6))), None);
        assert_eq!(of_smpp(expired, None), None);
    }
}
