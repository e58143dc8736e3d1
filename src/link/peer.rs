//! One end of one connection, without I/O.
//!
//! `handle_*` takes what arrived, verbs take what our side has done, `poll_*` give what is to be done:
//! after each change the driver drains [`Peer::poll_transmit`] and [`Peer::poll_action`], then waits for a packet, a
//! change of a ring, an answer of the store, or [`Peer::poll_timeout`].
//!
//! States, frames and resync are drawn in `docs/protocol-link.md`. All that must outlive a connection is in the rings;
//! a peer may be thrown away at any moment, and the next one knows what it needs to know from both ends' pointers.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::action::{Action, Actions};
use super::frame::Frame;
use super::gauge::Gauge;
use super::origin::At;
use super::packet::{self, HIGHEST_VERSION, Hello, LOWEST_VERSION, MAX_PACKET, Packet};
use super::port::{Part, Port, Standing};
use super::reason::{Reason, Shut, ShutReason};
use super::received::Received;
use super::rtt::Rtt;
use super::sent::{Cargo, Fates, NeverSent, Sent};
use super::timer::{Timer, Timers};
use super::view::RingView;
use crate::clock::Moment;
use crate::codec::Reader;
use crate::lane::Sequence;
use crate::ring::Mark;

mod build;
mod rings;

/// Hello goes again after this long without an answer.
const GREET_AGAIN: Duration = Duration::from_millis(250);
/// Goodbye is said so many times.
const GOODBYES: u8 = 3;
/// We ping when we have sent nothing that is acknowledged for so long.
const PING_AFTER: Duration = Duration::from_millis(400);
/// The longest wait between probes.
const LONGEST_PROBE: Duration = Duration::from_secs(5);

/// Which end of the link this is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It dials and names the rings.
    Edge,
    /// It waits and answers.
    Central,
}

impl Role {
    const fn number(self) -> u8 {
        match self {
            Self::Edge => 1,
            Self::Central => 2,
        }
    }
}

/// What a peer is told when its connection begins.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which end.
    pub role: Role,
    /// Our name; an edge's lanes begin with it.
    pub identity: String,
    /// What the far end has to be called, as its certificate says.
    pub far_identity: Option<String>,
    /// Random at each start of the program.
    pub instance: u64,
    /// Program and version, for people at the far end.
    pub program: String,
    /// Largest packet that the transport takes, 1,050 to 1,200.
    pub max_packet: usize,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    /// Hello goes out until one comes back.
    Dialling,
    /// Nothing goes out until a hello comes.
    Waiting,
    Open,
    Closing {
        reason: Reason,
        left: u8,
    },
    Gone,
}

/// What a connection has seen so far.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Statistics {
    /// Smoothed round trip, once known.
    pub round_trip: Option<Duration>,
    /// Share of packets lost.
    pub loss: f64,
    /// Measured rate, octets a second.
    pub rate: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Octets of packets sent.
    pub octets_sent: u64,
    /// Octets of items in them, those of repetitions too.
    pub item_octets_sent: u64,
    /// Packets that came.
    pub packets_received: u64,
    /// When something was heard last.
    pub heard_at: Option<Moment>,
}

/// A ring's far end, as it said last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Far {
    /// What the mirror holds (at an origin).
    pub retrieved: Mark,
    /// At an origin: what the mirror told the outcomes of. At a mirror: what the origin has taken of them.
    pub processed: Mark,
}

/// What is carried a second time, when its time comes.
#[derive(Clone, Copy, Debug)]
enum Repetition {
    Message(usize, Sequence),
    Cargo(Cargo),
}

/// One end of one connection.
#[derive(Debug)]
pub struct Peer<R> {
    config: Config,
    state: State,
    ports: Vec<Port<R>>,
    /// Port by the number that the edge gave to a ring.
    by_index: Vec<Option<usize>>,
    received: Received,
    sent: Sent,
    rtt: Rtt,
    gauge: Gauge,
    timers: Timers,
    actions: Actions,
    /// Refusals for numbers that are no rings here.
    strangers: VecDeque<(u64, ShutReason)>,
    /// Ports that have something to say, and ports that have messages to send, in turn.
    speaking: VecDeque<usize>,
    hungry: VecDeque<usize>,
    repetitions: VecDeque<(Moment, Repetition)>,
    spare: VecDeque<usize>,
    greet: bool,
    ping: bool,
    /// Probes since something was acknowledged, the last one's time, and whether its packet has yet to go.
    probes: u32,
    probed_at: Moment,
    probing: bool,
    heard_at: Moment,
    spoke_at: Moment,
    fates: Fates,
    statistics: Statistics,
}

