//! `sluice user …` and `sluice client …`: who may use the IM service. Central has its store open while it runs, so these
//! work while it is stopped.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Exit, Failure};
use crate::clock::Clock;
use crate::im::chance::Chance;
use crate::im::change::Change;
use crate::im::config::Config;
use crate::im::names::ClientName;
use crate::im::register::{self, NotRegistered};
use crate::im::shelf::Shelf;
use crate::message::UserName;
use crate::store::im::ImStore;
use crate::store::{Store, StoreConfig, StoreError};

/// Where central keeps its store, unless it is configured otherwise.
const DIRECTORY: &str = "/var/lib/sluice/store";

/// Names that are listed at once.
const PAGE: usize = 1000;

/// Which store.
#[derive(Args)]
pub(super) struct Where {
    /// The store's directory.
    #[arg(long, default_value = DIRECTORY)]
    store: PathBuf,
}

/// What can be done with users.
#[derive(Subcommand)]
pub(super) enum UserCommand {
    /// Register a user; the password is read from the input, in one line.
    Add {
        /// The user's name.
        name: String,
        #[command(flatten)]
        place: Where,
    },
    /// List all users.
    Ls {
        #[command(flatten)]
        place: Where,
    },
    /// Set a new password, read from the input, and end all sessions of the user.
    Password {
        /// The user's name.
        name: String,
        #[command(flatten)]
        place: Where,
    },
    /// Shut a user out, and end all its sessions; what it has is kept.
    Shut {
        /// The user's name.
        name: String,
        #[command(flatten)]
        place: Where,
    },
    /// Let a user in again that was shut out.
    Open {
        /// The user's name.
        name: String,
        #[command(flatten)]
        place: Where,
    },
}

/// What can be done with clients.
#[derive(Subcommand)]
pub(super) enum ClientCommand {
    /// Register a client, and print its id, which nobody is told a second time.
    Add {
        /// The client's name.
        name: String,
        #[command(flatten)]
        place: Where,
    },
    /// List all clients.
    Ls {
        #[command(flatten)]
        place: Where,
    },
}

/// Nobody was registered.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// It does not fit.
    #[error(transparent)]
    Refused(#[from] NotRegistered),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no password.
    #[error("the password is missing: give it in one line on the input")]
    NoPassword,
}

impl From<crate::message::Refused> for PeopleError {
    fn from(why: crate::message::Refused) -> Self {
        Self::Refused(why.into())
    }
}

impl PeopleError {
    /// The exit code that goes with it.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Refused(NotRegistered::Refused(_)) | Self::NoPassword => Exit::Usage,
            Self::Refused(NotRegistered::Shelf(_)) | Self::Store(_) => Exit::Storage,
        }
    }
}

/// The records of a store that is there, while nobody else has it.
struct Register {
    store: Store,
    records: ImStore,
}

impl Register {
    fn open(directory: &Path) -> Result<Self, PeopleError> {
        if !directory.is_dir() {
            let path = directory.to_owned();
            return Err(StoreError::Missing { path }.into());
        }
        let store = Store::open(directory, &StoreConfig::default())?;
        let records = ImStore::new(store.clone(), None)?;
        Ok(Self { store, records })
    }

    fn keep(&self, changes: &[Change]) -> Result<(), PeopleError> {
        use crate::im::door::keep::Keep;
        let failed = |why: String| StoreError::Failed(why.into());
        self.records.hand_over(changes).map_err(failed)?;
        let (batch, pending) = self.records.take();
        self.store.submit(batch)?.wait()?;
        self.records.settled(pending);
        Ok(())
    }
}

fn chance() -> Result<Chance, PeopleError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|why| StoreError::Failed(why.to_string().into()))?;
    Ok(Chance::new(seed))
}

fn password(input: &mut dyn BufRead) -> Result<String, PeopleError> {
    let mut line = String::new();
    // What cannot be read is missing.
    let _read = input.read_line(&mut line).unwrap_or_default();
    let password = line.trim_end_matches(['\r', '\n']);
    match password.is_empty() {
        true => Err(PeopleError::NoPassword),
        false => Ok(password.into()),
    }
}

/// Runs a command for users.
pub(super) fn users(
    command: UserCommand,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let config = Config::default();
    let now = Clock::system().wall();
    let done = match command {
        UserCommand::Add { name, place } => {
            let user = UserName::new(&name).map_err(PeopleError::from)?;
            let password = password(input)?;
            let register = Register::open(&place.store)?;
            let shelf = &register.records;
            let added = register::add_user(shelf, &config, &mut chance()?, now, &user, &password);
            register.keep(&added.map_err(PeopleError::from)?)?;
            format!("{} is registered", user.as_str())
        }
        UserCommand::Password { name, place } => {
            let user = UserName::new(&name).map_err(PeopleError::from)?;
            let password = password(input)?;
            let register = Register::open(&place.store)?;
            let shelf = &register.records;
            let set = register::set_password(shelf, &config, &mut chance()?, &user, &password);
            register.keep(&set.map_err(PeopleError::from)?)?;
            format!("{} has a new password", user.as_str())
        }
        UserCommand::Shut { name, place } => shut(&name, &place, true)?,
        UserCommand::Open { name, place } => shut(&name, &place, false)?,
        UserCommand::Ls { place } => {
            let register = Register::open(&place.store)?;
            let mut last = None;
            loop {
                let page = register
                    .records
                    .users(last.as_ref(), PAGE)
                    .map_err(PeopleError::from)?;
                for user in &page {
                    let record = register.records.user(user);
                    let record = record.map_err(|why| PeopleError::Refused(why.into()))?;
                    let is_shut = record.is_some_and(|record| record.is_shut);
                    writeln!(
                        out,
                        "{}{}",
                        user.as_str(),
                        if is_shut { " (shut)" } else { "" }
                    )?;
                }
                match page.into_iter().next_back() {
                    Some(user) => last = Some(user),
                    None => return Ok(Exit::Good),
                }
            }
        }
    };
    writeln!(out, "{done}")?;
    Ok(Exit::Good)
}

fn shut(name: &str, place: &Where, shut: bool) -> Result<String, PeopleError> {
    let user = UserName::new(name)?;
    let register = Register::open(&place.store)?;
    register.keep(&register::shut_user(&register.records, &user, shut)?)?;
    Ok(match shut {
        true => format!("{} is shut out", user.as_str()),
        false => format!("{} is let in again", user.as_str()),
    })
}

/// Runs a command for clients.
pub(super) fn clients(command: ClientCommand, out: &mut dyn Write) -> Result<Exit, Failure> {
    match command {
        ClientCommand::Add { name, place } => {
            let client = ClientName::new(&name).map_err(PeopleError::from)?;
            let register = Register::open(&place.store)?;
            let now = Clock::system().wall();
            let added = register::add_client(&register.records, &mut chance()?, now, &client);
            let (changes, id) = added.map_err(PeopleError::from)?;
            register.keep(&changes)?;
            writeln!(out, "{client} is registered; its id is {id}")?;
        }
        ClientCommand::Ls { place } => {
            let register = Register::open(&place.store)?;
            let mut last = None;
            loop {
                let page = register
                    .records
                    .clients(last.as_ref(), PAGE)
                    .map_err(PeopleError::from)?;
                for client in &page {
                    writeln!(out, "{client}")?;
                }
                match page.into_iter().next_back() {
                    Some(client) => last = Some(client),
                    None => break,
                }
            }
        }
    }
    Ok(Exit::Good)
}
