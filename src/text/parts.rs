//! Bodies from texts, cut where one message is too short; and texts from bodies.
//!
//! Where a text is cut: as late as possible, but never within what decodes as one – an escape and its code, a surrogate
//! pair. What readers see as one character (a letter with its accents, a family of emoji) stays together too, as long
//! as that costs no further part.

use bytes::Bytes;

use super::cluster::Cluster;
use super::coding::{Width, encode, octets_per_unit, room_behind};
use super::{gsm, ucs2};
use crate::message::{Body, Coding, Concat, Refused, UserDataHeader};
use crate::private::Private;

/// The most parts that a text for a phone may become: 2,448 characters of the GSM alphabet. More costs its sender more than
/// anybody wants to pay for a text message, and would hold a sixteenth of a lane at once.
pub const MOST_PARTS: usize = 16;

/// The number of a part has eight bits.
pub const MAX_PARTS: usize = 255;

/// What the parts of one long message have in common. The caller chooses it: different from those of other long
/// messages that are under way between the same two parties.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reference {
    /// Of 8 bits.
    Narrow(u8),
    /// Of 16 bits.
    Wide(u16),
}

impl Reference {
    /// How many bits it has.
    pub const fn width(self) -> Width {
        match self {
            Self::Narrow(_) => Width::Narrow,
            Self::Wide(_) => Width::Wide,
        }
    }

    /// The reference that a part came with.
    pub const fn of(concat: Concat) -> Self {
        let [_, low] = concat.reference.to_be_bytes();
        if concat.wide {
            Self::Wide(concat.reference)
        } else {
            Self::Narrow(low)
        }
    }

    /// As one part's header says it.
    pub const fn concat(self, total: u8, part: u8) -> Concat {
        let (reference, wide) = match self {
            Self::Narrow(reference) => (reference as u16, false),
            Self::Wide(reference) => (reference, true),
        };
        Concat {
            reference,
            wide,
            total,
            part,
        }
    }
}

/// A body of a text that one SMS can carry, in the cheapest coding. A longer one is refused; [`cut`] takes it.
pub fn whole(text: &str) -> Result<Body, Refused> {
    let (coding, data) = encode(text);
    let units = data.len() / octets_per_unit(coding);
    let room = room_behind(coding, 0);
    if units > room {
        return Err(Refused::new(
            "text",
            format!(
                "takes {units} units in {}; one message holds {room}, cut it into parts",
                coding.as_str()
            ),
        ));
    }
    Body::new(coding, UserDataHeader::NONE, data)
}

/// The bodies of a text, in their order: one without a header if it fits, else parts under the given reference. More
/// than [`MAX_PARTS`] are refused.
pub fn cut(text: &str, reference: Reference) -> Result<Vec<Body>, Refused> {
    let (coding, data) = encode(text);
    cut_data(coding, &UserDataHeader::NONE, &data, reference)
}

/// The bodies of data that is already in its coding (one septet an octet for the GSM alphabet). Each part repeats the
/// elements of `header`, for instance ports, behind its own number. A header that already names a part is refused, as
/// is one that leaves no room.
pub fn cut_data(
    coding: Coding,
    header: &UserDataHeader,
    data: &Bytes,
    reference: Reference,
) -> Result<Vec<Body>, Refused> {
    let (header_octets, ends) = ends(coding, data, header.octets().len(), reference.width());
    if ends.len() <= 1 {
        return Ok(vec![Body::new(coding, header.clone(), data.clone())?]);
    }
    if header.as_concat().is_some() {
        return Err(Refused::new(
            "user data header",
            "says that this is a part already; a part cannot be cut again",
        ));
    }
    if room_behind(coding, header_octets) < LEAST_ROOM {
        return Err(Refused::new(
            "user data header",
            format!(
                "leaves no room for text: it has {header_octets} octets with the part's number"
            ),
        ));
    }
    let total = u8::try_from(ends.len()).map_err(|_| {
        Refused::new(
            "text",
            format!("needs {} parts; {MAX_PARTS} are allowed", ends.len()),
        )
    })?;
    let mut start = 0;
    (1..=total)
        .zip(ends)
        .map(|(part, end)| {
            let piece = data.slice(start..end);
            start = end;
            Body::new(
                coding,
                part_header(reference.concat(total, part), header)?,
                piece,
            )
        })
        .collect()
}

/// What does not come apart takes up to two units.
const LEAST_ROOM: usize = 2;

