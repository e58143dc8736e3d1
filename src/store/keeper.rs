//! The store's own thread: sees that nothing waits for a leader that does not come, and keeps house once a second.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use super::commit::Committer;
use super::engine::Engine;

/// How long a leader may sleep on its leadership, twice: longer than any task is busy with other things.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Looks between two rounds of housekeeping.
const LOOKS_A_ROUND: u32 = 20;

/// Ends the thread when it is dropped.
pub(super) struct Keeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    pub(super) fn start(engine: Arc<dyn Engine>, committer: Arc<Committer>) -> Self {
        let (stop, stopped) = channel();
        let (engine, committer) = (Arc::downgrade(&engine), Arc::downgrade(&committer));
        let thread = std::thread::Builder::new()
            .name("store-keeper".into())
            .spawn(move || {
                let mut looks = 0;
                while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                    looks = (looks + 1) % LOOKS_A_ROUND;
                    if look(&engine, &committer, looks == 0).is_none() {
                        break;
                    }
                }
            });
        if let Err(why) = &thread {
            // Everything but housekeeping goes on without it.
            tracing::error!(%why, "the store's keeper cannot be started; nothing is exported");
        }
        Self {
            stop: Some(stop),
            thread: thread.ok(),
        }
    }
}

fn look(engine: &Weak<dyn Engine>, committer: &Weak<Committer>, round: bool) -> Option<()> {
    committer.upgrade()?.lead_instead();
    if round {
        engine.upgrade()?.keep_house();
    }
    Some(())
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A keeper that panicked has nothing more to tell.
            let _ended = thread.join();
        }
    }
}
