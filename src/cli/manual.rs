//! `sluice manual DIRECTORY`: manual pages and completions, made from the command line's own description.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_complete::Shell;

use super::{Exit, Failure};

#[derive(Args)]
pub(super) struct ManualArgs {
    /// Where to write them; it is made if it is not there.
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
}

pub(super) fn run(args: &ManualArgs, command: Command) -> Result<Exit, Failure> {
    fs::create_dir_all(&args.directory)?;
    pages(&command, "", &args.directory)?;
    let mut command = command;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command, "sluice", &args.directory)?;
    }
    Ok(Exit::Good)
}

/// A page for a command and each of those below it, as `sluice-pair-enrol.1`.
fn pages(command: &Command, above: &str, directory: &Path) -> io::Result<()> {
    let name = match above {
        "" => command.get_name().to_owned(),
        above => format!("{above}-{}", command.get_name()),
    };
    let spoken = name.replace('-', " ");
    let described = command.clone().display_name(name.clone()).bin_name(spoken);
    let page = clap_mangen::Man::new(described).title(name.to_uppercase());
    let mut octets = Vec::new();
    page.render(&mut octets)?;
    fs::write(directory.join(format!("{name}.1")), octets)?;
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
    {
        pages(below, &name, directory)?;
    }
    Ok(())
}
