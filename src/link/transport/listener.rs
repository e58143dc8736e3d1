//! Central's door: one port for UDP and TCP, strangers kept short, and edges let in by the gate.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsAcceptor;

use super::config::{ListenerConfig, Tuning};
use super::connection::{Body, Carrier, Connection, Ended, Inner};
use super::doorman::{Doorman, Line, Turned, VALIDATE_FROM};
use super::frame::{self, Code, Frame};
use super::{quic, socket, stream};
use crate::clock::{Clock, Moment};
use crate::link::pki::{CentralIdentity, Facts, PkiError, Reread, Verdict};

/// Admitted connections that wait for being accepted; then handshakes wait, and at their limit callers do.
const WAITING: usize = 64;
/// Connections of one edge at the same time: the one in use, those called beside it while it is silent, and one by
/// another carrier on trial. When there are more, the oldest goes.
const MAX_OF_ONE_EDGE: usize = 8;
/// How long somebody who was refused may take to hear why.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Octets that are still read from somebody who was refused, so that the line is not reset under our last words.
const LAST_OCTETS: usize = 65536;
/// The pause after the system could not accept (no descriptors left): time for some to be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often a worry about central's own certificate is logged.
const WORRY_AGAIN: Duration = Duration::from_hours(24);
/// How long closing waits for the far ends to hear of it.
const CLOSING: Duration = Duration::from_secs(2);

/// Why central cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The port cannot be had.
    #[error(
        "cannot listen on {address}, UDP and TCP: {source}; another program may have the port, or this machine not the address (where there is no IPv6, write 0.0.0.0 for [::])"
    )]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// What pairing made cannot be used.
    #[error(transparent)]
    Pki(#[from] PkiError),
}

/// Lets edges in.
pub struct Listener {
    shared: Arc<Shared>,
    accepted: mpsc::Receiver<Connection>,
    endpoint: quinn::Endpoint,
    address: SocketAddr,
    /// The accepting of QUIC and of TCP, and the watch over the register; they end with the listener.
    loops: JoinSet<()>,
}

struct Shared {
    identity: CentralIdentity,
    config: ListenerConfig,
    tuning: Tuning,
    clock: Clock,
    doorman: Mutex<Doorman>,
    live: Mutex<Vec<Live>>,
    accepted: mpsc::Sender<Connection>,
}

/// A connection that was let in, for cutting it off.
struct Live {
    inner: Weak<Inner>,
    facts: Facts,
}

/// Why a handshake led to no connection.
struct Shut {
    words: String,
    /// Whether the address is surely the caller's, so that it may be judged by this.
    proven: bool,
    /// The caller gave it up before anything was wrong: nobody has to look.
    given_up: bool,
}

impl Listener {
    /// Listens as that central.
    pub fn bind(identity: CentralIdentity, config: ListenerConfig) -> Result<Self, ListenError> {
        let failed = |source| ListenError::Bind {
            address: config.listen,
            source,
        };
        let tuning = Tuning::from(&config);
        let (udp, tcp) = socket::listen(config.listen).map_err(failed)?;
        let tcp = TcpListener::from_std(tcp).map_err(failed)?;
        let address = tcp.local_addr().map_err(failed)?;
        let tls = identity.tls(&Verdict::default())?;
        let endpoint = quic::endpoint(udp, Some(quic::server(tls, tuning))).map_err(failed)?;
        let (accept, accepted) = mpsc::channel(WAITING);
        let shared = Arc::new(Shared {
            doorman: Mutex::new(Doorman::new(config.max_connections)),
            live: Mutex::default(),
            accepted: accept,
            clock: Clock::system(),
            identity,
            config,
            tuning,
        });
        let mut loops = JoinSet::new();
        loops.spawn(accept_quic(Arc::clone(&shared), endpoint.clone()));
        loops.spawn(accept_tcp(Arc::clone(&shared), tcp));
        loops.spawn(watch(Arc::clone(&shared)));
        tracing::info!(
            central = shared.identity.name(),
            %address,
            "listening for edges, UDP and TCP"
        );
        Ok(Self {
            shared,
            accepted,
            endpoint,
            address,
            loops,
        })
    }

    /// Where it listens.
    pub const fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Who listens.
    pub fn identity(&self) -> &CentralIdentity {
        &self.shared.identity
    }

    /// The next edge that was let in. Nothing is lost if the future is dropped before it is done.
    pub async fn accept(&mut self) -> Connection {
        self.accepted
            .recv()
            .await
            .expect("the sender lives in `self`")
    }

