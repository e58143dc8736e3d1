//! Each fault once, over SMPP.

use std::time::{Duration, Instant};

use sluice::codec::smpp::{CommandId, Empty, Frame, Pdu, Status};
use sluice::sim::{Fault, FaultKind, Point, Simulator};

use super::PLAIN;
use super::smpp::{id_of, message, take, text_of};
use super::support::{Wire, bind, simulator};

async fn playing(kind: FaultKind, on: Point) -> (Simulator, Wire) {
    playing_as(Fault::new(kind, on).once()).await
}

async fn playing_as(fault: Fault) -> (Simulator, Wire) {
    let simulator = simulator(PLAIN).await;
    let mut wire = Wire::smpp(&simulator).await;
    wire.bind().await;
    simulator.fault(fault).unwrap();
    (simulator, wire)
}

async fn submitted(wire: &mut Wire) -> Frame {
    wire.ask(Pdu::SubmitSm(message(b"hello")), 2).await
}

async fn goes_on(simulator: &Simulator, wire: &mut Wire) {
    let alive = wire.ask(Pdu::EnquireLink(Empty), 3).await;
    assert_eq!(
        (alive.id, alive.sequence),
        (CommandId::ENQUIRE_LINK_RESP, 3)
    );
    assert_eq!(simulator.counts().faults, 1);
}

#[tokio::test]
async fn an_answer_comes_late() {
    let wait = Duration::from_millis(80);
    let (simulator, mut wire) =
        playing_as(Fault::new(FaultKind::Late, Point::Submit).once().wait(wait)).await;
    let before = Instant::now();
    id_of(&submitted(&mut wire).await);
    assert!(before.elapsed() >= wait);
    goes_on(&simulator, &mut wire).await;
    assert_eq!(simulator.breaches(), [] as [String; 0]);
}

#[tokio::test]
async fn a_request_is_not_seen_or_not_answered() {
    for (kind, stored) in [(FaultKind::Ignore, 0), (FaultKind::Silent, 1)] {
        let (simulator, mut wire) = playing(kind, Point::Submit).await;
        wire.send_pdu(Pdu::SubmitSm(message(b"hello")), 2).await;
        // Whoever goes on without the answer breaks the rule, and sees that it never came.
        goes_on(&simulator, &mut wire).await;
        assert_eq!(simulator.received().len(), stored);
        assert_eq!(simulator.counts().breaches, 1);
    }
}

