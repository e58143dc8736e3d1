//! Records in memory: for tests, and to measure what all but the disk costs. Everything is gone with it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use bytes::Bytes;

use super::batch::{Change, Purpose};
use super::engine::{Engine, MOST_SCANNED_OCTETS, Range, Record};
use super::error::StoreError;
use super::health::Health;

/// A map that plays an engine.
#[derive(Default)]
pub struct Memory {
    records: RwLock<BTreeMap<Place, Bytes>>,
}

/// A key with its beginning beside it, padded with zeros and read as numbers: finding a place among a million records looks at
/// a hundred keys, and each that lies elsewhere is one more wait for the memory.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    beginning: [u64; 4],
    key: Bytes,
}

impl Place {
    fn of(key: Bytes) -> Self {
        let mut octets = [0; 32];
        let length = key.len().min(octets.len());
        octets[..length].copy_from_slice(&key[..length]);
        let (numbers, _) = octets.as_chunks::<8>();
        let mut beginning = [0; 4];
        for (number, octets) in beginning.iter_mut().zip(numbers) {
            *number = u64::from_be_bytes(*octets);
        }
        Self { beginning, key }
    }

    fn bound(key: &Bound<Bytes>) -> Bound<Self> {
        key.as_ref().map(|key| Self::of(key.clone()))
    }
}

impl Memory {
    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Place, Bytes>> {
        self.records.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes records until there are enough of them.
pub(super) fn page(
    records: impl Iterator<Item = Result<Record, StoreError>>,
    most: usize,
) -> Result<Vec<Record>, StoreError> {
    let mut page = Vec::new();
    let mut octets = 0;
    for record in records {
        let record = record?;
        octets += record.key.len() + record.value.len();
        page.push(record);
        if page.len() >= most || octets >= MOST_SCANNED_OCTETS {
            break;
        }
    }
    Ok(page)
}

impl Engine for Memory {
    fn read(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let records = self.records.read().unwrap_or_else(PoisonError::into_inner);
        let place = Place::of(Bytes::copy_from_slice(key));
        Ok(records.get(&place).cloned())
    }

    fn scan(&self, range: &Range, most: usize) -> Result<Vec<Record>, StoreError> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let records = self.records.read().unwrap_or_else(PoisonError::into_inner);
        let found = records.range((Place::bound(&range.from), Place::bound(&range.to)));
        let record = |(place, value): (&Place, &Bytes)| {
            Ok(Record {
                key: place.key.clone(),
                value: value.clone(),
            })
        };
        match range.backwards {
            false => page(found.map(record), most),
            true => page(found.rev().map(record), most),
        }
    }

    fn room(&self, _purpose: Purpose) -> Result<(), StoreError> {
        Ok(())
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StoreError> {
        self.put_lazily(changes)
    }

    fn put_lazily(&self, changes: &[Change]) -> Result<(), StoreError> {
        let mut records = self.write();
        for change in changes {
            let place = Place::of(change.key.clone());
            match &change.value {
                Some(value) => records.insert(place, value.clone()),
                None => records.remove(&place),
            };
        }
        Ok(())
    }

    fn keep_house(&self) {}

    fn health(&self) -> Health {
        Health::default()
    }

    fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
