//! The protocol's codes with their texts: errors (900), status codes (061) and status error codes (062).

use super::numbered::numbered;

numbered! {
    /// Parameter 900: why something was refused.
    ErrorCode(u16, 1) {
        NONE = 0 "no error",
        UNEXPECTED_OPERATION = 1 "operation not expected here",
        SYNTAX = 2 "syntax error",
        UNSUPPORTED_PARAMETER = 3 "parameter not supported",
        CONNECTION_LOST = 4 "connection to the message center lost",
        NO_RESPONSE = 5 "no response from the message center",
        SYSTEM = 6 "general system error",
        NOT_FOUND = 7 "information not found",
        BAD_PARAMETER = 8 "parameter wrongly formatted",
        FAILED = 9 "operation failed",
        CONGESTION = 10 "congestion, temporary",
        LOGIN_INVALID = 100 "login invalid",
        WRONG_ACCESS_TYPE = 101 "wrong access type",
        TOO_MANY_SESSIONS = 102 "too many sessions with this login",
        LOGIN_REFUSED = 103 "login refused",
        WINDOW_SIZE = 104 "window size invalid",
        WINDOWING_DISABLED = 105 "windowing disabled",
        VIRTUAL_SMSC = 106 "barred by virtual SMSC",
        SUBADDRESS = 107 "subaddress invalid",
        ALIAS_ACCOUNT = 108 "alias account, login refused",
        DESTINATION = 300 "destination address wrong",
        DESTINATION_COUNT = 301 "wrong number of destinations",
        USER_DATA = 302 "syntax of user data wrong",
        DATA_COMBINATION = 303 "header, text and binary data do not go together",
        DATA_CODING_SCHEME = 304 "data coding scheme wrong",
        VALIDITY = 305 "validity period wrong",
        ORIGINATOR = 306 "originator wrong",
        PROTOCOL_IDENTIFIER = 307 "protocol identifier wrong",
        FIRST_DELIVERY = 308 "first delivery time wrong",
        REPLY_PATH = 309 "reply path wrong",
        STATUS_REPORT_REQUEST = 310 "status report request wrong or not allowed",
        CANCEL_ENABLED = 311 "cancel enabled wrong",
        PRIORITY = 312 "priority wrong",
        TARIFF_CLASS = 313 "tariff class wrong",
        SERVICE_DESCRIPTION = 314 "service description wrong",
        TRANSPORT_TYPE = 315 "transport type wrong",
        MESSAGE_TYPE = 316 "message type wrong",
        MORE_MESSAGES = 318 "more-messages flag wrong",
        OPERATION_TIMER = 319 "operation timer wrong",
        DIALOGUE_ID = 320 "dialogue id wrong",
        NAME_NOT_USABLE = 321 "alphanumeric originator not usable so",
        NAME_CONTENTS = 322 "alphanumeric originator has bad contents",
        CLOSED_USER_GROUP = 323 "refused by online closed user group",
        LICENCE = 324 "licence expired or exceeded",
        ENQUIRE_ADDRESS = 400 "enquire: address wrong",
        ENQUIRE_TIME_STAMP = 401 "enquire: time stamp wrong",
        DELIVERY_TIME_STAMP = 500 "delivery request: time stamp wrong",
        DELIVERY_MODE = 501 "delivery request: mode wrong",
        DELIVERY_COMBINATION = 502 "delivery request: combination wrong",
        CANCEL_TIME_STAMP = 600 "cancel: time stamp wrong",
        CANCEL_ADDRESS = 601 "cancel: address wrong",
        CANCEL_MODE = 602 "cancel: mode wrong",
        CANCEL_COMBINATION = 603 "cancel: combination wrong",
        DELIVERY_OK = 700 "delivery ok or pending",
        DELIVERY_FAILED = 710 "delivery failed",
        SCHEME_NOT_SUPPORTED = 711 "coding scheme not supported",
        HEADER_NOT_SUPPORTED = 712 "user data header not supported",
        SUBSCRIBER_UNKNOWN = 730 "subscriber unknown",
        PASSWORD_NOT_CHANGED = 800 "password not changed",
        PASSWORD_FIXED = 801 "password may not be changed",
        ITEM_NOT_SUPPORTED = 900 "item asked for is not supported",
    }
}

