//! Drives one SMSC session: carries its bytes, keeps its timers, stores what it delivers and offers it what waits.
//!
//! One thread a session. Nothing here decides what a protocol means; the session machine and the courier do. While a
//! message waits for another lane's sync the line is still read; while this lane makes the sync itself, for both, the
//! SMSC's probes and the answer to our own request wait in the socket until it returns.

use std::pin::Pin;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::courier::{Courier, Manner, Step, Verdict};
use super::pause::Pauses;
use super::session::{
    Answer, Delivery, DeliveryTurn, Down, Event, Recognition, Retry, Session, SubmitAnswer,
    SubmitTurn,
};
use super::status::{LaneStatus, Phase};
use super::thread::OwnThread;
use super::transport::{Endpoint, Line};
use crate::clock::{Clock, Moment};
use crate::lane::Sequence;
use crate::message::{DeliveryKey, Item, Outcome, Refusal};
use crate::ring::{Misstep, Parcel, Ring, StoreError};

/// How long a write may take before the line counts as dead: what we write is small, so a peer that does not take it
/// for so long reads nothing.
const WRITE: std::time::Duration = std::time::Duration::from_secs(10);

/// How many of the last messages' keys are compared with a new delivery: an SMSC repeats what it has not seen
/// confirmed, and that is at most its window, which is one.
const KEYS_COMPARED: usize = 16;

/// What an operator may ask of a lane.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Order {
    /// Offer nothing more to the SMSC until told to go on; deliveries are still taken.
    Suspend,
    /// Go on.
    Resume,
    /// Offer the held message again.
    ResendHeld,
    /// Do not offer the held message again.
    DropHeld,
    /// Offer messages in another manner from now on; the session goes on.
    Manner(Manner),
    /// Log out and stop.
    Close,
}

/// What a driver works on.
pub struct Parts {
    /// The protocol.
    pub session: Box<dyn Session>,
    /// Where the SMSC is.
    pub endpoint: Endpoint,
    /// Where deliveries go; none for a session that only submits.
    pub mo: Option<Ring>,
    /// Where messages come from; none for a session that only receives.
    pub mt: Option<Ring>,
    /// How messages are offered.
    pub manner: Manner,
    /// Whether a mark is made durable before the SMSC sees a message, so that doubt is known after a crash.
    pub in_doubt_mark: bool,
    /// What is shown.
    pub status: Arc<LaneStatus>,
}

type Storing = Pin<Box<dyn Future<Output = Result<Vec<Sequence>, StoreError>> + Send>>;
type Marking = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

/// A delivery that is not answered yet.
struct Open {
    turn: DeliveryTurn,
    parcels: Vec<Parcel>,
    /// `None` while the ring has no room.
    storing: Option<Storing>,
    /// Whether it was counted as withheld.
    withheld: bool,
}

/// A message on its way to the SMSC.
struct Offering {
    sequence: Sequence,
    turn: SubmitTurn,
    marking: Marking,
}

struct Driver {
    parts: Parts,
    courier: Courier,
    clock: Clock,
    turn: Option<SubmitTurn>,
    open: Option<Open>,
    offering: Option<Offering>,
    /// No delivery of this connection was seen yet.
    first_delivery: bool,
    /// When the message that is with the SMSC was submitted.
    submitted_at: Option<Moment>,
    ended: Option<Down>,
    /// Why the rings cannot be worked with any more.
    broken: Option<StoreError>,
}

/// Runs a session until it is told to close, or its ring has failed; then the reason is given. It runs on a thread of
/// its own, and ends when the caller goes away.
///
/// # Panics
///
/// If the session panics.
pub async fn run(parts: Parts, orders: mpsc::Receiver<Order>) -> Result<(), StoreError> {
    let ring = parts.mo.as_ref().or(parts.mt.as_ref());
    let name = ring.map_or_else(|| "lane".into(), |ring| ring.name().lane.to_string());
    match OwnThread::start(name).await {
        Ok(thread) => thread.run(drive(parts, orders)).await,
        Err(why) => {
            tracing::warn!(endpoint = %parts.endpoint, %why, "no thread to be had for the lane: it shares those of all");
            drive(parts, orders).await
        }
    }
}

