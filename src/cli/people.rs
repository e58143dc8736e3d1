//! `sluice user …` and `sluice client …`: who may use the IM service. A running central is asked over its status socket;
//! when it is stopped, its store is opened.

use std::io::{self, BufRead, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use rustix::stdio::stdin;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::{Exit, Failure};
use crate::central::config::CentralConfig;
use crate::clock::Clock;
use crate::config::{self, ConfigError, Document as _};
use crate::im::chance::Chance;
use crate::im::config::Config;
use crate::im::names::ClientName;
use crate::im::register::{NotRegistered, Registration};
use crate::message::UserName;
use crate::private::Private;
use crate::status::client::{AskError, ask};
use crate::status::snapshot::NameView;
use crate::status::{Done, Names, Order, Register, Request};
use crate::store::im::ImStore;
use crate::store::{Store, StoreError};

/// Central's configuration, unless another one is named.
const FILE: &str = "/etc/sluice/central.toml";

/// Which central. Without any of these it is the one of /etc/sluice/central.toml.
#[derive(Args)]
pub(super) struct Where {
    /// Central's configuration, which names its status socket and its store. Default /etc/sluice/central.toml, if there is
    /// one.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["socket", "store"])]
    config: Option<PathBuf>,
    /// The status socket of a running central.
    #[arg(long, value_name = "PATH", conflicts_with = "store")]
    socket: Option<PathBuf>,
    /// The store of a stopped central.
    #[arg(long, value_name = "DIRECTORY")]
    store: Option<PathBuf>,
}

/// One user, at one central.
#[derive(Args)]
pub(super) struct One {
    /// The user's name.
    name: String,
    #[command(flatten)]
    place: Where,
}

/// What can be done with users.
#[derive(Subcommand)]
pub(super) enum UserCommand {
    /// Register a user; the password is read from the input, in one line.
    Add(One),
    /// List all users.
    Ls {
        #[command(flatten)]
        place: Where,
    },
    /// Set a new password, read from the input, and end all sessions of the user.
    Password(One),
    /// Shut a user out, and end all its sessions; what it has is kept.
    Shut(One),
    /// Let a user in again that was shut out.
    Open(One),
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
    /// A running central refuses it.
    #[error("{0}")]
    Told(String),
    /// A running central does not answer.
    #[error(transparent)]
    Ask(AskError),
    /// Central's configuration cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The attributes of presence cannot be read.
    #[error(transparent)]
    Attributes(#[from] super::attributes::AttributesError),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Central is running, and was not asked.
    #[error(
        "{}: central has this store open, {}; name its status socket with --socket, or its configuration with --config",
        store.display(),
        because
    )]
    Running {
        /// The store.
        store: PathBuf,
        /// Why it was not asked.
        because: String,
    },
    /// There is neither a running central nor a store.
    #[error(
        "no central is running here ({}: {why}), and there is no store at {}; name another central with --config",
        socket.display(),
        store.display()
    )]
    Nowhere {
        /// Where it would be asked.
        socket: PathBuf,
        /// What the system said of it.
        why: io::Error,
        /// Where its store would be.
        store: PathBuf,
    },
    /// There is no password.
    #[error("the password is missing: give it in one line on the input")]
    NoPassword,
}

impl From<crate::message::Refused> for PeopleError {
    fn from(why: crate::message::Refused) -> Self {
        Self::Refused(why.into())
    }
}

impl From<AskError> for PeopleError {
    fn from(why: AskError) -> Self {
        match why {
            AskError::Refused(why) => Self::Told(why),
            why => Self::Ask(why),
        }
    }
}

impl PeopleError {
    /// The exit code that goes with it.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Refused(NotRegistered::Refused(_)) | Self::Told(_) | Self::NoPassword => {
                Exit::Usage
            }
            Self::Config(_) | Self::Attributes(_) => Exit::Configuration,
            Self::Ask(_) | Self::Nowhere { .. } => Exit::Down,
            Self::Refused(NotRegistered::Shelf(_)) | Self::Store(_) | Self::Running { .. } => {
                Exit::Storage
            }
        }
    }
}

/// Where people are registered.
enum Place {
    /// At a running central.
    Running(PathBuf),
    /// In the store of one that is stopped.
    Stopped(Box<Stopped>),
}

/// The records of a store, while nobody else has it.
struct Stopped {
    store: Store,
    records: ImStore,
    config: Config,
}

impl Stopped {
    fn open(config: CentralConfig, because: &str) -> Result<Self, PeopleError> {
        let directory = &config.store.directory;
        if !directory.is_dir() {
            let path = directory.clone();
            return Err(StoreError::Missing { path }.into());
        }
        let store = match Store::open(directory, &config.store) {
            Err(StoreError::InUse { path }) => {
                let because = because.to_owned();
                return Err(PeopleError::Running {
                    store: path,
                    because,
                });
            }
            opened => opened?,
        };
        Ok(Self {
            records: ImStore::new(store.clone(), None)?,
            store,
            config: config.im.unwrap_or_default(),
        })
    }

    fn register(&self, asked: Registration) -> Result<String, PeopleError> {
        use crate::im::door::keep::Keep;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|why| StoreError::Failed(why.to_string().into()))?;
        let prepared = asked.prepare(&self.config, &mut Chance::new(seed))?;
        let (changes, told) = prepared.changes(&self.records, Clock::system().wall())?;
        let failed = |why: String| StoreError::Failed(why.into());
        self.records.hand_over(&changes).map_err(failed)?;
        let (batch, pending) = self.records.take();
        self.store.submit(batch)?.wait()?;
        self.records.settled(pending);
        Ok(told)
    }
}

