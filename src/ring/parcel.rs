//! A message as it lies in a slot: encoded once, checksummed once, carried unchanged to the far end.

use bytes::Bytes;

use crate::clock::WallTime;
use crate::codec::checksum::crc32c;
use crate::codec::{Malformed, item};
use crate::message::{DeliveryKey, Item, Refused};

/// An encoded item with what the ring keeps beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parcel {
    item: Bytes,
    checksum: u32,
    /// When it was taken from its source.
    pub retrieved_at: WallTime,
    /// What recognises the SMSC's own repetition of it.
    pub key: DeliveryKey,
}

impl Parcel {
    /// Encodes an item that was just taken from its source.
    pub fn pack(item: &Item, retrieved_at: WallTime, key: DeliveryKey) -> Result<Self, Refused> {
        let item = item::encode(item)?;
        let checksum = crc32c(&item);
        Ok(Self {
            item,
            checksum,
            retrieved_at,
            key,
        })
    }

    /// Takes over an encoded item that came from elsewhere; `None` if it is not what its checksum says, or longer
    /// than a slot.
    pub fn received(
        item: Bytes,
        checksum: u32,
        retrieved_at: WallTime,
        key: DeliveryKey,
    ) -> Option<Self> {
        (item.len() <= item::MAX_ITEM && crc32c(&item) == checksum).then_some(Self {
            item,
            checksum,
            retrieved_at,
            key,
        })
    }

    /// The encoded item.
    pub const fn octets(&self) -> &Bytes {
        &self.item
    }

    /// The checksum made when it was retrieved.
    pub const fn checksum(&self) -> u32 {
        self.checksum
    }

    /// What tells this message from another one under the same number: of its content and its time. Never zero.
    pub fn imprint(&self) -> u32 {
        let mixed = self.checksum ^ (self.retrieved_at.as_unix_ms() as u32).rotate_left(16);
        mixed.max(1)
    }

    /// The item itself.
    pub fn unpack(&self) -> Result<Item, Malformed> {
        item::decode(&self.item)
    }
}
