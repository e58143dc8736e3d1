//! `sluice demo ring`: ten kills, told as they happen.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use super::DemoError;
use super::chance::Chance;
use super::prey;
use super::promises::Promises;
use crate::clock::Clock;
use crate::ring::RingFile;
use crate::ring::page::PAGE;

const KILLS: u64 = 10;
const LANES: u16 = 3;
/// What each kill waits for lies between these, in ms. Ten of them and what is around them stay below 20 s.
const SOONEST_MS: u64 = 200;
const LATEST_MS: u64 = 900;
/// How long the bare disk is measured beside each run.
const BARE_SLICE: Duration = Duration::from_millis(200);
/// What Linux calls a file system that lives in memory (`TMPFS_MAGIC`).
const IN_MEMORY: i128 = 0x0102_1994;

/// Tells the story in a folder of its own, below `place` or the system's folder for temporary files. An error means
/// that a promise was broken, or that the story could not be told to its end.
pub fn ring(place: Option<&Path>, seed: Option<u64>, out: &mut dyn Write) -> Result<(), DemoError> {
    let seed = seed.unwrap_or_else(|| u64::from(getrandom::u32().unwrap_or(1)));
    let parent = place.map_or_else(std::env::temp_dir, Path::to_owned);
    let folder = parent.join(format!("sluice-demo-{}-{seed}", std::process::id()));
    std::fs::create_dir(&folder).map_err(DemoError::io(format!("making {}", folder.display())))?;
    let told = tell(&folder, seed, out);
    if !matches!(told, Err(DemoError::Broken { .. })) {
        // What is left of it harms nobody.
        let _best_effort = std::fs::remove_dir_all(&folder);
    }
    told
}

fn tell(folder: &Path, seed: u64, out: &mut dyn Write) -> Result<(), DemoError> {
    let program =
        std::env::current_exe().map_err(DemoError::io("finding this program's own file"))?;
    let file = folder.join("rings");
    let mut line = |text: &str| {
        writeln!(out, "{text}")
            .and_then(|()| out.flush())
            .map_err(DemoError::Telling)
    };
    line(&format!(
        "A second sluice moves messages round the rings of {LANES} lanes in {} as fast as the disk syncs,",
        file.display()
    ))?;
    line(
        "telling each step that it acknowledges. It is killed ten times (SIGKILL) while busy. Each time the file is",
    )?;
    line(&format!(
        "opened and compared with what was told. (--seed {seed})"
    ))?;
    if in_memory(folder) {
        line(
            "This folder lives in memory: a sync costs nothing here, and the rates are not a disk's. Try --in.",
        )?;
    }
    line("")?;

    let mut chance = Chance::new(seed);
    let mut promises = Promises::default();
    let mut worked = Duration::ZERO;
    let mut bare = Bare::new(&folder.join("bare"))?;
    let (mut rings, mut exact) = (0, 0);
    for kill in 1..=KILLS {
        let after = Duration::from_millis(SOONEST_MS + chance.below(LATEST_MS - SOONEST_MS));
        let before = promises.told;
        let remains = prey::hunt(&program, &file, LANES, chance.number(), after)?;
        remains.lines.iter().for_each(|line| promises.hear(line));
        promises.killed();
        worked += remains.worked;
        let opened = RingFile::open(&file)?;
        let seen = promises.check(&opened);
        drop(opened);
        if let Some(first) = seen.broken.first() {
            for broken in &seen.broken {
                line(&format!("  BROKEN: {broken}"))?;
            }
            return Err(DemoError::Broken {
                count: seen.broken.len(),
                first: first.clone(),
                kept: folder.display().to_string(),
            });
        }
        rings += seen.rings;
        exact += seen.exact;
        let untold = match seen.untold {
            0 => String::from("nothing more"),
            1 => String::from("and one step that it was about to tell"),
            many => format!("and {many} steps that it was about to tell"),
        };
        line(&format!(
            "{kill:>4}. killed after {} ms: {} messages and {} steps acknowledged; all there, {untold}",
            after.as_millis(),
            thousands(promises.told.messages - before.messages),
            thousands(promises.told.steps - before.steps),
        ))?;
        bare.slice()?;
    }

    let told = promises.told;
    let stored = told.messages + told.copies;
    let seconds = worked.as_secs_f64().max(0.001);
    line("")?;
    line(&format!(
        "Of {} messages acknowledged none is lost, none altered, none there twice, and no pointer ran back.",
        thousands(told.messages)
    ))?;
    line(&format!(
        "{exact} of {rings} times a ring's four pointers stood exactly where it had told; else further, by steps it was about to tell."
    ))?;
    line(&format!(
        "{} messages a second, each stored at both ends of its lane: {} slots a second with {} syncs a second.",
        thousands((told.messages as f64 / seconds) as u64),
        thousands((stored as f64 / seconds) as u64),
        thousands((told.syncs as f64 / seconds) as u64),
    ))?;
    line(&format!(
        "The same disk, one slot written and synced at a time by nothing else: {} a second.",
        thousands(bare.rate())
    ))?;
    line(
        "A kill leaves the page cache alone; what a power cut can do is simulated in the tests, and tried for real by",
    )?;
    line("pulling the plug on `sluice ring exercise FILE`, then `sluice ring verify FILE`.")
}

fn in_memory(folder: &Path) -> bool {
    rustix::fs::statfs(folder).is_ok_and(|found| i128::from(found.f_type) == IN_MEMORY)
}

/// `12,345`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// What the disk does without a ring: a slot written, a sync, round and round in a file of its own.
struct Bare {
    file: File,
    clock: Clock,
    slots: u64,
    took: Duration,
}

impl Bare {
    fn new(path: &Path) -> Result<Self, DemoError> {
        let made = || -> io::Result<File> {
            let file = File::options().write(true).create_new(true).open(path)?;
            file.write_all_at(&vec![0; 255 * PAGE], 0)?;
            file.sync_all()?;
            Ok(file)
        };
        Ok(Self {
            file: made().map_err(DemoError::io("making a file to measure the disk"))?,
            clock: Clock::system(),
            slots: 0,
            took: Duration::ZERO,
        })
    }

    fn slice(&mut self) -> Result<(), DemoError> {
        let failed = || DemoError::io("measuring the disk");
        let started = self.clock.now();
        while self.clock.now() - started < BARE_SLICE {
            let page = [self.slots as u8; PAGE];
            let offset = self.slots % 255 * PAGE as u64;
            self.file.write_all_at(&page, offset).map_err(failed())?;
            self.file.sync_data().map_err(failed())?;
            self.slots += 1;
        }
        self.took += self.clock.now() - started;
        Ok(())
    }

    fn rate(&self) -> u64 {
        (self.slots as f64 / self.took.as_secs_f64().max(0.001)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn numbers_are_grouped_for_reading() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(12_345_678), "12,345,678");
    }
}
