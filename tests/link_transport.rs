//! The link's transports over real loopback sockets, with real certificates.

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
    Carrier, Choice, ConnectError, Connection, Connector, ConnectorConfig, Ended, Failure,
    LEAST_PACKET, Listener, ListenerConfig, SendError,
};
use sluice::sim::wan::{Passed, Rate, Share, Wan, Weather};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
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

#[tokio::test]
async fn an_edge_pairs_and_talks() {
    for carrier in BOTH {
        let operator = Operator::new();
        let mut log = Log::listen();
        let (listener, _connector, edge, central) = connected(&operator, carrier).await;
        assert_eq!((edge.carrier(), central.carrier()), (carrier, carrier));
        assert_eq!((edge.peer_name(), central.peer_name()), ("main", "oslo"));
        assert_eq!(listener.connections(), 1);
        assert_eq!(edge.remote_address(), listener.local_address());
        log.says("connected within").await;
        log.says("let in edge=\"oslo\"").await;

        for (from, to) in [(&edge, &central), (&central, &edge)] {
            assert!(from.max_packet() >= LEAST_PACKET);
            let longest = Bytes::from(vec![7; LEAST_PACKET]);
            from.send(longest.clone()).unwrap();
            assert_eq!(soon(to.recv()).await.unwrap(), longest);
            from.send(Bytes::from_static(b"x")).unwrap();
            assert_eq!(soon(to.recv()).await.unwrap(), "x");
            let length = 70_000;
            for wrong in [0, length] {
                let refused = from.send(Bytes::from(vec![0; wrong])).unwrap_err();
                let max = from.max_packet();
                assert_eq!(refused, SendError::Length { length: wrong, max });
            }
            assert!(from.rtt() > Duration::ZERO && from.rtt() < Duration::from_secs(5));
            let (sent, came) = (from.stats(), to.stats());
            assert_eq!((sent.packets_taken, came.packets_received), (2, 2));
            assert!(sent.octets_sent > LEAST_PACKET as u64);
            assert_eq!(sent.datagrams_lost.is_some(), carrier == Carrier::Quic);
        }
    }
}

#[tokio::test]
async fn a_close_tells_the_far_end_why() {
    for carrier in BOTH {
        let operator = Operator::new();
        let (mut listener, connector, edge, central) = connected(&operator, carrier).await;
        edge.close("the edge goes down for maintenance");
        edge.close("a second reason does not count");
        let said = String::from("the edge goes down for maintenance");
        assert_eq!(soon(central.closed()).await, Ended::Far(said.clone()));
        assert_eq!(soon(central.recv()).await, Err(Ended::Far(said.clone())));
        assert_eq!(edge.ended(), Some(Ended::Here(said)));
        assert_eq!(edge.send(Bytes::from_static(b"late")), Err(SendError::Over));
        assert_eq!(edge.room(), 0);
        soon(edge.flushed()).await;

        let edge = soon(connector.connect()).await.unwrap();
        let central = soon(listener.accept()).await;
        central.close("a\nline \u{1b}[31mof the log");
        let ended = soon(edge.closed()).await;
        assert_eq!(
            ended.to_string(),
            "closed by the far end: a line  [31mof the log"
        );

        let edge = soon(connector.connect()).await.unwrap();
        let central = soon(listener.accept()).await;
        drop(central);
        let ended = soon(edge.closed()).await.to_string();
        assert!(ended.contains("nobody holds this connection"), "{ended}");

        let edge = soon(connector.connect()).await.unwrap();
        let _central = soon(listener.accept()).await;
        soon(listener.close("central is stopping")).await;
        let ended = soon(edge.closed()).await;
        assert_eq!(ended, Ended::Far(String::from("central is stopping")));
        soon(connector.connect()).await.unwrap_err();
    }
}

