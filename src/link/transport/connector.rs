//! An edge's door: calls central, by the carrier that gets through.
//!
//! One call ([`Connector::connect`]) tries every address of central, each by the carriers that the preference plans,
//! and gives the first connection that central has greeted. Names are looked up anew for each call. It may run beside a
//! connection that has fallen silent; whoever drives the link takes what answers first, the old connection or the new
//! one, and decides when to call again. Dropping the future ends its attempts.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::net::{TcpSocket, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::config::{ConnectorConfig, Tuning};
use super::connection::{Body, Carrier, Connection, Ended, LEAST_PACKET};
use super::frame::{self, Code, Frame, FrameError};
use super::preference::Preference;
use super::race::{Try, race};
use super::{quic, socket, stream};
use crate::clock::{Clock, Moment, WallTime};
use crate::link::pki::{EdgeIdentity, Verdict};

/// Addresses that one name may stand for; more are left out.
const MAX_RESOLVED: usize = 4;
/// How long one of a name's addresses has for itself before the next is tried beside it: half a second is more than
/// the first round trip on most lines, and where a family (IPv6) leads nowhere, that is all it costs.
const NEXT_RESOLVED: Duration = Duration::from_millis(500);
/// How often a failure that goes on is logged again.
const LOG_AGAIN: Duration = Duration::from_secs(300);
/// A difference of clocks that is worth a line: certificates bear it, people who compare logs do not.
const CLOCKS: Duration = Duration::from_secs(60);

/// Why an attempt failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The name cannot be resolved.
    Name(String),
    /// Nothing answered in time.
    NoAnswer(Duration),
    /// Central refused us, in its words.
    Refused(String),
    /// We refused who answered.
    Untrusted(String),
    /// The line, or something on it.
    Lost(String),
    /// Something here: files, sockets.
    Here(String),
}

impl Failure {
    /// Whether only an operator can cure it.
    pub const fn needs_operator(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Untrusted(_))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(what) => write!(f, "the name cannot be resolved: {what}"),
            Self::NoAnswer(after) => {
                write!(f, "no answer within {}", humantime::format_duration(*after))
            }
            Self::Refused(words) => write!(f, "refused by central: {words}"),
            Self::Untrusted(words) => write!(f, "not trusted: {words}"),
            Self::Lost(what) | Self::Here(what) => f.write_str(what),
        }
    }
}

impl From<Ended> for Failure {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Refused(words) => Self::Refused(words),
            Ended::Far(words) => Self::Lost(format!("closed by central: {words}")),
            Ended::Here(words) | Ended::Lost(words) => Self::Lost(words),
        }
    }
}

/// One attempt that failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// Where it went: as configured, and the address that it stands for.
    pub address: String,
    /// By which carrier; none if it did not come so far.
    pub carrier: Option<Carrier>,
    /// Why it failed.
    pub failure: Failure,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.carrier {
            Some(carrier) => write!(f, "{} by {carrier}: {}", self.address, self.failure),
            None => write!(f, "{}: {}", self.address, self.failure),
        }
    }
}

/// Why a call led to no connection: every attempt, in the order in which they failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectError(pub Vec<Attempt>);

