//! The two ends as the transports use them: whom they trust, who they are, and TLS made of it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_rustls::rustls::client::{Resumption, WebPkiServerVerifier};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore, ServerConfig};

use super::authority::{self, Paths, Settings};
use super::bundle::{self, Bundle};
use super::certificate::{Facts, Owner, central_dns, distance};
use super::error::PkiError;
use super::files::{self, Stamp};
use super::gate::Gate;
use super::proof::{CentralProof, EdgeProof, Verdict};
use super::times::written;
use crate::clock::WallTime;

/// What both ends call the protocol on the link; another version of it gets another name.
pub const ALPN: &[u8] = b"sluice-link/1";

/// How long before its end a certificate is spoken of in logs and status.
const WARNING: Duration = Duration::from_hours(30 * 24);

fn provider() -> Arc<CryptoProvider> {
    Arc::new(tokio_rustls::rustls::crypto::ring::default_provider())
}

/// A certificate with its key, and whom it is verified against.
#[derive(Debug)]
struct Papers {
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    facts: Facts,
}

impl Papers {
    /// Of what was read from those files.
    fn read(
        authority: (&Path, &str),
        certificate: (&Path, &str),
        key: (&Path, &str),
        next: &'static str,
    ) -> Result<Self, PkiError> {
        let malformed = |file: &Path, what: String| PkiError::Malformed {
            file: file.to_owned(),
            what,
            next,
        };
        let one = |(file, pem): (&Path, &str), what: &str| {
            CertificateDer::from_pem_slice(pem.as_bytes())
                .map_err(|error| malformed(file, format!("{what} cannot be read: {error}")))
        };
        let mut roots = RootCertStore::empty();
        roots
            .add(one(authority, "the authority's certificate")?)
            .map_err(|error| malformed(authority.0, error.to_string()))?;
        let leaf = one(certificate, "the certificate")?;
        let facts = Facts::read(&leaf).map_err(|what| malformed(certificate.0, what))?;
        // The error of a key says nothing of its content.
        let key = PrivateKeyDer::from_pem_slice(key.1.as_bytes())
            .map_err(|error| malformed(key.0, format!("the key cannot be read: {error}")))?;
        Ok(Self {
            roots: Arc::new(roots),
            chain: vec![leaf],
            key,
            facts,
        })
    }

    fn worry(&self, now: WallTime) -> Option<String> {
        let Facts {
            owner, from, until, ..
        } = &self.facts;
        if now < *from {
            Some(format!(
                "the certificate of {owner} is not yet valid: it begins on {}, and the clock of this machine says {}; set the clock",
                written(*from),
                written(now)
            ))
        } else if now + WARNING >= *until {
            let how = match now >= *until {
                true => "expired",
                false => "expires",
            };
            let renew = match owner {
                Owner::Edge(name) => name.as_str(),
                Owner::Central(_) | Owner::Unnamed => "--central",
            };
            Some(format!(
                "the certificate of {owner} {how} on {} ({}); run `sluice pair renew {renew}` at central",
                written(*until),
                distance(now, *until)
            ))
        } else {
            None
        }
    }
}

/// Central: its certificate, and the gate.
#[derive(Debug)]
pub struct CentralIdentity {
    paths: Paths,
    name: String,
    gate: Gate,
    current: Mutex<(Option<Stamp>, Arc<CentralPapers>)>,
}

