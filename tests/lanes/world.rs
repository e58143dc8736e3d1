//! A simulated SMSC, an edge's lane with its two rings, and a far end that the test plays.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sluice::clock::Clock;
use sluice::lane::{Direction, Lane, RingName, Sequence, Side};
use sluice::message::{DeliveryKey, Item, PhoneNumber, ReportWish, ShortCode, ShortMessage};
use sluice::ring::{Array, Parcel, Ring, RingFile};
use sluice::sim::{FaultKind, Simulator};
use sluice::smsc::courier::{InDoubt, Manner};
use sluice::smsc::driver::{self, Order, Parts};
use sluice::smsc::session::Session;
use sluice::smsc::status::{LaneStatus, Phase};
use sluice::smsc::transport::Endpoint;
use sluice::smsc::{cimd2, smpp};
use sluice::text;
use tokio::sync::mpsc;

/// The phone that writes and reads in these tests.
pub(crate) const PHONE: &str = "+358401111111";

/// A protocol over a transport.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Line {
    /// SMPP over TCP.
    Smpp,
    /// SMPP over a pseudo-terminal.
    SmppSerial,
    /// CIMD2 over TCP.
    Cimd2,
    /// CIMD2 over a pseudo-terminal.
    Cimd2Serial,
}

impl Line {
    /// All of them.
    pub(crate) const ALL: [Self; 4] =
        [Self::Smpp, Self::SmppSerial, Self::Cimd2, Self::Cimd2Serial];

    /// Whether it is SMPP.
    pub(crate) const fn is_smpp(self) -> bool {
        matches!(self, Self::Smpp | Self::SmppSerial)
    }

    const fn script(self) -> &'static str {
        match self {
            Self::Smpp => "[smpp]\n",
            Self::SmppSerial => "[smpp]\npty = {}\n",
            Self::Cimd2 => "[cimd2]\n",
            Self::Cimd2Serial => "[cimd2]\npty = {}\n",
        }
    }

    fn endpoint(self, simulator: &Simulator) -> Endpoint {
        let addresses = simulator.addresses();
        let serial = |device: &Option<PathBuf>| {
            let device = device.clone().expect("the simulator has a serial line");
            serial_endpoint(device)
        };
        let tcp = |address: Option<std::net::SocketAddr>| {
            let address = address.expect("the simulator listens");
            Endpoint::Tcp {
                host: address.ip().to_string(),
                port: address.port(),
            }
        };
        match self {
            Self::Smpp => tcp(addresses.smpp),
            Self::Cimd2 => tcp(addresses.cimd2),
            Self::SmppSerial => serial(&addresses.smpp_serial),
            Self::Cimd2Serial => serial(&addresses.cimd2_serial),
        }
    }

    /// Whether a fault exists in its protocol.
    pub(crate) const fn can_play(self, kind: FaultKind) -> bool {
        match kind {
            FaultKind::WrongChecksum | FaultKind::GeneralError => !self.is_smpp(),
            _ => true,
        }
    }

    fn session(self, password: &str, hurried: bool) -> Box<dyn Session> {
        let hurry = match (hurried, self.is_smpp()) {
            (false, _) => "",
            (true, true) => {
                "session_init_timeout = '2s'\nsubmit_timeout = '2s'\nenquire_link_interval = '1s'\n\
                 enquire_link_timeout = '2s'\npartial_pdu_timeout = '2s'\n"
            }
            (true, false) => "response_timeout = '2s'\nalive_interval = '1s'\n",
        };
        if self.is_smpp() {
            let config = format!("system_id = 'sluice'\npassword = '{password}'\n{hurry}");
            let config: smpp::Config = toml::from_str(&config).expect("a configuration");
            Box::new(smpp::Session::new(config, 7).expect("a session"))
        } else {
            let config = format!("username = 'sluice'\npassword = '{password}'\n{hurry}");
            let config: cimd2::Config = toml::from_str(&config).expect("a configuration");
            Box::new(cimd2::Session::new(config).expect("a session"))
        }
    }
}

