//! The link's transports over real loopback sockets, with real certificates.

#[path = "link_transport/admission.rs"]
mod admission;
#[path = "link_transport/calls.rs"]
mod calls;
#[path = "link_transport/line.rs"]
mod line;
#[path = "link_transport/strangers.rs"]
mod strangers;
#[path = "link_transport/talk.rs"]
mod talk;

use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use sluice::clock::{Clock, WallTime};
use sluice::link::pki::{Authority, Bundle, CentralIdentity, EdgeIdentity};
use sluice::link::transport::{
    Carrier, Choice, ConnectError, Connection, Connector, ConnectorConfig, Failure, Listener,
    ListenerConfig,
};
use tokio::sync::watch;
use tracing::subscriber::DefaultGuard;

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
const BOTH: [Carrier; 2] = [Carrier::Quic, Carrier::Tcp];

/// A test that hangs has failed. The real waits in here are of milliseconds, but for handshake timeouts.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what)
        .await
        .expect("it happens soon")
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn now() -> WallTime {
    Clock::system().wall()
}

fn earlier(by: Duration) -> WallTime {
    WallTime::from_unix_ms(now().as_unix_ms() - by.as_millis() as u64)
}

/// An operator's authority at central, and bundles beside it.
struct Operator {
    home: tempfile::TempDir,
}

impl Operator {
    fn new() -> Self {
        let operator = Self {
            home: tempfile::tempdir().unwrap(),
        };
        let address = [String::from("127.0.0.1:25500")];
        Authority::init(&operator.pki(), "main", &address, earlier(YEAR)).unwrap();
        operator
    }

    fn pki(&self) -> PathBuf {
        self.home.path().join("pki")
    }

    fn authority(&self) -> Authority {
        Authority::open(&self.pki()).unwrap()
    }

    fn enrol(&self, edge: &str) -> Bundle {
        self.authority().enrol(edge, YEAR, now()).unwrap()
    }

    fn register(&self) -> PathBuf {
        self.pki().join("register.toml")
    }

    fn listen(&self) -> Listener {
        let config = ListenerConfig {
            listen: loopback(0),
            reread_interval: Duration::from_millis(20),
            ..ListenerConfig::default()
        };
        self.listen_with(config)
    }

    fn listen_with(&self, config: ListenerConfig) -> Listener {
        let identity = CentralIdentity::load(&self.pki()).unwrap();
        Listener::bind(identity, config).unwrap()
    }

    fn edge(&self, bundle: &Bundle) -> EdgeIdentity {
        let file = self.home.path().join(format!("{}.pair", bundle.edge));
        bundle.replace(&file).unwrap();
        EdgeIdentity::load(&file, Some(&bundle.edge)).unwrap()
    }

    fn connector(&self, bundle: &Bundle, to: SocketAddr, transport: Choice) -> Connector {
        let config = ConnectorConfig {
            transport,
            addresses: vec![to.to_string()],
            ..ConnectorConfig::default()
        };
        Connector::new(self.edge(bundle), config)
    }
}

fn only(carrier: Carrier) -> Choice {
    match carrier {
        Carrier::Quic => Choice::Quic,
        Carrier::Tcp => Choice::Tcp,
    }
}

/// A listener, and an edge of the given name connected to it by that carrier.
async fn connected(
    operator: &Operator,
    carrier: Carrier,
) -> (Listener, Connector, Connection, Connection) {
    let mut listener = operator.listen();
    let bundle = operator.enrol("oslo");
    let connector = operator.connector(&bundle, listener.local_address(), only(carrier));
    let edge = soon(connector.connect()).await.unwrap();
    let central = soon(listener.accept()).await;
    (listener, connector, edge, central)
}

/// What is logged while it lives, for waiting on a line.
struct Log {
    text: watch::Receiver<String>,
    _guard: DefaultGuard,
}

#[derive(Clone)]
struct Writer(Arc<Mutex<watch::Sender<String>>>);

impl Write for Writer {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(octets);
        self.0
            .lock()
            .unwrap()
            .send_modify(|all| all.push_str(&text));
        Ok(octets.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Of this thread, on which the whole test runs.
    fn listen() -> Self {
        let (sender, text) = watch::channel(String::new());
        let writer = Writer(Arc::new(Mutex::new(sender)));
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        Self {
            text,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    async fn says(&mut self, words: &str) {
        let text = self.text.wait_for(|text| text.contains(words));
        let found = tokio::time::timeout(Duration::from_secs(20), text).await;
        if found.map(drop).is_err() {
            panic!("not logged: {words}\n{}", *self.text.borrow());
        }
    }
}

/// The words with which a call failed, and the kind of failure.
fn failure(error: &ConnectError) -> Failure {
    assert_eq!(error.0.len(), 1, "{error}");
    error.0[0].failure.clone()
}

/// Repeats a packet until the far end has it, as the link above does; what else comes is of earlier.
async fn until_it_comes(from: &Connection, to: &Connection, packet: &[u8]) {
    let mut again = tokio::time::interval(Duration::from_millis(50));
    let sending = async {
        loop {
            again.tick().await;
            // A full buffer is tried again, too.
            let _ = from.send(Bytes::copy_from_slice(packet));
        }
    };
    let reading = async { while to.recv().await.unwrap() != packet {} };
    tokio::select! {
        () = soon(reading) => {}
        () = sending => unreachable!("it goes on for ever"),
    }
}
