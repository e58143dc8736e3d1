//! The post: texts for phones that wait for a lane, how each message fared, and what came from phones for this machine.
//!
//! What is kept is told apart by [`Shelf`]; each record is a value of its owner's making. Writers change several records
//! at once and do not wait for one another: [`Post`] remembers what was handed to the store and is not durable yet, so
//! that who reads, decides and writes sees what others have just decided. Batches become durable in the order in which
//! they were submitted, so whatever a later one was made from is durable before it; and when one is not stored, none of
//! those after it is, until the post [begins anew](Post::anew) from what is durable.
//!
//! A value that is longer than the store takes (a phone's text of thirty parts, the track of one) is cut: its record says
//! into how many pieces, and these lie under keys of their own.

use std::collections::HashMap;
use std::ops::Range as Numbers;

use bytes::Bytes;

use super::{Batch, Chain, MAX_VALUE, MOST_SCANNED, Range, Store, StoreError, Submitted};
use crate::clock::WallTime;
use crate::lane::{Lane, RingName};

/// A record, by its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Shelf<'a> {
    /// A text that waits for a lane, by its number in the queue.
    Waiting(u64),
    /// How a message fared, by its identity.
    Track(u128),
    /// Which message was handed in under a key.
    Handed(&'a str),
    /// Which messages a carrier knows under a name.
    Named(&'a Lane, &'a [u8]),
    /// How far what came over a ring was taken.
    Position(&'a RingName),
    /// A part of a long message whose other parts have not come, by number.
    Part(u64),
    /// Something that belongs to nobody, kept to be shown, by number.
    Stray(u64),
    /// An entry of the desk's inbox, by number.
    Entry(u64),
    /// Something for the IM service, by number.
    Errand(u64),
    /// A track that can go at that time.
    Expiry(WallTime, u128),
    /// What counts the others.
    Counters,
}

const ROOT: &[u8] = b"post/";

/// Where pieces lie: this, what follows [`ROOT`] in the key of their record, and their number in two octets, high one
/// first.
const PIECES: &[u8] = b"post~";

/// How a record begins that is cut; the number of pieces follows in two octets, high one first. Whole ones are JSON.
const CUT: u8 = 2;

fn piece_key(key: &[u8], number: u16) -> Bytes {
    [PIECES, &key[ROOT.len()..], &number.to_be_bytes()]
        .concat()
        .into()
}

/// Into how many pieces a record is cut, if it is.
fn pieces_of(head: &[u8]) -> Option<u16> {
    match *head {
        [CUT, high, low] => Some(u16::from_be_bytes([high, low])),
        _ => None,
    }
}

/// A record of which `read` gives the pieces; nothing if one is gone, so that the record is, too.
fn whole(
    key: &[u8],
    head: Bytes,
    read: impl Fn(&[u8]) -> Result<Option<Bytes>, StoreError>,
) -> Result<Option<Bytes>, StoreError> {
    let Some(pieces) = pieces_of(&head) else {
        return Ok(Some(head));
    };
    let mut whole = Vec::with_capacity(usize::from(pieces) * MAX_VALUE);
    for number in 0..pieces {
        let Some(piece) = read(&piece_key(key, number))? else {
            return Ok(None);
        };
        whole.extend_from_slice(&piece);
    }
    Ok(Some(whole.into()))
}

impl Shelf<'_> {
    fn key(&self) -> Bytes {
        let mut key = ROOT.to_vec();
        let numbered = |key: &mut Vec<u8>, kind: u8, number: u64| {
            key.push(kind);
            key.extend_from_slice(&number.to_be_bytes());
        };
        match self {
            Self::Waiting(number) => numbered(&mut key, b'w', *number),
            Self::Track(id) => {
                key.push(b't');
                key.extend_from_slice(&id.to_be_bytes());
            }
            Self::Handed(name) => {
                key.push(b'h');
                key.extend_from_slice(name.as_bytes());
            }
            Self::Named(lane, name) => {
                key.push(b'n');
                key.extend_from_slice(lane.as_str().as_bytes());
                key.push(b':');
                key.extend_from_slice(name);
            }
            Self::Position(ring) => {
                key.push(b'r');
                key.extend_from_slice(ring.to_string().as_bytes());
            }
            Self::Part(number) => numbered(&mut key, b'p', *number),
            Self::Stray(number) => numbered(&mut key, b's', *number),
            Self::Entry(number) => numbered(&mut key, b'e', *number),
            Self::Errand(number) => numbered(&mut key, b'i', *number),
            Self::Expiry(at, id) => {
                numbered(&mut key, b'x', at.as_unix_ms());
                key.extend_from_slice(&id.to_be_bytes());
            }
            Self::Counters => key.push(b'c'),
        }
        key.into()
    }
}

