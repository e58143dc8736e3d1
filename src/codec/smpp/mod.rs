//! SMPP 3.4 (and the little of 5.0 that an ESME meets) as octets: frames, fields, times, receipts, codings.
//!
//! A connection's octets are cut into [`Frame`]s by [`Framer`], by their length alone, so that nothing in a body can
//! lose the stream. What lies in a body is then read within exactly that frame: [`Frame::view`] gives a [`PduView`],
//! lenient, with every octet kept as received; what its own [`PduView::put`] writes is the body again, octet for
//! octet. What we send is a [`Pdu`], strict: a value that can be built can be encoded. Each layout stands once, in
//! [`layouts`](Pdu), and gives both.
//!
//! ```text
//! 4 command_length   4 command_id   4 command_status   4 sequence_number   body   (high octet first)
//! ```
//!
//! Lenient means: addresses of any length and with any octet but NUL, responses without a body, identifiers without
//! their NUL, TLVs of any length and order, unknown ones too; a TLV that overruns the body ends the TLVs; what
//! follows the last one is counted and otherwise ignored. Only a mandatory field that is not there is malformed.
//!
//! The document is the *SMPP Protocol Specification v3.4, issue 1.2*, with v5.0 where named; paragraph numbers are
//! those of v3.4.

mod coding;
mod command;
mod field;
mod frame;
mod message_state;
mod numbered;
mod pdu;
mod receipt;
mod status;
mod time;
mod tlv;

pub use coding::{Alphabet, DataCoding, TextForm};
pub use command::CommandId;
pub use field::{
    Address, AddressView, COctets, EsmeAddress, Named, NamedView, ShortText, SmAddress,
};
pub use frame::{BadLength, Frame, Framer, HEADER, MAX_FRAME};
pub use message_state::MessageState;
pub use pdu::{
    Alert, AlertView, Bind, BindResp, BindRespView, BindView, Cancel, CancelView, Data, DataView,
    Empty, EmptyView, IdResp, IdRespView, Message, MessageView, Outbind, OutbindView, Pdu, PduView,
    Query, QueryResp, QueryRespView, QueryView, Replace, ReplaceView, UnknownView,
};
pub use receipt::{Receipt, ReceiptText};
pub use status::Status;
pub use time::{Civil, Time, TimeView};
pub use tlv::{Tag, Tlv, TlvIter, TlvList, Tlvs};

/// esm_class (5.2.12): the bits that tell the type of a delivered message.
pub const ESM_TYPE: u8 = 0x3C;
/// esm_class: the message is a delivery receipt.
pub const ESM_RECEIPT: u8 = 0x04;
/// esm_class: the message is an intermediate notification.
pub const ESM_INTERMEDIATE: u8 = 0x20;
/// esm_class: the text begins with a user data header.
pub const ESM_UDHI: u8 = 0x40;

/// interface_version of SMPP 3.3, which knows no TLVs.
pub const VERSION_3_3: u8 = 0x33;
/// interface_version of SMPP 3.4.
pub const VERSION_3_4: u8 = 0x34;
/// interface_version of SMPP 5.0.
pub const VERSION_5_0: u8 = 0x50;
