//! Central from its start to its stop.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::arrivals;
use super::config::CentralConfig;
use super::desk::{Desk, DeskError};
use super::dispatch::{Dispatch, Outlook};
use super::errands;
use super::keeper::CentralKeeper;
use super::ledger::{Ledger, LedgerError};
use super::plan::origins;
use super::service::{LAST_TURN, Service, ServiceError};
use crate::clock::WallTime;
use crate::im::door::ServiceHandle;
use crate::im::door::config::DoorError;
use crate::lane::Lane;
use crate::link::driver::{Alarm, CentralLinks, LinkStatus, Phase};
use crate::link::pki::{CentralIdentity, PkiError};
use crate::link::transport::{ListenError, Listener};
use crate::ring::life::{self, Kept, Opener, Rings};
use crate::ring::{Report, Ring, RingError};
use crate::store::{Store, StoreError};

/// How long links and clients have for their goodbye, the rings for their last state, and the store for its last words.
/// Together with the IM service's last turn they stay below the five seconds that a stop may take.
const GOODBYE: Duration = Duration::from_millis(1200);
const LAST_SYNC: Duration = Duration::from_secs(1);
const LAST_WORDS: Duration = Duration::from_secs(2);
const _: () = assert!(
    LAST_TURN.as_millis() + GOODBYE.as_millis() + LAST_SYNC.as_millis() + LAST_WORDS.as_millis()
        < 5000
);

/// How often what waits for something that may never come is looked after.
const HOUSE: Duration = Duration::from_secs(1);

/// How long central rests after the store had no room.
const REST: Duration = Duration::from_secs(5);

