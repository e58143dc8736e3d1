//! What the guarded sled asks of the machine beyond sled itself, so that a test can answer instead.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A hundred of sled's segments and some more.
const WATCHED_FROM: u64 = 64 << 20;

/// Room on a file system, in octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// Free for us.
    pub free: u64,
    /// All in all.
    pub total: u64,
}

/// Tells how much room there is where a path lies.
pub type AskRoom = Arc<dyn Fn(&Path) -> io::Result<Room> + Send + Sync>;

/// Makes everything durable that was written to a file.
pub type SyncFile = Arc<dyn Fn(&File) -> io::Result<()> + Send + Sync>;

/// The machine around the database.
#[derive(Clone)]
pub struct Outside {
    /// How much room is there where this path lies.
    pub room: AskRoom,
    /// Makes everything durable that was written to this file.
    pub sync: SyncFile,
    /// From this size on it is worth looking at how much room a database wastes; a small one is mostly empty segments.
    pub watched_from: u64,
}

impl Default for Outside {
    fn default() -> Self {
        Self {
            room: Arc::new(|path| {
                let told = rustix::fs::statvfs(path)?;
                Ok(Room {
                    free: told.f_bavail.saturating_mul(told.f_frsize),
                    total: told.f_blocks.saturating_mul(told.f_frsize),
                })
            }),
            sync: Arc::new(File::sync_data),
            watched_from: WATCHED_FROM,
        }
    }
}
