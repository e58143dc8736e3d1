//! P2: an owner sets, makes and removes any of its values, all that a request names or none.

use std::sync::Arc;
use std::time::Duration;

use super::{Now, Service};
use crate::clock::WallTime;
use crate::message::UserName;
use crate::presence::entry::Entry;
use crate::presence::look::{UNREACHABLE, check_chains};
use crate::presence::name::{AttributeName, ClientName};
use crate::presence::record::{Key, Record};
use crate::presence::refusal::{Refusal, RefusalKind};
use crate::presence::registry::{Definition, check_text};
use crate::presence::rule::MAX_RULES;
use crate::presence::value::{MAX_ADDRESSES, MAX_FADES, PresValue};
use crate::presence::words::{Class, Format, Operation, Scope};

/// Most values of an owner, those of its clients together with its own.
pub const MAX_VALUES: usize = 64;

/// Most clients of an owner that have values; the server's word on each is one.
pub const MAX_CLIENTS: usize = 16;

/// Most entries of an owner: its own, and the server's word on each client and on the user. A mask has a bit for each.
pub(super) const MOST_ENTRIES: usize = MAX_VALUES + MAX_CLIENTS + 1;
const _: () = assert!(MOST_ENTRIES <= u128::BITS as usize);

/// A value may be from so far ahead: clocks differ.
const AHEAD: Duration = Duration::from_mins(5);

/// The latest end of a value, from now.
const LONGEST: Duration = Duration::from_hours(400 * 24);

/// What a request makes of an owner's entries, before any of it happens.
struct Staged {
    entries: Vec<Entry>,
    put: Vec<Put>,
    dropped: Vec<(Option<ClientName>, AttributeName)>,
}

struct Put {
    client: Option<ClientName>,
    name: AttributeName,
    /// Whether the value itself was told, and not only who sees it.
    is_told: bool,
    /// Whether others than before see it.
    hides: bool,
}

impl Service {
    /// Sets, makes and removes values of `owner`, as `by` asks from `client`.
    pub fn update(
        &mut self,
        now: &Now<'_>,
        by: &UserName,
        client: Option<&ClientName>,
        owner: &UserName,
        values: &[PresValue],
    ) -> Result<(), Refusal> {
        if by != owner {
            return Err(Refusal::new(
                RefusalKind::Foreign,
                "owner",
                "has values that only it may change",
            ));
        }
        if values.len() > MAX_VALUES {
            return Err(Refusal::too_many("values", MAX_VALUES));
        }
        let entries = self
            .person(owner)
            .map(|id| self.people[id].entries.clone())
            .unwrap_or_default();
        let mut staged = Staged {
            entries,
            put: Vec::new(),
            dropped: Vec::new(),
        };
        for value in values {
            self.stage(now, client, value, &mut staged)
                .map_err(|why| Refusal {
                    reason: format!("{}: {}", value.name, why.reason),
                    ..why
                })?;
        }
        check_chains(&staged.entries.iter().collect::<Vec<_>>())?;
        self.check_numbers(&staged.entries)?;
        self.commit(now, owner, staged);
        Ok(())
    }

    fn check_numbers(&self, entries: &[Entry]) -> Result<(), Refusal> {
        let own = entries
            .iter()
            .filter(|entry| entry.name != self.reachability);
        if own.count() > MAX_VALUES {
            return Err(Refusal::too_many("values", MAX_VALUES));
        }
        let mut clients: Vec<&ClientName> = entries
            .iter()
            .filter_map(|entry| entry.client.as_ref())
            .collect();
        clients.sort_unstable();
        clients.dedup();
        if clients.len() > MAX_CLIENTS {
            return Err(Refusal::too_many("client", MAX_CLIENTS));
        }
        Ok(())
    }

