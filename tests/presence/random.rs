//! Random updates, grants, subscriptions, moves of the clock, restarts and crashes, against the model: nobody ever sees a
//! value that was not granted, nobody misses the newest granted state, nothing invalid is given as valid.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use sluice::clock::WallTime;
use sluice::presence::{
    Address, Authorise, Chosen, Config, Notice, Operation, PresValue, Privacy, QuestionId,
    RefusalKind, Rule,
};

use crate::acts::{Act, TEXTS, Update, act, address};
use crate::model::{
    ATTRIBUTES, Choice, Condition, GROUP, Model, Ms, Outside, Permission, Shown, USERS, Value,
};
use crate::support::{World, cases_or, client, name, user};

/// The service and the model side by side.
struct Pair {
    world: World,
    model: Model,
    /// The model as it was when all was durable.
    durable: Model,
    outside: Outside,
    /// What each watcher has been told last of each owner, since it connected or subscribed.
    told: BTreeMap<(usize, usize), BTreeSet<Shown>>,
    /// Questions that owners have been told.
    questions: BTreeMap<QuestionId, (usize, usize)>,
}

fn number(name: &str) -> usize {
    USERS.iter().position(|user| *user == name).unwrap()
}

fn to_chosen(choice: &Choice) -> Chosen {
    match choice {
        None => Chosen::All,
        Some(names) => {
            Chosen::names(names.iter().map(|one| name(ATTRIBUTES[*one])).collect()).unwrap()
        }
    }
}

fn shown(values: &[PresValue]) -> BTreeSet<Shown> {
    let all: BTreeSet<Shown> = values
        .iter()
        .map(|value| {
            let client = value
                .client
                .as_ref()
                .map(|client| client.as_str().replace("device 1", "pc"));
            let text = value.value.as_deref().unwrap().to_string();
            (
                value.name.as_str().to_string(),
                client,
                text,
                value.validity.unwrap().hundredths(),
            )
        })
        .collect();
    assert_eq!(
        all.len(),
        values.len(),
        "each value stands in a picture once"
    );
    all
}

impl Pair {
    fn new() -> Self {
        let config = Config {
            pictures_a_second: 5,
            burst: 5,
            silence: Duration::from_secs(1_000_000_000),
            ..Config::default()
        };
        Self {
            world: World::new(config),
            model: Model::default(),
            durable: Model::default(),
            outside: Outside::default(),
            told: BTreeMap::new(),
            questions: BTreeMap::new(),
        }
    }

    fn now(&self) -> Ms {
        self.world.wall.as_unix_ms()
    }

    /// What the model says has been durable since this.
    fn was_urgent(&mut self, is_urgent: bool) {
        if is_urgent {
            self.durable = self.model.clone();
        }
    }

