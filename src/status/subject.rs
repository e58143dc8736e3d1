//! What the socket asks of an edge or a central, and what it may tell it to do.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::snapshot::{NameView, SessionView, Snapshot, TraceView, VERSION};
use crate::im::names::ClientName;
use crate::im::register::Registration;
use crate::lane::Lane;
use crate::message::UserName;
use crate::private::Private;

/// A running edge or central.
pub trait Subject: Send + Sync + 'static {
    /// Everything as it is now. Called a few times a second at most, whoever asks; it must not wait for anything.
    /// `health` and `troubles` of what the views show are added afterwards; what they do not show may be in there.
    fn snapshot(&self) -> Snapshot;

    /// The clients of the IM service that are connected.
    fn sessions(&self) -> Vec<SessionView> {
        Vec::new()
    }

    /// Names of users or clients of the IM service behind one, in order; a page of them.
    fn names(&self, _register: Register, _after: Option<&str>) -> Result<Vec<NameView>, String> {
        Err(NO_PEOPLE.into())
    }

    /// What is known of a message.
    fn trace(&self, id: &str) -> impl Future<Output = Option<TraceView>> + Send;

    /// Does what an operator ordered; a refusal is a sentence.
    fn order(&self, order: Order) -> impl Future<Output = Result<Done, String>> + Send;
}

/// What who has no IM service says of its users and clients.
pub const NO_PEOPLE: &str =
    "there is no IM service here; it is central's, and [im] in central.toml switches it on";

/// Which names of the IM service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Register {
    /// Users.
    Users,
    /// Clients.
    Clients,
}

/// What an operator may order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Order {
    /// Offer nothing more to this lane's SMSC; deliveries are still taken.
    Suspend(Lane),
    /// Go on.
    Resume(Lane),
    /// Take nothing new on this lane, and let what is in its rings run out.
    Drain(Lane),
    /// Offer the message in doubt again.
    Resend(Lane),
    /// Do not offer the message in doubt again.
    Drop(Lane),
    /// Register a user or client of the IM service, or change how one is registered.
    Register(Registration),
    /// Read the configuration again.
    Reload,
}

/// What an order came to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Done {
    /// The version of this form.
    pub version: u32,
    /// What was done, as a sentence.
    pub done: String,
    /// After `reload`: what changed, and what it takes; a line each.
    pub changes: Vec<String>,
}

impl Done {
    /// A sentence.
    pub fn new(done: impl Into<String>) -> Self {
        Self {
            version: VERSION,
            done: done.into(),
            changes: Vec::new(),
        }
    }
}

/// What can be asked, one line each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Everything.
    Status,
    /// One part of it.
    Part(Part),
    /// The clients of the IM service.
    Sessions,
    /// Users or clients of the IM service, those behind a name.
    Names(Register, Option<String>),
    /// What is known of a message.
    Trace(String),
    /// Counters, as OpenMetrics.
    Metrics,
    /// Everything, and from then on what changes.
    Subscribe,
    /// An order.
    Order(Order),
}

/// A part of the snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "they are the snapshot's fields")]
pub enum Part {
    Lanes,
    Rings,
    Link,
    Backlog,
    InDoubt,
}

/// What every request looks like.
pub const REQUESTS: &[(&str, &str)] = &[
    ("status", "everything at this moment"),
    ("lanes", "the lanes"),
    ("rings", "the rings, with the pointers of both ends"),
    ("link", "the link; at central those of all edges"),
    ("backlog", "what waits at central"),
    ("sessions", "clients of the IM service that are connected"),
    ("indoubt", "messages that an SMSC may or may not have"),
    ("trace ID", "what is known of one message"),
    ("metrics", "all counters, as OpenMetrics text"),
    (
        "subscribe",
        "everything, then a document whenever something changed",
    ),
    (
        "lane suspend LANE",
        "offer nothing more to this lane's SMSC",
    ),
    ("lane resume LANE", "go on, after suspend or drain"),
    ("lane drain LANE", "take nothing new, let the rings run out"),
    ("indoubt resend LANE", "offer the message in doubt again"),
    (
        "indoubt drop LANE",
        "do not offer the message in doubt again",
    ),
    ("reload", "read the configuration again"),
    (
        "user add NAME PASSWORD",
        "register a user of the IM service",
    ),
    (
        "user password NAME PASSWORD",
        "give a user a new password, and end its sessions",
    ),
    ("user shut NAME", "shut a user out, and end its sessions"),
    ("user open NAME", "let a user in again"),
    (
        "user ls",
        "all users, a thousand at a time; those behind one with its name after it",
    ),
    (
        "client add NAME",
        "register a client of the IM service; the answer has its id",
    ),
    ("client ls", "all clients, in the same way"),
];

/// Longest identity of a message that is looked for.
const MAX_ID: usize = 128;

