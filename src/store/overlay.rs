//! Records that are on their way to the disk, laid over those that are there.
//!
//! Who reads, decides and writes must see what was decided just before, durable or not. So changes are seen from when
//! they are put, are handed to the store together, and stay laid over it until they are durable. Batches become durable
//! in the order in which they are taken, so whatever a later one was made from is durable before it; should the store
//! refuse one, it refuses all later ones too ([`Chain`]), and the overlay is of no use any more.
//!
//! A value that is longer than the store takes is cut: its record says into how many pieces, and these lie under keys of
//! their own.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use bytes::Bytes;

use super::Store;
use super::batch::{Batch, Chain, MAX_VALUE};
use super::engine::{MOST_SCANNED, Range, Record};
use super::error::StoreError;

/// The value is all that follows.
const WHOLE: u8 = 1;
/// The number of pieces follows, in two octets, high one first.
const CUT: u8 = 2;

/// Where pieces lie: this octet, the key of their record, and their number in two octets, high one first.
const PIECES: u8 = b'~';

/// Octets of a piece.
const PIECE: usize = MAX_VALUE;

/// What was taken from an overlay to be stored; say `Overlay::settled` when it is durable.
#[derive(Debug, Default)]
#[must_use = "what is durable is forgotten by the overlay when it is told so"]
pub struct Pending {
    keys: Vec<Bytes>,
    number: u64,
}

/// The overlay.
pub(super) struct Overlay {
    store: Store,
    chain: Chain,
    /// What is not known to be durable, and with which batch it went.
    pending: BTreeMap<Bytes, (u64, Option<Bytes>)>,
    /// Changed since the last batch was taken, each once.
    staged: Vec<Bytes>,
    /// Number of the next batch.
    number: u64,
    /// How keys begin whose records are written over.
    root: Bytes,
    /// Those of them that are cut, and into how many pieces, so that writing over them leaves none behind.
    cut: HashMap<Bytes, u16>,
}

fn piece_key(key: &[u8], number: u16) -> Bytes {
    let mut piece = Vec::with_capacity(key.len() + 3);
    piece.push(PIECES);
    piece.extend_from_slice(key);
    piece.extend_from_slice(&number.to_be_bytes());
    piece.into()
}

fn pieces_of(head: &[u8]) -> Option<u16> {
    head.get(1..)?
        .first_chunk()
        .copied()
        .map(u16::from_be_bytes)
}

impl Overlay {
    /// Over a store. Keys that begin with `root` may be written over; what is put under others is put once, and taken away.
    pub(super) fn new(store: Store, root: &[u8]) -> Result<Self, StoreError> {
        let mut overlay = Self {
            store,
            chain: Chain::default(),
            pending: BTreeMap::new(),
            staged: Vec::new(),
            number: 1,
            root: Bytes::copy_from_slice(root),
            cut: HashMap::new(),
        };
        overlay.find_pieces()?;
        Ok(overlay)
    }

    fn find_pieces(&mut self) -> Result<(), StoreError> {
        let mut range = Range::prefix(&[&[PIECES], &self.root[..]].concat());
        loop {
            let page = self.store.scan(&range, MOST_SCANNED)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            range = range.after(&last.key);
            for record in page {
                if let Some((key, number)) = record.key[1..].split_last_chunk::<2>() {
                    let pieces = u16::from_be_bytes(*number) + 1;
                    let known = self.cut.entry(Bytes::copy_from_slice(key)).or_default();
                    *known = pieces.max(*known);
                }
            }
        }
    }

    fn raw(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        match self.pending.get(key) {
            Some((_, value)) => Ok(value.clone()),
            None => self.store.read(key),
        }
    }

    fn set(&mut self, key: Bytes, value: Option<Bytes>) {
        let before = self.pending.insert(key.clone(), (self.number, value));
        // Of several values of one record only the last one counts.
        if before.is_none_or(|(number, _)| number != self.number) {
            self.staged.push(key);
        }
    }

