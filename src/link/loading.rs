//! The packet that is being built, as far as rings concern it.

use std::collections::BTreeMap;

use super::frame::Frame;
use super::sent::Cargo;
use crate::clock::Moment;
use crate::lane::Sequence;

/// The packet that is being built, as far as messages concern it.
pub(super) struct Loading<'a> {
    pub(super) now: Moment,
    pub(super) number: u64,
    pub(super) out: &'a mut Vec<u8>,
    pub(super) limit: usize,
    pub(super) cargo: &'a mut Vec<Cargo>,
    /// Messages that went for the first or second time, to be carried once more later.
    pub(super) repeatable: &'a mut Vec<(usize, Sequence)>,
    /// Octets of items so far.
    pub(super) items: u64,
}

impl Loading<'_> {
    pub(super) fn room(&self) -> usize {
        self.limit.saturating_sub(self.out.len())
    }
}

/// Which ring, where it stands among the ports, and its number on this connection.
pub(super) struct At<'a, R> {
    pub(super) ring: &'a R,
    pub(super) place: usize,
    pub(super) index: u64,
}

/// Asks for the copies that are due. Tells whether all found room.
pub(super) fn ask(
    asking: &mut BTreeMap<Sequence, bool>,
    index: u64,
    loading: &mut Loading<'_>,
) -> bool {
    for (&sequence, due) in asking.iter_mut().filter(|(_, due)| **due) {
        if loading.room() < 16 {
            return false;
        }
        Frame::Ask { index, sequence }.encode(loading.out);
        *due = false;
    }
    true
}
