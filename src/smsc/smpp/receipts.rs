//! Delivery receipts as reports: by TLVs where there are some, else by the text.

use std::borrow::Cow;

use bytes::Bytes;

use crate::codec::smpp::{
    DataCoding, ESM_INTERMEDIATE, ESM_RECEIPT, ESM_TYPE, MessageState, Receipt, Tag, TextForm,
};
use crate::message::{PhoneNews, Report, ReportState};
use crate::smsc::reach;

use super::config::Config;
use super::deliver::Arrival;
use super::party;

/// Longest text of a receipt that is kept: a slot has 3,840 octets for the whole report.
const MOST_TEXT: usize = 2048;

/// Longest date that is kept.
const MOST_DATE: usize = 32;

/// The report of a delivery, if it is a receipt: by its type, by its TLV, or by its text where that is configured.
pub(super) fn read(config: &Config, arrival: &Arrival<'_>) -> Option<Report> {
    let text = readable(config, arrival);
    let receipt = Receipt::scan(&text);
    let id = arrival
        .tlvs
        .c_octets(Tag::RECEIPTED_MESSAGE_ID)
        .filter(|id| !id.is_empty());
    let is_one = match arrival.esm_class & ESM_TYPE {
        ESM_RECEIPT | ESM_INTERMEDIATE => true,
        0 => id.is_some() || (config.receipts_by_text && receipt.is_one()),
        _ => false,
    };
    if !is_one {
        return None;
    }
    let id = id.or(receipt.id).unwrap_or_default();
    let date = receipt.done_date.unwrap_or_default();
    let cut =
        |octets: &[u8], most: usize| Bytes::copy_from_slice(&octets[..octets.len().min(most)]);
    let come = state(config, arrival, &receipt);
    let network = network_error(arrival);
    Some(Report {
        id: config.message_id.of_receipt(id),
        // They are swapped against the submit.
        sender: Some(party::read(config, arrival.destination)),
        recipient: Some(party::read(config, arrival.source)),
        state: come,
        error: network.map(|(_, code)| code).or(receipt.error()),
        phone: phone(config, come, network, &receipt),
        done_at: cut(date, MOST_DATE),
        text: cut(arrival.text, MOST_TEXT),
    })
}

/// The text as a scanner can read it: without its header, and out of UCS-2.
fn readable<'a>(config: &Config, arrival: &Arrival<'a>) -> Cow<'a, [u8]> {
    let text = arrival.behind_header();
    match DataCoding::read(arrival.data_coding, config.deliver_alphabet).form {
        TextForm::Ucs2 => text
            .as_chunks::<2>()
            .0
            .iter()
            .map(|&[high, low]| if high == 0 { low } else { b'?' })
            .collect(),
        _ => Cow::Borrowed(text),
    }
}

fn state(config: &Config, arrival: &Arrival<'_>, receipt: &Receipt<'_>) -> ReportState {
    let by_tlv = arrival
        .tlvs
        .octet(Tag::MESSAGE_STATE)
        .and_then(MessageState::from_number);
    // The carrier's own meaning of a word, also for the word of the TLV's number.
    let word = match by_tlv {
        Some(state) => state.word().as_bytes(),
        None => receipt.stat.unwrap_or_default(),
    };
    let own = config
        .receipt_states
        .iter()
        .find(|(known, _)| word.eq_ignore_ascii_case(known.as_bytes()));
    if let Some((_, state)) = own {
        return (*state).into();
    }
    match by_tlv.or(receipt.state()) {
        Some(MessageState::Scheduled | MessageState::EnRoute) => ReportState::EnRoute,
        Some(MessageState::Delivered) => ReportState::Delivered,
        Some(MessageState::Expired) => ReportState::Expired,
        Some(MessageState::Deleted) => ReportState::Deleted,
        // Skipped is final, and the phone does not have it.
        Some(MessageState::Undeliverable | MessageState::Skipped) => ReportState::Undeliverable,
        Some(MessageState::Accepted) => ReportState::Accepted,
        Some(MessageState::Rejected) => ReportState::Rejected,
        Some(MessageState::Unknown) | None => ReportState::Unknown,
    }
}

/// network_error_code: kind of network, then its code; some SMSCs write the code with three octets.
fn network_error(arrival: &Arrival<'_>) -> Option<(u8, u32)> {
    match *arrival.tlvs.find(Tag::NETWORK_ERROR_CODE)? {
        [kind, high, low] => Some((kind, u32::from_be_bytes([0, 0, high, low]))),
        [kind, top, high, low] => Some((kind, u32::from_be_bytes([0, top, high, low]))),
        _ => None,
    }
}

/// What it says of the phone. The number in the text is each vendor's own, so it says what the carrier means by it, or
/// nothing; and what the carrier means goes before what the networks' standard says.
fn phone(
    config: &Config,
    state: ReportState,
    network: Option<(u8, u32)>,
    receipt: &Receipt<'_>,
) -> Option<PhoneNews> {
    if state == ReportState::Delivered {
        return reach::of_smpp(state, None);
    }
    let told = match network {
        Some((_, code)) => Some(code.to_string()),
        None => receipt.err.map(|word| word.escape_ascii().to_string()),
    };
    let meant = told.and_then(|told| {
        let mut own = config.receipt_errors.iter();
        own.find(|(known, _)| is_same(known, &told))
    });
    match meant {
        Some((_, meaning)) => meaning.news(),
        None => reach::of_smpp(state, network),
    }
}

/// Carriers put zeros before their numbers, and capitals into their words, as they like.
fn is_same(known: &str, told: &str) -> bool {
    let bare = |word: &str| word.trim_start_matches('0').to_ascii_lowercase();
    bare(known) == bare(told)
}
