//! Group commit: one sync makes durable what all rings of a file wait for.
//!
//! Who finds nobody committing becomes the *leader* and commits for all that wait; who comes meanwhile waits. After
//! its batch a leader hands on at once, to the first that waits: one that went on leading would starve its own lane.
//! Before it takes the queue, a leader waits a moment for the rings that were in the last two batches; without that,
//! lanes fall into two convoys of half the size.
//!
//! There is no writer thread: waking one and being woken by it costs a third of the rate at one lane.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::handle::Shared;
use super::page::{PAGE, slot_offset, state_offset};
use super::storage::Storage;
use crate::clock::Clock;
use crate::lane::Sequence;

/// The longest wait for rings of the last batches. Beyond it the gain of a larger batch is smaller than the delay.
const LONGEST_GATHER: Duration = Duration::from_micros(300);

/// Pages that are kept for the next slots: what sixteen lanes that are filled at once write, and the allocator is spared.
const SPARE_PAGES: usize = 1024;

/// A sync that takes longer than this is worth an alarm: a lane's answer to the SMSC waits for it.
const SLOW_SYNC: Duration = Duration::from_secs(1);

/// Something to be made durable for one ring.
pub(super) struct Write {
    pub(super) ring: Arc<Shared>,
    pub(super) what: What,
}

pub(super) enum What {
    /// A message's slot, encoded; with the *processed* pointer that it carries.
    Slot {
        sequence: Sequence,
        page: Vec<u8>,
        processed: Sequence,
    },
    /// The ring's state as it is when the batch is written.
    State,
}

/// The file takes nothing more until it is opened anew; the reason is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed(pub(super) Arc<str>);

impl Failed {
    fn gone() -> Self {
        Self("nobody commits to the ring file any more".into())
    }
}

struct Request {
    writes: Vec<Write>,
    /// Gone once its owner has gone away, or leads from the start.
    owner: Option<oneshot::Sender<Word>>,
}

/// What a waiting request is told.
pub(super) enum Word {
    Done(Result<(), Failed>),
    /// Lead; should somebody else have done so meanwhile, wait there for the result. Unheard, the receiver is dropped
    /// first: so that the leadership, when it passes on, does not come back to the same request.
    Lead(oneshot::Receiver<Word>, Leadership),
}

#[derive(Default)]
struct Queue {
    requests: VecDeque<Request>,
    busy: bool,
    /// Leadership was offered to one that waits, and it has not been seen to take it yet.
    offered: bool,
    /// Grows whenever leadership passes on; a leadership of an earlier term is worth nothing.
    term: u64,
    /// While a leader gathers: the rings it still waits for.
    missing: Vec<u16>,
    /// Indices of the rings in the last two batches, newest first.
    recent: [Vec<u16>; 2],
    /// Moving average of what a batch's writes and sync take.
    average: Duration,
    failed: Option<Failed>,
}

/// Commits for all rings of a file.
pub(super) struct Committer {
    storage: Arc<dyn Storage>,
    clock: Clock,
    queue: Mutex<Queue>,
    arrived: Condvar,
    syncs: AtomicU64,
    /// Held during a sync of the file. Linux tells of a failed write-back once: were two to sync at a time, one could
    /// hear of it, and the other, whose pages it was, be told that all is well.
    syncing: Mutex<()>,
    /// Held while entries of the directory are written beside the batches.
    pub(super) directory: Mutex<()>,
    failing: watch::Sender<bool>,
    /// Pages that were written.
    spare: Mutex<Vec<Vec<u8>>>,
}

/// The right to commit the next batch. Given up unused (its owner went away), it goes to the next that waits.
pub(super) struct Leadership {
    committer: Arc<Committer>,
    term: u64,
    used: bool,
}

impl Leadership {
    /// Nothing if it was taken over, since its owner was not seen for too long.
    fn lead(mut self) -> Option<Result<(), Failed>> {
        self.used = true;
        let committer = self.committer.clone();
        {
            let mut queue = committer.queue();
            if queue.term != self.term {
                return None;
            }
            queue.offered = false;
        }
        Some(match committer.storage.is_instant() {
            true => committer.lead(),
            false => blocking(|| committer.lead()),
        })
    }
}

/// Writes that stand in the queue.
pub(super) enum Submitted {
    /// Nobody was committing: their owner does it.
    Leads(Leadership),
    /// Somebody is.
    Waits(oneshot::Receiver<Word>),
}

impl Submitted {
    /// Returns when the writes are durable. If the caller goes away meanwhile they are still made.
    pub(super) async fn durable(self) -> Result<(), Failed> {
        let mut waiting = match self {
            Self::Leads(leadership) => {
                let committer = leadership.committer.clone();
                let gone = || Err(committer.failure().unwrap_or_else(Failed::gone));
                return leadership.lead().unwrap_or_else(gone);
            }
            Self::Waits(waiting) => waiting,
        };
        loop {
            match waiting.await {
                Ok(Word::Done(result)) => return result,
                Ok(Word::Lead(instead, leadership)) => match leadership.lead() {
                    Some(result) => return result,
                    None => waiting = instead,
                },
                Err(_gone) => return Err(Failed::gone()),
            }
        }
    }
}