/// What is numbered and read in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Row {
    /// [`Shelf::Waiting`].
    Waiting,
    /// [`Shelf::Part`].
    Parts,
    /// [`Shelf::Stray`].
    Strays,
    /// [`Shelf::Entry`].
    Entries,
    /// [`Shelf::Errand`].
    Errands,
}

impl Row {
    const fn kind(self) -> u8 {
        match self {
            Self::Waiting => b'w',
            Self::Parts => b'p',
            Self::Strays => b's',
            Self::Entries => b'e',
            Self::Errands => b'i',
        }
    }

    fn prefix(self) -> Vec<u8> {
        [ROOT, &[self.kind()]].concat()
    }
}

/// What was handed to the store; say [`Post::settled`] when it is durable.
#[derive(Debug, Default)]
pub struct Pending(Vec<(Bytes, u64)>);

/// A value that is not known to be durable, and which change it is of.
type Newest = (u64, Option<Bytes>);

/// The post's records, those included that are on their way to the disk.
pub struct Post {
    store: Store,
    pending: HashMap<Bytes, Newest>,
    /// What was changed since the last submit, and what stood there before.
    staged: Vec<(Bytes, Option<Newest>)>,
    change: u64,
    /// Each change was made from those before it.
    chain: Chain,
    /// Records that are cut, and into how many pieces, so that none is left behind.
    cut: HashMap<Bytes, u16>,
}

impl Post {
    /// The post of a store.
    pub fn new(store: Store) -> Result<Self, StoreError> {
        Ok(Self {
            cut: cut(&store)?,
            store,
            pending: HashMap::new(),
            staged: Vec::new(),
            change: 1,
            chain: Chain::default(),
        })
    }

    /// The post as it is durable, after the store did not take something. Changes of the former one may still be
    /// [settled](Self::settled) here: they are told apart by their numbers.
    pub fn anew(&self) -> Result<Self, StoreError> {
        Ok(Self {
            change: self.change,
            ..Self::new(self.store.clone())?
        })
    }

    /// Whether something was not stored, so that nothing more will be.
    pub fn is_broken(&self) -> bool {
        self.chain.is_broken()
    }

    /// A record as it is or will be.
    pub fn read(&self, at: &Shelf<'_>) -> Result<Option<Bytes>, StoreError> {
        let key = at.key();
        match self.raw(&key)? {
            Some(head) => whole(&key, head, |piece| self.raw(piece)),
            None => Ok(None),
        }
    }

    fn raw(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        match self.pending.get(key) {
            Some((_, value)) => Ok(value.clone()),
            None => self.store.read(key),
        }
    }

    /// Sets a record; it goes with the next submit.
    pub fn put(&mut self, at: &Shelf<'_>, value: impl Into<Bytes>) {
        let (key, value) = (at.key(), value.into());
        let mut pieces = 0;
        if value.len() > MAX_VALUE {
            for start in (0..value.len()).step_by(MAX_VALUE) {
                let piece = value.slice(start..value.len().min(start + MAX_VALUE));
                self.stage(piece_key(&key, pieces), Some(piece));
                pieces += 1;
            }
        }
        self.cut_into(&key, pieces);
        let head = match pieces {
            0 => value,
            _ => [&[CUT], &pieces.to_be_bytes()[..]].concat().into(),
        };
        self.stage(key, Some(head));
    }

    /// Takes away the pieces that a record has no more.
    fn cut_into(&mut self, key: &Bytes, pieces: u16) {
        let before = match pieces {
            0 => self.cut.remove(key),
            _ => self.cut.insert(key.clone(), pieces),
        };
        for stale in pieces..before.unwrap_or_default() {
            self.stage(piece_key(key, stale), None);
        }
    }

    /// Takes a record away; it goes with the next submit.
    pub fn delete(&mut self, at: &Shelf<'_>) {
        let key = at.key();
        self.cut_into(&key, 0);
        self.stage(key, None);
    }

    fn stage(&mut self, key: Bytes, value: Option<Bytes>) {
        let before = self.pending.insert(key.clone(), (self.change, value));
        self.staged.push((key, before));
    }

    /// How many changes go with the next submit.
    pub const fn staged(&self) -> usize {
        self.staged.len()
    }

