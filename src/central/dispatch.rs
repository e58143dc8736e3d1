//! Puts what waits for phones on lanes: one task for all of central, around [`Router`] and [`Waiting`].
//!
//! A message goes from the backlog to a ring, and the order is always the same: its parts are appended to the ring,
//! durably and all at once, marked with its identity; then it is taken out of the backlog, durably; then the lane may be
//! given more. A crash between the two leaves it in both, and at the next start its mark in the ring says so ([`found`]).
//! So at most the last batch of a lane is in both, and that lies within the lap whose marks a ring remembers.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use super::config::CentralConfig;
use super::cutting::{Cutter, Letter};
use super::ledger::{Ledger, LedgerError, Placed, Queued};
use super::mark::Mark;
use super::plan::{lane_spec, routes};
use super::router::{LaneId, RouteId, Router};
use super::waiting::{Entry, Next, Waiting};
use crate::clock::Clock;
use crate::lane::{Lane, SLOTS, Sequence};
use crate::link::driver::{LinkStatus, Phase, RingStanding};
use crate::message::{Item, Outcome, Party, Refusal};
use crate::progress::{Motion, Progress, Watch};
use crate::ring::{Array, Parcel, Ring, StoreError};
use crate::text::Reference;

/// How often lanes are looked at even if nothing happens: whether they move, and whether something expires.
const LOOK: Duration = Duration::from_secs(1);

/// The most messages that one batch puts on a lane.
const BATCH: usize = 64;

/// How long a lane is left alone after it refused a batch.
const RETRY: Duration = Duration::from_secs(1);

/// A slot has become free: the lane, and the pair whose message it held.
pub(super) type Freed = (Ring, (Party, Party));

/// What stands on a lane already, as its marks say at the start.
#[derive(Clone, Debug)]
struct Found {
    lane: usize,
    /// Its parts by number, and where they lie.
    parts: BTreeMap<u8, Sequence>,
    total: u8,
    /// That of its parts, if it was cut.
    reference: Option<Reference>,
}

/// How a lane stands, for status.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// Which.
    pub lane: Lane,
    /// Whether messages are put on it.
    pub up: bool,
    /// For how long nothing has moved though something should, if so.
    pub stuck_for: Option<Duration>,
    /// How many parts it has under way.
    pub under_way: u64,
}

struct Port {
    ring: Ring,
    link: watch::Receiver<LinkStatus>,
    watch: Watch,
    stuck_for: Option<Duration>,
    /// A batch is being appended, or was refused a moment ago.
    busy: bool,
}

impl Port {
    /// Why nothing is put on this lane, if so.
    fn why_down(&self) -> Option<String> {
        if let Some(fence) = self.ring.fence() {
            return Some(format!("its ring is fenced: {fence}"));
        }
        {
            let link = self.link.borrow();
            if link.phase != Phase::Up {
                return Some(format!("the link to its edge is {}", link.phase.as_str()));
            }
            let standing = link
                .rings
                .iter()
                .find(|ring| ring.name == *self.ring.name())
                .map(|ring| &ring.standing);
            match standing {
                Some(RingStanding::Open) => {}
                Some(RingStanding::Shut(why)) => return Some(why.clone()),
                Some(RingStanding::Waiting) | None => {
                    return Some(String::from("the edge has not shown its side of the ring"));
                }
            }
        }
        self.stuck_for
            .map(|stood| format!("nothing has moved on it for {} s", stood.as_secs()))
    }
}

/// The task's state.
pub(super) struct Dispatch {
    ledger: Arc<Ledger>,
    config: watch::Receiver<Arc<CentralConfig>>,
    clock: Clock,
    ports: Vec<Port>,
    router: Router,
    waiting: Waiting<Queued>,
    /// How far each route has read the backlog.
    cursors: Vec<u64>,
    cutter: Cutter,
    found: HashMap<u128, Found>,
    /// In the backlog and on their way to a ring at this moment.
    placing: HashSet<u128>,
    work: JoinSet<Worked>,
    outlook: watch::Sender<Vec<Outlook>>,
    drained: watch::Receiver<BTreeSet<Lane>>,
    wake: Arc<Notify>,
}

