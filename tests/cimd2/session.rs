//! What a session does, story by story. Every event in every state stands in `table.txt`.

use std::time::Duration;

use sluice::message::{Coding, Item, Party, PhoneNumber, Report, SenderName, ShortMessage};
use sluice::smsc::cimd2::{Asking, Config, NotNow};
use sluice::smsc::session::{Answer, Retry, Session as _, SubmitAnswer};

use super::support::{ACCEPTED, Line, config, damaged, delivery, hello, message, wire, written};
use super::vectors::octets;

/// The message that was delivered last.
pub(super) fn last_message(line: &Line) -> &ShortMessage {
    match &line.deliveries.last().expect("something came").items[0] {
        Item::Message(message) => message,
        Item::Report(_) => panic!("it is a report"),
    }
}

pub(super) fn last_report(line: &Line) -> &Report {
    match &line.deliveries.last().expect("something came").items[0] {
        Item::Report(report) => report,
        Item::Message(_) => panic!("it is a message"),
    }
}

pub(super) fn last_sent(line: &Line) -> String {
    written(line.sent.last().expect("something was sent"))
}

pub(super) fn phone(digits: &str) -> Party {
    PhoneNumber::new(digits).unwrap().into()
}

#[test]
fn the_login_leaves_at_once_and_a_greeting_is_skipped() {
    let mut line = Line::closed(config());
    line.connect();
    assert_eq!(line.sent[..], [octets("1")], "as a known client writes it");
    line.receive_octets(
        b"CIMD2-A ConnectionInfo: SessionId = 1 PortId = 2 Time = 261121061305 PIN = 3\r\n",
    );
    line.receive_octets(&octets("2"));
    assert_eq!(line.said(), ["> 01:001", "up", "may submit"]);
    assert!(line.session.is_up());
}

#[test]
fn a_login_with_a_subaddress_says_so() {
    let mut line = Line::closed(Config {
        subaddress: Some(3),
        ..config()
    });
    line.connect();
    assert_eq!(last_sent(&line), "01:001·010:sluice·011:secret·012:3");
}

#[test]
fn our_numbers_are_odd_and_go_round() {
    let mut line = Line::up(config());
    for round in 0..300_u32 {
        let number = (2 * (round + 1) + 1) & 0xFF;
        line.submit(&hello());
        assert!(
            last_sent(&line).starts_with(&format!("03:{number:03}·")),
            "{round}"
        );
        line.receive(&format!("53:{number:03}·021:1·060:261121061305"));
    }
    assert_eq!(line.answers.len(), 300);
}

#[test]
fn g1_nothing_of_ours_leaves_while_something_is_unanswered() {
    let mut line = Line::up(Config {
        delivery_request_interval: Some(Duration::from_secs(7)),
        ..config()
    });
    line.receive("55:003");
    line.submit(&hello());
    line.said();
    line.seconds(59);
    line.close();
    assert_eq!(line.said(), Vec::<String>::new());
    line.receive("53:005·021:1·060:261121061305");
    assert_eq!(line.said()[0], "> 02:007");
}

#[test]
fn the_smscs_requests_are_answered_while_ours_waits() {
    let mut line = Line::up(config());
    line.submit(&hello());
    line.said();
    line.receive("40:000");
    line.receive(&delivery(2, "Hi"));
    line.answer(Answer::Stored);
    line.receive(ACCEPTED);
    assert_eq!(
        line.said(),
        [
            "> 90:000",
            "delivered a message",
            "> 70:002",
            "accepted as 358401111111/261121061305",
            "may submit"
        ]
    );
}

#[test]
fn g2_a_delivery_is_confirmed_when_it_is_stored_and_not_before() {
    let mut line = Line::up(config());
    line.receive_octets(&octets("18"));
    line.seconds(25);
    assert_eq!(line.said(), ["delivered a message"]);
    line.answer(Answer::Stored);
    assert_eq!(line.sent[..], [octets("19")]);
    line.receive_octets(&wire("23:002·021:1·060:261121061305·061:4"));
    line.seconds(25);
    line.said();
    line.answer(Answer::Stored);
    assert_eq!(line.said(), ["> 73:002"]);
}

#[test]
fn deliveries_come_one_at_a_time_in_their_order() {
    let mut line = Line::up(config());
    line.receive_octets(
        &[
            wire(&delivery(0, "one")),
            wire(&delivery(2, "two")),
            wire("23:004·021:1·060:261121061305·061:4"),
        ]
        .concat(),
    );
    assert_eq!(line.said(), ["delivered a message"]);
    line.answer(Answer::Stored);
    assert_eq!(line.said(), ["> 70:000", "delivered a message"]);
    assert_eq!(last_message(&line).body.data()[..], b"two"[..]);
    line.answer(Answer::Stored);
    line.answer(Answer::Stored);
    assert_eq!(line.said(), ["> 70:002", "delivered a report", "> 73:004"]);
}

