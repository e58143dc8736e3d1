//! A lane against the simulated SMSC over loopback TCP, window 1: what the session costs beside the ring's syncs.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice::clock::WallTime;
use sluice::lane::{Direction, Lane, RingName, SLOTS, Sequence, Side};
use sluice::message::{DeliveryKey, Item, PhoneNumber, ShortCode, ShortMessage};
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
use tokio::sync::mpsc;

use crate::support::{Goal, figure, median};

const SLICE: Duration = Duration::from_millis(300);
const ROUNDS: usize = 5;
const PHONE: &str = "+358401111111";

/// Both protocols, each way, with and without a disk; and what an idle lane does.
pub(super) fn run() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    let folder = tempfile::tempdir().expect("a folder can be made");
    for protocol in ["smpp", "cimd2"] {
        let memory = rings_in_memory();
        let bench = runtime.block_on(Bench::start(protocol, memory, false));
        let (mt, mo) = (bench.mt_rates(&runtime), bench.mo_rates(&runtime));
        let goal = Goal::AtLeast(10_000.0);
        figure(
            &format!("session.{protocol}_submit_no_sync"),
            mt,
            "a_second",
            goal,
        );
        figure(
            &format!("session.{protocol}_deliver_no_sync"),
            mo,
            "a_second",
            goal,
        );
        bench.stop(&runtime);

        let path = folder.path().join(protocol);
        let bench = runtime.block_on(Bench::start(protocol, rings_on_disk(&path), true));
        let (submit, deliver) = bench.against_the_ring(&runtime);
        let goal = Goal::AtLeast(0.8);
        figure(
            &format!("session.{protocol}_submit"),
            submit,
            "of_the_ring_alone",
            goal,
        );
        figure(
            &format!("session.{protocol}_deliver"),
            deliver,
            "of_the_ring_alone",
            goal,
        );
        bench.stop(&runtime);
    }
    let bench = runtime.block_on(Bench::start("cimd2", rings_in_memory(), false));
    let before = bench.status.wakeups.get();
    let idle = Duration::from_secs(3);
    std::thread::sleep(idle);
    let wakeups = (bench.status.wakeups.get() - before) as f64 / idle.as_secs_f64();
    figure(
        "session.idle_wakeups",
        wakeups,
        "a_second",
        Goal::AtMost(1.0),
    );
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

fn rings_on_disk(path: &Path) -> RingFile {
    RingFile::create(path, &names()).expect("a ring file").file
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

struct Bench {
    simulator: Simulator,
    file: RingFile,
    mo: Ring,
    mt: Ring,
    status: Arc<LaneStatus>,
    orders: mpsc::Sender<Order>,
    driver: tokio::task::JoinHandle<()>,
}

impl Bench {
    async fn start(protocol: &str, file: RingFile, in_doubt_mark: bool) -> Self {
        let script = format!("[{protocol}]\n[[account]]\nname = 'sluice'\npassword = 'secret'\n");
        let config = toml::from_str(&script).expect("a script");
        let simulator = Simulator::start(config).await.expect("it starts");
        let addresses = simulator.addresses();
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
        let driver = tokio::spawn(async move {
            driver::run(parts, received).await.expect("the rings work");
        });
        while status.state().phase != Phase::Up {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Self {
            simulator,
            file,
            mo,
            mt,
            status,
            orders,
            driver,
        }
    }

    fn stop(self, runtime: &Runtime) {
        runtime.block_on(async {
            self.orders
                .send(Order::Close)
                .await
                .expect("the driver runs");
            self.driver.await.expect("it ends");
            self.simulator.stop().await;
        });
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
            runtime.block_on(async {
                let mut changes = self.mt.changes();
                let start = Instant::now();
                self.mt.store(parcels).await.expect("there is room");
                while self.mt.look(|array| array.marks().processed.up_to()) < last {
                    changes.changed().await.expect("the ring is there");
                }
                took += start.elapsed();
            });
            done += SLOTS;
        }
        done as f64 / took.as_secs_f64()
    }

    /// Messages a second from the SMSC, which has enough of them.
    fn deliver_rate(&self, runtime: &Runtime) -> f64 {
        let (mut done, mut took) = (0, Duration::ZERO);
        while took < SLICE {
            let last = self.mo.look(Array::accepted).plus(SLOTS);
            let start = Instant::now();
            for number in 0..SLOTS {
                self.simulator
                    .phone_sends(PHONE, "17000", &format!("message {number}"));
            }
            runtime.block_on(async {
                let mut changes = self.mo.changes();
                while self.mo.look(|array| array.marks().retrieved.up_to()) < last {
                    changes.changed().await.expect("the ring is there");
                }
            });
            took += start.elapsed();
            done += SLOTS;
            self.mo.process_up_to(last).expect("all are held");
        }
        done as f64 / took.as_secs_f64()
    }

    fn mt_rates(&self, runtime: &Runtime) -> f64 {
        median(
            &mut (0..ROUNDS)
                .map(|_| self.submit_rate(runtime))
                .collect::<Vec<_>>(),
        )
    }

    fn mo_rates(&self, runtime: &Runtime) -> f64 {
        median(
            &mut (0..ROUNDS)
                .map(|_| self.deliver_rate(runtime))
                .collect::<Vec<_>>(),
        )
    }

    /// Each way against what the same rings do alone, slice by slice: one sync a message.
    fn against_the_ring(&self, runtime: &Runtime) -> (f64, f64) {
        let alone = RingFile::create(&self.file.path().with_extension("alone"), &names());
        let alone = alone.expect("a ring file").file.rings().remove(0);
        let (mut submits, mut delivers) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let before = append_rate(runtime, &alone);
            let submit = self.submit_rate(runtime);
            let middle = append_rate(runtime, &alone);
            let deliver = self.deliver_rate(runtime);
            let after = append_rate(runtime, &alone);
            submits.push(submit / f64::midpoint(before, middle));
            delivers.push(deliver / f64::midpoint(middle, after));
        }
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
