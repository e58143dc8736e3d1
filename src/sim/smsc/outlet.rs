//! What a session has to write: at once, later, in pieces or not at all; and how many requests wait for their answer.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::Out;
use crate::clock::Moment;
use crate::sim::event::Event;
use crate::sim::network::{Network, Now};

/// How something leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Manner {
    #[default]
    Whole,
    /// In a write of its own.
    Alone,
    /// Octet by octet.
    Dribble,
    /// Not at all: the connection ends in its place.
    DropBefore,
    /// Half of it, then the connection ends.
    DropMiddle,
    /// Then the connection ends.
    DropAfter,
}

/// Something to be written at its time.
struct Later {
    at: Moment,
    bytes: Bytes,
    manner: Manner,
    event: Option<Event>,
    /// Whether it answers a request.
    answers: bool,
}

#[derive(Default)]
pub(super) struct Outlet {
    now: VecDeque<(Out, Option<Event>, bool)>,
    later: Vec<Later>,
    /// Requests whose answer was not yet handed to the line.
    unanswered: usize,
    frozen_until: Option<Moment>,
    close_at: Option<(Moment, String)>,
    closing: bool,
}

impl Outlet {
    /// A request came; how many were unanswered before it.
    pub(super) const fn asked(&mut self) -> usize {
        self.unanswered += 1;
        self.unanswered - 1
    }

    /// Writes at once.
    pub(super) fn write(&mut self, bytes: Bytes, manner: Manner) {
        self.release(bytes, manner, None, false);
    }

    /// Writes at once, and has the event recorded when it leaves.
    pub(super) fn write_told(&mut self, bytes: Bytes, manner: Manner, event: Option<Event>) {
        self.release(bytes, manner, event, false);
    }

    /// Writes the answer to a request, now or later.
    pub(super) fn answer(
        &mut self,
        now: Moment,
        wait: Duration,
        bytes: Bytes,
        manner: Manner,
        event: Option<Event>,
    ) {
        if wait.is_zero() {
            self.release(bytes, manner, event, true);
        } else {
            self.later.push(Later {
                at: now + wait,
                bytes,
                manner,
                event,
                answers: true,
            });
        }
    }

    fn release(&mut self, bytes: Bytes, manner: Manner, event: Option<Event>, answers: bool) {
        if self.closing {
            return;
        }
        let dropped = |when: &str| Out::Close(format!("dropped {when}"));
        match manner {
            Manner::Whole => self.now.push_back((Out::Write(bytes), event, answers)),
            Manner::Alone => self.now.push_back((Out::Alone(bytes), event, answers)),
            Manner::Dribble => {
                let last = bytes.len().saturating_sub(1);
                let mut event = event;
                for at in 0..bytes.len() {
                    let octet = Out::Alone(bytes.slice(at..=at));
                    let ends = at == last;
                    let event = if ends { event.take() } else { None };
                    self.now.push_back((octet, event, ends && answers));
                }
            }
            Manner::DropBefore => self.close_with(dropped("before an answer")),
            Manner::DropMiddle => {
                let half = bytes.slice(..bytes.len() / 2);
                self.now.push_back((Out::Write(half), None, false));
                self.close_with(dropped("in the middle"));
            }
            Manner::DropAfter => {
                self.now.push_back((Out::Write(bytes), event, answers));
                self.close_with(dropped("after an answer"));
            }
        }
    }

    /// Ends the connection once all before is written; nothing is written after it.
    pub(super) fn close(&mut self, why: impl Into<String>) {
        self.close_with(Out::Close(why.into()));
    }

    /// Ends the connection so much later; what is to be written before that still is.
    pub(super) fn close_after(&mut self, now: Moment, wait: Duration, why: &str) {
        if wait.is_zero() {
            self.close(why);
        } else {
            self.close_at = Some((now + wait, why.into()));
        }
    }

    fn close_with(&mut self, close: Out) {
        if !self.closing {
            self.closing = true;
            self.now.push_back((close, None, false));
        }
    }

    pub(super) const fn is_closing(&self) -> bool {
        self.closing
    }

    /// Neither reads nor writes until then.
    pub(super) fn freeze(&mut self, until: Moment) {
        self.frozen_until = Some(until);
    }

    pub(super) fn is_frozen(&self, now: Moment) -> bool {
        self.frozen_until.is_some_and(|until| now < until)
    }

    /// Whether an answer waits for its time.
    pub(super) fn is_waiting(&self) -> bool {
        !self.later.is_empty()
    }

    pub(super) fn poll(&mut self, now: Now, session: u64, network: &mut Network) -> Option<Out> {
        if self.is_frozen(now.moment) {
            return None;
        }
        if self.now.is_empty() {
            self.release_due(now.moment);
        }
        let (out, event, answers) = self.now.pop_front()?;
        if answers {
            self.unanswered = self.unanswered.saturating_sub(1);
        }
        if let Some(event) = event {
            network.record(now, session, || event);
        }
        Some(out)
    }

    fn release_due(&mut self, now: Moment) {
        while let Some(due) = self
            .later
            .iter()
            .enumerate()
            .filter(|(_, later)| later.at <= now)
            .min_by_key(|(_, later)| later.at)
            .map(|(index, _)| index)
        {
            let later = self.later.remove(due);
            self.release(later.bytes, later.manner, later.event, later.answers);
        }
        if let Some((_, why)) = self.close_at.take_if(|(at, _)| *at <= now) {
            self.close(why);
        }
    }

    pub(super) fn next(&self) -> Option<Moment> {
        let later = self.later.iter().map(|later| later.at);
        let close = self.close_at.iter().map(|(at, _)| *at);
        later.chain(close).min()
    }

    /// Until when it does nothing at all.
    pub(super) const fn frozen_until(&self) -> Option<Moment> {
        self.frozen_until
    }

    /// Forgets that it was frozen, once that is over.
    pub(super) fn thaw(&mut self, now: Moment) {
        if !self.is_frozen(now) {
            self.frozen_until = None;
        }
    }
}
