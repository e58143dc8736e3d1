//! Central's end of all links: takes edges in, gives each its rings, and lets a newer connection of an edge take over
//! from an older one.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::keeper::Keeper;
use super::session::{self, Beginning, Ending, Event};
use super::status::{Board, LinkStatus, Phase};
use super::{STOP, chance};
use crate::clock::Clock;
use crate::link::transport::{Connection, Listener};
use crate::link::{Reason, Role};
use crate::ring::Ring;

/// What the far ends read in the last packet of a listener that stops.
const STOPPING: &str = "central is stopping in order";

/// The links of central, one for each edge. They run until they are stopped or dropped.
pub struct CentralLinks {
    boards: Arc<Boards>,
    refresh: mpsc::UnboundedSender<String>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
    address: SocketAddr,
}

/// Where each edge's status stands.
struct Boards {
    clock: Clock,
    by_edge: Mutex<BTreeMap<String, Arc<Board>>>,
}

impl Boards {
    fn by_edge(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Board>>> {
        self.by_edge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An edge's board; bounded by the edges that are enrolled or configured.
    fn of(&self, edge: &str) -> Arc<Board> {
        let mut boards = self.by_edge();
        if let Some(board) = boards.get(edge) {
            return Arc::clone(board);
        }
        let board = Arc::new(Board::new(self.clock.wall()));
        boards.insert(edge.to_owned(), Arc::clone(&board));
        board
    }
}

impl CentralLinks {
    /// Begins to take edges in. `rings` gives the rings of an edge's lanes, MO mirrors and MT origins; it is asked at
    /// each connection and returns at once. An edge of which it knows nothing gets no rings; each ring that such an
    /// edge names is refused, with a word at both ends.
    pub fn start<K: Keeper>(
        listener: Listener,
        rings: impl Fn(&str) -> Vec<Ring> + Send + 'static,
        keeper: Arc<K>,
    ) -> Self {
        let clock = Clock::system();
        let boards = Arc::new(Boards {
            clock,
            by_edge: Mutex::default(),
        });
        let stop = watch::Sender::new(false);
        let (events, heard) = mpsc::unbounded_channel();
        let (refresh, refreshed) = mpsc::unbounded_channel();
        let address = listener.local_address();
        let keeping = Keeping {
            clock,
            identity: listener.identity().name().to_owned(),
            rings,
            keeper,
            boards: Arc::clone(&boards),
            instance: chance(),
            sessions: BTreeMap::new(),
            current: HashMap::new(),
            tasks: JoinSet::new(),
            last: 0,
            events,
        };
        let task = tokio::spawn(keeping.run(listener, heard, refreshed, stop.subscribe()));
        Self {
            boards,
            refresh,
            stop,
            task,
            address,
        }
    }

    /// Where it listens.
    pub const fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// The edges that were connected, or asked for, since the start.
    pub fn edges(&self) -> Vec<String> {
        self.boards.by_edge().keys().cloned().collect()
    }

    /// The link to an edge as of now; nothing if that edge was never connected or asked for.
    pub fn status(&self, edge: &str) -> Option<LinkStatus> {
        let boards = self.boards.by_edge();
        boards.get(edge).map(|board| board.read())
    }

    /// The link to an edge whenever it changes, also if it was never connected yet.
    pub fn watch(&self, edge: &str) -> watch::Receiver<LinkStatus> {
        self.boards.of(edge).watch()
    }

    /// The rings of an edge are others now, after a reload: its connection is closed, and on the next one, which it
    /// makes at once, they are asked for anew.
    pub fn refresh(&self, edge: &str) {
        // Nobody listens only when everything has stopped.
        let _stopped = self.refresh.send(edge.to_owned());
    }

    /// Says goodbye to all edges, and returns when they have heard it or four seconds have passed.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let mut task = self.task;
        if tokio::time::timeout(STOP, &mut task).await.is_err() {
            task.abort();
        }
    }
}

struct Running {
    edge: String,
    orders: watch::Sender<Option<Reason>>,
}

/// Keeps the connections of all edges.
struct Keeping<K, F> {
    clock: Clock,
    identity: String,
    rings: F,
    keeper: Arc<K>,
    boards: Arc<Boards>,
    instance: u64,
    /// By number; a larger one is younger.
    sessions: BTreeMap<u64, Running>,
    /// The session of each edge that carries.
    current: HashMap<String, u64>,
    tasks: JoinSet<()>,
    last: u64,
    events: mpsc::UnboundedSender<(u64, Event)>,
}

impl<K: Keeper, F: Fn(&str) -> Vec<Ring>> Keeping<K, F> {
    async fn run(
        mut self,
        mut listener: Listener,
        mut events: mpsc::UnboundedReceiver<(u64, Event)>,
        mut refreshed: mpsc::UnboundedReceiver<String>,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            tokio::select! {
                connection = listener.accept() => self.begin(connection),
                Some((number, event)) = events.recv() => self.heard(number, event),
                Some(done) = self.tasks.join_next() => {
                    if let Err(error) = done
                        && error.is_panic()
                    {
                        std::panic::resume_unwind(error.into_panic());
                    }
                }
                Some(edge) = refreshed.recv() => self.close(&edge, u64::MAX, &Reason::Stopping),
                // Dropped counts as asked.
                _stop = stop.changed() => break,
            }
        }
        for running in self.sessions.values() {
            running.orders.send_replace(Some(Reason::Stopping));
        }
        while self.tasks.join_next().await.is_some() {}
        listener.close(STOPPING).await;
        for board in self.boards.by_edge().values() {
            board.turn(Phase::Stopped, self.clock.wall());
        }
    }

