//! Septets packed into octets, as GSM 03.38 (6.1.2.1) and 03.40 (9.2.3.24) have them.
//!
//! The first septet takes the low bits of the first octet, the next one what is left and the low bits of the octet
//! behind. Behind a user data header, fill bits come first, so that the text begins at a border of septets counted
//! from the header's first octet.
//!
//! Octets alone do not tell how many septets they hold: seven octets are seven septets with spare bits, or eight whose
//! last is zero – and zero is `@`. So the count is always given. Where a protocol does not carry it,
//! [`likely_count`] says which is meant.

use bytes::Bytes;

use crate::message::UserDataHeader;

use super::gsm::ESCAPE;

/// How many bits stand between a header and the first septet: 0 to 6.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Fill(u8);

impl Fill {
    /// Without a header, the text begins at the first bit.
    pub const NONE: Self = Self(0);

    /// Behind a header of so many octets, its length octet included.
    pub const fn behind(header_octets: usize) -> Self {
        // 8 n bits are n bits beyond a border of septets.
        Self(((7 - header_octets % 7) % 7) as u8)
    }

    /// Behind this header.
    pub const fn behind_header(header: &UserDataHeader) -> Self {
        Self::behind(header.octets().len())
    }

    /// How many bits.
    pub const fn bits(self) -> usize {
        self.0 as usize
    }
}

/// How many octets so many septets take, the fill bits included.
pub const fn octets_for(septets: usize, fill: Fill) -> usize {
    septets
        .saturating_mul(7)
        .saturating_add(fill.bits())
        .div_ceil(8)
}

/// Packs septets (one an octet, of which the low seven bits count). Fill bits and spare bits are zero.
pub fn pack(septets: &[u8], fill: Fill) -> Bytes {
    let mut packed = Vec::with_capacity(octets_for(septets.len(), fill));
    let mut waiting = 0u16;
    let mut bits = fill.bits();
    for septet in septets {
        waiting |= u16::from(septet & 0x7F) << bits;
        bits += 7;
        if bits >= 8 {
            let [octet, rest] = waiting.to_le_bytes();
            packed.push(octet);
            waiting = u16::from(rest);
            bits -= 8;
        }
    }
    if bits > 0 {
        let [octet, _] = waiting.to_le_bytes();
        packed.push(octet);
    }
    packed.into()
}

/// Packed octets that are not as many as their septets need.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{count} septets need {needed} octets, there are {found}")]
pub struct WrongLength {
    /// How many septets were asked for.
    pub count: usize,
    /// How many octets these need.
    pub needed: usize,
    /// How many there are.
    pub found: usize,
}

/// Unpacks exactly `count` septets. The octets must be as many as these need: with fewer, text would be invented; with
/// more, it would be lost. What stands in fill bits and spare bits does not matter. No septets may also be no octets.
pub fn unpack(octets: &[u8], count: usize, fill: Fill) -> Result<Bytes, WrongLength> {
    let needed = octets_for(count, fill);
    if octets.len() != needed && !(count == 0 && octets.is_empty()) {
        return Err(WrongLength {
            count,
            needed,
            found: octets.len(),
        });
    }
    Ok((0..count)
        .map(|index| septet_at(octets, fill.bits() + 7 * index))
        .collect())
}

/// The septet that begins at a bit; what lies beyond the end reads as zero.
fn septet_at(octets: &[u8], bit: usize) -> u8 {
    let octet = |at: usize| octets.get(at).copied().unwrap_or_default();
    let pair = u16::from_le_bytes([octet(bit / 8), octet(bit / 8 + 1)]);
    let [septet, _] = (pair >> (bit % 8)).to_le_bytes();
    septet & 0x7F
}

