//! Outcomes: how messages ended, each after the one before.

use super::{Frame, OUTCOMES, about, index};
use crate::codec::{Malformed, Reader};
use crate::lane::{SLOTS, Sequence};
use crate::link::wire::{put_string, put_varint, sequence, string, varint};
use crate::message::{Outcome, Refusal, SmscId};

const TELL_SKIP: u8 = 0;
const TELL_ACCEPTED: u8 = 1;
const TELL_NAMED: u8 = 2;
const TELL_REFUSED: u8 = 3;
const TELL_EXPIRED: u8 = 4;
const TELL_DOUBTFUL: u8 = 5;
const TELL_LOST: u8 = 6;

/// Whether an outcome costs nothing beside others of its kind.
pub(in crate::link) fn is_plain(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted(id) if id.is_none())
}

/// Octets that an outcome adds to an outcomes frame, at most.
pub(in crate::link) fn outcome_cost(outcome: &Outcome) -> usize {
    // A gap before it, then kind, code and text.
    3 + match outcome {
        Outcome::Accepted(id) => 2 + id.octets().len(),
        Outcome::Refused(refusal) => 7 + refusal.text().len(),
        Outcome::Expired | Outcome::Doubtful | Outcome::Lost => 1,
    }
}

/// Octets of an outcomes frame's head, at most.
const OUTCOMES_HEAD: usize = 1 + 2 + 10 + 2;

/// Collects outcomes of growing numbers, at most 255 apart, into one frame.
pub(in crate::link) struct OutcomeRun {
    index: u64,
    first: Sequence,
    next: Sequence,
    entries: Vec<u8>,
    count: u64,
    plain: u64,
}

impl OutcomeRun {
    pub(in crate::link) const fn new(index: u64) -> Self {
        Self {
            index,
            first: Sequence::NONE,
            next: Sequence::NONE,
            entries: Vec::new(),
            count: 0,
            plain: 0,
        }
    }

    pub(in crate::link) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Octets so far.
    pub(in crate::link) const fn length(&self) -> usize {
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

    pub(in crate::link) fn push(&mut self, sequence: Sequence, outcome: &Outcome) {
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

    pub(in crate::link) fn encode(&mut self, out: &mut Vec<u8>) {
        self.settle();
        about(out, OUTCOMES, self.index, self.first);
        put_varint(out, self.count);
        out.extend_from_slice(&self.entries);
    }
}

pub(super) fn decode(reader: &mut Reader) -> Result<Frame, Malformed> {
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
    if told.is_empty() {
        return Err(reader.complain(0, "outcomes", "tell of no message"));
    }
    Ok(Frame::Outcomes { index, told })
}
