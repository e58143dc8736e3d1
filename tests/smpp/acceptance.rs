//! What an edge must stand from an SMSC, with a simple driver and an SMSC made of a few lines.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use sluice::codec::smpp::{CommandId, Empty, IdResp, Pdu, PduView, Status};
use sluice::message::{Body, Coding, DeliveryKey, ShortMessage, UserDataHeader};
use sluice::smsc::session::{Answer, Pause, Recognition, Retry, Session as _, SubmitAnswer};

use super::line::{BindResponse, Line, accepted, config, deliver, hello};
use super::support::{frame, octets};

const SECOND: Duration = Duration::from_secs(1);

/// Messages that are to reach the SMSC, in their order, as a lane's driver offers them.
struct Driver {
    line: Line,
    waiting: VecDeque<u32>,
    tries: u32,
    in_doubt: u32,
}

fn numbered(number: u32) -> ShortMessage {
    let text = Bytes::from(number.to_string());
    ShortMessage {
        body: Body::new(Coding::Gsm7, UserDataHeader::NONE, text).unwrap(),
        ..hello()
    }
}

impl Driver {
    fn new(messages: u32) -> Self {
        Self {
            line: Line::closed(config()),
            waiting: (0..messages).collect(),
            tries: 0,
            in_doubt: 0,
        }
    }

    /// Logs in if necessary, and offers what is first; gives its number on the line and its text.
    fn offer(&mut self) -> Option<(u32, u32)> {
        if !self.line.session.is_up() {
            self.line.connect();
            let bind = self.line.session.is_up();
            assert!(!bind);
            self.line.receive(&config().bind_response());
        }
        let message = *self.waiting.front()?;
        let turn = self.line.submit_turn.take().expect("it is our turn");
        self.line
            .session
            .submit(self.line.now, turn, &numbered(message), None);
        let octets = self.line.session.poll_transmit().expect("it goes out");
        assert!(
            self.line.session.poll_transmit().is_none(),
            "and nothing else does"
        );
        let frame = frame(&octets);
        let Ok(PduView::SubmitSm(submit)) = frame.view() else {
            panic!("it is a submit_sm");
        };
        let text = std::str::from_utf8(submit.short_message)
            .unwrap()
            .parse()
            .unwrap();
        Some((frame.sequence, text))
    }

    /// Does with the answer what a driver does: again what was not accepted, in doubt first of all.
    fn settle(&mut self) {
        for answer in std::mem::take(&mut self.line.answers) {
            match answer {
                SubmitAnswer::Accepted(_) => {
                    self.waiting.pop_front();
                    self.tries = 0;
                }
                SubmitAnswer::TryAgain {
                    pause: Pause::Throttled,
                    ..
                } => {}
                SubmitAnswer::TryAgain { .. } => self.tries += 1,
                SubmitAnswer::InDoubt => self.in_doubt += 1,
                SubmitAnswer::NotSent => {}
                SubmitAnswer::Never(why) => panic!("never: {why}"),
            }
        }
    }
}

#[test]
fn a_delivery_and_a_probe_are_answered_while_our_submit_waits_for_five_seconds() {
    let mut line = Line::bound(config());
    line.submit(&hello());
    line.said();
    for second in 1..=5 {
        line.pass(SECOND);
        line.receive_pdu(&Pdu::EnquireLink(Empty), Status::OK, second);
        line.receive_pdu(&Pdu::DeliverSm(deliver(b"Hello")), Status::OK, 100 + second);
        line.answer(Answer::Stored);
        assert_eq!(
            line.said(),
            [
                format!("> enquire_link_resp {second} ROK"),
                "delivered 1".into(),
                format!("> deliver_sm_resp {} ROK", 100 + second)
            ]
        );
    }
    line.receive_pdu(&accepted("A1"), Status::OK, 2);
    assert_eq!(line.said(), ["accepted as A1", "may submit"]);
}

#[test]
fn a_delivery_in_the_same_segment_as_the_bind_response_is_taken() {
    let mut segment = config().bind_response();
    Pdu::DeliverSm(deliver(b"Hello")).encode(Status::OK, 1, &mut segment);
    Pdu::EnquireLink(Empty).encode(Status::OK, 2, &mut segment);
    let expected = [
        "> enquire_link_resp 2 ROK",
        "up: SMSC, SMPP 3.4",
        "may submit",
        "delivered 1",
    ];
    let mut line = Line::binding(config());
    line.receive(&segment);
    assert_eq!(line.said(), expected);
    // The same, octet by octet.
    let mut line = Line::binding(config());
    for octet in segment {
        line.receive(&[octet]);
    }
    assert_eq!(
        line.said(),
        [expected[1], expected[2], expected[3], expected[0]]
    );
}

