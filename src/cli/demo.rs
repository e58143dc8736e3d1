//! `sluice demo …`: short honest stories on this machine.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{Exit, Failure};
use crate::demo::appliance::{self, Scene};
use crate::demo::story;

/// `sluice demo`: the whole appliance, unless a part is named.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct DemoArgs {
    /// A simulated carrier, an edge, a bad line, central, and people at both ends, told as a story.
    #[arg(long)]
    headless: bool,
    /// The carrier speaks SMPP, as it does unless told otherwise.
    #[arg(long, conflicts_with = "cimd2")]
    smpp: bool,
    /// The carrier speaks CIMD2.
    #[arg(long)]
    cimd2: bool,
    /// How long a packet takes to the far end and back.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "300ms")]
    rtt: Duration,
    /// How many of a hundred packets are lost each way.
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    loss: f64,
    #[command(subcommand)]
    part: Option<DemoCommand>,
}

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

pub(super) fn run(args: DemoArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let Some(DemoCommand::Ring { place, seed }) = args.part else {
        return whole(&args, out);
    };
    story::ring(place.as_deref(), seed, out)?;
    Ok(Exit::Good)
}

fn whole(args: &DemoArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let usage = |why: &str| Err(Failure::Usage(why.into()));
    if !args.headless {
        return usage("say what to show: `sluice demo --headless`, or `sluice demo ring`");
    }
    if !(0.0..=20.0).contains(&args.loss) {
        return usage("--loss is not between 0 and 20 percent");
    }
    if args.rtt > Duration::from_secs(2) {
        return usage("--rtt is longer than 2s");
    }
    let scene = Scene {
        cimd2: args.cimd2,
        round_trip: args.rtt,
        loss_percent: args.loss,
    };
    appliance::tell(scene, out)?;
    Ok(Exit::Good)
}
