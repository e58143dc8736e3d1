//! The one file that is carried to an edge: whom it trusts, who it is, and where central is.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::PkiError;
use super::files;

/// The form of the file that this version writes.
const VERSION: u32 = 1;

/// What to do about a bundle that cannot be used.
pub(super) const NEXT: &str =
    "carry the bundle here again, or make a new one at central with `sluice pair renew`";

/// What an edge is paired with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    version: u32,
    /// The edge's name.
    pub edge: String,
    /// The name of its central.
    pub central: String,
    /// Where central can be reached, as `host:port`, the best first.
    pub addresses: Vec<String>,
    /// The authority's certificate, as PEM.
    pub authority: String,
    /// The edge's certificate, as PEM.
    pub certificate: String,
    /// The edge's private key, as PEM.
    pub key: String,
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bundle")
            .field("edge", &self.edge)
            .field("central", &self.central)
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

impl Bundle {
    pub(super) fn new(
        edge: &str,
        central: &str,
        addresses: &[String],
        authority: &str,
        certificate: String,
        key: String,
    ) -> Self {
        Self {
            version: VERSION,
            edge: edge.to_owned(),
            central: central.to_owned(),
            addresses: addresses.to_vec(),
            authority: authority.to_owned(),
            certificate,
            key,
        }
    }

    /// Writes it to a file of its own that must not be there yet, readable for its owner alone.
    pub fn save(&self, file: &Path) -> Result<(), PkiError> {
        files::write_first(file, &self.written())
    }

    /// Writes it over the file that is there, in one step.
    pub fn replace(&self, file: &Path) -> Result<(), PkiError> {
        files::write(file, &self.written())
    }

    fn written(&self) -> String {
        let body = toml::to_string(self).expect("a bundle is plain text");
        format!(
            "# Pairing of edge {} with central {}. It holds the edge's private key: whoever has this file is the edge.\n\
             # Carry it to the edge over a channel you trust, and keep no copy.\n\n{body}",
            self.edge, self.central
        )
    }

    /// Reads a bundle's file.
    pub fn load(file: &Path) -> Result<Self, PkiError> {
        let text = files::read_secret(file, NEXT)?;
        let malformed = |what| PkiError::Malformed {
            file: file.to_owned(),
            what,
            next: NEXT,
        };
        // Anything a parser says may quote the line it stumbled over, and that may be the key: the place is enough.
        let bundle: Self = toml::from_str(&text).map_err(|error| {
            let line = error
                .span()
                .map(|span| 1 + text[..span.start].matches('\n').count());
            malformed(match line {
                Some(line) => format!("line {line}: {}", error.message()),
                None => error.message().to_owned(),
            })
        })?;
        if bundle.version != VERSION {
            return Err(malformed(format!(
                "it has version {}, this program knows version {VERSION}",
                bundle.version
            )));
        }
        if bundle.addresses.is_empty() {
            return Err(malformed(String::from("it names no address of central")));
        }
        Ok(bundle)
    }
}
