//! The ring file of a process through all that may happen to it: opened, flushed when idle, and opened anew after a
//! write or sync has failed, for as long as it takes.
//!
//! After a failure nothing of that batch was answered, and nothing more is accepted. The lanes and the link let go of
//! the old rings; then the file is opened as after a crash, from what the disk has. While that fails (no room, a
//! disk that is gone, a file system that went read-only) it is tried again, and everything goes on by itself as soon as it
//! works. The same holds for a file that cannot be opened at the start, for a reason that may pass.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Opened, Report, RingError, RingFile};
use crate::lane::RingName;

/// The first pause before a ring file is opened again, and the longest; each is twice the one before.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// How a ring file is opened; a test may open one on a disk of its own.
pub type Opener = Arc<dyn Fn() -> Result<Opened, RingError> + Send + Sync>;

/// The rings as lanes and link see them.
#[derive(Clone, Default)]
pub enum Rings {
    /// They can be used.
    Open(RingFile),
    /// They cannot, and why; nothing may hold on to the former ones.
    #[default]
    Opening,
    /// They cannot, for this reason.
    Failed(Arc<str>),
}

impl Rings {
    /// Why nothing can be stored, if so.
    pub fn trouble(&self) -> Option<String> {
        match self {
            Self::Open(file) => file.failure().map(|why| why.to_string()),
            Self::Opening => Some(String::from("the ring file is being opened")),
            Self::Failed(why) => Some(why.to_string()),
        }
    }
}

/// Opens a file for these rings where it lies, or makes it.
pub fn opener(path: PathBuf, names: Vec<RingName>) -> Opener {
    Arc::new(move || RingFile::open_or_create(&path, &names))
}

/// A ring file that is kept open.
pub struct Kept {
    /// Its rings, as of now.
    pub rings: watch::Receiver<Rings>,
    /// What opening it brought to light.
    pub found: Vec<Report>,
    /// Keeps it; ends when nobody looks any more.
    pub task: JoinHandle<()>,
}

/// Begins to keep a ring file open. Fails if it cannot be opened for a reason that does not pass by itself.
pub fn begin(opener: Opener) -> Result<Kept, RingError> {
    let (first, found) = match opener() {
        Ok(opened) => (Ok(opened.file), opened.rings),
        Err(why) if why.may_pass() => {
            tracing::error!(%why, "the ring file cannot be opened; it is tried again");
            (Err(why.to_string()), Vec::new())
        }
        Err(why) => return Err(why),
    };
    let (tell, rings) = watch::channel(match &first {
        Ok(file) => Rings::Open(file.clone()),
        Err(why) => Rings::Failed(why.as_str().into()),
    });
    let task = tokio::spawn(keep(first.ok(), opener, tell));
    Ok(Kept { rings, found, task })
}

/// Keeps a ring file open. Begins with one that is, if there is one; ends when nobody looks any more.
async fn keep(first: Option<RingFile>, opener: Opener, rings: watch::Sender<Rings>) {
    let mut file = match first {
        Some(file) => file,
        None => match opened(&opener, &rings).await {
            Some(file) => file,
            None => return,
        },
    };
    loop {
        rings.send_replace(Rings::Open(file.clone()));
        let why = tokio::select! {
            why = file.flush_when_idle() => why,
            () = rings.closed() => return,
        };
        tracing::error!(path = %file.path().display(), %why, "the ring file takes nothing more; it is opened anew");
        rings.send_replace(Rings::Failed(why.to_string().into()));
        drop(file);
        file = match opened(&opener, &rings).await {
            Some(file) => file,
            None => return,
        };
    }
}

/// Opens the file, for as long as it takes; nothing if nobody looks any more.
async fn opened(opener: &Opener, rings: &watch::Sender<Rings>) -> Option<RingFile> {
    let mut pause = PAUSES.0;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = rings.closed() => return None,
        }
        pause = (pause * 2).min(PAUSES.1);
        let open = opener.clone();
        // Recovery reads the whole file.
        let opened = tokio::task::spawn_blocking(move || open()).await;
        match opened {
            Ok(Ok(opened)) => {
                tracing::warn!(path = %opened.file.path().display(), "the ring file was opened anew; lanes and link go on");
                return Some(opened.file);
            }
            // By ourselves: somebody has not let go of it yet. Another process could not have come between.
            Ok(Err(RingError::InUse { .. })) => {}
            Ok(Err(why)) => {
                tracing::error!(%why, "the ring file cannot be opened; it is tried again");
                rings.send_replace(Rings::Failed(why.to_string().into()));
            }
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }
}
