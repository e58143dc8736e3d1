//! The edge: what stands beside an SMSC.

pub mod config;
