//! The ring against the bare disk: `cargo bench --bench ring`.
//!
//! Absolute rates of a disk say little: they move by the minute. So each candidate slice runs between two slices of a
//! base that does nothing but write a page a lane in place and sync once, in the same file system; what counts is the
//! median of the ratios. A store that does not get slower when the disk does is not syncing: that is a figure too.

mod support;

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice::clock::WallTime;
use sluice::lane::{Direction, Epoch, Lane, RingName, SLOTS, Sequence, Side};
use sluice::message::{
    Body, Coding, DeliveryKey, Item, PhoneNumber, ShortCode, ShortMessage, UserDataHeader,
};
use sluice::ring::storage::{FileStorage, Storage};
use sluice::ring::{Array, Parcel, Ring, RingFile};
use support::{Goal, Ratio, Slowed, figure, median, percentile, ratio};

const SLICE: Duration = Duration::from_millis(200);
const ROUNDS: usize = 9;
const SLOWED_BY: Duration = Duration::from_millis(1);

fn main() {
    let folder = Folder::new();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    let _guard = runtime.enter();

    in_memory();
    let one = appends(&runtime, &folder, 1, Duration::ZERO);
    figure(
        "ring.append_1_lane",
        one.ratio,
        "of_bare_disk",
        Goal::AtLeast(0.85),
    );
    println!("  disk {:.0}/s, ring {:.0}/s", one.base, one.candidate);
    let sixteen = appends(&runtime, &folder, 16, Duration::ZERO);
    figure(
        "ring.append_16_lanes",
        sixteen.ratio,
        "of_perfect_batch",
        Goal::AtLeast(0.60),
    );
    println!(
        "  disk {:.0}/s, ring {:.0}/s",
        sixteen.base, sixteen.candidate
    );
    figure(
        "ring.append_16_lanes_over_1",
        sixteen.candidate / one.candidate,
        "times",
        Goal::AtLeast(3.5),
    );
    println!(
        "  the disk itself: sixteen pages and a sync do {:.1} times the messages of one page and a sync",
        sixteen.base / one.base
    );
    for (lanes, goal) in [(1, 0.92), (4, 0.85), (16, 0.85)] {
        let slowed = appends(&runtime, &folder, lanes, SLOWED_BY);
        figure(
            &format!("ring.append_{lanes}_lanes_flush_slowed_1ms"),
            slowed.ratio,
            "of_perfect_batch",
            Goal::AtLeast(goal),
        );
        if lanes == 1 {
            figure(
                "ring.honesty_flush_slowed_1ms",
                slowed.candidate * SLOWED_BY.as_secs_f64(),
                "appends_a_flush",
                Goal::AtMost(1.02),
            );
        }
    }
    latencies(&runtime, &folder);
    transitions(&runtime, &folder);
    opening(&runtime, &folder);
    size_over_laps(&runtime, &folder);
}