#[tokio::test]
async fn who_is_not_admitted_hears_why_and_central_logs_it() {
    for carrier in BOTH {
        let operator = Operator::new();
        let mut log = Log::listen();
        let listener = operator.listen();
        let to = listener.local_address();
        let refused = async |bundle: &Bundle| {
            let connector = operator.connector(bundle, to, only(carrier));
            let error = soon(connector.connect()).await.unwrap_err();
            assert!(error.needs_operator(), "{error}");
            match failure(&error) {
                Failure::Refused(words) => words,
                other => panic!("{other}"),
            }
        };

        let before = std::fs::read(operator.register()).unwrap();
        let unknown = operator.enrol("bergen");
        std::fs::write(operator.register(), before).unwrap();
        let said = refused(&unknown).await;
        assert!(said.contains("edge bergen is not enrolled here"), "{said}");
        log.says("refused: edge bergen is not enrolled here").await;

        let stolen = operator.enrol("tromso");
        let mut authority = operator.authority();
        authority
            .revoke("tromso", Some("the box was stolen"), now())
            .unwrap();
        drop(authority);
        let said = refused(&stolen).await;
        assert!(said.contains("edge tromso was revoked on"), "{said}");
        assert!(said.ends_with(": the box was stolen"), "{said}");
        log.says("the box was stolen").await;

        let old = operator
            .authority()
            .enrol("narvik", YEAR / 2, earlier(YEAR))
            .unwrap();
        let said = refused(&old).await;
        assert!(
            said.contains("the certificate of edge narvik expired on"),
            "{said}"
        );
        assert!(said.contains("sluice pair renew narvik"), "{said}");
        log.says("certificate of edge narvik expired").await;

        let young = operator
            .authority()
            .enrol("bodo", YEAR, now() + 3 * YEAR)
            .unwrap();
        let said = refused(&young).await;
        assert!(
            said.contains("not yet valid") && said.contains("clock says"),
            "{said}"
        );
        log.says("certificate of edge bodo is not yet valid").await;

        let renamed = operator.enrol("molde");
        let register = std::fs::read_to_string(operator.register()).unwrap();
        let swapped = register.replace("edge = \"molde\"", "edge = \"alta\"");
        assert_ne!(swapped, register);
        std::fs::write(operator.register(), swapped).unwrap();
        let said = refused(&renamed).await;
        assert!(
            said.contains("says edge molde and was given to edge alta"),
            "{said}"
        );
        log.says("was given to edge alta").await;

        let first = operator.enrol("vadso");
        operator
            .authority()
            .renew("vadso", YEAR, Duration::ZERO, now())
            .unwrap();
        let said = refused(&first).await;
        assert!(said.contains("vadso has a newer certificate"), "{said}");

        let stranger = Operator::new();
        let mut mixed = operator.enrol("oslo");
        let theirs = stranger.enrol("oslo");
        (mixed.certificate, mixed.key) = (theirs.certificate, theirs.key);
        let said = refused(&mixed).await;
        assert!(said.contains("does not know the authority"), "{said}");
        log.says("is not signed by our authority").await;
        assert_eq!(listener.connections(), 0);
    }
}

