//! Two ends of a link on a simulated line, in a time that only the test moves.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use sluice::clock::Moment;
use sluice::lane::{Direction, Epoch, Lane, RingName, Sequence, Side};
use sluice::link::{Action, Config, Peer, RingView, Role, is_lost_placeholder};
use sluice::message::{Outcome, SmscId};
use sluice::ring::page::Fence;
use sluice::ring::{Array, Misstep, Parcel};

use super::chance::Chance;

/// A ring that is only its array.
#[derive(Clone, Debug)]
pub struct BareRing {
    name: Rc<RingName>,
    inner: Rc<RefCell<Bare>>,
}

#[derive(Debug)]
struct Bare {
    array: Array,
    outcomes: BTreeMap<Sequence, Outcome>,
    fence: Option<Fence>,
}

impl BareRing {
    pub fn new(name: RingName, epoch: u64) -> Self {
        let array = Array::new(name.side, Epoch::new(epoch).unwrap());
        Self {
            name: Rc::new(name),
            inner: Rc::new(RefCell::new(Bare {
                array,
                outcomes: BTreeMap::new(),
                fence: None,
            })),
        }
    }

    /// A ring whose array is this one, as recovery made it.
    pub fn with(name: RingName, array: Array) -> Self {
        let ring = Self::new(name, 1);
        ring.inner.borrow_mut().array = array;
        ring
    }

    /// Takes a message from its source, durably; false if the ring is full.
    pub fn append(&self, parcel: Parcel) -> bool {
        let mut inner = self.inner.borrow_mut();
        let Ok(sequence) = inner.array.accept(parcel) else {
            return false;
        };
        let processed = inner.array.marks().processed.up_to();
        inner.array.recorded(processed);
        inner.array.stored(sequence);
        true
    }

    /// Stores what came over the link, durably.
    pub fn store(&self, sequence: Sequence, parcel: Parcel) -> Result<(), Misstep> {
        let mut inner = self.inner.borrow_mut();
        inner.array.take(sequence, parcel)?;
        inner.array.stored(sequence);
        Ok(())
    }

    pub fn change<T>(&self, change: impl FnOnce(&mut Array) -> T) -> T {
        change(&mut self.inner.borrow_mut().array)
    }

    pub fn fence_with(&self, fence: Fence) {
        self.inner.borrow_mut().fence = Some(fence);
    }
}

impl RingView for BareRing {
    fn name(&self) -> &RingName {
        &self.name
    }
    fn look<T>(&self, see: impl FnOnce(&Array) -> T) -> T {
        see(&self.inner.borrow().array)
    }
    fn fence(&self) -> Option<Fence> {
        self.inner.borrow().fence
    }
    fn mark_sent(&self, sequence: Sequence) -> Result<bool, Misstep> {
        self.change(|array| array.mark_sent(sequence))
    }
    fn mark_all_sent(&self, sequences: &[Sequence]) -> Result<(), Misstep> {
        self.change(|array| {
            let mut each = sequences.iter();
            each.try_for_each(|&sequence| array.mark_sent(sequence).map(|_fresh| ()))
        })
    }
    fn confirm(&self, sequence: Sequence) -> Result<bool, Misstep> {
        self.change(|array| array.confirm(sequence))
    }
    fn confirm_up_to(&self, sequence: Sequence) -> Result<(), Misstep> {
        self.change(|array| array.confirm_up_to(sequence))
    }
    fn process(&self, sequence: Sequence) -> Result<bool, Misstep> {
        self.change(|array| array.process(sequence))
    }
    fn process_all(&self, ended: Vec<(Sequence, Option<Outcome>)>) -> Result<(), Misstep> {
        self.change(|array| {
            let mut each = ended.iter();
            each.try_for_each(|(sequence, _)| array.process(*sequence).map(|_fresh| ()))
        })
    }
    fn process_with(&self, sequence: Sequence, outcome: Outcome) -> Result<bool, Misstep> {
        let mut inner = self.inner.borrow_mut();
        let fresh = inner.array.process(sequence)?;
        if fresh {
            let plain = outcome == Outcome::Accepted(SmscId::NONE);
            if !plain {
                inner.outcomes.insert(sequence, outcome);
            }
            if inner.outcomes.len() > 600 {
                let floor = inner.array.marks().processed.up_to().lap_before();
                inner.outcomes.retain(|of, _| *of > floor);
            }
        }
        Ok(fresh)
    }
    fn outcome(&self, sequence: Sequence) -> Option<Outcome> {
        let inner = self.inner.borrow();
        inner.array.marks().processed.has(sequence).then(|| {
            let kept = inner.outcomes.get(&sequence).cloned();
            kept.unwrap_or(Outcome::Accepted(SmscId::NONE))
        })
    }
}

