//! 04, 05, 06, 08 and 09 with their answers: questions about messages, and the account's profile.

use super::codes::{StatusCode, StatusError};
use super::operation::Operation;
use super::parameter::Parameter;
use super::time::TimeStamp;
use super::value::{Address, Bounded, Printable};
use super::view::view;
use super::write::{Write, Writer};

/// 04: how far has this message come?
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Enquire {
    /// 021 of the answer to its submit.
    pub destination: Address,
    /// 060 of the answer to its submit.
    pub time_stamp: TimeStamp,
}

impl Write for Enquire {
    fn operation(&self) -> Operation {
        Operation::ENQUIRE
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.value(Parameter::DESTINATION, self.destination.octets());
        out.value(Parameter::TIME_STAMP, self.time_stamp.digits());
    }
}

view! {
    /// An enquiry as received.
    EnquireView {
        destination: DESTINATION,
        time_stamp: TIME_STAMP,
    }
}

/// 54, positive. [`super::StatusReportView`] reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Enquired {
    /// 021 as asked.
    pub destination: Address,
    /// 060 as asked.
    pub time_stamp: TimeStamp,
    /// 061; 0 if no report was asked for at submit.
    pub status: StatusCode,
    /// 062.
    pub error: Option<StatusError>,
    /// 063.
    pub discharged: Option<TimeStamp>,
}

impl Write for Enquired {
    fn operation(&self) -> Operation {
        Operation::ENQUIRE_RESPONSE
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.value(Parameter::DESTINATION, self.destination.octets());
        out.value(Parameter::TIME_STAMP, self.time_stamp.digits());
        out.integer(Parameter::STATUS_CODE, i32::from(self.status.0));
        if let Some(error) = self.error {
            out.integer(Parameter::STATUS_ERROR_CODE, i32::from(error.0));
        }
        if let Some(discharged) = &self.discharged {
            out.value(Parameter::DISCHARGE_TIME, discharged.digits());
        }
    }
}

/// 068: what an application that polls asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeliveryMode {
    /// How many messages wait.
    Count,
    /// One message; also what an absent 068 means.
    One,
    /// All messages that wait.
    All,
}

impl DeliveryMode {
    /// The number that stands in 068.
    pub const fn number(self) -> u8 {
        match self {
            Self::Count => 0,
            Self::One => 1,
            Self::All => 2,
        }
    }

    /// The mode of a number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Count),
            1 => Some(Self::One),
            2 => Some(Self::All),
            _ => None,
        }
    }
}

/// 05: messages that wait, please.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeliveryRequest {
    /// 068.
    pub mode: DeliveryMode,
}

impl Write for DeliveryRequest {
    fn operation(&self) -> Operation {
        Operation::DELIVERY_REQUEST
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.integer(
            Parameter::DELIVERY_REQUEST_MODE,
            i32::from(self.mode.number()),
        );
    }
}

view! {
    /// A delivery request as received.
    DeliveryRequestView {
        mode: DELIVERY_REQUEST_MODE,
    }
}

/// 55, positive, with the count that [`DeliveryMode::Count`] asked for. To the other modes [`super::Plain`] answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitingCount {
    /// 066.
    pub count: Bounded<0, 999>,
}

impl Write for WaitingCount {
    fn operation(&self) -> Operation {
        Operation::DELIVERY_REQUEST_RESPONSE
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.integer(Parameter::MESSAGE_COUNT, i32::from(self.count.get()));
    }
}

/// 06: take messages back that were submitted with 058:1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cancel {
    /// All to one destination (059:0).
    AllTo(Address),
    /// All of this application (059:1).
    All,
    /// One message by its name (059:2).
    One(Address, TimeStamp),
}

impl Write for Cancel {
    fn operation(&self) -> Operation {
        Operation::CANCEL
    }

    fn write(&self, out: &mut Writer<'_>) {
        match self {
            Self::AllTo(destination) => {
                out.integer(Parameter::CANCEL_MODE, 0);
                out.value(Parameter::DESTINATION, destination.octets());
            }
            Self::All => out.integer(Parameter::CANCEL_MODE, 1),
            Self::One(destination, time_stamp) => {
                out.integer(Parameter::CANCEL_MODE, 2);
                out.value(Parameter::DESTINATION, destination.octets());
                out.value(Parameter::TIME_STAMP, time_stamp.digits());
            }
        }
    }
}

view! {
    /// A cancel as received.
    CancelView {
        mode: CANCEL_MODE,
        destination: DESTINATION,
        time_stamp: TIME_STAMP,
    }
}

/// 08: a new password for the account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetPassword {
    /// 011.
    pub password: Printable<32>,
}

impl Write for SetPassword {
    fn operation(&self) -> Operation {
        Operation::SET
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.value(Parameter::PASSWORD, self.password.as_str().as_bytes());
    }
}

view! {
    /// A change of the profile as received.
    SetView {
        password: PASSWORD,
    }
}

/// 09: an item of the SMSC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Get {
    /// 500: the item's parameter number.
    pub item: Bounded<501, 999>,
}

impl Write for Get {
    fn operation(&self) -> Operation {
        Operation::GET
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.integer(Parameter::GET_PARAMETER, i32::from(self.item.get()));
    }
}

view! {
    /// A question for an item as received.
    GetView {
        item: GET_PARAMETER,
    }
}

/// 59, positive: the SMSC's time, the one item that is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SmscTime {
    /// 501.
    pub time: TimeStamp,
}

impl Write for SmscTime {
    fn operation(&self) -> Operation {
        Operation::GET_RESPONSE
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.value(Parameter::SMSC_TIME, self.time.digits());
    }
}

view! {
    /// The answers 55 and 59 as received.
    ItemView {
        count: MESSAGE_COUNT,
        time: SMSC_TIME,
    }
}
