//! Loading what was kept, and forgetting users.

use super::authorise::Question;
use super::{Now, Service};
use crate::message::UserName;
use crate::presence::entry::{Entry, Lists, Rare};
use crate::presence::look::{IDLE, REACHABLE, UNREACHABLE};
use crate::presence::name::{Address, GroupName};
use crate::presence::permission::Permission;
use crate::presence::record::{Key, Record};
use crate::presence::value::PresValue;
use crate::presence::words::{Class, Format, Privacy};

impl Service {
    /// Takes back what was kept, once, before anything else. Whoever was connected is not any more.
    pub fn load(&mut self, now: &Now<'_>, records: impl IntoIterator<Item = Record>) {
        for record in records {
            self.load_one(now, record);
        }
        self.loaded(now);
    }

    /// Takes back one record; [`Service::loaded`] is to be called when that were all.
    pub fn load_one(&mut self, now: &Now<'_>, record: Record) {
        match record {
            Record::Value { owner, value } => self.load_value(now, &owner, value),
            Record::Permission {
                owner,
                to,
                permission,
            } => {
                let id = self.make_person(&owner);
                self.put_permission(id, &to, permission);
            }
            Record::Subscription {
                watcher,
                owner,
                chosen,
                until,
            } => {
                let id = self.put_subscription(&watcher, &owner, &chosen);
                self.lapse_at(id, until);
            }
            Record::Question {
                owner,
                id,
                from,
                chosen,
                asked,
            } => {
                let question = Question {
                    id,
                    from,
                    chosen,
                    asked,
                    answered: None,
                };
                let owner = self.make_person(&owner);
                self.put_question(owner, question);
            }
            Record::Hidden { owner } => {
                let id = self.make_person(&owner);
                self.people[id].is_hidden = true;
            }
            Record::Shut { owner } => {
                let id = self.make_person(&owner);
                self.people[id].is_shut = true;
            }
        }
    }

    /// All that was kept has been taken back.
    pub fn loaded(&mut self, now: &Now<'_>) {
        let ids: Vec<u32> = self.people.ids().collect();
        for id in ids {
            self.names_groups(id);
            self.reindex(id);
            self.look_again(id, now.wall);
            self.arm_questions(id);
        }
    }

    fn load_value(&mut self, now: &Now<'_>, owner: &UserName, value: PresValue) {
        let mut base = value.value.unwrap_or_default();
        let mut time = value.time.unwrap_or(now.wall);
        if value.name == self.reachability
            && value.fades.is_none()
            && matches!(&*base, REACHABLE | IDLE)
        {
            (base, time) = (UNREACHABLE.into(), now.wall);
        }
        let lists = Lists {
            allowed: value.allowed.unwrap_or_default(),
            restricted: value.restricted.unwrap_or_default(),
        };
        self.last_change += 1;
        let name = self.registry.shared(&value.name).unwrap_or(value.name);
        let class = value.class.unwrap_or(Class::Unknown);
        let format = value.format.unwrap_or(Format::Text);
        let mut entry = Entry::new(name, value.client, (class, format), base, time);
        entry.privacy = value.privacy.unwrap_or(Privacy::Granted);
        (entry.changed, entry.edited) = (self.last_change, self.last_change);
        entry.change_rare(|rare| {
            *rare = Rare {
                lists,
                until: value.until,
                fades: value.fades,
                rules: value.rules,
            };
        });
        let id = self.make_person(owner);
        self.people[id].entries.push(entry);
    }

    /// A user is shut, and others see it as if it were not there; or it is opened again, with all that it had.
    pub fn shut(&mut self, now: &Now<'_>, user: &UserName, is_shut: bool) {
        let there = self.person(user);
        if there.is_some_and(|id| self.people[id].is_shut) == is_shut {
            return;
        }
        let id = self.make_person(user);
        self.people[id].is_shut = is_shut;
        let owner = user.clone();
        if is_shut {
            self.keep(Record::Shut { owner }, true);
        } else {
            self.drop_key(Key::Shut { owner }, true);
        }
        self.mark_watchers(id, now.moment);
        self.tidy(id);
    }