impl ConnectError {
    /// Whether central refused us, or we refused who answered, so that calling again soon leads nowhere.
    pub fn needs_operator(&self) -> bool {
        self.0
            .iter()
            .any(|attempt| attempt.failure.needs_operator())
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("central cannot be reached")?;
        for (index, attempt) in self.0.iter().enumerate() {
            write!(f, "{} {attempt}", if index == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConnectError {}

/// Calls central. Copies are the same connector.
#[derive(Clone)]
pub struct Connector {
    shared: Arc<Shared>,
}

/// Finds the addresses of a name with its port.
pub type Resolver =
    Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// As the system does.
fn system_resolver() -> Resolver {
    Arc::new(|name| Box::pin(async move { Ok(lookup_host(name).await?.collect()) }))
}

struct Shared {
    identity: EdgeIdentity,
    config: ConnectorConfig,
    resolve: Resolver,
    clock: Clock,
    memory: Mutex<Memory>,
}

/// What is remembered from call to call.
struct Memory {
    preference: Preference,
    /// The address that answered last.
    address: Option<String>,
}

impl Connector {
    /// Calls as that edge.
    pub fn new(identity: EdgeIdentity, config: ConnectorConfig) -> Self {
        Self::resolving(identity, config, system_resolver())
    }

    /// The same, with names found in another way.
    pub fn resolving(identity: EdgeIdentity, config: ConnectorConfig, resolve: Resolver) -> Self {
        let memory = Memory {
            preference: Preference::new(config.transport),
            address: None,
        };
        Self {
            shared: Arc::new(Shared {
                identity,
                config,
                resolve,
                clock: Clock::system(),
                memory: Mutex::new(memory),
            }),
        }
    }

    /// Who calls.
    pub fn identity(&self) -> &EdgeIdentity {
        &self.shared.identity
    }

    /// One call: every address, by every carrier that is allowed, until one connection stands.
    pub async fn connect(&self) -> Result<Connection, ConnectError> {
        self.call(None).await
    }

    /// One call by that carrier alone, whatever is configured: to see whether it would do better than another.
    pub async fn connect_by(&self, carrier: Carrier) -> Result<Connection, ConnectError> {
        self.call(Some(carrier)).await
    }

    /// Those above found a connection silent: it counts against its carrier if it was young.
    pub fn fell_silent(&self, carrier: Carrier, age: Duration) {
        let now = self.shared.clock.now();
        self.shared
            .memory()
            .preference
            .fell_silent(carrier, age, now);
    }

    /// The longest pause between two calls while nothing answers.
    pub fn redial_interval(&self) -> Duration {
        self.shared.config.redial_interval
    }

    async fn call(&self, carrier: Option<Carrier>) -> Result<Connection, ConnectError> {
        match self.shared.identity.reread() {
            Ok(true) => tracing::info!(
                edge = self.shared.identity.name(),
                "took up a new pairing, good until {}",
                self.shared.identity.facts().until
            ),
            Ok(false) => {}
            Err(error) => {
                tracing::error!("the new pairing is not used, the former one is: {error}");
            }
        }
        let pause = self.shared.config.address_pause;
        let calls = self
            .shared
            .addresses()
            .into_iter()
            .map(|address| {
                let shared = Arc::clone(&self.shared);
                let call: Try<Connection, Vec<Attempt>> =
                    Box::pin(async move { shared.call_address(address, carrier).await });
                (pause, call)
            })
            .collect();
        let failed = match race(calls, |_| false).await {
            Ok(connection) => return Ok(connection),
            Err(failed) => failed,
        };
        Err(ConnectError(failed.into_iter().flatten().collect()))
    }
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where central is; what answered last comes first.
    fn addresses(&self) -> Vec<String> {
        let mut addresses = match self.config.addresses.as_slice() {
            [] => self.identity.addresses(),
            configured => configured.to_vec(),
        };
        if let Some(last) = &self.memory().address
            && let Some(place) = addresses.iter().position(|address| address == last)
        {
            addresses[..=place].rotate_right(1);
        }
        addresses
    }

    async fn call_address(
        self: Arc<Self>,
        address: String,
        only: Option<Carrier>,
    ) -> Result<Connection, Vec<Attempt>> {
        let limit = self.config.connect_timeout;
        let failed = |failure| {
            vec![Attempt {
                address: address.clone(),
                carrier: None,
                failure,
            }]
        };
        let resolved: Vec<SocketAddr> = match timeout(limit, (self.resolve)(address.clone())).await
        {
            Ok(Ok(resolved)) => resolved.into_iter().take(MAX_RESOLVED).collect(),
            Ok(Err(error)) => return Err(failed(Failure::Name(error.to_string()))),
            Err(_) => return Err(failed(Failure::NoAnswer(limit))),
        };
        if resolved.is_empty() {
            return Err(failed(Failure::Name(String::from("it has no address"))));
        }
        let now = self.clock.now();
        let plan = match only {
            Some(carrier) => vec![(Duration::ZERO, carrier)],
            None => self
                .memory()
                .preference
                .plan(now, self.config.quic_head_start),
        };
        let mut attempts: Vec<(Duration, Try<Connection, Attempt>)> = Vec::new();
        for (head_start, carrier) in plan {
            for (index, to) in resolved.iter().copied().enumerate() {
                let wait = if index == 0 {
                    head_start
                } else {
                    NEXT_RESOLVED
                };
                let (this, address) = (Arc::clone(&self), address.clone());
                let attempt: Try<Connection, Attempt> =
                    Box::pin(async move { this.attempt(address, to, carrier).await });
                attempts.push((wait, attempt));
            }
        }
        race(attempts, |attempt: &Attempt| {
            attempt.failure.needs_operator()
        })
        .await
    }

    async fn attempt(
        &self,
        address: String,
        to: SocketAddr,
        carrier: Carrier,
    ) -> Result<Connection, Attempt> {
        let begin = self.clock.now();
        let limit = self.config.connect_timeout;
        let call = async {
            match carrier {
                Carrier::Quic => self.by_quic(to).await,
                Carrier::Tcp => self.by_tcp(to).await,
            }
        };
        let done = match timeout(limit, call).await {
            Ok(done) => done,
            Err(_) => Err(Failure::NoAnswer(limit)),
        };
        match done {
            Ok((connection, welcome)) => {
                let took = self.clock.now() - begin;
                self.stands(&connection, &address, took, welcome);
                Ok(connection)
            }
            Err(failure) => Err(Attempt {
                address: match to.to_string() {
                    same if same == address => address,
                    resolved => format!("{address} ({resolved})"),
                },
                carrier: Some(carrier),
                failure,
            }),
        }
    }

    fn stands(&self, connection: &Connection, address: &str, took: Duration, central: WallTime) {
        let here = self.clock.wall();
        tracing::info!(
            central = connection.peer_name(),
            carrier = connection.carrier().as_str(),
            address = %connection.remote_address(),
            "connected within {} ms",
            took.as_millis()
        );
        let apart = here.since(central).max(central.since(here));
        if apart > CLOCKS {
            tracing::warn!(
                "the clock here says {here}, central's says {central}; set the one that is wrong"
            );
        }
        if let Some(worry) = self.identity.worry(here) {
            tracing::warn!("{worry}");
        }
        let mut memory = self.memory();
        memory.preference.worked(connection.carrier());
        memory.address = Some(address.to_owned());
    }

    fn from(&self, to: SocketAddr) -> SocketAddr {
        let any = match to {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        SocketAddr::new(self.config.bind.unwrap_or(any), 0)
    }

    async fn by_quic(&self, to: SocketAddr) -> Result<(Connection, WallTime), Failure> {
        let tuning = Tuning::from(&self.config);
        let verdict = Verdict::default();
        let (tls, name) = self.identity.tls(&verdict).map_err(here)?;
        let socket = socket::caller(self.from(to)).map_err(here)?;
        let endpoint = quic::endpoint(socket, None).map_err(here)?;
        let calling = endpoint
            .connect_with(quic::client(tls, tuning), to, &name)
            .map_err(here)?;
        let failed = |error: &quinn::ConnectionError| match verdict.words() {
            Some(words) => Failure::Untrusted(words.to_owned()),
            None => quic::ended(error, None).into(),
        };
        let connection = calling.await.map_err(|error| failed(&error))?;
        let mut greeting = connection
            .accept_uni()
            .await
            .map_err(|error| failed(&error))?;
        let welcome = match greeting.read_to_end(frame::WELCOME).await {
            Ok(body) => frame::read_welcome(&body),
            Err(quinn::ReadToEndError::Read(quinn::ReadError::ConnectionLost(error))) => {
                return Err(failed(&error));
            }
            Err(_) => Err(FrameError::Control { kind: 1, length: 0 }),
        };
        let welcome = welcome.map_err(|error| lost(&error))?;
        if connection.max_datagram_size() < Some(LEAST_PACKET) {
            let words = "the path carries no packets of the least length";
            connection.close(quic::code(Code::Closed), words.as_bytes());
            return Err(Failure::Lost(words.to_owned()));
        }
        let line = quic::Line::new(connection, Some(endpoint), tuning);
        let central = self.identity.central();
        Ok((Connection::new(central, to, Body::Quic(line)), welcome))
    }

    async fn by_tcp(&self, to: SocketAddr) -> Result<(Connection, WallTime), Failure> {
        let tuning = Tuning::from(&self.config);
        let verdict = Verdict::default();
        let (tls, name) = self.identity.tls(&verdict).map_err(here)?;
        let socket = match to {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }
        .map_err(here)?;
        if self.config.bind.is_some() {
            socket.bind(self.from(to)).map_err(here)?;
        }
        let socket = socket
            .connect(to)
            .await
            .map_err(|error| Failure::Lost(error.to_string()))?;
        socket::tune(&socket, tuning);
        let failed = |ended| match verdict.words() {
            Some(words) => Failure::Untrusted(words.to_owned()),
            None => Failure::from(ended),
        };
        let name = ServerName::try_from(name).map_err(here)?;
        let stream = TlsConnector::from(Arc::new(tls))
            .connect(name, socket)
            .await
            .map_err(|error| failed(stream::failed(&error)))?;
        let begin = self.clock.now();
        let (from, to_central) = tokio::io::split(stream);
        let mut frames = stream::Frames::new(from);
        let welcome = match frames.next().await.map_err(failed)? {
            Frame::Welcome(welcome) => welcome,
            Frame::Close(Code::Refused, words) => return Err(Failure::Refused(words)),
            Frame::Close(Code::Closed, words) => return Err(Ended::Far(words).into()),
            Frame::Packet(_) | Frame::Ping(_) | Frame::Pong(_) => {
                return Err(Failure::Lost(String::from("central did not greet")));
            }
        };
        let rtt = self.clock.now() - begin;
        let line = stream::Line::new(frames, to_central, tuning, rtt);
        let central = self.identity.central();
        Ok((Connection::new(central, to, Body::Tcp(line)), welcome))
    }
}

fn here(error: impl fmt::Display) -> Failure {
    Failure::Here(error.to_string())
}

fn lost(error: &FrameError) -> Failure {
    Failure::Lost(format!("central sent {error}"))
}

/// Says a failure when it is another than before, and again after a while.
#[derive(Default)]
pub(in crate::link) struct FailureLog {
    last: Option<(String, Moment)>,
}

impl FailureLog {
    pub(in crate::link) fn failure(&mut self, error: &ConnectError, now: Moment) {
        let said = error.to_string();
        let old = match &self.last {
            Some((last, at)) => *last == said && now.since(*at) < LOG_AGAIN,
            None => false,
        };
        if !old {
            if error.needs_operator() {
                tracing::error!("{said}");
            } else {
                tracing::warn!("{said}");
            }
            self.last = Some((said, now));
        }
    }
}
