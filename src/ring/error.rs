//! What can go wrong with a ring file, in sentences that name the file and the next step.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::array::{Full, Misstep};
use super::page::{Fence, VERSION};
use crate::lane::{Address, RingName};

/// Why a message was not stored. Nothing of it was confirmed to anybody.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// No free slot: the source has to keep it.
    #[error(transparent)]
    Full(#[from] Full),
    /// The far end spoke of a message that cannot be.
    #[error(transparent)]
    Misstep(#[from] Misstep),
    /// The ring is shut.
    #[error("the ring is fenced: {0}")]
    Fenced(#[from] Fence),
    /// The ring takes another epoch at this moment; the message may come again in it.
    #[error("the ring is taking its origin's epoch")]
    Adopting,
    /// A write or sync failed; the file has to be opened anew.
    #[error("{0}; nothing more is accepted until the ring file was opened anew")]
    Failed(Arc<str>),
}

/// A ring file cannot be made, opened or used.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// Nothing there.
    #[error("{path}: there is no ring file here; make one with `sluice ring create {path} RING…`")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Nowhere to make it.
    #[error("{path}: making the file failed: its folder does not exist; make the folder first")]
    NoFolder {
        /// Where it was to be made.
        path: PathBuf,
    },
    /// Something there already.
    #[error("{path}: a file of this name is here already; a ring file is never made over another")]
    Exists {
        /// Where it was to be made.
        path: PathBuf,
    },
    /// Locked.
    #[error(
        "{path}: another process has this ring file open; stop it first (`lsof {path}` names it)"
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// Neither header is one.
    #[error(
        "{path}: this is no ring file: neither copy of its header can be read ({why}); \
         restore the file or move it away and make a new one"
    )]
    NoHeader {
        /// The file.
        path: PathBuf,
        /// What is wrong with the first copy.
        why: String,
    },
    /// Of another version.
    #[error(
        "{path}: this ring file is of version {found}, this program reads version {VERSION}; \
         use the program that wrote it, or one that is newer"
    )]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u16,
    },
    /// Shorter than its directory says.
    #[error(
        "{path}: the file ends at octet {length}, in slot {slot} of ring {ring}, and should have {expected}; \
         it was cut off: restore it, or renew its rings with `sluice ring renew {path}`"
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// How long it is.
        length: u64,
        /// How long it should be.
        expected: u64,
        /// The first ring that is not whole.
        ring: String,
        /// The first slot that is missing.
        slot: Address,
    },
    /// The disk has no room to make it.
    #[error(
        "{path}: the disk is full: a file of {needed} octets for {rings} rings does not fit; \
         free some room there, then start again what needs it; a service that runs tries by itself \
         (no message was accepted)"
    )]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// How long it would be.
        needed: u64,
        /// For how many rings.
        rings: usize,
    },
    /// Not writable.
    #[error("{path}: cannot be written ({source}); check the mount and the owner of the file")]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// More rings than a directory holds.
    #[error(
        "{path}: {wanted} rings are too many, a file holds {}",
        super::page::MAX_RINGS
    )]
    TooManyRings {
        /// The file.
        path: PathBuf,
        /// How many it would be.
        wanted: usize,
    },
    /// Named twice.
    #[error("{path}: ring {ring} is named twice")]
    Twice {
        /// The file.
        path: PathBuf,
        /// Which one.
        ring: RingName,
    },
    /// Not in the directory.
    #[error(
        "{path}: there is no ring {ring} in this file; `sluice ring show {path}` names those that are"
    )]
    NoSuchRing {
        /// The file.
        path: PathBuf,
        /// Which one was asked for.
        ring: RingName,
    },
    /// Reading or writing failed.
    #[error(
        "{path}: {doing} failed: {source}; look at the disk (`dmesg`, `df`) and at the owner and rights of the file"
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
}

impl RingError {
    /// Whether it may pass without anything being done to the file itself: room, rights, a disk.
    pub const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::DiskFull { .. } | Self::ReadOnly { .. } | Self::Io { .. }
        )
    }

    /// Sorts an error of the system.
    pub(super) fn io(path: &std::path::Path, doing: impl Into<String>, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::ReadOnly { path, source }
            }
            _ => Self::Io {
                path,
                doing: doing.into(),
                source,
            },
        }
    }
}
