//! M4: what the system knows by itself. One picture of a user from all of its points, and from what the SMSC says of its
//! phones.

use std::time::Duration;

use super::{Now, PaceTimer, Service};
use crate::clock::{Moment, WallTime};
use crate::message::UserName;
use crate::presence::entry::Entry;
use crate::presence::look::{ABSENT, IDLE, PHONE_OFF, REACHABLE, UNREACHABLE};
use crate::presence::name::ClientName;
use crate::presence::record::{Key, Record};
use crate::presence::refusal::Refusal;
use crate::presence::service::update::MAX_CLIENTS;
use crate::presence::wheel::TimerId;
use crate::presence::words::{Class, Format};

/// Most points of a user at the same time.
pub const MAX_POINTS: usize = 64;

/// What a report says of a phone fades in so many seconds: half a day.
const REPORT_FADES: u32 = 12 * 3600;

/// A report that says what the last one said is news after this.
const REPORT_NEWS: Duration = Duration::from_hours(1);

/// A point's number, given by whoever has its connection, and unique among a user's points.
pub type PointId = u64;

/// What a report of the SMSC says of a phone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PhoneState {
    /// It took a message, or sent one.
    Reached,
    /// It is switched off.
    Off,
    /// It is not in the network.
    Absent,
    /// Its user has signed it out.
    SignedOut,
}

/// One connection of one client.
#[derive(Debug)]
pub(super) struct Point {
    id: PointId,
    client: ClientName,
    is_idle: bool,
    since: WallTime,
    heard: Moment,
    silence: TimerId,
}

/// A point, as its user may see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PointSeen {
    /// Its number.
    pub id: PointId,
    /// Whose connection it is.
    pub client: ClientName,
    /// Whether nobody has touched it for a while.
    pub is_idle: bool,
    /// Since when it is there.
    pub since: WallTime,
}

pub(super) fn is_connected(points: &[Point], client: &ClientName) -> bool {
    points.iter().any(|point| point.client == *client)
}

impl Service {
    /// A client has connected: it gets all pictures and open questions anew.
    pub fn point_up(
        &mut self,
        now: &Now<'_>,
        user: &UserName,
        client: &ClientName,
        point: PointId,
    ) -> Result<(), Refusal> {
        let there = self.person(user).map(|id| &self.people[id].points);
        if there.is_some_and(|points| points.len() >= MAX_POINTS) {
            return Err(Refusal::too_many("client", MAX_POINTS));
        }
        self.point_gone(now, user, point);
        let id = self.make_person(user);
        let due = (now.moment + self.config.silence)
            .as_micros()
            .div_ceil(1000);
        let silence = self.by_moment.arm(due, PaceTimer::Silence(id, point));
        let person = &mut self.people[id];
        // Most have one or two.
        person.points.reserve_exact(1);
        person.points.push(Point {
            id: point,
            client: client.clone(),
            is_idle: false,
            since: now.wall,
            heard: now.moment,
            silence,
        });
        let open = person
            .questions
            .iter()
            .filter(|question| question.answered.is_none());
        person.told_of_questions = open.map(|question| question.id).collect();
        let watching: Vec<u32> = person.watching.iter().map(|(_, id)| *id).collect();
        for subscription in watching {
            self.subscriptions[subscription].told = None;
            self.mark(subscription, now.moment);
        }
        self.make_ready(id, now.moment);
        self.client_changed(now, id, client);
        Ok(())
    }

    /// Somebody touched a point, or nobody did for a while.
    pub fn point_idle(&mut self, now: &Now<'_>, user: &UserName, point: PointId, is_idle: bool) {
        self.point_heard(now, user, point);
        let Some(id) = self.person(user) else { return };
        let points = &mut self.people[id].points;
        if let Some(point) = points.iter_mut().find(|one| one.id == point)
            && point.is_idle != is_idle
        {
            point.is_idle = is_idle;
            let client = point.client.clone();
            self.client_changed(now, id, &client);
        }
    }

    /// A point has shown that it lives.
    pub fn point_heard(&mut self, now: &Now<'_>, user: &UserName, point: PointId) {
        // Its timer is moved when it fires: hearing costs nothing.
        let Some(id) = self.person(user) else { return };
        let points = &mut self.people[id].points;
        if let Some(point) = points.iter_mut().find(|one| one.id == point) {
            point.heard = now.moment;
        }
    }

    /// A connection has ended.
    pub fn point_gone(&mut self, now: &Now<'_>, user: &UserName, point: PointId) {
        let Some(id) = self.person(user) else { return };
        let person = &mut self.people[id];
        let Some(place) = person.points.iter().position(|one| one.id == point) else {
            return;
        };
        let point = person.points.swap_remove(place);
        self.by_moment.disarm(point.silence);
        if person.points.is_empty() {
            // Who is gone is told of open questions when it is back.
            person.told_of_questions.clear();
        }
        self.client_changed(now, id, &point.client);
        self.tidy(id);
    }

    /// A user's points.
    pub fn points(&self, user: &UserName) -> Vec<PointSeen> {
        let person = self.person(user).map(|id| &self.people[id]);
        let points = person.into_iter().flat_map(|person| &person.points);
        points
            .map(|point| PointSeen {
                id: point.id,
                client: point.client.clone(),
                is_idle: point.is_idle,
                since: point.since,
            })
            .collect()
    }