/// The number of the part, then the elements of the whole.
fn part_header(concat: Concat, whole: &UserDataHeader) -> Result<UserDataHeader, Refused> {
    let number = UserDataHeader::concat(concat);
    let Some(elements) = whole.octets().get(1..) else {
        return Ok(number);
    };
    let mut octets = [&number.octets()[..], elements].concat();
    let length = octets.len() - 1;
    octets[0] = u8::try_from(length).map_err(|_| {
        Refused::new(
            "user data header",
            format!("would have {length} octets with the part's number"),
        )
    })?;
    UserDataHeader::new(octets.into())
}

/// How many octets the header of each part has, and where each part's data ends; a single end if nothing needs to be
/// cut. Behind a header that leaves no room, parts hold one thing each.
pub(super) fn ends(
    coding: Coding,
    data: &[u8],
    header_octets: usize,
    width: Width,
) -> (usize, Vec<usize>) {
    let unit = octets_per_unit(coding);
    if data.len() <= room_behind(coding, header_octets) * unit {
        return (header_octets, vec![data.len()]);
    }
    // The elements of the whole go behind the part's number; their length octet is the same one.
    let header_octets = width.header_octets() + header_octets.saturating_sub(1);
    let room = room_behind(coding, header_octets) * unit;
    let ends = cut_greedily(data, room, |at| atom(coding, data, at));
    // Only UCS-2 has characters that are made of several.
    if coding == Coding::Ucs2 {
        let kept = cut_greedily(data, room, |at| cluster(data, at, room));
        if kept.len() <= ends.len() {
            return (header_octets, kept);
        }
    }
    (header_octets, ends)
}

/// Fills each part as far as the next indivisible piece allows; `length_at` tells the length of the one at an octet.
fn cut_greedily(data: &[u8], room: usize, length_at: impl Fn(usize) -> usize) -> Vec<usize> {
    let mut ends = Vec::with_capacity(data.len() / room.max(1) + 1);
    let (mut start, mut at) = (0, 0);
    while at < data.len() {
        let next = at + length_at(at);
        if next - start > room && at > start {
            ends.push(at);
            start = at;
        }
        at = next;
    }
    ends.push(data.len());
    ends
}

/// How many octets at `at` decode together.
fn atom(coding: Coding, data: &[u8], at: usize) -> usize {
    match coding {
        // The same pairs as in decoding, so that the texts of the parts are the text of the whole.
        Coding::Gsm7 if data[at] == gsm::ESCAPE => 2.min(data.len() - at),
        Coding::Gsm7 | Coding::Octets => 1,
        Coding::Ucs2 => ucs2::character_at(data, at).map_or(data.len() - at, |(_, length)| length),
    }
}

/// How many octets of UCS-2 at `at` readers see as one character; just what decodes together if that is more than a
/// part has room for.
fn cluster(data: &[u8], at: usize, room: usize) -> usize {
    let Some((first, first_length)) = ucs2::character_at(data, at) else {
        return data.len() - at;
    };
    let mut cluster = Cluster::starting_with(first);
    let mut length = first_length;
    while let Some((next, next_length)) = ucs2::character_at(data, at + length)
        && cluster.takes(next)
    {
        length += next_length;
        if length > room {
            return first_length;
        }
    }
    length
}

/// A body read as text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reading {
    /// The text, as its coding says.
    Text(Private<String>),
    /// Octets of no alphabet that we know, read as Latin-1: often a text of a careless sender, and never lossy.
    Guess(Private<String>),
}

impl Reading {
    /// The text, wherever it came from.
    pub const fn text(&self) -> &Private<String> {
        match self {
            Self::Text(text) | Self::Guess(text) => text,
        }
    }

    /// Whether the coding was known.
    pub const fn is_certain(&self) -> bool {
        matches!(self, Self::Text(_))
    }
}

/// The text of a body. A part of a long message gives its own piece; [`super::Joiner`] gives the whole.
pub fn read(body: &Body) -> Reading {
    read_data(body.coding(), body.data())
}

