//! P4: permissions, given ahead or when asked; and the questions to owners.

use std::time::Duration;

use super::{Now, Service, WallTimer};
use crate::clock::WallTime;
use crate::message::UserName;
use crate::presence::name::{Address, AttributeName, Chosen, MAX_CHOSEN};
use crate::presence::permission::{Judge, MAX_PERMISSIONS, Permission};
use crate::presence::record::{Key, QuestionId, Record};
use crate::presence::refusal::{Refusal, RefusalKind};

/// Most open questions of an owner, and most that a watcher has under way.
pub const MAX_QUESTIONS: usize = 100;

/// A question that nobody answers lapses after this.
pub const QUESTION_LIFE: Duration = Duration::from_hours(7 * 24);

/// Who was answered may ask again after this.
const ASK_AGAIN: Duration = Duration::from_hours(24);

/// Most words on single attributes in a permission.
const MOST_SINGLE: usize = 4 * MAX_CHOSEN;

/// A question to an owner. Answered ones are kept until the same watcher may ask again.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) id: QuestionId,
    pub(super) from: UserName,
    pub(super) chosen: Chosen,
    pub(super) asked: WallTime,
    pub(super) answered: Option<WallTime>,
}

impl Question {
    fn ends(&self) -> WallTime {
        match self.answered {
            Some(answered) => answered + ASK_AGAIN,
            None => self.asked + QUESTION_LIFE,
        }
    }
}

/// What an owner says to an address. What is in `forget` goes back to unanswered first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Authorise {
    /// The question that this answers, if any.
    pub question: Option<QuestionId>,
    /// To whom; may be left out with a question, which knows.
    pub to: Option<Address>,
    /// May be seen from now on.
    pub grant: Chosen,
    /// May not.
    pub refuse: Chosen,
    /// Nothing is said about these any more.
    pub forget: Chosen,
}

impl Authorise {
    /// Says nothing yet.
    pub fn to(address: Address) -> Self {
        Self {
            question: None,
            to: Some(address),
            grant: Chosen::none(),
            refuse: Chosen::none(),
            forget: Chosen::none(),
        }
    }

    /// An answer that says nothing yet.
    pub fn answer(question: QuestionId) -> Self {
        Self {
            question: Some(question),
            to: None,
            ..Self::to(Address::Everyone)
        }
    }

    fn check(&self) -> Result<(), Refusal> {
        if self.grant.is_none()
            && self.refuse.is_none()
            && self.forget.is_none()
            && self.question.is_none()
        {
            return Err(Refusal::malformed(
                "grant",
                "is nothing, and neither is refuse or forget",
            ));
        }
        let both = match (&self.grant, &self.refuse) {
            (Chosen::All, Chosen::All) => true,
            (Chosen::Names(grant), Chosen::Names(refuse)) => {
                grant.iter().any(|name| refuse.contains(name))
            }
            // All but these: the single words go before the one on all.
            _ => false,
        };
        if both {
            return Err(Refusal::malformed("refuse", "names what grant names"));
        }
        Ok(())
    }
}

