//! What central has promised, durably: texts for phones from the moment when they are taken, what phones wrote until it
//! is where it belongs, and how everything ended.
//!
//! Whoever changes something does it in one step under one lock: reads, decides, hands the changes to the store. Then it
//! waits, without the lock, until they are durable. So many callers share a sync, and none sees half of a change.
//!
//! | what | is durable before |
//! |---|---|
//! | a text that was handed in | its identity is answered |
//! | that it was put on a lane | the lane is given more |
//! | how it ended | its slot becomes free |
//! | what a phone wrote, and how far its ring was read, together | it is marked processed |
//! | the same at the IM service, if it is for that | it is marked processed |
//! | what the IM service's users write to phones, together with what the service keeps of it | anybody is told |

mod arrived;
mod errands;
mod record;
#[cfg(test)]
mod tests;
mod tracks;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use super::config::CentralConfig;
use super::cutting::{self, Letter};

use super::reports::{Dialects, Early};
use super::talk::{Entry, Hand, What};
use crate::clock::{Clock, WallTime};
use crate::im::config::PhoneConfig;
use crate::lane::Sequence;
use crate::message::{Party, PhoneNumber, Priority, ReportWish, SenderName, ShortCode};
use crate::private::Private;
use crate::ring::Ring;
use crate::store::post::{Pending, Post, Row, Shelf};
use crate::store::{Batch, Store, StoreError, Submitted};
use crate::text::Joiner;

pub(super) use errands::Errand;
pub(super) use record::State;
use record::Stray;
use record::{Counters, LetterRecord};
pub(super) use record::{PartTrack, Track};
pub(super) use tracks::Ended;

/// How many entries the inbox holds; beyond that what phones write stays in the rings, and at the SMSC. Somebody has to
/// read it.
const MOST_ENTRIES: u64 = 1_000_000;

/// How many things that belong to nobody are kept to be shown; the oldest goes first.
const MOST_STRAYS: u64 = 4096;

/// How many tracks go in one batch when their time has come.
const SWEPT: usize = 512;

/// How long what passes is waited for before it is looked at again.
const PASSING: Duration = Duration::from_secs(1);

/// Why something was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The store does not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be sent as it is.
    #[error("{0}")]
    Refused(#[from] crate::message::Refused),
    /// Too much waits already.
    #[error("{waiting} texts wait for a lane, and {most} may; try again later")]
    Backlog {
        /// How many.
        waiting: u64,
        /// How many may.
        most: u64,
    },
    /// Nobody reads the inbox.
    #[error("{MOST_ENTRIES} entries of the inbox were not fetched; nothing more is put there")]
    Inbox,
}

impl LedgerError {
    /// Whether it may be taken later.
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Backlog { .. }
                | Self::Inbox
                | Self::Store(
                    StoreError::NoRoom { .. } | StoreError::Crowded { .. } | StoreError::Broken
                )
        )
    }
}

/// A text out of the backlog.
#[derive(Clone, Debug)]
pub(super) struct Queued {
    /// Its number in the queue.
    pub(super) place: u64,
    /// The text.
    pub(super) letter: Letter,
}

/// A text that lies on a lane.
pub(super) struct Placed {
    /// It, as it came out of the backlog.
    pub(super) queued: Queued,
    /// The lane's ring.
    pub(super) ring: Ring,
    /// Where its parts lie, in their order.
    pub(super) sequences: Vec<Sequence>,
}

/// A change that was handed to the store.
#[must_use = "nothing is promised before it is durable"]
struct Promise {
    pending: Pending,
    submitted: Submitted,
}

/// A text that was handed in.
#[must_use = "it is not durable yet"]
pub struct Handed<'a> {
    ledger: &'a Ledger,
    id: u128,
    place: Option<u64>,
    promise: Promise,
}

impl Handed<'_> {
    /// Its identity, when it is durable.
    pub async fn stored(self) -> Result<u128, LedgerError> {
        self.ledger.keep(self.promise).await?;
        if let Some(place) = self.place {
            self.ledger.arrived_at(place);
        }
        Ok(self.id)
    }
}

/// How the ledger stands, for status.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing {
    /// Texts that wait for a lane.
    pub waiting: u64,
    /// Those of the IM service among them.
    pub of_service: u64,
    /// Texts from phones and fates of texts that the IM service has not taken yet.
    pub errands: u64,
    /// Entries of the inbox that were not fetched.
    pub inbox: u64,
    /// Reports that wait for the answer that names their message.
    pub early_reports: usize,
    /// Long messages of which parts are missing.
    pub open_long: usize,
    /// What belongs to nobody, since the start.
    pub strays: u64,
}

