//! What a sender wishes for a message beyond its delivery.

/// Which reports a sender wants.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ReportWish {
    /// None.
    #[default]
    None,
    /// Only when it will never arrive.
    Failure,
    /// The final fate, good or bad.
    Final,
    /// The final fate, and what happens before.
    All,
}

impl ReportWish {
    /// The number it has in ring slots and on the link.
    pub const fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Failure => 1,
            Self::Final => 2,
            Self::All => 3,
        }
    }

    /// The wish of a number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            1 => Some(Self::Failure),
            2 => Some(Self::Final),
            3 => Some(Self::All),
            _ => None,
        }
    }
}

/// How urgent a message is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Priority {
    /// May wait.
    Low,
    /// As most.
    #[default]
    Normal,
    /// Before others.
    High,
    /// Before all.
    Urgent,
}

impl Priority {
    /// The number it has in ring slots and on the link.
    pub const fn number(self) -> u8 {
        match self {
            Self::Low => 0,
            Self::Normal => 1,
            Self::High => 2,
            Self::Urgent => 3,
        }
    }

    /// The priority of a number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Low),
            1 => Some(Self::Normal),
            2 => Some(Self::High),
            3 => Some(Self::Urgent),
            _ => None,
        }
    }
}
