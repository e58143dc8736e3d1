//! Any order of events at two ends of a link, made of any octets. What must hold stands in
//! `tests/link_machine/chaos.rs`, which the property tests share.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../support/chance.rs"]
mod chance;
#[path = "../../link_machine/chaos.rs"]
mod chaos;
#[path = "../../support/link.rs"]
mod link;

mod support {
    pub(crate) use crate::link;
}

fuzz_target!(|octets: &[u8]| chaos::run(octets));
