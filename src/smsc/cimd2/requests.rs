//! Our requests: their odd numbers, and which one is unanswered. There is never more than one, of any kind (G1).

use bytes::Bytes;

use crate::codec::cimd2::{Number, Operation, Packet};

/// How often a request is sent again, whether it was nacked or its answer came damaged. A line that needs more is no
/// line.
const MOST_REPEATS: u8 = 3;

/// What our side may ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Request {
    /// Who we are.
    Login,
    /// End what is left of an older session, before we log in again.
    FreeOldSession,
    /// Take a message.
    Submit,
    /// We are still here.
    Alive,
    /// Messages that wait, please.
    Poll,
    /// End the session.
    Logout,
}

impl Request {
    pub(super) const fn operation(self) -> Operation {
        match self {
            Self::Login => Operation::LOGIN,
            Self::Submit => Operation::SUBMIT,
            Self::Alive => Operation::ALIVE,
            Self::Poll => Operation::DELIVERY_REQUEST,
            Self::FreeOldSession | Self::Logout => Operation::LOGOUT,
        }
    }
}

/// The request that is unanswered.
#[derive(Debug)]
pub(super) struct Outstanding {
    pub(super) request: Request,
    number: Number,
    octets: Bytes,
    /// Whether it was handed to the transport; before that it cannot have been answered, and is not in doubt.
    pub(super) is_out: bool,
    repeats: u8,
    /// Whether an answer came damaged, so that the SMSC has most likely done what was asked.
    is_perhaps_done: bool,
}

/// What a response is to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reply {
    /// The answer to this request, which is outstanding no more.
    To(Request),
    /// 98: the SMSC cannot match something.
    GeneralError,
    /// Nacked: it shall go out again, under its own number or the one that the SMSC expects.
    Again(Number),
    /// Its number is right, its operation is not.
    WrongOperation,
    /// Nobody waits for it.
    Stray,
}

/// Our requests on one connection.
#[derive(Debug)]
pub(super) struct Requests {
    next: Number,
    outstanding: Option<Outstanding>,
}

impl Requests {
    /// On a new connection the login is 001.
    pub(super) const fn new() -> Self {
        Self {
            next: Number::LOGIN,
            outstanding: None,
        }
    }

    /// The login is always 001, also a second one.
    pub(super) const fn restart(&mut self) {
        self.next = Number::LOGIN;
    }

    /// Begins a request; `write` gives its octets for its number.
    pub(super) fn begin(&mut self, request: Request, write: impl FnOnce(Number) -> Bytes) -> Bytes {
        assert!(self.outstanding.is_none(), "one request at a time");
        let number = self.next;
        self.next = number.next();
        let octets = write(number);
        self.outstanding = Some(Outstanding {
            request,
            number,
            octets: octets.clone(),
            is_out: false,
            repeats: 0,
            is_perhaps_done: false,
        });
        octets
    }

    /// The unanswered one was handed to the transport.
    pub(super) const fn went_out(&mut self) {
        if let Some(outstanding) = &mut self.outstanding {
            outstanding.is_out = true;
        }
    }

    /// The unanswered one.
    pub(super) const fn outstanding(&self) -> Option<&Outstanding> {
        self.outstanding.as_ref()
    }

    /// What a response means; if it is the answer that was waited for, nothing is outstanding any more.
    pub(super) fn take_reply(&mut self, packet: &Packet) -> Reply {
        if packet.operation() == Operation::GENERAL_ERROR {
            return Reply::GeneralError;
        }
        let Some(outstanding) = self.outstanding.as_ref().filter(|it| it.is_out) else {
            return Reply::Stray;
        };
        let request = outstanding.request;
        let (ours, theirs) = (outstanding.number, packet.number());
        if packet.operation() == Operation::NACK {
            // A nack carries the number that the SMSC expects, and it expects odd ones of us.
            return if theirs.is_odd() && theirs.get() <= Number::MAX {
                Reply::Again(theirs)
            } else {
                Reply::Stray
            };
        }
        if theirs != ours {
            return Reply::Stray;
        }
        if Some(packet.operation()) != request.operation().response() {
            return Reply::WrongOperation;
        }
        self.outstanding = None;
        Reply::To(request)
    }

    /// The answer to the unanswered one came damaged.
    pub(super) const fn answer_was_damaged(&mut self) {
        if let Some(outstanding) = &mut self.outstanding {
            outstanding.is_perhaps_done = true;
        }
    }

