//! Presence in the store and in its model.

use std::collections::BTreeMap;

use sluice::clock::WallTime;
use sluice::im::memory::MemoryShelf;
use sluice::message::UserName;
use sluice::presence::{
    Address, AttributeName, Change, Chosen, ClientName, GroupName, Permission, PresValue, Record,
};
use sluice::store::im::ImStore;

use crate::chance::Chance;

fn time(chance: &mut Chance) -> WallTime {
    WallTime::from_unix_ms(chance.below(1 << 40))
}

/// A change of any kind.
pub(crate) fn change(chance: &mut Chance, owner: UserName, other: UserName) -> Change {
    let record = match chance.below(6) {
        0 => {
            let name = AttributeName::new(&format!("a:b{}", chance.below(3))).unwrap();
            let client = format!("client {}", chance.below(3));
            let client = chance
                .percent(70)
                .then(|| ClientName::new(&client).unwrap());
            Record::Value {
                owner,
                value: PresValue {
                    client,
                    ..PresValue::set(name, &chance.number().to_string())
                },
            }
        }
        1 => Record::Permission {
            owner,
            to: match chance.below(3) {
                0 => Address::User(other),
                1 => Address::Group(GroupName::new("g").unwrap()),
                _ => Address::Everyone,
            },
            permission: Permission {
                all: Some(chance.percent(50)),
                blocked: chance.percent(20),
                ..Permission::default()
            },
        },
        2 => Record::Subscription {
            watcher: other,
            owner,
            chosen: Chosen::All,
            until: chance.percent(70).then(|| time(chance)),
        },
        3 => Record::Question {
            owner,
            id: chance.below(3),
            from: other,
            chosen: Chosen::All,
            asked: time(chance),
        },
        4 => Record::Hidden { owner },
        _ => Record::Shut { owner },
    };
    let urgent = chance.percent(50);
    match chance.percent(70) {
        true => Change::Put {
            record: Box::new(record),
            urgent,
        },
        false => Change::Drop {
            key: record.key(),
            urgent,
        },
    }
}

/// Both keep the same.
pub(crate) fn same(real: &ImStore, model: &MemoryShelf, when: &str) {
    let mut kept = BTreeMap::new();
    real.each_presence(&mut |record| {
        let twice = kept.insert(record.key(), record);
        assert_eq!(twice, None, "{when}");
    })
    .unwrap();
    let model = model.presence().cloned();
    let model: BTreeMap<_, _> = model.map(|record| (record.key(), record)).collect();
    assert_eq!(kept, model, "{when}");
}
