//! When and where to connect next. Several addresses in turn; pauses that grow and are spread by chance.
//!
//! There are two ladders. A line that is down may be back any moment, and trying costs little: those pauses stay short.
//! A far end that answers and refuses, or that breaks a connection as soon as it was made, gets long ones. Both start
//! anew only after a connection was stable for a while. The first attempt after a silence, or after a stable
//! connection, goes at once, beside the old connection: the first that answers is taken.

use std::time::Duration;

use crate::clock::Moment;

/// The pauses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RedialConfig {
    /// First and longest pause while nothing answers.
    pub unreachable: (Duration, Duration),
    /// First and longest pause while the far end refuses, or connections do not last.
    pub refused: (Duration, Duration),
    /// How long a connection must last for the pauses to start anew.
    pub stable_after: Duration,
    /// How many attempts may run at a time: an attempt that lost its first packets would else hold up the next. At one
    /// a second, each may take its ten seconds.
    pub attempts: u32,
}

impl Default for RedialConfig {
    fn default() -> Self {
        Self {
            unreachable: (Duration::from_millis(250), Duration::from_secs(1)),
            refused: (Duration::from_secs(1), Duration::from_secs(60)),
            stable_after: Duration::from_secs(30),
            attempts: 10,
        }
    }
}

/// The machine: tell it what happened, ask it whether to dial.
#[derive(Clone, Debug)]
pub struct Redial {
    config: RedialConfig,
    addresses: usize,
    next_address: usize,
    running: u32,
    connected_at: Option<Moment>,
    dial_at: Option<Moment>,
    silent: u32,
    refused: u32,
}

impl Redial {
    /// For so many addresses; the first attempt is due at once.
    ///
    /// # Panics
    /// If there is no address.
    pub fn new(now: Moment, config: RedialConfig, addresses: usize) -> Self {
        assert!(addresses > 0, "a link needs an address to dial");
        Self {
            config,
            addresses,
            next_address: 0,
            running: 0,
            connected_at: None,
            dial_at: Some(now),
            silent: 0,
            refused: 0,
        }
    }

    /// Which address to dial now, if one is due. `chance` is any number, fresh each time.
    pub fn poll_dial(&mut self, now: Moment, chance: u64) -> Option<usize> {
        if self.dial_at.is_none_or(|at| at > now) || self.running >= self.config.attempts {
            return None;
        }
        let address = self.next_address;
        self.next_address = (address + 1) % self.addresses;
        self.running += 1;
        // While nothing answers, the next attempt starts beside this one.
        self.silent = self.silent.saturating_add(1);
        let pause = if self.refused > 0 {
            grown(self.config.refused, self.refused)
        } else {
            grown(self.config.unreachable, self.silent)
        };
        self.dial_at = Some(now + spread(pause, chance));
        Some(address)
    }

    /// An attempt ended without an answer.
    pub fn unreachable(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// An attempt was answered, and refused: identity, version, certificate.
    pub fn refused(&mut self, now: Moment, chance: u64) {
        self.running = self.running.saturating_sub(1);
        self.step_back(now, chance);
    }

    fn step_back(&mut self, now: Moment, chance: u64) {
        self.refused = self.refused.saturating_add(1);
        self.dial_at = Some(now + spread(grown(self.config.refused, self.refused), chance));
    }

    /// An attempt succeeded; other attempts are to be dropped, and count no more.
    pub fn connected(&mut self, now: Moment) {
        self.running = 0;
        self.connected_at = Some(now);
        self.dial_at = None;
    }

    /// The connection broke: the far end ended it, or is gone.
    pub fn lost(&mut self, now: Moment, chance: u64) {
        let Some(since) = self.connected_at.take() else {
            return;
        };
        if now - since >= self.config.stable_after {
            self.start_anew();
            self.dial_at = Some(now);
        } else {
            self.step_back(now, chance);
        }
    }

    const fn start_anew(&mut self) {
        self.silent = 0;
        self.refused = 0;
    }

    /// The connection has fallen silent, or is to be replaced: another one is to be made beside it, at once.
    pub fn beside(&mut self, now: Moment) {
        if self.dial_at.is_none() {
            if self
                .connected_at
                .is_some_and(|since| now - since >= self.config.stable_after)
            {
                self.start_anew();
            }
            self.dial_at = Some(now);
        }
    }

    /// The silent connection speaks again; attempts are to be dropped, and count no more.
    pub const fn recovered(&mut self) {
        self.running = 0;
        self.dial_at = None;
    }

    /// The silent connection was given up. That is the line's fault and not the far end's, so attempts go on as they
    /// are.
    pub fn silent(&mut self, now: Moment) {
        self.beside(now);
        self.connected_at = None;
    }

    /// How long pauses become while nothing answers: on a line whose handshakes take long, attempts beside one another
    /// must not fill it.
    pub fn set_longest_pause(&mut self, longest: Duration) {
        self.config.unreachable.1 = longest.max(self.config.unreachable.0);
    }

    /// When to ask [`Redial::poll_dial`] again.
    pub fn poll_timeout(&self) -> Option<Moment> {
        self.dial_at.filter(|_| self.running < self.config.attempts)
    }
}

/// The pause of a step, doubling from the first to the longest.
fn grown((first, longest): (Duration, Duration), step: u32) -> Duration {
    first
        .saturating_mul(1 << step.saturating_sub(1).min(16))
        .min(longest)
}

/// Between half and three halves of a pause.
fn spread(pause: Duration, chance: u64) -> Duration {
    let share = chance % 1001;
    pause / 2 + pause.mul_f64(share as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1000)
    }

