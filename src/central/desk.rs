//! The desk: where programs on this machine hand in texts for phones, and fetch what phones wrote to them.
//!
//! A Unix socket that speaks lines of JSON; `docs/desk.md` shows it in full. `sluice send` and `sluice inbox` use it.
//! A text that was answered with its identity is durable. What came for the desk lies in one log, numbered without
//! gaps in the order of its coming, until its reader says that it has it.
//!
//! What it leaves to others: people. Users, their clients, their presence are the IM service's.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::ledger::{Handed, Ledger, LedgerError};
use super::talk::{Reply, Request};

/// Longest request, in octets: a text of 255 parts in any form of writing it, and what stands around it.
const MAX_LINE: u64 = 256 << 10;

/// How many lines of one connection are taken before their answers are awaited: they share a sync.
const PIPELINED: usize = 256;

/// How many log entries are written before the socket is flushed.
const PAGE: usize = 256;

/// How many may wait to be let in.
const BACKLOG: i32 = 64;

/// A reader that takes nothing for so long is dropped.
const WRITE: Duration = Duration::from_secs(10);

/// Why there is no desk.
#[derive(Debug, thiserror::Error)]
#[error("{}: {doing} failed: {why}", path.display())]
pub struct DeskError {
    path: PathBuf,
    doing: &'static str,
    why: io::Error,
}

/// The desk's socket. Dropped, it is gone.
pub(super) struct Desk {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.task.abort();
        // Whoever comes finds nobody, and reads so.
        let _best_effort = std::fs::remove_file(&self.path);
    }
}

impl Desk {
    /// Opens the desk. Only who may is let in before anybody can connect.
    pub(super) fn open(
        path: &Path,
        mode: u32,
        connections: usize,
        ledger: Arc<Ledger>,
    ) -> Result<Self, DeskError> {
        let failed = |doing| {
            let path = path.to_owned();
            move |why| DeskError { path, doing, why }
        };
        let listener = listener(path, mode).map_err(failed("making the socket"))?;
        let listener = UnixListener::from_std(listener).map_err(failed("listening"))?;
        Ok(Self {
            path: path.to_owned(),
            task: tokio::spawn(serve(listener, connections, ledger)),
        })
    }
}

async fn serve(listener: UnixListener, connections: usize, ledger: Arc<Ledger>) {
    let places = Arc::new(Semaphore::new(connections));
    let mut guests = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_gone) = guests.join_next() => continue,
        };
        let Ok((stream, _)) = accepted else {
            // No more descriptors; whoever goes leaves one.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        // Who is one too many is told by the end of the connection.
        let Ok(place) = places.clone().try_acquire_owned() else {
            continue;
        };
        let ledger = ledger.clone();
        guests.spawn(async move {
            let _place = place;
            if let Err(why) = attend(stream, &ledger).await {
                tracing::debug!(%why, "a connection of the desk ended");
            }
        });
    }
}

async fn attend(stream: UnixStream, ledger: &Ledger) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = Lines {
        from: BufReader::with_capacity(64 << 10, read),
        line: Vec::new(),
    };
    loop {
        let Some(first) = lines.next().await? else {
            return Ok(());
        };
        let mut requests = vec![first];
        // What is here already shares a sync with it.
        while requests.len() < PIPELINED && lines.has_whole() {
            match lines.next().await? {
                Some(line) => requests.push(line),
                None => break,
            }
        }
        let mut handed = Vec::with_capacity(requests.len());
        let mut inbox = None;
        for request in requests {
            match request {
                Ok(Request::Send(hand)) => {
                    let key = hand.key.clone();
                    handed.push((key, ledger.hand_in(hand)));
                }
                Ok(Request::Taken { up_to }) => {
                    answer(&mut write, std::mem::take(&mut handed)).await?;
                    let reply = match ledger.taken(up_to).await {
                        Ok(()) => Reply::Taken { up_to },
                        Err(why) => refused(None, &why),
                    };
                    say(&mut write, &[reply]).await?;
                }
                Ok(Request::Inbox { after }) => inbox = Some(after),
                Err(why) => {
                    let refused = Reply::Refused {
                        why,
                        key: None,
                        later: false,
                    };
                    answer(&mut write, std::mem::take(&mut handed)).await?;
                    say(&mut write, &[refused]).await?;
                }
            }
        }
        answer(&mut write, handed).await?;
        if let Some(after) = inbox {
            return follow(after, ledger, lines, write).await;
        }
    }
}

