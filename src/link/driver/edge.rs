//! An edge's end of the link: keeps a connection to central, redials beside one that fell silent, and takes the first
//! that answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::keeper::{Alarm, Keeper};
use super::session::{self, Beginning, Cause, Ending, Event};
use super::status::{Board, LinkStatus, Phase};
use super::{STOP, chance};
use crate::clock::{Clock, Moment};
use crate::link::transport::{ConnectError, Connection, Connector, FailureLog};
use crate::link::{Reason, Redial, RedialConfig, Role};
use crate::ring::Ring;

/// The longest pause between attempts while nothing answers, on lines whose handshakes take long: attempts beside one
/// another must not fill a slow line.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long, beside three round trips, a connection that was made may take to come up: its hello goes four times a second.
const GREETING: Duration = Duration::from_millis(500);

/// The link of one edge. It runs until it is stopped or dropped.
pub struct EdgeLink {
    board: Arc<Board>,
    rings: watch::Sender<Vec<Ring>>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl EdgeLink {
    /// Begins to call central. `rings` are the MO origins and MT mirrors of all lanes.
    pub fn start<K: Keeper>(connector: Connector, rings: Vec<Ring>, keeper: Arc<K>) -> Self {
        let usual = RedialConfig::default();
        let longest = connector.redial_interval();
        let redial = RedialConfig {
            unreachable: (usual.unreachable.0.min(longest), longest),
            ..usual
        };
        Self::start_with(connector, rings, keeper, redial)
    }

    /// The same, with other pauses between attempts.
    pub fn start_with<K: Keeper>(
        connector: Connector,
        rings: Vec<Ring>,
        keeper: Arc<K>,
        redial: RedialConfig,
    ) -> Self {
        let clock = Clock::system();
        let board = Arc::new(Board::new(clock.wall()));
        let rings = watch::Sender::new(rings);
        let stop = watch::Sender::new(false);
        let (events, heard) = mpsc::unbounded_channel();
        let caller = Caller {
            redial: Redial::new(clock.now(), redial, 1),
            shortest_pause: redial.unreachable.1,
            clock,
            connector,
            keeper,
            board: Arc::clone(&board),
            rings: rings.subscribe(),
            instance: chance(),
            sessions: BTreeMap::new(),
            tasks: JoinSet::new(),
            attempts: JoinSet::new(),
            current: None,
            last: 0,
            events,
            log: FailureLog::default(),
        };
        let task = tokio::spawn(caller.run(heard, stop.subscribe()));
        Self {
            board,
            rings,
            stop,
            task,
        }
    }

    /// The link as of now.
    pub fn status(&self) -> LinkStatus {
        self.board.read()
    }

    /// The link whenever it changes; figures do so a few times a second while something happens.
    pub fn watch(&self) -> watch::Receiver<LinkStatus> {
        self.board.watch()
    }

    /// Goes on with these rings, after a reload: a new connection is made with them beside the one that carries, and
    /// takes over from it. The former rings are let go of then.
    pub fn set_rings(&self, rings: Vec<Ring>) {
        self.rings.send_replace(rings);
    }

    /// Says goodbye, and returns when central has heard it or four seconds have passed. Nothing is lost by it: what is
    /// under way comes again on the next connection.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let mut task = self.task;
        if tokio::time::timeout(STOP, &mut task).await.is_err() {
            task.abort();
        }
    }
}

struct Running {
    orders: watch::Sender<Option<Reason>>,
    /// Whether it came up.
    opened: bool,
    /// Until when it may still be greeting central; then another one is begun beside it.
    greets_until: Moment,
}

impl Running {
    fn close(&self, reason: Reason) {
        self.orders.send_replace(Some(reason));
    }

    /// Whether it may come up at any moment.
    fn is_greeting(&self, now: Moment) -> bool {
        !self.opened && now < self.greets_until && self.orders.borrow().is_none()
    }
}

/// Keeps the connections of an edge.
struct Caller<K> {
    clock: Clock,
    connector: Connector,
    keeper: Arc<K>,
    board: Arc<Board>,
    rings: watch::Receiver<Vec<Ring>>,
    instance: u64,
    redial: Redial,
    /// The longest pause between attempts on lines that are not slow.
    shortest_pause: Duration,
    /// By number; a larger one is younger.
    sessions: BTreeMap<u64, Running>,
    tasks: JoinSet<()>,
    attempts: JoinSet<Result<Connection, ConnectError>>,
    /// The session that carries.
    current: Option<u64>,
    last: u64,
    events: mpsc::UnboundedSender<(u64, Event)>,
    log: FailureLog,
}

