//! CIMD2, the application protocol of Nokia SMS Centers, as octets: packets for both sides of a session.
//!
//! [`Framer`] finds packets in whatever comes, by STX and ETX alone. [`Packet::read`] reads header and checksum of
//! one, and keeps all of it as received. Its parameters are then looked at by name through the view of its operation
//! ([`SubmitView`], [`DeliverView`] …): lenient, in any order, unknown ones tolerated and kept, and each complaint
//! names octet and field. What we send is a value that implements [`Write`] ([`Submit`], [`Deliver`] …): strict, a
//! value that can be built can be encoded, and it always has a checksum.
//!
//! ```text
//! STX  OO ':' NNN TAB   { PPP ':' value TAB }   [ CC ]  ETX
//! 02   2 digits, 3      3 digits, bytes         2 hex   03
//! ```
//!
//! What a session does with packets – numbers, repetitions, nacks – belongs to [`crate::smsc`].

mod codes;
mod deliver;
mod frame;
mod numbered;
mod operation;
mod packet;
mod parameter;
mod query;
mod scheme;
mod session;
mod submit;
pub mod text;
mod time;
mod user_data;
mod value;
mod view;
mod write;

pub use codes::{ErrorCode, StatusCode, StatusError, report_flags};
pub use deliver::{Deliver, DeliverView, StatusReport, StatusReportView};
pub use frame::{ETX, Framer, MAX_PACKET, STX, TAB};
pub use operation::{Number, Operation};
pub use packet::{Checksum, Field, Fields, Packet, checksum};
pub use parameter::{Kind, Parameter};
pub use query::{
    Cancel, CancelView, DeliveryMode, DeliveryRequest, DeliveryRequestView, Enquire, EnquireView,
    Enquired, Get, GetView, ItemView, SetPassword, SetView, SmscTime, WaitingCount,
};
pub use scheme::CodingScheme;
pub use session::{Failure, Login, LoginView, Negative, Plain};
pub use submit::{Originator, Submit, SubmitView, Submitted, SubmittedView, When};
pub use time::{RelativeTime, TimeStamp};
pub use user_data::{Content, MAX_BINARY, UserData, UserDataView};
pub use value::{Address, Bounded, Printable};
pub use write::{Write, Writer};
