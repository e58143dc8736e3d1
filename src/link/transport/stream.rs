//! TLS on TCP as a carrier: packets with their length in front (see [`super::frame`]).
//!
//! Two tasks keep a connection: one writes what waits, one reads and hands on. What waits is bounded here and, by the
//! unsent mark on the socket, in the kernel; nothing is dropped.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf,
};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::rustls;

use super::config::Tuning;
use super::connection::{Ended, SendError, Stats};
use super::frame::{self, Code, Frame, MAX_PACKET};
use crate::clock::{Clock, Moment};
use crate::link::pki::alert_words;

/// Packets that may wait here for being fetched; when there are so many, we stop reading, and TCP slows the far end.
const RECEIVED: usize = 512;
/// Octets that are put into TLS at once: so many, and those above can still put something urgent before the rest.
const BATCH: usize = 16384;
/// How often the round trip is measured, at least; it keeps the connection's place in NATs too.
const PROBE: Duration = Duration::from_secs(5);
/// How long a close may take to leave, and the far end to answer it.
const LINGER: Duration = Duration::from_secs(2);

/// What a failed read or write on a TLS stream means.
pub(super) fn failed(error: &io::Error) -> Ended {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::AlertReceived(alert)) => Ended::Refused(alert_words(*alert)),
        Some(error) => Ended::Lost(format!("what came is no TLS of ours ({error})")),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            Ended::Lost(String::from("the far end hung up without a word"))
        }
        None => Ended::Lost(error.to_string()),
    }
}

/// Frames out of a stream.
pub(super) struct Frames<R> {
    from: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    pub(super) fn new(from: R) -> Self {
        Self {
            from,
            buffer: BytesMut::new(),
        }
    }

    /// The next frame. Nothing is lost if the future is dropped before it is done.
    pub(super) async fn next(&mut self) -> Result<Frame, Ended> {
        loop {
            match frame::decode(&mut self.buffer) {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => {}
                Err(error) => {
                    return Err(Ended::Lost(format!("the far end sent {error}")));
                }
            }
            self.buffer.reserve(BATCH);
            match self.from.read_buf(&mut self.buffer).await {
                Ok(0) => {
                    return Err(Ended::Lost(String::from(
                        "the far end hung up without a word",
                    )));
                }
                Ok(_) => {}
                Err(error) => return Err(failed(&error)),
            }
        }
    }
}

#[derive(Default)]
struct Waiting {
    packets: VecDeque<Bytes>,
    octets: usize,
    pong: Option<[u8; 8]>,
    close: Option<(Code, String)>,
}

struct Shared {
    waiting: Mutex<Waiting>,
    /// Something waits for the writer.
    work: Notify,
    /// Something left for the line.
    room: Notify,
    ended: watch::Sender<Option<Ended>>,
    /// The writer has nothing more to do.
    written: watch::Sender<bool>,
    clock: Clock,
    send_buffer: usize,
    rtt_micros: AtomicU64,
    taken: AtomicU64,
    received: AtomicU64,
    octets_sent: AtomicU64,
    octets_received: AtomicU64,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection, unless it has ended before.
    fn end(&self, why: Ended) {
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            if first {
                *ended = Some(why);
            }
            first
        });
        self.work.notify_one();
        self.room.notify_waiters();
    }

    fn ended(&self) -> Option<Ended> {
        self.ended.borrow().clone()
    }

    async fn closed(&self) -> Ended {
        let mut ended = self.ended.subscribe();
        let why = ended.wait_for(Option::is_some).await;
        why.expect("the sender lives in `self`")
            .clone()
            .expect("this is what was waited for")
    }

    fn measured(&self, sample: Duration) {
        let sample = u64::try_from(sample.as_micros()).unwrap_or(u64::MAX).max(1);
        let before = self.rtt_micros.load(Ordering::Relaxed);
        let now = match before {
            0 => sample,
            before => before - before / 8 + sample / 8,
        };
        self.rtt_micros.store(now.max(1), Ordering::Relaxed);
    }
}

/// A connection by TLS on TCP.
pub(super) struct Line {
    shared: Arc<Shared>,
    packets: tokio::sync::Mutex<mpsc::Receiver<Bytes>>,
}

