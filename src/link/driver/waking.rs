//! When a session is woken next, exact to some fifty microseconds.
//!
//! The event loop's own timers are no finer than a millisecond, and a lap of the ring crosses four of them: on a line of
//! 20 ms that were 5 % of the rate, on loopback nearly all of it. So the kernel's timer is asked, by a descriptor.

use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Sleep;

use crate::clock::{Clock, Moment};

/// A timer that can be set again and again.
pub(super) struct Waking {
    clock: Clock,
    armed: Option<Moment>,
    by: By,
}

enum By {
    Kernel(AsyncFd<OwnedFd>),
    /// No descriptor could be had: the event loop's own is coarse, and does.
    Loop(Pin<Box<Sleep>>),
}

impl Waking {
    #[expect(
        deprecated,
        reason = "its successor is unsafe, for descriptors that change or close beneath it; an owned one does not"
    )]
    pub(super) fn new(clock: Clock) -> Self {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let made = timerfd_create(TimerfdClockId::Monotonic, flags)
            .map_err(std::io::Error::from)
            .and_then(|timer| AsyncFd::with_interest(timer, Interest::READABLE));
        let by = match made {
            Ok(timer) => By::Kernel(timer),
            Err(why) => {
                tracing::warn!(%why, "no timer of the kernel for this connection; it will be slower on short lines");
                By::Loop(Box::pin(tokio::time::sleep(Duration::ZERO)))
            }
        };
        Self {
            clock,
            armed: None,
            by,
        }
    }

    /// Sets it if it would ring too late. That it rings too early does no harm.
    pub(super) fn set(&mut self, deadline: Option<Moment>) {
        let Some(deadline) = deadline else { return };
        if self.armed.is_some_and(|armed| armed <= deadline) {
            return;
        }
        self.armed = Some(deadline);
        match &mut self.by {
            By::Kernel(timer) => {
                // Zero would disarm it.
                let wait = (deadline - self.clock.now()).max(Duration::from_micros(1));
                let once = Itimerspec {
                    it_interval: Timespec {
                        tv_sec: 0,
                        tv_nsec: 0,
                    },
                    it_value: Timespec {
                        tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
                        tv_nsec: wait.subsec_nanos().into(),
                    },
                };
                timerfd_settime(timer, TimerfdTimerFlags::empty(), &once)
                    .expect("a timer of the kernel can be set to any time");
            }
            By::Loop(sleep) => sleep.as_mut().reset(self.clock.instant(deadline).into()),
        }
    }

    /// Returns when the time has come; never while none is set.
    pub(super) async fn rings(&mut self) {
        if self.armed.is_none() {
            return std::future::pending().await;
        }
        match &mut self.by {
            By::Kernel(timer) => match timer.readable().await {
                // It is not read: setting it again forgets that it rang.
                Ok(mut ready) => ready.clear_ready(),
                Err(_the_loop_has_ended) => std::future::pending().await,
            },
            By::Loop(sleep) => sleep.await,
        }
        self.armed = None;
    }
}
