//! `sluice sim smsc`: the simulator on the command line.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::signal::unix::{SignalKind, signal};

use super::command::{self, Reply, json};
use super::config::{Account, Cimd2, Config, ConfigError, Pty, Smpp};
use super::event::Record;
use super::simulator::{Events, Simulator, StartError};

/// An SMSC to test against, over CIMD2 and SMPP.
///
/// It prints where it listens, one line of JSON, then serves until it is interrupted, and prints what it counted.
#[derive(Args, Clone, Debug, Default)]
pub struct SimArgs {
    /// A script: accounts, phones, faults. Options add to it.
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,

    /// Offer SMPP here; port 0 takes any that is free.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub smpp: Option<SocketAddr>,

    /// Offer CIMD2 here; port 0 takes any that is free.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub cimd2: Option<SocketAddr>,

    /// Offer CIMD2 on a serial line, and link its device here.
    #[arg(long, value_name = "LINK")]
    pub pty: Option<PathBuf>,

    /// Who may log in; may be repeated.
    #[arg(long, value_name = "NAME:PASSWORD")]
    pub account: Vec<String>,

    /// Something that goes wrong, as in `kind = "drop_before", on = "submit", every = 10`; may be repeated.
    #[arg(long, value_name = "TOML")]
    pub fault: Vec<String>,

    /// How long each answer takes.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub answer_after: Option<Duration>,

    /// Write everything that happens to this file, as lines of JSON.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,

    /// Take commands from the standard input; `help` lists them.
    #[arg(long)]
    pub commands: bool,
}

/// Why a simulation did not come about.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// An argument makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The script makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// What was asked for cannot be written.
    #[error("{}: {why}", path.display())]
    Record {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// The output or the input is gone.
    #[error("{0}")]
    Output(#[from] io::Error),
}

impl SimArgs {
    /// The script with what the options add to it.
    pub fn config(&self) -> Result<Config, SimError> {
        let mut config = match &self.script {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        if let Some(listen) = self.smpp {
            config.smpp.get_or_insert_with(Smpp::default).listen = listen;
        }
        let serial_only = Cimd2 {
            listen: None,
            ..Cimd2::default()
        };
        if let Some(listen) = self.cimd2 {
            config.cimd2.get_or_insert_with(Cimd2::default).listen = Some(listen);
        }
        if let Some(link) = &self.pty {
            config.cimd2.get_or_insert(serial_only).pty = Some(Pty {
                link: Some(link.clone()),
            });
        }
        for account in &self.account {
            let (name, password) = account.split_once(':').ok_or_else(|| {
                SimError::Usage(format!("--account {account}: write it as NAME:PASSWORD"))
            })?;
            config.accounts.push(Account::new(name, password));
        }
        for text in &self.fault {
            let fault = command::fault(text)
                .map_err(|why| SimError::Usage(format!("--fault {text}: {why}")))?;
            config.faults.push(fault);
        }
        if let Some(wait) = self.answer_after {
            config.centre.answer_after = wait;
        }
        Ok(config)
    }
}

/// Runs a simulator until SIGINT, SIGTERM, or the command `quit`.
pub async fn run(args: SimArgs) -> Result<(), SimError> {
    let simulator = Simulator::start(args.config()?).await?;
    let recording = match &args.record {
        Some(path) => {
            let file = tokio::fs::File::create(path)
                .await
                .map_err(record_failed(path))?;
            Some(tokio::spawn(record(simulator.events(), file)))
        }
        None => None,
    };
    say(&json(simulator.addresses()))?;
    let ended = tokio::select! {
        ended = interrupted() => ended,
        ended = commands(|line| command::obey(&simulator, line)), if args.commands => ended,
    };
    let (counts, breaches) = (simulator.counts(), simulator.breaches());
    simulator.stop().await;
    if let (Some(recording), Some(path)) = (recording, &args.record) {
        match recording.await {
            Ok(written) => written.map_err(record_failed(path))?,
            Err(why) => return Err(record_failed(path)(io::Error::other(why))),
        }
    }
    ended?;
    for breach in breaches {
        say(&format!("breach: {breach}\n"))?;
    }
    say(&json(&counts))?;
    Ok(())
}

fn record_failed(path: &Path) -> impl FnOnce(io::Error) -> SimError {
    let path = path.to_path_buf();
    |why| SimError::Record { path, why }
}

pub(super) fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

pub(super) async fn interrupted() -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Obeys what is typed. When the input ends, all goes on.
pub(super) async fn commands(obey: impl Fn(&str) -> Reply) -> io::Result<()> {
    let (typed, mut lines) = tokio::sync::mpsc::channel(1);
    // A thread of its own: it stays in its read when the process ends, and nothing waits for it.
    std::thread::spawn(move || {
        for line in io::stdin().lines() {
            if typed.blocking_send(line).is_err() {
                break;
            }
        }
    });
    while let Some(line) = lines.recv().await {
        match obey(&line?) {
            Reply::Text(text) => say(&text)?,
            Reply::Quit => return Ok(()),
        }
    }
    std::future::pending().await
}

/// Writes records as they come; what is written lies in the file whenever nothing more waits.
async fn record(mut events: Events, file: tokio::fs::File) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    let mut next: Option<Arc<Record>> = events.next().await;
    while let Some(record) = next.take() {
        out.write_all(json(&*record).as_bytes()).await?;
        next = match events.try_next() {
            Some(record) => Some(record),
            None => {
                out.flush().await?;
                events.next().await
            }
        };
    }
    out.flush().await
}
