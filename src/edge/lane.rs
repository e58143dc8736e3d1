//! One lane of an edge: keeps its SMSC session going, makes it anew when it is stuck, and does what an operator asks.
//!
//! The session's driver does the work; this only decides whether there is one, and on what. While the ring file cannot
//! be used there is a session without rings: then the SMSC is told to keep its messages, in its own protocol.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::config::LaneConfig;
use crate::clock::Clock;
use crate::lane::{Direction, Lane, RingName, Side};
use crate::progress::{Motion, Progress, Watch};
use crate::ring::life::Rings;
use crate::ring::{Ring, StoreError};
use crate::smsc::driver::{self, Order, Parts};
use crate::smsc::session::Session;
use crate::smsc::status::{LaneStatus, Phase};
use crate::smsc::{cimd2, smpp};

/// How often a lane's progress is looked at, at least: a small part of the time after which it is stuck.
const LOOK: Duration = Duration::from_secs(5);
const LOOKS: u32 = 10;

/// How long a session has for its goodbye before it is ended without.
const GOODBYE: Duration = Duration::from_secs(2);

/// Orders that wait at most; an operator gives one at a time.
const ORDERS: usize = 8;

/// What is asked of a lane.
enum Wish {
    /// For the session, as it is.
    Order(Order),
    /// Another configuration; tells whether the session has to be made anew.
    Configure(Box<LaneConfig>, bool),
    /// Run empty, or not any more.
    Drain(bool),
    /// Log out, and stop.
    Stop(oneshot::Sender<()>),
}

/// The handle of a lane.
pub(super) struct LaneHandle {
    pub(super) lane: Lane,
    pub(super) status: Arc<LaneStatus>,
    wishes: mpsc::Sender<Wish>,
    state: watch::Receiver<LaneState>,
    task: JoinHandle<()>,
}

/// What the lane's keeper knows beyond the session's own status.
#[derive(Clone, Debug, Default)]
pub(super) struct LaneState {
    /// An operator has stopped it.
    pub(super) suspended: bool,
    /// For how long nothing has moved though something should, if so.
    pub(super) stuck_for: Option<Duration>,
    /// How often its session was made anew because it was stuck.
    pub(super) restarts: u64,
    /// Whether it works without rings: the SMSC is told to keep its messages.
    pub(super) without_rings: bool,
    /// An operator lets it run empty: the SMSC is told to keep its messages, and what is here goes out.
    pub(super) draining: bool,
    /// How it is configured.
    pub(super) config: Option<Box<LaneConfig>>,
}

impl LaneHandle {
    /// Begins to keep a lane.
    pub(super) fn start(edge: &str, config: LaneConfig, rings: watch::Receiver<Rings>) -> Self {
        let lane = Lane::new(edge, &config.name).expect("the configuration was checked");
        let status = Arc::new(LaneStatus::default());
        let (wishes, asked) = mpsc::channel(ORDERS);
        let (tell, state) = watch::channel(LaneState {
            config: Some(Box::new(config.clone())),
            ..LaneState::default()
        });
        let keeper = Keeper {
            lane: lane.clone(),
            config,
            rings,
            status: status.clone(),
            state: tell,
            clock: Clock::system(),
            stuck_at: None,
        };
        Self {
            lane,
            status,
            wishes,
            state,
            task: tokio::spawn(keeper.keep(asked)),
        }
    }

    /// What its keeper knows.
    pub(super) fn state(&self) -> LaneState {
        self.state.borrow().clone()
    }

    /// Passes an order on; false if the lane is busy with too many.
    pub(super) fn order(&self, order: Order) -> bool {
        self.wishes.try_send(Wish::Order(order)).is_ok()
    }

    /// Gives it another configuration.
    pub(super) async fn configure(&self, config: LaneConfig, anew: bool) {
        let wish = Wish::Configure(Box::new(config), anew);
        // Only after a stop is there nobody to hear it.
        let _stopped = self.wishes.send(wish).await;
    }

    /// Lets it run empty, or take messages again; false if the lane is busy with too many orders.
    pub(super) fn drain(&self, draining: bool) -> bool {
        self.wishes.try_send(Wish::Drain(draining)).is_ok()
    }

    /// Logs out and stops.
    pub(super) async fn stop(&self) {
        let (done, heard) = oneshot::channel();
        if self.wishes.send(Wish::Stop(done)).await.is_ok() {
            let _stopped = heard.await;
        }
        self.task.abort();
    }
}

