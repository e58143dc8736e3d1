//! Connections that follow one another: takeover, NATs, several addresses, other rings, slow lines.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sluice::link::driver::{EdgeLink, LinkStatus, Phase};
use sluice::link::transport::{Choice, Resolver};
use sluice::ring::Ring;
use sluice::sim::wan::{Rate, Wan, Weather};

use crate::world::{End, Operator, central, edge, ends, loopback, names, until, up};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_connection_of_an_edge_takes_over() {
    let operator = Operator::new();
    let (here, there) = ends(&operator, 1);
    let links = central(&operator, loopback(0), "oslo", &there).await;
    let to = links.local_address();
    let bundle = operator.enrol("oslo");
    let connector = || operator.connector(&bundle, &[to], Choice::Quic);
    let first = edge(connector(), &here);
    let mut seen = first.watch();
    up(&mut seen).await;
    here.offer_up_to(2000);
    there.offer_up_to(2000);
    // The same edge, on the same rings, while messages are under way.
    let second = edge(connector(), &here);
    let status = until(&mut seen, |status| status.phase == Phase::Down).await;
    let (_, why) = status.last_reason.unwrap();
    assert!(why.contains("another connection took over"), "{why}");
    first.stop().await;
    there.has_handed_on(2000).await;
    here.has_handed_on(2000).await;
    here.knows_the_end_of(2000).await;
    there.knows_the_end_of(2000).await;
    second.stop().await;
    links.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nat_that_forgets_costs_at_most_one_reconnection() {
    for transport in [Choice::Quic, Choice::Tcp] {
        let operator = Operator::new();
        let (here, there) = ends(&operator, 1);
        let links = central(&operator, loopback(0), "oslo", &there).await;
        let weather = Weather::delayed(10);
        let line = Wan::open(loopback(0), links.local_address(), weather, 1).unwrap();
        let bundle = operator.enrol("oslo");
        let connector = operator.connector(&bundle, &[line.address()], transport);
        let link = edge(connector, &here);
        let mut seen = link.watch();
        up(&mut seen).await;
        here.offer_up_to(2000);
        there.offer_up_to(2000);
        line.rebind();
        line.cut();
        there.has_handed_on(2000).await;
        here.has_handed_on(2000).await;
        let status = link.status();
        assert!(status.connections <= 2, "{status:#?}");
        link.stop().await;
        links.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_address_is_tried_when_the_first_is_silent() {
    let operator = Operator::new();
    let (here, there) = ends(&operator, 1);
    let links = central(&operator, loopback(0), "oslo", &there).await;
    let to = links.local_address();
    let good = Wan::open(loopback(0), to, Weather::delayed(5), 1).unwrap();
    let dead = Weather {
        down: true,
        ..Weather::default()
    };
    let silent = Wan::open(loopback(0), to, dead, 1).unwrap();
    let bundle = operator.enrol("oslo");
    let addresses = [silent.address(), good.address()];
    let link = edge(operator.connector(&bundle, &addresses, Choice::Auto), &here);
    let mut seen = link.watch();
    let status = up(&mut seen).await;
    here.offer_up_to(100);
    there.has_handed_on(100).await;
    assert_eq!(status.connections, 1);
    let line = until(&mut seen, |status| status.line.is_some()).await.line;
    assert_eq!(line.unwrap().address, good.address());
    // Now the good one goes, and the other comes back.
    silent.change(|weather| weather.down = false);
    good.change(|weather| weather.down = true);
    until(&mut seen, |status| status.connections == 2).await;
    here.offer_up_to(200);
    there.has_handed_on(200).await;
    link.stop().await;
    links.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_goes_on_with_other_rings_on_a_new_connection() {
    let operator = Operator::new();
    let (here, there) = ends(&operator, 2);
    let links = central(&operator, loopback(0), "oslo", &there).await;
    let to = links.local_address();
    let bundle = operator.enrol("oslo");
    let connector = operator.connector(&bundle, &[to], Choice::Quic);
    let one: Vec<Ring> = here.rings[..2].to_vec();
    let link = here.within(|| EdgeLink::start(connector, one, Arc::clone(&here.book)));
    let mut seen = link.watch();
    up(&mut seen).await;
    here.offer_up_to(500);
    until(&mut seen, |status| status.rings.len() == 2).await;
    link.set_rings(here.rings.clone());
    let status = until(&mut seen, |status| status.rings.len() == 4).await;
    assert_eq!(status.connections, 2);
    there.has_handed_on(500).await;
    // Central may ask for a new connection too.
    links.refresh("oslo");
    until(&mut seen, |status| {
        status.connections == 3 && status.phase == Phase::Up
    })
    .await;
    here.offer_up_to(600);
    there.has_handed_on(600).await;
    link.stop().await;
    links.stop().await;
}

/// Two minutes by the clock; what the machine makes of such a line is tested in simulated time in
/// `tests/link_machine`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes two minutes by the clock: cargo test --test link_driver -- --ignored"]
async fn a_line_of_50_kbit_and_600_ms_stays_up_for_two_minutes() {
    let operator = Operator::new();
    let here = End::start(operator.path("edge.ring"), &names("oslo", 1, true));
    let there = End::start(operator.path("main.ring"), &names("oslo", 1, false));
    let links = central(&operator, loopback(0), "oslo", &there).await;
    let slow = Weather {
        rate: Rate::Bits(50_000),
        queue: Duration::from_secs(3),
        ..Weather::delayed(300)
    };
    let line = Wan::open(loopback(0), links.local_address(), slow, 1).unwrap();
    let bundle = operator.enrol("oslo");
    let link = edge(
        operator.connector(&bundle, &[line.address()], Choice::Quic),
        &here,
    );
    let mut seen = link.watch();
    up(&mut seen).await;
    // More than the line carries, both ways, all the time.
    here.offer_up_to(1_000_000);
    there.offer_up_to(1_000_000);
    let two_minutes = tokio::time::Instant::now() + Duration::from_secs(120);
    let ended = tokio::time::timeout_at(two_minutes, async {
        let wrong = |status: &LinkStatus| status.phase != Phase::Up;
        seen.wait_for(wrong).await.unwrap().clone()
    })
    .await;
    assert!(ended.is_err(), "{:#?}", ended.unwrap());
    let status = link.status();
    let came: usize = there.handed_on.borrow().values().map(Vec::len).sum();
    println!("{came} messages in two minutes; {:#?}", status.line);
    assert_eq!(status.connections, 1);
    assert!(came > 1000, "the line is used: {came}");
    link.stop().await;
    links.stop().await;
}

/// A name whose address changes, and that is gone meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_a_name_that_is_gone_and_back_at_another_address_needs_no_restart() {
    let operator = Operator::new();
    let (here, there) = ends(&operator, 1);
    let links = central(&operator, loopback(0), "oslo", &there).await;
    let weather = Weather::default();
    let line = |number| Wan::open(loopback(0), links.local_address(), weather, number).unwrap();
    let (former, new) = (line(1), line(2));
    let address = Arc::new(Mutex::new(Some(former.address())));
    let resolver: Resolver = {
        let address = address.clone();
        Arc::new(move |name| {
            assert_eq!(name, "central.example.net:25500");
            let known = *address.lock().unwrap();
            let gone = || std::io::Error::other("no such host is known");
            Box::pin(async move { known.map(|address| vec![address]).ok_or_else(gone) })
        })
    };
    let bundle = operator.enrol("oslo");
    let link = edge(
        operator.connector_to(&bundle, "central.example.net:25500", resolver),
        &here,
    );
    let mut seen = link.watch();
    up(&mut seen).await;
    *address.lock().unwrap() = None;
    former.change(|weather| weather.down = true);
    former.cut();
    here.offer_up_to(100);
    let status = until(&mut seen, |status| {
        let why = status.last_reason.as_ref();
        status.phase != Phase::Up && why.is_some_and(|(_, why)| why.contains("no such host"))
    })
    .await;
    let (_, why) = status.last_reason.unwrap();
    let words = "central.example.net:25500: the name cannot be resolved: no such host is known";
    assert!(why.contains(words), "{why}");
    *address.lock().unwrap() = Some(new.address());
    up(&mut seen).await;
    there.has_handed_on(100).await;
    here.knows_the_end_of(100).await;
    link.stop().await;
    links.stop().await;
}
