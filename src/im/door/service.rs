//! The thread in which the service lives: takes events turn by turn, hands changes over, and passes on what is to be let
//! out when they are durable.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::config::DoorError;
use super::keep::Keep;
use super::outbox::Outbox;
use super::pictures::Pictures;
use super::release::{self, GROUPS, Group, Step};
use super::{Counts, MakeChanges, NotTaken, closing, count};
use crate::clock::Clock;
use crate::im::config::Config;
use crate::im::effects::{Effects, Now};
use crate::im::names::ConnectionId;
use crate::im::phone::{TextFate, TextFromPhone, TextToPhone};
use crate::im::primitive::{Request, Unreadable};
use crate::im::service::Service;
use crate::message::{PhoneNews, PhoneNumber, Refused};

/// The thread's name, for people who look at the process.
const THREAD: &str = "im-service";

/// Events that are taken in one turn: their changes become durable together.
const TURN: usize = 128;

/// How long changes wait that may be lost with a crash.
const TIDY_EVERY: Duration = Duration::from_secs(1);

/// How long it takes to begin again after something could not be stored: long enough not to do nothing else on a full
/// disk.
const PAUSE: Duration = Duration::from_secs(1);

/// Something for the service.
pub(super) enum Event {
    /// A connection came.
    Connected(ConnectionId, IpAddr, Outbox, Pictures),
    /// A client sent something. Its connection brings more when the permit comes back.
    Heard(
        ConnectionId,
        Vec<Result<Request, Unreadable>>,
        OwnedSemaphorePermit,
    ),
    /// A connection went.
    Gone(ConnectionId),
    /// A phone wrote.
    FromPhone(TextFromPhone, oneshot::Sender<Result<(), NotTaken>>),
    /// The carrier's word on a text.
    Fate(TextFate, oneshot::Sender<Result<(), NotTaken>>),
    /// The carrier's word on a phone.
    Phone(
        PhoneNumber,
        PhoneNews,
        oneshot::Sender<Result<(), NotTaken>>,
    ),
    /// An operator changes something.
    Change(MakeChanges, oneshot::Sender<Result<(), NotTaken>>),
}

/// The service, and what it lives on.
pub(super) struct Serving<K> {
    config: Config,
    secret: [u8; 32],
    keep: K,
    clock: Clock,
    service: Service,
}

/// What one turn brought.
#[derive(Default)]
struct Turn {
    urgent: bool,
    texts: Vec<TextToPhone>,
    steps: Vec<Step>,
}

impl Turn {
    fn add(&mut self, effects: Effects) {
        self.texts.extend(effects.to_phones);
        let sends = effects.sends.into_iter();
        self.steps
            .extend(sends.map(|(connection, outgoing)| Step::Send(connection, Box::new(outgoing))));
        self.steps
            .extend(effects.closes.into_iter().map(Step::Close));
    }
}

/// Why a run of the service ended.
enum Ended {
    /// The door closes.
    Stopped,
    /// Something could not be stored.
    NotStored(String),
}

/// A service that begins with what is kept.
fn service(
    config: &Config,
    secret: [u8; 32],
    keep: &impl Keep,
    now: Now,
) -> Result<Service, Refused> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|why| Refused::new("chance", why.to_string()))?;
    let mut service = Service::new(config.clone(), secret, seed)?;
    service
        .load_presence(now, |take| keep.presence(take))
        .map_err(|why| Refused::new("presence", why))?;
    Ok(service)
}

fn now(clock: Clock) -> Now {
    Now {
        moment: clock.now(),
        wall: clock.wall(),
    }
}

impl<K: Keep> Serving<K> {
    pub(super) fn new(
        config: Config,
        secret: [u8; 32],
        keep: K,
        clock: Clock,
    ) -> Result<Self, Refused> {
        Ok(Self {
            service: service(&config, secret, &keep, now(clock))?,
            config,
            secret,
            keep,
            clock,
        })
    }

