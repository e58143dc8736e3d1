//! A full ring for `tests/package.sh`.

use bytes::Bytes;
use sluice::clock::Clock;
use sluice::lane::RingName;
use sluice::message::{
    Body, Coding, DeliveryKey, Item, PhoneNumber, ShortCode, ShortMessage, UserDataHeader,
};
use sluice::ring::{Parcel, RingFile};

#[tokio::test]
#[ignore = "run by tests/package.sh, which names the file"]
async fn fills_the_ring_of_the_package_test() {
    let file = std::env::var_os("SLUICE_FILL").expect("SLUICE_FILL names the ring file");
    let name: RingName = "oslo/carrier-1:mo:origin".parse().unwrap();
    let opened = RingFile::create(file.as_ref(), std::slice::from_ref(&name)).unwrap();
    let ring = opened.file.ring(&name).unwrap();
    let body = Body::new(
        Coding::Octets,
        UserDataHeader::NONE,
        Bytes::from_static(b"hello"),
    )
    .unwrap();
    let from = PhoneNumber::new("358401234567").unwrap();
    let message = ShortMessage::new(from.into(), ShortCode::new("12345").unwrap().into(), body);
    let now = Clock::system().wall();
    let parcel = Parcel::pack(&Item::Message(message), now, DeliveryKey::NONE).unwrap();
    ring.append_all(vec![parcel; 255]).await.unwrap();
    opened.file.close().await.unwrap();
}
