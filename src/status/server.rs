//! Answers on the status socket: one line in, one document out, and the connection ends.
//!
//! Nothing here can slow a lane: the subject is looked at a few times a second at most, whoever asks and however often;
//! who does not send a line in time, or does not read what it asked for, is dropped.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::changes::Changes;
use super::config::StatusConfig;
use super::metrics;
use super::snapshot::{Snapshot, VERSION};
use super::socket::{self, Place, SocketError};
use super::subject::{Part, Request, Subject};
use super::trouble;
use crate::clock::{Clock, Moment};

/// Longest request: a few words, a name, and the longest password.
const MAX_REQUEST: usize = 640;
/// How long a request may take to come, and an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an order may take: a reload reads files and waits for sessions to end.
const ORDER_PATIENCE: Duration = Duration::from_secs(60);
/// A picture is shown again for so long.
const FRESH: Duration = Duration::from_millis(100);
/// How often a subscriber's picture is looked at.
const STEP: Duration = Duration::from_secs(1);

/// A refusal, as a document.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ErrorView {
    /// The version of this form.
    pub version: u32,
    /// What is wrong, and what would be right.
    pub error: String,
}

impl ErrorView {
    fn new(error: impl Into<String>) -> Self {
        Self {
            version: VERSION,
            error: error.into(),
        }
    }
}

/// Looks at the subject no more often than needed, for all that ask.
pub(super) struct Looker<S> {
    pub(super) subject: Arc<S>,
    clock: Clock,
    seen: Mutex<Option<(Moment, Arc<Snapshot>)>>,
}

impl<S: Subject> Looker<S> {
    pub(super) fn new(subject: Arc<S>) -> Self {
        Self {
            subject,
            clock: Clock::system(),
            seen: Mutex::new(None),
        }
    }

    pub(super) fn look(&self) -> Arc<Snapshot> {
        // Whoever comes meanwhile waits for this look instead of making its own.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        if let Some((at, snapshot)) = &*seen
            && now - *at < FRESH
        {
            return snapshot.clone();
        }
        let mut snapshot = self.subject.snapshot();
        trouble::judge(&mut snapshot);
        let snapshot = Arc::new(snapshot);
        *seen = Some((now, snapshot.clone()));
        snapshot
    }

    fn forget(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The status socket, listening.
pub struct StatusDoor {
    place: Place,
    connections: Arc<Semaphore>,
}

impl StatusDoor {
    /// Makes the socket. Within the event loop.
    pub fn open(path: &Path, config: &StatusConfig) -> Result<Self, SocketError> {
        Ok(Self {
            place: socket::open(path, config)?,
            connections: Arc::new(Semaphore::new(config.connections)),
        })
    }

    /// Answers until it is dropped; then the socket's file goes too.
    pub async fn run<S: Subject>(self, subject: Arc<S>) {
        let looker = Arc::new(Looker::new(subject));
        loop {
            let stream = match self.place.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(why) => {
                    // Out of files, mostly: there will be some again.
                    tracing::warn!(%why, "the status socket could not take a connection");
                    tokio::time::sleep(STEP).await;
                    continue;
                }
            };
            // Beyond the limit it is closed at once; who waits here would keep the others out.
            let Ok(permit) = self.connections.clone().try_acquire_owned() else {
                continue;
            };
            let looker = looker.clone();
            tokio::spawn(async move {
                serve(stream, &looker).await;
                drop(permit);
            });
        }
    }
}

async fn serve<S: Subject>(mut stream: UnixStream, looker: &Looker<S>) {
    let Ok(Some(line)) = timeout(PATIENCE, line(&mut stream)).await else {
        return;
    };
    let answer = match line.and_then(|line| line.parse()) {
        Err(why) => document(&ErrorView::new(why)),
        Ok(Request::Subscribe) => return subscribe(stream, looker).await,
        Ok(request) => answer(request, looker).await,
    };
    // An error is the reader's own affair.
    let _ = timeout(PATIENCE, async {
        stream.write_all(&answer).await?;
        stream.shutdown().await
    })
    .await;
}

/// The request; nothing if the other end went away without one.
async fn line(stream: &mut UnixStream) -> Option<Result<String, String>> {
    let mut octets = Vec::with_capacity(MAX_REQUEST);
    loop {
        if let Some(end) = octets.iter().position(|octet| *octet == b'\n') {
            octets.truncate(end);
            let line = String::from_utf8(octets);
            return Some(line.map_err(|_| String::from("a request is text")));
        }
        if octets.len() >= MAX_REQUEST {
            let told = format!("a request is one line of at most {MAX_REQUEST} octets");
            return Some(Err(told));
        }
        let mut room = [0; MAX_REQUEST];
        let free = MAX_REQUEST - octets.len();
        match stream.read(&mut room[..free]).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => octets.extend_from_slice(&room[..count]),
        }
    }
}