    /// Sets a record.
    pub(super) fn put(&mut self, key: Bytes, value: &[u8]) {
        let before = self.cut.get(&key).copied().unwrap_or_default();
        let mut pieces = 0;
        let mut head = Vec::with_capacity(value.len().min(PIECE) + 1);
        if value.len() < MAX_VALUE {
            head.push(WHOLE);
            head.extend_from_slice(value);
        } else {
            for piece in value.chunks(PIECE) {
                self.set(piece_key(&key, pieces), Some(Bytes::copy_from_slice(piece)));
                pieces += 1;
            }
            head.push(CUT);
            head.extend_from_slice(&pieces.to_be_bytes());
        }
        for stale in pieces..before {
            self.set(piece_key(&key, stale), None);
        }
        if pieces == 0 {
            self.cut.remove(&key);
        } else if key.starts_with(&self.root) {
            self.cut.insert(key.clone(), pieces);
        }
        self.set(key, Some(head.into()));
    }

    /// Takes a record away.
    pub(super) fn delete(&mut self, key: Bytes) -> Result<(), StoreError> {
        let pieces = match key.starts_with(&self.root) {
            true => self.cut.remove(&key).unwrap_or_default(),
            false => match self.raw(&key)? {
                Some(head) if head.first() == Some(&CUT) => pieces_of(&head).unwrap_or_default(),
                _ => 0,
            },
        };
        for piece in 0..pieces {
            self.set(piece_key(&key, piece), None);
        }
        self.set(key, None);
        Ok(())
    }

