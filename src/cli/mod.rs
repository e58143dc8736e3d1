//! The command line: what people type, what they read, and the exit code that scripts go by.
//!
//! Commands write what was asked for to the output, complaints go out as one sentence by way of [`Failure`], logs to
//! the standard error. It holds no logic of its own: each command calls the same code that the gateway runs.

mod attributes;
mod check;
mod demo;
mod desk;
mod languages;
mod manual;
pub mod pair;
pub mod panic;
pub mod people;
mod ring;
mod serve;
mod sim;
mod status;
mod store;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::clock::Clock;
use crate::demo::DemoError;
use crate::ring::RingError;
use crate::sim::StartError;
use crate::sim::cli::SimError;
use crate::status::client::AskError;
use crate::store::StoreError;

/// How a command ended, as scripts and systemd see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// All is well.
    Good,
    /// It works, and somebody should look.
    Degraded,
    /// It does not work.
    Down,
    /// The command was not understood.
    Usage,
    /// A file or disk failed; a restart does not cure that.
    Storage,
    /// The configuration does not fit; a restart does not cure that.
    Configuration,
}

impl Exit {
    /// The number: small ones for states, those of `sysexits.h` for what a restart does not cure.
    pub const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Degraded => 1,
            Self::Down => 2,
            Self::Usage => 64,
            Self::Storage => 74,
            Self::Configuration => 78,
        }
    }
}

/// Why a command came to nothing. Its sentence is all that people get to see.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The arguments make no sense.
    #[error("{0}")]
    Usage(String),
    /// A ring file cannot be used.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// An exercise or a demonstration failed.
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// A simulation did not come about.
    #[error(transparent)]
    Sim(#[from] SimError),
    /// Pairing came to nothing.
    #[error(transparent)]
    Pair(#[from] pair::PairError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody was registered.
    #[error(transparent)]
    People(#[from] people::PeopleError),
    /// A service does not run.
    #[error(transparent)]
    Serve(#[from] serve::ServeError),
    /// Central's desk was of no use.
    #[error(transparent)]
    Desk(#[from] desk::DeskFailure),
    /// What runs here did not answer, or refused.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The output cannot be written.
    #[error("writing the output failed: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// The exit code that goes with it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_)
            | Self::Sim(SimError::Usage(_))
            | Self::Ring(
                RingError::Twice { .. }
                | RingError::TooManyRings { .. }
                | RingError::NoSuchRing { .. },
            ) => Exit::Usage,
            Self::Demo(DemoError::Broken { .. }) => Exit::Down,
            Self::Sim(SimError::Config(_) | SimError::Start(StartError::Config(_))) => {
                Exit::Configuration
            }
            Self::Sim(SimError::Start(StartError::Place { .. })) => Exit::Down,
            Self::Pair(_) => Exit::Configuration,
            Self::People(why) => why.exit(),
            Self::Serve(why) => why.exit(),
            Self::Desk(why) => why.exit(),
            Self::Ask(AskError::Refused(_)) => Exit::Degraded,
            Self::Ask(_) => Exit::Down,
            Self::Ring(_) | Self::Demo(_) | Self::Sim(_) | Self::Store(_) | Self::Output(_) => {
                Exit::Storage
            }
        }
    }
}

/// SMSC buffer gateway: holds short messages in persistent rings between a carrier's SMSC and a distant IM server.
#[derive(Parser)]
#[command(name = "sluice", version, disable_help_subcommand = true)]
struct Sluice {
    /// What to log to the standard error: error, warn, info, debug, trace, or target=level,…
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    /// Run as one of the two services; the same as `sluice edge` and `sluice central`.
    #[arg(long, value_enum)]
    mode: Option<serve::Mode>,
    /// Its configuration.
    #[arg(long, value_name = "FILE", requires = "mode")]
    config: Option<std::path::PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the edge: what stands beside an SMSC.
    Edge(serve::RunArgs),
    /// Run central: the server that edges connect to.
    Central(serve::RunArgs),
    /// Hand central a text for a phone.
    Send(desk::SendArgs),
    /// Print what phones wrote, and how texts fared.
    Inbox(desk::InboxArgs),
    /// Show how an edge or central is that runs here; 0 is well, 1 degraded, 2 down.
    Status(status::StatusArgs),
    /// Suspend, resume or drain a lane.
    #[command(subcommand)]
    Lane(status::LaneCommand),
    /// List, resend or drop messages that an SMSC may or may not have.
    #[command(subcommand, name = "indoubt")]
    InDoubt(status::InDoubtCommand),
    /// Tell what became of a message.
    Trace(status::TraceArgs),
    /// Read the configuration again, and tell what changed.
    Reload(status::SocketArgs),
    /// Check a configuration and all that it names.
    Check(check::CheckArgs),
    /// Write manual pages and completions.
    #[command(hide = true)]
    Manual(manual::ManualArgs),
    /// Make, look into, check and renew ring files.
    #[command(subcommand)]
    Ring(ring::RingCommand),
    /// Prove edge and central to each other: the operator's authority and what it gives out.
    Pair(pair::PairArgs),
    /// Show what the parts of Sluice do, on this machine.
    Demo(demo::DemoArgs),
    /// Counterparts to test against.
    #[command(subcommand)]
    Sim(sim::SimCommand),
    /// Export, import and check central's state while central is stopped.
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Register users of the IM service, list them, shut them out.
    #[command(subcommand)]
    User(people::UserCommand),
    /// Register clients of the IM service, and list them.
    #[command(subcommand)]
    Client(people::ClientCommand),
}

/// Runs the command that the arguments name, the program's own name first among them.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let sluice = match Sluice::try_parse_from(arguments) {
        Ok(sluice) => sluice,
        Err(told)
            if matches!(
                told.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            ) =>
        {
            write!(out, "{told}")?;
            return Ok(Exit::Good);
        }
        Err(wrong) => return Err(Failure::Usage(sentence(&wrong))),
    };
    let command = match (sluice.mode, sluice.command) {
        (None, Some(command)) => command,
        (Some(serve::Mode::Edge), None) => Command::Edge(serve::RunArgs::on(sluice.config)),
        (Some(serve::Mode::Central), None) => Command::Central(serve::RunArgs::on(sluice.config)),
        (Some(_), Some(_)) => {
            let why = "give either --mode or a command; `sluice --help` tells what there is";
            return Err(Failure::Usage(why.into()));
        }
        (None, None) => {
            let why = "a command is missing; `sluice --help` tells what there is";
            return Err(Failure::Usage(why.into()));
        }
    };
    let filter = sluice.log.as_deref();
    // The two services log as they are configured.
    if !matches!(command, Command::Edge(_) | Command::Central(_)) {
        log(filter.unwrap_or("error"))?;
    }
    let done = match command {
        Command::Edge(args) => serve::run(serve::Mode::Edge, args, filter),
        Command::Central(args) => serve::run(serve::Mode::Central, args, filter),
        Command::Send(args) => desk::send(args, out),
        Command::Inbox(args) => desk::inbox(&args, out),
        Command::Status(args) => status::status(&args, out),
        Command::Lane(command) => status::lane(command, out),
        Command::InDoubt(command) => status::in_doubt(command, out),
        Command::Trace(args) => status::trace(&args, out),
        Command::Reload(socket) => status::reload(&socket, out),
        Command::Check(args) => check::run(&args, out),
        Command::Manual(args) => manual::run(&args, Sluice::command()),
        Command::Ring(command) => ring::run(command, out),
        Command::Pair(args) => pair::run(args, Clock::system().wall(), out)
            .map(|()| Exit::Good)
            .map_err(Failure::from),
        Command::Demo(command) => demo::run(command, out),
        Command::Sim(command) => sim::run(command),
        Command::Store(command) => store::run(command, out),
        Command::User(command) => people::users(command, &mut io::stdin().lock(), out),
        Command::Client(command) => people::clients(command, out),
    };
    match done {
        // Whoever read the output has read enough.
        Err(Failure::Output(why)) if why.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Good),
        done => done,
    }
}

