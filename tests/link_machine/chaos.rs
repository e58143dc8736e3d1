//! Any order of events at two ends of a link, made of any octets, hostile ones among them; and what must hold whatever
//! they are. A property test and the fuzz target share it.
//!
//! As long as nothing hostile was sent, no connection may close but for silence, and in the end all that was offered has
//! to be at its goal. After something hostile nothing of that holds, but no ring may be harmed: pointers never run back,
//! what an origin holds stays what it took, and a mirror stores only what its checksum fits.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use sluice::clock::{Moment, WallTime};
use sluice::codec::checksum::crc32c;
use sluice::lane::{Direction, Epoch, SLOTS, Sequence, Side};
use sluice::link::frame::Frame;
use sluice::link::packet::{self, Hello, MAX_PACKET};
use sluice::link::{Action, Peer, Reason, RingView, Role, is_lost_placeholder};
use sluice::message::{DeliveryKey, Outcome, Refusal, SmscId};
use sluice::ring::page::{Broken, Found, Slot, State};
use sluice::ring::recovery::{Evidence, recover};
use sluice::ring::{Array, Mark, Marks, Parcel};

use crate::support::link::{BareRing, config, ring_name};

mod dice;

use dice::{Dice, invented};

/// Packets on the line, each way; more are lost.
const MOST_FLYING: usize = 64;
/// Packets that a machine may send in one moment: a window of the longest messages, and what is said of it.
const MOST_AT_ONCE: usize = 4000;
/// Rings of an end: MO and MT of one lane.
const RINGS: usize = 2;

/// What a driver has still to answer.
enum Work {
    Store(usize, Vec<(Sequence, Parcel)>),
    Keep(usize, Vec<Sequence>),
    Repair(usize, Sequence, Parcel),
}

struct World {
    now: Moment,
    peers: [Peer<BareRing>; 2],
    rings: [Vec<BareRing>; 2],
    /// To each end.
    lines: [VecDeque<Bytes>; 2],
    works: [VecDeque<Work>; 2],
    /// What each ring's origin took.
    offered: [BTreeMap<Sequence, Parcel>; RINGS],
    outcomes: [BTreeMap<Sequence, Outcome>; RINGS],
    before: Vec<Marks>,
    /// Something hostile was sent.
    hostile: bool,
    /// The highest packet number that an end was sent.
    numbers: [u64; 2],
    count: u64,
}

const fn origin_of(ring: usize) -> usize {
    ring % 2
}

fn parcel(number: u64, length: usize) -> Parcel {
    let mut item = vec![b'.'; length.max(8)];
    item[..8].copy_from_slice(&number.to_le_bytes());
    let sum = crc32c(&item);
    let at = WallTime::from_unix_ms(1_795_248_785_000 + number);
    Parcel::received(item.into(), sum, at, DeliveryKey::NONE).expect("the sum was made of it")
}

fn up_to(number: u64) -> Mark {
    let mut mark = Mark::default();
    mark.raise(Sequence::new(number));
    mark
}

/// A ring as recovery makes it: processed up to here, held up to there, some of it damaged.
fn recovered(side: Side, direction: Direction, processed: u64, held: u64, bad: &[u64]) -> BareRing {
    let confirmed = if side == Side::Mirror {
        held
    } else {
        processed
    };
    let marks = Marks {
        retrieved: up_to(held),
        sent: up_to(held),
        confirmed: up_to(confirmed),
        processed: up_to(processed),
        ..Marks::default()
    };
    let mut slots: Vec<Found> = (0..SLOTS).map(|_| Found::Empty).collect();
    // Slots of messages that are done may hold anything.
    for number in processed + 1..=held {
        let sequence = Sequence::new(number);
        slots[sequence.address().index()] = if number > processed && bad.contains(&number) {
            Found::Broken(Broken::Checksum)
        } else {
            Found::Slot(Slot {
                sequence,
                marks,
                parcel: parcel(number, 20),
            })
        };
    }
    let recovered = recover(Evidence {
        side,
        epoch: Epoch::new(1000).expect("not zero"),
        states: [
            Some(State {
                number: 1,
                clean: false,
                fence: None,
                marks,
            }),
            None,
        ],
        live: None,
        slots,
    });
    assert_eq!(recovered.fence, None);
    BareRing::with(ring_name("lane-0", direction, side), recovered.array)
}

fn connected(now: Moment, rings: &[Vec<BareRing>; 2]) -> [Peer<BareRing>; 2] {
    [
        Peer::new(now, config(Role::Edge), rings[0].clone()),
        Peer::new(now, config(Role::Central), rings[1].clone()),
    ]
}