#[test]
fn g8_a_full_queue_leaves_bytes_unread_and_goes_on_where_it_stopped() {
    let mut line = Line::up(Config {
        max_waiting_deliveries: 2,
        ..config()
    });
    let all: Vec<u8> = (0..6)
        .flat_map(|count| wire(&delivery(count * 2, "Hi")))
        .collect();
    line.receive_octets(&all);
    assert!(!line.session.wants_bytes());
    for _ in 0..6 {
        line.answer(Answer::Stored);
    }
    assert!(line.session.wants_bytes());
    let mut expected = vec!["delivered a message".to_owned()];
    for number in [0, 2, 4, 6, 8, 10] {
        expected.push(format!("> 70:{number:03}"));
        expected.push("delivered a message".into());
    }
    expected.pop();
    assert_eq!(line.said(), expected);
}

#[test]
fn unread_bytes_do_not_end_the_connection() {
    let mut line = Line::up(Config {
        max_waiting_deliveries: 1,
        ..config()
    });
    line.submit(&hello());
    line.receive(&delivery(0, "one"));
    line.receive(&delivery(2, "two"));
    line.said();
    line.seconds(600);
    assert_eq!(line.said(), Vec::<String>::new());
    line.answer(Answer::Stored);
    line.receive(ACCEPTED);
    assert!(matches!(line.answers[..], [SubmitAnswer::Accepted(_)]));
}

#[test]
fn a_nacked_request_goes_out_again_three_times() {
    let mut line = Line::up(config());
    line.submit(&hello());
    for _ in 0..3 {
        line.receive_octets(&octets("30"));
    }
    assert_eq!(line.sent.len(), 4);
    assert!(line.sent.iter().all(|octets| *octets == line.sent[0]));
    line.receive_octets(&octets("30"));
    assert_eq!(line.answers, [SubmitAnswer::InDoubt]);
    assert_eq!(line.downs[0].retry, Retry::Soon);
}

#[test]
fn a_nack_with_another_number_is_where_our_numbers_go_on() {
    let mut line = Line::up(config());
    line.submit(&hello());
    line.receive("99:101");
    assert!(last_sent(&line).starts_with("03:101·021:+358401111111·"));
    line.receive(ACCEPTED);
    assert!(line.answers.is_empty(), "that number is not ours any more");
    line.receive("53:101·021:1·060:261121061305");
    line.submit(&hello());
    assert!(last_sent(&line).starts_with("03:103·"));
}

#[test]
fn a_damaged_answer_makes_the_same_request_leave_again() {
    let mut line = Line::up(config());
    line.submit(&hello());
    for count in 1..=3 {
        line.receive_octets(&damaged(ACCEPTED));
        line.pass(Duration::from_millis(999));
        assert_eq!(line.sent.len(), count);
        line.pass(Duration::from_millis(1));
        assert_eq!(line.sent[count], line.sent[0]);
    }
    line.receive(ACCEPTED);
    assert!(matches!(line.answers[..], [SubmitAnswer::Accepted(_)]));
    // A second answer to the same request harms nobody.
    line.submit(&hello());
    line.receive(ACCEPTED);
    assert_eq!(line.answers.len(), 1);
}

#[test]
fn after_a_damaged_answer_nothing_is_sent_under_a_new_number() {
    let mut line = Line::up(config());
    line.submit(&hello());
    line.receive_octets(&damaged(ACCEPTED));
    line.seconds(1);
    line.receive("99:005");
    assert_eq!(line.answers, [SubmitAnswer::InDoubt]);
    assert!(!line.session.is_up());
}

#[test]
fn a_damaged_request_is_nacked_and_taken_when_it_comes_right() {
    let mut line = Line::up(config());
    line.receive_octets(&damaged(&delivery(0, "Hi")));
    assert_eq!(last_sent(&line), "99:000");
    line.receive(&delivery(0, "Hi"));
    line.answer(Answer::Stored);
    line.receive_octets(&damaged(&delivery(2, "Ho")));
    assert_eq!(last_sent(&line), "99:002");
    assert_eq!(line.deliveries.len(), 1);
}