    /// Serves on a thread of its own until the door closes; the receiver hears when that has ended.
    pub(super) fn start(
        self,
        events: mpsc::Receiver<Event>,
        counts: Arc<Counts>,
        stopped: watch::Receiver<bool>,
    ) -> Result<oneshot::Receiver<()>, DoorError> {
        let outside = runtime::Handle::current();
        let own = runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(DoorError::Thread)?;
        let (ended, serving) = oneshot::channel();
        std::thread::Builder::new()
            .name(THREAD.into())
            .spawn(move || {
                own.block_on(self.run(&outside, events, counts, stopped));
                // Nobody waits for it where the door was dropped.
                let _unheard = ended.send(());
            })
            .map_err(DoorError::Thread)?;
        Ok(serving)
    }

    async fn run(
        mut self,
        outside: &runtime::Handle,
        mut events: mpsc::Receiver<Event>,
        counts: Arc<Counts>,
        mut stopped: watch::Receiver<bool>,
    ) {
        loop {
            let (failed, failing) = watch::channel(None);
            let (groups, waiting) = mpsc::channel(GROUPS);
            let releasing = outside.spawn(release::run(waiting, counts.clone(), failed));
            let ended = self
                .serve(&mut events, groups, failing.clone(), &mut stopped, &counts)
                .await;
            self.let_out(releasing).await;
            let why = match (ended, failing.borrow().clone()) {
                (Ended::NotStored(_), Some(why)) | (Ended::NotStored(why), None) => why,
                (Ended::Stopped, _) => return,
            };
            tracing::error!(why, "the IM service begins again with what is stored");
            count(&counts.rebuilt, 1);
            loop {
                tokio::time::sleep(PAUSE).await;
                if *stopped.borrow() {
                    return;
                }
                let anew = self.keep.anew();
                match anew.and_then(|()| {
                    let now = now(self.clock);
                    service(&self.config, self.secret, &self.keep, now)
                        .map_err(|why| why.to_string())
                }) {
                    Ok(service) => {
                        self.service = service;
                        break;
                    }
                    Err(why) => tracing::error!(why, "the IM service cannot begin again yet"),
                }
            }
        }
    }

    async fn let_out(&self, releasing: JoinHandle<()>) {
        // It may have panicked; then it has said so.
        let _ended = releasing.await;
    }

