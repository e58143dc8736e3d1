//! The simulated world: two ends, a bad line between them, sources and goals, and a model that knows what must be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use sluice::clock::{Moment, WallTime};
use sluice::lane::{SLOTS, Sequence, Side};
use sluice::link::{Action, Peer, Reason, Role, is_lost_placeholder};
use sluice::message::{
    Body, Coding, DeliveryKey, Item, Outcome, PhoneNumber, Refusal, ShortCode, ShortMessage,
    SmscId, UserDataHeader,
};
use sluice::ring::{Array, Parcel, Ring, StoreError, Taken};

use crate::end::{End, at_once};
use crate::support::chance::Chance;
use crate::support::link::{Line, config};

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
    pace_us: u64,
    steps: u64,
    pub story: Option<Vec<String>>,
    stuck: u32,
}

fn key(number: u64) -> DeliveryKey {
    let mut key = [0; 24];
    key[..8].copy_from_slice(&number.to_le_bytes());
    DeliveryKey(key)
}

fn parcel(ring: usize, number: u64, octets: usize) -> Parcel {
    let mut text = format!("{ring}/{number}/").into_bytes();
    text.resize(text.len().max(octets), b'.');
    let body = Body::new(Coding::Octets, UserDataHeader::NONE, Bytes::from(text)).unwrap();
    let message = ShortMessage::new(
        PhoneNumber::new("358401234567").unwrap().into(),
        ShortCode::new("12345").unwrap().into(),
        body,
    );
    let at = WallTime::from_unix_ms(1_000_000 + number * 7);
    let parcel = Parcel::pack(&Item::Message(message), at, key(number)).unwrap();
    if number.is_multiple_of(37) {
        // Now and then one that needs several packets.
        let long: Bytes = [&parcel.octets()[..], &vec![b'~'; 2500][..]]
            .concat()
            .into();
        let sum = sluice::codec::checksum::crc32c(&long);
        return Parcel::received(long, sum, at, key(number)).unwrap();
    }
    parcel
}