async fn drive(parts: Parts, mut orders: mpsc::Receiver<Order>) -> Result<(), StoreError> {
    let mut driver = Driver {
        courier: Courier::new(parts.manner),
        parts,
        clock: Clock::system(),
        turn: None,
        open: None,
        offering: None,
        first_delivery: true,
        submitted_at: None,
        ended: None,
        broken: None,
    };
    let mut pauses = Pauses::new();
    loop {
        driver.show(|state| state.phase = Phase::Connecting);
        let down = match driver.parts.endpoint.connect().await {
            Ok(line) => {
                driver.parts.status.connections.count();
                driver.connection(line, &mut orders, &mut pauses).await?
            }
            Err(why) => Down {
                reason: why.to_string(),
                retry: Retry::Soon,
            },
        };
        let now = driver.clock.now();
        let chance = getrandom::u64().unwrap_or_default();
        let Some(pause) = pauses.down(now, down.retry, chance) else {
            driver.show(|state| state.phase = Phase::Closed);
            return Ok(());
        };
        driver.report_down(&down, pause);
        if driver.rest(now + pause, &mut orders).await {
            driver.show(|state| state.phase = Phase::Closed);
            return Ok(());
        }
    }
}

impl Driver {
    fn show(&self, change: impl FnOnce(&mut super::status::State)) {
        let now = self.clock.wall();
        self.parts.status.update(|state| {
            let before = state.phase;
            change(state);
            if state.phase != before {
                state.since = now;
            }
        });
    }

    fn report_down(&self, down: &Down, pause: std::time::Duration) {
        let endpoint = &self.parts.endpoint;
        let pause_ms = pause.as_millis() as u64;
        if down.retry == Retry::Refused {
            tracing::error!(%endpoint, reason = %down.reason, pause_ms, "the SMSC refuses our login");
        } else {
            tracing::warn!(%endpoint, reason = %down.reason, pause_ms, "no session with the SMSC");
        }
        self.show(|state| {
            state.phase = if down.retry == Retry::Refused {
                Phase::Refused
            } else {
                Phase::Waiting
            };
            state.peer.clear();
            state.last_error = Some(down.reason.clone());
        });
    }

