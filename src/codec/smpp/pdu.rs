//! The layouts of all bodies, each written once as in the specification's tables; and the list of PDUs.

use std::fmt;

use super::command::CommandId;
use super::field::{
    Address, AddressView, COctets, Cursor, EsmeAddress, Field, Named, NamedView, ShortText,
    SmAddress, take_rest,
};
use super::time::Time;
use super::tlv::{TlvList, Tlvs};
use crate::codec::Malformed;

/// Makes of each layout the strict value (`Bind`), which can always be sent, and the lenient view on a received body
/// (`BindView`), which is whatever stood there.
macro_rules! layouts {
    ($(
        $(#[$about:meta])*
        $word:ident / $view:ident { $($(#[$doc:meta])* $field:ident: $kind:ty as $raw:ty,)* }
    )*) => {$(
        $(#[$about])*
        #[derive(Clone, PartialEq, Eq, Debug, Default)]
        pub struct $word {
            $($(#[$doc])* pub $field: $kind,)*
        }

        $(#[$about])*
        ///
        /// A view on a received body: fields as they stood there.
        #[derive(Clone, Copy, PartialEq, Eq, Default)]
        pub struct $view<'a> {
            $($(#[$doc])* pub $field: $raw,)*
        }

        impl $word {
            /// As it will look to the peer.
            pub fn view(&self) -> $view<'_> {
                $view { $($field: Field::raw(&self.$field),)* }
            }

            /// Appends the body to `out`.
            pub fn put(&self, out: &mut Vec<u8>) {
                self.view().put(out);
            }
        }

        impl<'a> $view<'a> {
            /// Reads a body. Offsets count from its start.
            pub fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
                let mut from = Cursor::new(body);
                Ok(Self { $($field: <$kind as Field>::take(&mut from, stringify!($field))?,)* })
            }

            /// Appends the body to `out`, as it was received.
            pub fn put(&self, out: &mut Vec<u8>) {
                $(<$kind as Field>::put(self.$field, out);)*
            }
        }

        impl fmt::Debug for $view<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($view))
                    $(.field(stringify!($field), &<$kind as Field>::sketch(self.$field)))*
                    .finish()
            }
        }
    )*};
}

layouts! {
    /// bind_receiver, bind_transmitter, bind_transceiver (4.1.1, 4.1.3, 4.1.5).
    Bind / BindView {
        /// Who logs in.
        system_id: COctets<16> as &'a [u8],
        /// The specification allows 8 octets; carriers hand out longer ones, so up to 64 can be sent.
        password: COctets<65> as &'a [u8],
        /// What kind of ESME; mostly empty.
        system_type: COctets<13> as &'a [u8],
        /// Which version the ESME speaks.
        interface_version: u8 as u8,
        /// Which addresses the ESME serves; mostly 0, 0 and empty.
        address_range: Address<41> as AddressView<'a>,
        /// None are defined.
        tlvs: TlvList as Tlvs<'a>,
    }

    /// The responses to binds (4.1.2, 4.1.4, 4.1.6).
    BindResp / BindRespView {
        /// Who the SMSC is.
        system_id: Named<16> as NamedView<'a>,
        /// sc_interface_version.
        tlvs: TlvList as Tlvs<'a>,
    }

    /// outbind (4.1.7).
    Outbind / OutbindView {
        /// Who the SMSC is.
        system_id: COctets<16> as &'a [u8],
        /// How it proves that.
        password: COctets<9> as &'a [u8],
        /// None are defined.
        tlvs: TlvList as Tlvs<'a>,
    }

    /// submit_sm and deliver_sm (4.4.1, 4.6.1). In deliver_sm the times, the replace flag and the predefined message
    /// are unused.
    Message / MessageView {
        /// Which service of the SMSC; empty for the usual one.
        service_type: COctets<6> as &'a [u8],
        /// Who wrote it.
        source: SmAddress as AddressView<'a>,
        /// Who shall read it.
        destination: SmAddress as AddressView<'a>,
        /// Mode, type and whether a user data header leads the text.
        esm_class: u8 as u8,
        /// GSM 03.40 protocol identifier.
        protocol_id: u8 as u8,
        /// 0 to 3.
        priority_flag: u8 as u8,
        /// Not before this time.
        schedule_delivery_time: Time as &'a [u8],
        /// Not after this time.
        validity_period: Time as &'a [u8],
        /// Which receipts are wanted.
        registered_delivery: u8 as u8,
        /// Whether it takes the place of one that waits.
        replace_if_present_flag: u8 as u8,
        /// How the text is to be read.
        data_coding: u8 as u8,
        /// A text that the SMSC has.
        sm_default_msg_id: u8 as u8,
        /// The text, a user data header before it where esm_class says so.
        short_message: ShortText as &'a [u8],
        /// The rest.
        tlvs: TlvList as Tlvs<'a>,
    }

    /// The responses that name a message (or nothing): submit_sm_resp, deliver_sm_resp, data_sm_resp (4.4.2, 4.6.2,
    /// 4.7.2).
    IdResp / IdRespView {
        /// How the SMSC calls the message; empty in deliver_sm_resp.
        message_id: Named<65> as NamedView<'a>,
        /// Only in data_sm_resp and in v5.
        tlvs: TlvList as Tlvs<'a>,
    }

    /// data_sm (4.7.1); the text is in message_payload.
    Data / DataView {
        /// Which service of the SMSC; empty for the usual one.
        service_type: COctets<6> as &'a [u8],
        /// Who wrote it.
        source: EsmeAddress as AddressView<'a>,
        /// Who shall read it.
        destination: EsmeAddress as AddressView<'a>,
        /// Mode, type and whether a user data header leads the text.
        esm_class: u8 as u8,
        /// Which receipts are wanted.
        registered_delivery: u8 as u8,
        /// How the text is to be read.
        data_coding: u8 as u8,
        /// The text and the rest.
        tlvs: TlvList as Tlvs<'a>,
    }

    /// query_sm (4.8.1).
    Query / QueryView {
        /// Which message.
        message_id: COctets<65> as &'a [u8],
        /// Who had written it.
        source: SmAddress as AddressView<'a>,
        /// None are defined.
        tlvs: TlvList as Tlvs<'a>,
    }

    /// query_sm_resp (4.8.2).
    QueryResp / QueryRespView {
        /// Which message.
        message_id: COctets<65> as &'a [u8],
        /// When it came to its final state; empty before that.
        final_date: Time as &'a [u8],
        /// How far it has come.
        message_state: u8 as u8,
        /// The network's reason.
        error_code: u8 as u8,
        /// None are defined.
        tlvs: TlvList as Tlvs<'a>,
    }

    /// cancel_sm (4.9.1).
    Cancel / CancelView {
        /// Which service of the SMSC; empty for the usual one.
        service_type: COctets<6> as &'a [u8],
        /// Which message; empty to cancel by addresses.
        message_id: COctets<65> as &'a [u8],
        /// Who had written it.
        source: SmAddress as AddressView<'a>,
        /// Who was to read it.
        destination: SmAddress as AddressView<'a>,
        /// None are defined.
        tlvs: TlvList as Tlvs<'a>,
    }

    /// replace_sm (4.10.1).
    Replace / ReplaceView {
        /// Which message.
        message_id: COctets<65> as &'a [u8],
        /// Who had written it.
        source: SmAddress as AddressView<'a>,
        /// Not before this time.
        schedule_delivery_time: Time as &'a [u8],
        /// Not after this time.
        validity_period: Time as &'a [u8],
        /// Which receipts are wanted.
        registered_delivery: u8 as u8,
        /// A text that the SMSC has.
        sm_default_msg_id: u8 as u8,
        /// The new text.
        short_message: ShortText as &'a [u8],
        /// Only in v5.
        tlvs: TlvList as Tlvs<'a>,
    }

    /// alert_notification (4.12.1).
    Alert / AlertView {
        /// Which phone became reachable.
        source: EsmeAddress as AddressView<'a>,
        /// Who asked to be told.
        esme: EsmeAddress as AddressView<'a>,
        /// ms_availability_status.
        tlvs: TlvList as Tlvs<'a>,
    }
}

/// The body of a PDU that has none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Empty;

impl Empty {
    fn put(self, _out: &mut Vec<u8>) {}
}

/// The body of a PDU that should have none.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct EmptyView<'a> {
    /// Stray octets; they mean nothing.
    pub ignored: &'a [u8],
}

impl<'a> EmptyView<'a> {
    /// Takes whatever stands there.
    pub fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        Ok(Self {
            ignored: take_rest(&mut Cursor::new(body)),
        })
    }

    /// Appends the body to `out`, as it was received.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.ignored);
    }
}

impl fmt::Debug for EmptyView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} stray octets>", self.ignored.len())
    }
}

