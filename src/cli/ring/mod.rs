//! `sluice ring …`: make, look into, check, renew and exercise ring files.

mod show;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Exit, Failure};
use crate::clock::Clock;
use crate::demo::DemoError;
use crate::demo::exercise::{self, Exercise};
use crate::lane::RingName;
use crate::ring::inspect::{Depth, Inspection, inspect};
use crate::ring::{RingFile, renew};

/// What can be done with a ring file.
#[derive(Subcommand)]
pub(super) enum RingCommand {
    /// Make a ring file, filled to its full size.
    Create {
        /// Where to make it.
        file: PathBuf,
        /// Its rings, as edge/lane:mo:origin: mo or mt, origin or mirror.
        #[arg(required = true, value_name = "RING")]
        rings: Vec<RingName>,
        #[command(flatten)]
        form: Form,
    },
    /// Show pointers, waiting messages and damage; also of a file in use, stopped or damaged. Changes nothing.
    Show {
        /// The ring file.
        file: PathBuf,
        /// Each occupied slot too.
        #[arg(long)]
        slots: bool,
        #[command(flatten)]
        form: Form,
    },
    /// Show the messages themselves: subscribers' numbers and texts. Changes nothing.
    Dump {
        /// The ring file.
        file: PathBuf,
        #[command(flatten)]
        form: Form,
    },
    /// Check every octet that tells something: exit code 0 sound, 1 damaged, 74 unreadable. Changes nothing.
    Verify {
        /// The ring file.
        file: PathBuf,
        #[command(flatten)]
        form: Form,
    },
    /// Give fenced rings a new epoch and take their waiting messages along under new numbers.
    ///
    /// What was sent already, and not processed at the far end, goes there again under its new number: the far end
    /// may get it twice. Messages that this file has lost are named and stay lost here. Stop the gateway first, and
    /// renew the far end's ring of the same lane too if it does not take the new epoch by itself.
    Renew {
        /// The ring file; it is kept as FILE.old-EPOCH.
        file: PathBuf,
        /// This ring, fenced or not; may be given several times.
        #[arg(long = "ring", value_name = "NAME")]
        rings: Vec<RingName>,
        #[command(flatten)]
        form: Form,
    },
    /// Move messages round rings as fast as the disk allows, and tell each step that was acknowledged.
    ///
    /// To accept a disk: run it, cut the power, look with `sluice ring verify`, run it again. It never ends by
    /// itself unless told so.
    Exercise {
        /// The ring file; made if there is none.
        file: PathBuf,
        /// How many lanes, each with an origin and its mirror.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=256))]
        lanes: u16,
        /// Repeats the same order of steps, as far as the disk lets it.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Messages a second and lane; as fast as possible if not given.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        rate: Option<u32>,
        /// Stop in order after so many messages on each lane.
        #[arg(long)]
        messages: Option<u64>,
    },
}

/// In which form to answer.
#[derive(Args, Clone, Copy)]
pub(super) struct Form {
    /// For programs.
    #[arg(long)]
    json: bool,
}

/// Contents never go without their warning.
#[derive(serde::Serialize)]
struct Dump<'a> {
    warning: &'static str,
    #[serde(flatten)]
    seen: &'a Inspection,
}

pub(super) fn run(command: RingCommand, out: &mut dyn Write) -> Result<Exit, Failure> {
    match command {
        RingCommand::Create { file, rings, form } => create(&file, &rings, form, out),
        RingCommand::Show { file, slots, form } => {
            let mut seen = inspect(&file, Depth::Slots)?;
            if !slots {
                seen.rings.iter_mut().for_each(|ring| ring.slots.clear());
            }
            tell(&seen, form, out, |out| {
                show::rings(&seen, out)?;
                if slots {
                    show::slots(&seen, Clock::system().wall(), out)?;
                }
                Ok(())
            })?;
            Ok(Exit::Good)
        }
        RingCommand::Dump { file, form } => {
            let seen = inspect(&file, Depth::Contents)?;
            let dump = Dump {
                warning: show::WARNING,
                seen: &seen,
            };
            tell(&dump, form, out, |out| show::contents(&seen, out))?;
            Ok(Exit::Good)
        }
        RingCommand::Verify { file, form } => {
            let seen = inspect(&file, Depth::Slots)?;
            tell(&seen, form, out, |out| show::findings(&seen, out))?;
            Ok(if seen.is_sound() {
                Exit::Good
            } else {
                Exit::Degraded
            })
        }
        RingCommand::Renew { file, rings, form } => {
            let renewed = renew::renew(&file, &rings)?;
            tell(&renewed, form, out, |out| show::renewal(&renewed, out))?;
            Ok(Exit::Good)
        }
        RingCommand::Exercise {
            file,
            lanes,
            seed,
            rate,
            messages,
        } => {
            let exercise = Exercise {
                lanes,
                seed,
                rate,
                messages,
            };
            exercised(exercise::run(&file, exercise, Arc::new(say)))
        }
    }
}

fn create(
    file: &Path,
    rings: &[RingName],
    form: Form,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let made = RingFile::create(file, rings)?.file;
    // So that it reads as stopped in order, which it is.
    tokio::runtime::Builder::new_current_thread()
        .build()?
        .block_on(made.close())
        .map_err(DemoError::File)?;
    let length = std::fs::metadata(file)?.len();
    let made =
        json!({ "path": file.display().to_string(), "rings": rings.len(), "octets": length });
    tell(&made, form, out, |out| {
        let rings = show::count(rings.len() as u64, "ring");
        writeln!(
            out,
            "{}: made for {rings}, {length} octets, all of them on disk",
            file.display()
        )
    })?;
    Ok(Exit::Good)
}

/// Answers for programs or for people.
fn tell(
    what: &impl serde::Serialize,
    form: Form,
    out: &mut dyn Write,
    people: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    if form.json {
        serde_json::to_writer_pretty(&mut *out, what)?;
        writeln!(out)?;
    } else {
        people(out)?;
    }
    out.flush()
}

/// One line, one write: who kills the process reads whole lines up to the last.
fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes())?;
    out.flush()
}

fn exercised(done: Result<(), DemoError>) -> Result<Exit, Failure> {
    match done {
        Err(DemoError::Telling(why)) => Err(Failure::Output(why)),
        done => Ok(done.map(|()| Exit::Good)?),
    }
}
