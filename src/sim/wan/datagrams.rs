//! The line's UDP: a flow for each caller, and what is on its way between callers and target.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use rustix::event::{PollFd, PollFlags};
use rustix::net::sockopt;

use super::Passed;
use super::relay::{To, Ways};
use super::way::Fate;
use crate::clock::Moment;

/// Largest UDP datagram.
const LARGEST: usize = 65_535;
/// Octets on their way, all flows and both directions together; what comes on top is dropped. It is more than a second
/// of 400 Mbit/s, and the most that the line's datagrams take of memory.
const MOST_OCTETS: usize = 64 << 20;
/// Flows at the same time: the line is for some edges and their redials. Beyond that the one that was silent for the
/// longest time is forgotten, as NATs do.
const MOST_FLOWS: usize = 1024;
/// Datagrams that are taken from one socket before the others have their turn.
const AT_ONCE: usize = 64;
/// What is asked of the kernel as room for datagrams that wait for the line's thread: 10 ms of 100,000 a second.
const WAITING_OCTETS: usize = 4 << 20;

/// A caller, and the socket by which the target knows it.
struct Flow {
    caller: SocketAddr,
    socket: UdpSocket,
    /// Grows with each datagram of the caller.
    used: u64,
}

/// A datagram on its way. The first two order the heap.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct OnTheWay {
    due: Moment,
    number: u64,
    to: To,
    flow: u64,
    octets: Box<[u8]>,
}

/// All of a line's datagrams.
pub(super) struct Datagrams {
    target: SocketAddr,
    near: UdpSocket,
    flows: BTreeMap<u64, Flow>,
    by_caller: HashMap<SocketAddr, u64>,
    on_the_way: BinaryHeap<Reverse<OnTheWay>>,
    octets: usize,
    /// Numbers flows and datagrams.
    count: u64,
    buffer: Box<[u8]>,
}

impl Datagrams {
    pub(super) fn new(near: UdpSocket, target: SocketAddr) -> io::Result<Self> {
        near.set_nonblocking(true)?;
        give_room(&near);
        Ok(Self {
            target,
            near,
            flows: BTreeMap::new(),
            by_caller: HashMap::new(),
            on_the_way: BinaryHeap::new(),
            octets: 0,
            count: 0,
            buffer: vec![0; LARGEST].into(),
        })
    }

    /// Gives each caller a new address toward the target.
    pub(super) fn rebind(&mut self) {
        for flow in self.flows.values_mut() {
            match way_out(self.target) {
                Ok(socket) => flow.socket = socket,
                Err(why) => tracing::warn!("the line cannot move a flow: {why}"),
            }
        }
    }

    /// When the next one arrives.
    pub(super) fn due(&self) -> Option<Moment> {
        self.on_the_way.peek().map(|Reverse(next)| next.due)
    }

    /// Passes on what has arrived.
    pub(super) fn release(&mut self, now: Moment) {
        while let Some(Reverse(next)) = self.on_the_way.peek()
            && next.due <= now
        {
            let Some(Reverse(next)) = self.on_the_way.pop() else {
                return;
            };
            self.octets -= next.octets.len();
            // A flow that was forgotten meanwhile.
            let Some(flow) = self.flows.get(&next.flow) else {
                continue;
            };
            let send = || match next.to {
                To::Target => flow.socket.send(&next.octets),
                To::Caller => self.near.send_to(&next.octets, flow.caller),
            };
            // An error may be the ICMP answer to an earlier one, so it is tried once more. Nobody there is as good as
            // lost.
            if send().is_err() {
                let _ = send();
            }
        }
    }