/// A folder on the disk to be measured: `SLUICE_BENCH_DIR`, or the system's for temporary files.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let parent =
            std::env::var_os("SLUICE_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        Self(tempfile::tempdir_in(parent).expect("a folder can be made"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// The base: a page a lane in place, one sync, in a file that was filled with zeros.
struct Bare {
    storage: Slowed<FileStorage>,
    lanes: u64,
    turn: u64,
}

impl Bare {
    fn new(path: &Path, lanes: u64, delay: Duration) -> Self {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .expect("the base's file can be made");
        file.write_all_at(&vec![0; (lanes * SLOTS * 4096) as usize], 0)
            .expect("it can be filled");
        file.sync_all().expect("it can be synced");
        Self {
            storage: Slowed(FileStorage::new(file, path), delay),
            lanes,
            turn: 0,
        }
    }

    fn once(&mut self) -> u64 {
        let page = [self.turn as u8; 4096];
        for lane in 0..self.lanes {
            let offset = (lane * SLOTS + self.turn % SLOTS) * 4096;
            self.storage.write_at(offset, &page).expect("writes work");
        }
        self.storage.sync().expect("syncs work");
        self.turn += 1;
        self.lanes
    }

    fn rate(&mut self) -> f64 {
        support::rate(SLICE, || self.once())
    }
}

fn names(lanes: usize) -> Vec<RingName> {
    (0..lanes)
        .map(|lane| {
            let lane = Lane::new("bench", &format!("lane-{lane}")).expect("a name");
            RingName::new(lane, Direction::Mo, Side::Origin)
        })
        .collect()
}

fn parcel() -> Parcel {
    let body = Body::new(Coding::Gsm7, UserDataHeader::NONE, vec![b'x'; 160].into())
        .expect("160 septets fit");
    let message = ShortMessage::new(
        PhoneNumber::new("358401234567").expect("a number").into(),
        ShortCode::new("12345").expect("a code").into(),
        body,
    );
    let at = WallTime::from_unix_ms(1_795_248_785_123);
    Parcel::pack(&Item::Message(message), at, DeliveryKey([7; 24])).expect("it fits")
}

fn ring_file(folder: &Folder, lanes: usize, delay: Duration) -> RingFile {
    let path = folder.file(&format!("ring-{lanes}-{}.dat", delay.as_micros()));
    if !path.exists() {
        drop(RingFile::create(&path, &names(lanes)).expect("a ring file can be made"));
    }
    let open = |path: &Path| {
        File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .expect("it opens")
    };
    let live = folder.file("live");
    RingFile::open_on(
        &path,
        Arc::new(Slowed(FileStorage::new(open(&path), &path), delay)),
        Some(Arc::new(FileStorage::new(open(&live), &live))),
    )
    .expect("it is a ring file")
    .file
}

/// Appends on all rings at once for a slice, one message in flight on each; all of them a second.
fn append_rate(runtime: &tokio::runtime::Runtime, rings: &[Ring], later: bool) -> f64 {
    for ring in rings {
        let last = ring.look(Array::accepted);
        if !last.is_none() {
            ring.process_up_to(last).expect("all are held");
        }
    }
    let start = Instant::now();
    let tasks: Vec<_> = rings
        .iter()
        .map(|ring| {
            let ring = ring.clone();
            let parcel = parcel();
            runtime.spawn(async move {
                let mut done = 0_u64;
                while start.elapsed() < SLICE {
                    append(&ring, parcel.clone(), later).await;
                    done += 1;
                }
                done
            })
        })
        .collect();
    let done: u64 = runtime.block_on(async {
        let mut done = 0;
        for task in tasks {
            done += task.await.expect("appending works");
        }
        done
    });
    done as f64 / start.elapsed().as_secs_f64()
}

/// One message; `later`: with all its later transitions, one by one, else the ring is emptied now and then.
async fn append(ring: &Ring, parcel: Parcel, later: bool) {
    let sequence = ring.append(parcel).await.expect("there is room");
    if later {
        ring.mark_sent(sequence).expect("it is held");
        ring.confirm(sequence).expect("it is held");
        ring.process(sequence).expect("it is held");
    } else if sequence.get().is_multiple_of(100) {
        ring.process_up_to(sequence).expect("all are held");
    }
}

fn appends(
    runtime: &tokio::runtime::Runtime,
    folder: &Folder,
    lanes: usize,
    delay: Duration,
) -> Ratio {
    let mut bare = Bare::new(&folder.file("bare"), lanes as u64, delay);
    let file = ring_file(folder, lanes, delay);
    let flusher = file.clone();
    let flushing = runtime.spawn(async move { flusher.flush_when_idle().await });
    let rings = file.rings();
    let ratio = ratio(
        ROUNDS,
        || bare.rate(),
        || append_rate(runtime, &rings, false),
    );
    flushing.abort();
    ratio
}

/// The slowest of a hundred, at one lane.
fn latencies(runtime: &tokio::runtime::Runtime, folder: &Folder) {
    let mut bare = Bare::new(&folder.file("bare"), 1, Duration::ZERO);
    let ring = ring_file(folder, 1, Duration::ZERO).rings().remove(0);
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let mut base: Vec<f64> = timed(|| {
            bare.once();
        });
        let ring = ring.clone();
        let mut candidate = runtime
            .block_on(runtime.spawn(async move {
                let mut times = Vec::new();
                let parcel = parcel();
                let begin = Instant::now();
                while begin.elapsed() < SLICE {
                    let start = Instant::now();
                    append(&ring, parcel.clone(), false).await;
                    times.push(start.elapsed().as_secs_f64());
                }
                times
            }))
            .expect("appending works");
        ratios.push(percentile(&mut candidate, 0.99) / percentile(&mut base, 0.99));
    }
    figure(
        "ring.p99_1_lane",
        median(&mut ratios),
        "of_bare_disk",
        Goal::AtMost(2.0),
    );
}

