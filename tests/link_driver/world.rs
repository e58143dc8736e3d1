//! Two ends of a link with ring files, real certificates and real sockets, and what their owners do with the rings.

#![allow(unreachable_pub, reason = "each test uses its part")]

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sluice::clock::{Clock, WallTime};
use sluice::lane::{Direction, Lane, RingName, Sequence, Side};
use sluice::link::driver::{Alarm, CentralLinks, EdgeLink, Keeper, LinkStatus, Phase};
use sluice::link::is_lost_placeholder;
use sluice::link::pki::{Authority, Bundle, CentralIdentity, EdgeIdentity};
use sluice::link::transport::{
    Choice, Connector, ConnectorConfig, ListenError, Listener, ListenerConfig, Resolver,
};
use sluice::message::{Item, Outcome, SmscId};
use sluice::ring::{Array, Misstep, Ring, RingError, RingFile, format};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::support::disk::SimulatedDisk;
use crate::support::messages::parcel;

pub const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// A test that hangs has failed. Nothing here takes that long on a machine that is not busy.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what)
        .await
        .expect("it happens soon")
}

/// Waits until what is watched is so.
pub async fn until<T: Clone + std::fmt::Debug>(
    watched: &mut watch::Receiver<T>,
    so: impl FnMut(&T) -> bool,
) -> T {
    let found = tokio::time::timeout(Duration::from_secs(60), watched.wait_for(so)).await;
    let found = found.map(|found| found.expect("its owner lives").clone());
    found.unwrap_or_else(|_late| panic!("it never came to that: {:#?}", *watched.borrow()))
}

pub fn now() -> WallTime {
    Clock::system().wall()
}

pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// An operator's authority at central, and the folder in which everything of a test lies.
pub struct Operator {
    home: tempfile::TempDir,
}

impl Operator {
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let address = [String::from("127.0.0.1:25500")];
        let begun = WallTime::from_unix_ms(now().as_unix_ms() - 3_600_000);
        Authority::init(&home.path().join("pki"), "main", &address, begun).unwrap();
        Self { home }
    }

    pub fn authority(&self) -> Authority {
        Authority::open(&self.path("pki")).unwrap()
    }

    pub fn enrol(&self, edge: &str) -> Bundle {
        self.authority().enrol(edge, YEAR, now()).unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn try_listen(&self, to: SocketAddr) -> Result<Listener, ListenError> {
        let config = ListenerConfig {
            listen: to,
            reread_interval: Duration::from_millis(20),
            ..ListenerConfig::default()
        };
        let identity = CentralIdentity::load(&self.path("pki")).unwrap();
        Listener::bind(identity, config)
    }

    pub fn connector(&self, bundle: &Bundle, to: &[SocketAddr], transport: Choice) -> Connector {
        let file = self.path(&format!("{}.pair", bundle.edge));
        bundle.replace(&file).unwrap();
        let config = ConnectorConfig {
            transport,
            addresses: to.iter().map(ToString::to_string).collect(),
            ..ConnectorConfig::default()
        };
        let identity = EdgeIdentity::load(&file, Some(&bundle.edge)).unwrap();
        Connector::new(identity, config)
    }

    /// A connector to a name that is looked up like this.
    pub fn connector_to(&self, bundle: &Bundle, name: &str, resolver: Resolver) -> Connector {
        let file = self.path(&format!("{}.pair", bundle.edge));
        bundle.replace(&file).unwrap();
        let config = ConnectorConfig {
            addresses: vec![name.to_owned()],
            ..ConnectorConfig::default()
        };
        let identity = EdgeIdentity::load(&file, Some(&bundle.edge)).unwrap();
        Connector::resolving(identity, config, resolver)
    }
}

/// What an owner has been told.
pub struct Book {
    pub outcomes: watch::Sender<BTreeMap<(String, Sequence), Outcome>>,
    pub alarms: watch::Sender<Vec<Alarm>>,
}