/// Plays what the octets say.
pub(crate) fn run(octets: &[u8]) {
    let mut dice = Dice(octets);
    let mut world = World::new(&mut dice);
    world.settle();
    while !dice.0.is_empty() {
        world.step(&mut dice);
        world.settle();
        world.check();
    }
    if world.hostile {
        world.check_contents();
        // To describe a machine takes longer than a short run.
        if octets.len() > 200 {
            world.check_size();
        }
    } else {
        world.finish();
    }
}

impl World {
    fn new(dice: &mut Dice<'_>) -> Self {
        let start = dice.octet();
        let rings = [0, 1].map(|end| {
            [Direction::Mo, Direction::Mt]
                .into_iter()
                .enumerate()
                .map(|(ring, direction)| {
                    let side = if origin_of(ring) == end {
                        Side::Origin
                    } else {
                        Side::Mirror
                    };
                    // One start in four lies behind a few laps, and of those every other has damaged slots.
                    let (processed, held) = match start % 4 {
                        0 => (600, 610 + u64::from(start / 16)),
                        _ => (0, 0),
                    };
                    let bad: &[u64] = match (start % 8, side) {
                        (4, Side::Origin) => &[602, 605],
                        (4, Side::Mirror) => &[603, 605],
                        _ => &[],
                    };
                    match held {
                        0 => BareRing::new(ring_name("lane-0", direction, side), 1000),
                        _ => recovered(side, direction, processed, held, bad),
                    }
                })
                .collect()
        });
        let now = Moment::from_micros(1_000_000);
        let mut world = Self {
            now,
            peers: connected(now, &rings),
            rings,
            lines: Default::default(),
            works: Default::default(),
            offered: Default::default(),
            outcomes: Default::default(),
            before: Vec::new(),
            hostile: false,
            numbers: [0; 2],
            count: 10_000,
        };
        for ring in 0..RINGS {
            let held = world.rings[origin_of(ring)][ring].look(|array| {
                let marks = array.marks();
                let (from, to) = (marks.processed.up_to().get(), marks.retrieved.up_to().get());
                from + 1..=to
            });
            world.offered[ring] = held.map(|n| (Sequence::new(n), parcel(n, 20))).collect();
        }
        world.before = world.marks();
        world
    }

    fn marks(&self) -> Vec<Marks> {
        let rings = self.rings.iter().flatten();
        rings
            .map(|ring| ring.look(|array| *array.marks()))
            .collect()
    }

    fn step(&mut self, dice: &mut Dice<'_>) {
        let choice = dice.octet();
        let end = usize::from(choice >> 7);
        match choice % 24 {
            0..=3 => self.deliver(end, 0),
            4 => {
                let place = dice.below(self.lines[end].len());
                self.deliver(end, place);
            }
            5 => {
                // Doubled.
                let place = dice.below(self.lines[end].len());
                if let Some(packet) = self.lines[end].get(place).cloned() {
                    self.lines[end].push_back(packet);
                    self.deliver(end, place);
                }
            }
            6 => {
                let place = dice.below(self.lines[end].len());
                let _lost = self.lines[end].remove(place);
            }
            7..=9 => {
                let length = usize::from(dice.octet());
                let length = if length == 255 { 3000 } else { length };
                self.offer(end, length);
            }
            10 | 11 => self.work(end, dice.octet() == 255),
            12 => self.hand_on(1 - end, dice),
            13 => {
                let ms = [0, 1, 20, 300, 700, 2500, 10_000, 60_000][dice.below(8)];
                self.passes(Duration::from_millis(ms));
            }
            14 | 15 => {
                // To the next thing that a machine waits for.
                if let Some(next) = self.peers[end].poll_timeout() {
                    self.passes(next - self.now);
                }
            }
            16 => self.reconnect(),
            17 => self.hear(end, dice.some(255).to_vec()),
            18 => {
                let number = self.numbers[end] + 1 + dice.below(3) as u64;
                let mut octets = packet::encode_frames(number, &[]);
                octets.extend_from_slice(dice.some(255));
                self.hear(end, octets);
            }
            19 => {
                // A packet that was changed on its way.
                let place = dice.below(self.lines[end].len());
                if let Some(packet) = self.lines[end].remove(place) {
                    let mut octets = packet.to_vec();
                    let at = dice.below(octets.len());
                    octets[at] ^= dice.octet();
                    if dice.octet() > 200 {
                        octets.truncate(at);
                    }
                    self.hear(end, octets);
                }
            }
            20..=22 => {
                let frames: Vec<Frame> = (0..=dice.below(3))
                    .map(|_| invented(&self.rings[end], dice))
                    .collect();
                let number = dice.near(self.numbers[end] + 1).max(1);
                self.hear(end, packet::encode_frames(number, &frames));
            }
            _ => {
                let hello = Hello {
                    lowest: dice.octet() % 3,
                    highest: dice.octet() % 3,
                    role: dice.octet() % 4,
                    instance: 1,
                    identity: ["oslo", "central", ""][dice.below(3)].into(),
                    program: String::new(),
                };
                self.hear(end, hello.encode());
            }
        }
    }