    /// The SMSC has said something of a user's phone.
    pub fn phone_reported(
        &mut self,
        now: &Now<'_>,
        user: &UserName,
        phone: &ClientName,
        state: PhoneState,
    ) {
        let id = self.make_person(user);
        if is_connected(&self.people[id].points, phone) {
            return;
        }
        let (text, fades) = match state {
            PhoneState::Reached => (REACHABLE, Some(REPORT_FADES)),
            PhoneState::Off => (PHONE_OFF, Some(REPORT_FADES)),
            PhoneState::Absent => (ABSENT, Some(REPORT_FADES)),
            PhoneState::SignedOut => (UNREACHABLE, None),
        };
        self.put_reachability(now, id, phone, text, fades);
        self.tidy(id);
    }

    pub(super) fn may_be_silent(&mut self, now: &Now<'_>, id: u32, number: PointId) {
        let silence = self.config.silence;
        let point = self.people[id]
            .points
            .iter_mut()
            .find(|point| point.id == number);
        let point = point.expect("a point's timer goes with it");
        let due = (point.heard + silence).as_micros().div_ceil(1000);
        // The timer that fired is worth nothing any more, so the point needs another in any case.
        point.silence = self.by_moment.arm(due, PaceTimer::Silence(id, number));
        if point.heard + silence <= now.moment {
            let user = self.people[id].name.clone();
            self.point_gone(now, &user, number);
        }
    }

    /// A client's points have changed.
    fn client_changed(&mut self, now: &Now<'_>, id: u32, client: &ClientName) {
        let points = self.people[id].points.iter();
        let best = points
            .filter(|point| point.client == *client)
            .map(|point| point.is_idle)
            .min();
        let text = match best {
            Some(false) => REACHABLE,
            Some(true) => IDLE,
            None => UNREACHABLE,
        };
        self.put_reachability(now, id, client, text, None);
        // Values of the client hold while it is connected.
        if self.look_again(id, now.wall) {
            self.mark_watchers(id, now.moment);
        }
    }

    fn put_reachability(
        &mut self,
        now: &Now<'_>,
        id: u32,
        client: &ClientName,
        text: &'static str,
        fades: Option<u32>,
    ) {
        let name = self.reachability.clone();
        let entries = &self.people[id].entries;
        let place = entries
            .iter()
            .position(|entry| entry.is_at(Some(client), &name));
        if let Some(entry) = place.map(|place| &entries[place])
            && &*entry.base == text
            && entry.rare().fades == fades
            && (fades.is_none() || now.wall.since(entry.time) < REPORT_NEWS)
        {
            return;
        }
        if place.is_none() && !self.make_room_for(id, client) {
            return;
        }
        self.unindex(id);
        let entries = &mut self.people[id].entries;
        entries.reserve_exact(2);
        if !entries.iter().any(|entry| entry.is_at(None, &name)) {
            entries.push(reachability(&name, None, now.wall));
        }
        let place = entries
            .iter()
            .position(|entry| entry.is_at(Some(client), &name));
        let place = place.unwrap_or_else(|| {
            entries.push(reachability(&name, Some(client), now.wall));
            entries.len() - 1
        });
        self.last_change += 1;
        let entry = &mut entries[place];
        entry.base = text.into();
        entry.change_rare(|rare| rare.fades = fades);
        (entry.time, entry.changed) = (now.wall, self.last_change);
        let records = [
            entry.written(),
            self.people[id]
                .entries
                .iter()
                .find(|entry| entry.is_at(None, &name))
                .expect("it was put above")
                .written(),
        ];
        self.reindex(id);
        for value in records {
            let owner = self.people[id].name.clone();
            self.keep(Record::Value { owner, value }, false);
        }
        self.look_again(id, now.wall);
        self.mark_watchers(id, now.moment);
    }

    /// Whether one more client can have values; the one that was gone the longest has to go.
    fn make_room_for(&mut self, id: u32, client: &ClientName) -> bool {
        let person = &self.people[id];
        let mut clients: Vec<&ClientName> = person
            .entries
            .iter()
            .filter_map(|entry| entry.client.as_ref())
            .collect();
        clients.sort_unstable();
        clients.dedup();
        if clients.len() < MAX_CLIENTS || clients.contains(&client) {
            return true;
        }
        let newest = |client: &ClientName| {
            let entries = person
                .entries
                .iter()
                .filter(|entry| entry.client.as_ref() == Some(client));
            entries.map(|entry| entry.time).max()
        };
        let oldest = clients
            .into_iter()
            .filter(|client| !is_connected(&person.points, client))
            .min_by_key(|client| newest(client))
            .cloned();
        match oldest {
            Some(oldest) => {
                self.drop_client(id, &oldest);
                true
            }
            None => false,
        }
    }

    /// Drops all values of a client.
    fn drop_client(&mut self, id: u32, client: &ClientName) {
        self.unindex(id);
        let person = &mut self.people[id];
        let owner = person.name.clone();
        let gone: Vec<Entry> = person
            .entries
            .extract_if(.., |entry| entry.client.as_ref() == Some(client))
            .collect();
        self.reindex(id);
        for entry in gone {
            let key = Key::Value {
                owner: owner.clone(),
                client: entry.client,
                name: entry.name,
            };
            self.drop_key(key, false);
        }
    }

    /// A client is no longer one of this user's: what it had is gone.
    pub fn forget_client(&mut self, now: &Now<'_>, user: &UserName, client: &ClientName) {
        let Some(id) = self.person(user) else { return };
        if !is_connected(&self.people[id].points, client) {
            self.drop_client(id, client);
            self.look_again(id, now.wall);
            self.mark_watchers(id, now.moment);
            self.tidy(id);
        }
    }
}

fn reachability(
    name: &crate::presence::AttributeName,
    client: Option<&ClientName>,
    wall: WallTime,
) -> Entry {
    let of = (Class::Reachability, Format::Enumeration);
    Entry::new(name.clone(), client.cloned(), of, UNREACHABLE.into(), wall)
}
