//! The door of IM clients: WebSocket connections, and the one thread in which the service lives.
//!
//! What it promises: what a client sends is given to the service in the order in which it came; what the service says
//! goes out only after what it rests on is durable, in the order in which the service said it; a client that does not
//! read, does not speak or does not sign in costs a limited amount of memory for a limited time, and disturbs nobody.
//!
//! ```text
//! connection ─ events ─▶ service ─ groups, in order ─▶ release ─ outboxes ─▶ connection
//!    (many)   (bounded)   (one)        (bounded)        (one)    (bounded)     (many)
//! ```
//!
//! The service has a thread of its own: its turns take milliseconds, for which nothing that shares an event loop with it would
//! go on, least of all the task that it wakes last, which lets out what it says. It goes on while a group becomes durable; so many groups are made durable by one sync. When the queue of
//! groups is full the service waits, then the queue of events fills, then connections no longer read: what cannot be
//! stored in time stays at the clients.
//!
//! If something cannot be stored, nothing of it and of all that came later goes out. All connections are closed, the
//! service is built anew on what is stored, and clients come back and resume.
//!
//! What it leaves to others: what is kept, and how ([`keep`]); texts to phones, which go along with the changes.

mod accept;
pub mod config;
mod connection;
pub mod keep;
mod outbox;
mod pictures;
mod release;
mod service;
mod stream;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use self::config::{DoorConfig, DoorError};
use self::keep::Keep;
use self::service::Event;
use crate::clock::Clock;
use crate::im::change::Change;
use crate::im::config::Config;
use crate::im::phone::{TextFate, TextFromPhone};
use crate::im::shelf::Shelf;
use crate::message::{PhoneNews, PhoneNumber};

/// Events that wait for the service. Beyond that, connections no longer read.
const EVENTS: usize = 1024;

/// Something was not taken: the service is closing, or the store failed. It may be given again.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the IM service did not take it: {0}")]
pub struct NotTaken(pub String);

impl NotTaken {
    fn closing() -> Self {
        Self("it is closing, or begins anew".into())
    }
}

/// How the door stands, for status.
#[derive(Debug, Default)]
pub struct Counts {
    /// Connections that are open.
    pub connections: AtomicUsize,
    /// Connections so far.
    pub accepted: AtomicU64,
    /// Octets that wait for clients to read them.
    pub waiting_octets: AtomicUsize,
    /// Connections that were turned away, since there were too many, of all or of one address.
    pub turned_away: AtomicU64,
    /// Connections that were closed, since their client did not read.
    pub slow: AtomicU64,
    /// Primitives that came.
    pub heard: AtomicU64,
    /// Primitives that were sent.
    pub said: AtomicU64,
    /// How often the service was built anew, since something could not be stored.
    pub rebuilt: AtomicU64,
    /// Sessions that have a connection.
    pub points: AtomicUsize,
    /// Users who have such a session.
    pub users: AtomicUsize,
    /// Sign-ins with a wrong name, password or client id.
    pub refused_sign_ins: AtomicU64,
}

/// What somebody brings who carries texts to and from phones.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Brought {
    /// A phone wrote.
    Text(TextFromPhone),
    /// The carrier's word on a text.
    Fate(TextFate),
    /// The carrier's word on a phone.
    Phone(PhoneNumber, PhoneNews),
}

/// A changed record, made by whoever sees the shelf.
type MakeChanges = Box<dyn FnOnce(&dyn Shelf) -> Result<Vec<Change>, String> + Send>;

/// The way to a running service for those who are not clients. Clones lead to the same one.
#[derive(Clone)]
pub struct ServiceHandle {
    events: mpsc::Sender<Event>,
}

impl ServiceHandle {
    /// A phone wrote. It is durable when this returns, and is recognised by its key when it comes again.
    pub async fn from_phone(&self, text: TextFromPhone) -> Result<(), NotTaken> {
        self.ask(|done| Event::FromPhone(text, done)).await
    }

    /// The carrier's word on a text. It is durable when this returns.
    pub async fn fate(&self, fate: TextFate) -> Result<(), NotTaken> {
        self.ask(|done| Event::Fate(fate, done)).await
    }