#[derive(Debug)]
struct CentralPapers {
    papers: Papers,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl CentralIdentity {
    /// Reads it from an authority's directory.
    pub fn load(directory: &Path) -> Result<Self, PkiError> {
        let paths = Paths::new(directory);
        paths.check_there()?;
        let settings = Settings::load(&paths)?;
        let gate = Gate::open(directory)?;
        let current = Mutex::new(load_central(&paths)?);
        Ok(Self {
            paths,
            name: settings.central,
            gate,
            current,
        })
    }

    /// Central's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who is admitted.
    pub const fn gate(&self) -> &Gate {
        &self.gate
    }

    /// What central's certificate says.
    pub fn facts(&self) -> Facts {
        self.papers().papers.facts.clone()
    }

    /// What an operator should know about central's certificate, if anything.
    pub fn worry(&self, now: WallTime) -> Option<String> {
        self.papers().papers.worry(now)
    }

    /// Takes up a renewed certificate; tells whether there was one. After an error the former one stays in use.
    pub fn reread(&self) -> Result<bool, PkiError> {
        let stamp = Stamp::of(&self.paths.central());
        let before = self.current().0;
        if before == stamp {
            return Ok(false);
        }
        // A certificate beside the key of another fails here, and is looked at again.
        let new = load_central(&self.paths)?;
        *self.current() = new;
        Ok(true)
    }

    /// TLS for one handshake; why our end refused, if it does, is left in the verdict.
    pub fn tls(&self, verdict: &Verdict) -> Result<ServerConfig, PkiError> {
        let current = self.papers();
        self.build(&current, verdict)
    }

    fn build(&self, current: &CentralPapers, verdict: &Verdict) -> Result<ServerConfig, PkiError> {
        server_tls(current, verdict).map_err(|source| PkiError::Tls {
            file: self.paths.central(),
            source,
            next: authority::NEXT_CENTRAL,
        })
    }

    fn current(&self) -> std::sync::MutexGuard<'_, (Option<Stamp>, Arc<CentralPapers>)> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn papers(&self) -> Arc<CentralPapers> {
        Arc::clone(&self.current().1)
    }
}

fn load_central(paths: &Paths) -> Result<(Option<Stamp>, Arc<CentralPapers>), PkiError> {
    let (authority, central, key) = (paths.authority(), paths.central(), paths.central_key());
    let stamp = Stamp::of(&central);
    let papers = Papers::read(
        (&authority, &files::read(&authority, authority::NEXT)?),
        (&central, &files::read(&central, authority::NEXT_CENTRAL)?),
        (&key, &files::read_secret(&key, authority::NEXT_CENTRAL)?),
        authority::NEXT_CENTRAL,
    )?;
    let verifier = WebPkiClientVerifier::builder_with_provider(papers.roots.clone(), provider())
        .build()
        .map_err(|error| PkiError::Malformed {
            file: authority,
            what: error.to_string(),
            next: authority::NEXT,
        })?;
    let current = CentralPapers { papers, verifier };
    // Building it once shows whether key and certificate belong together.
    server_tls(&current, &Verdict::default()).map_err(|source| PkiError::Tls {
        file: central,
        source,
        next: authority::NEXT_CENTRAL,
    })?;
    Ok((stamp, Arc::new(current)))
}

fn server_tls(current: &CentralPapers, verdict: &Verdict) -> Result<ServerConfig, Error> {
    let proof = Arc::new(EdgeProof {
        inner: Arc::clone(&current.verifier),
        verdict: verdict.clone(),
    });
    let mut tls = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(proof)
        .with_single_cert(current.papers.chain.clone(), current.papers.key.clone_key())?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    // A resumed session would not show its certificate again.
    tls.send_tls13_tickets = 0;
    Ok(tls)
}

/// An edge: its bundle.
#[derive(Debug)]
pub struct EdgeIdentity {
    file: PathBuf,
    expected: Option<String>,
    current: Mutex<(Option<Stamp>, Arc<EdgePapers>)>,
}

