//! SMPP: the codec against the specification and against another implementation.

#![allow(clippy::unwrap_used, reason = "tests")]

mod smpp {
    mod golden;
    mod malformed;
    mod oracle;
    mod support;
}