    /// Connections that live.
    pub fn connections(&self) -> usize {
        self.shared.connections()
    }

    /// Closes every connection for the reason given, and waits until the far ends may have heard it.
    pub async fn close(mut self, reason: &str) {
        self.loops.shutdown().await;
        let live: Vec<Connection> = self.shared.alive();
        for connection in &live {
            connection.close(reason);
        }
        self.endpoint
            .close(quic::code(Code::Closed), frame::cut(reason).as_bytes());
        let told = async {
            self.endpoint.wait_idle().await;
            for connection in &live {
                connection.flushed().await;
            }
        };
        let _ = timeout(CLOSING, told).await;
        tracing::info!("no longer listening for edges: {reason}");
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("address", &self.address)
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn doorman(&self) -> MutexGuard<'_, Doorman> {
        self.doorman.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self) -> MutexGuard<'_, Vec<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alive(&self) -> Vec<Connection> {
        let mut live = self.live();
        live.retain(|one| {
            one.inner
                .upgrade()
                .is_some_and(|inner| inner.ended().is_none())
        });
        live.iter()
            .filter_map(|one| one.inner.upgrade())
            .map(|inner| Connection { inner })
            .collect()
    }

    fn connections(&self) -> usize {
        self.alive().len()
    }

    /// Whether somebody may begin a handshake; if not, it is logged, now and then.
    fn knock(&self, from: SocketAddr, carrier: Carrier) -> Result<(), Turned> {
        let now = self.clock.now();
        let connections = self.connections();
        let answer = self.doorman().knock(from.ip(), connections, now);
        if let Err(turned) = answer {
            self.log(from, carrier, &format!("turned away: {turned}"), now);
        }
        answer
    }

    fn log(&self, from: SocketAddr, carrier: Carrier, words: &str, now: Moment) {
        let line = self.doorman().line(from.ip(), now);
        let rest = match line {
            Line::Say => "",
            Line::SayAndRest => " (more from this address is not logged for a minute)",
            Line::Rest => return,
        };
        let carrier = carrier.as_str();
        tracing::warn!(address = %from, carrier, "{words}{rest}");
    }

    /// A handshake has ended.
    async fn leave(&self, from: SocketAddr, carrier: Carrier, done: Result<Connection, Shut>) {
        let now = self.clock.now();
        match done {
            Ok(connection) => {
                self.doorman().leave(from.ip(), false, now);
                // The far end is greeted; when nobody accepts, it waits here.
                let _ = self.accepted.send(connection).await;
            }
            Err(shut) => {
                self.doorman().leave(from.ip(), shut.proven, now);
                if shut.given_up {
                    let carrier = carrier.as_str();
                    tracing::debug!(address = %from, carrier, "{}", shut.words);
                } else {
                    self.log(from, carrier, &shut.words, now);
                }
            }
        }
    }

    /// Enters an admitted connection among the living.
    fn enter(&self, connection: &Connection, facts: Facts) {
        let name = connection.peer_name();
        tracing::info!(
            edge = name,
            carrier = connection.carrier().as_str(),
            address = %connection.remote_address(),
            "let in"
        );
        let others: Vec<_> = self
            .alive()
            .into_iter()
            .filter(|other| other.peer_name() == name)
            .collect();
        // The oldest stand first.
        let surplus = (others.len() + 1).saturating_sub(MAX_OF_ONE_EDGE);
        for other in &others[..surplus] {
            other.close("newer connections of this edge took its place");
        }
        self.live().push(Live {
            inner: Arc::downgrade(&connection.inner),
            facts,
        });
    }

    /// Reads the register again if it changed; a file of some kilobytes on a local disk.
    fn reread(&self) {
        match self.identity.gate().reread() {
            Reread::Same => {}
            Reread::Changed => tracing::info!("the register of enrolled edges was read again"),
            Reread::Failed(error) => {
                tracing::error!("the register as it was before stays in force: {error}");
            }
        }
    }

    /// Looks at who is connected, with the register and the time as they are now.
    fn cut_off(&self) {
        let now = self.clock.wall();
        let refused: Vec<_> = self
            .live()
            .iter()
            .filter_map(|one| {
                let refusal = self.identity.gate().admit(&one.facts, now).err()?;
                Some((one.inner.upgrade()?, refusal))
            })
            .filter(|(inner, _)| inner.ended().is_none())
            .collect();
        for (inner, refusal) in refused {
            tracing::warn!(edge = inner.peer, address = %inner.remote, "cut off: {refusal}");
            inner.end(Code::Refused, &refusal.to_string());
        }
    }
}

