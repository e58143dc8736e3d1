//! What a panic does to a mode that runs for long. Each story needs a process of its own to end: this same binary, told
//! by its environment which one to play.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output};

use sluice::cli::panic::end_the_process;

const STORY: &str = "SLUICE_TEST_PANIC";
/// Number of SIGABRT.
const ABORTED: i32 = 6;

fn play(story: &str) -> Output {
    let binary = std::env::current_exe().unwrap();
    Command::new(binary)
        .args(["--exact", "player", "--nocapture"])
        .env(STORY, story)
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap()
}

thread_local! {
    static CAUGHT: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Plays the story that it is asked for; by itself nothing.
#[test]
fn player() {
    let Ok(story) = std::env::var(STORY) else {
        return;
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    end_the_process(|| CAUGHT.get());
    match story.as_str() {
        "thread" => {
            let thread = std::thread::Builder::new().name("lane oslo/a".into());
            let ghost = thread.spawn(|| panic!("pointers out of order"));
            // Never comes back.
            let _ = ghost.unwrap().join();
        }
        "caught" => {
            CAUGHT.set(true);
            let done = std::panic::catch_unwind(|| panic!("a page is torn"));
            CAUGHT.set(false);
            assert!(done.is_err());
        }
        other => unreachable!("no such story: {other}"),
    }
    eprintln!("it lives on");
}

#[test]
fn a_panic_in_any_thread_is_logged_with_its_place_and_ends_the_process() {
    let output = play("thread");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(ABORTED), "{told}");
    for part in [
        "ERROR",
        "tests/panics.rs:",
        "lane oslo/a",
        "pointers out of order",
    ] {
        assert!(told.contains(part), "{part} is missing: {told}");
    }
    assert!(!told.contains("it lives on"), "{told}");
}

#[test]
fn a_panic_that_its_thread_catches_is_noted_and_lets_the_process_live() {
    let output = play("caught");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("WARN"), "{told}");
    assert!(told.contains("a page is torn"), "{told}");
    assert!(told.contains("it lives on"), "{told}");
}
