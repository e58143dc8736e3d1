//! An edge as it is seen and told: by people, by programs, by systemd.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::config::EdgeConfig;
use super::lane::LaneHandle;
use super::run::{Edge, EdgeError};
use crate::clock::{Clock, Moment, WallTime};
use crate::config::{self, Document as _, Loaded};
use crate::lane::{Lane, Sequence};
use crate::link::REPLACED;
use crate::link::driver::{Alarm, LinkStatus};
use crate::log::Tap;
use crate::progress::Rate;
use crate::ring::life::{self, Opener, Rings};
use crate::ring::storage::free_octets;
use crate::smsc::driver::Order as LaneOrder;
use crate::smsc::status::Phase;
use crate::status::snapshot::{
    DoubtView, LaneView, LinkView, RingView, SmscView, Snapshot, StorageView, TraceView,
};
use crate::status::{Done, NO_PEOPLE, Order, Subject};
use crate::view::{self, ms};

/// How often rates are taken.
const SAMPLE: Duration = Duration::from_secs(2);

/// So often within so long another connection takes over from ours only if somebody else makes it. Once may be ourselves:
/// after a silence both ends hold two for a moment.
const CONTESTED: (usize, Duration) = (2, Duration::from_secs(120));

/// Whether another edge of this name takes the link over again and again.
fn is_contested(link: &LinkStatus, now: WallTime) -> bool {
    let (times, within) = CONTESTED;
    let taken_over = link
        .recent_outages
        .iter()
        .filter(|outage| now.since(outage.began) < within && outage.why.contains(REPLACED));
    taken_over.count() >= times
}

/// A running edge with the file that it was configured by.
pub struct EdgeSubject {
    edge: Edge,
    file: PathBuf,
    loaded: tokio::sync::Mutex<Loaded<EdgeConfig>>,
    log: Option<Tap>,
    clock: Clock,
    rates: Mutex<Vec<(Rate, Rate)>>,
}

impl EdgeSubject {
    /// Starts the edge of a configuration.
    pub fn start(
        file: PathBuf,
        loaded: Loaded<EdgeConfig>,
        log: Option<Tap>,
    ) -> Result<Arc<Self>, EdgeError> {
        let opener = life::opener(loaded.config.ring_file(), loaded.config.rings());
        Self::start_on(file, loaded, log, opener)
    }

    /// The same, with rings on any storage.
    pub fn start_on(
        file: PathBuf,
        loaded: Loaded<EdgeConfig>,
        log: Option<Tap>,
        opener: Opener,
    ) -> Result<Arc<Self>, EdgeError> {
        let edge = Edge::start_on(loaded.config.clone(), opener)?;
        let lanes = edge.lanes().len();
        Ok(Arc::new(Self {
            edge,
            file,
            loaded: tokio::sync::Mutex::new(loaded),
            log,
            clock: Clock::system(),
            rates: Mutex::new(vec![Default::default(); lanes]),
        }))
    }

    /// The edge.
    pub const fn edge(&self) -> &Edge {
        &self.edge
    }

    /// Takes rates for as long as it runs.
    pub async fn sample(self: Arc<Self>) {
        let mut sample = tokio::time::interval(SAMPLE);
        sample.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            sample.tick().await;
            let now = self.clock.now();
            let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
            for (lane, (mo, mt)) in self.edge.lanes().iter().zip(rates.iter_mut()) {
                mo.note(now, lane.status.delivered.get());
                mt.note(now, lane.status.submitted.get());
            }
        }
    }

    /// Reads the configuration again and applies what it can; tells what changed.
    pub async fn reload(&self) -> Result<Done, String> {
        let mut loaded = self.loaded.lock().await;
        let newer = config::load::<EdgeConfig>(&self.file).map_err(|why| why.to_string())?;
        for warning in &newer.warnings {
            tracing::warn!("{warning}");
        }
        let changes = loaded.difference(&newer);
        let lines: Vec<String> = changes.iter().map(ToString::to_string).collect();
        for line in &lines {
            tracing::info!("{line}");
        }
        self.edge
            .reload(newer.config.clone(), &changes)
            .await
            .map_err(|why| why.to_string())?;
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

    fn lane(&self, lane: &Lane) -> Result<&LaneHandle, String> {
        let lanes = self.edge.lanes();
        lanes
            .iter()
            .find(|handle| handle.lane == *lane)
            .ok_or_else(|| {
                let names: Vec<&str> = lanes.iter().map(|handle| handle.lane.as_str()).collect();
                format!(
                    "there is no lane {lane} here; there are: {}",
                    names.join(", ")
                )
            })
    }

    fn lane_view(&self, place: usize, now: Moment) -> LaneView {
        let handle = &self.edge.lanes()[place];
        let (status, kept) = (&handle.status, handle.state());
        let state = status.state();
        let rates = {
            let rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
            rates[place].clone()
        };
        let config = kept.config.as_ref();
        LaneView {
            lane: handle.lane.to_string(),
            up: state.phase == Phase::Up && !kept.without_rings,
            smsc: Some(SmscView {
                protocol: config.map_or_else(String::new, |config| config.protocol().to_owned()),
                endpoint: config.map_or_else(String::new, |config| config.smsc.to_string()),
                phase: state.phase,
                since_unix_ms: None,
                peer: state.peer,
                last_error: state.last_error,
                deferred_because: state.deferred_because,
                round_trip_us: None,
                throughput: config.and_then(|config| config.throughput),
                submitted: status.submitted.get(),
                refused: status.refused.get(),
                deferred: status.deferred.get(),
                doubtful: status.doubtful.get(),
                expired: status.expired.get(),
                delivered: status.delivered.get(),
                repeated: status.repeated.get(),
                withheld: status.withheld.get(),
                connections: status.connections.get(),
                oddities: status.oddities.get(),
            }),
            suspended: kept.suspended,
            draining: kept.draining,
            stuck_ms: kept.stuck_for.map(ms),
            mo_per_s: rates.0.per_second(now),
            mt_per_s: rates.1.per_second(now),
            waiting: None,
        }
    }

    fn doubts(&self, rings: &[RingView]) -> Vec<DoubtView> {
        rings
            .iter()
            .filter_map(|ring| {
                let sequence = ring.in_doubt?;
                let handle = self
                    .edge
                    .lanes()
                    .iter()
                    .find(|handle| handle.lane.as_str() == ring.lane)?;
                let held = handle.status.state().held == Some(sequence);
                // One that is with the SMSC at this moment is in no doubt yet.
                let up = handle.status.state().phase == Phase::Up;
                (held || !up).then(|| DoubtView {
                    lane: ring.lane.clone(),
                    sequence,
                    address: Sequence::new(sequence).address().get(),
                    age_ms: ring.oldest.to_process_ms,
                    held,
                })
            })
            .collect()
    }
}

