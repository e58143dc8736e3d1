//! Reads a ring file without changing it: for opening, and for looking at one that is stopped, damaged or in use.

use std::path::Path;

use bytes::Bytes;

use super::error::RingError;
use super::outcome;
use super::page::{
    self, Broken, ENTRY, Entry, Header, LIVE, MAX_RINGS, OUTCOME, PAGE, Place, State, area_offset,
    decode_slot, entry_offset, file_length, header_offset, is_empty, live_offset,
};
use super::recovery::Evidence;
use super::storage::Storage;
use crate::lane::{Address, SLOTS, Sequence, Side};
use crate::message::Outcome;

/// What header and directory say.
pub(super) struct Directory {
    pub(super) header: Header,
    pub(super) entries: Vec<Entry>,
    /// What has to be written to make both copies whole again.
    pub(super) heal: Vec<(u64, Vec<u8>)>,
    /// The same for people.
    pub(super) healed: Vec<String>,
}

fn read(
    path: &Path,
    storage: &dyn Storage,
    what: &str,
    offset: u64,
    length: usize,
) -> Result<Bytes, RingError> {
    let mut octets = vec![0; length];
    storage
        .read_at(offset, &mut octets)
        .map_err(|why| RingError::io(path, format!("reading {what}"), why))?;
    Ok(octets.into())
}

/// Reads header and directory from whichever copy is whole.
pub(super) fn directory(path: &Path, storage: &dyn Storage) -> Result<Directory, RingError> {
    let length = storage
        .length()
        .map_err(|why| RingError::io(path, "asking for its length", why))?;
    if length < area_offset(0) {
        let why = format!("the file has {length} octets, less than a header and a directory");
        return Err(RingError::NoHeader {
            path: path.to_owned(),
            why,
        });
    }
    let mut found = Directory {
        header: header(path, storage)?,
        entries: Vec::new(),
        heal: Vec::new(),
        healed: Vec::new(),
    };
    for copy in 0..2 {
        let octets = read(path, storage, "the header", header_offset(copy), PAGE)?;
        if Header::decode(&octets) != Ok(found.header.clone()) {
            found
                .heal
                .push((header_offset(copy), found.header.encode()));
            found.healed.push(format!(
                "copy {copy} of the file header was damaged; healed from the other"
            ));
        }
    }
    let copies = [0, 1].map(|copy| {
        read(
            path,
            storage,
            "the directory",
            entry_offset(copy, 0),
            MAX_RINGS * ENTRY,
        )
    });
    let [first, second] = copies;
    entries(path, &first?, &second?, &mut found)?;
    Ok(found)
}

fn header(path: &Path, storage: &dyn Storage) -> Result<Header, RingError> {
    let mut first = None;
    for copy in 0..2 {
        let octets = read(path, storage, "the header", header_offset(copy), PAGE)?;
        match Header::decode(&octets) {
            Ok(header) => return Ok(header),
            Err(Broken::Version(found)) => {
                return Err(RingError::OtherVersion {
                    path: path.to_owned(),
                    found,
                });
            }
            Err(why) => first = first.or(Some(why)),
        }
    }
    Err(RingError::NoHeader {
        path: path.to_owned(),
        why: first.map(|why| why.to_string()).unwrap_or_default(),
    })
}

fn entries(
    path: &Path,
    first: &Bytes,
    second: &Bytes,
    found: &mut Directory,
) -> Result<(), RingError> {
    let mut ended = false;
    for index in 0..MAX_RINGS as u16 {
        let range = usize::from(index) * ENTRY..(usize::from(index) + 1) * ENTRY;
        let copies = [&first[range.clone()], &second[range]];
        let [a, b] = copies.map(Entry::decode);
        let entry = match (a, b) {
            // The second copy is begun when the first is durable with all new rings. What only the first names behind
            // a free entry was cut off while rings were being added; nobody was told of it.
            (Ok(Some(_)), Ok(None)) if ended => None,
            (Ok(Some(entry)), _) | (Err(_), Ok(Some(entry))) => Some(entry),
            // Copy A is written first: a ring named by B alone has lost its entry in A.
            (Ok(None), Ok(Some(entry))) => Some(entry),
            (Ok(None) | Err(_), Ok(None)) | (Ok(None), Err(_)) => None,
            (Err(why), Err(_)) => {
                return Err(RingError::Io {
                    path: path.to_owned(),
                    doing: format!("reading the name of ring {index}: both copies are damaged;"),
                    source: std::io::Error::other(why),
                });
            }
        };
        let octets = entry.as_ref().map_or([0; ENTRY], Entry::encode);
        for (copy, stands) in (0..).zip(copies) {
            if *stands != octets {
                found
                    .heal
                    .push((entry_offset(copy, index), octets.to_vec()));
                found.healed.push(format!(
                    "copy {copy} of directory entry {index} was damaged; healed from the other"
                ));
            }
        }
        match entry {
            Some(entry) if !ended => found.entries.push(entry),
            Some(entry) => {
                return Err(RingError::Io {
                    path: path.to_owned(),
                    doing: format!("reading the directory at ring {}:", entry.name),
                    source: std::io::Error::other("a free entry stands before it"),
                });
            }
            None => ended = true,
        }
    }
    Ok(())
}

