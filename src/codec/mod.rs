//! Bytes of the protocols and of stored items. Decoding has three outcomes: not yet enough, a value, or malformed
//! with offset and field.

pub mod checksum;
pub mod cimd2;
pub mod item;
mod reader;
pub mod smpp;

pub use reader::Reader;

use std::borrow::Cow;

/// Bytes that are not what they should be: where, in which field, and why.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("octet {offset}, {field}: {reason}")]
pub struct Malformed {
    /// Counted from the start of the frame, item or slot.
    pub offset: usize,
    /// The field that does not fit.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: Cow<'static, str>,
}

impl Malformed {
    /// A finding at an offset.
    pub fn new(offset: usize, field: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            offset,
            field,
            reason: reason.into(),
        }
    }
}