/// What a lane's batch came to.
enum Worked {
    Placed {
        lane: usize,
        ids: Vec<u128>,
    },
    Refused {
        lane: usize,
        batch: Vec<Entry<Queued>>,
        why: StoreError,
    },
    /// In the ring, and not out of the backlog: nothing more is put on this lane before a restart.
    Unrecorded {
        why: LedgerError,
    },
    Rested {
        lane: usize,
    },
}

impl Dispatch {
    /// Looks into the rings, and is ready to run. No message of these rings may be handed on before this returns.
    pub(super) fn new(
        ledger: Arc<Ledger>,
        config: watch::Receiver<Arc<CentralConfig>>,
        rings: Vec<(Ring, watch::Receiver<LinkStatus>)>,
        outlook: watch::Sender<Vec<Outlook>>,
        drained: watch::Receiver<BTreeSet<Lane>>,
    ) -> Self {
        let now = config.borrow().clone();
        let patience = now.backlog.fail_over_after;
        let ports: Vec<Port> = rings
            .into_iter()
            .map(|(ring, link)| Port {
                ring,
                link,
                watch: Watch::new(patience),
                stuck_for: None,
                busy: false,
            })
            .collect();
        let specs = ports
            .iter()
            .map(|port| lane_spec(&now, &drained.borrow(), &port.ring))
            .collect();
        let routes = routes(&now);
        let mut dispatch = Self {
            ledger,
            config,
            clock: Clock::system(),
            router: Router::new(specs, &routes, patience),
            // One more, for what has no route.
            waiting: Waiting::new(routes.len() + 1),
            cursors: vec![0; routes.len() + 1],
            ports,
            cutter: Cutter::default(),
            found: HashMap::new(),
            placing: HashSet::new(),
            work: JoinSet::new(),
            outlook,
            drained,
            wake: Arc::new(Notify::new()),
        };
        for lane in 0..dispatch.ports.len() {
            dispatch.look_into(lane);
        }
        dispatch
    }

    /// What lies in a ring at the start: pairs that are under way, and messages that may still be in the backlog.
    fn look_into(&mut self, lane: usize) {
        let items: Vec<(Sequence, Option<Mark>, Option<Parcel>)> =
            self.ports[lane].ring.look(|array| {
                let newest = array.marks().retrieved.up_to().get();
                array
                    .recent_keys()
                    .enumerate()
                    .map(|(back, key)| {
                        let sequence = Sequence::new(newest - back as u64);
                        (sequence, Mark::read(key), array.get(sequence).cloned())
                    })
                    .collect()
            });
        for (sequence, mark, parcel) in items.into_iter().rev() {
            let message = parcel.and_then(|parcel| match parcel.unpack() {
                Ok(Item::Message(message)) => Some(message),
                Ok(Item::Report(_)) | Err(_) => None,
            });
            let reference = message
                .as_ref()
                .and_then(|message| message.body.header().as_concat())
                .map(Reference::of);
            if let Some(message) = message {
                self.router
                    .took(LaneId(lane), (message.sender, message.recipient), 1);
            }
            if let Some(mark) = mark {
                let found = self.found.entry(mark.id).or_insert_with(|| Found {
                    lane,
                    parts: BTreeMap::new(),
                    total: mark.total,
                    reference: None,
                });
                found.parts.insert(mark.part, sequence);
                found.reference = found.reference.or(reference);
            }
        }
    }

