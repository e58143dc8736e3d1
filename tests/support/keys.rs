//! Messages with delivery keys.

use sluice::message::DeliveryKey;
use sluice::ring::Parcel;

use super::messages::parcel;

/// A message with a delivery key made of this octet.
pub fn keyed(text: &str, key: u8) -> Parcel {
    let plain = parcel(text);
    Parcel::received(
        plain.octets().clone(),
        plain.checksum(),
        plain.retrieved_at,
        DeliveryKey([key; 24]),
    )
    .unwrap()
}
