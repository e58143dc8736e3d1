//! sled 0.34.7 behind guard rails. Each of the eight is numbered here where it stands; `docs/store.md` says why.
//!
//! 1. Durable is: applied, `flush()`, and our own `fdatasync` of sled's `db` file. sled's flush does not reach the disk.
//! 2. Lazy puts are left to sled's flusher, which works every 200 ms and is never off: it collects garbage too.
//! 3. `flush_async` is never called (it deadlocks; a test of the house looks for it), nothing of sled runs on the event
//!    loop ([`super::Store`] sees to that), nothing is flushed within a transaction.
//! 4. It is opened with care: see `open`.
//! 5. Everything is exported every hour and at a clean stop: see `exporting`.
//! 6. Each durable batch has a number, kept in the database and in a small file beside it: see `generation`.
//! 7. Bounds: cache, one tree, values so small that a node never leaves the file that we sync ([`super::MAX_VALUE`]), no
//!    compression, sled's own segment size, the mode that saves space.
//! 8. Sizes are watched, and nothing new is taken when room becomes scarce.

mod exporting;
mod files;
mod generation;
mod open;
mod room;

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;

use super::batch::{Change, Purpose};
use super::config::StoreConfig;
use super::engine::{Engine, Range, Record};
use super::error::StoreError;
use super::export::{Exported, replay};
use super::health::{Alarm, Health};
use super::memory::page;
use crate::clock::{Clock, Moment};
use crate::file_lock::FileLock;
use files::Files;
use generation::GenerationFile;
use open::Finding;
pub use open::is_opening;
pub use room::{AskRoom, Outside, Room, SyncFile};

/// The schema that this program reads and writes; it stands in a record of its own.
const SCHEMA: u16 = 1;
const SCHEMA_KEY: &[u8] = b"\0schema";
const GENERATION_KEY: &[u8] = b"\0generation";

/// Guard rail 2: how old what was put lazily may be after a crash.
const FLUSH_EVERY_MS: u64 = 200;

/// Guard rail 8: draining goes on down to this part of the reserve.
const DRAIN_RESERVE: u64 = 4;

/// sled with its guard rails.
pub struct Guarded {
    core: Arc<Core>,
    /// The export under way, if any.
    export: Mutex<Option<JoinHandle<()>>>,
}

struct Core {
    files: Files,
    config: StoreConfig,
    outside: Outside,
    clock: Clock,
    db: sled::Db,
    /// Guard rail 1: a descriptor of our own of sled's file. It hears of every failed write-back by itself.
    file: File,
    /// One durable batch at a time.
    committing: Mutex<()>,
    applying: Mutex<Applying>,
    generation_file: GenerationFile,
    generation_unsynced: AtomicBool,
    exporting: Mutex<()>,
    watched: Mutex<Watched>,
    /// The last to go.
    lock: FileLock,
}

/// Held while changes are applied.
struct Applying {
    /// Number of the last batch that was to become durable.
    generation: u64,
    /// An export under way hears of every change.
    tap: Option<exporting::Tap>,
}

