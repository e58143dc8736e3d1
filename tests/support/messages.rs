//! Messages to be carried about.

use bytes::Bytes;
use sluice::clock::WallTime;
use sluice::lane::{Direction, Lane, RingName, Side};
use sluice::message::{
    Body, Coding, DeliveryKey, Item, PhoneNumber, ShortCode, ShortMessage, UserDataHeader,
};
use sluice::ring::Parcel;

/// A message with this text, packed.
pub fn parcel(text: &str) -> Parcel {
    let body = Body::new(
        Coding::Octets,
        UserDataHeader::NONE,
        Bytes::copy_from_slice(text.as_bytes()),
    )
    .unwrap();
    let message = ShortMessage::new(
        PhoneNumber::new("358401234567").unwrap().into(),
        ShortCode::new("12345").unwrap().into(),
        body,
    );
    let item = Item::Message(message);
    Parcel::pack(&item, WallTime::from_unix_ms(1), DeliveryKey::NONE).unwrap()
}

/// The ring of the MO direction of a lane.
pub fn ring_name(side: Side) -> RingName {
    RingName::new(Lane::new("oslo", "a").unwrap(), Direction::Mo, side)
}
