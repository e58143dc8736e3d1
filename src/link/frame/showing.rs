//! Ring frames: a ring as one end shows it to the other.

use super::{RING, index, start};
use crate::codec::{Malformed, Reader};
use crate::lane::{Direction, Epoch, Lane, SLOTS, Side};
use crate::link::wire::{epoch, mark, put_mark, put_string, string};
use crate::ring::Mark;

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
    /// The imprint of the highest message that is held; zero if there is none, or it cannot be told any more.
    pub imprint: u32,
}

pub(super) fn encode(out: &mut Vec<u8>, showing: &Showing) {
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
    out.extend_from_slice(&showing.imprint.to_le_bytes());
}

pub(super) fn decode(reader: &mut Reader) -> Result<Showing, Malformed> {
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
        imprint: reader.u32_le("imprint")?,
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
