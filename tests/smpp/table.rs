//! Every state and every event: what the session does is written down in `table.txt`, and read there like a story.

use std::fmt::Write;
use std::time::Duration;

use sluice::codec::smpp::{
    Alert, Bind, BindResp, Data, Empty, IdResp, Outbind, Pdu, Query, Status,
};
use sluice::smsc::session::{Answer, Session as _};
use sluice::smsc::smpp::{BindKind, Config};

use super::line::{BindResponse, Line, accepted, config, deliver, hello};
use super::support::octets;

type Make = fn() -> Line;
type Act = fn(&mut Line);

fn small_queue() -> Config {
    Config {
        max_waiting_deliveries: 1,
        ..config()
    }
}

const STATES: &[(&str, Make)] = &[
    ("closed, never connected", || Line::closed(config())),
    ("closed, after a connection", || {
        let mut line = Line::bound(config());
        line.disconnect();
        line
    }),
    ("binding", || Line::binding(config())),
    ("binding, leaving", || {
        let mut line = Line::binding(config());
        line.close();
        line
    }),
    ("bound, our turn", || Line::bound(config())),
    ("bound, submit unanswered", || {
        let mut line = Line::bound(config());
        line.submit(&hello());
        line
    }),
    ("bound, probe unanswered", || {
        let mut line = Line::bound(config());
        line.pass(Duration::from_secs(20));
        line
    }),
    ("bound, submit waits for the probe", || {
        let mut line = Line::bound(config());
        line.pass(Duration::from_secs(20));
        line.submit(&hello());
        line
    }),
    ("bound, delivery unanswered, queue full", || {
        let mut line = Line::bound(small_queue());
        line.receive_pdu(&Pdu::DeliverSm(deliver(b"one")), Status::OK, 101);
        line.receive_pdu(&Pdu::DeliverSm(deliver(b"two")), Status::OK, 102);
        line
    }),
    ("bound, submit and delivery unanswered", || {
        let mut line = Line::bound(config());
        line.submit(&hello());
        line.receive_pdu(&Pdu::DataSm(Data::default()), Status::OK, 101);
        line
    }),
    ("bound as transmitter", || {
        Line::bound(Config {
            bind: BindKind::Transmitter,
            ..config()
        })
    }),
    ("bound as receiver", || {
        Line::bound(Config {
            bind: BindKind::Receiver,
            ..config()
        })
    }),
    ("bound, leaving, submit unanswered", || {
        let mut line = Line::bound(config());
        line.submit(&hello());
        line.close();
        line
    }),
    ("unbinding", || {
        let mut line = Line::bound(config());
        line.close();
        line
    }),
    ("over, after unbind", || {
        let mut line = Line::bound(config());
        line.close();
        line.receive_pdu(&Pdu::UnbindResp(Empty), Status::OK, 2);
        line
    }),
];

