//! The simulated world: two ends, a bad line between them, sources and goals, and a model that knows what must be.

#[path = "world/drive.rs"]
mod drive;
#[path = "world/faults.rs"]
mod faults;
#[path = "world/judge.rs"]
mod judge;
#[path = "world/messages.rs"]
mod messages;
#[path = "world/resent.rs"]
mod resent;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sluice::clock::Moment;
use sluice::lane::Sequence;
use sluice::link::{Peer, Role};
use sluice::message::Outcome;
use sluice::ring::{Array, Parcel, Ring};

use crate::end::End;
use crate::support::chance::Chance;
use crate::support::link::Line;

pub type Found = Result<(), String>;

/// Faults end here; then everything has to settle.
const BAD_TIMES: Duration = Duration::from_secs(20);

/// By then everything must have settled.
const PATIENCE: Duration = Duration::from_secs(240);

/// One connection: a machine at each end, gone when its process is.
struct Connection {
    id: usize,
    peers: [Option<Peer<Ring>>; 2],
    lines: [Line; 2],
    /// What each end sends, read along.
    resent: [resent::Resent; 2],
}

/// One ring pair: what was offered at its source, and what came to its goal.
#[derive(Default)]
struct Way {
    total: u64,
    /// Accepted from the source so far.
    accepted: u64,
    /// What came to the goal last, in the numbers of the source.
    arrived: u64,
    /// The power cuts of the mirror's end when each was handed on last.
    handed: BTreeMap<u64, u32>,
    /// How each ended, as the goal said.
    decided: BTreeMap<Sequence, Outcome>,
    /// How each ended, as the origin's owner keeps it.
    kept: BTreeMap<Sequence, Outcome>,
    /// Damaged by us: these may be lost, if they are named.
    damaged: BTreeSet<Sequence>,
    lost: BTreeSet<Sequence>,
    /// Accepted before the origin's disk was put back: of these nobody may know any more.
    forgotten: u64,
    next_offer: Moment,
    next_hand_on: Moment,
}

enum Work {
    Store(usize, usize, usize, Vec<(Sequence, Parcel)>),
    Keep(usize, usize, usize, Vec<(Sequence, Outcome)>),
}

pub struct World {
    now: Moment,
    start: Moment,
    chance: Chance,
    ends: [End; 2],
    ways: Vec<Way>,
    connections: Vec<Connection>,
    made: usize,
    line: Line,
    works: Vec<(Moment, Work)>,
    up_at: [Option<Moment>; 2],
    dial_at: Option<Moment>,
    heal_at: Option<Moment>,
    trouble_at: Moment,
    flush_at: Moment,
    damages: bool,
    /// Copies of disks are made and put back.
    restores: bool,
    /// What goes over the line is read along, in one world of four: it takes half as long again.
    reads_along: bool,
    pace_us: u64,
    steps: u64,
    pub story: Option<Vec<String>>,
    stuck: u32,
}

impl World {
    pub fn new(seed: u64, story: bool) -> Self {
        let mut chance = Chance::new(seed);
        let lanes = if chance.percent(12) { 2 } else { 1 };
        let rtt = *chance.one_of(&[2, 20, 60, 300, 600]);
        let mut line = Line::new(
            Duration::from_millis(rtt / 2),
            *chance.one_of(&[0, 0, 5_000, 20_000, 60_000, 200_000]),
        );
        line.jitter = Duration::from_millis(*chance.one_of(&[0, 1, 5, 40]));
        line.doubled = *chance.one_of(&[0, 0, 10_000, 100_000]);
        line.rate = *chance.one_of(&[0, 0, 0, 200_000, 25_000]);
        if line.rate > 0 {
            line.queue = *chance.one_of(&[20_000, 200_000]);
        }
        let start = Moment::from_micros(1_000_000);
        let ways = (0..2 * lanes)
            .map(|_| Way {
                total: match chance.below(10) {
                    0 => 0,
                    1..=7 => 1 + chance.below(120),
                    _ => 300 + chance.below(500),
                },
                next_offer: start,
                next_hand_on: start,
                ..Way::default()
            })
            .collect();
        Self {
            now: start,
            start,
            ends: [End::new(Role::Edge, lanes), End::new(Role::Central, lanes)],
            ways,
            connections: Vec::new(),
            made: 0,
            line,
            works: Vec::new(),
            up_at: [None, None],
            dial_at: Some(start),
            heal_at: None,
            trouble_at: start + Duration::from_millis(200 + chance.below(3000)),
            flush_at: start,
            damages: chance.percent(15),
            restores: chance.percent(10),
            reads_along: seed.is_multiple_of(4),
            pace_us: *chance.one_of(&[200, 2_000, 20_000, 100_000]),
            steps: 0,
            story: story.then(Vec::new),
            stuck: 0,
            chance,
        }
    }

    fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            let at = (self.now - self.start).as_micros();
            story.push(format!("{:>6}.{:03} ms  {}", at / 1000, at % 1000, what()));
        }
    }

    fn bad_times(&self) -> bool {
        self.now - self.start < BAD_TIMES
    }

    const fn origin(ring: usize) -> usize {
        ring % 2
    }

    /// Runs to the end.
    pub fn run(&mut self) -> Found {
        loop {
            self.settle()?;
            if self.is_done() {
                return self.check_end();
            }
            if self.now - self.start > PATIENCE {
                return Err(self.why_not_done());
            }
            self.advance()?;
            self.check_resent()?;
            self.steps += 1;
            if self.steps.is_multiple_of(256) {
                self.check_mirrors()?;
            }
        }
    }

    /// Moves time to the next thing that happens.
    fn advance(&mut self) -> Found {
        let peers = self
            .connections
            .iter()
            .flat_map(|it| it.peers.iter().flatten());
        let mut times: Vec<Moment> = peers.filter_map(Peer::poll_timeout).collect();
        let lines = self.connections.iter().flat_map(|it| &it.lines);
        times.extend(lines.filter_map(Line::next_at));
        times.extend(self.works.iter().map(|work| work.0));
        times.extend(self.up_at.iter().flatten());
        times.extend(self.dial_at);
        times.extend(self.heal_at);
        times.push(self.flush_at);
        if self.bad_times() {
            times.push(self.trouble_at);
        }
        for (ring, way) in self.ways.iter().enumerate() {
            if self.is_fenced(ring) {
                continue;
            }
            let origin = &self.ends[Self::origin(ring)];
            if origin.is_up() && way.accepted < way.total {
                times.push(way.next_offer);
            }
            let mirror = &self.ends[1 - Self::origin(ring)];
            if mirror.is_up() && mirror.rings[ring].look(Array::next_to_process).is_some() {
                times.push(way.next_hand_on);
            }
        }
        let next = times.into_iter().min().expect("the flush is always due");
        self.stuck = if next > self.now { 0 } else { self.stuck + 1 };
        if self.stuck > 20_000 {
            return Err(format!("time stands still at {:?}", self.now));
        }
        self.now = self.now.max(next);
        self.happen()
    }

    /// All that is due now.
    fn happen(&mut self) -> Found {
        if self.heal_at.is_some_and(|at| at <= self.now) {
            self.heal_at = None;
            self.forget_resent();
            self.tell(|| "the line is back".into());
            for connection in &mut self.connections {
                for line in &mut connection.lines {
                    line.cut = false;
                }
            }
        }
        for end in [0, 1] {
            if self.up_at[end].is_some_and(|at| at <= self.now) {
                self.up_at[end] = None;
                self.tell(|| format!("{} starts", end_name(end)));
                self.ends[end].open()?;
            }
        }
        if self.bad_times() && self.trouble_at <= self.now {
            self.trouble();
        }
        if self.flush_at <= self.now {
            self.flush_at = self.now + Duration::from_millis(20 + self.chance.below(100));
            for end in [0, 1] {
                if self.ends[end].is_up() && !self.ends[end].flush() {
                    self.power_fails(end);
                }
            }
        }
        self.dial();
        self.packets_and_timers();
        self.work()?;
        for ring in 0..self.ways.len() {
            self.offer(ring);
            self.hand_on(ring)?;
        }
        for end in &mut self.ends {
            end.check_marks(false)?;
        }
        Ok(())
    }
}

const fn end_name(end: usize) -> &'static str {
    if end == 0 { "the edge" } else { "central" }
}
