//! What an exercise told, compared with what its ring file holds after it was killed.
//!
//! Of each ring and flag all that was told must be there, and beyond it nothing but the step that was being made when
//! the kill came. What is found becomes a promise in its turn: it must not be gone the next time.

use std::collections::BTreeMap;

use super::contents;
use super::exercise::LARGEST_BATCH;
use crate::clock::WallTime;
use crate::lane::{RingName, SLOTS, Sequence, Side};
use crate::ring::{Array, Flags, Opened, Report, Ring};

/// What was promised of all rings of a file.
#[derive(Default)]
pub struct Promises {
    rings: BTreeMap<RingName, Promised>,
    /// How often the process was killed since the file was looked at last: each time a step may have been under way.
    kills: u64,
    /// What was told so far.
    pub told: Told,
    broken: Vec<String>,
}

/// Figures of what was told.
#[derive(Clone, Copy, Default, Debug)]
pub struct Told {
    /// Messages that an origin took.
    pub messages: u64,
    /// Messages that a mirror took.
    pub copies: u64,
    /// Steps of all kinds.
    pub steps: u64,
    /// Syncs; behind by those of the last moments before a kill.
    pub syncs: u64,
    /// Syncs of the process that runs now.
    running_syncs: u64,
}

/// What looking at the file showed.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Rings looked at.
    pub rings: usize,
    /// Those whose four pointers stand exactly where the last line told.
    pub exact: usize,
    /// Steps that were done and not yet told.
    pub untold: usize,
    /// What must not be.
    pub broken: Vec<String>,
}

#[derive(Default)]
struct Promised {
    /// All up to here is known to be processed.
    floor: u64,
    /// Flags of the messages behind it.
    flags: BTreeMap<u64, Flags>,
    /// Where the four pointers stood when they were looked at last.
    pointers: [u64; 4],
}

impl Promised {
    fn flags(&self, number: u64) -> Flags {
        if number <= self.floor {
            return Flags {
                retrieved: true,
                sent: true,
                confirmed: true,
                processed: true,
            };
        }
        self.flags.get(&number).copied().unwrap_or_default()
    }

    /// The four pointers as the flags told give them.
    fn pointers(&self, side: Side) -> [u64; 4] {
        let reaches = |has: fn(Flags) -> bool| {
            (self.floor + 1..)
                .take_while(|&number| has(implied(self.flags(number), side)))
                .last()
                .unwrap_or(self.floor)
        };
        [
            reaches(|flags| flags.retrieved),
            reaches(|flags| flags.sent),
            reaches(|flags| flags.confirmed),
            reaches(|flags| flags.processed),
        ]
    }
}

/// A later step says that the earlier ones were made; what is in a mirror was sent.
const fn implied(flags: Flags, side: Side) -> Flags {
    let confirmed = flags.confirmed || flags.processed;
    let sent = flags.sent || confirmed || (matches!(side, Side::Mirror) && flags.retrieved);
    Flags {
        retrieved: flags.retrieved || sent,
        sent,
        confirmed,
        processed: flags.processed,
    }
}

impl Promises {
    /// Takes one line of an exercise.
    pub fn hear(&mut self, line: &str) {
        let mut words = line.split(' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("opened" | "closed"), None, None, None) => {}
            (Some("syncs"), Some(count), None, None) if count.parse::<u64>().is_ok() => {
                self.told.running_syncs = count.parse().unwrap_or_default();
            }
            (Some(step), Some(ring), Some(number), None) => {
                if self.step(step, ring, number).is_none() {
                    self.broken.push(format!("not understood: {line}"));
                }
            }
            _ => self.broken.push(format!("not understood: {line}")),
        }
    }

    fn step(&mut self, step: &str, ring: &str, number: &str) -> Option<()> {
        let name: RingName = ring.parse().ok()?;
        let number = number.parse().ok().filter(|&number| number > 0)?;
        let side = name.side;
        let promised = self.rings.entry(name).or_default();
        let mut flags = promised.flags(number);
        let flag = match step {
            "retrieved" => &mut flags.retrieved,
            "sent" => &mut flags.sent,
            "confirmed" => &mut flags.confirmed,
            "processed" => &mut flags.processed,
            _ => return None,
        };
        if std::mem::replace(flag, true) {
            self.broken
                .push(format!("{ring}: message {number} was {step} twice"));
        }
        if number > promised.floor {
            promised.flags.insert(number, flags);
        }
        self.told.steps += 1;
        match (step, side) {
            ("retrieved", Side::Origin) => self.told.messages += 1,
            ("retrieved", Side::Mirror) => self.told.copies += 1,
            _ => {}
        }
        Some(())
    }

    /// The process that told all this was killed.
    pub const fn killed(&mut self) {
        self.kills += 1;
        self.told.syncs += self.told.running_syncs;
        self.told.running_syncs = 0;
    }

    /// Compares with the file as it was opened. What is found is promised from now on.
    pub fn check(&mut self, opened: &Opened) -> Seen {
        let mut seen = Seen {
            broken: std::mem::take(&mut self.broken),
            ..Seen::default()
        };
        seen.broken.extend(opened.healed.iter().cloned());
        for name in self.rings.keys() {
            if opened.file.ring(name).is_none() {
                seen.broken.push(format!("ring {name} is gone"));
            }
        }
        for report in &opened.rings {
            let ring = opened
                .file
                .ring(&report.name)
                .expect("a reported ring is in its file");
            let promised = self.rings.entry(report.name.clone()).or_default();
            let mut complain = |what: String| {
                seen.broken.push(format!("{}: {what}", report.name));
            };
            condition(report, &mut complain);
            let (untold, exact) = promised.compare(&ring, self.kills, &mut complain);
            if report.name.side == Side::Mirror {
                let origin = RingName {
                    side: Side::Origin,
                    ..report.name.clone()
                };
                if let Some(origin) = opened.file.ring(&origin) {
                    both_ends(&origin, &ring, &mut complain);
                }
            }
            seen.rings += 1;
            seen.untold += untold;
            seen.exact += usize::from(exact);
        }
        self.kills = 0;
        seen
    }
}

