//! Parameters: their numbers, names, kinds and greatest lengths.

use super::numbered::numbered;

numbered! {
    /// A parameter's number: three digits.
    Parameter(u16, 3) {
        USER_IDENTITY = 10 "user identity",
        PASSWORD = 11 "password",
        SUBADDRESS = 12 "subaddress",
        WINDOW_SIZE = 19 "window size",
        DESTINATION = 21 "destination address",
        ORIGINATOR = 23 "originating address",
        ORIGINATING_IMSI = 26 "originating IMSI",
        ALPHANUMERIC_ORIGINATOR = 27 "alphanumeric originating address",
        VISITED_MSC = 28 "originated visited MSC",
        DATA_CODING_SCHEME = 30 "data coding scheme",
        USER_DATA_HEADER = 32 "user data header",
        USER_DATA = 33 "user data",
        USER_DATA_BINARY = 34 "user data binary",
        TRANSPORT_TYPE = 41 "transport type",
        MESSAGE_TYPE = 42 "message type",
        MORE_MESSAGES = 44 "more messages to send",
        OPERATION_TIMER = 45 "operation timer",
        DIALOGUE_ID = 46 "dialogue id",
        USSD_PHASE = 47 "USSD phase",
        SERVICE_CODE = 48 "service code",
        VALIDITY_RELATIVE = 50 "validity period relative",
        VALIDITY_ABSOLUTE = 51 "validity period absolute",
        PROTOCOL_IDENTIFIER = 52 "protocol identifier",
        FIRST_DELIVERY_RELATIVE = 53 "first delivery time relative",
        FIRST_DELIVERY_ABSOLUTE = 54 "first delivery time absolute",
        REPLY_PATH = 55 "reply path",
        STATUS_REPORT_REQUEST = 56 "status report request",
        CANCEL_ENABLED = 58 "cancel enabled",
        CANCEL_MODE = 59 "cancel mode",
        TIME_STAMP = 60 "service centre time stamp",
        STATUS_CODE = 61 "status code",
        STATUS_ERROR_CODE = 62 "status error code",
        DISCHARGE_TIME = 63 "discharge time",
        TARIFF_CLASS = 64 "tariff class",
        SERVICE_DESCRIPTION = 65 "service description",
        MESSAGE_COUNT = 66 "message count",
        PRIORITY = 67 "priority",
        DELIVERY_REQUEST_MODE = 68 "delivery request mode",
        SERVICE_CENTRE = 69 "service centre address",
        IP_ADDRESS = 71 "IP address",
        GET_PARAMETER = 500 "get parameter",
        SMSC_TIME = 501 "SMSC time",
        ERROR_CODE = 900 "error code",
        ERROR_TEXT = 901 "error text",
    }
}

/// What a parameter's value consists of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Decimal digits within these bounds.
    Integer(i32, i32),
    /// Digits, `+`, and `-` as one client passes it.
    Address,
    /// Printable ASCII.
    Printable,
    /// Pairs of hexadecimal digits in either case.
    Hex,
    /// Text in the character form of parameter 033.
    Text,
    /// `yymmddhhmmss` in the local time of the SMSC.
    Time,
}

impl Parameter {
    /// What the value consists of and how many octets it has at most; `None` where that is not known.
    pub const fn form(self) -> Option<(Kind, usize)> {
        Some(match self {
            Self::USER_IDENTITY | Self::PASSWORD => (Kind::Printable, 32),
            Self::SUBADDRESS => (Kind::Integer(0, 9), 3),
            Self::WINDOW_SIZE => (Kind::Integer(1, 128), 3),
            Self::DESTINATION
            | Self::ORIGINATOR
            | Self::ORIGINATING_IMSI
            | Self::VISITED_MSC
            | Self::SERVICE_CENTRE => (Kind::Address, 20),
            Self::ALPHANUMERIC_ORIGINATOR => (Kind::Printable, 11),
            Self::DATA_CODING_SCHEME | Self::PROTOCOL_IDENTIFIER => (Kind::Integer(0, 255), 3),
            Self::USER_DATA_HEADER | Self::USER_DATA_BINARY => (Kind::Hex, 280),
            Self::USER_DATA => (Kind::Text, 480),
            Self::MORE_MESSAGES | Self::REPLY_PATH | Self::CANCEL_ENABLED => {
                (Kind::Integer(0, 1), 1)
            }
            Self::VALIDITY_RELATIVE | Self::FIRST_DELIVERY_RELATIVE => (Kind::Integer(-1, 255), 3),
            Self::VALIDITY_ABSOLUTE
            | Self::FIRST_DELIVERY_ABSOLUTE
            | Self::TIME_STAMP
            | Self::DISCHARGE_TIME
            | Self::SMSC_TIME => (Kind::Time, 12),
            // Two digits in the older releases; the sum of all flags has three.
            Self::STATUS_REPORT_REQUEST => (Kind::Integer(0, 255), 3),
            Self::CANCEL_MODE | Self::DELIVERY_REQUEST_MODE => (Kind::Integer(0, 2), 1),
            Self::STATUS_CODE => (Kind::Integer(0, 9), 2),
            Self::STATUS_ERROR_CODE | Self::ERROR_CODE | Self::MESSAGE_COUNT => {
                (Kind::Integer(0, 999), 3)
            }
            Self::TARIFF_CLASS => (Kind::Integer(0, 99), 2),
            Self::SERVICE_DESCRIPTION => (Kind::Integer(0, 9), 2),
            Self::PRIORITY => (Kind::Integer(1, 9), 1),
            Self::GET_PARAMETER => (Kind::Integer(501, 999), 3),
            Self::ERROR_TEXT => (Kind::Printable, 64),
            _ => return None,
        })
    }

    /// What complaints call it.
    pub const fn field(self) -> &'static str {
        match self.name() {
            Some(name) => name,
            None => "parameter",
        }
    }

    /// As three digits.
    pub(super) const fn digits(self) -> [u8; 3] {
        [
            b'0' + (self.0 / 100 % 10) as u8,
            b'0' + (self.0 / 10 % 10) as u8,
            b'0' + (self.0 % 10) as u8,
        ]
    }
}
