//! Both ends of a link in this process, with rings in memory, over loopback or a bad line.

#![allow(unreachable_pub, reason = "one benchmark uses it")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sluice::clock::{Clock, WallTime};
use sluice::lane::{Direction, Lane, RingName, Sequence, Side};
use sluice::link::driver::{CentralLinks, EdgeLink, Keeper, Phase};
use sluice::link::pki::{Authority, Bundle, CentralIdentity, EdgeIdentity};
use sluice::link::transport::{Choice, Connector, ConnectorConfig, Listener, ListenerConfig};
use sluice::message::{
    Body, Coding, DeliveryKey, Item, Outcome, PhoneNumber, ShortCode, ShortMessage, SmscId,
    UserDataHeader,
};
use sluice::ring::{Array, Parcel, Ring, RingFile};
use sluice::sim::wan::{Wan, Weather};
use tokio::task::JoinSet;

/// What an operator makes once for all beds.
pub struct Operator {
    home: tempfile::TempDir,
    bundle: Bundle,
}

impl Operator {
    pub fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let pki = home.path().join("pki");
        let now = Clock::system().wall();
        let begun = WallTime::from_unix_ms(now.as_unix_ms() - 3_600_000);
        let address = [String::from("127.0.0.1:25500")];
        Authority::init(&pki, "main", &address, begun).expect("a new authority");
        let year = Duration::from_secs(365 * 24 * 3600);
        let mut authority = Authority::open(&pki).expect("it was made");
        let bundle = authority.enrol("oslo", year, now).expect("a new edge");
        bundle
            .replace(&home.path().join("oslo.pair"))
            .expect("room on the disk");
        Self { home, bundle }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        Path::new(self.home.path()).join(name)
    }

    fn listener(&self) -> Listener {
        let identity = CentralIdentity::load(&self.file("pki")).expect("it was made");
        let config = ListenerConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            ..ListenerConfig::default()
        };
        Listener::bind(identity, config).expect("a free port")
    }

    fn connector(&self, to: SocketAddr, transport: Choice) -> Connector {
        let file = self.file("oslo.pair");
        let identity = EdgeIdentity::load(&file, Some(&self.bundle.edge)).expect("it was made");
        let config = ConnectorConfig {
            transport,
            addresses: vec![to.to_string()],
            ..ConnectorConfig::default()
        };
        Connector::new(identity, config)
    }
}

/// Outcomes are kept nowhere: what the link itself costs.
struct Forgetful;

impl Keeper for Forgetful {
    async fn keep(&self, _ring: &Ring, _told: &[(Sequence, Outcome)]) -> Result<(), String> {
        Ok(())
    }
}

/// A link that carries as much as it can, from the edge to central.
pub struct Bed {
    pub wan: Option<Wan>,
    pub link: EdgeLink,
    pub links: CentralLinks,
    pub origins: Vec<Ring>,
    pub mirrors: Vec<Ring>,
    tasks: JoinSet<()>,
}

/// A message of 160 characters.
fn parcel() -> Parcel {
    let text = Bytes::from_static(&[b'x'; 160]);
    let body = Body::new(Coding::Gsm7, UserDataHeader::NONE, text).expect("160 characters fit");
    let message = ShortMessage::new(
        PhoneNumber::new("358401234567").expect("a number").into(),
        ShortCode::new("12345").expect("a code").into(),
        body,
    );
    let at = WallTime::from_unix_ms(1_795_248_785_123);
    Parcel::pack(&Item::Message(message), at, DeliveryKey::NONE).expect("it fits")
}

fn rings(lanes: usize, side: Side) -> Vec<Ring> {
    let names: Vec<RingName> = (0..lanes)
        .map(|lane| {
            let lane = Lane::new("oslo", &format!("lane-{lane}")).expect("a good name");
            RingName::new(lane, Direction::Mo, side)
        })
        .collect();
    let file = RingFile::in_memory(&names).expect("memory");
    file.rings()
}

impl Bed {
    /// Connects; nothing is offered yet.
    pub async fn new(
        operator: &Operator,
        lanes: usize,
        weather: Option<(Weather, u64)>,
        transport: Choice,
    ) -> Self {
        let (origins, mirrors) = (rings(lanes, Side::Origin), rings(lanes, Side::Mirror));
        let listener = operator.listener();
        let central = listener.local_address();
        let of = {
            let mirrors = mirrors.clone();
            move |_edge: &str| mirrors.clone()
        };
        let links = CentralLinks::start(listener, of, Arc::new(Forgetful));
        let wan = weather.map(|(weather, seed)| {
            let here = SocketAddr::from(([127, 0, 0, 1], 0));
            Wan::open(here, central, weather, seed).expect("a free port")
        });
        let to = wan.as_ref().map_or(central, Wan::address);
        let connector = operator.connector(to, transport);
        let link = EdgeLink::start(connector, origins.clone(), Arc::new(Forgetful));
        let mut seen = link.watch();
        let up = seen.wait_for(|status| status.phase == Phase::Up);
        up.await.expect("the link lives");
        let mut tasks = JoinSet::new();
        for mirror in mirrors.clone() {
            tasks.spawn(hand_on(mirror));
        }
        Self {
            wan,
            link,
            links,
            origins,
            mirrors,
            tasks,
        }
    }

    /// From now on every origin is filled as soon as there is room.
    pub fn fill(&mut self) {
        for origin in self.origins.clone() {
            self.tasks.spawn(async move {
                let parcel = parcel();
                loop {
                    origin.room().await;
                    let room = origin.look(Array::room) as usize;
                    let some = vec![parcel.clone(); room.min(64)];
                    if some.is_empty() || origin.append_all(some).await.is_err() {
                        return;
                    }
                }
            });
        }
    }

    /// What each lane has handed on so far.
    pub fn handed_on(&self) -> Vec<u64> {
        self.mirrors
            .iter()
            .map(|mirror| mirror.look(|array| array.marks().processed.up_to().get()))
            .collect()
    }

    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        self.link.stop().await;
        self.links.stop().await;
    }
}

/// What can be handed on now, all at once, as central's router does.
fn ready(array: &Array) -> Vec<Sequence> {
    let first = array.marks().processed.up_to().next();
    let last = array.marks().retrieved.up_to();
    (first.get()..=last.get()).map(Sequence::new).collect()
}

async fn hand_on(mirror: Ring) {
    let mut changes = mirror.changes();
    loop {
        let ready = mirror.look(ready);
        let accepted = |sequence| (sequence, Outcome::Accepted(SmscId::NONE));
        mirror
            .process_all_with(ready.into_iter().map(accepted))
            .expect("they are held");
        if changes.changed().await.is_err() {
            return;
        }
    }
}
