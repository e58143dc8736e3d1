//! What must not bring a ring file to a stand: futures nobody polls, failures elsewhere, a flush begun anew, a panic.

mod support;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sluice::lane::{Lane, RingName, SLOTS, Sequence, Side};
use sluice::message::{DeliveryKey, Outcome};
use sluice::ring::page::Fence;
use sluice::ring::storage::{MemoryStorage, Storage};
use sluice::ring::{Array, Misstep, Ring, RingFile, StoreError};
use support::gate::gated;
use support::keys::keyed;
use support::messages::{parcel, ring_name};

/// Longer than anything here takes; what has not come by then does not come.
const NEVER: Duration = Duration::from_secs(10);

fn crowd() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

fn names(count: u8) -> Vec<RingName> {
    (0..count)
        .map(|number| {
            let lane = Lane::new("oslo", &format!("lane-{number}")).unwrap();
            RingName::new(lane, sluice::lane::Direction::Mo, Side::Origin)
        })
        .collect()
}

async fn begin<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) {
    let mut future = future;
    std::future::poll_fn(|context| {
        assert!(future.as_mut().poll(context).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
}

#[test]
fn a_leader_that_nobody_polls_keeps_the_others_waiting_only_until_the_idle_flush() {
    let (gate, file) = gated(&names(3));
    let [busy, idle, other] = <[Ring; 3]>::try_from(file.rings()).ok().unwrap();
    crowd().block_on(async {
        let flushing = file.clone();
        let flusher = tokio::spawn(async move { flushing.flush_when_idle().await });
        gate.close();
        let blocker = tokio::spawn(async move { busy.append(parcel("blocks the disk")).await });
        tokio::task::block_in_place(|| gate.await_sync());
        // Both wait in the queue; the first is alive, but its owner has something else to do.
        let mut unpolled = std::pin::pin!(idle.append(parcel("waits")));
        begin(unpolled.as_mut()).await;
        let mut awaited = std::pin::pin!(other.append(parcel("is waited for")));
        begin(awaited.as_mut()).await;
        gate.open();
        blocker.await.unwrap().unwrap();
        let stored = tokio::time::timeout(NEVER, awaited).await;
        assert_eq!(stored.expect("it is stored"), Ok(Sequence::FIRST));
        // The one that was passed over learns what became of its message.
        assert_eq!(unpolled.await, Ok(Sequence::FIRST));
        flusher.abort();
    });
}

#[test]
fn a_failure_on_one_ring_ends_the_wait_for_room_on_another() {
    let (gate, file) = gated(&names(2));
    let [full, other] = <[Ring; 2]>::try_from(file.rings()).ok().unwrap();
    crowd().block_on(async {
        let many = (0..SLOTS).map(|n| parcel(&n.to_string())).collect();
        full.append_all(many).await.unwrap();
        let mut room = std::pin::pin!(full.room());
        begin(room.as_mut()).await;
        gate.fail_syncs(1);
        let failed = other.append(parcel("fails")).await;
        assert!(matches!(failed, Err(StoreError::Failed(_))));
        tokio::time::timeout(NEVER, room)
            .await
            .expect("the wait ends");
    });
}

#[test]
fn an_idle_flush_that_was_stopped_and_begun_anew_finds_what_waits() {
    let (_gate, file) = gated(&names(1));
    let ring = file.rings().remove(0);
    crowd().block_on(async {
        let sequence = ring.append(parcel("one")).await.unwrap();
        ring.flush().await.unwrap();
        ring.mark_sent(sequence).unwrap();
        {
            let mut stopped = std::pin::pin!(file.flush_when_idle());
            begin(stopped.as_mut()).await;
        }
        let before = file.syncs();
        let flushing = file.clone();
        let flusher = tokio::spawn(async move { flushing.flush_when_idle().await });
        let written = async {
            while file.syncs() == before {
                tokio::task::yield_now().await;
            }
        };
        let written = tokio::time::timeout(NEVER, written).await;
        written.expect("the mark is written");
        flusher.abort();
    });
}

#[test]
fn marks_that_change_without_a_pause_are_written_all_the_same() {
    let (_gate, file) = gated(&names(1));
    let ring = file.rings().remove(0);
    crowd().block_on(async {
        let many = (0..SLOTS).map(|n| parcel(&n.to_string())).collect();
        ring.append_all(many).await.unwrap();
        ring.flush().await.unwrap();
        let flushing = file.clone();
        let flusher = tokio::spawn(async move { flushing.flush_when_idle().await });
        let before = file.syncs();
        let mut pace = tokio::time::interval(Duration::from_millis(2));
        for number in 1..=SLOTS {
            pace.tick().await;
            ring.mark_sent(Sequence::new(number)).unwrap();
        }
        // Half a second of changes; each may wait 20 ms.
        assert!(file.syncs() > before + 4, "{} syncs", file.syncs() - before);
        flusher.abort();
    });
}

#[test]
fn a_key_counts_only_once_its_message_is_durable() {
    let (gate, file) = gated(&names(2));
    let [ring, other] = <[Ring; 2]>::try_from(file.rings()).ok().unwrap();
    let key = DeliveryKey([9; 24]);
    let is_known = |ring: &Ring| ring.look(|array| array.recent_keys().any(|known| known == key));
    crowd().block_on(async {
        gate.close();
        let blocker = tokio::spawn(async move { other.append(parcel("blocks the disk")).await });
        tokio::task::block_in_place(|| gate.await_sync());
        let mut storing = std::pin::pin!(ring.append(keyed("delivered", 9)));
        begin(storing.as_mut()).await;
        // The SMSC that repeats it now must not be told that it is safe.
        assert!(!is_known(&ring));
        gate.open();
        storing.await.unwrap();
        assert!(is_known(&ring));
        blocker.await.unwrap().unwrap();
    });
}

/// Memory whose next sync panics if it was told so.
#[derive(Default)]
struct Panicking {
    memory: MemoryStorage,
    armed: AtomicBool,
}

impl Storage for Panicking {
    fn length(&self) -> io::Result<u64> {
        self.memory.length()
    }
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.memory.read_at(offset, out)
    }
    fn write_at(&self, offset: u64, octets: &[u8]) -> io::Result<()> {
        self.memory.write_at(offset, octets)
    }
    fn sync(&self) -> io::Result<()> {
        assert!(!self.armed.swap(false, Ordering::Relaxed), "as planned");
        Ok(())
    }
}

#[test]
fn after_a_panic_of_the_leader_the_file_refuses_and_nobody_waits_for_ever() {
    let storage = Arc::new(Panicking::default());
    sluice::ring::format(storage.as_ref(), &[ring_name(Side::Origin)], &mut || 7).unwrap();
    let opened = RingFile::open_on(Path::new("(test)"), storage.clone(), None).unwrap();
    let ring = opened.file.rings().remove(0);
    crowd().block_on(async {
        storage.armed.store(true, Ordering::Relaxed);
        let doomed = ring.clone();
        let panicked = tokio::spawn(async move { doomed.append(parcel("one")).await }).await;
        assert!(panicked.unwrap_err().is_panic());
        let next = tokio::time::timeout(NEVER, ring.append(parcel("two"))).await;
        assert!(matches!(next, Ok(Err(StoreError::Failed(_)))));
    });
}

#[test]
fn a_fenced_ring_offers_nothing() {
    let mirror = ring_name(Side::Mirror);
    let (_gate, file) = gated(&[mirror]);
    let ring = file.rings().remove(0);
    crowd().block_on(async {
        let first = Sequence::FIRST;
        ring.store(vec![(first, parcel("one"))]).await.unwrap();
        ring.shut(Fence::Asked).await.unwrap();
        assert_eq!(
            ring.offer(first).await,
            Err(StoreError::Fenced(Fence::Asked))
        );
    });
}

#[test]
fn a_fenced_ring_takes_no_step() {
    let mirror = ring_name(Side::Mirror);
    let (gate, file) = gated(&[mirror]);
    let ring = file.rings().remove(0);
    crowd().block_on(async {
        let first = Sequence::FIRST;
        ring.store(vec![(first, parcel("one"))]).await.unwrap();
        ring.shut(Fence::Asked).await.unwrap();
        let (marks, contents) = (ring.look(|array| *array.marks()), gate.contents());
        let fenced = Misstep::Fenced(Fence::Asked);
        assert_eq!(ring.mark_sent(first), Err(fenced));
        assert_eq!(ring.confirm(first), Err(fenced));
        assert_eq!(ring.confirm_up_to(first), Err(fenced));
        assert_eq!(ring.process(first), Err(fenced));
        assert_eq!(ring.process_up_to(first), Err(fenced));
        assert_eq!(ring.process_with(first, Outcome::Expired), Err(fenced));
        assert_eq!(ring.declare_lost(first), Err(fenced));
        assert_eq!(ring.look(|array| *array.marks()), marks);
        assert_eq!(ring.outcome(first), None);
        assert_eq!(gate.contents(), contents);
    });
}

#[test]
fn an_outcome_that_cannot_be_written_stops_the_file_and_its_message_stays_in_doubt() {
    let mirror = ring_name(Side::Mirror);
    let (gate, file) = gated(&[mirror]);
    let ring = file.rings().remove(0);
    crowd().block_on(async {
        let first = Sequence::FIRST;
        ring.store(vec![(first, parcel("one"))]).await.unwrap();
        ring.offer(first).await.unwrap();
        gate.full_after(0);
        let said = ring.process_with(first, Outcome::Expired);
        assert_eq!(said, Err(Misstep::Stopped));
        assert_eq!(ring.look(Array::in_doubt), Some(first));
        assert!(matches!(ring.flush().await, Err(StoreError::Failed(_))));
        let why = file.failure().unwrap();
        assert!(why.contains("writing outcome 1"), "{why}");
        // Not tried again, though it would succeed.
        gate.full_after(u64::MAX);
        let said = ring.process_with(first, Outcome::Expired);
        assert_eq!(said, Err(Misstep::Stopped));
        let opened = support::gate::reopened(&gate);
        let doubt = opened.file.rings()[0].look(Array::in_doubt);
        assert_eq!(doubt, Some(first));
    });
}

#[test]
fn two_that_add_rings_at_once_get_a_place_each() {
    let (gate, file) = gated(&names(1));
    let wanted = names(3);
    std::thread::scope(|scope| {
        gate.close();
        let adders: Vec<_> = wanted[1..]
            .iter()
            .map(|name| scope.spawn(|| file.add(std::slice::from_ref(name)).map(|_| ())))
            .collect();
        gate.await_sync();
        // Both are under way by now, or one waits for the other.
        std::thread::yield_now();
        gate.open();
        for adder in adders {
            adder.join().unwrap().unwrap();
        }
    });
    let mut found: Vec<_> = support::gate::reopened(&gate)
        .rings
        .iter()
        .map(|report| report.name.clone())
        .collect();
    found.sort();
    assert_eq!(found, wanted);
}

#[test]
fn a_sync_that_fails_while_rings_are_added_stops_the_whole_file() {
    // Linux tells of a failed write-back once. Whoever hears of it first has to tell the others.
    let (gate, file) = gated(&names(1));
    let ring = file.rings().remove(0);
    gate.fail_syncs(1);
    assert!(file.add(&names(2)[1..]).is_err());
    let refused = support::messages::wait(ring.append(parcel("one")));
    assert!(matches!(refused, Err(StoreError::Failed(_))));
    assert!(file.failure().is_some());
}
