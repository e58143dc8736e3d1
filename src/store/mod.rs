//! Central's state: users, inboxes, groups, presence, the backlog and the tracks of messages.
//!
//! What it promises: a [`Batch`] is there wholly or not at all, and when [`Store::commit`] has returned it survives a
//! kill and a power cut. Batches of many callers share one sync. After a failed write or sync nothing is promised and
//! nothing read any more before the store is opened anew. A store that cannot be used is restored from its newest
//! export with an alarm, never begun anew in silence. `docs/store.md` tells what lies on disk and under which keys.
//!
//! What it leaves to others: what is stored. Its faces speak of that; nothing outside this
//! folder names keys, or the engine that keeps them.
//!
//! Reading blocks for a moment and may go to the disk; every call does so off the event loop.

mod batch;
mod commit;
mod config;
mod engine;
mod error;
mod export;
mod guarded;
mod health;
pub mod im;
mod keeper;
pub mod memory;
mod overlay;
pub mod post;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

pub use batch::{
    Batch, Chain, Change, Committed, MAX_BATCH, MAX_CHANGES, MAX_KEY, MAX_VALUE, Purpose,
};
pub use commit::{MOST_WAITING, MOST_WAITING_OCTETS, Submitted};
pub use config::StoreConfig;
pub use engine::{Engine, MOST_SCANNED, MOST_SCANNED_OCTETS, Range, Record};
pub use error::StoreError;
pub use export::{Exported, Summary};
pub use guarded::{AskRoom, Guarded, Outside, Room, SyncFile, is_opening};
pub use health::{Alarm, Health};

use commit::{Committer, blocking};
use keeper::Keeper;

/// The store. Clones are the same one.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    engine: Arc<dyn Engine>,
    committer: Arc<Committer>,
    _keeper: Keeper,
}

impl Store {
    /// A store on any engine.
    pub fn new(engine: impl Engine) -> Self {
        let engine: Arc<dyn Engine> = Arc::new(engine);
        let committer = Committer::new(engine.clone());
        let keeper = Keeper::start(engine.clone(), committer.clone());
        Self(Arc::new(Inner {
            engine,
            committer,
            _keeper: keeper,
        }))
    }

    /// Opens the store in this directory; makes it if nothing is there.
    pub fn open(directory: &Path, config: &StoreConfig) -> Result<Self, StoreError> {
        blocking(|| Guarded::open(directory, config, Outside::default())).map(Self::new)
    }

    /// The value of a key.
    pub fn read(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.0.committer.usable()?;
        blocking(|| self.0.engine.read(key))
    }

    /// At most `most` records of a range, fewer if they are large; an empty answer means the end.
    pub fn scan(&self, range: &Range, most: usize) -> Result<Vec<Record>, StoreError> {
        self.0.committer.usable()?;
        blocking(|| self.0.engine.scan(range, most.min(MOST_SCANNED)))
    }

    /// Queues a batch. Batches are applied in the order of these calls, whether or not their owner waits for them.
    pub fn submit(&self, batch: Batch) -> Result<Submitted, StoreError> {
        self.0.committer.submit(batch)
    }

    /// Writes a batch and returns when it is durable. If the caller goes away meanwhile it is still written.
    pub async fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        self.submit(batch)?.durable().await
    }

    /// Writes what may be lost with the last fraction of a second before a crash.
    pub fn put_lazily(&self, batch: &Batch) -> Result<(), StoreError> {
        blocking(|| self.0.committer.put_lazily(batch))
    }

    /// How many groups of batches were made durable.
    pub fn groups(&self) -> u64 {
        self.0.committer.groups()
    }

    /// True from when the store takes nothing more. Who owns the process ends it then, and a restart opens it anew.
    pub fn failing(&self) -> watch::Receiver<bool> {
        self.0.committer.failing()
    }

    /// Why the store takes nothing more, if so.
    pub fn failure(&self) -> Option<StoreError> {
        self.0.committer.usable().err()
    }

    /// How it stands, for status.
    pub fn health(&self) -> Health {
        let mut health = blocking(|| self.0.engine.health());
        if let Err(StoreError::Failed(why)) = self.0.committer.usable() {
            let why = why.to_string();
            health.alarms.insert(0, Alarm::Failed { why });
        }
        health
    }

    /// Makes everything durable and exports it. Nothing is taken any more.
    pub fn close(&self) -> Result<(), StoreError> {
        let usable = self.0.committer.usable();
        self.0.committer.fail(&StoreError::Closed);
        usable?;
        blocking(|| self.0.engine.close())
    }
}
