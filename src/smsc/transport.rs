//! What carries a session's bytes: TCP, TLS or a serial line (G15). Each wait has a deadline.

use std::io;
use std::net::ToSocketAddrs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_serial::SerialPortBuilderExt;

/// A connected line.
pub trait Line: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Line for T {}

/// How long a connection, and a TLS handshake on it, may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Where the SMSC is. As configured: `transport`, and the keys that this transport has.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub enum Endpoint {
    /// A TCP connection.
    Tcp {
        /// Name or address of the SMSC.
        host: String,
        /// Its port.
        port: u16,
    },
    /// TLS on TCP.
    Tls {
        /// Name or address of the SMSC.
        host: String,
        /// Its port.
        port: u16,
        /// The certificates of those who may vouch for the SMSC, in PEM.
        ca: PathBuf,
        /// The name in the SMSC's certificate, if it is not `host`.
        server_name: Option<String>,
    },
    /// A serial line.
    Serial {
        /// Its device, as in `/dev/ttyS0`.
        device: PathBuf,
        /// Bits a second. Default 9600.
        baud: u32,
        /// Check bit. Default none.
        parity: Parity,
        /// Bits a character. Default 8.
        bits: Bits,
        /// How a full receiver stops the sender. Default none.
        flow: Flow,
    },
}

/// Bits a second of a serial line where nothing else is said.
const DEFAULT_BAUD: u32 = 9600;

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Tcp,
    Tls,
    Serial,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Serial => "serial",
        }
    }
}

/// An endpoint as it is written: each key by itself, so that a wrong one is found where it stands.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    transport: Kind,
    host: Option<String>,
    port: Option<u16>,
    ca: Option<PathBuf>,
    server_name: Option<String>,
    device: Option<PathBuf>,
    baud: Option<u32>,
    parity: Option<Parity>,
    bits: Option<Bits>,
    flow: Option<Flow>,
}

impl TryFrom<Written> for Endpoint {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let kind = written.transport;
        let there = [
            ("host", written.host.is_some(), kind != Kind::Serial),
            ("port", written.port.is_some(), kind != Kind::Serial),
            ("ca", written.ca.is_some(), kind == Kind::Tls),
            (
                "server_name",
                written.server_name.is_some(),
                kind == Kind::Tls,
            ),
            ("device", written.device.is_some(), kind == Kind::Serial),
            ("baud", written.baud.is_some(), kind == Kind::Serial),
            ("parity", written.parity.is_some(), kind == Kind::Serial),
            ("bits", written.bits.is_some(), kind == Kind::Serial),
            ("flow", written.flow.is_some(), kind == Kind::Serial),
        ];
        if let Some((key, ..)) = there.iter().find(|(_, there, belongs)| *there && !belongs) {
            return Err(format!(
                "`{key}` means nothing with transport \"{}\"",
                kind.as_str()
            ));
        }
        let missing = |key| format!("transport \"{}\" needs `{key}`", kind.as_str());
        Ok(match kind {
            Kind::Tcp => Self::Tcp {
                host: written.host.ok_or_else(|| missing("host"))?,
                port: written.port.ok_or_else(|| missing("port"))?,
            },
            Kind::Tls => Self::Tls {
                host: written.host.ok_or_else(|| missing("host"))?,
                port: written.port.ok_or_else(|| missing("port"))?,
                ca: written.ca.ok_or_else(|| missing("ca"))?,
                server_name: written.server_name,
            },
            Kind::Serial => Self::Serial {
                device: written.device.ok_or_else(|| missing("device"))?,
                baud: written.baud.unwrap_or(DEFAULT_BAUD),
                parity: written.parity.unwrap_or_default(),
                bits: written.bits.unwrap_or_default(),
                flow: written.flow.unwrap_or_default(),
            },
        })
    }
}

/// Check bit of a serial line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parity {
    /// No check bit.
    #[default]
    None,
    /// Even.
    Even,
    /// Odd.
    Odd,
}

/// Bits a character of a serial line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
pub enum Bits {
    /// Seven: CIMD2 with two-character codes only.
    #[serde(rename = "7")]
    Seven,
    /// Eight.
    #[default]
    #[serde(rename = "8")]
    Eight,
}

/// Flow control of a serial line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flow {
    /// None.
    #[default]
    None,
    /// RTS and CTS.
    Hardware,
    /// XON and XOFF; both octets never occur in a packet of 7-bit text.
    Software,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "tcp {host}:{port}"),
            Self::Tls { host, port, .. } => write!(f, "tls {host}:{port}"),
            Self::Serial { device, baud, .. } => write!(f, "serial {} at {baud}", device.display()),
        }
    }
}

