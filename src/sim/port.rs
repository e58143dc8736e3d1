//! Ports for programs that are started later, and maybe more than once.
//!
//! Who asks the system for any free port and lets go of it again gets one that the system gives to the next connection that
//! is made; by the time the program starts somebody has it. These lie below those, and each is given once.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below those that Linux gives away by itself (`net.ipv4.ip_local_port_range` begins with 32768), and above those of
/// services that one meets on a developer's machine.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// An address of this machine, loopback, whose port is free for UDP and TCP. No other call in this process gets it, and another
/// process begins its search elsewhere.
pub fn free() -> io::Result<SocketAddr> {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let begin = (std::process::id() % u32::from(COUNT)) as u16;
    for _ in 0..COUNT {
        // Far from the next process: their numbers follow one another.
        let step = GIVEN.fetch_add(1, Ordering::Relaxed) % COUNT;
        let number = (u32::from(begin) * 97 + u32::from(step)) % u32::from(COUNT);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST + number as u16));
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        format!("none of the ports from {FIRST} on is free for UDP and TCP"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_given_once_and_none_is_taken() {
        let given: Vec<SocketAddr> = (0..50).map(|_| free().unwrap()).collect();
        let mut different = given.clone();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), given.len());
        let taken = TcpListener::bind(given[49]).unwrap();
        for _ in 0..10 {
            assert_ne!(free().unwrap(), taken.local_addr().unwrap());
        }
    }
}
