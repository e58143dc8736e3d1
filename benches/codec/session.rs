//! A lane against the simulated SMSC over loopback TCP, window 1: what the session costs beside the ring's syncs.
//!
//! The simulator has a thread of its own, as the lane has: neither may cost the other more than a real SMSC would. Who
//! measures looks from time to time, and is not woken by each message.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice::clock::WallTime;
use sluice::lane::{Direction, Lane, RingName, SLOTS, Sequence, Side};
use sluice::message::{DeliveryKey, Item, PhoneNumber, ShortCode, ShortMessage};
use sluice::ring::storage::FileStorage;
use sluice::ring::{Array, Parcel, Ring, RingFile};
use sluice::sim::Simulator;
use sluice::smsc::courier::{InDoubt, Manner};
use sluice::smsc::driver::{self, Order, Parts};
use sluice::smsc::session::Session;
use sluice::smsc::status::{LaneStatus, Phase};
use sluice::smsc::transport::Endpoint;
use sluice::smsc::{cimd2, smpp};
use sluice::text;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

use crate::support::{Goal, Slowed, figure, median};

const SLICE: Duration = Duration::from_millis(200);
const ROUNDS: usize = 5;
const PHONE: &str = "+358401111111";
/// How often the one who measures looks: a lap takes 10 ms and more.
const LOOK: Duration = Duration::from_micros(250);
/// A disk as slow as many are: what a session costs beside its syncs is then small.
const SLOWED_BY: Duration = Duration::from_millis(1);

/// Both protocols, each way, with and without a disk; and what an idle lane does.
pub(crate) fn run() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    let folder = tempfile::tempdir().expect("a folder can be made");
    for protocol in ["smpp", "cimd2"] {
        let bench = Bench::start(&runtime, protocol, rings_in_memory(), true);
        for (way, rate) in [("submit", bench.mt_rate()), ("deliver", bench.mo_rate())] {
            let name = format!("session.{protocol}_{way}_no_sync");
            figure(&name, rate, "a_second", Goal::AtLeast(10_000.0));
        }
        bench.stop(&runtime);

        for (delay, suffix) in [(Duration::ZERO, ""), (SLOWED_BY, "_flush_slowed_1ms")] {
            let path = folder.path().join(format!("{protocol}{suffix}"));
            let alone = rings_on_disk(&path.with_extension("alone"), delay);
            let rings = rings_on_disk(&path.with_extension("rings"), delay);
            let bench = Bench::start(&runtime, protocol, rings, true);
            let (submit, deliver) = bench.against_the_ring(&runtime, &alone);
            for (way, ratio) in [("submit", submit), ("deliver", deliver)] {
                let name = format!("session.{protocol}_{way}{suffix}");
                figure(&name, ratio, "of_the_ring_alone", Goal::AtLeast(0.8));
            }
            bench.stop(&runtime);
        }
    }
    let path = folder.path().join("thinnest");
    let alone = rings_on_disk(&path.with_extension("alone"), Duration::ZERO);
    let thinnest = thinnest(&runtime, &alone, &path);
    println!(
        "  two blocking threads that echo 100 octets over loopback and sync a page a turn: {thinnest:.3} of the ring alone"
    );

    let bench = Bench::start(&runtime, "cimd2", rings_in_memory(), true);
    let before = bench.status.wakeups.get();
    let idle = Duration::from_secs(3);
    std::thread::sleep(idle);
    let wakeups = (bench.status.wakeups.get() - before) as f64 / idle.as_secs_f64();
    let goal = Goal::AtMost(1.0);
    figure("session.idle_wakeups", wakeups, "a_second", goal);
    bench.stop(&runtime);
}

fn names() -> [RingName; 2] {
    let lane = Lane::new("bench", "lane").expect("a name");
    [
        RingName::new(lane.clone(), Direction::Mo, Side::Origin),
        RingName::new(lane, Direction::Mt, Side::Mirror),
    ]
}

fn rings_in_memory() -> RingFile {
    RingFile::in_memory(&names()).expect("rings in memory")
}

fn rings_on_disk(path: &Path, delay: Duration) -> RingFile {
    drop(RingFile::create(path, &names()).expect("a ring file"));
    let open = |path: &Path| {
        File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .expect("it opens")
    };
    let live = path.with_extension("live");
    let storage = Slowed(FileStorage::new(open(path), path), delay);
    let live = FileStorage::new(open(&live), &live);
    RingFile::open_on(path, Arc::new(storage), Some(Arc::new(live)))
        .expect("a ring file")
        .file
}

