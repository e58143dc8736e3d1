//! Whoever else calls at the port.

use std::time::Duration;

use sluice::link::transport::{Carrier, Choice, ListenerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use super::{BOTH, Log, Operator, connected, loopback, only, soon, until_it_comes};

#[tokio::test]
async fn garbage_at_the_port_is_logged_and_disturbs_nobody() {
    let operator = Operator::new();
    let mut log = Log::listen();
    let (mut listener, connector, edge, central) = connected(&operator, Carrier::Quic).await;
    let to = listener.local_address();
    let thrower = UdpSocket::bind(loopback(0)).await.unwrap();
    for length in [1, 20, 1200, 9000] {
        for first in [0x00, 0x40, 0xc0, 0xff] {
            let mut octets = vec![0x5a; length];
            octets[0] = first;
            thrower.send_to(&octets, to).await.unwrap();
        }
    }
    let caller = async |octets: &[u8]| {
        let mut socket = TcpStream::connect(to).await.unwrap();
        // The port may hang up at any moment.
        let _ = socket.write_all(octets).await;
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest).await;
    };
    soon(caller(b"GET / HTTP/1.1\r\n\r\n")).await;
    log.says("no handshake: what came is no TLS of ours").await;
    soon(caller(&[0x16; 200_000])).await;
    soon(caller(b"\x16\x03\x01\xff\xff")).await;
    until_it_comes(&edge, &central, b"undisturbed").await;
    soon(connector.connect()).await.unwrap();
    soon(listener.accept()).await;
}

#[tokio::test]
async fn who_fails_too_often_is_not_heard_for_a_while() {
    let operator = Operator::new();
    let mut log = Log::listen();
    let listener = operator.listen();
    let to = listener.local_address();
    let hang_up = async || {
        let mut socket = TcpStream::connect(to).await.unwrap();
        let _ = socket.write_all(b"hello there").await;
        let _ = socket.read_to_end(&mut Vec::new()).await;
    };
    for _ in 0..30 {
        soon(hang_up()).await;
    }
    let bundle = operator.enrol("oslo");
    for carrier in BOTH {
        let connector = operator.connector(&bundle, to, only(carrier));
        let error = soon(connector.connect()).await.unwrap_err();
        assert!(!error.needs_operator(), "{error}");
    }
    log.says("more from this address is not logged for a minute")
        .await;
    let lines = log.text.borrow().matches("no handshake").count();
    assert_eq!(lines, 10, "a flood does not fill the log");
}

#[tokio::test]
async fn a_slow_stranger_is_not_waited_for_and_the_house_has_its_limit() {
    let operator = Operator::new();
    let mut log = Log::listen();
    let mut listener = operator.listen_with(ListenerConfig {
        listen: loopback(0),
        handshake_timeout: Duration::from_millis(100),
        max_connections: 1,
        ..ListenerConfig::default()
    });
    let to = listener.local_address();
    let mut stranger = TcpStream::connect(to).await.unwrap();
    let mut nothing = Vec::new();
    // He says nothing, and is hung up on.
    let _ = soon(stranger.read_to_end(&mut nothing)).await;
    assert!(nothing.is_empty());
    log.says("the handshake was not done within 100ms").await;

    let bundle = operator.enrol("oslo");
    let connector = operator.connector(&bundle, to, Choice::Quic);
    let first = soon(connector.connect()).await.unwrap();
    let central = soon(listener.accept()).await;
    soon(connector.connect()).await.unwrap_err();
    log.says("turned away: the number of connections").await;
    first.close("making room");
    soon(central.closed()).await;
    soon(connector.connect()).await.unwrap();
}

#[tokio::test]
async fn an_edge_has_a_few_connections_and_the_oldest_goes() {
    let operator = Operator::new();
    let (mut listener, connector, first, _central) = connected(&operator, Carrier::Tcp).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        assert!(first.ended().is_none());
        held.push(soon(connector.connect()).await.unwrap());
        held.push(soon(listener.accept()).await);
    }
    let ended = soon(first.closed()).await.to_string();
    assert!(
        ended.contains("newer connections of this edge took its place"),
        "{ended}"
    );
    assert!(held.iter().all(|connection| connection.ended().is_none()));
}