    /// Something hostile comes to an end.
    fn hear(&mut self, end: usize, octets: Vec<u8>) {
        self.hostile = true;
        self.peers[end].handle_packet(self.now, octets.into());
    }

    fn deliver(&mut self, end: usize, place: usize) {
        if let Some(packet) = self.lines[end].remove(place) {
            if let Ok(packet::Packet::Frames { number, .. }) = packet::decode(packet.clone()) {
                self.numbers[end] = self.numbers[end].max(number);
            }
            self.peers[end].handle_packet(self.now, packet);
        }
    }

    fn offer(&mut self, end: usize, length: usize) {
        let ring = end;
        self.count += 1;
        let parcel = parcel(self.count, length);
        let origin = &self.rings[end][ring];
        if origin.append(parcel.clone()) {
            let sequence = origin.look(Array::accepted);
            self.offered[ring].insert(sequence, parcel);
            self.peers[end].ring_changed(self.now, ring);
        }
    }

    /// The driver's oldest work is done, or failed.
    fn work(&mut self, end: usize, fails: bool) {
        match self.works[end].pop_front() {
            None => {}
            Some(Work::Store(ring, parcels)) => {
                let sequences: Vec<Sequence> = parcels.iter().map(|it| it.0).collect();
                if fails {
                    self.peers[end].not_stored(self.now, ring, &sequences);
                    return;
                }
                for (sequence, parcel) in parcels {
                    let stored = self.rings[end][ring].store(sequence, parcel);
                    stored.expect("the machine asks only for what the ring can take");
                }
                self.peers[end].stored(self.now, ring, &sequences);
            }
            Some(Work::Keep(ring, sequences)) => {
                self.peers[end].outcomes_taken(self.now, ring, &sequences);
            }
            Some(Work::Repair(ring, sequence, parcel)) => {
                self.rings[end][ring].change(|array| {
                    // How it ended may have been kept meanwhile: then nothing is left to repair.
                    let ended = array.flags(sequence).processed;
                    let repaired = array.repair(sequence, parcel);
                    assert!(
                        repaired.is_ok() || ended,
                        "the machine repairs only what is damaged: {repaired:?}"
                    );
                });
                self.peers[end].ring_changed(self.now, ring);
            }
        }
    }

    fn hand_on(&mut self, end: usize, dice: &mut Dice<'_>) {
        let ring = 1 - end;
        let mirror = self.rings[end][ring].clone();
        for _ in 0..=dice.below(20) {
            let Some(sequence) = mirror.look(Array::next_to_process) else {
                break;
            };
            if mirror.look(|array| array.get(sequence).is_some_and(is_lost_placeholder)) {
                break;
            }
            let outcome = match dice.octet() {
                250.. => Outcome::Refused(Refusal::new(None, "no")),
                _ => Outcome::Accepted(SmscId::NONE),
            };
            let done = mirror.process_with(sequence, outcome);
            done.expect("what is next can be processed");
        }
        self.peers[end].ring_changed(self.now, ring);
    }

    fn passes(&mut self, time: Duration) {
        self.now = self.now + time;
        for peer in &mut self.peers {
            peer.handle_timeout(self.now);
        }
    }

    /// New machines over the same rings; what the old ones asked for is done or not, and nobody is told.
    fn reconnect(&mut self) {
        for end in [0, 1] {
            self.lines[end].clear();
            for work in self.works[end].drain(..) {
                if let Work::Store(ring, parcels) = work {
                    for (sequence, parcel) in parcels {
                        let stored = self.rings[end][ring].store(sequence, parcel);
                        stored.expect("the machine asks only for what the ring can take");
                    }
                }
            }
        }
        self.peers = connected(self.now, &self.rings);
        self.numbers = [0; 2];
    }

