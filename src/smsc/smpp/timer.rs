//! The timers of a session.

use crate::smsc::timers;

/// When each is due, if it runs.
pub(super) type Timers = timers::Timers<Timer>;

/// What is waited for, in the order in which they are acted upon when several are due.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Timer {
    /// The answer to our outstanding request, of whatever kind. When it comes, the connection ends: a later answer could
    /// be taken for the next request's.
    Response,
    /// A PDU was begun and its rest does not come.
    Partial,
    /// Nothing at all was heard for so long that the connection is dead, whatever else waits.
    Inactivity,
    /// The peer was silent; ask whether it is there.
    Probe,
}