impl Service {
    /// `owner` authorises, ahead or as an answer.
    pub fn authorise(
        &mut self,
        now: &Now<'_>,
        owner: &UserName,
        said: &Authorise,
    ) -> Result<(), Refusal> {
        said.check()?;
        let asker = match said.question {
            Some(question) => Some(self.open_question(now, owner, question)?),
            None => None,
        };
        let to = match (asker.map(Address::User), &said.to) {
            (Some(asker), Some(to)) if asker != *to => {
                return Err(Refusal::malformed("to", "is not who asked"));
            }
            (Some(asker), _) => asker,
            (None, Some(to)) => to.clone(),
            (None, None) => return Err(Refusal::malformed("to", "is missing")),
        };
        let book = self
            .person(owner)
            .and_then(|id| self.people[id].book.as_deref());
        let there = book.and_then(|book| book.permission(&to));
        if there.is_none() && book.is_some_and(|book| book.len() >= MAX_PERMISSIONS) {
            return Err(Refusal::too_many("to", MAX_PERMISSIONS));
        }
        let mut permission = there.cloned().unwrap_or_default();
        permission.put(&said.forget, None);
        // A word on all first: it would take the single ones away.
        let grant = (&said.grant, Some(true));
        let refuse = (&said.refuse, Some(false));
        let order = if said.refuse == Chosen::All {
            [refuse, grant]
        } else {
            [grant, refuse]
        };
        for (chosen, word) in order {
            permission.put(chosen, word);
        }
        if permission.single.len() > MOST_SINGLE {
            return Err(Refusal::too_many("grant", MOST_SINGLE));
        }
        let id = self.make_person(owner);
        self.put_permission(id, &to, permission.clone());
        self.keep_permission(owner, to.clone(), permission);
        if let Some(question) = said.question {
            self.settle(now, id, question);
        }
        match &to {
            Address::User(watcher) => {
                if let Some(subscription) = self.subscription(watcher, owner) {
                    self.mark(subscription, now.moment);
                }
            }
            Address::Group(_) | Address::Everyone => self.mark_watchers(id, now.moment),
        }
        self.tidy(id);
        Ok(())
    }

    /// `owner` hears nothing of `other` any more, and shows it nothing, whatever it has granted or grants; or this ends, and
    /// what was granted holds again. An open question of `other` is closed by it.
    pub fn block(&mut self, now: &Now<'_>, owner: &UserName, other: &UserName, is_blocked: bool) {
        let to = Address::User(other.clone());
        let book = self
            .person(owner)
            .and_then(|id| self.people[id].book.as_deref());
        let there = book.and_then(|book| book.permission(&to)).cloned();
        let mut permission = there.unwrap_or_default();
        if permission.blocked == is_blocked {
            return;
        }
        permission.blocked = is_blocked;
        let id = self.make_person(owner);
        self.put_permission(id, &to, permission.clone());
        self.keep_permission(owner, to, permission);
        let questions = &self.people[id].questions;
        let open = questions
            .iter()
            .find(|question| question.from == *other && question.answered.is_none());
        if let Some(question) = open.filter(|_| is_blocked).map(|question| question.id) {
            self.settle(now, id, question);
        }
        if let Some(subscription) = self.subscription(other, owner) {
            self.mark(subscription, now.moment);
        }
        self.tidy(id);
    }

    fn keep_permission(&mut self, owner: &UserName, to: Address, permission: Permission) {
        let owner = owner.clone();
        if permission.is_silent() {
            self.drop_key(Key::Permission { owner, to }, true);
        } else {
            let record = Record::Permission {
                owner,
                to,
                permission,
            };
            self.keep(record, true);
        }
    }

    pub(super) fn put_permission(&mut self, id: u32, to: &Address, permission: Permission) {
        if let Address::Group(group) = to {
            self.naming.entry(group.clone()).or_default().insert(id);
        }
        let person = &mut self.people[id];
        let book = person.book.get_or_insert_default();
        book.put(to, permission);
        if book.is_silent() {
            person.book = None;
        }
    }

    /// What an owner has said, to whom.
    pub fn permissions(&self, owner: &UserName) -> Vec<(Address, Permission)> {
        let book = self
            .person(owner)
            .and_then(|id| self.people[id].book.as_deref());
        let addresses = book.map(|book| book.addresses()).unwrap_or_default();
        let mut all: Vec<_> = addresses
            .into_iter()
            .filter_map(|to| Some((to.clone(), book?.permission(&to)?.clone())))
            .collect();
        all.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        all
    }

    /// `from` asks `owner` to let it see values. Whether there is such an owner, and what it has said before, is not told.
    pub fn request_authorisation(
        &mut self,
        now: &Now<'_>,
        from: &UserName,
        owner: &UserName,
        chosen: &Chosen,
    ) -> Result<(), Refusal> {
        if chosen.is_none() {
            return Err(Refusal::malformed(
                "values",
                "are none; choose some, or all",
            ));
        }
        let open = self.person(from).map_or(0, |id| self.people[id].open_asks);
        if open >= MAX_QUESTIONS {
            return Err(Refusal::too_many("owner", MAX_QUESTIONS));
        }
        self.ask(now, from, owner, chosen);
        Ok(())
    }

