//! A thread with an event loop of its own, for a lane.
//!
//! A lane's turn is a read, a sync and a write, one after the other; on a shared pool of threads each of them would
//! begin with waking another thread, and the sync would have to be handed around the pool. On a thread of its own the
//! lane makes its syscalls in a row, and a sync that takes long keeps no other lane waiting.

use std::io;
use std::pin::Pin;

use tokio::sync::oneshot;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A thread that waits for what it is to run.
pub(super) struct OwnThread {
    hand: oneshot::Sender<Work>,
}

impl OwnThread {
    /// Starts a thread; its name is for people who look at the process (the system shows 15 characters of it).
    pub(super) async fn start(name: String) -> io::Result<Self> {
        let (hand, work) = oneshot::channel::<Work>();
        let (ready, started) = oneshot::channel();
        std::thread::Builder::new().name(name).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let (said, runtime) = match runtime {
                Ok(runtime) => (Ok(()), Some(runtime)),
                Err(why) => (Err(why), None),
            };
            // Nobody to hear it means that nobody brings work either.
            let _unheard = ready.send(said);
            if let Some(runtime) = runtime {
                runtime.block_on(async {
                    if let Ok(work) = work.await {
                        work.await;
                    }
                });
            }
        })?;
        started
            .await
            .unwrap_or_else(|_gone| Err(io::Error::other("the thread ended at once")))?;
        Ok(Self { hand })
    }

    /// Runs it there. If the caller goes away, so does the work, at the next place where it waits.
    ///
    /// # Panics
    ///
    /// If the work panics.
    pub(super) async fn run<T: Send + 'static>(
        self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let (tell, told) = oneshot::channel();
        let (here, gone) = oneshot::channel::<()>();
        let work = Box::pin(async move {
            tokio::select! {
                result = work => {
                    let _unheard = tell.send(result);
                }
                // Never sent; it ends when the caller does.
                _ = gone => {}
            }
        });
        // A thread that has ended drops it, and that is seen below.
        let _dropped = self.hand.send(work);
        let result = told.await;
        drop(here);
        result.expect("what runs on a thread of its own does not panic")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_runs_on_a_thread_of_that_name() {
        let thread = OwnThread::start("lane x/y".into()).await.unwrap();
        let name = thread
            .run(async { std::thread::current().name().map(str::to_owned) })
            .await;
        assert_eq!(name.as_deref(), Some("lane x/y"));
    }

    #[tokio::test]
    async fn work_ends_with_its_caller() {
        let thread = OwnThread::start("lane x/y".into()).await.unwrap();
        let (holds, ended) = oneshot::channel::<()>();
        let (began, begun) = oneshot::channel();
        let caller = tokio::spawn(thread.run(async move {
            let _held = holds;
            began.send(()).unwrap();
            std::future::pending::<()>().await;
        }));
        begun.await.unwrap();
        caller.abort();
        assert!(ended.await.is_err(), "it was dropped");
    }
}