/// Refuses a file that ends before the last of its rings.
pub(super) fn check_length(
    path: &Path,
    storage: &dyn Storage,
    entries: &[Entry],
) -> Result<(), RingError> {
    let length = storage
        .length()
        .map_err(|why| RingError::io(path, "asking for its length", why))?;
    let expected = file_length(entries.len() as u16);
    if length >= expected {
        return Ok(());
    }
    let cut = entries
        .iter()
        .zip(0..)
        .find(|&(_, index)| length < area_offset(index + 1));
    let (ring, slot) = match cut {
        Some((entry, index)) => {
            let slot = Address::all()
                .find(|&address| length < page::slot_offset(index, address) + PAGE as u64)
                .unwrap_or(Address::from_index(SLOTS as usize - 1));
            (entry.name.to_string(), slot)
        }
        None => (String::from("none"), Address::from_index(0)),
    };
    Err(RingError::Truncated {
        path: path.to_owned(),
        length,
        expected,
        ring,
        slot,
    })
}

/// All that tells of one ring.
pub(super) struct RingFound {
    /// What recovery works on.
    pub(super) evidence: Evidence,
    /// The outcomes kept, by address − 1. A damaged record is nobody's, and doubtful.
    pub(super) outcomes: Box<[Option<(Sequence, Outcome)>]>,
    /// Damage that recovery need not see: another record tells the same, or nothing depends on it.
    pub(super) noted: Vec<String>,
}

/// Reads a ring's area and its live record.
pub(super) fn ring(
    path: &Path,
    storage: &dyn Storage,
    live: Option<&dyn Storage>,
    place: Place,
    side: Side,
) -> Result<RingFound, RingError> {
    let length = usize::try_from(area_offset(1) - area_offset(0)).expect("an area is 1 MiB");
    let area = read(path, storage, "the ring", area_offset(place.ring), length)?;
    let within = |offset: u64, length: usize| {
        let start = usize::try_from(offset - area_offset(place.ring)).expect("within the area");
        area.slice(start..start + length)
    };
    let mut noted = Vec::new();
    let states = [0, 1].map(|number| {
        let page = within(page::state_offset(place.ring, number), PAGE);
        State::decode(&page, place)
            .inspect_err(|why| {
                if !is_empty(&page) {
                    noted.push(format!(
                        "state page {number} is damaged ({why}); the other one and the slots tell enough"
                    ));
                }
            })
            .ok()
    });
    let slots = Address::all()
        .map(|address| {
            let page = within(page::slot_offset(place.ring, address), PAGE);
            decode_slot(&page, place, address)
        })
        .collect();
    let outcomes = Address::all()
        .map(|address| {
            let record = within(page::outcome_offset(place.ring, address), OUTCOME);
            match outcome::decode(&record, place) {
                Ok(Some((sequence, outcome))) if sequence.address() == address => {
                    Some((sequence, outcome))
                }
                Ok(None) => None,
                Ok(Some(_)) => {
                    noted.push(format!(
                        "outcome {address} belongs to another address; it reads as doubtful"
                    ));
                    Some((Sequence::NONE, Outcome::Doubtful))
                }
                Err(why) => {
                    noted.push(format!(
                        "outcome {address} is damaged ({why}); it reads as doubtful"
                    ));
                    Some((Sequence::NONE, Outcome::Doubtful))
                }
            }
        })
        .collect();
    // A live record that is missing, old or torn tells nothing, and nothing depends on it.
    let live = live.and_then(|live| {
        let mut record = [0; LIVE];
        live.read_at(live_offset(place.ring), &mut record).ok()?;
        State::decode_live(&record, place).ok()
    });
    Ok(RingFound {
        evidence: Evidence {
            side,
            epoch: place.epoch,
            states,
            live,
            slots,
        },
        outcomes,
        noted,
    })
}
