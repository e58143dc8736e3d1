//! Group commit: who waits, who leads, who is told what.

use std::time::Duration;

use sluice::store::{
    Batch, Chain, Committed, MAX_BATCH, MAX_CHANGES, MAX_KEY, MAX_VALUE, Purpose, StoreError,
};

use crate::engines::{Commits, gated, put, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_that_come_during_a_sync_share_the_next_one() {
    let (gate, store) = gated();
    gate.close();
    let first = store.submit(put("first", "1")).unwrap();
    let leader = tokio::spawn(first.durable());
    gate.await_commit();
    let waiting: Vec<_> = (0..100)
        .map(|n| store.submit(put(&format!("k{n}"), "v")).unwrap())
        .map(|submitted| tokio::spawn(submitted.durable()))
        .collect();
    assert!(!leader.is_finished());
    gate.open();
    assert_eq!(leader.await.unwrap().unwrap(), Committed::Now);
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap().unwrap(), Committed::Now);
    }
    assert_eq!(gate.sizes(), [1, 100]);
    assert_eq!(store.groups(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_slow_disk_keeps_nobody_waiting_who_wants_nothing_from_it() {
    let (gate, store) = gated();
    gate.close();
    let stuck = tokio::spawn(store.submit(put("a", "1")).unwrap().durable());
    let there = gate.clone();
    tokio::task::spawn_blocking(move || there.await_commit())
        .await
        .unwrap();
    // The only worker's leader stands in the sync; another task still runs.
    let other = tokio::spawn(async { 7 });
    assert_eq!(other.await.unwrap(), 7);
    gate.open();
    stuck.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_of_two_writes_of_a_key_wins_also_within_a_group() {
    let (gate, store) = gated();
    gate.close();
    let leader = tokio::spawn(store.submit(put("k", "first")).unwrap().durable());
    gate.await_commit();
    let second = store.submit(put("k", "second")).unwrap();
    let mut third = Batch::new();
    third.delete("k");
    third.put("l", "x");
    let third = store.submit(third).unwrap();
    let fourth = store.submit(put("k", "fourth")).unwrap();
    gate.open();
    leader.await.unwrap().unwrap();
    // Waited for in another order than submitted.
    let (fourth, second, third) = tokio::join!(fourth.durable(), second.durable(), third.durable());
    fourth.and(second).and(third).unwrap();
    assert_eq!(text(store.read(b"k")), Some("fourth".into()));
    assert_eq!(text(store.read(b"l")), Some("x".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_batches_with_one_idempotency_key_one_is_written() {
    let (gate, store) = gated();
    let once = |value: &str| {
        let mut batch = put(&format!("content-{value}"), value);
        batch.once("key", value.to_owned());
        batch
    };
    gate.close();
    let leader = tokio::spawn(store.submit(put("other", "1")).unwrap().durable());
    gate.await_commit();
    // Both in one group, then one more afterwards.
    let first = store.submit(once("one")).unwrap();
    let second = store.submit(once("two")).unwrap();
    gate.open();
    leader.await.unwrap().unwrap();
    let (second, first) = tokio::join!(second.durable(), first.durable());
    assert_eq!(first.unwrap(), Committed::Now);
    assert_eq!(second.unwrap(), Committed::Before);
    let third = store.commit(once("three")).await.unwrap();
    assert_eq!(third, Committed::Before);
    assert_eq!(text(store.read(b"key")), Some("one".into()));
    assert_eq!(text(store.read(b"content-one")), Some("one".into()));
    assert_eq!(text(store.read(b"content-two")), None);
    assert_eq!(text(store.read(b"content-three")), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_sync_nothing_is_promised_and_nothing_read() {
    let (gate, store) = gated();
    let failing = store.failing();
    store.commit(put("before", "1")).await.unwrap();
    gate.close();
    let leader = tokio::spawn(store.submit(put("a", "1")).unwrap().durable());
    gate.await_commit();
    let follower = store.submit(put("b", "2")).unwrap();
    gate.commits(Commits::Fail);
    gate.open();
    let told = |answer: Result<Committed, StoreError>| answer.unwrap_err().to_string();
    let sentence =
        "the store takes nothing more until it is opened anew: Input/output error (os error 5)";
    assert_eq!(told(leader.await.unwrap()), sentence);
    // It had not been written yet, and never is.
    assert_eq!(told(follower.durable().await), sentence);
    assert!(*failing.borrow());
    gate.commits(Commits::Succeed);
    assert_eq!(told(store.commit(put("c", "3")).await), sentence);
    assert!(store.put_lazily(&put("d", "4")).is_err());
    assert!(store.read(b"a").is_err(), "applied, and not durable");
    assert!(store.read(b"before").is_err());
    assert_eq!(gate.sizes(), [1, 1]);
    assert!(
        store.health().alarms[0]
            .to_string()
            .contains("until central is restarted")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_panics_leaves_nobody_waiting() {
    let (gate, store) = gated();
    gate.close();
    gate.commits(Commits::Panic);
    let leader = tokio::spawn(store.submit(put("a", "1")).unwrap().durable());
    gate.await_commit();
    let follower = store.submit(put("b", "2")).unwrap();
    gate.open();
    assert!(leader.await.unwrap_err().is_panic());
    let told = follower.durable().await.unwrap_err();
    assert!(told.to_string().contains("committing panicked"), "{told}");
    assert!(store.commit(put("c", "3")).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_written_though_its_owner_went_away() {
    let (gate, store) = gated();
    // It would have led.
    drop(store.submit(put("a", "1")).unwrap());
    while text(store.read(b"a")).is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    gate.close();
    let leader = tokio::spawn(store.submit(put("b", "2")).unwrap().durable());
    gate.await_commit();
    // One that is offered the leadership and sleeps on it, one that went away, and one that waits behind both.
    let sleeps = store.submit(put("c", "3")).unwrap();
    drop(store.submit(put("d", "4")).unwrap());
    let waits = store.submit(put("e", "5")).unwrap();
    gate.open();
    leader.await.unwrap().unwrap();
    waits.durable().await.unwrap();
    assert_eq!(text(store.read(b"d")), Some("4".into()));
    sleeps.durable().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_room_intake_is_refused_and_draining_goes_on() {
    let (gate, store) = gated();
    let draining = |key: &str| {
        let mut batch = Batch::new();
        batch.delete(key.to_owned());
        batch.drains();
        batch
    };
    store.commit(put("a", "1")).await.unwrap();
    gate.full_for(Some(Purpose::Intake));
    let refused = store.commit(put("b", "1")).await.unwrap_err();
    assert!(refused.is_transient());
    assert!(store.put_lazily(&put("b", "1")).is_err());
    store.commit(draining("a")).await.unwrap();
    assert_eq!(text(store.read(b"a")), None);
    gate.full_for(Some(Purpose::Drain));
    assert!(store.commit(draining("a")).await.is_err());
    // It goes on by itself when there is room.
    gate.full_for(None);
    store.commit(put("b", "1")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_rests_on_a_batch_that_was_not_stored_is_not_stored_either() {
    let (gate, store) = gated();
    let chain = Chain::default();
    let link = |key: &str| {
        let mut batch = put(key, "1");
        batch.follows(&chain);
        batch
    };
    store.commit(link("a")).await.unwrap();
    gate.full_for(Some(Purpose::Intake));
    assert!(store.commit(link("b")).await.is_err());
    // There is room again, and the one before is missing.
    gate.full_for(None);
    let told = store.commit(link("c")).await.unwrap_err();
    assert!(matches!(told, StoreError::Broken), "{told}");
    assert_eq!(text(store.read(b"c")), None);
    store.commit(put("d", "1")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_two_chains_breaks_both() {
    let (_, store) = gated();
    let (one, other) = (Chain::default(), Chain::default());
    let link = |key: &str, chains: &[&Chain]| {
        let mut batch = put(key, "1");
        chains.iter().for_each(|chain| batch.follows(chain));
        batch
    };
    store.commit(link("a", &[&one, &other])).await.unwrap();
    // Too large: one chain ends here.
    let mut large = link("b", &[&one]);
    large.put("k", vec![0; MAX_VALUE + 1]);
    assert!(store.submit(large).is_err());
    store.commit(link("c", &[&other])).await.unwrap();
    // What rests on both is not stored, and so nothing that comes after it on the other.
    for chains in [&[&one, &other][..], &[&other]] {
        let told = store.commit(link("d", chains)).await.unwrap_err();
        assert!(matches!(told, StoreError::Broken), "{told}");
    }
    assert_eq!(text(store.read(b"d")), None);
}

#[test]
fn a_store_works_without_a_runtime_too() {
    let (_, store) = gated();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let store = store.clone();
            std::thread::spawn(move || {
                for n in 0..100 {
                    let batch = put(&format!("{thread}-{n}"), "x");
                    assert_eq!(store.submit(batch).unwrap().wait().unwrap(), Committed::Now);
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    assert_eq!(text(store.read(b"3-99")), Some("x".into()));
}

#[test]
fn what_is_too_large_is_refused_by_name() {
    let (_, store) = gated();
    let refused = |batch: Batch| match store.submit(batch) {
        Err(StoreError::TooLarge { what, .. }) => what,
        _ => panic!("it was taken"),
    };
    let mut batch = Batch::new();
    batch.put("k", vec![0; MAX_VALUE]);
    assert!(store.submit(batch).unwrap().wait().is_ok());
    let mut batch = Batch::new();
    batch.put("k", vec![0; MAX_VALUE + 1]);
    assert_eq!(refused(batch), "value");
    let mut batch = Batch::new();
    batch.delete(vec![b'k'; MAX_KEY + 1]);
    assert_eq!(refused(batch), "key");
    let mut batch = Batch::new();
    (0..=MAX_CHANGES).for_each(|n| batch.put(format!("{n}"), ""));
    assert_eq!(refused(batch), "batch (changes)");
    let mut batch = Batch::new();
    (0..=MAX_BATCH / MAX_VALUE).for_each(|n| batch.put(format!("{n}"), vec![0; MAX_VALUE]));
    assert_eq!(refused(batch), "batch (octets)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_does_not_move_is_full_at_some_point() {
    let (gate, store) = gated();
    gate.close();
    let leader = tokio::spawn(store.submit(put("a", "1")).unwrap().durable());
    gate.await_commit();
    let mut waiting = Vec::new();
    let crowded = loop {
        let mut batch = Batch::new();
        (0..800).for_each(|n| batch.put(format!("{n}"), vec![0; MAX_VALUE]));
        match store.submit(batch) {
            Ok(submitted) => waiting.push(submitted),
            Err(why) => break why,
        }
    };
    assert!(crowded.is_transient(), "{crowded}");
    assert_eq!(waiting.len(), 20, "64 MiB of batches of 3.125 MiB");
    gate.open();
    leader.await.unwrap().unwrap();
    for waiting in waiting {
        waiting.durable().await.unwrap();
    }
    store.commit(put("b", "1")).await.unwrap();
}
