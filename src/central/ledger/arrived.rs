//! What came over the lanes from phones and carriers: texts, parts of texts, reports.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::record::{self, PartRecord};
use super::{Books, Errand, Ledger, LedgerError, MOST_STRAYS, Stray};
use crate::central::talk::What;
use crate::clock::{Moment, WallTime};
use crate::codec::item;
use crate::lane::{Lane, Sequence};
use crate::message::{Item, Outcome, Party, Report, ShortMessage, SmscId};
use crate::ring::{Parcel, Ring};
use crate::store::post::{Post, Row, Shelf};
use crate::store::{Store, StoreError};
use crate::text::{Joined, Lapsed, read};

/// How far what came over a ring was taken.
#[derive(Serialize, Deserialize)]
struct Position {
    epoch: u64,
    sequence: u64,
}

/// How many records are read at once at a start.
const PAGE: usize = 512;

impl Ledger {
    /// Takes what lies in a mirror, in order. Durable when it returns, and what is for the IM service is durable there: the
    /// messages may be marked processed with these outcomes. What was taken before, in another life of this process, is not taken again.
    pub(in crate::central) async fn arrived(
        &self,
        ring: &Ring,
        ready: &[(Sequence, Parcel)],
    ) -> Result<Vec<Outcome>, LedgerError> {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let epoch = ring.look(|array| array.epoch()).get();
        let (promise, last) = {
            let mut books = self.books();
            if !books.has_room() {
                return Err(LedgerError::Inbox);
            }
            let at = Shelf::Position(ring.name());
            let taken = match books.post.read(&at)? {
                Some(value) => {
                    let position: Position = record::read("a position", &value)?;
                    if position.epoch == epoch {
                        position.sequence
                    } else {
                        0
                    }
                }
                None => 0,
            };
            let mut highest = taken;
            for (sequence, parcel) in ready {
                if sequence.get() <= taken {
                    continue;
                }
                highest = highest.max(sequence.get());
                let lane = &ring.name().lane;
                match parcel.unpack() {
                    Ok(Item::Message(message)) => {
                        self.take_message(&mut books, lane, message, parcel, now, wall)?;
                    }
                    Ok(Item::Report(report)) => {
                        take_report(&mut books, lane, &report, parcel, now, wall)?;
                    }
                    Err(why) => {
                        tracing::error!(ring = %ring.name(), %sequence, %why, "what came cannot be read; it is kept to be looked at");
                        let why = why.to_string();
                        books.stray(lane, parcel.octets(), why, wall)?;
                    }
                }
            }
            self.lapse(&mut books, wall)?;
            let position = Position {
                epoch,
                sequence: highest,
            };
            books.post.put(&at, record::write(&position));
            books.note_counters();
            let last = books.counters;
            (self.hand(&mut books, false)?, last)
        };
        self.keep(promise).await?;
        self.told(&last);
        self.served(last.last_errand).await;
        Ok(vec![Outcome::Accepted(SmscId::NONE); ready.len()])
    }

    fn take_message(
        &self,
        books: &mut Books,
        lane: &Lane,
        message: ShortMessage,
        parcel: &Parcel,
        now: Moment,
        wall: WallTime,
    ) -> Result<(), StoreError> {
        let config = self.config.borrow();
        let section = config
            .lanes()
            .find_map(|(name, section)| (name == *lane).then_some(section));
        let ours = section.is_none_or(|section| {
            section.short_codes.is_empty() || section.short_codes.contains(&message.recipient)
        }) || self.is_for_service(&message.recipient);
        if !ours {
            let why =
                String::from("it was sent to a number that is none of the lane's short codes");
            return books.stray(lane, parcel.octets(), why, wall);
        }
        books.last_part += 1;
        let number = books.last_part;
        match books.joiner.take(now, message, number) {
            Joined::Single { message, .. } => {
                let text = read(&message.body).text().expose().clone();
                self.pass_on(books, lane, &message, text, Vec::new(), wall);
            }
            Joined::Waiting => {
                let part = PartRecord {
                    lane: lane.to_string(),
                    item: parcel.octets().to_vec(),
                };
                books.post.put(&Shelf::Part(number), record::write(&part));
            }
            Joined::Complete(long) => {
                let text = long.text().text().expose().clone();
                for part in long.parts() {
                    books.post.delete(&Shelf::Part(part.tag));
                }
                self.pass_on(books, lane, long.first(), text, Vec::new(), wall);
            }
            Joined::Repeated { .. } => {}
        }
        Ok(())
    }

    /// Looks after what waits for something that may never come. Gives when to look again.
    pub(in crate::central) async fn look_after(&self) -> Result<(), LedgerError> {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let (promise, last) = {
            let mut books = self.books();
            books.joiner.handle_timeout(now);
            self.lapse(&mut books, wall)?;
            while let Some(number) = books.early.lapsed(now) {
                tracing::warn!(
                    number,
                    "a report belongs to no message that is known; it is kept to be looked at"
                );
                books.strays += 1;
            }
            if books.post.staged() == 0 {
                return Ok(());
            }
            books.note_counters();
            let last = books.counters;
            (self.hand(&mut books, true)?, last)
        };
        self.keep(promise).await?;
        self.told(&last);
        Ok(())
    }

