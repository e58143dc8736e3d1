//! What waits for a connection to be written.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::Counts;

/// Primitives that wait for one connection: a window of its log, and the answers to what it asks meanwhile. A client that
/// lets more come together does not read.
const OUTBOX: usize = 512;

/// Octets that wait for one connection, beyond one primitive: a window of its log, and as many long answers as it may have
/// under way.
const OUTBOX_OCTETS: usize = 2 << 20;

/// Octets that wait for all connections, beyond what each may have: what a crowd that does not read may cost.
const ALL_OCTETS: usize = 256 << 20;

/// What each connection may have waiting even then.
const SHARE: usize = 64 << 10;

/// What waits.
pub(super) enum Item {
    /// A primitive, as it is written on the line.
    Line(String),
    /// A request was answered with what stands before this; now the client may ask one more.
    Answered(OwnedSemaphorePermit),
}

/// Octets that wait, of one connection.
struct Octets {
    own: AtomicUsize,
    counts: Arc<Counts>,
}

impl Octets {
    fn add(&self, octets: usize) {
        self.own.fetch_add(octets, Ordering::Relaxed);
        let all = &self.counts.waiting_octets;
        all.fetch_add(octets, Ordering::Relaxed);
    }

    fn take(&self, octets: usize) {
        self.own.fetch_sub(octets, Ordering::Relaxed);
        let all = &self.counts.waiting_octets;
        all.fetch_sub(octets, Ordering::Relaxed);
    }

    fn is_too_much(&self) -> bool {
        let own = self.own.load(Ordering::Relaxed);
        let all = self.counts.waiting_octets.load(Ordering::Relaxed);
        own > OUTBOX_OCTETS || (own > SHARE && all > ALL_OCTETS)
    }
}

impl Drop for Octets {
    fn drop(&mut self) {
        // What nobody will read any more.
        self.take(self.own.load(Ordering::Relaxed));
    }
}

/// Into the outbox. When it is dropped the connection writes what is there, and closes.
pub(super) struct Outbox {
    items: mpsc::Sender<Item>,
    octets: Arc<Octets>,
}

/// A primitive found no place.
pub(super) enum NoPlace {
    /// The client does not read.
    Full,
    /// The connection is gone.
    Gone,
}

impl Outbox {
    /// Puts a primitive there, as it is written on the line.
    pub(super) fn put(&self, line: String) -> Result<(), NoPlace> {
        if self.octets.is_too_much() {
            return Err(NoPlace::Full);
        }
        let octets = line.len();
        // Before it is there: it may be taken out at once.
        self.octets.add(octets);
        self.items.try_send(Item::Line(line)).map_err(|why| {
            self.octets.take(octets);
            match why {
                TrySendError::Full(_) => NoPlace::Full,
                TrySendError::Closed(_) => NoPlace::Gone,
            }
        })
    }

    /// All was put there that answers a request.
    pub(super) fn answered(&self, permit: OwnedSemaphorePermit) -> Result<(), NoPlace> {
        let put = self.items.try_send(Item::Answered(permit));
        put.map_err(|why| match why {
            TrySendError::Full(_) => NoPlace::Full,
            TrySendError::Closed(_) => NoPlace::Gone,
        })
    }
}

/// Out of it.
pub(super) struct Waiting {
    items: mpsc::Receiver<Item>,
    octets: Arc<Octets>,
}

impl Waiting {
    /// Waits for primitives, takes at most so many, and tells how many; none when the outbox was dropped.
    pub(super) async fn take(&mut self, into: &mut Vec<Item>, most: usize) -> usize {
        self.items.recv_many(into, most).await
    }

    /// One was written.
    pub(super) fn written(&self, octets: usize) {
        self.octets.take(octets);
    }
}

/// A new one.
pub(super) fn outbox(counts: &Arc<Counts>) -> (Outbox, Waiting) {
    let (into, items) = mpsc::channel(OUTBOX);
    let octets = Arc::new(Octets {
        own: AtomicUsize::new(0),
        counts: Arc::clone(counts),
    });
    let outbox = Outbox {
        items: into,
        octets: Arc::clone(&octets),
    };
    (outbox, Waiting { items, octets })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_has_an_end_in_octets_and_all_is_given_back() {
        let counts = Arc::new(Counts::default());
        let waiting = || counts.waiting_octets.load(Ordering::Relaxed);
        let (outbox, there) = outbox(&counts);
        let long = || "x".repeat(100_000);
        let taken = (0..OUTBOX).take_while(|_| outbox.put(long()).is_ok());
        assert_eq!(taken.count(), 21);
        assert_eq!(waiting(), 2_100_000);
        // When all wait for others, each has a little.
        counts
            .waiting_octets
            .fetch_add(ALL_OCTETS, Ordering::Relaxed);
        let (other, _there) = super::outbox(&counts);
        assert!(other.put(long()).is_ok());
        assert!(matches!(other.put(long()), Err(NoPlace::Full)));
        counts
            .waiting_octets
            .fetch_sub(ALL_OCTETS, Ordering::Relaxed);
        assert!(other.put(long()).is_ok());
        drop((outbox, there));
        assert_eq!(waiting(), 200_000);
    }
}
