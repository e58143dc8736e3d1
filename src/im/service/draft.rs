//! What one request is about to do: changes and entries in the making. Nothing of it counts before the request has
//! succeeded, so a refusal in the middle leaves nothing behind.

use std::collections::HashMap;
use std::sync::Arc;

use crate::im::change::Change;
use crate::im::config::Config;
use crate::im::effects::Now;
use crate::im::log::{Due, Entry, LogHead};
use crate::im::names::{ConnectionId, Position, SessionId};
use crate::im::phone::TextToPhone;
use crate::im::primitive::{ItemKind, Status, ToClient};
use crate::im::shelf::{Shelf, ShelfFailed, Shelved};
use crate::im::status::Code;
use crate::message::UserName;

/// Why a request was not done.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It is refused.
    Status(Box<Status>),
    /// The store failed.
    Shelf(ShelfFailed),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Status::of(code).into()
    }
}

impl From<ShelfFailed> for Refusal {
    fn from(why: ShelfFailed) -> Self {
        Self::Shelf(why)
    }
}

impl Refusal {
    /// As it is answered.
    pub(super) fn into_status(self) -> Status {
        match self {
            Self::Status(status) => *status,
            Self::Shelf(why) => {
                tracing::error!("{why}; a request was not done");
                Status::of(Code::StorageFailed)
            }
        }
    }
}

/// The answer to a request.
#[derive(Debug)]
pub(super) struct Reply {
    /// What it says.
    pub(super) word: ToClient,
    /// The entry of the asker's log that it stands for.
    pub(super) stands_for: Option<Position>,
}

impl<T: Into<ToClient>> From<T> for Reply {
    fn from(word: T) -> Self {
        Self {
            word: word.into(),
            stands_for: None,
        }
    }
}

/// How most requests end.
pub(super) type Answer = Result<Reply, Refusal>;

/// Something for all points of a user that is not kept.
pub(super) struct Volatile {
    pub(super) user: UserName,
    /// But not for this one, which knows.
    pub(super) except: Option<SessionId>,
    pub(super) kind: ItemKind,
    pub(super) word: Arc<ToClient>,
}

/// An entry in the making.
pub(super) struct Appended {
    pub(super) user: UserName,
    pub(super) position: Position,
    pub(super) entry: Arc<Entry>,
}

/// What a request is about to do.
pub(super) struct Draft<'a> {
    pub(super) shelf: &'a dyn Shelf,
    pub(super) config: &'a Config,
    pub(super) now: Now,
    pub(super) changes: Vec<Change>,
    pub(super) to_phones: Vec<TextToPhone>,
    pub(super) volatile: Vec<Volatile>,
    pub(super) appended: Vec<Appended>,
    /// Sessions whose points are to be fed from the shelf.
    pub(super) feed: Vec<SessionId>,
    /// Sessions that end.
    pub(super) ended: Vec<SessionId>,
    /// Connections that are of no use any more.
    pub(super) closes: Vec<ConnectionId>,
    heads: HashMap<UserName, LogHead>,
}

/// Entries that are looked at when a log is full.
const LOOKED_AT: usize = 256;

/// A log is looked at for what is too much or too old each so many entries.
const TRIM_EACH: u64 = 64;

impl<'a> Draft<'a> {
    pub(super) fn new(shelf: &'a dyn Shelf, config: &'a Config, now: Now) -> Self {
        Self {
            shelf,
            config,
            now,
            changes: Vec::new(),
            to_phones: Vec::new(),
            volatile: Vec::new(),
            appended: Vec::new(),
            feed: Vec::new(),
            ended: Vec::new(),
            closes: Vec::new(),
            heads: HashMap::new(),
        }
    }

    /// How far a log has come, with what this request adds.
    pub(super) fn head(&self, user: &UserName) -> Shelved<LogHead> {
        match self.heads.get(user) {
            Some(head) => Ok(*head),
            None => self.shelf.log(user),
        }
    }

    /// Whether a user has as much waiting as is kept.
    pub(super) fn is_full(&self, user: &UserName) -> Shelved<bool> {
        let head = self.head(user)?;
        Ok(head.last.behind(head.received) >= self.config.max_waiting)
    }

    /// Whether a user's log has room, once what the user itself did counts as received, if nothing that others said lies
    /// before it: who only writes and confirms nothing fills no disk, and can still be written to.
    pub(super) fn makes_room(&mut self, user: &UserName) -> Shelved<bool> {
        let head = self.head(user)?;
        let most = self.config.max_waiting;
        // Before it is full: others may write to it then.
        if head.last.behind(head.received) <= most / 2 {
            return Ok(true);
        }
        let mut own = head.received;
        // Mostly the first one tells already.
        for page in [1, LOOKED_AT] {
            let entries = self.shelf.entries(user, own, page)?;
            let of_user = entries
                .iter()
                .take_while(|(_, entry)| entry.logged().is_own());
            match of_user.last() {
                Some((position, _)) => own = *position,
                None => break,
            }
        }
        self.received(user, own)?;
        let head = self.head(user)?;
        Ok(head.last.behind(head.received) <= most)
    }

    /// An entry at the end of a user's log.
    pub(super) fn append(
        &mut self,
        user: &UserName,
        entry: &Arc<Entry>,
        due: Option<Due>,
    ) -> Shelved<Position> {
        let mut head = self.head(user)?;
        head.last = head.last.next();
        let position = head.last;
        self.changes.push(Change::Append {
            user: user.clone(),
            position,
            entry: Arc::clone(entry),
            due,
        });
        self.appended.push(Appended {
            user: user.clone(),
            position,
            entry: Arc::clone(entry),
        });
        if position.0.is_multiple_of(TRIM_EACH) {
            self.trim(user, &mut head)?;
        }
        self.heads.insert(user.clone(), head);
        Ok(position)
    }

    /// A point has confirmed a log up to here. False if that is known.
    pub(super) fn received(&mut self, user: &UserName, position: Position) -> Shelved<bool> {
        let mut head = self.head(user)?;
        if position <= head.received {
            return Ok(false);
        }
        head.received = position;
        self.heads.insert(user.clone(), head);
        self.changes.push(Change::Received(user.clone(), position));
        Ok(true)
    }

    /// Takes off the beginning what is more or older than is kept; never what nobody has received.
    fn trim(&mut self, user: &UserName, head: &mut LogHead) -> Shelved<()> {
        let most = Position(head.last.0.saturating_sub(self.config.log_entries));
        let mut to = most.min(head.received);
        let at_hand = usize::try_from(TRIM_EACH * 2).unwrap_or(usize::MAX);
        // Mostly the first one tells already, and reading them costs more than all else of a message.
        for page in [1, at_hand] {
            let begin = head.trimmed.max(to);
            let entries = self.shelf.entries(user, begin, page)?;
            let old = entries.iter().take_while(|(position, entry)| {
                *position <= head.received && self.now.wall.since(entry.at()) > self.config.log_age
            });
            match old.last() {
                Some((position, _)) => to = *position,
                None => break,
            }
        }
        if to > head.trimmed {
            head.trimmed = to;
            self.changes.push(Change::Trimmed(user.clone(), to));
        }
        Ok(())
    }
}
