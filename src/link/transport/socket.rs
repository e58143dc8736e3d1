//! Sockets as the link wants them.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpStream;

use super::config::{Congestion, Tuning};

/// Octets that TCP holds unsent in the kernel before it takes no more: what is written is then on its way within
/// moments, and control frames do not stand behind seconds of data. Four full packets, so that the line is not idle
/// while we fetch the next.
const UNSENT: u32 = 16384;
/// Octets that the kernel may hold of what arrived by UDP until we come to read it: a full ring of full packets a few
/// times over.
const RECEIVE: usize = 1 << 20;
/// How many ports to try where the system chooses one that must be free for UDP and TCP.
const PORT_TRIES: usize = 16;
/// Connections that wait for being accepted.
const BACKLOG: i32 = 256;

/// Sets on a TCP connection what the link wants. What a kernel does not have is done without.
pub(super) fn tune(stream: &TcpStream, tuning: Tuning) {
    let socket = SockRef::from(stream);
    let mut lacking = Vec::new();
    let mut set = |what: &str, done: io::Result<()>| {
        if let Err(error) = done {
            lacking.push(format!("{what}: {error}"));
        }
    };
    set("no delay", socket.set_tcp_nodelay(true));
    if tuning.congestion == Congestion::Bbr {
        set("bbr", socket.set_tcp_congestion(b"bbr"));
    }
    set("unsent", socket.set_tcp_notsent_lowat(UNSENT));
    set(
        "user timeout",
        socket.set_tcp_user_timeout(Some(tuning.idle_timeout)),
    );
    let alive = TcpKeepalive::new().with_time(tuning.keep_alive.max(Duration::from_secs(1)));
    set("keep-alive", socket.set_tcp_keepalive(&alive));
    if !lacking.is_empty() {
        tracing::debug!("TCP without {}", lacking.join(", "));
    }
}

fn bind(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    if protocol == Protocol::TCP {
        // A restarted central takes its port up again while old connections linger.
        socket.set_reuse_address(true)?;
    } else {
        // Less is borne, it only loses more under load.
        let _ = socket.set_recv_buffer_size(RECEIVE);
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// A UDP socket to call from.
pub(super) fn caller(address: SocketAddr) -> io::Result<UdpSocket> {
    Ok(bind(address, Type::DGRAM, Protocol::UDP)?.into())
}

/// Listens with UDP and TCP on one port; where the port is 0, on one that is free for both.
pub(super) fn listen(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut tries = PORT_TRIES;
    loop {
        let tcp = bind(address, Type::STREAM, Protocol::TCP)?;
        tcp.listen(BACKLOG)?;
        let tcp = TcpListener::from(tcp);
        let port = tcp.local_addr()?.port();
        let both = SocketAddr::new(address.ip(), port);
        match bind(both, Type::DGRAM, Protocol::UDP) {
            Ok(udp) => return Ok((udp.into(), tcp)),
            Err(_) if address.port() == 0 && tries > 1 => tries -= 1,
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_port_serves_both() {
        let (udp, tcp) = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = tcp.local_addr().unwrap().port();
        assert_eq!(udp.local_addr().unwrap().port(), port);
        let taken = SocketAddr::from(([127, 0, 0, 1], port));
        assert_eq!(listen(taken).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
