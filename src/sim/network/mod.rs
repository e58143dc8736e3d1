//! The simulated network: accounts and what waits for them, phones, and what became of messages. All sessions share
//! it. It has no clock and no lines; whoever calls brings the time, and wakes the sessions that it names.

mod kept;
mod letter;
mod phones;

pub(super) use kept::State;
pub use letter::Received;
pub(super) use letter::{Content, FromPhone, Letter, Offered, Waiting, Wishes};

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use kept::{Kept, Message};
use phones::Phonebook;

use super::config::{Account, Config};
use super::event::{Counts, Event, Protocol, Record};
use super::fault::{Fault, Player, Point};
use super::phone::{Fate, canonical};
use super::report::{Report, Written};
use crate::clock::{Moment, WallTime};
use crate::codec::smpp::MessageState;

/// The present.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// For timers.
    pub(super) moment: Moment,
    /// What the SMSC's clock shows, as if it were UTC.
    pub(super) wall: WallTime,
}

/// Most breaches that are kept in words; the count goes on.
const MOST_BREACHES: usize = 1_000;

/// Beyond so many destinations, those whose last time stamp has passed are forgotten.
const MOST_STAMPS: usize = 100_000;

/// Why somebody may not log in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LoginRefusal {
    Name,
    Password,
    Sessions,
}

/// Why a message is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SubmitRefusal {
    Destination,
    Sender,
    Throttled,
    QueueFull,
}

/// What a message is called from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Accepted {
    /// SMPP.
    pub(super) id: u64,
    /// CIMD2, with the destination.
    pub(super) stamp: u64,
}

/// An account with its sessions and queue.
struct Desk {
    config: Account,
    password: String,
    sessions: Vec<u64>,
    queue: VecDeque<Waiting>,
    /// How many more messages are taken now.
    allowance: f64,
    allowed_at: Moment,
}

pub(super) struct Network {
    config: Arc<Config>,
    desks: Vec<Desk>,
    phones: Phonebook,
    kept: Kept,
    received: VecDeque<Received>,
    /// The last second that was given to a destination.
    stamps: HashMap<Box<[u8]>, u64>,
    next_id: u64,
    faults: Player,
    counts: Counts,
    breaches: Vec<String>,
    /// Whether anybody wants records.
    observed: bool,
    records: Vec<Record>,
    wakes: Vec<u64>,
}

impl Network {
    pub(super) fn new(config: Arc<Config>) -> Self {
        let desks = config
            .accounts
            .iter()
            .map(|account| Desk {
                config: account.clone(),
                password: account.password.clone(),
                sessions: Vec::new(),
                queue: VecDeque::new(),
                allowance: 1.0,
                allowed_at: Moment::START,
            })
            .collect();
        Self {
            desks,
            phones: Phonebook::new(&config),
            kept: Kept::new(config.centre.keep),
            received: VecDeque::new(),
            stamps: HashMap::new(),
            next_id: 1,
            faults: Player::new(&config.faults),
            counts: Counts::default(),
            breaches: Vec::new(),
            observed: false,
            records: Vec::new(),
            wakes: Vec::new(),
            config,
        }
    }

    pub(super) fn account(&self, account: usize) -> &Account {
        &self.desks[account].config
    }

    // Who is there.

    pub(super) fn login(
        &mut self,
        session: u64,
        name: &str,
        password: &str,
    ) -> Result<usize, LoginRefusal> {
        let found = self.desks.iter().position(|desk| desk.config.name == name);
        let account = found.ok_or(LoginRefusal::Name)?;
        let desk = &mut self.desks[account];
        if desk.password != password {
            return Err(LoginRefusal::Password);
        }
        if desk.sessions.len() >= desk.config.sessions {
            return Err(LoginRefusal::Sessions);
        }
        desk.sessions.push(session);
        Ok(account)
    }

    pub(super) fn logout(&mut self, session: u64, account: usize) {
        self.desks[account].sessions.retain(|own| *own != session);
    }

    pub(super) fn set_password(&mut self, account: usize, password: &str) {
        self.desks[account].password = password.into();
    }

    // From accounts to phones.

