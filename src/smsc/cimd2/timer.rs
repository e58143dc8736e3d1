//! The timers of a session.

use crate::smsc::timers;

/// When each is due, if it runs.
pub(super) type Timers = timers::Timers<Timer>;

/// What is waited for, in the order in which they are acted upon when several are due.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Timer {
    /// The answer to our outstanding request, of whatever kind. When it comes, the connection ends: a later answer
    /// would be worth nothing, since the SMSC may have given us up.
    Response,
    /// The answer to our request came damaged; the same request goes out again.
    Resend,
    /// It is time to ask for messages that wait, on accounts that do not get them unasked.
    Poll,
    /// Nothing of ours has left for so long that the SMSC may log us out.
    Alive,
}
