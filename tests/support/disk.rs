//! A disk whose power can be cut at any write or sync.
//!
//! What was synced stays. What was written and not synced is, sector by sector of 512 octets, there, lost, torn in the
//! middle, or garbage, in any order. A kill instead of a power cut loses nothing that was written.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sluice::ring::storage::Storage;

use super::chance::Chance;

const SECTOR: usize = 512;

/// One call that reached the disk.
#[derive(Clone, Debug)]
pub enum Operation {
    /// These octets were written there.
    Write(u64, Vec<u8>),
    /// Everything before was made durable.
    Sync,
}

#[derive(Default)]
struct State {
    durable: Vec<u8>,
    cached: Vec<u8>,
    pending: Vec<(u64, Vec<u8>)>,
    done: u64,
    cut_at: Option<u64>,
    refuses_syncs: bool,
    log: Option<Vec<Operation>>,
}

/// The disk. Clones are the same disk.
#[derive(Clone, Default)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

impl SimulatedDisk {
    /// A disk that holds these octets, durably.
    pub fn holding(octets: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.state().cached.clone_from(&octets);
        disk.state().durable = octets;
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on every operation is kept in a log.
    pub fn start_log(&self) {
        self.state().log = Some(Vec::new());
    }

    /// The log so far.
    pub fn take_log(&self) -> Vec<Operation> {
        self.state().log.take().unwrap_or_default()
    }

    /// How many writes and syncs there were.
    pub fn operations(&self) -> u64 {
        self.state().done
    }

    /// The power goes at the operation after so many more; that one and all later ones fail. `None`: it stays on.
    pub fn cut_after(&self, more: Option<u64>) {
        let mut state = self.state();
        state.cut_at = more.map(|more| state.done + more);
    }

    /// Whether syncs fail from now on, as those of a disk that goes bad; writes are taken all the same.
    pub fn refuse_syncs(&self, refuses: bool) {
        self.state().refuses_syncs = refuses;
    }

    /// Whether all that was written is durable.
    pub fn is_synced(&self) -> bool {
        self.state().pending.is_empty()
    }

    /// Whether the power is off.
    pub fn is_off(&self) -> bool {
        let state = self.state();
        state.cut_at.is_some_and(|at| state.done >= at)
    }

    /// The power comes back; what was not synced met its fate.
    pub fn power_returns(&self, chance: &mut Chance) {
        let mut state = self.state();
        let pending = std::mem::take(&mut state.pending);
        // Whole cuts where everything or nothing of the last writes arrived are the likely ones; they get their share.
        let mood = chance.below(4);
        for (offset, octets) in &pending {
            for (number, sector) in octets.chunks(SECTOR).enumerate() {
                let start = *offset as usize + number * SECTOR;
                let fate = match mood {
                    0 => 0,
                    1 => 60,
                    _ => chance.below(100),
                };
                let place = &mut state.durable[start..start + sector.len()];
                match fate {
                    0..=39 => {}
                    40..=89 => place.copy_from_slice(sector),
                    90..=94 => {
                        let cut = chance.below(sector.len() as u64) as usize;
                        place[..cut].copy_from_slice(&sector[..cut]);
                    }
                    _ => {
                        for octet in place {
                            *octet = chance.number() as u8;
                        }
                    }
                }
            }
        }
        state.cached = state.durable.clone();
        state.cut_at = None;
    }

    /// The process was killed and the machine went on: what was written is there, though not durable yet.
    pub fn process_returns(&self) {
        self.state().cut_at = None;
    }

    /// What would be read now.
    pub fn contents(&self) -> Vec<u8> {
        self.state().cached.clone()
    }

    fn step(state: &mut State) -> io::Result<()> {
        if state.cut_at.is_some_and(|at| state.done >= at) {
            return Err(io::Error::other("the power is off"));
        }
        state.done += 1;
        Ok(())
    }
}

impl Storage for SimulatedDisk {
    fn length(&self) -> io::Result<u64> {
        Ok(self.state().cached.len() as u64)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let start = offset as usize;
        let found = state
            .cached
            .get(start..start + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn write_at(&self, offset: u64, octets: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let on = Self::step(&mut state);
        // The write during which the power goes may have begun.
        let begun = on.is_ok() || state.cut_at == Some(state.done);
        if begun {
            let end = offset as usize + octets.len();
            if state.cached.len() < end {
                state.cached.resize(end, 0);
                state.durable.resize(end, 0);
            }
            state.pending.push((offset, octets.to_vec()));
        }
        if on.is_err() {
            // No later one begins.
            state.cut_at = Some(0);
            return on;
        }
        state.cached[offset as usize..][..octets.len()].copy_from_slice(octets);
        if let Some(log) = &mut state.log {
            log.push(Operation::Write(offset, octets.to_vec()));
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.refuses_syncs {
            return Err(rustix::io::Errno::IO.into());
        }
        Self::step(&mut state)?;
        for (offset, octets) in std::mem::take(&mut state.pending) {
            state.durable[offset as usize..][..octets.len()].copy_from_slice(&octets);
        }
        if let Some(log) = &mut state.log {
            log.push(Operation::Sync);
        }
        Ok(())
    }
}