impl<R: RingView> Peer<R> {
    /// The machine of a connection that was just made, with the rings of this pair of ends.
    pub fn new(now: Moment, config: Config, rings: Vec<R>) -> Self {
        let edge = config.role == Role::Edge;
        let ports: Vec<Port<R>> = rings
            .into_iter()
            .zip(0..)
            .map(|(ring, index)| Port::new(ring, edge.then_some(index)))
            .collect();
        let mut peer = Self {
            state: if edge {
                State::Dialling
            } else {
                State::Waiting
            },
            by_index: (0..ports.len())
                .map(|place| edge.then_some(place))
                .collect(),
            ports,
            received: Received::new(),
            sent: Sent::new(),
            rtt: Rtt::new(),
            gauge: Gauge::new(),
            timers: Timers::default(),
            actions: Actions::default(),
            strangers: VecDeque::new(),
            speaking: VecDeque::new(),
            hungry: VecDeque::new(),
            repetitions: VecDeque::new(),
            spare: VecDeque::new(),
            greet: edge,
            ping: false,
            probes: 0,
            probed_at: Moment::START,
            probing: false,
            heard_at: now,
            spoke_at: Moment::START,
            fates: Fates::default(),
            statistics: Statistics::default(),
            config,
        };
        peer.config.max_packet = peer.config.max_packet.min(MAX_PACKET);
        peer.timers.set(Timer::Silence, now + peer.rtt.silence());
        if edge {
            for place in 0..peer.ports.len() {
                peer.ports[place].showing.change();
                peer.speaks(place);
            }
        }
        peer
    }

    /// A packet came.
    pub fn handle_packet(&mut self, now: Moment, octets: Bytes) {
        self.statistics.packets_received += 1;
        match &mut self.state {
            State::Gone => return,
            State::Closing { .. } => {
                // Whoever still speaks to us has not heard it.
                self.greet = true;
                return;
            }
            State::Dialling | State::Waiting | State::Open => {}
        }
        let done = match packet::decode(octets) {
            Ok(Packet::Hello(hello)) => self.handle_hello(now, hello),
            Ok(Packet::Refusal {
                lowest,
                highest,
                reason,
            }) => {
                tracing::warn!(%reason, lowest, highest, "the far end refused the connection");
                self.end(reason, true);
                Ok(())
            }
            Ok(Packet::Frames { number, frames }) => self.handle_frames(now, number, frames),
            Err(malformed) => Err(Reason::Malformed(malformed.to_string())),
        };
        if let Err(reason) = done {
            self.close(now, reason);
        }
        self.schedule(now);
    }

    fn hear(&mut self, now: Moment) {
        self.heard_at = now;
        self.statistics.heard_at = Some(now);
        self.timers.set(Timer::Silence, now + self.rtt.silence());
    }

    fn handle_hello(&mut self, now: Moment, hello: Hello) -> Result<(), Reason> {
        if hello.role == self.config.role.number() {
            return Err(Reason::Identity(format!(
                "both ends are {}",
                match self.config.role {
                    Role::Edge => "edges",
                    Role::Central => "central",
                }
            )));
        }
        let version = hello.highest.min(HIGHEST_VERSION);
        if version < hello.lowest.max(LOWEST_VERSION) {
            return Err(Reason::Version(version_words(&self.config, &hello)));
        }
        if let Some(expected) = &self.config.far_identity
            && *expected != hello.identity
        {
            return Err(Reason::Identity(format!(
                "the far end calls itself {:?} and was expected to be {expected:?}",
                hello.identity
            )));
        }
        self.hear(now);
        let opens = matches!(self.state, State::Dialling | State::Waiting);
        // Central answers each hello: the one before may be lost.
        self.greet = self.config.role == Role::Central;
        if opens {
            self.state = State::Open;
            if self.config.far_identity.is_none() {
                self.config.far_identity = Some(hello.identity.clone());
            }
            self.timers.clear(Timer::Greet);
            self.timers.set(Timer::Stale, now + self.stale_after());
            self.actions.push(Action::Opened {
                identity: hello.identity,
                program: hello.program,
                instance: hello.instance,
            });
        }
        Ok(())
    }

