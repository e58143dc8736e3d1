//! `sluice edge` and `sluice central`, and the same by `--mode`: the two that run for years.

use std::future::pending;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::attributes::{self, AttributesError};
use super::languages::{self, LanguagesError};
use super::{Exit, Failure, panic};
use crate::central::config::CentralConfig;
use crate::central::{CentralError, CentralSubject};
use crate::clock::Clock;
use crate::config::{self, Document, Loaded};
use crate::edge::config::EdgeConfig;
use crate::edge::{EdgeError, EdgeSubject};
use crate::im::door::config::DoorError;
use crate::log::access::Follower;
use crate::log::{self, LogError};
use crate::notify::{Notifier, watchdog_interval};
use crate::ring::life::Rings;
use crate::status::config::{MetricsConfig, StatusConfig};
use crate::status::{MetricsDoor, Order, SocketError, StatusDoor, Subject, trouble};
use crate::store;

/// Which of the two this machine is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Mode {
    /// Beside an SMSC.
    Edge,
    /// The server that edges connect to.
    Central,
}

/// What both need.
#[derive(Args, Debug)]
pub(super) struct RunArgs {
    /// The configuration; /etc/sluice/edge.toml or /etc/sluice/central.toml if not given.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl RunArgs {
    pub(super) const fn on(config: Option<PathBuf>) -> Self {
        Self { config }
    }
}