    /// Runs until it is dropped, or the ledger takes nothing more.
    pub(super) async fn run(mut self, mut freed: mpsc::UnboundedReceiver<Freed>) -> LedgerError {
        let _watchers = self.watch_all();
        let mut arrivals = self.ledger.arrivals();
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let wake = self.wake.clone();
        loop {
            if let Err(why) = self.step().await {
                return why;
            }
            tokio::select! {
                biased;
                Some(freed) = freed.recv() => self.free(freed),
                Some(worked) = self.work.join_next() => {
                    match worked {
                        Ok(worked) => if let Some(why) = self.worked(worked) { return why },
                        Err(panicked) if panicked.is_panic() => std::panic::resume_unwind(panicked.into_panic()),
                        Err(_stopped) => {}
                    }
                }
                changed = self.config.changed() => if changed.is_ok() { self.reconfigure() },
                changed = self.drained.changed() => if changed.is_ok() { self.reconfigure() },
                arrived = arrivals.changed() => if arrived.is_ok() { self.waiting.more() },
                () = wake.notified() => {}
                _ = look.tick() => self.look(),
            }
            while let Ok(more) = freed.try_recv() {
                self.free(more);
            }
        }
    }

    /// Everything that a change of a ring or a link can concern wakes the task.
    fn watch_all(&self) -> JoinSet<()> {
        let mut watchers = JoinSet::new();
        for port in &self.ports {
            let (mut changes, mut link) = (port.ring.changes(), port.link.clone());
            let wake = self.wake.clone();
            watchers.spawn(async move {
                loop {
                    let changed = tokio::select! {
                        changed = changes.changed() => changed.is_ok(),
                        changed = link.changed() => changed.is_ok(),
                    };
                    if !changed {
                        return;
                    }
                    wake.notify_one();
                }
            });
        }
        watchers
    }

    fn free(&mut self, (ring, pair): Freed) {
        let place = self
            .ports
            .iter()
            .position(|port| port.ring.name() == ring.name());
        if let Some(lane) = place {
            self.router.done(LaneId(lane), &pair);
        }
    }

    /// Looks whether lanes move.
    fn look(&mut self) {
        let now = self.clock.now();
        for port in &mut self.ports {
            let progress = port.ring.look(|array| Progress {
                due: !array.is_idle(),
                steps: array.marks().processed.up_to().get(),
            });
            let stuck = match port.watch.look(now, progress) {
                Motion::Stuck(stood) => Some(stood),
                Motion::Idle | Motion::Moving => None,
            };
            match (port.stuck_for, stuck) {
                (None, Some(stood)) => {
                    tracing::warn!(lane = %port.ring.name().lane, stood_s = stood.as_secs(), "nothing moves on this lane; what waits takes others where its order allows");
                }
                (Some(_), None) => {
                    tracing::info!(lane = %port.ring.name().lane, "the lane moves again");
                }
                _ => {}
            }
            port.stuck_for = stuck;
        }
    }

    fn reconfigure(&mut self) {
        let config = self.config.borrow_and_update().clone();
        self.drained.borrow_and_update();
        let routes = routes(&config);
        for (place, port) in self.ports.iter().enumerate() {
            let spec = lane_spec(&config, &self.drained.borrow(), &port.ring);
            self.router.respecify(LaneId(place), spec);
        }
        self.router.reroute(&routes);
        // What is in the windows was sorted by the old routes; it is in the backlog too, but for what is being placed.
        self.waiting = Waiting::new(routes.len() + 1);
        self.cursors = vec![0; routes.len() + 1];
        self.wake.notify_one();
    }

    /// Does all that can be done now.
    async fn step(&mut self) -> Result<(), LedgerError> {
        let now = self.clock.now();
        let mut outlook = Vec::with_capacity(self.ports.len());
        for (place, port) in self.ports.iter().enumerate() {
            let why = port.why_down();
            let up = why.is_none();
            if up != self.router.is_up(LaneId(place)) {
                let lane = &port.ring.name().lane;
                match &why {
                    None => tracing::info!(%lane, "texts are put on this lane"),
                    Some(why) => tracing::warn!(%lane, why, "no texts are put on this lane"),
                }
            }
            let room = if port.busy {
                0
            } else {
                port.ring.look(Array::room)
            };
            self.router.set_up(now, LaneId(place), up);
            self.router.set_room(LaneId(place), room);
            outlook.push(Outlook {
                lane: port.ring.name().lane.clone(),
                up,
                stuck_for: port.stuck_for,
                under_way: self.router.under_way(LaneId(place)),
            });
        }
        self.outlook.send_replace(outlook);
        self.read_backlog().await?;
        self.give_out().await
    }

