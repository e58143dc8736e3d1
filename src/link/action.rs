//! What a peer asks its driver to do, or tells it.

use std::collections::VecDeque;

use super::reason::{Reason, Shut};
use crate::lane::{Epoch, Sequence};
use crate::message::Outcome;
use crate::ring::Parcel;
use crate::ring::page::Fence;

/// What is to be done, or has become known. Rings are named by their place in the list given to [`Peer::new`](super::Peer::new).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Both ends know one another.
    Opened {
        /// The far end's name.
        identity: String,
        /// Its program and version.
        program: String,
        /// Random at each start of it.
        instance: u64,
    },
    /// This ring takes part from now on.
    RingOpen {
        /// Which.
        ring: usize,
    },
    /// This ring does not take part.
    RingShut {
        /// Which.
        ring: usize,
        /// And why.
        shut: Shut,
    },
    /// Fence this ring on disk ([`Ring::shut`](crate::ring::Ring::shut)).
    Fence {
        /// Which.
        ring: usize,
        /// And why.
        fence: Fence,
    },
    /// Give this mirror, which was never used, its origin's epoch; then say [`Peer::adopted`](super::Peer::adopted).
    Adopt {
        /// Which.
        ring: usize,
        /// The origin's epoch.
        epoch: Epoch,
    },
    /// Store these in a mirror ([`Ring::store`](crate::ring::Ring::store)); then say [`Peer::stored`](super::Peer::stored) or
    /// [`Peer::not_stored`](super::Peer::not_stored).
    Store {
        /// Which.
        ring: usize,
        /// The messages at their numbers.
        parcels: Vec<(Sequence, Parcel)>,
    },
    /// Put this copy into an origin's damaged slot ([`Ring::repair`](crate::ring::Ring::repair)); then say
    /// [`Peer::ring_changed`](super::Peer::ring_changed).
    Repair {
        /// Which.
        ring: usize,
        /// The damaged message.
        sequence: Sequence,
        /// The mirror's copy.
        parcel: Parcel,
    },
    /// Keep how these messages ended; then say [`Peer::outcomes_taken`](super::Peer::outcomes_taken). Only then their slots become free.
    Outcomes {
        /// Which.
        ring: usize,
        /// How each ended.
        told: Vec<(Sequence, Outcome)>,
    },
    /// No copy of this message is left at either end: an alarm. Its slot becomes free by itself.
    Lost {
        /// Which.
        ring: usize,
        /// The message.
        sequence: Sequence,
    },
    /// A message came that its checksum does not fit: an alarm. It was not stored.
    BadChecksum {
        /// Which.
        ring: usize,
        /// The message.
        sequence: Sequence,
    },
    /// The connection is over. Goodbyes may still be transmitted until [`Peer::is_gone`](super::Peer::is_gone).
    Closed {
        /// Why.
        reason: Reason,
        /// Whether the far end said so.
        by_far_end: bool,
    },
}

/// Actions in order, those of one ring and kind together.
#[derive(Debug, Default)]
pub(super) struct Actions(VecDeque<Action>);

/// How far back a batch is looked for that one more message joins.
const JOIN_WITHIN: usize = 8;

impl Actions {
    /// The next one to be done.
    pub(super) fn pop(&mut self) -> Option<Action> {
        self.0.pop_front()
    }

    pub(super) fn push(&mut self, action: Action) {
        self.0.push_back(action);
    }

    pub(super) fn store(&mut self, place: usize, sequence: Sequence, parcel: Parcel) {
        for action in self.0.iter_mut().rev().take(JOIN_WITHIN) {
            if let Action::Store { ring, parcels } = action
                && *ring == place
            {
                parcels.push((sequence, parcel));
                return;
            }
        }
        self.push(Action::Store {
            ring: place,
            parcels: vec![(sequence, parcel)],
        });
    }

    pub(super) fn outcome(&mut self, place: usize, sequence: Sequence, outcome: Outcome) {
        for action in self.0.iter_mut().rev().take(JOIN_WITHIN) {
            if let Action::Outcomes { ring, told } = action
                && *ring == place
            {
                told.push((sequence, outcome));
                return;
            }
        }
        self.push(Action::Outcomes {
            ring: place,
            told: vec![(sequence, outcome)],
        });
    }
}
