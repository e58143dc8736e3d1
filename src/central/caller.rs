//! Who talks to the desk: for `sluice send`, `sluice inbox` and whatever else runs on this machine.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::talk::{Reply, Request};

/// Why the desk was of no use.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody there.
    #[error("{}: {why}; is central running, and are you in its group?", path.display())]
    Nobody {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// It went away, or speaks in riddles.
    #[error("the desk: {0}")]
    Talk(io::Error),
}

/// A conversation with the desk. It blocks.
#[derive(Debug)]
pub struct Caller {
    write: UnixStream,
    read: BufReader<UnixStream>,
    /// What came of a line whose end has not.
    line: Vec<u8>,
}

impl Caller {
    /// Calls the desk.
    pub fn call(path: &Path) -> Result<Self, CallError> {
        let nobody = |why| CallError::Nobody {
            path: path.to_owned(),
            why,
        };
        let write = UnixStream::connect(path).map_err(nobody)?;
        let read = BufReader::new(write.try_clone().map_err(nobody)?);
        Ok(Self {
            write,
            read,
            line: Vec::new(),
        })
    }

    /// Says something.
    pub fn say(&mut self, request: &Request) -> Result<(), CallError> {
        let mut line = serde_json::to_vec(request).map_err(|why| CallError::Talk(why.into()))?;
        line.push(b'\n');
        self.write.write_all(&line).map_err(CallError::Talk)
    }

    /// What it says next; nothing if that takes longer than so.
    pub fn hear_within(&mut self, patience: Duration) -> Result<Option<Reply>, CallError> {
        self.write
            .set_read_timeout(Some(patience))
            .map_err(CallError::Talk)?;
        match self.read.read_until(b'\n', &mut self.line) {
            Ok(_) if self.line.ends_with(b"\n") => {
                let line = std::mem::take(&mut self.line);
                serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(|why| CallError::Talk(why.into()))
            }
            Ok(_) => {
                let ended = io::Error::new(io::ErrorKind::UnexpectedEof, "it went away");
                Err(CallError::Talk(ended))
            }
            Err(why)
                if matches!(
                    why.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                Ok(None)
            }
            Err(why) => Err(CallError::Talk(why)),
        }
    }

    /// What it says next, however long that takes.
    pub fn hear(&mut self) -> Result<Reply, CallError> {
        loop {
            if let Some(reply) = self.hear_within(Duration::from_hours(1))? {
                return Ok(reply);
            }
        }
    }
}
