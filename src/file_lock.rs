//! The lock of a file: one process at a time.

use std::fs::{File, TryLockError};

/// Held until it goes.
#[derive(Debug)]
pub(crate) struct FileLock(File);

impl FileLock {
    /// Takes it, or tells that another has it.
    pub(crate) fn take(file: File) -> Result<Self, TryLockError> {
        file.try_lock()?;
        Ok(Self(file))
    }
}

impl Drop for FileLock {
    /// Gives it back in so many words: closing alone would leave it with a program that was just forked off and has not
    /// yet closed what it inherited.
    fn drop(&mut self) {
        // It goes with the last descriptor anyhow.
        let _best_effort = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_given_back_though_a_child_has_inherited_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let take = || FileLock::take(File::open(file.path()).unwrap());
        let lock = take().unwrap();
        let inherited = lock.0.try_clone().unwrap();
        assert!(matches!(take(), Err(TryLockError::WouldBlock)));
        drop(lock);
        assert!(take().is_ok());
        drop(inherited);
    }
}
