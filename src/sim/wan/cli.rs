//! `sluice sim wan`: the line on the command line.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use super::{Rate, Share, Wan, Weather, command};
use crate::sim::StartError;
use crate::sim::cli::{SimError, commands, interrupted, say};
use crate::sim::command::json;

/// A bad line: passes UDP and TCP on to a target, and delays, loses, throttles and breaks them.
///
/// It prints where it listens, one line of JSON, then serves until it is interrupted, and prints what passed.
#[derive(Args, Clone, Debug)]
pub struct WanArgs {
    /// Listen here, for UDP and TCP; port 0 takes any that is free for both.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,

    /// Pass on to here.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub target: SocketAddr,

    /// How long each packet takes, one way: half of what is added to a round trip.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "0ms")]
    pub delay: Duration,

    /// Up to so much more, drawn for each packet; datagrams overtake one another.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "0ms")]
    pub jitter: Duration,

    /// Which part of the packets is lost, each way.
    #[arg(long, value_name = "SHARE", default_value = "0%")]
    pub loss: Share,

    /// Which part of the datagrams comes twice.
    #[arg(long, value_name = "SHARE", default_value = "0%")]
    pub duplication: Share,

    /// How much passes, each way, in bits a second, as in 50k or 2M.
    #[arg(long, value_name = "RATE", default_value = "none")]
    pub rate: Rate,

    /// How long the queue before the slow part may grow.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "1s")]
    pub queue: Duration,

    /// Begin with nothing passing.
    #[arg(long)]
    pub down: bool,

    /// Swallow datagrams.
    #[arg(long)]
    pub no_udp: bool,

    /// Where chance comes from.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,

    /// Take commands from the standard input; `help` lists them.
    #[arg(long)]
    pub commands: bool,
}

impl WanArgs {
    /// What the line is like at first.
    pub const fn weather(&self) -> Weather {
        Weather {
            delay: self.delay,
            jitter: self.jitter,
            loss: self.loss,
            duplication: self.duplication,
            rate: self.rate,
            queue: self.queue,
            down: self.down,
            udp_blocked: self.no_udp,
        }
    }
}

/// Where a line can be reached, and where it leads.
#[derive(serde::Serialize)]
struct Place {
    listen: SocketAddr,
    target: SocketAddr,
}

/// Runs a line until SIGINT, SIGTERM, or the command `quit`.
pub async fn run(args: WanArgs) -> Result<(), SimError> {
    let wan = Wan::open(args.listen, args.target, args.weather(), args.seed).map_err(|why| {
        StartError::Place {
            what: args.listen.to_string(),
            why,
        }
    })?;
    say(&json(&Place {
        listen: wan.address(),
        target: wan.target(),
    }))?;
    tokio::select! {
        ended = interrupted() => ended?,
        ended = commands(|line| command::obey(&wan, line)), if args.commands => ended?,
    }
    say(&json(&wan.passed()))?;
    Ok(())
}