#[tokio::test]
async fn an_edge_talks_to_its_own_central_alone_and_says_why() {
    for carrier in BOTH {
        let operator = Operator::new();
        let mut log = Log::listen();
        let bundle = operator.enrol("oslo");
        let untrusted = async |listener: &Listener| {
            let to = listener.local_address();
            let connector = operator.connector(&bundle, to, only(carrier));
            let error = soon(connector.connect()).await.unwrap_err();
            assert!(error.needs_operator(), "{error}");
            match failure(&error) {
                Failure::Untrusted(words) => words,
                other => panic!("{other}"),
            }
        };

        let stranger = Operator::new();
        let listener = stranger.listen();
        let said = untrusted(&listener).await;
        assert!(said.contains("is not signed by our authority"), "{said}");
        log.says("the caller broke off: the far end does not know the authority")
            .await;

        operator
            .authority()
            .renew_central(YEAR / 4, earlier(YEAR / 2))
            .unwrap();
        let listener = operator.listen();
        let said = untrusted(&listener).await;
        assert!(said.contains("central's certificate expired on"), "{said}");
        assert!(said.contains("the clock of this machine says"), "{said}");
        log.says("the far end finds our certificate expired or not yet valid")
            .await;

        // The same as a clock at the edge that is three years late.
        operator
            .authority()
            .renew_central(YEAR, now() + 3 * YEAR)
            .unwrap();
        let listener = operator.listen();
        let said = untrusted(&listener).await;
        assert!(
            said.contains("is not yet valid") && said.contains("set the clock"),
            "{said}"
        );

        let settings = operator.pki().join("authority.toml");
        let text = std::fs::read_to_string(&settings).unwrap();
        std::fs::write(&settings, text.replace("\"main\"", "\"other\"")).unwrap();
        operator.authority().renew_central(YEAR, now()).unwrap();
        let listener = operator.listen();
        let said = untrusted(&listener).await;
        assert!(said.contains("the far end is central other"), "{said}");
        assert!(said.contains("paired with central main"), "{said}");
        log.says("it may expect another name").await;

        // Another edge that plays central.
        let evil = operator.enrol("evil");
        std::fs::write(operator.pki().join("central.pem"), evil.certificate).unwrap();
        std::fs::write(operator.pki().join("central.key"), evil.key).unwrap();
        let listener = operator.listen();
        let said = untrusted(&listener).await;
        assert!(said.contains("is that of edge evil"), "{said}");
    }
}

/// TLS as somebody makes it who has no bundle of ours.
fn foreign_tls(bundle: &Bundle, with: Option<(&str, &str)>) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    roots.add(der(&bundle.authority)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut tls = match with {
        None => tls.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            tls.with_client_auth_cert(vec![der(certificate)], key)
                .unwrap()
        }
    };
    tls.alpn_protocols = vec![b"sluice-link/1".to_vec()];
    TlsConnector::from(Arc::new(tls))
}

#[tokio::test]
async fn without_a_certificate_for_an_edge_nobody_comes_in() {
    let operator = Operator::new();
    let mut log = Log::listen();
    let bundle = operator.enrol("oslo");
    let listener = operator.listen();
    let call = async |tls: TlsConnector| {
        let socket = TcpStream::connect(listener.local_address()).await.unwrap();
        let name = "main.central.sluice".try_into().unwrap();
        let mut stream = tls.connect(name, socket).await.unwrap();
        let mut came = Vec::new();
        stream.read_to_end(&mut came).await.map(|_| came)
    };
    let error = soon(call(foreign_tls(&bundle, None))).await.unwrap_err();
    assert!(error.to_string().contains("CertificateRequired"), "{error}");
    log.says("peer sent no certificates").await;

    let read = |name| std::fs::read_to_string(operator.pki().join(name)).unwrap();
    let (certificate, key) = (read("central.pem"), read("central.key"));
    let tls = foreign_tls(&bundle, Some((&certificate, &key)));
    let error = soon(call(tls)).await.unwrap_err();
    assert!(
        error.to_string().contains("UnsupportedCertificate"),
        "{error}"
    );
    log.says("is that of central main, which cannot be used at this end")
        .await;
    assert_eq!(listener.connections(), 0);
}

#[tokio::test]
async fn a_revoked_edge_is_cut_off_while_connected() {
    for carrier in BOTH {
        let operator = Operator::new();
        let mut log = Log::listen();
        let (mut listener, _connector, edge, central) = connected(&operator, carrier).await;
        let other = operator.enrol("bergen");
        let to = listener.local_address();
        let staying = soon(operator.connector(&other, to, only(carrier)).connect())
            .await
            .unwrap();
        let stays = soon(listener.accept()).await;

        operator
            .authority()
            .revoke("oslo", Some("sold"), now())
            .unwrap();
        let Ended::Refused(said) = soon(edge.closed()).await else {
            panic!("{:?}", edge.ended());
        };
        assert!(
            said.contains("edge oslo was revoked") && said.ends_with(": sold"),
            "{said}"
        );
        assert!(matches!(soon(central.closed()).await, Ended::Here(_)));
        log.says("cut off: edge oslo was revoked").await;
        until_it_comes(&staying, &stays, b"still here").await;
    }
}

