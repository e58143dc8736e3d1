//! SMPP: the codec against the specification and against another implementation; the session against every event.

#![allow(clippy::unwrap_used, reason = "tests")]

mod smpp {
    mod acceptance;
    mod arrivals;
    mod chaos;
    mod golden;
    mod line;
    mod malformed;
    mod oracle;
    mod random;
    mod receipts;
    mod session;
    mod support;
    mod table;
}
