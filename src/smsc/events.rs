//! What the driver is to be told, in order; notes are bounded, the rest is bounded by what causes it.

use std::collections::VecDeque;

use crate::smsc::session::{Event, Note};

/// How many notes wait at most. A peer that sends nonsense could make one for each 16 octets; beyond this they are
/// counted.
const MOST_NOTES: usize = 32;

/// Events that wait for the driver.
#[derive(Debug, Default)]
pub(super) struct Events {
    waiting: VecDeque<Event>,
    notes: usize,
    dropped: u64,
}

impl Events {
    /// Anything but a note.
    pub(super) fn push(&mut self, event: Event) {
        self.waiting.push_back(event);
    }

    /// A line for the log.
    pub(super) fn note(&mut self, note: Note) {
        if self.notes >= MOST_NOTES {
            self.dropped += 1;
            return;
        }
        self.notes += 1;
        self.waiting.push_back(Event::Noted(note));
    }

    /// A line without a place in a frame.
    pub(super) fn remark(&mut self, what: impl Into<String>) {
        self.note(Note {
            what: what.into(),
            offset: None,
            field: None,
        });
    }

    /// The next. After the last of many notes comes one that tells how many there was no room for.
    pub(super) fn take(&mut self) -> Option<Event> {
        let event = self.waiting.pop_front();
        if matches!(event, Some(Event::Noted(_))) {
            self.notes -= 1;
            if self.notes == 0 && self.dropped > 0 {
                let dropped = std::mem::take(&mut self.dropped);
                self.remark(format!("{dropped} more remarks were dropped"));
            }
        }
        event
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_notes_is_counted_not_kept() {
        let mut events = Events::default();
        for _ in 0..1000 {
            events.remark("odd");
        }
        assert_eq!(events.len(), MOST_NOTES);
        let mut last = None;
        while let Some(event) = events.take() {
            last = Some(event);
        }
        let Some(Event::Noted(note)) = last else {
            panic!("the last is a note");
        };
        assert_eq!(note.what, "968 more remarks were dropped");
    }
}
