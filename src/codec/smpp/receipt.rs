//! Delivery receipts (appendix B): a text of `key:value` pairs that every vendor writes a little differently, and the
//! TLVs that say the same.

use std::fmt;

use super::message_state::MessageState;
use super::time::Civil;
use super::tlv::{Tag, TlvList};
use crate::message::Refused;

/// What the text of a receipt says; whatever is there, as it stands there. `Debug` shows lengths only.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Receipt<'a> {
    /// Which message.
    pub id: Option<&'a [u8]>,
    /// How many parts were submitted.
    pub sub: Option<&'a [u8]>,
    /// How many parts were delivered.
    pub dlvrd: Option<&'a [u8]>,
    /// When it was submitted.
    pub submit_date: Option<&'a [u8]>,
    /// When it came to this state.
    pub done_date: Option<&'a [u8]>,
    /// The state, as a word.
    pub stat: Option<&'a [u8]>,
    /// The network's or the SMSC's reason.
    pub err: Option<&'a [u8]>,
    /// The beginning of the message itself.
    pub text: Option<&'a [u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Id,
    Sub,
    Dlvrd,
    SubmitDate,
    DoneDate,
    Stat,
    Err,
    Text,
}

/// Longer keys first where one ends another.
const KEYS: &[(&[u8], Key)] = &[
    (b"id:", Key::Id),
    (b"sub:", Key::Sub),
    (b"dlvrd:", Key::Dlvrd),
    (b"submit date:", Key::SubmitDate),
    (b"submit_date:", Key::SubmitDate),
    (b"submitdate:", Key::SubmitDate),
    (b"done date:", Key::DoneDate),
    (b"done_date:", Key::DoneDate),
    (b"donedate:", Key::DoneDate),
    (b"stat:", Key::Stat),
    (b"err:", Key::Err),
    (b"text:", Key::Text),
];

/// The key that the octets begin with, and its length.
fn key_at(octets: &[u8]) -> Option<(Key, usize)> {
    KEYS.iter().find_map(|(written, key)| {
        let start = octets.get(..written.len())?;
        start
            .eq_ignore_ascii_case(written)
            .then_some((*key, written.len()))
    })
}

impl<'a> Receipt<'a> {
    /// Looks for keys where a word begins, in any order, each optional; stops at `text:`.
    pub fn scan(octets: &'a [u8]) -> Self {
        let mut receipt = Self::default();
        let mut at = 0;
        while at < octets.len() {
            let Some((key, length)) = key_at(&octets[at..]) else {
                // To the next word.
                at += octets[at..]
                    .iter()
                    .take_while(|&&octet| octet != b' ')
                    .count()
                    + 1;
                continue;
            };
            at += length;
            if key == Key::Text {
                receipt.text.get_or_insert(&octets[at..]);
                break;
            }
            at += octets[at..]
                .iter()
                .take_while(|&&octet| octet == b' ')
                .count();
            let rest = &octets[at..];
            let value = match key_at(rest) {
                Some(_) => &rest[..0],
                None => {
                    &rest[..rest
                        .iter()
                        .take_while(|octet| !octet.is_ascii_whitespace() && **octet != 0)
                        .count()]
                }
            };
            at += value.len();
            receipt.slot(key).get_or_insert(value);
        }
        receipt
    }

    fn slot(&mut self, key: Key) -> &mut Option<&'a [u8]> {
        match key {
            Key::Id => &mut self.id,
            Key::Sub => &mut self.sub,
            Key::Dlvrd => &mut self.dlvrd,
            Key::SubmitDate => &mut self.submit_date,
            Key::DoneDate => &mut self.done_date,
            Key::Stat => &mut self.stat,
            Key::Err => &mut self.err,
            Key::Text => &mut self.text,
        }
    }

    /// Whether this is the text of a receipt: it names a message and its state.
    pub fn is_one(&self) -> bool {
        self.id.is_some_and(|id| !id.is_empty()) && self.stat.is_some_and(|stat| !stat.is_empty())
    }

    /// The state, if its word is known.
    pub fn state(&self) -> Option<MessageState> {
        self.stat.and_then(MessageState::from_word)
    }

    /// The reason, if it is a number.
    pub fn error(&self) -> Option<u32> {
        std::str::from_utf8(self.err?).ok()?.parse().ok()
    }
}

impl fmt::Debug for Receipt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |value: Option<&[u8]>| value.map(<[u8]>::len);
        f.debug_struct("Receipt")
            .field("id_octets", &length(self.id))
            .field("state", &self.state())
            .field("text_octets", &length(self.text))
            .finish_non_exhaustive()
    }
}

