//! Records in memory: for tests, and to measure what all but the disk costs. Everything is gone with it.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use bytes::Bytes;

use super::batch::{Change, Purpose};
use super::engine::{Engine, MOST_SCANNED_OCTETS, Range, Record};
use super::error::StoreError;
use super::health::Health;

/// A map that plays an engine.
#[derive(Default)]
pub struct Memory {
    records: RwLock<BTreeMap<Bytes, Bytes>>,
}

impl Memory {
    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Bytes, Bytes>> {
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
        Ok(records.get(key).cloned())
    }

    fn scan(&self, range: &Range, most: usize) -> Result<Vec<Record>, StoreError> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let records = self.records.read().unwrap_or_else(PoisonError::into_inner);
        let found = records.range::<Bytes, _>((range.from.clone(), range.to.clone()));
        let record = |(key, value): (&Bytes, &Bytes)| {
            Ok(Record {
                key: key.clone(),
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
            match &change.value {
                Some(value) => records.insert(change.key.clone(), value.clone()),
                None => records.remove(&change.key),
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
