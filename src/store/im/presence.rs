//! What is kept of presence: its records, under keys that tell their version.
//!
//! They go with the other changes, in the same batches, and are read once, when the service begins; so none is kept
//! decoded here.

use super::keys::{Key, Kind};
use super::{ImStore, Inner, blocking, unreadable};
use crate::presence::{self, Address, Record};
use crate::store::{MOST_SCANNED, Range, StoreError};

/// The form of keys and records. One that is written otherwise gets another number, and both are read.
const VERSION: u8 = 1;

/// Where the version stands in a key: behind the service's octet and the kind's.
const VERSION_AT: usize = 2;

fn key_of(key: &presence::Key) -> Key {
    let begin = |kind: u8| Key::new(Kind::Presence).octets(&[VERSION, kind]);
    match key {
        presence::Key::Value {
            owner,
            client,
            name,
        } => {
            let key = begin(b'v').user(owner);
            let key = match client {
                Some(client) => key.octets(b"c").name(client.as_str()),
                None => key.octets(b"u"),
            };
            key.name(name.as_str())
        }
        presence::Key::Permission { owner, to } => {
            let key = begin(b'p').user(owner);
            match to {
                Address::User(user) => key.octets(b"u").user(user),
                Address::Group(group) => key.octets(b"g").name(group.as_str()),
                Address::Everyone => key.octets(b"e"),
            }
        }
        presence::Key::Subscription { watcher, owner } => begin(b's').user(watcher).user(owner),
        presence::Key::Question { owner, id } => begin(b'q').user(owner).number(*id),
        presence::Key::Hidden { owner } => begin(b'h').user(owner),
        presence::Key::Shut { owner } => begin(b'x').user(owner),
    }
}

impl Inner {
    pub(super) fn write_presence(&mut self, change: &presence::Change) -> Result<(), StoreError> {
        let key = key_of(&change.key()).made();
        match change.record() {
            Some(record) => {
                let octets = serde_json::to_vec(record).map_err(unreadable("a presence record"))?;
                self.overlay.put(key, &octets);
                Ok(())
            }
            None => self.overlay.delete(key),
        }
    }
}

impl ImStore {
    /// All that is kept of presence, one after the other.
    pub fn each_presence(&self, take: &mut dyn FnMut(Record)) -> Result<(), StoreError> {
        let mut range = Range::prefix(&Key::new(Kind::Presence).made());
        loop {
            let page = blocking(|| self.inner().overlay.scan(&range, MOST_SCANNED))?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            range = range.after(&last.key);
            for kept in page {
                let version = kept.key.get(VERSION_AT).copied();
                if version != Some(VERSION) {
                    let why = format!(
                        "is of version {}, and this program knows version {VERSION}",
                        version.unwrap_or_default()
                    );
                    let what = "a presence record";
                    return Err(StoreError::Record { what, why });
                }
                let record = serde_json::from_slice(&kept.value);
                take(record.map_err(unreadable("a presence record"))?);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::UserName;
    use crate::presence::{AttributeName, ClientName, GroupName};
    use crate::store::MAX_KEY;

    #[test]
    fn the_longest_keys_are_not_too_long_and_no_two_are_the_same() {
        let owner = UserName::new(&"u".repeat(64)).unwrap();
        let to = |address| presence::Key::Permission {
            owner: owner.clone(),
            to: address,
        };
        let value = |client: Option<&str>| presence::Key::Value {
            owner: owner.clone(),
            client: client.map(|name| ClientName::new(name).unwrap()),
            name: AttributeName::new(&format!("{0}:{0}", "a".repeat(32))).unwrap(),
        };
        let wide = "\u{1F600}".repeat(16);
        let keys = [
            value(None),
            value(Some(&wide)),
            value(Some(&"c".repeat(64))),
            to(Address::User(owner.clone())),
            to(Address::Group(GroupName::new(&wide).unwrap())),
            to(Address::Group(GroupName::new(&"u".repeat(64)).unwrap())),
            to(Address::Everyone),
            presence::Key::Subscription {
                watcher: owner.clone(),
                owner: owner.clone(),
            },
            presence::Key::Question {
                owner: owner.clone(),
                id: u64::MAX,
            },
            presence::Key::Hidden {
                owner: owner.clone(),
            },
            presence::Key::Shut {
                owner: owner.clone(),
            },
        ];
        let made: std::collections::BTreeSet<_> =
            keys.iter().map(|key| key_of(key).made()).collect();
        assert_eq!(made.len(), keys.len());
        for key in made {
            assert!(key.len() + 3 <= MAX_KEY, "{}", key.len());
        }
    }
}
