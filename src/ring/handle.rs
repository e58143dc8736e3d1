//! What a lane holds of a ring: transitions that are recorded, and messages that are durable when the call returns.

mod steps;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::array::{Array, Full, Misstep, Taken};
use super::commit::{Committer, Failed, Submitted, What, Write};
use super::error::StoreError;
use super::outcome;
use super::page::{self, Fence, Place, State, encode_slot_into};
use super::parcel::Parcel;
use super::storage::Storage;
use super::times::Timetable;
use crate::clock::{Clock, Moment};
use crate::lane::{Epoch, RingName, SLOTS, Sequence, Side};
use crate::message::Outcome;

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed.0)
    }
}

/// One ring, as its handle, the committer and the idle flush see it.
pub(super) struct Shared {
    name: RingName,
    /// Its place in the directory.
    index: u16,
    body: Mutex<Body>,
    storage: Arc<dyn Storage>,
    live: Option<Arc<dyn Storage>>,
    clock: Clock,
    changed: watch::Sender<()>,
    /// Tells the idle flush of the file that marks are waiting.
    unwritten: Arc<tokio::sync::Notify>,
}

struct Body {
    array: Array,
    fence: Option<Fence>,
    /// Its entry in the directory is being given another epoch: nothing may be stored under either.
    adopting: bool,
    next_state: u64,
    clean: bool,
    /// Since when something waits that did not go to the file yet.
    waits_since: Option<Moment>,
    outcomes: Box<[Option<(Sequence, Outcome)>]>,
    times: Timetable,
}

/// What a ring is made of when its file is opened.
pub(super) struct Parts {
    pub(super) name: RingName,
    pub(super) place: Place,
    pub(super) array: Array,
    pub(super) fence: Option<Fence>,
    pub(super) next_state: u64,
    pub(super) outcomes: Box<[Option<(Sequence, Outcome)>]>,
}

impl Shared {
    pub(super) fn new(
        parts: Parts,
        storage: Arc<dyn Storage>,
        live: Option<Arc<dyn Storage>>,
        unwritten: Arc<tokio::sync::Notify>,
    ) -> Self {
        assert_eq!(
            parts.outcomes.len() as u64,
            SLOTS,
            "an outcome for each slot"
        );
        assert_eq!(
            parts.place.epoch,
            parts.array.epoch(),
            "the array lives the life that the directory names"
        );
        Self {
            name: parts.name,
            index: parts.place.ring,
            body: Mutex::new(Body {
                array: parts.array,
                fence: parts.fence,
                adopting: false,
                next_state: parts.next_state,
                clean: false,
                waits_since: None,
                outcomes: parts.outcomes,
                times: Timetable::default(),
            }),
            storage,
            live,
            clock: Clock::system(),
            changed: watch::Sender::new(()),
            unwritten,
        }
    }

    fn body(&self) -> MutexGuard<'_, Body> {
        // A panic while it was held was an assertion on the pointers; then the process ends anyway.
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) const fn name(&self) -> &RingName {
        &self.name
    }

    pub(super) const fn index(&self) -> u16 {
        self.index
    }

    fn place(&self, body: &Body) -> Place {
        Place {
            ring: self.index,
            epoch: body.array.epoch(),
        }
    }

    /// Shuts the door while the directory is written, if the ring may take another epoch at all: a mirror in which
    /// nothing was ever stored.
    pub(super) fn begin_adopting(&self) -> Result<bool, Fence> {
        let mut body = self.body();
        if let Some(fence) = body.fence {
            return Err(fence);
        }
        let may = body.array.side() == Side::Mirror && body.array.accepted().is_none();
        body.adopting |= may;
        Ok(may)
    }

    /// The directory names the new epoch, durably: the ring begins its life in it.
    pub(super) fn adopted(&self, epoch: Epoch) {
        let mut body = self.body();
        body.array = Array::new(Side::Mirror, epoch);
        body.adopting = false;
        drop(body);
        self.changed.send_replace(());
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.body().array.epoch()
    }

    /// The state as it is now, for the next state page. Called while the batch is written, one batch after the other.
    pub(super) fn encode_state(&self) -> (u64, Vec<u8>) {
        let mut body = self.body();
        let state = body.state();
        body.next_state += 1;
        body.waits_since = None;
        (state.number, state.encode(self.place(&body)))
    }

    /// The committer made these of this ring durable.
    pub(super) fn durable<'a>(&self, written: impl Iterator<Item = &'a What>) {
        let mut body = self.body();
        let now = self.clock.wall();
        for what in written {
            match what {
                What::Slot {
                    sequence,
                    processed,
                    ..
                } => {
                    body.array.stored(*sequence);
                    body.array.recorded(*processed);
                    body.times.of(*sequence).stored = Some(now);
                    // That it is retrieved is not on disk yet, as a mark.
                    self.touch(&mut body);
                }
                // The pointer may have moved on since the page was written; `recorded` must not.
                What::State => {}
            }
        }
        drop(body);
        self.changed.send_replace(());
    }

    fn touch(&self, body: &mut Body) {
        if body.waits_since.is_none() {
            body.waits_since = Some(self.clock.now());
            self.unwritten.notify_one();
        }
    }

    /// For how long something has been waiting to be written, if anything is. On a fenced ring nothing waits: its area
    /// stays as it was when the fence was made.
    pub(super) fn waits_for(&self) -> Option<Duration> {
        let body = self.body();
        let since = body.waits_since.filter(|_| body.fence.is_none())?;
        Some(self.clock.now() - since)
    }

    fn record_live(&self, body: &Body) {
        let Some(live) = &self.live else { return };
        let record = body.state().encode_live(self.place(body));
        if let Err(why) = live.write_at(page::live_offset(self.index), &record) {
            tracing::warn!(ring = %self.name, %why, "the live record could not be written; after a kill marks may be behind");
        }
    }
}

