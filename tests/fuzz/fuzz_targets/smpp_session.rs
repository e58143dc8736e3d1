//! Any order of events on an SMPP session, made of any octets. What must hold stands in `tests/smpp/chaos.rs`, which
//! the property tests share.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../smpp/chaos.rs"]
mod chaos;

fuzz_target!(|octets: &[u8]| chaos::run(octets));
