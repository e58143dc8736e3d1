//! `sluice status`, `lane`, `indoubt`, `trace`, `reload`: what a running edge or central is asked and told.

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Exit, Failure};
use crate::clock::WallTime;
use crate::lane::Lane;
use crate::status::client::{AskError, ask, ask_raw, follow, usual_socket};
use crate::status::screen::{Line, Paper, screen};
use crate::status::snapshot::{DoubtView, Health, Snapshot, TraceView};
use crate::status::{Done, ErrorView, Order, Part, Request, watch};

#[derive(Args)]
pub(super) struct SocketArgs {
    /// The status socket. Default: that of the edge or central that runs here.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

impl SocketArgs {
    fn path(&self) -> Result<PathBuf, AskError> {
        match &self.socket {
            Some(socket) => Ok(socket.clone()),
            None => usual_socket(),
        }
    }
}

#[derive(Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    socket: SocketArgs,
    /// The document as programs get it.
    #[arg(long, conflicts_with = "watch")]
    json: bool,
    /// Draw it anew every second, what is wrong first; q ends, arrows and page keys move.
    #[arg(long)]
    watch: bool,
    /// One request as the socket takes it (`lanes`, `metrics`, `subscribe`, …); its answer as it comes.
    #[arg(long, value_name = "REQUEST", conflicts_with_all = ["json", "watch"])]
    ask: Option<String>,
}

const fn exit(health: Health) -> Exit {
    match health {
        Health::Ok => Exit::Good,
        Health::Degraded => Exit::Degraded,
        Health::Down => Exit::Down,
    }
}

pub(super) fn status(args: &StatusArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let socket = args.socket.path()?;
    if let Some(request) = &args.ask {
        return raw(&socket, request, out);
    }
    if args.watch {
        if !io::stdout().is_terminal() {
            return Err(Failure::Usage(String::from(
                "--watch draws on a terminal, and this is none; `sluice status` shows it once",
            )));
        }
        watch::watch(|| ask(&socket, &Request::Status))?;
        return Ok(Exit::Good);
    }
    let answer = ask_raw(&socket, &Request::Status)?;
    let seen: Snapshot = serde_json::from_str(&answer).map_err(|why| AskError::Strange {
        socket: socket.clone(),
        why: why.to_string(),
    })?;
    if args.json {
        out.write_all(answer.as_bytes())?;
    } else {
        for Line { text, .. } in screen(&seen, Paper::ENDLESS) {
            writeln!(out, "{text}")?;
        }
    }
    Ok(exit(seen.health))
}

fn raw(socket: &std::path::Path, request: &str, out: &mut dyn Write) -> Result<Exit, Failure> {
    let request: Request = request.parse().map_err(Failure::Usage)?;
    if request == Request::Subscribe {
        follow(socket, &request, |line| {
            writeln!(out, "{line}")?;
            out.flush()
        })?;
        return Ok(Exit::Good);
    }
    let answer = ask_raw(socket, &request)?;
    out.write_all(answer.as_bytes())?;
    Ok(match serde_json::from_str::<ErrorView>(&answer) {
        Ok(_) => Exit::Degraded,
        Err(_) => Exit::Good,
    })
}

/// Orders to a lane.
#[derive(Subcommand)]
pub(super) enum LaneCommand {
    /// Offer nothing more to the SMSC; what phones write is still taken.
    Suspend(LaneArgs),
    /// Go on, after suspend or drain.
    Resume(LaneArgs),
    /// Take nothing new, and let what is in the rings run out.
    Drain(LaneArgs),
}

#[derive(Args)]
pub(super) struct LaneArgs {
    /// The lane, as edge/lane.
    #[arg(value_name = "LANE")]
    lane: Lane,
    #[command(flatten)]
    socket: SocketArgs,
}

