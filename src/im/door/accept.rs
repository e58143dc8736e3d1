//! Letting connections in.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::config::{DoorConfig, DoorError};
use super::connection::{self, Shared};
use super::stream::Stream;
use super::{closing, count};
use crate::im::effects::Origin;

/// How long accepting pauses when the system has no more of something (descriptors, mostly).
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn listen(config: &DoorConfig) -> Result<TcpListener, DoorError> {
    if config.certificate.is_none() && !config.listen.ip().is_loopback() {
        return Err(DoorError::Plain(config.listen));
    }
    let listener = TcpListener::bind(config.listen).await;
    listener.map_err(|why| DoorError::Listen(config.listen, why))
}

/// What TLS needs, if it is configured.
pub(super) fn tls(config: &DoorConfig) -> Result<Option<TlsAcceptor>, DoorError> {
    let (certificate, key) = match (&config.certificate, &config.key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, None) => return Ok(None),
        _ => return Err(DoorError::Half),
    };
    let wrong = |path: &Path, why: String| DoorError::Certificate {
        path: path.to_owned(),
        why,
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|why| wrong(certificate, why.to_string()))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|why| wrong(key, why.to_string()))?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_no_client_auth())
        .and_then(|builder| builder.with_single_cert(chain, secret))
        .map_err(|why| wrong(certificate, why.to_string()))?;
    Ok(Some(TlsAcceptor::from(Arc::new(tls))))
}

/// Lets connections in until the door closes.
pub(super) async fn run(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let mut stopped = shared.stopped.clone();
    let mut next = 0;
    loop {
        let socket = tokio::select! {
            accepted = listener.accept() => accepted,
            () = closing(&mut stopped) => return,
        };
        let (socket, from) = match socket {
            Ok(accepted) => accepted,
            Err(why) => {
                tracing::warn!(%why, "no connection can be accepted for a moment");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Some(counted) = Counted::new(&shared, Origin::of(from.ip())) else {
            count(&shared.counts.turned_away, 1);
            continue;
        };
        next += 1;
        count(&shared.counts.accepted, 1);
        let (tls, shared) = (tls.clone(), shared.clone());
        tokio::spawn(async move {
            let _counted = counted;
            let greeted = tokio::time::timeout(shared.limits.greeting, greet(socket, tls)).await;
            if let Ok(Some(socket)) = greeted {
                connection::run(socket, next, from.ip(), &shared).await;
            }
        });
    }
}

/// A connection that is counted, until it ends, however that comes about.
struct Counted {
    shared: Arc<Shared>,
    origin: Origin,
}

impl Counted {
    /// Nothing if there are as many as are allowed.
    fn new(shared: &Arc<Shared>, origin: Origin) -> Option<Self> {
        let limits = &shared.limits;
        // Only the one task that accepts counts up.
        if shared.counts.connections.load(Ordering::Relaxed) >= limits.max_connections {
            return None;
        }
        let mut by_origin = by_origin(shared);
        let of_origin = by_origin.entry(origin).or_default();
        if *of_origin >= limits.max_connections_an_address {
            return None;
        }
        *of_origin += 1;
        shared.counts.connections.fetch_add(1, Ordering::Relaxed);
        Some(Self {
            shared: Arc::clone(shared),
            origin,
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut by_origin = by_origin(&self.shared);
        if let Some(of_origin) = by_origin.get_mut(&self.origin) {
            *of_origin -= 1;
            if *of_origin == 0 {
                by_origin.remove(&self.origin);
            }
        }
        let connections = &self.shared.counts.connections;
        connections.fetch_sub(1, Ordering::Relaxed);
    }
}

fn by_origin(shared: &Shared) -> MutexGuard<'_, HashMap<Origin, usize>> {
    // Counting does not panic half way.
    let locked = shared.by_origin.lock();
    locked.unwrap_or_else(PoisonError::into_inner)
}

async fn greet(socket: TcpStream, tls: Option<TlsAcceptor>) -> Option<connection::Socket> {
    // Small frames, each of which somebody waits for.
    let _unset = socket.set_nodelay(true);
    let stream = match tls {
        Some(tls) => Stream::Tls(Box::new(tls.accept(socket).await.ok()?)),
        None => Stream::Plain(socket),
    };
    connection::upgrade(stream).await
}
