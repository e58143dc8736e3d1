//! UTF-16 with the high octet first. Carriers call it UCS-2 and pass surrogate pairs through; phones show them.

use bytes::Bytes;

/// A text as octets, two for each UTF-16 unit.
pub fn encode(text: &str) -> Bytes {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// Octets as a text. Half a surrogate pair, or half a unit at the end, shows as U+FFFD. A byte order mark is kept: it
/// belongs to the octets, and is invisible.
pub fn decode(octets: &[u8]) -> String {
    let (units, rest) = octets.as_chunks::<2>();
    let mut text: String = char::decode_utf16(
        units
            .iter()
            .map(|&[high, low]| u16::from_be_bytes([high, low])),
    )
    .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
    .collect();
    if !rest.is_empty() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text
}

/// The character that begins at an octet, and how many octets it takes: four for a surrogate pair. Half a pair is
/// U+FFFD of two octets. `None` at the end.
pub(super) fn character_at(octets: &[u8], at: usize) -> Option<(char, usize)> {
    let unit = |at: usize| Some(u16::from_be_bytes(*octets.get(at..)?.first_chunk()?));
    let units = [unit(at), unit(at + 2)].into_iter().map_while(|unit| unit);
    let character = char::decode_utf16(units)
        .next()?
        .unwrap_or(char::REPLACEMENT_CHARACTER);
    Some((character, character.len_utf16() * 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_octet_comes_first() {
        // From a CIMD2 session: user data 041F0440.
        assert_eq!(encode("Пр")[..], [0x04, 0x1F, 0x04, 0x40]);
        assert_eq!(decode(&[0x04, 0x1F, 0x04, 0x40]), "Пр");
        assert_eq!(encode("😀")[..], [0xD8, 0x3D, 0xDE, 0x00]);
    }

    #[test]
    fn half_a_pair_shows_as_a_replacement_character() {
        assert_eq!(decode(&[0xD8, 0x3D]), "\u{FFFD}");
        assert_eq!(decode(&[0xDE, 0x00, 0x00, b'a']), "\u{FFFD}a");
        assert_eq!(decode(&[0xD8, 0x3D, 0xD8, 0x3D, 0xDE, 0x00]), "\u{FFFD}😀");
        assert_eq!(decode(&[0x00, b'a', 0x00]), "a\u{FFFD}");
    }

    #[test]
    fn a_character_is_found_at_its_octet() {
        let octets = encode("a😀");
        assert_eq!(character_at(&octets, 0), Some(('a', 2)));
        assert_eq!(character_at(&octets, 2), Some(('😀', 4)));
        assert_eq!(character_at(&octets, 4), Some(('\u{FFFD}', 2)));
        assert_eq!(character_at(&octets, 6), None);
    }
}
