//! Outages of any length: the machines that redial and that carry, on a line that is gone for so long.

use std::time::Duration;

use sluice::clock::Moment;
use sluice::link::{Action, Redial, RedialConfig};

use super::{MO, marks_of, ms, parcel};
use crate::support::link::{CENTRAL, EDGE, Line, Pair};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// An edge that dials as the driver does. An attempt takes two round trips (QUIC's handshake and central's greeting),
/// and comes to nothing if the line was away meanwhile; that QUIC says its part again is left out.
struct Edge {
    pair: Pair,
    redial: Redial,
    attempts: Vec<Moment>,
    rtt: Duration,
    silent: bool,
    closed: bool,
    /// When the line came back.
    back_at: Moment,
    connections: u32,
    /// When both ends of the last connection knew one another.
    opened_at: Option<Moment>,
}

impl Edge {
    fn new(seed: u64, rtt: Duration) -> Self {
        let pair = Pair::new(seed, 1, &Line::new(rtt / 2, 0));
        let mut redial = Redial::new(pair.now, RedialConfig::default(), 1);
        assert_eq!(redial.poll_dial(pair.now, 0), Some(0));
        redial.connected(pair.now);
        Self {
            back_at: pair.now,
            pair,
            redial,
            attempts: Vec::new(),
            rtt,
            silent: false,
            closed: false,
            connections: 1,
            opened_at: None,
        }
    }

    /// Runs so long, with a full origin or without anything new; or until something more was handed on.
    fn run(&mut self, time: Duration, full: bool, until_something_arrives: bool) {
        let end = self.pair.now + time;
        let stood = self.pair.handed_on[CENTRAL][MO];
        while self.pair.now < end {
            while full && self.pair.offer(MO, parcel(1)) {}
            let answered = self.attempts.iter().map(|&at| at + 2 * self.rtt);
            let next = answered
                .filter(|&at| at > self.pair.now)
                .chain(self.redial.poll_timeout())
                .chain([end, self.pair.now + ms(20)])
                .min();
            self.pair.step(next.unwrap().max(self.pair.now));
            self.pair.settle();
            self.look();
            if until_something_arrives && self.pair.handed_on[CENTRAL][MO] > stood {
                return;
            }
        }
    }

    fn look(&mut self) {
        let now = self.pair.now;
        for action in std::mem::take(&mut self.pair.actions[EDGE]) {
            match action {
                Action::Opened { .. } => self.opened_at = Some(now),
                Action::Closed { .. } => {
                    self.closed = true;
                    self.redial.silent(now);
                    // As the driver does for lines whose handshakes take long.
                    self.redial.set_longest_pause(
                        (3 * self.rtt).max(RedialConfig::default().unreachable.1),
                    );
                }
                _ => {}
            }
        }
        self.pair.actions[CENTRAL].clear();
        let silent = self.pair.peers[EDGE]
            .suspicious_at()
            .is_some_and(|at| at <= now);
        if silent && !self.silent {
            self.redial.beside(now);
        } else if !silent && self.silent && !self.closed {
            self.redial.recovered();
            self.attempts.clear();
        }
        self.silent = silent;
        let chance = self.pair.chance.number();
        if self.redial.poll_dial(now, chance).is_some() {
            self.attempts.push(now);
        }
        for _ in self.attempts.extract_if(.., |at| *at + ATTEMPT <= now) {
            self.redial.unreachable();
        }
        if self.pair.lines.iter().any(|line| line.cut) {
            return;
        }
        let back = self.back_at;
        if self
            .attempts
            .iter()
            .any(|&at| at >= back && at + 2 * self.rtt <= now)
        {
            self.pair.reconnect();
            self.redial.connected(now);
            self.attempts.clear();
            self.silent = false;
            self.closed = false;
            self.connections += 1;
            self.opened_at = None;
        }
    }
}

#[test]
fn g10_after_an_outage_of_any_length_traffic_flows_within_three_seconds() {
    for (seed, rtt) in [(1, 20), (2, 300), (3, 300)] {
        for outage in [10, 60, 600] {
            let rtt = ms(rtt);
            let mut edge = Edge::new(seed, rtt);
            // Long enough to be a stable connection; then with all that it carries.
            edge.run(ms(31_000), false, false);
            edge.run(5 * rtt, true, false);
            let before = edge.pair.handed_on[CENTRAL][MO];
            assert!(before > 255, "{before}");
            for line in &mut edge.pair.lines {
                line.cut = true;
            }
            edge.run(Duration::from_secs(outage), true, false);
            let origin = marks_of(&edge.pair.rings[EDGE][MO]);
            let window = origin.sent.up_to();
            for line in &mut edge.pair.lines {
                line.cut = false;
            }
            let back = edge.pair.now;
            edge.back_at = back;
            edge.run(ms(60_000), true, true);
            let took = edge.pair.now - back;
            assert!(took <= ms(3000), "{outage} s at {rtt:?}: after {took:?}");
            assert_eq!(edge.connections, 2);
            // Once both ends know one another the first message needs half a round trip, and its ring's frame another.
            let known = edge.pair.now - edge.opened_at.expect("it opened");
            assert!(
                known <= 2 * rtt + ms(50),
                "{outage} s at {rtt:?}: {known:?}"
            );
            // All that was under way goes again at once: long before anything counts as forgotten (4 round trips, 2 s).
            edge.run(4 * rtt, false, false);
            let held = marks_of(&edge.pair.rings[CENTRAL][MO]).retrieved.up_to();
            assert!(held >= window, "{outage} s at {rtt:?}: {held} of {window}");
        }
    }
}
