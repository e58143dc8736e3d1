//! The small pieces that frames are made of: varints, strings, sequences, marks.

use crate::codec::{Malformed, Reader};
use crate::lane::{Epoch, SLOTS, Sequence};
use crate::ring::{Bits, Mark};

/// No ring comes near this number; what claims to lie beyond is no sequence, and sums with it cannot overflow.
const LAST_SEQUENCE: u64 = u64::MAX / 4;

/// Appends a number, seven bits an octet, low ones first.
pub(super) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// How many octets a number takes as a varint.
pub(super) const fn varint_length(number: u64) -> usize {
    let bits = 64 - (number | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Reads a varint in its shortest form.
pub(super) fn varint(reader: &mut Reader, field: &'static str) -> Result<u64, Malformed> {
    let mut number = 0_u64;
    for place in 0..10 {
        let octet = reader.octet(field)?;
        let bits = u64::from(octet & 0x7F);
        if place == 9 && octet > 1 {
            return Err(reader.complain(10, field, "is larger than 64 bits"));
        }
        number |= bits << (7 * place);
        if octet & 0x80 == 0 {
            if octet == 0 && place > 0 {
                return Err(reader.complain(1, field, "is not in its shortest form"));
            }
            return Ok(number);
        }
    }
    Err(reader.complain(10, field, "does not end"))
}

/// Appends a length octet and the octets.
///
/// # Panics
/// If there are more than 255: every string here has a limit below that.
pub(super) fn put_string(out: &mut Vec<u8>, octets: &[u8]) {
    out.push(u8::try_from(octets.len()).expect("strings on the link have at most 255 octets"));
    out.extend_from_slice(octets);
}

/// Reads a string of UTF-8.
pub(super) fn string(reader: &mut Reader, field: &'static str) -> Result<String, Malformed> {
    let octets = reader.short_string(field)?;
    match std::str::from_utf8(&octets) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(reader.complain(octets.len(), field, "is not UTF-8")),
    }
}

/// Cuts words for people to what a string can carry, at a character's border.
pub(super) fn cut(words: &str) -> &str {
    let mut end = words.len().min(200);
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    &words[..end]
}

/// Reads a message's sequence.
pub(super) fn sequence(reader: &mut Reader, field: &'static str) -> Result<Sequence, Malformed> {
    let start = reader.offset();
    let number = varint(reader, field)?;
    if number == 0 || number > LAST_SEQUENCE {
        let back = reader.offset() - start;
        return Err(reader.complain(back, field, format!("{number} is no sequence")));
    }
    Ok(Sequence::new(number))
}

/// Reads an epoch.
pub(super) fn epoch(reader: &mut Reader) -> Result<Epoch, Malformed> {
    let number = reader.u64_le("epoch")?;
    Epoch::new(number).ok_or_else(|| reader.complain(8, "epoch", "is zero"))
}

/// Appends a mark.
pub(super) fn put_mark(out: &mut Vec<u8>, mark: &Mark) {
    put_varint(out, mark.up_to().get());
    if mark.ahead().is_empty() {
        out.push(0);
        return;
    }
    let first = mark.up_to().plus(2);
    let mut bitmap = [0_u8; 32];
    let mut used = 0;
    for sequence in mark.ahead_sequences() {
        let bit = sequence.since(first) as usize;
        bitmap[bit / 8] |= 1 << (bit % 8);
        used = bit / 8 + 1;
    }
    out.push(used as u8);
    out.extend_from_slice(&bitmap[..used]);
}

/// Reads a mark.
pub(super) fn mark(reader: &mut Reader, field: &'static str) -> Result<Mark, Malformed> {
    let start = reader.offset();
    let up_to = varint(reader, field)?;
    if up_to > LAST_SEQUENCE {
        let back = reader.offset() - start;
        return Err(reader.complain(back, field, format!("{up_to} is no sequence")));
    }
    let up_to = Sequence::new(up_to);
    let length = usize::from(reader.octet(field)?);
    if length > 32 {
        return Err(reader.complain(
            1,
            field,
            format!("has {length} octets of flags, not 0 to 32"),
        ));
    }
    let octets = reader.take(field, length)?;
    if octets.last() == Some(&0) {
        return Err(reader.complain(1, field, "ends with an octet of no flags"));
    }
    let mut ahead = Bits::NONE;
    for (place, octet) in octets.iter().enumerate() {
        let mut left = *octet;
        while left != 0 {
            let bit = 8 * place as u64 + u64::from(left.trailing_zeros());
            left &= left - 1;
            // Bit k is the sequence pointer + 2 + k, and the last one that the pointer can tell is pointer + 255.
            if bit + 2 > SLOTS {
                return Err(reader.complain(1, field, "has a flag that lies beyond the ring"));
            }
            ahead.set(up_to.plus(bit + 2).address());
        }
    }
    Mark::new(up_to, ahead)
        .ok_or_else(|| reader.complain(1, field, "has a flag that its pointer should have passed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn reader(octets: &[u8]) -> Reader {
        Reader::new(Bytes::copy_from_slice(octets))
    }

    #[test]
    fn varints_round_trip_in_their_shortest_form() {
        for number in [0, 1, 127, 128, 300, 16_383, 16_384, 1 << 35, u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, number);
            assert_eq!(out.len(), varint_length(number));
            assert_eq!(varint(&mut reader(&out), "n"), Ok(number));
        }
        assert!(varint(&mut reader(&[0x80, 0x00]), "n").is_err());
        assert!(varint(&mut reader(&[0x80]), "n").is_err());
        assert!(varint(&mut reader(&[0xFF; 10]), "n").is_err());
    }

    #[test]
    fn marks_round_trip_and_impossible_ones_are_refused() {
        for (up_to, flags) in [
            (0, vec![]),
            (0, vec![2]),
            (7, vec![9, 10, 262]),
            (300, (302..=555).collect()),
        ] {
            let mut mark_there = Mark::default();
            mark_there.raise(Sequence::new(up_to));
            for flag in flags {
                mark_there.set(Sequence::new(flag));
            }
            let mut out = Vec::new();
            put_mark(&mut out, &mark_there);
            assert_eq!(mark(&mut reader(&out), "m"), Ok(mark_there));
        }
        // Pointer 5, one octet of flags: bit 0 is sequence 7.
        let seven = mark(&mut reader(&[5, 1, 0x01]), "m").unwrap();
        assert!(seven.has(Sequence::new(7)) && !seven.has(Sequence::new(6)));
        assert!(mark(&mut reader(&[5, 1, 0x00]), "m").is_err());
        assert!(mark(&mut reader(&[5, 33]), "m").is_err());
        let mut beyond = vec![5, 32];
        beyond.extend([0; 31]);
        beyond.push(0x80);
        assert!(mark(&mut reader(&beyond), "m").is_err());
    }
}
