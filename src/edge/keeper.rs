//! What the link asks of an edge: to keep how messages from phones ended, and to hear of what went wrong.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::clock::{Clock, WallTime};
use crate::lane::Sequence;
use crate::link::driver::{Alarm, Keeper};
use crate::message::Outcome;
use crate::ring::Ring;

/// How many alarms of the link are remembered for status; all are in the log.
const REMEMBERED: usize = 32;

/// An alarm of the link, and when it was raised.
#[derive(Clone, Debug)]
pub struct EdgeAlarm {
    /// When.
    pub at: WallTime,
    /// What.
    pub what: Alarm,
}

/// The edge as the link's keeper.
#[derive(Debug)]
pub(super) struct EdgeKeeper {
    clock: Clock,
    alarms: Mutex<VecDeque<EdgeAlarm>>,
}

impl EdgeKeeper {
    pub(super) fn new() -> Self {
        Self {
            clock: Clock::system(),
            alarms: Mutex::default(),
        }
    }

    /// The last ones, the oldest first.
    pub(super) fn alarms(&self) -> Vec<EdgeAlarm> {
        let alarms = self.alarms.lock().unwrap_or_else(PoisonError::into_inner);
        alarms.iter().cloned().collect()
    }
}

impl Keeper for EdgeKeeper {
    /// Central has the message, durably; that is all that there is to know of one from a phone, and the ring's own
    /// pointer says it.
    async fn keep(&self, _ring: &Ring, _told: &[(Sequence, Outcome)]) -> Result<(), String> {
        Ok(())
    }

    fn alarm(&self, what: Alarm) {
        let mut alarms = self.alarms.lock().unwrap_or_else(PoisonError::into_inner);
        if alarms.len() == REMEMBERED {
            alarms.pop_front();
        }
        let at = self.clock.wall();
        alarms.push_back(EdgeAlarm { at, what });
    }
}
