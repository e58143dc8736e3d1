//! A panic ends the process, at once and whole.
//!
//! A panic is an assertion that did not hold: this program is wrong about something, and what it holds in memory is not
//! to be trusted. A thread that ends while the others go on leaves a ghost: sessions that nobody serves, behind a status
//! that says all is well. So the modes that run for long end by SIGABRT: systemd restarts them (it counts a signal as a
//! failure), keeps a core if it is told to, and the rings recover as after any kill.
//!
//! What opens a database that may be damaged catches panics on purpose. It says so for its thread, and is let be: hand
//! its word to [`end_the_process`].

use std::panic::PanicHookInfo;

/// From now on a panic is logged with its place, and the process aborts; except on a thread of which `is_caught` says
/// that it catches its panics: there it is only noted. `is_caught` is asked on the thread that panics and must not
/// panic.
pub fn end_the_process(is_caught: impl Fn() -> bool + Send + Sync + 'static) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let place = info
            .location()
            .map_or_else(|| "a place unknown".into(), ToString::to_string);
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("without a name");
        let what = what(info);
        if is_caught() {
            tracing::warn!(%place, thread, what, "a panic was caught");
            return;
        }
        tracing::error!(%place, thread, what, "the program is wrong about something and ends; it is safe to start it again");
        // Tells the way there, if it was asked to by RUST_BACKTRACE.
        before(info);
        std::process::abort();
    }));
}

fn what<'a>(info: &'a PanicHookInfo<'_>) -> &'a str {
    info.payload_as_str().unwrap_or("no reason given")
}
