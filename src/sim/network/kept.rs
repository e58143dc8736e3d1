//! Messages that were taken, as long as they are remembered: for questions, and for taking them out.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use super::{Now, Report};
use crate::clock::{Moment, WallTime};
use crate::codec::smpp::MessageState;

/// A message that was taken.
pub(super) struct Message {
    pub(super) id: u64,
    pub(super) account: usize,
    /// What its report will say.
    pub(super) report: Report,
    /// When that will be true.
    pub(super) done_at: Moment,
    /// Whether a report was asked for.
    pub(super) reported: bool,
    /// Whether a report of its deletion was.
    pub(super) deletion_wished: bool,
    pub(super) cancellable: bool,
    pub(super) cancelled: bool,
}

/// How far a message has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::sim) struct State {
    pub(in crate::sim) state: MessageState,
    pub(in crate::sim) error: u16,
    /// When, if it is final.
    pub(in crate::sim) done: Option<WallTime>,
    /// Whether a report was asked for.
    pub(in crate::sim) reported: bool,
    /// Whether its sender took it out.
    pub(in crate::sim) cancelled: bool,
}

/// The messages taken last.
pub(super) struct Kept {
    most: usize,
    order: VecDeque<u64>,
    by_id: HashMap<u64, Message>,
    by_stamp: HashMap<(Bytes, u64), u64>,
}

fn plain(destination: &Bytes) -> Bytes {
    match destination.first() {
        Some(b'+') => destination.slice(1..),
        _ => destination.clone(),
    }
}

impl Kept {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            order: VecDeque::new(),
            by_id: HashMap::new(),
            by_stamp: HashMap::new(),
        }
    }

    fn key(message: &Message) -> (Bytes, u64) {
        let report = &message.report;
        (plain(&report.destination.octets), report.stamp)
    }

    pub(super) fn add(&mut self, message: Message) {
        if self.order.len() >= self.most
            && let Some(oldest) = self.order.pop_front()
            && let Some(gone) = self.by_id.remove(&oldest)
        {
            self.by_stamp.remove(&Self::key(&gone));
        }
        if self.most == 0 {
            return;
        }
        self.order.push_back(message.id);
        self.by_stamp.insert(Self::key(&message), message.id);
        self.by_id.insert(message.id, message);
    }

    pub(super) fn id_of(&self, destination: &[u8], stamp: u64) -> Option<u64> {
        let destination = plain(&Bytes::copy_from_slice(destination));
        self.by_stamp.get(&(destination, stamp)).copied()
    }

    pub(super) fn is_cancelled(&self, id: u64) -> bool {
        self.by_id.get(&id).is_some_and(|message| message.cancelled)
    }

    pub(super) fn query(&self, now: Now, account: usize, id: u64) -> Option<State> {
        let message = self.by_id.get(&id)?;
        if message.account != account {
            return None;
        }
        let done = message.cancelled || message.done_at <= now.moment;
        Some(State {
            state: if done {
                message.report.state
            } else {
                MessageState::EnRoute
            },
            error: if done { message.report.error } else { 0 },
            done: done.then_some(message.report.done),
            reported: message.reported,
            cancelled: message.cancelled,
        })
    }

    /// Takes out what fits and is still on its way; the reports on that, and whether each is wished for.
    pub(super) fn cancel(
        &mut self,
        now: Now,
        account: usize,
        fits: impl Fn(&Report) -> bool,
    ) -> Vec<(Report, bool)> {
        let mut reports = Vec::new();
        for id in &self.order {
            let Some(message) = self.by_id.get_mut(id) else {
                continue;
            };
            let can = message.account == account
                && message.cancellable
                && !message.cancelled
                && message.done_at > now.moment;
            if can && fits(&message.report) {
                message.cancelled = true;
                message.report.state = MessageState::Deleted;
                message.report.done = now.wall;
                message.report.error = 0;
                message.report.cancelled = true;
                reports.push((message.report.clone(), message.deletion_wished));
            }
        }
        reports
    }
}
