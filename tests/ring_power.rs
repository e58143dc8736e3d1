//! The ring under power cuts: nothing acknowledged is lost, nothing comes back that was not there, no pointer runs
//! back past what was promised, and no damage is reported where there is none.
//!
//! The model is a list of what was tried and what was acknowledged. Each broken rule of the storage study is planted
//! in turn between ring and disk, and has to be found; a harness that finds nothing proves nothing.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sluice::lane::{SLOTS, Sequence, Side};
use sluice::ring::storage::Storage;
use sluice::ring::{Ring, RingFile, StoreError};
use support::breaking::{Breaking, Mutant};
use support::chance::{Chance, from_environment};
use support::disk::{Operation, SimulatedDisk};
use support::messages::{parcel, ring_name};

/// What the world outside the ring knows.
#[derive(Clone, Default)]
struct Model {
    /// The texts tried under each number since the last recovery settled it; the last one counts.
    tried: BTreeMap<u64, Vec<String>>,
    acknowledged: BTreeMap<u64, String>,
    sent: Vec<u64>,
    confirmed: Vec<u64>,
    processed: Vec<u64>,
}

impl Model {
    /// What must hold of a ring that was opened after a cut; the finding in words if it does not.
    fn check(&self, ring: &Ring) -> Result<(), String> {
        if let Some(fence) = ring.fence() {
            return Err(format!("the ring was fenced: {fence}"));
        }
        ring.look(|array| {
            let damaged: Vec<_> = array.damaged().collect();
            if !damaged.is_empty() {
                return Err(format!(
                    "damage was reported where there is none: {damaged:?}"
                ));
            }
            let marks = array.marks();
            for (&number, text) in &self.acknowledged {
                let sequence = Sequence::new(number);
                let flags = array.flags(sequence);
                if !flags.retrieved {
                    return Err(format!(
                        "{sequence:?} was acknowledged and is not retrieved"
                    ));
                }
                if flags.processed {
                    if !self.processed.contains(&number) {
                        return Err(format!("{sequence:?} is processed, and nobody did that"));
                    }
                } else if array.get(sequence) != Some(&parcel(text)) {
                    return Err(format!(
                        "{sequence:?} was acknowledged and its content is not there"
                    ));
                }
                // What lies in a mirror has crossed the link, that needs no mark.
                let may_be_sent = array.side() == Side::Mirror || self.sent.contains(&number);
                if flags.sent && !may_be_sent {
                    return Err(format!("{sequence:?} is sent, and nobody sent it"));
                }
                if flags.confirmed && !self.confirmed.contains(&number) {
                    return Err(format!(
                        "{sequence:?} is confirmed, and nobody confirmed it"
                    ));
                }
            }
            let last = self.acknowledged.keys().next_back().copied().unwrap_or(0);
            for number in last + 1..=marks.retrieved.highest().get() {
                let sequence = Sequence::new(number);
                if !array.flags(sequence).retrieved {
                    continue;
                }
                let newest = self.tried.get(&number).and_then(|texts| texts.last());
                let Some(text) = newest else {
                    return Err(format!("{sequence:?} came from nowhere"));
                };
                if array.get(sequence) != Some(&parcel(text)) {
                    return Err(format!(
                        "{sequence:?} holds what an earlier life had written there"
                    ));
                }
            }
            Ok(())
        })
    }

    /// After recovery, what is there counts as acknowledged, and what is gone was never tried.
    fn settle(&mut self, ring: &Ring) {
        ring.look(|array| {
            for number in 1..=array.marks().retrieved.highest().get() {
                let sequence = Sequence::new(number);
                if array.flags(sequence).retrieved
                    && let Some(text) = self.tried.get(&number).and_then(|texts| texts.last())
                {
                    self.acknowledged
                        .entry(number)
                        .or_insert_with(|| text.clone());
                }
            }
            let processed = array.marks().processed.up_to().get();
            let window = processed.saturating_sub(SLOTS);
            self.tried.retain(|&number, _| number > window);
            self.acknowledged.retain(|&number, _| number > window);
            for list in [&mut self.sent, &mut self.confirmed, &mut self.processed] {
                list.retain(|&number| number > window);
            }
        });
    }
}