    /// Hands the changes to the store, together with those of `with`. Their order is that of these calls. If the store
    /// does not take them they are undone.
    pub fn submit(&mut self, mut with: Batch) -> Result<(Pending, Submitted), StoreError> {
        let staged = std::mem::take(&mut self.staged);
        let change = self.change;
        self.change += 1;
        // Of several values of one record only the last one counts.
        let mut keys: Vec<&Bytes> = staged.iter().map(|(key, _)| key).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            match self.pending.get(key) {
                Some((_, Some(value))) => with.put(key.clone(), value.clone()),
                Some((_, None)) | None => with.delete(key.clone()),
            }
        }
        with.follows(&self.chain);
        match self.store.submit(with) {
            Ok(submitted) => {
                let pending = staged.into_iter().map(|(key, _)| (key, change)).collect();
                Ok((Pending(pending), submitted))
            }
            Err(why) => {
                for (key, before) in staged.into_iter().rev() {
                    match before {
                        Some(before) => self.pending.insert(key, before),
                        None => self.pending.remove(&key),
                    };
                }
                Err(why)
            }
        }
    }

    /// These are durable now; the store knows them itself.
    pub fn settled(&mut self, pending: Pending) {
        for (key, change) in pending.0 {
            if self
                .pending
                .get(&key)
                .is_some_and(|(newest, _)| *newest == change)
            {
                self.pending.remove(&key);
            }
        }
    }

    /// Records of a row behind a number, in order, at most so many. Those that are not durable yet may be among them.
    pub fn page(
        store: &Store,
        row: Row,
        after: u64,
        most: usize,
    ) -> Result<Vec<(u64, Bytes)>, StoreError> {
        let prefix = row.prefix();
        let mut last = prefix.clone();
        last.extend_from_slice(&after.to_be_bytes());
        let range = Range::prefix(&prefix);
        let range = if after == 0 {
            range
        } else {
            range.after(&last)
        };
        let mut page = Vec::new();
        for record in store.scan(&range, most)? {
            let number = number_of(&record.key, prefix.len());
            let value = whole(&record.key, record.value, |piece| store.read(piece))?;
            page.extend(number.zip(value));
        }
        Ok(page)
    }

    /// The last number of a row; zero if it is empty.
    pub fn last(store: &Store, row: Row) -> Result<u64, StoreError> {
        let prefix = row.prefix();
        let records = store.scan(&Range::prefix(&prefix).backwards(), 1)?;
        Ok(records
            .first()
            .and_then(|record| number_of(&record.key, prefix.len()))
            .unwrap_or_default())
    }

    /// The first number of a row; zero if it is empty.
    pub fn first(store: &Store, row: Row) -> Result<u64, StoreError> {
        let page = Self::page(store, row, 0, 1)?;
        Ok(page.first().map_or(0, |(number, _)| *number))
    }

    /// Tracks that can go by now, at most so many.
    pub fn expired(
        store: &Store,
        now: WallTime,
        most: usize,
    ) -> Result<Vec<(WallTime, u128)>, StoreError> {
        let prefix = [ROOT, b"x"].concat();
        let records = store.scan(
            &Range::prefix(&prefix).before(&Shelf::Expiry(now, 0).key()),
            most,
        )?;
        Ok(records
            .into_iter()
            .filter_map(|record| {
                let at = number_of(&record.key, prefix.len())?;
                let id = part_of(&record.key, prefix.len() + 8..prefix.len() + 24)?;
                Some((
                    WallTime::from_unix_ms(at),
                    u128::from_be_bytes(id.try_into().ok()?),
                ))
            })
            .collect())
    }
}

/// All records that are cut.
fn cut(store: &Store) -> Result<HashMap<Bytes, u16>, StoreError> {
    let mut found = HashMap::new();
    let mut range = Range::prefix(PIECES);
    loop {
        let page = store.scan(&range, MOST_SCANNED)?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        range = range.after(&last.key);
        for record in page {
            if let Some((key, number)) = record.key[PIECES.len()..].split_last_chunk::<2>() {
                let pieces = u16::from_be_bytes(*number) + 1;
                let key = [ROOT, key].concat().into();
                let known: &mut u16 = found.entry(key).or_default();
                *known = pieces.max(*known);
            }
        }
    }
}

fn part_of(key: &Bytes, place: Numbers<usize>) -> Option<&[u8]> {
    key.get(place)
}

fn number_of(key: &Bytes, from: usize) -> Option<u64> {
    let octets = part_of(key, from..from + 8)?;
    Some(u64::from_be_bytes(octets.try_into().ok()?))
}
