//! What must be, whatever happened.

use sluice::lane::{SLOTS, Sequence, Side};
use sluice::link::is_lost_placeholder;
use sluice::message::Outcome;
use sluice::ring::{Array, Ring};

use super::{Found, World};
use crate::end::End;

impl World {
    pub(super) fn is_done(&self) -> bool {
        let is_done = |(ring, way): (usize, &super::Way)| {
            if self.is_fenced(ring) {
                return true;
            }
            let [edge, central] = [0, 1].map(|end: usize| &self.ends[end].rings[ring]);
            let processed = |ring: &Ring| ring.look(|array| array.marks().processed);
            way.accepted == way.total
                && edge.look(Array::is_idle)
                && central.look(Array::is_idle)
                // Until they have met, an old copy may be idle too.
                && (!self.was_restored() || processed(edge) == processed(central))
        };
        self.ends.iter().all(End::is_up)
            && self.heal_at.is_none()
            && self.ways.iter().enumerate().all(is_done)
    }

    /// Whether a ring of that way is shut at one end.
    pub(super) fn is_fenced(&self, ring: usize) -> bool {
        let fenced = |end: &End| {
            end.rings
                .get(ring)
                .is_some_and(|ring| ring.fence().is_some())
        };
        self.was_restored() && self.ends.iter().any(fenced)
    }

    /// Whether an old copy of some disk was put back.
    pub(super) fn was_restored(&self) -> bool {
        self.ends.iter().any(|end| end.restored)
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
        let forgotten = way.forgotten.saturating_sub(way.arrived);
        let gap = number - way.arrived.min(number);
        let lost = way.lost.len() as u64 + forgotten;
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
            // An old copy differs until the ends have met, and then it is shut.
            if self.was_restored() && !self.is_done() || self.is_fenced(ring) {
                continue;
            }
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
            if self.is_fenced(ring) {
                continue;
            }
            let missing = (way.forgotten + 1..=way.total)
                .find(|number| way.damaged.is_empty() && !way.handed.contains_key(number));
            if let Some(number) = missing {
                return Err(format!(
                    "message {number} of way {ring} was taken after the old copy and never came to its goal"
                ));
            }
            let lost = way
                .lost
                .iter()
                .filter(|it| way.kept.get(it) == Some(&Outcome::Lost))
                .count();
            let handed = way.handed.len();
            if (handed + lost) as u64 != way.total && way.forgotten == 0 {
                return Err(format!(
                    "way {ring}: {handed} of {} came to their goal, {lost} are lost",
                    way.total
                ));
            }
            let origin = self.ends[Self::origin(ring)].rings[ring].look(|array| *array.marks());
            let mirror = self.ends[1 - Self::origin(ring)].rings[ring].look(|array| *array.marks());
            let kept = way.kept.len() as u64 == way.total || way.forgotten > 0;
            if origin.processed != mirror.processed || !kept {
                return Err(format!(
                    "way {ring} ends differently: {origin:?} and {mirror:?}, {} outcomes",
                    way.kept.len()
                ));
            }
        }
        Ok(())
    }
}
