//! One connection: frames in, frames out, and the times of both.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_tungstenite::WebSocketStream;
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
use crate::im::primitive;

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
    loop {
        let look_at = next_look(heard_at, pinged, signed_in, signs_in_by, limits);
        tokio::select! {
            free = under_way.clone().acquire_owned(), if permit.is_none() => permit = free.ok(),
            frame = socket.next(), if permit.is_some() => {
                heard_at = clock.now();
                pinged = false;
                let request = match frame {
                    Some(Ok(Message::Text(text))) => primitive::read(text.as_bytes()),
                    Some(Ok(Message::Binary(octets))) => primitive::read(&octets),
                    Some(Ok(Message::Ping(_))) => {
                        // The answer is queued; it goes with this.
                        match flush(socket, shared).await {
                            Ok(()) => continue,
                            Err(end) => return end,
                        }
                    }
                    Some(Ok(Message::Pong(_) | Message::Frame(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Gone,
                };
                let Some(permit) = permit.take() else {
                    unreachable!("nothing is read without a permit")
                };
                let event = Event::Heard(connection, Box::new(request), permit);
                if shared.events.send(event).await.is_err() {
                    return End::Close(CloseCode::Restart, "the service is closing");
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
            () = tokio::time::sleep_until(clock.instant(look_at).into()) => {
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
            }
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
