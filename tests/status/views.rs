//! Views of real rings, and the alarms that follow from views.

use sluice::clock::WallTime;
use sluice::lane::{Direction, Lane, RingName, Sequence, Side};
use sluice::message::{
    Body, Coding, DeliveryKey, Item, Party, PhoneNumber, ShortCode, ShortMessage, UserDataHeader,
};
use sluice::ring::{Parcel, RingFile};
use sluice::status::snapshot::{Health, RingView};
use sluice::status::trouble::{ALARMS, judge, of_store};
use sluice::store::Alarm;

use super::stage::{bad, central, well};

#[tokio::test]
async fn a_ring_shows_its_pointers_and_how_long_messages_wait() {
    let lane = Lane::new("oslo", "carrier-1").unwrap();
    let name = RingName::new(lane, Direction::Mo, Side::Origin);
    let file = RingFile::in_memory(std::slice::from_ref(&name)).unwrap();
    let ring = file.ring(&name).unwrap();
    let now = WallTime::from_unix_ms(1_795_248_785_123);
    let message = |age_s: u64| {
        let from = Party::Phone(PhoneNumber::new("+4790000001").unwrap());
        let to = Party::ShortCode(ShortCode::new("12345").unwrap());
        let item = Item::Message(ShortMessage::new(
            from,
            to,
            Body::new(
                Coding::Octets,
                UserDataHeader::NONE,
                bytes::Bytes::from_static(b"hello"),
            )
            .unwrap(),
        ));
        let at = WallTime::from_unix_ms(now.as_unix_ms() - age_s * 1000);
        Parcel::pack(&item, at, DeliveryKey::NONE).unwrap()
    };
    ring.append_all(vec![message(40), message(30), message(20), message(10)])
        .await
        .unwrap();
    for number in [1, 2, 3] {
        ring.mark_sent(Sequence::new(number)).unwrap();
    }
    ring.confirm(Sequence::new(1)).unwrap();
    ring.confirm(Sequence::new(2)).unwrap();
    ring.process(Sequence::new(1)).unwrap();
    let seen = RingView::of(&ring, now);
    let near = seen.near;
    assert_eq!(
        (near.retrieved, near.sent, near.confirmed, near.processed),
        (4, 3, 2, 1)
    );
    assert_eq!((seen.used, seen.room), (3, 252));
    assert_eq!(seen.oldest.to_send_ms, Some(10_000));
    assert_eq!(seen.oldest.to_confirm_ms, Some(20_000));
    assert_eq!(seen.oldest.to_process_ms, Some(30_000));
    assert_eq!(seen.name(), "oslo/carrier-1:mo");
    // A clock that was set back makes nothing older than it is.
    let before = WallTime::from_unix_ms(5);
    assert_eq!(RingView::of(&ring, before).oldest.to_process_ms, Some(0));
}

#[test]
fn health_is_that_of_the_worst_trouble() {
    let mut snapshot = well();
    judge(&mut snapshot);
    assert_eq!((snapshot.health, snapshot.troubles.len()), (Health::Ok, 0));
    let mut snapshot = well();
    snapshot.links[0].up = false;
    judge(&mut snapshot);
    assert_eq!(snapshot.health, Health::Degraded);
    let mut snapshot = well();
    snapshot.storage[0].failed = Some("No space left on device".into());
    judge(&mut snapshot);
    assert_eq!(snapshot.health, Health::Down);
    assert_eq!(
        snapshot.troubles[0].what,
        "nothing more is accepted: No space left on device"
    );
    let mut snapshot = bad();
    judge(&mut snapshot);
    assert_eq!(snapshot.health, Health::Down);
    let codes: Vec<&str> = snapshot
        .troubles
        .iter()
        .map(|trouble| trouble.code.as_str())
        .collect();
    assert_eq!(
        codes,
        [
            "smsc-refused",
            "disk-low",
            "in-doubt-held",
            "link-down",
            "link-worry",
            "ring-full",
            "ring-damaged"
        ]
    );
}

/// Every alarm can come about.
#[test]
fn every_alarm_has_a_view_that_raises_it() {
    let mut raised = std::collections::BTreeSet::new();
    let mut note = |mut snapshot: sluice::status::Snapshot| {
        judge(&mut snapshot);
        raised.extend(snapshot.troubles.into_iter().map(|trouble| trouble.code));
    };
    note(bad());
    let mut snapshot = well();
    snapshot.lanes[0].stuck_ms = Some(130_000);
    snapshot.lanes[0].suspended = true;
    snapshot.lanes[0].smsc.as_mut().unwrap().phase = sluice::smsc::status::Phase::Waiting;
    snapshot.links[0].up = false;
    snapshot.links[0].needs_operator = true;
    snapshot.rings[0].fence = Some("another file".into());
    snapshot.rings[1].shut = Some("the other end has no ring of this name".into());
    snapshot.rings[1].lost = vec![7];
    snapshot.rings[1].oldest.to_process_ms = Some(700_000);
    snapshot.storage[0].failed = Some("failed".into());
    note(snapshot);
    let mut snapshot = well();
    snapshot.links[0].contested = true;
    note(snapshot);
    let mut snapshot = well();
    snapshot.lanes[0].draining = true;
    note(snapshot);
    let mut snapshot = central();
    let backlog = snapshot.backlog.as_mut().unwrap();
    backlog.waiting = backlog.limit;
    backlog.oldest_ms = Some(4_000_000);
    backlog.unclaimed = 4;
    note(snapshot);
    let mut snapshot = central();
    let backlog = snapshot.backlog.as_mut().unwrap();
    backlog.waiting = backlog.limit - backlog.limit / 5;
    note(snapshot);
    let mut snapshot = central();
    let said = [
        Alarm::NoRoom {
            free: 1 << 20,
            least: 256 << 20,
        },
        Alarm::GenerationUnknown,
    ];
    let troubles = said.iter().filter_map(|alarm| of_store("/store", alarm));
    snapshot.troubles.extend(troubles);
    note(snapshot);
    let known: std::collections::BTreeSet<String> =
        ALARMS.iter().map(|alarm| alarm.code.to_owned()).collect();
    assert_eq!(raised, known);
}
