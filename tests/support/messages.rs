//! Messages to be carried about.

use bytes::Bytes;
use sluice::clock::WallTime;
use sluice::lane::{Direction, Lane, RingName, Sequence, Side};
use sluice::message::{
    Body, Coding, DeliveryKey, Item, PhoneNumber, ShortCode, ShortMessage, UserDataHeader,
};
use sluice::ring::{Parcel, Ring};

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

/// The text of a message that waits in a ring.
pub fn text(ring: &Ring, number: u64) -> String {
    let item = ring.look(|array| {
        array
            .get(Sequence::new(number))
            .map(|parcel| parcel.unpack().unwrap())
    });
    match item {
        Some(Item::Message(message)) => String::from_utf8(message.body.data().to_vec()).unwrap(),
        Some(Item::Report(_)) => String::from("a report"),
        None => String::from("nothing"),
    }
}

/// Runs what waits on this thread.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}
