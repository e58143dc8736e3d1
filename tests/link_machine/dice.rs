//! Octets that decide what happens, and frames made of them.

use std::collections::BTreeMap;

use bytes::Bytes;
use sluice::clock::WallTime;
use sluice::codec::checksum::crc32c;
use sluice::lane::{Direction, Epoch, SLOTS, Sequence, Side};
use sluice::link::frame::{Ack, Carried, Frame, Part, Showing};
use sluice::link::{Reason, RingView};
use sluice::message::{Outcome, Refusal, SmscId};
use sluice::ring::Mark;

use crate::support::link::BareRing;

/// Octets that decide.
pub(super) struct Dice<'a>(pub(super) &'a [u8]);

impl<'a> Dice<'a> {
    pub(super) fn octet(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::from(self.octet()) % limit.max(1)
    }

    pub(super) fn some(&mut self, most: usize) -> &'a [u8] {
        let length = usize::from(self.octet()).min(most).min(self.0.len());
        let (some, rest) = self.0.split_at(length);
        self.0 = rest;
        some
    }

    /// A number near another one, or far from it.
    pub(super) fn near(&mut self, number: u64) -> u64 {
        match self.octet() {
            255 => u64::MAX / 4,
            254 => u64::MAX,
            253 => 0,
            step => (number + u64::from(step)).saturating_sub(126),
        }
    }

    pub(super) fn mark(&mut self, near: Sequence) -> Mark {
        let mut mark = Mark::default();
        mark.raise(Sequence::new(self.near(near.get()).min(u64::MAX / 4)));
        for step in self.some(4) {
            if *step > 1 {
                mark.set(mark.up_to().plus(u64::from(*step).min(SLOTS)));
            }
        }
        mark
    }
}

/// A frame as somebody might send it who wants to do harm.
pub(super) fn invented(rings: &[BareRing], dice: &mut Dice<'_>) -> Frame {
    let index = dice.below(5) as u64;
    let ring = index.min(1) as usize;
    let array = &rings[ring];
    let marks = array.look(|array| *array.marks());
    let near = marks.retrieved.up_to();
    let some = |dice: &mut Dice<'_>| Sequence::new(dice.near(near.get()).clamp(1, u64::MAX / 4));
    let carried = |dice: &mut Dice<'_>| {
        let item = Bytes::copy_from_slice(dice.some(60));
        Carried {
            retrieved_at: WallTime::from_unix_ms(dice.near(1 << 40)),
            checksum: crc32c(&item) ^ u32::from(dice.octet() > 250),
            item,
        }
    };
    match dice.octet() % 16 {
        0 => Frame::Ping,
        1 => Frame::Ack(Ack {
            largest: dice.near(4).max(1),
            delay: dice.near(10),
            run: 0,
            runs: Vec::new(),
        }),
        2 | 3 => Frame::Ring(Box::new(Showing {
            index,
            lane: array.name().lane.clone(),
            direction: [Direction::Mo, Direction::Mt][ring],
            side: [Side::Origin, Side::Mirror][dice.below(2)],
            epoch: Epoch::new(1000 + u64::from(dice.octet() > 200)).expect("not zero"),
            retrieved: dice.mark(near),
            sent: dice.mark(near),
            confirmed: dice.mark(near),
            processed: dice.mark(marks.processed.up_to()),
            imprint: u32::from(dice.octet()),
        })),
        4..=6 => {
            let messages = (0..=dice.below(3)).map(|_| carried(dice)).collect();
            let first = some(dice);
            Frame::Data {
                index,
                first,
                messages,
            }
        }
        7 => Frame::Confirmed {
            index,
            mark: dice.mark(near),
        },
        8 => Frame::Outcomes {
            index,
            told: (0..=dice.below(4) as u64)
                .map(|step| {
                    let outcome = match step % 3 {
                        0 => Outcome::Accepted(SmscId::NONE),
                        1 => Outcome::Refused(Refusal::new(Some(1), "no")),
                        _ => Outcome::Lost,
                    };
                    (some(dice).plus(step), outcome)
                })
                .collect::<BTreeMap<_, _>>()
                .into_iter()
                .collect(),
        },
        9 => Frame::Taken {
            index,
            mark: dice.mark(marks.processed.up_to()),
        },
        10 => Frame::Ask {
            index,
            sequence: some(dice),
        },
        11 => Frame::Copy {
            index,
            sequence: some(dice),
            message: carried(dice),
        },
        12 => Frame::NoCopy {
            index,
            sequence: some(dice),
        },
        13 => Frame::Lost {
            index,
            sequence: some(dice),
        },
        14 => Frame::Part {
            index,
            copy: dice.below(2) == 1,
            part: Part {
                sequence: some(dice),
                retrieved_at: WallTime::from_unix_ms(1),
                checksum: u32::from(dice.octet()),
                length: 961 + dice.below(250),
                number: dice.below(2),
                octets: Bytes::copy_from_slice(dice.some(255)),
            },
        },
        _ => Frame::Goodbye(Reason::Stopping),
    }
}
