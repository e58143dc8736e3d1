//! Who is admitted: the register as it is now, against the certificate that was shown.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::authority::{Paths, load_register};
use super::certificate::{Facts, Owner, distance};
use super::error::PkiError;
use super::files::Stamp;
use super::register::Register;
use super::times::written;
use crate::clock::WallTime;

/// Why somebody with a genuine certificate is not admitted. The words go to the far end too.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// The certificate is not an edge's.
    #[error("this certificate is that of {0}, and only edges are let in")]
    NotAnEdge(Owner),
    /// The certificate is in no register.
    #[error(
        "edge {edge} is not enrolled here: certificate {serial} is not in the register; run `sluice pair enrol {edge}` at central and carry the bundle to the edge"
    )]
    NotEnrolled {
        /// Who it says it is.
        edge: String,
        /// Its certificate.
        serial: String,
    },
    /// The certificate was given to an edge of another name.
    #[error("certificate {serial} says edge {edge} and was given to edge {given_to}")]
    OtherName {
        /// Who it says it is.
        edge: String,
        /// Its certificate.
        serial: String,
        /// Who the register says it is.
        given_to: String,
    },
    /// The edge was revoked.
    #[error("edge {edge} was revoked on {}{}", written(*at), because.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    Revoked {
        /// The edge.
        edge: String,
        /// When.
        at: WallTime,
        /// In the operator's words.
        because: Option<String>,
    },
    /// A renewal replaced the certificate.
    #[error("edge {edge} has a newer certificate, and this one ended on {}; carry the newer bundle to the edge", written(*at))]
    Retired {
        /// The edge.
        edge: String,
        /// When.
        at: WallTime,
    },
    /// Its time is over.
    #[error("the certificate of edge {edge} expired on {} ({}; central's clock says {}); run `sluice pair renew {edge}` at central and carry the bundle to the edge", written(*until), distance(*now, *until), written(*now))]
    Expired {
        /// The edge.
        edge: String,
        /// Until when it was good.
        until: WallTime,
        /// What the clock says.
        now: WallTime,
    },
    /// Its time has not come.
    #[error("the certificate of edge {edge} is not yet valid: it begins on {} ({}), and central's clock says {}; set central's clock", written(*from), distance(*now, *from), written(*now))]
    NotYet {
        /// The edge.
        edge: String,
        /// From when it is good.
        from: WallTime,
        /// What the clock says.
        now: WallTime,
    },
}

/// What looking at the register's file came to.
#[derive(Debug)]
pub enum Reread {
    /// It is as it was.
    Same,
    /// It was read; who is connected has to be looked at anew.
    Changed,
    /// It changed and cannot be used: what was known before is kept.
    Failed(PkiError),
}

/// The register as central last read it.
#[derive(Debug)]
pub struct Gate {
    paths: Paths,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    stamp: Option<Stamp>,
    register: Arc<Register>,
}

impl Gate {
    /// Reads the register of that directory.
    pub fn open(directory: &Path) -> Result<Self, PkiError> {
        let paths = Paths::new(directory);
        paths.check_there()?;
        // The stamp first: a change after it is seen next time.
        let stamp = Stamp::of(&paths.register());
        let register = Arc::new(load_register(&paths)?);
        Ok(Self {
            paths,
            state: Mutex::new(State { stamp, register }),
        })
    }

    /// Reads the register again if its file changed.
    pub fn reread(&self) -> Reread {
        let stamp = Stamp::of(&self.paths.register());
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.stamp == stamp {
            return Reread::Same;
        }
        state.stamp = stamp;
        match load_register(&self.paths) {
            Ok(register) => {
                state.register = Arc::new(register);
                Reread::Changed
            }
            Err(error) => Reread::Failed(error),
        }
    }

    /// Whether the holder of that certificate is admitted now, and under which name.
    pub fn admit(&self, facts: &Facts, now: WallTime) -> Result<String, Refusal> {
        let register = Arc::clone(
            &self
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .register,
        );
        admit(&register, facts, now)
    }
}