    /// Fills the windows that want more, a page each: a long backlog must not hold up what can go now.
    async fn read_backlog(&mut self) -> Result<(), LedgerError> {
        for place in 0..self.cursors.len() {
            let route = RouteId(place);
            if let Some(most) = self.waiting.wants(route) {
                let page = self.ledger.page(self.cursors[place], most)?;
                let complete = page.is_empty();
                let mut entries = Vec::with_capacity(page.len());
                for queued in page {
                    self.cursors[place] = queued.place;
                    if self.route_of(&queued.letter) != route
                        || self.placing.contains(&queued.letter.id)
                    {
                        continue;
                    }
                    match self.found.remove(&queued.letter.id) {
                        Some(found) => self.resume(route, queued, found).await?,
                        None => entries.push(self.entry(queued)),
                    }
                }
                self.waiting.fill(route, entries, complete);
                if self.waiting.wants(route).is_some() {
                    self.wake.notify_one();
                }
            }
        }
        Ok(())
    }

    fn route_of(&self, letter: &Letter) -> RouteId {
        let route = match &letter.recipient {
            Party::Phone(number) => self.router.route(number),
            Party::ShortCode(_) | Party::Name(_) | Party::User(_) | Party::Carrier(_) => None,
        };
        route.unwrap_or(RouteId(self.cursors.len() - 1))
    }

    fn entry(&self, queued: Queued) -> Entry<Queued> {
        let cost = crate::text::Cost::of(queued.letter.text.expose(), crate::text::Width::Narrow);
        Entry {
            pair: (
                queued.letter.sender.clone(),
                queued.letter.recipient.clone(),
            ),
            parts: cost.parts as u64,
            valid_until: queued.letter.valid_until,
            tag: queued,
        }
    }

    /// A message of the backlog that a ring has already: it was on its way when central ended. What is missing of it is
    /// put behind what is there.
    async fn resume(
        &mut self,
        route: RouteId,
        queued: Queued,
        found: Found,
    ) -> Result<(), LedgerError> {
        let ring = self.ports[found.lane].ring.clone();
        let mut sequences = found.parts.clone();
        if sequences.len() < usize::from(found.total) {
            let missing: Vec<Parcel> = self
                .cutter
                .cut(&queued.letter, found.reference, self.clock.wall())
                .unwrap_or_default()
                .into_iter()
                .filter(|parcel| {
                    Mark::read(parcel.key).is_some_and(|mark| !found.parts.contains_key(&mark.part))
                })
                .collect();
            let parts: Vec<u8> = missing
                .iter()
                .filter_map(|parcel| Mark::read(parcel.key))
                .map(|mark| mark.part)
                .collect();
            tracing::warn!(ring = %ring.name(), missing = parts.len(), "a message was on its way to the ring when central ended; the rest of it follows");
            ring.room().await;
            match ring.append_all(missing).await {
                Ok(numbers) => sequences.extend(parts.into_iter().zip(numbers)),
                Err(why) => {
                    // The ring is shut or its file failed: it is found again when that is over.
                    tracing::error!(ring = %ring.name(), %why, "the rest of a message could not be put into the ring");
                    let entry = self.entry(queued);
                    self.waiting.put_back(route, vec![entry]);
                    return Ok(());
                }
            }
        }
        let placed = Placed {
            queued,
            ring,
            sequences: sequences.into_values().collect(),
        };
        self.ledger.placed(vec![placed]).await
    }

