//! A new life for fenced rings: a new file in which they have a new epoch.
//!
//! Continuity of a fenced ring cannot be proven: numbers may have been given out that its file knows nothing of. Under
//! the old epoch they would be given out again, and the far end would drop new messages as repetitions. So the ring
//! begins anew: its waiting messages are stored again, in order, as 1, 2, 3 …, and the far end sees by the epoch that
//! these are other numbers.
//!
//! Promised: until the new file stands in its place, whole and durable, the old one does; afterwards the old one is
//! kept under another name; other rings come along octet for octet. Risked, and told: what the far end had already may
//! come to it again; what this file has lost stays lost; how messages of the old epoch ended is forgotten.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::RingError;
use super::format::{beside, entry, random, sync_directory};
use super::lock;
use super::marks::Marks;
use super::page::{
    Entry, Header, PAGE, Place, State, area_offset, encode_slot, entry_offset, file_length,
    header_offset, slot_offset, state_offset,
};
use super::parcel::Parcel;
use super::read;
use super::recovery::{self, Recovered};
use super::storage::{FileStorage, Storage};
use crate::clock::Clock;
use crate::lane::{RingName, SLOTS, Sequence, Side};

/// What a renewal did.
#[derive(Debug, Serialize)]
pub struct Renewal {
    /// The file.
    pub path: String,
    /// Where the former file is kept; nothing if no ring had to be renewed, and then nothing was changed.
    pub kept: Option<String>,
    /// The rings with a new epoch.
    pub rings: Vec<RenewedRing>,
}

/// One ring with a new epoch.
#[derive(Debug, Serialize)]
pub struct RenewedRing {
    /// Which one.
    pub name: String,
    /// Its epoch until now.
    pub former_epoch: String,
    /// Its epoch from now on.
    pub epoch: String,
    /// How many messages were carried over; they are 1 to this now.
    pub carried: u64,
    /// How many of them the far end may have already.
    pub known_far: u64,
    /// Former numbers of messages that should be waiting and are not in this file.
    pub missing: Vec<u64>,
}

/// A file that ends too early reads as if zeros followed.
struct Padded(FileStorage);

impl Storage for Padded {
    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = self.0.length()?.saturating_sub(offset);
        let there = usize::try_from(there).unwrap_or(usize::MAX).min(out.len());
        let (whole, missing) = out.split_at_mut(there);
        missing.fill(0);
        if whole.is_empty() {
            return Ok(());
        }
        self.0.read_at(offset, whole)
    }

    fn write_at(&self, _offset: u64, _octets: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Gives a new epoch to the rings named, or, if none is, to those that are fenced or cut off.
pub fn renew(path: &Path, named: &[RingName]) -> Result<Renewal, RingError> {
    let io = |doing: &'static str| move |why| RingError::io(path, doing, why);
    let file = File::open(path).map_err(io("opening"))?;
    lock::hold(&file, path)?;
    // The lock lasts until the new file is in place.
    let locked = file.try_clone().map_err(io("opening"))?;
    let storage = FileStorage::new(file, path);
    let directory = read::directory(path, &storage)?;
    let length = storage.length().map_err(io("asking for its length"))?;
    let storage = Padded(storage);
    for name in named {
        if !directory.entries.iter().any(|entry| entry.name == *name) {
            return Err(RingError::NoSuchRing {
                path: path.to_owned(),
                ring: name.clone(),
            });
        }
    }
    let live_path = beside(path, "live");
    let live = File::open(&live_path)
        .ok()
        .map(|file| FileStorage::new(file, &live_path));

    let mut renewal = Renewal {
        path: path.display().to_string(),
        kept: None,
        rings: Vec::new(),
    };
    let mut areas = Vec::new();
    for (former, index) in directory.entries.iter().zip(0..) {
        let place = Place {
            ring: index,
            epoch: former.epoch,
        };
        let live = live.as_ref().map(|live| live as &dyn Storage);
        let found = read::ring(path, &storage, live, place, former.name.side)?;
        let recovered = recovery::recover(found.evidence);
        let cut_off = length < area_offset(index + 1);
        if recovered.fence.is_some() || cut_off || named.contains(&former.name) {
            let fresh = entry(&former.name, &mut random);
            renewal.rings.push(account(former, &fresh, &recovered));
            areas.push((fresh, Some(waiting(&recovered))));
        } else {
            areas.push((former.clone(), None));
        }
    }
    let Some(first) = renewal.rings.first() else {
        return Ok(renewal);
    };

    let making = beside(path, "new");
    if let Err(why) = write(&making, &storage, &areas) {
        // What is left of it would only be in the way.
        let _best_effort = std::fs::remove_file(&making);
        return Err(match why.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => RingError::DiskFull {
                path: path.to_owned(),
                needed: file_length(areas.len() as u16),
                rings: areas.len(),
            },
            _ => RingError::io(path, "writing the renewed file", why),
        });
    }
    let kept = keep(path, &first.former_epoch).map_err(io("keeping the former file"))?;
    std::fs::rename(&making, path)
        .and_then(|()| sync_directory(path))
        .map_err(io("putting the renewed file in place"))?;
    drop(locked);
    renewal.kept = Some(kept.display().to_string());
    Ok(renewal)
}

