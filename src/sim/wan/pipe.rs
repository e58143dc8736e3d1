//! One direction of a TCP stream: what is on its way, in order. No sockets, no clock.

use std::collections::VecDeque;

use bytes::Bytes;

use super::way::{Room, Way};
use super::weather::Weather;
use crate::clock::Moment;

/// Octets on their way in one direction of one stream; what comes on top waits with its sender. It is two seconds of
/// more than 30 Mbit/s, and the most that a stream of the line takes of memory.
const MOST_OCTETS: usize = 8 << 20;

/// What travels in a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Parcel {
    /// Some octets.
    Octets(Bytes),
    /// The sender has no more.
    End,
    /// The sender broke it off.
    Reset,
}

/// One direction of a stream.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    on_the_way: VecDeque<(Moment, Parcel)>,
    octets: usize,
    /// When the last one arrives; nothing overtakes anything in a stream.
    last: Moment,
    /// Nothing comes out before: what was on its way during an outage is sent again after it.
    not_before: Moment,
    /// The line was down when last looked at.
    was_down: bool,
    /// Nothing follows.
    ended: bool,
}

impl Pipe {
    /// When it can take more: now, later, or not until something else changed.
    pub(super) fn room(&self, way: &Way, weather: &Weather, now: Moment) -> Room {
        match self.ended || self.octets >= MOST_OCTETS {
            true => Room::WhenUp,
            false => way.room(weather, now),
        }
    }

    /// Whether the sender has no more.
    pub(super) const fn ended(&self) -> bool {
        self.ended
    }

    /// Whether its sender broke it off.
    pub(super) fn broken_off(&self) -> bool {
        matches!(self.on_the_way.back(), Some((_, Parcel::Reset)))
    }

    /// Whether nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.on_the_way.is_empty()
    }

    /// Puts something on its way.
    pub(super) fn put(&mut self, way: &mut Way, weather: &Weather, now: Moment, parcel: Parcel) {
        let length = match &parcel {
            Parcel::Octets(octets) => octets.len(),
            Parcel::End | Parcel::Reset => 0,
        };
        self.ended = length == 0;
        self.octets += length;
        self.last = self.last.max(way.piece(weather, now, length));
        self.on_the_way.push_back((self.last, parcel));
    }

    /// Notes whether the line is up.
    pub(super) fn look(&mut self, weather: &Weather, now: Moment) {
        if self.was_down && !weather.down {
            self.not_before = now + weather.round_trip();
        }
        self.was_down = weather.down;
    }

    /// When the next one comes out, if the line stays as it is.
    pub(super) fn due(&self) -> Option<Moment> {
        match self.was_down {
            true => None,
            false => self
                .on_the_way
                .front()
                .map(|(due, _)| (*due).max(self.not_before)),
        }
    }

    /// What has arrived and was not taken out.
    pub(super) fn arrived(&self, now: Moment) -> Option<&Parcel> {
        let due = self.due()?;
        (due <= now).then(|| &self.on_the_way[0].1)
    }

    /// Takes out so many octets of what has arrived; the end and a reset have none.
    pub(super) fn take_out(&mut self, octets: usize) {
        if let Some((_, Parcel::Octets(piece))) = self.on_the_way.front_mut() {
            self.octets -= octets;
            let _taken = piece.split_to(octets);
            if !piece.is_empty() {
                return;
            }
        }
        self.on_the_way.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::weather::Share;
    use super::*;

    fn octets(text: &'static [u8]) -> Parcel {
        Parcel::Octets(Bytes::from_static(text))
    }

    fn after(ms: u64) -> Moment {
        Moment::START + Duration::from_millis(ms)
    }

    #[test]
    fn what_goes_in_comes_out_in_order_after_the_delay() {
        let weather = Weather {
            jitter: Duration::from_millis(40),
            ..Weather::delayed(50).losing(Share::percent(20.0))
        };
        let (mut way, mut pipe) = (Way::new(4), Pipe::default());
        for _ in 0..100 {
            pipe.put(&mut way, &weather, after(0), octets(b"abc"));
        }
        pipe.put(&mut way, &weather, after(1), Parcel::End);
        assert!(pipe.ended());
        assert_eq!(pipe.arrived(after(49)), None);
        let mut came = 0;
        let mut now = after(0);
        while let Some(due) = pipe.due() {
            assert!(due >= now, "in order");
            now = due;
            match pipe.arrived(now) {
                Some(Parcel::Octets(piece)) => {
                    let some = piece.len().min(2);
                    came += some;
                    pipe.take_out(some);
                }
                Some(Parcel::End) => pipe.take_out(0),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(came, 300);
    }

    #[test]
    fn an_outage_holds_back_what_is_on_its_way() {
        let mut weather = Weather::delayed(50);
        let (mut way, mut pipe) = (Way::new(4), Pipe::default());
        pipe.put(&mut way, &weather, after(0), octets(b"abc"));
        weather.down = true;
        pipe.look(&weather, after(10));
        assert_eq!(pipe.due(), None);
        assert_eq!(pipe.arrived(after(5000)), None);
        weather.down = false;
        pipe.look(&weather, after(5000));
        assert_eq!(pipe.arrived(after(5099)), None, "it is sent again");
        assert_eq!(pipe.arrived(after(5100)), Some(&octets(b"abc")));
    }

    #[test]
    fn a_full_pipe_takes_no_more() {
        let weather = Weather::delayed(50);
        let (mut way, mut pipe) = (Way::new(4), Pipe::default());
        assert_eq!(pipe.room(&way, &weather, after(0)), Room::Now);
        let much = Bytes::from(vec![0; MOST_OCTETS]);
        pipe.put(&mut way, &weather, after(0), Parcel::Octets(much));
        assert_eq!(pipe.room(&way, &weather, after(0)), Room::WhenUp);
        pipe.take_out(1);
        assert_eq!(pipe.room(&way, &weather, after(0)), Room::Now);
    }
}
