//! Central as it is seen and told: by people, by programs, by systemd.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::config::CentralConfig;
use super::ledger::Track;
use super::run::{Central, CentralError};
use crate::clock::{Clock, Moment, WallTime};
use crate::config::{self, Document as _, Loaded};
use crate::lane::{Direction, Lane, Sequence};
use crate::link::driver::{Alarm, LinkStatus};
use crate::log::Tap;
use crate::message::ReportState;
use crate::progress::Rate;
use crate::ring::life::Rings;
use crate::ring::storage::free_octets;
use crate::status::snapshot::{
    BacklogView, LaneView, NameView, PartView, Snapshot, StepView, StorageView, TraceView,
};
use crate::status::{Done, NO_PEOPLE, Order, Register, Subject};
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
                path: config.store.directory.display().to_string(),
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
        let number = u128::from_str_radix(id, 16).ok()?;
        let track = match self.central.ledger().trace(number) {
            Ok(track) => track?,
            Err(why) => {
                tracing::error!(%why, "a message could not be looked up");
                return None;
            }
        };
        Some(trace_view(id, &track, &self.central.rings()))
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

fn trace_view(id: &str, track: &Track, rings: &Rings) -> TraceView {
    let step = |at: WallTime, end: &str, what: &str, detail: Option<String>| StepView {
        at_unix_ms: at.as_unix_ms(),
        end: end.to_owned(),
        what: what.to_owned(),
        detail,
    };
    let lane = track.lane.as_ref().map(|(lane, _)| lane.clone());
    let mut parts: Vec<PartView> = track
        .parts
        .iter()
        .map(|part| {
            let sequence = Sequence::new(part.sequence);
            let mut steps = vec![
                step(track.taken_at, "central", "taken", None),
                step(part.placed_at, "central", "retrieved", None),
            ];
            if let Some(flags) = flags(rings, track, sequence) {
                // The ring knows whether, and not when.
                steps.push(step(part.placed_at, "central", "now", Some(flags)));
            }
            if let Some(ended) = &part.ended {
                let detail = Some(ended.outcome.clone());
                steps.push(step(ended.at, "edge", "processed", detail));
            }
            if let Some(told) = &part.report {
                let state = ReportState::from_number(told.state);
                let detail = state.map(|state| format!("{state:?}").to_lowercase());
                steps.push(step(told.at, "central", "reported", detail));
            }
            PartView {
                lane: lane.clone(),
                direction: String::from("mt"),
                sequence: Some(part.sequence),
                address: Some(sequence.address().get()),
                smsc_id: part
                    .ended
                    .as_ref()
                    // CIMD2 names by the phone's number, which is nobody's business here.
                    .filter(|ended| !ended.id.is_empty() && !ended.id.contains(&b'/'))
                    .map(|ended| ended.id.escape_ascii().to_string()),
                report: part
                    .report
                    .as_ref()
                    .and_then(|told| ReportState::from_number(told.state))
                    .map(|state| format!("{state:?}").to_lowercase()),
                steps,
            }
        })
        .collect();
    if parts.is_empty() {
        parts.push(PartView {
            lane: None,
            direction: String::from("mt"),
            sequence: None,
            address: None,
            smsc_id: None,
            report: None,
            steps: vec![step(track.taken_at, "central", "taken", None)],
        });
    }
    TraceView {
        id: id.to_owned(),
        state: track.state.as_str().replace('_', " "),
        parts,
    }
}

/// Which flags a message has at this moment, while its slot is not free.
fn flags(rings: &Rings, track: &Track, sequence: Sequence) -> Option<String> {
    let Rings::Open(file) = rings else {
        return None;
    };
    let (lane, epoch) = track.lane.as_ref()?;
    let ring = file.rings().into_iter().find(|ring| {
        let name = ring.name();
        name.lane.as_str() == lane && name.direction == Direction::Mt
    })?;
    ring.look(|array| {
        if array.epoch().get() != *epoch || array.get(sequence).is_none() {
            return None;
        }
        let flags = array.flags(sequence);
        let on: Vec<&str> = [
            (flags.retrieved, "retrieved"),
            (flags.sent, "sent"),
            (flags.confirmed, "confirmed"),
            (flags.processed, "processed"),
        ]
        .into_iter()
        .filter_map(|(on, name)| on.then_some(name))
        .collect();
        Some(on.join(", "))
    })
}
