//! The authority's directory at central, and what an operator does with it.
//!
//! | file | holds |
//! |---|---|
//! | `authority.pem`, `authority.key` | the authority's certificate and private key |
//! | `central.pem`, `central.key` | central's own |
//! | `authority.toml` | central's name and addresses, which go into bundles |
//! | `register.toml` | what was given to edges: see [`Register`] |
//!
//! The directory has mode 0700 and every file 0600. An edge's key is made here, goes into its bundle, and is not kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{Issuer, KeyPair};
use serde::{Deserialize, Serialize};

use super::bundle::Bundle;
use super::certificate::{self, Facts, Owner, check_central, check_name};
use super::error::PkiError;
use super::files::{self, Lock, Stamp};
use super::register::{Enrolled, Register};
use crate::clock::WallTime;

/// The authority's directory at central, unless another is configured.
pub const DIRECTORY: &str = "/var/lib/sluice/pki";
/// How long a certificate of an edge or a central is good if nothing else is said: long enough that renewal is a
/// yearly habit with two spare years, short enough that a forgotten edge does not stay one for ever.
pub const CERTIFICATE_LIFE: Duration = Duration::from_hours(3 * 365 * 24);
/// How long an authority is good. Its end ends every pairing, so it outlives the hardware.
const AUTHORITY_LIFE: Duration = Duration::from_hours(25 * 365 * 24);
/// How long a renewed edge may go on with its former certificate: time to carry the new bundle there.
pub const RENEWAL_GRACE: Duration = Duration::from_hours(14 * 24);

/// What to do about a file of the authority that cannot be used.
pub(super) const NEXT: &str = "bring it back from a backup of this directory; without one, move the directory away, run `sluice pair init` and enrol every edge anew";
/// The same for central's own certificate, which can be made again.
pub(super) const NEXT_CENTRAL: &str = "run `sluice pair renew --central`";

/// Where things are in an authority's directory.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    pub(super) directory: PathBuf,
}

impl Paths {
    pub(super) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }
    pub(super) fn authority(&self) -> PathBuf {
        self.directory.join("authority.pem")
    }
    fn authority_key(&self) -> PathBuf {
        self.directory.join("authority.key")
    }
    pub(super) fn central(&self) -> PathBuf {
        self.directory.join("central.pem")
    }
    pub(super) fn central_key(&self) -> PathBuf {
        self.directory.join("central.key")
    }
    pub(super) fn settings(&self) -> PathBuf {
        self.directory.join("authority.toml")
    }
    pub(super) fn register(&self) -> PathBuf {
        self.directory.join("register.toml")
    }
    pub(super) fn check_there(&self) -> Result<(), PkiError> {
        let file = self.authority();
        match file.try_exists() {
            Ok(true) => Ok(()),
            Ok(false) => Err(PkiError::NoAuthority {
                directory: self.directory.clone(),
            }),
            Err(source) => Err(PkiError::Read {
                file,
                source,
                next: super::files::RIGHTS,
            }),
        }
    }
}

/// What goes into every bundle.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// Central's name.
    pub(super) central: String,
    /// Where edges reach it.
    pub(super) addresses: Vec<String>,
}

impl Settings {
    pub(super) fn load(paths: &Paths) -> Result<Self, PkiError> {
        let file = paths.settings();
        let text = files::read(&file, NEXT)?;
        toml::from_str(&text).map_err(|error| PkiError::Malformed {
            file,
            what: error.to_string(),
            next: NEXT,
        })
    }
}

/// Reads a register.
pub(super) fn load_register(paths: &Paths) -> Result<Register, PkiError> {
    let file = paths.register();
    let text = files::read(&file, NEXT)?;
    Register::read(&text).map_err(|what| PkiError::Malformed {
        file,
        what,
        next: NEXT,
    })
}

/// How a certificate stands at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It lets its edge in.
    Good,
    /// It does so until its replacement takes over.
    Retiring,
    /// A renewal replaced it.
    Retired,
    /// Its time is over.
    Expired,
    /// It was taken away.
    Revoked,
}

