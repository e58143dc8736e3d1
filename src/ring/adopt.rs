//! A mirror that was never used takes its origin's epoch.
//!
//! Both ends of a lane make their ring files on their own, each with random epochs. The first time they meet, the
//! mirror, in which nothing has ever been, takes the origin's: from then on the two rings are one life. Durable when
//! it returns; the steps and what a crash leaves between them stand in `docs/ring-file.md`, section 9.

use std::sync::PoisonError;

use super::commit::{Committer, blocking};
use super::error::StoreError;
use super::handle::{Ring, Shared};
use super::page::{Entry, Fence, entry_offset};
use super::storage::Storage;
use crate::clock::Clock;
use crate::lane::Epoch;

/// Why a ring keeps its epoch.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAdopted {
    /// It holds, or held, something under its own.
    #[error("the ring was used under another epoch; renew it with `sluice ring renew`")]
    Used,
    /// It is shut.
    #[error("the ring is fenced: {0}")]
    Fenced(Fence),
    /// A write or sync failed; the file has to be opened anew.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

impl Ring {
    /// Gives a mirror that was never used its origin's epoch, durably. All handles of the ring see the new life.
    pub async fn adopt(&self, epoch: Epoch) -> Result<(), NotAdopted> {
        let changed = blocking(|| rename(&self.shared, &self.committer, epoch))?;
        if changed {
            // Into both state pages: one of the former epoch would read as damaged.
            self.flush().await?;
            self.flush().await?;
        }
        Ok(())
    }
}

/// Writes the directory entry; tells whether it had to.
fn rename(ring: &Shared, committer: &Committer, epoch: Epoch) -> Result<bool, NotAdopted> {
    let _one_at_a_time = committer
        .directory
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if ring.epoch() == epoch {
        return Ok(false);
    }
    match ring.begin_adopting() {
        Ok(true) => {}
        Ok(false) => return Err(NotAdopted::Used),
        Err(fence) => return Err(NotAdopted::Fenced(fence)),
    }
    let entry = Entry {
        name: ring.name().clone(),
        epoch,
        made_at: Clock::system().wall(),
    }
    .encode();
    let storage: &dyn Storage = committer;
    for copy in 0..2 {
        storage
            .write_at(entry_offset(copy, ring.index()), &entry)
            .and_then(|()| storage.sync())
            .map_err(|why| {
                let what = format!(
                    "writing the directory entry of {} failed: {why}",
                    ring.name()
                );
                StoreError::Failed(what.into())
            })?;
    }
    ring.adopted(epoch);
    Ok(true)
}
