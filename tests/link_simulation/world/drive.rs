//! Drives the machines as a driver does: packets, timers, stores, what the owner keeps.

use std::time::Duration;

use sluice::lane::Sequence;
use sluice::link::{Action, Peer, Reason, Role, is_lost_placeholder};
use sluice::ring::{Ring, StoreError, Taken};

use super::{Connection, Found, Work, World, end_name};
use crate::end::{End, at_once};
use crate::support::link::config;

impl World {
    /// The edge dials when it has no connection; central answers if it is up.
    pub(super) fn dial(&mut self) {
        // An end whose machine is gone and whose other end noticed: nothing is left of it.
        self.connections
            .retain(|it| it.peers.iter().flatten().next().is_some());
        let has = self.connections.iter().any(|it| it.peers[0].is_some());
        if !has && self.dial_at.is_none() && self.ends[0].is_up() {
            let ms = 20 + self.chance.below(700);
            self.dial_at = Some(self.now + Duration::from_millis(ms));
        }
        if self.dial_at.is_none_or(|at| at > self.now) {
            return;
        }
        self.dial_at = None;
        if !self.ends[0].is_up() || !self.ends[1].is_up() || self.connections.len() >= 4 {
            return;
        }
        self.tell(|| "a new connection".into());
        let mut line = self.line.clone();
        line.cut = self.heal_at.is_some();
        let peer = |role: Role, end: &End, now| Peer::new(now, config(role), end.rings.clone());
        self.made += 1;
        self.connections.push(Connection {
            id: self.made,
            peers: [
                Some(peer(Role::Edge, &self.ends[0], self.now)),
                Some(peer(Role::Central, &self.ends[1], self.now)),
            ],
            lines: [line.clone(), line],
            resent: Default::default(),
        });
    }

    pub(super) fn packets_and_timers(&mut self) {
        let plain = self.is_plain();
        for connection in &mut self.connections {
            for end in [0, 1] {
                while let Some(packet) = connection.lines[1 - end].arrives(self.now) {
                    if let Some(peer) = &mut connection.peers[end] {
                        if plain {
                            connection.resent[end].came(self.now, &packet);
                        }
                        peer.handle_packet(self.now, packet);
                    }
                }
                if let Some(peer) = &mut connection.peers[end]
                    && peer.poll_timeout().is_some_and(|at| at <= self.now)
                {
                    peer.handle_timeout(self.now);
                }
            }
        }
    }

    /// Lets all machines do what they want to do now.
    pub(super) fn settle(&mut self) -> Found {
        let plain = self.is_plain();
        for number in 0..self.connections.len() {
            for end in [0, 1] {
                loop {
                    self.act(number, end)?;
                    let connection = &mut self.connections[number];
                    let Some(peer) = &mut connection.peers[end] else {
                        break;
                    };
                    let Some(packet) = peer.poll_transmit(self.now, 1200) else {
                        if peer.is_gone() {
                            connection.peers[end] = None;
                        }
                        break;
                    };
                    if plain {
                        connection.resent[end].sent(self.now, &packet);
                    }
                    connection.lines[end].send(self.now, packet, &mut self.chance);
                }
            }
        }
        Ok(())
    }