/// Why there is no line: the endpoint, what was being done, what the system said.
#[derive(Debug, thiserror::Error)]
#[error("{endpoint}: {doing}: {source}")]
pub struct ConnectError {
    endpoint: String,
    doing: &'static str,
    source: io::Error,
}

impl Endpoint {
    /// Connects, within ten seconds.
    pub async fn connect(&self) -> Result<Box<dyn Line>, ConnectError> {
        let failed = |doing| {
            move |source| ConnectError {
                endpoint: self.to_string(),
                doing,
                source,
            }
        };
        match self {
            Self::Tcp { host, port } => {
                let stream = within(connect_tcp(host, *port))
                    .await
                    .map_err(failed("connecting"))?;
                Ok(Box::new(stream))
            }
            Self::Tls {
                host,
                port,
                ca,
                server_name,
            } => {
                let connector = connector(ca).map_err(failed("reading its certificates"))?;
                let name = server_name.as_ref().unwrap_or(host).clone();
                let name = ServerName::try_from(name)
                    .map_err(io::Error::other)
                    .map_err(failed("taking its name"))?;
                let stream = within(connect_tcp(host, *port))
                    .await
                    .map_err(failed("connecting"))?;
                let stream = within(connector.connect(name, stream))
                    .await
                    .map_err(failed("greeting it by TLS"))?;
                Ok(Box::new(stream))
            }
            Self::Serial { device, .. } => {
                let path = device.to_string_lossy();
                let port = self
                    .serial(&path)
                    .map_err(io::Error::from)
                    .map_err(failed("opening the device"))?;
                Ok(Box::new(port))
            }
        }
    }

    /// Whether the certificates that vouch for the SMSC can be read.
    pub fn certificates(&self) -> Result<(), ConnectError> {
        match self {
            Self::Tls { ca, .. } => connector(ca).map(drop).map_err(|source| ConnectError {
                endpoint: self.to_string(),
                doing: "reading its certificates",
                source,
            }),
            Self::Tcp { .. } | Self::Serial { .. } => Ok(()),
        }
    }

    fn serial(&self, path: &str) -> tokio_serial::Result<tokio_serial::SerialStream> {
        let Self::Serial {
            baud,
            parity,
            bits,
            flow,
            ..
        } = self
        else {
            unreachable!("only a serial endpoint opens a serial line");
        };
        tokio_serial::new(path, *baud)
            .parity(match parity {
                Parity::None => tokio_serial::Parity::None,
                Parity::Even => tokio_serial::Parity::Even,
                Parity::Odd => tokio_serial::Parity::Odd,
            })
            .data_bits(match bits {
                Bits::Seven => tokio_serial::DataBits::Seven,
                Bits::Eight => tokio_serial::DataBits::Eight,
            })
            .flow_control(match flow {
                Flow::None => tokio_serial::FlowControl::None,
                Flow::Hardware => tokio_serial::FlowControl::Hardware,
                Flow::Software => tokio_serial::FlowControl::Software,
            })
            .open_native_async()
    }
}

async fn within<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(CONNECT, work)
        .await
        .unwrap_or_else(|_elapsed| {
            let seconds = CONNECT.as_secs();
            let why = format!("no answer within {seconds} s");
            Err(io::Error::new(io::ErrorKind::TimedOut, why))
        })
}

async fn connect_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    // A packet is one write, and the answer waits for it: Nagle's delay would cost 40 ms a turn.
    stream.set_nodelay(true)?;
    keep_alive(&stream)?;
    Ok(stream)
}

/// The session probes the line itself; this only helps the kernel to forget a dead peer of an idle, closing socket.
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    rustix::net::sockopt::set_socket_keepalive(stream, true)?;
    rustix::net::sockopt::set_tcp_keepidle(stream, Duration::from_secs(60))?;
    Ok(())
}

fn connector(ca: &std::path::Path) -> io::Result<TlsConnector> {
    let named = |why: String| io::Error::other(format!("{}: {why}", ca.display()));
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(ca).map_err(|why| named(why.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|why| named(why.to_string()))?;
        roots
            .add(certificate)
            .map_err(|why| named(why.to_string()))?;
    }
    if roots.is_empty() {
        return Err(named(String::from("holds no certificate")));
    }
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Whether a name can be looked up at all; for checks of a configuration.
pub fn resolves(host: &str, port: u16) -> io::Result<()> {
    (host, port).to_socket_addrs().map(|_addresses| ())
}
