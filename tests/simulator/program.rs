//! The simulator as people run it: the binary with its options, commands and record; the script of the manual.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use sluice::codec::smpp::{Pdu, Status};
use sluice::sim::{Config, Simulator};

use super::PLAIN;
use super::smpp::{id_of, message, take, text_of};
use super::support::Wire;

#[test]
fn the_script_of_the_manual_can_be_played() {
    let manual = include_str!("../../docs/simulator.md");
    let script = manual
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("the manual has a script");
    let config: Config = toml::from_str(script).unwrap();
    config.check().unwrap();
    // What it has in comments is right as well.
    let uncommented: String = script
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("# ").unwrap_or(line)))
        .collect();
    let config: Config = toml::from_str(&uncommented).unwrap();
    config.check().unwrap();
    assert!(config.smpp.unwrap().pty.is_some());
    assert_eq!(config.faults[0].code, Some(88));
}

#[tokio::test]
async fn the_program_serves_records_and_obeys() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script.toml");
    std::fs::write(&script, PLAIN).unwrap();
    let record = folder.path().join("record.jsonl");
    let mut program = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["sim", "smsc", "--commands", "--account", "other:word"])
        .args(["--fault", "kind = 'throttle', on = 'submit', after = 1"])
        .arg("--script")
        .arg(&script)
        .arg("--record")
        .arg(&record)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut typed = program.stdin.take().unwrap();
    let mut told = BufReader::new(program.stdout.take().unwrap()).lines();
    let mut tell = move || told.next().unwrap().unwrap();
    let addresses: serde_json::Value = serde_json::from_str(&tell()).unwrap();
    let address = addresses["smpp"].as_str().unwrap();
    typed.write_all(b"send 1 2 early\n").unwrap();
    assert_eq!(tell(), "kept until the account of 2 logs in");
    let mut wire = Wire::on(tokio::net::TcpStream::connect(address).await.unwrap());
    wire.bind().await;
    let early = wire.frame().await;
    assert_eq!(text_of(&early).0, b"early");
    take(&mut wire, &early, Status::OK).await;
    id_of(&wire.ask(Pdu::SubmitSm(message(b"hello")), 2).await);
    assert!(
        !wire
            .ask(Pdu::SubmitSm(message(b"more")), 3)
            .await
            .status
            .is_ok()
    );
    typed
        .write_all(b"received\nsend 1 2 back\nnonsense\n")
        .unwrap();
    assert_eq!(tell(), "12345 -> 358401111111: hello");
    assert_eq!(tell(), "sent");
    assert_eq!(tell(), "nonsense is no command; help lists them");
    wire.frame().await;
    typed.write_all(b"quit\n").unwrap();
    let counts: serde_json::Value = serde_json::from_str(&tell()).unwrap();
    assert_eq!(
        (&counts["accepted"], &counts["refused"]),
        (&1.into(), &1.into())
    );
    assert!(program.wait().unwrap().success());
    let recorded = std::fs::read_to_string(&record).unwrap();
    let events: Vec<String> = recorded
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["event"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(events.first().map(String::as_str), Some("connect"));
    assert!(events.iter().any(|event| event == "fault"));
    assert_eq!(events.last().map(String::as_str), Some("end"));
}

#[test]
fn a_place_that_is_taken_and_a_senseless_script_are_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (arguments, code, words) in [
        (
            vec!["--smpp", &address, "--account", "a:b"],
            2,
            address.as_str(),
        ),
        (vec!["--account", "a:b"], 78, "neither is offered"),
        (
            vec!["--smpp", "127.0.0.1:0", "--account", "ab"],
            64,
            "NAME:PASSWORD",
        ),
        (vec!["--fault", "kind = 'x'"], 64, "--fault"),
    ] {
        let told = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["sim", "smsc"])
            .args(&arguments)
            .output()
            .unwrap();
        let complaint = String::from_utf8(told.stderr).unwrap();
        assert_eq!(told.status.code(), Some(code), "{arguments:?}: {complaint}");
        assert!(complaint.contains(words), "{complaint}");
    }
}

#[tokio::test]
async fn smpp_on_a_serial_line_begins_anew_with_each_bind() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("port");
    let script = PLAIN.replace(
        "[smpp]",
        &format!("[smpp]\npty = {{ link = '{}' }}", link.display()),
    );
    let config: Config = toml::from_str(&script).unwrap();
    let simulator = Simulator::start(config).await.unwrap();
    let open = || {
        use tokio_serial::SerialPortBuilderExt;
        let builder = tokio_serial::new(link.to_string_lossy(), 9600);
        Wire::on(builder.open_native_async().unwrap())
    };
    let mut wire = open();
    wire.bind().await;
    simulator.phone_sends("1", "2", "back");
    let delivery = wire.frame().await;
    drop(wire);
    let mut wire = open();
    wire.bind().await;
    assert_eq!(wire.frame().await, delivery);
    assert_eq!(simulator.breaches(), [] as [String; 0]);
}
