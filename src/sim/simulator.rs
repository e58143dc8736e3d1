//! A running simulator, and the handle by which tests and the command line hold it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::config::{Config, ConfigError, Pty, Tls};
use super::driver::Shared;
use super::event::{Counts, Event, Protocol, Record};
use super::fault::Fault;
use super::network::{Network, Received};
use super::pty::SerialEnd;
use super::smsc::Session;
use super::smsc::cimd2::Cimd2Session;
use super::smsc::smpp::SmppSession;

/// Why a simulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its script makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A place to listen at cannot be had.
    #[error("{what}: {why}")]
    Place {
        /// Which.
        what: String,
        /// What the system says.
        why: std::io::Error,
    },
}

/// Where a simulator can be reached.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Addresses {
    /// SMPP.
    pub smpp: Option<SocketAddr>,
    /// CIMD2.
    pub cimd2: Option<SocketAddr>,
    /// CIMD2 on a serial line: the device to open.
    pub cimd2_serial: Option<PathBuf>,
    /// SMPP on a serial line: the device to open.
    pub smpp_serial: Option<PathBuf>,
}

/// A running simulator. It stops when this is dropped; [`Simulator::stop`] waits until it has.
#[derive(Debug)]
pub struct Simulator {
    shared: Arc<Shared>,
    addresses: Addresses,
    tasks: JoinSet<()>,
}

/// Everything that happens, from the moment when it was asked for.
#[derive(Debug)]
pub struct Events {
    records: mpsc::UnboundedReceiver<Arc<Record>>,
}

impl Events {
    /// The next record; `None` once the simulator has stopped.
    pub async fn next(&mut self) -> Option<Arc<Record>> {
        self.records.recv().await
    }

    /// The next record if there is one already.
    pub fn try_next(&mut self) -> Option<Arc<Record>> {
        self.records.try_recv().ok()
    }

    /// Waits for an event that fits; `None` if the simulator stops before.
    pub async fn until(&mut self, fits: impl Fn(&Event) -> bool) -> Option<Arc<Record>> {
        while let Some(record) = self.next().await {
            if fits(&record.event) {
                return Some(record);
            }
        }
        None
    }
}

