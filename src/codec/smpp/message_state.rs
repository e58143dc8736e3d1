//! message_state (5.2.28): how far a message has come, as a number and as the word of a receipt's text.

/// How far a message has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MessageState {
    /// v5: it is scheduled and not yet begun.
    Scheduled,
    /// It is on its way.
    EnRoute,
    /// The phone has it.
    Delivered,
    /// Its validity ended first.
    Expired,
    /// It was taken out.
    Deleted,
    /// It cannot be delivered.
    Undeliverable,
    /// It was read on behalf of the subscriber.
    Accepted,
    /// The SMSC does not know.
    Unknown,
    /// It was refused.
    Rejected,
    /// v5: it was skipped.
    Skipped,
}

/// Words in the text of receipts. The first word of a state is the one that is written.
const WORDS: &[(&str, MessageState)] = &[
    ("SCHEDULED", MessageState::Scheduled),
    ("ENROUTE", MessageState::EnRoute),
    ("DELIVRD", MessageState::Delivered),
    ("EXPIRED", MessageState::Expired),
    ("DELETED", MessageState::Deleted),
    ("UNDELIV", MessageState::Undeliverable),
    ("ACCEPTD", MessageState::Accepted),
    ("UNKNOWN", MessageState::Unknown),
    ("REJECTD", MessageState::Rejected),
    ("SKIPPED", MessageState::Skipped),
    // Not in the specification, seen from SMSCs.
    ("BUFFRED", MessageState::EnRoute),
    ("BUFFERD", MessageState::EnRoute),
    ("ACKED", MessageState::EnRoute),
    ("FAILED", MessageState::Undeliverable),
    ("DELIVERED", MessageState::Delivered),
    ("UNDELIVERABLE", MessageState::Undeliverable),
    ("ACCEPTED", MessageState::Accepted),
    ("REJECTED", MessageState::Rejected),
];

impl MessageState {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Scheduled,
        Self::EnRoute,
        Self::Delivered,
        Self::Expired,
        Self::Deleted,
        Self::Undeliverable,
        Self::Accepted,
        Self::Unknown,
        Self::Rejected,
        Self::Skipped,
    ];

    /// Its number in TLV and query_sm_resp.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The state of a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The word that a receipt's text has for it.
    pub fn word(self) -> &'static str {
        WORDS
            .iter()
            .find(|(_, state)| *state == self)
            .map(|(word, _)| *word)
            .expect("every state has a word")
    }

    /// The state of a word, in capitals or not.
    pub fn from_word(word: &[u8]) -> Option<Self> {
        WORDS
            .iter()
            .find(|(known, _)| word.eq_ignore_ascii_case(known.as_bytes()))
            .map(|(_, state)| *state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_words_go_both_ways() {
        for (number, state) in (0u8..).zip(MessageState::ALL) {
            assert_eq!(state.number(), number);
            assert_eq!(MessageState::from_number(number), Some(state));
            assert_eq!(
                MessageState::from_word(state.word().as_bytes()),
                Some(state)
            );
        }
        assert_eq!(MessageState::from_number(10), None);
        assert_eq!(
            MessageState::from_word(b"delivrd"),
            Some(MessageState::Delivered)
        );
        assert_eq!(MessageState::from_word(b"LOST"), None);
    }
}
