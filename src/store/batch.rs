//! What is written at once: all of it or nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::error::StoreError;

/// Longest key. Keys are made of a few names and numbers; a longer one is a mistake. An inner node of sled's tree holds
/// 256 of them, which must stay below the limit that is told at [`MAX_VALUE`].
pub const MAX_KEY: usize = 256;

/// Longest value. sled writes a whole node of its tree at once, and what is longer than a quarter of its segment
/// (128 KiB) goes into a file of its own, which sled never syncs and we do not see. A leaf holds up to 16 records, and 19
/// for a moment when two are merged; 20 of this size with their keys take 85 KiB. Larger content is cut by those who
/// store it.
pub const MAX_VALUE: usize = 4 << 10;

/// Most changes in one batch: a message to a group of ten thousand lies in as many logs, with a reference and a wish for
/// a report each. Reading waits while sled applies it (about 10 µs a change).
pub const MAX_CHANGES: usize = 1 << 16;

/// Most octets in one batch: it is held in memory three times over while it is written.
pub const MAX_BATCH: usize = 32 << 20;

/// One key, and what becomes of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: Bytes,
    /// Its new value; `None` takes it away.
    pub value: Option<Bytes>,
}

impl Change {
    /// How many octets it brings.
    pub fn size(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Bytes::len)
    }
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Keys hold names and numbers of subscribers, values their texts.
        let value = self.value.as_ref().map(Bytes::len);
        write!(f, "Change({} octets to {value:?})", self.key.len())
    }
}

/// What a batch does to the room on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Purpose {
    /// Something new is taken in.
    #[default]
    Intake,
    /// Something goes on or out, which frees room in the end: taken until the disk is really full.
    Drain,
}

/// Batches of which each was made from what the ones before have made: when one of them is not stored, none that comes
/// later is. Clones are the same chain; it does not mend.
#[derive(Clone, Debug, Default)]
pub struct Chain(Arc<AtomicBool>);

impl Chain {
    pub(super) fn is_broken(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(super) fn breaks(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Changes that become durable together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    changes: Vec<Change>,
    purpose: Purpose,
    once: Option<Bytes>,
    chains: Vec<Chain>,
    size: usize,
}

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Committed {
    /// It is durable.
    Now,
    /// Its idempotency key was there already, so it had been written before, and was left out.
    Before,
}

impl Batch {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key to a value.
    ///
    /// # Panics
    /// If the key is empty or begins with the octet 0.
    pub fn put(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.push(key.into(), Some(value.into()));
    }

    /// Takes a key away.
    pub fn delete(&mut self, key: impl Into<Bytes>) {
        self.push(key.into(), None);
    }

    fn push(&mut self, key: Bytes, value: Option<Bytes>) {
        let first = key.first().copied().unwrap_or_default();
        assert_ne!(
            first, 0,
            "a key is not empty, and what begins with 0 is the engine's"
        );
        let change = Change { key, value };
        self.size += change.size();
        self.changes.push(change);
    }

    /// The whole batch is left out if this idempotency key is there already; otherwise the key is put with this value,
    /// at once with everything else. Two batches of one key can be under way at the same time; one of them is left out.
    pub fn once(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        let key = key.into();
        self.once = Some(key.clone());
        self.put(key, value);
    }

    /// Marks the batch as one that leads to freeing room, see [`Purpose::Drain`].
    pub fn drains(&mut self) {
        self.purpose = Purpose::Drain;
    }

    /// Stores the batch only if every earlier one of the chain was stored. A batch may be of several chains: when it is
    /// not stored, all of them are broken.
    pub fn follows(&mut self, chain: &Chain) {
        self.chains.push(chain.clone());
    }

    pub(super) fn chains(&self) -> &[Chain] {
        &self.chains
    }

    /// Whether something that it rests on was not stored.
    pub(super) fn is_broken(&self) -> bool {
        self.chains.iter().any(Chain::is_broken)
    }

    /// It is not stored.
    pub(super) fn breaks(&self) {
        for chain in &self.chains {
            chain.breaks();
        }
    }

    /// What it does to the room on disk.
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Adds all changes of another one. The idempotency key of either stays; both cannot have one. It is of the chains of
    /// both.
    ///
    /// # Panics
    /// If both have an idempotency key.
    pub fn append(&mut self, other: Self) {
        assert!(
            self.once.is_none() || other.once.is_none(),
            "a batch has one idempotency key"
        );
        self.once = self.once.take().or(other.once);
        self.chains.extend(other.chains);
        self.size += other.size;
        self.changes.extend(other.changes);
    }

    /// The changes, in the order in which they were made.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The changes, taken out of it.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// How many changes.
    pub const fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Octets of all keys and values.
    pub const fn size(&self) -> usize {
        self.size
    }

    pub(super) const fn once_key(&self) -> Option<&Bytes> {
        self.once.as_ref()
    }

    /// Refuses what breaks a limit, before anything is written.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let within = |what, size, most| match size > most {
            true => Err(StoreError::TooLarge { what, size, most }),
            false => Ok(()),
        };
        within("batch (changes)", self.changes.len(), MAX_CHANGES)?;
        within("batch (octets)", self.size, MAX_BATCH)?;
        for change in &self.changes {
            within("key", change.key.len(), MAX_KEY)?;
            within(
                "value",
                change.value.as_ref().map_or(0, Bytes::len),
                MAX_VALUE,
            )?;
        }
        Ok(())
    }
}
