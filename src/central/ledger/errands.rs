//! What crosses between the ledger and the IM service: texts of its users to phones, and errands the other way.
//!
//! An errand is a text from a phone, or the fate of a text. It is durable with the change that it comes from (how far a
//! ring was read, how a message ended), waits in one row, and is given to the service in order, until the service has it
//! durably; its number recognises it when it is given again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::record::{self, Named, State, Track};
use super::{Books, Ledger, LedgerError, Promise};
use crate::central::cutting::{self, Letter};
use crate::central::talk::What;
use crate::clock::WallTime;
use crate::im::door::keep::Durable;
use crate::im::phone::TextToPhone;
use crate::message::{Party, PhoneNews, PhoneNumber, Priority, ReportWish, ShortCode};
use crate::store::Batch;
use crate::store::post::{Post, Row, Shelf};

/// Something for the IM service.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::central) enum Errand {
    /// A phone wrote.
    Text {
        /// The phone.
        from: PhoneNumber,
        /// To which number.
        to: ShortCode,
        /// What; where parts of it never came, `[...]` stands for them.
        text: String,
        /// Over which lane it came.
        lane: String,
        /// When.
        at: WallTime,
        /// Which parts never came.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missing: Vec<u8>,
    },
    /// What became of a text of the service.
    Fate {
        /// Its identity.
        id: u128,
        /// How far it has come.
        state: State,
        /// More about it, in words.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        why: String,
        /// Which phone, and what the carrier said of it with this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        phone: Option<(PhoneNumber, PhoneNews)>,
    },
    /// The carrier said something of a phone, with a text of the service that has not ended, or had ended before.
    Phone {
        /// Which.
        number: PhoneNumber,
        /// What.
        news: PhoneNews,
    },
}

impl Ledger {
    /// Takes texts of the IM service into the backlog, together with what the service keeps of them. All of it is durable,
    /// or none, when what this gives resolves. A text that cannot be sent is refused by an errand, as by a carrier.
    ///
    /// The backlog's limit holds new texts of users back before they come here ([`Ledger::has_room`]); what comes is taken.
    pub(in crate::central) fn carry(
        self: &Arc<Self>,
        texts: Vec<TextToPhone>,
        with: Batch,
    ) -> Result<Durable, LedgerError> {
        let now = self.clock.wall();
        let config = self.config.borrow().clone();
        let mut books = self.books();
        let before = (books.counters, books.last_place);
        for text in texts {
            let letter = Letter {
                id: u128::from_be_bytes(*text.id.octets()),
                sender: text.sender,
                recipient: Party::Phone(text.recipient),
                text: text.text,
                // That a phone is off is known when the carrier has tried, not when it gives up days later.
                report: if text.report {
                    ReportWish::All
                } else {
                    ReportWish::None
                },
                priority: Priority::Normal,
                valid_until: Some(text.valid_until.unwrap_or(now + config.backlog.validity)),
            };
            let mut track = Track::of(&letter, now, &config);
            track.of_service = true;
            match cutting::parts(letter.text.expose()) {
                Ok(_parts) => {
                    books.last_place += 1;
                    let place = books.last_place;
                    books.wait_for_lane(place, &letter, &track);
                }
                Err(refused) => {
                    track.state = State::Refused;
                    track.why = refused.reason;
                    books.tell_service(letter.id, &mut track, None);
                    books.follow(letter.id, &track);
                }
            }
        }
        books.note_counters();
        let (pending, submitted) = match books.post.submit(with) {
            Ok(done) => done,
            Err(why) => {
                (books.counters, books.last_place) = before;
                drop(books);
                // Whatever comes next rests on it.
                self.reopen()?;
                return Err(why.into());
            }
        };
        let promise = Promise { pending, submitted };
        let (place, last) = (books.last_place, books.counters);
        drop(books);
        let ledger = self.clone();
        Ok(Box::pin(async move {
            let kept = ledger.keep(promise).await;
            kept.map_err(|why| why.to_string())?;
            ledger.arrived_at(place);
            ledger.told(&last);
            Ok(())
        }))
    }

    /// Whether the backlog takes more texts of users.
    pub(in crate::central) fn has_room(&self) -> bool {
        let limit = self.config.borrow().backlog.limit;
        self.books().counters.waiting < limit
    }

    /// Whether what phones write to this number is for the IM service.
    pub(super) fn is_for_service(&self, recipient: &Party) -> bool {
        match (&self.phones, recipient) {
            (Some(phones), Party::ShortCode(code)) => phones.leads_here(code),
            _ => false,
        }
    }