#[tokio::test]
async fn a_certificate_that_ends_cuts_its_edge_off_and_a_new_one_is_taken_up() {
    let operator = Operator::new();
    let mut log = Log::listen();
    let mut listener = operator.listen();
    let short = Duration::from_secs(3);
    let bundle = operator.authority().enrol("oslo", short, now()).unwrap();
    let connector = operator.connector(&bundle, listener.local_address(), Choice::Quic);
    let edge = soon(connector.connect()).await.unwrap();
    let _central = soon(listener.accept()).await;
    log.says("run `sluice pair renew oslo`").await;
    let Ended::Refused(said) = soon(edge.closed()).await else {
        panic!("{:?}", edge.ended());
    };
    assert!(said.contains("expired"), "{said}");

    let renewed = operator
        .authority()
        .renew("oslo", YEAR, short, now())
        .unwrap();
    renewed
        .replace(&operator.home.path().join("oslo.pair"))
        .unwrap();
    soon(connector.connect()).await.unwrap();
    log.says("took up a new pairing").await;
}

#[tokio::test]
async fn a_damaged_register_changes_nothing_and_says_so() {
    let operator = Operator::new();
    let mut log = Log::listen();
    let (_listener, connector, edge, central) = connected(&operator, Carrier::Quic).await;
    std::fs::write(operator.register(), "[[certificate]]\nnonsense").unwrap();
    log.says("the register as it was before stays in force")
        .await;
    log.says("register.toml is damaged or not ours").await;
    until_it_comes(&edge, &central, b"on").await;
    soon(connector.connect()).await.unwrap();
}

#[tokio::test]
async fn tcp_carries_where_udp_is_blocked_and_that_is_remembered() {
    let operator = Operator::new();
    let mut listener = operator.listen();
    let bundle = operator.enrol("oslo");
    let blocked = Weather {
        udp_blocked: true,
        ..Weather::default()
    };
    let line = Wan::open(loopback(0), listener.local_address(), blocked, 1).unwrap();
    let config = ConnectorConfig {
        addresses: vec![line.address().to_string()],
        quic_head_start: Duration::from_millis(200),
        ..ConnectorConfig::default()
    };
    let connector = Connector::new(operator.edge(&bundle), config);
    let edge = soon(connector.connect()).await.unwrap();
    let central = soon(listener.accept()).await;
    assert_eq!(edge.carrier(), Carrier::Tcp);
    assert!(line.passed().datagrams_lost > 0, "QUIC was tried first");
    until_it_comes(&edge, &central, b"through").await;
    until_it_comes(&central, &edge, b"back").await;

    // Now both start at once, and where UDP passes again, QUIC wins.
    let begin = std::time::Instant::now();
    let again = soon(connector.connect()).await.unwrap();
    assert_eq!(again.carrier(), Carrier::Tcp);
    assert!(
        begin.elapsed() < Duration::from_millis(200),
        "no head start is waited for"
    );
    line.change(|weather| weather.udp_blocked = false);
    let quic = soon(connector.connect_by(Carrier::Quic)).await.unwrap();
    assert_eq!(quic.carrier(), Carrier::Quic);
}

#[tokio::test]
async fn several_addresses_are_tried_in_turn_and_the_good_one_is_remembered() {
    let operator = Operator::new();
    let mut listener = operator.listen();
    let bundle = operator.enrol("oslo");
    // The first takes calls and says nothing; the second is no name.
    let down = Weather {
        down: true,
        ..Weather::default()
    };
    let silent = Wan::open(loopback(0), listener.local_address(), down, 1).unwrap();
    let config = ConnectorConfig {
        transport: Choice::Tcp,
        addresses: vec![
            silent.address().to_string(),
            String::from("no-such-host.invalid:25500"),
            listener.local_address().to_string(),
        ],
        address_pause: Duration::from_secs(1),
        ..ConnectorConfig::default()
    };
    let connector = Connector::new(operator.edge(&bundle), config);
    let edge = soon(connector.connect()).await.unwrap();
    assert_eq!(edge.remote_address(), listener.local_address());
    let _central = soon(listener.accept()).await;
    assert_eq!(silent.passed().calls, 1);
    let _edge = soon(connector.connect()).await.unwrap();
    assert_eq!(silent.passed().calls, 1, "the good one was tried first");
}

