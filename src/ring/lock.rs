//! Who may touch a ring file: one process at a time, and only the file that has the name now.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::error::RingError;

/// Takes the lock of an open file, if it is free and the file still is the one of that name. Between opening and
/// locking another process may have put a renewed file in its place; what is locked then is the former one, and what
/// would be written there nobody would find again.
pub(super) fn hold(file: &File, path: &Path) -> Result<(), RingError> {
    hold_for(file, path, path)
}

/// The same; complaints name the file that people asked for.
fn hold_for(file: &File, path: &Path, asked: &Path) -> Result<(), RingError> {
    let in_use = || RingError::InUse {
        path: asked.to_owned(),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(in_use()),
        Err(TryLockError::Error(why)) => return Err(RingError::io(asked, "locking", why)),
    }
    match has_the_name(file, path).map_err(|why| RingError::io(asked, "locking", why))? {
        true => Ok(()),
        false => Err(in_use()),
    }
}

/// Opens the preliminary file in which a new one is made, and takes its lock: of two that make the same file at once
/// one would write zeros over what the other already uses.
pub(super) fn making(path: &Path, asked: &Path) -> Result<File, RingError> {
    let file = File::options()
        .write(true)
        .read(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|why| RingError::io(asked, "making the file", why))?;
    hold_for(&file, path, asked)?;
    Ok(file)
}

fn has_the_name(file: &File, path: &Path) -> io::Result<bool> {
    let named = match std::fs::metadata(path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(false),
        named => named?,
    };
    let held = file.metadata()?;
    Ok((held.dev(), held.ino()) == (named.dev(), named.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_lost_its_name_before_it_was_locked_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rings");
        std::fs::write(&path, "former").unwrap();
        let former = File::open(&path).unwrap();
        std::fs::write(folder.path().join("renewed"), "now").unwrap();
        std::fs::rename(folder.path().join("renewed"), &path).unwrap();
        assert!(matches!(hold(&former, &path), Err(RingError::InUse { .. })));
        hold(&File::open(&path).unwrap(), &path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(hold(&former, &path), Err(RingError::InUse { .. })));
    }
}
