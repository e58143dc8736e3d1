//! Asks a running edge or central over its socket. Plain blocking calls: a command does one thing and ends.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::config::RUN;
use super::server::ErrorView;
use super::subject::Request;

/// How long an answer may take; an order may take longer.
const PATIENCE: Duration = Duration::from_secs(90);
/// Longest answer, in octets: a central with a thousand lanes is a few MB.
const MAX_ANSWER: u64 = 256 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nothing runs here, as far as the usual places tell.
    #[error(
        "no edge and no central is running here: neither {RUN}/edge.sock nor {RUN}/central.sock is there; name another socket with --socket"
    )]
    Nowhere,
    /// Two are running.
    #[error(
        "an edge and a central are running here; say which with --socket {RUN}/edge.sock or --socket {RUN}/central.sock"
    )]
    Two,
    /// The socket is there, and we may not use it.
    #[error("{} is not for this user; whoever is in its group may use it (`ls -l`)", socket.display())]
    Forbidden {
        /// The socket.
        socket: PathBuf,
    },
    /// Nobody answers.
    #[error("{}: {source}; is the service running (`systemctl status 'sluice-*'`)?", socket.display())]
    Silent {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The answer is not what was asked for.
    #[error("{} answers what this program does not understand: {why}; are both of the same version?", socket.display())]
    Strange {
        /// The socket.
        socket: PathBuf,
        /// What is odd.
        why: String,
    },
    /// It was refused.
    #[error("{0}")]
    Refused(String),
}

/// The socket to ask when none was named.
pub fn usual_socket() -> Result<PathBuf, AskError> {
    let there: Vec<PathBuf> = ["edge", "central"]
        .iter()
        .map(|mode| Path::new(RUN).join(format!("{mode}.sock")))
        .filter(|socket| socket.exists())
        .collect();
    match there.as_slice() {
        [] => Err(AskError::Nowhere),
        [one] => Ok(one.clone()),
        _ => Err(AskError::Two),
    }
}

/// The answer as it came.
pub fn ask_raw(socket: &Path, request: &Request) -> Result<String, AskError> {
    let silent = |source| AskError::Silent {
        socket: socket.to_owned(),
        source,
    };
    let stream = connect(socket, request)?;
    let mut answer = String::new();
    stream
        .take(MAX_ANSWER)
        .read_to_string(&mut answer)
        .map_err(silent)?;
    if answer.is_empty() {
        return Err(silent(io::Error::other(
            "it hung up without an answer; too many may be asking",
        )));
    }
    Ok(answer)
}

/// The answer as a value; a refusal is an error.
pub fn ask<T: DeserializeOwned>(socket: &Path, request: &Request) -> Result<T, AskError> {
    let answer = ask_raw(socket, request)?;
    if let Ok(refused) = serde_json::from_str::<ErrorView>(&answer) {
        return Err(AskError::Refused(refused.error));
    }
    serde_json::from_str(&answer).map_err(|why| AskError::Strange {
        socket: socket.to_owned(),
        why: why.to_string(),
    })
}

/// Hands on one document after the other until `take` has enough, or the other end goes away.
pub fn follow(
    socket: &Path,
    request: &Request,
    mut take: impl FnMut(&str) -> io::Result<()>,
) -> Result<(), AskError> {
    let silent = |source| AskError::Silent {
        socket: socket.to_owned(),
        source,
    };
    let stream = connect(socket, request)?;
    stream.set_read_timeout(None).map_err(silent)?;
    for line in BufReader::new(stream).lines() {
        if take(&line.map_err(silent)?).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn connect(socket: &Path, request: &Request) -> Result<UnixStream, AskError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::PermissionDenied => AskError::Forbidden {
            socket: socket.to_owned(),
        },
        _ => AskError::Silent {
            socket: socket.to_owned(),
            source,
        },
    };
    let mut stream = UnixStream::connect(socket).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
    stream
        .write_all(format!("{request}\n").as_bytes())
        .map_err(failed)?;
    Ok(stream)
}