impl Subject for EdgeSubject {
    fn snapshot(&self) -> Snapshot {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let config = self.edge.config();
        let link = self.edge.link();
        let rings = self.edge.rings();
        let alarms: Vec<Alarm> = self
            .edge
            .alarms()
            .into_iter()
            .map(|alarm| alarm.what)
            .collect();
        let views = view::rings(&rings, [&link], &alarms, wall);
        let storage = StorageView {
            what: String::from("rings"),
            path: config.ring_file().display().to_string(),
            failed: rings.trouble(),
            free_octets: free_octets(&config.rings.directory),
            syncs: match &rings {
                Rings::Open(file) => file.syncs(),
                Rings::Opening | Rings::Failed(_) => 0,
            },
        };
        Snapshot {
            mode: EdgeConfig::MODE.to_owned(),
            name: config.name.clone(),
            at_unix_ms: wall.as_unix_ms(),
            up_ms: ms(now - Moment::START),
            links: vec![LinkView {
                contested: is_contested(&link, wall),
                ..view::link("central", &link)
            }],
            lanes: (0..self.edge.lanes().len())
                .map(|place| self.lane_view(place, now))
                .collect(),
            in_doubt: self.doubts(&views),
            rings: views,
            storage: vec![storage],
            ..Snapshot::default()
        }
    }

    async fn trace(&self, id: &str) -> Option<TraceView> {
        // Identities are central's; here a message is known by lane and sequence.
        view::trace::placed(&self.edge.rings(), id, EdgeConfig::MODE, self.clock.wall())
    }

    async fn order(&self, order: Order) -> Result<Done, String> {
        let pass = |lane: &Lane, order: LaneOrder, done: &str| {
            let handle = self.lane(lane)?;
            if handle.order(order) {
                tracing::info!(%lane, ?order, "an operator gave an order");
                Ok(Done::new(format!("{lane}: {done}")))
            } else {
                Err(format!("{lane} is busy with other orders; try again"))
            }
        };
        match order {
            Order::Suspend(lane) => pass(&lane, LaneOrder::Suspend, "nothing more is offered"),
            Order::Resume(lane) => {
                self.lane(&lane)?.drain(false);
                pass(&lane, LaneOrder::Resume, "it goes on")
            }
            Order::Drain(lane) => {
                self.lane(&lane)?.drain(true);
                tracing::info!(%lane, "an operator lets the lane run empty");
                Ok(Done::new(format!(
                    "{lane}: the SMSC is told to keep its messages, and what is here runs out"
                )))
            }
            Order::Resend(lane) | Order::Drop(lane)
                if self.lane(&lane)?.status.state().held.is_none() =>
            {
                Err(format!(
                    "{lane}: no message waits for your word; `sluice indoubt ls` lists what is in doubt"
                ))
            }
            Order::Resend(lane) => pass(
                &lane,
                LaneOrder::ResendHeld,
                "the message in doubt is offered again",
            ),
            Order::Drop(lane) => pass(
                &lane,
                LaneOrder::DropHeld,
                "the message in doubt is not offered again",
            ),
            Order::Register(_) => Err(NO_PEOPLE.into()),
            Order::Reload => self.reload().await,
        }
    }
}
