//! How users and clients prove who they are (P1): keys made of passwords, proofs, nonces, and pauses after wrong tries.
//!
//! All of it is plain computing. `docs/protocol-im.md` writes the formulas down, and
//! `docs/decisions` says why they are so.

mod keys;
mod nonce;
mod slow;

pub use keys::{
    ARGON, HistoricalScheme, PasswordKeys, client_key, historical_digest, historical_password,
    make_keys, password_cost, proof, server_proof, token_digest,
};
pub(super) use keys::{
    check_historical, check_proof, decode_key, is_bearable, is_same, mac, never_right,
};
pub(super) use nonce::{Nonces, WhoAsks};
pub(super) use slow::{Slow, SlowRule};