/// The number of the outstanding request is 2 in every state that has one but binding (1), where none is it is free.
const EVENTS: &[(&str, Act)] = &[
    ("connected", Line::connect),
    ("disconnected", Line::disconnect),
    ("our bind's response", |line| {
        line.receive(&config().bind_response())
    }),
    ("our bind refused", |line| {
        line.receive_pdu(
            &Pdu::BindTransceiverResp(BindResp::default()),
            Status::ALREADY_BOUND,
            1,
        );
    }),
    ("submit_sm_resp 2", |line| {
        line.receive_pdu(&accepted("A1"), Status::OK, 2)
    }),
    ("submit_sm_resp 2, throttled", |line| {
        line.receive_pdu(&accepted(""), Status::THROTTLED, 2)
    }),
    ("submit_sm_resp 2, wrong state", |line| {
        line.receive_pdu(&accepted(""), Status::WRONG_BIND_STATE, 2)
    }),
    ("submit_sm_resp 99", |line| {
        line.receive_pdu(&accepted("A1"), Status::OK, 99)
    }),
    ("enquire_link_resp 2", |line| {
        line.receive_pdu(&Pdu::EnquireLinkResp(Empty), Status::OK, 2)
    }),
    ("unbind_resp 2", |line| {
        line.receive_pdu(&Pdu::UnbindResp(Empty), Status::OK, 2)
    }),
    ("deliver_sm_resp 2", |line| {
        line.receive_pdu(&Pdu::DeliverSmResp(IdResp::default()), Status::OK, 2)
    }),
    ("generic_nack 2", |line| {
        line.receive_pdu(&Pdu::GenericNack(Empty), Status::INVALID_COMMAND_ID, 2)
    }),
    ("generic_nack 0, bad length", |line| {
        line.receive_pdu(&Pdu::GenericNack(Empty), Status::INVALID_COMMAND_LENGTH, 0);
    }),
    ("unknown response", |line| {
        line.receive(&octets("00000010 80000777 00000000 00000002"))
    }),
    ("enquire_link", |line| {
        line.receive_pdu(&Pdu::EnquireLink(Empty), Status::OK, 7)
    }),
    ("unbind", |line| {
        line.receive_pdu(&Pdu::Unbind(Empty), Status::OK, 7)
    }),
    ("deliver_sm", |line| {
        line.receive_pdu(&Pdu::DeliverSm(deliver(b"Hi")), Status::OK, 7)
    }),
    ("data_sm", |line| {
        line.receive_pdu(&Pdu::DataSm(Data::default()), Status::OK, 7)
    }),
    ("deliver_sm cut short", |line| {
        line.receive(&octets("00000012 00000005 00000000 00000007 00 01"))
    }),
    ("alert_notification", |line| {
        line.receive_pdu(&Pdu::AlertNotification(Alert::default()), Status::OK, 7)
    }),
    ("outbind", |line| {
        line.receive_pdu(&Pdu::Outbind(Outbind::default()), Status::OK, 7)
    }),
    ("submit_sm", |line| {
        line.receive_pdu(&Pdu::SubmitSm(deliver(b"Hi")), Status::OK, 7)
    }),
    ("query_sm", |line| {
        line.receive_pdu(&Pdu::QuerySm(Query::default()), Status::OK, 7)
    }),
    ("bind_receiver", |line| {
        line.receive_pdu(&Pdu::BindReceiver(Bind::default()), Status::OK, 7)
    }),
    ("unknown request", |line| {
        line.receive(&octets("00000010 00000777 00000000 00000007"))
    }),
    ("submit_multi", |line| {
        line.receive(&octets("00000010 00000021 00000000 00000007"))
    }),
    ("length of 15", |line| {
        line.receive(&octets("0000000F 00000005 00000000 00000007"))
    }),
    ("half a PDU, then nothing", |line| {
        line.receive(&octets("00000020 00000005 0000"));
        line.pass(Duration::from_secs(10));
    }),
    ("half a minute of silence", |line| {
        line.pass(Duration::from_secs(31))
    }),
    ("a timeout too early", |line| {
        line.session.handle_timeout(line.now)
    }),
    ("submit", |line| {
        if line.submit_turn.is_some() {
            line.submit(&hello());
        }
    }),
    ("answer stored", |line| {
        if line.delivery_turn.is_some() {
            line.answer(Answer::Stored);
        }
    }),
    ("answer not now", |line| {
        if line.delivery_turn.is_some() {
            line.answer(Answer::NotNow);
        }
    }),
    ("close", Line::close),
];

fn table() -> String {
    let mut table = String::new();
    for (state, make) in STATES {
        writeln!(table, "{state}").unwrap();
        for (event, act) in EVENTS {
            let mut line = make();
            line.said();
            act(&mut line);
            let mut said = line.said();
            if said.is_empty() {
                said.push("-".into());
            }
            writeln!(table, "    {event}").unwrap();
            for said in said {
                writeln!(table, "        {said}").unwrap();
            }
            check_timers(&line, state, event);
        }
    }
    table
}

/// In every state in which something is awaited there is a time for it, and it lies ahead.
fn check_timers(line: &Line, state: &str, event: &str) {
    let is_over = line.session.poll_timeout().is_none();
    assert_eq!(
        is_over,
        !line.session.is_up() && !is_binding(line),
        "{state}: {event}"
    );
    if let Some(due) = line.session.poll_timeout() {
        assert!(due > line.now, "{state}: {event}");
    }
}

/// It wants octets and is not logged in.
fn is_binding(line: &Line) -> bool {
    line.session.wants_bytes() && !line.session.is_up()
}

#[test]
fn every_event_in_every_state_does_what_is_written() {
    let table = table();
    let written = include_str!("table.txt");
    if table != written {
        let found = std::env::temp_dir().join("smpp-table.txt");
        std::fs::write(&found, &table).unwrap();
        let at = table
            .lines()
            .zip(written.lines())
            .position(|(found, written)| found != written);
        panic!(
            "line {:?} differs; what was found is in {}",
            at.map(|at| at + 1),
            found.display()
        );
    }
}

#[test]
fn the_table_of_states_is_the_same_in_code_and_document() {
    let code = include_str!("../../src/smsc/smpp/mod.rs");
    let document = include_str!("../../docs/protocol-smpp.md");
    let rows: Vec<&str> = code
        .lines()
        .filter_map(|line| line.strip_prefix("//! "))
        .filter(|row| row.starts_with('|'))
        .collect();
    assert!(rows.len() > 15);
    for row in rows {
        assert!(
            document.lines().any(|line| line == row),
            "missing in the document: {row}"
        );
    }
}