impl Standing {
    fn of(one: &Enrolled, now: WallTime) -> Self {
        match (one.revoked, one.retires) {
            (Some(_), _) => Self::Revoked,
            (None, Some(at)) if at <= now => Self::Retired,
            (None, _) if one.expires <= now => Self::Expired,
            (None, Some(_)) => Self::Retiring,
            (None, None) => Self::Good,
        }
    }

    /// One word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// A line of the list of enrolled edges.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// The certificate.
    pub enrolled: Enrolled,
    /// How it stands now.
    pub standing: Standing,
}

/// An operator's authority, to be worked with: one process at a time.
#[derive(Debug)]
pub struct Authority {
    paths: Paths,
    settings: Settings,
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
    register: Register,
    _lock: Lock,
}

impl Authority {
    /// Makes an authority in a directory of its own, with central's certificate.
    pub fn init(
        directory: &Path,
        central: &str,
        addresses: &[String],
        now: WallTime,
    ) -> Result<Self, PkiError> {
        check_central(central)?;
        if addresses.is_empty() {
            return Err(PkiError::NoAddress);
        }
        for address in addresses {
            check_address(address)?;
        }
        let paths = Paths::new(directory);
        files::make_directory(directory)?;
        let lock = Lock::take(directory)?;
        // A key without its certificate is the remainder of an `init` that was interrupted, and signed nothing.
        if Stamp::of(&paths.authority()).is_some() {
            return Err(PkiError::AuthorityExists {
                file: paths.authority(),
            });
        }
        let made = certificate::make_authority(now, AUTHORITY_LIFE)?;
        let settings = Settings {
            central: central.to_owned(),
            addresses: addresses.to_vec(),
        };
        files::write(
            &paths.settings(),
            &toml::to_string(&settings).expect("names and addresses are plain text"),
        )?;
        files::write(&paths.register(), &Register::default().write())?;
        files::write(&paths.authority_key(), &made.key)?;
        // The certificate comes last: only with it the directory holds an authority.
        files::write(&paths.authority(), &made.certificate)?;
        drop(lock);
        let authority = Self::open(directory)?;
        authority.renew_central(CERTIFICATE_LIFE, now)?;
        Ok(authority)
    }

    /// Opens the authority in that directory.
    pub fn open(directory: &Path) -> Result<Self, PkiError> {
        let paths = Paths::new(directory);
        paths.check_there()?;
        let lock = Lock::take(directory)?;
        let certificate = files::read(&paths.authority(), NEXT)?;
        let key_file = paths.authority_key();
        let key = KeyPair::from_pem(&files::read_secret(&key_file, NEXT)?).map_err(|error| {
            PkiError::Malformed {
                file: key_file,
                what: error.to_string(),
                next: NEXT,
            }
        })?;
        let issuer =
            Issuer::from_ca_cert_pem(&certificate, key).map_err(|error| PkiError::Malformed {
                file: paths.authority(),
                what: error.to_string(),
                next: NEXT,
            })?;
        Ok(Self {
            settings: Settings::load(&paths)?,
            register: load_register(&paths)?,
            certificate,
            issuer,
            paths,
            _lock: lock,
        })
    }

    /// Central's name.
    pub fn central(&self) -> &str {
        &self.settings.central
    }

    /// Where edges reach central.
    pub fn addresses(&self) -> &[String] {
        &self.settings.addresses
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.paths.directory
    }

    /// Gives an edge its first certificate, or a new one after the last was revoked or has expired.
    pub fn enrol(&mut self, edge: &str, life: Duration, now: WallTime) -> Result<Bundle, PkiError> {
        check_name(edge)?;
        if let Some(good) = self.register.of(edge).rfind(|one| one.is_good(now)) {
            return Err(PkiError::AlreadyEnrolled {
                name: edge.to_owned(),
                expires: good.expires,
            });
        }
        self.give(edge, life, now)
    }

    /// Gives an enrolled edge a new certificate; its former one is good for `grace` longer, at most.
    pub fn renew(
        &mut self,
        edge: &str,
        life: Duration,
        grace: Duration,
        now: WallTime,
    ) -> Result<Bundle, PkiError> {
        let Some(last) = self.register.of(edge).next_back() else {
            return Err(self.unknown(edge));
        };
        if let Some(at) = last.revoked {
            return Err(PkiError::Revoked {
                name: edge.to_owned(),
                at,
            });
        }
        self.register.retire(edge, now, now + grace);
        self.give(edge, life, now)
    }

