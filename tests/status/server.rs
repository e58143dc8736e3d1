//! The socket: who may use it, what it refuses, and whom it drops.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use sluice::status::client::{AskError, ask, ask_raw};
use sluice::status::config::StatusConfig;
use sluice::status::snapshot::{Health, Snapshot};
use sluice::status::{Request, SocketError, StatusDoor};

use super::stage::{bad, show, show_with, well};

fn said(socket: &std::path::Path, octets: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(octets).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a2_one_line_is_answered_by_one_document() {
    let shown = show(well());
    let answer = ask_raw(&shown.socket, &Request::Status).unwrap();
    assert_eq!(answer.matches('\n').count(), 1);
    let seen: Snapshot = serde_json::from_str(&answer).unwrap();
    assert_eq!(seen, well());
    assert_eq!(seen.health, Health::Ok);
}

#[test]
fn a_part_comes_alone_and_with_the_troubles() {
    let shown = show(bad());
    let lanes: Snapshot = ask(&shown.socket, &"lanes".parse().unwrap()).unwrap();
    assert_eq!(
        (lanes.lanes.len(), lanes.rings.len(), lanes.links.len()),
        (1, 0, 0)
    );
    assert_eq!(lanes.health, Health::Down);
    let rings: Snapshot = ask(&shown.socket, &"rings".parse().unwrap()).unwrap();
    assert_eq!((rings.lanes.len(), rings.rings.len()), (0, 2));
    assert!(!rings.troubles.is_empty());
}

#[test]
fn a4_only_owner_and_group_may_use_it() {
    let config = StatusConfig {
        mode: 0o640,
        group: Some("root".into()),
        ..StatusConfig::default()
    };
    let shown = show_with(well(), &config);
    let file = std::fs::metadata(&shown.socket).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o640);
    assert_eq!(file.gid(), 0);
    let strange = StatusConfig {
        group: Some("no-such-group".into()),
        ..StatusConfig::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let opened = StatusDoor::open(&folder.path().join("s"), &strange);
    assert_eq!(
        opened.err().unwrap().to_string(),
        "there is no group \"no-such-group\"; make it with `groupadd --system no-such-group`, or name another in [status]"
    );
}

#[tokio::test]
async fn what_a_killed_process_left_is_taken_away_and_a_living_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("status.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let config = StatusConfig::default();
    let door = StatusDoor::open(&path, &config).unwrap();
    assert!(matches!(
        StatusDoor::open(&path, &config),
        Err(SocketError::InUse { .. })
    ));
    drop(door);
    assert!(!path.exists());
    std::fs::write(&path, "a file").unwrap();
    assert!(matches!(
        StatusDoor::open(&path, &config),
        Err(SocketError::NoSocket { .. })
    ));
    assert_eq!(std::fs::read(&path).unwrap(), b"a file");
}

#[test]
fn what_is_no_request_is_refused_with_what_would_be() {
    let shown = show(well());
    let told = said(&shown.socket, b"stats\n");
    assert!(
        told.starts_with("{\"version\":1,\"error\":\"no such request; there are: status, lanes,"),
        "{told}"
    );
    assert_eq!(
        said(&shown.socket, b"\xff\xfe\n"),
        "{\"version\":1,\"error\":\"a request is text\"}\n"
    );
    let endless = said(&shown.socket, &[b'x'; 640]);
    assert_eq!(
        endless,
        "{\"version\":1,\"error\":\"a request is one line of at most 640 octets\"}\n"
    );
    // Without its end a line is no request.
    let mut stream = UnixStream::connect(&shown.socket).unwrap();
    stream.write_all(b"status").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"");
}

#[test]
fn who_asks_without_end_does_not_make_the_house_look_up_each_time() {
    let shown = show(well());
    let began = std::time::Instant::now();
    for _ in 0..200 {
        ask_raw(&shown.socket, &Request::Status).unwrap();
    }
    let looks = *shown.stage.looks.lock().unwrap();
    let most = 2 + began.elapsed().as_millis() as u64 / 100;
    assert!(looks <= most, "{looks} looks");
}

#[test]
fn one_who_never_reads_is_dropped_and_disturbs_nobody() {
    let mut much = well();
    // More than a socket's buffer holds.
    much.rings = std::iter::repeat_n(much.rings[0].clone(), 5_000).collect();
    let config = StatusConfig {
        // Enough that one which is just over does not stand in the way of the next.
        connections: 4,
        ..StatusConfig::default()
    };
    let shown = show_with(much, &config);
    let mut idle = UnixStream::connect(&shown.socket).unwrap();
    idle.write_all(b"subscribe\n").unwrap();
    // It is in; others are served one after the other.
    for _ in 0..5 {
        ask_raw(&shown.socket, &Request::Status).unwrap();
    }
    // After the patience of five seconds the socket is closed at the other end, though nothing was read.
    idle.set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    std::thread::scope(|scope| {
        let waited = scope.spawn(|| {
            while idle.write_all(b"\n").is_ok() {
                std::thread::park_timeout(Duration::from_millis(50));
            }
        });
        waited.join().unwrap();
    });
}

#[test]
fn beyond_the_limit_connections_are_closed() {
    let config = StatusConfig {
        connections: 1,
        ..StatusConfig::default()
    };
    let shown = show_with(well(), &config);
    let mut first = UnixStream::connect(&shown.socket).unwrap();
    first.write_all(b"subscribe\n").unwrap();
    first.read_exact(&mut [0; 1]).unwrap();
    let told = ask_raw(&shown.socket, &Request::Status).unwrap_err();
    assert!(matches!(told, AskError::Silent { .. }), "{told}");
}

#[test]
fn a_subscriber_gets_everything_and_then_what_changes() {
    use std::io::BufRead as _;
    let shown = show(well());
    let mut stream = UnixStream::connect(&shown.socket).unwrap();
    stream.write_all(b"subscribe\n").unwrap();
    let mut lines = std::io::BufReader::new(stream).lines();
    let first: Snapshot = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(first, well());
    shown.stage.shown.lock().unwrap().lanes[0].mt_per_s = 50.0;
    let changes: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(changes["lanes"][0]["mt_per_s"], 50.0);
    assert_eq!(changes.get("rings"), None);
    *shown.stage.shown.lock().unwrap() = bad();
    let changes: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(changes["health"], "down");
    assert_eq!(changes["rings"].as_array().unwrap().len(), 2);
}
