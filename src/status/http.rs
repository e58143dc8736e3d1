//! OpenMetrics over HTTP, for a collector on this machine. It knows `GET /metrics` and nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::metrics;
use super::server::Looker;
use super::subject::Subject;

/// Longest head of a request: collectors send a few hundred octets.
const MAX_HEAD: usize = 8192;
/// How long a request and its answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections at a time; collectors need one.
const CONNECTIONS: usize = 8;
const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics' door, listening.
pub struct MetricsDoor {
    listener: TcpListener,
}

impl MetricsDoor {
    /// Listens at a loopback address, as the configuration made sure.
    pub async fn open(address: SocketAddr) -> std::io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until it is dropped.
    pub async fn run<S: Subject>(self, subject: Arc<S>) {
        let looker = Arc::new(Looker::new(subject));
        let connections = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(PATIENCE).await;
                continue;
            };
            let Ok(permit) = connections.clone().try_acquire_owned() else {
                continue;
            };
            let looker = looker.clone();
            tokio::spawn(async move {
                // An error is the reader's own affair.
                let _ = timeout(PATIENCE, serve(stream, &looker)).await;
                drop(permit);
            });
        }
    }
}

async fn serve<S: Subject>(mut stream: TcpStream, looker: &Looker<S>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut room = [0; 1024];
        let count = stream.read(&mut room).await?;
        if count == 0 || head.len() + count > MAX_HEAD {
            return Ok(());
        }
        head.extend_from_slice(&room[..count]);
    }
    let (status, kind, body) =
        if head.starts_with(b"GET /metrics ") || head.starts_with(b"GET /metrics?") {
            ("200 OK", TYPE, metrics::render(&looker.look()))
        } else {
            let told = String::from("GET /metrics is all there is.\n");
            ("404 Not Found", "text/plain; charset=utf-8", told)
        };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}
