//! Records under keys of two halves, of which all under one first half are read in order.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::ops::Bound;

/// A map of maps that leaves no empty ones behind.
#[derive(Clone, Debug)]
pub(super) struct Pairs<A, B, V>(HashMap<A, BTreeMap<B, V>>);

impl<A, B, V> Default for Pairs<A, B, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<A: Hash + Eq + Clone, B: Ord + Clone + 'static, V> Pairs<A, B, V> {
    /// Puts a record under its key, or takes it away.
    pub(super) fn set(&mut self, first: &A, second: &B, record: Option<V>) -> Option<V> {
        match record {
            Some(record) => self
                .0
                .entry(first.clone())
                .or_default()
                .insert(second.clone(), record),
            None => {
                let under = self.0.get_mut(first)?;
                let before = under.remove(second);
                if under.is_empty() {
                    self.0.remove(first);
                }
                before
            }
        }
    }

    /// A record.
    pub(super) fn get(&self, first: &A, second: &B) -> Option<&V> {
        self.0.get(first)?.get(second)
    }

    /// All under a first half, in order.
    pub(super) fn under(&self, first: &A) -> impl Iterator<Item = (&B, &V)> {
        self.behind(first, None)
    }

    /// Those behind a second half, in order.
    pub(super) fn behind(&self, first: &A, after: Option<&B>) -> impl Iterator<Item = (&B, &V)> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.0
            .get(first)
            .into_iter()
            .flat_map(move |under| under.range((start, Bound::Unbounded)))
    }

    /// Takes away all under a first half.
    pub(super) fn take(&mut self, first: &A) -> BTreeMap<B, V> {
        self.0.remove(first).unwrap_or_default()
    }
}
