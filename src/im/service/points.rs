//! Connections and points, and how points are fed from their user's log.
//!
//! A point has been sent everything up to `fed`, in order. It is behind its log only while as much as its window holds is
//! under way to it; every confirmation then feeds it further. So an entry that is appended is sent at once to each point
//! that is not behind, and the others come to it by themselves.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::answers::Answers;
use crate::clock::Moment;
use crate::im::effects::Origin;
use crate::im::limits::{WINDOW, WINDOW_OCTETS};
use crate::im::log::Entry;
use crate::im::names::{ConnectionId, Position, SessionId};
use crate::im::primitive::{ItemKind, Outgoing, Tag, ToClient, Word};
use crate::im::shelf::{Shelf, Shelved};
use crate::message::UserName;

/// What goes where.
pub(super) type Sends = Vec<(ConnectionId, Outgoing)>;

/// A connection.
pub(super) struct Connection {
    pub(super) origin: Origin,
    pub(super) sessions: Vec<SessionId>,
    /// Counts what is sent and not kept.
    volatile: u64,
}

/// A session's connection.
pub(super) struct Point {
    pub(super) user: UserName,
    pub(super) connection: ConnectionId,
    pub(super) accepts: Option<Vec<ItemKind>>,
    pub(super) answers: Answers,
    /// Everything up to here was sent, or is not for it.
    pub(super) fed: Position,
    /// Everything up to here was confirmed.
    pub(super) confirmed: Position,
    /// What was sent and not confirmed, with its octets.
    under_way: VecDeque<(Position, usize)>,
    /// All of these octets.
    octets: usize,
    /// When its user did something.
    touched: Moment,
    is_idle: bool,
}

/// Entries that are read from the shelf at a time to feed a point.
const FED: usize = 32;

impl Point {
    pub(super) fn new(
        user: UserName,
        connection: ConnectionId,
        accepts: Option<Vec<ItemKind>>,
        fed: Position,
        answers: Answers,
        now: Moment,
    ) -> Self {
        Self {
            user,
            connection,
            accepts,
            answers,
            fed,
            confirmed: fed,
            under_way: VecDeque::new(),
            octets: 0,
            touched: now,
            is_idle: false,
        }
    }

    pub(super) fn takes(&self, kind: ItemKind) -> bool {
        self.accepts
            .as_ref()
            .is_none_or(|accepts| accepts.contains(&kind))
    }

    fn has_room(&self) -> bool {
        (self.under_way.len() as u64) < WINDOW && self.octets < WINDOW_OCTETS
    }

    fn send(&mut self, position: Position, octets: usize) {
        self.octets += octets;
        self.under_way.push_back((position, octets));
    }

    /// The next entry, if it is the next and there is room. Whether it is to be sent.
    fn offer(&mut self, position: Position, entry: &Entry) -> bool {
        if position != self.fed.next() || !self.has_room() {
            return false;
        }
        self.fed = position;
        let takes = self.takes(entry.logged().kind());
        if takes {
            self.send(position, entry.octets());
        }
        takes
    }

    /// The answer to a request of this point stands for the next entry, if it is the next.
    fn stand_in(&mut self, position: Position) -> bool {
        let is_next = position == self.fed.next();
        if is_next {
            self.fed = position;
            self.send(position, 0);
        }
        is_next
    }

    /// The client has kept everything up to here. The position, as far as it was sent.
    pub(super) fn confirm(&mut self, position: Position) -> Position {
        let position = position.min(self.fed);
        while let Some(&(sent, octets)) = self.under_way.front()
            && sent <= position
        {
            self.under_way.pop_front();
            self.octets -= octets;
        }
        self.confirmed = self.confirmed.max(position);
        position
    }
}

/// All connections and points.
#[derive(Default)]
pub(super) struct Points {
    connections: HashMap<ConnectionId, Connection>,
    points: HashMap<SessionId, Point>,
    of_user: HashMap<UserName, Vec<SessionId>>,
}

impl Points {
    pub(super) fn connect(&mut self, connection: ConnectionId, origin: Origin) {
        self.connections.insert(
            connection,
            Connection {
                origin,
                sessions: Vec::new(),
                volatile: 0,
            },
        );
    }

    /// Forgets a connection; gives the sessions that it had.
    pub(super) fn disconnect(&mut self, connection: ConnectionId) -> Vec<(SessionId, Point)> {
        let Some(gone) = self.connections.remove(&connection) else {
            return Vec::new();
        };
        gone.sessions
            .into_iter()
            .filter_map(|session| Some((session, self.forget(session)?)))
            .collect()
    }

    pub(super) fn connection(&self, connection: ConnectionId) -> Option<&Connection> {
        self.connections.get(&connection)
    }

    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    /// How many users have a point.
    pub(super) fn users(&self) -> usize {
        self.of_user.len()
    }

    pub(super) fn get(&self, session: &SessionId) -> Option<&Point> {
        self.points.get(session)
    }

    pub(super) fn get_mut(&mut self, session: &SessionId) -> Option<&mut Point> {
        self.points.get_mut(session)
    }

    /// A user has done something at a point. Whose it is, if it was idle until now.
    pub(super) fn touch(&mut self, session: &SessionId, now: Moment) -> Option<UserName> {
        let point = self.points.get_mut(session)?;
        point.touched = now;
        std::mem::take(&mut point.is_idle).then(|| point.user.clone())
    }

    /// Points that are idle from now on: nobody has done anything there for so long.
    pub(super) fn fall_idle(&mut self, now: Moment, after: Duration) -> Vec<(UserName, SessionId)> {
        let mut fallen = Vec::new();
        for (session, point) in &mut self.points {
            if !point.is_idle && point.touched + after <= now {
                point.is_idle = true;
                fallen.push((point.user.clone(), *session));
            }
        }
        // In an order of their own, so that the same always leads to the same.
        fallen.sort_unstable();
        fallen
    }

