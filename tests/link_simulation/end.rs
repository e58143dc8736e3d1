//! One end of the simulated link: a disk whose power can be cut, real rings on it, and what its process forgets.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use sluice::lane::{Direction, RingName, SLOTS, Sequence, Side};
use sluice::link::Role;
use sluice::ring::page::slot_offset;
use sluice::ring::storage::Storage;
use sluice::ring::{Array, Marks, Ring, RingFile, format};

use crate::support::chance::Chance;
use crate::support::disk::SimulatedDisk;
use crate::support::link::ring_name;

/// Waits for what is known to be ready: on a disk that answers at once, nothing ever waits.
pub fn at_once<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("the simulated disk answers at once"),
    }
}

/// The rings of an end: MO and MT of each lane.
pub fn names(role: Role, lanes: usize) -> Vec<RingName> {
    (0..lanes)
        .flat_map(|lane| [(lane, Direction::Mo), (lane, Direction::Mt)])
        .map(|(lane, direction)| {
            let origin = (role == Role::Edge) == (direction == Direction::Mo);
            let side = if origin { Side::Origin } else { Side::Mirror };
            ring_name(&format!("lane-{lane}"), direction, side)
        })
        .collect()
}

/// A fresh ring file; both ends have the same epochs.
fn image(role: Role, lanes: usize) -> &'static Vec<u8> {
    static IMAGES: [OnceLock<Vec<u8>>; 4] = [const { OnceLock::new() }; 4];
    let slot = 2 * (lanes - 1) + usize::from(role == Role::Central);
    IMAGES[slot].get_or_init(|| {
        let disk = SimulatedDisk::default();
        let mut chance = Chance::new(42);
        format(&disk, &names(role, lanes), &mut || chance.number() | 1).unwrap();
        disk.contents()
    })
}

/// What a ring's pointers were, to see that none runs back.
pub type Seen = Vec<Marks>;

pub struct End {
    pub disk: SimulatedDisk,
    live: SimulatedDisk,
    /// The open rings; empty while the end is down.
    pub rings: Vec<Ring>,
    file: Option<RingFile>,
    pub seen: Seen,
    /// A copy of what is on the disks.
    backup: Option<[Vec<u8>; 2]>,
    /// The copy was put back: its rings may be older than what was promised from them.
    pub restored: bool,
    /// How often the power went: what a mirror handed on before may be handed on again after.
    pub power_cuts: u32,
}

impl End {
    pub fn new(role: Role, lanes: usize) -> Self {
        let mut end = Self {
            disk: SimulatedDisk::holding(image(role, lanes).clone()),
            live: SimulatedDisk::holding(vec![0; 2 * lanes * 512]),
            rings: Vec::new(),
            file: None,
            seen: vec![Marks::default(); 2 * lanes],
            backup: None,
            restored: false,
            power_cuts: 0,
        };
        end.open().unwrap();
        end
    }

    pub fn is_up(&self) -> bool {
        self.file.is_some()
    }

    /// Starts the process: recovery, as it is.
    pub fn open(&mut self) -> Result<(), String> {
        let opened = RingFile::open_on(
            Path::new("simulated"),
            Arc::new(self.disk.clone()),
            Some(Arc::new(self.live.clone())),
        )
        .map_err(|why| format!("opening failed: {why}"))?;
        self.rings = opened.file.rings();
        self.file = Some(opened.file);
        for ring in &self.rings {
            if let Some(fence) = ring.fence()
                && !self.restored
            {
                return Err(format!("{} came up fenced: {fence}", ring.name()));
            }
        }
        self.check_marks(true)
    }

    /// The process ends at once; the machine goes on.
    pub fn kill(&mut self) {
        self.note_marks();
        self.rings.clear();
        self.file = None;
        self.disk.process_returns();
        self.live.process_returns();
    }

    /// The power goes, possibly in the middle of the next writes.
    pub fn power_fails(&mut self, chance: &mut Chance) {
        self.rings.clear();
        self.file = None;
        self.power_cuts += 1;
        self.disk.power_returns(chance);
        self.live.power_returns(chance);
        // Only what is stored is promised: the other marks may be behind by what was not synced.
        for seen in &mut self.seen {
            let retrieved = seen.retrieved;
            *seen = Marks::default();
            seen.retrieved = retrieved;
        }
    }

    /// Somebody copies the disks.
    pub fn back_up(&mut self) {
        self.backup = Some([self.disk.contents(), self.live.contents()]);
    }

    pub fn has_backup(&self) -> bool {
        self.backup.is_some()
    }

    /// While the process is down, the copy is put back, with or without the live records, which may also have stayed.
    pub fn restore(&mut self, chance: &mut Chance) {
        let Some([disk, live]) = self.backup.clone() else {
            return;
        };
        self.disk = SimulatedDisk::holding(disk);
        match chance.below(3) {
            0 => self.live = SimulatedDisk::holding(live),
            1 => self.live = SimulatedDisk::holding(vec![0; live.len()]),
            _ => {}
        }
        self.restored = true;
        self.power_cuts += 1;
        self.seen = vec![Marks::default(); self.seen.len()];
    }

    /// Overwrites the slot of a message while the process is down.
    pub fn damage(&mut self, ring: usize, sequence: Sequence) {
        let offset = slot_offset(ring as u16, sequence.address());
        self.disk.write_at(offset + 300, &[0xA5; 64]).unwrap();
    }

    /// Remembers where the pointers stand.
    pub fn note_marks(&mut self) {
        for (ring, seen) in self.rings.iter().zip(&mut self.seen) {
            *seen = ring.look(|array| *array.marks());
        }
    }

    /// No pointer runs back, no flag goes off.
    pub fn check_marks(&mut self, after_opening: bool) -> Result<(), String> {
        for (ring, seen) in self.rings.iter().zip(&self.seen) {
            let marks = ring.look(|array| *array.marks());
            if marks == *seen {
                continue;
            }
            let pairs = [
                ("retrieved", &seen.retrieved, &marks.retrieved),
                ("sent", &seen.sent, &marks.sent),
                ("confirmed", &seen.confirmed, &marks.confirmed),
                ("processed", &seen.processed, &marks.processed),
            ];
            for (what, before, now) in pairs {
                let kept = now.up_to() >= before.up_to()
                    && before.ahead_sequences().all(|sequence| now.has(sequence));
                if !kept {
                    let when = if after_opening {
                        " when it was opened"
                    } else {
                        ""
                    };
                    return Err(format!(
                        "{}: {what} ran back from {before:?} to {now:?}{when}",
                        ring.name()
                    ));
                }
            }
        }
        self.note_marks();
        Ok(())
    }

    /// Lets the power go after so many more writes and syncs.
    pub fn power_will_fail(&self, after: u64) {
        self.disk.cut_after(Some(after));
    }

    /// All marks go to the disk, as they do after a moment of rest.
    pub fn flush(&self) -> bool {
        self.rings.iter().all(|ring| at_once(ring.flush()).is_ok())
    }

    /// A message that is not processed, with another one durable behind it.
    pub fn some_live(&self, ring: usize, chance: &mut Chance) -> Option<Sequence> {
        self.rings[ring].look(|array: &Array| {
            let marks = array.marks();
            let first = marks.processed.up_to().get() + 1;
            let last = marks.retrieved.up_to().get();
            if last <= first {
                return None;
            }
            let sequence = Sequence::new(first + chance.below((last - first).min(SLOTS)));
            array.get(sequence).map(|_| sequence)
        })
    }
}
