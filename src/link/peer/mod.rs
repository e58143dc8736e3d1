//! One end of one connection, without I/O.
//!
//! `handle_*` takes what arrived, verbs take what our side has done, `poll_*` give what is to be done:
//! after each change the driver drains [`Peer::poll_transmit`] and [`Peer::poll_action`], then waits for a packet, a
//! change of a ring, an answer of the store, or [`Peer::poll_timeout`].
//!
//! States, frames and resync are drawn in `docs/protocol-link.md`. All that must outlive a connection is in the rings;
//! a peer may be thrown away at any moment, and the next one knows what it needs to know from both ends' pointers.
//!
//! | part | |
//! |---|---|
//! | `heard` | what arrives |
//! | `rings` | how rings come to take part, and where their frames go |
//! | `owner` | what our side has done |
//! | `time` | timers, probes, repetitions |
//! | `build` | which packet goes, with what, and whether now |

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Moment;
use crate::lane::Sequence;
use crate::link::action::{Action, Actions};
use crate::link::gauge::Gauge;
use crate::link::packet::MAX_PACKET;
use crate::link::port::{Part, Port, Standing};
use crate::link::reason::{Reason, Shut, ShutReason};
use crate::link::received::Received;
use crate::link::rtt::Rtt;
use crate::link::sent::{Cargo, Fates, Sent};
use crate::link::timer::{Timer, Timers};
use crate::link::view::RingView;
use crate::ring::Mark;

mod build;
mod heard;
mod owner;
mod rings;
mod time;

/// Hello goes again after this long without an answer.
const GREET_AGAIN: Duration = Duration::from_millis(250);
/// Goodbye is said so many times.
const GOODBYES: u8 = 3;

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
