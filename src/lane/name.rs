//! Names of edges, lanes and rings, and the directions and sides that tell rings apart.

use std::fmt;
use std::str::FromStr;

/// Longest name of an edge or of a lane, in characters: two of them, a direction and a side fit a file's ring entry.
pub(super) const MAX_NAME: usize = 31;

/// Why a name is none.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("a name must not be empty")]
    Empty,
    /// Longer than a name may be.
    #[error("the name has {0} characters, {MAX_NAME} are allowed")]
    TooLong(usize),
    /// A character that no name has.
    #[error("the name holds {0:?}; letters a-z, digits, '-', '_' and '.' are allowed")]
    Character(char),
    /// Not of the form `edge/lane`.
    #[error("a lane is written edge/lane, as in oslo/carrier-1")]
    NotALane,
    /// Not of the form `edge/lane mo origin`.
    #[error("a ring is written edge/lane:mo:origin, with mo or mt and origin or mirror")]
    NotARing,
}

/// The name of an edge, a lane or a central, if it is one.
pub fn checked(name: &str) -> Result<&str, NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if let Some(wrong) = name
        .chars()
        .find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-' | '_' | '.'))
    {
        return Err(NameError::Character(wrong));
    }
    match name.chars().count() {
        length if length > MAX_NAME => Err(NameError::TooLong(length)),
        _ => Ok(name),
    }
}

/// One SMSC session of an edge: the edge's name and the lane's name within it, written `edge/lane`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    written: std::sync::Arc<str>,
    slash: usize,
}

impl Lane {
    /// A lane of an edge.
    pub fn new(edge: &str, name: &str) -> Result<Self, NameError> {
        let written = format!("{}/{}", checked(edge)?, checked(name)?).into();
        Ok(Self {
            written,
            slash: edge.len(),
        })
    }

    /// The edge's name.
    pub fn edge(&self) -> &str {
        &self.written[..self.slash]
    }

    /// The lane's name within its edge.
    pub fn name(&self) -> &str {
        &self.written[self.slash + 1..]
    }

    /// Both, as `edge/lane`.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

impl FromStr for Lane {
    type Err = NameError;
    fn from_str(written: &str) -> Result<Self, NameError> {
        let (edge, name) = written.split_once('/').ok_or(NameError::NotALane)?;
        Self::new(edge, name)
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// Which way messages go.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Direction {
    /// Mobile originated: from the phone.
    Mo,
    /// Mobile terminated: to the phone.
    Mt,
}

impl Direction {
    /// As operators write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mo => "mo",
            Self::Mt => "mt",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which end of the link a ring lies at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Side {
    /// The end that takes messages from their source.
    Origin,
    /// Its image at the other end.
    Mirror,
}

impl Side {
    /// As it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Mirror => "mirror",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One ring among those of a process: its lane, direction and side, written `edge/lane:mo:origin`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RingName {
    /// The lane it belongs to.
    pub lane: Lane,
    /// From the phone or to it.
    pub direction: Direction,
    /// Where messages enter, or the image of that.
    pub side: Side,
}

impl RingName {
    /// A ring of a lane.
    pub const fn new(lane: Lane, direction: Direction, side: Side) -> Self {
        Self {
            lane,
            direction,
            side,
        }
    }
}

impl fmt::Display for RingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.lane, self.direction, self.side)
    }
}

impl FromStr for RingName {
    type Err = NameError;
    fn from_str(written: &str) -> Result<Self, NameError> {
        let mut parts = written.split(':');
        let (Some(lane), Some(direction), Some(side), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NameError::NotARing);
        };
        let direction = match direction {
            "mo" => Direction::Mo,
            "mt" => Direction::Mt,
            _ => return Err(NameError::NotARing),
        };
        let side = match side {
            "origin" => Side::Origin,
            "mirror" => Side::Mirror,
            _ => return Err(NameError::NotARing),
        };
        Ok(Self::new(lane.parse()?, direction, side))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_bad_ones_say_why() {
        let ring: RingName = "oslo/carrier-1:mo:origin".parse().unwrap();
        assert_eq!(ring.lane.edge(), "oslo");
        assert_eq!(ring.lane.name(), "carrier-1");
        assert_eq!(ring.to_string(), "oslo/carrier-1:mo:origin");
        assert_eq!("oslo".parse::<Lane>(), Err(NameError::NotALane));
        assert_eq!("oslo/".parse::<Lane>(), Err(NameError::Empty));
        assert_eq!("Oslo/a".parse::<Lane>(), Err(NameError::Character('O')));
        assert_eq!(
            Lane::new("oslo", &"x".repeat(32)),
            Err(NameError::TooLong(32))
        );
    }
}
