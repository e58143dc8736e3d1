//! Central as it is seen and told: by people, by programs, by systemd.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::config::CentralConfig;
use super::run::{Central, CentralError};
use super::trace;
use crate::clock::{Clock, Moment};
use crate::config::{self, Document as _, Loaded};
use crate::lane::{Direction, Lane};
use crate::link::driver::{Alarm, LinkStatus};
use crate::log::Tap;
use crate::progress::Rate;
use crate::ring::life::Rings;
use crate::ring::storage::free_octets;
use crate::status::snapshot::{BacklogView, LaneView, NameView, Snapshot, StorageView, TraceView};
use crate::status::{Done, NO_PEOPLE, Order, Register, Subject, trouble};
use crate::view::{self, ms};

/// How often rates are taken.
const SAMPLE: Duration = Duration::from_secs(2);

/// A running central with the file that it was configured by.
pub struct CentralSubject {
    central: Central,
    file: PathBuf,
    loaded: tokio::sync::Mutex<Loaded<CentralConfig>>,
    log: Option<Tap>,
    clock: Clock,
    rates: Mutex<BTreeMap<Lane, (Rate, Rate)>>,
}

impl CentralSubject {
    /// Starts central as configured.
    pub async fn start(
        file: PathBuf,
        loaded: Loaded<CentralConfig>,
        log: Option<Tap>,
    ) -> Result<Arc<Self>, CentralError> {
        let central = Central::start(loaded.config.clone()).await?;
        Ok(Arc::new(Self {
            central,
            file,
            loaded: tokio::sync::Mutex::new(loaded),
            log,
            clock: Clock::system(),
            rates: Mutex::default(),
        }))
    }

    /// Central.
    pub const fn central(&self) -> &Central {
        &self.central
    }

    /// Takes rates for as long as it runs.
    pub async fn sample(self: Arc<Self>) {
        let mut sample = tokio::time::interval(SAMPLE);
        sample.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            sample.tick().await;
            let Rings::Open(file) = self.central.rings() else {
                continue;
            };
            let now = self.clock.now();
            let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
            for ring in file.rings() {
                let processed = ring.look(|array| array.marks().processed.up_to().get());
                let (mo, mt) = rates.entry(ring.name().lane.clone()).or_default();
                match ring.name().direction {
                    Direction::Mo => mo.note(now, processed),
                    Direction::Mt => mt.note(now, processed),
                }
            }
        }
    }

    /// Reads the configuration again and applies what it can; tells what changed.
    pub async fn reload(&self) -> Result<Done, String> {
        let mut loaded = self.loaded.lock().await;
        let newer = config::load::<CentralConfig>(&self.file).map_err(|why| why.to_string())?;
        for warning in &newer.warnings {
            tracing::warn!("{warning}");
        }
        let lines: Vec<String> = loaded
            .difference(&newer)
            .iter()
            .map(ToString::to_string)
            .collect();
        for line in &lines {
            tracing::info!("{line}");
        }
        self.central.reload(newer.config.clone());
        if let Some(log) = &self.log {
            log.change(&newer.config.log)
                .map_err(|why| why.to_string())?;
        }
        *loaded = newer;
        let mut done = Done::new(match lines.len() {
            0 => "the configuration is as it was",
            _ => "the configuration was taken up, as far as that can be without a restart",
        });
        done.changes = lines;
        Ok(done)
    }

    fn lanes(&self, config: &CentralConfig, now: Moment) -> Vec<LaneView> {
        let outlook = self.central.outlook();
        let rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        config
            .lanes()
            .map(|(lane, section)| {
                let seen = outlook.iter().find(|seen| seen.lane == lane);
                let rate = rates.get(&lane);
                LaneView {
                    up: if section.mt {
                        seen.is_some_and(|seen| seen.up)
                    } else {
                        self.central.is_linked(lane.edge())
                    },
                    draining: self.central.drains(&lane),
                    stuck_ms: seen.and_then(|seen| seen.stuck_for).map(ms),
                    mo_per_s: rate.map_or(0.0, |(mo, _)| mo.per_second(now)),
                    mt_per_s: rate.map_or(0.0, |(_, mt)| mt.per_second(now)),
                    lane: lane.to_string(),
                    ..LaneView::default()
                }
            })
            .collect()
    }
}