/// Moves messages round a ring until the power goes. `width` messages are in one batch at most.
struct Player {
    ring: Ring,
    side: Side,
    width: u64,
    /// Prefer full rings or empty ones.
    keep_full: bool,
    life: u64,
}

impl Player {
    async fn step(&self, model: &mut Model, chance: &mut Chance) -> Result<(), StoreError> {
        let room = self.ring.look(|array| array.room());
        let wanted = if self.keep_full { 70 } else { 40 };
        if room > 0 && chance.percent(wanted) {
            return self.take(model, chance, room).await;
        }
        match chance.below(10) {
            0..=2 => self.send(model),
            3..=5 => self.confirm(model, chance),
            6..=8 if !self.keep_full || room == 0 || chance.percent(20) => {
                self.process(model, chance);
            }
            _ if chance.percent(10) => return self.ring.flush().await,
            _ => {}
        }
        Ok(())
    }

    async fn take(
        &self,
        model: &mut Model,
        chance: &mut Chance,
        room: u64,
    ) -> Result<(), StoreError> {
        let count = 1 + chance.below(self.width.min(room));
        let accepted = self.ring.look(|array| array.accepted()).get();
        let text = |number: u64| format!("life {} message {number}", self.life);
        let numbers: Vec<u64> = match self.side {
            Side::Origin => (accepted + 1..=accepted + count).collect(),
            Side::Mirror => {
                // What comes over the link comes in any order, with gaps, and again.
                let first = self
                    .ring
                    .look(|array| array.marks().processed.up_to())
                    .get()
                    + 1;
                let reach = (accepted + 4).saturating_sub(first).clamp(1, SLOTS);
                (0..count).map(|_| first + chance.below(reach)).collect()
            }
        };
        let mut fresh = numbers.clone();
        if self.side == Side::Mirror {
            fresh.sort_unstable();
            fresh.dedup();
            fresh.retain(|&number| {
                let sequence = Sequence::new(number);
                !self.ring.look(|array| array.flags(sequence).retrieved)
            });
        }
        for &number in &fresh {
            model.tried.entry(number).or_default().push(text(number));
        }
        let stored = match self.side {
            Side::Origin => {
                let parcels = fresh.iter().map(|&number| parcel(&text(number))).collect();
                self.ring.append_all(parcels).await.map(|given| {
                    let given: Vec<u64> = given.into_iter().map(Sequence::get).collect();
                    assert_eq!(given, fresh, "numbers follow one another");
                })
            }
            Side::Mirror => {
                let parcels = fresh
                    .iter()
                    .map(|&number| (Sequence::new(number), parcel(&text(number))))
                    .collect();
                self.ring.store(parcels).await.map(|taken| {
                    assert!(taken.iter().all(Result::is_ok), "all lie in the window");
                })
            }
        };
        stored?;
        for number in fresh {
            model.acknowledged.insert(number, text(number));
        }
        Ok(())
    }

    fn send(&self, model: &mut Model) {
        if self.side == Side::Mirror {
            return;
        }
        if let Some(next) = self.ring.look(|array| array.next_to_send()) {
            model.sent.push(next.get());
            self.ring.mark_sent(next).unwrap();
        }
    }

    fn confirm(&self, model: &mut Model, chance: &mut Chance) {
        let open: Vec<Sequence> = self
            .ring
            .look(|array| array.unconfirmed().take(8).collect());
        if !open.is_empty() {
            let chosen = *chance.one_of(&open);
            model.confirmed.push(chosen.get());
            self.ring.confirm(chosen).unwrap();
        }
    }