fn parcel() -> Parcel {
    let body = text::whole("A text of the usual length, as people write it.").expect("it fits");
    let message = ShortMessage::new(
        ShortCode::new("17000").expect("a code").into(),
        PhoneNumber::new(PHONE).expect("a number").into(),
        body,
    );
    let at = WallTime::from_unix_ms(1_795_248_785_123);
    Parcel::pack(&Item::Message(message), at, DeliveryKey::NONE).expect("it fits")
}

/// A simulator on a thread of its own, which ends with it.
struct Smsc {
    simulator: Arc<Simulator>,
    stop: oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Smsc {
    fn start(protocol: &str) -> Self {
        let script = format!("[{protocol}]\n[[account]]\nname = 'sluice'\npassword = 'secret'\n");
        let config = toml::from_str(&script).expect("a script");
        let (tell, started) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime starts");
            runtime.block_on(async {
                let simulator = Arc::new(Simulator::start(config).await.expect("it starts"));
                tell.send(simulator.clone()).expect("it is waited for");
                // An error means that the bench has gone.
                let _ = stopped.await;
            });
        });
        Self {
            simulator: started.recv().expect("it starts"),
            stop,
            thread,
        }
    }
}

struct Bench {
    smsc: Smsc,
    /// Kept, since the rings' file is unlocked with it.
    _file: RingFile,
    mo: Ring,
    mt: Ring,
    status: Arc<LaneStatus>,
    orders: mpsc::Sender<Order>,
    driver: tokio::task::JoinHandle<()>,
    flusher: tokio::task::JoinHandle<()>,
}

impl Bench {
    fn start(runtime: &Runtime, protocol: &str, file: RingFile, in_doubt_mark: bool) -> Self {
        let smsc = Smsc::start(protocol);
        let addresses = smsc.simulator.addresses();
        let (address, session): (_, Box<dyn Session>) = match protocol {
            "smpp" => {
                let config = "system_id = 'sluice'\npassword = 'secret'\n";
                let config: smpp::Config = toml::from_str(config).expect("a configuration");
                let session = smpp::Session::new(config, 7).expect("a session");
                (addresses.smpp, Box::new(session))
            }
            _ => {
                let config = "username = 'sluice'\npassword = 'secret'\n";
                let config: cimd2::Config = toml::from_str(config).expect("a configuration");
                let session = cimd2::Session::new(config).expect("a session");
                (addresses.cimd2, Box::new(session))
            }
        };
        let address = address.expect("it listens");
        let [mo, mt] = names().map(|name| file.ring(&name).expect("it is there"));
        let status = Arc::new(LaneStatus::default());
        let (orders, received) = mpsc::channel(1);
        let parts = Parts {
            session,
            endpoint: Endpoint::Tcp {
                host: address.ip().to_string(),
                port: address.port(),
            },
            mo: Some(mo.clone()),
            mt: Some(mt.clone()),
            manner: Manner {
                in_doubt: InDoubt::Resend,
                throughput: None,
            },
            in_doubt_mark,
            status: status.clone(),
        };
        let driver = runtime.spawn(async move {
            driver::run(parts, received).await.expect("the rings work");
        });
        // As in an edge: marks that wait for no message are written when the ring is idle.
        let flushed = file.clone();
        let flusher = runtime.spawn(async move {
            let why = flushed.flush_when_idle().await;
            panic!("the rings work: {why}");
        });
        while status.state().phase != Phase::Up {
            std::thread::sleep(Duration::from_millis(1));
        }
        Self {
            smsc,
            _file: file,
            mo,
            mt,
            status,
            orders,
            driver,
            flusher,
        }
    }

    fn stop(self, runtime: &Runtime) {
        self.flusher.abort();
        runtime.block_on(async {
            let closing = self.orders.send(Order::Close).await;
            closing.expect("the driver runs");
            self.driver.await.expect("it ends");
        });
        // The bench may have stopped it by its end.
        let _ = self.smsc.stop.send(());
        self.smsc.thread.join().expect("the simulator works");
    }

    /// Messages a second to the SMSC: the ring is filled, and the time is taken until it is empty.
    fn submit_rate(&self, runtime: &Runtime) -> f64 {
        let (mut done, mut took) = (0, Duration::ZERO);
        while took < SLICE {
            let first = self.mt.look(Array::accepted).next().get();
            let last = Sequence::new(first + SLOTS - 1);
            let parcels = (first..first + SLOTS)
                .map(|n| (Sequence::new(n), parcel()))
                .collect();
            let start = Instant::now();
            runtime
                .block_on(self.mt.store(parcels))
                .expect("there is room");
            while self.mt.look(|array| array.marks().processed.up_to()) < last {
                std::thread::sleep(LOOK);
            }
            took += start.elapsed();
            done += SLOTS;
        }
        done as f64 / took.as_secs_f64()
    }

