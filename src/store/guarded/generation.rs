//! The small file that tells silent loss: the number of the last durable batch, beside the database that holds it too.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::codec::checksum::{is_sealed, seal};

const MAGIC: &[u8; 8] = b"SLUICEGN";
/// A record is a sector, so that one can be torn and the other one is whole.
const RECORD: usize = 512;

/// The open file. Two records, written by turns.
pub(super) struct GenerationFile(File);

/// What the file tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Told {
    /// There is none: the store is new.
    Nothing,
    /// This batch, at least, was durable.
    Batch(u64),
    /// Neither record can be read.
    Damaged,
}

fn parse(record: &[u8]) -> Option<u64> {
    if record.len() != RECORD || !is_sealed(record) || record[..8] != *MAGIC {
        return None;
    }
    record[8..].first_chunk().copied().map(u64::from_le_bytes)
}

impl GenerationFile {
    /// Opens the file, makes it if there is none, and tells what it told before.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Told)> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let octets = std::fs::read(path)?;
        let told = match octets.is_empty() {
            true => Told::Nothing,
            false => octets
                .chunks(RECORD)
                .filter_map(parse)
                .max()
                .map_or(Told::Damaged, Told::Batch),
        };
        Ok((Self(file), told))
    }

    /// Notes that a batch is durable. Not synced: a number that is too small is harmless.
    pub(super) fn note(&self, generation: u64) -> io::Result<()> {
        let mut record = [0; RECORD];
        record[..8].copy_from_slice(MAGIC);
        record[8..16].copy_from_slice(&generation.to_le_bytes());
        seal(&mut record);
        self.0.write_all_at(&record, generation % 2 * RECORD as u64)
    }

    /// Makes the number durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_whole_record_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("generation");
        let (file, told) = GenerationFile::open(&path).unwrap();
        assert_eq!(told, Told::Nothing);
        file.note(7).unwrap();
        file.note(8).unwrap();
        let told = || GenerationFile::open(&path).unwrap().1;
        assert_eq!(told(), Told::Batch(8));
        // The write of 8 is torn: 7 stands.
        file.0.write_all_at(b"x", 20).unwrap();
        assert_eq!(told(), Told::Batch(7));
        file.0.write_all_at(b"x", 600).unwrap();
        assert_eq!(told(), Told::Damaged);
        // One odd number alone leaves a hole before it.
        std::fs::remove_file(&path).unwrap();
        GenerationFile::open(&path).unwrap().0.note(1).unwrap();
        assert_eq!(told(), Told::Batch(1));
    }
}
