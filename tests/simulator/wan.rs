//! The bad line itself, over real sockets, and as a program.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sluice::sim::wan::{Rate, Share, Wan, Weather};

/// A line that works answers long before.
const PATIENCE: Duration = Duration::from_secs(20);

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A place that listens for both, and a line to it.
struct Place {
    udp: UdpSocket,
    tcp: TcpListener,
    wan: Wan,
}

impl Place {
    fn with(weather: Weather) -> Self {
        let (tcp, udp) = loop {
            let tcp = TcpListener::bind(loopback()).unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
                break (tcp, udp);
            }
        };
        udp.set_read_timeout(Some(PATIENCE)).unwrap();
        let wan = Wan::open(loopback(), udp.local_addr().unwrap(), weather, 1).unwrap();
        Self { udp, tcp, wan }
    }

    fn caller(&self) -> UdpSocket {
        let caller = UdpSocket::bind(loopback()).unwrap();
        caller.connect(self.wan.address()).unwrap();
        caller.set_read_timeout(Some(PATIENCE)).unwrap();
        caller
    }

    fn came(&self) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 2000];
        let (length, from) = self.udp.recv_from(&mut buffer).expect("something comes");
        (buffer[..length].to_vec(), from)
    }

    /// A stream's two ends.
    fn stream(&self) -> (TcpStream, TcpStream) {
        let here = TcpStream::connect(self.wan.address()).unwrap();
        let (there, _) = self.tcp.accept().unwrap();
        for stream in [&here, &there] {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        (here, there)
    }
}

fn read(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 2000];
    let length = socket.recv(&mut buffer).expect("something comes");
    buffer[..length].to_vec()
}

#[test]
fn datagrams_of_several_callers_pass_both_ways_and_never_early() {
    let delay = Duration::from_millis(30);
    let place = Place::with(Weather::delayed(30));
    let callers: Vec<UdpSocket> = (0..5).map(|_| place.caller()).collect();
    let start = Instant::now();
    for (n, caller) in callers.iter().enumerate() {
        caller.send(&[n as u8]).unwrap();
    }
    for n in 0..callers.len() {
        let (octets, from) = place.came();
        assert_eq!(octets, [n as u8], "in order");
        place.udp.send_to(&[octets[0], 100], from).unwrap();
    }
    assert!(start.elapsed() >= delay);
    for (n, caller) in callers.iter().enumerate() {
        assert_eq!(read(caller), [n as u8, 100], "to each its own");
    }
    assert!(start.elapsed() >= 2 * delay);
    let passed = place.wan.passed();
    assert_eq!((passed.datagrams, passed.datagrams_lost), (10, 0));
    assert_eq!(passed.datagram_octets, 15);
}

#[test]
fn as_many_are_lost_as_were_asked_for_and_the_same_with_the_same_seed() {
    let through = || {
        let place = Place::with(Weather::default().losing(Share::percent(20.0)));
        let caller = place.caller();
        let mut came = Vec::new();
        let mut lost = 0;
        for n in 0..1000_u32 {
            caller.send(&n.to_be_bytes()).unwrap();
            let passed = loop {
                let passed = place.wan.passed();
                if passed.datagrams > u64::from(n) {
                    break passed;
                }
                std::thread::yield_now();
            };
            if passed.datagrams_lost == lost {
                came.push(place.came().0);
            }
            lost = passed.datagrams_lost;
        }
        came
    };
    let first = through();
    assert!((750..850).contains(&first.len()), "{}", first.len());
    assert_eq!(first, through());
}

#[test]
fn a_line_that_is_down_is_silent_and_comes_back() {
    let place = Place::with(Weather::default());
    let caller = place.caller();
    caller.send(b"before").unwrap();
    assert_eq!(place.came().0, b"before");
    place.wan.change(|weather| weather.down = true);
    caller.send(b"gone").unwrap();
    while place.wan.passed().datagrams_lost < 1 {
        std::thread::yield_now();
    }
    place.wan.change(|weather| weather.down = false);
    caller.send(b"after").unwrap();
    assert_eq!(place.came().0, b"after");
}

#[test]
fn after_rebinding_the_target_sees_another_address_and_answers_find_home() {
    let place = Place::with(Weather::default());
    let caller = place.caller();
    caller.send(b"1").unwrap();
    let (_, old) = place.came();
    place.wan.rebind();
    // The line's thread may take what was sent at once before it moves.
    let new = loop {
        caller.send(b"2").unwrap();
        let (_, from) = place.came();
        if from != old {
            break from;
        }
    };
    place.udp.send_to(b"to the old", old).unwrap();
    place.udp.send_to(b"to the new", new).unwrap();
    assert_eq!(read(&caller), b"to the new");
}

#[test]
fn a_slow_line_takes_its_time() {
    let slow = Weather {
        rate: Rate::Bits(800_000),
        ..Weather::default()
    };
    let place = Place::with(slow);
    let caller = place.caller();
    let start = Instant::now();
    for _ in 0..50 {
        caller.send(&[0; 1000]).unwrap();
    }
    for _ in 0..50 {
        place.came();
    }
    assert!(start.elapsed() >= Duration::from_millis(500));
    let (mut here, mut there) = place.stream();
    let start = Instant::now();
    here.write_all(&[0; 50_000]).unwrap();
    there.read_exact(&mut [0; 50_000]).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(500));
}

