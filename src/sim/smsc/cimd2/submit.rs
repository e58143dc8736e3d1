//! Messages that an application submits: what is checked, and what becomes of them.

use std::time::Duration;

use bytes::Bytes;

use super::{Cimd2Session, stamp};
use crate::codec::cimd2::{
    Address, Checksum, ErrorCode, Field, Packet, Parameter, RelativeTime, SubmitView, Submitted,
    TimeStamp, report_flags,
};
use crate::codec::smpp::{TextForm, TimeView};
use crate::message::Coding;
use crate::sim::event::Event;
use crate::sim::network::{Content, Network, Now, Offered, SubmitRefusal, Wishes};
use crate::sim::report::Written;
use crate::text::room_behind;

/// Parameters that are numbers, with what is told when they are none.
const NUMBERS: [(Parameter, ErrorCode); 11] = [
    (Parameter::DATA_CODING_SCHEME, ErrorCode::DATA_CODING_SCHEME),
    (Parameter::MORE_MESSAGES, ErrorCode::MORE_MESSAGES),
    (Parameter::VALIDITY_RELATIVE, ErrorCode::VALIDITY),
    (
        Parameter::PROTOCOL_IDENTIFIER,
        ErrorCode::PROTOCOL_IDENTIFIER,
    ),
    (
        Parameter::FIRST_DELIVERY_RELATIVE,
        ErrorCode::FIRST_DELIVERY,
    ),
    (Parameter::REPLY_PATH, ErrorCode::REPLY_PATH),
    (
        Parameter::STATUS_REPORT_REQUEST,
        ErrorCode::STATUS_REPORT_REQUEST,
    ),
    (Parameter::CANCEL_ENABLED, ErrorCode::CANCEL_ENABLED),
    (Parameter::TARIFF_CLASS, ErrorCode::TARIFF_CLASS),
    (
        Parameter::SERVICE_DESCRIPTION,
        ErrorCode::SERVICE_DESCRIPTION,
    ),
    (Parameter::PRIORITY, ErrorCode::PRIORITY),
];

impl Cimd2Session {
    /// The answer, and the name of the first message.
    pub(super) fn submit(
        &self,
        now: Now,
        network: &mut Network,
        account: usize,
        packet: &Packet,
    ) -> Result<(Submitted, String), ErrorCode> {
        debug_assert!(!matches!(packet.checksum(), Checksum::Wrong { .. }));
        let view = SubmitView::read(packet).map_err(|_malformed| ErrorCode::SYNTAX)?;
        for (parameter, code) in NUMBERS {
            if let Some(field) = packet.field(parameter) {
                field.integer().map_err(|_malformed| code)?;
            }
        }
        let offered = Offered {
            source: originator(network, account, &view)?,
            destination: Written::default(),
            content: content(&view)?,
            wishes: wishes(&view),
            validity: validity(now, &view)?,
        };
        if view.first_delivery_relative.is_some() && view.first_delivery_absolute.is_some() {
            return Err(ErrorCode::FIRST_DELIVERY);
        }
        if let Some(field) = view.first_delivery_absolute {
            TimeStamp::new(field.value).map_err(|_refused| ErrorCode::FIRST_DELIVERY)?;
        }
        let destinations = packet
            .all(Parameter::DESTINATION)
            .map(|field| Address::new(field.value).map_err(|_refused| ErrorCode::DESTINATION))
            .collect::<Result<Vec<_>, _>>()?;
        let mut answered = Vec::with_capacity(destinations.len());
        for destination in destinations {
            let octets = Bytes::copy_from_slice(destination.octets());
            let offered = Offered {
                destination: Written {
                    octets,
                    ..Written::default()
                },
                ..offered.clone()
            };
            network.record(now, self.number, || Event::Submit {
                number: packet.number().get().into(),
                from: offered.source.text(),
                to: offered.destination.text(),
                text: offered.content.text(),
            });
            let accepted =
                network
                    .submit(now, account, &offered)
                    .map_err(|refusal| match refusal {
                        SubmitRefusal::Destination => ErrorCode::DESTINATION,
                        SubmitRefusal::Sender if view.name.is_some() => ErrorCode::NAME_NOT_USABLE,
                        SubmitRefusal::Sender => ErrorCode::ORIGINATOR,
                        SubmitRefusal::Throttled => ErrorCode::CONGESTION,
                        SubmitRefusal::QueueFull => ErrorCode::FAILED,
                    })?;
            answered.push((destination, stamp(accepted.stamp)));
        }
        let mut answered = answered.into_iter();
        let (destination, time_stamp) = answered.next().ok_or(ErrorCode::DESTINATION)?;
        let name = format!("{}/{time_stamp}", destination.octets().escape_ascii());
        let submitted = Submitted {
            destination,
            time_stamp,
            more: answered.collect(),
        };
        Ok((submitted, name))
    }
}

