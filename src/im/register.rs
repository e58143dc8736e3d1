//! Registering users and clients, for the operator's commands. Each gives the changes to make.
//!
//! A [`Registration`] is [prepared](Registration::prepare) first, which takes as long as a slow hash does, and becomes changes
//! where nobody else changes anything meanwhile.

use std::collections::BTreeMap;

use super::auth::{client_key, historical_password, make_keys, password_cost};
use super::chance::Chance;
use super::change::Change;
use super::config::Config;
use super::names::ClientName;
use super::primitive::Settings;
use super::record::{ClientRecord, Credentials, UserRecord};
use super::shelf::{Shelf, ShelfFailed};
use crate::clock::WallTime;
use crate::message::{Refused, UserName};
use crate::presence;
use crate::private::Private;

/// Why somebody was not registered.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotRegistered {
    /// It does not fit.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store failed.
    #[error(transparent)]
    Shelf(#[from] ShelfFailed),
}

/// Shortest password, in characters. What is shorter is guessed, however slow each guess is.
pub const LEAST_PASSWORD: usize = 8;

/// Longest password, in octets; the slow hash takes more, and whoever types a password does not.
pub const MOST_PASSWORD: usize = 512;

/// What an operator asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Registration {
    /// A new user, with a password.
    AddUser(UserName, Private<String>),
    /// A new password for a user, and the end of all its sessions.
    SetPassword(UserName, Private<String>),
    /// A user is shut out, and all its sessions end; or it is let in again.
    Shut(UserName, bool),
    /// A new client.
    AddClient(ClientName),
}

/// The same, with everything made that takes its time.
pub enum Prepared {
    /// A new user.
    AddUser(UserName, Credentials),
    /// A new password.
    SetPassword(UserName, Credentials),
    /// Out, or in again.
    Shut(UserName, bool),
    /// A new client, and its id.
    AddClient(ClientName, String),
}

impl Registration {
    /// Makes what takes its time.
    pub fn prepare(self, config: &Config, chance: &mut Chance) -> Result<Prepared, NotRegistered> {
        Ok(match self {
            Self::AddUser(user, password) => {
                let made = credentials(config, chance, &user, password.expose())?;
                Prepared::AddUser(user, made)
            }
            Self::SetPassword(user, password) => {
                let made = credentials(config, chance, &user, password.expose())?;
                Prepared::SetPassword(user, made)
            }
            Self::Shut(user, shut) => Prepared::Shut(user, shut),
            Self::AddClient(client) => Prepared::AddClient(client, client_id(chance)),
        })
    }
}

impl Prepared {
    /// The changes to make, and what the operator is told when they are made.
    pub fn changes(
        self,
        shelf: &dyn Shelf,
        now: WallTime,
    ) -> Result<(Vec<Change>, String), NotRegistered> {
        Ok(match self {
            Self::AddUser(user, credentials) => {
                let told = format!("{} is registered", user.as_str());
                (new_user(shelf, now, &user, credentials)?, told)
            }
            Self::SetPassword(user, credentials) => {
                let told = format!("{} has a new password", user.as_str());
                (new_password(shelf, &user, credentials)?, told)
            }
            Self::Shut(user, shut) => {
                let told = match shut {
                    true => format!("{} is shut out", user.as_str()),
                    false => format!("{} is let in again", user.as_str()),
                };
                (shut_user(shelf, &user, shut)?, told)
            }
            Self::AddClient(client, id) => {
                let told = format!("{client} is registered; its id is {id}");
                (new_client(shelf, now, &client, &id)?, told)
            }
        })
    }
}

fn refuse<T>(field: &'static str, reason: impl Into<String>) -> Result<T, NotRegistered> {
    Err(Refused::new(field, reason).into())
}

fn credentials(
    config: &Config,
    chance: &mut Chance,
    user: &UserName,
    password: &str,
) -> Result<Credentials, NotRegistered> {
    if password.chars().count() < LEAST_PASSWORD {
        return refuse(
            "password",
            format!("is shorter than {LEAST_PASSWORD} characters"),
        );
    }
    if password.len() > MOST_PASSWORD {
        return refuse("password", format!("is longer than {MOST_PASSWORD} octets"));
    }
    let cost = password_cost(config, &chance.octets::<16>());
    let keys = make_keys(password, &cost)?;
    let historical: BTreeMap<_, _> = config
        .historical_schemes
        .iter()
        .map(|&scheme| (scheme.name(), historical_password(scheme, user, password)))
        .collect();
    Ok(Credentials {
        password: cost,
        stored_key: keys.stored,
        server_key: keys.server,
        historical,
    })
}