/// A PDU that this codec knows no layout of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UnknownView<'a> {
    /// Which one.
    pub id: CommandId,
    /// All of its body.
    pub body: &'a [u8],
}

impl fmt::Debug for UnknownView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}, body of {} octets>", self.id, self.body.len())
    }
}

/// Makes the two enums of PDUs: strict ones to send, and views on received ones.
macro_rules! pdus {
    ($($(#[$doc:meta])* $id:ident $pdu:ident($word:ident / $view:ident),)*) => {
        /// A PDU to be sent: what can be built can be encoded.
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub enum Pdu {
            $($(#[$doc])* $pdu($word),)*
        }

        /// A received PDU: what stood in its body.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum PduView<'a> {
            $($(#[$doc])* $pdu($view<'a>),)*
            /// None of the above.
            Unknown(UnknownView<'a>),
        }

        impl Pdu {
            /// Which PDU it is.
            pub const fn id(&self) -> CommandId {
                match self {
                    $(Self::$pdu(_) => CommandId::$id,)*
                }
            }

            /// Appends the body to `out`.
            pub(super) fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$pdu(body) => body.put(out),)*
                }
            }
        }

        impl<'a> PduView<'a> {
            /// Reads a body as its command says. Offsets count from the start of the body.
            pub fn decode(id: CommandId, body: &'a [u8]) -> Result<Self, Malformed> {
                match id {
                    // An error is told without a body, whatever the layout.
                    CommandId::QUERY_SM_RESP if body.is_empty() => Ok(Self::Unknown(UnknownView { id, body })),
                    $(CommandId::$id => $view::decode(body).map(Self::$pdu),)*
                    _ => Ok(Self::Unknown(UnknownView { id, body })),
                }
            }

            /// Which PDU it is.
            pub const fn id(&self) -> CommandId {
                match self {
                    $(Self::$pdu(_) => CommandId::$id,)*
                    Self::Unknown(unknown) => unknown.id,
                }
            }

            /// Appends the body to `out`, as it was received.
            pub fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$pdu(body) => body.put(out),)*
                    Self::Unknown(unknown) => out.extend_from_slice(unknown.body),
                }
            }
        }
    };
}

