//! The post: what is read while it is on its way to the disk, and what becomes of it when it does not arrive.

use sluice::store::post::{Post, Row, Shelf};
use sluice::store::{Batch, MAX_VALUE, Purpose, Range, StoreError};

use crate::engines::gated;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_change_is_not_stored_those_made_from_it_are_not_and_the_post_begins_anew() {
    let (gate, store) = gated();
    let mut post = Post::new(store.clone()).unwrap();
    post.put(&Shelf::Waiting(1), "first");
    let (pending, submitted) = post.submit(Batch::new()).unwrap();
    submitted.durable().await.unwrap();
    post.settled(pending);

    gate.full_for(Some(Purpose::Intake));
    post.put(&Shelf::Waiting(2), "second");
    let (lost, submitted) = post.submit(Batch::new()).unwrap();
    let told = submitted.durable().await.unwrap_err();
    assert!(matches!(told, StoreError::NoRoom { .. }), "{told}");
    assert!(post.is_broken());

    // There is room again; a third text must not lie behind one that is missing.
    gate.full_for(None);
    post.put(&Shelf::Waiting(3), "third");
    let told = match post.submit(Batch::new()) {
        Ok((_, submitted)) => submitted.durable().await.unwrap_err(),
        Err(told) => told,
    };
    assert!(matches!(told, StoreError::Broken), "{told}");
    assert_eq!(Post::last(&store, Row::Waiting).unwrap(), 1);

    let mut post = post.anew().unwrap();
    assert_eq!(post.read(&Shelf::Waiting(2)).unwrap(), None);
    post.put(&Shelf::Waiting(2), "instead");
    let (pending, submitted) = post.submit(Batch::new()).unwrap();
    // Word of the change that was lost comes late, and takes nothing of the new one along.
    post.settled(lost);
    assert_eq!(post.read(&Shelf::Waiting(2)).unwrap().unwrap(), "instead");
    submitted.durable().await.unwrap();
    post.settled(pending);
    assert_eq!(Post::last(&store, Row::Waiting).unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_is_too_long_is_cut_and_leaves_nothing_behind() {
    let (_, store) = gated();
    let mut post = Post::new(store.clone()).unwrap();
    let long = |octet: u8, length: usize| vec![octet; length];
    let (ten, five) = (long(b'a', 10_000), long(b'b', 5000));
    async fn stored(post: &mut Post) {
        let (pending, submitted) = post.submit(Batch::new()).unwrap();
        submitted.durable().await.unwrap();
        post.settled(pending);
    }
    post.put(&Shelf::Entry(1), long(b'c', MAX_VALUE));
    post.put(&Shelf::Entry(2), ten.clone());
    assert_eq!(post.read(&Shelf::Entry(2)).unwrap().unwrap(), ten);
    stored(&mut post).await;
    let page = Post::page(&store, Row::Entries, 0, 10).unwrap();
    assert_eq!(page.len(), 2);
    assert_eq!(page[1], (2, ten.clone().into()));
    let records = || store.scan(&Range::all(), 100).unwrap().len();
    assert_eq!(records(), 5, "two records, and three pieces");
    // Another life of the post knows what is cut.
    let mut post = Post::new(store.clone()).unwrap();
    post.put(&Shelf::Entry(2), five.clone());
    stored(&mut post).await;
    assert_eq!(records(), 4);
    assert_eq!(post.read(&Shelf::Entry(2)).unwrap().unwrap(), five);
    post.put(&Shelf::Entry(3), ten);
    post.delete(&Shelf::Entry(2));
    post.delete(&Shelf::Entry(3));
    stored(&mut post).await;
    assert_eq!(records(), 1);
}