#[derive(Debug)]
struct EdgePapers {
    papers: Papers,
    name: String,
    central: String,
    addresses: Vec<String>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl EdgeIdentity {
    /// Reads it from a bundle; `expected` is the name that the edge's configuration gives it.
    pub fn load(file: &Path, expected: Option<&str>) -> Result<Self, PkiError> {
        Ok(Self {
            file: file.to_owned(),
            expected: expected.map(str::to_owned),
            current: Mutex::new(load_edge(file, expected)?),
        })
    }

    /// The edge's name.
    pub fn name(&self) -> String {
        self.papers().name.clone()
    }

    /// The name of its central.
    pub fn central(&self) -> String {
        self.papers().central.clone()
    }

    /// Where central is.
    pub fn addresses(&self) -> Vec<String> {
        self.papers().addresses.clone()
    }

    /// What the edge's certificate says.
    pub fn facts(&self) -> Facts {
        self.papers().papers.facts.clone()
    }

    /// What an operator should know about the edge's certificate, if anything.
    pub fn worry(&self, now: WallTime) -> Option<String> {
        self.papers().papers.worry(now)
    }

    /// Takes up a bundle that was carried here since; tells whether there was one. After an error the former one
    /// stays in use.
    pub fn reread(&self) -> Result<bool, PkiError> {
        let stamp = Stamp::of(&self.file);
        let before = self.current().0;
        if before == stamp {
            return Ok(false);
        }
        let new = load_edge(&self.file, self.expected.as_deref())?;
        *self.current() = new;
        Ok(true)
    }

    /// TLS for one handshake, and the name to ask for; why our end refused, if it does, is left in the verdict.
    pub fn tls(&self, verdict: &Verdict) -> Result<(ClientConfig, String), PkiError> {
        let current = self.papers();
        let tls = client_tls(&current, verdict).map_err(|source| PkiError::Tls {
            file: self.file.clone(),
            source,
            next: bundle::NEXT,
        })?;
        Ok((tls, central_dns(&current.central)))
    }

    fn current(&self) -> std::sync::MutexGuard<'_, (Option<Stamp>, Arc<EdgePapers>)> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn papers(&self) -> Arc<EdgePapers> {
        Arc::clone(&self.current().1)
    }
}

fn load_edge(
    file: &Path,
    expected: Option<&str>,
) -> Result<(Option<Stamp>, Arc<EdgePapers>), PkiError> {
    let stamp = Stamp::of(file);
    let bundle = Bundle::load(file)?;
    if let Some(expected) = expected.filter(|expected| *expected != bundle.edge) {
        return Err(PkiError::WrongEdge {
            file: file.to_owned(),
            holds: bundle.edge,
            expected: expected.to_owned(),
        });
    }
    let malformed = |what: String| PkiError::Malformed {
        file: file.to_owned(),
        what,
        next: bundle::NEXT,
    };
    let papers = Papers::read(
        (file, &bundle.authority),
        (file, &bundle.certificate),
        (file, &bundle.key),
        bundle::NEXT,
    )?;
    if papers.facts.owner != Owner::Edge(bundle.edge.clone()) {
        return Err(malformed(format!(
            "it says edge {}, and its certificate says {}",
            bundle.edge, papers.facts.owner
        )));
    }
    for address in &bundle.addresses {
        authority::check_address(address)?;
    }
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::clone(&papers.roots), provider())
            .build()
            .map_err(|error| malformed(error.to_string()))?;
    let current = EdgePapers {
        papers,
        name: bundle.edge,
        central: bundle.central,
        addresses: bundle.addresses,
        verifier,
    };
    client_tls(&current, &Verdict::default()).map_err(|source| PkiError::Tls {
        file: file.to_owned(),
        source,
        next: bundle::NEXT,
    })?;
    Ok((stamp, Arc::new(current)))
}