/// A receipt to be sent, as the specification shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceiptText<'a> {
    /// Which message.
    pub id: &'a [u8],
    /// When it was submitted.
    pub submitted: Civil,
    /// When it came to this state.
    pub done: Civil,
    /// The state.
    pub state: MessageState,
    /// The network's reason.
    pub error: u16,
    /// The message itself; twenty octets of it go out.
    pub text: &'a [u8],
}

impl ReceiptText<'_> {
    /// `id:… sub:001 dlvrd:001 submit date:… done date:… stat:… err:… text:…`
    pub fn to_vec(&self) -> Vec<u8> {
        let delivered = u8::from(self.state == MessageState::Delivered);
        let middle = format!(
            " sub:001 dlvrd:{delivered:03} submit date:{} done date:{} stat:{} err:{:03} text:",
            &self.submitted.digits()[..10],
            &self.done.digits()[..10],
            self.state.word(),
            self.error
        );
        [
            b"id:",
            self.id,
            middle.as_bytes(),
            &self.text[..self.text.len().min(20)],
        ]
        .concat()
    }

    /// The same as TLVs.
    pub fn put_tlvs(&self, tlvs: &mut TlvList) -> Result<(), Refused> {
        /// network_error_code of a GSM network.
        const GSM: u8 = 3;
        tlvs.c_octets(Tag::RECEIPTED_MESSAGE_ID, self.id)?;
        tlvs.octet(Tag::MESSAGE_STATE, self.state.number());
        if self.error != 0 {
            let [high, low] = self.error.to_be_bytes();
            tlvs.octets(Tag::NETWORK_ERROR_CODE, &[GSM, high, low])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::WallTime;

    #[test]
    fn the_usual_text_is_read() {
        let text = b"id:0123456789 sub:001 dlvrd:001 submit date:2611211013 done date:261121101305 stat:DELIVRD err:000 text:Hello id:7";
        let receipt = Receipt::scan(text);
        assert_eq!(receipt.id, Some(&b"0123456789"[..]));
        assert_eq!(receipt.submit_date, Some(&b"2611211013"[..]));
        assert_eq!(receipt.done_date, Some(&b"261121101305"[..]));
        assert_eq!(receipt.state(), Some(MessageState::Delivered));
        assert_eq!(receipt.error(), Some(0));
        assert_eq!(receipt.text, Some(&b"Hello id:7"[..]));
        assert!(receipt.is_one());
    }

    #[test]
    fn other_orders_capitals_and_gaps_are_read() {
        let receipt = Receipt::scan(b"Stat: undeliv  ID: 3f-9.A7 ERR:x1 Done Date:20261121101305");
        assert_eq!(receipt.id, Some(&b"3f-9.A7"[..]));
        assert_eq!(receipt.state(), Some(MessageState::Undeliverable));
        assert_eq!((receipt.err, receipt.error()), (Some(&b"x1"[..]), None));
        assert_eq!(receipt.done_date, Some(&b"20261121101305"[..]));
        let empty = Receipt::scan(b"id:7 stat: err:001 text:");
        assert_eq!(
            (empty.stat, empty.error(), empty.text),
            (Some(&b""[..]), Some(1), Some(&b""[..]))
        );
        assert!(!empty.is_one());
        assert_eq!(
            Receipt::scan(b"Did you get it? Grid:7 said:no"),
            Receipt::default()
        );
        assert_eq!(Receipt::scan(b"id:7 stat:WHATEVER").state(), None);
    }

    #[test]
    fn what_is_built_is_read_back() {
        let built = ReceiptText {
            id: b"A1B2",
            submitted: Civil::of(WallTime::from_unix_ms(1_795_248_785_000), 0),
            done: Civil::of(WallTime::from_unix_ms(1_795_248_845_000), 0),
            state: MessageState::Expired,
            error: 29,
            text: b"twenty octets of the message, not more",
        };
        let text = built.to_vec();
        assert_eq!(
            text,
            b"id:A1B2 sub:001 dlvrd:000 submit date:2611210813 done date:2611210814 stat:EXPIRED err:029 text:twenty octets of the"
        );
        let receipt = Receipt::scan(&text);
        assert_eq!(
            (receipt.id, receipt.state(), receipt.error()),
            (Some(&b"A1B2"[..]), Some(MessageState::Expired), Some(29))
        );
        let mut tlvs = TlvList::new();
        built.put_tlvs(&mut tlvs).unwrap();
        assert_eq!(
            tlvs.as_tlvs().c_octets(Tag::RECEIPTED_MESSAGE_ID),
            Some(&b"A1B2"[..])
        );
        assert_eq!(tlvs.as_tlvs().octet(Tag::MESSAGE_STATE), Some(3));
        assert_eq!(
            tlvs.as_tlvs().find(Tag::NETWORK_ERROR_CODE),
            Some(&[3, 0, 29][..])
        );
    }
}
