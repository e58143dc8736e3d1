//! The post: what is read while it is on its way to the disk, and what becomes of it when it does not arrive.

use sluice::store::post::{Post, Row, Shelf};
use sluice::store::{Batch, Purpose, StoreError};

use crate::engines::gated;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_change_is_not_stored_those_made_from_it_are_not_and_the_post_begins_anew() {
    let (gate, store) = gated();
    let mut post = Post::new(store.clone());
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

    let mut post = post.anew();
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