    /// Dials until `end`; each attempt stays without an answer. Gives moments and addresses.
    fn silence(redial: &mut Redial, from: u64, end: u64) -> Vec<(u64, usize)> {
        let mut dialled = Vec::new();
        let mut now = at(from);
        while now < at(end) {
            if let Some(address) = redial.poll_dial(now, 500) {
                dialled.push((now.as_micros() / 1000, address));
                redial.unreachable();
            }
            now = redial.poll_timeout().unwrap().max(now);
        }
        dialled
    }

    #[test]
    fn addresses_take_turns_and_pauses_grow_to_a_limit() {
        let mut redial = Redial::new(at(0), RedialConfig::default(), 2);
        let dialled = silence(&mut redial, 0, 6_000);
        let times: Vec<u64> = dialled.iter().map(|&(at, _)| at).collect();
        assert_eq!(times, [0, 250, 750, 1750, 2750, 3750, 4750, 5750]);
        assert!(
            dialled
                .iter()
                .enumerate()
                .all(|(n, &(_, address))| address == n % 2)
        );
    }

    #[test]
    fn chance_spreads_pauses_between_half_and_three_halves() {
        let pause = Duration::from_secs(2);
        assert_eq!(spread(pause, 0), Duration::from_secs(1));
        assert_eq!(spread(pause, 1000), Duration::from_secs(3));
    }

    #[test]
    fn pauses_start_anew_only_after_a_stable_while() {
        let mut redial = Redial::new(at(0), RedialConfig::default(), 1);
        assert_eq!(redial.poll_dial(at(0), 500), Some(0));
        redial.connected(at(100));
        assert_eq!(redial.poll_timeout(), None);
        redial.lost(at(200), 500);
        assert_eq!(redial.poll_timeout(), Some(at(1200)));
        assert_eq!(redial.poll_dial(at(1200), 500), Some(0));
        redial.connected(at(1300));
        redial.lost(at(1400), 500);
        assert_eq!(redial.poll_timeout(), Some(at(3400)));
        assert_eq!(redial.poll_dial(at(3400), 500), Some(0));
        redial.connected(at(3500));
        redial.lost(at(33_500), 500);
        assert_eq!(
            redial.poll_timeout(),
            Some(at(33_500)),
            "at once, beside the old one"
        );
    }

    #[test]
    fn a_refusal_is_not_repeated_soon() {
        let mut redial = Redial::new(at(0), RedialConfig::default(), 1);
        let mut now = at(0);
        for _ in 0..10 {
            now = redial.poll_timeout().unwrap();
            assert_eq!(redial.poll_dial(now, 500), Some(0));
            redial.refused(now, 500);
        }
        assert_eq!(
            redial.poll_timeout().unwrap() - now,
            Duration::from_secs(60)
        );
    }

    #[test]
    fn attempts_beside_one_another_are_limited() {
        let config = RedialConfig {
            attempts: 3,
            ..RedialConfig::default()
        };
        let mut redial = Redial::new(at(0), config, 1);
        for ms in [0, 250, 750] {
            assert_eq!(redial.poll_dial(at(ms), 500), Some(0));
        }
        assert_eq!(redial.poll_dial(at(60_000), 500), None);
        redial.unreachable();
        assert_eq!(redial.poll_dial(at(60_000), 500), Some(0));
    }

    #[test]
    fn a_silence_is_dialled_beside_and_is_not_the_far_ends_fault() {
        let mut redial = Redial::new(at(0), RedialConfig::default(), 1);
        assert_eq!(redial.poll_dial(at(0), 500), Some(0));
        redial.connected(at(100));
        // Silent for a moment: the old connection was faster.
        redial.beside(at(5000));
        assert_eq!(redial.poll_dial(at(5000), 500), Some(0));
        redial.recovered();
        assert_eq!(redial.poll_timeout(), None);
        // Silent for good, and long before it was stable: pauses stay short.
        redial.beside(at(8000));
        assert_eq!(redial.poll_dial(at(8000), 500), Some(0));
        redial.silent(at(9000));
        for pause in [1000, 1000, 1000] {
            let due = redial.poll_timeout().unwrap();
            assert_eq!(redial.poll_dial(due, 500), Some(0));
            assert_eq!(
                redial.poll_timeout(),
                Some(due + Duration::from_millis(pause))
            );
            redial.unreachable();
        }
        redial.set_longest_pause(Duration::from_secs(3));
        let due = redial.poll_timeout().unwrap();
        assert_eq!(redial.poll_dial(due, 500), Some(0));
        assert_eq!(redial.poll_timeout(), Some(due + Duration::from_secs(3)));
    }
}
