//! Who is refused or cut off hears why at both ends, and no ring is harmed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sluice::lane::{Direction, Lane, RingName, Sequence, Side};
use sluice::link::driver::{
    Alarm, CentralLinks, EdgeLink, LinkStatus, Phase, RingStanding, RingStatus,
};
use sluice::link::frame::{Frame, Showing};
use sluice::link::packet::{self, HIGHEST_VERSION, Hello, LOWEST_VERSION, Packet};
use sluice::link::transport::{Choice, Connection, Ended};
use sluice::link::{Reason, RedialConfig};
use sluice::message::{Outcome, SmscId};
use sluice::ring::{Array, Bits, Mark};

use crate::world::{
    End, Operator, YEAR, alarmed, central, edge, ends, loopback, names, now, soon, until, up,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a4_an_edge_of_another_operator_or_revoked_gets_in_nowhere() {
    let operator = Operator::new();
    let (here, there) = ends(&operator, 1);
    let links = central(&operator, loopback(0), "oslo", &there).await;
    let to = links.local_address();

    // Another operator's authority, with central and edge of the same names.
    let stranger = Operator::new();
    let bundle = stranger.enrol("oslo");
    let link = edge(stranger.connector(&bundle, &[to], Choice::Auto), &here);
    let mut seen = link.watch();
    let status = until(&mut seen, |status| status.phase == Phase::Refused).await;
    assert_eq!((status.connections, status.line), (0, None));
    let (_, why) = status.last_reason.unwrap();
    assert!(why.contains("not trusted"), "{why}");
    alarmed(&here.book, "not trusted").await;
    link.stop().await;
    assert_eq!(links.edges(), Vec::<String>::new());

    // One that was let in, until it was revoked.
    let bundle = operator.enrol("oslo");
    let link = edge(operator.connector(&bundle, &[to], Choice::Quic), &here);
    let mut seen = link.watch();
    up(&mut seen).await;
    here.offer_up_to(50);
    there.has_handed_on(50).await;
    operator
        .authority()
        .revoke("oslo", Some("sold"), now())
        .unwrap();
    let revoked = |status: &LinkStatus| {
        let why = status.last_reason.as_ref();
        status.phase == Phase::Refused
            && why.is_some_and(|(_, why)| why.contains("edge oslo was revoked"))
    };
    until(&mut seen, revoked).await;
    alarmed(&here.book, "edge oslo was revoked").await;
    let mut seen = links.watch("oslo");
    let status = until(&mut seen, |status| status.phase == Phase::Down).await;
    let (_, why) = status.last_reason.unwrap();
    assert!(why.contains("edge oslo was revoked"), "{why}");
    link.stop().await;
    links.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_runs_out_ends_the_link_and_a_new_one_brings_it_back() {
    let operator = Operator::new();
    let (here, there) = ends(&operator, 1);
    let links = central(&operator, loopback(0), "oslo", &there).await;
    let to = links.local_address();
    let short = Duration::from_secs(4);
    let bundle = operator.authority().enrol("oslo", short, now()).unwrap();
    let connector = operator.connector(&bundle, &[to], Choice::Quic);
    let link = edge(connector, &here);
    let mut seen = link.watch();
    up(&mut seen).await;
    let status = until(&mut seen, |status| status.phase == Phase::Refused).await;
    let (_, why) = status.last_reason.unwrap();
    assert!(why.contains("expired"), "{why}");
    // The operator carries a new bundle to the edge; the running edge takes it up.
    let renewed = operator
        .authority()
        .renew("oslo", YEAR, Duration::ZERO, now())
        .unwrap();
    renewed.replace(&operator.path("oslo.pair")).unwrap();
    up(&mut seen).await;
    here.offer_up_to(20);
    there.has_handed_on(20).await;
    link.stop().await;
    links.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ring_that_the_far_end_does_not_have_is_refused_and_the_others_flow() {
    let operator = Operator::new();
    let here = End::start(operator.path("edge.ring"), &names("oslo", 2, true));
    let there = End::start(operator.path("main.ring"), &names("oslo", 1, false));
    let links = central(&operator, loopback(0), "oslo", &there).await;
    let to = links.local_address();
    let bundle = operator.enrol("oslo");
    let link = edge(operator.connector(&bundle, &[to], Choice::Quic), &here);
    here.offer_up_to(100);
    there.has_handed_on(100).await;
    alarmed(&here.book, "the other end has no ring of this name").await;
    let mut seen = link.watch();
    let status = until(&mut seen, |status| {
        let open = |ring: &&RingStatus| ring.standing == RingStanding::Open;
        status.rings.iter().filter(open).count() == 2
    })
    .await;
    assert_eq!(status.phase, Phase::Up);

    // Central gets the second lane; the edge is told to call again, and finds it.
    links.stop().await;
    drop(there);
    let there = End::start(operator.path("again.ring"), &names("oslo", 2, false));
    let links = central(&operator, to, "oslo", &there).await;
    let second = RingName::new(
        Lane::new("oslo", "lane-1").unwrap(),
        Direction::Mo,
        Side::Mirror,
    );
    let mut handed_on = there.handed_on.subscribe();
    until(&mut handed_on, |all| {
        all.get(&second.to_string()).map_or(0, Vec::len) == 100
    })
    .await;
    // The first lane's mirror is a new one, and the edge knows of messages that it never had: somebody must look.
    alarmed(&here.book, "the far end knows of later messages").await;
    link.stop().await;
    links.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_under_another_name_gets_none_of_its_lanes() {
    let operator = Operator::new();
    // Bergen is enrolled, and names oslo's lanes; central would even have given them to it.
    let (here, there) = ends(&operator, 1);
    let links = central(&operator, loopback(0), "bergen", &there).await;
    let bundle = operator.enrol("bergen");
    let to = links.local_address();
    let link = edge(operator.connector(&bundle, &[to], Choice::Quic), &here);
    here.offer_up_to(10);
    alarmed(&here.book, "the lane belongs to another edge").await;
    for ring in there.rings.iter().chain(&here.rings) {
        let marks = ring.look(|array| *array.marks());
        assert!(marks.sent.highest().is_none(), "{} {marks:?}", ring.name());
    }
    link.stop().await;
    links.stop().await;
}

/// A far end that says what it likes.
struct Liar {
    connection: Connection,
    number: u64,
}

impl Liar {
    fn hello(role: u8, identity: &str, version: u8) -> Hello {
        Hello {
            lowest: version,
            highest: version,
            role,
            instance: 1,
            identity: identity.to_owned(),
            program: String::from("liar 1.0"),
        }
    }

    fn raw(&self, packet: Vec<u8>) {
        self.connection.send(Bytes::from(packet)).unwrap();
    }

    fn say(&mut self, frames: &[Frame]) {
        self.number += 1;
        self.raw(packet::encode_frames(self.number, frames));
    }

    async fn hears<T>(&self, mut what: impl FnMut(Packet) -> Option<T>) -> T {
        soon(async {
            loop {
                let packet = self.connection.recv().await.unwrap();
                if let Some(found) = what(packet::decode(packet).unwrap()) {
                    return found;
                }
            }
        })
        .await
    }

    /// Waits for the far end's frames until one is what is looked for.
    async fn hears_frame<T>(&self, mut what: impl FnMut(Frame) -> Option<T>) -> T {
        self.hears(|packet| match packet {
            Packet::Frames { mut frames, .. } => {
                while !frames.is_empty() {
                    if let Some(found) = what(Frame::decode(&mut frames).unwrap()) {
                        return Some(found);
                    }
                }
                None
            }
            Packet::Hello(_) | Packet::Refusal { .. } => None,
        })
        .await
    }

    async fn hears_goodbye(&self) -> Reason {
        self.hears_frame(|frame| match frame {
            Frame::Goodbye(reason) => Some(reason),
            _ => None,
        })
        .await
    }
}

fn up_to(number: u64) -> Mark {
    Mark::new(Sequence::new(number), Bits::NONE).unwrap()
}

/// Redials soon after a refusal, so that the test need not wait.
fn eager() -> RedialConfig {
    RedialConfig {
        refused: (Duration::from_millis(20), Duration::from_millis(20)),
        ..RedialConfig::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_that_lies_is_cut_off_with_the_reason_at_both_ends() {
    let operator = Operator::new();
    let (_here, there) = ends(&operator, 1);
    there.offer_up_to(5);
    let links = central(&operator, loopback(0), "oslo", &there).await;
    let to = links.local_address();
    let bundle = operator.enrol("oslo");
    let connector = operator.connector(&bundle, &[to], Choice::Quic);
    let origin = there.origins().next().unwrap();
    let mut changes = origin.changes();
    soon(async {
        while origin.look(|array| array.marks().retrieved.up_to()) < Sequence::new(5) {
            changes.changed().await.unwrap();
        }
    })
    .await;
    let showing = Frame::Ring(Box::new(Showing {
        index: 0,
        lane: origin.name().lane.clone(),
        direction: origin.name().direction,
        side: Side::Mirror,
        epoch: origin.look(Array::epoch),
        retrieved: Mark::default(),
        sent: Mark::default(),
        confirmed: Mark::default(),
        processed: Mark::default(),
        imprint: 0,
    }));
    let accepted = || Outcome::Accepted(SmscId::NONE);
    let lies: [(Frame, &str); 3] = [
        (
            Frame::Confirmed {
                index: 0,
                mark: up_to(99),
            },
            "confirmed up to 99, and 5 is the last one retrieved",
        ),
        (
            Frame::Outcomes {
                index: 0,
                told: vec![(Sequence::new(6), accepted())],
            },
            "told how message 6 ended, and 5 is the last one retrieved",
        ),
        (
            Frame::Taken {
                index: 0,
                mark: up_to(1),
            },
            "which the other side of a ring sends",
        ),
    ];
    for (lie, words) in lies {
        let connection = soon(connector.connect()).await.unwrap();
        let mut liar = Liar {
            connection,
            number: 0,
        };
        liar.raw(Liar::hello(1, "oslo", HIGHEST_VERSION).encode());
        liar.hears(|packet| matches!(packet, Packet::Hello(_)).then_some(()))
            .await;
        liar.say(&[showing.clone(), lie]);
        let reason = liar.hears_goodbye().await;
        assert_eq!(reason.number(), 6, "{reason}");
        assert!(reason.words().contains(words), "{reason}");
        let Ended::Far(said) = soon(liar.connection.closed()).await else {
            panic!("{:?}", liar.connection.ended());
        };
        assert!(said.contains("impossible claim"), "{said}");
        alarmed(&there.book, words).await;
        let marks = origin.look(|array| *array.marks());
        assert_eq!(marks.retrieved, up_to(5));
        assert!(marks.confirmed.highest().is_none() && marks.processed.highest().is_none());
    }
    let mut seen = links.watch("oslo");
    until(&mut seen, |status| {
        let why = status.last_reason.as_ref();
        why.is_some_and(|(_, why)| why.contains("impossible claim"))
    })
    .await;

    // Octets that nobody writes, and a version that nobody speaks.
    let connection = soon(connector.connect()).await.unwrap();
    let liar = Liar {
        connection,
        number: 0,
    };
    liar.raw(b"\x99 this is no packet".to_vec());
    soon(liar.connection.closed()).await;
    alarmed(&there.book, "malformed packet").await;
    let connection = soon(connector.connect()).await.unwrap();
    let liar = Liar {
        connection,
        number: 0,
    };
    liar.raw(Liar::hello(1, "oslo", HIGHEST_VERSION + 8).encode());
    let (lowest, reason) = liar
        .hears(|packet| match packet {
            Packet::Refusal { lowest, reason, .. } => Some((lowest, reason)),
            Packet::Hello(_) | Packet::Frames { .. } => None,
        })
        .await;
    assert_eq!((lowest, reason.number()), (LOWEST_VERSION, 3));
    assert!(reason.words().contains("upgrade main"), "{reason}");
    alarmed(&there.book, "upgrade main").await;
    links.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_central_that_lies_is_cut_off_and_called_again() {
    let operator = Operator::new();
    let (here, there) = ends(&operator, 1);
    here.offer_up_to(5);
    let mut listener = here.within(|| operator.try_listen(loopback(0))).unwrap();
    let to = listener.local_address();
    let bundle = operator.enrol("oslo");
    let connector = operator.connector(&bundle, &[to], Choice::Quic);
    let link = here.within(|| {
        let rings = here.rings.clone();
        let book = Arc::clone(&here.book);
        EdgeLink::start_with(connector, rings, book, eager())
    });
    let mut liar = Liar {
        connection: soon(listener.accept()).await,
        number: 0,
    };
    liar.hears(|packet| matches!(packet, Packet::Hello(_)).then_some(()))
        .await;
    liar.raw(Liar::hello(2, "main", HIGHEST_VERSION).encode());
    let shown = liar
        .hears_frame(|frame| match frame {
            Frame::Ring(showing) if showing.side == Side::Origin => Some(*showing),
            _ => None,
        })
        .await;
    let answer = Showing {
        side: Side::Mirror,
        retrieved: Mark::default(),
        sent: Mark::default(),
        confirmed: Mark::default(),
        processed: Mark::default(),
        imprint: 0,
        ..shown.clone()
    };
    let lie = Frame::Confirmed {
        index: shown.index,
        mark: up_to(200),
    };
    liar.say(&[Frame::Ring(Box::new(answer)), lie]);
    let reason = liar.hears_goodbye().await;
    assert!(reason.words().contains("confirmed up to 200"), "{reason}");
    let ended = soon(liar.connection.closed()).await;
    assert!(ended.to_string().contains("impossible claim"), "{ended}");
    alarmed(&here.book, "confirmed up to 200").await;
    let mut seen = link.watch();
    until(&mut seen, |status| {
        let why = status.last_reason.as_ref();
        why.is_some_and(|(_, why)| why.contains("impossible claim"))
    })
    .await;

    // An honest central at the same place is called soon, and gets everything.
    drop(liar);
    listener.close("the liar leaves").await;
    let links: CentralLinks = central(&operator, to, "oslo", &there).await;
    there.has_handed_on(5).await;
    let alarms = here.book.alarms.borrow().clone();
    let lied = |alarm: &&Alarm| alarm.to_string().contains("impossible claim");
    assert_eq!(alarms.iter().filter(lied).count(), 1, "{alarms:?}");
    link.stop().await;
    links.stop().await;
}
