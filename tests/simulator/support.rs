//! A client of the simulator, as plain as can be: it sends octets, and shows what comes back.

#![allow(unreachable_pub, reason = "a module of a test has no outside")]

use std::time::Duration;

use bytes::Bytes;
use sluice::codec::cimd2::{self, checksum};
use sluice::codec::smpp::{self, Bind, COctets, CommandId, Frame, Pdu, Status};
use sluice::sim::{Config, Simulator};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest wait for anything; what takes longer does not come.
const PATIENCE: Duration = Duration::from_secs(10);

pub trait Line: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Line for T {}

pub async fn simulator(script: &str) -> Simulator {
    let config: Config = toml::from_str(script).unwrap();
    Simulator::start(config).await.unwrap()
}

pub async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(result) => result,
        Err(_elapsed) => panic!("{what} did not come"),
    }
}

/// One end of a line.
pub struct Wire {
    line: Box<dyn Line>,
    cimd2: cimd2::Framer,
    smpp: smpp::Framer,
}

impl Wire {
    pub fn on(line: impl Line + 'static) -> Self {
        Self {
            line: Box::new(line),
            cimd2: cimd2::Framer::new(),
            smpp: smpp::Framer::new(smpp::MAX_FRAME),
        }
    }

    pub async fn cimd2(simulator: &Simulator) -> Self {
        Self::to(simulator.addresses().cimd2.unwrap()).await
    }

    pub async fn smpp(simulator: &Simulator) -> Self {
        Self::to(simulator.addresses().smpp.unwrap()).await
    }

    async fn to(address: std::net::SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::on(stream)
    }

    pub async fn send(&mut self, octets: &[u8]) {
        self.line.write_all(octets).await.unwrap();
        self.line.flush().await.unwrap();
    }

    /// What comes in one read; nothing at the end.
    pub async fn read(&mut self) -> Vec<u8> {
        let mut room = vec![0; 4096];
        let read = within("anything", self.line.read(&mut room)).await;
        // A dropped connection may end by a reset.
        room.truncate(read.unwrap_or(0));
        room
    }

    /// Whether the other end closes without another word that is whole.
    pub async fn is_closed(&mut self) -> bool {
        loop {
            if self.read().await.is_empty() {
                return true;
            }
        }
    }

    // CIMD2.

    /// Sends a packet written as in the reference: `·` for TAB, without STX and ETX; a checksum is added behind a
    /// `·` at its end.
    pub async fn say(&mut self, written: &str) {
        self.send(&packet(written)).await;
    }

    /// The next packet, written so, its checksum checked and left out.
    pub async fn hear(&mut self) -> String {
        loop {
            if let Some(octets) = self.cimd2.next_frame().expect("a whole packet") {
                return shown(&octets);
            }
            let octets = self.read().await;
            assert!(!octets.is_empty(), "closed instead of a packet");
            self.cimd2.push(&octets);
        }
    }

    pub async fn expect(&mut self, written: &str) {
        assert_eq!(self.hear().await, written);
    }

    /// Logs in as `sluice`.
    pub async fn login(&mut self) {
        self.say("01:001·010:sluice·011:secret·").await;
        self.expect("51:001·").await;
    }

    // SMPP.

    pub async fn send_pdu(&mut self, pdu: Pdu, sequence: u32) {
        self.send(&pdu.to_bytes(Status::OK, sequence)).await;
    }

    pub async fn frame(&mut self) -> Frame {
        loop {
            if let Some(frame) = self.smpp.next_frame().expect("a whole frame") {
                return frame;
            }
            let octets = self.read().await;
            assert!(!octets.is_empty(), "closed instead of a frame");
            self.smpp.push(&octets);
        }
    }

    /// Sends a request, and gives what comes back for it.
    pub async fn ask(&mut self, pdu: Pdu, sequence: u32) -> Frame {
        self.send_pdu(pdu, sequence).await;
        self.frame().await
    }

    /// Binds as a transceiver.
    pub async fn bind(&mut self) {
        let answer = self
            .ask(Pdu::BindTransceiver(bind("sluice", "secret")), 1)
            .await;
        assert_eq!(answer.id, CommandId::BIND_TRANSCEIVER_RESP);
        assert_eq!((answer.status, answer.sequence), (Status::OK, 1));
    }
}

/// A bind of that name and password.
pub fn bind(name: &str, password: &str) -> Bind {
    Bind {
        system_id: COctets::new("system_id", name.as_bytes()).unwrap(),
        password: COctets::new("password", password.as_bytes()).unwrap(),
        interface_version: smpp::VERSION_3_4,
        ..Bind::default()
    }
}

/// A packet as octets; see [`Wire::say`].
pub fn packet(written: &str) -> Vec<u8> {
    let mut octets = vec![cimd2::STX];
    octets.extend(written.replace('·', "\t").bytes());
    if octets.ends_with(b"\t") {
        let sum = checksum(&octets);
        octets.extend(format!("{sum:02X}").bytes());
    }
    octets.push(cimd2::ETX);
    octets
}

fn shown(octets: &Bytes) -> String {
    let packet = cimd2::Packet::read(octets.clone()).unwrap();
    let inner: String = octets[1..octets.len() - 1]
        .iter()
        .map(|&octet| char::from(octet))
        .collect();
    let inner = inner.replace('\t', "·");
    match packet.checksum() {
        cimd2::Checksum::Right => inner[..inner.len() - 2].to_owned(),
        cimd2::Checksum::Absent => inner,
        cimd2::Checksum::Wrong { .. } => format!("{inner} (wrong checksum)"),
    }
}

/// The value of a parameter in a packet as it is shown.
pub fn field(shown: &str, parameter: &str) -> String {
    shown
        .split('·')
        .find_map(|field| field.strip_prefix(&format!("{parameter}:")))
        .unwrap_or_else(|| panic!("{shown} has no {parameter}"))
        .to_owned()
}
