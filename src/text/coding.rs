//! Which coding a text needs, and what it costs.

use bytes::Bytes;

use super::{gsm, parts, ucs2};
use crate::message::{Coding, MAX_HEADER};

/// Whether the reference of a long message has 8 or 16 bits; the wide one takes one octet more from each part.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Width {
    /// 8 bits, which every phone understands.
    #[default]
    Narrow,
    /// 16 bits: less likely to meet its like, when many long messages are under way to one phone.
    Wide,
}

impl Width {
    /// How many octets the header of a part has, its length octet included.
    pub const fn header_octets(self) -> usize {
        match self {
            Self::Narrow => 6,
            Self::Wide => 7,
        }
    }
}

/// The cheapest coding that keeps a text as it is: the GSM alphabet if that has all of it, else UCS-2.
pub fn coding_of(text: &str) -> Coding {
    if gsm::can_encode(text) {
        Coding::Gsm7
    } else {
        Coding::Ucs2
    }
}

/// A text in its cheapest coding, as the data of a [`crate::message::Body`].
pub fn encode(text: &str) -> (Coding, Bytes) {
    gsm::encode(text).map_or_else(
        |_| (Coding::Ucs2, ucs2::encode(text)),
        |septets| (Coding::Gsm7, septets),
    )
}

/// How many septets, UTF-16 units or octets one SMS holds behind a header of so many octets (its length octet
/// included): 160, 70 or 140 without one; 153, 67 or 134 behind a narrow reference; 152, 66 or 133 behind a wide one.
pub const fn room_behind(coding: Coding, header_octets: usize) -> usize {
    let octets = MAX_HEADER.saturating_sub(header_octets);
    match coding {
        Coding::Gsm7 => 160usize.saturating_sub((header_octets * 8).div_ceil(7)),
        Coding::Ucs2 => octets / 2,
        Coding::Octets => octets,
    }
}

/// How many octets of a body's data one unit of its coding takes.
pub(super) const fn octets_per_unit(coding: Coding) -> usize {
    match coding {
        Coding::Gsm7 | Coding::Octets => 1,
        Coding::Ucs2 => 2,
    }
}

/// What it costs to send a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// The coding that it needs.
    pub coding: Coding,
    /// How many characters it has, as Unicode counts them.
    pub characters: usize,
    /// How many septets or UTF-16 units that are; an extension character is two septets, an emoji two units or more.
    pub units: usize,
    /// How many messages are sent, at least one. More than [`super::MAX_PARTS`] are refused by [`super::cut`].
    pub parts: usize,
    /// How many units the last of these messages has left.
    pub room: usize,
}

impl Cost {
    /// What [`super::cut`] will make of a text with a reference of this width.
    pub fn of(text: &str, width: Width) -> Self {
        let (coding, data) = encode(text);
        let unit = octets_per_unit(coding);
        let (header_octets, ends) = parts::ends(coding, &data, 0, width);
        let last = match ends[..] {
            [.., before, end] => end - before,
            _ => data.len(),
        };
        Self {
            coding,
            characters: text.chars().count(),
            units: data.len() / unit,
            parts: ends.len(),
            room: room_behind(coding, header_octets) - last / unit,
        }
    }

    /// Whether it can be sent at all.
    pub const fn is_sendable(&self) -> bool {
        self.parts <= parts::MAX_PARTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_the_manuals() {
        let limits = |header| {
            [Coding::Gsm7, Coding::Ucs2, Coding::Octets].map(|coding| room_behind(coding, header))
        };
        assert_eq!(limits(0), [160, 70, 140]);
        assert_eq!(limits(Width::Narrow.header_octets()), [153, 67, 134]);
        assert_eq!(limits(Width::Wide.header_octets()), [152, 66, 133]);
        assert_eq!(limits(140), [0, 0, 0]);
        assert_eq!(limits(200), [0, 0, 0]);
    }

    #[test]
    fn the_cost_is_told_before_sending() {
        let cost = |text: &str| {
            let cost = Cost::of(text, Width::Narrow);
            (cost.coding, cost.units, cost.parts, cost.room)
        };
        assert_eq!(cost(""), (Coding::Gsm7, 0, 1, 160));
        assert_eq!(cost("€uro"), (Coding::Gsm7, 5, 1, 155));
        assert_eq!(cost(&"a".repeat(160)), (Coding::Gsm7, 160, 1, 0));
        assert_eq!(cost(&"a".repeat(161)), (Coding::Gsm7, 161, 2, 145));
        assert_eq!(cost(&"я".repeat(70)), (Coding::Ucs2, 70, 1, 0));
        assert_eq!(cost(&"я".repeat(71)), (Coding::Ucs2, 71, 2, 63));
        // A pair that must not be torn leaves one unit of the first part empty.
        let torn = format!("{}€{}", "a".repeat(152), "b".repeat(20));
        assert_eq!(cost(&torn), (Coding::Gsm7, 174, 2, 131));
        assert!(!Cost::of(&"a".repeat(256 * 153), Width::Narrow).is_sendable());
        assert!(Cost::of(&"a".repeat(255 * 153), Width::Narrow).is_sendable());
    }
}
