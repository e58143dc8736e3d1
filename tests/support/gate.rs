//! Storage that waits, counts, refuses or fails where a test says so.

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use sluice::lane::RingName;
use sluice::ring::storage::{MemoryStorage, Storage};
use sluice::ring::{Opened, RingFile};

/// One call, as it began or ended, in the order in which these things happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A write there has ended.
    Written(u64),
    /// A sync began.
    SyncBegins,
    /// A sync returned.
    SyncEnds,
}

#[derive(Default)]
struct State {
    closed: bool,
    waiting: u64,
    fail_syncs: u64,
    full_after: Option<u64>,
    syncs_tried: u64,
    events: Vec<Event>,
}

/// Memory behind a gate. Clones are the same storage.
#[derive(Clone, Default)]
pub struct Gate {
    inner: Arc<(Mutex<State>, Condvar)>,
    memory: Arc<MemoryStorage>,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on a sync does not return before [`Gate::open`].
    pub fn close(&self) {
        self.state().closed = true;
    }

    /// Lets all syncs go.
    pub fn open(&self) {
        self.state().closed = false;
        self.inner.1.notify_all();
    }

    /// Returns when a sync waits at the gate.
    pub fn await_sync(&self) {
        let mut state = self.state();
        while state.waiting == 0 {
            state = self
                .inner
                .1
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The next so many syncs fail, once each, as Linux tells of them.
    pub fn fail_syncs(&self, count: u64) {
        self.state().fail_syncs = count;
    }

    /// There is no room beyond so many octets.
    pub fn full_after(&self, octets: u64) {
        self.state().full_after = Some(octets);
    }

    /// How many syncs were tried so far.
    pub fn syncs_tried(&self) -> u64 {
        self.state().syncs_tried
    }

    /// How many things have happened so far: an answer given now comes after these.
    pub fn now(&self) -> usize {
        self.state().events.len()
    }

    /// All that happened.
    pub fn events(&self) -> Vec<Event> {
        self.state().events.clone()
    }

    /// What the storage holds.
    pub fn contents(&self) -> Vec<u8> {
        self.memory.to_vec()
    }
}

impl Storage for Gate {
    fn length(&self) -> io::Result<u64> {
        self.memory.length()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.memory.read_at(offset, out)
    }

    fn write_at(&self, offset: u64, octets: &[u8]) -> io::Result<()> {
        let end = offset + octets.len() as u64;
        if self.state().full_after.is_some_and(|limit| end > limit) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.memory.write_at(offset, octets)?;
        self.state().events.push(Event::Written(offset));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.syncs_tried += 1;
        state.events.push(Event::SyncBegins);
        state.waiting += 1;
        self.inner.1.notify_all();
        while state.closed {
            state = self
                .inner
                .1
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting -= 1;
        if state.fail_syncs > 0 {
            state.fail_syncs -= 1;
            return Err(io::Error::other("Input/output error (os error 5)"));
        }
        state.events.push(Event::SyncEnds);
        Ok(())
    }
}

/// A file of these rings on storage that waits, counts and fails.
pub fn gated(rings: &[RingName]) -> (Gate, RingFile) {
    let gate = Gate::default();
    let mut number = 0;
    let mut random = || {
        number += 1;
        number
    };
    sluice::ring::format(&gate, rings, &mut random).unwrap();
    let opened = RingFile::open_on(Path::new("(gate)"), Arc::new(gate.clone()), None).unwrap();
    (gate, opened.file)
}

/// What lies on the storage, opened as after a kill.
pub fn reopened(gate: &Gate) -> Opened {
    let storage = Arc::new(MemoryStorage::new(gate.contents()));
    RingFile::open_on(Path::new("(gate)"), storage, None).unwrap()
}
