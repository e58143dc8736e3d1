//! What the link carries over real sockets, with TLS and certificates, across loopback and bad lines in user space:
//! `cargo bench --bench link`, within a minute. Names that are given as arguments choose among the cases; outages of a
//! minute and of ten (`link.outage_60s`, `link.outage_600s`) run only if they are named.
//!
//! Cases whose rate is set by the line run beside one another; those that need the processor run alone. Rings lie in
//! memory; what the disk costs is measured by `--bench ring`.

mod support;

#[path = "link/baseline.rs"]
mod baseline;
#[path = "link/bed.rs"]
mod bed;

use std::time::{Duration, Instant};

use bed::{Bed, Operator};
use sluice::link::driver::Phase;
use sluice::link::transport::Choice;
use sluice::sim::wan::{Share, Weather};
use support::{Goal, figure};
use tokio::time::sleep;

/// Messages a ring holds.
const WINDOW: f64 = 255.0;

/// A line that sets the rate.
struct Case {
    name: &'static str,
    lanes: usize,
    rtt_ms: u64,
    loss: f64,
    transport: Choice,
    /// The share of 255 a round trip and lane that is to be reached.
    goal: Option<f64>,
}

const fn case(name: &'static str, rtt_ms: u64, loss: f64, goal: f64) -> Case {
    Case {
        name,
        lanes: 1,
        rtt_ms,
        loss,
        transport: Choice::Quic,
        goal: Some(goal),
    }
}

/// One lane on lines with time to spare: they run together.
const BESIDE: [Case; 8] = [
    case("link.share_100ms", 100, 0.0, 0.95),
    case("link.share_300ms", 300, 0.0, 0.95),
    case("link.share_600ms", 600, 0.0, 0.95),
    case("link.share_300ms_1", 300, 1.0, 0.90),
    case("link.share_300ms_3", 300, 3.0, 0.80),
    case("link.share_800ms_1", 800, 1.0, 0.88),
    Case {
        transport: Choice::Tcp,
        goal: None,
        ..case("link.share_300ms_tcp", 300, 0.0, 0.0)
    },
    Case {
        transport: Choice::Tcp,
        goal: None,
        ..case("link.share_300ms_1_tcp", 300, 1.0, 0.0)
    },
];

/// How long the line is gone, in seconds.
const OUTAGES: [u64; 3] = [10, 60, 600];

/// What a case measured.
struct Measured {
    /// Messages a second of each lane.
    lanes: Vec<f64>,
    /// Octets on the line beside the items, both ways, for each message.
    overhead: f64,
}

impl Measured {
    fn rate(&self) -> f64 {
        self.lanes.iter().sum()
    }

    /// The slowest lane over the fastest.
    fn fairness(&self) -> f64 {
        let slowest = self.lanes.iter().copied().fold(f64::INFINITY, f64::min);
        let fastest = self.lanes.iter().copied().fold(0.0, f64::max);
        slowest / fastest
    }
}

/// Octets of one message's item.
fn item(bed: &Bed) -> f64 {
    bed.origins[0].look(|array| {
        let some = array.get(array.accepted());
        some.map_or(0.0, |parcel| parcel.octets().len() as f64)
    })
}

fn octets(bed: &Bed) -> f64 {
    let line = bed.link.status().line.expect("it is up");
    (line.octets_sent + line.octets_received) as f64
}

/// Fills the rings, lets the line be found out, and measures.
async fn measured(bed: &mut Bed, warm: Duration, time: Duration) -> Measured {
    bed.fill();
    sleep(warm).await;
    let (before, octets_before, start) = (bed.handed_on(), octets(bed), Instant::now());
    sleep(time).await;
    let (after, octets_after, took) = (bed.handed_on(), octets(bed), start.elapsed());
    let counts = after
        .iter()
        .zip(&before)
        .map(|(after, before)| after - before);
    let lanes: Vec<f64> = counts
        .map(|count| count as f64 / took.as_secs_f64())
        .collect();
    let messages = lanes.iter().sum::<f64>() * took.as_secs_f64();
    Measured {
        lanes,
        overhead: (octets_after - octets_before) / messages - item(bed),
    }
}