    /// The unanswered one once more, under its own number.
    pub(super) fn repeat(&mut self) -> Result<Bytes, &'static str> {
        let number = self.outstanding.as_ref().map(|it| it.number);
        self.repeat_as(number.ok_or("nothing is outstanding")?)
    }

    /// The unanswered one once more, under that number; numbers count on from there. The reason, if it has gone out
    /// too often, or if the SMSC has most likely done it already.
    pub(super) fn repeat_as(&mut self, number: Number) -> Result<Bytes, &'static str> {
        let outstanding = self.outstanding.as_mut().ok_or("nothing is outstanding")?;
        if outstanding.repeats >= MOST_REPEATS {
            return Err("the SMSC did not take our request, sent four times");
        }
        if number != outstanding.number {
            if outstanding.is_perhaps_done {
                return Err(
                    "the SMSC expects our next request, and its answer to this one was damaged",
                );
            }
            let packet = Packet::read(outstanding.octets.clone()).expect("we wrote it ourselves");
            outstanding.octets = packet.under(number);
            outstanding.number = number;
            self.next = number.next();
        }
        outstanding.repeats += 1;
        Ok(outstanding.octets.clone())
    }

    /// Gives up on the unanswered one.
    pub(super) const fn abandon(&mut self) -> Option<Outstanding> {
        self.outstanding.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::cimd2::{Plain, Write};

    fn packet(written: &str) -> Packet {
        Packet::read(Bytes::from(format!("\x02{written}\t\x03"))).unwrap()
    }

    fn ask(requests: &mut Requests) -> String {
        let octets = requests.begin(Request::Alive, |number| Plain::ALIVE.to_bytes(number));
        requests.went_out();
        number_of(&octets)
    }

    fn number_of(octets: &Bytes) -> String {
        Packet::read(octets.clone()).unwrap().number().to_string()
    }

    #[test]
    fn numbers_are_odd_and_begin_again() {
        let mut requests = Requests::new();
        let mut given = Vec::new();
        for _ in 0..130 {
            given.push(ask(&mut requests));
            requests.abandon();
        }
        assert_eq!(given[..2], ["001", "003"]);
        assert_eq!(given[126..], ["253", "255", "001", "003"]);
    }

    #[test]
    fn an_answer_is_known_by_number_and_operation() {
        let mut requests = Requests::new();
        let octets = requests.begin(Request::Alive, |number| Plain::ALIVE.to_bytes(number));
        assert_eq!(number_of(&octets), "001");
        let mut reply = |written| requests.take_reply(&packet(written));
        assert_eq!(reply("90:001"), Reply::Stray, "it has not left yet");
        requests.went_out();
        let mut reply = |written| requests.take_reply(&packet(written));
        assert_eq!(reply("90:003"), Reply::Stray);
        assert_eq!(reply("53:001"), Reply::WrongOperation);
        assert_eq!(reply("98:007"), Reply::GeneralError);
        assert_eq!(reply("99:002"), Reply::Stray);
        assert_eq!(reply("90:001"), Reply::To(Request::Alive));
        assert_eq!(reply("90:001"), Reply::Stray, "it is answered");
    }

    #[test]
    fn a_nacked_request_keeps_its_octets_or_takes_the_number_that_is_expected() {
        let mut requests = Requests::new();
        ask(&mut requests);
        let again = |requests: &mut Requests, written| match requests.take_reply(&packet(written)) {
            Reply::Again(number) => requests.repeat_as(number).map(|octets| number_of(&octets)),
            other => panic!("{other:?}"),
        };
        assert_eq!(again(&mut requests, "99:001").unwrap(), "001");
        assert_eq!(again(&mut requests, "99:007").unwrap(), "007");
        assert_eq!(
            requests.take_reply(&packet("90:001")),
            Reply::Stray,
            "it has another number now"
        );
        assert_eq!(again(&mut requests, "99:007").unwrap(), "007");
        assert!(again(&mut requests, "99:007").is_err());
        assert_eq!(
            requests.take_reply(&packet("90:007")),
            Reply::To(Request::Alive)
        );
        assert_eq!(ask(&mut requests), "009");
    }

    #[test]
    fn what_is_perhaps_done_is_not_sent_under_a_new_number() {
        let mut requests = Requests::new();
        ask(&mut requests);
        requests.answer_was_damaged();
        assert_eq!(number_of(&requests.repeat().unwrap()), "001");
        let third = Number::new(3).unwrap();
        assert!(requests.repeat_as(third).is_err());
    }
}
