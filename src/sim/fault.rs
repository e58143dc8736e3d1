//! Faults: what the SMSC does wrong on purpose, and when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::Protocol;
use crate::clock::Moment;
use crate::smsc::duration::deserialize_some;

/// At which point of a dialogue a fault may be played.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// A line was connected.
    Connect,
    /// A login came.
    Login,
    /// A message came.
    Submit,
    /// An alive or enquire_link came.
    Alive,
    /// A logout or unbind came.
    Logout,
    /// A question, a cancellation or the like came.
    Query,
    /// A phone's message is to be delivered.
    Delivery,
    /// A report is to be delivered.
    Report,
    /// The answer to a delivery or report came.
    Taken,
}

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The answer takes `wait` longer.
    Late,
    /// The request is not seen at all.
    Ignore,
    /// The request is done, and not answered.
    Silent,
    /// The request is refused by `code`.
    Refuse,
    /// The request is refused: too fast.
    Throttle,
    /// The request is refused: the queue is full.
    QueueFull,
    /// The request is nacked: generic_nack with `code`, or 99.
    Nack,
    /// CIMD2: the request is answered by 98 with `code`.
    GeneralError,
    /// CIMD2: what is sent has a wrong checksum.
    WrongChecksum,
    /// The answer has the number of another request.
    WrongNumber,
    /// The SMSC's own numbers jump ahead, by `by` requests.
    NumberJump,
    /// The SMSC's own numbers begin again.
    NumberRestart,
    /// A piece of a packet of a session that has ended comes first.
    HalfFrame,
    /// The connection is dropped, and the request was not seen.
    DropUnseen,
    /// The connection is dropped before the answer; the request is done.
    DropBefore,
    /// The connection is dropped in the middle of the answer; the request is done.
    DropMiddle,
    /// The connection is dropped after the answer.
    DropAfter,
    /// What is sent comes octet by octet.
    Dribble,
    /// What was taken is delivered once more.
    Duplicate,
    /// An operation comes that does not exist.
    UnknownOperation,
    /// What is delivered lacks what it must have.
    Malformed,
    /// The SMSC ends the session.
    Logout,
    /// The SMSC neither reads nor writes for `wait`.
    Freeze,
}

/// One fault of a script.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What.
    pub kind: Kind,
    /// At which point.
    pub on: Point,
    /// At each so-manieth time.
    #[serde(default = "one")]
    pub every: u64,
    /// Not before so many times have passed.
    #[serde(default)]
    pub after: u64,
    /// At most so often.
    #[serde(default)]
    pub times: Option<u64>,
    /// Once it was played, at each time for so long: a wave.
    #[serde(default, deserialize_with = "deserialize_some")]
    pub lasts: Option<Duration>,
    /// For this account only.
    #[serde(default)]
    pub account: Option<String>,
    /// With this protocol only.
    #[serde(default)]
    pub protocol: Option<Protocol>,
    /// How long, for kinds that wait.
    #[serde(default, deserialize_with = "deserialize_some")]
    pub wait: Option<Duration>,
    /// Which code, for kinds that tell one.
    #[serde(default)]
    pub code: Option<u32>,
    /// How far, for kinds that jump.
    #[serde(default)]
    pub by: Option<u32>,
}

const fn one() -> u64 {
    1
}

impl Fault {
    /// This, each time.
    pub const fn new(kind: Kind, on: Point) -> Self {
        Self {
            kind,
            on,
            every: 1,
            after: 0,
            times: None,
            lasts: None,
            account: None,
            protocol: None,
            wait: None,
            code: None,
            by: None,
        }
    }

    /// Once only.
    #[must_use]
    pub const fn once(mut self) -> Self {
        self.times = Some(1);
        self
    }

    /// At each so-manieth time.
    #[must_use]
    pub const fn every(mut self, every: u64) -> Self {
        self.every = every;
        self
    }

    /// Not before so many times have passed.
    #[must_use]
    pub const fn after(mut self, after: u64) -> Self {
        self.after = after;
        self
    }