fn serial_endpoint(device: PathBuf) -> Endpoint {
    Endpoint::Serial {
        device,
        baud: 115_200,
        parity: sluice::smsc::transport::Parity::None,
        bits: sluice::smsc::transport::Bits::Eight,
        flow: sluice::smsc::transport::Flow::None,
    }
}

/// A message to the phone.
pub(crate) fn message(text: &str, report: ReportWish) -> ShortMessage {
    let body = text::whole(text).expect("it fits one message");
    let mut message = ShortMessage::new(
        ShortCode::new("17000").expect("a code").into(),
        PhoneNumber::new(PHONE).expect("a number").into(),
        body,
    );
    message.report = report;
    message
}

/// The text of a message from a phone.
pub(crate) fn text_of(item: &Item) -> Option<String> {
    match item {
        Item::Message(message) => Some(match text::read(&message.body) {
            text::Reading::Text(text) | text::Reading::Guess(text) => text.into_exposed(),
        }),
        Item::Report(_) => None,
    }
}

/// Fails instead of waiting for ever.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work)
        .await
        .expect("it happens within a minute")
}

/// All of it.
pub(crate) struct World {
    /// The SMSC.
    pub(crate) simulator: Simulator,
    /// From the phone.
    pub(crate) mo: Ring,
    /// To the phone.
    pub(crate) mt: Ring,
    /// The driver's status.
    pub(crate) status: Arc<LaneStatus>,
    /// The driver's orders.
    pub(crate) orders: mpsc::Sender<Order>,
    offered: Sequence,
    _driver: tokio::task::JoinHandle<()>,
}

impl World {
    /// A lane that is logged in.
    pub(crate) async fn start(line: Line) -> Self {
        Self::with(line, "", InDoubt::Resend).await
    }

    /// A lane that is logged in, with more in the simulator's script and a policy.
    pub(crate) async fn with(line: Line, script: &str, in_doubt: InDoubt) -> Self {
        let simulator = simulator(line, script).await;
        let endpoint = line.endpoint(&simulator);
        let world = Self::assemble(simulator, endpoint, line.session("secret", false), in_doubt);
        within(world.until(|status| status.state().phase == Phase::Up)).await;
        world
    }

    /// A lane that is logged in and does not wait long for anything.
    pub(crate) async fn hurried(line: Line, in_doubt: InDoubt) -> Self {
        let again = "[centre]\ndeliver_again_after = '100ms'\n";
        let simulator = simulator(line, again).await;
        let endpoint = line.endpoint(&simulator);
        let session = line.session("secret", true);
        let world = Self::assemble(simulator, endpoint, session, in_doubt);
        within(world.until(|status| status.state().phase == Phase::Up)).await;
        world
    }

    /// A lane that tries this password.
    pub(crate) async fn with_password(line: Line, password: &str) -> Self {
        let simulator = simulator(line, "").await;
        let endpoint = line.endpoint(&simulator);
        Self::assemble(
            simulator,
            endpoint,
            line.session(password, false),
            InDoubt::Resend,
        )
    }

    /// A lane on a serial device of that name.
    pub(crate) async fn on_device(device: &str) -> Self {
        let simulator = simulator(Line::Cimd2, "").await;
        let session = Line::Cimd2.session("secret", false);
        Self::assemble(
            simulator,
            serial_endpoint(device.into()),
            session,
            InDoubt::Resend,
        )
    }

