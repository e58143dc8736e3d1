//! Making ring files and adding rings to them: zeros first, names last.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::error::RingError;
use super::page::{self, Entry, Header, MAX_RINGS, PAGE, entry_offset, header_offset, live_offset};
use super::storage::{FileStorage, Storage};
use crate::clock::Clock;
use crate::lane::{Epoch, RingName};

pub(super) fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

pub(super) fn random() -> u64 {
    loop {
        let number = getrandom::u64().expect("the kernel gives random numbers");
        if number != 0 {
            return number;
        }
    }
}

pub(super) fn entry(name: &RingName, random: &mut dyn FnMut() -> u64) -> Entry {
    Entry {
        name: name.clone(),
        epoch: Epoch::new(random().max(1)).expect("at least one"),
        made_at: Clock::system().wall(),
    }
}

pub(super) fn check_names(
    path: &Path,
    present: &[RingName],
    new: &[RingName],
) -> Result<(), RingError> {
    let wanted = present.len() + new.len();
    if wanted > MAX_RINGS {
        return Err(RingError::TooManyRings {
            path: path.to_owned(),
            wanted,
        });
    }
    for (n, name) in new.iter().enumerate() {
        if present.contains(name) || new[..n].contains(name) {
            return Err(RingError::Twice {
                path: path.to_owned(),
                ring: name.clone(),
            });
        }
    }
    Ok(())
}

pub(super) enum Making {
    Full,
    Io(&'static str, io::Error),
}

pub(super) fn make(file: &File, path: &Path, names: &[RingName]) -> Result<(), Making> {
    let sorted = |doing| {
        move |why: io::Error| match why.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Making::Full,
            _ => Making::Io(doing, why),
        }
    };
    let file = file
        .set_len(0)
        .and_then(|()| file.try_clone())
        .map_err(sorted("making the file"))?;
    let storage = FileStorage::new(file, path);
    format(&storage, names, &mut random).map_err(sorted("filling the file with zeros"))
}

/// Gives the live file its full size, so that a full disk later cannot keep a record from being written.
pub(super) fn fill_live(live: &dyn Storage, rings: u16) -> io::Result<()> {
    let length = live.length()?;
    let whole = live_offset(rings);
    if length < whole {
        zeros(live, length, whole)?;
    }
    Ok(())
}

/// Makes a ring file on empty storage. Chance comes in as an argument, so that a simulation can repeat itself.
pub fn format(
    storage: &dyn Storage,
    names: &[RingName],
    random: &mut dyn FnMut() -> u64,
) -> io::Result<()> {
    zeros(storage, 0, page::area_offset(0))?;
    let mut identity = [0; 16];
    for half in identity.chunks_exact_mut(8) {
        half.copy_from_slice(&random().to_le_bytes());
    }
    let header = Header {
        identity,
        made_at: Clock::system().wall(),
    }
    .encode();
    let entries: Vec<Entry> = names.iter().map(|name| entry(name, random)).collect();
    grow(storage, 0, &entries)?;
    for copy in 0..2 {
        storage.write_at(header_offset(copy), &header)?;
        storage.sync()?;
    }
    Ok(())
}

/// Adds areas of zeros, then their entries: a crash in between leaves areas that nobody names.
pub(super) fn grow(storage: &dyn Storage, first: u16, entries: &[Entry]) -> io::Result<()> {
    let end = first + entries.len() as u16;
    zeros(storage, page::area_offset(first), page::area_offset(end))?;
    storage.sync()?;
    for copy in 0..2 {
        for (index, entry) in (first..).zip(entries) {
            storage.write_at(entry_offset(copy, index), &entry.encode())?;
        }
        storage.sync()?;
    }
    Ok(())
}

fn zeros(storage: &dyn Storage, from: u64, to: u64) -> io::Result<()> {
    let block = vec![0; 64 * PAGE];
    let mut offset = from;
    while offset < to {
        let length = (to - offset).min(block.len() as u64) as usize;
        storage.write_at(offset, &block[..length])?;
        offset += length as u64;
    }
    Ok(())
}

pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}
