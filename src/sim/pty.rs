//! A serial line that exists in the kernel only: the SMSC holds one end of a pseudo-terminal, the application opens
//! the other as if it were a port.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The SMSC's end of a serial line.
#[derive(Debug)]
pub(super) struct SerialEnd {
    end: AsyncFd<OwnedFd>,
    device: PathBuf,
    link: Option<PathBuf>,
    /// The other end stays open here too: the line is there whether or not the application has its port open.
    _port: File,
}

impl SerialEnd {
    /// Makes a line, without any conversion of octets, and the link to its device if one is wished for.
    pub(super) fn make(link: Option<&Path>) -> io::Result<Self> {
        let end = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&end)?;
        unlockpt(&end)?;
        let name = ptsname(&end, Vec::new())?;
        let device = PathBuf::from(String::from_utf8_lossy(name.as_bytes()).into_owned());
        let port = OpenOptions::new().read(true).write(true).open(&device)?;
        let mut line = tcgetattr(&port)?;
        line.make_raw();
        tcsetattr(&port, OptionalActions::Now, &line)?;
        fcntl_setfl(&end, fcntl_getfl(&end)? | OFlags::NONBLOCK)?;
        if let Some(link) = link {
            match std::fs::remove_file(link) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
                _ => {}
            }
            std::os::unix::fs::symlink(&device, link)?;
        }
        #[expect(
            deprecated,
            reason = "its successor is unsafe, for descriptors that change or close beneath it; an owned one does not"
        )]
        let end = AsyncFd::new(end)?;
        Ok(Self {
            end,
            device,
            link: link.map(Path::to_path_buf),
            _port: port,
        })
    }

    /// What the application opens.
    pub(super) fn device(&self) -> &Path {
        self.link.as_deref().unwrap_or(&self.device)
    }
}

impl Drop for SerialEnd {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            // It points to nothing from now on; if it cannot be taken away that is all the harm.
            let _best_effort = std::fs::remove_file(link);
        }
    }
}

impl AsyncRead for SerialEnd {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.end.poll_read_ready(context))?;
            let read = ready.try_io(|end| {
                rustix::io::read(end, room.initialize_unfilled()).map_err(io::Error::from)
            });
            match read {
                Ok(Ok(length)) => {
                    room.advance(length);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(why)) => return Poll::Ready(Err(why)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for SerialEnd {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.end.poll_write_ready(context))?;
            let written =
                ready.try_io(|end| rustix::io::write(end, octets).map_err(io::Error::from));
            if let Ok(written) = written {
                return Poll::Ready(written);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