    fn act(&mut self, number: usize, end: usize) -> Found {
        let id = self.connections[number].id;
        while let Some(action) = self.connections[number].peers[end]
            .as_mut()
            .and_then(Peer::poll_action)
        {
            match action {
                Action::Opened { .. } => {
                    // The first that answers is taken; older ones are told.
                    if end == 0 {
                        for older in 0..number {
                            if let Some(peer) = &mut self.connections[older].peers[0] {
                                peer.close(self.now, Reason::Replaced);
                            }
                        }
                    }
                }
                Action::RingOpen { ring } => self.resyncs(number, end, ring),
                Action::RingShut { ring, shut } => {
                    self.tell(|| format!("way {ring} is shut at {}: {shut:?}", end_name(end)));
                    if !self.was_restored() {
                        return Err(format!(
                            "ring {ring} was shut at {}: {shut:?}",
                            end_name(end)
                        ));
                    }
                }
                Action::Fence { ring, fence } => {
                    if !self.ends[end].restored {
                        return Err(format!(
                            "ring {ring} was fenced at {}: {fence}",
                            end_name(end)
                        ));
                    }
                    if at_once(self.ends[end].rings[ring].shut(fence)).is_err() {
                        self.power_fails(end);
                    }
                }
                Action::Adopt { .. } => return Err("an epoch was to be adopted".into()),
                Action::Store { ring, parcels } => {
                    let at = self.now + Duration::from_micros(self.chance.below(8000));
                    self.works.push((at, Work::Store(id, end, ring, parcels)));
                }
                Action::Outcomes { ring, told } => {
                    let at = self.now + Duration::from_micros(self.chance.below(8000));
                    self.works.push((at, Work::Keep(id, end, ring, told)));
                }
                Action::Repair {
                    ring,
                    sequence,
                    parcel,
                } => {
                    let done = at_once(self.ends[end].rings[ring].repair(sequence, parcel));
                    self.tell(|| {
                        format!(
                            "message {sequence} of way {ring} repaired at {}: {done:?}",
                            end_name(end)
                        )
                    });
                    match done {
                        Ok(()) | Err(StoreError::Misstep(_)) => {
                            if let Some(peer) = &mut self.connections[number].peers[end] {
                                peer.ring_changed(self.now, ring);
                            }
                            self.changed(end, ring);
                        }
                        Err(_) => self.power_fails(end),
                    }
                }
                Action::Lost { ring, sequence } => {
                    self.tell(|| {
                        format!(
                            "{} declares message {sequence} of way {ring} lost",
                            end_name(end)
                        )
                    });
                    if !self.ways[ring].damaged.contains(&sequence) {
                        return Err(format!(
                            "message {sequence} of way {ring} was declared lost and is not"
                        ));
                    }
                    let there = self.ends[1 - Self::origin(ring)].rings.get(ring);
                    let copy =
                        there.and_then(|mirror| mirror.look(|array| array.get(sequence).cloned()));
                    if copy.is_some_and(|copy| !is_lost_placeholder(&copy)) {
                        return Err(format!(
                            "message {sequence} of way {ring} was declared lost, and its mirror has it"
                        ));
                    }
                    self.ways[ring].lost.insert(sequence);
                }
                Action::BadChecksum { ring, sequence } => {
                    return Err(format!(
                        "message {sequence} of way {ring} came with a wrong checksum"
                    ));
                }
                Action::Closed { reason, .. } => {
                    self.tell(|| format!("connection closed at {}: {reason}", end_name(end)));
                    let expected = matches!(reason, Reason::Silence(_) | Reason::Replaced);
                    if !expected {
                        return Err(format!("{} closed the connection: {reason}", end_name(end)));
                    }
                }
            }
        }
        Ok(())
    }

    fn machine(&mut self, id: usize, end: usize) -> Option<&mut Peer<Ring>> {
        let connection = self.connections.iter_mut().find(|it| it.id == id)?;
        connection.peers[end].as_mut()
    }

    /// All machines of an end hear that a ring changed.
    pub(super) fn changed(&mut self, end: usize, ring: usize) {
        for connection in &mut self.connections {
            if let Some(peer) = &mut connection.peers[end] {
                peer.ring_changed(self.now, ring);
            }
        }
    }

    /// Stores and keeps that have come to their end.
    pub(super) fn work(&mut self) -> Found {
        let now = self.now;
        let mut n = 0;
        while n < self.works.len() {
            if self.works[n].0 > self.now {
                n += 1;
                continue;
            }
            match self.works.remove(n).1 {
                Work::Store(id, end, ring, parcels) => {
                    let sequences: Vec<Sequence> = parcels.iter().map(|it| it.0).collect();
                    match at_once(self.ends[end].rings[ring].store(parcels)) {
                        Ok(taken) => {
                            let mut done = Vec::new();
                            for (sequence, taken) in sequences.into_iter().zip(taken) {
                                match taken {
                                    Ok(Taken::New | Taken::Held | Taken::Done) => {
                                        done.push(sequence)
                                    }
                                    Ok(Taken::Pending) => return Err("a store is pending".into()),
                                    Err(why) => {
                                        return Err(format!("the mirror refused a message: {why}"));
                                    }
                                }
                            }
                            if let Some(peer) = self.machine(id, end) {
                                peer.stored(now, ring, &done);
                            }
                            self.changed(end, ring);
                        }
                        Err(StoreError::Failed(_)) => self.power_fails(end),
                        Err(_) if self.is_fenced(ring) => {}
                        Err(why) => return Err(format!("a store failed: {why}")),
                    }
                    // The list of works may have changed.
                    n = 0;
                }
                Work::Keep(id, end, ring, told) => {
                    let sequences: Vec<Sequence> = told.iter().map(|it| it.0).collect();
                    for (sequence, outcome) in told {
                        self.keep(ring, sequence, outcome)?;
                    }
                    if let Some(peer) = self.machine(id, end) {
                        peer.outcomes_taken(now, ring, &sequences);
                    }
                    self.changed(end, ring);
                }
            }
        }
        Ok(())
    }
}
