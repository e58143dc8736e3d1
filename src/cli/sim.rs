//! `sluice sim`: counterparts to test against.

use clap::Subcommand;

use super::{Exit, Failure};
use crate::sim::cli::{SimArgs, run as run_smsc};
use crate::sim::wan::cli::{WanArgs, run as run_wan};

#[derive(Subcommand)]
pub(super) enum SimCommand {
    /// An SMSC, over CIMD2 and SMPP, with faults on demand.
    Smsc(SimArgs),
    /// A bad internet line, for UDP and TCP.
    Wan(WanArgs),
}

/// Simulators write to the standard output themselves, as they go.
pub(super) fn run(command: SimCommand) -> Result<Exit, Failure> {
    super::panic::end_the_process(|| false);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    match command {
        SimCommand::Smsc(args) => runtime.block_on(run_smsc(args))?,
        SimCommand::Wan(args) => runtime.block_on(run_wan(args))?,
    }
    Ok(Exit::Good)
}
