//! What can go wrong with pairing, each with the file it is about and what to do next.

use std::io;
use std::path::PathBuf;

use crate::lane::NameError;

/// Why pairing, or loading what pairing made, failed.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// No authority where one was looked for.
    #[error(
        "{} holds no authority; make one with `sluice pair init`, or name its directory with --directory",
        directory.display()
    )]
    NoAuthority {
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// An authority is there already.
    #[error(
        "{} is already there, and every enrolled edge depends on it; to begin anew, move the directory away first",
        file.display()
    )]
    AuthorityExists {
        /// The authority's certificate.
        file: PathBuf,
    },
    /// Another `sluice pair` is at work.
    #[error("another `sluice pair` is changing {}; try again when it has finished", directory.display())]
    Busy {
        /// The authority's directory.
        directory: PathBuf,
    },
    /// A file could not be read.
    #[error("cannot read {}: {source}; {next}", file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// What the machine said.
        source: io::Error,
        /// What to do.
        next: &'static str,
    },
    /// A file could not be written.
    #[error("cannot write {}: {source}; check that the directory is there, that it is yours, and that it has room", file.display())]
    Write {
        /// Which.
        file: PathBuf,
        /// What the machine said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{} is damaged or not ours: {what}; {next}", file.display())]
    Malformed {
        /// Which.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
        /// What to do.
        next: &'static str,
    },
    /// A secret that anybody may read.
    #[error(
        "{} holds a private key and has mode {mode:04o}, so everybody on this machine can read it; run `chmod 640` on it, and enrol anew if somebody did",
        file.display()
    )]
    TooOpen {
        /// Which.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A name that is none.
    #[error("{name:?} cannot be a name: {source}")]
    Name {
        /// What was given.
        name: String,
        /// Why not.
        source: NameError,
    },
    /// An address that is none.
    #[error(
        "{address:?} is no address of central; write host:port, as in central.example.net:25500"
    )]
    Address {
        /// What was given.
        address: String,
    },
    /// No address was given.
    #[error(
        "edges have to know where central is; give its address, as in --address central.example.net:25500"
    )]
    NoAddress,
    /// The name has a certificate that is good.
    #[error(
        "{name} is enrolled already, until {expires}; `sluice pair renew {name}` makes a new certificate, `sluice pair revoke {name}` takes the old one away"
    )]
    AlreadyEnrolled {
        /// The edge.
        name: String,
        /// Until when its certificate is good.
        expires: crate::clock::WallTime,
    },
    /// Nothing is known by that name.
    #[error("no edge is enrolled as {name}; {known}")]
    UnknownEdge {
        /// What was given.
        name: String,
        /// What is enrolled.
        known: String,
    },
    /// The name has no certificate that could be renewed.
    #[error(
        "{name} was revoked on {at}; if it may come back, `sluice pair enrol {name}` makes a new pairing"
    )]
    Revoked {
        /// The edge.
        name: String,
        /// When.
        at: crate::clock::WallTime,
    },
    /// The bundle belongs to another edge.
    #[error("{} was made for edge {holds}, and this edge is called {expected}; carry here the bundle that `sluice pair enrol {expected}` made", file.display())]
    WrongEdge {
        /// The bundle.
        file: PathBuf,
        /// Whose it is.
        holds: String,
        /// Who we are.
        expected: String,
    },
    /// Making a key or certificate failed.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// The TLS library refused what the files hold.
    #[error("{} cannot be used for TLS: {source}; {next}", file.display())]
    Tls {
        /// Where it came from.
        file: PathBuf,
        /// What the library said.
        source: tokio_rustls::rustls::Error,
        /// What to do.
        next: &'static str,
    },
}
