//! What a carrier said, octet for octet, where no clean word fits.

use std::fmt;

use bytes::Bytes;

use super::Refused;

/// Longest address that is kept, in octets: SMPP's longest (C65) without its NUL.
pub const MAX_CARRIER_ADDRESS: usize = 64;

/// Longest list of extra protocol fields that is kept with a message, in octets. A slot has 3,836 for its content,
/// and the two addresses and the text need less than 1,400 of them.
const MAX_EXTRA: usize = 2048;

/// Longest time stamp that is kept, in octets: carriers write 12 to 16.
const MAX_TIME_STAMP: usize = 32;

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
    time_stamp: Bytes,
    extra: Bytes,
}

impl CarrierFields {
    /// The two addresses as written, with the time stamp and the raw fields; see the functions of these names.
    pub fn new(
        source: CarrierAddress,
        destination: CarrierAddress,
        time_stamp: Bytes,
        extra: Bytes,
    ) -> Result<Self, Refused> {
        let within = |field, octets: &Bytes, most| match octets.len() {
            length if length > most => Err(Refused::new(
                field,
                format!("has {length} octets; {most} are allowed"),
            )),
            _ => Ok(()),
        };
        within("time stamp", &time_stamp, MAX_TIME_STAMP)?;
        within("carrier fields", &extra, MAX_EXTRA)?;
        Ok(Self {
            source,
            destination,
            esm_class: 0,
            data_coding: 0,
            time_stamp,
            extra,
        })
    }

    /// The SMSC's time stamp as received; empty where the protocol has none.
    pub const fn time_stamp(&self) -> &Bytes {
        &self.time_stamp
    }

    /// Protocol fields kept raw: a sequence of (u16 tag, u16 length, value), big-endian, as SMPP writes TLVs. CIMD2
    /// parameters are kept in the same form under their parameter number. At most 2,048 octets.
    pub const fn extra(&self) -> &Bytes {
        &self.extra
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