    /// Takes a message, or says why not.
    pub(super) fn submit(
        &mut self,
        now: Now,
        account: usize,
        offered: &Offered,
    ) -> Result<Accepted, SubmitRefusal> {
        let behaviour = self.phones.of(&offered.destination.text());
        if behaviour.fate == Fate::Refused {
            return Err(SubmitRefusal::Destination);
        }
        let desk = &mut self.desks[account];
        if !desk.config.may_send_as(&offered.source.text()) {
            return Err(SubmitRefusal::Sender);
        }
        if desk
            .config
            .queue
            .is_some_and(|most| desk.queue.len() >= most)
        {
            return Err(SubmitRefusal::QueueFull);
        }
        if !desk.may_go_on(now.moment) {
            return Err(SubmitRefusal::Throttled);
        }
        let accepted = Accepted {
            id: self.next_id,
            stamp: self.stamp(now, &offered.destination.octets),
        };
        self.next_id += 1;
        self.counts.accepted += 1;
        self.plan(now, account, accepted, offered);
        Ok(accepted)
    }

    /// A time stamp of the SMSC that this destination never had.
    fn stamp(&mut self, now: Now, destination: &[u8]) -> u64 {
        let seconds = now.wall.as_unix_ms() / 1000;
        let plain = destination.strip_prefix(b"+").unwrap_or(destination);
        if let Some(last) = self.stamps.get_mut(plain) {
            *last = seconds.max(*last + 1);
            return *last;
        }
        if self.stamps.len() >= MOST_STAMPS {
            self.stamps.retain(|_, last| *last >= seconds);
        }
        self.stamps.insert(plain.into(), seconds);
        seconds
    }

    /// Settles what will become of a message, and when.
    fn plan(&mut self, now: Now, account: usize, accepted: Accepted, offered: &Offered) {
        let behaviour = self.phones.of(&offered.destination.text());
        let away = behaviour.away.unwrap_or_default();
        let error = behaviour.error.unwrap_or_default();
        let (mut state, mut wait) = (fated(behaviour.fate), away + behaviour.after);
        if let Some(validity) = offered.validity
            && validity < wait
        {
            (state, wait) = (MessageState::Expired, validity);
        }
        let fated_silence = behaviour.fate == Fate::Silent;
        let report = Report {
            id: accepted.id,
            stamp: accepted.stamp,
            source: offered.source.clone(),
            destination: offered.destination.clone(),
            state,
            intermediate: false,
            cancelled: false,
            error: if state == MessageState::Delivered {
                0
            } else {
                error
            },
            submitted: now.wall,
            done: now.wall + wait,
            text: offered.content.beginning(),
        };
        self.kept.add(Message {
            id: accepted.id,
            account,
            report: report.clone(),
            done_at: now.moment + wait,
            reported: offered.wishes.any(),
            deletion_wished: offered.wishes.want(MessageState::Deleted),
            cancellable: offered.wishes.cancellable,
            cancelled: false,
        });
        if !away.is_zero() && offered.wishes.intermediate {
            let passing = Report {
                state: MessageState::EnRoute,
                intermediate: true,
                error: behaviour.error.unwrap_or(Report::ABSENT),
                done: now.wall,
                ..report.clone()
            };
            self.queue(account, Letter::Report(passing));
        }
        let wanted = offered.wishes.want(state);
        let arrival = phones::Arrival {
            account,
            report: (wanted && !fated_silence).then_some(report),
            content: matches!(state, MessageState::Delivered | MessageState::Accepted)
                .then(|| offered.content.clone()),
            id: accepted.id,
            from: offered.source.clone(),
            to: offered.destination.clone(),
        };
        if wait.is_zero() {
            self.arrive(now, arrival);
        } else {
            self.phones.arrives_at(now.moment + wait, arrival);
        }
    }

    fn arrive(&mut self, now: Now, arrival: phones::Arrival) {
        if self.kept.is_cancelled(arrival.id) {
            return;
        }
        if let Some(content) = arrival.content {
            self.counts.received_by_phones += 1;
            let received = Received {
                id: arrival.id,
                account: self.account(arrival.account).name.clone(),
                from: arrival.from.text(),
                to: arrival.to.text(),
                content,
            };
            self.record(now, 0, || Event::Phone {
                id: received.id,
                from: received.from.clone(),
                to: received.to.clone(),
                text: received.text(),
            });
            if let Some(answers) = self.phones.of(&received.to).answers.clone() {
                let text = answers.replace("{text}", &received.text());
                let (phone, number) = (received.to.clone(), received.from.clone());
                self.phone_sends(now, &phone, &number, &text);
            }
            if self.received.len() >= self.config.centre.keep {
                self.received.pop_front();
            }
            self.received.push_back(received);
        }
        if let Some(report) = arrival.report {
            self.queue(arrival.account, Letter::Report(report));
        }
    }

