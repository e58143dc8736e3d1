//! The line's thread: waits for sockets and for the next arrival, whichever comes first. It decides nothing.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use tokio::sync::watch;

use super::Passed;
use super::datagrams::Datagrams;
use super::streams::Streams;
use super::way::Way;
use super::weather::Weather;
use crate::clock::{Clock, Moment};

/// Longest wait in one turn; an hour fits whatever the kernel counts in.
const MOST_WAIT_S: u64 = 3600;

/// Which way, as an index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum To {
    Target,
    Caller,
}

/// What the line is told.
#[derive(Clone, Copy)]
pub(super) struct Control {
    pub(super) weather: Weather,
    /// Counts how often callers got new addresses toward the target.
    pub(super) rebinds: u64,
    /// Counts how often all streams were broken off.
    pub(super) cuts: u64,
    pub(super) stop: bool,
}

/// What the line's thread shares with those who hold the line.
pub(super) struct Shared {
    control: Mutex<Control>,
    /// Readable when `control` was changed.
    wake: OwnedFd,
    pub(super) passed: watch::Sender<Passed>,
}

impl Shared {
    pub(super) fn new(weather: Weather) -> io::Result<Self> {
        Ok(Self {
            control: Mutex::new(Control {
                weather,
                rebinds: 0,
                cuts: 0,
                stop: false,
            }),
            wake: eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?,
            passed: watch::Sender::default(),
        })
    }

    pub(super) fn control(&self) -> MutexGuard<'_, Control> {
        // Nothing that holds it can panic halfway.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what the line is told, and wakes it.
    pub(super) fn change(&self, change: impl FnOnce(&mut Control)) {
        change(&mut self.control());
        // It fails only when the thread has not yet seen very many earlier ones.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

/// Both directions, with the present and the weather of the moment in which something enters.
pub(super) struct Ways {
    shared: Arc<Shared>,
    clock: Clock,
    ways: [Way; 2],
}

impl Ways {
    pub(super) fn now(&self) -> Moment {
        self.clock.now()
    }

    pub(super) fn weather(&self) -> Weather {
        self.shared.control().weather
    }

    /// Asks that direction, by the weather of now.
    pub(super) fn decide<T>(
        &mut self,
        to: To,
        ask: impl FnOnce(&mut Way, &Weather, Moment) -> T,
    ) -> T {
        let (weather, now) = (self.weather(), self.now());
        ask(&mut self.ways[to as usize], &weather, now)
    }
}

/// The thread's own.
pub(super) struct Relay {
    shared: Arc<Shared>,
    ways: Ways,
    datagrams: Datagrams,
    streams: Streams,
    rebinds: u64,
    cuts: u64,
    passed: Passed,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").finish_non_exhaustive()
    }
}

impl Relay {
    pub(super) fn new(
        shared: Arc<Shared>,
        tcp: TcpListener,
        udp: UdpSocket,
        target: SocketAddr,
        seed: u64,
    ) -> io::Result<Self> {
        Ok(Self {
            ways: Ways {
                shared: Arc::clone(&shared),
                clock: Clock::system(),
                ways: [Way::new(seed), Way::new(!seed)],
            },
            shared,
            datagrams: Datagrams::new(udp, target)?,
            streams: Streams::new(tcp, target)?,
            rebinds: 0,
            cuts: 0,
            passed: Passed::default(),
        })
    }

    /// Carries until it is told to stop.
    pub(super) fn run(mut self) {
        let mut ready = Vec::new();
        loop {
            let control = *self.shared.control();
            if control.stop {
                return;
            }
            if std::mem::replace(&mut self.rebinds, control.rebinds) != control.rebinds {
                self.datagrams.rebind();
            }
            if std::mem::replace(&mut self.cuts, control.cuts) != control.cuts {
                self.streams.cut();
            }
            self.datagrams.release(self.ways.now());
            self.shared
                .passed
                .send_if_modified(|passed| std::mem::replace(passed, self.passed) != self.passed);
            if let Err(why) = self.wait(&control.weather, &mut ready) {
                // Out of memory, or of what else the kernel needs for waiting: the next turn may succeed.
                tracing::warn!("the line cannot wait: {why}");
                std::thread::yield_now();
                continue;
            }
            let mut count = [0; 8];
            let _ = rustix::io::read(&self.shared.wake, &mut count);
            let ready = &ready[1..];
            let used = self
                .datagrams
                .take_in(ready, &mut self.ways, &mut self.passed);
            self.streams
                .turn(&ready[used..], &mut self.ways, &mut self.passed);
        }
    }

    /// Waits, and notes what the sockets say.
    fn wait(&mut self, weather: &Weather, ready: &mut Vec<PollFlags>) -> io::Result<()> {
        let due = [self.datagrams.due(), self.streams.due(&mut self.ways)];
        let wait = due.into_iter().flatten().min().map(|due| {
            let wait = due - self.ways.now();
            Timespec {
                tv_sec: wait.as_secs().min(MOST_WAIT_S) as i64,
                tv_nsec: i64::from(wait.subsec_nanos()),
            }
        });
        let mut fds = vec![PollFd::new(&self.shared.wake, PollFlags::IN)];
        self.datagrams.poll_fds(&mut fds);
        self.streams.poll_fds(weather, &mut fds);
        match poll(&mut fds, wait.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(why) => return Err(why.into()),
        }
        ready.clear();
        ready.extend(fds.iter().map(PollFd::revents));
        Ok(())
    }
}
