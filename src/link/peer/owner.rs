//! What the owner says: a ring changed, something is durable, kept, or failed.

use super::Peer;
use crate::clock::Moment;
use crate::lane::Sequence;
use crate::link::loading::At;
use crate::link::mirror::Mirror;
use crate::link::origin::Origin;
use crate::link::port::{Part, Standing};
use crate::link::reason::{Reason, ShutReason};
use crate::link::view::RingView;

impl<R: RingView> Peer<R> {
    /// A ring changed: a message was stored at its origin, or passed on at its mirror, or
    /// [`Action::Repair`](crate::link::Action::Repair) is done, durably.
    pub fn ring_changed(&mut self, now: Moment, ring: usize) {
        let Some(port) = self.ports.get_mut(ring) else {
            return;
        };
        if !matches!(port.standing, Standing::Shut(_))
            && let Some(fence) = port.ring.fence()
        {
            self.shut_ring(ring, ShutReason::Fenced(fence));
        }
        let port = &mut self.ports[ring];
        if port.is_open() {
            let at = At {
                ring: &port.ring,
                place: ring,
                index: 0,
            };
            match &mut port.part {
                Part::Origin(_) => self.hungers(ring),
                Part::Mirror(mirror) => {
                    mirror.look_again(&at);
                    self.speaks(ring);
                }
            }
        }
        self.schedule(now);
    }

    fn with_origin(
        &mut self,
        now: Moment,
        ring: usize,
        step: impl FnOnce(&mut Origin, &At<'_, R>) -> Result<(), Reason>,
    ) {
        let port = &mut self.ports[ring];
        let at = At {
            ring: &port.ring,
            place: ring,
            index: port.index.unwrap_or_default(),
        };
        if let Part::Origin(origin) = &mut port.part
            && let Err(reason) = step(origin, &at)
        {
            self.close(now, reason);
        }
        self.speaks(ring);
        self.hungers(ring);
        self.schedule(now);
    }

    fn with_mirror(
        &mut self,
        now: Moment,
        ring: usize,
        step: impl FnOnce(&mut Mirror, &At<'_, R>) -> Result<(), Reason>,
    ) {
        let port = &mut self.ports[ring];
        let at = At {
            ring: &port.ring,
            place: ring,
            index: port.index.unwrap_or_default(),
        };
        if let Part::Mirror(mirror) = &mut port.part
            && let Err(reason) = step(mirror, &at)
        {
            self.close(now, reason);
        }
        self.speaks(ring);
        self.schedule(now);
    }

    /// These messages of [`Action::Store`](crate::link::Action::Store) are durable.
    pub fn stored(&mut self, now: Moment, ring: usize, sequences: &[Sequence]) {
        self.with_mirror(now, ring, |mirror, at| mirror.stored(at, sequences));
    }

    /// These messages of [`Action::Store`](crate::link::Action::Store) could not be stored. If the ring is done for, say [`Peer::ring_failed`].
    pub fn not_stored(&mut self, now: Moment, ring: usize, sequences: &[Sequence]) {
        self.with_mirror(now, ring, |mirror, _| {
            mirror.not_stored(sequences);
            Ok(())
        });
    }

    /// An outcome batch of [`Action::Outcomes`](crate::link::Action::Outcomes) is kept: the messages are processed.
    pub fn outcomes_taken(&mut self, now: Moment, ring: usize, sequences: &[Sequence]) {
        self.with_origin(now, ring, |origin, at| origin.outcomes_taken(at, sequences));
    }

    /// [`Action::Adopt`](crate::link::Action::Adopt) is done; this is the ring in its new life.
    pub fn adopted(&mut self, now: Moment, ring: usize, renewed: R) {
        let port = &mut self.ports[ring];
        port.ring = renewed;
        port.showing.change();
        if let Standing::Adopting(showing) =
            std::mem::replace(&mut port.standing, Standing::Waiting)
            && let Err(reason) = self.handle_ring(&showing)
        {
            self.close(now, reason);
        }
        self.speaks(ring);
        self.schedule(now);
    }

    /// Writing to this ring failed: nothing of it is confirmed any more on this connection.
    pub fn ring_failed(&mut self, now: Moment, ring: usize, why: &str) {
        self.shut_ring(ring, ShutReason::Storage(why.to_owned()));
        self.schedule(now);
    }
}