/// Why central does not start, or ends by itself.
#[derive(Debug, thiserror::Error)]
pub enum CentralError {
    /// Its ring file cannot be opened.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// Its store cannot be opened, or takes nothing more.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the store holds cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Its authority cannot be read.
    #[error(transparent)]
    Identity(#[from] PkiError),
    /// It cannot listen for edges.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// It cannot listen for programs.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// It cannot listen for clients of the IM service.
    #[error(transparent)]
    Door(#[from] DoorError),
}

impl From<ServiceError> for CentralError {
    fn from(why: ServiceError) -> Self {
        match why {
            ServiceError::Store(why) => Self::Store(why),
            ServiceError::Door(why) => Self::Door(why),
        }
    }
}

/// The rings that the links may use now.
type Shown = Arc<Mutex<Vec<Ring>>>;

/// A running central.
pub struct Central {
    config: watch::Sender<Arc<CentralConfig>>,
    ledger: Arc<Ledger>,
    store: Store,
    rings: watch::Receiver<Rings>,
    outlook: watch::Receiver<Vec<Outlook>>,
    links: Mutex<Option<Arc<CentralLinks>>>,
    keeper: Arc<CentralKeeper>,
    found: Vec<Report>,
    desk: Mutex<Option<Desk>>,
    service: Option<Service>,
    works: Mutex<Option<JoinHandle<()>>>,
    failure: tokio::sync::Mutex<oneshot::Receiver<CentralError>>,
    file: JoinHandle<()>,
    drained: watch::Sender<BTreeSet<Lane>>,
    name: String,
}

impl Central {
    /// Starts central: it listens when this returns, whether or not any edge calls.
    pub async fn start(config: CentralConfig) -> Result<Self, CentralError> {
        let opener = life::opener(config.ring_file(), config.rings());
        Self::start_on(config, opener).await
    }

    /// The same, with rings on any storage.
    pub async fn start_on(config: CentralConfig, opener: Opener) -> Result<Self, CentralError> {
        let identity = CentralIdentity::load(&config.link.directory)?;
        let name = identity.name().to_owned();
        let store = Store::open(&config.store.directory, &config.store)?;
        let (config, watched) = watch::channel(Arc::new(config));
        let ledger = Arc::new(Ledger::open(store.clone(), watched.clone())?);
        let Kept {
            rings,
            found,
            task: file,
        } = life::begin(opener)?;
        let now = config.borrow().clone();
        let listener = Listener::bind(identity, now.link.clone())?;
        let desk = Desk::open(
            &now.desk.socket,
            now.desk.mode,
            now.desk.connections,
            ledger.clone(),
        )?;
        let service = match now.im.clone() {
            Some(im) => Some(Service::open(im, &store, &ledger).await?),
            None => None,
        };
        let keeper = Arc::new(CentralKeeper::new(ledger.clone()));
        let shown = Shown::default();
        let of_edge = shown.clone();
        let links = CentralLinks::start(
            listener,
            move |edge| {
                let shown = of_edge.lock().unwrap_or_else(PoisonError::into_inner);
                let theirs = shown.iter().filter(|ring| ring.name().lane.edge() == edge);
                theirs.cloned().collect()
            },
            keeper.clone(),
        );
        let links = Arc::new(links);
        let (look_out, outlook) = watch::channel(Vec::new());
        let drain = watch::Sender::new(BTreeSet::new());
        let works = Works {
            ledger: ledger.clone(),
            config: watched,
            rings: rings.clone(),
            links: links.clone(),
            keeper: keeper.clone(),
            shown,
            outlook: look_out,
            drained: drain.subscribe(),
            // Without phones there is nothing that it could be given.
            service: service
                .as_ref()
                .filter(|service| service.has_phones())
                .map(|service| service.handle().clone()),
        };
        let (fail, failure) = oneshot::channel();
        let failing = store.clone();
        let works = tokio::spawn(async move {
            let why = works.run(failing).await;
            // Nobody hears it only when central is stopping anyway.
            let _unheard = fail.send(why);
        });
        Ok(Self {
            config,
            ledger,
            store,
            rings,
            outlook,
            links: Mutex::new(Some(links)),
            keeper,
            found,
            desk: Mutex::new(Some(desk)),
            service,
            works: Mutex::new(Some(works)),
            failure: tokio::sync::Mutex::new(failure),
            file,
            drained: drain,
            name,
        })
    }

    /// What central has promised.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// The IM service, if there is one.
    pub(super) const fn service(&self) -> Option<&Service> {
        self.service.as_ref()
    }

    /// The configuration as of now.
    pub fn config(&self) -> Arc<CentralConfig> {
        self.config.borrow().clone()
    }

    pub(super) fn rings(&self) -> Rings {
        self.rings.borrow().clone()
    }

    /// How the lanes stand.
    pub fn outlook(&self) -> Vec<Outlook> {
        self.outlook.borrow().clone()
    }

    /// The link to each edge that is configured or was ever here.
    pub fn links(&self) -> Vec<(String, LinkStatus)> {
        let config = self.config();
        let Some(links) = locked(&self.links).clone() else {
            return Vec::new();
        };
        let mut edges: BTreeSet<String> = links.edges().into_iter().collect();
        edges.extend(config.edges.iter().map(|edge| edge.name.clone()));
        edges
            .into_iter()
            .map(|edge| {
                let status = links.status(&edge).unwrap_or_default();
                (edge, status)
            })
            .collect()
    }

    /// Whether an edge is connected.
    pub(super) fn is_linked(&self, edge: &str) -> bool {
        let links = locked(&self.links).clone();
        let status = links.and_then(|links| links.status(edge));
        status.is_some_and(|status| status.phase == Phase::Up)
    }

    /// Its name, as its certificate says.
    pub(super) fn name(&self) -> String {
        self.name.clone()
    }

    /// Whether an operator lets a lane run empty.
    pub(super) fn drains(&self, lane: &Lane) -> bool {
        self.drained.borrow().contains(lane)
    }

    /// Puts no texts on a lane any more, or does so again.
    pub(super) fn drain(&self, lane: &Lane, draining: bool) -> Result<(), String> {
        let config = self.config();
        if !config.lanes().any(|(name, _)| name == *lane) {
            return Err(format!("there is no lane {lane}"));
        }
        self.drained.send_modify(|drained| {
            if draining {
                drained.insert(lane.clone());
            } else {
                drained.remove(lane);
            }
        });
        Ok(())
    }

    /// The last alarms of the links.
    pub fn alarms(&self) -> Vec<(WallTime, Alarm)> {
        self.keeper.alarms()
    }

    /// The rings, whenever the file is opened anew.
    pub fn watch_rings(&self) -> watch::Receiver<Rings> {
        self.rings.clone()
    }

    /// What opening the file brought to light.
    pub fn found(&self) -> &[Report] {
        &self.found
    }

    /// Applies what can change without a restart.
    pub fn reload(&self, newer: CentralConfig) {
        self.config.send_replace(Arc::new(newer));
    }

    /// Waits until it cannot go on, and tells why.
    pub async fn failed(&self) -> CentralError {
        match (&mut *self.failure.lock().await).await {
            Ok(why) => why,
            // A panic ends the process before this is heard of; else it is being stopped.
            Err(_stopped) => std::future::pending().await,
        }
    }

    /// Stops in order: takes nothing more from people and programs, puts nothing more on lanes, lets what is under way
    /// out, says goodbye, makes the last state durable. Within five seconds, whatever hangs.
    pub async fn stop(&self) {
        if let Some(service) = &self.service {
            service.close().await;
        }
        drop(locked(&self.desk).take());
        let works = locked(&self.works).take();
        if let Some(works) = works {
            works.abort();
            let _ended = works.await;
        }
        let links = locked(&self.links).take();
        let links = async {
            if let Some(links) = links.and_then(Arc::into_inner) {
                links.stop().await;
            }
        };
        let clients = async {
            if let Some(service) = &self.service {
                service.emptied().await;
            }
        };
        // Who does not hear it in time finds out by itself.
        let (_links, _clients) = tokio::join!(
            tokio::time::timeout(GOODBYE, links),
            tokio::time::timeout(GOODBYE, clients),
        );
        let rings = self.rings.borrow().clone();
        if let Rings::Open(file) = rings {
            match tokio::time::timeout(LAST_SYNC, file.close()).await {
                Ok(Ok(())) => {}
                Ok(Err(why)) => {
                    tracing::error!(%why, "the last state of the rings could not be written; they are recovered at the next start")
                }
                Err(_elapsed) => tracing::error!(
                    "the disk takes too long for the last state of the rings; they are recovered at the next start"
                ),
            }
        }
        self.file.abort();
        let store = self.store.clone();
        let closing = tokio::task::spawn_blocking(move || store.close());
        match tokio::time::timeout(LAST_WORDS, closing).await {
            Ok(Ok(Ok(()))) => tracing::info!("stopped in order; everything is durable"),
            Ok(Ok(Err(why))) => tracing::error!(%why, "the store could not be closed in order"),
            Ok(Err(_panicked)) => tracing::error!("the store could not be closed in order"),
            Err(_elapsed) => tracing::warn!(
                "the store's last export takes too long and is left out; nothing is lost by it"
            ),
        }
    }
}

fn locked<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All that works on the rings, for as long as they are open.
struct Works {
    ledger: Arc<Ledger>,
    config: watch::Receiver<Arc<CentralConfig>>,
    rings: watch::Receiver<Rings>,
    links: Arc<CentralLinks>,
    keeper: Arc<CentralKeeper>,
    shown: Shown,
    outlook: watch::Sender<Vec<Outlook>>,
    drained: watch::Receiver<BTreeSet<Lane>>,
    /// The IM service, if it deals with phones.
    service: Option<ServiceHandle>,
}

impl Works {
    /// Works until central cannot go on. After the store has failed that is at once, whoever's change it was and whether or
    /// not there are rings to work on: only a new process knows what is durable.
    async fn run(mut self, store: Store) -> CentralError {
        let mut failing = store.failing();
        tokio::select! {
            biased;
            // The store outlives this, so there is an answer.
            _ = failing.wait_for(|failing| *failing) => store.failure().map_or_else(|| StoreError::Closed.into(), Into::into),
            why = self.work() => why,
        }
    }

    async fn work(&mut self) -> CentralError {
        loop {
            let rings = self.rings.borrow_and_update().clone();
            let Rings::Open(file) = rings else {
                if self.rings.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                continue;
            };
            let ended = self.on(file.rings()).await;
            drop(file);
            self.show(Vec::new());
            let Some(why) = ended else { continue };
            if !why.is_passing() {
                return why.into();
            }
            tracing::error!(%why, "the store has no room; what comes stays in the rings until there is some");
            tokio::time::sleep(REST).await;
            if let Err(why) = self.ledger.reopen() {
                return why.into();
            }
        }
    }

    /// Works on these rings until the file fails (nothing is given then), or the ledger takes nothing more.
    async fn on(&mut self, rings: Vec<Ring>) -> Option<LedgerError> {
        let (freed, heard) = mpsc::unbounded_channel();
        self.keeper.tell(freed);
        let origins = origins(&rings)
            .into_iter()
            .map(|ring| {
                let link = self.links.watch(ring.name().lane.edge());
                (ring, link)
            })
            .collect();
        // It looks into the rings before the links may move anything in them.
        let dispatch = Dispatch::new(
            self.ledger.clone(),
            self.config.clone(),
            origins,
            self.outlook.clone(),
            self.drained.clone(),
        );
        let mut tasks = JoinSet::new();
        for ring in arrivals::mirrors(&rings) {
            tasks.spawn(arrivals::run(ring, self.ledger.clone()));
        }
        tasks.spawn(dispatch.run(heard));
        match &self.service {
            Some(service) => tasks.spawn(errands::run(self.ledger.clone(), service.clone())),
            None => tasks.spawn(take_errands_back(self.ledger.clone())),
        };
        tasks.spawn(keep_house(self.ledger.clone()));
        self.show(rings);
        tokio::select! {
            changed = self.rings.changed() => {
                if changed.is_err() {
                    std::future::pending::<()>().await;
                }
                None
            }
            ended = tasks.join_next() => match ended {
                Some(Ok(why)) => Some(why),
                Some(Err(panicked)) if panicked.is_panic() => {
                    std::panic::resume_unwind(panicked.into_panic())
                }
                Some(Err(_)) | None => None,
            },
        }
    }

    /// Gives the links these rings; they ask for them on new connections.
    fn show(&self, rings: Vec<Ring>) {
        let edges: BTreeSet<String> = {
            let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            let edges = |rings: &[Ring]| -> BTreeSet<String> {
                let edges = rings.iter().map(|ring| ring.name().lane.edge().to_owned());
                edges.collect()
            };
            let concerned = edges(&shown).union(&edges(&rings)).cloned().collect();
            *shown = rings;
            concerned
        };
        for edge in edges {
            self.links.refresh(&edge);
        }
    }
}

/// There is no IM service (any more): the desk gets what is for it.
async fn take_errands_back(ledger: Arc<Ledger>) -> LedgerError {
    let mut news = ledger.watch_errands();
    loop {
        news.borrow_and_update();
        if let Err(why) = ledger.take_errands_back().await {
            return why;
        }
        // The ledger holds the sender itself.
        let _news = news.changed().await;
    }
}

/// Looks after what waits for something that may never come, and forgets what is over.
async fn keep_house(ledger: Arc<Ledger>) -> LedgerError {
    let mut house = tokio::time::interval(HOUSE);
    house.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        house.tick().await;
        if let Err(why) = ledger.look_after().await {
            return why;
        }
        match ledger.sweep().await {
            Ok(_more) => {}
            Err(why) => return why,
        }
    }
}
