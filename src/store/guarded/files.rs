//! What lies in a store's directory, and how it is renamed, listed and synced.
//!
//! | name | what |
//! |---|---|
//! | `lock` | locked by the process that has the store open |
//! | `generation` | number of the last durable batch |
//! | `db/` | sled's own directory |
//! | `export-MS.sluice` | an export, with its time in milliseconds since 1970; two are kept |
//! | `aside-MS/` | a database that could not be used; two are kept |

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::clock::WallTime;
use crate::file_lock::FileLock;
use crate::store::error::StoreError;

/// How many exports, and how many databases that were moved aside, are kept: the last one, and the one before should
/// the last be damaged too.
const KEPT: usize = 2;

/// The paths of a store.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) directory: PathBuf,
}

impl Files {
    /// Makes the directory if it is not there: owner only, as texts and secrets lie in it.
    pub(super) fn make(directory: &Path) -> Result<Self, StoreError> {
        let io = |doing| StoreError::io(directory, doing);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(io("making the directory"))?;
        // Guard rail 1: a directory is durable when its parent is synced.
        if let Some(parent) = directory
            .canonicalize()
            .ok()
            .as_deref()
            .and_then(Path::parent)
        {
            sync_directory(parent)?;
        }
        Ok(Self {
            directory: directory.to_owned(),
        })
    }

    /// A directory that must be there.
    pub(super) fn at(directory: &Path) -> Result<Self, StoreError> {
        let files = Self {
            directory: directory.to_owned(),
        };
        match files.db().is_dir() || files.generation().exists() || !files.exports()?.is_empty() {
            true => Ok(files),
            false => Err(StoreError::Missing {
                path: directory.to_owned(),
            }),
        }
    }

    /// The right to the directory; one process at a time.
    pub(super) fn lock(&self) -> Result<FileLock, StoreError> {
        let path = self.directory.join("lock");
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(StoreError::io(&path, "opening"))?;
        FileLock::take(file).map_err(|why| match why {
            TryLockError::WouldBlock => StoreError::InUse {
                path: self.directory.clone(),
            },
            TryLockError::Error(why) => StoreError::io(&path, "locking")(why),
        })
    }

    pub(super) fn generation(&self) -> PathBuf {
        self.directory.join("generation")
    }

    pub(super) fn db(&self) -> PathBuf {
        self.directory.join("db")
    }

    /// Where a database is made that shall take the place of another one.
    pub(super) fn new_db(&self) -> PathBuf {
        self.directory.join("db.new")
    }

    pub(super) fn export(&self, at: WallTime) -> PathBuf {
        self.directory
            .join(format!("export-{:015}.sluice", at.as_unix_ms()))
    }

    pub(super) fn aside(&self, at: WallTime) -> PathBuf {
        self.directory
            .join(format!("aside-{:015}", at.as_unix_ms()))
    }

    fn named(&self, prefix: &str, suffix: &str) -> Result<Vec<PathBuf>, StoreError> {
        let failed = |why| StoreError::io(&self.directory, "listing the directory")(why);
        let mut found = Vec::new();
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(found),
            Err(why) => return Err(failed(why)),
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(prefix) && name.ends_with(suffix) {
                found.push(entry.path());
            }
        }
        found.sort();
        found.reverse();
        Ok(found)
    }

    /// The exports, newest first.
    pub(super) fn exports(&self) -> Result<Vec<PathBuf>, StoreError> {
        self.named("export-", ".sluice")
    }

    /// Removes what is older than the newest ones, and what was never finished.
    pub(super) fn tidy(&self) -> Result<(), StoreError> {
        let old = self.exports()?.into_iter().skip(KEPT);
        for file in old.chain(self.named("export-", ".tmp")?) {
            fs::remove_file(&file).map_err(StoreError::io(&file, "removing an old export"))?;
        }
        for aside in self.named("aside-", "")?.into_iter().skip(KEPT) {
            remove(&aside)?;
        }
        Ok(())
    }

    pub(super) fn sync(&self) -> Result<(), StoreError> {
        sync_directory(&self.directory)
    }
}

/// Removes a directory, if there is one.
pub(super) fn remove(directory: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(directory) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io(directory, "removing an old database")(why))
        }
        _ => Ok(()),
    }
}

/// Renames within the store's directory.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(StoreError::io(from, "renaming"))
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    File::open(directory)
        .and_then(|opened| opened.sync_all())
        .map_err(StoreError::io(directory, "syncing the directory"))
}
