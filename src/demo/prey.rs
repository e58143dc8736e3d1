//! Runs `sluice ring exercise` as a process of its own and kills it.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::DemoError;
use crate::clock::Clock;

/// What a killed process left behind beside its ring file.
#[derive(Debug)]
pub struct Remains {
    /// The lines it had told, all whole.
    pub lines: Vec<String>,
    /// How long it had worked after recovery; nothing if it was killed before.
    pub worked: Duration,
    /// What it had complained about.
    pub complaints: String,
}

/// Lets an exercise run for so long and kills it, wherever it is then.
pub fn hunt(
    program: &Path,
    file: &Path,
    lanes: u16,
    seed: u64,
    after: Duration,
) -> Result<Remains, DemoError> {
    let started = DemoError::io(format!("starting {}", program.display()));
    let mut child = Command::new(program)
        .args(["--log", "warn", "ring", "exercise"])
        .arg(file)
        .args(["--lanes", &lanes.to_string(), "--seed", &seed.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(started)?;
    let told = child.stdout.take().expect("its output is piped");
    let mut complained = child.stderr.take().expect("its complaints are piped");
    let clock = Clock::system();
    let reader = std::thread::spawn(move || {
        let mut lines = Vec::new();
        let mut opened = None;
        let mut told = BufReader::new(told);
        loop {
            let mut line = String::new();
            let read = told.read_line(&mut line)?;
            if read == 0 {
                return Ok((lines, opened));
            }
            opened = opened.or_else(|| Some(clock.now()));
            // A line without its end was cut by the kill: nobody was told.
            if let Some(line) = line.strip_suffix('\n') {
                lines.push(line.to_owned());
            }
        }
    });
    let listener = std::thread::spawn(move || {
        let mut complaints = String::new();
        complained
            .read_to_string(&mut complaints)
            .map(|_octets| complaints)
    });
    std::thread::sleep(after);
    let ended = child
        .try_wait()
        .map_err(DemoError::io("asking for the process"))?;
    let killed_at = clock.now();
    child.kill().map_err(DemoError::io("killing the process"))?;
    child
        .wait()
        .map_err(DemoError::io("waiting for the process"))?;
    let broken = |_panic| DemoError::Ended(String::from("its listener broke off"));
    let (lines, opened) = reader
        .join()
        .map_err(broken)?
        .map_err(DemoError::io("listening to the process"))?;
    let complaints = listener
        .join()
        .map_err(broken)?
        .map_err(DemoError::io("listening to the process"))?;
    if let Some(status) = ended {
        return Err(DemoError::Ended(format!("{status}: {complaints}")));
    }
    Ok(Remains {
        lines,
        worked: opened.map_or(Duration::ZERO, |opened| killed_at - opened),
        complaints,
    })
}