/// clap tells an error as a paragraph, with a usage below; here it is one sentence that names the next step.
fn sentence(wrong: &clap::Error) -> String {
    let told = wrong.to_string();
    let first = told.split("\n\n").next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let words: Vec<&str> = first.split_whitespace().collect();
    let told = match wrong.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            String::from("a command is missing")
        }
        _ => words.join(" "),
    };
    let near = match wrong.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(near)) => near.first(),
        Some(ContextValue::String(near)) => Some(near),
        _ => None,
    };
    if let Some(near) = near {
        return format!("{told}; the nearest is `{near}`, and `sluice --help` tells what there is");
    }
    format!("{told}; `sluice --help` tells what there is")
}

/// Commands are quiet unless something is wrong.
fn log(filter: &str) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|why| Failure::Usage(format!("--log {filter}: {why}")))?;
    // A second run in one process (a test) keeps the first one's.
    let _already_set = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(filter)
        .try_init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(arguments: &[&str]) -> Result<Exit, Failure> {
        let arguments = ["sluice"].iter().chain(arguments).map(OsString::from);
        run(arguments, &mut Vec::new())
    }

    #[test]
    fn what_is_not_understood_is_one_sentence_and_code_64() {
        for arguments in [
            &[][..],
            &["ring"],
            &["rnig"],
            &["ring", "show"],
            &["ring", "show", "--slotz", "x"],
            &["ring", "create", "x", "oslo"],
            &["--log", "a=b=c", "ring", "show", "x"],
        ] {
            let failure = told(arguments).unwrap_err();
            assert_eq!(failure.exit(), Exit::Usage, "{arguments:?}");
            let sentence = failure.to_string();
            assert!(!sentence.contains('\n'), "{sentence}");
        }
        let failure = told(&["ring", "create", "x", "oslo"]).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "invalid value 'oslo' for '<RING>...': a ring is written edge/lane:mo:origin, with mo or mt and origin \
             or mirror; `sluice --help` tells what there is"
        );
    }

    #[test]
    fn help_and_version_are_answers_not_errors() {
        assert_eq!(told(&["--help"]).unwrap(), Exit::Good);
        assert_eq!(told(&["ring", "--help"]).unwrap(), Exit::Good);
        assert_eq!(told(&["--version"]).unwrap(), Exit::Good);
    }

    #[test]
    fn the_command_tree_is_sound() {
        <Sluice as clap::CommandFactory>::command().debug_assert();
    }
}