impl FromStr for Request {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let lane = |written: &str| {
            written
                .parse::<Lane>()
                .map_err(|why| format!("{written:?} is no lane: {why}"))
        };
        Ok(match words.as_slice() {
            ["status"] => Self::Status,
            ["lanes"] => Self::Part(Part::Lanes),
            ["rings"] => Self::Part(Part::Rings),
            ["link"] => Self::Part(Part::Link),
            ["backlog"] => Self::Part(Part::Backlog),
            ["indoubt"] => Self::Part(Part::InDoubt),
            ["sessions"] => Self::Sessions,
            ["trace", id] if id.len() <= MAX_ID => Self::Trace((*id).to_owned()),
            ["metrics"] => Self::Metrics,
            ["subscribe"] => Self::Subscribe,
            ["lane", "suspend", written] => Self::Order(Order::Suspend(lane(written)?)),
            ["lane", "resume", written] => Self::Order(Order::Resume(lane(written)?)),
            ["lane", "drain", written] => Self::Order(Order::Drain(lane(written)?)),
            ["indoubt", "resend", written] => Self::Order(Order::Resend(lane(written)?)),
            ["indoubt", "drop", written] => Self::Order(Order::Drop(lane(written)?)),
            ["reload"] => Self::Order(Order::Reload),
            ["user", ..] | ["client", ..] => return people(line),
            _ => {
                return Err(unknown());
            }
        })
    }
}

fn unknown() -> String {
    let known: Vec<&str> = REQUESTS.iter().map(|(request, _)| *request).collect();
    format!("no such request; there are: {}", known.join(", "))
}

/// Requests about users and clients. A password is all that follows its user's name and a blank.
fn people(line: &str) -> Result<Request, String> {
    let user = |written: &str| UserName::new(written).map_err(|why| why.to_string());
    let client = |written: &str| ClientName::new(written).map_err(|why| why.to_string());
    let words: Vec<&str> = line.splitn(4, ' ').collect();
    let order = match words.as_slice() {
        ["user", "ls"] => return Ok(Request::Names(Register::Users, None)),
        ["user", "ls", after] => {
            let after = user(after)?.as_str().to_owned();
            return Ok(Request::Names(Register::Users, Some(after)));
        }
        ["client", "ls"] => return Ok(Request::Names(Register::Clients, None)),
        ["client", "ls", after] => {
            let after = client(after)?.as_str().to_owned();
            return Ok(Request::Names(Register::Clients, Some(after)));
        }
        ["user", "add", name, password] => {
            Registration::AddUser(user(name)?, Private::new((*password).to_owned()))
        }
        ["user", "password", name, password] => {
            Registration::SetPassword(user(name)?, Private::new((*password).to_owned()))
        }
        ["user", "shut", name] => Registration::Shut(user(name)?, true),
        ["user", "open", name] => Registration::Shut(user(name)?, false),
        ["client", "add", name] => Registration::AddClient(client(name)?),
        _ => return Err(unknown()),
    };
    Ok(Request::Order(Order::Register(order)))
}

/// As it goes over the socket, passwords and all; [`fmt::Debug`] is for the log.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.write_str("status"),
            Self::Part(Part::Lanes) => f.write_str("lanes"),
            Self::Part(Part::Rings) => f.write_str("rings"),
            Self::Part(Part::Link) => f.write_str("link"),
            Self::Part(Part::Backlog) => f.write_str("backlog"),
            Self::Part(Part::InDoubt) => f.write_str("indoubt"),
            Self::Sessions => f.write_str("sessions"),
            Self::Trace(id) => write!(f, "trace {id}"),
            Self::Metrics => f.write_str("metrics"),
            Self::Subscribe => f.write_str("subscribe"),
            Self::Order(Order::Suspend(lane)) => write!(f, "lane suspend {lane}"),
            Self::Order(Order::Resume(lane)) => write!(f, "lane resume {lane}"),
            Self::Order(Order::Drain(lane)) => write!(f, "lane drain {lane}"),
            Self::Order(Order::Resend(lane)) => write!(f, "indoubt resend {lane}"),
            Self::Order(Order::Drop(lane)) => write!(f, "indoubt drop {lane}"),
            Self::Order(Order::Reload) => f.write_str("reload"),
            Self::Names(register, after) => {
                f.write_str(match register {
                    Register::Users => "user ls",
                    Register::Clients => "client ls",
                })?;
                match after {
                    Some(after) => write!(f, " {after}"),
                    None => Ok(()),
                }
            }
            Self::Order(Order::Register(registration)) => match registration {
                Registration::AddUser(user, password) => {
                    write!(f, "user add {} {}", user.as_str(), password.expose())
                }
                Registration::SetPassword(user, password) => {
                    write!(f, "user password {} {}", user.as_str(), password.expose())
                }
                Registration::Shut(user, true) => write!(f, "user shut {}", user.as_str()),
                Registration::Shut(user, false) => write!(f, "user open {}", user.as_str()),
                Registration::AddClient(client) => write!(f, "client add {client}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_read_and_written_alike() {
        for (form, _) in REQUESTS {
            let line = form
                .replace("LANE", "oslo/carrier-1")
                .replace("ID", "m-1")
                .replace("NAME", "alice")
                .replace("PASSWORD", "two  words ");
            let request: Request = line.parse().unwrap();
            assert_eq!(request.to_string(), line);
        }
    }

    #[test]
    fn what_is_no_request_is_told_what_would_be() {
        for line in ["", "stats", "status now", "lane", "trace", "lane resume"] {
            let why = line.parse::<Request>().unwrap_err();
            assert!(
                why.starts_with("no such request; there are: status, lanes"),
                "{why}"
            );
        }
        assert_eq!(
            "lane drain oslo".parse::<Request>().unwrap_err(),
            "\"oslo\" is no lane: a lane is written edge/lane, as in oslo/carrier-1"
        );
        assert!(
            format!("trace {}", "x".repeat(129))
                .parse::<Request>()
                .is_err()
        );
    }
}
