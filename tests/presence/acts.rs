//! What may happen in a random run, and how often.

use std::collections::BTreeSet;

use proptest::prelude::*;
use sluice::presence::Privacy;

use crate::model::{Choice, Condition, GROUP, USERS};

#[derive(Clone, Debug)]
pub struct Update {
    pub owner: usize,
    pub attribute: usize,
    pub text: usize,
    pub privacy: Option<Privacy>,
    pub allowed: Option<BTreeSet<usize>>,
    pub restricted: Option<BTreeSet<usize>>,
    pub until: Option<u64>,
    pub fades: Option<u32>,
    pub rules: Vec<(usize, Condition)>,
}

#[derive(Clone, Debug)]
pub enum Act {
    Update(Update),
    Remove(usize, usize),
    Authorise(usize, usize, Choice, Choice, Choice),
    Answer(usize, Choice, Choice),
    /// For so many seconds; without an end if they are none.
    Subscribe(usize, usize, Choice, u64),
    Unsubscribe(usize, usize),
    Get(usize, usize, Choice),
    Up(usize),
    Gone(usize),
    Member(usize),
    Block(usize, usize, bool),
    Shut(usize),
    GroupEnds,
    Poll(usize),
    Pass(u64),
    /// Time passes and no timer fires; then somebody looks.
    Late(u64, usize, usize, Choice),
    SetBack(u64),
    Sync,
    Restart,
    Crash,
    Settle,
}

pub const TEXTS: [&str; 3] = ["one", "two", "three"];

/// Addresses by number: the users, the group, everyone.
pub fn address(number: usize) -> String {
    match number {
        4 => format!("group:{GROUP}"),
        5 => "everyone".into(),
        user => format!("user:{}", USERS[user]),
    }
}

fn choice() -> impl Strategy<Value = Choice> {
    prop_oneof![
        1 => Just(None),
        3 => prop::collection::btree_set(0..5_usize, 1..4).prop_map(Some),
    ]
}

fn some_or_none() -> impl Strategy<Value = Choice> {
    prop_oneof![
        2 => Just(Some(BTreeSet::new())),
        1 => Just(None),
        3 => prop::collection::btree_set(0..5_usize, 1..4).prop_map(Some),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    let hours = (0..24_u8, 0..24_u8).prop_filter("they differ", |(from, to)| from != to);
    prop_oneof![
        hours.prop_map(|(from, to)| Condition::Hours(from, to)),
        (0..4_usize, 0..3_usize)
            .prop_map(|(other, text)| Condition::While(other, TEXTS[text].into())),
    ]
}

fn update() -> impl Strategy<Value = Update> {
    let list = || prop::option::weighted(0.3, prop::collection::btree_set(0..6_usize, 0..3));
    let privacy = prop::sample::select(vec![Privacy::Public, Privacy::Granted, Privacy::Private]);
    let story = (
        prop::option::weighted(0.3, prop::sample::select(vec![1_u64, 30, 600, 7200])),
        prop::option::weighted(0.2, prop::sample::select(vec![60_u32, 3600])),
        prop::collection::vec((0..3_usize, condition()), 0..3),
    );
    (
        0..4_usize,
        0..4_usize,
        0..3_usize,
        prop::option::weighted(0.3, privacy),
        list(),
        list(),
        story,
    )
        .prop_map(
            |(owner, attribute, text, privacy, allowed, restricted, (until, fades, rules))| {
                Update {
                    owner,
                    attribute,
                    text,
                    privacy,
                    allowed,
                    restricted,
                    until,
                    fades,
                    rules,
                }
            },
        )
}

pub fn act() -> impl Strategy<Value = Act> {
    let one = 0..4_usize;
    let pair = || (0..4_usize, 0..4_usize);
    let seconds = prop::sample::select(vec![1_u64, 29, 61, 700, 3600, 5 * 3600, 40 * 3600]);
    let late = prop::sample::select(vec![1_u64, 45, 650, 4000]);
    prop_oneof![
        10 => update().prop_map(Act::Update),
        2 => pair().prop_map(|(owner, attribute)| Act::Remove(owner, attribute)),
        6 => (0..4_usize, 0..6_usize, some_or_none(), some_or_none(), some_or_none())
            .prop_map(|(owner, to, grant, refuse, forget)| Act::Authorise(owner, to, grant, refuse, forget)),
        2 => (0..4_usize, some_or_none(), some_or_none()).prop_map(|(owner, grant, refuse)| Act::Answer(owner, grant, refuse)),
        8 => (pair(), choice(), prop::sample::select(vec![0_u64, 60, 600, 86_400]))
            .prop_map(|((watcher, owner), chosen, time)| Act::Subscribe(watcher, owner, chosen, time)),
        1 => pair().prop_map(|(watcher, owner)| Act::Unsubscribe(watcher, owner)),
        4 => (pair(), choice()).prop_map(|((watcher, owner), chosen)| Act::Get(watcher, owner, chosen)),
        5 => one.clone().prop_map(Act::Up),
        2 => one.clone().prop_map(Act::Gone),
        2 => one.clone().prop_map(Act::Member),
        2 => (pair(), any::<bool>()).prop_map(|((owner, other), is_blocked)| Act::Block(owner, other, is_blocked)),
        1 => one.prop_map(Act::Shut),
        1 => Just(Act::GroupEnds),
        5 => (1..8_usize).prop_map(Act::Poll),
        5 => seconds.prop_map(Act::Pass),
        3 => (late, pair(), choice()).prop_map(|(time, (watcher, owner), chosen)| Act::Late(time, watcher, owner, chosen)),
        1 => prop::sample::select(vec![2_u64, 100, 10_000]).prop_map(Act::SetBack),
        1 => Just(Act::Sync),
        1 => Just(Act::Restart),
        1 => Just(Act::Crash),
        3 => Just(Act::Settle),
    ]
}
