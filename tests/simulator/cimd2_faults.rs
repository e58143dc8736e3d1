//! Each fault once, over CIMD2.

use std::time::{Duration, Instant};

use sluice::sim::{Fault, FaultKind, Point, Simulator};

use super::PLAIN;
use super::support::{Wire, field, packet, simulator};

const SUBMIT: &str = "03:003·021:358401111111·033:hello·";

/// A simulator that plays a fault once, and a client that is logged in.
async fn playing(kind: FaultKind, on: Point) -> (Simulator, Wire) {
    playing_as(Fault::new(kind, on).once()).await
}

async fn playing_as(fault: Fault) -> (Simulator, Wire) {
    let simulator = simulator(PLAIN).await;
    let mut wire = Wire::cimd2(&simulator).await;
    wire.login().await;
    simulator.fault(fault).unwrap();
    (simulator, wire)
}

async fn submitted(wire: &mut Wire) -> String {
    wire.say(SUBMIT).await;
    wire.hear().await
}

/// After a fault the same session goes on as if nothing had been.
async fn goes_on(simulator: &Simulator, wire: &mut Wire, number: u32) {
    wire.say(&format!("40:{number:03}·")).await;
    wire.expect(&format!("90:{number:03}·")).await;
    assert_eq!(simulator.counts().faults, 1);
}

#[tokio::test]
async fn an_answer_comes_late() {
    let wait = Duration::from_millis(80);
    let fault = Fault::new(FaultKind::Late, Point::Submit).once().wait(wait);
    let (simulator, mut wire) = playing_as(fault).await;
    let before = Instant::now();
    assert_eq!(submitted(&mut wire).await[..6], *"53:003");
    assert!(before.elapsed() >= wait);
    goes_on(&simulator, &mut wire, 5).await;
    assert_eq!(simulator.breaches(), [] as [String; 0]);
}

#[tokio::test]
async fn a_late_answer_shows_who_does_not_wait() {
    let wait = Duration::from_millis(80);
    let fault = Fault::new(FaultKind::Late, Point::Submit).once().wait(wait);
    let (simulator, mut wire) = playing_as(fault).await;
    wire.say(SUBMIT).await;
    wire.say("40:005·").await;
    wire.expect("90:005·").await;
    assert_eq!(wire.hear().await[..6], *"53:003");
    assert_eq!(simulator.counts().breaches, 1);
}

#[tokio::test]
async fn a_request_is_not_seen_and_its_repetition_is() {
    let (simulator, mut wire) = playing(FaultKind::Ignore, Point::Submit).await;
    wire.say(SUBMIT).await;
    assert_eq!(submitted(&mut wire).await[..6], *"53:003");
    assert_eq!(simulator.received().len(), 1);
    goes_on(&simulator, &mut wire, 5).await;
    assert_eq!(
        simulator.breaches(),
        [] as [String; 0],
        "a repetition is none"
    );
}

#[tokio::test]
async fn a_request_is_done_and_not_answered_and_its_repetition_is() {
    let (simulator, mut wire) = playing(FaultKind::Silent, Point::Submit).await;
    wire.say(SUBMIT).await;
    assert_eq!(submitted(&mut wire).await[..6], *"53:003");
    assert_eq!(simulator.received().len(), 1, "it was not done twice");
}