async fn run(
    operator: &Operator,
    case: &Case,
    seed: u64,
    warm: Duration,
    time: Duration,
) -> Measured {
    let weather = Weather::delayed(case.rtt_ms / 2).losing(Share::percent(case.loss));
    let mut bed = Bed::new(operator, case.lanes, Some((weather, seed)), case.transport).await;
    let measured = measured(&mut bed, warm, time).await;
    let line = bed.link.status().line.expect("it is up");
    println!(
        "# {}: {:.0} messages/s, {:.1} octets overhead, slowest of fastest lane {:.2}; {:?} {:?} loss {:.4} rate {}",
        case.name,
        measured.rate(),
        measured.overhead,
        measured.fairness(),
        line.carrier,
        line.round_trip.unwrap_or_default(),
        line.loss,
        line.rate
    );
    bed.stop().await;
    measured
}

fn ceiling(case: &Case) -> f64 {
    case.lanes as f64 * WINDOW * 1000.0 / case.rtt_ms as f64
}

/// An outage: how long after the line's return the first message is handed on, and how long after the new connection.
async fn outage(operator: &Operator, seed: u64, down: Duration) -> (Duration, Duration) {
    let weather = Weather::delayed(150);
    let mut bed = Bed::new(operator, 1, Some((weather, seed)), Choice::Auto).await;
    bed.fill();
    sleep(Duration::from_secs(3)).await;
    let wan = bed.wan.as_ref().expect("a bad line");
    wan.change(|weather| weather.down = true);
    sleep(down).await;
    let mirror = bed.mirrors[0].clone();
    let stood = mirror.look(|array| array.marks().retrieved.highest());
    let mut changes = mirror.changes();
    wan.change(|weather| weather.down = false);
    let back = Instant::now();
    let mut seen = bed.link.watch();
    let noticed = async {
        // What was decided before the line came back does not count.
        let connected = seen.wait_for(|status| {
            status.phase == Phase::Up
                && status
                    .line
                    .as_ref()
                    .is_some_and(|line| line.heard_at > None)
        });
        connected.await.expect("the link lives");
        back.elapsed()
    };
    let flows = async {
        while mirror.look(|array| array.marks().retrieved.highest()) <= stood {
            changes.changed().await.expect("the ring lives");
        }
        back.elapsed()
    };
    let (noticed, flows) = tokio::join!(noticed, flows);
    bed.stop().await;
    (flows, flows.saturating_sub(noticed))
}

struct Choose(Vec<String>);

impl Choose {
    fn wants(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|chosen| name.contains(chosen))
    }

    /// Whether exactly this was asked for.
    fn names(&self, name: &str) -> bool {
        self.0.iter().any(|chosen| chosen == name)
    }
}

async fn beside(operator: &Operator, choose: &Choose) {
    let (warm, time) = (Duration::from_secs(5), Duration::from_secs(12));
    let mut rates = Vec::new();
    let all = BESIDE.iter().zip(1..).map(|(case, seed)| async move {
        match choose.wants(case.name) {
            true => Some(run(operator, case, seed, warm, time).await),
            false => None,
        }
    });
    let outages = async {
        let mut all = Vec::new();
        for seconds in OUTAGES {
            let name = format!("link.outage_{seconds}s");
            if !choose.names(&name) && (seconds > 10 || !choose.wants(&name)) {
                continue;
            }
            let down = Duration::from_secs(seconds);
            let each = (1..=3).map(|seed| outage(operator, seed, down));
            all.push((name, futures_util::future::join_all(each).await));
        }
        all
    };
    let sequential = async {
        match choose.wants("link.over_sequential_300ms") {
            true => Some(baseline::sequential(Weather::delayed(150), time).await),
            false => None,
        }
    };
    let all = futures_util::future::join_all(all);
    let (all, outages, sequential) = tokio::join!(all, outages, sequential);
    for (case, measured) in BESIDE.iter().zip(all) {
        let Some(measured) = measured else { continue };
        let share = measured.rate() / ceiling(case);
        match case.goal {
            Some(goal) => figure(case.name, share, "of 255/rtt", Goal::AtLeast(goal)),
            None => println!("# {} {share:.3} of 255/rtt, to compare", case.name),
        }
        rates.push((case.name, measured.rate()));
    }
    let plain = rates.iter().find(|(name, _)| *name == "link.share_300ms");
    if let (Some(sequential), Some((_, rate))) = (sequential, plain) {
        println!("# one at a time over 300 ms: {sequential:.2} messages/s");
        let times = rate / sequential;
        figure(
            "link.over_sequential_300ms",
            times,
            "times",
            Goal::AtLeast(150.0),
        );
    }
    for (name, each) in outages {
        println!(
            "# {name}: first message after the line's return, and after the new connection: {each:?}"
        );
        let worst = each.iter().map(|each| each.0).max().unwrap_or_default();
        let noticed = each.iter().map(|each| each.1).max().unwrap_or_default();
        figure(
            &format!("{name}_flows"),
            worst.as_secs_f64(),
            "s",
            Goal::AtMost(3.0),
        );
        figure(
            &format!("{name}_first"),
            noticed.as_secs_f64() * 1e3,
            "ms",
            Goal::AtMost(650.0),
        );
    }
}

