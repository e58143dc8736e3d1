//! Exports: everything that the store holds, in a file of our own form, from which it can be restored, checked, or
//! carried to another engine. `docs/store.md` draws it.
//!
//! An export is taken while the store goes on working. Records are read page by page, and every change that is applied
//! meanwhile is written after what was read before it; so who replays the file in its order gets the state of the
//! moment at which the export was finished.

use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::batch::{Change, MAX_KEY, MAX_VALUE};
use super::error::StoreError;
use crate::clock::WallTime;
use crate::codec::checksum::crc32c;

const MAGIC: &[u8; 8] = b"SLUICEST";
/// The form of exports that this program writes.
pub(super) const VERSION: u16 = 1;
const HEADER: usize = 32;

const PUT: u8 = 1;
const DELETE: u8 = 2;
const END: u8 = 0xFF;

/// What stands before a key: kind, key length, value length.
const RECORD_HEAD: usize = 1 + 2 + 4;

/// The end: generation, records, octets, chain, checksum.
const END_RECORD: usize = 1 + 8 + 8 + 8 + 4 + 4;

/// A finished export.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exported {
    /// The file.
    pub path: PathBuf,
    /// When it was begun.
    pub at: WallTime,
    /// What it holds.
    pub summary: Summary,
}

/// What an export holds, as its end tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Number of the last durable batch in it.
    pub generation: u64,
    /// How many records.
    pub records: u64,
    /// Octets of all keys and values in it; slightly more than the store held, when it was written meanwhile.
    pub octets: u64,
}

/// A checksum over all records' checksums: none is missing, none twice, none elsewhere.
#[derive(Clone, Copy, Default)]
struct Chain(u32);

impl Chain {
    fn add(&mut self, record: u32) {
        let mut both = [0; 8];
        both[..4].copy_from_slice(&self.0.to_le_bytes());
        both[4..].copy_from_slice(&record.to_le_bytes());
        self.0 = crc32c(&both);
    }
}

/// Writes an export.
pub(super) struct Writer {
    out: BufWriter<File>,
    path: PathBuf,
    chain: Chain,
    summary: Summary,
    record: Vec<u8>,
}

impl Writer {
    /// Begins an export in a new file.
    pub(super) fn create(path: &Path, at: WallTime) -> Result<Self, StoreError> {
        let file = File::create_new(path).map_err(StoreError::io(path, "making an export"))?;
        let mut writer = Self {
            out: BufWriter::with_capacity(1 << 18, file),
            path: path.to_owned(),
            chain: Chain::default(),
            summary: Summary::default(),
            record: Vec::new(),
        };
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&[0; 6]);
        header.extend_from_slice(&at.as_unix_ms().to_le_bytes());
        header.extend_from_slice(&[0; 4]);
        header.extend_from_slice(&crc32c(&header).to_le_bytes());
        writer.write(&header)?;
        Ok(writer)
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        let failed = StoreError::io(&self.path, "writing an export");
        self.out.write_all(octets).map_err(failed)
    }

    /// Adds a record.
    pub(super) fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.add(PUT, key, value)
    }

    /// Adds a change that was made meanwhile.
    pub(super) fn change(&mut self, change: &Change) -> Result<(), StoreError> {
        match &change.value {
            Some(value) => self.add(PUT, &change.key, value),
            None => self.add(DELETE, &change.key, &[]),
        }
    }

    fn add(&mut self, kind: u8, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let mut record = std::mem::take(&mut self.record);
        record.clear();
        record.push(kind);
        let key_length = u16::try_from(key.len()).expect("keys are limited");
        record.extend_from_slice(&key_length.to_le_bytes());
        let value_length = u32::try_from(value.len()).expect("values are limited");
        record.extend_from_slice(&value_length.to_le_bytes());
        record.extend_from_slice(key);
        record.extend_from_slice(value);
        let checksum = crc32c(&record);
        record.extend_from_slice(&checksum.to_le_bytes());
        self.chain.add(checksum);
        self.summary.records += 1;
        if kind == PUT {
            self.summary.octets += (key.len() + value.len()) as u64;
        }
        let written = self.write(&record);
        self.record = record;
        written
    }

    /// Ends the export and makes its octets durable; its name is the caller's.
    pub(super) fn finish(mut self, generation: u64) -> Result<Summary, StoreError> {
        self.summary.generation = generation;
        let mut end = vec![END];
        end.extend_from_slice(&generation.to_le_bytes());
        end.extend_from_slice(&self.summary.records.to_le_bytes());
        end.extend_from_slice(&self.summary.octets.to_le_bytes());
        end.extend_from_slice(&self.chain.0.to_le_bytes());
        end.extend_from_slice(&crc32c(&end).to_le_bytes());
        self.write(&end)?;
        let Self {
            out, path, summary, ..
        } = self;
        let file = out
            .into_inner()
            .map_err(|why| StoreError::io(&path, "writing an export")(why.into_error()))?;
        file.sync_all()
            .map_err(StoreError::io(&path, "syncing an export"))?;
        Ok(summary)
    }
}

