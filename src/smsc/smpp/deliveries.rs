//! The SMSC's deliveries: one is with the driver, further ones wait in their order, and there is a limit to them (G1).

use std::collections::VecDeque;

use crate::codec::smpp::{CommandId, Empty, Frame, IdResp, Pdu};

/// A delivery that the driver has and has not answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Open {
    /// Counted on this connection, so that a turn of an earlier one cannot answer it.
    pub(super) number: u64,
    command: CommandId,
    /// The peer's number, which its answer repeats.
    pub(super) sequence: u32,
}

impl Open {
    /// What answers it: always with an empty message_id, also with an error, since some SMSCs take a bare header for
    /// broken.
    pub(super) fn response(&self) -> Pdu {
        response(self.command)
    }
}

/// The answer to a delivery of this command.
pub(super) fn response(command: CommandId) -> Pdu {
    match command {
        CommandId::DELIVER_SM => Pdu::DeliverSmResp(IdResp::default()),
        CommandId::DATA_SM => Pdu::DataSmResp(IdResp::default()),
        _ => Pdu::GenericNack(Empty),
    }
}

/// The deliveries of one connection.
#[derive(Debug)]
pub(super) struct Deliveries {
    waiting: VecDeque<Frame>,
    most: usize,
    open: Option<Open>,
    given: u64,
}

impl Deliveries {
    /// At most so many wait.
    pub(super) const fn new(most: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            most,
            open: None,
            given: 0,
        }
    }

    /// Whether another one can be taken.
    pub(super) fn have_room(&self) -> bool {
        self.waiting.len() < self.most
    }

    /// How many octets of bodies wait.
    pub(super) fn held_octets(&self) -> usize {
        self.waiting.iter().map(|frame| frame.body.len()).sum()
    }

    /// Takes one that came.
    pub(super) fn push(&mut self, frame: Frame) {
        self.waiting.push_back(frame);
    }

    /// The next one, unless the driver has one.
    pub(super) fn next(&mut self) -> Option<Frame> {
        if self.open.is_some() {
            return None;
        }
        self.waiting.pop_front()
    }

    /// The driver gets this one; gives its number.
    pub(super) fn open(&mut self, frame: &Frame) -> u64 {
        assert!(self.open.is_none(), "one delivery at a time");
        self.given += 1;
        self.open = Some(Open {
            number: self.given,
            command: frame.id,
            sequence: frame.sequence,
        });
        self.given
    }

    /// The driver answers the one of this number; `None` if it is not the open one.
    pub(super) fn close(&mut self, number: u64) -> Option<Open> {
        self.open.take_if(|open| open.number == number)
    }

    /// The connection is over; the SMSC will deliver again what was not answered.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.open = None;
    }
}
