//! SMPP: the codec against the specification and against another implementation.

#![allow(clippy::unwrap_used, reason = "tests")]

mod smpp {
    mod acceptance;
    mod arrivals;
    mod chaos;
    mod golden;
    mod malformed;
    mod oracle;
    mod session;
    mod support;
    mod table;
}