    /// A group is no more: nobody says anything to it, so that another group of that name gets nothing that was meant for
    /// it.
    pub fn forget_group(&mut self, now: &Now<'_>, group: &GroupName) {
        let address = Address::Group(group.clone());
        for id in self.naming.remove(group).unwrap_or_default() {
            // Its place may be another one's by now, who has said nothing to the group, or has named it anew.
            if self.people.get(id).is_some() {
                self.forget_address(id, &address);
                self.mark_watchers(id, now.moment);
                self.tidy(id);
            }
        }
    }

    /// What of an owner's lists names groups is remembered by the groups.
    pub(super) fn names_groups(&mut self, id: u32) {
        for entry in &self.people[id].entries {
            let Lists {
                allowed,
                restricted,
            } = &entry.rare().lists;
            for address in allowed.iter().chain(restricted) {
                if let Address::Group(group) = address {
                    self.naming.entry(group.clone()).or_default().insert(id);
                }
            }
        }
    }

    /// A user is no more: nothing of it is left, nor what others have said to it, so that somebody else of that name gets
    /// nothing that was meant for it.
    pub fn forget_user(&mut self, now: &Now<'_>, user: &UserName) {
        for point in self.points(user) {
            self.point_gone(now, user, point.id);
        }
        let address = Address::User(user.clone());
        let ids: Vec<u32> = self.people.ids().collect();
        for id in ids {
            self.forget_address(id, &address);
            self.forget_questions_of(id, user);
            self.tidy(id);
        }
        let Some(id) = self.person(user) else { return };
        let watching: Vec<u32> = self.people[id].watching.iter().map(|(_, id)| *id).collect();
        for subscription in watching {
            self.end_subscription(subscription);
        }
        self.keep_out_of_searches(user, false);
        self.shut(now, user, false);
        let Some(id) = self.person(user) else { return };
        self.unindex(id);
        let person = &mut self.people[id];
        let entries = std::mem::take(&mut person.entries);
        let book = person.book.take();
        let askers: Vec<Question> = person.questions.clone();
        let owner = user.clone();
        for entry in entries {
            let key = Key::Value {
                owner: owner.clone(),
                client: entry.client,
                name: entry.name,
            };
            self.drop_key(key, true);
        }
        for to in book.map(|book| book.addresses()).unwrap_or_default() {
            let owner = owner.clone();
            self.drop_key(Key::Permission { owner, to }, true);
        }
        for question in askers {
            self.forget_questions_of(id, &question.from);
        }
        self.look_again(id, now.wall);
        self.mark_watchers(id, now.moment);
        self.tidy(id);
    }

    /// Takes an address off an owner's lists and permissions.
    fn forget_address(&mut self, id: u32, address: &Address) {
        let owner = self.people[id].name.clone();
        let book = self.people[id].book.as_deref();
        if book.is_some_and(|book| book.permission(address).is_some()) {
            self.put_permission(id, address, Permission::default());
            let key = Key::Permission {
                owner: owner.clone(),
                to: address.clone(),
            };
            self.drop_key(key, true);
        }
        let mut changed = Vec::new();
        for entry in &mut self.people[id].entries {
            let lists = &entry.rare().lists;
            if lists.allowed.contains(address) || lists.restricted.contains(address) {
                entry.change_rare(|rare| {
                    rare.lists.allowed.retain(|one| one != address);
                    rare.lists.restricted.retain(|one| one != address);
                });
                changed.push(entry.written());
            }
        }
        for value in changed {
            let owner = owner.clone();
            self.keep(Record::Value { owner, value }, true);
        }
    }

    /// Takes back what a user has asked an owner.
    fn forget_questions_of(&mut self, id: u32, from: &UserName) {
        let person = &mut self.people[id];
        let owner = person.name.clone();
        let gone: Vec<Question> = person
            .questions
            .extract_if(.., |question| question.from == *from)
            .collect();
        if gone.is_empty() {
            return;
        }
        for question in gone
            .into_iter()
            .filter(|question| question.answered.is_none())
        {
            self.asked_less(from);
            let owner = owner.clone();
            self.drop_key(
                Key::Question {
                    owner,
                    id: question.id,
                },
                false,
            );
        }
        self.arm_questions(id);
    }
}
