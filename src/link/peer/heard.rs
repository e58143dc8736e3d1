//! What arrives: hellos, packets of frames, and what acknowledgments say became of ours.

use bytes::Bytes;

use super::{Action, Config, Peer, Role, State};
use crate::clock::Moment;
use crate::codec::Reader;
use crate::link::frame::Frame;
use crate::link::packet::{self, HIGHEST_VERSION, Hello, LOWEST_VERSION, Packet};
use crate::link::port::Part;
use crate::link::reason::Reason;
use crate::link::sent::{Cargo, Fates, NeverSent};
use crate::link::timer::Timer;
use crate::link::view::RingView;

impl<R: RingView> Peer<R> {
    /// A packet came.
    pub fn handle_packet(&mut self, now: Moment, octets: Bytes) {
        self.statistics.packets_received += 1;
        match &mut self.state {
            State::Gone => return,
            State::Closing { .. } => {
                // Whoever still speaks to us has not heard it.
                self.greet = true;
                return;
            }
            State::Dialling | State::Waiting | State::Open => {}
        }
        let done = match packet::decode(octets) {
            Ok(Packet::Hello(hello)) => self.handle_hello(now, hello),
            Ok(Packet::Refusal {
                lowest,
                highest,
                reason,
            }) => {
                tracing::warn!(%reason, lowest, highest, "the far end refused the connection");
                self.end(reason, true);
                Ok(())
            }
            Ok(Packet::Frames { number, frames }) => self.handle_frames(now, number, frames),
            Err(malformed) => Err(Reason::Malformed(malformed.to_string())),
        };
        if let Err(reason) = done {
            self.close(now, reason);
        }
        if self.state == State::Open && self.sent.is_ignored() {
            let words = "the far end speaks and acknowledges nothing of what is sent to it";
            self.close(now, Reason::Silence(words.into()));
        }
        self.schedule(now);
    }

    fn hear(&mut self, now: Moment) {
        self.heard_at = now;
        self.statistics.heard_at = Some(now);
        self.timers.set(Timer::Silence, now + self.rtt.silence());
    }

    fn handle_hello(&mut self, now: Moment, hello: Hello) -> Result<(), Reason> {
        if hello.role == self.config.role.number() {
            return Err(Reason::Identity(format!(
                "both ends are {}",
                match self.config.role {
                    Role::Edge => "edges",
                    Role::Central => "central",
                }
            )));
        }
        let version = hello.highest.min(HIGHEST_VERSION);
        if version < hello.lowest.max(LOWEST_VERSION) {
            return Err(Reason::Version(version_words(&self.config, &hello)));
        }
        if let Some(expected) = &self.config.far_identity
            && *expected != hello.identity
        {
            return Err(Reason::Identity(format!(
                "the far end calls itself {:?} and was expected to be {expected:?}",
                hello.identity
            )));
        }
        self.hear(now);
        let opens = matches!(self.state, State::Dialling | State::Waiting);
        // Central answers each hello: the one before may be lost.
        self.greet = self.config.role == Role::Central;
        if opens {
            self.state = State::Open;
            if self.config.far_identity.is_none() {
                self.config.far_identity = Some(hello.identity.clone());
            }
            self.timers.clear(Timer::Greet);
            self.timers.set(Timer::Stale, now + self.stale_after());
            self.actions.push(Action::Opened {
                identity: hello.identity,
                program: hello.program,
                instance: hello.instance,
            });
        }
        Ok(())
    }

    fn handle_frames(&mut self, now: Moment, number: u64, frames: Reader) -> Result<(), Reason> {
        if self.state != State::Open {
            // It overtook the hello, and will come again.
            return Ok(());
        }
        self.hear(now);
        if self.received.has(number) {
            self.received.owe(now);
            return Ok(());
        }
        let mut frames = frames;
        let mut taken = true;
        let mut eliciting = false;
        while !frames.is_empty() {
            let frame = Frame::decode(&mut frames)
                .map_err(|malformed| Reason::Malformed(malformed.to_string()))?;
            eliciting |= !matches!(frame, Frame::Ack(_));
            taken &= self.handle_frame(now, frame)?;
            if self.state != State::Open {
                return Ok(());
            }
        }
        // What could not be taken is not acknowledged: then it counts as lost, and comes again.
        if taken {
            self.received.take(now, number);
            if eliciting {
                self.received.owe(now);
            }
        }
        Ok(())
    }