type Waiting<'a> = (Option<String>, Result<Handed<'a>, LedgerError>);

async fn answer(write: &mut OwnedWriteHalf, handed: Vec<Waiting<'_>>) -> io::Result<()> {
    let mut replies = Vec::with_capacity(handed.len());
    for (key, handed) in handed {
        let stored = match handed {
            Ok(handed) => handed.stored().await,
            Err(why) => Err(why),
        };
        replies.push(match stored {
            Ok(id) => Reply::Stored {
                id: format!("{id:032x}"),
                key,
            },
            Err(why) => refused(key, &why),
        });
    }
    say(write, &replies).await
}

fn refused(key: Option<String>, why: &LedgerError) -> Reply {
    Reply::Refused {
        why: why.to_string(),
        key,
        later: why.is_passing(),
    }
}

async fn say(write: &mut OwnedWriteHalf, replies: &[Reply]) -> io::Result<()> {
    if replies.is_empty() {
        return Ok(());
    }
    let mut octets = Vec::new();
    for reply in replies {
        serde_json::to_writer(&mut octets, reply)?;
        octets.push(b'\n');
    }
    tokio::time::timeout(WRITE, write.write_all(&octets))
        .await
        .map_err(|_elapsed| io::Error::new(io::ErrorKind::TimedOut, "it takes nothing"))?
}

/// Gives the inbox, and goes on with what comes, until the reader goes. It may say *taken* meanwhile.
async fn follow(
    mut after: u64,
    ledger: &Ledger,
    mut lines: Lines,
    mut write: OwnedWriteHalf,
) -> io::Result<()> {
    let mut news = ledger.news();
    loop {
        news.borrow_and_update();
        loop {
            let page = ledger.inbox(after, PAGE).map_err(io::Error::other)?;
            let Some(last) = page.last() else { break };
            after = last.number;
            let entries: Vec<Reply> = page.into_iter().map(Reply::Entry).collect();
            say(&mut write, &entries).await?;
        }
        tokio::select! {
            changed = news.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
            }
            line = lines.next() => match line? {
                None => return Ok(()),
                Some(Ok(Request::Taken { up_to })) => {
                    let reply = match ledger.taken(up_to).await {
                        Ok(()) => Reply::Taken { up_to },
                        Err(why) => refused(None, &why),
                    };
                    say(&mut write, &[reply]).await?;
                }
                Some(Ok(_) | Err(_)) => return Ok(()),
            },
        }
    }
}

/// Requests as they come.
struct Lines {
    from: BufReader<OwnedReadHalf>,
    line: Vec<u8>,
}

impl Lines {
    /// The next request, or what is wrong with it; `None` at the end, and after a line without one. What was read of a
    /// line stays when the future is dropped.
    async fn next(&mut self) -> io::Result<Option<Result<Request, String>>> {
        let left = MAX_LINE - self.line.len() as u64;
        (&mut self.from)
            .take(left)
            .read_until(b'\n', &mut self.line)
            .await?;
        if !self.line.ends_with(b"\n") {
            if self.line.len() as u64 >= MAX_LINE {
                return Err(io::Error::other(format!(
                    "a line has no end within {MAX_LINE} octets"
                )));
            }
            return Ok(None);
        }
        let line = std::mem::take(&mut self.line);
        // What serde says of a text may quote it; the reader wrote it.
        Ok(Some(
            serde_json::from_slice(&line).map_err(|why| why.to_string()),
        ))
    }

    /// Whether a whole line is here already.
    fn has_whole(&self) -> bool {
        self.from.buffer().contains(&b'\n')
    }
}

/// Makes the socket. Who may connect is settled after it has its name and before it listens. What a former process left
/// there is removed, unless somebody still answers.
fn listener(path: &Path, mode: u32) -> io::Result<std::os::unix::net::UnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        let why = "another process serves it";
        return Err(io::Error::new(io::ErrorKind::AddrInUse, why));
    }
    match std::fs::remove_file(path) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        Ok(()) | Err(_) => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
