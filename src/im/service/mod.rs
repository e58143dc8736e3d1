//! The service itself: takes what happens, reads the shelf, gives effects.
//!
//! One file for each family of requests; each handler fills a `Draft` and gives an answer or a refusal. What is refused
//! leaves nothing behind. `Service::finish` turns a draft into effects: the answer, what points are fed, and what is to
//! be remembered.

mod answers;
mod content;
mod cursor;
mod draft;
mod groups;
mod history;
mod invites;
mod lists;
mod members;
mod messages;
mod noticed;
mod phones;
mod points;
mod presence;
mod rates;
mod reach;
mod replies;
mod search;
mod sign_in;
mod sign_up;
mod sms;
mod telling;
mod texts;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use self::draft::{Answer, Draft, Refusal, Reply};
use self::points::{Point, Points};
pub use self::presence::BuddySeen;
use self::rates::Rates;
use self::sms::loops::Loops;
use super::auth::{Nonces, Slow, SlowRule};
use super::chance::Chance;
use super::change::Change;
use super::config::{Config, PhoneConfig};
use super::effects::{Effects, Now, Origin};
use super::names::{ConnectionId, SessionId, TransactionId};
use super::primitive::{FromClient, Outgoing, Request, Status, Tag, ToClient, Unreadable, Word};
use super::record::SessionMark;
use super::shelf::Shelf;
use super::status::Code;
use crate::clock::Moment;
use crate::message::{PhoneNumber, Refused, UserName};

/// Wrong tries for one account: five are free, then it takes up to a minute, so that a stranger cannot shut its owner out
/// for long.
const SLOW_ACCOUNT: SlowRule = SlowRule {
    free: 5,
    first: Duration::from_secs(1),
    longest: Duration::from_secs(60),
    forget_after: Duration::from_secs(3600),
};

/// Wrong tries from one network: twenty are free, since many may share it, then it takes up to a quarter of an hour.
const SLOW_ORIGIN: SlowRule = SlowRule {
    free: 20,
    first: Duration::from_secs(1),
    longest: Duration::from_secs(900),
    forget_after: Duration::from_secs(3600),
};

/// How often what lapses in memory is looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(30);

const HOUR: Duration = Duration::from_secs(3600);

/// Who asks.
#[derive(Clone, Debug)]
struct Caller {
    user: UserName,
    /// `None` for a phone, which has no session.
    session: Option<SessionId>,
}

/// The IM service.
pub struct Service {
    config: Arc<Config>,
    /// Known to this service only, and the same for all its life: what is made of it must not change with a restart.
    secret: [u8; 32],
    chance: Chance,
    points: Points,
    nonces: Nonces,
    slow_accounts: Slow<UserName>,
    slow_origins: Slow<Origin>,
    messages: Rates<UserName>,
    texts: Rates<UserName>,
    codes_of_user: Rates<UserName>,
    codes_to_phone: Rates<PhoneNumber>,
    sign_ups: Rates<Origin>,
    presence: crate::presence::Service,
    presence_due: Option<Moment>,
    presence_rates: Rates<UserName>,
    /// Answers to what phones write.
    answers: Rates<PhoneNumber>,
    /// Phones that were told that they get none for a while.
    quiet: HashSet<PhoneNumber>,
    loops: Loops,
    next_sweep: Moment,
    texts_held: bool,
    refused_sign_ins: u64,
    is_closing: bool,
}