struct Books {
    post: Post,
    counters: Counters,
    last_place: u64,
    last_part: u64,
    last_stray: u64,
    strays: u64,
    joiner: Joiner<u64>,
    early: Early<u64>,
    dialects: Dialects,
    config: watch::Receiver<Arc<CentralConfig>>,
}

/// The ledger.
pub struct Ledger {
    store: Store,
    books: Mutex<Books>,
    config: watch::Receiver<Arc<CentralConfig>>,
    clock: Clock,
    /// The last text that is durably in the backlog.
    arrivals: watch::Sender<u64>,
    /// The last entry that is durably in the inbox.
    news: watch::Sender<u64>,
    /// The numbers that lead phones to the IM service, for all of this process's life.
    phones: Option<PhoneConfig>,
    /// The last errand that is durable.
    errands: watch::Sender<u64>,
    /// Up to here the IM service has taken them.
    served: watch::Sender<u64>,
}

impl Ledger {
    /// Opens the books of a store.
    pub fn open(
        store: Store,
        config: watch::Receiver<Arc<CentralConfig>>,
    ) -> Result<Self, LedgerError> {
        let phones = {
            let config = config.borrow();
            config.im.as_ref().and_then(|im| im.phones.clone())
        };
        let books = Books::load(&store, Post::new(store.clone())?, config.clone())?;
        let last_errand = books.counters.last_errand;
        let served = match Post::first(&store, Row::Errands)? {
            0 => last_errand,
            first => first - 1,
        };
        let ledger = Self {
            phones,
            errands: watch::Sender::new(last_errand),
            served: watch::Sender::new(served),
            arrivals: watch::Sender::new(books.last_place),
            news: watch::Sender::new(books.counters.last_entry),
            store,
            books: Mutex::new(books),
            config,
            clock: Clock::system(),
        };
        ledger.recall()?;
        Ok(ledger)
    }

    /// Begins anew from what is durable, after the store did not take something.
    pub(super) fn reopen(&self) -> Result<(), LedgerError> {
        let mut books = self.books();
        let post = books.post.anew()?;
        *books = Books::load(&self.store, post, self.config.clone())?;
        drop(books);
        self.recall()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // A panic while it was held was an assertion; then the process ends anyway.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when a change is durable.
    async fn keep(&self, promise: Promise) -> Result<(), LedgerError> {
        let durable = promise.submitted.durable().await;
        let mut books = self.books();
        books.post.settled(promise.pending);
        let broken = books.post.is_broken();
        drop(books);
        if let Err(why) = durable {
            // What the books hold beyond the disk rests on it. The first to see that begins anew for all.
            if broken {
                self.reopen()?;
            }
            return Err(why.into());
        }
        Ok(())
    }

    /// Returns when something that passes may have passed.
    pub(super) async fn passed(&self) {
        tokio::time::sleep(PASSING).await;
    }

    /// A text for a phone is taken, if it can be sent. It is durable when [`Handed::stored`] returns.
    pub fn hand_in(&self, hand: Hand) -> Result<Handed<'_>, LedgerError> {
        let now = self.clock.wall();
        let config = self.config.borrow().clone();
        let refused = |field, why: &str| crate::message::Refused::new(field, why);
        let recipient = PhoneNumber::new(&hand.to)?;
        let sender = sender(&config, hand.from.as_deref())?;
        cutting::parts(&hand.text)?;
        if hand.text.is_empty() {
            return Err(refused("text", "is empty").into());
        }
        let validity = match &hand.validity {
            Some(written) => humantime::parse_duration(written)
                .map_err(|_| refused("validity", "is no duration; write it as in 2h"))?,
            None => config.backlog.validity,
        };
        if let Some(key) = &hand.key
            && !(1..=64).contains(&key.len())
        {
            return Err(refused("key", "has not between 1 and 64 octets").into());
        }
        let letter = Letter {
            id: identity(now),
            sender,
            recipient: Party::Phone(recipient),
            text: Private::new(hand.text),
            report: if hand.report {
                ReportWish::Final
            } else {
                ReportWish::None
            },
            priority: Priority::Normal,
            valid_until: Some(now + validity),
        };
        self.enter(&letter, hand.key, &config, now)
    }

