//! What time brings: timers, probes, repetitions.

use std::time::Duration;

use super::{Peer, Repetition, State};
use crate::clock::Moment;
use crate::link::port::Part;
use crate::link::reason::Reason;
use crate::link::sent::Cargo;
use crate::link::timer::Timer;
use crate::link::view::RingView;

/// We ping when we have sent nothing that is acknowledged for so long.
const PING_AFTER: Duration = Duration::from_millis(400);
/// The longest wait between probes.
const LONGEST_PROBE: Duration = Duration::from_secs(5);

impl<R: RingView> Peer<R> {
    /// The clock has reached [`Peer::poll_timeout`]. Called too early, it does no harm.
    pub fn handle_timeout(&mut self, now: Moment) {
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::Greet => self.greet = true,
                Timer::Silence => {
                    let heard = now - self.heard_at;
                    let limit = self.rtt.silence();
                    if now < self.heard_at + limit {
                        self.timers.set(Timer::Silence, self.heard_at + limit);
                    } else {
                        self.close(
                            now,
                            Reason::Silence(format!(
                                "nothing was heard for {} ms; round trips take {} ms",
                                heard.as_millis(),
                                self.rtt.smoothed().as_millis()
                            )),
                        );
                        return;
                    }
                }
                Timer::Ping => self.ping = true,
                Timer::Send => {}
                Timer::Repeat => self.repeat(now),
                Timer::Loss => {
                    let mut fates = std::mem::take(&mut self.fates);
                    self.sent
                        .look_for_losses(now, &self.rtt, &mut self.gauge, &mut fates);
                    self.meet_fates(&mut fates);
                    self.fates = fates;
                }
                Timer::Probe => self.probe(now),
                Timer::Stale => self.look_for_stale(now),
            }
        }
        self.schedule(now);
    }

    /// No acknowledgment came: the oldest contents go again, and if there are none, a ping.
    fn probe(&mut self, now: Moment) {
        self.probes += 1;
        self.probed_at = now;
        self.probing = true;
        self.ping = true;
        for cargo in self.sent.oldest(2) {
            self.goes_again(0, cargo);
        }
    }

    fn repeat(&mut self, now: Moment) {
        let most = self.gauge.repetitions();
        while let Some(&(at, repetition)) = self.repetitions.front() {
            if at > now {
                break;
            }
            self.repetitions.pop_front();
            match repetition {
                Repetition::Message(place, sequence) => {
                    if let Part::Origin(origin) = &mut self.ports[place].part
                        && origin.repeat(sequence, most)
                        && !self.spare.contains(&place)
                    {
                        self.spare.push_back(place);
                    }
                }
                Repetition::Cargo(Cargo::Outcomes { port, first, count }) => {
                    if let Part::Mirror(mirror) = &mut self.ports[port].part {
                        mirror.repeat(first, count, most);
                    }
                    self.speaks(port);
                }
                Repetition::Cargo(Cargo::Said {
                    port,
                    fact,
                    version,
                }) => {
                    if let Some(said) = self.ports[port].fact(fact)
                        && said.wants_repetition(version, most)
                    {
                        said.again();
                    }
                    self.speaks(port);
                }
                Repetition::Cargo(Cargo::Message { .. } | Cargo::Part { .. }) => {}
            }
        }
        if most == 0 {
            for place in std::mem::take(&mut self.spare) {
                if let Part::Origin(origin) = &mut self.ports[place].part {
                    origin.forget_spare();
                }
            }
        }
    }
}

impl<R: RingView> Peer<R> {
    pub(super) fn stale_after(&self) -> Duration {
        (2 * self.rtt.smoothed()).max(Duration::from_millis(500))
    }

    fn look_for_stale(&mut self, now: Moment) {
        let patience = 4 * self.rtt.smoothed() + Duration::from_secs(2);
        let before =
            Moment::from_micros(now.as_micros().saturating_sub(patience.as_micros() as u64));
        for place in 0..self.ports.len() {
            let port = &mut self.ports[place];
            if !port.is_open() {
                continue;
            }
            match &mut port.part {
                Part::Origin(origin) => {
                    origin.ask_again();
                    if origin.stale(&port.ring, before) {
                        self.hungers(place);
                    }
                }
                Part::Mirror(mirror) => mirror.ask_again(),
            }
            self.speaks(place);
        }
        self.timers.set(Timer::Stale, now + self.stale_after());
    }

    /// Sets the timers that follow from what is known now.
    pub(super) fn schedule(&mut self, now: Moment) {
        if self.state != State::Open {
            return;
        }
        let probe = self.sent.waits_since().map(|oldest| {
            let wait = self.rtt.answer_within() * (1 << self.probes.min(6));
            let since = if self.probes == 0 {
                oldest
            } else {
                self.probed_at
            };
            since + wait.min(LONGEST_PROBE.max(self.rtt.answer_within()))
        });
        self.timers.put(Timer::Probe, probe);
        self.timers.put(Timer::Loss, self.sent.loss_at(&self.rtt));
        let (worry, pause) = self.rtt.worry();
        let last_said = self.sent.last_at();
        let mut ping = last_said + PING_AFTER;
        if now >= self.heard_at + worry {
            ping = ping.min(last_said + pause);
        } else {
            ping = ping.min((self.heard_at + worry).max(last_said + pause));
        }
        if !self.ping {
            self.timers.set(Timer::Ping, ping);
        }
        self.timers
            .put(Timer::Repeat, self.repetitions.front().map(|&(at, _)| at));
    }
}