impl Book {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            outcomes: watch::Sender::default(),
            alarms: watch::Sender::default(),
        })
    }
}

impl Keeper for Book {
    async fn keep(&self, ring: &Ring, told: &[(Sequence, Outcome)]) -> Result<(), String> {
        self.outcomes.send_modify(|kept| {
            for (sequence, outcome) in told {
                let before = kept.insert((ring.name().to_string(), *sequence), outcome.clone());
                assert!(
                    before.is_none_or(|before| before == *outcome),
                    "an outcome that was kept does not change"
                );
            }
        });
        Ok(())
    }

    fn alarm(&self, alarm: Alarm) {
        self.alarms.send_modify(|alarms| alarms.push(alarm));
    }
}

/// Waits until an alarm says so.
pub async fn alarmed(book: &Arc<Book>, words: &str) {
    let mut alarms = book.alarms.subscribe();
    until(&mut alarms, |alarms| {
        alarms.iter().any(|alarm| alarm.to_string().contains(words))
    })
    .await;
}

/// What a mirror handed on, by ring.
pub type HandedOn = BTreeMap<String, Vec<String>>;

/// Opens an end's ring file, at its start and after each kill.
type Opener = Arc<dyn Fn() -> Result<RingFile, RingError> + Send + Sync>;

/// One end: a runtime of its own for everything that it does, so that it can be killed at one blow.
pub struct End {
    opener: Opener,
    /// Whether its mirrors hand on what they hold.
    hands_on: bool,
    pub rings: Vec<Ring>,
    pub book: Arc<Book>,
    pub handed_on: watch::Sender<HandedOn>,
    runtime: Option<Runtime>,
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Names of an end's rings: MO and MT of each lane.
pub fn names(edge: &str, lanes: usize, at_edge: bool) -> Vec<RingName> {
    (0..lanes)
        .flat_map(|lane| [(lane, Direction::Mo), (lane, Direction::Mt)])
        .map(|(lane, direction)| {
            let lane = Lane::new(edge, &format!("lane-{lane}")).unwrap();
            let origin = at_edge == (direction == Direction::Mo);
            RingName::new(
                lane,
                direction,
                if origin { Side::Origin } else { Side::Mirror },
            )
        })
        .collect()
}

impl End {
    /// A first start, with rings of its own epochs.
    pub fn start(path: PathBuf, names: &[RingName]) -> Self {
        Self::start_with(path, names, true)
    }

    /// The same; its mirrors keep what they hold, until [`End::hand_on`].
    pub fn start_holding(path: PathBuf, names: &[RingName]) -> Self {
        Self::start_with(path, names, false)
    }

    fn start_with(path: PathBuf, names: &[RingName], hands_on: bool) -> Self {
        let first = RingFile::open_or_create(&path, names).unwrap().file;
        let opener: Opener = Arc::new(move || RingFile::open(&path).map(|opened| opened.file));
        Self::with(opener, first, names, Book::new(), HandedOn::new(), hands_on)
    }

    /// A first start on a disk that can fail. The live records lie elsewhere, as they do.
    pub fn start_on(disk: SimulatedDisk, names: &[RingName]) -> Self {
        format(&disk, names, &mut || getrandom::u64().unwrap() | 1).unwrap();
        let live = SimulatedDisk::holding(vec![0; names.len() * 512]);
        let opener: Opener = Arc::new(move || {
            let (disk, live) = (Arc::new(disk.clone()), Arc::new(live.clone()));
            RingFile::open_on(Path::new("simulated"), disk, Some(live)).map(|opened| opened.file)
        });
        let first = opener().unwrap();
        Self::with(opener, first, names, Book::new(), HandedOn::new(), true)
    }

