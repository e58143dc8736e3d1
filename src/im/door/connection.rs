//! One connection: frames in, frames out, and the times of both.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use futures_util::{FutureExt as _, SinkExt, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::config::DoorConfig;
use super::outbox::{Item, Waiting, outbox};
use super::pictures::{Shown, pictures};
use super::service::Event;
use super::stream::Stream;
use super::{Counts, count};
use crate::clock::{Clock, Moment};
use crate::im::effects::Origin;
use crate::im::limits::MAX_PRIMITIVE;
use crate::im::names::ConnectionId;
use crate::im::primitive::{self, Request, Unreadable};

/// Octets that are read at once: most primitives, and what an idle connection costs.
const READ: usize = 2048;

/// Octets that are put together before they are written; one primitive more may wait, however long it is.
const WRITTEN: usize = 4096;

/// Primitives that are written at once, if as many wait.
const AT_ONCE: usize = 64;

/// Requests of one connection that are under way, from their being read to their answers' being written: a client that asks
/// without end, or does not read, waits behind itself, and others behind no more than this of it. Enough to keep a disk
/// busy whose sync takes longer than the line.
const UNDER_WAY: usize = 16;

/// How each answer to a sign-in begins.
const SIGNED_IN: &str = "{\"primitive\":\"SignedIn\"";

/// A WebSocket.
pub(super) type Socket = WebSocketStream<Stream>;

/// What all connections share.
pub(super) struct Shared {
    pub(super) events: mpsc::Sender<Event>,
    pub(super) counts: Arc<Counts>,
    pub(super) stopped: watch::Receiver<bool>,
    pub(super) limits: DoorConfig,
    pub(super) clock: Clock,
    /// How many connections each address has.
    pub(super) by_origin: Mutex<HashMap<Origin, usize>>,
}

/// Makes a WebSocket of a line.
pub(super) async fn upgrade(stream: Stream) -> Option<Socket> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ)
        .write_buffer_size(WRITTEN)
        // A little more than is read, so that what is too long is answered and not cut off.
        .max_message_size(Some(2 * MAX_PRIMITIVE))
        .max_frame_size(Some(2 * MAX_PRIMITIVE));
    tokio_tungstenite::accept_async_with_config(stream, Some(config))
        .await
        .ok()
}