pub(super) fn lane(command: LaneCommand, out: &mut dyn Write) -> Result<Exit, Failure> {
    let (order, args): (fn(Lane) -> Order, _) = match command {
        LaneCommand::Suspend(args) => (Order::Suspend, args),
        LaneCommand::Resume(args) => (Order::Resume, args),
        LaneCommand::Drain(args) => (Order::Drain, args),
    };
    give(order(args.lane), &args.socket, out)
}

/// The message that an SMSC may or may not have.
#[derive(Subcommand)]
pub(super) enum InDoubtCommand {
    /// List them.
    Ls(SocketArgs),
    /// Offer it again.
    Resend(LaneArgs),
    /// Do not offer it again.
    Drop(LaneArgs),
}

pub(super) fn in_doubt(command: InDoubtCommand, out: &mut dyn Write) -> Result<Exit, Failure> {
    match command {
        InDoubtCommand::Ls(socket) => {
            let seen: Snapshot = ask(&socket.path()?, &Request::Part(Part::InDoubt))?;
            if seen.in_doubt.is_empty() {
                writeln!(out, "No message is in doubt.")?;
            }
            for DoubtView {
                lane,
                sequence,
                address,
                age_ms,
                held,
            } in &seen.in_doubt
            {
                let age = age_ms.map_or_else(
                    || String::from("of unknown age"),
                    |age| format!("{} s old", age / 1000),
                );
                let then = match held {
                    true => "held: `sluice indoubt resend` or `drop` decides",
                    false => "goes by the lane's in_doubt policy",
                };
                writeln!(
                    out,
                    "{lane}: message {sequence} (address {address}), {age}; {then}"
                )?;
            }
            Ok(Exit::Good)
        }
        InDoubtCommand::Resend(args) => give(Order::Resend(args.lane), &args.socket, out),
        InDoubtCommand::Drop(args) => give(Order::Drop(args.lane), &args.socket, out),
    }
}

fn give(order: Order, socket: &SocketArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let done: Done = ask(&socket.path()?, &Request::Order(order))?;
    writeln!(out, "{}", done.done)?;
    for change in &done.changes {
        writeln!(out, "  {change}")?;
    }
    Ok(Exit::Good)
}

pub(super) fn reload(socket: &SocketArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    give(Order::Reload, socket, out)
}

#[derive(Args)]
pub(super) struct TraceArgs {
    /// The message's identity, as its sender was told, or edge/lane:mo:SEQUENCE.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    socket: SocketArgs,
    /// The document as programs get it.
    #[arg(long)]
    json: bool,
}

pub(super) fn trace(args: &TraceArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let request = Request::Trace(args.id.clone());
    let socket = args.socket.path()?;
    if args.json {
        out.write_all(ask_raw(&socket, &request)?.as_bytes())?;
        return Ok(Exit::Good);
    }
    let seen: TraceView = ask(&socket, &request)?;
    writeln!(out, "{}: {}", seen.id, seen.state)?;
    for (part, number) in seen.parts.iter().zip(1..) {
        let mut told = match seen.parts.len() {
            1 => String::new(),
            all => format!("part {number} of {all}, "),
        };
        told.push_str(&part.direction);
        match (&part.lane, part.sequence, part.address) {
            (Some(lane), Some(sequence), Some(address)) => {
                told.push_str(&format!(
                    " on {lane}, message {sequence}, address {address}"
                ));
            }
            (Some(lane), ..) => told.push_str(&format!(" for {lane}")),
            (None, ..) => told.push_str(", without a lane yet"),
        }
        if let Some(id) = &part.smsc_id {
            told.push_str(&format!(", to the SMSC {id}"));
        }
        writeln!(out, "{told}")?;
        for step in &part.steps {
            let at = WallTime::from_unix_ms(step.at_unix_ms);
            let detail = step.detail.as_deref().map(|detail| format!(" ({detail})"));
            let (end, what, detail) = (&step.end, &step.what, detail.unwrap_or_default());
            writeln!(out, "  {at}  {end:<7}  {what}{detail}")?;
        }
        if let Some(report) = &part.report {
            writeln!(out, "  report: {report}")?;
        }
    }
    Ok(Exit::Good)
}
