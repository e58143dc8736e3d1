//! command_id (5.1.2): which PDU it is.

use super::numbered::numbered;

/// Set in the command_id of every response.
const RESPONSE: u32 = 0x8000_0000;

numbered! {
    /// Which PDU it is.
    CommandId(u32, 10) {
        /// The answer to what cannot be answered otherwise; has no request form.
        GENERIC_NACK = 0x8000_0000 "generic_nack",
        /// An ESME that only receives logs in.
        BIND_RECEIVER = 0x01 "bind_receiver",
        /// Answer to it.
        BIND_RECEIVER_RESP = 0x8000_0001 "bind_receiver_resp",
        /// An ESME that only submits logs in.
        BIND_TRANSMITTER = 0x02 "bind_transmitter",
        /// Answer to it.
        BIND_TRANSMITTER_RESP = 0x8000_0002 "bind_transmitter_resp",
        /// What became of a message.
        QUERY_SM = 0x03 "query_sm",
        /// Answer to it.
        QUERY_SM_RESP = 0x8000_0003 "query_sm_resp",
        /// A message to the SMSC.
        SUBMIT_SM = 0x04 "submit_sm",
        /// Answer to it.
        SUBMIT_SM_RESP = 0x8000_0004 "submit_sm_resp",
        /// A message or receipt from the SMSC.
        DELIVER_SM = 0x05 "deliver_sm",
        /// Answer to it.
        DELIVER_SM_RESP = 0x8000_0005 "deliver_sm_resp",
        /// End of a session.
        UNBIND = 0x06 "unbind",
        /// Answer to it.
        UNBIND_RESP = 0x8000_0006 "unbind_resp",
        /// Another text for a message.
        REPLACE_SM = 0x07 "replace_sm",
        /// Answer to it.
        REPLACE_SM_RESP = 0x8000_0007 "replace_sm_resp",
        /// Takes a message out.
        CANCEL_SM = 0x08 "cancel_sm",
        /// Answer to it.
        CANCEL_SM_RESP = 0x8000_0008 "cancel_sm_resp",
        /// An ESME that submits and receives logs in.
        BIND_TRANSCEIVER = 0x09 "bind_transceiver",
        /// Answer to it.
        BIND_TRANSCEIVER_RESP = 0x8000_0009 "bind_transceiver_resp",
        /// The SMSC asks an ESME to bind; has no response.
        OUTBIND = 0x0B "outbind",
        /// Is anybody there?
        ENQUIRE_LINK = 0x15 "enquire_link",
        /// Answer to it.
        ENQUIRE_LINK_RESP = 0x8000_0015 "enquire_link_resp",
        /// A message to several recipients.
        SUBMIT_MULTI = 0x21 "submit_multi",
        /// Answer to it.
        SUBMIT_MULTI_RESP = 0x8000_0021 "submit_multi_resp",
        /// A phone became reachable; has no response.
        ALERT_NOTIFICATION = 0x102 "alert_notification",
        /// A message in either direction, its text in a TLV.
        DATA_SM = 0x103 "data_sm",
        /// Answer to it.
        DATA_SM_RESP = 0x8000_0103 "data_sm_resp",
        /// v5: a message to all in an area.
        BROADCAST_SM = 0x111 "broadcast_sm",
        /// Answer to it.
        BROADCAST_SM_RESP = 0x8000_0111 "broadcast_sm_resp",
        /// v5: what became of a broadcast.
        QUERY_BROADCAST_SM = 0x112 "query_broadcast_sm",
        /// Answer to it.
        QUERY_BROADCAST_SM_RESP = 0x8000_0112 "query_broadcast_sm_resp",
        /// v5: takes a broadcast out.
        CANCEL_BROADCAST_SM = 0x113 "cancel_broadcast_sm",
        /// Answer to it.
        CANCEL_BROADCAST_SM_RESP = 0x8000_0113 "cancel_broadcast_sm_resp",
    }
}

impl CommandId {
    /// Whether this answers something; generic_nack does.
    pub const fn is_response(self) -> bool {
        self.0 & RESPONSE != 0
    }

    /// The response to this request.
    #[must_use]
    pub const fn response(self) -> Self {
        Self(self.0 | RESPONSE)
    }
}