    fn with(
        opener: Opener,
        file: RingFile,
        names: &[RingName],
        book: Arc<Book>,
        handed_on: HandedOn,
        hands_on: bool,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let end = Self {
            opener,
            hands_on,
            rings: names.iter().map(|name| file.ring(name).unwrap()).collect(),
            book,
            handed_on: watch::Sender::new(handed_on),
            runtime: Some(runtime),
        };
        end.run(async move {
            file.flush_when_idle().await;
        });
        if hands_on {
            end.hand_on();
        }
        end
    }

    /// From now on its mirrors hand on what they hold.
    pub fn hand_on(&self) {
        for ring in self.mirrors() {
            self.run(hand_on(ring.clone(), self.handed_on.clone()));
        }
    }

    /// Starts something in this end.
    pub fn within<T>(&self, start: impl FnOnce() -> T) -> T {
        let _entered = self.runtime.as_ref().expect("it lives").enter();
        start()
    }

    fn run(&self, what: impl Future<Output = ()> + Send + 'static) {
        self.within(|| drop(tokio::spawn(what)));
    }

    fn side(&self, side: Side) -> impl Iterator<Item = &Ring> {
        self.rings
            .iter()
            .filter(move |ring| ring.name().side == side)
    }

    pub fn origins(&self) -> impl Iterator<Item = &Ring> {
        self.side(Side::Origin)
    }

    pub fn mirrors(&self) -> impl Iterator<Item = &Ring> {
        self.side(Side::Mirror)
    }

    /// Ends all at once that runs in it, with no word to anybody, lets go of what its owner held of that, and starts it
    /// again on the same file.
    pub async fn kill<T>(self, held: T) -> Self {
        self.kill_and(held, || ()).await
    }

    /// The same; before it starts again, this happens to its disk.
    pub async fn kill_and<T>(mut self, held: T, spoil: impl FnOnce()) -> Self {
        let runtime = self.runtime.take().expect("it lives");
        runtime.shutdown_background();
        drop(held);
        let names: Vec<RingName> = self.rings.iter().map(|ring| ring.name().clone()).collect();
        self.rings.clear();
        drop(self.open().await);
        spoil();
        let file = self.open().await;
        let handed_on = self.handed_on.borrow().clone();
        let (opener, book) = (Arc::clone(&self.opener), Arc::clone(&self.book));
        Self::with(opener, file, &names, book, handed_on, self.hands_on)
    }

    async fn open(&self) -> RingFile {
        soon(async {
            loop {
                // What is being dropped elsewhere keeps the lock for a moment.
                match (self.opener)() {
                    Ok(file) => break file,
                    Err(RingError::InUse { .. }) => tokio::task::yield_now().await,
                    Err(why) => panic!("{why}"),
                }
            }
        })
        .await
    }

    /// Waits until one of its rings is so.
    pub async fn until_ring(&self, ring: usize, mut so: impl FnMut(&Array) -> bool) {
        let mut changes = self.rings[ring].changes();
        soon(async {
            while !self.rings[ring].look(&mut so) {
                changes.changed().await.unwrap();
            }
        })
        .await;
    }

    /// Takes messages from their source into each origin, as fast as there is room, until it has had so many.
    pub fn offer_up_to(&self, count: u64) {
        for ring in self.origins() {
            let ring = ring.clone();
            self.run(async move {
                loop {
                    let number = ring.look(Array::accepted).next().get();
                    if number > count {
                        return;
                    }
                    ring.room().await;
                    ring.append(parcel(&text(&ring, number))).await.unwrap();
                }
            });
        }
    }

    /// Waits until every mirror has handed on exactly these messages, in order.
    pub async fn has_handed_on(&self, count: u64) {
        let mut watched = self.handed_on.subscribe();
        let mirrors: Vec<&Ring> = self.mirrors().collect();
        until(&mut watched, |all| {
            mirrors.iter().all(|ring| {
                let there = all.get(&ring.name().to_string()).map_or(0, Vec::len);
                there as u64 >= count
            })
        })
        .await;
        for ring in mirrors {
            let came = watched.borrow()[&ring.name().to_string()].clone();
            let expected: Vec<String> = (1..=count).map(|number| text(ring, number)).collect();
            assert_eq!(came, expected, "each once and in order on {}", ring.name());
        }
    }