    /// Asks for what nothing decides yet, since somebody wants to see it.
    pub(super) fn ask_by_the_way(
        &mut self,
        now: &Now<'_>,
        from: &UserName,
        owner: &UserName,
        chosen: &Chosen,
    ) {
        let open = self.person(from).map_or(0, |id| self.people[id].open_asks);
        if open >= MAX_QUESTIONS {
            return;
        }
        let undecided = match (self.person(owner), chosen) {
            (Some(id), Chosen::Names(names)) => {
                let person = &self.people[id];
                let judge = Judge::new(&person.name, person.book.as_deref(), from, now.groups);
                let is_listed = |name: &AttributeName| {
                    let entry = person.entries.iter().find(|entry| entry.name == *name);
                    entry.is_some_and(|entry| judge.listed(entry).is_some())
                };
                let names = names
                    .iter()
                    .filter(|name| !is_listed(name))
                    .cloned()
                    .collect();
                Chosen::names(names).unwrap_or_else(|_| Chosen::none())
            }
            _ => chosen.clone(),
        };
        self.ask(now, from, owner, &undecided);
    }

    fn ask(&mut self, now: &Now<'_>, from: &UserName, owner: &UserName, chosen: &Chosen) {
        if from == owner {
            return;
        }
        let chosen = match self.person(owner) {
            Some(id) => self.unanswered(now, from, id, chosen),
            None => chosen.clone(),
        };
        if chosen.is_none() {
            return;
        }
        let id = self.make_person(owner);
        self.lapse_questions(id, now.wall);
        // It may have been all that was there.
        let id = if self.people.get(id).is_some() {
            id
        } else {
            self.make_person(owner)
        };
        let person = &mut self.people[id];
        let number = match person
            .questions
            .iter_mut()
            .find(|question| question.from == *from)
        {
            Some(question) if question.answered.is_some() => return,
            Some(question) => {
                let all = union(&question.chosen, &chosen);
                if all == question.chosen {
                    return;
                }
                question.chosen = all;
                question.id
            }
            None => {
                let open = person
                    .questions
                    .iter()
                    .filter(|question| question.answered.is_none());
                if open.count() >= MAX_QUESTIONS {
                    return;
                }
                self.last_question += 1;
                let question = Question {
                    id: self.last_question,
                    from: from.clone(),
                    chosen,
                    asked: now.wall,
                    answered: None,
                };
                self.put_question(id, question);
                self.last_question
            }
        };
        let person = &mut self.people[id];
        if !person.told_of_questions.contains(&number) {
            person.told_of_questions.push_back(number);
        }
        let question = person
            .questions
            .iter()
            .find(|question| question.id == number);
        let question = question.expect("it was put or found above").clone();
        self.keep(
            Record::Question {
                owner: owner.clone(),
                id: number,
                from: question.from,
                chosen: question.chosen,
                asked: question.asked,
            },
            false,
        );
        self.arm_questions(id);
        self.make_ready(id, now.moment);
    }

    /// Who waits for an answer of this owner, and under which number: in the order in which they asked.
    pub fn askers(&self, now: &Now<'_>, owner: &UserName) -> Vec<(QuestionId, UserName)> {
        let person = self.person(owner).map(|id| &self.people[id]);
        let questions = person.into_iter().flat_map(|person| &person.questions);
        questions
            .filter(|question| question.answered.is_none() && question.ends() > now.wall)
            .map(|question| (question.id, question.from.clone()))
            .collect()
    }

    /// What of a choice the owner has said nothing about.
    fn unanswered(&self, now: &Now<'_>, from: &UserName, owner: u32, chosen: &Chosen) -> Chosen {
        let person = &self.people[owner];
        let judge = Judge::new(&person.name, person.book.as_deref(), from, now.groups);
        match chosen {
            _ if judge.is_blocked() => Chosen::none(),
            Chosen::All if judge.is_unanswered() => Chosen::All,
            Chosen::All => Chosen::none(),
            Chosen::Names(names) => {
                let unsaid = names.iter().filter(|name| judge.permitted(name).is_none());
                Chosen::names(unsaid.cloned().collect()).unwrap_or_else(|_| Chosen::none())
            }
        }
    }