#[tokio::test]
async fn a_call_that_fails_names_every_attempt() {
    let operator = Operator::new();
    let bundle = operator.enrol("oslo");
    let silent = UdpSocket::bind(loopback(0)).await.unwrap();
    let config = ConnectorConfig {
        addresses: vec![silent.local_addr().unwrap().to_string()],
        connect_timeout: Duration::from_millis(300),
        quic_head_start: Duration::from_millis(50),
        ..ConnectorConfig::default()
    };
    let connector = Connector::new(operator.edge(&bundle), config);
    let error = soon(connector.connect()).await.unwrap_err();
    assert!(!error.needs_operator());
    let said = error.to_string();
    assert!(
        said.starts_with("central cannot be reached: 127.0.0.1:"),
        "{said}"
    );
    assert!(said.contains("by quic: no answer within 300ms"), "{said}");
    assert!(
        said.contains("by tcp: ") && said.contains("refused"),
        "{said}"
    );
}

#[tokio::test]
async fn garbage_at_the_port_is_logged_and_disturbs_nobody() {
    let operator = Operator::new();
    let mut log = Log::listen();
    let (mut listener, connector, edge, central) = connected(&operator, Carrier::Quic).await;
    let to = listener.local_address();
    let thrower = UdpSocket::bind(loopback(0)).await.unwrap();
    for length in [1, 20, 1200, 9000] {
        for first in [0x00, 0x40, 0xc0, 0xff] {
            let mut octets = vec![0x5a; length];
            octets[0] = first;
            thrower.send_to(&octets, to).await.unwrap();
        }
    }
    let caller = async |octets: &[u8]| {
        let mut socket = TcpStream::connect(to).await.unwrap();
        // The port may hang up at any moment.
        let _ = socket.write_all(octets).await;
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest).await;
    };
    soon(caller(b"GET / HTTP/1.1\r\n\r\n")).await;
    log.says("no handshake: what came is no TLS of ours").await;
    soon(caller(&[0x16; 200_000])).await;
    soon(caller(b"\x16\x03\x01\xff\xff")).await;
    until_it_comes(&edge, &central, b"undisturbed").await;
    soon(connector.connect()).await.unwrap();
    soon(listener.accept()).await;
}

#[tokio::test]
async fn who_fails_too_often_is_not_heard_for_a_while() {
    let operator = Operator::new();
    let mut log = Log::listen();
    let listener = operator.listen();
    let to = listener.local_address();
    let hang_up = async || {
        let mut socket = TcpStream::connect(to).await.unwrap();
        let _ = socket.write_all(b"hello there").await;
        let _ = socket.read_to_end(&mut Vec::new()).await;
    };
    for _ in 0..30 {
        soon(hang_up()).await;
    }
    let bundle = operator.enrol("oslo");
    for carrier in BOTH {
        let connector = operator.connector(&bundle, to, only(carrier));
        let error = soon(connector.connect()).await.unwrap_err();
        assert!(!error.needs_operator(), "{error}");
    }
    log.says("more from this address is not logged for a minute")
        .await;
    let lines = log.text.borrow().matches("no handshake").count();
    assert_eq!(lines, 10, "a flood does not fill the log");
}

