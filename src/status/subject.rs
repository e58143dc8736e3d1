//! What the socket asks of an edge or a central, and what it may tell it to do.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::snapshot::{SessionView, Snapshot, TraceView, VERSION};
use crate::lane::Lane;

/// A running edge or central.
pub trait Subject: Send + Sync + 'static {
    /// Everything as it is now. Called a few times a second at most, whoever asks; it must not wait for anything.
    /// `health` and `troubles` of what the views show are added afterwards; what they do not show may be in there.
    fn snapshot(&self) -> Snapshot;

    /// The clients of the IM service that are connected.
    fn sessions(&self) -> Vec<SessionView> {
        Vec::new()
    }

    /// What is known of a message.
    fn trace(&self, id: &str) -> impl Future<Output = Option<TraceView>> + Send;

    /// Does what an operator ordered; a refusal is a sentence.
    fn order(&self, order: Order) -> impl Future<Output = Result<Done, String>> + Send;
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
            _ => {
                let known: Vec<&str> = REQUESTS.iter().map(|(request, _)| *request).collect();
                return Err(format!("no such request; there are: {}", known.join(", ")));
            }
        })
    }
}

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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_read_and_written_alike() {
        for (form, _) in REQUESTS {
            let line = form.replace("LANE", "oslo/carrier-1").replace("ID", "m-1");
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