    pub(super) fn put_question(&mut self, owner: u32, question: Question) {
        let asker = self.make_person(&question.from);
        self.people[asker].open_asks += 1;
        self.last_question = self.last_question.max(question.id);
        self.people[owner].questions.push(question);
    }

    fn open_question(
        &self,
        now: &Now<'_>,
        owner: &UserName,
        id: QuestionId,
    ) -> Result<UserName, Refusal> {
        let person = self.person(owner).map(|id| &self.people[id]);
        let mut questions = person.into_iter().flat_map(|person| &person.questions);
        questions
            .find(|question| {
                question.id == id && question.answered.is_none() && question.ends() > now.wall
            })
            .map(|question| question.from.clone())
            .ok_or_else(|| {
                Refusal::new(
                    RefusalKind::Settled,
                    "question",
                    "is not open: it has been answered, has lapsed, or was never put",
                )
            })
    }

    /// A question was answered: it is closed for all points.
    fn settle(&mut self, now: &Now<'_>, owner: u32, id: QuestionId) {
        let person = &mut self.people[owner];
        let question = person
            .questions
            .iter_mut()
            .find(|question| question.id == id);
        let question = question.expect("the caller has seen it open");
        question.answered = Some(now.wall);
        let from = question.from.clone();
        if !person.told_of_questions.contains(&id) {
            person.told_of_questions.push_back(id);
        }
        let owner_name = person.name.clone();
        // Answered ones are only a memory: the oldest goes when there are too many.
        let answered = person
            .questions
            .iter()
            .filter(|question| question.answered.is_some());
        if answered.count() > MAX_QUESTIONS {
            let oldest = person
                .questions
                .iter()
                .position(|question| question.answered.is_some());
            person.questions.remove(oldest.expect("there are some"));
        }
        self.asked_less(&from);
        self.drop_key(
            Key::Question {
                owner: owner_name,
                id,
            },
            false,
        );
        self.arm_questions(owner);
        self.make_ready(owner, now.moment);
    }

    pub(super) fn asked_less(&mut self, from: &UserName) {
        if let Some(asker) = self.person(from) {
            let person = &mut self.people[asker];
            person.open_asks = person.open_asks.saturating_sub(1);
            self.tidy(asker);
        }
    }

    /// Lets go of questions whose time is over.
    pub(super) fn lapse_questions(&mut self, id: u32, wall: WallTime) {
        let person = &mut self.people[id];
        let owner = person.name.clone();
        let over: Vec<Question> = person
            .questions
            .extract_if(.., |question| question.ends() <= wall)
            .collect();
        for question in over {
            if question.answered.is_none() {
                self.asked_less(&question.from);
                let key = Key::Question {
                    owner: owner.clone(),
                    id: question.id,
                };
                self.drop_key(key, false);
            }
        }
        self.arm_questions(id);
        self.tidy(id);
    }

    pub(super) fn arm_questions(&mut self, id: u32) {
        let person = &mut self.people[id];
        if let Some(timer) = person.lapse_of_questions.take() {
            self.by_wall.disarm(timer);
        }
        let next = person.questions.iter().map(Question::ends).min();
        person.lapse_of_questions =
            next.map(|at| self.by_wall.arm(at.as_unix_ms(), WallTimer::Questions(id)));
    }
}

fn union(one: &Chosen, other: &Chosen) -> Chosen {
    match (one, other) {
        (Chosen::Names(one), Chosen::Names(other)) => {
            let all: Vec<_> = one.iter().chain(other.iter()).cloned().collect();
            // More names than a choice holds: all, then.
            Chosen::names(all).unwrap_or(Chosen::All)
        }
        _ => Chosen::All,
    }
}
