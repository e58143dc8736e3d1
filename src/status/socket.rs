//! The socket's file: made with its permissions before anybody can connect, and taken away at the end.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixListener;

use super::config::StatusConfig;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Somebody answers there.
    #[error("{} is in use by another process; name another socket in [status], or stop that process", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else is there.
    #[error("{} is there and is no socket; name another path in [status], or take it away", path.display())]
    NoSocket {
        /// The path.
        path: PathBuf,
    },
    /// The group is none.
    #[error(
        "there is no group {group:?}; make it with `groupadd --system {group}`, or name another in [status]"
    )]
    NoGroup {
        /// Its name.
        group: String,
    },
    /// The system refused.
    #[error("the status socket {}: {doing}: {source}", path.display())]
    System {
        /// The socket.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// A listening socket, and its file.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        // A successor may have put its own there.
        if fs::metadata(&self.path).is_ok_and(|now| now.ino() == self.inode) {
            let _gone_already = fs::remove_file(&self.path);
        }
    }
}

/// Connections that wait to be taken.
const WAITING: i32 = 64;

pub(super) fn open(path: &Path, config: &StatusConfig) -> Result<Place, SocketError> {
    let failed = |doing| {
        move |source| SocketError::System {
            path: path.to_owned(),
            doing,
            source,
        }
    };
    clear(path)?;
    let gid = match &config.group {
        Some(group) => Some(group_id(group).ok_or_else(|| SocketError::NoGroup {
            group: group.clone(),
        })?),
        None => None,
    };
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed("making it"))?;
    let address = SockAddr::unix(path).map_err(failed("taking its path"))?;
    socket.bind(&address).map_err(failed("making its file"))?;
    // Nobody can connect before it listens, so the permissions are never late.
    let permissions = fs::Permissions::from_mode(config.mode);
    fs::set_permissions(path, permissions).map_err(failed("setting its mode"))?;
    if gid.is_some() {
        chown(path, None, gid).map_err(failed("giving it to its group"))?;
    }
    socket.set_nonblocking(true).map_err(failed("making it"))?;
    socket.listen(WAITING).map_err(failed("listening"))?;
    let inode = fs::metadata(path).map_err(failed("looking at it"))?.ino();
    let listener = UnixListener::from_std(socket.into()).map_err(failed("listening"))?;
    Ok(Place {
        listener,
        path: path.to_owned(),
        inode,
    })
}

/// Takes away what a process left that was killed.
fn clear(path: &Path) -> Result<(), SocketError> {
    let path = path.to_owned();
    match fs::symlink_metadata(&path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(SocketError::System {
                path,
                doing: "looking at it",
                source,
            });
        }
        Ok(there) if !there.file_type().is_socket() => return Err(SocketError::NoSocket { path }),
        Ok(_) => {}
    }
    if UnixStream::connect(&path).is_ok() {
        return Err(SocketError::InUse { path });
    }
    fs::remove_file(&path).map_err(|source| SocketError::System {
        path,
        doing: "taking away what was left there",
        source,
    })
}

/// A group's number: by its name in `/etc/group`, or as written.
fn group_id(group: &str) -> Option<u32> {
    if let Ok(number) = group.parse() {
        return Some(number);
    }
    let groups = fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(group)).then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_known_by_name_and_number() {
        assert_eq!(group_id("root"), Some(0));
        assert_eq!(group_id("17"), Some(17));
        assert_eq!(group_id("no-such-group"), None);
    }
}
