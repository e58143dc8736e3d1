//! The SMSC's requests: their even numbers, and which of them is only said again.
//!
//! Numbers recognise a repetition within one connection only. At each login the SMSC begins again, so nothing is
//! remembered over it; what was delivered before and not confirmed comes again under another number, and is known by
//! its delivery key.

use bytes::Bytes;

use crate::codec::cimd2::{Number, Packet};

/// What a request is to us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Arrival {
    /// New, and under the number that was expected.
    New,
    /// New, under another number, from which we count on.
    Jumped {
        /// The one that was expected.
        expected: Number,
    },
    /// New, though it has the number of the one before: its octets differ. Better twice than lost.
    SameNumber,
    /// The one before, said again; this was our answer.
    Repeated(Bytes),
    /// The one before, said again before we have answered it.
    StillOpen,
    /// Its number cannot be the SMSC's.
    WrongSide,
}

#[derive(Debug)]
struct Last {
    octets: Bytes,
    number: Number,
    answer: Option<Bytes>,
}

/// The SMSC's requests of one connection.
#[derive(Debug)]
pub(super) struct PeerNumbers {
    expected: Number,
    last: Option<Last>,
}

impl PeerNumbers {
    /// On a new connection the SMSC begins at 000.
    pub(super) const fn new() -> Self {
        Self {
            expected: Number::FIRST_OF_SMSC,
            last: None,
        }
    }

    /// The number that a nack of ours carries.
    pub(super) const fn expected(&self) -> Number {
        self.expected
    }

    /// What this request is, and remembers it if it is new.
    pub(super) fn judge(&mut self, packet: &Packet) -> Arrival {
        let number = packet.number();
        if number.is_odd() || number.get() > Number::MAX {
            return Arrival::WrongSide;
        }
        let arrival = match &self.last {
            Some(last) if last.number == number => {
                if last.octets == packet.octets() {
                    return match &last.answer {
                        Some(answer) => Arrival::Repeated(answer.clone()),
                        None => Arrival::StillOpen,
                    };
                }
                Arrival::SameNumber
            }
            _ if number == self.expected => Arrival::New,
            _ => Arrival::Jumped {
                expected: self.expected,
            },
        };
        self.expected = number.next();
        self.last = Some(Last {
            // A copy: the packet may be a small part of a large read.
            octets: Bytes::copy_from_slice(packet.octets()),
            number,
            answer: None,
        });
        arrival
    }

    /// This was our answer to that request. If another one of the same number has come since, it is not the other's.
    pub(super) fn answered(&mut self, packet: &Packet, answer: &Bytes) {
        if let Some(last) = &mut self.last
            && last.octets == packet.octets()
        {
            last.answer = Some(answer.clone());
        }
    }

    /// That request gets no answer; when it comes again, it is new again.
    pub(super) fn forget(&mut self, packet: &Packet) {
        let last = self.last.take_if(|last| last.octets == packet.octets());
        if let Some(last) = last {
            self.expected = last.number;
        }
    }

    /// How many octets are remembered.
    pub(super) fn held_octets(&self) -> usize {
        self.last.as_ref().map_or(0, |last| {
            last.octets.len() + last.answer.as_ref().map_or(0, Bytes::len)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(written: &str) -> Packet {
        Packet::read(Bytes::from(format!("\x02{written}\t\x03"))).unwrap()
    }

    #[test]
    fn a_request_said_again_is_known_by_number_and_octets() {
        let mut numbers = PeerNumbers::new();
        let first = packet("20:000\t033:a");
        assert_eq!(numbers.judge(&first), Arrival::New);
        assert_eq!(numbers.judge(&first), Arrival::StillOpen);
        let answer = Bytes::from_static(b"answer");
        numbers.answered(&first, &answer);
        assert_eq!(numbers.judge(&first), Arrival::Repeated(answer));
        assert_eq!(numbers.judge(&packet("20:000\t033:b")), Arrival::SameNumber);
        assert_eq!(numbers.judge(&packet("20:002\t033:a")), Arrival::New);
        assert_eq!(numbers.expected().get(), 4);
    }

    #[test]
    fn an_answer_belongs_to_its_own_request_among_those_of_one_number() {
        let mut numbers = PeerNumbers::new();
        let (delivery, alive) = (packet("20:000\t033:a"), packet("40:000"));
        numbers.judge(&delivery);
        numbers.judge(&alive);
        let answer = Bytes::from_static(b"alive too");
        numbers.answered(&alive, &answer);
        numbers.answered(&delivery, &Bytes::from_static(b"stored"));
        assert_eq!(numbers.judge(&alive), Arrival::Repeated(answer));
    }

    #[test]
    fn a_first_request_is_never_taken_for_a_repetition() {
        for number in ["000", "254"] {
            let mut numbers = PeerNumbers::new();
            let first = packet(&format!("20:{number}"));
            assert_ne!(numbers.judge(&first), Arrival::StillOpen);
            assert_eq!(numbers.judge(&first), Arrival::StillOpen);
        }
    }

    #[test]
    fn numbers_may_jump_and_odd_ones_are_not_the_smscs() {
        let mut numbers = PeerNumbers::new();
        let expected = Number::FIRST_OF_SMSC;
        assert_eq!(
            numbers.judge(&packet("40:254")),
            Arrival::Jumped { expected }
        );
        assert_eq!(numbers.judge(&packet("40:000")), Arrival::New);
        assert_eq!(numbers.judge(&packet("40:003")), Arrival::WrongSide);
        assert_eq!(numbers.judge(&packet("40:998")), Arrival::WrongSide);
        assert_eq!(numbers.expected().get(), 2);
    }

    #[test]
    fn what_got_no_answer_is_new_when_it_comes_again() {
        let mut numbers = PeerNumbers::new();
        let first = packet("20:000");
        numbers.judge(&first);
        numbers.forget(&first);
        assert_eq!(numbers.judge(&first), Arrival::New);
    }
}
