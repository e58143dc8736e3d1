//! An edge from its start to its stop.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::config::EdgeConfig;
use super::keeper::{EdgeAlarm, EdgeKeeper};
use super::lane::LaneHandle;
use crate::config::{Change, Effect};
use crate::link::driver::{EdgeLink, LinkStatus, Phase};
use crate::link::pki::{EdgeIdentity, PkiError};
use crate::link::transport::{Connector, ConnectorConfig};
use crate::ring::life::{self, Kept, Opener, Rings};
use crate::ring::{Report, RingError};

/// How long the link has for its goodbye. Together with that of the lanes and the last sync it stays below the five
/// seconds that a stop may take.
const GOODBYE: Duration = Duration::from_millis(1500);

/// How long the last state of all rings may take to become durable.
const LAST_SYNC: Duration = Duration::from_secs(1);

/// Why an edge does not start.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// Its ring file cannot be opened.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// What proves it to central cannot be read.
    #[error(transparent)]
    Identity(#[from] PkiError),
}

/// A running edge.
pub struct Edge {
    config: Mutex<EdgeConfig>,
    lanes: Vec<LaneHandle>,
    rings: watch::Receiver<Rings>,
    found: Vec<Report>,
    link: Arc<Mutex<Option<EdgeLink>>>,
    keeper: Arc<EdgeKeeper>,
    file: JoinHandle<()>,
    feeding: JoinHandle<()>,
}

impl Edge {
    /// Starts an edge: lanes and link are at work when this returns, whether or not anybody answers. A ring file that
    /// cannot be opened for now is tried again, and the SMSCs keep their messages meanwhile.
    pub fn start(config: EdgeConfig) -> Result<Self, EdgeError> {
        let opener = life::opener(config.ring_file(), config.rings());
        Self::start_on(config, opener)
    }

    /// The same, with rings on any storage.
    pub fn start_on(config: EdgeConfig, opener: Opener) -> Result<Self, EdgeError> {
        let connector = connector(&config.name, &config.link)?;
        let Kept {
            rings,
            found,
            task: file,
        } = life::begin(opener)?;
        let lanes = config
            .lanes
            .iter()
            .map(|lane| LaneHandle::start(&config.name, lane.clone(), rings.clone()))
            .collect();
        let keeper = Arc::new(EdgeKeeper::new());
        let link = EdgeLink::start(connector, of(&rings.borrow()), keeper.clone());
        let link = Arc::new(Mutex::new(Some(link)));
        let feeding = tokio::spawn(feed(link.clone(), rings.clone()));
        Ok(Self {
            config: Mutex::new(config),
            lanes,
            rings,
            found,
            link,
            keeper,
            file,
            feeding,
        })
    }

    pub(super) fn lanes(&self) -> &[LaneHandle] {
        &self.lanes
    }

    pub(super) fn rings(&self) -> Rings {
        self.rings.borrow().clone()
    }

    /// The rings, whenever the file is opened anew.
    pub fn watch_rings(&self) -> watch::Receiver<Rings> {
        self.rings.clone()
    }

    /// What opening the file brought to light.
    pub fn found(&self) -> &[Report] {
        &self.found
    }

    /// The link as of now.
    pub fn link(&self) -> LinkStatus {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        link.as_ref()
            .map_or_else(LinkStatus::default, EdgeLink::status)
    }

    /// The last alarms of the link.
    pub fn alarms(&self) -> Vec<EdgeAlarm> {
        self.keeper.alarms()
    }

    pub(super) fn config(&self) -> EdgeConfig {
        let config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        config.clone()
    }

    /// Applies what can change without a restart. What cannot stays as it was, and the caller tells the operator so.
    pub async fn reload(&self, newer: EdgeConfig, changes: &[Change]) -> Result<(), EdgeError> {
        let lane_of = |change: &Change, name: &str| change.section.as_deref() == Some(name);
        for lane in &self.lanes {
            let name = lane.lane.name();
            let Some(config) = newer.lanes.iter().find(|config| config.name == name) else {
                continue;
            };
            let theirs: Vec<&Change> = changes
                .iter()
                .filter(|change| lane_of(change, name))
                .collect();
            if theirs.is_empty() {
                continue;
            }
            let anew = theirs.iter().any(|change| change.effect == Effect::Session);
            lane.configure(config.clone(), anew).await;
        }
        // Who has mended what kept the link down (the bundle, an address, the clock) does not want to wait for the pauses
        // between calls.
        let is_down = self.link().phase != Phase::Up;
        if is_down || changes.iter().any(|change| change.effect == Effect::Link) {
            let connector = connector(&newer.name, &newer.link)?;
            let rings = of(&self.rings.borrow());
            let former = {
                let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
                let fresh = EdgeLink::start(connector, rings, self.keeper.clone());
                link.replace(fresh)
            };
            if let Some(former) = former {
                let _in_time = tokio::time::timeout(GOODBYE, former.stop()).await;
            }
        }
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = newer;
        Ok(())
    }

    /// Stops in order: takes nothing more from the SMSC and offers it nothing more, lets the answers that are under way
    /// out, says goodbye to both sides, makes the last state durable. Within five seconds, whatever hangs.
    pub async fn stop(&self) {
        futures_util::future::join_all(self.lanes.iter().map(LaneHandle::stop)).await;
        self.feeding.abort();
        let link = {
            let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
            link.take()
        };
        if let Some(link) = link {
            let _in_time = tokio::time::timeout(GOODBYE, link.stop()).await;
        }
        let rings = self.rings.borrow().clone();
        if let Rings::Open(file) = rings {
            match tokio::time::timeout(LAST_SYNC, file.close()).await {
                Ok(Ok(())) => {
                    tracing::info!("stopped in order; the last state of all rings is durable")
                }
                Ok(Err(why)) => {
                    tracing::error!(%why, "the last state of the rings could not be written; they are recovered at the next start")
                }
                Err(_elapsed) => tracing::error!(
                    "the disk takes too long for the last state of the rings; they are recovered at the next start"
                ),
            }
        }
        self.file.abort();
    }
}

/// The rings of an open file; none of one that failed.
fn of(rings: &Rings) -> Vec<crate::ring::Ring> {
    match rings {
        Rings::Open(file) => file.rings(),
        Rings::Opening | Rings::Failed(_) => Vec::new(),
    }
}

/// Gives the link other rings whenever the file was opened anew, and takes those of a file that failed from it.
async fn feed(link: Arc<Mutex<Option<EdgeLink>>>, mut rings: watch::Receiver<Rings>) {
    let mut has_some = !of(&rings.borrow()).is_empty();
    while rings.changed().await.is_ok() {
        let now = of(&rings.borrow_and_update());
        let had_some = std::mem::replace(&mut has_some, !now.is_empty());
        if !had_some && !has_some {
            continue;
        }
        let link = link.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = link.as_ref() {
            link.set_rings(now);
        }
    }
}

/// The door to central, with what proves this edge to it.
fn connector(name: &str, config: &ConnectorConfig) -> Result<Connector, EdgeError> {
    let identity = EdgeIdentity::load(&config.bundle, Some(name))?;
    Ok(Connector::new(identity, config.clone()))
}