#[test]
fn streams_come_whole_and_in_order_whatever_the_line() {
    let bad = Weather {
        jitter: Duration::from_millis(3),
        ..Weather::delayed(2).losing(Share::percent(5.0))
    };
    let place = Place::with(bad);
    let (here, there) = place.stream();
    let text: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    std::thread::scope(|threads| {
        for (mut from, mut to) in [(&here, &there), (&there, &here)] {
            let text = &text;
            threads.spawn(move || {
                from.write_all(text).unwrap();
                from.shutdown(Shutdown::Write).unwrap();
            });
            threads.spawn(move || {
                let mut came = Vec::new();
                to.read_to_end(&mut came).unwrap();
                assert!(came == *text, "{} octets", came.len());
            });
        }
    });
    let passed = place.wan.passed();
    assert_eq!((passed.calls, passed.streams), (1, 1));
    assert_eq!(passed.stream_octets, 600_000);
}

#[test]
fn a_stream_stands_still_while_the_line_is_down_and_goes_on_after() {
    let place = Place::with(Weather::delayed(5));
    let (mut here, mut there) = place.stream();
    place.wan.change(|weather| weather.down = true);
    here.write_all(b"patience").unwrap();
    let short = Duration::from_millis(100);
    there.set_read_timeout(Some(short)).unwrap();
    let mut octets = [0; 8];
    assert!(there.read(&mut octets).is_err(), "neither data nor an end");
    place.wan.change(|weather| weather.down = false);
    there.set_read_timeout(Some(PATIENCE)).unwrap();
    there.read_exact(&mut octets).unwrap();
    assert_eq!(&octets, b"patience");
}

#[test]
fn a_cut_and_an_end_that_breaks_off_are_seen_as_resets() {
    let place = Place::with(Weather::delayed(1));
    let reset = |mut stream: &TcpStream| {
        let why = stream.read(&mut [0; 8]).unwrap_err();
        assert_eq!(why.kind(), std::io::ErrorKind::ConnectionReset);
    };
    let (here, there) = place.stream();
    place.wan.cut();
    reset(&here);
    reset(&there);
    let (here, there) = place.stream();
    let linger = socket2::SockRef::from(&there);
    linger.set_linger(Some(Duration::ZERO)).unwrap();
    drop(there);
    reset(&here);
    // Nobody listens there any more.
    let Place { tcp, wan, udp: _ } = place;
    drop(tcp);
    let here = TcpStream::connect(wan.address()).unwrap();
    here.set_read_timeout(Some(PATIENCE)).unwrap();
    reset(&here);
}

#[test]
fn a_caller_that_gives_up_during_an_outage_was_never_heard_of() {
    let place = Place::with(Weather {
        down: true,
        ..Weather::default()
    });
    drop(TcpStream::connect(place.wan.address()).unwrap());
    while place.wan.passed().calls < 1 {
        std::thread::yield_now();
    }
    place.tcp.set_nonblocking(true).unwrap();
    let nobody = || {
        let why = place.tcp.accept().unwrap_err();
        assert_eq!(why.kind(), std::io::ErrorKind::WouldBlock);
    };
    nobody();
    // Datagrams tell that the line's thread has had several turns since.
    let caller = place.caller();
    for n in 1..=3 {
        caller.send(b"?").unwrap();
        while place.wan.passed().datagrams < n {
            std::thread::yield_now();
        }
    }
    place.wan.change(|weather| weather.down = false);
    caller.send(b"!").unwrap();
    assert_eq!(place.came().0, b"!");
    nobody();
    assert_eq!(place.wan.passed().streams, 0);
}

#[test]
fn the_program_passes_on_and_obeys() {
    let target = UdpSocket::bind(loopback()).unwrap();
    target.set_read_timeout(Some(PATIENCE)).unwrap();
    let place = target.local_addr().unwrap().to_string();
    let mut program = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["sim", "wan", "--listen", "127.0.0.1:0", "--target", &place])
        .args(["--delay", "1ms", "--loss", "0.5%", "--down", "--commands"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut typed = program.stdin.take().unwrap();
    let mut told = BufReader::new(program.stdout.take().unwrap()).lines();
    let mut tell = move || told.next().unwrap().unwrap();
    let addresses: serde_json::Value = serde_json::from_str(&tell()).unwrap();
    assert_eq!(addresses["target"], *place);
    typed
        .write_all(b"weather\nloss 0%\nup\nqueue soon\n")
        .unwrap();
    let first =
        "delay 1ms, jitter 0s, loss 0.5%, duplication 0%, rate none, queue 1s, down, udp on";
    assert_eq!(tell(), first);
    assert!(tell().contains("loss 0%"));
    assert!(tell().contains(", up, "));
    assert!(tell().starts_with("soon: "));
    let caller = UdpSocket::bind(loopback()).unwrap();
    let listens = addresses["listen"].as_str().unwrap();
    caller.send_to(b"hello", listens).unwrap();
    assert_eq!(read(&target), b"hello");
    typed.write_all(b"quit\n").unwrap();
    let passed: serde_json::Value = serde_json::from_str(&tell()).unwrap();
    assert_eq!(passed["datagrams"], 1);
    assert!(program.wait().unwrap().success());
}