impl<K: Keeper> Caller<K> {
    async fn run(
        mut self,
        mut events: mpsc::UnboundedReceiver<(u64, Event)>,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            self.dial();
            let next = self.redial.poll_timeout();
            tokio::select! {
                Some((number, event)) = events.recv() => self.heard(number, event),
                Some(done) = self.attempts.join_next() => match done {
                    Ok(done) => self.answered(done),
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Err(_dropped) => {}
                },
                Some(done) = self.tasks.join_next() => {
                    if let Err(error) = done
                        && error.is_panic()
                    {
                        std::panic::resume_unwind(error.into_panic());
                    }
                }
                Ok(()) = self.rings.changed() => {
                    self.rings.mark_unchanged();
                    // Those that are not up yet have the former rings.
                    self.close_others(self.current);
                    if self.current.is_some() {
                        self.redial.beside(self.clock.now());
                    }
                }
                () = sleep_until(self.clock, next) => {}
                // Dropped counts as asked.
                _stop = stop.changed() => break,
            }
        }
        self.attempts.abort_all();
        for running in self.sessions.values() {
            running.close(Reason::Stopping);
        }
        while self.tasks.join_next().await.is_some() {}
        self.board.turn(Phase::Stopped, self.clock.wall());
    }

    fn dial(&mut self) {
        while self.redial.poll_dial(self.clock.now(), chance()).is_some() {
            let connector = self.connector.clone();
            // One attempt tries every address of central in turn.
            self.attempts
                .spawn(async move { connector.connect().await });
        }
    }

    fn answered(&mut self, done: Result<Connection, ConnectError>) {
        let now = self.clock.now();
        match done {
            Ok(connection) => {
                // Until the session is up the line may still swallow it; so the next attempt stays due.
                self.redial.unreachable();
                // On a slow line several are answered before the first is up; each would take over from the one before.
                if self.sessions.values().any(|it| it.is_greeting(now)) {
                    connection.close("another connection of this edge was faster");
                } else {
                    self.begin(connection, now);
                }
            }
            Err(error) => {
                self.log.failure(&error, now);
                let refused = error.needs_operator();
                if refused {
                    self.keeper.alarm(Alarm::Refused {
                        why: error.to_string(),
                    });
                    self.attempts.abort_all();
                    self.attempts = JoinSet::new();
                    self.redial.refused(now, chance());
                } else {
                    self.redial.unreachable();
                }
                self.board
                    .failed(refused, error.to_string(), self.clock.wall());
            }
        }
    }

    fn begin(&mut self, connection: Connection, now: Moment) {
        self.last += 1;
        let greets_until = now + 3 * connection.rtt() + GREETING;
        let (orders, ordered) = watch::channel(None);
        let beginning = Beginning {
            number: self.last,
            role: Role::Edge,
            identity: self.connector.identity().name().to_owned(),
            instance: self.instance,
            connection,
            rings: self.rings.borrow().clone(),
            keeper: Arc::clone(&self.keeper),
            board: Arc::clone(&self.board),
            events: self.events.clone(),
            orders: ordered,
        };
        self.tasks.spawn(session::run(beginning));
        let running = Running {
            orders,
            opened: false,
            greets_until,
        };
        self.sessions.insert(self.last, running);
    }

    /// Closes all sessions but one.
    fn close_others(&self, but: Option<u64>) {
        for (number, running) in &self.sessions {
            if Some(*number) != but {
                running.close(Reason::Replaced);
            }
        }
    }

    fn heard(&mut self, number: u64, event: Event) {
        let now = self.clock.now();
        match event {
            Event::Opened(far) => {
                if let Some(running) = self.sessions.get_mut(&number) {
                    running.opened = true;
                }
                if self.current.is_some_and(|current| current > number) {
                    self.close(number);
                    return;
                }
                self.current = Some(number);
                self.redial.connected(now);
                self.attempts.abort_all();
                self.attempts = JoinSet::new();
                // Central takes the youngest; so do we, and one that is younger still may come up yet.
                for (_, running) in self.sessions.range(..number) {
                    running.close(Reason::Replaced);
                }
                self.board.up(number, far, self.clock.wall());
            }
            Event::Silent if self.current == Some(number) => {
                self.board.turn(Phase::Silent, self.clock.wall());
                self.redial.beside(now);
            }
            Event::Heard if self.current == Some(number) => {
                self.board.turn(Phase::Up, self.clock.wall());
                // The old connection was faster.
                self.redial.recovered();
                self.attempts.abort_all();
                self.attempts = JoinSet::new();
                self.close_others(self.current);
            }
            Event::Silent | Event::Heard => {}
            Event::Ended(ending) => self.ended(number, &ending, now),
        }
    }

    fn close(&self, number: u64) {
        if let Some(running) = self.sessions.get(&number) {
            running.close(Reason::Replaced);
        }
    }

    fn ended(&mut self, number: u64, ending: &Ending, now: Moment) {
        let opened = self
            .sessions
            .remove(&number)
            .is_some_and(|running| running.opened);
        if ending.cause == Cause::Silence {
            self.connector.fell_silent(ending.carrier, ending.age);
        }
        if self.current == Some(number) {
            self.current = None;
            self.board
                .down(ending.heard, ending.words.clone(), self.clock.wall());
            match ending.cause {
                // The line is to blame, not the far end: it may be back at any moment.
                Cause::Silence | Cause::Ours => self.redial.silent(now),
                Cause::Refusal | Cause::Broken => self.redial.lost(now, chance()),
            }
        } else if !opened && ending.cause == Cause::Refusal {
            self.redial.refused(now, chance());
            self.board
                .failed(true, ending.words.clone(), self.clock.wall());
        }
        let longest = LONGEST_PAUSE.max(self.shortest_pause);
        let pause = (3 * ending.round_trip).clamp(self.shortest_pause, longest);
        self.redial.set_longest_pause(pause);
    }
}

async fn sleep_until(clock: Clock, at: Option<Moment>) {
    match at {
        Some(at) => tokio::time::sleep_until(clock.instant(at).into()).await,
        None => std::future::pending().await,
    }
}
