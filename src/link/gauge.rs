//! How much the line carries and how much it loses: the bound on what is in flight, the pace, and whether loss is to
//! be hidden by saying things twice.
//!
//! The model is that of BBR: the highest rate at which packets were acknowledged during the last ten round trips, and
//! the shortest round trip. Loss alone slows nothing down; a queue does. As long as the ring's window and not the line
//! is the limit, the measured rate says nothing about the line, and twice of it may be tried.

use std::collections::VecDeque;
use std::time::Duration;

use super::packet::MAX_PACKET;
use super::rtt::Rtt;
use crate::clock::Moment;

/// In flight at the beginning, in octets: what a line of 50 kbit/s carries in two seconds.
const FIRST_FLIGHT: u64 = 12 * MAX_PACKET as u64;
/// Never less than this in flight.
const LEAST_FLIGHT: u64 = 4 * MAX_PACKET as u64;
/// Never more: 255 messages of 512 rings, twice.
const MOST_FLIGHT: u64 = 64 << 20;
/// The highest rate is that of so many round trips.
const ROUNDS: u64 = 10;
/// So many rounds without a quarter more rate mean that the line is full.
const FLAT_ROUNDS: u8 = 3;
/// Gains in hundredths: doubling each round trip; emptying the queue that it made; then by turns.
const GAIN_START: u64 = 289;
const GAIN_DRAIN: u64 = 35;
const GAIN_TRY: u64 = 200;
const GAINS: [u64; 8] = [125, 75, 100, 100, 100, 100, 100, 100];
/// How much may be sent late at once, since timers are coarse.
const CATCH_UP: Duration = Duration::from_millis(2);
/// The shortest round trip that is reckoned with: an end that is busy with other things is not woken sooner, and a line
/// that is shorter would be idle meanwhile.
const GRAIN: Duration = Duration::from_millis(1);
/// How long the flow is held small to see the shortest round trip.
const LOOK: Duration = Duration::from_millis(200);

/// Weight of one packet in the average of loss.
const LOSS_WEIGHT: f64 = 1.0 / 128.0;
const HIDE_FROM: f64 = 1.0 / 200.0;
const HIDE_UNTIL: f64 = 1.0 / 2000.0;
/// From this loss on everything is carried three times.
const HIDE_TWICE: f64 = 0.045;

/// What was known when a packet was sent; it comes back with its acknowledgment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stamp {
    delivered: u64,
    delivered_at: Moment,
    first_sent_at: Moment,
    limited: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Start,
    Drain,
    Steady { step: usize, since: Moment },
}

/// The model of the line.
#[derive(Debug)]
pub(super) struct Gauge {
    delivered: u64,
    delivered_at: Moment,
    first_sent_at: Moment,
    /// Samples of packets sent before this much was delivered tell of our own need, not of the line.
    limited_until: u64,
    last_limited: bool,
    /// (round, rate) with falling rates: the first is the highest of the last rounds.
    rates: VecDeque<(u64, u64)>,
    round: u64,
    round_ends: u64,
    phase: Phase,
    full_rate: u64,
    flat_rounds: u8,
    flight: u64,
    looking_until: Option<Moment>,
    next_at: Moment,
    loss: f64,
    hiding: bool,
}

impl Gauge {
    pub(super) fn new() -> Self {
        Self {
            delivered: 0,
            delivered_at: Moment::START,
            first_sent_at: Moment::START,
            limited_until: 0,
            last_limited: true,
            rates: VecDeque::new(),
            round: 0,
            round_ends: 0,
            phase: Phase::Start,
            full_rate: 0,
            flat_rounds: 0,
            flight: FIRST_FLIGHT,
            looking_until: None,
            next_at: Moment::START,
            loss: 0.0,
            hiding: false,
        }
    }

    /// Octets a second; zero while nothing is known.
    pub(super) fn rate(&self) -> u64 {
        self.rates.front().map_or(0, |&(_, rate)| rate)
    }

    /// The share of packets that get lost.
    pub(super) const fn loss(&self) -> f64 {
        self.loss
    }

    /// How often everything is to be carried beyond the first time.
    pub(super) fn repetitions(&self) -> u8 {
        match self.hiding {
            false => 0,
            true if self.loss < HIDE_TWICE => 1,
            true => 2,
        }
    }

    fn pipe(&self, rtt: &Rtt) -> u64 {
        let micros = rtt.shortest().max(GRAIN).as_micros() as u64;
        self.rate().saturating_mul(micros) / 1_000_000
    }

