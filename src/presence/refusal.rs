//! Why a request is not granted, with the element that is to blame.

use std::borrow::Cow;
use std::fmt;

/// What kind of wrong it is; the IM service maps it to a status code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefusalKind {
    /// It does not fit its form or its definition.
    Malformed,
    /// The values, or the question, of somebody else.
    Foreign,
    /// To be created, and there already.
    Exists,
    /// To be removed, and not there.
    Missing,
    /// Only the server sets it.
    ReadOnly,
    /// Older than what is there, or already over.
    Stale,
    /// Values that depend on one another.
    Circular,
    /// Beyond a limit.
    TooMany,
    /// A question that has been answered.
    Settled,
}

impl RefusalKind {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Foreign => "foreign",
            Self::Exists => "exists",
            Self::Missing => "missing",
            Self::ReadOnly => "read-only",
            Self::Stale => "stale",
            Self::Circular => "circular",
            Self::TooMany => "too-many",
            Self::Settled => "settled",
        }
    }
}

/// A request that was refused. Nothing of it has happened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{element}: {reason} ({kind})")]
pub struct Refusal {
    /// What kind of wrong.
    pub kind: RefusalKind,
    /// The element of the request.
    pub element: Cow<'static, str>,
    /// What is wrong with it, and what would be right.
    pub reason: String,
}

impl fmt::Display for RefusalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Refusal {
    /// A refusal of `element` because of `reason`.
    pub fn new(
        kind: RefusalKind,
        element: impl Into<Cow<'static, str>>,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            element: element.into(),
            reason: reason.into(),
        }
    }

    /// It does not fit its form.
    pub fn malformed(element: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Self::new(RefusalKind::Malformed, element, reason)
    }

    pub(super) fn too_many(element: impl Into<Cow<'static, str>>, most: usize) -> Self {
        let reason = format!("is more than the {most} that are allowed");
        Self::new(RefusalKind::TooMany, element, reason)
    }
}

/// What was written, cut to what fits into a reason.
pub(super) fn shown(written: &str) -> String {
    const MOST: usize = 40;
    let mut chars = written.chars();
    let mut short: String = chars.by_ref().take(MOST).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    format!("{short:?}")
}