async fn alone(operator: &Operator, choose: &Choose) {
    let case_20 = case("link.share_20ms", 20, 0.0, 0.95);
    if choose.wants(case_20.name) {
        let (warm, time) = (Duration::from_secs(2), Duration::from_secs(3));
        let measured = run(operator, &case_20, 1, warm, time).await;
        let share = measured.rate() / ceiling(&case_20);
        figure(case_20.name, share, "of 255/rtt", Goal::AtLeast(0.95));
    }
    let sixteen = Case {
        lanes: 16,
        ..case("link.share_16_lanes_300ms", 300, 0.0, 0.90)
    };
    let (warm, time) = (Duration::from_secs(3), Duration::from_secs(4));
    if choose.wants(sixteen.name) {
        let measured = run(operator, &sixteen, 1, warm, time).await;
        let share = measured.rate() / ceiling(&sixteen);
        figure(sixteen.name, share, "of 16*255/rtt", Goal::AtLeast(0.90));
        figure(
            "link.fair_16_lanes",
            measured.fairness(),
            "slowest/fastest",
            Goal::AtLeast(0.90),
        );
        figure(
            "link.overhead_octets",
            measured.overhead,
            "octets",
            Goal::AtMost(32.0),
        );
    }
    let lossy = Case {
        lanes: 16,
        ..case("link.rate_16_lanes_300ms_1", 300, 1.0, 0.0)
    };
    if choose.wants(lossy.name) {
        let measured = run(operator, &lossy, 1, warm, time).await;
        figure(
            lossy.name,
            measured.rate(),
            "messages/s",
            Goal::AtLeast(8000.0),
        );
    }
    for (name, transport, lanes) in [
        ("link.loopback", Choice::Quic, 8),
        ("link.loopback_tcp", Choice::Tcp, 8),
    ] {
        if choose.wants(name) {
            let mut bed = Bed::new(operator, lanes, None, transport).await;
            let (warm, time) = (Duration::from_secs(1), Duration::from_secs(3));
            let measured = measured(&mut bed, warm, time).await;
            println!(
                "# {name}: {:.0} messages/s, {:.1} octets overhead; {:?}",
                measured.rate(),
                measured.overhead,
                bed.link.status().line
            );
            figure(
                name,
                measured.rate(),
                "messages/s",
                Goal::AtLeast(100_000.0),
            );
            bed.stop().await;
        }
    }
}

fn main() {
    let names = std::env::args()
        .skip(1)
        .filter(|name| !name.starts_with('-'));
    let choose = Choose(names.collect());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    if std::env::var_os("RUST_LOG").is_some() {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_writer(std::io::stderr)
            .init();
    }
    let operator = Operator::new();
    runtime.block_on(async {
        alone(&operator, &choose).await;
        beside(&operator, &choose).await;
    });
}
