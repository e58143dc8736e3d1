//! A simple model of what the service promises: maps, and a view computed from scratch each time.

use std::collections::{BTreeMap, BTreeSet};

use sluice::presence::Privacy;

/// Milliseconds since 1970.
pub type Ms = u64;

/// `user:`, `group:` or everyone, as it is written.
pub type To = String;

/// Some attributes, or (none) all.
pub type Choice = Option<BTreeSet<usize>>;

/// What a rule of the model can be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// From hour to hour of each day, UTC.
    Hours(u8, u8),
    /// While another attribute is this.
    While(usize, String),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Value {
    pub text: String,
    pub time: Ms,
    pub until: Option<Ms>,
    /// Seconds.
    pub fades: Option<u32>,
    pub rules: Vec<(String, Condition)>,
    pub privacy: Privacy,
    pub allowed: BTreeSet<To>,
    pub restricted: BTreeSet<To>,
}

#[derive(Clone, Debug, Default)]
pub struct Permission {
    pub all: Option<bool>,
    pub single: BTreeMap<usize, bool>,
}

/// Attributes by number; the last is the server's.
pub const ATTRIBUTES: [&str; 5] = [
    "sluice:mood",
    "sluice:activity",
    "acme:one",
    "acme:two",
    "sluice:reachability",
];
pub const REACHABILITY: usize = 4;
pub const USERS: [&str; 4] = ["anna", "bob", "carl", "dora"];
pub const GROUP: &str = "anglers";

/// What is kept over a restart.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub values: BTreeMap<(usize, usize), Value>,
    pub permissions: BTreeMap<(usize, To), Permission>,
    /// Of whom an owner hears nothing, whatever else it says.
    pub blocks: BTreeSet<(usize, usize)>,
    /// Who is as if it were not there.
    pub shut: BTreeSet<usize>,
    /// By watcher and owner: what is chosen, and until when; the end of time if it does not lapse.
    pub subscriptions: BTreeMap<(usize, usize), (Choice, Ms)>,
    /// Who was ever connected.
    pub seen: BTreeSet<usize>,
}

/// What is not.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    pub members: BTreeSet<usize>,
    pub connected: BTreeSet<usize>,
}

/// What one sees of one value: attribute, client, text, validity in hundredths.
pub type Shown = (String, Option<String>, String, u8);

impl Model {
    /// The value at a time, without anybody looking: text and validity.
    pub fn at(&self, owner: usize, attribute: usize, now: Ms) -> Option<(String, u8)> {
        let value = self.values.get(&(owner, attribute))?;
        let mut validity = 100;
        if let Some(fades) = value.fades {
            let step = now.saturating_sub(value.time) * 20 / (u64::from(fades) * 1000);
            validity = 95 - 5 * u8::try_from(step.min(19)).unwrap();
        }
        if value.until.is_some_and(|until| until <= now) {
            validity = 0;
        }
        for (text, condition) in &value.rules {
            let (holds, sure) = match condition {
                Condition::Hours(from, to) => {
                    let hour = (now / 3_600_000 % 24) as u8;
                    let within = if from < to {
                        (*from..*to).contains(&hour)
                    } else {
                        hour >= *from || hour < *to
                    };
                    (within, 100)
                }
                Condition::While(other, is) => match self.at(owner, *other, now) {
                    Some((text, valid)) if valid > 0 => (text == *is, valid),
                    _ => (false, 100),
                },
            };
            validity = validity.min(sure);
            if holds {
                return Some((text.clone(), validity));
            }
        }
        Some((value.text.clone(), validity))
    }

    /// Whether a value would depend on itself.
    pub fn is_circular(&self, owner: usize, attribute: usize, seen: &mut Vec<usize>) -> bool {
        if seen.contains(&attribute) {
            return true;
        }
        seen.push(attribute);
        let rules = self
            .values
            .get(&(owner, attribute))
            .map(|value| value.rules.clone());
        let circular = rules
            .unwrap_or_default()
            .iter()
            .any(|(_, condition)| match condition {
                Condition::While(other, _) => self.is_circular(owner, *other, seen),
                Condition::Hours(..) => false,
            });
        seen.pop();
        circular
    }

    /// Nothing is said to the group any more.
    pub fn forget_group(&mut self) {
        let group = format!("group:{GROUP}");
        self.permissions.retain(|(_, to), _| *to != group);
        for value in self.values.values_mut() {
            value.allowed.remove(&group);
            value.restricted.remove(&group);
        }
    }

    fn fits(address: &str, watcher: usize, outside: &Outside) -> Option<usize> {
        if address == format!("user:{}", USERS[watcher]) {
            Some(0)
        } else if address == format!("group:{GROUP}") && outside.members.contains(&watcher) {
            Some(1)
        } else if address == "everyone" {
            Some(2)
        } else {
            None
        }
    }

    fn sees(&self, watcher: usize, owner: usize, attribute: usize, outside: &Outside) -> bool {
        if watcher == owner {
            return true;
        }
        if self.shut.contains(&owner) || self.blocks.contains(&(owner, watcher)) {
            return false;
        }
        if let Some(value) = self.values.get(&(owner, attribute)) {
            for weight in 0..3 {
                let fits = |address: &To| Self::fits(address, watcher, outside) == Some(weight);
                if value.restricted.iter().any(fits) {
                    return false;
                }
                if value.allowed.iter().any(fits) {
                    return true;
                }
            }
            match value.privacy {
                Privacy::Public => return true,
                Privacy::Private => return false,
                Privacy::Granted => {}
            }
        }
        for weight in 0..3 {
            for ((whose, to), permission) in &self.permissions {
                if *whose == owner && Self::fits(to, watcher, outside) == Some(weight) {
                    let says = permission
                        .single
                        .get(&attribute)
                        .copied()
                        .or(permission.all);
                    if let Some(says) = says {
                        return says;
                    }
                }
            }
        }
        false
    }

    /// All that a watcher sees.
    pub fn view(
        &self,
        watcher: usize,
        owner: usize,
        chosen: Option<&BTreeSet<usize>>,
        now: Ms,
        outside: &Outside,
    ) -> BTreeSet<Shown> {
        let mut view = BTreeSet::new();
        for (attribute, name) in ATTRIBUTES.iter().enumerate() {
            let is_chosen = chosen.is_none_or(|chosen| chosen.contains(&attribute));
            if !is_chosen || !self.sees(watcher, owner, attribute, outside) {
                continue;
            }
            if attribute == REACHABILITY {
                if self.seen.contains(&owner) {
                    let is_up = outside.connected.contains(&owner);
                    let text = if is_up { "reachable" } else { "unreachable" };
                    view.insert(((*name).into(), None, text.into(), 100));
                    view.insert(((*name).into(), Some("pc".into()), text.into(), 100));
                }
            } else if let Some((text, validity)) = self.at(owner, attribute, now) {
                view.insert(((*name).into(), None, text, validity));
            }
        }
        view
    }
}