#[test]
fn nothing_is_lost_when_the_line_drops_around_the_answer_and_only_what_was_in_doubt_comes_twice() {
    for every in 2..=7 {
        for place in 0..3 {
            let mut driver = Driver::new(100);
            let mut arrived: Vec<u32> = Vec::new();
            let mut count = 0;
            while let Some((sequence, message)) = driver.offer() {
                arrived.push(message);
                count += 1;
                let answer = accepted(&format!("id-{message}")).to_bytes(Status::OK, sequence);
                if count % every == 0 {
                    // Before, in the middle of, or after the answer.
                    let told = [0, answer.len() / 2, answer.len()][place];
                    driver.line.receive(&answer[..told]);
                    driver.line.disconnect();
                } else {
                    driver.line.receive(&answer);
                }
                driver.settle();
            }
            let mut once = arrived.clone();
            once.dedup();
            assert_eq!(
                once,
                (0..100).collect::<Vec<_>>(),
                "all of them, in their order"
            );
            assert_eq!(
                arrived.len() - once.len(),
                usize::try_from(driver.in_doubt).unwrap()
            );
            assert_eq!(
                driver.in_doubt == 0,
                place == 2,
                "after the answer nothing is in doubt"
            );
        }
    }
}

#[test]
fn throttling_keeps_order_and_counts_no_try() {
    let mut driver = Driver::new(100);
    let mut arrived = Vec::new();
    let mut count = 0;
    while let Some((sequence, message)) = driver.offer() {
        count += 1;
        if count % 3 == 0 {
            // A bare header, as many SMSCs send it.
            driver.line.receive(&octets(&format!(
                "00000010 80000004 00000058 {sequence:08X}"
            )));
        } else {
            arrived.push(message);
            driver
                .line
                .receive_pdu(&accepted("A1"), Status::OK, sequence);
        }
        driver.settle();
        assert_eq!(driver.tries, 0);
    }
    assert_eq!(arrived, (0..100).collect::<Vec<_>>());
}

#[test]
fn whatever_is_odd_about_a_delivery_the_session_stays() {
    let odd = [
        // deliver_sm that ends within its addresses; within its text.
        (
            "00000015 00000005 00000000 00000007  00 01 01 3335",
            "> deliver_sm_resp 7 RINVCMDLEN",
        ),
        (
            "00000025 00000005 00000000 00000007  00 010100 010100 000000 0000 00000000 09 48656C6C",
            "> deliver_sm_resp 7 RINVCMDLEN",
        ),
        // An empty data_sm body.
        (
            "00000010 00000103 00000000 00000007",
            "> data_sm_resp 7 RINVCMDLEN",
        ),
        // An unknown command.
        (
            "00000010 00000BAD 00000000 00000007",
            "> generic_nack 7 RINVCMDID",
        ),
    ];
    let mut line = Line::bound(config());
    for (written, answer) in odd {
        line.receive(&octets(written));
        assert_eq!(line.said()[0], answer);
    }
    // An unknown TLV, one with a wrong length, é in the sender, stray octets at the end: taken.
    let taken = octets(
        r#"0000003E 00000005 00000000 00000008  00  05 00 "caf" E9 00  01 01 "12345" 00  00 00 00 00 00 00 00 00 00
           05 "Hello"  1400 0003 010203  0204 0001 07  AA BB CC"#,
    );
    line.receive(&taken);
    assert_eq!(line.said(), ["delivered 1"]);
    line.answer(Answer::Stored);
    assert_eq!(line.said(), ["> deliver_sm_resp 8 ROK"]);
    let counters = line.session.counters();
    assert_eq!(
        (counters.malformed_deliveries, counters.trailing_octets),
        (3, 3)
    );
    assert!(line.session.is_up() && line.downs.is_empty());
}

#[test]
fn a_delivery_that_comes_again_after_a_crash_is_recognised() {
    let key = |message, sequence| -> DeliveryKey {
        let mut line = Line::bound(config());
        line.receive_pdu(&Pdu::DeliverSm(message), Status::OK, sequence);
        assert_eq!(
            line.deliveries[0].recognition,
            Recognition::FirstAfterReconnect
        );
        line.deliveries[0].key
    };
    let first = key(deliver(b"Hello"), 1);
    assert!(!first.is_none());
    assert_eq!(
        first,
        key(deliver(b"Hello"), 77),
        "the number of the PDU does not count"
    );
    assert_ne!(first, key(deliver(b"Hello!"), 1));
    let mut other = deliver(b"Hello");
    other.data_coding = 1;
    assert_ne!(first, key(other, 1));
    let mut other = deliver(b"Hello");
    other.esm_class = 0x80;
    assert_ne!(first, key(other, 1));
    let mut other = deliver(b"Hello");
    other.source = sluice::codec::smpp::Address::new("source", 1, 1, b"358401234568").unwrap();
    assert_ne!(first, key(other, 1));
    let mut other = deliver(b"Hello");
    other.tlvs.octet(sluice::codec::smpp::Tag::SOURCE_PORT, 1);
    assert_ne!(first, key(other, 1));
}

