//! The appliance as a whole: SMSC, edge, bad line, central and inbox, both ways at once; what it costs at rest, and with
//! a million texts waiting. `cargo bench --bench appliance`
//!
//! The baseline of each ratio is measured in the same run: the same appliance over a line without delay, which is what the
//! SMSC's session and the processor allow, and the window of 255 messages a round trip, which no ring exceeds.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice::central::config::CentralConfig;
use sluice::central::talk::Hand;
use sluice::central::{Caller, CentralSubject, Ledger};
use sluice::config::{self, Document, Loaded};
use sluice::edge::EdgeSubject;
use sluice::link::pki::Authority;
use sluice::sim::wan::{Wan, Weather};
use sluice::sim::{Account, Config, Simulator, port};
use sluice::status::StatusDoor;
use sluice::status::config::StatusConfig;
use sluice::store::post::{Post, Shelf};
use sluice::store::{Batch, Range, Store};
use support::{Goal, figure};

/// One way, of the bad line.
const DELAY_MS: u64 = 150;
/// Messages of a ring that may be under way, a second, at that delay.
const WINDOW: f64 = 255.0 / 0.3;

fn main() {
    let begun = Instant::now();
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let near = runtime.block_on(rate(1, 0, 3_000));
    let far = runtime.block_on(rate(1, DELAY_MS, 3_000));
    for (way, near, far) in [("mt", near.0, far.0), ("mo", near.1, far.1)] {
        println!("one lane, {way}: {near:.0}/s without delay, {far:.0}/s over 300 ms");
        let allowed = near.min(WINDOW);
        figure(
            &format!("appliance.one_lane_300ms_{way}"),
            far / allowed,
            "of what session and window allow",
            Goal::AtLeast(0.9),
        );
    }
    // The processor's limit is that of this minute: what else the machine does changes it, so it is measured on both sides.
    let near16 = runtime.block_on(rate(16, 0, 9_600));
    let far16 = runtime.block_on(rate(16, DELAY_MS, 12_800));
    let after16 = runtime.block_on(rate(16, 0, 9_600));
    // Both ways share the processor.
    let all = |rates: &(f64, f64, Vec<f64>)| rates.0 + rates.1;
    let (near_all, far_all) = (f64::midpoint(all(&near16), all(&after16)), all(&far16));
    let sixteen = 16.0 * (near.0.min(WINDOW) + near.1.min(WINDOW));
    println!(
        "sixteen lanes, both ways: {:.0}/s and {:.0}/s without delay, {far_all:.0}/s over 300 ms",
        all(&near16),
        all(&after16)
    );
    figure(
        "appliance.sixteen_lanes_300ms",
        far_all / sixteen.min(near_all),
        "of sixteen lanes, or what the processor allows",
        Goal::AtLeast(0.8),
    );
    let mut answers = [near16.2, far16.2, after16.2].concat();
    println!(
        "sluice status, as a command: {} times under that load, half of them within {:.1} ms",
        answers.len(),
        support::median(&mut answers)
    );
    figure(
        "appliance.status_under_load",
        support::percentile(&mut answers, 0.95),
        "ms, 95 of 100",
        Goal::AtMost(50.0),
    );
    // What is at rest is not disturbed by a store that is filled meanwhile: processor time is counted, not time.
    let waiting = runtime.block_on(World::new(1, 10));
    std::thread::scope(|scope| {
        scope.spawn(|| fill(&waiting));
        rest(&runtime);
    });
    million(&waiting);
    println!("the whole took {:.0} s", begun.elapsed().as_secs_f64());
}

/// Folder, SMSC and line.
struct World {
    folder: tempfile::TempDir,
    smsc: Simulator,
    _wan: Wan,
}