/// Why a service does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Its configuration cannot be used.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    /// The edge.
    #[error(transparent)]
    Edge(#[from] EdgeError),
    /// Central.
    #[error(transparent)]
    Central(Box<CentralError>),
    /// The attributes of presence.
    #[error(transparent)]
    Attributes(#[from] AttributesError),
    /// The languages for phones.
    #[error(transparent)]
    Languages(#[from] LanguagesError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The status socket.
    #[error(transparent)]
    Status(#[from] SocketError),
    /// The event loop, or the signals.
    #[error("the system refuses what every service needs: {0}")]
    System(#[from] std::io::Error),
}

impl From<CentralError> for ServeError {
    fn from(why: CentralError) -> Self {
        Self::Central(Box::new(why))
    }
}

impl ServeError {
    /// The exit code that goes with it: a wrong configuration is what a restart does not cure.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Edge(EdgeError::Identity(_)) => Exit::Configuration,
            Self::Edge(EdgeError::Ring(_)) => Exit::Storage,
            Self::Central(why) => match **why {
                CentralError::Ring(_) | CentralError::Store(_) | CentralError::Ledger(_) => {
                    Exit::Storage
                }
                CentralError::Identity(_) => Exit::Configuration,
                CentralError::Door(DoorError::Listen(..) | DoorError::Thread(_)) => Exit::Down,
                CentralError::Door(_) => Exit::Configuration,
                CentralError::Listen(_) | CentralError::Desk(_) => Exit::Down,
            },
            Self::Attributes(_) | Self::Languages(_) | Self::Log(_) => Exit::Configuration,
            Self::Status(_) | Self::System(_) => Exit::Down,
        }
    }
}

/// Runs until it is told to stop, or cannot go on.
pub(super) fn run(mode: Mode, args: RunArgs, filter: Option<&str>) -> Result<Exit, Failure> {
    let file = args.config.unwrap_or_else(|| {
        let name = match mode {
            Mode::Edge => EdgeConfig::MODE,
            Mode::Central => CentralConfig::MODE,
        };
        Path::new("/etc/sluice").join(name).with_extension("toml")
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(ServeError::from)?;
    let done = match mode {
        Mode::Edge => load::<EdgeConfig>(&file).and_then(|loaded| {
            let log = log::begin(&loaded.config.log, filter)?;
            panic::end_the_process(store::is_opening);
            warn(&loaded);
            runtime.block_on(edge(file, loaded, log))
        }),
        Mode::Central => load::<CentralConfig>(&file).and_then(|loaded| {
            let log = log::begin(&loaded.config.log, filter)?;
            panic::end_the_process(store::is_opening);
            warn(&loaded);
            runtime.block_on(central(file, loaded, log))
        }),
    };
    // A blocking call that hangs (a disk that is gone) must not keep the process.
    runtime.shutdown_background();
    done?;
    Ok(Exit::Good)
}

/// What the process is told from outside.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

enum Told {
    Stop,
    Reload,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hang_up.recv() => Told::Reload,
        }
    }
}

fn load<D: Document>(file: &Path) -> Result<Loaded<D>, ServeError> {
    Ok(config::load::<D>(file)?)
}

fn warn<D: Document>(loaded: &Loaded<D>) {
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
}

/// What both modes show of themselves, and to whom. Dropped, the doors are shut.
struct Shown {
    tasks: JoinSet<()>,
    notifier: Notifier,
}

impl Shown {
    async fn open<S: Subject>(
        subject: &Arc<S>,
        mode: &str,
        status: &StatusConfig,
        metrics: &MetricsConfig,
    ) -> Result<Self, ServeError> {
        let mut tasks = JoinSet::new();
        let door = StatusDoor::open(&status.socket(mode), status)?;
        tasks.spawn(door.run(subject.clone()));
        if let Some(address) = metrics.listen {
            let door = MetricsDoor::open(address).await?;
            tasks.spawn(door.run(subject.clone()));
        }
        Ok(Self {
            tasks,
            notifier: Notifier::default(),
        })
    }

    /// A line for each change of each message of these rings.
    fn follow(&mut self, rings: watch::Receiver<Rings>) {
        self.tasks.spawn(follow(rings));
    }
}

/// Writes the access log of the rings of now, whichever they are.
async fn follow(mut rings: watch::Receiver<Rings>) {
    loop {
        let mut followers = JoinSet::new();
        if let Rings::Open(file) = &*rings.borrow_and_update() {
            for ring in file.rings() {
                followers.spawn(Follower::new(ring).run(Clock::system()));
            }
        }
        if rings.changed().await.is_err() {
            return;
        }
    }
}

/// How often the watchdog is fed and the line for `systemctl status` looked at, if systemd does not want it more often.
const PULSE: Duration = Duration::from_secs(10);

/// Tells systemd how it stands. The watchdog hears of this only while the picture of everything can be made: every lane,
/// ring and book was looked at for it, and none held its lock for longer than the watchdog waits.
fn pulse<S: Subject>(subject: &S, notifier: &Notifier) {
    let mut snapshot = subject.snapshot();
    trouble::judge(&mut snapshot);
    let lanes = snapshot.lanes.iter().filter(|lane| lane.up).count();
    let links = snapshot.links.iter().filter(|link| link.up).count();
    let worst = snapshot
        .troubles
        .first()
        .map_or_else(String::new, |trouble| {
            format!("; {}: {}", trouble.about, trouble.what)
        });
    notifier.status(&format!(
        "{}: {lanes} of {} lanes and {links} of {} links up{worst}",
        snapshot.health.as_str(),
        snapshot.lanes.len(),
        snapshot.links.len(),
    ));
    notifier.alive();
}

/// Does what the process is told from outside until it is to stop, or it has failed.
async fn attend<S: Subject>(
    subject: &S,
    signals: &mut Signals,
    notifier: &Notifier,
    failed: impl Future<Output = ServeError>,
) -> Result<(), ServeError> {
    let mut failed = pin!(failed);
    let mut pulse_due = tokio::time::interval(watchdog_interval().unwrap_or(PULSE).min(PULSE));
    loop {
        tokio::select! {
            told = signals.next() => match told {
                Told::Stop => return Ok(()),
                Told::Reload => {
                    notifier.reloading();
                    if let Err(why) = subject.order(Order::Reload).await {
                        tracing::error!("everything stays as it is: {why}");
                    }
                    notifier.ready();
                }
            },
            why = &mut failed => return Err(why),
            _ = pulse_due.tick() => pulse(subject, notifier),
        }
    }
}

async fn edge(file: PathBuf, loaded: Loaded<EdgeConfig>, log: log::Tap) -> Result<(), ServeError> {
    let mut signals = Signals::new()?;
    let config = loaded.config.clone();
    let edge = EdgeSubject::start(file, loaded, Some(log))?;
    let mut shown = Shown::open(&edge, EdgeConfig::MODE, &config.status, &config.metrics).await?;
    shown.follow(edge.edge().watch_rings());
    shown.tasks.spawn(edge.clone().sample());
    tracing::info!(edge = %config.name, lanes = config.lanes.len(), "the edge is at work");
    shown.notifier.ready();
    attend(&*edge, &mut signals, &shown.notifier, pending()).await?;
    shown.notifier.stopping();
    edge.edge().stop().await;
    Ok(())
}

async fn central(
    file: PathBuf,
    mut loaded: Loaded<CentralConfig>,
    log: log::Tap,
) -> Result<(), ServeError> {
    if let Some(im) = &mut loaded.config.im {
        attributes::read(im)?;
        languages::read(im)?;
    }
    let mut signals = Signals::new()?;
    let config = loaded.config.clone();
    let central = CentralSubject::start(file, loaded, Some(log)).await?;
    let mut shown = Shown::open(
        &central,
        CentralConfig::MODE,
        &config.status,
        &config.metrics,
    )
    .await?;
    shown.follow(central.central().watch_rings());
    shown.tasks.spawn(central.clone().sample());
    tracing::info!(edges = config.edges.len(), "central is at work");
    shown.notifier.ready();
    let failed = async {
        let why = central.central().failed().await;
        tracing::error!(%why, "central cannot go on");
        why.into()
    };
    attend(&*central, &mut signals, &shown.notifier, failed).await?;
    shown.notifier.stopping();
    central.central().stop().await;
    Ok(())
}
