//! A text for a phone as the short messages that carry it, marked and packed for a ring. A machine without I/O.

use std::collections::{HashMap, VecDeque};

use super::mark::Mark;
use crate::clock::WallTime;
use crate::message::{Item, Party, Priority, Refused, ReportWish, ShortMessage};
use crate::ring::Parcel;
use crate::text::{self, MOST_PARTS, Reference};

/// How many pairs' last references are remembered. A pair that was forgotten begins anew, by its message's identity.
const PAIRS: usize = 4096;

/// A text for a phone, and what its sender wishes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Letter {
    /// Its identity.
    pub id: u128,
    /// Who is shown as its sender: a short code, a name, a number.
    pub sender: Party,
    /// The phone.
    pub recipient: Party,
    /// The text.
    pub text: crate::private::Private<String>,
    /// Which reports are wanted.
    pub report: ReportWish,
    /// How urgent it is.
    pub priority: Priority,
    /// After this time it is of no use.
    pub valid_until: Option<WallTime>,
}

/// How many messages a text will be, or why it cannot be sent.
pub fn parts(text: &str) -> Result<u64, Refused> {
    let parts = text::Cost::of(text, text::Width::Narrow).parts;
    if parts > MOST_PARTS {
        return Err(Refused::new(
            "text",
            format!("needs {parts} parts; {MOST_PARTS} are allowed"),
        ));
    }
    Ok(parts as u64)
}

/// Chooses references, so that no two long messages that are under way between the same two parties have the same.
#[derive(Debug, Default)]
pub struct Cutter {
    last: HashMap<(Party, Party), u8>,
    by_age: VecDeque<(Party, Party)>,
}

impl Cutter {
    /// The parcels of a letter, in their order, each with its mark. All parts carry the letter's wishes. `reference` is
    /// that of parts of it that lie in a ring already; if there are none, one is chosen.
    pub fn cut(
        &mut self,
        letter: &Letter,
        reference: Option<Reference>,
        now: WallTime,
    ) -> Result<Vec<Parcel>, Refused> {
        let text = letter.text.expose();
        let reference = match reference {
            Some(reference) => reference,
            None if text::Cost::of(text, text::Width::Narrow).parts > 1 => self.reference(letter),
            None => Reference::Narrow(0),
        };
        let bodies = text::cut(text, reference)?;
        let total =
            u8::try_from(bodies.len()).map_err(|_| Refused::new("text", "has too many parts"))?;
        (1..=total)
            .zip(bodies)
            .map(|(part, body)| {
                let mut message =
                    ShortMessage::new(letter.sender.clone(), letter.recipient.clone(), body);
                message.report = letter.report;
                message.priority = letter.priority;
                message.valid_until = letter.valid_until;
                let mark = Mark {
                    id: letter.id,
                    part,
                    total,
                };
                Parcel::pack(&Item::Message(message), now, mark.key())
            })
            .collect()
    }

    fn reference(&mut self, letter: &Letter) -> Reference {
        let pair = (letter.sender.clone(), letter.recipient.clone());
        if let Some(last) = self.last.get_mut(&pair) {
            *last = last.wrapping_add(1);
            return Reference::Narrow(*last);
        }
        if self.by_age.len() >= PAIRS
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.last.remove(&oldest);
        }
        // After a restart it should not be the one of the message before.
        let [.., first] = letter.id.to_be_bytes();
        self.by_age.push_back(pair.clone());
        self.last.insert(pair, first);
        Reference::Narrow(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{PhoneNumber, ShortCode};
    use crate::private::Private;

    fn letter(id: u128, text: &str) -> Letter {
        Letter {
            id,
            sender: ShortCode::new("17000").unwrap().into(),
            recipient: PhoneNumber::new("+358401234567").unwrap().into(),
            text: Private::new(text.into()),
            report: ReportWish::Final,
            priority: Priority::High,
            valid_until: Some(WallTime::from_unix_ms(9)),
        }
    }

    fn messages(parcels: &[Parcel]) -> Vec<ShortMessage> {
        parcels
            .iter()
            .map(|parcel| match parcel.unpack().unwrap() {
                Item::Message(message) => message,
                Item::Report(_) => panic!("it was no report"),
            })
            .collect()
    }

    #[test]
    fn a_short_text_is_one_message_with_its_wishes() {
        let mut cutter = Cutter::default();
        let parcels = cutter
            .cut(&letter(7, "hello"), None, WallTime::default())
            .unwrap();
        let message = &messages(&parcels)[0];
        assert_eq!(parcels.len(), 1);
        assert!(message.body.header().is_none());
        assert_eq!(message.report, ReportWish::Final);
        assert_eq!(message.priority, Priority::High);
        assert_eq!(message.valid_until, Some(WallTime::from_unix_ms(9)));
        let mark = Mark::read(parcels[0].key).unwrap();
        assert_eq!((mark.id, mark.part, mark.total), (7, 1, 1));
    }

    #[test]
    fn a_long_text_is_cut_and_each_long_message_has_a_reference_of_its_own() {
        let mut cutter = Cutter::default();
        let text = "a".repeat(400);
        let mut references = Vec::new();
        for id in [0x1FF, 0x200, 0x201] {
            let parcels = cutter
                .cut(&letter(id, &text), None, WallTime::default())
                .unwrap();
            let messages = messages(&parcels);
            assert_eq!(messages.len(), 3);
            let concat = messages[2].body.header().as_concat().unwrap();
            assert_eq!((concat.total, concat.part), (3, 3));
            references.push(concat.reference);
            let mark = Mark::read(parcels[2].key).unwrap();
            assert_eq!((mark.part, mark.total), (3, 3));
        }
        assert_eq!(references, [0xFF, 0, 1]);
    }

    #[test]
    fn a_text_that_is_too_long_is_refused_with_its_parts() {
        let refused = parts(&"a".repeat(153 * 17)).unwrap_err();
        assert_eq!(refused.to_string(), "text: needs 17 parts; 16 are allowed");
        assert_eq!(parts(&"a".repeat(153 * 16)), Ok(16));
    }

    #[test]
    fn the_memory_of_pairs_is_bounded() {
        let mut cutter = Cutter::default();
        for number in 0..PAIRS + 10 {
            let mut letter = letter(1, &"a".repeat(161));
            letter.recipient = PhoneNumber::new(&format!("+3584{number:07}"))
                .unwrap()
                .into();
            cutter.cut(&letter, None, WallTime::default()).unwrap();
        }
        assert_eq!(cutter.last.len(), PAIRS);
    }
}
