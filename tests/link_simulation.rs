//! Edge and central on real rings, with simulated time, line and disks: loss, doubling, overtaking, cuts of the line,
//! kills, power cuts, damaged slots, connections beside one another.
//!
//! `SLUICE_SEEDS` says how many seeds run (else 5,000), `SLUICE_SEED` runs one and prints its story.

#![allow(unreachable_pub, reason = "parts of one test")]

#[path = "link_simulation/end.rs"]
mod end;
mod support;
#[path = "link_simulation/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use support::chance::from_environment;
use world::{Found, World};

fn run(seed: u64, world: &mut World) -> Found {
    catch_unwind(AssertUnwindSafe(|| world.run())).unwrap_or_else(|panic| {
        let words = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|&it| it.to_owned()));
        Err(format!(
            "seed {seed} panicked: {}",
            words.unwrap_or_default()
        ))
    })
}

/// Runs the seed again, and prints what happened.
fn tell(seed: u64, found: &str) -> ! {
    let mut world = World::new(seed, true);
    let again = run(seed, &mut world);
    let story = world.story.take().unwrap_or_default();
    for line in story.iter().rev().take(300).rev() {
        println!("{line}");
    }
    println!("again: {again:?}");
    panic!("seed {seed}: {found} (SLUICE_SEED={seed} runs it alone)");
}

#[test]
fn every_message_comes_to_its_goal_once_and_in_order_whatever_fails() {
    if let Ok(seed) = std::env::var("SLUICE_SEED") {
        let seed = seed.parse().expect("SLUICE_SEED is a number");
        match run(seed, &mut World::new(seed, false)) {
            Ok(()) => return,
            Err(found) => tell(seed, &found),
        }
    }
    let first = from_environment("SLUICE_FIRST_SEED", 0);
    let seeds = from_environment("SLUICE_SEEDS", 5000);
    let next = AtomicU64::new(first);
    let failed = AtomicU64::new(u64::MAX);
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while failed.load(Ordering::Relaxed) == u64::MAX {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        return;
                    }
                    if run(seed, &mut World::new(seed, false)).is_err() {
                        failed.fetch_min(seed, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    if failed != u64::MAX {
        let found = run(failed, &mut World::new(failed, false));
        tell(failed, &format!("{found:?}"));
    }
}