#[derive(Default)]
struct Watched {
    /// What opening found.
    opening: Vec<Alarm>,
    exported: Option<Exported>,
    export_failed: Option<String>,
    export_due: Moment,
    bloated: Option<Alarm>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(doing: &'static str) -> impl FnOnce(sled::Error) -> StoreError {
    move |why| StoreError::Failed(format!("{doing} failed: {why}").into())
}

/// Guard rail 7.
fn bounded(directory: &Path, config: &StoreConfig) -> sled::Config {
    sled::Config::new()
        .path(directory)
        .mode(sled::Mode::LowSpace)
        .cache_capacity(u64::from(config.cache_mib.max(1)) << 20)
        .use_compression(false)
        .flush_every_ms(Some(FLUSH_EVERY_MS))
}

fn batch(changes: &[Change]) -> sled::Batch {
    let mut batch = sled::Batch::default();
    for change in changes {
        match &change.value {
            Some(value) => batch.insert(&change.key[..], &value[..]),
            None => batch.remove(&change.key[..]),
        }
    }
    batch
}

impl Guarded {
    /// Opens the store in this directory; makes it if nothing is there.
    pub fn open(
        directory: &Path,
        config: &StoreConfig,
        outside: Outside,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            core: Arc::new(open::open(
                directory,
                config,
                outside,
                Finding::MakeOrRestore,
            )?),
            export: Mutex::new(None),
        })
    }

    /// Opens a store that is there and sound. Nothing is made, moved or restored.
    pub fn open_as_it_is(
        directory: &Path,
        config: &StoreConfig,
        outside: Outside,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            core: Arc::new(open::open(directory, config, outside, Finding::AsItIs)?),
            export: Mutex::new(None),
        })
    }

    /// Loads an export into a directory without a store, or in the place of one, which is moved aside.
    pub fn import(
        export: &Path,
        directory: &Path,
        replace: bool,
        config: &StoreConfig,
    ) -> Result<Exported, StoreError> {
        open::import(export, directory, replace, config)
    }

    /// The exports in a store's directory, newest first, each read from its beginning to its end.
    pub fn exports(directory: &Path) -> Result<Vec<Result<Exported, StoreError>>, StoreError> {
        let exports = Files::at(directory)?.exports()?;
        let read = exports.iter().map(|path| replay(path, |_change| Ok(())));
        Ok(read.collect())
    }

    /// Exports everything now.
    pub fn export(&self) -> Result<Exported, StoreError> {
        self.core.export()
    }

    /// Reads everything, and lets sled look at its own structure. Gives the number of records and their octets.
    pub fn check(&self) -> Result<(u64, u64), StoreError> {
        let (mut records, mut octets) = (0, 0);
        for record in &*self.core.db {
            let (key, value) = record.map_err(failed("reading a record"))?;
            records += 1;
            octets += (key.len() + value.len()) as u64;
        }
        let sound = self.core.db.verify_integrity();
        sound.map_err(failed("checking the structure"))?;
        Ok((records, octets))
    }

    fn export_in_the_background(&self) {
        let mut running = locked(&self.export);
        if running.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return;
        }
        let core = self.core.clone();
        let thread = std::thread::Builder::new()
            .name("store-export".into())
            .spawn(move || {
                // Its failure is an alarm.
                let _told = core.export();
            });
        match thread {
            Ok(thread) => *running = Some(thread),
            Err(why) => locked(&self.core.watched).export_failed = Some(why.to_string()),
        }
    }

    /// Returns when no export is under way.
    pub fn export_ended(&self) {
        let running = locked(&self.export).take();
        if let Some(thread) = running {
            // One that panicked has told so.
            let _ended = thread.join();
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // It holds the database open.
        self.export_ended();
    }
}

impl Core {
    /// Applies changes; those that shall be durable get a number.
    fn apply(&self, changes: &[Change], durable: bool) -> Result<u64, StoreError> {
        let mut batch = batch(changes);
        let mut applying = locked(&self.applying);
        if durable {
            // Guard rail 6: the number is there exactly if the batch is.
            let generation = applying.generation + 1;
            batch.insert(GENERATION_KEY, &generation.to_le_bytes());
        }
        let applied = self.db.apply_batch(batch);
        applied.map_err(failed("applying a batch"))?;
        if durable {
            applying.generation += 1;
        }
        if let Some(tap) = &mut applying.tap {
            tap.hear(changes);
        }
        Ok(applying.generation)
    }

    /// Guard rail 1.
    fn make_durable(&self) -> Result<(), StoreError> {
        self.db.flush().map_err(failed("flushing"))?;
        (self.outside.sync)(&self.file)
            .map_err(|why| StoreError::Failed(format!("syncing failed: {why}").into()))
    }

    /// Guard rail 8: how much must be free.
    fn least(&self, room: Room, purpose: Purpose) -> u64 {
        let share = room.total / 100 * u64::from(self.config.least_free_percent.min(100));
        let least = share.max(u64::from(self.config.least_free_mib) << 20);
        match purpose {
            Purpose::Intake => least,
            Purpose::Drain => least / DRAIN_RESERVE,
        }
    }