fn client_tls(current: &EdgePapers, verdict: &Verdict) -> Result<ClientConfig, Error> {
    let proof = Arc::new(CentralProof {
        inner: Arc::clone(&current.verifier),
        central: current.central.clone(),
        verdict: verdict.clone(),
    });
    let mut tls = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        // Ours demands more than the usual one, not less: see `proof`.
        .dangerous()
        .with_custom_certificate_verifier(proof)
        .with_client_auth_cert(current.papers.chain.clone(), current.papers.key.clone_key())?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.resumption = Resumption::disabled();
    Ok(tls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::link::pki::Authority;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    const LIFE: Duration = Duration::from_hours(365 * 24);

    struct Home {
        directory: tempfile::TempDir,
        authority: Authority,
    }

    fn home() -> Home {
        let directory = tempfile::tempdir().unwrap();
        let addresses = [String::from("127.0.0.1:25500")];
        let now = Clock::system().wall();
        let authority = Authority::init(directory.path(), "main", &addresses, now).unwrap();
        Home {
            directory,
            authority,
        }
    }

    #[test]
    fn a_bundle_that_cannot_be_used_says_why_and_what_to_do() {
        let mut home = home();
        let now = Clock::system().wall();
        let file = home.directory.path().join("oslo.pair");
        let said = |file: &Path, name| EdgeIdentity::load(file, name).unwrap_err().to_string();

        let error = said(&file, None);
        assert!(error.contains("cannot read") && error.contains("oslo.pair"));
        assert!(error.contains("carry the bundle"), "{error}");
        let bundle = home.authority.enrol("oslo", LIFE, now).unwrap();
        bundle.save(&file).unwrap();
        assert!(
            bundle
                .save(&file)
                .unwrap_err()
                .to_string()
                .contains("exists")
        );
        assert_eq!(
            EdgeIdentity::load(&file, Some("oslo")).unwrap().name(),
            "oslo"
        );
        let error = said(&file, Some("bergen"));
        assert!(error.contains("made for edge oslo") && error.contains("called bergen"));

        fs::set_permissions(&file, fs::Permissions::from_mode(0o604)).unwrap();
        let error = said(&file, None);
        assert!(error.contains("mode 0604"), "{error}");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        EdgeIdentity::load(&file, None).unwrap();

        let text = fs::read_to_string(&file).unwrap();
        let broken = |from: &str, to: &str| {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            fs::write(&file, changed).unwrap();
            said(&file, None)
        };
        assert!(broken("version = 1", "version = 9").contains("version 9"));
        assert!(
            broken("edge = \"oslo\"", "edge = \"bergen\"").contains("certificate says edge oslo")
        );
        assert!(broken("127.0.0.1:25500", "127.0.0.1").contains("write host:port"));
        let error = broken("BEGIN PRIVATE KEY", "BEGIN KEY");
        assert!(error.contains("the key cannot be read"), "{error}");
        let error = broken("key = \"", "key = 5 #");
        assert!(error.contains("line "), "{error}");
        assert!(!error.contains("PRIVATE"), "{error}");

        let other = home.authority.enrol("bergen", LIFE, now).unwrap();
        let mut mixed = bundle.clone();
        mixed.key = other.key;
        mixed.replace(&file).unwrap();
        assert!(said(&file, None).contains("cannot be used for TLS"));
    }

    #[test]
    fn renewed_papers_are_taken_up_and_damaged_ones_are_not() {
        let mut home = home();
        let now = Clock::system().wall();
        let file = home.directory.path().join("oslo.pair");
        home.authority
            .enrol("oslo", LIFE, now)
            .unwrap()
            .save(&file)
            .unwrap();
        let edge = EdgeIdentity::load(&file, None).unwrap();
        let central = CentralIdentity::load(home.directory.path()).unwrap();
        assert!(!edge.reread().unwrap() && !central.reread().unwrap());
        let before = (edge.facts().serial, central.facts().serial);

        fs::write(&file, "damaged").unwrap();
        edge.reread().unwrap_err();
        assert_eq!(edge.facts().serial, before.0);
        let renewed = home.authority.renew("oslo", LIFE, LIFE, now).unwrap();
        renewed.replace(&file).unwrap();
        assert!(edge.reread().unwrap());
        assert_ne!(edge.facts().serial, before.0);

        home.authority.renew_central(LIFE, now).unwrap();
        assert!(central.reread().unwrap());
        assert_ne!(central.facts().serial, before.1);
        fs::write(home.directory.path().join("central.key"), "x").unwrap();
        fs::write(home.directory.path().join("central.pem"), "x").unwrap();
        let error = central.reread().unwrap_err().to_string();
        assert!(error.contains("sluice pair renew --central"), "{error}");
        central.tls(&Verdict::default()).unwrap();
    }

    #[test]
    fn a_certificate_near_its_end_is_a_worry() {
        let mut home = home();
        let now = Clock::system().wall();
        let file = home.directory.path().join("oslo.pair");
        home.authority
            .enrol("oslo", LIFE, now)
            .unwrap()
            .save(&file)
            .unwrap();
        let edge = EdgeIdentity::load(&file, None).unwrap();
        assert_eq!(edge.worry(now), None);
        let worry = edge.worry(now + Duration::from_hours(340 * 24)).unwrap();
        assert!(worry.contains("expires on") && worry.contains("pair renew oslo"));
        let worry = edge.worry(now + Duration::from_hours(366 * 24)).unwrap();
        assert!(worry.contains("expired on"), "{worry}");
        let worry = edge.worry(WallTime::from_unix_ms(0)).unwrap();
        assert!(worry.contains("set the clock"), "{worry}");
    }
}