struct Keeper {
    lane: Lane,
    config: LaneConfig,
    rings: watch::Receiver<Rings>,
    status: Arc<LaneStatus>,
    state: watch::Sender<LaneState>,
    clock: Clock,
    /// How far it had come when it was stuck, until it moves again.
    stuck_at: Option<u64>,
}

/// A running session. Dropped, it ends without a goodbye.
struct Running {
    orders: mpsc::Sender<Order>,
    task: JoinHandle<Result<(), StoreError>>,
    mt: Option<Ring>,
    mo: Option<Ring>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Why a session is over.
enum Over {
    /// It is to be made anew.
    Anew,
    /// The rings failed under it.
    Failed,
    /// The lane stops.
    Stop(oneshot::Sender<()>),
}

impl Keeper {
    async fn keep(mut self, mut asked: mpsc::Receiver<Wish>) {
        let mut failed = false;
        loop {
            let mut running = self.begin(failed);
            let over = self.watch(&mut running, &mut asked).await;
            self.end(running).await;
            match over {
                Over::Anew => failed = false,
                Over::Failed => failed = true,
                Over::Stop(done) => {
                    let _unheard = done.send(());
                    return;
                }
            }
        }
    }

    /// A session on the rings of now; on none if those have just failed and no others are there yet.
    fn begin(&mut self, failed: bool) -> Running {
        let rings = self.rings.borrow_and_update().clone();
        let ring = |wanted: bool, direction, side| {
            let name = RingName::new(self.lane.clone(), direction, side);
            match &rings {
                Rings::Open(file) if wanted && !failed && file.failure().is_none() => {
                    file.ring(&name).filter(|ring| ring.fence().is_none())
                }
                _ => None,
            }
        };
        let draining = self.state.borrow().draining;
        let mo = ring(self.config.mo && !draining, Direction::Mo, Side::Origin);
        let mt = ring(self.config.mt, Direction::Mt, Side::Mirror);
        let without =
            (self.config.mo && !draining && mo.is_none()) || (self.config.mt && mt.is_none());
        let suspended = self.state.borrow().suspended;
        self.state
            .send_modify(|state| state.without_rings = without);
        let (orders, received) = mpsc::channel(ORDERS);
        if suspended {
            // The channel is empty, so there is room.
            let _room = orders.try_send(Order::Suspend);
        }
        let parts = Parts {
            session: session(&self.config),
            endpoint: self.config.smsc.clone(),
            mo: mo.clone(),
            mt: mt.clone(),
            manner: self.config.manner(),
            in_doubt_mark: self.config.in_doubt_mark,
            status: self.status.clone(),
        };
        Running {
            orders,
            task: tokio::spawn(driver::run(parts, received)),
            mt,
            mo,
        }
    }

