//! The session by itself: turns, timers, ends, and what a hostile or clumsy peer can do to it.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use sluice::codec::smpp::{
    BindResp, COctets, CommandId, Empty, IdResp, Named, Pdu, PduView, Status, Tag, TlvList,
};
use sluice::message::{Body, Coding, Party, SmscId, UserDataHeader, UserName};
use sluice::smsc::session::{Answer, Event, Retry, Session as _, SubmitAnswer};
use sluice::smsc::smpp::{BindKind, Config, Session};

use super::chaos;
use super::line::{BindResponse, Line, accepted, config, deliver, hello};
use super::support::{frame, octets};

const SECOND: Duration = Duration::from_secs(1);

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn g1_whatever_happens_one_operation_is_outstanding_each_way(octets in prop::collection::vec(any::<u8>(), 0..2000)) {
        chaos::run(&octets);
    }

    #[test]
    fn whatever_happens_in_small_steps_the_promises_hold(octets in prop::collection::vec(0_u8..24, 0..2000)) {
        chaos::run(&octets);
    }
}

#[test]
fn the_bind_carries_the_account() {
    let config = Config {
        system_type: "VMS".into(),
        address_range: "^123".into(),
        addr_ton: 1,
        ..toml_config("system_id = 'sluice'\npassword = 'a longer password'")
    };
    let mut session = Session::new(config, 1).unwrap();
    session.handle_connected(sluice::clock::Moment::START);
    let octets = session.poll_transmit().unwrap();
    let frame = frame(&octets);
    let Ok(PduView::BindTransceiver(bind)) = frame.view() else {
        panic!("it binds as transceiver");
    };
    assert_eq!(
        (bind.system_id, bind.password),
        (&b"sluice"[..], &b"a longer password"[..])
    );
    assert_eq!(
        (bind.system_type, bind.interface_version),
        (&b"VMS"[..], 0x34)
    );
    assert_eq!(
        (bind.address_range.ton, bind.address_range.octets),
        (1, &b"^123"[..])
    );
    assert_eq!(frame.sequence, 1);
    assert!(
        session.poll_transmit().is_none(),
        "nothing else goes out before the answer"
    );
    assert!(session.poll_event().is_none());
}

fn toml_config(written: &str) -> Config {
    toml::from_str(written).unwrap()
}

#[test]
fn a_refused_bind_says_why_and_when_to_come_back() {
    for (status, retry, reason) in [
        (Status::ALREADY_BOUND, Retry::OldSessionLives, "RALYBND"),
        (
            Status::INVALID_PASSWORD,
            Retry::Refused,
            "RINVPASWD: the password is wrong",
        ),
        (
            Status::INVALID_SYSTEM_ID,
            Retry::Refused,
            "RINVSYSID: the system_id is unknown",
        ),
        (Status::INVALID_SYSTEM_TYPE, Retry::Refused, "RINVSYSTYP"),
        (Status::BIND_FAILED, Retry::Refused, "RBINDFAIL"),
        (Status::SYSTEM_ERROR, Retry::Soon, "RSYSERR"),
        (Status(0x477), Retry::Soon, "0x00000477"),
    ] {
        // A bare header, one NUL, a whole body: all are the same refusal.
        for body in [&b""[..], b"\0", b"SMSC\0"] {
            let mut line = Line::binding(config());
            let mut written = vec![
                0,
                0,
                0,
                16 + u8::try_from(body.len()).unwrap(),
                0x80,
                0,
                0,
                9,
            ];
            written.extend_from_slice(&status.0.to_be_bytes());
            written.extend_from_slice(&[0, 0, 0, 1]);
            written.extend_from_slice(body);
            line.receive(&written);
            assert_eq!(line.downs.len(), 1);
            assert_eq!(line.downs[0].retry, retry);
            assert!(
                line.downs[0].reason.contains(reason),
                "{}",
                line.downs[0].reason
            );
            assert_eq!(line.session.poll_timeout(), None, "nothing waits any more");
        }
    }
}

