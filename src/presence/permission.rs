//! What an owner lets others see: its permissions, and who decides where several fit.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Lists};
use super::name::{Address, AttributeName, Chosen, GroupName};
use super::words::Privacy;
use crate::message::UserName;

/// Most permissions of an owner.
pub const MAX_PERMISSIONS: usize = 10_000;

/// Who keeps groups says who is in them.
pub trait Membership {
    /// Whether this user is in this group now.
    fn is_member(&self, user: &UserName, group: &GroupName) -> bool;
}

/// Nobody is in any group.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoGroups;

impl Membership for NoGroups {
    fn is_member(&self, _: &UserName, _: &GroupName) -> bool {
        false
    }
}

/// What an owner has said to an address: a word on all attributes, and words on single ones that go before it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Permission {
    /// On all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<bool>,
    /// On single ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub single: BTreeMap<AttributeName, bool>,
    /// Whether the address sees nothing at all, whatever else is said. What else is said stays, for when this ends.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub blocked: bool,
}

impl Permission {
    fn says(&self, name: &AttributeName) -> Option<bool> {
        self.single.get(name).copied().or(self.all)
    }

    /// Sets a word (or none) on what is chosen. A word on all takes the place of those on single ones.
    pub(super) fn put(&mut self, chosen: &Chosen, word: Option<bool>) {
        match chosen {
            Chosen::All => {
                self.single.clear();
                self.all = word;
            }
            Chosen::Names(names) => {
                for name in names.iter() {
                    match word {
                        Some(word) => self.single.insert(name.clone(), word),
                        None => self.single.remove(name),
                    };
                }
            }
        }
    }

    pub(super) fn is_silent(&self) -> bool {
        self.all.is_none() && self.single.is_empty() && !self.blocked
    }
}

/// All permissions of an owner.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    users: HashMap<UserName, Permission>,
    groups: BTreeMap<GroupName, Permission>,
    everyone: Permission,
}

impl Book {
    pub(super) fn len(&self) -> usize {
        self.users.len() + self.groups.len()
    }

    pub(super) fn is_silent(&self) -> bool {
        self.len() == 0 && self.everyone.is_silent()
    }

    pub(super) fn permission(&self, to: &Address) -> Option<&Permission> {
        match to {
            Address::User(user) => self.users.get(user),
            Address::Group(group) => self.groups.get(group),
            Address::Everyone => Some(&self.everyone),
        }
    }

    /// Puts a permission in the place of what was there; one that says nothing takes it away.
    pub(super) fn put(&mut self, to: &Address, permission: Permission) {
        match to {
            Address::User(user) if permission.is_silent() => drop(self.users.remove(user)),
            Address::User(user) => drop(self.users.insert(user.clone(), permission)),
            Address::Group(group) if permission.is_silent() => drop(self.groups.remove(group)),
            Address::Group(group) => drop(self.groups.insert(group.clone(), permission)),
            Address::Everyone => self.everyone = permission,
        }
    }

    pub(super) fn addresses(&self) -> Vec<Address> {
        let users = self.users.keys().cloned().map(Address::User);
        let groups = self.groups.keys().cloned().map(Address::Group);
        let everyone = (!self.everyone.is_silent()).then_some(Address::Everyone);
        users.chain(groups).chain(everyone).collect()
    }
}

/// One watcher before one owner's values.
pub(super) struct Judge<'a> {
    watcher: &'a UserName,
    is_owner: bool,
    groups: &'a dyn Membership,
    /// Permissions that fit: the user's own, those of its groups, everyone's.
    own: Option<&'a Permission>,
    of_groups: Vec<&'a Permission>,
    everyone: Option<&'a Permission>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        owner: &UserName,
        book: Option<&'a Book>,
        watcher: &'a UserName,
        groups: &'a dyn Membership,
    ) -> Self {
        let mut judge = Self {
            watcher,
            is_owner: owner == watcher,
            groups,
            own: None,
            of_groups: Vec::new(),
            everyone: None,
        };
        if let Some(book) = book {
            judge.own = book.users.get(watcher);
            judge.everyone = Some(&book.everyone);
            let fitting = book
                .groups
                .iter()
                .filter(|(group, _)| groups.is_member(watcher, group));
            judge
                .of_groups
                .extend(fitting.map(|(_, permission)| permission));
        }
        judge
    }

    pub(super) const fn is_owner(&self) -> bool {
        self.is_owner
    }

    /// What the owner's permissions say of an attribute, if anything.
    pub(super) fn permitted(&self, name: &AttributeName) -> Option<bool> {
        let of_groups = || {
            let words = || {
                self.of_groups
                    .iter()
                    .filter_map(|permission| permission.says(name))
            };
            words().min()
        };
        self.own
            .and_then(|permission| permission.says(name))
            .or_else(of_groups)
            .or_else(|| self.everyone.and_then(|permission| permission.says(name)))
    }

    /// Whether the owner has blocked the watcher.
    pub(super) fn is_blocked(&self) -> bool {
        self.own.is_some_and(|permission| permission.blocked)
    }

    /// Whether nothing at all has been said to this watcher.
    pub(super) fn is_unanswered(&self) -> bool {
        let silent = |permission: Option<&Permission>| permission.is_none_or(Permission::is_silent);
        silent(self.own) && self.of_groups.is_empty() && silent(self.everyone)
    }

    /// What the value itself says, by its lists and its privacy, if it decides.
    pub(super) fn listed(&self, entry: &Entry) -> Option<bool> {
        let by_lists = self.on_lists(&entry.rare().lists);
        by_lists.or(match entry.privacy {
            Privacy::Public => Some(true),
            Privacy::Private => Some(false),
            Privacy::Granted => None,
        })
    }

    fn on_lists(&self, lists: &Lists) -> Option<bool> {
        // One user outweighs a group, a group everyone; at the same weight, no outweighs yes.
        let weights: [&dyn Fn(&Address) -> bool; 3] = [
            &|address| matches!(address, Address::User(user) if user == self.watcher),
            &|address| matches!(address, Address::Group(group) if self.groups.is_member(self.watcher, group)),
            &|address| *address == Address::Everyone,
        ];
        weights.iter().find_map(|fits| {
            if lists.restricted.iter().any(fits) {
                Some(false)
            } else {
                lists.allowed.iter().any(fits).then_some(true)
            }
        })
    }

    /// Whether the watcher sees a value.
    pub(super) fn sees(&self, entry: &Entry) -> bool {
        self.is_owner
            || !self.is_blocked()
                && self
                    .listed(entry)
                    .or_else(|| self.permitted(&entry.name))
                    .unwrap_or(false)
    }
}