    /// Both ends do all they want to do now.
    fn settle(&mut self) {
        for end in [0, 1] {
            for turn in 0.. {
                assert!(turn < MOST_AT_ONCE, "it never stops sending");
                while let Some(action) = self.peers[end].poll_action() {
                    self.act(end, action);
                }
                let Some(packet) = self.peers[end].poll_transmit(self.now, usize::MAX) else {
                    break;
                };
                assert!(packet.len() <= MAX_PACKET);
                let there = &mut self.lines[1 - end];
                if there.len() < MOST_FLYING {
                    there.push_back(packet);
                }
            }
        }
    }

    fn act(&mut self, end: usize, action: Action) {
        match action {
            Action::Store { ring, parcels } => {
                assert!(parcels.len() <= SLOTS as usize);
                self.works[end].push_back(Work::Store(ring, parcels));
            }
            Action::Outcomes { ring, told } => {
                let sequences = told.iter().map(|told| told.0).collect();
                for (sequence, outcome) in told {
                    self.outcomes[ring].insert(sequence, outcome);
                }
                self.works[end].push_back(Work::Keep(ring, sequences));
            }
            Action::Repair {
                ring,
                sequence,
                parcel,
            } => self.works[end].push_back(Work::Repair(ring, sequence, parcel)),
            Action::Fence { .. } | Action::BadChecksum { .. } | Action::Adopt { .. } => {
                assert!(self.hostile, "{action:?} among honest ends");
            }
            Action::RingShut { ring, shut } => {
                assert!(self.hostile, "ring {ring} was shut: {shut:?}");
            }
            Action::Closed { reason, .. } => {
                let expected = matches!(reason, Reason::Silence(_));
                assert!(expected || self.hostile, "closed: {reason}");
            }
            Action::Opened { .. } | Action::RingOpen { .. } | Action::Lost { .. } => {}
        }
    }

    fn check(&mut self) {
        let marks = self.marks();
        for (now, before) in marks.iter().zip(&self.before) {
            assert!(now.are_in_order(), "{now:?}");
            for (now, before) in [
                (now.retrieved, before.retrieved),
                (now.sent, before.sent),
                (now.confirmed, before.confirmed),
                (now.processed, before.processed),
            ] {
                assert!(now.up_to() >= before.up_to(), "{before:?} became {now:?}");
            }
        }
        self.before = marks;
    }

    /// What lies at both ends is what was offered.
    fn check_contents(&self) {
        for ring in 0..RINGS {
            for (end, rings) in self.rings.iter().enumerate() {
                let is_origin = end == origin_of(ring);
                if self.hostile && !is_origin {
                    continue;
                }
                rings[ring].look(|array| {
                    for (&sequence, parcel) in &self.offered[ring] {
                        let Some(held) = array.get(sequence) else {
                            continue;
                        };
                        let same = held.octets() == parcel.octets();
                        assert!(
                            same || is_lost_placeholder(held),
                            "{sequence:?} was changed"
                        );
                    }
                });
            }
        }
    }

    /// Whatever came, a machine has not grown beyond what its rings hold.
    fn check_size(&self) {
        for peer in &self.peers {
            let size = format!("{peer:?}").len();
            assert!(
                size < 2_000_000,
                "a machine of {size} octets of description"
            );
        }
    }

    /// The line is good from now on: all comes to its goal.
    fn finish(&mut self) {
        for _ in 0..4000 {
            self.settle();
            for end in [0, 1] {
                while !self.works[end].is_empty() {
                    self.work(end, false);
                }
                self.hand_on(end, &mut Dice(&[19]));
            }
            let is_done = self
                .rings
                .iter()
                .flatten()
                .all(|ring| ring.look(Array::is_idle));
            if is_done {
                return self.check_contents();
            }
            self.settle();
            if self.lines.iter().all(VecDeque::is_empty) {
                // Who has closed, for silence, is followed by the next connection.
                if !self
                    .peers
                    .iter()
                    .all(|peer| peer.is_open() || peer.poll_timeout().is_some())
                {
                    self.reconnect();
                    continue;
                }
                let next = self.peers.iter().filter_map(Peer::poll_timeout).min();
                self.now = self.now.max(next.expect("some timer runs"));
                for peer in &mut self.peers {
                    peer.handle_timeout(self.now);
                }
            }
            // A millisecond each way.
            self.now = self.now + Duration::from_millis(1);
            for end in [0, 1] {
                for _ in 0..self.lines[end].len() {
                    self.deliver(end, 0);
                }
            }
        }
        panic!("it never settled: {:#?}", self.marks());
    }
}
