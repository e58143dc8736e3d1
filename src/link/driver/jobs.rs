//! What a connection has others do while it goes on: storing, keeping outcomes, repairing. One batch a ring at a
//! time; what comes meanwhile makes the next one, so that a busy ring shares its syncs.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::keeper::{Alarm, Keeper};
use crate::lane::{Epoch, Sequence};
use crate::message::Outcome;
use crate::ring::page::Fence;
use crate::ring::{NotAdopted, Parcel, Ring, StoreError, Taken};

/// The pause before outcomes that could not be kept are offered again.
const KEEP_AGAIN: Duration = Duration::from_secs(1);

/// A job that has ended.
pub(super) enum Done {
    Stored {
        ring: usize,
        /// Those that the ring has, and those that it did not take.
        taken: Vec<Sequence>,
        refused: Vec<Sequence>,
        failed: Option<StoreError>,
    },
    Kept {
        ring: usize,
        sequences: Vec<Sequence>,
    },
    Repaired {
        ring: usize,
        sequence: Sequence,
        result: Result<(), StoreError>,
    },
    Adopted {
        ring: usize,
        result: Result<(), NotAdopted>,
    },
    Fenced {
        ring: usize,
        result: Result<(), StoreError>,
    },
}

#[derive(Default)]
struct Work {
    storing: bool,
    to_store: Vec<(Sequence, Parcel)>,
    keeping: bool,
    to_keep: Vec<(Sequence, Outcome)>,
}

/// The jobs of one connection. Dropped, it lets go of them: what was begun to be stored is stored all the same.
pub(super) struct Jobs<K> {
    keeper: Arc<K>,
    rings: Vec<Ring>,
    work: Vec<Work>,
    running: JoinSet<Done>,
}

impl<K: Keeper> Jobs<K> {
    pub(super) fn new(keeper: Arc<K>, rings: Vec<Ring>) -> Self {
        Self {
            keeper,
            work: rings.iter().map(|_| Work::default()).collect(),
            rings,
            running: JoinSet::new(),
        }
    }

    pub(super) fn store(&mut self, ring: usize, parcels: Vec<(Sequence, Parcel)>) {
        let work = &mut self.work[ring];
        if work.to_store.is_empty() {
            work.to_store = parcels;
        } else {
            work.to_store.extend(parcels);
        }
        self.go_on_storing(ring);
    }

    fn go_on_storing(&mut self, place: usize) {
        let work = &mut self.work[place];
        if work.storing || work.to_store.is_empty() {
            return;
        }
        work.storing = true;
        let parcels = std::mem::take(&mut work.to_store);
        let ring = self.rings[place].clone();
        self.running.spawn(async move {
            let sequences: Vec<Sequence> = parcels.iter().map(|(sequence, _)| *sequence).collect();
            let (mut taken, mut refused) = (Vec::with_capacity(sequences.len()), Vec::new());
            let failed = match ring.store(parcels).await {
                Ok(each) => {
                    for (sequence, became) in sequences.into_iter().zip(each) {
                        match became {
                            // The ring itself says what of these is durable; one that another connection is storing
                            // is confirmed when the ring shows it.
                            Ok(Taken::New | Taken::Pending | Taken::Held | Taken::Done) => {
                                taken.push(sequence);
                            }
                            Err(_misstep) => refused.push(sequence),
                        }
                    }
                    None
                }
                Err(why) => {
                    refused = sequences;
                    Some(why)
                }
            };
            Done::Stored {
                ring: place,
                taken,
                refused,
                failed,
            }
        });
    }

    pub(super) fn keep(&mut self, ring: usize, told: Vec<(Sequence, Outcome)>) {
        let work = &mut self.work[ring];
        if work.to_keep.is_empty() {
            work.to_keep = told;
        } else {
            work.to_keep.extend(told);
        }
        self.go_on_keeping(ring);
    }

    fn go_on_keeping(&mut self, place: usize) {
        let work = &mut self.work[place];
        if work.keeping || work.to_keep.is_empty() {
            return;
        }
        work.keeping = true;
        let told = std::mem::take(&mut work.to_keep);
        let (ring, keeper) = (self.rings[place].clone(), Arc::clone(&self.keeper));
        self.running.spawn(async move {
            while let Err(why) = keeper.keep(&ring, &told).await {
                let why = format!("how {} messages ended could not be kept: {why}", told.len());
                tracing::error!(ring = %ring.name(), "{why}; the link tries again");
                keeper.alarm(Alarm::NotKept {
                    ring: ring.name().clone(),
                    why,
                });
                tokio::time::sleep(KEEP_AGAIN).await;
            }
            Done::Kept {
                ring: place,
                sequences: told.into_iter().map(|(sequence, _)| sequence).collect(),
            }
        });
    }

    pub(super) fn repair(&mut self, place: usize, sequence: Sequence, parcel: Parcel) {
        let ring = self.rings[place].clone();
        self.running.spawn(async move {
            let result = ring.repair(sequence, parcel).await;
            Done::Repaired {
                ring: place,
                sequence,
                result,
            }
        });
    }

    pub(super) fn adopt(&mut self, place: usize, epoch: Epoch) {
        let ring = self.rings[place].clone();
        self.running.spawn(async move {
            let result = ring.adopt(epoch).await;
            Done::Adopted {
                ring: place,
                result,
            }
        });
    }

    pub(super) fn fence(&mut self, place: usize, fence: Fence) {
        let ring = self.rings[place].clone();
        self.running.spawn(async move {
            let result = ring.shut(fence).await;
            Done::Fenced {
                ring: place,
                result,
            }
        });
    }

    fn went_on(&mut self, done: &Done) {
        match done {
            Done::Stored { ring, failed, .. } => {
                self.work[*ring].storing = false;
                if failed.is_none() {
                    self.go_on_storing(*ring);
                }
            }
            Done::Kept { ring, .. } => {
                self.work[*ring].keeping = false;
                self.go_on_keeping(*ring);
            }
            Done::Repaired { .. } | Done::Adopted { .. } | Done::Fenced { .. } => {}
        }
    }

    /// What waited behind a batch that failed: it was not stored either.
    pub(super) fn forget(&mut self, ring: usize) -> Vec<Sequence> {
        let waiting = std::mem::take(&mut self.work[ring].to_store);
        waiting.into_iter().map(|(sequence, _)| sequence).collect()
    }

    fn ended(&mut self, joined: Result<Done, tokio::task::JoinError>) -> Option<Done> {
        match joined {
            Ok(done) => {
                self.went_on(&done);
                Some(done)
            }
            // An assertion failed in there; this process must not go on with people's messages.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_stopped_with_the_runtime) => None,
        }
    }

    /// The next job that ends; waits for ever while none runs.
    pub(super) async fn next(&mut self) -> Option<Done> {
        match self.running.join_next().await {
            Some(joined) => self.ended(joined),
            None => std::future::pending().await,
        }
    }

    /// A job that has ended already.
    pub(super) fn try_next(&mut self) -> Option<Done> {
        loop {
            let joined = self.running.try_join_next()?;
            if let Some(done) = self.ended(joined) {
                return Some(done);
            }
        }
    }
}