    /// Messages a second from the SMSC, which has enough of them.
    fn deliver_rate(&self) -> f64 {
        let (mut done, mut took) = (0, Duration::ZERO);
        while took < SLICE {
            let last = self.mo.look(Array::accepted).plus(SLOTS);
            let start = Instant::now();
            for number in 0..SLOTS {
                let text = format!("message {number}");
                self.smsc.simulator.phone_sends(PHONE, "17000", &text);
            }
            while self.mo.look(|array| array.marks().retrieved.up_to()) < last {
                std::thread::sleep(LOOK);
            }
            took += start.elapsed();
            done += SLOTS;
            self.mo.process_up_to(last).expect("all are held");
        }
        done as f64 / took.as_secs_f64()
    }

    fn mt_rate(&self) -> f64 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime starts");
        median(&mut [(); ROUNDS].map(|()| self.submit_rate(&runtime)))
    }

    fn mo_rate(&self) -> f64 {
        median(&mut [(); ROUNDS].map(|()| self.deliver_rate()))
    }

    /// Each way against what the same rings do alone, slice by slice: one sync a message.
    fn against_the_ring(&self, runtime: &Runtime, alone: &RingFile) -> (f64, f64) {
        let alone = alone.rings().remove(0);
        let (mut submits, mut delivers) = (Vec::new(), Vec::new());
        let (mut syncs, mut turns) = (Vec::new(), [Vec::new(), Vec::new()]);
        let mut before = append_rate(runtime, &alone);
        for _ in 0..ROUNDS {
            let submit = self.submit_rate(runtime);
            let middle = append_rate(runtime, &alone);
            let deliver = self.deliver_rate();
            let after = append_rate(runtime, &alone);
            submits.push(submit / f64::midpoint(before, middle));
            delivers.push(deliver / f64::midpoint(middle, after));
            syncs.push(1e6 / middle);
            turns[0].push(1e6 / submit);
            turns[1].push(1e6 / deliver);
            before = after;
        }
        let [submit, deliver] = &mut turns;
        println!(
            "  a message alone {:.0} us, submitted {:.0} us, delivered {:.0} us",
            median(&mut syncs),
            median(submit),
            median(deliver)
        );
        (median(&mut submits), median(&mut delivers))
    }
}

/// What the ring alone does: durable appends, one after the other.
fn append_rate(runtime: &Runtime, ring: &Ring) -> f64 {
    let ring = ring.clone();
    let work = async move {
        let start = Instant::now();
        let mut done = 0;
        while start.elapsed() < SLICE {
            let last = ring.append(parcel()).await.expect("there is room");
            if last.get().is_multiple_of(100) {
                ring.process_up_to(last).expect("all are held");
            }
            done += 1;
        }
        f64::from(done) / start.elapsed().as_secs_f64()
    };
    runtime
        .block_on(runtime.spawn(work))
        .expect("appending works")
}

/// What no session can beat here: a turn that is nothing but an echo over loopback, and a sync of one page, without
/// event loop, protocol or ring; against the ring alone.
fn thinnest(runtime: &Runtime, alone: &RingFile, path: &Path) -> f64 {
    let alone = alone.rings().remove(0);
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .expect("a file can be made");
    file.write_all_at(&vec![0; SLOTS as usize * 4096], 0)
        .and_then(|()| file.sync_all())
        .expect("it can be filled");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    let echo = std::thread::spawn(move || {
        let (mut line, _) = listener.accept().expect("somebody calls");
        line.set_nodelay(true).expect("it is TCP");
        let mut octets = [0; 100];
        while line.read_exact(&mut octets).is_ok() {
            line.write_all(&octets).expect("the caller is there");
        }
    });
    let mut line = TcpStream::connect(address).expect("it listens");
    line.set_nodelay(true).expect("it is TCP");
    let mut turn = 0_u64;
    let mut slice = || {
        crate::support::rate(SLICE, || {
            let mut octets = [turn as u8; 100];
            line.write_all(&octets)
                .and_then(|()| line.read_exact(&mut octets))
                .expect("it echoes");
            let page = [turn as u8; 4096];
            file.write_all_at(&page, turn % SLOTS * 4096)
                .and_then(|()| file.sync_data())
                .expect("the disk works");
            turn += 1;
            1
        })
    };
    let mut ratios = [(); ROUNDS].map(|()| {
        let before = append_rate(runtime, &alone);
        let rate = slice();
        rate / f64::midpoint(before, append_rate(runtime, &alone))
    });
    drop(line);
    echo.join().expect("the echo works");
    median(&mut ratios)
}
