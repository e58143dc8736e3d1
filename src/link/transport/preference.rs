//! Which carrier to try first, from what happened so far.

use std::time::Duration;

use super::config::Choice;
use super::connection::Carrier;
use crate::clock::Moment;

/// A QUIC connection that fell silent younger than this is a sign that UDP gets through no longer than a handshake.
const YOUNG: Duration = Duration::from_secs(60);
/// So many young deaths in a row, and TCP goes first: one may be the line itself, which takes TCP down too.
const YOUNG_DEATHS: u32 = 2;
/// For so long TCP goes first then; networks that throttle UDP do so by the hour, and looking again costs little.
const AVOIDED: Duration = Duration::from_secs(600);

/// What an edge remembers of carriers.
#[derive(Clone, Debug)]
pub(super) struct Preference {
    choice: Choice,
    last: Option<Carrier>,
    young_deaths: u32,
    avoid_quic_until: Option<Moment>,
}

impl Preference {
    pub(super) const fn new(choice: Choice) -> Self {
        Self {
            choice,
            last: None,
            young_deaths: 0,
            avoid_quic_until: None,
        }
    }

    /// The carriers to try, each with the head start that the one before it gets.
    pub(super) fn plan(&self, now: Moment, head_start: Duration) -> Vec<(Duration, Carrier)> {
        let avoided = self.avoid_quic_until.is_some_and(|until| now < until);
        let (first, wait, second) = match (self.choice, avoided, self.last) {
            (Choice::Quic, _, _) => return vec![(Duration::ZERO, Carrier::Quic)],
            (Choice::Tcp, _, _) => return vec![(Duration::ZERO, Carrier::Tcp)],
            (Choice::Auto, true, _) => (Carrier::Tcp, head_start, Carrier::Quic),
            // TCP won last time, so waiting for QUIC is likely to be in vain. Beside one another QUIC still wins where
            // it gets through: its handshake has a round trip less.
            (Choice::Auto, false, Some(Carrier::Tcp)) => {
                (Carrier::Quic, Duration::ZERO, Carrier::Tcp)
            }
            (Choice::Auto, false, Some(Carrier::Quic) | None) => {
                (Carrier::Quic, head_start, Carrier::Tcp)
            }
        };
        vec![(Duration::ZERO, first), (wait, second)]
    }

    /// A connection was made.
    pub(super) const fn worked(&mut self, carrier: Carrier) {
        self.last = Some(carrier);
    }

    /// A connection fell silent at that age.
    pub(super) fn fell_silent(&mut self, carrier: Carrier, age: Duration, now: Moment) {
        if carrier == Carrier::Quic && age < YOUNG {
            self.young_deaths += 1;
            if self.young_deaths >= YOUNG_DEATHS {
                self.avoid_quic_until = Some(now + AVOIDED);
                self.young_deaths = 0;
            }
        } else {
            self.young_deaths = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Duration = Duration::from_secs(1);
    const NOW: Moment = Moment::from_micros(5);

    fn order(preference: &Preference, now: Moment) -> Vec<(u64, Carrier)> {
        let plan = preference.plan(now, HEAD);
        plan.into_iter()
            .map(|(wait, c)| (wait.as_secs(), c))
            .collect()
    }

    #[test]
    fn quic_goes_first_until_tcp_was_what_worked() {
        let mut auto = Preference::new(Choice::Auto);
        assert_eq!(order(&auto, NOW), [(0, Carrier::Quic), (1, Carrier::Tcp)]);
        auto.worked(Carrier::Tcp);
        assert_eq!(order(&auto, NOW), [(0, Carrier::Quic), (0, Carrier::Tcp)]);
        auto.worked(Carrier::Quic);
        assert_eq!(order(&auto, NOW), [(0, Carrier::Quic), (1, Carrier::Tcp)]);
    }

    #[test]
    fn a_configured_carrier_is_the_only_one() {
        assert_eq!(
            order(&Preference::new(Choice::Tcp), NOW),
            [(0, Carrier::Tcp)]
        );
        let mut quic = Preference::new(Choice::Quic);
        quic.fell_silent(Carrier::Quic, HEAD, NOW);
        quic.fell_silent(Carrier::Quic, HEAD, NOW);
        assert_eq!(order(&quic, NOW), [(0, Carrier::Quic)]);
    }

    #[test]
    fn quic_that_dies_young_twice_is_second_for_a_while() {
        let mut auto = Preference::new(Choice::Auto);
        auto.fell_silent(Carrier::Quic, HEAD, NOW);
        auto.fell_silent(Carrier::Quic, YOUNG, NOW);
        auto.fell_silent(Carrier::Quic, HEAD, NOW);
        assert_eq!(order(&auto, NOW)[0].1, Carrier::Quic);
        auto.fell_silent(Carrier::Quic, HEAD, NOW);
        assert_eq!(order(&auto, NOW), [(0, Carrier::Tcp), (1, Carrier::Quic)]);
        assert_eq!(order(&auto, NOW + AVOIDED)[0].1, Carrier::Quic);
    }
}