/// The source's number of a message, from its content.
fn number_of(ring: usize, parcel: &Parcel) -> Result<u64, String> {
    let octets = parcel.octets();
    let text = String::from_utf8_lossy(octets);
    let start = format!("{ring}/");
    // The text begins after the parties; numbers of parties hold no slash.
    let from = text.find(&start).ok_or("a message of another ring")?;
    let rest = &text[from + start.len()..];
    let number = rest.split('/').next().unwrap_or_default();
    number
        .parse()
        .map_err(|_| format!("no number in {number:?}"))
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
            self.steps += 1;
            if self.steps.is_multiple_of(256) {
                self.check_mirrors()?;
            }
        }
    }

    fn is_done(&self) -> bool {
        self.ends.iter().all(End::is_up)
            && self.heal_at.is_none()
            && self.ways.iter().enumerate().all(|(ring, way)| {
                way.accepted == way.total
                    && [0, 1]
                        .iter()
                        .all(|&end| self.ends[end].rings[ring].look(Array::is_idle))
            })
    }

    fn why_not_done(&self) -> String {
        let mut why = String::from("it never settled:");
        for (ring, way) in self.ways.iter().enumerate() {
            why += &format!(
                " way {ring}: {} of {} accepted, {} arrived;",
                way.accepted, way.total, way.arrived
            );
            for end in &self.ends {
                if let Some(ring) = end.rings.get(ring) {
                    why += &format!(" {} {:?};", ring.name(), ring.look(|array| *array.marks()));
                }
            }
        }
        why += &format!(" {} connections", self.connections.len());
        why
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

    /// What goes wrong next.
    fn trouble(&mut self) {
        self.trouble_at = self.now + Duration::from_millis(50 + self.chance.below(4000));
        let end = self.chance.below(2) as usize;
        match self.chance.below(9) {
            0..=2 => {
                let both = self.chance.percent(70);
                let long = self.chance.percent(30);
                let ms = 10 + self.chance.below(if long { 8000 } else { 600 });
                let one = self.chance.below(2) as usize;
                self.tell(|| {
                    format!(
                        "the line is cut for {ms} ms, {}",
                        if both { "both ways" } else { "one way" }
                    )
                });
                for connection in &mut self.connections {
                    connection.lines[one].cut = true;
                    connection.lines[1 - one].cut |= both;
                }
                self.heal_at = Some(self.now + Duration::from_millis(ms));
            }
            3 | 4 if self.ends[end].is_up() => {
                self.tell(|| format!("{} is killed", end_name(end)));
                self.ends[end].kill();
                self.goes_down(end);
            }
            5 | 6 if self.ends[end].is_up() => {
                let after = self.chance.below(30);
                self.tell(|| format!("the power of {} goes after {after} writes", end_name(end)));
                self.ends[end].power_will_fail(after);
            }
            7 if self.damages && self.ends[end].is_up() => self.damage(end),
            _ => {
                // Dials beside the connection that there is.
                self.tell(|| "the edge dials beside".into());
                self.dial_at.get_or_insert(self.now);
            }
        }
    }

    fn damage(&mut self, end: usize) {
        let ring = self.chance.below(self.ways.len() as u64) as usize;
        let Some(sequence) = self.ends[end].some_live(ring, &mut self.chance) else {
            return;
        };
        if !self.ends[end].flush() {
            self.power_fails(end);
            return;
        }
        self.tell(|| {
            format!(
                "{} is killed, and message {sequence} of way {ring} damaged there",
                end_name(end)
            )
        });
        self.ways[ring].damaged.insert(sequence);
        self.ends[end].kill();
        self.ends[end].damage(ring, sequence);
        self.goes_down(end);
    }

    fn goes_down(&mut self, end: usize) {
        for connection in &mut self.connections {
            connection.peers[end] = None;
        }
        self.works.retain(|(_, work)| match work {
            Work::Store(_, at, ..) | Work::Keep(_, at, ..) => *at != end,
        });
        let ms = 1 + self.chance.below(1500);
        self.up_at[end] = Some(self.now + Duration::from_millis(ms));
    }

    fn power_fails(&mut self, end: usize) {
        self.tell(|| format!("the power of {} is gone", end_name(end)));
        self.ends[end].power_fails(&mut self.chance);
        self.goes_down(end);
    }

    /// The edge dials when it has no connection; central answers if it is up.
    fn dial(&mut self) {
        // An end whose machine is gone and whose other end noticed: nothing is left of it.
        self.connections
            .retain(|it| it.peers.iter().flatten().next().is_some());
        let has = self.connections.iter().any(|it| it.peers[0].is_some());
        if !has && self.dial_at.is_none() && self.ends[0].is_up() {
            let ms = 20 + self.chance.below(700);
            self.dial_at = Some(self.now + Duration::from_millis(ms));
        }
        if self.dial_at.is_none_or(|at| at > self.now) {
            return;
        }
        self.dial_at = None;
        if !self.ends[0].is_up() || !self.ends[1].is_up() || self.connections.len() >= 4 {
            return;
        }
        self.tell(|| "a new connection".into());
        let mut line = self.line.clone();
        line.cut = self.heal_at.is_some();
        let peer = |role: Role, end: &End, now| Peer::new(now, config(role), end.rings.clone());
        self.made += 1;
        self.connections.push(Connection {
            id: self.made,
            peers: [
                Some(peer(Role::Edge, &self.ends[0], self.now)),
                Some(peer(Role::Central, &self.ends[1], self.now)),
            ],
            lines: [line.clone(), line],
        });
    }

    fn packets_and_timers(&mut self) {
        for connection in &mut self.connections {
            for end in [0, 1] {
                while let Some(packet) = connection.lines[1 - end].arrives(self.now) {
                    if let Some(peer) = &mut connection.peers[end] {
                        peer.handle_packet(self.now, packet);
                    }
                }
                if let Some(peer) = &mut connection.peers[end]
                    && peer.poll_timeout().is_some_and(|at| at <= self.now)
                {
                    peer.handle_timeout(self.now);
                }
            }
        }
    }

    /// Lets all machines do what they want to do now.
    fn settle(&mut self) -> Found {
        for number in 0..self.connections.len() {
            for end in [0, 1] {
                loop {
                    self.act(number, end)?;
                    let connection = &mut self.connections[number];
                    let Some(peer) = &mut connection.peers[end] else {
                        break;
                    };
                    let Some(packet) = peer.poll_transmit(self.now, 1200) else {
                        if peer.is_gone() {
                            connection.peers[end] = None;
                        }
                        break;
                    };
                    connection.lines[end].send(self.now, packet, &mut self.chance);
                }
            }
        }
        Ok(())
    }

    fn act(&mut self, number: usize, end: usize) -> Found {
        let id = self.connections[number].id;
        while let Some(action) = self.connections[number].peers[end]
            .as_mut()
            .and_then(Peer::poll_action)
        {
            match action {
                Action::Opened { .. } => {
                    // The first that answers is taken; older ones are told.
                    if end == 0 {
                        for older in 0..number {
                            if let Some(peer) = &mut self.connections[older].peers[0] {
                                peer.close(self.now, Reason::Replaced);
                            }
                        }
                    }
                }
                Action::RingOpen { .. } => {}
                Action::RingShut { ring, shut } => {
                    return Err(format!(
                        "ring {ring} was shut at {}: {shut:?}",
                        end_name(end)
                    ));
                }
                Action::Fence { ring, fence } => {
                    return Err(format!(
                        "ring {ring} was fenced at {}: {fence}",
                        end_name(end)
                    ));
                }
                Action::Adopt { .. } => return Err("an epoch was to be adopted".into()),
                Action::Store { ring, parcels } => {
                    let at = self.now + Duration::from_micros(self.chance.below(8000));
                    self.works.push((at, Work::Store(id, end, ring, parcels)));
                }
                Action::Outcomes { ring, told } => {
                    let at = self.now + Duration::from_micros(self.chance.below(8000));
                    self.works.push((at, Work::Keep(id, end, ring, told)));
                }
                Action::Repair {
                    ring,
                    sequence,
                    parcel,
                } => {
                    let done = at_once(self.ends[end].rings[ring].repair(sequence, parcel));
                    self.tell(|| {
                        format!(
                            "message {sequence} of way {ring} repaired at {}: {done:?}",
                            end_name(end)
                        )
                    });
                    match done {
                        Ok(()) | Err(StoreError::Misstep(_)) => {
                            if let Some(peer) = &mut self.connections[number].peers[end] {
                                peer.repaired(self.now, ring, sequence);
                            }
                            self.changed(end, ring);
                        }
                        Err(_) => self.power_fails(end),
                    }
                }
                Action::Lost { ring, sequence } => {
                    self.tell(|| {
                        format!(
                            "{} declares message {sequence} of way {ring} lost",
                            end_name(end)
                        )
                    });
                    if !self.ways[ring].damaged.contains(&sequence) {
                        return Err(format!(
                            "message {sequence} of way {ring} was declared lost and is not"
                        ));
                    }
                    self.ways[ring].lost.insert(sequence);
                }
                Action::BadChecksum { ring, sequence } => {
                    return Err(format!(
                        "message {sequence} of way {ring} came with a wrong checksum"
                    ));
                }
                Action::Closed { reason, .. } => {
                    self.tell(|| format!("connection closed at {}: {reason}", end_name(end)));
                    let expected = matches!(reason, Reason::Silence(_) | Reason::Replaced);
                    if !expected {
                        return Err(format!("{} closed the connection: {reason}", end_name(end)));
                    }
                }
            }
        }
        Ok(())
    }

    fn machine(&mut self, id: usize, end: usize) -> Option<&mut Peer<Ring>> {
        let connection = self.connections.iter_mut().find(|it| it.id == id)?;
        connection.peers[end].as_mut()
    }

    /// All machines of an end hear that a ring changed.
    fn changed(&mut self, end: usize, ring: usize) {
        for connection in &mut self.connections {
            if let Some(peer) = &mut connection.peers[end] {
                peer.ring_changed(self.now, ring);
            }
        }
    }

    /// Stores and keeps that have come to their end.
    fn work(&mut self) -> Found {
        let now = self.now;
        let mut n = 0;
        while n < self.works.len() {
            if self.works[n].0 > self.now {
                n += 1;
                continue;
            }
            match self.works.remove(n).1 {
                Work::Store(id, end, ring, parcels) => {
                    let sequences: Vec<Sequence> = parcels.iter().map(|it| it.0).collect();
                    match at_once(self.ends[end].rings[ring].store(parcels)) {
                        Ok(taken) => {
                            let mut done = Vec::new();
                            for (sequence, taken) in sequences.into_iter().zip(taken) {
                                match taken {
                                    Ok(Taken::New | Taken::Held | Taken::Done) => {
                                        done.push(sequence)
                                    }
                                    Ok(Taken::Pending) => return Err("a store is pending".into()),
                                    Err(why) => {
                                        return Err(format!("the mirror refused a message: {why}"));
                                    }
                                }
                            }
                            if let Some(peer) = self.machine(id, end) {
                                peer.stored(now, ring, &done);
                            }
                            self.changed(end, ring);
                        }
                        Err(StoreError::Failed(_)) => self.power_fails(end),
                        Err(why) => return Err(format!("a store failed: {why}")),
                    }
                    // The list of works may have changed.
                    n = 0;
                }
                Work::Keep(id, end, ring, told) => {
                    let sequences: Vec<Sequence> = told.iter().map(|it| it.0).collect();
                    for (sequence, outcome) in told {
                        self.keep(ring, sequence, outcome)?;
                    }
                    if let Some(peer) = self.machine(id, end) {
                        peer.outcomes_taken(now, ring, &sequences);
                    }
                    self.changed(end, ring);
                }
            }
        }
        Ok(())
    }

    /// The origin's owner keeps how a message ended.
    fn keep(&mut self, ring: usize, sequence: Sequence, outcome: Outcome) -> Found {
        let cuts = self.ends[1 - Self::origin(ring)].power_cuts;
        let way = &mut self.ways[ring];
        let decided = way.decided.get(&sequence);
        let right = match &outcome {
            // The record was lost with the power.
            Outcome::Doubtful => cuts > 0 && decided.is_some(),
            Outcome::Lost => way.lost.contains(&sequence),
            other => decided == Some(other),
        };
        if !right {
            return Err(format!(
                "message {sequence} of way {ring} is said to have ended as {outcome:?}, and it was {decided:?}"
            ));
        }
        way.kept.insert(sequence, outcome);
        Ok(())
    }

    /// The source brings its next message, as an SMSC does: again if it heard no answer.
    fn offer(&mut self, ring: usize) {
        let end = Self::origin(ring);
        let way = &self.ways[ring];
        if !self.ends[end].is_up() || way.accepted >= way.total || way.next_offer > self.now {
            return;
        }
        let pause = self.pace_us / 2 + self.chance.below(self.pace_us);
        let number = self.ways[ring].accepted + 1;
        let octets = self.chance.below(130) as usize;
        let origin = &self.ends[end].rings[ring];
        let known = origin.look(|array| array.recent_keys().take(4).any(|it| it == key(number)));
        let stored = if known {
            Ok(Sequence::NONE)
        } else {
            at_once(origin.append(parcel(ring, number, octets)))
        };
        self.ways[ring].next_offer = self.now + Duration::from_micros(pause);
        match stored {
            Ok(_) => {
                self.ways[ring].accepted = number;
                self.changed(end, ring);
            }
            Err(StoreError::Full(_)) => {
                self.ways[ring].next_offer = self.now + Duration::from_micros(pause + 20_000);
            }
            Err(_) => self.power_fails(end),
        }
    }

    /// The goal takes the mirror's next message.
    fn hand_on(&mut self, ring: usize) -> Found {
        let end = 1 - Self::origin(ring);
        if !self.ends[end].is_up() || self.ways[ring].next_hand_on > self.now {
            return Ok(());
        }
        let mirror = self.ends[end].rings[ring].clone();
        let Some(sequence) = mirror.look(Array::next_to_process) else {
            return Ok(());
        };
        let pause = self.chance.below(self.pace_us);
        self.ways[ring].next_hand_on = self.now + Duration::from_micros(pause);
        let parcel = mirror.look(|array| array.get(sequence).cloned());
        let parcel = parcel.expect("what is next has content");
        if is_lost_placeholder(&parcel) {
            return Ok(());
        }
        let number = number_of(ring, &parcel)?;
        self.arrive(ring, end, sequence, number)?;
        let outcome = match number % 5 {
            0 => {
                Outcome::Accepted(SmscId::new(format!("id-{number}").into_bytes().into()).unwrap())
            }
            1 => Outcome::Refused(Refusal::new(Some(number as u32), "no")),
            _ => Outcome::Accepted(SmscId::NONE),
        };
        self.ways[ring].decided.insert(sequence, outcome.clone());
        let done = mirror.process_with(sequence, outcome);
        done.map_err(|why| format!("processing failed: {why}"))?;
        self.changed(end, ring);
        Ok(())
    }

    /// A message is at its goal: once, in order.
    fn arrive(&mut self, ring: usize, end: usize, sequence: Sequence, number: u64) -> Found {
        let cuts = self.ends[end].power_cuts;
        let way = &mut self.ways[ring];
        let before = way.handed.insert(number, cuts);
        if let Some(before) = before {
            // The goal knows it by its number; the mark was lost with the power, and only so.
            return if before < cuts {
                Ok(())
            } else {
                Err(format!(
                    "message {number} of way {ring} came to its goal twice"
                ))
            };
        }
        // Sources number without a gap, and so do rings, as long as nothing is lost.
        let gap = number - way.arrived.min(number);
        let lost = way.lost.len() as u64;
        if number <= way.arrived || gap > 1 + lost {
            return Err(format!(
                "message {number} of way {ring} ({sequence:?}) came to its goal after {}",
                way.arrived
            ));
        }
        way.arrived = number;
        Ok(())
    }

    /// What lies at both ends is the same (G7).
    fn check_mirrors(&self) -> Found {
        if !self.ends.iter().all(End::is_up) {
            return Ok(());
        }
        for ring in 0..self.ways.len() {
            let origin = &self.ends[Self::origin(ring)].rings[ring];
            let mirror = &self.ends[1 - Self::origin(ring)].rings[ring];
            assert_eq!(origin.look(Array::side), Side::Origin);
            origin.look(|here| {
                mirror.look(|there| {
                    let first = here.marks().processed.up_to();
                    for sequence in (1..=SLOTS).map(|step| first.plus(step)) {
                        let (Some(ours), Some(theirs)) = (here.get(sequence), there.get(sequence))
                        else {
                            continue;
                        };
                        let same = ours.octets() == theirs.octets()
                            && ours.checksum() == theirs.checksum()
                            && ours.retrieved_at == theirs.retrieved_at;
                        if !same && !is_lost_placeholder(theirs) {
                            return Err(format!(
                                "message {sequence} of way {ring} differs at both ends"
                            ));
                        }
                    }
                    // The mirror cannot know of anything that its origin does not hold.
                    if there.accepted() > here.marks().retrieved.highest() {
                        return Err(format!("the mirror of way {ring} is ahead of its origin"));
                    }
                    if !here.marks().processed.up_to().is_none()
                        && here.marks().processed.up_to() > there.marks().retrieved.up_to()
                    {
                        return Err(format!(
                            "way {ring}: processed at the origin and never at the mirror"
                        ));
                    }
                    Ok(())
                })
            })?;
        }
        Ok(())
    }

    /// All is at its goal, and both ends say the same.
    fn check_end(&self) -> Found {
        self.check_mirrors()?;
        for (ring, way) in self.ways.iter().enumerate() {
            let lost = way
                .lost
                .iter()
                .filter(|it| way.kept.get(it) == Some(&Outcome::Lost))
                .count();
            let handed = way.handed.len();
            if (handed + lost) as u64 != way.total {
                return Err(format!(
                    "way {ring}: {handed} of {} came to their goal, {lost} are lost",
                    way.total
                ));
            }
            let origin = self.ends[Self::origin(ring)].rings[ring].look(|array| *array.marks());
            let mirror = self.ends[1 - Self::origin(ring)].rings[ring].look(|array| *array.marks());
            if origin.processed != mirror.processed || way.kept.len() as u64 != way.total {
                return Err(format!(
                    "way {ring} ends differently: {origin:?} and {mirror:?}, {} outcomes",
                    way.kept.len()
                ));
            }
        }
        Ok(())
    }
}

const fn end_name(end: usize) -> &'static str {
    if end == 0 { "the edge" } else { "central" }
}
