//! Frames as octets, see `docs/protocol-link.md` section 3.

use bytes::Bytes;

use super::reason::{Reason, RingRefusal};
use super::wire::{
    cut, epoch, mark, put_mark, put_string, put_varint, sequence, string, varint, varint_length,
};
use crate::clock::WallTime;
use crate::codec::item::MAX_ITEM;
use crate::codec::{Malformed, Reader};
use crate::lane::{Direction, Epoch, Lane, SLOTS, Sequence, Side};
use crate::message::{Outcome, Refusal, SmscId};
use crate::ring::{Mark, Parcel};

/// Octets of an item that one packet carries at most; longer items travel in parts of this size.
pub const PART: usize = 960;
/// Runs of packet numbers that one acknowledgment tells beside the first.
pub const MAX_RUNS: usize = 32;
/// Indices of rings on a connection lie below this: as many as a ring file has.
pub const MAX_INDEX: u64 = crate::ring::page::MAX_RINGS as u64;

const PING: u8 = 0x01;
const ACK: u8 = 0x02;
const RING: u8 = 0x03;
const RING_REFUSED: u8 = 0x04;
const DATA: u8 = 0x05;
const CONFIRMED: u8 = 0x06;
const OUTCOMES: u8 = 0x07;
const TAKEN: u8 = 0x08;
const ASK: u8 = 0x09;
const COPY: u8 = 0x0A;
const NO_COPY: u8 = 0x0B;
const LOST: u8 = 0x0C;
const GOODBYE: u8 = 0x0D;
const PART_OF_DATA: u8 = 0x0E;
const PART_OF_COPY: u8 = 0x0F;

/// Which packets came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ack {
    /// The highest packet number.
    pub largest: u64,
    /// How long ago it came, in units of 64 µs.
    pub delay: u64,
    /// How many before it came without a gap.
    pub run: u64,
    /// Going down: packets missing, then packets there.
    pub runs: Vec<(u64, u64)>,
}

/// A ring as one end shows it to the other when a connection begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Showing {
    /// Its number on this connection.
    pub index: u64,
    /// Its lane.
    pub lane: Lane,
    /// From the phone or to it.
    pub direction: Direction,
    /// Which end the sender is.
    pub side: Side,
    /// Its life.
    pub epoch: Epoch,
    /// What is held durably.
    pub retrieved: Mark,
    /// What was put on the link.
    pub sent: Mark,
    /// What the mirror holds, as the sender knows it.
    pub confirmed: Mark,
    /// What was passed on, as the sender knows it.
    pub processed: Mark,
}

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

/// One frame.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(
    missing_docs,
    reason = "the document draws each; fields are named as there"
)]
pub enum Frame {
    Ping,
    Ack(Ack),
    Ring(Box<Showing>),
    RingRefused {
        index: u64,
        refusal: RingRefusal,
    },
    Data {
        index: u64,
        first: Sequence,
        messages: Vec<Carried>,
    },
    Confirmed {
        index: u64,
        mark: Mark,
    },
    Outcomes {
        index: u64,
        told: Vec<(Sequence, Outcome)>,
    },
    Taken {
        index: u64,
        mark: Mark,
    },
    Ask {
        index: u64,
        sequence: Sequence,
    },
    Copy {
        index: u64,
        sequence: Sequence,
        message: Carried,
    },
    NoCopy {
        index: u64,
        sequence: Sequence,
    },
    Lost {
        index: u64,
        sequence: Sequence,
    },
    Goodbye(Reason),
    Part {
        index: u64,
        copy: bool,
        part: Part,
    },
}