#[tokio::test]
async fn a_slow_stranger_is_not_waited_for_and_the_house_has_its_limit() {
    let operator = Operator::new();
    let mut log = Log::listen();
    let mut listener = operator.listen_with(ListenerConfig {
        listen: loopback(0),
        handshake_timeout: Duration::from_millis(100),
        max_connections: 1,
        ..ListenerConfig::default()
    });
    let to = listener.local_address();
    let mut stranger = TcpStream::connect(to).await.unwrap();
    let mut nothing = Vec::new();
    // He says nothing, and is hung up on.
    let _ = soon(stranger.read_to_end(&mut nothing)).await;
    assert!(nothing.is_empty());
    log.says("the handshake was not done within 100ms").await;

    let bundle = operator.enrol("oslo");
    let connector = operator.connector(&bundle, to, Choice::Quic);
    let first = soon(connector.connect()).await.unwrap();
    let central = soon(listener.accept()).await;
    soon(connector.connect()).await.unwrap_err();
    log.says("turned away: the number of connections").await;
    first.close("making room");
    soon(central.closed()).await;
    soon(connector.connect()).await.unwrap();
}

#[tokio::test]
async fn an_edge_has_a_few_connections_and_the_oldest_goes() {
    let operator = Operator::new();
    let (mut listener, connector, first, _central) = connected(&operator, Carrier::Tcp).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        assert!(first.ended().is_none());
        held.push(soon(connector.connect()).await.unwrap());
        held.push(soon(listener.accept()).await);
    }
    let ended = soon(first.closed()).await.to_string();
    assert!(
        ended.contains("newer connections of this edge took its place"),
        "{ended}"
    );
    assert!(held.iter().all(|connection| connection.ended().is_none()));
}

#[tokio::test]
async fn a_nat_that_forgets_the_edge_costs_nothing_by_quic() {
    let operator = Operator::new();
    let mut listener = operator.listen();
    let bundle = operator.enrol("oslo");
    let weather = Weather::delayed(10);
    let line = Wan::open(loopback(0), listener.local_address(), weather, 1).unwrap();
    let connector = operator.connector(&bundle, line.address(), Choice::Quic);
    let edge = soon(connector.connect()).await.unwrap();
    let central = soon(listener.accept()).await;
    let mut before = central.remote_address();
    for time in 0..3 {
        line.rebind();
        until_it_comes(&edge, &central, &[time, 1]).await;
        until_it_comes(&central, &edge, &[time, 2]).await;
        let after = central.remote_address();
        assert_ne!(after, before, "central follows");
        before = after;
    }
    assert_eq!((edge.ended(), central.ended()), (None, None));
    assert_eq!(listener.connections(), 1);
}

#[tokio::test]
async fn after_an_outage_what_answers_first_carries_on() {
    for carrier in BOTH {
        let operator = Operator::new();
        let mut listener = operator.listen();
        let bundle = operator.enrol("oslo");
        let weather = Weather::delayed(20);
        let line = Wan::open(loopback(0), listener.local_address(), weather, 1).unwrap();
        let config = ConnectorConfig {
            transport: only(carrier),
            addresses: vec![line.address().to_string()],
            redial_interval: Duration::from_millis(100),
            connect_timeout: Duration::from_millis(500),
            ..ConnectorConfig::default()
        };
        let connector = Connector::new(operator.edge(&bundle), config);
        let old = soon(connector.connect()).await.unwrap();
        let old_central = soon(listener.accept()).await;
        let passed = line.passed();
        line.change(|weather| weather.down = true);

        // Beside the old connection, which is left as it is.
        let calling = tokio::spawn({
            let connector = connector.clone();
            async move { connector.keep_calling().await }
        });
        // Down long enough for calls to fail: the next ones have come to the line.
        let more = |came: &Passed| match carrier {
            Carrier::Quic => came.datagrams >= passed.datagrams + 12,
            Carrier::Tcp => came.calls >= passed.calls + 12,
        };
        soon(line.until(more)).await;
        assert!(!calling.is_finished());
        line.change(|weather| weather.down = false);
        let new = soon(calling).await.unwrap();
        let new_central = soon(listener.accept()).await;
        until_it_comes(&new, &new_central, b"new").await;
        // The old one is not dead either: whoever drives the link decides.
        until_it_comes(&old, &old_central, b"old").await;
        old.close("a newer connection answered first");
        let ended = soon(old_central.closed()).await.to_string();
        assert!(
            ended.contains("a newer connection answered first"),
            "{ended}"
        );
    }
}

