//! 20 and 23: a message from a phone, and the SMSC's later word on one to a phone.

use super::codes::{StatusCode, StatusError};
use super::operation::Operation;
use super::parameter::Parameter;
use super::time::TimeStamp;
use super::user_data::{UserData, UserDataView};
use super::value::Address;
use super::view::view;
use super::write::{Write, Writer};

/// 20: a message from a phone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deliver {
    /// 021: the application's number.
    pub destination: Address,
    /// 023: the phone.
    pub originator: Address,
    /// 060: when the SMSC took it.
    pub time_stamp: TimeStamp,
    /// 026: the phone's IMSI.
    pub imsi: Option<Address>,
    /// 028: where the phone was.
    pub visited_msc: Option<Address>,
    /// 052: GSM 03.40 TP-PID.
    pub protocol: Option<u8>,
    /// 069: the SMSC itself.
    pub service_centre: Option<Address>,
    /// 030, 032, and 033 or 034.
    pub user_data: Option<UserData>,
}

impl Write for Deliver {
    fn operation(&self) -> Operation {
        Operation::DELIVER
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.value(Parameter::DESTINATION, self.destination.octets());
        out.value(Parameter::ORIGINATOR, self.originator.octets());
        out.value(Parameter::TIME_STAMP, self.time_stamp.digits());
        if let Some(imsi) = &self.imsi {
            out.value(Parameter::ORIGINATING_IMSI, imsi.octets());
        }
        if let Some(visited) = &self.visited_msc {
            out.value(Parameter::VISITED_MSC, visited.octets());
        }
        if let Some(protocol) = self.protocol {
            out.integer(Parameter::PROTOCOL_IDENTIFIER, i32::from(protocol));
        }
        if let Some(centre) = &self.service_centre {
            out.value(Parameter::SERVICE_CENTRE, centre.octets());
        }
        if let Some(user_data) = &self.user_data {
            user_data.write_scheme(out);
            user_data.write_content(out);
        }
    }
}

view! {
    /// A delivered message as received.
    DeliverView {
        destination: DESTINATION,
        originator: ORIGINATOR,
        /// Not in the tables of this operation, and tolerated.
        name: ALPHANUMERIC_ORIGINATOR,
        time_stamp: TIME_STAMP,
        imsi: ORIGINATING_IMSI,
        visited_msc: VISITED_MSC,
        scheme: DATA_CODING_SCHEME,
        header: USER_DATA_HEADER,
        text: USER_DATA,
        binary: USER_DATA_BINARY,
        protocol: PROTOCOL_IDENTIFIER,
        service_centre: SERVICE_CENTRE,
    }
}

impl<'a> DeliverView<'a> {
    /// 030, 032, 033 and 034 together.
    pub const fn user_data(&self) -> UserDataView<'a> {
        UserDataView {
            scheme: self.scheme,
            header: self.header,
            text: self.text,
            binary: self.binary,
        }
    }
}

/// 23: how far a message has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatusReport {
    /// 021 of the answer to its submit.
    pub destination: Address,
    /// 060 of the answer to its submit.
    pub time_stamp: TimeStamp,
    /// 061.
    pub status: StatusCode,
    /// 062.
    pub error: Option<StatusError>,
    /// 063: when it came to that.
    pub discharged: TimeStamp,
    /// 023, in newer releases.
    pub originator: Option<Address>,
}

impl Write for StatusReport {
    fn operation(&self) -> Operation {
        Operation::DELIVER_STATUS_REPORT
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.value(Parameter::DESTINATION, self.destination.octets());
        if let Some(originator) = &self.originator {
            out.value(Parameter::ORIGINATOR, originator.octets());
        }
        out.value(Parameter::TIME_STAMP, self.time_stamp.digits());
        out.integer(Parameter::STATUS_CODE, i32::from(self.status.0));
        if let Some(error) = self.error {
            out.integer(Parameter::STATUS_ERROR_CODE, i32::from(error.0));
        }
        out.value(Parameter::DISCHARGE_TIME, self.discharged.digits());
    }
}

view! {
    /// A status report as received, or the answer to an enquiry, which carries the same.
    StatusReportView {
        destination: DESTINATION,
        originator: ORIGINATOR,
        time_stamp: TIME_STAMP,
        status: STATUS_CODE,
        error: STATUS_ERROR_CODE,
        discharged: DISCHARGE_TIME,
    }
}
