//! What these tests share: a service with its clock and its groups.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sluice::clock::{Moment, WallTime};
use sluice::message::UserName;
use sluice::presence::{
    AttributeName, Change, Chosen, ClientName, Config, GroupName, Key, Membership, Notice, Now,
    Record, Registry, Service,
};

/// The beginning of every test: a Tuesday.
pub const BEGIN: &str = "2026-11-24T08:00:00.000Z";

pub fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

pub fn client(name: &str) -> ClientName {
    ClientName::new(name).unwrap()
}

pub fn name(written: &str) -> AttributeName {
    AttributeName::new(written).unwrap()
}

pub fn chosen(names: &[&str]) -> Chosen {
    if names == ["all"] {
        return Chosen::All;
    }
    Chosen::names(names.iter().map(|one| name(one)).collect()).unwrap()
}

/// Who is in which group.
#[derive(Clone, Debug, Default)]
pub struct Groups(pub BTreeSet<(String, String)>);

impl Membership for Groups {
    fn is_member(&self, user: &UserName, group: &GroupName) -> bool {
        self.0
            .contains(&(group.as_str().into(), user.as_str().into()))
    }
}

/// A service, its clock, and the disk below it.
pub struct World {
    pub service: Service,
    pub config: Config,
    pub moment: Moment,
    pub wall: WallTime,
    pub groups: Groups,
    /// What is durable.
    pub disk: BTreeMap<Key, Record>,
    /// What is not yet.
    pub pending: Vec<Change>,
}

impl World {
    pub fn new(config: Config) -> Self {
        let wall = BEGIN.parse().unwrap();
        let groups = Groups::default();
        let service = Service::new(config.clone(), Registry::base());
        Self {
            service,
            config,
            moment: Moment::START,
            wall,
            groups,
            disk: BTreeMap::new(),
            pending: Vec::new(),
        }
    }

    /// Calls the service at the present, and takes its changes. Tells whether any was urgent.
    pub fn call<T>(&mut self, act: impl FnOnce(&mut Service, &Now<'_>) -> T) -> (T, bool) {
        let now = Now {
            moment: self.moment,
            wall: self.wall,
            groups: &self.groups,
        };
        let done = act(&mut self.service, &now);
        let mut is_urgent = false;
        while let Some(change) = self.service.poll_change() {
            is_urgent |= change.is_urgent();
            self.pending.push(change);
        }
        if is_urgent {
            self.sync();
        }
        (done, is_urgent)
    }

    /// All that is pending becomes durable.
    pub fn sync(&mut self) {
        for change in self.pending.drain(..) {
            match change.record() {
                Some(record) => self.disk.insert(change.key(), record.clone()),
                None => self.disk.remove(&change.key()),
            };
        }
    }

    /// The process ends and begins again; what was pending is gone.
    pub fn crash(&mut self) {
        self.pending.clear();
        self.service = Service::new(self.config.clone(), Registry::base());
        // As a store would keep them.
        let records = self.disk.values().map(|record| {
            let written = serde_json::to_string(record).unwrap();
            serde_json::from_str::<Record>(&written).unwrap()
        });
        let records: Vec<Record> = records.collect();
        self.call(|service, now| service.load(now, records));
    }

    /// Time passes, and the service is told of it.
    pub fn pass(&mut self, time: Duration) {
        self.moment = self.moment + time;
        self.wall = self.wall + time;
        self.tick();
    }

    pub fn tick(&mut self) {
        loop {
            let due = self
                .call(|service, now| {
                    service.handle_timeout(now);
                    service.poll_timeout(now)
                })
                .0;
            if due.is_none_or(|due| due > self.moment) {
                return;
            }
        }
    }

    pub fn notice(&mut self) -> Option<Notice> {
        self.call(|service, now| service.poll_notice(now)).0
    }
}

/// How many cases a property is tested with: as `PROPTEST_CASES` says, else so many.
pub(super) fn cases_or(usual: u32) -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.map_or(usual, |asked| {
        asked.parse().expect("PROPTEST_CASES is a number")
    })
}
