//! How messages to phones fare: put on a lane, ended at the SMSC, reported on, forgotten.

use bytes::Bytes;

use super::record::{self, Ending, PartTrack, State, Told, Track};
use super::{Books, Ledger, LedgerError, Placed, Promise, Queued, SWEPT};
use crate::central::mark::Mark;
use crate::central::reports::{Key, index_key};
use crate::central::talk::What;
use crate::clock::WallTime;
use crate::lane::{Lane, Sequence};
use crate::message::{Outcome, PhoneNews, Report};
use crate::ring::{Ring, Times};
use crate::store::post::{Post, Shelf};
use crate::store::{Batch, StoreError};

/// How a message of an origin ended, as the link tells it.
pub(in crate::central) struct Ended {
    /// Its number on the ring.
    pub(in crate::central) sequence: Sequence,
    /// What its slot says of it; nothing if the slot is damaged or free already.
    pub(in crate::central) mark: Option<Mark>,
    /// How.
    pub(in crate::central) outcome: Outcome,
    /// When what happened to it.
    pub(in crate::central) times: Times,
}

/// A message that a carrier knows under a name: its identity, and which part.
type Known = (u128, u8);

/// How many messages may have the same name: SMSCs that name by the second have a few.
const MOST_NAMESAKES: usize = 64;

impl Ledger {
    /// These texts lie on a lane: they are taken out of the backlog.
    pub(in crate::central) async fn placed(&self, placed: Vec<Placed>) -> Result<(), LedgerError> {
        let now = self.clock.wall();
        let (promise, last) = {
            let mut books = self.books();
            for Placed {
                queued,
                ring,
                sequences,
            } in &placed
            {
                let id = queued.letter.id;
                let track = books.track(id)?;
                books.waits_no_more(queued.place, track.as_ref());
                if let Some(mut track) = track {
                    let epoch = ring.look(|array| array.epoch());
                    track.lane = Some((ring.name().lane.to_string(), epoch.get()));
                    // Its end may have been heard of already.
                    let known = std::mem::take(&mut track.parts);
                    track.parts = sequences
                        .iter()
                        .map(|sequence| {
                            let before = known
                                .iter()
                                .find(|part| part.sequence == sequence.get())
                                .cloned();
                            before.unwrap_or_else(|| PartTrack {
                                sequence: sequence.get(),
                                placed_at: now,
                                ..PartTrack::default()
                            })
                        })
                        .collect();
                    books.judge(id, &mut track, now, None);
                }
                for sequence in sequences {
                    tracing::info!(target: crate::log::access::TARGET, id = %format_args!("{id:032x}"), ring = %ring.name(), %sequence, address = %sequence.address(), "placed");
                }
            }
            books.note_counters();
            let last = books.counters;
            (self.hand(&mut books, true)?, last)
        };
        self.keep(promise).await?;
        self.told(&last);
        Ok(())
    }

    /// This text will never be put on a lane.
    pub(in crate::central) async fn failed(
        &self,
        queued: Queued,
        outcome: Outcome,
    ) -> Result<(), LedgerError> {
        let now = self.clock.wall();
        let (promise, last) = {
            let mut books = self.books();
            let id = queued.letter.id;
            let track = books.track(id)?;
            books.waits_no_more(queued.place, track.as_ref());
            if let Some(mut track) = track {
                track.state = match outcome {
                    Outcome::Expired => State::Expired,
                    _ => State::Refused,
                };
                track.why = Ending::of(&outcome, now).why;
                books.tell(id, &mut track, now, None);
                books.post.put(&Shelf::Track(id), record::write(&track));
            }
            tracing::info!(target: crate::log::access::TARGET, id = %format_args!("{id:032x}"), outcome = outcome.as_str(), "not placed");
            books.note_counters();
            let last = books.counters;
            (self.hand(&mut books, true)?, last)
        };
        self.keep(promise).await?;
        self.told(&last);
        Ok(())
    }

    /// Keeps how messages ended; their slots become free when this returns.
    pub(in crate::central) async fn ended(
        &self,
        ring: &Ring,
        ended: Vec<Ended>,
    ) -> Result<(), LedgerError> {
        let now = self.clock.wall();
        let lane = &ring.name().lane;
        let mut earlier = Vec::new();
        let (promise, last) = {
            let mut books = self.books();
            for one in ended {
                let Some(mark) = one.mark else {
                    // Damaged, or told before: there is nothing to be found by.
                    continue;
                };
                books.end(lane, mark, &one, now)?;
                if books.post.staged() > CROWDED {
                    // A batch of the store has a limit. Batches become durable in the order of these calls.
                    earlier.push(self.hand(&mut books, true)?);
                }
            }
            books.note_counters();
            let last = books.counters;
            (self.hand(&mut books, true)?, last)
        };
        for promise in earlier {
            self.keep(promise).await?;
        }
        self.keep(promise).await?;
        self.told(&last);
        Ok(())
    }

