//! OpenMetrics, on the socket and over HTTP.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use sluice::status::client::ask_raw;
use sluice::status::metrics::{Kind, METRICS, render};
use sluice::status::{MetricsDoor, Request};

use super::stage::{Stage, bad, central, show, well};

#[test]
fn every_number_is_declared_once_with_a_sentence() {
    let mut names = std::collections::BTreeSet::new();
    for metric in METRICS {
        assert!(names.insert(metric.name), "{} is there twice", metric.name);
        assert!(metric.name.starts_with("sluice_"));
        assert!(
            metric.help.ends_with('.') && metric.help.len() > 15,
            "{}",
            metric.help
        );
        assert!(!metric.name.ends_with("_total"), "{}", metric.name);
    }
}

/// Each line is a comment or a sample of a family that was declared above it; the last one ends the text.
#[test]
fn the_text_is_openmetrics() {
    for snapshot in [well(), bad(), central()] {
        let text = render(&snapshot);
        let mut family = String::new();
        let mut is_counter = false;
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.last(), Some(&"# EOF"));
        for line in &lines[..lines.len() - 1] {
            if let Some(declared) = line.strip_prefix("# TYPE ") {
                let (name, kind) = declared.split_once(' ').unwrap();
                family = name.to_owned();
                is_counter = kind == "counter";
                let known = METRICS.iter().find(|metric| metric.name == name).unwrap();
                assert_eq!(known.kind == Kind::Counter, is_counter);
            } else if let Some(help) = line.strip_prefix("# HELP ") {
                assert!(help.starts_with(&family));
            } else {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                value.parse::<f64>().unwrap();
                let name = sample.split('{').next().unwrap();
                let expected = if is_counter {
                    format!("{family}_total")
                } else {
                    family.clone()
                };
                assert_eq!(name, expected);
            }
        }
    }
}

#[test]
fn pointers_are_counters_of_both_ends() {
    let text = render(&well());
    for line in [
        "sluice_ring_retrieved_total{lane=\"oslo/carrier-1\",direction=\"mo\",end=\"origin\"} 9120",
        "sluice_ring_far_retrieved_total{lane=\"oslo/carrier-1\",direction=\"mo\",end=\"origin\"} 9112",
        "sluice_ring_far_processed_total{lane=\"oslo/carrier-1\",direction=\"mt\",end=\"mirror\"} 48200",
        "sluice_link_round_trip_seconds{far=\"main\"} 0.3015",
        "sluice_smsc_submitted_messages_total{lane=\"oslo/carrier-1\"} 48211",
        "sluice_health 0",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is not in\n{text}"
        );
    }
}

#[test]
fn the_socket_has_them_too() {
    let shown = show(well());
    assert_eq!(
        ask_raw(&shown.socket, &Request::Metrics).unwrap(),
        render(&well())
    );
}

#[test]
fn a_collector_gets_them_over_http_and_nothing_else() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let door = runtime
        .block_on(MetricsDoor::open("127.0.0.1:0".parse().unwrap()))
        .unwrap();
    let address = door.address().unwrap();
    runtime.spawn(door.run(Stage::new(well())));
    let said = |request: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // What is too long to be a request is cut off, which may be a reset.
        let _cut_off = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    };
    let answer = said("GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(
        head.contains("application/openmetrics-text; version=1.0.0"),
        "{head}"
    );
    assert!(
        head.contains(&format!("Content-Length: {}", body.len())),
        "{head}"
    );
    assert_eq!(body, render(&well()));
    assert!(said("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 Not Found"));
    assert!(said("POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 Not Found"));
    assert_eq!(said(&"x".repeat(10_000)), "");
}
