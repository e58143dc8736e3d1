//! Answers that are remembered, so that a request that is sent again acts once (P15).

use std::collections::{HashMap, VecDeque};

use crate::im::limits::REMEMBERED;
use crate::im::names::{Position, TransactionId};
use crate::im::primitive::ToClient;
use crate::im::record::Remembered;

/// The last answers of a session.
#[derive(Debug, Default)]
pub(super) struct Answers {
    next: u64,
    by_transaction: HashMap<TransactionId, Remembered>,
    in_order: VecDeque<(u64, TransactionId)>,
}

impl Answers {
    /// From what is kept, in any order.
    pub(super) fn from_kept(mut kept: Vec<Remembered>) -> Self {
        kept.sort_unstable_by_key(|remembered| remembered.number);
        let mut answers = Self::default();
        for remembered in kept {
            answers.next = remembered.number;
            answers.put(remembered);
        }
        answers
    }

    /// The answer to a request that was answered before.
    pub(super) fn find(&self, transaction: &TransactionId) -> Option<&Remembered> {
        self.by_transaction.get(transaction)
    }

    /// Remembers an answer; gives what is to be kept of it.
    pub(super) fn remember(
        &mut self,
        transaction: &TransactionId,
        fingerprint: u64,
        position: Option<Position>,
        word: &ToClient,
    ) -> Remembered {
        let remembered = Remembered {
            number: self.next,
            transaction: transaction.clone(),
            fingerprint,
            position,
            primitive: word.name().into(),
            elements: word.elements_json(),
        };
        self.put(remembered.clone());
        remembered
    }

    fn put(&mut self, remembered: Remembered) {
        self.next += 1;
        let number = remembered.number;
        self.in_order
            .push_back((number, remembered.transaction.clone()));
        self.by_transaction
            .insert(remembered.transaction.clone(), remembered);
        while self.in_order.len() > usize::from(REMEMBERED) {
            if let Some((number, oldest)) = self.in_order.pop_front()
                && self
                    .by_transaction
                    .get(&oldest)
                    .is_some_and(|kept| kept.number == number)
            {
                self.by_transaction.remove(&oldest);
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
        let again = Answers::from_kept(kept.into_values().collect());
        for answers in [&answers, &again] {
            assert!(answers.find(&id(171)).is_none());
            assert!(answers.find(&id(172)).is_some() && answers.find(&id(299)).is_some());
            assert_eq!(answers.next, 300);
        }
    }
}
