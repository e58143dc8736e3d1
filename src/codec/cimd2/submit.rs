//! 03 and 53: a message for a phone, and what the SMSC calls it.

use super::operation::Operation;
use super::packet::{Field, Packet};
use super::parameter::Parameter;
use super::time::{RelativeTime, TimeStamp};
use super::user_data::{UserData, UserDataView};
use super::value::{Address, Bounded, Printable};
use super::view::view;
use super::write::{Write, Writer};

/// Who is shown as the sender.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Originator {
    /// 023, which the SMSC appends to the account's own address.
    Address(Address),
    /// 027, a text, if the account may use one.
    Name(Printable<11>),
}

/// A time that is relative to now, or the SMSC's local time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// 050 or 053.
    Relative(RelativeTime),
    /// 051 or 054.
    Absolute(TimeStamp),
}

impl When {
    fn write(self, out: &mut Writer<'_>, relative: Parameter, absolute: Parameter) {
        match self {
            Self::Relative(time) => out.integer(relative, i32::from(time.0)),
            Self::Absolute(stamp) => out.value(absolute, stamp.digits()),
        }
    }
}

/// 03: submit a message. Parameters are written in the order of a client that many SMSCs know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Submit {
    /// 021: whom it is for.
    pub destination: Address,
    /// More of 021. A session that tells messages apart sends each destination on its own.
    pub more_destinations: Vec<Address>,
    /// 023 or 027; without, the account's own address is shown.
    pub originator: Option<Originator>,
    /// 050 or 051: until when it is of use.
    pub validity: Option<When>,
    /// 053 or 054: when to deliver it first.
    pub first_delivery: Option<When>,
    /// 056: see [`super::report_flags`]. Absent means the account's default, so always set it.
    pub report_flags: Option<u8>,
    /// 055: whether the answer shall take the same way.
    pub reply_path: Option<bool>,
    /// 058: whether 06 may cancel it.
    pub cancel_enabled: Option<bool>,
    /// 064: as agreed with the operator.
    pub tariff_class: Option<Bounded<0, 99>>,
    /// 065: as agreed with the operator.
    pub service_description: Option<Bounded<0, 9>>,
    /// 067: 1 is most urgent.
    pub priority: Option<Bounded<1, 9>>,
    /// 052: GSM 03.40 TP-PID.
    pub protocol: Option<u8>,
    /// 044: whether more messages wait for the same phone.
    pub more_messages: Option<bool>,
    /// 030, 032, and 033 or 034.
    pub user_data: Option<UserData>,
}

impl Submit {
    /// A message without special wishes.
    pub const fn new(destination: Address, user_data: Option<UserData>) -> Self {
        Self {
            destination,
            more_destinations: Vec::new(),
            originator: None,
            validity: None,
            first_delivery: None,
            report_flags: None,
            reply_path: None,
            cancel_enabled: None,
            tariff_class: None,
            service_description: None,
            priority: None,
            protocol: None,
            more_messages: None,
            user_data,
        }
    }
}

