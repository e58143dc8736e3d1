//! The line between an edge and central: who is who on it, and what carries its packets.
//!
//! [`pki`] is the identity of both ends; [`transport`] carries opaque packets, which may be lost, doubled and
//! reordered.

pub mod pki;
pub mod transport;