pdus! {
    /// Answers what cannot be answered otherwise.
    GENERIC_NACK GenericNack(Empty / EmptyView),
    /// Log in, to receive.
    BIND_RECEIVER BindReceiver(Bind / BindView),
    /// Its answer.
    BIND_RECEIVER_RESP BindReceiverResp(BindResp / BindRespView),
    /// Log in, to submit.
    BIND_TRANSMITTER BindTransmitter(Bind / BindView),
    /// Its answer.
    BIND_TRANSMITTER_RESP BindTransmitterResp(BindResp / BindRespView),
    /// Log in, for both.
    BIND_TRANSCEIVER BindTransceiver(Bind / BindView),
    /// Its answer.
    BIND_TRANSCEIVER_RESP BindTransceiverResp(BindResp / BindRespView),
    /// The SMSC asks to be bound to.
    OUTBIND Outbind(Outbind / OutbindView),
    /// End of the session.
    UNBIND Unbind(Empty / EmptyView),
    /// Its answer.
    UNBIND_RESP UnbindResp(Empty / EmptyView),
    /// Is anybody there?
    ENQUIRE_LINK EnquireLink(Empty / EmptyView),
    /// Its answer.
    ENQUIRE_LINK_RESP EnquireLinkResp(Empty / EmptyView),
    /// A message to the SMSC.
    SUBMIT_SM SubmitSm(Message / MessageView),
    /// Its answer.
    SUBMIT_SM_RESP SubmitSmResp(IdResp / IdRespView),
    /// A message or receipt from the SMSC.
    DELIVER_SM DeliverSm(Message / MessageView),
    /// Its answer.
    DELIVER_SM_RESP DeliverSmResp(IdResp / IdRespView),
    /// A message in either direction.
    DATA_SM DataSm(Data / DataView),
    /// Its answer.
    DATA_SM_RESP DataSmResp(IdResp / IdRespView),
    /// What became of a message?
    QUERY_SM QuerySm(Query / QueryView),
    /// Its answer.
    QUERY_SM_RESP QuerySmResp(QueryResp / QueryRespView),
    /// Takes a message out.
    CANCEL_SM CancelSm(Cancel / CancelView),
    /// Its answer.
    CANCEL_SM_RESP CancelSmResp(Empty / EmptyView),
    /// Another text for a message.
    REPLACE_SM ReplaceSm(Replace / ReplaceView),
    /// Its answer.
    REPLACE_SM_RESP ReplaceSmResp(Empty / EmptyView),
    /// A phone became reachable.
    ALERT_NOTIFICATION AlertNotification(Alert / AlertView),
}