impl Drop for Leadership {
    fn drop(&mut self) {
        if !self.used {
            hand_on(&self.committer, Some(self.term));
        }
    }
}

/// Ends the file's life if its leader panics: what its batch came to is not known, and nobody else would lead.
struct Leading<'a>(&'a Committer);

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0
                .fail(&Failed("committing to the ring file panicked".into()));
        }
    }
}

/// Offers leadership to the first that waits and is still there; given a term, only if leadership is still of that.
fn hand_on(committer: &Arc<Committer>, of: Option<u64>) {
    let mut queue = committer.queue();
    if of.is_some_and(|term| term != queue.term) {
        return;
    }
    queue.term += 1;
    let term = queue.term;
    for request in &mut queue.requests {
        let Some(owner) = request.owner.take() else {
            continue;
        };
        let (later, instead) = oneshot::channel();
        let leadership = Leadership {
            committer: committer.clone(),
            term,
            used: false,
        };
        match owner.send(Word::Lead(instead, leadership)) {
            Ok(()) => {
                request.owner = Some(later);
                queue.offered = true;
                return;
            }
            Err(Word::Lead(_, mut unheard)) => unheard.used = true,
            Err(Word::Done(_)) => {}
        }
    }
    // What is left belongs to owners that went away; it goes with the next batch, at the latest the idle flush's.
    queue.offered = false;
    queue.busy = false;
}

impl Committer {
    pub(super) fn new(storage: Arc<dyn Storage>) -> Arc<Self> {
        Arc::new(Self {
            storage,
            clock: Clock::system(),
            queue: Mutex::default(),
            arrived: Condvar::new(),
            syncs: AtomicU64::new(0),
            syncing: Mutex::default(),
            directory: Mutex::default(),
            failing: watch::Sender::new(false),
            spare: Mutex::default(),
        })
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many batches were made durable.
    pub(super) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// Why nothing more is taken, if so.
    pub(super) fn failure(&self) -> Option<Failed> {
        self.queue().failed.clone()
    }

    /// True from when the file takes nothing more.
    pub(super) fn failing(&self) -> watch::Receiver<bool> {
        self.failing.subscribe()
    }

    /// Whether nothing more is taken.
    pub(super) fn has_failed(&self) -> bool {
        *self.failing.borrow()
    }

    /// Nothing more is taken; all that wait learn why. The first reason stands.
    pub(super) fn fail(&self, why: &Failed) {
        let waiting = {
            let mut queue = self.queue();
            queue.failed.get_or_insert_with(|| why.clone());
            queue.busy = false;
            queue.offered = false;
            queue.term += 1;
            queue.missing.clear();
            std::mem::take(&mut queue.requests)
        };
        self.failing.send_replace(true);
        for owner in waiting.into_iter().filter_map(|request| request.owner) {
            // An owner that went away does not want to know.
            let _unheard = owner.send(Word::Done(Err(why.clone())));
        }
    }

    /// Syncs the file, one at a time; a failure is the whole file's.
    fn sync(&self) -> Result<(), Failed> {
        let _one_at_a_time = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failed) = self.failure() {
            return Err(failed);
        }
        self.storage.sync().map_err(|why| {
            let failed = Failed(format!("syncing the ring file failed: {why}").into());
            // Before anybody else may sync: the next one could succeed.
            self.queue().failed = Some(failed.clone());
            self.failing.send_replace(true);
            failed
        })
    }

    /// Takes over a leadership that was offered and not taken: the task that it was offered to may be busy elsewhere,
    /// or may even wait for something that waits in this queue. Only the idle flush does so; it comes when something
    /// has waited long enough.
    pub(super) fn lead_instead(self: &Arc<Self>) {
        let mut queue = self.queue();
        if queue.offered {
            queue.term += 1;
            queue.offered = false;
            let term = queue.term;
            drop(queue);
            let leadership = Leadership {
                committer: self.clone(),
                term,
                used: false,
            };
            // Those whose batch it was are told.
            let _theirs = leadership.lead();
        }
    }

    /// Queues writes; they are made in the order of these calls, whether or not their owner waits for them.
    pub(super) fn submit(self: &Arc<Self>, writes: Vec<Write>) -> Result<Submitted, Failed> {
        let mut queue = self.queue();
        if let Some(failed) = &queue.failed {
            return Err(failed.clone());
        }
        let (owner, submitted) = if queue.busy {
            let (owner, waiting) = oneshot::channel();
            (Some(owner), Submitted::Waits(waiting))
        } else {
            queue.busy = true;
            queue.term += 1;
            let leadership = Leadership {
                committer: self.clone(),
                term: queue.term,
                used: false,
            };
            (None, Submitted::Leads(leadership))
        };
        if !queue.missing.is_empty() {
            queue
                .missing
                .retain(|&index| writes.iter().all(|write| write.ring.index() != index));
            // Only the last one wakes the leader: each wake-up of it costs more than its message.
            if queue.missing.is_empty() {
                self.arrived.notify_one();
            }
        }
        queue.requests.push_back(Request { writes, owner });
        Ok(submitted)
    }

