//! The task that lets out what the service says, when what it rests on is durable.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

use super::keep::Durable;
use super::outbox::{NoPlace, Outbox};
use super::pictures::{Full, Pictures};
use super::{Counts, NotTaken, count};
use crate::im::names::ConnectionId;
use crate::im::primitive::Outgoing;

/// Groups that wait to become durable. Each holds what one turn of the service brought.
pub(super) const GROUPS: usize = 64;

/// Something to be done, in the order of the turns in which it came up.
pub(super) enum Step {
    /// There is a new connection.
    Connected(ConnectionId, Outbox, Pictures),
    /// A connection went.
    Gone(ConnectionId),
    /// It may have this.
    Send(ConnectionId, Box<Outgoing>),
    /// A request of a connection was answered as far as it will be: when that was written it may bring another one.
    Heard(ConnectionId, OwnedSemaphorePermit),
    /// It is to be closed when it has had everything.
    Close(ConnectionId),
    /// Somebody is told that what it gave is durable.
    Done(oneshot::Sender<Result<(), NotTaken>>),
}

/// What one turn of the service brought.
pub(super) struct Group {
    /// Resolves when the changes of this turn are durable; none were made otherwise.
    pub(super) durable: Option<Durable>,
    /// What to do then.
    pub(super) steps: Vec<Step>,
}

/// Lets out group after group. Ends with the first that is not stored, or when the service is gone.
pub(super) async fn run(
    mut groups: mpsc::Receiver<Group>,
    counts: Arc<Counts>,
    failed: watch::Sender<Option<String>>,
) {
    let mut outboxes: HashMap<ConnectionId, (Outbox, Pictures)> = HashMap::new();
    while let Some(group) = groups.recv().await {
        if let Some(durable) = group.durable
            && let Err(why) = durable.await
        {
            // All outboxes close with this task, and whoever waits for a word hears that it is gone.
            failed.send_replace(Some(why));
            return;
        }
        for step in group.steps {
            match step {
                Step::Connected(connection, outbox, pictures) => {
                    outboxes.insert(connection, (outbox, pictures));
                }
                Step::Gone(connection) | Step::Close(connection) => {
                    outboxes.remove(&connection);
                }
                Step::Send(connection, outgoing) => {
                    let Some((outbox, pictures)) = outboxes.get(&connection) else {
                        continue;
                    };
                    let outgoing = match pictures.put(outgoing) {
                        Ok(Some(outgoing)) => outgoing,
                        Ok(None) => {
                            count(&counts.said, 1);
                            continue;
                        }
                        Err(Full) => {
                            // It gets all pictures anew when it is back.
                            count(&counts.slow, 1);
                            outboxes.remove(&connection);
                            continue;
                        }
                    };
                    match outbox.put(outgoing.to_json()) {
                        Ok(()) => count(&counts.said, 1),
                        Err(NoPlace::Full) => {
                            // Its log has everything that it misses.
                            count(&counts.slow, 1);
                            outboxes.remove(&connection);
                        }
                        Err(NoPlace::Gone) => {
                            outboxes.remove(&connection);
                        }
                    }
                }
                Step::Heard(connection, permit) => {
                    if let Some((outbox, _)) = outboxes.get(&connection)
                        && outbox.answered(permit).is_err()
                    {
                        outboxes.remove(&connection);
                    }
                }
                Step::Done(done) => {
                    // Who went away does not want to know.
                    let _unheard = done.send(Ok(()));
                }
            }
        }
    }
}