impl Body {
    fn state(&self) -> State {
        State {
            number: self.next_state,
            clean: self.clean,
            fence: self.fence,
            marks: *self.array.marks(),
        }
    }

    fn open(&self) -> Result<(), StoreError> {
        if self.adopting {
            return Err(StoreError::Adopting);
        }
        self.fence.map_or(Ok(()), |fence| Err(fence.into()))
    }

    fn unfenced(&mut self) -> Result<&mut Self, Misstep> {
        match self.fence {
            Some(fence) => Err(Misstep::Fenced(fence)),
            None => Ok(self),
        }
    }
}

/// One ring. Clones are the same ring.
#[derive(Clone)]
pub struct Ring {
    pub(super) shared: Arc<Shared>,
    pub(super) committer: Arc<Committer>,
}

impl Ring {
    /// Which ring it is.
    pub fn name(&self) -> &RingName {
        &self.shared.name
    }

    /// Looks at the ring as it is now.
    pub fn look<T>(&self, see: impl FnOnce(&Array) -> T) -> T {
        see(&self.shared.body().array)
    }

    /// Why it is shut, if it is.
    pub fn fence(&self) -> Option<Fence> {
        self.shared.body().fence
    }

    /// Wakes whenever something on this ring has changed.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.shared.changed.subscribe()
    }

    /// Returns when there is room for a message, or the ring has stopped working.
    pub async fn room(&self) {
        let mut changes = self.changes();
        let mut failing = self.committer.failing();
        while self.fence().is_none() && !*failing.borrow() && self.look(Array::room) == 0 {
            let gone = tokio::select! {
                changed = changes.changed() => changed.is_err(),
                failed = failing.changed() => failed.is_err(),
            };
            if gone {
                return;
            }
        }
    }

    /// Origin: stores a message durably (G2). Its number is given when the sync has returned.
    pub async fn append(&self, parcel: Parcel) -> Result<Sequence, StoreError> {
        let numbers = self.append_all(vec![parcel]).await?;
        Ok(numbers[0])
    }

    /// Origin: stores several messages with one sync, all or none. A caller that goes away before this returns loses
    /// only the answer: numbers that were given are written.
    pub async fn append_all(&self, parcels: Vec<Parcel>) -> Result<Vec<Sequence>, StoreError> {
        loop {
            if let Some((numbers, submitted)) = self.accept(&parcels)? {
                submitted.durable().await?;
                return Ok(numbers);
            }
            self.flush().await?;
        }
    }

    /// Gives numbers to messages and asks for the writes that store them; nothing while the state has to be written
    /// first.
    fn accept(&self, parcels: &[Parcel]) -> Result<Option<(Vec<Sequence>, Submitted)>, StoreError> {
        let mut body = self.shared.body();
        body.open()?;
        let count = parcels.len() as u64;
        if body.array.room() < count {
            return Err(Full.into());
        }
        if !body.array.may_write(body.array.accepted().plus(count)) {
            return Ok(None);
        }
        let numbers = parcels
            .iter()
            .map(|parcel| body.array.accept(parcel.clone()))
            .collect::<Result<Vec<_>, Full>>()?;
        let submitted = self.submit(&mut body, &numbers)?;
        Ok(Some((numbers, submitted)))
    }

    /// Mirror: stores what came over the link, with one sync for all of it; tells for each what became of it. What is
    /// [`Taken::New`] may be confirmed when this returns.
    pub async fn store(
        &self,
        parcels: Vec<(Sequence, Parcel)>,
    ) -> Result<Vec<Result<Taken, Misstep>>, StoreError> {
        loop {
            if let Some((taken, submitted)) = self.take(&parcels)? {
                if let Some(submitted) = submitted {
                    submitted.durable().await?;
                }
                return Ok(taken);
            }
            self.flush().await?;
        }
    }

    /// Puts messages into the mirror and asks for the writes that store the new ones; nothing while the state has to
    /// be written first.
    #[expect(
        clippy::type_complexity,
        reason = "what became of each belongs to the writes for a line"
    )]
    fn take(
        &self,
        parcels: &[(Sequence, Parcel)],
    ) -> Result<Option<(Vec<Result<Taken, Misstep>>, Option<Submitted>)>, StoreError> {
        let mut body = self.shared.body();
        body.open()?;
        // What lies beyond the window will be refused, not written.
        let window = body.array.marks().processed.up_to().plus(SLOTS);
        let highest = parcels.iter().map(|(sequence, _)| *sequence).max();
        if highest.is_some_and(|highest| !body.array.may_write(highest.min(window))) {
            return Ok(None);
        }
        let mut fresh = Vec::with_capacity(parcels.len());
        let taken = parcels
            .iter()
            .map(|(sequence, parcel)| {
                let taken = body.array.take(*sequence, parcel.clone())?;
                if taken == Taken::New {
                    fresh.push(*sequence);
                }
                Ok(taken)
            })
            .collect();
        let submitted = match fresh.is_empty() {
            true => None,
            false => Some(self.submit(&mut body, &fresh)?),
        };
        Ok(Some((taken, submitted)))
    }

    /// Asks for the writes that make accepted messages durable; they carry all marks as of now. The ring stays locked
    /// from giving the numbers until here: else one with a higher number could be durable and answered while one before
    /// it is not even queued, and after a crash it would lie behind a gap and be wiped.
    fn submit(&self, body: &mut Body, numbers: &[Sequence]) -> Result<Submitted, StoreError> {
        let marks = *body.array.marks();
        let place = self.shared.place(body);
        let writes = numbers
            .iter()
            .filter_map(|&sequence| {
                let parcel = body.array.get(sequence)?;
                let mut page = self.committer.page();
                encode_slot_into(&mut page, place, sequence, &marks, parcel);
                Some(Write {
                    ring: self.shared.clone(),
                    what: What::Slot {
                        sequence,
                        page,
                        processed: marks.processed.up_to(),
                    },
                })
            })
            .collect();
        let submitted = self.committer.submit(writes)?;
        // What had waited rides along. Should all go away that wait for it, the idle flush takes the queue along.
        if body.waits_since.replace(self.shared.clock.now()).is_none() {
            self.shared.unwritten.notify_one();
        }
        Ok(submitted)
    }

    /// Makes all marks durable.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let processed = self.look(|array| array.marks().processed.up_to());
        let write = Write {
            ring: self.shared.clone(),
            what: What::State,
        };
        self.committer.commit(vec![write]).await?;
        // The page was made after we looked, so it tells at least that much.
        self.shared.body().array.recorded(processed);
        Ok(())
    }

    /// Writes the last state page of an orderly stop.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.shared.body().clean = true;
        self.flush().await
    }

    /// Marks have moved: they go into the live record, will go into the file, and those that wait are woken.
    fn tell(&self, mut body: MutexGuard<'_, Body>) {
        self.shared.record_live(&body);
        self.shared.touch(&mut body);
        drop(body);
        self.shared.changed.send_replace(());
    }

    /// *Processed*, and how it ended, which is kept until the origin's next message comes to this address; tells whether
    /// that is new. If it cannot be written, the message stays as it was, and the file takes nothing more.
    pub fn process_with(&self, sequence: Sequence, outcome: Outcome) -> Result<bool, Misstep> {
        self.process_all_with([(sequence, outcome)])
            .map(|fresh| fresh > 0)
            .map_err(|(_, misstep)| misstep)
    }

    /// The same for several messages at the price of one; tells how many are new. The first that cannot be is named, and
    /// the last that is tried.
    pub fn process_all_with(
        &self,
        endings: impl IntoIterator<Item = (Sequence, Outcome)>,
    ) -> Result<u64, (Sequence, Misstep)> {
        let mut body = self.shared.body();
        let mut fresh = 0;
        let done = endings.into_iter().try_for_each(|(sequence, outcome)| {
            let one = self.process_one(&mut body, sequence, outcome);
            one.map(|is_fresh| fresh += u64::from(is_fresh))
                .map_err(|misstep| (sequence, misstep))
        });
        if fresh > 0 {
            self.tell(body);
        }
        done.map(|()| fresh)
    }

    fn process_one(
        &self,
        body: &mut Body,
        sequence: Sequence,
        outcome: Outcome,
    ) -> Result<bool, Misstep> {
        let body = body.unfenced()?;
        body.array.held(sequence)?;
        if body.array.flags(sequence).processed {
            return Ok(false);
        }
        if self.committer.has_failed() {
            return Err(Misstep::Stopped);
        }
        // In the file before the mark can be: both are durable with the same sync.
        let address = sequence.address();
        let record = outcome::encode(self.shared.place(body), sequence, &outcome);
        let offset = page::outcome_offset(self.shared.index, address);
        if let Err(why) = self.shared.storage.write_at(offset, &record) {
            let ring = &self.shared.name;
            let why = format!("writing outcome {address} of ring {ring} failed: {why}");
            self.committer.fail(&Failed(why.into()));
            return Err(Misstep::Stopped);
        }
        body.array.process(sequence)?;
        body.times.of(sequence).processed = Some(self.shared.clock.wall());
        body.outcomes[address.index()] = Some((sequence, outcome));
        Ok(true)
    }

    /// How a processed message ended: doubtful if its record is damaged, and at a mirror if it was lost with the power. An
    /// origin writes none, and knows nothing any more after a restart. Nothing is known of a message whose address has the
    /// outcome of a later one.
    pub fn outcome(&self, sequence: Sequence) -> Option<Outcome> {
        let body = self.shared.body();
        if !body.array.marks().processed.has(sequence) || sequence.is_none() {
            return None;
        }
        match &body.outcomes[sequence.address().index()] {
            Some((of, outcome)) if *of == sequence || of.is_none() => Some(outcome.clone()),
            Some((of, _)) if *of > sequence => None,
            _ if body.array.side() == Side::Origin => None,
            _ => Some(Outcome::Doubtful),
        }
    }

    /// Mirror of the MT direction: makes the mark *offered* durable before the SMSC sees the message.
    pub async fn offer(&self, sequence: Sequence) -> Result<(), StoreError> {
        {
            let mut body = self.shared.body();
            body.open()?;
            // No live record: the state page that follows tells it, and before that nobody has seen the message.
            body.array.offer(sequence)?;
            body.times.of(sequence).offered = Some(self.shared.clock.wall());
        }
        self.flush().await
    }

    /// Puts the far copy of a damaged message back, durably.
    pub async fn repair(&self, sequence: Sequence, parcel: Parcel) -> Result<(), StoreError> {
        let submitted = {
            let mut body = self.shared.body();
            body.open()?;
            body.array.repair(sequence, parcel)?;
            self.submit(&mut body, &[sequence])?
        };
        submitted.durable().await?;
        Ok(())
    }

    /// No copy of a damaged message is left: its address becomes free again.
    pub fn declare_lost(&self, sequence: Sequence) -> Result<(), Misstep> {
        self.change(|array| array.declare_lost(sequence), |_, (), _| {})?;
        tracing::error!(ring = %self.shared.name, %sequence, address = %sequence.address(), "a message is lost: its slot was damaged and no copy is left");
        Ok(())
    }

    /// Shuts the ring until it gets a new epoch.
    pub async fn shut(&self, fence: Fence) -> Result<(), StoreError> {
        self.shared.body().fence = Some(fence);
        tracing::error!(ring = %self.shared.name, reason = %fence, "the ring is fenced");
        self.shared.changed.send_replace(());
        // Into both state pages, so that damage to one does not open the ring.
        self.flush().await?;
        self.flush().await
    }
}
