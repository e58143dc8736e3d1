//! One connection's loop: carries packets, keeps time, and has done what the machine asks for.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{mpsc, watch};

use super::PROGRAM;
use super::jobs::{Done, Jobs};
use super::keeper::{Alarm, Keeper};
use super::status::{Board, FarEnd, LineStatus, RingStanding, RingStatus};
use super::waking::Waking;
use crate::clock::{Clock, Moment, WallTime};
use crate::link::transport::{Carrier, Connection, Ended};
use crate::link::{Action, Config, Peer, Reason, Role};
use crate::ring::{NotAdopted, Ring, StoreError};

/// Packets that are taken before anything else is looked at: a burst of the line, and well below a millisecond.
const BURST: usize = 64;
/// What may wait in the carrier before the machine is asked for more: so long as the line takes for it …
const QUEUE_TIME: Duration = Duration::from_millis(5);
/// … and at least so many packets. Whatever is urgent stands behind it.
const LEAST_QUEUE: usize = 2;
/// What a packet may take in a carrier's queue beside its octets, at most.
const DESCRIPTION: usize = 64;
/// When a carrier whose queue is long enough is looked at again.
const LOOK_AGAIN: Duration = Duration::from_micros(500);
/// How long a goodbye may take to be heard.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How often figures are shown. Whoever reads them sees nothing older than this, or than the last thing that happened.
const SHOW_EVERY: Duration = Duration::from_millis(200);

/// What a session tells whoever keeps the link.
pub(super) enum Event {
    /// Both ends know one another; the session carries.
    Opened(FarEnd),
    /// The far end is silent for so long that another connection should be made beside this one.
    Silent,
    /// It spoke again.
    Heard,
    /// The session is over.
    Ended(Ending),
}

/// How a session ended.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    pub(super) cause: Cause,
    /// In words.
    pub(super) words: String,
    pub(super) carrier: Carrier,
    /// How long it lasted.
    pub(super) age: Duration,
    /// The round trip, as measured last.
    pub(super) round_trip: Duration,
    /// When something was heard last.
    pub(super) heard: WallTime,
}

/// What ended a session, as far as dialling is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cause {
    /// We closed it in order.
    Ours,
    /// Nothing was heard.
    Silence,
    /// One end would not have the other.
    Refusal,
    /// Anything else: the line broke, the far end stopped.
    Broken,
}

/// What a session begins with.
pub(super) struct Beginning<K> {
    /// Larger than that of every session before.
    pub(super) number: u64,
    pub(super) role: Role,
    pub(super) identity: String,
    /// Random at each start of the program.
    pub(super) instance: u64,
    pub(super) connection: Connection,
    pub(super) rings: Vec<Ring>,
    pub(super) keeper: Arc<K>,
    pub(super) board: Arc<Board>,
    /// Bounded by the number of sessions: each says few things, and is heard at once.
    pub(super) events: mpsc::UnboundedSender<(u64, Event)>,
    /// A reason here ends it.
    pub(super) orders: watch::Receiver<Option<Reason>>,
}

type Changed = Pin<Box<dyn Future<Output = (usize, watch::Receiver<()>)> + Send>>;

struct Session<K> {
    number: u64,
    clock: Clock,
    connection: Connection,
    rings: Vec<Ring>,
    peer: Peer<Ring>,
    jobs: Jobs<K>,
    keeper: Arc<K>,
    board: Arc<Board>,
    events: mpsc::UnboundedSender<(u64, Event)>,
    began: (Moment, WallTime),
    silent: bool,
    /// The machine closed the connection, at that time.
    closed: Option<(Moment, Reason, bool)>,
    /// The carrier's connection is over.
    ended: Option<Ended>,
    /// The carrier has enough to do until then.
    enough_until: Option<Moment>,
    shown_at: Option<Moment>,
    /// Something that people wait for has changed.
    show_now: bool,
    /// Alarms that were raised: a message that is asked for again and again is one alarm.
    raised: HashSet<Alarm>,
}