    fn handle_frames(&mut self, now: Moment, number: u64, frames: Reader) -> Result<(), Reason> {
        if self.state != State::Open {
            // It overtook the hello, and will come again.
            return Ok(());
        }
        self.hear(now);
        if self.received.has(number) {
            self.received.owe(now);
            return Ok(());
        }
        let mut frames = frames;
        let mut taken = true;
        let mut eliciting = false;
        while !frames.is_empty() {
            let frame = Frame::decode(&mut frames)
                .map_err(|malformed| Reason::Malformed(malformed.to_string()))?;
            eliciting |= !matches!(frame, Frame::Ack(_));
            taken &= self.handle_frame(now, frame)?;
            if self.state != State::Open {
                return Ok(());
            }
        }
        // What could not be taken is not acknowledged: then it counts as lost, and comes again.
        if taken {
            self.received.take(now, number);
            if eliciting {
                self.received.owe(now);
            }
        }
        Ok(())
    }

    /// Gives false if the frame came too early for its ring.
    fn handle_frame(&mut self, now: Moment, frame: Frame) -> Result<bool, Reason> {
        match frame {
            Frame::Ping => Ok(true),
            Frame::Ack(ack) => {
                let mut fates = std::mem::take(&mut self.fates);
                let known =
                    self.sent
                        .acknowledged(now, &ack, &mut self.rtt, &mut self.gauge, &mut fates);
                if let Err(NeverSent(number)) = known {
                    return Err(Reason::Impossible(format!(
                        "acknowledged packet {number}, which was never sent"
                    )));
                }
                if !fates.arrived.is_empty() {
                    self.probes = 0;
                }
                self.meet_fates(&mut fates);
                self.fates = fates;
                Ok(true)
            }
            Frame::Goodbye(reason) => {
                self.end(reason, true);
                Ok(true)
            }
            Frame::Ring(showing) => self.handle_ring(&showing).map(|()| true),
            Frame::RingRefused { index, refusal } => {
                self.handle_ring_refused(index, refusal);
                Ok(true)
            }
            Frame::Data { index, .. }
            | Frame::Confirmed { index, .. }
            | Frame::Outcomes { index, .. }
            | Frame::Taken { index, .. }
            | Frame::Ask { index, .. }
            | Frame::Copy { index, .. }
            | Frame::NoCopy { index, .. }
            | Frame::Lost { index, .. }
            | Frame::Part { index, .. } => self.handle_ring_frame(now, index, frame),
        }
    }

    fn meet_fates(&mut self, fates: &mut Fates) {
        for cargo in fates.arrived.drain(..) {
            match cargo {
                Cargo::Message { port, sequence } => {
                    if let Part::Origin(origin) = &mut self.ports[port].part {
                        origin.arrived(sequence);
                    }
                }
                Cargo::Part { .. } => {}
                Cargo::Outcomes { port, first, count } => {
                    if let Part::Mirror(mirror) = &mut self.ports[port].part {
                        mirror.arrived(first, count);
                    }
                }
                Cargo::Said {
                    port,
                    fact,
                    version,
                } => {
                    if let Some(said) = self.ports[port].fact(fact) {
                        said.arrived(version);
                    }
                }
            }
        }
        for (packet, cargo) in fates.lost.drain(..) {
            self.goes_again(packet, cargo);
        }
    }