    pub(super) fn hand(&self, books: &mut Books, drains: bool) -> Result<Promise, StoreError> {
        let mut batch = Batch::new();
        if drains {
            batch.drains();
        }
        let (pending, submitted) = books.post.submit(batch)?;
        Ok(Promise { pending, submitted })
    }

    /// How a message fared, by its identity.
    pub(in crate::central) fn trace(&self, id: u128) -> Result<Option<Track>, LedgerError> {
        Ok(self.books().track(id)?)
    }

    /// Forgets messages whose time has come; tells whether there may be more.
    pub(in crate::central) async fn sweep(&self) -> Result<bool, LedgerError> {
        let now = self.clock.wall();
        let expired = Post::expired(&self.store, now, SWEPT)?;
        if expired.is_empty() {
            return Ok(false);
        }
        let (promise, last) = {
            let mut books = self.books();
            for (at, id) in &expired {
                books.post.delete(&Shelf::Expiry(*at, *id));
                let Some(mut track) = books.track(*id)? else {
                    continue;
                };
                if *at < track.expires {
                    // So long its report was waited for.
                    if books.tell_service(*id, &mut track, None) {
                        books.post.put(&Shelf::Track(*id), record::write(&track));
                    }
                    continue;
                }
                if matches!(track.state, State::Waiting | State::UnderWay) {
                    // It is on a lane still; it is asked for again later.
                    let later = now + self.config.borrow().tracking.retention;
                    books.post.put(&Shelf::Expiry(later, *id), Bytes::new());
                    continue;
                }
                // What is known by now is told before it is forgotten.
                books.tell_service(*id, &mut track, None);
                if let Some(key) = &track.key {
                    books.post.delete(&Shelf::Handed(key));
                }
                if let Some(lane) = track.lane.as_ref().and_then(|(lane, _)| lane.parse().ok()) {
                    for part in &track.parts {
                        let ended = part.ended.as_ref();
                        if let Some(key) =
                            ended.and_then(|end| index_key(&record::smsc_id(&end.id)))
                        {
                            books.post.delete(&Shelf::Named(&lane, &key));
                        }
                    }
                }
                books.post.delete(&Shelf::Track(*id));
            }
            books.note_counters();
            let last = books.counters;
            (self.hand(&mut books, true)?, last)
        };
        self.keep(promise).await?;
        self.told(&last);
        Ok(expired.len() == SWEPT)
    }
}

/// When so many changes have come together they are handed to the store; a batch takes 2,048.
const CROWDED: usize = 1500;

impl Books {
    pub(super) fn track(&self, id: u128) -> Result<Option<Track>, StoreError> {
        match self.post.read(&Shelf::Track(id))? {
            Some(value) => record::read("a track", &value).map(Some),
            None => Ok(None),
        }
    }

    fn end(
        &mut self,
        lane: &Lane,
        mark: Mark,
        ended: &Ended,
        now: WallTime,
    ) -> Result<(), StoreError> {
        let Some(mut track) = self.track(mark.id)? else {
            return Ok(());
        };
        // The link may tell how it ended before it is written down that it was put there.
        while track.parts.len() < usize::from(mark.total) {
            track.parts.push(PartTrack::default());
        }
        let Some(part) = track.parts.get_mut(usize::from(mark.part) - 1) else {
            return Ok(());
        };
        if part.sequence == 0 {
            part.sequence = ended.sequence.get();
            part.placed_at = now;
        }
        part.sent_at = part.sent_at.or(ended.times.sent);
        part.confirmed_at = part.confirmed_at.or(ended.times.confirmed);
        let mut news = None;
        if part.ended.is_none() {
            part.ended = Some(Ending::of(&ended.outcome, now));
            if let Outcome::Accepted(id) = &ended.outcome
                && let Some(key) = index_key(id)
                && track.wish
            {
                // Of several reports under one name, up to the first that is final: the rest is about others of that name.
                let mut settled = false;
                while !settled && let Some(stray) = self.early.claim(lane, id) {
                    let Some(report) = self.meet(stray)? else {
                        continue;
                    };
                    note(&mut track, mark.part, &report, now);
                    settled = report.state.is_final();
                    news = report.phone.or(news);
                }
                let mut known = self.known(lane, &key)?;
                if !settled && known.len() < MOST_NAMESAKES {
                    known.push((mark.id, mark.part));
                    self.post
                        .put(&Shelf::Named(lane, &key), record::write(&known));
                }
            }
        }
        self.judge(mark.id, &mut track, now, news);
        Ok(())
    }