impl Frame {
    /// Appends its octets.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ping => out.push(PING),
            Self::Ack(ack) => encode_ack(out, ack),
            Self::Ring(showing) => encode_ring(out, showing),
            Self::RingRefused { index, refusal } => {
                start(out, RING_REFUSED, *index);
                out.push(refusal.number);
                put_string(out, cut(&refusal.words).as_bytes());
            }
            Self::Data {
                index,
                first,
                messages,
            } => {
                let mut run = DataRun::new(*index, *first);
                for message in messages {
                    run.push(out, message.retrieved_at, message.checksum, &message.item);
                }
            }
            Self::Confirmed { index, mark } => {
                start(out, CONFIRMED, *index);
                put_mark(out, mark);
            }
            Self::Outcomes { index, told } => {
                let mut run = OutcomeRun::new(*index);
                for (sequence, outcome) in told {
                    run.push(*sequence, outcome);
                }
                run.encode(out);
            }
            Self::Taken { index, mark } => {
                start(out, TAKEN, *index);
                put_mark(out, mark);
            }
            Self::Ask { index, sequence } => about(out, ASK, *index, *sequence),
            Self::Copy {
                index,
                sequence,
                message,
            } => {
                let mut run = DataRun::copy(*index, *sequence);
                run.push(out, message.retrieved_at, message.checksum, &message.item);
            }
            Self::NoCopy { index, sequence } => about(out, NO_COPY, *index, *sequence),
            Self::Lost { index, sequence } => about(out, LOST, *index, *sequence),
            Self::Goodbye(reason) => {
                out.extend_from_slice(&[GOODBYE, reason.number()]);
                put_string(out, cut(reason.words()).as_bytes());
            }
            Self::Part { index, copy, part } => {
                let kind = if *copy { PART_OF_COPY } else { PART_OF_DATA };
                about(out, kind, *index, part.sequence);
                put_varint(out, part.retrieved_at.as_unix_ms());
                out.extend_from_slice(&part.checksum.to_le_bytes());
                put_varint(out, part.length as u64);
                out.push(part.number as u8);
                out.extend_from_slice(&part.octets);
            }
        }
    }

    /// Reads one frame.
    pub fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let kind = reader.octet("frame type")?;
        Ok(match kind {
            PING => Self::Ping,
            ACK => Self::Ack(decode_ack(reader)?),
            RING => Self::Ring(Box::new(decode_ring(reader)?)),
            RING_REFUSED => Self::RingRefused {
                index: index(reader)?,
                refusal: RingRefusal {
                    number: reader.octet("ring refusal")?,
                    words: string(reader, "ring refusal words")?,
                },
            },
            DATA => decode_data(reader)?,
            COPY => match decode_data(reader)? {
                Self::Data {
                    index,
                    first,
                    mut messages,
                } if messages.len() == 1 => Self::Copy {
                    index,
                    sequence: first,
                    message: messages.remove(0),
                },
                _ => return Err(reader.complain(0, "copy", "has more than one message")),
            },
            CONFIRMED => Self::Confirmed {
                index: index(reader)?,
                mark: mark(reader, "confirmed")?,
            },
            OUTCOMES => decode_outcomes(reader)?,
            TAKEN => Self::Taken {
                index: index(reader)?,
                mark: mark(reader, "taken")?,
            },
            ASK => Self::Ask {
                index: index(reader)?,
                sequence: sequence(reader, "sequence")?,
            },
            NO_COPY => Self::NoCopy {
                index: index(reader)?,
                sequence: sequence(reader, "sequence")?,
            },
            LOST => Self::Lost {
                index: index(reader)?,
                sequence: sequence(reader, "sequence")?,
            },
            GOODBYE => {
                let number = reader.octet("goodbye")?;
                Self::Goodbye(Reason::from_parts(number, string(reader, "goodbye words")?))
            }
            PART_OF_DATA | PART_OF_COPY => Self::Part {
                index: index(reader)?,
                copy: kind == PART_OF_COPY,
                part: decode_part(reader)?,
            },
            other => {
                return Err(reader.complain(1, "frame type", format!("{other:#04x} is unknown")));
            }
        })
    }
}

fn start(out: &mut Vec<u8>, kind: u8, index: u64) {
    out.push(kind);
    put_varint(out, index);
}

fn about(out: &mut Vec<u8>, kind: u8, index: u64, sequence: Sequence) {
    start(out, kind, index);
    put_varint(out, sequence.get());
}

fn index(reader: &mut Reader) -> Result<u64, Malformed> {
    let index = varint(reader, "ring index")?;
    if index >= MAX_INDEX {
        return Err(reader.complain(1, "ring index", format!("{index} is not below {MAX_INDEX}")));
    }
    Ok(index)
}