/// What waits to be processed, in order.
fn waiting(recovered: &Recovered) -> Vec<Parcel> {
    window(recovered)
        .filter_map(|sequence| recovered.array.get(sequence).cloned())
        .collect()
}

fn window(recovered: &Recovered) -> impl Iterator<Item = Sequence> + Clone + '_ {
    let array = &recovered.array;
    let processed = array.marks().processed.up_to();
    (1..=SLOTS)
        .map(move |step| processed.plus(step))
        .filter(|&sequence| {
            let flags = array.flags(sequence);
            flags.retrieved && !flags.processed
        })
}

fn account(former: &Entry, fresh: &Entry, recovered: &Recovered) -> RenewedRing {
    let array = &recovered.array;
    let carried = window(recovered).filter(|&sequence| array.get(sequence).is_some());
    RenewedRing {
        name: former.name.to_string(),
        former_epoch: former.epoch.to_string(),
        epoch: fresh.epoch.to_string(),
        carried: carried.clone().count() as u64,
        known_far: carried
            .filter(|&sequence| array.flags(sequence).sent)
            .count() as u64,
        missing: window(recovered)
            .filter(|&sequence| array.get(sequence).is_none())
            .map(Sequence::get)
            .collect(),
    }
}

/// Writes the new file and makes it durable under its preliminary name.
fn write(
    making: &Path,
    former: &dyn Storage,
    areas: &[(Entry, Option<Vec<Parcel>>)],
) -> io::Result<()> {
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(making)?;
    let storage = FileStorage::new(file, making);
    let head = usize::try_from(area_offset(0)).map_err(io::Error::other)?;
    storage.write_at(0, &vec![0; head])?;
    let length = usize::try_from(area_offset(1) - area_offset(0)).map_err(io::Error::other)?;
    for ((entry, parcels), index) in areas.iter().zip(0..) {
        let mut area = vec![0; length];
        match parcels {
            None => former.read_at(area_offset(index), &mut area)?,
            Some(parcels) => fill(&mut area, index, entry, parcels),
        }
        storage.write_at(area_offset(index), &area)?;
        for copy in 0..2 {
            storage.write_at(entry_offset(copy, index), &entry.encode())?;
        }
    }
    let mut identity = [0; 16];
    for half in identity.chunks_exact_mut(8) {
        half.copy_from_slice(&random().to_le_bytes());
    }
    let header = Header {
        identity,
        made_at: Clock::system().wall(),
    };
    for copy in 0..2 {
        storage.write_at(header_offset(copy), &header.encode())?;
    }
    storage.sync()
}