async fn watch(shared: Arc<Shared>) {
    let mut tick = interval(shared.config.reread_interval.max(Duration::from_millis(10)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut worried: Option<Moment> = None;
    let mut unreadable = None;
    loop {
        tick.tick().await;
        shared.reread();
        match shared.identity.reread() {
            Ok(true) => {
                unreadable = None;
                tracing::info!("took up central's new certificate");
            }
            Ok(false) => unreadable = None,
            Err(error) => {
                let said = error.to_string();
                if unreadable.as_ref() != Some(&said) {
                    tracing::error!("central's former certificate stays in use: {said}");
                    unreadable = Some(said);
                }
            }
        }
        shared.cut_off();
        let now = shared.clock.now();
        if worried.is_none_or(|at| now.since(at) >= WORRY_AGAIN)
            && let Some(worry) = shared.identity.worry(shared.clock.wall())
        {
            tracing::warn!("{worry}");
            worried = Some(now);
        }
    }
}

async fn accept_quic(shared: Arc<Shared>, endpoint: quinn::Endpoint) {
    let mut handshakes = JoinSet::new();
    loop {
        let incoming = tokio::select! {
            incoming = endpoint.accept() => incoming,
            Some(_) = handshakes.join_next() => continue,
        };
        let Some(incoming) = incoming else {
            return;
        };
        let from = incoming.remote_address();
        if !incoming.remote_address_validated()
            && incoming.may_retry()
            && shared.doorman().under_way() >= VALIDATE_FROM
        {
            // An address that may be retried is not validated yet, so this cannot fail.
            let _ = incoming.retry();
            continue;
        }
        if shared.knock(from, Carrier::Quic).is_err() {
            incoming.refuse();
            continue;
        }
        let shared = Arc::clone(&shared);
        handshakes.spawn(async move {
            let limit = shared.config.handshake_timeout;
            let done = timeout(limit, by_quic(&shared, incoming)).await;
            let done = done.unwrap_or_else(|_| Err(slow(limit, false)));
            shared.leave(from, Carrier::Quic, done).await;
        });
    }
}

fn slow(limit: Duration, proven: bool) -> Shut {
    let limit = humantime::format_duration(limit);
    Shut {
        words: format!("the handshake was not done within {limit}"),
        proven,
        given_up: false,
    }
}

async fn by_quic(shared: &Shared, incoming: quinn::Incoming) -> Result<Connection, Shut> {
    let from = incoming.remote_address();
    let verdict = Verdict::default();
    let ours = |words: String| Shut {
        words,
        proven: false,
        given_up: false,
    };
    let tls = shared
        .identity
        .tls(&verdict)
        .map_err(|e| ours(e.to_string()))?;
    let config = Arc::new(quic::server(tls, shared.tuning));
    // Who comes as far as a certificate has answered from where he says he is.
    let failed = |error: &quinn::ConnectionError| Shut {
        words: refused(&verdict, &quic::ended(error, None)),
        proven: matches!(
            error,
            quinn::ConnectionError::TransportError(_)
                | quinn::ConnectionError::ConnectionClosed(_)
                | quinn::ConnectionError::ApplicationClosed(_)
        ) && verdict.words().is_some(),
        given_up: quic::is_given_up(error) && verdict.words().is_none(),
    };
    let connection = incoming
        .accept_with(config)
        .map_err(|error| failed(&error))?
        .await
        .map_err(|error| failed(&error))?;
    let shown = connection
        .peer_identity()
        .and_then(|any| any.downcast::<Vec<rustls_certificate::Der>>().ok())
        .and_then(|chain| chain.first().cloned());
    let (name, facts) = admit(shared, shown.as_deref()).map_err(|said| {
        connection.close(quic::code(Code::Refused), frame::cut(&said).as_bytes());
        Shut {
            words: format!("refused: {said}"),
            proven: true,
            given_up: false,
        }
    })?;
    let welcome = frame::welcome(shared.clock.wall());
    let greet = async {
        let mut greeting = connection.open_uni().await?;
        greeting
            .write_all(&welcome)
            .await
            .map_err(io::Error::from)?;
        greeting.finish().map_err(io::Error::from)
    };
    greet.await.map_err(|error: io::Error| Shut {
        words: format!("could not be greeted: {error}"),
        proven: true,
        given_up: false,
    })?;
    let line = quic::Line::new(connection, None, shared.tuning);
    let connection = Connection::new(name, from, Body::Quic(line));
    shared.enter(&connection, facts);
    Ok(connection)
}

mod rustls_certificate {
    pub(super) type Der = tokio_rustls::rustls::pki_types::CertificateDer<'static>;
}

/// The words for a handshake that failed, for the log.
fn refused(verdict: &Verdict, ended: &Ended) -> String {
    match (verdict.words(), ended) {
        (Some(words), _) => format!("refused: {words}"),
        (None, Ended::Refused(words)) => format!("the caller broke off: {words}"),
        (None, Ended::Lost(words) | Ended::Far(words) | Ended::Here(words)) => {
            format!("no handshake: {words}")
        }
    }
}

/// Whether the certificate lets its holder in, and who that is; otherwise the words for both ends.
fn admit(shared: &Shared, shown: Option<&[u8]>) -> Result<(String, Facts), String> {
    let shown = shown.ok_or_else(|| String::from("no certificate was shown"))?;
    let facts = Facts::read(shown)?;
    let gate = shared.identity.gate();
    // Whoever was enrolled a moment ago comes in now, and whoever was revoked a moment ago does not.
    shared.reread();
    let name = gate
        .admit(&facts, shared.clock.wall())
        .map_err(|refusal| refusal.to_string())?;
    Ok((name, facts))
}

async fn accept_tcp(shared: Arc<Shared>, listener: TcpListener) {
    let mut handshakes = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = handshakes.join_next() => continue,
        };
        let (socket, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                let here = IpAddr::from([0, 0, 0, 0]);
                let words = format!("a connection could not be accepted: {error}");
                shared.log((here, 0).into(), Carrier::Tcp, &words, shared.clock.now());
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if shared.knock(from, Carrier::Tcp).is_err() {
            continue;
        }
        let shared = Arc::clone(&shared);
        handshakes.spawn(async move {
            let limit = shared.config.handshake_timeout;
            let done = timeout(limit, by_tcp(&shared, socket, from)).await;
            let done = done.unwrap_or_else(|_| Err(slow(limit, true)));
            shared.leave(from, Carrier::Tcp, done).await;
        });
    }
}

async fn by_tcp(shared: &Shared, socket: TcpStream, from: SocketAddr) -> Result<Connection, Shut> {
    socket::tune(&socket, shared.tuning);
    let shut = |words: String| Shut {
        words,
        proven: true,
        given_up: false,
    };
    let verdict = Verdict::default();
    let tls = shared
        .identity
        .tls(&verdict)
        .map_err(|e| shut(e.to_string()))?;
    let accepting = TlsAcceptor::from(Arc::new(tls)).accept(socket);
    let begin = shared.clock.now();
    let mut stream = match accepting.into_fallible().await {
        Ok(stream) => stream,
        Err((error, mut socket)) => {
            last_words(&mut socket).await;
            return Err(shut(refused(&verdict, &stream::failed(&error))));
        }
    };
    let rtt = shared.clock.now() - begin;
    let shown = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(<[_]>::first)
        .cloned();
    let mut octets = bytes::BytesMut::new();
    let (name, facts) = match admit(shared, shown.as_deref()) {
        Ok(admitted) => admitted,
        Err(said) => {
            frame::encode(&Frame::Close(Code::Refused, said.clone()), &mut octets);
            if stream.write_all(&octets).await.is_ok() {
                last_words(&mut stream).await;
            }
            return Err(shut(format!("refused: {said}")));
        }
    };
    frame::encode(&Frame::Welcome(shared.clock.wall()), &mut octets);
    let greet = async {
        stream.write_all(&octets).await?;
        stream.flush().await
    };
    greet
        .await
        .map_err(|error| shut(format!("could not be greeted: {error}")))?;
    let (from_edge, to_edge) = tokio::io::split(stream);
    let frames = stream::Frames::new(from_edge);
    let line = stream::Line::new(frames, to_edge, shared.tuning, rtt);
    let connection = Connection::new(name, from, Body::Tcp(line));
    shared.enter(&connection, facts);
    Ok(connection)
}

/// Ends a stream in order, so that what was written last is read: a socket that is dropped with something unread
/// resets the line.
async fn last_words<S>(stream: &mut S)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    use tokio::io::AsyncReadExt as _;
    let hear = async {
        stream.shutdown().await?;
        let mut rest = stream.take(LAST_OCTETS as u64);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    };
    let _ = timeout(LAST_WORDS, hear).await;
}
