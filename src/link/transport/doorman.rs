//! How much of strangers central bears: handshakes under way, connections, and failures from one place.
//!
//! A stranger who floods costs a bounded amount of memory and time, and the log a bounded number of lines. An address
//! is judged by failures only where it cannot be forged (TCP, or QUIC past its address validation).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::clock::Moment;

/// Handshakes under way at the same time. One costs about 50 kB and a millisecond of signing, so this is 13 MB at
/// worst, and more edges than this return at once after an outage only in numbers that wait a second for each other.
pub(super) const MAX_HANDSHAKES: usize = 256;
/// From so many on, QUIC callers have to show first that their address is theirs, which costs them a round trip.
pub(super) const VALIDATE_FROM: usize = 32;
/// Handshakes under way from one place. An edge redials every second with two carriers, each for up to ten seconds;
/// a few edges may stand behind one NAT.
const MAX_FROM_ONE: usize = 64;
/// Failed handshakes from one place within [`WINDOW`] before it is ignored for as long. An edge that was revoked calls
/// four times a minute at most; a few of them may stand behind one NAT.
const MAX_FAILURES: u32 = 30;
/// The time over which failures are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Lines of the log for failures from one place within [`WINDOW`].
const MAX_LINES: u32 = 10;
/// Places remembered at the same time. When there are more, the one that was quiet longest is forgotten; a flood
/// from so many places is not stopped by counting them.
const MAX_PLACES: usize = 4096;

/// Where somebody calls from: an IPv4 address, or the /64 that one IPv6 customer has.
fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// Why somebody is turned away without a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Turned {
    #[error("{MAX_HANDSHAKES} handshakes are under way")]
    Busy,
    #[error("{MAX_FROM_ONE} handshakes from this address are under way")]
    BusyFromHere,
    #[error(
        "{MAX_FAILURES} handshakes from this address failed within a minute; it is ignored until a minute has passed"
    )]
    FailedTooOften,
    #[error("the number of connections that the configuration allows is reached")]
    Full,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    under_way: usize,
    failures: u32,
    lines: u32,
    since: Moment,
    last: Moment,
}

/// Counts who is at the door.
#[derive(Debug)]
pub(super) struct Doorman {
    max_connections: usize,
    under_way: usize,
    places: HashMap<IpAddr, Place>,
}

impl Doorman {
    pub(super) fn new(max_connections: usize) -> Self {
        Self {
            max_connections,
            under_way: 0,
            places: HashMap::new(),
        }
    }

    /// Handshakes under way.
    pub(super) const fn under_way(&self) -> usize {
        self.under_way
    }

    /// Somebody wants to begin a handshake. If he may, [`Doorman::leave`] has to be called when it has ended.
    pub(super) fn knock(
        &mut self,
        address: IpAddr,
        connections: usize,
        now: Moment,
    ) -> Result<(), Turned> {
        if connections.saturating_add(self.under_way) >= self.max_connections {
            return Err(Turned::Full);
        }
        if self.under_way >= MAX_HANDSHAKES {
            return Err(Turned::Busy);
        }
        let place = self.place(address, now);
        if place.failures >= MAX_FAILURES {
            return Err(Turned::FailedTooOften);
        }
        if place.under_way >= MAX_FROM_ONE {
            return Err(Turned::BusyFromHere);
        }
        place.under_way += 1;
        self.under_way += 1;
        Ok(())
    }

    /// A handshake has ended.
    pub(super) fn leave(&mut self, address: IpAddr, failed: bool, now: Moment) {
        self.under_way = self
            .under_way
            .checked_sub(1)
            .expect("who leaves has knocked");
        let place = self.place(address, now);
        // The place may have been forgotten meanwhile.
        place.under_way = place.under_way.saturating_sub(1);
        if failed {
            place.failures = place.failures.saturating_add(1);
        }
    }

    /// Whether what happened from there is worth a line of the log; the last one says that no more follow.
    pub(super) fn line(&mut self, address: IpAddr, now: Moment) -> Line {
        let place = self.place(address, now);
        place.lines = place.lines.saturating_add(1);
        match place.lines {
            0..MAX_LINES => Line::Say,
            MAX_LINES => Line::SayAndRest,
            _ => Line::Rest,
        }
    }

