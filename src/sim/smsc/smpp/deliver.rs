//! What the SMSC delivers, and what the ESME answers to that.

use bytes::Bytes;

use super::{Asked, Awaited, Bound, SmppSession, State};
use crate::codec::smpp::Civil;
use crate::codec::smpp::{
    Address, Alphabet, COctets, CommandId, Data, ESM_INTERMEDIATE, ESM_RECEIPT, ESM_UDHI,
    EsmeAddress, Frame, HEADER, Message, Pdu, ReceiptText, ShortText, SmAddress, Status, Tag,
    TextForm, TlvList,
};
use crate::message::{Refused, UserDataHeader};
use crate::sim::config::Long;
use crate::sim::event::Event;
use crate::sim::fault::Point;
use crate::sim::network::{Content, FromPhone, Letter, Network, Now, Waiting};
use crate::sim::report::{Carrier, Form, Report, Written};
use crate::sim::smsc::delivery_event;
use crate::sim::smsc::outlet::Manner;
use crate::text::gsm;
use crate::text::septets::{self, Fill};

impl SmppSession {
    pub(super) fn may_deliver(&self, network: &Network) -> bool {
        let State::Bound(Bound {
            account, receives, ..
        }) = self.state
        else {
            return false;
        };
        let unbinding = self
            .awaited
            .iter()
            .any(|awaited| matches!(awaited.what, Asked::Unbind));
        let letters = self.letters();
        receives
            && !unbinding
            && !self.outlet.is_closing()
            && letters < network.account(account).delivery_window
    }

    fn letters(&self) -> usize {
        self.awaited
            .iter()
            .filter(|awaited| matches!(awaited.what, Asked::Letter { .. }))
            .count()
    }

    /// Delivers what waits, as far as the window goes.
    pub(super) fn pump(&mut self, now: Now, network: &mut Network) {
        while self.may_deliver(network) && !self.outlet.is_frozen(now.moment) {
            let State::Bound(bound) = self.state else {
                return;
            };
            let Some(waiting) = network.take(now, bound.account) else {
                return;
            };
            self.deliver(now, network, bound.account, waiting);
        }
    }

    fn deliver(&mut self, now: Now, network: &mut Network, account: usize, waiting: Waiting) {
        let point = match &waiting.letter {
            Letter::FromPhone(_) => Point::Delivery,
            Letter::Report(_) => Point::Report,
        };
        let play = self.play(now, network, point);
        self.disturb(now, &play);
        let settings = network.account(account);
        let pdu = match &waiting.letter {
            Letter::FromPhone(letter) => message(letter, settings.alphabet, settings.long),
            Letter::Report(told) => report(told, &settings.reports),
        };
        let pdu = match pdu {
            Ok(pdu) => pdu,
            Err(why) => {
                network.odd(now, self.number, || format!("cannot be delivered: {why}"));
                return;
            }
        };
        let sequence = self.sequence();
        let mut octets = pdu.to_bytes(Status::OK, sequence);
        if play.malformed {
            octets = cut_short(&octets);
        }
        let event = network
            .is_observed()
            .then(|| delivery_event(sequence, &waiting, |report| report.id.to_string()));
        let counts = network.counts_mut();
        match point {
            Point::Report => counts.reports += 1,
            _ => counts.deliveries += 1,
        }
        self.outlet
            .write_told(octets, play.manner_or(Manner::Whole), event);
        self.expect(
            now,
            sequence,
            pdu.id(),
            Asked::Letter {
                duplicate: play.duplicate,
                waiting,
            },
        );
    }

    pub(super) fn response(&mut self, now: Now, network: &mut Network, frame: &Frame) {
        let found = self.awaited.iter().position(|awaited| {
            awaited.sequence == frame.sequence
                && (awaited.response == frame.id || frame.id == CommandId::GENERIC_NACK)
        });
        let Some(index) = found else {
            let what = format!("{} {} answers nothing", frame.id, frame.sequence);
            if self.misled {
                network.odd(now, self.number, || what);
            } else {
                network.breach(now, self.number, what);
            }
            return;
        };
        let passed = self.awaited.range(..index);
        let is_letter = |awaited: &Awaited| matches!(awaited.what, Asked::Letter { .. });
        if is_letter(&self.awaited[index]) && passed.into_iter().any(is_letter) {
            network.breach(
                now,
                self.number,
                format!("{} {} is out of turn", frame.id, frame.sequence),
            );
        }
        let Some(awaited) = self.awaited.remove(index) else {
            return;
        };
        match awaited.what {
            Asked::Letter { waiting, duplicate } => {
                self.taken(now, network, frame, waiting, duplicate);
            }
            Asked::Unbind => self.outlet.close("unbound by the SMSC"),
            Asked::Alive | Asked::Nothing => {}
        }
    }

