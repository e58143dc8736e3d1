//! What the IM service keeps: the service reads it as its shelf, and hands its changes over.
//!
//! A change that was handed over is seen by the next read, and is durable with the batch that it was taken with. What
//! was read or written lately stays decoded in memory, up to a limit; everything else is on disk only. `docs/store.md`
//! lists the keys, `im::memory` is the model of what each change means, and a test compares the two.
//!
//! Changes that may be lost with a crash wait for the next batch. What goes with something (the chunks of a piece of
//! content that is gone) is swept away later, some at a time.

mod keep;
mod keys;
mod presence;
mod read;
mod recent;
mod sweep;
mod write;

use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::overlay::Overlay;
use super::{Batch, Range, Store, StoreError};
use crate::im::log::{Entry, LogHead};
use crate::im::names::Position;
use crate::message::UserName;

pub use super::overlay::Pending;
pub use keep::Carrier;

use super::commit::blocking;
use keys::{Key, Kind};
use recent::Recent;

/// Octets of records that are kept decoded, about; twice that for a moment.
const RECORDS: usize = 24 << 20;

/// Octets of log entries that are kept decoded, about; twice that for a moment.
const ENTRIES: usize = 16 << 20;

/// Entries of one log that are kept decoded: those that its points are being sent.
const TAIL: usize = 32;

/// What one decoded record costs beside its octets.
const OVERHEAD: usize = 160;

/// A record that is kept, read or to be written.
trait Kept: Any + Send + Sync + Clone + Serialize + DeserializeOwned {}
impl<T: Any + Send + Sync + Clone + Serialize + DeserializeOwned> Kept for T {}

/// The end of a log, as it is in memory.
#[derive(Clone, Default)]
struct Tail {
    head: LogHead,
    entries: VecDeque<(Position, Arc<Entry>)>,
}

/// The service's records. Clones are the same ones.
#[derive(Clone)]
pub struct ImStore(Arc<Shared>);

struct Shared {
    store: Store,
    carrier: Option<Arc<dyn Carrier>>,
    inner: Mutex<Inner>,
}

struct Inner {
    overlay: Overlay,
    /// By key, or by how the keys begin that make up a set; nothing where it is known that there is nothing.
    records: Recent<Bytes, Option<Arc<dyn Any + Send + Sync>>>,
    logs: Recent<UserName, Tail>,
    /// The entry that was appended last, as it is kept: a message to many is written as JSON once.
    last_entry: Option<(Arc<Entry>, Bytes)>,
}

impl ImStore {
    /// The records in a store; without a carrier no phone is reached.
    pub fn new(store: Store, carrier: Option<Arc<dyn Carrier>>) -> Result<Self, StoreError> {
        let inner = blocking(|| Inner::new(store.clone()))?;
        Ok(Self(Arc::new(Shared {
            store,
            carrier,
            inner: Mutex::new(inner),
        })))
    }

    /// The service's secret, which is the same for all its life. It is made, durably, when it is asked for first.
    pub fn secret(&self) -> Result<[u8; 32], StoreError> {
        let key = || Key::new(Kind::Secret);
        if let Some(secret) = self.inner().own::<[u8; 32]>(key(), "the secret")? {
            return Ok(secret);
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)
            .map_err(|why| StoreError::Failed(format!("no chance can be had: {why}").into()))?;
        self.inner().set(key(), Some(secret))?;
        let (batch, pending) = self.take();
        blocking(|| self.0.store.submit(batch)?.wait())?;
        self.settled(pending);
        Ok(secret)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic while it was held was an assertion; then the process ends anyway.
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was handed over since the last batch was taken. Batches are to be submitted in the order of these calls.
    pub fn take(&self) -> (Batch, Pending) {
        self.inner().overlay.take()
    }

    /// These are durable now.
    pub fn settled(&self, pending: Pending) {
        self.inner().overlay.settled(pending);
    }
}

fn unreadable(what: &'static str) -> impl FnOnce(serde_json::Error) -> StoreError {
    move |why| StoreError::Record {
        what,
        why: why.to_string(),
    }
}

impl Inner {
    fn new(store: Store) -> Result<Self, StoreError> {
        Ok(Self {
            overlay: Overlay::new(store, keys::ROOT)?,
            records: Recent::new(RECORDS),
            logs: Recent::new(ENTRIES),
            last_entry: None,
        })
    }

