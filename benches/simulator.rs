//! How fast the simulated SMSC answers one client that waits for each answer, beside a bare echo on the same machine.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use sluice::codec::cimd2::{self, Write as _};
use sluice::codec::smpp::{self, Pdu, Status};
use sluice::sim::{Account, Cimd2, Config, Simulator, Smpp};
use support::{Goal, figure, rate, ratio};

const SLICE: Duration = Duration::from_millis(500);
const ROUNDS: usize = 5;
/// Requests between two looks at the clock.
const BATCH: u64 = 200;

fn connected(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_nodelay(true).expect("a socket option");
    stream
}

/// Sends, and reads until the answer is whole.
fn ask(line: &mut TcpStream, room: &mut [u8], octets: &[u8], is_whole: impl Fn(&[u8]) -> bool) {
    line.write_all(octets).expect("it reads");
    let mut length = 0;
    while !is_whole(&room[..length]) {
        let read = line.read(&mut room[length..]).expect("it answers");
        assert!(read > 0, "it closed");
        length += read;
    }
}

fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        let (mut line, _) = listener.accept().expect("the client connects");
        line.set_nodelay(true).expect("a socket option");
        let mut room = [0; 4096];
        while let Ok(length @ 1..) = line.read(&mut room) {
            if line.write_all(&room[..length]).is_err() {
                break;
            }
        }
    });
    address
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut account = Account::new("sluice", "secret");
    account.sessions = 2;
    let config = Config {
        smpp: Some(Smpp::default()),
        cimd2: Some(Cimd2 {
            greeting: false,
            ..Cimd2::default()
        }),
        accounts: vec![account],
        ..Config::default()
    };
    let simulator = runtime
        .block_on(Simulator::start(config))
        .expect("it starts");
    let addresses = simulator.addresses().clone();
    let mut room = [0; 4096];

    let mut bare = connected(echo());
    let mut bare_room = [0; 4096];
    let packet = [0x55; 80];
    let mut echoed = || {
        rate(SLICE, || {
            for _ in 0..BATCH {
                ask(&mut bare, &mut bare_room, &packet, |read| read.len() >= 80);
            }
            BATCH
        })
    };

    // SMPP.
    let mut line = connected(addresses.smpp.expect("SMPP is offered"));
    let whole = |read: &[u8]| read.len() >= 16 && read.len() >= usize::from(read[3]);
    let bind = smpp::Bind {
        system_id: smpp::COctets::new("system_id", b"sluice").expect("it is short"),
        password: smpp::COctets::new("password", b"secret").expect("it is short"),
        interface_version: smpp::VERSION_3_4,
        ..smpp::Bind::default()
    };
    let bind = Pdu::BindTransmitter(bind).to_bytes(Status::OK, 1);
    ask(&mut line, &mut room, &bind, whole);
    let message = smpp::Message {
        destination: smpp::Address::new("destination", 1, 1, b"358401111111").expect("digits"),
        short_message: smpp::ShortText::new(vec![b'x'; 160].into()).expect("it is short"),
        ..smpp::Message::default()
    };
    let submit = Pdu::SubmitSm(message).to_bytes(Status::OK, 2);
    let measured = ratio(ROUNDS, &mut echoed, || {
        rate(SLICE, || {
            for _ in 0..BATCH {
                ask(&mut line, &mut room, &submit, whole);
            }
            BATCH
        })
    });
    figure(
        "simulator.smpp.submits",
        measured.candidate,
        "1/s",
        Goal::AtLeast(20_000.0),
    );
    figure(
        "simulator.smpp.of_echo",
        measured.ratio,
        "ratio",
        Goal::AtLeast(0.4),
    );

    // CIMD2.
    let mut line = connected(addresses.cimd2.expect("CIMD2 is offered"));
    let whole = |read: &[u8]| read.last() == Some(&cimd2::ETX);
    let login = cimd2::Login {
        user: cimd2::Printable::new("user", "sluice").expect("it is short"),
        password: cimd2::Printable::new("password", "secret").expect("it is short"),
        subaddress: None,
        window: None,
    };
    let mut number = cimd2::Number::LOGIN;
    ask(&mut line, &mut room, &login.to_bytes(number), whole);
    let body = sluice::text::whole(&"x".repeat(160)).expect("it fits");
    let submit = cimd2::Submit::new(
        cimd2::Address::new(b"358401111111").expect("digits"),
        Some(cimd2::UserData::new(body).expect("it fits")),
    );
    let measured = ratio(ROUNDS, &mut echoed, || {
        rate(SLICE, || {
            for _ in 0..BATCH {
                number = number.next();
                ask(&mut line, &mut room, &submit.to_bytes(number), whole);
            }
            BATCH
        })
    });
    figure(
        "simulator.cimd2.submits",
        measured.candidate,
        "1/s",
        Goal::AtLeast(20_000.0),
    );
    figure(
        "simulator.cimd2.of_echo",
        measured.ratio,
        "ratio",
        Goal::AtLeast(0.4),
    );
    figure("simulator.echo", measured.base, "1/s", Goal::AtLeast(0.0));
    assert_eq!(simulator.counts().breaches, 0);
    assert_eq!(simulator.counts().refused, 0);
    runtime.block_on(simulator.stop());
}
