//! The service itself: who there is, who watches whom, and what is to be told.
//!
//! | part | what it does |
//! |---|---|
//! | [`update`] | P2: sets, makes and removes values |
//! | [`authorise`] | P4: permissions, and questions to owners |
//! | [`watch`] | P3, P5: looks, subscriptions |
//! | [`fanout`] | marks, queues and rates; what a watcher is told |
//! | [`moving`] | time: expiry, lapses, values that change by themselves |
//! | [`points`] | M4: what connections and the SMSC's reports say |
//! | [`search`] | P13: users by their presence |
//! | [`keep`] | loading, and forgetting a user |

mod authorise;
mod fanout;
mod keep;
mod moving;
mod points;
mod search;
mod update;
mod watch;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

pub use authorise::{Authorise, MAX_QUESTIONS, QUESTION_LIFE};
pub use fanout::{Notice, Picture};
pub use points::{MAX_POINTS, PhoneState, PointId, PointSeen};
pub use search::{Found, MAX_CONDITIONS, MAX_FOUND, Query};
pub use update::{MAX_CLIENTS, MAX_VALUES};

use self::authorise::Question;
use self::fanout::Pictures;
use self::points::Point;
use self::search::Index;
use super::arena::Arena;
use super::config::Config;
use super::entry::Entry;
use super::name::{AttributeName, Chosen, GroupName};
use super::permission::{Book, Membership};
use super::record::{Change, Key, QuestionId, Record};
use super::registry::Registry;
use super::wheel::{TimerId, Wheel};
use crate::clock::{Moment, WallTime};
use crate::message::UserName;

/// The present, and who knows groups in it.
#[derive(Clone, Copy)]
pub struct Now<'a> {
    /// For rates and silence.
    pub moment: Moment,
    /// For values and subscriptions.
    pub wall: WallTime,
    /// Who is in which group.
    pub groups: &'a dyn Membership,
}

/// A user's place in the service; the same for owners and watchers, since everybody is both.
#[derive(Debug)]
struct Person {
    name: UserName,
    /// In no order; their places are bits of masks, so there are never more than [`update::MOST_ENTRIES`].
    entries: Vec<Entry>,
    /// When the entries are to be looked at again. `timer` is armed for it.
    look_at: Option<WallTime>,
    timer: Option<TimerId>,
    book: Option<Box<Book>>,
    questions: Vec<Question>,
    lapse_of_questions: Option<TimerId>,
    /// How many questions of this user are open at others.
    open_asks: usize,
    /// Subscriptions to this user.
    watchers: Vec<u32>,
    /// Subscriptions of this user, by owner.
    watching: Vec<(u32, u32)>,
    /// Those of them that are marked.
    marked: VecDeque<u32>,
    /// Questions to be told, or told to be settled.
    told_of_questions: VecDeque<QuestionId>,
    /// When its next picture would be due at an even rate. It may be ahead by the burst.
    rate: Moment,
    /// Whether it stands in the queue of those who get something now.
    is_ready: bool,
    pace: Option<TimerId>,
    points: Vec<Point>,
    is_hidden: bool,
    /// Whether others see it as if it were not there.
    is_shut: bool,
}

/// One watcher's wish to know of one owner.
#[derive(Debug)]
struct Subscription {
    watcher: u32,
    owner: u32,
    /// Where it stands in the owner's list of watchers.
    place: u32,
    /// Shared among all who chose the same.
    chosen: Chosen,
    /// None if it does not lapse.
    until: Option<WallTime>,
    lapse: Option<TimerId>,
    /// The stamp of the picture that the watcher has; none if it has none.
    told: Option<u64>,
    is_marked: bool,
}

/// What a timer of the civil time is for.
#[derive(Clone, Copy, Debug)]
enum WallTimer {
    /// An owner's values are to be looked at.
    Look(u32),
    /// A subscription lapses.
    Lapse(u32),
    /// A question may have lapsed.
    Questions(u32),
}

/// What a timer of the machine's time is for.
#[derive(Clone, Copy, Debug)]
enum PaceTimer {
    /// A watcher's rate has room again.
    Rate(u32),
    /// A point may have fallen silent.
    Silence(u32, PointId),
}

