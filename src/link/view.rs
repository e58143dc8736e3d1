//! What the machine needs of a ring. The driver gives it handles of rings; tests may give bare arrays.
//!
//! Everything here returns at once. What has to be durable (storing, repairing, keeping outcomes) is asked for with an
//! [`Action`](super::Action) and answered later.

use crate::lane::{RingName, Sequence};
use crate::message::Outcome;
use crate::ring::page::Fence;
use crate::ring::{Array, Misstep, Parcel};

/// One ring, seen from the link.
pub trait RingView {
    /// Which ring.
    fn name(&self) -> &RingName;
    /// Looks at it as it is now.
    fn look<T>(&self, see: impl FnOnce(&Array) -> T) -> T;
    /// Why it is kept shut, if it is.
    fn fence(&self) -> Option<Fence>;
    /// *Sent*: it was put on the link.
    fn mark_sent(&self, sequence: Sequence) -> Result<bool, Misstep>;
    /// *Sent*, for all of these.
    fn mark_all_sent(&self, sequences: &[Sequence]) -> Result<(), Misstep>;
    /// *Confirmed*: the far end has it durably.
    fn confirm(&self, sequence: Sequence) -> Result<bool, Misstep>;
    /// *Confirmed*, for all up to here.
    fn confirm_up_to(&self, sequence: Sequence) -> Result<(), Misstep>;
    /// *Processed*: it was passed on at the far end.
    fn process(&self, sequence: Sequence) -> Result<bool, Misstep>;
    /// *Processed*, for all of these, with the outcomes that the mirror told and the owner has kept.
    fn process_all(&self, ended: Vec<(Sequence, Option<Outcome>)>) -> Result<(), Misstep>;
    /// *Processed* with an outcome, at the mirror.
    fn process_with(&self, sequence: Sequence, outcome: Outcome) -> Result<bool, Misstep>;
    /// How a processed message ended, at the mirror.
    fn outcome(&self, sequence: Sequence) -> Option<Outcome>;
}

/// Whether this stands in a mirror for a message of which no copy is left. It is marked processed, with outcome
/// *lost*, as soon as the link has opened its ring; until then, who hands messages on must pass it by.
pub fn is_lost_placeholder(parcel: &Parcel) -> bool {
    parcel.octets().is_empty()
}
