//! What must be, whatever happened.

use sluice::lane::{SLOTS, Sequence, Side};
use sluice::link::is_lost_placeholder;
use sluice::message::Outcome;
use sluice::ring::Array;

use super::{Found, World};
use crate::end::End;

impl World {
    pub(super) fn is_done(&self) -> bool {
        self.ends.iter().all(End::is_up)
            && self.heal_at.is_none()
            && self.ways.iter().enumerate().all(|(ring, way)| {
                way.accepted == way.total
                    && [0, 1]
                        .iter()
                        .all(|&end| self.ends[end].rings[ring].look(Array::is_idle))
            })
    }

    pub(super) fn why_not_done(&self) -> String {
        let mut why = String::from("it never settled:");
        for (ring, way) in self.ways.iter().enumerate() {
            why += &format!(
                " way {ring}: {} of {} accepted, {} arrived;",
                way.accepted, way.total, way.arrived
            );
            for end in &self.ends {
                if let Some(ring) = end.rings.get(ring) {
                    why += &format!(" {} {:?};", ring.name(), ring.look(|array| *array.marks()));
                }
            }
        }
        why += &format!(" {} connections", self.connections.len());
        why
    }

    /// The origin's owner keeps how a message ended.
    pub(super) fn keep(&mut self, ring: usize, sequence: Sequence, outcome: Outcome) -> Found {
        let cuts = self.ends[1 - Self::origin(ring)].power_cuts;
        let way = &mut self.ways[ring];
        let decided = way.decided.get(&sequence);
        let right = match &outcome {
            // The record was lost with the power.
            Outcome::Doubtful => cuts > 0 && decided.is_some(),
            Outcome::Lost => way.lost.contains(&sequence),
            other => decided == Some(other),
        };
        if !right {
            return Err(format!(
                "message {sequence} of way {ring} is said to have ended as {outcome:?}, and it was {decided:?}"
            ));
        }
        way.kept.insert(sequence, outcome);
        Ok(())
    }

    /// A message is at its goal: once, in order.
    pub(super) fn arrive(
        &mut self,
        ring: usize,
        end: usize,
        sequence: Sequence,
        number: u64,
    ) -> Found {
        let cuts = self.ends[end].power_cuts;
        let way = &mut self.ways[ring];
        let before = way.handed.insert(number, cuts);
        if let Some(before) = before {
            // The goal knows it by its number; the mark was lost with the power, and only so.
            return if before < cuts {
                Ok(())
            } else {
                Err(format!(
                    "message {number} of way {ring} came to its goal twice"
                ))
            };
        }
        // Sources number without a gap, and so do rings, as long as nothing is lost.
        let gap = number - way.arrived.min(number);
        let lost = way.lost.len() as u64;
        if number <= way.arrived || gap > 1 + lost {
            return Err(format!(
                "message {number} of way {ring} ({sequence:?}) came to its goal after {}",
                way.arrived
            ));
        }
        way.arrived = number;
        Ok(())
    }

    /// What lies at both ends is the same (G7).
    pub(super) fn check_mirrors(&self) -> Found {
        if !self.ends.iter().all(End::is_up) {
            return Ok(());
        }
        for ring in 0..self.ways.len() {
            let origin = &self.ends[Self::origin(ring)].rings[ring];
            let mirror = &self.ends[1 - Self::origin(ring)].rings[ring];
            assert_eq!(origin.look(Array::side), Side::Origin);
            origin.look(|here| {
                mirror.look(|there| {
                    let first = here.marks().processed.up_to();
                    for sequence in (1..=SLOTS).map(|step| first.plus(step)) {
                        let (Some(ours), Some(theirs)) = (here.get(sequence), there.get(sequence))
                        else {
                            continue;
                        };
                        let same = ours.octets() == theirs.octets()
                            && ours.checksum() == theirs.checksum()
                            && ours.retrieved_at == theirs.retrieved_at;
                        if !same && !is_lost_placeholder(theirs) {
                            return Err(format!(
                                "message {sequence} of way {ring} differs at both ends"
                            ));
                        }
                    }
                    // The mirror cannot know of anything that its origin does not hold.
                    if there.accepted() > here.marks().retrieved.highest() {
                        return Err(format!("the mirror of way {ring} is ahead of its origin"));
                    }
                    if !here.marks().processed.up_to().is_none()
                        && here.marks().processed.up_to() > there.marks().retrieved.up_to()
                    {
                        return Err(format!(
                            "way {ring}: processed at the origin and never at the mirror"
                        ));
                    }
                    Ok(())
                })
            })?;
        }
        Ok(())
    }

    /// All is at its goal, and both ends say the same.
    pub(super) fn check_end(&self) -> Found {
        self.check_mirrors()?;
        for (ring, way) in self.ways.iter().enumerate() {
            let lost = way
                .lost
                .iter()
                .filter(|it| way.kept.get(it) == Some(&Outcome::Lost))
                .count();
            let handed = way.handed.len();
            if (handed + lost) as u64 != way.total {
                return Err(format!(
                    "way {ring}: {handed} of {} came to their goal, {lost} are lost",
                    way.total
                ));
            }
            let origin = self.ends[Self::origin(ring)].rings[ring].look(|array| *array.marks());
            let mirror = self.ends[1 - Self::origin(ring)].rings[ring].look(|array| *array.marks());
            if origin.processed != mirror.processed || way.kept.len() as u64 != way.total {
                return Err(format!(
                    "way {ring} ends differently: {origin:?} and {mirror:?}, {} outcomes",
                    way.kept.len()
                ));
            }
        }
        Ok(())
    }
}