    /// Errands behind a number, in order, at most so many; durable ones.
    pub(in crate::central) fn errands(
        &self,
        after: u64,
        most: usize,
    ) -> Result<Vec<(u64, Errand)>, LedgerError> {
        let durable = *self.errands.borrow();
        if after >= durable {
            return Ok(Vec::new());
        }
        Post::page(&self.store, Row::Errands, after, most)?
            .into_iter()
            .take_while(|(number, _)| *number <= durable)
            .map(|(number, value)| Ok((number, record::read("an errand", &value)?)))
            .collect()
    }

    /// Up to here the IM service has them.
    pub(in crate::central) fn served_up_to(&self) -> u64 {
        *self.served.borrow()
    }

    /// Wakes when there is an errand, durably.
    pub(in crate::central) fn watch_errands(&self) -> tokio::sync::watch::Receiver<u64> {
        self.errands.subscribe()
    }

    /// The IM service has these durably; they lead up to the last of them without a gap.
    pub(in crate::central) async fn served_these(
        &self,
        numbers: &[u64],
    ) -> Result<(), LedgerError> {
        let Some(last) = numbers.last() else {
            return Ok(());
        };
        let promise = {
            let mut books = self.books();
            for number in numbers {
                books.post.delete(&Shelf::Errand(*number));
            }
            self.hand(&mut books, true)?
        };
        // Slots need not wait for that: given again, they are recognised.
        self.served.send_replace(*last);
        self.keep(promise).await
    }

    /// Returns when the IM service has every errand up to a number.
    pub(super) async fn served(&self, number: u64) {
        if self.phones.is_none() {
            return;
        }
        let mut served = self.served.subscribe();
        // The ledger holds the sender itself.
        let _up_to = served.wait_for(|served| *served >= number).await;
    }

    /// Nobody is there whom errands are for: what phones wrote comes to the desk.
    pub(in crate::central) async fn take_errands_back(&self) -> Result<(), LedgerError> {
        loop {
            let after = *self.served.borrow();
            let errands = self.errands(after, super::SWEPT)?;
            if errands.is_empty() {
                return Ok(());
            }
            let numbers: Vec<u64> = errands.iter().map(|(number, _)| *number).collect();
            tracing::warn!(
                count = numbers.len(),
                "[im] or its phones are configured no longer; what phones wrote to it goes to the desk"
            );
            let (promise, last) = {
                let mut books = self.books();
                for (number, errand) in errands {
                    books.post.delete(&Shelf::Errand(number));
                    let Errand::Text {
                        from,
                        to,
                        text,
                        lane,
                        at,
                        missing,
                    } = errand
                    else {
                        continue;
                    };
                    let what = What::Message {
                        from: super::arrived::shown(&from.into()),
                        to: super::arrived::shown(&to.into()),
                        text,
                        lane,
                        missing,
                    };
                    books.enter(what, at);
                }
                books.note_counters();
                let last = books.counters;
                (self.hand(&mut books, true)?, last)
            };
            self.keep(promise).await?;
            self.told(&last);
            if let Some(last) = numbers.last() {
                self.served.send_replace(*last);
            }
        }
    }
}

impl Books {
    /// Puts an errand into its row.
    pub(super) fn send_out(&mut self, errand: &Errand) {
        self.counters.last_errand += 1;
        self.post.put(
            &Shelf::Errand(self.counters.last_errand),
            record::write(errand),
        );
    }

    /// Tells the IM service how a text of its ended, once, with what a report said of the phone just now. The track is the
    /// caller's to write. Tells whether it was told now.
    pub(super) fn tell_service(
        &mut self,
        id: u128,
        track: &mut Track,
        news: Option<PhoneNews>,
    ) -> bool {
        if !track.of_service || track.told {
            return false;
        }
        track.told = true;
        let phone = match &track.to {
            Named::Phone(number) => news.map(|news| (number.clone(), news)),
            _ => None,
        };
        self.send_out(&Errand::Fate {
            id,
            state: track.state,
            why: track.why.clone(),
            phone,
        });
        true
    }

    /// What a report said of the phone of a text whose fate it is not.
    pub(super) fn tell_of_phone(&mut self, track: &Track, news: PhoneNews) {
        if let (true, Named::Phone(number)) = (track.of_service, &track.to) {
            self.send_out(&Errand::Phone {
                number: number.clone(),
                news,
            });
        }
    }
}