    fn room(&self, purpose: Purpose) -> Result<Room, StoreError> {
        let path = &self.files.directory;
        let room =
            (self.outside.room)(path).map_err(StoreError::io(path, "asking for free room"))?;
        let least = self.least(room, purpose);
        match room.free < least {
            true => Err(StoreError::NoRoom {
                path: path.clone(),
                free: room.free,
                least,
            }),
            false => Ok(room),
        }
    }

    fn sync_generation(&self) -> Result<(), StoreError> {
        if self.generation_unsynced.swap(false, Ordering::Relaxed) {
            let path = self.files.generation();
            self.generation_file
                .sync()
                .map_err(StoreError::io(&path, "syncing"))?;
        }
        Ok(())
    }
}

impl Engine for Guarded {
    fn read(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let found = self.core.db.get(key).map_err(failed("reading a record"))?;
        Ok(found.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn scan(&self, range: &Range, most: usize) -> Result<Vec<Record>, StoreError> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let found = self
            .core
            .db
            .range::<Bytes, _>((range.from.clone(), range.to.clone()));
        let record = |found: Result<(sled::IVec, sled::IVec), sled::Error>| {
            let (key, value) = found.map_err(failed("reading records"))?;
            Ok(Record {
                key: Bytes::copy_from_slice(&key),
                value: Bytes::copy_from_slice(&value),
            })
        };
        match range.backwards {
            false => page(found.map(record), most),
            true => page(found.rev().map(record), most),
        }
    }

    fn room(&self, purpose: Purpose) -> Result<(), StoreError> {
        self.core.room(purpose).map(|_room| ())
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StoreError> {
        let _one_at_a_time = locked(&self.core.committing);
        let generation = self.core.apply(changes, true)?;
        self.core.make_durable()?;
        // Guard rail 6: after it is durable. Should this fail, a loss could go unnoticed, and nothing else is wrong.
        let path = self.core.files.generation();
        self.core
            .generation_file
            .note(generation)
            .map_err(StoreError::io(&path, "writing"))?;
        self.core.generation_unsynced.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn put_lazily(&self, changes: &[Change]) -> Result<(), StoreError> {
        self.core.apply(changes, false).map(|_generation| ())
    }

    fn keep_house(&self) {
        if let Err(why) = self.core.sync_generation() {
            tracing::error!(%why, "the store's generation file cannot be synced");
        }
        let due = {
            let now = self.core.clock.now();
            let mut watched = locked(&self.core.watched);
            let due = watched.export_due <= now;
            if due {
                watched.export_due = now + self.core.config.export_every;
            }
            due
        };
        if due {
            self.export_in_the_background();
        }
    }

    fn health(&self) -> Health {
        let generation = locked(&self.core.applying).generation;
        let mut health = Health {
            generation,
            on_disk: self.core.db.size_on_disk().unwrap_or_default(),
            ..Health::default()
        };
        match self.core.room(Purpose::Intake) {
            Ok(room) => health.free = Some(room.free),
            Err(StoreError::NoRoom { free, least, .. }) => {
                health.free = Some(free);
                health.alarms.push(Alarm::NoRoom { free, least });
            }
            Err(_unknown) => {}
        }
        let watched = locked(&self.core.watched);
        health.alarms.extend(watched.opening.iter().cloned());
        health.alarms.extend(watched.bloated.clone());
        if let Some(why) = &watched.export_failed {
            health.alarms.push(Alarm::ExportFailed { why: why.clone() });
        }
        if let Some(exported) = &watched.exported {
            health.exported_at = Some(exported.at);
            health.logical = Some(exported.summary.octets);
        }
        health
    }

    fn close(&self) -> Result<(), StoreError> {
        let _no_other = locked(&self.core.committing);
        self.export_ended();
        self.core.make_durable()?;
        self.core.sync_generation()?;
        self.core.export().map(|_exported| ())
    }
}
