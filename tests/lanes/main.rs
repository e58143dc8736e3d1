//! Lanes against the simulated SMSC, over real sockets and over a pseudo-terminal, in both protocols: what a carrier
//! does, and what it does wrong. In all of it the simulator counts no breach of the one-at-a-time rule (G1).

mod faults;
mod world;

use std::time::Duration;

use sluice::lane::Sequence;
use sluice::message::{Item, Outcome, ReportState, ReportWish};
use sluice::sim::{Fault, FaultKind, Point};
use sluice::smsc::courier::InDoubt;
use sluice::smsc::driver::Order;
use sluice::smsc::status::Phase;
use world::{Line, PHONE, World, message, text_of, within};

/// Runs a scenario over every line, all at the same time.
async fn over_every_line<F, S>(scenario: S)
where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(Line) -> F,
{
    let mut running = tokio::task::JoinSet::new();
    for line in Line::ALL {
        running.spawn(scenario(line));
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("a scenario does not panic");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_g12_g15_messages_and_reports_go_both_ways_one_at_a_time() {
    over_every_line(|line| async move {
        let mut world = World::start(line).await;
        let mut expected = Vec::new();
        for number in 1..=30 {
            let text = format!("to the phone {number} {{€}}");
            world.offer(message(&text, ReportWish::Final)).await;
            world
                .simulator
                .phone_sends(PHONE, "17000", &format!("from the phone {number}"));
            expected.push(text);
        }
        within(world.all_processed()).await;
        world.taken(60).await;
        let received: Vec<String> = world
            .simulator
            .received()
            .iter()
            .map(|got| got.text())
            .collect();
        assert_eq!(received, expected, "{line:?}: in order, once");

        let items = world.mo_items();
        let texts: Vec<String> = items.iter().filter_map(text_of).collect();
        let written: Vec<String> = (1..=30)
            .map(|number| format!("from the phone {number}"))
            .collect();
        assert_eq!(texts, written, "{line:?}");

        // G18: each report names a message as its outcome did.
        let mut ids: Vec<_> = (1..=30)
            .map(|number| match world.mt.outcome(Sequence::new(number)) {
                Some(Outcome::Accepted(id)) => id,
                other => panic!("{line:?}: message {number} ended as {other:?}"),
            })
            .collect();
        let mut reported = Vec::new();
        for item in &items {
            if let Item::Report(report) = item {
                assert_eq!(report.state, ReportState::Delivered);
                reported.push(report.id.clone());
            }
        }
        ids.sort();
        reported.sort();
        assert_eq!(reported, ids, "{line:?}: one report each");
        world.no_breach();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g18_reports_find_the_name_that_their_message_was_given() {
    // The ids are compared in the test above; here a carrier that fails a message says why.
    over_every_line(|line| async move {
        let mut world = World::with(
            line,
            "[phones]\nfate = 'undeliverable'\nerror = 29\n",
            InDoubt::Resend,
        )
        .await;
        world
            .offer(message("nobody gets this", ReportWish::Final))
            .await;
        world.taken(1).await;
        let items = world.mo_items();
        let [Item::Report(report)] = &items[..] else {
            panic!("{line:?}: {items:?}");
        };
        assert_eq!(report.state, ReportState::Undeliverable, "{line:?}");
        let Some(Outcome::Accepted(id)) = world.mt.outcome(Sequence::FIRST) else {
            panic!("{line:?}: it was accepted first");
        };
        assert_eq!(report.id, id, "{line:?}");
        world.no_breach();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_lane_pauses_and_keeps_the_order() {
    over_every_line(|line| async move {
        let mut world = World::start(line).await;
        let throttle = Fault::new(FaultKind::Throttle, Point::Submit)
            .every(3)
            .once();
        world.simulator.fault(throttle).unwrap();
        let mut expected = Vec::new();
        for number in 1..=6 {
            expected.push(format!("message {number}"));
            world
                .offer(message(&expected[number - 1], ReportWish::None))
                .await;
        }
        within(world.all_processed()).await;
        let received: Vec<String> = world
            .simulator
            .received()
            .iter()
            .map(|got| got.text())
            .collect();
        assert_eq!(received, expected, "{line:?}");
        assert_eq!(world.status.deferred.get(), 1, "{line:?}");
        assert_eq!(
            world.status.doubtful.get(),
            0,
            "{line:?}: a throttled message is not in doubt"
        );
        world.no_breach();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_answer_was_lost_goes_by_the_lanes_policy() {
    over_every_line(|line| async move {
        for policy in [InDoubt::Resend, InDoubt::Hold, InDoubt::Drop] {
            let mut world = World::hurried(line, policy).await;
            let lost = Fault::new(FaultKind::DropBefore, Point::Submit)
                .after(1)
                .once();
            world.simulator.fault(lost).unwrap();
            for number in 1..=3 {
                world
                    .offer(message(&format!("message {number}"), ReportWish::None))
                    .await;
            }
            if policy == InDoubt::Hold {
                within(world.until(|status| status.state().held == Some(2))).await;
                world.orders.send(Order::ResendHeld).await.unwrap();
            }
            within(world.all_processed()).await;
            let received: Vec<String> = world
                .simulator
                .received()
                .iter()
                .map(|got| got.text())
                .collect();
            let seconds = received.iter().filter(|text| *text == "message 2").count();
            assert_eq!(world.status.doubtful.get(), 1, "{line:?}, {policy:?}");
            let expected = if policy == InDoubt::Drop { 1 } else { 2 };
            assert_eq!(seconds, expected, "{line:?}, {policy:?}: {received:?}");
            let doubtful = world.mt.outcome(Sequence::new(2)) == Some(Outcome::Doubtful);
            assert_eq!(doubtful, policy == InDoubt::Drop, "{line:?}, {policy:?}");
            world.no_breach();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g8_a_full_ring_makes_the_smsc_keep_its_messages() {
    over_every_line(|line| async move {
        let mut world = World::start(line).await;
        for number in 1..=260 {
            world
                .simulator
                .phone_sends(PHONE, "17000", &format!("message {number}"));
        }
        within(world.until(|status| status.withheld.get() > 0)).await;
        assert_eq!(world.mo.look(|array| array.room()), 0, "{line:?}");
        // The lane still submits while a delivery waits for room.
        world.offer(message("meanwhile", ReportWish::None)).await;
        within(world.all_processed()).await;
        let mut texts = Vec::new();
        while texts.len() < 260 {
            within(world.something_to_take()).await;
            texts.extend(world.take_all());
        }
        let expected: Vec<String> = (1..=260)
            .map(|number| format!("message {number}"))
            .collect();
        assert_eq!(texts, expected, "{line:?}: nothing dropped, nothing twice");
        world.no_breach();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_smsc_ends_comes_back() {
    over_every_line(|line| async move {
        let mut world = World::start(line).await;
        world.offer(message("before", ReportWish::None)).await;
        within(world.all_processed()).await;
        world.simulator.logout_all();
        within(world.until(|status| status.state().phase == Phase::Waiting)).await;
        world.offer(message("after", ReportWish::None)).await;
        within(world.all_processed()).await;
        let received: Vec<String> = world
            .simulator
            .received()
            .iter()
            .map(|got| got.text())
            .collect();
        assert_eq!(received, ["before", "after"], "{line:?}");
        world.no_breach();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_one_clear_error_and_a_slow_retry() {
    over_every_line(|line| async move {
        let world = World::with_password(line, "nottrue").await;
        within(world.until(|status| status.state().phase == Phase::Refused)).await;
        let state = world.status.state();
        let why = state.last_error.expect("a refusal has a reason");
        assert!(
            !why.is_empty() && !why.contains("nottrue"),
            "{line:?}: {why}"
        );
        assert_eq!(world.simulator.counts().logins_refused, 1, "{line:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serial_device_that_is_missing_is_named_and_tried_again() {
    let device = "/dev/no-such-serial-line";
    let world = World::on_device(device).await;
    within(world.until(|status| {
        status
            .state()
            .last_error
            .is_some_and(|why| why.contains(device))
    }))
    .await;
    assert_eq!(world.status.state().phase, Phase::Waiting);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_to_close_logs_out() {
    over_every_line(|line| async move {
        let mut world = World::start(line).await;
        world.offer(message("last words", ReportWish::None)).await;
        within(world.all_processed()).await;
        let mut events = world.simulator.events();
        world.orders.send(Order::Close).await.unwrap();
        within(world.until(|status| status.state().phase == Phase::Closed)).await;
        let logout = events.until(|event| matches!(event, sluice::sim::Event::Logout));
        assert!(
            tokio::time::timeout(Duration::from_secs(20), logout)
                .await
                .unwrap()
                .is_some(),
            "{line:?}"
        );
        world.no_breach();
    })
    .await;
}