    fn stage(
        &self,
        now: &Now<'_>,
        client: Option<&ClientName>,
        value: &PresValue,
        staged: &mut Staged,
    ) -> Result<(), Refusal> {
        let definition = self.registry.definition(&value.name);
        let client = whose(value, client)?;
        check_words(value, definition)?;
        let name = self
            .registry
            .shared(&value.name)
            .unwrap_or_else(|| value.name.clone());
        let dropped = staged.dropped.iter().map(|(client, name)| (client, name));
        let mut named = staged
            .put
            .iter()
            .map(|put| (&put.client, &put.name))
            .chain(dropped);
        if named.any(|one| one.0.as_ref() == client && *one.1 == name) {
            return Err(Refusal::malformed("name", "stands in the request twice"));
        }
        let there = staged
            .entries
            .iter()
            .position(|entry| entry.is_at(client, &name));
        let operation = value.operation.unwrap_or(Operation::Set);
        let by_server = definition.is_some_and(|definition| definition.by_server);
        if by_server {
            check_server_keeps(value, operation, client)?;
        }
        match (operation, there) {
            (Operation::Create, Some(_)) => Err(Refusal::new(
                RefusalKind::Exists,
                "operation",
                "would create what is there",
            )),
            (Operation::Remove, None) => Err(Refusal::new(
                RefusalKind::Missing,
                "operation",
                "would remove what is not there",
            )),
            (Operation::Remove, Some(place)) => {
                if value.value.is_some() || !value.rules.is_empty() {
                    return Err(Refusal::malformed("value", "is not needed to remove it"));
                }
                staged.entries.swap_remove(place);
                staged.dropped.push((client.cloned(), name));
                Ok(())
            }
            (Operation::Set | Operation::Create, there) => {
                let before = there.map(|place| &staged.entries[place]);
                let mut entry = match before {
                    Some(entry) => entry.clone(),
                    None => blank(name.clone(), client, value, definition, now.wall),
                };
                if value.value.is_some() {
                    tell(&mut entry, value, definition, before, now.wall)?;
                } else if before.is_none() && !by_server {
                    return Err(Refusal::malformed("value", "is missing"));
                } else if tells(value) {
                    return Err(Refusal::malformed(
                        "value",
                        "is missing; time, until, fades and rules go with it",
                    ));
                }
                let hides = show_to(&mut entry, value)? && before.is_some();
                staged.put.push(Put {
                    client: client.cloned(),
                    name,
                    is_told: value.value.is_some() || there.is_none(),
                    hides,
                });
                match there {
                    Some(place) => staged.entries[place] = entry,
                    None => staged.entries.push(entry),
                }
                Ok(())
            }
        }
    }

    fn commit(&mut self, now: &Now<'_>, owner: &UserName, staged: Staged) {
        if staged.put.is_empty() && staged.dropped.is_empty() {
            return;
        }
        let id = self.make_person(owner);
        self.unindex(id);
        self.people[id].entries = staged.entries;
        // There are many owners, and each changes seldom.
        self.people[id].entries.shrink_to_fit();
        for put in staged.put {
            self.last_change += 1;
            let entries = &mut self.people[id].entries;
            let entry = entries
                .iter_mut()
                .find(|entry| entry.is_at(put.client.as_ref(), &put.name))
                .expect("what was put is there");
            entry.edited = self.last_change;
            if put.is_told {
                // Who may not see the difference does not see that there is one.
                entry.changed = self.last_change;
            }
            let record = Record::Value {
                owner: owner.clone(),
                value: entry.written(),
            };
            self.keep(record, put.hides);
        }
        for (client, name) in staged.dropped {
            self.drop_key(
                Key::Value {
                    owner: owner.clone(),
                    client,
                    name,
                },
                true,
            );
        }
        self.names_groups(id);
        self.reindex(id);
        self.look_again(id, now.wall);
        self.mark_watchers(id, now.moment);
        self.tidy(id);
    }
}

/// Which client's value it is, if not the user's.
fn whose<'a>(
    value: &PresValue,
    client: Option<&'a ClientName>,
) -> Result<Option<&'a ClientName>, Refusal> {
    if value.validity.is_some() {
        return Err(Refusal::malformed("validity", "is told, and cannot be set"));
    }
    if value.client.is_some() && value.client.as_ref() != client {
        return Err(Refusal::new(
            RefusalKind::Foreign,
            "client",
            "sets its values itself",
        ));
    }
    match value.scope {
        Some(Scope::Client) if client.is_none() => Err(Refusal::malformed(
            "scope",
            "is client, and the request comes from none",
        )),
        Some(Scope::Client) => Ok(client),
        Some(Scope::User) | None => Ok(None),
    }
}

fn check_words(value: &PresValue, definition: Option<&Definition>) -> Result<(), Refusal> {
    let Some(definition) = definition else {
        return Ok(());
    };
    if value.class.is_some_and(|class| class != definition.class) {
        let right = definition.class.word();
        return Err(Refusal::malformed(
            "class",
            format!("is {right} by its definition"),
        ));
    }
    if value
        .format
        .is_some_and(|format| format != definition.format)
    {
        let right = definition.format.word();
        return Err(Refusal::malformed(
            "format",
            format!("is {right} by its definition"),
        ));
    }
    Ok(())
}