/// Runs until the connection is over, and the far end may have heard why.
pub(super) async fn run<K: Keeper>(beginning: Beginning<K>) {
    let mut orders = beginning.orders.clone();
    let mut session = Session::new(beginning);
    let connection = session.connection.clone();
    let mut changes: FuturesUnordered<Changed> = session
        .rings
        .iter()
        .enumerate()
        .map(|(place, ring)| changed(place, ring.changes()))
        .collect();
    let clock = session.clock;
    let mut waking = Waking::new(clock);
    loop {
        session.work();
        if session.is_over() {
            break;
        }
        waking.set(session.deadline());
        tokio::select! {
            packet = connection.recv() => session.take(packet),
            Some((place, receiver)) = changes.next() => {
                session.ring_changed(place);
                changes.push(changed(place, receiver));
            }
            Some(done) = session.jobs.next() => session.done(done),
            () = waking.rings() => {}
            Ok(()) = orders.changed() => {
                if let Some(reason) = orders.borrow_and_update().clone() {
                    session.peer.close(clock.now(), reason);
                }
            }
        }
        // Whatever else is there already is taken along.
        for _ in 0..BURST {
            match connection.recv().now_or_never() {
                Some(packet) => session.take(packet),
                None => break,
            }
            if session.ended.is_some() {
                break;
            }
        }
        while let Some(done) = session.jobs.try_next() {
            session.done(done);
        }
        for _ in 0..session.rings.len() {
            let Some(Some((place, receiver))) = changes.next().now_or_never() else {
                break;
            };
            session.ring_changed(place);
            changes.push(changed(place, receiver));
        }
        tokio::task::consume_budget().await;
    }
    session.end().await;
}

/// Waits for a ring's next change.
fn changed(place: usize, mut receiver: watch::Receiver<()>) -> Changed {
    Box::pin(async move {
        // The ring lives as long as the session has its handle.
        let _lives = receiver.changed().await;
        (place, receiver)
    })
}

impl<K: Keeper> Session<K> {
    fn new(beginning: Beginning<K>) -> Self {
        let clock = Clock::system();
        let now = clock.now();
        let config = Config {
            role: beginning.role,
            identity: beginning.identity,
            far_identity: Some(beginning.connection.peer_name().to_owned()),
            instance: beginning.instance,
            program: PROGRAM.to_owned(),
            max_packet: beginning.connection.max_packet(),
        };
        Self {
            number: beginning.number,
            clock,
            connection: beginning.connection,
            peer: Peer::new(now, config, beginning.rings.clone()),
            jobs: Jobs::new(Arc::clone(&beginning.keeper), beginning.rings.clone()),
            rings: beginning.rings,
            keeper: beginning.keeper,
            board: beginning.board,
            events: beginning.events,
            began: (now, clock.wall()),
            silent: false,
            closed: None,
            ended: None,
            enough_until: None,
            shown_at: None,
            show_now: false,
            raised: HashSet::new(),
        }
    }

    fn tell(&self, event: Event) {
        // Nobody listens any more when the link is dropped; then the orders end this session.
        let _unheard = self.events.send((self.number, event));
    }

    fn alarm(&mut self, alarm: Alarm) {
        if self.raised.insert(alarm.clone()) {
            tracing::error!("{alarm}");
            self.keeper.alarm(alarm);
        }
    }

    fn take(&mut self, packet: Result<bytes::Bytes, Ended>) {
        match packet {
            Ok(packet) => self.peer.handle_packet(self.clock.now(), packet),
            Err(ended) => self.ended = Some(ended),
        }
    }

    fn ring_changed(&mut self, place: usize) {
        self.peer.ring_changed(self.clock.now(), place);
    }

    /// Does all that can be done now.
    fn work(&mut self) {
        let now = self.clock.now();
        if self.peer.poll_timeout().is_some_and(|at| at <= now) {
            self.peer.handle_timeout(now);
        }
        loop {
            self.transmit(now);
            let Some(action) = self.peer.poll_action() else {
                break;
            };
            self.act(now, action);
            while let Some(action) = self.peer.poll_action() {
                self.act(now, action);
            }
        }
        let suspicious = self.peer.suspicious_at().is_some_and(|at| at <= now);
        if suspicious != self.silent {
            self.silent = suspicious;
            self.tell(if suspicious {
                Event::Silent
            } else {
                Event::Heard
            });
        }
        let due = self.shown_at.is_none_or(|at| now - at >= SHOW_EVERY);
        if due || std::mem::take(&mut self.show_now) {
            self.show(now);
        }
    }