    /// A packet's content has to go again: it is lost, or (packet zero) nothing is heard of it.
    fn goes_again(&mut self, packet: u64, cargo: Cargo) {
        match cargo {
            Cargo::Message { port, sequence } => {
                if let Part::Origin(origin) = &mut self.ports[port].part {
                    if packet == 0 {
                        origin.probe(sequence);
                    } else {
                        origin.lost(packet, sequence);
                    }
                    self.hungers(port);
                }
            }
            Cargo::Part { port, sequence } => {
                let found = &mut self.ports[port];
                if let Part::Origin(origin) = &mut found.part {
                    origin.part_lost(&found.ring, sequence);
                    self.hungers(port);
                }
            }
            Cargo::Outcomes { port, first, count } => {
                if let Part::Mirror(mirror) = &mut self.ports[port].part {
                    mirror.lost(packet, first, count);
                    self.speaks(port);
                }
            }
            Cargo::Said { port, fact, .. } => {
                if let Some(said) = self.ports[port].fact(fact) {
                    if packet == 0 {
                        if !said.is_settled() {
                            said.again();
                        }
                    } else {
                        said.lost(packet);
                    }
                    self.speaks(port);
                }
            }
        }
    }

    fn speaks(&mut self, place: usize) {
        let port = &mut self.ports[place];
        if !port.speaks && port.has_news() {
            port.speaks = true;
            self.speaking.push_back(place);
        }
    }

    fn hungers(&mut self, place: usize) {
        let port = &mut self.ports[place];
        if !port.hungers && port.is_open() && matches!(port.part, Part::Origin(_)) {
            port.hungers = true;
            self.hungry.push_back(place);
        }
    }

    /// A ring changed: a message was stored at its origin, or passed on at its mirror.
    pub fn ring_changed(&mut self, now: Moment, ring: usize) {
        let Some(port) = self.ports.get_mut(ring) else {
            return;
        };
        if !matches!(port.standing, Standing::Shut(_))
            && let Some(fence) = port.ring.fence()
        {
            self.shut_ring(ring, ShutReason::Fenced(fence));
        }
        let port = &mut self.ports[ring];
        if port.is_open() {
            let at = At {
                ring: &port.ring,
                place: ring,
                index: 0,
            };
            match &mut port.part {
                Part::Origin(_) => self.hungers(ring),
                Part::Mirror(mirror) => {
                    mirror.look_again(&at);
                    self.speaks(ring);
                }
            }
        }
        self.schedule(now);
    }