impl Line {
    /// Takes over a stream whose greeting is done; `frames` may hold more than that already. `greeted_after` is how
    /// long the last round trip of the greeting took.
    pub(super) fn new<S>(
        frames: Frames<ReadHalf<S>>,
        to: WriteHalf<S>,
        tuning: Tuning,
        greeted_after: Duration,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            work: Notify::new(),
            room: Notify::new(),
            ended: watch::Sender::new(None),
            written: watch::Sender::new(false),
            clock: Clock::system(),
            send_buffer: tuning.send_buffer,
            rtt_micros: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            received: AtomicU64::new(0),
            octets_sent: AtomicU64::new(0),
            octets_received: AtomicU64::new(0),
        });
        shared.measured(greeted_after);
        let (hand_on, packets) = mpsc::channel(RECEIVED);
        tokio::spawn(read(frames, hand_on, Arc::clone(&shared), tuning));
        tokio::spawn(write(to, Arc::clone(&shared), tuning.keep_alive.min(PROBE)));
        Self {
            shared,
            packets: tokio::sync::Mutex::new(packets),
        }
    }

    pub(super) fn send(&self, packet: Bytes) -> Result<(), SendError> {
        let length = packet.len();
        if length == 0 || length > MAX_PACKET {
            let max = MAX_PACKET;
            return Err(SendError::Length { length, max });
        }
        if self.ended().is_some() {
            return Err(SendError::Over);
        }
        let mut waiting = self.shared.waiting();
        if waiting.octets + length > self.shared.send_buffer {
            return Err(SendError::Full);
        }
        waiting.octets += length;
        waiting.packets.push_back(packet);
        drop(waiting);
        self.shared.taken.fetch_add(1, Ordering::Relaxed);
        self.shared.work.notify_one();
        Ok(())
    }

    pub(super) async fn send_when_room(&self, packet: Bytes) -> Result<(), SendError> {
        loop {
            // Registered before looking, so that room made in between is noticed.
            let mut room = std::pin::pin!(self.shared.room.notified());
            room.as_mut().enable();
            match self.send(packet.clone()) {
                Err(SendError::Full) => room.await,
                done => return done,
            }
        }
    }

    pub(super) fn room(&self) -> usize {
        match self.ended() {
            None => self.shared.send_buffer - self.shared.waiting().octets,
            Some(_) => 0,
        }
    }

    pub(super) fn queued(&self) -> usize {
        self.shared.waiting().octets
    }

    pub(super) async fn recv(&self) -> Result<Bytes, Ended> {
        let packet = self.packets.lock().await.recv().await;
        match packet {
            Some(packet) => {
                self.shared.received.fetch_add(1, Ordering::Relaxed);
                Ok(packet)
            }
            None => Err(self.closed().await),
        }
    }

    #[expect(clippy::unused_self, reason = "the same face as QUIC's")]
    pub(super) const fn max_packet(&self) -> usize {
        MAX_PACKET
    }

    pub(super) fn rtt(&self) -> Duration {
        Duration::from_micros(self.shared.rtt_micros.load(Ordering::Relaxed))
    }

    pub(super) fn stats(&self) -> Stats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            packets_taken: of(&self.shared.taken),
            packets_received: of(&self.shared.received),
            octets_sent: of(&self.shared.octets_sent),
            octets_received: of(&self.shared.octets_received),
            ..Stats::default()
        }
    }

    pub(super) fn close(&self, code: Code, reason: &str) {
        let reason = frame::cut(reason);
        if self.ended().is_some() {
            return;
        }
        self.shared
            .waiting()
            .close
            .get_or_insert_with(|| (code, reason.to_owned()));
        self.shared.end(Ended::Here(reason.to_owned()));
    }

    pub(super) async fn flushed(&self) {
        let mut written = self.shared.written.subscribe();
        let _ = timeout(LINGER, written.wait_for(|done| *done)).await;
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        self.shared.ended()
    }

    pub(super) async fn closed(&self) -> Ended {
        self.shared.closed().await
    }
}

