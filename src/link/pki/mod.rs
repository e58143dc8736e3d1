//! Who is who on the link: one private authority for each operator, and the names it gave out (A4).
//!
//! What it promises: whoever comes in is an edge whose certificate this operator's own authority signed, that is
//! enrolled at this moment, and that is not revoked, expired or replaced; whoever an edge talks to is the central it
//! was paired with. What it leaves to others: carrying anything ([`super::transport`]).
//!
//! - [`Authority`] is the directory at central: it makes, renews, revokes and lists.
//! - [`Bundle`] is the one file that is carried to an edge.
//! - [`Register`] is the list of what was given out; [`Gate`] reads it again when it changes, and decides who is
//!   admitted.
//! - [`CentralIdentity`] and [`EdgeIdentity`] are the two ends as the transports use them.
//!
//! A name stands in a certificate once, in its subject alternative name: `sluice://edge/oslo` for an edge, the DNS
//! name `main.central.sluice` for a central. Subjects are for people, and all differ from the authority's.
//! `docs/pairing.md` is the same for operators.

mod authority;
mod bundle;
mod certificate;
mod error;
mod files;
mod gate;
mod identity;
mod proof;
mod register;
mod times;

pub use authority::{Authority, CERTIFICATE_LIFE, DIRECTORY, Listed, RENEWAL_GRACE, Standing};
pub use bundle::Bundle;
pub use certificate::{Facts, Owner};
pub use error::PkiError;
pub use gate::{Gate, Refusal, Reread};
pub use identity::{ALPN, CentralIdentity, EdgeIdentity};
pub use proof::{Verdict, alert_words};
pub use register::{Enrolled, Register};
