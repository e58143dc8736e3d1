//! A message as a submit, and the name that its answer gives it.

use std::time::Duration;

use super::config::Config;
use super::party;
use crate::codec::cimd2::{
    Bounded, RelativeTime, Submit, SubmittedView, UserData, When, report_flags,
};
use crate::message::{Priority, Refused, ReportWish, ShortMessage, SmscId};

/// Parameter 056 for a wish. It is always sent, because without it the account's default counts.
const fn flags(wish: ReportWish) -> u8 {
    match wish {
        ReportWish::None => 0,
        ReportWish::Failure => report_flags::FINAL_FAILURE,
        ReportWish::Final => report_flags::FINAL,
        ReportWish::All => report_flags::ALL,
    }
}

fn priority(config: &Config, priority: Priority) -> Result<Option<Bounded<1, 9>>, Refused> {
    match config.priorities[usize::from(priority.number())] {
        0 => Ok(None),
        number => Bounded::new("priorities", u16::from(number)).map(Some),
    }
}

/// Writes a message for a carrier. `validity` is what is left of it.
pub(super) fn write(
    config: &Config,
    message: &ShortMessage,
    validity: Option<Duration>,
) -> Result<Submit, Refused> {
    let destination = party::destination(config, &message.recipient)?;
    let mut submit = Submit::new(destination, Some(UserData::new(message.body.clone())?));
    submit.originator = party::originator(config, &message.sender)?;
    submit.report_flags = Some(flags(message.report));
    submit.validity = validity
        .filter(|_| config.send_validity)
        .map(|validity| When::Relative(RelativeTime::covering(validity.min(config.max_validity))));
    submit.priority = priority(config, message.priority)?;
    submit.protocol = Some(message.protocol).filter(|&protocol| protocol != 0);
    submit.tariff_class = config.tariff_class()?;
    submit.service_description = config.service_description()?;
    Ok(submit)
}

/// Under which name the SMSC knows a message: destination and time stamp of the answer to its submit, or of a report.
/// SMSCs are known to write the number with a `+` in one place and without in the other, so it is left out.
pub(super) fn id(config: &Config, destination: &[u8], time_stamp: &[u8]) -> SmscId {
    if time_stamp.is_empty() {
        return SmscId::NONE;
    }
    let digits = destination.strip_prefix(b"+").unwrap_or(destination);
    let digits = match config.report_digits {
        Some(most) => &digits[digits.len().saturating_sub(most)..],
        None => digits,
    };
    let name = [digits, b"/", time_stamp].concat();
    SmscId::new(name.into()).unwrap_or(SmscId::NONE)
}

/// The name in the answer to a submit to `destination`, which counts where the answer leaves it out.
pub(super) fn id_of_answer(
    config: &Config,
    view: &SubmittedView<'_>,
    destination: &[u8],
) -> SmscId {
    let destination = view
        .destination
        .map_or(destination, |destination| destination.value);
    let time_stamp = view.time_stamp.map_or(&[][..], |stamp| stamp.value);
    id(config, destination, time_stamp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::cimd2::{Number, Write as _};
    use crate::message::{Body, Class, Coding, PhoneNumber, ShortCode, UserDataHeader};

    fn message(coding: Coding, header: &'static [u8], data: &'static [u8]) -> ShortMessage {
        let header = UserDataHeader::new(header.into()).unwrap();
        ShortMessage::new(
            ShortCode::new("12345").unwrap().into(),
            PhoneNumber::new("358401111111").unwrap().into(),
            Body::new(coding, header, data.into()).unwrap(),
        )
    }

    /// The parameters of a submit, as they are written.
    fn written(config: &Config, message: &ShortMessage, validity: Option<Duration>) -> String {
        let octets = write(config, message, validity)
            .unwrap()
            .to_bytes(Number::LOGIN);
        let text = String::from_utf8_lossy(&octets[8..octets.len() - 4]);
        text.replace('\t', " ")
    }

    #[test]
    fn a_plain_message_says_what_it_must() {
        let hello = message(Coding::Gsm7, &[], b"Hello");
        assert_eq!(
            written(&Config::default(), &hello, None),
            "021:+358401111111 023:12345 056:0 033:Hello"
        );
    }

    #[test]
    fn wishes_are_said() {
        let mut wishes = message(Coding::Gsm7, &[], b"Hello");
        wishes.body = wishes.body.with_class(Some(Class::Flash));
        wishes.report = ReportWish::Final;
        wishes.priority = Priority::Urgent;
        wishes.protocol = 0x41;
        let config = Config {
            tariff_class: Some(7),
            service_description: Some(2),
            max_validity: Duration::from_secs(3600),
            ..Config::default()
        };
        assert_eq!(
            written(&config, &wishes, Some(Duration::from_secs(7200))),
            "021:+358401111111 023:12345 050:11 056:62 064:07 065:2 067:1 052:65 033:Hello 030:16"
        );
        let silent = Config {
            send_validity: false,
            priorities: [0; 4],
            ..Config::default()
        };
        assert_eq!(
            written(&silent, &wishes, Some(Duration::from_secs(7200))),
            "021:+358401111111 023:12345 056:62 052:65 033:Hello 030:16"
        );
        let of = |wish| flags(wish);
        assert_eq!(
            [
                of(ReportWish::None),
                of(ReportWish::Failure),
                of(ReportWish::All)
            ],
            [0, 54, 63]
        );
    }

    #[test]
    fn data_and_headers_go_in_hexadecimal_digits() {
        let part = message(Coding::Gsm7, &[5, 0, 3, 0xAA, 2, 1], b"part1");
        assert_eq!(
            written(&Config::default(), &part, None),
            "021:+358401111111 023:12345 056:0 032:050003AA0201 033:part1"
        );
        let ucs2 = message(Coding::Ucs2, &[], &[4, 0x1F]);
        assert_eq!(
            written(&Config::default(), &ucs2, None),
            "021:+358401111111 023:12345 056:0 034:041F 030:8"
        );
    }

    #[test]
    fn what_one_sms_cannot_carry_is_refused() {
        let long = message(Coding::Ucs2, &[], &[0; 142]);
        let refused = write(&Config::default(), &long, None).unwrap_err();
        assert_eq!(refused.field, "text");
    }

    #[test]
    fn answers_and_reports_give_the_same_name() {
        let config = Config::default();
        let name = id(&config, b"+358401111111", b"261121061305");
        assert_eq!(name.to_string(), "358401111111/261121061305");
        assert_eq!(id(&config, b"358401111111", b"261121061305"), name);
        let seven = Config {
            report_digits: Some(7),
            ..Config::default()
        };
        let international = id(&seven, b"+358401111111", b"261121061305");
        assert_eq!(id(&seven, b"0401111111", b"261121061305"), international);
        assert!(id(&config, b"+358401111111", b"").is_none());
        assert!(id(&config, &[b'1'; 60], b"261121061305").is_none());
    }
}