    fn process(&self, model: &mut Model, chance: &mut Chance) {
        let ready: Vec<Sequence> = self.ring.look(|array| {
            let first = array.marks().processed.up_to().next().get();
            (first..=array.marks().retrieved.highest().get().min(first + 5))
                .map(Sequence::new)
                .filter(|&sequence| {
                    let flags = array.flags(sequence);
                    flags.confirmed && !flags.processed
                })
                .collect()
        });
        if !ready.is_empty() {
            let chosen = *chance.one_of(&ready);
            model.processed.push(chosen.get());
            self.ring.process(chosen).unwrap();
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

fn formatted(side: Side) -> Vec<u8> {
    let disk = SimulatedDisk::default();
    let mut number = 41;
    sluice::ring::format(&disk, &[ring_name(side)], &mut || {
        number += 1;
        number
    })
    .unwrap();
    disk.contents()
}

fn open(
    disk: Arc<dyn Storage>,
    live: Option<Arc<dyn Storage>>,
) -> Result<Ring, sluice::ring::RingError> {
    let opened = RingFile::open_on(Path::new("(simulated)"), disk, live)?;
    Ok(opened.file.rings().remove(0))
}

/// Lives one after the other on the same disk, each ended by a power cut or a kill. Gives how many cuts there were
/// before the first violation, and what it was.
fn lives(
    seed: u64,
    cuts: u64,
    side: Side,
    width: u64,
    mutant: Mutant,
) -> Result<u64, (u64, String)> {
    let runtime = runtime();
    let mut chance = Chance::new(seed);
    let disk = SimulatedDisk::holding(formatted(side));
    let live = SimulatedDisk::default();
    let mut model = Model::default();
    let mut cut = 0;
    while cut < cuts {
        let storage: Arc<dyn Storage> = match mutant {
            Mutant::None => Arc::new(disk.clone()),
            _ => Arc::new(Breaking::new(disk.clone(), mutant)),
        };
        // Some lives end during recovery.
        let recovery_is_cut = chance.percent(20);
        disk.cut_after(Some(if recovery_is_cut {
            chance.below(4)
        } else {
            5 + chance.below(60)
        }));
        let ring = open(storage, Some(Arc::new(live.clone())));
        if let Ok(ring) = ring {
            model.check(&ring).map_err(|what| (cut, what))?;
            model.settle(&ring);
            let player = Player {
                ring,
                side,
                width,
                keep_full: cut % 128 < 64,
                life: cut,
            };
            runtime.block_on(async {
                // The power ends the life; the limit only guards against one that never writes again.
                for _ in 0..100_000 {
                    if disk.is_off() || player.step(&mut model, &mut chance).await.is_err() {
                        break;
                    }
                }
            });
        }
        if chance.percent(70) {
            disk.power_returns(&mut chance);
            live.power_returns(&mut chance);
        } else {
            disk.process_returns();
        }
        cut += 1;
    }
    Ok(cut)
}

#[test]
fn g9_nothing_acknowledged_is_lost_over_thousands_of_power_cuts() {
    let each = from_environment("SLUICE_CUTS", 20_000) / 4;
    let seed = from_environment("SLUICE_SEED", 1);
    for (n, (side, width)) in [
        (Side::Origin, 1),
        (Side::Origin, 3),
        (Side::Mirror, 1),
        (Side::Mirror, 3),
    ]
    .into_iter()
    .enumerate()
    {
        let seed = seed + n as u64;
        if let Err((cut, what)) = lives(seed, each, side, width, Mutant::None) {
            panic!("seed {seed}, {side}, batches of {width}: after {cut} cuts: {what}");
        }
    }
}

fn is_caught(mutant: Mutant) {
    let caught = (1..=4).find_map(|seed| {
        [1, 3]
            .into_iter()
            .find_map(|width| lives(seed, 2_000, Side::Origin, width, mutant).err())
    });
    let (cuts, what) = caught.unwrap_or_else(|| panic!("{mutant:?} was never noticed"));
    println!("{mutant:?} was noticed after {cuts} cuts: {what}");
}

#[test]
fn broken_rule_1_reuse_before_processed_is_durable_is_caught() {
    is_caught(Mutant::ReuseUnrecorded);
}

#[test]
fn broken_rule_2_flags_rewritten_in_a_living_slot_is_caught() {
    is_caught(Mutant::FlagsInSlot);
}

#[test]
fn broken_rule_3_tail_not_wiped_is_caught() {
    is_caught(Mutant::NoWipe);
}

#[test]
fn broken_rule_4_state_tells_of_messages_in_flight_is_caught() {
    is_caught(Mutant::InFlightInState);
}

#[test]
fn broken_rule_5_one_state_page_is_caught() {
    is_caught(Mutant::OneStatePage);
}

/// One life of at least three laps is recorded; then the power is cut at every single write and sync of it.
#[test]
fn g9_the_power_may_go_at_every_write_and_sync_of_three_laps() {
    let runtime = runtime();
    let seed = from_environment("SLUICE_SEED", 7);
    for (side, width) in [(Side::Origin, 1), (Side::Origin, 3), (Side::Mirror, 3)] {
        let mut chance = Chance::new(seed);
        let start = formatted(side);
        let disk = SimulatedDisk::holding(start.clone());
        let ring = open(Arc::new(disk.clone()), None).unwrap();
        disk.start_log();
        let before = disk.operations();
        let player = Player {
            ring,
            side,
            width,
            keep_full: false,
            life: 0,
        };
        // The model as it was when each operation began; an acknowledgement comes after the sync that made it true.
        let mut model = Model::default();
        let mut history: Vec<(u64, Model)> = vec![(0, model.clone())];
        runtime.block_on(async {
            let mut steps = 0_u64;
            while player.ring.look(|array| array.accepted()).get() < 3 * SLOTS + 10 {
                let tried = model.clone();
                player.step(&mut model, &mut chance).await.unwrap();
                let done = disk.operations() - before;
                // What was tried in this step may be found after a cut within it.
                let mut during = tried;
                during.tried.clone_from(&model.tried);
                during.sent.clone_from(&model.sent);
                during.confirmed.clone_from(&model.confirmed);
                during.processed.clone_from(&model.processed);
                if let Some((at, known)) = history.last_mut()
                    && *at == done
                {
                    *known = model.clone();
                } else {
                    let begun = history.last().map_or(0, |(at, _)| *at);
                    for within in begun..done {
                        match history.last_mut() {
                            Some((at, known)) if *at == within => *known = during.clone(),
                            _ => history.push((within, during.clone())),
                        }
                    }
                    history.push((done, model.clone()));
                }
                if steps.is_multiple_of(64) {
                    let processed = player.ring.look(|array| array.marks().processed.up_to());
                    let window = processed.get().saturating_sub(SLOTS);
                    model.tried.retain(|&number, _| number > window);
                    model.acknowledged.retain(|&number, _| number > window);
                    model.sent.retain(|&number| number > window);
                    model.confirmed.retain(|&number| number > window);
                    model.processed.retain(|&number| number > window);
                }
                steps += 1;
            }
        });
        let log = disk.take_log();
        assert!(
            log.len() > 1000,
            "three laps are more than a thousand operations"
        );
        cut_everywhere(&start, &log, &history, side, &mut chance);
    }
}

fn cut_everywhere(
    start: &[u8],
    log: &[Operation],
    history: &[(u64, Model)],
    side: Side,
    chance: &mut Chance,
) {
    // What is durable before the operation of that number, and what was written since.
    let mut durable = start.to_vec();
    let mut unsynced: Vec<&Operation> = Vec::new();
    for (number, operation) in log.iter().enumerate() {
        let at = history.partition_point(|(at, _)| *at <= number as u64) - 1;
        let model = &history[at].1;
        for _variant in 0..3 {
            let disk = SimulatedDisk::holding(durable.clone());
            for write in unsynced.iter().copied().chain([operation]) {
                if let Operation::Write(offset, octets) = write {
                    disk.write_at(*offset, octets).unwrap();
                }
            }
            disk.power_returns(chance);
            let ring = open(Arc::new(disk), None).unwrap();
            if let Err(what) = model.check(&ring) {
                panic!("{side}, cut at operation {number} ({operation:.0?}): {what}");
            }
        }
        match operation {
            Operation::Write(..) => unsynced.push(operation),
            Operation::Sync => {
                for write in unsynced.drain(..) {
                    if let Operation::Write(offset, octets) = write {
                        durable[*offset as usize..][..octets.len()].copy_from_slice(octets);
                    }
                }
            }
        }
    }
}