    fn update(&mut self, update: &Update) {
        let now = self.now();
        let addresses = |list: &Option<BTreeSet<usize>>| {
            list.as_ref().map(|list| {
                list.iter()
                    .map(|one| Address::new(&address(*one)).unwrap())
                    .collect()
            })
        };
        let texts = |list: &BTreeSet<usize>| {
            list.iter()
                .map(|one| address(*one))
                .collect::<BTreeSet<_>>()
        };
        let rules = update.rules.iter().map(|(text, condition)| {
            let mut rule = Rule {
                value: TEXTS[*text].into(),
                calendar: None,
                place: None,
                while_is: None,
            };
            match condition {
                Condition::Hours(from, to) => {
                    let json =
                        format!(r#"{{"zone":"UTC","from":"{from:02}:00","to":"{to:02}:00"}}"#);
                    rule.calendar = Some(serde_json::from_str(&json).unwrap());
                }
                Condition::While(other, is) => {
                    rule.while_is = Some(sluice::presence::While {
                        name: name(ATTRIBUTES[*other]),
                        is: is.as_str().into(),
                    });
                }
            }
            rule
        });
        let value = PresValue {
            privacy: update.privacy,
            allowed: addresses(&update.allowed),
            restricted: addresses(&update.restricted),
            until: update
                .until
                .map(|wait| WallTime::from_unix_ms(now + 1000 * wait)),
            fades: update.fades,
            rules: rules.collect(),
            ..PresValue::set(name(ATTRIBUTES[update.attribute]), TEXTS[update.text])
        };
        let owner = user(USERS[update.owner]);
        let (done, is_urgent) = self.world.call(|service, now| {
            service.update(now, &owner, None, &owner, std::slice::from_ref(&value))
        });
        let mut model = self.model.clone();
        let before = model.values.get(&(update.owner, update.attribute)).cloned();
        let kept = |new: &Option<BTreeSet<usize>>, old: Option<&BTreeSet<String>>| match new {
            Some(new) => texts(new),
            None => old.cloned().unwrap_or_default(),
        };
        let written = Value {
            text: TEXTS[update.text].into(),
            time: now,
            until: update.until.map(|wait| now + 1000 * wait),
            fades: update.fades,
            rules: update
                .rules
                .iter()
                .map(|(text, condition)| (TEXTS[*text].to_string(), condition.clone()))
                .collect(),
            privacy: update
                .privacy
                .or(before.as_ref().map(|value| value.privacy))
                .unwrap_or(Privacy::Granted),
            allowed: kept(&update.allowed, before.as_ref().map(|value| &value.allowed)),
            restricted: kept(
                &update.restricted,
                before.as_ref().map(|value| &value.restricted),
            ),
        };
        model
            .values
            .insert((update.owner, update.attribute), written);
        if model.is_circular(update.owner, update.attribute, &mut Vec::new()) {
            assert_eq!(done.unwrap_err().kind, RefusalKind::Circular);
        } else {
            done.unwrap();
            let after = &model.values[&(update.owner, update.attribute)];
            let is_hidden_otherwise = before.is_some_and(|before| {
                (before.privacy, &before.allowed, &before.restricted)
                    != (after.privacy, &after.allowed, &after.restricted)
            });
            assert!(
                is_urgent || !is_hidden_otherwise,
                "who sees it is durable at once"
            );
            self.model = model;
        }
        self.was_urgent(is_urgent);
    }

    fn authorise(&mut self, owner: usize, said: &Authorise, to: &str, choices: [&Choice; 3]) {
        let (done, is_urgent) = self
            .world
            .call(|service, now| service.authorise(now, &user(USERS[owner]), said));
        let [grant, refuse, forget] = choices;
        let is_nothing = |choice: &Choice| choice.as_ref().is_some_and(BTreeSet::is_empty);
        let both = match (grant, refuse) {
            (None, None) => true,
            (Some(grant), Some(refuse)) => !grant.is_disjoint(refuse),
            _ => false,
        };
        let says_nothing =
            choices.iter().all(|choice| is_nothing(choice)) && said.question.is_none();
        if both || says_nothing {
            assert_eq!(done.unwrap_err().kind, RefusalKind::Malformed);
            return;
        }
        if let Err(why) = done {
            assert_eq!(why.kind, RefusalKind::Settled);
            return;
        }
        assert!(is_urgent, "permissions are durable at once");
        let permission: &mut Permission = self
            .model
            .permissions
            .entry((owner, to.into()))
            .or_default();
        let mut put = |choice: &Choice, word: Option<bool>| match choice {
            None => {
                permission.single.clear();
                permission.all = word;
            }
            Some(names) => {
                for name in names {
                    match word {
                        Some(word) => permission.single.insert(*name, word),
                        None => permission.single.remove(name),
                    };
                }
            }
        };
        put(forget, None);
        // A word on all goes before words on some, whichever it is.
        if refuse.is_none() {
            put(refuse, Some(false));
            put(grant, Some(true));
        } else {
            put(grant, Some(true));
            put(refuse, Some(false));
        }
        self.was_urgent(is_urgent);
    }

    /// One notice, looked at as it comes.
    fn poll(&mut self) -> bool {
        let Some(notice) = self.world.notice() else {
            return false;
        };
        match notice {
            Notice::Presence { to, owner, picture } => {
                let pair = (number(to.as_str()), number(owner.as_str()));
                assert!(
                    self.outside.connected.contains(&pair.0),
                    "somebody is there to be told"
                );
                let (chosen, until) = self
                    .model
                    .subscriptions
                    .get(&pair)
                    .expect("it is subscribed to");
                assert!(*until > self.now(), "and has not lapsed");
                let view =
                    self.model
                        .view(pair.0, pair.1, chosen.as_ref(), self.now(), &self.outside);
                assert_eq!(shown(&picture), view, "{pair:?}");
                self.told.insert(pair, view);
            }
            Notice::Question { to, id, from, .. } => {
                self.questions
                    .insert(id, (number(to.as_str()), number(from.as_str())));
            }
            Notice::Settled { .. } => {}
        }
        true
    }

    fn pass(&mut self, time: Duration) {
        self.world.pass(time);
        let now = self.now();
        self.model
            .subscriptions
            .retain(|_, (_, until)| *until > now);
    }

    /// All that is waiting is told; then everybody has the newest.
    fn settle(&mut self) {
        for _ in 0..40 {
            while self.poll() {}
            self.pass(Duration::from_secs(1));
        }
        while self.poll() {}
        for ((watcher, owner), (chosen, _)) in &self.model.subscriptions {
            if !self.outside.connected.contains(watcher) {
                continue;
            }
            let view =
                self.model
                    .view(*watcher, *owner, chosen.as_ref(), self.now(), &self.outside);
            let told = self.told.get(&(*watcher, *owner));
            assert_eq!(told, Some(&view), "{watcher} has the newest of {owner}");
        }
    }

    fn down(&mut self, model: Model) {
        self.model = model;
        let now = self.now();
        self.model
            .subscriptions
            .retain(|_, (_, until)| *until > now);
        self.outside.connected.clear();
        self.told.clear();
        self.world.crash();
        self.world.tick();
        // What the restart itself writes.
        self.world.sync();
        self.durable = self.model.clone();
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Update(one) => self.update(one),
            Act::Remove(owner, attribute) => {
                let value = PresValue {
                    operation: Some(Operation::Remove),
                    ..PresValue::named(name(ATTRIBUTES[*attribute]))
                };
                let me = user(USERS[*owner]);
                let (done, is_urgent) = self
                    .world
                    .call(|service, now| service.update(now, &me, None, &me, &[value]));
                let there = self.model.values.remove(&(*owner, *attribute));
                assert_eq!(done.is_ok(), there.is_some());
                assert_eq!(
                    is_urgent,
                    there.is_some(),
                    "what is removed is gone at once"
                );
                self.was_urgent(is_urgent);
            }
            Act::Authorise(owner, to, grant, refuse, forget) => {
                let said = Authorise {
                    question: None,
                    to: Some(Address::new(&address(*to)).unwrap()),
                    grant: to_chosen(grant),
                    refuse: to_chosen(refuse),
                    forget: to_chosen(forget),
                };
                self.authorise(*owner, &said, &address(*to), [grant, refuse, forget]);
            }
            Act::Answer(owner, grant, refuse) => {
                let mut known = self.questions.iter();
                let found = known
                    .find(|(_, (asked, _))| asked == owner)
                    .map(|(id, (_, from))| (*id, *from));
                if let Some((id, from)) = found {
                    self.questions.remove(&id);
                    let said = Authorise {
                        grant: to_chosen(grant),
                        refuse: to_chosen(refuse),
                        ..Authorise::answer(id)
                    };
                    self.authorise(
                        *owner,
                        &said,
                        &address(from),
                        [grant, refuse, &Some(BTreeSet::new())],
                    );
                }
            }
            Act::Subscribe(watcher, owner, chosen, seconds) => {
                let (me, other, names) = (
                    user(USERS[*watcher]),
                    user(USERS[*owner]),
                    to_chosen(chosen),
                );
                let time = (*seconds > 0).then(|| Duration::from_secs(*seconds));
                let (done, is_urgent) = self
                    .world
                    .call(|service, now| service.subscribe(now, &me, &other, &names, time));
                let until = match seconds {
                    0 => Ms::MAX,
                    seconds => self.now() + 1000 * seconds,
                };
                let lapses = done.unwrap().map_or(Ms::MAX, WallTime::as_unix_ms);
                assert_eq!(lapses, until);
                self.model
                    .subscriptions
                    .insert((*watcher, *owner), (chosen.clone(), until));
                self.told.remove(&(*watcher, *owner));
                self.was_urgent(is_urgent);
            }
            Act::Unsubscribe(watcher, owner) => {
                let (me, other) = (user(USERS[*watcher]), user(USERS[*owner]));
                let (done, is_urgent) = self
                    .world
                    .call(|service, _| service.unsubscribe(&me, &other));
                let there = self.model.subscriptions.remove(&(*watcher, *owner));
                assert_eq!(done.is_ok(), there.is_some());
                self.was_urgent(is_urgent);
            }
            Act::Get(watcher, owner, chosen) => {
                let (me, other, names) = (
                    user(USERS[*watcher]),
                    user(USERS[*owner]),
                    to_chosen(chosen),
                );
                let (seen, is_urgent) = self
                    .world
                    .call(|service, now| service.presence(now, &me, &other, &names));
                let view =
                    self.model
                        .view(*watcher, *owner, chosen.as_ref(), self.now(), &self.outside);
                assert_eq!(shown(&seen), view);
                self.was_urgent(is_urgent);
            }
            Act::Up(who) => {
                let (me, at) = (user(USERS[*who]), client("pc"));
                let done = self
                    .world
                    .call(|service, now| service.point_up(now, &me, &at, 1));
                done.0.unwrap();
                self.outside.connected.insert(*who);
                self.model.seen.insert(*who);
                self.told.retain(|(watcher, _), _| watcher != who);
                self.was_urgent(done.1);
            }
            Act::Gone(who) => {
                let me = user(USERS[*who]);
                let (_, is_urgent) = self
                    .world
                    .call(|service, now| service.point_gone(now, &me, 1));
                self.outside.connected.remove(who);
                self.was_urgent(is_urgent);
            }
            Act::Member(who) => {
                let key = (GROUP.to_string(), USERS[*who].to_string());
                if !self.outside.members.remove(who) {
                    self.outside.members.insert(*who);
                    self.world.groups.0.insert(key);
                } else {
                    self.world.groups.0.remove(&key);
                }
                let me = user(USERS[*who]);
                self.world
                    .call(|service, now| service.membership_changed(now, &me));
            }
            Act::Block(owner, other, is_blocked) => {
                let (me, they) = (user(USERS[*owner]), user(USERS[*other]));
                let (_, is_urgent) = self
                    .world
                    .call(|service, now| service.block(now, &me, &they, *is_blocked));
                let pair = (*owner, *other);
                let is_new = match is_blocked {
                    true => self.model.blocks.insert(pair),
                    false => self.model.blocks.remove(&pair),
                };
                assert_eq!(is_urgent, is_new, "a block holds over a crash");
                if *is_blocked {
                    self.questions.retain(|_, asked| *asked != pair);
                }
                self.was_urgent(is_urgent);
            }
            Act::Shut(who) => {
                let me = user(USERS[*who]);
                let is_shut = !self.model.shut.remove(who);
                if is_shut {
                    self.model.shut.insert(*who);
                }
                let (_, is_urgent) = self
                    .world
                    .call(|service, now| service.shut(now, &me, is_shut));
                self.was_urgent(is_urgent);
            }
            Act::GroupEnds => {
                self.outside.members.clear();
                self.world.groups.0.clear();
                let group = sluice::presence::GroupName::new(GROUP).unwrap();
                let (_, is_urgent) = self
                    .world
                    .call(|service, now| service.forget_group(now, &group));
                self.model.forget_group();
                self.was_urgent(is_urgent);
            }
            Act::Poll(many) => {
                for _ in 0..*many {
                    self.poll();
                }
            }
            Act::Late(seconds, watcher, owner, chosen) => {
                let time = Duration::from_secs(*seconds);
                self.world.moment = self.world.moment + time;
                self.world.wall = self.world.wall + time;
                let now = self.now();
                self.model
                    .subscriptions
                    .retain(|_, (_, until)| *until > now);
                self.act(&Act::Get(*watcher, *owner, chosen.clone()));
                self.act(&Act::Poll(3));
                self.world.tick();
            }
            Act::Pass(seconds) => self.pass(Duration::from_secs(*seconds)),
            Act::SetBack(seconds) => {
                self.world.wall = WallTime::from_unix_ms(self.now() - 1000 * seconds);
                self.world.tick();
            }
            Act::Sync => {
                self.world.sync();
                self.durable = self.model.clone();
            }
            Act::Restart => {
                self.world.sync();
                self.down(self.model.clone());
            }
            Act::Crash => self.down(self.durable.clone()),
            Act::Settle => self.settle(),
        }
    }
}

fn cases() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::with_cases(cases_or(400))
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn nobody_sees_too_much_or_too_little(acts in prop::collection::vec(act(), 1..120)) {
        let mut pair = Pair::new();
        for act in &acts {
            pair.act(act);
        }
        pair.settle();
    }
}