    /// Whether a user has a point.
    pub(super) fn has(&self, user: &UserName) -> bool {
        self.of_user.contains_key(user)
    }

    /// Which session a request belongs to: the one it names, or the only one of its connection.
    pub(super) fn which(
        &self,
        connection: ConnectionId,
        named: Option<SessionId>,
    ) -> Option<SessionId> {
        let sessions = &self.connections.get(&connection)?.sessions;
        match named {
            Some(session) => sessions.contains(&session).then_some(session),
            None => match sessions[..] {
                [session] => Some(session),
                _ => None,
            },
        }
    }

    /// A session has a point from now on.
    pub(super) fn attach(&mut self, session: SessionId, point: Point) {
        self.detach(session);
        if let Some(connection) = self.connections.get_mut(&point.connection) {
            connection.sessions.push(session);
        }
        self.of_user
            .entry(point.user.clone())
            .or_default()
            .push(session);
        self.points.insert(session, point);
    }

    /// A session has no point any more. Gives it, and whether its connection has no other.
    pub(super) fn detach(&mut self, session: SessionId) -> Option<(Point, bool)> {
        let point = self.forget(session)?;
        let mut is_last = false;
        if let Some(connection) = self.connections.get_mut(&point.connection) {
            connection.sessions.retain(|other| *other != session);
            is_last = connection.sessions.is_empty();
        }
        Some((point, is_last))
    }

    fn forget(&mut self, session: SessionId) -> Option<Point> {
        let point = self.points.remove(&session)?;
        if let Some(sessions) = self.of_user.get_mut(&point.user) {
            sessions.retain(|other| *other != session);
            if sessions.is_empty() {
                self.of_user.remove(&point.user);
            }
        }
        Some(point)
    }

    /// Whose it is, where a connection has several.
    fn named(&self, connection: ConnectionId, session: SessionId) -> Option<SessionId> {
        let sessions = &self.connections.get(&connection)?.sessions;
        (sessions.len() > 1).then_some(session)
    }

    /// An answer, at its place in what the point is fed.
    pub(super) fn answer(
        &mut self,
        session: SessionId,
        tag: Tag,
        word: ToClient,
        stands_for: Option<Position>,
        sends: &mut Sends,
    ) {
        let Some(point) = self.points.get_mut(&session) else {
            return;
        };
        let connection = point.connection;
        // An answer that comes again names the entry again.
        let position =
            stands_for.filter(|&position| position <= point.fed || point.stand_in(position));
        let outgoing = Outgoing {
            tag,
            session: self.named(connection, session),
            position,
            word: Word::Own(word),
        };
        sends.push((connection, outgoing));
    }

    /// Feeds a point from the shelf, as far as its window allows.
    pub(super) fn feed(
        &mut self,
        session: SessionId,
        shelf: &dyn Shelf,
        sends: &mut Sends,
    ) -> Shelved<()> {
        let Some(point) = self.points.get(&session) else {
            return Ok(());
        };
        let connection = point.connection;
        let named = self.named(connection, session);
        let Some(point) = self.points.get_mut(&session) else {
            return Ok(());
        };
        while point.has_room() {
            let entries = shelf.entries(&point.user, point.fed, FED)?;
            if entries.is_empty() {
                break;
            }
            for (position, entry) in entries {
                if !point.has_room() {
                    break;
                }
                // What was trimmed in the meantime leaves a gap; it was received by another point.
                point.fed = Position(position.0 - 1);
                if point.offer(position, &entry) {
                    sends.push((connection, logged(named, position, entry)));
                }
            }
        }
        Ok(())
    }

    /// An entry was appended: to all points of its user that are not behind.
    pub(super) fn push(
        &mut self,
        user: &UserName,
        position: Position,
        entry: &Arc<Entry>,
        sends: &mut Sends,
    ) {
        let Some(sessions) = self.of_user.get(user) else {
            return;
        };
        for session in sessions {
            let Some(point) = self.points.get_mut(session) else {
                continue;
            };
            if point.offer(position, entry) {
                let connection = point.connection;
                let several = self
                    .connections
                    .get(&connection)
                    .is_some_and(|connection| connection.sessions.len() > 1);
                let named = several.then_some(*session);
                sends.push((connection, logged(named, position, Arc::clone(entry))));
            }
        }
    }

    /// Something that is not kept, to all points of a user that take it, but one.
    pub(super) fn tell(
        &mut self,
        user: &UserName,
        except: Option<SessionId>,
        kind: ItemKind,
        word: &Arc<ToClient>,
        sends: &mut Sends,
    ) {
        let Some(sessions) = self.of_user.get(user) else {
            return;
        };
        for session in sessions {
            let Some(point) = self.points.get(session) else {
                continue;
            };
            if Some(*session) == except || !point.takes(kind) {
                continue;
            }
            let Some(connection) = self.connections.get_mut(&point.connection) else {
                continue;
            };
            connection.volatile += 1;
            let outgoing = Outgoing {
                tag: Tag::Volatile(connection.volatile),
                session: (connection.sessions.len() > 1).then_some(*session),
                position: None,
                word: Word::Shared(Arc::clone(word)),
            };
            sends.push((point.connection, outgoing));
        }
    }
}

fn logged(session: Option<SessionId>, position: Position, entry: Arc<Entry>) -> Outgoing {
    Outgoing {
        tag: Tag::Log(position),
        session,
        position: Some(position),
        word: Word::Logged(entry),
    }
}
