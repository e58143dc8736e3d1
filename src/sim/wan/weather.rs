//! What a line is like, and how people write that.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

/// What the line is like, in both directions alike.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Weather {
    /// How long each packet takes, one way: half of what the line adds to a round trip.
    pub delay: Duration,
    /// Up to so much more, drawn for each packet: it makes datagrams overtake one another.
    pub jitter: Duration,
    /// Which part of the packets is lost, each way.
    pub loss: Share,
    /// Which part of the datagrams comes twice.
    pub duplication: Share,
    /// How much passes, each way.
    pub rate: Rate,
    /// How long the queue before the slow part may grow; a datagram that comes on top is lost, a stream waits.
    pub queue: Duration,
    /// Nothing passes, and nobody is told.
    pub down: bool,
    /// Datagrams are swallowed, as by a firewall that knows TCP only.
    pub udp_blocked: bool,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: Share::NONE,
            duplication: Share::NONE,
            rate: Rate::Unlimited,
            queue: Duration::from_secs(1),
            down: false,
            udp_blocked: false,
        }
    }
}

impl Weather {
    /// Nothing but a delay, one way.
    pub fn delayed(delay_ms: u64) -> Self {
        Self {
            delay: Duration::from_millis(delay_ms),
            ..Self::default()
        }
    }

    /// The same, with that part lost, each way.
    #[must_use]
    pub fn losing(self, loss: Share) -> Self {
        Self { loss, ..self }
    }

    /// What the line adds to a round trip, but for jitter and queues.
    pub fn round_trip(&self) -> Duration {
        2 * self.delay
    }
}

/// One line for people and programs.
impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = humantime::format_duration;
        write!(f, "delay {}", time(self.delay))?;
        write!(f, ", jitter {}", time(self.jitter))?;
        write!(f, ", loss {}", self.loss)?;
        write!(f, ", duplication {}", self.duplication)?;
        write!(f, ", rate {}", self.rate)?;
        write!(f, ", queue {}", time(self.queue))?;
        write!(f, ", {}", if self.down { "down" } else { "up" })?;
        write!(f, ", udp {}", if self.udp_blocked { "off" } else { "on" })
    }
}

/// A part of the whole, 0 to 1.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug, Serialize)]
#[serde(transparent)]
pub struct Share(f64);

impl Share {
    /// Nothing.
    pub const NONE: Self = Self(0.0);

    /// So many of a hundred; more than a hundred are all, less than none are none.
    pub const fn percent(percent: f64) -> Self {
        Self((percent / 100.0).clamp(0.0, 1.0))
    }

    /// Whether a number that was drawn, 0 to just below 1, falls into it.
    pub(super) fn holds(self, drawn: f64) -> bool {
        drawn < self.0
    }
}

/// As in `1%` or `0.01`.
impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, whole) = match text.strip_suffix('%') {
            Some(number) => (number, 100.0),
            None => (text, 1.0),
        };
        match number.trim().parse::<f64>().map(|number| number / whole) {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(Self(share)),
            _ => Err(format!("{text} is no share; write it as 1% or 0.01")),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As many digits as a float holds of what people write.
        write!(f, "{}%", (self.0 * 1e8).round() / 1e6)
    }
}

/// How much passes in a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rate {
    /// As much as the machine can.
    Unlimited,
    /// So many bits, not counting what carries a packet below UDP and TCP.
    Bits(u64),
}

impl Rate {
    /// How long so many octets take.
    pub(super) fn time_of(self, octets: usize) -> Duration {
        match self {
            Self::Unlimited => Duration::ZERO,
            Self::Bits(rate) => Duration::from_secs_f64(octets as f64 * 8.0 / rate.max(1) as f64),
        }
    }
}

/// As in `50k`, `2M`, `none`; bits a second.
impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::Unlimited);
        }
        let (number, unit) = match text.char_indices().next_back() {
            Some((end, 'k')) => (&text[..end], 1_000),
            Some((end, 'M')) => (&text[..end], 1_000_000),
            Some((end, 'G')) => (&text[..end], 1_000_000_000),
            _ => (text, 1),
        };
        match number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)) {
            Some(rate @ 1..) => Ok(Self::Bits(rate)),
            _ => Err(format!(
                "{text} is no rate; write it as 50k, 2M (bits a second) or none"
            )),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Unlimited => f.write_str("none"),
            Self::Bits(rate) if rate % 1_000_000 == 0 => write!(f, "{}M", rate / 1_000_000),
            Self::Bits(rate) if rate % 1_000 == 0 => write!(f, "{}k", rate / 1_000),
            Self::Bits(rate) => write!(f, "{rate}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_rates_are_read_as_they_are_written() {
        for text in ["0%", "0.5%", "1%", "3.25%", "100%"] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), text);
        }
        assert_eq!("0.03".parse(), Ok(Share::percent(3.0)));
        for wrong in ["", "%", "101%", "-1%", "1.5", "NaN", "one"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
        for text in ["none", "50k", "2M", "1000M", "12345"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for wrong in ["", "k", "0", "-5k", "1.5M", "20kbit", "99999999999999G"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }
}
