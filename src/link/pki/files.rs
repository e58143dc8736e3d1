//! Files with secrets in them: written whole or not at all, for their owner alone.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use super::error::PkiError;
use crate::file_lock::FileLock;

/// Owner reads and writes.
const SECRET: u32 = 0o600;
/// Owner enters.
const SECRET_DIRECTORY: u32 = 0o700;
/// Largest file that pairing reads: a bundle is about 3 kB, a register entry 200 octets, so this is a list of tens
/// of thousands, and a wrong file named by mistake does not fill the memory.
const MAX_FILE: u64 = 8 << 20;

/// What to do about what may not be read.
pub(super) const RIGHTS: &str = "run this as root, or as the one whom it belongs to";

/// Makes a directory that only its owner enters, with those above it.
pub(super) fn make_directory(directory: &Path) -> Result<(), PkiError> {
    DirBuilder::new()
        .recursive(true)
        .mode(SECRET_DIRECTORY)
        .create(directory)
        .map_err(|source| PkiError::Write {
            file: directory.to_owned(),
            source,
        })
}

/// Writes a file that only its owner reads: beside it first, then in one step to its place, so that whoever reads
/// sees the old one or the new one, also after a power cut. A file that was there keeps its owner and permissions; a
/// new one belongs to the owner of its directory, so that what root does for the service the service can read.
pub(super) fn write(file: &Path, content: &str) -> Result<(), PkiError> {
    let failed = |source| PkiError::Write {
        file: file.to_owned(),
        source,
    };
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    // A remainder of an interrupted write may have any permissions.
    match fs::remove_file(&beside) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let mut new = create(&beside).map_err(failed)?;
    match fs::metadata(file) {
        Ok(before) => {
            give(&new, &before).map_err(failed)?;
            if before.mode() & 0o007 == 0 {
                new.set_permissions(before.permissions()).map_err(failed)?;
            }
        }
        Err(_) => {
            let above = fs::metadata(directory_of(file)).map_err(failed)?;
            give(&new, &above).map_err(failed)?;
        }
    }
    new.write_all(content.as_bytes()).map_err(failed)?;
    new.sync_all().map_err(failed)?;
    fs::rename(&beside, file).map_err(failed)?;
    sync_directory(file).map_err(failed)
}

/// Writes a file that must not be there yet.
pub(super) fn write_first(file: &Path, content: &str) -> Result<(), PkiError> {
    let failed = |source| PkiError::Write {
        file: file.to_owned(),
        source,
    };
    let mut new = create(file).map_err(failed)?;
    new.write_all(content.as_bytes()).map_err(failed)?;
    new.sync_all().map_err(failed)?;
    sync_directory(file).map_err(failed)
}

fn create(file: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(SECRET)
        .open(file)
}

fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    }
}

fn sync_directory(file: &Path) -> io::Result<()> {
    File::open(directory_of(file))?.sync_all()
}

/// Gives a file to the owner of something else.
fn give(new: &File, owner: &Metadata) -> io::Result<()> {
    let ours = new.metadata()?;
    if (ours.uid(), ours.gid()) == (owner.uid(), owner.gid()) {
        return Ok(());
    }
    match fchown(new, Some(owner.uid()), Some(owner.gid())) {
        // Who may write here without being root, and without being the owner, may not give away; it stays his.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

/// Reads a file of ours.
pub(super) fn read(file: &Path, next: &'static str) -> Result<String, PkiError> {
    let failed = |source: io::Error| PkiError::Read {
        file: file.to_owned(),
        next: match source.kind() {
            io::ErrorKind::PermissionDenied => RIGHTS,
            _ => next,
        },
        source,
    };
    let length = fs::metadata(file).map_err(failed)?.len();
    if length > MAX_FILE {
        return Err(PkiError::Malformed {
            file: file.to_owned(),
            what: format!("it has {length} octets, more than {MAX_FILE}"),
            next,
        });
    }
    fs::read_to_string(file).map_err(failed)
}

/// Reads a file of ours that holds a private key: the owner and its group may read it, nobody else.
pub(super) fn read_secret(file: &Path, next: &'static str) -> Result<String, PkiError> {
    let mode = fs::metadata(file)
        .map_err(|source| PkiError::Read {
            file: file.to_owned(),
            source,
            next,
        })?
        .mode()
        & 0o7777;
    if mode & 0o007 != 0 {
        return Err(PkiError::TooOpen {
            file: file.to_owned(),
            mode,
        });
    }
    read(file, next)
}

/// What tells that a file is another than before, without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// Of the file as it is now; none if it is not there.
    pub(super) fn of(file: &Path) -> Option<Self> {
        let metadata = fs::metadata(file).ok()?;
        Some(Self {
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

/// The right to change an authority's directory; one process at a time.
#[derive(Debug)]
pub(super) struct Lock {
    _held: FileLock,
}

impl Lock {
    /// Takes it, or tells that another has it.
    pub(super) fn take(directory: &Path) -> Result<Self, PkiError> {
        let path = directory.join("lock");
        let failed = |source| PkiError::Write {
            file: path.clone(),
            source,
        };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(SECRET)
            .open(&path)
            .map_err(failed)?;
        let above = fs::metadata(directory).map_err(failed)?;
        give(&file, &above).map_err(failed)?;
        let held = FileLock::take(file).map_err(|why| match why {
            fs::TryLockError::WouldBlock => PkiError::Busy {
                directory: directory.to_owned(),
            },
            fs::TryLockError::Error(source) => failed(source),
        })?;
        Ok(Self { _held: held })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, chown};

    #[test]
    fn what_root_writes_belongs_to_whom_it_is_for() {
        let home = tempfile::tempdir().unwrap();
        // Without root's rights everything belongs to whoever runs this, and has to stay so.
        let _ = chown(home.path(), Some(12345), Some(12345));
        let owner = fs::metadata(home.path()).unwrap().uid();
        let file = home.path().join("register.toml");
        let _lock = Lock::take(home.path()).unwrap();
        write(&file, "one").unwrap();
        for name in ["register.toml", "lock"] {
            let metadata = fs::metadata(home.path().join(name)).unwrap();
            assert_eq!(metadata.uid(), owner, "{name}");
            assert_eq!(metadata.mode() & 0o7777, 0o600, "{name}");
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        write(&file, "two").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        write(&file, "three").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_to_string(&file).unwrap(), "three");
    }

    #[test]
    fn a_remainder_of_an_interrupted_write_is_no_obstacle() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("authority.toml");
        fs::write(home.path().join("authority.toml.new"), "half").unwrap();
        write(&file, "whole").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "whole");
        assert!(write_first(&file, "again").is_err());
    }
}
