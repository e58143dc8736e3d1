//! `sluice demo …`: short honest stories on this machine.

use std::io::Write;
use std::path::PathBuf;

use clap::Subcommand;

use super::{Exit, Failure};
use crate::demo::story;

/// What can be shown.
#[derive(Subcommand)]
pub(super) enum DemoCommand {
    /// Kill a process that stores messages, ten times, and see whether anything it acknowledged is lost.
    Ring {
        /// Where to make the ring file, to try another disk; a temporary folder if not given.
        #[arg(long = "in", value_name = "DIRECTORY")]
        place: Option<PathBuf>,
        /// Repeats the same moments and orders.
        #[arg(long)]
        seed: Option<u64>,
    },
}

pub(super) fn run(command: DemoCommand, out: &mut dyn Write) -> Result<Exit, Failure> {
    let DemoCommand::Ring { place, seed } = command;
    story::ring(place.as_deref(), seed, out)?;
    Ok(Exit::Good)
}