/// A kill damages nothing.
fn condition(report: &Report, complain: &mut impl FnMut(String)) {
    if let Some(fence) = report.fence {
        complain(format!("fenced: {fence}"));
    }
    for remark in &report.remarks {
        complain(remark.to_string());
    }
    for note in &report.noted {
        complain(note.clone());
    }
}

impl Promised {
    /// Gives how many steps were found that nobody told, and whether the pointers are exactly as told.
    fn compare(
        &mut self,
        ring: &Ring,
        kills: u64,
        complain: &mut impl FnMut(String),
    ) -> (usize, bool) {
        let side = ring.name().side;
        let told = self.pointers(side);
        let highest = self.flags.keys().next_back().copied().unwrap_or(self.floor);
        let (found, pointers) = ring.look(|array| {
            let last = array.accepted().get().max(highest);
            let found: Vec<(u64, Flags)> = (self.floor + 1..=last)
                .map(|number| (number, array.flags(Sequence::new(number))))
                .collect();
            let marks = array.marks();
            let pointers = [
                marks.retrieved.up_to().get(),
                marks.sent.up_to().get(),
                marks.confirmed.up_to().get(),
                marks.processed.up_to().get(),
            ];
            (found, pointers)
        });

        let mut untold = [0; 4];
        for &(number, found) in &found {
            let promised = implied(self.flags(number), side);
            let pairs = [
                ("retrieved", promised.retrieved, found.retrieved),
                ("sent", promised.sent, found.sent),
                ("confirmed", promised.confirmed, found.confirmed),
                ("processed", promised.processed, found.processed),
            ];
            for ((step, promised, found), untold) in pairs.into_iter().zip(&mut untold) {
                match (promised, found) {
                    (true, false) => {
                        complain(format!("message {number} was told as {step} and is not"));
                    }
                    (false, true) => *untold += 1,
                    (true, true) | (false, false) => {}
                }
            }
        }
        // A mirror's *sent* follows *retrieved*, so it may be ahead by as much.
        let sent = match side {
            Side::Origin => 1,
            Side::Mirror => LARGEST_BATCH,
        };
        let limits = [LARGEST_BATCH, sent, 1, 1];
        let steps = ["retrieved", "sent", "confirmed", "processed"];
        for ((&untold, limit), step) in untold.iter().zip(limits).zip(steps) {
            if untold > limit * kills {
                complain(format!(
                    "{untold} messages are {step} that nobody told of; {} could be",
                    limit * kills
                ));
            }
        }
        for ((now, before), step) in pointers.iter().zip(self.pointers).zip(steps) {
            if *now < before {
                complain(format!("last {step} ran back from {before} to {now}"));
            }
        }
        ring.look(|array| contents_are_right(ring, array, complain));
        outcomes_are_right(ring, complain);

        self.pointers = pointers;
        self.floor = pointers[3];
        self.flags = found
            .into_iter()
            .filter(|&(number, _)| number > self.floor)
            .collect();
        let untold: u64 = untold.iter().sum();
        (untold as usize, told == pointers)
    }
}

fn contents_are_right(ring: &Ring, array: &Array, complain: &mut impl FnMut(String)) {
    let processed = array.marks().processed.up_to();
    for step in 1..=SLOTS {
        let sequence = processed.plus(step);
        let flags = array.flags(sequence);
        if !flags.retrieved || flags.processed {
            continue;
        }
        let expected = contents::parcel(&ring.name().lane, sequence, WallTime::default());
        match array.get(sequence) {
            None => complain(format!("message {sequence} has no content")),
            Some(found) if found.octets() != expected.octets() || found.key != expected.key => {
                complain(format!("message {sequence} was altered"));
            }
            Some(_) => {}
        }
    }
}

/// A mirror keeps an outcome until the next message lies at its address: by then the origin has it.
fn outcomes_are_right(ring: &Ring, complain: &mut impl FnMut(String)) {
    if ring.name().side != Side::Mirror {
        return;
    }
    let processed: Vec<Sequence> = ring.look(|array| {
        let stored = array.marks().retrieved.highest().get();
        let first = stored.saturating_sub(SLOTS - 1).max(1);
        (first..=stored)
            .map(Sequence::new)
            .filter(|&sequence| array.flags(sequence).processed)
            .collect()
    });
    for sequence in processed {
        let expected = contents::outcome(&ring.name().lane, sequence);
        if ring.outcome(sequence).as_ref() != Some(&expected) {
            complain(format!("the outcome of message {sequence} was lost"));
        }
    }
}

/// What one end knows, the other must have done.
fn both_ends(origin: &Ring, mirror: &Ring, complain: &mut impl FnMut(String)) {
    let last = origin
        .look(Array::accepted)
        .max(mirror.look(Array::accepted));
    let first = last.lap_before().lap_before().next();
    for number in first.get()..=last.get() {
        let sequence = Sequence::new(number);
        let near = origin.look(|array| array.flags(sequence));
        let far = mirror.look(|array| array.flags(sequence));
        if far.retrieved && !near.sent {
            complain(format!("message {sequence} came from nowhere"));
        }
        if near.confirmed && !far.retrieved {
            complain(format!(
                "message {sequence} counts as confirmed and is not there"
            ));
        }
        if near.processed && !far.processed {
            complain(format!("message {sequence} counts as processed and is not"));
        }
    }
}
