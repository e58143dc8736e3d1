//! What a carrier said, octet for octet, where no clean word fits.

use std::fmt;

use bytes::Bytes;

use super::Refused;

/// Longest address that is kept, in octets: SMPP's longest (C65) without its NUL.
pub const MAX_CARRIER_ADDRESS: usize = 64;

/// Longest list of extra protocol fields that is kept with a message, in octets. A slot has 3,840 for its content,
/// and the two addresses and the text need less than 1,400 of them.
const MAX_EXTRA: usize = 2048;

/// An address as it stood in the carrier's protocol: type of number, numbering plan, octets.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct CarrierAddress {
    /// Type of number, as in SMPP; 0 where the protocol has none.
    pub ton: u8,
    /// Numbering plan, as in SMPP; 0 where the protocol has none.
    pub npi: u8,
    octets: Bytes,
}

impl CarrierAddress {
    /// From its three parts.
    pub fn new(ton: u8, npi: u8, octets: Bytes) -> Result<Self, Refused> {
        if octets.len() > MAX_CARRIER_ADDRESS {
            return Err(Refused::new(
                "address",
                format!(
                    "has {} octets; {MAX_CARRIER_ADDRESS} are allowed",
                    octets.len()
                ),
            ));
        }
        Ok(Self { ton, npi, octets })
    }

    /// The address's octets as received.
    pub const fn octets(&self) -> &Bytes {
        &self.octets
    }

    /// For people who may see it (never for logs).
    pub fn exposed(&self) -> String {
        self.octets.iter().map(|&octet| octet as char).collect()
    }
}

impl fmt::Debug for CarrierAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<address ton {} npi {}, {} octets>",
            self.ton,
            self.npi,
            self.octets.len()
        )
    }
}

/// Fields of a received message that the clean words do not show; kept so that nothing the carrier said is lost.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct CarrierFields {
    /// The sender as it was written.
    pub source: CarrierAddress,
    /// The recipient as it was written.
    pub destination: CarrierAddress,
    /// SMPP esm_class; 0 in CIMD2.
    pub esm_class: u8,
    /// data_coding or data coding scheme as received.
    pub data_coding: u8,
    /// The SMSC's time stamp as received; empty where the protocol has none.
    pub time_stamp: Bytes,
    extra: Bytes,
}

impl CarrierFields {
    /// Protocol fields kept raw: a sequence of (u16 tag, u16 length, value), big-endian, as SMPP writes TLVs. CIMD2
    /// parameters are kept in the same form under their parameter number.
    pub const fn extra(&self) -> &Bytes {
        &self.extra
    }

    /// Keeps raw protocol fields; refused past 2,048 octets.
    pub fn with_extra(mut self, extra: Bytes) -> Result<Self, Refused> {
        if extra.len() > MAX_EXTRA {
            return Err(Refused::new(
                "carrier fields",
                format!("have {} octets; {MAX_EXTRA} are allowed", extra.len()),
            ));
        }
        self.extra = extra;
        Ok(self)
    }
}

impl fmt::Debug for CarrierFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CarrierFields")
            .field("source", &self.source)
            .field("destination", &self.destination)
            .field("esm_class", &self.esm_class)
            .field("data_coding", &self.data_coding)
            .field("extra_octets", &self.extra.len())
            .finish_non_exhaustive()
    }
}

/// What recognises an SMSC's own repetition of a delivery: a digest over the fields that stay the same when it
/// delivers again what it believes unconfirmed. It lies in the slot, so that it is known after a crash too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct DeliveryKey(pub [u8; 24]);

impl DeliveryKey {
    /// No key: the item did not come from an SMSC, or its protocol tells nothing that would recognise it.
    pub const NONE: Self = Self([0; 24]);

    /// Whether this recognises nothing.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}
