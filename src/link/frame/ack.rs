//! Acknowledgments: which packets came.

use super::ACK;
use crate::codec::{Malformed, Reader};
use crate::link::wire::{put_varint, varint, varint_length};

/// Runs of packet numbers that one acknowledgment tells beside the first.
pub const MAX_RUNS: usize = 32;

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

pub(super) fn encode(out: &mut Vec<u8>, ack: &Ack) {
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

pub(super) fn decode(reader: &mut Reader) -> Result<Ack, Malformed> {
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

/// How long an acknowledgment frame is, at most, with so many runs.
pub(in crate::link) const fn ack_cost(ack: &Ack) -> usize {
    2 + varint_length(ack.largest)
        + varint_length(ack.delay)
        + varint_length(ack.run)
        + ack.runs.len() * 4
}