/// A new life: the messages as 1, 2, 3 …, stored and nothing more.
fn fill(area: &mut [u8], index: u16, entry: &Entry, parcels: &[Parcel]) {
    let place = Place {
        ring: index,
        epoch: entry.epoch,
    };
    let mut put = |offset: u64, page: &[u8]| {
        let start = usize::try_from(offset - area_offset(index)).expect("an area is 1 MiB");
        area[start..start + PAGE].copy_from_slice(page);
    };
    let mut marks = Marks::default();
    for (parcel, number) in parcels.iter().zip(1..) {
        let sequence = Sequence::new(number);
        put(
            slot_offset(index, sequence.address()),
            &encode_slot(place, sequence, &Marks::default(), parcel),
        );
        marks.retrieved.set(sequence);
        if entry.name.side == Side::Mirror {
            marks.sent.set(sequence);
        }
    }
    let state = State {
        number: 1,
        clean: true,
        fence: None,
        marks,
    };
    put(state_offset(index, state.number), &state.encode(place));
}

/// A second name for the former file and a copy of its live records, so that it can be put back as it was.
fn keep(path: &Path, epoch: &str) -> io::Result<PathBuf> {
    let mut kept = beside(path, &format!("old-{epoch}"));
    let mut again = 1;
    while let Err(why) = std::fs::hard_link(path, &kept) {
        if why.kind() != io::ErrorKind::AlreadyExists {
            return Err(why);
        }
        again += 1;
        kept = beside(path, &format!("old-{epoch}-{again}"));
    }
    match std::fs::copy(beside(path, "live"), beside(&kept, "live")) {
        Ok(_octets) => {}
        // Nothing depends on it.
        Err(why) if why.kind() == io::ErrorKind::NotFound => {}
        Err(why) => return Err(why),
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lane::Lane;
    use crate::message::{
        Body, Coding, DeliveryKey, Item, PhoneNumber, ShortCode, ShortMessage, UserDataHeader,
    };
    use crate::ring::page::Fence;
    use crate::ring::{Array, RingFile};

    fn parcel(text: &str) -> Parcel {
        let body = Body::new(
            Coding::Octets,
            UserDataHeader::NONE,
            bytes::Bytes::copy_from_slice(text.as_bytes()),
        )
        .unwrap();
        let message = ShortMessage::new(
            PhoneNumber::new("358401234567").unwrap().into(),
            ShortCode::new("12345").unwrap().into(),
            body,
        );
        Parcel::pack(
            &Item::Message(message),
            Clock::system().wall(),
            DeliveryKey([7; 24]),
        )
        .unwrap()
    }

    fn names() -> [RingName; 2] {
        let lane: Lane = "oslo/a".parse().unwrap();
        [
            RingName::new(lane.clone(), crate::lane::Direction::Mo, Side::Origin),
            RingName::new(lane, crate::lane::Direction::Mt, Side::Mirror),
        ]
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    }

    /// A file whose first ring has messages 3 to 6 waiting, and whose second has 1.
    fn used(path: &Path) {
        let opened = RingFile::create(path, &names()).unwrap();
        runtime().block_on(async {
            let [first, second] = names().map(|name| opened.file.ring(&name).unwrap());
            for number in 1..=6 {
                first.append(parcel(&number.to_string())).await.unwrap();
            }
            first.confirm_up_to(Sequence::new(4)).unwrap();
            first.process_up_to(Sequence::new(2)).unwrap();
            second
                .store(vec![(Sequence::new(1), parcel("far"))])
                .await
                .unwrap();
            opened.file.close().await.unwrap();
        });
    }

    fn texts(array: &Array) -> Vec<Vec<u8>> {
        (1..=array.accepted().get())
            .filter_map(|number| array.get(Sequence::new(number)))
            .map(|parcel| match parcel.unpack().unwrap() {
                Item::Message(message) => message.body.data().to_vec(),
                Item::Report(_) => Vec::new(),
            })
            .collect()
    }

    #[test]
    fn a_named_ring_begins_anew_with_what_waited_and_the_other_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rings");
        used(&path);
        let former = std::fs::read(&path).unwrap();
        let [first, second] = names();

        let renewal = renew(&path, std::slice::from_ref(&first)).unwrap();
        let [ring] = &renewal.rings[..] else {
            panic!("one ring is renewed: {renewal:?}")
        };
        assert_eq!((ring.carried, ring.known_far), (4, 2));
        assert!(ring.missing.is_empty());
        assert_eq!(std::fs::read(renewal.kept.unwrap()).unwrap(), former);
        let now = std::fs::read(&path).unwrap();
        let from = area_offset(1) as usize;
        assert_eq!(now[from..], former[from..], "the other ring's area");

        let opened = RingFile::open(&path).unwrap();
        assert!(opened.rings.iter().all(|report| report.remarks.is_empty()));
        let ring = opened.file.ring(&first).unwrap();
        assert_eq!(
            ring.look(texts),
            [&b"3"[..], b"4", b"5", b"6"],
            "in order, from 1"
        );
        let marks = ring.look(|array| *array.marks());
        assert_eq!(marks.retrieved.up_to(), Sequence::new(4));
        assert_eq!(marks.sent.up_to(), Sequence::NONE);
        let next = runtime().block_on(ring.append(parcel("7"))).unwrap();
        assert_eq!(next, Sequence::new(5));
        let other = opened.file.ring(&second).unwrap();
        assert_eq!(other.look(texts), [b"far"]);
    }

    #[test]
    fn without_names_only_fenced_rings_are_renewed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rings");
        used(&path);
        let untouched = std::fs::read(&path).unwrap();
        let renewal = renew(&path, &[]).unwrap();
        assert!(renewal.kept.is_none() && renewal.rings.is_empty());
        assert_eq!(std::fs::read(&path).unwrap(), untouched);

        let opened = RingFile::open(&path).unwrap();
        let [_, second] = names();
        let ring = opened.file.ring(&second).unwrap();
        runtime().block_on(ring.shut(Fence::Asked)).unwrap();
        drop((ring, opened));
        let renewal = renew(&path, &[]).unwrap();
        assert_eq!(renewal.rings.len(), 1);
        assert_eq!(renewal.rings[0].name, second.to_string());
        let opened = RingFile::open(&path).unwrap();
        assert!(opened.rings.iter().all(|report| report.fence.is_none()));
        assert_eq!(opened.file.ring(&second).unwrap().look(texts), [b"far"]);
    }

    #[test]
    fn a_file_that_was_cut_off_is_renewed_and_what_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rings");
        used(&path);
        // The cut goes through the first ring, before the slot of its message 5; the second is gone altogether.
        let cut = slot_offset(0, Sequence::new(5).address());
        File::options()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_len(cut))
            .unwrap();
        assert!(matches!(
            RingFile::open(&path),
            Err(RingError::Truncated { .. })
        ));
        let renewal = renew(&path, &[]).unwrap();
        assert_eq!(renewal.rings.len(), 2);
        assert_eq!(renewal.rings[0].carried, 2);
        assert_eq!(renewal.rings[0].missing, [5, 6]);
        // Its state was beyond the cut; the live record still tells of the message.
        assert_eq!(renewal.rings[1].carried, 0);
        let opened = RingFile::open(&path).unwrap();
        let [first, _] = names();
        assert_eq!(
            opened.file.ring(&first).unwrap().look(texts),
            [&b"3"[..], b"4"]
        );
    }

    #[test]
    fn a_file_in_use_and_a_ring_that_is_not_there_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rings");
        used(&path);
        let opened = RingFile::open(&path).unwrap();
        assert!(matches!(renew(&path, &[]), Err(RingError::InUse { .. })));
        drop(opened);
        let stranger: RingName = "bergen/a:mo:origin".parse().unwrap();
        assert!(matches!(
            renew(&path, &[stranger]),
            Err(RingError::NoSuchRing { .. })
        ));
    }
}
