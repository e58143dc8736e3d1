//! Group commit: one sync makes durable what all callers wait for.
//!
//! The same arrangement as for the rings. Who finds nobody committing becomes the *leader* and commits for all that
//! wait; who comes meanwhile waits for the next. After its batch a leader hands on to the first that waits. There is no
//! writer thread: waking one and being woken by it costs more than the change that it writes.
//!
//! The batches of a group are applied to the engine at once, in the order in which they were submitted, so a group is
//! there wholly or not at all, and so is each batch in it.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use super::batch::{Batch, Chain, Change, Committed, Purpose};
use super::engine::Engine;
use super::error::StoreError;
use crate::clock::Clock;

/// Most batches that wait: a caller has one or a few under way, so this is thousands of users at work in one moment.
pub const MOST_WAITING: usize = 1 << 16;

/// Most octets that wait, the memory that a disk standing still may cost.
pub const MOST_WAITING_OCTETS: usize = 64 << 20;

/// Changes that are put together from many batches: more would keep those who read waiting.
const GROUP_CHANGES: usize = 2048;

/// Octets that are put together from many batches.
const GROUP_OCTETS: usize = 4 << 20;

/// A group that takes longer than this is worth a line in the log: people wait for it.
const SLOW: Duration = Duration::from_secs(1);

type Answer = Result<Committed, StoreError>;

/// What a waiting batch is told.
enum Word {
    Done(Answer),
    /// Lead, and wait there for the answer. Unheard, the receiver is dropped first: so that the leadership, when it
    /// passes on, does not come back to the same batch.
    Lead(oneshot::Receiver<Word>, Leadership),
}

struct Request {
    batch: Batch,
    /// Gone when it went away.
    owner: Option<oneshot::Sender<Word>>,
}

#[derive(Default)]
struct Queue {
    requests: VecDeque<Request>,
    octets: usize,
    busy: bool,
    /// Leadership was offered to one that waits, and it has not been seen to take it yet.
    offered: bool,
    /// Grows whenever leadership passes on; a leadership of an earlier term is worth nothing.
    term: u64,
    /// The term in which the keeper looked last: one that is offered still at its next look is stuck.
    seen: u64,
    failed: Option<StoreError>,
}

/// Commits for all callers of a store.
pub(super) struct Committer {
    engine: Arc<dyn Engine>,
    clock: Clock,
    queue: Mutex<Queue>,
    groups: AtomicU64,
    failing: watch::Sender<bool>,
}

/// The right to commit the next group. Given up unused (its owner went away), it goes to the next that waits.
struct Leadership {
    committer: Arc<Committer>,
    term: u64,
    used: bool,
}

impl Leadership {
    /// Does nothing if it was taken over, since its owner was not seen for too long.
    fn lead(mut self) {
        self.used = true;
        let committer = self.committer.clone();
        {
            let mut queue = committer.queue();
            if queue.term != self.term {
                return;
            }
            queue.offered = false;
        }
        blocking(|| committer.lead());
    }
}

impl Drop for Leadership {
    fn drop(&mut self) {
        if !self.used {
            hand_on(&self.committer, Some(self.term));
        }
    }
}

/// A batch that stands in the queue. Batches are applied in the order in which they were submitted.
#[must_use = "nothing is promised before it is durable"]
pub struct Submitted {
    waiting: oneshot::Receiver<Word>,
    /// Nobody was committing: its owner does it.
    leads: Option<Leadership>,
}

impl Submitted {
    /// Returns when the batch is durable. If the caller goes away meanwhile it is still written.
    pub async fn durable(self) -> Answer {
        let Self {
            mut waiting,
            mut leads,
        } = self;
        loop {
            if let Some(leadership) = leads.take() {
                leadership.lead();
            }
            match waiting.await {
                Ok(Word::Done(answer)) => return answer,
                Ok(Word::Lead(instead, leadership)) => {
                    waiting = instead;
                    leads = Some(leadership);
                }
                Err(_gone) => return Err(StoreError::Closed),
            }
        }
    }

    /// The same outside of a runtime.
    pub fn wait(self) -> Answer {
        let Self {
            mut waiting,
            mut leads,
        } = self;
        loop {
            if let Some(leadership) = leads.take() {
                leadership.lead();
            }
            match waiting.blocking_recv() {
                Ok(Word::Done(answer)) => return answer,
                Ok(Word::Lead(instead, leadership)) => {
                    waiting = instead;
                    leads = Some(leadership);
                }
                Err(_gone) => return Err(StoreError::Closed),
            }
        }
    }
}

/// Ends the store's life if its leader panics: what its group came to is not known, and nobody else would lead.
struct Leading<'a>(&'a Committer);

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let why = "committing panicked".into();
            self.0.fail(&StoreError::Failed(why));
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
    // What is left belongs to owners that went away; it goes with the next group, at the latest the keeper's.
    queue.offered = false;
    queue.busy = false;
}

