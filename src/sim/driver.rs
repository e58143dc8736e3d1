//! Carries octets between lines and sessions, and keeps time. It decides nothing.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::event::{Event, Protocol, Record};
use super::network::{Network, Now};
use super::smsc::{Out, Session};
use crate::clock::{Clock, Moment, WallTime};

/// Most octets that are read at once.
const READ: usize = 16 * 1024;

/// A timer that is not set.
const FAR: Duration = Duration::from_secs(86_400);

/// What all sessions of a simulator share.
pub(super) struct Shared {
    clock: Clock,
    utc_offset_minutes: i32,
    hall: Mutex<Hall>,
    /// Tells the network's own timer that it may have to ring earlier.
    timer: Notify,
    stop: watch::Sender<bool>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// The network, and who is to be told of what happens in it.
pub(super) struct Hall {
    pub(super) network: Network,
    sessions: HashMap<u64, Arc<Handle>>,
    next_session: u64,
    listeners: Vec<mpsc::UnboundedSender<Arc<Record>>>,
}

/// How a session is reached from outside.
#[derive(Default)]
struct Handle {
    wake: Notify,
    /// Whether the SMSC wants to end it.
    logout: std::sync::atomic::AtomicBool,
}

impl Shared {
    pub(super) fn new(network: Network, utc_offset_minutes: i32) -> Self {
        Self {
            clock: Clock::system(),
            utc_offset_minutes,
            hall: Mutex::new(Hall {
                network,
                sessions: HashMap::new(),
                next_session: 1,
                listeners: Vec::new(),
            }),
            timer: Notify::new(),
            stop: watch::Sender::new(false),
        }
    }

    pub(super) fn now(&self) -> Now {
        let shift = i64::from(self.utc_offset_minutes) * 60_000;
        let wall = self.clock.wall().as_unix_ms().saturating_add_signed(shift);
        Now {
            moment: self.clock.now(),
            wall: WallTime::from_unix_ms(wall),
        }
    }

    fn instant(&self, moment: Moment) -> Instant {
        Instant::from_std(self.clock.instant(moment))
    }

    fn hall(&self) -> MutexGuard<'_, Hall> {
        // A panic while it was held has ended a session; the others may go on.
        self.hall.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the network, then tells everybody whom it concerns, but not the session that did it.
    pub(super) fn with<T>(&self, session: u64, work: impl FnOnce(&mut Network, Now) -> T) -> T {
        let now = self.now();
        let hall = &mut *self.hall();
        let due = hall.network.poll_timeout();
        let result = work(&mut hall.network, now);
        for woken in hall.network.take_wakes() {
            if woken != session
                && let Some(handle) = hall.sessions.get(&woken)
            {
                handle.wake.notify_one();
            }
        }
        for record in hall.network.take_records() {
            let record = Arc::new(record);
            hall.listeners
                .retain(|listener| listener.send(record.clone()).is_ok());
        }
        if hall.network.poll_timeout() != due {
            self.timer.notify_one();
        }
        result
    }

    /// Everything that happens from now on.
    pub(super) fn listen(&self) -> mpsc::UnboundedReceiver<Arc<Record>> {
        let (listener, records) = mpsc::unbounded_channel();
        let mut hall = self.hall();
        hall.network.observe();
        hall.listeners.push(listener);
        records
    }

    /// Ends all sessions as their protocols say.
    pub(super) fn logout_all(&self) {
        for handle in self.hall().sessions.values() {
            handle
                .logout
                .store(true, std::sync::atomic::Ordering::Relaxed);
            handle.wake.notify_one();
        }
    }

    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Ends when the simulator is stopped.
    pub(super) async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives in `self`.
        let _never = stop.wait_for(|stop| *stop).await;
    }

    fn enter(&self) -> (u64, Arc<Handle>) {
        let mut hall = self.hall();
        let number = hall.next_session;
        hall.next_session += 1;
        let handle = Arc::new(Handle::default());
        hall.sessions.insert(number, handle.clone());
        (number, handle)
    }

    fn leave(&self, number: u64) {
        self.hall().sessions.remove(&number);
    }

    /// Rings for what happens by itself: reports that are due, phones that write.
    pub(super) async fn keep_time(&self) {
        loop {
            let due = self.with(0, |network, now| {
                network.handle_timeout(now);
                network.poll_timeout()
            });
            tokio::select! {
                () = self.timer.notified() => {}
                () = sleep_until(due.map(|due| self.instant(due))) => {}
                () = self.stopped() => return,
            }
        }
    }