    /// Stays with a session until it is over.
    async fn watch(&mut self, running: &mut Running, asked: &mut mpsc::Receiver<Wish>) -> Over {
        let without = self.state.borrow().without_rings;
        let mut watch = Watch::new(self.config.stuck_after);
        let mut look = tokio::time::interval((self.config.stuck_after / LOOKS).min(LOOK));
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                ended = &mut running.task => return self.ended(ended),
                changed = self.rings.changed() => match changed {
                    // While they are only tried in vain, again and again, the session need not hear of it.
                    Ok(()) if self.rings.borrow_and_update().trouble().is_some() && without => {}
                    Ok(()) => return Over::Anew,
                    // The edge is gone; its lanes go with it.
                    Err(_closed) => std::future::pending().await,
                },
                wish = asked.recv() => match wish {
                    None => std::future::pending().await,
                    Some(Wish::Order(order)) => self.pass_on(running, order),
                    Some(Wish::Drain(draining)) => {
                        if self.state.borrow().draining != draining {
                            self.state.send_modify(|state| state.draining = draining);
                            return Over::Anew;
                        }
                    }
                    Some(Wish::Stop(done)) => return Over::Stop(done),
                    Some(Wish::Configure(config, anew)) => {
                        let manner = config.manner();
                        // Which rings there are waits for a restart.
                        let (mo, mt) = (self.config.mo, self.config.mt);
                        self.config = LaneConfig { mo, mt, ..*config };
                        let shown = Box::new(self.config.clone());
                        self.state.send_modify(|state| state.config = Some(shown));
                        if anew {
                            return Over::Anew;
                        }
                        watch = Watch::new(self.config.stuck_after);
                        self.pass_on(running, Order::Manner(manner));
                    }
                },
                _ = look.tick() => {
                    let progress = self.progress(running);
                    let motion = watch.look(self.clock.now(), progress);
                    let Motion::Stuck(stood) = motion else {
                        // A new session alone is no progress.
                        if self.stuck_at.is_some_and(|steps| steps != progress.steps) {
                            self.stuck_at = None;
                            self.stuck(None);
                        }
                        continue;
                    };
                    self.stuck_at = Some(progress.steps);
                    tracing::error!(lane = %self.lane, stood_s = stood.as_secs(), "the lane is stuck: messages wait, the SMSC is there, and nothing moves; its session is made anew");
                    self.stuck(Some(stood));
                    self.state.send_modify(|state| state.restarts += 1);
                    return Over::Anew;
                }
            }
        }
    }

    fn stuck(&self, stuck_for: Option<Duration>) {
        self.state.send_if_modified(|state| {
            let news = state.stuck_for != stuck_for;
            state.stuck_for = stuck_for;
            news
        });
    }

    fn pass_on(&self, running: &Running, order: Order) {
        match order {
            Order::Suspend => self.state.send_modify(|state| state.suspended = true),
            Order::Resume => self.state.send_modify(|state| state.suspended = false),
            Order::ResendHeld | Order::DropHeld | Order::Manner(_) | Order::Close => {}
        }
        if running.orders.try_send(order).is_err() {
            tracing::warn!(lane = %self.lane, "the session does not take orders; it will be told when it is made anew");
        }
    }

    /// What should move: messages to the SMSC, while it is there and nothing holds them back on purpose.
    fn progress(&self, running: &Running) -> Progress {
        let state = self.status.state();
        let held_back = self.state.borrow().suspended || state.held.is_some() || state.pausing;
        let waits = running
            .mt
            .as_ref()
            .is_some_and(|ring| ring.look(|array| array.next_to_process().is_some()));
        let pointers = |ring: &Option<Ring>| {
            ring.as_ref().map_or(0, |ring| {
                ring.look(|array| {
                    let marks = array.marks();
                    marks.processed.up_to().get() + marks.retrieved.up_to().get()
                })
            })
        };
        let counters = [
            &self.status.submitted,
            &self.status.refused,
            &self.status.deferred,
            &self.status.doubtful,
            &self.status.expired,
        ];
        Progress {
            due: state.phase == Phase::Up && waits && !held_back,
            steps: pointers(&running.mt)
                + pointers(&running.mo)
                + counters
                    .into_iter()
                    .map(|counter| counter.get())
                    .sum::<u64>(),
        }
    }

    fn ended(&self, ended: Result<Result<(), StoreError>, tokio::task::JoinError>) -> Over {
        match ended {
            Ok(Ok(())) => Over::Anew,
            Ok(Err(why)) => {
                tracing::error!(lane = %self.lane, %why, "the lane's rings take nothing more; the SMSC is told to keep its messages");
                Over::Failed
            }
            // An assertion failed in there; this process must not go on with people's messages.
            Err(panicked) if panicked.is_panic() => {
                std::panic::resume_unwind(panicked.into_panic())
            }
            Err(_stopped_with_the_runtime) => Over::Anew,
        }
    }

    /// Lets the outstanding operation come to its end and says goodbye, but does not wait long for it.
    async fn end(&self, mut running: Running) {
        if running.task.is_finished() || self.status.state().phase != Phase::Up {
            return;
        }
        if running.orders.try_send(Order::Close).is_ok() {
            let _in_time = tokio::time::timeout(GOODBYE, &mut running.task).await;
        }
    }
}

/// A new session of the lane's protocol.
fn session(config: &LaneConfig) -> Box<dyn Session> {
    const CHECKED: &str = "the configuration was checked";
    if let Some(smpp) = &config.smpp {
        let chance = getrandom::u64().unwrap_or_default();
        Box::new(smpp::Session::new(smpp.clone(), chance).expect(CHECKED))
    } else {
        let cimd2 = config.cimd2.clone().expect(CHECKED);
        Box::new(cimd2::Session::new(cimd2).expect(CHECKED))
    }
}