#[test]
fn checksums_may_be_demanded() {
    let bare = b"\x0220:000\t021:1\t023:2\t060:3\t033:Hi\t\x03";
    let mut line = Line::up(config());
    line.receive_octets(bare);
    assert_eq!(line.deliveries.len(), 1);
    let mut line = Line::up(Config {
        demand_checksums: true,
        ..config()
    });
    line.receive_octets(bare);
    assert!(line.deliveries.is_empty());
    assert_eq!(last_sent(&line), "99:000");
}

#[test]
fn we_say_that_we_live_after_half_a_minute_without_a_packet_of_ours() {
    let mut line = Line::up(config());
    line.seconds(29);
    line.receive("40:000");
    assert_eq!(line.said(), ["> 90:000"], "that is a sign of life too");
    line.seconds(29);
    assert_eq!(line.said(), Vec::<String>::new());
    line.seconds(1);
    assert_eq!(line.said(), ["> 40:003"]);
    line.receive("90:003");
    line.seconds(30);
    assert_eq!(line.said(), ["> 40:005"]);
    line.seconds(60);
    assert_eq!(line.downs[0].retry, Retry::Soon);
}

#[test]
fn a_long_login_does_not_take_the_sign_of_life_away() {
    let mut line = Line::logging_in(config());
    line.seconds(45);
    line.receive("51:001");
    line.said();
    line.seconds(30);
    assert_eq!(line.said(), ["> 40:003"]);
}

#[test]
fn a_submit_without_an_answer_is_in_doubt_and_one_that_never_left_is_not() {
    let mut line = Line::up(config());
    line.submit(&hello());
    line.seconds(60);
    assert_eq!(line.answers, [SubmitAnswer::InDoubt]);

    let mut line = Line::up(config());
    let turn = line.submit_turn.take().unwrap();
    line.session.submit(line.now, turn, &hello(), None);
    // The driver did not come to write it.
    line.session.handle_disconnected(line.now, "the line broke");
    assert_eq!(line.session.poll_transmit(), None);
    line.seconds(0);
    line.disconnect();
    assert_eq!(line.answers, [SubmitAnswer::NotSent]);
}

#[test]
fn turns_of_a_connection_that_is_over_do_nothing() {
    let mut line = Line::up(config());
    line.receive(&delivery(0, "Hi"));
    let submit = line.submit_turn.take().unwrap();
    let answer = line.delivery_turn.take().unwrap();
    line.disconnect();
    line.connect();
    line.receive("51:001");
    line.receive(&delivery(0, "Ho"));
    line.said();
    line.session.submit(line.now, submit, &hello(), None);
    line.session.answer(line.now, answer, Answer::Stored);
    assert_eq!(line.session.poll_transmit(), None);
    assert_eq!(line.session.poll_event(), None);
}

#[test]
fn a_message_that_cannot_be_written_is_refused_and_the_next_may_come() {
    let mut line = Line::up(config());
    let mut nobody = hello();
    nobody.recipient = SenderName::new("Anna").unwrap().into();
    line.submit(&nobody);
    line.submit(&message(Coding::Ucs2, &[0; 160]));
    assert_eq!(
        line.said(),
        [
            "never: recipient: is a name; a number is needed",
            "may submit",
            "never: text: does not fit one SMS with its header; cut it into parts",
            "may submit"
        ]
    );
    assert!(line.sent.is_empty());
}

#[test]
fn validity_goes_with_the_message() {
    let mut line = Line::up(config());
    let turn = line.submit_turn.take().unwrap();
    let hour = Some(Duration::from_secs(3600));
    line.session.submit(line.now, turn, &hello(), hour);
    line.seconds(0);
    let octets = line.session.poll_transmit().unwrap();
    assert_eq!(
        written(&octets),
        "03:003·021:+358401111111·023:12345·050:11·056:0·033:Hello"
    );
}

#[test]
fn closing_waits_for_the_answer_and_logs_out() {
    let mut line = Line::up(config());
    line.submit(&hello());
    line.said();
    line.close();
    line.receive(ACCEPTED);
    line.receive("52:005");
    assert_eq!(
        line.said(),
        [
            "> 02:005",
            "accepted as 358401111111/261121061305",
            "ended, Never: logged out"
        ]
    );
}

#[test]
fn an_smsc_that_logs_us_out_is_answered_and_visited_again() {
    let mut line = Line::up(config());
    line.receive("02:000");
    assert_eq!(
        line.said(),
        ["> 52:000", "ended, Soon: the SMSC logged us out"]
    );
    assert_eq!(line.session.poll_timeout(), None);
}

