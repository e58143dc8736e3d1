//! How much the bad line in user space carries, and how exactly it keeps its times: 20,000 datagrams a second each way
//! at 300 ms of round trip.

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use sluice::sim::wan::{Wan, Weather};
use support::{Goal, figure, percentile};

const A_SECOND: u64 = 20_000;
const RUN: Duration = Duration::from_secs(3);
const ONE_WAY_MS: u64 = 150;
const LENGTH: usize = 1000;
/// Longer than anything is on its way.
const SILENCE: Duration = Duration::from_secs(1);

/// Sends at an even pace, each datagram with its number and the time since `start`.
fn send(start: Instant, count: u64, mut one: impl FnMut(&[u8])) {
    let mut datagram = [0; LENGTH];
    for n in 0..count {
        let at = Duration::from_nanos(n * 1_000_000_000 / A_SECOND);
        while let wait @ 1.. = at.saturating_sub(start.elapsed()).as_micros() {
            // Some datagrams go together, as those of a real sender do.
            std::thread::sleep(Duration::from_micros(wait.max(300) as u64));
        }
        datagram[..8].copy_from_slice(&(start.elapsed().as_nanos() as u64).to_le_bytes());
        one(&datagram);
    }
}

/// How late each datagram came, in microseconds after its time.
fn receive(start: Instant, socket: &UdpSocket) -> Vec<f64> {
    let mut late = Vec::new();
    let mut datagram = [0; LENGTH];
    while let Ok((length, _)) = socket.recv_from(&mut datagram) {
        let came = start.elapsed();
        assert_eq!(length, LENGTH, "datagrams are passed on whole");
        let (sent, _) = datagram.split_first_chunk().expect("it is long enough");
        let sent = Duration::from_nanos(u64::from_le_bytes(*sent));
        let took = came.saturating_sub(sent).as_secs_f64() * 1e6;
        late.push(took - ONE_WAY_MS as f64 * 1000.0);
    }
    late
}

fn main() {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let target = UdpSocket::bind(loopback).expect("a free port");
    let caller = UdpSocket::bind(loopback).expect("a free port");
    let place = target.local_addr().expect("it is bound");
    let wan = Wan::open(loopback, place, Weather::delayed(ONE_WAY_MS), 1).expect("a line");
    caller.connect(wan.address()).expect("a local address");
    for socket in [&target, &caller] {
        let socket = socket2::SockRef::from(socket);
        socket.set_recv_buffer_size(4 << 20).expect("an option");
    }
    // The target learns where to send to.
    caller.send(&[0; LENGTH]).expect("the line is there");
    let (_, back) = target.recv_from(&mut [0; LENGTH]).expect("it arrives");
    for socket in [&target, &caller] {
        socket.set_read_timeout(Some(SILENCE)).expect("an option");
    }

    let count = A_SECOND * RUN.as_secs();
    let start = Instant::now();
    let [mut out, home] = std::thread::scope(|threads| {
        let out = threads.spawn(|| receive(start, &target));
        let home = threads.spawn(|| receive(start, &caller));
        threads.spawn(|| {
            send(start, count, |datagram| {
                // What the kernel drops is counted as missing.
                let _ = caller.send(datagram);
            });
        });
        send(start, count, |datagram| {
            let _ = target.send_to(datagram, back);
        });
        [out, home].map(|receiver| receiver.join().expect("it counts"))
    });
    let share = |came: usize| came as f64 / count as f64;
    println!(
        "{count} datagrams each way at {A_SECOND}/s: {} and {} came; the line says {:?}",
        out.len(),
        home.len(),
        wan.passed()
    );
    let carried = share(out.len().min(home.len()));
    out.extend(home);
    let early = out.iter().copied().fold(f64::MAX, f64::min);
    figure(
        "wan_carried_20000_each_way",
        carried,
        "share",
        Goal::AtLeast(0.999),
    );
    figure("wan_earliest", early, "us", Goal::AtLeast(0.0));
    figure(
        "wan_late_median",
        percentile(&mut out, 0.5),
        "us",
        Goal::AtMost(200.0),
    );
    figure(
        "wan_late_99",
        percentile(&mut out, 0.99),
        "us",
        Goal::AtMost(1000.0),
    );
}