/// Why a connection ends.
enum End {
    /// The client went, or broke the protocol of WebSockets.
    Gone,
    /// We close it.
    Close(CloseCode, &'static str),
}

/// Carries a connection until it ends.
pub(super) async fn run(mut socket: Socket, number: u64, from: IpAddr, shared: &Shared) {
    let connection = ConnectionId(number);
    let (outbox, mut waiting) = outbox(&shared.counts);
    let (pictures, shown) = pictures();
    let came = Event::Connected(connection, from, outbox, pictures);
    if shared.events.send(came).await.is_err() {
        return;
    }
    let end = carry(&mut socket, connection, &mut waiting, &shown, shared).await;
    // The service is told first: what was released for this connection since is in its log.
    let _closing = shared.events.send(Event::Gone(connection)).await;
    if let End::Close(code, reason) = end {
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        // It is closed either way.
        let _late = tokio::time::timeout(shared.limits.greeting, socket.close(Some(frame))).await;
    }
}

async fn carry(
    socket: &mut Socket,
    connection: ConnectionId,
    waiting: &mut Waiting,
    shown: &Shown,
    shared: &Shared,
) -> End {
    let limits = &shared.limits;
    let clock = shared.clock;
    let mut heard_at = clock.now();
    let mut pinged = false;
    let signs_in_by = clock.now() + limits.sign_in;
    let mut signed_in = false;
    let mut outgoing = Vec::new();
    let under_way = Arc::new(Semaphore::new(UNDER_WAY));
    let mut permit: Option<OwnedSemaphorePermit> = None;
    let look_at = |heard_at, pinged, signed_in| {
        let at = next_look(heard_at, pinged, signed_in, signs_in_by, limits);
        tokio::time::Instant::from(clock.instant(at))
    };
    // Set anew when it was over, and not with each frame.
    let look = tokio::time::sleep_until(look_at(heard_at, pinged, signed_in));
    tokio::pin!(look);
    loop {
        let sooner = look_at(heard_at, pinged, signed_in);
        if sooner < look.deadline() {
            look.as_mut().reset(sooner);
        }
        let has_permit = permit.as_ref().is_some_and(|free| free.num_permits() > 0);
        tokio::select! {
            free = under_way.clone().acquire_owned(), if !has_permit => permit = free.ok(),
            frame = socket.next(), if has_permit => {
                heard_at = clock.now();
                pinged = false;
                let Some(first) = permit.take() else {
                    unreachable!("nothing is read without a permit")
                };
                let mut heard = Heard::new(first);
                heard.take(frame);
                // What came with it goes with it: the service is woken once.
                while heard.takes_more(&under_way)
                    && let Some(frame) = socket.next().now_or_never()
                {
                    heard.take(frame);
                }
                let Heard { requests, mut permits, is_asked, is_gone, .. } = heard;
                permit = permits.split(permits.num_permits() - requests.len());
                if !requests.is_empty() {
                    let event = Event::Heard(connection, requests, permits);
                    if shared.events.send(event).await.is_err() {
                        return End::Close(CloseCode::Restart, "the service is closing");
                    }
                }
                if is_gone {
                    return End::Gone;
                }
                // The answer is queued; it goes with this.
                if is_asked && let Err(end) = flush(socket, shared).await {
                    return end;
                }
            }
            took = waiting.take(&mut outgoing, AT_ONCE) => {
                if took == 0 {
                    return match *shared.stopped.borrow() {
                        true => End::Close(CloseCode::Restart, "the service is closing"),
                        false => End::Close(CloseCode::Policy, "signed out, taken up elsewhere, or not read in time"),
                    };
                }
                for item in outgoing.drain(..) {
                    let line = match item {
                        Item::Line(line) => line,
                        Item::Answered(permit) => {
                            drop(permit);
                            continue;
                        }
                    };
                    signed_in |= line.starts_with(SIGNED_IN);
                    let octets = line.len();
                    if let Err(end) = feed(socket, line, shared).await {
                        return end;
                    }
                    waiting.written(octets);
                }
                if let Err(end) = flush(socket, shared).await {
                    return end;
                }
            }
            picture = shown.next() => {
                if let Err(end) = feed(socket, picture, shared).await {
                    return end;
                }
                if let Err(end) = flush(socket, shared).await {
                    return end;
                }
            }
            () = &mut look => {
                let now = clock.now();
                if !signed_in && now >= signs_in_by {
                    return End::Close(CloseCode::Policy, "nobody signed in");
                }
                if now >= heard_at + limits.silence {
                    return End::Gone;
                }
                if !pinged && now >= heard_at + limits.ping {
                    pinged = true;
                    let ping = Message::Ping(Vec::new().into());
                    if let Err(end) = in_time(socket.send(ping), shared).await {
                        return end;
                    }
                }
                look.as_mut().reset(look_at(heard_at, pinged, signed_in));
            }
        }
    }
}

/// What came at once.
struct Heard {
    requests: Vec<Result<Request, Unreadable>>,
    /// One for each request, or one more.
    permits: OwnedSemaphorePermit,
    octets: usize,
    /// The client asks whether we are still there.
    is_asked: bool,
    is_gone: bool,
}

impl Heard {
    const fn new(first: OwnedSemaphorePermit) -> Self {
        Self {
            requests: Vec::new(),
            permits: first,
            octets: 0,
            is_asked: false,
            is_gone: false,
        }
    }

    fn take(&mut self, frame: Option<Result<Message, Error>>) {
        match frame {
            Some(Ok(Message::Text(text))) => self.read(text.as_bytes()),
            Some(Ok(Message::Binary(octets))) => self.read(&octets),
            Some(Ok(Message::Ping(_))) => self.is_asked = true,
            Some(Ok(Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Close(_)) | Err(_)) | None => self.is_gone = true,
        }
    }

    fn read(&mut self, octets: &[u8]) {
        self.octets += octets.len();
        self.requests.push(primitive::read(octets));
    }

    /// Whether one more may come along: as much as is read from the line at once, and no more than the client may have under
    /// way.
    fn takes_more(&mut self, under_way: &Arc<Semaphore>) -> bool {
        if self.is_gone || self.is_asked || self.octets >= READ {
            return false;
        }
        if self.requests.len() < self.permits.num_permits() {
            return true;
        }
        match under_way.clone().try_acquire_owned() {
            Ok(one) => {
                self.permits.merge(one);
                true
            }
            Err(_none) => false,
        }
    }
}

/// When there is something to be looked at though nothing happens.
fn next_look(
    heard_at: Moment,
    pinged: bool,
    signed_in: bool,
    signs_in_by: Moment,
    limits: &DoorConfig,
) -> Moment {
    let silence = match pinged {
        true => heard_at + limits.silence,
        false => heard_at + limits.ping.min(limits.silence),
    };
    match signed_in {
        true => silence,
        false => silence.min(signs_in_by),
    }
}

async fn feed(socket: &mut Socket, text: String, shared: &Shared) -> Result<(), End> {
    in_time(socket.feed(Message::Text(text.into())), shared).await
}

async fn flush(socket: &mut Socket, shared: &Shared) -> Result<(), End> {
    in_time(socket.flush(), shared).await
}

/// Writes, if the client reads in time.
async fn in_time<E>(
    writing: impl Future<Output = Result<(), E>>,
    shared: &Shared,
) -> Result<(), End> {
    match tokio::time::timeout(shared.limits.reading, writing).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_gone)) => Err(End::Gone),
        Err(_late) => {
            // Its log has everything that it misses.
            count(&shared.counts.slow, 1);
            Err(End::Gone)
        }
    }
}
