//! What can go wrong with the store, in sentences that name the place and the next step.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The store cannot be opened, read or written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// A write or sync failed, or the store panicked: what is durable is not known before it is opened anew.
    #[error("the store takes nothing more until it is opened anew: {0}")]
    Failed(Arc<str>),
    /// It was closed.
    #[error("the store is closed")]
    Closed,
    /// Too little room on its file system; what frees room is still taken for a while.
    #[error(
        "{path}: {free} octets are free and {least} are kept in reserve; nothing more is stored until there is room"
    )]
    NoRoom {
        /// The store's directory.
        path: PathBuf,
        /// How much is free.
        free: u64,
        /// How much must be.
        least: u64,
    },
    /// Something is larger than what is taken at once.
    #[error("a {what} of {size} is too large for the store; {most} are allowed")]
    TooLarge {
        /// What.
        what: &'static str,
        /// How large it is.
        size: usize,
        /// The limit.
        most: usize,
    },
    /// More waits to be stored than may.
    #[error("{waiting} batches wait to be stored already; try again later")]
    Crowded {
        /// How many.
        waiting: usize,
    },
    /// An earlier change, which this one was made from, was not stored.
    #[error("something that this rests on was not stored")]
    Broken,
    /// What is stored under a key cannot be understood.
    #[error("a record of {what} cannot be read ({why}); `sluice store check` looks at all of them")]
    Record {
        /// What kind of record.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// Locked.
    #[error(
        "{path}: another process has this store open; stop it first (`lsof {path}/lock` names it)"
    )]
    InUse {
        /// The store's directory.
        path: PathBuf,
    },
    /// Nothing there.
    #[error(
        "{path}: there is no store here; central makes one when it starts, `directory` in [store] says where"
    )]
    Missing {
        /// The store's directory.
        path: PathBuf,
    },
    /// Something there already.
    #[error("{path}: a store is here already; `--replace` moves it aside")]
    Exists {
        /// The store's directory.
        path: PathBuf,
    },
    /// Of another version.
    #[error(
        "{path}: is of version {found}, this program reads version {known}; use the program that wrote it, or one that is newer"
    )]
    OtherVersion {
        /// The store's directory, or the export.
        path: PathBuf,
        /// Its version.
        found: u16,
        /// Ours.
        known: u16,
    },
    /// Damaged, and left as it is.
    #[error(
        "{path}: the store is damaged ({why}); central restores it from its newest export when it starts"
    )]
    Damaged {
        /// The store's directory.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Damaged, and nothing to restore it from.
    #[error(
        "{path}: the store is damaged ({why}) and there is no export that could be read; everything was left where it \
         is. Restore the directory or an export from a backup (`sluice store import`), or move the directory away to \
         begin with nothing"
    )]
    Lost {
        /// The store's directory.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// An export that is not whole.
    #[error("{path}: this is no whole export: {why}; take another one")]
    Export {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
    /// The system refused something.
    #[error(
        "{path}: {doing} failed: {source}; look at the disk (`dmesg`, `df`) and at the owner and rights of what lies there, \
         then start again what needs it"
    )]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: Arc<io::Error>,
    },
}

impl StoreError {
    /// Whether trying again later may help without anybody doing anything to the store.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::NoRoom { .. } | Self::Crowded { .. })
    }

    /// Sorts an error of the system.
    pub(super) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            path: path.to_owned(),
            doing,
            source: Arc::new(source),
        }
    }
}