/// Of what the server sets, an owner says who sees it, and no more.
fn check_server_keeps(
    value: &PresValue,
    operation: Operation,
    client: Option<&ClientName>,
) -> Result<(), Refusal> {
    if operation == Operation::Set && value.value.is_none() && !tells(value) && client.is_none() {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalKind::ReadOnly,
        "value",
        "is set by the server; the user's privacy, allowed and restricted can be set",
    ))
}

const fn tells(value: &PresValue) -> bool {
    value.time.is_some()
        || value.until.is_some()
        || value.fades.is_some()
        || !value.rules.is_empty()
}

fn blank(
    name: AttributeName,
    client: Option<&ClientName>,
    value: &PresValue,
    definition: Option<&Definition>,
    wall: WallTime,
) -> Entry {
    let class = definition.map_or(value.class.unwrap_or(Class::Unknown), |one| one.class);
    let format = definition.map_or(value.format.unwrap_or(Format::Text), |one| one.format);
    let text: Arc<str> = UNREACHABLE.into();
    Entry::new(name, client.cloned(), (class, format), text, wall)
}

/// What the value is from now on.
fn tell(
    entry: &mut Entry,
    value: &PresValue,
    definition: Option<&Definition>,
    before: Option<&Entry>,
    wall: WallTime,
) -> Result<(), Refusal> {
    if definition.is_none() {
        // Nobody but its owner defines it; a new word on it defines it anew.
        entry.class = value.class.unwrap_or(entry.class);
        entry.format = value.format.unwrap_or(entry.format);
    }
    let text = value.value.as_ref().expect("the caller has seen it");
    check_text(entry.format, definition, text)?;
    if value.rules.len() > MAX_RULES {
        return Err(Refusal::too_many("rules", MAX_RULES));
    }
    for rule in &value.rules {
        rule.check()?;
        check_text(entry.format, definition, &rule.value).map_err(|why| Refusal {
            element: "rules".into(),
            ..why
        })?;
    }
    if let Some(time) = value.time {
        if time > wall + AHEAD {
            return Err(Refusal::malformed("time", "lies ahead"));
        }
        if before.is_some_and(|before| time < before.time) {
            return Err(Refusal::new(
                RefusalKind::Stale,
                "time",
                "lies before that of the value that is there",
            ));
        }
    }
    if let Some(until) = value.until {
        if until <= wall {
            return Err(Refusal::new(
                RefusalKind::Stale,
                "until",
                "lies in the past",
            ));
        }
        if until > wall + LONGEST {
            return Err(Refusal::malformed("until", "lies more than 400 days ahead"));
        }
    }
    if value
        .fades
        .is_some_and(|fades| !(1..=MAX_FADES).contains(&fades))
    {
        return Err(Refusal::malformed(
            "fades",
            format!("is 1 to {MAX_FADES} seconds"),
        ));
    }
    entry.base = text.clone();
    entry.time = value.time.unwrap_or(wall).min(wall);
    let lifetime = definition.and_then(|definition| definition.lifetime);
    let until = value
        .until
        .or(lifetime.map(|lifetime| entry.time + lifetime));
    entry.change_rare(|rare| {
        (rare.until, rare.fades) = (until, value.fades);
        rare.rules.clone_from(&value.rules);
    });
    Ok(())
}

/// Who sees it from now on; whether that differs from before.
fn show_to(entry: &mut Entry, value: &PresValue) -> Result<bool, Refusal> {
    let mut lists = entry.rare().lists.clone();
    let mut differs = false;
    for (element, said, list) in [
        ("allowed", &value.allowed, &mut lists.allowed),
        ("restricted", &value.restricted, &mut lists.restricted),
    ] {
        let Some(said) = said else { continue };
        if said.len() > MAX_ADDRESSES {
            return Err(Refusal::too_many(element, MAX_ADDRESSES));
        }
        let mut said = said.clone();
        said.sort_unstable();
        said.dedup();
        differs |= *list != said;
        *list = said;
    }
    entry.change_rare(|rare| rare.lists = lists);
    if let Some(privacy) = value.privacy {
        differs |= privacy != entry.privacy;
        entry.privacy = privacy;
    }
    Ok(differs)
}