    /// Puts a text into the backlog; the same key again is the same text.
    fn enter(
        &self,
        letter: &Letter,
        key: Option<String>,
        config: &CentralConfig,
        now: WallTime,
    ) -> Result<Handed<'_>, LedgerError> {
        let mut books = self.books();
        if let Some(key) = &key
            && let Some(value) = books.post.read(&Shelf::Handed(key))?
        {
            // It was taken before; an empty batch behind it tells when that is durable.
            let id = record::read("a key", &value)?;
            books.note_counters();
            let (pending, submitted) = books.post.submit(Batch::new())?;
            return Ok(Handed {
                ledger: self,
                id,
                place: None,
                promise: Promise { pending, submitted },
            });
        }
        if books.counters.waiting >= config.backlog.limit {
            return Err(LedgerError::Backlog {
                waiting: books.counters.waiting,
                most: config.backlog.limit,
            });
        }
        let before = books.counters;
        let place = books.last_place + 1;
        let mut track = Track::of(letter, now, config);
        track.key.clone_from(&key);
        books.wait_for_lane(place, letter, &track);
        if let Some(key) = &key {
            books
                .post
                .put(&Shelf::Handed(key), record::write(&letter.id));
        }
        books.note_counters();
        let submitted = books.post.submit(Batch::new());
        let (pending, submitted) = match submitted {
            Ok(done) => done,
            Err(why) => {
                books.counters = before;
                return Err(why.into());
            }
        };
        books.last_place = place;
        Ok(Handed {
            ledger: self,
            id: letter.id,
            place: Some(place),
            promise: Promise { pending, submitted },
        })
    }

    fn arrived_at(&self, place: u64) {
        self.arrivals.send_if_modified(|last| {
            let later = place > *last;
            *last = (*last).max(place);
            later
        });
    }

    /// Wakes when a text has come into the backlog, durably.
    pub(super) fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    /// Texts of the backlog behind a number, in order, at most so many. Only what is durable: what is put on a lane
    /// must not come again by way of somebody who was never told that it was taken.
    pub(super) fn page(&self, after: u64, most: usize) -> Result<Vec<Queued>, LedgerError> {
        let durable = *self.arrivals.borrow();
        if after >= durable {
            return Ok(Vec::new());
        }
        let mut page = Vec::new();
        for (place, value) in Post::page(&self.store, Row::Waiting, after, most)? {
            if place > durable {
                break;
            }
            let letter: LetterRecord = record::read("a waiting text", &value)?;
            page.push(Queued {
                place,
                letter: letter.letter()?,
            });
        }
        Ok(page)
    }

    /// Entries of the inbox behind a number, in order, at most so many; durable ones.
    pub(super) fn inbox(&self, after: u64, most: usize) -> Result<Vec<Entry>, LedgerError> {
        let durable = *self.news.borrow();
        if after >= durable {
            return Ok(Vec::new());
        }
        Post::page(&self.store, Row::Entries, after, most)?
            .into_iter()
            .take_while(|(number, _)| *number <= durable)
            .map(|(_, value)| Ok(record::read("an entry of the inbox", &value)?))
            .collect()
    }

    /// Wakes when something has come into the inbox, durably.
    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Empties the inbox up to a number.
    pub(super) async fn taken(&self, up_to: u64) -> Result<(), LedgerError> {
        loop {
            let promise = {
                let mut books = self.books();
                let durable = *self.news.borrow();
                let last = up_to.min(durable);
                let first = books.counters.first_entry.max(1);
                if first > last {
                    return Ok(());
                }
                let until = last.min(first + SWEPT as u64);
                for number in first..=until {
                    books.post.delete(&Shelf::Entry(number));
                }
                books.counters.first_entry = until + 1;
                books.note_counters();
                let mut batch = Batch::new();
                batch.drains();
                let (pending, submitted) = books.post.submit(batch)?;
                Promise { pending, submitted }
            };
            self.keep(promise).await?;
        }
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        let books = self.books();
        let counters = books.counters;
        Standing {
            waiting: counters.waiting,
            of_service: counters.of_service,
            errands: counters.last_errand.saturating_sub(*self.served.borrow()),
            inbox: (counters.last_entry + 1).saturating_sub(counters.first_entry.max(1)),
            early_reports: books.early.len(),
            open_long: books.joiner.open(),
            strays: books.strays,
        }
    }

    /// When the oldest text that waits was taken, if any waits.
    pub fn oldest(&self) -> Option<WallTime> {
        let page = self.page(0, 1).ok()?;
        let track = self.trace(page.first()?.letter.id).ok()??;
        Some(track.taken_at)
    }

    /// How many groups of changes the store has made durable.
    pub fn groups(&self) -> u64 {
        self.store.groups()
    }

    /// The store's own standing.
    pub fn health(&self) -> crate::store::Health {
        self.store.health()
    }

    /// Everything up to here is durable: whoever waits for it hears so.
    fn told(&self, counters: &Counters) {
        for (row, number) in [
            (&self.news, counters.last_entry),
            (&self.errands, counters.last_errand),
        ] {
            row.send_if_modified(|last| {
                let later = number > *last;
                *last = (*last).max(number);
                later
            });
        }
    }
}