    /// Takes an edge's certificates away; how many. Central cuts the edge off as soon as it sees the register change.
    pub fn revoke(
        &mut self,
        edge: &str,
        because: Option<&str>,
        now: WallTime,
    ) -> Result<usize, PkiError> {
        if self.register.of(edge).next().is_none() {
            return Err(self.unknown(edge));
        }
        let count = self.register.revoke(edge, now, because);
        files::write(&self.paths.register(), &self.register.write())?;
        Ok(count)
    }

    /// Gives central a new certificate and key; a running central takes them up by itself.
    pub fn renew_central(&self, life: Duration, now: WallTime) -> Result<Facts, PkiError> {
        let owner = Owner::Central(self.settings.central.clone());
        let made = certificate::make_leaf(&self.issuer, &owner, now, life)?;
        // Certificate and key stand in one file each; a reader that meets a new one beside an old one refuses the
        // pair, keeps what it had, and looks again.
        files::write(&self.paths.central_key(), &made.key)?;
        files::write(&self.paths.central(), &made.certificate)?;
        Ok(made.facts)
    }

    /// Everything that was given out, the oldest first.
    pub fn list(&self, now: WallTime) -> Vec<Listed> {
        self.register
            .certificates()
            .iter()
            .map(|one| Listed {
                enrolled: one.clone(),
                standing: Standing::of(one, now),
            })
            .collect()
    }

    fn give(&mut self, edge: &str, life: Duration, now: WallTime) -> Result<Bundle, PkiError> {
        let owner = Owner::Edge(edge.to_owned());
        let made = certificate::make_leaf(&self.issuer, &owner, now, life)?;
        self.register.enter(Enrolled {
            edge: edge.to_owned(),
            serial: made.facts.serial,
            issued: now,
            expires: made.facts.until,
            retires: None,
            revoked: None,
            because: None,
        });
        files::write(&self.paths.register(), &self.register.write())?;
        Ok(Bundle::new(
            edge,
            &self.settings.central,
            &self.settings.addresses,
            &self.certificate,
            made.certificate,
            made.key,
        ))
    }

    fn unknown(&self, name: &str) -> PkiError {
        let edges = self.register.edges();
        let known = match edges.as_slice() {
            [] => String::from("none is enrolled yet; `sluice pair enrol` does it"),
            some => format!("enrolled are {}", some.join(", ")),
        };
        PkiError::UnknownEdge {
            name: name.to_owned(),
            known,
        }
    }
}

