//! Answers that are remembered, so that a request that is sent again acts once (P15).

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;

use crate::im::limits::REMEMBERED;
use crate::im::names::{Position, TransactionId};
use crate::im::primitive::ToClient;
use crate::im::record::Remembered;

/// The last answers of a session.
#[derive(Debug, Default)]
pub(super) struct Answers {
    next: u64,
    in_order: VecDeque<Arc<Remembered>>,
    /// The number of the newest one of each transaction, by its digest.
    by_transaction: HashMap<u64, u64>,
    digest: RandomState,
}

impl Answers {
    /// From what is kept, in any order.
    pub(super) fn from_kept(mut kept: Vec<Remembered>) -> Self {
        kept.sort_unstable_by_key(|remembered| remembered.number);
        let mut answers = Self::default();
        for remembered in kept {
            answers.next = remembered.number;
            answers.put(Arc::new(remembered));
        }
        answers
    }

    /// The answer to a request that was answered before.
    pub(super) fn find(&self, transaction: &TransactionId) -> Option<&Remembered> {
        let number = self
            .by_transaction
            .get(&self.digest.hash_one(transaction))?;
        let at = self
            .in_order
            .binary_search_by_key(number, |known| known.number);
        let found = &**self.in_order.get(at.ok()?)?;
        (found.transaction == *transaction).then_some(found)
    }

    /// Remembers an answer; gives what is to be kept of it.
    pub(super) fn remember(
        &mut self,
        transaction: &TransactionId,
        fingerprint: u64,
        position: Option<Position>,
        word: &ToClient,
    ) -> Arc<Remembered> {
        let remembered = Arc::new(Remembered {
            number: self.next,
            transaction: transaction.clone(),
            fingerprint,
            position,
            primitive: word.name().into(),
            elements: word.elements_json(),
        });
        self.put(Arc::clone(&remembered));
        remembered
    }

    fn put(&mut self, remembered: Arc<Remembered>) {
        self.next += 1;
        let digest = self.digest.hash_one(&remembered.transaction);
        self.by_transaction.insert(digest, remembered.number);
        self.in_order.push_back(remembered);
        while self.in_order.len() > usize::from(REMEMBERED) {
            let Some(oldest) = self.in_order.pop_front() else {
                return;
            };
            let digest = self.digest.hash_one(&oldest.transaction);
            if self.by_transaction.get(&digest) == Some(&oldest.number) {
                self.by_transaction.remove(&digest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::im::primitive::Status;

    #[test]
    fn the_last_are_remembered_and_come_back_from_what_is_kept() {
        let word = ToClient::Status(Status::done());
        let id = |number: u32| TransactionId::new(&number.to_string()).unwrap();
        let mut answers = Answers::default();
        let mut kept = HashMap::new();
        for number in 0..300 {
            let remembered = answers.remember(&id(number), 1, None, &word);
            kept.insert(remembered.number % u64::from(REMEMBERED), remembered);
        }
        let kept = kept.into_values().map(Arc::unwrap_or_clone);
        let again = Answers::from_kept(kept.collect());
        for answers in [&answers, &again] {
            assert!(answers.find(&id(171)).is_none());
            assert!(answers.find(&id(172)).is_some() && answers.find(&id(299)).is_some());
            assert_eq!(answers.next, 300);
        }
    }
}
