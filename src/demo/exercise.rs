//! `sluice ring exercise`: messages go round rings, and each step that is acknowledged is told in a line.
//!
//! Each lane has both its ends in one file: an origin that takes messages, and the mirror that they are carried to.
//! Three tasks a lane play source, link and far end; each makes its steps one after the other and tells a step before
//! it makes the next. So whoever kills the process knows of each ring and flag all that was done but the one step
//! that was being made.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::DemoError;
use super::chance::Chance;
use super::contents;
use crate::clock::Clock;
use crate::lane::{Direction, Lane, RingName, Sequence, Side};
use crate::ring::{Array, Ring, RingFile, Taken};

/// The most messages that are stored with one call, and so the most that may be stored and not yet told.
pub const LARGEST_BATCH: u64 = 8;

/// How often the number of syncs is told.
const TELL_SYNCS: Duration = Duration::from_millis(50);

/// How long the far end may hold back to let a ring fill.
const LONGEST_HOLD: Duration = Duration::from_millis(20);

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Exercise {
    /// How many lanes.
    pub lanes: u16,
    /// Where chance begins.
    pub seed: u64,
    /// Messages a second and lane; as fast as possible if none.
    pub rate: Option<u32>,
    /// Stop in order after so many on each lane; never if none.
    pub messages: Option<u64>,
}

/// Where the lines go; an error ends the exercise.
pub type Tell = Arc<dyn Fn(&str) -> io::Result<()> + Send + Sync>;

/// The rings of an exercise: of each lane the origin, then the mirror.
pub fn rings(lanes: u16) -> Vec<RingName> {
    (1..=lanes)
        .flat_map(|number| {
            let lane = Lane::new("exercise", &number.to_string()).expect("a number is a name");
            // Both directions are exercised; they do not differ to a ring.
            let direction = match number % 2 {
                1 => Direction::Mo,
                _ => Direction::Mt,
            };
            [Side::Origin, Side::Mirror].map(|side| RingName::new(lane.clone(), direction, side))
        })
        .collect()
}

/// Opens or makes the file and exercises its rings.
pub fn run(path: &Path, exercise: Exercise, tell: Tell) -> Result<(), DemoError> {
    let names = rings(exercise.lanes);
    let opened = RingFile::open_or_create(path, &names)?;
    let telling = |line: &str| tell(line).map_err(DemoError::Telling);
    telling("opened")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()
        .map_err(DemoError::io("starting the runtime"))?;
    let file = opened.file;
    runtime.block_on(async {
        let mut beside = JoinSet::new();
        let idle = file.clone();
        beside.spawn(async move { DemoError::File(idle.flush_when_idle().await) });
        let (counted, counting) = (file.clone(), tell.clone());
        beside.spawn(async move {
            loop {
                tokio::time::sleep(TELL_SYNCS).await;
                if let Err(why) = counting(&format!("syncs {}", counted.syncs())) {
                    return DemoError::Telling(why);
                }
            }
        });
        let mut lanes = JoinSet::new();
        for (pair, number) in names.chunks_exact(2).zip(0..) {
            let ring = |name: &RingName| file.ring(name).expect("it was opened or made");
            let ends = Ends {
                origin: ring(&pair[0]),
                mirror: ring(&pair[1]),
                tell: tell.clone(),
            };
            lanes.spawn(ends.run(exercise, number));
        }
        loop {
            tokio::select! {
                Some(ended) = lanes.join_next() => ended.map_err(broken_off)??,
                Some(ended) = beside.join_next() => return Err(ended.map_err(broken_off)?),
                else => break,
            }
            if lanes.is_empty() {
                break;
            }
        }
        Ok(())
    })?;
    telling(&format!("syncs {}", file.syncs()))?;
    runtime.block_on(file.close()).map_err(DemoError::File)?;
    telling("closed")
}

fn broken_off(why: tokio::task::JoinError) -> DemoError {
    DemoError::Ended(why.to_string())
}

/// Both ends of a lane.
#[derive(Clone)]
struct Ends {
    origin: Ring,
    mirror: Ring,
    tell: Tell,
}