fn encode_ack(out: &mut Vec<u8>, ack: &Ack) {
    out.push(ACK);
    put_varint(out, ack.largest);
    put_varint(out, ack.delay);
    put_varint(out, ack.run);
    out.push(ack.runs.len().min(MAX_RUNS) as u8);
    for (missing, there) in ack.runs.iter().take(MAX_RUNS) {
        put_varint(out, *missing);
        put_varint(out, *there);
    }
}

fn decode_ack(reader: &mut Reader) -> Result<Ack, Malformed> {
    let largest = varint(reader, "largest packet")?;
    let delay = varint(reader, "ack delay")?;
    let run = varint(reader, "run")?;
    let count = usize::from(reader.octet("runs")?);
    if count > MAX_RUNS {
        return Err(reader.complain(1, "runs", format!("{count} are more than {MAX_RUNS}")));
    }
    let mut lowest = largest
        .checked_sub(run)
        .ok_or_else(|| reader.complain(1, "run", "goes below the first packet"))?;
    let mut runs = Vec::with_capacity(count);
    for _ in 0..count {
        let missing = varint(reader, "packets missing")?;
        let there = varint(reader, "packets there")?;
        if missing == 0 || there == 0 {
            return Err(reader.complain(1, "runs", "one of them is empty"));
        }
        lowest = missing
            .checked_add(there)
            .and_then(|both| lowest.checked_sub(both))
            .ok_or_else(|| reader.complain(1, "runs", "go below the first packet"))?;
        runs.push((missing, there));
    }
    if lowest == 0 {
        return Err(reader.complain(1, "runs", "name packet 0, which nobody sends"));
    }
    Ok(Ack {
        largest,
        delay,
        run,
        runs,
    })
}

fn encode_ring(out: &mut Vec<u8>, showing: &Showing) {
    start(out, RING, showing.index);
    let direction = u8::from(showing.direction == Direction::Mt);
    let side = u8::from(showing.side == Side::Mirror);
    out.push(direction | side << 1);
    put_string(out, showing.lane.as_str().as_bytes());
    out.extend_from_slice(&showing.epoch.get().to_le_bytes());
    for mark in [
        &showing.retrieved,
        &showing.sent,
        &showing.confirmed,
        &showing.processed,
    ] {
        put_mark(out, mark);
    }
}

fn decode_ring(reader: &mut Reader) -> Result<Showing, Malformed> {
    let index = index(reader)?;
    let kind = reader.octet("ring kind")?;
    if kind > 3 {
        return Err(reader.complain(1, "ring kind", format!("{kind} is none")));
    }
    let lane = string(reader, "lane")?;
    let lane: Lane = lane.parse().map_err(|why: crate::lane::NameError| {
        reader.complain(lane.len(), "lane", why.to_string())
    })?;
    let showing = Showing {
        index,
        lane,
        direction: if kind & 1 == 0 {
            Direction::Mo
        } else {
            Direction::Mt
        },
        side: if kind & 2 == 0 {
            Side::Origin
        } else {
            Side::Mirror
        },
        epoch: epoch(reader)?,
        retrieved: mark(reader, "retrieved")?,
        sent: mark(reader, "sent")?,
        confirmed: mark(reader, "confirmed")?,
        processed: mark(reader, "processed")?,
    };
    let in_order = showing.processed.up_to() <= showing.confirmed.up_to()
        && showing.confirmed.up_to() <= showing.sent.up_to()
        && showing.sent.up_to() <= showing.retrieved.up_to()
        && showing.retrieved.highest().since(showing.processed.up_to()) <= SLOTS
        && showing.confirmed.highest() <= showing.retrieved.highest()
        && showing.processed.highest() <= showing.retrieved.highest();
    if !in_order {
        return Err(reader.complain(0, "ring", "has pointers out of order"));
    }
    Ok(showing)
}

/// Octets that a message adds to a data frame of at most this many octets of head, at most.
pub(super) const fn data_cost(item: usize) -> usize {
    // Type, index, sequence, count and time of a new frame; difference of times, length, checksum.
    1 + 2 + 10 + 1 + 10 + 10 + 2 + 4 + item
}