    /// Texts, fates and news of phones, in this order. All of them are durable when this returns; after an error some of them may be, and
    /// all are to be given again.
    pub async fn bring(&self, brought: Vec<Brought>) -> Result<(), NotTaken> {
        let mut answers = Vec::with_capacity(brought.len());
        for one in brought {
            let (done, answer) = oneshot::channel();
            let event = match one {
                Brought::Text(text) => Event::FromPhone(text, done),
                Brought::Fate(fate) => Event::Fate(fate, done),
                Brought::Phone(number, news) => Event::Phone(number, news, done),
            };
            let sent = self.events.send(event).await;
            sent.map_err(|_closed| NotTaken::closing())?;
            answers.push(answer);
        }
        for answer in answers {
            answer
                .await
                .unwrap_or_else(|_dropped| Err(NotTaken::closing()))?;
        }
        Ok(())
    }

    /// Changes that an operator makes, with the shelf before one's eyes. They are durable when this returns.
    pub async fn change(
        &self,
        make: impl FnOnce(&dyn Shelf) -> Result<Vec<Change>, String> + Send + 'static,
    ) -> Result<(), NotTaken> {
        let make: MakeChanges = Box::new(make);
        self.ask(|done| Event::Change(make, done)).await
    }

    async fn ask(
        &self,
        event: impl FnOnce(oneshot::Sender<Result<(), NotTaken>>) -> Event,
    ) -> Result<(), NotTaken> {
        let (done, answer) = oneshot::channel();
        let sent = self.events.send(event(done)).await;
        sent.map_err(|_closed| NotTaken::closing())?;
        answer
            .await
            .unwrap_or_else(|_dropped| Err(NotTaken::closing()))
    }
}

/// The open door.
pub struct Door {
    address: SocketAddr,
    handle: ServiceHandle,
    counts: Arc<Counts>,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    /// Gone when the service's thread has ended.
    serving: oneshot::Receiver<()>,
}

impl Door {
    /// Opens the door: a service on what is kept, and a listener for its clients.
    pub async fn open<K: Keep>(
        door: &DoorConfig,
        service: Config,
        keep: K,
        secret: [u8; 32],
        clock: Clock,
    ) -> Result<Self, DoorError> {
        let listener = accept::listen(door).await?;
        let tls = accept::tls(door)?;
        let address = listener
            .local_addr()
            .map_err(|why| DoorError::Listen(door.listen, why))?;
        let service = service::Serving::new(service, secret, keep, clock)?;
        let counts = Arc::new(Counts::default());
        let (stop, stopped) = watch::channel(false);
        let (events, heard) = mpsc::channel(EVENTS);
        let serving = service.start(heard, counts.clone(), stopped.clone())?;
        let connections = connection::Shared {
            events: events.clone(),
            counts: counts.clone(),
            stopped,
            limits: door.clone(),
            clock,
            by_origin: Mutex::default(),
        };
        let accepting = tokio::spawn(accept::run(listener, tls, Arc::new(connections)));
        Ok(Self {
            address,
            handle: ServiceHandle { events },
            counts,
            stop,
            accepting,
            serving,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The way to the service for those who are not clients.
    pub fn handle(&self) -> ServiceHandle {
        self.handle.clone()
    }

    /// How it stands.
    pub fn counts(&self) -> Arc<Counts> {
        self.counts.clone()
    }

    /// Lets nobody in any more, stores what was said, tells all clients to come back later, and returns when that is done.
    pub async fn close(self) {
        self.stop.send_replace(true);
        // Either may have panicked; then it has said so.
        let _ended = self.accepting.await;
        let _ended = self.serving.await;
    }
}

/// Whether the certificate and its key can be used, if there are any.
pub fn check_certificate(config: &DoorConfig) -> Result<(), DoorError> {
    accept::tls(config).map(drop)
}

fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

/// Returns when the door closes.
async fn closing(stopped: &mut watch::Receiver<bool>) {
    // A door that is gone is closed.
    let _closed = stopped.wait_for(|stopped| *stopped).await.is_ok();
}
