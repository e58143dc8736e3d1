//! Engines that wait, fail or panic where a test says so, and a sled whose machine does.

#![allow(unreachable_pub, reason = "shared by the parts of one test")]

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use bytes::Bytes;
use sluice::store::memory::Memory;
use sluice::store::{
    Batch, Change, Engine, Guarded, Health, Outside, Purpose, Range, Record, Room, Store,
    StoreConfig, StoreError,
};

/// What a commit of a [`Gated`] engine does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Commits {
    /// It succeeds.
    Succeed,
    /// The sync fails, after the changes were applied.
    Fail,
    /// It panics.
    Panic,
}

struct State {
    closed: bool,
    waiting: u64,
    commits: Commits,
    full: Option<Purpose>,
    sizes: Vec<usize>,
}

/// Memory behind a gate. Clones are the same engine.
#[derive(Clone)]
pub struct Gated(Arc<(Mutex<State>, Condvar, Memory)>);

impl Gated {
    /// An open gate.
    pub fn new() -> Self {
        let state = State {
            closed: false,
            waiting: 0,
            commits: Commits::Succeed,
            full: None,
            sizes: Vec::new(),
        };
        Self(Arc::new((
            Mutex::new(state),
            Condvar::new(),
            Memory::default(),
        )))
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let done = work(&mut self.0.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.1.notify_all();
        done
    }

    /// From now on a commit waits, its changes applied, until [`Gated::open`].
    pub fn close(&self) {
        self.with(|state| state.closed = true);
    }

    /// Lets all commits go.
    pub fn open(&self) {
        self.with(|state| state.closed = false);
    }

    /// Returns when a commit waits at the gate.
    pub fn await_commit(&self) {
        let mut state = self.0.0.lock().unwrap();
        while state.waiting == 0 {
            state = self.0.1.wait(state).unwrap();
        }
    }

    /// What later commits do.
    pub fn commits(&self, what: Commits) {
        self.with(|state| state.commits = what);
    }

    /// No room for this purpose, nor for what needs more.
    pub fn full_for(&self, purpose: Option<Purpose>) {
        self.with(|state| state.full = purpose);
    }

    /// How many changes each commit had.
    pub fn sizes(&self) -> Vec<usize> {
        self.with(|state| state.sizes.clone())
    }
}

impl Engine for Gated {
    fn read(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.0.2.read(key)
    }

    fn scan(&self, range: &Range, most: usize) -> Result<Vec<Record>, StoreError> {
        self.0.2.scan(range, most)
    }

    fn room(&self, purpose: Purpose) -> Result<(), StoreError> {
        let full = self.with(|state| state.full);
        match full {
            Some(Purpose::Drain) => {}
            Some(Purpose::Intake) if purpose == Purpose::Intake => {}
            _ => return Ok(()),
        }
        Err(StoreError::NoRoom {
            path: "(gate)".into(),
            free: 1,
            least: 2,
        })
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StoreError> {
        self.0.2.commit(changes)?;
        let mut state = self.0.0.lock().unwrap();
        state.sizes.push(changes.len());
        state.waiting += 1;
        self.0.1.notify_all();
        while state.closed {
            state = self.0.1.wait(state).unwrap();
        }
        state.waiting -= 1;
        let what = state.commits;
        drop(state);
        match what {
            Commits::Succeed => Ok(()),
            Commits::Fail => Err(StoreError::Failed("Input/output error (os error 5)".into())),
            Commits::Panic => panic!("the engine panics, as the test asked it to"),
        }
    }

    fn put_lazily(&self, changes: &[Change]) -> Result<(), StoreError> {
        self.0.2.put_lazily(changes)
    }

    fn keep_house(&self) {}

    fn health(&self) -> Health {
        Health::default()
    }

    fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A machine whose disk a test fills and breaks. Clones are the same one.
#[derive(Clone)]
pub struct Machine(Arc<Inner>);

struct Inner {
    free: AtomicU64,
    syncs: AtomicU64,
    broken: AtomicBool,
}

/// How large its disk is.
pub const DISK: u64 = 10 << 30;

impl Machine {
    /// With much room.
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            free: AtomicU64::new(DISK / 2),
            syncs: AtomicU64::new(0),
            broken: AtomicBool::new(false),
        }))
    }

    /// Sets how many octets are free.
    pub fn free(&self, octets: u64) {
        self.0.free.store(octets, Ordering::SeqCst);
    }

    /// From now on every sync fails.
    pub fn breaks(&self) {
        self.0.broken.store(true, Ordering::SeqCst);
    }

    /// How many syncs there were.
    pub fn syncs(&self) -> u64 {
        self.0.syncs.load(Ordering::SeqCst)
    }

    /// As the store sees it.
    pub fn outside(&self) -> Outside {
        let (room, sync) = (self.0.clone(), self.0.clone());
        Outside {
            room: Arc::new(move |_| {
                Ok(Room {
                    free: room.free.load(Ordering::SeqCst),
                    total: DISK,
                })
            }),
            sync: Arc::new(move |file| {
                sync.syncs.fetch_add(1, Ordering::SeqCst);
                match sync.broken.load(Ordering::SeqCst) {
                    true => Err(io::Error::from_raw_os_error(5)),
                    false => file.sync_data(),
                }
            }),
            ..Outside::default()
        }
    }

    /// A store on it.
    pub fn store(&self, directory: &Path) -> Result<Guarded, StoreError> {
        Guarded::open(directory, &small(), self.outside())
    }
}

/// A configuration for small stores.
pub fn small() -> StoreConfig {
    StoreConfig {
        cache_mib: 4,
        ..StoreConfig::default()
    }
}

/// One change as a batch.
pub fn put(key: &str, value: &str) -> Batch {
    let mut batch = Batch::new();
    batch.put(key.to_owned(), value.to_owned());
    batch
}

/// The same for an engine.
pub fn changes(key: &str, value: &str) -> Vec<Change> {
    put(key, value).changes().to_vec()
}

/// A value as text.
pub fn text(value: Result<Option<Bytes>, StoreError>) -> Option<String> {
    value
        .unwrap()
        .map(|value| String::from_utf8(value.to_vec()).unwrap())
}

/// Everything that a store holds, page by page.
pub fn everything(engine: &dyn Engine) -> Vec<(Bytes, Bytes)> {
    let mut range = Range::all().after(b"\0\xFF");
    let mut all = Vec::new();
    loop {
        let page = engine.scan(&range, 100).unwrap();
        let Some(last) = page.last() else {
            return all;
        };
        range = range.after(&last.key);
        all.extend(page.into_iter().map(|record| (record.key, record.value)));
    }
}

/// A store on memory behind a gate.
pub fn gated() -> (Gated, Store) {
    let gate = Gated::new();
    (gate.clone(), Store::new(gate))
}