    /// Hands packets to the carrier, until the machine has none or the carrier has enough.
    fn transmit(&mut self, now: Moment) {
        self.enough_until = None;
        let longest = self.connection.max_packet();
        let rate = self.peer.statistics().rate;
        let in_time = rate * QUEUE_TIME.as_micros() as u64 / 1_000_000;
        let enough = (in_time as usize).max(LEAST_QUEUE * longest);
        // What the carrier sends meanwhile makes more room; it is asked again when what it had is used up.
        let (mut queued, mut room) = (self.connection.queued(), self.connection.room());
        loop {
            if queued >= enough || room < longest {
                (queued, room) = (self.connection.queued(), self.connection.room());
            }
            if queued >= enough {
                self.enough_until = Some(now + LOOK_AGAIN);
                return;
            }
            if room < longest {
                self.enough_until = Some(now + LOOK_AGAIN);
            }
            let Some(packet) = self.peer.poll_transmit(now, room.min(longest)) else {
                return;
            };
            let takes = packet.len() + DESCRIPTION;
            queued += takes;
            room = room.saturating_sub(takes);
            if let Err(error) = self.connection.send(packet) {
                // The machine finds out that it did not arrive; why, is of interest here only.
                tracing::debug!(%error, "a packet was not taken by the carrier");
            }
        }
    }

    fn act(&mut self, now: Moment, action: Action) {
        match action {
            Action::Opened {
                identity,
                program,
                instance,
            } => {
                tracing::info!(
                    far = identity,
                    %program,
                    carrier = self.connection.carrier().as_str(),
                    address = %self.connection.remote_address(),
                    "the link is up"
                );
                self.tell(Event::Opened(FarEnd {
                    identity,
                    program,
                    instance,
                }));
                self.show_now = true;
            }
            Action::RingOpen { ring } => {
                tracing::debug!(ring = %self.rings[ring].name(), "takes part");
                self.show_now = true;
            }
            Action::RingShut { ring, shut } => {
                let by = if shut.by_far_end {
                    "the far end says: "
                } else {
                    ""
                };
                self.alarm(Alarm::Shut {
                    ring: self.rings[ring].name().clone(),
                    why: format!("{by}{}", shut.reason),
                });
                self.show_now = true;
            }
            Action::Fence { ring, fence } => self.jobs.fence(ring, fence),
            Action::Adopt { ring, epoch } => self.jobs.adopt(ring, epoch),
            Action::Store { ring, parcels } => self.jobs.store(ring, parcels),
            Action::Repair {
                ring,
                sequence,
                parcel,
            } => self.jobs.repair(ring, sequence, parcel),
            Action::Outcomes { ring, told } => self.jobs.keep(ring, told),
            Action::Lost { ring, sequence } => self.alarm(Alarm::Lost {
                ring: self.rings[ring].name().clone(),
                sequence,
            }),
            Action::BadChecksum { ring, sequence } => self.alarm(Alarm::BadChecksum {
                ring: self.rings[ring].name().clone(),
                sequence,
            }),
            Action::Closed { reason, by_far_end } => {
                self.closed = Some((now, reason, by_far_end));
            }
        }
    }

    fn done(&mut self, done: Done) {
        let now = self.clock.now();
        match done {
            Done::Stored {
                ring,
                taken,
                refused,
                failed,
            } => {
                if !taken.is_empty() {
                    self.peer.stored(now, ring, &taken);
                }
                if !refused.is_empty() {
                    self.peer.not_stored(now, ring, &refused);
                }
                if let Some(why) = failed {
                    let waiting = self.jobs.forget(ring);
                    self.peer.not_stored(now, ring, &waiting);
                    self.store_failed(now, ring, &why);
                }
            }
            Done::Kept { ring, sequences } => self.peer.outcomes_taken(now, ring, &sequences),
            Done::Repaired {
                ring,
                sequence,
                result,
            } => match result {
                Ok(()) => {
                    tracing::info!(ring = %self.rings[ring].name(), %sequence, "repaired from the far end's copy");
                    self.peer.ring_changed(now, ring);
                }
                // Another connection was faster.
                Err(StoreError::Misstep(_)) => self.peer.ring_changed(now, ring),
                Err(why) => self.store_failed(now, ring, &why),
            },
            Done::Adopted { ring, result } => match result {
                Ok(()) => {
                    tracing::info!(ring = %self.rings[ring].name(), "took its origin's epoch");
                    self.peer.adopted(now, ring, self.rings[ring].clone());
                }
                Err(NotAdopted::Failed(why)) => self.store_failed(now, ring, &why),
                // The ring has changed meanwhile; the machine looks at it again.
                Err(NotAdopted::Used) => {
                    self.peer.adopted(now, ring, self.rings[ring].clone());
                }
                Err(NotAdopted::Fenced(_)) => self.peer.ring_changed(now, ring),
            },
            Done::Fenced { ring, result } => {
                if let Err(why) = result {
                    self.store_failed(now, ring, &why);
                }
            }
        }
    }