impl Where {
    fn find(self) -> Result<Place, PeopleError> {
        if let Some(socket) = self.socket {
            return Ok(Place::Running(socket));
        }
        let mut config = CentralConfig::default();
        if let Some(directory) = self.store {
            config.store.directory = directory;
            let stopped = Stopped::open(config, "and was not asked")?;
            return Ok(Place::Stopped(Box::new(stopped)));
        }
        let usual = Path::new(FILE);
        if let Some(file) = self
            .config
            .or_else(|| usual.exists().then(|| usual.to_owned()))
        {
            config = config::load::<CentralConfig>(&file)?.config;
        }
        let socket = config.status.socket(CentralConfig::MODE);
        let silent = match UnixStream::connect(&socket) {
            Ok(_somebody) => return Ok(Place::Running(socket)),
            // Whoever may not ask a running central must not go around it.
            Err(why) if why.kind() == io::ErrorKind::PermissionDenied => {
                return Err(PeopleError::Ask(AskError::Forbidden { socket }));
            }
            Err(why) => why,
        };
        let store = config.store.directory.clone();
        if !store.is_dir() {
            return Err(PeopleError::Nowhere {
                socket,
                why: silent,
                store,
            });
        }
        if let Some(im) = &mut config.im {
            super::attributes::read(im)?;
        }
        let because = format!("and {} does not answer ({silent})", socket.display());
        let stopped = Stopped::open(config, &because)?;
        Ok(Place::Stopped(Box::new(stopped)))
    }
}

impl Place {
    fn register(&self, asked: Registration) -> Result<String, PeopleError> {
        match self {
            Self::Running(socket) => {
                let done: Done = ask(socket, &Request::Order(Order::Register(asked)))?;
                Ok(done.done)
            }
            Self::Stopped(stopped) => stopped.register(asked),
        }
    }

    fn names(
        &self,
        register: Register,
        after: Option<String>,
    ) -> Result<Vec<NameView>, PeopleError> {
        match self {
            Self::Running(socket) => {
                let seen: Names = ask(socket, &Request::Names(register, after))?;
                Ok(seen.names)
            }
            Self::Stopped(stopped) => {
                crate::central::names(&stopped.records, register, after.as_deref())
                    .map_err(|why| StoreError::Failed(why.into()).into())
            }
        }
    }

    fn list(&self, register: Register, out: &mut dyn Write) -> Result<Exit, Failure> {
        let mut after = None;
        loop {
            let page = self.names(register, after)?;
            for NameView { name, shut } in &page {
                writeln!(out, "{name}{}", if *shut { " (shut)" } else { "" })?;
            }
            match page.into_iter().next_back() {
                Some(last) => after = Some(last.name),
                None => return Ok(Exit::Good),
            }
        }
    }
}

/// While somebody types a password it is asked for, and not shown.
struct Unseen(Option<Termios>);

impl Unseen {
    fn begin() -> Self {
        // What is no terminal has none.
        let Ok(shown) = tcgetattr(stdin()) else {
            return Self(None);
        };
        let _shown = write!(io::stderr(), "Password: ");
        let mut unseen = shown.clone();
        unseen.local_modes.remove(LocalModes::ECHO);
        // If it is shown after all, it works all the same.
        let _unseen = tcsetattr(stdin(), OptionalActions::Now, &unseen);
        Self(Some(shown))
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        if let Some(shown) = &self.0 {
            let _as_before = tcsetattr(stdin(), OptionalActions::Now, shown);
            let _shown = writeln!(io::stderr());
        }
    }
}

fn password(input: &mut dyn BufRead) -> Result<Private<String>, PeopleError> {
    let mut line = String::new();
    let unseen = Unseen::begin();
    // What cannot be read is missing.
    let _read = input.read_line(&mut line).unwrap_or_default();
    drop(unseen);
    let password = line.trim_end_matches(['\r', '\n']);
    match password.is_empty() {
        true => Err(PeopleError::NoPassword),
        false => Ok(Private::new(password.into())),
    }
}

/// Runs a command for users.
pub(super) fn users(
    command: UserCommand,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let user = |name: &str| UserName::new(name).map_err(PeopleError::from);
    let (asked, place) = match command {
        UserCommand::Add(One { name, place }) => {
            (Registration::AddUser(user(&name)?, password(input)?), place)
        }
        UserCommand::Password(One { name, place }) => {
            let asked = Registration::SetPassword(user(&name)?, password(input)?);
            (asked, place)
        }
        UserCommand::Shut(One { name, place }) => (Registration::Shut(user(&name)?, true), place),
        UserCommand::Open(One { name, place }) => (Registration::Shut(user(&name)?, false), place),
        UserCommand::Ls { place } => return place.find()?.list(Register::Users, out),
    };
    writeln!(out, "{}", place.find()?.register(asked)?)?;
    Ok(Exit::Good)
}

/// Runs a command for clients.
pub(super) fn clients(command: ClientCommand, out: &mut dyn Write) -> Result<Exit, Failure> {
    match command {
        ClientCommand::Add { name, place } => {
            let client = ClientName::new(&name).map_err(PeopleError::from)?;
            let told = place.find()?.register(Registration::AddClient(client))?;
            writeln!(out, "{told}")?;
            Ok(Exit::Good)
        }
        ClientCommand::Ls { place } => place.find()?.list(Register::Clients, out),
    }
}
