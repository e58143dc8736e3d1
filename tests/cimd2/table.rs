//! Every state and every event: what the session does is written down in `table.txt`, and read there like a story.

use std::fmt::Write;
use std::time::Duration;

use sluice::smsc::cimd2::Config;
use sluice::smsc::session::{Answer, Session as _};

use super::support::{ACCEPTED, Line, config, damaged, delivery, hello};

type Make = fn() -> Line;
type Act = fn(&mut Line);

fn querying() -> Config {
    Config {
        delivery_request_interval: Some(Duration::from_secs(20)),
        ..config()
    }
}

/// In every state in which a request of ours is outstanding its number is 003, but for the login, which is 001.
const STATES: &[(&str, Make)] = &[
    ("closed, never connected", || Line::closed(config())),
    ("closed, after a connection", || {
        let mut line = Line::up(config());
        line.disconnect();
        line
    }),
    ("logging in", || Line::logging_in(config())),
    ("logging in, leaving", || {
        let mut line = Line::logging_in(config());
        line.close();
        line
    }),
    ("logging in, freeing an old session", || {
        let mut line = Line::logging_in(Config {
            free_old_session: true,
            ..config()
        });
        line.receive("51:001·900:102");
        line
    }),
    ("up, our turn", || Line::up(config())),
    ("up, submit unanswered", || {
        let mut line = Line::up(config());
        line.submit(&hello());
        line
    }),
    ("up, submit unanswered, its answer damaged", || {
        let mut line = Line::up(config());
        line.submit(&hello());
        line.receive_octets(&damaged(ACCEPTED));
        line
    }),
    ("up, alive unanswered", || {
        let mut line = Line::up(config());
        line.seconds(30);
        line
    }),
    ("up, submit waits for the answer to alive", || {
        let mut line = Line::up(config());
        line.seconds(30);
        line.submit(&hello());
        line
    }),
    ("up, delivery request unanswered", || Line::up(querying())),
    ("up, delivery unanswered, queue full", || {
        let mut line = Line::up(Config {
            max_waiting_deliveries: 1,
            ..config()
        });
        line.receive(&delivery(0, "one"));
        line.receive(&delivery(2, "two"));
        line
    }),
    ("up, submit and delivery unanswered", || {
        let mut line = Line::up(config());
        line.submit(&hello());
        line.receive(&delivery(0, "Hi"));
        line
    }),
    ("up, leaving, submit unanswered", || {
        let mut line = Line::up(config());
        line.submit(&hello());
        line.close();
        line
    }),
    ("logging out", || {
        let mut line = Line::up(config());
        line.close();
        line
    }),
    ("over, after logout", || {
        let mut line = Line::up(config());
        line.close();
        line.receive("52:003");
        line
    }),
];

const EVENTS: &[(&str, Act)] = &[
    ("connected", Line::connect),
    ("disconnected", Line::disconnect),
    ("51:001", |line| line.receive("51:001")),
    ("51:001 900:100", |line| line.receive("51:001·900:100")),
    ("51:001 900:102", |line| line.receive("51:001·900:102")),
    ("53:003", |line| line.receive(ACCEPTED)),
    ("53:003 900:10", |line| line.receive("53:003·900:10")),
    ("53:003 900:300", |line| line.receive("53:003·900:300")),
    ("53:003 900:1", |line| line.receive("53:003·900:1")),
    ("90:003", |line| line.receive("90:003")),
    ("55:003", |line| line.receive("55:003")),
    ("55:003 900:7", |line| line.receive("55:003·900:7")),
    ("52:003", |line| line.receive("52:003")),
    ("53:099", |line| line.receive("53:099")),
    ("59:003", |line| line.receive("59:003")),
    ("99:003", |line| line.receive("99:003")),
    ("99:007", |line| line.receive("99:007")),
    ("99:002", |line| line.receive("99:002")),
    ("98:003 900:6", |line| line.receive("98:003·900:6")),
    ("53:003, damaged", |line| {
        line.receive_octets(&damaged(ACCEPTED))
    }),
    ("a second later", |line| line.seconds(1)),
    ("40:004", |line| line.receive("40:004")),
    ("40:004, damaged", |line| {
        line.receive_octets(&damaged("40:004"))
    }),
    ("40:004, twice", |line| {
        line.receive("40:004");
        line.receive("40:004");
    }),
    ("40:005", |line| line.receive("40:005")),
    ("02:004", |line| line.receive("02:004")),
    ("20:004", |line| line.receive(&delivery(4, "Hi"))),
    ("20:004, twice", |line| {
        line.receive(&delivery(4, "Hi"));
        line.receive(&delivery(4, "Hi"));
    }),
    ("20:004, damaged", |line| {
        line.receive_octets(&damaged(&delivery(4, "Hi")))
    }),
    ("20:004, no hexadecimal digits", |line| {
        line.receive("20:004·021:12345·023:1·060:261121061342·034:xy")
    }),
    ("20:004, no parameters", |line| {
        line.receive("20:004·021:12345·none")
    }),
    ("23:004", |line| {
        line.receive("23:004·021:+358401111111·060:261121061305·061:4·063:261121061306")
    }),
    ("03:004", |line| line.receive("03:004·021:1·033:Hi")),
    ("33:004", |line| line.receive("33:004")),
    ("a packet without a header", |line| {
        line.receive_octets(b"\x02junk\t\x03")
    }),
    ("a packet without its end, and 40:004", |line| {
        line.receive_octets(b"\x0220:004\t021:1");
        line.receive("40:004");
    }),
    ("a greeting", |line| {
        line.receive_octets(b"CIMD2-A ConnectionInfo: SessionId = 1\n")
    }),
    ("20 seconds of silence", |line| line.seconds(20)),
    ("61 seconds of silence", |line| line.seconds(61)),
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

/// While a connection lives something is awaited, there is a time for it, and it lies ahead.
fn check_timers(line: &Line, state: &str, event: &str) {
    let lives = line.session.is_up() || line.session.wants_bytes();
    assert_eq!(
        line.session.poll_timeout().is_some(),
        lives,
        "{state}: {event}"
    );
    if let Some(due) = line.session.poll_timeout() {
        assert!(due > line.now, "{state}: {event}");
    }
}

#[test]
fn every_event_in_every_state_does_what_is_written() {
    let table = table();
    let written = include_str!("table.txt");
    if table != written {
        let found = std::env::temp_dir().join("cimd2-table.txt");
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
    let code = include_str!("../../src/smsc/cimd2/mod.rs");
    let document = include_str!("../../docs/protocol-cimd2.md");
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

#[test]
fn every_setting_is_in_the_document() {
    let code = include_str!("../../src/smsc/cimd2/config.rs");
    let document = include_str!("../../docs/protocol-cimd2.md");
    let settings: Vec<&str> = code
        .lines()
        .filter_map(|line| line.strip_prefix("    pub "))
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name)
        .collect();
    assert!(settings.len() > 20);
    for setting in settings {
        let row = format!("| `{setting}` |");
        assert!(
            document.contains(&row),
            "missing in the document: {setting}"
        );
    }
}
