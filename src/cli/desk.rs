//! `sluice send` and `sluice inbox`: central's desk, for people and scripts.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::{Exit, Failure};
use crate::central::talk::{Hand, Reply, Request, What};
use crate::central::{CallError, Caller};

/// Where the desk is.
#[derive(Args, Debug)]
pub(super) struct At {
    /// The desk's socket.
    #[arg(long, value_name = "SOCKET", default_value = "/run/sluice/desk.sock")]
    desk: PathBuf,
}

/// `sluice send`.
#[derive(Args, Debug)]
pub(super) struct SendArgs {
    #[command(flatten)]
    at: At,
    /// Who is shown as its sender: a short code, a number with +, or a name; the first short code if not given.
    #[arg(long, value_name = "SENDER")]
    from: Option<String>,
    /// The same key again is the same text, and goes once.
    #[arg(long)]
    key: Option<String>,
    /// Its fate is to be told in the inbox.
    #[arg(long)]
    report: bool,
    /// How long it is worth sending, as in 2h.
    #[arg(long, value_name = "DURATION")]
    validity: Option<String>,
    /// The phone, as in +358401234567.
    to: String,
    /// The text.
    text: String,
}

/// `sluice inbox`.
#[derive(Args, Debug)]
pub(super) struct InboxArgs {
    #[command(flatten)]
    at: At,
    /// Begin behind this entry.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: u64,
    /// Stop after so many entries, instead of waiting for more.
    #[arg(long, value_name = "COUNT")]
    most: Option<u64>,
    /// Take out of the inbox what was printed.
    #[arg(long)]
    take: bool,
    /// As lines of JSON.
    #[arg(long)]
    json: bool,
}

/// Why the desk was of no use.
#[derive(Debug, thiserror::Error)]
pub enum DeskFailure {
    /// It cannot be talked to.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It does not take the text.
    #[error("the text was not taken: {0}")]
    Refused(String),
    /// It said something else than was asked.
    #[error("the desk gave another answer than was asked for")]
    Riddle,
}

impl DeskFailure {
    pub(super) const fn exit(&self) -> Exit {
        match self {
            Self::Call(_) | Self::Riddle => Exit::Down,
            Self::Refused(_) => Exit::Usage,
        }
    }
}

/// Hands a text in, and prints its identity when it is durable.
pub(super) fn send(args: SendArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut talk = Caller::call(&args.at.desk).map_err(DeskFailure::from)?;
    talk.say(&Request::Send(Hand {
        key: args.key,
        from: args.from,
        to: args.to,
        text: args.text,
        report: args.report,
        validity: args.validity,
    }))
    .map_err(DeskFailure::from)?;
    match talk.hear().map_err(DeskFailure::from)? {
        Reply::Stored { id, .. } => {
            writeln!(out, "{id}")?;
            Ok(Exit::Good)
        }
        Reply::Refused { why, .. } => Err(DeskFailure::Refused(why).into()),
        Reply::Taken { .. } | Reply::Entry(_) => Err(DeskFailure::Riddle.into()),
    }
}

/// Prints what came, and what comes.
pub(super) fn inbox(args: &InboxArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut talk = Caller::call(&args.at.desk).map_err(DeskFailure::from)?;
    talk.say(&Request::Inbox { after: args.after })
        .map_err(DeskFailure::from)?;
    let mut printed = 0;
    while args.most.is_none_or(|most| printed < most) {
        let entry = match talk.hear().map_err(DeskFailure::from)? {
            Reply::Entry(entry) => entry,
            Reply::Taken { .. } => continue,
            Reply::Refused { why, .. } => return Err(DeskFailure::Refused(why).into()),
            Reply::Stored { .. } => return Err(DeskFailure::Riddle.into()),
        };
        if args.json {
            let line = serde_json::to_string(&entry).map_err(io::Error::other)?;
            writeln!(out, "{line}")?;
        } else {
            match &entry.what {
                What::Message { from, to, text, .. } => {
                    writeln!(
                        out,
                        "{:>6}  {}  {from} -> {to}: {text}",
                        entry.number, entry.at
                    )?;
                }
                What::Fate { id, state, why, .. } => {
                    let why = if why.is_empty() {
                        String::new()
                    } else {
                        format!(" ({why})")
                    };
                    writeln!(out, "{:>6}  {}  {id} {state}{why}", entry.number, entry.at)?;
                }
            }
        }
        out.flush()?;
        printed += 1;
        if args.take {
            talk.say(&Request::Taken {
                up_to: entry.number,
            })
            .map_err(DeskFailure::from)?;
        }
    }
    Ok(Exit::Good)
}