impl Write for Submit {
    fn operation(&self) -> Operation {
        Operation::SUBMIT
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.value(Parameter::DESTINATION, self.destination.octets());
        for destination in &self.more_destinations {
            out.value(Parameter::DESTINATION, destination.octets());
        }
        match &self.originator {
            None => {}
            Some(Originator::Address(address)) => {
                out.value(Parameter::ORIGINATOR, address.octets());
            }
            Some(Originator::Name(name)) => {
                out.value(Parameter::ALPHANUMERIC_ORIGINATOR, name.as_str().as_bytes());
            }
        }
        if let Some(validity) = self.validity {
            validity.write(
                out,
                Parameter::VALIDITY_RELATIVE,
                Parameter::VALIDITY_ABSOLUTE,
            );
        }
        if let Some(first) = self.first_delivery {
            first.write(
                out,
                Parameter::FIRST_DELIVERY_RELATIVE,
                Parameter::FIRST_DELIVERY_ABSOLUTE,
            );
        }
        if let Some(flags) = self.report_flags {
            out.integer(Parameter::STATUS_REPORT_REQUEST, i32::from(flags));
        }
        if let Some(reply_path) = self.reply_path {
            out.flag(Parameter::REPLY_PATH, reply_path);
        }
        if let Some(enabled) = self.cancel_enabled {
            out.flag(Parameter::CANCEL_ENABLED, enabled);
        }
        if let Some(class) = self.tariff_class {
            // Two digits, as operators write their classes.
            let class = class.get() as u8;
            out.value(
                Parameter::TARIFF_CLASS,
                &[b'0' + class / 10, b'0' + class % 10],
            );
        }
        if let Some(description) = self.service_description {
            out.integer(Parameter::SERVICE_DESCRIPTION, i32::from(description.get()));
        }
        if let Some(priority) = self.priority {
            out.integer(Parameter::PRIORITY, i32::from(priority.get()));
        }
        if let Some(protocol) = self.protocol {
            out.integer(Parameter::PROTOCOL_IDENTIFIER, i32::from(protocol));
        }
        if let Some(more) = self.more_messages {
            out.flag(Parameter::MORE_MESSAGES, more);
        }
        if let Some(user_data) = &self.user_data {
            user_data.write_content(out);
            user_data.write_scheme(out);
        }
    }
}

view! {
    /// A submitted message as received.
    SubmitView {
        /// The first of them; [`Packet::all`] gives all.
        destination: DESTINATION,
        originator: ORIGINATOR,
        name: ALPHANUMERIC_ORIGINATOR,
        scheme: DATA_CODING_SCHEME,
        header: USER_DATA_HEADER,
        text: USER_DATA,
        binary: USER_DATA_BINARY,
        more_messages: MORE_MESSAGES,
        validity_relative: VALIDITY_RELATIVE,
        validity_absolute: VALIDITY_ABSOLUTE,
        protocol: PROTOCOL_IDENTIFIER,
        first_delivery_relative: FIRST_DELIVERY_RELATIVE,
        first_delivery_absolute: FIRST_DELIVERY_ABSOLUTE,
        reply_path: REPLY_PATH,
        report_flags: STATUS_REPORT_REQUEST,
        cancel_enabled: CANCEL_ENABLED,
        tariff_class: TARIFF_CLASS,
        service_description: SERVICE_DESCRIPTION,
        priority: PRIORITY,
    }
}

impl<'a> SubmitView<'a> {
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

impl Packet {
    /// All parameters of one number, in their order. Malformed ones end it.
    pub fn all(&self, parameter: Parameter) -> impl Iterator<Item = Field<'_>> {
        self.fields()
            .map_while(Result::ok)
            .filter(move |field| field.parameter == parameter)
    }
}

/// 53, positive: each destination with the time stamp that names the message from now on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Submitted {
    /// 021.
    pub destination: Address,
    /// 060.
    pub time_stamp: TimeStamp,
    /// Further pairs, for a submit with several destinations.
    pub more: Vec<(Address, TimeStamp)>,
}

impl Submitted {
    /// For one destination.
    pub const fn new(destination: Address, time_stamp: TimeStamp) -> Self {
        Self {
            destination,
            time_stamp,
            more: Vec::new(),
        }
    }
}

impl Write for Submitted {
    fn operation(&self) -> Operation {
        Operation::SUBMIT_RESPONSE
    }

    fn write(&self, out: &mut Writer<'_>) {
        let first = (self.destination, self.time_stamp);
        for (destination, time_stamp) in std::iter::once(&first).chain(&self.more) {
            out.value(Parameter::DESTINATION, destination.octets());
            out.value(Parameter::TIME_STAMP, time_stamp.digits());
        }
    }
}

view! {
    /// The answer to a submit as received; what it refuses tells [`Packet::failure`].
    SubmittedView {
        destination: DESTINATION,
        /// Twelve digits, or what the SMSC makes of them: a key, not a time.
        time_stamp: TIME_STAMP,
    }
}