/// One direction of a line.
#[derive(Clone, Debug)]
pub struct Line {
    pub delay: Duration,
    /// Up to so much more, evenly spread; it lets packets overtake.
    pub jitter: Duration,
    /// Lost, doubled: so many of a million.
    pub loss: u64,
    pub doubled: u64,
    /// Octets a second; zero for no limit.
    pub rate: u64,
    /// What waits before the line at most, in octets.
    pub queue: u64,
    /// Octets that the layers below add to each packet.
    pub wrapping: u64,
    pub cut: bool,
    free_at: Moment,
    flying: BinaryHeap<Reverse<(Moment, u64, Bytes)>>,
    number: u64,
}

impl Line {
    pub fn new(delay: Duration, loss: u64) -> Self {
        Self {
            delay,
            jitter: Duration::ZERO,
            loss,
            doubled: 0,
            rate: 0,
            queue: u64::MAX,
            wrapping: 60,
            cut: false,
            free_at: Moment::START,
            flying: BinaryHeap::new(),
            number: 0,
        }
    }

    pub fn send(&mut self, now: Moment, packet: Bytes, chance: &mut Chance) {
        let mut leaves = now;
        if self.rate > 0 {
            let octets = packet.len() as u64 + self.wrapping;
            let waiting = (self.free_at - now).as_micros() as u64 * self.rate / 1_000_000;
            if waiting + octets > self.queue {
                return;
            }
            let takes = Duration::from_micros(octets * 1_000_000 / self.rate);
            self.free_at = self.free_at.max(now) + takes;
            leaves = self.free_at;
        }
        if self.cut || chance.below(1_000_000) < self.loss {
            return;
        }
        let copies = 1 + u64::from(self.doubled > 0 && chance.below(1_000_000) < self.doubled);
        for _ in 0..copies {
            let more = match self.jitter.as_micros() as u64 {
                0 => 0,
                jitter => chance.below(jitter),
            };
            let at = leaves + self.delay + Duration::from_micros(more);
            self.number += 1;
            self.flying.push(Reverse((at, self.number, packet.clone())));
        }
    }

    pub fn next_at(&self) -> Option<Moment> {
        self.flying.peek().map(|Reverse((at, _, _))| *at)
    }

    pub fn arrives(&mut self, now: Moment) -> Option<Bytes> {
        if self.next_at()? > now {
            return None;
        }
        self.flying.pop().map(|Reverse((_, _, packet))| packet)
    }

    pub fn drop_all(&mut self) {
        self.flying.clear();
    }
}

pub fn ring_name(lane: &str, direction: Direction, side: Side) -> RingName {
    RingName::new(Lane::new("oslo", lane).unwrap(), direction, side)
}

pub fn config(role: Role) -> Config {
    let (identity, far) = match role {
        Role::Edge => ("oslo", "central"),
        Role::Central => ("central", "oslo"),
    };
    Config {
        role,
        identity: identity.into(),
        far_identity: Some(far.into()),
        instance: 7,
        program: "sluice test".into(),
        max_packet: 1162,
    }
}

