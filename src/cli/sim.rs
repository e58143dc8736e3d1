//! `sluice sim`: counterparts to test against.

use clap::Subcommand;

use super::{Exit, Failure};
use crate::sim::cli::{SimArgs, run as run_smsc};

#[derive(Subcommand)]
pub(super) enum SimCommand {
    /// An SMSC, over CIMD2 and SMPP, with faults on demand.
    Smsc(SimArgs),
}

/// Simulators write to the standard output themselves, as they go.
pub(super) fn run(command: SimCommand) -> Result<Exit, Failure> {
    let SimCommand::Smsc(args) = command;
    super::panic::end_the_process(|| false);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run_smsc(args))?;
    Ok(Exit::Good)
}