    /// The value of a record.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        match self.raw(key)? {
            Some(head) => self.whole(key, head).map(Some),
            None => Ok(None),
        }
    }

    /// The value of a record, its pieces put together.
    fn whole(&self, key: &[u8], head: Bytes) -> Result<Bytes, StoreError> {
        let wrong = |why: &str| StoreError::Record {
            what: "the service",
            why: why.into(),
        };
        match head.first() {
            Some(&WHOLE) => Ok(head.slice(1..)),
            Some(&CUT) => {
                let pieces = pieces_of(&head);
                let pieces = pieces.ok_or_else(|| wrong("its number of pieces is missing"))?;
                let mut whole = Vec::new();
                for number in 0..pieces {
                    let piece = self.raw(&piece_key(key, number))?;
                    whole.extend_from_slice(&piece.ok_or_else(|| wrong("a piece is missing"))?);
                }
                Ok(whole.into())
            }
            _ => Err(wrong("its form is unknown")),
        }
    }

    /// At most `most` records of a range, whole.
    pub(super) fn scan(&self, range: &Range, most: usize) -> Result<Vec<Record>, StoreError> {
        let mut found = self.scan_raw(range, most)?;
        for record in &mut found {
            record.value = self.whole(&record.key, record.value.clone())?;
        }
        Ok(found)
    }

    /// The keys of a range, at most so many.
    pub(super) fn keys(&self, range: &Range, most: usize) -> Result<Vec<Bytes>, StoreError> {
        let found = self.scan_raw(range, most)?;
        Ok(found.into_iter().map(|record| record.key).collect())
    }

    fn scan_raw(&self, range: &Range, most: usize) -> Result<Vec<Record>, StoreError> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let bounds = (range.from.clone(), range.to.clone());
        let mut over = self.pending.range::<Bytes, _>(bounds).peekable();
        if over.peek().is_none() {
            return self.store.scan(range, most);
        }
        assert!(!range.backwards, "what is laid over is read forwards only");
        let mut rest = range.clone();
        let mut found = Vec::new();
        let mut page = Vec::new().into_iter().peekable();
        let mut is_last = false;
        while found.len() < most {
            if page.peek().is_none() && !is_last {
                let records = self.store.scan(&rest, most.min(MOST_SCANNED))?;
                match records.last() {
                    Some(last) => rest.from = Bound::Excluded(last.key.clone()),
                    None => is_last = true,
                }
                page = records.into_iter().peekable();
            }
            let from_over = match (over.peek(), page.peek()) {
                (Some((key, _)), Some(record)) => **key <= record.key,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => break,
            };
            match from_over {
                true => {
                    let (key, (_, value)) = over.next().expect("it was peeked at");
                    page.next_if(|record| record.key == *key);
                    if let Some(value) = value {
                        found.push(Record {
                            key: key.clone(),
                            value: value.clone(),
                        });
                    }
                }
                false => found.extend(page.next()),
            }
        }
        Ok(found)
    }

    /// How many changes were made since the last batch was taken.
    pub(super) const fn staged(&self) -> usize {
        self.staged.len()
    }

    /// What was changed since the last batch was taken.
    pub(super) fn take(&mut self) -> (Batch, Pending) {
        let keys = std::mem::take(&mut self.staged);
        let mut batch = Batch::new();
        batch.follows(&self.chain);
        for key in &keys {
            match self.pending.get(key) {
                Some((_, Some(value))) => batch.put(key.clone(), value.clone()),
                Some((_, None)) | None => batch.delete(key.clone()),
            }
        }
        let number = self.number;
        self.number += 1;
        (batch, Pending { keys, number })
    }

    /// These are durable now; the store knows them itself.
    pub(super) fn settled(&mut self, pending: Pending) {
        for key in pending.keys {
            if let Entry::Occupied(known) = self.pending.entry(key)
                && known.get().0 == pending.number
            {
                known.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::Memory;

    fn key(name: &str) -> Bytes {
        Bytes::copy_from_slice(name.as_bytes())
    }

    fn commit(overlay: &mut Overlay) {
        let (batch, pending) = overlay.take();
        overlay.store.submit(batch).unwrap().wait().unwrap();
        overlay.settled(pending);
    }

    fn keys(overlay: &Overlay, most: usize) -> Vec<Bytes> {
        overlay.keys(&Range::prefix(b"k"), most).unwrap()
    }

    #[test]
    fn what_is_on_its_way_is_seen_in_order_with_what_is_there() {
        let store = Store::new(Memory::default());
        let mut overlay = Overlay::new(store, b"k").unwrap();
        for name in ["k1", "k3", "k5", "k7"] {
            overlay.put(key(name), b"old");
        }
        commit(&mut overlay);
        assert!(overlay.pending.is_empty());
        overlay.put(key("k0"), b"new");
        overlay.delete(key("k3")).unwrap();
        overlay.put(key("k5"), b"new");
        overlay.put(key("k9"), b"new");
        assert_eq!(keys(&overlay, 10), ["k0", "k1", "k5", "k7", "k9"]);
        assert_eq!(keys(&overlay, 2), ["k0", "k1"]);
        assert_eq!(overlay.get(b"k5").unwrap().unwrap(), "new");
        assert_eq!(overlay.get(b"k3").unwrap(), None);
        let (batch, pending) = overlay.take();
        // Changed again while it is on its way.
        overlay.put(key("k0"), b"newer");
        overlay.store.submit(batch).unwrap().wait().unwrap();
        overlay.settled(pending);
        assert_eq!(overlay.get(b"k0").unwrap().unwrap(), "newer");
        assert_eq!(keys(&overlay, 10), ["k0", "k1", "k5", "k7", "k9"]);
    }

    #[test]
    fn long_values_are_cut_and_leave_nothing_behind() {
        let store = Store::new(Memory::default());
        let long = |n: usize| vec![n as u8; n];
        let mut overlay = Overlay::new(store.clone(), b"k").unwrap();
        overlay.put(key("k1"), &long(20_000));
        assert_eq!(overlay.get(b"k1").unwrap().unwrap(), long(20_000));
        commit(&mut overlay);
        // Opened anew it knows that the record was cut.
        let mut overlay = Overlay::new(store.clone(), b"k").unwrap();
        assert_eq!(overlay.get(b"k1").unwrap().unwrap(), long(20_000));
        overlay.put(key("k1"), &long(5000));
        commit(&mut overlay);
        assert_eq!(overlay.get(b"k1").unwrap().unwrap(), long(5000));
        let count = || store.scan(&Range::all(), 100).unwrap().len();
        assert_eq!(count(), 3);
        overlay.put(key("k1"), b"short");
        commit(&mut overlay);
        assert_eq!(count(), 1);
        overlay.put(key("k1"), &long(9000));
        overlay.delete(key("k1")).unwrap();
        commit(&mut overlay);
        assert_eq!(count(), 0);
        // What is put once is taken away with its pieces though nobody remembers that it was cut.
        overlay.put(key("l1"), &long(9000));
        commit(&mut overlay);
        assert_eq!(count(), 4);
        let mut overlay = Overlay::new(store.clone(), b"k").unwrap();
        overlay.delete(key("l1")).unwrap();
        commit(&mut overlay);
        assert_eq!(count(), 0);
    }
}
