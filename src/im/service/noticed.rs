//! What presence learns without being asked, and what it tells.
//!
//! Connections, idle points, phones, groups, blocks and users that are shut are known to it from what the service notices
//! and changes. What watchers are told is polled when time is handled, after and beside all else: presence never delays a
//! message. It is then, too, that memberships are looked up, when the shelf shows what the request before has changed.

use std::sync::Arc;

use super::Service;
use super::draft::Draft;
use super::presence::{ShelfGroups, at, client_named, named};
use super::reach::user_of;
use crate::clock::Moment;
use crate::im::change::Change;
use crate::im::effects::{Effects, Now};
use crate::im::names::{ClientName, GroupName, SessionId};
use crate::im::primitive::{
    Contact, ItemKind, PresAuthRequest, PresAuthSettled, Presence, ToClient,
};
use crate::im::record::PhoneRecord;
use crate::im::shelf::Shelf;
use crate::message::{PhoneNews, PhoneNumber, UserName};
use crate::presence::{Address, Authorise, Chosen, NoGroups, Notice, PhoneState, PointId, Record};

/// Most pictures in one go: what comes meanwhile does not wait for more than these.
const PICTURES_AT_ONCE: usize = 64;

/// A carrier's word on a phone, as presence has it.
pub(super) const fn state_of(news: PhoneNews) -> PhoneState {
    match news {
        PhoneNews::Reached => PhoneState::Reached,
        PhoneNews::Off => PhoneState::Off,
        PhoneNews::Absent => PhoneState::Absent,
    }
}