#[tokio::test]
async fn requests_are_refused() {
    for (fault, status) in [
        (
            Fault::new(FaultKind::Refuse, Point::Submit).code(0x45),
            Status::SUBMIT_FAILED,
        ),
        (
            Fault::new(FaultKind::Throttle, Point::Submit),
            Status::THROTTLED,
        ),
        (
            Fault::new(FaultKind::QueueFull, Point::Submit),
            Status::QUEUE_FULL,
        ),
    ] {
        let (simulator, mut wire) = playing_as(fault.once()).await;
        let answer = submitted(&mut wire).await;
        assert_eq!(
            (answer.id, answer.status),
            (CommandId::SUBMIT_SM_RESP, status)
        );
        assert_eq!(simulator.received().len(), 0);
        goes_on(&simulator, &mut wire).await;
    }
    let simulator = simulator(PLAIN).await;
    let login = Fault::new(FaultKind::Refuse, Point::Login).code(5);
    simulator.fault(login.once()).unwrap();
    let mut wire = Wire::smpp(&simulator).await;
    let answer = wire
        .ask(Pdu::BindTransceiver(bind("sluice", "secret")), 1)
        .await;
    assert_eq!(answer.status, Status::ALREADY_BOUND);
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn a_request_is_nacked() {
    let (simulator, mut wire) = playing(FaultKind::Nack, Point::Submit).await;
    let answer = submitted(&mut wire).await;
    assert_eq!(
        (answer.id, answer.status, answer.sequence),
        (CommandId::GENERIC_NACK, Status::SYSTEM_ERROR, 2)
    );
    goes_on(&simulator, &mut wire).await;
    assert_eq!(simulator.breaches(), [] as [String; 0]);
}

#[tokio::test]
async fn an_answer_has_the_number_of_another_request() {
    let (simulator, mut wire) = playing(FaultKind::WrongNumber, Point::Submit).await;
    assert_eq!(submitted(&mut wire).await.sequence, 3);
    assert_eq!(simulator.received().len(), 1);
}

#[tokio::test]
async fn the_smscs_numbers_jump_and_begin_again() {
    let (simulator, mut wire) = playing(FaultKind::NumberJump, Point::Delivery).await;
    simulator.phone_sends("1", "2", "a");
    let delivery = wire.frame().await;
    assert_eq!(delivery.sequence, 6);
    take(&mut wire, &delivery, Status::OK).await;
    let restart = Fault::new(FaultKind::NumberRestart, Point::Delivery);
    simulator.fault(restart.once()).unwrap();
    simulator.phone_sends("1", "2", "b");
    assert_eq!(wire.frame().await.sequence, 1);
}

#[tokio::test]
async fn a_piece_of_a_session_that_has_ended_comes_first() {
    let simulator = simulator(PLAIN).await;
    let fault = Fault::new(FaultKind::HalfFrame, Point::Connect).once();
    simulator.fault(fault).unwrap();
    let mut wire = Wire::smpp(&simulator).await;
    let half = wire.read().await;
    assert_eq!(half, [0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0]);
}

#[tokio::test]
async fn the_connection_is_dropped_at_any_point() {
    // An answer with an id of one digit has 18 octets.
    for (kind, stored, heard) in [
        (FaultKind::DropUnseen, 0, 0),
        (FaultKind::DropBefore, 1, 0),
        (FaultKind::DropMiddle, 1, 9),
        (FaultKind::DropAfter, 1, 18),
    ] {
        let (simulator, mut wire) = playing(kind, Point::Submit).await;
        wire.send_pdu(Pdu::SubmitSm(message(b"hello")), 2).await;
        let mut octets = Vec::new();
        loop {
            match wire.read().await {
                end if end.is_empty() => break,
                more => octets.extend(more),
            }
        }
        assert_eq!(octets.len(), heard, "{kind:?}");
        assert_eq!(simulator.received().len(), stored, "{kind:?}");
    }
}

#[tokio::test]
async fn a_delivery_is_cut_off_and_comes_again() {
    let (simulator, mut wire) = playing(FaultKind::DropMiddle, Point::Delivery).await;
    simulator.phone_sends("1", "2", "hello");
    assert!(wire.is_closed().await);
    let mut answer;
    loop {
        wire = Wire::smpp(&simulator).await;
        answer = wire
            .ask(Pdu::BindTransceiver(bind("sluice", "secret")), 1)
            .await;
        if answer.status != Status::ALREADY_BOUND {
            break;
        }
    }
    assert_eq!(text_of(&wire.frame().await).0, b"hello");
}

#[tokio::test]
async fn octets_come_one_by_one() {
    let (simulator, mut wire) = playing(FaultKind::Dribble, Point::Submit).await;
    id_of(&submitted(&mut wire).await);
    goes_on(&simulator, &mut wire).await;
}

#[tokio::test]
async fn what_was_taken_is_delivered_once_more() {
    let (simulator, mut wire) = playing(FaultKind::Duplicate, Point::Delivery).await;
    simulator.phone_sends("1", "2", "twice");
    for sequence in [1, 2] {
        let delivery = wire.frame().await;
        assert_eq!(
            (text_of(&delivery).0, delivery.sequence),
            (b"twice".to_vec(), sequence)
        );
        take(&mut wire, &delivery, Status::OK).await;
    }
    goes_on(&simulator, &mut wire).await;
}

#[tokio::test]
async fn an_operation_comes_that_does_not_exist() {
    let (simulator, mut wire) = playing(FaultKind::UnknownOperation, Point::Submit).await;
    let unknown = submitted(&mut wire).await;
    assert_eq!(unknown.id, CommandId(0x1FF));
    let nack = Pdu::GenericNack(Empty).to_bytes(Status::INVALID_COMMAND_ID, unknown.sequence);
    id_of(&wire.frame().await);
    wire.send(&nack).await;
    goes_on(&simulator, &mut wire).await;
    assert_eq!(simulator.breaches(), [] as [String; 0]);
}

#[tokio::test]
async fn a_delivery_lacks_what_it_must_have() {
    let (simulator, mut wire) = playing(FaultKind::Malformed, Point::Delivery).await;
    simulator.phone_sends("1", "2", "x");
    let delivery = wire.frame().await;
    assert_eq!(delivery.id, CommandId::DELIVER_SM);
    assert!(delivery.view().is_err());
    take(&mut wire, &delivery, Status::INVALID_COMMAND_LENGTH).await;
    goes_on(&simulator, &mut wire).await;
}

#[tokio::test]
async fn the_smsc_ends_the_session() {
    let (simulator, mut wire) = playing(FaultKind::Logout, Point::Submit).await;
    let unbind = submitted(&mut wire).await;
    assert_eq!(unbind.id, CommandId::UNBIND);
    id_of(&wire.frame().await);
    wire.send_pdu(Pdu::UnbindResp(Empty), unbind.sequence).await;
    assert!(wire.is_closed().await);
    assert_eq!(simulator.breaches(), [] as [String; 0]);
}

#[tokio::test]
async fn the_smsc_freezes_and_thaws() {
    let wait = Duration::from_millis(80);
    let (simulator, mut wire) = playing_as(
        Fault::new(FaultKind::Freeze, Point::Submit)
            .once()
            .wait(wait),
    )
    .await;
    let before = Instant::now();
    id_of(&submitted(&mut wire).await);
    assert!(before.elapsed() >= wait);
    goes_on(&simulator, &mut wire).await;
}
