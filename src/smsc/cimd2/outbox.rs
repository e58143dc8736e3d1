//! Packets on their way to the transport, one write each.

use std::collections::VecDeque;

use bytes::Bytes;

/// Packets in the order in which they leave.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Written>,
}

#[derive(Debug)]
struct Written {
    octets: Bytes,
    is_request: bool,
}

impl Outbox {
    /// A request of ours.
    pub(super) fn request(&mut self, octets: Bytes) {
        self.waiting.push_back(Written {
            octets,
            is_request: true,
        });
    }

    /// An answer to the peer's request, or a nack.
    pub(super) fn answer(&mut self, octets: Bytes) {
        self.waiting.push_back(Written {
            octets,
            is_request: false,
        });
    }

    /// The next to be written, and whether it is a request of ours.
    pub(super) fn take(&mut self) -> Option<(Bytes, bool)> {
        self.waiting
            .pop_front()
            .map(|written| (written.octets, written.is_request))
    }

    /// Requests that have not left do not leave any more; answers do.
    pub(super) fn drop_requests(&mut self) {
        self.waiting.retain(|written| !written.is_request);
    }

    /// Nothing leaves any more.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}
