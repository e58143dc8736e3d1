//! Messages that an ESME submits: what is checked, and what becomes of them.

use std::time::Duration;

use bytes::Bytes;

use super::SmppSession;
use crate::codec::smpp::{
    AddressView, DataCoding, DataView, ESM_UDHI, MessageView, Status, Tag, TextForm, TimeView,
};
use crate::message::UserDataHeader;
use crate::sim::event::Event;
use crate::sim::network::{Content, Network, Now, Offered, SubmitRefusal, Wishes};
use crate::sim::report::Written;

/// Longest destination that is taken.
const MOST_DIGITS: usize = 20;

/// What submit_sm and data_sm have in common.
struct Submitted<'a> {
    source: AddressView<'a>,
    destination: AddressView<'a>,
    esm_class: u8,
    data_coding: u8,
    registered_delivery: u8,
    text: &'a [u8],
    validity: Option<Duration>,
}

impl SmppSession {
    pub(super) fn submit(
        &self,
        now: Now,
        network: &mut Network,
        account: usize,
        message: &MessageView<'_>,
    ) -> Result<Vec<u8>, Status> {
        if message.priority_flag > 4 {
            return Err(Status::INVALID_PRIORITY);
        }
        if message.replace_if_present_flag > 1 {
            return Err(Status::INVALID_REPLACE_FLAG);
        }
        if message.sm_default_msg_id != 0 {
            return Err(Status::INVALID_DEFAULT_MESSAGE);
        }
        if !message.schedule_delivery_time.is_empty() {
            // Nothing is scheduled here; a time that cannot be read is refused for that.
            TimeView::parse(message.schedule_delivery_time).ok_or(Status::INVALID_SCHEDULE)?;
        }
        let validity = match message.validity_period {
            [] => None,
            written => Some(remaining(now, written).ok_or(Status::INVALID_EXPIRY)?),
        };
        let payload = message.tlvs.find(Tag::MESSAGE_PAYLOAD);
        if payload.is_some() && !message.short_message.is_empty() {
            return Err(Status::INVALID_TLV_VALUE);
        }
        self.take_in(
            now,
            network,
            account,
            &Submitted {
                source: message.source,
                destination: message.destination,
                esm_class: message.esm_class,
                data_coding: message.data_coding,
                registered_delivery: message.registered_delivery,
                text: payload.unwrap_or(message.short_message),
                validity,
            },
        )
    }

    pub(super) fn submit_data(
        &self,
        now: Now,
        network: &mut Network,
        account: usize,
        data: &DataView<'_>,
    ) -> Result<Vec<u8>, Status> {
        let text = data
            .tlvs
            .find(Tag::MESSAGE_PAYLOAD)
            .ok_or(Status::MISSING_TLV)?;
        let seconds = data.tlvs.find(Tag::QOS_TIME_TO_LIVE);
        let validity = match seconds.map(<[u8; 4]>::try_from) {
            None => None,
            Some(Ok(seconds)) => Some(Duration::from_secs(u32::from_be_bytes(seconds).into())),
            Some(Err(_)) => return Err(Status::INVALID_TLV_LENGTH),
        };
        self.take_in(
            now,
            network,
            account,
            &Submitted {
                source: data.source,
                destination: data.destination,
                esm_class: data.esm_class,
                data_coding: data.data_coding,
                registered_delivery: data.registered_delivery,
                text,
                validity,
            },
        )
    }

    fn take_in(
        &self,
        now: Now,
        network: &mut Network,
        account: usize,
        submitted: &Submitted<'_>,
    ) -> Result<Vec<u8>, Status> {
        let digits = submitted.destination.octets;
        let digits = digits.strip_prefix(b"+").unwrap_or(digits);
        if digits.is_empty() || digits.len() > MOST_DIGITS || !digits.iter().all(u8::is_ascii_digit)
        {
            return Err(Status::INVALID_DESTINATION);
        }
        if submitted.registered_delivery & 0b11 == 0b11 && self.settings.version < 0x50 {
            return Err(Status::INVALID_REGISTERED_DELIVERY);
        }
        let offered = Offered {
            source: written(submitted.source),
            destination: written(submitted.destination),
            content: self.content(network, account, submitted)?,
            wishes: wishes(submitted.registered_delivery),
            validity: submitted.validity,
        };
        network.record(now, self.number, || Event::Submit {
            number: self.asked,
            from: offered.source.text(),
            to: offered.destination.text(),
            text: offered.content.text(),
        });
        match network.submit(now, account, &offered) {
            Ok(accepted) => Ok(network
                .account(account)
                .reports
                .id_in_answer
                .write(accepted.id)),
            Err(SubmitRefusal::Destination) => Err(Status::INVALID_DESTINATION),
            Err(SubmitRefusal::Sender) => Err(Status::INVALID_SOURCE),
            Err(SubmitRefusal::Throttled) => Err(Status::THROTTLED),
            Err(SubmitRefusal::QueueFull) => Err(Status::QUEUE_FULL),
        }
    }

    fn content(
        &self,
        network: &Network,
        account: usize,
        submitted: &Submitted<'_>,
    ) -> Result<Content, Status> {
        let (header, data) = if submitted.esm_class & ESM_UDHI == 0 {
            (UserDataHeader::NONE, submitted.text)
        } else {
            let length = submitted
                .text
                .first()
                .map_or(0, |first| usize::from(*first) + 1);
            if length < 2 || length > submitted.text.len() {
                return Err(Status::INVALID_ESM_CLASS);
            }
            let (header, data) = submitted.text.split_at(length);
            let header = UserDataHeader::new(Bytes::copy_from_slice(header))
                .map_err(|_too_long| Status::INVALID_ESM_CLASS)?;
            (header, data)
        };
        let coding = DataCoding::read(submitted.data_coding, network.account(account).alphabet);
        if coding.form == TextForm::Ucs2 && !data.len().is_multiple_of(2) {
            return Err(Status::INVALID_MESSAGE_LENGTH);
        }
        Ok(Content {
            form: coding.form,
            scheme: submitted.data_coding,
            header,
            data: Bytes::copy_from_slice(data),
        })
    }
}

fn written(address: AddressView<'_>) -> Written {
    Written {
        ton: address.ton,
        npi: address.npi,
        octets: Bytes::copy_from_slice(address.octets),
    }
}

/// registered_delivery (5.2.17): the two low bits, and the one for passing faults.
const fn wishes(registered_delivery: u8) -> Wishes {
    let (good, bad) = match registered_delivery & 0b11 {
        0 => (false, false),
        1 => (true, true),
        2 => (false, true),
        _ => (true, false),
    };
    Wishes {
        delivered: good,
        expired: bad,
        deleted: bad,
        failed: bad,
        intermediate: registered_delivery & 0x10 != 0,
        cancellable: true,
    }
}

/// How long it is until a validity ends.
fn remaining(now: Now, written: &[u8]) -> Option<Duration> {
    match TimeView::parse(written)? {
        TimeView::Relative(wait) => Some(wait),
        TimeView::Absolute(civil) => Some(civil.to_wall(0)?.since(now.wall)),
    }
}