impl Service {
    /// A service. `secret` is the same for all its life and kept by its owner; `seed` is another one each time.
    pub fn new(config: Config, secret: [u8; 32], seed: [u8; 32]) -> Result<Self, Refused> {
        config.check()?;
        if let Some(phones) = &config.phones {
            phones.check_language()?;
        }
        let mut chance = Chance::new(seed);
        let second = Duration::from_secs(1);
        let phones = config.phones.as_ref();
        let (texts, codes, answers) = phones.map_or((0, 0, 0), |phones| {
            let PhoneConfig {
                texts_per_hour,
                codes_per_hour,
                answers_per_hour,
                ..
            } = phones;
            (*texts_per_hour, *codes_per_hour, *answers_per_hour)
        });
        Ok(Self {
            nonces: Nonces::new(&mut chance, config.nonce_good_for),
            secret,
            chance,
            points: Points::default(),
            slow_accounts: Slow::new(SLOW_ACCOUNT),
            slow_origins: Slow::new(SLOW_ORIGIN),
            messages: Rates::new(
                config.messages_per_second,
                second,
                config.messages_per_second.saturating_mul(10),
            ),
            texts: Rates::new(texts, HOUR, texts),
            codes_of_user: Rates::new(codes, HOUR, codes),
            codes_to_phone: Rates::new(codes, HOUR, codes),
            sign_ups: Rates::new(sign_up::PER_HOUR, HOUR, sign_up::PER_HOUR),
            presence: presence::empty(&config),
            presence_due: None,
            presence_rates: Rates::new(
                config.presence_per_second,
                second,
                config.presence_per_second.saturating_mul(10),
            ),
            answers: Rates::new(answers, HOUR, answers),
            quiet: HashSet::new(),
            loops: Loops::default(),
            next_sweep: Moment::START,
            texts_held: false,
            refused_sign_ins: 0,
            is_closing: false,
            config: Arc::new(config),
        })
    }

    /// A connection came.
    pub fn connected(&mut self, connection: ConnectionId, from: IpAddr) {
        self.points.connect(connection, Origin::of(from));
    }

    /// A connection went. Its sessions go on without one.
    pub fn disconnected(&mut self, now: Now, connection: ConnectionId) -> Effects {
        let gone = self.points.disconnect(connection);
        for (session, point) in &gone {
            self.point_went(now, *session, &point.user);
        }
        let mut changes = gone
            .into_iter()
            .map(|(session, point)| mark(now, session, &point))
            .collect();
        self.keep_presence(now, &mut changes);
        Effects {
            changes,
            ..Effects::default()
        }
    }

    /// From now on every request is answered with 502.
    pub const fn close(&mut self) {
        self.is_closing = true;
    }

    /// Whether whoever carries texts has no room for more: then no user's message goes to a phone. What the service itself
    /// answers to phones still does.
    pub const fn hold_texts(&mut self, hold: bool) {
        self.texts_held = hold;
    }

    /// Whether a message of a user may become one more text.
    fn may_text(&mut self, user: &UserName, now: Moment) -> bool {
        !self.texts_held && self.texts.take(user, now).is_ok()
    }

    /// How many points there are.
    pub fn points(&self) -> usize {
        self.points.len()
    }

    /// How many users have a point.
    pub fn users(&self) -> usize {
        self.points.users()
    }

