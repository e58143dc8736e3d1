//! Reading and being read: confirmations, read marks, history.

use super::draft::{Answer, Draft};
use super::{Caller, Service};
use crate::im::change::Change;
use crate::im::effects::Effects;
use crate::im::limits::{MAX_PAGE, MAX_PAGE_OCTETS, WINDOW};
use crate::im::log::{Entry, Logged};
use crate::im::names::{Position, SessionId, TransactionId};
use crate::im::primitive::{
    Delivered, Fate, GetHistory, History, ItemKind, PastEntry, Read, Status, Tag,
};
use crate::im::record::SessionMark;
use crate::im::shelf::Shelved;
use crate::im::status::Code;
use crate::message::UserName;

impl Service {
    /// A point has kept everything up to here: whoever waits for a report gets it, and the point is fed on.
    pub(super) fn received(
        &mut self,
        mut draft: Draft<'_>,
        caller: &Caller,
        session: SessionId,
        position: Position,
        transaction: TransactionId,
    ) -> Effects {
        let Some(point) = self.points.get_mut(&session) else {
            return Effects::default();
        };
        let connection = point.connection;
        let position = point.confirm(position);
        let takes_messages = point.takes(ItemKind::Message);
        let mark = SessionMark {
            confirmed: point.confirmed,
            seen_at: draft.now.wall,
        };
        draft.changes.push(Change::Confirmed(session, mark));
        draft.feed.push(session);
        if takes_messages && let Err(why) = settle(&mut draft, &caller.user, position) {
            tracing::error!("{why}; a confirmation was not kept");
            let status = Status::of(Code::StorageFailed);
            return super::answer(connection, Tag::Answer(transaction), status);
        }
        self.release(draft, Effects::default())
    }

    /// The user has read up to here.
    pub(super) fn read(&mut self, draft: &mut Draft<'_>, caller: &Caller, read: Read) -> Answer {
        let head = draft.head(&caller.user)?;
        if read.position > head.last {
            return Err(Status::of(Code::UnknownPosition).at("position").into());
        }
        if read.position <= head.read {
            return Ok(Status::done().into());
        }
        let user = &caller.user;
        draft
            .changes
            .push(Change::Read(user.clone(), read.position));
        let entry = Entry::new(draft.now.wall, Logged::Read(read));
        let position = draft.append(user, &entry, None)?;
        let mut reply: super::Reply = Status::done().into();
        reply.stands_for = Some(position);
        Ok(reply)
    }
}

/// Some point of a user has everything up to here: reports on it go out.
pub(super) fn settle(draft: &mut Draft<'_>, user: &UserName, position: Position) -> Shelved<()> {
    if !draft.received(user, position)? {
        return Ok(());
    }
    let most = usize::try_from(WINDOW).unwrap_or(usize::MAX);
    for (at, due) in draft.shelf.due(user, position, most)? {
        draft.changes.push(Change::Settled(user.clone(), at));
        let delivered = Delivered {
            message: due.message,
            recipient: due.recipient,
            fate: Fate::Delivered,
            reason: None,
        };
        let entry = Entry::new(draft.now.wall, Logged::Delivered(delivered));
        draft.append(&due.sender, &entry, None)?;
    }
    Ok(())
}

/// Entries of the log again, as many as one answer carries.
pub(super) fn get(draft: &Draft<'_>, caller: &Caller, get: &GetHistory) -> Answer {
    let head = draft.head(&caller.user)?;
    if get.after > head.last {
        return Err(Status::of(Code::UnknownPosition).at("after").into());
    }
    let most = get
        .most
        .map_or(MAX_PAGE, |most| most as usize)
        .min(MAX_PAGE);
    let entries = draft.shelf.entries(&caller.user, get.after, most)?;
    let mut octets = 0;
    Ok(History {
        entries: entries
            .into_iter()
            .take_while(|(_, entry)| {
                let is_within = octets < MAX_PAGE_OCTETS;
                octets += entry.octets();
                is_within
            })
            .map(|(position, entry)| PastEntry {
                position,
                at: entry.at(),
                entry: entry.logged().clone(),
            })
            .collect(),
        last: head.last,
    }
    .into())
}