    /// A report that had come before the answer.
    fn meet(&mut self, stray: u64) -> Result<Option<Report>, StoreError> {
        let Some(value) = self.post.read(&Shelf::Stray(stray))? else {
            return Ok(None);
        };
        self.post.delete(&Shelf::Stray(stray));
        let stray: super::Stray = record::read("a stray", &value)?;
        match crate::codec::item::decode(&Bytes::from(stray.item)) {
            Ok(crate::message::Item::Report(report)) => Ok(Some(report)),
            Ok(crate::message::Item::Message(_)) | Err(_) => Ok(None),
        }
    }

    /// A report on a message that is known under its name. Tells whether there was one.
    pub(super) fn report(
        &mut self,
        lane: &Lane,
        report: &Report,
        now: WallTime,
    ) -> Result<bool, StoreError> {
        for (reading, key) in self.dialects.keys(lane, &report.id) {
            let known = self.known(lane, &key)?;
            // Of several under one name, the first that nothing final is known of yet.
            let mut found = None;
            for one in &known {
                let Some(track) = self.track(one.0)? else {
                    continue;
                };
                let open = track
                    .parts
                    .get(usize::from(one.1) - 1)
                    .is_some_and(|part| part.report.as_ref().is_none_or(|told| !is_final(told)));
                if open && fits(&track, report) {
                    found = Some((*one, track));
                    break;
                }
            }
            let Some((one, mut track)) = found else {
                continue;
            };
            self.dialects.fitted(lane, reading);
            note(&mut track, one.1, report, now);
            if report.state.is_final() {
                let left: Vec<Known> = known.into_iter().filter(|other| *other != one).collect();
                let place = Shelf::Named(lane, &key);
                if left.is_empty() {
                    self.post.delete(&place);
                } else {
                    self.post.put(&place, record::write(&left));
                }
            }
            self.judge(one.0, &mut track, now, report.phone);
            return Ok(true);
        }
        Ok(false)
    }

    fn known(&self, lane: &Lane, key: &Key) -> Result<Vec<Known>, StoreError> {
        let place = Shelf::Named(lane, key);
        let value = self.post.read(&place)?;
        value.map_or(Ok(Vec::new()), |value| record::read("a name", &value))
    }

    /// Takes up how far all parts together have come; whoever waits for it is told. `news` is what a report said of the
    /// phone just now, which is told in any case.
    fn judge(&mut self, id: u128, track: &mut Track, now: WallTime, news: Option<PhoneNews>) {
        let state = track.of_parts();
        let before = std::mem::replace(&mut track.state, state);
        let was_told = track.told;
        if state != before && !matches!(state, State::Waiting | State::UnderWay) {
            track.why = track.reason();
            self.tell(id, track, now, news);
        }
        if let Some(news) = news
            && was_told == track.told
        {
            self.tell_of_phone(track, news);
        }
        self.post.put(&Shelf::Track(id), record::write(track));
    }

    fn tell(&mut self, id: u128, track: &mut Track, now: WallTime, news: Option<PhoneNews>) {
        if track.of_service {
            if track.state == State::Sent && track.wish {
                // The phone's word is waited for; when it does not come this is the last one.
                let until = now + self.config.borrow().tracking.report_timeout;
                self.post.put(&Shelf::Expiry(until, id), Bytes::new());
            } else {
                self.tell_service(id, track, news);
            }
        } else if track.wish {
            let fate = What::Fate {
                id: format!("{id:032x}"),
                key: track.key.clone(),
                state: track.state.as_str().to_owned(),
                why: track.why.clone(),
            };
            self.enter(fate, now);
        }
    }
}

fn is_final(told: &Told) -> bool {
    crate::message::ReportState::from_number(told.state).is_some_and(|state| state.is_final())
}

/// Whether a report can be about this message: numbers are read in many ways, recipients are not.
fn fits(track: &Track, report: &Report) -> bool {
    match (&report.recipient, &track.to) {
        (Some(crate::message::Party::Phone(reported)), record::Named::Phone(asked)) => {
            reported == asked
        }
        _ => true,
    }
}

fn note(track: &mut Track, part: u8, report: &Report, now: WallTime) {
    if let Some(part) = track.parts.get_mut(usize::from(part) - 1)
        && part.report.as_ref().is_none_or(|told| !is_final(told))
    {
        part.report = Some(Told {
            at: now,
            state: report.state.number(),
            error: report.error,
        });
    }
}