#[tokio::test]
async fn a_sender_is_told_when_there_is_no_room_and_nothing_taken_is_dropped() {
    for carrier in BOTH {
        let operator = Operator::new();
        let mut listener = operator.listen();
        let bundle = operator.enrol("oslo");
        let slow = Weather {
            rate: Rate::Bits(4_000_000),
            queue: Duration::from_secs(10),
            ..Weather::default()
        };
        let line = Wan::open(loopback(0), listener.local_address(), slow, 1).unwrap();
        let connector = operator.connector(&bundle, line.address(), only(carrier));
        let edge = soon(connector.connect()).await.unwrap();
        let central = soon(listener.accept()).await;
        let empty = edge.room();
        assert_eq!(edge.queued(), 0);
        let packet = |n: u32| {
            let mut octets = vec![0; LEAST_PACKET];
            octets[..4].copy_from_slice(&n.to_be_bytes());
            Bytes::from(octets)
        };
        let mut count = 0;
        // Nothing runs in between: the buffer fills.
        while edge.send(packet(count)) != Err(SendError::Full) {
            count += 1;
            assert!(count < 1000);
        }
        assert!(edge.room() < LEAST_PACKET + 100 && edge.room() < empty);
        assert!(edge.queued() > 60 * 1024 - 2 * LEAST_PACKET);
        let waiting = edge.send_when_room(packet(count));
        let mut come = Vec::new();
        let reading = async {
            while come.len() <= count as usize {
                come.push(central.recv().await.unwrap());
            }
        };
        let (taken, ()) = soon(async { tokio::join!(waiting, reading) }).await;
        taken.unwrap();
        let mut sent: Vec<_> = (0..=count).map(packet).collect();
        come.sort();
        sent.sort();
        assert!(come == sent, "each came once");
        assert_eq!(edge.queued(), 0);
    }
}

#[tokio::test]
async fn a_line_that_loses_delays_and_doubles_is_borne() {
    for carrier in BOTH {
        let operator = Operator::new();
        let mut listener = operator.listen();
        let bundle = operator.enrol("oslo");
        let bad = Weather {
            loss: Share::percent(10.0),
            duplication: Share::percent(10.0),
            jitter: Duration::from_millis(10),
            ..Weather::delayed(20)
        };
        let line = Wan::open(loopback(0), listener.local_address(), bad, 3).unwrap();
        let connector = operator.connector(&bundle, line.address(), only(carrier));
        let edge = soon(connector.connect()).await.unwrap();
        let central = soon(listener.accept()).await;
        for _ in 0..20 {
            until_it_comes(&edge, &central, b"there").await;
            until_it_comes(&central, &edge, b"and back").await;
        }
        assert_eq!((edge.ended(), central.ended()), (None, None));
    }
}

#[tokio::test]
async fn a_silent_line_is_given_up_by_the_transport_only_after_its_idle_timeout() {
    for carrier in BOTH {
        let operator = Operator::new();
        let mut listener = operator.listen();
        let bundle = operator.enrol("oslo");
        let weather = Weather::default();
        let line = Wan::open(loopback(0), listener.local_address(), weather, 1).unwrap();
        let config = ConnectorConfig {
            transport: only(carrier),
            addresses: vec![line.address().to_string()],
            keep_alive: Duration::from_millis(200),
            idle_timeout: Duration::from_millis(800),
            ..ConnectorConfig::default()
        };
        let connector = Connector::new(operator.edge(&bundle), config);
        let edge = soon(connector.connect()).await.unwrap();
        let _central = soon(listener.accept()).await;
        // Kept alive by its own probes, well beyond the timeout.
        let alive = tokio::time::timeout(Duration::from_secs(2), edge.closed()).await;
        assert!(alive.is_err(), "{alive:?}");
        line.change(|weather| weather.down = true);
        let ended = soon(edge.closed()).await;
        let said = "nothing was heard for the idle timeout";
        assert_eq!(ended, Ended::Lost(String::from(said)));
    }
}