#[test]
fn the_line_is_probed_when_the_peer_is_silent_and_only_then() {
    let mut line = Line::bound(config());
    let start = line.now;
    line.pass(Duration::from_millis(17_900));
    assert!(
        line.said().is_empty(),
        "not before nine tenths of the interval"
    );
    line.pass(Duration::from_millis(2_100));
    assert_eq!(line.said(), ["> enquire_link 2"]);
    line.receive_pdu(&Pdu::EnquireLinkResp(Empty), Status::OK, 2);
    // Any octet counts as life.
    for _ in 0..10 {
        line.pass(SECOND * 15);
        line.receive_pdu(&Pdu::EnquireLink(Empty), Status::OK, 7);
    }
    let said = line.said();
    assert!(
        said.iter()
            .all(|said| said.starts_with("> enquire_link_resp 7")),
        "{said:?}"
    );
    assert!(line.now - start > SECOND * 150);
    line.pass(SECOND * 20);
    assert_eq!(line.said(), ["> enquire_link 3"]);
    line.pass(SECOND * 10);
    assert_eq!(
        line.said(),
        ["ended, Soon: the SMSC did not answer enquire_link within 10s"]
    );
}

#[test]
fn g1_no_probe_goes_out_while_a_submit_is_unanswered() {
    let mut line = Line::bound(Config {
        submit_timeout: SECOND * 120,
        ..config()
    });
    line.submit(&hello());
    line.said();
    line.pass(SECOND * 119);
    assert!(
        line.said().is_empty(),
        "the submit's own timer is the probe"
    );
    line.receive_pdu(&accepted("A1"), Status::OK, 2);
    line.pass(SECOND * 20);
    assert_eq!(
        line.said(),
        ["accepted as A1", "may submit", "> enquire_link 3"]
    );
}

#[test]
fn a_probe_that_finds_the_session_gone_at_the_smsc_ends_it_here() {
    let mut line = Line::bound(config());
    line.pass(SECOND * 20);
    line.said();
    line.receive_pdu(&Pdu::EnquireLinkResp(Empty), Status::WRONG_BIND_STATE, 2);
    assert_eq!(
        line.said(),
        ["ended, Soon: the SMSC answered a probe with RINVBNDSTS: binding anew"]
    );
    // Any other word is a sign of life, also that it does not know probes.
    let mut line = Line::bound(config());
    line.pass(SECOND * 20);
    line.receive_pdu(&Pdu::GenericNack(Empty), Status::INVALID_COMMAND_ID, 2);
    assert!(line.session.is_up());
}

#[test]
fn silence_ends_the_connection_whatever_waits() {
    let mut line = Line::bound(Config {
        submit_timeout: SECOND * 120,
        inactivity_timeout: Some(SECOND * 40),
        ..config()
    });
    line.submit(&hello());
    line.said();
    line.pass(SECOND * 41);
    assert_eq!(
        line.said(),
        [
            "in doubt",
            "ended, Soon: nothing was heard of the SMSC for 40s"
        ]
    );
}

#[test]
fn a_pdu_that_comes_octet_by_octet_has_ten_seconds() {
    let mut line = Line::bound(config());
    let pdu = Pdu::DeliverSm(deliver(b"Hello")).to_bytes(Status::OK, 1);
    let begun = line.now;
    for octet in &pdu[..pdu.len() - 1] {
        line.receive(&[*octet]);
        line.pass(Duration::from_millis(100));
    }
    line.pass(begun + Duration::from_millis(9_999) - line.now);
    assert!(line.said().is_empty());
    line.pass(Duration::from_millis(1));
    assert_eq!(
        line.said(),
        ["ended, Soon: the SMSC began a PDU and did not finish it within 10s"]
    );
}

#[test]
fn each_pdu_has_its_own_ten_seconds() {
    let mut line = Line::bound(config());
    let pdu = Pdu::EnquireLink(Empty).to_bytes(Status::OK, 1);
    // Always begun, never late: the rest of one comes with the beginning of the next.
    line.receive(&pdu[..8]);
    for _ in 0..10 {
        line.pass(SECOND * 9);
        line.receive(&[&pdu[8..], &pdu[..8]].concat());
    }
    assert!(line.downs.is_empty());
    line.pass(SECOND * 10);
    assert_eq!(line.downs.len(), 1);
}