impl Committer {
    pub(super) fn new(engine: Arc<dyn Engine>) -> Arc<Self> {
        Arc::new(Self {
            engine,
            clock: Clock::system(),
            queue: Mutex::default(),
            groups: AtomicU64::new(0),
            failing: watch::Sender::new(false),
        })
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many groups were made durable.
    pub(super) fn groups(&self) -> u64 {
        self.groups.load(Ordering::Relaxed)
    }

    /// True from when the store takes nothing more.
    pub(super) fn failing(&self) -> watch::Receiver<bool> {
        self.failing.subscribe()
    }

    /// Refuses when nothing is taken any more.
    pub(super) fn usable(&self) -> Result<(), StoreError> {
        self.queue().failed.clone().map_or(Ok(()), Err)
    }

    /// Nothing more is taken; all that wait learn why. The first reason stands.
    pub(super) fn fail(&self, why: &StoreError) {
        let (why, waiting) = {
            let mut queue = self.queue();
            let why = queue.failed.get_or_insert_with(|| why.clone()).clone();
            queue.busy = false;
            queue.offered = false;
            queue.term += 1;
            queue.octets = 0;
            (why, std::mem::take(&mut queue.requests))
        };
        self.failing.send_replace(true);
        for owner in waiting.into_iter().filter_map(|request| request.owner) {
            // An owner that went away does not want to know.
            let _unheard = owner.send(Word::Done(Err(why.clone())));
        }
    }

    /// Queues a batch.
    pub(super) fn submit(self: &Arc<Self>, batch: Batch) -> Result<Submitted, StoreError> {
        let chains = batch.chains().to_vec();
        let submitted = self.queued(batch);
        if submitted.is_err() {
            chains.iter().for_each(Chain::breaks);
        }
        submitted
    }

    fn queued(self: &Arc<Self>, batch: Batch) -> Result<Submitted, StoreError> {
        batch.check()?;
        let mut queue = self.queue();
        if let Some(failed) = &queue.failed {
            return Err(failed.clone());
        }
        let waiting = queue.requests.len();
        if waiting >= MOST_WAITING
            || (waiting > 0 && queue.octets + batch.size() > MOST_WAITING_OCTETS)
        {
            return Err(StoreError::Crowded { waiting });
        }
        let leads = (!queue.busy).then(|| {
            queue.busy = true;
            queue.term += 1;
            // Not seen to lead yet: should the caller sleep on it, the keeper takes over.
            queue.offered = true;
            Leadership {
                committer: self.clone(),
                term: queue.term,
                used: false,
            }
        });
        let (owner, waiting) = oneshot::channel();
        queue.octets += batch.size();
        queue.requests.push_back(Request {
            batch,
            owner: Some(owner),
        });
        Ok(Submitted { waiting, leads })
    }

    /// Applies changes that need not be durable when this returns. They keep no order with batches that wait.
    pub(super) fn put_lazily(&self, batch: &Batch) -> Result<(), StoreError> {
        batch.check()?;
        self.usable()?;
        self.engine.room(batch.purpose())?;
        let put = self.engine.put_lazily(batch.changes());
        put.inspect_err(|why| self.fail(why))
    }

    /// Commits what waits and nobody commits: its owners went away, or the one that should lead is busy elsewhere or
    /// even waits for something in this queue. Only the keeper calls this, from time to time.
    pub(super) fn lead_instead(self: &Arc<Self>) {
        let mut queue = self.queue();
        let stuck = match queue.busy {
            true => queue.offered && queue.seen == queue.term,
            false => !queue.requests.is_empty(),
        };
        queue.seen = queue.term;
        if !stuck || queue.failed.is_some() {
            return;
        }
        queue.term += 1;
        queue.busy = true;
        queue.offered = false;
        drop(queue);
        self.lead();
    }

    /// Commits one group.
    fn lead(self: &Arc<Self>) {
        let _ends_on_panic = Leading(self);
        let mut requests = self.gather();
        let started = self.clock.now();
        let answers = self.write(&mut requests);
        let took = self.clock.now() - started;
        if took > SLOW {
            tracing::warn!(
                took_ms = took.as_millis() as u64,
                "the disk took long to store a group"
            );
        }
        match &answers {
            Ok(_) => hand_on(self, None),
            Err(why) => self.fail(why),
        }
        let mut answers = answers.map(Vec::into_iter);
        for request in requests {
            let answer = match &mut answers {
                Ok(answers) => answers.next().expect("each request has its answer"),
                Err(why) => Err(why.clone()),
            };
            if let Some(owner) = request.owner {
                // An owner that went away does not want to know.
                let _unheard = owner.send(Word::Done(answer));
            }
        }
    }

    fn gather(&self) -> Vec<Request> {
        let mut queue = self.queue();
        let mut group = Vec::new();
        let (mut changes, mut octets) = (0, 0);
        while let Some(request) = queue.requests.front() {
            changes += request.batch.len();
            octets += request.batch.size();
            if !group.is_empty() && (changes > GROUP_CHANGES || octets > GROUP_OCTETS) {
                break;
            }
            queue.octets -= request.batch.size();
            group.extend(queue.requests.pop_front());
        }
        group
    }

    /// The answer for each, in the same order; an error is everybody's and the store's end.
    fn write(&self, requests: &mut [Request]) -> Result<Vec<Answer>, StoreError> {
        let intake = self.engine.room(Purpose::Intake);
        let drain = match &intake {
            Ok(()) => Ok(()),
            Err(_) => self.engine.room(Purpose::Drain),
        };
        let mut changes: Vec<Change> = Vec::new();
        let mut keys: HashSet<Bytes> = HashSet::new();
        let mut answers = Vec::with_capacity(requests.len());
        for Request { batch, .. } in requests {
            if batch.is_broken() {
                // Of several chains one may be whole still.
                batch.breaks();
                answers.push(Err(StoreError::Broken));
                continue;
            }
            let room = match batch.purpose() {
                Purpose::Intake => &intake,
                Purpose::Drain => &drain,
            };
            if let Err(full) = room {
                batch.breaks();
                answers.push(Err(full.clone()));
                continue;
            }
            if let Some(key) = batch.once_key()
                && (keys.contains(key) || self.engine.read(key)?.is_some())
            {
                answers.push(Ok(Committed::Before));
                continue;
            }
            keys.extend(batch.once_key().cloned());
            changes.append(&mut batch.take_changes());
            answers.push(Ok(Committed::Now));
        }
        if !changes.is_empty() {
            self.engine.commit(&changes)?;
            self.groups.fetch_add(1, Ordering::Relaxed);
        }
        Ok(answers)
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
