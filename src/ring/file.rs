//! The ring file: made, opened, grown, flushed when idle, closed.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::commit::Committer;
use super::error::{RingError, StoreError};
use super::format::{self, Making, beside, check_names, fill_live, random, sync_directory};
use super::handle::{Parts, Ring, Shared};
use super::lock;
use super::page::{Entry, Fence, PAGE, Place, State, file_length, slot_offset, state_offset};
use super::read;
use super::recovery::{self, Recovered, Remark};
use super::storage::{FileStorage, MemoryStorage, Storage};
use crate::lane::{RingName, Sequence};
use crate::message::Outcome;

/// How long marks may wait for the next message before they get a write of their own. It bounds how far behind they
/// can be after a power cut.
const IDLE_FLUSH: Duration = Duration::from_millis(20);

/// An open ring file with all its rings. Clones are the same file; it is unlocked when the last of them and of their
/// rings is gone.
#[derive(Clone)]
pub struct RingFile {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    storage: Arc<dyn Storage>,
    live: Option<Arc<dyn Storage>>,
    committer: Arc<Committer>,
    rings: Mutex<Vec<Arc<Shared>>>,
    /// Held while rings are added: two at once would take the same place.
    adding: Mutex<()>,
    unwritten: Arc<tokio::sync::Notify>,
}

/// What opening a file brought to light.
pub struct Opened {
    /// The file.
    pub file: RingFile,
    /// A report for each ring, in the file's order.
    pub rings: Vec<Report>,
    /// Damage to header and directory, healed from their second copies.
    pub healed: Vec<String>,
}

/// What was found of one ring.
#[derive(Debug)]
pub struct Report {
    /// Which ring.
    pub name: RingName,
    /// Why it is kept shut, if it is.
    pub fence: Option<Fence>,
    /// Whether it had been stopped in order.
    pub clean: bool,
    /// Messages that were stored and of whose answer nothing is known: their source may bring them again.
    pub unanswered: Vec<Sequence>,
    /// Messages that wait for repair.
    pub damaged: Vec<Sequence>,
    /// Every slot an operator should hear of.
    pub remarks: Vec<Remark>,
    /// Damage that cost nothing: what was lost stands elsewhere too.
    pub noted: Vec<String>,
}

impl RingFile {
    /// Makes a file for these rings and opens it. It is filled with zeros to its full size first, so that the disk
    /// cannot be full later.
    pub fn create(path: &Path, names: &[RingName]) -> Result<Opened, RingError> {
        if path.exists() {
            return Err(RingError::Exists {
                path: path.to_owned(),
            });
        }
        if path
            .parent()
            .is_some_and(|folder| !folder.as_os_str().is_empty() && !folder.is_dir())
        {
            return Err(RingError::NoFolder {
                path: path.to_owned(),
            });
        }
        check_names(path, &[], names)?;
        let making = beside(path, "new");
        let file = lock::making(&making, path)?;
        // Whoever makes a file of this name holds that lock from before this question until it has its name.
        if path.exists() {
            return Err(RingError::Exists {
                path: path.to_owned(),
            });
        }
        let made = format::make(&file, &making, names).map_err(|why| match why {
            Making::Full => RingError::DiskFull {
                path: path.to_owned(),
                needed: file_length(names.len() as u16),
                rings: names.len(),
            },
            Making::Io(doing, why) => RingError::io(path, doing, why),
        });
        if let Err(why) = made {
            // What is left of it would only be in the way.
            let _best_effort = std::fs::remove_file(&making);
            return Err(why);
        }
        std::fs::rename(&making, path)
            .and_then(|()| sync_directory(path))
            .map_err(|why| RingError::io(path, "putting the new file in place", why))?;
        // The lock goes over to the open file without a moment in between.
        Self::open_locked(path, file)
    }

    /// Opens a file and recovers all its rings. Nothing is accepted before what has to be wiped is wiped, durably.
    pub fn open(path: &Path) -> Result<Opened, RingError> {
        let file = File::options()
            .read(true)
            .write(true)
            .open(path)
            .map_err(|why| RingError::io(path, "opening", why))?;
        lock::hold(&file, path)?;
        Self::open_locked(path, file)
    }