/// Checks that an address is of the form `host:port`.
pub(super) fn check_address(address: &str) -> Result<(), PkiError> {
    let good = address.rsplit_once(':').is_some_and(|(host, port)| {
        let bare = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
        !host.is_empty()
            && bare
            && !host.chars().any(char::is_whitespace)
            && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    match good {
        true => Ok(()),
        false => Err(PkiError::Address {
            address: address.to_owned(),
        }),
    }
}

/// Names and permissions of what a directory holds.
#[cfg(test)]
fn files_of(directory: &Path) -> Vec<(String, u32)> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
            (entry.file_name().into_string().unwrap(), mode)
        })
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    const NOW: WallTime = WallTime::from_unix_ms(1_795_248_785_000);
    const LIFE: Duration = Duration::from_hours(24);

    fn address() -> Vec<String> {
        vec![String::from("central.example.net:25500")]
    }

    #[test]
    fn secrets_are_for_their_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("state/pki");
        let mut authority = Authority::init(&directory, "main", &address(), NOW).unwrap();
        let mode = fs::metadata(&directory).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700);
        let bundle = authority.enrol("oslo", LIFE, NOW).unwrap();
        bundle.save(&directory.join("oslo.pair")).unwrap();
        for (name, mode) in files_of(&directory) {
            assert_eq!(mode, 0o600, "{name}");
        }
        assert_eq!(Bundle::load(&directory.join("oslo.pair")).unwrap(), bundle);
        assert!(!format!("{bundle:?}").contains("PRIVATE KEY"));
    }

    #[test]
    fn each_refusal_names_its_file_and_the_next_step() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("pki");
        let said = |error: PkiError| error.to_string();

        let error = said(Authority::open(&directory).unwrap_err());
        assert!(error.contains("pki holds no authority"), "{error}");
        assert!(error.contains("sluice pair init"), "{error}");
        let error = said(Authority::init(&directory, "main", &[], NOW).unwrap_err());
        assert!(error.contains("--address"), "{error}");
        for wrong in [
            "central",
            "central:",
            ":1",
            "::1:25500",
            "a b:1",
            "central:0",
        ] {
            let error = Authority::init(&directory, "main", &[wrong.to_owned()], NOW);
            assert!(said(error.unwrap_err()).contains("write host:port"));
        }
        let error = said(Authority::init(&directory, "Main", &address(), NOW).unwrap_err());
        assert!(error.contains("\"Main\" cannot be a name"), "{error}");

        let mut authority = Authority::init(&directory, "main", &address(), NOW).unwrap();
        let error = said(Authority::open(&directory).unwrap_err());
        assert!(error.contains("another `sluice pair`"), "{error}");
        let error = said(authority.renew("oslo", LIFE, LIFE, NOW).unwrap_err());
        assert!(error.contains("none is enrolled yet"), "{error}");
        authority.enrol("oslo", LIFE, NOW).unwrap();
        let error = said(authority.enrol("oslo", LIFE, NOW).unwrap_err());
        assert!(error.contains("sluice pair renew oslo"), "{error}");
        let error = said(authority.revoke("olso", None, NOW).unwrap_err());
        assert!(error.contains("enrolled are oslo"), "{error}");
        assert_eq!(authority.revoke("oslo", None, NOW).unwrap(), 1);
        let error = said(authority.renew("oslo", LIFE, LIFE, NOW).unwrap_err());
        assert!(error.contains("sluice pair enrol oslo"), "{error}");
        drop(authority);
        let error = said(Authority::init(&directory, "main", &address(), NOW).unwrap_err());
        assert!(error.contains("authority.pem is already there"), "{error}");

        let key = directory.join("authority.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let error = said(Authority::open(&directory).unwrap_err());
        assert!(error.contains("authority.key") && error.contains("mode 0644"));
        assert!(error.contains("chmod"), "{error}");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&key, "nonsense").unwrap();
        let error = said(Authority::open(&directory).unwrap_err());
        assert!(error.contains("authority.key is damaged"), "{error}");
        assert!(error.contains("backup"), "{error}");
        fs::remove_file(&key).unwrap();
        let error = said(Authority::open(&directory).unwrap_err());
        assert!(error.contains("cannot read") && error.contains("backup"));
    }

    #[test]
    fn a_renewed_edge_keeps_its_former_certificate_for_a_while() {
        let home = tempfile::tempdir().unwrap();
        let mut authority = Authority::init(home.path(), "main", &address(), NOW).unwrap();
        let first = authority.enrol("oslo", LIFE, NOW).unwrap();
        let grace = Duration::from_hours(2);
        let second = authority.renew("oslo", LIFE, grace, NOW).unwrap();
        assert_ne!(first.key, second.key);
        let standing = |at| -> Vec<_> {
            authority
                .list(at)
                .into_iter()
                .map(|one| one.standing.as_str())
                .collect()
        };
        assert_eq!(standing(NOW), ["retiring", "good"]);
        assert_eq!(standing(NOW + grace), ["retired", "good"]);
        assert_eq!(standing(NOW + LIFE), ["retired", "expired"]);
    }

    #[test]
    fn a_revoked_edge_may_be_enrolled_anew() {
        let home = tempfile::tempdir().unwrap();
        let mut authority = Authority::init(home.path(), "main", &address(), NOW).unwrap();
        authority.enrol("oslo", LIFE, NOW).unwrap();
        authority.revoke("oslo", Some("stolen"), NOW).unwrap();
        authority.enrol("oslo", LIFE, NOW).unwrap();
        drop(authority);
        let authority = Authority::open(home.path()).unwrap();
        let listed = authority.list(NOW);
        assert_eq!(listed[0].standing, Standing::Revoked);
        assert_eq!(listed[0].enrolled.because.as_deref(), Some("stolen"));
        assert_eq!(listed[1].standing, Standing::Good);
    }
}
