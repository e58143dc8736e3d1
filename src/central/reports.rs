//! Which message a report is about (G18). A machine without I/O.
//!
//! A carrier gives a name to each message that it accepts, and its later report repeats the name – in a form of its own:
//! decimal in the answer and hexadecimal in the report, the other way round, with zeros in front, in capitals. So a
//! message is found by [`index_key`] of its name, and a report is looked up under one key after the other, the one first
//! that has fitted before on this lane ([`Dialects`]).
//!
//! | the answer says | the report says | found under |
//! |---|---|---|
//! | `00ABCDEF` | `abcdef` | the same, without zeros and capitals |
//! | `1234` | `4D2` | the report's number, read as hexadecimal, in decimal |
//! | `4D2` | `0000001234` | the report's number, read as decimal, in hexadecimal |
//!
//! A report may come before the answer that names its message. It is held ([`Early`]) until that answer comes, or until
//! it has waited too long; then it belongs to nobody, and is kept to be shown.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::clock::Moment;
use crate::lane::Lane;
use crate::message::SmscId;

/// How long a report waits for the answer that names its message. Answers come within a carrier's timeout, a minute;
/// what is in doubt then may be offered once more.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// How many reports wait at most: a lane has one answer outstanding, so more than a few a lane are strangers.
pub const MOST_EARLY: usize = 4096;

/// By what a message is found, in the form of an index.
pub type Key = Vec<u8>;

/// How the name in a report is to be read to find the name in the answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reading {
    /// As it stands, but for leading zeros and capitals.
    Same,
    /// The report writes hexadecimal what the answer wrote decimal.
    Hexadecimal,
    /// The report writes decimal what the answer wrote hexadecimal.
    Decimal,
}

const READINGS: [Reading; 3] = [Reading::Same, Reading::Hexadecimal, Reading::Decimal];

/// The key of the name that an answer gave; `None` if it gave none: then no report can be matched.
pub fn index_key(id: &SmscId) -> Option<Key> {
    (!id.is_none()).then(|| plain(id.octets()))
}

/// Without leading zeros, in small letters; one zero stays of zeros alone.
fn plain(octets: &[u8]) -> Key {
    let zeros = octets.iter().take_while(|&&octet| octet == b'0').count();
    let mut key = octets[zeros.min(octets.len().saturating_sub(1))..].to_vec();
    key.make_ascii_lowercase();
    key
}

fn read(reading: Reading, id: &SmscId) -> Option<Key> {
    let number = |base| {
        let text = std::str::from_utf8(id.octets()).ok()?;
        let digits = text.bytes().all(|octet| octet.is_ascii_alphanumeric());
        // Names of more than 128 bits are no numbers that anybody counts.
        digits
            .then(|| u128::from_str_radix(text, base).ok())
            .flatten()
    };
    match reading {
        Reading::Same => index_key(id),
        Reading::Hexadecimal => number(16).map(|number| number.to_string().into_bytes()),
        Reading::Decimal => number(10).map(|number| format!("{number:x}").into_bytes()),
    }
}

/// The keys under which a report is looked up, each once, with the reading that gave it.
fn keys(id: &SmscId, first: Reading) -> Vec<(Reading, Key)> {
    let mut found: Vec<(Reading, Key)> = Vec::with_capacity(READINGS.len());
    let others = READINGS.into_iter().filter(|&reading| reading != first);
    for reading in std::iter::once(first).chain(others) {
        if let Some(key) = read(reading, id)
            && found.iter().all(|(_, known)| *known != key)
        {
            found.push((reading, key));
        }
    }
    found
}

/// How each lane's carrier writes, as far as it was seen.
#[derive(Debug, Default)]
pub struct Dialects {
    last: HashMap<Lane, Reading>,
}

impl Dialects {
    /// Under which keys a lane's report is to be looked up, in this order.
    pub fn keys(&self, lane: &Lane, id: &SmscId) -> Vec<(Reading, Key)> {
        let first = self.last.get(lane).copied().unwrap_or(Reading::Same);
        keys(id, first)
    }

    /// A message was found so.
    pub fn fitted(&mut self, lane: &Lane, reading: Reading) {
        if self.last.get(lane) != Some(&reading) {
            self.last.insert(lane.clone(), reading);
        }
    }
}

/// A report that waits for its message's name.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Held<T> {
    lane: Lane,
    keys: Vec<Key>,
    until: Moment,
    tag: T,
}

/// Reports that came before the answer. What it holds is to be kept by its owner until it comes out again.
#[derive(Debug)]
pub struct Early<T> {
    /// By number, which is the order in which they came.
    held: BTreeMap<u64, Held<T>>,
    by_key: HashMap<(Lane, Key), Vec<u64>>,
    next: u64,
}

impl<T> Default for Early<T> {
    fn default() -> Self {
        Self {
            held: BTreeMap::new(),
            by_key: HashMap::new(),
            next: 0,
        }
    }
}

impl<T> Early<T> {
    /// Holds a report. Gives back the one that waited longest if there are too many.
    pub fn hold(&mut self, now: Moment, lane: &Lane, id: &SmscId, tag: T) -> Option<T> {
        let number = self.next;
        self.next += 1;
        let keys: Vec<Key> = keys(id, Reading::Same)
            .into_iter()
            .map(|(_, key)| key)
            .collect();
        for key in &keys {
            let place = (lane.clone(), key.clone());
            self.by_key.entry(place).or_default().push(number);
        }
        let held = Held {
            lane: lane.clone(),
            keys,
            until: now + PATIENCE,
            tag,
        };
        self.held.insert(number, held);
        if self.held.len() <= MOST_EARLY {
            return None;
        }
        let (&oldest, _) = self.held.first_key_value()?;
        self.take(oldest)
    }