    /// A record.
    fn get<T: Kept>(&mut self, key: Key, what: &'static str) -> Result<Option<Arc<T>>, StoreError> {
        if let Some(known) = self.records.get(&*key) {
            let known = known.clone();
            return Ok(known.map(|known| known.downcast().expect("a key has records of one type")));
        }
        let key = key.made();
        let found = self.overlay.get(&key)?;
        let size = OVERHEAD + key.len() + found.as_ref().map_or(0, Bytes::len);
        let record = match found {
            Some(octets) => Some(Arc::new(
                serde_json::from_slice::<T>(&octets).map_err(unreadable(what))?,
            )),
            None => None,
        };
        let known = record
            .clone()
            .map(|record| record as Arc<dyn Any + Send + Sync>);
        self.records.insert(key, known, size);
        Ok(record)
    }

    /// The same, of its own.
    fn own<T: Kept>(&mut self, key: Key, what: &'static str) -> Result<Option<T>, StoreError> {
        let found = self.get::<T>(key, what)?;
        Ok(found.map(|record| T::clone(&record)))
    }

    /// Whether there is a record.
    fn has(&mut self, key: Key) -> Result<bool, StoreError> {
        self.get::<()>(key, "a mark").map(|found| found.is_some())
    }

    /// Sets a record, or takes it away.
    fn set<T: Kept>(&mut self, key: Key, record: Option<T>) -> Result<(), StoreError> {
        let key = key.made();
        let mut size = OVERHEAD + key.len();
        match &record {
            Some(record) => {
                let octets =
                    serde_json::to_vec(record).map_err(unreadable("what was to be kept"))?;
                size += octets.len();
                self.overlay.put(key.clone(), &octets);
            }
            None => self.overlay.delete(key.clone())?,
        }
        let known = record.map(|record| Arc::new(record) as Arc<dyn Any + Send + Sync>);
        self.records.insert(key, known, size);
        Ok(())
    }

    /// A set of records that lie together, made up by `read` from their keys and values; it is kept until
    /// [`Inner::forget`].
    fn set_of<T: Any + Send + Sync>(
        &mut self,
        key: Key,
        read: impl FnOnce(&mut Self, &Bytes) -> Result<(T, usize), StoreError>,
    ) -> Result<Arc<T>, StoreError> {
        if let Some(Some(known)) = self.records.get(&*key) {
            let known = known.clone();
            return Ok(known.downcast().expect("a beginning has sets of one type"));
        }
        let key = key.made();
        let (made, size) = read(self, &key)?;
        let made = Arc::new(made);
        self.records
            .insert(key, Some(made.clone()), OVERHEAD + size);
        Ok(made)
    }

    /// A set of records was changed.
    fn forget(&mut self, key: Key) {
        self.records.remove(&*key);
    }

    /// All keys that begin so, page by page.
    fn all_keys(&self, prefix: &[u8]) -> Result<Vec<Bytes>, StoreError> {
        let mut range = Range::prefix(prefix);
        let mut all = Vec::new();
        loop {
            let page = self.overlay.keys(&range, 1024)?;
            let Some(last) = page.last() else {
                return Ok(all);
            };
            range = range.after(last);
            all.extend(page);
        }
    }

    fn tail(&mut self, user: &UserName) -> Result<&mut Tail, StoreError> {
        if !self.logs.contains(user) {
            let head = Key::new(Kind::Head).user(user);
            let stored = self.overlay.get(&head.made())?;
            let mut head: LogHead = match stored {
                Some(octets) => serde_json::from_slice(&octets).map_err(unreadable("a log"))?,
                None => LogHead::default(),
            };
            // An entry moves the end of its log by being there.
            head.last = head.last.max(head.trimmed);
            let entries = keys::entries(user).made();
            loop {
                let after = keys::entry(user, head.last);
                let more = self
                    .overlay
                    .keys(&Range::prefix(&entries).after(&after), 1024)?;
                match more.last().and_then(|key| keys::last_number(key)) {
                    Some(last) => head.last = Position(last),
                    None => break,
                }
            }
            let tail = Tail {
                head,
                entries: VecDeque::new(),
            };
            self.logs.insert(user.clone(), tail, OVERHEAD);
        }
        Ok(self.logs.get_mut(user).expect("it was put there"))
    }

    fn set_head(
        &mut self,
        user: &UserName,
        change: impl FnOnce(&mut LogHead),
    ) -> Result<(), StoreError> {
        let tail = self.tail(user)?;
        change(&mut tail.head);
        let head = tail.head;
        let octets = serde_json::to_vec(&head).map_err(unreadable("a log"))?;
        self.overlay
            .put(Key::new(Kind::Head).user(user).made(), &octets);
        Ok(())
    }
}
