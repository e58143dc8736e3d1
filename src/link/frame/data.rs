//! Messages on the link: whole ones, several in a frame, and long ones in parts.

use bytes::Bytes;

use super::{COPY, DATA, Frame, about, index};
use crate::clock::WallTime;
use crate::codec::item::MAX_ITEM;
use crate::codec::{Malformed, Reader};
use crate::lane::{SLOTS, Sequence};
use crate::link::wire::{put_varint, sequence, varint};
use crate::ring::Parcel;

/// Octets of an item that one packet carries at most; longer items travel in parts of this size.
pub const PART: usize = 960;

/// A message on the link: what [`Parcel`] is made of, not yet believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Carried {
    /// When it was taken from its source.
    pub retrieved_at: WallTime,
    /// The checksum made then.
    pub checksum: u32,
    /// The encoded item.
    pub item: Bytes,
}

/// A part of a long message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// Whose.
    pub sequence: Sequence,
    /// When the whole was taken from its source.
    pub retrieved_at: WallTime,
    /// The whole's checksum.
    pub checksum: u32,
    /// The whole's length.
    pub length: usize,
    /// Which part, from 0.
    pub number: usize,
    /// Its octets.
    pub octets: Bytes,
}

/// Octets that a message adds to a data frame of at most this many octets of head, at most.
pub(in crate::link) const fn data_cost(item: usize) -> usize {
    // Type, index, sequence, count and time of a new frame; difference of times, length, checksum.
    1 + 2 + 10 + 1 + 10 + 10 + 2 + 4 + item
}

/// Writes messages of consecutive numbers into one data frame.
pub(in crate::link) struct DataRun {
    kind: u8,
    index: u64,
    first: Sequence,
    count: u8,
    /// Where the count stands.
    place: usize,
    before: u64,
}

impl DataRun {
    pub(in crate::link) const fn new(index: u64, first: Sequence) -> Self {
        Self {
            kind: DATA,
            index,
            first,
            count: 0,
            place: 0,
            before: 0,
        }
    }

    pub(in crate::link) const fn copy(index: u64, sequence: Sequence) -> Self {
        Self {
            kind: COPY,
            ..Self::new(index, sequence)
        }
    }

    /// The number that the next message must have.
    pub(in crate::link) fn next(&self) -> Sequence {
        self.first.plus(u64::from(self.count))
    }

    pub(in crate::link) fn push(
        &mut self,
        out: &mut Vec<u8>,
        at: WallTime,
        checksum: u32,
        item: &[u8],
    ) {
        let at = at.as_unix_ms();
        if self.count == 0 {
            about(out, self.kind, self.index, self.first);
            self.place = out.len();
            out.push(0);
            put_varint(out, at);
            self.before = at;
        }
        self.count += 1;
        out[self.place] = self.count;
        let later = at.wrapping_sub(self.before).cast_signed();
        put_varint(out, ((later << 1) ^ (later >> 63)).cast_unsigned());
        self.before = at;
        put_varint(out, item.len() as u64);
        out.extend_from_slice(&checksum.to_le_bytes());
        out.extend_from_slice(item);
    }

    pub(in crate::link) const fn is_full(&self) -> bool {
        self.count as u64 == SLOTS
    }
}

pub(super) fn decode(reader: &mut Reader) -> Result<Frame, Malformed> {
    let index = index(reader)?;
    let first = sequence(reader, "sequence")?;
    let count = reader.octet("count")?;
    if count == 0 {
        return Err(reader.complain(1, "count", "is zero"));
    }
    let mut at = varint(reader, "retrieved at")?;
    let mut messages = Vec::with_capacity(usize::from(count).min(reader.remaining() / 6 + 1));
    for _ in 0..count {
        let folded = varint(reader, "retrieved at")?;
        let later = (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed();
        at = at.wrapping_add(later.cast_unsigned());
        let length = varint(reader, "length")?;
        if length == 0 || length > PART as u64 {
            return Err(reader.complain(1, "length", format!("{length} is not 1 to {PART}")));
        }
        let checksum = reader.u32_le("checksum")?;
        messages.push(Carried {
            retrieved_at: WallTime::from_unix_ms(at),
            checksum,
            item: reader.take("item", length as usize)?,
        });
    }
    Ok(Frame::Data {
        index,
        first,
        messages,
    })
}

/// How many parts a message of that length has.
pub(in crate::link) const fn parts(length: usize) -> usize {
    length.div_ceil(PART)
}

/// A part of a parcel.
pub(in crate::link) fn part_of(sequence: Sequence, parcel: &Parcel, number: usize) -> Part {
    let whole = parcel.octets();
    let end = whole.len().min((number + 1) * PART);
    Part {
        sequence,
        retrieved_at: parcel.retrieved_at,
        checksum: parcel.checksum(),
        length: whole.len(),
        number,
        octets: whole.slice(number * PART..end),
    }
}

pub(super) fn decode_part(reader: &mut Reader) -> Result<Part, Malformed> {
    let sequence = sequence(reader, "sequence")?;
    let at = varint(reader, "retrieved at")?;
    let checksum = reader.u32_le("checksum")?;
    let length = varint(reader, "length of the whole")?;
    if length <= PART as u64 || length > MAX_ITEM as u64 {
        return Err(reader.complain(
            1,
            "length of the whole",
            format!("{length} is not {} to {MAX_ITEM}", PART + 1),
        ));
    }
    let length = length as usize;
    let number = usize::from(reader.octet("number of the part")?);
    if number >= parts(length) {
        return Err(reader.complain(
            1,
            "number of the part",
            format!("there is no part {number}"),
        ));
    }
    let octets = reader.take("part", PART.min(length - number * PART))?;
    Ok(Part {
        sequence,
        retrieved_at: WallTime::from_unix_ms(at),
        checksum,
        length,
        number,
        octets,
    })
}
