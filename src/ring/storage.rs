//! What lies between a ring and the disk: a small trait, so that a test can make the n-th call fail, or cut the power
//! and lose or tear what was not synced.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::page::PAGE;

/// A string of octets that can be made durable.
pub trait Storage: Send + Sync + 'static {
    /// How long it is.
    fn length(&self) -> io::Result<u64>;

    /// Fills `out` from there; past the end is an error.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// Writes all of `octets` there; past the end it grows.
    fn write_at(&self, offset: u64, octets: &[u8]) -> io::Result<()>;

    /// Returns when everything written before is durable. After an error nothing is known of it any more.
    fn sync(&self) -> io::Result<()>;

    /// Whether nothing here ever waits for a disk: then it is not worth letting others go on meanwhile, nor gathering
    /// more for one sync.
    fn is_instant(&self) -> bool {
        false
    }
}

/// A file. Writes go through the page cache; reads go past it where the file system allows that, since after a failed
/// write the cache may hold what the disk does not.
pub struct FileStorage {
    file: File,
    past_the_cache: Option<File>,
}

impl FileStorage {
    /// Storage on an open file; `path` is where it can be opened a second time for reading past the cache.
    pub fn new(file: File, path: &Path) -> Self {
        let direct = i32::try_from(rustix::fs::OFlags::DIRECT.bits()).unwrap_or(0);
        let past_the_cache = File::options()
            .read(true)
            .custom_flags(direct)
            .open(path)
            .ok();
        Self {
            file,
            past_the_cache,
        }
    }

    /// Reading past the cache needs memory, offset and length aligned to pages.
    fn read_direct(file: &File, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let page = PAGE as u64;
        let start = offset / page * page;
        let end = (offset + out.len() as u64).div_ceil(page) * page;
        let length = usize::try_from(end - start).map_err(io::Error::other)?;
        let mut memory = vec![0; length + PAGE];
        let shift = memory.as_ptr().align_offset(PAGE);
        let aligned = &mut memory[shift..shift + length];
        let mut done = 0;
        while done < length {
            match file.read_at(&mut aligned[done..], start + done as u64)? {
                0 => break,
                read => done += read,
            }
        }
        let from = usize::try_from(offset - start).map_err(io::Error::other)?;
        if done < from + out.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out.copy_from_slice(&aligned[from..from + out.len()]);
        Ok(())
    }
}

impl Storage for FileStorage {
    fn length(&self) -> io::Result<u64> {
        self.file.metadata().map(|data| data.len())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match &self.past_the_cache {
            Some(file) => match Self::read_direct(file, offset, out) {
                // Some file systems open so and then refuse to read so.
                Err(why) if why.kind() == io::ErrorKind::InvalidInput => {
                    self.file.read_exact_at(out, offset)
                }
                done => done,
            },
            None => self.file.read_exact_at(out, offset),
        }
    }

    fn write_at(&self, offset: u64, octets: &[u8]) -> io::Result<()> {
        self.file.write_all_at(octets, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Memory that plays a disk. It forgets everything with the process: for tests, and to measure what all but the disk
/// costs.
#[derive(Default)]
pub struct MemoryStorage(Mutex<Vec<u8>>);

impl MemoryStorage {
    /// Storage that holds these octets.
    pub fn new(octets: Vec<u8>) -> Self {
        Self(Mutex::new(octets))
    }

    /// A copy of what it holds.
    pub fn to_vec(&self) -> Vec<u8> {
        self.octets().clone()
    }

    fn octets(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage for MemoryStorage {
    fn length(&self) -> io::Result<u64> {
        Ok(self.octets().len() as u64)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let octets = self.octets();
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let wanted = octets
            .get(start..start + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(wanted);
        Ok(())
    }

    fn write_at(&self, offset: u64, new: &[u8]) -> io::Result<()> {
        let mut octets = self.octets();
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let end = start + new.len();
        if octets.len() < end {
            octets.resize(end, 0);
        }
        octets[start..end].copy_from_slice(new);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn is_instant(&self) -> bool {
        true
    }
}

/// How many octets are free for us on the file system of a path, if it can be asked.
pub fn free_octets(path: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}