    // From phones to accounts.

    /// A phone writes. Whether there is an account that gets it.
    pub(super) fn phone_sends(&mut self, now: Now, from: &str, to: &str, text: &str) -> bool {
        let Some(account) = self.route(to) else {
            self.odd(now, 0, || format!("nobody has the number {to}"));
            return false;
        };
        for content in self.phones.pieces(text, self.desks[account].config.long) {
            self.counts.written_by_phones += 1;
            let stamp = self.stamp(now, to.as_bytes());
            let letter = FromPhone {
                from: canonical(from).to_owned(),
                to: to.to_owned(),
                content,
                stamp,
            };
            self.queue(account, Letter::FromPhone(letter));
        }
        true
    }

    /// Whether somebody is logged in who gets what is written to this number.
    pub(super) fn is_attended(&self, number: &str) -> bool {
        self.route(number)
            .is_some_and(|account| !self.desks[account].sessions.is_empty())
    }

    /// Whose number this is: one that has it in its list, else the first that takes what nobody else has.
    fn route(&self, number: &str) -> Option<usize> {
        let desks = || self.desks.iter().map(|desk| &desk.config);
        desks()
            .position(|account| account.has_number(number))
            .or_else(|| {
                desks().position(|account| {
                    !account.address.is_empty() && canonical(number).starts_with(&account.address)
                })
            })
            .or_else(|| desks().position(|account| account.numbers.is_empty()))
    }

    fn queue(&mut self, account: usize, letter: Letter) {
        let desk = &mut self.desks[account];
        desk.queue.push_back(Waiting::new(letter));
        self.wakes.extend_from_slice(&desk.sessions);
    }

    /// The next letter for an account, if one may go now.
    pub(super) fn take(&mut self, now: Now, account: usize) -> Option<Waiting> {
        if self.desks[account].queue.is_empty() {
            self.flood(now, account);
        }
        let queue = &mut self.desks[account].queue;
        if queue.front()?.not_before > now.moment {
            return None;
        }
        queue.pop_front()
    }

    /// When the next letter of an account may go, if that is a question of time.
    pub(super) fn next_letter(&self, account: usize) -> Option<Moment> {
        let not_before = self.desks[account].queue.front()?.not_before;
        (not_before > Moment::START).then_some(not_before)
    }

    /// Back to the head of the queue, for the next session.
    pub(super) fn give_back(&mut self, account: usize, mut waiting: Waiting) {
        waiting.again = true;
        let desk = &mut self.desks[account];
        desk.queue.push_front(waiting);
        self.wakes.extend_from_slice(&desk.sessions);
    }

    /// Back to the head of the queue, for later.
    pub(super) fn give_back_for_later(&mut self, now: Now, account: usize, mut waiting: Waiting) {
        waiting.not_before = now.moment + self.config.centre.deliver_again_after;
        self.give_back(account, waiting);
    }

    pub(super) fn waiting(&self, account: usize) -> usize {
        self.desks[account].queue.len()
    }

    /// Makes the next letter of phones that write as fast as they are read.
    fn flood(&mut self, now: Now, account: usize) {
        let due = (0..self.phones.talkers()).find(|talker| {
            self.phones
                .flood(*talker, now.moment)
                .is_some_and(|to| self.route(to) == Some(account))
        });
        if let Some(talker) = due {
            let said = self.phones.say(talker);
            self.phone_sends(now, &said.from, &said.to, &said.text);
        }
    }

    // Time.