/// A session as a point of the presence service.
fn point_of(session: SessionId) -> PointId {
    let [.., a, b, c, d, e, f, g, h] = *session.octets();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

impl Service {
    /// Begins with what was kept of presence, which `each` gives one after the other. To be called once, before anything
    /// else.
    pub fn load_presence<E>(
        &mut self,
        now: Now,
        each: impl FnOnce(&mut dyn FnMut(Record)) -> Result<(), E>,
    ) -> Result<(), E> {
        let at = at(now, &NoGroups);
        let presence = &mut self.presence;
        each(&mut |record| presence.load_one(&at, record))?;
        self.presence.loaded(&at);
        self.see_when_presence_is_due(now);
        Ok(())
    }

    /// The carrier has said something of a phone with a text whose fate is not known yet, or was told before: that it is off,
    /// not in the network, or there again. What it says with a fate comes with the fate, and that a text came is known from
    /// the text.
    pub fn phone_reported(
        &mut self,
        now: Now,
        shelf: &dyn Shelf,
        phone: &PhoneNumber,
        news: PhoneNews,
    ) -> Effects {
        self.phone_seen(now, shelf, phone, state_of(news));
        let mut effects = Effects::default();
        self.keep_presence(now, &mut effects.changes);
        effects
    }

    pub(super) fn phone_seen(
        &mut self,
        now: Now,
        shelf: &dyn Shelf,
        phone: &PhoneNumber,
        state: PhoneState,
    ) {
        match shelf.phone(phone) {
            // One that was signed out stays so until it is signed in.
            Ok(Some(record)) if record.takes_texts() => {
                let client = client_named(phone.digits());
                self.presence
                    .phone_reported(&at(now, &NoGroups), &record.user, &client, state);
            }
            Ok(_) => {}
            Err(why) => tracing::warn!("{why}; what a report says of a phone is not known"),
        }
    }

    /// What presence wants to keep goes with the other changes.
    pub(super) fn keep_presence(&mut self, now: Now, changes: &mut Vec<Change>) {
        while let Some(change) = self.presence.poll_change() {
            changes.push(Change::Presence(Box::new(change)));
        }
        self.see_when_presence_is_due(now);
    }

    fn see_when_presence_is_due(&mut self, now: Now) {
        self.presence_due = if self.presence.counts().waiting > 0 {
            Some(now.moment)
        } else {
            self.presence.poll_timeout(&at(now, &NoGroups))
        };
    }

    /// When presence has something to do or to tell.
    pub(super) const fn presence_due(&self) -> Option<Moment> {
        self.presence_due
    }

    /// Time has passed for presence; and what waits is told.
    pub(super) fn presence_timeout(&mut self, now: Now, shelf: &dyn Shelf, effects: &mut Effects) {
        let groups = ShelfGroups(shelf);
        let at = at(now, &groups);
        self.presence.handle_timeout(&at);
        for _ in 0..PICTURES_AT_ONCE {
            let Some(notice) = self.presence.poll_notice(&at) else {
                break;
            };
            let (user, word) = said(notice);
            self.points.tell(
                &user,
                None,
                ItemKind::Presence,
                &Arc::new(word),
                &mut effects.sends,
            );
        }
        self.keep_presence(now, &mut effects.changes);
    }

    /// Points whose users have done nothing for a while are idle.
    pub(super) fn idle_points(&mut self, now: Now) {
        let at = at(now, &NoGroups);
        for (user, session) in self.points.fall_idle(now.moment, self.config.idle_after) {
            self.presence
                .point_idle(&at, &user, point_of(session), true);
        }
    }

    /// A user has done something at a point.
    pub(super) fn touched(&mut self, now: Now, session: SessionId) {
        if let Some(user) = self.points.touch(&session, now.moment) {
            self.presence
                .point_idle(&at(now, &NoGroups), &user, point_of(session), false);
        }
    }

    /// A session has a point.
    pub(super) fn point_came(
        &mut self,
        now: Now,
        session: SessionId,
        user: &UserName,
        client: &ClientName,
    ) {
        let client = client_named(client.as_str());
        let came = self
            .presence
            .point_up(&at(now, &NoGroups), user, &client, point_of(session));
        if let Err(why) = came {
            tracing::warn!("a point is not shown in presence: {}", why.kind);
        }
    }

    /// A session's connection is gone.
    pub(super) fn point_went(&mut self, now: Now, session: SessionId, user: &UserName) {
        self.presence
            .point_gone(&at(now, &NoGroups), user, point_of(session));
    }

    /// An operator's changes, before the shelf shows them: presence has to know of them, and what it keeps goes with them;
    /// and a session that they end has no point any more.
    pub fn operator_changes(
        &mut self,
        now: Now,
        shelf: &dyn Shelf,
        changes: Vec<Change>,
    ) -> Effects {
        let config = Arc::clone(&self.config);
        let mut draft = Draft::new(shelf, &config, now);
        for change in &changes {
            if let Change::Session(session, _, None) = change
                && let Some(point) = self.points.get(session)
            {
                draft.ended.push(*session);
                draft.closes.push(point.connection);
            }
        }
        draft.changes = changes;
        self.release(draft, Effects::default())
    }

    /// What is changed of groups, blocks, users and phones is known to presence, too. The shelf does not show it yet.
    pub(super) fn tell_presence(&mut self, draft: &Draft<'_>) {
        let at = at(draft.now, &NoGroups);
        for change in &draft.changes {
            match change {
                Change::Member(group, user, record) => {
                    if record.is_none() {
                        self.withdraw(draft, user, group);
                    }
                    self.presence.membership_changed(&at, user);
                }
                Change::Group(group, None) => self.presence.forget_group(&at, &named(group)),
                Change::User(user, Some(record)) => {
                    self.presence.shut(&at, user, record.is_shut);
                }
                Change::User(user, None) => self.presence.forget_user(&at, user),
                Change::Blocked(owner, other, is_blocked) => {
                    let other = match other {
                        Contact::User(user) => user.clone(),
                        Contact::Phone(phone) => user_of(phone),
                    };
                    self.presence.block(&at, owner, &other, *is_blocked);
                }
                Change::Phone(phone, record) => {
                    self.phone_changed(draft, phone, record.as_ref());
                }
                _ => {}
            }
        }
        for session in &draft.ended {
            if let Some(user) = self.points.get(session).map(|point| point.user.clone()) {
                self.presence.point_gone(&at, &user, point_of(*session));
            }
        }
    }

    /// A phone goes from one user to another, or is signed in or out.
    fn phone_changed(
        &mut self,
        draft: &Draft<'_>,
        phone: &PhoneNumber,
        record: Option<&PhoneRecord>,
    ) {
        let at = at(draft.now, &NoGroups);
        let client = client_named(phone.digits());
        let before = match draft.shelf.phone(phone) {
            Ok(before) => before,
            Err(why) => {
                tracing::warn!("{why}; what became of a phone is not shown in presence");
                return;
            }
        };
        if let Some(before) = &before
            && record.is_none_or(|record| record.user != before.user)
        {
            self.presence.forget_client(&at, &before.user, &client);
        }
        let was_in = before.is_some_and(|before| before.takes_texts());
        match record {
            Some(record) if record.takes_texts() && !was_in => {
                // It has just written, or proved a code.
                let state = PhoneState::Reached;
                self.presence
                    .phone_reported(&at, &record.user, &client, state);
            }
            Some(record) if !record.takes_texts() && was_in => {
                let state = PhoneState::SignedOut;
                self.presence
                    .phone_reported(&at, &record.user, &client, state);
            }
            _ => {}
        }
    }

    /// Who leaves a group takes along what it has granted there.
    fn withdraw(&mut self, draft: &Draft<'_>, user: &UserName, group: &GroupName) {
        let to = Address::Group(named(group));
        let said = Authorise {
            forget: Chosen::All,
            ..Authorise::to(to.clone())
        };
        let granted = self.presence.permissions(user);
        if granted.iter().any(|(address, _)| *address == to) {
            let done = self
                .presence
                .authorise(&at(draft.now, &NoGroups), user, &said);
            debug_assert!(done.is_ok(), "to take back is always allowed");
        }
    }
}

/// A notice as a primitive, and for whom.
fn said(notice: Notice) -> (UserName, ToClient) {
    match notice {
        Notice::Presence { to, owner, picture } => {
            let presence = Presence {
                user: owner,
                values: picture.to_vec(),
            };
            (to, presence.into())
        }
        Notice::Question {
            to,
            id,
            from,
            chosen,
        } => {
            let request = PresAuthRequest {
                question: id,
                user: from,
                values: chosen,
            };
            (to, request.into())
        }
        Notice::Settled { to, id } => (to, PresAuthSettled { question: id }.into()),
    }
}
