//! What waits for a connection to be written.

use tokio::sync::mpsc;

use crate::im::primitive::Outgoing;

/// Primitives that wait for one connection: a window of its log, and the answers to what it asks meanwhile. A client that
/// lets more come together does not read.
pub(super) const OUTBOX: usize = 512;

/// Into the outbox. When it is dropped the connection writes what is there, and closes.
pub(super) type Outbox = mpsc::Sender<Box<Outgoing>>;

/// Out of it.
pub(super) type Waiting = mpsc::Receiver<Box<Outgoing>>;

/// A new one.
pub(super) fn outbox() -> (Outbox, Waiting) {
    mpsc::channel(OUTBOX)
}
