//! Machines that answer machines: a phone that replies by itself to whatever comes must not keep another one, or the
//! service, busy forever.
//!
//! Two signs give them away: the same answer again and again (numbers aside, since some tell the time), and answers that come
//! faster than anybody types. Only what follows soon on a text that came to the phone is an answer: a meter that sends its
//! reading each minute answers nobody, and may do so for ever. A person who does either by chance is told, and goes on by
//! writing something else, or later.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::clock::Moment;
use crate::im::primitive::Recipient;
use crate::message::PhoneNumber;

/// So often the same answer may come in a row: a person who says *yes* to everything still gets through for a while.
pub(in crate::im::service) const MOST_SAME: u32 = 10;

/// So many texts in a row may each come within [`QUICK`] of one that went to the phone.
pub(in crate::im::service) const MOST_QUICK: u32 = 20;

/// Faster than somebody reads, types and sends a text on a phone, and slower than a phone that answers by itself.
const QUICK: Duration = Duration::from_secs(10);

/// A text that follows on one that went to the phone within this time answers it. Phones that answer by themselves take
/// seconds, and a carrier may take a minute; what is slower costs no more than thirty texts an hour.
const ANSWER: Duration = Duration::from_secs(120);

/// A row ends with a pause of that length.
const ROW: Duration = Duration::from_secs(3600);

/// What becomes of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pass {
    /// It goes.
    Goes,
    /// It does not, and its phone is told.
    Ends,
    /// It does not, and its phone was told.
    Silent,
}

/// What one phone did lately.
#[derive(Debug, Default)]
struct Row {
    digest: u64,
    same: u32,
    quick: u32,
    wrote_at: Option<Moment>,
    /// When a text went to it that it has not followed with one.
    came_at: Option<Moment>,
    is_told: bool,
}

/// All phones that wrote lately, or were written to.
#[derive(Debug, Default)]
pub(in crate::im::service) struct Loops {
    rows: HashMap<PhoneNumber, Row>,
}

/// The text as far as it matters, and to whom it goes; only a digest, so that no text stays in memory.
fn digest(partner: &Recipient, text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    partner.hash(&mut hasher);
    for character in text.chars() {
        if !character.is_whitespace() && !character.is_numeric() {
            character.hash(&mut hasher);
        }
    }
    hasher.finish()
}

impl Loops {
    /// A text went to a phone.
    pub(in crate::im::service) fn comes(&mut self, phone: &PhoneNumber, now: Moment) {
        self.rows.entry(phone.clone()).or_default().came_at = Some(now);
    }

    /// A phone writes a message to somebody.
    pub(super) fn writes(
        &mut self,
        phone: &PhoneNumber,
        partner: &Recipient,
        text: &str,
        now: Moment,
    ) -> Pass {
        let row = self.rows.entry(phone.clone()).or_default();
        let digest = digest(partner, text);
        let is_row = row
            .wrote_at
            .is_some_and(|before| now.since(before) <= ROW && row.digest == digest);
        if !is_row {
            row.same = 0;
        }
        let came = row.came_at.take();
        let is_answer = came.is_some_and(|came| now.since(came) <= ANSWER);
        row.same = row.same.saturating_add(u32::from(is_answer));
        let is_quick = came.is_some_and(|came| now.since(came) <= QUICK);
        row.quick = if is_quick {
            row.quick.saturating_add(1)
        } else {
            0
        };
        row.digest = digest;
        row.wrote_at = Some(now);
        if row.same <= MOST_SAME && row.quick <= MOST_QUICK {
            row.is_told = false;
            return Pass::Goes;
        }
        if std::mem::replace(&mut row.is_told, true) {
            Pass::Silent
        } else {
            Pass::Ends
        }
    }

    /// Forgets phones whose row has ended.
    pub(in crate::im::service) fn sweep(&mut self, now: Moment) {
        self.rows.retain(|_, row| {
            let is_late = |at: Option<Moment>| at.is_none_or(|at| now.since(at) > ROW);
            !(is_late(row.wrote_at) && is_late(row.came_at))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::UserName;

    fn phone() -> PhoneNumber {
        PhoneNumber::new("358401234567").unwrap()
    }

    fn to(name: &str) -> Recipient {
        Recipient::User(UserName::new(name).unwrap())
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_micros(1_000_000 * (seconds + 1))
    }

    #[test]
    fn the_same_text_ends_and_another_one_goes_on() {
        let mut loops = Loops::default();
        let mut writes = |text: &str, now: u64| {
            loops.comes(&phone(), at(now - 30));
            loops.writes(&phone(), &to("alice"), text, at(now))
        };
        for number in 0..10 {
            let text = format!("Away until 1{number}:00");
            assert_eq!(writes(&text, 60 + number * 60), Pass::Goes, "{number}");
        }
        assert_eq!(writes("Away until 20:00", 900), Pass::Ends);
        assert_eq!(writes("Away  until 21:00", 960), Pass::Silent);
        assert_eq!(writes("I am back", 1000), Pass::Goes);
        assert_eq!(writes("Away until 22:00", 1100), Pass::Goes);
    }

    #[test]
    fn a_pause_ends_a_row() {
        let mut loops = Loops::default();
        for number in 0..30 {
            let now = at(number * 3601);
            loops.comes(&phone(), now);
            let now = now + Duration::from_secs(60);
            assert_eq!(loops.writes(&phone(), &to("alice"), "Yes", now), Pass::Goes);
        }
        loops.sweep(at(40 * 3601));
        assert!(loops.rows.is_empty());
    }

    #[test]
    fn what_answers_nobody_may_be_the_same_for_ever() {
        let mut loops = Loops::default();
        for number in 0..2000_u64 {
            // Each reading is acknowledged at once; the next one does not answer that.
            let text = format!("reading {number}");
            let now = at(number * 300);
            assert_eq!(loops.writes(&phone(), &to("alice"), &text, now), Pass::Goes);
            loops.comes(&phone(), at(number * 300 + 2));
        }
    }

    #[test]
    fn a_machine_that_answers_each_text_twice_comes_to_an_end() {
        let mut loops = Loops::default();
        let mut went = 0;
        for number in 0..100_u64 {
            loops.comes(&phone(), at(number * 40));
            for second in [20, 21] {
                let now = at(number * 40 + second);
                let pass = loops.writes(&phone(), &to("alice"), "I am away", now);
                went += u32::from(pass == Pass::Goes);
            }
        }
        assert_eq!(went, 2 * MOST_SAME);
    }

    #[test]
    fn answers_that_are_too_quick_end_whatever_they_say() {
        let mut loops = Loops::default();
        let letters = ["a", "b"];
        let mut ends_at = None;
        for number in 0..40_u64 {
            loops.comes(&phone(), at(number * 12));
            let text = letters[usize::from(number % 2 == 0)];
            if loops.writes(&phone(), &to("alice"), text, at(number * 12 + 5)) == Pass::Ends {
                ends_at = ends_at.or(Some(number));
            }
        }
        assert_eq!(ends_at, Some(20));
        // Several texts after one that came count once, and a slow one ends the row.
        assert_eq!(
            loops.writes(&phone(), &to("alice"), "c", at(500)),
            Pass::Goes
        );
    }
}