    /// Waiting so long.
    #[must_use]
    pub const fn wait(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    /// With this code.
    #[must_use]
    pub const fn code(mut self, code: u32) -> Self {
        self.code = Some(code);
        self
    }

    /// Whether it can be played.
    pub fn check(&self) -> Result<(), String> {
        use Kind::{
            Dribble, DropAfter, DropBefore, DropMiddle, DropUnseen, Duplicate, Freeze,
            GeneralError, HalfFrame, Ignore, Late, Logout, Malformed, Nack, NumberJump,
            NumberRestart, QueueFull, Refuse, Silent, Throttle, UnknownOperation, WrongChecksum,
            WrongNumber,
        };
        let request = matches!(
            self.on,
            Point::Login | Point::Submit | Point::Alive | Point::Logout | Point::Query
        );
        let delivery = matches!(self.on, Point::Delivery | Point::Report);
        let fits = match self.kind {
            Late | Ignore | Silent | Refuse | Nack | GeneralError | WrongNumber | DropUnseen => {
                request
            }
            Throttle | QueueFull => self.on == Point::Submit,
            Malformed => delivery,
            WrongChecksum | Dribble | DropBefore | DropMiddle | DropAfter => request || delivery,
            Duplicate => delivery,
            NumberJump | NumberRestart => delivery || self.on == Point::Login,
            HalfFrame => request || delivery || self.on == Point::Connect,
            UnknownOperation | Logout | Freeze => self.on != Point::Connect,
        };
        if !fits {
            return Err(format!("{:?} cannot be played on {:?}", self.kind, self.on));
        }
        if self.every == 0 {
            return Err("every is 0; 1 means each time".into());
        }
        if matches!(self.kind, Late | Freeze) && self.wait.is_none() {
            return Err(format!("{:?} needs wait", self.kind));
        }
        if self.kind == Refuse && self.code.is_none_or(|code| code == 0) {
            return Err("Refuse needs code".into());
        }
        if matches!(self.kind, WrongChecksum | GeneralError)
            && self.protocol == Some(Protocol::Smpp)
        {
            return Err(format!("{:?} is of CIMD2 only", self.kind));
        }
        Ok(())
    }

    fn speaks(&self, protocol: Protocol) -> bool {
        let cimd2_only = matches!(self.kind, Kind::WrongChecksum | Kind::GeneralError);
        self.protocol.is_none_or(|own| own == protocol)
            && (protocol == Protocol::Cimd2 || !cimd2_only)
    }
}

/// The faults of a script, with how far each is.
#[derive(Debug, Default)]
pub(super) struct Player {
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    fault: Fault,
    seen: u64,
    played: u64,
    until: Option<Moment>,
}

impl Player {
    pub(super) fn new(faults: &[Fault]) -> Self {
        let mut player = Self::default();
        for fault in faults {
            player.add(fault.clone());
        }
        player
    }

    pub(super) fn add(&mut self, fault: Fault) {
        self.parts.push(Part {
            fault,
            seen: 0,
            played: 0,
            until: None,
        });
    }

    pub(super) fn clear(&mut self) {
        self.parts.clear();
    }

    /// The fault to be played now, if any: the first of the script whose time it is. All of them count.
    pub(super) fn at(
        &mut self,
        now: Moment,
        point: Point,
        protocol: Protocol,
        account: Option<&str>,
    ) -> Option<Fault> {
        let mut chosen = None;
        for part in &mut self.parts {
            let fault = &part.fault;
            let meant = fault.on == point
                && fault.speaks(protocol)
                && (fault.account.is_none() || fault.account.as_deref() == account);
            if meant && part.count(now) && chosen.is_none() {
                part.played += 1;
                if let (Some(lasts), None) = (part.fault.lasts, part.until) {
                    part.until = Some(now + lasts);
                }
                chosen = Some(part.fault.clone());
            }
        }
        chosen
    }
}

impl Part {
    /// Counts one more time; whether it is this fault's.
    fn count(&mut self, now: Moment) -> bool {
        if let Some(until) = self.until {
            if now < until {
                return true;
            }
            self.until = None;
        }
        self.seen += 1;
        let due = self.seen > self.fault.after
            && (self.seen - self.fault.after).is_multiple_of(self.fault.every);
        due && self.fault.times.is_none_or(|times| self.played < times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(player: &mut Player, times: usize) -> Vec<usize> {
        (1..=times)
            .filter(|_| {
                player
                    .at(Moment::START, Point::Submit, Protocol::Smpp, Some("a"))
                    .is_some()
            })
            .collect()
    }

    #[test]
    fn faults_come_when_their_time_is() {
        let each = Fault::new(Kind::Silent, Point::Submit);
        assert_eq!(
            played(&mut Player::new(&[each.clone().every(3)]), 9),
            [3, 6, 9]
        );
        let limited = Fault {
            times: Some(2),
            ..each.clone().every(2).after(3)
        };
        assert_eq!(played(&mut Player::new(&[limited]), 12), [5, 7]);
        let other = Fault {
            account: Some("b".into()),
            ..each.clone()
        };
        assert_eq!(played(&mut Player::new(&[other]), 3), [] as [usize; 0]);
        let cimd2 = Fault::new(Kind::WrongChecksum, Point::Submit);
        assert_eq!(played(&mut Player::new(&[cimd2]), 3), [] as [usize; 0]);
    }

    #[test]
    fn a_wave_lasts() {
        let wave = Fault {
            lasts: Some(Duration::from_secs(1)),
            ..Fault::new(Kind::Throttle, Point::Submit).every(3).once()
        };
        let mut player = Player::new(&[wave]);
        let mut at = |ms: u64| {
            let now = Moment::from_micros(ms * 1000);
            player
                .at(now, Point::Submit, Protocol::Smpp, None)
                .is_some()
        };
        assert_eq!(
            [at(0), at(0), at(0), at(1), at(999), at(1000), at(1001)],
            [false, false, true, true, true, false, false]
        );
    }

    #[test]
    fn what_cannot_be_played_is_told() {
        let why = |fault: Fault| fault.check().unwrap_err();
        assert_eq!(
            why(Fault::new(Kind::Duplicate, Point::Submit)),
            "Duplicate cannot be played on Submit"
        );
        assert_eq!(
            why(Fault::new(Kind::Late, Point::Submit)),
            "Late needs wait"
        );
        assert_eq!(
            why(Fault::new(Kind::Refuse, Point::Login)),
            "Refuse needs code"
        );
        assert!(Fault::new(Kind::Silent, Point::Submit).check().is_ok());
    }
}
