//! Edge and central find each other and talk.

use std::time::Duration;

use bytes::Bytes;
use sluice::link::transport::{Carrier, Ended, LEAST_PACKET, SendError};

use super::{BOTH, Log, Operator, connected, soon};

#[tokio::test]
async fn an_edge_pairs_and_talks() {
    for carrier in BOTH {
        let operator = Operator::new();
        let mut log = Log::listen();
        let (listener, _connector, edge, central) = connected(&operator, carrier).await;
        assert_eq!((edge.carrier(), central.carrier()), (carrier, carrier));
        assert_eq!((edge.peer_name(), central.peer_name()), ("main", "oslo"));
        assert_eq!(listener.connections(), 1);
        assert_eq!(edge.remote_address(), listener.local_address());
        log.says("connected within").await;
        log.says("let in edge=\"oslo\"").await;

        for (from, to) in [(&edge, &central), (&central, &edge)] {
            assert!(from.max_packet() >= LEAST_PACKET);
            let longest = Bytes::from(vec![7; LEAST_PACKET]);
            from.send(longest.clone()).unwrap();
            assert_eq!(soon(to.recv()).await.unwrap(), longest);
            from.send(Bytes::from_static(b"x")).unwrap();
            assert_eq!(soon(to.recv()).await.unwrap(), "x");
            let length = 70_000;
            for wrong in [0, length] {
                let refused = from.send(Bytes::from(vec![0; wrong])).unwrap_err();
                let max = from.max_packet();
                assert_eq!(refused, SendError::Length { length: wrong, max });
            }
            assert!(from.rtt() > Duration::ZERO && from.rtt() < Duration::from_secs(5));
            let (sent, came) = (from.stats(), to.stats());
            assert_eq!((sent.packets_taken, came.packets_received), (2, 2));
            assert!(sent.octets_sent > LEAST_PACKET as u64);
            assert_eq!(sent.datagrams_lost.is_some(), carrier == Carrier::Quic);
        }
    }
}

#[tokio::test]
async fn a_close_tells_the_far_end_why() {
    for carrier in BOTH {
        let operator = Operator::new();
        let (mut listener, connector, edge, central) = connected(&operator, carrier).await;
        edge.close("the edge goes down for maintenance");
        edge.close("a second reason does not count");
        let said = String::from("the edge goes down for maintenance");
        assert_eq!(soon(central.closed()).await, Ended::Far(said.clone()));
        assert_eq!(soon(central.recv()).await, Err(Ended::Far(said.clone())));
        assert_eq!(edge.ended(), Some(Ended::Here(said)));
        assert_eq!(edge.send(Bytes::from_static(b"late")), Err(SendError::Over));
        assert_eq!(edge.room(), 0);
        soon(edge.flushed()).await;

        let edge = soon(connector.connect()).await.unwrap();
        let central = soon(listener.accept()).await;
        central.close("a\nline \u{1b}[31mof the log");
        let ended = soon(edge.closed()).await;
        assert_eq!(
            ended.to_string(),
            "closed by the far end: a line  [31mof the log"
        );

        let edge = soon(connector.connect()).await.unwrap();
        let central = soon(listener.accept()).await;
        drop(central);
        let ended = soon(edge.closed()).await.to_string();
        assert!(ended.contains("nobody holds this connection"), "{ended}");

        let edge = soon(connector.connect()).await.unwrap();
        let _central = soon(listener.accept()).await;
        soon(listener.close("central is stopping")).await;
        let ended = soon(edge.closed()).await;
        assert_eq!(ended, Ended::Far(String::from("central is stopping")));
        soon(connector.connect()).await.unwrap_err();
    }
}