    /// Queues writes and returns when they are durable.
    pub(super) async fn commit(self: &Arc<Self>, writes: Vec<Write>) -> Result<(), Failed> {
        self.submit(writes)?.durable().await
    }

    /// Commits one batch, the caller's own request in it.
    fn lead(self: &Arc<Self>) -> Result<(), Failed> {
        let _ends_on_panic = Leading(self);
        let mut requests = self.gather();
        let started = self.clock.now();
        let result = self.write(&mut requests);
        let took = self.clock.now() - started;
        if took > SLOW_SYNC {
            tracing::warn!(
                took_ms = took.as_millis() as u64,
                "the disk took long to sync the rings"
            );
        }
        {
            let mut queue = self.queue();
            queue.average = (queue.average * 7 + took) / 8;
        }
        if let Err(failed) = &result {
            self.fail(failed);
        }
        if result.is_ok() {
            for request in &requests {
                let of_one_ring = |one: &Write, next: &Write| one.ring.index() == next.ring.index();
                for writes in request.writes.chunk_by(of_one_ring) {
                    let written = writes.iter().map(|write| &write.what);
                    writes[0].ring.durable(written);
                }
            }
            hand_on(self, None);
        }
        let mut pages = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        for request in requests {
            for write in request.writes {
                if let What::Slot { page, .. } = write.what
                    && pages.len() < SPARE_PAGES
                {
                    pages.push(page);
                }
            }
            if let Some(owner) = request.owner {
                // An owner that went away does not want to know.
                let _unheard = owner.send(Word::Done(result.clone()));
            }
        }
        result
    }

    /// A page to write a slot into; what it holds is of no meaning.
    pub(super) fn page(&self) -> Vec<u8> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        spare.pop().unwrap_or_else(|| vec![0; PAGE])
    }

    fn gather(&self) -> VecDeque<Request> {
        let mut queue = self.queue();
        let deadline = self.clock.now() + (queue.average / 8).min(LONGEST_GATHER);
        let mut missing: Vec<u16> = queue.recent.iter().flatten().copied().collect();
        for write in queue.requests.iter().flat_map(|request| &request.writes) {
            missing.retain(|&index| write.ring.index() != index);
        }
        if self.storage.is_instant() {
            missing.clear();
        }
        queue.missing = missing;
        while !queue.missing.is_empty() {
            let left = deadline - self.clock.now();
            if left.is_zero() {
                break;
            }
            queue = self
                .arrived
                .wait_timeout(queue, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        queue.missing.clear();
        let requests = std::mem::take(&mut queue.requests);
        let mut rings: Vec<u16> = requests
            .iter()
            .flat_map(|request| &request.writes)
            .map(|write| write.ring.index())
            .collect();
        rings.sort_unstable();
        rings.dedup();
        queue.recent.swap(0, 1);
        queue.recent[0] = rings;
        requests
    }

    fn write(&self, requests: &mut VecDeque<Request>) -> Result<(), Failed> {
        let mut stated: Vec<u16> = Vec::new();
        for write in requests.iter_mut().flat_map(|request| &mut request.writes) {
            let ring = &write.ring;
            let written = match &write.what {
                What::Slot { sequence, page, .. } => {
                    let offset = slot_offset(ring.index(), sequence.address());
                    self.storage.write_at(offset, page)
                }
                // Two state pages of a ring in one batch could be torn together; one tells all.
                What::State if stated.contains(&ring.index()) => Ok(()),
                What::State => {
                    stated.push(ring.index());
                    let (number, page) = ring.encode_state();
                    self.storage
                        .write_at(state_offset(ring.index(), number), &page)
                }
            };
            written.map_err(|why| {
                let place = match &write.what {
                    What::Slot { sequence, .. } => format!("slot {}", sequence.address()),
                    What::State => String::from("the state page"),
                };
                Failed(format!("writing {place} of ring {} failed: {why}", ring.name()).into())
            })?;
        }
        self.sync()?;
        self.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// The file as those see it that make or settle rings in it beside the batches: their syncs are the committer's.
impl Storage for Committer {
    fn length(&self) -> io::Result<u64> {
        self.storage.length()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.storage.read_at(offset, out)
    }

    fn write_at(&self, offset: u64, octets: &[u8]) -> io::Result<()> {
        self.storage.write_at(offset, octets)
    }

    fn sync(&self) -> io::Result<()> {
        Self::sync(self).map_err(|failed| {
            self.fail(&failed);
            io::Error::other(failed.0.to_string())
        })
    }
}

/// Runs what blocks. On a runtime of many threads the others go on; elsewhere there is nobody to be kept waiting but
/// the caller.
pub(super) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    let many = tokio::runtime::Handle::try_current()
        .is_ok_and(|handle| handle.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread);
    if many {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}