    /// What a failed write means for a ring on this connection.
    fn store_failed(&mut self, now: Moment, ring: usize, why: &StoreError) {
        match why {
            StoreError::Failed(words) => {
                self.alarm(Alarm::NotKept {
                    ring: self.rings[ring].name().clone(),
                    why: words.to_string(),
                });
                self.peer.ring_failed(now, ring, words);
            }
            // The ring says so itself, and the machine looks.
            StoreError::Fenced(_) => self.peer.ring_changed(now, ring),
            // It comes again.
            StoreError::Full(_) | StoreError::Misstep(_) | StoreError::Adopting => {}
        }
    }

    fn deadline(&self) -> Option<Moment> {
        let suspicion = self.peer.suspicious_at().filter(|_| !self.silent);
        let last_words = self.closed.as_ref().map(|(at, ..)| *at + LAST_WORDS);
        [
            self.peer.poll_timeout(),
            self.enough_until,
            suspicion,
            last_words,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn is_over(&self) -> bool {
        let Some((at, reason, by_far_end)) = &self.closed else {
            return self.ended.is_some();
        };
        // Nobody would hear a goodbye where nothing is heard.
        *by_far_end
            || self.ended.is_some()
            || self.peer.is_gone()
            || matches!(reason, Reason::Silence(_))
            || self.clock.now() - *at >= LAST_WORDS
    }

    fn show(&mut self, now: Moment) {
        self.shown_at = Some(now);
        let seen = self.peer.statistics();
        let stats = self.connection.stats();
        let line = LineStatus {
            carrier: self.connection.carrier(),
            address: self.connection.remote_address(),
            connected_at: self.began.1,
            as_of: self.clock.wall(),
            heard_at: seen.heard_at.map(|at| self.wall(at)),
            round_trip: seen.round_trip,
            loss: seen.loss,
            rate: seen.rate,
            packets_sent: stats.packets_taken,
            packets_received: stats.packets_received,
            octets_sent: stats.octets_sent,
            octets_received: stats.octets_received,
            queued: self.connection.queued(),
        };
        let rings = self
            .rings
            .iter()
            .enumerate()
            .map(|(place, ring)| RingStatus {
                name: ring.name().clone(),
                standing: match self.peer.ring_standing(place) {
                    Ok(true) => RingStanding::Open,
                    Ok(false) => RingStanding::Waiting,
                    Err(shut) => RingStanding::Shut(shut.reason.to_string()),
                },
                far: self.peer.far(place),
            })
            .collect();
        self.board.figures(self.number, line, rings);
    }

    fn wall(&self, at: Moment) -> WallTime {
        self.began.1 + (at - self.began.0)
    }

    fn ending(&self) -> Ending {
        let (cause, words) = match (&self.closed, &self.ended) {
            (Some((_, reason, by_far_end)), _) => {
                let cause = match reason {
                    Reason::Silence(_) => Cause::Silence,
                    reason if reason.is_refusal() => Cause::Refusal,
                    Reason::Stopping | Reason::Replaced if !by_far_end => Cause::Ours,
                    _ => Cause::Broken,
                };
                let words = if *by_far_end {
                    format!("the far end said goodbye: {reason}")
                } else {
                    reason.to_string()
                };
                (cause, words)
            }
            (None, Some(ended @ Ended::Refused(_))) => (Cause::Refusal, ended.to_string()),
            (None, Some(ended)) => (Cause::Broken, ended.to_string()),
            (None, None) => unreachable!("a session ends for one reason or the other"),
        };
        Ending {
            cause,
            words,
            carrier: self.connection.carrier(),
            age: self.clock.now() - self.began.0,
            round_trip: self
                .peer
                .statistics()
                .round_trip
                .unwrap_or_else(|| self.connection.rtt()),
            heard: self
                .peer
                .statistics()
                .heard_at
                .map_or(self.began.1, |at| self.wall(at)),
        }
    }

    async fn end(mut self) {
        let ending = self.ending();
        let far = self.connection.peer_name().to_owned();
        let words = &ending.words;
        match ending.cause {
            Cause::Ours => tracing::info!(far, "the connection was closed: {words}"),
            Cause::Silence | Cause::Broken => {
                tracing::warn!(far, "the connection is over: {words}");
            }
            Cause::Refusal => self.alarm(Alarm::Refused {
                why: format!("the connection with {far} was cut off: {words}"),
            }),
        }
        self.show(self.clock.now());
        let reason = match &self.closed {
            Some((_, reason, _)) => reason.to_string(),
            None => words.clone(),
        };
        self.connection.close(&reason);
        self.tell(Event::Ended(ending));
        self.connection.flushed().await;
    }
}