#[test]
fn a_peer_that_stops_answering_is_left_and_the_message_is_in_doubt() {
    let mut line = Line::bound(config());
    line.submit(&hello());
    line.said();
    line.pass(SECOND * 30);
    assert_eq!(
        line.said(),
        [
            "in doubt",
            "ended, Soon: the SMSC did not answer submit_sm within 30s"
        ]
    );
    // A late answer is nobody's.
    line.receive_pdu(&accepted("A1"), Status::OK, 2);
    assert!(line.said().is_empty());
}

#[test]
fn g2_a_delivery_is_accepted_only_once_it_is_stored() {
    let mut line = Line::bound(config());
    line.receive_pdu(&Pdu::DeliverSm(deliver(b"one")), Status::OK, 1);
    line.receive_pdu(&Pdu::DeliverSm(deliver(b"two")), Status::OK, 2);
    line.pass(SECOND * 9);
    assert_eq!(line.said(), ["delivered 1"], "however long it takes");
    line.answer(Answer::Stored);
    assert_eq!(line.said(), ["> deliver_sm_resp 1 ROK", "delivered 1"]);
    line.answer(Answer::NotNow);
    assert_eq!(line.said(), ["> deliver_sm_resp 2 RX_T_APPN"]);
    // Nothing is answered on another connection.
    line.receive_pdu(&Pdu::DeliverSm(deliver(b"three")), Status::OK, 3);
    line.disconnect();
    line.connect();
    line.receive(&config().bind_response());
    assert!(
        line.said()
            .iter()
            .all(|said| !said.contains("deliver_sm_resp"))
    );
}

#[test]
fn the_peers_numbers_are_echoed_whatever_they_are() {
    let mut line = Line::bound(config());
    for sequence in [0, 1, 2, 0x7FFF_FFFF, 0x8000_0000, u32::MAX] {
        line.receive_pdu(&Pdu::EnquireLink(Empty), Status::OK, sequence);
        line.receive_pdu(&Pdu::DeliverSm(deliver(b"Hello")), Status::OK, sequence);
        line.answer(Answer::NotNow);
        assert_eq!(
            line.said(),
            [
                format!("> enquire_link_resp {sequence} ROK"),
                "delivered 1".into(),
                format!("> deliver_sm_resp {sequence} RX_T_APPN")
            ]
        );
    }
}

#[test]
fn an_old_session_at_the_smsc_means_backing_off() {
    let mut line = Line::binding(config());
    line.receive_pdu(
        &Pdu::BindTransceiverResp(sluice::codec::smpp::BindResp::default()),
        Status::ALREADY_BOUND,
        1,
    );
    assert_eq!(line.downs[0].retry, Retry::OldSessionLives);
}

#[test]
fn a_clean_end_waits_for_the_outstanding_request_and_answers_deliveries_until_the_end() {
    let mut line = Line::bound(config());
    line.submit(&hello());
    line.close();
    line.receive_pdu(&Pdu::DeliverSm(deliver(b"Hello")), Status::OK, 1);
    assert_eq!(line.said(), ["> submit_sm 2", "delivered 1"]);
    line.answer(Answer::Stored);
    line.receive_pdu(&accepted("A1"), Status::OK, 2);
    assert_eq!(
        line.said(),
        ["> deliver_sm_resp 1 ROK", "> unbind 3", "accepted as A1"]
    );
    line.receive_pdu(&Pdu::DeliverSm(deliver(b"Hello")), Status::OK, 2);
    line.answer(Answer::Stored);
    line.receive_pdu(&Pdu::UnbindResp(Empty), Status::OK, 3);
    assert_eq!(
        line.said(),
        [
            "delivered 1",
            "> deliver_sm_resp 2 ROK",
            "ended, Never: closed with unbind"
        ]
    );
}

#[test]
fn the_last_answers_are_still_written_after_the_end() {
    let mut line = Line::bound(config());
    line.receive_pdu(&Pdu::Unbind(Empty), Status::OK, 5);
    assert_eq!(
        line.said(),
        [
            "> unbind_resp 5 ROK",
            "ended, Soon: the SMSC ended the session with unbind"
        ]
    );
    let mut line = Line::bound(config());
    line.receive(&octets("FFFFFFFF"));
    assert_eq!(line.said()[0], "> generic_nack 0 RINVCMDLEN");
    assert_eq!(line.downs[0].retry, Retry::Soon);
}

#[test]
fn an_answer_of_another_command_or_number_is_not_ours() {
    let mut line = Line::bound(config());
    line.submit(&hello());
    line.said();
    line.receive_pdu(&Pdu::DataSmResp(IdResp::default()), Status::OK, 2);
    line.receive_pdu(&Pdu::EnquireLinkResp(Empty), Status::OK, 2);
    line.receive_pdu(&accepted("A1"), Status::OK, 3);
    assert!(line.answers.is_empty());
    assert_eq!(line.session.counters().stray_responses, 3);
    line.receive_pdu(&accepted("A1"), Status::OK, 2);
    assert_eq!(line.answers.len(), 1);
    assert!(CommandId::GENERIC_NACK.is_response());
}
