//! What the link is measured against: the simulated SMSC spoken to across the same line, one message at a time.

#![allow(unreachable_pub, reason = "one benchmark uses it")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sluice::codec::smpp::{self, Pdu, Status};
use sluice::sim::wan::{Wan, Weather};
use sluice::sim::{Account, Config, Simulator, Smpp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn ask(line: &mut TcpStream, octets: &[u8]) {
    line.write_all(octets).await.expect("it reads");
    let mut head = [0; 4];
    line.read_exact(&mut head).await.expect("it answers");
    let mut rest = vec![0; u32::from_be_bytes(head) as usize - 4];
    line.read_exact(&mut rest).await.expect("it answers");
}

/// Messages a second, one at a time, for so long.
pub async fn sequential(weather: Weather, time: Duration) -> f64 {
    let config = Config {
        smpp: Some(Smpp::default()),
        accounts: vec![Account::new("sluice", "secret")],
        ..Config::default()
    };
    let simulator = Simulator::start(config).await.expect("it starts");
    let smsc = simulator.addresses().smpp.expect("SMPP is offered");
    let here = SocketAddr::from(([127, 0, 0, 1], 0));
    let wan = Wan::open(here, smsc, weather, 1).expect("a free port");
    let mut line = TcpStream::connect(wan.address()).await.expect("it listens");
    line.set_nodelay(true).expect("a socket option");
    let bind = smpp::Bind {
        system_id: smpp::COctets::new("system_id", b"sluice").expect("it is short"),
        password: smpp::COctets::new("password", b"secret").expect("it is short"),
        interface_version: smpp::VERSION_3_4,
        ..smpp::Bind::default()
    };
    ask(
        &mut line,
        &Pdu::BindTransmitter(bind).to_bytes(Status::OK, 1),
    )
    .await;
    let message = smpp::Message {
        destination: smpp::Address::new("destination", 1, 1, b"358401111111").expect("digits"),
        short_message: smpp::ShortText::new(vec![b'x'; 160].into()).expect("it is short"),
        ..smpp::Message::default()
    };
    let submit = Pdu::SubmitSm(message).to_bytes(Status::OK, 2);
    let start = Instant::now();
    let mut done = 0_u32;
    while start.elapsed() < time {
        ask(&mut line, &submit).await;
        done += 1;
    }
    f64::from(done) / start.elapsed().as_secs_f64()
}