    async fn serve(
        &mut self,
        events: &mut mpsc::Receiver<Event>,
        groups: mpsc::Sender<Group>,
        mut failing: watch::Receiver<Option<String>>,
        stopped: &mut watch::Receiver<bool>,
        counts: &Counts,
    ) -> Ended {
        let mut heard = Vec::with_capacity(TURN);
        let mut refused = 0;
        let mut tidy = tokio::time::interval(TIDY_EVERY);
        tidy.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let mut turn = Turn::default();
            let due_at = self.service.poll_timeout();
            tokio::select! {
                biased;
                _ = failing.changed() => return Ended::NotStored(String::from("it was not stored")),
                () = closing(stopped) => {
                    // What came before is still done, then all connections are let go of.
                    events.close();
                    self.service.close();
                    let done = self.last_turns(events, &groups, counts).await;
                    return match done {
                        Ok(()) => Ended::Stopped,
                        Err(why) => Ended::NotStored(why),
                    };
                }
                // Before what clients bring, which may have no end; it is once a second.
                _ = tidy.tick() => {
                    if let Err(why) = self.tidy(&mut turn) {
                        return Ended::NotStored(why);
                    }
                }
                took = events.recv_many(&mut heard, TURN) => {
                    if took == 0 {
                        return Ended::Stopped;
                    }
                    self.service.hold_texts(!self.keep.has_room_for_texts());
                    for event in heard.drain(..) {
                        if let Err(why) = self.take(event, &mut turn, counts) {
                            return Ended::NotStored(why);
                        }
                        if self.keep.is_crowded()
                            && let Err(why) = self.pass_on(std::mem::take(&mut turn), &groups).await
                        {
                            return Ended::NotStored(why);
                        }
                    }
                }
                () = tokio::time::sleep_until(self.clock.instant(due_at).into()) => {}
            }
            counts
                .points
                .store(self.service.points(), Ordering::Relaxed);
            counts.users.store(self.service.users(), Ordering::Relaxed);
            let refused_now = self.service.refused_sign_ins();
            count(&counts.refused_sign_ins, refused_now - refused);
            refused = refused_now;
            if let Err(why) = self.pass_on(turn, &groups).await {
                return Ended::NotStored(why);
            }
            // Presence comes last: a little of it after each turn, so that what is said never waits for more than that, and
            // presence not forever.
            let mut turn = Turn::default();
            if let Err(why) = self.due(&mut turn) {
                return Ended::NotStored(why);
            }
            if let Err(why) = self.pass_on(turn, &groups).await {
                return Ended::NotStored(why);
            }
        }
    }

    /// What is due by now.
    fn due(&mut self, turn: &mut Turn) -> Result<(), String> {
        let now = now(self.clock);
        if self.service.poll_timeout() > now.moment {
            return Ok(());
        }
        let effects = self.service.handle_timeout(now, &self.keep);
        self.keep.hand_over(&effects.changes)?;
        turn.urgent = effects.is_urgent() || self.keep.is_crowded();
        turn.add(effects);
        Ok(())
    }

    async fn last_turns(
        &mut self,
        events: &mut mpsc::Receiver<Event>,
        groups: &mpsc::Sender<Group>,
        counts: &Counts,
    ) -> Result<(), String> {
        while let Some(event) = events.recv().await {
            let mut turn = Turn::default();
            self.take(event, &mut turn, counts)?;
            self.pass_on(turn, groups).await?;
        }
        let turn = Turn {
            urgent: self.keep.is_waiting(),
            ..Turn::default()
        };
        self.pass_on(turn, groups).await
    }

    /// What may have waited, and what is to be swept away.
    fn tidy(&mut self, turn: &mut Turn) -> Result<(), String> {
        let now = now(self.clock);
        self.keep.sweep(now.wall)?;
        turn.urgent = self.keep.is_waiting();
        Ok(())
    }

    fn take(&mut self, event: Event, turn: &mut Turn, counts: &Counts) -> Result<(), String> {
        let now = now(self.clock);
        let mut done = None;
        let effects = match event {
            Event::Connected(connection, from, outbox, pictures) => {
                self.service.connected(connection, from);
                turn.steps
                    .push(Step::Connected(connection, outbox, pictures));
                return Ok(());
            }
            Event::Heard(connection, requests, permits) => {
                count(&counts.heard, requests.len() as u64);
                for request in requests {
                    let effects = self.service.handle(now, &self.keep, connection, request);
                    self.add(effects, turn)?;
                }
                turn.steps.push(Step::Heard(connection, permits));
                return Ok(());
            }
            Event::Gone(connection) => {
                turn.steps.push(Step::Gone(connection));
                self.service.disconnected(now, connection)
            }
            Event::FromPhone(text, asks) => {
                done = Some(asks);
                let effects = self.service.from_phone(now, &self.keep, text);
                effects.map_err(|why| why.to_string())?
            }
            Event::Fate(fate, asks) => {
                done = Some(asks);
                let effects = self.service.fate(now, &self.keep, fate);
                effects.map_err(|why| why.to_string())?
            }
            Event::Phone(number, news, asks) => {
                done = Some(asks);
                self.service.phone_reported(now, &self.keep, &number, news)
            }
            Event::Change(make, asks) => match make(&self.keep) {
                Ok(changes) => {
                    done = Some(asks);
                    self.service.operator_changes(now, &self.keep, changes)
                }
                Err(why) => {
                    // Who went away does not want to know.
                    let _unheard = asks.send(Err(NotTaken(why)));
                    return Ok(());
                }
            },
        };
        // Whoever asked waits for what was there before, too.
        turn.urgent |= done.is_some();
        self.add(effects, turn)?;
        turn.steps.extend(done.map(Step::Done));
        Ok(())
    }

    /// What one event brought goes with the turn.
    fn add(&self, effects: Effects, turn: &mut Turn) -> Result<(), String> {
        self.keep.hand_over(&effects.changes)?;
        turn.urgent |= effects.is_urgent() || self.keep.is_crowded();
        turn.add(effects);
        Ok(())
    }

    async fn pass_on(&self, turn: Turn, groups: &mpsc::Sender<Group>) -> Result<(), String> {
        let durable = match turn.urgent {
            true => Some(self.keep.store(turn.texts)?),
            false => None,
        };
        if durable.is_none() && turn.steps.is_empty() {
            return Ok(());
        }
        let group = Group {
            durable,
            steps: turn.steps,
        };
        let sent = groups.send(group).await;
        sent.map_err(|_ended| String::from("it was not stored"))
    }
}