impl World {
    async fn new(lanes: usize, delay_ms: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let accounts = (0..lanes).map(|lane| Account {
            numbers: vec![(17000 + lane).to_string()],
            ..Account::new(&format!("lane-{lane}"), "secret")
        });
        let mut script = Config {
            accounts: accounts.collect(),
            smpp: Some(sluice::sim::Smpp::default()),
            ..Config::default()
        };
        script.centre.keep = 1_000_000;
        let smsc = Simulator::start(script).await.expect("the simulator");
        let central = port::free().expect("a free port");
        let wan = Wan::open(
            "127.0.0.1:0".parse().expect("an address"),
            central,
            Weather::delayed(delay_ms),
            1,
        )
        .expect("the line");
        let world = Self {
            folder,
            smsc,
            _wan: wan,
        };
        world.configure(lanes, central, world._wan.address());
        world
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn configure(&self, lanes: usize, central: std::net::SocketAddr, line: std::net::SocketAddr) {
        let now = sluice::clock::Clock::system().wall();
        let mut authority = Authority::init(
            &self.path().join("pki"),
            "central",
            &[line.to_string()],
            now,
        )
        .expect("an authority");
        authority
            .enrol("oslo", Duration::from_secs(86_400), now)
            .and_then(|bundle| bundle.save(&self.path().join("edge.pair")))
            .expect("a pairing");
        let root = self.path().display();
        let smsc = self.smsc.addresses().smpp.expect("it listens");
        let mut edge = format!(
            "name = 'oslo'\n[rings]\ndirectory = '{root}/edge'\n[link]\nbundle = '{root}/edge.pair'\n\
             [status]\nsocket = '{root}/edge.sock'\n"
        );
        let mut other = format!(
            "[rings]\ndirectory = '{root}/central'\n[store]\ndirectory = '{root}/store'\nleast_free_percent = 1\nleast_free_mib = 64\n\
             [link]\ndirectory = '{root}/pki'\nlisten = '{central}'\n[status]\nsocket = '{root}/central.sock'\n\
             [desk]\nsocket = '{root}/desk.sock'\n[[edge]]\nname = 'oslo'\n"
        );
        for lane in 0..lanes {
            edge += &format!(
                "[[lane]]\nname = 'lane-{lane}'\n[lane.smsc]\ntransport = 'tcp'\nhost = '127.0.0.1'\nport = {}\n\
                 [lane.smpp]\nsystem_id = 'lane-{lane}'\npassword_file = '{root}/password'\n",
                smsc.port()
            );
            other += &format!(
                "[[edge.lane]]\nname = 'lane-{lane}'\nshort_codes = ['{}']\n",
                17000 + lane
            );
        }
        let write = |name: &str, text: &str| {
            std::fs::write(self.path().join(name), text).expect("it is written");
        };
        write("password", "secret");
        let private = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600);
        std::fs::set_permissions(self.path().join("password"), private).expect("it is ours");
        write("edge.toml", &edge);
        write("central.toml", &other);
        for name in ["edge", "central"] {
            std::fs::create_dir(self.path().join(name)).expect("a folder");
        }
    }

    fn file(&self, mode: &str) -> PathBuf {
        self.path().join(mode).with_extension("toml")
    }

    fn loaded<D: Document>(&self) -> Loaded<D> {
        config::load(&self.file(D::MODE)).expect("a configuration")
    }

    fn start(&self, mode: &str) -> Service {
        let child = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["--log", "error", mode, "--config"])
            .arg(self.path().join(mode).with_extension("toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        Service(child)
    }
}

struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _gone_already = self.0.wait();
    }
}

impl Service {
    fn resident_mib(&self) -> f64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("it is there");
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .expect("it has memory");
        let kib: f64 = line
            .split_whitespace()
            .nth(1)
            .and_then(|number| number.parse().ok())
            .expect("a number");
        kib / 1024.0
    }

    /// Processor time so far, in seconds.
    fn worked(&self) -> f64 {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).expect("it is there");
        let behind_name = stat.rsplit(')').next().expect("it has a name");
        let fields: Vec<&str> = behind_name.split_whitespace().collect();
        let ticks = |place: usize| fields[place].parse::<f64>().expect("a number");
        // utime and stime, in hundredths of a second on all Linux that we run on.
        (ticks(11) + ticks(12)) / 100.0
    }
}

