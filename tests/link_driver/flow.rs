//! Messages flow, whatever happens to the line and to the ends.

use sluice::link::driver::{Phase, RingStanding};
use sluice::link::transport::{Carrier, Choice};
use sluice::ring::Array;
use sluice::sim::wan::{Wan, Weather};

use crate::world::{Operator, central, edge, ends, loopback, soon, until, up};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g3_messages_flow_both_ways_on_several_lanes_by_either_carrier() {
    for (choice, carrier) in [(Choice::Quic, Carrier::Quic), (Choice::Tcp, Carrier::Tcp)] {
        let operator = Operator::new();
        let (here, there) = ends(&operator, 3);
        for (near, far) in here.rings.iter().zip(&there.rings) {
            assert_ne!(near.look(Array::epoch), far.look(Array::epoch));
        }
        here.offer_up_to(600);
        there.offer_up_to(600);
        let links = central(&operator, loopback(0), "oslo", &there).await;
        let to = links.local_address();
        let link = edge(
            operator.connector(&operator.enrol("oslo"), &[to], choice),
            &here,
        );

        there.has_handed_on(600).await;
        here.has_handed_on(600).await;
        here.knows_the_end_of(600).await;
        there.knows_the_end_of(600).await;
        for (near, far) in here.rings.iter().zip(&there.rings) {
            assert_eq!(near.look(Array::epoch), far.look(Array::epoch));
        }

        let mut seen = link.watch();
        let status = until(&mut seen, |status| {
            status
                .rings
                .iter()
                .all(|ring| ring.standing == RingStanding::Open)
        })
        .await;
        assert_eq!(status.phase, Phase::Up);
        assert_eq!((status.connections, status.outages), (1, 0));
        assert_eq!(status.far.unwrap().identity, "main");
        let line = status.line.unwrap();
        assert_eq!((line.carrier, line.address), (carrier, to));
        assert_eq!(links.edges(), ["oslo"]);

        let mut seen = links.watch("oslo");
        link.stop().await;
        let status = until(&mut seen, |status| status.phase == Phase::Down).await;
        let (_, why) = status.last_reason.unwrap();
        assert!(why.contains("stopping in order"), "{why}");
        links.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_a_partition_costs_time_and_no_message() {
    let operator = Operator::new();
    let (here, there) = ends(&operator, 2);
    let links = central(&operator, loopback(0), "oslo", &there).await;
    let weather = Weather::delayed(20);
    let line = Wan::open(loopback(0), links.local_address(), weather, 1).unwrap();
    let bundle = operator.enrol("oslo");
    let link = edge(
        operator.connector(&bundle, &[line.address()], Choice::Auto),
        &here,
    );
    let mut seen = link.watch();
    up(&mut seen).await;
    here.offer_up_to(5000);
    there.offer_up_to(5000);

    for round in 1..=2 {
        // In the middle of it all.
        let mut changes = here.rings[0].changes();
        let mark = here.rings[0].look(Array::accepted).plus(300);
        soon(async {
            while here.rings[0].look(Array::accepted) < mark {
                changes.changed().await.unwrap();
            }
        })
        .await;
        line.change(|weather| weather.down = true);
        until(&mut seen, |status| status.phase == Phase::Silent).await;
        let status = until(&mut seen, |status| status.phase == Phase::Down).await;
        assert_eq!(status.outages, round);
        let (_, why) = status.last_reason.clone().unwrap();
        assert!(why.contains("silence: nothing was heard for"), "{why}");
        line.change(|weather| weather.down = false);
        let status = up(&mut seen).await;
        let outage = status.recent_outages.back().unwrap();
        assert!(outage.ended.unwrap() > outage.began, "{outage:?}");
    }
    there.has_handed_on(5000).await;
    here.has_handed_on(5000).await;
    here.knows_the_end_of(5000).await;
    there.knows_the_end_of(5000).await;
    link.stop().await;
    links.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g9_a_kill_at_either_end_costs_no_message() {
    let operator = Operator::new();
    let (mut here, mut there) = ends(&operator, 2);
    let mut links = central(&operator, loopback(0), "oslo", &there).await;
    let to = links.local_address();
    let bundle = operator.enrol("oslo");
    let mut link = edge(operator.connector(&bundle, &[to], Choice::Quic), &here);
    for round in 0..4 {
        let (before, count) = (round * 400, (round + 1) * 400);
        here.offer_up_to(count);
        there.offer_up_to(count);
        let at_edge = round % 2 == 0;
        let mut seen = if at_edge { &there } else { &here }.handed_on.subscribe();
        until(&mut seen, |all| {
            all.values().any(|came| came.len() as u64 >= before + 100)
        })
        .await;
        if at_edge {
            here = here.kill(link).await;
            link = edge(operator.connector(&bundle, &[to], Choice::Quic), &here);
            here.offer_up_to(count);
        } else {
            there = there.kill(links).await;
            links = central(&operator, to, "oslo", &there).await;
            there.offer_up_to(count);
        }
        there.has_handed_on(count).await;
        here.has_handed_on(count).await;
        here.knows_the_end_of(count).await;
        there.knows_the_end_of(count).await;
    }
    link.stop().await;
    links.stop().await;
}