    /// How many sign-ins were refused, for a wrong name, password or client id.
    pub const fn refused_sign_ins(&self) -> u64 {
        self.refused_sign_ins
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Moment {
        self.presence_due()
            .map_or(self.next_sweep, |due| due.min(self.next_sweep))
    }

    /// Looks through what lapses. Called too early it does nothing.
    pub fn handle_timeout(&mut self, now: Now, shelf: &dyn Shelf) -> Effects {
        let mut effects = Effects::default();
        if self.presence_due().is_some_and(|due| due <= now.moment) {
            self.presence_timeout(now, shelf, &mut effects);
        }
        if now.moment < self.next_sweep {
            return effects;
        }
        self.next_sweep = now.moment + SWEEP_EVERY;
        self.slow_accounts.sweep(now.moment);
        self.slow_origins.sweep(now.moment);
        self.messages.sweep(now.moment);
        self.texts.sweep(now.moment);
        self.codes_of_user.sweep(now.moment);
        self.codes_to_phone.sweep(now.moment);
        self.sign_ups.sweep(now.moment);
        self.presence_rates.sweep(now.moment);
        self.idle_points(now);
        self.keep_presence(now, &mut effects.changes);
        effects.append(self.lapsed_texts(now, shelf));
        self.answers.sweep(now.moment);
        self.quiet
            .retain(|phone| !self.answers.has(phone, now.moment));
        self.loops.sweep(now.moment);
        match self.lapsed_uploads(now, shelf) {
            Ok(changes) => effects.changes.extend(changes),
            Err(why) => tracing::error!("{why}; content that was never finished stays for now"),
        }
        effects
    }

    /// A client sent something.
    pub fn handle(
        &mut self,
        now: Now,
        shelf: &dyn Shelf,
        connection: ConnectionId,
        request: Result<Request, Unreadable>,
    ) -> Effects {
        let Some(known) = self.points.connection(connection) else {
            return Effects::default();
        };
        let origin = known.origin;
        let request = match request {
            Ok(request) => request,
            Err(why) => {
                let tag = why.transaction.map_or(Tag::Unknown, Tag::Answer);
                return answer(connection, tag, *why.status);
            }
        };
        let Request {
            transaction,
            session,
            fingerprint,
            primitive,
        } = request;
        if self.is_closing {
            return answer(
                connection,
                Tag::Answer(transaction),
                Status::of(Code::Closing),
            );
        }
        let config = Arc::clone(&self.config);
        let mut draft = Draft::new(shelf, &config, now);
        let signed_in = match primitive {
            FromClient::Login(login) => self.login(&mut draft, connection, origin, login),
            FromClient::Resume(resume) => self.resume(&mut draft, connection, origin, resume),
            FromClient::SignUp(sign_up) => {
                let answered = self.sign_up(&mut draft, origin, sign_up);
                return self.finish(draft, connection, transaction, answered);
            }
            primitive => {
                let Some(session) = self.points.which(connection, session) else {
                    let is_nobody = known_sessions(&self.points, connection) == 0;
                    let code = if is_nobody && session.is_none() {
                        Code::SignInFirst
                    } else {
                        Code::UnknownSession
                    };
                    return answer(connection, Tag::Answer(transaction), Status::of(code));
                };
                return self.handle_signed_in(draft, session, transaction, fingerprint, primitive);
            }
        };
        self.finish(draft, connection, transaction, signed_in)
    }

    /// A request of somebody who is signed in.
    fn handle_signed_in(
        &mut self,
        mut draft: Draft<'_>,
        session: SessionId,
        transaction: TransactionId,
        fingerprint: u64,
        primitive: FromClient,
    ) -> Effects {
        let Some(point) = self.points.get(&session) else {
            return Effects::default();
        };
        let connection = point.connection;
        let caller = Caller {
            user: point.user.clone(),
            session: Some(session),
        };
        match primitive {
            FromClient::Received(received) => {
                return self.received(draft, &caller, session, received.position, transaction);
            }
            FromClient::Status(status) => {
                // An answer to what we sent. Only one to an entry of the log says something that is kept.
                let position = answered_position(&transaction);
                return match position {
                    Some(position) if status.code.is_done() => {
                        self.received(draft, &caller, session, position, transaction)
                    }
                    _ => Effects::default(),
                };
            }
            _ => {}
        }
        if let Some(before) = point.answers.find(&transaction) {
            if before.fingerprint != fingerprint {
                let status = Status::of(Code::TransactionReused);
                return answer(connection, Tag::Answer(transaction), status);
            }
            let word = ToClient::from_json(&before.primitive, &before.elements);
            if let Some(Ok(word)) = word {
                let position = before.position;
                let mut effects = Effects::default();
                let tag = Tag::Answer(transaction);
                self.points
                    .answer(session, tag, word, position, &mut effects.sends);
                return effects;
            }
        }
        self.touched(draft.now, session);
        let acts_on_presence = presence::acts(&primitive);
        let answered = self
            .may_tell(&draft, &caller, &primitive)
            .and_then(|()| self.dispatch(&mut draft, &caller, &transaction, primitive))
            .and_then(|reply| self.has_told(&mut draft, &caller).map(|()| reply));
        let reply = match answered {
            Ok(reply) => reply,
            Err(refusal) => {
                let mut effects = Effects::default();
                self.keep_presence(draft.now, &mut effects.changes);
                let tag = Tag::Answer(transaction);
                let word = refusal.into_status().into();
                self.points
                    .answer(session, tag, word, None, &mut effects.sends);
                return effects;
            }
        };
        if acts_on_presence {
            self.keep_presence(draft.now, &mut draft.changes);
        }
        if !draft.changes.is_empty()
            && let Some(point) = self.points.get_mut(&session)
            && !draft.ended.contains(&session)
        {
            let remembered =
                point
                    .answers
                    .remember(&transaction, fingerprint, reply.stands_for, &reply.word);
            draft.changes.push(Change::Remembered(session, remembered));
        }
        self.finish_with(
            draft,
            Some(session),
            connection,
            Tag::Answer(transaction),
            reply,
        )
    }

    /// Which handler does what.
    fn dispatch(
        &mut self,
        draft: &mut Draft<'_>,
        caller: &Caller,
        transaction: &TransactionId,
        primitive: FromClient,
    ) -> Answer {
        match primitive {
            FromClient::Message(message) => self.message(draft, caller, transaction, message),
            FromClient::Read(read) => self.read(draft, caller, read),
            FromClient::GetHistory(get) => history::get(draft, caller, &get),
            FromClient::Logout(_) => self.logout(draft, caller),

            FromClient::CreateList(create) => lists::create(draft, caller, create),
            FromClient::ModifyList(modify) => lists::modify(draft, caller, modify),
            FromClient::DeleteList(delete) => lists::delete(draft, caller, delete),
            FromClient::GetLists(get) => lists::get(draft, caller, get),
            FromClient::ModifyBlocks(modify) => lists::modify_blocks(draft, caller, modify),
            FromClient::GetBlocks(_) => lists::get_blocks(draft, caller),
            FromClient::ModifySettings(modify) => lists::modify_settings(draft, caller, &modify),
            FromClient::GetSettings(_) => lists::get_settings(draft, caller),

            FromClient::CreateGroup(create) => groups::create(draft, caller, create),
            FromClient::GetGroupInfo(get) => groups::get_info(draft, caller, get),
            FromClient::ModifyGroup(modify) => self.modify_group(draft, caller, modify),
            FromClient::DeleteGroup(delete) => self.delete_group(draft, caller, delete),
            FromClient::JoinGroup(join) => self.join_group(draft, caller, join),
            FromClient::ModifyJoin(modify) => self.modify_join(draft, caller, modify),
            FromClient::LeaveGroup(leave) => members::leave(draft, caller, leave),
            FromClient::InviteGroup(invite) => self.invite_group(draft, caller, invite),
            FromClient::RefuseInvite(refuse) => invites::refuse(draft, caller, refuse),

            FromClient::SearchGroup(query) => search::groups(draft, caller, &self.secret, query),
            FromClient::SearchUsers(query) if query.presence.is_empty() => {
                search::users(draft, caller, &self.secret, &query)
            }
            FromClient::SearchUsers(query) => self.search_presence(draft, caller, query),

            FromClient::UpdatePresence(update) => self.update_presence(draft, caller, update),
            FromClient::GetPresence(get) => self.get_presence(draft, caller, get),
            FromClient::RequestPresAuth(request) => self.request_pres_auth(draft, caller, &request),
            FromClient::AuthorizePres(said) => self.authorize_pres(draft, caller, said),
            FromClient::SubsPresence(subs) => self.subs_presence(draft, caller, subs),
            FromClient::UnsubsPresence(unsubs) => self.unsubs_presence(caller, &unsubs),

            FromClient::StoreContent(store) => {
                content::store(draft, caller, &mut self.chance, store)
            }
            FromClient::GetContentInfo(get) => content::get_info(draft, caller, get),
            FromClient::GetContent(get) => content::get(draft, caller, get),
            FromClient::DeleteContent(delete) => content::delete(draft, caller, delete),

            FromClient::AddPhone(add) => self.add_phone(draft, caller, add),
            FromClient::ProvePhone(prove) => self.prove_phone(draft, caller, prove),
            FromClient::ModifyPhone(modify) => phones::modify(draft, caller, modify),
            FromClient::RemovePhone(remove) => phones::remove(draft, caller, remove),
            FromClient::GetPhones(_) => phones::get(draft, caller),

            FromClient::Login(_)
            | FromClient::Resume(_)
            | FromClient::SignUp(_)
            | FromClient::Received(_)
            | FromClient::Status(_) => {
                unreachable!("these are handled before anybody is asked for")
            }
        }
    }

    /// Effects of a request that is not of a session, or begins one.
    fn finish(
        &mut self,
        draft: Draft<'_>,
        connection: ConnectionId,
        transaction: TransactionId,
        answered: Answer,
    ) -> Effects {
        let tag = Tag::Answer(transaction);
        match answered {
            Ok(reply) => self.finish_with(draft, None, connection, tag, reply),
            Err(refusal) => answer(connection, tag, refusal.into_status()),
        }
    }

    /// The answer first, then what points are fed, then what was appended, then what is not kept.
    fn finish_with(
        &mut self,
        draft: Draft<'_>,
        session: Option<SessionId>,
        connection: ConnectionId,
        tag: Tag,
        reply: Reply,
    ) -> Effects {
        let mut effects = Effects::default();
        match session {
            Some(session) => self.points.answer(
                session,
                tag,
                reply.word,
                reply.stands_for,
                &mut effects.sends,
            ),
            None => effects.sends.push((connection, own(tag, reply.word))),
        }
        self.release(draft, effects)
    }

    /// What a draft has beside an answer.
    fn release(&mut self, draft: Draft<'_>, mut effects: Effects) -> Effects {
        self.tell_presence(&draft);
        for session in draft.feed {
            if let Err(why) = self.points.feed(session, draft.shelf, &mut effects.sends) {
                // It stays behind, and is fed with its next confirmation or connection.
                tracing::error!("{why}; a point is not fed");
                if let Some(point) = self.points.get(&session) {
                    effects.closes.push(point.connection);
                }
            }
        }
        for appended in &draft.appended {
            self.points.push(
                &appended.user,
                appended.position,
                &appended.entry,
                &mut effects.sends,
            );
        }
        for volatile in draft.volatile {
            self.points.tell(
                &volatile.user,
                volatile.except,
                volatile.kind,
                &volatile.word,
                &mut effects.sends,
            );
        }
        for session in draft.ended {
            self.points.detach(session);
        }
        effects.closes.extend(draft.closes);
        effects.changes = draft.changes;
        self.keep_presence(draft.now, &mut effects.changes);
        for text in &draft.to_phones {
            self.loops.comes(&text.recipient, draft.now.moment);
        }
        effects.to_phones = draft.to_phones;
        effects
    }
}

/// How far a session's point has come, for the time when it has none.
fn mark(now: Now, session: SessionId, point: &Point) -> Change {
    Change::Confirmed(
        session,
        SessionMark {
            confirmed: point.confirmed,
            seen_at: now.wall,
        },
    )
}

fn known_sessions(points: &Points, connection: ConnectionId) -> usize {
    points
        .connection(connection)
        .map_or(0, |connection| connection.sessions.len())
}

const fn own(tag: Tag, word: ToClient) -> Outgoing {
    Outgoing {
        tag,
        session: None,
        position: None,
        word: Word::Own(word),
    }
}

/// Nothing but an answer.
fn answer(connection: ConnectionId, tag: Tag, status: Status) -> Effects {
    Effects {
        sends: vec![(connection, own(tag, status.into()))],
        ..Effects::default()
    }
}

/// The entry that a client answers with `Status`.
fn answered_position(transaction: &TransactionId) -> Option<super::names::Position> {
    let number = transaction.as_str().strip_prefix('p')?.parse().ok()?;
    Some(super::names::Position(number))
}

impl Refusal {
    fn limit(code: Code, name: &str, allowed: u64) -> Self {
        Status::of(code).within(name, allowed).into()
    }
}