async fn answer<S: Subject>(request: Request, looker: &Looker<S>) -> Vec<u8> {
    let snapshot = || looker.look();
    match request {
        Request::Status => document(&*snapshot()),
        Request::Part(part) => {
            let seen = snapshot();
            let mut only = Snapshot {
                version: seen.version,
                mode: seen.mode.clone(),
                name: seen.name.clone(),
                program: seen.program.clone(),
                at_unix_ms: seen.at_unix_ms,
                up_ms: seen.up_ms,
                health: seen.health,
                troubles: seen.troubles.clone(),
                ..Snapshot::default()
            };
            match part {
                Part::Lanes => only.lanes = seen.lanes.clone(),
                Part::Rings => only.rings = seen.rings.clone(),
                Part::Link => only.links = seen.links.clone(),
                Part::Backlog => only.backlog = seen.backlog.clone(),
                Part::InDoubt => only.in_doubt = seen.in_doubt.clone(),
            }
            document(&only)
        }
        Request::Sessions => document(&Sessions {
            version: VERSION,
            sessions: looker.subject.sessions(),
        }),
        Request::Names(register, after) => match looker.subject.names(register, after.as_deref()) {
            Ok(names) => document(&Names {
                version: VERSION,
                names,
            }),
            Err(why) => document(&ErrorView::new(why)),
        },
        Request::Trace(id) => match looker.subject.trace(&id).await {
            Some(trace) => document(&trace),
            None => document(&ErrorView::new(format!(
                "no message {id} is known here; it may be older than `retention` in [tracking], or its slot holds another one by now"
            ))),
        },
        Request::Metrics => metrics::render(&snapshot()).into_bytes(),
        Request::Order(order) => {
            tracing::warn!(?order, "an operator gave an order over the status socket");
            let done = timeout(ORDER_PATIENCE, looker.subject.order(order)).await;
            looker.forget();
            match done {
                Ok(Ok(done)) => document(&done),
                Ok(Err(refused)) => document(&ErrorView::new(refused)),
                Err(_elapsed) => document(&ErrorView::new(
                    "the order was given and has not been carried out within a minute; look at the log",
                )),
            }
        }
        // Answered before.
        Request::Subscribe => Vec::new(),
    }
}

/// Names of users or clients of the IM service; none, where there are no more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Names {
    /// The version of this form.
    pub version: u32,
    /// In order.
    pub names: Vec<super::snapshot::NameView>,
}

/// The clients of the IM service that are connected.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Sessions {
    /// The version of this form.
    pub version: u32,
    /// Each.
    pub sessions: Vec<super::snapshot::SessionView>,
}

async fn subscribe<S: Subject>(mut stream: UnixStream, looker: &Looker<S>) {
    let mut seen = looker.look();
    if !told(&mut stream, document(&*seen)).await {
        return;
    }
    let mut ticks = tokio::time::interval(STEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut beyond = [0; 1];
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            // It has nothing more to say; when it closes, or says something all the same, this ends.
            _ = stream.read(&mut beyond) => return,
        }
        let now = looker.look();
        if let Some(changes) = Changes::between(&seen, &now)
            && !told(&mut stream, document(&changes)).await
        {
            return;
        }
        seen = now;
    }
}

/// Whether it was taken in time.
async fn told(stream: &mut UnixStream, document: Vec<u8>) -> bool {
    matches!(
        timeout(PATIENCE, stream.write_all(&document)).await,
        Ok(Ok(()))
    )
}

/// One line of JSON.
fn document(value: &impl Serialize) -> Vec<u8> {
    let mut octets = serde_json::to_vec(value).expect("views are plain values");
    octets.push(b'\n');
    octets
}
