//! What a bad line does to a connection.

use std::time::Duration;

use bytes::Bytes;
use sluice::link::transport::{
    Carrier, Choice, Connector, ConnectorConfig, Ended, LEAST_PACKET, SendError,
};
use sluice::sim::wan::{Passed, Rate, Share, Wan, Weather};

use super::{BOTH, Operator, loopback, only, soon, until_it_comes};

#[tokio::test]
async fn a_nat_that_forgets_the_edge_costs_nothing_by_quic() {
    let operator = Operator::new();
    let mut listener = operator.listen();
    let bundle = operator.enrol("oslo");
    let weather = Weather::delayed(10);
    let line = Wan::open(loopback(0), listener.local_address(), weather, 1).unwrap();
    let connector = operator.connector(&bundle, line.address(), Choice::Quic);
    let edge = soon(connector.connect()).await.unwrap();
    let central = soon(listener.accept()).await;
    let mut before = central.remote_address();
    for time in 0..3 {
        line.rebind();
        until_it_comes(&edge, &central, &[time, 1]).await;
        until_it_comes(&central, &edge, &[time, 2]).await;
        let after = central.remote_address();
        assert_ne!(after, before, "central follows");
        before = after;
    }
    assert_eq!((edge.ended(), central.ended()), (None, None));
    assert_eq!(listener.connections(), 1);
}

#[tokio::test]
async fn after_an_outage_what_answers_first_carries_on() {
    for carrier in BOTH {
        let operator = Operator::new();
        let mut listener = operator.listen();
        let bundle = operator.enrol("oslo");
        let weather = Weather::delayed(20);
        let line = Wan::open(loopback(0), listener.local_address(), weather, 1).unwrap();
        let config = ConnectorConfig {
            transport: only(carrier),
            addresses: vec![line.address().to_string()],
            connect_timeout: Duration::from_millis(500),
            ..ConnectorConfig::default()
        };
        let connector = Connector::new(operator.edge(&bundle), config);
        let old = soon(connector.connect()).await.unwrap();
        let old_central = soon(listener.accept()).await;
        let passed = line.passed();
        line.change(|weather| weather.down = true);

        // Beside the old connection, which is left as it is.
        let calling = tokio::spawn({
            let connector = connector.clone();
            async move {
                loop {
                    if let Ok(connection) = connector.connect().await {
                        return connection;
                    }
                }
            }
        });
        // Down long enough for calls to fail: the next ones have come to the line.
        let more = |came: &Passed| match carrier {
            Carrier::Quic => came.datagrams >= passed.datagrams + 6,
            Carrier::Tcp => came.calls >= passed.calls + 3,
        };
        soon(line.until(more)).await;
        assert!(!calling.is_finished());
        line.change(|weather| weather.down = false);
        let new = soon(calling).await.unwrap();
        let new_central = soon(listener.accept()).await;
        until_it_comes(&new, &new_central, b"new").await;
        // The old one is not dead either: whoever drives the link decides.
        until_it_comes(&old, &old_central, b"old").await;
        old.close("a newer connection answered first");
        let ended = soon(old_central.closed()).await.to_string();
        assert!(
            ended.contains("a newer connection answered first"),
            "{ended}"
        );
    }
}

#[tokio::test]
async fn a_sender_is_told_when_there_is_no_room_and_nothing_taken_is_dropped() {
    for carrier in BOTH {
        let operator = Operator::new();
        let mut listener = operator.listen();
        let bundle = operator.enrol("oslo");
        let slow = Weather {
            rate: Rate::Bits(4_000_000),
            queue: Duration::from_secs(10),
            ..Weather::default()
        };
        let line = Wan::open(loopback(0), listener.local_address(), slow, 1).unwrap();
        let connector = operator.connector(&bundle, line.address(), only(carrier));
        let edge = soon(connector.connect()).await.unwrap();
        let central = soon(listener.accept()).await;
        let empty = edge.room();
        assert_eq!(edge.queued(), 0);
        let packet = |n: u32| {
            let mut octets = vec![0; LEAST_PACKET];
            octets[..4].copy_from_slice(&n.to_be_bytes());
            Bytes::from(octets)
        };
        let mut count = 0;
        // Nothing runs in between: the buffer fills.
        while edge.send(packet(count)) != Err(SendError::Full) {
            count += 1;
            assert!(count < 1000);
        }
        assert!(edge.room() < LEAST_PACKET + 100 && edge.room() < empty);
        assert!(edge.queued() > 60 * 1024 - 2 * LEAST_PACKET);
        let waiting = edge.send_when_room(packet(count));
        let mut come = Vec::new();
        let reading = async {
            while come.len() <= count as usize {
                come.push(central.recv().await.unwrap());
            }
        };
        let (taken, ()) = soon(async { tokio::join!(waiting, reading) }).await;
        taken.unwrap();
        let mut sent: Vec<_> = (0..=count).map(packet).collect();
        come.sort();
        sent.sort();
        assert!(come == sent, "each came once");
        assert_eq!(edge.queued(), 0);
    }
}

#[tokio::test]
async fn a_line_that_loses_delays_and_doubles_is_borne() {
    for carrier in BOTH {
        let operator = Operator::new();
        let mut listener = operator.listen();
        let bundle = operator.enrol("oslo");
        let bad = Weather {
            loss: Share::percent(10.0),
            duplication: Share::percent(10.0),
            jitter: Duration::from_millis(10),
            ..Weather::delayed(20)
        };
        let line = Wan::open(loopback(0), listener.local_address(), bad, 3).unwrap();
        let connector = operator.connector(&bundle, line.address(), only(carrier));
        let edge = soon(connector.connect()).await.unwrap();
        let central = soon(listener.accept()).await;
        for _ in 0..20 {
            until_it_comes(&edge, &central, b"there").await;
            until_it_comes(&central, &edge, b"and back").await;
        }
        assert_eq!((edge.ended(), central.ended()), (None, None));
    }
}

#[tokio::test]
async fn a_silent_line_is_given_up_by_the_transport_only_after_its_idle_timeout() {
    for carrier in BOTH {
        let operator = Operator::new();
        let mut listener = operator.listen();
        let bundle = operator.enrol("oslo");
        let weather = Weather::default();
        let line = Wan::open(loopback(0), listener.local_address(), weather, 1).unwrap();
        let config = ConnectorConfig {
            transport: only(carrier),
            addresses: vec![line.address().to_string()],
            keep_alive: Duration::from_millis(200),
            idle_timeout: Duration::from_millis(800),
            ..ConnectorConfig::default()
        };
        let connector = Connector::new(operator.edge(&bundle), config);
        let edge = soon(connector.connect()).await.unwrap();
        let _central = soon(listener.accept()).await;
        // Kept alive by its own probes, well beyond the timeout.
        let alive = tokio::time::timeout(Duration::from_secs(2), edge.closed()).await;
        assert!(alive.is_err(), "{alive:?}");
        line.change(|weather| weather.down = true);
        let ended = soon(edge.closed()).await;
        let said = "nothing was heard for the idle timeout";
        assert_eq!(ended, Ended::Lost(String::from(said)));
    }
}