    fn assemble(
        simulator: Simulator,
        endpoint: Endpoint,
        session: Box<dyn Session>,
        in_doubt: InDoubt,
    ) -> Self {
        let lane = Lane::new("oslo", "carrier").expect("a name");
        let mo = RingName::new(lane.clone(), Direction::Mo, Side::Origin);
        let mt = RingName::new(lane, Direction::Mt, Side::Mirror);
        let file = RingFile::in_memory(&[mo.clone(), mt.clone()]).expect("rings in memory");
        let (mo, mt) = (file.ring(&mo).expect("it"), file.ring(&mt).expect("it"));
        let status = Arc::new(LaneStatus::default());
        let (orders, received) = mpsc::channel(4);
        let parts = Parts {
            session,
            endpoint,
            mo: Some(mo.clone()),
            mt: Some(mt.clone()),
            manner: Manner {
                in_doubt,
                throughput: None,
            },
            in_doubt_mark: true,
            status: status.clone(),
        };
        let driver = tokio::spawn(async move {
            driver::run(parts, received)
                .await
                .expect("memory does not fail");
        });
        Self {
            simulator,
            mo,
            mt,
            status,
            orders,
            offered: Sequence::NONE,
            _driver: driver,
        }
    }

    /// The link brings a message for the phone.
    pub(crate) async fn offer(&mut self, message: ShortMessage) {
        self.offered = self.offered.next();
        let parcel = Parcel::pack(
            &Item::Message(message),
            Clock::system().wall(),
            DeliveryKey::NONE,
        )
        .expect("it fits a slot");
        let taken = self
            .mt
            .store(vec![(self.offered, parcel)])
            .await
            .expect("it is stored");
        assert!(taken[0].is_ok());
    }

    /// Waits until all offered messages were answered.
    pub(crate) async fn all_processed(&self) {
        let mut changes = self.mt.changes();
        while self.mt.look(|array| array.marks().processed.up_to()) < self.offered {
            changes.changed().await.expect("the ring is there");
        }
    }

    /// Waits until so many items were taken from the SMSC.
    pub(crate) async fn taken(&self, count: u64) {
        let mut changes = self.mo.changes();
        within(async {
            while self.mo.look(|array| array.marks().retrieved.up_to().get()) < count {
                changes.changed().await.expect("the ring is there");
            }
        })
        .await;
    }

    /// Waits until there is something to be taken from the MO ring.
    pub(crate) async fn something_to_take(&self) {
        let mut changes = self.mo.changes();
        while self.mo.look(Array::is_idle) || self.mo.look(Array::next_to_process).is_none() {
            changes.changed().await.expect("the ring is there");
        }
    }

    /// The far end takes all that waits, which frees the slots; gives the texts.
    pub(crate) fn take_all(&self) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(next) = self.mo.look(Array::next_to_process) {
            let parcel = self
                .mo
                .look(|array| array.get(next).cloned())
                .expect("it is there");
            texts.extend(text_of(&parcel.unpack().expect("it was packed")));
            self.mo.process(next).expect("it is held");
        }
        texts
    }

    /// Everything in the MO ring that was not taken.
    pub(crate) fn mo_items(&self) -> Vec<Item> {
        self.mo.look(|array| {
            let first = array.marks().processed.up_to().get() + 1;
            (first..=array.marks().retrieved.up_to().get())
                .filter_map(|number| array.get(Sequence::new(number)))
                .map(|parcel| parcel.unpack().expect("it was packed"))
                .collect()
        })
    }

    /// Waits for something in the status.
    pub(crate) async fn until(&self, fits: impl Fn(&LaneStatus) -> bool) {
        // The status has no wake-up of its own; the pause is only there not to spin.
        while !fits(&self.status) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The simulator saw the rule kept.
    pub(crate) fn no_breach(&self) {
        assert_eq!(self.simulator.breaches(), Vec::<String>::new());
    }
}

async fn simulator(line: Line, script: &str) -> Simulator {
    let account = "[[account]]\nname = 'sluice'\npassword = 'secret'\n";
    let script = format!("{}{script}\n{account}", line.script());
    let config = toml::from_str(&script).expect("a script");
    Simulator::start(config).await.expect("it starts")
}