numbered! {
    /// Parameter 061: how far a message has come.
    StatusCode(u8, 1) {
        UNKNOWN = 0 "not known",
        IN_PROCESS = 1 "in process",
        EXPIRED = 2 "validity period expired",
        FAILED = 3 "delivery failed",
        DELIVERED = 4 "delivered",
        NO_RESPONSE = 5 "no response",
        LAST_NO_RESPONSE = 6 "last attempt had no response",
        CANCELLED = 7 "cancelled",
        DELETED_BY_OPERATOR = 8 "deleted by the operator",
        DELETED_BY_CANCEL = 9 "deleted by a cancel",
    }
}

impl StatusCode {
    /// Whether nothing else is to come.
    pub const fn is_final(self) -> bool {
        match self {
            Self::EXPIRED
            | Self::FAILED
            | Self::DELIVERED
            | Self::LAST_NO_RESPONSE
            | Self::CANCELLED
            | Self::DELETED_BY_OPERATOR
            | Self::DELETED_BY_CANCEL => true,
            // 0, 1, 5, and whatever a newer release may add.
            _ => false,
        }
    }
}

numbered! {
    /// Parameter 062: why a delivery failed.
    StatusError(u16, 1) {
        NONE = 0 "none",
        UNKNOWN_SUBSCRIBER = 1 "unknown subscriber",
        ILLEGAL_SUBSCRIBER = 9 "illegal subscriber",
        TELESERVICE = 11 "teleservice not provisioned",
        CALL_BARRED = 13 "call barred",
        CLOSED_USER_GROUP = 15 "closed user group reject",
        NO_SMS = 19 "phone has no SMS",
        PHONE_ERROR = 20 "error in phone",
        FACILITY = 21 "facility not supported",
        MEMORY_FULL = 22 "memory full",
        ABSENT = 29 "absent",
        PHONE_BUSY = 30 "phone busy with another SMS",
        NETWORK = 36 "network or protocol failure",
        ILLEGAL_EQUIPMENT = 44 "illegal equipment",
        NO_PAGING = 60 "no paging response",
        GMSC_CONGESTION = 61 "GMSC congestion",
        HLR_TIMEOUT = 63 "HLR timeout",
        MSC_TIMEOUT = 64 "MSC/SGSN timeout",
        SMRSE = 70 "SMRSE/TCP error",
        PHONE_CONGESTION = 72 "congestion toward phones",
        GPRS_SUSPENDED = 75 "GPRS suspended",
        NO_PAGING_MSC = 80 "no paging response via MSC",
        IMSI_DETACHED = 81 "IMSI detached",
        ROAMING = 82 "roaming restriction",
        DEREGISTERED_GSM = 83 "deregistered in HLR (GSM)",
        PURGED_GSM = 84 "purged (GSM)",
        NO_PAGING_SGSN = 85 "no paging response via SGSN",
        GPRS_DETACHED = 86 "GPRS detached",
        DEREGISTERED_GPRS = 87 "deregistered in HLR (GPRS)",
        PURGED_GPRS = 88 "purged (GPRS)",
        UNIDENTIFIED_MSC = 89 "unidentified subscriber via MSC",
        UNIDENTIFIED_SGSN = 90 "unidentified subscriber via SGSN",
        ORIGINATOR_PREPAID = 112 "originator's prepaid account empty",
        DESTINATION_PREPAID = 113 "destination's prepaid account empty",
        PREPAID_SYSTEM = 114 "prepaid system failed",
    }
}

impl StatusError {
    /// Releases of USSD dialogues, which the SMS side never sees; their texts are not known.
    pub const USSD_RELEASES: std::ops::RangeInclusive<u16> = 750..=768;
}

/// Flags of parameter 056: of which events a sender wants to hear. They are added up.
pub mod report_flags {
    /// A passing fault.
    pub const TEMPORARY_ERROR: u8 = 1;
    /// The validity period ended.
    pub const EXPIRED: u8 = 2;
    /// Delivery failed.
    pub const FAILED: u8 = 4;
    /// Delivered.
    pub const DELIVERED: u8 = 8;
    /// Cancelled.
    pub const CANCELLED: u8 = 16;
    /// Deleted by the operator.
    pub const DELETED: u8 = 32;
    /// The first result, if it is a passing one; newer releases only.
    pub const FIRST_TEMPORARY: u8 = 64;

    /// Every way in which a message can end badly.
    pub const FINAL_FAILURE: u8 = EXPIRED | FAILED | CANCELLED | DELETED;
    /// Every way in which a message can end.
    pub const FINAL: u8 = FINAL_FAILURE | DELIVERED;
    /// All that older releases know.
    pub const ALL: u8 = FINAL | TEMPORARY_ERROR;
}
