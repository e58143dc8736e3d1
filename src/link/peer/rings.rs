//! How rings come to take part in a connection, and where their frames go.

use super::{Action, Peer};
use crate::clock::Moment;
use crate::lane::{Epoch, RingName, Sequence};
use crate::link::frame::{Frame, Showing};
use crate::link::loading::At;
use crate::link::peer::Role;
use crate::link::port::{Part, Port, Standing};
use crate::link::reason::{Reason, RingRefusal, Shut, ShutReason};
use crate::link::view::RingView;
use crate::ring::Array;

/// So many refusals of unknown rings wait at most; a far end that asks for more is answered when it asks again.
const MOST_STRANGERS: usize = 64;

impl<R: RingView> Peer<R> {
    fn port_of(&self, index: u64) -> Option<usize> {
        *self.by_index.get(usize::try_from(index).ok()?)?
    }

    pub(super) fn shut_ring(&mut self, place: usize, reason: ShutReason) {
        let port = &mut self.ports[place];
        let shut = Shut {
            reason,
            by_far_end: false,
        };
        port.standing = Standing::Shut(shut.clone());
        port.refused.change();
        self.actions.push(Action::RingShut { ring: place, shut });
        self.speaks(place);
    }

    pub(super) fn handle_ring_refused(&mut self, index: u64, refusal: RingRefusal) {
        let Some(place) = self.port_of(index) else {
            return;
        };
        let port = &mut self.ports[place];
        if matches!(port.standing, Standing::Shut(_)) {
            return;
        }
        let shut = Shut {
            reason: match refusal.number {
                1 => ShutReason::Unknown,
                _ => ShutReason::Refused(refusal.words),
            },
            by_far_end: true,
        };
        port.standing = Standing::Shut(shut.clone());
        self.actions.push(Action::RingShut { ring: place, shut });
    }

    /// Finds the port that a showing is meant for; central learns the number that the edge gave.
    fn place_of(&mut self, showing: &Showing) -> Result<Option<usize>, Reason> {
        let wanted = RingName::new(
            showing.lane.clone(),
            showing.direction,
            match showing.side {
                crate::lane::Side::Origin => crate::lane::Side::Mirror,
                crate::lane::Side::Mirror => crate::lane::Side::Origin,
            },
        );
        if let Some(place) = self.port_of(showing.index) {
            let name = self.ports[place].ring.name();
            if name.lane != wanted.lane || name.direction != wanted.direction {
                return Err(Reason::Impossible(format!(
                    "ring {} was called {name} and is now called {wanted}",
                    showing.index
                )));
            }
            return Ok(Some(place));
        }
        if self.config.role == Role::Edge {
            return Err(Reason::Impossible(format!(
                "central shows ring {}, which was never named",
                showing.index
            )));
        }
        let foreign = self
            .config
            .far_identity
            .as_ref()
            .is_some_and(|edge| edge != showing.lane.edge());
        let same_lane = |port: &Port<R>| {
            let name = port.ring.name();
            name.lane == wanted.lane && name.direction == wanted.direction
        };
        let found = self.ports.iter().position(same_lane).filter(|_| !foreign);
        let Some(place) = found else {
            let reason = if foreign {
                ShutReason::Foreign
            } else {
                ShutReason::Unknown
            };
            if self.strangers.len() < MOST_STRANGERS {
                self.strangers.push_back((showing.index, reason));
            }
            return Ok(None);
        };
        if self.ports[place].index.is_some() {
            return Err(Reason::Impossible(format!("{wanted} was named twice")));
        }
        let index = usize::try_from(showing.index).expect("checked when it was decoded");
        if self.by_index.len() <= index {
            self.by_index.resize(index + 1, None);
        }
        self.by_index[index] = Some(place);
        self.ports[place].index = Some(showing.index);
        Ok(Some(place))
    }

    pub(super) fn handle_ring(&mut self, showing: &Showing) -> Result<(), Reason> {
        let Some(place) = self.place_of(showing)? else {
            return Ok(());
        };
        let port = &mut self.ports[place];
        match port.standing {
            Standing::Waiting => {}
            Standing::Adopting(_) => return Ok(()),
            Standing::Open => {
                // Theirs again: they may have missed ours.
                if self.config.role == Role::Central && port.showing.is_settled() {
                    port.showing.again();
                    self.speaks(place);
                }
                return Ok(());
            }
            Standing::Shut(_) => {
                port.refused.change();
                self.speaks(place);
                return Ok(());
            }
        }
        let (side, epoch) = port.ring.look(|array| (array.side(), array.epoch()));
        if side == showing.side {
            self.shut_ring(place, ShutReason::SameSide);
            return Ok(());
        }
        if epoch != showing.epoch {
            self.meet_other_epoch(place, epoch, showing);
            return Ok(());
        }
        let at = At {
            ring: &port.ring,
            place,
            index: showing.index,
        };
        let fence = match &mut port.part {
            Part::Origin(origin) => origin.resync(&at, showing, &mut self.actions)?,
            Part::Mirror(mirror) => mirror.resync(&at, showing)?,
        };
        if let Some(fence) = fence {
            self.shut_ring(place, ShutReason::Fenced(fence));
            self.actions.push(Action::Fence { ring: place, fence });
            return Ok(());
        }
        port.standing = Standing::Open;
        // A mirror that was never used may have taken its origin's epoch on another connection, since we showed it on
        // this one.
        let may_have_adopted = matches!(port.part, Part::Mirror(_))
            && port.ring.look(|array| array.accepted() == Sequence::NONE);
        if self.config.role == Role::Central || may_have_adopted {
            port.showing.change();
        }
        self.actions.push(Action::RingOpen { ring: place });
        self.speaks(place);
        self.hungers(place);
        Ok(())
    }

