//! PDUs on their way to the transport, one write each.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::codec::smpp::{Frame, Pdu, Status};

/// PDUs in the order in which they leave.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Written>,
}

#[derive(Debug)]
struct Written {
    octets: Bytes,
    /// The number of our request; `None` for an answer.
    request: Option<u32>,
}

impl Outbox {
    /// A request of ours.
    pub(super) fn request(&mut self, pdu: &Pdu, sequence: u32) {
        self.waiting.push_back(Written {
            octets: pdu.to_bytes(Status::OK, sequence),
            request: Some(sequence),
        });
    }

    /// An answer to the peer's request.
    pub(super) fn answer(&mut self, pdu: &Pdu, status: Status, sequence: u32) {
        self.waiting.push_back(Written {
            octets: pdu.to_bytes(status, sequence),
            request: None,
        });
    }

    /// An answer of which only header and body are known.
    pub(super) fn answer_raw(&mut self, frame: &Frame) {
        let mut octets = Vec::new();
        frame.put(&mut octets);
        self.waiting.push_back(Written {
            octets: octets.into(),
            request: None,
        });
    }

    /// The next to be written, and its number if it is a request of ours.
    pub(super) fn take(&mut self) -> Option<(Bytes, Option<u32>)> {
        self.waiting
            .pop_front()
            .map(|written| (written.octets, written.request))
    }

    /// Requests that have not left do not leave any more; answers do.
    pub(super) fn drop_requests(&mut self) {
        self.waiting.retain(|written| written.request.is_none());
    }

    /// Nothing leaves any more.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}