    /// Puts on lanes what can go.
    async fn give_out(&mut self) -> Result<(), LedgerError> {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let nowhere = RouteId(self.cursors.len() - 1);
        while let Some(entry) = self.waiting.take_first(nowhere) {
            let why = Refusal::new(None, "no route leads to this number");
            self.ledger.failed(entry.tag, Outcome::Refused(why)).await?;
        }
        let mut batches: BTreeMap<usize, Vec<Entry<Queued>>> = BTreeMap::new();
        let mut count = 0;
        while count < BATCH * self.ports.len().max(1) {
            let Some((_, next)) = self.waiting.next(&mut self.router, now, wall) else {
                break;
            };
            match next {
                Next::Expired(entry) => self.ledger.failed(entry.tag, Outcome::Expired).await?,
                Next::Send(LaneId(lane), entry) => {
                    count += 1;
                    let batch = batches.entry(lane).or_default();
                    batch.push(entry);
                    if batch.len() >= BATCH {
                        self.router.set_room(LaneId(lane), 0);
                    }
                }
            }
        }
        for (lane, batch) in batches {
            self.put(lane, batch).await?;
        }
        Ok(())
    }

    /// Has a batch put into a ring and taken out of the backlog.
    async fn put(&mut self, lane: usize, batch: Vec<Entry<Queued>>) -> Result<(), LedgerError> {
        let wall = self.clock.wall();
        let mut parcels = Vec::with_capacity(batch.len());
        let mut whole = Vec::with_capacity(batch.len());
        for entry in batch {
            match self.cutter.cut(&entry.tag.letter, None, wall) {
                Ok(parts) => {
                    self.placing.insert(entry.tag.letter.id);
                    whole.push((entry, parts.len()));
                    parcels.extend(parts);
                }
                Err(refused) => {
                    for _ in 0..entry.parts {
                        self.router.done(LaneId(lane), &entry.pair);
                    }
                    let why = Refusal::new(None, &refused.to_string());
                    self.ledger.failed(entry.tag, Outcome::Refused(why)).await?;
                }
            }
        }
        if parcels.is_empty() {
            return Ok(());
        }
        debug_assert!(parcels.len() as u64 <= SLOTS, "the router saw the room");
        let port = &mut self.ports[lane];
        port.busy = true;
        let (ring, ledger) = (port.ring.clone(), self.ledger.clone());
        self.work.spawn(async move {
            let numbers = match ring.append_all(parcels).await {
                Ok(numbers) => numbers,
                Err(why) => {
                    let batch = whole.into_iter().map(|(entry, _)| entry).collect();
                    return Worked::Refused { lane, batch, why };
                }
            };
            let ids = whole.iter().map(|(entry, _)| entry.tag.letter.id).collect();
            let mut numbers = numbers.into_iter();
            let placed = whole
                .into_iter()
                .map(|(entry, parts)| Placed {
                    queued: entry.tag,
                    ring: ring.clone(),
                    sequences: numbers.by_ref().take(parts).collect(),
                })
                .collect();
            match ledger.placed(placed).await {
                Ok(()) => Worked::Placed { lane, ids },
                Err(why) => Worked::Unrecorded { why },
            }
        });
        Ok(())
    }

    /// Gives the reason if nothing can go on.
    fn worked(&mut self, worked: Worked) -> Option<LedgerError> {
        match worked {
            Worked::Placed { lane, ids } => {
                for id in ids {
                    self.placing.remove(&id);
                }
                self.ports[lane].busy = false;
            }
            Worked::Refused { lane, batch, why } => {
                tracing::warn!(lane = %self.ports[lane].ring.name().lane, %why, "the ring takes nothing now; what was meant for it waits");
                let mut by_route: BTreeMap<RouteId, Vec<Entry<Queued>>> = BTreeMap::new();
                for entry in batch {
                    for _ in 0..entry.parts {
                        self.router.done(LaneId(lane), &entry.pair);
                    }
                    self.placing.remove(&entry.tag.letter.id);
                    // Routes may be others by now.
                    let route = self.route_of(&entry.tag.letter);
                    by_route.entry(route).or_default().push(entry);
                }
                for (route, entries) in by_route {
                    self.waiting.put_back(route, entries);
                }
                self.work.spawn(async move {
                    tokio::time::sleep(RETRY).await;
                    Worked::Rested { lane }
                });
            }
            Worked::Rested { lane } => self.ports[lane].busy = false,
            Worked::Unrecorded { why } => return Some(why),
        }
        None
    }
}