pub(super) fn read_data(coding: Coding, data: &[u8]) -> Reading {
    match coding {
        Coding::Gsm7 => Reading::Text(Private::new(gsm::decode(data))),
        Coding::Ucs2 => Reading::Text(Private::new(ucs2::decode(data))),
        Coding::Octets => Reading::Guess(Private::new(
            data.iter().map(|&octet| char::from(octet)).collect(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(text: &str) -> Vec<usize> {
        cut(text, Reference::Narrow(7))
            .unwrap()
            .iter()
            .map(|body| body.data().len() / octets_per_unit(body.coding()))
            .collect()
    }

    #[test]
    fn a_short_text_has_no_header() {
        let bodies = cut("hello", Reference::Narrow(7)).unwrap();
        assert_eq!(bodies, [whole("hello").unwrap()]);
        assert!(bodies[0].header().is_none());
        assert_eq!(whole("").unwrap().data().len(), 0);
        assert_eq!(
            whole(&"я".repeat(71)).unwrap_err().to_string(),
            "text: takes 71 units in ucs2; one message holds 70, cut it into parts"
        );
    }

    #[test]
    fn parts_are_as_long_as_the_manuals_say() {
        assert_eq!(lengths(&"a".repeat(160)), [160]);
        assert_eq!(lengths(&"a".repeat(161)), [153, 8]);
        assert_eq!(lengths(&"я".repeat(140)), [67, 67, 6]);
        let wide = cut(&"a".repeat(161), Reference::Wide(0x1234)).unwrap();
        assert_eq!(wide[0].data().len(), 152);
        assert_eq!(wide[1].header().octets()[..], [6, 8, 4, 0x12, 0x34, 2, 2]);
    }

    #[test]
    fn pairs_are_not_torn() {
        assert_eq!(
            lengths(&format!("{}€{}", "a".repeat(152), "b".repeat(9))),
            [152, 11]
        );
        assert_eq!(
            lengths(&format!("{}😀{}", "я".repeat(66), "b".repeat(9))),
            [66, 11]
        );
    }

    #[test]
    fn what_readers_see_as_one_stays_together_if_that_is_free() {
        let accent = format!("{}e\u{301}{}", "я".repeat(66), "b".repeat(9));
        assert_eq!(lengths(&accent), [66, 11]);
        // 134 units are two full parts; keeping the accent would cost a third one.
        let full = format!("{}e\u{301}{}", "я".repeat(66), "b".repeat(66));
        assert_eq!(lengths(&full), [67, 67]);
        // A heap of accents longer than a part is cut all the same.
        let heap = format!("e{}", "\u{301}".repeat(200));
        assert_eq!(lengths(&heap), [67, 67, 67]);
    }

    #[test]
    fn more_than_255_parts_are_refused() {
        let most = "a".repeat(255 * 153);
        assert_eq!(cut(&most, Reference::Narrow(0)).unwrap().len(), 255);
        let refused = cut(&(most + "a"), Reference::Narrow(0)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "text: needs 256 parts; 255 are allowed"
        );
    }

    #[test]
    fn other_elements_of_a_header_go_with_each_part() {
        // Application ports.
        let ports = UserDataHeader::new(vec![6, 5, 4, 0x15, 0x82, 0, 0].into()).unwrap();
        let data = Bytes::from(vec![0x80; 200]);
        let bodies = cut_data(Coding::Octets, &ports, &data, Reference::Narrow(9)).unwrap();
        assert_eq!(bodies.len(), 2);
        assert_eq!(bodies[0].data().len(), 128);
        assert!(bodies.iter().all(Body::fits_one_part));
        assert_eq!(
            bodies[1].header().octets()[..],
            [11, 0, 3, 9, 2, 2, 5, 4, 0x15, 0x82, 0, 0]
        );
        let again = cut_data(
            Coding::Octets,
            bodies[0].header(),
            &data,
            Reference::Narrow(9),
        );
        assert_eq!(again.unwrap_err().field, "user data header");
    }

    #[test]
    fn a_header_that_leaves_no_room_is_refused() {
        let mut octets = vec![0; 138];
        octets[..3].copy_from_slice(&[137, 0x70, 135]);
        let header = UserDataHeader::new(octets.into()).unwrap();
        let data = Bytes::from_static(b"abc");
        for coding in [Coding::Gsm7, Coding::Octets] {
            let refused = cut_data(coding, &header, &data, Reference::Narrow(9)).unwrap_err();
            assert_eq!(refused.field, "user data header");
        }
    }

    #[test]
    fn octets_read_as_a_guess() {
        let body = Body::new(
            Coding::Octets,
            UserDataHeader::NONE,
            vec![b'h', 0xE9].into(),
        )
        .unwrap();
        let reading = read(&body);
        assert!(!reading.is_certain());
        assert_eq!(reading.text().expose(), "hé");
        assert_eq!(format!("{reading:?}"), "Guess(<2 characters>)");
        assert!(read(&whole("hé").unwrap()).is_certain());
    }
}
