//! What systemd hears: ready, reloading, stopping, a line about the state, and the watchdog's bark.
//!
//! Without systemd (no `NOTIFY_SOCKET`) everything here does nothing. The watchdog must be fed by progress alone: whoever
//! calls [`Notifier::alive`] has just seen that what should move does move.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sd_notify::NotifyState;

/// The way to systemd.
#[derive(Debug, Default)]
pub struct Notifier {
    /// What was said last: the line is sent when it changes only.
    said: Mutex<String>,
}

impl Notifier {
    /// Lanes and link are able to work.
    pub fn ready(&self) {
        send(&[NotifyState::Ready]);
    }

    /// The configuration is being read again; [`Notifier::ready`] ends it.
    pub fn reloading(&self) {
        let Ok(now) = NotifyState::monotonic_usec_now() else {
            return;
        };
        send(&[NotifyState::Reloading, now]);
    }

    /// It stops in order.
    pub fn stopping(&self) {
        send(&[NotifyState::Stopping]);
    }

    /// What `systemctl status` shows in one line.
    pub fn status(&self, line: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if *said != line {
            line.clone_into(&mut said);
            // A line ends where it is broken, and what follows would be another word to systemd.
            let line = line.replace('\n', " ");
            send(&[NotifyState::Status(&line)]);
        }
    }

    /// Something moved, or nothing had to.
    pub fn alive(&self) {
        send(&[NotifyState::Watchdog]);
    }
}

/// How often systemd wants to hear [`Notifier::alive`], with a half to spare; nothing if it does not.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(why) = sd_notify::notify(states) {
        tracing::debug!(%why, "systemd did not take a notice");
    }
}