fn timed(mut work: impl FnMut()) -> Vec<f64> {
    let mut times = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < SLICE {
        let start = Instant::now();
        work();
        times.push(start.elapsed().as_secs_f64());
    }
    times
}

/// All later transitions recorded, against appending alone.
fn transitions(runtime: &tokio::runtime::Runtime, folder: &Folder) {
    let rings = ring_file(folder, 1, Duration::ZERO).rings();
    let ratio = ratio(
        ROUNDS,
        || append_rate(runtime, &rings, false),
        || append_rate(runtime, &rings, true),
    );
    figure(
        "ring.append_with_all_transitions",
        ratio.ratio,
        "of_append_alone",
        Goal::AtLeast(0.75),
    );
}

/// Retrieve, mark sent, confirm, process: what the array itself costs.
fn in_memory() {
    let mut array = Array::new(Side::Origin, Epoch::new(1).expect("not zero"));
    let parcel = parcel();
    let mut nanoseconds = Vec::new();
    for _ in 0..ROUNDS {
        let rate = support::rate(SLICE / 4, || {
            for _ in 0..1000 {
                let sequence: Sequence = array.accept(parcel.clone()).expect("there is room");
                array.stored(sequence);
                array.mark_sent(sequence).expect("it is held");
                array.confirm(sequence).expect("it is held");
                array.process(sequence).expect("it is held");
                black_box(&array);
            }
            1000
        });
        nanoseconds.push(1e9 / rate);
    }
    figure(
        "ring.transitions_in_memory",
        median(&mut nanoseconds),
        "ns_a_message",
        Goal::AtMost(1000.0),
    );
}

/// 16 lanes with both their rings full, read and checked, the file's pages warm.
fn opening(runtime: &tokio::runtime::Runtime, folder: &Folder) {
    let path = folder.file("full.dat");
    let names: Vec<RingName> = names(16)
        .into_iter()
        .flat_map(|name| {
            [
                name.clone(),
                RingName::new(name.lane, Direction::Mt, Side::Origin),
            ]
        })
        .collect();
    let opened = RingFile::create(&path, &names).expect("it can be made");
    runtime.block_on(async {
        for ring in opened.file.rings() {
            let parcels = vec![parcel(); SLOTS as usize];
            ring.append_all(parcels).await.expect("there is room");
        }
        opened.file.close().await.expect("it closes");
    });
    drop(opened);
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let opened = RingFile::open(&path).expect("it opens");
        times.push(start.elapsed().as_secs_f64() * 1e3);
        assert!(
            opened
                .file
                .rings()
                .iter()
                .all(|ring| ring.look(Array::room) == 0),
            "all are full"
        );
    }
    figure(
        "ring.opening_16_full_lanes",
        median(&mut times),
        "ms",
        Goal::AtMost(50.0),
    );
}

fn size_over_laps(runtime: &tokio::runtime::Runtime, folder: &Folder) {
    let path = folder.file("laps.dat");
    let file = RingFile::create(&path, &names(1))
        .expect("it can be made")
        .file;
    let length = || path.metadata().expect("it is there").len();
    let before = length();
    let ring = file.rings().remove(0);
    runtime
        .block_on(runtime.spawn(async move {
            for _ in 0..100 {
                let parcels = vec![parcel(); SLOTS as usize];
                let numbers = ring.append_all(parcels).await.expect("there is room");
                let last = *numbers.last().expect("a lap");
                ring.process_up_to(last).expect("all are held");
            }
        }))
        .expect("a hundred laps work");
    figure(
        "ring.file_growth_over_100_laps",
        (length() - before) as f64,
        "octets",
        Goal::AtMost(0.0),
    );
}
