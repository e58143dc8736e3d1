//! What carries no message: login, and the packets without parameters of their own.

use super::codes::ErrorCode;
use super::operation::Operation;
use super::packet::Packet;
use super::parameter::Parameter;
use super::value::{Address, Bounded, Printable};
use super::view::view;
use super::write::{Write, Writer};

/// 01: who the application is. Always number 001.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// The account.
    pub user: Printable<32>,
    /// Its password.
    pub password: Printable<32>,
    /// Which instance of the account this session is.
    pub subaddress: Option<Bounded<0, 9>>,
    /// How many unanswered submits are wished for; absent means one.
    pub window: Option<Bounded<1, 128>>,
}

impl Write for Login {
    fn operation(&self) -> Operation {
        Operation::LOGIN
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.value(Parameter::USER_IDENTITY, self.user.as_str().as_bytes());
        out.value(Parameter::PASSWORD, self.password.as_str().as_bytes());
        if let Some(subaddress) = self.subaddress {
            out.integer(Parameter::SUBADDRESS, i32::from(subaddress.get()));
        }
        if let Some(window) = self.window {
            out.integer(Parameter::WINDOW_SIZE, i32::from(window.get()));
        }
    }
}

view! {
    /// A login as received.
    LoginView {
        user: USER_IDENTITY,
        password: PASSWORD,
        subaddress: SUBADDRESS,
        window: WINDOW_SIZE,
        ip_address: IP_ADDRESS,
    }
}

/// A packet without parameters: logout, alive, nack, and the positive response to most requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plain(Operation);

impl Plain {
    /// 02.
    pub const LOGOUT: Self = Self(Operation::LOGOUT);
    /// 40.
    pub const ALIVE: Self = Self(Operation::ALIVE);
    /// 51, positive.
    pub const LOGGED_IN: Self = Self(Operation::LOGIN_RESPONSE);
    /// 52, positive.
    pub const LOGGED_OUT: Self = Self(Operation::LOGOUT_RESPONSE);
    /// 55, positive, to the modes that make the messages follow.
    pub const DELIVERY_FOLLOWS: Self = Self(Operation::DELIVERY_REQUEST_RESPONSE);
    /// 56, positive.
    pub const CANCELLED: Self = Self(Operation::CANCEL_RESPONSE);
    /// 58, positive.
    pub const SET: Self = Self(Operation::SET_RESPONSE);
    /// 70, positive: the message is taken.
    pub const DELIVERY_TAKEN: Self = Self(Operation::DELIVER_RESPONSE);
    /// 73: the report is taken.
    pub const REPORT_TAKEN: Self = Self(Operation::DELIVER_STATUS_REPORT_RESPONSE);
    /// 90.
    pub const ALIVE_TOO: Self = Self(Operation::ALIVE_RESPONSE);
    /// 99; its number is the one that was expected.
    pub const NACK: Self = Self(Operation::NACK);
}

impl Write for Plain {
    fn operation(&self) -> Operation {
        self.0
    }

    fn write(&self, _: &mut Writer<'_>) {}
}

/// A negative response, or the general error response 98.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Negative {
    operation: Operation,
    /// 900.
    pub code: ErrorCode,
    /// 901.
    pub text: Option<Printable<64>>,
    /// 021 in a negative 53, if the SMSC could read the address.
    pub destination: Option<Address>,
}

impl Negative {
    /// The negative answer to a request, without a text. What is no request is answered by 98.
    ///
    /// # Panics
    /// With code 0, since peers take any code as a failure, and past three digits.
    pub fn to(request: Operation, code: ErrorCode) -> Self {
        assert!((1..=999).contains(&code.0), "a refusal has a code");
        Self {
            operation: request.response().unwrap_or(Operation::GENERAL_ERROR),
            code,
            text: None,
            destination: None,
        }
    }

    /// 98, for what cannot be matched to an operation.
    ///
    /// # Panics
    /// As [`Negative::to`].
    pub fn general(code: ErrorCode) -> Self {
        Self::to(Operation::GENERAL_ERROR, code)
    }

    /// The same with a text, as far as it can be written.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Self {
        self.text = Printable::nearest(text);
        self
    }
}

impl Write for Negative {
    fn operation(&self) -> Operation {
        self.operation
    }

    fn write(&self, out: &mut Writer<'_>) {
        if let Some(destination) = &self.destination {
            out.value(Parameter::DESTINATION, destination.octets());
        }
        out.integer(Parameter::ERROR_CODE, i32::from(self.code.0));
        if let Some(text) = &self.text {
            out.value(Parameter::ERROR_TEXT, text.as_str().as_bytes());
        }
    }
}

/// What a negative response says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// 900, if it is a number.
    pub code: Option<ErrorCode>,
    /// 901, or nothing. The SMSC's own words, for people.
    pub text: String,
}

impl Packet {
    /// What a response refuses; `None` if it is positive. A code of 0 is not to be sent, and refuses nothing.
    pub fn failure(&self) -> Option<Failure> {
        let code = self.field(Parameter::ERROR_CODE)?;
        let code = match code.integer() {
            Ok(0) => return None,
            Ok(code) => u16::try_from(code).ok().map(ErrorCode),
            Err(_) => None,
        };
        let text = self
            .field(Parameter::ERROR_TEXT)
            .map_or_else(String::new, |text| text.printable());
        Some(Failure { code, text })
    }
}