    fn begin(&mut self, connection: Connection) {
        self.last += 1;
        let edge = connection.peer_name().to_owned();
        let (orders, ordered) = watch::channel(None);
        let beginning = Beginning {
            number: self.last,
            role: Role::Central,
            identity: self.identity.clone(),
            instance: self.instance,
            connection,
            rings: (self.rings)(&edge),
            keeper: Arc::clone(&self.keeper),
            board: self.boards.of(&edge),
            events: self.events.clone(),
            orders: ordered,
        };
        self.tasks.spawn(session::run(beginning));
        self.sessions.insert(self.last, Running { edge, orders });
    }

    /// Closes the sessions of an edge that are older than this one.
    fn close(&self, edge: &str, older_than: u64, reason: &Reason) {
        for (_, running) in self.sessions.range(..older_than) {
            if running.edge == edge {
                running.orders.send_replace(Some(reason.clone()));
            }
        }
    }

    fn heard(&mut self, number: u64, event: Event) {
        let Some(running) = self.sessions.get(&number) else {
            return;
        };
        let now = self.clock.wall();
        let current = self.current.get(&running.edge).copied();
        let carries = current == Some(number);
        match event {
            Event::Opened(far) => {
                if current.is_some_and(|current| current > number) {
                    running.orders.send_replace(Some(Reason::Replaced));
                    return;
                }
                let edge = running.edge.clone();
                self.close(&edge, number, &Reason::Replaced);
                self.boards.of(&edge).up(number, far, now);
                self.current.insert(edge, number);
            }
            Event::Silent if carries => self.boards.of(&running.edge).turn(Phase::Silent, now),
            Event::Heard if carries => self.boards.of(&running.edge).turn(Phase::Up, now),
            Event::Silent | Event::Heard => {}
            Event::Ended(ending) => self.ended(number, &ending),
        }
    }

    fn ended(&mut self, number: u64, ending: &Ending) {
        let Some(running) = self.sessions.remove(&number) else {
            return;
        };
        if self.current.get(&running.edge) == Some(&number) {
            self.current.remove(&running.edge);
            self.boards.of(&running.edge).down(
                ending.heard,
                ending.words.clone(),
                self.clock.wall(),
            );
        }
    }
}
