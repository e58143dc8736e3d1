//! A bad line in user space: passes UDP datagrams and TCP streams on, and delays, loses, doubles, throttles and breaks
//! them. No privileges are needed.
//!
//! ```no_run
//! # use sluice::sim::wan::{Share, Wan, Weather};
//! # fn main() -> std::io::Result<()> {
//! # let central = "127.0.0.1:7788".parse().unwrap();
//! let bad = Weather::delayed(150).losing(Share::percent(1.0)); // 300 ms of round trip, 1 % lost each way
//! let wan = Wan::open("127.0.0.1:0".parse().unwrap(), central, bad, 7)?; // 7: the seed of all chance
//! let _call_here = wan.address(); // UDP and TCP alike
//! wan.change(|weather| weather.down = true); // silence, not resets
//! wan.change(|weather| weather.down = false);
//! wan.rebind(); // the target sees other UDP addresses from now on, as when a NAT forgot
//! wan.cut(); // all TCP streams are reset
//! println!("{:?}", wan.passed());
//! # Ok(()) }
//! ```
//!
//! It listens on one port for both, as central does, and passes on to one target; any number of callers may use it, and
//! share what it can carry. Its [`Weather`] can be changed at any moment; what is on its way already arrives as it was
//! to. Each packet's fate is drawn from a seed, in the order in which packets enter, so that the same packets meet the
//! same fate. It breaks down when it is dropped.
//!
//! The work is done by a thread of its own, so that a busy event loop does not make the line late; no runtime is needed
//! to open one. A datagram never arrives before its time, and on an idle machine within a tenth of a millisecond after
//! it (`cargo bench --bench wan`).
//!
//! What it cannot do: a TCP connection ends in the line and begins anew behind it, so segments are not really lost. A
//! "lost" piece of a stream comes a round trip later, and everything behind it waits, which is what TCP's recovery looks
//! like from above; the sender's congestion control, and how long real TCP stands still after an outage, are not shown.
//! Rates of TCP under loss are to be measured on a line that loses packets.
//!
//! | part | |
//! |---|---|
//! | `weather` | what the line is like |
//! | `way`, `pipe` | what happens to which packet when: machines without I/O |
//! | `datagrams`, `streams`, `relay` | the sockets and the thread |
//! | `command`, `cli` | `sluice sim wan` |

pub mod cli;
mod command;
mod datagrams;
mod pipe;
mod relay;
mod streams;
mod way;
mod weather;

pub use weather::{Rate, Share, Weather};

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::thread::JoinHandle;

use serde::Serialize;

use relay::{Relay, Shared};

/// Attempts to find a port that is free for UDP and TCP.
const MOST_PORTS: usize = 16;

/// What passed so far, in both directions and of all callers together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Passed {
    /// UDP datagrams that came to the line.
    pub datagrams: u64,
    /// Of those, how many it lost or had no room for.
    pub datagrams_lost: u64,
    /// Octets in the datagrams that came, without what carries them.
    pub datagram_octets: u64,
    /// TCP connections that came to the line.
    pub calls: u64,
    /// Of those, how many it passed on.
    pub streams: u64,
    /// Octets of TCP that it passed on.
    pub stream_octets: u64,
}

/// A line from a port of its own to a target.
pub struct Wan {
    address: SocketAddr,
    target: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Wan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wan")
            .field("address", &self.address)
            .field("target", &self.target)
            .field("weather", &self.weather())
            .finish_non_exhaustive()
    }
}

impl Wan {
    /// Opens a line that listens there, UDP and TCP; port 0 lets the system choose.
    pub fn open(
        listen: SocketAddr,
        target: SocketAddr,
        weather: Weather,
        seed: u64,
    ) -> io::Result<Self> {
        let (tcp, udp) = bind(listen)?;
        let address = tcp.local_addr()?;
        let shared = Arc::new(Shared::new(weather)?);
        let relay = Relay::new(Arc::clone(&shared), tcp, udp, target, seed)?;
        let thread = std::thread::Builder::new()
            .name("wan".into())
            .spawn(move || relay.run())?;
        Ok(Self {
            address,
            target,
            shared,
            thread: Some(thread),
        })
    }

    /// Where to call.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it passes on to.
    pub const fn target(&self) -> SocketAddr {
        self.target
    }

    /// What the line is like now.
    pub fn weather(&self) -> Weather {
        self.shared.control().weather
    }

    /// Changes what the line is like, for all that enters from now on.
    pub fn change(&self, change: impl FnOnce(&mut Weather)) {
        self.shared.change(|control| change(&mut control.weather));
    }

    /// Moves the UDP flows to new addresses toward the target, as a NAT does that forgot them. What was on its way to the
    /// old ones is gone.
    pub fn rebind(&self) {
        self.shared.change(|control| control.rebinds += 1);
    }

    /// Resets all TCP streams, at both ends.
    pub fn cut(&self) {
        self.shared.change(|control| control.cuts += 1);
    }

    /// What passed so far.
    pub fn passed(&self) -> Passed {
        *self.shared.passed.borrow()
    }

    /// Waits until enough has passed.
    pub async fn until(&self, enough: impl FnMut(&Passed) -> bool) {
        let mut passed = self.shared.passed.subscribe();
        // The sender lives in `self`.
        let _ = passed.wait_for(enough).await;
    }
}

impl Drop for Wan {
    fn drop(&mut self) {
        self.shared.change(|control| control.stop = true);
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already, and here is no place for another.
            let _ = thread.join();
        }
    }
}

fn bind(listen: SocketAddr) -> io::Result<(TcpListener, UdpSocket)> {
    let mut tries = MOST_PORTS;
    loop {
        let tcp = TcpListener::bind(listen)?;
        match UdpSocket::bind(tcp.local_addr()?) {
            Ok(udp) => return Ok((tcp, udp)),
            Err(_) if listen.port() == 0 && tries > 0 => tries -= 1,
            Err(error) => return Err(error),
        }
    }
}