#[test]
fn a_submit_that_never_left_is_not_in_doubt() {
    let mut session = Session::new(config(), 1).unwrap();
    let now = sluice::clock::Moment::START;
    session.handle_connected(now);
    while session.poll_transmit().is_some() {}
    session.handle_bytes(now, &config().bind_response());
    let turn = loop {
        match session.poll_event().expect("our turn comes") {
            Event::MaySubmit(turn) => break turn,
            _ => continue,
        }
    };
    session.submit(now, turn, &hello(), None);
    // The transport breaks before it takes the octets.
    session.handle_disconnected(now, "reset");
    assert_eq!(
        session.poll_event(),
        Some(Event::Answered(SubmitAnswer::NotSent))
    );
    assert!(matches!(session.poll_event(), Some(Event::Ended(_))));
    assert_eq!(session.poll_transmit(), None, "and it does not leave later");
}

#[test]
fn turns_of_a_former_connection_do_nothing() {
    let mut line = Line::bound(config());
    line.receive_pdu(&Pdu::DeliverSm(deliver(b"Hello")), Status::OK, 1);
    let (submit, delivery) = (
        line.submit_turn.take().unwrap(),
        line.delivery_turn.take().unwrap(),
    );
    line.disconnect();
    line.connect();
    line.receive(&config().bind_response());
    line.receive_pdu(&Pdu::DeliverSm(deliver(b"Hello")), Status::OK, 1);
    line.said();
    line.session.submit(line.now, submit, &hello(), None);
    line.session.answer(line.now, delivery, Answer::Stored);
    assert_eq!(line.session.poll_transmit(), None);
    assert_eq!(line.session.poll_event(), None);
    line.answer(Answer::Stored);
    line.submit(&hello());
    assert_eq!(line.said(), ["> deliver_sm_resp 1 ROK", "> submit_sm 2"]);
}

#[test]
fn what_cannot_be_written_is_answered_and_the_turn_comes_back() {
    let mut line = Line::bound(config());
    let mut message = hello();
    message.sender = Party::from(UserName::new("anna").unwrap());
    line.submit(&message);
    assert_eq!(
        line.said(),
        [
            "never: sender: is a user of the IM service and has no number here",
            "may submit"
        ]
    );
}

#[test]
fn a_receiver_gives_no_turn_and_a_transmitter_takes_no_delivery() {
    let of = |bind| Config { bind, ..config() };
    // One lane, two machines: each has its own numbers.
    let mut rx = Line::bound(of(BindKind::Receiver));
    let mut tx = Line::bound(of(BindKind::Transmitter));
    assert!(rx.submit_turn.is_none() && tx.submit_turn.is_some());
    rx.receive_pdu(&Pdu::DeliverSm(deliver(b"Hello")), Status::OK, 1);
    tx.receive_pdu(&Pdu::DeliverSm(deliver(b"Hello")), Status::OK, 1);
    assert_eq!(rx.said(), ["delivered 1"]);
    assert_eq!(
        tx.said(),
        [
            "> deliver_sm_resp 1 RINVBNDSTS",
            "noted: deliver_sm is not allowed in this session"
        ]
    );
    tx.submit(&hello());
    rx.pass(SECOND * 20);
    assert_eq!(tx.said(), ["> submit_sm 2"]);
    assert_eq!(rx.said(), ["> enquire_link 2"]);
}

#[test]
fn while_deliveries_fill_their_queue_nothing_is_read_and_no_answer_is_missed() {
    let mut line = Line::bound(Config {
        max_waiting_deliveries: 2,
        ..config()
    });
    line.submit(&hello());
    let mut burst = Vec::new();
    for sequence in 1..=4 {
        Pdu::DeliverSm(deliver(b"Hello")).encode(Status::OK, sequence, &mut burst);
    }
    accepted("A1").encode(Status::OK, 2, &mut burst);
    line.receive(&burst);
    assert!(!line.session.wants_bytes());
    assert_eq!(line.said(), ["> submit_sm 2", "delivered 1"]);
    // The answer lies unread; its timer must not end the connection.
    line.pass(SECOND * 100);
    assert!(line.said().is_empty());
    line.answer(Answer::Stored);
    line.answer(Answer::Stored);
    assert_eq!(
        line.said(),
        [
            "> deliver_sm_resp 1 ROK",
            "delivered 1",
            "> deliver_sm_resp 2 ROK",
            "delivered 1",
            "accepted as A1",
            "may submit"
        ]
    );
    assert!(line.session.wants_bytes());
}