    /// How many octets may be in flight.
    pub(super) fn flight(&self, rtt: &Rtt) -> u64 {
        let pipe = self.pipe(rtt);
        let flight = match self.phase {
            _ if self.looking_until.is_some() => pipe / 2,
            Phase::Start => self.flight,
            Phase::Drain | Phase::Steady { .. } => 2 * pipe + 3 * MAX_PACKET as u64,
        };
        flight.clamp(LEAST_FLIGHT, MOST_FLIGHT)
    }

    fn pace(&self, rtt: &Rtt) -> u64 {
        let gain = match self.phase {
            Phase::Start => GAIN_START,
            Phase::Drain => GAIN_DRAIN,
            Phase::Steady { .. } if self.last_limited && !rtt.shows_a_queue() => GAIN_TRY,
            Phase::Steady { step, .. } => GAINS[step],
        };
        let rate = match self.phase {
            // What was measured so far may be a few pings.
            Phase::Start => self.rate().max(each(FIRST_FLIGHT, rtt.smoothed())),
            Phase::Drain => self.rate(),
            Phase::Steady { .. } => self.rate().max(each(LEAST_FLIGHT, rtt.smoothed())),
        };
        (rate.saturating_mul(gain) / 100).max(MAX_PACKET as u64)
    }

    /// When the pace allows the next packet of messages.
    pub(super) const fn next_at(&self) -> Moment {
        self.next_at
    }

    /// A packet goes out that has to be acknowledged. `paced`: it holds messages.
    pub(super) fn sent(
        &mut self,
        now: Moment,
        octets: u64,
        in_flight_before: u64,
        paced: bool,
        rtt: &Rtt,
    ) -> Stamp {
        if in_flight_before == 0 {
            self.delivered_at = now;
            self.first_sent_at = now;
        }
        if paced {
            let late =
                Moment::from_micros(now.as_micros().saturating_sub(CATCH_UP.as_micros() as u64));
            let cost = Duration::from_micros(octets * 1_000_000 / self.pace(rtt));
            self.next_at = self.next_at.max(late) + cost;
        }
        Stamp {
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            first_sent_at: self.first_sent_at,
            limited: self.limited_until > 0 && self.delivered <= self.limited_until,
        }
    }

    /// There is nothing to send though there would be room: what is measured of the packets in flight tells of our
    /// need only.
    pub(super) const fn nothing_to_send(&mut self, in_flight: u64) {
        let until = self.delivered + in_flight;
        self.limited_until = if until == 0 { 1 } else { until };
    }

    /// Packets were acknowledged, together so many octets; the stamp is that of the one sent last.
    pub(super) fn acknowledged(
        &mut self,
        now: Moment,
        octets: u64,
        newest: Stamp,
        newest_sent_at: Moment,
        in_flight_before: u64,
        rtt: &mut Rtt,
    ) {
        self.delivered += octets;
        self.delivered_at = now;
        self.first_sent_at = newest_sent_at;
        self.last_limited = newest.limited;
        let taken = (now - newest.delivered_at).max(newest_sent_at - newest.first_sent_at);
        let micros = taken.as_micros() as u64;
        let fresh_round = newest.delivered >= self.round_ends;
        if fresh_round {
            self.round += 1;
            self.round_ends = self.delivered;
        }
        let delivered = self.delivered - newest.delivered;
        if let Some(rate) = delivered.saturating_mul(1_000_000).checked_div(micros)
            && (!newest.limited || rate > self.rate())
        {
            self.note_rate(rate);
        }
        if self.phase == Phase::Start
            && in_flight_before + 2 * MAX_PACKET as u64 + octets >= self.flight
        {
            self.flight = (self.flight + octets).min(MOST_FLIGHT);
        }
        self.turn(
            now,
            fresh_round && !newest.limited,
            in_flight_before.saturating_sub(octets),
            rtt,
        );
    }

    fn note_rate(&mut self, rate: u64) {
        let round = self.round;
        self.rates.retain(|&(of, _)| of + ROUNDS > round);
        while self.rates.back().is_some_and(|&(_, lower)| lower <= rate) {
            self.rates.pop_back();
        }
        self.rates.push_back((round, rate));
    }

