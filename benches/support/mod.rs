//! What all benchmarks share: figures with goals, and slices measured against a baseline of the same run.

#![allow(dead_code, unreachable_pub, reason = "each benchmark uses its part")]

use std::io;
use std::time::{Duration, Instant};

use sluice::ring::storage::Storage;

/// Which way a goal is to be met.
#[derive(Clone, Copy)]
pub enum Goal {
    /// The value must be at least this.
    AtLeast(f64),
    /// The value must be at most this.
    AtMost(f64),
}

/// Prints one goal's line: `figure NAME VALUE UNIT goal >=X met`.
pub fn figure(name: &str, value: f64, unit: &str, goal: Goal) {
    let (sign, limit, met) = match goal {
        Goal::AtLeast(limit) => (">=", limit, value >= limit),
        Goal::AtMost(limit) => ("<=", limit, value <= limit),
    };
    let met = if met { "met" } else { "missed" };
    println!(
        "figure {name} {} {unit} goal {sign}{limit} {met}",
        short(value)
    );
}

fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 1000.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

/// The median of some values.
pub fn median(values: &mut [f64]) -> f64 {
    assert!(!values.is_empty(), "a median needs values");
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    }
}

/// The value below which that share of all lies.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    assert!(!values.is_empty(), "a percentile needs values");
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    values[((last as f64) * share).round() as usize]
}

/// Runs `work` again and again for about `slice` and gives operations a second; `work` does so many at a time as it
/// returns.
pub fn rate(slice: Duration, mut work: impl FnMut() -> u64) -> f64 {
    let start = Instant::now();
    let mut done = 0;
    while start.elapsed() < slice {
        done += work();
    }
    done as f64 / start.elapsed().as_secs_f64()
}

/// Base slice, candidate, base slice, so often; gives the median of candidate over the mean of the two bases beside
/// it, and the median of both rates.
pub fn ratio(
    rounds: usize,
    mut base: impl FnMut() -> f64,
    mut candidate: impl FnMut() -> f64,
) -> Ratio {
    let mut ratios = Vec::new();
    let mut bases = Vec::new();
    let mut candidates = Vec::new();
    let mut before = base();
    for _ in 0..rounds {
        let middle = candidate();
        let after = base();
        ratios.push(middle / f64::midpoint(before, after));
        bases.push(after);
        candidates.push(middle);
        before = after;
    }
    Ratio {
        ratio: median(&mut ratios),
        base: median(&mut bases),
        candidate: median(&mut candidates),
    }
}

/// What [`ratio`] found.
pub struct Ratio {
    /// Candidate over base.
    pub ratio: f64,
    /// The base's own rate, operations a second.
    pub base: f64,
    /// The candidate's own rate, operations a second.
    pub candidate: f64,
}

/// A disk whose flush takes longer.
pub struct Slowed<S>(pub S, pub Duration);

impl<S: Storage> Storage for Slowed<S> {
    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, out)
    }
    fn write_at(&self, offset: u64, octets: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, octets)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()?;
        if !self.1.is_zero() {
            std::thread::sleep(self.1);
        }
        Ok(())
    }
}