    /// What to wait for: the callers' side first, then each flow.
    pub(super) fn poll_fds<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        fds.push(PollFd::new(&self.near, PollFlags::IN));
        let flows = self.flows.values();
        fds.extend(flows.map(|flow| PollFd::new(&flow.socket, PollFlags::IN)));
    }

    /// Takes in what came, given what [`poll_fds`](Self::poll_fds) found; tells how many of its places it used.
    pub(super) fn take_in(
        &mut self,
        ready: &[PollFlags],
        ways: &mut Ways,
        passed: &mut Passed,
    ) -> usize {
        let flows: Vec<u64> = self.flows.keys().copied().collect();
        let used = 1 + flows.len();
        for (id, ready) in flows.into_iter().zip(&ready[1..]) {
            if !ready.is_empty() {
                self.hear_target(id, ways, passed);
            }
        }
        if !ready[0].is_empty() {
            self.hear_callers(ways, passed);
        }
        used
    }

    fn hear_callers(&mut self, ways: &mut Ways, passed: &mut Passed) {
        for _ in 0..AT_ONCE {
            match self.near.recv_from(&mut self.buffer) {
                Ok((length, caller)) => match self.flow_of(caller) {
                    Ok(flow) => self.put(To::Target, flow, length, ways, passed),
                    Err(why) => tracing::warn!(%caller, "the line has no flow for it: {why}"),
                },
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => return,
                // An ICMP answer to something that was sent.
                Err(_) => {}
            }
        }
    }

    fn hear_target(&mut self, id: u64, ways: &mut Ways, passed: &mut Passed) {
        for _ in 0..AT_ONCE {
            let Some(flow) = self.flows.get(&id) else {
                return;
            };
            match flow.socket.recv(&mut self.buffer) {
                Ok(length) => self.put(To::Caller, id, length, ways, passed),
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {}
            }
        }
    }

    /// The flow of a caller, which may be new.
    fn flow_of(&mut self, caller: SocketAddr) -> io::Result<u64> {
        self.count += 1;
        if let Some(id) = self.by_caller.get(&caller) {
            if let Some(flow) = self.flows.get_mut(id) {
                flow.used = self.count;
            }
            return Ok(*id);
        }
        if self.flows.len() >= MOST_FLOWS
            && let Some((&id, _)) = self.flows.iter().min_by_key(|(_, flow)| flow.used)
            && let Some(silent) = self.flows.remove(&id)
        {
            self.by_caller.remove(&silent.caller);
        }
        let id = self.count;
        let flow = Flow {
            caller,
            socket: way_out(self.target)?,
            used: id,
        };
        self.flows.insert(id, flow);
        self.by_caller.insert(caller, id);
        Ok(id)
    }

    /// Puts what lies in the buffer on its way.
    fn put(&mut self, to: To, flow: u64, length: usize, ways: &mut Ways, passed: &mut Passed) {
        let fate = match self.octets + length > MOST_OCTETS {
            true => Fate::Dropped,
            false => ways.decide(to, |way, weather, now| way.datagram(weather, now, length)),
        };
        passed.datagrams += 1;
        passed.datagram_octets += length as u64;
        let (first, second) = match fate {
            Fate::Arrives(due) => (due, None),
            Fate::Twice(first, second) => (first, Some(second)),
            Fate::Lost | Fate::Dropped => {
                passed.datagrams_lost += 1;
                return;
            }
        };
        for due in [Some(first), second].into_iter().flatten() {
            self.count += 1;
            self.octets += length;
            self.on_the_way.push(Reverse(OnTheWay {
                due,
                number: self.count,
                to,
                flow,
                octets: self.buffer[..length].into(),
            }));
        }
    }
}

/// A socket of which only the target is heard.
fn way_out(target: SocketAddr) -> io::Result<UdpSocket> {
    let any = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(target)?;
    socket.set_nonblocking(true)?;
    give_room(&socket);
    Ok(socket)
}

/// Asks for room for datagrams that wait. Beyond the system's limit it is given to the privileged only; others get what
/// the limit allows.
fn give_room(socket: &UdpSocket) {
    if sockopt::set_socket_recv_buffer_size_force(socket, WAITING_OCTETS).is_err() {
        let _ = sockopt::set_socket_recv_buffer_size(socket, WAITING_OCTETS);
    }
}
