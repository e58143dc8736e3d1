//! What the links ask of central: to keep how messages to phones ended, before their slots become free.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::dispatch::Freed;
use super::ledger::{Ended, Ledger};
use super::mark::Mark;
use crate::clock::{Clock, WallTime};
use crate::lane::{RingName, Sequence};
use crate::link::driver::{Alarm, Keeper};
use crate::message::{Item, Outcome};
use crate::ring::Ring;

/// How many alarms of the links are remembered for status; all are in the log.
const REMEMBERED: usize = 64;

/// Central as its links' keeper.
pub(super) struct CentralKeeper {
    ledger: Arc<Ledger>,
    freed: Mutex<Option<mpsc::UnboundedSender<Freed>>>,
    clock: Clock,
    alarms: Mutex<VecDeque<(WallTime, Alarm)>>,
    /// Messages whose pairs were set free, and whose slots are not: the same outcome may come over two connections.
    /// At most one for each slot.
    settled: Mutex<HashMap<RingName, BTreeSet<Sequence>>>,
}

impl CentralKeeper {
    pub(super) fn new(ledger: Arc<Ledger>) -> Self {
        Self {
            ledger,
            freed: Mutex::default(),
            clock: Clock::system(),
            alarms: Mutex::default(),
            settled: Mutex::default(),
        }
    }

    /// Whether this is the first time that one hears how it ended.
    fn settle(&self, ring: &Ring, sequence: Sequence) -> bool {
        let processed = ring.look(|array| array.marks().processed.up_to());
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = settled.entry(ring.name().clone()).or_default();
        *theirs = theirs.split_off(&processed.next());
        sequence > processed && theirs.insert(sequence)
    }

    /// From now on this one hears of pairs that are free.
    pub(super) fn tell(&self, freed: mpsc::UnboundedSender<Freed>) {
        *self.freed.lock().unwrap_or_else(PoisonError::into_inner) = Some(freed);
    }

    /// The last ones, the oldest first.
    pub(super) fn alarms(&self) -> Vec<(WallTime, Alarm)> {
        let alarms = self.alarms.lock().unwrap_or_else(PoisonError::into_inner);
        alarms.iter().cloned().collect()
    }
}

impl Keeper for CentralKeeper {
    async fn keep(&self, ring: &Ring, told: &[(Sequence, Outcome)]) -> Result<(), String> {
        let parcels = ring.look(|array| {
            told.iter()
                .map(|(sequence, _)| array.get(*sequence).cloned())
                .collect::<Vec<_>>()
        });
        let mut ended = Vec::with_capacity(told.len());
        let mut pairs = Vec::with_capacity(told.len());
        for ((sequence, outcome), parcel) in told.iter().zip(parcels) {
            // A message that is not here was processed before, or its slot is damaged; the ledger knows it by its place.
            let mark = parcel.as_ref().and_then(|parcel| Mark::read(parcel.key));
            if let Some(parcel) = parcel
                && let Ok(Item::Message(message)) = parcel.unpack()
            {
                pairs.push((*sequence, (message.sender, message.recipient)));
            }
            ended.push(Ended {
                sequence: *sequence,
                mark,
                outcome: outcome.clone(),
                times: ring.times(*sequence).unwrap_or_default(),
            });
        }
        self.ledger
            .ended(ring, ended)
            .await
            .map_err(|why| why.to_string())?;
        let freed = self.freed.lock().unwrap_or_else(PoisonError::into_inner);
        for (sequence, pair) in pairs {
            if self.settle(ring, sequence)
                && let Some(freed) = freed.as_ref()
            {
                // Nobody hears it only when all of this is being let go of.
                let _stopping = freed.send((ring.clone(), pair));
            }
        }
        Ok(())
    }

    fn alarm(&self, what: Alarm) {
        let mut alarms = self.alarms.lock().unwrap_or_else(PoisonError::into_inner);
        if alarms.len() == REMEMBERED {
            alarms.pop_front();
        }
        alarms.push_back((self.clock.wall(), what));
    }
}