/// Writes messages of consecutive numbers into one data frame.
pub(super) struct DataRun {
    kind: u8,
    index: u64,
    first: Sequence,
    count: u8,
    /// Where the count stands.
    place: usize,
    before: u64,
}

impl DataRun {
    pub(super) const fn new(index: u64, first: Sequence) -> Self {
        Self {
            kind: DATA,
            index,
            first,
            count: 0,
            place: 0,
            before: 0,
        }
    }

    pub(super) const fn copy(index: u64, sequence: Sequence) -> Self {
        Self {
            kind: COPY,
            ..Self::new(index, sequence)
        }
    }

    /// The number that the next message must have.
    pub(super) fn next(&self) -> Sequence {
        self.first.plus(u64::from(self.count))
    }

    pub(super) fn push(&mut self, out: &mut Vec<u8>, at: WallTime, checksum: u32, item: &[u8]) {
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

    pub(super) const fn is_full(&self) -> bool {
        self.count as u64 == SLOTS
    }
}

fn decode_data(reader: &mut Reader) -> Result<Frame, Malformed> {
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
pub(super) const fn parts(length: usize) -> usize {
    length.div_ceil(PART)
}

/// A part of a parcel.
pub(super) fn part_of(sequence: Sequence, parcel: &Parcel, number: usize) -> Part {
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

fn decode_part(reader: &mut Reader) -> Result<Part, Malformed> {
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

const TELL_SKIP: u8 = 0;
const TELL_ACCEPTED: u8 = 1;
const TELL_NAMED: u8 = 2;
const TELL_REFUSED: u8 = 3;
const TELL_EXPIRED: u8 = 4;
const TELL_DOUBTFUL: u8 = 5;
const TELL_LOST: u8 = 6;

/// Whether an outcome costs nothing beside others of its kind.
pub(super) fn is_plain(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted(id) if id.is_none())
}

/// Octets that an outcome adds to an outcomes frame, at most.
pub(super) fn outcome_cost(outcome: &Outcome) -> usize {
    // A gap before it, then kind, code and text.
    3 + match outcome {
        Outcome::Accepted(id) => 2 + id.octets().len(),
        Outcome::Refused(refusal) => 7 + refusal.text().len(),
        Outcome::Expired | Outcome::Doubtful | Outcome::Lost => 1,
    }
}

/// Octets of an outcomes frame's head, at most.
pub(super) const OUTCOMES_HEAD: usize = 1 + 2 + 10 + 2;

/// Collects outcomes of growing numbers, at most 255 apart, into one frame.
pub(super) struct OutcomeRun {
    index: u64,
    first: Sequence,
    next: Sequence,
    entries: Vec<u8>,
    count: u64,
    plain: u64,
}

impl OutcomeRun {
    pub(super) const fn new(index: u64) -> Self {
        Self {
            index,
            first: Sequence::NONE,
            next: Sequence::NONE,
            entries: Vec::new(),
            count: 0,
            plain: 0,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Octets so far.
    pub(super) const fn length(&self) -> usize {
        OUTCOMES_HEAD + self.entries.len() + if self.plain > 0 { 3 } else { 0 }
    }

    fn settle(&mut self) {
        if self.plain > 0 {
            self.entries.push(TELL_ACCEPTED);
            put_varint(&mut self.entries, self.plain);
            self.count += 1;
            self.plain = 0;
        }
    }

    pub(super) fn push(&mut self, sequence: Sequence, outcome: &Outcome) {
        if self.first.is_none() {
            self.first = sequence;
            self.next = sequence;
        }
        let gap = sequence.since(self.next);
        if gap > 0 {
            self.settle();
            self.entries.push(TELL_SKIP);
            put_varint(&mut self.entries, gap);
            self.count += 1;
        }
        self.next = sequence.next();
        if is_plain(outcome) {
            self.plain += 1;
            return;
        }
        self.settle();
        self.count += 1;
        match outcome {
            Outcome::Accepted(id) => {
                self.entries.push(TELL_NAMED);
                put_string(&mut self.entries, id.octets());
            }
            Outcome::Refused(refusal) => {
                self.entries.push(TELL_REFUSED);
                self.entries.push(u8::from(refusal.code.is_some()));
                if let Some(code) = refusal.code {
                    self.entries.extend_from_slice(&code.to_le_bytes());
                }
                put_string(&mut self.entries, refusal.text().as_bytes());
            }
            Outcome::Expired => self.entries.push(TELL_EXPIRED),
            Outcome::Doubtful => self.entries.push(TELL_DOUBTFUL),
            Outcome::Lost => self.entries.push(TELL_LOST),
        }
    }

    pub(super) fn encode(&mut self, out: &mut Vec<u8>) {
        self.settle();
        about(out, OUTCOMES, self.index, self.first);
        put_varint(out, self.count);
        out.extend_from_slice(&self.entries);
    }
}

fn decode_outcomes(reader: &mut Reader) -> Result<Frame, Malformed> {
    let index = index(reader)?;
    let first = sequence(reader, "sequence")?;
    let count = varint(reader, "entries")?;
    if count == 0 || count > 2 * SLOTS {
        return Err(reader.complain(1, "entries", format!("{count} are not 1 to {}", 2 * SLOTS)));
    }
    let mut told = Vec::new();
    let mut next = first;
    let mut within = |reader: &Reader, steps: u64| {
        if steps == 0 || next.since(first) + steps > SLOTS {
            return Err(reader.complain(1, "outcomes", "go beyond the 255 of a ring"));
        }
        let from = next;
        next = next.plus(steps);
        Ok(from)
    };
    for _ in 0..count {
        let outcome = match reader.octet("outcome")? {
            TELL_SKIP => {
                let steps = varint(reader, "outcomes not told")?.min(SLOTS + 1);
                within(reader, steps)?;
                continue;
            }
            TELL_ACCEPTED => {
                let steps = varint(reader, "accepted")?.min(SLOTS + 1);
                let from = within(reader, steps)?;
                told.extend(
                    (0..steps).map(|step| (from.plus(step), Outcome::Accepted(SmscId::NONE))),
                );
                continue;
            }
            TELL_NAMED => {
                let name = reader.short_string("message id")?;
                let length = name.len();
                Outcome::Accepted(
                    SmscId::new(name)
                        .map_err(|why| reader.complain(length, "message id", why.reason))?,
                )
            }
            TELL_REFUSED => {
                let has_code = reader.octet("whether there is a code")?;
                let code = match has_code {
                    0 => None,
                    1 => Some(reader.u32_le("code")?),
                    _ => return Err(reader.complain(1, "whether there is a code", "is 0 or 1")),
                };
                let words = string(reader, "refusal")?;
                if words.len() > Refusal::MAX_TEXT {
                    return Err(reader.complain(words.len(), "refusal", "is too long"));
                }
                Outcome::Refused(Refusal::new(code, &words))
            }
            TELL_EXPIRED => Outcome::Expired,
            TELL_DOUBTFUL => Outcome::Doubtful,
            TELL_LOST => Outcome::Lost,
            other => return Err(reader.complain(1, "outcome", format!("{other} is none"))),
        };
        told.push((within(reader, 1)?, outcome));
    }
    Ok(Frame::Outcomes { index, told })
}

/// What a frame is called in the document.
pub(super) const fn name(frame: &Frame) -> &'static str {
    match frame {
        Frame::Ping => "a ping",
        Frame::Ack(_) => "an ack",
        Frame::Ring(_) => "a ring frame",
        Frame::RingRefused { .. } => "a refusal of a ring",
        Frame::Data { .. } => "data",
        Frame::Confirmed { .. } => "confirmed",
        Frame::Outcomes { .. } => "outcomes",
        Frame::Taken { .. } => "taken",
        Frame::Ask { .. } => "an ask",
        Frame::Copy { .. } => "a copy",
        Frame::NoCopy { .. } => "no copy",
        Frame::Lost { .. } => "lost",
        Frame::Goodbye(_) => "goodbye",
        Frame::Part { copy: false, .. } => "a part",
        Frame::Part { copy: true, .. } => "a part of a copy",
    }
}

/// How long an acknowledgment frame is, at most, with so many runs.
pub(super) const fn ack_cost(ack: &Ack) -> usize {
    2 + varint_length(ack.largest)
        + varint_length(ack.delay)
        + varint_length(ack.run)
        + ack.runs.len() * 4
}
