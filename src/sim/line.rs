//! A bad line in user space: a forwarder for UDP and TCP that delays, loses, doubles, throttles and breaks.
//!
//! It listens on one port for both, as central does, and passes on to where central listens; no privileges are
//! needed. Its weather can change at any moment. Each packet's fate is drawn from a seed, in the order in which packets
//! arrive, so that the same packets meet the same fate.
//!
//! What it cannot do: a TCP connection ends in the forwarder and begins anew behind it, so segments are not really
//! lost. A "lost" piece of a stream comes a round trip later, and everything behind it waits, which is what TCP's
//! recovery looks like from above; the sender's congestion control, and how long real TCP stands still after an outage,
//! are not shown. Rates of TCP under loss are to be measured on a line that loses packets.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::clock::{Clock, Moment};

/// Largest piece of a TCP stream that meets a fate of its own: the payload of a segment.
const PIECE: usize = 1448;
/// Largest UDP datagram.
const DATAGRAM: usize = 65535;
/// Packets on their way in one direction of one flow; what comes on top is dropped (UDP) or waits (TCP).
const ON_THE_WAY: usize = 4096;
/// Flows at the same time; the line is for one edge and its redials.
const FLOWS: usize = 1024;

/// What the line is like, in both directions alike.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Weather {
    /// Milliseconds that each packet takes, one way.
    pub delay_ms: u64,
    /// Up to so many milliseconds more, drawn for each packet: it makes packets overtake one another.
    pub jitter_ms: u64,
    /// Which part of the packets is lost, 0 to 1.
    pub loss: f64,
    /// Which part of the packets comes twice, 0 to 1; UDP only.
    pub duplication: f64,
    /// Bits a second, each way; none is as fast as the machine.
    pub rate: Option<u64>,
    /// Milliseconds that the queue before the slow part may grow to; what comes on top is lost.
    pub queue_ms: u64,
    /// Nothing passes.
    pub down: bool,
    /// UDP is swallowed.
    pub udp_blocked: bool,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            delay_ms: 0,
            jitter_ms: 0,
            loss: 0.0,
            duplication: 0.0,
            rate: None,
            queue_ms: 1000,
            down: false,
            udp_blocked: false,
        }
    }
}

impl Weather {
    /// Nothing but a delay, one way.
    pub fn delayed(delay_ms: u64) -> Self {
        Self {
            delay_ms,
            ..Self::default()
        }
    }

    fn round_trip(&self) -> Duration {
        Duration::from_millis(2 * self.delay_ms)
    }
}

/// What becomes of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It arrives then.
    Arrives(Moment),
    /// It arrives at both moments.
    Twice(Moment, Moment),
    /// It is lost on the way.
    Lost,
    /// The queue before the slow part has no room.
    Dropped,
}

/// One direction of the line, as a machine without I/O.
#[derive(Clone, Debug)]
pub struct Way {
    chance: u64,
    /// When the slow part has passed everything that it took so far.
    free_at: Moment,
}

impl Way {
    /// A direction whose fates come from that seed.
    pub const fn new(seed: u64) -> Self {
        Self {
            chance: seed,
            free_at: Moment::START,
        }
    }

    /// The fate of a packet of that length that enters now.
    pub fn pass(&mut self, weather: &Weather, now: Moment, length: usize) -> Fate {
        // Drawn always, so that one packet's fate does not hang on another's weather.
        let (lost, twice, jitter, again) = (self.draw(), self.draw(), self.draw(), self.draw());
        if weather.down {
            return Fate::Lost;
        }
        let begin = self.free_at.max(now);
        if let Some(rate) = weather.rate {
            if begin - now > Duration::from_millis(weather.queue_ms) {
                return Fate::Dropped;
            }
            let seconds = length as f64 * 8.0 / rate.max(1) as f64;
            self.free_at = begin + Duration::from_secs_f64(seconds);
        } else {
            self.free_at = now;
        }
        if lost < weather.loss {
            return Fate::Lost;
        }
        let arrives = |jitter: f64| {
            self.free_at
                + Duration::from_millis(weather.delay_ms)
                + Duration::from_millis(weather.jitter_ms).mul_f64(jitter)
        };
        match twice < weather.duplication {
            true => Fate::Twice(arrives(jitter), arrives(again)),
            false => Fate::Arrives(arrives(jitter)),
        }
    }

    /// A number from 0 to just below 1 (SplitMix64).
    fn draw(&mut self) -> f64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// What passed so far, in both directions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Passed {
    /// UDP datagrams that came to the line.
    pub datagrams: u64,
    /// Of those, how many it lost or had no room for.
    pub datagrams_lost: u64,
    /// TCP connections that came to the line.
    pub calls: u64,
    /// Of those, how many it passed on.
    pub streams: u64,
    /// Octets of TCP that it passed on.
    pub stream_octets: u64,
}

