//! What damage, old copies and callers that go away do to a ring: it goes on, and names what it cannot give.

mod support;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use sluice::lane::{Address, Direction, Epoch, Lane, RingName, SLOTS, Sequence, Side};
use sluice::message::{Outcome, SmscId};
use sluice::ring::page::{self, Found, Header, PAGE, Place, State};
use sluice::ring::storage::MemoryStorage;
use sluice::ring::{Array, Full, Misstep, Ring, RingFile, StoreError};
use support::chance::{Chance, from_environment};
use support::keys::keyed;
use support::messages::{parcel, ring_name};

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
    let opened = RingFile::open_on(path, restored.clone(), Some(live)).unwrap();
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
    // The live record is never synced: the power takes it, and damage may take a state page. The fence stands.
    let found = restored.to_vec();
    for page in [None, Some(0), Some(1)] {
        let mut octets = found.clone();
        if let Some(number) = page {
            octets[page::state_offset(0, number) as usize + 30] ^= 1;
        }
        let (opened, _) = open_octets(octets);
        let fence = opened.rings[0].fence;
        assert_eq!(fence, Some(page::Fence::OlderCopy), "page {page:?} damaged");
    }
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

/// A disk whose syncs wait until they are let go.
struct Gate {
    memory: MemoryStorage,
    closed: std::sync::Mutex<bool>,
    opened: std::sync::Condvar,
    waiting: std::sync::mpsc::Sender<()>,
}

impl sluice::ring::storage::Storage for Gate {
    fn length(&self) -> std::io::Result<u64> {
        self.memory.length()
    }
    fn read_at(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.memory.read_at(offset, out)
    }
    fn write_at(&self, offset: u64, octets: &[u8]) -> std::io::Result<()> {
        self.memory.write_at(offset, octets)
    }
    fn sync(&self) -> std::io::Result<()> {
        let mut closed = self.closed.lock().unwrap();
        if *closed {
            // Nobody listens any more once the test has what it wanted.
            let _unheard = self.waiting.send(());
        }
        while *closed {
            closed = self.opened.wait(closed).unwrap();
        }
        Ok(())
    }
}

