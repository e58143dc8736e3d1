//! Which carrier and which address are tried, and what is remembered.

use std::time::Duration;

use sluice::link::transport::{Carrier, Choice, Connector, ConnectorConfig};
use sluice::sim::wan::{Wan, Weather};
use tokio::net::UdpSocket;

use super::{Operator, loopback, soon, until_it_comes};

#[tokio::test]
async fn tcp_carries_where_udp_is_blocked_and_that_is_remembered() {
    let operator = Operator::new();
    let mut listener = operator.listen();
    let bundle = operator.enrol("oslo");
    let blocked = Weather {
        udp_blocked: true,
        ..Weather::default()
    };
    let line = Wan::open(loopback(0), listener.local_address(), blocked, 1).unwrap();
    let config = ConnectorConfig {
        addresses: vec![line.address().to_string()],
        quic_head_start: Duration::from_millis(200),
        ..ConnectorConfig::default()
    };
    let connector = Connector::new(operator.edge(&bundle), config);
    let edge = soon(connector.connect()).await.unwrap();
    let central = soon(listener.accept()).await;
    assert_eq!(edge.carrier(), Carrier::Tcp);
    assert!(line.passed().datagrams_lost > 0, "QUIC was tried first");
    until_it_comes(&edge, &central, b"through").await;
    until_it_comes(&central, &edge, b"back").await;

    // Now both start at once, and where UDP passes again, QUIC wins.
    let begin = std::time::Instant::now();
    let again = soon(connector.connect()).await.unwrap();
    assert_eq!(again.carrier(), Carrier::Tcp);
    assert!(
        begin.elapsed() < Duration::from_millis(200),
        "no head start is waited for"
    );
    line.change(|weather| weather.udp_blocked = false);
    let quic = soon(connector.connect_by(Carrier::Quic)).await.unwrap();
    assert_eq!(quic.carrier(), Carrier::Quic);
}

#[tokio::test]
async fn several_addresses_are_tried_in_turn_and_the_good_one_is_remembered() {
    let operator = Operator::new();
    let mut listener = operator.listen();
    let bundle = operator.enrol("oslo");
    // The first takes calls and says nothing; the second is no name.
    let down = Weather {
        down: true,
        ..Weather::default()
    };
    let silent = Wan::open(loopback(0), listener.local_address(), down, 1).unwrap();
    let config = ConnectorConfig {
        transport: Choice::Tcp,
        addresses: vec![
            silent.address().to_string(),
            String::from("no-such-host.invalid:25500"),
            listener.local_address().to_string(),
        ],
        address_pause: Duration::from_secs(1),
        ..ConnectorConfig::default()
    };
    let connector = Connector::new(operator.edge(&bundle), config);
    let edge = soon(connector.connect()).await.unwrap();
    assert_eq!(edge.remote_address(), listener.local_address());
    let _central = soon(listener.accept()).await;
    assert_eq!(silent.passed().calls, 1);
    let _edge = soon(connector.connect()).await.unwrap();
    assert_eq!(silent.passed().calls, 1, "the good one was tried first");
}

#[tokio::test]
async fn a_call_that_fails_names_every_attempt() {
    let operator = Operator::new();
    let bundle = operator.enrol("oslo");
    let silent = UdpSocket::bind(loopback(0)).await.unwrap();
    let config = ConnectorConfig {
        addresses: vec![silent.local_addr().unwrap().to_string()],
        connect_timeout: Duration::from_millis(300),
        quic_head_start: Duration::from_millis(50),
        ..ConnectorConfig::default()
    };
    let connector = Connector::new(operator.edge(&bundle), config);
    let error = soon(connector.connect()).await.unwrap_err();
    assert!(!error.needs_operator());
    let said = error.to_string();
    assert!(
        said.starts_with("central cannot be reached: 127.0.0.1:"),
        "{said}"
    );
    assert!(said.contains("by quic: no answer within 300ms"), "{said}");
    assert!(
        said.contains("by tcp: ") && said.contains("refused"),
        "{said}"
    );
}