/// Reads an export.
struct Import {
    from: BufReader<File>,
    path: PathBuf,
    offset: u64,
}

impl Import {
    fn wrong(&self, why: impl std::fmt::Display) -> StoreError {
        StoreError::Export {
            path: self.path.clone(),
            why: format!("{why} before octet {}", self.offset),
        }
    }

    fn exactly(&mut self, octets: &mut [u8]) -> Result<(), StoreError> {
        match self.from.read_exact(octets) {
            Ok(()) => {
                self.offset += octets.len() as u64;
                Ok(())
            }
            Err(why) if why.kind() == ErrorKind::UnexpectedEof => Err(self.wrong("it is cut off")),
            Err(why) => Err(StoreError::io(&self.path, "reading an export")(why)),
        }
    }
}

fn number<const N: usize>(octets: &[u8], at: usize) -> [u8; N] {
    let found = octets[at..].first_chunk();
    *found.expect("lengths are checked before")
}

/// Reads an export from its beginning to its end and hands out its changes in their order. What was handed out before
/// an error is worth nothing.
pub(super) fn replay(
    path: &Path,
    mut each: impl FnMut(Change) -> Result<(), StoreError>,
) -> Result<Exported, StoreError> {
    let file = File::open(path).map_err(StoreError::io(path, "opening an export"))?;
    let mut import = Import {
        from: BufReader::with_capacity(1 << 18, file),
        path: path.to_owned(),
        offset: 0,
    };
    let mut header = [0; HEADER];
    import.exactly(&mut header)?;
    if header[..8] != *MAGIC {
        return Err(import.wrong("it does not begin with SLUICEST"));
    }
    let found = u16::from_le_bytes(number(&header, 8));
    if found != VERSION {
        return Err(StoreError::OtherVersion {
            path: path.to_owned(),
            found,
            known: VERSION,
        });
    }
    if crc32c(&header[..28]) != u32::from_le_bytes(number(&header, 28)) {
        return Err(import.wrong("its header is damaged"));
    }
    let at = WallTime::from_unix_ms(u64::from_le_bytes(number(&header, 16)));
    let mut chain = Chain::default();
    let mut summary = Summary::default();
    let mut record = Vec::new();
    loop {
        record.resize(1, 0);
        import.exactly(&mut record)?;
        match record[0] {
            PUT | DELETE => {}
            END => break,
            other => return Err(import.wrong(format!("a record is of unknown kind {other}"))),
        }
        let is_put = record[0] == PUT;
        record.resize(RECORD_HEAD, 0);
        import.exactly(&mut record[1..])?;
        let key = usize::from(u16::from_le_bytes(number(&record, 1)));
        let value = u32::from_le_bytes(number(&record, 3)) as usize;
        if key > MAX_KEY || value > MAX_VALUE {
            return Err(import.wrong("a record's length is damaged"));
        }
        let end = RECORD_HEAD + key + value;
        record.resize(end + 4, 0);
        import.exactly(&mut record[RECORD_HEAD..])?;
        let checksum = u32::from_le_bytes(number(&record, end));
        if crc32c(&record[..end]) != checksum {
            return Err(import.wrong("a record is damaged"));
        }
        chain.add(checksum);
        summary.records += 1;
        if is_put {
            summary.octets += (key + value) as u64;
        }
        let octets = Bytes::copy_from_slice(&record[RECORD_HEAD..end]);
        each(Change {
            key: octets.slice(..key),
            value: is_put.then(|| octets.slice(key..)),
        })?;
    }
    record.resize(END_RECORD, 0);
    import.exactly(&mut record[1..])?;
    if crc32c(&record[..29]) != u32::from_le_bytes(number(&record, 29)) {
        return Err(import.wrong("its end is damaged"));
    }
    summary.generation = u64::from_le_bytes(number(&record, 1));
    let told = (
        u64::from_le_bytes(number(&record, 9)),
        u64::from_le_bytes(number(&record, 17)),
        u32::from_le_bytes(number(&record, 25)),
    );
    if told != (summary.records, summary.octets, chain.0) {
        return Err(import.wrong("records are missing or stand at another place"));
    }
    match import.from.read(&mut [0]) {
        Ok(0) => Ok(Exported {
            path: path.to_owned(),
            at,
            summary,
        }),
        Ok(_) => Err(import.wrong("something stands after its end")),
        Err(why) => Err(StoreError::io(path, "reading an export")(why)),
    }
}

