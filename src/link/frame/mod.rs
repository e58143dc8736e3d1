//! Frames as octets, see `docs/protocol-link.md` section 3. Each family has a file of its own.

mod ack;
mod data;
mod outcomes;
mod showing;

pub(super) use ack::ack_cost;
pub use ack::{Ack, MAX_RUNS};
pub use data::{Carried, PART, Part};
pub(super) use data::{DataRun, data_cost, part_of, parts};
pub(super) use outcomes::{OutcomeRun, is_plain, outcome_cost};
pub use showing::Showing;

use super::reason::{Reason, RingRefusal};
use super::wire::{cut, mark, put_mark, put_string, put_varint, sequence, string, varint};
use crate::codec::{Malformed, Reader};
use crate::lane::Sequence;
use crate::message::Outcome;
use crate::ring::Mark;

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
            Self::Ack(ack) => ack::encode(out, ack),
            Self::Ring(showing) => showing::encode(out, showing),
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
            ACK => Self::Ack(ack::decode(reader)?),
            RING => Self::Ring(Box::new(showing::decode(reader)?)),
            RING_REFUSED => Self::RingRefused {
                index: index(reader)?,
                refusal: RingRefusal {
                    number: reader.octet("ring refusal")?,
                    words: string(reader, "ring refusal words")?,
                },
            },
            DATA => data::decode(reader)?,
            COPY => match data::decode(reader)? {
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
            OUTCOMES => outcomes::decode(reader)?,
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
                part: data::decode_part(reader)?,
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