    fn with_origin(
        &mut self,
        now: Moment,
        ring: usize,
        step: impl FnOnce(&mut super::origin::Origin, &At<'_, R>) -> Result<(), Reason>,
    ) {
        let port = &mut self.ports[ring];
        let at = At {
            ring: &port.ring,
            place: ring,
            index: port.index.unwrap_or_default(),
        };
        if let Part::Origin(origin) = &mut port.part
            && let Err(reason) = step(origin, &at)
        {
            self.close(now, reason);
        }
        self.speaks(ring);
        self.hungers(ring);
        self.schedule(now);
    }

    fn with_mirror(
        &mut self,
        now: Moment,
        ring: usize,
        step: impl FnOnce(&mut super::mirror::Mirror, &At<'_, R>) -> Result<(), Reason>,
    ) {
        let port = &mut self.ports[ring];
        let at = At {
            ring: &port.ring,
            place: ring,
            index: port.index.unwrap_or_default(),
        };
        if let Part::Mirror(mirror) = &mut port.part
            && let Err(reason) = step(mirror, &at)
        {
            self.close(now, reason);
        }
        self.speaks(ring);
        self.schedule(now);
    }

    /// These messages of [`Action::Store`] are durable.
    pub fn stored(&mut self, now: Moment, ring: usize, sequences: &[Sequence]) {
        self.with_mirror(now, ring, |mirror, at| mirror.stored(at, sequences));
    }

    /// These messages of [`Action::Store`] could not be stored. If the ring is done for, say [`Peer::ring_failed`].
    pub fn not_stored(&mut self, now: Moment, ring: usize, sequences: &[Sequence]) {
        self.with_mirror(now, ring, |mirror, _| {
            mirror.not_stored(sequences);
            Ok(())
        });
    }

    /// An outcome batch of [`Action::Outcomes`] is kept: the messages are processed.
    pub fn outcomes_taken(&mut self, now: Moment, ring: usize, sequences: &[Sequence]) {
        self.with_origin(now, ring, |origin, at| origin.outcomes_taken(at, sequences));
    }

    /// [`Action::Repair`] is done, durably.
    pub fn repaired(&mut self, now: Moment, ring: usize, sequence: Sequence) {
        self.with_origin(now, ring, |origin, _| {
            origin.repaired(sequence);
            Ok(())
        });
    }

    /// [`Action::Adopt`] is done; this is the ring in its new life.
    pub fn adopted(&mut self, now: Moment, ring: usize, renewed: R) {
        let port = &mut self.ports[ring];
        port.ring = renewed;
        port.showing.change();
        if let Standing::Adopting(showing) =
            std::mem::replace(&mut port.standing, Standing::Waiting)
            && let Err(reason) = self.handle_ring(&showing)
        {
            self.close(now, reason);
        }
        self.speaks(ring);
        self.schedule(now);
    }

    /// Writing to this ring failed: nothing of it is confirmed any more on this connection.
    pub fn ring_failed(&mut self, now: Moment, ring: usize, why: &str) {
        self.shut_ring(ring, ShutReason::Storage(why.to_owned()));
        self.schedule(now);
    }

    /// Ends the connection from our side.
    pub fn close(&mut self, now: Moment, reason: Reason) {
        if matches!(self.state, State::Closing { .. } | State::Gone) {
            return;
        }
        self.actions.push(Action::Closed {
            reason: reason.clone(),
            by_far_end: false,
        });
        self.timers.clear_all();
        self.state = State::Closing {
            reason,
            left: GOODBYES,
        };
        self.greet = true;
        self.timers.set(Timer::Greet, now);
    }

    /// The connection is over without a word of ours.
    fn end(&mut self, reason: Reason, by_far_end: bool) {
        self.actions.push(Action::Closed { reason, by_far_end });
        self.timers.clear_all();
        self.state = State::Gone;
    }

    /// The clock has reached [`Peer::poll_timeout`]. Called too early, it does no harm.
    pub fn handle_timeout(&mut self, now: Moment) {
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::Greet => self.greet = true,
                Timer::Silence => {
                    let heard = now - self.heard_at;
                    let limit = self.rtt.silence();
                    if now < self.heard_at + limit {
                        self.timers.set(Timer::Silence, self.heard_at + limit);
                    } else {
                        self.close(
                            now,
                            Reason::Silence(format!(
                                "nothing was heard for {} ms; round trips take {} ms",
                                heard.as_millis(),
                                self.rtt.smoothed().as_millis()
                            )),
                        );
                        return;
                    }
                }
                Timer::Ping => self.ping = true,
                Timer::Send => {}
                Timer::Repeat => self.repeat(now),
                Timer::Loss => {
                    let mut fates = std::mem::take(&mut self.fates);
                    self.sent
                        .look_for_losses(now, &self.rtt, &mut self.gauge, &mut fates);
                    self.meet_fates(&mut fates);
                    self.fates = fates;
                }
                Timer::Probe => self.probe(now),
                Timer::Stale => self.look_for_stale(now),
            }
        }
        self.schedule(now);
    }

    /// No acknowledgment came: the oldest contents go again, and if there are none, a ping.
    fn probe(&mut self, now: Moment) {
        self.probes += 1;
        self.probed_at = now;
        self.probing = true;
        self.ping = true;
        for cargo in self.sent.oldest(2) {
            self.goes_again(0, cargo);
        }
    }

    fn repeat(&mut self, now: Moment) {
        let most = self.gauge.repetitions();
        while let Some(&(at, repetition)) = self.repetitions.front() {
            if at > now {
                break;
            }
            self.repetitions.pop_front();
            match repetition {
                Repetition::Message(place, sequence) => {
                    if let Part::Origin(origin) = &mut self.ports[place].part
                        && origin.repeat(sequence, most)
                        && !self.spare.contains(&place)
                    {
                        self.spare.push_back(place);
                    }
                }
                Repetition::Cargo(Cargo::Outcomes { port, first, count }) => {
                    if let Part::Mirror(mirror) = &mut self.ports[port].part {
                        mirror.repeat(first, count, most);
                    }
                    self.speaks(port);
                }
                Repetition::Cargo(Cargo::Said {
                    port,
                    fact,
                    version,
                }) => {
                    if let Some(said) = self.ports[port].fact(fact)
                        && said.wants_repetition(version, most)
                    {
                        said.again();
                    }
                    self.speaks(port);
                }
                Repetition::Cargo(Cargo::Message { .. } | Cargo::Part { .. }) => {}
            }
        }
        if most == 0 {
            for place in std::mem::take(&mut self.spare) {
                if let Part::Origin(origin) = &mut self.ports[place].part {
                    origin.forget_spare();
                }
            }
        }
    }