#[tokio::test]
async fn requests_are_refused() {
    for (fault, code) in [
        (
            Fault::new(FaultKind::Refuse, Point::Submit).code(306),
            "306",
        ),
        (Fault::new(FaultKind::Throttle, Point::Submit), "10"),
        (Fault::new(FaultKind::QueueFull, Point::Submit), "9"),
    ] {
        let (simulator, mut wire) = playing_as(fault.once()).await;
        assert_eq!(field(&submitted(&mut wire).await, "900"), code);
        assert_eq!(simulator.received().len(), 0);
        goes_on(&simulator, &mut wire, 5).await;
    }
    let login = Fault::new(FaultKind::Refuse, Point::Login).code(102).once();
    let simulator = simulator(PLAIN).await;
    simulator.fault(login).unwrap();
    let mut wire = Wire::cimd2(&simulator).await;
    wire.say("01:001·010:sluice·011:secret·").await;
    assert_eq!(field(&wire.hear().await, "900"), "102");
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn a_wave_of_throttling_passes() {
    let fault = Fault {
        lasts: Some(Duration::from_millis(100)),
        ..Fault::new(FaultKind::Throttle, Point::Submit).once()
    };
    let (simulator, mut wire) = playing_as(fault).await;
    let mut number = 3;
    let mut refused = 0;
    loop {
        wire.say(&format!("03:{number:03}·021:1·033:x·")).await;
        let answer = wire.hear().await;
        if !answer.contains("900:") {
            break;
        }
        refused += 1;
        number = if number == 255 { 1 } else { number + 2 };
    }
    assert!(refused > 1, "a wave is more than one");
    assert_eq!(simulator.received().len(), 1);
}

#[tokio::test]
async fn a_request_is_nacked() {
    let (simulator, mut wire) = playing(FaultKind::Nack, Point::Submit).await;
    assert_eq!(submitted(&mut wire).await, "99:003·");
    assert_eq!(
        submitted(&mut wire).await[..6],
        *"53:003",
        "the same octets again"
    );
    assert_eq!(simulator.received().len(), 1);
    goes_on(&simulator, &mut wire, 5).await;
    assert_eq!(simulator.breaches(), [] as [String; 0]);
    // With another number, all counts on from there.
    let elsewhere = Fault::new(FaultKind::Nack, Point::Alive).once().code(99);
    simulator.fault(elsewhere).unwrap();
    wire.say("40:007·").await;
    wire.expect("99:099·").await;
    wire.say("40:099·").await;
    wire.expect("90:099·").await;
}

#[tokio::test]
async fn a_request_is_answered_by_a_general_error() {
    let (simulator, mut wire) = playing(FaultKind::GeneralError, Point::Submit).await;
    assert_eq!(
        submitted(&mut wire).await,
        "98:003·900:6·901:general system error·"
    );
    assert_eq!(simulator.received().len(), 0);
}

#[tokio::test]
async fn an_answer_or_a_delivery_has_a_wrong_checksum() {
    let (simulator, mut wire) = playing(FaultKind::WrongChecksum, Point::Submit).await;
    assert!(submitted(&mut wire).await.ends_with("(wrong checksum)"));
    assert_eq!(submitted(&mut wire).await[..6], *"53:003");
    assert_eq!(simulator.received().len(), 1);
    let (simulator, mut wire) = playing(FaultKind::WrongChecksum, Point::Delivery).await;
    simulator.phone_sends("1", "2", "hello");
    assert!(wire.hear().await.ends_with("(wrong checksum)"));
    wire.say("99:000·").await;
    assert_eq!(field(&wire.hear().await, "033"), "hello");
}

#[tokio::test]
async fn an_answer_has_the_number_of_another_request() {
    let (simulator, mut wire) = playing(FaultKind::WrongNumber, Point::Submit).await;
    assert_eq!(submitted(&mut wire).await[..6], *"53:005");
    assert_eq!(submitted(&mut wire).await[..6], *"53:003");
    assert_eq!(simulator.received().len(), 1);
}

#[tokio::test]
async fn the_smscs_numbers_jump_and_begin_again() {
    let (simulator, mut wire) = playing(FaultKind::NumberJump, Point::Delivery).await;
    simulator.phone_sends("1", "2", "a");
    assert_eq!(wire.hear().await[..6], *"20:010");
    wire.say("70:010·").await;
    let restart = Fault::new(FaultKind::NumberRestart, Point::Delivery);
    simulator.fault(restart.once()).unwrap();
    simulator.phone_sends("1", "2", "b");
    assert_eq!(wire.hear().await[..6], *"20:000");
}

#[tokio::test]
async fn a_piece_of_a_session_that_has_ended_comes_first() {
    let simulator = simulator(PLAIN).await;
    let fault = Fault::new(FaultKind::HalfFrame, Point::Connect).once();
    simulator.fault(fault).unwrap();
    let mut wire = Wire::cimd2(&simulator).await;
    let mut heard = Vec::new();
    wire.send(&packet("01:001·010:sluice·011:secret·")).await;
    while !heard.ends_with(b"51:001\t3C\x03") {
        heard.extend(wire.read().await);
    }
    let text = String::from_utf8(heard).unwrap();
    assert!(text.contains("from a session that has ended\t5F\x03\x0220:002\t021:1\x0251:001"));
}

#[tokio::test]
async fn the_connection_is_dropped_at_any_point() {
    for (kind, stored, answered) in [
        (FaultKind::DropUnseen, 0, ""),
        (FaultKind::DropBefore, 1, ""),
        (FaultKind::DropMiddle, 1, "\x0253:003\t02"),
        (
            FaultKind::DropAfter,
            1,
            "\x0253:003\t021:358401111111\t060:",
        ),
    ] {
        let (simulator, mut wire) = playing(kind, Point::Submit).await;
        wire.say(SUBMIT).await;
        let mut heard = Vec::new();
        loop {
            match wire.read().await {
                end if end.is_empty() => break,
                octets => heard.extend(octets),
            }
        }
        let heard = String::from_utf8(heard).unwrap();
        assert!(heard.starts_with(answered), "{kind:?}: {heard:?}");
        assert_eq!(heard.is_empty(), answered.is_empty(), "{kind:?}");
        assert_eq!(heard.ends_with('\x03'), kind == FaultKind::DropAfter);
        assert_eq!(simulator.received().len(), stored, "{kind:?}");
    }
}

#[tokio::test]
async fn octets_come_one_by_one() {
    let (simulator, mut wire) = playing(FaultKind::Dribble, Point::Submit).await;
    assert_eq!(submitted(&mut wire).await[..6], *"53:003");
    goes_on(&simulator, &mut wire, 5).await;
}

#[tokio::test]
async fn what_was_taken_is_delivered_once_more() {
    let (simulator, mut wire) = playing(FaultKind::Duplicate, Point::Delivery).await;
    simulator.phone_sends("1", "2", "twice");
    let first = wire.hear().await;
    wire.say("70:000·").await;
    let second = wire.hear().await;
    assert_eq!(
        second,
        first.replacen("20:000", "20:002", 1),
        "under a new number"
    );
    wire.say("70:002·").await;
    goes_on(&simulator, &mut wire, 3).await;
    let (simulator, mut wire) = playing(FaultKind::Duplicate, Point::Report).await;
    wire.say("03:003·021:1·056:62·033:x·").await;
    wire.hear().await;
    let first = wire.hear().await;
    wire.say("73:000·").await;
    assert_eq!(wire.hear().await, first.replacen("23:000", "23:002", 1));
    assert_eq!(simulator.counts().reports, 2);
}

#[tokio::test]
async fn an_operation_comes_that_does_not_exist() {
    for answer in ["83:000·", "99:000·"] {
        let (simulator, mut wire) = playing(FaultKind::UnknownOperation, Point::Submit).await;
        wire.say(SUBMIT).await;
        wire.expect("33:000·").await;
        assert_eq!(wire.hear().await[..6], *"53:003");
        wire.say(answer).await;
        simulator.phone_sends("1", "2", "on");
        assert_eq!(wire.hear().await[..6], *"20:002");
        assert_eq!(simulator.breaches(), [] as [String; 0]);
    }
}

#[tokio::test]
async fn a_delivery_lacks_what_it_must_have() {
    let (simulator, mut wire) = playing(FaultKind::Malformed, Point::Delivery).await;
    simulator.phone_sends("1", "2", "x");
    let delivery = wire.hear().await;
    assert!(delivery.starts_with("20:000·060:"), "{delivery}");
    wire.say("70:000·900:8·").await;
    goes_on(&simulator, &mut wire, 3).await;
}

#[tokio::test]
async fn the_smsc_ends_the_session() {
    let (_simulator, mut wire) = playing(FaultKind::Logout, Point::Submit).await;
    wire.say(SUBMIT).await;
    wire.expect("02:000·").await;
    assert_eq!(wire.hear().await[..6], *"53:003");
    wire.say("52:000·").await;
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn the_smsc_freezes_and_thaws() {
    let wait = Duration::from_millis(80);
    let fault = Fault::new(FaultKind::Freeze, Point::Submit)
        .once()
        .wait(wait);
    let (simulator, mut wire) = playing_as(fault).await;
    let before = Instant::now();
    assert_eq!(submitted(&mut wire).await[..6], *"53:003");
    assert!(before.elapsed() >= wait);
    goes_on(&simulator, &mut wire, 5).await;
}

#[tokio::test]
async fn faults_come_every_so_often_until_they_are_taken_out() {
    let fault = Fault::new(FaultKind::Throttle, Point::Submit).every(2);
    let (simulator, mut wire) = playing_as(fault).await;
    let mut refused = Vec::new();
    for number in [3, 5, 7, 9, 11, 13] {
        if number == 11 {
            simulator.clear_faults();
        }
        wire.say(&format!("03:{number:03}·021:1·033:x·")).await;
        refused.push(wire.hear().await.contains("900:10"));
    }
    assert_eq!(refused, [false, true, false, true, false, false]);
    let wrong = Fault::new(FaultKind::Duplicate, Point::Submit);
    assert_eq!(
        simulator.fault(wrong).unwrap_err().to_string(),
        "fault: Duplicate cannot be played on Submit"
    );
}