    fn taken(
        &mut self,
        now: Now,
        network: &mut Network,
        frame: &Frame,
        waiting: Waiting,
        duplicate: bool,
    ) {
        let State::Bound(bound) = self.state else {
            return;
        };
        network.record(now, self.number, || Event::Taken {
            number: frame.sequence,
            code: frame.status.0,
        });
        let counts = network.counts_mut();
        match (&waiting.letter, frame.status.is_ok()) {
            (Letter::FromPhone(_), true) => counts.deliveries_taken += 1,
            (Letter::Report(_), true) => counts.reports_taken += 1,
            (_, false) => counts.deliveries_refused += 1,
        }
        let for_now = matches!(
            frame.status,
            Status::TEMPORARY_APPLICATION_ERROR
                | Status::THROTTLED
                | Status::QUEUE_FULL
                | Status::SYSTEM_ERROR
        );
        if frame.status.is_ok() {
            if duplicate {
                network.give_back(bound.account, waiting);
            }
        } else if for_now {
            network.give_back_for_later(now, bound.account, waiting);
        } else {
            network.odd(now, self.number, || {
                format!("a delivery was refused for good: {}", frame.status)
            });
        }
        let play = self.play(now, network, Point::Taken);
        self.disturb(now, &play);
    }
}

/// The same with only the first octets of its body, and the length that these have.
fn cut_short(octets: &Bytes) -> Bytes {
    const LEFT: usize = 5;
    let length = octets.len().min(HEADER + LEFT);
    let mut cut = octets[..length].to_vec();
    let written = u32::try_from(length).expect("it is a few octets long");
    cut[..4].copy_from_slice(&written.to_be_bytes());
    cut.into()
}

/// A dialled number: international with a `+`, else as the carrier has it.
fn dialled(number: &str) -> Result<SmAddress, Refused> {
    let field = "destination_addr";
    match number.strip_prefix('+') {
        Some(digits) => Address::new(field, 1, 1, digits.as_bytes()),
        None => Address::new(field, 0, 1, number.as_bytes()),
    }
}

fn message(letter: &FromPhone, alphabet: Alphabet, long: Long) -> Result<Pdu, Refused> {
    let content = &letter.content;
    let mut tlvs = TlvList::new();
    let mut header = content.header.clone();
    if long == Long::Sar
        && let Some(concat) = header.as_concat()
    {
        tlvs.u16(Tag::SAR_MSG_REF_NUM, concat.reference);
        tlvs.octet(Tag::SAR_TOTAL_SEGMENTS, concat.total);
        tlvs.octet(Tag::SAR_SEGMENT_SEQNUM, concat.part);
        header = UserDataHeader::NONE;
    }
    let text: Bytes = [header.octets(), &written(content, alphabet)[..]]
        .concat()
        .into();
    let short_message = if text.len() > ShortText::MOST {
        tlvs.octets(Tag::MESSAGE_PAYLOAD, &text)?;
        ShortText::default()
    } else {
        ShortText::new(text)?
    };
    Ok(Pdu::DeliverSm(Message {
        source: Address::new("source_addr", 1, 1, letter.from.as_bytes())?,
        destination: dialled(&letter.to)?,
        esm_class: if header.is_none() { 0 } else { ESM_UDHI },
        data_coding: content.scheme,
        short_message,
        tlvs,
        ..Message::default()
    }))
}

/// A phone's text as this carrier writes it.
fn written(content: &Content, alphabet: Alphabet) -> Vec<u8> {
    if content.form != TextForm::Gsm7 {
        return content.data.to_vec();
    }
    match alphabet {
        Alphabet::Gsm7 => content.data.to_vec(),
        Alphabet::Gsm7Packed => {
            septets::pack(&content.data, Fill::behind_header(&content.header)).to_vec()
        }
        Alphabet::Latin1 | Alphabet::Ascii => gsm::decode(&content.data)
            .chars()
            .map(|c| u8::try_from(c).unwrap_or(b'?'))
            .collect(),
    }
}

/// A report: who was to read it tells it to who wrote it.
fn report(told: &Report, style: &crate::sim::report::Style) -> Result<Pdu, Refused> {
    let text: Bytes = match style.form {
        Form::Tlv => Bytes::new(),
        Form::Text | Form::Both => told.write(style).into(),
    };
    let id = style.id_in_report.write(told.id);
    let mut tlvs = TlvList::new();
    if style.form != Form::Text {
        let words = ReceiptText {
            id: &id,
            submitted: Civil::of(told.submitted, 0),
            done: Civil::of(told.done, 0),
            state: told.state,
            error: told.error_in_smpp(),
            text: &told.text,
        };
        words.put_tlvs(&mut tlvs)?;
    }
    let esm_class = match (style.marked, told.intermediate) {
        (false, _) => 0,
        (true, false) => ESM_RECEIPT,
        (true, true) => ESM_INTERMEDIATE,
    };
    Ok(match style.carrier {
        Carrier::DeliverSm => Pdu::DeliverSm(Message {
            source: address("source_addr", &told.destination)?,
            destination: address("destination_addr", &told.source)?,
            esm_class,
            short_message: ShortText::new(text)?,
            tlvs,
            ..Message::default()
        }),
        Carrier::DataSm => {
            if !text.is_empty() {
                tlvs.octets(Tag::MESSAGE_PAYLOAD, &text)?;
            }
            let wide = |field, written: &Written| -> Result<EsmeAddress, Refused> {
                address(field, written)
            };
            Pdu::DataSm(Data {
                service_type: COctets::EMPTY,
                source: wide("source_addr", &told.destination)?,
                destination: wide("destination_addr", &told.source)?,
                esm_class,
                registered_delivery: 0,
                data_coding: 0,
                tlvs,
            })
        }
    })
}

fn address<const MOST: usize>(
    field: &'static str,
    written: &Written,
) -> Result<Address<MOST>, Refused> {
    Address::new(field, written.ton, written.npi, &written.octets)
}