/// Reads and hands on, until the connection ends; after a close of ours, until the far end has read it.
async fn read<R: AsyncRead + Unpin>(
    mut frames: Frames<R>,
    hand_on: mpsc::Sender<Bytes>,
    shared: Arc<Shared>,
    tuning: Tuning,
) {
    let why = tokio::select! {
        why = follow(&mut frames, &hand_on, &shared, tuning) => why,
        why = shared.closed() => why,
    };
    drop(hand_on);
    let closed_here = matches!(why, Ended::Here(_));
    shared.end(why);
    if closed_here {
        // A socket that is dropped with something unread resets the line, and our reason would be lost.
        let _ = timeout(LINGER, async { while frames.next().await.is_ok() {} }).await;
    }
}

async fn follow<R: AsyncRead + Unpin>(
    frames: &mut Frames<R>,
    hand_on: &mpsc::Sender<Bytes>,
    shared: &Shared,
    tuning: Tuning,
) -> Ended {
    loop {
        let frame = match timeout(tuning.idle_timeout, frames.next()).await {
            Ok(Ok(frame)) => frame,
            Ok(Err(why)) => return why,
            Err(_) => return Ended::Lost(String::from("nothing was heard for the idle timeout")),
        };
        let length = match &frame {
            Frame::Packet(packet) => 2 + packet.len(),
            _ => 13,
        };
        shared
            .octets_received
            .fetch_add(length as u64, Ordering::Relaxed);
        match frame {
            Frame::Packet(packet) => {
                if hand_on.send(packet).await.is_err() {
                    return Ended::Here(String::from("nobody holds this connection any more"));
                }
            }
            Frame::Ping(body) => {
                // Only the last is answered, so that no flood of them piles up here.
                shared.waiting().pong = Some(body);
                shared.work.notify_one();
            }
            Frame::Pong(body) => {
                let asked = Moment::from_micros(u64::from_be_bytes(body));
                shared.measured(shared.clock.now() - asked);
            }
            Frame::Close(Code::Closed, said) => return Ended::Far(said),
            Frame::Close(Code::Refused, said) => return Ended::Refused(said),
            Frame::Welcome(_) => {
                return Ended::Lost(String::from("the far end sent a second greeting"));
            }
        }
    }
}

/// Writes what waits, until the connection ends; a close of ours last.
async fn write<W: AsyncWrite + Unpin>(mut to: W, shared: Arc<Shared>, probe: Duration) {
    let give_up = async {
        shared.closed().await;
        sleep(LINGER).await;
    };
    tokio::select! {
        done = put(&mut to, &shared, probe) => {
            if let Err(error) = done {
                shared.end(failed(&error));
            }
        }
        () = give_up => {}
    }
    shared.written.send_replace(true);
}

async fn put<W: AsyncWrite + Unpin>(
    to: &mut W,
    shared: &Shared,
    probe: Duration,
) -> io::Result<()> {
    let mut probe = tokio::time::interval(probe);
    let mut batch = BytesMut::with_capacity(BATCH);
    loop {
        batch.clear();
        let closing = fill(&mut batch, shared);
        if !batch.is_empty() {
            // Room is made when the line takes it, not when it is fetched.
            to.write_all(&batch).await?;
            to.flush().await?;
            shared
                .octets_sent
                .fetch_add(batch.len() as u64, Ordering::Relaxed);
            shared.room.notify_waiters();
        }
        if closing {
            return to.shutdown().await;
        }
        if !batch.is_empty() {
            continue;
        }
        tokio::select! {
            () = shared.work.notified() => {}
            _ = probe.tick() => {
                let now = shared.clock.now().as_micros().to_be_bytes();
                batch.clear();
                frame::encode(&Frame::Ping(now), &mut batch);
                to.write_all(&batch).await?;
                to.flush().await?;
            }
        }
    }
}

/// What goes into the next batch: control first. Tells whether it is the last.
fn fill(batch: &mut BytesMut, shared: &Shared) -> bool {
    let mut waiting = shared.waiting();
    if let Some(body) = waiting.pong.take() {
        frame::encode(&Frame::Pong(body), batch);
    }
    if let Some((code, reason)) = waiting.close.take() {
        frame::encode(&Frame::Close(code, reason), batch);
        return true;
    }
    // The far end has closed, or is gone: nothing more is of use to it.
    if shared.ended.borrow().is_some() {
        return true;
    }
    while let Some(packet) = waiting.packets.pop_front() {
        let length = packet.len();
        waiting.octets -= length;
        frame::encode(&Frame::Packet(packet), batch);
        if batch.len() + MAX_PACKET > BATCH {
            break;
        }
    }
    false
}