impl Books {
    fn load(
        store: &Store,
        post: Post,
        config: watch::Receiver<Arc<CentralConfig>>,
    ) -> Result<Self, StoreError> {
        let patience = config.borrow().parts.timeout;
        let counters = match post.read(&Shelf::Counters)? {
            Some(value) => record::read("the counters", &value)?,
            None => Counters::default(),
        };
        Ok(Self {
            post,
            counters,
            last_place: Post::last(store, Row::Waiting)?,
            last_part: Post::last(store, Row::Parts)?,
            last_stray: Post::last(store, Row::Strays)?,
            strays: 0,
            joiner: Joiner::new(patience),
            early: Early::default(),
            dialects: Dialects::default(),
            config,
        })
    }

    /// Puts a text into the backlog, with its track.
    fn wait_for_lane(&mut self, place: u64, letter: &Letter, track: &Track) {
        self.post.put(
            &Shelf::Waiting(place),
            record::write(&LetterRecord::of(letter)),
        );
        self.follow(letter.id, track);
        self.counters.waiting += 1;
        self.counters.of_service += u64::from(track.of_service);
    }

    /// A text does not wait any more.
    fn waits_no_more(&mut self, place: u64, track: Option<&Track>) {
        self.post.delete(&Shelf::Waiting(place));
        let one_less = |count: &mut u64| *count = count.saturating_sub(1);
        one_less(&mut self.counters.waiting);
        if track.is_some_and(|track| track.of_service) {
            one_less(&mut self.counters.of_service);
        }
    }

    /// A message is tracked from now on.
    fn follow(&mut self, id: u128, track: &Track) {
        self.post.put(&Shelf::Track(id), record::write(track));
        self.post
            .put(&Shelf::Expiry(track.expires, id), Bytes::new());
    }

    fn note_counters(&mut self) {
        let counters = record::write(&self.counters);
        self.post.put(&Shelf::Counters, counters);
    }

    /// Puts an entry into the inbox.
    fn enter(&mut self, what: What, at: WallTime) {
        self.counters.last_entry += 1;
        let entry = Entry {
            number: self.counters.last_entry,
            at: at.to_string(),
            what,
        };
        self.post
            .put(&Shelf::Entry(entry.number), record::write(&entry));
    }

    /// Whether the inbox takes something.
    fn has_room(&self) -> bool {
        (self.counters.last_entry + 1).saturating_sub(self.counters.first_entry.max(1))
            < MOST_ENTRIES
    }
}

/// A number that nobody has yet, the later the larger: 48 bits of time, 80 of chance.
fn identity(now: WallTime) -> u128 {
    let mut chance = [0; 16];
    getrandom::fill(&mut chance).expect("the kernel gives random numbers");
    let chance = u128::from_be_bytes(chance) & ((1 << 80) - 1);
    (u128::from(now.as_unix_ms()) << 80) | chance
}

/// Who is shown as sender.
fn sender(config: &CentralConfig, written: Option<&str>) -> Result<Party, LedgerError> {
    let Some(written) = written else {
        let first = config
            .lanes()
            .find_map(|(_, lane)| lane.short_codes.first().cloned());
        return first.ok_or_else(|| {
            let why = "is missing, and no lane has a short code to stand for it";
            crate::message::Refused::new("from", why).into()
        });
    };
    if written.starts_with('+') {
        return Ok(PhoneNumber::new(written)?.into());
    }
    match ShortCode::new(written) {
        Ok(code) => Ok(code.into()),
        Err(_no_code) => Ok(SenderName::new(written)?.into()),
    }
}
