//! Phones: how each behaves, what is on its way to one, and what they write by themselves.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use bytes::Bytes;

use super::{Content, Report, Written};
use crate::clock::Moment;
use crate::codec::smpp::{DataCoding, TextForm};
use crate::message::{Body, Coding, UserDataHeader};
use crate::sim::config::{Config, Long};
use crate::sim::phone::{Phones, Says, canonical};
use crate::text::{self, Reference};

/// What happens when a message has come to its end.
pub(super) struct Arrival {
    pub(super) account: usize,
    pub(super) report: Option<Report>,
    /// What the phone gets, if it does.
    pub(super) content: Option<Content>,
    pub(super) id: u64,
    pub(super) from: Written,
    pub(super) to: Written,
}

/// A phone that writes by itself.
struct Talker {
    from: String,
    says: Says,
    said: u64,
    next: Moment,
    /// Whether its first time has come.
    begun: bool,
}

/// What a phone said.
pub(super) struct Said {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) text: String,
}

pub(super) struct Phonebook {
    others: Phones,
    named: HashMap<String, Phones>,
    talkers: Vec<Talker>,
    arrivals: HashMap<u64, Arrival>,
    order: BinaryHeap<Reverse<(Moment, u64)>>,
    next_arrival: u64,
    next_reference: u8,
}

impl Talker {
    fn is_flood(&self) -> bool {
        self.says.every.is_some_and(|every| every.is_zero())
    }

    fn is_done(&self) -> bool {
        self.said >= self.says.most()
    }
}

impl Phonebook {
    pub(super) fn new(config: &Config) -> Self {
        let phones = &config.named_phones;
        let named = phones
            .iter()
            .map(|phone| (canonical(&phone.number).to_owned(), phone.behaviour()))
            .collect();
        let talkers = phones
            .iter()
            .flat_map(|phone| phone.says.iter().map(move |says| (phone, says)))
            .map(|(phone, says)| Talker {
                from: phone.number.clone(),
                says: says.clone(),
                said: 0,
                next: Moment::START + says.at,
                begun: false,
            })
            .collect();
        Self {
            others: config.phones.clone(),
            named,
            talkers,
            arrivals: HashMap::new(),
            order: BinaryHeap::new(),
            next_arrival: 0,
            next_reference: 0,
        }
    }

    pub(super) fn of(&self, number: &str) -> &Phones {
        self.named.get(canonical(number)).unwrap_or(&self.others)
    }

    pub(super) fn arrives_at(&mut self, at: Moment, arrival: Arrival) {
        self.order.push(Reverse((at, self.next_arrival)));
        self.arrivals.insert(self.next_arrival, arrival);
        self.next_arrival += 1;
    }

    /// The next arrival that is due.
    pub(super) fn next_arrival(&mut self, now: Moment) -> Option<Arrival> {
        let Reverse((at, _)) = self.order.peek()?;
        if *at > now {
            return None;
        }
        let Reverse((_, number)) = self.order.pop()?;
        self.arrivals.remove(&number)
    }

    /// When something is due.
    pub(super) fn next(&self) -> Option<Moment> {
        let arrival = self.order.peek().map(|Reverse((at, _))| *at);
        let said = self
            .talkers
            .iter()
            .filter(|talker| !(talker.is_done() || talker.is_flood() && talker.begun))
            .map(|talker| talker.next)
            .min();
        arrival.into_iter().chain(said).min()
    }

    /// What is said now by those that keep to a time.
    pub(super) fn next_said(&mut self, now: Moment) -> Option<Said> {
        for talker in &mut self.talkers {
            talker.begun |= talker.next <= now;
        }
        let due = self
            .talkers
            .iter()
            .position(|talker| !talker.is_flood() && !talker.is_done() && talker.next <= now)?;
        Some(self.say(due))
    }

    pub(super) fn talkers(&self) -> usize {
        self.talkers.len()
    }

    /// To whom this one writes, if it writes as fast as it is read and has begun.
    pub(super) fn flood(&self, talker: usize, now: Moment) -> Option<&str> {
        let talker = &self.talkers[talker];
        let due = talker.is_flood() && !talker.is_done() && talker.next <= now;
        due.then_some(talker.says.to.as_str())
    }

    pub(super) fn say(&mut self, talker: usize) -> Said {
        let talker = &mut self.talkers[talker];
        talker.said += 1;
        if let Some(every) = talker.says.every {
            talker.next = talker.next + every;
        }
        Said {
            from: talker.from.clone(),
            to: talker.says.to.clone(),
            text: talker.says.text_of(talker.said),
        }
    }

    /// A text as a phone sends it: in parts if it is long, unless the account takes it whole.
    pub(super) fn pieces(&mut self, written: &str, long: Long) -> Vec<Content> {
        if long == Long::Payload {
            let (coding, data) = text::encode(written);
            return vec![content(coding, UserDataHeader::NONE, data)];
        }
        self.next_reference = self.next_reference.wrapping_add(1);
        // A phone stops its user before 255 parts.
        text::cut(written, Reference::Narrow(self.next_reference))
            .unwrap_or_default()
            .into_iter()
            .map(|body: Body| content(body.coding(), body.header().clone(), body.data().clone()))
            .collect()
    }
}

fn content(coding: Coding, header: UserDataHeader, data: Bytes) -> Content {
    Content {
        form: match coding {
            Coding::Gsm7 => TextForm::Gsm7,
            Coding::Ucs2 => TextForm::Ucs2,
            Coding::Octets => TextForm::Octets,
        },
        scheme: DataCoding::write(coding, None, 0),
        header,
        data,
    }
}