impl Ends {
    async fn run(self, exercise: Exercise, number: u64) -> Result<(), DemoError> {
        let chance = |part: u64| Chance::new(exercise.seed ^ (number << 8 | part).rotate_left(40));
        let mut others = JoinSet::new();
        others.spawn(self.clone().link(chance(1)));
        others.spawn(self.clone().far_end(chance(2)));
        let all_processed = async {
            self.source(exercise, chance(0)).await?;
            let mut changes = self.origin.changes();
            while !self.origin.look(Array::is_idle) {
                changed(&mut changes).await;
            }
            Ok(())
        };
        tokio::select! {
            done = all_processed => done,
            Some(ended) = others.join_next() => ended.map_err(broken_off)?,
        }
    }

    fn say(&self, step: &str, ring: &Ring, sequence: Sequence) -> Result<(), DemoError> {
        (self.tell)(&format!("{step} {} {sequence}", ring.name())).map_err(DemoError::Telling)
    }

    /// The SMSC: it hands over messages, mostly one at a time.
    async fn source(&self, exercise: Exercise, mut chance: Chance) -> Result<(), DemoError> {
        let ring = &self.origin;
        let lane = &ring.name().lane;
        let clock = Clock::system();
        let mut ticks = exercise.rate.map(|rate| {
            let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        let mut left = exercise.messages.unwrap_or(u64::MAX);
        while left > 0 {
            if let Some(ticks) = &mut ticks {
                ticks.tick().await;
            }
            ring.room().await;
            let most = ring.look(Array::room).clamp(1, LARGEST_BATCH).min(left);
            let count = match ticks.is_none() && chance.percent(20) {
                true => 1 + chance.below(most),
                false => 1,
            };
            left -= count;
            let first = ring.look(Array::accepted).next();
            let numbers = (0..count).map(|step| first.plus(step));
            let parcels = numbers
                .clone()
                .map(|sequence| contents::parcel(lane, sequence, clock.wall()))
                .collect();
            let given = ring
                .append_all(parcels)
                .await
                .map_err(|why| DemoError::Store {
                    ring: ring.name().clone(),
                    why,
                })?;
            for (given, expected) in given.into_iter().zip(numbers) {
                if given != expected {
                    return Err(DemoError::Number {
                        ring: ring.name().clone(),
                        given,
                        expected,
                    });
                }
                self.say("retrieved", ring, given)?;
            }
        }
        Ok(())
    }

    /// The link: carries messages to the mirror in any order, and confirmations back in any other.
    async fn link(self, mut chance: Chance) -> Result<(), DemoError> {
        let mut changes = self.origin.changes();
        let wrong = DemoError::misstep(self.origin.name());
        let wrong_there = DemoError::misstep(self.mirror.name());
        loop {
            changes.borrow_and_update();
            while let Some(sequence) = self.origin.look(Array::next_to_send) {
                if self.origin.mark_sent(sequence).map_err(&wrong)? {
                    self.say("sent", &self.origin, sequence)?;
                }
                if chance.percent(30) {
                    break;
                }
            }
            let mut under_way: Vec<_> = self.origin.look(|array| {
                array
                    .unconfirmed()
                    .filter_map(|sequence| Some((sequence, array.get(sequence)?.clone())))
                    .collect()
            });
            if under_way.is_empty() {
                changed(&mut changes).await;
                continue;
            }
            chance.shuffle(&mut under_way);
            under_way.truncate(1 + chance.below(LARGEST_BATCH) as usize);
            let mut numbers: Vec<Sequence> = under_way.iter().map(|(number, _)| *number).collect();
            let taken = self
                .mirror
                .store(under_way)
                .await
                .map_err(|why| DemoError::Store {
                    ring: self.mirror.name().clone(),
                    why,
                })?;
            for (taken, &sequence) in taken.into_iter().zip(&numbers) {
                if taken.map_err(&wrong_there)? == Taken::New {
                    self.say("retrieved", &self.mirror, sequence)?;
                }
            }
            chance.shuffle(&mut numbers);
            for sequence in numbers {
                if self.mirror.confirm(sequence).map_err(&wrong_there)? {
                    self.say("confirmed", &self.mirror, sequence)?;
                }
                if self.origin.confirm(sequence).map_err(&wrong)? {
                    self.say("confirmed", &self.origin, sequence)?;
                }
            }
            tokio::task::yield_now().await;
        }
    }

    /// The far end: passes messages on in any order, and tells so in any other. Now and then it holds back until the
    /// ring is full.
    async fn far_end(self, mut chance: Chance) -> Result<(), DemoError> {
        let lane = &self.origin.name().lane;
        let mut near = self.origin.changes();
        let mut far = self.mirror.changes();
        let wrong = DemoError::misstep(self.origin.name());
        let wrong_there = DemoError::misstep(self.mirror.name());
        loop {
            near.borrow_and_update();
            far.borrow_and_update();
            let mut waiting = self.mirror.look(confirmed_only);
            let mut known: Vec<Sequence> = self.origin.look(confirmed_only);
            self.mirror
                .look(|array| known.retain(|&sequence| array.flags(sequence).processed));
            if waiting.is_empty() && known.is_empty() {
                tokio::select! {
                    () = changed(&mut near) => {}
                    () = changed(&mut far) => {}
                }
                continue;
            }
            if chance.percent(2) {
                // A ring that does not fill in that time is as good as one that does.
                let _full_or_not = tokio::time::timeout(LONGEST_HOLD, self.full()).await;
            }
            chance.shuffle(&mut waiting);
            waiting.truncate(1 + chance.below(16) as usize);
            for sequence in waiting {
                let outcome = contents::outcome(lane, sequence);
                let fresh = self.mirror.process_with(sequence, outcome);
                if fresh.map_err(&wrong_there)? {
                    self.say("processed", &self.mirror, sequence)?;
                }
            }
            chance.shuffle(&mut known);
            for sequence in known {
                if self.origin.process(sequence).map_err(&wrong)? {
                    self.say("processed", &self.origin, sequence)?;
                }
            }
            tokio::task::yield_now().await;
        }
    }

    async fn full(&self) {
        let mut changes = self.origin.changes();
        while self.origin.look(Array::room) > 0 {
            changed(&mut changes).await;
        }
    }
}

/// What is confirmed and not processed.
fn confirmed_only(array: &Array) -> Vec<Sequence> {
    let processed = array.marks().processed.up_to();
    (1..=array.accepted().since(processed))
        .map(|step| processed.plus(step))
        .filter(|&sequence| {
            let flags = array.flags(sequence);
            flags.confirmed && !flags.processed
        })
        .collect()
}

/// The ring holds the sending end as long as this task holds the ring.
async fn changed(changes: &mut watch::Receiver<()>) {
    changes.changed().await.expect("its ring is still held");
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn an_exercise_that_is_limited_ends_with_empty_rings_and_tells_every_step() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rings");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let heard = lines.clone();
        let exercise = Exercise {
            lanes: 2,
            seed: 7,
            rate: None,
            messages: Some(600),
        };
        let tell: Tell = Arc::new(move |line: &str| {
            heard.lock().unwrap().push(line.to_owned());
            Ok(())
        });
        run(&path, exercise, tell).unwrap();
        let lines = lines.lock().unwrap();
        for (step, side) in [
            ("retrieved", "origin"),
            ("sent", "origin"),
            ("confirmed", "origin"),
            ("processed", "origin"),
            ("retrieved", "mirror"),
            ("confirmed", "mirror"),
            ("processed", "mirror"),
        ] {
            let told = lines
                .iter()
                .filter(|line| line.starts_with(step) && line.contains(side));
            assert_eq!(told.count(), 1200, "{step} {side}");
        }
        assert_eq!(lines.last().map(String::as_str), Some("closed"));
        let opened = RingFile::open(&path).unwrap();
        assert!(opened.rings.iter().all(|report| report.clean));
    }
}
