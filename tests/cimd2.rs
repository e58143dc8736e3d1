//! CIMD2: the codec against packets from the wire, and the session machine with a time that only the test moves.

#![allow(clippy::unwrap_used, reason = "tests")]

mod cimd2 {
    mod chaos;
    mod damage;
    mod deliveries;
    mod golden;
    mod property;
    mod session;
    mod support;
    mod table;
    mod vectors;
}