    /// Serves one line until it ends or the simulator is stopped. Octets that follow one another in one write must
    /// not be torn apart by Nagle's algorithm; that is the line's business.
    pub(super) async fn serve<L>(
        &self,
        line: &mut L,
        protocol: Protocol,
        peer: String,
        begin: impl FnOnce(u64) -> Box<dyn Session>,
    ) where
        L: AsyncRead + AsyncWrite + Unpin,
    {
        let (number, handle) = self.enter();
        let mut session = begin(number);
        self.with(number, |network, now| {
            network.record(now, number, || Event::Connect { protocol, peer });
            session.handle_connected(now, network);
        });
        let why = tokio::select! {
            why = self.carry(line, number, &handle, &mut *session) => why,
            () = self.stopped() => "the simulator stops".into(),
        };
        self.leave(number);
        self.with(number, |network, now| {
            session.handle_disconnected(now, network, &why);
        });
    }

    async fn carry<L>(
        &self,
        line: &mut L,
        number: u64,
        handle: &Handle,
        session: &mut dyn Session,
    ) -> String
    where
        L: AsyncRead + AsyncWrite + Unpin,
    {
        let mut incoming = vec![0; READ];
        let mut outgoing: Vec<u8> = Vec::with_capacity(READ);
        let mut held = None;
        let timer = tokio::time::sleep(FAR);
        tokio::pin!(timer);
        let mut armed: Option<Moment> = None;
        loop {
            // Write until there is no more.
            let deadline = loop {
                let (close, deadline) = self.with(number, |network, now| {
                    let close = collect(session, now, network, &mut outgoing, &mut held);
                    (close, session.poll_timeout(network))
                });
                if !outgoing.is_empty() {
                    if let Err(why) = line.write_all(&outgoing).await {
                        return said(&why);
                    }
                    outgoing.clear();
                    if let Err(why) = line.flush().await {
                        return said(&why);
                    }
                }
                match close {
                    Next::Close(why) => return why,
                    Next::More => {}
                    Next::Nothing => break deadline,
                }
            };
            // An earlier ring does no harm, so the timer is moved only when it would ring too late.
            if let Some(deadline) = deadline
                && armed.is_none_or(|armed| deadline < armed)
            {
                timer.as_mut().reset(self.instant(deadline));
                armed = Some(deadline);
            }
            let wants = session.wants_bytes(self.now());
            tokio::select! {
                read = line.read(&mut incoming), if wants => match read {
                    Ok(0) => return "closed by the peer".into(),
                    Ok(length) => self.with(number, |network, now| {
                        session.handle_bytes(now, network, &incoming[..length]);
                    }),
                    Err(why) => return said(&why),
                },
                () = handle.wake.notified() => self.with(number, |network, now| {
                    if handle.logout.swap(false, std::sync::atomic::Ordering::Relaxed) {
                        session.logout(now, network);
                    }
                    session.handle_timeout(now, network);
                }),
                () = &mut timer, if armed.is_some() => {
                    armed = None;
                    self.with(number, |network, now| session.handle_timeout(now, network));
                }
            }
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn said(why: &io::Error) -> String {
    why.to_string()
}

/// What follows a write.
enum Next {
    Nothing,
    More,
    Close(String),
}

/// Collects what goes into the next write. What must go alone and came behind something else is held for the next.
fn collect(
    session: &mut dyn Session,
    now: Now,
    network: &mut Network,
    outgoing: &mut Vec<u8>,
    held: &mut Option<Bytes>,
) -> Next {
    if let Some(bytes) = held.take() {
        outgoing.extend_from_slice(&bytes);
        return Next::More;
    }
    while let Some(out) = session.poll_transmit(now, network) {
        match out {
            Out::Write(bytes) => outgoing.extend_from_slice(&bytes),
            Out::Alone(bytes) if outgoing.is_empty() => {
                outgoing.extend_from_slice(&bytes);
                return Next::More;
            }
            Out::Alone(bytes) => {
                *held = Some(bytes);
                return Next::More;
            }
            Out::Close(why) => return Next::Close(why),
        }
    }
    Next::Nothing
}