/// The presence service. See the [module](crate::presence).
#[derive(Debug)]
pub struct Service {
    config: Config,
    registry: Arc<Registry>,
    /// `sluice:reachability`, which the server sets.
    reachability: AttributeName,
    people: Arena<Person>,
    by_name: HashMap<UserName, u32>,
    subscriptions: Arena<Subscription>,
    /// Choices that subscriptions share.
    choices: HashSet<Arc<[AttributeName]>>,
    index: Index,
    /// Who has named a group in a permission or on a list: those from whose words it goes when it goes.
    naming: HashMap<GroupName, HashSet<u32>>,
    pictures: Pictures,
    /// Watchers who get something now, in turn.
    ready: VecDeque<u32>,
    changes: VecDeque<Change>,
    by_wall: Wheel<WallTimer>,
    by_moment: Wheel<PaceTimer>,
    /// The latest civil time that was seen.
    wall: WallTime,
    last_change: u64,
    last_question: QuestionId,
}

impl Service {
    /// A service without users.
    pub fn new(config: Config, registry: impl Into<Arc<Registry>>) -> Self {
        let registry = registry.into();
        let reachability = AttributeName::new("sluice:reachability").expect("it is a name");
        Self {
            config,
            reachability: registry.shared(&reachability).unwrap_or(reachability),
            registry,
            people: Arena::new(),
            by_name: HashMap::new(),
            subscriptions: Arena::new(),
            choices: HashSet::new(),
            index: Index::default(),
            naming: HashMap::new(),
            pictures: Pictures::new(),
            ready: VecDeque::new(),
            changes: VecDeque::new(),
            by_wall: Wheel::new(0),
            by_moment: Wheel::new(0),
            wall: WallTime::default(),
            last_change: 0,
            last_question: 0,
        }
    }

    /// What is known of attributes.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// How many users, subscriptions, timers there are.
    pub fn counts(&self) -> Counts {
        Counts {
            users: self.people.len(),
            subscriptions: self.subscriptions.len(),
            timers: self.by_wall.armed() + self.by_moment.armed(),
            waiting: self.ready.len(),
        }
    }

    /// The next change that is to be kept.
    pub fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    fn keep(&mut self, record: Record, urgent: bool) {
        let record = Box::new(record);
        self.changes.push_back(Change::Put { record, urgent });
    }

    fn drop_key(&mut self, key: Key, urgent: bool) {
        self.changes.push_back(Change::Drop { key, urgent });
    }

    fn person(&self, name: &UserName) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// The place of a user, made if need be.
    fn make_person(&mut self, name: &UserName) -> u32 {
        if let Some(id) = self.person(name) {
            return id;
        }
        let id = self.people.insert(Person {
            name: name.clone(),
            entries: Vec::new(),
            look_at: None,
            timer: None,
            book: None,
            questions: Vec::new(),
            lapse_of_questions: None,
            open_asks: 0,
            watchers: Vec::new(),
            watching: Vec::new(),
            marked: VecDeque::new(),
            told_of_questions: VecDeque::new(),
            rate: Moment::START,
            is_ready: false,
            pace: None,
            points: Vec::new(),
            is_hidden: false,
            is_shut: false,
        });
        self.by_name.insert(name.clone(), id);
        id
    }

    /// Lets a user's place go if nothing is in it.
    fn tidy(&mut self, id: u32) {
        let Some(person) = self.people.get(id) else {
            return;
        };
        let is_empty = person.entries.is_empty()
            && person.book.is_none()
            && person.questions.is_empty()
            && person.open_asks == 0
            && person.watchers.is_empty()
            && person.watching.is_empty()
            && person.points.is_empty()
            && !person.is_hidden
            && !person.is_shut
            && !person.is_ready;
        if !is_empty {
            return;
        }
        if let Some(person) = self.people.remove(id) {
            self.by_name.remove(&person.name);
            for timer in [person.timer, person.lapse_of_questions]
                .into_iter()
                .flatten()
            {
                self.by_wall.disarm(timer);
            }
            if let Some(timer) = person.pace {
                self.by_moment.disarm(timer);
            }
        }
    }
}

/// How many there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Users that have, or watch, anything.
    pub users: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Armed timers.
    pub timers: usize,
    /// Watchers that get something now.
    pub waiting: usize,
}
