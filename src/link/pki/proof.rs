//! What each end demands of the other's certificate during the handshake, and the words for it.
//!
//! The handshake proves that the far end holds a key that our authority signed, for the purpose it is used for; on
//! the edge's side also the name and the time. At central everything else is said after the handshake ([`Gate`]
//! decides it), because only then the edge can be told the reason in words: a TLS alert is a number. Therefore
//! central verifies an edge's certificate as of a time at which it was good.
//!
//! [`Gate`]: super::Gate

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, DigitallySignedStruct, DistinguishedName, Error,
    SignatureScheme,
};

use super::certificate::{Facts, distance, unix, wall};
use super::times::written;
use crate::clock::WallTime;

/// Where one handshake leaves the reason for which our end refused the other's certificate.
#[derive(Clone, Debug, Default)]
pub struct Verdict(Arc<OnceLock<String>>);

impl Verdict {
    /// The reason, if our end refused.
    pub fn words(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }

    fn say(&self, words: String) {
        // One handshake refuses once.
        let _ = self.0.set(words);
    }
}

/// A time at which the certificate is good, as near to now as can be.
fn good_time(facts: &Facts, now: UnixTime) -> UnixTime {
    let now = now.as_secs();
    let from = unix(facts.from).as_secs();
    let until = unix(facts.until).as_secs();
    let at = now.min(until.saturating_sub(1)).max(from);
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(at))
}

/// The words for a certificate that proves nothing.
fn words(error: &Error, facts: &Facts, whom: &str) -> String {
    let Error::InvalidCertificate(error) = error else {
        return format!("{whom} cannot be verified: {error}");
    };
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
            "{whom} is not signed by our authority; it was paired with another central, or the authority was made anew since"
        ),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            format!(
                "{whom} is that of {}, which cannot be used at this end",
                facts.owner
            )
        }
        other => format!("{whom} cannot be accepted: {other}"),
    }
}

/// What an edge demands of central.
pub(super) struct CentralProof {
    pub(super) inner: Arc<WebPkiServerVerifier>,
    pub(super) central: String,
    pub(super) verdict: Verdict,
}

impl CentralProof {
    fn check(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<ServerCertVerified, (Error, String)> {
        const WHOM: &str = "the far end's certificate";
        let facts = Facts::read(shown).map_err(|what| {
            let error = CertificateError::BadEncoding;
            (error.into(), format!("{WHOM} cannot be read: {what}"))
        })?;
        let genuine = self
            .inner
            .verify_server_cert(shown, between, name, &[], good_time(&facts, now))
            .map_err(|error| {
                let said = match &error {
                    Error::InvalidCertificate(
                        CertificateError::NotValidForName
                        | CertificateError::NotValidForNameContext { .. },
                    ) => format!(
                        "the far end is {}, and this edge was paired with central {}; check the address",
                        facts.owner, self.central
                    ),
                    _ => words(&error, &facts, WHOM),
                };
                (error, said)
            })?;
        let clock = wall(std::time::Duration::from_secs(now.as_secs()));
        match time_words(&facts, clock) {
            None => Ok(genuine),
            Some((error, said)) => Err((error.into(), said)),
        }
    }
}

/// Whether central's certificate is good at what an edge's clock says.
fn time_words(facts: &Facts, clock: WallTime) -> Option<(CertificateError, String)> {
    if clock < facts.from {
        let said = format!(
            "central's certificate is not yet valid: it begins on {} ({}), and the clock of this machine says {}; set the clock",
            written(facts.from),
            distance(clock, facts.from),
            written(clock)
        );
        return Some((CertificateError::NotValidYet, said));
    }
    if clock >= facts.until {
        let said = format!(
            "central's certificate expired on {} ({}), and the clock of this machine says {}; if the clock is right, run `sluice pair renew --central` at central",
            written(facts.until),
            distance(clock, facts.until),
            written(clock)
        );
        return Some((CertificateError::Expired, said));
    }
    None
}

impl fmt::Debug for CentralProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CentralProof({})", self.central)
    }
}

impl ServerCertVerifier for CentralProof {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(shown, between, name, now)
            .map_err(|(error, said)| {
                self.verdict.say(said);
                error
            })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, shown, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// What central demands of an edge during the handshake.
pub(super) struct EdgeProof {
    pub(super) inner: Arc<dyn ClientCertVerifier>,
    pub(super) verdict: Verdict,
}

impl fmt::Debug for EdgeProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EdgeProof")
    }
}

impl ClientCertVerifier for EdgeProof {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Whom we trust is nobody's business before they have shown who they are.
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        const WHOM: &str = "the certificate of who called";
        let facts = Facts::read(shown).map_err(|what| {
            self.verdict.say(format!("{WHOM} cannot be read: {what}"));
            Error::from(CertificateError::BadEncoding)
        })?;
        self.inner
            .verify_client_cert(shown, between, good_time(&facts, now))
            .inspect_err(|error| self.verdict.say(words(error, &facts, WHOM)))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, shown, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// The words for an alert by which the far end refused us.
pub fn alert_words(alert: AlertDescription) -> String {
    use AlertDescription as Alert;
    match alert {
        Alert::CertificateExpired => String::from(
            "the far end finds our certificate expired or not yet valid; compare the clocks of both machines, and look with `sluice pair list`",
        ),
        Alert::CertificateRevoked => String::from("the far end finds our certificate revoked"),
        Alert::UnknownCA | Alert::DecryptError => String::from(
            "the far end does not know the authority that signed our certificate; it was paired with another central, or the authority was made anew since",
        ),
        Alert::UnsupportedCertificate => String::from(
            "the far end does not take our certificate for this purpose; the address may lead to another edge, or a central's certificate was used as an edge's",
        ),
        Alert::BadCertificate | Alert::CertificateUnknown | Alert::AccessDenied => String::from(
            "the far end does not accept our certificate; it may expect another name, its log tells",
        ),
        Alert::CertificateRequired => {
            String::from("the far end demands a certificate, and none was shown")
        }
        Alert::NoApplicationProtocol => {
            String::from("the far end is no Sluice, or one that speaks another version of the link")
        }
        Alert::ProtocolVersion => String::from("the far end does not speak TLS 1.3"),
        other => format!("the far end broke the handshake off ({other:?})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::pki::Owner;
    use std::time::Duration;

    #[test]
    fn a_clock_wrong_by_years_is_called_so() {
        let made = WallTime::from_unix_ms(1_795_248_785_000);
        let facts = Facts {
            owner: Owner::Central(String::from("main")),
            serial: String::from("01"),
            from: made,
            until: made + Duration::from_hours(24),
        };
        assert!(time_words(&facts, made).is_none());
        let (_, said) = time_words(&facts, WallTime::from_unix_ms(0)).unwrap();
        assert_eq!(
            said,
            "central's certificate is not yet valid: it begins on 2026-11-21T08:13:05Z (in 56 years), and the clock of this machine says 1970-01-01T00:00:00Z; set the clock"
        );
        let late = made + Duration::from_hours(10 * 366 * 24);
        let (_, said) = time_words(&facts, late).unwrap();
        assert!(said.contains("expired on 2026-11-22") && said.contains("10 years ago"));
        assert!(said.contains("sluice pair renew --central"), "{said}");
    }

    #[test]
    fn every_alert_has_words() {
        for code in 0..=255 {
            assert!(alert_words(AlertDescription::from(code)).starts_with("the far end"));
        }
    }
}