fn hand(lane: usize, number: usize) -> Hand {
    Hand {
        key: None,
        from: Some((17000 + lane).to_string()),
        to: format!("+358400{:06}", number % 1000),
        text: format!(
            "a text of ordinary length, as people write them to each other, number {number}"
        ),
        report: false,
        validity: None,
    }
}

/// Messages a second to phones and from phones, both ways at once, over so many lanes and this line. Measured between the
/// first tenth and the ninth. Meanwhile `sluice status` is asked of both ends in turn; how many milliseconds it took.
async fn rate(lanes: usize, delay_ms: u64, count: usize) -> (f64, f64, Vec<f64>) {
    let world = World::new(lanes, delay_ms).await;
    let central = CentralSubject::start(world.file("central"), world.loaded(), None);
    let central = central.await.expect("central");
    let edge = EdgeSubject::start(world.file("edge"), world.loaded(), None).expect("the edge");
    let mut doors = tokio::task::JoinSet::new();
    let door = |mode: &str| {
        let status = StatusConfig::default();
        StatusDoor::open(&world.path().join(mode).with_extension("sock"), &status)
            .expect("a socket")
    };
    doors.spawn(door("central").run(central.clone()));
    doors.spawn(door("edge").run(edge.clone()));
    let (central, edge) = (central.central(), edge.edge());
    let ledger = central.ledger().clone();
    // The link stands when something has come through.
    for lane in 0..lanes {
        world
            .smsc
            .phone_sends("+358409999999", &(17000 + lane).to_string(), "hello");
    }
    until(|| ledger.standing().inbox >= lanes as u64).await;
    // Before anything moves, both sides have enough to do.
    for number in 0..count {
        let lane = number % lanes;
        world.smsc.phone_sends(
            &format!("+467000{:05}", number % 1000),
            &(17000 + lane).to_string(),
            &format!(
                "a message of ordinary length, as people write them to each other, number {number}"
            ),
        );
    }
    let texts = tokio::spawn(hand_all(ledger.clone(), lanes, count));
    let smsc = &world.smsc;
    let begun = Instant::now();
    let (tenth, ninth) = (count as u64 / 10, count as u64 * 9 / 10);
    let measure = |seen: Box<dyn Fn() -> u64>| async move {
        until(|| seen() >= tenth).await;
        let (first, at) = (seen(), Instant::now());
        until(|| seen() >= ninth).await;
        (seen() - first) as f64 / at.elapsed().as_secs_f64()
    };
    let inbox = ledger.clone();
    let mut answers = Vec::new();
    let (mt, mo) = {
        let smsc: &Simulator = smsc;
        let to = async {
            let seen = || smsc.counts().received_by_phones;
            until(|| seen() >= tenth).await;
            let (first, at) = (seen(), Instant::now());
            until(|| seen() >= ninth).await;
            (seen() - first) as f64 / at.elapsed().as_secs_f64()
        };
        let from = measure(Box::new(move || inbox.standing().inbox));
        let rates = async { tokio::join!(to, from) };
        let mut rates = std::pin::pin!(rates);
        loop {
            let asked = ["edge", "central"][answers.len() % 2];
            tokio::select! {
                rates = &mut rates => break rates,
                took = ask_status(world.path().join(asked).with_extension("sock")) => answers.push(took),
            }
        }
    };
    texts.await.expect("all texts are taken");
    assert!(begun.elapsed() < Duration::from_secs(120), "it is slow");
    edge.stop().await;
    central.stop().await;
    (mt, mo, answers)
}