/// Who is shown as the sender: the account's own address, with 023 appended to it, or 027 instead.
fn originator(
    network: &Network,
    account: usize,
    view: &SubmitView<'_>,
) -> Result<Written, ErrorCode> {
    const MOST: usize = 20;
    const MOST_OF_A_NAME: usize = 11;
    let own = network.account(account).address.as_bytes();
    let octets = match (view.originator, view.name) {
        (Some(_), Some(_)) => return Err(ErrorCode::ORIGINATOR),
        (None, None) => own.to_vec(),
        (Some(subaddress), None) => {
            Address::new(subaddress.value).map_err(|_refused| ErrorCode::ORIGINATOR)?;
            let whole = [own, subaddress.value].concat();
            if whole.len() > MOST {
                return Err(ErrorCode::ORIGINATOR);
            }
            whole
        }
        (None, Some(name)) => {
            let printable = name.value.iter().all(|octet| matches!(octet, b' '..=b'~'));
            if name.value.is_empty() || name.value.len() > MOST_OF_A_NAME || !printable {
                return Err(ErrorCode::NAME_CONTENTS);
            }
            name.value.to_vec()
        }
    };
    Ok(Written {
        octets: octets.into(),
        ..Written::default()
    })
}

fn content(view: &SubmitView<'_>) -> Result<Content, ErrorCode> {
    if view.text.is_some() && view.binary.is_some() {
        return Err(ErrorCode::DATA_COMBINATION);
    }
    let content = view
        .user_data()
        .content()
        .map_err(|_malformed| ErrorCode::USER_DATA)?;
    let unit = if content.coding == Coding::Ucs2 { 2 } else { 1 };
    let room = room_behind(content.coding, content.header.octets().len());
    if content.data.len() > room * unit {
        return Err(ErrorCode::USER_DATA);
    }
    Ok(Content {
        form: match content.coding {
            Coding::Gsm7 => TextForm::Gsm7,
            Coding::Ucs2 => TextForm::Ucs2,
            Coding::Octets => TextForm::Octets,
        },
        scheme: content.scheme.0,
        header: content.header,
        data: content.data,
    })
}

fn wishes(view: &SubmitView<'_>) -> Wishes {
    let octet = |field: Option<Field<'_>>| field.and_then(|field| field.octet().ok()).unwrap_or(0);
    let flags = octet(view.report_flags);
    let has = |flag: u8| flags & flag != 0;
    Wishes {
        delivered: has(report_flags::DELIVERED),
        expired: has(report_flags::EXPIRED),
        deleted: has(report_flags::CANCELLED | report_flags::DELETED),
        failed: has(report_flags::FAILED),
        intermediate: has(report_flags::TEMPORARY_ERROR),
        cancellable: octet(view.cancel_enabled) == 1,
    }
}

fn validity(now: Now, view: &SubmitView<'_>) -> Result<Option<Duration>, ErrorCode> {
    let wrong = ErrorCode::VALIDITY;
    match (view.validity_relative, view.validity_absolute) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(wrong),
        (Some(relative), None) => {
            let time = RelativeTime::read(&relative).map_err(|_malformed| wrong)?;
            Ok(time.map(RelativeTime::period))
        }
        (None, Some(absolute)) => {
            let stamp = TimeStamp::new(absolute.value).map_err(|_refused| wrong)?;
            match TimeView::parse(stamp.digits()) {
                Some(TimeView::Absolute(civil)) => {
                    let end = civil.to_wall(0).ok_or(wrong)?;
                    Ok(Some(end.since(now.wall)))
                }
                _ => Err(wrong),
            }
        }
    }
}
