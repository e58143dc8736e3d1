//! Several attempts, each with a head start over the next; the first that succeeds ends the others.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::task::JoinSet;

/// One attempt.
pub(super) type Try<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// Starts each attempt after the pause that stands before it, or as soon as all that were started have failed; gives
/// the first success, or every failure. A failure that `is_final` ends the race. Dropping the race ends the attempts.
pub(super) async fn race<T: Send + 'static, E: Send + 'static>(
    attempts: Vec<(Duration, Try<T, E>)>,
    is_final: impl Fn(&E) -> bool,
) -> Result<T, Vec<E>> {
    let mut waiting = attempts.into_iter();
    let mut under_way = JoinSet::new();
    let mut failures = Vec::new();
    let mut next = waiting.next();
    let mut pause = Box::pin(tokio::time::sleep(Duration::ZERO));
    if let Some((wait, _)) = &next {
        pause = Box::pin(tokio::time::sleep(*wait));
    }
    loop {
        if under_way.is_empty() && next.is_none() {
            return Err(failures);
        }
        let idle = under_way.is_empty();
        let start = tokio::select! {
            biased;
            Some(ended) = under_way.join_next() => {
                match ended {
                    Ok(Ok(won)) => return Ok(won),
                    Ok(Err(failure)) => {
                        let last = is_final(&failure);
                        failures.push(failure);
                        if last {
                            return Err(failures);
                        }
                    }
                    // Nothing aborts an attempt but the end of the race, so this one panicked: a bug, to be passed on.
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                }
                false
            }
            () = &mut pause, if next.is_some() && !idle => true,
            () = std::future::ready(()), if idle => true,
        };
        if start && let Some((_, attempt)) = next.take() {
            under_way.spawn(attempt);
            next = waiting.next();
            if let Some((wait, _)) = &next {
                pause = Box::pin(tokio::time::sleep(*wait));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{Instant, sleep};

    fn after(ms: u64, outcome: Result<u8, u8>) -> Try<u8, u8> {
        Box::pin(async move {
            sleep(Duration::from_millis(ms)).await;
            outcome
        })
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn the_first_success_wins_and_a_failure_starts_the_next_at_once() {
        let begin = Instant::now();
        let won = race(
            vec![
                (Duration::ZERO, after(10, Err(1))),
                (SECOND, after(5, Ok(2))),
            ],
            |_| false,
        );
        assert_eq!(won.await, Ok(2));
        assert_eq!(begin.elapsed().as_millis() / 2, 15 / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_attempt_holds_the_next_up_for_its_head_start_only() {
        let begin = Instant::now();
        let won = race(
            vec![
                (Duration::ZERO, after(60_000, Ok(1))),
                (SECOND, after(60_000, Ok(2))),
                (SECOND, after(500, Ok(3))),
            ],
            |_| false,
        );
        assert_eq!(won.await, Ok(3));
        assert_eq!(begin.elapsed().as_secs(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn all_failures_are_told_and_a_final_one_ends_it() {
        let attempts = || {
            vec![
                (Duration::ZERO, after(1, Err(1))),
                (SECOND, after(1, Err(2))),
                (SECOND, after(1, Ok(3))),
            ]
        };
        assert_eq!(race(attempts(), |_| false).await, Ok(3));
        assert_eq!(race(attempts(), |e| *e == 2).await, Err(vec![1, 2]));
        assert_eq!(race(vec![], |_: &u8| false).await, Err::<u8, _>(vec![]));
    }
}