    fn stale_after(&self) -> Duration {
        (2 * self.rtt.smoothed()).max(Duration::from_millis(500))
    }

    fn look_for_stale(&mut self, now: Moment) {
        let patience = 4 * self.rtt.smoothed() + Duration::from_secs(2);
        let before =
            Moment::from_micros(now.as_micros().saturating_sub(patience.as_micros() as u64));
        for place in 0..self.ports.len() {
            let port = &mut self.ports[place];
            if !port.is_open() {
                continue;
            }
            match &mut port.part {
                Part::Origin(origin) => {
                    origin.ask_again();
                    if origin.stale(&port.ring, before) {
                        self.hungers(place);
                    }
                }
                Part::Mirror(mirror) => mirror.ask_again(),
            }
            self.speaks(place);
        }
        self.timers.set(Timer::Stale, now + self.stale_after());
    }

    /// Sets the timers that follow from what is known now.
    fn schedule(&mut self, now: Moment) {
        if self.state != State::Open {
            return;
        }
        let probe = self.sent.waits_since().map(|oldest| {
            let wait = self.rtt.answer_within() * (1 << self.probes.min(6));
            let since = if self.probes == 0 {
                oldest
            } else {
                self.probed_at
            };
            since + wait.min(LONGEST_PROBE.max(self.rtt.answer_within()))
        });
        self.timers.put(Timer::Probe, probe);
        self.timers.put(Timer::Loss, self.sent.loss_at(&self.rtt));
        let (worry, pause) = self.rtt.worry();
        let last_said = self.sent.last_at();
        let mut ping = last_said + PING_AFTER;
        if now >= self.heard_at + worry {
            ping = ping.min(last_said + pause);
        } else {
            ping = ping.min((self.heard_at + worry).max(last_said + pause));
        }
        if !self.ping {
            self.timers.set(Timer::Ping, ping);
        }
        self.timers
            .put(Timer::Repeat, self.repetitions.front().map(|&(at, _)| at));
    }

    /// What is to be done next.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop()
    }

    /// When [`Peer::handle_timeout`] is to be called at the latest.
    pub fn poll_timeout(&self) -> Option<Moment> {
        self.timers.next()
    }

    /// When the far end has been silent for so long that another connection should be made beside this one, while the
    /// connection is open. Hearing from it moves this on.
    pub fn suspicious_at(&self) -> Option<Moment> {
        self.is_open().then(|| self.heard_at + self.rtt.suspicion())
    }

    /// Whether nothing more will be transmitted.
    pub fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    /// Whether both ends know one another.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether a ring takes part; if not, why, once that is known.
    pub fn ring_standing(&self, ring: usize) -> Result<bool, Shut> {
        match &self.ports[ring].standing {
            Standing::Open => Ok(true),
            Standing::Waiting | Standing::Adopting(_) => Ok(false),
            Standing::Shut(shut) => Err(shut.clone()),
        }
    }

    /// What the far end said last of a ring.
    pub fn far(&self, ring: usize) -> Far {
        match &self.ports[ring].part {
            Part::Origin(origin) => Far {
                retrieved: origin.far_retrieved,
                processed: origin.far_processed,
            },
            Part::Mirror(mirror) => Far {
                retrieved: Mark::default(),
                processed: mirror.taken,
            },
        }
    }

    /// What the connection has seen so far.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            round_trip: self.rtt.is_known().then(|| self.rtt.smoothed()),
            loss: self.gauge.loss(),
            rate: self.gauge.rate(),
            ..self.statistics
        }
    }
}

fn version_words(config: &Config, far: &Hello) -> String {
    let upgrade = if far.highest < LOWEST_VERSION {
        &far.identity
    } else {
        &config.identity
    };
    format!(
        "{} speaks versions {LOWEST_VERSION} to {HIGHEST_VERSION} of the link, {} ({}) speaks {} to {}; upgrade {upgrade}",
        config.identity, far.identity, far.program, far.lowest, far.highest
    )
}
