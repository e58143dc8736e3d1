//! A fault as a session plays it: what becomes of the request, of its answer, of the line.

use std::time::Duration;

use super::outlet::Manner;
use crate::sim::fault::{Fault, Kind};

/// Why a request is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    Throttled,
    QueueFull,
    Code(u32),
}

/// Everything that a fault can change; by default, nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Play {
    /// The request is not seen.
    pub(super) unseen: bool,
    /// Nor is it seen, and the connection ends.
    pub(super) drop_unseen: bool,
    /// It is done, and not answered.
    pub(super) silent: bool,
    pub(super) refused: Option<Refused>,
    /// With the code given, if any.
    pub(super) nack: Option<Option<u32>>,
    pub(super) general_error: Option<u32>,
    pub(super) wrong_checksum: bool,
    pub(super) wrong_number: bool,
    pub(super) wait: Duration,
    pub(super) manner: Manner,
    pub(super) jump: u32,
    pub(super) restart: bool,
    pub(super) half_frame: bool,
    pub(super) duplicate: bool,
    pub(super) malformed: bool,
    pub(super) unknown_operation: bool,
    pub(super) logout: bool,
    pub(super) freeze: Option<Duration>,
}

impl Play {
    pub(super) fn of(fault: Option<Fault>) -> Self {
        let mut play = Self::default();
        let Some(fault) = fault else {
            return play;
        };
        let wait = fault.wait.unwrap_or_default();
        match fault.kind {
            Kind::Late => play.wait = wait,
            Kind::Ignore => play.unseen = true,
            Kind::Silent => play.silent = true,
            Kind::Refuse => play.refused = Some(Refused::Code(fault.code.unwrap_or(1))),
            Kind::Throttle => play.refused = Some(Refused::Throttled),
            Kind::QueueFull => play.refused = Some(Refused::QueueFull),
            Kind::Nack => play.nack = Some(fault.code),
            // A general system error, as captured from an SMSC.
            Kind::GeneralError => play.general_error = Some(fault.code.unwrap_or(6)),
            Kind::WrongChecksum => play.wrong_checksum = true,
            Kind::WrongNumber => play.wrong_number = true,
            Kind::NumberJump => play.jump = fault.by.unwrap_or(5),
            Kind::NumberRestart => play.restart = true,
            Kind::HalfFrame => play.half_frame = true,
            Kind::DropUnseen => play.drop_unseen = true,
            Kind::DropBefore => play.manner = Manner::DropBefore,
            Kind::DropMiddle => play.manner = Manner::DropMiddle,
            Kind::DropAfter => play.manner = Manner::DropAfter,
            Kind::Dribble => play.manner = Manner::Dribble,
            Kind::Duplicate => play.duplicate = true,
            Kind::UnknownOperation => play.unknown_operation = true,
            Kind::Malformed => play.malformed = true,
            Kind::Logout => play.logout = true,
            Kind::Freeze => play.freeze = Some(wait),
        }
        play
    }

    /// How an answer leaves: as the fault says, else as the protocol does.
    pub(super) fn manner_or(&self, usual: Manner) -> Manner {
        match self.manner {
            Manner::Whole => usual,
            other => other,
        }
    }
}