    /// At a start: parts that waited for others, and reports that waited for their message, wait again.
    pub(super) fn recall(&self) -> Result<(), LedgerError> {
        let now = self.clock.now();
        let mut books = self.books();
        for (number, value) in all(&self.store, Row::Parts)? {
            let part: PartRecord = record::read("a part", &value)?;
            if let Ok(Item::Message(message)) = item::decode(&Bytes::from(part.item)) {
                // Whatever it makes complete was complete before, and its parts were taken away then.
                let _waits = books.joiner.take(now, message, number);
            }
        }
        for (number, value) in all(&self.store, Row::Strays)? {
            let stray: Stray = record::read("a stray", &value)?;
            if let Ok(Item::Report(report)) = item::decode(&Bytes::from(stray.item))
                && let Ok(lane) = stray.lane.parse()
            {
                let _too_many = books.early.hold(now, &lane, &report.id, number);
            }
        }
        Ok(())
    }
}

/// All of a row that is bounded.
fn all(store: &Store, row: Row) -> Result<Vec<(u64, Bytes)>, StoreError> {
    let mut all = Vec::new();
    loop {
        let after = all.last().map_or(0, |(number, _)| *number);
        let page = Post::page(store, row, after, PAGE)?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

fn take_report(
    books: &mut Books,
    lane: &Lane,
    report: &Report,
    parcel: &Parcel,
    now: Moment,
    wall: WallTime,
) -> Result<(), StoreError> {
    if books.report(lane, report, wall)? {
        return Ok(());
    }
    // The answer that names its message may be on its way.
    let why = String::from("no message is known under the name in this report");
    let number = books.keep_stray(lane, parcel.octets(), why, wall)?;
    if books.early.hold(now, lane, &report.id, number).is_some() {
        books.strays += 1;
    }
    Ok(())
}

impl Ledger {
    /// Long messages that are given up: what there is of them is passed on, with what is missing.
    fn lapse(&self, books: &mut Books, wall: WallTime) -> Result<(), StoreError> {
        while let Some(lapsed) = books.joiner.poll_lapsed() {
            let lane = books.lane_of(&lapsed)?;
            for part in &lapsed.parts {
                books.post.delete(&Shelf::Part(part.tag));
            }
            if lapsed.echo {
                continue;
            }
            tracing::warn!(
                missing = ?lapsed.missing, of = lapsed.total, reason = ?lapsed.reason,
                "a long message stays incomplete; what came of it is passed on"
            );
            let text = lapsed.text().text().expose().clone();
            let first = lapsed.first().clone();
            if let Some(lane) = lane {
                self.pass_on(books, &lane, &first, text, lapsed.missing, wall);
            }
        }
        Ok(())
    }

    /// A whole text goes where it belongs: to the IM service, or to the desk.
    fn pass_on(
        &self,
        books: &mut Books,
        lane: &Lane,
        message: &ShortMessage,
        text: String,
        missing: Vec<u8>,
        wall: WallTime,
    ) {
        if let (true, Party::Phone(from), Party::ShortCode(to)) = (
            self.is_for_service(&message.recipient),
            &message.sender,
            &message.recipient,
        ) {
            return books.send_out(&Errand::Text {
                from: from.clone(),
                to: to.clone(),
                text,
                lane: lane.to_string(),
                at: wall,
                missing,
            });
        }
        let what = What::Message {
            from: shown(&message.sender),
            to: shown(&message.recipient),
            text,
            lane: lane.to_string(),
            missing,
        };
        books.enter(what, wall);
    }
}

impl Books {
    fn lane_of(&self, lapsed: &Lapsed<u64>) -> Result<Option<Lane>, StoreError> {
        for part in &lapsed.parts {
            if let Some(value) = self.post.read(&Shelf::Part(part.tag))? {
                let part: PartRecord = record::read("a part", &value)?;
                return Ok(part.lane.parse().ok());
            }
        }
        Ok(None)
    }

    fn stray(
        &mut self,
        lane: &Lane,
        item: &Bytes,
        why: String,
        wall: WallTime,
    ) -> Result<(), StoreError> {
        self.strays += 1;
        self.keep_stray(lane, item, why, wall)?;
        Ok(())
    }

    fn keep_stray(
        &mut self,
        lane: &Lane,
        item: &Bytes,
        why: String,
        wall: WallTime,
    ) -> Result<u64, StoreError> {
        self.last_stray += 1;
        let stray = Stray {
            at: wall,
            lane: lane.to_string(),
            item: item.to_vec(),
            why,
        };
        self.post
            .put(&Shelf::Stray(self.last_stray), record::write(&stray));
        if self.last_stray > MOST_STRAYS {
            self.post
                .delete(&Shelf::Stray(self.last_stray - MOST_STRAYS));
        }
        Ok(self.last_stray)
    }
}

/// A party for those who may see it.
pub(super) fn shown(party: &Party) -> String {
    party.exposed()
}
