//! command_status (5.1.3): how a request ended.

use super::numbered::numbered;

numbered! {
    /// How a request ended.
    Status(u32, 10) {
        /// It went well.
        OK = 0x00 "ROK",
        /// Message length is invalid.
        INVALID_MESSAGE_LENGTH = 0x01 "RINVMSGLEN",
        /// Command length is invalid.
        INVALID_COMMAND_LENGTH = 0x02 "RINVCMDLEN",
        /// Command is unknown or not offered.
        INVALID_COMMAND_ID = 0x03 "RINVCMDID",
        /// Not allowed in this state of the session.
        WRONG_BIND_STATE = 0x04 "RINVBNDSTS",
        /// Another session of this name is bound.
        ALREADY_BOUND = 0x05 "RALYBND",
        /// Priority flag is invalid.
        INVALID_PRIORITY = 0x06 "RINVPRTFLG",
        /// Registered delivery flag is invalid.
        INVALID_REGISTERED_DELIVERY = 0x07 "RINVREGDLVFLG",
        /// A fault within the system.
        SYSTEM_ERROR = 0x08 "RSYSERR",
        /// Source address is invalid.
        INVALID_SOURCE = 0x0A "RINVSRCADR",
        /// Destination address is invalid.
        INVALID_DESTINATION = 0x0B "RINVDSTADR",
        /// There is no message of this id.
        INVALID_MESSAGE_ID = 0x0C "RINVMSGID",
        /// Bind failed.
        BIND_FAILED = 0x0D "RBINDFAIL",
        /// Password is wrong.
        INVALID_PASSWORD = 0x0E "RINVPASWD",
        /// System id is unknown.
        INVALID_SYSTEM_ID = 0x0F "RINVSYSID",
        /// cancel_sm failed.
        CANCEL_FAILED = 0x11 "RCANCELFAIL",
        /// replace_sm failed.
        REPLACE_FAILED = 0x13 "RREPLACEFAIL",
        /// The queue is full.
        QUEUE_FULL = 0x14 "RMSGQFUL",
        /// Service type is invalid.
        INVALID_SERVICE_TYPE = 0x15 "RINVSERTYP",
        /// Number of destinations is invalid.
        INVALID_DESTINATION_COUNT = 0x33 "RINVNUMDESTS",
        /// Name of a distribution list is invalid.
        INVALID_LIST_NAME = 0x34 "RINVDLNAME",
        /// Destination flag is invalid.
        INVALID_DESTINATION_FLAG = 0x40 "RINVDESTFLAG",
        /// Submit with replace is not offered.
        INVALID_REPLACE_REQUEST = 0x42 "RINVSUBREP",
        /// esm_class is invalid.
        INVALID_ESM_CLASS = 0x43 "RINVESMCLASS",
        /// Cannot submit to a distribution list.
        CANNOT_SUBMIT_TO_LIST = 0x44 "RCNTSUBDL",
        /// Submit failed, without saying why.
        SUBMIT_FAILED = 0x45 "RSUBMITFAIL",
        /// Source type of number is invalid.
        INVALID_SOURCE_TON = 0x48 "RINVSRCTON",
        /// Source numbering plan is invalid.
        INVALID_SOURCE_NPI = 0x49 "RINVSRCNPI",
        /// Destination type of number is invalid.
        INVALID_DESTINATION_TON = 0x50 "RINVDSTTON",
        /// Destination numbering plan is invalid.
        INVALID_DESTINATION_NPI = 0x51 "RINVDSTNPI",
        /// System type is invalid.
        INVALID_SYSTEM_TYPE = 0x53 "RINVSYSTYP",
        /// Replace flag is invalid.
        INVALID_REPLACE_FLAG = 0x54 "RINVREPFLAG",
        /// Number of messages is invalid.
        INVALID_MESSAGE_COUNT = 0x55 "RINVNUMMSGS",
        /// Too many messages: slow down.
        THROTTLED = 0x58 "RTHROTTLED",
        /// Scheduled delivery time is invalid.
        INVALID_SCHEDULE = 0x61 "RINVSCHED",
        /// Validity period is invalid.
        INVALID_EXPIRY = 0x62 "RINVEXPIRY",
        /// Predefined message does not exist.
        INVALID_DEFAULT_MESSAGE = 0x63 "RINVDFTMSGID",
        /// The receiver has a passing fault.
        TEMPORARY_APPLICATION_ERROR = 0x64 "RX_T_APPN",
        /// The receiver has a lasting fault.
        PERMANENT_APPLICATION_ERROR = 0x65 "RX_P_APPN",
        /// The receiver refuses the message.
        REJECTED_BY_APPLICATION = 0x66 "RX_R_APPN",
        /// query_sm failed.
        QUERY_FAILED = 0x67 "RQUERYFAIL",
        /// The TLVs are broken.
        INVALID_TLV_STREAM = 0xC0 "RINVOPTPARSTREAM",
        /// A TLV is not allowed here.
        TLV_NOT_ALLOWED = 0xC1 "ROPTPARNOTALLWD",
        /// A TLV has a wrong length.
        INVALID_TLV_LENGTH = 0xC2 "RINVPARLEN",
        /// A TLV is missing.
        MISSING_TLV = 0xC3 "RMISSINGOPTPARAM",
        /// A TLV has a wrong value.
        INVALID_TLV_VALUE = 0xC4 "RINVOPTPARAMVAL",
        /// Delivery failed; delivery_failure_reason tells more.
        DELIVERY_FAILED = 0xFE "RDELIVERYFAILURE",
        /// Unknown error.
        UNKNOWN_ERROR = 0xFF "RUNKNOWNERR",
        /// v5: not authorised to use this service type.
        SERVICE_TYPE_UNAUTHORISED = 0x100 "RSERTYPUNAUTH",
        /// v5: the ESME is prohibited from this.
        PROHIBITED = 0x101 "RPROHIBITED",
        /// v5: service type is unavailable.
        SERVICE_UNAVAILABLE = 0x102 "RSERTYPUNAVAIL",
        /// v5: service type is denied.
        SERVICE_DENIED = 0x103 "RSERTYPDENIED",
        /// v5: data coding is invalid.
        INVALID_DATA_CODING = 0x104 "RINVDCS",
        /// v5: source subunit is invalid.
        INVALID_SOURCE_SUBUNIT = 0x105 "RINVSRCADDRSUBUNIT",
        /// v5: destination subunit is invalid.
        INVALID_DESTINATION_SUBUNIT = 0x106 "RINVDSTADDRSUBUNIT",
        /// v5: broadcast frequency is invalid.
        INVALID_BROADCAST_FREQUENCY = 0x107 "RINVBCASTFREQINT",
        /// v5: broadcast alias is invalid.
        INVALID_BROADCAST_ALIAS = 0x108 "RINVBCASTALIAS_NAME",
        /// v5: broadcast area format is invalid.
        INVALID_BROADCAST_AREA_FORMAT = 0x109 "RINVBCASTAREAFMT",
        /// v5: number of broadcast areas is invalid.
        INVALID_BROADCAST_AREA_COUNT = 0x10A "RINVNUMBCAST_AREAS",
        /// v5: broadcast content type is invalid.
        INVALID_BROADCAST_CONTENT = 0x10B "RINVBCASTCNTTYPE",
        /// v5: broadcast message class is invalid.
        INVALID_BROADCAST_CLASS = 0x10C "RINVBCASTMSGCLASS",
        /// v5: broadcast failed.
        BROADCAST_FAILED = 0x10D "RBCASTFAIL",
        /// v5: broadcast query failed.
        BROADCAST_QUERY_FAILED = 0x10E "RBCASTQUERYFAIL",
        /// v5: broadcast cancel failed.
        BROADCAST_CANCEL_FAILED = 0x10F "RBCASTCANCELFAIL",
        /// v5: number of broadcast repetitions is invalid.
        INVALID_BROADCAST_REPETITIONS = 0x110 "RINVBCAST_REP",
        /// v5: broadcast service group is invalid.
        INVALID_BROADCAST_SERVICE_GROUP = 0x111 "RINVBCASTSRVGRP",
        /// v5: broadcast channel is invalid.
        INVALID_BROADCAST_CHANNEL = 0x112 "RINVBCASTCHANIND",
    }
}

impl Status {
    /// Whether the request went well.
    pub const fn is_ok(self) -> bool {
        self.0 == Self::OK.0
    }
}
