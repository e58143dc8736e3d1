//! The array against a model that is too simple to be wrong, and what damage does to a ring.

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use sluice::clock::WallTime;
use sluice::lane::{Address, Direction, Epoch, Lane, RingName, SLOTS, Sequence, Side};
use sluice::message::{Body, Coding, DeliveryKey, Item, Outcome, PhoneNumber, ShortMessage};
use sluice::message::{ShortCode, SmscId, UserDataHeader};
use sluice::ring::page::{self, Found, Header, PAGE, Place, State};
use sluice::ring::storage::MemoryStorage;
use sluice::ring::{Array, Full, Misstep, Parcel, Ring, RingFile, StoreError, Taken};
use support::chance::{Chance, from_environment};

fn parcel(text: &str) -> Parcel {
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

fn ring_name(side: Side) -> RingName {
    RingName::new(Lane::new("oslo", "a").unwrap(), Direction::Mo, side)
}

/// The ring as sets of numbers: a pointer is found by counting.
#[derive(Default)]
struct Model {
    accepted: u64,
    retrieved: BTreeSet<u64>,
    sent: BTreeSet<u64>,
    confirmed: BTreeSet<u64>,
    processed: BTreeSet<u64>,
}

fn up_to(flags: &BTreeSet<u64>) -> u64 {
    (1..)
        .take_while(|number| flags.contains(number))
        .last()
        .unwrap_or(0)
}

#[derive(Clone, Debug)]
enum Step {
    Accept,
    Stored(u64),
    Sent(u64),
    Confirmed(u64),
    ConfirmedUpTo(u64),
    Processed(u64),
}

fn step() -> impl Strategy<Value = Step> {
    // Numbers are counted from *processed*, so that the run stays where the ring is.
    prop_oneof![
        6 => Just(Step::Accept),
        6 => (0..4_u64).prop_map(Step::Stored),
        4 => (0..6_u64).prop_map(Step::Sent),
        4 => (0..8_u64).prop_map(Step::Confirmed),
        1 => (0..8_u64).prop_map(Step::ConfirmedUpTo),
        5 => (0..8_u64).prop_map(Step::Processed),
    ]
}

fn play(array: &mut Array, model: &mut Model, step: &Step) {
    let first = up_to(&model.processed) + 1;
    let not_held = |model: &Model, number: u64| !model.retrieved.contains(&number);
    match *step {
        Step::Accept => {
            let full = model.accepted - up_to(&model.processed) == SLOTS;
            match array.accept(parcel("text")) {
                Ok(sequence) => {
                    assert!(!full, "a full ring refuses");
                    model.accepted += 1;
                    assert_eq!(sequence.get(), model.accepted);
                }
                Err(Full) => assert!(full, "only a full ring refuses"),
            }
        }
        Step::Stored(ahead) => {
            let number = up_to(&model.retrieved) + 1 + ahead;
            if number <= model.accepted {
                array.stored(Sequence::new(number));
                model.retrieved.insert(number);
            }
        }
        Step::Sent(ahead) => {
            let number = first + ahead;
            let done = array.mark_sent(Sequence::new(number));
            assert_eq!(done.is_err(), not_held(model, number));
            if done.is_ok() {
                model.sent.insert(number);
            }
        }
        Step::Confirmed(ahead) => {
            let number = first + ahead;
            let done = array.confirm(Sequence::new(number));
            assert_eq!(done.is_err(), not_held(model, number));
            if done.is_ok() {
                model.sent.insert(number);
                model.confirmed.insert(number);
            }
        }
        Step::ConfirmedUpTo(ahead) => {
            let number = first + ahead;
            if (1..=number).all(|number| model.retrieved.contains(&number)) {
                array.confirm_up_to(Sequence::new(number)).unwrap();
                model.sent.extend(1..=number);
                model.confirmed.extend(1..=number);
            }
        }
        Step::Processed(ahead) => {
            let number = first + ahead;
            let done = array.process(Sequence::new(number));
            assert_eq!(done.is_err(), not_held(model, number));
            if done.is_ok() {
                model.sent.insert(number);
                model.confirmed.insert(number);
                model.processed.insert(number);
            }
        }
    }
}

fn agree(array: &Array, model: &Model) {
    let marks = array.marks();
    for (mark, flags) in [
        (&marks.retrieved, &model.retrieved),
        (&marks.sent, &model.sent),
        (&marks.confirmed, &model.confirmed),
        (&marks.processed, &model.processed),
    ] {
        assert_eq!(mark.up_to().get(), up_to(flags));
        assert_eq!(mark.highest().get(), flags.last().copied().unwrap_or(0));
    }
    let processed = up_to(&model.processed);
    for number in (processed + 1).saturating_sub(3).max(1)..=processed + 12 {
        let sequence = Sequence::new(number);
        let flags = array.flags(sequence);
        assert_eq!(flags.retrieved, model.retrieved.contains(&number));
        assert_eq!(flags.sent, model.sent.contains(&number));
        assert_eq!(flags.confirmed, model.confirmed.contains(&number));
        assert_eq!(flags.processed, model.processed.contains(&number));
        let waits = number <= model.accepted && !model.processed.contains(&number);
        assert_eq!(array.get(sequence).is_some(), waits);
    }
    let next = (1..=model.accepted).find(|number| !model.sent.contains(number));
    let next = next.filter(|number| (1..=*number).all(|n| model.retrieved.contains(&n)));
    assert_eq!(array.next_to_send().map(Sequence::get), next);
    let open: Vec<u64> = model.sent.difference(&model.confirmed).copied().collect();
    let resend: Vec<u64> = array.unconfirmed().map(Sequence::get).collect();
    assert_eq!(resend, open, "resent is what was sent and not confirmed");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn g6_pointers_follow_without_gaps_whatever_the_order(steps in prop::collection::vec(step(), 1..900)) {
        let mut array = Array::new(Side::Origin, Epoch::new(7).unwrap());
        let mut model = Model::default();
        for step in &steps {
            play(&mut array, &mut model, step);
            agree(&array, &model);
        }
    }

    #[test]
    fn g7_a_mirror_holds_each_message_once_at_its_origins_address(
        order in prop::collection::vec((0..40_u64, prop::bool::ANY), 1..600)
    ) {
        let mut mirror = Array::new(Side::Mirror, Epoch::new(7).unwrap());
        let mut held = BTreeSet::new();
        let mut handed_on = Vec::new();
        for (ahead, hand_on) in order {
            let number = handed_on.len() as u64 + 1 + ahead;
            let sequence = Sequence::new(number);
            let taken = mirror.take(sequence, parcel(&number.to_string())).unwrap();
            if held.insert(number) {
                prop_assert_eq!(taken, Taken::New);
                mirror.stored(sequence);
            } else {
                prop_assert_eq!(taken, Taken::Held);
            }
            prop_assert_eq!(mirror.at(sequence.address()), sequence);
            if hand_on {
                while let Some(next) = mirror.next_to_process() {
                    prop_assert_eq!(mirror.get(next), Some(&parcel(&next.get().to_string())));
                    mirror.process(next).unwrap();
                    handed_on.push(next.get());
                    prop_assert_eq!(mirror.take(next, parcel("again")), Ok(Taken::Done));
                }
            }
        }
        let expected: Vec<u64> = (1..=handed_on.len() as u64).collect();
        prop_assert_eq!(handed_on, expected, "each once, in order");
    }
}

#[test]
fn g8_a_full_ring_refuses_and_overwrites_nothing() {
    let mut array = Array::new(Side::Origin, Epoch::new(7).unwrap());
    for number in 1..=SLOTS {
        let sequence = array.accept(parcel(&number.to_string())).unwrap();
        array.stored(sequence);
    }
    assert_eq!(array.accept(parcel("one too many")), Err(Full));
    // The second is processed, the first not: there is no free slot in order.
    array.process(Sequence::new(2)).unwrap();
    assert_eq!(array.accept(parcel("one too many")), Err(Full));
    assert_eq!(array.get(Sequence::FIRST), Some(&parcel("1")));
    array.process(Sequence::new(1)).unwrap();
    let next = array.accept(parcel("256")).unwrap();
    assert_eq!(
        (next.get(), next.address().get(), next.lap().get()),
        (256, 1, 1)
    );
}

#[test]
fn a_far_end_that_lies_changes_nothing() {
    let mut array = Array::new(Side::Origin, Epoch::new(7).unwrap());
    let sequence = array.accept(parcel("one")).unwrap();
    let before = *array.marks();
    let lie = Sequence::new(9);
    for misstep in [
        array.confirm(lie).unwrap_err(),
        array.process(lie).unwrap_err(),
        array.confirm_up_to(lie).unwrap_err(),
        array.confirm(Sequence::NONE).unwrap_err(),
        // Accepted, but not durable yet: nobody can have it.
        array.confirm(sequence).unwrap_err(),
    ] {
        assert!(matches!(misstep, Misstep::NotHeld { .. }));
    }
    assert_eq!(*array.marks(), before);
    let mut mirror = Array::new(Side::Mirror, Epoch::new(7).unwrap());
    assert!(matches!(
        mirror.take(Sequence::new(256), parcel("x")),
        Err(Misstep::Beyond { .. })
    ));
}

#[test]
fn numbers_near_the_end_of_64_bits_still_work() {
    let start = (1 << 63) - 300;
    let mut mirror = Array::new(Side::Mirror, Epoch::new(7).unwrap());
    // A mirror that begins late is refused what it cannot hold, without a panic.
    assert!(mirror.take(Sequence::new(start), parcel("x")).is_err());
    assert!(mirror.take(Sequence::new(u64::MAX), parcel("x")).is_err());
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// A ring of 255 messages, some of them further than others, closed in order; as octets.
fn full_ring() -> Vec<u8> {
    let storage = Arc::new(MemoryStorage::default());
    let mut number = 41;
    sluice::ring::format(storage.as_ref(), &[ring_name(Side::Origin)], &mut || {
        number += 1;
        number
    })
    .unwrap();
    let opened = RingFile::open_on(Path::new("(test)"), storage.clone(), None).unwrap();
    let ring = opened.file.rings().remove(0);
    runtime().block_on(async {
        for number in 1..=SLOTS {
            ring.append(parcel(&format!("message {number}")))
                .await
                .unwrap();
            if number <= 5 {
                let id = SmscId::new(Bytes::from(format!("id-{number}"))).unwrap();
                ring.process_with(Sequence::new(number), Outcome::Accepted(id))
                    .unwrap();
            } else if number % 2 == 0 {
                ring.confirm(Sequence::new(number)).unwrap();
            }
        }
        for number in SLOTS + 1..=SLOTS + 5 {
            ring.append(parcel(&format!("message {number}")))
                .await
                .unwrap();
        }
        opened.file.close().await.unwrap();
    });
    assert_eq!(ring.look(Array::room), 0);
    storage.to_vec()
}

fn open_octets(octets: Vec<u8>) -> (sluice::ring::Opened, Ring) {
    let storage = Arc::new(MemoryStorage::new(octets));
    let opened = RingFile::open_on(Path::new("(test)"), storage, None).unwrap();
    let ring = opened.file.rings().remove(0);
    (opened, ring)
}

/// Each bit of each page of a full file, flipped in turn, is noticed by what reads that page.
#[test]
fn every_flipped_bit_of_a_full_ring_file_is_noticed() {
    let octets = full_ring();
    let place = Place {
        ring: 0,
        epoch: Epoch::new(44).unwrap(),
    };
    for (number, page) in octets.chunks_exact(PAGE).enumerate() {
        let offset = (number * PAGE) as u64;
        let mut page = page.to_vec();
        for bit in 0..PAGE * 8 {
            page[bit / 8] ^= 1 << (bit % 8);
            assert!(
                is_noticed(&page, offset, place, bit),
                "page {number}, bit {bit}"
            );
            page[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

/// Whether the reader of that page sees that something is wrong with it.
fn is_noticed(page: &[u8], offset: u64, place: Place, bit: usize) -> bool {
    let first_slot = page::slot_offset(0, Address::from_index(0));
    let first_outcome = page::outcome_offset(0, Address::from_index(0));
    if offset < page::entry_offset(0, 0) {
        return Header::decode(page).is_err();
    }
    if offset < page::area_offset(0) {
        // Compared octet for octet with what it should be, from its other copy.
        let start = bit / 8 / page::ENTRY * page::ENTRY;
        let entry = &page[start..start + page::ENTRY];
        return page::Entry::decode(entry).is_err();
    }
    if offset < first_slot {
        return State::decode(page, place).is_err();
    }
    if offset < first_outcome {
        let index = ((offset - first_slot) / PAGE as u64) as usize;
        let page = Bytes::copy_from_slice(page);
        let found = page::decode_slot(&page, place, Address::from_index(index));
        return matches!(found, Found::Broken(_));
    }
    // Outcome records: each is a sector of its own; a flipped one is neither zeros nor sealed.
    let start = bit / 8 / page::OUTCOME * page::OUTCOME;
    let record = &page[start..start + page::OUTCOME];
    !page::is_empty(record) && !sluice::codec::checksum::is_sealed(record)
}

#[test]
fn a_flipped_bit_costs_at_most_its_slot_and_the_ring_opens() {
    let octets = full_ring();
    let (_, whole) = open_octets(octets.clone());
    let mut chance = Chance::new(from_environment("SLUICE_SEED", 3));
    let bits_a_page = from_environment("SLUICE_BITS_A_PAGE", 4);
    let areas = page::area_offset(0) as usize / PAGE;
    let pages = (0..4).chain([33, 34, 65]).chain(areas..octets.len() / PAGE);
    let first_slot = page::slot_offset(0, Address::from_index(0)) as usize / PAGE;
    for number in pages {
        for _ in 0..bits_a_page {
            let mut flipped = octets.clone();
            let bit = chance.below(PAGE as u64 * 8) as usize;
            flipped[number * PAGE + bit / 8] ^= 1 << (bit % 8);
            let (opened, ring) = open_octets(flipped);
            let report = &opened.rings[0];
            assert_eq!(report.fence, None, "page {number}");
            let slot = number
                .checked_sub(first_slot)
                .filter(|&index| index < SLOTS as usize);
            let last_sector_of_outcomes = number == octets.len() / PAGE - 1 && bit / 8 >= 3584;
            match slot {
                Some(index) => {
                    let address = Address::from_index(index);
                    let sequence = whole.look(|array| array.at(address));
                    assert_eq!(report.damaged, [sequence]);
                    assert_eq!(report.remarks.len(), 1);
                    let line = report.remarks[0].to_string();
                    assert!(
                        line.contains(&format!("slot {address}: message {sequence} is damaged"))
                    );
                }
                None if last_sector_of_outcomes => {}
                None => {
                    assert!(report.damaged.is_empty());
                    let noticed = opened.healed.len() + report.noted.len();
                    assert!(noticed >= 1, "page {number}, bit {bit} was not noticed");
                }
            }
            same_but(&whole, &ring, &report.damaged);
        }
    }
}

/// All messages and marks are the same, except that these are damaged.
fn same_but(whole: &Ring, ring: &Ring, damaged: &[Sequence]) {
    whole.look(|whole| {
        ring.look(|array| {
            assert_eq!(array.marks(), whole.marks());
            for address in Address::all() {
                let sequence = whole.at(address);
                let expected = whole.get(sequence).filter(|_| !damaged.contains(&sequence));
                assert_eq!(array.get(sequence), expected);
            }
        });
    });
}

#[test]
fn a_damaged_slot_waits_for_repair_and_the_rest_goes_on() {
    let octets = full_ring();
    let mut flipped = octets;
    let address = Sequence::new(10).address();
    flipped[page::slot_offset(0, address) as usize + 300] ^= 4;
    let (opened, ring) = open_octets(flipped);
    assert_eq!(opened.rings[0].damaged, [Sequence::new(10)]);
    runtime().block_on(async {
        // All others go on, up to the address that must not be used again.
        for number in 6..=260 {
            if number != 10 {
                ring.process(Sequence::new(number)).unwrap();
            }
        }
        assert_eq!(ring.look(|array| array.marks().processed.up_to().get()), 9);
        for number in 261..=264 {
            let sequence = ring.append(parcel(&format!("message {number}"))).await;
            assert_eq!(sequence, Ok(Sequence::new(number)));
        }
        let refused = ring.append(parcel("message 265")).await;
        assert_eq!(refused, Err(StoreError::Full(Full)));
        // The far copy comes back.
        let wrong = ring.repair(Sequence::new(11), parcel("x")).await;
        assert!(matches!(
            wrong,
            Err(StoreError::Misstep(Misstep::NotDamaged(_)))
        ));
        ring.repair(Sequence::new(10), parcel("message 10"))
            .await
            .unwrap();
        assert_eq!(
            ring.look(|array| array.get(Sequence::new(10)).cloned()),
            Some(parcel("message 10"))
        );
        ring.process(Sequence::new(10)).unwrap();
        assert_eq!(
            ring.append(parcel("message 265")).await,
            Ok(Sequence::new(265))
        );
    });
}

#[test]
fn a_damaged_message_without_a_copy_is_declared_lost_by_name() {
    let mut flipped = full_ring();
    let address = Sequence::new(7).address();
    flipped[page::slot_offset(0, address) as usize] ^= 1;
    let (_, ring) = open_octets(flipped);
    assert!(ring.declare_lost(Sequence::new(8)).is_err());
    ring.process(Sequence::new(6)).unwrap();
    ring.declare_lost(Sequence::new(7)).unwrap();
    assert_eq!(ring.look(|array| array.marks().processed.up_to().get()), 7);
    assert_eq!(ring.look(|array| array.damaged().count()), 0);
}

#[test]
fn an_older_copy_of_the_file_is_fenced() {
    let storage = Arc::new(MemoryStorage::default());
    let live = Arc::new(MemoryStorage::default());
    let mut number = 41;
    sluice::ring::format(storage.as_ref(), &[ring_name(Side::Origin)], &mut || {
        number += 1;
        number
    })
    .unwrap();
    let path = Path::new("(test)");
    let older = runtime().block_on(async {
        let opened = RingFile::open_on(path, storage.clone(), Some(live.clone())).unwrap();
        let ring = opened.file.rings().remove(0);
        for number in 1..=3 {
            ring.append(parcel(&number.to_string())).await.unwrap();
        }
        let older = storage.to_vec();
        ring.append(parcel("4")).await.unwrap();
        ring.mark_sent(Sequence::new(1)).unwrap();
        older
    });
    // The live record beside it tells that four messages were promised; the restored copy has three.
    let restored = Arc::new(MemoryStorage::new(older));
    let opened = RingFile::open_on(path, restored, Some(live)).unwrap();
    assert_eq!(
        opened.rings[0].fence,
        Some(sluice::ring::page::Fence::OlderCopy)
    );
    let ring = opened.file.rings().remove(0);
    let refused = runtime().block_on(ring.append(parcel("5")));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the ring is fenced: this file is older than what was promised from it (a restored copy?)"
    );
}

#[test]
fn outcomes_are_kept_and_a_lost_one_reads_as_doubtful() {
    let octets = full_ring();
    let (_, ring) = open_octets(octets.clone());
    let id = SmscId::new(Bytes::from_static(b"id-3")).unwrap();
    assert_eq!(ring.outcome(Sequence::new(3)), Some(Outcome::Accepted(id)));
    assert_eq!(ring.outcome(Sequence::new(6)), None, "not processed yet");
    let mut flipped = octets;
    let address = Sequence::new(3).address();
    flipped[page::outcome_offset(0, address) as usize + 60] ^= 1;
    let (_, ring) = open_octets(flipped);
    assert_eq!(ring.outcome(Sequence::new(3)), Some(Outcome::Doubtful));
}