    /// Waits between connections; tells whether to stop.
    async fn rest(&mut self, until: Moment, orders: &mut mpsc::Receiver<Order>) -> bool {
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(self.clock.instant(until).into()) => return false,
                order = orders.recv() => match order {
                    None | Some(Order::Close) => return true,
                    Some(order) => self.obey(order),
                },
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Suspend => self.courier.suspend(true),
            Order::Resume => self.courier.suspend(false),
            Order::Manner(manner) => self.courier.change(manner),
            Order::ResendHeld => {
                self.courier.resend_held();
            }
            Order::DropHeld => {
                if let Some(sequence) = self.courier.drop_held() {
                    self.done(sequence, Outcome::Doubtful);
                }
            }
            Order::Close => {
                let now = self.clock.now();
                self.parts.session.close(now);
            }
        }
        let held = self.courier.held().map(Sequence::get);
        self.show(|state| state.held = held);
    }

    /// One connection, from its login to its end.
    async fn connection(
        &mut self,
        mut line: Box<dyn Line>,
        orders: &mut mpsc::Receiver<Order>,
        pauses: &mut Pauses,
    ) -> Result<Down, StoreError> {
        self.first_delivery = true;
        self.parts.session.handle_connected(self.clock.now());
        let mut input = BytesMut::with_capacity(8192);
        let mut mt_changes = self.parts.mt.as_ref().map(Ring::changes);
        let mut mo_changes = self.parts.mo.as_ref().map(Ring::changes);
        loop {
            self.drain(line.as_mut(), pauses).await;
            if let Some(why) = self.broken.take() {
                return Err(why);
            }
            if let Some(down) = self.ended.take() {
                self.forget_connection();
                return Ok(down);
            }
            let wake = self.advance()?;
            // What was just decided may have bytes to be written and events to be seen.
            if wake.is_none() {
                continue;
            }
            let deadline = [self.parts.session.poll_timeout(), wake.flatten()]
                .into_iter()
                .flatten()
                .min();
            let storing = self.open.as_mut().map(|open| &mut open.storing);
            let waits_for_room = matches!(storing, Some(None));
            let storing = storing.and_then(Option::as_mut);
            let marking = self.offering.as_mut().map(|offering| &mut offering.marking);
            self.parts.status.wakeups.count();
            tokio::select! {
                biased;
                stored = maybe(storing) => self.stored(stored)?,
                marked = maybe(marking) => self.marked(marked)?,
                read = line.read_buf(&mut input), if self.parts.session.wants_bytes() => {
                    let now = self.clock.now();
                    match read {
                        Ok(0) => self.parts.session.handle_disconnected(now, "the SMSC closed the line"),
                        Ok(_) => {
                            self.parts.session.handle_bytes(now, &input);
                            input.clear();
                        }
                        Err(why) => self.parts.session.handle_disconnected(now, &why.to_string()),
                    }
                }
                () = sleep_until(deadline.map(|moment| self.clock.instant(moment))) => {
                    let now = self.clock.now();
                    self.parts.session.handle_timeout(now);
                }
                () = changed(mt_changes.as_mut()), if self.turn.is_some() => {}
                () = changed(mo_changes.as_mut()), if waits_for_room => {}
                order = orders.recv() => self.obey(order.unwrap_or(Order::Close)),
            }
        }
    }

    /// What was under way on a connection that has ended: turns are void, the SMSC delivers again what was not answered,
    /// and a message that was still being marked has not left.
    fn forget_connection(&mut self) {
        self.submitted_at = None;
        self.turn = None;
        self.open = None;
        if self.offering.take().is_some() {
            let now = self.clock.now();
            self.courier.answered(now, SubmitAnswer::NotSent);
        }
    }

    /// Writes and hears all that the session has to say.
    async fn drain(&mut self, line: &mut dyn Line, pauses: &mut Pauses) {
        loop {
            let mut idle = true;
            while let Some(bytes) = self.parts.session.poll_transmit() {
                idle = false;
                let written = tokio::time::timeout(WRITE, line.write_all(&bytes)).await;
                let failed = match written {
                    Ok(Ok(())) => continue,
                    Ok(Err(why)) => why.to_string(),
                    Err(_elapsed) => String::from("the SMSC does not take what we write"),
                };
                let now = self.clock.now();
                self.parts.session.handle_disconnected(now, &failed);
            }
            while let Some(event) = self.parts.session.poll_event() {
                idle = false;
                self.hear(event, pauses);
            }
            // A session that has ended may still have a last answer to be written; so it is asked until it is idle.
            if idle {
                return;
            }
        }
    }

    fn hear(&mut self, event: Event, pauses: &mut Pauses) {
        let now = self.clock.now();
        match event {
            Event::Up { peer } => {
                pauses.up(now);
                tracing::info!(endpoint = %self.parts.endpoint, %peer, "logged in to the SMSC");
                self.show(|state| {
                    state.phase = Phase::Up;
                    state.peer = peer;
                    state.last_error = None;
                });
            }
            Event::MaySubmit(turn) => self.turn = Some(turn),
            Event::Answered(answer) => {
                let Some(sequence) = self.courier.offered() else {
                    return;
                };
                if let Some(at) = self.submitted_at.take()
                    && !matches!(answer, SubmitAnswer::InDoubt | SubmitAnswer::NotSent)
                {
                    self.parts.status.round_trip.measured(now - at);
                }
                let verdict = self.courier.answered(now, answer);
                self.judged(sequence, verdict);
            }
            Event::Delivered(turn, delivery) => self.deliver(turn, delivery),
            Event::Noted(note) => {
                self.parts.status.oddities.count();
                tracing::warn!(endpoint = %self.parts.endpoint, what = %note.what, offset = note.offset, field = note.field, "odd");
            }
            Event::Ended(down) => self.ended = Some(down),
        }
    }

    fn judged(&mut self, sequence: Sequence, verdict: Verdict) {
        match verdict {
            Verdict::Done(outcome) => {
                self.parts.status.mt_rate.count(self.clock.now());
                match outcome {
                    Outcome::Accepted(_) => self.parts.status.submitted.count(),
                    _ => self.parts.status.refused.count(),
                }
                self.done(sequence, outcome);
            }
            Verdict::Again(None) => {}
            Verdict::Again(Some(refusal)) => {
                self.parts.status.deferred.count();
                self.show(|state| state.deferred_because = Some(refusal.to_string()));
            }
            Verdict::InDoubt => {
                self.parts.status.doubtful.count();
                tracing::warn!(endpoint = %self.parts.endpoint, %sequence, policy = ?self.parts.manner.in_doubt, "no answer came: the SMSC may or may not have this message");
            }
        }
    }

    /// A message needs nothing more from this lane. If the ring cannot take that down, it is in doubt, and nothing more
    /// may be offered.
    fn done(&mut self, sequence: Sequence, outcome: Outcome) {
        let Some(mt) = &self.parts.mt else { return };
        let Err(misstep) = mt.process_with(sequence, outcome) else {
            return;
        };
        self.broken = match misstep {
            Misstep::Fenced(fence) => Some(fence.into()),
            Misstep::Stopped => Some(misstep.into()),
            Misstep::NotHeld { .. } | Misstep::Beyond { .. } | Misstep::NotDamaged(_) => {
                tracing::error!(ring = %mt.name(), %misstep, "a message was answered that the ring does not hold");
                return;
            }
        };
        tracing::error!(ring = %mt.name(), %sequence, %misstep, "the SMSC's answer to a message cannot be recorded: it is in doubt");
    }

    fn deliver(&mut self, turn: DeliveryTurn, delivery: Delivery) {
        let now = self.clock.now();
        let Some(mo) = &self.parts.mo else {
            self.parts.session.answer(now, turn, Answer::NotNow);
            return;
        };
        let first = std::mem::replace(&mut self.first_delivery, false);
        if is_repeated(mo, &delivery, first) {
            self.parts.status.repeated.count();
            self.parts.session.answer(now, turn, Answer::Stored);
            return;
        }
        match pack(&delivery, self.clock.wall()) {
            Ok(parcels) => {
                self.open = Some(Open {
                    turn,
                    parcels,
                    storing: None,
                    withheld: false,
                });
            }
            Err(refused) => {
                // Nothing that a session makes of a delivery should be too large; if it is, the SMSC keeps it.
                tracing::error!(endpoint = %self.parts.endpoint, %refused, "a delivery does not fit a slot");
                self.parts.session.answer(now, turn, Answer::NotNow);
            }
        }
    }

    /// Begins what can begin. Gives `None` if the session has to be drained first, else when to look again.
    fn advance(&mut self) -> Result<Option<Option<Moment>>, StoreError> {
        if let (Some(open), Some(mo)) = (&mut self.open, &self.parts.mo)
            && open.storing.is_none()
        {
            if mo.look(|array| array.room()) >= open.parcels.len() as u64 {
                let mo = mo.clone();
                let parcels = open.parcels.clone();
                open.storing = Some(Box::pin(async move { mo.append_all(parcels).await }));
            } else if !std::mem::replace(&mut open.withheld, true) {
                self.parts.status.withheld.count();
            }
        }
        let Some(mt) = self.parts.mt.clone() else {
            return Ok(Some(None));
        };
        if let Some(fence) = mt.fence() {
            return Err(fence.into());
        }
        if self.turn.is_none() {
            return Ok(Some(None));
        }
        let now = self.clock.now();
        let (next, in_doubt) = mt.look(|array| (array.next_to_process(), array.in_doubt()));
        match self.courier.next(now, next, in_doubt) {
            Step::Wait(until) => {
                let held = self.courier.held().map(Sequence::get);
                self.show(|state| {
                    state.held = held;
                    state.pausing = until.is_some();
                });
                Ok(Some(until))
            }
            Step::GiveUp(sequence) => {
                self.done(sequence, Outcome::Doubtful);
                Ok(None)
            }
            Step::Offer(sequence) => {
                self.show(|state| state.pausing = false);
                if in_doubt == Some(sequence) {
                    tracing::warn!(ring = %mt.name(), %sequence, "offering a message again that the SMSC may have seen");
                }
                let Some(turn) = self.turn.take() else {
                    return Ok(Some(None));
                };
                if self.parts.in_doubt_mark && in_doubt != Some(sequence) {
                    let ring = mt;
                    self.offering = Some(Offering {
                        sequence,
                        turn,
                        marking: Box::pin(async move { ring.offer(sequence).await }),
                    });
                    Ok(Some(None))
                } else {
                    self.submit(sequence, turn);
                    Ok(None)
                }
            }
        }
    }

    fn stored(&mut self, stored: Result<Vec<Sequence>, StoreError>) -> Result<(), StoreError> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let numbers = stored?;
        self.parts.status.delivered.count();
        self.parts.status.mo_rate.count(self.clock.now());
        tracing::debug!(first = ?numbers.first(), count = numbers.len(), "stored a delivery");
        let now = self.clock.now();
        self.parts.session.answer(now, open.turn, Answer::Stored);
        Ok(())
    }

    fn marked(&mut self, marked: Result<(), StoreError>) -> Result<(), StoreError> {
        let Some(offering) = self.offering.take() else {
            return Ok(());
        };
        marked?;
        self.submit(offering.sequence, offering.turn);
        Ok(())
    }

    fn submit(&mut self, sequence: Sequence, turn: SubmitTurn) {
        let now = self.clock.now();
        let Some(mt) = &self.parts.mt else { return };
        let parcel = mt.look(|array| array.get(sequence).cloned());
        let item = parcel.as_ref().map(Parcel::unpack);
        let refused = |text: &str| Verdict::Done(Outcome::Refused(Refusal::new(None, text)));
        let verdict = match item {
            Some(Ok(Item::Message(message))) => {
                let wall = self.clock.wall();
                match message.valid_until {
                    Some(until) if until <= wall => {
                        self.parts.status.expired.count();
                        Verdict::Done(Outcome::Expired)
                    }
                    until => {
                        let validity = until.map(|until| until.since(wall));
                        self.submitted_at = Some(now);
                        self.parts.session.submit(now, turn, &message, validity);
                        return;
                    }
                }
            }
            Some(Ok(Item::Report(_))) => refused("a report cannot be sent to an SMSC"),
            Some(Err(malformed)) => refused(&malformed.to_string()),
            None => refused("the message is not in the ring"),
        };
        // The turn was not used; it serves the next message.
        self.turn = Some(turn);
        self.courier.unused();
        if let Verdict::Done(outcome) = verdict {
            self.done(sequence, outcome);
        }
    }
}