#[test]
fn a_caller_that_goes_away_leaves_no_gap() {
    let memory = MemoryStorage::default();
    let second = RingName::new(Lane::new("oslo", "b").unwrap(), Direction::Mo, Side::Origin);
    let names = [ring_name(Side::Origin), second];
    let mut number = 41;
    sluice::ring::format(&memory, &names, &mut || {
        number += 1;
        number
    })
    .unwrap();
    let (waiting, syncs) = std::sync::mpsc::channel();
    let gate = Arc::new(Gate {
        memory,
        closed: std::sync::Mutex::new(false),
        opened: std::sync::Condvar::new(),
        waiting,
    });
    let opened = RingFile::open_on(Path::new("(test)"), gate.clone(), None).unwrap();
    let [one, other] = <[Ring; 2]>::try_from(opened.file.rings()).ok().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        // A full ring whose first message is processed, but not yet on disk: the next append has to write the state
        // first, and then its slot.
        for number in 1..=SLOTS {
            one.append(parcel(&number.to_string())).await.unwrap();
        }
        one.process(Sequence::FIRST).unwrap();
        *gate.closed.lock().unwrap() = true;
        let blocker = tokio::spawn(async move { other.append(parcel("blocks the disk")).await });
        tokio::task::block_in_place(|| syncs.recv()).unwrap();
        {
            let mut abandoned = std::pin::pin!(one.append(parcel("abandoned")));
            std::future::poll_fn(|context| {
                assert!(abandoned.as_mut().poll(context).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
        }
        *gate.closed.lock().unwrap() = false;
        gate.opened.notify_all();
        blocker.await.unwrap().unwrap();
        let next = one.append(parcel("stays")).await.unwrap();
        one.look(|array| {
            assert_eq!(
                array.marks().retrieved.up_to(),
                next,
                "there is no gap before it"
            );
        });
    });
}

#[test]
fn numbers_beyond_any_life_still_work_and_lap() {
    let start = Sequence::new((1 << 63) - 300);
    let storage = MemoryStorage::default();
    sluice::ring::format(&storage, &[ring_name(Side::Origin)], &mut || 44).unwrap();
    let place = Place {
        ring: 0,
        epoch: Epoch::new(44).unwrap(),
    };
    let mut state = State {
        number: 1,
        clean: true,
        fence: None,
        marks: sluice::ring::Marks::default(),
    };
    state.marks.processed.raise(start);
    state.marks.close();
    let mut octets = storage.to_vec();
    let offset = page::state_offset(0, state.number) as usize;
    octets[offset..offset + PAGE].copy_from_slice(&state.encode(place));
    let storage = Arc::new(MemoryStorage::new(octets));
    let opened = RingFile::open_on(Path::new("(test)"), storage.clone(), None).unwrap();
    let ring = opened.file.rings().remove(0);
    runtime().block_on(async {
        for step in 1..=800 {
            let sequence = ring.append(parcel(&step.to_string())).await.unwrap();
            assert_eq!(sequence, start.plus(step));
            assert_eq!(
                u64::from(sequence.address().get()),
                (sequence.get() - 1) % SLOTS + 1
            );
            if step > 100 {
                ring.process(start.plus(step - 100)).unwrap();
            }
        }
    });
    let (_, again) = open_octets(storage.to_vec());
    again.look(|array| {
        assert_eq!(array.marks().retrieved.up_to(), start.plus(800));
        for step in 701..=800 {
            assert_eq!(
                array.get(start.plus(step)),
                Some(&parcel(&step.to_string()))
            );
        }
    });
}

#[test]
fn the_key_of_a_wiped_message_is_forgotten_so_its_repetition_is_stored() {
    let storage = Arc::new(MemoryStorage::default());
    sluice::ring::format(storage.as_ref(), &[ring_name(Side::Origin)], &mut || 44).unwrap();
    let opened = RingFile::open_on(Path::new("(test)"), storage.clone(), None).unwrap();
    let ring = opened.file.rings().remove(0);
    let before = runtime().block_on(async {
        for number in 1..=300 {
            let sequence = ring.append(keyed("stored", 1)).await.unwrap();
            assert_eq!(sequence.get(), number);
            ring.process(sequence).unwrap();
        }
        ring.flush().await.unwrap();
        let before = storage.to_vec();
        let batch = vec![keyed("torn away", 2), keyed("arrived", 3)];
        ring.append_all(batch).await.unwrap();
        before
    });
    // Of a batch of two the power let only the second slot through; nobody was told of either.
    let mut octets = before;
    let offset = page::slot_offset(0, Sequence::new(302).address()) as usize;
    octets[offset..offset + PAGE].copy_from_slice(&storage.to_vec()[offset..offset + PAGE]);
    let (opened, ring) = open_octets(octets);
    assert_eq!(opened.rings[0].remarks.len(), 1, "it is wiped");
    let keys: Vec<u8> = ring.look(|array| array.recent_keys().map(|key| key.0[0]).collect());
    assert!(!keys.contains(&3), "the SMSC will bring it again");
    assert_eq!(keys.iter().filter(|&&key| key == 1).count(), 254);
}

#[test]
fn a_fence_found_at_opening_stands_in_both_pages_with_what_it_was_judged_from() {
    let storage = MemoryStorage::default();
    sluice::ring::format(&storage, &[ring_name(Side::Origin)], &mut || 44).unwrap();
    let place = Place {
        ring: 0,
        epoch: Epoch::new(44).unwrap(),
    };
    let mut state = State {
        number: 5,
        clean: false,
        fence: None,
        marks: sluice::ring::Marks::default(),
    };
    state.marks.retrieved.raise(Sequence::new(3));
    let mut octets = storage.to_vec();
    let offset = page::state_offset(0, state.number) as usize;
    octets[offset..offset + PAGE].copy_from_slice(&state.encode(place));
    let storage = Arc::new(MemoryStorage::new(octets));
    let opened = RingFile::open_on(Path::new("(test)"), storage.clone(), None).unwrap();
    assert!(opened.rings[0].fence.is_some());
    let now = storage.to_vec();
    for number in 0..2 {
        let offset = page::state_offset(0, number) as usize;
        let told = State::decode(&now[offset..offset + PAGE], place).unwrap();
        assert_eq!(told.fence, opened.rings[0].fence);
        assert_eq!(told.marks, state.marks);
        assert!(told.number > state.number);
    }
    // A fenced ring is written to no more.
    let (again, ring) = open_octets(now.clone());
    assert_eq!(again.rings[0].fence, opened.rings[0].fence);
    runtime().block_on(again.file.close()).unwrap();
    assert_eq!(ring.fence(), opened.rings[0].fence);
}
