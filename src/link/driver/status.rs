//! What a link shows of itself: a value that can be read at any moment, and waited on.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::WallTime;
use crate::lane::RingName;
use crate::link::Far;
use crate::link::transport::Carrier;

/// So many outages are remembered with their times; all are counted.
pub const RECENT_OUTAGES: usize = 32;

/// What a link does, in one word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Phase {
    /// No connection. An edge calls; central waits to be called.
    #[default]
    Down,
    /// No connection, and the far end refuses us (or we refuse who answers): an operator must look.
    Refused,
    /// Connected, and both ends know one another.
    Up,
    /// Connected, but the far end has been silent for too long; another connection is being made beside this one.
    Silent,
    /// Stopped in order.
    Stopped,
}

impl Phase {
    /// One word, as it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Refused => "refused",
            Self::Up => "up",
            Self::Silent => "silent",
            Self::Stopped => "stopped",
        }
    }
}

/// One link, as of now: at an edge the link to central, at central the link to one edge.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LinkStatus {
    /// What it does.
    pub phase: Phase,
    /// Since when.
    pub since: WallTime,
    /// The far end, as it said last.
    pub far: Option<FarEnd>,
    /// The connection that carries, or carried last.
    pub line: Option<LineStatus>,
    /// Connections that came up, since the start.
    pub connections: u64,
    /// Why the last connection ended, or why there is none, in words; and when that was.
    pub last_reason: Option<(WallTime, String)>,
    /// How often the link was interrupted, since the start.
    pub outages: u64,
    /// For how long altogether, the one that goes on not counted.
    pub outage_time: Duration,
    /// The last [`RECENT_OUTAGES`] of them, the latest last.
    pub recent_outages: VecDeque<Outage>,
    /// Each ring of this link, in the owner's order.
    pub rings: Vec<RingStatus>,
}

/// The far end of a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FarEnd {
    /// Its name.
    pub identity: String,
    /// Its program and version.
    pub program: String,
    /// Random at each of its starts: when it changes, it was restarted.
    pub instance: u64,
}

/// One connection.
#[derive(Clone, PartialEq, Debug)]
pub struct LineStatus {
    /// What carries it.
    pub carrier: Carrier,
    /// Where the far end is.
    pub address: SocketAddr,
    /// When it came up.
    pub connected_at: WallTime,
    /// When these figures were taken.
    pub as_of: WallTime,
    /// When something was heard last.
    pub heard_at: Option<WallTime>,
    /// The round trip, smoothed, once known.
    pub round_trip: Option<Duration>,
    /// The share of packets that get lost, 0 to 1.
    pub loss: f64,
    /// What the line was measured to carry, octets a second.
    pub rate: u64,
    /// Packets handed to the carrier.
    pub packets_sent: u64,
    /// Packets that came.
    pub packets_received: u64,
    /// Octets on the line, with all that the carrier adds.
    pub octets_sent: u64,
    /// Octets that came from the line.
    pub octets_received: u64,
    /// Octets that wait here for the line.
    pub queued: usize,
}

/// A time without the link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outage {
    /// When something was heard for the last time.
    pub began: WallTime,
    /// When both ends knew one another again; nothing while it goes on.
    pub ended: Option<WallTime>,
    /// What ended the connection, in words.
    pub why: String,
}

/// One ring of a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RingStatus {
    /// Which.
    pub name: RingName,
    /// Whether it takes part.
    pub standing: RingStanding,
    /// What the far end said last of it.
    pub far: Far,
}

/// Whether a ring takes part in the connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RingStanding {
    /// The far end has not shown its side yet.
    Waiting,
    /// It takes part.
    Open,
    /// It does not, for this reason.
    Shut(String),
}

/// Where a link's status stands. Its supervisor writes it, and the session that carries.
pub(super) struct Board {
    status: watch::Sender<LinkStatus>,
    /// The session whose figures count.
    current: AtomicU64,
}

impl Board {
    pub(super) fn new(now: WallTime) -> Self {
        Self {
            status: watch::Sender::new(LinkStatus {
                since: now,
                ..LinkStatus::default()
            }),
            current: AtomicU64::new(0),
        }
    }

    pub(super) fn read(&self) -> LinkStatus {
        self.status.borrow().clone()
    }

    pub(super) fn watch(&self) -> watch::Receiver<LinkStatus> {
        self.status.subscribe()
    }

    /// A session shows its figures; those of one that does not carry are passed by.
    pub(super) fn figures(&self, session: u64, line: LineStatus, rings: Vec<RingStatus>) {
        if self.current.load(Ordering::Relaxed) == session {
            self.status.send_modify(|status| {
                status.line = Some(line);
                status.rings = rings;
            });
        }
    }

    /// From now on this session carries.
    pub(super) fn up(&self, session: u64, far: FarEnd, now: WallTime) {
        self.current.store(session, Ordering::Relaxed);
        self.status.send_modify(|status| {
            status.turn(Phase::Up, now);
            status.far = Some(far);
            status.connections += 1;
            if let Some(outage) = status.recent_outages.back_mut()
                && outage.ended.is_none()
            {
                outage.ended = Some(now);
                status.outage_time += now.since(outage.began);
            }
        });
    }

    /// The session that carried is over, and there is no other.
    pub(super) fn down(&self, heard: WallTime, why: String, now: WallTime) {
        self.current.store(0, Ordering::Relaxed);
        self.status.send_modify(|status| {
            status.turn(Phase::Down, now);
            status.outages += 1;
            if status.recent_outages.len() == RECENT_OUTAGES {
                status.recent_outages.pop_front();
            }
            status.recent_outages.push_back(Outage {
                began: heard,
                ended: None,
                why: why.clone(),
            });
            status.last_reason = Some((now, why));
            for ring in &mut status.rings {
                ring.standing = RingStanding::Waiting;
            }
        });
    }

    pub(super) fn turn(&self, phase: Phase, now: WallTime) {
        self.status.send_if_modified(|status| {
            let turns = status.phase != phase;
            status.turn(phase, now);
            turns
        });
    }

    /// Why there is no connection.
    pub(super) fn failed(&self, refused: bool, why: String, now: WallTime) {
        self.status.send_modify(|status| {
            match (status.phase, refused) {
                (Phase::Down, true) => status.turn(Phase::Refused, now),
                (Phase::Refused, false) => status.turn(Phase::Down, now),
                (Phase::Down | Phase::Refused | Phase::Up | Phase::Silent | Phase::Stopped, _) => {}
            }
            status.last_reason = Some((now, why));
        });
    }
}

impl LinkStatus {
    fn turn(&mut self, phase: Phase, now: WallTime) {
        if self.phase != phase {
            self.phase = phase;
            self.since = now;
        }
    }

    /// Whether the link carries messages now, as far as is known.
    pub fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up | Phase::Silent)
    }
}
