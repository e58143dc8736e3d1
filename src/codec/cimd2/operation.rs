//! Operation codes and packet numbers: the header of a packet.

use super::numbered::numbered;

numbered! {
    /// What a packet asks or answers: two digits. A response is its request plus 50.
    Operation(u8, 2) {
        LOGIN = 1 "login",
        LOGOUT = 2 "logout",
        SUBMIT = 3 "submit message",
        ENQUIRE = 4 "enquire message status",
        DELIVERY_REQUEST = 5 "delivery request",
        CANCEL = 6 "cancel message",
        SET = 8 "set",
        GET = 9 "get",
        SUBMIT_STATUS_REPORT = 13 "submit status report",
        DELIVER = 20 "deliver message",
        DELIVER_STATUS_REPORT = 23 "deliver status report",
        ALIVE = 40 "alive",
        LOGIN_RESPONSE = 51 "login response",
        LOGOUT_RESPONSE = 52 "logout response",
        SUBMIT_RESPONSE = 53 "submit message response",
        ENQUIRE_RESPONSE = 54 "enquire message status response",
        DELIVERY_REQUEST_RESPONSE = 55 "delivery request response",
        CANCEL_RESPONSE = 56 "cancel message response",
        SET_RESPONSE = 58 "set response",
        GET_RESPONSE = 59 "get response",
        SUBMIT_STATUS_REPORT_RESPONSE = 63 "submit status report response",
        DELIVER_RESPONSE = 70 "deliver message response",
        DELIVER_STATUS_REPORT_RESPONSE = 73 "deliver status report response",
        ALIVE_RESPONSE = 90 "alive response",
        GENERAL_ERROR = 98 "general error response",
        NACK = 99 "nack",
    }
}

impl Operation {
    /// Whether it asks for an answer: all below 50.
    pub const fn is_request(self) -> bool {
        self.0 < 50
    }

    /// The operation that answers this request; a response has none.
    pub const fn response(self) -> Option<Self> {
        if self.is_request() {
            Some(Self(self.0 + 50))
        } else {
            None
        }
    }
}

/// A packet's number: three digits. Requests of the application are odd, those of the SMSC even; a response repeats
/// the number of its request.
///
/// The protocol ends at 255. Up to 999 is read, because one client is known to count on; what follows is always
/// within the protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Number(u16);

impl Number {
    /// The application's login.
    pub const LOGIN: Self = Self(1);
    /// The SMSC's first request of a session.
    pub const FIRST_OF_SMSC: Self = Self(0);
    /// The largest that the protocol knows.
    pub const MAX: u16 = 255;

    /// From a plain number; nothing past three digits.
    pub const fn new(number: u16) -> Option<Self> {
        if number > 999 {
            None
        } else {
            Some(Self(number))
        }
    }

    /// The plain number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The number of the next request from the same side: 255 is followed by 001, 254 by 000.
    #[must_use]
    pub const fn next(self) -> Self {
        Self((self.0 + 2) & 0xFF)
    }

    /// The number of the request before, of the same side.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self((self.0 + 254) & 0xFF)
    }

    /// Whether it belongs to a request of the application.
    pub const fn is_odd(self) -> bool {
        self.0 % 2 == 1
    }

    /// As three digits.
    pub(super) const fn digits(self) -> [u8; 3] {
        [
            b'0' + (self.0 / 100) as u8,
            b'0' + (self.0 / 10 % 10) as u8,
            b'0' + (self.0 % 10) as u8,
        ]
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap_within_their_side() {
        let next = |number| Number::new(number).unwrap().next().get();
        assert_eq!(
            [next(1), next(253), next(255), next(0), next(254), next(999)],
            [3, 255, 1, 2, 0, 233]
        );
        for number in 0..=255 {
            let number = Number(number);
            assert_eq!(number.next().previous(), number);
            assert_eq!(number.next().is_odd(), number.is_odd());
        }
        assert_eq!(Number::new(1000), None);
    }

    #[test]
    fn each_request_has_its_response_among_the_known() {
        for request in Operation::KNOWN.iter().filter(|known| known.is_request()) {
            let response = request.response().unwrap();
            assert!(response.name().is_some(), "{request}");
            assert_eq!(response.response(), None);
        }
        assert_eq!(Operation::SUBMIT.to_string(), "03 (submit message)");
        assert_eq!(Operation(33).to_string(), "33");
    }
}
