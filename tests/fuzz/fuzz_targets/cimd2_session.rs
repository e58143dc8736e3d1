//! Any order of events on a CIMD2 session, made of any octets. What must hold stands in `tests/cimd2/chaos.rs`, which
//! the property tests share.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../cimd2/chaos.rs"]
mod chaos;

fuzz_target!(|octets: &[u8]| chaos::run(octets));