    /// When [`Network::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Moment> {
        self.phones.next()
    }

    pub(super) fn handle_timeout(&mut self, now: Now) {
        while let Some(arrival) = self.phones.next_arrival(now.moment) {
            self.arrive(now, arrival);
        }
        while let Some(said) = self.phones.next_said(now.moment) {
            self.phone_sends(now, &said.from, &said.to, &said.text);
        }
        // Floods are made when somebody takes; here they only begin.
        for account in 0..self.desks.len() {
            if self.desks[account].queue.is_empty() {
                self.flood(now, account);
            }
        }
    }

    // Questions.

    /// How far a message of SMPP's name has come.
    pub(super) fn query(&self, now: Now, account: usize, id: u64) -> Option<State> {
        self.kept.query(now, account, id)
    }

    /// How far a message of CIMD2's name has come.
    pub(super) fn query_by_stamp(
        &self,
        now: Now,
        account: usize,
        destination: &[u8],
        stamp: u64,
    ) -> Option<State> {
        let id = self.kept.id_of(destination, stamp)?;
        self.kept.query(now, account, id)
    }

    /// Takes messages out that fit and are still on their way; how many.
    pub(super) fn cancel(
        &mut self,
        now: Now,
        account: usize,
        fits: impl Fn(&Report) -> bool,
    ) -> usize {
        let reports = self.kept.cancel(now, account, fits);
        let count = reports.len();
        for (report, wanted) in reports {
            if wanted {
                self.queue(account, Letter::Report(report));
            }
        }
        count
    }

    /// What phones have received, the oldest first, as far as it is kept.
    pub(super) fn received(&self) -> Vec<Received> {
        self.received.iter().cloned().collect()
    }

    // Faults and records.

    pub(super) fn play(
        &mut self,
        now: Now,
        session: u64,
        point: Point,
        protocol: Protocol,
        account: Option<usize>,
    ) -> Option<Fault> {
        let name = account.map(|account| self.desks[account].config.name.as_str());
        let fault = self.faults.at(now.moment, point, protocol, name)?;
        self.counts.faults += 1;
        self.record(now, session, || Event::Fault {
            kind: fault.kind,
            on: point,
        });
        Some(fault)
    }

    pub(super) fn add_fault(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    pub(super) fn clear_faults(&mut self) {
        self.faults.clear();
    }

    pub(super) fn observe(&mut self) {
        self.observed = true;
    }

    pub(super) const fn is_observed(&self) -> bool {
        self.observed
    }

    pub(super) fn record(&mut self, now: Now, session: u64, event: impl FnOnce() -> Event) {
        if self.observed {
            self.records.push(Record::new(now.moment, session, event()));
        }
    }

    pub(super) fn breach(&mut self, now: Now, session: u64, why: String) {
        self.counts.breaches += 1;
        if self.breaches.len() < MOST_BREACHES {
            self.breaches.push(format!("session {session}: {why}"));
        }
        self.record(now, session, || Event::Breach { why });
    }

    pub(super) fn odd(&mut self, now: Now, session: u64, why: impl FnOnce() -> String) {
        self.counts.odd += 1;
        self.record(now, session, || Event::Odd { why: why() });
    }

    pub(super) const fn counts_mut(&mut self) -> &mut Counts {
        &mut self.counts
    }

    pub(super) const fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn breaches(&self) -> Vec<String> {
        self.breaches.clone()
    }

    pub(super) fn take_records(&mut self) -> std::vec::Drain<'_, Record> {
        self.records.drain(..)
    }

    pub(super) fn take_wakes(&mut self) -> std::vec::Drain<'_, u64> {
        self.wakes.drain(..)
    }
}

impl Desk {
    /// Whether one more message may be taken now; then it counts.
    fn may_go_on(&mut self, now: Moment) -> bool {
        let Some(rate) = self.config.throughput.map(f64::from) else {
            return true;
        };
        // A tenth of a second's worth may come at once.
        let most = (rate / 10.0).max(1.0);
        let since: Duration = now.since(self.allowed_at);
        self.allowance = (self.allowance + since.as_secs_f64() * rate).min(most);
        self.allowed_at = now;
        if self.allowance < 1.0 {
            return false;
        }
        self.allowance -= 1.0;
        true
    }
}

const fn fated(fate: Fate) -> MessageState {
    match fate {
        Fate::Delivered | Fate::Silent => MessageState::Delivered,
        Fate::Undeliverable => MessageState::Undeliverable,
        Fate::Expired => MessageState::Expired,
        Fate::Deleted => MessageState::Deleted,
        Fate::Rejected | Fate::Refused => MessageState::Rejected,
        Fate::Accepted => MessageState::Accepted,
        Fate::Unknown => MessageState::Unknown,
    }
}

#[cfg(test)]
mod tests;