/// A new user. Names of digits only belong to phones.
pub fn add_user(
    shelf: &dyn Shelf,
    config: &Config,
    chance: &mut Chance,
    now: WallTime,
    user: &UserName,
    password: &str,
) -> Result<Vec<Change>, NotRegistered> {
    let credentials = credentials(config, chance, user, password)?;
    new_user(shelf, now, user, credentials)
}

fn new_user(
    shelf: &dyn Shelf,
    now: WallTime,
    user: &UserName,
    credentials: Credentials,
) -> Result<Vec<Change>, NotRegistered> {
    if user.as_str().bytes().all(|octet| octet.is_ascii_digit()) {
        return refuse("user name", "has digits only; such names belong to phones");
    }
    if shelf.user(user)?.is_some() {
        return refuse("user name", "is taken");
    }
    let record = UserRecord {
        made_at: now,
        settings: Settings::default(),
        is_shut: false,
        has_phones: false,
    };
    Ok(vec![
        Change::Credentials(user.clone(), Some(credentials)),
        Change::User(user.clone(), Some(record)),
    ])
}

/// A new password for a user. All sessions end, since whoever has the old one may have made some of them.
pub fn set_password(
    shelf: &dyn Shelf,
    config: &Config,
    chance: &mut Chance,
    user: &UserName,
    password: &str,
) -> Result<Vec<Change>, NotRegistered> {
    let credentials = credentials(config, chance, user, password)?;
    new_password(shelf, user, credentials)
}

fn new_password(
    shelf: &dyn Shelf,
    user: &UserName,
    credentials: Credentials,
) -> Result<Vec<Change>, NotRegistered> {
    if shelf.user(user)?.is_none() {
        return refuse("user name", "is not registered");
    }
    let mut changes = vec![Change::Credentials(user.clone(), Some(credentials))];
    changes.extend(end_sessions(shelf, user)?);
    Ok(changes)
}

/// Shuts a user, or opens it again. To others it is as if a shut one did not exist; what it has is kept.
pub fn shut_user(
    shelf: &dyn Shelf,
    user: &UserName,
    shut: bool,
) -> Result<Vec<Change>, NotRegistered> {
    let Some(mut record) = shelf.user(user)? else {
        return refuse("user name", "is not registered");
    };
    record.is_shut = shut;
    let mut changes = vec![
        Change::User(user.clone(), Some(record)),
        // Presence reads what it has kept, and asks for no users.
        Change::Presence(Box::new(presence::Change::shut(user, shut))),
    ];
    if shut {
        changes.extend(end_sessions(shelf, user)?);
    }
    Ok(changes)
}

fn end_sessions(shelf: &dyn Shelf, user: &UserName) -> Result<Vec<Change>, ShelfFailed> {
    let sessions = shelf.sessions_of(user)?;
    Ok(sessions
        .into_iter()
        .map(|(session, _)| Change::Session(session, user.clone(), None))
        .collect())
}

/// A new client, and its id, which nobody is told a second time.
pub fn add_client(
    shelf: &dyn Shelf,
    chance: &mut Chance,
    now: WallTime,
    client: &ClientName,
) -> Result<(Vec<Change>, String), NotRegistered> {
    let id = client_id(chance);
    Ok((new_client(shelf, now, client, &id)?, id))
}

fn client_id(chance: &mut Chance) -> String {
    let octets: [u8; 20] = chance.octets();
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn new_client(
    shelf: &dyn Shelf,
    now: WallTime,
    client: &ClientName,
    id: &str,
) -> Result<Vec<Change>, NotRegistered> {
    if shelf.client(client)?.is_some() {
        return refuse("client name", "is taken");
    }
    let record = ClientRecord {
        made_at: now,
        key: client_key(id),
    };
    Ok(vec![Change::Client(client.clone(), Some(record))])
}

/// Takes a client's registration back. Sessions that it has go on until they end.
pub fn remove_client(shelf: &dyn Shelf, client: &ClientName) -> Result<Vec<Change>, NotRegistered> {
    if shelf.client(client)?.is_none() {
        return refuse("client name", "is not registered");
    }
    Ok(vec![Change::Client(client.clone(), None)])
}