fn is_repeated(mo: &Ring, delivery: &Delivery, first: bool) -> bool {
    if delivery.key.is_none() {
        return false;
    }
    mo.look(|array| {
        let mut keys = array.recent_keys();
        match delivery.recognition {
            Recognition::Recent => keys.take(KEYS_COMPARED).any(|key| key == delivery.key),
            Recognition::FirstAfterReconnect => first && keys.next() == Some(delivery.key),
        }
    })
}

/// The delivery's items as they go into slots. All parts of one delivery carry its key.
fn pack(
    delivery: &Delivery,
    at: crate::clock::WallTime,
) -> Result<Vec<Parcel>, crate::message::Refused> {
    let key: DeliveryKey = delivery.key;
    delivery
        .items
        .iter()
        .map(|item| Parcel::pack(item, at, key))
        .collect()
}

/// Waits for what may not be there; then it waits for ever.
async fn maybe<T>(future: Option<&mut Pin<Box<dyn Future<Output = T> + Send>>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(instant: Option<std::time::Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}

async fn changed(changes: Option<&mut tokio::sync::watch::Receiver<()>>) {
    let closed = match changes {
        Some(changes) => changes.changed().await.is_err(),
        None => true,
    };
    if closed {
        std::future::pending::<()>().await;
    }
}