impl Subject for CentralSubject {
    fn snapshot(&self) -> Snapshot {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let config = self.central.config();
        let links = self.central.links();
        let rings = self.central.rings();
        let standing = self.central.ledger().standing();
        let alarms: Vec<Alarm> = self
            .central
            .alarms()
            .into_iter()
            .map(|(_, alarm)| alarm)
            .collect();
        let statuses: Vec<&LinkStatus> = links.iter().map(|(_, status)| status).collect();
        let health = self.central.ledger().health();
        let failed = health.alarms.iter().find_map(|alarm| match alarm {
            crate::store::Alarm::Failed { why } => Some(why.clone()),
            _ => None,
        });
        let path = config.store.directory.display().to_string();
        let troubles = health.alarms.iter();
        let troubles = troubles.filter_map(|alarm| trouble::of_store(&path, alarm));
        let troubles = troubles.collect();
        let storage = vec![
            StorageView {
                what: String::from("rings"),
                path: config.ring_file().display().to_string(),
                failed: rings.trouble(),
                free_octets: free_octets(&config.rings.directory),
                syncs: match &rings {
                    Rings::Open(file) => file.syncs(),
                    Rings::Opening | Rings::Failed(_) => 0,
                },
            },
            StorageView {
                what: String::from("store"),
                path,
                failed,
                free_octets: free_octets(&config.store.directory),
                syncs: self.central.ledger().groups(),
            },
        ];
        Snapshot {
            mode: CentralConfig::MODE.to_owned(),
            name: self.central.name(),
            at_unix_ms: wall.as_unix_ms(),
            up_ms: ms(now - Moment::START),
            links: links
                .iter()
                .map(|(edge, status)| view::link(edge, status))
                .collect(),
            lanes: self.lanes(&config, now),
            rings: view::rings(&rings, statuses.iter().copied(), &alarms, wall),
            storage,
            troubles,
            backlog: Some(BacklogView {
                waiting: standing.waiting,
                limit: config.backlog.limit,
                oldest_ms: self
                    .central
                    .ledger()
                    .oldest()
                    .map(|since| ms(wall.since(since))),
                unmatched_reports: standing.early_reports as u64,
                unfinished_texts: standing.open_long as u64,
                unclaimed: standing.strays,
            }),
            im: self
                .central
                .service()
                .map(|service| service.view(&standing)),
            ..Snapshot::default()
        }
    }

    fn names(&self, register: Register, after: Option<&str>) -> Result<Vec<NameView>, String> {
        let service = self.central.service().ok_or(NO_PEOPLE)?;
        service.names(register, after)
    }

    async fn trace(&self, id: &str) -> Option<TraceView> {
        let Ok(number) = u128::from_str_radix(id, 16) else {
            return trace::placed(
                &self.central.rings(),
                id,
                CentralConfig::MODE,
                self.clock.wall(),
            );
        };
        let track = match self.central.ledger().trace(number) {
            Ok(track) => track?,
            Err(why) => {
                tracing::error!(%why, "a message could not be looked up");
                return None;
            }
        };
        Some(trace::tracked(
            id,
            &track,
            &self.central.rings(),
            self.clock.wall(),
        ))
    }

    async fn order(&self, order: Order) -> Result<Done, String> {
        match order {
            Order::Drain(lane) => {
                self.central.drain(&lane, true)?;
                tracing::info!(%lane, "an operator lets the lane run empty");
                Ok(Done::new(format!(
                    "{lane}: no text is put on it any more, and what is on it runs out"
                )))
            }
            Order::Resume(lane) => {
                self.central.drain(&lane, false)?;
                tracing::info!(%lane, "an operator lets the lane go on");
                Ok(Done::new(format!("{lane}: it goes on")))
            }
            Order::Suspend(lane) | Order::Resend(lane) | Order::Drop(lane) => Err(format!(
                "the SMSC of {lane} is at edge {}; give this order there",
                lane.edge()
            )),
            Order::Register(registration) => {
                let service = self.central.service().ok_or(NO_PEOPLE)?;
                service.register(registration).await.map(Done::new)
            }
            Order::Reload => self.reload().await,
        }
    }
}
