//! What was used lately: two generations, of which the older one goes when the younger one is full.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// A map that forgets.
pub(super) struct Recent<K, V> {
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    size: usize,
    most: usize,
}

impl<K: Hash + Eq, V> Recent<K, V> {
    /// One that keeps about so much, and twice that at most.
    pub(super) fn new(most: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            size: 0,
            most,
        }
    }

    /// Puts a value of this size.
    pub(super) fn insert(&mut self, key: K, value: V, size: usize) {
        self.old.remove(&key);
        if self.size + size > self.most && !self.young.is_empty() {
            self.old = std::mem::take(&mut self.young);
            self.size = 0;
        }
        self.size += size;
        if let Some((_, before)) = self.young.insert(key, (value, size)) {
            self.size = self.size.saturating_sub(before);
        }
    }

    /// Adds to the size of a value.
    pub(super) fn grow<Q: Hash + Eq + ?Sized>(&mut self, key: &Q, by: usize)
    where
        K: Borrow<Q>,
    {
        if let Some((_, size)) = self.young.get_mut(key) {
            *size += by;
            self.size += by;
        }
    }

    /// Forgets a value.
    pub(super) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.old.remove(key);
        if let Some((_, size)) = self.young.remove(key) {
            self.size = self.size.saturating_sub(size);
        }
    }

    /// Whether it is known, and is not forgotten before the next insertion.
    pub(super) fn contains<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get_mut(key).is_some()
    }

    /// A value; it is young again.
    pub(super) fn get<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.get_mut(key).map(|value| &*value)
    }

    /// A value; it is young again.
    pub(super) fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        // Looked up twice only where it is old: the compiler does not see that the first find is given back.
        if !self.old.is_empty()
            && !self.young.contains_key(key)
            && let Some((key, (value, size))) = self.old.remove_entry(key)
        {
            self.size += size;
            self.young.insert(key, (value, size));
        }
        self.young.get_mut(key).map(|(value, _)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let mut recent = Recent::new(100);
        for n in 0..100 {
            recent.insert(n, n, 10);
            assert_eq!(recent.get(&0), Some(&0));
            assert!(recent.young.len() + recent.old.len() <= 22);
        }
        assert_eq!(recent.get(&50), None);
        assert_eq!(recent.get(&99), Some(&99));
        recent.remove(&99);
        assert_eq!(recent.get(&99), None);
    }
}