    fn place(&mut self, address: IpAddr, now: Moment) -> &mut Place {
        let address = place(address);
        if self.places.len() >= MAX_PLACES && !self.places.contains_key(&address) {
            self.forget(now);
        }
        let place = self.places.entry(address).or_insert(Place {
            under_way: 0,
            failures: 0,
            lines: 0,
            since: now,
            last: now,
        });
        if now.since(place.since) >= WINDOW {
            place.failures = 0;
            place.lines = 0;
            place.since = now;
        }
        place.last = now;
        place
    }

    fn forget(&mut self, now: Moment) {
        self.places
            .retain(|_, place| place.under_way > 0 || now.since(place.since) < WINDOW);
        if self.places.len() >= MAX_PLACES
            && let Some(quiet) = self
                .places
                .iter()
                .min_by_key(|(_, place)| place.last)
                .map(|(address, _)| *address)
        {
            self.places.remove(&quiet);
        }
    }
}

/// What to do with a line about somebody at the door.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Line {
    Say,
    /// Say it, and that more of the kind will not be said for a while.
    SayAndRest,
    Rest,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_micros(7);
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn fail(doorman: &mut Doorman, from: IpAddr, now: Moment) {
        doorman.knock(from, 0, now).unwrap();
        doorman.leave(from, true, now);
    }

    #[test]
    fn who_fails_too_often_is_ignored_for_a_minute_and_others_are_not() {
        let mut doorman = Doorman::new(10);
        for _ in 0..MAX_FAILURES {
            fail(&mut doorman, HERE, NOW);
        }
        assert_eq!(doorman.knock(HERE, 0, NOW), Err(Turned::FailedTooOften));
        let mapped = "::ffff:127.0.0.1".parse().unwrap();
        assert_eq!(doorman.knock(mapped, 0, NOW), Err(Turned::FailedTooOften));
        assert_eq!(doorman.knock("127.0.0.2".parse().unwrap(), 0, NOW), Ok(()));
        assert_eq!(doorman.knock(HERE, 0, NOW + WINDOW), Ok(()));
    }

    #[test]
    fn a_network_of_one_customer_is_one_place() {
        let mut doorman = Doorman::new(1000);
        for host in 0..MAX_FAILURES {
            fail(
                &mut doorman,
                format!("2001:db8::{host:x}").parse().unwrap(),
                NOW,
            );
        }
        let neighbour = "2001:db8::ffff:1".parse().unwrap();
        assert_eq!(
            doorman.knock(neighbour, 0, NOW),
            Err(Turned::FailedTooOften)
        );
        let other = "2001:db8:0:1::1".parse().unwrap();
        assert_eq!(doorman.knock(other, 0, NOW), Ok(()));
    }

    #[test]
    fn handshakes_and_connections_have_their_limits() {
        let mut doorman = Doorman::new(1000);
        for _ in 0..MAX_FROM_ONE {
            doorman.knock(HERE, 0, NOW).unwrap();
        }
        assert_eq!(doorman.knock(HERE, 0, NOW), Err(Turned::BusyFromHere));
        for host in 0..MAX_HANDSHAKES - MAX_FROM_ONE {
            let from = IpAddr::from([10, 0, 1, host as u8]);
            doorman.knock(from, 0, NOW).unwrap();
        }
        assert_eq!(doorman.under_way(), MAX_HANDSHAKES);
        let other = IpAddr::from([10, 0, 2, 1]);
        assert_eq!(doorman.knock(other, 0, NOW), Err(Turned::Busy));
        doorman.leave(HERE, false, NOW);
        assert_eq!(doorman.knock(other, 1000, NOW), Err(Turned::Full));
        assert_eq!(doorman.knock(other, 0, NOW), Ok(()));
    }

    #[test]
    fn the_log_gets_a_few_lines_from_one_place() {
        let mut doorman = Doorman::new(10);
        let mut lines: Vec<_> = (0..20).map(|_| doorman.line(HERE, NOW)).collect();
        lines.dedup();
        assert_eq!(lines, [Line::Say, Line::SayAndRest, Line::Rest]);
        assert_eq!(doorman.line(HERE, NOW + WINDOW), Line::Say);
    }

    #[test]
    fn a_flood_from_everywhere_does_not_grow_without_end() {
        let mut doorman = Doorman::new(10);
        for n in 0..2 * MAX_PLACES as u32 {
            let from = IpAddr::from(n.to_be_bytes());
            fail(&mut doorman, from, Moment::from_micros(n.into()));
        }
        assert_eq!(doorman.places.len(), MAX_PLACES);
        assert_eq!(doorman.under_way(), 0);
    }
}