    /// Waits until the owner has kept how all messages of all origins ended, and their slots are free.
    pub async fn knows_the_end_of(&self, count: u64) {
        let mut watched = self.book.outcomes.subscribe();
        for ring in self.origins() {
            let name = ring.name().to_string();
            until(&mut watched, |kept| {
                (1..=count).all(|number| kept.contains_key(&(name.clone(), Sequence::new(number))))
            })
            .await;
            let mut changes = ring.changes();
            soon(async {
                while ring.look(|array| array.marks().processed.up_to()) < Sequence::new(count) {
                    changes.changed().await.unwrap();
                }
            })
            .await;
            let kept = watched.borrow().clone();
            for number in 1..=count {
                let sequence = Sequence::new(number);
                assert_eq!(kept[&(name.clone(), sequence)], ended(number));
            }
        }
    }
}

/// An edge's end and central's, with so many lanes.
pub fn ends(operator: &Operator, lanes: usize) -> (End, End) {
    let here = End::start(operator.path("edge.ring"), &names("oslo", lanes, true));
    let there = End::start(operator.path("main.ring"), &names("oslo", lanes, false));
    (here, there)
}

/// What a message says, wherever it is.
pub fn text(ring: &Ring, number: u64) -> String {
    let name = ring.name();
    format!("{} {} {number}", name.lane, name.direction.as_str())
}

/// How the goal answers a message.
pub fn ended(number: u64) -> Outcome {
    let id = format!("id-{number}");
    Outcome::Accepted(SmscId::new(id.into_bytes().into()).unwrap())
}

async fn hand_on(ring: Ring, handed_on: watch::Sender<HandedOn>) {
    let mut changes = ring.changes();
    loop {
        while let Some(sequence) = ring.look(Array::next_to_process) {
            let found = ring.look(|array| array.get(sequence).cloned()).unwrap();
            if is_lost_placeholder(&found) {
                break;
            }
            let Ok(Item::Message(message)) = found.unpack() else {
                panic!("only messages are offered")
            };
            let said = String::from_utf8(message.body.data().to_vec()).unwrap();
            let number = said.rsplit(' ').next().unwrap().parse().unwrap();
            // Both at once, as an owner does in one batch: a kill falls before or after.
            let went = handed_on.send_if_modified(|all| {
                let done = ring.process_with(sequence, ended(number));
                match done {
                    Ok(_) => all.entry(ring.name().to_string()).or_default().push(said),
                    // Its disk failed: an owner gives it up until it was opened anew.
                    Err(Misstep::Stopped) => {}
                    Err(why) => panic!("{why}"),
                }
                done.is_ok()
            });
            if !went {
                return;
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Central with the rings of one edge, listening there as soon as that is possible.
pub async fn central(operator: &Operator, at: SocketAddr, edge: &str, end: &End) -> CentralLinks {
    // The sockets of one that was killed may take a moment to go.
    let listener = soon(async {
        loop {
            match end.within(|| operator.try_listen(at)) {
                Ok(listener) => break listener,
                Err(_in_use) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    end.within(|| {
        let (edge, rings) = (edge.to_owned(), end.rings.clone());
        let of = move |name: &str| match name == edge {
            true => rings.clone(),
            false => Vec::new(),
        };
        CentralLinks::start(listener, of, Arc::clone(&end.book))
    })
}

pub fn edge(connector: Connector, end: &End) -> EdgeLink {
    end.within(|| EdgeLink::start(connector, end.rings.clone(), Arc::clone(&end.book)))
}

pub async fn up(watched: &mut watch::Receiver<LinkStatus>) -> LinkStatus {
    until(watched, |status| status.phase == Phase::Up).await
}