/// `sluice status` as a command, from its start to its end, in milliseconds; then a pause.
async fn ask_status(socket: PathBuf) -> f64 {
    let asking = tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        let done = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .arg("status")
            .arg("--socket")
            .arg(socket)
            .output()
            .expect("it runs");
        let took = begun.elapsed();
        assert!(!done.stdout.is_empty(), "it shows the status");
        took.as_secs_f64() * 1000.0
    });
    let took = asking.await.expect("it answers");
    tokio::time::sleep(Duration::from_millis(100)).await;
    took
}

async fn hand_all(ledger: Arc<Ledger>, lanes: usize, count: usize) {
    for chunk in (0..count).collect::<Vec<_>>().chunks(200) {
        let handed: Vec<_> = chunk
            .iter()
            .map(|&number| {
                ledger
                    .hand_in(hand(number % lanes, number))
                    .expect("it is taken")
            })
            .collect();
        for one in handed {
            one.stored().await.expect("it is stored");
        }
    }
}

async fn until(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "it does not happen"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// An edge that has nothing to do, with its lane and its link up.
fn rest(runtime: &tokio::runtime::Runtime) {
    let world = runtime.block_on(World::new(1, 10));
    let _central = world.start("central");
    let edge = world.start("edge");
    let begun = Instant::now();
    world.smsc.phone_sends("+358409999999", "17000", "hello");
    let mut caller = None;
    while caller.is_none() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "central does not come up"
        );
        caller = Caller::call(&world.path().join("desk.sock")).ok();
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut caller = caller.expect("it was called");
    caller
        .say(&sluice::central::talk::Request::Inbox { after: 0 })
        .expect("it listens");
    caller.hear().expect("the first message came through");
    // What the start cost is over.
    std::thread::sleep(Duration::from_secs(2));
    let (before, at) = (edge.worked(), Instant::now());
    std::thread::sleep(Duration::from_secs(8));
    let share = (edge.worked() - before) / at.elapsed().as_secs_f64() * 100.0;
    figure(
        "appliance.edge_at_rest_memory",
        edge.resident_mib(),
        "MiB",
        Goal::AtMost(20.0),
    );
    figure(
        "appliance.edge_at_rest_processor",
        share,
        "% of a core",
        Goal::AtMost(0.5),
    );
}

/// A million texts that wait for a lane that is not there.
fn fill(world: &World) {
    const WAITING: u64 = 1_000_000;
    let config = world.loaded::<CentralConfig>().config;
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    runtime.block_on(async {
        let store = Store::open(&config.store.directory, &config.store).expect("a store");
        let (_keep, watched) = tokio::sync::watch::channel(Arc::new(config.clone()));
        let ledger = Ledger::open(store.clone(), watched).expect("a ledger");
        let one = ledger.hand_in(hand(0, 1)).expect("it is taken");
        one.stored().await.expect("it is stored");
        let row = store
            .scan(&Range::prefix(b"post/w"), 1)
            .expect("it can be read");
        let value = row[0].value.clone();
        let mut post = Post::new(store.clone()).expect("a post");
        for chunk in (2..=WAITING).collect::<Vec<_>>().chunks(1900) {
            for &number in chunk {
                post.put(&Shelf::Waiting(number), value.clone());
            }
            let (pending, submitted) = post.submit(Batch::new()).expect("it is taken");
            submitted.durable().await.expect("it is durable");
            post.settled(pending);
        }
        store.close().expect("it is closed");
    });
}

/// Central at its start with them.
fn million(world: &World) {
    let begun = Instant::now();
    let central = world.start("central");
    while Caller::call(&world.path().join("desk.sock")).is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "central does not come up"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    let took = begun.elapsed().as_secs_f64();
    std::thread::sleep(Duration::from_secs(2));
    figure(
        "appliance.million_waiting_start",
        took,
        "s",
        Goal::AtMost(3.0),
    );
    figure(
        "appliance.million_waiting_memory",
        central.resident_mib(),
        "MiB",
        Goal::AtMost(200.0),
    );
}