    fn turn(&mut self, now: Moment, full_round: bool, in_flight: u64, rtt: &mut Rtt) {
        match self.phase {
            Phase::Start => {
                if full_round {
                    if self.rate() >= self.full_rate + self.full_rate / 4 {
                        self.full_rate = self.rate();
                        self.flat_rounds = 0;
                    } else {
                        self.flat_rounds += 1;
                    }
                }
                // A queue of a whole round trip says it sooner than the rate does, and slow lines cannot wait.
                let queue = !self.last_limited
                    && rtt.latest() > 2 * rtt.shortest() + Duration::from_millis(50);
                if self.flat_rounds >= FLAT_ROUNDS || queue {
                    self.phase = Phase::Drain;
                }
            }
            Phase::Drain => {
                if in_flight <= self.pipe(rtt).max(LEAST_FLIGHT) {
                    self.phase = Phase::Steady {
                        step: 2,
                        since: now,
                    };
                }
            }
            Phase::Steady { step, since } => {
                if now - since > rtt.shortest() {
                    self.phase = Phase::Steady {
                        step: (step + 1) % GAINS.len(),
                        since: now,
                    };
                }
            }
        }
        match self.looking_until {
            Some(until) if now >= until => {
                self.looking_until = None;
                rtt.settle_shortest(now);
            }
            Some(_) => {}
            None if rtt.shortest_is_stale(now) => {
                self.looking_until = Some(now + LOOK.max(2 * rtt.smoothed()));
                rtt.look_for_shortest();
            }
            None => {}
        }
    }

    /// A packet met its fate.
    pub(super) fn fate(&mut self, lost: bool) {
        let sample = if lost { 1.0 } else { 0.0 };
        self.loss += (sample - self.loss) * LOSS_WEIGHT;
        if self.loss >= HIDE_FROM {
            self.hiding = true;
        } else if self.loss < HIDE_UNTIL {
            self.hiding = false;
        }
    }

    /// A packet that was believed lost came after all.
    pub(super) fn not_lost(&mut self) {
        self.loss = (self.loss - LOSS_WEIGHT).max(0.0);
    }
}

/// So many octets in each such time, as a rate.
fn each(octets: u64, time: Duration) -> u64 {
    octets * 1_000_000 / (time.as_micros() as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of so many octets a second, always filled.
    fn filled(line: u64, rtt_ms: u64) -> (Gauge, Rtt, Moment) {
        let mut gauge = Gauge::new();
        let mut rtt = Rtt::new();
        let mut now = Moment::START;
        let mut flying: VecDeque<(Moment, Moment, Stamp)> = VecDeque::new();
        let mut line_free = now;
        let size = 1200;
        for _ in 0..200_000 {
            let in_flight = flying.len() as u64 * size;
            let may = now >= gauge.next_at() && in_flight + size <= gauge.flight(&rtt);
            if may {
                let stamp = gauge.sent(now, size, in_flight, true, &rtt);
                line_free = line_free.max(now) + Duration::from_micros(size * 1_000_000 / line);
                flying.push_back((line_free + Duration::from_millis(rtt_ms), now, stamp));
            } else if let Some(&(back, sent_at, stamp)) = flying.front() {
                if gauge.next_at() > now
                    && gauge.next_at() < back
                    && in_flight + size <= gauge.flight(&rtt)
                {
                    now = gauge.next_at();
                    continue;
                }
                now = now.max(back);
                flying.pop_front();
                rtt.measured(now, now - sent_at, Duration::ZERO);
                gauge.acknowledged(now, size, stamp, sent_at, in_flight, &mut rtt);
            }
            if now > Moment::START + Duration::from_secs(30) {
                break;
            }
        }
        (gauge, rtt, now)
    }

    #[test]
    fn it_finds_the_rate_of_a_slow_line_and_keeps_its_queue_short() {
        let (gauge, rtt, _) = filled(6_250, 600);
        assert!((5_500..8_000).contains(&gauge.rate()), "{}", gauge.rate());
        assert!(
            rtt.smoothed() < Duration::from_millis(2_200),
            "{:?}",
            rtt.smoothed()
        );
    }

    #[test]
    fn it_finds_the_rate_of_a_fast_line() {
        let (gauge, rtt, _) = filled(1_250_000, 100);
        assert!(
            (1_200_000..1_500_000).contains(&gauge.rate()),
            "{}",
            gauge.rate()
        );
        assert!(
            rtt.smoothed() < Duration::from_millis(250),
            "{:?}",
            rtt.smoothed()
        );
    }

    #[test]
    fn hiding_goes_on_with_a_loss_and_off_long_after() {
        let mut gauge = Gauge::new();
        assert_eq!(gauge.repetitions(), 0);
        gauge.fate(true);
        assert_eq!(gauge.repetitions(), 1);
        for _ in 0..600 {
            gauge.fate(false);
        }
        assert_eq!(gauge.repetitions(), 0);
    }
}
