//! What lies between the store and what keeps its octets: a small trait, so that another engine can take sled's place,
//! and a test can make a sync slow or fail.

use std::ops::Bound;

use bytes::Bytes;

use super::batch::{Change, Purpose};
use super::error::StoreError;
use super::health::Health;

/// Most records that one scan gives: whoever needs more asks for the next page.
pub const MOST_SCANNED: usize = 4096;

/// Most octets that one scan gives, beyond the record that passes it.
pub const MOST_SCANNED_OCTETS: usize = 8 << 20;

/// A key and its value.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// The key.
    pub key: Bytes,
    /// The value.
    pub value: Bytes,
}

/// A stretch of keys, and from which end it is read.
#[derive(Clone, Debug)]
pub struct Range {
    /// Where it begins.
    pub from: Bound<Bytes>,
    /// Where it ends.
    pub to: Bound<Bytes>,
    /// From the last key to the first.
    pub backwards: bool,
}

/// The first key that does not begin so; nothing if there is none.
fn end_of(prefix: &[u8]) -> Bound<Bytes> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Bound::Excluded(end.into());
        }
    }
    Bound::Unbounded
}

impl Range {
    /// All keys.
    pub const fn all() -> Self {
        Self {
            from: Bound::Unbounded,
            to: Bound::Unbounded,
            backwards: false,
        }
    }

    /// All keys that begin so.
    pub fn prefix(prefix: &[u8]) -> Self {
        Self {
            from: Bound::Included(Bytes::copy_from_slice(prefix)),
            to: end_of(prefix),
            backwards: false,
        }
    }

    /// Only what comes after this key.
    #[must_use]
    pub fn after(mut self, key: &[u8]) -> Self {
        self.from = Bound::Excluded(Bytes::copy_from_slice(key));
        self
    }

    /// Only this key and what comes after it.
    #[must_use]
    pub fn starting(mut self, key: &[u8]) -> Self {
        self.from = Bound::Included(Bytes::copy_from_slice(key));
        self
    }

    /// Only what comes before this key.
    #[must_use]
    pub fn before(mut self, key: &[u8]) -> Self {
        self.to = Bound::Excluded(Bytes::copy_from_slice(key));
        self
    }

    /// From the last key to the first.
    #[must_use]
    pub const fn backwards(mut self) -> Self {
        self.backwards = true;
        self
    }

    /// Whether it can hold nothing: sled and the standard library each have their own idea of such ranges.
    pub(super) fn is_empty(&self) -> bool {
        match (&self.from, &self.to) {
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (
                Bound::Included(from) | Bound::Excluded(from),
                Bound::Excluded(to) | Bound::Included(to),
            ) => from >= to,
            _ => false,
        }
    }
}

/// Keeps records. All calls may block; nobody calls them on the event loop.
pub trait Engine: Send + Sync + 'static {
    /// The value of a key.
    fn read(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// At most `most` records of a range, fewer if they are large; an empty answer means the end.
    fn scan(&self, range: &Range, most: usize) -> Result<Vec<Record>, StoreError>;

    /// Whether there is room for changes of this purpose.
    fn room(&self, purpose: Purpose) -> Result<(), StoreError>;

    /// Applies changes, all or nothing, and returns when they are durable. After an error nothing is known of them.
    fn commit(&self, changes: &[Change]) -> Result<(), StoreError>;

    /// Applies changes, all or nothing; they become durable by themselves within a fraction of a second.
    fn put_lazily(&self, changes: &[Change]) -> Result<(), StoreError>;

    /// Called about once a second: exports, watches.
    fn keep_house(&self);

    /// How it stands.
    fn health(&self) -> Health;

    /// Makes everything durable and exports it; nothing is written afterwards.
    fn close(&self) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_first_key_that_does_not_begin_so() {
        let end = |prefix: &[u8]| match end_of(prefix) {
            Bound::Excluded(end) => Some(end.to_vec()),
            _ => None,
        };
        assert_eq!(end(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(end(b"a\xFF"), Some(b"b".to_vec()));
        assert_eq!(end(b"\xFF\xFF"), None);
        assert_eq!(end(b""), None);
    }
}
