//! A value as it is kept: what its owner wrote, and what is shown of it now.

use std::sync::Arc;

use super::name::{Address, AttributeName, ClientName};
use super::rule::Rule;
use super::value::PresValue;
use super::words::{Class, Format, Privacy, Scope, Validity};
use crate::clock::WallTime;

/// Who sees a value anyway, and who does not.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Lists {
    pub(super) allowed: Vec<Address>,
    pub(super) restricted: Vec<Address>,
}

/// What few values have: it lies beside them.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Rare {
    pub(super) lists: Lists,
    pub(super) until: Option<WallTime>,
    /// In seconds.
    pub(super) fades: Option<u32>,
    pub(super) rules: Vec<Rule>,
}

/// Of a value that has nothing rare.
static NOTHING_RARE: Rare = Rare {
    lists: Lists {
        allowed: Vec::new(),
        restricted: Vec::new(),
    },
    until: None,
    fades: None,
    rules: Vec::new(),
};

/// One value of an owner.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: AttributeName,
    pub(super) client: Option<ClientName>,
    pub(super) class: Class,
    pub(super) format: Format,
    pub(super) privacy: Privacy,
    /// What it is where no rule holds.
    pub(super) base: Arc<str>,
    pub(super) time: WallTime,
    rare: Option<Box<Rare>>,
    /// What is shown. Moved by `look` alone.
    pub(super) shown: Arc<str>,
    pub(super) validity: Validity,
    /// A number that no other change has had. It is new whenever what a watcher sees of this value is.
    pub(super) changed: u64,
    /// A number that is new whenever its owner wrote anything of it.
    pub(super) edited: u64,
}

impl Entry {
    /// A value that says this, and nothing rare.
    pub(super) fn new(
        name: AttributeName,
        client: Option<ClientName>,
        (class, format): (Class, Format),
        text: Arc<str>,
        time: WallTime,
    ) -> Self {
        Self {
            name,
            client,
            class,
            format,
            privacy: Privacy::Granted,
            base: Arc::clone(&text),
            time,
            rare: None,
            shown: text,
            validity: Validity::VALID,
            changed: 0,
            edited: 0,
        }
    }

    /// What few values have.
    pub(super) fn rare(&self) -> &Rare {
        self.rare.as_deref().unwrap_or(&NOTHING_RARE)
    }

    /// Changes it.
    pub(super) fn change_rare(&mut self, change: impl FnOnce(&mut Rare)) {
        let mut rare = self.rare.take().unwrap_or_default();
        change(&mut rare);
        self.rare = Some(rare).filter(|rare| **rare != NOTHING_RARE);
    }

    /// As kept: everything that its owner wrote.
    pub(super) fn written(&self) -> PresValue {
        let rare = self.rare();
        let has_lists = rare.lists != Lists::default();
        let lists = has_lists.then_some(&rare.lists);
        PresValue {
            class: Some(self.class),
            scope: Some(self.scope()),
            client: self.client.clone(),
            format: Some(self.format),
            value: Some(self.base.clone()),
            privacy: Some(self.privacy),
            allowed: lists.map(|lists| lists.allowed.clone()),
            restricted: lists.map(|lists| lists.restricted.clone()),
            time: Some(self.time),
            until: rare.until,
            fades: rare.fades,
            rules: rare.rules.clone(),
            ..PresValue::named(self.name.clone())
        }
    }

    /// As a watcher sees it: nothing of who else does, nor of how it comes to be so.
    pub(super) fn told(&self) -> PresValue {
        PresValue {
            class: Some(self.class),
            scope: Some(self.scope()),
            client: self.client.clone(),
            format: Some(self.format),
            value: Some(self.shown.clone()),
            time: Some(self.time),
            until: self.rare().until,
            validity: Some(self.validity),
            ..PresValue::named(self.name.clone())
        }
    }

    /// As its owner sees it: all that it wrote, and what is shown now.
    pub(super) fn owned(&self) -> PresValue {
        PresValue {
            value: Some(self.shown.clone()),
            validity: Some(self.validity),
            ..self.written()
        }
    }

    const fn scope(&self) -> Scope {
        if self.client.is_some() {
            Scope::Client
        } else {
            Scope::User
        }
    }

    pub(super) fn is_at(&self, client: Option<&ClientName>, name: &AttributeName) -> bool {
        self.name == *name && self.client.as_ref() == client
    }
}