/// How many septets are meant where nobody says: as many as there is room for, less the last one if the octets would
/// be as many without it and it says nothing. Zero there is most likely spare bits: a text that ends with `@` just
/// there loses it, and the far more frequent one that does not is not given one. An escape there has nothing behind it
/// (one CIMD2 client fills with it).
pub fn likely_count(octets: &[u8], fill: Fill) -> usize {
    let most = (octets.len() * 8).saturating_sub(fill.bits()) / 7;
    match most.checked_sub(1) {
        Some(less)
            if octets_for(less, fill) == octets.len()
                && matches!(septet_at(octets, fill.bits() + 7 * less), 0 | ESCAPE) =>
        {
            less
        }
        _ => most,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::gsm;

    #[test]
    fn hello_is_packed_as_everywhere() {
        // "hello", the example of many manuals.
        let packed = pack(b"hello", Fill::NONE);
        assert_eq!(packed[..], [0xE8, 0x32, 0x9B, 0xFD, 0x06]);
        assert_eq!(unpack(&packed, 5, Fill::NONE).unwrap()[..], b"hello"[..]);
    }

    #[test]
    fn a_packed_text_from_the_field_reads() {
        // A CIMD2 client's user data in hex: "hé @ {" is seven septets, the count is not given, and the seven bits that
        // are left hold an escape.
        let packed = [0xE8, 0x02, 0x08, 0x00, 0xDA, 0xA0, 0x36];
        let count = likely_count(&packed, Fill::NONE);
        assert_eq!(count, 7);
        let septets = unpack(&packed, count, Fill::NONE).unwrap();
        assert_eq!(gsm::decode(&septets), "hé @ {");
        assert_eq!(pack(&septets, Fill::NONE)[..6], packed[..6]);
        let all = unpack(&packed, 8, Fill::NONE).unwrap();
        assert_eq!(all[7], ESCAPE);
        assert_eq!(pack(&all, Fill::NONE)[..], packed);
    }

    #[test]
    fn a_trailing_at_is_neither_lost_nor_invented() {
        let seven = pack(b"abcdefg", Fill::NONE);
        let eight = pack(b"abcdefg\0", Fill::NONE);
        assert_eq!(seven, eight);
        assert_eq!(unpack(&seven, 7, Fill::NONE).unwrap()[..], b"abcdefg"[..]);
        assert_eq!(unpack(&seven, 8, Fill::NONE).unwrap()[..], b"abcdefg\0"[..]);
        assert_eq!(likely_count(&seven, Fill::NONE), 7);
        assert_eq!(likely_count(&pack(b"abcdefgh", Fill::NONE), Fill::NONE), 8);
        // Elsewhere the count is certain, and a last zero is an @.
        assert_eq!(likely_count(&pack(b"abc\0", Fill::NONE), Fill::NONE), 4);
        assert_eq!(likely_count(&[], Fill::NONE), 0);
    }

    #[test]
    fn fill_bits_bring_the_text_to_a_border_of_septets() {
        for octets in 0..=140 {
            let fill = Fill::behind(octets);
            assert!(fill.bits() < 7);
            assert_eq!((octets * 8 + fill.bits()) % 7, 0);
        }
        // 05 00 03 .. leaves one bit: "a" (0x61) stands shifted by it.
        assert_eq!(pack(b"a", Fill::behind(6))[..], [0xC2]);
        assert_eq!(pack(b"a", Fill::behind(7))[..], [0x61]);
    }

    #[test]
    fn a_count_that_does_not_fit_is_malformed() {
        let few = unpack(&[0xE8, 0x32], 5, Fill::NONE).unwrap_err();
        assert_eq!(few.to_string(), "5 septets need 5 octets, there are 2");
        assert_eq!(unpack(&[0; 6], 5, Fill::NONE).unwrap_err().needed, 5);
        assert!(unpack(&[0; 6], usize::MAX, Fill::NONE).is_err());
        assert!(unpack(&[], 0, Fill::behind(6)).unwrap().is_empty());
        assert!(unpack(&[0], 0, Fill::behind(6)).unwrap().is_empty());
    }
}