impl Simulator {
    /// Starts one: it listens when this returns.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        config.check()?;
        let config = Arc::new(config);
        let network = Network::new(config.clone());
        let shared = Arc::new(Shared::new(network, config.centre.utc_offset_minutes));
        let mut simulator = Self {
            shared: shared.clone(),
            addresses: Addresses::default(),
            tasks: JoinSet::new(),
        };
        if let Some(smpp) = config.smpp.clone() {
            let listener = Listener::bind(smpp.listen, smpp.tls.as_ref()).await?;
            simulator.addresses.smpp = Some(listener.address);
            let begin = |serial: bool| {
                let (config, smpp) = (config.clone(), smpp.clone());
                move |number| -> Box<dyn Session> {
                    Box::new(SmppSession::new(
                        config.clone(),
                        smpp.clone(),
                        number,
                        serial,
                    ))
                }
            };
            if let Some(pty) = &smpp.pty {
                let line = serial_line(pty)?;
                simulator.addresses.smpp_serial = Some(line.device().to_path_buf());
                let serving = serve_serial(shared.clone(), line, Protocol::Smpp, begin(true));
                simulator.tasks.spawn(serving);
            }
            let serving = listener.serve(shared.clone(), Protocol::Smpp, begin(false));
            simulator.tasks.spawn(serving);
        }
        if let Some(cimd2) = config.cimd2.clone() {
            let begin = |serial: bool| {
                let (config, cimd2) = (config.clone(), cimd2.clone());
                move |number| -> Box<dyn Session> {
                    Box::new(Cimd2Session::new(
                        config.clone(),
                        cimd2.clone(),
                        number,
                        serial,
                    ))
                }
            };
            if let Some(place) = cimd2.listen {
                let listener = Listener::bind(place, cimd2.tls.as_ref()).await?;
                simulator.addresses.cimd2 = Some(listener.address);
                let serving = listener.serve(shared.clone(), Protocol::Cimd2, begin(false));
                simulator.tasks.spawn(serving);
            }
            if let Some(pty) = &cimd2.pty {
                let line = serial_line(pty)?;
                simulator.addresses.cimd2_serial = Some(line.device().to_path_buf());
                let serving = serve_serial(shared.clone(), line, Protocol::Cimd2, begin(true));
                simulator.tasks.spawn(serving);
            }
        }
        simulator
            .tasks
            .spawn(async move { shared.keep_time().await });
        Ok(simulator)
    }

    /// Where it can be reached.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// A phone writes. Whether there is an account that gets it.
    pub fn phone_sends(&self, from: &str, to: &str, text: &str) -> bool {
        self.shared
            .with(0, |network, now| network.phone_sends(now, from, to, text))
    }

    /// Whether somebody is logged in who gets what is written to this number.
    pub fn is_attended(&self, number: &str) -> bool {
        self.shared
            .with(0, |network, _| network.is_attended(number))
    }

    /// What phones have received, the oldest first, as far as `centre.keep` goes.
    pub fn received(&self) -> Vec<Received> {
        self.shared.with(0, |network, _| network.received())
    }

    /// How the one-at-a-time rule was broken, the first thousand times.
    pub fn breaches(&self) -> Vec<String> {
        self.shared.with(0, |network, _| network.breaches())
    }

    /// How often what happened.
    pub fn counts(&self) -> Counts {
        self.shared.with(0, |network, _| network.counts())
    }

    /// Everything that happens from now on.
    pub fn events(&self) -> Events {
        Events {
            records: self.shared.listen(),
        }
    }

    /// Adds a fault to the script.
    pub fn fault(&self, fault: Fault) -> Result<(), ConfigError> {
        fault.check().map_err(|why| ConfigError::Senseless {
            option: "fault",
            why,
        })?;
        self.shared.with(0, |network, _| network.add_fault(fault));
        Ok(())
    }

    /// Takes all faults out of the script.
    pub fn clear_faults(&self) {
        self.shared.with(0, |network, _| network.clear_faults());
    }

    /// Ends all sessions as their protocols say; whoever wants may log in again.
    pub fn logout_all(&self) {
        self.shared.logout_all();
    }

    /// Stops it, and waits until all of it has ended.
    pub async fn stop(mut self) {
        self.shared.stop();
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

/// A place where connections are taken.
struct Listener {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
}

impl Listener {
    async fn bind(place: SocketAddr, tls: Option<&Tls>) -> Result<Self, StartError> {
        let failed = |why| StartError::Place {
            what: place.to_string(),
            why,
        };
        let tls = tls.map(acceptor).transpose()?;
        let listener = TcpListener::bind(place).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self {
            listener,
            address,
            tls,
        })
    }

    async fn serve(
        self,
        shared: Arc<Shared>,
        protocol: Protocol,
        begin: impl Fn(u64) -> Box<dyn Session> + Clone + Send + 'static,
    ) {
        let mut sessions = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_ended) = sessions.join_next() => continue,
                () = shared.stopped() => break,
            };
            // What cannot be accepted (no more descriptors) may be later; whoever connected notices.
            let Ok((stream, peer)) = accepted else {
                tokio::task::yield_now().await;
                continue;
            };
            let (shared, begin, tls) = (shared.clone(), begin.clone(), self.tls.clone());
            sessions.spawn(async move {
                let peer = peer.to_string();
                if let Some(mut line) = open(stream, tls).await {
                    shared.serve(&mut line, protocol, peer, begin).await;
                }
            });
        }
        while sessions.join_next().await.is_some() {}
    }
}

/// A line of either kind.
trait Line: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Line for T {}

async fn open(stream: TcpStream, tls: Option<TlsAcceptor>) -> Option<Box<dyn Line>> {
    // An answer is one write, and the client waits for it.
    stream.set_nodelay(true).ok()?;
    match tls {
        None => Some(Box::new(stream)),
        Some(tls) => {
            let line = tls.accept(stream).await.ok()?;
            Some(Box::new(line))
        }
    }
}

fn acceptor(tls: &Tls) -> Result<TlsAcceptor, StartError> {
    let failed = |path: &Path, why: String| StartError::Place {
        what: path.display().to_string(),
        why: std::io::Error::other(why),
    };
    let certificates = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|why| failed(&tls.certificate, why.to_string()))?;
    let key =
        PrivateKeyDer::from_pem_file(&tls.key).map_err(|why| failed(&tls.key, why.to_string()))?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|why| failed(&tls.certificate, why.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn serial_line(pty: &Pty) -> Result<SerialEnd, StartError> {
    SerialEnd::make(pty.link.as_deref()).map_err(|why| StartError::Place {
        what: "a pseudo-terminal".into(),
        why,
    })
}

/// Serves a serial line, one session after the other, for as long as the simulator runs.
async fn serve_serial(
    shared: Arc<Shared>,
    mut line: SerialEnd,
    protocol: Protocol,
    begin: impl Fn(u64) -> Box<dyn Session>,
) {
    let peer = line.device().display().to_string();
    let serving = async {
        loop {
            shared
                .serve(&mut line, protocol, peer.clone(), &begin)
                .await;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = serving => {}
        () = shared.stopped() => {}
    }
}