/// What an export's end tells, without looking at what is before it.
pub(super) fn summary(path: &Path) -> Result<Summary, StoreError> {
    let failed = StoreError::io(path, "reading an export");
    let end = File::open(path).and_then(|mut file| {
        let mut end = [0; END_RECORD];
        file.seek(SeekFrom::End(-(END_RECORD as i64)))?;
        file.read_exact(&mut end)?;
        Ok(end)
    });
    let end = end.map_err(failed)?;
    if end[0] != END || crc32c(&end[..29]) != u32::from_le_bytes(number(&end, 29)) {
        return Err(StoreError::Export {
            path: path.to_owned(),
            why: "its end is damaged".into(),
        });
    }
    Ok(Summary {
        generation: u64::from_le_bytes(number(&end, 1)),
        records: u64::from_le_bytes(number(&end, 9)),
        octets: u64::from_le_bytes(number(&end, 17)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path) -> PathBuf {
        let path = folder.join("export");
        let mut writer = Writer::create(&path, WallTime::from_unix_ms(5)).unwrap();
        writer.put(b"a", b"1").unwrap();
        let change = Change {
            key: Bytes::from_static(b"b"),
            value: None,
        };
        writer.change(&change).unwrap();
        writer.put(b"c", &[7; 300]).unwrap();
        let summary = writer.finish(42).unwrap();
        assert_eq!((summary.records, summary.octets), (3, 303));
        path
    }

    #[test]
    fn an_export_comes_back_and_every_flipped_bit_and_every_cut_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        let mut changes = Vec::new();
        let exported = replay(&path, |change| {
            changes.push(change);
            Ok(())
        })
        .unwrap();
        assert_eq!(exported.at, WallTime::from_unix_ms(5));
        assert_eq!(exported.summary.generation, 42);
        assert_eq!(summary(&path).unwrap(), exported.summary);
        assert_eq!(changes.len(), 3);
        assert_eq!(changes[1].value, None);
        assert_eq!(changes[2].value.as_deref(), Some(&[7; 300][..]));

        let whole = std::fs::read(&path).unwrap();
        let damaged = folder.path().join("damaged");
        let is_refused = |octets: &[u8]| {
            std::fs::write(&damaged, octets).unwrap();
            replay(&damaged, |_| Ok(())).is_err()
        };
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(is_refused(&flipped), "bit {bit}");
        }
        for length in 0..whole.len() {
            assert!(is_refused(&whole[..length]), "cut at {length}");
        }
        let longer = [&whole[..], b"x"].concat();
        assert!(is_refused(&longer));
    }
}
