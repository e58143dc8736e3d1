//! Takes what phones wrote, and what carriers report, out of a lane's mirror: one task for each.
//!
//! In order, many at a time with one commit; marked processed only when the ledger has it durably. What is in doubt
//! after a crash is in the ring still, and the ledger knows how far it had come.

use std::sync::Arc;

use super::ledger::{Ledger, LedgerError};
use crate::lane::{Direction, Sequence};
use crate::link::is_lost_placeholder;
use crate::ring::{Array, Parcel, Ring};

/// How many messages are taken at once: a quarter of a ring, so that slots become free while the next ones are taken.
const BATCH: usize = 64;

/// The MO mirrors among rings.
pub(super) fn mirrors(rings: &[Ring]) -> Vec<Ring> {
    rings
        .iter()
        .filter(|ring| ring.name().direction == Direction::Mo)
        .cloned()
        .collect()
}

/// Runs until it is dropped, or the ledger takes nothing more.
pub(super) async fn run(ring: Ring, ledger: Arc<Ledger>) -> LedgerError {
    let mut changes = ring.changes();
    loop {
        changes.borrow_and_update();
        let ready = ring.look(ready);
        if ready.is_empty() {
            if changes.changed().await.is_err() {
                // The file was let go of; so is this task, in a moment.
                std::future::pending::<()>().await;
            }
            continue;
        }
        let outcomes = match ledger.arrived(&ring, &ready).await {
            Ok(outcomes) => outcomes,
            Err(why @ LedgerError::Inbox) => {
                tracing::warn!(ring = %ring.name(), %why, "what came from phones waits in the ring");
                ledger.passed().await;
                continue;
            }
            Err(why) => return why,
        };
        let sequences = ready.iter().map(|(sequence, _)| *sequence);
        if let Err((sequence, misstep)) = ring.process_all_with(sequences.zip(outcomes)) {
            tracing::error!(ring = %ring.name(), %sequence, %misstep, "a message was handed on that the ring does not hold");
        }
    }
}

/// The messages that can be handed on now, in order: up to the first that is missing, damaged or lost.
fn ready(array: &Array) -> Vec<(Sequence, Parcel)> {
    let mut next = array.marks().processed.up_to().next();
    let mut ready = Vec::new();
    while ready.len() < BATCH && array.marks().retrieved.has(next) && next <= array.accepted() {
        if !array.marks().processed.has(next) {
            match array.get(next) {
                Some(parcel) if !is_lost_placeholder(parcel) => {
                    ready.push((next, parcel.clone()));
                }
                // It is asked back, or the link will mark it; what is behind it waits, in order.
                _ => break,
            }
        }
        next = next.next();
    }
    ready
}