#[test]
fn an_old_session_is_freed_once_where_that_is_wanted() {
    let mut line = Line::logging_in(Config {
        free_old_session: true,
        ..config()
    });
    line.receive("51:001·900:102");
    line.receive("52:003");
    line.receive("51:001·900:102");
    assert_eq!(
        line.said(),
        [
            "> 02:003",
            "> 01:001",
            "ended, OldSessionLives: the SMSC refuses our login: 102 (too many sessions with this login)"
        ]
    );
    line.connect();
    line.receive("51:001·900:102");
    line.receive("52:003");
    line.receive("51:001");
    assert!(line.session.is_up());
}

#[test]
fn g8_what_cannot_be_taken_now_is_not_answered_and_offered_again() {
    let mut line = Line::up(config());
    line.receive(&delivery(0, "Hi"));
    line.answer(Answer::NotNow);
    assert!(line.sent.is_empty());
    line.receive(&delivery(0, "Hi"));
    line.answer(Answer::Stored);
    assert_eq!(line.deliveries.len(), 2);
    assert_eq!(last_sent(&line), "70:000");
}

#[test]
fn newer_smscs_are_told_that_it_cannot_be_taken_now() {
    let mut line = Line::up(Config {
        not_now: NotNow::Refuse,
        ..config()
    });
    line.receive(&delivery(0, "Hi"));
    line.answer(Answer::NotNow);
    assert_eq!(last_sent(&line), "70:000·900:710");
    line.receive(&delivery(2, "Hi"));
    line.answer(Answer::Stored);
    assert_eq!(last_sent(&line), "70:002");
    line.receive("23:004·021:1·060:2·061:4");
    line.answer(Answer::NotNow);
    assert_eq!(line.sent.len(), 2, "no release knows a refused report");
}

#[test]
fn querying_accounts_ask_for_what_waits() {
    let mut line = Line::logging_in(Config {
        delivery_request_interval: Some(Duration::from_secs(10)),
        ..config()
    });
    line.receive("51:001");
    assert_eq!(last_sent(&line), "05:003·068:2");
    line.receive("55:003");
    assert!(line.submit_turn.is_some());
    line.receive(&delivery(0, "Hi"));
    line.answer(Answer::Stored);
    line.seconds(10);
    assert_eq!(last_sent(&line), "05:005·068:2");
    // While it is unanswered, a message waits.
    line.submit(&hello());
    line.receive("55:005·900:7");
    assert!(last_sent(&line).starts_with("03:007·"));
    assert!(line.notes.is_empty());
}

#[test]
fn querying_one_by_one_goes_on_while_there_is_something() {
    let mut line = Line::logging_in(Config {
        delivery_request_interval: Some(Duration::from_secs(10)),
        delivery_request: Asking::One,
        ..config()
    });
    line.receive("51:001");
    line.receive("55:003");
    line.receive(&delivery(0, "one"));
    line.said();
    line.answer(Answer::Stored);
    assert_eq!(line.said(), ["> 70:000", "> 05:005"]);
    line.receive("55:005");
    line.receive(&delivery(2, "two"));
    line.answer(Answer::Stored);
    line.receive("55:007·900:7");
    line.said();
    line.seconds(9);
    assert_eq!(line.said(), Vec::<String>::new());
    line.seconds(1);
    assert_eq!(line.said(), ["> 05:009"]);
}

#[test]
fn p_no_text_and_no_number_is_in_any_note_or_reason() {
    let mut line = Line::up(config());
    line.submit(&hello());
    for packet in [
        delivery(0, "Secret words"),
        delivery(0, "Secret words"),
        "20:006·021:12345·023:+358501234567·060:1·034:Secret".into(),
        "20:008·021:12345·Secret".into(),
        "33:010·033:Secret words".into(),
        "53:003·021:+358401111111·900:306·901:Secret +358401111111".into(),
        "98:000·900:6·901:Secret +358401111111".into(),
    ] {
        line.receive(&packet);
        line.receive_octets(&damaged(&packet));
    }
    let told: Vec<&str> = line
        .notes
        .iter()
        .map(String::as_str)
        .chain(line.downs.iter().map(|down| down.reason.as_str()))
        .collect();
    assert!(told.len() > 10);
    for told in told {
        assert!(!told.contains("Secret") && !told.contains("358"), "{told}");
    }
    assert!(!format!("{:?}", line.session).contains("secret"));
}

#[test]
fn a_delivery_that_overtakes_the_answer_to_our_login_waits_for_it() {
    let mut line = Line::logging_in(config());
    line.receive(&delivery(0, "Hi"));
    assert_eq!(line.deliveries.len(), 0, "nobody is told before we are up");
    line.receive("51:001");
    assert_eq!(line.deliveries.len(), 1);
    line.answer(Answer::Stored);
    assert_eq!(last_sent(&line), "70:000");
}