#[test]
fn an_smsc_before_3_4_gets_no_tlvs() {
    let long = |line: &mut Line| {
        let mut message = hello();
        message.body = Body::new(Coding::Ucs2, UserDataHeader::NONE, vec![4; 300].into()).unwrap();
        line.submit(&message);
        line.said()
    };
    let mut old = Line::binding(config());
    old.receive_pdu(
        &Pdu::BindTransceiverResp(BindResp::default()),
        Status::OK,
        1,
    );
    assert_eq!(
        old.said(),
        ["up: an SMSC without a name, SMPP before 3.4", "may submit"]
    );
    let refused = &long(&mut old)[0];
    assert!(
        refused.starts_with("never: text: is longer than one SMS carries"),
        "{refused}"
    );
    let mut new = Line::bound(config());
    assert_eq!(long(&mut new), ["> submit_sm 2"]);
}

#[test]
fn congestion_is_told_once_and_its_end_too() {
    let mut line = Line::bound(config());
    let answer = |state| {
        let mut tlvs = TlvList::new();
        tlvs.octet(Tag::CONGESTION_STATE, state);
        Pdu::SubmitSmResp(IdResp {
            message_id: Named(COctets::new("id", b"A1").unwrap()),
            tlvs,
        })
    };
    for (sequence, state) in [(2, 80), (3, 90), (4, 100), (5, 50)] {
        line.submit(&hello());
        line.receive_pdu(&answer(state), Status::OK, sequence);
    }
    assert_eq!(
        line.notes,
        [
            "the SMSC is nearly congested: congestion_state is 90",
            "the SMSC is not congested any more: congestion_state is 50"
        ]
    );
}

#[test]
fn an_accepted_submit_without_an_id_is_accepted() {
    let mut line = Line::bound(config());
    line.submit(&hello());
    line.receive(&octets("00000010 80000004 00000000 00000002"));
    assert_eq!(line.answers, [SubmitAnswer::Accepted(SmscId::NONE)]);
}

#[test]
fn notes_of_a_flood_are_bounded() {
    let mut line = Line::bound(config());
    let stray = Pdu::EnquireLinkResp(Empty)
        .to_bytes(Status::OK, 99)
        .repeat(1000);
    line.receive(&stray);
    assert_eq!(line.notes.len(), 33);
    assert!(line.notes[32].contains("968 more"));
    assert_eq!(line.session.counters().stray_responses, 1000);
}

#[test]
fn alerts_and_outbinds_change_nothing() {
    let mut line = Line::bound(config());
    line.receive_pdu(
        &Pdu::AlertNotification(sluice::codec::smpp::Alert::default()),
        Status::OK,
        1,
    );
    assert!(line.said().is_empty());
    line.receive_pdu(
        &Pdu::Outbind(sluice::codec::smpp::Outbind::default()),
        Status::OK,
        1,
    );
    assert_eq!(line.said().len(), 2);
    assert_eq!(
        (
            line.session.counters().alerts,
            line.session.counters().refused_requests
        ),
        (1, 1)
    );
    assert!(line.session.is_up());
}

#[test]
fn every_known_command_as_a_request_is_answered_or_needs_none() {
    for id in CommandId::KNOWN.iter().filter(|id| !id.is_response()) {
        let mut line = Line::bound(config());
        line.receive(&octets(&format!("00000010 {:08X} 00000000 00000005", id.0)));
        let said = line.said();
        let needs_none = *id == CommandId::ALERT_NOTIFICATION;
        assert_eq!(
            said.iter()
                .any(|said| said.starts_with("> ") && said.contains(" 5 ")),
            !needs_none,
            "{id}: {said:?}"
        );
    }
}