fn admit(register: &Register, facts: &Facts, now: WallTime) -> Result<String, Refusal> {
    let Owner::Edge(edge) = &facts.owner else {
        return Err(Refusal::NotAnEdge(facts.owner.clone()));
    };
    let edge = edge.clone();
    let Some(one) = register.by_serial(&facts.serial) else {
        return Err(Refusal::NotEnrolled {
            edge,
            serial: facts.serial.clone(),
        });
    };
    if one.edge != edge {
        return Err(Refusal::OtherName {
            edge,
            serial: facts.serial.clone(),
            given_to: one.edge.clone(),
        });
    }
    if let Some(at) = one.revoked {
        let because = one.because.clone();
        return Err(Refusal::Revoked { edge, at, because });
    }
    if now < facts.from {
        let from = facts.from;
        return Err(Refusal::NotYet { edge, from, now });
    }
    // The register may end a certificate earlier than it says itself, never later.
    let until = facts.until.min(one.expires);
    if now >= until {
        return Err(Refusal::Expired { edge, until, now });
    }
    if let Some(at) = one.retires.filter(|at| *at <= now) {
        return Err(Refusal::Retired { edge, at });
    }
    Ok(edge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::pki::Enrolled;
    use std::time::Duration;

    const NOW: WallTime = WallTime::from_unix_ms(1_795_248_785_000);
    const DAY: Duration = Duration::from_hours(24);

    fn facts() -> Facts {
        Facts {
            owner: Owner::Edge(String::from("oslo")),
            serial: String::from("4a01"),
            from: NOW,
            until: NOW + DAY,
        }
    }

    fn register() -> Register {
        let mut register = Register::default();
        register.enter(Enrolled {
            edge: String::from("oslo"),
            serial: String::from("4a01"),
            issued: NOW,
            expires: NOW + DAY,
            retires: None,
            revoked: None,
            because: None,
        });
        register
    }

    fn words(register: &Register, facts: &Facts, now: WallTime) -> String {
        admit(register, facts, now).unwrap_err().to_string()
    }

    #[test]
    fn an_enrolled_edge_is_admitted_under_its_name() {
        assert_eq!(admit(&register(), &facts(), NOW), Ok(String::from("oslo")));
    }

    #[test]
    fn each_refusal_says_why_and_what_to_do() {
        let said = words(&Register::default(), &facts(), NOW);
        assert!(said.contains("not enrolled") && said.contains("pair enrol oslo"));

        let mut revoked = register();
        revoked.revoke("oslo", NOW, Some("the rack was sold"));
        let said = words(&revoked, &facts(), NOW);
        assert_eq!(
            said,
            "edge oslo was revoked on 2026-11-21T08:13:05Z: the rack was sold"
        );

        let said = words(&register(), &facts(), NOW + 4 * DAY);
        assert!(said.contains("expired on 2026-11-22T08:13:05Z (3 days ago"));
        assert!(said.contains("clock says 2026-11-25T08:13:05Z"), "{said}");
        assert!(said.contains("sluice pair renew oslo"), "{said}");

        let long_ago = WallTime::from_unix_ms(0);
        let said = words(&register(), &facts(), long_ago);
        assert!(said.contains("not yet valid") && said.contains("in 56 years"));
        assert!(said.contains("clock says 1970-01-01T00:00:00Z"), "{said}");

        let mut renewed = register();
        renewed.retire("oslo", NOW, NOW);
        let said = words(&renewed, &facts(), NOW);
        assert!(said.contains("newer certificate"), "{said}");

        let mut other = facts();
        other.owner = Owner::Edge(String::from("bergen"));
        let said = words(&register(), &other, NOW);
        assert_eq!(
            said,
            "certificate 4a01 says edge bergen and was given to edge oslo"
        );

        other.owner = Owner::Central(String::from("main"));
        assert!(words(&register(), &other, NOW).contains("that of central main"));
        other.owner = Owner::Unnamed;
        assert!(words(&register(), &other, NOW).contains("only edges"));
    }
}