/// Bare rings of both ends: MO and MT of each lane.
pub fn bare_rings(lanes: usize) -> [Vec<BareRing>; 2] {
    [Role::Edge, Role::Central].map(|role| {
        (0..lanes)
            .flat_map(|lane| [(lane, Direction::Mo), (lane, Direction::Mt)])
            .map(|(lane, direction)| {
                let origin = (role == Role::Edge) == (direction == Direction::Mo);
                let side = if origin { Side::Origin } else { Side::Mirror };
                let name = ring_name(&format!("lane-{lane}"), direction, side);
                BareRing::new(name, 1000 + lane as u64)
            })
            .collect()
    })
}

/// Messages that a store makes durable: done when, at which end, for which ring, which ones.
type Storing = (Moment, usize, usize, Vec<(Sequence, Parcel)>);

/// Both ends of a link with bare rings: at each end the MO and the MT ring of each lane, in this order.
pub struct Pair {
    pub now: Moment,
    pub chance: Chance,
    pub peers: [Peer<BareRing>; 2],
    pub rings: [Vec<BareRing>; 2],
    /// From each end to the other.
    pub lines: [Line; 2],
    /// How long a store takes.
    pub disk: Duration,
    /// So many stores fail.
    pub failing: u32,
    /// Whether mirrors hand on at once what they store.
    pub hand_on: bool,
    /// Whether origins keep outcomes at once.
    pub keep: bool,
    pub handed_on: [Vec<u64>; 2],
    /// What else the peers asked for.
    pub actions: [Vec<Action>; 2],
    pub outcomes: Vec<(usize, usize, Sequence, Outcome)>,
    idle: u32,
    storing: Vec<Storing>,
}

pub const EDGE: usize = 0;
pub const CENTRAL: usize = 1;

impl Pair {
    pub fn new(seed: u64, lanes: usize, line: &Line) -> Self {
        Self::with(seed, bare_rings(lanes), line)
    }

    /// Ends with these rings.
    pub fn with(seed: u64, rings: [Vec<BareRing>; 2], line: &Line) -> Self {
        let count = rings[0].len().max(rings[1].len());
        let now = Moment::from_micros(1_000_000);
        let peers = [
            Peer::new(now, config(Role::Edge), rings[0].clone()),
            Peer::new(now, config(Role::Central), rings[1].clone()),
        ];
        Self {
            now,
            chance: Chance::new(seed),
            peers,
            handed_on: [vec![0; count], vec![0; count]],
            rings,
            lines: [line.clone(), line.clone()],
            disk: Duration::ZERO,
            failing: 0,
            hand_on: true,
            keep: true,
            actions: Default::default(),
            outcomes: Vec::new(),
            idle: 0,
            storing: Vec::new(),
        }
    }

    /// A new connection over the same rings; what flew is gone.
    pub fn reconnect(&mut self) {
        self.peers = [
            Peer::new(self.now, config(Role::Edge), self.rings[0].clone()),
            Peer::new(self.now, config(Role::Central), self.rings[1].clone()),
        ];
        for line in &mut self.lines {
            line.drop_all();
        }
    }

    pub fn origin(&self, ring: usize) -> usize {
        ring % 2
    }

    /// A message at its origin's end.
    pub fn offer(&mut self, ring: usize, parcel: Parcel) -> bool {
        let end = self.origin(ring);
        let taken = self.rings[end][ring].append(parcel);
        if taken {
            self.peers[end].ring_changed(self.now, ring);
        }
        taken
    }