    /// A mirror that was never used takes its origin's epoch; two lives that both have something do not meet.
    fn meet_other_epoch(&mut self, place: usize, ours: Epoch, showing: &Showing) {
        let theirs = showing.epoch;
        let port = &mut self.ports[place];
        let untouched = |array: &Array| array.accepted() == Sequence::NONE;
        match &port.part {
            Part::Mirror(_) if port.ring.look(untouched) => {
                port.standing = Standing::Adopting(Box::new(showing.clone()));
                self.actions.push(Action::Adopt {
                    ring: place,
                    epoch: theirs,
                });
            }
            Part::Origin(_) if showing.retrieved.highest() == Sequence::NONE => {
                // It will take ours when it sees it.
                if self.config.role == Role::Central {
                    port.showing.change();
                    self.speaks(place);
                }
            }
            Part::Mirror(_) | Part::Origin(_) => {
                self.shut_ring(place, ShutReason::Epoch { ours, theirs });
            }
        }
    }

    /// Gives false if the frame came too early for its ring.
    pub(super) fn handle_ring_frame(
        &mut self,
        now: Moment,
        index: u64,
        frame: Frame,
    ) -> Result<bool, Reason> {
        let Some(place) = self.port_of(index) else {
            return match self.config.role {
                // Its ring frame may be on the way.
                Role::Central => Ok(false),
                Role::Edge => Err(Reason::Impossible(format!(
                    "central speaks of ring {index}, which was never named"
                ))),
            };
        };
        let port = &mut self.ports[place];
        match port.standing {
            Standing::Open => {}
            Standing::Waiting | Standing::Adopting(_) => return Ok(false),
            Standing::Shut(_) => return Ok(true),
        }
        let at = At {
            ring: &port.ring,
            place,
            index,
        };
        let actions = &mut self.actions;
        match (&mut port.part, frame) {
            (
                Part::Mirror(mirror),
                Frame::Data {
                    first, messages, ..
                },
            ) => {
                let known = mirror.take_data(&at, first, messages, actions)?;
                if known {
                    mirror.missed(now, 2 * self.rtt.smoothed());
                }
            }
            (
                Part::Mirror(mirror),
                Frame::Part {
                    copy: false, part, ..
                },
            ) => {
                mirror.take_part(&at, &part, actions)?;
            }
            (Part::Mirror(mirror), Frame::Lost { sequence, .. }) => {
                mirror.take_lost(&at, sequence, actions)?;
            }
            (Part::Mirror(mirror), Frame::Taken { mark, .. }) => mirror.take_taken(&at, &mark)?,
            (Part::Mirror(mirror), Frame::Ask { sequence, .. }) => mirror.asked_mirror(sequence),
            (Part::Origin(origin), Frame::Confirmed { mark, .. }) => {
                origin.take_confirmed(&at, &mark)?;
            }
            (Part::Origin(origin), Frame::Outcomes { told, .. }) => {
                origin.take_outcomes(&at, told, actions)?;
            }
            (Part::Origin(origin), Frame::Ask { sequence, .. }) => {
                origin.asked_origin(&at, sequence, actions)?;
            }
            (
                Part::Origin(origin),
                Frame::Copy {
                    sequence, message, ..
                },
            ) => {
                origin.take_copy(&at, sequence, message, actions);
            }
            (
                Part::Origin(origin),
                Frame::Part {
                    copy: true, part, ..
                },
            ) => {
                origin.take_copy_part(&at, &part, actions);
            }
            (Part::Origin(origin), Frame::NoCopy { sequence, .. }) => {
                origin.take_no_copy(&at, sequence, actions);
            }
            (_, frame) => {
                let kind = super::super::frame::name(&frame);
                return Err(crate::link::port::impossible(
                    at.ring,
                    format_args!("the far end sent {kind}, which the other side of a ring sends"),
                ));
            }
        }
        self.speaks(place);
        self.hungers(place);
        Ok(true)
    }
}
