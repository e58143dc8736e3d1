//! A ring's handle, as the link sees it.

use super::view::RingView;
use crate::lane::{RingName, Sequence};
use crate::message::Outcome;
use crate::ring::page::Fence;
use crate::ring::{Array, Misstep, Ring};

impl RingView for Ring {
    fn name(&self) -> &RingName {
        Self::name(self)
    }
    fn look<T>(&self, see: impl FnOnce(&Array) -> T) -> T {
        Self::look(self, see)
    }
    fn fence(&self) -> Option<Fence> {
        Self::fence(self)
    }
    fn mark_sent(&self, sequence: Sequence) -> Result<bool, Misstep> {
        Self::mark_sent(self, sequence)
    }
    fn mark_all_sent(&self, sequences: &[Sequence]) -> Result<(), Misstep> {
        Self::mark_all_sent(self, sequences)
    }
    fn confirm(&self, sequence: Sequence) -> Result<bool, Misstep> {
        Self::confirm(self, sequence)
    }
    fn confirm_up_to(&self, sequence: Sequence) -> Result<(), Misstep> {
        Self::confirm_up_to(self, sequence)
    }
    fn process(&self, sequence: Sequence) -> Result<bool, Misstep> {
        Self::process(self, sequence)
    }
    fn process_all(&self, ended: Vec<(Sequence, Option<Outcome>)>) -> Result<(), Misstep> {
        Self::process_all(self, ended)
    }
    fn process_with(&self, sequence: Sequence, outcome: Outcome) -> Result<bool, Misstep> {
        Self::process_with(self, sequence, outcome)
    }
    fn outcome(&self, sequence: Sequence) -> Option<Outcome> {
        Self::outcome(self, sequence)
    }
}