    fn act(&mut self, end: usize) {
        while let Some(action) = self.peers[end].poll_action() {
            match action {
                Action::Store { ring, parcels } => {
                    self.storing
                        .push((self.now + self.disk, end, ring, parcels));
                }
                Action::Outcomes { ring, told } if self.keep => {
                    let sequences: Vec<Sequence> = told.iter().map(|told| told.0).collect();
                    for (sequence, outcome) in told {
                        if outcome != Outcome::Accepted(SmscId::NONE) {
                            self.outcomes.push((end, ring, sequence, outcome));
                        }
                    }
                    self.peers[end].outcomes_taken(self.now, ring, &sequences);
                }
                Action::Repair {
                    ring,
                    sequence,
                    parcel,
                } => {
                    let repaired =
                        self.rings[end][ring].change(|array| array.repair(sequence, parcel));
                    repaired.unwrap();
                    self.peers[end].ring_changed(self.now, ring);
                }
                other => self.actions[end].push(other),
            }
        }
        let mut n = 0;
        while n < self.storing.len() {
            if self.storing[n].0 > self.now {
                n += 1;
                continue;
            }
            let (_, at, ring, parcels) = self.storing.remove(n);
            let sequences: Vec<Sequence> = parcels.iter().map(|it| it.0).collect();
            if self.failing > 0 {
                self.failing -= 1;
                self.peers[at].not_stored(self.now, ring, &sequences);
                continue;
            }
            for (sequence, parcel) in parcels {
                self.rings[at][ring].store(sequence, parcel).unwrap();
            }
            self.peers[at].stored(self.now, ring, &sequences);
            if self.hand_on {
                self.hand_on(at, ring);
            }
        }
    }

    /// The mirror hands on all it may.
    pub fn hand_on(&mut self, end: usize, ring: usize) {
        let mirror = self.rings[end][ring].clone();
        while let Some(sequence) = mirror.look(Array::next_to_process) {
            if mirror.look(|array| array.get(sequence).is_some_and(is_lost_placeholder)) {
                break;
            }
            mirror
                .process_with(sequence, Outcome::Accepted(SmscId::NONE))
                .unwrap();
            self.handed_on[end][ring] += 1;
        }
        self.peers[end].ring_changed(self.now, ring);
    }

    /// Lets both ends do all they want to do now.
    pub fn settle(&mut self) {
        for end in [EDGE, CENTRAL] {
            loop {
                self.act(end);
                let Some(packet) = self.peers[end].poll_transmit(self.now, usize::MAX) else {
                    break;
                };
                self.lines[end].send(self.now, packet, &mut self.chance);
            }
        }
    }

    pub fn next_at(&self) -> Option<Moment> {
        let timers = self.peers.iter().filter_map(Peer::poll_timeout);
        let packets = self.lines.iter().filter_map(Line::next_at);
        let stores = self.storing.iter().map(|store| store.0);
        timers.chain(packets).chain(stores).min()
    }

    /// Moves time to the next thing that happens, at most to `until`; false if that is reached.
    pub fn step(&mut self, until: Moment) -> bool {
        self.settle();
        let Some(next) = self.next_at().filter(|&at| at <= until) else {
            self.now = until;
            return false;
        };
        // A timer that is due again and again would hold time up for ever.
        self.idle = if next > self.now { 0 } else { self.idle + 1 };
        assert!(self.idle < 10_000, "time stands still: {:#?}", self.peers);
        self.now = self.now.max(next);
        for end in [EDGE, CENTRAL] {
            while let Some(packet) = self.lines[1 - end].arrives(self.now) {
                self.peers[end].handle_packet(self.now, packet);
            }
            if self.peers[end]
                .poll_timeout()
                .is_some_and(|at| at <= self.now)
            {
                self.peers[end].handle_timeout(self.now);
            }
        }
        true
    }

    /// Runs for so long.
    pub fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) {}
    }

    /// Runs with origins that are always full of these messages.
    pub fn run_full(&mut self, time: Duration, rings: &[usize], parcel: &Parcel) {
        let until = self.now + time;
        loop {
            for &ring in rings {
                while self.offer(ring, parcel.clone()) {}
            }
            if !self.step(until) {
                return;
            }
        }
    }
}