/// Which way, as an index.
#[derive(Clone, Copy)]
enum To {
    Target,
    Caller,
}

struct Shared {
    target: SocketAddr,
    clock: Clock,
    weather: watch::Sender<Weather>,
    /// Counts how often the way out was moved.
    moved: watch::Sender<u64>,
    ways: Mutex<[Way; 2]>,
    passed: watch::Sender<Passed>,
}

impl Shared {
    fn pass(&self, to: To, length: usize) -> Fate {
        let weather = *self.weather.borrow();
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        ways[to as usize].pass(&weather, self.clock.now(), length)
    }

    fn pass_datagram(&self, to: To, length: usize) -> Fate {
        let fate = match self.weather.borrow().udp_blocked {
            true => Fate::Lost,
            false => self.pass(to, length),
        };
        self.passed.send_modify(|passed| {
            passed.datagrams += 1;
            passed.datagrams_lost += u64::from(matches!(fate, Fate::Lost | Fate::Dropped));
        });
        fate
    }
}

/// A line from a port of its own to a target. It breaks down when dropped.
pub struct Line {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("address", &self.address)
            .field("target", &self.shared.target)
            .field("weather", &self.weather())
            .finish_non_exhaustive()
    }
}

impl Line {
    /// Opens a line that listens there, UDP and TCP; port 0 lets the system choose.
    pub async fn open(
        listen: SocketAddr,
        target: SocketAddr,
        weather: Weather,
        seed: u64,
    ) -> io::Result<Self> {
        let (tcp, udp) = bind(listen).await?;
        let address = tcp.local_addr()?;
        let shared = Arc::new(Shared {
            target,
            clock: Clock::system(),
            weather: watch::Sender::new(weather),
            moved: watch::Sender::new(0),
            ways: Mutex::new([Way::new(seed), Way::new(!seed)]),
            passed: watch::Sender::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(datagrams(Arc::clone(&shared), Arc::new(udp)));
        tasks.spawn(streams(Arc::clone(&shared), tcp));
        Ok(Self {
            address,
            shared,
            _tasks: tasks,
        })
    }

    /// Where to call.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the line is like now.
    pub fn weather(&self) -> Weather {
        *self.shared.weather.borrow()
    }

    /// Changes what the line is like. What is on its way arrives as it was to.
    pub fn change(&self, change: impl FnOnce(&mut Weather)) {
        self.shared.weather.send_modify(change);
    }

    /// Moves the UDP flows to new ports toward the target, as a NAT does that forgot them.
    pub fn rebind(&self) {
        self.shared.moved.send_modify(|times| *times += 1);
    }

    /// What passed so far.
    pub fn passed(&self) -> Passed {
        *self.shared.passed.borrow()
    }

    /// Waits until enough has passed.
    pub async fn until(&self, enough: impl FnMut(&Passed) -> bool) {
        let mut passed = self.shared.passed.subscribe();
        // The sender lives in `self`.
        let _ = passed.wait_for(enough).await;
    }
}

async fn bind(listen: SocketAddr) -> io::Result<(TcpListener, UdpSocket)> {
    let mut tries = 16;
    loop {
        let tcp = TcpListener::bind(listen).await?;
        match UdpSocket::bind(tcp.local_addr()?).await {
            Ok(udp) => return Ok((tcp, udp)),
            Err(_) if listen.port() == 0 && tries > 0 => tries -= 1,
            Err(error) => return Err(error),
        }
    }
}

fn way_out(target: SocketAddr) -> SocketAddr {
    let any = match target {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    SocketAddr::new(any, 0)
}

/// Takes datagrams from callers and gives each caller's to a flow of its own.
async fn datagrams(shared: Arc<Shared>, socket: Arc<UdpSocket>) {
    let mut flows: HashMap<SocketAddr, mpsc::Sender<Bytes>> = HashMap::new();
    let mut tasks = JoinSet::new();
    let mut buffer = vec![0; DATAGRAM];
    loop {
        // An error here is an ICMP answer to something we sent; the next call may succeed.
        let Ok((length, caller)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        flows.retain(|_, flow| !flow.is_closed());
        if !flows.contains_key(&caller) {
            if flows.len() >= FLOWS {
                continue;
            }
            let (to_flow, from_caller) = mpsc::channel(ON_THE_WAY);
            let (shared, socket) = (Arc::clone(&shared), Arc::clone(&socket));
            tasks.spawn(async move {
                if let Err(error) = flow(shared, socket, caller, from_caller).await {
                    tracing::debug!(%caller, "a flow of the line ended: {error}");
                }
            });
            flows.insert(caller, to_flow);
        }
        let flow = &flows[&caller];
        // Full: as lost as any other.
        let _ = flow.try_send(Bytes::copy_from_slice(&buffer[..length]));
    }
}

/// One caller's datagrams, both ways.
async fn flow(
    shared: Arc<Shared>,
    near: Arc<UdpSocket>,
    caller: SocketAddr,
    mut from_caller: mpsc::Receiver<Bytes>,
) -> io::Result<()> {
    let mut moved = shared.moved.subscribe();
    let mut far = UdpSocket::bind(way_out(shared.target)).await?;
    let mut on_the_way: BTreeMap<(Moment, u64), (To, Bytes)> = BTreeMap::new();
    let mut count = 0;
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let due = on_the_way.first_key_value().map(|((due, _), _)| *due);
        let (to, packet) = tokio::select! {
            () = sleep_until(shared.clock.instant(due.unwrap_or_default()).into()), if due.is_some() => {
                let (_, (to, packet)) = on_the_way.pop_first().expect("it was due");
                // Nobody there is as good as lost.
                let _ = match to {
                    To::Target => far.send_to(&packet, shared.target).await,
                    To::Caller => near.send_to(&packet, caller).await,
                };
                continue;
            }
            _ = moved.changed() => {
                far = UdpSocket::bind(way_out(shared.target)).await?;
                continue;
            }
            packet = from_caller.recv() => match packet {
                Some(packet) => (To::Target, packet),
                None => return Ok(()),
            },
            came = far.recv_from(&mut buffer) => match came {
                Ok((length, from)) if from == shared.target => {
                    (To::Caller, Bytes::copy_from_slice(&buffer[..length]))
                }
                _ => continue,
            },
        };
        let mut put = |due| {
            count += 1;
            on_the_way.insert((due, count), (to, packet.clone()));
        };
        match shared.pass_datagram(to, packet.len()) {
            Fate::Arrives(at) => put(at),
            Fate::Twice(first, second) => {
                put(first);
                put(second);
            }
            Fate::Lost | Fate::Dropped => {}
        }
    }
}

async fn streams(shared: Arc<Shared>, listener: TcpListener) {
    let mut tasks = JoinSet::new();
    loop {
        let Ok((near, caller)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        shared.passed.send_modify(|passed| passed.calls += 1);
        let shared = Arc::clone(&shared);
        tasks.spawn(async move {
            if let Err(error) = stream(shared, near).await {
                tracing::debug!(%caller, "a stream of the line ended: {error}");
            }
        });
    }
}

async fn up(shared: &Shared) {
    let mut weather = shared.weather.subscribe();
    // The sender lives in `shared`.
    let _ = weather.wait_for(|weather| !weather.down).await;
}

async fn stream(shared: Arc<Shared>, near: TcpStream) -> io::Result<()> {
    // The caller's own handshake was with us; this is what it would have taken.
    let round_trip = shared.weather.borrow().round_trip();
    sleep_until(shared.clock.instant(shared.clock.now() + round_trip).into()).await;
    up(&shared).await;
    let far = TcpStream::connect(shared.target).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    shared.passed.send_modify(|passed| passed.streams += 1);
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    tokio::try_join!(
        pump(&shared, To::Target, near_in, far_out),
        pump(&shared, To::Caller, far_in, near_out),
    )?;
    Ok(())
}

/// One direction of a stream.
async fn pump(
    shared: &Shared,
    to: To,
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut out: tokio::net::tcp::OwnedWriteHalf,
) -> io::Result<()> {
    let (put, mut on_the_way) = mpsc::channel::<(Moment, Bytes)>(ON_THE_WAY);
    let take = async move {
        // Nothing overtakes anything in a stream.
        let mut last = Moment::START;
        let mut buffer = [0; PIECE];
        loop {
            let length = from.read(&mut buffer).await?;
            if length == 0 {
                return Ok::<_, io::Error>(());
            }
            let due = loop {
                match shared.pass(to, length) {
                    Fate::Arrives(at) | Fate::Twice(at, _) => break at,
                    Fate::Lost | Fate::Dropped => {
                        up(shared).await;
                        let again = shared.clock.now() + shared.weather.borrow().round_trip();
                        match shared.pass(to, length) {
                            Fate::Arrives(at) | Fate::Twice(at, _) => break at.max(again),
                            // Lost a second time, or no room yet.
                            Fate::Lost | Fate::Dropped => {
                                sleep_until(shared.clock.instant(again).into()).await;
                            }
                        }
                    }
                }
            };
            last = last.max(due);
            let piece = Bytes::copy_from_slice(&buffer[..length]);
            if put.send((last, piece)).await.is_err() {
                return Ok(());
            }
        }
    };
    let give = async {
        while let Some((due, piece)) = on_the_way.recv().await {
            sleep_until(shared.clock.instant(due).into()).await;
            up(shared).await;
            out.write_all(&piece).await?;
            let octets = piece.len() as u64;
            shared
                .passed
                .send_modify(|passed| passed.stream_octets += octets);
        }
        out.shutdown().await
    };
    tokio::try_join!(take, give)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(seed: u64, weather: &Weather, count: u64) -> Vec<Fate> {
        let mut way = Way::new(seed);
        (0..count)
            .map(|n| way.pass(weather, Moment::from_micros(n * 1000), 1000))
            .collect()
    }

    #[test]
    fn the_same_seed_means_the_same_fates() {
        let weather = Weather {
            loss: 0.3,
            duplication: 0.1,
            jitter_ms: 20,
            ..Weather::delayed(150)
        };
        assert_eq!(fates(7, &weather, 500), fates(7, &weather, 500));
        assert_ne!(fates(7, &weather, 500), fates(8, &weather, 500));
    }

    #[test]
    fn loss_and_doubling_are_as_often_as_asked_for() {
        let weather = Weather {
            loss: 0.1,
            duplication: 0.2,
            ..Weather::default()
        };
        let fates = fates(1, &weather, 10_000);
        let count = |is: fn(&Fate) -> bool| fates.iter().filter(|fate| is(fate)).count();
        assert!((900..1100).contains(&count(|fate| *fate == Fate::Lost)));
        assert!((1650..1950).contains(&count(|fate| matches!(fate, Fate::Twice(..)))));
    }

    #[test]
    fn a_slow_line_queues_and_then_drops() {
        let weather = Weather {
            rate: Some(8000),
            queue_ms: 2500,
            ..Weather::delayed(100)
        };
        let mut way = Way::new(1);
        let now = Moment::from_micros(0);
        let second = Duration::from_secs(1);
        let delay = Duration::from_millis(100);
        for n in 1..=3 {
            let fate = way.pass(&weather, now, 1000);
            assert_eq!(fate, Fate::Arrives(now + n * second + delay));
        }
        assert_eq!(way.pass(&weather, now, 1000), Fate::Dropped);
        let later = now + second;
        let fate = way.pass(&weather, later, 1000);
        assert_eq!(fate, Fate::Arrives(now + 4 * second + delay));
    }

    #[test]
    fn a_line_that_is_down_passes_nothing() {
        let weather = Weather {
            down: true,
            ..Weather::default()
        };
        assert!(
            fates(1, &weather, 50)
                .iter()
                .all(|fate| *fate == Fate::Lost)
        );
    }

    #[tokio::test]
    async fn both_kinds_of_traffic_pass_both_ways() {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let (tcp, udp) = bind(loopback).await.unwrap();
        let target = tcp.local_addr().unwrap();
        let line = Line::open(loopback, target, Weather::delayed(5), 1)
            .await
            .unwrap();

        let caller = UdpSocket::bind(loopback).await.unwrap();
        caller.send_to(b"ask", line.address()).await.unwrap();
        let mut buffer = [0; 16];
        let (length, port) = udp.recv_from(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..length], b"ask");
        udp.send_to(b"answer", port).await.unwrap();
        let (length, from) = caller.recv_from(&mut buffer).await.unwrap();
        assert_eq!((&buffer[..length], from), (&b"answer"[..], line.address()));
        line.rebind();
        let moved = loop {
            caller.send_to(b"again", line.address()).await.unwrap();
            let (_, from) = udp.recv_from(&mut buffer).await.unwrap();
            if from != port {
                break from;
            }
        };
        assert_ne!(moved, port);

        let (mut here, accepted) = tokio::join!(TcpStream::connect(line.address()), tcp.accept());
        let here = here.as_mut().unwrap();
        let (mut there, _) = accepted.unwrap();
        let text = vec![b'x'; 100_000];
        here.write_all(&text).await.unwrap();
        let mut came = vec![0; text.len()];
        there.read_exact(&mut came).await.unwrap();
        assert_eq!(came, text);
        there.shutdown().await.unwrap();
        assert_eq!(here.read(&mut buffer).await.unwrap(), 0);
        let passed = line.passed();
        assert_eq!((passed.streams, passed.stream_octets), (1, 100_000));
        assert!(passed.datagrams >= 3 && passed.datagrams_lost == 0);
    }
}