    fn open_locked(path: &Path, file: File) -> Result<Opened, RingError> {
        let live_path = beside(path, "live");
        let live = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&live_path)
            .map_err(|why| RingError::io(&live_path, "opening", why))?;
        Self::open_on(
            path,
            Arc::new(FileStorage::new(file, path)),
            Some(Arc::new(FileStorage::new(live, &live_path))),
        )
    }

    /// Opens the file at `path` if there is one, else makes it; rings that are not in it yet are added.
    pub fn open_or_create(path: &Path, names: &[RingName]) -> Result<Opened, RingError> {
        if !path.exists() {
            return Self::create(path, names);
        }
        let mut opened = Self::open(path)?;
        let missing: Vec<RingName> = names
            .iter()
            .filter(|name| opened.file.ring(name).is_none())
            .cloned()
            .collect();
        if !missing.is_empty() {
            opened.rings.extend(opened.file.add(&missing)?);
        }
        Ok(opened)
    }

    /// A file in memory, for measurements and tests that need no disk.
    pub fn in_memory(names: &[RingName]) -> Result<Self, RingError> {
        let storage = Arc::new(MemoryStorage::default());
        let path = Path::new("(memory)");
        let failed = |why| RingError::io(path, "formatting", why);
        format::format(storage.as_ref(), names, &mut random).map_err(failed)?;
        Self::open_on(path, storage, None).map(|opened| opened.file)
    }

    /// Opens what lies on any storage; `path` is for people. Callers of [`RingFile::open`] get the lock with it.
    pub fn open_on(
        path: &Path,
        storage: Arc<dyn Storage>,
        live: Option<Arc<dyn Storage>>,
    ) -> Result<Opened, RingError> {
        let found = read::directory(path, storage.as_ref())?;
        read::check_length(path, storage.as_ref(), &found.entries)?;
        for (offset, octets) in &found.heal {
            storage
                .write_at(*offset, octets)
                .map_err(|why| RingError::io(path, "healing the directory", why))?;
        }
        for line in &found.healed {
            tracing::warn!(path = %path.display(), "{line}");
        }
        let file = Self {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                committer: Committer::new(storage.clone()),
                storage,
                live,
                rings: Mutex::default(),
                adding: Mutex::default(),
                unwritten: Arc::default(),
            }),
        };
        if let Some(live) = &file.inner.live {
            fill_live(live.as_ref(), found.entries.len() as u16)
                .map_err(|why| RingError::io(&beside(path, "live"), "making room", why))?;
        }
        let rings = file.recover(0, &found.entries)?;
        Ok(Opened {
            file,
            rings,
            healed: found.healed,
        })
    }

    /// Recovers the rings of these entries, the first of which has that index. What has to be wiped is wiped durably,
    /// and what a killed process had only written is durable, before any of it is handed on.
    fn recover(&self, first: u16, entries: &[Entry]) -> Result<Vec<Report>, RingError> {
        let inner = &self.inner;
        let settling = |why| RingError::io(&inner.path, "settling after recovery", why);
        let mut found = self.read_all(first, entries)?;
        for (ring, _) in found
            .iter()
            .filter(|(ring, _)| ring.recovered.fence.is_none())
        {
            wipe(inner.storage.as_ref(), ring.place, &ring.recovered).map_err(settling)?;
        }
        // A state may tell only what is durable.
        let synced: &dyn Storage = inner.committer.as_ref();
        synced.sync().map_err(settling)?;
        // A fence goes into both pages, the newer one first durable: what it was judged from may be gone tomorrow (the
        // live record is never synced), or damaged.
        let fenced = |ring: &Judged| ring.recovered.fence_unwritten;
        for pages in 0..2 {
            for (ring, _) in &mut found {
                let open = ring.recovered.fence.is_none();
                if (open && pages == 0) || fenced(ring) {
                    write_state(inner.storage.as_ref(), ring.place, &mut ring.recovered)
                        .map_err(settling)?;
                }
            }
            if pages == 0 || found.iter().any(|(ring, _)| fenced(ring)) {
                synced.sync().map_err(settling)?;
            }
        }
        Ok(found
            .into_iter()
            .map(|(ring, entry)| self.admit(ring, entry))
            .collect())
    }

    /// Reads and judges all rings, as many at a time as there are processors: most of it is waiting for the disk and
    /// reckoning checksums.
    fn read_all<'a>(
        &self,
        first: u16,
        entries: &'a [Entry],
    ) -> Result<Vec<(Judged, &'a Entry)>, RingError> {
        let inner = &self.inner;
        let judge = |(entry, index): (&'a Entry, u16)| {
            let place = Place {
                ring: index,
                epoch: entry.epoch,
            };
            let live = inner.live.as_deref();
            let storage = inner.storage.as_ref();
            let found = read::ring(&inner.path, storage, live, place, entry.name.side)?;
            let judged = Judged {
                place,
                recovered: recovery::recover(found.evidence),
                outcomes: found.outcomes,
                noted: found.noted,
            };
            Ok((judged, entry))
        };
        let all: Vec<(&Entry, u16)> = entries.iter().zip(first..).collect();
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let share = all.len().div_ceil(processors).max(1);
        if all.len() <= share {
            return all.into_iter().map(judge).collect();
        }
        std::thread::scope(|scope| {
            let readers: Vec<_> = all
                .chunks(share)
                .map(|part| {
                    scope.spawn(|| {
                        part.iter()
                            .copied()
                            .map(judge)
                            .collect::<Result<Vec<_>, _>>()
                    })
                })
                .collect();
            let mut judged = Vec::with_capacity(all.len());
            for reader in readers {
                judged.extend(reader.join().expect("a reader does not panic")?);
            }
            Ok(judged)
        })
    }

    /// Takes a recovered ring into the file, and tells what was found.
    fn admit(&self, ring: Judged, entry: &Entry) -> Report {
        let path = self.inner.path.display();
        let name = &entry.name;
        let recovered = ring.recovered;
        for note in &ring.noted {
            tracing::warn!(%path, ring = %name, "{note}");
        }
        for remark in &recovered.remarks {
            tracing::warn!(%path, ring = %name, "{remark}");
        }
        if let Some(fence) = recovered.fence {
            tracing::error!(%path, ring = %name, reason = %fence, "the ring stays shut until `sluice ring renew`");
        }
        let report = Report {
            name: name.clone(),
            fence: recovered.fence,
            clean: recovered.clean,
            unanswered: recovered.unanswered,
            damaged: recovered.array.damaged().collect(),
            remarks: recovered.remarks,
            noted: ring.noted,
        };
        let shared = Shared::new(
            Parts {
                name: name.clone(),
                place: ring.place,
                array: recovered.array,
                fence: recovered.fence,
                next_state: recovered.next_state,
                outcomes: ring.outcomes,
            },
            self.inner.storage.clone(),
            self.inner.live.clone(),
            self.inner.unwritten.clone(),
        );
        self.rings_mut().push(Arc::new(shared));
        report
    }

    /// Adds rings at the file's end, each of a new epoch.
    pub fn add(&self, names: &[RingName]) -> Result<Vec<Report>, RingError> {
        let path = &self.inner.path;
        let _one_at_a_time = self
            .inner
            .adding
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let present: Vec<RingName> = self
            .rings()
            .iter()
            .map(|ring| ring.name().clone())
            .collect();
        check_names(path, &present, names)?;
        let first = present.len() as u16;
        let entries: Vec<Entry> = names
            .iter()
            .map(|name| format::entry(name, &mut random))
            .collect();
        let storage: &dyn Storage = self.inner.committer.as_ref();
        format::grow(storage, first, &entries).map_err(|why| match why.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => RingError::DiskFull {
                path: path.clone(),
                needed: file_length(first + names.len() as u16),
                rings: present.len() + names.len(),
            },
            _ => RingError::io(path, "adding rings", why),
        })?;
        if let Some(live) = &self.inner.live {
            fill_live(live.as_ref(), first + names.len() as u16)
                .map_err(|why| RingError::io(&beside(path, "live"), "making room", why))?;
        }
        self.recover(first, &entries)
    }

    fn rings_mut(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Shared>>> {
        self.inner
            .rings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// All rings, in the file's order.
    pub fn rings(&self) -> Vec<Ring> {
        let committer = &self.inner.committer;
        self.rings_mut()
            .iter()
            .map(|shared| Ring {
                shared: shared.clone(),
                committer: committer.clone(),
            })
            .collect()
    }

    /// The ring of a name.
    pub fn ring(&self, name: &RingName) -> Option<Ring> {
        self.rings().into_iter().find(|ring| ring.name() == name)
    }

    /// Why the file takes nothing more, if a write or sync has failed. It must be opened anew.
    pub fn failure(&self) -> Option<Arc<str>> {
        self.inner.committer.failure().map(|failed| failed.0)
    }

    /// How many syncs have made something durable since it was opened; each may have served many messages.
    pub fn syncs(&self) -> u64 {
        self.inner.committer.syncs()
    }

    /// Writes marks that have waited 20 ms for a message to ride with. Runs until a write fails, and gives the reason;
    /// the owner of the file keeps it running beside the lanes.
    pub async fn flush_when_idle(&self) -> StoreError {
        loop {
            let (due, next) = self.waiting();
            let mut flushes = tokio::task::JoinSet::new();
            for ring in due {
                flushes.spawn(async move { ring.flush().await });
            }
            while !flushes.is_empty() {
                tokio::select! {
                    flushed = flushes.join_next() => {
                        if let Some(Ok(Err(why))) = flushed {
                            return why;
                        }
                    }
                    () = tokio::time::sleep(IDLE_FLUSH) => self.inner.committer.lead_instead(),
                }
            }
            // What came while these were written has its own time still before it.
            match next {
                Some(next) => tokio::time::sleep(next).await,
                None => self.inner.unwritten.notified().await,
            }
        }
    }

    /// The rings whose marks have waited long enough, and how long until the first of the others has.
    fn waiting(&self) -> (Vec<Ring>, Option<Duration>) {
        let mut next: Option<Duration> = None;
        let mut rings = self.rings();
        rings.retain(|ring| match ring.shared.waits_for() {
            Some(waited) if waited >= IDLE_FLUSH => true,
            Some(waited) => {
                let left = IDLE_FLUSH - waited;
                next = Some(next.map_or(left, |next| next.min(left)));
                false
            }
            None => false,
        });
        (rings, next)
    }

    /// Stops in order: the last state of every ring is durable when this returns.
    pub async fn close(&self) -> Result<(), StoreError> {
        for ring in self.rings() {
            if ring.fence().is_none() {
                ring.close().await?;
            }
        }
        Ok(())
    }
}

/// A ring as it was read, and what recovery made of it.
struct Judged {
    place: Place,
    recovered: Recovered,
    outcomes: Box<[Option<(Sequence, Outcome)>]>,
    noted: Vec<String>,
}

fn wipe(storage: &dyn Storage, place: Place, recovered: &Recovered) -> io::Result<()> {
    let zeros = [0; PAGE];
    for &address in &recovered.wipe {
        storage.write_at(slot_offset(place.ring, address), &zeros)?;
    }
    Ok(())
}

/// Writes the state that was found, so that the next crash finds it too. It holds the marks of all pages and records
/// together, so nothing is lost with the page that it takes the place of.
fn write_state(storage: &dyn Storage, place: Place, recovered: &mut Recovered) -> io::Result<()> {
    let state = State {
        number: recovered.next_state,
        clean: false,
        fence: recovered.fence,
        marks: *recovered.array.marks(),
    };
    recovered.next_state += 1;
    storage.write_at(state_offset(place.ring, state.number), &state.encode(place))
}