    /// A message was accepted under this name: the report that has waited for it longest. Some SMSCs give one name to
    /// several messages of the same second; how many of the reports are about this one is for the caller to say.
    pub fn claim(&mut self, lane: &Lane, id: &SmscId) -> Option<T> {
        let key = index_key(id)?;
        let number = *self.by_key.get(&(lane.clone(), key))?.first()?;
        self.take(number)
    }

    /// The next report that has waited too long.
    pub fn lapsed(&mut self, now: Moment) -> Option<T> {
        let (&oldest, held) = self.held.first_key_value()?;
        (held.until <= now).then(|| self.take(oldest)).flatten()
    }

    /// When the next one will have waited too long.
    pub fn next_lapse(&self) -> Option<Moment> {
        self.held.first_key_value().map(|(_, held)| held.until)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    fn take(&mut self, number: u64) -> Option<T> {
        let held = self.held.remove(&number)?;
        for key in held.keys {
            let place = (held.lane.clone(), key);
            if let Some(numbers) = self.by_key.get_mut(&place) {
                numbers.retain(|&other| other != number);
                if numbers.is_empty() {
                    self.by_key.remove(&place);
                }
            }
        }
        Some(held.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn id(text: &str) -> SmscId {
        SmscId::new(Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    fn lane(name: &str) -> Lane {
        name.parse().unwrap()
    }

    fn meets(answer: &str, report: &str) -> Option<Reading> {
        let wanted = index_key(&id(answer)).unwrap();
        Dialects::default()
            .keys(&lane("oslo/a"), &id(report))
            .into_iter()
            .find(|(_, key)| *key == wanted)
            .map(|(reading, _)| reading)
    }

    #[test]
    fn g18_a_report_finds_its_message_however_its_carrier_writes() {
        assert_eq!(meets("1234", "1234"), Some(Reading::Same));
        assert_eq!(meets("00ABCDEF", "abcdef"), Some(Reading::Same));
        assert_eq!(meets("3f-9A", "3F-9a"), Some(Reading::Same));
        assert_eq!(meets("1234", "4D2"), Some(Reading::Hexadecimal));
        assert_eq!(meets("1234", "000004d2"), Some(Reading::Hexadecimal));
        assert_eq!(meets("4D2", "1234"), Some(Reading::Decimal));
        assert_eq!(meets("000004D2", "0000001234"), Some(Reading::Decimal));
        assert_eq!(meets("0", "000"), Some(Reading::Same));
        assert_eq!(
            meets("+358401234567/261121100846", "+358401234567/261121100846"),
            Some(Reading::Same)
        );
        // Twenty digits.
        assert_eq!(
            meets("55AA54D38E5267EEA", "98765432109876543210"),
            Some(Reading::Decimal)
        );
        assert_eq!(meets("1234", "1235"), None);
        assert_eq!(meets("1234", "3f-9"), None);
        assert_eq!(index_key(&SmscId::NONE), None);
    }

    #[test]
    fn the_reading_that_fitted_before_is_tried_first() {
        let mut dialects = Dialects::default();
        let (a, b) = (lane("oslo/a"), lane("oslo/b"));
        // "1234" may be either.
        assert_eq!(dialects.keys(&a, &id("1234"))[0].0, Reading::Same);
        dialects.fitted(&a, Reading::Decimal);
        assert_eq!(
            dialects.keys(&a, &id("1234"))[0],
            (Reading::Decimal, b"4d2".to_vec())
        );
        assert_eq!(dialects.keys(&b, &id("1234"))[0].0, Reading::Same);
    }

    #[test]
    fn a_report_before_its_answer_waits_for_it() {
        let mut early = Early::default();
        let (a, b) = (lane("oslo/a"), lane("oslo/b"));
        let now = Moment::START;
        assert_eq!(early.hold(now, &a, &id("4D2"), 1), None);
        assert_eq!(early.hold(now, &a, &id("0001234"), 2), None);
        assert_eq!(early.hold(now, &b, &id("1234"), 3), None);
        // Another lane's name is another name.
        assert_eq!(early.claim(&a, &id("1234")), Some(1));
        assert_eq!(early.claim(&a, &id("1234")), Some(2));
        assert_eq!(early.claim(&a, &id("1234")), None);
        assert_eq!(early.len(), 1);
        assert_eq!(early.claim(&b, &id("4d2")), Some(3));
        assert!(early.is_empty() && early.by_key.is_empty());
    }

    #[test]
    fn what_waits_too_long_or_is_too_much_comes_out_again() {
        let mut early = Early::default();
        let a = lane("oslo/a");
        let now = Moment::START;
        early.hold(now, &a, &id("x"), 0);
        assert_eq!(early.next_lapse(), Some(now + PATIENCE));
        assert_eq!(early.lapsed(now), None);
        assert_eq!(early.lapsed(now + PATIENCE), Some(0));
        for number in 1..=MOST_EARLY {
            assert_eq!(
                early.hold(now, &a, &id(&format!("n{number}")), number),
                None
            );
        }
        assert_eq!(early.hold(now, &a, &id("one more"), 9999), Some(1));
        assert_eq!(early.len(), MOST_EARLY);
    }
}