    /// Gives false if the frame came too early for its ring.
    fn handle_frame(&mut self, now: Moment, frame: Frame) -> Result<bool, Reason> {
        match frame {
            Frame::Ping => Ok(true),
            Frame::Ack(ack) => {
                let mut fates = std::mem::take(&mut self.fates);
                let known =
                    self.sent
                        .acknowledged(now, &ack, &mut self.rtt, &mut self.gauge, &mut fates);
                if let Err(NeverSent(number)) = known {
                    return Err(Reason::Impossible(format!(
                        "acknowledged packet {number}, which was never sent"
                    )));
                }
                if !fates.arrived.is_empty() {
                    self.probes = 0;
                }
                self.meet_fates(&mut fates);
                self.fates = fates;
                Ok(true)
            }
            Frame::Goodbye(reason) => {
                self.end(reason, true);
                Ok(true)
            }
            Frame::Ring(showing) => self.handle_ring(&showing).map(|()| true),
            Frame::RingRefused { index, refusal } => {
                self.handle_ring_refused(index, refusal);
                Ok(true)
            }
            Frame::Data { index, .. }
            | Frame::Confirmed { index, .. }
            | Frame::Outcomes { index, .. }
            | Frame::Taken { index, .. }
            | Frame::Ask { index, .. }
            | Frame::Copy { index, .. }
            | Frame::NoCopy { index, .. }
            | Frame::Lost { index, .. }
            | Frame::Part { index, .. } => self.handle_ring_frame(now, index, frame),
        }
    }
}

impl<R: RingView> Peer<R> {
    pub(super) fn meet_fates(&mut self, fates: &mut Fates) {
        for cargo in fates.arrived.drain(..) {
            match cargo {
                Cargo::Message { port, sequence } => {
                    if let Part::Origin(origin) = &mut self.ports[port].part {
                        origin.arrived(sequence);
                    }
                }
                Cargo::Part { .. } => {}
                Cargo::Outcomes { port, first, count } => {
                    if let Part::Mirror(mirror) = &mut self.ports[port].part {
                        mirror.arrived(first, count);
                    }
                }
                Cargo::Said {
                    port,
                    fact,
                    version,
                } => {
                    if let Some(said) = self.ports[port].fact(fact) {
                        said.arrived(version);
                    }
                }
            }
        }
        for (packet, cargo) in fates.lost.drain(..) {
            self.goes_again(packet, cargo);
        }
    }

    /// A packet's content has to go again: it is lost, or (packet zero) nothing is heard of it.
    pub(super) fn goes_again(&mut self, packet: u64, cargo: Cargo) {
        match cargo {
            Cargo::Message { port, sequence } => {
                if let Part::Origin(origin) = &mut self.ports[port].part {
                    if packet == 0 {
                        origin.probe(sequence);
                    } else {
                        origin.lost(packet, sequence);
                    }
                    self.hungers(port);
                }
            }
            Cargo::Part { port, sequence } => {
                let found = &mut self.ports[port];
                if let Part::Origin(origin) = &mut found.part {
                    origin.part_lost(&found.ring, packet, sequence);
                    self.hungers(port);
                }
            }
            Cargo::Outcomes { port, first, count } => {
                if let Part::Mirror(mirror) = &mut self.ports[port].part {
                    mirror.lost(packet, first, count);
                    self.speaks(port);
                }
            }
            Cargo::Said { port, fact, .. } => {
                if let Some(said) = self.ports[port].fact(fact) {
                    if packet == 0 {
                        if !said.is_settled() {
                            said.again();
                        }
                    } else {
                        said.lost(packet);
                    }
                    self.speaks(port);
                }
            }
        }
    }
}

fn version_words(config: &Config, far: &Hello) -> String {
    let upgrade = if far.highest < LOWEST_VERSION {
        &far.identity
    } else {
        &config.identity
    };
    format!(
        "{} speaks versions {LOWEST_VERSION} to {HIGHEST_VERSION} of the link, {} ({}) speaks {} to {}; upgrade {upgrade}",
        config.identity, far.identity, far.program, far.lowest, far.highest
    )
}
